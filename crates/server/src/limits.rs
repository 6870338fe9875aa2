//! Rate limits. They answer 429 and never end anything.
//!
//! Each node counts everything for itself. Where nodes share a Redis, what is counted of people and addresses is
//! counted there too, and refused if either refuses: with Redis gone or emptied, a limit is as wide as there are
//! nodes, but never away. Refreshes are this node's alone, so that none of them ever waits for Redis
//! (docs/decisions/0012-limits-that-nodes-share.md).

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use governor::clock::{Clock as GovernorClock, Reference};
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::keyed::DashMapStateStore;
use governor::{Quota, RateLimiter};
use tenure_domain::id::SessionId;
use tenure_store::ephemeral::{Counted, Redis, Tally};

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

/// The span that quotas are given for.
const MINUTE: Duration = Duration::from_secs(60);

/// A limit on people or addresses, by pseudonyms: this node's count, and what it is called where nodes share one.
struct Shareable {
    kind: &'static str,
    per_minute: u32,
    here: Keyed<u64>,
}

pub struct Limits {
    clock: LimitClock,
    accounts: Shareable,
    addresses: Shareable,
    sessions: Keyed<SessionId>,
    reporters: Shareable,
    shared: Option<Redis>,
}

impl Limits {
    /// Limits of this node, and of all nodes that have the same `shared`.
    pub fn new(config: &config::Limits, clock: Arc<dyn Clock>, shared: Option<Redis>) -> Self {
        let clock = LimitClock::new(clock);
        let shareable = |kind, per_minute| Shareable { kind, per_minute, here: keyed(per_minute, &clock) };
        Self {
            accounts: shareable("account", config.sign_in_per_account_per_minute),
            addresses: shareable("address", config.sign_in_per_address_per_minute),
            sessions: keyed(config.refresh_per_session_per_minute, &clock),
            reporters: shareable("reporter", config.client_report_per_address_per_minute),
            clock,
            shared,
        }
    }

    /// One attempt to sign in or register from an address, and to an account if it is to one. Both are
    /// pseudonyms.
    pub async fn sign_in(&self, address: u64, account: Option<u64>) -> Result<(), Limited> {
        let address = (&self.addresses, address);
        match account {
            Some(account) => self.judge_everywhere(&[address, (&self.accounts, account)]).await,
            None => self.judge_everywhere(&[address]).await,
        }
    }

    /// One refresh of a session: generous, and of no other session.
    pub fn refresh(&self, session: SessionId) -> Result<(), Limited> {
        self.judge(&self.sessions, &session)
    }

    /// One report of a sign-out from an address. `address` is a pseudonym.
    pub async fn client_report(&self, address: u64) -> Result<(), Limited> {
        self.judge_everywhere(&[(&self.reporters, address)]).await
    }

    /// Here first, so that what is refused here costs no exchange with Redis; and there in one exchange for all.
    async fn judge_everywhere(&self, counts: &[(&Shareable, u64)]) -> Result<(), Limited> {
        for (limit, subject) in counts {
            self.judge(&limit.here, subject)?;
        }
        let Some(shared) = &self.shared else { return Ok(()) };
        let tally = |(limit, subject): &(&Shareable, u64)| Tally {
            kind: limit.kind,
            subject: *subject,
            most: limit.per_minute,
        };
        let tallies: Vec<_> = counts.iter().map(tally).collect();
        match shared.count(&tallies, MINUTE).await {
            Some(Counted::Beyond { resets_in }) => Err(Limited { retry_after: resets_in }),
            Some(Counted::Within) | None => Ok(()),
        }
    }

    fn judge<K: std::hash::Hash + Eq + Clone>(&self, limiter: &Keyed<K>, key: &K) -> Result<(), Limited> {
        limiter.check_key(key).map_err(|refused| {
            let wait = refused.earliest_possible().duration_since(self.clock.now());
            Limited { retry_after: wait.into() }
        })
    }

    /// Forgets keys whose buckets are full again.
    pub fn tidy(&self) {
        self.accounts.here.retain_recent();
        self.addresses.here.retain_recent();
        self.sessions.retain_recent();
        self.reporters.here.retain_recent();
    }
}

fn keyed<K: std::hash::Hash + Eq + Clone>(per_minute: u32, clock: &LimitClock) -> Keyed<K> {
    let quota = Quota::per_minute(per_minute.try_into().unwrap_or(std::num::NonZeroU32::MIN));
    RateLimiter::new(quota, DashMapStateStore::default(), clock.clone())
}
