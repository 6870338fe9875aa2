//! `GET /api/v1/auth/sessions/{id}/timeline`: what `tenure explain` says of a session, for the person whose it is and for
//! administrators.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use serde::{Serialize, Serializer};
use tenure_domain::console::Right;
use tenure_domain::explain::Scenario;
use tenure_domain::id::SessionId;
use tenure_domain::time::Timestamp;
use tenure_store::SessionRecord;
use utoipa::ToSchema;

use crate::App;
use crate::explain::case::Case;
use crate::explain::said::{For, Moment, Section};
use crate::explain::sections::{explained, scenario, sentence};
use crate::http::actor::{Admin, Caller};
use crate::http::admission::demand_permission;
use crate::http::arrival::{Arrival, At};
use crate::http::body::Json;
use crate::http::problem::Problem;

/// Why a session is over, or is not.
#[derive(Serialize, ToSchema)]
pub struct Timeline {
    #[schema(value_type = String)]
    session: SessionId,
    verdict: VerdictAnswer,
    /// `what`, `why`, `when`, `where` and `how`: objects of names and values, without what is not known, in the order in
    /// which `tenure explain` says them.
    #[schema(value_type = Object)]
    receipt: Receipt,
    /// Names in the receipt whose numbers are spans, in milliseconds.
    spans: Vec<&'static str>,
    /// Oldest first.
    timeline: Vec<MomentAnswer>,
}

/// Sections by their names, in their order.
struct Receipt([(&'static str, Section); 5]);

impl Serialize for Receipt {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, section)| (name, section)))
    }
}

#[derive(Serialize, ToSchema)]
pub struct VerdictAnswer {
    /// `alive`, `ended`, `end_reported`, `time_over`, `sign_out_undelivered`, `cookie_lost`, `old_copy` or `unexplained`.
    cause: &'static str,
    sentence: String,
    /// Of what is unexplained, the kind of mistake: A, B, C or D.
    #[schema(value_type = Option<String>)]
    scenario: Option<&'static str>,
}

#[derive(Serialize, ToSchema)]
pub struct MomentAnswer {
    #[schema(value_type = i64)]
    at: Timestamp,
    /// Such as `sign-in`, `refresh`, `refused`, `server`, `report` or `end`.
    what: &'static str,
    sentence: String,
    /// Who says so: `server` or `client`.
    by: &'static str,
}

/// What happened to a session, in the order of time, and the verdict.
///
/// For the person whose it is, and for administrators with `admin.read`, who are told more: who ended it, and in which
/// words.
#[utoipa::path(get, path = "/api/v1/auth/sessions/{id}/timeline", tag = "auth",
    security(("access_token" = []), ("api_key" = [])),
    params(("id" = String, Path, description = "The session, as in `ses_...`")),
    responses((status = 200, description = "The timeline", body = Timeline),
        (status = 404, description = "No session has that id that the caller may see")))]
pub async fn get(
    State(app): State<Arc<App>>,
    Admin(caller): Admin,
    At(arrival): At,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let id: SessionId = id.parse().map_err(|_| Problem::not_found())?;
    let record = app.store.session_find(id).await?;
    let is_own = record.as_ref().is_some_and(|record| match &caller {
        Caller::Person(identified) => identified.person.id == record.session.user_id,
        Caller::Key(_) => false,
    });
    let who = reader(&app, &arrival, &caller, is_own)?;
    told(&app, &arrival, record, who).await
}

/// The answer to whoever may read it, if the session is there.
pub async fn told(
    app: &App,
    arrival: &Arrival,
    record: Option<SessionRecord>,
    who: For,
) -> Result<Response, Problem> {
    let record = record.ok_or_else(Problem::not_found)?;
    let cases =
        Case::gather(&*app.store, vec![record], app.settled.times.access_lifetime, arrival.now).await?;
    let case = cases.first().ok_or_else(Problem::not_found)?;
    Ok(Json(answer(case, who)).into_response())
}

/// As what somebody may read it. To strangers no session is there.
fn reader(app: &App, arrival: &Arrival, caller: &Caller, is_own: bool) -> Result<For, Problem> {
    // The owner is not asked for a right that they need not have: nothing is refused, counted or on record.
    let may_all = app.settled.policy.permits(caller.authority(), Right::Read.as_str());
    match (may_all, is_own) {
        (true, _) => demand_permission(app, arrival, caller, Right::Read.as_str()).map(|()| For::Support),
        (false, true) => Ok(For::Owner),
        (false, false) => Err(Problem::not_found()),
    }
}

fn answer(case: &Case, who: For) -> Timeline {
    let moment = |moment: Moment| MomentAnswer {
        at: moment.at,
        what: moment.what,
        by: moment.by(),
        sentence: moment.words,
    };
    let explained = explained(case, who);
    Timeline {
        session: case.record.session.id,
        verdict: VerdictAnswer {
            cause: case.verdict.cause.as_str(),
            sentence: sentence(case, who),
            scenario: scenario(case).map(Scenario::letter),
        },
        spans: explained.sections.iter().flat_map(|(_, section)| section.spans()).collect(),
        receipt: Receipt(explained.sections),
        timeline: explained.moments.into_iter().map(moment).collect(),
    }
}
