//! Migrations: embedded, numbered like SQLite's, each run in a transaction of its own under a lock that all nodes know.

use std::time::Duration;

use tenure_domain::time::Timestamp;
use tokio_postgres::types::Type;

use super::PostgresOptions;
use super::connect::{Conn, Db, is_of_locks};
use super::row::Fields;
use crate::copy::table::TABLES;
use crate::migration::{self, Applied, Step};
use crate::row::Columns as _;
use crate::{Migration, Result};

const STEPS: &[Step] = &[
    Step {
        number: 1,
        name: "sessions",
        needs: 1,
        sql: include_str!("../../migrations/postgres/0001_sessions.sql"),
    },
    Step {
        number: 2,
        name: "client_reports",
        needs: 1,
        sql: include_str!("../../migrations/postgres/0002_client_reports.sql"),
    },
    Step {
        number: 3,
        name: "console_sessions",
        needs: 1,
        sql: include_str!("../../migrations/postgres/0003_console_sessions.sql"),
    },
    Step {
        number: 4,
        name: "accounts",
        needs: 1,
        sql: include_str!("../../migrations/postgres/0004_accounts.sql"),
    },
    Step {
        number: 5,
        name: "api_keys",
        needs: 1,
        sql: include_str!("../../migrations/postgres/0005_api_keys.sql"),
    },
    Step {
        number: 6,
        name: "stripe",
        needs: 1,
        sql: include_str!("../../migrations/postgres/0006_stripe.sql"),
    },
    Step {
        number: 7,
        name: "receipts",
        needs: 1,
        sql: include_str!("../../migrations/postgres/0007_receipts.sql"),
    },
    Step {
        number: 8,
        name: "events",
        needs: 1,
        sql: include_str!("../../migrations/postgres/0008_events.sql"),
    },
    Step {
        number: 9,
        name: "overview",
        needs: 1,
        sql: include_str!("../../migrations/postgres/0009_overview.sql"),
    },
    Step {
        number: 10,
        name: "evidence",
        needs: 1,
        sql: include_str!("../../migrations/postgres/0010_evidence.sql"),
    },
    Step {
        number: 11,
        name: "imports",
        needs: 1,
        sql: include_str!("../../migrations/postgres/0011_imports.sql"),
    },
    Step {
        number: 12,
        name: "exchange",
        needs: 1,
        sql: include_str!("../../migrations/postgres/0012_exchange.sql"),
    },
    Step {
        number: 13,
        name: "refreshes",
        needs: 1,
        sql: include_str!("../../migrations/postgres/0013_refreshes.sql"),
    },
    Step {
        number: 14,
        name: "observer",
        needs: 1,
        sql: include_str!("../../migrations/postgres/0014_observer.sql"),
    },
    Step {
        number: 15,
        name: "moving",
        needs: 1,
        sql: include_str!("../../migrations/postgres/0015_moving.sql"),
    },
    Step {
        number: 16,
        name: "clock",
        needs: 1,
        sql: include_str!("../../migrations/postgres/0016_clock.sql"),
    },
];

/// Of nodes that start at once, one runs what is missing and the others wait here, and find it done.
const OURS: &str = "SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = '60s'; \
     SELECT pg_advisory_xact_lock(hashtext('tenure'), hashtext('migration'))";

/// PostgreSQL stops an autovacuum for whoever has waited for it for `deadlock_timeout` (1 s), which is longer than a
/// step may wait. This lock is in its way, and in nobody's who reads or writes.
const EXISTING: &str =
    "SELECT quote_ident(name) FROM unnest($1) name WHERE to_regclass(quote_ident(name)) IS NOT NULL";
const NO_VACUUM: &str = "SET LOCAL lock_timeout = '5s'; LOCK TABLE";

const MADE: &str = "CREATE TABLE IF NOT EXISTS migration ( \
         number     integer NOT NULL PRIMARY KEY, \
         name       text    NOT NULL, \
         applied_at bigint  NOT NULL, \
         needs      integer \
     )";

/// How often a step is begun again where somebody was in the way, and how long those who serve are left alone in
/// between: with the time that each attempt waits, about a minute.
const ATTEMPTS_MAX: u32 = 40;
const PAUSE: Duration = Duration::from_secs(1);

const INSERT: &str = "INSERT INTO migration (number, name, applied_at, needs) VALUES ($1, $2, $3, $4)";

