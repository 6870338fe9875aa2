//! The record of what happened.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use async_trait::async_trait;
use tenure_domain::event::{Event, Link, Occurrence, Seal};
use tenure_domain::id::{EventId, SessionId, UserId};
use tenure_domain::time::Timestamp;
use tokio_postgres::Row;
use tokio_postgres::types::{ToSql, Type};
use uuid::Uuid;

use super::connect::{Conn, Params};
use super::row::{self, Fields, uuid};
use super::{PostgresStore, alone};
use crate::row::{Columns as _, EVENT, integer};
use crate::{EVENTS_LISTED_MAX, Entropy, EventFilter, Events, Result, event};

const INSERT: &str = "INSERT INTO event (id, at, kind, user_id, session_id, subject, actor, address, user_agent, \
     cause, count, detail) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)";

/// Whoever comes second finds the numbers taken.
const SEAL: &str = "UPDATE event e SET seq = one.seq, tag = one.tag, whence_tag = one.whence_tag \
     FROM unnest($1::uuid[], $2::int8[], $3::bytea[], $4::bytea[]) AS one (id, seq, tag, whence_tag) \
     WHERE e.id = one.id AND e.seq IS NULL";

const LAST: &str = "SELECT seq, tag FROM event WHERE seq IS NOT NULL ORDER BY seq DESC LIMIT 1";

static UNSEALED: LazyLock<String> = LazyLock::new(|| {
    format!("SELECT {EVENT} FROM event WHERE seq IS NULL AND id >= $1 ORDER BY id LIMIT $2")
});

static CHAIN: LazyLock<String> =
    LazyLock::new(|| format!("SELECT {EVENT} FROM event WHERE seq >= $1 ORDER BY seq LIMIT $2"));

#[async_trait]
impl Events for PostgresStore {
    async fn event_add(&self, events: Vec<Occurrence>) -> Result<()> {
        let mut conn = self.db.get_expendable().await?;
        conn.begin().await?;
        // Not worth waiting for the disk.
        conn.batch("SET LOCAL synchronous_commit = off").await?;
        for what in events {
            write(&mut conn, &*self.entropy, what).await?;
        }
        conn.commit().await
    }

    async fn event_list(&self, mut filter: EventFilter, limit: usize) -> Result<Vec<Event>> {
        let limit = limit.min(EVENTS_LISTED_MAX);
        let mut conn = self.db.get().await?;
        let mut listed = Readable::of(limit);
        while listed.is_wanting() {
            let values = Values::of(&filter);
            let (condition, params) = values.condition();
            let sql = format!("SELECT {EVENT} FROM event WHERE {condition} ORDER BY id DESC LIMIT {limit}");
            let last = listed.add(&conn.rows(&sql, &params).await?);
            filter.before = last.map(|(id, _)| EventId::from_bytes(id.into_bytes()));
        }
        Ok(listed.events)
    }

    async fn event_unexplained(&self, sessions: Vec<SessionId>) -> Result<BTreeMap<SessionId, bool>> {
        // Of a claim nobody knows whose it is.
        let sql = "SELECT session_id, max((user_id IS NOT NULL)::int4)::int8 FROM event \
             WHERE session_id = ANY($1) AND kind = 'unexplained_end' GROUP BY session_id";
        let sessions: Vec<_> = sessions.iter().map(|id| uuid(id.as_bytes())).collect();
        let rows = self.db.get().await?.rows(sql, &[(&sessions, Type::UUID_ARRAY)]).await?;
        let read = |row| {
            let mut columns = Fields::of(row);
            Ok((SessionId::from_bytes(columns.id("event")?), columns.number::<u8>("event")? == 1))
        };
        rows.iter().map(read).collect()
    }

    async fn event_end(&self) -> Result<Link> {
        last(&mut self.db.get().await?).await
    }

    async fn event_unsealed(&self, limit: usize) -> Result<Vec<Event>> {
        let mut conn = self.db.get().await?;
        let mut waiting = Readable::of(limit);
        let mut from = Uuid::nil();
        while waiting.is_wanting() {
            let params: Params<'_> = &[(&from, Type::UUID), (&integer(limit), Type::INT8)];
            let last = waiting.add(&conn.rows(&UNSEALED, params).await?);
            from = last.map_or(from, |(id, _)| Uuid::from_u128(id.as_u128().saturating_add(1)));
        }
        Ok(waiting.events)
    }

