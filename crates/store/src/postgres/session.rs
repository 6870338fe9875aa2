//! Sessions: sign-in, lists, counting, sweeping. What is presented is in `refresh`, how they end in `end`.

use std::sync::{Arc, LazyLock};

use async_trait::async_trait;
use tenure_domain::id::{ReceiptId, SessionId, UserId};
use tenure_domain::limit::SESSIONS_LISTED_MAX;
use tenure_domain::refresh_token::PresentedToken;
use tenure_domain::session::{RefreshRules, Session, may_begin};
use tenure_domain::time::Timestamp;
use tokio_postgres::types::Type;

use super::changed;
use super::connect::Conn;
use super::end::{self, dead_by};
use super::row::{self, Fields, uuid};
use super::{PostgresStore, event, import, user};
use crate::row::{Columns as _, RECORD, SESSION, integer};
use crate::{
    Caller, Changed, EndOrder, Ended, Entropy, NewSession, RefreshRequest, Refreshed, Result, Scope,
    SessionCount, SessionCreated, SessionFilter, SessionRecord, SessionState, Sessions,
};

const INSERT: &str = "INSERT INTO session (id, user_id, salt, remembered, created_at, expires_at, \
     base, head, handed_at, healed, last_used_at, refresh_count) \
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $5, 0)";

const INSERT_DEVICE: &str =
    "INSERT INTO session_device (session_id, device_id, user_agent, address) VALUES ($1, $2, $3, $4)";

/// Each finds its rows by an index of its own, takes from it no more than it is allowed to, and waits for nobody.
const SWEEP_ENDED: &str = "DELETE FROM session WHERE id IN (SELECT id FROM session \
     WHERE ended_at < $1 ORDER BY ended_at LIMIT $2 FOR UPDATE SKIP LOCKED)";
const SWEEP_EXPIRED: &str = "DELETE FROM session WHERE id IN (SELECT id FROM session \
     WHERE ended_at IS NULL AND expires_at BETWEEN 0 AND $1 ORDER BY expires_at LIMIT $2 FOR UPDATE SKIP LOCKED)";

/// Beyond this many sessions they are estimated: counting ten million would take seconds, every minute.
const COUNTED_MAX: u64 = 100_000;

static FIND: LazyLock<String> = LazyLock::new(|| record("s.id = $1"));

static BY_RECEIPT: LazyLock<String> = LazyLock::new(|| record("s.receipt = $1 ORDER BY s.id DESC LIMIT $2"));

fn record(condition: &str) -> String {
    format!(
        "SELECT {SESSION}, {RECORD} FROM session s LEFT JOIN session_device d ON d.session_id = s.id \
         WHERE {condition}"
    )
}

#[async_trait]
impl Sessions for PostgresStore {
    async fn session_create(
        &self,
        user_id: UserId,
        token_version: u32,
        new: NewSession,
        now: Timestamp,
    ) -> Result<SessionCreated> {
        let entropy = &*self.entropy;
        let created =
            self.write(async |conn| create(conn, entropy, user_id, token_version, &new, now).await).await?;
        if matches!(&created, SessionCreated::Created { replaced, .. } if !replaced.is_empty()) {
            self.feed.tell().await;
        }
        Ok(created)
    }

    async fn session_refresh(&self, request: RefreshRequest, now: Timestamp) -> Result<Vec<Refreshed>> {
        self.refresh(&request, now).await
    }

    async fn session_end_presented(
        &self,
        tokens: Vec<PresentedToken>,
        rules: Arc<RefreshRules>,
        order: EndOrder,
        now: Timestamp,
    ) -> Result<Vec<Ended>> {
        let ids: Vec<_> = tokens.iter().map(|token| token.claims.session_id).collect();
        let mut ended = self
            .write(async |conn| {
                let mut sessions = end::lock(conn, &ids).await?;
                // A jar may hold copies of one session's token; any authentic one will do.
                sessions.retain(|session| {
                    let of_session = tokens.iter().filter(|token| token.claims.session_id == session.id);
                    of_session.into_iter().any(|token| rules.keys.is_authentic(token, &session.salt))
                });
                end::settle(conn, &*self.entropy, sessions, &order, now).await
            })
            .await?;
        self.tell_of(&ended).await;
        ended.sort_by_key(|ended| ids.iter().position(|id| *id == ended.session_id));
        Ok(ended)
    }

