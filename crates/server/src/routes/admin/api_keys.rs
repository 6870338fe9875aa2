//! `/api/v1/admin/api-keys`: the keys of every account. Making one is its account's affair.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use tenure_domain::account::Slug;
use tenure_domain::id::{AccountId, ApiKeyId};
use tenure_domain::problem::Code;
use tenure_domain::time::Timestamp;
use tenure_store::ApiKey;
use utoipa::{IntoParams, ToSchema};

use super::users::{Reason, read_reason};
use super::{Administrator, Confirmed, Right, after, fault, named, page, right};
use crate::App;
use crate::http::arrival::At;
use crate::http::body::Json;
use crate::http::problem::Problem;

#[derive(Serialize, ToSchema)]
pub struct ApiKeyRecords {
    /// Newest first, those that open nothing any more among them.
    api_keys: Vec<ApiKeyRecord>,
    /// What `after` is for the next page; null where nothing was left.
    #[schema(value_type = Option<String>)]
    next: Option<ApiKeyId>,
}

#[derive(Serialize, ToSchema)]
pub struct ApiKeyRecord {
    #[schema(value_type = String, example = "key_0199c0a41c3b7d0ea1f0b2c3d4e5f607")]
    id: ApiKeyId,
    #[schema(value_type = String)]
    account: AccountId,
    name: String,
    #[schema(value_type = Vec<String>)]
    scopes: BTreeSet<Slug>,
    #[schema(value_type = i64)]
    created_at: Timestamp,
    #[schema(value_type = Option<i64>)]
    expires_at: Option<Timestamp>,
    /// Until when it still stands beside its successor.
    #[schema(value_type = Option<i64>)]
    retires_at: Option<Timestamp>,
    #[schema(value_type = Option<i64>)]
    revoked_at: Option<Timestamp>,
    /// Accurate to five minutes.
    #[schema(value_type = Option<i64>)]
    last_used_at: Option<Timestamp>,
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Listed {
    /// Only those of this account.
    account: Option<String>,
    /// Continue after this id.
    after: Option<String>,
    /// At most 200; 100 if left out.
    limit: Option<usize>,
}

/// The API keys of all accounts, page by page.
#[utoipa::path(get, path = "/api/v1/admin/api-keys", tag = "admin", params(Listed),
    security(("access_token" = []), ("api_key" = [])),
    responses((status = 200, description = "Newest first", body = ApiKeyRecords)))]
pub async fn list(
    State(app): State<Arc<App>>,
    _: Administrator<right::Read>,
    Query(listed): Query<Listed>,
) -> Result<Response, Problem> {
    let account = listed.account.as_deref().map(str::parse::<AccountId>).transpose();
    let account = account.map_err(|error| fault("account", "not_an_id", error.to_string()))?;
    let after = after(listed.after.as_deref())?;
    let keys = app.store.api_key_search(account, after, page(listed.limit)).await?;
    let next = keys.last().map(|key| key.id);
    let api_keys = keys.into_iter().map(ApiKeyRecord::from).collect();
    Ok(Json(ApiKeyRecords { api_keys, next }).into_response())
}

/// Revoke a key at once.
#[utoipa::path(post, path = "/api/v1/admin/api-keys/{id}/revoke", tag = "admin", request_body = Reason,
    params(("id" = String, Path, description = "The key, as in `key_...`")),
    security(("access_token" = []), ("api_key" = [])),
    responses((status = 200, description = "Revoked, now or before", body = ApiKeyRecord)))]
pub async fn revoke(
    State(app): State<Arc<App>>,
    Confirmed(administrator): Confirmed<right::Accounts>,
    At(arrival): At,
    Path(id): Path<String>,
    Json(wish): Json<Reason>,
) -> Result<Response, Problem> {
    let id: ApiKeyId = named(&id)?;
    let key = app.store.api_key_find(id).await?.ok_or_else(Problem::not_found)?.key;
    govern_key(&app, &administrator, &key).await?;
    let decree = administrator.decree(read_reason(&wish.reason)?);
    let revoked = app.store.api_key_revoke(id, decree, arrival.now).await?;
    Ok(Json(ApiKeyRecord::from(revoked.ok_or_else(Problem::not_found)?)).into_response())
}

/// Refuses to handle a key of the operator's own, or one that may do more here than this administrator. What else it
/// may do is the application's: whoever runs the product has to be able to stop it.
async fn govern_key(
    app: &App,
    administrator: &Administrator<right::Accounts>,
    key: &ApiKey,
) -> Result<(), Problem> {
    administrator.govern_account(app, Some(key.account_id)).await?;
    let authority = administrator.caller.authority();
    let exceeds = |right: &Right| {
        key.scopes.contains(right.as_str()) && !app.settled.policy.permits(authority, right.as_str())
    };
    if Right::ALL.iter().any(exceeds) {
        let detail = "Only somebody who may do all that such a key may do can revoke it.";
        return Err(Problem::new(Code::PermissionDenied, detail));
    }
    Ok(())
}

impl From<ApiKey> for ApiKeyRecord {
    fn from(key: ApiKey) -> Self {
        let ApiKey { id, account_id, name, scopes, created_at, last_used_at, state } = key;
        Self {
            id,
            account: account_id,
            name,
            scopes,
            created_at,
            expires_at: state.expires_at,
            retires_at: state.retires_at,
            revoked_at: state.revoked_at,
            last_used_at,
        }
    }
}
