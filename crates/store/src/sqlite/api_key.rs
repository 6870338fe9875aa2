//! API keys.

use std::sync::LazyLock;

use async_trait::async_trait;
use rusqlite::{Connection, named_params, params};
use tenure_domain::api_key::{ApiKeyHash, KEYS_PER_ACCOUNT_MAX, scopes_to_text};
use tenure_domain::id::{AccountId, ApiKeyId};
use tenure_domain::time::Timestamp;

use super::writer::Tx;
use super::{SqliteStore, account, row};
use crate::row::Columns as _;
use crate::{
    ApiKey, ApiKeyCreated, ApiKeyRotated, ApiKeys, Decree, KEY_USE_NOTED_EVERY, KeyHolder, NewApiKey, Result,
    Subject,
};

const INSERT: &str = "INSERT INTO api_key (id, account_id, name, hash, scopes, created_at, expires_at) \
     VALUES (:id, :account_id, :name, :hash, :scopes, :now, :expires_at)";

/// As `ApiKeyState::is_live` has it, at `?2`.
const IS_LIVE: &str = "k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > ?2) \
     AND (k.retires_at IS NULL OR k.retires_at > ?2)";

static LIVE: LazyLock<String> =
    LazyLock::new(|| format!("SELECT count(*) FROM api_key k WHERE k.account_id = ?1 AND {IS_LIVE}"));

const USED: &str = "UPDATE api_key SET last_used_at = ?2 \
     WHERE id = ?1 AND (last_used_at IS NULL OR last_used_at < ?3)";

static FIND: LazyLock<String> =
    LazyLock::new(|| format!("SELECT {} FROM api_key k WHERE k.id = ?1", row::API_KEY));
static LIST: LazyLock<String> = LazyLock::new(|| {
    format!(
        "SELECT {} FROM api_key k WHERE k.account_id = ?1 ORDER BY ({IS_LIVE}) DESC, k.id DESC LIMIT ?3",
        row::API_KEY
    )
});
static HOLDER: LazyLock<String> = LazyLock::new(|| {
    format!(
        "SELECT {}, {} FROM api_key k LEFT JOIN account a ON a.id = k.account_id \
         LEFT JOIN plan p ON p.slug = a.plan WHERE k.id = ?1",
        row::API_KEY,
        row::ACCOUNT
    )
});

#[async_trait]
impl ApiKeys for SqliteStore {
    async fn api_key_create(
        &self,
        account_id: AccountId,
        new: NewApiKey,
        decree: Decree,
        now: Timestamp,
    ) -> Result<ApiKeyCreated> {
        self.writer
            .write_composed(move |tx| {
                if !account::exists(tx.conn, account_id)? {
                    return Ok(ApiKeyCreated::AccountGone);
                }
                if is_full(tx, account_id, now)? {
                    return Ok(ApiKeyCreated::TooMany);
                }
                let key = insert(tx, account_id, new, now)?;
                account::record(tx, &Subject::Account(account_id), &[key.created()], &decree, now)?;
                Ok(ApiKeyCreated::Created(key))
            })
            .await
    }

    async fn api_key_rotate(
        &self,
        id: ApiKeyId,
        hash: ApiKeyHash,
        until: Timestamp,
        decree: Decree,
        now: Timestamp,
    ) -> Result<ApiKeyRotated> {
        self.writer
            .write_composed(move |tx| {
                let Some(old) = find(tx.conn, id)?.filter(|key| key.state.is_live(now)) else {
                    return Ok(ApiKeyRotated::Gone);
                };
                let account_id = old.account_id;
                if is_full(tx, account_id, now)? {
                    return Ok(ApiKeyRotated::TooMany);
                }
                let retire =
                    "UPDATE api_key SET retires_at = min(coalesce(retires_at, ?2), ?2) WHERE id = ?1";
                tx.conn.prepare_cached(retire)?.execute(params![id.as_bytes(), until.as_ms()])?;
                let next = insert(tx, account_id, old.successor(hash), now)?;
                let acts = [old.succeeded_by(&next)];
                account::record(tx, &Subject::Account(account_id), &acts, &decree, now)?;
                Ok(ApiKeyRotated::Rotated(next))
            })
            .await
    }

