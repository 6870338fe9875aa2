//! `/api/v1/auth/check`, and what blocks a request: never the session.

use serde_json::{Value, json};
use tenure_domain::account::{AccountStatus, Slug};
use tenure_domain::user::Role;
use tenure_store::{AccountChange, Membership, Plan, StoreError, Subject, UserChange};

use crate::world::{Answer, Browser, Fault, Setup, TestApp, User, decree};

const PATH: &str = "/api/v1/auth/check";

fn slug(text: &str) -> Slug {
    Slug::parse(text).unwrap()
}

async fn save_plan(app: &TestApp, name: &str, is_active: bool) {
    let plan = Plan {
        slug: slug(name),
        name: name.to_uppercase(),
        is_active,
        limits: tenure_domain::account::PlanLimits::parse(r#"{"seats": 5}"#).unwrap(),
        features: tenure_domain::account::PlanFeatures::parse(r#"["sso"]"#).unwrap(),
        stripe_price: None,
        created_at: app.clock.get(),
    };
    app.app.store.plan_save(plan, decree(), app.clock.get()).await.unwrap();
}

async fn set(app: &TestApp, user: &User, change: AccountChange) {
    let account = app.app.store.user_find(user.id).await.unwrap().unwrap().account_id.unwrap();
    app.app.store.account_change(account, change, decree(), app.clock.get()).await.unwrap();
}

async fn set_status(app: &TestApp, user: &User, status: AccountStatus) {
    set(app, user, AccountChange { status: Some(status), ..AccountChange::default() }).await;
}

async fn set_plan(app: &TestApp, user: &User, plan: Option<&str>) {
    set(app, user, AccountChange { plan: Some(plan.map(slug)), ..AccountChange::default() }).await;
}

async fn change_user(app: &TestApp, user: &User, change: UserChange) {
    app.app.store.user_change(user.id, change, decree(), app.clock.get()).await.unwrap();
}

async fn check(browser: &Browser, require: &str) -> Answer {
    browser.call("GET", &format!("{PATH}?require={require}")).bearer(&browser.access).send().await
}

/// Refused with this code, about nobody's being signed in, and without a word to the cookies.
async fn refused(browser: &Browser, require: &str, status: u16, code: &str) -> Value {
    let problem = check(browser, require).await.expect(status).without_cookies().problem(code);
    assert_eq!(problem["class"], "authorization", "{problem}");
    problem
}

#[tokio::test]
async fn whoever_may_is_let_through_and_who_it_is_stands_in_the_headers() {
    let app = TestApp::new().await;
    let user = app.user("ada").await;
    let ada = app.signed_in(&user).await;
    save_plan(&app, "pro", true).await;
    for require in ["", "active_account"] {
        let answer = check(&ada, require).await.expect(200).without_cookies();
        assert_eq!(
            (answer.text().as_str(), answer.header("tenure-user")),
            ("", user.id.to_string().as_str())
        );
        assert_eq!(
            (answer.header("tenure-session"), answer.header("tenure-role")),
            (ada.session.as_str(), "user")
        );
        assert_eq!(answer.header("tenure-email"), "ada@example.com");
        assert!(
            answer.header("tenure-account").starts_with("acc_") && answer.header("tenure-plan").is_empty()
        );
        assert_eq!(answer.header("cache-control"), "no-store");
    }
    set_plan(&app, &user, Some("pro")).await;
    let all = "active_account,plan,plan:basic|pro,feature:sso,limit:seats=5";
    assert_eq!(check(&ada, all).await.expect(200).header("tenure-plan"), "pro");
    // Of a proxy that was refused a moment ago and asks for the words of it: nothing that could be taken for an answer.
    app.expect_failure("overloaded");
    let explained = ada.call("GET", &format!("{PATH}?explain=true")).bearer(&ada.access).send().await;
    explained.expect(503).problem("overloaded");
}

#[tokio::test]
async fn account_plan_and_permission_block_a_request_and_never_the_session() {
    let app = TestApp::new().await;
    let user = app.user("ada").await;
    let mut ada = app.signed_in(&user).await;
    save_plan(&app, "pro", true).await;
    save_plan(&app, "old", false).await;
    refused(&ada, "plan", 402, "plan_missing").await;
    refused(&ada, "feature:sso", 402, "plan_missing").await;
    refused(&ada, "permission:reports.read", 403, "permission_denied").await;
    set_plan(&app, &user, Some("old")).await;
    refused(&ada, "plan:old", 402, "plan_inactive").await;
    set_plan(&app, &user, Some("pro")).await;
    check(&ada, "plan").await.expect(200);
    refused(&ada, "plan:team", 402, "plan_missing").await;
    let problem = refused(&ada, "limit:seats=6", 402, "limit_reached").await;
    assert_eq!(problem["detail"], "Your account's plan allows 5 of `seats`.");
    for (status, code) in
        [(AccountStatus::Suspended, "account_suspended"), (AccountStatus::Cancelled, "account_cancelled")]
    {
        set_status(&app, &user, status).await;
        refused(&ada, "active_account", 403, code).await;
        // Who they are is none of it.
        check(&ada, "").await.expect(200);
        assert_eq!(ada.profile().await.expect(200).json()["account"]["status"], json!(status));
        ada.refresh().await.expect(200);
    }
    for status in [AccountStatus::Trial, AccountStatus::PendingPayment, AccountStatus::Active] {
        set_status(&app, &user, status).await;
        check(&ada, "active_account,plan:pro").await.expect(200);
    }
    change_user(&app, &user, UserChange { account: Some(None), ..UserChange::default() }).await;
    refused(&ada, "plan", 403, "account_missing").await;
    assert_eq!(ada.profile().await.expect(200).json()["account"], Value::Null);
    ada.refresh().await.expect(200);
    assert_eq!(ada.sessions().await.len(), 1);
    assert_eq!(app.metric(r#"tenure_entitlement_refusals_total{reason="plan_missing"}"#), 3.0);
}

/// Five hundred refusals in a row are five hundred answers, and nothing else.
#[tokio::test]
async fn a_storm_of_402_and_403_ends_nothing_and_writes_nothing() {
    let app = TestApp::new().await;
    let user = app.user("ada").await;
    let mut ada = app.signed_in(&user).await;
    let before = app.app.store.session_find(ada.session.parse().unwrap()).await.unwrap().unwrap();
    for n in 0..250 {
        refused(&ada, "plan", 402, "plan_missing").await;
        if n == 100 {
            set_status(&app, &user, AccountStatus::Suspended).await;
            set_status(&app, &user, AccountStatus::Active).await;
        }
        refused(&ada, "permission:nobody.has.it", 403, "permission_denied").await;
    }
    let after = app.app.store.session_find(ada.session.parse().unwrap()).await.unwrap().unwrap();
    assert_eq!(before, after);
    ada.refresh().await.expect(200);
}

#[tokio::test]
async fn a_bypass_is_a_policy_with_a_name_that_is_counted_and_can_be_switched_off() {
    for (bypass, expected) in [(r#"["superuser","system_account"]"#, true), ("[]", false)] {
        let app = Setup::default().set("ENTITLEMENT__BYPASS", bypass).start().await;
        let (boss, dev) = (app.user("boss").await, app.user("dev").await);
        change_user(&app, &boss, UserChange { role: Some(Role::Superuser), ..UserChange::default() }).await;
        change_user(&app, &dev, UserChange { role: Some(Role::Developer), ..UserChange::default() }).await;
        let (boss, developer) = (app.signed_in(&boss).await, app.signed_in(&dev).await);
        // Every permission is a superuser's by their role, whatever is switched off.
        check(&boss, "permission:anything").await.expect(200);
        refused(&developer, "plan", 402, "plan_missing").await;
        match expected {
            true => drop(check(&boss, "plan").await.expect(200)),
            false => drop(refused(&boss, "plan", 402, "plan_missing").await),
        }
        let counted = app.metric(r#"tenure_entitlement_bypasses_total{policy="superuser"}"#);
        assert_eq!(counted, f64::from(u8::from(expected)));
        set(&app, &dev, AccountChange { is_system: Some(true), ..AccountChange::default() }).await;
        match expected {
            true => drop(check(&developer, "plan:pro").await.expect(200)),
            false => drop(refused(&developer, "plan:pro", 402, "plan_missing").await),
        }
        refused(&developer, "permission:anything", 403, "permission_denied").await;
    }
}

#[tokio::test]
async fn permissions_and_who_waits_for_payment_are_configured() {
    let permissions = r#"{"reports.read" = ["user", "admin"], "reports.write" = ["admin"]}"#;
    let app = Setup::default()
        .set("ENTITLEMENT__PERMISSIONS", permissions)
        .set("ENTITLEMENT__SERVES_PENDING_PAYMENT", "false")
        .start()
        .await;
    let user = app.user("ada").await;
    let ada = app.signed_in(&user).await;
    check(&ada, "permission:reports.read").await.expect(200);
    refused(&ada, "permission:reports.read,permission:reports.write", 403, "permission_denied").await;
    change_user(&app, &user, UserChange { role: Some(Role::Admin), ..UserChange::default() }).await;
    check(&ada, "permission:reports.write").await.expect(200);
    set_status(&app, &user, AccountStatus::PendingPayment).await;
    refused(&ada, "active_account", 402, "plan_inactive").await;
}

#[tokio::test]
async fn what_is_no_requirement_is_said_and_nothing_is_let_through_by_a_slip() {
    let app = TestApp::new().await;
    let ada = app.signed_in(&app.user("ada").await).await;
    for odd in ["planet", "plan:Pro", "limit:seats", "role:admin", "active_account;plan", &"plan,".repeat(17)]
    {
        let problem = check(&ada, odd).await.expect(422).problem("validation_failed");
        assert_eq!(problem["errors"][0]["field"], "require", "{odd}");
    }
    let odd = ada.call("GET", &format!("{PATH}?explain=perhaps")).bearer(&ada.access).send().await;
    odd.expect(400).problem("malformed_request");
    // Without a token it is 401 whatever is required.
    for path in [PATH.to_owned(), format!("{PATH}?require=planet")] {
        app.client.call("GET", &path).send().await.expect(401).problem("access_token_missing");
    }
}

#[tokio::test]
async fn a_store_that_fails_or_an_account_that_cannot_be_read_is_503_and_no_refusal() {
    let app = TestApp::new().await;
    let user = app.user("ada").await;
    let mut ada = app.signed_in(&user).await;
    app.expect_failure("storage_unavailable");
    app.faults.set("caller", Fault::Fails(StoreError::Unavailable("gone".into())));
    check(&ada, "plan").await.expect(503).problem("storage_unavailable");
    app.faults.clear();
    app.sql("UPDATE account SET status = 'golden'");
    let caller = app.app.store.caller(ada.session.parse().unwrap()).await.unwrap().unwrap();
    assert_eq!(caller.membership, Membership::Unreadable);
    check(&ada, "active_account").await.expect(503).problem("storage_unavailable");
    check(&ada, "").await.expect(200);
    ada.refresh().await.expect(200);
}

#[tokio::test]
async fn plans_that_are_sold_are_listed_for_everybody_and_registration_gives_one() {
    let app = Setup::default()
        .set("REGISTRATION__ACCOUNT_STATUS", "trial")
        .set("REGISTRATION__ACCOUNT_PLAN", "pro")
        .set("REGISTRATION__INDUSTRIES", r#"["Farming", "Film"]"#)
        .start()
        .await;
    let plans = || async { app.client.get("/api/v1/auth/plans").send().await.expect(200).json() };
    assert_eq!(plans().await, json!({ "plans": [] }));
    // A plan that does not exist yet keeps nobody from registering.
    let body = |name: &str| json!({ "email": format!("{name}@example.com"), "password": "a long new password", "name": name });
    let register = async |name: &str| {
        let answer = app.client.post("/api/v1/auth/register", &body(name)).send().await.expect(201);
        let token = answer.access_token();
        app.client.get("/api/v1/auth/profile").bearer(&token).send().await.expect(200).json()["account"]
            .clone()
    };
    let account = register("early").await;
    assert_eq!((&account["status"], &account["plan"]), (&json!("trial"), &Value::Null));
    save_plan(&app, "pro", true).await;
    save_plan(&app, "old", false).await;
    let pro = json!({ "slug": "pro", "name": "PRO", "limits": { "seats": 5 }, "features": ["sso"] });
    assert_eq!(plans().await, json!({ "plans": [pro] }));
    let account = register("late").await;
    assert_eq!(account["plan"], json!({ "slug": "pro", "name": "PRO", "is_active": true }));
    let industries = app.client.get("/api/v1/auth/industries").send().await.expect(200).json();
    assert_eq!(industries, json!({ "industries": ["Farming", "Film"] }));
    let acts = app.app.store.act_list(Some(Subject::Plan(slug("pro"))), 9).await.unwrap();
    assert!(acts.iter().all(|act| act.decree == decree()) && !acts.is_empty());
}
