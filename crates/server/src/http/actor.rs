//! Who is calling, as a handler's parameter: forgetting to ask is impossible, and a public route says so.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use http::request::Parts;
use http::{HeaderMap, header};
use tenure_domain::access_token::{AccessClaims, AccessTokenError};
use tenure_domain::api_key::{self, KeyVerdict, PresentedKey};
use tenure_domain::entitlement::Authority;
use tenure_domain::problem::Code;
use tenure_domain::session;
use tenure_store::{KEY_USE_NOTED_EVERY, KeyHolder, Membership, Person};

use crate::App;
use crate::http::arrival::{Arrival, At};
use crate::http::problem::Problem;

/// Anybody, signed in or not.
pub struct Anyone;

/// The bearer of an access token that stands: signature, type, time, `token_version` and session were checked
/// against the store's present state, for this request.
pub struct SignedIn {
    pub claims: Arc<AccessClaims>,
    pub person: Arc<Person>,
    pub membership: Membership,
}

/// Whoever shows a credential that stands. They are looked for in this order: an API key (`X-API-Key`, or as the
/// bearer token), an access token.
pub enum Caller {
    Person(SignedIn),
    Key(KeyHolder),
}

impl Caller {
    pub fn membership(&self) -> &Membership {
        match self {
            Caller::Person(SignedIn { membership, .. }) | Caller::Key(KeyHolder { membership, .. }) => {
                membership
            }
        }
    }

    pub fn authority(&self) -> Authority<'_> {
        match self {
            Caller::Person(SignedIn { person, .. }) => Authority::Person(person.role),
            Caller::Key(KeyHolder { key, .. }) => Authority::Key(&key.scopes),
        }
    }

    /// For the log.
    pub fn id(&self) -> &dyn std::fmt::Display {
        match self {
            Caller::Person(SignedIn { person, .. }) => &person.id,
            Caller::Key(KeyHolder { key, .. }) => &key.id,
        }
    }
}

/// The bearer of an access token that is authentic, whether or not it has expired or been revoked. Good for
/// signing out and for nothing else (protocol.md section 7).
pub struct Departing {
    pub claims: Arc<AccessClaims>,
    expired: bool,
}

