//! `cargo xtask test`: sets up what the tests need and runs everything.
//!
//! A suite that cannot be set up is a failure and is counted as one. Nothing is skipped in silence.

use std::process::{Command, ExitCode};

use crate::recap::Recap;
use crate::repo::{Features, Repo};
use crate::tally::{self, Tally};
use crate::web::{self, Web};
use crate::{Result, backends, conformance, process, python, usage};

/// The one list. A new suite (web pages, another store) is a new entry, and the total counts it.
const SUITES: &[Suite] = &[
    Suite {
        name: "rust",
        what: "unit, contract, model and integration tests of the workspace",
        prepare: rust_needs,
        command: rust_tests,
        count: tally::rust_tests,
    },
    Suite {
        name: "rust-postgres",
        what: "the server's integration tests once more, on PostgreSQL",
        prepare: rust_needs,
        command: rust_tests_on_postgres,
        count: tally::rust_tests,
    },
    Suite {
        name: "doc",
        what: "the examples in the documentation of every crate",
        prepare: Repo::need_compiler,
        command: doc_tests,
        count: tally::libtest,
    },
    Suite {
        name: "web",
        what: "the client, the React kit and the pages, the client also against the real server",
        prepare: Repo::need_compiler,
        command: web_tests,
        count: tally::vitest,
    },
    Suite {
        name: "python",
        what: "Django REST framework on Tenure, with a real server, PostgreSQL and Redis",
        prepare: python_needs,
        command: python_tests,
        count: tally::pytest,
    },
    Suite {
        name: "e2e",
        what: "the pages in real browsers",
        prepare: e2e_needs,
        command: e2e_tests,
        count: tally::playwright,
    },
    Suite {
        name: "conformance",
        what: "every known cause of sign-outs, against the real server with the real client",
        prepare: conformance::needs,
        command: conformance_tests,
        count: tally::conformance,
    },
];

struct Suite {
    name: &'static str,
    what: &'static str,
    /// Fetches or checks what the suite needs on a fresh machine; what cannot be had is an error.
    prepare: fn(&Repo) -> Result,
    command: Making,
    count: tally::Reader,
}

type Making = fn(&Repo, &Request) -> Result<Command>;

#[derive(Debug, Default, PartialEq, Eq)]
pub struct Request {
    filter: Option<String>,
    suite: Option<String>,
    plain: bool,
}

impl Request {
    pub fn parse(args: &[String]) -> Result<Request> {
        let mut request = Request::default();
        let mut args = args.iter();
        while let Some(arg) = args.next() {
            match arg.as_str() {
                "--plain" => request.plain = true,
                "--suite" => match args.next() {
                    Some(name) if SUITES.iter().any(|suite| suite.name == name) => {
                        request.suite = Some(name.clone());
                    }
                    _ => return usage(&format!("--suite takes one of: {}", names().join(", "))),
                },
                flag if flag.starts_with('-') => return usage(&format!("test does not know `{flag}`")),
                filter if request.filter.is_none() => request.filter = Some(filter.to_owned()),
                extra => return usage(&format!("test takes one filter; `{extra}` is a second one")),
            }
        }
        Ok(request)
    }
}

fn names() -> Vec<&'static str> {
    SUITES.iter().map(|suite| suite.name).collect()
}

