//! `POST /api/v1/observations`

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tenure_domain::observed::Seen;
use tenure_store::{Observed, ObservedFilter, StoreError};

use crate::world::{Call, Fault, HOUR, MINUTE, Setup, TestApp, at_once, eventually};

const PATH: &str = "/api/v1/observations";
const APP: &str = "https://app.example";
const PROFILE: &str = "obs_11111111111111111111111111111111";

async fn watching() -> TestApp {
    Setup::default().set("OBSERVE__ORIGINS", &format!("[\"{APP}\"]")).start().await
}

async fn kept(app: &TestApp) -> Vec<Observed> {
    let listed = app.store().observation_list(ObservedFilter::default(), None, 1_000).await.unwrap();
    listed.into_iter().map(|(_, observed)| observed).collect()
}

fn dropped(app: &TestApp, reason: &str) -> f64 {
    app.metric(&format!("tenure_observations_dropped_total{{reason=\"{reason}\"}}"))
}

/// As a page of the observed application sends it.
fn told(app: &TestApp, page: &str, seen: Value) -> Call {
    let sent_at = app.clock.get().as_ms();
    let body =
        json!({ "profile": PROFILE, "page": page, "sentAt": sent_at, "release": "2026.11", "seen": seen });
    from(app, APP).body("text/plain;charset=UTF-8", body.to_string())
}

fn from(app: &TestApp, origin: &str) -> Call {
    app.client.call("POST", PATH).header("origin", origin).header("sec-fetch-site", "cross-site")
}

async fn taken(call: Call) {
    let answer = call.send().await.expect(202).without_cookies();
    assert!(answer.body.is_empty(), "{}", answer.text());
}

#[tokio::test]
async fn what_a_page_of_an_observed_application_tells_is_kept_once_and_by_our_clock() {
    let app = watching().await;
    let now = app.clock.get().as_ms();
    let seen = json!([
        { "seq": 1, "at": now - 5_000, "kind": "page", "path": "/dashboard?x=y", "tabs": 2 },
        { "seq": 2, "at": now + 90_000, "kind": "sign_in" },
        { "seq": 3, "at": now - 1_000, "kind": "tea_time" },
    ]);
    for _ in 0..2 {
        let answer = told(&app, "aB1", seen.clone()).send().await.expect(202);
        assert_eq!(answer.header("cross-origin-resource-policy"), "cross-origin");
    }
    // A device whose clock is an hour ahead.
    let body = json!({ "profile": PROFILE, "page": "b", "sentAt": now + 3_600_000,
        "seen": [{ "seq": 1, "at": now + 3_599_000, "kind": "sign_in" }] });
    taken(from(&app, APP).body("text/plain", body.to_string())).await;
    let kept = kept(&app).await;
    let told: Vec<_> =
        kept.iter().map(|one| (one.what.page.as_str(), one.what.at.as_ms() - now, &one.what.seen)).collect();
    let page = Seen::Page { path: Some("/dashboard".into()), tabs: Some(2) };
    let expected = [("aB1", -5_000, &page), ("aB1", 0, &Seen::SignIn), ("b", -1_000, &Seen::SignIn)];
    assert_eq!(told.len(), 3);
    assert!(expected.iter().all(|one| told.contains(one)), "{told:?}");
    assert_eq!((kept[0].app.as_str(), kept[0].release.as_deref()), (APP, Some("2026.11")));
    assert_eq!(kept.iter().map(|one| one.what.ahead_ms).max(), Some(3_600_000));
    assert_eq!(app.metric("tenure_observations_total{type=\"page\"}"), 2.0);
    assert_eq!(app.log_lines().pop().unwrap()["outcome"], "observed");
}

#[tokio::test]
async fn nobody_is_listened_to_whose_origin_is_not_named() {
    let off = TestApp::new().await;
    told(&off, "a", json!([])).send().await.expect(403).problem("origin_not_allowed");
    let app = watching().await;
    for origin in ["https://evil.example", "null", "https://app.example.evil.net", "http://app.example"] {
        from(&app, origin).body("text/plain", "{}").send().await.expect(403).problem("origin_not_allowed");
    }
    // It may tell what it sees, and nothing else.
    for path in ["/api/v1/auth/logout-event", "/api/v1/auth/logout", "/api/v1/auth/refresh"] {
        let call = app.client.call("POST", path).header("origin", APP).body("text/plain", "{}");
        call.send().await.expect(403).problem("origin_not_allowed");
    }
    // A program that is no browser, and our own pages.
    let body = json!({ "profile": PROFILE, "page": "a", "sentAt": 1, "seen": [{ "seq": 1, "at": 1, "kind": "sign_in" }] });
    taken(app.client.post(PATH, &body)).await;
    taken(app.client.post(PATH, &body).header("origin", app.origin())).await;
    assert_eq!((kept(&app).await.len(), dropped(&app, "origin_not_allowed")), (0, 2.0));
}

