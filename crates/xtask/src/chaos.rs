//! `cargo xtask chaos`: the long run of the cluster test. Nodes, PostgreSQL and Redis are killed and held at random
//! behind a network that fails, and nobody is signed out.

use std::process::ExitCode;

use crate::repo::Repo;
use crate::{Result, backends, process, usage};

/// The one test; its short form runs with all the others.
const TEST: &str = "cluster::nobody_is_signed_out_whatever_happens_to_nodes_database_and_redis";

#[derive(Debug, PartialEq, Eq)]
pub struct Request {
    minutes: u64,
    clients: u64,
    /// How many times faster than usual the clients live.
    haste: u64,
    seed: Option<u64>,
}

impl Request {
    pub fn parse(args: &[String]) -> Result<Request> {
        let mut request = Request { minutes: 10, clients: 64, haste: 12, seed: None };
        let mut args = args.iter();
        while let Some(arg) = args.next() {
            let number = args.next().and_then(|text| text.parse().ok());
            match (arg.as_str(), number) {
                ("--minutes", Some(minutes)) if minutes > 0 => request.minutes = minutes,
                ("--clients", Some(clients)) if clients > 0 => request.clients = clients,
                ("--haste", Some(haste)) if haste > 0 => request.haste = haste,
                ("--seed", Some(seed)) => request.seed = Some(seed),
                _ => return usage(&format!("chaos does not understand `{arg}`, or wants a number after it")),
            }
        }
        Ok(request)
    }
}

/// Builds what is needed and hands our place to the test, so that Ctrl-C reaches it at once; what it has started
/// ends with it.
pub fn chaos(repo: &Repo, request: &Request) -> Result<ExitCode> {
    repo.need_compiler()?;
    backends::ready(repo)?;
    // Not nextest, which ends a test that takes long.
    let mut test = repo.cargo(&["test", "--workspace", "--test", "chaos", "--"]);
    test.args(["--exact", TEST, "--nocapture"]);
    test.env("CHAOS_MINUTES", request.minutes.to_string());
    test.env("CHAOS_CLIENTS", request.clients.to_string());
    test.env("CHAOS_HASTE", request.haste.to_string());
    if let Some(seed) = request.seed {
        test.env("CHAOS_SEED", seed.to_string());
    }
    process::become_process(&mut test)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(args: &[&str]) -> Result<Request> {
        Request::parse(&args.iter().map(|arg| (*arg).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn a_run_lasts_ten_minutes_unless_something_else_is_asked_for() {
        let usual = Request { minutes: 10, clients: 64, haste: 12, seed: None };
        assert_eq!(parse(&[]).unwrap(), usual);
        let asked = parse(&["--minutes", "60", "--seed", "42", "--haste", "1", "--clients", "200"]).unwrap();
        assert_eq!(asked, Request { minutes: 60, clients: 200, haste: 1, seed: Some(42) });
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        for args in
            [&["10"][..], &["--minutes"], &["--minutes", "many"], &["--minutes", "0"], &["--sed", "1"]]
        {
            assert!(parse(args).unwrap_err().is::<crate::Usage>(), "{args:?}");
        }
    }
}