    async fn api_key_revoke(&self, id: ApiKeyId, decree: Decree, now: Timestamp) -> Result<Option<ApiKey>> {
        self.writer
            .write_composed(move |tx| {
                let Some(key) = find(tx.conn, id)? else { return Ok(None) };
                if key.state.revoked_at.is_none() {
                    let revoke = "UPDATE api_key SET revoked_at = ?2 WHERE id = ?1";
                    tx.conn.prepare_cached(revoke)?.execute(params![id.as_bytes(), now.as_ms()])?;
                    let subject = Subject::Account(key.account_id);
                    account::record(tx, &subject, &[key.revoked()], &decree, now)?;
                }
                find(tx.conn, id)
            })
            .await
    }

    async fn api_key_list(&self, account_id: AccountId, limit: usize, now: Timestamp) -> Result<Vec<ApiKey>> {
        let limit = row::integer(limit);
        self.readers
            .read(move |conn| {
                let params = params![account_id.as_bytes(), now.as_ms(), limit];
                row::readable(conn, &LIST, params, |columns| row::api_key(columns))
            })
            .await
    }

    async fn api_key_search(
        &self,
        account: Option<AccountId>,
        after: Option<ApiKeyId>,
        limit: usize,
    ) -> Result<Vec<ApiKey>> {
        self.readers
            .read(move |conn| {
                let of_account = if account.is_some() { "k.account_id = ?1" } else { "?1 IS NULL" };
                let sql = format!(
                    "SELECT {} FROM api_key k WHERE {of_account} AND k.id < ?2 ORDER BY k.id DESC LIMIT ?3",
                    row::API_KEY
                );
                let account = account.as_ref().map(AccountId::as_bytes);
                let after = after.map_or([0xff; 16], |id| *id.as_bytes());
                let params = params![account, after, row::integer(limit)];
                row::readable(conn, &sql, params, |columns| row::api_key(columns))
            })
            .await
    }

    async fn api_key_find(&self, id: ApiKeyId) -> Result<Option<KeyHolder>> {
        self.readers
            .read(move |conn| row::one(conn, &HOLDER, [id.as_bytes()], |columns| row::key_holder(columns)))
            .await
    }

    async fn api_key_used(&self, id: ApiKeyId, now: Timestamp) -> Result<()> {
        self.writer
            .write(move |tx| {
                let before = (now - KEY_USE_NOTED_EVERY).as_ms();
                tx.conn.prepare_cached(USED)?.execute(params![id.as_bytes(), now.as_ms(), before])?;
                Ok(())
            })
            .await
    }
}

/// Whether an account has as many live keys as it may have.
fn is_full(tx: &Tx<'_>, account_id: AccountId, now: Timestamp) -> Result<bool> {
    let params = params![account_id.as_bytes(), now.as_ms()];
    let live: Option<usize> = row::one(tx.conn, &LIVE, params, |columns| columns.number("API key"))?;
    Ok(live.unwrap_or(0) >= KEYS_PER_ACCOUNT_MAX)
}

fn insert(tx: &Tx<'_>, account_id: AccountId, new: NewApiKey, now: Timestamp) -> Result<ApiKey> {
    let key = new.key(tx.entropy, account_id, now);
    tx.conn.prepare_cached(INSERT)?.execute(named_params! {
        ":id": key.id.as_bytes(),
        ":account_id": account_id.as_bytes(),
        ":name": key.name,
        ":hash": key.state.hash.0,
        ":scopes": scopes_to_text(&key.scopes),
        ":now": now.as_ms(),
        ":expires_at": key.state.expires_at.map(Timestamp::as_ms),
    })?;
    Ok(key)
}

fn find(conn: &Connection, id: ApiKeyId) -> Result<Option<ApiKey>> {
    row::one(conn, &FIND, [id.as_bytes()], |columns| row::api_key(columns))
}