#[tokio::test]
async fn what_does_not_fit_is_dropped_and_what_could_be_secret_is_not_kept() {
    let app = watching().await;
    let token = format!("eyJ{}", "a".repeat(60));
    let ada = app.signed_in(&app.user("ada").await).await;
    let wrong = json!({ "profile": ada.session, "page": "a", "sentAt": 1, "seen": [] });
    for (body, reason) in [
        (wrong, "validation_failed"),
        (json!({ "profile": PROFILE, "page": "../x", "sentAt": 1, "seen": [] }), "validation_failed"),
        (json!({ "profile": PROFILE, "page": "a".repeat(17), "sentAt": 1, "seen": [] }), "validation_failed"),
        (
            json!({ "profile": PROFILE, "page": "a", "sentAt": 1, "seen": "x".repeat(17_000) }),
            "payload_too_large",
        ),
    ] {
        let before = dropped(&app, reason);
        taken(from(&app, APP).body("text/plain", body.to_string())).await;
        assert_eq!(dropped(&app, reason), before + 1.0, "{body}");
    }
    let many: Vec<_> = (0..51).map(|seq| json!({ "seq": seq, "at": 1, "kind": "sign_in" })).collect();
    taken(told(&app, "a", json!(many))).await;
    assert_eq!(kept(&app).await, []);
    let seen = json!([
        { "seq": 1, "at": 0, "kind": "refresh", "status": 200, "token": token, "next": "0a1b2c3d", "code": token,
          "path": format!("https://u:p@x.example/api/{token}?t={token}"), "tookMs": "soon", "refresh": token },
        { "seq": 4, "at": 0, "kind": "page", "path": "/app/reset/MTI/abc123-deadbeef" },
        { "seq": 5, "at": 0, "kind": "failure", "status": 404, "path": "/users/ada@example.com" },
        { "seq": 2, "at": 0, "kind": "refresh", "status": 999 },
        { "seq": 3, "at": 0, "kind": "sign_out", "how": token, "accessLeftMs": -1e300, "idleMs": -5, "tabs": [1] },
    ]);
    taken(told(&app, "a", seen).bearer(&ada.access)).await;
    let text = format!("{:?}", kept(&app).await);
    for secret in ["eyJ", "u:p", "deadbeef", "ada"] {
        assert!(!text.contains(secret), "{secret}: {text}");
    }
    for plain in ["\"/api/*\"", "\"/app/reset/*/*\"", "\"/users/*\"", "0a1b2c3d"] {
        assert!(text.contains(plain), "{plain}: {text}");
    }
    assert_eq!(kept(&app).await.len(), 4);
    assert!(!app.log().contains("eyJaaa"));
}

#[tokio::test]
async fn a_flood_is_dropped_beyond_its_limit_and_a_store_that_fails_is_202_all_the_same() {
    let app = Setup::default()
        .set("OBSERVE__ORIGINS", &format!("[\"{APP}\"]"))
        .set("LIMITS__OBSERVATIONS_PER_ADDRESS_PER_MINUTE", "20")
        .start()
        .await;
    let mut ada = app.signed_in(&app.user("ada").await).await;
    let answers = at_once((0..60).map(|n| told(&app, &format!("p{n}"), json!([])))).await;
    assert!(answers.iter().all(|answer| answer.status == 202));
    assert_eq!(dropped(&app, "rate_limited"), 40.0);
    ada.refresh().await.expect(200);
    app.clock.advance(MINUTE);
    // The flood itself may have been too much for the store as well.
    let before = dropped(&app, "overloaded");
    app.faults.set("observation_add", Fault::Fails(StoreError::Overloaded));
    taken(told(&app, "a", json!([]))).await;
    assert_eq!(dropped(&app, "overloaded") - before, 1.0);
}

#[tokio::test]
async fn one_address_does_not_push_out_what_all_others_have_told() {
    let app = Setup::default()
        .set("OBSERVE__ORIGINS", &format!("[\"{APP}\"]"))
        .set("SERVER__TRUSTED_PROXIES", "[\"127.0.0.1\"]")
        .start()
        .await;
    let report = |address: &str, n: usize, things: usize| {
        let seen: Vec<_> = (0..things).map(|seq| json!({ "seq": seq, "at": 0, "kind": "sign_in" })).collect();
        told(&app, &format!("p{n}"), json!(seen)).header("x-forwarded-for", address)
    };
    let stored = || app.metric("tenure_observations_total{type=\"sign_in\"}");
    for n in 0..40 {
        taken(report("203.0.113.7", n, 50)).await;
    }
    assert_eq!((stored(), dropped(&app, "rate_limited")), (600.0, 28.0));
    // An office whose pages tell as the observer does: as many reports as may come, with five things each.
    for n in 0..120 {
        taken(report("203.0.113.8", 100 + n, 5)).await;
    }
    assert_eq!((stored(), dropped(&app, "rate_limited")), (1_200.0, 28.0));
    app.clock.advance(MINUTE / 12);
    taken(report("203.0.113.7", 999, 50)).await;
    assert_eq!(stored(), 1_250.0);
}

