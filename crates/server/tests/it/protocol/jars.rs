//! Several sessions in one jar, and cookies that are written and deleted in every order (group E).

use serde_json::json;
use tenure_domain::ends::{Actor, EndReason};
use tenure_store::{EndOrder, StoreError};

use crate::protocol::dead::with_dead_copy;
use crate::world::{Answer, Browser, Cookie, DAY, Fault, MINUTE, PASSWORD, QUIET, SECOND, Setup, TestApp};

#[tokio::test]
async fn of_two_sessions_in_one_jar_the_newest_alive_is_served() {
    let app = TestApp::new().await;
    let user = app.user("ada").await;
    let mut browser = app.signed_in(&user).await;
    let older = browser.session.clone();
    app.clock.advance(SECOND);
    browser.sign_in(&user).await;
    let newer = browser.session.clone();
    assert_eq!(browser.cookies().cookies().len(), 2);
    assert_eq!(browser.refresh().await.expect(200).session_id(), newer);
    let admin = EndOrder {
        reason: EndReason::AdminRevoked,
        actor: Actor::Admin("eve".into()),
        note: None,
        whence: Default::default(),
    };
    let scope = tenure_store::Scope::One(newer.parse().unwrap());
    app.store().session_end(user.id, scope, false, admin, app.clock.get()).await.unwrap();
    let answer = browser.refresh().await.expect(200);
    assert_eq!(answer.session_id(), older);
    let deleted: Vec<_> =
        answer.set_cookies().into_iter().filter(|line| line.contains("Max-Age=0")).collect();
    assert_eq!(deleted.len(), 1, "the ended one by its own name");
    assert!(!deleted[0].contains(&browser.cookies().only().name));
    browser.refresh().await.expect(200);
}

#[tokio::test]
async fn a_sign_out_by_jar_ends_every_session_in_it_so_that_none_comes_back() {
    let app = TestApp::new().await;
    let (ada, bob) = (app.user("ada").await, app.user("bob").await);
    let mut elsewhere = app.signed_in(&ada).await;
    let mut browser = app.signed_in(&ada).await;
    for user in [&bob, &ada] {
        app.clock.advance(SECOND);
        browser.sign_in(user).await;
    }
    let jar = browser.cookies();
    assert_eq!(jar.cookies().len(), 3);
    let answer = browser.sign_out().await.expect(204);
    assert_eq!(answer.set_cookies().len(), 3);
    assert!(browser.cookies().cookies().is_empty());
    browser.set_cookies(jar);
    let problem = browser.refresh().await.expect(401).problem("session_revoked");
    assert_eq!(problem["reason"], "signed_out");
    assert!(browser.cookies().cookies().is_empty(), "the refusal deletes all that had ended");
    elsewhere.refresh().await.expect(200);
}

/// A8: a shared computer. Whatever the order in which B's sign-in and A's late answers land, B is never A.
#[tokio::test]
async fn a_sign_out_that_is_delivered_late_ends_no_later_sign_in() {
    let app = TestApp::new().await;
    let user = app.user("ada").await;
    let mut browser = app.signed_in(&user).await;
    let older = browser.session.clone();
    app.clock.advance(SECOND);
    browser.sign_in(&user).await;
    let newer = browser.session.clone();
    browser.sign_out_up_to("yesterday").await.expect(400);
    assert_eq!(browser.cookies().cookies().len(), 2, "a request that cannot be read ends nothing");
    browser.sign_out_up_to(&older).await.expect(204);
    assert_eq!(browser.cookies().cookies().len(), 1);
    assert_eq!(browser.refresh().await.expect(200).session_id(), newer);
    browser.sign_out_up_to(&newer).await.expect(204);
    browser.refresh().await.expect(401);
}

#[tokio::test]
async fn a_second_user_of_one_browser_never_becomes_the_first() {
    let app = TestApp::new().await;
    let (ada, bob) = (app.user("ada").await, app.user("bob").await);
    for order in 0..4 {
        let mut browser = app.signed_in(&ada).await;
        app.clock.advance(QUIET);
        let late = browser.send_refresh().await.expect(200);
        let old_jar = browser.cookies();
        if order % 2 == 0 {
            browser.sign_out().await.expect(204);
        }
        if order < 2 {
            browser.receive(&late);
        }
        app.clock.advance(SECOND);
        browser.sign_in(&bob).await;
        if order >= 2 {
            browser.receive(&late);
        }
        for cookie in old_jar.cookies() {
            browser.jar.lock().unwrap().plant(cookie.clone());
        }
        for _ in 0..3 {
            let answer = browser.refresh().await.expect(200);
            assert_eq!(answer.json()["user"]["id"], json!(bob.id), "order {order}");
            assert_eq!(browser.profile().await.json()["id"], json!(bob.id));
            app.clock.advance(QUIET);
        }
        browser.sign_out().await.expect(204);
        browser.refresh().await.expect(401);
    }
}