/// Where a database stands, without changing it.
pub async fn status(options: &PostgresOptions) -> Result<Vec<Migration>> {
    read(&mut Db::new(options)?.get().await?).await
}

/// What [`up`] would run.
pub async fn plan(options: &PostgresOptions) -> Result<Vec<Migration>> {
    Ok(migration::missing(status(options).await?))
}

/// Brings a database up to this program, step by step; returns what was run. One that is up to date is only read, so
/// that nodes start while it cannot be written.
///
/// Who serves comes first. Everybody after a step waits as long as it waits for a table, and a sign-in that holds
/// what it needs may be waiting for what it holds: it gives up before they do, undoes what it did, and begins again.
pub async fn up(options: &PostgresOptions) -> Result<Vec<Migration>> {
    let db = Db::new(options)?;
    let (mut run, mut attempts) = (Vec::new(), 0);
    loop {
        attempts += 1;
        match next(&db, options).await {
            Ok(Some(step)) => {
                run.push(step);
                attempts = 0;
            }
            Ok(None) => return Ok(run),
            Err(error) if is_of_locks(&error) && attempts < ATTEMPTS_MAX => {
                tracing::warn!(%error, "a migration could not have a lock and begins again");
                tokio::time::sleep(PAUSE).await;
            }
            Err(error) => return Err(error),
        }
    }
}

/// Runs the first step that is missing, whole or not at all.
async fn next(db: &Db, options: &PostgresOptions) -> Result<Option<Migration>> {
    let mut conn = db.get().await?;
    if migration::missing(read(&mut conn).await?).is_empty() {
        return Ok(None);
    }
    // However long a step takes: it is run by somebody who waits for it.
    conn.statement_timeout = Duration::MAX;
    conn.begin().await?;
    conn.batch(OURS).await?;
    stop_vacuums(&mut conn).await?;
    // Half as long as those who serve wait for a lock.
    let patience = (options.statement_timeout / 4).as_millis().max(1);
    conn.batch(&format!("SET LOCAL lock_timeout = {patience}; {MADE}")).await?;
    let step = migration::missing(read(&mut conn).await?).into_iter().next();
    if let Some(step) = &step {
        conn.batch(step.sql).await?;
        insert(&mut conn, step, options.now).await?;
    }
    conn.commit().await?;
    Ok(step)
}

async fn stop_vacuums(conn: &mut Conn) -> Result<()> {
    let names: Vec<_> = TABLES.iter().map(|table| table.name).collect();
    let rows = conn.rows(EXISTING, &[(&names, Type::TEXT_ARRAY)]).await?;
    let names: Vec<_> = rows.iter().filter_map(|row| row.try_get::<_, String>(0).ok()).collect();
    if names.is_empty() {
        return Ok(());
    }
    conn.batch(&format!("{NO_VACUUM} {} IN SHARE UPDATE EXCLUSIVE MODE", names.join(", "))).await
}

async fn insert(conn: &mut Conn, step: &Migration, now: Timestamp) -> Result<()> {
    let (number, needs, at) = (i64::from(step.number), i64::from(step.needs), now.as_ms());
    let params: super::connect::Params<'_> =
        &[(&number, Type::INT8), (&step.name, Type::TEXT), (&at, Type::INT8), (&needs, Type::INT8)];
    conn.execute(INSERT, params).await?;
    Ok(())
}

/// What this program knows and the database has had.
async fn read(conn: &mut Conn) -> Result<Vec<Migration>> {
    let table = conn.row("SELECT to_regclass('migration') IS NOT NULL", &[]).await?;
    let is_there = table.is_some_and(|row| row.try_get(0).unwrap_or(false));
    if !is_there {
        return migration::judge(STEPS, &[]);
    }
    let sql = "SELECT number::bigint, applied_at, needs::bigint FROM migration ORDER BY number";
    let rows = conn.rows(sql, &[]).await?;
    let applied = rows.iter().map(|row| {
        const WHAT: &str = "migration";
        let columns = &mut Fields::of(row);
        let (number, at) = (columns.number(WHAT)?, columns.time(WHAT)?);
        Ok(Applied { number, needs: columns.number_or_null(WHAT)?, at })
    });
    migration::judge(STEPS, &applied.collect::<Result<Vec<_>>>()?)
}
