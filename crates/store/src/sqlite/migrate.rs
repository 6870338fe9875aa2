//! Migrations: embedded, numbered, run in one exclusive transaction at start.

use std::path::Path;

use rusqlite::{Connection, OpenFlags, params};
use tenure_domain::time::Timestamp;

use super::row::{self, Columns};
use crate::{Result, StoreError};

/// A step of the schema, as embedded in this program.
struct Step {
    number: u32,
    name: &'static str,
    sql: &'static str,
}

const STEPS: &[Step] = &[
    Step { number: 1, name: "sessions", sql: include_str!("../../migrations/sqlite/0001_sessions.sql") },
    Step {
        number: 2,
        name: "client_reports",
        sql: include_str!("../../migrations/sqlite/0002_client_reports.sql"),
    },
];

/// A migration this program knows, and when the database got it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Migration {
    pub number: u32,
    pub name: String,
    /// None: not yet.
    pub applied_at: Option<Timestamp>,
    /// What it does, or did.
    pub sql: &'static str,
}

/// Where a database stands, without changing it. One that does not exist yet has everything before it.
pub fn status(path: &Path) -> Result<Vec<Migration>> {
    if !path.try_exists().map_err(|error| StoreError::Unavailable(error.to_string()))? {
        return Ok(known(&[]));
    }
    let conn = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    conn.busy_timeout(super::BUSY_TIMEOUT)?;
    Ok(known(&applied(&conn)?))
}

/// What [`up`] would run.
pub fn plan(path: &Path) -> Result<Vec<Migration>> {
    let all = status(path)?;
    Ok(all.into_iter().filter(|migration| migration.applied_at.is_none()).collect())
}

/// Brings a database up to this program, creating it if it is not there; returns what was run.
pub fn up(path: &Path, now: Timestamp) -> Result<Vec<Migration>> {
    let mut conn = super::connect(path)?;
    run(&mut conn, now)
}

/// Runs what is missing. Of two programs that start at once, one waits for the other and finds it done.
pub(super) fn run(conn: &mut Connection, now: Timestamp) -> Result<Vec<Migration>> {
    let transaction = conn.transaction_with_behavior(rusqlite::TransactionBehavior::Exclusive)?;
    transaction.execute_batch(
        "CREATE TABLE IF NOT EXISTS migration (
             number     INTEGER NOT NULL PRIMARY KEY,
             name       TEXT    NOT NULL,
             applied_at INTEGER NOT NULL
         ) STRICT",
    )?;
    let before = applied(&transaction)?;
    let missing: Vec<_> = known(&before).into_iter().filter(|step| step.applied_at.is_none()).collect();
    for step in &missing {
        transaction.execute_batch(step.sql)?;
        transaction.execute(
            "INSERT INTO migration (number, name, applied_at) VALUES (?1, ?2, ?3)",
            params![step.number, step.name, now.as_ms()],
        )?;
    }
    transaction.commit()?;
    Ok(missing)
}

/// The numbers that a database has got, with their times. Refuses one that is ahead of this program: it would
/// not know what it is writing into.
fn applied(conn: &Connection) -> Result<Vec<(u32, Timestamp)>> {
    let table = "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'migration'";
    if row::one(conn, table, (), |_| Ok(()))?.is_none() {
        return Ok(Vec::new());
    }
    let decode = |columns: &mut Columns<'_>| Ok((columns.number("migration")?, columns.time("migration")?));
    let applied =
        row::readable(conn, "SELECT number, applied_at FROM migration ORDER BY number", (), decode)?;
    let newest_known = STEPS.last().map_or(0, |step| step.number);
    match applied.last() {
        Some((newest, _)) if *newest > newest_known => Err(StoreError::Corrupt {
            what: "schema",
            cause: format!(
                "the database is at migration {newest} and this program knows only up to {newest_known}; \
                 start the version that made it, or a newer one"
            ),
        }),
        _ => Ok(applied),
    }
}

fn known(applied: &[(u32, Timestamp)]) -> Vec<Migration> {
    let of = |step: &Step| Migration {
        number: step.number,
        name: step.name.to_owned(),
        applied_at: applied.iter().find(|(number, _)| *number == step.number).map(|(_, at)| *at),
        sql: step.sql,
    };
    STEPS.iter().map(of).collect()
}