#[tokio::test]
async fn e01_a_sign_in_while_a_refresh_of_the_earlier_session_is_under_way_harms_neither() {
    let app = TestApp::new().await;
    let user = app.user("ada").await;
    let mut browser = app.signed_in(&user).await;
    app.clock.advance(QUIET);
    let late = browser.send_refresh().await.expect(200);
    browser.sign_in(&user).await;
    let newer = browser.session.clone();
    browser.receive(&late);
    assert_eq!(browser.cookies().cookies().len(), 2, "neither overwrites the other");
    for _ in 0..3 {
        assert_eq!(browser.refresh().await.expect(200).session_id(), newer);
        app.clock.advance(QUIET);
    }
}

#[tokio::test]
async fn e01_a_refusal_that_lands_after_a_sign_in_deletes_only_the_ended_sessions_cookie() {
    let app = TestApp::new().await;
    let user = app.user("ada").await;
    let mut browser = app.signed_in(&user).await;
    browser.logout("this").await.expect(204);
    let jar = app.signed_in(&user).await.cookies();
    browser.set_cookies(jar);
    browser.tab().logout("everywhere").await.expect(401);
    let mut other = app.browser();
    other.set_cookies(browser.cookies());
    other.refresh().await.expect(200);
    other.logout("this").await.expect(204);
    let late_refusal = browser.send_refresh().await.expect(401);
    app.clock.advance(SECOND);
    browser.sign_in(&user).await;
    browser.receive(&late_refusal);
    assert_eq!(browser.cookies().cookies().len(), 1);
    browser.refresh().await.expect(200);
}

#[tokio::test]
async fn a_sign_in_on_the_same_device_replaces_the_earlier_session_of_the_same_user_only() {
    let app = TestApp::new().await;
    let (ada, bob) = (app.user("ada").await, app.user("bob").await);
    let on_device = async |user, device: &str| {
        app.clock.advance(SECOND);
        let mut browser = app.browser();
        browser.device_id = Some(device.into());
        browser.sign_in(user).await;
        browser
    };
    let mut first = on_device(&ada, "profile-1").await;
    let mut elsewhere = on_device(&ada, "profile-2").await;
    let mut bobs = on_device(&bob, "profile-1").await;
    app.clock.advance(2 * MINUTE);
    first.refresh().await.expect(200);
    // Again on the first device, in the same jar: the earlier cookie goes with its session.
    let answer = first.login(&ada.email, PASSWORD, true).await.expect(200);
    assert_eq!(answer.set_cookies().iter().filter(|line| line.contains("Max-Age=0")).count(), 1);
    assert_eq!(first.cookies().cookies().len(), 1);
    first.refresh().await.expect(200);
    elsewhere.refresh().await.expect(200);
    bobs.refresh().await.expect(200);
    assert_eq!(first.sessions().await.len(), 2);
}

#[tokio::test]
async fn the_replaced_session_is_told_why() {
    let app = TestApp::new().await;
    let user = app.user("ada").await;
    let mut browser = app.browser();
    browser.device_id = Some("profile".into());
    browser.sign_in(&user).await;
    let old_tab = app.browser();
    old_tab.set_cookies(browser.cookies());
    app.clock.advance(2 * MINUTE);
    browser.sign_in(&user).await;
    let problem = old_tab.send_refresh().await.expect(401).problem("session_revoked");
    assert_eq!(problem["reason"], "replaced_by_sign_in");
}

#[tokio::test]
async fn a_late_copy_of_a_sign_in_does_not_end_the_session_that_the_first_copy_made() {
    let app = TestApp::new().await;
    let user = app.user("ada").await;
    let mut browser = app.browser();
    browser.device_id = Some("profile".into());
    browser.sign_in(&user).await;
    app.clock.advance(20 * SECOND);
    let mut network = app.browser();
    network.device_id = Some("profile".into());
    network.sign_in(&user).await;
    browser.refresh().await.expect(200);
}

#[tokio::test]
async fn a_stranger_who_knows_a_device_id_can_end_nothing_with_it() {
    let app = TestApp::new().await;
    let (ada, eve) = (app.user("ada").await, app.user("eve").await);
    let mut browser = app.browser();
    browser.device_id = Some("adas-laptop".into());
    browser.sign_in(&ada).await;
    let mut evil = app.browser();
    evil.device_id = Some("adas-laptop".into());
    evil.sign_in(&eve).await;
    evil.login(&ada.email, "a guess", true).await.expect(401);
    browser.refresh().await.expect(200);
    browser.profile().await.expect(200);
}

