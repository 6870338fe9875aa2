//! What wants a password that was typed a little while ago.

use serde_json::{Value, json};
use tenure_domain::console::ConsoleToken;
use tenure_domain::user::Role;
use tenure_rig::Redis;
use tenure_store::{ConsoleKey, ConsolePayload, StoreError};

use super::{SESSION, cookie, look, somebody};
use crate::world::{Answer, Fault, HOUR, MINUTE, PASSWORD, SECOND, Setup, TestApp, User, eventually};

async fn confirm(app: &TestApp, cookie: &str, password: &str) -> Answer {
    let typed = json!({ "password": password });
    app.client.post(&format!("{SESSION}/confirm"), &typed).header("cookie", cookie).send().await
}

async fn act(app: &TestApp, cookie: &str, method: &str, path: &str, body: &Value) -> Answer {
    app.client.call(method, &format!("/api/v1/admin{path}")).header("cookie", cookie).json(body).send().await
}

/// Everything that wants one, of a user who is there, and what it is answered if one is fresh.
async fn wanting(app: &TestApp, user: &User, session: &str) -> Vec<(&'static str, String, Value, u16)> {
    let asked = || json!({ "reason": "asked" });
    let of_user = |end: &str| format!("/users/{}{end}", user.id);
    let kid = app.store().key_list().await.unwrap()[0].kid.clone();
    let key = "key_00000000000000000000000000000007";
    let account = app.store().account_list(None, 1).await.unwrap()[0].id;
    let plan = json!({ "name": "Pro", "is_active": true, "limits": {}, "features": [], "reason": "asked" });
    let new = json!({ "email": "new@example.com", "name": "New", "role": "superuser",
        "password": "a long password of theirs", "reason": "asked" });
    vec![
        ("POST", "/users".into(), new, 201),
        ("PUT", "/plans/pro".into(), plan, 200),
        ("PATCH", format!("/accounts/{account}"), json!({ "plan": "pro", "reason": "asked" }), 200),
        ("PATCH", format!("/accounts/{account}"), json!({ "status": "suspended", "reason": "asked" }), 200),
        ("PATCH", format!("/accounts/{account}"), json!({ "is_system": true, "reason": "asked" }), 200),
        ("PATCH", of_user(""), json!({ "role": "admin", "reason": "asked" }), 200),
        ("POST", of_user("/sign-out"), asked(), 200),
        ("POST", of_user("/password"), json!({ "password": "another long one", "reason": "asked" }), 200),
        ("POST", of_user("/password-reset"), asked(), 200),
        ("POST", of_user("/disable"), asked(), 200),
        ("POST", of_user("/enable"), asked(), 200),
        ("POST", format!("/sessions/{session}/end"), asked(), 200),
        ("POST", format!("/api-keys/{key}/revoke"), asked(), 404),
        ("POST", format!("/signing-keys/{kid}/retire"), asked(), 422),
        ("POST", "/signing-keys/rotate".into(), asked(), 200),
        ("DELETE", of_user("?reason=asked"), asked(), 200),
    ]
}

#[tokio::test]
async fn what_harms_wants_a_fresh_password_of_the_console_and_of_nobody_else() {
    let app = TestApp::new().await;
    let root = somebody(&app, "root", Role::Superuser).await;
    let (ada, key_of) = (app.user("ada").await, app.signed_in(&root).await);
    let session = app.signed_in(&ada).await.session;
    let cookie = cookie(&app, &root).await;
    app.clock.advance(10 * MINUTE);
    let acts = wanting(&app, &ada, &session).await;
    let before = app.store().user_find(ada.id).await.unwrap();
    for (method, path, body, _) in &acts {
        let answer = act(&app, &cookie, method, path, body).await.expect(403).without_cookies();
        assert_eq!(answer.problem("fresh_password_required")["class"], "authorization", "{path}");
    }
    assert!(app.store().user_find(ada.id).await.unwrap() == before);
    // Reading, and what can be taken back, wants none; and nobody is signed out.
    act(&app, &cookie, "POST", "/accounts", &json!({ "name": "New", "reason": "asked" })).await.expect(201);
    app.client.get("/api/v1/admin/users").header("cookie", &cookie).send().await.expect(200);
    let bearer = |method: &str, path: &str, body: &Value| {
        key_of.call(method, &format!("/api/v1/admin{path}")).bearer(&key_of.access).json(body)
    };
    bearer("POST", &format!("/users/{}/enable", ada.id), &json!({ "reason": "asked" }))
        .send()
        .await
        .expect(200);
    let told = confirm(&app, &cookie, PASSWORD).await.expect(200).without_cookies().json();
    let now = app.clock.get().as_ms();
    assert_eq!((&told["confirmed_at"], &told["fresh_until"]), (&json!(now), &json!(now + 600_000)));
    assert_eq!(look(&app, &cookie).await.expect(200).json(), told);
    app.clock.advance(10 * MINUTE - SECOND);
    for (method, path, body, expected) in &acts {
        act(&app, &cookie, method, path, body).await.expect(*expected);
    }
}

