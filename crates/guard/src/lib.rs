//! For services that are not Tenure and accept its access tokens: a tower [`Layer`](tower::Layer) that lets a request
//! through only if it is known who sends it, and hands that on as an [`Identity`].
//!
//! There are three ways to know, and a service chooses one ([`Freshness`]):
//!
//! - [`Freshness::Strict`] asks the issuer (`GET /api/v1/auth/check`) for each request and takes its answer. A session
//!   that was ended is refused by the very next request; account, plan and permission can be required; API keys are
//!   accepted. Each request costs one to the issuer, and while the issuer is away nobody is let through.
//! - [`Freshness::Push`] is told by the issuer what ends, over one connection that it keeps in the background, and checks
//!   tokens by itself. A session that was ended is refused within a fraction of a second. It asks only where it has not been
//!   told enough: while the connection is not live, of tokens from before it was, of API keys, and of everything that is
//!   required. It needs an API key with the scope `revocations.read`, and a Tokio runtime when it is built.
//! - [`Freshness::Stateless`] checks the token's signature and claims with the issuer's published keys and asks nobody.
//!   **A session that was ended stays accepted until its access token expires** (15 minutes unless the issuer says
//!   otherwise) **by the clock of this machine**, which has to be right. API keys are refused, and nothing can be required.
//!
//! Choose `Strict` unless its load or its delay hurts, and for what depends on account, plan or permission; `Push` for what
//! many requests need and an ended session must not reach; `Stateless` where neither the issuer nor a connection to it can be
//! relied on, and a quarter of an hour does no harm.
//!
//! # The feed
//!
//! It is *live* ([`Guard::feed_is_live`]) from when all was told that still matters until the issuer has been silent for ten
//! seconds ([`Builder::silence_max`]), has hung up, or has told more than is kept. Only while it is live is anybody let in
//! without asking, so **an end goes unnoticed for at most that long**, and only if the network hangs without saying so; or for
//! up to three times as long, should it hold everything back first. Tokens expire by the issuer's clock, of which each beat
//! tells, so it does not matter what this machine's says. A feed that cannot be had (a wrong key, an issuer of an older
//! version, a proxy that collects answers first) makes each request cost what it costs with `Strict`, and refuses nobody; a `warn` event of `tracing` says why, once. What is kept is
//! bounded, and forgotten when every token that it concerns has expired. Clones share one connection, which ends with the
//! last of them. Account, plan and e-mail are not told: an [`Identity`] that nobody was asked for has none.
//!
//! # What is answered
//!
//! A refusal is 401, 402, 403, or 429 for whoever asks too often, with a body of RFC 9457 and a code out of Tenure's closed
//! set; of the issuer it is handed on word for word. **401 means that somebody knows.** If the issuer does not answer, answers late, or something
//! else answers in its place (a captive portal, a proxy's error page, a redirect), the request is answered 503
//! `storage_unavailable` with `Retry-After`, so that no client takes a bad network for a sign-out. For the same reason a
//! code that ends a session is never handed on: the issuer's check does not say such a thing.
//!
//! # Keys
//!
//! `Stateless` and `Push` keep the issuer's keys for as long as their `max-age` says, and then fetch them again, one fetch at a
//! time for all callers. While the issuer is away it goes on with the keys it has: what they verify still expires within
//! minutes, and stale keys turn away nobody who was let in a moment ago. The price is that a key which was withdrawn in
//! that time is still believed. A token under a key that is not known yet is reason to fetch, but at most every ten
//! seconds, so that made-up keys do not become a load for the issuer.
//!
//! # Headers
//!
//! Whatever a client sends under `tenure-*`, the names under which proxies tell identities, is removed. Who is calling
//! is in the request's extensions, where no client can write.

#![cfg_attr(feature = "axum", doc = include_str!("../README.md"))]
#![forbid(unsafe_code)]

mod answer;
mod builder;
mod events;
#[cfg(feature = "axum")]
mod extract;
mod feed;
mod http_client;
mod identity;
mod keys;
mod known;
mod push;
mod service;
mod stateless;
mod strict;

pub use builder::{BuildError, Builder, Clock, Freshness, Guard};
#[cfg(feature = "axum")]
pub use extract::LayerMissing;
pub use identity::Identity;
pub use service::{GuardLayer, GuardService};

pub use tenure_domain::account::Slug;
pub use tenure_domain::entitlement::{Need, Requirement};
pub use tenure_domain::id::{AccountId, ApiKeyId, SessionId, UserId};
pub use tenure_domain::time::Timestamp;
pub use tenure_domain::user::Role;
