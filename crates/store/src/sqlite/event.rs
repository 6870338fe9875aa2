//! The record of what happened.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use async_trait::async_trait;
use rusqlite::types::Value;
use rusqlite::{Connection, named_params, params, params_from_iter};
use tenure_domain::event::{Event, Link, Occurrence, Seal};
use tenure_domain::id::{EventId, SessionId, UserId};
use tenure_domain::time::Timestamp;

use super::writer::Tx;
use super::{SqliteStore, end, row};
use crate::row::Columns as _;
use crate::{EVENTS_LISTED_MAX, EventFilter, Events, Result, event};

const INSERT: &str = "INSERT INTO event (id, at, kind, user_id, session_id, subject, actor, address, user_agent, \
     cause, count, detail) VALUES (:id, :at, :kind, :user, :session, :subject, :actor, :address, :user_agent, \
     :cause, :count, :detail)";

const SEAL: &str = "UPDATE event SET seq = ?2, tag = ?3, whence_tag = ?4 WHERE id = ?1 AND seq IS NULL";

const LAST: &str = "SELECT seq, tag FROM event WHERE seq IS NOT NULL ORDER BY seq DESC LIMIT 1";

static UNSEALED: LazyLock<String> =
    LazyLock::new(|| format!("SELECT {} FROM event WHERE seq IS NULL ORDER BY id", row::EVENT));

static CHAIN: LazyLock<String> =
    LazyLock::new(|| format!("SELECT {} FROM event WHERE seq >= ?1 ORDER BY seq", row::EVENT));

#[async_trait]
impl Events for SqliteStore {
    async fn event_add(&self, events: Vec<Occurrence>) -> Result<()> {
        self.writer
            .write_expendable(move |tx| events.into_iter().try_for_each(|event| write(tx, event)))
            .await
    }

    async fn event_list(&self, filter: EventFilter, limit: usize) -> Result<Vec<Event>> {
        self.readers
            .read(move |conn| {
                let (condition, params) = condition(&filter);
                let sql = format!("SELECT {} FROM event WHERE {condition} ORDER BY id DESC", row::EVENT);
                let limit = limit.min(EVENTS_LISTED_MAX);
                row::first_readable(conn, &sql, params_from_iter(params), limit, |c| row::event(c))
            })
            .await
    }

    async fn event_unexplained(&self, sessions: Vec<SessionId>) -> Result<BTreeMap<SessionId, bool>> {
        // Of a claim nobody knows whose it is.
        let sql =
            "SELECT max(user_id IS NOT NULL) FROM event WHERE session_id = ?1 AND kind = 'unexplained_end'";
        self.readers
            .read(move |conn| {
                let mut found = BTreeMap::new();
                for id in sessions {
                    let is_verified = row::one(conn, sql, [id.as_bytes()], |columns| {
                        columns.number_or_null::<u8>("event")
                    })?;
                    found.extend(is_verified.flatten().map(|is_verified| (id, is_verified == 1)));
                }
                Ok(found)
            })
            .await
    }

    async fn event_end(&self) -> Result<Link> {
        self.readers.read(last).await
    }

    async fn event_unsealed(&self, limit: usize) -> Result<Vec<Event>> {
        self.readers
            .read(move |conn| row::first_readable(conn, &UNSEALED, (), limit, |columns| row::event(columns)))
            .await
    }

    async fn event_seal(&self, after: Link, seals: Vec<(EventId, Seal)>) -> Result<bool> {
        self.writer
            .write_composed(move |tx| {
                if last(tx.conn)? != after {
                    return Ok(false);
                }
                // One writer: what was unsealed when the chain ended there is so still, or gone.
                let mut sealed = 0;
                for (id, seal) in &seals {
                    let number = row::integer(seal.link.number);
                    let params = params![id.as_bytes(), number, seal.link.tag, seal.whence];
                    sealed += tx.conn.prepare_cached(SEAL)?.execute(params)?;
                }
                if sealed == seals.len() { Ok(true) } else { Err(end::moved()) }
            })
            .await
    }

    async fn event_chain(&self, from: u64, limit: usize) -> Result<Vec<Event>> {
        let from = [row::integer(from)];
        self.readers
            .read(move |conn| row::first_readable(conn, &CHAIN, from, limit, |columns| row::event(columns)))
            .await
    }

