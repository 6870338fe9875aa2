//! People who come from another system.

use async_trait::async_trait;
use rusqlite::{Connection, params};
use tenure_domain::id::UserId;
use tenure_domain::time::Timestamp;

use super::{SqliteStore, row, user};
use crate::import::Arrivals;
use crate::row::Columns as _;
use crate::{Import, Imported, Imports, Result, UserCreated};

const FIND: &str = "SELECT user_id FROM imported WHERE key = ?1";

const INSERT: &str = "INSERT INTO imported (key, user_id, at) VALUES (?1, ?2, ?3)";

#[async_trait]
impl Imports for SqliteStore {
    async fn user_import(&self, people: Vec<Import>, dry_run: bool, now: Timestamp) -> Result<Vec<Imported>> {
        if dry_run {
            return self
                .readers
                .read(move |conn| {
                    let mut here = arrivals(conn, &people)?;
                    let judged = people.iter().map(|import| here.judge(import).unwrap_or(Imported::Created));
                    Ok(judged.collect())
                })
                .await;
        }
        self.writer
            .write_composed(move |tx| {
                let mut here = arrivals(tx.conn, &people)?;
                let mut outcomes = Vec::with_capacity(people.len());
                for import in &people {
                    if let Some(outcome) = here.judge(import) {
                        outcomes.push(outcome);
                        continue;
                    }
                    match user::create(tx, &import.new, None, now)? {
                        UserCreated::Created { user, .. } => {
                            let params = params![import.key, user.id.as_bytes(), now.as_ms()];
                            tx.conn.prepare_cached(INSERT)?.execute(params)?;
                            outcomes.push(Imported::Created);
                        }
                        UserCreated::EmailTaken | UserCreated::AccountGone => {
                            outcomes.push(Imported::EmailTaken);
                        }
                    }
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
}

fn arrivals(conn: &Connection, people: &[Import]) -> Result<Arrivals> {
    let taken = "SELECT 1 FROM user WHERE email_key = ?1";
    let mut here = Arrivals::default();
    for Import { key, new } in people {
        if row::one(conn, FIND, [key], |_| Ok(()))?.is_some() {
            here.keys.insert(key.clone());
        }
        if row::one(conn, taken, [&new.email_key], |_| Ok(()))?.is_some() {
            here.emails.insert(new.email_key.clone());
        }
    }
    Ok(here)
}
