//! `tenure conformance`, against Tenure, against back ends that are not ours, and against planted faults.

mod back_end;
mod encrypted;
pub mod foreign;
mod planted;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::serve::Server;
use crate::world::{Cli, PASSWORD, Printed};

/// A measurement as its own process, whose words are read.
struct Measurement {
    folder: tempfile::TempDir,
    target: String,
    profile: String,
    email: &'static str,
    password: &'static str,
    more: Vec<String>,
    environment: Vec<(String, String)>,
}

/// What was said of each scenario, by its number: the verdict and what was seen.
type Verdicts = BTreeMap<String, (String, String)>;

impl Measurement {
    fn of(target: &str, profile: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (target, profile) = (target.to_owned(), profile.to_owned());
        Self {
            folder,
            target,
            profile,
            email: "ada@example.com",
            password: "correct horse",
            more: vec![],
            environment: vec![],
        }
    }

    /// By a profile that only this test has.
    fn by_profile(target: &str, text: &str) -> Self {
        let measurement = Self::of(target, "");
        let path = measurement.folder.path().join("profile.toml");
        std::fs::write(&path, text).unwrap();
        Self { profile: path.to_str().unwrap().to_owned(), ..measurement }
    }

    fn by(self, email: &'static str, password: &'static str) -> Self {
        Self { email, password, ..self }
    }

    fn with(mut self, more: &[&str]) -> Self {
        self.more.extend(more.iter().map(|word| (*word).to_owned()));
        self
    }

    fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn run(&self, arguments: &[&str]) -> Printed {
        let cli = Cli::on(self.folder.path());
        let cli = cli.env("CONFORMANCE_EMAIL", self.email).env("CONFORMANCE_PASSWORD", self.password);
        let cli = cli.env("CONFORMANCE_OTHER_EMAIL", "bob@example.com");
        let cli = cli.env("CONFORMANCE_OTHER_PASSWORD", self.password);
        let cli = self.environment.iter().fold(cli, |cli, (name, value)| cli.env(name, value));
        let mut words = vec!["conformance", "--target", &self.target, "--profile", &self.profile];
        words.extend(self.more.iter().map(String::as_str));
        words.extend(arguments);
        let printed = cli.run(&words);
        for secret in [self.password, "Bearer", "eyJ", "tnr1_", "token-"] {
            let said = printed.out.contains(secret) || printed.err.contains(secret);
            assert!(!said, "{secret} was said: {printed:?}");
        }
        printed
    }

    /// Ends with this code and a report.
    #[track_caller]
    fn verdicts(&self, code: i32) -> Verdicts {
        let printed = self.run(&["--json"]).expect(code);
        let report: Value = serde_json::from_str(&printed.out).unwrap_or_else(|_| panic!("{printed:?}"));
        let rows = report["scenarios"].as_array().unwrap().iter();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        rows.map(|row| (text(&row["id"]), (text(&row["verdict"]), text(&row["detail"])))).collect()
    }
}

#[track_caller]
fn said(verdicts: &Verdicts, verdict: &str, ids: &[&str]) {
    for id in ids {
        assert_eq!(verdicts[*id].0, verdict, "{id}: {verdicts:#?}");
    }
}

/// All but these hold, or need something that was not given.
#[track_caller]
fn nothing_but(verdicts: &Verdicts, ids: &[&str]) {
    let found: Vec<_> = verdicts
        .iter()
        .filter(|(_, (verdict, _))| !matches!(verdict.as_str(), "holds" | "not_tested"))
        .map(|(id, _)| id.as_str())
        .collect();
    assert_eq!(found, ids, "{verdicts:#?}");
}

const PAGES: &str = "http://pages.example";

/// The preset, with pages of another origin and what an operator of ours would add to it.
fn our_profile(data: &Path) -> String {
    let hook = |name: &str, change: &str| {
        let words: Vec<_> = change.split(' ').chain(["--data", data.to_str().unwrap()]).collect();
        format!("[hooks.{name}]\nrun = {:?}\n", [vec![env!("CARGO_BIN_EXE_tenure")], words].concat())
    };
    let account = |change: &str| format!("account set {{email}} {change} --reason measured");
    let preset = include_str!("../../../src/command/outside/profiles/tenure.toml");
    [
        format!("origin = {PAGES:?}\n"),
        preset.replace("/api/v1/auth/profile", "/api/v1/auth/check?require=active_account,plan"),
        "[forbidden]\nurl = \"/api/v1/auth/api-keys\"\nheaders = { Authorization = \"Bearer {access}\" }\n"
            .into(),
        hook("suspend", &account("--status suspended")),
        hook("activate", &account("--status active")),
        hook("cancel", &account("--status cancelled")),
        hook("reopen", &account("--status active")),
        hook("plan_remove", &account("--no-plan")),
        hook("plan_give", &account("--plan pro")),
        hook("plan_off", "plan save pro --active false --reason measured"),
        hook("plan_on", "plan save pro --active true --reason measured"),
        hook("disable", "user disable {email} --reason measured"),
        hook("enable", "user enable {email}"),
    ]
    .concat()
}

