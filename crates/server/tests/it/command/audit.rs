//! `tenure audit`

use serde_json::{Value, json};

use super::beside_a_server;
use crate::world::{Cli, MINUTE, TestApp, User};

/// A few sign-ins, sealed.
async fn some_history(app: &TestApp) -> User {
    let ada = app.user("ada").await;
    for _ in 0..4 {
        app.clock.advance(MINUTE);
        app.signed_in(&ada).await;
    }
    app.app.write_events().await.unwrap();
    ada
}

#[tokio::test]
async fn a_record_that_nobody_edited_holds_and_one_that_was_is_1() {
    let (app, cli) = beside_a_server().await;
    some_history(&app).await;
    let told = cli.json(&["audit", "verify", "--dev"]);
    assert_eq!((&told["holds"], &told["unsealed"], &told["broken"]), (&json!(true), &json!(0), &json!([])));
    let end = told["end"].as_str().unwrap().to_owned();
    let printed = cli.run(&["audit", "verify", "--dev", "--noted", &end]).expect(0).out;
    assert!(printed.contains(&end), "{printed}");

    let edit = |address: &str| {
        app.sql(&format!("UPDATE event SET address = '{address}' WHERE kind = 'signed_in'"));
    };
    edit("203.0.113.1");
    let printed = cli.run(&["audit", "verify", "--dev"]).expect(1);
    assert!(
        printed.out.contains("came from has been changed") && printed.err.contains("edited"),
        "{printed:?}"
    );
    edit("127.0.0.1");
    cli.run(&["audit", "verify", "--dev"]).expect(0);

    // Of somebody who is there still nothing is erased, and of nobody neither.
    app.sql("UPDATE event SET address = NULL, user_agent = NULL WHERE kind = 'signed_in'");
    let erased = cli.run(&["audit", "verify", "--dev"]).expect(1);
    assert!(erased.out.contains("came from has been erased") && erased.err.contains("edited"), "{erased:?}");
    edit("127.0.0.1");
    app.sql("DELETE FROM event WHERE seq = (SELECT max(seq) FROM event)");
    cli.run(&["audit", "verify", "--dev"]).expect(0);
    let cut = cli.run(&["audit", "verify", "--dev", "--noted", &end]).expect(1);
    assert!(cut.out.contains("missing"), "{cut:?}");
    cli.run(&["audit", "verify", "--dev", "--noted", "nonsense"]).expect(2);
    cli.run(&["audit", "verify", "--dev", "--earlier-secret-file", "/nowhere"]).expect(2);
}

#[tokio::test]
async fn what_is_erased_with_a_person_is_no_edit() {
    let (app, cli) = beside_a_server().await;
    let ada = some_history(&app).await;
    let mut browser = app.signed_in(&ada).await;
    browser.sign_out().await.expect(204);
    // Of this one only the session is on record.
    browser.send_refresh().await.expect(401);
    app.app.write_events().await.unwrap();
    cli.run(&["user", "delete", &ada.email, "--reason", "asked"]).expect(0);
    app.app.write_events().await.unwrap();
    let told = cli.json(&["audit", "verify", "--dev"]);
    assert!(told["erased"].as_u64() > Some(5), "{told}");
}

/// A row that cannot be read holds up no seal, and is not passed over in silence.
#[tokio::test]
async fn an_event_that_gets_no_seal_is_1() {
    let (app, cli) = beside_a_server().await;
    let row = |n: u32| format!("({}, 0, 'signed_in', -1)", app.database().id(&format!("{n:032}")));
    let rows: Vec<_> = (0..600).map(row).collect();
    app.sql(&format!("INSERT INTO event (id, at, kind, count) VALUES {}", rows.join(", ")));
    some_history(&app).await;
    let printed = cli.run(&["audit", "verify", "--dev"]).expect(1);
    assert!(
        printed.out.contains("; 600 not sealed yet") && printed.err.contains("600 events"),
        "{printed:?}"
    );
    assert!(
        !printed.out.contains("has been changed") && !printed.err.contains("has been edited"),
        "{printed:?}"
    );
}

/// To look is no reason to make a secret, and with a wrong one everything would seem to have been edited.
#[tokio::test]
async fn a_wrong_or_missing_master_secret_is_3_and_no_edit() {
    let (app, cli) = beside_a_server().await;
    some_history(&app).await;
    let wrong = cli.run(&["config", "secret"]).expect(0).out.trim().to_owned();
    let printed = app.cli().env("TENURE_SECRET", &wrong).run(&["audit", "verify"]).expect(3);
    assert!(printed.err.contains("another master secret") && printed.out.is_empty(), "{printed:?}");
    assert!(!printed.err.contains("edited"), "{printed:?}");
    let unsaid = cli.run(&["audit", "verify"]).expect(2);
    assert!(unsaid.err.contains("add --dev"), "{unsaid:?}");

    let kept = app.folder().join("secret");
    std::fs::rename(&kept, app.folder().join("elsewhere")).unwrap();
    let missing = cli.run(&["audit", "verify", "--dev"]).expect(3);
    assert!(missing.err.contains("no master secret at") && !kept.exists(), "{missing:?}");
    let folder = tempfile::tempdir().unwrap();
    let nowhere = folder.path().join("mistyped");
    Cli::on(&nowhere).run(&["audit", "verify", "--dev"]).expect(3);
    assert!(!nowhere.exists());
}

#[tokio::test]
async fn the_log_says_where_the_chain_ends_so_that_it_is_noted_elsewhere() {
    let (app, cli) = beside_a_server().await;
    some_history(&app).await;
    app.app.tell_chain().await.unwrap();
    let end = cli.json(&["audit", "verify", "--dev"])["end"].clone();
    assert!(end.as_str().is_some_and(|end| end.contains(':')));
}

#[tokio::test]
async fn what_happened_is_exported_a_line_each() {
    let (app, cli) = beside_a_server().await;
    some_history(&app).await;
    let lines = cli.run(&["audit", "export", "--kind", "signed_in"]).expect(0).out;
    let lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 4);
    assert!(lines.is_sorted_by(|one, next| one["at"].as_i64() >= next["at"].as_i64()));
    let table = cli.run(&["audit", "export", "--format", "csv"]).expect(0).out;
    assert!(table.starts_with("\"id\",\"at\",\"kind\""), "{table}");
    cli.run(&["audit", "export", "--kind", "nonsense"]).expect(2);
}