#[tokio::test]
async fn of_many_sessions_in_a_jar_the_newest_is_served_and_sign_out_ends_them_all() {
    let app = TestApp::new().await;
    let user = app.user("ada").await;
    let mut browser = app.browser();
    for _ in 0..10 {
        app.clock.advance(SECOND);
        browser.sign_in(&user).await;
    }
    assert_eq!(browser.refresh().await.expect(200).session_id(), browser.session);
    // Signing out ends every one of them, so that none comes back to life.
    assert_eq!(browser.sign_out().await.expect(204).set_cookies().len(), 10);
    browser.refresh().await.expect(401).problem("no_session");
}

/// E02, E03: another application under the same domain has cookies of its own.
#[tokio::test]
async fn e03_the_cookies_of_other_applications_survive_every_end() {
    let app = TestApp::new().await;
    let mut browser = app.signed_in(&app.user("ada").await).await;
    for (name, path) in
        [("sessionid", "/"), ("tenure", "/"), ("tenure_other", "/app"), ("theme", "/api/v1/auth/refresh")]
    {
        let cookie =
            Cookie { name: name.into(), value: "theirs".into(), path: path.into(), expires_at: None };
        browser.jar.lock().unwrap().plant(cookie);
    }
    browser.refresh().await.expect(200);
    browser.sign_out().await.expect(204);
    browser.refresh().await.expect(401);
    let left: Vec<_> = browser.cookies().cookies().iter().map(|cookie| cookie.name.clone()).collect();
    assert_eq!(left, ["sessionid", "tenure", "tenure_other", "theme"]);
}

#[tokio::test]
async fn e02_eight_parallel_calls_of_a_page_are_all_authenticated_while_one_rotates() {
    let app = TestApp::new().await;
    let mut browser = app.signed_in(&app.user("ada").await).await;
    app.clock.advance(5 * crate::world::MINUTE);
    let mut calls: Vec<_> =
        (0..8).map(|_| browser.call("GET", "/api/v1/auth/profile").bearer(&browser.access)).collect();
    calls.insert(4, browser.refresh_call());
    let answers = crate::world::at_once(calls).await;
    assert!(answers.iter().all(|answer| answer.status == 200));
    browser.receive(&answers[4]);
    browser.refresh().await.expect(200);
}

/// E01, E04, E07 for every failing answer there is: Set-Cookie only ever deletes, by its own name, the cookie
/// of a session that has ended; whatever else failed, the jar is as it was.
#[tokio::test]
async fn no_failing_refresh_touches_a_cookie_but_that_of_an_ended_session() {
    let app = Setup::default()
        .set("LIMITS__REFRESH_PER_SESSION_PER_MINUTE", "100")
        .set("SESSION__MISSING_SESSION", "unavailable")
        .start()
        .await;
    let user = app.user("ada").await;
    let refusals = every_refusal(&app, &user).await;
    let codes: std::collections::BTreeSet<_> = refusals.iter().map(|(answer, _)| answer.code()).collect();
    for code in [
        "session_expired",
        "session_revoked",
        "session_not_found",
        "no_session",
        "request_stale",
        "refresh_superseded",
        "origin_not_allowed",
        "malformed_request",
        "rate_limited",
        "storage_unavailable",
        "overloaded",
        "session_unverifiable",
        "signing_unavailable",
        "internal_error",
        "method_not_allowed",
    ] {
        assert!(codes.contains(code), "{code} is among them: {codes:?}");
    }
    for (answer, before) in refusals {
        let ended = matches!(answer.code().as_str(), "session_expired" | "session_revoked");
        if !ended {
            answer.without_cookies();
            continue;
        }
        let own = before.only().name.clone();
        let lines = answer.set_cookies();
        assert_eq!(lines.len(), 1, "{answer:?}");
        assert!(lines[0].starts_with(&format!("{own}=;")) && lines[0].contains("Max-Age=0"), "{lines:?}");
    }
}

