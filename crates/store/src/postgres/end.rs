//! Ends: the only statements that write one (protocol.md section 10).
//!
//! Whoever takes several locks takes them in one order: first the user's row, then sessions by their ids.

use std::sync::LazyLock;

use tenure_domain::event::EventKind;
use tenure_domain::id::{EventId, SessionId, UserId};
use tenure_domain::session::Session;
use tenure_domain::time::{EXPIRY_GRACE, Timestamp};
use tokio_postgres::types::Type;
use uuid::Uuid;

use super::connect::Conn;
use super::row::{self, Fields, uuid};
use crate::row::{Columns as _, SESSION};
use crate::{EndOrder, Ended, Entropy, Result, Scope, StoreError};

/// With the record of it, in one statement: an end and its receipt are written together or not at all.
const END: &str = "WITH ended AS ( \
       UPDATE session s SET ended_at = $1, end_reason = $2, end_actor = $3, end_note = $4, receipt = one.receipt \
       FROM unnest($5::uuid[], $6::text[], $7::uuid[]) AS one (id, receipt, event) \
       WHERE s.id = one.id AND s.ended_at IS NULL RETURNING s.*, one.event), \
     noted AS ( \
       INSERT INTO event (id, at, kind, user_id, session_id, subject, actor, address, user_agent, cause, count, detail) \
       SELECT event, $1, $8, user_id, id, receipt, $3, $9, $10, $2, 1, json_build_object( \
         'remembered', remembered, 'created_at', created_at, 'expires_at', expires_at, 'last_used_at', last_used_at, \
         'refresh_count', refresh_count, 'base', base, 'head', head, 'handed_at', handed_at, 'healed', healed, \
         'contested_at', contested_at, 'note', end_note)::text FROM ended) \
     SELECT id FROM ended";

/// Rows that have expired at `$2` are no longer anybody's to end but the clock's; a time before 1970 is damage
/// and says nothing.
const LIVE: &str = "SELECT id FROM session WHERE user_id = $1 AND ended_at IS NULL \
     AND expires_at NOT BETWEEN 0 AND $2 ORDER BY id FOR NO KEY UPDATE";

const ON_DEVICE: &str = "SELECT s.id FROM session s JOIN session_device d ON d.session_id = s.id \
     WHERE s.user_id = $1 AND s.ended_at IS NULL AND s.expires_at NOT BETWEEN 0 AND $2 \
     AND d.device_id = $3 AND s.created_at < $4 ORDER BY s.id FOR NO KEY UPDATE OF s";

static LOCK: LazyLock<String> = LazyLock::new(|| {
    format!("SELECT {SESSION} FROM session s WHERE s.id = ANY($1) ORDER BY s.id FOR NO KEY UPDATE")
});

/// The latest `expires_at` of a session that is expired at `now`, as `Session::is_expired` has it.
pub(super) fn dead_by(now: Timestamp) -> i64 {
    (now - EXPIRY_GRACE).as_ms()
}

/// Ends those of the sessions that have not ended, each with a receipt of its own; in the order of `ids`.
pub(super) async fn write(
    conn: &mut Conn,
    entropy: &dyn Entropy,
    ids: &[SessionId],
    order: &EndOrder,
    now: Timestamp,
) -> Result<Vec<Ended>> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let ends: Vec<_> = ids.iter().map(|_| order.end(entropy, now)).collect();
    let receipts: Vec<_> = ends.iter().map(|end| end.receipt.as_str()).collect();
    let keys: Vec<_> = ids.iter().map(|id| uuid(id.as_bytes())).collect();
    let events = ids.iter().map(|_| uuid(EventId::generate(now, entropy.draw()).as_bytes()));
    let events: Vec<_> = events.collect();
    let rows = conn
        .rows(
            END,
            &[
                (&now.as_ms(), Type::INT8),
                (&order.reason.as_str(), Type::TEXT),
                (&order.actor.to_string(), Type::TEXT),
                (&order.note, Type::TEXT),
                (&keys, Type::UUID_ARRAY),
                (&receipts, Type::TEXT_ARRAY),
                (&events, Type::UUID_ARRAY),
                (&EventKind::SessionEnded.as_str(), Type::TEXT),
                (&order.whence.address, Type::TEXT),
                (&order.whence.user_agent, Type::TEXT),
            ],
        )
        .await?;
    let written: Vec<Uuid> = rows.iter().filter_map(|row| row.try_get(0).ok()).collect();
    let newly = ids.iter().zip(ends).filter(|(id, _)| written.contains(&uuid(id.as_bytes())));
    Ok(newly.map(|(id, end)| Ended { session_id: *id, end, newly: true }).collect())
}

