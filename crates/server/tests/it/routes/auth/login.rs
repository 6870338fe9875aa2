//! `POST /api/v1/auth/login`

use serde_json::json;
use tenure_domain::ends::{Actor, EndReason};
use tenure_store::{EndOrder, StoreError};

use crate::world::{DAY, Fault, PASSWORD, Setup, TestApp};

#[tokio::test]
async fn a_sign_in_is_answered_with_everything_a_client_needs() {
    let app = TestApp::new().await;
    let user = app.user("ada").await;
    let mut browser = app.browser();
    let answer = browser.login("Ada@Example.com", PASSWORD, true).await.expect(200);
    let body = answer.json();
    let members: Vec<_> = body.as_object().unwrap().keys().cloned().collect();
    assert_eq!(members, ["access_token", "expires_in", "server_time", "session", "token_type", "user"]);
    let now = app.clock.get().as_ms();
    let expected = json!({
        "id": body["session"]["id"], "remembered": true, "created_at": now, "expires_at": now + 1_728_000_000,
    });
    assert_eq!(body["session"], expected);
    assert_eq!(body["user"]["id"], user.id.to_string());
    assert_eq!(body["server_time"], now);
    assert!((810..=900).contains(&body["expires_in"].as_i64().unwrap()));
    browser.profile().await.expect(200);
}

#[tokio::test]
async fn the_cookie_of_a_remembered_session_outlives_it_by_a_day() {
    let app = TestApp::new().await;
    let answer = app.signed_in(&app.user("ada").await).await.send_refresh().await;
    let session = answer.session_id();
    let line = answer.set_cookies()[0];
    let hex = session.strip_prefix("ses_").unwrap();
    assert!(line.starts_with(&format!("tenure_{}=tnr1_", &hex[18..26])), "{line}");
    assert!(line.ends_with("; Path=/api/v1/auth/refresh; HttpOnly; SameSite=Lax; Max-Age=1814400"), "{line}");
}

#[tokio::test]
async fn in_production_the_cookie_is_secure_and_prefixed() {
    let app = Setup::default().production().start().await;
    let mut browser = app.signed_in(&app.user("ada").await).await;
    let cookie = browser.cookies().only().clone();
    assert!(cookie.name.starts_with("__Secure-tenure_"));
    browser.refresh().await.expect(200);
}

#[tokio::test]
async fn wrong_credentials_are_one_answer_whatever_was_wrong() {
    let app = TestApp::new().await;
    app.user("ada").await;
    let mut bodies = vec![];
    for (email, password) in [
        ("ada@example.com", "wrong password"),
        ("nobody@example.com", PASSWORD),
        ("not an address", PASSWORD),
        ("", ""),
        ("ada@example.com", &"x".repeat(5_000)),
    ] {
        let answer = app.client.login(email, password).await.expect(401).without_cookies();
        let mut body = answer.problem("invalid_credentials");
        body["request_id"] = json!("");
        bodies.push(body);
    }
    assert!(bodies.windows(2).all(|pair| pair[0] == pair[1]), "{bodies:?}");
}

#[tokio::test]
async fn a_disabled_user_is_told_so_only_with_the_right_password() {
    let app = TestApp::new().await;
    let user = app.user("ada").await;
    let order = EndOrder {
        reason: EndReason::UserDisabled,
        actor: Actor::User,
        note: None,
        whence: Default::default(),
    };
    app.store().user_disable(user.id, order, app.clock.get()).await.unwrap();
    let answer = app.client.login(&user.email, PASSWORD).await.expect(403).without_cookies();
    answer.problem("permission_denied");
    app.client.login(&user.email, "wrong password").await.problem("invalid_credentials");
    app.store().user_enable(user.id, crate::world::decree(), app.clock.get()).await.unwrap();
    app.client.login(&user.email, PASSWORD).await.expect(200);
}

