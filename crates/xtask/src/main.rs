//! The verbs of this repository. What CI does is `cargo xtask ci` and nothing else, so you can do it too.
//!
//! This crate depends on none of ours: it talks to the rest of the house through files and commands.

#![forbid(unsafe_code)]

mod apt;
mod backends;
mod bench;
mod chaos;
mod ci;
mod conformance;
mod generate;
mod process;
mod python;
mod recap;
mod repo;
mod run;
mod tally;
mod test;
mod tidy;
mod web;

use std::error::Error;
use std::process::ExitCode;

use repo::Repo;

pub type Result<T = ()> = std::result::Result<T, Box<dyn Error>>;

const HELP: &str = "\
cargo xtask <verb>

  run  [-- ARGS]              build what is missing and serve the whole product on a local URL
  test [FILTER] [OPTIONS]     set up what the tests need and run every suite
         --suite NAME         only this suite (see the table in crates/xtask/src/test.rs)
         --plain              `cargo test` even where cargo-nextest is there
  conformance [OPTIONS]       play every known cause of sign-outs and write the report
         --only C04           this cause, or this scenario: C04-2
         --out DIR            where report.md and report.json go (target/conformance)
  ci                          what CI runs: format, tidy, lint, generated files, packages, then every test
  gen  [--check]              write the committed generated files, or say which of them are stale
  tidy                        the rules no compiler checks: sizes, arrows, paths, licences, reasons
  bench [--quick] [-- ARGS]   build for release and measure beside the limits of this machine
  chaos [OPTIONS]             three nodes, PostgreSQL and Redis, killed and held at random: nobody is signed out
         --minutes N          how long (10)
         --clients N          how many browsers (64)
         --haste N            how many times faster than usual they live (12)
         --seed N             the same draws again
";

/// 0 is well, 1 is findings or failures, 2 is a command line we do not understand.
fn main() -> ExitCode {
    let mut args: Vec<String> = std::env::args().skip(1).collect();
    let verb = if args.is_empty() { "help".to_owned() } else { args.remove(0) };
    let outcome = Repo::find().and_then(|repo| match verb.as_str() {
        "run" => run::run(&repo, &args),
        "test" => test::Request::parse(&args).and_then(|request| test::test(&repo, &request)),
        "conformance" => {
            conformance::Request::parse(&args).and_then(|request| conformance::conformance(&repo, &request))
        }
        "ci" => nothing_else(&args).and_then(|()| ci::ci(&repo)),
        "gen" => generate::Mode::parse(&args).and_then(|mode| generate::generate(&repo, mode)),
        "tidy" => nothing_else(&args).and_then(|()| tidy::tidy(&repo)),
        "bench" => bench::bench(&repo, &args),
        "chaos" => chaos::Request::parse(&args).and_then(|request| chaos::chaos(&repo, &request)),
        "help" | "--help" | "-h" => {
            print!("{HELP}");
            Ok(ExitCode::SUCCESS)
        }
        other => usage(&format!("there is no verb `{other}`")),
    });
    outcome.unwrap_or_else(|error| {
        eprintln!("xtask: {error}");
        ExitCode::from(if error.is::<Usage>() { 2 } else { 1 })
    })
}

/// A command line nobody understands, told apart from a failure by its exit code.
#[derive(Debug)]
struct Usage(String);

impl std::fmt::Display for Usage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}\n\n{HELP}", self.0)
    }
}

impl Error for Usage {}

fn usage<T>(what: &str) -> Result<T> {
    Err(Box::new(Usage(what.to_owned())))
}

fn nothing_else(args: &[String]) -> Result {
    match args.first() {
        Some(extra) => usage(&format!("`{extra}` is not understood here")),
        None => Ok(()),
    }
}
