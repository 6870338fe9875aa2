//! `POST /api/v1/auth/logout-event`

use std::sync::Arc;

use serde_json::{Value, json};
use tenure_domain::client_report::ReportKind;
use tenure_domain::time::Timestamp;
use tenure_store::{ClientReport, ReportNumber, StoreError};
use tokio::sync::Semaphore;

use crate::world::{Answer, Call, DAY, Fault, HOUR, MINUTE, Setup, TestApp, at_once, eventually};

const PATH: &str = "/api/v1/auth/logout-event";

/// Every report that was kept.
async fn kept(app: &TestApp) -> Vec<ClientReport> {
    let start = (Timestamp::from_ms(0), ReportNumber::default());
    let listed = app.store().client_report_list(start.0.into(), start.1, 1_000).await.unwrap();
    listed.into_iter().map(|(_, report)| report).collect()
}

fn dropped(app: &TestApp, reason: &str) -> f64 {
    app.metric(&format!("tenure_client_logout_events_dropped_total{{reason=\"{reason}\"}}"))
}

/// The one answer there is.
async fn taken(call: Call) -> Answer {
    let answer = call.send().await.expect(202).without_cookies();
    assert!(answer.body.is_empty(), "{}", answer.text());
    answer
}

/// Sends a report and gives what was kept of it, which is the only one.
async fn kept_of(app: &TestApp, body: &Value) -> ClientReport {
    app.sql("DELETE FROM client_report");
    taken(app.client.post(PATH, body)).await;
    let mut reports = kept(app).await;
    assert_eq!(reports.len(), 1, "{body}");
    reports.remove(0)
}

/// As the trackers that are out there send it: path with a slash, members under these names.
#[tokio::test]
async fn a_report_is_kept_as_it_was_sent_beside_what_we_know() {
    let app = TestApp::new().await;
    let body = json!({
        "type": "REFRESH_FAILED", "message": "Refresh token returned 401",
        "timestamp": (app.clock.get() - MINUTE).as_ms(), "idleMinutes": 23, "location": "/dashboard",
        "context": { "hasToken": true, "hasRefreshToken": false, "isAuthenticated": true },
        "reason": "session_revoked", "receipt": "R-7K3M-Q9TD", "session": format!("ses_{}", "1".repeat(32)),
        "release": "2026.11", "client": "@tenure/client 0.1.0",
    });
    let agent = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";
    taken(app.client.post(&format!("{PATH}/"), &body).header("user-agent", agent)).await;
    let [report] = &kept(&app).await[..] else { panic!("one report") };
    assert_eq!((report.received_at, report.address.as_str()), (app.clock.get(), "127.0.0.1"));
    assert_eq!((report.user_agent.as_deref(), report.browser.as_str()), (Some(agent), "Firefox on Linux"));
    assert_eq!(report.verified, None);
    let claims = &report.claims;
    assert_eq!((claims.kind, &claims.kind_said), (ReportKind::RefreshFailed, &None));
    assert_eq!((claims.at, claims.idle), (Some(app.clock.get() - MINUTE), Some(23 * MINUTE)));
    assert_eq!(
        (claims.has_token, claims.has_refresh_token, claims.is_authenticated),
        (Some(true), Some(false), Some(true))
    );
    for (text, expected) in [
        (&claims.message, "Refresh token returned 401"),
        (&claims.location, "/dashboard"),
        (&claims.reason, "session_revoked"),
        (&claims.receipt, "R-7K3M-Q9TD"),
        (&claims.session.map(|id| id.to_string()), &format!("ses_{}", "1".repeat(32))),
        (&claims.release, "2026.11"),
        (&claims.client, "@tenure/client 0.1.0"),
    ] {
        assert_eq!(text.as_deref(), Some(expected));
    }
    assert_eq!(app.metric("tenure_client_logout_events_total{type=\"REFRESH_FAILED\"}"), 1.0);
    let line = app.log_lines().pop().unwrap();
    assert_eq!((&line["outcome"], &line["path"]), (&json!("reported"), &json!(PATH)));
}