/// A failing answer for every way to fail, each with the jar it was asked with.
async fn every_refusal(app: &TestApp, user: &crate::world::User) -> Vec<(Answer, crate::world::Jar)> {
    let mut refusals = vec![];
    let mut keep = |answer: Answer, browser: &Browser| {
        assert!(answer.status >= 400, "{}", answer.text());
        refusals.push((answer, browser.cookies()));
    };
    let browser = app.signed_in(user).await;
    let refresh = || browser.refresh_call();
    keep(browser.call("POST", "/api/v1/auth/refresh").header("tenure-sent-at", "1").send().await, &browser);
    keep(browser.call("POST", "/api/v1/auth/refresh").header("tenure-sent-at", "x").send().await, &browser);
    keep(browser.call("PUT", "/api/v1/auth/refresh").send().await, &browser);
    let cookie = browser.cookie_header("/api/v1/auth/refresh");
    let foreign = app.client.call("POST", "/api/v1/auth/refresh").header("cookie", &cookie);
    keep(foreign.header("origin", "https://evil.example").send().await, &browser);
    for (verb, error, code) in [
        ("session_refresh", StoreError::Unavailable("gone".into()), "storage_unavailable"),
        ("session_refresh", StoreError::Overloaded, "overloaded"),
        (
            "session_refresh",
            StoreError::Corrupt { what: "session", cause: "bits".into() },
            "storage_unavailable",
        ),
        ("key_epoch", StoreError::Unavailable("gone".into()), "storage_unavailable"),
    ] {
        app.expect_failure(code);
        app.faults.set(verb, Fault::Fails(error));
        keep(refresh().send().await, &browser);
        app.faults.clear();
    }
    app.expect_failure("internal_error");
    app.faults.set("session_refresh", Fault::Panic);
    keep(refresh().send().await, &browser);
    app.faults.clear();

    let busy = app.signed_in(user).await;
    let answers = crate::world::at_once((0..101).map(|_| busy.refresh_call())).await;
    keep(answers.into_iter().find(|answer| answer.status == 429).unwrap(), &busy);

    let (_, copy) = with_dead_copy(app, user).await;
    let dead = app.browser();
    dead.set_cookies(copy);
    keep(dead.send_refresh().await, &dead);
    app.clock.advance(2 * SECOND);
    keep(dead.send_refresh().await, &dead);

    let salted = app.signed_in(user).await;
    let zeros = "00".repeat(16);
    app.sql(&format!("UPDATE session SET salt = x'{zeros}' WHERE id = {}", app.row_of(&salted.session)));
    keep(salted.send_refresh().await, &salted);
    app.expect_failure("session_unverifiable");
    let missing = app.signed_in(user).await;
    app.sql(&format!("DELETE FROM session WHERE id = {}", app.row_of(&missing.session)));
    keep(missing.send_refresh().await, &missing);
    let damaged = app.signed_in(user).await;
    app.sql(&format!("UPDATE session SET salt = x'00' WHERE id = {}", app.row_of(&damaged.session)));
    keep(damaged.send_refresh().await, &damaged);
    let empty = app.browser();
    keep(empty.send_refresh().await, &empty);

    let mut ended = app.signed_in(user).await;
    let jar = ended.cookies();
    ended.sign_out().await.expect(204);
    ended.set_cookies(jar);
    keep(ended.send_refresh().await, &ended);
    let expired = app.signed_in(user).await;
    app.clock.advance(20 * DAY + 61 * SECOND);
    keep(expired.send_refresh().await, &expired);

    let unsigned = app.signed_in(user).await;
    app.sql("UPDATE signing_key SET activates_at = 9000000000000");
    app.expect_failure("signing_unavailable");
    keep(unsigned.send_refresh().await, &unsigned);
    refusals
}

/// E07: a request from a foreign origin, or without what a browser of ours would send, signs nobody out.
#[tokio::test]
async fn e07_a_refused_origin_leaves_the_cookie_and_the_session() {
    let app = TestApp::new().await;
    let mut browser = app.signed_in(&app.user("ada").await).await;
    let before = browser.cookies();
    for method in ["POST", "DELETE"] {
        let cookie = browser.cookie_header("/api/v1/auth/refresh");
        let call = app.client.call(method, "/api/v1/auth/refresh").header("cookie", cookie);
        let answer = call.header("origin", "https://evil.example").send().await.expect(403);
        browser.receive(&answer);
    }
    assert_eq!(browser.cookies(), before);
    browser.refresh().await.expect(200);
}

#[tokio::test]
async fn e04_a_transient_error_of_the_loser_leaves_the_winners_cookie() {
    let app = TestApp::new().await;
    let mut browser = app.signed_in(&app.user("ada").await).await;
    app.clock.advance(QUIET);
    browser.refresh().await.expect(200);
    let before = browser.cookies();
    app.expect_failure("storage_unavailable");
    app.faults.set("session_refresh", Fault::Fails(StoreError::Unavailable("gone".into())));
    browser.refresh().await.expect(503);
    app.faults.clear();
    assert_eq!(browser.cookies(), before);
    browser.refresh().await.expect(200);
}
