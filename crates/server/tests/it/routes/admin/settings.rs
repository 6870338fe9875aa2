//! `/api/v1/admin/settings`

use serde_json::{Value, json};
use tenure_domain::user::Role;

use super::{get, somebody};
use crate::world::Setup;

#[tokio::test]
async fn every_setting_in_force_is_told_with_its_origin_and_of_secrets_only_that_they_are_set() {
    let app = Setup::default()
        .set("SESSION__SETTLE", "100s")
        .set("STRIPE__WEBHOOK_SECRET", "whsec_planted0123456789abcdef")
        .start()
        .await;
    let (_, root) = somebody(&app, "root", Role::Superuser).await;
    let told = get(&root, "/settings").await;
    let find = |key: &str| -> Value {
        let settings = told["settings"].as_array().unwrap();
        settings.iter().find(|setting| setting["key"] == key).cloned().unwrap()
    };
    let setting = |key: &str, value: &str, origin: &str, secret: bool| json!({ "key": key, "value": value, "origin": origin, "secret": secret });
    for expected in [
        setting("session.settle", "100s", "environment", false),
        setting("session.remembered_lifetime", "20d", "default", false),
        setting("origins.allowed", "[]", "default", false),
        setting("limits.enabled", "true", "default", false),
        setting("stripe.webhook_secret", "set", "environment", true),
        setting("redis.url", "not set", "default", true),
    ] {
        assert_eq!(find(expected["key"].as_str().unwrap()), expected);
    }
    assert!(!told.to_string().contains("whsec_"));
    let keys: Vec<_> =
        told["settings"].as_array().unwrap().iter().map(|one| one["key"].to_string()).collect();
    assert!(keys.is_sorted());
}
