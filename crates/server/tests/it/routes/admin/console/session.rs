//! `/api/v1/admin/session`: signing in to the console, and everything that ends it.

use std::time::Duration;

use serde_json::json;
use tenure_domain::ends::{Actor, EndReason};
use tenure_domain::event::EventKind;
use tenure_domain::id::UserId;
use tenure_domain::user::Role;
use tenure_rig::Redis;
use tenure_store::{EndOrder, EventFilter, Scope, StoreError, Subject};

use super::{SESSION, cookie, look, set_role, sign_in, somebody};
use crate::world::{Answer, Fault, HOUR, MINUTE, PASSWORD, SECOND, Setup, TestApp, User, decree, eventually};

async fn sign_out(app: &TestApp, cookie: &str) -> Answer {
    app.client.call("DELETE", SESSION).header("cookie", cookie).send().await
}

/// What was done of it, oldest first.
async fn acts(app: &TestApp, user: UserId) -> Vec<String> {
    let acts = app.store().act_list(Some(Subject::User(user)), 50).await.unwrap();
    let of_console = acts.into_iter().rev().filter(|act| act.what.starts_with("console"));
    of_console
        .map(|act| {
            assert_eq!(act.decree.actor, Actor::Admin(user.to_string()));
            act.what
        })
        .collect()
}

#[tokio::test]
async fn a_superuser_signs_in_is_told_until_when_and_signs_out() {
    let app = TestApp::new().await;
    let root = somebody(&app, "root", Role::Superuser).await;
    let answer = sign_in(&app, &root).await.expect(200);
    let (line, now) = (answer.set_cookies()[0].to_owned(), app.clock.get().as_ms());
    assert!(
        line.ends_with("; Path=/api/v1/admin; HttpOnly; SameSite=Strict"),
        "goes with the browser: {line}"
    );
    let cookie = line.split(';').next().unwrap().to_owned();
    let told = json!({
        "user": answer.json()["user"],
        "permissions": ["admin.read", "admin.accounts", "admin.plans", "admin.users", "admin.keys"],
        "created_at": now, "ends_at": now + 12 * 3_600_000, "expires_at": now + 30 * 60_000,
        "confirmed_at": now, "fresh_until": now + 10 * 60_000,
    });
    assert_eq!(answer.json(), told);
    assert_eq!(told["user"]["email"], "root@example.com");
    assert_eq!(look(&app, &cookie).await.expect(200).without_cookies().json(), told);
    app.client.get("/api/v1/admin/accounts").header("cookie", &cookie).send().await.expect(200);
    app.clock.advance(SECOND);
    let gone = sign_out(&app, &cookie).await.expect(204);
    assert_eq!(
        gone.set_cookies(),
        ["tenure-console=; Path=/api/v1/admin; HttpOnly; SameSite=Strict; Max-Age=0"]
    );
    look(&app, &cookie).await.expect(401).problem("access_token_expired");
    // Once more, and as nobody.
    sign_out(&app, &cookie).await.expect(204);
    sign_out(&app, "theme=dark").await.expect(204);
    assert_eq!(acts(&app, root.id).await, ["console_signed_in", "console_signed_out"]);
    for cause in ["console_signed_in", "console_signed_out"] {
        let filter =
            EventFilter { kind: Some(EventKind::Act), cause: Some(cause.into()), ..EventFilter::default() };
        let [event] = &app.store().event_list(filter, 10).await.unwrap()[..] else { panic!("one {cause}") };
        assert_eq!(event.what.whence.address.as_deref(), Some("127.0.0.1"), "{event:?}");
    }
    assert_eq!(app.metric("sign_in_attempts_total{method=\"console\",outcome=\"ok\"}"), 1.0);
}

