//! Dead tokens (protocol.md section 6): old copies of a session that was refreshed on.

use serde_json::json;

use crate::world::{Browser, HOUR, Jar, MINUTE, QUIET, SECOND, Setup, TestApp, User};

/// A user's browser, and an old copy of its jar whose token is dead.
pub async fn with_dead_copy(app: &TestApp, user: &User) -> (Browser, Jar) {
    let mut browser = app.signed_in(user).await;
    let copy = browser.cookies();
    for _ in 0..2 {
        app.clock.advance(QUIET);
        browser.refresh().await.expect(200);
    }
    (browser, copy)
}

fn with_jar(app: &TestApp, jar: &Jar) -> Browser {
    let browser = app.browser();
    browser.set_cookies(jar.clone());
    browser
}

#[tokio::test]
async fn the_first_strike_is_409_and_touches_nothing() {
    let app = TestApp::new().await;
    let (mut browser, copy) = with_dead_copy(&app, &app.user("ada").await).await;
    let old = with_jar(&app, &copy);
    let problem = old.send_refresh().await.expect(409).without_cookies().problem("refresh_superseded");
    assert_eq!((&problem["class"], &problem["session"]), (&json!("transport"), &json!(browser.session)));
    assert_eq!(app.metric("tenure_dead_token_total"), 1.0);
    browser.profile().await.expect(200);
    browser.refresh().await.expect(200);
}

