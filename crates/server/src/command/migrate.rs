//! `tenure migrate`

use clap::Subcommand;
use serde_json::json;
use tenure_store::sqlite::migrate::{self, Migration};

use super::place::now;
use super::{Global, Outcome, print};

#[derive(Clone, Copy, Subcommand)]
pub enum MigrateVerb {
    /// Which migrations this version has, and which the database has had.
    Status,
    /// Which migrations `up` would apply.
    Plan,
    /// Apply them. `serve` does the same at start.
    Up,
}

pub fn run(global: &Global, verb: MigrateVerb) -> Outcome {
    let path = global.database()?;
    let migrations = match verb {
        MigrateVerb::Status => migrate::status(&path)?,
        MigrateVerb::Plan => migrate::plan(&path)?,
        MigrateVerb::Up => migrate::up(&path, now())?,
    };
    let rows: Vec<_> = migrations.iter().map(row).collect();
    print(global, &json!(rows), || {
        if migrations.is_empty() {
            println!("nothing to do");
        }
        for migration in &migrations {
            let when =
                migration.applied_at.map_or_else(|| "pending".to_owned(), |at| format!("applied {at}"));
            println!("{:04}  {:<24}  {when}", migration.number, migration.name);
        }
    });
    Ok(())
}

fn row(migration: &Migration) -> serde_json::Value {
    json!({ "number": migration.number, "name": migration.name, "applied_at": migration.applied_at })
}
