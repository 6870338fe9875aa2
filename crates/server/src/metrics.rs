//! Metrics in the Prometheus text format. Every App has a registry of its own; labels never name a person.

mod labels;
mod page;

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use tenure_domain::rotation::Replay;
use tenure_domain::stripe;
use tenure_store::{SessionCount, Vitals};

pub use labels::{
    Delivery, Kind, Outcome, Policy, Reason, Remembered, ReplayKind, Route, SignIn, StripeEvent, Unasked,
    Verified,
};
use page::Page;

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
    page: Page,
    pub requests: Family<Route, Counter>,
    pub refreshes: Family<Outcome, Counter>,
    pub refresh_duration: Histogram,
    replays: Family<ReplayKind, Counter>,
    pub ends: Family<Reason, Counter>,
    pub sign_ins: Family<SignIn, Counter>,
    pub exchanges: Family<Outcome, Counter>,
    pub password: PasswordMetrics,
    pub dead_tokens: Counter,
    pub rewound: Counter,
    pub unverifiable: Counter,
    pub client_logout_events: Family<Kind, Counter>,
    pub client_logout_events_dropped: Family<Reason, Counter>,
    pub observations: Family<Kind, Counter>,
    pub observations_dropped: Family<Reason, Counter>,
    pub entitlement_refusals: Family<Reason, Counter>,
    pub entitlement_bypasses: Family<Policy, Counter>,
    pub stripe_events: Family<StripeEvent, Counter>,
    pub events_dropped: Counter,
    pub events_unsealed: Gauge,
    pub unexplained_session_ends: Family<Verified, Counter>,
    pub unasked_sign_outs: Family<Unasked, Counter>,
    pub panics: Counter,
    pub log_lines_dropped: Counter,
    pub deliveries: Family<Delivery, Counter>,
    pub revocation_listeners: Gauge,
    revocation_lag: Gauge<f64, AtomicU64>,
    pub tab_feed_listeners: Gauge,
    pub tab_feed_told: Family<Outcome, Counter>,
    pub storage_up: Gauge,
    sessions_active: Family<Remembered, Gauge>,
    pub signing_key_age: Gauge<f64, AtomicU64>,
    pub clock_offset: Gauge<f64, AtomicU64>,
    clock_leapt: Gauge,
    pub clock_doubted: Gauge,
    clock_step: Gauge<f64, AtomicU64>,
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
            page: Page::default(),
            requests: Family::default(),
            refreshes: Family::default(),
            refresh_duration: Histogram::new(SECONDS),
            replays: Family::default(),
            ends: Family::default(),
            sign_ins: Family::default(),
            exchanges: Family::default(),
            password: PasswordMetrics { queue_depth: Gauge::default(), duration: Histogram::new(SECONDS) },
            dead_tokens: Counter::default(),
            rewound: Counter::default(),
            unverifiable: Counter::default(),
            client_logout_events: Family::default(),
            client_logout_events_dropped: Family::default(),
            observations: Family::default(),
            observations_dropped: Family::default(),
            entitlement_refusals: Family::default(),
            entitlement_bypasses: Family::default(),
            stripe_events: Family::default(),
            events_dropped: Counter::default(),
            events_unsealed: Gauge::default(),
            unexplained_session_ends: Family::default(),
            unasked_sign_outs: Family::default(),
            panics: Counter::default(),
            log_lines_dropped: Counter::default(),
            deliveries: Family::default(),
            revocation_listeners: Gauge::default(),
            revocation_lag: Gauge::default(),
            tab_feed_listeners: Gauge::default(),
            tab_feed_told: Family::default(),
            storage_up: Gauge::default(),
            sessions_active: Family::default(),
            signing_key_age: Gauge::default(),
            clock_offset: Gauge::default(),
            clock_leapt: Gauge::default(),
            clock_doubted: Gauge::default(),
            clock_step: Gauge::default(),
            store: StoreMetrics::default(),
            redis: RedisMetrics::default(),
        };
        metrics.registered()
    }
}