    async fn session_end(
        &self,
        user_id: UserId,
        scope: Scope,
        bump_version: bool,
        order: EndOrder,
        now: Timestamp,
    ) -> Result<Vec<Ended>> {
        let ended = self
            .write(async |conn| {
                end::lock_user(conn, user_id).await?;
                if bump_version {
                    self.bump_version(conn, user_id, &order, now).await?;
                }
                if !matches!(scope, Scope::One(_)) {
                    import::close(conn, user_id, now).await?;
                }
                end::scope(conn, &*self.entropy, user_id, scope, &order, now).await
            })
            .await?;
        match bump_version {
            true => self.feed.tell().await,
            false => self.tell_of(&ended).await,
        }
        Ok(ended)
    }

    async fn session_find(&self, id: SessionId) -> Result<Option<SessionRecord>> {
        let row = self.db.get().await?.row(&FIND, &[(&uuid(id.as_bytes()), Type::UUID)]).await?;
        row.map(|row| crate::row::session_record(&mut Fields::of(&row))).transpose()
    }

    async fn session_find_by_receipt(&self, receipt: &ReceiptId) -> Result<Vec<SessionRecord>> {
        let (receipt, limit) = (receipt.as_str(), integer(SESSIONS_LISTED_MAX));
        let of_receipt = [(&receipt as _, Type::TEXT), (&limit as _, Type::INT8)];
        let rows = self.db.get().await?.rows(&BY_RECEIPT, &of_receipt).await?;
        Ok(row::readable(&rows, |columns| crate::row::session_record(columns)))
    }

    async fn caller(&self, session_id: SessionId) -> Result<Option<Caller>> {
        self.feed.caller(session_id).await
    }

    async fn changed_since(&self, position: Option<u64>) -> Result<Changed> {
        changed::since(&self.db, self.feed.changed_since(position).await?).await
    }

    async fn session_search(
        &self,
        filter: SessionFilter,
        after: Option<SessionId>,
        limit: usize,
        now: Timestamp,
    ) -> Result<Vec<SessionRecord>> {
        let after = after.map_or([0xff; 16], |id| *id.as_bytes());
        let params: super::connect::Params<'_> = &[
            (&filter.user.map(|id| uuid(id.as_bytes())), Type::UUID),
            (&uuid(&after), Type::UUID),
            (&dead_by(now), Type::INT8),
            (&integer(limit), Type::INT8),
        ];
        let rows = self.db.get().await?.rows(&search(&filter), params).await?;
        Ok(row::readable(&rows, |columns| crate::row::session_record(columns)))
    }

    async fn session_count(&self, now: Timestamp) -> Result<SessionCount> {
        let all = self.count("session_live", "", now).await?;
        let remembered = self.count("session_remembered", "AND remembered", now).await?;
        Ok(SessionCount { remembered, short: all.saturating_sub(remembered) })
    }
}

/// The one number that a row has. An index that was never looked at has the estimate -1.
fn number(row: Option<tokio_postgres::Row>) -> Result<u64> {
    let number: Option<i64> = row.map(|row| Fields::of(&row).number("count")).transpose()?;
    Ok(number.and_then(|number| number.try_into().ok()).unwrap_or(0))
}

/// A filter as SQL. Each has its own, so that each finds its rows by the index that suits it.
fn search(filter: &SessionFilter) -> String {
    let of_user = if filter.user.is_some() { "s.user_id = $1" } else { "$1 IS NULL" };
    let is_live = "s.ended_at IS NULL AND s.expires_at > $3";
    let in_state = match filter.state {
        SessionState::All => "$3 IS NOT NULL".to_owned(),
        SessionState::Live => is_live.to_owned(),
        SessionState::Ended => format!("NOT ({is_live})"),
    };
    record(&format!("{of_user} AND {in_state} AND s.id < $2 ORDER BY s.id DESC LIMIT $4"))
}

