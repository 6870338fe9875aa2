//! `POST /api/v1/auth/login`

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::response::Response;
use http::HeaderMap;
use serde::Deserialize;
use tenure_domain::email::Email;
use tenure_domain::password::Password;
use tenure_domain::problem::Code;
use tenure_domain::secret::SecretText;
use tenure_domain::time::{Freshness, Timestamp};
use tenure_store::{NewSession, SessionCreated, User};
use utoipa::ToSchema;

use super::{SignInOptions, SignedInAnswer, delete_cookies, hand_out, limit_sign_in, sent_at};
use crate::App;
use crate::http::actor::Anyone;
use crate::http::arrival::{Arrival, At};
use crate::http::body::Json;
use crate::http::problem::Problem;
use crate::metrics::SignIn;

/// How much later by its own clock than it was may a sign-in say it was sent: 5 s for clients that think they
/// are ahead, 10 for servers whose clocks disagree.
const SENT_AT_MARGIN: Duration = Duration::from_secs(15);

#[derive(Deserialize, ToSchema)]
pub struct LoginRequest {
    #[schema(example = "dev@tenure.example")]
    email: String,
    #[schema(value_type = String, format = Password)]
    password: SecretText,
    #[serde(flatten)]
    #[schema(inline)]
    options: SignInOptions,
}

/// Sign in with e-mail and password.
///
/// Sets the session's cookie. An unknown user and a wrong password get the same answer after the same work.
/// Whoever names a device says when, too: a late copy of a sign-in must not end the session that it made.
#[utoipa::path(post, path = "/api/v1/auth/login", tag = "auth", request_body = LoginRequest,
    params(("Tenure-Sent-At" = Option<i64>, Header,
        description = "When the request was sent, Unix milliseconds in server time; older than 15 s is refused")),
    responses((status = 200, description = "Signed in; the session's cookie is set", body = SignedInAnswer)))]
pub async fn post(
    State(app): State<Arc<App>>,
    _: Anyone,
    At(arrival): At,
    headers: HeaderMap,
    Json(request): Json<LoginRequest>,
) -> Result<Response, Problem> {
    let result = match sent(&app, &arrival, &headers) {
        Ok(sent_at) => sign_in(&app, &arrival, request, sent_at).await,
        Err(stale) => Err(stale),
    };
    let outcome = match &result {
        Ok(_) => "ok",
        Err(problem) => problem.code.as_str(),
    };
    app.metrics.sign_ins.get_or_create(&SignIn { method: "password", outcome }).inc();
    result
}

/// When the client says that it sent this, if that can be true.
fn sent(app: &App, arrival: &Arrival, headers: &HeaderMap) -> Result<Option<Timestamp>, Problem> {
    let sent_at = sent_at(headers)?;
    match app.settled.times.freshness_of(sent_at, arrival.now) {
        Freshness::Stale => {
            Err(Problem::new(Code::RequestStale, "Sent too long ago, by the server's clock."))
        }
        Freshness::Fresh | Freshness::Unknown => Ok(sent_at),
    }
}

async fn sign_in(
    app: &App,
    arrival: &Arrival,
    request: LoginRequest,
    sent_at: Option<Timestamp>,
) -> Result<Response, Problem> {
    let email = Email::parse(&request.email).ok();
    limit_sign_in(app, arrival, email.as_ref().map(Email::key))?;
    // Two rounds: if the password is changed between check and sign-in, it is checked once more.
    for _ in 0..2 {
        let user = verified_user(app, email.as_ref(), &request.password).await?;
        // What is younger than this request was made by a copy of it, or by a later sign-in.
        let replaces_before = sent_at.map(|sent_at| sent_at - SENT_AT_MARGIN);
        let new = NewSession { replaces_before, ..request.options.session(app, arrival) };
        match app.store.session_create(user.id, user.token_version, new, arrival.now).await? {
            SessionCreated::Created { session, person, replaced } => {
                let mut response = hand_out(app, arrival, &session, &person).await?;
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
