//! The configuration: read once, checked once, then only data.
//!
//! Defaults live in `config.default.toml`, which is compiled in and is also the reference. [`Config::load`]
//! reads the sources; [`Config::settle`] turns them into what the server runs on, or says in one line each
//! what is unsafe.

mod console;
mod entitlement;
mod events;
mod limits;
mod migration;
mod observe;
mod proxy;
mod revocations;
mod setting;
mod shared;
mod sources;
mod stripe;
mod telemetry;
mod url;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Deserializer};
use tenure_domain::entitlement::Policy;
use tenure_domain::password::Cost;
use tenure_domain::session::ReusePolicy;
use tenure_domain::time::TimeRules;

pub use console::ConsoleSection;
pub use entitlement::{EntitlementSection, Registration};
pub use events::EventsSection;
pub use limits::Limits;
pub use migration::MigrationSection;
pub use observe::ObserveSection;
pub use proxy::TrustedProxy;
pub use revocations::RevocationsSection;
pub use setting::{Origin, Setting};
pub use shared::{PostgresSection, RedisSection, SecretUrl};
pub use sources::Sources;
pub use stripe::{SecretWords, StripeSection};
pub use telemetry::TelemetrySection;
pub use url::{PublicUrl, is_loopback_authority};

pub const DEFAULTS: &str = include_str!("config.default.toml");

/// Settings whose value is secret, by their dotted names.
const SECRETS: [&str; 3] = ["migration.simplejwt_key", "stripe.webhook_secret", "telemetry.headers"];

/// What `store.sqlite` is by default.
const DEFAULT_FILE: &str = "tenure.db";

