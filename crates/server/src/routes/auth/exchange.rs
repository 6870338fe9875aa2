//! `/api/v1/auth/exchange`: a sign-in of another system, traded once for a session.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use tenure_domain::event::{EventKind, Occurrence};
use tenure_domain::exchange::{Attempt, ExchangeKey, NAME_MAX, PERMISSION, Source, TICKET_LIFETIME, Ticket};
use tenure_domain::id::{ApiKeyId, UserId};
use tenure_domain::problem::{Class, Code};
use tenure_domain::secret::SecretText;
use tenure_domain::simplejwt::LEEWAY;
use tenure_domain::time::Timestamp;
use tenure_store::Exchanged;
use utoipa::ToSchema;

use super::{Reply, SignInOptions, SignedInAnswer};
use crate::App;
use crate::credentials;
use crate::exchange;
use crate::http::actor::{Anyone, Caller};
use crate::http::admission::demand_permission;
use crate::http::arrival::{Arrival, At};
use crate::http::body::Json;
use crate::http::problem::{FieldError, Problem};
use crate::metrics::Outcome;

/// The longest primary key of a user in the other system.
const USER_ID_MAX: usize = 100;

#[derive(Deserialize, ToSchema)]
pub struct ExchangeRequest {
    /// What is traded, and which of the next two says it.
    kind: ExchangeKind,
    /// A refresh token of djangorestframework-simplejwt.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = Password)]
    token: Option<SecretText>,
    /// What `POST auth/exchange/tickets` gave the other system's back end.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = Password)]
    ticket: Option<SecretText>,
    /// A random word of 16 to 64 letters, digits, `-` and `_`, drawn once for this trade. Whoever did not hear the answer
    /// says the same one again, and is given the same session.
    #[schema(value_type = String, example = "cWJ0a2V4dHJhY2xlYW4")]
    attempt: SecretText,
    /// As at a sign-in. Here it is a label and ends nothing.
    #[serde(default)]
    device_id: Option<String>,
}

#[derive(Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum ExchangeKind {
    Simplejwt,
    Ticket,
}

impl From<ExchangeKind> for Source {
    fn from(kind: ExchangeKind) -> Self {
        match kind {
            ExchangeKind::Simplejwt => Source::Simplejwt,
            ExchangeKind::Ticket => Source::Ticket,
        }
    }
}

/// A sign-in elsewhere that is believed.
struct Believed {
    key: ExchangeKey,
    user_id: UserId,
    vouched_by: Option<ApiKeyId>,
    authenticated_at: Timestamp,
    remembered_until: Timestamp,
}

/// Trade a sign-in of another system for a session, once.
///
/// Answered like a sign-in with "remember me". Open only until `migration.exchange_until`. No refusal is an end of anything, and none
/// of them touches a cookie.
#[utoipa::path(post, path = "/api/v1/auth/exchange", tag = "auth", request_body = ExchangeRequest,
    responses((status = 200, description = "Signed in; the session's cookie is set", body = SignedInAnswer)))]
pub async fn post(
    State(app): State<Arc<App>>,
    _: Anyone,
    At(arrival): At,
    Json(request): Json<ExchangeRequest>,
) -> Result<Response, Problem> {
    let source = Source::from(request.kind);
    let traded = trade(&app, &arrival, request).await;
    note(&app, &arrival, source, &traded);
    traded.map(|(response, _)| response)
}

