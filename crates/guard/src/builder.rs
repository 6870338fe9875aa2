//! What a guard is made of, and what cannot be made.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::request::Parts;
use http::{HeaderValue, Uri};
use tenure_domain::entitlement::Requirement;
use tenure_domain::time::Timestamp;
use tokio::runtime::Handle;

use crate::answer::Refusal;
use crate::feed::{Feed, FeedOptions};
use crate::http_client::{Client, ClientError};
use crate::identity::Identity;
use crate::push::Push;
use crate::service::GuardLayer;
use crate::stateless::Stateless;
use crate::strict::Strict;

/// How long the issuer may take for an answer, unless it is said.
const TIMEOUT: Duration = Duration::from_secs(2);

/// How long the issuer may be silent, unless it is said.
const SILENCE_MAX: Duration = Duration::from_secs(10);

/// The audience that Tenure puts into its tokens, unless it is configured.
const AUDIENCE: &str = "tenure";

/// What time it is.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// How recent the knowledge is that lets somebody in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freshness {
    /// The issuer is asked for each request.
    Strict,
    /// The issuer tells what ends, within a fraction of a second, and is asked only where it has not told enough.
    Push,
    /// As old as the access token: a session that was ended stays accepted until its token expires.
    Stateless,
}

/// Why there is no guard.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    #[error("`{0}` is no issuer: write its public URL, as in https://id.example.com")]
    Issuer(String),
    #[error(
        "a token does not tell whether `{0}` is so, and Freshness::Stateless asks nobody: use Freshness::Strict"
    )]
    NeedsStrict(Requirement),
    #[error(
        "Freshness::Push listens to the issuer with an API key: give it one that has the scope `revocations.read`"
    )]
    NeedsApiKey,
    #[error("Freshness::Push listens in the background: build the guard within a Tokio runtime")]
    NeedsRuntime,
    #[error("the certificates of this system cannot be used: {0}")]
    Certificates(String),
}

/// Lets requests through whose sender is known. Cloning it is cheap, and clones share what they know.
#[derive(Clone)]
pub struct Guard(Arc<Inner>);

struct Inner {
    issuer: String,
    clock: Clock,
    mode: Mode,
}

enum Mode {
    Strict(Strict),
    Push(Box<Push>),
    Stateless(Stateless),
}

/// A guard that is being described.
#[must_use]
pub struct Builder {
    issuer: String,
    audience: String,
    mode: Freshness,
    timeout: Duration,
    silence_max: Duration,
    api_key: Option<HeaderValue>,
    requirement: Requirement,
    clock: Clock,
}

impl Guard {
    /// Of tokens that the Tenure at this URL hands out: its public URL, which is also the `iss` of its tokens.
    pub fn builder(issuer: impl Into<String>) -> Builder {
        Builder {
            issuer: issuer.into().trim_end_matches('/').to_owned(),
            audience: AUDIENCE.to_owned(),
            mode: Freshness::Strict,
            timeout: TIMEOUT,
            silence_max: SILENCE_MAX,
            api_key: None,
            requirement: Requirement::default(),
            clock: Arc::new(system_clock),
        }
    }

    /// For a tower of services, such as `Router::layer`.
    pub fn layer(&self) -> GuardLayer {
        GuardLayer::new(self.clone())
    }

    /// Whether what ends is being told, and the issuer need not be asked: for a metric. Only of `Push`.
    pub fn feed_is_live(&self) -> bool {
        match &self.0.mode {
            Mode::Push(push) => push.feed.is_live((self.0.clock)()),
            Mode::Strict(_) | Mode::Stateless(_) => false,
        }
    }

    /// Who sends this request, or what they are answered.
    pub(crate) async fn admit(&self, request: &Parts) -> Result<Identity, http::Response<Vec<u8>>> {
        let now = (self.0.clock)();
        let admitted = match &self.0.mode {
            Mode::Strict(strict) => strict.admit(&request.headers).await,
            Mode::Push(push) => push.admit(&request.headers, now).await,
            Mode::Stateless(stateless) => stateless.admit(&request.headers, now).await,
        };
        admitted.map_err(|refusal: Refusal| refusal.into_response(&self.0.issuer, now))
    }
}

impl Builder {
    /// The `aud` that tokens have to carry, `token.audience` of the issuer. `Strict` leaves it to the issuer.
    pub fn audience(self, audience: impl Into<String>) -> Self {
        Self { audience: audience.into(), ..self }
    }

    /// `Strict`, unless it is said.
    pub fn mode(self, mode: Freshness) -> Self {
        Self { mode, ..self }
    }

    /// How long the issuer may take for a whole answer: two seconds, unless it is said. After that it is 503.
    pub fn timeout(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }

