//! `/api/v1/auth/api-keys`: the credentials that programs of an account show.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use tenure_domain::account::Slug;
use tenure_domain::api_key::{ApiKeySecret, SCOPES_MAX};
use tenure_domain::ends::Actor;
use tenure_domain::id::{AccountId, ApiKeyId};
use tenure_domain::problem::Code;
use tenure_domain::time::Timestamp;
use tenure_domain::user::DisplayName;
use tenure_store::{ApiKey, ApiKeyCreated, ApiKeyRotated, Decree, NewApiKey};
use utoipa::ToSchema;

use super::no_content;
use crate::App;
use crate::http::actor::{Caller, SignedIn};
use crate::http::admission::{account_of, demand, demand_permission};
use crate::http::arrival::{Arrival, At};
use crate::http::body::{Json, OptionalJson};
use crate::http::problem::{FieldError, Problem};

/// Keys listed at once, newest first.
const LISTED_MAX: usize = 200;

/// What whoever handles keys needs.
const PERMISSION: &str = "api_keys.manage";

/// How long a predecessor still stands if nothing else is asked for, and at most.
const GRACE: Duration = Duration::from_secs(24 * 60 * 60);
const GRACE_MAX: Duration = Duration::from_secs(30 * 24 * 60 * 60);

#[derive(Serialize, ToSchema)]
pub struct ApiKeyList {
    /// Those that open something first, and of both the newest first.
    api_keys: Vec<ApiKeyAnswer>,
}

#[derive(Serialize, ToSchema)]
pub struct ApiKeyAnswer {
    #[schema(value_type = String, example = "key_0199c0a41c3b7d0ea1f0b2c3d4e5f607")]
    id: ApiKeyId,
    name: String,
    #[schema(value_type = Vec<String>)]
    scopes: BTreeSet<Slug>,
    #[schema(value_type = i64)]
    created_at: Timestamp,
    #[schema(value_type = Option<i64>)]
    expires_at: Option<Timestamp>,
    #[schema(value_type = Option<i64>)]
    revoked_at: Option<Timestamp>,
    /// Accurate to five minutes.
    #[schema(value_type = Option<i64>)]
    last_used_at: Option<Timestamp>,
}

/// A key that was just made.
#[derive(Serialize, ToSchema)]
pub struct ApiKeyMade {
    api_key: ApiKeyAnswer,
    /// The key itself. It is shown this once and cannot be shown again.
    secret: String,
}

#[derive(Deserialize, ToSchema)]
pub struct ApiKeyWish {
    /// 1 to 200 characters.
    name: String,
    /// What it may do: permissions that its maker has.
    #[serde(default)]
    #[schema(value_type = Vec<String>)]
    scopes: BTreeSet<Slug>,
    /// Unix milliseconds; left out, it never expires.
    #[serde(default)]
    #[schema(value_type = Option<i64>)]
    expires_at: Option<Timestamp>,
}

#[derive(Default, Deserialize, ToSchema)]
pub struct RotateRequest {
    /// Seconds for which the old key still stands, at most 30 days; a day if left out.
    grace: Option<u64>,
}

/// Somebody who may handle the keys of their account.
struct Keeper {
    caller: Caller,
    account_id: AccountId,
    decree: Decree,
}

impl Keeper {
    fn of(app: &App, arrival: &Arrival, caller: SignedIn) -> Result<Self, Problem> {
        let actor = Actor::Admin(caller.person.id.to_string());
        let caller = Caller::from(&caller);
        demand_permission(app, arrival, &caller, PERMISSION)?;
        let account_id = account_of(caller.membership())?.id;
        Ok(Self { account_id, decree: Decree { actor, reason: None }, caller })
    }

    /// A key of this account. Those of others are not there.
    async fn find(&self, app: &App, id: &str) -> Result<ApiKey, Problem> {
        let id: ApiKeyId = id.parse().map_err(|_| Problem::not_found())?;
        let holder = app.store.api_key_find(id).await?;
        let ours = holder.map(|holder| holder.key).filter(|key| key.account_id == self.account_id);
        ours.ok_or_else(Problem::not_found)
    }
}

/// The keys of one's account, without their secrets.
#[utoipa::path(get, path = "/api/v1/auth/api-keys", tag = "auth", security(("access_token" = [])),
    responses((status = 200, description = "The account's keys", body = ApiKeyList)))]
pub async fn list(
    State(app): State<Arc<App>>,
    caller: SignedIn,
    At(arrival): At,
) -> Result<Response, Problem> {
    let keeper = Keeper::of(&app, &arrival, caller)?;
    let keys = app.store.api_key_list(keeper.account_id, LISTED_MAX, arrival.now).await?;
    Ok(Json(ApiKeyList { api_keys: keys.into_iter().map(answer).collect() }).into_response())
}

/// Make a key for one's account. Nobody gives a key a permission that they do not have.
#[utoipa::path(post, path = "/api/v1/auth/api-keys", tag = "auth", request_body = ApiKeyWish,
    security(("access_token" = [])),
    responses((status = 201, description = "The key, shown this once", body = ApiKeyMade)))]