    async fn event_seal(&self, after: Link, seals: Vec<(EventId, Seal)>) -> Result<bool> {
        let mut conn = self.db.get().await?;
        conn.begin().await?;
        let mut is_next = alone(&mut conn, "events").await? && last(&mut conn).await? == after;
        if is_next {
            let ids: Vec<_> = seals.iter().map(|(id, _)| uuid(id.as_bytes())).collect();
            let numbers: Vec<_> = seals.iter().map(|(_, seal)| integer(seal.link.number)).collect();
            let tags: Vec<_> = seals.iter().map(|(_, seal)| seal.link.tag.as_slice()).collect();
            let whences: Vec<_> = seals.iter().map(|(_, seal)| seal.whence.as_slice()).collect();
            let params: Params<'_> = &[
                (&ids, Type::UUID_ARRAY),
                (&numbers, Type::INT8_ARRAY),
                (&tags, Type::BYTEA_ARRAY),
                (&whences, Type::BYTEA_ARRAY),
            ];
            // Another node may have sealed some of them before the chain ended there.
            is_next = conn.execute(SEAL, params).await? == seals.len() as u64;
        }
        match is_next {
            true => conn.commit().await?,
            false => conn.roll_back().await?,
        }
        Ok(is_next)
    }

    async fn event_chain(&self, from: u64, limit: usize) -> Result<Vec<Event>> {
        let mut conn = self.db.get().await?;
        let mut chain = Readable::of(limit);
        let mut from = integer(from);
        while chain.is_wanting() {
            let params: Params<'_> = &[(&from, Type::INT8), (&integer(limit), Type::INT8)];
            let last = chain.add(&conn.rows(&CHAIN, params).await?);
            from = last.and_then(|(_, number)| number).map_or(from, |number| number.saturating_add(1));
        }
        Ok(chain.events)
    }

    async fn event_count_unsealed(&self, before: Timestamp) -> Result<u64> {
        let sql = "SELECT count(*) FROM event WHERE seq IS NULL AND at < $1";
        let row = self.db.get().await?.row(sql, &[(&before.as_ms(), Type::INT8)]).await?;
        row.map_or(Ok(0), |row| Fields::of(&row).number("count"))
    }

    async fn event_prunable(&self, before: Timestamp, now: Timestamp, limit: usize) -> Result<Option<Link>> {
        let oldest = "SELECT seq, tag, at FROM event WHERE seq IS NOT NULL ORDER BY seq LIMIT $1";
        let read = integer(limit.saturating_add(1));
        let rows = self.db.get().await?.rows(oldest, &[(&read, Type::INT8)]).await?;
        let oldest = row::readable(&rows, |columns| Ok((crate::row::link(columns)?, columns.time("event")?)));
        Ok(event::prunable(&oldest, before, now, limit))
    }

    async fn event_prune(&self, upto: u64, pruning: Occurrence) -> Result<u64> {
        self.write(async |conn| {
            if !alone(conn, "pruning").await? {
                return Ok(0);
            }
            let delete = "DELETE FROM event WHERE seq <= $1";
            let pruned = conn.execute(delete, &[(&integer(upto), Type::INT8)]).await?;
            if pruned > 0 {
                write(conn, &*self.entropy, pruning).await?;
            }
            Ok(pruned)
        })
        .await
    }
}

/// Writes down what happened, in the transaction that it happened in.
pub(super) async fn write(conn: &mut Conn, entropy: &dyn Entropy, what: Occurrence) -> Result<()> {
    let Event { id, what, .. } = entropy.event(what);
    conn.execute(
        INSERT,
        &[
            (&uuid(id.as_bytes()), Type::UUID),
            (&what.at.as_ms(), Type::INT8),
            (&what.kind.as_str(), Type::TEXT),
            (&what.user.as_ref().map(|id| uuid(id.as_bytes())), Type::UUID),
            (&what.session.as_ref().map(|id| uuid(id.as_bytes())), Type::UUID),
            (&what.subject, Type::TEXT),
            (&what.actor, Type::TEXT),
            (&what.whence.address, Type::TEXT),
            (&what.whence.user_agent, Type::TEXT),
            (&what.cause, Type::TEXT),
            (&i64::from(what.count), Type::INT8),
            (&what.detail, Type::TEXT),
        ],
    )
    .await
    .map(drop)
}

