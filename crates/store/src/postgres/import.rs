//! People who come from another system.

use std::sync::LazyLock;

use async_trait::async_trait;
use tenure_domain::arrival::{Arrivals, Imported, Left, Verdict};
use tenure_domain::id::UserId;
use tenure_domain::time::Timestamp;
use tokio_postgres::types::Type;

use super::PostgresStore;
use super::connect::Conn;
use super::row::{Fields, uuid};
use crate::import::{DECIDED, HERE, HERE_COLUMNS, arrived, decided, disabling, enabling, here, left_by};
use crate::row::{Columns as _, integer};
use crate::{Arrived, Import, Imports, NewUser, Result, StoreError, Subject, User, UserCreated};

static KNOWN: LazyLock<String> = LazyLock::new(|| {
    format!(
        "SELECT {HERE}, i.key FROM imported i LEFT JOIN \"user\" u ON u.id = i.user_id WHERE i.key = ANY($1)"
    )
});

const LIST: &str = "SELECT i.key, i.user_id, u.email FROM imported i JOIN \"user\" u ON u.id = i.user_id \
     WHERE u.disabled_at IS NULL AND i.key > $1 ORDER BY i.key LIMIT $2";

const CLOSE: &str = "UPDATE imported SET closed_at = $2 WHERE user_id = $1 AND closed_at IS NULL";

const KEYS: &str = "SELECT user_id, key FROM imported WHERE user_id = ANY($1)";

const TAKEN: &str = "SELECT email_key FROM \"user\" WHERE email_key = ANY($1)";

/// Whoever had the key has been deleted.
const INSERT: &str = "INSERT INTO imported (key, user_id, at, acts, version) VALUES ($1, $2, $3, $4, $5) \
     ON CONFLICT (key) DO UPDATE SET user_id = excluded.user_id, at = excluded.at, acts = excluded.acts, \
     version = excluded.version, told = NULL, closed_at = NULL";

const LEAVE: &str = "UPDATE imported SET acts = $2, version = $3, told = NULL WHERE key = $1";

const TAKEN_BY: &str = "SELECT 1 FROM imported i JOIN \"user\" u ON u.id = i.user_id WHERE i.key = $1";

const TELL: &str = "UPDATE imported SET told = $2 WHERE key = $1";

/// Two imports of the same people would find each other's keys only by breaking on them.
const ALONE: &str = "SELECT pg_advisory_xact_lock(hashtext('tenure'), hashtext('import'))";

/// Somebody may register with an address between the look and the step; then it is looked at once more.
const ATTEMPTS: usize = 3;

#[async_trait]
impl Imports for PostgresStore {
    async fn user_import(&self, people: Vec<Import>, dry_run: bool, now: Timestamp) -> Result<Vec<Imported>> {
        let mut conn = self.db.get().await?;
        if dry_run {
            let mut arrivals = arrivals(&mut conn, &people).await?;
            return Ok(people.iter().map(|import| arrivals.judge(&import.newcomer()).outcome()).collect());
        }
        for _ in 0..ATTEMPTS {
            conn.begin().await?;
            match self.import(&mut conn, &people, now).await? {
                Some(outcomes) => {
                    conn.commit().await?;
                    if outcomes.iter().any(|it| matches!(it, Imported::Disabled | Imported::Enabled)) {
                        self.feed.tell().await;
                    }
                    return Ok(outcomes);
                }
                None => conn.roll_back().await?,
            }
        }
        Err(StoreError::Unavailable("addresses of an import are being registered at this moment".into()))
    }

    async fn import_find(&self, key: String) -> Result<Option<UserId>> {
        let find = "SELECT user_id FROM imported WHERE key = $1";
        let row = self.db.get().await?.row(find, &[(&key, Type::TEXT)]).await?;
        row.map(|row| Fields::of(&row).id("import").map(UserId::from_bytes)).transpose()
    }

    async fn import_list(&self, after: Option<String>, limit: usize) -> Result<Vec<Arrived>> {
        let (after, limit) = (after.unwrap_or_default(), integer(limit));
        let params = [(&after as _, Type::TEXT), (&limit as _, Type::INT8)];
        let rows = self.db.get().await?.rows(LIST, &params).await?;
        rows.iter().map(|row| arrived(&mut Fields::of(row))).collect()
    }

    async fn import_keys(&self, users: Vec<UserId>) -> Result<Vec<(UserId, String)>> {
        let users: Vec<_> = users.iter().map(|user| uuid(user.as_bytes())).collect();
        let rows = self.db.get().await?.rows(KEYS, &[(&users, Type::UUID_ARRAY)]).await?;
        let read = |row| {
            let mut columns = Fields::of(row);
            Ok((UserId::from_bytes(columns.id("import")?), columns.text("import")?))
        };
        rows.iter().map(read).collect()
    }
}