impl PostgresStore {
    /// Counts live sessions in an index that holds nothing else, or says how many it held when it was last looked at.
    async fn count(&self, index: &'static str, condition: &'static str, now: Timestamp) -> Result<u64> {
        let mut conn = self.db.get().await?;
        let of_live = [(&dead_by(now) as _, Type::INT8), (&(integer(COUNTED_MAX) + 1) as _, Type::INT8)];
        let count = format!(
            "SELECT count(*) FROM (SELECT FROM session WHERE ended_at IS NULL {condition} \
             AND expires_at > $1 LIMIT $2) counted"
        );
        let counted = number(conn.row(&count, &of_live).await?)?;
        if counted <= COUNTED_MAX {
            return Ok(counted);
        }
        // What the last VACUUM or ANALYZE found.
        let estimate = format!("SELECT reltuples::bigint FROM pg_class WHERE oid = '{index}'::regclass");
        Ok(number(conn.row(&estimate, &[]).await?)?.max(counted))
    }

    /// Lets the view, here and elsewhere, know of what has just ended.
    pub(super) async fn tell_of(&self, ended: &[Ended]) {
        if ended.iter().any(|ended| ended.newly) {
            self.feed.tell().await;
        }
    }
}

async fn create(
    conn: &mut Conn,
    entropy: &dyn Entropy,
    user_id: UserId,
    token_version: u32,
    new: &NewSession,
    now: Timestamp,
) -> Result<SessionCreated> {
    let Some((person, disabled_at)) = user::locked(conn, user_id).await? else {
        return Ok(SessionCreated::UserGone);
    };
    if let Err(refusal) = may_begin(disabled_at.is_some(), person.token_version, token_version) {
        return Ok(refusal.into());
    }
    let replaced = match &new.device.id {
        Some(device_id) => {
            // Protocol.md section 6.
            let order = EndOrder::replaced_by(new);
            let ids = end::on_device(conn, user_id, device_id, new.replaces_before, now).await?;
            end::write(conn, entropy, &ids, &order, now).await?
        }
        None => Vec::new(),
    };
    let replaced = replaced.into_iter().map(|ended| ended.session_id).collect();
    let session = insert(conn, entropy, user_id, new, now).await?;
    Ok(SessionCreated::Created { session, person, replaced })
}

/// Writes a new session of a user who may have one.
pub(super) async fn insert(
    conn: &mut Conn,
    entropy: &dyn Entropy,
    user_id: UserId,
    new: &NewSession,
    now: Timestamp,
) -> Result<Session> {
    let session = new.session(entropy, user_id, now);
    let id = uuid(session.id.as_bytes());
    let rotation = session.rotation;
    conn.execute(
        INSERT,
        &[
            (&id, Type::UUID),
            (&uuid(user_id.as_bytes()), Type::UUID),
            (&session.salt.as_slice(), Type::BYTEA),
            (&session.remembered, Type::BOOL),
            (&now.as_ms(), Type::INT8),
            (&session.expires_at.as_ms(), Type::INT8),
            (&i64::from(rotation.base.0), Type::INT8),
            (&i64::from(rotation.head.0), Type::INT8),
            (&rotation.handed_at.as_ms(), Type::INT8),
            (&rotation.healed, Type::BOOL),
        ],
    )
    .await?;
    let device = &new.device;
    if device.id.is_some() || device.user_agent.is_some() || device.address.is_some() {
        let said: super::connect::Params<'_> = &[
            (&id, Type::UUID),
            (&device.id, Type::TEXT),
            (&device.user_agent, Type::TEXT),
            (&device.address, Type::TEXT),
        ];
        conn.execute(INSERT_DEVICE, said).await?;
    }
    event::write(conn, entropy, crate::event::signed_in(&session, device)).await?;
    Ok(session)
}

/// Deletes rows that ended before, or whose last moment of grace was before.
pub(super) async fn sweep(conn: &mut Conn, before: Timestamp, limit: usize) -> Result<u64> {
    let (by, most) = (before.as_ms(), integer(limit));
    let ended = conn.execute(SWEEP_ENDED, &[(&by, Type::INT8), (&most, Type::INT8)]).await?;
    let (by, rest) = (dead_by(before), most.saturating_sub(integer(ended)));
    let expired = conn.execute(SWEEP_EXPIRED, &[(&by, Type::INT8), (&rest, Type::INT8)]).await?;
    Ok(ended + expired)
}
