//! Sessions: sign-in, lists, counting, sweeping. What is presented is in `refresh`, how they end in `end`.

use std::sync::{Arc, LazyLock};

use async_trait::async_trait;
use rusqlite::{named_params, params};
use tenure_domain::id::{ReceiptId, SessionId, UserId};
use tenure_domain::limit::SESSIONS_LISTED_MAX;
use tenure_domain::refresh_token::PresentedToken;
use tenure_domain::session::{RefreshRules, Session, may_begin};
use tenure_domain::time::Timestamp;

use super::end::{self, dead_by};
use super::writer::Tx;
use super::{SqliteStore, event, import, refresh, row, user};
use crate::row::Columns as _;
use crate::{
    Caller, Changed, EndOrder, Ended, NewSession, RefreshRequest, Refreshed, Result, Scope, SessionCount,
    SessionCreated, SessionFilter, SessionRecord, SessionState, Sessions,
};

const INSERT: &str = "INSERT INTO session (id, user_id, salt, remembered, created_at, expires_at, \
     base, head, handed_at, healed, last_used_at, refresh_count) \
     VALUES (:id, :user_id, :salt, :remembered, :now, :expires_at, \
     :base, :head, :handed_at, :healed, :now, 0)";

const INSERT_DEVICE: &str =
    "INSERT INTO session_device (session_id, device_id, user_agent, address) VALUES (?1, ?2, ?3, ?4)";

/// Each finds its rows by an index of its own, and takes from it no more than it is allowed to.
const ENDED_BEFORE: &str = "SELECT id FROM session WHERE ended_at < ?1 ORDER BY ended_at LIMIT ?2";
const EXPIRED_BY: &str = "SELECT id FROM session \
     WHERE ended_at IS NULL AND expires_at BETWEEN 0 AND ?1 ORDER BY expires_at LIMIT ?2";

const COUNT: &str = "SELECT count(*) FROM session WHERE ended_at IS NULL AND expires_at > ?1";

const COUNT_REMEMBERED: &str =
    "SELECT count(*) FROM session WHERE ended_at IS NULL AND remembered = 1 AND expires_at > ?1";

static FIND: LazyLock<String> = LazyLock::new(|| record("s.id = :id"));

static BY_RECEIPT: LazyLock<String> =
    LazyLock::new(|| record("s.receipt = :receipt ORDER BY s.id DESC LIMIT :limit"));

fn record(condition: &str) -> String {
    format!(
        "SELECT {}, {} FROM session s LEFT JOIN session_device d ON d.session_id = s.id WHERE {condition}",
        row::SESSION,
        row::RECORD
    )
}

#[async_trait]
impl Sessions for SqliteStore {
    async fn session_create(
        &self,
        user_id: UserId,
        token_version: u32,
        new: NewSession,
        now: Timestamp,
    ) -> Result<SessionCreated> {
        self.writer.write_composed(move |tx| create(tx, user_id, token_version, &new, now)).await
    }

    async fn session_refresh(&self, request: RefreshRequest, now: Timestamp) -> Result<Vec<Refreshed>> {
        // Each token is one statement or none, and each stands by itself.
        self.writer.write(move |tx| refresh::refresh(tx, &request, now)).await
    }

    async fn session_end_presented(
        &self,
        tokens: Vec<PresentedToken>,
        rules: Arc<RefreshRules>,
        order: EndOrder,
        now: Timestamp,
    ) -> Result<Vec<Ended>> {
        self.writer.write_composed(move |tx| refresh::end_presented(tx, &tokens, &rules, &order, now)).await
    }

    async fn session_end(
        &self,
        user_id: UserId,
        scope: Scope,
        bump_version: bool,
        order: EndOrder,
        now: Timestamp,
    ) -> Result<Vec<Ended>> {
        self.writer
            .write_composed(move |tx| {
                if bump_version {
                    user::bump_version(tx, user_id, &order, now)?;
                }
                if !matches!(scope, Scope::One(_)) {
                    import::close(tx, user_id, now)?;
                }
                end::scope(tx, user_id, scope, &order, now)
            })
            .await
    }

    async fn session_find(&self, id: SessionId) -> Result<Option<SessionRecord>> {
        self.readers
            .read(move |conn| row::one(conn, &FIND, [id.as_bytes()], |columns| row::session_record(columns)))
            .await
    }

    async fn session_find_by_receipt(&self, receipt: &ReceiptId) -> Result<Vec<SessionRecord>> {
        let receipt = receipt.clone();
        self.readers
            .read(move |conn| {
                let limit = row::integer(SESSIONS_LISTED_MAX);
                let params = named_params! {":receipt": receipt.as_str(), ":limit": limit};
                row::readable(conn, &BY_RECEIPT, params, |columns| row::session_record(columns))
            })
            .await
    }

    async fn caller(&self, session_id: SessionId) -> Result<Option<Caller>> {
        self.feed.caller(session_id, &self.readers).await
    }

    async fn changed_since(&self, position: Option<u64>) -> Result<Changed> {
        self.feed.changed_since(position, &self.readers).await
    }

