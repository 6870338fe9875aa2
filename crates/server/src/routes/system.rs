//! `/api/v1/system`: for monitors and for clients that want to know where they are.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use tenure_domain::time::Timestamp;
use utoipa::ToSchema;

use crate::App;
use crate::http::actor::Anyone;
use crate::http::arrival::At;
use crate::http::body::Json;
use crate::http::problem::Problem;

#[derive(Serialize, ToSchema)]
pub struct Pong {
    pong: bool,
    /// The server's clock, Unix milliseconds.
    #[schema(value_type = i64)]
    server_time: Timestamp,
}

/// Answers as long as the process does.
#[utoipa::path(get, path = "/api/v1/system/ping", tag = "system",
    responses((status = 200, description = "Here", body = Pong)))]
pub async fn ping(_: Anyone, At(arrival): At) -> Response {
    Json(Pong { pong: true, server_time: arrival.now }).into_response()
}

#[derive(Serialize, ToSchema)]
pub struct Status {
    /// `ok` if the store answers.
    status: &'static str,
    version: &'static str,
    #[schema(value_type = i64)]
    server_time: Timestamp,
    /// Seconds that a remembered sign-in lasts; the label of "remember me" is made from it.
    remembered_lifetime: u64,
    /// Seconds that another sign-in lasts at most.
    short_lifetime: u64,
    /// Whether people may register themselves.
    registration_open: bool,
}

/// What a sign-in page needs to know, and whether the store answers.
#[utoipa::path(get, path = "/api/v1/system/status", tag = "system",
    responses((status = 200, description = "Serving", body = Status)))]
pub async fn status(State(app): State<Arc<App>>, _: Anyone, At(arrival): At) -> Result<Response, Problem> {
    app.store.check().await?;
    let times = &app.settled.times;
    let status = Status {
        status: "ok",
        version: env!("CARGO_PKG_VERSION"),
        server_time: arrival.now,
        remembered_lifetime: times.remembered_lifetime.as_secs(),
        short_lifetime: times.short_lifetime.as_secs(),
        registration_open: app.settled.config.registration.open,
    };
    Ok(Json(status).into_response())
}
