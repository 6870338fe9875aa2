//! `/api/v1/admin/plans`

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use tenure_domain::account::{PlanFeatures, PlanLimits, Slug};
use tenure_domain::time::Timestamp;
use tenure_domain::user::DisplayName;
use tenure_store::{Plan, PlanSaved};
use utoipa::ToSchema;

use super::{Administrator, Confirmed, Faults, fault, right};
use crate::App;
use crate::http::arrival::At;
use crate::http::body::Json;
use crate::http::problem::Problem;

#[derive(Serialize, ToSchema)]
pub struct PlanRecords {
    /// By their slugs, those that are not active too.
    plans: Vec<PlanRecord>,
}

#[derive(Serialize, ToSchema)]
pub struct PlanRecord {
    #[schema(value_type = String, example = "pro")]
    slug: Slug,
    name: String,
    /// Accounts whose plan is not active are refused what needs one.
    is_active: bool,
    /// How much of each thing it allows; null means as much as anybody likes.
    #[schema(value_type = BTreeMap<String, Option<u64>>)]
    limits: PlanLimits,
    #[schema(value_type = Vec<String>)]
    features: PlanFeatures,
    /// Stripe's price that stands for it.
    stripe_price: Option<String>,
    #[schema(value_type = i64)]
    created_at: Timestamp,
}

/// A whole plan: what is left out is not so.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PlanWish {
    /// 1 to 200 characters.
    name: String,
    is_active: bool,
    /// How much of each thing, at most a hundred things; null means as much as anybody likes.
    #[serde(default)]
    limits: BTreeMap<String, Option<u64>>,
    #[serde(default)]
    #[schema(value_type = Vec<String>)]
    features: BTreeSet<String>,
    stripe_price: Option<String>,
    /// Why, for whoever asks later: 1 to 500 characters.
    reason: String,
}

/// All plans.
#[utoipa::path(get, path = "/api/v1/admin/plans", tag = "admin", security(("access_token" = []), ("api_key" = [])),
    responses((status = 200, description = "By their slugs", body = PlanRecords)))]
pub async fn list(State(app): State<Arc<App>>, _: Administrator<right::Read>) -> Result<Response, Problem> {
    let plans = app.store.plan_list().await?.into_iter().map(PlanRecord::from).collect();
    Ok(Json(PlanRecords { plans }).into_response())
}

/// Create a plan, or make the one of that slug like this.
#[utoipa::path(put, path = "/api/v1/admin/plans/{slug}", tag = "admin", request_body = PlanWish,
    params(("slug" = String, Path, description = "Its name for programs, which never changes")),
    security(("access_token" = []), ("api_key" = [])),
    responses((status = 200, description = "Saved", body = PlanRecord)))]
pub async fn save(
    State(app): State<Arc<App>>,
    Confirmed(administrator): Confirmed<right::Plans>,
    At(arrival): At,
    Path(slug): Path<String>,
    Json(wish): Json<PlanWish>,
) -> Result<Response, Problem> {
    let (plan, reason) = read(&slug, wish, arrival.now)?;
    match app.store.plan_save(plan.clone(), administrator.decree(reason), arrival.now).await? {
        PlanSaved::Saved => {
            let saved = app.store.plan_list().await?.into_iter().find(|saved| saved.slug == plan.slug);
            Ok(Json(PlanRecord::from(saved.unwrap_or(plan))).into_response())
        }
        PlanSaved::PriceTaken => Err(fault("stripe_price", "taken", "another plan has that price")),
    }
}

fn read(slug: &str, wish: PlanWish, now: Timestamp) -> Result<(Plan, String), Problem> {
    let mut faults = Faults::default();
    let slug = faults.parse::<Slug>("slug", "not_a_slug", slug);
    let name = faults.take("name", "not_a_name", DisplayName::parse(&wish.name));
    let limits = faults.take("limits", "not_limits", PlanLimits::parse(&text(&wish.limits)));
    let features = faults.take("features", "not_features", PlanFeatures::parse(&text(&wish.features)));
    let price = wish.stripe_price.filter(|price| !price.is_empty());
    let is_plain =
        price.as_ref().is_none_or(|id| id.len() <= 255 && id.bytes().all(|b| b.is_ascii_graphic()));
    let error = "a price's id has 1 to 255 letters, digits and signs";
    let price = faults.take("stripe_price", "not_an_id", is_plain.then_some(price).ok_or(error));
    let reason = faults.reason(&wish.reason);
    let read = (|| {
        let plan = Plan {
            slug: slug?,
            name: name?.as_str().to_owned(),
            is_active: wish.is_active,
            limits: limits?,
            features: features?,
            stripe_price: price?,
            created_at: now,
        };
        Some((plan, reason?))
    })();
    faults.unless_any(read)
}

/// The domain reads terms from their text, and says what is wrong with them.
fn text(terms: &impl Serialize) -> String {
    serde_json::to_string(terms).unwrap_or_default()
}

impl From<Plan> for PlanRecord {
    fn from(plan: Plan) -> Self {
        let Plan { slug, name, is_active, limits, features, stripe_price, created_at } = plan;
        Self { slug, name, is_active, limits, features, stripe_price, created_at }
    }
}
