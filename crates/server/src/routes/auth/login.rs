//! `POST /api/v1/auth/login`

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use tenure_domain::email::Email;
use tenure_domain::password::Password;
use tenure_domain::problem::Code;
use tenure_domain::secret::SecretText;
use tenure_store::{SessionCreated, User};
use utoipa::ToSchema;

use super::{Reply, SignInOptions, SignedInAnswer, delete_cookies, limit_sign_in};
use crate::App;
use crate::http::actor::Anyone;
use crate::http::arrival::{Arrival, At};
use crate::http::body::Json;
use crate::http::problem::Problem;
use crate::metrics::SignIn;

#[derive(Deserialize, ToSchema)]
pub struct LoginRequest {
    #[schema(example = "dev@tenure.example")]
    pub(crate) email: String,
    #[schema(value_type = String, format = Password)]
    pub(crate) password: SecretText,
    #[serde(flatten)]
    #[schema(inline)]
    pub(crate) options: SignInOptions,
}

/// Sign in with e-mail and password.
///
/// Sets the session's cookie. An unknown user and a wrong password get the same answer after the same work.
#[utoipa::path(post, path = "/api/v1/auth/login", tag = "auth", request_body = LoginRequest,
    responses((status = 200, description = "Signed in; the session's cookie is set", body = SignedInAnswer)))]
pub async fn post(
    State(app): State<Arc<App>>,
    _: Anyone,
    At(arrival): At,
    Json(request): Json<LoginRequest>,
) -> Result<Response, Problem> {
    attempt(&app, &arrival, request, Reply::Token).await
}

/// One attempt to sign in, counted by its outcome.
pub(crate) async fn attempt(
    app: &App,
    arrival: &Arrival,
    request: LoginRequest,
    reply: Reply<'_>,
) -> Result<Response, Problem> {
    let result = sign_in(app, arrival, request, reply).await;
    let outcome = match &result {
        Ok(_) => "ok",
        Err(problem) => problem.code.as_str(),
    };
    app.metrics.sign_ins.get_or_create(&SignIn { method: "password", outcome }).inc();
    result
}

async fn sign_in(
    app: &App,
    arrival: &Arrival,
    request: LoginRequest,
    reply: Reply<'_>,
) -> Result<Response, Problem> {
    let email = Email::parse(&request.email).ok();
    limit_sign_in(app, arrival, email.as_ref().map(Email::key)).await?;
    // Two rounds: if the password is changed between check and sign-in, it is checked once more.
    for _ in 0..2 {
        let user = verified_user(app, email.as_ref(), &request.password).await?;
        let new = request.options.session(app, arrival);
        match app.store.session_create(user.id, user.token_version, new, arrival.now).await? {
            SessionCreated::Created { session, person, replaced } => {
                let mut response = reply.hand_out(app, arrival, &session, &person).await?;
                delete_cookies(app, &mut response, replaced);
                return Ok(response);
            }
            SessionCreated::UserChanged => {}
            SessionCreated::UserDisabled => return Err(disabled()),
            SessionCreated::UserGone => return Err(wrong()),
        }
    }
    Err(Problem::new(Code::Overloaded, "The account is being changed at this moment; try again."))
}

/// The user whose password this is.
async fn verified_user(app: &App, email: Option<&Email>, password: &SecretText) -> Result<User, Problem> {
    let user = match email {
        Some(email) => app.store.user_find_by_email(email.key()).await?,
        None => None,
    };
    let stored = user.as_ref().and_then(|user| user.password_hash.clone());
    let claimed = Password::claimed(password).ok_or_else(wrong)?;
    let verified = app.hasher.verify(claimed, stored.clone()).await?;
    let verified = verified.map_err(|error| {
        Problem::new(Code::InternalError, "This account's password cannot be checked.").with_cause(error)
    })?;
    let Some(user) = user.filter(|_| verified.matches) else { return Err(wrong()) };
    if let (Some(old), Some(new)) = (stored, verified.rehashed) {
        app.store.user_rehash(user.id, old, new).await?;
    }
    Ok(user)
}

fn wrong() -> Problem {
    Problem::new(Code::InvalidCredentials, "E-mail or password is wrong.")
}

/// Said only to somebody who knows the password.
fn disabled() -> Problem {
    Problem::new(Code::PermissionDenied, "This account has been disabled.")
}