    /// What `Push` shows the issuer to be told what ends: an API key with the scope `revocations.read`.
    pub fn api_key(self, key: &str) -> Self {
        let mut api_key = HeaderValue::from_str(key).ok();
        api_key.iter_mut().for_each(|key| key.set_sensitive(true));
        Self { api_key, ..self }
    }

    /// How long the issuer may be silent before `Push` asks it for each request: ten seconds, unless it is said. It is
    /// also how long an end may go unnoticed, should the connection hang. The issuer has to send a beat
    /// (`revocations.heartbeat`) a few times in it.
    pub fn silence_max(self, silence_max: Duration) -> Self {
        Self { silence_max, ..self }
    }

    /// What has to be so besides that somebody is signed in. `Strict` and `Push` ask the issuer for it each time.
    pub fn require(self, requirement: Requirement) -> Self {
        Self { requirement, ..self }
    }

    /// Another clock than the system's, for tests.
    pub fn clock(self, clock: Clock) -> Self {
        Self { clock, ..self }
    }

    pub fn build(self) -> Result<Guard, BuildError> {
        check_issuer(&self.issuer)?;
        let is_encrypted = self.issuer.starts_with("https:");
        let client = Client::new(self.timeout, is_encrypted)
            .map_err(|ClientError(why)| BuildError::Certificates(why))?;
        let uri = |path: &str| {
            let text = format!("{}{path}", self.issuer);
            text.parse::<Uri>().map_err(|_| BuildError::Issuer(self.issuer.clone()))
        };
        let strict = |client: &Client| {
            // The rest of what a requirement is written with may stand in a query as it is.
            let require = self.requirement.to_string().replace('|', "%7C");
            Ok(Strict::new(client.clone(), uri(&format!("/api/v1/auth/check?require={require}"))?))
        };
        let stateless = |client: &Client| {
            let keys = uri("/.well-known/jwks.json")?;
            Ok(Stateless::new(client.clone(), keys, self.issuer.clone(), self.audience.clone()))
        };
        let mode = match self.mode {
            Freshness::Strict => Mode::Strict(strict(&client)?),
            Freshness::Push => {
                let key = self.api_key.ok_or(BuildError::NeedsApiKey)?;
                let runtime = Handle::try_current().map_err(|_| BuildError::NeedsRuntime)?;
                let (strict, stateless) = (strict(&client)?, stateless(&client)?);
                let (uri, silence_max) = (uri("/api/v1/auth/revocations")?, self.silence_max);
                let options = FeedOptions { client, uri, key, silence_max, clock: Arc::clone(&self.clock) };
                let feed = Feed::listen(options, &runtime);
                let always_asks = !self.requirement.needs().is_empty();
                Mode::Push(Box::new(Push { strict, stateless, feed, always_asks }))
            }
            Freshness::Stateless if !self.requirement.needs().is_empty() => {
                return Err(BuildError::NeedsStrict(self.requirement));
            }
            Freshness::Stateless => Mode::Stateless(stateless(&client)?),
        };
        Ok(Guard(Arc::new(Inner { issuer: self.issuer, clock: self.clock, mode })))
    }
}

/// An address of its own, without a name or a password in it, to which a path can be added.
fn check_issuer(issuer: &str) -> Result<(), BuildError> {
    let is_one = |uri: &Uri| {
        matches!(uri.scheme_str(), Some("http" | "https"))
            && uri.authority().is_some_and(|authority| !authority.as_str().contains('@'))
            && uri.query().is_none()
            && !issuer.contains('#')
    };
    let error = || BuildError::Issuer(issuer.to_owned());
    issuer.parse().ok().filter(is_one).map(|_| ()).ok_or_else(error)
}

/// Read once per request.
#[allow(clippy::disallowed_methods)]
fn system_clock() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_ms(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_token_cannot_tell_is_refused_when_the_guard_is_built() {
        let build = |require: &str, mode| {
            Guard::builder("https://id.example.com").require(require.parse().unwrap()).mode(mode).build()
        };
        for require in ["active_account", "plan:pro|team", "permission:reports.read"] {
            assert!(build(require, Freshness::Strict).is_ok());
            let error = build(require, Freshness::Stateless).err().unwrap();
            assert!(matches!(&error, BuildError::NeedsStrict(_)) && error.to_string().contains("Strict"));
        }
        assert!(build("", Freshness::Stateless).is_ok());
    }

    #[test]
    fn what_is_no_address_is_no_issuer() {
        for odd in
            ["", "id.example.com", "ftp://a", "https://", "https://u:p@a", "https://a?b", "https://a#b"]
        {
            assert!(matches!(Guard::builder(odd).build(), Err(BuildError::Issuer(_))), "{odd}");
        }
        assert!(Guard::builder("http://127.0.0.1:1/").build().is_ok());
    }
}
