//! Rate limits of this process. They answer 429 and never end anything.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use governor::clock::{Clock as GovernorClock, Reference};
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::keyed::DashMapStateStore;
use governor::{Quota, RateLimiter};
use tenure_domain::id::SessionId;

use crate::clock::Clock;
use crate::config;

/// The App's clock in the form that the limiter counts in, so that virtual time moves limits too. It never
/// goes back: after a step back of the system's clock, buckets filled in what had been the future would
/// refuse everybody until that future came.
#[derive(Clone)]
pub struct LimitClock {
    clock: Arc<dyn Clock>,
    turn: Arc<Turn>,
}

#[derive(Default)]
struct Turn {
    latest_ms: AtomicU64,
    /// How far the clock has stepped back, all steps together.
    stepped_ms: AtomicU64,
}

/// Less than this is not a step, but two threads that read the clock at the same time.
const STEP_MS: u64 = 1_000;

impl LimitClock {
    fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, turn: Arc::default() }
    }
}

impl GovernorClock for LimitClock {
    type Instant = Nanos;

    fn now(&self) -> Nanos {
        let clock_ms = u64::try_from(self.clock.now().as_ms()).unwrap_or(0);
        let ms = clock_ms.saturating_add(self.turn.stepped_ms.load(Ordering::Relaxed));
        let latest_ms = self.turn.latest_ms.fetch_max(ms, Ordering::Relaxed);
        let back_ms = latest_ms.saturating_sub(ms);
        if back_ms > STEP_MS {
            // Two threads may both add it; then time leaps ahead once, and buckets are full again.
            self.turn.stepped_ms.fetch_add(back_ms, Ordering::Relaxed);
        }
        Nanos::from(Duration::from_millis(ms.max(latest_ms)))
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
    reporters: Keyed<u64>,
}

impl Limits {
    pub fn new(config: &config::Limits, clock: Arc<dyn Clock>) -> Self {
        let clock = LimitClock::new(clock);
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
            reporters: RateLimiter::new(
                quota(config.client_report_per_address_per_minute),
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

    /// One report of a sign-out from an address. `address` is a pseudonym.
    pub fn client_report(&self, address: u64) -> Result<(), Limited> {
        self.judge(&self.reporters, &address)
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
        self.reporters.retain_recent();
    }
}
