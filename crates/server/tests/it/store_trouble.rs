//! A store that fails, lies or is not there says nothing about a session (group G of the field reports).

use std::sync::Arc;

use serde_json::json;
use tenure_store::StoreError;
use tokio::sync::Semaphore;

use crate::world::{Call, DAY, Fault, HOUR, PASSWORD, QUIET, SECOND, Setup, TestApp, at_once};

const REFRESH: &str = "/api/v1/auth/refresh";

fn unavailable() -> Setup {
    Setup::default().set("SESSION__MISSING_SESSION", "unavailable")
}

#[tokio::test]
async fn g01_an_authentic_token_without_a_row_is_503_and_an_alarm_and_keeps_its_cookie() {
    let app = unavailable().start().await;
    let mut browser = app.signed_in(&app.user("ada").await).await;
    let before = browser.cookies();
    app.sql("CREATE TABLE aside AS SELECT * FROM session; DELETE FROM session");
    app.expect_failure("session_unverifiable");
    let problem = browser.refresh().await.expect(503).without_cookies().problem("session_unverifiable");
    assert_eq!(problem["class"], "transport");
    assert_eq!(app.metric("tenure_session_unverifiable_total"), 1.0);
    assert_eq!(browser.cookies(), before);
    // The operator restores the table: as if nothing had been.
    app.sql("INSERT INTO session SELECT * FROM aside");
    browser.refresh().await.expect(200);
}

#[tokio::test]
async fn in_production_absence_is_no_end_unless_the_operator_says_so() {
    for (setup, status, code) in [
        (Setup::default().production(), 503, "session_unverifiable"),
        (Setup::default().production().set("SESSION__MISSING_SESSION", "ended"), 401, "session_not_found"),
        (Setup::default(), 401, "session_not_found"),
        (unavailable(), 503, "session_unverifiable"),
    ] {
        let app = setup.start().await;
        let browser = app.signed_in(&app.user("ada").await).await;
        app.sql("DELETE FROM session");
        app.expect_failure("session_unverifiable");
        browser.send_refresh().await.expect(status).without_cookies().problem(code);
        assert_eq!(app.metric("tenure_session_unverifiable_total"), 1.0, "counted either way");
    }
}

#[tokio::test]
async fn a_user_gone_without_a_trace_is_no_end_either() {
    let app = unavailable().start().await;
    let browser = app.signed_in(&app.user("ada").await).await;
    app.sql("DELETE FROM \"user\"");
    app.expect_failure("session_unverifiable");
    browser.send_refresh().await.expect(503).without_cookies().problem("session_unverifiable");
}

/// C42, M03: another master secret than the token's.
#[tokio::test]
async fn a_token_under_a_master_secret_that_is_not_there_is_503() {
    let app = TestApp::new().await;
    let browser = app.signed_in(&app.user("ada").await).await;
    let cookie = browser.cookie_header(REFRESH);
    let elsewhere = unavailable().secret(2).start().await;
    elsewhere.expect_failure("session_unverifiable");
    let answer = elsewhere.client.refresh_with(&cookie).await.expect(503).without_cookies();
    answer.problem("session_unverifiable");
    let call = elsewhere.client.call("DELETE", REFRESH).header("cookie", &cookie);
    call.send().await.expect(503).without_cookies().problem("session_unverifiable");
    assert_eq!(elsewhere.metric("tenure_session_unverifiable_total"), 2.0);
    let ended = Setup::default().secret(2).set("SESSION__MISSING_SESSION", "ended").start().await;
    ended.client.refresh_with(&cookie).await.expect(401).without_cookies().problem("session_not_found");
}

