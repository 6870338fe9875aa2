//! Bodies that are no JSON, or JSON of a kind that parsers trip over.

use serde_json::json;

use crate::world::{Answer, PASSWORD, TestApp};

const LOGIN: &str = "/api/v1/auth/login";

async fn login_with(app: &TestApp, content_type: &str, body: impl Into<Vec<u8>>) -> Answer {
    app.client.call("POST", LOGIN).body(content_type, body).send().await
}

fn good() -> String {
    json!({ "email": "ada@example.com", "password": PASSWORD }).to_string()
}

#[tokio::test]
async fn what_is_not_json_is_400() {
    let app = TestApp::new().await;
    app.user("ada").await;
    let nested = format!("{{\"more\":{}{}}}", "[".repeat(5_000), "]".repeat(5_000));
    for body in [
        "".into(),
        "{".into(),
        "}".into(),
        "nul".into(),
        format!("\u{feff}{}", good()),
        format!("{} trailing", good()),
        format!("{}{}", good(), good()),
        format!("{},", good()),
        "{'email':'ada@example.com'}".into(),
        r#"{"email":"\ud800","password":"x"}"#.into(),
        r#"{"email":"\udc00\ud800","password":"x"}"#.into(),
        r#"{"email":"\x41","password":"x"}"#.into(),
        "{\"email\":\"a\nb\",\"password\":\"x\"}".into(),
        r#"{"email":"a","password":"x","more":01}"#.into(),
        nested,
        format!("{{\"a\":{}", "[".repeat(10_000)),
    ] {
        let shown: String = body.chars().take(40).collect();
        let answer = login_with(&app, "application/json", body).await;
        assert_eq!((answer.status, answer.code().as_str()), (400, "malformed_request"), "{shown}");
    }
    let answer =
        login_with(&app, "application/json", b"{\"email\":\"\xff\xfe\",\"password\":\"x\"}".to_vec()).await;
    assert_eq!(answer.status, 400);
    login_with(&app, "application/json", good()).await.expect(200);
}

#[tokio::test]
async fn json_of_the_wrong_shape_is_4xx_and_is_not_repeated_back() {
    let app = TestApp::new().await;
    for body in [
        "[]",
        "[\"ada@example.com\",\"secret-in-a-wrong-place\"]",
        " \n [1]",
        "null",
        "7",
        "\"secret-in-a-wrong-place\"",
        "{}",
        r#"{"email":"ada@example.com"}"#,
        r#"{"email":null,"password":"secret-in-a-wrong-place"}"#,
        r#"{"email":["secret-in-a-wrong-place"],"password":"x"}"#,
        r#"{"email":"a@example.com","password":{"$ne":null}}"#,
        r#"{"email":"a@example.com","password":1e309}"#,
        r#"{"email":"a@example.com","password":"x","remember_me":"secret-in-a-wrong-place"}"#,
        r#"{"email":"a@example.com","email":"b@example.com","password":"x"}"#,
        r#"{"email":"a@example.com","password":"x","password":"y"}"#,
        r#"{"email":"a@example.com","password":"x","remember_me":true,"remember_me":false}"#,
    ] {
        let answer = login_with(&app, "application/json", body).await;
        assert!(matches!(answer.status, 400 | 422), "{body}: {}", answer.status);
        assert!(matches!(answer.code().as_str(), "malformed_request" | "validation_failed"), "{body}");
        assert!(!answer.text().contains("secret-in-a-wrong-place"), "{}", answer.text());
    }
    assert!(!app.log().contains("secret-in-a-wrong-place"));
}

#[tokio::test]
async fn unknown_members_and_prototype_keys_are_ignored_and_give_no_rights() {
    let app = TestApp::new().await;
    app.user("ada").await;
    let body = r#"{"__proto__":{"role":"admin"},"constructor":{"prototype":{}},"role":"superuser","token_version":9,
        "email":"ada@example.com","password":"correct horse battery","session":{"expires_at":9e15}}"#;
    let answer = login_with(&app, "application/json", body).await.expect(200);
    assert_eq!(answer.json()["user"]["role"], "user");
    assert_eq!(answer.json()["session"]["remembered"], false);
}

/// What a foreign page could send without asking first, and what would have to be unpacked.
#[tokio::test]
async fn only_plain_json_in_utf_8_is_taken() {
    let app = TestApp::new().await;
    app.user("ada").await;
    for content_type in [
        "text/plain",
        "text/plain;application/json",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/json; charset=utf-7",
        "application/json;charset=\"utf-16\"",
        "application/jsonp",
        "application/json, text/plain",
        "text/json",
        "*/*",
    ] {
        let answer = login_with(&app, content_type, good()).await;
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (415, "unsupported_media_type"),
            "{content_type}"
        );
    }
    for content_type in [
        "application/json",
        "APPLICATION/JSON",
        "application/json; charset=UTF-8",
        "application/json;charset=\"utf-8\"",
    ] {
        login_with(&app, content_type, good()).await.expect(200);
    }
    for encoding in ["gzip", "br", "deflate", "identity", "zstd"] {
        let call = app.client.call("POST", LOGIN).header("content-encoding", encoding);
        call.body("application/json", good()).send().await.expect(415).problem("unsupported_media_type");
    }
    let call = app.client.call("POST", LOGIN).header("content-type", "application/json");
    call.body("text/plain", good()).send().await.expect(200);
}

#[tokio::test]
async fn a_body_at_the_limit_is_read_and_one_over_it_is_413() {
    let app = TestApp::new().await;
    app.user("ada").await;
    let padded = |length: usize| {
        let body = good();
        format!("{}{}{}", &body[..body.len() - 1], " ".repeat(length - body.len()), '}')
    };
    login_with(&app, "application/json", padded(16 * 1024)).await.expect(200);
    let answer = login_with(&app, "application/json", padded(16 * 1024 + 1)).await;
    answer.expect(413).problem("payload_too_large");
}
