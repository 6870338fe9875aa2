//! API keys, as `X-API-Key` or as the bearer token.

use std::sync::Arc;

use http::HeaderMap;
use tenure_domain::api_key::{self, KeyVerdict, PresentedKey};
use tenure_domain::problem::Code;
use tenure_store::{KEY_USE_NOTED_EVERY, KeyHolder};

use super::authorization::{Authorization, authorization};
use crate::App;
use crate::http::arrival::Arrival;
use crate::http::problem::Problem;

/// The API key of a request, if it shows one.
pub fn shown(headers: &HeaderMap) -> Result<Option<PresentedKey>, Problem> {
    let mut own = headers.get_all("x-api-key").iter();
    let text = match (own.next(), own.next()) {
        (None, _) => match authorization(headers)? {
            Some(Authorization::Bearer(token)) if api_key::looks_like(token) => Some(token),
            _ => None,
        },
        (Some(value), None) => Some(value.to_str().map_err(|_| no_key())?),
        (Some(_), Some(_)) => return Err(no_key()),
    };
    text.map(|text| PresentedKey::read(text).map_err(|_| no_key())).transpose()
}

/// Holds a key against its row, and notes now and then that it is in use.
pub async fn stand(shown: PresentedKey, app: &Arc<App>, arrival: &Arrival) -> Result<KeyHolder, Problem> {
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