    async fn event_count_unsealed(&self, before: Timestamp) -> Result<u64> {
        let sql = "SELECT count(*) FROM event WHERE seq IS NULL AND at < ?1";
        let count =
            self.readers.read(move |conn| row::one(conn, sql, [before.as_ms()], |c| c.number("count")));
        Ok(count.await?.unwrap_or(0))
    }

    async fn event_prunable(&self, before: Timestamp, now: Timestamp, limit: usize) -> Result<Option<Link>> {
        let oldest = "SELECT seq, tag, at FROM event WHERE seq IS NOT NULL ORDER BY seq LIMIT ?1";
        let read = [row::integer(limit.saturating_add(1))];
        let oldest = self.readers.read(move |conn| {
            row::readable(conn, oldest, read, |columns| Ok((row::link(columns)?, columns.time("event")?)))
        });
        Ok(event::prunable(&oldest.await?, before, now, limit))
    }

    async fn event_prune(&self, upto: u64, pruning: Occurrence) -> Result<u64> {
        self.writer
            .write_composed(move |tx| {
                write(tx, pruning)?;
                let delete = "DELETE FROM event WHERE seq <= ?1";
                Ok(tx.conn.prepare_cached(delete)?.execute([row::integer(upto)])? as u64)
            })
            .await
    }
}

/// Writes down what happened, in the transaction that it happened in.
pub(super) fn write(tx: &Tx<'_>, what: Occurrence) -> Result<()> {
    let Event { id, what, .. } = tx.entropy.event(what);
    tx.conn.prepare_cached(INSERT)?.execute(named_params! {
        ":id": id.as_bytes(),
        ":at": what.at.as_ms(),
        ":kind": what.kind.as_str(),
        ":user": what.user.as_ref().map(UserId::as_bytes),
        ":session": what.session.as_ref().map(SessionId::as_bytes),
        ":subject": what.subject,
        ":actor": what.actor,
        ":address": what.whence.address,
        ":user_agent": what.whence.user_agent,
        ":cause": what.cause,
        ":count": what.count,
        ":detail": what.detail,
    })?;
    Ok(())
}

/// Forgets where a person was.
pub(super) fn erase(tx: &Tx<'_>, user: UserId) -> Result<()> {
    // Of a refused refresh only the session is known.
    let erase = "UPDATE event SET address = NULL, user_agent = NULL WHERE user_id = ?1 \
         OR session_id IN (SELECT id FROM session WHERE user_id = ?1)";
    tx.conn.prepare_cached(erase)?.execute([user.as_bytes()])?;
    Ok(())
}

fn last(conn: &Connection) -> Result<Link> {
    Ok(row::one(conn, LAST, (), |columns| row::link(columns))?.unwrap_or_default())
}

/// The part of a query that a filter is, and its values.
fn condition(filter: &EventFilter) -> (String, Vec<Value>) {
    let blob = |id: &[u8; 16]| Value::Blob(id.to_vec());
    let text = |text: &String| Value::Text(text.clone());
    let (from, before) = filter.span();
    let said = [
        ("kind = ?", filter.kind.map(|kind| Value::Text(kind.as_str().to_owned()))),
        ("user_id = ?", filter.user.as_ref().map(|id| blob(id.as_bytes()))),
        ("session_id = ?", filter.session.as_ref().map(|id| blob(id.as_bytes()))),
        ("subject = ?", filter.subject.as_ref().map(text)),
        ("cause = ?", filter.cause.as_ref().map(text)),
        ("id >= ?", from.as_ref().map(|id| blob(id.as_bytes()))),
        ("id < ?", before.as_ref().map(|id| blob(id.as_bytes()))),
    ];
    let (mut conditions, mut values): (Vec<_>, Vec<_>) =
        said.into_iter().filter_map(|(condition, value)| Some((condition.to_owned(), value?))).unzip();
    if !filter.actors.is_empty() {
        conditions.push(format!("actor IN ({})", vec!["?"; filter.actors.len()].join(", ")));
        values.extend(filter.actors.iter().map(text));
    }
    conditions.extend(filter.among());
    match conditions.is_empty() {
        true => ("1".to_owned(), values),
        false => (conditions.join(" AND "), values),
    }
}