#[tokio::test]
async fn a_beacon_may_call_its_json_plain_text() {
    let app = TestApp::new().await;
    let browser = app.signed_in(&app.user("ada").await).await;
    for content_type in
        ["text/plain;charset=UTF-8", "text/plain", "application/json", "Application/JSON; charset=utf-8"]
    {
        taken(browser.call("POST", PATH).body(content_type, r#"{"type":"USER_ACTION"}"#)).await;
    }
    assert_eq!(app.metric("tenure_client_logout_events_total{type=\"USER_ACTION\"}"), 4.0);
    assert_eq!(kept(&app).await.len(), 4);
}

#[tokio::test]
async fn who_somebody_is_comes_from_an_authentic_token_and_never_from_the_body() {
    let app = TestApp::new().await;
    let (ada, eve) = (app.user("ada").await, app.user("eve").await);
    let (mut hers, victim) = (app.signed_in(&eve).await, app.signed_in(&ada).await);
    let forged = json!({
        "type": "AUTH_ERROR", "session": victim.session, "userId": ada.id, "user": ada.id, "sub": ada.id,
        "verified_user": ada.id, "verifiedSession": victim.session, "received_at": 1, "address": "198.51.100.7",
        "context": { "userId": ada.id, "userEmail": ada.email, "isAuthenticated": true },
    });
    let claimed = kept_of(&app, &forged).await;
    assert_eq!(claimed.verified, None);
    assert_eq!(claimed.claims.session.map(|id| id.to_string()), Some(victim.session.clone()));
    assert_eq!((claimed.address.as_str(), claimed.received_at), ("127.0.0.1", app.clock.get()));
    assert!(
        !format!("{claimed:?}").contains(&ada.email) && !format!("{claimed:?}").contains(&ada.id.to_string())
    );
    assert!(!app.log_lines().pop().unwrap().to_string().contains(&ada.id.to_string()));

    let her_token = hers.access.clone();
    let filed = async |token: &str| {
        app.sql("DELETE FROM client_report");
        taken(app.client.post(PATH, &forged).bearer(token)).await;
        let verified = kept(&app).await.remove(0).verified;
        verified.map(|(session, user)| (session.to_string(), user))
    };
    let eve_herself = Some((hers.session.clone(), eve.id));
    assert_eq!(filed(&her_token).await, eve_herself);
    hers.sign_out().await.expect(204);
    assert_eq!(filed(&her_token).await, eve_herself, "revoked");
    app.clock.advance(DAY);
    assert_eq!(filed(&her_token).await, eve_herself, "expired");
    assert_eq!(app.log_lines().pop().unwrap()["session"], json!(hers.session));
    let elsewhere = Setup::default().secret(9).start().await;
    let foreign = elsewhere.signed_in(&elsewhere.user("ada").await).await.access;
    for token in ["garbage", "a.b.c", &foreign, &victim.token(), &her_token[..her_token.len() - 3]] {
        assert_eq!(filed(token).await, None, "{token}");
    }
    victim.send_refresh().await.expect(200);
}

#[tokio::test]
async fn what_cannot_be_read_is_202_counted_and_dropped() {
    let app = TestApp::new().await;
    let good = json!({ "type": "USER_ACTION" }).to_string();
    let padded = |length: usize| format!("{}{}", good, " ".repeat(length - good.len()));
    let deep = format!("{{\"context\":{}{}}}", "[".repeat(1_500), "]".repeat(1_500));
    let cases: [(&str, &str, Vec<u8>); 16] = [
        ("application/json", "malformed_request", b"".to_vec()),
        ("application/json", "malformed_request", b"{\"type\":".to_vec()),
        ("text/plain", "malformed_request", b"USER_ACTION".to_vec()),
        ("application/json", "malformed_request", b"{\"message\":\"\xff\xfe\"}".to_vec()),
        ("application/json", "malformed_request", "\u{feff}{}".into()),
        ("application/json", "malformed_request", format!("{good}{good}").into()),
        ("application/json", "malformed_request", b"{\"timestamp\":1e309}".to_vec()),
        ("application/json", "malformed_request", deep.into()),
        ("application/json", "validation_failed", b"[\"USER_ACTION\"]".to_vec()),
        ("application/json", "validation_failed", b"\"USER_ACTION\"".to_vec()),
        ("application/json", "validation_failed", b"null".to_vec()),
        ("application/json", "validation_failed", b"{\"type\":\"A\",\"type\":\"B\"}".to_vec()),
        ("application/json", "payload_too_large", padded(4 * 1024 + 1).into()),
        ("application/x-www-form-urlencoded", "unsupported_media_type", good.clone().into()),
        ("application/json; charset=utf-7", "unsupported_media_type", good.clone().into()),
        ("", "unsupported_media_type", good.clone().into()),
    ];
    for (content_type, reason, body) in cases {
        let before = dropped(&app, reason);
        let shown = String::from_utf8_lossy(&body).chars().take(40).collect::<String>();
        taken(app.client.call("POST", PATH).body(content_type, body)).await;
        assert_eq!(dropped(&app, reason), before + 1.0, "{content_type}: {shown}");
        assert_eq!(app.log_lines().pop().unwrap()["outcome"], reason);
    }
    let packed = app.client.call("POST", PATH).header("content-encoding", "gzip");
    taken(packed.body("application/json", good.clone())).await;
    assert_eq!(dropped(&app, "unsupported_media_type"), 4.0);
    assert_eq!(kept(&app).await.len(), 0);
    taken(app.client.call("POST", PATH).body("application/json", padded(4 * 1024))).await;
    assert_eq!(kept(&app).await.len(), 1);
}

/// Ten megabytes are not waited for, whether their length is said or not.
#[tokio::test]
async fn a_body_without_end_is_202_before_it_has_arrived() {
    let app = TestApp::new().await;
    let head = format!("POST {PATH} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n");
    let chunk = "x".repeat(5_000);
    for body in [
        format!("content-length: 10485760\r\n\r\n{chunk}"),
        format!("transfer-encoding: chunked\r\n\r\n{:x}\r\n{chunk}\r\n", chunk.len()),
    ] {
        let mut raw = app.raw().await;
        raw.write(format!("{head}{body}")).await;
        assert_eq!(raw.answer().await.unwrap().status, 202);
        assert!(raw.is_closed().await, "the rest is not read");
    }
    assert_eq!(dropped(&app, "payload_too_large"), 2.0);
}

#[tokio::test]
async fn a_member_of_the_wrong_type_counts_as_left_out_and_the_rest_is_kept() {
    let app = TestApp::new().await;
    for wrong in [json!(null), json!([]), json!({ "a": 1 }), json!([["x"]])] {
        let members = [
            "type",
            "message",
            "timestamp",
            "idleMinutes",
            "location",
            "context",
            "reason",
            "receipt",
            "session",
            "release",
            "client",
        ];
        for member in members {
            let mut body = json!({ "type": "TOKEN_EXPIRED", "message": "the rest" });
            body[member] = wrong.clone();
            let claims = kept_of(&app, &body).await.claims;
            let kind = if member == "type" { ReportKind::Unknown } else { ReportKind::TokenExpired };
            assert_eq!((claims.kind, claims.kind_said), (kind, None), "{body}");
            assert_eq!(claims.message.is_some(), member != "message", "{body}");
            assert_eq!((claims.at, claims.idle, claims.location), (None, None, None), "{body}");
        }
        app.clock.advance(2 * MINUTE);
    }
    let wrong = json!({ "context": { "hasToken": "yes", "hasRefreshToken": 1, "isAuthenticated": true } });
    let claims = kept_of(&app, &wrong).await.claims;
    assert_eq!(
        (claims.has_token, claims.has_refresh_token, claims.is_authenticated),
        (None, None, Some(true))
    );
}

#[tokio::test]
async fn an_unknown_type_is_kept_as_unknown_with_its_own_word_cut_to_size() {
    let app = TestApp::new().await;
    for (said, kept) in
        [("TEST", "TEST"), ("user_action", "user_action"), (&"x".repeat(500), &"x".repeat(40))]
    {
        let claims = kept_of(&app, &json!({ "type": said, "message": "test" })).await.claims;
        assert_eq!((claims.kind, claims.kind_said.as_deref()), (ReportKind::Unknown, Some(kept)));
    }
    assert_eq!(app.metric("tenure_client_logout_events_total{type=\"UNKNOWN\"}"), 3.0);
    assert!(!app.app.metrics.render().contains("TEST"), "nobody invents labels");
}

#[tokio::test]
async fn times_from_the_future_are_cut_to_now_and_absurd_numbers_are_left_out() {
    let app = TestApp::new().await;
    let now = app.clock.get();
    for (timestamp, expected) in [
        (json!((now + DAY).as_ms()), Some(now)),
        (json!(9e300), Some(now)),
        (json!(i64::MAX), Some(now)),
        (json!((now - 3 * DAY).as_ms()), Some(now - 3 * DAY)),
        (json!(0), Some(Timestamp::from_ms(0))),
        (json!(-1), None),
        (json!("2026-11-20T00:00:00Z"), None),
    ] {
        let report = kept_of(&app, &json!({ "timestamp": timestamp })).await;
        assert_eq!((report.claims.at, report.received_at), (expected, now), "{timestamp}");
    }
    for (minutes, expected) in
        [(json!(-5), None), (json!(0.5), Some(MINUTE / 2)), (json!(1e300), Some(366 * DAY))]
    {
        let claims = kept_of(&app, &json!({ "idleMinutes": minutes })).await.claims;
        assert_eq!(claims.idle, expected, "{minutes}");
    }
}

#[tokio::test]
async fn secrets_and_control_characters_reach_neither_the_store_nor_the_log() {
    let app = TestApp::new().await;
    let browser = app.signed_in(&app.user("ada").await).await;
    let hostile = "a\nb\u{1b}[31m\u{9b}2J\u{0}c";
    let body = json!({
        "type": hostile, "message": format!("{hostile} token {} and {}", browser.token(), browser.access),
        "location": "https://ada:pass-secret@app.example.com/in/<script>alert(1)</script>?code=query-secret#fragment-secret",
        "reason": "<img src=x>", "receipt": hostile, "session": "ses_'; DROP TABLE session; --",
        "release": hostile.repeat(50), "client": hostile,
    });
    let claims = kept_of(&app, &body).await.claims;
    assert_eq!(
        claims.location.as_deref(),
        Some("/in/<script>alert(1)</script>"),
        "text, and no more than that"
    );
    assert_eq!((&claims.reason, claims.session), (&None, None));
    assert_eq!(claims.message.as_deref(), Some("ab[31m2Jc token [token] and [token]"));
    let texts =
        [claims.kind_said, claims.message, claims.location, claims.receipt, claims.release, claims.client];
    for text in texts.into_iter().flatten() {
        assert!(text.chars().count() <= 500 && !text.chars().any(char::is_control), "{text:?}");
        assert!(!text.contains("-secret") && !text.contains(&browser.token()[..20]), "{text}");
    }
    assert!(!app.log().contains("-secret") && !app.log().contains('\u{1b}') && !app.log().contains("31m"));
    app.log_lines();
}

#[tokio::test]
async fn a_flood_from_one_address_is_dropped_beyond_its_limit_and_hinders_nobody() {
    let app = Setup::default().set("SERVER__TRUSTED_PROXIES", "[\"127.0.0.1\"]").start().await;
    let mut browser = app.signed_in(&app.user("ada").await).await;
    let from = |address: &str| {
        app.client.post(PATH, &json!({ "type": "TOKEN_EXPIRED" })).header("x-forwarded-for", address)
    };
    let answers = at_once((0..200).map(|_| from("203.0.113.1"))).await;
    assert!(answers.iter().all(|answer| answer.status == 202));
    // Within the limit a report is still dropped where others would wait for the database because of it.
    let first = kept(&app).await.len();
    assert_eq!((first as f64 + dropped(&app, "overloaded"), dropped(&app, "rate_limited")), (30.0, 170.0));
    taken(from("203.0.113.2")).await;
    assert_eq!(kept(&app).await.len(), first + 1);
    browser.refresh_call().header("x-forwarded-for", "203.0.113.1").send().await.expect(200);
    browser.refresh().await.expect(200);
    app.clock.advance(MINUTE);
    taken(from("203.0.113.1")).await;
    assert_eq!(kept(&app).await.len(), first + 2);
    // Whoever has one address of IPv6 has a network of them.
    let before = dropped(&app, "overloaded");
    at_once((1..=60).map(|n| from(&format!("2001:db8::{n:x}")))).await;
    let shed = dropped(&app, "overloaded") - before;
    assert_eq!(kept(&app).await.len() as f64 + shed, (first + 32) as f64);
}

#[tokio::test]
async fn a_foreign_page_reports_nothing() {
    let app = TestApp::new().await;
    for (name, value) in [("origin", "https://evil.example"), ("sec-fetch-site", "cross-site")] {
        let call =
            app.client.call("POST", PATH).header(name, value).body("text/plain", r#"{"type":"USER_ACTION"}"#);
        call.send().await.expect(403).problem("origin_not_allowed");
    }
    assert_eq!(kept(&app).await.len(), 0);
    let call = app.client.post(PATH, &json!({})).header("origin", app.origin());
    taken(call.header("sec-fetch-site", "same-site")).await;
    assert_eq!(kept(&app).await.len(), 1);
}

#[tokio::test]
async fn a_store_that_fails_or_hangs_is_202_all_the_same() {
    let app = Setup::default().set("SERVER__REQUEST_TIMEOUT", "400ms").start().await;
    let report = || app.client.post(PATH, &json!({ "type": "USER_ACTION" }));
    app.faults.set("client_report_add", Fault::Fails(StoreError::Unavailable("ordered".into())));
    taken(report()).await;
    assert_eq!(dropped(&app, "storage_unavailable"), 1.0);
    app.faults.set("client_report_add", Fault::Fails(StoreError::Overloaded));
    taken(report()).await;
    assert_eq!(dropped(&app, "overloaded"), 1.0);
    app.faults.set("client_report_add", Fault::Waits(Arc::new(Semaphore::new(0))));
    taken(report()).await;
    assert_eq!(dropped(&app, "storage_unavailable"), 2.0);
    app.faults.clear();
    assert_eq!(app.metric("tenure_client_logout_events_total{type=\"USER_ACTION\"}"), 0.0);
}

#[tokio::test]
async fn reports_older_than_their_retention_are_forgotten_by_the_chores() {
    let app = Setup::default().set("STORE__CLIENT_REPORT_RETENTION", "2h").start().await;
    taken(app.client.post(PATH, &json!({ "message": "old" }))).await;
    app.clock.advance(HOUR);
    taken(app.client.post(PATH, &json!({ "message": "young" }))).await;
    app.clock.advance(HOUR + MINUTE);
    let chores = tokio::spawn(tenure::jobs::run(Arc::clone(&app.app)));
    eventually("the old one is gone", async || kept(&app).await.len() < 2).await;
    chores.abort();
    assert_eq!(kept(&app).await[0].claims.message.as_deref(), Some("young"));
}

#[tokio::test]
async fn evidence_is_kept_typed_bounded_and_without_secrets() {
    let app = TestApp::new().await;
    let token = format!("eyJ{}", "a".repeat(60));
    let body = json!({ "evidence": {
        "answer": { "status": 401, "path": format!("https://app.example/api/x?token={token}"), "code": "NOT A WORD",
            "isOurs": false, "agoMs": 1.9 },
        "error": { "message": format!("{token} {}", "x".repeat(500)), "agoMs": 4 },
        "accessLeftMs": -1e300, "clockAheadMs": "soon", "pageAgeMs": -1, "tokensFromTabs": 3, "other": [1],
    } });
    let evidence = kept_of(&app, &body).await.claims.evidence.unwrap();
    let (answer, error) = (evidence.answer.unwrap(), evidence.error.unwrap());
    assert_eq!((answer.status, answer.path.as_deref(), answer.ago_ms), (401, Some("/api/x"), 1));
    assert_eq!((answer.code, answer.is_ours), (None, Some(false)));
    assert!(error.message.starts_with("[token] xxx") && error.message.chars().count() == 100);
    assert_eq!((evidence.access_left_ms, evidence.clock_ahead_ms), (Some(i64::MIN), None));
    assert_eq!((evidence.page_age_ms, evidence.tokens_from_tabs), (None, Some(3)));
    for nothing in [
        json!({}),
        json!("all"),
        json!({ "answer": { "status": 99, "agoMs": 1 } }),
        json!({ "answer": { "status": 70000, "agoMs": 1 }, "error": { "message": " ", "agoMs": 1 } }),
    ] {
        assert_eq!(kept_of(&app, &json!({ "evidence": nothing })).await.claims.evidence, None, "{nothing}");
    }
}
