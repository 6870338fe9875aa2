//! What ends a user's sessions: disabling, deleting, signing them out, giving them a password.

use std::sync::Arc;

use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use tenure_domain::email::Email;
use tenure_domain::ends::EndReason;
use tenure_domain::secret::SecretText;
use tenure_store::{EndOrder, Ended, PasswordChanged, Scope};
use utoipa::ToSchema;

use super::{Reason, Target, hash, read_password, read_reason};
use crate::App;
use crate::http::arrival::{Arrival, At};
use crate::http::body::Json;
use crate::http::problem::Problem;
use crate::routes::admin::Faults;
use crate::routes::auth::count_ends;

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PasswordWish {
    /// 8 to 256 characters, no composition rules, not on lists of common passwords.
    #[schema(value_type = String, format = Password)]
    password: SecretText,
    /// Why, for whoever asks later: 1 to 500 characters.
    reason: String,
}

/// What ending somebody's sessions came to.
#[derive(Serialize, ToSchema)]
pub struct SessionsEnded {
    /// How many were alive.
    ended_sessions: usize,
}

/// Keep a user from signing in, and end all their sessions.
#[utoipa::path(post, path = "/api/v1/admin/users/{id}/disable", tag = "admin", request_body = Reason,
    params(("id" = String, Path, description = "The user, as in `usr_...`")),
    security(("access_token" = []), ("api_key" = [])),
    responses((status = 200, description = "Disabled, now or before", body = SessionsEnded)))]
pub async fn disable(
    State(app): State<Arc<App>>,
    target: Target,
    At(arrival): At,
    Json(wish): Json<Reason>,
) -> Result<Response, Problem> {
    let order = target.order(&arrival, EndReason::UserDisabled, &wish.reason)?;
    ended(&app, &arrival, app.store.user_disable(target.user.id, order, arrival.now).await?)
}

/// Sign a user out everywhere. They may sign in again.
#[utoipa::path(post, path = "/api/v1/admin/users/{id}/sign-out", tag = "admin", request_body = Reason,
    params(("id" = String, Path, description = "The user, as in `usr_...`")),
    security(("access_token" = []), ("api_key" = [])),
    responses((status = 200, description = "Every session that was alive has ended", body = SessionsEnded)))]
pub async fn sign_out(
    State(app): State<Arc<App>>,
    target: Target,
    At(arrival): At,
    Json(wish): Json<Reason>,
) -> Result<Response, Problem> {
    let order = target.order(&arrival, EndReason::AdminRevoked, &wish.reason)?;
    let all = app.store.session_end(target.user.id, Scope::All, true, order, arrival.now).await?;
    ended(&app, &arrival, Some(all))
}

/// Give a user a password, and end all their sessions.
#[utoipa::path(post, path = "/api/v1/admin/users/{id}/password", tag = "admin", request_body = PasswordWish,
    params(("id" = String, Path, description = "The user, as in `usr_...`")),
    security(("access_token" = []), ("api_key" = [])),
    responses((status = 200, description = "Set", body = SessionsEnded)))]
pub async fn set_password(
    State(app): State<Arc<App>>,
    target: Target,
    At(arrival): At,
    Json(wish): Json<PasswordWish>,
) -> Result<Response, Problem> {
    let order = target.order(&arrival, EndReason::PasswordReset, &wish.reason)?;
    let key = Email::parse(&target.user.email).map(|email| email.key().to_owned()).unwrap_or_default();
    let mut faults = Faults::default();
    let password = read_password(&mut faults, &wish.password, &key);
    let hash = hash(&app, faults.unless_any(password)?).await?;
    match app.store.user_set_password(target.user.id, None, hash, None, order, arrival.now).await? {
        PasswordChanged::Changed { ended: all, .. } => ended(&app, &arrival, Some(all)),
        PasswordChanged::Conflict | PasswordChanged::UserGone => Err(Problem::not_found()),
    }
}

/// Delete a user, and end all their sessions. What ended and why stays on record.
#[utoipa::path(delete, path = "/api/v1/admin/users/{id}", tag = "admin",
    params(("id" = String, Path, description = "The user, as in `usr_...`"), Reason),
    security(("access_token" = []), ("api_key" = [])),
    responses((status = 200, description = "Deleted", body = SessionsEnded)))]
pub async fn delete(
    State(app): State<Arc<App>>,
    target: Target,
    At(arrival): At,
    Query(wish): Query<Reason>,
) -> Result<Response, Problem> {
    let order = target.order(&arrival, EndReason::UserDeleted, &wish.reason)?;
    ended(&app, &arrival, app.store.user_delete(target.user.id, order, arrival.now).await?)
}

impl Target {
    /// An order to end sessions of this user.
    fn order(&self, arrival: &Arrival, reason: EndReason, note: &str) -> Result<EndOrder, Problem> {
        Ok(EndOrder {
            reason,
            actor: self.administrator.actor(),
            note: Some(read_reason(note)?),
            whence: arrival.whence(),
        })
    }
}

/// Tells how many sessions ended, of a user who was there.
fn ended(app: &App, arrival: &Arrival, ended: Option<Vec<Ended>>) -> Result<Response, Problem> {
    let ended = ended.ok_or_else(Problem::not_found)?;
    count_ends(app, arrival, &ended);
    Ok(Json(SessionsEnded { ended_sessions: ended.len() }).into_response())
}
