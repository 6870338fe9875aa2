//! Every route as nobody, as a stranger, from a foreign page, and with each kind of bad token. A new route
//! fails here until it has a row.

use std::collections::BTreeSet;

use serde_json::json;

use crate::routes::auth::exchange;
use crate::routes::docs::operations;
use crate::world::{Answer, Browser, Call, Client, DAY, TestApp};

/// Who may call a route.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Needs {
    /// Anybody; what is protected is protected by what they send.
    Nothing,
    /// An access token that stands.
    Token,
    /// The console's cookie, and nothing else.
    Console,
    /// An access token or an API key that stands, with what the route asks for besides.
    TokenOrKey,
    /// An access token that is authentic, even if expired or revoked: signing out.
    AuthenticToken,
}

pub struct Row {
    pub method: &'static str,
    pub path: &'static str,
    pub needs: Needs,
}

const fn row(method: &'static str, path: &'static str, needs: Needs) -> Row {
    Row { method, path, needs }
}

pub const TABLE: [Row; 67] = [
    row("POST", "/api/v1/auth/register", Needs::Nothing),
    row("POST", "/api/v1/auth/login", Needs::Nothing),
    row("POST", "/api/v1/auth/exchange", Needs::Nothing),
    row("POST", "/api/v1/auth/exchange/tickets", Needs::TokenOrKey),
    row("POST", "/api/v1/auth/refresh", Needs::Nothing),
    row("DELETE", "/api/v1/auth/refresh", Needs::Nothing),
    row("POST", "/api/v1/auth/logout", Needs::AuthenticToken),
    row("POST", "/api/v1/auth/logout-event", Needs::Nothing),
    row("GET", "/api/v1/auth/profile", Needs::Token),
    row("PATCH", "/api/v1/auth/profile", Needs::Token),
    row("POST", "/api/v1/auth/password/change", Needs::Token),
    row("POST", "/api/v1/auth/password/reset", Needs::Nothing),
    row("GET", "/api/v1/auth/sessions", Needs::Token),
    row("DELETE", "/api/v1/auth/sessions/{id}", Needs::Token),
    row("GET", "/api/v1/auth/sessions/{id}/timeline", Needs::TokenOrKey),
    row("GET", "/api/v1/auth/api-keys", Needs::Token),
    row("POST", "/api/v1/auth/api-keys", Needs::Token),
    row("DELETE", "/api/v1/auth/api-keys/{id}", Needs::Token),
    row("POST", "/api/v1/auth/api-keys/{id}/rotate", Needs::Token),
    row("GET", "/api/v1/auth/check", Needs::TokenOrKey),
    row("GET", "/api/v1/auth/entitlements", Needs::Token),
    row("GET", "/api/v1/auth/revocations", Needs::TokenOrKey),
    row("GET", "/api/v1/auth/events", Needs::Token),
    row("GET", "/api/v1/auth/plans", Needs::Nothing),
    row("GET", "/api/v1/auth/industries", Needs::Nothing),
    row("POST", "/api/v1/admin/session", Needs::Nothing),
    row("GET", "/api/v1/admin/session", Needs::Console),
    row("DELETE", "/api/v1/admin/session", Needs::Nothing),
    row("POST", "/api/v1/admin/session/confirm", Needs::Console),
    row("GET", "/api/v1/admin/overview", Needs::TokenOrKey),
    row("GET", "/api/v1/admin/accounts", Needs::TokenOrKey),
    row("POST", "/api/v1/admin/accounts", Needs::TokenOrKey),
    row("GET", "/api/v1/admin/accounts/{id}", Needs::TokenOrKey),
    row("PATCH", "/api/v1/admin/accounts/{id}", Needs::TokenOrKey),
    row("GET", "/api/v1/admin/plans", Needs::TokenOrKey),
    row("PUT", "/api/v1/admin/plans/{slug}", Needs::TokenOrKey),
    row("GET", "/api/v1/admin/users", Needs::TokenOrKey),
    row("POST", "/api/v1/admin/users", Needs::TokenOrKey),
    row("GET", "/api/v1/admin/users/{id}", Needs::TokenOrKey),
    row("PATCH", "/api/v1/admin/users/{id}", Needs::TokenOrKey),
    row("DELETE", "/api/v1/admin/users/{id}", Needs::TokenOrKey),
    row("POST", "/api/v1/admin/users/{id}/disable", Needs::TokenOrKey),
    row("POST", "/api/v1/admin/users/{id}/enable", Needs::TokenOrKey),
    row("POST", "/api/v1/admin/users/{id}/sign-out", Needs::TokenOrKey),
    row("POST", "/api/v1/admin/users/{id}/password", Needs::TokenOrKey),
    row("POST", "/api/v1/admin/users/{id}/password-reset", Needs::TokenOrKey),
    row("GET", "/api/v1/admin/sessions", Needs::TokenOrKey),
    row("GET", "/api/v1/admin/sessions/{id}", Needs::TokenOrKey),
    row("POST", "/api/v1/admin/sessions/{id}/end", Needs::TokenOrKey),
    row("GET", "/api/v1/admin/api-keys", Needs::TokenOrKey),
    row("POST", "/api/v1/admin/api-keys/{id}/revoke", Needs::TokenOrKey),
    row("GET", "/api/v1/admin/signing-keys", Needs::TokenOrKey),
    row("POST", "/api/v1/admin/signing-keys/rotate", Needs::TokenOrKey),
    row("POST", "/api/v1/admin/signing-keys/{kid}/retire", Needs::TokenOrKey),
    row("GET", "/api/v1/admin/client-reports", Needs::TokenOrKey),
    row("GET", "/api/v1/admin/client-reports/stats", Needs::TokenOrKey),
    row("GET", "/api/v1/admin/settings", Needs::TokenOrKey),
    row("GET", "/api/v1/admin/sessions/{id}/timeline", Needs::TokenOrKey),
    row("GET", "/api/v1/admin/acts", Needs::TokenOrKey),
    row("GET", "/api/v1/admin/events", Needs::TokenOrKey),
    row("GET", "/api/v1/admin/events/export", Needs::TokenOrKey),
    row("POST", "/api/v1/billing/stripe/webhook", Needs::Nothing),
    row("POST", "/api/v1/observations", Needs::Nothing),
    row("GET", "/api/v1/system/ping", Needs::Nothing),
    row("GET", "/api/v1/system/status", Needs::Nothing),
    row("GET", "/.well-known/jwks.json", Needs::Nothing),
    row("GET", "/api/openapi.json", Needs::Nothing),
];

