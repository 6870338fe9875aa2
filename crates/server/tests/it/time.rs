//! Twenty days in a second: the promise, on virtual time.

use std::time::Duration;

use serde_json::json;
use tenure_domain::time::Timestamp;

use crate::hostile::token::part;
use crate::world::{Browser, DAY, HOUR, MINUTE, PASSWORD, SECOND, TestApp};

const REMEMBERED: Duration = Duration::from_secs(20 * 86_400);

/// The server ends a session this long after its promised time, so that no clock takes a second from it.
const GRACE: Duration = MINUTE;

/// When the access token in the tab expires.
fn access_expires_at(browser: &Browser) -> Timestamp {
    Timestamp::from_ms(part(&browser.access, 1)["exp"].as_i64().unwrap() * 1000)
}

#[tokio::test]
async fn a_remembered_session_idle_to_its_last_second_refreshes() {
    let app = TestApp::new().await;
    let mut browser = app.signed_in(&app.user("ada").await).await;
    let ends_at = app.clock.get() + REMEMBERED;
    app.clock.set(ends_at - SECOND);
    let answer = browser.refresh().await.expect(200);
    assert_eq!(answer.json()["session"]["expires_at"], ends_at.as_ms());
    assert_eq!(answer.json()["expires_in"], 1, "the access token does not outlive it");
    browser.profile().await.expect(200);
    // Within the grace minute the same holds to the end of that minute.
    app.clock.set(ends_at + 59 * SECOND);
    let answer = browser.refresh().await.expect(200);
    assert_eq!(answer.json()["expires_in"], 1);
}

#[tokio::test]
async fn a_remembered_session_ends_after_twenty_days_and_says_why() {
    let app = TestApp::new().await;
    let mut browser = app.signed_in(&app.user("ada").await).await;
    app.clock.advance(REMEMBERED + 61 * SECOND);
    assert_eq!(browser.cookies().cookies().len(), 1, "the server ends it, not the browser's clock");
    let answer = browser.refresh().await.expect(401);
    let problem = answer.problem("session_expired");
    assert_eq!(problem["reason"], "remembered_lifetime");
    assert_eq!(problem["session"], browser.session);
    let receipt = problem["receipt"].clone();
    assert!(receipt.as_str().unwrap().starts_with("R-"));
    assert!(answer.set_cookies()[0].contains("Max-Age=0"));
    // The end is written once: whoever asks again reads the same receipt.
    let again = browser.tab();
    let call = again.call("POST", "/api/v1/auth/refresh");
    assert!(browser.cookies().cookies().is_empty());
    call.send().await.expect(401).problem("no_session");
}

