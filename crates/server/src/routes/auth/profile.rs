//! `/api/v1/auth/profile`

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use tenure_domain::account::{AccountStatus, PlanFeatures, PlanLimits, Slug};
use tenure_domain::id::AccountId;
use tenure_domain::problem::Code;
use tenure_domain::user::DisplayName;
use tenure_store::{Membership, Person};
use utoipa::ToSchema;

use super::UserAnswer;
use crate::App;
use crate::http::actor::SignedIn;
use crate::http::arrival::At;
use crate::http::body::Json;
use crate::http::openapi::account_status;
use crate::http::problem::{FieldError, Problem};

/// A user with the account they belong to.
#[derive(Serialize, ToSchema)]
pub struct ProfileAnswer<'a> {
    #[serde(flatten)]
    user: UserAnswer<'a>,
    /// Null where there is none, and where it cannot be read just now. Neither says anything of the session.
    account: Option<AccountAnswer<'a>>,
}

#[derive(Serialize, ToSchema)]
pub struct AccountAnswer<'a> {
    #[schema(value_type = String, example = "acc_0199c0a41c3b7d0ea1f0b2c3d4e5f607")]
    id: AccountId,
    name: &'a str,
    #[schema(schema_with = account_status)]
    status: AccountStatus,
    plan: Option<AccountPlan<'a>>,
}

/// The plan of an account.
#[derive(Serialize, ToSchema)]
pub struct AccountPlan<'a> {
    #[schema(value_type = String, example = "pro")]
    slug: &'a Slug,
    name: &'a str,
    is_active: bool,
    /// How much of each thing it allows; null means as much as anybody likes.
    #[schema(value_type = std::collections::BTreeMap<String, Option<u64>>)]
    limits: &'a PlanLimits,
    #[schema(value_type = Vec<String>)]
    features: &'a PlanFeatures,
}

impl<'a> ProfileAnswer<'a> {
    pub(super) fn of(person: &'a Person, membership: &'a Membership) -> Self {
        Self { user: UserAnswer::from(person), account: AccountAnswer::of(membership) }
    }
}

impl<'a> AccountAnswer<'a> {
    /// None where there is none, and where it cannot be read.
    pub(super) fn of(membership: &'a Membership) -> Option<Self> {
        let Membership::Member(account) = membership else { return None };
        let plan = account.plan.as_ref();
        Some(Self {
            id: account.id,
            name: &account.name,
            status: account.status,
            plan: plan.map(|plan| AccountPlan {
                slug: &plan.slug,
                name: &plan.name,
                is_active: plan.is_active,
                limits: &plan.limits,
                features: &plan.features,
            }),
        })
    }
}

/// The signed-in user, and their account.
#[utoipa::path(get, path = "/api/v1/auth/profile", tag = "auth", security(("access_token" = [])),
    responses((status = 200, description = "The user whose access token it is", body = ProfileAnswer)))]
pub async fn get(SignedIn { person, membership, .. }: SignedIn) -> Response {
    answer(&person, &membership)
}

#[derive(Deserialize, ToSchema)]
pub struct ProfileChange {
    /// 1 to 200 characters.
    name: Option<String>,
}

/// Change the signed-in user's name.
#[utoipa::path(patch, path = "/api/v1/auth/profile", tag = "auth", request_body = ProfileChange,
    security(("access_token" = [])),
    responses((status = 200, description = "The user as changed", body = ProfileAnswer)))]
pub async fn patch(
    State(app): State<Arc<App>>,
    SignedIn { person, membership, .. }: SignedIn,
    At(arrival): At,
    Json(change): Json<ProfileChange>,
) -> Result<Response, Problem> {
    let Some(name) = change.name else { return Ok(answer(&person, &membership)) };
    let name = DisplayName::parse(&name).map_err(|error| {
        Problem::invalid(vec![FieldError { field: "name", code: "not_a_name", message: error.to_string() }])
    })?;
    let renamed = app.store.user_rename(person.id, name.as_str().to_owned(), arrival.now).await?;
    let gone = || Problem::new(Code::AccessTokenRevoked, "This user has just been deleted.");
    Ok(answer(&renamed.ok_or_else(gone)?, &membership))
}

fn answer(person: &Person, membership: &Membership) -> Response {
    Json(ProfileAnswer::of(person, membership)).into_response()
}
