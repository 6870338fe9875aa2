//! Sign-ins of another system that are traded for a session.

use std::sync::LazyLock;

use async_trait::async_trait;
use rusqlite::{Connection, params};
use tenure_domain::exchange::ExchangeKey;
use tenure_domain::id::UserId;
use tenure_domain::session::Session;
use tenure_domain::time::Timestamp;

use super::writer::Tx;
use super::{SqliteStore, event, row, session, user};
use crate::exchange::{OUTDATED, TRADED, Traded, exchanged, since};
use crate::{CLOSED_AT_ONCE_MAX, Exchange, Exchanged, Exchanges, Prospect, Result, Subject};

static FIND: LazyLock<String> = LazyLock::new(|| format!("SELECT {TRADED} FROM exchange WHERE key = ?1"));

static SESSION: LazyLock<String> =
    LazyLock::new(|| format!("SELECT {} FROM session s WHERE s.id = ?1", row::SESSION));

const INSERT: &str =
    "INSERT INTO exchange (key, session_id, attempt, at, expires_at) VALUES (?1, ?2, ?3, ?4, ?5)";

const CLOSE: &str = "INSERT OR IGNORE INTO exchange (key, at, expires_at) VALUES (?1, ?2, ?3)";

const EXPIRE: &str = "DELETE FROM exchange WHERE key IN \
     (SELECT key FROM exchange WHERE expires_at < ?1 ORDER BY expires_at LIMIT ?2)";

#[async_trait]
impl Exchanges for SqliteStore {
    async fn session_exchange(&self, exchange: Exchange, now: Timestamp) -> Result<Exchanged> {
        self.writer.write_composed(move |tx| trade(tx, &exchange, now)).await
    }

    async fn exchange_look(&self, key: ExchangeKey, user_id: UserId) -> Result<Prospect> {
        self.readers
            .read(move |conn| {
                let Some((person, disabled_at)) = user::person(conn, user_id)? else {
                    return Ok(Prospect::UserGone);
                };
                let since = since(&person, disabled_at, is_outdated(conn, user_id)?);
                if let Some(refusal) = since.refusal() {
                    return Ok(refusal.into());
                }
                let traded = row::one(conn, &FIND, [key.0], |columns| Traded::read(columns))?;
                Ok(traded.map_or(Prospect::Traded, |_| Prospect::Used))
            })
            .await
    }

    async fn exchange_close(&self, keys: Vec<(ExchangeKey, Timestamp)>, now: Timestamp) -> Result<u64> {
        self.writer
            .write_composed(move |tx| {
                let mut closed = 0;
                for (key, expires_at) in keys.iter().take(CLOSED_AT_ONCE_MAX) {
                    let params = params![key.0, now.as_ms(), expires_at.as_ms()];
                    closed += tx.conn.prepare_cached(CLOSE)?.execute(params)? as u64;
                }
                Ok(closed)
            })
            .await
    }

    async fn exchange_expire(&self, before: Timestamp, limit: usize) -> Result<u64> {
        let params: [i64; 2] = [before.as_ms(), row::integer(limit)];
        self.writer.write(move |tx| Ok(tx.conn.prepare_cached(EXPIRE)?.execute(params)? as u64)).await
    }
}

fn is_outdated(conn: &Connection, user: UserId) -> Result<bool> {
    let params = (user.as_bytes(), Subject::User(user).to_string());
    Ok(row::one(conn, OUTDATED, params, |_| Ok(()))?.is_some())
}

fn trade(tx: &Tx<'_>, exchange: &Exchange, now: Timestamp) -> Result<Exchanged> {
    let Some((person, disabled_at)) = user::person(tx.conn, exchange.user_id)? else {
        return Ok(Exchanged::UserGone);
    };
    if let Some(refusal) = since(&person, disabled_at, is_outdated(tx.conn, person.id)?).refusal() {
        return Ok(refusal.into());
    }
    if let Some(traded) = row::one(tx.conn, &FIND, [exchange.key.0], |columns| Traded::read(columns))? {
        let session = match traded.session_id {
            Some(id) => row::one(tx.conn, &SESSION, [id.as_bytes()], |columns| row::session(columns))?,
            None => None,
        };
        return Ok(traded.again(exchange, person, session, now));
    }
    let session: Session = session::insert(tx, exchange.user_id, &exchange.new, now)?;
    tx.conn.prepare_cached(INSERT)?.execute(params![
        exchange.key.0,
        session.id.as_bytes(),
        exchange.attempt.0,
        now.as_ms(),
        exchange.expires_at.as_ms(),
    ])?;
    event::write(tx, exchanged(exchange, &session))?;
    Ok(Exchanged::Created { session, person })
}
