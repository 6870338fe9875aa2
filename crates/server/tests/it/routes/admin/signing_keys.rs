//! `/api/v1/admin/signing-keys`

use serde_json::{Value, json};
use tenure_domain::user::Role;

use super::{acts, get, refuses, ruled, send, somebody};
use crate::world::{SECOND, Setup};

fn states(listed: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    listed["keys"].as_array().unwrap().iter().map(|key| (text(&key["kid"]), text(&key["state"]))).collect()
}

#[tokio::test]
async fn keys_are_rotated_and_retired_with_who_and_why_and_nobody_is_signed_out() {
    let (app, root_user, mut root) = ruled().await;
    let (_, mut ada) = somebody(&app, "ada", Role::User).await;
    let [(first, state)] = &states(&get(&root, "/signing-keys").await)[..] else { panic!("one key") };
    assert_eq!(state, "signs");
    let retire = |kid: &str| format!("/signing-keys/{kid}/retire");
    let may_retire = async |kid: &str| {
        let listed = get(&root, "/signing-keys").await;
        let keys = listed["keys"].as_array().unwrap().clone();
        keys.iter().find(|key| key["kid"] == kid).unwrap()["may_retire"].as_bool().unwrap()
    };
    // Without it nobody could sign.
    assert!(!may_retire(first).await);
    refuses(&root, "POST", &retire(first), &[(json!({ "reason": "x" }), "kid", "last_signer")]).await;
    app.clock.advance(SECOND);
    let rotate = json!({ "reason": "yearly" });
    let second = send(&root, "POST", "/signing-keys/rotate", &rotate).await.expect(200).json();
    assert_eq!((&second["state"], &second["retires_at"]), (&json!("published"), &json!(null)));
    let ahead = second["activates_at"].as_i64().unwrap() - second["created_at"].as_i64().unwrap();
    assert_eq!(ahead, 600_000);
    refuses(&root, "POST", &retire(first), &[(json!({ "reason": "x" }), "kid", "last_signer")]).await;
    app.clock.advance(SECOND);
    let at_once = json!({ "reason": "leaked", "now": true });
    let third = send(&root, "POST", "/signing-keys/rotate", &at_once).await.expect(200).json();
    assert_eq!(third["state"], "signs");
    assert!(may_retire(first).await);
    let retired =
        send(&root, "POST", &retire(first), &json!({ "reason": "leaked" })).await.expect(200).json();
    assert_eq!((&retired["state"], &retired["kid"]), (&json!("retired"), &json!(first)));
    assert_eq!(retired["may_retire"], false);
    // Its tokens are refused, the caller's own among them; a refresh replaces them.
    ada.profile().await.expect(401).problem("access_token_invalid");
    ada.refresh().await.expect(200);
    ada.profile().await.expect(200);
    root.refresh().await.expect(200);
    let kid = |key: &Value| key["kid"].as_str().unwrap().to_owned();
    assert_eq!(
        states(&get(&root, "/signing-keys").await),
        [
            (kid(&third), "signs".to_owned()),
            (kid(&second), "published".to_owned()),
            (first.clone(), "retired".to_owned()),
        ]
    );
    let by = format!("admin:{}", root_user.id);
    let act = |reason: &str, became: &str| [by.as_str(), reason, "state", became].map(str::to_owned);
    assert_eq!(acts(&root, &format!("key:{first}")).await, [act("leaked", "retired")]);
    assert_eq!(acts(&root, &format!("key:{}", kid(&third))).await, [act("leaked", "added")]);
    send(&root, "POST", &retire("no-such-key"), &json!({ "reason": "x" })).await.expect(404);
    refuses(&root, "POST", "/signing-keys/rotate", &[(json!({ "reason": "" }), "reason", "not_a_reason")])
        .await;
    assert!(!get(&root, "/signing-keys").await.to_string().contains("seed"));
}

#[tokio::test]
async fn whoever_may_do_everything_else_may_not_touch_the_keys_that_everything_stands_on() {
    let rights = r#"{"admin.read" = ["admin"], "admin.users" = ["admin"], "admin.accounts" = ["admin"], "admin.plans" = ["admin"]}"#;
    let app = Setup::default().set("ENTITLEMENT__PERMISSIONS", rights).start().await;
    let (_, eve) = somebody(&app, "eve", Role::Admin).await;
    let [(kid, _)] = &states(&get(&eve, "/signing-keys").await)[..] else { panic!("one key") };
    for path in ["/signing-keys/rotate".to_owned(), format!("/signing-keys/{kid}/retire")] {
        send(&eve, "POST", &path, &json!({ "reason": "x" })).await.expect(403).problem("permission_denied");
    }
    assert_eq!(states(&get(&eve, "/signing-keys").await).len(), 1);
}
