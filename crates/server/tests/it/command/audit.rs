//! `tenure audit`

use serde_json::{Value, json};

use super::beside_a_server;
use crate::world::{MINUTE, TestApp};

/// A few sign-ins, sealed.
async fn some_history(app: &TestApp) {
    let ada = app.user("ada").await;
    for _ in 0..4 {
        app.clock.advance(MINUTE);
        app.signed_in(&ada).await;
    }
    app.app.write_events().await.unwrap();
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
    app.sql("DELETE FROM event WHERE seq = (SELECT max(seq) FROM event)");
    cli.run(&["audit", "verify", "--dev"]).expect(0);
    let cut = cli.run(&["audit", "verify", "--dev", "--noted", &end]).expect(1);
    assert!(cut.out.contains("missing"), "{cut:?}");
    cli.run(&["audit", "verify", "--dev", "--noted", "nonsense"]).expect(2);
    cli.run(&["audit", "verify", "--dev", "--earlier-secret-file", "/nowhere"]).expect(2);
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
