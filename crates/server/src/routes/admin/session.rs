//! `/api/v1/admin/session`: signing in to the console, which is no session of a user and ends none.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde::{Deserialize, Serialize};
use tenure_domain::console::Right;
use tenure_domain::ends::Actor;
use tenure_domain::entitlement::Authority;
use tenure_domain::id::UserId;
use tenure_domain::problem::Code;
use tenure_domain::secret::SecretText;
use tenure_domain::time::Timestamp;
use tenure_store::{Decree, Subject};
use utoipa::ToSchema;

use crate::App;
use crate::credentials;
use crate::http::actor::Anyone;
use crate::http::arrival::{Arrival, At};
use crate::http::body::Json;
use crate::http::console::{AtConsole, begin, stand};
use crate::http::problem::Problem;
use crate::routes::auth::UserAnswer;

#[derive(Deserialize, ToSchema)]
pub struct ConsoleSignIn {
    #[schema(example = "root@tenure.example")]
    email: String,
    #[schema(value_type = String, format = Password)]
    password: SecretText,
}

/// Who is signed in to the console, until when, and what they may do there.
#[derive(Serialize, ToSchema)]
pub struct ConsoleAnswer<'a> {
    user: UserAnswer<'a>,
    /// Those of the admin API that they have.
    permissions: Vec<&'static str>,
    /// When the sign-in was, Unix milliseconds.
    #[schema(value_type = i64)]
    created_at: Timestamp,
    /// When it is over whatever is done, Unix milliseconds.
    #[schema(value_type = i64)]
    ends_at: Timestamp,
    /// When it is over if nothing more is done, Unix milliseconds. Every call moves it, to about a thirtieth of the
    /// idle time.
    #[schema(value_type = i64)]
    expires_at: Timestamp,
    /// When they typed their password last, Unix milliseconds.
    #[schema(value_type = i64)]
    confirmed_at: Timestamp,
    /// Until when they may do what wants a password typed lately, Unix milliseconds.
    #[schema(value_type = i64)]
    fresh_until: Timestamp,
}

#[derive(Deserialize, ToSchema)]
pub struct ConsoleConfirmation {
    #[schema(value_type = String, format = Password)]
    password: SecretText,
}

/// Sign in to the console with e-mail and password.
///
/// For people who have one of the permissions `admin.read`, `admin.accounts`, `admin.plans`, `admin.users`, `admin.keys`. Sets a
/// cookie that opens the admin API and nothing else. Attempts are counted with those of `auth/login`.
#[utoipa::path(post, path = "/api/v1/admin/session", tag = "admin", request_body = ConsoleSignIn,
    responses((status = 200, description = "Signed in; the console's cookie is set", body = ConsoleAnswer)))]
pub async fn post(
    State(app): State<Arc<App>>,
    _: Anyone,
    At(arrival): At,
    headers: HeaderMap,
    Json(request): Json<ConsoleSignIn>,
) -> Result<Response, Problem> {
    app.origins.check_own(&headers)?;
    let result = sign_in(&app, &arrival, &request).await;
    credentials::note_attempt(&app, &arrival, "console", &result);
    let (at_console, cookie) = result?;
    Ok(([(header::SET_COOKIE, cookie)], answer(&app, &at_console)).into_response())
}

async fn sign_in(
    app: &App,
    arrival: &Arrival,
    request: &ConsoleSignIn,
) -> Result<(AtConsole, HeaderValue), Problem> {
    let user = credentials::identify(app, arrival, &request.email, &request.password).await?;
    arrival.note_user(user.id);
    if !app.settled.policy.opens_console(user.role) {
        let detail = "You have none of the permissions that the console is for.";
        return Err(Problem::new(Code::PermissionDenied, detail));
    }
    // Before it is done: rather an act too many than a sign-in that nobody knows of.
    record(app, arrival, user.id, "console_signed_in").await?;
    begin(app, arrival, user).await
}

async fn record(app: &App, arrival: &Arrival, user: UserId, what: &'static str) -> Result<(), Problem> {
    let decree = Decree { actor: Actor::Admin(user.to_string()), reason: None };
    Ok(app.store.act_record(Subject::User(user), what, decree, arrival.whence(), arrival.now).await?)
}

/// Who is signed in to the console, and until when.
#[utoipa::path(get, path = "/api/v1/admin/session", tag = "admin", security(("console_cookie" = [])),
    responses((status = 200, description = "Who it is", body = ConsoleAnswer)))]
pub async fn get(State(app): State<Arc<App>>, at_console: AtConsole) -> Response {
    answer(&app, &at_console)
}

/// Type the password again, for what wants one that was typed lately: everything that handles a user, ends a session,
/// revokes a key or changes signing keys. Attempts are counted with those of `auth/login`.
#[utoipa::path(post, path = "/api/v1/admin/session/confirm", tag = "admin", request_body = ConsoleConfirmation,
    security(("console_cookie" = [])),
    responses((status = 200, description = "Confirmed", body = ConsoleAnswer)))]
pub async fn confirm(
    State(app): State<Arc<App>>,
    at_console: AtConsole,
    At(arrival): At,
    Json(request): Json<ConsoleConfirmation>,
) -> Result<Response, Problem> {
    let result = credentials::identify(&app, &arrival, &at_console.user.email, &request.password).await;
    credentials::note_attempt(&app, &arrival, "console_confirm", &result);
    // Whoever has taken over the address since is somebody else.
    if result?.id != at_console.user.id {
        return Err(credentials::wrong());
    }
    Ok(answer(&app, &at_console.confirm(&app, &arrival).await?))
}

/// Sign out of the console. No session of a user ends with it.
#[utoipa::path(delete, path = "/api/v1/admin/session", tag = "admin", security(("console_cookie" = [])),
    responses((status = 204, description = "Signed out, or nobody was signed in; the cookie is deleted")))]
pub async fn delete(
    State(app): State<Arc<App>>,
    _: Anyone,
    At(arrival): At,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    match stand(&app, &arrival, &headers).await {
        Ok(Some(at_console)) => {
            record(&app, &arrival, at_console.user.id, "console_signed_out").await?;
            at_console.end(&app).await?;
        }
        Ok(None) => {}
        // It opened nothing any more.
        Err(problem) if problem.code.status() == 401 => {}
        Err(problem) => return Err(problem),
    }
    let mut response =
        (StatusCode::NO_CONTENT, [(header::SET_COOKIE, app.console_cookie.delete())]).into_response();
    response.headers_mut().remove(header::CONTENT_TYPE);
    Ok(response)
}

fn answer(app: &App, at_console: &AtConsole) -> Response {
    let person = at_console.person();
    let has = |right: &&str| app.settled.policy.permits(Authority::Person(person.role), right);
    Json(ConsoleAnswer {
        user: (&person).into(),
        permissions: Right::ALL.iter().map(|right| right.as_str()).filter(has).collect(),
        created_at: at_console.created_at,
        ends_at: app.settled.config.console.rules().ends_at(at_console.created_at),
        expires_at: at_console.expires_at,
        confirmed_at: at_console.confirmed_at,
        fresh_until: app.settled.config.console.rules().fresh_until(at_console.confirmed_at),
    })
    .into_response()
}
