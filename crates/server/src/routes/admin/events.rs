//! `/api/v1/admin/events`: the record of what happened.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use http::{HeaderMap, header};
use serde::{Deserialize, Serialize};
use tenure_domain::event::Event;
use tenure_domain::id::{EventId, SessionId, UserId};
use tenure_domain::time::Timestamp;
use tenure_store::{Decree, EVENTS_LISTED_MAX, EventFilter};
use utoipa::{IntoParams, ToSchema};

use super::people::{self, People, Whom};
use super::{Administrator, Faults, page, right};
use crate::App;
use crate::events::export::{Format, text_of};
use crate::http::arrival::At;
use crate::http::body::Json;
use crate::http::openapi::event_kind;
use crate::http::problem::Problem;
use crate::wording::device::label;

#[derive(Serialize, ToSchema)]
pub struct EventRecords {
    /// Newest first.
    events: Vec<EventRecord>,
    /// What to ask for as `before`, to go on; null at the end.
    #[schema(value_type = Option<String>)]
    before: Option<EventId>,
    /// The addresses of the users named in them, by id. Whoever is deleted is not among them.
    #[schema(value_type = BTreeMap<String, String>)]
    people: People,
}

/// Something that happened. Most kinds say only some of it.
#[derive(Serialize, ToSchema)]
pub struct EventRecord {
    #[schema(value_type = String, example = "evt_0199c0a41c3b7d0ea1f0b2c3d4e5f607")]
    pub id: EventId,
    /// Unix milliseconds.
    #[schema(value_type = i64)]
    pub at: Timestamp,
    /// Such as `signed_in`, `session_ended` or `refresh_refused`; of another version's events its own.
    pub kind: String,
    #[schema(value_type = Option<String>)]
    pub user: Option<UserId>,
    #[schema(value_type = Option<String>)]
    pub session: Option<SessionId>,
    /// The receipt of an end, the id of a key, or what an act is about.
    pub subject: Option<String>,
    /// `user`, `policy`, `clock`, or `admin:` and who it was.
    pub actor: Option<String>,
    pub address: Option<String>,
    /// The User-Agent in words.
    pub browser: Option<String>,
    /// The reason of an end, the code of a refusal, or the type of a report.
    pub cause: Option<String>,
    /// How often it happened within a second or so.
    pub count: u32,
    /// Whatever else is known, by kind.
    #[schema(value_type = Option<Object>)]
    pub detail: Option<serde_json::Value>,
    /// Its number in the chain; null in the moment before it is sealed.
    #[schema(value_type = Option<i64>)]
    pub seq: Option<u64>,
}

impl From<Event> for EventRecord {
    fn from(event: Event) -> Self {
        let kind = event.kind().to_owned();
        let Event { id, what, seal, .. } = event;
        Self {
            id,
            at: what.at,
            kind,
            user: what.user,
            session: what.session,
            subject: what.subject,
            actor: what.actor,
            address: what.whence.address,
            browser: what.whence.user_agent.map(|agent| label(Some(&agent))),
            cause: what.cause,
            count: what.count,
            detail: what.detail.and_then(|detail| serde_json::from_str(&detail).ok()),
            seq: seal.map(|seal| seal.link.number),
        }
    }
}

/// Which events are asked for.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Asked {
    /// Only of this kind, such as `session_ended`.
    #[param(schema_with = event_kind)]
    kind: Option<String>,
    /// Only of this user: `usr_...`, or their e-mail address.
    user: Option<String>,
    /// Only of this session, `ses_...`.
    session: Option<String>,
    /// Only about this: a receipt, a key, an account.
    subject: Option<String>,
    /// Only by this actor: `user`, `policy`, `clock`, or who it was: `usr_...`, an e-mail address, or a name of the command
    /// line's; each with or without `admin:`.
    actor: Option<String>,
    /// Only with this cause.
    cause: Option<String>,
    /// From this time on, Unix milliseconds.
    since: Option<i64>,
    /// Before this time, Unix milliseconds.
    until: Option<i64>,
    /// Older than this event, `evt_...`.
    before: Option<String>,
    /// At most 200; 100 if left out. An export has no limit.
    limit: Option<usize>,
    /// Of an export: `ndjson` (one object a line, if left out) or `csv`.
    format: Option<Format>,
}

