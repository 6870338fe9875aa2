//! `cargo xtask conformance`: plays every scenario of `conformance/` and writes what came of it.

use std::path::PathBuf;
use std::process::{Command, ExitCode};

use crate::repo::{Features, Repo};
use crate::tally::{self, Tally};
use crate::web::Web;
use crate::{Result, backends, process, test, usage};

#[derive(Debug, Default, PartialEq, Eq)]
pub struct Request {
    /// A cause, or one of its scenarios.
    only: Option<String>,
    /// Where the report goes, seen from here; `target/conformance` if it is not said.
    out: Option<PathBuf>,
}

impl Request {
    pub fn parse(args: &[String]) -> Result<Request> {
        let mut request = Request::default();
        let mut args = args.iter();
        while let Some(arg) = args.next() {
            match (arg.as_str(), args.next()) {
                ("--only", Some(only)) if is_name(only) => request.only = Some(only.clone()),
                ("--out", Some(folder)) => request.out = Some(std::path::absolute(folder)?),
                _ => {
                    return usage(&format!(
                        "conformance does not understand `{arg}`, or what comes after it"
                    ));
                }
            }
        }
        Ok(request)
    }
}

/// `C04`, or `C04-2`.
fn is_name(text: &str) -> bool {
    let Some(numbers) = text.strip_prefix('C') else { return false };
    let (cause, scenario) = numbers.split_once('-').unwrap_or((numbers, "1"));
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    cause.len() == 2 && is_number(cause) && is_number(scenario)
}

/// A real browser, Redis, and the pages that are built into the server.
pub fn needs(repo: &Repo) -> Result {
    backends::ready(repo)?;
    test::e2e_needs(repo)
}

/// The runner, told where everything is that it starts.
pub fn command(repo: &Repo) -> Result<Command> {
    let mut command = test::with_servers(repo, Web::ready(repo)?.script("conformance"))?;
    command.env("RIG_BINARY", repo.build("tenure-rig", Features::WithTests)?);
    Ok(command)
}

pub fn conformance(repo: &Repo, request: &Request) -> Result<ExitCode> {
    needs(repo)?;
    let mut command = command(repo)?;
    if let Some(only) = &request.only {
        // Names begin with the scenario, as in `C04-2: ...`.
        let end = if only.contains('-') { ':' } else { '-' };
        command.args(["-t", &format!("^{only}{end}")]);
    }
    if let Some(out) = &request.out {
        command.env("CONFORMANCE_OUT", out);
    }
    let mut tally = Tally::default();
    let went_well = process::watch(&mut command, |line| {
        if let Some(more) = tally::conformance(line) {
            tally += more;
        }
    })?;
    if tally.passed + tally.failed == 0 {
        eprintln!("xtask: there is no such scenario");
    }
    Ok(if went_well && tally.passed > 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(args: &[&str]) -> Result<Request> {
        Request::parse(&args.iter().map(|arg| (*arg).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn a_run_is_of_everything_unless_a_cause_or_a_scenario_is_named() {
        assert_eq!(parse(&[]).unwrap(), Request::default());
        for only in ["C04", "C20-10"] {
            assert_eq!(parse(&["--only", only]).unwrap().only.as_deref(), Some(only));
        }
        assert!(parse(&["--out", "somewhere"]).unwrap().out.unwrap().is_absolute());
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        for args in [
            &["C04"][..],
            &["--only"],
            &["--only", "4"],
            &["--only", "C4"],
            &["--only", "C04-"],
            &["--ou", "x"],
        ] {
            assert!(parse(args).unwrap_err().is::<crate::Usage>(), "{args:?}");
        }
    }
}
