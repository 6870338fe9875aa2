//! The console's sessions in Redis, for as long as its process lives.
//!
//! What was deleted must not come back with a snapshot, so every key carries the name of the process's life: one
//! that starts anew, whatever it starts from, knows nobody. Times are the caller's; those of Redis only clear away.

use std::sync::{Arc, LazyLock};

use async_trait::async_trait;
use redis::{RedisResult, Script};
use tenure_domain::id::UserId;
use tenure_domain::time::Timestamp;

use super::{PREFIX, Redis};
use crate::{ConsoleKey, ConsolePayload, ConsoleSession, ConsoleSessions, Result, StoreError};

/// KEYS: the session, its user's set. ARGV: user, created, expires, payload, milliseconds that it lasts.
static PUT: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"
        redis.call('DEL', KEYS[1])
        redis.call('HSET', KEYS[1], 'user', ARGV[1], 'created', ARGV[2], 'expires', ARGV[3], 'payload', ARGV[4])
        redis.call('PEXPIRE', KEYS[1], ARGV[5])
        redis.call('SADD', KEYS[2], KEYS[1])
        if redis.call('PTTL', KEYS[2]) < tonumber(ARGV[5]) then
            redis.call('PEXPIRE', KEYS[2], ARGV[5])
        end",
    )
});

/// KEYS: the session. ARGV: expires, now, milliseconds that it lasts, what the names of users' sets begin with, and the
/// payload if it is another.
static RENEW: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"
        local found = redis.call('HMGET', KEYS[1], 'expires', 'user')
        if not found[1] or tonumber(found[1]) <= tonumber(ARGV[2]) then
            return 0
        end
        redis.call('HSET', KEYS[1], 'expires', ARGV[1])
        if ARGV[5] then
            redis.call('HSET', KEYS[1], 'payload', ARGV[5])
        end
        redis.call('PEXPIRE', KEYS[1], ARGV[3])
        local set = ARGV[4] .. found[2]
        if redis.call('PTTL', set) < tonumber(ARGV[3]) then
            redis.call('PEXPIRE', set, ARGV[3])
        end
        return 1",
    )
});

/// KEYS: the session. ARGV: what the names of users' sets begin with.
static DELETE: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"
        local user = redis.call('HGET', KEYS[1], 'user')
        if user then
            redis.call('SREM', ARGV[1] .. user, KEYS[1])
            redis.call('DEL', KEYS[1])
        end",
    )
});

/// KEYS: the user's set. ARGV: user.
static DELETE_OF: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"
        for _, session in ipairs(redis.call('SMEMBERS', KEYS[1])) do
            if redis.call('HGET', session, 'user') == ARGV[1] then
                redis.call('DEL', session)
            end
        end
        redis.call('DEL', KEYS[1])",
    )
});

/// The names of keys in one life of Redis.
struct Names(Arc<str>);

impl Names {
    fn session(&self, key: ConsoleKey) -> String {
        format!("{PREFIX}:console:{}:session:{}", self.0, hex(&key.0))
    }

    fn users(&self) -> String {
        format!("{PREFIX}:console:{}:user:", self.0)
    }

    fn user(&self, user: &str) -> String {
        self.users() + user
    }
}

type Fields = (Option<String>, Option<i64>, Option<i64>, Option<Vec<u8>>);

#[async_trait]
impl ConsoleSessions for Redis {
    async fn console_session_put(&self, session: ConsoleSession) -> Result<()> {
        let ConsoleSession { key, user_id, payload, created_at, expires_at } = session;
        let user = hex(user_id.as_bytes());
        let put = async |mut connection, life| -> RedisResult<()> {
            let names = Names(life);
            let mut put = PUT.prepare_invoke();
            put.key(names.session(key)).key(names.user(&user));
            put.arg(&user).arg(created_at.as_ms()).arg(expires_at.as_ms());
            put.arg(payload.as_bytes()).arg(lasts(created_at, expires_at));
            put.invoke_async(&mut connection).await
        };
        self.link().call_in_life(put).await.ok_or_else(away)
    }

    async fn console_session_find(&self, key: ConsoleKey, now: Timestamp) -> Result<Option<ConsoleSession>> {
        let find = async |mut connection, life| -> RedisResult<Fields> {
            let mut find = redis::cmd("HMGET");
            find.arg(Names(life).session(key)).arg("user").arg("created").arg("expires").arg("payload");
            find.query_async(&mut connection).await
        };
        let (Some(user), Some(created_at), Some(expires_at), Some(payload)) =
            self.link().call_in_life(find).await.ok_or_else(away)?
        else {
            return Ok(None);
        };
        let session = ConsoleSession {
            key,
            user_id: unhex(&user).map(UserId::from_bytes).ok_or_else(|| corrupt("user"))?,
            payload: ConsolePayload::new(payload).ok_or_else(|| corrupt("payload"))?,
            created_at: Timestamp::from_ms(created_at),
            expires_at: Timestamp::from_ms(expires_at),
        };
        Ok(Some(session).filter(|session| now < session.expires_at))
    }

    async fn console_session_renew(
        &self,
        key: ConsoleKey,
        expires_at: Timestamp,
        payload: Option<ConsolePayload>,
        now: Timestamp,
    ) -> Result<bool> {
        let renew = async |mut connection, life| -> RedisResult<bool> {
            let names = Names(life);
            let mut renew = RENEW.prepare_invoke();
            renew.key(names.session(key));
            renew.arg(expires_at.as_ms()).arg(now.as_ms()).arg(lasts(now, expires_at)).arg(names.users());
            if let Some(payload) = &payload {
                renew.arg(payload.as_bytes());
            }
            renew.invoke_async(&mut connection).await
        };
        self.link().call_in_life(renew).await.ok_or_else(away)
    }

    async fn console_session_delete(&self, key: ConsoleKey) -> Result<()> {
        let delete = async |mut connection, life| -> RedisResult<()> {
            let names = Names(life);
            DELETE.key(names.session(key)).arg(names.users()).invoke_async(&mut connection).await
        };
        self.link().call_in_life(delete).await.ok_or_else(away)
    }

    async fn console_session_delete_of(&self, user_id: UserId) -> Result<()> {
        let user = hex(user_id.as_bytes());
        let delete = async |mut connection, life| -> RedisResult<()> {
            DELETE_OF.key(Names(life).user(&user)).arg(&user).invoke_async(&mut connection).await
        };
        self.link().call_in_life(delete).await.ok_or_else(away)
    }

    /// Redis does that by itself.
    async fn console_session_expire(&self, _now: Timestamp, _limit: usize) -> Result<u64> {
        Ok(0)
    }
}

/// Milliseconds from one to the other, by which Redis forgets on its own clock.
fn lasts(from: Timestamp, to: Timestamp) -> i64 {
    to.as_ms().saturating_sub(from.as_ms()).max(0)
}

fn away() -> StoreError {
    StoreError::Unavailable("Redis does not answer".into())
}

fn corrupt(field: &str) -> StoreError {
    StoreError::Corrupt { what: "console session", cause: format!("{field} cannot be read") }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    if text.len() != 2 * N {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(bytes)
}