    async fn session_search(
        &self,
        filter: SessionFilter,
        after: Option<SessionId>,
        limit: usize,
        now: Timestamp,
    ) -> Result<Vec<SessionRecord>> {
        self.readers
            .read(move |conn| {
                let user = filter.user.as_ref().map(UserId::as_bytes);
                let after = after.map_or([0xff; 16], |id| *id.as_bytes());
                let (dead_by, limit) = (dead_by(now), row::integer(limit));
                let params =
                    named_params! {":user": user, ":after": after, ":dead_by": dead_by, ":limit": limit};
                row::readable(conn, &search(&filter), params, |columns| row::session_record(columns))
            })
            .await
    }

    async fn session_count(&self, now: Timestamp) -> Result<SessionCount> {
        let (all, remembered) = (self.count(COUNT, now).await?, self.count(COUNT_REMEMBERED, now).await?);
        Ok(SessionCount { remembered, short: all.saturating_sub(remembered) })
    }
}

impl SqliteStore {
    async fn count(&self, sql: &'static str, now: Timestamp) -> Result<u64> {
        let count = self.readers.read(move |conn| row::one(conn, sql, [dead_by(now)], |c| c.number("count")));
        Ok(count.await?.unwrap_or(0))
    }
}

/// A filter as SQL. Each has its own, so that each finds its rows by the index that suits it.
fn search(filter: &SessionFilter) -> String {
    let of_user = if filter.user.is_some() { "s.user_id = :user" } else { ":user IS NULL" };
    let is_live = "s.ended_at IS NULL AND s.expires_at > :dead_by";
    let in_state = match filter.state {
        SessionState::All => ":dead_by IS NOT NULL".to_owned(),
        SessionState::Live => is_live.to_owned(),
        SessionState::Ended => format!("NOT ({is_live})"),
    };
    record(&format!("{of_user} AND {in_state} AND s.id < :after ORDER BY s.id DESC LIMIT :limit"))
}

fn create(
    tx: &Tx<'_>,
    user_id: UserId,
    token_version: u32,
    new: &NewSession,
    now: Timestamp,
) -> Result<SessionCreated> {
    let Some((person, disabled_at)) = user::person(tx.conn, user_id)? else {
        return Ok(SessionCreated::UserGone);
    };
    if let Err(refusal) = may_begin(disabled_at.is_some(), person.token_version, token_version) {
        return Ok(refusal.into());
    }
    let replaced = replace(tx, user_id, new, now)?;
    let session = insert(tx, user_id, new, now)?;
    Ok(SessionCreated::Created { session, person, replaced })
}

/// Ends what the user still had on this device (protocol.md section 6).
fn replace(tx: &Tx<'_>, user_id: UserId, new: &NewSession, now: Timestamp) -> Result<Vec<SessionId>> {
    let Some(device_id) = &new.device.id else { return Ok(vec![]) };
    let order = EndOrder::replaced_by(new);
    let replaced = end::on_device(tx.conn, user_id, device_id, new.replaces_before, now)?;
    for id in &replaced {
        end::write(tx, *id, &order, now)?;
    }
    Ok(replaced)
}

/// Writes a new session of a user who may have one.
pub(super) fn insert(tx: &Tx<'_>, user_id: UserId, new: &NewSession, now: Timestamp) -> Result<Session> {
    let session = new.session(tx.entropy, user_id, now);
    tx.conn.prepare_cached(INSERT)?.execute(named_params! {
        ":id": session.id.as_bytes(),
        ":user_id": user_id.as_bytes(),
        ":salt": session.salt,
        ":remembered": session.remembered,
        ":now": now.as_ms(),
        ":expires_at": session.expires_at.as_ms(),
        ":base": session.rotation.base.0,
        ":head": session.rotation.head.0,
        ":handed_at": session.rotation.handed_at.as_ms(),
        ":healed": session.rotation.healed,
    })?;
    let device = &new.device;
    if device.id.is_some() || device.user_agent.is_some() || device.address.is_some() {
        let params = params![session.id.as_bytes(), device.id, device.user_agent, device.address];
        tx.conn.prepare_cached(INSERT_DEVICE)?.execute(params)?;
    }
    event::write(tx, crate::event::signed_in(&session, device))?;
    Ok(session)
}

/// Deletes rows that ended before, or whose last moment of grace was before.
pub(super) fn sweep(tx: &Tx<'_>, before: Timestamp, limit: usize) -> Result<u64> {
    let id = |columns: &mut row::Fields<'_>| columns.blob("session");
    let mut ids = row::all(tx.conn, ENDED_BEFORE, params![before.as_ms(), row::integer(limit)], id)?;
    let room = limit.saturating_sub(ids.len());
    ids.extend(row::all(tx.conn, EXPIRED_BY, params![dead_by(before), row::integer(room)], id)?);
    let mut swept = 0;
    for id in ids {
        swept += tx.conn.prepare_cached("DELETE FROM session WHERE id = ?1")?.execute([id])? as u64;
    }
    Ok(swept)
}