#[tokio::test]
async fn the_end_by_the_clock_is_recorded_once() {
    let app = TestApp::new().await;
    let user = app.user("ada").await;
    let browser = app.signed_in(&user).await;
    app.clock.advance(REMEMBERED + GRACE);
    let first = browser.send_refresh().await.expect(401).problem("session_expired");
    app.clock.advance(HOUR);
    let second = browser.send_refresh().await.expect(401).problem("session_expired");
    assert_eq!(first["receipt"], second["receipt"]);
    assert_eq!(app.metric(r#"session_ends_total{reason="remembered_lifetime"}"#), 1.0);
}

#[tokio::test]
async fn a_refresh_every_quarter_hour_for_twenty_days_neither_extends_nor_shortens() {
    let app = TestApp::new().await;
    let user = app.user("ada").await;
    let mut browser = app.signed_in(&user).await;
    let (session, ends_at) = (browser.session.clone(), app.clock.get() + REMEMBERED);
    let mut max_age = u64::MAX;
    let mut refreshes = 0;
    while app.clock.get() + 15 * MINUTE < ends_at {
        app.clock.advance(15 * MINUTE);
        let answer = browser.refresh().await.expect(200);
        refreshes += 1;
        assert_eq!(answer.json()["session"]["expires_at"], ends_at.as_ms());
        assert_eq!(answer.session_id(), session);
        let line = answer.set_cookies()[0].to_owned();
        let age: u64 = line.rsplit_once("Max-Age=").unwrap().1.parse().unwrap();
        assert!(age < max_age, "shrinks: {age}");
        assert_eq!(age, (ends_at.since(app.clock.get()) + DAY).as_secs());
        max_age = age;
        assert!(access_expires_at(&browser) <= ends_at);
    }
    assert_eq!(refreshes, 1919);
    assert_eq!(app.metric(r#"session_refresh_total{outcome="rotated"}"#), 1919.0);
    assert_eq!(app.metric("tenure_dead_token_total"), 0.0);
    app.clock.set(ends_at + GRACE);
    browser.profile().await.expect(401);
    browser.refresh().await.expect(401).problem("session_expired");
    let records = app.store().session_list(user.id, true, 10, app.clock.get()).await.unwrap();
    assert_eq!((records.len(), records[0].refresh_count), (1, 1919), "one row for all of it");
}

#[tokio::test]
async fn a_session_that_is_not_remembered_ends_after_a_day_or_with_the_browser() {
    let app = TestApp::new().await;
    let user = app.user("ada").await;
    let mut browser = app.browser();
    let answer = browser.login(&user.email, PASSWORD, false).await.expect(200);
    assert!(!answer.set_cookies()[0].contains("Max-Age"));
    app.clock.advance(DAY - SECOND);
    let answer = browser.refresh().await.expect(200);
    assert!(!answer.set_cookies()[0].contains("Max-Age"));
    assert_eq!(answer.json()["session"]["remembered"], false);
    app.clock.advance(SECOND + GRACE);
    let problem = browser.tab().send_refresh().await.expect(401).problem("session_expired");
    assert_eq!(problem["reason"], "short_lifetime");

    let mut browser = app.browser();
    browser.login(&user.email, PASSWORD, false).await.expect(200);
    browser.jar.lock().unwrap().close_browser();
    browser.refresh().await.expect(401).problem("no_session");
}

#[tokio::test]
async fn a_remembered_session_survives_the_closing_of_the_browser() {
    let app = TestApp::new().await;
    let mut browser = app.signed_in(&app.user("ada").await).await;
    browser.jar.lock().unwrap().close_browser();
    app.clock.advance(19 * DAY);
    browser.refresh().await.expect(200);
}

/// The good run as a person sees it, hour by hour: what is asked, and what is answered.
#[tokio::test]
async fn the_good_run_of_a_working_day_leaves_this_trace() {
    let app = TestApp::new().await;
    let mut browser = app.signed_in(&app.user("ada").await).await;
    let started = app.clock.get();
    let mut trace = vec![];
    for minutes in [0, 10, 14, 15, 30, 30, 90, 480, 1_440, 28_799, 28_802] {
        app.clock.set(started + minutes * MINUTE);
        let profile = browser.profile().await;
        let mut line = format!("{minutes:>5} min  profile {}", profile.status);
        if profile.status == 401 {
            line += &format!(" {}", profile.code());
            let refreshed = browser.refresh().await;
            line += &format!(", refresh {}", refreshed.status);
            if refreshed.status == 200 {
                line += &format!(", profile {}", browser.profile().await.status);
            } else {
                line += &format!(" {} {}", refreshed.code(), refreshed.json()["reason"]);
            }
        }
        trace.push(line);
    }
    let expected = [
        "    0 min  profile 200",
        "   10 min  profile 200",
        "   15 min  profile 401 access_token_expired, refresh 200, profile 200",
        "   30 min  profile 401 access_token_expired, refresh 200, profile 200",
        "   30 min  profile 200",
        "   90 min  profile 401 access_token_expired, refresh 200, profile 200",
        "  480 min  profile 401 access_token_expired, refresh 200, profile 200",
        " 1440 min  profile 401 access_token_expired, refresh 200, profile 200",
        "28799 min  profile 401 access_token_expired, refresh 200, profile 200",
        "28802 min  profile 401 access_token_expired, refresh 401 session_expired \"remembered_lifetime\"",
    ];
    // At 14 minutes the draw of the lifetime decides; everything else does not depend on it.
    trace.remove(2);
    assert_eq!(trace, expected, "{trace:#?}");
}

#[tokio::test]
async fn access_lifetimes_are_drawn_from_nine_to_ten_tenths_so_that_a_herd_spreads() {
    let app = TestApp::new().await;
    let mut browser = app.signed_in(&app.user("ada").await).await;
    let mut lifetimes = vec![];
    for _ in 0..200 {
        lifetimes.push(browser.refresh().await.expect(200).json()["expires_in"].as_i64().unwrap());
        let claims = part(&browser.access, 1);
        assert_eq!(
            claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(),
            *lifetimes.last().unwrap()
        );
    }
    lifetimes.sort_unstable();
    assert!(lifetimes[0] >= 810 && *lifetimes.last().unwrap() <= 900, "{lifetimes:?}");
    assert!(lifetimes[20] < 830 && lifetimes[180] > 880, "spread over the whole range: {lifetimes:?}");
}

#[tokio::test]
async fn an_access_token_ends_with_its_session_even_if_its_own_time_is_not_over() {
    let app = TestApp::new().await;
    let mut browser = app.signed_in(&app.user("ada").await).await;
    let ends_at = app.clock.get() + REMEMBERED;
    app.clock.set(ends_at - 5 * MINUTE);
    browser.refresh().await.expect(200);
    assert_eq!(access_expires_at(&browser), ends_at);
    app.clock.set(ends_at);
    browser.profile().await.expect(401).problem("access_token_expired");
}

#[tokio::test]
async fn the_claims_of_an_access_token_are_these_and_no_more() {
    let app = TestApp::new().await;
    let user = app.user("ada").await;
    let browser = app.signed_in(&user).await;
    let claims = part(&browser.access, 1);
    let members: Vec<_> = claims.as_object().unwrap().keys().cloned().collect();
    assert_eq!(members, ["aud", "exp", "iat", "iss", "jti", "role", "sid", "sub", "ver"]);
    assert_eq!((&claims["sub"], &claims["sid"]), (&json!(user.id), &json!(browser.session)));
    assert_eq!((&claims["iss"], &claims["aud"]), (&json!(app.origin()), &json!("tenure")));
    assert_eq!(claims["iat"], app.clock.get().as_secs());
}

/// A clock that jumps back (a virtual machine restored, say) takes nothing from anybody.
#[tokio::test]
async fn a_server_clock_that_jumps_back_ends_nothing() {
    let app = TestApp::new().await;
    let mut browser = app.signed_in(&app.user("ada").await).await;
    app.clock.advance(5 * DAY);
    browser.refresh().await.expect(200);
    app.clock.set(app.clock.get() - 3 * DAY);
    browser.refresh().await.expect(200);
    app.clock.advance(4 * DAY);
    browser.refresh().await.expect(200);
}
