//! API keys.

use std::sync::LazyLock;

use async_trait::async_trait;
use tenure_domain::api_key::{ApiKeyHash, KEYS_PER_ACCOUNT_MAX, scopes_to_text};
use tenure_domain::id::{AccountId, ApiKeyId};
use tenure_domain::time::Timestamp;
use tokio_postgres::types::Type;

use super::connect::Conn;
use super::row::{self, Fields, uuid};
use super::{PostgresStore, account};
use crate::row::{ACCOUNT, API_KEY, Columns as _, integer};
use crate::{
    ApiKey, ApiKeyCreated, ApiKeyRotated, ApiKeys, Decree, KEY_USE_NOTED_EVERY, KeyHolder, NewApiKey, Result,
    Subject,
};

const INSERT: &str = "INSERT INTO api_key (id, account_id, name, hash, scopes, created_at, expires_at) \
     VALUES ($1, $2, $3, $4, $5, $6, $7)";

/// As `ApiKeyState::is_live` has it, at `$2`.
const IS_LIVE: &str = "k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > $2) \
     AND (k.retires_at IS NULL OR k.retires_at > $2)";

static LIVE: LazyLock<String> =
    LazyLock::new(|| format!("SELECT count(*) FROM api_key k WHERE k.account_id = $1 AND {IS_LIVE}"));

const USED: &str = "UPDATE api_key SET last_used_at = $2 \
     WHERE id = $1 AND (last_used_at IS NULL OR last_used_at < $3)";

static FIND: LazyLock<String> = LazyLock::new(|| format!("SELECT {API_KEY} FROM api_key k WHERE k.id = $1"));
static LOCKED: LazyLock<String> = LazyLock::new(|| format!("{} FOR NO KEY UPDATE", *FIND));
static LIST: LazyLock<String> = LazyLock::new(|| {
    format!(
        "SELECT {API_KEY} FROM api_key k WHERE k.account_id = $1 ORDER BY ({IS_LIVE}) DESC, k.id DESC LIMIT $3"
    )
});
static HOLDER: LazyLock<String> = LazyLock::new(|| {
    format!(
        "SELECT {API_KEY}, {ACCOUNT} FROM api_key k LEFT JOIN account a ON a.id = k.account_id \
         LEFT JOIN plan p ON p.slug = a.plan WHERE k.id = $1"
    )
});

#[async_trait]
impl ApiKeys for PostgresStore {
    async fn api_key_create(
        &self,
        account_id: AccountId,
        new: NewApiKey,
        decree: Decree,
        now: Timestamp,
    ) -> Result<ApiKeyCreated> {
        self.write(async |conn| self.create_key(conn, account_id, new, &decree, now).await).await
    }

    async fn api_key_rotate(
        &self,
        id: ApiKeyId,
        hash: ApiKeyHash,
        until: Timestamp,
        decree: Decree,
        now: Timestamp,
    ) -> Result<ApiKeyRotated> {
        self.write(async |conn| self.rotate_key(conn, id, hash, until, &decree, now).await).await
    }

    async fn api_key_revoke(&self, id: ApiKeyId, decree: Decree, now: Timestamp) -> Result<Option<ApiKey>> {
        self.write(async |conn| {
            let mut key = find(conn, &LOCKED, id).await?;
            if let Some(key) = key.as_mut().filter(|key| key.state.revoked_at.is_none()) {
                let revoke = "UPDATE api_key SET revoked_at = $2 WHERE id = $1";
                let params = [(&uuid(id.as_bytes()) as _, Type::UUID), (&now.as_ms() as _, Type::INT8)];
                conn.execute(revoke, &params).await?;
                let subject = Subject::Account(key.account_id);
                self.record(conn, &subject, &[key.revoked()], &decree, now).await?;
                key.state.revoked_at = Some(now);
            }
            Ok(key)
        })
        .await
    }

    async fn api_key_list(&self, account_id: AccountId, limit: usize, now: Timestamp) -> Result<Vec<ApiKey>> {
        let (account, limit) = (uuid(account_id.as_bytes()), integer(limit));
        let params =
            [(&account as _, Type::UUID), (&now.as_ms() as _, Type::INT8), (&limit as _, Type::INT8)];
        let rows = self.db.get().await?.rows(&LIST, &params).await?;
        Ok(row::readable(&rows, |columns| crate::row::api_key(columns)))
    }