impl Asked {
    async fn filter(self, app: &App) -> Result<EventFilter, Problem> {
        let mut faults = Faults::default();
        let user = self.user.and_then(|text| faults.parse::<Whom>("user", "not_an_id", &text));
        let filter = EventFilter {
            kind: self.kind.and_then(|kind| faults.parse("kind", "not_a_kind", &kind)),
            user: None,
            session: self.session.and_then(|id| faults.parse("session", "not_an_id", &id)),
            subject: self.subject,
            actors: vec![],
            cause: self.cause,
            since: self.since.map(Timestamp::from_ms),
            until: self.until.map(Timestamp::from_ms),
            before: self.before.and_then(|id| faults.parse("before", "not_an_id", &id)),
            ..EventFilter::default()
        };
        let mut filter = faults.unless_any(Some(filter))?;
        if let Some(whom) = user {
            filter.user = Some(whom.id(app).await?);
        }
        if let Some(text) = self.actor {
            filter.actors = people::actors(app, &text).await?;
        }
        Ok(filter)
    }
}

/// What happened: sign-ins, ends, refusals, acts and what browsers reported.
#[utoipa::path(get, path = "/api/v1/admin/events", tag = "admin", params(Asked),
    security(("access_token" = []), ("api_key" = [])),
    responses((status = 200, description = "Newest first", body = EventRecords)))]
pub async fn list(
    State(app): State<Arc<App>>,
    _: Administrator<right::Read>,
    Query(asked): Query<Asked>,
) -> Result<Response, Problem> {
    let limit = page(asked.limit);
    let events = app.store.event_list(asked.filter(&app).await?, limit).await?;
    let before = events.last().filter(|_| events.len() == limit).map(|event| event.id);
    let named = events.iter().flat_map(|event| {
        let texts = [event.what.actor.as_deref(), event.what.subject.as_deref()].into_iter().flatten();
        texts.filter_map(people::in_text).chain(event.what.user)
    });
    let people = people::people(&app, named).await?;
    let events = events.into_iter().map(EventRecord::from).collect();
    Ok(Json(EventRecords { events, before, people }).into_response())
}

/// The same as a file, without a limit.
///
/// That it was asked for is an act. It breaks off once whoever asked may read no more.
#[utoipa::path(get, path = "/api/v1/admin/events/export", tag = "admin", params(Asked),
    security(("access_token" = []), ("api_key" = [])),
    responses((status = 200, description = "Newest first",
        content_type = "application/x-ndjson", body = String)))]
pub async fn export(
    State(app): State<Arc<App>>,
    administrator: Administrator<right::Read>,
    At(arrival): At,
    headers: HeaderMap,
    Query(asked): Query<Asked>,
) -> Result<Response, Problem> {
    let format = asked.format.unwrap_or_default();
    let rest = Some(asked.filter(&app).await?);
    let decree = Decree { actor: administrator.actor(), reason: None };
    // Before any of it leaves: rather an act too many than a file that nobody knows of.
    app.store
        .act_record(administrator.subject(), "events_exported", decree, arrival.whence(), arrival.now)
        .await?;
    let exporting = Exporting { app, shown: headers, format, rest, is_first: true };
    let (content_type, name) = match format {
        Format::Ndjson => ("application/x-ndjson", "attachment; filename=\"events.ndjson\""),
        Format::Csv => ("text/csv; charset=utf-8", "attachment; filename=\"events.csv\""),
    };
    let body = Body::from_stream(stream::try_unfold(exporting, Exporting::next));
    Ok(([(header::CONTENT_TYPE, content_type), (header::CONTENT_DISPOSITION, name)], body).into_response())
}

struct Exporting {
    app: Arc<App>,
    /// What the caller showed.
    shown: HeaderMap,
    format: Format,
    /// What is yet to be exported.
    rest: Option<EventFilter>,
    is_first: bool,
}

impl Exporting {
    /// The next piece of the file. A store that fails, or a caller who may no more, breaks it off, so that nobody takes
    /// it for whole.
    async fn next(mut self) -> Result<Option<(Bytes, Self)>, std::io::Error> {
        let Some(filter) = self.rest.take() else { return Ok(None) };
        let events = self.page(&filter).await.map_err(|problem| {
            tracing::info!(code = %problem.code, "an export of events was broken off");
            std::io::Error::other(problem.code.as_str())
        })?;
        let last = events.last().filter(|_| events.len() == EVENTS_LISTED_MAX).map(|event| event.id);
        self.rest = last.map(|last| EventFilter { before: Some(last), ..filter });
        let records: Vec<_> = events.into_iter().map(EventRecord::from).collect();
        let text = text_of(&records, self.format, std::mem::take(&mut self.is_first));
        Ok(Some((text.into(), self)))
    }

    /// The caller was looked at just before the first page.
    async fn page(&self, filter: &EventFilter) -> Result<Vec<Event>, Problem> {
        if !self.is_first {
            Administrator::<right::Read>::look_again(&self.app, &self.shown).await?;
        }
        Ok(self.app.store.event_list(filter.clone(), EVENTS_LISTED_MAX).await?)
    }
}
