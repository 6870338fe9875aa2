//! What travels into the log: one line of JSON per request, whatever stands in it.

use crate::world::{PASSWORD, Setup, TestApp};

#[tokio::test]
async fn nothing_breaks_the_one_line_of_json() {
    let app = TestApp::new().await;
    let forged = r#"x"} {"level":"INFO","message":"forged","status":200}"#;
    for agent in ["\u{9b}31mred", forged, "a\tb", "${jndi:ldap://x}", "[AUTO-LOGOUT]", "=cmd|' /C calc'!A0"] {
        app.client.get("/api/v1/system/ping").header("user-agent", agent).send().await.expect(200);
        app.client.get("/api/v1/system/ping").header("x-request-id", agent).send().await.expect(200);
    }
    app.client
        .get("/api/v1/system/ping")
        .header("user-agent", b"\xff\xfe\x80".as_slice())
        .send()
        .await
        .expect(200);
    for path in ["/%0a%7B%22level%22:%22ERROR%22%7D", "/%1b[31m", "/%0d%0aSet-Cookie:x=y", "/a\"b", "/😀"] {
        app.client.get(path).send().await.expect(404);
    }
    let lines = app.log_lines();
    assert_eq!(lines.len(), app.log().lines().count());
    assert!(lines.iter().all(|line| line["message"] == "request" && line["level"] == "INFO"));
    assert!(app.log().bytes().all(|byte| byte == b'\n' || byte >= b' '), "no control characters");
    let mut raw = app.raw().await;
    raw.write("GET /x HTTP/1.1\r\nhost: x\r\nuser-agent: a\u{1b}[31m\r\n\r\n").await;
    raw.answer().await;
    app.log_lines();
}

#[tokio::test]
async fn the_canonical_line_tells_the_request_and_what_became_of_it() {
    let app = TestApp::new().await;
    let user = app.user("ada").await;
    let browser = app.signed_in(&user).await;
    browser.refresh_call().header("x-request-id", "request-number-17").send().await.expect(200);
    let line = app.log_lines().pop().unwrap();
    for (member, expected) in [
        ("request_id", "request-number-17"),
        ("method", "POST"),
        ("path", "/api/v1/auth/refresh"),
        ("address", "127.0.0.1"),
        ("user", &user.id.to_string()),
        ("session", &browser.session),
        ("outcome", "repeated"),
        ("timestamp", &app.clock.get().to_string()),
    ] {
        assert_eq!(line[member], expected, "{line}");
    }
    assert_eq!(line["status"], 200);
    let refused = app.client.call("POST", "/api/v1/auth/refresh").send().await.expect(401);
    let line = app.log_lines().pop().unwrap();
    assert_eq!((&line["code"], &line["request_id"]), (&"no_session".into(), &refused.json()["request_id"]));
}

#[tokio::test]
async fn forwarded_addresses_are_logged_and_kept_only_from_trusted_proxies() {
    for (trusted, expected) in [
        ("[]", "127.0.0.1"),
        ("[\"127.0.0.1\"]", "203.0.113.9"),
        ("[\"127.0.0.0/8\"]", "203.0.113.9"),
        ("[\"10.0.0.0/8\"]", "127.0.0.1"),
    ] {
        let app = Setup::default().set("SERVER__TRUSTED_PROXIES", trusted).start().await;
        let user = app.user("ada").await;
        let body = serde_json::json!({ "email": user.email, "password": PASSWORD });
        let call = app.client.post("/api/v1/auth/login", &body).header("x-forwarded-for", "203.0.113.9");
        let answer = call.send().await.expect(200);
        assert_eq!(app.log_lines().pop().unwrap()["address"], expected);
        let list = app.client.get("/api/v1/auth/sessions").bearer(&answer.access_token()).send().await;
        assert_eq!(list.json()["sessions"][0]["address"], expected);
    }
}

#[tokio::test]
async fn a_query_is_not_logged_for_it_may_hold_what_somebody_put_there_by_mistake() {
    let app = TestApp::new().await;
    app.client.get("/api/v1/system/ping?access_token=oops-in-the-query").send().await.expect(200);
    assert!(!app.log().contains("oops-in-the-query"));
}

#[tokio::test]
async fn lines_for_people_are_one_each_and_move_no_cursor() {
    let app = Setup::default().human_log().start().await;
    let mut raw = app.raw().await;
    raw.write("GET /a\u{9b}31m\u{85}b HTTP/1.1\r\nhost: x\r\nuser-agent: a\u{1b}[2J\r\n\r\n").await;
    raw.answer().await;
    for path in ["/%0aforged", "/%1b[31m", "/\u{202e}txt"] {
        app.client.get(path).header("user-agent", "\u{9b}2J").send().await.expect(404);
    }
    assert!(app.log().lines().count() >= 3);
    assert!(app.log().chars().all(|c| c == '\n' || !c.is_control()), "{:?}", app.log());
}
