//! `tenure keys`: noticed by a running server without a restart, and nobody is signed out by it.

use serde_json::Value;

use super::beside_a_server;
use crate::hostile::token::part;
use crate::world::{HOUR, MINUTE, TestApp};

async fn published(app: &TestApp) -> Vec<String> {
    let keys = app.client.get("/.well-known/jwks.json").send().await.expect(200).json();
    keys["keys"].as_array().unwrap().iter().map(|key| key["kid"].as_str().unwrap().to_owned()).collect()
}

fn signer(access: &str) -> String {
    part(access, 0)["kid"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_rotated_key_is_published_at_once_signs_later_and_signs_nobody_out() {
    let (app, cli) = beside_a_server().await;
    let cli = cli.env("TENURE_LOG__LEVEL", "info");
    let mut browser = app.signed_in(&app.user("ada").await).await;
    let first = signer(&browser.access);
    let row = cli.json(&["keys", "rotate", "--dev"]);
    let second = row["kid"].as_str().unwrap().to_owned();
    assert_eq!(row["state"], "published");
    let mut keys = published(&app).await;
    keys.sort_unstable();
    let mut both = vec![first.clone(), second.clone()];
    both.sort_unstable();
    assert_eq!(keys, both);
    browser.profile().await.expect(200);
    browser.refresh().await.expect(200);
    assert_eq!(signer(&browser.access), first, "not yet");
    app.clock.advance(11 * MINUTE);
    browser.profile().await.expect(200);
    browser.refresh().await.expect(200);
    assert_eq!(signer(&browser.access), second);
    // Once every token of the first has long expired, it is gone from the list.
    app.clock.advance(2 * HOUR);
    assert_eq!(published(&app).await, [second]);
    browser.refresh().await.expect(200);
}

#[tokio::test]
async fn a_retired_keys_tokens_are_refused_at_the_very_next_request_and_a_refresh_replaces_them() {
    let (app, cli) = beside_a_server().await;
    let mut browser = app.signed_in(&app.user("ada").await).await;
    browser.profile().await.expect(200);
    let first = signer(&browser.access);
    let refused = cli.run(&["keys", "retire", &first]).expect(1);
    assert!(refused.err.contains("rotate --now"), "{refused:?}");
    let second = cli.json(&["keys", "rotate", "--now", "--dev"]);
    assert_eq!(second["state"], "signs");
    cli.run(&["keys", "retire", &first]).expect(0);
    app.clock.advance(MINUTE);
    browser.profile().await.expect(401).problem("access_token_invalid");
    browser.refresh().await.expect(200);
    browser.profile().await.expect(200);
    assert_eq!(published(&app).await, [second["kid"].as_str().unwrap()]);
}

#[tokio::test]
async fn the_list_says_what_each_key_does() {
    let (_app, cli) = beside_a_server().await;
    cli.run(&["keys", "rotate", "--dev"]).expect(0);
    let states =
        |list: Value| list.as_array().unwrap().iter().map(|row| row["state"].clone()).collect::<Vec<_>>();
    assert_eq!(states(cli.json(&["keys", "list"])), ["published", "signs"]);
    let printed = cli.run(&["keys", "list"]).expect(0);
    assert_eq!(printed.out.lines().count(), 2);
    for secret in ["seed", "sealed"] {
        assert!(!cli.json(&["keys", "list"]).to_string().contains(secret));
    }
    cli.run(&["keys", "retire", "no-such-key"]).expect(1);
}

#[tokio::test]
async fn a_key_is_not_added_under_a_secret_that_does_not_open_those_there_are() {
    let (app, cli) = beside_a_server().await;
    let wrong = cli.run(&["config", "secret"]).expect(0).out.trim().to_owned();
    let printed = app.cli().env("TENURE_SECRET", &wrong).run(&["keys", "rotate"]).expect(3);
    assert!(printed.err.contains("another master secret") && !printed.err.contains(&wrong), "{printed:?}");
    app.cli().run(&["keys", "rotate"]).expect(2);
    assert_eq!(published(&app).await.len(), 1);
}
