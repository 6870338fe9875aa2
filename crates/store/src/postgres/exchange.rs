//! Sign-ins of another system that are traded for a session.

use std::sync::LazyLock;

use async_trait::async_trait;
use tenure_domain::exchange::ExchangeKey;
use tenure_domain::id::{SessionId, UserId};
use tenure_domain::session::Session;
use tenure_domain::time::Timestamp;
use tokio_postgres::types::Type;

use super::connect::Conn;
use super::row::{Fields, uuid};
use super::{PostgresStore, event, session, user};
use crate::exchange::{OUTDATED, TRADED, Traded, exchanged, since};
use crate::row::{SESSION, integer};
use crate::{CLOSED_AT_ONCE_MAX, Entropy, Exchange, Exchanged, Exchanges, Prospect, Result, Subject};

/// Who comes second waits for who came first, and then finds that there is a row.
const CLAIM: &str = "INSERT INTO exchange (key, attempt, at, expires_at) VALUES ($1, $2, $3, $4) \
     ON CONFLICT (key) DO NOTHING";

const NAME: &str = "UPDATE exchange SET session_id = $2 WHERE key = $1";

static FIND: LazyLock<String> = LazyLock::new(|| format!("SELECT {TRADED} FROM exchange WHERE key = $1"));

static FIND_SESSION: LazyLock<String> =
    LazyLock::new(|| format!("SELECT {SESSION} FROM session s WHERE s.id = $1"));

const CLOSE: &str = "INSERT INTO exchange (key, at, expires_at) \
     SELECT one.key, $1, one.expires_at FROM unnest($2::bytea[], $3::bigint[]) AS one (key, expires_at) \
     ORDER BY one.key ON CONFLICT (key) DO NOTHING";

/// Several nodes may do so at once: what one deletes the others pass over.
const EXPIRE: &str = "DELETE FROM exchange WHERE key IN \
     (SELECT key FROM exchange WHERE expires_at < $1 ORDER BY expires_at LIMIT $2 FOR UPDATE SKIP LOCKED)";

#[async_trait]
impl Exchanges for PostgresStore {
    async fn session_exchange(&self, exchange: Exchange, now: Timestamp) -> Result<Exchanged> {
        self.write(async |conn| trade(conn, &*self.entropy, &exchange, now).await).await
    }

    async fn exchange_look(&self, key: ExchangeKey, user_id: UserId) -> Result<Prospect> {
        let mut conn = self.db.get().await?;
        let Some((person, disabled_at)) = user::find_person(&mut conn, user_id).await? else {
            return Ok(Prospect::UserGone);
        };
        let since = since(&person, disabled_at, is_outdated(&mut conn, user_id).await?);
        if let Some(refusal) = since.refusal() {
            return Ok(refusal.into());
        }
        let traded = conn.row(&FIND, &[(&key.0.as_slice(), Type::BYTEA)]).await?;
        Ok(traded.map_or(Prospect::Traded, |_| Prospect::Used))
    }

    async fn exchange_close(&self, keys: Vec<(ExchangeKey, Timestamp)>, now: Timestamp) -> Result<u64> {
        let few = keys.iter().take(CLOSED_AT_ONCE_MAX);
        let (keys, ends): (Vec<&[u8]>, Vec<i64>) =
            few.map(|(key, at)| (key.0.as_slice(), at.as_ms())).unzip();
        let params: super::connect::Params<'_> =
            &[(&now.as_ms(), Type::INT8), (&keys, Type::BYTEA_ARRAY), (&ends, Type::INT8_ARRAY)];
        self.db.get().await?.execute(CLOSE, params).await
    }

    async fn exchange_expire(&self, before: Timestamp, limit: usize) -> Result<u64> {
        let params: super::connect::Params<'_> =
            &[(&before.as_ms(), Type::INT8), (&integer(limit), Type::INT8)];
        self.db.get().await?.execute(EXPIRE, params).await
    }
}

async fn is_outdated(conn: &mut Conn, user: UserId) -> Result<bool> {
    let (id, subject) = (uuid(user.as_bytes()), Subject::User(user).to_string());
    Ok(conn.row(OUTDATED, &[(&id, Type::UUID), (&subject, Type::TEXT)]).await?.is_some())
}

async fn trade(
    conn: &mut Conn,
    entropy: &dyn Entropy,
    exchange: &Exchange,
    now: Timestamp,
) -> Result<Exchanged> {
    let Some((person, disabled_at)) = user::locked(conn, exchange.user_id).await? else {
        return Ok(Exchanged::UserGone);
    };
    let since = since(&person, disabled_at, is_outdated(conn, person.id).await?);
    if let Some(refusal) = since.refusal() {
        return Ok(refusal.into());
    }
    let key = exchange.key.0.as_slice();
    let claim: super::connect::Params<'_> = &[
        (&key, Type::BYTEA),
        (&exchange.attempt.0.as_slice(), Type::BYTEA),
        (&now.as_ms(), Type::INT8),
        (&exchange.expires_at.as_ms(), Type::INT8),
    ];
    if conn.execute(CLAIM, claim).await? == 0 {
        let Some(row) = conn.row(&FIND, &[(&key, Type::BYTEA)]).await? else {
            // Forgotten in this very moment, because nobody could show it any more.
            return Ok(Exchanged::Used);
        };
        let traded = Traded::read(&mut Fields::of(&row))?;
        let session = match traded.session_id {
            Some(id) => find(conn, id).await?,
            None => None,
        };
        return Ok(traded.again(exchange, person, session, now));
    }
    let session = session::insert(conn, entropy, exchange.user_id, &exchange.new, now).await?;
    let name: super::connect::Params<'_> = &[(&key, Type::BYTEA), (&uuid(session.id.as_bytes()), Type::UUID)];
    conn.execute(NAME, name).await?;
    event::write(conn, entropy, exchanged(exchange, &session)).await?;
    Ok(Exchanged::Created { session, person })
}

async fn find(conn: &mut Conn, id: SessionId) -> Result<Option<Session>> {
    let row = conn.row(&FIND_SESSION, &[(&uuid(id.as_bytes()), Type::UUID)]).await?;
    row.map(|row| crate::row::session(&mut Fields::of(&row))).transpose()
}
