//! `POST /api/v1/auth/logout-event`: what browsers report of sign-outs that they saw.
//!
//! A page that is being left can do nothing about an answer, so there is only one: 202. What cannot be read,
//! is too much or cannot be stored is counted and forgotten.

mod evidence;

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::Response;
use http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};
use tenure_domain::client_report::{self, ReportKind};
use tenure_domain::ends::EndReason;
use tenure_domain::event::{EventKind, Occurrence};
use tenure_domain::explain::{self, Sighting};
use tenure_domain::limit::{
    REPORT_BYTES_MAX, REPORT_LOCATION_CHARS_MAX, REPORT_MESSAGE_CHARS_MAX, REPORT_VERSION_CHARS_MAX,
    REPORT_WORD_CHARS_MAX,
};
use tenure_domain::problem::Code;
use tenure_domain::session::Session;
use tenure_domain::suspect::{Suspect, suspect_of_wish};
use tenure_domain::time::Timestamp;
use tenure_store::{ClientReport, ReportClaims, StoreError};
use utoipa::ToSchema;

use self::evidence::LogoutEvidence;
use super::empty;
use crate::App;
use crate::events::Mistake;
use crate::explain::case;
use crate::http::actor::{Anyone, bearer_claims};
use crate::http::arrival::{Arrival, At};
use crate::http::body::{self, lenient};
use crate::http::problem::Problem;
use crate::log::{Style, legacy};
use crate::metrics::{Kind, Reason, Unasked, Verified};
use crate::wording::device;

/// Where they are sent, for the log.
const PATH: &str = "/api/v1/auth/logout-event";

/// A sign-out as the browser saw it. Every member may be left out; one of the wrong type counts as left out.
#[derive(Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct LogoutEvent {
    /// `USER_ACTION`, `TOKEN_EXPIRED`, `REFRESH_FAILED`, `AUTH_ERROR` or `UNKNOWN`, which is what everything
    /// else is kept as.
    #[serde(rename = "type", default, deserialize_with = "lenient")]
    kind: Option<String>,
    /// What happened, for people.
    #[serde(default, deserialize_with = "lenient")]
    message: Option<String>,
    /// When it happened, Unix milliseconds by the browser's clock.
    #[serde(default, deserialize_with = "lenient")]
    timestamp: Option<f64>,
    /// Minutes without any activity before it.
    #[serde(default, deserialize_with = "lenient")]
    idle_minutes: Option<f64>,
    /// The page; only its path is kept.
    #[serde(default, deserialize_with = "lenient")]
    location: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    context: Option<LogoutContext>,
    #[serde(default, deserialize_with = "lenient")]
    evidence: Option<LogoutEvidence>,
    /// The reason of the end that the browser was told, or a word of the SDK's own, such as `cookie_missing`.
    #[serde(default, deserialize_with = "lenient")]
    reason: Option<String>,
    /// The receipt that the browser was told.
    #[serde(default, deserialize_with = "lenient")]
    receipt: Option<String>,
    /// The session that ended, as the browser believes.
    #[serde(default, deserialize_with = "lenient")]
    session: Option<String>,
    /// The application's version.
    #[serde(default, deserialize_with = "lenient")]
    release: Option<String>,
    /// The SDK's version.
    #[serde(default, deserialize_with = "lenient")]
    client: Option<String>,
}

/// What the browser held. It is not asked who somebody is: an access token says that, or nothing does.
#[derive(Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct LogoutContext {
    #[serde(default, deserialize_with = "lenient")]
    has_token: Option<bool>,
    #[serde(default, deserialize_with = "lenient")]
    has_refresh_token: Option<bool>,
    #[serde(default, deserialize_with = "lenient")]
    is_authenticated: Option<bool>,
}

/// Report a sign-out.
///
/// Always answered 202, so that `navigator.sendBeacon` may be used; at most 4 KiB. Nothing is decided by a
/// report. With an access token, which may have expired, it is filed under that token's session.
#[utoipa::path(post, path = "/api/v1/auth/logout-event", tag = "auth",
    request_body(content((LogoutEvent = "application/json"), (LogoutEvent = "text/plain"))),
    security((), ("access_token" = [])),
    responses((status = 202, description = "Taken, or dropped and counted")))]
