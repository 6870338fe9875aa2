//! People who come from another system.

use std::sync::LazyLock;

use async_trait::async_trait;
use rusqlite::{Connection, params};
use tenure_domain::arrival::{Arrivals, Imported, Left, Verdict};
use tenure_domain::id::UserId;
use tenure_domain::time::Timestamp;

use super::writer::Tx;
use super::{SqliteStore, row, user};
use crate::import::{DECIDED, HERE, arrived, decided, disabling, enabling, here, left_by};
use crate::row::Columns as _;
use crate::{Arrived, Import, Imports, NewUser, Result, Subject, User, UserCreated};

const FIND: &str = "SELECT user_id FROM imported WHERE key = ?1";

static KNOWN: LazyLock<String> = LazyLock::new(|| {
    format!("SELECT {HERE} FROM imported i LEFT JOIN user u ON u.id = i.user_id WHERE i.key = ?1")
});

const LIST: &str = "SELECT i.key, i.user_id, u.email FROM imported i JOIN user u ON u.id = i.user_id \
     WHERE u.disabled_at IS NULL AND i.key > ?1 ORDER BY i.key LIMIT ?2";

const CLOSE: &str = "UPDATE imported SET closed_at = ?2 WHERE user_id = ?1 AND closed_at IS NULL";

const KEYS: &str = "SELECT key FROM imported WHERE user_id = ?1";

/// Whoever had the key has been deleted.
const INSERT: &str = "INSERT INTO imported (key, user_id, at, acts, version) VALUES (?1, ?2, ?3, ?4, ?5) \
     ON CONFLICT (key) DO UPDATE SET user_id = excluded.user_id, at = excluded.at, acts = excluded.acts, \
     version = excluded.version, told = NULL, closed_at = NULL";

const LEAVE: &str = "UPDATE imported SET acts = ?2, version = ?3, told = NULL WHERE key = ?1";

const TELL: &str = "UPDATE imported SET told = ?2 WHERE key = ?1";

#[async_trait]
impl Imports for SqliteStore {
    async fn user_import(&self, people: Vec<Import>, dry_run: bool, now: Timestamp) -> Result<Vec<Imported>> {
        if dry_run {
            return self
                .readers
                .read(move |conn| {
                    let mut arrivals = arrivals(conn, &people)?;
                    Ok(people.iter().map(|import| arrivals.judge(&import.newcomer()).outcome()).collect())
                })
                .await;
        }
        self.writer
            .write_composed(move |tx| {
                let mut arrivals = arrivals(tx.conn, &people)?;
                let mut outcomes = Vec::with_capacity(people.len());
                for import in &people {
                    let verdict = arrivals.judge(&import.newcomer());
                    outcomes.push(match verdict {
                        Verdict::Create => create(tx, import, now)?,
                        Verdict::Disable(id, left) => {
                            user::disable(tx, id, &disabling(&import.new), now)?;
                            leave(tx, &import.key, left)?;
                            Imported::Disabled
                        }
                        Verdict::Enable(id, left) => {
                            user::enable(tx, id, &enabling(&import.new), now)?;
                            leave(tx, &import.key, left)?;
                            Imported::Enabled
                        }
                        Verdict::Tell(outcome, told) => {
                            tx.conn.prepare_cached(TELL)?.execute(params![import.key, told])?;
                            outcome
                        }
                        Verdict::Leave(outcome) => outcome,
                    });
                }
                Ok(outcomes)
            })
            .await
    }

    async fn import_find(&self, key: String) -> Result<Option<UserId>> {
        let found =
            self.readers.read(move |conn| row::one(conn, FIND, [key], |columns| columns.id("import")));
        Ok(found.await?.map(UserId::from_bytes))
    }

    async fn import_list(&self, after: Option<String>, limit: usize) -> Result<Vec<Arrived>> {
        let params = (after.unwrap_or_default(), row::integer(limit));
        self.readers.read(move |conn| row::all(conn, LIST, params, |columns| arrived(columns))).await
    }

    async fn import_keys(&self, users: Vec<UserId>) -> Result<Vec<(UserId, String)>> {
        self.readers
            .read(move |conn| {
                let mut keys = Vec::new();
                for user in users {
                    let of_user = row::all(conn, KEYS, [user.as_bytes()], |columns| columns.text("import"))?;
                    keys.extend(of_user.into_iter().map(|key| (user, key)));
                }
                Ok(keys)
            })
            .await
    }
}

fn create(tx: &Tx<'_>, import: &Import, now: Timestamp) -> Result<Imported> {
    let UserCreated::Created { user, .. } = user::create(tx, &import.new, None, now)? else {
        return Ok(Imported::EmailTaken);
    };
    insert(tx, &import.key, &import.new, &user, now)?;
    Ok(Imported::Created)
}

/// Whether somebody has the key who is still here.
pub(super) fn is_taken(conn: &Connection, key: &str) -> Result<bool> {
    let taken = "SELECT 1 FROM imported i JOIN user u ON u.id = i.user_id WHERE i.key = ?1";
    Ok(row::one(conn, taken, [key], |_| Ok(()))?.is_some())
}

/// Of somebody who has just been created, under a key that is not taken.
pub(super) fn insert(tx: &Tx<'_>, key: &str, new: &NewUser, user: &User, now: Timestamp) -> Result<()> {
    let left = left_by(new, user);
    let params = params![key, user.id.as_bytes(), now.as_ms(), left.acts, left.token_version];
    tx.conn.prepare_cached(INSERT)?.execute(params)?;
    Ok(())
}

fn leave(tx: &Tx<'_>, key: &str, left: Left) -> Result<()> {
    tx.conn.prepare_cached(LEAVE)?.execute(params![key, left.acts, left.token_version])?;
    Ok(())
}

/// Nobody may trade what a user had elsewhere any more.
pub(super) fn close(tx: &Tx<'_>, user: UserId, now: Timestamp) -> Result<()> {
    tx.conn.prepare_cached(CLOSE)?.execute(params![user.as_bytes(), now.as_ms()])?;
    Ok(())
}

fn arrivals(conn: &Connection, people: &[Import]) -> Result<Arrivals> {
    let taken = "SELECT 1 FROM user WHERE email_key = ?1";
    let mut arrivals = Arrivals::default();
    for import in people {
        let Import { key, new } = import;
        if let Some(mut known) = row::one(conn, &KNOWN, [key], |columns| here(columns))? {
            if let Some(person) = known.as_mut().filter(|person| person.is_otherwise(&import.newcomer())) {
                let subject = Subject::User(person.user_id).to_string();
                person.decided =
                    row::one(conn, DECIDED, [subject], |columns| decided(columns))?.unwrap_or_default();
            }
            arrivals.keys.insert(key.clone(), known);
        }
        if row::one(conn, taken, [&new.email_key], |_| Ok(()))?.is_some() {
            arrivals.emails.insert(new.email_key.clone());
        }
    }
    Ok(arrivals)
}
