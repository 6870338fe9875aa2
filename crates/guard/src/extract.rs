//! The caller as a parameter of axum's handlers.

use axum::extract::FromRequestParts;
use axum::response::{IntoResponse, Response};
use http::request::Parts;
use http::{StatusCode, header};
use serde_json::json;
use tenure_domain::problem::Code;

use crate::identity::Identity;

/// A handler asks who is calling, and no guard stands before its route: 500, because it is a bug of ours.
#[derive(Debug)]
pub struct LayerMissing;

impl<S: Send + Sync> FromRequestParts<S> for Identity {
    type Rejection = LayerMissing;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, LayerMissing> {
        let found = parts.extensions.get::<Identity>().cloned();
        if found.is_none() {
            tracing::error!(
                path = parts.uri.path(),
                "a handler takes tenure_guard::Identity, but its route is not behind guard.layer()"
            );
        }
        found.ok_or(LayerMissing)
    }
}

impl IntoResponse for LayerMissing {
    fn into_response(self) -> Response {
        let code = Code::InternalError;
        let body = json!({
            "type": "about:blank", "title": code.title(), "status": code.status(), "code": code, "class": code.class(),
        });
        let headers = [(header::CONTENT_TYPE, "application/problem+json")];
        (StatusCode::INTERNAL_SERVER_ERROR, headers, body.to_string()).into_response()
    }
}