#[tokio::test]
async fn only_people_with_something_to_do_in_it_are_let_in_and_are_told_so_only_with_the_right_password() {
    let app = Setup::default()
        .set("ENTITLEMENT__PERMISSIONS", r#"{"admin.read" = ["admin"], "reports.read" = ["developer"]}"#)
        .start()
        .await;
    for (role, expected) in [
        (Role::User, 403),
        (Role::Developer, 403),
        (Role::System, 403),
        (Role::Admin, 200),
        (Role::Superuser, 200),
    ] {
        let user = somebody(&app, role.as_str(), role).await;
        let answer = sign_in(&app, &user).await.expect(expected);
        if expected == 403 {
            answer.without_cookies().problem("permission_denied");
            assert!(acts(&app, user.id).await.is_empty());
        } else if role == Role::Admin {
            assert_eq!(answer.json()["permissions"], json!(["admin.read"]));
        }
        for wrong in [json!("a wrong guess"), json!("")] {
            let guess = json!({ "email": user.email, "password": wrong });
            app.client.post(SESSION, &guess).send().await.expect(401).problem("invalid_credentials");
        }
    }
    let nobody = json!({ "email": "nobody@example.com", "password": PASSWORD });
    app.client.post(SESSION, &nobody).send().await.expect(401).problem("invalid_credentials");
}

#[tokio::test]
async fn a_guess_at_the_console_costs_a_hash_and_counts_like_any_other_whoever_it_names() {
    let app = Setup::default().set("LIMITS__SIGN_IN_PER_ACCOUNT_PER_MINUTE", "4").start().await;
    let root = somebody(&app, "root", Role::Superuser).await;
    let hashed = app.metric("password_hash_duration_seconds_count");
    for email in ["root@example.com", "nobody@example.com"] {
        for path in [SESSION, "/api/v1/auth/login", SESSION, "/api/v1/auth/login"] {
            let guess = json!({ "email": email, "password": "a wrong guess" });
            app.client.post(path, &guess).send().await.expect(401).problem("invalid_credentials");
        }
    }
    assert_eq!(app.metric("password_hash_duration_seconds_count") - hashed, 8.0);
    // A superuser is not let off either.
    sign_in(&app, &root).await.expect(429).problem("rate_limited");
    app.client.login(&root.email, PASSWORD).await.expect(429);
    app.clock.advance(MINUTE);
    sign_in(&app, &root).await.expect(200);
}

#[tokio::test]
async fn idle_for_half_an_hour_it_is_over_and_busy_after_twelve_hours() {
    let app = TestApp::new().await;
    let root = somebody(&app, "root", Role::Superuser).await;
    let idle = cookie(&app, &root).await;
    let busy = cookie(&app, &root).await;
    let signed_in = app.clock.get();
    for _ in 0..12 * 3 - 1 {
        app.clock.advance(20 * MINUTE);
        let told = look(&app, &busy).await.expect(200).json();
        let expected = (app.clock.get() + 30 * MINUTE).min(signed_in + 12 * HOUR);
        assert_eq!(told["expires_at"], expected.as_ms());
    }
    look(&app, &idle).await.expect(401).without_cookies().problem("access_token_expired");
    app.clock.advance(20 * MINUTE);
    look(&app, &busy).await.expect(401).without_cookies().problem("access_token_expired");
}

#[tokio::test]
async fn the_last_moment_of_idling_is_still_in_time() {
    let app = TestApp::new().await;
    let root = somebody(&app, "root", Role::Superuser).await;
    let cookie = cookie(&app, &root).await;
    app.clock.advance(30 * MINUTE - Duration::from_millis(1));
    look(&app, &cookie).await.expect(200);
    app.clock.advance(30 * MINUTE);
    look(&app, &cookie).await.expect(401);
}

#[tokio::test]
async fn it_ends_with_everything_that_ends_what_somebody_may_do() {
    type End = for<'a> fn(&'a TestApp, &'a User) -> std::pin::Pin<Box<dyn Future<Output = ()> + Send + 'a>>;
    fn order() -> EndOrder {
        EndOrder {
            reason: EndReason::UserDisabled,
            actor: Actor::Policy,
            note: None,
            whence: Default::default(),
        }
    }
    let ends: [(&str, End); 4] = [
        ("disabled", |app, user| {
            Box::pin(async {
                drop(app.store().user_disable(user.id, order(), app.clock.get()).await.unwrap())
            })
        }),
        ("deleted", |app, user| {
            Box::pin(async {
                drop(app.store().user_delete(user.id, order(), app.clock.get()).await.unwrap())
            })
        }),
        ("demoted", |app, user| Box::pin(set_role(app, user, Role::Admin))),
        ("signed out everywhere", |app, user| {
            Box::pin(async {
                let now = app.clock.get();
                app.store().session_end(user.id, Scope::All, true, order(), now).await.unwrap();
            })
        }),
    ];
    let app = TestApp::new().await;
    let other = cookie(&app, &somebody(&app, "other", Role::Superuser).await).await;
    for (name, end) in ends {
        let user = somebody(&app, &name.replace(' ', "."), Role::Superuser).await;
        let cookie = cookie(&app, &user).await;
        look(&app, &cookie).await.expect(200);
        end(&app, &user).await;
        look(&app, &cookie).await.expect(401).without_cookies().problem("access_token_revoked");
        // It does not come back with their rights.
        if name != "deleted" {
            app.store().user_enable(user.id, decree(), app.clock.get()).await.unwrap();
            set_role(&app, &user, Role::Superuser).await;
        }
        look(&app, &cookie).await.expect(401).problem("access_token_expired");
    }
    look(&app, &other).await.expect(200);
}

#[tokio::test]
async fn what_is_no_cookie_of_ours_opens_nothing() {
    let app = TestApp::new().await;
    let root = somebody(&app, "root", Role::Superuser).await;
    let mine = cookie(&app, &root).await;
    let token = mine.strip_prefix("tenure-console=").unwrap();
    for odd in [
        "",
        "garbage",
        &token[..token.len() - 1],
        &format!("{token}A"),
        &format!("\"{token}\""),
        &token.to_uppercase(),
        &"A".repeat(8_000),
    ] {
        let answer = look(&app, &format!("tenure-console={odd}")).await.expect(401);
        let code = answer.code();
        assert!(["access_token_invalid", "access_token_expired"].contains(&code.as_str()), "{odd}: {code}");
    }
    let other = format!("tenure-console={}", "A".repeat(43));
    look(&app, &other).await.expect(401).problem("access_token_expired");
    // Of two cookies of the name nobody knows who planted which.
    for line in [format!("{mine}; {other}"), format!("{other}; {mine}"), format!("{mine}; {mine}")] {
        look(&app, &line).await.expect(401).problem("access_token_invalid");
    }
    look(&app, &format!("__Secure-{mine}")).await.expect(401).problem("access_token_missing");
    look(&app, &format!("theme=dark; {mine}")).await.expect(200);
    // What is stored opens nothing.
    assert!(!app.log().contains(token));
}

#[tokio::test]
async fn the_consoles_cookie_opens_nothing_of_the_applications_and_theirs_nothing_of_the_console() {
    let app = TestApp::new().await;
    let root = somebody(&app, "root", Role::Superuser).await;
    let console = cookie(&app, &root).await;
    for path in
        ["/api/v1/auth/profile", "/api/v1/auth/check", "/api/v1/auth/sessions", "/api/v1/auth/api-keys"]
    {
        let answer = app.client.get(path).header("cookie", &console).send().await;
        answer.expect(401).problem("access_token_missing");
    }
    let refreshed = app.client.refresh_with(&console).await.expect(401);
    refreshed.without_cookies().problem("no_session");
    let mut browser = app.signed_in(&root).await;
    let session = browser.cookie_header("/api/v1/auth/refresh");
    look(&app, &session).await.expect(401).problem("access_token_missing");
    let token = session.split_once('=').unwrap().1;
    look(&app, &format!("tenure-console={token}")).await.expect(401).problem("access_token_invalid");
    // Each ends alone.
    sign_out(&app, &console).await.expect(204);
    browser.refresh().await.expect(200);
    let console = cookie(&app, &root).await;
    browser.sign_out().await.expect(204);
    look(&app, &console).await.expect(200);
}

#[tokio::test]
async fn in_production_the_cookie_is_secure_and_only_our_own_pages_may_use_it() {
    let app =
        Setup::default().production().set("ORIGINS__ALLOWED", r#"["https://app.example.com"]"#).start().await;
    let root = somebody(&app, "root", Role::Superuser).await;
    let cookie = cookie(&app, &root).await;
    assert!(cookie.starts_with("__Secure-tenure-console="));
    let ask = async |method: &str, headers: &[(&str, &str)]| {
        let mut call = app.client.call(method, SESSION).header("cookie", &cookie);
        if method == "POST" {
            call = call.json(&json!({ "email": root.email, "password": PASSWORD }));
        }
        for (name, value) in headers {
            call = call.header(name, value);
        }
        call.send().await
    };
    const OURS: (&str, &str) = ("origin", "https://id.example.com");
    const ALLOWED: (&str, &str) = ("origin", "https://app.example.com");
    for headers in
        [&[][..], &[OURS], &[OURS, ("sec-fetch-site", "same-origin")], &[("sec-fetch-site", "none")]]
    {
        ask("GET", headers).await.expect(200);
    }
    // An application whose origin is allowed is of the same site, and gets its own sessions but not this.
    for headers in [
        &[ALLOWED][..],
        &[ALLOWED, ("sec-fetch-site", "same-site")],
        &[("sec-fetch-site", "same-site")],
        &[("sec-fetch-site", "cross-site")],
        &[OURS, ALLOWED],
        &[("origin", "null")],
    ] {
        for method in ["GET", "POST", "DELETE"] {
            let answer = ask(method, headers).await.expect(403).without_cookies();
            answer.problem("origin_not_allowed");
        }
    }
    ask("GET", &[]).await.expect(200);
}

#[tokio::test]
async fn without_the_store_nobody_is_signed_out_of_the_console_and_nobody_signed_in() {
    let app = TestApp::new().await;
    let root = somebody(&app, "root", Role::Superuser).await;
    let cookie = cookie(&app, &root).await;
    app.expect_failure("storage_unavailable");
    let fails = || Fault::Fails(StoreError::Unavailable("planted".into()));
    for verb in ["console_session_find", "user_find"] {
        app.faults.set(verb, fails());
        look(&app, &cookie).await.expect(503).without_cookies().problem("storage_unavailable");
        sign_out(&app, &cookie).await.expect(503).without_cookies();
        app.faults.clear();
    }
    for verb in ["act_record", "console_session_put"] {
        app.faults.set(verb, fails());
        sign_in(&app, &root).await.expect(503).without_cookies();
        app.faults.clear();
    }
    // An expiry that cannot be moved is moved another time.
    app.clock.advance(20 * MINUTE);
    app.faults.set("console_session_renew", fails());
    look(&app, &cookie).await.expect(200);
    app.faults.clear();
    look(&app, &cookie).await.expect(200);
    app.clock.advance(20 * MINUTE);
    look(&app, &cookie).await.expect(200);
}

#[tokio::test]
async fn with_redis_the_console_is_known_to_every_node_and_gone_with_it() {
    let redis = Redis::start();
    let setup = || Setup::default().set("REDIS__URL", &redis.url());
    let app = setup().start().await;
    eventually("Redis is found", async || app.app.redis.as_ref().unwrap().is_up()).await;
    let root = somebody(&app, "root", Role::Superuser).await;
    let cookie = cookie(&app, &root).await;
    look(&app, &cookie).await.expect(200);
    // Nothing of it is in the database.
    app.faults.set("console_session_find", Fault::Fails(StoreError::Unavailable("planted".into())));
    look(&app, &cookie).await.expect(200);
    redis.flush();
    look(&app, &cookie).await.expect(401).problem("access_token_expired");
}
