//! The operators' listener: health and metrics, apart from what the public reaches.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use http::{HeaderMap, StatusCode, header};
use serde_json::json;

use crate::App;
use crate::readiness::Readiness;

/// Also under the names that users of other servers look for.
pub fn router(app: Arc<App>) -> Router {
    Router::new()
        .route("/livez", get(live))
        .route("/health/alive", get(live))
        .route("/readyz", get(ready))
        .route("/startupz", get(ready))
        .route("/healthz", get(ready))
        .route("/health/ready", get(ready))
        .route("/metrics", get(metrics))
        .route("/version", get(version))
        .with_state(app)
}

/// True as long as the process can answer: a sick database is no reason to restart a healthy process.
async fn live() -> &'static str {
    "alive\n"
}

/// A line for people, or JSON where it is asked for. Degraded is ready: sending people elsewhere helps nobody.
async fn ready(State(app): State<Arc<App>>, headers: HeaderMap) -> Response {
    let readiness = Readiness::of(&app).await;
    let status = if readiness.is_ready() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let accepted = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
    if accepted.contains("application/json") {
        let answer = json!({ "status": readiness.state(), "reasons": readiness.reasons() });
        return (status, Json(answer)).into_response();
    }
    (status, format!("{readiness}\n")).into_response()
}

async fn metrics(State(app): State<Arc<App>>) -> Response {
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(header::CONTENT_TYPE, kind)], app.metrics_page()).into_response()
}

async fn version() -> &'static str {
    concat!(env!("CARGO_PKG_VERSION"), "\n")
}
