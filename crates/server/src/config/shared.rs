//! Where nodes meet: PostgreSQL and Redis. Their addresses may hold a password, which is never shown.

use std::fmt;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use tenure_store::{authorities, ephemeral, postgres};

use super::Span;

/// Settings whose value is an address with a password in it, by their dotted names.
pub(super) const SECRET_URLS: [&str; 2] = ["postgres.url", "redis.url"];

/// A call that waits for Redis makes somebody wait; beyond this nobody means it.
const REDIS_TIMEOUT_MAX: Span = Span(std::time::Duration::from_secs(1));

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PostgresSection {
    /// Empty: the store is SQLite.
    pub url: SecretUrl,
    pub connections: usize,
    pub statement_timeout: Span,
    pub connect_timeout: Span,
    pub start_timeout: Span,
    pub ca_file: PathBuf,
    pub prepared: bool,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RedisSection {
    /// Empty: none is used.
    pub url: SecretUrl,
    pub timeout: Span,
    pub ca_file: PathBuf,
}

/// An address that may hold a password. `Debug` and `Display` leave it out.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct SecretUrl(String);

impl SecretUrl {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// With its password: for whoever connects, and for nobody else.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl From<&str> for SecretUrl {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl fmt::Debug for SecretUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{self}\"")
    }
}

/// The address with `***` for what may be a password, wherever it stands. Rather too much is hidden than too
/// little: of an address that is written wrongly it cannot be told what is a password.
impl fmt::Display for SecretUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some((scheme, rest)) = self.0.split_once("://") else {
            return f.write_str(if self.0.is_empty() { "" } else { "***" });
        };
        // By the last `@`, because a password may hold one, unescaped.
        let (credentials, place) = match rest.rsplit_once('@') {
            Some((credentials, place)) => (Some(credentials), place),
            None => (None, rest),
        };
        write!(f, "{scheme}://")?;
        match credentials.map(|text| text.split_once(':').unwrap_or((text, ""))) {
            Some((user, "")) => write!(f, "{user}@")?,
            Some((user, _)) => write!(f, "{user}:***@")?,
            None => {}
        }
        let (address, query) = place.split_once('?').unwrap_or((place, ""));
        f.write_str(address)?;
        for (index, parameter) in query.split('&').filter(|parameter| !parameter.is_empty()).enumerate() {
            f.write_str(if index == 0 { "?" } else { "&" })?;
            match parameter.split_once('=') {
                Some((name, _)) if name.to_ascii_lowercase().contains("pass") => write!(f, "{name}=***")?,
                _ => f.write_str(parameter)?,
            }
        }
        Ok(())
    }
}

/// A setting of a file, which is empty where there is none.
fn given(path: &Path) -> Option<&Path> {
    Some(path).filter(|path| !path.as_os_str().is_empty())
}

/// What keeps the authorities that a setting names from being trusted.
fn authorities_fault(setting: &str, path: Option<&Path>) -> Option<String> {
    let path = path?;
    if !path.is_file() {
        return Some(format!("{setting}: there is no file {}", path.display()));
    }
    authorities::check(path).err().map(|why| format!("{setting}: {why}"))
}

impl PostgresSection {
    /// The file of authorities, if it is not the system's that count.
    pub fn authorities(&self) -> Option<&Path> {
        given(&self.ca_file)
    }

    /// What keeps it from being used, a line for each thing to mend.
    pub fn faults(&self, development: bool) -> Vec<String> {
        if self.url.is_empty() {
            return vec![];
        }
        let mut faults = vec![];
        if self.connections == 0 {
            faults.push("postgres.connections is 0, with which nothing could be asked; 16 is usual".into());
        }
        for (name, span) in [
            ("statement_timeout", self.statement_timeout),
            ("connect_timeout", self.connect_timeout),
            ("start_timeout", self.start_timeout),
        ] {
            if span.0.is_zero() {
                faults.push(format!("postgres.{name} is 0, in which nothing can be done; 2s is usual"));
            }
        }
        match Target::of(&self.url) {
            Err(why) => faults.push(format!("postgres.url {why}")),
            Ok(target) => {
                let fault = self.tls_fault(&target, development);
                // Said now, or `serve` would take it for a database that is not up yet, and wait.
                let unreadable =
                    || postgres::check_url(self.url.expose()).err().map(|why| format!("postgres.url {why}"));
                faults.extend(fault.or_else(unreadable));
            }
        }
        faults
    }

