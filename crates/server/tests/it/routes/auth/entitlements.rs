//! `/api/v1/auth/entitlements`: what `check` would say, of many things at once and without anybody's having tried.

use serde_json::{Value, json};
use tenure_domain::account::AccountStatus;
use tenure_domain::user::Role;
use tenure_store::{AccountChange, StoreError, UserChange};

use super::check::{change_user, save_plan, set, set_plan, set_status};
use crate::world::{Answer, Browser, Fault, Setup, TestApp};

const PATH: &str = "/api/v1/auth/entitlements";

async fn ask(browser: &Browser, require: &str) -> Answer {
    let path = format!("{PATH}?require={}", require.replace(';', "%3B"));
    browser.call("GET", &path).bearer(&browser.access).send().await.without_cookies()
}

/// The code of each answer, or `allowed`.
async fn codes(browser: &Browser, require: &str) -> Vec<String> {
    let answer = ask(browser, require).await.expect(200).json();
    let told = |answer: &Value| match answer["allowed"].as_bool() {
        Some(true) => answer["problem"].is_null().then(|| "allowed".to_owned()).unwrap(),
        _ => answer["problem"]["code"].as_str().unwrap().to_owned(),
    };
    answer["answers"].as_array().unwrap().iter().map(told).collect()
}

#[tokio::test]
async fn each_requirement_has_the_answer_that_check_would_give_and_the_account_comes_along() {
    let app = TestApp::new().await;
    let user = app.user("ada").await;
    let mut ada = app.signed_in(&user).await;
    save_plan(&app, "pro", true).await;
    let all = [
        "active_account",
        "plan:pro",
        "plan:team",
        "feature:sso",
        "feature:x",
        "limit:seats=5",
        "limit:seats=6",
        "permission:a",
        "active_account,permission:a",
        "",
    ];
    for (status, plan) in [
        (AccountStatus::Active, Some("pro")),
        (AccountStatus::PendingPayment, None),
        (AccountStatus::Suspended, Some("pro")),
        (AccountStatus::Cancelled, Some("pro")),
    ] {
        set_status(&app, &user, status).await;
        set_plan(&app, &user, plan).await;
        let mut expected = vec![];
        for require in all.iter().filter(|require| !require.is_empty()) {
            let answer = ada
                .call("GET", &format!("/api/v1/auth/check?require={require}"))
                .bearer(&ada.access)
                .send()
                .await;
            expected.push(match answer.status {
                200 => "allowed".to_owned(),
                _ => answer.json()["code"].as_str().unwrap().to_owned(),
            });
        }
        assert_eq!(codes(&ada, &all.join(";")).await, expected, "{status}");
    }
    set_status(&app, &user, AccountStatus::Active).await;
    let answer = ask(&ada, "limit:seats=6").await.expect(200).json();
    assert_eq!(
        answer["account"],
        json!({
            "id": answer["account"]["id"], "name": "ada", "status": "active",
            "plan": { "slug": "pro", "name": "PRO", "is_active": true, "limits": { "seats": 5 }, "features": ["sso"] },
        })
    );
    assert_eq!(answer["account"], ada.profile().await.expect(200).json()["account"]);
    assert_eq!(
        answer["answers"],
        json!([{
            "require": "limit:seats=6", "allowed": false,
            "problem": { "code": "limit_reached", "class": "authorization", "status": 402,
                         "detail": "Your account's plan allows 5 of `seats`." },
        }])
    );
    ada.refresh().await.expect(200);
}

#[tokio::test]
async fn whoever_passes_by_a_policy_is_told_so_and_no_question_is_counted() {
    let app = Setup::default().set("ENTITLEMENT__BYPASS", r#"["superuser","system_account"]"#).start().await;
    let (boss, dev) = (app.user("boss").await, app.user("dev").await);
    change_user(&app, &boss, UserChange { role: Some(Role::Superuser), ..UserChange::default() }).await;
    set(&app, &dev, AccountChange { is_system: Some(true), ..AccountChange::default() }).await;
    let (boss, dev) = (app.signed_in(&boss).await, app.signed_in(&dev).await);
    assert_eq!(codes(&boss, "plan:pro;permission:anything").await, ["allowed", "allowed"]);
    assert_eq!(codes(&dev, "plan:pro;permission:anything").await, ["allowed", "permission_denied"]);
    let counted = ["refusals_total{reason=\"permission_denied\"}", "bypasses_total{policy=\"superuser\"}"];
    for name in counted {
        assert_eq!(app.metric(&format!("tenure_entitlement_{name}")), 0.0, "{name}");
    }
}

#[tokio::test]
async fn what_cannot_be_read_or_told_is_neither_allowed_nor_refused() {
    let app = TestApp::new().await;
    let user = app.user("ada").await;
    let mut ada = app.signed_in(&user).await;
    assert_eq!(codes(&ada, "planet;active_account").await, ["validation_failed", "allowed"]);
    let many = |count: usize| vec!["plan"; count].join(";");
    assert_eq!(codes(&ada, &many(64)).await.len(), 64);
    ask(&ada, &many(65)).await.expect(422).problem("validation_failed");
    app.sql("UPDATE account SET status = 'golden'");
    let answer = ask(&ada, "active_account;permission:a").await.expect(200).json();
    assert_eq!(answer["account"], Value::Null);
    assert_eq!(
        codes(&ada, "active_account;permission:a").await,
        ["storage_unavailable", "permission_denied"]
    );
    app.expect_failure("storage_unavailable");
    app.faults.set("caller", Fault::Fails(StoreError::Unavailable("gone".into())));
    ask(&ada, "plan").await.expect(503).problem("storage_unavailable");
    app.faults.clear();
    ada.refresh().await.expect(200);
}
