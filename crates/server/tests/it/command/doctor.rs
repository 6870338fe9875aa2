//! `tenure doctor`, as its own process, against Tenure and against Django as its documentation sets it up. What it finds
//! in sites that are set up wrongly is in `tests/doctor`.

use std::path::Path;

use serde_json::Value;

use super::conformance::foreign::{Django, SIMPLEJWT};
use super::serve::Server;
use crate::world::{Cli, PASSWORD, Printed};

fn examine(words: &[&str], email: &str, password: &str) -> Printed {
    let cli = Cli::on(Path::new("unused")).env("DOCTOR_EMAIL", email).env("DOCTOR_PASSWORD", password);
    let printed = cli.run(&[&["doctor"], words].concat());
    for secret in [password, "Bearer ", "eyJ", "tnr1_"] {
        let said = printed.out.contains(secret) || printed.err.contains(secret);
        assert!(!said, "{secret} was said: {printed:?}");
    }
    printed
}

fn report(printed: &Printed) -> Value {
    serde_json::from_str(&printed.out).unwrap_or_else(|_| panic!("{printed:?}"))
}

/// The checks with this verdict.
fn with<'r>(report: &'r Value, verdict: &str) -> Vec<&'r str> {
    let rows = report["checks"].as_array().unwrap().iter();
    rows.filter(|row| row["verdict"] == verdict).filter_map(|row| row["check"].as_str()).collect()
}

#[test]
fn ours_is_well_and_the_lists_are_ticked() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start_with(data.path(), &[]);
    let cli = Cli::on(data.path());
    cli.run_with(&["user", "create", "ada@example.com", "--name", "Ada"], PASSWORD).expect(0);
    // It is recognised: no profile is given.
    let printed =
        examine(&["--url", &server.url, "--json", "--checklist"], "ada@example.com", PASSWORD).expect(0);
    let report = report(&printed);
    assert_eq!((with(&report, "fail"), with(&report, "warn")), (vec![], vec![]), "{report:#}");
    assert!(report["summary"]["ok"].as_u64() >= Some(30), "{report:#}");
    // What takes another origin, encryption, hooks or a browser, and nothing else.
    let of_a_site = ["cors-credentials", "cors-preflight", "cors-headers", "cors-vary", "tls", "hsts"];
    let of_more = ["outage-status", "keys-persist", "redis-independent"];
    for id in with(&report, "skipped") {
        let is_known = of_a_site.contains(&id) || of_more.contains(&id);
        assert!(
            is_known || id.starts_with("browser-") || id.starts_with("front-end-") || id == "storage-tokens",
            "{id}"
        );
    }
    let production = &report["checklist"][0]["items"];
    assert_eq!(production[0]["state"], "ticked", "{production:#}");
    let left = cli.run(&["session", "list", "ada@example.com", "--json"]).expect(0).out;
    assert_eq!(left.trim(), "[]", "a session of the test account is left");
    let words = ["--url", server.url.as_str(), "--only", "refresh-concurrent"];
    let printed = examine(&words, "ada@example.com", PASSWORD).expect(0);
    assert!(printed.out.contains("1 ok with") && !printed.out.contains("cookie-path"), "{printed:?}");
}

#[test]
fn what_cannot_be_examined_is_3() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start_with(data.path(), &[]);
    let url = server.url.as_str();
    let refused = |words: &[&str], expected: &str| {
        let printed = examine(words, "nobody@example.com", "a wrong password").expect(3);
        assert!(printed.err.contains(expected) && printed.out.is_empty(), "{expected}: {printed:?}");
    };
    refused(&["--url", url], "signing in was answered 401");
    refused(&["--url", "http://127.0.0.1:9"], "http://127.0.0.1:9: ");
    refused(&["--url", "app.example.com"], "--url: ");
    refused(&["--url", "http://app.example.com"], "--allow-http permits it");
    refused(&["--url", url, "--only", "cookies"], "there is no check cookies");
    refused(&["--url", url, "--profile", "preset:rails"], "profile_unknown");
    refused(&["--url", url, "--resolve", "app.example.com"], "HOST=ADDRESS");
    refused(&["--url", url, "--browser", "--browser-path", "/no/such/browser"], "there is no Chromium");
    refused(&[], "--url");
}

#[test]
fn the_guide_has_the_table_of_all_checks() {
    let table = Cli::on(Path::new("unused")).run(&["doctor", "--list"]).expect(0).out;
    in_the_guide("checks", &table, |_| true);
}

#[test]
fn django_with_rotation_is_told_as_the_guide_says() {
    let django = Django::start("rotation");
    let folder = tempfile::tempdir().unwrap();
    let (profile, tables) = (folder.path().join("profile.toml"), folder.path().join("tables.md"));
    std::fs::write(&profile, django.profile("rotation", SIMPLEJWT)).unwrap();
    let words = [profile.to_str().unwrap(), "--markdown", tables.to_str().unwrap(), "--json"];
    let words = [&["--url", django.url.as_str(), "--profile"], &words[..]].concat();
    let report = report(&examine(&words, "ada@example.com", "correct horse").expect(2));
    let failed = with(&report, "fail");
    for id in ["refresh-lost-answer", "refresh-concurrent", "remember-lifetime"] {
        assert!(failed.contains(&id), "{id}: {report:#}");
    }
    assert!(with(&report, "warn").contains(&"token-readable"), "{report:#}");
    // Who wins a race is another matter on every machine.
    let is_sure =
        |line: &str| !["refresh-concurrent", "refresh-reload-burst"].iter().any(|id| line.contains(id));
    in_the_guide("django", &std::fs::read_to_string(tables).unwrap(), is_sure);
}

/// Whether the guide has these lines between its marks, as far as they are compared.
#[track_caller]
fn in_the_guide(name: &str, expected: &str, is_compared: fn(&str) -> bool) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/guide/doctor.md");
    let page = std::fs::read_to_string(&path).unwrap();
    let (begin, end) = (format!("<!-- {name} -->\n"), format!("<!-- /{name} -->"));
    let (before, rest) = page.split_once(&begin).expect("the guide has the mark");
    let (there, after) = rest.split_once(&end).expect("the guide has the second mark");
    if std::env::var_os("UPDATE_TABLES").is_some() {
        std::fs::write(&path, [before, &begin, expected, &end, after].concat()).unwrap();
        return;
    }
    let compared =
        |text: &str| text.lines().filter(|line| is_compared(line)).map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(compared(there), compared(expected), "UPDATE_TABLES=1 writes it");
}