#[tokio::test]
async fn a_previous_master_secret_is_still_accepted_and_its_tokens_are_replaced() {
    let app = TestApp::new().await;
    let browser = app.signed_in(&app.user("ada").await).await;
    let old = browser.cookie_header(REFRESH);
    let app = app.restart(Setup::default().secret(2).previous_secret(1)).await;
    app.clock.advance(QUIET);
    let answer = app.client.refresh_with(&old).await.expect(200);
    let renewed = answer.set_cookies()[0].split(';').next().unwrap().to_owned();
    assert_ne!(renewed[18..26], old[18..26], "under the new key");
    // Once a key sealed under the new secret signs, the old secret can go.
    app.app
        .keys
        .rotate(crate::world::decree(), app.clock.get(), std::time::Duration::ZERO, crate::world::HOUR)
        .await
        .unwrap();
    let app = app.restart(Setup::default().secret(2)).await;
    app.client.refresh_with(&renewed).await.expect(200);
}

#[tokio::test]
async fn signing_out_a_session_whose_row_is_missing_is_not_called_done() {
    let app = unavailable().start().await;
    let user = app.user("ada").await;
    let mut browser = app.signed_in(&user).await;
    app.sql("CREATE TABLE aside AS SELECT * FROM session; DELETE FROM session");
    app.expect_failure("session_unverifiable");
    browser.sign_out().await.expect(503).without_cookies().problem("session_unverifiable");
    app.sql("INSERT INTO session SELECT * FROM aside");
    browser.sign_out().await.expect(204);
    browser.refresh().await.expect(401).problem("no_session");
}

/// G02, C38, F15 on the server's side: every verb that a session's requests need.
#[tokio::test]
async fn g02_a_store_that_errs_is_503_and_ends_nothing() {
    let app = TestApp::new().await;
    let mut browser = app.signed_in(&app.user("ada").await).await;
    let before = browser.cookies();
    for verb in
        ["session_refresh", "key_epoch", "caller", "session_list", "session_end_presented", "session_end"]
    {
        for (error, code) in [
            (StoreError::Unavailable("no route to the database".into()), "storage_unavailable"),
            (StoreError::Overloaded, "overloaded"),
            (StoreError::Corrupt { what: "row", cause: "bits".into() }, "storage_unavailable"),
        ] {
            app.expect_failure(code);
            app.faults.set(verb, Fault::Fails(error));
            for answer in at_once(session_calls(&browser)).await {
                if answer.status >= 400 {
                    let answer = answer.without_cookies().expect(503);
                    answer.problem(code);
                    assert!(!answer.text().contains("database"), "the cause is for the log");
                } else if !answer.set_cookies().is_empty() {
                    browser.receive(&answer);
                }
            }
            app.faults.clear();
        }
    }
    assert_eq!(browser.cookies().only().name, before.only().name);
    browser.refresh().await.expect(200);
    browser.profile().await.expect(200);
    assert!(app.log().contains("no route to the database"));
}

/// What a signed-in browser asks for, except what would end its session if it worked.
fn session_calls(browser: &crate::world::Browser) -> Vec<Call> {
    vec![
        browser.refresh_call(),
        browser.call("GET", "/api/v1/auth/profile").bearer(&browser.access),
        browser.call("GET", "/api/v1/auth/sessions").bearer(&browser.access),
    ]
}

#[tokio::test]
async fn a_sign_out_that_the_store_did_not_take_is_not_called_done() {
    let app = TestApp::new().await;
    let mut browser = app.signed_in(&app.user("ada").await).await;
    app.expect_failure("storage_unavailable");
    for verb in ["session_end_presented", "session_end"] {
        app.faults.set(verb, Fault::Fails(StoreError::Unavailable("gone".into())));
    }
    browser.sign_out().await.expect(503).without_cookies().problem("storage_unavailable");
    browser.logout("this").await.expect(503).without_cookies();
    app.faults.clear();
    browser.profile().await.expect(200);
    browser.sign_out().await.expect(204);
}

