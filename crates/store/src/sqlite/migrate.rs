//! Migrations: embedded, numbered, run in one exclusive transaction at start.

use std::path::Path;

use rusqlite::{Connection, OpenFlags, params};
use tenure_domain::time::Timestamp;

use super::row::{self, Columns as _, Fields};
use crate::migration::{self, Applied, Step};
use crate::{Migration, Result, StoreError};

const STEPS: &[Step] = &[
    Step {
        number: 1,
        name: "sessions",
        needs: 1,
        sql: include_str!("../../migrations/sqlite/0001_sessions.sql"),
    },
    Step {
        number: 2,
        name: "client_reports",
        needs: 1,
        sql: include_str!("../../migrations/sqlite/0002_client_reports.sql"),
    },
    Step {
        number: 3,
        name: "console_sessions",
        needs: 1,
        sql: include_str!("../../migrations/sqlite/0003_console_sessions.sql"),
    },
    Step {
        number: 4,
        name: "accounts",
        needs: 1,
        sql: include_str!("../../migrations/sqlite/0004_accounts.sql"),
    },
    Step {
        number: 5,
        name: "api_keys",
        needs: 1,
        sql: include_str!("../../migrations/sqlite/0005_api_keys.sql"),
    },
    Step {
        number: 6,
        name: "stripe",
        needs: 1,
        sql: include_str!("../../migrations/sqlite/0006_stripe.sql"),
    },
    Step {
        number: 7,
        name: "receipts",
        needs: 1,
        sql: include_str!("../../migrations/sqlite/0007_receipts.sql"),
    },
    Step {
        number: 8,
        name: "events",
        needs: 1,
        sql: include_str!("../../migrations/sqlite/0008_events.sql"),
    },
    Step {
        number: 9,
        name: "overview",
        needs: 1,
        sql: include_str!("../../migrations/sqlite/0009_overview.sql"),
    },
    Step {
        number: 10,
        name: "evidence",
        needs: 1,
        sql: include_str!("../../migrations/sqlite/0010_evidence.sql"),
    },
    Step {
        number: 11,
        name: "imports",
        needs: 1,
        sql: include_str!("../../migrations/sqlite/0011_imports.sql"),
    },
    Step {
        number: 12,
        name: "exchange",
        needs: 1,
        sql: include_str!("../../migrations/sqlite/0012_exchange.sql"),
    },
    Step {
        number: 13,
        name: "refreshes",
        needs: 1,
        sql: include_str!("../../migrations/sqlite/0013_refreshes.sql"),
    },
    Step {
        number: 14,
        name: "observer",
        needs: 1,
        sql: include_str!("../../migrations/sqlite/0014_observer.sql"),
    },
    Step {
        number: 15,
        name: "moving",
        needs: 1,
        sql: include_str!("../../migrations/sqlite/0015_moving.sql"),
    },
    Step { number: 16, name: "clock", needs: 1, sql: include_str!("../../migrations/sqlite/0016_clock.sql") },
];

/// Where a database stands, without changing it. One that does not exist yet has everything before it.
pub fn status(path: &Path) -> Result<Vec<Migration>> {
    if !path.try_exists().map_err(|error| StoreError::Unavailable(error.to_string()))? {
        return migration::judge(STEPS, &[]);
    }
    let conn = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    conn.busy_timeout(super::BUSY_TIMEOUT)?;
    migration::judge(STEPS, &applied(&conn)?)
}

/// What [`up`] would run.
pub fn plan(path: &Path) -> Result<Vec<Migration>> {
    Ok(migration::missing(status(path)?))
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
             applied_at INTEGER NOT NULL,
             needs      INTEGER
         ) STRICT",
    )?;
    if !has_needs(&transaction)? {
        // A database of a version that did not write it down.
        transaction.execute_batch("ALTER TABLE migration ADD COLUMN needs INTEGER")?;
    }
    let missing = migration::missing(migration::judge(STEPS, &applied(&transaction)?)?);
    for step in &missing {
        transaction.execute_batch(step.sql)?;
        transaction.execute(
            "INSERT INTO migration (number, name, applied_at, needs) VALUES (?1, ?2, ?3, ?4)",
            params![step.number, step.name, now.as_ms(), step.needs],
        )?;
    }
    transaction.commit()?;
    Ok(missing)
}

fn has_needs(conn: &Connection) -> Result<bool> {
    let column = "SELECT 1 FROM pragma_table_info('migration') WHERE name = 'needs'";
    Ok(row::one(conn, column, (), |_| Ok(()))?.is_some())
}

/// Refuses a database that has not had everything that this program knows.
pub(super) fn must_be_current(conn: &Connection) -> Result<()> {
    match migration::missing(migration::judge(STEPS, &applied(conn)?)?).first() {
        None => Ok(()),
        Some(missing) => Err(StoreError::Unavailable(format!(
            "the database lacks migration {:04}; start `tenure serve` on it once, or run `tenure migrate up`",
            missing.number
        ))),
    }
}

/// What the database remembers. One that has moved elsewhere is refused, whatever it remembers.
fn applied(conn: &Connection) -> Result<Vec<Applied>> {
    if let Some(mark) = super::copy::mark(conn)? {
        return Err(mark.refusal());
    }
    let table = "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'migration'";
    if row::one(conn, table, (), |_| Ok(()))?.is_none() {
        return Ok(Vec::new());
    }
    let needs = if has_needs(conn)? { "needs" } else { "NULL" };
    let sql = format!("SELECT number, applied_at, {needs} FROM migration ORDER BY number");
    row::readable(conn, &sql, (), |columns: &mut Fields<'_>| {
        const WHAT: &str = "migration";
        let (number, at) = (columns.number(WHAT)?, columns.time(WHAT)?);
        Ok(Applied { number, needs: columns.number_or_null(WHAT)?, at })
    })
}
