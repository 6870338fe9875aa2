//! `/api/v1/auth/sessions`: a person's devices.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use tenure_domain::ends::{Actor, EndReason};
use tenure_domain::id::SessionId;
use tenure_domain::limit::SESSIONS_LISTED_MAX;
use tenure_domain::time::Timestamp;
use tenure_store::{EndOrder, Scope, SessionRecord};
use utoipa::ToSchema;

use super::{count_ends, delete_cookies, no_content};
use crate::App;
use crate::http::actor::SignedIn;
use crate::http::arrival::At;
use crate::http::body::Json;
use crate::http::problem::Problem;
use crate::wording::device::label;

#[derive(Serialize, ToSchema)]
pub struct SessionList {
    /// Newest first.
    sessions: Vec<SessionEntry>,
}

#[derive(Serialize, ToSchema)]
pub struct SessionEntry {
    #[schema(value_type = String)]
    id: SessionId,
    /// Browser and system in words, as in `Firefox on Linux`.
    label: String,
    #[schema(value_type = i64)]
    created_at: Timestamp,
    /// Last refresh, accurate to a minute and a half.
    #[schema(value_type = i64)]
    last_used_at: Timestamp,
    #[schema(value_type = i64)]
    expires_at: Timestamp,
    remembered: bool,
    /// Whether it is the session that asks.
    current: bool,
    /// Where the sign-in came from.
    address: Option<String>,
}

/// The user's live sessions.
#[utoipa::path(get, path = "/api/v1/auth/sessions", tag = "auth", security(("access_token" = [])),
    responses((status = 200, description = "The devices that are signed in", body = SessionList)))]
pub async fn list(
    State(app): State<Arc<App>>,
    SignedIn { claims, person, .. }: SignedIn,
    At(arrival): At,
) -> Result<Response, Problem> {
    let records = app.store.session_list(person.id, false, SESSIONS_LISTED_MAX, arrival.now).await?;
    let sessions = records.into_iter().map(|record| entry(record, claims.sid)).collect();
    Ok(Json(SessionList { sessions }).into_response())
}

fn entry(record: SessionRecord, current: SessionId) -> SessionEntry {
    let SessionRecord { session, device, last_used_at, .. } = record;
    SessionEntry {
        id: session.id,
        label: label(device.user_agent.as_deref()),
        created_at: session.created_at,
        last_used_at,
        expires_at: session.expires_at,
        remembered: session.remembered,
        current: session.id == current,
        address: device.address,
    }
}

/// End one of the user's sessions.
#[utoipa::path(delete, path = "/api/v1/auth/sessions/{id}", tag = "auth", security(("access_token" = [])),
    params(("id" = String, Path, description = "The session, as in `ses_...`")),
    responses((status = 204, description = "Ended, or ended before"),
        (status = 404, description = "No session of this user has that id")))]
pub async fn end(
    State(app): State<Arc<App>>,
    SignedIn { claims, person, .. }: SignedIn,
    At(arrival): At,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let id: SessionId = id.parse().map_err(|_| Problem::not_found())?;
    let order =
        EndOrder { reason: EndReason::SignedOut, actor: Actor::User, note: None, whence: arrival.whence() };
    let ended = app.store.session_end(person.id, Scope::One(id), false, order, arrival.now).await?;
    if ended.is_empty() {
        return Err(Problem::not_found());
    }
    count_ends(&app, &arrival, &ended);
    let mut response = no_content();
    if id == claims.sid {
        delete_cookies(&app, &mut response, [id]);
    }
    Ok(response)
}
