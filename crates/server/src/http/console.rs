//! Sign-ins to the administrators' console: a cookie of its own, and a session on the server behind it.
//!
//! It opens the admin API and nothing else: its path keeps it from every other route, and of the actors only
//! [`Admin`](crate::http::actor::Admin) and [`AtConsole`] look at it. Nothing here touches a user's session.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use http::request::Parts;
use http::{HeaderMap, HeaderValue};
use serde::{Deserialize, Serialize};
use tenure_domain::console::{ConsoleRules, ConsoleToken};
use tenure_domain::problem::Code;
use tenure_domain::time::Timestamp;
use tenure_store::{ConsoleKey, ConsolePayload, ConsoleSession, Person, User};

use crate::App;
use crate::config::PublicUrl;
use crate::http::arrival::{Arrival, At};
use crate::http::cookie::{cookie_pairs, header_value};
use crate::http::problem::Problem;

/// What all cookies of this server's console have in common.
pub struct ConsoleCookie {
    name: &'static str,
    attributes: String,
}

impl ConsoleCookie {
    pub fn new(public_url: &PublicUrl) -> Self {
        let (name, secure) =
            if public_url.https { ("__Secure-tenure-console", "; Secure") } else { ("tenure-console", "") };
        let path = format!("{}/api/v1/admin", public_url.path);
        Self { name, attributes: format!("; Path={path}; HttpOnly{secure}; SameSite=Strict") }
    }

    /// Without Max-Age: it goes with the browser, and the server ends it before that.
    fn set(&self, token: &ConsoleToken) -> HeaderValue {
        header_value(format!("{}={}{}", self.name, token.to_text().expose(), self.attributes))
    }

    pub fn delete(&self) -> HeaderValue {
        header_value(format!("{}={}; Max-Age=0", self.name, self.attributes))
    }

    /// The console's cookie, if the request has one. Of two nobody can tell which is ours: a sibling domain may have
    /// planted one, and nobody is to act in the name of whoever did.
    fn read(&self, headers: &HeaderMap) -> Result<Option<ConsoleToken>, Problem> {
        let mut values = cookie_pairs(headers)
            .filter_map(|pair| pair.split_once('='))
            .filter_map(|(name, value)| (name == self.name).then_some(value));
        match (values.next(), values.next()) {
            (None, _) => Ok(None),
            (Some(value), None) => ConsoleToken::read(value).map(Some).ok_or_else(no_token),
            (Some(_), Some(_)) => Err(no_token()),
        }
    }
}

/// What is remembered of the person as they were when they signed in.
#[derive(Serialize, Deserialize)]
struct SignedInAs {
    token_version: u32,
    /// When they typed their password last; none before they did so again, in what an earlier version wrote.
    confirmed_at: Option<Timestamp>,
}

impl SignedInAs {
    fn payload(user: &User, confirmed_at: Timestamp) -> Result<ConsolePayload, Problem> {
        let signed_in_as = Self { token_version: user.token_version, confirmed_at: Some(confirmed_at) };
        let payload = serde_json::to_vec(&signed_in_as).unwrap_or_default();
        ConsolePayload::new(payload)
            .ok_or_else(|| Problem::new(Code::InternalError, "The console's session is too large."))
    }
}

/// Somebody who is signed in to the console, by its cookie.
pub struct AtConsole {
    pub user: User,
    pub created_at: Timestamp,
    /// When it is over if nothing more is done in it.
    pub expires_at: Timestamp,
    /// When they typed their password last.
    pub confirmed_at: Timestamp,
    key: ConsoleKey,
}

impl AtConsole {
    pub fn person(&self) -> Person {
        Person::from(&self.user)
    }

    /// Notes that they have just typed their password again.
    pub async fn confirm(self, app: &App, arrival: &Arrival) -> Result<Self, Problem> {
        let payload = SignedInAs::payload(&self.user, arrival.now)?;
        let expires_at = rules(app).expires_at(self.created_at, arrival.now);
        let renewed = app.consoles.console_session_renew(self.key, expires_at, Some(payload), arrival.now);
        match renewed.await? {
            true => Ok(Self { confirmed_at: arrival.now, expires_at, ..self }),
            false => Err(over()),
        }
    }

