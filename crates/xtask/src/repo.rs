//! Where the repository is, how its cargo is called, and how its binaries are built.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::{Result, process};

pub struct Repo {
    pub root: PathBuf,
}

/// Which set of features the dependencies are compiled with.
///
/// Cargo compiles a dependency once per set of features, and dev-dependencies switch some on. Mixing the two
/// sets in one run therefore compiles much of the tree twice: a verb picks one and stays with it.
#[derive(Clone, Copy)]
pub enum Features {
    AsShipped,
    /// The same as `cargo nextest run` uses, so that the binary comes almost for free beside the tests.
    WithTests,
}

impl Repo {
    /// From where cargo says this crate lives now; a moved checkout or a shared target folder cannot mislead us.
    pub fn find() -> Result<Repo> {
        let here = env::var_os("CARGO_MANIFEST_DIR")
            .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
        let root =
            here.ancestors().nth(2).ok_or("this crate is not two folders below the repository's root")?;
        Ok(Repo { root: root.to_path_buf() })
    }

    pub fn path(&self, relative: &str) -> PathBuf {
        self.root.join(relative)
    }

    /// A program started at the root.
    pub fn command(&self, program: impl AsRef<Path>) -> Command {
        let mut command = Command::new(program.as_ref());
        command.current_dir(&self.root);
        // `cargo run` tells us about our own package. Handed on, these would make build scripts of
        // dependencies believe that something changed, and compile them again.
        for (name, _) in env::vars_os() {
            let name = name.to_string_lossy();
            if name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_") {
                command.env_remove(name.as_ref());
            }
        }
        command
    }

    pub fn cargo(&self, args: &[&str]) -> Command {
        let cargo = env::var_os("CARGO").map_or_else(|| PathBuf::from("cargo"), PathBuf::from);
        let mut command = self.command(cargo);
        command.args(args);
        command
    }

    /// The C parts of SQLite and of the cryptography are compiled here; say so before cargo says it at length.
    pub fn need_compiler(&self) -> Result {
        let named = env::var_os("CC").map(PathBuf::from);
        let any = named.into_iter().chain(["cc", "gcc", "clang"].map(PathBuf::from));
        if any.into_iter().any(|compiler| process::succeeds(self.command(compiler).arg("--version"))) {
            return Ok(());
        }
        Err("a C compiler is needed and none was found; on Debian or Ubuntu: apt-get install gcc libc6-dev"
            .into())
    }

    /// Builds a binary in the development profile and answers where it is.
    pub fn build(&self, name: &str, features: Features) -> Result<PathBuf> {
        self.need_compiler()?;
        let mut build = self.cargo(&["build", "--workspace", "--bin", name]);
        if let Features::WithTests = features {
            build.arg("--tests");
        }
        process::run(&mut build)?;
        self.built("debug", name)
    }

    /// A binary cargo has built. Cargo is asked where, because a user may have moved the target folder.
    pub fn built(&self, profile: &str, name: &str) -> Result<PathBuf> {
        let metadata = self.metadata(&["--no-deps"])?;
        let target = metadata["target_directory"].as_str().ok_or("cargo metadata names no target folder")?;
        let path = Path::new(target).join(profile).join(format!("{name}{}", env::consts::EXE_SUFFIX));
        if path.is_file() { Ok(path) } else { Err(format!("cargo built no {}", path.display()).into()) }
    }

    pub fn metadata(&self, extra: &[&str]) -> Result<Value> {
        let mut command = self.cargo(&["metadata", "--format-version", "1"]);
        Ok(serde_json::from_slice(&process::capture(command.args(extra))?)?)
    }

    /// Every file that is committed or would be: tracked, or new and not ignored.
    pub fn files(&self) -> Result<Vec<String>> {
        let mut git = self.command("git");
        // A build machine's checkout often belongs to another user than the one who builds.
        git.arg("-c").arg(format!("safe.directory={}", self.root.display()));
        git.args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]);
        let listed = String::from_utf8(process::capture(&mut git)?)?;
        let mut files: Vec<String> =
            listed.split('\0').filter(|path| !path.is_empty()).map(str::to_owned).collect();
        files.sort();
        files.dedup();
        Ok(files)
    }
}