#[tokio::test]
async fn a_confirmation_takes_the_right_password_and_is_counted_with_the_sign_ins() {
    let app = Setup::default().set("LIMITS__SIGN_IN_PER_ACCOUNT_PER_MINUTE", "4").start().await;
    let root = somebody(&app, "root", Role::Superuser).await;
    let cookie = cookie(&app, &root).await;
    app.clock.advance(10 * MINUTE);
    for wrong in ["a wrong guess", "", &"x".repeat(5_000)] {
        confirm(&app, &cookie, wrong).await.expect(401).without_cookies().problem("invalid_credentials");
    }
    let asked = json!({ "reason": "asked" });
    act(&app, &cookie, "POST", "/signing-keys/rotate", &asked).await.expect(403);
    confirm(&app, &cookie, "a wrong guess").await.expect(401);
    confirm(&app, &cookie, PASSWORD).await.expect(429).problem("rate_limited");
    app.client.login(&root.email, PASSWORD).await.expect(429);
    // It goes on being signed in.
    look(&app, &cookie).await.expect(200);
    app.clock.advance(MINUTE);
    confirm(&app, &cookie, PASSWORD).await.expect(200);
    act(&app, &cookie, "POST", "/signing-keys/rotate", &asked).await.expect(200);
    assert_eq!(app.metric("sign_in_attempts_total{method=\"console_confirm\",outcome=\"ok\"}"), 1.0);
    confirm(&app, "theme=dark", PASSWORD).await.expect(401).problem("access_token_missing");
    let body = json!({ "password": PASSWORD });
    let foreign = app.client.post(&format!("{SESSION}/confirm"), &body).header("cookie", &cookie);
    foreign.header("origin", "https://evil.example").send().await.expect(403).problem("origin_not_allowed");
}

#[tokio::test]
async fn a_confirmation_never_brings_a_session_back_and_never_outlives_its_lifetime() {
    let app = TestApp::new().await;
    let root = somebody(&app, "root", Role::Superuser).await;
    let (kept, gone) = (cookie(&app, &root).await, cookie(&app, &root).await);
    app.expect_failure("storage_unavailable");
    app.faults.set("console_session_renew", Fault::Fails(StoreError::Unavailable("planted".into())));
    confirm(&app, &gone, PASSWORD).await.expect(503).without_cookies();
    app.faults.clear();
    app.client.call("DELETE", SESSION).header("cookie", &gone).send().await.expect(204);
    confirm(&app, &gone, PASSWORD).await.expect(401).problem("access_token_expired");
    look(&app, &gone).await.expect(401);
    let signed_in = app.clock.get();
    for _ in 0..12 * 3 - 1 {
        app.clock.advance(20 * MINUTE);
        let told = confirm(&app, &kept, PASSWORD).await.expect(200).json();
        assert_eq!(told["ends_at"], (signed_in + 12 * HOUR).as_ms());
        assert!(told["expires_at"].as_i64() <= told["ends_at"].as_i64());
    }
    app.clock.advance(20 * MINUTE);
    confirm(&app, &kept, PASSWORD).await.expect(401).problem("access_token_expired");
}

#[tokio::test]
async fn a_session_of_before_there_were_confirmations_was_confirmed_when_it_began() {
    let app = TestApp::new().await;
    let root = somebody(&app, "root", Role::Superuser).await;
    let cookie = cookie(&app, &root).await;
    // As an earlier version wrote it.
    let version = app.store().user_find(root.id).await.unwrap().unwrap().token_version;
    let payload = ConsolePayload::new(format!("{{\"token_version\":{version}}}").into_bytes());
    let token = ConsoleToken::read(cookie.split_once('=').unwrap().1).unwrap();
    let (key, now) = (ConsoleKey(token.hash()), app.clock.get());
    assert!(app.store().console_session_renew(key, now + 20 * MINUTE, payload, now).await.unwrap());
    let told = look(&app, &cookie).await.expect(200).json();
    assert_eq!(told["confirmed_at"], told["created_at"]);
    app.clock.advance(10 * MINUTE);
    act(&app, &cookie, "POST", "/signing-keys/rotate", &json!({ "reason": "x" })).await.expect(403);
}

#[tokio::test]
async fn with_redis_a_confirmation_is_known_to_every_node() {
    let redis = Redis::start();
    let setup = Setup::default().set("REDIS__URL", &redis.url());
    let app = setup.start().await;
    eventually("Redis is found", async || app.app.redis.as_ref().unwrap().is_up()).await;
    let root = somebody(&app, "root", Role::Superuser).await;
    let cookie = cookie(&app, &root).await;
    app.clock.advance(10 * MINUTE);
    let told = confirm(&app, &cookie, PASSWORD).await.expect(200).json();
    assert_eq!(told["confirmed_at"], app.clock.get().as_ms());
    assert_eq!(look(&app, &cookie).await.expect(200).json(), told);
}
