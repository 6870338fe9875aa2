//! Signing keys as they are kept, and which of them signs.

use async_trait::async_trait;
use tenure_domain::time::Timestamp;

use crate::account::Difference;
use crate::{Decree, Result};

/// A signing key as it is kept: the seed is sealed under the master secret, which the store never sees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredKey {
    pub kid: String,
    pub sealed_seed: Vec<u8>,
    pub created_at: Timestamp,
    pub activates_at: Timestamp,
    pub retires_at: Option<Timestamp>,
}

/// What a key is for, at some time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyState {
    Signs,
    /// Known to everybody, and not yet in use.
    Published,
    /// Signs no more; what it has signed stands.
    Verifies,
    Retired,
}

impl KeyState {
    pub const fn as_str(self) -> &'static str {
        match self {
            KeyState::Signs => "signs",
            KeyState::Published => "published",
            KeyState::Verifies => "verifies",
            KeyState::Retired => "retired",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyRetired {
    Retired,
    /// It was already, and nothing has changed.
    Before,
    Gone,
    /// Without it no key would sign, now or once the others have retired, so it stays.
    LastSigner,
}

impl StoredKey {
    /// The key that signs at `now`: of those active and not retired, the newest.
    pub fn signer<'k>(keys: impl IntoIterator<Item = &'k StoredKey>, now: Timestamp) -> Option<&'k str> {
        let able = |key: &&StoredKey| key.activates_at <= now && key.retires_at.is_none_or(|at| now < at);
        let newest = keys.into_iter().filter(able).max_by_key(|key| (key.activates_at, &key.kid));
        newest.map(|key| key.kid.as_str())
    }

    /// What it is for where `signer` signs.
    pub fn state(&self, signer: Option<&str>, now: Timestamp) -> KeyState {
        match self.retires_at {
            Some(at) if at <= now => KeyState::Retired,
            _ if signer == Some(&self.kid) => KeyState::Signs,
            _ if self.activates_at > now => KeyState::Published,
            _ => KeyState::Verifies,
        }
    }

    /// What retiring one of these keys would come to.
    pub fn would_retire(keys: &[StoredKey], kid: &str, now: Timestamp) -> KeyRetired {
        let Some(key) = keys.iter().find(|key| key.kid == kid) else { return KeyRetired::Gone };
        if key.retires_at.is_some_and(|at| at <= now) {
            return KeyRetired::Before;
        }
        let others: Vec<_> = keys.iter().filter(|key| key.kid != kid).collect();
        match StoredKey::go_on_signing(&others, now) {
            true => KeyRetired::Retired,
            false => KeyRetired::LastSigner,
        }
    }

    /// Whether one of them signs at `now` and one at every time to come: a rotation gives the keys before it a time to
    /// retire, so that one may sign now and none in an hour.
    fn go_on_signing(keys: &[&StoredKey], now: Timestamp) -> bool {
        let is_bridged = |to: Timestamp| {
            let lasts = |key: &&StoredKey| key.retires_at.is_none_or(|at| at > now && at >= to);
            keys.iter().any(|key| key.activates_at <= now && lasts(key))
        };
        keys.iter().any(|heir| heir.retires_at.is_none() && is_bridged(heir.activates_at))
    }
}

/// What became of a key as a whole: `added`, `retired`.
pub(crate) fn state(became: &str) -> Difference {
    ("state", None, Some(became.to_owned()))
}

/// Signing keys.
#[async_trait]
pub trait Keys: Send + Sync {
    /// Adds a key and, in the same step, sets when the keys before it retire (those without a time yet).
    /// With `only_if_none` it is a no-op, false, if any key exists: several nodes may start at once. On somebody's
    /// decree it is an act.
    async fn key_add(
        &self,
        key: StoredKey,
        others_retire_at: Option<Timestamp>,
        only_if_none: bool,
        decree: Option<Decree>,
    ) -> Result<bool>;

    /// All keys, newest first, retired ones too.
    async fn key_list(&self) -> Result<Vec<StoredKey>>;

    /// Retires a key as of `now`, unless the others would not go on signing; it is an act.
    async fn key_retire(&self, kid: &str, decree: Decree, now: Timestamp) -> Result<KeyRetired>;

    /// A number that changes whenever keys change, by whichever process; as cheap as `caller`.
    async fn key_epoch(&self) -> Result<u64>;
}
