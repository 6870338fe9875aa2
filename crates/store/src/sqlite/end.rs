//! Ends: the only statements that write one (protocol.md section 10).

use std::sync::LazyLock;

use rusqlite::{Connection, named_params, params};
use tenure_domain::ends::End;
use tenure_domain::event::Occurrence;
use tenure_domain::id::{SessionId, UserId};
use tenure_domain::session::Session;
use tenure_domain::time::{EXPIRY_GRACE, Timestamp};

use super::writer::Tx;
use super::{event, row};
use crate::row::Columns as _;
use crate::{EndOrder, Ended, Result, Scope, StoreError};

const END: &str = "UPDATE session SET ended_at = :at, end_reason = :reason, end_actor = :actor, \
     end_note = :note, receipt = :receipt WHERE id = :id AND ended_at IS NULL RETURNING user_id, json_object( \
     'remembered', json(iif(remembered, 'true', 'false')), 'created_at', created_at, 'expires_at', expires_at, 'last_used_at', last_used_at, \
     'refresh_count', refresh_count, 'base', base, 'head', head, 'handed_at', handed_at, 'healed', json(iif(healed, 'true', 'false')), \
     'contested_at', contested_at, 'note', end_note)";

/// Newest first. Rows that have expired at `:dead_by` are no longer anybody's to end but the clock's; a time
/// before 1970 is damage and says nothing.
const LIVE: &str = "SELECT id FROM session \
     WHERE user_id = :user AND ended_at IS NULL AND expires_at NOT BETWEEN 0 AND :dead_by ORDER BY id DESC";

static FIND: LazyLock<String> =
    LazyLock::new(|| format!("SELECT {} FROM session s WHERE s.id = ?1", row::SESSION));

/// The latest `expires_at` of a session that is expired at `now`, as `Session::is_expired` has it.
pub(super) fn dead_by(now: Timestamp) -> i64 {
    (now - EXPIRY_GRACE).as_ms()
}

/// Ends a session. None if it has ended already, or is not there: the first end stands.
pub(super) fn write(tx: &Tx<'_>, id: SessionId, order: &EndOrder, now: Timestamp) -> Result<Option<End>> {
    // With its record or not at all, also where the job has no savepoint of its own.
    tx.conn.prepare_cached("SAVEPOINT ending")?.execute(())?;
    let written = write_both(tx, id, order, now);
    if written.is_err() {
        tx.conn.prepare_cached("ROLLBACK TO ending")?.execute(())?;
    }
    tx.conn.prepare_cached("RELEASE ending")?.execute(())?;
    written
}

fn write_both(tx: &Tx<'_>, id: SessionId, order: &EndOrder, now: Timestamp) -> Result<Option<End>> {
    let end = order.end(tx.entropy, now);
    let params = named_params! {
        ":at": end.at.as_ms(),
        ":reason": end.reason.as_str(),
        ":actor": end.actor.to_string(),
        ":note": end.note,
        ":receipt": end.receipt.as_str(),
        ":id": id.as_bytes(),
    };
    // Of a damaged row as much as can be read: it is ended all the same.
    let stood = row::one(tx.conn, END, params, |columns| {
        let user = columns.id_or_null("session").ok().flatten().map(UserId::from_bytes);
        Ok((user, columns.text_or_null("session").ok().flatten()))
    })?;
    let Some((user, detail)) = stood else { return Ok(None) };
    event::write(tx, Occurrence { user, detail, ..order.ended(id, &end) })?;
    Ok(Some(end))
}

/// Ends a session that was read in this transaction, or says how it has ended. One that has expired unnoticed
/// is ended by the clock, whatever the order says: an end has one reason, and that was first.
pub(super) fn settle(tx: &Tx<'_>, session: Session, order: &EndOrder, now: Timestamp) -> Result<Ended> {
    let session_id = session.id;
    if let Some(end) = session.ended {
        return Ok(Ended { session_id, end, newly: false });
    }
    let expiry = session.is_expired(now).then(|| EndOrder::expiry(&session));
    let order = expiry.as_ref().unwrap_or(order);
    let end = write(tx, session_id, order, now)?.ok_or_else(moved)?;
    Ok(Ended { session_id, end, newly: true })
}

/// A row read in a transaction that excludes other writers is no longer as it was read.
pub(super) fn moved() -> StoreError {
    StoreError::Unavailable("a session changed while it was being written".into())
}

/// Ends what a scope names of a user's sessions. Only `One` also reports an earlier end.
pub(super) fn scope(
    tx: &Tx<'_>,
    user_id: UserId,
    scope: Scope,
    order: &EndOrder,
    now: Timestamp,
) -> Result<Vec<Ended>> {
    let kept = match scope {
        Scope::One(id) => {
            let session = find(tx.conn, id)?.filter(|session| session.user_id == user_id);
            return session.map(|session| settle(tx, session, order, now)).into_iter().collect();
        }
        Scope::AllBut(id) => Some(id),
        Scope::All => None,
    };
    let mut ended = Vec::new();
    for session_id in live(tx.conn, user_id, now)?.into_iter().filter(|id| Some(*id) != kept) {
        if let Some(end) = write(tx, session_id, order, now)? {
            ended.push(Ended { session_id, end, newly: true });
        }
    }
    Ok(ended)
}

/// The ids alone, so that a row with other damage can still be ended. One without a proper id is out of
/// anybody's reach: no token can name it.
fn live(conn: &Connection, user_id: UserId, now: Timestamp) -> Result<Vec<SessionId>> {
    let params = named_params! {":user": user_id.as_bytes(), ":dead_by": dead_by(now)};
    row::readable(conn, LIVE, params, |columns| Ok(SessionId::from_bytes(columns.bytes("session")?)))
}

/// The live sessions of a user on a device that were created before some time.
pub(super) fn on_device(
    conn: &Connection,
    user_id: UserId,
    device_id: &str,
    before: Timestamp,
    now: Timestamp,
) -> Result<Vec<SessionId>> {
    let is_on_device = |id: &SessionId| {
        let sql = "SELECT 1 FROM session s JOIN session_device d ON d.session_id = s.id \
             WHERE s.id = ?1 AND d.device_id = ?2 AND s.created_at < ?3";
        row::one(conn, sql, params![id.as_bytes(), device_id, before.as_ms()], |_| Ok(()))
    };
    let mut ids = Vec::new();
    for id in live(conn, user_id, now)? {
        if is_on_device(&id)?.is_some() {
            ids.push(id);
        }
    }
    Ok(ids)
}

pub(super) fn find(conn: &Connection, id: SessionId) -> Result<Option<Session>> {
    row::one(conn, &FIND, [id.as_bytes()], |columns| row::session(columns))
}
