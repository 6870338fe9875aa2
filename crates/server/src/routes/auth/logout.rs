//! `POST /api/v1/auth/logout`

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use tenure_domain::ends::{Actor, EndReason};
use tenure_store::{EndOrder, Scope};
use utoipa::ToSchema;

use super::{count_ends, delete_cookies, no_content};
use crate::App;
use crate::http::actor::Departing;
use crate::http::arrival::At;
use crate::http::body::OptionalJson;
use crate::http::problem::Problem;

#[derive(Default, Deserialize, ToSchema)]
pub struct LogoutRequest {
    #[serde(default)]
    scope: LogoutScope,
}

#[derive(Clone, Copy, Default, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum LogoutScope {
    /// This session.
    #[default]
    This,
    /// All other sessions of the user.
    Others,
    /// All sessions of the user, and every access token at once.
    Everywhere,
}

/// Sign out by access token.
///
/// For `this` an expired but authentic token is enough, so that signing out works however late. The other
/// scopes need a token that stands.
#[utoipa::path(post, path = "/api/v1/auth/logout", tag = "auth", request_body = Option<LogoutRequest>,
    security(("access_token" = [])),
    responses((status = 204, description = "Done, or done before")))]
pub async fn post(
    State(app): State<Arc<App>>,
    departing: Departing,
    At(arrival): At,
    OptionalJson(LogoutRequest { scope }): OptionalJson<LogoutRequest>,
) -> Result<Response, Problem> {
    let claims = &departing.claims;
    let (scope, reason, bump) = match scope {
        LogoutScope::This => (Scope::One(claims.sid), EndReason::SignedOut, false),
        LogoutScope::Others => (Scope::AllBut(claims.sid), EndReason::SignedOut, false),
        LogoutScope::Everywhere => (Scope::All, EndReason::SignedOutEverywhere, true),
    };
    if scope != Scope::One(claims.sid) {
        departing.stand(&app, &arrival).await?;
    }
    let order = EndOrder { reason, actor: Actor::User, note: None, whence: arrival.whence() };
    let ended = app.store.session_end(claims.sub, scope, bump, order, arrival.now).await?;
    count_ends(&app, &arrival, &ended);
    let mut response = no_content();
    if ended.iter().any(|ended| ended.session_id == claims.sid) {
        delete_cookies(&app, &mut response, [claims.sid]);
    }
    Ok(response)
}
