//! Sessions of the administrators' console: server-side, short, and apart from the sessions of users.

use std::fmt;

use async_trait::async_trait;
use tenure_domain::id::UserId;
use tenure_domain::time::Timestamp;

use crate::Result;

/// The SHA-256 of the secret in a console's cookie. The secret itself is never stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ConsoleKey(pub [u8; 32]);

/// What the console remembers of a sign-in. The store does not look into it.
#[derive(Clone, PartialEq, Eq)]
pub struct ConsolePayload(Vec<u8>);

impl ConsolePayload {
    pub const BYTES_MAX: usize = 4096;

    /// None if it is larger than it may be.
    pub fn new(bytes: Vec<u8>) -> Option<Self> {
        (bytes.len() <= Self::BYTES_MAX).then_some(Self(bytes))
    }

    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// By its size: it may hold what is nobody's business.
impl fmt::Debug for ConsolePayload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ConsolePayload({} bytes)", self.0.len())
    }
}

/// One sign-in to the console.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsoleSession {
    pub key: ConsoleKey,
    pub user_id: UserId,
    pub payload: ConsolePayload,
    pub created_at: Timestamp,
    /// From then on it is as good as deleted.
    pub expires_at: Timestamp,
}

/// Where sign-ins to the console are kept: the database, or Redis. They may be lost, which costs somebody another
/// sign-in, but what was deleted never comes back. `Unavailable` where nobody can tell.
#[async_trait]
pub trait ConsoleSessions: Send + Sync {
    /// Keeps a new one, from its `created_at` on. One with the same key is replaced.
    async fn console_session_put(&self, session: ConsoleSession) -> Result<()>;

    /// None if it was deleted, has expired at `now`, or never was.
    async fn console_session_find(&self, key: ConsoleKey, now: Timestamp) -> Result<Option<ConsoleSession>>;

    /// Moves the expiry of one that is alive at `now`, and gives it another payload if there is one; false if none is.
    /// It brings none back, so it may race with a deletion.
    async fn console_session_renew(
        &self,
        key: ConsoleKey,
        expires_at: Timestamp,
        payload: Option<ConsolePayload>,
        now: Timestamp,
    ) -> Result<bool>;

    /// Deletes one. Deleting what is not there is no error.
    async fn console_session_delete(&self, key: ConsoleKey) -> Result<()>;

    /// Deletes all that a user has.
    async fn console_session_delete_of(&self, user_id: UserId) -> Result<()>;

    /// Deletes at most `limit` of those that have expired at `now`, which nobody sees any more; how many.
    async fn console_session_expire(&self, now: Timestamp, limit: usize) -> Result<u64>;
}
