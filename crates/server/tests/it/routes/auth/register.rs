//! `POST /api/v1/auth/register`

use serde_json::{Value, json};
use tenure_store::StoreError;

use crate::world::{Answer, Fault, Setup, TestApp};

async fn register(app: &TestApp, body: &Value) -> Answer {
    app.client.post("/api/v1/auth/register", body).send().await
}

fn ada() -> Value {
    json!({ "email": "Ada@Example.com", "password": "correct horse battery", "name": " Ada ", "remember_me": true })
}

#[tokio::test]
async fn a_registration_creates_a_user_with_an_account_and_signs_in() {
    let app = TestApp::new().await;
    let answer = register(&app, &ada()).await.expect(201);
    let body = answer.json();
    let user = &body["user"];
    assert_eq!(
        (&user["email"], &user["name"], &user["role"]),
        (&"Ada@example.com".into(), &"Ada".into(), &"user".into())
    );
    assert!(user["account_id"].as_str().unwrap().starts_with("acc_"));
    assert_eq!(body["token_type"], "Bearer");
    assert_eq!(body["session"]["remembered"], true);
    assert_eq!(body["session"]["expires_at"], app.clock.get().as_ms() + 1_728_000_000);
    assert_eq!(answer.set_cookies().len(), 1);
    assert!(!answer.text().contains("tnr1_"), "the refresh token travels in the cookie alone");
    app.client.profile(&answer.access_token()).await.expect(200);
}

#[tokio::test]
async fn without_auto_sign_in_it_only_creates() {
    let app = Setup::default().set("REGISTRATION__AUTO_SIGN_IN", "false").start().await;
    let answer = register(&app, &ada()).await.expect(201).without_cookies();
    let members: Vec<_> = answer.json().as_object().unwrap().keys().cloned().collect();
    assert_eq!(members, ["user"]);
    app.client.login("ada@example.com", "correct horse battery").await.expect(200);
}

#[tokio::test]
async fn closed_registration_says_so() {
    let app = Setup::default().set("REGISTRATION__OPEN", "false").start().await;
    register(&app, &ada()).await.expect(403).without_cookies().problem("registration_closed");
}

#[tokio::test]
async fn an_address_is_taken_in_all_its_spellings() {
    let app = TestApp::new().await;
    register(&app, &ada()).await.expect(201);
    for spelling in ["ada@example.com", "ADA@EXAMPLE.COM", " ada@example.com ", "ada\u{FF20}example.com"] {
        let body = json!({ "email": spelling, "password": "another long password", "name": "Eve" });
        register(&app, &body).await.expect(409).without_cookies().problem("email_taken");
    }
}

#[tokio::test]
async fn all_that_is_wrong_is_said_at_once() {
    let app = TestApp::new().await;
    let body = register(&app, &json!({ "email": "nobody", "password": "short", "name": " " })).await;
    let errors = body.expect(422).problem("validation_failed")["errors"].clone();
    let said: Vec<_> = errors
        .as_array()
        .unwrap()
        .iter()
        .map(|e| (e["field"].as_str().unwrap(), e["code"].as_str().unwrap()))
        .collect();
    assert_eq!(said, [("email", "not_an_address"), ("name", "not_a_name"), ("password", "too_short")]);
    for (password, code) in [
        ("password1".to_owned(), "too_common"),
        ("aaaaaaaaaaaa".to_owned(), "too_common"),
        ("ada@example.com".to_owned(), "is_email"),
        ("x".repeat(257), "too_long"),
    ] {
        let body = json!({ "email": "ada@example.com", "password": password, "name": "Ada" });
        let problem = register(&app, &body).await.expect(422).problem("validation_failed");
        assert_eq!(problem["errors"][0]["code"], code);
        assert!(!problem.to_string().contains(&password), "a password never comes back");
    }
}

#[tokio::test]
async fn a_body_that_lacks_a_field_is_422_and_names_it() {
    let app = TestApp::new().await;
    let problem = register(&app, &json!({ "email": "ada@example.com", "name": "Ada" })).await.expect(422);
    assert!(problem.problem("validation_failed")["detail"].as_str().unwrap().contains("password"));
}

#[tokio::test]
async fn a_store_that_fails_leaves_nobody_half_registered() {
    let app = TestApp::new().await;
    app.expect_failure("storage_unavailable");
    app.faults.set("user_create", Fault::Fails(StoreError::Unavailable("disk full".into())));
    let problem = register(&app, &ada()).await.expect(503).without_cookies().problem("storage_unavailable");
    assert!(!problem.to_string().contains("disk full"), "the cause is for the log");
    assert!(app.log().contains("disk full"));
    app.faults.clear();
    register(&app, &ada()).await.expect(201);
}

#[tokio::test]
async fn registrations_are_limited_by_address() {
    let app = Setup::default().set("LIMITS__SIGN_IN_PER_ADDRESS_PER_MINUTE", "2").start().await;
    for n in 0..2 {
        let body =
            json!({ "email": format!("a{n}@example.com"), "password": "correct horse battery", "name": "A" });
        register(&app, &body).await.expect(201);
    }
    register(&app, &ada()).await.expect(429).without_cookies().problem("rate_limited");
}
