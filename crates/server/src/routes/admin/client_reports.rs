//! `/api/v1/admin/client-reports`: the sign-outs that browsers reported.

use std::sync::Arc;

use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use tenure_domain::client_report::ReportKind;
use tenure_domain::id::{SessionId, UserId};
use tenure_domain::suspect::Evidence;
use tenure_domain::time::Timestamp;
use tenure_store::{ClientReport, ClientReportStats, ReportFilter, ReportNumber, ReportTally};
use utoipa::{IntoParams, ToSchema};

use super::people::{self, People};
use super::{Administrator, fault, page, right};
use crate::App;
use crate::http::body::Json;
use crate::http::openapi::report_kind;
use crate::http::problem::Problem;

#[derive(Serialize, ToSchema)]
pub struct ReportRecords {
    /// In the order in which they came.
    reports: Vec<ReportRecord>,
    /// What `after` is for the next page; null where nothing was left.
    next: Option<u64>,
    /// The addresses of the users named in them, by id. Whoever is deleted is not among them.
    #[schema(value_type = BTreeMap<String, String>)]
    people: People,
}

/// What a browser said of a sign-out, and what we know of it. Of what it said nothing is proof.
#[derive(Serialize, ToSchema)]
pub struct ReportRecord {
    number: u64,
    #[schema(value_type = i64)]
    received_at: Timestamp,
    address: String,
    user_agent: Option<String>,
    browser: String,
    /// Whose access token came with it.
    #[schema(value_type = Option<String>)]
    verified_session: Option<SessionId>,
    #[schema(value_type = Option<String>)]
    verified_user: Option<UserId>,
    #[schema(schema_with = report_kind)]
    r#type: &'static str,
    type_said: Option<String>,
    #[schema(value_type = Option<i64>)]
    claimed_at: Option<Timestamp>,
    #[schema(value_type = Option<String>)]
    claimed_session: Option<SessionId>,
    reason: Option<String>,
    receipt: Option<String>,
    message: Option<String>,
    location: Option<String>,
    idle_ms: Option<u64>,
    has_token: Option<bool>,
    has_refresh_token: Option<bool>,
    is_authenticated: Option<bool>,
    release: Option<String>,
    client: Option<String>,
    /// What the browser knew in that moment: the last request that failed, the last error, clocks. Null if it did not say.
    #[schema(value_type = Option<Object>)]
    evidence: Option<Evidence>,
}

#[derive(Serialize, ToSchema)]
pub struct ReportStats {
    #[schema(value_type = i64)]
    since: Timestamp,
    total: u64,
    by_type: Vec<ReportGroup>,
    by_reason: Vec<ReportGroup>,
    /// By how long somebody had been idle, shortest first.
    by_idle: Vec<ReportGroup>,
    by_browser: Vec<ReportGroup>,
    by_release: Vec<ReportGroup>,
}

/// The largest groups first, at most twenty.
#[derive(Serialize, ToSchema)]
pub struct ReportGroup {
    /// Null: it was not said.
    name: Option<String>,
    count: u64,
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Listed {
    /// Received then or later, Unix milliseconds; left out, all that are kept.
    since: Option<i64>,
    /// Continue after this number.
    after: Option<u64>,
    /// USER_ACTION, TOKEN_EXPIRED, REFRESH_FAILED, AUTH_ERROR or UNKNOWN.
    #[param(schema_with = report_kind)]
    kind: Option<String>,
    /// Only what concerns this session, as we know or as the browser claims.
    session: Option<String>,
    /// At most 200; 100 if left out.
    limit: Option<usize>,
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Counted {
    /// Received then or later, Unix milliseconds; left out, all that are kept.
    since: Option<i64>,
}

/// What browsers reported of sign-outs, page by page.
#[utoipa::path(get, path = "/api/v1/admin/client-reports", tag = "admin", params(Listed),
    security(("access_token" = []), ("api_key" = [])),
    responses((status = 200, description = "In the order in which they came", body = ReportRecords)))]
pub async fn list(
    State(app): State<Arc<App>>,
    _: Administrator<right::Read>,
    Query(listed): Query<Listed>,
) -> Result<Response, Problem> {
    let kind = listed.kind.as_deref().map(str::parse::<ReportKind>).transpose();
    let kind = kind.map_err(|error| fault("kind", "not_a_kind", error.to_string()))?;
    let session = listed.session.as_deref().map(str::parse::<SessionId>).transpose();
    let session = session.map_err(|error| fault("session", "not_an_id", error.to_string()))?;
    let filter = ReportFilter { since: begin(listed.since), kind, session };
    let after = ReportNumber(listed.after.unwrap_or(0));
    let reports = app.store.client_report_list(filter, after, page(listed.limit)).await?;
    let next = reports.last().map(|(number, _)| number.0);
    let named = reports.iter().filter_map(|(_, report)| report.verified.map(|(_, user)| user));
    let people = people::people(&app, named).await?;
    let reports = reports.into_iter().map(|(number, report)| ReportRecord::of(number, &report)).collect();
    Ok(Json(ReportRecords { reports, next, people }).into_response())
}

/// How many sign-outs browsers reported, by what they said.
#[utoipa::path(get, path = "/api/v1/admin/client-reports/stats", tag = "admin", params(Counted),
    security(("access_token" = []), ("api_key" = [])),
    responses((status = 200, description = "Counted", body = ReportStats)))]
pub async fn stats(
    State(app): State<Arc<App>>,
    _: Administrator<right::Read>,
    Query(counted): Query<Counted>,
) -> Result<Response, Problem> {
    let since = begin(counted.since);
    let ClientReportStats { total, by_kind, by_reason, by_idle, by_browser, by_release } =
        app.store.client_report_stats(since).await?;
    let groups = |tally: ReportTally| {
        tally.into_iter().map(|(name, count)| ReportGroup { name, count }).collect::<Vec<_>>()
    };
    Ok(Json(ReportStats {
        since,
        total,
        by_type: groups(by_kind),
        by_reason: groups(by_reason),
        by_idle: groups(by_idle),
        by_browser: groups(by_browser),
        by_release: groups(by_release),
    })
    .into_response())
}

fn begin(since: Option<i64>) -> Timestamp {
    Timestamp::from_ms(since.unwrap_or(0))
}

impl ReportRecord {
    pub fn of(number: ReportNumber, report: &ClientReport) -> Self {
        let ClientReport { received_at, address, user_agent, browser, verified, claims } = report.clone();
        Self {
            number: number.0,
            received_at,
            address,
            user_agent,
            browser,
            verified_session: verified.map(|(session, _)| session),
            verified_user: verified.map(|(_, user)| user),
            r#type: claims.kind.as_str(),
            type_said: claims.kind_said,
            claimed_at: claims.at,
            claimed_session: claims.session,
            reason: claims.reason,
            receipt: claims.receipt,
            message: claims.message,
            location: claims.location,
            idle_ms: claims.idle.map(|idle| u64::try_from(idle.as_millis()).unwrap_or(u64::MAX)),
            has_token: claims.has_token,
            has_refresh_token: claims.has_refresh_token,
            is_authenticated: claims.is_authenticated,
            release: claims.release,
            client: claims.client,
            evidence: claims.evidence,
        }
    }
}
