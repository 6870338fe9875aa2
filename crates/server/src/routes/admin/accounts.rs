//! `/api/v1/admin/accounts`

use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use tenure_domain::account::{AccountStatus, Slug};
use tenure_domain::id::AccountId;
use tenure_domain::time::Timestamp;
use tenure_domain::user::DisplayName;
use tenure_store::{Account, AccountChange, AccountChanged, NewAccount};
use utoipa::{IntoParams, ToSchema};

use super::{Administrator, Confirmed, Faults, after, fault, named, nullable, page, right};
use crate::App;
use crate::http::arrival::At;
use crate::http::body::Json;
use crate::http::openapi::account_status;
use crate::http::problem::Problem;

#[derive(Serialize, ToSchema)]
pub struct AccountRecord {
    #[schema(value_type = String, example = "acc_0199c0a41c3b7d0ea1f0b2c3d4e5f607")]
    id: AccountId,
    name: String,
    #[schema(schema_with = account_status)]
    status: AccountStatus,
    /// It belongs to whoever runs the product, and passes by account and plan.
    is_system: bool,
    /// The slug of its plan.
    #[schema(value_type = Option<String>)]
    plan: Option<Slug>,
    /// The customer of Stripe's who pays for it.
    stripe_customer: Option<String>,
    #[schema(value_type = i64)]
    created_at: Timestamp,
}

#[derive(Serialize, ToSchema)]
pub struct AccountRecords {
    /// Oldest first.
    accounts: Vec<AccountRecord>,
    /// What `after` is for the next page; null where nothing was left.
    #[schema(value_type = Option<String>)]
    next: Option<AccountId>,
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Listed {
    /// Continue after this id.
    after: Option<String>,
    /// At most 200; 100 if left out.
    limit: Option<usize>,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AccountWish {
    /// 1 to 200 characters.
    name: String,
    /// trial, active (if left out), pending_payment, suspended or cancelled.
    status: Option<String>,
    /// The slug of a plan.
    plan: Option<String>,
    /// Why, for whoever asks later: 1 to 500 characters.
    reason: String,
}

/// What is to be different. What is left out stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AccountPatch {
    name: Option<String>,
    status: Option<String>,
    /// Whether it belongs to whoever runs the product; superusers alone may say so.
    is_system: Option<bool>,
    /// Null takes the plan away.
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<String>)]
    plan: Option<Option<String>>,
    /// Null: nobody at Stripe pays for it.
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<String>)]
    stripe_customer: Option<Option<String>>,
    /// Why, for whoever asks later: 1 to 500 characters.
    reason: String,
}

/// All accounts, page by page.
#[utoipa::path(get, path = "/api/v1/admin/accounts", tag = "admin", params(Listed),
    security(("access_token" = []), ("api_key" = [])),
    responses((status = 200, description = "Oldest first", body = AccountRecords)))]
pub async fn list(
    State(app): State<Arc<App>>,
    _: Administrator<right::Read>,
    Query(listed): Query<Listed>,
) -> Result<Response, Problem> {
    let after = after(listed.after.as_deref())?;
    let accounts = app.store.account_list(after, page(listed.limit)).await?;
    let next = accounts.last().map(|account| account.id);
    let accounts = accounts.into_iter().map(AccountRecord::from).collect();
    Ok(Json(AccountRecords { accounts, next }).into_response())
}

/// Create an account without members.
#[utoipa::path(post, path = "/api/v1/admin/accounts", tag = "admin", request_body = AccountWish,
    security(("access_token" = []), ("api_key" = [])),
    responses((status = 201, description = "Created", body = AccountRecord)))]
pub async fn create(
    State(app): State<Arc<App>>,
    administrator: Administrator<right::Accounts>,
    At(arrival): At,
    Json(wish): Json<AccountWish>,
) -> Result<Response, Problem> {
    let mut faults = Faults::default();
    let name = faults.take("name", "not_a_name", DisplayName::parse(&wish.name));
    let status = match &wish.status {
        Some(text) => faults.parse("status", "not_a_status", text),
        None => Some(AccountStatus::Active),
    };
    let plan = wish.plan.as_deref().map(|text| faults.parse::<Slug>("plan", "not_a_plan", text));
    let reason = faults.reason(&wish.reason);
    let read = name.zip(status).zip(reason);
    let ((name, status), reason) = faults.unless_any(read)?;
    let plan = plan.flatten();
    if let Some(slug) = &plan
        && !app.store.plan_list().await?.iter().any(|plan| plan.slug == *slug)
    {
        return Err(no_such_plan());
    }
    let new = NewAccount { name: name.as_str().to_owned(), status, plan };
    let account = app.store.account_create(new, administrator.decree(reason), arrival.now).await?;
    Ok((StatusCode::CREATED, Json(AccountRecord::from(account))).into_response())
}

