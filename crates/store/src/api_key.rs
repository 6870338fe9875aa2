//! API keys of accounts.

use std::collections::BTreeSet;
use std::time::Duration;

use async_trait::async_trait;
use tenure_domain::account::Slug;
use tenure_domain::api_key::{ApiKeyHash, ApiKeyState, scopes_to_text};
use tenure_domain::id::{AccountId, ApiKeyId};
use tenure_domain::time::Timestamp;

use crate::account::Difference;
use crate::{Decree, Entropy, Membership, Result};

/// How often it is written down at most that a key is in use.
pub const KEY_USE_NOTED_EVERY: Duration = Duration::from_secs(5 * 60);

/// A key as it is kept: without its secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiKey {
    pub id: ApiKeyId,
    pub account_id: AccountId,
    pub name: String,
    pub scopes: BTreeSet<Slug>,
    pub created_at: Timestamp,
    /// Accurate to [`KEY_USE_NOTED_EVERY`].
    pub last_used_at: Option<Timestamp>,
    pub state: ApiKeyState,
}

impl ApiKey {
    /// What takes its place, with another secret and as much time as it had itself.
    pub(crate) fn successor(&self, hash: ApiKeyHash) -> NewApiKey {
        let Self { name, scopes, state, .. } = self;
        NewApiKey { name: name.clone(), scopes: scopes.clone(), expires_at: state.expires_at, hash }
    }

    pub(crate) fn created(&self) -> Difference {
        ("api_key", None, Some(self.described()))
    }

    pub(crate) fn succeeded_by(&self, next: &ApiKey) -> Difference {
        ("api_key", Some(self.described()), Some(next.described()))
    }

    pub(crate) fn revoked(&self) -> Difference {
        ("api_key", Some(self.described()), None)
    }

    fn described(&self) -> String {
        format!("{} {} [{}]", self.id, self.name, scopes_to_text(&self.scopes))
    }
}

/// A key to make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewApiKey {
    pub name: String,
    pub scopes: BTreeSet<Slug>,
    pub expires_at: Option<Timestamp>,
    pub hash: ApiKeyHash,
}

impl NewApiKey {
    pub(crate) fn key(self, entropy: &dyn Entropy, account_id: AccountId, now: Timestamp) -> ApiKey {
        let Self { name, scopes, expires_at, hash } = self;
        let state = ApiKeyState { hash, expires_at, retires_at: None, revoked_at: None };
        let id = ApiKeyId::generate(now, entropy.draw());
        ApiKey { id, account_id, name, scopes, created_at: now, last_used_at: None, state }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ApiKeyCreated {
    Created(ApiKey),
    AccountGone,
    /// The account has as many live keys as it may have (`KEYS_PER_ACCOUNT_MAX`).
    TooMany,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ApiKeyRotated {
    /// The successor. The predecessor stands as long as it was told to, or less if it had to go earlier anyway.
    Rotated(ApiKey),
    TooMany,
    /// There is none of that id, or it opens nothing any more.
    Gone,
}

/// A key's row with the account it acts for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyHolder {
    pub key: ApiKey,
    pub membership: Membership,
}

/// API keys. Each change is an act of the account, written with it in one durable step.
#[async_trait]
pub trait ApiKeys: Send + Sync {
    async fn api_key_create(
        &self,
        account_id: AccountId,
        new: NewApiKey,
        decree: Decree,
        now: Timestamp,
    ) -> Result<ApiKeyCreated>;

    /// Makes a successor of the same name, scopes and expiry, with another secret, and has the predecessor retire at
    /// `until`. May be repeated, should the answer have been lost.
    async fn api_key_rotate(
        &self,
        id: ApiKeyId,
        hash: ApiKeyHash,
        until: Timestamp,
        decree: Decree,
        now: Timestamp,
    ) -> Result<ApiKeyRotated>;

    /// Revokes a key; one that was revoked before stays as it was. None if there is none of that id.
    async fn api_key_revoke(&self, id: ApiKeyId, decree: Decree, now: Timestamp) -> Result<Option<ApiKey>>;

    /// An account's keys, those that are live at `now` first, and of both the newest first; at most `limit`. All live
    /// ones are among the first `KEYS_PER_ACCOUNT_MAX`.
    async fn api_key_list(&self, account_id: AccountId, limit: usize, now: Timestamp) -> Result<Vec<ApiKey>>;

    /// Keys of one account or of all, newest first, after `after`, at most `limit`.
    async fn api_key_search(
        &self,
        account: Option<AccountId>,
        after: Option<ApiKeyId>,
        limit: usize,
    ) -> Result<Vec<ApiKey>>;

    /// A key and its account as they are now: each call reads them.
    async fn api_key_find(&self, id: ApiKeyId) -> Result<Option<KeyHolder>>;

    /// Notes that a key is in use, unless that was noted a little earlier ([`KEY_USE_NOTED_EVERY`]).
    async fn api_key_used(&self, id: ApiKeyId, now: Timestamp) -> Result<()>;
}