/// The chores that delete come once a minute.
#[tokio::test]
async fn no_more_is_kept_in_a_minute_than_the_disk_bears_from_however_many_networks_it_comes() {
    let app = Setup::default()
        .set("OBSERVE__ORIGINS", &format!("[\"{APP}\"]"))
        .set("SERVER__TRUSTED_PROXIES", "[\"127.0.0.1\"]")
        .start()
        .await;
    let report = |n: usize| {
        let seen: Vec<_> = (0..50).map(|seq| json!({ "seq": seq, "at": 0, "kind": "sign_in" })).collect();
        let address = format!("203.{}.{}.7", n / 250, n % 250);
        told(&app, &format!("p{n}"), json!(seen)).header("x-forwarded-for", address)
    };
    // Only those that got as far as the store are counted here, and it need not work.
    app.faults.set("observation_add", Fault::Fails(StoreError::Overloaded));
    for batch in 0..13 {
        at_once((0..100).map(|n| report(batch * 100 + n))).await;
    }
    assert_eq!((dropped(&app, "overloaded"), dropped(&app, "rate_limited")), (1_200.0, 100.0));
    app.clock.advance(MINUTE);
    taken(report(9_999)).await;
    assert_eq!(dropped(&app, "overloaded"), 1_201.0);
}

#[tokio::test]
async fn observations_older_than_their_retention_are_forgotten_by_the_chores() {
    let app = Setup::default()
        .set("OBSERVE__ORIGINS", &format!("[\"{APP}\"]"))
        .set("STORE__CLIENT_REPORT_RETENTION", "2h")
        .start()
        .await;
    let one = |seq: u32| json!([{ "seq": seq, "at": 0, "kind": "sign_in" }]);
    taken(told(&app, "a", one(1))).await;
    app.clock.advance(HOUR);
    taken(told(&app, "a", one(2))).await;
    app.clock.advance(HOUR + MINUTE);
    let chores = tokio::spawn(tenure::jobs::run(Arc::clone(&app.app)));
    eventually("the old one is gone", async || kept(&app).await.len() < 2).await;
    chores.abort();
    assert_eq!(kept(&app).await[0].what.seq, 2);
}

/// Two tabs, one token: what `tenure explain` and `tenure logouts` make of it.
#[tokio::test]
async fn the_cause_of_an_observed_sign_out_is_named_and_counted_apart_from_ours() {
    let setup = Setup::default().set("OBSERVE__ORIGINS", &format!("[\"{APP}\"]"));
    let app = setup.begun(Duration::ZERO).start().await;
    let cli = app.cli();
    let now = app.clock.get().as_ms();
    let refresh = |seq: u32, ago: i64, status: u16, code: &str| {
        json!({ "seq": seq, "at": now - ago, "kind": "refresh", "status": status, "code": code,
            "path": "/api/token/refresh/", "tookMs": 20, "token": "0a1b2c3d",
            "next": (status == 200).then_some("4e5f6071") })
    };
    taken(told(&app, "one", json!([refresh(1, 900, 200, "")]))).await;
    let out = json!({ "seq": 2, "at": now - 40, "kind": "sign_out", "how": "removed", "path": "/reports", "idleMs": 0 });
    taken(told(&app, "two", json!([refresh(1, 60, 401, "token_blacklisted"), out]))).await;
    let explained = cli.json(&["explain", PROFILE]);
    let case = &explained["explained"][0];
    assert_eq!((&case["verdict"], &case["why"]["suspect"]), (&json!("mistake"), &json!("tab_race")));
    let words = case["what"]["verdict"].as_str().unwrap();
    assert!(words.contains("another tab had traded the same refresh token 840 ms before"), "{words}");
    assert!(case["why"]["fix"].as_str().unwrap().contains("Web Lock"));
    let kinds: Vec<_> = case["timeline"].as_array().unwrap().iter().map(|moment| &moment["what"]).collect();
    assert_eq!(kinds, ["refresh", "refresh", "sign_out"]);
    assert_eq!(explained["refreshes"], json!({ "served": 1, "refused": 1, "unanswered": 0 }));
    let printed = cli.run(&["explain", PROFILE]).expect(0).out;
    assert!(printed.contains("WHY\n  suspect            tab_race\n"), "{printed}");

    app.client.post("/api/v1/auth/logout-event", &json!({ "type": "USER_ACTION" })).send().await.expect(202);
    let stats = cli.json(&["logouts", "stats"]);
    assert_eq!((&stats["total"], &stats["observed"]["total"]), (&json!(1), &json!(1)));
    assert_eq!(stats["observed"]["by_cause"], json!([{ "cause": "tab_race", "count": 1 }]));
    assert_eq!(stats["observed"]["by_app"], json!([{ "app": APP, "count": 1 }]));
    let tail = cli.run(&["logouts", "tail"]).expect(0).out;
    let lines: Vec<_> = tail.lines().collect();
    assert_eq!(lines.len(), 2, "{tail}");
    assert!(
        lines[0].contains("USER_ACTION") && lines[1].contains("OBSERVED  cause=tab_race  page=/reports"),
        "{tail}"
    );
    let rows = cli.run(&["logouts", "tail", "--json"]).expect(0).out;
    let last: Value = serde_json::from_str(rows.lines().last().unwrap()).unwrap();
    assert_eq!((&last["observed"], &last["profile"]), (&json!(true), &json!(PROFILE)));

    let other = format!("obs_{}", "2".repeat(32));
    assert!(cli.run(&["explain", &other]).expect(1).err.contains("nothing was reported"));
    cli.run(&["explain", "obs_1"]).expect(2);
}