/// What the API's document leaves out: pages and what they load, their forms, and the way to one of them.
pub const PAGES: [Row; 13] = [
    row("GET", "/", Needs::Nothing),
    row("GET", "/sign-in", Needs::Nothing),
    row("POST", "/sign-in", Needs::Nothing),
    row("GET", "/sign-up", Needs::Nothing),
    row("POST", "/sign-up", Needs::Nothing),
    row("GET", "/account", Needs::Nothing),
    row("GET", "/reset-password", Needs::Nothing),
    row("GET", "/admin", Needs::Nothing),
    row("GET", "/admin/{*page}", Needs::Nothing),
    row("GET", "/assets/{file}", Needs::Nothing),
    row("GET", "/favicon.ico", Needs::Nothing),
    row("GET", "/favicon.svg", Needs::Nothing),
    row("GET", "/.well-known/change-password", Needs::Nothing),
];

/// What a development server has besides.
pub const DEVELOPMENT: [Row; 1] = [row("POST", "/api/v1/dev/account", Needs::Token)];

/// How the paths of what an administrator does end whose body is a reason and nothing else.
const ADMIN_ACTS: [&str; 8] = [
    "/disable",
    "/enable",
    "/sign-out",
    "/password-reset",
    "/{id}/end",
    "/{id}/revoke",
    "/signing-keys/rotate",
    "/{kid}/retire",
];

