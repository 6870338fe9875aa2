//! `/api/v1/auth`: signing in, staying in, signing out.

pub mod api_keys;
pub mod check;
pub mod entitlements;
pub mod events;
pub mod exchange;
pub mod login;
pub mod logout;
pub mod logout_event;
pub mod password;
pub mod plans;
pub mod profile;
pub mod refresh;
pub mod register;
pub mod revocations;
pub mod sessions;
pub mod timeline;

use std::convert::Infallible;

use axum::body::{Body, Bytes};
use axum::response::{IntoResponse, Redirect, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures_util::{Stream, StreamExt as _};
use http::{HeaderName, HeaderValue, StatusCode, header};
use serde::{Deserialize, Serialize};
use tenure_domain::access_token::{self, AccessClaims};
use tenure_domain::id::{AccountId, SessionId, UserId};
use tenure_domain::limit::{DEVICE_ID_CHARS_MAX, clip};
use tenure_domain::problem::Code;
use tenure_domain::refresh_token::{self, RefreshClaims};
use tenure_domain::session::Session;
use tenure_domain::time::Timestamp;
use tenure_domain::user::Role;
use tenure_store::{Device, Ended, NewSession, Person};
use utoipa::ToSchema;

use crate::App;
use crate::http::arrival::Arrival;
use crate::http::body::Json;
use crate::http::openapi::user_role;
use crate::http::problem::Problem;

/// An answer of server-sent events, each of which leaves as it comes.
fn as_it_comes(pieces: impl Stream<Item = Bytes> + Send + 'static) -> Response {
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream")),
        // Proxies that would rather collect it first.
        (HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no")),
    ];
    (headers, Body::from_stream(pieces.map(Ok::<_, Infallible>))).into_response()
}

/// What a sign-in and every refresh are answered with. The refresh token is not in it: it travels in the
/// cookie alone.
#[derive(Serialize, ToSchema)]
pub struct SignedInAnswer<'a> {
    #[serde(flatten)]
    token: AccessToken,
    session: SessionAnswer,
    user: UserAnswer<'a>,
}

#[derive(Serialize, ToSchema)]
pub struct AccessToken {
    /// A JWT (RFC 9068); keep it in memory only.
    access_token: String,
    /// Always `Bearer`.
    token_type: &'static str,
    /// Seconds until the access token expires.
    expires_in: i64,
    /// The server's clock, Unix milliseconds.
    #[schema(value_type = i64)]
    server_time: Timestamp,
}

#[derive(Serialize, ToSchema)]
pub struct SessionAnswer {
    #[schema(value_type = String, example = "ses_0199c0a41c3b7d0ea1f0b2c3d4e5f607")]
    id: SessionId,
    /// Whether "remember me" was ticked.
    remembered: bool,
    /// When the sign-in was, Unix milliseconds.
    #[schema(value_type = i64)]
    created_at: Timestamp,
    /// When the session ends, Unix milliseconds: fixed at sign-in, idle or busy.
    #[schema(value_type = i64)]
    expires_at: Timestamp,
}

#[derive(Serialize, ToSchema)]
pub struct UserAnswer<'a> {
    #[schema(value_type = String, example = "usr_0199c0a41c3b7d0ea1f0b2c3d4e5f607")]
    id: UserId,
    #[schema(value_type = Option<String>)]
    account_id: Option<AccountId>,
    email: &'a str,
    name: &'a str,
    #[schema(schema_with = user_role)]
    role: Role,
    #[schema(value_type = i64)]
    created_at: Timestamp,
}

impl<'a> From<&'a Person> for UserAnswer<'a> {
    fn from(person: &'a Person) -> Self {
        Self {
            id: person.id,
            account_id: person.account_id,
            email: &person.email,
            name: &person.name,
            role: person.role,
            created_at: person.created_at,
        }
    }
}

/// Hands out a session: a fresh refresh token of its head generation in the cookie, a fresh access token in
/// the body.
async fn hand_out(
    app: &App,
    arrival: &Arrival,
    session: &Session,
    person: &Person,
) -> Result<Response, Problem> {
    arrival.note_user(person.id);
    arrival.note_session(session.id);
    let answer = SignedInAnswer {
        token: sign_access_token(app, arrival, session.id, session.expires_at, person).await?,
        session: SessionAnswer {
            id: session.id,
            remembered: session.remembered,
            created_at: session.created_at,
            expires_at: session.expires_at,
        },
        user: person.into(),
    };
    let mut response = Json(answer).into_response();
    response.headers_mut().append(header::SET_COOKIE, cookie(app, arrival, session));
    Ok(response)
}

/// The session's cookie, with a fresh refresh token of its head generation.
fn cookie(app: &App, arrival: &Arrival, session: &Session) -> HeaderValue {
    let claims = RefreshClaims {
        session_id: session.id,
        generation: session.rotation.head,
        expires_at: session.expires_at,
        nonce: app.draw(),
    };
    let token = refresh_token::mint(app.refresh_rules.keys.current(), &claims, &session.salt);
    app.cookies.set(session, &token, arrival.now)
}

