//! `POST /api/v1/auth/register`

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use tenure_domain::email::Email;
use tenure_domain::password::Password;
use tenure_domain::problem::Code;
use tenure_domain::secret::SecretText;
use tenure_domain::session::Session;
use tenure_domain::user::DisplayName;
use tenure_store::{Home, NewUser, Person, UserCreated};
use utoipa::ToSchema;

use super::{SignInOptions, SignedInAnswer, UserAnswer, hand_out};
use crate::App;
use crate::credentials::count_attempt;
use crate::http::actor::Anyone;
use crate::http::arrival::{Arrival, At};
use crate::http::body::Json;
use crate::http::problem::{FieldError, Problem};

#[derive(Deserialize, ToSchema)]
pub struct RegisterRequest {
    pub(crate) email: String,
    /// 8 to 256 characters, no composition rules, not on lists of common passwords.
    #[schema(value_type = String, format = Password)]
    pub(crate) password: SecretText,
    pub(crate) name: String,
    #[serde(flatten)]
    #[schema(inline)]
    pub(crate) options: SignInOptions,
}

/// The answer when registration does not sign in at once.
#[derive(Serialize)]
struct Registered<'a> {
    user: UserAnswer<'a>,
}

/// Create a user with an account of their own, and sign in.
#[utoipa::path(post, path = "/api/v1/auth/register", tag = "auth", request_body = RegisterRequest,
    responses((status = 201, description = "Registered and signed in; the session's cookie is set", body = SignedInAnswer)))]
pub async fn post(
    State(app): State<Arc<App>>,
    _: Anyone,
    At(arrival): At,
    Json(request): Json<RegisterRequest>,
) -> Result<Response, Problem> {
    let (person, session) = create(&app, &arrival, request).await?;
    let mut response = match session {
        Some(session) => hand_out(&app, &arrival, &session, &person).await?,
        None => Json(Registered { user: (&person).into() }).into_response(),
    };
    *response.status_mut() = StatusCode::CREATED;
    Ok(response)
}

/// Creates the user, and a session where registration signs in.
pub(crate) async fn create(
    app: &App,
    arrival: &Arrival,
    request: RegisterRequest,
) -> Result<(Person, Option<Session>), Problem> {
    if !app.settled.config.registration.open {
        return Err(Problem::new(Code::RegistrationClosed, "New users are added by an administrator here."));
    }
    count_attempt(app, arrival, None).await?;
    let (email, name, password) = validate(&request)?;
    let hash = app.hasher.hash(password).await?.map_err(|error| {
        Problem::new(Code::InternalError, "The password could not be hashed.").with_cause(error)
    })?;
    let home = Home::Own(app.settled.config.registration.account(name.as_str()));
    let new = NewUser { password_hash: Some(hash), home, ..NewUser::named(&email, name.as_str()) };
    let auto = app.settled.config.registration.auto_sign_in;
    let session = auto.then(|| request.options.session(app, arrival));
    match app.store.user_create(new, session, arrival.now).await? {
        UserCreated::EmailTaken => {
            Err(Problem::new(Code::EmailTaken, "Somebody is registered under that address; sign in instead."))
        }
        UserCreated::AccountGone => {
            Err(Problem::new(Code::InternalError, "The new account went away while it was made."))
        }
        UserCreated::KeyTaken => {
            Err(Problem::new(Code::InternalError, "Whoever registers comes from nowhere else."))
        }
        UserCreated::Created { user, session } => {
            arrival.note_user(user.id);
            Ok((Person::from(&user), session))
        }
    }
}

/// All that is wrong at once, so that a form can show it all at once.
fn validate(request: &RegisterRequest) -> Result<(Email, DisplayName, Password), Problem> {
    let email = Email::parse(&request.email);
    let name = DisplayName::parse(&request.name);
    let key = email.as_ref().map(Email::key).unwrap_or_default();
    let password = Password::chosen(&request.password, key);
    match (email, name, password) {
        (Ok(email), Ok(name), Ok(password)) => Ok((email, name, password)),
        (email, name, password) => {
            let faults = [
                email.err().map(|error| field("email", "not_an_address", error)),
                name.err().map(|error| field("name", "not_a_name", error)),
                password.err().map(|error| field("password", error.as_str(), error)),
            ];
            Err(Problem::invalid(faults.into_iter().flatten().collect()))
        }
    }
}

fn field(field: &'static str, code: &'static str, error: impl ToString) -> FieldError {
    FieldError { field, code, message: error.to_string() }
}
