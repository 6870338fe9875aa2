//! What handlers share. There is no ambient state: time, randomness, keys and limits are all in here.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use tenure_domain::refresh_token::RefreshKeyRing;
use tenure_domain::rotation::RotationRules;
use tenure_domain::secret::{MasterSecret, PseudonymKey, ResetKey};
use tenure_domain::session::RefreshRules;
use tenure_domain::stripe::StatusRules;
use tenure_domain::stripe::signature::SigningSecrets;
use tenure_store::ephemeral::Redis;
use tenure_store::{ConsoleSessions, Entropy, Store};

use crate::clock::Clock;
use crate::clock_belief::ClockBelief;
use crate::config::Settled;
use crate::events::Events;
use crate::exchange::Exchange;
use crate::hashing::Hasher;
use crate::http::console::ConsoleCookie;
use crate::http::cookie::CookieShape;
use crate::http::origin::Origins;
use crate::keys::Keys;
use crate::limits::Limits;
use crate::log::LogSink;
use crate::metrics::Metrics;
use crate::node_clock::NodeClock;
use crate::pages::{DevUser, Find, Pages};
use crate::revocations::Revocations;
use crate::tab_feed::TabFeed;
use crate::tally::Tally;
use crate::telemetry::Telemetry;

/// Everything an [`App`] is made of that differs between production and tests.
pub struct Parts {
    pub settled: Settled,
    pub store: Arc<dyn Store>,
    /// What nodes share and may lose, if they have one.
    pub redis: Option<Redis>,
    pub clock: Arc<dyn Clock>,
    pub entropy: Arc<dyn Entropy>,
    pub log: LogSink,
    pub secret: MasterSecret,
    /// Earlier master secrets whose refresh tokens and signing keys are still accepted.
    pub previous_secrets: Vec<MasterSecret>,
    /// Where the pages are, such as [`crate::pages::built`].
    pub pages: Find,
    /// Whom the pages of a development server offer to sign in as.
    pub dev_user: Option<DevUser>,
}

pub struct App {
    pub settled: Settled,
    issuer: String,
    request_ids: AtomicU64,
    pub store: Arc<dyn Store>,
    pub redis: Option<Redis>,
    /// Where sign-ins to the console are kept: Redis if there is one, or the store.
    pub consoles: Arc<dyn ConsoleSessions>,
    pub console_cookie: ConsoleCookie,
    pub clock: Arc<dyn Clock>,
    pub entropy: Arc<dyn Entropy>,
    pub log: LogSink,
    pub keys: Keys,
    pub refresh_rules: Arc<RefreshRules>,
    pub pseudonyms: PseudonymKey,
    /// The first one makes links to a new password; those after it, of earlier master secrets, only check.
    pub reset_keys: Vec<ResetKey>,
    /// None of them: there is no webhook.
    pub stripe_secrets: SigningSecrets,
    pub stripe_rules: Arc<StatusRules>,
    pub exchange: Exchange,
    pub hasher: Hasher,
    pub limits: Limits,
    pub origins: Origins,
    pub cookies: CookieShape,
    pub pages: Pages,
    pub metrics: Metrics,
    /// None: nothing is sent to OpenTelemetry.
    pub telemetry: Option<Arc<Telemetry>>,
    pub revocations: Revocations,
    pub events: Events,
    pub tab_feed: TabFeed,
    pub tally: Tally,
    pub node_clock: NodeClock,
    pub clock_belief: ClockBelief,
    /// Set by the stop signal: from then on new requests are answered 503 `maintenance`.
    pub draining: AtomicBool,
}

impl App {
    pub fn new(parts: Parts) -> Arc<Self> {
        let Parts { settled, store, redis, clock, entropy, log, secret, previous_secrets, pages, dev_user } =
            parts;
        let metrics = Metrics::default();
        let mut first_request = [0; 8];
        entropy.fill(&mut first_request);
        let first_request = u64::from_be_bytes(first_request);
        let telemetry = match settled.config.telemetry.endpoint.as_str() {
            "" => None,
            _ => {
                let mut node = [0; 8];
                entropy.fill(&mut node);
                let node = format!("{:016x}", u64::from_be_bytes(node));
                let section = &settled.config.telemetry;
                Telemetry::new(section, &node, clock.now(), metrics.deliveries.clone())
            }
        };
        let previous = previous_secrets.iter().map(MasterSecret::refresh_key).collect();
        let rules = RefreshRules {
            keys: RefreshKeyRing::new(secret.refresh_key(), previous),
            rotation: RotationRules::with_settle(settled.times.settle),
            reuse: settled.reuse,
        };
        let origins = Origins::new(&settled);
        let stripe_secrets = SigningSecrets::parse(settled.config.stripe.webhook_secret.expose());
        if !stripe_secrets.is_empty() {
            metrics.expect_stripe();
        }
        Arc::new(Self {
            keys: Keys::new(Arc::clone(&store), Arc::clone(&entropy), &secret, &previous_secrets),
            hasher: Hasher::start(&settled, Arc::clone(&entropy), metrics.password.clone()),
            consoles: match &redis {
                Some(redis) => Arc::new(redis.clone()),
                None => Arc::clone(&store) as Arc<dyn ConsoleSessions>,
            },
            console_cookie: ConsoleCookie::new(&settled.public_url),
            limits: Limits::new(&settled.config.limits, Arc::clone(&clock), redis.clone()),
            pages: Pages::new(pages, dev_user.as_ref(), &settled, &origins),
            origins,
            cookies: CookieShape::new(&settled.public_url),
            refresh_rules: Arc::new(rules),
            pseudonyms: secret.pseudonym_key(),
            reset_keys: std::iter::once(&secret)
                .chain(&previous_secrets)
                .map(MasterSecret::reset_key)
                .collect(),
            exchange: Exchange::new(&settled.config.migration, &secret, &previous_secrets),
            stripe_secrets,
            stripe_rules: Arc::new(settled.config.stripe.statuses.clone()),
            revocations: Revocations::new(settled.config.revocations.listeners_max),
            events: Events::new(secret.audit_key()),
            tab_feed: TabFeed::new(settled.config.events.listeners_max(&settled.config.server)),
            tally: Tally::default(),
            node_clock: NodeClock::default(),
            clock_belief: ClockBelief::default(),
            draining: AtomicBool::new(false),
            request_ids: AtomicU64::new(first_request),
            issuer: settled.public_url.to_string(),
            settled,
            store,
            redis,
            clock,
            entropy,
            log,
            metrics,
            telemetry,
        })
    }

    /// Issuer and audience of access tokens.
    pub fn token_names(&self) -> (&str, &str) {
        (&self.issuer, &self.settled.config.token.audience)
    }

    /// The page of metrics, with what is only known by asking brought up to date.
    pub fn metrics_page(&self) -> String {
        self.metrics.note_vitals(&self.store.vitals());
        if let Some(redis) = &self.redis {
            self.metrics.note_redis(redis.is_up(), redis.timeouts());
        }
        self.metrics.note_revocations(self.revocations.lag());
        if let Some(offset) = self.node_clock.offset() {
            self.metrics.clock_offset.set(offset.as_seconds());
        }
        self.metrics.render()
    }

    /// A name for a request. Unique, not secret: one atomic step instead of a draw of randomness.
    pub fn next_request_id(&self) -> String {
        // An odd step visits every number before it repeats one, and leaves no run of look-alikes.
        const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
        format!("{:016x}", self.request_ids.fetch_add(STEP, Ordering::Relaxed))
    }

    /// Fresh random bytes.
    pub fn draw<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        self.entropy.fill(&mut bytes);
        bytes
    }
}
