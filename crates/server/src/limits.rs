//! Rate limits. They answer 429 and never end anything.
//!
//! Each has a name, which its setting, its counters and the `RateLimit` fields of answers share. Who is let off is not
//! decided here: of these it is asked for `api` alone (`http::actor`), and nobody is let off any other.
//!
//! Each node counts everything for itself. Where nodes share a Redis, what is counted of people and addresses is
//! counted there too, and refused if either refuses: with Redis gone or emptied, a limit is as wide as there are
//! nodes, but never away. Refreshes are this node's alone, so that none of them ever waits for Redis
//! (docs/decisions/0012-limits-that-nodes-share.md).

use std::hash::Hash;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use governor::clock::{Clock as GovernorClock, Reference};
use governor::middleware::{NoOpMiddleware, StateInformationMiddleware};
use governor::nanos::Nanos;
use governor::state::keyed::DashMapStateStore;
use governor::state::{InMemoryState, NotKeyed};
use governor::{InsufficientCapacity, NotUntil, Quota, RateLimiter};
use tenure_domain::id::SessionId;
use tenure_domain::limit::OBSERVED_AT_ONCE_MAX;
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

type Keyed<K> = RateLimiter<K, DashMapStateStore<K>, LimitClock, StateInformationMiddleware>;

/// Over the limit; try again after this long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limited {
    pub retry_after: Duration,
}

/// The span that quotas are given for.
pub const WINDOW: Duration = Duration::from_secs(60);

/// Things that observed applications may tell this node of within [`WINDOW`], all of them together: from many addresses
/// they could fill the disk between two rounds of chores.
const OBSERVED_PER_MINUTE: NonZeroU32 = NonZeroU32::new(60_000).unwrap();

/// Things for each report that one address may tell of: a page that is loaded tells of one or two, a refresh is one, and a
/// sign-out comes with at most eight requests that failed before it.
const OBSERVED_PER_REPORT: u32 = 5;

/// How a limit stands for whoever was counted, by this node's count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    pub limit: &'static str,
    /// Within [`WINDOW`].
    pub quota: u32,
    pub remaining: u32,
    /// Until the whole quota is there again; of one that refused, until it lets the next through.
    pub resets_in: Duration,
}

/// The limits that one request was counted in, to be told in its answer.
#[derive(Default)]
pub struct Standings(Mutex<Vec<Standing>>);

impl Standings {
    /// Adds one, or puts it in the place of the same limit's earlier one.
    fn note(&self, standing: Standing) {
        let mut noted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        noted.retain(|known| known.limit != standing.limit);
        noted.push(standing);
    }

