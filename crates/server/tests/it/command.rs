//! The command line as a real, separate process on the data folder of a running server.

mod account;
mod admin;
mod audit;
mod config;
mod conformance;
mod doctor;
mod exchange;
mod explain;
mod import;
mod keys;
mod logouts;
mod logs;
mod migrate;
mod migrate_copy;
mod nodes;
mod serve;
mod session;
mod user;

use std::time::Duration;

use crate::world::{Cli, Setup, TestApp};

/// A running server whose clock starts at the real time, which is the command line's.
async fn beside_a_server() -> (TestApp, Cli) {
    beside_a_server_begun(Duration::ZERO).await
}

/// The same, begun that long ago.
async fn beside_a_server_begun(ago: Duration) -> (TestApp, Cli) {
    let app = Setup::default().begun(ago).start().await;
    let cli = app.cli().env("TENURE_ACTOR", "grace");
    (app, cli)
}

#[test]
fn what_is_asked_for_wrongly_is_2_and_says_what_to_write() {
    let folder = tempfile::tempdir().unwrap();
    let cli = Cli::on(folder.path());
    for wrong in [
        vec!["nonsense"],
        vec!["session"],
        vec!["session", "end"],
        vec!["session", "show", "not-an-id"],
        vec!["session", "end", "ses_00000000000000000000000000000001"],
        vec!["user", "create", "ada@example.com"],
        vec!["user", "disable", "ada@example.com"],
        vec!["keys", "retire"],
        vec!["serve", "--dev-user", "a@example.com:x"],
    ] {
        let printed = cli.run(&wrong).expect(2);
        assert!(printed.out.is_empty() && !printed.err.is_empty(), "{printed:?}");
    }
}

#[test]
fn whoever_reads_only_the_beginning_is_told_of_no_panic() {
    use std::process::{Command, Stdio};
    let mut command = Command::new(env!("CARGO_BIN_EXE_tenure"));
    command.args(["openapi"]).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // More is printed than a pipe holds, so it is found out whenever this happens.
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), String::from_utf8_lossy(&output.stderr).as_ref()), (Some(0), ""));
}

#[test]
fn a_wrong_folder_is_3_and_no_fresh_database() {
    let folder = tempfile::tempdir().unwrap();
    let cli = Cli::on(&folder.path().join("mistyped"));
    let session = "ses_00000000000000000000000000000001";
    for verb in [
        vec!["session", "show", session],
        vec!["session", "end", session, "--reason", "x"],
        vec!["user", "list"],
        vec!["keys", "list"],
        vec!["logouts", "tail", "--follow"],
        vec!["logouts", "stats"],
    ] {
        let printed = cli.run(&verb).expect(3);
        assert!(printed.err.contains("no database at") && printed.err.contains("--data"), "{printed:?}");
    }
    let printed = cli.run(&["user", "list", "--json"]).expect(3);
    let error: serde_json::Value = serde_json::from_str(&printed.err).unwrap();
    assert_eq!(error["error"], "unreachable");
    assert!(!folder.path().join("mistyped").exists());
}

#[test]
fn what_is_not_a_database_is_3() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("tenure.db"), "certainly no database, but long enough to be read")
        .unwrap();
    Cli::on(folder.path()).run(&["user", "list"]).expect(3);
}

#[test]
fn version_and_openapi_need_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let cli = Cli::on(&folder.path().join("nowhere"));
    assert_eq!(cli.run(&["version"]).expect(0).out, format!("tenure {}\n", env!("CARGO_PKG_VERSION")));
    let document: serde_json::Value = serde_json::from_str(&cli.run(&["openapi"]).expect(0).out).unwrap();
    assert_eq!(document, tenure::http::openapi::document());
    assert!(cli.run(&["openapi", "--errors"]).expect(0).out.starts_with("# Error codes"));
    assert!(!folder.path().join("nowhere").exists());
}
