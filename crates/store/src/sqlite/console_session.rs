//! The console's sessions, where no Redis keeps them.

use std::sync::LazyLock;

use async_trait::async_trait;
use rusqlite::params;
use tenure_domain::id::UserId;
use tenure_domain::time::Timestamp;

use super::{SqliteStore, row};
use crate::{ConsoleKey, ConsolePayload, ConsoleSession, ConsoleSessions, Result};

const PUT: &str = "INSERT OR REPLACE INTO console_session (key, user_id, payload, created_at, expires_at) \
     VALUES (?1, ?2, ?3, ?4, ?5)";

static FIND: LazyLock<String> = LazyLock::new(|| {
    format!("SELECT {} FROM console_session WHERE key = ?1 AND expires_at > ?2", row::CONSOLE_SESSION)
});

const RENEW: &str = "UPDATE console_session SET expires_at = ?2, payload = coalesce(?4, payload) \
     WHERE key = ?1 AND expires_at > ?3";

const DELETE: &str = "DELETE FROM console_session WHERE key = ?1";
const DELETE_OF: &str = "DELETE FROM console_session WHERE user_id = ?1";

const EXPIRE: &str = "DELETE FROM console_session WHERE key IN \
     (SELECT key FROM console_session WHERE expires_at <= ?1 ORDER BY expires_at LIMIT ?2)";

#[async_trait]
impl ConsoleSessions for SqliteStore {
    async fn console_session_put(&self, session: ConsoleSession) -> Result<()> {
        let ConsoleSession { key, user_id, payload, created_at, expires_at } = session;
        let put = move |tx: &super::writer::Tx<'_>| {
            let (created_at, expires_at) = (created_at.as_ms(), expires_at.as_ms());
            let params = params![key.0, user_id.as_bytes(), payload.as_bytes(), created_at, expires_at];
            tx.conn.prepare_cached(PUT)?.execute(params)?;
            Ok(())
        };
        self.writer.write(put).await
    }

    async fn console_session_find(&self, key: ConsoleKey, now: Timestamp) -> Result<Option<ConsoleSession>> {
        let find = move |conn: &rusqlite::Connection| {
            row::one(conn, &FIND, params![key.0, now.as_ms()], |columns| row::console_session(columns))
        };
        self.readers.read(find).await
    }

    async fn console_session_renew(
        &self,
        key: ConsoleKey,
        expires_at: Timestamp,
        payload: Option<ConsolePayload>,
        now: Timestamp,
    ) -> Result<bool> {
        let renew = move |tx: &super::writer::Tx<'_>| {
            let payload = payload.as_ref().map(ConsolePayload::as_bytes);
            let params = params![key.0, expires_at.as_ms(), now.as_ms(), payload];
            Ok(tx.conn.prepare_cached(RENEW)?.execute(params)? == 1)
        };
        self.writer.write(renew).await
    }

    async fn console_session_delete(&self, key: ConsoleKey) -> Result<()> {
        self.writer.write(move |tx| Ok(tx.conn.prepare_cached(DELETE)?.execute([key.0]).map(drop)?)).await
    }

    async fn console_session_delete_of(&self, user_id: UserId) -> Result<()> {
        self.writer
            .write(move |tx| {
                Ok(tx.conn.prepare_cached(DELETE_OF)?.execute([user_id.as_bytes()]).map(drop)?)
            })
            .await
    }

    async fn console_session_expire(&self, now: Timestamp, limit: usize) -> Result<u64> {
        let params: [i64; 2] = [now.as_ms(), row::integer(limit)];
        self.writer.write(move |tx| Ok(tx.conn.prepare_cached(EXPIRE)?.execute(params)? as u64)).await
    }
}
