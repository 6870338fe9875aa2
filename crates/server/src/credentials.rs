//! E-mail and password, wherever they are typed: counted first, and checked at the same cost whomever they name.

use tenure_domain::email::Email;
use tenure_domain::event::{EventKind, Occurrence};
use tenure_domain::password::Password;
use tenure_domain::problem::{Class, Code};
use tenure_domain::secret::SecretText;
use tenure_store::User;

use crate::App;
use crate::http::arrival::Arrival;
use crate::http::problem::Problem;
use crate::metrics::SignIn;

/// Counts an attempt before any work is done for it. Nobody is let off: what somebody is they have yet to show.
pub async fn count_attempt(app: &App, arrival: &Arrival, email_key: Option<&str>) -> Result<(), Problem> {
    let address = app.pseudonyms.of(&arrival.network().to_string());
    let account = email_key.map(|key| app.pseudonyms.of(key));
    Ok(app.limits.sign_in(address, account, &arrival.standings).await?)
}

/// Counts an attempt to an account, where [`count_attempt`] has counted its address alone.
pub async fn count_of_account(app: &App, arrival: &Arrival, key: &str) -> Result<(), Problem> {
    Ok(app.limits.sign_in_account(app.pseudonyms.of(key), &arrival.standings).await?)
}

/// Counts in the metrics how an attempt ended, and puts one that failed on record. One that succeeded is written down
/// with the session that it began.
pub fn note_attempt<T>(app: &App, arrival: &Arrival, method: &'static str, result: &Result<T, Problem>) {
    let code = result.as_ref().err().map(|problem| problem.code);
    let outcome = code.map_or("ok", Code::as_str);
    app.metrics.sign_ins.get_or_create(&SignIn { method, outcome }).inc();
    let kind = match code {
        None => return,
        Some(Code::RateLimited) => EventKind::SignInThrottled,
        // That it could not be tried says nothing about who tried.
        Some(code) if code.class() == Class::Transport => return,
        Some(_) => EventKind::SignInFailed,
    };
    app.note(Occurrence {
        user: arrival.user().or(arrival.target()),
        subject: Some(method.to_owned()),
        whence: arrival.whence(),
        cause: Some(outcome.to_owned()),
        ..Occurrence::new(kind, arrival.now)
    });
}

/// The user whose password this is, and who may sign in, for what makes no session of theirs.
pub async fn identify(
    app: &App,
    arrival: &Arrival,
    email: &str,
    password: &SecretText,
) -> Result<User, Problem> {
    let email = Email::parse(email).ok();
    count_attempt(app, arrival, email.as_ref().map(Email::key)).await?;
    let user = verify(app, arrival, email.as_ref(), password).await?;
    if user.disabled_at.is_some() { Err(disabled()) } else { Ok(user) }
}

/// The user whose password this is, disabled or not.
pub async fn verify(
    app: &App,
    arrival: &Arrival,
    email: Option<&Email>,
    password: &SecretText,
) -> Result<User, Problem> {
    let user = match email {
        Some(email) => app.store.user_find_by_email(email.key()).await?,
        None => None,
    };
    if let Some(user) = &user {
        arrival.note_target(user.id);
    }
    let stored = user.as_ref().and_then(|user| user.password_hash.clone());
    let claimed = Password::claimed(password).ok_or_else(wrong)?;
    let verified = app.hasher.verify(claimed, stored.clone()).await?;
    let verified = verified.map_err(|error| {
        Problem::new(Code::InternalError, "This account's password cannot be checked.").with_cause(error)
    })?;
    let Some(user) = user.filter(|_| verified.matches) else { return Err(wrong()) };
    if let (Some(old), Some(new)) = (stored, verified.rehashed) {
        app.store.user_rehash(user.id, old, new).await?;
    }
    Ok(user)
}

pub fn wrong() -> Problem {
    Problem::new(Code::InvalidCredentials, "E-mail or password is wrong.")
}

/// Said only to somebody who knows the password.
pub fn disabled() -> Problem {
    Problem::new(Code::PermissionDenied, "This account has been disabled.")
}