pub async fn create(
    State(app): State<Arc<App>>,
    caller: SignedIn,
    At(arrival): At,
    Json(wish): Json<ApiKeyWish>,
) -> Result<Response, Problem> {
    let keeper = Keeper::of(&app, &arrival, caller)?;
    let name = validate(&wish, arrival.now)?;
    demand(&app, &arrival, &keeper.caller, &wish.scopes)?;
    let secret = draw(&app);
    let ApiKeyWish { scopes, expires_at, .. } = wish;
    let new = NewApiKey { name: name.as_str().to_owned(), scopes, expires_at, hash: secret.hash() };
    match app.store.api_key_create(keeper.account_id, new, keeper.decree, arrival.now).await? {
        ApiKeyCreated::Created(key) => Ok(made(key, &secret)),
        ApiKeyCreated::AccountGone => Err(Problem::new(Code::AccountMissing, "Your account is gone.")),
        ApiKeyCreated::TooMany => Err(too_many()),
    }
}

/// Make a successor of a key; the old one stands for a while longer, so that programs can be changed over.
#[utoipa::path(post, path = "/api/v1/auth/api-keys/{id}/rotate", tag = "auth", request_body = RotateRequest,
    security(("access_token" = [])), params(("id" = String, Path, description = "The key, as in `key_...`")),
    responses((status = 201, description = "The successor, shown this once", body = ApiKeyMade),
        (status = 404, description = "The account has no such key, or it opens nothing any more")))]
pub async fn rotate(
    State(app): State<Arc<App>>,
    caller: SignedIn,
    At(arrival): At,
    Path(id): Path<String>,
    OptionalJson(request): OptionalJson<RotateRequest>,
) -> Result<Response, Problem> {
    let keeper = Keeper::of(&app, &arrival, caller)?;
    let key = keeper.find(&app, &id).await?;
    // Whoever rotates gets to know a secret, and may do from then on what the key may.
    demand(&app, &arrival, &keeper.caller, &key.scopes)?;
    let grace = request.grace.map_or(GRACE, Duration::from_secs).min(GRACE_MAX);
    let (secret, until) = (draw(&app), arrival.now + grace);
    match app.store.api_key_rotate(key.id, secret.hash(), until, keeper.decree, arrival.now).await? {
        ApiKeyRotated::Rotated(key) => Ok(made(key, &secret)),
        ApiKeyRotated::TooMany => Err(too_many()),
        ApiKeyRotated::Gone => Err(Problem::not_found()),
    }
}

/// Revoke a key: the very next request that shows it is refused.
#[utoipa::path(delete, path = "/api/v1/auth/api-keys/{id}", tag = "auth", security(("access_token" = [])),
    params(("id" = String, Path, description = "The key, as in `key_...`")),
    responses((status = 204, description = "Revoked, now or before"),
        (status = 404, description = "The account has no such key")))]
pub async fn revoke(
    State(app): State<Arc<App>>,
    caller: SignedIn,
    At(arrival): At,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let keeper = Keeper::of(&app, &arrival, caller)?;
    let key = keeper.find(&app, &id).await?;
    app.store.api_key_revoke(key.id, keeper.decree, arrival.now).await?;
    Ok(no_content())
}

fn validate(wish: &ApiKeyWish, now: Timestamp) -> Result<DisplayName, Problem> {
    let fault = |field, code, message| FieldError { field, code, message };
    let name = DisplayName::parse(&wish.name);
    let faults = [
        name.as_ref().err().map(|error| fault("name", "not_a_name", error.to_string())),
        (wish.scopes.len() > SCOPES_MAX)
            .then(|| fault("scopes", "too_many", format!("a key has at most {SCOPES_MAX} scopes"))),
        wish.expires_at
            .is_some_and(|at| at <= now)
            .then(|| fault("expires_at", "in_the_past", "a key that has expired opens nothing".into())),
    ];
    let faults: Vec<_> = faults.into_iter().flatten().collect();
    match name {
        Ok(name) if faults.is_empty() => Ok(name),
        _ => Err(Problem::invalid(faults)),
    }
}

fn too_many() -> Problem {
    let detail = "Your account has as many keys as it may have; revoke one that is not in use.";
    Problem::new(Code::LimitReached, detail)
}

fn draw(app: &App) -> ApiKeySecret {
    let mut bytes = [0; 32];
    app.entropy.fill(&mut bytes);
    ApiKeySecret::from_entropy(bytes)
}

fn made(key: ApiKey, secret: &ApiKeySecret) -> Response {
    let secret = secret.to_text(key.id).expose().to_owned();
    (StatusCode::CREATED, Json(ApiKeyMade { api_key: answer(key), secret })).into_response()
}

fn answer(key: ApiKey) -> ApiKeyAnswer {
    let ApiKey { id, name, scopes, created_at, last_used_at, state, .. } = key;
    let (expires_at, revoked_at) = (state.ends_at(), state.revoked_at);
    ApiKeyAnswer { id, name, scopes, created_at, expires_at, revoked_at, last_used_at }
}