impl Metrics {
    fn registered(self) -> Self {
        let mut page = Page::default();
        self.add_sessions(&mut page);
        self.add_node(&mut page);
        self.store.add(&mut page);
        Self { page, ..self }
    }

    /// What people and their browsers do.
    fn add_sessions(&self, page: &mut Page) {
        page.add("http_requests", "Requests answered", &self.requests);
        page.add("session_refresh", "Refreshes by outcome", &self.refreshes);
        page.add(
            "session_refresh_duration_seconds",
            "Time of a refresh from arrival to answer",
            &self.refresh_duration,
        );
        page.add(
            "session_refresh_replays",
            "Refreshes with a token that had been presented before or was not the newest, by which it was: a few are usual",
            &self.replays,
        );
        page.add("session_ends", "Sessions ended, by reason", &self.ends);
        page.add("sign_in_attempts", "Attempts to sign in", &self.sign_ins);
        page.add(
            "tenure_exchanges",
            "Sign-ins of another system that somebody wanted to trade for a session, by what came of it",
            &self.exchanges,
        );
        page.add(
            "password_hash_queue_depth",
            "Password hashes waiting or running",
            &self.password.queue_depth,
        );
        page.add("password_hash_duration_seconds", "Time of one password hash", &self.password.duration);
        page.add(
            "tenure_dead_token",
            "Presentations of a superseded, settled refresh token: 0 with honest browsers, alarm on it",
            &self.dead_tokens,
        );
        page.add(
            "tenure_store_rewound",
            "Commits that the store is known to have lost: refresh tokens newer than their row, and ends written again",
            &self.rewound,
        );
        page.add(
            "tenure_session_unverifiable",
            "Authentic refresh tokens whose row or key is missing: alarm on it",
            &self.unverifiable,
        );
        page.add(
            "tenure_unexplained_session_ends",
            "Sign-outs that a client reported and that nothing here accounts for, by whether its access token came with it: alarm on it",
            &self.unexplained_session_ends,
        );
        // From the start: an alarm on what grows does not hear a series begin.
        for is_verified in [true, false] {
            drop(self.unexplained_session_ends.get_or_create(&Verified::of(is_verified)));
        }
        page.add(
            "tenure_unasked_sign_outs",
            "Sign-outs that the server was asked for and the person may not have been, by what the report bears the marks of",
            &self.unasked_sign_outs,
        );
        page.add(
            "tenure_events_dropped",
            "Events that were too many to be written down, or could not be",
            &self.events_dropped,
        );
        page.add(
            "tenure_events_unsealed",
            "Events of more than five minutes ago that are not in the chain yet: alarm on it",
            &self.events_unsealed,
        );
        page.add(
            "tenure_client_logout_events",
            "Sign-outs that clients reported, by what they call it",
            &self.client_logout_events,
        );
        page.add(
            "tenure_client_logout_events_dropped",
            "Reports of sign-outs that were not kept, by why",
            &self.client_logout_events_dropped,
        );
        page.add(
            "tenure_observations",
            "What pages of observed applications reported, by kind",
            &self.observations,
        );
        page.add(
            "tenure_observations_dropped",
            "Reports of observed applications that were not kept, by why",
            &self.observations_dropped,
        );
        page.add(
            "tenure_entitlement_refusals",
            "Requests of signed-in people that account, plan or permission blocked, by code",
            &self.entitlement_refusals,
        );
        page.add(
            "tenure_entitlement_bypasses",
            "Requests that account, plan or the limit on calls would have blocked, by the policy that let them pass",
            &self.entitlement_bypasses,
        );
        page.add(
            "tenure_stripe_events",
            "Events that Stripe told of, by what came of them",
            &self.stripe_events,
        );
    }