/// With whether it was handed out before.
async fn trade(app: &App, arrival: &Arrival, request: ExchangeRequest) -> Result<(Response, bool), Problem> {
    app.exchange.demand_open(arrival.now)?;
    let address = app.pseudonyms.of(&arrival.network().to_string());
    app.limits.exchange(address, &arrival.standings).await?;
    let attempt = Attempt::read(&request.attempt).ok_or_else(|| {
        let message = "expected a random word of 16 to 64 letters, digits, - and _".into();
        invalid("attempt", "not_random", message)
    })?;
    let believed = believe(app, arrival, &request).await?;
    arrival.note_target(believed.user_id);
    let user = app.store.user_find(believed.user_id).await?.ok_or_else(exchange::unknown_user)?;
    if exchange::is_elevated(&*app.store, &app.settled.policy, &user).await? {
        let detail = "Whoever may do more than others here signs in with their password.";
        return Err(Problem::new(Code::ExchangeUsed, detail));
    }
    let options = SignInOptions { remember_me: true, device_id: request.device_id };
    let exchange = tenure_store::Exchange {
        source: request.kind.into(),
        key: believed.key,
        attempt,
        user_id: believed.user_id,
        vouched_by: believed.vouched_by,
        authenticated_at: believed.authenticated_at,
        expires_at: believed.remembered_until,
        new: options.session(app, arrival),
    };
    let (session, person, is_again) = match app.store.session_exchange(exchange, arrival.now).await? {
        Exchanged::Created { session, person } => (session, person, false),
        Exchanged::Again { session, person } => (session, person, true),
        Exchanged::Used => {
            return Err(Problem::new(Code::ExchangeUsed, "That sign-in has been taken over before."));
        }
        Exchanged::Outdated => {
            let detail =
                "The password or the role was changed here since, or all else was signed out; sign in here.";
            return Err(Problem::new(Code::ExchangeUsed, detail));
        }
        Exchanged::UserDisabled => return Err(credentials::disabled()),
        Exchanged::UserGone => return Err(exchange::unknown_user()),
    };
    let response = Reply::Token.hand_out(app, arrival, &session, &person).await?;
    Ok((response, is_again))
}

async fn believe(app: &App, arrival: &Arrival, request: &ExchangeRequest) -> Result<Believed, Problem> {
    let missing = |field| {
        let message = "the field that `kind` names is to be there, and the other is not".into();
        invalid(field, "kind", message)
    };
    match (request.kind, &request.token, &request.ticket) {
        (ExchangeKind::Simplejwt, Some(token), None) => {
            let claims = app.exchange.read_token(token, arrival.now)?;
            Ok(Believed {
                key: ExchangeKey::of(Source::Simplejwt, &claims.jti),
                user_id: app.find_imported(&claims.user).await?,
                vouched_by: None,
                authenticated_at: claims.issued_at,
                // Longer than it could be shown: clocks differ.
                remembered_until: claims.expires_at + 2 * LEEWAY,
            })
        }
        (ExchangeKind::Ticket, None, Some(ticket)) => {
            let ticket = app.exchange.read_ticket(ticket, arrival.now)?;
            Ok(Believed {
                key: ticket.key,
                user_id: ticket.user_id,
                vouched_by: Some(ticket.api_key),
                authenticated_at: ticket.authenticated_at,
                remembered_until: app.exchange.remembered_until(arrival.now),
            })
        }
        (ExchangeKind::Simplejwt, ..) => Err(missing("token")),
        (ExchangeKind::Ticket, ..) => Err(missing("ticket")),
    }
}

fn invalid(field: &'static str, code: &'static str, message: String) -> Problem {
    Problem::invalid(vec![FieldError { field, code, message }])
}

/// Counts how it ended, and puts on record what the store has not: that it was refused, or handed out again.
fn note(app: &App, arrival: &Arrival, source: Source, traded: &Result<(Response, bool), Problem>) {
    let (outcome, recorded) = match traded {
        Ok((_, false)) => ("ok", None),
        Ok((_, true)) => ("again", Some((EventKind::Exchanged, "handed_out_again"))),
        Err(problem) => {
            let code = problem.code;
            // That it could not be tried says nothing about who tried, nor that there is nothing to try.
            let is_telling = code.class() != Class::Transport && code != Code::ExchangeClosed;
            let refused = (EventKind::ExchangeRefused, exchange::cause(problem));
            (code.as_str(), is_telling.then_some(refused))
        }
    };
    app.metrics.exchanges.get_or_create(&Outcome { outcome }).inc();
    let Some((kind, cause)) = recorded else { return };
    app.note(Occurrence {
        user: arrival.user().or(arrival.target()),
        session: arrival.session(),
        subject: Some(source.as_str().to_owned()),
        whence: arrival.whence(),
        cause: Some(cause.to_owned()),
        ..Occurrence::new(kind, arrival.now)
    });
}

