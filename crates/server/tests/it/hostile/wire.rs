//! HTTP that no client would send, byte by byte.

use std::fmt::Write as _;

use crate::world::{Raw, TestApp};

const LOGIN_HEAD: &str = "POST /api/v1/auth/login HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n";

/// Sends bytes on a connection of their own; gives status and code of the answer, or that the door was shut.
async fn send(app: &TestApp, bytes: &str) -> Option<(u16, String)> {
    let mut raw = app.raw().await;
    raw.write(bytes).await;
    raw.answer().await.map(|answer| (answer.status, answer.code()))
}

async fn alive(app: &TestApp) {
    app.client.get("/api/v1/system/ping").send().await.expect(200);
}

fn is_4xx(answer: &Option<(u16, String)>) -> bool {
    answer.as_ref().is_none_or(|(status, _)| (400..500).contains(status))
}

#[tokio::test]
async fn a_length_over_the_limit_is_refused_however_it_is_said() {
    let app = TestApp::new().await;
    let big = "x".repeat(17 * 1024);
    let said = format!("{LOGIN_HEAD}content-length: {}\r\n\r\n{big}", big.len());
    assert_eq!(send(&app, &said).await.unwrap(), (413, "payload_too_large".into()));
    let chunked =
        format!("{LOGIN_HEAD}transfer-encoding: chunked\r\n\r\n{:x}\r\n{big}\r\n0\r\n\r\n", big.len());
    assert_eq!(send(&app, &chunked).await.unwrap(), (413, "payload_too_large".into()));
    let mut dribble = format!("{LOGIN_HEAD}transfer-encoding: chunked\r\n\r\n");
    for _ in 0..20_000 {
        dribble += "1\r\nx\r\n";
    }
    assert_eq!(send(&app, &dribble).await.unwrap(), (413, "payload_too_large".into()));
    for length in ["-1", "1e3", "99999999999999999999999", "0x10", "5, 6", "+5"] {
        let answer = send(&app, &format!("{LOGIN_HEAD}content-length: {length}\r\n\r\n{{}}")).await;
        assert!(is_4xx(&answer), "{length}: {answer:?}");
    }
    alive(&app).await;
}

/// A request hidden in the body of another must not be answered as one.
#[tokio::test]
async fn a_length_beside_chunks_smuggles_nothing() {
    let app = TestApp::new().await;
    let hidden = "GET /api/v1/system/ping HTTP/1.1\r\nhost: hidden\r\nx-request-id: smuggled-request\r\n\r\n";
    for (length, chunked) in
        [("0", "chunked"), ("4", "chunked"), ("4", " chunked"), ("4", "xchunked"), ("4", "chunked, identity")]
    {
        let mut raw = app.raw().await;
        let body = format!("{:x}\r\n{hidden}\r\n0\r\n\r\n", hidden.len());
        let head =
            format!("{LOGIN_HEAD}content-length: {length}\r\ntransfer-encoding: {chunked}\r\n\r\n{body}");
        raw.write(head).await;
        while let Some(answer) = raw.answer().await {
            assert!((400..500).contains(&answer.status), "{chunked}: {answer:?}");
        }
    }
    assert!(!app.log().contains("smuggled-request"), "{}", app.log());
    alive(&app).await;
}

#[tokio::test]
async fn too_many_headers_and_too_large_a_head_are_refused() {
    let app = TestApp::new().await;
    for (count, length) in [(101, 1), (100_000, 1), (1, 500_000), (90, 5_000)] {
        let mut head = String::from("GET /api/v1/system/ping HTTP/1.1\r\nhost: x\r\n");
        for n in 0..count {
            let _ = write!(head, "x-{n}: {}\r\n", "y".repeat(length));
        }
        let answer = send(&app, &format!("{head}\r\n")).await;
        assert!(is_4xx(&answer), "{count} x {length}: {answer:?}");
    }
    let long = format!("GET /{} HTTP/1.1\r\nhost: x\r\n\r\n", "a".repeat(100_000));
    assert!(is_4xx(&send(&app, &long).await));
    alive(&app).await;
}

#[tokio::test]
async fn what_is_not_http_1_is_refused() {
    let app = TestApp::new().await;
    for bytes in [
        "\r\n\r\n",
        "garbage\r\n\r\n",
        "GET / HTTP/9.9\r\n\r\n",
        "GET  /  HTTP/1.1\r\nhost: x\r\n\r\n",
        "GET / HTTP/1.1\r\nhost x\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: x\r\n folded: header\r\n\r\n",
        "GET / HTTP/1.1\r\nname with space: x\r\n\r\n",
        "GET / HTTP/1.1\r\nx: a\0b\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "\u{16}\u{3}\u{1}\u{2}\u{0}\u{1}\r\n\r\n",
    ] {
        let mut raw: Raw = app.raw().await;
        raw.write(bytes).await;
        raw.finish().await;
        let answer = raw.answer().await;
        assert!(
            answer.as_ref().is_none_or(|answer| (400..500).contains(&answer.status)),
            "{bytes:?}: {answer:?}"
        );
    }
    alive(&app).await;
}

