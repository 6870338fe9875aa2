//! Ends (protocol.md section 10): each with its reason, at the very next request, and for good.

use std::sync::Arc;

use serde_json::json;
use tenure_domain::ends::{Actor, EndReason};
use tenure_store::EndOrder;

use crate::world::{Fault, PASSWORD, QUIET, SECOND, TestApp, User, eventually};

fn by_admin(reason: EndReason) -> EndOrder {
    EndOrder {
        reason,
        actor: Actor::Admin("grace".into()),
        note: Some("by the book".into()),
        whence: Default::default(),
    }
}

/// A4, C17: a user disabled by an administrator.
#[tokio::test]
async fn a_disabled_user_is_out_at_the_next_request_and_told_why() {
    let app = TestApp::new().await;
    let user = app.user("ada").await;
    let (mut one, mut two) = (app.signed_in(&user).await, app.signed_in(&user).await);
    app.store().user_disable(user.id, by_admin(EndReason::UserDisabled), app.clock.get()).await.unwrap();
    for browser in [&mut one, &mut two] {
        browser.profile().await.expect(401).problem("access_token_revoked");
        let problem = browser.refresh().await.expect(401).problem("session_revoked");
        assert_eq!(problem["reason"], "user_disabled");
        assert!(browser.cookies().cookies().is_empty());
        assert!(!problem.to_string().contains("by the book"), "an administrator's note is not for the user");
    }
    app.client.login(&user.email, PASSWORD).await.expect(403);
    app.store().user_enable(user.id, crate::world::decree(), app.clock.get()).await.unwrap();
    app.signed_in(&user).await.profile().await.expect(200);
}

#[tokio::test]
async fn a_deleted_user_is_out_and_still_told_why() {
    let app = TestApp::new().await;
    let user = app.user("ada").await;
    let mut browser = app.signed_in(&user).await;
    app.store().user_delete(user.id, by_admin(EndReason::UserDeleted), app.clock.get()).await.unwrap();
    browser.profile().await.expect(401).problem("access_token_revoked");
    let problem = browser.refresh().await.expect(401).problem("session_revoked");
    assert_eq!(problem["reason"], "user_deleted");
    app.client.login(&user.email, PASSWORD).await.expect(401).problem("invalid_credentials");
    let body = json!({ "email": user.email, "password": PASSWORD, "name": "Ada again" });
    app.client.post("/api/v1/auth/register", &body).send().await.expect(201);
}

/// The belt to the braces: a row edited by hand.
#[tokio::test]
async fn a_user_disabled_by_hand_in_the_database_is_out_as_well() {
    let app = TestApp::new().await;
    let mut browser = app.signed_in(&app.user("ada").await).await;
    browser.profile().await.expect(200);
    app.sql("UPDATE \"user\" SET disabled_at = 1");
    browser.profile().await.expect(401).problem("access_token_revoked");
    assert_eq!(browser.refresh().await.expect(401).json()["reason"], "user_disabled");
}

#[tokio::test]
async fn an_end_keeps_its_first_reason_whatever_comes_later() {
    let app = TestApp::new().await;
    let user = app.user("ada").await;
    let browser = app.signed_in(&user).await;
    app.client.call("POST", "/api/v1/auth/logout").bearer(&browser.access).send().await.expect(204);
    let first = browser.send_refresh().await.expect(401).json();
    app.store().user_disable(user.id, by_admin(EndReason::UserDisabled), app.clock.get()).await.unwrap();
    app.clock.advance(15 * crate::world::DAY);
    let later = browser.send_refresh().await.expect(401).json();
    for member in ["code", "reason", "receipt", "session"] {
        assert_eq!(first[member], later[member], "{member}");
    }
}

