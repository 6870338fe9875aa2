//! `POST /api/v1/auth/login`

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use tenure_domain::email::Email;
use tenure_domain::problem::Code;
use tenure_domain::secret::SecretText;
use tenure_store::SessionCreated;
use utoipa::ToSchema;

use super::{Reply, SignInOptions, SignedInAnswer, delete_cookies};
use crate::App;
use crate::credentials;
use crate::http::actor::Anyone;
use crate::http::arrival::{Arrival, At};
use crate::http::body::Json;
use crate::http::problem::Problem;

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
    credentials::note_attempt(app, arrival, "password", &result);
    result
}

async fn sign_in(
    app: &App,
    arrival: &Arrival,
    request: LoginRequest,
    reply: Reply<'_>,
) -> Result<Response, Problem> {
    let email = Email::parse(&request.email).ok();
    credentials::count_attempt(app, arrival, email.as_ref().map(Email::key)).await?;
    // Two rounds: if the password is changed between check and sign-in, it is checked once more.
    for _ in 0..2 {
        let user = credentials::verify(app, arrival, email.as_ref(), &request.password).await?;
        let new = request.options.session(app, arrival);
        match app.store.session_create(user.id, user.token_version, new, arrival.now).await? {
            SessionCreated::Created { session, person, replaced } => {
                let mut response = reply.hand_out(app, arrival, &session, &person).await?;
                delete_cookies(app, &mut response, replaced);
                return Ok(response);
            }
            SessionCreated::UserChanged => {}
            SessionCreated::UserDisabled => return Err(credentials::disabled()),
            SessionCreated::UserGone => return Err(credentials::wrong()),
        }
    }
    Err(Problem::new(Code::Overloaded, "The account is being changed at this moment; try again."))
}