#[tokio::test]
async fn a_closed_store_is_503_for_everything_but_what_needs_none() {
    let app = TestApp::new().await;
    let mut browser = app.signed_in(&app.user("ada").await).await;
    let before = browser.cookies();
    app.expect_failure("storage_unavailable");
    app.store().close().await;
    browser.refresh().await.expect(503).problem("storage_unavailable");
    browser.profile().await.expect(503).problem("storage_unavailable");
    browser.sign_out().await.expect(503).problem("storage_unavailable");
    app.client.login("ada@example.com", PASSWORD).await.expect(503).problem("storage_unavailable");
    app.client.get("/api/v1/system/ping").send().await.expect(200);
    app.client.refresh_with("tenure_00000000=tnr1_garbage").await.expect(401).problem("session_not_found");
    app.client.call("POST", REFRESH).send().await.expect(401).problem("no_session");
    assert_eq!(browser.cookies(), before);
}

/// A token past its own expiry is past it, whatever the store would say.
#[tokio::test]
async fn a_token_past_its_own_expiry_is_answered_while_the_store_is_down() {
    let app = unavailable().start().await;
    let browser = app.signed_in(&app.user("ada").await).await;
    app.expect_failure("storage_unavailable");
    app.clock.advance(20 * DAY + 59 * SECOND);
    app.store().close().await;
    browser.send_refresh().await.expect(503).problem("storage_unavailable");
    app.clock.advance(SECOND);
    let problem = browser.send_refresh().await.expect(401).problem("session_expired");
    assert_eq!(problem["session"], browser.session);
}

#[tokio::test]
async fn a_token_past_its_own_expiry_is_expired_even_if_its_row_or_key_is_missing() {
    let app = unavailable().start().await;
    let browser = app.signed_in(&app.user("ada").await).await;
    app.sql("DELETE FROM session");
    app.clock.advance(20 * DAY + 61 * SECOND);
    browser.send_refresh().await.expect(401).without_cookies().problem("session_expired");
    let elsewhere = unavailable().secret(2).start().await;
    elsewhere.clock.set(app.clock.get());
    let answer = elsewhere.client.refresh_with(&browser.cookie_header(REFRESH)).await;
    answer.expect(401).without_cookies().problem("session_expired");
}

/// G04, C37, F30: a panic is 500 for that request alone, and the next try is served.
#[tokio::test]
async fn g04_a_panic_is_500_for_that_request_and_the_next_try_is_served() {
    let app = TestApp::new().await;
    let mut browser = app.signed_in(&app.user("ada").await).await;
    let before = browser.cookies();
    app.expect_failure("internal_error");
    for (count, verb) in ["session_refresh", "key_epoch", "session_refresh"].into_iter().enumerate() {
        app.faults.set(verb, Fault::Panic);
        let problem = browser.refresh().await.expect(500).without_cookies().problem("internal_error");
        assert_eq!(problem["class"], "transport");
        assert_eq!(app.metric("http_panics_total"), (count + 1) as f64);
        app.client.get("/api/v1/system/ping").send().await.expect(200);
        app.faults.clear();
        assert_eq!(browser.cookies(), before);
    }
    browser.refresh().await.expect(200);
}

#[tokio::test]
async fn a_panic_at_every_verb_of_every_route_leaves_the_server_and_the_session_standing() {
    let app = TestApp::new().await;
    let user = app.user("ada").await;
    let browser = app.signed_in(&user).await;
    app.expect_failure("internal_error");
    for (verb, method, path, body) in [
        ("user_find_by_email", "POST", "login", json!({ "email": user.email, "password": PASSWORD })),
        ("session_create", "POST", "login", json!({ "email": user.email, "password": PASSWORD })),
        (
            "user_create",
            "POST",
            "register",
            json!({ "email": "n@example.com", "password": PASSWORD, "name": "N" }),
        ),
        ("session_end_presented", "DELETE", "refresh", json!(null)),
        ("session_end", "POST", "logout", json!({})),
        ("caller", "GET", "profile", json!(null)),
        ("user_rename", "PATCH", "profile", json!({ "name": "N" })),
        (
            "user_find",
            "POST",
            "password/change",
            json!({ "current_password": PASSWORD, "new_password": "another long password" }),
        ),
        (
            "user_set_password",
            "POST",
            "password/change",
            json!({ "current_password": PASSWORD, "new_password": "another long password" }),
        ),
        ("session_list", "GET", "sessions", json!(null)),
    ] {
        app.faults.set(verb, Fault::Panic);
        let mut call = browser.call(method, &format!("/api/v1/auth/{path}")).bearer(&browser.access);
        if !body.is_null() {
            call = call.json(&body);
        }
        call.send().await.expect(500).without_cookies().problem("internal_error");
        app.faults.clear();
        browser.profile().await.expect(200);
        browser.send_refresh().await.expect(200);
    }
}