/// One account.
#[utoipa::path(get, path = "/api/v1/admin/accounts/{id}", tag = "admin",
    params(("id" = String, Path, description = "The account, as in `acc_...`")),
    security(("access_token" = []), ("api_key" = [])),
    responses((status = 200, description = "As it is", body = AccountRecord)))]
pub async fn show(
    State(app): State<Arc<App>>,
    _: Administrator<right::Read>,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let account = app.store.account_find(named(&id)?).await?.ok_or_else(Problem::not_found)?;
    Ok(Json(AccountRecord::from(account)).into_response())
}

/// Change an account. What it may no longer do is blocked; nobody is signed out.
#[utoipa::path(patch, path = "/api/v1/admin/accounts/{id}", tag = "admin", request_body = AccountPatch,
    params(("id" = String, Path, description = "The account, as in `acc_...`")),
    security(("access_token" = []), ("api_key" = [])),
    responses((status = 200, description = "As it is now", body = AccountRecord)))]
pub async fn change(
    State(app): State<Arc<App>>,
    Confirmed(administrator): Confirmed<right::Accounts>,
    At(arrival): At,
    Path(id): Path<String>,
    Json(patch): Json<AccountPatch>,
) -> Result<Response, Problem> {
    let id = named(&id)?;
    let (change, reason) = read(patch)?;
    administrator.govern_account(&app, Some(id)).await?;
    if change.is_system.is_some() {
        administrator.be_superuser()?;
    }
    let decree = administrator.decree(reason);
    match app.store.account_change(id, change, decree, arrival.now).await? {
        AccountChanged::Changed(account) => Ok(Json(AccountRecord::from(account)).into_response()),
        AccountChanged::AccountGone => Err(Problem::not_found()),
        AccountChanged::PlanGone => Err(no_such_plan()),
        AccountChanged::CustomerTaken => {
            Err(fault("stripe_customer", "taken", "another account has that customer of Stripe's"))
        }
    }
}

fn read(patch: AccountPatch) -> Result<(AccountChange, String), Problem> {
    let mut faults = Faults::default();
    let name = patch.name.map(|text| faults.take("name", "not_a_name", DisplayName::parse(&text)));
    let status = patch.status.map(|text| faults.parse("status", "not_a_status", &text));
    let plan = patch.plan.map(|plan| plan.map(|text| faults.parse::<Slug>("plan", "not_a_plan", &text)));
    let customer = patch.stripe_customer.map(|customer| customer.map(|id| customer_id(&mut faults, id)));
    let reason = faults.reason(&patch.reason);
    // What could not be read is a fault by now.
    let change = AccountChange {
        name: name.flatten().map(|name| name.as_str().to_owned()),
        status: status.flatten(),
        is_system: patch.is_system,
        plan: plan.map(Option::flatten),
        stripe_customer: customer.map(Option::flatten),
    };
    faults.unless_any(reason.map(|reason| (change, reason)))
}

/// Stripe's ids are short and plain; what they look like is Stripe's affair.
fn customer_id(faults: &mut Faults, id: String) -> Option<String> {
    let is_plain = (1..=255).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic());
    let error = "a customer's id has 1 to 255 letters, digits and signs; null takes it away";
    faults.take("stripe_customer", "not_an_id", is_plain.then_some(id).ok_or(error))
}

fn no_such_plan() -> Problem {
    fault("plan", "no_such_plan", "there is no plan of that name")
}

impl From<Account> for AccountRecord {
    fn from(account: Account) -> Self {
        Self {
            id: account.id,
            name: account.name,
            status: account.status,
            is_system: account.is_system,
            plan: account.plan.map(|plan| plan.slug),
            stripe_customer: account.stripe_customer,
            created_at: account.created_at,
        }
    }
}