    async fn api_key_search(
        &self,
        account: Option<AccountId>,
        after: Option<ApiKeyId>,
        limit: usize,
    ) -> Result<Vec<ApiKey>> {
        let of_account = if account.is_some() { "k.account_id = $1" } else { "$1 IS NULL" };
        let sql = format!(
            "SELECT {API_KEY} FROM api_key k WHERE {of_account} AND k.id < $2 ORDER BY k.id DESC LIMIT $3"
        );
        let after = after.map_or([0xff; 16], |id| *id.as_bytes());
        let params: super::connect::Params<'_> = &[
            (&account.map(|id| uuid(id.as_bytes())), Type::UUID),
            (&uuid(&after), Type::UUID),
            (&integer(limit), Type::INT8),
        ];
        let rows = self.db.get().await?.rows(&sql, params).await?;
        Ok(row::readable(&rows, |columns| crate::row::api_key(columns)))
    }

    async fn api_key_find(&self, id: ApiKeyId) -> Result<Option<KeyHolder>> {
        let row = self.db.get().await?.row(&HOLDER, &[(&uuid(id.as_bytes()), Type::UUID)]).await?;
        row.map(|row| crate::row::key_holder(&mut Fields::of(&row))).transpose()
    }

    async fn api_key_used(&self, id: ApiKeyId, now: Timestamp) -> Result<()> {
        let before = (now - KEY_USE_NOTED_EVERY).as_ms();
        let params = [
            (&uuid(id.as_bytes()) as _, Type::UUID),
            (&now.as_ms() as _, Type::INT8),
            (&before as _, Type::INT8),
        ];
        // It can be done without, and a refresh that waits for a connection cannot.
        self.db.get_expendable().await?.execute(USED, &params).await.map(drop)
    }
}

impl PostgresStore {
    async fn create_key(
        &self,
        conn: &mut Conn,
        account_id: AccountId,
        new: NewApiKey,
        decree: &Decree,
        now: Timestamp,
    ) -> Result<ApiKeyCreated> {
        if !account::lock(conn, account_id).await? {
            return Ok(ApiKeyCreated::AccountGone);
        }
        if is_full(conn, account_id, now).await? {
            return Ok(ApiKeyCreated::TooMany);
        }
        let key = self.insert_key(conn, account_id, new, now).await?;
        self.record(conn, &Subject::Account(account_id), &[key.created()], decree, now).await?;
        Ok(ApiKeyCreated::Created(key))
    }

    /// The account is locked before its key, as by whoever deletes both.
    async fn rotate_key(
        &self,
        conn: &mut Conn,
        id: ApiKeyId,
        hash: ApiKeyHash,
        until: Timestamp,
        decree: &Decree,
        now: Timestamp,
    ) -> Result<ApiKeyRotated> {
        let Some(key) = find(conn, &FIND, id).await? else { return Ok(ApiKeyRotated::Gone) };
        let account_id = key.account_id;
        account::lock(conn, account_id).await?;
        let Some(old) = find(conn, &LOCKED, id).await?.filter(|key| key.state.is_live(now)) else {
            return Ok(ApiKeyRotated::Gone);
        };
        if is_full(conn, account_id, now).await? {
            return Ok(ApiKeyRotated::TooMany);
        }
        let retire = "UPDATE api_key SET retires_at = least(coalesce(retires_at, $2), $2) WHERE id = $1";
        let params = [(&uuid(id.as_bytes()) as _, Type::UUID), (&until.as_ms() as _, Type::INT8)];
        conn.execute(retire, &params).await?;
        let next = self.insert_key(conn, account_id, old.successor(hash), now).await?;
        let acts = [old.succeeded_by(&next)];
        self.record(conn, &Subject::Account(account_id), &acts, decree, now).await?;
        Ok(ApiKeyRotated::Rotated(next))
    }

    async fn insert_key(
        &self,
        conn: &mut Conn,
        account_id: AccountId,
        new: NewApiKey,
        now: Timestamp,
    ) -> Result<ApiKey> {
        let key = new.key(&*self.entropy, account_id, now);
        conn.execute(
            INSERT,
            &[
                (&uuid(key.id.as_bytes()), Type::UUID),
                (&uuid(account_id.as_bytes()), Type::UUID),
                (&key.name, Type::TEXT),
                (&key.state.hash.0.as_slice(), Type::BYTEA),
                (&scopes_to_text(&key.scopes), Type::TEXT),
                (&now.as_ms(), Type::INT8),
                (&key.state.expires_at.map(Timestamp::as_ms), Type::INT8),
            ],
        )
        .await?;
        Ok(key)
    }
}

/// Whether an account has as many live keys as it may have.
async fn is_full(conn: &mut Conn, account_id: AccountId, now: Timestamp) -> Result<bool> {
    let params = [(&uuid(account_id.as_bytes()) as _, Type::UUID), (&now.as_ms() as _, Type::INT8)];
    let row = conn.row(&LIVE, &params).await?;
    let live: usize = row.map_or(Ok(0), |row| Fields::of(&row).number("API key"))?;
    Ok(live >= KEYS_PER_ACCOUNT_MAX)
}

async fn find(conn: &mut Conn, sql: &str, id: ApiKeyId) -> Result<Option<ApiKey>> {
    let row = conn.row(sql, &[(&uuid(id.as_bytes()), Type::UUID)]).await?;
    row.map(|row| crate::row::api_key(&mut Fields::of(&row))).transpose()
}
