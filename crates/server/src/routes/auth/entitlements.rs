//! `/api/v1/auth/entitlements`: what somebody may do, for what is shown to them. What they do is decided where they do it.

use std::sync::Arc;

use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use tenure_domain::problem::{Class, Code};
use utoipa::{IntoParams, ToSchema};

use super::check::parse;
use super::profile::AccountAnswer;
use crate::App;
use crate::http::actor::{Caller, SignedIn};
use crate::http::admission::judge;
use crate::http::body::Json;
use crate::http::problem::{FieldError, Problem, error_class, error_code};

/// Requirements in one question.
const ASKED_MAX: usize = 64;

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Asked {
    /// Requirements as `/api/v1/auth/check` takes them, with semicolons between: `plan:pro;active_account,permission:reports.read`.
    #[serde(default)]
    require: String,
}

/// What somebody may do, and the account that they act in.
#[derive(Serialize, ToSchema)]
pub struct EntitlementsAnswer<'a> {
    account: Option<AccountAnswer<'a>>,
    /// One for each requirement, in the order of the question.
    answers: Vec<EntitlementAnswer<'a>>,
}

#[derive(Serialize, ToSchema)]
pub struct EntitlementAnswer<'a> {
    /// The requirement as it was asked.
    require: &'a str,
    allowed: bool,
    /// What `/api/v1/auth/check` would answer; null if it is allowed.
    problem: Option<EntitlementProblem>,
}

/// Of class `authorization` if it is refused. Any other says that it cannot be told.
#[derive(Serialize, ToSchema)]
pub struct EntitlementProblem {
    #[schema(schema_with = error_code)]
    code: Code,
    #[schema(schema_with = error_class)]
    class: Class,
    status: u16,
    /// One honest sentence for the person.
    detail: String,
}

/// What the person may do: for display.
///
/// Answers for many requirements at once, by the same decision as `/api/v1/auth/check`, and 200 also where that says no: a
/// question is no attempt, so it is neither counted nor logged as one.
#[utoipa::path(get, path = "/api/v1/auth/entitlements", tag = "auth", params(Asked), security(("access_token" = [])),
    responses((status = 200, description = "An answer for each requirement", body = EntitlementsAnswer)))]
pub async fn get(
    State(app): State<Arc<App>>,
    caller: SignedIn,
    Query(asked): Query<Asked>,
) -> Result<Response, Problem> {
    let caller = Caller::from(&caller);
    let requirements: Vec<_> =
        asked.require.split(';').map(str::trim).filter(|text| !text.is_empty()).collect();
    if requirements.len() > ASKED_MAX {
        let message = format!("At most {ASKED_MAX} requirements can be asked about at once.");
        return Err(Problem::invalid(vec![FieldError { field: "require", code: "too_many", message }]));
    }
    let answer = |require| {
        // One that cannot be read spoils no other.
        let problem = parse(require).and_then(|requirement| judge(&app, &caller, &requirement)).err();
        EntitlementAnswer {
            require,
            allowed: problem.is_none(),
            problem: problem.map(EntitlementProblem::from),
        }
    };
    let answers = requirements.into_iter().map(answer).collect();
    Ok(Json(EntitlementsAnswer { account: AccountAnswer::of(caller.membership()), answers }).into_response())
}

impl From<Problem> for EntitlementProblem {
    fn from(Problem { code, detail, fields, .. }: Problem) -> Self {
        let detail = fields.into_iter().next().map_or_else(|| detail.into_owned(), |field| field.message);
        Self { code, class: code.class(), status: code.status(), detail }
    }
}
