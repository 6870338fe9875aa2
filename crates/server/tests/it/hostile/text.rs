//! E-mail addresses, passwords and names with everything that Unicode has to offer (A23).

use serde_json::json;

use crate::world::{Answer, PASSWORD, TestApp};

async fn register(app: &TestApp, email: &str, password: &str) -> Answer {
    let body = json!({ "email": email, "password": password, "name": "Ada" });
    app.client.post("/api/v1/auth/register", &body).send().await
}

#[tokio::test]
async fn what_is_no_address_is_refused_and_not_repeated_back() {
    let app = TestApp::new().await;
    let long_label = format!("ada@{}.com", "a".repeat(64));
    let long_local = format!("{}@example.com", "a".repeat(65));
    let long = format!(
        "{}@{}.com",
        "a".repeat(60),
        ["b".repeat(60), "c".repeat(60), "d".repeat(60), "e".repeat(60)].join(".")
    );
    for email in [
        "ada@example.com\r\nBcc: eve@example.com",
        "ada@example.com\nX: y",
        "ada@example.com,eve@example.com",
        "ada@example.com;eve@example.com",
        "\"ada lovelace\"@example.com",
        "ada@[127.0.0.1]",
        "ada@127.0.0.1",
        "ada@localhost",
        "ada@@example.com",
        "a@b@example.com",
        "ada@example.com.",
        "a\u{200b}da@example.com",
        "\u{202e}moc.elpmaxe@ada",
        "ada\u{0}@example.com",
        "ada@exa\u{0}mple.com",
        "ada@example.com\u{feff}x",
        "<script>alert(1)</script>@example.com",
        "ada@example.com</script>",
        "{{7*7}}@{{7*7}}",
        "../../etc/passwd",
        "' OR 1=1 --",
        &long_label,
        &long_local,
        &long,
        &"a".repeat(10_000),
    ] {
        let answer = register(&app, email, PASSWORD).await;
        assert_eq!(answer.status, 422, "{email:?}: {}", answer.text());
        assert_eq!(answer.problem("validation_failed")["errors"][0]["field"], "email");
        assert!(!answer.text().contains("script") && !answer.text().contains("eve@"), "{}", answer.text());
        app.client.login(email, PASSWORD).await.expect(401).problem("invalid_credentials");
    }
}

/// Normalised first, then validated, then compared: twins are one account, look-alikes are others.
#[tokio::test]
async fn twins_are_one_account_and_look_alikes_are_not() {
    let app = TestApp::new().await;
    for (first, twin) in [
        ("ada@example.com", "ADA\u{FF20}EXAMPLE.COM"),
        ("ädä@example.com", "a\u{308}da\u{308}@example.com"),
        ("bob@bücher.example", "bob@xn--bcher-kva.example"),
        ("\u{FB01}@example.com", "fi@example.com"),
    ] {
        register(&app, first, PASSWORD).await.expect(201);
        register(&app, twin, PASSWORD).await.expect(409).problem("email_taken");
        let one = app.client.login(first, PASSWORD).await.expect(200).json()["user"]["id"].clone();
        assert_eq!(app.client.login(twin, PASSWORD).await.expect(200).json()["user"]["id"], one);
    }
    // Cyrillic а, Greek ο, a dotless i: other people, if anybody.
    for other in
        ["\u{430}da@example.com", "ada@ex\u{430}mple.com", "ada+tag@example.com", "ad\u{e0}@example.com"]
    {
        app.client.login(other, PASSWORD).await.expect(401);
        let answer = register(&app, other, "quite another password").await;
        assert!(matches!(answer.status, 201 | 422), "{other}: {}", answer.text());
        app.client.login("ada@example.com", PASSWORD).await.expect(200);
    }
}

#[tokio::test]
async fn passwords_may_hold_anything_and_are_neither_trimmed_nor_cut() {
    let app = TestApp::new().await;
    let cases = [
        ("nul", "before\u{0}after and more".to_owned(), "before".to_owned()),
        ("emoji", "🔐🐎🔋📎🔐🐎🔋📎".to_owned(), "🔐🐎🔋📎".to_owned()),
        ("spaces", "  leading and trailing  ".to_owned(), "leading and trailing".to_owned()),
        ("bytes72", "x1".repeat(40), "x1".repeat(36)),
        ("longest", "ab".repeat(128), "ab".repeat(127)),
        ("case", "Mixed Case Secret".to_owned(), "mixed case secret".to_owned()),
        ("combining", "e\u{301}e\u{301}e\u{301} secret".to_owned(), "eee secret".to_owned()),
    ];
    for (name, password, near) in &cases {
        let email = format!("{name}@example.com");
        register(&app, &email, password).await.expect(201);
        app.client.login(&email, password).await.expect(200);
        for wrong in [near.as_str(), &format!("{password} "), password.trim_end_matches(|c| c != '\u{0}')] {
            if wrong != password {
                app.client.login(&email, wrong).await.expect(401);
            }
        }
    }
    // The same keys on two keyboards are one password.
    app.client.login("combining@example.com", "\u{e9}\u{e9}\u{e9} secret").await.expect(200);
}

#[tokio::test]
async fn passwords_that_are_too_long_are_refused_before_any_work() {
    let app = TestApp::new().await;
    let user = app.user("ada").await;
    let hashes = app.metric("password_hash_duration_seconds_count");
    register(&app, "new@example.com", &"x1".repeat(129)).await.expect(422).problem("validation_failed");
    app.client.login(&user.email, &"x".repeat(15_000)).await.expect(401).problem("invalid_credentials");
    let megabyte = register(&app, "new@example.com", &"x".repeat(15 * 1024)).await;
    assert!(matches!(megabyte.status, 413 | 422), "{}", megabyte.status);
    assert_eq!(app.metric("password_hash_duration_seconds_count"), hashes);
}
