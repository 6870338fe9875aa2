//! The console's sessions, where no Redis keeps them.

use std::sync::LazyLock;

use async_trait::async_trait;
use tenure_domain::id::UserId;
use tenure_domain::time::Timestamp;
use tokio_postgres::types::Type;

use super::PostgresStore;
use super::row::{Fields, uuid};
use crate::row::{CONSOLE_SESSION, console_session, integer};
use crate::{ConsoleKey, ConsolePayload, ConsoleSession, ConsoleSessions, Result};

const PUT: &str = "INSERT INTO console_session (key, user_id, payload, created_at, expires_at) \
     VALUES ($1, $2, $3, $4, $5) \
     ON CONFLICT (key) DO UPDATE SET user_id = $2, payload = $3, created_at = $4, expires_at = $5";

static FIND: LazyLock<String> = LazyLock::new(|| {
    format!("SELECT {CONSOLE_SESSION} FROM console_session WHERE key = $1 AND expires_at > $2")
});

const RENEW: &str = "UPDATE console_session SET expires_at = $2, payload = coalesce($4, payload) \
     WHERE key = $1 AND expires_at > $3";

const DELETE: &str = "DELETE FROM console_session WHERE key = $1";
const DELETE_OF: &str = "DELETE FROM console_session WHERE user_id = $1";

/// Several nodes may do so at once: what one deletes the others pass over.
const EXPIRE: &str = "DELETE FROM console_session WHERE key IN \
     (SELECT key FROM console_session WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2 \
      FOR UPDATE SKIP LOCKED)";

#[async_trait]
impl ConsoleSessions for PostgresStore {
    async fn console_session_put(&self, session: ConsoleSession) -> Result<()> {
        let params: super::connect::Params<'_> = &[
            (&session.key.0.as_slice(), Type::BYTEA),
            (&uuid(session.user_id.as_bytes()), Type::UUID),
            (&session.payload.as_bytes(), Type::BYTEA),
            (&session.created_at.as_ms(), Type::INT8),
            (&session.expires_at.as_ms(), Type::INT8),
        ];
        self.db.get().await?.execute(PUT, params).await?;
        Ok(())
    }

    async fn console_session_find(&self, key: ConsoleKey, now: Timestamp) -> Result<Option<ConsoleSession>> {
        let params: super::connect::Params<'_> =
            &[(&key.0.as_slice(), Type::BYTEA), (&now.as_ms(), Type::INT8)];
        let row = self.db.get().await?.row(&FIND, params).await?;
        row.map(|row| console_session(&mut Fields::of(&row))).transpose()
    }

    async fn console_session_renew(
        &self,
        key: ConsoleKey,
        expires_at: Timestamp,
        payload: Option<ConsolePayload>,
        now: Timestamp,
    ) -> Result<bool> {
        let params: super::connect::Params<'_> = &[
            (&key.0.as_slice(), Type::BYTEA),
            (&expires_at.as_ms(), Type::INT8),
            (&now.as_ms(), Type::INT8),
            (&payload.as_ref().map(ConsolePayload::as_bytes), Type::BYTEA),
        ];
        Ok(self.db.get().await?.execute(RENEW, params).await? == 1)
    }

    async fn console_session_delete(&self, key: ConsoleKey) -> Result<()> {
        self.db.get().await?.execute(DELETE, &[(&key.0.as_slice(), Type::BYTEA)]).await?;
        Ok(())
    }

    async fn console_session_delete_of(&self, user_id: UserId) -> Result<()> {
        self.db.get().await?.execute(DELETE_OF, &[(&uuid(user_id.as_bytes()), Type::UUID)]).await?;
        Ok(())
    }

    async fn console_session_expire(&self, now: Timestamp, limit: usize) -> Result<u64> {
        let params: super::connect::Params<'_> = &[(&now.as_ms(), Type::INT8), (&integer(limit), Type::INT8)];
        self.db.get().await?.execute(EXPIRE, params).await
    }
}