/// Forgets where a person was.
pub(super) async fn erase(conn: &mut Conn, user: UserId) -> Result<()> {
    // Of a refused refresh only the session is known. An array, since PostgreSQL reads the whole table for `IN` beside `OR`.
    let erase = "UPDATE event SET address = NULL, user_agent = NULL WHERE user_id = $1 \
         OR session_id = ANY (ARRAY(SELECT id FROM session WHERE user_id = $1))";
    conn.execute(erase, &[(&uuid(user.as_bytes()), Type::UUID)]).await.map(drop)
}

async fn last(conn: &mut Conn) -> Result<Link> {
    let row = conn.row(LAST, &[]).await?;
    Ok(row.map(|row| crate::row::link(&mut Fields::of(&row))).transpose()?.unwrap_or_default())
}

/// Events read in pages until there are as many as are wanted: a page of rows that cannot be read hides nothing
/// that comes after it.
struct Readable {
    events: Vec<Event>,
    limit: usize,
    is_over: bool,
}

impl Readable {
    fn of(limit: usize) -> Self {
        Self { events: vec![], limit, is_over: limit == 0 }
    }

    fn is_wanting(&self) -> bool {
        !self.is_over && self.events.len() < self.limit
    }

    /// Adds a page, and tells of its last row, readable or not, the id and the number in the chain.
    fn add(&mut self, page: &[Row]) -> Option<(Uuid, Option<i64>)> {
        let readable = row::readable(page, |columns| crate::row::event(columns));
        self.events.extend(readable.into_iter().take(self.limit - self.events.len()));
        let last = page.last().and_then(|row| Some((row.try_get("id").ok()?, row.try_get("seq").ok()?)));
        self.is_over = page.len() < self.limit || last.is_none();
        last
    }
}

/// The values of a filter, in the form in which the database takes them.
struct Values<'f> {
    filter: &'f EventFilter,
    kind: Option<&'static str>,
    ids: [Option<Uuid>; 4],
}

impl<'f> Values<'f> {
    fn of(filter: &'f EventFilter) -> Self {
        let (from, before) = filter.span();
        let ids = [
            filter.user.as_ref().map(|id| uuid(id.as_bytes())),
            filter.session.as_ref().map(|id| uuid(id.as_bytes())),
            from.as_ref().map(|id| uuid(id.as_bytes())),
            before.as_ref().map(|id| uuid(id.as_bytes())),
        ];
        Self { filter, kind: filter.kind.map(|kind| kind.as_str()), ids }
    }

    /// The part of a query that it is, and its values.
    fn condition(&self) -> (String, Vec<(&(dyn ToSql + Sync), Type)>) {
        let [user, session, from, before] = &self.ids;
        let text = |text: &'f Option<String>| text.as_ref().map(|text| text as &(dyn ToSql + Sync));
        let id = |id| Option::as_ref(id).map(|id: &Uuid| id as &(dyn ToSql + Sync));
        let actors = &self.filter.actors;
        let actors = (!actors.is_empty()).then_some(actors as &(dyn ToSql + Sync));
        let said = [
            ("kind =", self.kind.as_ref().map(|kind| kind as _), Type::TEXT),
            ("user_id =", id(user), Type::UUID),
            ("session_id =", id(session), Type::UUID),
            ("subject =", text(&self.filter.subject), Type::TEXT),
            ("actor = ANY", actors, Type::TEXT_ARRAY),
            ("cause =", text(&self.filter.cause), Type::TEXT),
            ("id >=", id(from), Type::UUID),
            ("id <", id(before), Type::UUID),
        ];
        let mut params = vec![];
        let mut conditions = vec!["true".to_owned()];
        for (condition, value, of) in said {
            if let Some(value) = value {
                params.push((value, of));
                conditions.push(format!("{condition} (${})", params.len()));
            }
        }
        conditions.extend(self.filter.among());
        (conditions.join(" AND "), params)
    }
}
