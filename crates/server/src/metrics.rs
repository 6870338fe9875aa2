//! Metrics in the Prometheus text format. Every App has a registry of its own; labels never name a person.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use tenure_domain::stripe;
use tenure_store::Vitals;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Outcome {
    pub outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Reason {
    pub reason: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Kind {
    pub r#type: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct SignIn {
    pub method: &'static str,
    pub outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Route {
    pub method: &'static str,
    pub status: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Policy {
    pub policy: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct StripeEvent {
    pub outcome: &'static str,
    pub r#type: &'static str,
}

const SECONDS: [f64; 12] = [0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0];

/// What the hashing threads report.
#[derive(Clone)]
pub struct PasswordMetrics {
    pub queue_depth: Gauge,
    duration: Histogram,
}

impl PasswordMetrics {
    /// Starts measuring one hash.
    pub fn start(&self) -> Timer<'_> {
        Timer::start(&self.duration)
    }
}

/// Measures until [`Timer::finish`].
pub struct Timer<'a> {
    histogram: &'a Histogram,
    started: Instant,
}

impl<'a> Timer<'a> {
    #[allow(clippy::disallowed_methods)] // A duration for a metric, not a decision.
    fn start(histogram: &'a Histogram) -> Self {
        Self { histogram, started: Instant::now() }
    }

    pub fn finish(self) {
        self.histogram.observe(self.started.elapsed().as_secs_f64());
    }
}

pub struct Metrics {
    registry: Registry,
    pub requests: Family<Route, Counter>,
    pub refreshes: Family<Outcome, Counter>,
    pub refresh_duration: Histogram,
    pub ends: Family<Reason, Counter>,
    pub sign_ins: Family<SignIn, Counter>,
    pub password: PasswordMetrics,
    pub dead_tokens: Counter,
    pub rewound: Counter,
    pub unverifiable: Counter,
    pub client_logout_events: Family<Kind, Counter>,
    pub client_logout_events_dropped: Family<Reason, Counter>,
    pub entitlement_refusals: Family<Reason, Counter>,
    pub entitlement_bypasses: Family<Policy, Counter>,
    pub stripe_events: Family<StripeEvent, Counter>,
    pub events_dropped: Counter,
    pub events_unsealed: Gauge,
    pub unexplained_session_ends: Counter,
    pub panics: Counter,
    pub log_lines_dropped: Counter,
    pub revocation_listeners: Gauge,
    pub storage_up: Gauge,
    pub sessions_active: Gauge,
    pub signing_key_age: Gauge<f64, AtomicU64>,
    pub clock_offset: Gauge<f64, AtomicU64>,
    pub clock_leapt: Gauge,
    store: StoreMetrics,
    redis: RedisMetrics,
}

/// Something that is counted elsewhere, from nothing upwards.
#[derive(Default)]
struct Mirror {
    counter: Counter,
    seen: AtomicU64,
}

impl Mirror {
    /// Gives how many there are more than at the last look.
    fn note(&self, total: u64) -> u64 {
        let new = total.saturating_sub(self.seen.fetch_max(total, Ordering::Relaxed));
        self.counter.inc_by(new);
        new
    }
}

/// A family without labels: it has no value until there is one to tell, so that no alarm is raised over a Redis
/// that nobody has.
#[derive(Default)]
struct RedisMetrics {
    up: Family<[(String, String); 0], Gauge>,
    timeouts: Mirror,
}

/// What a store tells of itself, as of the last look.
#[derive(Default)]
struct StoreMetrics {
    ends_restored: Mirror,
    feed_live: Gauge,
    feed_age: Gauge<f64, AtomicU64>,
    connections_in_use: Gauge,
    connections_max: Gauge,
}

impl Default for Metrics {
    fn default() -> Self {
        let metrics = Self {
            registry: Registry::default(),
            requests: Family::default(),
            refreshes: Family::default(),
            refresh_duration: Histogram::new(SECONDS),
            ends: Family::default(),
            sign_ins: Family::default(),
            password: PasswordMetrics { queue_depth: Gauge::default(), duration: Histogram::new(SECONDS) },
            dead_tokens: Counter::default(),
            rewound: Counter::default(),
            unverifiable: Counter::default(),
            client_logout_events: Family::default(),
            client_logout_events_dropped: Family::default(),
            entitlement_refusals: Family::default(),
            entitlement_bypasses: Family::default(),
            stripe_events: Family::default(),
            events_dropped: Counter::default(),
            events_unsealed: Gauge::default(),
            unexplained_session_ends: Counter::default(),
            panics: Counter::default(),
            log_lines_dropped: Counter::default(),
            revocation_listeners: Gauge::default(),
            storage_up: Gauge::default(),
            sessions_active: Gauge::default(),
            signing_key_age: Gauge::default(),
            clock_offset: Gauge::default(),
            clock_leapt: Gauge::default(),
            store: StoreMetrics::default(),
            redis: RedisMetrics::default(),
        };
        metrics.registered()
    }
}

impl Metrics {
    /// The page of names. Counters get their `_total` from the encoder.
    fn registered(mut self) -> Self {
        let registry = &mut self.registry;
        registry.register("http_requests", "Requests answered", self.requests.clone());
        registry.register("session_refresh", "Refreshes by outcome", self.refreshes.clone());
        registry.register(
            "session_refresh_duration_seconds",
            "Time of a refresh from arrival to answer",
            self.refresh_duration.clone(),
        );
        registry.register("session_ends", "Sessions ended, by reason", self.ends.clone());
        registry.register(
            "tenure_unexplained_session_ends",
            "Sign-outs that browsers reported of sessions that are alive; to be 0",
            self.unexplained_session_ends.clone(),
        );
        registry.register(
            "tenure_events_dropped",
            "Events that were too many to be written down, or could not be",
            self.events_dropped.clone(),
        );
        registry.register(
            "tenure_events_unsealed",
            "Events of more than a minute ago that are not in the chain yet",
            self.events_unsealed.clone(),
        );
        registry.register("sign_in_attempts", "Attempts to sign in", self.sign_ins.clone());
        registry.register(
            "password_hash_queue_depth",
            "Password hashes waiting or running",
            self.password.queue_depth.clone(),
        );
        registry.register(
            "password_hash_duration_seconds",
            "Time of one password hash",
            self.password.duration.clone(),
        );
        registry.register(
            "tenure_dead_token",
            "Presentations of a superseded, settled refresh token: 0 with honest browsers, alarm on it",
            self.dead_tokens.clone(),
        );
        registry.register(
            "tenure_store_rewound",
            "Commits that the store is known to have lost: refresh tokens newer than their row, and ends written again",
            self.rewound.clone(),
        );
        registry.register(
            "tenure_session_unverifiable",
            "Authentic refresh tokens whose row or key is missing: alarm on it",
            self.unverifiable.clone(),
        );
        registry.register(
            "tenure_client_logout_events",
            "Sign-outs that clients reported, by what they call it",
            self.client_logout_events.clone(),
        );
        registry.register(
            "tenure_client_logout_events_dropped",
            "Reports of sign-outs that were not kept, by why",
            self.client_logout_events_dropped.clone(),
        );
        registry.register(
            "tenure_entitlement_refusals",
            "Requests of signed-in people that account, plan or permission blocked, by code",
            self.entitlement_refusals.clone(),
        );
        registry.register(
            "tenure_entitlement_bypasses",
            "Requests that account, plan or the limit on calls would have blocked, by the policy that let them pass",
            self.entitlement_bypasses.clone(),
        );
        registry.register(
            "tenure_stripe_events",
            "Events that Stripe told of, by what came of them",
            self.stripe_events.clone(),
        );
        registry.register("http_panics", "Handlers that panicked", self.panics.clone());
        registry.register(
            "log_lines_dropped",
            "Log lines dropped because the output did not keep up",
            self.log_lines_dropped.clone(),
        );
        registry.register(
            "tenure_revocation_listeners",
            "Services that listen to the revocation feed of this node",
            self.revocation_listeners.clone(),
        );
        registry.register("storage_up", "Whether the store answered last time", self.storage_up.clone());
        registry.register(
            "sessions_active",
            "Sessions neither ended nor expired",
            self.sessions_active.clone(),
        );
        registry.register(
            "signing_key_age_seconds",
            "Age of the key that signs access tokens",
            self.signing_key_age.clone(),
        );
        registry.register(
            "tenure_clock_offset_seconds",
            "How far this machine's clock is ahead of the database's: not ready beyond 10 either way",
            self.clock_offset.clone(),
        );
        registry.register(
            "tenure_clock_leapt",
            "1 while this machine's clock stands where it leapt to, and is not gone by",
            self.clock_leapt.clone(),
        );
        registry.register(
            "tenure_redis_up",
            "Whether Redis answers, where one is configured: limits are local while it does not",
            self.redis.up.clone(),
        );
        registry.register(
            "tenure_redis_timeouts",
            "Calls to Redis that were given up because its time-out had passed",
            self.redis.timeouts.counter.clone(),
        );
        self.store.register(&mut self.registry);
        self
    }

    /// Begins to count what an alarm is raised over from nothing, because the first step of a count that was not there
    /// is no increase.
    pub fn expect_stripe(&self) {
        let refused = ["bad_signature", "unreadable"].map(|outcome| (outcome, ""));
        let unmet = ["no_account", "contested", "unknown_price"];
        let unmet = unmet.into_iter().flat_map(|outcome| stripe::KINDS.map(|kind| (outcome, kind)));
        for (outcome, kind) in refused.into_iter().chain(unmet) {
            drop(self.stripe_events.get_or_create(&StripeEvent { outcome, r#type: kind }));
        }
    }

    /// Brings what is known of Redis up to date.
    pub fn note_redis(&self, is_up: bool, timeouts: u64) {
        self.redis.up.get_or_create(&[]).set(i64::from(is_up));
        self.redis.timeouts.note(timeouts);
    }

    /// Brings what the store tells of itself up to date.
    pub fn note_vitals(&self, vitals: &Vitals) {
        let restored = self.store.note(vitals);
        self.rewound.inc_by(restored);
    }

    pub fn render(&self) -> String {
        let mut page = String::new();
        // Writing to a String cannot fail.
        let _ = text::encode(&mut page, &self.registry);
        page
    }

    pub fn time_refresh(&self) -> Timer<'_> {
        Timer::start(&self.refresh_duration)
    }
}

impl StoreMetrics {
    fn register(&self, registry: &mut Registry) {
        registry.register(
            "tenure_store_ends_restored",
            "Ends that the store had lost in a fail-over and that this node wrote again",
            self.ends_restored.counter.clone(),
        );
        registry.register(
            "tenure_store_feed_live",
            "Whether calls are checked from memory; 0: each asks the database",
            self.feed_live.clone(),
        );
        registry.register(
            "tenure_store_feed_age_seconds",
            "How long ago the changes of other nodes were last read",
            self.feed_age.clone(),
        );
        registry.register(
            "tenure_store_connections_in_use",
            "Connections to the database at work",
            self.connections_in_use.clone(),
        );
        registry.register(
            "tenure_store_connections_max",
            "Connections to the database that there may be",
            self.connections_max.clone(),
        );
    }

    /// Gives how many ends were restored since the last look.
    fn note(&self, vitals: &Vitals) -> u64 {
        let count = |connections: usize| i64::try_from(connections).unwrap_or(i64::MAX);
        self.feed_live.set(i64::from(vitals.feed_live));
        self.feed_age.set(vitals.feed_age.unwrap_or_default().as_secs_f64());
        self.connections_in_use.set(count(vitals.connections_in_use));
        self.connections_max.set(count(vitals.connections_max));
        self.ends_restored.note(vitals.ends_restored)
    }
}