/// Runs every suite asked for and ends with what failed, once more, and the line that holds the totals.
pub fn test(repo: &Repo, request: &Request) -> Result<ExitCode> {
    let mut total = Tally::default();
    let mut failures = Vec::new();
    for suite in SUITES.iter().filter(|suite| request.suite.as_deref().is_none_or(|name| name == suite.name))
    {
        println!("== {}: {}", suite.name, suite.what);
        let ((tally, recap), time) = process::timed(|| run_suite(repo, suite, request));
        let skipped = if tally.skipped > 0 { format!(", {} not run", tally.skipped) } else { String::new() };
        println!("== {}: {tally}{skipped} in {:.1} s", suite.name, time.as_secs_f64());
        total += tally;
        if tally.failed > 0 {
            failures.push((suite.name, recap));
        }
    }
    for (suite, recap) in failures {
        println!("== what failed in {suite}");
        recap.lines().for_each(|line| println!("{line}"));
    }
    if total.passed + total.failed == 0 {
        eprintln!("xtask: no test was run; is the filter right?");
    }
    println!("{total}");
    Ok(if total.failed == 0 && total.passed > 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn run_suite(repo: &Repo, suite: &Suite, request: &Request) -> (Tally, Recap) {
    let mut tally = Tally::default();
    let mut recap = Recap::default();
    let mut counted = false;
    let command = (suite.prepare)(repo).and_then(|()| (suite.command)(repo, request));
    let outcome = command.and_then(|mut command| {
        process::watch(&mut command, |line| {
            recap.hear(line);
            if let Some(more) = (suite.count)(line) {
                tally += more;
                counted = true;
            }
        })
    });
    let trouble = match outcome {
        Err(error) => error.to_string(),
        Ok(false) if tally.failed == 0 => "it failed before its tests could be counted".to_owned(),
        Ok(true) if !counted && request.filter.is_none() => {
            "it ended well but its totals were not found".to_owned()
        }
        Ok(_) => return (tally, recap),
    };
    let broken = format!("FAILED the suite `{}` broke: {trouble}", suite.name);
    eprintln!("xtask: {broken}");
    recap.hear(&broken);
    tally += Tally::FAILURE;
    (tally, recap)
}

/// The server is tested with the pages it serves, and with every kind of neighbour it may have; `doctor` looks at pages
/// in a browser.
fn rust_needs(repo: &Repo) -> Result {
    repo.need_compiler()?;
    backends::ready(repo)?;
    web::browsers(repo)?;
    python::FOREIGN.ready(repo)?;
    web::pages(repo)
}

/// nextest where it is there, because it ends a test that hangs and gives each a process of its own. Where it is
/// not, libtest runs the same tests: an install of minutes before the first test would help nobody on a new machine.
///
/// Always the whole workspace: a single package has another set of features and is compiled again.
fn rust_tests(repo: &Repo, request: &Request) -> Result<Command> {
    rust_runner(repo, request, "--tests", None)
}

/// Those that ask a server rather than a store; the store's contract is held against both in the suite before. What
/// measures other systems has no store to be run on.
fn rust_tests_on_postgres(repo: &Repo, request: &Request) -> Result<Command> {
    let mut command = rust_runner(repo, request, "--test=it", Some("command::conformance::"))?;
    command.env("TENURE_TEST_STORE", "postgres");
    Ok(command)
}

fn rust_runner(repo: &Repo, request: &Request, targets: &str, left_out: Option<&str>) -> Result<Command> {
    let nextest = !request.plain && process::succeeds(&mut repo.cargo(&["nextest", "--version"]));
    let mut command = if nextest {
        // One more than there are cores: the longest tests mostly wait, for servers to die and for time to pass.
        let threads = std::thread::available_parallelism()?.get() + 1;
        let mut command =
            repo.cargo(&["nextest", "run", "--workspace", targets, "--no-fail-fast", "--no-tests", "pass"]);
        command.arg(format!("--test-threads={threads}"));
        command
    } else {
        repo.cargo(&["test", "--workspace", targets, "--no-fail-fast"])
    };
    command.args(request.filter.as_deref());
    match left_out {
        Some(part) if nextest => drop(command.args(["-E", &format!("not test({part})")])),
        Some(part) => drop(command.args(["--", "--skip", part])),
        None => {}
    }
    command.env(backends::POSTGRES_VARIABLE, backends::postgres(repo)?);
    Ok(command)
}

fn doc_tests(repo: &Repo, request: &Request) -> Result<Command> {
    let mut command = repo.cargo(&["test", "--workspace", "--doc", "--no-fail-fast"]);
    command.args(request.filter.as_deref());
    Ok(command)
}

/// Of the simulated lives the first hundred: all two hundred take CI beyond the time that it has.
fn web_tests(repo: &Repo, request: &Request) -> Result<Command> {
    let mut command = with_servers(repo, Web::ready(repo)?.script("test"))?;
    if std::env::var_os("SEEDS").is_none() {
        command.env("SEEDS", "100");
    }
    if let Some(filter) = &request.filter {
        command.args(["--passWithNoTests", "-t", &literally(filter)]);
    }
    Ok(command)
}

fn python_needs(repo: &Repo) -> Result {
    repo.need_compiler()?;
    backends::ready(repo)
}

fn python_tests(repo: &Repo, request: &Request) -> Result<Command> {
    with_servers(repo, python::tests(repo, request.filter.as_deref())?)
}

pub fn e2e_needs(repo: &Repo) -> Result {
    backends::ready(repo)?;
    web::browsers(repo)?;
    python::FOREIGN.ready(repo)?;
    web::pages(repo)
}

/// The list reporter, because its last lines are what is counted.
fn e2e_tests(repo: &Repo, request: &Request) -> Result<Command> {
    let mut command = with_servers(repo, Web::ready(repo)?.script("e2e"))?;
    // One of the applications that is walked through is Django's.
    command.env("PYTHON_BINARY", python::ADAPTER.ready(repo)?);
    command.env("RIG_BINARY", repo.build("tenure-rig", Features::WithTests)?);
    // Not `TENURE_...`, which the product that is started there takes for a setting.
    command.env("E2E_POSTGRES", backends::postgres(repo)?);
    command.arg("--reporter=list");
    if let Some(filter) = &request.filter {
        command.args(["--pass-with-no-tests", "-g", &literally(filter)]);
    }
    Ok(command)
}

fn conformance_tests(repo: &Repo, request: &Request) -> Result<Command> {
    let mut command = conformance::command(repo)?;
    if let Some(filter) = &request.filter {
        command.args(["-t", &literally(filter)]);
    }
    Ok(command)
}

/// Tells a runner where the servers are that its tests start: the product, and the one whose clock they move.
pub fn with_servers(repo: &Repo, mut command: Command) -> Result<Command> {
    command.env("TESTBED_BINARY", repo.build("tenure-testbed", Features::WithTests)?);
    command.env("SERVER_BINARY", repo.build("tenure", Features::WithTests)?);
    Ok(command)
}

/// A filter is a part of a name; where the runner takes a regular expression, it has to mean the same.
fn literally(filter: &str) -> String {
    let mut pattern = String::new();
    for c in filter.chars() {
        if c.is_ascii_punctuation() && !matches!(c, '_' | '-' | '/' | ':' | '@' | '"' | '\'') {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(args: &[&str]) -> Result<Request> {
        Request::parse(&args.iter().map(|arg| (*arg).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn a_request_is_a_filter_and_two_options() {
        assert_eq!(parse(&[]).unwrap(), Request::default());
        let full = parse(&["refresh", "--suite", "doc", "--plain"]).unwrap();
        let expected = Request { filter: Some("refresh".into()), suite: Some("doc".into()), plain: true };
        assert_eq!(full, expected);
    }

    #[test]
    fn a_filter_means_itself_as_a_regular_expression_too() {
        assert_eq!(literally("ten_tabs: 1/2"), "ten_tabs: 1/2");
        assert_eq!(literally("a (b) c.d*"), r"a \(b\) c\.d\*");
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        for args in [&["a", "b"][..], &["--suit"], &["--suite"], &["--suite", "nosuch"]] {
            assert!(parse(args).unwrap_err().is::<crate::Usage>(), "{args:?}");
        }
    }

    /// Runs a made-up suite whose "runner" is a shell command. Its totals have a form of their own, because what
    /// it prints is heard by whoever runs this test, too.
    #[cfg(unix)]
    fn tally(prepare: fn(&Repo) -> Result, command: Making) -> Tally {
        fn count(line: &str) -> Option<Tally> {
            let (passed, failed) = line.strip_prefix("made up: ")?.split_once('+')?;
            Some(Tally { passed: passed.parse().ok()?, failed: failed.parse().ok()?, skipped: 0 })
        }
        let repo = Repo { root: std::env::temp_dir() };
        let suite = Suite { name: "made up", what: "", prepare, command, count };
        run_suite(&repo, &suite, &Request::default()).0
    }

    #[cfg(unix)]
    fn shell(script: &str) -> Result<Command> {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        Ok(command)
    }

    #[cfg(unix)]
    #[test]
    fn a_suite_that_breaks_is_a_failure_and_not_a_silence() {
        let well: fn(&Repo) -> Result = |_| Ok(());
        let broken: fn(&Repo) -> Result = |_| Err("no backend".into());
        assert_eq!(tally(broken, |_, _| shell("echo made up: 1+0")), Tally::FAILURE);
        assert_eq!(tally(well, |_, _| Err("no runner".into())), Tally::FAILURE);
        assert_eq!(tally(well, |_, _| shell("exit 101")), Tally::FAILURE);
        assert_eq!(tally(well, |_, _| shell("echo all is well")), Tally::FAILURE);
        assert_eq!(tally(well, |_, _| Ok(Command::new("no-such-runner"))), Tally::FAILURE);
        let died = Tally { passed: 2, failed: 1, skipped: 0 };
        assert_eq!(tally(well, |_, _| shell("echo made up: 2+0; kill -9 $$")), died);
    }

    #[cfg(unix)]
    #[test]
    fn totals_of_several_binaries_are_added() {
        let counted = tally(|_| Ok(()), |_, _| shell("echo made up: 2+0; echo made up: 3+1 >&2; exit 101"));
        assert_eq!(counted, Tally { passed: 5, failed: 1, skipped: 0 });
    }
}