#[test]
fn ours_holds_in_everything_that_can_be_measured() {
    let data = tempfile::tempdir().unwrap();
    let environment = [
        ("TENURE_LIMITS__SIGN_IN_PER_ACCOUNT_PER_MINUTE", "100000"),
        ("TENURE_LIMITS__SIGN_IN_PER_ADDRESS_PER_MINUTE", "100000"),
        ("TENURE_ORIGINS__ALLOWED", "[\"http://pages.example\"]"),
    ];
    let server = Server::start_with(data.path(), &environment);
    let cli = Cli::on(data.path());
    cli.run(&["plan", "save", "pro", "--name", "Pro", "--reason", "measured"]).expect(0);
    for (email, name) in [("ada@example.com", "Ada"), ("bob@example.com", "Bob")] {
        cli.run_with(&["user", "create", email, "--name", name], PASSWORD).expect(0);
        cli.run(&["account", "set", email, "--plan", "pro", "--reason", "measured"]).expect(0);
    }
    let measurement = Measurement::by_profile(&server.url, &our_profile(data.path()));
    let verdicts = measurement.by("ada@example.com", PASSWORD).verdicts(0);
    nothing_but(&verdicts, &[]);
    let untested = verdicts.iter().filter(|(_, (verdict, _))| verdict == "not_tested");
    let untested: Vec<_> = untested.map(|(id, _)| id.as_str()).collect();
    // A check that names nobody, tokens that live a quarter of an hour, bodies that have no token, and what somebody would
    // have to break.
    assert_eq!(untested, ["C02.1", "C03.1", "C08.2", "C19.3", "C38.1", "C39.1", "C42.1"], "{verdicts:#?}");
    let by_name = Measurement::of(&server.url, "preset:tenure").by("ada@example.com", PASSWORD);
    said(&by_name.with(&["--only", "C02"]).verdicts(0), "holds", &["C02.1"]);
}

#[test]
fn what_would_be_done_is_said_and_not_done() {
    // Nobody listens there, and nobody is missed.
    let measurement = Measurement::of("http://127.0.0.1:9", "preset:tenure");
    let printed = measurement.run(&["--dry-run"]).expect(0);
    assert!(printed.out.contains("C20.3 ") && printed.out.contains("Nothing was sent."), "{printed:?}");
    assert!(printed.out.contains("(not tested: the profile has no hooks.suspend)"), "{printed:?}");
    let printed = measurement.run(&["--dry-run", "--only", "c20", "--json"]).expect(0);
    let plan: Value = serde_json::from_str(&printed.out).unwrap();
    let ids = plan["scenarios"].as_array().unwrap().iter().map(|row| row["id"].as_str().unwrap());
    assert!(ids.clone().count() >= 12 && ids.clone().all(|id| id.starts_with("C20.")), "{plan}");
}

#[test]
fn a_measurement_that_is_asked_for_wrongly_is_2() {
    let here = "http://127.0.0.1:9";
    let refused = |target: &str, profile: &str, more: &[&str], expected: &str| {
        let printed = Measurement::of(target, profile).run(more).expect(2);
        assert!(printed.err.contains(expected) && printed.out.is_empty(), "{expected}: {printed:?}");
    };
    refused(here, "preset:rails", &[], "profile_unknown: --profile: ");
    refused(here, "/no/such/profile", &[], "profile_unreadable: --profile: ");
    refused(here, "preset:tenure", &["--only", "C99"], "--only: there is no scenario C99");
    refused("http://app.example.com", "preset:tenure", &[], "--allow-http permits it");
    refused("app.example.com", "preset:tenure", &[], "--target: ");
    let printed = Measurement::by_profile(here, "name = 'x'\ncolour = 'red'").run(&[]).expect(2);
    assert!(printed.err.contains("profile_field: "), "{printed:?}");
    let cli = Cli::on(Path::new("unused"));
    let words = ["conformance", "--target", here, "--profile", "preset:tenure"];
    assert!(cli.run(&words).expect(2).err.contains("CONFORMANCE_EMAIL"));
    assert!(cli.run(&["conformance"]).expect(2).err.contains("--target"));
    let example = cli.run(&["conformance", "--example-profile"]).expect(0).out;
    Measurement::by_profile(here, &example).run(&["--dry-run"]).expect(0);
}

#[test]
fn where_nobody_answers_it_is_3_and_says_so() {
    let address = "http://127.0.0.1:1";
    let printed = Measurement::of(address, "preset:tenure").run(&[]).expect(3);
    assert!(printed.err.contains(address) && printed.out.is_empty(), "{printed:?}");
}
