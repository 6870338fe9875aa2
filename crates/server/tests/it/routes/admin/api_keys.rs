//! `/api/v1/admin/api-keys`

use serde_json::{Value, json};
use tenure_domain::user::Role;
use tenure_store::AccountChange;

use super::{acts, get, refused, refuses, ruled, send, somebody};
use crate::world::{Browser, SECOND, Setup, TestApp, decree};

/// A key of somebody's account, as `(id, secret)`.
async fn make(by: &Browser, scopes: Value) -> (String, String) {
    let wish = json!({ "name": "deploy", "scopes": scopes });
    let made = by.call("POST", "/api/v1/auth/api-keys").bearer(&by.access).json(&wish);
    let made = made.send().await.expect(201).json();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    (text(&made["api_key"]["id"]), text(&made["secret"]))
}

async fn check(app: &TestApp, secret: &str) -> u16 {
    app.client.get("/api/v1/auth/check").header("x-api-key", secret).send().await.status
}

#[tokio::test]
async fn keys_of_every_account_are_listed_and_revoked_with_who_and_why() {
    let (app, root_user, root) = ruled().await;
    let (ada_user, ada) = somebody(&app, "ada", Role::Superuser).await;
    let account = app.store().user_find(ada_user.id).await.unwrap().unwrap().account_id.unwrap();
    let (ours, _) = make(&root, json!([])).await;
    app.clock.advance(SECOND);
    let (theirs, secret) = make(&ada, json!(["reports.read"])).await;
    let all = get(&root, "/api-keys").await;
    let ids: Vec<_> = all["api_keys"].as_array().unwrap().iter().map(|key| &key["id"]).collect();
    assert_eq!((ids, &all["next"]), (vec![&json!(theirs), &json!(ours)], &json!(ours)));
    let row = &all["api_keys"][0];
    assert_eq!(
        *row,
        json!({
            "id": theirs, "account": account, "name": "deploy", "scopes": ["reports.read"],
            "created_at": app.clock.get().as_ms(), "expires_at": null, "retires_at": null, "revoked_at": null,
            "last_used_at": null,
        })
    );
    let of_account = get(&root, &format!("/api-keys?account={account}&limit=1")).await;
    assert_eq!(of_account["api_keys"], json!([row]));
    assert_eq!(get(&root, &format!("/api-keys?after={theirs}")).await["api_keys"][0]["id"], ours.as_str());
    assert!(!all.to_string().contains(&secret) && !all.to_string().contains("hash"));
    assert_eq!(check(&app, &secret).await, 200);
    let path = format!("/api-keys/{theirs}/revoke");
    let revoked = send(&root, "POST", &path, &json!({ "reason": "leaked" })).await.expect(200).json();
    assert_eq!(revoked["revoked_at"], app.clock.get().as_ms());
    assert_eq!(check(&app, &secret).await, 401);
    app.clock.advance(SECOND);
    let again = send(&root, "POST", &path, &json!({ "reason": "again" })).await.expect(200).json();
    assert_eq!(again["revoked_at"], revoked["revoked_at"]);
    let told = acts(&root, &account.to_string()).await;
    assert_eq!(told[0][..2], [format!("admin:{}", root_user.id), "leaked".to_owned()]);
    refuses(&root, "POST", &path, &[(json!({ "reason": "" }), "reason", "not_a_reason")]).await;
    for nothing in ["key_00000000000000000000000000000007", "7"] {
        let path = format!("/api-keys/{nothing}/revoke");
        send(&root, "POST", &path, &json!({ "reason": "x" })).await.expect(404);
    }
    assert_eq!(refused(&root, "/api-keys?account=7").await, ["account", "not_an_id"]);
    assert_eq!(refused(&root, "/api-keys?after=7").await, ["after", "not_an_id"]);
}

#[tokio::test]
async fn nobody_revokes_a_key_that_may_do_more_here_or_is_of_the_operators_own() {
    let app =
        Setup::default().set("ENTITLEMENT__PERMISSIONS", r#"{"admin.accounts" = ["admin"]}"#).start().await;
    let (_, eve) = somebody(&app, "eve", Role::Admin).await;
    let (root_user, root) = somebody(&app, "root", Role::Superuser).await;
    let revoke = async |id: &str| {
        send(&eve, "POST", &format!("/api-keys/{id}/revoke"), &json!({ "reason": "x" })).await
    };
    let (more, secret) = make(&root, json!(["admin.users"])).await;
    revoke(&more).await.expect(403).problem("permission_denied");
    assert_eq!(check(&app, &secret).await, 200);
    // What it may do in the application is no reason to leave it alone.
    let (plain, _) = make(&root, json!(["reports.read", "admin.accounts"])).await;
    revoke(&plain).await.expect(200);
    let (ours, secret) = make(&root, json!([])).await;
    let account = app.store().user_find(root_user.id).await.unwrap().unwrap().account_id.unwrap();
    let change = AccountChange { is_system: Some(true), ..AccountChange::default() };
    app.store().account_change(account, change, decree(), app.clock.get()).await.unwrap();
    revoke(&ours).await.expect(403).problem("permission_denied");
    assert_eq!(check(&app, &secret).await, 200);
}
