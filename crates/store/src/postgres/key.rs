//! Signing keys, sealed.

use async_trait::async_trait;
use tenure_domain::event::EventKind;
use tenure_domain::time::Timestamp;
use tokio_postgres::types::Type;

use super::connect::Conn;
use super::{PostgresStore, event, row};
use crate::{Keys, Result, StoredKey};

/// Of nodes that start at once, one makes the first key.
const ALONE: &str = "LOCK TABLE signing_key IN SHARE ROW EXCLUSIVE MODE";

const INSERT: &str = "INSERT INTO signing_key (kid, sealed_seed, created_at, activates_at, retires_at) \
     VALUES ($1, $2, $3, $4, $5)";

const LIST: &str = "SELECT kid, sealed_seed, created_at, activates_at, retires_at FROM signing_key \
     ORDER BY created_at DESC, kid DESC";

/// A key that is already on its way out keeps its earlier time.
const RETIRE: &str = "UPDATE signing_key SET retires_at = least(retires_at, $2) WHERE kid = $1";

const RETIRE_OTHERS: &str = "UPDATE signing_key SET retires_at = $1 WHERE retires_at IS NULL";

#[async_trait]
impl Keys for PostgresStore {
    async fn key_add(
        &self,
        key: StoredKey,
        others_retire_at: Option<Timestamp>,
        only_if_none: bool,
    ) -> Result<bool> {
        let any = "SELECT 1 FROM signing_key LIMIT 1";
        let mut conn = self.db.get().await?;
        // Asked first without the lock, so that nodes start while the database cannot be written.
        if only_if_none && conn.row(any, &[]).await?.is_some() {
            return Ok(false);
        }
        conn.begin().await?;
        conn.batch(ALONE).await?;
        if only_if_none && conn.row(any, &[]).await?.is_some() {
            conn.roll_back().await?;
            return Ok(false);
        }
        add(&mut conn, &key, others_retire_at).await?;
        let added = crate::event::key(EventKind::SigningKeyAdded, &key.kid, key.created_at);
        event::write(&mut conn, &*self.entropy, added).await?;
        conn.commit().await?;
        self.feed.tell().await;
        Ok(true)
    }

    async fn key_list(&self) -> Result<Vec<StoredKey>> {
        // A key that cannot be read must not keep the server from signing with the others.
        let rows = self.db.get().await?.rows(LIST, &[]).await?;
        Ok(row::readable(&rows, |columns| crate::row::signing_key(columns)))
    }

    async fn key_retire(&self, kid: &str, now: Timestamp) -> Result<bool> {
        let params = [(&kid as _, Type::TEXT), (&now.as_ms() as _, Type::INT8)];
        let mut conn = self.db.get().await?;
        conn.begin().await?;
        let found = conn.execute(RETIRE, &params).await? == 1;
        if found {
            let retired = crate::event::key(EventKind::SigningKeyRetired, kid, now);
            event::write(&mut conn, &*self.entropy, retired).await?;
        }
        conn.commit().await?;
        self.feed.tell().await;
        Ok(found)
    }

    async fn key_epoch(&self) -> Result<u64> {
        self.feed.key_epoch().await
    }
}

async fn add(conn: &mut Conn, key: &StoredKey, others_retire_at: Option<Timestamp>) -> Result<()> {
    if let Some(at) = others_retire_at {
        conn.execute(RETIRE_OTHERS, &[(&at.as_ms(), Type::INT8)]).await?;
    }
    conn.execute(
        INSERT,
        &[
            (&key.kid, Type::TEXT),
            (&key.sealed_seed, Type::BYTEA),
            (&key.created_at.as_ms(), Type::INT8),
            (&key.activates_at.as_ms(), Type::INT8),
            (&key.retires_at.map(Timestamp::as_ms), Type::INT8),
        ],
    )
    .await?;
    Ok(())
}