    fn tls_fault(&self, target: &Target, development: bool) -> Option<String> {
        if let Some(fault) = authorities_fault("postgres.ca_file", self.authorities()) {
            return Some(fault);
        }
        match target.sslmode.as_deref() {
            Some("disable") if self.authorities().is_some() => Some(
                "postgres.ca_file is set, but postgres.url says sslmode=disable; remove one of them".into(),
            ),
            Some("disable" | "require") => None,
            None | Some("prefer") if development || target.local => None,
            None | Some("prefer") => Some(
                "postgres.url leads to another machine without saying sslmode=require; add it (or sslmode=disable, \
                 if nobody else can listen on that network)"
                    .into(),
            ),
            Some(mode) => Some(format!(
                "postgres.url: sslmode={mode} is not known here; require checks certificate and name"
            )),
        }
    }
}

/// Where an address of PostgreSQL leads.
struct Target {
    /// Every host is this machine.
    local: bool,
    sslmode: Option<String>,
}

impl Target {
    /// The error says what is wrong, without the address.
    fn of(url: &SecretUrl) -> Result<Self, &'static str> {
        const ODD: &str = "is no address such as postgres://user:password@host:5432/tenure?sslmode=require";
        let text = url.expose();
        let rest =
            text.strip_prefix("postgres://").or_else(|| text.strip_prefix("postgresql://")).ok_or(ODD)?;
        let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, database) = place.split_once('/').unwrap_or((place, ""));
        if database.is_empty() {
            return Err("names no database; write it as postgres://user:password@host:5432/tenure");
        }
        if authority.matches('@').count() > 1 || database.contains('@') {
            return Err("holds characters in its password that have to be written as %40, %2F or %3F");
        }
        let authority = authority.rsplit_once('@').map_or(authority, |(_, hosts)| hosts);
        let parameters = || query.split('&').filter_map(|parameter| parameter.split_once('='));
        let value = |name: &str| parameters().find(|(known, _)| *known == name).map(|(_, value)| value);
        let named = [value("host"), value("hostaddr")].into_iter().flatten();
        let hosts = std::iter::once(authority).chain(named).flat_map(|list| list.split(','));
        let mut hosts = hosts.filter(|host| !host.is_empty()).peekable();
        if hosts.peek().is_none() {
            return Err("names no host; write it as postgres://user:password@host:5432/tenure");
        }
        Ok(Self { local: hosts.all(is_local), sslmode: value("sslmode").map(str::to_owned) })
    }
}

/// Whether a host, with or without a port, is a socket in the file system or this machine's loopback.
fn is_local(host: &str) -> bool {
    host.starts_with('/')
        || host.to_ascii_lowercase().starts_with("%2f")
        || super::is_loopback_authority(host)
        || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

impl RedisSection {
    /// The file of authorities, if it is not the system's that count.
    pub fn authorities(&self) -> Option<&Path> {
        given(&self.ca_file)
    }

    /// What keeps it from being used, a line for each thing to mend.
    pub fn faults(&self) -> Vec<String> {
        if self.url.is_empty() {
            return vec![];
        }
        let mut faults = vec![];
        if ephemeral::check_url(self.url.expose()).is_err() {
            faults.push("redis.url is no address such as rediss://user:password@host:6379/0".into());
        } else if self.authorities().is_some() && !ephemeral::is_encrypted(self.url.expose()) {
            faults.push(
                "redis.ca_file is set, but redis.url does not say rediss://; write it so, or remove redis.ca_file"
                    .into(),
            );
        } else {
            faults.extend(authorities_fault("redis.ca_file", self.authorities()));
        }
        if self.timeout.0.is_zero() || self.timeout.0 > REDIS_TIMEOUT_MAX.0 {
            faults.push(format!(
                "redis.timeout is {}, but sign-ins may wait for it: more than 0s and at most 1s; 20ms is usual",
                humantime::format_duration(self.timeout.0)
            ));
        }
        faults
    }
}