impl PostgresStore {
    /// None if an address was taken by somebody else meanwhile.
    async fn import(
        &self,
        conn: &mut Conn,
        people: &[Import],
        now: Timestamp,
    ) -> Result<Option<Vec<Imported>>> {
        conn.row(ALONE, &[]).await?;
        let mut arrivals = arrivals(conn, people).await?;
        let mut outcomes = Vec::with_capacity(people.len());
        for import in people {
            let outcome = match arrivals.judge(&import.newcomer()) {
                Verdict::Create if !self.come(conn, import, now).await? => return Ok(None),
                Verdict::Create => Imported::Created,
                Verdict::Disable(id, left) => {
                    self.disable(conn, id, &disabling(&import.new), now).await?;
                    leave(conn, &import.key, left).await?;
                    Imported::Disabled
                }
                Verdict::Enable(id, left) => {
                    self.enable(conn, id, &enabling(&import.new), now).await?;
                    leave(conn, &import.key, left).await?;
                    Imported::Enabled
                }
                Verdict::Tell(outcome, told) => {
                    let told = told.map(i64::from);
                    conn.execute(TELL, &[(&import.key, Type::TEXT), (&told, Type::INT8)]).await?;
                    outcome
                }
                Verdict::Leave(outcome) => outcome,
            };
            outcomes.push(outcome);
        }
        Ok(Some(outcomes))
    }

    /// False if somebody else has the address.
    async fn come(&self, conn: &mut Conn, import: &Import, now: Timestamp) -> Result<bool> {
        let UserCreated::Created { user, .. } = self.create(conn, &import.new, None, now).await? else {
            return Ok(false);
        };
        insert(conn, &import.key, &import.new, &user, now).await?;
        Ok(true)
    }
}

/// Whether somebody has the key who is still here. Nobody else can get it until the transaction is over.
pub(super) async fn is_taken(conn: &mut Conn, key: &str) -> Result<bool> {
    conn.row(ALONE, &[]).await?;
    Ok(conn.row(TAKEN_BY, &[(&key, Type::TEXT)]).await?.is_some())
}

/// Of somebody who has just been created, under a key that is not taken.
pub(super) async fn insert(
    conn: &mut Conn,
    key: &str,
    new: &NewUser,
    user: &User,
    now: Timestamp,
) -> Result<()> {
    let left = left_by(new, user);
    let params: super::connect::Params<'_> = &[
        (&key, Type::TEXT),
        (&uuid(user.id.as_bytes()), Type::UUID),
        (&now.as_ms(), Type::INT8),
        (&i64::from(left.acts), Type::INT8),
        (&i64::from(left.token_version), Type::INT8),
    ];
    conn.execute(INSERT, params).await.map(drop)
}

async fn leave(conn: &mut Conn, key: &str, left: Left) -> Result<()> {
    let params: super::connect::Params<'_> = &[
        (&key, Type::TEXT),
        (&i64::from(left.acts), Type::INT8),
        (&i64::from(left.token_version), Type::INT8),
    ];
    conn.execute(LEAVE, params).await.map(drop)
}

/// Nobody may trade what a user had elsewhere any more.
pub(super) async fn close(conn: &mut Conn, user: UserId, now: Timestamp) -> Result<()> {
    let params = [(&uuid(user.as_bytes()) as _, Type::UUID), (&now.as_ms() as _, Type::INT8)];
    conn.execute(CLOSE, &params).await.map(drop)
}

async fn arrivals(conn: &mut Conn, people: &[Import]) -> Result<Arrivals> {
    let keys: Vec<_> = people.iter().map(|import| import.key.as_str()).collect();
    let emails: Vec<_> = people.iter().map(|import| import.new.email_key.as_str()).collect();
    let mut arrivals = Arrivals::default();
    for row in conn.rows(&KNOWN, &[(&keys, Type::TEXT_ARRAY)]).await? {
        let known = here(&mut Fields::of(&row))?;
        arrivals.keys.insert(Fields::of(&row).go_to(HERE_COLUMNS).text("import")?, known);
    }
    for import in people {
        let known = arrivals.keys.get_mut(&import.key).and_then(Option::as_mut);
        if let Some(person) = known.filter(|person| person.is_otherwise(&import.newcomer())) {
            let subject = Subject::User(person.user_id).to_string();
            if let Some(row) = conn.row(DECIDED, &[(&subject, Type::TEXT)]).await? {
                person.decided = decided(&mut Fields::of(&row))?;
            }
        }
    }
    for row in conn.rows(TAKEN, &[(&emails, Type::TEXT_ARRAY)]).await? {
        arrivals.emails.insert(Fields::of(&row).text("user")?);
    }
    Ok(arrivals)
}
