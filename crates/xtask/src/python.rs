//! Python environments below the target folder: a back end that is not ours, which tests measure, and what tests and
//! checks `python/tenure-drf`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::repo::{Features, Repo};
use crate::{Result, apt, backends, process};

/// What is installed where. Versions are exact, with their hashes.
pub struct Environment {
    requirements: &'static str,
    folder: &'static str,
}

/// Django with simplejwt, where the tests of `tenure conformance` look for it.
pub const FOREIGN: Environment =
    Environment { requirements: "crates/server/tests/foreign/requirements.txt", folder: "foreign" };

/// The adapter with a site around it.
pub const ADAPTER: Environment =
    Environment { requirements: "python/tenure-drf/requirements.txt", folder: "python" };

const ADAPTER_SOURCES: &str = "python/tenure-drf";

/// From there.
const EXAMPLES: &str = "../../examples";

/// What was installed, so that it is done again when that has changed.
const STAMP: &str = "installed.txt";

impl Environment {
    /// Has it installed, and answers where its Python is. What cannot be had is an error: no test is skipped for want of it.
    pub fn ready(&self, repo: &Repo) -> Result<PathBuf> {
        let metadata = repo.metadata(&["--no-deps"])?;
        let target = metadata["target_directory"].as_str().ok_or("cargo metadata names no target folder")?;
        let folder = Path::new(target).join(self.folder);
        let python = folder.join("bin/python");
        let wanted = fs::read_to_string(repo.path(self.requirements))?;
        if is_installed(&folder, &wanted) {
            return Ok(python);
        }
        let is_new_enough = ["-c", "import sys; sys.exit(sys.version_info < (3, 11))"];
        if !process::succeeds(repo.command("python3").args(is_new_enough)) {
            return Err("Python 3.11 or newer is needed, and `python3` is none".into());
        }
        // Debian's Python comes without what makes environments.
        if !process::succeeds(repo.command("python3").args(["-c", "import ensurepip, venv"])) {
            apt::install(repo, &["python3-venv"])?;
        }
        eprintln!("Installing {}.", self.requirements);
        process::run(repo.command("python3").args(["-m", "venv", "--clear"]).arg(&folder))?;
        let pip =
            ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--require-hashes", "-r"];
        process::run(repo.command(&python).args(pip).arg(repo.path(self.requirements)))?;
        // Last, so that one that broke off is begun again.
        fs::write(folder.join(STAMP), wanted)?;
        Ok(python)
    }
}

fn is_installed(folder: &Path, wanted: &str) -> bool {
    fs::read_to_string(folder.join(STAMP)).is_ok_and(|installed| installed == wanted)
}

/// A module of the adapter's environment, run in its folder.
fn module(repo: &Repo, name: &str) -> Result<Command> {
    let mut command = repo.command(ADAPTER.ready(repo)?);
    command.current_dir(repo.path(ADAPTER_SOURCES)).args(["-m", name]);
    Ok(command)
}

/// Its own form, its own rules, and types as strictly as mypy can.
pub fn lint(repo: &Repo) -> Result {
    process::run(module(repo, "ruff")?.args(["format", "--quiet", "--check", ".", EXAMPLES]))?;
    process::run(module(repo, "ruff")?.args(["check", "--quiet", ".", EXAMPLES]))?;
    process::run(&mut module(repo, "mypy")?)
}

/// The tests, without what they start: the server, the one whose clock they move, and what starts their databases.
pub fn tests(repo: &Repo, filter: Option<&str>) -> Result<Command> {
    let mut command = module(repo, "pytest")?;
    // Among a thousand dots nobody finds a name.
    command.args(["--no-header", "-v"]);
    command.env("RIG_BINARY", repo.build("tenure-rig", Features::WithTests)?);
    command.env(backends::POSTGRES_VARIABLE, backends::postgres(repo)?);
    // Not `-k`, which takes an expression, and nothing for an answer.
    command.env("TEST_FILTER", filter.unwrap_or_default());
    Ok(command)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_installed_for_other_versions_is_installed_again() {
        let folder = std::env::temp_dir().join(format!("tenure-python-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        assert!(!is_installed(&folder, "a==1"));
        fs::write(folder.join(STAMP), "a==1").unwrap();
        assert!(is_installed(&folder, "a==1") && !is_installed(&folder, "a==2"));
        fs::remove_dir_all(&folder).unwrap();
    }
}
