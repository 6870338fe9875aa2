//! Believing what a token says, because of who signed it.

use std::sync::Arc;

use http::header::AUTHORIZATION;
use http::{HeaderMap, Uri};
use tenure_domain::access_token::{AccessClaims, AccessTokenError};
use tenure_domain::api_key;
use tenure_domain::problem::Code;
use tenure_domain::time::Timestamp;

use crate::answer::Refusal;
use crate::http_client::Client;
use crate::identity::Identity;
use crate::keys::Keys;
use crate::strict::API_KEY;

pub struct Stateless {
    keys: Arc<Keys>,
    issuer: String,
    audience: String,
}

impl Stateless {
    pub fn new(client: Client, keys: Uri, issuer: String, audience: String) -> Self {
        Self { keys: Arc::new(Keys::new(client, keys)), issuer, audience }
    }

    pub async fn admit(&self, request: &HeaderMap, now: Timestamp) -> Result<Identity, Refusal> {
        // What the issuer would find of a key cannot be told from here.
        let Shown::Token(token) = shown(request)? else { return Err(refusal(&AccessTokenError::WrongType)) };
        match self.verify(token, now).await? {
            Ok(claims) => Ok(Identity::of_claims(&claims)),
            Err(error) => Err(refusal(&error)),
        }
    }

    /// What the token says, if it is one of the issuer's; 503 where nobody knows.
    pub async fn verify(
        &self,
        token: &str,
        now: Timestamp,
    ) -> Result<Result<AccessClaims, AccessTokenError>, Refusal> {
        let set = self.keys.for_token(token, now).await?;
        Ok(set.verify(token, &self.issuer, &self.audience, now))
    }
}

/// A credential, of the kind that it looks like.
pub enum Shown<'a> {
    Token(&'a str),
    ApiKey,
}

/// What the issuer would look at: an API key, or the token of the one `Authorization` header (RFC 6750 section 2.1; the
/// scheme's case is free).
pub fn shown(headers: &HeaderMap) -> Result<Shown<'_>, Refusal> {
    if headers.contains_key(API_KEY) {
        return Ok(Shown::ApiKey);
    }
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let invalid = || refusal(&AccessTokenError::Invalid);
    let value = match (values.next(), values.next()) {
        (None, _) => {
            let detail = "Send `Authorization: Bearer <access token>`.";
            return Err(Refusal::Own { code: Code::AccessTokenMissing, detail });
        }
        (Some(value), None) => value.to_str().map_err(|_| invalid())?,
        (Some(_), Some(_)) => return Err(invalid()),
    };
    let (scheme, token) = value.split_once(' ').ok_or_else(invalid)?;
    let token = token.trim_start_matches(' ');
    match scheme.eq_ignore_ascii_case("bearer") && !token.is_empty() {
        true if api_key::looks_like(token) => Ok(Shown::ApiKey),
        true => Ok(Shown::Token(token)),
        false => Err(invalid()),
    }
}

/// Its session has ended, or everything of its user's was signed out.
pub fn revoked() -> Refusal {
    Refusal::Own {
        code: Code::AccessTokenRevoked,
        detail: "The access token's session does not stand any more.",
    }
}

pub fn refusal(error: &AccessTokenError) -> Refusal {
    let (code, detail) = match error {
        AccessTokenError::Invalid => {
            (Code::AccessTokenInvalid, "The access token is not one that is accepted here.")
        }
        AccessTokenError::WrongType => {
            (Code::WrongTokenType, "This service accepts access tokens and nothing else.")
        }
        AccessTokenError::Expired(_) => {
            (Code::AccessTokenExpired, "The access token has expired; refresh and try again.")
        }
    };
    Refusal::Own { code, detail }
}
