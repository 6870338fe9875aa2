//! Ends that this node has lately heard of, its own and those of others, for the case that the database loses
//! them: in a fail-over to a replica that had not received the last second. An end that was answered stays one,
//! so they are written again (docs/decisions/0011).

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tenure_domain::ends::End;
use tenure_domain::id::SessionId;
use tokio_postgres::types::Type;

use super::connect::Conn;
use super::moment::Moment;
use super::row::{self, Fields, uuid};
use crate::row::{Columns as _, END, end};
use crate::{Result, StoreError};

/// How long an end is remembered while the database is there. Replicas are behind by seconds; longer than this
/// is not a fail-over but a restored backup.
const KEPT_FOR: Duration = Duration::from_secs(15 * 60);

/// Most ends remembered, about 200 bytes each: the youngest.
const KEPT_MAX: usize = 50_000;

/// Most rows in one statement.
const STEP: usize = 1_000;

const ALIVE: &str = "SELECT id FROM session WHERE id = ANY($1) AND ended_at IS NULL";

const RESTORE: &str = "UPDATE session SET ended_at = $2, end_reason = $3, end_actor = $4, end_note = $5, \
     receipt = $6 WHERE id = $1 AND ended_at IS NULL";

#[derive(Default)]
pub(super) struct Heard {
    ends: HashMap<SessionId, End>,
    /// When each was heard, oldest first.
    order: VecDeque<(Moment, SessionId)>,
}

impl Heard {
    /// Reads how sessions that changed have ended, if they have.
    pub async fn listen(&mut self, conn: &mut Conn, changed: &[SessionId], now: Moment) -> Result<()> {
        for changed in changed.chunks(STEP) {
            let keys: Vec<_> = changed.iter().map(|id| uuid(id.as_bytes())).collect();
            let sql =
                format!("SELECT s.id, {END} FROM session s WHERE s.id = ANY($1) AND s.ended_at IS NOT NULL");
            let rows = conn.rows(&sql, &[(&keys, Type::UUID_ARRAY)]).await?;
            let ends = row::readable(&rows, |columns: &mut Fields<'_>| {
                Ok((SessionId::from_bytes(columns.id("session")?), end(columns)?))
            });
            for (id, end) in ends {
                if let Some(end) = end
                    && self.ends.insert(id, end).is_none()
                {
                    self.order.push_back((now, id));
                }
            }
        }
        while self.order.len() > KEPT_MAX {
            self.forget_oldest();
        }
        Ok(())
    }

    /// Forgets what is old. Only to be called while the database is there: what was heard right before it went
    /// is needed when it comes back, however long that takes.
    pub fn tidy(&mut self, now: Moment) {
        while self.order.front().is_some_and(|(heard, _)| now.since(*heard) > KEPT_FOR) {
            self.forget_oldest();
        }
    }

    fn forget_oldest(&mut self) {
        if let Some((_, id)) = self.order.pop_front() {
            self.ends.remove(&id);
        }
    }

    /// Writes again what the database has lost, and counts it: each as it is written, since the next may fail.
    pub async fn restore(&self, conn: &mut Conn, restored: &AtomicU64) -> Result<()> {
        let ids: Vec<_> = self.ends.keys().copied().collect();
        for ids in ids.chunks(STEP) {
            let keys: Vec<_> = ids.iter().map(|id| uuid(id.as_bytes())).collect();
            let rows = conn.rows(ALIVE, &[(&keys, Type::UUID_ARRAY)]).await?;
            let alive = row::readable(&rows, |columns: &mut Fields<'_>| columns.id("session"));
            for id in alive.into_iter().map(SessionId::from_bytes) {
                if let Some(end) = self.ends.get(&id) {
                    restored.fetch_add(write(conn, id, end).await?, Ordering::Relaxed);
                    tracing::error!(
                        session = %id, reason = end.reason.as_str(), receipt = end.receipt.as_str(),
                        "the database had lost an end, which is written again; what else was changed at that \
                         time (a password, a disabled user) may be lost"
                    );
                }
            }
        }
        Ok(())
    }
}

async fn write(conn: &mut Conn, id: SessionId, end: &End) -> std::result::Result<u64, StoreError> {
    conn.execute(
        RESTORE,
        &[
            (&uuid(id.as_bytes()), Type::UUID),
            (&end.at.as_ms(), Type::INT8),
            (&end.reason.as_str(), Type::TEXT),
            (&end.actor.to_string(), Type::TEXT),
            (&end.note, Type::TEXT),
            (&end.receipt.as_str(), Type::TEXT),
        ],
    )
    .await
}
