//! The issuer's public keys, kept for as long as it says, and longer while it is away.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::header::CACHE_CONTROL;
use http::{HeaderMap, StatusCode, Uri};
use tenure_domain::access_token::PublicKeySet;
use tenure_domain::time::Timestamp;

use crate::answer::Refusal;
use crate::http_client::Client;

/// Between two fetches while there are keys, whatever kid somebody makes up.
const PAUSE: Duration = Duration::from_secs(10);

/// Between two fetches while there are none, and nobody can be let in.
const PAUSE_WITHOUT_KEYS: Duration = Duration::from_secs(1);

/// How long keys are good that do not say it, and at most.
const MAX_AGE: Duration = Duration::from_secs(300);
const MAX_AGE_MAX: Duration = Duration::from_secs(86_400);

pub struct Keys {
    client: Client,
    uri: Uri,
    state: Mutex<State>,
    /// Held by whoever fetches: everybody else waits for what they bring.
    turn: tokio::sync::Mutex<()>,
}

#[derive(Clone, Default)]
struct State {
    held: Option<Held>,
    tried: Option<Tried>,
}

#[derive(Clone)]
struct Held {
    set: Arc<PublicKeySet>,
    since: Timestamp,
    max_age: Duration,
}

#[derive(Clone, Copy)]
struct Tried {
    at: Timestamp,
    has_failed: bool,
}

impl Keys {
    pub fn new(client: Client, uri: Uri) -> Self {
        Self { client, uri, state: Mutex::default(), turn: tokio::sync::Mutex::default() }
    }

    /// The keys to hold this token against, fetched if they are missing, too old, or without the token's.
    pub async fn for_token(
        self: &Arc<Self>,
        token: &str,
        now: Timestamp,
    ) -> Result<Arc<PublicKeySet>, Refusal> {
        if self.state().wants_keys_for(token, now) {
            let keys = Arc::clone(self);
            // In a task of its own: whoever asked may hang up, and those who wait want the keys all the same.
            let fetching = tokio::spawn(async move { keys.renew(now).await });
            fetching.await.map_err(Refusal::unknown)?;
        }
        let State { held, tried } = self.state().clone();
        let Some(held) = held else { return Err(Refusal::unknown("there are no keys of the issuer's")) };
        // Without the issuer's word nobody knows that a key does not exist.
        if tried.is_some_and(|tried| tried.has_failed) && held.set.misses_key_of(token) {
            return Err(Refusal::unknown("a key is not known, and the issuer is away"));
        }
        Ok(held.set)
    }

    async fn renew(&self, now: Timestamp) {
        let _turn = self.turn.lock().await;
        // Whoever had the turn before may have done it.
        if !self.state().may_fetch(now) {
            return;
        }
        let fetched = self.fetch(now).await;
        let mut state = self.state();
        state.tried = Some(Tried { at: now, has_failed: fetched.is_err() });
        match fetched {
            Ok(held) => state.held = Some(held),
            Err(cause) => tracing::warn!(%cause, "the issuer's keys were not fetched"),
        }
    }

    async fn fetch(&self, now: Timestamp) -> Result<Held, String> {
        let answer = self.client.get(&self.uri, HeaderMap::new()).await.map_err(|error| error.to_string())?;
        if answer.status() != StatusCode::OK {
            return Err(format!("{} instead of keys", answer.status()));
        }
        let set = PublicKeySet::from_jwks(answer.body()).map_err(|error| error.to_string())?;
        Ok(Held { set: Arc::new(set), since: now, max_age: max_age(answer.headers()) })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn wants_keys_for(&self, token: &str, now: Timestamp) -> bool {
        let wants = match &self.held {
            None => true,
            Some(held) => !is_within(held.since, held.max_age, now) || held.set.misses_key_of(token),
        };
        wants && self.may_fetch(now)
    }

    fn may_fetch(&self, now: Timestamp) -> bool {
        let pause = if self.held.is_some() { PAUSE } else { PAUSE_WITHOUT_KEYS };
        !self.tried.is_some_and(|tried| is_within(tried.at, pause, now))
    }
}

/// Whether the two are less than `span` apart. Callers read the clock before they have their turn, so that a later one
/// may be a little earlier; a clock that was set back further has shown that nothing is known of it.
fn is_within(from: Timestamp, span: Duration, now: Timestamp) -> bool {
    now.since(from).max(from.since(now)) < span
}

fn max_age(headers: &HeaderMap) -> Duration {
    let text = headers.get(CACHE_CONTROL).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let told = text.split(',').find_map(|word| word.trim().strip_prefix("max-age=")?.parse().ok());
    told.map_or(MAX_AGE, Duration::from_secs).min(MAX_AGE_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_kept_for_as_long_as_they_say() {
        let of = |text: &str| {
            max_age(&HeaderMap::from_iter([(CACHE_CONTROL, http::HeaderValue::from_str(text).unwrap())]))
        };
        assert_eq!(of("public, max-age=60"), Duration::from_secs(60));
        assert_eq!(of("max-age=99999999"), MAX_AGE_MAX);
        for odd in ["", "max-age=", "max-age=-1", "public"] {
            assert_eq!(of(odd), MAX_AGE, "{odd}");
        }
    }

    #[test]
    fn a_clock_that_was_set_back_makes_nothing_fresh_for_ever() {
        let at = Timestamp::from_ms;
        assert!(is_within(at(1_000), PAUSE, at(10_999)));
        assert!(!is_within(at(1_000), PAUSE, at(11_000)));
        assert!(is_within(at(1_000), PAUSE, at(999)));
        assert!(!is_within(at(11_000), PAUSE, at(1_000)));
    }
}
