//! `cargo xtask run`: the whole product on an embedded SQLite file at a local URL, and nothing else needed.

use std::process::ExitCode;

use crate::repo::{Features, Repo};
use crate::{Result, process};

/// Below the root and ignored by git; remove it to begin anew.
const DATA: &str = "./tenure-data";

pub fn run(repo: &Repo, args: &[String]) -> Result<ExitCode> {
    eprintln!("Building tenure; the first time takes a few minutes, later a few seconds.");
    let tenure = repo.build_tenure(Features::AsShipped)?;
    let mut server = repo.command(tenure);
    server.args(["serve", "--dev"]);
    let given: Vec<&String> = args.iter().skip_while(|arg| *arg == "--").collect();
    if !given.iter().any(|arg| *arg == "--data" || arg.starts_with("--data=")) {
        server.args(["--data", DATA]);
    }
    server.args(given);
    process::become_process(&mut server)
}
