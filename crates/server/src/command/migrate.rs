//! `tenure migrate`

mod copy;

use std::path::Path;

use clap::Subcommand;
use serde_json::json;
use tenure_store::{Migration, StoreError, postgres, sqlite};

use super::place::{now, postgres_options};
use super::{Global, Outcome, print};

#[derive(Subcommand)]
pub enum MigrateVerb {
    #[command(flatten)]
    Schema(SchemaVerb),
    /// Move a live installation from SQLite to PostgreSQL. Its server answers 503 meanwhile and from then on.
    Copy(copy::CopyArgs),
    /// Take a SQLite database into use again that was moved, as long as PostgreSQL has not been used.
    Reopen(copy::ReopenArgs),
}

#[derive(Clone, Copy, Subcommand)]
pub enum SchemaVerb {
    /// Which migrations this version has, and which the database has had.
    Status,
    /// Which migrations `up` would apply, and whether the version before can go on serving meanwhile and after.
    Plan,
    /// Apply them. `serve` does the same at start.
    Up,
}

pub async fn run(global: &Global, verb: MigrateVerb) -> Outcome {
    match verb {
        MigrateVerb::Schema(verb) => schema(global, verb).await,
        MigrateVerb::Copy(args) => copy::copy(global, args).await,
        MigrateVerb::Reopen(args) => copy::reopen(global, args).await,
    }
}

async fn schema(global: &Global, verb: SchemaVerb) -> Outcome {
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

fn in_file(path: &Path, verb: SchemaVerb) -> Result<Vec<Migration>, StoreError> {
    match verb {
        SchemaVerb::Status => sqlite::migrate::status(path),
        SchemaVerb::Plan => sqlite::migrate::plan(path),
        SchemaVerb::Up => sqlite::migrate::up(path, now()),
    }
}

async fn on_postgres(
    options: &postgres::PostgresOptions,
    verb: SchemaVerb,
) -> Result<Vec<Migration>, StoreError> {
    match verb {
        SchemaVerb::Status => postgres::migrate::status(options).await,
        SchemaVerb::Plan => postgres::migrate::plan(options).await,
        SchemaVerb::Up => postgres::migrate::up(options).await,
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