fn refresh(at: i64, seq: u32, status: u16) -> Value {
    json!({ "seq": seq, "at": at, "kind": "refresh", "status": status, "path": "/api/token/refresh/",
        "token": "0a1b2c3d", "next": (status == 200).then_some("4e5f6071") })
}

fn sign_out(at: i64, seq: u32) -> Value {
    json!({ "seq": seq, "at": at, "kind": "sign_out", "how": "removed", "path": "/reports", "idleMs": 0 })
}

/// What happened long before is evidence for all that tell of a sign-out, and what was lost is told of.
#[tokio::test]
async fn a_cause_that_lies_long_before_is_named_alike_by_explain_tail_and_stats() {
    let setup = Setup::default().set("OBSERVE__ORIGINS", &format!("[\"{APP}\"]"));
    let app = setup.begun(HOUR + HOUR / 2).start().await;
    let cli = app.cli();
    let at = app.clock.get().as_ms();
    taken(told(&app, "one", json!([refresh(at, 1, 200)]))).await;
    app.clock.advance(HOUR + HOUR / 2);
    let at = app.clock.get().as_ms();
    taken(told(&app, "two", json!([refresh(at - 60, 4, 401), sign_out(at - 40, 8)]))).await;
    let explained = cli.json(&["explain", PROFILE]);
    assert_eq!(explained["explained"][0]["why"]["suspect"], "tab_race");
    assert_eq!(explained["explained"][0]["how"]["observations_lost"], 3);
    // The evidence is older than what is asked for.
    let stats = cli.json(&["logouts", "stats", "--since", "1h"]);
    assert_eq!(stats["observed"]["by_cause"], json!([{ "cause": "tab_race", "count": 1 }]));
    assert_eq!(stats["observed"]["refreshes"], json!({ "served": 0, "refused": 1, "unanswered": 0 }));
    let tail = cli.run(&["logouts", "tail", "--since", "1h"]).expect(0).out;
    assert!(tail.contains("OBSERVED  cause=tab_race") && tail.lines().count() == 1, "{tail}");
    assert_eq!(cli.json(&["logouts", "stats", "--since", "10m"])["observed"]["total"], 1);
}

/// Of two reports of a page the first may be the slower one.
#[tokio::test]
async fn what_a_device_saw_first_comes_first_however_slow_its_report_was() {
    let setup = Setup::default().set("OBSERVE__ORIGINS", &format!("[\"{APP}\"]"));
    let app = setup.begun(Duration::ZERO).start().await;
    let by_device = app.clock.get().as_ms();
    let report = |page: &str, way_ms: u64, seen: Value| {
        let call = told(&app, page, seen);
        app.clock.advance(Duration::from_millis(way_ms));
        call
    };
    taken(report("one", 20, json!([refresh(by_device - 900, 1, 200)]))).await;
    taken(report("two", 300, json!([refresh(by_device - 60, 1, 401)]))).await;
    taken(report("two", 0, json!([sign_out(by_device + 200, 2)]))).await;
    let explained = app.cli().json(&["explain", PROFILE]);
    let case = &explained["explained"][0];
    assert_eq!(case["why"]["suspect"], "tab_race", "{case}");
    let kinds: Vec<_> = case["timeline"].as_array().unwrap().iter().map(|moment| &moment["what"]).collect();
    assert_eq!(kinds, ["refresh", "refresh", "sign_out"]);
}