/// A sign-in whose password was checked before a change and recorded after it.
#[tokio::test]
async fn a_sign_in_that_races_a_password_change_is_checked_again() {
    let app = TestApp::new().await;
    let user = app.user("ada").await;
    let mut browser = app.signed_in(&user).await;
    let gate = Arc::new(tokio::sync::Semaphore::new(0));
    app.faults.set("session_create", Fault::Waits(Arc::clone(&gate)));
    let racing = tokio::spawn({
        let (client, email) = (app.client.clone(), user.email.clone());
        async move { client.login(&email, PASSWORD).await }
    });
    let hashes = || app.metric("password_hash_duration_seconds_count");
    let before = hashes();
    eventually("the racing sign-in has checked its password", async || hashes() > before).await;
    browser.change_password(PASSWORD, "another long password").await.expect(200);
    gate.add_permits(10);
    racing.await.unwrap().expect(401).without_cookies().problem("invalid_credentials");
    app.faults.clear();
    assert_eq!(browser.sessions().await.len(), 1, "nothing slipped through");
}

#[tokio::test]
async fn a_sign_in_that_races_a_disabling_is_refused() {
    let app = TestApp::new().await;
    let user = app.user("ada").await;
    let gate = Arc::new(tokio::sync::Semaphore::new(0));
    app.faults.set("session_create", Fault::Waits(Arc::clone(&gate)));
    let racing = tokio::spawn({
        let (client, email) = (app.client.clone(), user.email.clone());
        async move { client.login(&email, PASSWORD).await }
    });
    let hashed = async || app.metric("password_hash_duration_seconds_count") > 1.0;
    eventually("the racing sign-in has checked its password", hashed).await;
    app.store().user_disable(user.id, by_admin(EndReason::UserDisabled), app.clock.get()).await.unwrap();
    gate.add_permits(10);
    let answer = racing.await.unwrap().without_cookies();
    assert!(matches!(answer.status, 401 | 403), "{}", answer.text());
}

/// Everywhere, in parallel with refreshes of all the user's devices.
#[tokio::test]
async fn signing_out_everywhere_under_load_leaves_nobody_in() {
    let app = TestApp::new().await;
    let user = app.user("ada").await;
    let mut browsers = vec![];
    for _ in 0..8 {
        browsers.push(app.signed_in(&user).await);
    }
    app.clock.advance(QUIET);
    let mut calls: Vec<_> = browsers.iter().flat_map(|b| [b.refresh_call(), b.refresh_call()]).collect();
    let everywhere = app.client.post("/api/v1/auth/logout", &json!({ "scope": "everywhere" }));
    calls.insert(8, everywhere.bearer(&browsers[0].access));
    let answers = crate::world::at_once(calls).await;
    assert_eq!(answers[8].status, 204);
    for answer in answers.iter().filter(|answer| answer.status == 200) {
        app.client.profile(&answer.access_token()).await.expect(401).problem("access_token_revoked");
    }
    for browser in &browsers {
        browser.profile().await.expect(401).problem("access_token_revoked");
        browser.send_refresh().await.expect(401).problem("session_revoked");
    }
}

/// Only these write an end. What a careless system might take for one changes nothing.
#[tokio::test]
async fn nothing_but_an_end_ends_a_session() {
    let app = TestApp::new().await;
    let user = app.user("ada").await;
    let mut browser = app.signed_in(&user).await;
    for _ in 0..20 {
        app.client.login(&user.email, "wrong password").await.expect(401);
    }
    app.client.profile("garbage").await.expect(401);
    browser.call("GET", "/nothing").send().await.expect(404);
    browser
        .call("PATCH", "/api/v1/auth/profile")
        .bearer(&browser.access)
        .json(&json!({ "name": "" }))
        .send()
        .await
        .expect(422);
    browser.change_password("wrong password", "short").await.expect(401);
    browser.call("POST", "/api/v1/auth/refresh").header("tenure-sent-at", "1").send().await.expect(409);
    app.store().sweep(app.clock.get(), 1_000).await.unwrap();
    app.clock.advance(SECOND);
    browser.profile().await.expect(200);
    browser.refresh().await.expect(200);
    assert_eq!(live(&app, &user).await, 1);
}

async fn live(app: &TestApp, user: &User) -> usize {
    app.store().session_list(user.id, false, 99, app.clock.get()).await.unwrap().len()
}
