//! Access tokens, as the bearer token.

use std::sync::Arc;

use http::HeaderMap;
use tenure_domain::access_token::{AccessClaims, AccessTokenError};
use tenure_domain::api_key;
use tenure_domain::problem::Code;
use tenure_domain::session;

use super::authorization::{Authorization, authorization};
use crate::App;
use crate::http::arrival::Arrival;
use crate::http::problem::Problem;

/// The claims of an authentic access token, expired and revoked ones too, if the request carries one: for what
/// anybody may do, and is then filed under their name. Not being sure of it is as good as having none.
pub async fn bearer_claims(headers: &HeaderMap, app: &App, arrival: &Arrival) -> Option<Arc<AccessClaims>> {
    let claims = match read(headers, app, arrival).await {
        Ok(Ok(claims)) => claims,
        Ok(Err(AccessTokenError::Expired(claims))) => Arc::new(claims),
        Ok(Err(_)) | Err(_) => return None,
    };
    arrival.note_user(claims.sub);
    arrival.note_session(claims.sid);
    Some(claims)
}

/// Reads and verifies the bearer token, and notes whose it is.
pub async fn read(
    headers: &HeaderMap,
    app: &App,
    arrival: &Arrival,
) -> Result<Result<Arc<AccessClaims>, AccessTokenError>, Problem> {
    let token = match authorization(headers)? {
        None => return Err(missing()),
        Some(Authorization::Basic(_)) => return Ok(Err(AccessTokenError::Invalid)),
        Some(Authorization::Bearer(token)) => token,
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

/// The strict check against the store's present state.
pub async fn stand(
    claims: &AccessClaims,
    app: &App,
    arrival: &Arrival,
) -> Result<tenure_store::Caller, Problem> {
    let caller = app.store.caller(claims.sid).await?;
    match caller {
        Some(caller) if session::admit(claims, &caller.standing, arrival.now).is_ok() => Ok(caller),
        _ => {
            Err(Problem::new(Code::AccessTokenRevoked, "The access token's session does not stand any more."))
        }
    }
}

pub fn missing() -> Problem {
    Problem::new(Code::AccessTokenMissing, "Send `Authorization: Bearer <access token>`.")
}

pub fn refusal(error: &AccessTokenError) -> Problem {
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

pub fn expired() -> Problem {
    Problem::new(Code::AccessTokenExpired, "The access token has expired; refresh and try again.")
}
