//! People who come from another system.

use async_trait::async_trait;
use tenure_domain::id::UserId;
use tenure_domain::time::Timestamp;
use tokio_postgres::types::Type;

use super::PostgresStore;
use super::connect::Conn;
use super::row::{Fields, uuid};
use crate::import::Arrivals;
use crate::row::Columns as _;
use crate::{Import, Imported, Imports, Result, StoreError, UserCreated};

const KNOWN: &str = "SELECT key FROM imported WHERE key = ANY($1)";

const TAKEN: &str = "SELECT email_key FROM \"user\" WHERE email_key = ANY($1)";

const INSERT: &str = "INSERT INTO imported (key, user_id, at) VALUES ($1, $2, $3)";

/// Two imports of the same people would find each other's keys only by breaking on them.
const ALONE: &str = "SELECT pg_advisory_xact_lock(hashtext('tenure'), hashtext('import'))";

/// Somebody may register with an address between the look and the step; then it is looked at once more.
const ATTEMPTS: usize = 3;

#[async_trait]
impl Imports for PostgresStore {
    async fn user_import(&self, people: Vec<Import>, dry_run: bool, now: Timestamp) -> Result<Vec<Imported>> {
        let mut conn = self.db.get().await?;
        if dry_run {
            let mut here = arrivals(&mut conn, &people).await?;
            let judged = people.iter().map(|import| here.judge(import).unwrap_or(Imported::Created));
            return Ok(judged.collect());
        }
        for _ in 0..ATTEMPTS {
            conn.begin().await?;
            match self.import(&mut conn, &people, now).await? {
                Some(outcomes) => {
                    conn.commit().await?;
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
        let mut here = arrivals(conn, people).await?;
        let mut outcomes = Vec::with_capacity(people.len());
        for import in people {
            if let Some(outcome) = here.judge(import) {
                outcomes.push(outcome);
                continue;
            }
            let UserCreated::Created { user, .. } = self.create(conn, &import.new, None, now).await? else {
                return Ok(None);
            };
            let id = uuid(user.id.as_bytes());
            let params: super::connect::Params<'_> =
                &[(&import.key, Type::TEXT), (&id, Type::UUID), (&now.as_ms(), Type::INT8)];
            conn.execute(INSERT, params).await?;
            outcomes.push(Imported::Created);
        }
        Ok(Some(outcomes))
    }
}

async fn arrivals(conn: &mut Conn, people: &[Import]) -> Result<Arrivals> {
    let keys: Vec<_> = people.iter().map(|import| import.key.as_str()).collect();
    let emails: Vec<_> = people.iter().map(|import| import.new.email_key.as_str()).collect();
    let mut here = Arrivals::default();
    for row in conn.rows(KNOWN, &[(&keys, Type::TEXT_ARRAY)]).await? {
        here.keys.insert(Fields::of(&row).text("import")?);
    }
    for row in conn.rows(TAKEN, &[(&emails, Type::TEXT_ARRAY)]).await? {
        here.emails.insert(Fields::of(&row).text("user")?);
    }
    Ok(here)
}
