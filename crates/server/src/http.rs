//! The page of routes. What lies around them is in [`door`].

pub mod actor;
pub mod admission;
pub mod arrival;
pub mod body;
pub mod client;
pub mod console;
pub mod cookie;
pub mod door;
pub mod envelope;
pub mod etag;
pub mod openapi;
pub mod origin;
pub mod problem;
pub mod rate_limit;

use std::sync::Arc;

use axum::Router;
use axum::routing::{delete, get, post, put};

use crate::App;
use crate::http::door::Door;
use crate::routes::{admin, assets, auth, billing, dev, docs, observations, pages, system, well_known};

/// Every route of the API listener. A route that needs somebody says so in its handler's parameters; the
/// table test in `tests/it/authz_table.rs` calls each as nobody, as a stranger and cross-site.
fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/api/v1/auth/register", post(auth::register::post))
        .route("/api/v1/auth/login", post(auth::login::post))
        .route("/api/v1/auth/exchange", post(auth::exchange::post))
        .route("/api/v1/auth/exchange/tickets", post(auth::exchange::tickets))
        .route("/api/v1/auth/refresh", post(auth::refresh::post).delete(auth::refresh::delete))
        .route("/api/v1/auth/logout", post(auth::logout::post))
        .route("/api/v1/auth/logout-event", post(auth::logout_event::post))
        .route("/api/v1/auth/profile", get(auth::profile::get).patch(auth::profile::patch))
        .route("/api/v1/auth/api-keys", get(auth::api_keys::list).post(auth::api_keys::create))
        .route("/api/v1/auth/api-keys/{id}", delete(auth::api_keys::revoke))
        .route("/api/v1/auth/api-keys/{id}/rotate", post(auth::api_keys::rotate))
        .route("/api/v1/auth/check", get(auth::check::get))
        .route("/api/v1/auth/entitlements", get(auth::entitlements::get))
        .route("/api/v1/auth/plans", get(auth::plans::plans))
        .route("/api/v1/auth/industries", get(auth::plans::industries))
        .route("/api/v1/auth/password/change", post(auth::password::change))
        .route("/api/v1/auth/password/reset", post(auth::password::reset))
        .route("/api/v1/auth/revocations", get(auth::revocations::get))
        .route("/api/v1/auth/events", get(auth::events::get))
        .route("/api/v1/auth/sessions", get(auth::sessions::list))
        .route("/api/v1/auth/sessions/{id}", delete(auth::sessions::end))
        .route("/api/v1/auth/sessions/{id}/timeline", get(auth::timeline::get))
        .route(
            "/api/v1/admin/session",
            get(admin::session::get).post(admin::session::post).delete(admin::session::delete),
        )
        .route("/api/v1/admin/session/confirm", post(admin::session::confirm))
        .route("/api/v1/admin/overview", get(admin::overview::get))
        .route("/api/v1/admin/accounts", get(admin::accounts::list).post(admin::accounts::create))
        .route("/api/v1/admin/accounts/{id}", get(admin::accounts::show).patch(admin::accounts::change))
        .route("/api/v1/admin/plans", get(admin::plans::list))
        .route("/api/v1/admin/plans/{slug}", put(admin::plans::save))
        .route("/api/v1/admin/users", get(admin::users::list).post(admin::users::create))
        .route(
            "/api/v1/admin/users/{id}",
            get(admin::users::show).patch(admin::users::change).delete(admin::users::endings::delete),
        )
        .route("/api/v1/admin/users/{id}/disable", post(admin::users::endings::disable))
        .route("/api/v1/admin/users/{id}/enable", post(admin::users::enable))
        .route("/api/v1/admin/users/{id}/sign-out", post(admin::users::endings::sign_out))
        .route("/api/v1/admin/users/{id}/password", post(admin::users::endings::set_password))
        .route("/api/v1/admin/users/{id}/password-reset", post(admin::users::reset::create))
        .route("/api/v1/admin/sessions", get(admin::sessions::list))
        .route("/api/v1/admin/sessions/{id}", get(admin::sessions::show))
        .route("/api/v1/admin/sessions/{id}/end", post(admin::sessions::end))
        .route("/api/v1/admin/api-keys", get(admin::api_keys::list))
        .route("/api/v1/admin/api-keys/{id}/revoke", post(admin::api_keys::revoke))
        .route("/api/v1/admin/signing-keys", get(admin::signing_keys::list))
        .route("/api/v1/admin/signing-keys/rotate", post(admin::signing_keys::rotate))
        .route("/api/v1/admin/signing-keys/{kid}/retire", post(admin::signing_keys::retire))
        .route("/api/v1/admin/client-reports", get(admin::client_reports::list))
        .route("/api/v1/admin/client-reports/stats", get(admin::client_reports::stats))
        .route("/api/v1/admin/settings", get(admin::settings::list))
        .route("/api/v1/admin/sessions/{id}/timeline", get(admin::timeline::get))
        .route("/api/v1/admin/acts", get(admin::acts::list))
        .route("/api/v1/admin/events", get(admin::events::list))
        .route("/api/v1/admin/events/export", get(admin::events::export))
        .route("/api/v1/billing/stripe/webhook", post(billing::stripe))
        .route("/api/v1/observations", post(observations::post))
        .route("/api/v1/system/ping", get(system::ping))
        .route("/api/v1/system/status", get(system::status))
        .route("/api/openapi.json", get(docs::openapi_json))
        .route("/api/docs", get(docs::page))
        .route("/api/docs/codes", get(docs::codes))
        .route("/api/docs/style.css", get(docs::style))
        .route("/.well-known/jwks.json", get(well_known::jwks))
        .route("/.well-known/change-password", get(pages::change_password))
        .route("/", get(pages::root))
        .route("/sign-in", get(pages::sign_in).post(pages::forms::sign_in))
        .route("/sign-up", get(pages::sign_up).post(pages::forms::sign_up))
        .route("/account", get(pages::account))
        .route("/reset-password", get(pages::reset_password))
        .route("/admin", get(pages::console))
        .route("/admin/{*page}", get(pages::console))
        .route("/assets/{file}", get(assets::asset))
        .route("/favicon.ico", get(assets::favicon))
        .route("/favicon.svg", get(assets::favicon))
}

/// What the playground needs; in production there is nothing at these addresses.
fn development_routes() -> Router<Arc<App>> {
    Router::new().route("/api/v1/dev/account", post(dev::account))
}

/// The service of the API listener.
pub fn door(app: Arc<App>) -> Door {
    let routes = match app.settled.development {
        true => routes().merge(development_routes()),
        false => routes(),
    };
    Door::new(app, routes)
}
