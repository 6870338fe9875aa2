//! The page of routes, and the layers above them in order.

pub mod actor;
pub mod arrival;
pub mod body;
pub mod cookie;
pub mod envelope;
pub mod openapi;
pub mod origin;
pub mod problem;

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use http::Method;
use tenure_domain::problem::Code;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::normalize_path::NormalizePath;

use crate::App;
use crate::http::envelope::envelope;
use crate::http::problem::Problem;
use crate::routes::{auth, docs, system, well_known};

/// Every route of the API listener. A route that needs somebody says so in its handler's parameters; the
/// table test in `tests/it/authz_table.rs` calls each as nobody, as a stranger and cross-site.
fn routes() -> Router<Arc<App>> {
    let api = Router::new()
        .route("/auth/register", post(auth::register::post))
        .route("/auth/login", post(auth::login::post))
        .route("/auth/refresh", post(auth::refresh::post).delete(auth::refresh::delete))
        .route("/auth/logout", post(auth::logout::post))
        .route("/auth/profile", get(auth::profile::get).patch(auth::profile::patch))
        .route("/auth/password/change", post(auth::password::change))
        .route("/auth/sessions", get(auth::sessions::list))
        .route("/auth/sessions/{id}", delete(auth::sessions::end))
        .route("/system/ping", get(system::ping))
        .route("/system/status", get(system::status));
    Router::new()
        .nest("/api/v1", api)
        .route("/api/openapi.json", get(docs::openapi_json))
        .route("/api/docs", get(docs::page))
        .route("/api/docs/codes", get(docs::codes))
        .route("/api/docs/style.css", get(docs::style))
        .route("/.well-known/jwks.json", get(well_known::jwks))
        .route("/", get(docs::root))
}

/// The service of the API listener: routes, and around them, from the outside in:
///
/// 1. trailing slashes are optional;
/// 2. the envelope: arrival, headers, error bodies, the canonical log line;
/// 3. CORS for the allowed origins, so that an allowed page can read even an error;
/// 4. the guards: a panic becomes 500 and a slow answer 503, for that request only;
/// 5. the origin check, before any body is read.
///
/// Bodies are limited where they are read ([`body`]), rates where the key is known (sign-in, refresh).
pub fn service(app: Arc<App>) -> Service {
    let router = routes()
        .layer(middleware::from_fn_with_state(Arc::clone(&app), check_origin))
        .layer(middleware::from_fn_with_state(Arc::clone(&app), time_limit))
        .layer(CatchPanicLayer::custom({
            let app = Arc::clone(&app);
            move |_| panicked(&app)
        }))
        .layer(app.origins.cors())
        .layer(middleware::from_fn_with_state(Arc::clone(&app), envelope))
        .with_state(app);
    NormalizePath::trim_trailing_slash(router)
}

pub type Service = NormalizePath<Router>;

/// Everything that changes something has to come from an allowed page, or from no page at all.
async fn check_origin(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    if !matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS)
        && let Err(problem) = app.origins.check(request.headers())
    {
        return problem.into_response();
    }
    next.run(request).await
}

/// A slow answer is 503. What it began in the store may still be finished there; the protocol tolerates an
/// answer that was lost.
async fn time_limit(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let limit = app.settled.config.server.request_timeout.0;
    match tokio::time::timeout(limit, next.run(request)).await {
        Ok(response) => response,
        Err(_) => Problem::new(Code::StorageUnavailable, "The answer took too long; try again.")
            .with_cause("request timeout")
            .into_response(),
    }
}

/// A panic is 500, for that request only.
fn panicked(app: &App) -> Response {
    app.metrics.panics.inc();
    Problem::new(Code::InternalError, "Something went wrong here; quote the request id.")
        .with_cause("a handler panicked")
        .into_response()
}
