//! What tests run beside the product: databases, poolers and proxies, as Debian packages them.
//!
//! Tests start servers of their own where they want to harm them. The PostgreSQL that the others share, each with a
//! database of its own, is started here, once for the run.

use std::env;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::OnceLock;

use crate::repo::{Features, Repo};
use crate::{Result, apt};

/// Names the shared server to the tests, as a URL; `crates/rig` reads it. Who sets it before has their own used.
pub const POSTGRES_VARIABLE: &str = "TENURE_TEST_POSTGRES";

/// The programs that tests run, with the Debian package that brings each.
const PROGRAMS: [(&str, &str); 7] = [
    ("initdb", "postgresql"),
    ("redis-server", "redis-server"),
    ("pgbouncer", "pgbouncer"),
    ("nginx", "nginx"),
    ("caddy", "caddy"),
    ("openssl", "openssl"),
    ("promtool", "prometheus"),
];

/// Has everything installed that tests start. What cannot be had is an error: no test is skipped for want of it.
pub fn ready(repo: &Repo) -> Result {
    let folders = folders();
    let lacking = || PROGRAMS.iter().filter(|(program, _)| !is_in(&folders, program));
    let packages: Vec<&str> = lacking().map(|(_, package)| *package).collect();
    if packages.is_empty() {
        return Ok(());
    }
    apt::install(repo, &packages)?;
    // Debian keeps PostgreSQL in a folder that was not there before.
    match PROGRAMS.iter().find(|(program, _)| !is_in(&self::folders(), program)) {
        Some((program, package)) => Err(format!("{package} is installed, and brought no `{program}`").into()),
        None => Ok(()),
    }
}

/// The URL of the server that tests share, which is started when it is first asked for and ends with us.
pub fn postgres(repo: &Repo) -> Result<String> {
    /// Statics are not dropped: the pipe closes when we are gone, however we go, and the server then ends itself.
    static STARTED: OnceLock<(Child, String)> = OnceLock::new();
    if let Ok(url) = env::var(POSTGRES_VARIABLE) {
        return Ok(url);
    }
    if let Some((_, url)) = STARTED.get() {
        return Ok(url.clone());
    }
    let rig = repo.build("tenure-rig", Features::WithTests)?;
    let mut server =
        repo.command(rig).arg("postgres").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let mut url = String::new();
    if let Some(stdout) = server.stdout.take() {
        BufReader::new(stdout).read_line(&mut url)?;
    }
    if url.is_empty() {
        return Err("PostgreSQL could not be started for the tests".into());
    }
    let (_, url) = STARTED.get_or_init(|| (server, url.trim().to_owned()));
    Ok(url.clone())
}

/// Where programs are: the search path, what an administrator has on theirs, and Debian's folders of PostgreSQL.
fn folders() -> Vec<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let versions = versions.map(|version| version.path().join("bin"));
    env::split_paths(&path).chain(["/usr/sbin".into(), "/sbin".into()]).chain(versions).collect()
}

fn is_in(folders: &[PathBuf], program: &str) -> bool {
    folders.iter().any(|folder: &PathBuf| Path::is_file(&folder.join(program)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_found_by_its_name_in_any_folder() {
        let us = env::current_exe().unwrap();
        let folders = [PathBuf::from("/nowhere"), us.parent().unwrap().to_owned()];
        assert!(is_in(&folders, us.file_name().unwrap().to_str().unwrap()));
        assert!(!is_in(&folders[..1], "sh") && !is_in(&folders, "no-such-program"));
    }
}