    pub fn tell<T>(&self, to: impl FnOnce(&[Standing]) -> T) -> T {
        to(&self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// One limit: what it is called, how often within a minute, and this node's counts by subject.
struct Limit<K: Hash + Eq + Clone> {
    name: &'static str,
    per_minute: u32,
    /// It is told where no more than this remains.
    told_from: u32,
    here: Keyed<K>,
}

impl<K: Hash + Eq + Clone> Limit<K> {
    fn new(name: &'static str, per_minute: u32, clock: &LimitClock) -> Self {
        let quota = Quota::per_minute(per_minute.try_into().unwrap_or(NonZeroU32::MIN));
        let here = RateLimiter::new(quota, DashMapStateStore::default(), clock.clone());
        Self { name, per_minute, told_from: per_minute, here }
    }

    /// Told only to whoever has used half of it: of requests without number, which hardly anybody sees come near it.
    fn told_from_half(self) -> Self {
        Self { told_from: self.per_minute / 2, ..self }
    }

    fn count(&self, subject: &K, clock: &LimitClock, told: &Standings) -> Result<(), Limited> {
        match self.here.check_key(subject) {
            Ok(state) => {
                let remaining = state.remaining_burst_capacity();
                if remaining <= self.told_from {
                    let used = self.per_minute.saturating_sub(remaining);
                    told.note(self.standing(remaining, WINDOW * used / self.per_minute.max(1)));
                }
                Ok(())
            }
            Err(refused) => {
                let wait = refused.earliest_possible().duration_since(clock.now()).into();
                Err(self.refuse(wait, told))
            }
        }
    }

    fn refuse(&self, wait: Duration, told: &Standings) -> Limited {
        told.note(self.standing(0, wait));
        Limited { retry_after: wait }
    }

    fn standing(&self, remaining: u32, resets_in: Duration) -> Standing {
        Standing { limit: self.name, quota: self.per_minute, remaining, resets_in }
    }
}

/// Who calls with a credential that stands: the bytes of their id.
pub type CallerId = [u8; 16];

pub struct Limits {
    is_on: bool,
    clock: LimitClock,
    /// People and addresses by pseudonyms, which nodes share.
    sign_in_account: Limit<u64>,
    sign_in_address: Limit<u64>,
    client_report: Limit<u64>,
    exchange: Limit<u64>,
    observations: Limit<u64>,
    observed_by: Keyed<u64>,
    observed: RateLimiter<NotKeyed, InMemoryState, LimitClock, NoOpMiddleware<Nanos>>,
    refresh: Limit<SessionId>,
    api: Limit<CallerId>,
    admin: Limit<CallerId>,
    shared: Option<Redis>,
}

impl Limits {
    /// Limits of this node, and of all nodes that have the same `shared`.
    pub fn new(config: &config::Limits, clock: Arc<dyn Clock>, shared: Option<Redis>) -> Self {
        let clock = LimitClock::new(clock);
        let observed_by = config.observations_per_address_per_minute.saturating_mul(OBSERVED_PER_REPORT);
        // Otherwise a whole report would never fit.
        let observed_by =
            NonZeroU32::new(observed_by.max(OBSERVED_AT_ONCE_MAX as u32)).unwrap_or(NonZeroU32::MAX);
        Self {
            is_on: config.enabled,
            sign_in_account: Limit::new("sign_in_account", config.sign_in_per_account_per_minute, &clock),
            sign_in_address: Limit::new("sign_in_address", config.sign_in_per_address_per_minute, &clock),
            client_report: Limit::new("client_report", config.client_report_per_address_per_minute, &clock),
            exchange: Limit::new("exchange", config.exchange_per_address_per_minute, &clock),
            observations: Limit::new("observations", config.observations_per_address_per_minute, &clock),
            observed_by: RateLimiter::new(
                Quota::per_minute(observed_by),
                DashMapStateStore::default(),
                clock.clone(),
            ),
            observed: RateLimiter::direct_with_clock(Quota::per_minute(OBSERVED_PER_MINUTE), clock.clone()),
            refresh: Limit::new("refresh", config.refresh_per_session_per_minute, &clock).told_from_half(),
            api: Limit::new("api", config.api_per_caller_per_minute, &clock).told_from_half(),
            admin: Limit::new("admin", config.admin_per_caller_per_minute, &clock),
            clock,
            shared,
        }
    }

    /// One attempt to sign in or register from an address, and to an account if it is to one. Both are
    /// pseudonyms.
    pub async fn sign_in(&self, address: u64, account: Option<u64>, told: &Standings) -> Result<(), Limited> {
        let address = (&self.sign_in_address, address);
        match account {
            Some(account) => self.count_everywhere(&[address, (&self.sign_in_account, account)], told).await,
            None => self.count_everywhere(&[address], told).await,
        }
    }

    /// One attempt to an account whose address has been counted before. `account` is a pseudonym.
    pub async fn sign_in_account(&self, account: u64, told: &Standings) -> Result<(), Limited> {
        self.count_everywhere(&[(&self.sign_in_account, account)], told).await
    }

    /// One refresh of a session: generous, and of no other session.
    pub fn refresh(&self, session: SessionId, told: &Standings) -> Result<(), Limited> {
        self.count_here(&self.refresh, &session, told)
    }

    /// One report of a sign-out from an address. `address` is a pseudonym.
    pub async fn client_report(&self, address: u64, told: &Standings) -> Result<(), Limited> {
        self.count_everywhere(&[(&self.client_report, address)], told).await
    }

    /// One trade of another system's sign-in from an address. `address` is a pseudonym.
    pub async fn exchange(&self, address: u64, told: &Standings) -> Result<(), Limited> {
        self.count_everywhere(&[(&self.exchange, address)], told).await
    }

    /// One report of what a page of an observed application has seen. `address` is a pseudonym. On this node alone: it is
    /// not worth asking Redis for.
    pub fn observations(&self, address: u64, told: &Standings) -> Result<(), Limited> {
        self.count_here(&self.observations, &address, told)
    }

    /// So many things that were observed: of an address, lest it push those of all others out of the store, and of all
    /// together. `address` is a pseudonym. On this node alone.
    pub fn observed(&self, address: u64, things: usize) -> Result<(), Limited> {
        let things = u32::try_from(things).ok().and_then(NonZeroU32::new).filter(|_| self.is_on);
        let Some(things) = things else { return Ok(()) };
        self.limited(self.observed_by.check_key_n(&address, things))?;
        self.limited(self.observed.check_n(things))
    }

    fn limited<T>(
        &self,
        counted: Result<Result<T, NotUntil<Nanos>>, InsufficientCapacity>,
    ) -> Result<(), Limited> {
        match counted {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(refused)) => Err(Limited {
                retry_after: refused.earliest_possible().duration_since(self.clock.now()).into(),
            }),
            // More at once than ever.
            Err(_) => Err(Limited { retry_after: WINDOW }),
        }
    }

    /// One call of somebody's. On this node alone: there are too many of them to ask Redis, and it is there against
    /// programs that run wild, not against guessing.
    pub fn api(&self, caller: CallerId, told: &Standings) -> Result<(), Limited> {
        self.count_here(&self.api, &caller, told)
    }

    /// One call of the admin API.
    pub fn admin(&self, caller: CallerId, told: &Standings) -> Result<(), Limited> {
        self.count_here(&self.admin, &caller, told)
    }

    fn count_here<K: Hash + Eq + Clone>(
        &self,
        limit: &Limit<K>,
        subject: &K,
        told: &Standings,
    ) -> Result<(), Limited> {
        if self.is_on { limit.count(subject, &self.clock, told) } else { Ok(()) }
    }

    /// Here first, so that what is refused here costs no exchange with Redis; and there in one exchange for all.
    async fn count_everywhere(&self, counts: &[(&Limit<u64>, u64)], told: &Standings) -> Result<(), Limited> {
        for (limit, subject) in counts {
            self.count_here(limit, subject, told)?;
        }
        let Some(shared) = self.shared.as_ref().filter(|_| self.is_on) else { return Ok(()) };
        let tally = |(limit, subject): &(&Limit<u64>, u64)| Tally {
            kind: limit.name,
            subject: *subject,
            most: limit.per_minute,
        };
        let tallies: Vec<_> = counts.iter().map(tally).collect();
        match shared.count(&tallies, WINDOW).await {
            Some(Counted::Beyond { at, resets_in }) => Err(match counts.get(at) {
                Some((limit, _)) => limit.refuse(resets_in, told),
                None => Limited { retry_after: resets_in },
            }),
            Some(Counted::Within) | None => Ok(()),
        }
    }

    /// Forgets keys whose buckets are full again.
    pub fn tidy(&self) {
        let told = [&self.client_report, &self.observations];
        for limit in [&self.sign_in_account, &self.sign_in_address, &self.exchange].into_iter().chain(told) {
            limit.here.retain_recent();
        }
        self.observed_by.retain_recent();
        self.refresh.here.retain_recent();
        self.api.here.retain_recent();
        self.admin.here.retain_recent();
    }
}