/// Ends sessions that this transaction has locked, or says how they have ended. One that has expired unnoticed
/// is ended by the clock, whatever the order says: an end has one reason, and that was first.
pub(super) async fn settle(
    conn: &mut Conn,
    entropy: &dyn Entropy,
    sessions: Vec<Session>,
    order: &EndOrder,
    now: Timestamp,
) -> Result<Vec<Ended>> {
    let mut ended = Vec::with_capacity(sessions.len());
    for session in sessions {
        let session_id = session.id;
        if let Some(end) = session.ended {
            ended.push(Ended { session_id, end, newly: false });
            continue;
        }
        let expiry = EndOrder::expiry(&session);
        let order = if session.is_expired(now) { &expiry } else { order };
        let newly = write(conn, entropy, &[session_id], order, now).await?;
        ended.extend(newly);
    }
    Ok(ended)
}

/// Reads and locks sessions, in the order of their ids. One that cannot be read is left out like one that is
/// not there.
pub(super) async fn lock(conn: &mut Conn, ids: &[SessionId]) -> Result<Vec<Session>> {
    let keys: Vec<_> = ids.iter().map(|id| uuid(id.as_bytes())).collect();
    let rows = conn.rows(&LOCK, &[(&keys, Type::UUID_ARRAY)]).await?;
    Ok(row::readable(&rows, |columns| crate::row::session(columns)))
}

/// Keeps a user's sign-ins, ends and changes apart from each other until the transaction is over. False if
/// there is no such user.
pub(super) async fn lock_user(conn: &mut Conn, id: UserId) -> Result<bool> {
    let lock = "SELECT 1 FROM \"user\" WHERE id = $1 FOR NO KEY UPDATE";
    Ok(conn.row(lock, &[(&uuid(id.as_bytes()), Type::UUID)]).await?.is_some())
}

/// Ends what a scope names of a user's sessions, newest first. Only `One` also reports an earlier end.
pub(super) async fn scope(
    conn: &mut Conn,
    entropy: &dyn Entropy,
    user_id: UserId,
    scope: Scope,
    order: &EndOrder,
    now: Timestamp,
) -> Result<Vec<Ended>> {
    let kept = match scope {
        Scope::One(id) => {
            let session = one(conn, id).await?.filter(|session| session.user_id == user_id);
            return settle(conn, entropy, session.into_iter().collect(), order, now).await;
        }
        Scope::AllBut(id) => Some(id),
        Scope::All => None,
    };
    let live = [(&uuid(user_id.as_bytes()) as _, Type::UUID), (&dead_by(now) as _, Type::INT8)];
    let ids = ids(&conn.rows(LIVE, &live).await?);
    let ids: Vec<_> = ids.into_iter().rev().filter(|id| Some(*id) != kept).collect();
    write(conn, entropy, &ids, order, now).await
}

/// The session, locked. Unlike in a list, one that cannot be read is an error.
async fn one(conn: &mut Conn, id: SessionId) -> Result<Option<Session>> {
    let row = conn.row(&LOCK, &[(&[uuid(id.as_bytes())].as_slice(), Type::UUID_ARRAY)]).await?;
    row.map(|row| crate::row::session(&mut Fields::of(&row))).transpose()
}

/// The live sessions of a user on a device that were created before some time, locked.
pub(super) async fn on_device(
    conn: &mut Conn,
    user_id: UserId,
    device_id: &str,
    before: Timestamp,
    now: Timestamp,
) -> Result<Vec<SessionId>> {
    let rows = conn
        .rows(
            ON_DEVICE,
            &[
                (&uuid(user_id.as_bytes()), Type::UUID),
                (&dead_by(now), Type::INT8),
                (&device_id, Type::TEXT),
                (&before.as_ms(), Type::INT8),
            ],
        )
        .await?;
    Ok(ids(&rows).into_iter().rev().collect())
}

fn ids(rows: &[tokio_postgres::Row]) -> Vec<SessionId> {
    row::readable(rows, |columns| Ok(SessionId::from_bytes(columns.id("session")?)))
}

/// A row that nobody else may write in this transaction is no longer as it was read.
pub(super) fn moved() -> StoreError {
    StoreError::Unavailable("a session changed while it was being written".into())
}
