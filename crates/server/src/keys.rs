//! The server's signing keys: made at first start, sealed in the store, rotated with overlap.
//!
//! Losing or rotating them signs nobody out: access tokens are replaceable, and a refresh replaces them.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use quick_cache::sync::Cache;
use tenure_domain::access_token::{AccessClaims, AccessTokenError, KeySet, SigningKey};
use tenure_domain::secret::{MasterSecret, SealingKey, UnsealError};
use tenure_domain::time::Timestamp;
use tenure_store::{Decree, Entropy, Store, StoreError, StoredKey};

/// Verified tokens remembered, so that the signature of one token is checked once, not once per request.
/// About a kilobyte each.
const VERIFIED_MAX: usize = 20_000;

#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("signing key {kid}: {cause}")]
    Seal { kid: String, cause: UnsealError },
    #[error("signing key {0} is damaged")]
    Damaged(String),
}

pub struct Keys {
    store: Arc<dyn Store>,
    entropy: Arc<dyn Entropy>,
    /// The first one seals; those after it, of earlier master secrets, only open.
    sealing: Vec<SealingKey>,
    loaded: RwLock<Loaded>,
    /// By the whole token: one byte different is another token.
    verified: Cache<Box<str>, Verified>,
}

#[derive(Clone)]
struct Loaded {
    /// The store's key epoch that `set` was read at; none before the first read.
    epoch: Option<u64>,
    set: Arc<KeySet>,
}

/// A token whose signature was good under the keys of an epoch, and says nothing under those of another: its
/// key may have been retired since.
#[derive(Clone)]
struct Verified {
    epoch: Option<u64>,
    claims: Arc<AccessClaims>,
}

impl Keys {
    /// With the secret that new keys are sealed under, and earlier ones under which some may still be.
    pub fn new(
        store: Arc<dyn Store>,
        entropy: Arc<dyn Entropy>,
        secret: &MasterSecret,
        previous: &[MasterSecret],
    ) -> Self {
        let sealing = std::iter::once(secret).chain(previous).map(MasterSecret::sealing_key).collect();
        let loaded = RwLock::new(Loaded { epoch: None, set: Arc::default() });
        Self { store, entropy, sealing, loaded, verified: Cache::new(VERIFIED_MAX) }
    }

    /// Makes the first key if there is none, and reads those there are.
    pub async fn prepare(&self, now: Timestamp) -> Result<(), KeyError> {
        let first = self.new_key(now, now)?;
        self.store.key_add(first, None, true, None).await?;
        self.current().await.map(|_| ())
    }

    /// The keys in force, read again whenever any process has changed them.
    pub async fn current(&self) -> Result<Arc<KeySet>, KeyError> {
        self.loaded().await.map(|loaded| loaded.set)
    }

    async fn loaded(&self) -> Result<Loaded, KeyError> {
        let epoch = Some(self.store.key_epoch().await?);
        {
            let loaded = self.loaded.read().unwrap_or_else(PoisonError::into_inner);
            if loaded.epoch == epoch {
                return Ok(loaded.clone());
            }
        }
        let loaded = Loaded { epoch, set: Arc::new(self.read().await?) };
        *self.loaded.write().unwrap_or_else(PoisonError::into_inner) = loaded.clone();
        Ok(loaded)
    }

    /// A key that cannot be opened, of a secret long gone, say, is left out: its tokens are replaced by the
    /// next refresh. If none can be, the secret is the wrong one, and that is said.
    async fn read(&self) -> Result<KeySet, KeyError> {
        let mut opened = vec![];
        let mut refused = None;
        for stored in self.store.key_list().await? {
            match self.open(stored) {
                Ok(key) => opened.push(key),
                Err(error) => {
                    tracing::warn!(%error, "a signing key is left out");
                    refused.get_or_insert(error);
                }
            }
        }
        match refused {
            Some(error) if opened.is_empty() => Err(error),
            _ => Ok(KeySet::new(opened)),
        }
    }

    fn open(&self, stored: StoredKey) -> Result<SigningKey, KeyError> {
        let seal = |cause| KeyError::Seal { kid: stored.kid.clone(), cause };
        let opened = self.sealing.iter().map(|key| key.open(&stored.sealed_seed, &stored.kid));
        let seed = opened.reduce(Result::or).unwrap_or(Err(UnsealError)).map_err(seal)?;
        SigningKey::from_seed(stored.kid.clone(), &seed, stored.activates_at, stored.retires_at)
            .map_err(|_| KeyError::Damaged(stored.kid))
    }

    /// Checks an access token. The signature of one that was seen before is not checked again; its time is.
    pub async fn verify(
        &self,
        token: &str,
        issuer: &str,
        audience: &str,
        now: Timestamp,
    ) -> Result<Result<Arc<AccessClaims>, AccessTokenError>, KeyError> {
        let Loaded { epoch, set } = self.loaded().await?;
        if let Some(seen) = self.verified.get(token).filter(|seen| seen.epoch == epoch) {
            if now.as_secs() < seen.claims.exp {
                return Ok(Ok(seen.claims));
            }
            self.verified.remove(token);
            return Ok(Err(AccessTokenError::Expired(AccessClaims::clone(&seen.claims))));
        }
        Ok(set.verify(token, issuer, audience, now).map(|claims| {
            let claims = Arc::new(claims);
            self.verified.insert(token.into(), Verified { epoch, claims: Arc::clone(&claims) });
            claims
        }))
    }

    /// Adds a key that signs from `now + publish_ahead` on. Those before it are accepted until every token
    /// they could have signed has expired.
    pub async fn rotate(
        &self,
        decree: Decree,
        now: Timestamp,
        publish_ahead: Duration,
        access_lifetime: Duration,
    ) -> Result<StoredKey, KeyError> {
        let activates_at = now + publish_ahead;
        let key = self.new_key(now, activates_at)?;
        // The expired but authentic token of a late sign-out should still be known: an hour of margin.
        let others_retire_at = activates_at + access_lifetime + Duration::from_secs(3600);
        self.store.key_add(key.clone(), Some(others_retire_at), false, Some(decree)).await?;
        Ok(key)
    }

    fn new_key(&self, now: Timestamp, activates_at: Timestamp) -> Result<StoredKey, KeyError> {
        let mut seed = [0; 32];
        let mut nonce = [0; 12];
        let mut name = [0; 4];
        for bytes in [seed.as_mut_slice(), &mut nonce, &mut name] {
            self.entropy.fill(bytes);
        }
        let kid = format!("k{}-{:08x}", now.as_secs(), u32::from_be_bytes(name));
        let sealed = self.sealing.first().ok_or(UnsealError).and_then(|key| key.seal(&seed, &kid, nonce));
        let sealed_seed = sealed.map_err(|cause| KeyError::Seal { kid: kid.clone(), cause })?;
        Ok(StoredKey { kid, sealed_seed, created_at: now, activates_at, retires_at: None })
    }
}
