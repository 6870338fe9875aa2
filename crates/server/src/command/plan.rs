//! `tenure plan`

use clap::{Args, Subcommand};
use serde_json::{Value, json};
use tenure_domain::account::{PlanFeatures, PlanLimits, Slug};
use tenure_store::{Plan, PlanSaved, Store};

use super::place::now;
use super::{Failure, Global, Outcome, print};

#[derive(Subcommand)]
pub enum PlanVerb {
    /// All plans.
    List,
    /// Create a plan, or change what is named of one; the rest of it stays.
    Save(SaveArgs),
}

#[derive(Args)]
pub struct SaveArgs {
    /// Its name for programs: a-z 0-9 . _ -
    slug: Slug,
    /// Its name for people; a new plan needs one.
    #[arg(long)]
    name: Option<String>,
    /// Whether accounts that have it are served what needs a plan. A new plan is active.
    #[arg(long, value_name = "true|false")]
    active: Option<bool>,
    /// How much of each thing, as in '{"seats": 5, "projects": null}'.
    #[arg(long, value_name = "JSON")]
    limits: Option<String>,
    /// What it includes, as in '["export", "sso"]'.
    #[arg(long, value_name = "JSON")]
    features: Option<String>,
    /// Stripe's price that stands for it; empty for none.
    #[arg(long, value_name = "ID")]
    stripe_price: Option<String>,
    /// Why; it is kept with the acts.
    #[arg(long)]
    reason: String,
}

pub async fn run(global: &Global, verb: PlanVerb) -> Outcome {
    match verb {
        PlanVerb::List => {
            let store = global.open_store().await?;
            let plans = store.plan_list().await?;
            print(global, &plans.iter().map(row).collect(), || {
                plans.iter().for_each(|plan| println!("{}", line(plan)));
            });
            Ok(())
        }
        PlanVerb::Save(args) => {
            let store = global.open_or_make_store(&global.config()?).await?;
            save(global, &*store, args).await
        }
    }
}

async fn save(global: &Global, store: &dyn Store, args: SaveArgs) -> Outcome {
    let known = store.plan_list().await?.into_iter().find(|plan| plan.slug == args.slug);
    let usage = |option: &str, why: &dyn std::fmt::Display| Failure::Usage(format!("--{option}: {why}"));
    let limits = args.limits.map(|json| PlanLimits::parse(&json)).transpose();
    let features = args.features.map(|json| PlanFeatures::parse(&json)).transpose();
    let (limits, features) =
        (limits.map_err(|why| usage("limits", &why))?, features.map_err(|why| usage("features", &why))?);
    let begun = match (known, &args.name) {
        (Some(known), _) => known,
        (None, None) => {
            return Err(usage("name", &format!("there is no plan {} yet, so it needs one", args.slug)));
        }
        (None, Some(name)) => Plan {
            slug: args.slug,
            name: name.clone(),
            is_active: true,
            limits: PlanLimits::default(),
            features: PlanFeatures::default(),
            stripe_price: None,
            created_at: now(),
        },
    };
    let plan = Plan {
        name: args.name.unwrap_or(begun.name),
        is_active: args.active.unwrap_or(begun.is_active),
        limits: limits.unwrap_or(begun.limits),
        features: features.unwrap_or(begun.features),
        stripe_price: args.stripe_price.or(begun.stripe_price).filter(|price| !price.is_empty()),
        ..begun
    };
    match store.plan_save(plan.clone(), global.decree(args.reason), now()).await? {
        PlanSaved::Saved => {
            print(global, &row(&plan), || println!("saved {}", line(&plan)));
            Ok(())
        }
        PlanSaved::PriceTaken => Err(Failure::Finding("another plan has that Stripe price".into())),
    }
}

pub async fn find(store: &dyn Store, slug: &Slug) -> Result<Plan, Failure> {
    let plan = store.plan_list().await?.into_iter().find(|plan| plan.slug == *slug);
    plan.ok_or_else(|| missing(Some(slug)))
}

pub fn missing(slug: Option<&Slug>) -> Failure {
    let slug = slug.map_or("of that name", Slug::as_str);
    Failure::Finding(format!("there is no plan {slug}; `tenure plan list` shows them"))
}

fn row(plan: &Plan) -> Value {
    json!({
        "slug": plan.slug, "name": plan.name, "is_active": plan.is_active, "limits": plan.limits,
        "features": plan.features, "stripe_price": plan.stripe_price, "created_at": plan.created_at,
    })
}

fn line(plan: &Plan) -> String {
    let active = if plan.is_active { "active" } else { "not active" };
    let price = plan.stripe_price.as_deref().map(|price| format!("  {price}")).unwrap_or_default();
    let (limits, features) = (plan.limits.to_json(), plan.features.to_json());
    format!("{}  {active}  {}  limits {limits}  features {features}{price}", plan.slug, plan.name)
}
