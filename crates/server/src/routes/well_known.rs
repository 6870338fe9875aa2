//! `/.well-known`: what other services look up.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, header};

use crate::App;
use crate::http::actor::Anyone;
use crate::http::arrival::At;
use crate::http::body::Json;
use crate::http::problem::Problem;

/// The public keys of access tokens (RFC 7517), also those that will sign soon.
#[utoipa::path(get, path = "/.well-known/jwks.json", tag = "system",
    responses((status = 200, description = "A JWK set; may be cached for five minutes", body = serde_json::Value)))]
pub async fn jwks(State(app): State<Arc<App>>, _: Anyone, At(arrival): At) -> Result<Response, Problem> {
    let keys = app.keys.current().await?;
    let mut response = Json(keys.jwks(arrival.now)).into_response();
    let cache = HeaderValue::from_static("public, max-age=300");
    response.headers_mut().insert(header::CACHE_CONTROL, cache);
    Ok(response)
}