    /// Ends it. Ending what is over is no error.
    pub async fn end(&self, app: &App) -> Result<(), Problem> {
        Ok(app.consoles.console_session_delete(self.key).await?)
    }
}

/// Signs somebody in whose password was checked, and gives the cookie to set.
pub async fn begin(app: &App, arrival: &Arrival, user: User) -> Result<(AtConsole, HeaderValue), Problem> {
    let token = ConsoleToken::from_entropy(app.draw());
    let key = ConsoleKey(token.hash());
    let (created_at, expires_at) = (arrival.now, rules(app).expires_at(arrival.now, arrival.now));
    let payload = SignedInAs::payload(&user, created_at)?;
    let session = ConsoleSession { key, user_id: user.id, payload, created_at, expires_at };
    app.consoles.console_session_put(session).await?;
    Ok((
        AtConsole { user, created_at, expires_at, confirmed_at: created_at, key },
        app.console_cookie.set(&token),
    ))
}

/// Holds the console's cookie against its session, and its session against who the person is now; None without a
/// cookie. Its time goes on from here.
pub async fn stand(app: &App, arrival: &Arrival, headers: &HeaderMap) -> Result<Option<AtConsole>, Problem> {
    let Some(token) = app.console_cookie.read(headers)? else { return Ok(None) };
    app.origins.check_own(headers)?;
    let key = ConsoleKey(token.hash());
    let found = app.consoles.console_session_find(key, arrival.now).await?;
    // Its lifetime may have been made shorter since.
    let alive = found.filter(|session| arrival.now < rules(app).ends_at(session.created_at));
    let Some(session) = alive else { return Err(over()) };
    let ConsoleSession { user_id, payload, created_at, expires_at, .. } = session;
    let was: Option<SignedInAs> = serde_json::from_slice(payload.as_bytes()).ok();
    let user = app.store.user_find(user_id).await?.filter(|user| {
        user.disabled_at.is_none()
            && was.as_ref().is_some_and(|was| was.token_version == user.token_version)
            && app.settled.policy.opens_console(user.role)
    });
    let Some(user) = user else {
        // It does not come back when they do; if it cannot be deleted, it is refused again.
        drop(app.consoles.console_session_delete(key).await);
        return Err(Problem::new(Code::AccessTokenRevoked, "The console is not open to you any more."));
    };
    arrival.note_user(user.id);
    let expires_at = renew(app, arrival, key, created_at, expires_at).await;
    let confirmed_at = was.and_then(|was| was.confirmed_at).unwrap_or(created_at);
    Ok(Some(AtConsole { user, created_at, expires_at, confirmed_at, key }))
}

/// Moves the expiry, as far as it is worth writing. Should that fail, this request is served all the same.
async fn renew(
    app: &App,
    arrival: &Arrival,
    key: ConsoleKey,
    created_at: Timestamp,
    written: Timestamp,
) -> Timestamp {
    let Some(expires_at) = rules(app).renewed(created_at, written, arrival.now) else { return written };
    match app.consoles.console_session_renew(key, expires_at, None, arrival.now).await {
        Ok(_) => expires_at,
        Err(error) => {
            tracing::warn!(%error, "the expiry of a console's session was not moved");
            written
        }
    }
}

fn rules(app: &App) -> ConsoleRules {
    app.settled.config.console.rules()
}

fn no_token() -> Problem {
    Problem::new(Code::AccessTokenInvalid, "The console's cookie is not one of ours.")
}

fn over() -> Problem {
    Problem::new(Code::AccessTokenExpired, "You are not signed in to the console any more; sign in again.")
}

impl FromRequestParts<Arc<App>> for AtConsole {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Problem> {
        let At(arrival) = At::from_request_parts(parts, app).await?;
        let missing = || Problem::new(Code::AccessTokenMissing, "Sign in to the console.");
        let at_console = stand(app, &arrival, &parts.headers).await?.ok_or_else(missing)?;
        app.limits.admin(*at_console.user.id.as_bytes(), &arrival.standings)?;
        Ok(at_console)
    }
}
