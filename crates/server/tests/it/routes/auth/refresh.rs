//! `POST` and `DELETE /api/v1/auth/refresh`

use serde_json::json;

use crate::world::{HOUR, PASSWORD, QUIET, Setup, TestApp};

const PATH: &str = "/api/v1/auth/refresh";

#[tokio::test]
async fn a_refresh_is_answered_like_a_sign_in_and_sets_one_cookie() {
    let app = TestApp::new().await;
    let mut browser = app.signed_in(&app.user("ada").await).await;
    let (first, session) = (browser.token(), browser.session.clone());
    app.clock.advance(QUIET);
    let answer = browser.refresh().await.expect(200);
    let members: Vec<_> = answer.json().as_object().unwrap().keys().cloned().collect();
    assert_eq!(members, ["access_token", "expires_in", "server_time", "session", "token_type", "user"]);
    assert_eq!(answer.session_id(), session);
    assert_ne!(browser.token(), first);
    assert!(!answer.text().contains("tnr1_"));
    browser.profile().await.expect(200);
}

#[tokio::test]
async fn the_three_refusals_of_a_jar_without_a_session() {
    let app = TestApp::new().await;
    let refresh = async |cookie: &str| {
        let mut call = app.client.call("POST", PATH);
        if !cookie.is_empty() {
            call = call.header("cookie", cookie);
        }
        call.send().await.expect(401).without_cookies()
    };
    refresh("").await.problem("no_session");
    refresh("theme=dark; other=1").await.problem("no_session");
    refresh("tenure_00000000=tnr1_garbage").await.problem("session_not_found");
}

#[tokio::test]
async fn a_token_of_the_right_key_for_another_row_is_not_found() {
    let app = TestApp::new().await;
    let browser = app.signed_in(&app.user("ada").await).await;
    app.sql("UPDATE session SET salt = x'00000000000000000000000000000000'");
    browser.send_refresh().await.expect(401).without_cookies().problem("session_not_found");
}

#[tokio::test]
async fn a_malformed_sent_at_is_the_clients_fault_and_ends_nothing() {
    let app = TestApp::new().await;
    let mut browser = app.signed_in(&app.user("ada").await).await;
    for odd in [b"".as_slice(), b"yesterday", b"1.5e12", b"NaN", b"99999999999999999999", b"\xff", b"1, 2"] {
        let call = browser.call("POST", PATH).header("tenure-sent-at", odd);
        call.send().await.expect(400).without_cookies().problem("malformed_request");
    }
    browser.refresh().await.expect(200);
}

#[tokio::test]
async fn a_session_has_a_generous_bucket_of_its_own_and_429_ends_nothing() {
    let app = Setup::default().set("LIMITS__REFRESH_PER_SESSION_PER_MINUTE", "3").start().await;
    let user = app.user("ada").await;
    let (mut busy, mut other) = (app.signed_in(&user).await, app.signed_in(&user).await);
    for _ in 0..3 {
        busy.refresh().await.expect(200);
    }
    let limited = busy.refresh().await.expect(429).without_cookies();
    assert!(limited.problem("rate_limited")["retry_after"].as_u64().unwrap() >= 1);
    other.refresh().await.expect(200);
    busy.profile().await.expect(200);
    app.clock.advance(HOUR);
    busy.refresh().await.expect(200);
}

#[tokio::test]
async fn a_body_is_neither_needed_nor_read() {
    let app = TestApp::new().await;
    let browser = app.signed_in(&app.user("ada").await).await;
    browser.refresh_call().send().await.expect(200);
    browser.refresh_call().json(&json!({})).send().await.expect(200);
    browser.refresh_call().body("text/plain", "{{{").send().await.expect(200);
}

#[tokio::test]
async fn signing_out_by_jar_deletes_the_cookie_and_is_repeatable() {
    let app = TestApp::new().await;
    let mut browser = app.signed_in(&app.user("ada").await).await;
    let before = browser.cookies();
    let answer = browser.sign_out().await.expect(204);
    assert!(answer.body.is_empty());
    let name = &before.only().name;
    assert_eq!(answer.set_cookies(), [format!("{name}=; Path={PATH}; HttpOnly; SameSite=Lax; Max-Age=0")]);
    assert!(browser.cookies().cookies().is_empty());
    browser.sign_out().await.expect(204).without_cookies();
    browser.profile().await.expect(401).problem("access_token_revoked");
    // The answer was lost: the old jar says so again, and is deleted again.
    browser.set_cookies(before.clone());
    browser.sign_out().await.expect(204);
    browser.set_cookies(before);
    let problem = browser.refresh().await.expect(401).problem("session_revoked");
    assert_eq!((&problem["reason"], &problem["session"]), (&json!("signed_out"), &json!(browser.session)));
    assert!(problem["receipt"].as_str().unwrap().starts_with("R-"));
}

#[tokio::test]
async fn signing_out_with_garbage_is_done_without_touching_anything() {
    let app = TestApp::new().await;
    let mut browser = app.signed_in(&app.user("ada").await).await;
    let call = app.client.call("DELETE", PATH).header("cookie", "tenure_00000000=tnr1_garbage");
    call.send().await.expect(204).without_cookies();
    browser.refresh().await.expect(200);
}

#[tokio::test]
async fn a_user_is_told_by_the_refresh_that_their_account_changed() {
    let app = TestApp::new().await;
    let user = app.user("ada").await;
    let mut browser = app.signed_in(&user).await;
    browser
        .call("PATCH", "/api/v1/auth/profile")
        .bearer(&browser.access)
        .json(&json!({ "name": "Countess" }))
        .send()
        .await;
    assert_eq!(browser.refresh().await.json()["user"]["name"], "Countess");
    app.client.login(&user.email, PASSWORD).await.expect(200);
}