/// A span of time, written as `15s` or `20d`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span(pub Duration);

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        humantime::parse_duration(&text).map(Span).map_err(|error| {
            serde::de::Error::custom(format!("`{text}` is no duration such as 15s or 20d: {error}"))
        })
    }
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    pub server: Server,
    pub store: StoreSection,
    pub postgres: PostgresSection,
    pub redis: RedisSection,
    pub session: SessionSection,
    pub token: Token,
    pub origins: Origins,
    pub registration: Registration,
    pub entitlement: EntitlementSection,
    pub revocations: RevocationsSection,
    pub events: EventsSection,
    pub observe: ObserveSection,
    pub console: ConsoleSection,
    pub stripe: StripeSection,
    pub migration: MigrationSection,
    pub password: PasswordSection,
    pub limits: Limits,
    pub log: Log,
    pub telemetry: TelemetrySection,
    /// All of it again, for whoever wants to read it.
    #[serde(skip)]
    pub settings: Vec<Setting>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Server {
    pub listen: SocketAddr,
    pub ops_listen: String,
    pub public_url: String,
    pub trusted_proxies: Vec<TrustedProxy>,
    pub request_timeout: Span,
    pub connections_max: usize,
    pub shutdown_grace: Span,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StoreSection {
    pub sqlite: PathBuf,
    pub retention: Span,
    pub client_report_retention: Span,
    pub event_retention: Span,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SessionSection {
    pub remembered_lifetime: Span,
    pub short_lifetime: Span,
    pub access_lifetime: Span,
    pub freshness: Span,
    pub jar_flush_lag: Span,
    pub settle: Span,
    pub reuse: Reuse,
    pub missing_session: MissingSession,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reuse {
    Revoke,
    Observe,
}

/// What the absence of a session's row or key is taken for (protocol.md section 3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MissingSession {
    #[serde(rename = "")]
    ByMode,
    Unavailable,
    Ended,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Token {
    pub audience: String,
    pub publish_ahead: Span,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Origins {
    pub allowed: Vec<String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PasswordSection {
    pub memory_kib: u32,
    pub passes: u32,
    pub lanes: u32,
    pub workers: usize,
    pub queue: usize,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Log {
    pub format: LogFormat,
    pub level: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    Auto,
    Json,
    Human,
    Legacy,
}

/// Why the configuration cannot be used. Each line is one thing to mend.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    #[error("{0}")]
    Unreadable(String),
    #[error("{}", .0.join("\n"))]
    Unsafe(Vec<String>),
}

/// The configuration as the server runs on it: checked, with what depends on the mode decided.
#[derive(Clone, Debug)]
pub struct Settled {
    pub config: Config,
    pub development: bool,
    pub public_url: PublicUrl,
    pub times: TimeRules,
    pub cost: Cost,
    pub reuse: ReusePolicy,
    pub policy: Policy,
    /// Whether a missing row or key is answered as an end.
    pub missing_is_ended: bool,
    pub ops_listen: Option<SocketAddr>,
}

impl Config {
    pub fn load(sources: &Sources) -> Result<Self, ConfigError> {
        let figment = sources.figment()?;
        let config = figment.extract().map_err(|error| ConfigError::Unreadable(explain(&error)))?;
        Ok(Self { settings: setting::all(sources, &figment)?, ..config })
    }

    /// Checks everything that can be known before a socket or the store is opened.
    pub fn settle(self, development: bool) -> Result<Settled, ConfigError> {
        let mut unsafe_lines = vec![];
        let times = self.session.times();
        if let Err(error) = times.check() {
            unsafe_lines.push(format!("session: {error}"));
        }
        let cost = self.password.cost();
        if !cost.is_sane() || (!development && cost.memory_kib * cost.passes < 15_000) {
            unsafe_lines
                .push("password: memory_kib, passes and lanes are outside what Argon2id is safe with".into());
        }
        unsafe_lines.extend(self.limits.faults(development));
        unsafe_lines.extend(self.console.faults());
        unsafe_lines.extend(self.server.trusted_proxies.iter().filter_map(|proxy| proxy.fault(development)));
        unsafe_lines.extend(self.registration.fault());
        unsafe_lines.extend(self.revocations.fault());
        unsafe_lines.extend(self.events.fault());
        unsafe_lines.extend(self.observe.faults());
        unsafe_lines.extend(self.stripe.faults());
        unsafe_lines.extend(self.migration.faults(development));
        unsafe_lines.extend(self.telemetry.faults(development));
        unsafe_lines.extend(self.store_faults(development));
        let public_url = self.public_url(development, &mut unsafe_lines);
        for origin in &self.origins.allowed {
            match PublicUrl::parse(origin) {
                Some(url) if !url.path.is_empty() => unsafe_lines.push(format!(
                    "origins.allowed: {origin} has a path; an origin is scheme, host and port only"
                )),
                Some(url) if !development && !url.https => {
                    unsafe_lines.push(format!(
                        "origins.allowed: {origin} is not https; remove it or start with --dev"
                    ));
                }
                Some(_) => {}
                None => unsafe_lines.push(format!(
                    "origins.allowed: `{origin}` is no origin such as https://app.example.com"
                )),
            }
        }
        let ops_listen = match self.server.ops_listen.as_str() {
            "" => None,
            text => text
                .parse()
                .map_err(|_| {
                    unsafe_lines
                        .push(format!("server.ops_listen: `{text}` is no address such as 127.0.0.1:7701"))
                })
                .ok(),
        };
        match public_url {
            Some(public_url) if unsafe_lines.is_empty() => Ok(Settled {
                development,
                times,
                cost,
                reuse: match self.session.reuse {
                    Reuse::Revoke => ReusePolicy::Revoke,
                    Reuse::Observe => ReusePolicy::Observe,
                },
                policy: self.entitlement.policy(),
                missing_is_ended: match self.session.missing_session {
                    MissingSession::ByMode => development,
                    MissingSession::Ended => true,
                    MissingSession::Unavailable => false,
                },
                ops_listen,
                public_url,
                config: self,
            }),
            _ => Err(ConfigError::Unsafe(unsafe_lines)),
        }
    }

    /// What is wrong with where things are kept. Commands that need no more of the configuration ask only this.
    pub fn store_faults(&self, development: bool) -> Vec<String> {
        let mut faults = self.postgres.faults(development);
        if !self.postgres.url.is_empty() && self.store.sqlite.as_os_str() != DEFAULT_FILE {
            faults.push(
                "store.sqlite and postgres.url are both set, and the store is one of them; remove one".into(),
            );
        }
        faults.extend(self.redis.faults());
        faults
    }

    fn public_url(&self, development: bool, unsafe_lines: &mut Vec<String>) -> Option<PublicUrl> {
        let text = match self.server.public_url.as_str() {
            "" if development => format!("http://{}", self.server.listen),
            "" => {
                unsafe_lines.push("server.public_url is empty; set it to the https address that browsers use, or start with --dev".into());
                return None;
            }
            text => text.to_owned(),
        };
        let Some(url) = PublicUrl::parse(&text) else {
            unsafe_lines
                .push(format!("server.public_url: `{text}` is no address such as https://id.example.com"));
            return None;
        };
        if development && !url.is_loopback() {
            unsafe_lines.push(format!("--dev cannot be combined with the public address {text}"));
        }
        if !development && !url.https {
            unsafe_lines.push(format!("server.public_url is {text}, but cookies need https in production"));
        }
        Some(url)
    }
}

impl SessionSection {
    fn times(&self) -> TimeRules {
        TimeRules {
            freshness: self.freshness.0,
            jar_flush_lag: self.jar_flush_lag.0,
            settle: self.settle.0,
            remembered_lifetime: self.remembered_lifetime.0,
            short_lifetime: self.short_lifetime.0,
            access_lifetime: self.access_lifetime.0,
        }
    }
}

impl PasswordSection {
    pub fn cost(&self) -> Cost {
        Cost { memory_kib: self.memory_kib, passes: self.passes, lanes: self.lanes }
    }
}

/// One line per fault, with the nearest known name where a key is unknown.
fn explain(error: &figment::Error) -> String {
    use figment::error::Kind;
    let lines = error.clone().into_iter().map(|fault| {
        let at = fault.path.join(".");
        match &fault.kind {
            Kind::UnknownField(found, known) => {
                let nearest = known
                    .iter()
                    .max_by(|a, b| strsim::jaro_winkler(found, a).total_cmp(&strsim::jaro_winkler(found, b)));
                let section = at.strip_suffix(found.as_str()).unwrap_or(&at).trim_end_matches('.');
                let section = if section.is_empty() { String::new() } else { format!(" in [{section}]") };
                let hint = nearest.map(|name| format!(" (did you mean `{name}`?)")).unwrap_or_default();
                format!("unknown key `{found}`{section}{hint}")
            }
            kind => format!("{at}: {kind}"),
        }
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests;
