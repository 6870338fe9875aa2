//! `/api/v1/admin/signing-keys`: the keys that sign access tokens. Nobody is signed out by any of this.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use tenure_domain::time::Timestamp;
use tenure_store::{KeyRetired, StoredKey};
use utoipa::ToSchema;

use super::users::{Reason, read_reason};
use super::{Administrator, Confirmed, fault, right};
use crate::App;
use crate::http::arrival::At;
use crate::http::body::Json;
use crate::http::problem::Problem;

#[derive(Serialize, ToSchema)]
pub struct SigningKeys {
    /// Newest first.
    keys: Vec<SigningKeyRecord>,
}

#[derive(Serialize, ToSchema)]
pub struct SigningKeyRecord {
    kid: String,
    #[schema(value_type = i64)]
    created_at: Timestamp,
    /// From when on it may sign.
    #[schema(value_type = i64)]
    activates_at: Timestamp,
    /// From when on its tokens are refused.
    #[schema(value_type = Option<i64>)]
    retires_at: Option<Timestamp>,
    /// signs, published (known, and not yet in use), verifies (signs no more) or retired.
    state: &'static str,
    /// Whether it can be retired: the others would go on signing without it, and it is not retired yet.
    may_retire: bool,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SigningKeyRotation {
    /// Sign with it at once: services that have not fetched it yet will refuse for a while.
    #[serde(default)]
    now: bool,
    /// Why, for whoever asks later: 1 to 500 characters.
    reason: String,
}

/// All signing keys.
#[utoipa::path(get, path = "/api/v1/admin/signing-keys", tag = "admin",
    security(("access_token" = []), ("api_key" = [])),
    responses((status = 200, description = "Newest first", body = SigningKeys)))]
pub async fn list(
    State(app): State<Arc<App>>,
    _: Administrator<right::Read>,
    At(arrival): At,
) -> Result<Response, Problem> {
    let keys = app.store.key_list().await?;
    let keys = keys.iter().map(|key| SigningKeyRecord::of(key, &keys, arrival.now)).collect();
    Ok(Json(SigningKeys { keys }).into_response())
}

/// Add a key. It is published at once, and signs after `token.publish_ahead`.
#[utoipa::path(post, path = "/api/v1/admin/signing-keys/rotate", tag = "admin", request_body = SigningKeyRotation,
    security(("access_token" = []), ("api_key" = [])),
    responses((status = 200, description = "The new key", body = SigningKeyRecord)))]
pub async fn rotate(
    State(app): State<Arc<App>>,
    Confirmed(administrator): Confirmed<right::Keys>,
    At(arrival): At,
    Json(wish): Json<SigningKeyRotation>,
) -> Result<Response, Problem> {
    let decree = administrator.decree(read_reason(&wish.reason)?);
    let config = &app.settled.config;
    let ahead = if wish.now { Duration::ZERO } else { config.token.publish_ahead.0 };
    let key = app.keys.rotate(decree, arrival.now, ahead, config.session.access_lifetime.0).await?;
    show(&app, &key.kid, arrival.now).await
}

/// Refuse a key's tokens from now on; clients refresh and get new ones. A key without which none would go on signing stays.
#[utoipa::path(post, path = "/api/v1/admin/signing-keys/{kid}/retire", tag = "admin", request_body = Reason,
    params(("kid" = String, Path, description = "The key's id")),
    security(("access_token" = []), ("api_key" = [])),
    responses((status = 200, description = "Retired, now or before", body = SigningKeyRecord)))]
pub async fn retire(
    State(app): State<Arc<App>>,
    Confirmed(administrator): Confirmed<right::Keys>,
    At(arrival): At,
    Path(kid): Path<String>,
    Json(wish): Json<Reason>,
) -> Result<Response, Problem> {
    let decree = administrator.decree(read_reason(&wish.reason)?);
    match app.store.key_retire(&kid, decree, arrival.now).await? {
        KeyRetired::Retired | KeyRetired::Before => show(&app, &kid, arrival.now).await,
        KeyRetired::Gone => Err(Problem::not_found()),
        KeyRetired::LastSigner => {
            Err(fault("kid", "last_signer", "without it no key would sign for long; rotate with `now` first"))
        }
    }
}

async fn show(app: &App, kid: &str, now: Timestamp) -> Result<Response, Problem> {
    let keys = app.store.key_list().await?;
    let key = keys.iter().find(|key| key.kid == kid).ok_or_else(Problem::not_found)?;
    Ok(Json(SigningKeyRecord::of(key, &keys, now)).into_response())
}

impl SigningKeyRecord {
    /// As it is among `all` keys.
    pub fn of(key: &StoredKey, all: &[StoredKey], now: Timestamp) -> Self {
        Self {
            may_retire: StoredKey::would_retire(all, &key.kid, now) == KeyRetired::Retired,
            kid: key.kid.clone(),
            created_at: key.created_at,
            activates_at: key.activates_at,
            retires_at: key.retires_at,
            state: key.state(StoredKey::signer(all, now), now).as_str(),
        }
    }
}
