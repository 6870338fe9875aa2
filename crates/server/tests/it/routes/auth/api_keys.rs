//! `/api/v1/auth/api-keys`, and what a key opens.

use std::time::Duration;

use serde_json::{Value, json};
use tenure_domain::ends::Actor;
use tenure_domain::user::Role;
use tenure_store::{Decree, StoreError, Subject, UserChange};

use crate::world::{Answer, Browser, Call, DAY, Fault, Setup, TestApp, User};

const PATH: &str = "/api/v1/auth/api-keys";
const CHECK: &str = "/api/v1/auth/check";

fn setup() -> Setup {
    Setup::default().set(
        "ENTITLEMENT__PERMISSIONS",
        r#"{"reports.read" = ["user", "admin"], "reports.write" = ["developer"]}"#,
    )
}

/// Somebody with this role in an account of their own, signed in.
async fn somebody(app: &TestApp, name: &str, role: Role) -> (User, Browser) {
    let user = app.user(name).await;
    let decree = Decree { actor: Actor::Policy, reason: None };
    let change = UserChange { role: Some(role), ..UserChange::default() };
    app.store().user_change(user.id, change, decree, app.clock.get()).await.unwrap();
    let browser = app.signed_in(&user).await;
    (user, browser)
}

async fn make(browser: &Browser, wish: &Value) -> Answer {
    browser.call("POST", PATH).bearer(&browser.access).json(wish).send().await
}

/// A key that was made, as `(id, secret)`.
async fn key(browser: &Browser, wish: &Value) -> (String, String) {
    let made = make(browser, wish).await.expect(201).json();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    (text(&made["api_key"]["id"]), text(&made["secret"]))
}

async fn list(browser: &Browser) -> Vec<Value> {
    let answer = browser.call("GET", PATH).bearer(&browser.access).send().await.expect(200);
    answer.json()["api_keys"].as_array().unwrap().clone()
}

fn check(app: &TestApp, require: &str) -> Call {
    app.client.call("GET", &format!("{CHECK}?require={require}"))
}

#[tokio::test]
async fn a_key_opens_what_its_scopes_say_for_its_account_and_nothing_for_a_person() {
    let app = setup().start().await;
    let (user, admin) = somebody(&app, "ada", Role::Admin).await;
    let (id, secret) = key(&admin, &json!({ "name": "deploy", "scopes": ["reports.read"] })).await;
    assert!(secret.starts_with("tnk1_"));
    for call in [
        check(&app, "permission:reports.read").header("x-api-key", &secret),
        check(&app, "permission:reports.read,active_account").bearer(&secret),
    ] {
        let answer = call.send().await.expect(200).without_cookies();
        assert_eq!(
            (answer.header("tenure-key"), answer.header("tenure-scopes")),
            (id.as_str(), "reports.read")
        );
        let account = app.store().user_find(user.id).await.unwrap().unwrap().account_id.unwrap();
        assert_eq!(answer.header("tenure-account"), account.to_string());
        assert!(answer.header("tenure-user").is_empty() && answer.header("tenure-session").is_empty());
    }
    for (require, status, code) in [
        ("permission:reports.write", 403, "permission_denied"),
        ("permission:api_keys.manage", 403, "permission_denied"),
        ("plan", 402, "plan_missing"),
    ] {
        check(&app, require).bearer(&secret).send().await.expect(status).problem(code);
    }
    // It is nobody's session, and makes no keys.
    for path in ["/api/v1/auth/profile", "/api/v1/auth/sessions", PATH] {
        app.client.get(path).bearer(&secret).send().await.expect(401).problem("wrong_token_type");
    }
    // The key is looked at first, whoever else is signed in.
    let both = check(&app, "").header("x-api-key", &secret).bearer(&admin.access);
    assert_eq!(both.send().await.expect(200).header("tenure-key"), id);
}

#[tokio::test]
async fn whoever_may_handle_keys_does_so_for_their_own_account_alone() {
    let app = setup().start().await;
    let (user, ada) = somebody(&app, "ada", Role::Admin).await;
    let (_, eve) = somebody(&app, "eve", Role::Admin).await;
    let (_, bob) = somebody(&app, "bob", Role::User).await;
    let (id, secret) = key(&ada, &json!({ "name": "deploy" })).await;
    assert_eq!(list(&ada).await[0]["id"], id.as_str());
    assert!(list(&eve).await.is_empty());
    for (method, path) in [("DELETE", format!("{PATH}/{id}")), ("POST", format!("{PATH}/{id}/rotate"))] {
        eve.call(method, &path).bearer(&eve.access).send().await.expect(404).problem("not_found");
        bob.call(method, &path).bearer(&bob.access).send().await.expect(403).problem("permission_denied");
    }
    bob.call("GET", PATH).bearer(&bob.access).send().await.expect(403).problem("permission_denied");
    make(&bob, &json!({ "name": "x" })).await.expect(403).problem("permission_denied");
    check(&app, "").bearer(&secret).send().await.expect(200);
    let account = app.store().user_find(user.id).await.unwrap().unwrap().account_id.unwrap();
    let acts = app.store().act_list(Some(Subject::Account(account)), 9).await.unwrap();
    assert_eq!(acts[0].decree.actor, Actor::Admin(user.id.to_string()));
    // Without an account there is nothing to have keys of.
    let out = UserChange { account: Some(None), ..UserChange::default() };
    let decree = Decree { actor: Actor::Policy, reason: None };
    app.store().user_change(user.id, out, decree, app.clock.get()).await.unwrap();
    ada.call("GET", PATH).bearer(&ada.access).send().await.expect(403).problem("account_missing");
}

