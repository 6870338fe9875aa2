//! `tenure session`

use serde_json::{Value, json};

use super::beside_a_server;
use crate::world::SECOND;

/// The strict check: the view in the server's memory must not outlive a write by another process.
#[tokio::test]
async fn the_very_next_request_after_an_end_by_another_process_is_refused() {
    let (app, cli) = beside_a_server().await;
    let user = app.user("ada").await;
    for _ in 0..5 {
        let (mut browser, other) = (app.signed_in(&user).await, app.signed_in(&user).await);
        for _ in 0..3 {
            browser.profile().await.expect(200);
            other.profile().await.expect(200);
        }
        let ended = cli.json(&["session", "end", &browser.session, "--reason", "lost laptop"]);
        browser.profile().await.expect(401).problem("access_token_revoked");
        other.profile().await.expect(200);
        let problem = browser.refresh().await.expect(401).problem("session_revoked");
        assert_eq!(problem["reason"], "admin_revoked");
        assert_eq!(problem["receipt"], ended[0]["receipt"], "the receipt that the administrator saw");
        assert!(!problem.to_string().contains("lost laptop"));
    }
}

#[tokio::test]
async fn a_receipt_carries_reason_actor_and_note() {
    let (app, cli) = beside_a_server().await;
    let browser = app.signed_in(&app.user("ada").await).await;
    let ended = cli.json(&["session", "end", &browser.session, "--reason", "lost laptop"]);
    let expected = json!({ "session": browser.session, "reason": "admin_revoked", "actor": "admin:grace", "newly": true, "note": "lost laptop" });
    for (member, value) in expected.as_object().unwrap() {
        assert_eq!(ended[0][member], *value, "{ended}");
    }
    let shown = cli.json(&["session", "show", &browser.session]);
    assert_eq!(shown["end"]["receipt"], ended[0]["receipt"]);
    assert_eq!(
        (&shown["end"]["actor"], &shown["end"]["note"]),
        (&json!("admin:grace"), &json!("lost laptop"))
    );
    // A second order changes nothing and says so.
    let again = cli.json(&["session", "end", &browser.session, "--reason", "another reason"]);
    assert_eq!((&again[0]["newly"], &again[0]["note"]), (&json!(false), &json!("lost laptop")));
    let human = cli.run(&["session", "show", &browser.session]).expect(0).out;
    assert!(
        human.contains("admin_revoked") && human.contains("admin:grace") && human.contains("(lost laptop)")
    );
}

#[tokio::test]
async fn a_dry_run_says_what_would_happen_and_does_nothing() {
    let (app, cli) = beside_a_server().await;
    let user = app.user("ada").await;
    let (one, two) = (app.signed_in(&user).await, app.signed_in(&user).await);
    let would = cli.json(&["session", "end", &one.session, "--reason", "x", "--dry-run"]);
    assert_eq!(would, json!({ "would_end": [one.session] }));
    let would = cli.json(&["session", "end-all", &user.id.to_string(), "--reason", "x", "--dry-run"]);
    let mut ids: Vec<Value> = would["would_end"].as_array().unwrap().clone();
    let mut both = vec![json!(one.session), json!(two.session)];
    ids.sort_by_key(Value::to_string);
    both.sort_by_key(Value::to_string);
    assert_eq!(ids, both);
    one.profile().await.expect(200);
    two.send_refresh().await.expect(200);
}

#[tokio::test]
async fn end_all_ends_all_of_one_user_and_kills_their_access_tokens() {
    let (app, cli) = beside_a_server().await;
    let user = app.user("ada").await;
    let (one, two) = (app.signed_in(&user).await, app.signed_in(&user).await);
    let stranger = app.signed_in(&app.user("bob").await).await;
    let ended = cli.json(&["session", "end-all", &user.id.to_string(), "--reason", "phished"]);
    assert_eq!(ended.as_array().unwrap().len(), 2);
    for browser in [&one, &two] {
        browser.profile().await.expect(401).problem("access_token_revoked");
        browser.send_refresh().await.expect(401).problem("session_revoked");
    }
    stranger.profile().await.expect(200);
    assert_eq!(cli.json(&["user", "show", &user.email])["token_version"], 2);
}

#[tokio::test]
async fn list_shows_the_living_and_with_all_the_ended_too() {
    let (app, cli) = beside_a_server().await;
    let user = app.user("ada").await;
    let mut gone = app.signed_in(&user).await;
    gone.sign_out().await.expect(204);
    app.clock.advance(SECOND);
    let here = app.signed_in(&user).await;
    let id = user.id.to_string();
    let ids = |list: Value| list.as_array().unwrap().iter().map(|row| row["id"].clone()).collect::<Vec<_>>();
    assert_eq!(ids(cli.json(&["session", "list", &id])), [json!(here.session)]);
    assert_eq!(ids(cli.json(&["session", "list", &id, "--all"])), [json!(here.session), json!(gone.session)]);
    let human = cli.run(&["session", "list", &id, "--all"]).expect(0).out;
    assert_eq!(human.lines().count(), 2);
    assert!(human.contains("alive until") && human.contains("signed_out by user"), "{human}");
    let row = &cli.json(&["session", "list", &id])[0];
    for secret in ["salt", "token", "password"] {
        assert!(row.get(secret).is_none(), "{row}");
    }
}

#[tokio::test]
async fn a_session_that_is_not_there_is_1() {
    let (_app, cli) = beside_a_server().await;
    let id = format!("ses_{}", "0".repeat(32));
    for verb in [vec!["show", &id], vec!["end", &id, "--reason", "x"]] {
        let printed = cli.run(&[vec!["session"], verb].concat()).expect(1);
        assert!(printed.err.contains("there is no session"), "{printed:?}");
    }
    let printed = cli.run(&["session", "show", &id, "--json"]).expect(1);
    let error: Value = serde_json::from_str(&printed.err).unwrap();
    assert_eq!(error["error"], "finding");
    // A user without sessions is none to worry about.
    assert_eq!(cli.json(&["session", "list", &format!("usr_{}", "0".repeat(32))]), json!([]));
}

/// A note with line breaks or escape sequences stays on its line.
#[tokio::test]
async fn a_note_cannot_forge_lines_on_the_terminal() {
    let (app, cli) = beside_a_server().await;
    let browser = app.signed_in(&app.user("ada").await).await;
    let note = "first\nses_fake  ended\u{1b}[31m";
    cli.run(&["session", "end", &browser.session, "--reason", note]).expect(0);
    let printed = cli.run(&["session", "show", &browser.session]).expect(0);
    assert_eq!(printed.out.lines().count(), 1, "{printed:?}");
    assert!(!printed.out.contains('\u{1b}'));
}
