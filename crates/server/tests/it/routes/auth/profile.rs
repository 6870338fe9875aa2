//! `/api/v1/auth/profile`

use serde_json::{Value, json};
use tenure_store::StoreError;

use crate::world::{Answer, Browser, Fault, TestApp};

const PATH: &str = "/api/v1/auth/profile";

async fn patch(browser: &Browser, body: &Value) -> Answer {
    browser.call("PATCH", PATH).bearer(&browser.access).json(body).send().await
}

#[tokio::test]
async fn it_is_the_user_whose_token_it_is() {
    let app = TestApp::new().await;
    let (ada, bob) = (app.user("ada").await, app.user("bob").await);
    for user in [ada, bob] {
        let profile = app.signed_in(&user).await.profile().await.expect(200).json();
        assert_eq!((&profile["id"], &profile["email"]), (&json!(user.id), &json!(user.email)));
        let members: Vec<_> = profile.as_object().unwrap().keys().cloned().collect();
        assert_eq!(members, ["account", "account_id", "created_at", "email", "id", "name", "role"]);
    }
}

#[tokio::test]
async fn the_name_can_be_changed_and_is_trimmed_and_bounded() {
    let app = TestApp::new().await;
    let browser = app.signed_in(&app.user("ada").await).await;
    assert_eq!(
        patch(&browser, &json!({ "name": " Ada Lovelace " })).await.expect(200).json()["name"],
        "Ada Lovelace"
    );
    assert_eq!(browser.profile().await.json()["name"], "Ada Lovelace");
    for odd in ["", "   ", "a\r\nBcc: all", "evil\u{202E}txt", &"x".repeat(201)] {
        let problem = patch(&browser, &json!({ "name": odd })).await.expect(422).problem("validation_failed");
        assert_eq!(problem["errors"][0]["field"], "name");
    }
    for kept in ["{{7*7}}", "${jndi:ldap://x}", "</script>", "Robert'); DROP TABLE user;--", "=1+1", "名前"]
    {
        assert_eq!(patch(&browser, &json!({ "name": kept })).await.expect(200).json()["name"], kept);
    }
}

#[tokio::test]
async fn a_change_of_nothing_and_of_what_is_not_ours_to_change_changes_nothing() {
    let app = TestApp::new().await;
    let browser = app.signed_in(&app.user("ada").await).await;
    let before = browser.profile().await.json();
    for body in [
        json!({}),
        json!({ "name": null }),
        json!({ "role": "admin", "email": "eve@example.com", "token_version": 9 }),
    ] {
        assert_eq!(patch(&browser, &body).await.expect(200).json(), before);
    }
    patch(&browser, &json!({ "name": 7 })).await.expect(422).problem("validation_failed");
    patch(&browser, &json!(["Eve"])).await.expect(422).problem("validation_failed");
    assert_eq!(browser.profile().await.json(), before);
}

#[tokio::test]
async fn a_user_deleted_meanwhile_is_not_changed() {
    let app = TestApp::new().await;
    let browser = app.signed_in(&app.user("ada").await).await;
    app.faults.set("user_rename", Fault::Fails(StoreError::Unavailable("gone".into())));
    app.expect_failure("storage_unavailable");
    patch(&browser, &json!({ "name": "A" })).await.expect(503).problem("storage_unavailable");
}

#[tokio::test]
async fn every_way_a_token_can_be_wrong_has_its_code_and_its_challenge() {
    let app = TestApp::new().await;
    let mut browser = app.signed_in(&app.user("ada").await).await;
    let ask = async |authorization: Option<String>| {
        let mut call = app.client.get(PATH);
        if let Some(value) = authorization {
            call = call.header("authorization", value);
        }
        call.send().await.expect(401).without_cookies()
    };
    let check = |answer: Answer, code: &str, challenge: &str| {
        answer.problem(code);
        assert_eq!(answer.header("www-authenticate"), challenge, "{code}");
    };
    let invalid = r#"Bearer error="invalid_token""#;
    check(ask(None).await, "access_token_missing", "Bearer");
    check(ask(Some("Bearer garbage".into())).await, "access_token_invalid", invalid);
    check(ask(Some(format!("Bearer {}", browser.token()))).await, "wrong_token_type", invalid);
    let access = browser.access.clone();
    app.client.get(PATH).header("authorization", format!("bEaReR {access}")).send().await.expect(200);
    app.clock.advance(crate::world::HOUR);
    let expired = r#"Bearer error="invalid_token", error_description="The access token has expired""#;
    check(ask(Some(format!("Bearer {access}"))).await, "access_token_expired", expired);
    browser.refresh().await.expect(200);
    let access = browser.access.clone();
    browser.sign_out().await.expect(204);
    check(ask(Some(format!("Bearer {access}"))).await, "access_token_revoked", invalid);
}