#[tokio::test]
async fn nobody_gives_or_gets_by_a_key_what_they_do_not_have() {
    let app = setup().start().await;
    let (user, admin) = somebody(&app, "ada", Role::Admin).await;
    let wish = json!({ "name": "deploy", "scopes": ["reports.write"] });
    make(&admin, &wish).await.expect(403).problem("permission_denied");
    let change = async |role| {
        let change = UserChange { role: Some(role), ..UserChange::default() };
        let decree = Decree { actor: Actor::Policy, reason: None };
        app.store().user_change(user.id, change, decree, app.clock.get()).await.unwrap();
    };
    change(Role::Developer).await;
    let (id, _) = key(&admin, &wish).await;
    change(Role::Admin).await;
    let rotate = admin.call("POST", &format!("{PATH}/{id}/rotate")).bearer(&admin.access);
    rotate.send().await.expect(403).problem("permission_denied");
    // Taking away is another matter.
    admin.call("DELETE", &format!("{PATH}/{id}")).bearer(&admin.access).send().await.expect(204);
}

#[tokio::test]
async fn a_revoked_key_is_refused_at_the_next_request_and_a_rotated_one_after_its_grace() {
    let app = setup().start().await;
    let (user, admin) = somebody(&app, "ada", Role::Admin).await;
    let (old, old_secret) = key(&admin, &json!({ "name": "deploy" })).await;
    let rotate = admin.call("POST", &format!("{PATH}/{old}/rotate")).bearer(&admin.access);
    let next = rotate.json(&json!({ "grace": 3600 })).send().await.expect(201).json();
    let next_secret = next["secret"].as_str().unwrap().to_owned();
    for secret in [&old_secret, &next_secret] {
        check(&app, "").bearer(secret).send().await.expect(200);
    }
    app.clock.advance(Duration::from_secs(3600));
    check(&app, "").bearer(&old_secret).send().await.expect(401).problem("access_token_expired");
    check(&app, "").bearer(&next_secret).send().await.expect(200);
    let admin = app.signed_in(&user).await;
    let id = next["api_key"]["id"].as_str().unwrap();
    for _ in 0..2 {
        admin.call("DELETE", &format!("{PATH}/{id}")).bearer(&admin.access).send().await.expect(204);
    }
    check(&app, "").bearer(&next_secret).send().await.expect(401).problem("access_token_revoked");
    let again = admin.call("POST", &format!("{PATH}/{id}/rotate")).bearer(&admin.access);
    again.send().await.expect(404).problem("not_found");
}

#[tokio::test]
async fn what_is_no_key_of_ours_is_401_and_tells_nothing() {
    let app = setup().start().await;
    let foreign = Setup::default().set("ENTITLEMENT__BYPASS", "[]").start().await;
    let (_, admin) = somebody(&app, "ada", Role::Admin).await;
    let (_, stranger) = somebody(&foreign, "eve", Role::Admin).await;
    // The first would be the same: both servers draw the same numbers here.
    key(&stranger, &json!({ "name": "first" })).await;
    let (_, theirs) = key(&stranger, &json!({ "name": "theirs" })).await;
    let (_, ours) = key(&admin, &json!({ "name": "ours" })).await;
    for odd in ["tnk1_", "tnk1_garbage", &ours[..ours.len() - 1], theirs.as_str()] {
        check(&app, "").bearer(odd).send().await.expect(401).problem("access_token_invalid");
        check(&app, "").header("x-api-key", odd).send().await.expect(401).problem("access_token_invalid");
    }
    // A key that does not stand is not passed over in favour of a token that does.
    let both = check(&app, "").header("x-api-key", "nonsense").bearer(&admin.access);
    both.send().await.expect(401).problem("access_token_invalid");
    let twice = check(&app, "").header("x-api-key", &ours).header("x-api-key", &ours);
    twice.send().await.expect(401).problem("access_token_invalid");
    // A damaged or unreachable store is no refusal.
    app.expect_failure("storage_unavailable");
    app.faults.set("api_key_find", Fault::Fails(StoreError::Unavailable("gone".into())));
    check(&app, "").bearer(&ours).send().await.expect(503).problem("storage_unavailable");
}

#[tokio::test]
async fn only_a_hash_is_kept_and_use_is_noted() {
    let app = setup().start().await;
    let (_, admin) = somebody(&app, "ada", Role::Admin).await;
    let expires_at = (app.clock.get() + 30 * DAY).as_ms();
    let (_, secret) = key(&admin, &json!({ "name": "deploy", "expires_at": expires_at })).await;
    assert_eq!(
        (&list(&admin).await[0]["last_used_at"], &list(&admin).await[0]["expires_at"]),
        (&Value::Null, &json!(expires_at))
    );
    check(&app, "").bearer(&secret).send().await.expect(200);
    let used = async {
        while list(&admin).await[0]["last_used_at"].is_null() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), used).await.expect("its use is noted");
    assert!(!app.log().contains(&secret[5..]), "it is in no log");
    for (table, bytes) in app.database().at_rest() {
        assert!(!bytes.windows(20).any(|window| window == &secret.as_bytes()[20..40]), "{table}");
    }
}

#[tokio::test]
async fn wishes_that_mean_nothing_are_refused_with_their_fields() {
    let app = setup().start().await;
    let (_, admin) = somebody(&app, "ada", Role::Admin).await;
    for (wish, field) in
        [(json!({ "name": " " }), "name"), (json!({ "name": "x", "expires_at": 5 }), "expires_at")]
    {
        let problem = make(&admin, &wish).await.expect(422).problem("validation_failed");
        assert_eq!(problem["errors"][0]["field"], field);
    }
    for wish in [json!({ "name": "x", "scopes": ["*"] }), json!({ "name": "x", "scopes": "all" }), json!({})]
    {
        make(&admin, &wish).await.expect(422).problem("validation_failed");
    }
    assert!(list(&admin).await.is_empty());
}
