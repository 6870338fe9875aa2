//! Packages of a Debian system.

use crate::repo::Repo;
use crate::{Result, process};

/// Installs packages, and starts none of their services. Who is not root is told what to type.
pub fn install(repo: &Repo, packages: &[&str]) -> Result {
    let command = format!("apt-get install {}", packages.join(" "));
    let root = process::capture(repo.command("id").arg("-u")).is_ok_and(|id| id.trim_ascii() == b"0");
    if !root || !process::succeeds(repo.command("apt-get").arg("--version")) {
        return Err(
            format!("{} missing; on Debian or Ubuntu, as root: {command}", packages.join(", ")).into()
        );
    }
    eprintln!("Installing {}.", packages.join(", "));
    let apt = |args: &[&str]| {
        let mut apt = repo.command("apt-get");
        // Run level 1 is one in which no service starts.
        apt.env("DEBIAN_FRONTEND", "noninteractive").env("RUNLEVEL", "1");
        process::run(apt.args(["-q", "-y", "-o", "Acquire::Retries=3"]).args(args))
    };
    apt(&["update"])?;
    apt(&[&["install", "--no-install-recommends"], packages].concat())
}
