//! `POST /api/v1/auth/password/change` and `POST /api/v1/auth/password/reset`

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use tenure_domain::email::Email;
use tenure_domain::ends::{Actor, EndReason};
use tenure_domain::password::{Password, PasswordHash};
use tenure_domain::password_reset::{PresentedReset, ResetFacts};
use tenure_domain::problem::Code;
use tenure_domain::secret::SecretText;
use tenure_domain::time::Timestamp;
use tenure_store::{EndOrder, Expected, PasswordChanged, Person, User};
use utoipa::ToSchema;

use super::{AccessToken, count_ends, no_content, sign_access_token};
use crate::App;
use crate::credentials::{count_attempt, count_of_account};
use crate::http::actor::{Anyone, SignedIn};
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

#[derive(Deserialize, ToSchema)]
pub struct PasswordReset {
    /// What follows `#token=` in the link.
    #[schema(value_type = String, format = Password)]
    token: SecretText,
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
    let key = email_key(&person.email);
    count_attempt(&app, &arrival, Some(&key)).await?;
    let current = check_current(&app, &person, &request.current_password).await?;
    let hash = hash_chosen(&app, &request.new_password, &key).await?;
    let order = EndOrder {
        reason: EndReason::PasswordChanged,
        actor: Actor::User,
        note: None,
        whence: arrival.whence(),
    };
    let changed = app
        .store
        .user_set_password(person.id, Expected::Hash(current), hash, Some(claims.sid), order, arrival.now)
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

/// Choose a new password with a link from an administrator.
///
/// Ends all sessions, and the link is good no more. One that is not good is refused the same way whatever is wrong with
/// it: used, expired, made up, or its user disabled or gone.
#[utoipa::path(post, path = "/api/v1/auth/password/reset", tag = "auth", request_body = PasswordReset,
    responses((status = 204, description = "Set; sign in with it")))]
pub async fn reset(
    State(app): State<Arc<App>>,
    _: Anyone,
    At(arrival): At,
    Json(request): Json<PasswordReset>,
) -> Result<Response, Problem> {
    count_attempt(&app, &arrival, None).await?;
    let presented = PresentedReset::read(&request.token).ok_or_else(not_good)?;
    let user = app.store.user_find(presented.user_id).await?;
    let user = user.filter(|user| {
        presented.is_good(&app.reset_keys, &facts(user), arrival.now) && user.disabled_at.is_none()
    });
    let user = user.ok_or_else(not_good)?;
    arrival.note_user(user.id);
    // Not before: whoever can only guess would keep the person from their link.
    count_of_account(&app, &arrival, &user.id.to_string()).await?;
    let hash = hash_chosen(&app, &request.new_password, &email_key(&user.email)).await?;
    let order = EndOrder {
        reason: EndReason::PasswordReset,
        actor: Actor::User,
        note: None,
        whence: arrival.whence(),
    };
    let expected = Expected::Version(user.token_version);
    match app.store.user_set_password(user.id, expected, hash, None, order, arrival.now).await? {
        PasswordChanged::Changed { ended, .. } => {
            count_ends(&app, &arrival, &ended);
            Ok(no_content())
        }
        // Of two who use it at once, one comes second.
        PasswordChanged::Conflict | PasswordChanged::UserGone => Err(not_good()),
    }
}

/// What a link to a new password is bound to.
pub(crate) fn facts(user: &User) -> ResetFacts<'_> {
    ResetFacts {
        user_id: user.id,
        token_version: user.token_version,
        role: user.role,
        account_id: user.account_id,
        password_hash: user.password_hash.as_ref(),
    }
}

fn not_good() -> Problem {
    Problem::new(Code::ResetLinkInvalid, "This link is not good, or not any more; ask for another one.")
}

fn email_key(email: &str) -> String {
    Email::parse(email).map(|email| email.key().to_owned()).unwrap_or_default()
}

async fn hash_chosen(app: &App, chosen: &SecretText, email_key: &str) -> Result<PasswordHash, Problem> {
    let chosen = Password::chosen(chosen, email_key).map_err(|error| {
        let message = error.to_string();
        Problem::invalid(vec![FieldError { field: "new_password", code: error.as_str(), message }])
    })?;
    app.hasher.hash(chosen).await?.map_err(|error| {
        Problem::new(Code::InternalError, "The password could not be hashed.").with_cause(error)
    })
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