#[tokio::test]
async fn not_remembered_is_the_default_and_lasts_a_day_in_a_browser_session_cookie() {
    let app = TestApp::new().await;
    let user = app.user("ada").await;
    let body = json!({ "email": user.email, "password": PASSWORD });
    let answer = app.client.post("/api/v1/auth/login", &body).send().await.expect(200);
    assert_eq!(answer.json()["session"]["remembered"], false);
    assert_eq!(answer.json()["session"]["expires_at"], (app.clock.get() + DAY).as_ms());
    assert!(!answer.set_cookies()[0].contains("Max-Age"));
}

#[tokio::test]
async fn a_hash_of_another_cost_is_replaced_at_the_next_sign_in_and_ends_nothing() {
    let app = TestApp::new().await;
    let user = app.user("ada").await;
    let mut earlier = app.signed_in(&user).await;
    let hash = async |app: &TestApp| {
        app.store().user_find(user.id).await.unwrap().unwrap().password_hash.unwrap().as_str().to_owned()
    };
    assert!(hash(&app).await.contains("m=8,t=1"));
    let app = app.restart(Setup::default().set("PASSWORD__MEMORY_KIB", "16")).await;
    app.signed_in(&user).await;
    assert!(hash(&app).await.contains("m=16,t=1"));
    app.signed_in(&user).await;
    let answer = app.client.refresh_with(&earlier.cookie_header("/api/v1/auth/refresh")).await;
    answer.expect(200);
    earlier.access.clear();
}

#[tokio::test]
async fn a_device_id_is_a_label_that_may_be_anything() {
    let app = TestApp::new().await;
    let user = app.user("ada").await;
    for id in [
        json!(""),
        json!(null),
        json!("x".repeat(5_000)),
        json!("'; DROP TABLE session; --"),
        json!("\u{0}\n\u{1b}[31m"),
    ] {
        let body = json!({ "email": user.email, "password": PASSWORD, "device_id": id });
        app.client.post("/api/v1/auth/login", &body).send().await.expect(200);
    }
    let records = app.store().session_list(user.id, true, 10, app.clock.get()).await.unwrap();
    assert!(records.iter().all(|r| r.device.id.as_ref().is_none_or(|id| id.chars().count() <= 128)));
}

#[tokio::test]
async fn a_store_that_fails_at_any_step_is_503_and_sets_no_cookie() {
    let app = TestApp::new().await;
    let user = app.user("ada").await;
    for verb in ["user_find_by_email", "session_create"] {
        for (error, code) in [
            (StoreError::Unavailable("gone".into()), "storage_unavailable"),
            (StoreError::Overloaded, "overloaded"),
            (StoreError::Corrupt { what: "user", cause: "bits".into() }, "storage_unavailable"),
        ] {
            app.expect_failure(code);
            app.faults.set(verb, Fault::Fails(error));
            app.client.login(&user.email, PASSWORD).await.expect(503).without_cookies().problem(code);
            app.faults.clear();
        }
    }
    app.client.login(&user.email, PASSWORD).await.expect(200);
}

#[tokio::test]
async fn a_user_without_a_password_cannot_sign_in_with_any() {
    let app = TestApp::new().await;
    let user = app.user("ada").await;
    app.sql("UPDATE \"user\" SET password_hash = NULL");
    for password in ["", PASSWORD, "$argon2id$v=19$m=8,t=1,p=1$AAAA$AAAA"] {
        app.client.login(&user.email, password).await.expect(401).problem("invalid_credentials");
    }
}

#[tokio::test]
async fn a_damaged_hash_concerns_that_user_alone() {
    let app = TestApp::new().await;
    let (ada, bob) = (app.user("ada").await, app.user("bob").await);
    app.sql("UPDATE \"user\" SET password_hash = 'garbage' WHERE email = 'ada@example.com'");
    app.expect_failure("internal_error");
    app.client.login(&ada.email, PASSWORD).await.expect(500).without_cookies().problem("internal_error");
    app.client.login(&bob.email, PASSWORD).await.expect(200);
}