#[tokio::test]
async fn a06_reuse_in_one_tab_ends_that_session_alone() {
    let app = TestApp::new().await;
    let user = app.user("ada").await;
    let mut others = [app.signed_in(&user).await, app.signed_in(&user).await];
    let (mut browser, copy) = with_dead_copy(&app, &user).await;
    let mut thief = with_jar(&app, &copy);
    thief.refresh().await.expect(409);
    app.clock.advance(2 * SECOND);
    let answer = thief.refresh().await.expect(401);
    let problem = answer.problem("session_revoked");
    assert_eq!((&problem["reason"], &problem["session"]), (&json!("token_reuse"), &json!(browser.session)));
    // Its owner is told the same, with the same receipt.
    browser.profile().await.expect(401).problem("access_token_revoked");
    let told = browser.refresh().await.expect(401).problem("session_revoked");
    assert_eq!((&told["reason"], &told["receipt"]), (&problem["reason"], &problem["receipt"]));
    for other in &mut others {
        other.refresh().await.expect(200);
        other.profile().await.expect(200);
    }
    assert_eq!(app.metric(r#"session_ends_total{reason="token_reuse"}"#), 1.0);
    assert_eq!(app.metric("tenure_dead_token_total"), 2.0);
}

#[tokio::test]
async fn d05_reuse_on_one_browser_leaves_the_other_browser_signed_in() {
    let app = TestApp::new().await;
    let user = app.user("ada").await;
    let mut elsewhere = app.signed_in(&user).await;
    let (_, copy) = with_dead_copy(&app, &user).await;
    let thief = with_jar(&app, &copy);
    thief.send_refresh().await.expect(409);
    app.clock.advance(MINUTE);
    thief.send_refresh().await.expect(401).problem("session_revoked");
    for _ in 0..3 {
        app.clock.advance(QUIET);
        elsewhere.refresh().await.expect(200);
    }
}

#[tokio::test]
async fn d01_a_tab_two_generations_behind_is_told_to_try_again_and_then_served() {
    let app = TestApp::new().await;
    let (mut browser, copy) = with_dead_copy(&app, &app.user("ada").await).await;
    let lagging = with_jar(&app, &copy);
    lagging.send_refresh().await.expect(409).problem("refresh_superseded");
    // By the time it tries again the jar that all tabs share has been brought up to date.
    app.clock.advance(SECOND + SECOND / 2);
    let tab = browser.tab();
    tab.send_refresh().await.expect(200);
    browser.refresh().await.expect(200);
    assert_eq!(app.metric(r#"session_ends_total{reason="token_reuse"}"#), 0.0);
}

#[tokio::test]
async fn d06_the_same_dead_request_sent_twice_within_a_second_revokes_nothing() {
    let app = TestApp::new().await;
    let (mut browser, copy) = with_dead_copy(&app, &app.user("ada").await).await;
    let old = with_jar(&app, &copy);
    for _ in 0..5 {
        old.send_refresh().await.expect(409).without_cookies().problem("refresh_superseded");
        app.clock.advance(SECOND / 8);
    }
    browser.refresh().await.expect(200);
}

#[tokio::test]
async fn d06_a_live_request_duplicated_by_a_proxy_fifteen_seconds_later_is_served_or_refused_as_stale() {
    let app = TestApp::new().await;
    let mut browser = app.signed_in(&app.user("ada").await).await;
    app.clock.advance(QUIET);
    let (sent_at, cookie) = (app.clock.get(), browser.cookie_header("/api/v1/auth/refresh"));
    browser.refresh().await.expect(200);
    for (delay, status) in [(15 * SECOND, 200), (SECOND, 409)] {
        app.clock.advance(delay);
        let duplicate = app.client.call("POST", "/api/v1/auth/refresh").header("cookie", &cookie);
        let duplicate = duplicate.header("tenure-sent-at", sent_at.as_ms().to_string());
        duplicate.send().await.expect(status);
    }
    browser.refresh().await.expect(200);
}

#[tokio::test]
async fn strikes_more_than_ten_minutes_apart_are_first_strikes() {
    let app = TestApp::new().await;
    let (mut browser, copy) = with_dead_copy(&app, &app.user("ada").await).await;
    let old = with_jar(&app, &copy);
    for _ in 0..4 {
        old.send_refresh().await.expect(409).problem("refresh_superseded");
        app.clock.advance(10 * MINUTE + SECOND);
    }
    browser.refresh().await.expect(200);
}

#[tokio::test]
async fn the_window_ends_at_ten_minutes_sharp() {
    let app = TestApp::new().await;
    let (_, copy) = with_dead_copy(&app, &app.user("ada").await).await;
    let old = with_jar(&app, &copy);
    old.send_refresh().await.expect(409);
    app.clock.advance(10 * MINUTE);
    old.send_refresh().await.expect(401).problem("session_revoked");
}

#[tokio::test]
async fn policy_observe_refuses_the_presenter_and_leaves_the_session_alone() {
    let app = Setup::default().set("SESSION__REUSE", "observe").start().await;
    let (mut browser, copy) = with_dead_copy(&app, &app.user("ada").await).await;
    let mut old = with_jar(&app, &copy);
    old.refresh().await.expect(409);
    app.clock.advance(2 * SECOND);
    for _ in 0..3 {
        let problem = old.refresh().await.expect(401).without_cookies().problem("session_superseded");
        assert_eq!(problem["session"], browser.session);
    }
    browser.profile().await.expect(200);
    browser.refresh().await.expect(200);
    assert_eq!(app.metric("tenure_dead_token_total"), 4.0);
}

/// The security inverse of a grace time: what is handed out in it forks no chain that lives on unseen.
#[tokio::test]
async fn d09_a_thief_and_the_owner_who_both_go_on_share_one_chain_and_are_told_apart() {
    let app = TestApp::new().await;
    let user = app.user("ada").await;
    let mut owner = app.signed_in(&user).await;
    let mut thief = with_jar(&app, &owner.cookies());
    // Both within the same overlap: the same generation, no fork.
    owner.refresh().await.expect(200);
    thief.refresh().await.expect(200);
    // Then each at a pace of its own, as the drawn lifetimes make them; told to wait, each tries once more.
    let mut ended = None;
    for cycle in 0..20 {
        for (browser, pause) in [(&mut owner, 13 * MINUTE), (&mut thief, 2 * MINUTE)] {
            app.clock.advance(pause);
            let mut answer = browser.refresh().await;
            if answer.status == 409 {
                app.clock.advance(2 * SECOND);
                answer = browser.refresh().await;
            }
            if answer.status == 401 && ended.is_none() {
                ended = Some((cycle, answer.json()["reason"].clone()));
            }
        }
    }
    let (cycle, reason) = ended.expect("two holders of one jar are told apart");
    assert_eq!(reason, "token_reuse");
    assert!(cycle < 6, "within a few refreshes: {cycle}");
    owner.refresh().await.expect(401);
    thief.refresh().await.expect(401);
}

/// Re-presenting a replaced token does not keep it alive.
#[tokio::test]
async fn d10_replaying_a_replaced_token_every_fifty_seconds_is_refused_at_a_fixed_bound() {
    let app = TestApp::new().await;
    let user = app.user("ada").await;
    let (_, copy) = with_dead_copy(&app, &user).await;
    let replayer = with_jar(&app, &copy);
    let mut answers = vec![];
    for _ in 0..10 {
        answers.push(replayer.send_refresh().await.status);
        app.clock.advance(50 * SECOND);
    }
    assert_eq!(answers[0], 409, "dead at once, whatever came before: {answers:?}");
    assert!(answers[1..].iter().all(|status| *status == 401), "{answers:?}");
    app.clock.advance(HOUR);
    replayer.send_refresh().await.expect(401);
}

#[tokio::test]
async fn a_dead_token_beside_a_live_one_of_another_session_does_no_harm() {
    let app = TestApp::new().await;
    let user = app.user("ada").await;
    let (older, copy) = with_dead_copy(&app, &user).await;
    let mut browser = with_jar(&app, &copy);
    app.clock.advance(SECOND);
    browser.sign_in(&user).await;
    for _ in 0..3 {
        app.clock.advance(QUIET);
        browser.refresh().await.expect(200);
    }
    assert_eq!(app.metric("tenure_dead_token_total"), 0.0);
    older.profile().await.expect(200);
}
