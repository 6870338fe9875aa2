//! `/api/v1/auth/check`: forward auth. A proxy asks before it passes a request on, and passes on who sends it.

use std::sync::Arc;

use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use serde::Deserialize;
use tenure_domain::entitlement::{self, Authority, Decision, Requirement};
use tenure_domain::problem::Code;
use tenure_store::Membership;
use utoipa::IntoParams;

use crate::App;
use crate::http::actor::SignedIn;
use crate::http::arrival::{Arrival, At};
use crate::http::problem::{FieldError, Problem};
use crate::metrics::{Policy, Reason};

#[derive(Deserialize, IntoParams)]
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

/// Whether the bearer of this access token may do what the service behind requires.
///
/// 200 without a body and with `Tenure-User`, `Tenure-Session`, `Tenure-Email`, `Tenure-Role`, and where there is
/// one `Tenure-Account` and `Tenure-Plan`; or the problem. Never a redirect, and never the end of a session.
#[utoipa::path(get, path = "/api/v1/auth/check", tag = "auth", params(Asked), security(("access_token" = [])),
    responses((status = 200, description = "They may; who it is stands in the headers")))]
pub async fn get(
    State(app): State<Arc<App>>,
    caller: SignedIn,
    At(arrival): At,
    Query(asked): Query<Asked>,
) -> Result<Response, Problem> {
    let requirement = asked.require.parse::<Requirement>().map_err(|error| {
        Problem::invalid(vec![FieldError {
            field: "require",
            code: "not_a_requirement",
            message: error.to_string(),
        }])
    })?;
    admit(&app, &arrival, &caller, &requirement)?;
    if asked.explain {
        return Err(Problem::new(
            Code::Overloaded,
            "What was refused a moment ago would be let through now.",
        ));
    }
    Ok((StatusCode::OK, identity(&caller)).into_response())
}

/// Lets a signed-in caller through, or says what stands in the way.
fn admit(app: &App, arrival: &Arrival, caller: &SignedIn, requirement: &Requirement) -> Result<(), Problem> {
    let tenancy = match &caller.membership {
        Membership::None => None,
        Membership::Member(account) => Some(account.tenancy()),
        Membership::Unreadable if requirement.concerns_account() => {
            return Err(Problem::new(Code::StorageUnavailable, "Your account cannot be read now."));
        }
        Membership::Unreadable => None,
    };
    let authority = Authority::Person(caller.person.role);
    match entitlement::decide(&app.settled.policy, authority, tenancy.as_ref(), requirement) {
        Decision::Allowed => Ok(()),
        Decision::Bypassed(bypass, passed) => {
            let (policy, passed) = (bypass.as_str(), passed.code().as_str());
            app.metrics.entitlement_bypasses.get_or_create(&Policy { policy }).inc();
            arrival.note_outcome(policy);
            tracing::info!(policy, passed, user = %caller.person.id, "a bypass let a request pass");
            Ok(())
        }
        Decision::Refused(refusal) => {
            let reason = refusal.code().as_str();
            app.metrics.entitlement_refusals.get_or_create(&Reason { reason }).inc();
            Err(Problem::new(refusal.code(), refusal.to_string()))
        }
    }
}

/// Who it is, for the service behind. The proxy must not let a client send such headers itself.
fn identity(caller: &SignedIn) -> HeaderMap {
    let SignedIn { claims, person, membership } = caller;
    let mut headers = HeaderMap::new();
    let mut tell = |name: &'static str, value: &str| {
        // An e-mail address may hold letters that no header can; then it is left out, and the id says who it is.
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(HeaderName::from_static(name), value);
        }
    };
    tell("tenure-user", &person.id.to_string());
    tell("tenure-session", &claims.sid.to_string());
    tell("tenure-role", person.role.as_str());
    if person.email.is_ascii() {
        tell("tenure-email", &person.email);
    }
    if let Membership::Member(account) = membership {
        tell("tenure-account", &account.id.to_string());
        if let Some(plan) = &account.plan {
            tell("tenure-plan", plan.slug.as_str());
        }
    }
    headers
}
