//! Who is calling, as a handler's parameter: forgetting to ask is impossible, and a public route says so.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use http::request::Parts;
use http::{HeaderMap, header};
use tenure_domain::access_token::{AccessClaims, AccessTokenError};
use tenure_domain::problem::Code;
use tenure_domain::session;
use tenure_store::{Caller, Membership, Person};

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
        let Caller { person, membership, .. } = stand(&claims, app, &arrival).await?;
        Ok(Self { claims, person, membership })
    }
}

/// The strict check against the store's present state.
async fn stand(claims: &AccessClaims, app: &App, arrival: &Arrival) -> Result<Caller, Problem> {
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
