//! `cargo xtask ci`: the steps in the order of what they cost, then every test. It stops at the first failure.

use std::process::ExitCode;

use crate::generate::{self, Mode};
use crate::repo::{Features, Repo};
use crate::tally::Tally;
use crate::web::Web;
use crate::{Result, process, python, test, tidy};

type Step = fn(&Repo) -> Result;

/// Cheap first: a missing space should not cost ten minutes.
const STEPS: [(&str, Step); 5] = [
    ("format", format),
    ("tidy", tidy::check),
    ("lint", lint),
    ("generated files", generated_files),
    ("packages", packages),
];

/// The last line is always the totals. A step that fails counts as one failure.
pub fn ci(repo: &Repo) -> Result<ExitCode> {
    for (name, step) in STEPS {
        println!("== {name}");
        let (outcome, time) = process::timed(|| step(repo));
        if let Err(error) = outcome {
            eprintln!("xtask: {error}");
            println!("== {name}: failed after {:.1} s", time.as_secs_f64());
            println!("{}", Tally::FAILURE);
            return Ok(ExitCode::FAILURE);
        }
        println!("== {name}: done in {:.1} s", time.as_secs_f64());
    }
    test::test(repo, &test::Request::default())
}

fn format(repo: &Repo) -> Result {
    process::run(&mut repo.cargo(&["fmt", "--all", "--check"]))?;
    process::run(&mut Web::ready(repo)?.script("lint"))
}

/// What the compilers complain about. `--locked`: a lock file that does not fit the manifests is found here, before anything long begins.
fn lint(repo: &Repo) -> Result {
    process::run(&mut Web::ready(repo)?.script("types"))?;
    process::run(&mut repo.cargo(&[
        "clippy",
        "--locked",
        "--workspace",
        "--all-targets",
        "--",
        "-D",
        "warnings",
    ]))?;
    python::lint(repo)
}

/// The binary is built with the features of the tests, which are built next; see [`Features`].
fn generated_files(repo: &Repo) -> Result {
    let tenure = repo.build("tenure", Features::WithTests)?;
    generate::generate_with(repo, Mode::Check, &tenure)
}

/// What is published to npm: it builds, is small, can be imported by everybody, and its surface is the reviewed one.
fn packages(repo: &Repo) -> Result {
    process::run(&mut Web::ready(repo)?.script("packages"))
}
