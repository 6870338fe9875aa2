//! `/api/v1/auth/check`: forward auth. A proxy asks before it passes a request on, and passes on who sends it.

use std::sync::Arc;

use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use serde::Deserialize;
use tenure_domain::api_key::scopes_to_text;
use tenure_domain::entitlement::{Requirement, RequirementError};
use tenure_domain::problem::Code;
use tenure_store::{KeyHolder, Membership};
use utoipa::IntoParams;

use crate::App;
use crate::http::actor::{Caller, Identified};
use crate::http::admission::admit;
use crate::http::arrival::At;
use crate::http::problem::{FieldError, Problem};

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Asked {
    /// What has to be so, with commas between: `active_account`, `plan`, `plan:pro|team`, `feature:export`,
    /// `limit:seats=6`, `permission:reports.read`.
    #[serde(default)]
    require: String,
    /// Set by a proxy that was refused and asks again for the words of it: then a request that would be let through is
    /// answered 503, so that nobody takes this answer for the one of the service behind.
    #[serde(default)]
    explain: bool,
}

/// Whether the bearer of this access token, or whoever shows this API key, may do what the service behind requires.
///
/// In development it may be e-mail and password by HTTP Basic, too.
///
/// 200 without a body and with `Tenure-User`, `Tenure-Session`, `Tenure-Email` and `Tenure-Role`, or of an API key
/// `Tenure-Key` and `Tenure-Scopes`; and where there is one `Tenure-Account` and `Tenure-Plan`. Or the problem. Never a redirect, and never the end of a session.
#[utoipa::path(get, path = "/api/v1/auth/check", tag = "auth", params(Asked), security(("access_token" = []), ("api_key" = [])),
    responses((status = 200, description = "They may; who it is stands in the headers")))]
pub async fn get(
    State(app): State<Arc<App>>,
    caller: Caller,
    At(arrival): At,
    Query(asked): Query<Asked>,
) -> Result<Response, Problem> {
    admit(&app, &arrival, &caller, &parse(&asked.require)?)?;
    if asked.explain {
        return Err(Problem::new(
            Code::Overloaded,
            "What was refused a moment ago would be let through now.",
        ));
    }
    Ok((StatusCode::OK, identity(&caller)).into_response())
}

/// A requirement as the query of an address has it.
pub(super) fn parse(text: &str) -> Result<Requirement, Problem> {
    text.parse().map_err(|error: RequirementError| {
        Problem::invalid(vec![FieldError {
            field: "require",
            code: "not_a_requirement",
            message: error.to_string(),
        }])
    })
}

/// Who it is, for the service behind. The proxy must not let a client send such headers itself.
fn identity(caller: &Caller) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let mut tell = |name: &'static str, value: &str| {
        // An e-mail address may hold letters that no header can; then it is left out, and the id says who it is.
        if value.is_ascii()
            && let Ok(value) = HeaderValue::from_str(value)
        {
            headers.insert(HeaderName::from_static(name), value);
        }
    };
    match caller {
        Caller::Person(Identified { person, session, .. }) => {
            tell("tenure-user", &person.id.to_string());
            if let Some(session) = session {
                tell("tenure-session", &session.to_string());
            }
            tell("tenure-role", person.role.as_str());
            tell("tenure-email", &person.email);
        }
        Caller::Key(KeyHolder { key, .. }) => {
            tell("tenure-key", &key.id.to_string());
            tell("tenure-scopes", &scopes_to_text(&key.scopes));
        }
    }
    if let Membership::Member(account) = caller.membership() {
        tell("tenure-account", &account.id.to_string());
        if let Some(plan) = &account.plan {
            tell("tenure-plan", plan.slug.as_str());
        }
    }
    headers
}
