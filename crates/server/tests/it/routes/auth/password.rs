//! `POST /api/v1/auth/password/change`

use serde_json::json;
use tenure_store::StoreError;

use crate::world::{Fault, PASSWORD, QUIET, Setup, TestApp};

const NEW: &str = "another long password";

#[tokio::test]
async fn a_change_ends_the_others_and_keeps_this_session_with_its_refresh_token_untouched() {
    let app = TestApp::new().await;
    let user = app.user("ada").await;
    let (mut here, mut there) = (app.signed_in(&user).await, app.signed_in(&user).await);
    let mut stranger = app.signed_in(&app.user("bob").await).await;
    let (token, old_access, there_access) = (here.token(), here.access.clone(), there.access.clone());
    let answer = here.change_password(PASSWORD, NEW).await.expect(200).without_cookies();
    assert_eq!(answer.json()["ended_sessions"], 1);
    let members: Vec<_> = answer.json().as_object().unwrap().keys().cloned().collect();
    assert_eq!(members, ["access_token", "ended_sessions", "expires_in", "server_time", "token_type"]);
    // Old access tokens are dead, the new one stands.
    for dead in [&old_access, &there_access] {
        app.client.profile(dead).await.expect(401).problem("access_token_revoked");
    }
    here.profile().await.expect(200);
    // The cookie of before the change goes on, also after the answer was lost.
    assert_eq!(here.token(), token);
    app.clock.advance(QUIET);
    here.refresh().await.expect(200);
    let problem = there.refresh().await.expect(401).problem("session_revoked");
    assert_eq!(problem["reason"], "password_changed");
    stranger.refresh().await.expect(200);
    app.client.login(&user.email, PASSWORD).await.expect(401).problem("invalid_credentials");
    app.client.login(&user.email, NEW).await.expect(200);
}

#[tokio::test]
async fn a_lost_answer_costs_nothing() {
    let app = TestApp::new().await;
    let mut browser = app.signed_in(&app.user("ada").await).await;
    let body = json!({ "current_password": PASSWORD, "new_password": NEW });
    let call = browser.call("POST", "/api/v1/auth/password/change").bearer(&browser.access).json(&body);
    call.send().await.expect(200);
    browser.profile().await.expect(401).problem("access_token_revoked");
    browser.refresh().await.expect(200);
    browser.profile().await.expect(200);
}

#[tokio::test]
async fn a_wrong_current_password_changes_nothing() {
    let app = TestApp::new().await;
    let user = app.user("ada").await;
    let (mut here, mut there) = (app.signed_in(&user).await, app.signed_in(&user).await);
    for wrong in ["wrong password", "", &"x".repeat(5_000)] {
        here.change_password(wrong, NEW).await.expect(401).without_cookies().problem("invalid_credentials");
    }
    here.profile().await.expect(200);
    there.profile().await.expect(200);
    there.refresh().await.expect(200);
    app.client.login(&user.email, PASSWORD).await.expect(200);
}

#[tokio::test]
async fn a_weak_new_password_is_refused_by_name() {
    let app = TestApp::new().await;
    let mut browser = app.signed_in(&app.user("ada").await).await;
    for (weak, code) in [("short", "too_short"), ("password1", "too_common"), ("ada@example.com", "is_email")]
    {
        let problem = browser.change_password(PASSWORD, weak).await.expect(422).problem("validation_failed");
        assert_eq!(
            (&problem["errors"][0]["field"], &problem["errors"][0]["code"]),
            (&json!("new_password"), &json!(code))
        );
    }
    browser.profile().await.expect(200);
}

#[tokio::test]
async fn guessing_the_current_password_is_limited_like_signing_in() {
    let app = Setup::default().set("LIMITS__SIGN_IN_PER_ACCOUNT_PER_MINUTE", "3").start().await;
    let user = app.user("ada").await;
    let mut browser = app.signed_in(&user).await;
    for _ in 0..2 {
        browser.change_password("wrong password", NEW).await.expect(401);
    }
    browser.change_password(PASSWORD, NEW).await.expect(429).problem("rate_limited");
    app.client.login(&user.email, PASSWORD).await.expect(429);
    browser.refresh().await.expect(200);
}

#[tokio::test]
async fn a_failing_store_changes_nothing_and_says_503() {
    let app = TestApp::new().await;
    let user = app.user("ada").await;
    let mut browser = app.signed_in(&user).await;
    for verb in ["user_find", "user_set_password"] {
        app.expect_failure("storage_unavailable");
        app.faults.set(verb, Fault::Fails(StoreError::Unavailable("gone".into())));
        browser.change_password(PASSWORD, NEW).await.expect(503).problem("storage_unavailable");
        app.faults.clear();
    }
    browser.profile().await.expect(200);
    app.client.login(&user.email, PASSWORD).await.expect(200);
}

/// The commit happened, the word of it was lost: what the client holds must still be good for a refresh.
#[tokio::test]
async fn a_change_whose_outcome_is_unknown_leaves_the_session_standing() {
    let app = TestApp::new().await;
    let user = app.user("ada").await;
    let mut browser = app.signed_in(&user).await;
    app.expect_failure("storage_unavailable");
    app.faults.set("user_set_password", Fault::FailsAfter(StoreError::Unavailable("cut off".into())));
    browser.change_password(PASSWORD, NEW).await.expect(503).without_cookies();
    app.faults.clear();
    browser.refresh().await.expect(200);
    app.client.login(&user.email, NEW).await.expect(200);
}

#[tokio::test]
async fn of_two_changes_at_once_one_wins_and_the_session_stands() {
    let app = TestApp::new().await;
    let user = app.user("ada").await;
    let browser = app.signed_in(&user).await;
    let change = async |new: &str| {
        let body = json!({ "current_password": PASSWORD, "new_password": new });
        browser.call("POST", "/api/v1/auth/password/change").bearer(&browser.access).json(&body).send().await
    };
    let (one, two) = tokio::join!(change("first new password"), change("second new password"));
    let mut statuses = [one.status, two.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 401], "{} {}", one.text(), two.text());
    let winner = if one.status == 200 { "first new password" } else { "second new password" };
    app.client.login(&user.email, winner).await.expect(200);
    browser.send_refresh().await.expect(200);
}
