//! `POST /api/v1/auth/password/change`

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use tenure_domain::email::Email;
use tenure_domain::ends::{Actor, EndReason};
use tenure_domain::password::{Password, PasswordHash};
use tenure_domain::problem::Code;
use tenure_domain::secret::SecretText;
use tenure_domain::time::Timestamp;
use tenure_store::{EndOrder, PasswordChanged, Person};
use utoipa::ToSchema;

use super::{AccessToken, count_ends, sign_access_token};
use crate::App;
use crate::credentials::count_attempt;
use crate::http::actor::SignedIn;
use crate::http::arrival::At;
use crate::http::body::Json;
use crate::http::problem::{FieldError, Problem};

#[derive(Deserialize, ToSchema)]
pub struct PasswordChange {
    #[schema(value_type = String, format = Password)]
    current_password: SecretText,
    /// 8 to 256 characters, no composition rules, not on lists of common passwords.
    #[schema(value_type = String, format = Password)]
    new_password: SecretText,
}

#[derive(Serialize, ToSchema)]
pub struct PasswordChangeAnswer {
    #[serde(flatten)]
    token: AccessToken,
    /// How many other sessions this ended.
    ended_sessions: usize,
}

/// Change the password, knowing the current one.
///
/// Ends all other sessions and kills every earlier access token; this session goes on with the access token
/// in the answer. Its refresh token is untouched, so a lost answer costs nothing.
#[utoipa::path(post, path = "/api/v1/auth/password/change", tag = "auth", request_body = PasswordChange,
    security(("access_token" = [])),
    responses((status = 200, description = "Changed", body = PasswordChangeAnswer)))]
pub async fn change(
    State(app): State<Arc<App>>,
    SignedIn { claims, person, .. }: SignedIn,
    At(arrival): At,
    Json(request): Json<PasswordChange>,
) -> Result<Response, Problem> {
    // Guessing the current password with a stolen access token is as good as guessing it at sign-in.
    let key = Email::parse(&person.email).map(|email| email.key().to_owned()).unwrap_or_default();
    count_attempt(&app, &arrival, Some(&key)).await?;
    let current = check_current(&app, &person, &request.current_password).await?;
    let chosen = Password::chosen(&request.new_password, &key).map_err(|error| {
        let message = error.to_string();
        Problem::invalid(vec![FieldError { field: "new_password", code: error.as_str(), message }])
    })?;
    let hash = app.hasher.hash(chosen).await?.map_err(|error| {
        Problem::new(Code::InternalError, "The password could not be hashed.").with_cause(error)
    })?;
    let order = EndOrder {
        reason: EndReason::PasswordChanged,
        actor: Actor::User,
        note: None,
        whence: arrival.whence(),
    };
    let changed = app
        .store
        .user_set_password(person.id, Some(current), hash, Some(claims.sid), order, arrival.now)
        .await?;
    match changed {
        PasswordChanged::Changed { person, ended } => {
            count_ends(&app, &arrival, &ended);
            let expires_at = session_expiry(&app, claims.sid).await?;
            let token = sign_access_token(&app, &arrival, claims.sid, expires_at, &person).await?;
            Ok(Json(PasswordChangeAnswer { token, ended_sessions: ended.len() }).into_response())
        }
        PasswordChanged::Conflict => Err(wrong()),
        PasswordChanged::UserGone => {
            Err(Problem::new(Code::AccessTokenRevoked, "This user has just been deleted."))
        }
    }
}

async fn check_current(app: &App, person: &Person, claimed: &SecretText) -> Result<PasswordHash, Problem> {
    let stored = app.store.user_find(person.id).await?.and_then(|user| user.password_hash);
    let claimed = Password::claimed(claimed).ok_or_else(wrong)?;
    let verified = app.hasher.verify(claimed, stored.clone()).await?.map_err(|error| {
        Problem::new(Code::InternalError, "This account's password cannot be checked.").with_cause(error)
    })?;
    stored.filter(|_| verified.matches).ok_or_else(wrong)
}

async fn session_expiry(app: &App, session: tenure_domain::id::SessionId) -> Result<Timestamp, Problem> {
    let caller = app.store.caller(session).await?;
    let revoked = || Problem::new(Code::AccessTokenRevoked, "This session has just ended.");
    caller.map(|caller| caller.standing.expires_at).ok_or_else(revoked)
}

fn wrong() -> Problem {
    Problem::new(Code::InvalidCredentials, "The current password is wrong.")
}
