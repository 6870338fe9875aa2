//! The issuer's public keys, kept for as long as it says, and a little longer while it is away.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::header::{AGE, CACHE_CONTROL};
use http::{HeaderMap, HeaderValue, StatusCode, Uri};
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

/// For which they are kept after that while no others can be had: one may have been retired because it was stolen.
const KEPT: Duration = Duration::from_secs(300);

pub struct Keys {
    client: Client,
    uri: Uri,
    state: Mutex<State>,
    /// Held by whoever fetches: everybody else waits for what they bring.
    turn: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct State {
    last: Option<Held>,
    tried_at: Option<Timestamp>,
    /// How many have begun, to tell which of them began after a token came.
    fetches: u64,
}

/// What the issuer said last.
#[derive(Clone)]
struct Held {
    set: Arc<PublicKeySet>,
    since: Timestamp,
    max_age: Duration,
    /// The number of the fetch that it came with.
    fetch: u64,
    /// Whether it was the issuer itself that said so, and no cache on the way.
    is_first_hand: bool,
}

/// What a token makes of the keys that are held.
struct Want {
    misses: bool,
    /// Whether keys are held that are good enough for whoever does not have the turn.
    can_go_on: bool,
}

impl Keys {
    pub fn new(client: Client, uri: Uri) -> Self {
        Self { client, uri, state: Mutex::default(), turn: tokio::sync::Mutex::default() }
    }

    /// The keys to hold this token against, fetched if they are missing, too old, or without the token's. Without its own
    /// only if the issuer, asked since it came, has none.
    pub async fn for_token(
        self: &Arc<Self>,
        token: &str,
        now: Timestamp,
    ) -> Result<Arc<PublicKeySet>, Refusal> {
        let (came, wanted) = {
            let state = self.state();
            (state.fetches, state.wanted_for(token, now))
        };
        if let Some(want) = wanted {
            let keys = Arc::clone(self);
            // In a task of its own: whoever asked may hang up, and those who wait want the keys all the same.
            let fetching = tokio::spawn(async move { keys.renew(want, now).await });
            fetching.await.map_err(Refusal::unknown)?;
        }
        let Some(held) = self.state().held(now).cloned() else {
            return Err(Refusal::unknown("there are no keys of the issuer's"));
        };
        // What was fetched before says nothing: the key may have been made since.
        let is_told = held.is_first_hand && held.fetch > came;
        if !is_told && held.set.misses_key_of(token) {
            tracing::debug!("a token's key is not known, and the issuer was not asked since");
            return Err(Refusal::not_known());
        }
        Ok(held.set)
    }

    async fn renew(&self, want: Want, now: Timestamp) {
        let _turn = match want.can_go_on {
            true => match self.turn.try_lock() {
                Ok(turn) => turn,
                Err(_) => return,
            },
            false => self.turn.lock().await,
        };
        let fetch = {
            let mut state = self.state();
            // Whoever had the turn before may have done it.
            if !state.may_fetch(now) {
                return;
            }
            state.fetches += 1;
            state.fetches
        };
        let fetched = self.fetch(fetch, want.misses, now).await;
        let mut state = self.state();
        state.tried_at = Some(now);
        match fetched {
            Ok(held) => state.last = Some(held),
            Err(cause) => tracing::warn!(%cause, "the issuer's keys were not fetched"),
        }
    }

    async fn fetch(&self, fetch: u64, misses: bool, now: Timestamp) -> Result<Held, String> {
        // A cache may hold what was true before the key was made.
        let past_caches = misses.then_some((CACHE_CONTROL, HeaderValue::from_static("no-cache")));
        let asking = HeaderMap::from_iter(past_caches);
        let answer = self.client.get(&self.uri, asking).await.map_err(|error| error.to_string())?;
        if answer.status() != StatusCode::OK {
            return Err(format!("{} instead of keys", answer.status()));
        }
        let set = PublicKeySet::from_jwks(answer.body()).map_err(|error| error.to_string())?;
        let headers = answer.headers();
        let is_first_hand = misses && is_of_now(headers);
        Ok(Held { set: Arc::new(set), since: now, max_age: max_age(headers), fetch, is_first_hand })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// What is still good enough to be held against tokens.
    fn held(&self, now: Timestamp) -> Option<&Held> {
        self.last.as_ref().filter(|held| is_within(held.since, held.max_age + KEPT, now))
    }

    /// None: the keys that are held will do, or nobody may ask for others yet.
    fn wanted_for(&self, token: &str, now: Timestamp) -> Option<Want> {
        let want = match self.held(now) {
            None => Want { misses: PublicKeySet::default().misses_key_of(token), can_go_on: false },
            Some(held) => {
                let misses = held.set.misses_key_of(token);
                if !misses && is_within(held.since, held.max_age, now) {
                    return None;
                }
                Want { misses, can_go_on: !misses }
            }
        };
        self.may_fetch(now).then_some(want)
    }

    fn may_fetch(&self, now: Timestamp) -> bool {
        let pause = if self.held(now).is_some() { PAUSE } else { PAUSE_WITHOUT_KEYS };
        !self.tried_at.is_some_and(|tried| is_within(tried, pause, now))
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

/// Whether no cache answered that passes over `no-cache`: it would say how old this is (RFC 9111 section 5.1).
fn is_of_now(headers: &HeaderMap) -> bool {
    headers.get(AGE).is_none_or(|age| age.as_bytes().trim_ascii() == b"0")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_cache_has_kept_is_not_the_issuers_word_of_now() {
        let of = |text: &str| is_of_now(&HeaderMap::from_iter([(AGE, HeaderValue::from_str(text).unwrap())]));
        assert!(is_of_now(&HeaderMap::new()) && of("0") && of(" 0"));
        assert!(!of("7") && !of("") && !of("soon"));
    }

    #[test]
    fn keys_are_kept_for_as_long_as_they_say() {
        let of = |text: &str| {
            max_age(&HeaderMap::from_iter([(CACHE_CONTROL, HeaderValue::from_str(text).unwrap())]))
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
