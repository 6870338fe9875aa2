//! A back end that is not ours, which tests start and measure: Django with simplejwt, in a Python environment of its own.

use std::fs;
use std::path::Path;

use crate::repo::Repo;
use crate::{Result, apt, process};

/// Exact versions, with their hashes.
const REQUIREMENTS: &str = "crates/server/tests/foreign/requirements.txt";

/// Below the target folder, where the tests look for it.
const FOLDER: &str = "foreign";

/// What was installed, so that it is done again when that has changed.
const STAMP: &str = "installed.txt";

/// Has the environment installed. What cannot be had is an error: no test is skipped for want of it.
pub fn ready(repo: &Repo) -> Result {
    let metadata = repo.metadata(&["--no-deps"])?;
    let target = metadata["target_directory"].as_str().ok_or("cargo metadata names no target folder")?;
    let folder = Path::new(target).join(FOLDER);
    let wanted = fs::read_to_string(repo.path(REQUIREMENTS))?;
    if is_installed(&folder, &wanted) {
        return Ok(());
    }
    // Debian's Python comes without what makes environments.
    if !process::succeeds(repo.command("python3").args(["-c", "import ensurepip, venv"])) {
        apt::install(repo, &["python3-venv"])?;
    }
    eprintln!("Installing {REQUIREMENTS}.");
    process::run(repo.command("python3").args(["-m", "venv", "--clear"]).arg(&folder))?;
    let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--require-hashes", "-r"];
    process::run(repo.command(folder.join("bin/python")).args(pip).arg(repo.path(REQUIREMENTS)))?;
    // Last, so that one that broke off is begun again.
    Ok(fs::write(folder.join(STAMP), wanted)?)
}

fn is_installed(folder: &Path, wanted: &str) -> bool {
    fs::read_to_string(folder.join(STAMP)).is_ok_and(|installed| installed == wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_installed_for_other_versions_is_installed_again() {
        let folder = std::env::temp_dir().join(format!("tenure-foreign-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        assert!(!is_installed(&folder, "a==1"));
        fs::write(folder.join(STAMP), "a==1").unwrap();
        assert!(is_installed(&folder, "a==1") && !is_installed(&folder, "a==2"));
        fs::remove_dir_all(&folder).unwrap();
    }
}