pub async fn post(State(app): State<Arc<App>>, _: Anyone, At(arrival): At, request: Request) -> Response {
    let outcome = match take(&app, &arrival, request).await {
        Ok(kind) => {
            app.metrics.client_logout_events.get_or_create(&Kind { r#type: kind.as_str() }).inc();
            "reported"
        }
        Err(problem) => {
            let reason = problem.code.as_str();
            app.metrics.client_logout_events_dropped.get_or_create(&Reason { reason }).inc();
            reason
        }
    };
    arrival.note_outcome(outcome);
    empty(StatusCode::ACCEPTED)
}

/// Stores a report, or says why it is dropped.
async fn take(app: &App, arrival: &Arrival, request: Request) -> Result<ReportKind, Problem> {
    let headers = request.headers().clone();
    // Read before it is judged: an answer in the middle of a body breaks the connection, and a client that
    // sees that keeps its report to send it once more.
    let event = body::beacon(request, app, REPORT_BYTES_MAX).await?;
    let address = app.pseudonyms.of(&arrival.network().to_string());
    app.limits.client_report(address, &arrival.standings).await?;
    // The body may have taken half of the request's time; the door must not get to answer instead of us.
    let patience = app.settled.config.server.request_timeout.0 / 4;
    let stored = tokio::time::timeout(patience, store(app, arrival, &headers, event)).await;
    stored.unwrap_or_else(|_| Err(Problem::new(Code::StorageUnavailable, "The store took too long.")))
}

async fn store(
    app: &App,
    arrival: &Arrival,
    headers: &HeaderMap,
    event: LogoutEvent,
) -> Result<ReportKind, Problem> {
    let bearer = bearer_claims(headers, app, arrival).await;
    let claims = event.claims(arrival.now);
    let kind = claims.kind;
    let report = ClientReport {
        received_at: arrival.now,
        address: arrival.address.to_string(),
        user_agent: arrival.user_agent.clone(),
        browser: device::label(arrival.user_agent.as_deref()),
        verified: bearer.map(|token| (token.sid, token.sub)),
        claims,
    };
    if app.log.style == Style::Legacy {
        let block = legacy::of_report(&report, arrival, PATH);
        app.log.write(block.into_bytes(), &app.metrics.log_lines_dropped);
    }
    app.store.client_report_add(report.clone()).await?;
    // It is kept; what it is about can be told later as well.
    if let Err(error) = join(app, arrival, &report).await {
        tracing::debug!(%error, "a report could not be held against its session");
    }
    Ok(kind)
}

/// Holds a report against what the server knows of that session. A sign-out from one that is alive is nobody's doing but
/// the front end's: it is counted, and there should be none.
async fn join(app: &App, arrival: &Arrival, report: &ClientReport) -> Result<(), StoreError> {
    let Some(session) = report.verified.map(|(session, _)| session).or(report.claims.session) else {
        return Ok(());
    };
    let Some(record) = app.store.session_find(session).await? else { return Ok(()) };
    let session = &record.session;
    let reported = case::reported(report, session);
    let sighting = explain::sighting(session, &reported);
    let is_unexplained = matches!(sighting, Sighting::ByItself(_))
        && explain::outweighs(session, record.last_used_at, &reported, arrival.now);
    let kind = match is_unexplained {
        true => EventKind::UnexplainedEnd,
        false => EventKind::ClientReport,
    };
    let verified = Verified::of(report.verified.is_some());
    let is_news = |mistake| app.events.is_first_of(session.id, mistake, report.verified.is_some());
    if is_unexplained && is_news(Mistake::Unexplained) {
        app.metrics.unexplained_session_ends.get_or_create(&verified).inc();
        tracing::warn!(session = %session.id, kind = report.claims.kind.as_str(), verified = verified.verified,
            "a browser reports a sign-out from a session that is alive");
    }
    if let Some(suspect) = unasked(session, sighting, report)
        && is_news(Mistake::Unasked)
    {
        let unasked = Unasked { suspect: suspect.as_str(), verified: verified.verified };
        app.metrics.unasked_sign_outs.get_or_create(&unasked).inc();
    }
    let said = Joined {
        verified: report.verified.is_some(),
        sighting: sighting.as_str(),
        reason: report.claims.reason.as_deref(),
        location: report.claims.location.as_deref(),
        idle_ms: report.claims.idle.map(|idle| idle.as_millis() as u64),
        release: report.claims.release.as_deref(),
        client: report.claims.client.as_deref(),
    };
    let what = Occurrence {
        // Of a claim nobody knows whose it is.
        user: report.verified.map(|(_, user)| user),
        session: Some(session.id),
        whence: arrival.whence(),
        cause: Some(report.claims.kind.as_str().to_owned()),
        ..Occurrence::new(kind, arrival.now)
    };
    app.note(what.with_detail(&said));
    Ok(())
}

/// What a sign-out bears the marks of that is the person's own by all that the server knows: an application that idles
/// people out asks for it as they would.
fn unasked<'a>(session: &Session, sighting: Sighting, report: &'a ClientReport) -> Option<Suspect<'a>> {
    let ended = session.ended.as_ref().map(|end| end.reason);
    let is_wish = match sighting {
        Sighting::TheEnd => ended == Some(EndReason::SignedOut),
        Sighting::SignOut => true,
        _ => false,
    };
    is_wish.then(|| suspect_of_wish(&case::traces(report))).flatten()
}

/// What the record keeps of a report.
#[derive(Serialize)]
struct Joined<'a> {
    verified: bool,
    sighting: &'static str,
    reason: Option<&'a str>,
    location: Option<&'a str>,
    idle_ms: Option<u64>,
    release: Option<&'a str>,
    client: Option<&'a str>,
}

impl LogoutEvent {
    fn claims(self, now: Timestamp) -> ReportClaims {
        let text = |text: Option<String>, max| text.and_then(|text| client_report::text(&text, max));
        let kind = self.kind.as_deref().and_then(|kind| kind.parse().ok());
        let context = self.context.unwrap_or_default();
        ReportClaims {
            kind: kind.unwrap_or(ReportKind::Unknown),
            kind_said: if kind.is_none() { text(self.kind, REPORT_WORD_CHARS_MAX) } else { None },
            at: self.timestamp.and_then(|ms| client_report::claimed_time(ms, now)),
            session: self.session.and_then(|id| id.parse().ok()),
            reason: self.reason.and_then(|reason| client_report::word(&reason, REPORT_WORD_CHARS_MAX)),
            receipt: text(self.receipt, REPORT_WORD_CHARS_MAX),
            message: text(self.message, REPORT_MESSAGE_CHARS_MAX),
            location: self
                .location
                .and_then(|location| client_report::page_path(&location, REPORT_LOCATION_CHARS_MAX)),
            idle: self.idle_minutes.and_then(client_report::idle_time),
            has_token: context.has_token,
            has_refresh_token: context.has_refresh_token,
            is_authenticated: context.is_authenticated,
            release: text(self.release, REPORT_VERSION_CHARS_MAX),
            client: text(self.client, REPORT_VERSION_CHARS_MAX),
            evidence: self.evidence.and_then(LogoutEvidence::read),
        }
    }
}
