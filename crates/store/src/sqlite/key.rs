//! Signing keys, sealed.

use async_trait::async_trait;
use rusqlite::params;
use tenure_domain::event::EventKind;
use tenure_domain::time::Timestamp;

use super::writer::Tx;
use super::{SqliteStore, event, row};
use crate::{Keys, Result, StoredKey};

const INSERT: &str = "INSERT INTO signing_key (kid, sealed_seed, created_at, activates_at, retires_at) \
     VALUES (?1, ?2, ?3, ?4, ?5)";

const LIST: &str = "SELECT kid, sealed_seed, created_at, activates_at, retires_at FROM signing_key \
     ORDER BY created_at DESC, kid DESC";

/// A key that is already on its way out keeps its earlier time.
const RETIRE: &str = "UPDATE signing_key SET retires_at = min(coalesce(retires_at, ?2), ?2) WHERE kid = ?1";

const RETIRE_OTHERS: &str = "UPDATE signing_key SET retires_at = ?1 WHERE retires_at IS NULL";

#[async_trait]
impl Keys for SqliteStore {
    async fn key_add(
        &self,
        key: StoredKey,
        others_retire_at: Option<Timestamp>,
        only_if_none: bool,
    ) -> Result<bool> {
        self.writer.write_composed(move |tx| add(tx, &key, others_retire_at, only_if_none)).await
    }

    async fn key_list(&self) -> Result<Vec<StoredKey>> {
        // A key that cannot be read must not keep the server from signing with the others.
        self.readers.read(|conn| row::readable(conn, LIST, (), |columns| row::signing_key(columns))).await
    }

    async fn key_retire(&self, kid: &str, now: Timestamp) -> Result<bool> {
        let kid = kid.to_owned();
        self.writer
            .write_composed(move |tx| {
                let found = tx.conn.prepare_cached(RETIRE)?.execute(params![kid, now.as_ms()])? == 1;
                if found {
                    event::write(tx, crate::event::key(EventKind::SigningKeyRetired, &kid, now))?;
                }
                Ok(found)
            })
            .await
    }

    async fn key_epoch(&self) -> Result<u64> {
        self.feed.key_epoch()
    }
}

fn add(
    tx: &Tx<'_>,
    key: &StoredKey,
    others_retire_at: Option<Timestamp>,
    only_if_none: bool,
) -> Result<bool> {
    let any = "SELECT 1 FROM signing_key LIMIT 1";
    if only_if_none && row::one(tx.conn, any, (), |_| Ok(()))?.is_some() {
        return Ok(false);
    }
    if let Some(at) = others_retire_at {
        tx.conn.prepare_cached(RETIRE_OTHERS)?.execute([at.as_ms()])?;
    }
    tx.conn.prepare_cached(INSERT)?.execute(params![
        key.kid,
        key.sealed_seed,
        key.created_at.as_ms(),
        key.activates_at.as_ms(),
        key.retires_at.map(Timestamp::as_ms),
    ])?;
    event::write(tx, crate::event::key(EventKind::SigningKeyAdded, &key.kid, key.created_at))?;
    Ok(true)
}
