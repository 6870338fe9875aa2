//! API keys.

use std::sync::LazyLock;

use async_trait::async_trait;
use tenure_domain::api_key::{ApiKeyHash, KEYS_PER_ACCOUNT_MAX, scopes_to_text};
use tenure_domain::id::{AccountId, ApiKeyId};
use tenure_domain::time::Timestamp;
use tokio_postgres::types::Type;

use super::PostgresStore;
use super::connect::Conn;
use super::row::{self, Fields, uuid};
use crate::row::{ACCOUNT, API_KEY, Columns as _, integer};
use crate::{
    ApiKey, ApiKeyCreated, ApiKeyRotated, ApiKeys, Decree, KEY_USE_NOTED_EVERY, KeyHolder, NewApiKey, Result,
    Subject,
};

const INSERT: &str = "INSERT INTO api_key (id, account_id, name, hash, scopes, created_at, expires_at) \
     VALUES ($1, $2, $3, $4, $5, $6, $7)";

const LIVE: &str = "SELECT count(*) FROM api_key WHERE account_id = $1 AND revoked_at IS NULL \
     AND (expires_at IS NULL OR expires_at > $2)";

const USED: &str = "UPDATE api_key SET last_used_at = $2 \
     WHERE id = $1 AND (last_used_at IS NULL OR last_used_at < $3)";

/// Keeps keys of one account from being made at the same time, which are counted.
const LOCK_ACCOUNT: &str = "SELECT 1 FROM account WHERE id = $1 FOR NO KEY UPDATE";

static LOCKED: LazyLock<String> =
    LazyLock::new(|| format!("SELECT {API_KEY} FROM api_key k WHERE k.id = $1 FOR NO KEY UPDATE"));
static LIST: LazyLock<String> = LazyLock::new(|| {
    format!("SELECT {API_KEY} FROM api_key k WHERE k.account_id = $1 ORDER BY k.id DESC LIMIT $2")
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
        let mut conn = self.db.get().await?;
        conn.begin().await?;
        let created = self.create_key(&mut conn, account_id, new, &decree, now).await?;
        conn.commit().await?;
        Ok(created)
    }

    async fn api_key_rotate(
        &self,
        id: ApiKeyId,
        hash: ApiKeyHash,
        until: Timestamp,
        decree: Decree,
        now: Timestamp,
    ) -> Result<ApiKeyRotated> {
        let mut conn = self.db.get().await?;
        conn.begin().await?;
        let rotated = match locked(&mut conn, id).await?.filter(|key| key.is_live(now)) {
            None => ApiKeyRotated::Gone,
            Some(old) => {
                let expire =
                    "UPDATE api_key SET expires_at = least(coalesce(expires_at, $2), $2) WHERE id = $1";
                let params = [(&uuid(id.as_bytes()) as _, Type::UUID), (&until.as_ms() as _, Type::INT8)];
                conn.execute(expire, &params).await?;
                let new = old.successor(hash);
                ApiKeyRotated::Rotated(self.insert_key(&mut conn, old.account_id, new, &decree, now).await?)
            }
        };
        conn.commit().await?;
        Ok(rotated)
    }

    async fn api_key_revoke(&self, id: ApiKeyId, decree: Decree, now: Timestamp) -> Result<Option<ApiKey>> {
        let mut conn = self.db.get().await?;
        conn.begin().await?;
        let mut key = locked(&mut conn, id).await?;
        if let Some(key) = key.as_mut().filter(|key| key.state.revoked_at.is_none()) {
            let revoke = "UPDATE api_key SET revoked_at = $2 WHERE id = $1";
            let params = [(&uuid(id.as_bytes()) as _, Type::UUID), (&now.as_ms() as _, Type::INT8)];
            conn.execute(revoke, &params).await?;
            let subject = Subject::Account(key.account_id);
            self.record(&mut conn, &subject, &[key.revoked()], &decree, now).await?;
            key.state.revoked_at = Some(now);
        }
        conn.commit().await?;
        Ok(key)
    }

    async fn api_key_list(&self, account_id: AccountId, limit: usize) -> Result<Vec<ApiKey>> {
        let (account, limit) = (uuid(account_id.as_bytes()), integer(limit));
        let params = [(&account as _, Type::UUID), (&limit as _, Type::INT8)];
        let rows = self.db.get().await?.rows(&LIST, &params).await?;
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
        self.db.get().await?.execute(USED, &params).await.map(drop)
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
        let account = uuid(account_id.as_bytes());
        if conn.row(LOCK_ACCOUNT, &[(&account, Type::UUID)]).await?.is_none() {
            return Ok(ApiKeyCreated::AccountGone);
        }
        let row = conn.row(LIVE, &[(&account, Type::UUID), (&now.as_ms(), Type::INT8)]).await?;
        let live: usize = row.map_or(Ok(0), |row| Fields::of(&row).number("api key"))?;
        if live >= KEYS_PER_ACCOUNT_MAX {
            return Ok(ApiKeyCreated::TooMany);
        }
        self.insert_key(conn, account_id, new, decree, now).await.map(ApiKeyCreated::Created)
    }

    async fn insert_key(
        &self,
        conn: &mut Conn,
        account_id: AccountId,
        new: NewApiKey,
        decree: &Decree,
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
        self.record(conn, &Subject::Account(account_id), &[key.created()], decree, now).await?;
        Ok(key)
    }
}

/// Kept from changing until the transaction is over.
async fn locked(conn: &mut Conn, id: ApiKeyId) -> Result<Option<ApiKey>> {
    let row = conn.row(&LOCKED, &[(&uuid(id.as_bytes()), Type::UUID)]).await?;
    row.map(|row| crate::row::api_key(&mut Fields::of(&row))).transpose()
}