#[tokio::test]
async fn targets_of_every_form_are_routed_by_their_path_alone() {
    let app = TestApp::new().await;
    let cases = [
        ("GET http://evil.example/api/v1/system/ping", 200),
        ("GET http://user:pass@127.0.0.1:1/api/v1/system/ping", 200),
        ("GET /api/v1/system/ping?x=%00&y=../..", 200),
        ("GET /api/v1/../v1/system/ping", 404),
        ("GET /api/v1/system/%70ing", 404),
        ("GET /api/v1/system/ping%00", 404),
        ("GET /api/v1/system/ping;x=1", 404),
        ("GET //api/v1/system/ping", 404),
        ("GET /API/V1/SYSTEM/PING", 404),
        ("TRACE /api/v1/auth/refresh", 405),
        ("TRACK /api/v1/auth/refresh", 405),
    ];
    for (target, status) in cases {
        let answer = send(&app, &format!("{target} HTTP/1.1\r\nhost: x\r\n\r\n")).await;
        assert_eq!(answer.map(|(status, _)| status), Some(status), "{target}");
    }
    for target in
        ["OPTIONS *", "CONNECT evil.example:443", "GET *", "GET api/v1/system/ping", "GET ?", "GET /\u{e9}"]
    {
        let answer = send(&app, &format!("{target} HTTP/1.1\r\nhost: x\r\n\r\n")).await;
        assert!(answer.as_ref().is_none_or(|(status, _)| *status < 500), "{target}: {answer:?}");
    }
    alive(&app).await;
}

/// Nothing that is answered is made from the Host header or its forwarded kin (A20).
#[tokio::test]
async fn host_and_forwarded_headers_change_no_answer() {
    let app = TestApp::new().await;
    let user = app.user("ada").await;
    let body = serde_json::json!({ "email": user.email, "password": crate::world::PASSWORD }).to_string();
    for host in
        ["evil.example", "127.0.0.1:1", "[::1]:7700", "xn--bcher-kva.example", "a b", "evil.example/../x", ""]
    {
        let head = format!(
            "POST /api/v1/auth/login HTTP/1.1\r\nhost: {host}\r\nx-forwarded-host: evil.example\r\nx-forwarded-proto: https\r\n\
             forwarded: host=evil.example\r\nx-original-url: /admin\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        let mut raw = app.raw().await;
        raw.write(head).await;
        let Some(answer) = raw.answer().await else { continue };
        assert!(matches!(answer.status, 200 | 400), "{host}: {answer:?}");
        assert!(!answer.body.contains("evil") && !answer.head.contains("evil"), "{answer:?}");
        if answer.status == 200 {
            let token =
                serde_json::from_str::<serde_json::Value>(&answer.body).unwrap()["access_token"].clone();
            let claims = super::token::part(token.as_str().unwrap(), 1);
            assert_eq!(claims["iss"], app.origin());
        }
    }
}

/// A body that breaks off, and one that never comes: bounded by the request's own time limit.
#[tokio::test]
async fn a_body_that_never_comes_is_given_up_on() {
    let app = crate::world::Setup::default().set("SERVER__REQUEST_TIMEOUT", "2s").start().await;
    let mut raw = app.raw().await;
    raw.write(format!("{LOGIN_HEAD}content-length: 100\r\n\r\n{{\"email\":")).await;
    let answer = raw.answer().await.expect("an answer");
    assert_eq!((answer.status, answer.code().as_str()), (408, "request_timeout"));
    alive(&app).await;
}

#[tokio::test]
async fn a_hundred_half_open_connections_are_in_nobodys_way() {
    let app = TestApp::new().await;
    let mut held = vec![];
    for _ in 0..100 {
        let mut raw = app.raw().await;
        raw.write("POST /api/v1/auth/login HTTP/1.1\r\nhos").await;
        held.push(raw);
    }
    alive(&app).await;
    app.signed_in(&app.user("ada").await).await.send_refresh().await.expect(200);
}

#[tokio::test]
async fn an_expectation_to_continue_is_met_and_requests_may_share_a_connection() {
    let app = TestApp::new().await;
    let mut raw = app.raw().await;
    let ping = "GET /api/v1/system/ping HTTP/1.1\r\nhost: x\r\n\r\n";
    for _ in 0..3 {
        raw.write(ping).await;
        assert_eq!(raw.answer().await.unwrap().status, 200);
    }
    let body = "{}";
    raw.write(format!("{LOGIN_HEAD}expect: 100-continue\r\ncontent-length: 2\r\n\r\n")).await;
    assert_eq!(raw.answer().await.unwrap().status, 100);
    raw.write(body).await;
    assert_eq!(raw.answer().await.unwrap().status, 422);
}