impl Departing {
    /// Demands after all that the token stands, for what concerns more than its own session.
    pub async fn stand(&self, app: &App, arrival: &Arrival) -> Result<(), Problem> {
        if self.expired {
            return Err(expired());
        }
        stand(&self.claims, app, arrival).await.map(|_| ())
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Anyone {
    type Rejection = Problem;

    async fn from_request_parts(_: &mut Parts, _: &S) -> Result<Self, Problem> {
        Ok(Self)
    }
}

impl FromRequestParts<Arc<App>> for SignedIn {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Problem> {
        let At(arrival) = At::from_request_parts(parts, app).await?;
        let claims = match read_token(&parts.headers, app, &arrival).await? {
            Ok(claims) => claims,
            Err(error) => return Err(refusal(&error)),
        };
        let tenure_store::Caller { person, membership, .. } = stand(&claims, app, &arrival).await?;
        Ok(Self { claims, person, membership })
    }
}

impl FromRequestParts<Arc<App>> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Problem> {
        match shown_key(&parts.headers)? {
            Some(key) => {
                let At(arrival) = At::from_request_parts(parts, app).await?;
                stand_key(key, app, &arrival).await.map(Self::Key)
            }
            None => SignedIn::from_request_parts(parts, app).await.map(Self::Person),
        }
    }
}

/// The API key of a request, if it shows one.
fn shown_key(headers: &HeaderMap) -> Result<Option<PresentedKey>, Problem> {
    let mut own = headers.get_all("x-api-key").iter();
    let text = match (own.next(), own.next()) {
        (None, _) => bearer(headers)?.filter(|token| api_key::looks_like(token)),
        (Some(value), None) => Some(value.to_str().map_err(|_| no_key())?),
        (Some(_), Some(_)) => return Err(no_key()),
    };
    text.map(|text| PresentedKey::read(text).map_err(|_| no_key())).transpose()
}

/// Holds a key against its row, and notes now and then that it is in use.
async fn stand_key(shown: PresentedKey, app: &Arc<App>, arrival: &Arrival) -> Result<KeyHolder, Problem> {
    let holder = app.store.api_key_find(shown.id).await?.ok_or_else(no_key)?;
    let refused = |code, detail| Err(Problem::new(code, detail));
    match shown.judge(&holder.key.state, arrival.now) {
        KeyVerdict::NotAuthentic => return Err(no_key()),
        KeyVerdict::Revoked => return refused(Code::AccessTokenRevoked, "The API key was revoked."),
        KeyVerdict::Expired => return refused(Code::AccessTokenExpired, "The API key has expired."),
        KeyVerdict::Stands => {}
    }
    let noted = holder.key.last_used_at;
    if noted.is_none_or(|at| at < arrival.now - KEY_USE_NOTED_EVERY) {
        let (app, id, now) = (Arc::clone(app), holder.key.id, arrival.now);
        // Nobody waits for it, and it may be lost.
        tokio::spawn(async move { drop(app.store.api_key_used(id, now).await) });
    }
    Ok(holder)
}

fn no_key() -> Problem {
    Problem::new(Code::AccessTokenInvalid, "The API key is not one of ours.")
}

/// The strict check against the store's present state.
async fn stand(claims: &AccessClaims, app: &App, arrival: &Arrival) -> Result<tenure_store::Caller, Problem> {
    let caller = app.store.caller(claims.sid).await?;
    match caller {
        Some(caller) if session::admit(claims, &caller.standing, arrival.now).is_ok() => Ok(caller),
        _ => {
            Err(Problem::new(Code::AccessTokenRevoked, "The access token's session does not stand any more."))
        }
    }
}

impl FromRequestParts<Arc<App>> for Departing {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Problem> {
        let At(arrival) = At::from_request_parts(parts, app).await?;
        match read_token(&parts.headers, app, &arrival).await? {
            Ok(claims) => Ok(Self { claims, expired: false }),
            Err(AccessTokenError::Expired(claims)) => Ok(Self { claims: Arc::new(claims), expired: true }),
            Err(error) => Err(refusal(&error)),
        }
    }
}

/// The claims of an authentic access token, expired and revoked ones too, if the request carries one: for what
/// anybody may do, and is then filed under their name. Not being sure of it is as good as having none.
pub async fn bearer_claims(headers: &HeaderMap, app: &App, arrival: &Arrival) -> Option<Arc<AccessClaims>> {
    let claims = match read_token(headers, app, arrival).await {
        Ok(Ok(claims)) => claims,
        Ok(Err(AccessTokenError::Expired(claims))) => Arc::new(claims),
        Ok(Err(_)) | Err(_) => return None,
    };
    arrival.note_user(claims.sub);
    arrival.note_session(claims.sid);
    Some(claims)
}

/// Reads and verifies the bearer token, and notes whose it is.
async fn read_token(
    headers: &HeaderMap,
    app: &App,
    arrival: &Arrival,
) -> Result<Result<Arc<AccessClaims>, AccessTokenError>, Problem> {
    let Some(token) = bearer(headers)? else {
        return Err(Problem::new(Code::AccessTokenMissing, "Send `Authorization: Bearer <access token>`."));
    };
    if api_key::looks_like(token) {
        return Ok(Err(AccessTokenError::WrongType));
    }
    let (issuer, audience) = app.token_names();
    let verified = app.keys.verify(token, issuer, audience, arrival.now).await?;
    if let Ok(claims) = &verified {
        arrival.note_user(claims.sub);
        arrival.note_session(claims.sid);
    }
    Ok(verified)
}

/// The token of the one `Authorization` header (RFC 6750 section 2.1; the scheme's case is free).
fn bearer(headers: &HeaderMap) -> Result<Option<&str>, Problem> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let Some(value) = values.next() else { return Ok(None) };
    let invalid = || refusal(&AccessTokenError::Invalid);
    if values.next().is_some() {
        return Err(invalid());
    }
    let text = value.to_str().map_err(|_| invalid())?;
    match text.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") && !token.is_empty() => {
            Ok(Some(token.trim_start_matches(' ')))
        }
        _ => Err(invalid()),
    }
}

fn refusal(error: &AccessTokenError) -> Problem {
    match error {
        AccessTokenError::Invalid => {
            Problem::new(Code::AccessTokenInvalid, "The access token is not one of ours.")
        }
        AccessTokenError::WrongType => {
            Problem::new(Code::WrongTokenType, "That is another kind of token; send an access token.")
        }
        AccessTokenError::Expired(_) => expired(),
    }
}

fn expired() -> Problem {
    Problem::new(Code::AccessTokenExpired, "The access token has expired; refresh and try again.")
}