/// What a sign-in is answered with besides the session's cookie.
pub(crate) enum Reply<'a> {
    /// For a script: an access token, and what goes with it.
    Token,
    /// For a form: the way to this address. The page there refreshes for a token of its own.
    SeeOther(&'a str),
}

impl Reply<'_> {
    pub(crate) async fn hand_out(
        &self,
        app: &App,
        arrival: &Arrival,
        session: &Session,
        person: &Person,
    ) -> Result<Response, Problem> {
        match self {
            Reply::Token => hand_out(app, arrival, session, person).await,
            Reply::SeeOther(address) => {
                arrival.note_user(person.id);
                arrival.note_session(session.id);
                let mut response = Redirect::to(address).into_response();
                response.headers_mut().append(header::SET_COOKIE, cookie(app, arrival, session));
                Ok(response)
            }
        }
    }
}

async fn sign_access_token(
    app: &App,
    arrival: &Arrival,
    session: SessionId,
    session_expires_at: Timestamp,
    person: &Person,
) -> Result<AccessToken, Problem> {
    let now = arrival.now;
    let (jitter, name) = split_draw(app.draw());
    let expires_at = access_token::expiry(now, app.settled.times.access_lifetime, jitter, session_expires_at);
    let (issuer, audience) = app.token_names();
    let claims = AccessClaims {
        iss: issuer.to_owned(),
        aud: audience.to_owned(),
        sub: person.id,
        sid: session,
        ver: person.token_version,
        role: person.role,
        iat: now.as_secs(),
        exp: expires_at.as_secs(),
        jti: URL_SAFE_NO_PAD.encode(name),
    };
    let keys = app.keys.current().await?;
    let access_token = keys
        .sign(&claims, now)
        .ok_or_else(|| Problem::new(Code::SigningUnavailable, "No signing key is active just now."))?;
    Ok(AccessToken {
        access_token,
        token_type: "Bearer",
        expires_in: claims.exp - claims.iat,
        server_time: now,
    })
}

/// One draw for the two random things in an access token: its jitter and its name.
fn split_draw(drawn: [u8; 14]) -> (u16, [u8; 12]) {
    let [high, low, name @ ..] = drawn;
    (u16::from_be_bytes([high, low]), name)
}

/// What every sign-in may carry besides credentials.
#[derive(Default, Deserialize, ToSchema)]
pub(crate) struct SignInOptions {
    /// Stay signed in for the remembered lifetime (20 days), idle or busy.
    #[serde(default)]
    pub(crate) remember_me: bool,
    /// A random label of this browser profile. Signing in again with it ends the profile's earlier session,
    /// unless that is only moments old; it is no credential.
    #[serde(default)]
    pub(crate) device_id: Option<String>,
}

impl SignInOptions {
    fn session(&self, app: &App, arrival: &Arrival) -> NewSession {
        let device_id = self.device_id.as_deref().map(|id| clip(id, DEVICE_ID_CHARS_MAX));
        NewSession {
            remembered: self.remember_me,
            expires_at: arrival.now + app.settled.times.session_lifetime(self.remember_me),
            device: Device {
                id: device_id.filter(|id| !id.is_empty()),
                user_agent: arrival.user_agent.clone(),
                address: Some(arrival.address.to_string()),
            },
            replaces_before: arrival.now - app.settled.times.settle,
        }
    }
}

/// Counts ends that were written just now, and notes them for the log.
pub(crate) fn count_ends(app: &App, arrival: &Arrival, ended: &[Ended]) {
    let newly: Vec<Ended> = ended.iter().filter(|ended| ended.newly).cloned().collect();
    for Ended { end, .. } in &newly {
        let reason = crate::metrics::Reason { reason: end.reason.as_str() };
        app.metrics.ends.get_or_create(&reason).inc();
    }
    if !newly.is_empty() {
        arrival.note_ended(newly);
    }
}

/// Deletes the cookies of sessions that have ended.
fn delete_cookies(app: &App, response: &mut Response, ended: impl IntoIterator<Item = SessionId>) {
    for session in ended {
        response.headers_mut().append(header::SET_COOKIE, app.cookies.delete(session));
    }
}

/// 204 for what has no more to say.
pub(super) fn no_content() -> Response {
    empty(StatusCode::NO_CONTENT)
}

pub fn empty(status: StatusCode) -> Response {
    let mut response = status.into_response();
    response.headers_mut().remove(header::CONTENT_TYPE);
    response
}

/// The header by which a client says, in server time, when it sent a refresh.
fn sent_at(headers: &http::HeaderMap) -> Result<Option<Timestamp>, Problem> {
    let Some(value) = headers.get("tenure-sent-at").map(HeaderValue::to_str) else { return Ok(None) };
    let ms = value.ok().and_then(|text| text.parse().ok());
    let malformed =
        || Problem::new(Code::MalformedRequest, "Tenure-Sent-At is Unix milliseconds, as in 1795197480000.");
    ms.map(|ms| Some(Timestamp::from_ms(ms))).ok_or_else(malformed)
}
