//! `/api/v1/admin/sessions`: anybody's sessions, alive and ended.

use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use tenure_domain::ends::{End, EndReason};
use tenure_domain::id::{ReceiptId, SessionId, UserId};
use tenure_domain::time::Timestamp;
use tenure_store::{EndOrder, Scope, SessionFilter, SessionRecord, SessionState};
use utoipa::{IntoParams, ToSchema};

use super::people::{People, Whom, in_text, people};
use super::users::{Reason, read_reason};
use super::{Administrator, Confirmed, after, fault, named, page, right};
use crate::App;
use crate::http::arrival::At;
use crate::http::body::Json;
use crate::http::openapi::end_reason;
use crate::http::problem::Problem;
use crate::routes::auth::count_ends;
use crate::wording::device::label;

#[derive(Serialize, ToSchema)]
pub struct AdminSessions {
    /// Newest first.
    sessions: Vec<AdminSession>,
    /// What `after` is for the next page; null where nothing was left.
    #[schema(value_type = Option<String>)]
    next: Option<SessionId>,
}

#[derive(Serialize, ToSchema)]
pub struct AdminSession {
    #[schema(value_type = String, example = "ses_0199c0a41c3b7d0ea1f0b2c3d4e5f607")]
    id: SessionId,
    #[schema(value_type = String)]
    user: UserId,
    /// Their e-mail address; null where they are deleted.
    email: Option<String>,
    remembered: bool,
    #[schema(value_type = i64)]
    created_at: Timestamp,
    #[schema(value_type = i64)]
    expires_at: Timestamp,
    /// Last refresh, accurate to a minute and a half.
    #[schema(value_type = i64)]
    last_used_at: Timestamp,
    /// How many refreshes wrote to it.
    refresh_count: u64,
    /// Where the sign-in came from.
    address: Option<String>,
    /// Browser and system in words; null where nothing was said.
    browser: Option<String>,
    /// Null while it has not ended. One that has expired may not have been noticed yet.
    end: Option<AdminSessionEnd>,
    /// Whether a browser reported a sign-out from it that nothing explained when it came; null: none is on record.
    unexplained: Option<UnexplainedBy>,
}

/// By whose word: `verified` if an authentic access token of the session came with it, `claimed` if anybody may have said it.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum UnexplainedBy {
    Claimed,
    Verified,
}

#[derive(Serialize, ToSchema)]
pub struct AdminSessionEnd {
    #[schema(schema_with = end_reason)]
    reason: EndReason,
    /// `user`, `policy`, `clock`, or `admin:` and who it was.
    actor: String,
    /// The e-mail address of an administrator who is named by their id; null where they are deleted.
    actor_email: Option<String>,
    #[schema(value_type = i64)]
    at: Timestamp,
    note: Option<String>,
    #[schema(value_type = String)]
    receipt: ReceiptId,
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Listed {
    /// Only those of this user: `usr_...`, or their e-mail address.
    user: Option<String>,
    /// live, ended or all; all if left out. One that has expired has ended.
    state: Option<String>,
    /// Continue after this id.
    after: Option<String>,
    /// At most 200; 100 if left out.
    limit: Option<usize>,
}

/// Sessions, page by page.
#[utoipa::path(get, path = "/api/v1/admin/sessions", tag = "admin", params(Listed),
    security(("access_token" = []), ("api_key" = [])),
    responses((status = 200, description = "Newest first", body = AdminSessions)))]
pub async fn list(
    State(app): State<Arc<App>>,
    _: Administrator<right::Read>,
    At(arrival): At,
    Query(listed): Query<Listed>,
) -> Result<Response, Problem> {
    let state = match listed.state.as_deref() {
        None | Some("all") => SessionState::All,
        Some("live") => SessionState::Live,
        Some("ended") => SessionState::Ended,
        Some(_) => return Err(fault("state", "not_a_state", "expected live, ended or all")),
    };
    let user = match listed.user.as_deref().map(str::parse::<Whom>).transpose() {
        Ok(None) => None,
        Ok(Some(whom)) => Some(whom.id(&app).await?),
        Err(error) => return Err(fault("user", "not_an_id", error)),
    };
    let after = after(listed.after.as_deref())?;
    let filter = SessionFilter { user, state };
    let records = app.store.session_search(filter, after, page(listed.limit), arrival.now).await?;
    let next = records.last().map(|record| record.session.id);
    let sessions = AdminSession::of(&app, records).await?;
    Ok(Json(AdminSessions { sessions, next }).into_response())
}