/// C16, F31: a damaged row concerns that session alone.
#[tokio::test]
async fn c16_a_damaged_row_concerns_its_session_alone_and_heals_when_restored() {
    let app = TestApp::new().await;
    let user = app.user("ada").await;
    let (mut damaged, mut other) = (app.signed_in(&user).await, app.signed_in(&user).await);
    app.expect_failure("storage_unavailable");
    let id = app.row_of(&damaged.session);
    app.sql("CREATE TABLE aside AS SELECT * FROM session");
    for damage in
        ["salt = x'00'", "head = -1", "ended_at = 1, end_reason = 'nonsense', end_actor = 'x', receipt = 'R'"]
    {
        app.sql(&format!("UPDATE session SET {damage} WHERE id = {id}"));
        damaged.refresh().await.expect(503).without_cookies().problem("storage_unavailable");
        other.refresh().await.expect(200);
        other.profile().await.expect(200);
        app.sql("DELETE FROM session; INSERT INTO session SELECT * FROM aside");
    }
    damaged.refresh().await.expect(200);
}

/// F09: a store that hangs is given up on, and what it did meanwhile does no harm.
#[tokio::test]
async fn a_store_that_hangs_is_503_after_the_request_timeout() {
    let app = Setup::default().set("SERVER__REQUEST_TIMEOUT", "6s").start().await;
    let mut browser = app.signed_in(&app.user("ada").await).await;
    app.expect_failure("storage_unavailable");
    app.faults.set("session_refresh", Fault::Waits(Arc::new(Semaphore::new(0))));
    browser.refresh().await.expect(503).without_cookies().problem("storage_unavailable");
    browser.profile().await.expect(200);
    app.faults.clear();
    browser.refresh().await.expect(200);
}

/// M01, M03: a deploy.
#[tokio::test]
async fn a_restart_signs_nobody_out_and_keeps_the_signing_key() {
    let app = TestApp::new().await;
    let browser = app.signed_in(&app.user("ada").await).await;
    let keys = app.client.get("/.well-known/jwks.json").send().await.json();
    let cookie = browser.cookie_header(REFRESH);
    let mut app = app;
    for _ in 0..3 {
        app = app.restart(Setup::default()).await;
        assert_eq!(app.client.get("/.well-known/jwks.json").send().await.json(), keys);
        app.client.refresh_with(&cookie).await.expect(200);
        app.clock.advance(HOUR);
    }
}

#[tokio::test]
async fn without_a_signing_key_refreshes_wait_and_sessions_stand() {
    let app = TestApp::new().await;
    let mut browser = app.signed_in(&app.user("ada").await).await;
    app.expect_failure("signing_unavailable");
    app.sql("CREATE TABLE aside AS SELECT * FROM signing_key; UPDATE signing_key SET sealed_seed = x'00'");
    browser.refresh().await.expect(503).without_cookies().problem("signing_unavailable");
    app.sql("DELETE FROM signing_key");
    browser.refresh().await.expect(503).without_cookies().problem("signing_unavailable");
    app.client.login("ada@example.com", PASSWORD).await.expect(503).without_cookies();
    app.sql("INSERT INTO signing_key SELECT * FROM aside");
    browser.refresh().await.expect(200);
}
