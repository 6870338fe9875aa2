//! `Tenure-Sent-At` (protocol.md section 2): a refresh that was too long under way changes nothing.

use std::time::Duration;

use crate::world::{Browser, QUIET, SECOND, TestApp};

/// A refresh said to have been sent `age_ms` ago by the server's clock; negative is the future.
async fn refresh_sent(app: &TestApp, browser: &Browser, age_ms: i64) -> crate::world::Answer {
    let sent_at = app.clock.get().as_ms() - age_ms;
    browser.call("POST", "/api/v1/auth/refresh").header("tenure-sent-at", sent_at.to_string()).send().await
}

#[tokio::test]
async fn freshness_is_judged_at_both_edges() {
    let app = TestApp::new().await;
    let browser = app.signed_in(&app.user("ada").await).await;
    for (age_ms, status) in [(0, 200), (15_000, 200), (15_001, 409), (-5_000, 200), (-5_001, 409)] {
        refresh_sent(&app, &browser, age_ms).await.expect(status);
    }
    for absurd in [i64::MAX, i64::MIN, 0, -1] {
        let call = browser.call("POST", "/api/v1/auth/refresh");
        let answer = call.header("tenure-sent-at", absurd.to_string()).send().await;
        answer.expect(409).problem("request_stale");
    }
}

#[tokio::test]
async fn a_stale_request_changes_nothing_and_tells_the_servers_time() {
    let app = TestApp::new().await;
    let user = app.user("ada").await;
    let mut browser = app.signed_in(&user).await;
    app.clock.advance(QUIET);
    let row = async || app.store().session_list(user.id, true, 1, app.clock.get()).await.unwrap().remove(0);
    let before = row().await;
    for _ in 0..3 {
        let answer = refresh_sent(&app, &browser, 20_000).await.expect(409).without_cookies();
        let problem = answer.problem("request_stale");
        assert_eq!(problem["server_time"], app.clock.get().as_ms());
        assert_eq!(problem["class"], "transport");
    }
    assert_eq!(row().await, before, "no change of state");
    browser.refresh().await.expect(200);
    assert_ne!(row().await, before);
}

#[tokio::test]
async fn a_stale_request_learns_nothing_about_the_session() {
    let app = TestApp::new().await;
    let mut browser = app.signed_in(&app.user("ada").await).await;
    let jar = browser.cookies();
    browser.sign_out().await.expect(204);
    browser.set_cookies(jar);
    refresh_sent(&app, &browser, 20_000).await.expect(409).without_cookies().problem("request_stale");
    app.browser().call("POST", "/api/v1/auth/refresh").header("tenure-sent-at", "1").send().await.expect(409);
}

#[tokio::test]
async fn a_client_whose_clock_is_days_wrong_corrects_itself_by_the_first_refusal() {
    let app = TestApp::new().await;
    let browser = app.signed_in(&app.user("ada").await).await;
    for wrong_by_ms in [86_400_000, -86_400_000, 7_200_000, -16_000] {
        let client_clock = app.clock.get().as_ms() + wrong_by_ms;
        let refused = refresh_sent(&app, &browser, -wrong_by_ms).await.expect(409);
        let offset = refused.json()["server_time"].as_i64().unwrap() - client_clock;
        let corrected = app.clock.get().as_ms() - (client_clock + offset);
        refresh_sent(&app, &browser, corrected).await.expect(200);
    }
}

#[tokio::test]
async fn a_refresh_without_the_header_is_served_but_never_replaces_a_lost_successor() {
    let app = TestApp::new().await;
    let user = app.user("ada").await;
    let mut browser = app.signed_in(&user).await;
    let generation = async || {
        let record = app.store().session_list(user.id, true, 1, app.clock.get()).await.unwrap().remove(0);
        record.session.rotation.head.0
    };
    app.clock.advance(QUIET);
    browser.refresh().await.expect(200);
    let jar = browser.cookies();
    app.clock.advance(QUIET);
    // The answer is lost: the jar keeps what is now base.
    browser.send_refresh().await.expect(200);
    let head = generation().await;
    for _ in 0..3 {
        app.clock.advance(QUIET);
        browser.set_cookies(jar.clone());
        browser.call("POST", "/api/v1/auth/refresh").send().await.expect(200);
        assert_eq!(generation().await, head, "the same successor again");
    }
    app.clock.advance(QUIET);
    browser.refresh().await.expect(200);
    assert_eq!(generation().await, head + 1);
}

/// A request that crawled through the network for fifteen seconds, while the tab had long moved on.
#[tokio::test]
async fn stragglers_of_every_age_leave_the_newest_token_alive() {
    let app = TestApp::new().await;
    let mut browser = app.signed_in(&app.user("ada").await).await;
    for age_s in [0_u64, 5, 14, 15, 16, 60, 600] {
        app.clock.advance(QUIET);
        let (cookie, sent_at) = (browser.cookie_header("/api/v1/auth/refresh"), app.clock.get());
        browser.refresh().await.expect(200);
        app.clock.advance(Duration::from_secs(age_s));
        let straggler = app.client.call("POST", "/api/v1/auth/refresh").header("cookie", &cookie);
        let straggler = straggler.header("tenure-sent-at", sent_at.as_ms().to_string());
        straggler.send().await.expect(if age_s <= 15 { 200 } else { 409 });
        app.clock.advance(SECOND);
        browser.refresh().await.expect(200);
    }
    assert_eq!(app.metric("tenure_dead_token_total"), 0.0);
}
