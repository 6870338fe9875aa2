//! `tenure migrate`

use std::path::Path;

use clap::Subcommand;
use serde_json::json;
use tenure_store::{Migration, StoreError, postgres, sqlite};

use super::place::{now, postgres_options};
use super::{Global, Outcome, print};

#[derive(Clone, Copy, Subcommand)]
pub enum MigrateVerb {
    /// Which migrations this version has, and which the database has had.
    Status,
    /// Which migrations `up` would apply, and whether the version before can go on serving meanwhile and after.
    Plan,
    /// Apply them. `serve` does the same at start.
    Up,
}

pub async fn run(global: &Global, verb: MigrateVerb) -> Outcome {
    let config = global.config()?;
    let migrations = if config.postgres.url.is_empty() {
        in_file(&global.file(&config), verb)?
    } else {
        on_postgres(&postgres_options(&config), verb).await?
    };
    let rows: Vec<_> = migrations.iter().map(row).collect();
    print(global, &json!(rows), || {
        if migrations.is_empty() {
            println!("nothing to do");
        }
        for migration in &migrations {
            println!("{}", line(migration));
        }
    });
    Ok(())
}

fn in_file(path: &Path, verb: MigrateVerb) -> Result<Vec<Migration>, StoreError> {
    match verb {
        MigrateVerb::Status => sqlite::migrate::status(path),
        MigrateVerb::Plan => sqlite::migrate::plan(path),
        MigrateVerb::Up => sqlite::migrate::up(path, now()),
    }
}

async fn on_postgres(
    options: &postgres::PostgresOptions,
    verb: MigrateVerb,
) -> Result<Vec<Migration>, StoreError> {
    match verb {
        MigrateVerb::Status => postgres::migrate::status(options).await,
        MigrateVerb::Plan => postgres::migrate::plan(options).await,
        MigrateVerb::Up => postgres::migrate::up(options).await,
    }
}

fn line(migration: &Migration) -> String {
    let when = migration.applied_at.map_or_else(|| "pending".to_owned(), |at| format!("applied {at}"));
    let needs = match migration.needs {
        needs if needs < migration.number => {
            format!("versions that know {needs:04} or later go on serving")
        }
        _ => "stop every older version first".to_owned(),
    };
    let needs = if migration.applied_at.is_none() { format!("  {needs}") } else { String::new() };
    format!("{:04}  {:<24}  {when}{needs}", migration.number, migration.name)
}

fn row(migration: &Migration) -> serde_json::Value {
    json!({
        "number": migration.number, "name": migration.name, "applied_at": migration.applied_at,
        "needs": migration.needs,
    })
}