/// One session.
#[utoipa::path(get, path = "/api/v1/admin/sessions/{id}", tag = "admin",
    params(("id" = String, Path, description = "The session, as in `ses_...`")),
    security(("access_token" = []), ("api_key" = [])),
    responses((status = 200, description = "As it is", body = AdminSession)))]
pub async fn show(
    State(app): State<Arc<App>>,
    _: Administrator<right::Read>,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    one(&app, named(&id)?).await
}

/// End a session. One that had ended keeps its first end.
#[utoipa::path(post, path = "/api/v1/admin/sessions/{id}/end", tag = "admin", request_body = Reason,
    params(("id" = String, Path, description = "The session, as in `ses_...`")),
    security(("access_token" = []), ("api_key" = [])),
    responses((status = 200, description = "Ended, now or before", body = AdminSession)))]
pub async fn end(
    State(app): State<Arc<App>>,
    Confirmed(administrator): Confirmed<right::Users>,
    At(arrival): At,
    Path(id): Path<String>,
    Json(wish): Json<Reason>,
) -> Result<Response, Problem> {
    let id = named(&id)?;
    let user_id = find(&app, id).await?.session.user_id;
    // Of somebody who is deleted every session has ended.
    if let Some(user) = app.store.user_find(user_id).await? {
        administrator.govern_user(&app, &user).await?;
    }
    let order = EndOrder {
        reason: EndReason::AdminRevoked,
        actor: administrator.actor(),
        note: Some(read_reason(&wish.reason)?),
        whence: arrival.whence(),
    };
    let ended = app.store.session_end(user_id, Scope::One(id), false, order, arrival.now).await?;
    count_ends(&app, &arrival, &ended);
    one(&app, id).await
}

async fn one(app: &App, id: SessionId) -> Result<Response, Problem> {
    let told = AdminSession::of(app, vec![find(app, id).await?]).await?;
    Ok(Json(told.into_iter().next().ok_or_else(Problem::not_found)?).into_response())
}

async fn find(app: &App, id: SessionId) -> Result<SessionRecord, Problem> {
    app.store.session_find(id).await?.ok_or_else(Problem::not_found)
}

impl AdminSession {
    async fn of(app: &App, records: Vec<SessionRecord>) -> Result<Vec<Self>, Problem> {
        let named = records.iter().flat_map(|record| {
            let ender = record.session.ended.as_ref().and_then(|end| in_text(&end.actor.to_string()));
            ender.into_iter().chain([record.session.user_id])
        });
        let people = people(app, named).await?;
        let ids = records.iter().map(|record| record.session.id).collect();
        let unexplained = app.store.event_unexplained(ids).await?;
        let told = records.into_iter().map(|record| {
            let unexplained = unexplained.get(&record.session.id).map(|is_verified| match is_verified {
                true => UnexplainedBy::Verified,
                false => UnexplainedBy::Claimed,
            });
            Self::told(record, &people, unexplained)
        });
        Ok(told.collect())
    }

    fn told(record: SessionRecord, people: &People, unexplained: Option<UnexplainedBy>) -> Self {
        let SessionRecord { session, device, last_used_at, refresh_count, .. } = record;
        Self {
            id: session.id,
            user: session.user_id,
            email: people.get(&session.user_id).cloned(),
            unexplained,
            remembered: session.remembered,
            created_at: session.created_at,
            expires_at: session.expires_at,
            last_used_at,
            refresh_count,
            address: device.address,
            browser: device.user_agent.map(|agent| label(Some(&agent))),
            end: session.ended.map(|end| AdminSessionEnd::told(end, people)),
        }
    }
}

impl AdminSessionEnd {
    fn told(end: End, people: &People) -> Self {
        let End { at, reason, actor, note, receipt } = end;
        let actor = actor.to_string();
        let actor_email = in_text(&actor).and_then(|id| people.get(&id).cloned());
        Self { reason, actor, actor_email, at, note, receipt }
    }
}