impl Row {
    /// A request with a body that would do, for the thing `id` where the path names one.
    pub fn call(&self, client: &Client, id: &str) -> Call {
        let path = self
            .path
            .replace("{id}", id)
            .replace("{slug}", "pro")
            .replace("{kid}", "no-such-key")
            .replace("{file}", "app-Ab12_x.js");
        let path = if self.wants_a_reason_in_its_query() { path + "?reason=asked" } else { path };
        let call = client.call(self.method, &path);
        if self.method == "POST" && matches!(self.path, "/sign-in" | "/sign-up") {
            let typed = "email=ada%40example.com&password=correct+horse+battery&name=New";
            return call.body("application/x-www-form-urlencoded", typed);
        }
        let body = match self.path {
            "/api/v1/auth/register" => {
                json!({ "email": "new@example.com", "password": "a long new password", "name": "New" })
            }
            "/api/v1/auth/login" | "/api/v1/admin/session" if self.method == "POST" => {
                json!({ "email": "ada@example.com", "password": crate::world::PASSWORD })
            }
            "/api/v1/auth/exchange" => {
                json!({ "kind": "simplejwt", "token": "a.b.c", "attempt": "0123456789abcdef" })
            }
            "/api/v1/auth/exchange/tickets" => json!({ "user_id": "17", "legacy_session": "made up" }),
            "/api/v1/auth/logout-event" => json!({ "type": "USER_ACTION", "message": "Signed out" }),
            "/api/v1/observations" => {
                json!({ "profile": format!("obs_{}", "1".repeat(32)), "page": "a1", "sentAt": 1, "seen": [] })
            }
            "/api/v1/auth/password/change" => {
                json!({ "current_password": crate::world::PASSWORD, "new_password": "a long new password" })
            }
            "/api/v1/auth/api-keys" if self.method == "POST" => json!({ "name": "Changed" }),
            "/api/v1/dev/account" => json!({ "status": "suspended" }),
            "/api/v1/auth/profile" if self.method == "PATCH" => json!({ "name": "Changed" }),
            "/api/v1/admin/accounts" if self.method == "POST" => json!({ "name": "New", "reason": "asked" }),
            "/api/v1/admin/accounts/{id}" if self.method == "PATCH" => {
                json!({ "status": "suspended", "reason": "asked" })
            }
            "/api/v1/admin/plans/{slug}" => json!({ "name": "Pro", "is_active": true, "reason": "asked" }),
            "/api/v1/admin/users" if self.method == "POST" => {
                json!({ "email": "new@example.com", "name": "New", "reason": "asked" })
            }
            "/api/v1/admin/users/{id}" if self.method == "PATCH" => {
                json!({ "role": "admin", "reason": "asked" })
            }
            "/api/v1/admin/users/{id}/password" => {
                json!({ "password": "a long new password", "reason": "asked" })
            }
            "/api/v1/auth/password/reset" => {
                json!({ "token": "made up", "new_password": "a long new password" })
            }
            "/api/v1/admin/session/confirm" => json!({ "password": crate::world::PASSWORD }),
            path if ADMIN_ACTS.iter().any(|end| path.ends_with(end)) => json!({ "reason": "asked" }),
            _ => return call,
        };
        call.json(&body)
    }

    pub fn changes_something(&self) -> bool {
        self.method != "GET"
    }

    fn wants_a_reason_in_its_query(&self) -> bool {
        self.method == "DELETE" && self.path.starts_with("/api/v1/admin/")
    }
}

/// Whatever was refused, Ada's session is as it was.
async fn check_untouched(app: &TestApp, ada: &mut Browser) {
    assert_eq!(ada.profile().await.expect(200).json()["name"], "ada");
    assert_eq!(ada.sessions().await.len(), 1);
    ada.refresh().await.expect(200);
    app.client.login("ada@example.com", "a long new password").await.expect(401);
}

#[test]
fn every_operation_has_a_row_and_every_row_an_operation() {
    let rows: BTreeSet<_> = TABLE.iter().map(|row| (row.method.to_owned(), row.path.to_owned())).collect();
    assert_eq!(rows, operations(&tenure::http::openapi::document()));
}

async fn refused(app: &TestApp, needed: &[Needs], token: Option<&str>, code: &str) {
    let mut asked = 0;
    for row in TABLE.iter().chain(&DEVELOPMENT).filter(|row| needed.contains(&row.needs)) {
        let mut call = row.call(&app.client, &format!("ses_{}", "1".repeat(32)));
        if let Some(token) = token {
            call = call.bearer(token);
        }
        let answer: Answer = call.send().await.expect(401).without_cookies();
        answer.problem(code);
        assert!(answer.header("www-authenticate").starts_with("Bearer"), "{} {}", row.method, row.path);
        asked += 1;
    }
    assert!(asked > 0);
}

/// A server that also trades sign-ins of another system: while it does not, it looks at nobody's credentials there.
pub async fn open() -> TestApp {
    exchange::setup().start().await
}

const PROTECTED: [Needs; 3] = [Needs::Token, Needs::TokenOrKey, Needs::AuthenticToken];

#[tokio::test]
async fn nobody_is_let_in_where_somebody_is_needed() {
    let app = open().await;
    let mut ada = app.signed_in(&app.user("ada").await).await;
    refused(&app, &PROTECTED, None, "access_token_missing").await;
    refused(&app, &[Needs::Console], None, "access_token_missing").await;
    refused(&app, &[Needs::Console], Some(&ada.access), "access_token_missing").await;
    check_untouched(&app, &mut ada).await;
}