// === Tickets ===

#[derive(Deserialize, ToSchema)]
pub struct TicketRequest {
    /// The user's primary key in the other system, as text.
    #[schema(example = "17")]
    user_id: String,
    /// What names the sign-in there and nothing else: a hash of the session's key, or a token's `jti`. It is traded once.
    #[schema(example = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08")]
    legacy_session: String,
    /// When they signed in there, Unix seconds; now, if it is not known. What is not past counts as now.
    #[serde(default)]
    authenticated_at: Option<i64>,
    /// When the sign-in there would end by itself, Unix seconds.
    #[serde(default)]
    expires_at: Option<i64>,
}

#[derive(Serialize, ToSchema)]
pub struct TicketAnswer {
    /// For the page of whoever it is, which trades it at `auth/exchange`.
    ticket: String,
    /// Seconds for which it is good.
    expires_in: u64,
}

/// Vouch for somebody who is signed in to the other system: a ticket that is good for a minute and traded once.
///
/// Needs an API key with the scope `sessions.exchange`; a person's access token is not taken. Whoever has the key can become anybody who was imported, for as
/// long as the exchange is open: it stays in the other system's back end.
#[utoipa::path(post, path = "/api/v1/auth/exchange/tickets", tag = "auth", request_body = TicketRequest, security(("api_key" = [])),
    responses((status = 200, description = "The ticket", body = TicketAnswer)))]
pub async fn tickets(
    State(app): State<Arc<App>>,
    At(arrival): At,
    caller: Result<Caller, Problem>,
    request: Result<Json<TicketRequest>, Problem>,
) -> Result<Response, Problem> {
    let now = arrival.now;
    // Before the key is looked at, which is revoked when it is over.
    app.exchange.demand_open(now)?;
    let caller = caller?;
    demand_permission(&app, &arrival, &caller, PERMISSION)?;
    let Caller::Key(holder) = &caller else {
        return Err(Problem::new(Code::PermissionDenied, "Only an API key may vouch for others."));
    };
    let Json(TicketRequest { user_id, legacy_session, authenticated_at, expires_at }) = request?;
    validate(&user_id, &legacy_session)?;
    // What a clock that goes wrong says is no reason to leave somebody behind.
    let authenticated_at = authenticated_at.map_or(now, from_secs).clamp(Timestamp::from_ms(0), now);
    let ends_at = expires_at.map_or(now + TICKET_LIFETIME, from_secs);
    if ends_at <= now {
        return Err(exchange::expired());
    }
    let user_id = app.find_imported(&user_id).await?;
    arrival.note_target(user_id);
    let user = app.store.user_find(user_id).await?.ok_or_else(exchange::unknown_user)?;
    if user.disabled_at.is_some() {
        return Err(credentials::disabled());
    }
    let expires_at = ends_at.min(now + TICKET_LIFETIME);
    let key = ExchangeKey::of(Source::Ticket, &legacy_session);
    let ticket =
        app.exchange.mint(&Ticket { key, user_id, api_key: holder.key.id, authenticated_at, expires_at });
    let ticket = ticket.ok_or_else(|| Problem::new(Code::InternalError, "Something went wrong here."))?;
    let answer =
        TicketAnswer { ticket: ticket.expose().to_owned(), expires_in: expires_at.since(now).as_secs() };
    Ok(Json(answer).into_response())
}

fn from_secs(seconds: i64) -> Timestamp {
    Timestamp::from_ms(seconds.saturating_mul(1000))
}

fn validate(user_id: &str, legacy_session: &str) -> Result<(), Problem> {
    let of_length = |field, text: &str, most: usize| {
        let is_fitting = (1..=most).contains(&text.len());
        let message = format!("expected 1 to {most} characters");
        (!is_fitting).then_some(FieldError { field, code: "wrong_length", message })
    };
    let faults =
        [of_length("user_id", user_id, USER_ID_MAX), of_length("legacy_session", legacy_session, NAME_MAX)];
    let faults: Vec<_> = faults.into_iter().flatten().collect();
    if faults.is_empty() { Ok(()) } else { Err(Problem::invalid(faults)) }
}
