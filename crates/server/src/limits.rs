//! Rate limits of this process. They answer 429 and never end anything.

use std::sync::Arc;
use std::time::Duration;

use governor::clock::{Clock as GovernorClock, Reference};
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::keyed::DashMapStateStore;
use governor::{Quota, RateLimiter};
use tenure_domain::id::SessionId;

use crate::app::Clock;
use crate::config;

/// The App's clock in the form that the limiter counts in, so that virtual time moves limits too.
#[derive(Clone)]
pub struct LimitClock(Arc<dyn Clock>);

impl GovernorClock for LimitClock {
    type Instant = Nanos;

    fn now(&self) -> Nanos {
        let ms = u64::try_from(self.0.now().as_ms()).unwrap_or(0);
        Nanos::from(Duration::from_millis(ms))
    }
}

type Keyed<K> = RateLimiter<K, DashMapStateStore<K>, LimitClock, NoOpMiddleware<Nanos>>;

/// Over the limit; try again after this long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limited {
    pub retry_after: Duration,
}

pub struct Limits {
    clock: LimitClock,
    accounts: Keyed<u64>,
    addresses: Keyed<u64>,
    sessions: Keyed<SessionId>,
}

impl Limits {
    pub fn new(config: &config::Limits, clock: Arc<dyn Clock>) -> Self {
        let clock = LimitClock(clock);
        let quota =
            |per_minute: u32| Quota::per_minute(per_minute.try_into().unwrap_or(std::num::NonZeroU32::MIN));
        Self {
            accounts: RateLimiter::new(
                quota(config.sign_in_per_account_per_minute),
                DashMapStateStore::default(),
                clock.clone(),
            ),
            addresses: RateLimiter::new(
                quota(config.sign_in_per_address_per_minute),
                DashMapStateStore::default(),
                clock.clone(),
            ),
            sessions: RateLimiter::new(
                quota(config.refresh_per_session_per_minute),
                DashMapStateStore::default(),
                clock.clone(),
            ),
            clock,
        }
    }

    /// One attempt to sign in to an account, by whomever. `account` is a pseudonym.
    pub fn sign_in_account(&self, account: u64) -> Result<(), Limited> {
        self.judge(&self.accounts, &account)
    }

    /// One attempt to sign in or register from an address. `address` is a pseudonym.
    pub fn sign_in_address(&self, address: u64) -> Result<(), Limited> {
        self.judge(&self.addresses, &address)
    }

    /// One refresh of a session: generous, and of no other session.
    pub fn refresh(&self, session: SessionId) -> Result<(), Limited> {
        self.judge(&self.sessions, &session)
    }

    fn judge<K: std::hash::Hash + Eq + Clone>(&self, limiter: &Keyed<K>, key: &K) -> Result<(), Limited> {
        limiter.check_key(key).map_err(|refused| {
            let wait = refused.earliest_possible().duration_since(self.clock.now());
            Limited { retry_after: wait.into() }
        })
    }

    /// Forgets keys whose buckets are full again.
    pub fn tidy(&self) {
        self.accounts.retain_recent();
        self.addresses.retain_recent();
        self.sessions.retain_recent();
    }
}
