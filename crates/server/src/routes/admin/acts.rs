//! `/api/v1/admin/acts`: who changed what, and why.

use std::sync::Arc;

use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use tenure_domain::id::ActId;
use tenure_domain::time::Timestamp;
use tenure_store::{Act, Subject};
use utoipa::{IntoParams, ToSchema};

use super::people::{self, People};
use super::{Administrator, fault, page, right};
use crate::App;
use crate::http::body::Json;
use crate::http::problem::Problem;

#[derive(Serialize, ToSchema)]
pub struct ActRecords {
    /// Newest first.
    acts: Vec<ActRecord>,
    /// The addresses of the users named in them, by id. Whoever is deleted is not among them.
    #[schema(value_type = BTreeMap<String, String>)]
    people: People,
}

/// One thing that somebody with rights has changed.
#[derive(Serialize, ToSchema)]
pub struct ActRecord {
    #[schema(value_type = String)]
    id: ActId,
    #[schema(value_type = i64)]
    at: Timestamp,
    /// `user`, `policy`, `clock`, or `admin:` and who it was.
    actor: String,
    reason: Option<String>,
    /// The id of an account or a user, or `plan:` and its slug.
    subject: String,
    /// What changed, such as `status`.
    what: String,
    was: Option<String>,
    became: Option<String>,
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Asked {
    /// Only what concerns this: the id of an account or a user, or `plan:` and its slug.
    subject: Option<String>,
    /// At most 200; 100 if left out.
    limit: Option<usize>,
}

/// What was changed by people with rights, by Stripe and by the command line.
#[utoipa::path(get, path = "/api/v1/admin/acts", tag = "admin", params(Asked),
    security(("access_token" = []), ("api_key" = [])),
    responses((status = 200, description = "Newest first", body = ActRecords)))]
pub async fn list(
    State(app): State<Arc<App>>,
    _: Administrator<right::Read>,
    Query(asked): Query<Asked>,
) -> Result<Response, Problem> {
    let subject = asked.subject.as_deref().map(str::parse::<Subject>).transpose();
    let subject = subject.map_err(|error| fault("subject", "not_a_subject", error.to_string()))?;
    let acts = app.store.act_list(subject, page(asked.limit)).await?;
    let acts: Vec<_> = acts.into_iter().map(ActRecord::from).collect();
    let named = acts.iter().flat_map(|act| [&act.actor, &act.subject]);
    let people = people::people(&app, named.filter_map(|text| people::in_text(text))).await?;
    Ok(Json(ActRecords { acts, people }).into_response())
}

impl From<Act> for ActRecord {
    fn from(act: Act) -> Self {
        let Act { id, at, decree, subject, what, was, became } = act;
        Self { id, at, actor: decree.actor.to_string(), reason: decree.reason, subject, what, was, became }
    }
}
