//! HTTP Basic (RFC 7617) with e-mail and password, in development alone: to try something with one line.
//!
//! In production a browser or proxy would send the password with every request, and each would cost a hash.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tenure_domain::access_token::AccessTokenError;
use tenure_domain::secret::SecretText;
use tenure_store::User;

use super::access_token;
use crate::App;
use crate::credentials;
use crate::http::arrival::Arrival;
use crate::http::problem::Problem;

/// Whose e-mail and password these are, counted as the attempt to sign in that it is.
pub async fn stand(encoded: &str, app: &App, arrival: &Arrival) -> Result<User, Problem> {
    let invalid = || access_token::refusal(&AccessTokenError::Invalid);
    if !app.settled.development {
        return Err(invalid());
    }
    let (email, password) = read(encoded).ok_or_else(invalid)?;
    let result = credentials::identify(app, arrival, &email, &password).await;
    credentials::note_attempt(app, arrival, "basic", &result);
    result
}

fn read(encoded: &str) -> Option<(String, SecretText)> {
    let text = String::from_utf8(STANDARD.decode(encoded).ok()?).ok()?;
    let (email, password) = text.split_once(':')?;
    Some((email.to_owned(), SecretText::from_plain(password.to_owned())))
}
