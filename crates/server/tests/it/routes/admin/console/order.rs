//! The first kind of credential that is shown decides, and one that does not stand is refused whatever else is there.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::routing::get;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use tenure::http::actor::{Admin, Caller, Identified, SignedIn};
use tenure::http::door::Door;
use tenure_domain::user::Role;

use super::{cookie, somebody};
use crate::world::{PASSWORD, Setup, TestApp, User};

/// What was shown, and as whom.
fn name(caller: &Caller) -> String {
    match caller {
        Caller::Key(_) => "key".into(),
        Caller::Person(Identified { person, session, .. }) => {
            format!("{}{}", person.name, if session.is_some() { " with a session" } else { "" })
        }
    }
}

/// A route of each actor, behind the server's own door.
fn door(app: &TestApp) -> Door {
    let routes = Router::new()
        .route("/api/v1/admin/whoami", get(async |Admin(caller): Admin| name(&caller)))
        .route("/api/v1/whoami", get(async |caller: Caller| name(&caller)))
        .route("/api/v1/me", get(async |me: SignedIn| me.person.name.clone()));
    Door::new(Arc::clone(&app.app), routes)
}

/// The status and who it was, or why not.
async fn ask(door: &Door, path: &str, headers: &[(&str, &str)]) -> (u16, String) {
    let mut request = http::Request::get(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let response = door.clone().answer(request.body(Body::empty()).unwrap()).await;
    let status = response.status().as_u16();
    let body = axum::body::to_bytes(response.into_body(), 10_000).await.unwrap();
    let text = String::from_utf8(body.to_vec()).unwrap();
    let code = |body: serde_json::Value| body["code"].as_str().unwrap().to_owned();
    (status, if status == 200 { text } else { code(serde_json::from_str(&text).unwrap()) })
}

fn basic(email: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{email}:{password}")))
}

/// Of each kind one that stands, each of somebody else.
struct Credentials {
    key: String,
    bearer: String,
    console: String,
    basic: String,
    of_basic: User,
}

async fn credentials(app: &TestApp) -> Credentials {
    let admin = app.signed_in(&somebody(app, "of.the.token", Role::Superuser).await).await;
    let made =
        admin.call("POST", "/api/v1/auth/api-keys").bearer(&admin.access).json(&json!({ "name": "k" }));
    let key = made.send().await.expect(201).json()["secret"].as_str().unwrap().to_owned();
    let of_basic = somebody(app, "of.basic", Role::User).await;
    Credentials {
        key,
        bearer: format!("Bearer {}", admin.access),
        console: cookie(app, &somebody(app, "of.the.console", Role::Superuser).await).await,
        basic: basic(&of_basic.email, PASSWORD),
        of_basic,
    }
}

const ADMIN: &str = "/api/v1/admin/whoami";
const API: &str = "/api/v1/whoami";

fn ok(name: &str) -> (u16, String) {
    (200, name.into())
}

fn refused(code: &str) -> (u16, String) {
    (401, code.into())
}

#[tokio::test]
async fn the_first_kind_that_is_shown_decides_who_it_is() {
    let app = TestApp::new().await;
    let (door, shown) = (door(&app), credentials(&app).await);
    let (key, cookie) = (("x-api-key", shown.key.as_str()), ("cookie", shown.console.as_str()));
    let (bearer, basic) = (("authorization", shown.bearer.as_str()), ("authorization", shown.basic.as_str()));
    // Each alone.
    assert_eq!(ask(&door, ADMIN, &[key]).await, ok("key"));
    assert_eq!(ask(&door, ADMIN, &[bearer]).await, ok("of.the.token with a session"));
    assert_eq!(ask(&door, ADMIN, &[cookie]).await, ok("of.the.console"));
    assert_eq!(ask(&door, ADMIN, &[basic]).await, ok("of.basic"));
    // Each before those after it.
    for after in [&[key, bearer, cookie][..], &[key, basic, cookie], &[key, cookie]] {
        assert_eq!(ask(&door, ADMIN, after).await, ok("key"));
    }
    let key_as_bearer = format!("Bearer {}", shown.key);
    assert_eq!(ask(&door, ADMIN, &[("authorization", &key_as_bearer), cookie]).await, ok("key"));
    assert_eq!(ask(&door, ADMIN, &[bearer, cookie]).await, ok("of.the.token with a session"));
    assert_eq!(ask(&door, ADMIN, &[basic, cookie]).await, ok("of.the.console"));
    // Outside of the admin API the cookie is nothing, and with an access token alone nothing else is anything.
    assert_eq!(ask(&door, API, &[cookie]).await, refused("access_token_missing"));
    assert_eq!(ask(&door, API, &[basic, cookie]).await, ok("of.basic"));
    assert_eq!(ask(&door, API, &[key, bearer]).await, ok("key"));
    assert_eq!(ask(&door, "/api/v1/me", &[key]).await, refused("access_token_missing"));
    assert_eq!(ask(&door, "/api/v1/me", &[cookie]).await, refused("access_token_missing"));
    assert_eq!(ask(&door, "/api/v1/me", &[basic]).await, refused("access_token_invalid"));
    assert_eq!(ask(&door, "/api/v1/me", &[bearer]).await, ok("of.the.token"));
}

#[tokio::test]
async fn one_that_does_not_stand_is_refused_whatever_else_is_shown() {
    let app = TestApp::new().await;
    let (door, shown) = (door(&app), credentials(&app).await);
    let (key, cookie) = (("x-api-key", shown.key.as_str()), ("cookie", shown.console.as_str()));
    let (bearer, basic) = (("authorization", shown.bearer.as_str()), ("authorization", shown.basic.as_str()));
    let bad_key = ("x-api-key", "tnk1_x");
    let bad_bearer = ("authorization", "Bearer x");
    let bad_cookie = ("cookie", "tenure-console=x");
    for (headers, code) in [
        (&[bad_key, bearer, cookie][..], "access_token_invalid"),
        (&[bad_key, basic], "access_token_invalid"),
        (&[bad_bearer, cookie], "access_token_invalid"),
        (&[bad_cookie, basic], "access_token_invalid"),
        (&[bad_cookie], "access_token_invalid"),
        (&[("authorization", "Digest x"), cookie], "access_token_invalid"),
        (&[bearer, basic, cookie], "access_token_invalid"),
        (&[key, key], "access_token_invalid"),
        (&[], "access_token_missing"),
    ] {
        assert_eq!(ask(&door, ADMIN, headers).await, refused(code), "{headers:?}");
    }
    // What comes after the one that decides is not even looked at.
    assert_eq!(ask(&door, ADMIN, &[key, bad_bearer, bad_cookie]).await, ok("key"));
    assert_eq!(ask(&door, ADMIN, &[bearer, bad_cookie]).await, ok("of.the.token with a session"));
}

#[tokio::test]
async fn basic_is_an_attempt_to_sign_in_and_makes_no_session() {
    let app = Setup::default().set("LIMITS__SIGN_IN_PER_ACCOUNT_PER_MINUTE", "4").start().await;
    let door = door(&app);
    let user = somebody(&app, "root", Role::Superuser).await;
    let try_with = async |email: &str, password: &str| {
        ask(&door, API, &[("authorization", &basic(email, password))]).await
    };
    assert_eq!(try_with(&user.email, PASSWORD).await, ok("root"));
    assert!(app.store().session_list(user.id, true, 10, app.clock.get()).await.unwrap().is_empty());
    assert_eq!(try_with(&user.email, "a wrong guess").await, refused("invalid_credentials"));
    assert_eq!(try_with("nobody@example.com", PASSWORD).await, refused("invalid_credentials"));
    for odd in ["Basic", "Basic ", "Basic ?", "Basic cm9vdA==", "Basic /w=="] {
        assert_eq!(
            ask(&door, API, &[("authorization", odd)]).await,
            refused("access_token_invalid"),
            "{odd}"
        );
    }
    try_with(&user.email, "a wrong guess").await;
    try_with(&user.email, "a wrong guess").await;
    // Not for a superuser either.
    assert_eq!(try_with(&user.email, PASSWORD).await, (429, "rate_limited".into()));
    assert_eq!(app.metric("sign_in_attempts_total{method=\"basic\",outcome=\"ok\"}"), 1.0);
    let order = tenure_store::EndOrder {
        reason: tenure_domain::ends::EndReason::UserDisabled,
        actor: tenure_domain::ends::Actor::Policy,
        note: None,
        whence: Default::default(),
    };
    app.store().user_disable(user.id, order, app.clock.get()).await.unwrap();
    app.clock.advance(crate::world::MINUTE);
    assert_eq!(try_with(&user.email, PASSWORD).await, (403, "permission_denied".into()));
}

#[tokio::test]
async fn in_production_basic_is_refused_before_anything_is_hashed_or_counted() {
    let app = Setup::default().production().set("LIMITS__SIGN_IN_PER_ACCOUNT_PER_MINUTE", "1").start().await;
    let (door, user) = (door(&app), somebody(&app, "root", Role::Superuser).await);
    let hashed = app.metric("password_hash_duration_seconds_count");
    let header = ("authorization", &*basic(&user.email, PASSWORD));
    for path in [API, ADMIN, "/api/v1/me"] {
        assert_eq!(ask(&door, path, &[header]).await, refused("access_token_invalid"));
    }
    assert_eq!(app.metric("password_hash_duration_seconds_count"), hashed);
    // A proxy may demand it in front of the console, and pass it on.
    let console = cookie(&app, &user).await;
    assert_eq!(ask(&door, ADMIN, &[("cookie", &console), header]).await, ok("root"));
}

#[tokio::test]
async fn a_person_without_a_session_is_told_without_one() {
    let app = TestApp::new().await;
    let shown = credentials(&app).await;
    let check = app.client.get("/api/v1/auth/check").header("authorization", &shown.basic);
    let answer = check.send().await.expect(200).without_cookies();
    assert_eq!(answer.header("tenure-user"), shown.of_basic.id.to_string());
    assert!(answer.header("tenure-account").starts_with("acc_"));
    assert!(!answer.headers.contains_key("tenure-session"));
}
