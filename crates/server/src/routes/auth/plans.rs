//! `/api/v1/auth/plans` and `/api/v1/auth/industries`: what somebody who registers may choose from.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use tenure_domain::account::Slug;
use utoipa::ToSchema;

use crate::App;
use crate::http::actor::Anyone;
use crate::http::body::Json;
use crate::http::problem::Problem;

#[derive(Serialize, ToSchema)]
pub struct PlansAnswer {
    plans: Vec<PlanAnswer>,
}

#[derive(Serialize, ToSchema)]
pub struct PlanAnswer {
    #[schema(value_type = String, example = "pro")]
    slug: Slug,
    name: String,
    /// How much of each thing it allows; null means as much as anybody likes.
    #[schema(value_type = std::collections::BTreeMap<String, Option<u64>>)]
    limits: tenure_domain::account::PlanLimits,
    #[schema(value_type = Vec<String>)]
    features: tenure_domain::account::PlanFeatures,
}

/// The plans that are sold: those that are active.
#[utoipa::path(get, path = "/api/v1/auth/plans", tag = "auth",
    responses((status = 200, description = "By their slugs", body = PlansAnswer)))]
pub async fn plans(State(app): State<Arc<App>>, _: Anyone) -> Result<Response, Problem> {
    let plans = app.store.plan_list().await?.into_iter().filter(|plan| plan.is_active);
    let plans = plans.map(|plan| PlanAnswer {
        slug: plan.slug,
        name: plan.name,
        limits: plan.limits,
        features: plan.features,
    });
    Ok(Json(PlansAnswer { plans: plans.collect() }).into_response())
}

#[derive(Serialize, ToSchema)]
pub struct IndustriesAnswer<'a> {
    industries: &'a [String],
}

/// The industries that an account can be of, as configured.
#[utoipa::path(get, path = "/api/v1/auth/industries", tag = "auth",
    responses((status = 200, description = "In the order of the configuration", body = IndustriesAnswer)))]
pub async fn industries(State(app): State<Arc<App>>, _: Anyone) -> Response {
    Json(IndustriesAnswer { industries: &app.settled.config.registration.industries }).into_response()
}