    /// How this node is.
    fn add_node(&self, page: &mut Page) {
        page.add("http_panics", "Handlers that panicked", &self.panics);
        page.add(
            "log_lines_dropped",
            "Log lines dropped because the output did not keep up",
            &self.log_lines_dropped,
        );
        page.add(
            "tenure_telemetry",
            "Spans, and batches of metrics, for OpenTelemetry, by what became of them",
            &self.deliveries,
        );
        page.add(
            "tenure_revocation_listeners",
            "Services that listen to the revocation feed of this node",
            &self.revocation_listeners,
        );
        page.add(
            "revocation_push_lag_seconds",
            "How long ago this node last told the listeners of its revocation feed all there was to tell",
            &self.revocation_lag,
        );
        page.add(
            "tenure_tab_feed_listeners",
            "Browser profiles that listen to the feed for tabs on this node",
            &self.tab_feed_listeners,
        );
        page.add(
            "tenure_tab_feed_told",
            "What the feed for tabs has told: that a session ended, or that something changed",
            &self.tab_feed_told,
        );
        page.add("storage_up", "Whether the store answered last time", &self.storage_up);
        page.add(
            "sessions_active",
            "Sessions neither ended nor expired, remembered or not, as of the last minute",
            &self.sessions_active,
        );
        page.add("signing_key_age_seconds", "Age of the key that signs access tokens", &self.signing_key_age);
        page.add(
            "tenure_clock_offset_seconds",
            "How far this machine's clock is ahead of the database's: not ready beyond 10 either way",
            &self.clock_offset,
        );
        page.add(
            "tenure_clock_leapt",
            "1 while this machine's clock stands where it leapt to, and is not gone by",
            &self.clock_leapt,
        );
        page.add(
            "clock_step_seconds",
            "By how much this machine's clock has leapt ahead or back, while it is not gone by; 0 otherwise",
            &self.clock_step,
        );
        page.add(
            "tenure_clock_doubted",
            "1 while this machine's clock says another time than the database remembers: nothing is deleted for a day",
            &self.clock_doubted,
        );
        page.add(
            "tenure_redis_up",
            "Whether Redis answers, where one is configured: limits are local while it does not",
            &self.redis.up,
        );
        page.add(
            "tenure_redis_timeouts",
            "Calls to Redis that were given up because its time-out had passed",
            &self.redis.timeouts.counter,
        );
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

    /// What is to be read at `/metrics`.
    pub fn render(&self) -> String {
        self.page.render()
    }

    /// All metrics there are, in Markdown.
    pub fn reference(&self) -> String {
        self.page.reference()
    }

    pub fn note_replay(&self, replay: Option<Replay>) {
        if let Some(replay) = replay {
            self.replays.get_or_create(&ReplayKind { kind: replay.as_str() }).inc();
        }
    }

    pub fn note_sessions(&self, live: SessionCount) {
        for (remembered, count) in [("true", live.remembered), ("false", live.short)] {
            let gauge = self.sessions_active.get_or_create(&Remembered { remembered });
            gauge.set(i64::try_from(count).unwrap_or(i64::MAX));
        }
    }

    /// By how much the machine's clock has leapt, if it has.
    pub fn note_clock(&self, leap: Option<f64>) {
        self.clock_leapt.set(i64::from(leap.is_some()));
        self.clock_step.set(leap.unwrap_or_default());
    }

    /// How long ago listeners were told; none before there was anything to tell.
    pub fn note_revocations(&self, lag: Option<Duration>) {
        self.revocation_lag.set(lag.unwrap_or_default().as_secs_f64());
    }

    pub fn time_refresh(&self) -> Timer<'_> {
        Timer::start(&self.refresh_duration)
    }
}

impl StoreMetrics {
    fn add(&self, page: &mut Page) {
        page.add(
            "tenure_store_ends_restored",
            "Ends that the store had lost in a fail-over and that this node wrote again",
            &self.ends_restored.counter,
        );
        page.add(
            "tenure_store_feed_live",
            "Whether calls are checked from memory; 0: each asks the database",
            &self.feed_live,
        );
        page.add(
            "tenure_store_feed_age_seconds",
            "How long ago the changes of other nodes were last read",
            &self.feed_age,
        );
        page.add(
            "tenure_store_connections_in_use",
            "Connections to the database at work",
            &self.connections_in_use,
        );
        page.add(
            "tenure_store_connections_max",
            "Connections to the database that there may be",
            &self.connections_max,
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
