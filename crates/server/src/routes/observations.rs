//! `POST /api/v1/observations`: what pages see of an application that keeps its sign-ins elsewhere.
//!
//! As with reports of our own sign-outs there is one answer, 202, and what is not taken is counted and forgotten. No session
//! and no user is behind it, none is looked for, and nothing is ever decided by it.

mod sight;

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::Response;
use http::{HeaderName, HeaderValue, StatusCode};
use serde::Deserialize;
use tenure_domain::client_report;
use tenure_domain::id::ProfileId;
use tenure_domain::limit::{
    OBSERVED_AT_ONCE_MAX, OBSERVED_BYTES_MAX, OBSERVED_PAGE_CHARS_MAX, REPORT_VERSION_CHARS_MAX,
};
use tenure_domain::observed::Observation;
use tenure_domain::problem::Code;
use tenure_domain::time::Timestamp;
use tenure_store::Observed;
use utoipa::ToSchema;

use self::sight::Sight;
use super::auth::empty;
use crate::App;
use crate::http::actor::Anyone;
use crate::http::arrival::{Arrival, At};
use crate::http::body;
use crate::http::problem::Problem;
use crate::metrics::{Kind, Reason};
use crate::wording::device;

/// Where they are sent, which is the one place that pages of observed applications may post to.
pub const PATH: &str = "/api/v1/observations";

/// Older than this it is no news, but a clock that is broken.
const AGO_MS_MAX: i64 = 7 * 86_400_000;

/// What one page of an observed application has seen since it last told.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Observations {
    /// The browser profile, `obs_` and 32 hexadecimal digits that it drew itself.
    #[schema(value_type = String)]
    profile: ProfileId,
    /// One load of a page: up to 16 letters and digits.
    page: String,
    /// When it was sent, Unix milliseconds by the device's clock.
    sent_at: f64,
    /// The application's version.
    #[serde(default)]
    release: Option<String>,
    /// At most 50; what is of no known kind is left out.
    seen: Vec<Sight>,
}

/// Report what a page has seen.
///
/// For applications whose origin is in `observe.origins`, which keep their sign-ins elsewhere. Always answered 202, so that
/// `navigator.sendBeacon` may be used; at most 16 KiB. Nothing is decided by a report, and it holds no token.
#[utoipa::path(post, path = "/api/v1/observations", tag = "observe",
    request_body(content((Observations = "application/json"), (Observations = "text/plain"))),
    security(()),
    responses((status = 202, description = "Taken, or dropped and counted")))]
pub async fn post(State(app): State<Arc<App>>, _: Anyone, At(arrival): At, request: Request) -> Response {
    let origin = app.origins.observed(request.headers()).map(str::to_owned);
    let is_observed = origin.is_some();
    let outcome = match take(&app, &arrival, request, origin).await {
        Ok(()) => "observed",
        Err(problem) => {
            let reason = problem.code.as_str();
            app.metrics.observations_dropped.get_or_create(&Reason { reason }).inc();
            reason
        }
    };
    arrival.note_outcome(outcome);
    let mut response = empty(StatusCode::ACCEPTED);
    if is_observed {
        // Otherwise a browser takes the answer to a page of another site for a failure, and the page sends it again.
        let anybody = HeaderValue::from_static("cross-origin");
        response.headers_mut().insert(HeaderName::from_static("cross-origin-resource-policy"), anybody);
    }
    response
}

/// Stores what is told, or says why it is dropped.
async fn take(app: &App, arrival: &Arrival, request: Request, origin: Option<String>) -> Result<(), Problem> {
    // Read before it is judged: an answer in the middle of a body breaks the connection.
    let told: Observations = body::beacon(request, app, OBSERVED_BYTES_MAX).await?;
    let origin = origin.ok_or_else(|| {
        Problem::new(Code::OriginNotAllowed, "The page that sent this is on no origin of observe.origins.")
    })?;
    let address = app.pseudonyms.of(&arrival.network().to_string());
    app.limits.observations(address, &arrival.standings)?;
    let observed = told.read(origin, arrival)?;
    app.limits.observed(address, observed.len())?;
    let kinds: Vec<_> = observed.iter().map(|one| one.what.seen.kind()).collect();
    // The body may have taken half of the request's time; the door must not get to answer instead of us.
    let patience = app.settled.config.server.request_timeout.0 / 4;
    let stored = tokio::time::timeout(patience, app.store.observation_add(observed)).await;
    stored.map_err(|_| Problem::new(Code::StorageUnavailable, "The store took too long."))??;
    for kind in kinds {
        app.metrics.observations.get_or_create(&Kind { r#type: kind }).inc();
    }
    Ok(())
}

impl Observations {
    fn read(self, app: String, arrival: &Arrival) -> Result<Vec<Observed>, Problem> {
        let is_plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric());
        let is_page = (1..=OBSERVED_PAGE_CHARS_MAX).contains(&self.page.len()) && is_plain(&self.page);
        if !is_page || self.seen.len() > OBSERVED_AT_ONCE_MAX || !self.sent_at.is_finite() {
            return Err(Problem::new(Code::ValidationFailed, "The report does not fit."));
        }
        let now = arrival.now;
        let release = self.release.and_then(|text| client_report::text(&text, REPORT_VERSION_CHARS_MAX));
        let browser = device::label(arrival.user_agent.as_deref());
        // Conversions saturate.
        let sent_at = self.sent_at as i64;
        let ahead_ms = sent_at.saturating_sub(now.as_ms());
        let observed = self.seen.into_iter().filter_map(|sight| {
            let (seq, at, seen) = sight.read()?;
            let what = Observation {
                profile: self.profile,
                page: self.page.clone(),
                seq,
                at: by_our_clock(at, sent_at, now),
                ahead_ms,
                seen,
            };
            let (app, browser, release) = (app.clone(), browser.clone(), release.clone());
            Some(Observed { received_at: now, app, browser, release, what })
        });
        Ok(observed.collect())
    }
}

/// By the device's clock it was so long before it was told. Never in the future, whatever that clock did meanwhile.
fn by_our_clock(at: i64, sent_at: i64, now: Timestamp) -> Timestamp {
    let ago_ms = sent_at.saturating_sub(at).clamp(0, AGO_MS_MAX);
    Timestamp::from_ms(now.as_ms().saturating_sub(ago_ms))
}