#[tokio::test]
async fn garbage_and_foreign_tokens_are_refused() {
    let app = open().await;
    let mut ada = app.signed_in(&app.user("ada").await).await;
    let foreign = crate::world::Setup::default().secret(9).start().await;
    let stranger = foreign.signed_in(&foreign.user("ada").await).await;
    for token in ["garbage", "a.b.c", &stranger.access] {
        refused(&app, &PROTECTED, Some(token), "access_token_invalid").await;
    }
    check_untouched(&app, &mut ada).await;
}

#[tokio::test]
async fn a_refresh_token_is_no_access_token() {
    let app = open().await;
    let mut ada = app.signed_in(&app.user("ada").await).await;
    refused(&app, &PROTECTED, Some(&ada.token()), "wrong_token_type").await;
    check_untouched(&app, &mut ada).await;
}

#[tokio::test]
async fn an_access_token_in_the_cookies_is_no_session() {
    let app = open().await;
    let mut ada = app.signed_in(&app.user("ada").await).await;
    let name = ada.cookies().only().name.clone();
    let answer = app.client.refresh_with(&format!("{name}={}", ada.access)).await;
    answer.expect(401).without_cookies().problem("session_not_found");
    check_untouched(&app, &mut ada).await;
}

#[tokio::test]
async fn an_expired_token_is_good_for_signing_out_alone() {
    let app = open().await;
    let user = app.user("ada").await;
    let (mut ada, late) = (app.signed_in(&user).await, app.signed_in(&user).await);
    app.clock.advance(DAY);
    refused(&app, &[Needs::Token, Needs::TokenOrKey], Some(&late.access), "access_token_expired").await;
    for row in TABLE.iter().filter(|row| row.needs == Needs::AuthenticToken) {
        row.call(&app.client, "").bearer(&late.access).send().await.expect(204);
    }
    ada.refresh().await.expect(200);
    check_untouched(&app, &mut ada).await;
}

#[tokio::test]
async fn a_revoked_token_is_good_for_signing_out_alone() {
    let app = open().await;
    let user = app.user("ada").await;
    let (mut ada, mut gone) = (app.signed_in(&user).await, app.signed_in(&user).await);
    gone.sign_out().await.expect(204);
    refused(&app, &[Needs::Token, Needs::TokenOrKey], Some(&gone.access), "access_token_revoked").await;
    for row in TABLE.iter().filter(|row| row.needs == Needs::AuthenticToken) {
        row.call(&app.client, "").bearer(&gone.access).send().await.expect(204);
    }
    check_untouched(&app, &mut ada).await;
}

#[tokio::test]
async fn nothing_is_changed_from_a_foreign_page_even_with_every_credential() {
    let app = open().await;
    let mut ada = app.signed_in(&app.user("ada").await).await;
    let before = ada.cookies();
    let ours = app.origin().to_owned();
    let port = app.address.port();
    let foreign: [&[(&str, &str)]; 9] = [
        &[("origin", "https://evil.example")],
        &[("origin", "null")],
        &[("origin", &format!("http://127.0.0.1.evil.net:{port}"))],
        &[("origin", &format!("http://evil-127.0.0.1:{port}"))],
        &[("origin", "")],
        &[("sec-fetch-site", "cross-site")],
        &[("sec-fetch-site", "none")],
        &[("origin", &ours), ("sec-fetch-site", "cross-site")],
        &[("origin", &ours), ("origin", "https://evil.example")],
    ];
    for headers in foreign {
        for row in TABLE.iter().chain(&PAGES).chain(&DEVELOPMENT).filter(|row| row.changes_something()) {
            let mut call = row.call(&app.client, &ada.session).bearer(&ada.access);
            for (name, value) in headers {
                call = call.header(name, value);
            }
            let call = call.header("cookie", ada.cookie_header("/api/v1/auth/refresh"));
            call.send().await.expect(403).without_cookies().problem("origin_not_allowed");
        }
    }
    assert_eq!(ada.cookies(), before);
    check_untouched(&app, &mut ada).await;
}

#[tokio::test]
async fn a_page_of_the_same_site_and_no_browser_at_all_are_let_in() {
    let app = open().await;
    let ada = app.signed_in(&app.user("ada").await).await;
    let cookie = ada.cookie_header("/api/v1/auth/refresh");
    let refresh = || app.client.call("POST", "/api/v1/auth/refresh").header("cookie", &cookie);
    refresh().send().await.expect(200);
    for site in ["same-origin", "same-site"] {
        refresh().header("origin", app.origin()).header("sec-fetch-site", site).send().await.expect(200);
    }
}
