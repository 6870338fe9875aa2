//! `/api/v1/dev`: the playground's switches. A server in production has no such routes.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use tenure_domain::account::{AccountStatus, PlanFeatures, PlanLimits, Slug};
use tenure_domain::ends::Actor;
use tenure_domain::problem::Code;
use tenure_domain::time::Timestamp;
use tenure_store::{AccountChange, AccountChanged, Decree, Plan};

use crate::App;
use crate::http::actor::SignedIn;
use crate::http::admission::account_of;
use crate::http::arrival::At;
use crate::http::body::Json;
use crate::http::problem::Problem;
use crate::routes::auth::no_content;

/// What the acts are signed with.
const PLAYGROUND: &str = "playground";

/// What is to be different about one's own account.
#[derive(Deserialize)]
pub struct Wish {
    status: Option<AccountStatus>,
    plan: Option<SamplePlan>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum SamplePlan {
    None,
    /// One that is not sold any more.
    Inactive,
    Pro,
}

/// Makes one's own account what it should be shown as.
pub async fn account(
    State(app): State<Arc<App>>,
    caller: SignedIn,
    At(arrival): At,
    Json(wish): Json<Wish>,
) -> Result<Response, Problem> {
    let account = account_of(&caller.membership)?;
    let plan = match wish.plan {
        Some(sample) => Some(sample.save(&app, arrival.now).await?),
        None => None,
    };
    let change = AccountChange { status: wish.status, plan, ..AccountChange::default() };
    match app.store.account_change(account.id, change, decree(), arrival.now).await? {
        AccountChanged::Changed(_) => Ok(no_content()),
        AccountChanged::AccountGone | AccountChanged::PlanGone | AccountChanged::CustomerTaken => {
            Err(Problem::new(Code::AccountMissing, "Your account has just been deleted."))
        }
    }
}

fn decree() -> Decree {
    Decree { actor: Actor::Admin(PLAYGROUND.into()), reason: Some(PLAYGROUND.into()) }
}

impl SamplePlan {
    /// The plan is there from now on. One that its owner has saved under that name stays as it is.
    async fn save(self, app: &App, now: Timestamp) -> Result<Option<Slug>, Problem> {
        let (slug, name, is_active) = match self {
            SamplePlan::None => return Ok(None),
            SamplePlan::Inactive => ("playground-inactive", "Last year's", false),
            SamplePlan::Pro => ("pro", "Pro", true),
        };
        let no_sample =
            |error: String| Problem::new(Code::InternalError, "There is no such sample.").with_cause(error);
        let slug = Slug::parse(slug).map_err(|error| no_sample(error.to_string()))?;
        if app.store.plan_list().await?.iter().any(|plan| plan.slug == slug) {
            return Ok(Some(slug));
        }
        let plan = Plan {
            slug: slug.clone(),
            name: name.into(),
            is_active,
            limits: PlanLimits::parse(r#"{"seats": 5, "projects": null}"#)
                .map_err(|error| no_sample(error.to_string()))?,
            features: PlanFeatures::parse(r#"["export"]"#).map_err(|error| no_sample(error.to_string()))?,
            stripe_price: None,
            created_at: now,
        };
        app.store.plan_save(plan, decree(), now).await?;
        Ok(Some(slug))
    }
}
