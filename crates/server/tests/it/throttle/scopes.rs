//! What is told of limits, who is let off, and who never is.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use tenure_domain::user::Role;
use tenure_store::{AccountChange, UserChange};

use super::login;
use crate::world::{Answer, Browser, MINUTE, PASSWORD, Setup, TestApp, User, decree};

/// Somebody of this role, signed in.
async fn somebody(app: &TestApp, role: Role) -> (User, Browser) {
    let user = app.user(role.as_str()).await;
    set_user(app, &user, role).await;
    let browser = app.signed_in(&user).await;
    (user, browser)
}

async fn set_user(app: &TestApp, user: &User, role: Role) {
    let change = UserChange { role: Some(role), ..UserChange::default() };
    app.store().user_change(user.id, change, decree(), app.clock.get()).await.unwrap();
}

async fn make_system_account(app: &TestApp, user: &User) {
    let account = app.store().user_find(user.id).await.unwrap().unwrap().account_id.unwrap();
    let change = AccountChange { is_system: Some(true), ..AccountChange::default() };
    app.store().account_change(account, change, decree(), app.clock.get()).await.unwrap();
}

fn told(answer: &Answer) -> (&str, &str) {
    (answer.header("ratelimit-policy"), answer.header("ratelimit"))
}

#[tokio::test]
async fn answers_tell_how_the_limits_stand_whether_they_were_served_or_refused() {
    let app = Setup::default()
        .set("LIMITS__SIGN_IN_PER_ACCOUNT_PER_MINUTE", "3")
        .set("LIMITS__SIGN_IN_PER_ADDRESS_PER_MINUTE", "60")
        .set("LIMITS__REFRESH_PER_SESSION_PER_MINUTE", "2")
        .set("LIMITS__API_PER_CALLER_PER_MINUTE", "6")
        .start()
        .await;
    let user = app.user("ada").await;
    let browser = app.signed_in(&user).await;
    let answer = login(&app, &user.email, "a wrong guess").send().await.expect(401);
    let policy = r#""sign_in_address";q=60;w=60, "sign_in_account";q=3;w=60"#;
    assert_eq!(told(&answer), (policy, r#""sign_in_address";r=58;t=2, "sign_in_account";r=1;t=40"#));
    login(&app, &user.email, PASSWORD).send().await.expect(200);
    let refused = login(&app, &user.email, PASSWORD).send().await.expect(429);
    assert_eq!(told(&refused).1, r#""sign_in_address";r=56;t=4, "sign_in_account";r=0;t=20"#);
    assert_eq!(refused.header("retry-after"), "20");
    let refreshed = browser.send_refresh().await.expect(200);
    assert_eq!(told(&refreshed), (r#""refresh";q=2;w=60"#, r#""refresh";r=1;t=30"#));
    // Calls are told of once half of them are used. A refusal for another reason counts as well, and every route of theirs is
    // the same limit.
    let check = || browser.call("GET", "/api/v1/auth/check?require=permission:x").bearer(&browser.access);
    assert_eq!(told(&browser.profile().await.expect(200)), ("", ""));
    assert_eq!(told(&check().send().await.expect(403)), ("", ""));
    let denied = check().send().await.expect(403);
    assert_eq!(told(&denied), (r#""api";q=6;w=60"#, r#""api";r=3;t=30"#));
    // Nothing is told where nothing was counted.
    for path in ["/api/v1/system/ping", "/api/v1/auth/plans", "/.well-known/jwks.json"] {
        assert_eq!(told(&app.client.get(path).send().await.expect(200)), ("", ""));
    }
    app.client.get("/api/v1/auth/profile").send().await.expect(401);
    // Pages of an allowed origin may read it.
    let exposed =
        browser.call("GET", "/api/v1/auth/profile").bearer(&browser.access).header("origin", app.origin());
    let exposed = exposed.send().await.expect(200);
    let names = exposed.header("access-control-expose-headers").to_ascii_lowercase();
    assert!(names.contains("ratelimit,") || names.ends_with("ratelimit"), "{names}");
    assert!(names.contains("ratelimit-policy"), "{names}");
}

#[tokio::test]
async fn calls_are_limited_by_person_and_by_key_and_a_refusal_ends_nothing() {
    let app = Setup::default().set("LIMITS__API_PER_CALLER_PER_MINUTE", "3").start().await;
    let (_, mut admin) = somebody(&app, Role::Admin).await;
    let made =
        admin.call("POST", "/api/v1/auth/api-keys").bearer(&admin.access).json(&json!({ "name": "k" }));
    let key = made.send().await.expect(201).json()["secret"].as_str().unwrap().to_owned();
    let other = app.signed_in(&app.user("bob").await).await;
    let another_tab =
        app.signed_in(&User { id: app.user("eve").await.id, email: "admin@example.com".into() }).await;
    admin.profile().await.expect(200);
    // The person counts, and not the session.
    another_tab.profile().await.expect(200);
    let refused = admin.profile().await.expect(429);
    assert_eq!(refused.problem("rate_limited")["class"], "transport");
    assert_eq!(told(&refused).1, r#""api";r=0;t=20"#);
    another_tab.profile().await.expect(429);
    other.profile().await.expect(200);
    for expected in [200, 200, 200, 429] {
        let check = app.client.get("/api/v1/auth/check").header("x-api-key", &key);
        check.send().await.expect(expected);
    }
    // Somebody unknown is not counted as anybody.
    for _ in 0..10 {
        app.client.get("/api/v1/auth/check").bearer("x").send().await.expect(401);
    }
    admin.refresh().await.expect(200);
    admin.profile().await.expect(429);
    app.clock.advance(MINUTE);
    admin.profile().await.expect(200);
    admin.sign_out().await.expect(204);
}

#[tokio::test]
async fn whoever_passes_by_account_and_plan_passes_by_the_limit_on_calls_and_it_is_told() {
    for (switched_off, setting) in [(false, None), (true, Some("[]"))] {
        let mut setup = Setup::default().set("LIMITS__API_PER_CALLER_PER_MINUTE", "1");
        if let Some(setting) = setting {
            setup = setup.set("ENTITLEMENT__BYPASS", setting);
        }
        let app = setup.start().await;
        for (role, policy) in [
            (Role::User, None),
            (Role::Admin, None),
            (Role::Developer, Some("developer")),
            (Role::Superuser, Some("superuser")),
            (Role::System, Some("system_user")),
        ] {
            let (_, browser) = somebody(&app, role).await;
            browser.profile().await.expect(200);
            let policy = policy.filter(|_| !switched_off);
            for _ in 0..2 {
                browser.profile().await.expect(if policy.is_some() { 200 } else { 429 });
            }
            if let Some(policy) = policy {
                let counted = format!("tenure_entitlement_bypasses_total{{policy=\"{policy}\"}}");
                assert_eq!(app.metric(&counted), 2.0, "only those that mattered");
            }
        }
    }
}

#[tokio::test]
async fn a_system_account_lets_its_members_and_keys_pass() {
    let app = Setup::default().set("LIMITS__API_PER_CALLER_PER_MINUTE", "1").start().await;
    let (user, browser) = somebody(&app, Role::Admin).await;
    let made =
        browser.call("POST", "/api/v1/auth/api-keys").bearer(&browser.access).json(&json!({ "name": "k" }));
    let key = made.send().await.expect(201).json()["secret"].as_str().unwrap().to_owned();
    let check = async || app.client.get("/api/v1/auth/check").header("x-api-key", &key).send().await.status;
    assert_eq!([check().await, check().await], [200, 429]);
    browser.profile().await.expect(429);
    make_system_account(&app, &user).await;
    assert_eq!(check().await, 200);
    browser.profile().await.expect(200);
    assert_eq!(app.metric("tenure_entitlement_bypasses_total{policy=\"system_account\"}"), 2.0);
}

/// Whatever somebody is or shows, signing in, registering, refreshing and reporting are counted.
#[tokio::test]
async fn nobody_is_let_off_the_limits_on_signing_in_refreshing_and_reporting() {
    for role in Role::ALL {
        let app = Setup::default()
            .set("LIMITS__SIGN_IN_PER_ACCOUNT_PER_MINUTE", "2")
            .set("LIMITS__SIGN_IN_PER_ADDRESS_PER_MINUTE", "6")
            .set("LIMITS__REFRESH_PER_SESSION_PER_MINUTE", "2")
            .set("LIMITS__CLIENT_REPORT_PER_ADDRESS_PER_MINUTE", "2")
            .start()
            .await;
        let (user, browser) = somebody(&app, role).await;
        make_system_account(&app, &user).await;
        let attempt = async |path: &str, email: &str| {
            let body = json!({ "email": email, "password": PASSWORD, "name": "New" });
            app.client.post(path, &body).bearer(&browser.access).send().await.status
        };
        assert_eq!(attempt("/api/v1/auth/login", &user.email).await, 200, "{role}");
        for path in ["/api/v1/auth/login", "/api/v1/admin/session"] {
            assert_eq!(attempt(path, &user.email).await, 429, "{role} {path}");
        }
        let change = json!({ "current_password": PASSWORD, "new_password": "a long new password" });
        let change =
            browser.call("POST", "/api/v1/auth/password/change").bearer(&browser.access).json(&change);
        change.send().await.expect(429);
        let basic = format!("Basic {}", STANDARD.encode(format!("{}:{PASSWORD}", user.email)));
        let check = app.client.get("/api/v1/auth/check").header("authorization", &basic);
        check.send().await.expect(429);
        assert_eq!(attempt("/api/v1/auth/register", "new@example.com").await, 429, "{role}: the address's");
        for expected in [200, 200, 429] {
            browser.refresh_call().bearer(&browser.access).send().await.expect(expected);
        }
        for _ in 0..3 {
            let report = json!({ "type": "USER_ACTION" });
            app.client
                .post("/api/v1/auth/logout-event", &report)
                .bearer(&browser.access)
                .send()
                .await
                .expect(202);
        }
        let dropped = "tenure_client_logout_events_dropped_total{reason=\"rate_limited\"}";
        assert_eq!(app.metric(dropped), 1.0, "{role}");
        let bypasses = app.app.metrics_page();
        assert!(!bypasses.contains("tenure_entitlement_bypasses_total{"), "{role}");
    }
}

#[tokio::test]
async fn at_the_console_even_a_superuser_is_counted() {
    let app = Setup::default().set("LIMITS__ADMIN_PER_CALLER_PER_MINUTE", "2").start().await;
    let (user, _) = somebody(&app, Role::Superuser).await;
    let body = json!({ "email": user.email, "password": PASSWORD });
    let signed_in = app.client.post("/api/v1/admin/session", &body).send().await.expect(200);
    let cookie = signed_in.set_cookies()[0].split(';').next().unwrap().to_owned();
    for expected in [200, 200, 429] {
        let look = app.client.get("/api/v1/admin/session").header("cookie", &cookie).send().await;
        assert_eq!(told(&look.expect(expected)).0, r#""admin";q=2;w=60"#);
    }
    // Nobody has to wait to sign out.
    app.client.call("DELETE", "/api/v1/admin/session").header("cookie", &cookie).send().await.expect(204);
}

#[tokio::test]
async fn switched_off_in_development_nothing_is_counted_and_nothing_told() {
    let app = Setup::default()
        .set("LIMITS__ENABLED", "false")
        .set("LIMITS__SIGN_IN_PER_ACCOUNT_PER_MINUTE", "1")
        .set("LIMITS__REFRESH_PER_SESSION_PER_MINUTE", "1")
        .set("LIMITS__API_PER_CALLER_PER_MINUTE", "1")
        .start()
        .await;
    let user = app.user("ada").await;
    for _ in 0..5 {
        let mut browser = app.signed_in(&user).await;
        for _ in 0..5 {
            browser.refresh().await.expect(200);
            assert_eq!(told(&browser.profile().await.expect(200)), ("", ""));
        }
    }
}
