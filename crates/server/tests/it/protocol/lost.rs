//! Answers that never arrived (group C of the field reports).

use std::time::Duration;

use tenure_store::StoreError;

use crate::world::{DAY, Fault, HOUR, MINUTE, QUIET, SECOND, Setup, TestApp};

/// The answer to a rotation is lost; after `delay` the browser presents what it still holds.
async fn lose_an_answer_and_retry_after(delay: Duration) {
    let app = TestApp::new().await;
    let user = app.user("ada").await;
    let mut other = app.signed_in(&user).await;
    let mut browser = app.signed_in(&user).await;
    // Well into its life, so that losing sign-in's first successor is not the only case.
    for _ in 0..3 {
        app.clock.advance(QUIET);
        browser.refresh().await.expect(200);
    }
    app.clock.advance(QUIET);
    browser.send_refresh().await.expect(200);
    app.clock.advance(delay);
    browser.refresh().await.expect(200);
    browser.profile().await.expect(200);
    for _ in 0..3 {
        app.clock.advance(QUIET);
        browser.refresh().await.expect(200);
    }
    other.refresh().await.expect(200);
    assert_eq!(app.metric("tenure_dead_token_total"), 0.0);
}

#[tokio::test]
async fn c01_a_lost_answer_is_repeated_after_a_second() {
    lose_an_answer_and_retry_after(SECOND).await;
}

#[tokio::test]
async fn c01_a_lost_answer_is_repeated_after_an_hour() {
    lose_an_answer_and_retry_after(HOUR).await;
}

#[tokio::test]
async fn c01_a_lost_answer_is_repeated_after_five_days() {
    lose_an_answer_and_retry_after(5 * DAY).await;
}

#[tokio::test]
async fn c04_a_wifi_drop_of_ten_minutes_touches_no_session() {
    lose_an_answer_and_retry_after(10 * MINUTE).await;
}

#[tokio::test]
async fn c08_an_app_resumed_after_three_days_is_signed_in() {
    lose_an_answer_and_retry_after(3 * DAY).await;
}

#[tokio::test]
async fn c07_an_identical_request_gets_the_same_successor() {
    let app = TestApp::new().await;
    let user = app.user("ada").await;
    let browser = app.signed_in(&user).await;
    app.clock.advance(QUIET);
    for _ in 0..5 {
        browser.send_refresh().await.expect(200);
        let record = app.store().session_list(user.id, true, 1, app.clock.get()).await.unwrap().remove(0);
        assert_eq!((record.session.rotation.base.0, record.session.rotation.head.0), (1, 2));
    }
}

/// The server dies between commit and answer; the next one finds the commit and knows the old token.
#[tokio::test]
async fn c03_a_kill_after_the_commit_is_survived() {
    let app = TestApp::new().await;
    let browser = app.signed_in(&app.user("ada").await).await;
    app.clock.advance(QUIET);
    app.expect_failure("storage_unavailable");
    app.faults.set("session_refresh", Fault::FailsAfter(StoreError::Unavailable("killed".into())));
    browser.send_refresh().await.expect(503).without_cookies();
    let app = app.restart(Setup::default()).await;
    let cookie = browser.cookie_header("/api/v1/auth/refresh");
    app.client.refresh_with(&cookie).await.expect(200);
    app.clock.advance(DAY);
    app.client.refresh_with(&cookie).await.expect(200);
}

#[tokio::test]
async fn every_answer_of_a_week_may_be_lost_but_one() {
    let app = TestApp::new().await;
    let mut browser = app.signed_in(&app.user("ada").await).await;
    for day in 0..7 {
        for _ in 0..8 {
            app.clock.advance(3 * HOUR);
            browser.send_refresh().await.expect(200);
        }
        if day == 3 {
            browser.refresh().await.expect(200);
        }
    }
    browser.refresh().await.expect(200);
    assert_eq!(app.metric("tenure_dead_token_total"), 0.0);
}

/// A crashed browser comes back with the jar that it had half a minute before.
#[tokio::test]
async fn a_jar_rolled_back_by_a_crash_is_served() {
    let app = TestApp::new().await;
    let mut browser = app.signed_in(&app.user("ada").await).await;
    for _ in 0..5 {
        app.clock.advance(15 * MINUTE);
        let before = browser.cookies();
        browser.refresh().await.expect(200);
        app.clock.advance(30 * SECOND);
        browser.set_cookies(before);
        browser.refresh().await.expect(200);
    }
    assert_eq!(app.metric("tenure_dead_token_total"), 0.0);
}

#[tokio::test]
async fn a_lost_answer_to_a_sign_in_leaves_an_earlier_session_alone() {
    let app = TestApp::new().await;
    let user = app.user("ada").await;
    let mut browser = app.signed_in(&user).await;
    app.client.login(&user.email, crate::world::PASSWORD).await.expect(200);
    browser.refresh().await.expect(200);
}
