//! Where the server under test keeps things: a SQLite file, or a database of its own on PostgreSQL.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tenure_domain::time::Timestamp;
use tenure_store::postgres::{self, PostgresOptions, PostgresStore};
use tenure_store::sqlite::{SqliteOptions, SqliteStore};
use tenure_store::{Entropy, Store};

use super::DAY;

/// Says which store all tests run on that do not choose one: `sqlite`, which is the default, or `postgres`.
const VARIABLE: &str = "TENURE_TEST_STORE";

pub enum Database {
    File(PathBuf),
    Postgres(tenure_rig::Database),
}

impl Database {
    /// A fresh one.
    pub fn new(folder: &Path) -> Self {
        match std::env::var(VARIABLE).as_deref() {
            Ok("postgres") => Self::Postgres(tenure_rig::postgres_for_tests().create_database()),
            Ok("sqlite") | Err(_) => Self::File(folder.join("tenure.db")),
            Ok(other) => panic!("{VARIABLE} is sqlite or postgres, and not {other}"),
        }
    }

    pub fn is_file(&self) -> bool {
        matches!(self, Self::File(_))
    }

    /// On a runtime, which is the store's as well.
    pub async fn open(&self, entropy: Arc<dyn Entropy>, now: Timestamp) -> Arc<dyn Store> {
        match self {
            Self::File(path) => {
                Arc::new(SqliteStore::open(SqliteOptions::new(path.clone(), entropy, now)).unwrap())
            }
            Self::Postgres(database) => {
                let mut options = PostgresOptions::new(database.url().to_owned(), entropy, now);
                // As many as a test sends requests at once; reports are dropped where they would wait.
                options.connections = 32;
                // A loaded machine is no failure of the database.
                options.statement_timeout = Duration::from_secs(20);
                options.connect_timeout = Duration::from_secs(20);
                // Before everything that happens in the test's time: nothing was lost.
                options.opened_at = Some(now - 365 * DAY);
                Arc::new(PostgresStore::open(options).await.unwrap())
            }
        }
    }

    /// How the command line finds it, besides the data folder.
    pub fn environment(&self) -> Vec<(String, String)> {
        match self {
            Self::File(_) => vec![],
            Self::Postgres(database) => {
                let settings =
                    [("URL", database.url()), ("STATEMENT_TIMEOUT", "20s"), ("CONNECT_TIMEOUT", "20s")];
                settings.map(|(name, value)| (format!("TENURE_POSTGRES__{name}"), value.to_owned())).into()
            }
        }
    }

    /// What another process has answered is known after this.
    pub fn lag(&self) -> Duration {
        match self {
            Self::File(_) => Duration::ZERO,
            Self::Postgres(_) => postgres::STALENESS,
        }
    }

    /// Types a statement by hand. It is written as for SQLite.
    pub fn sql(&self, statement: &str) {
        match self {
            Self::File(path) => {
                let connection = rusqlite::Connection::open(path).unwrap();
                connection.busy_timeout(Duration::from_secs(10)).unwrap();
                // As in SQLite's own shell.
                connection.pragma_update(None, "foreign_keys", false).unwrap();
                connection.execute_batch(statement).unwrap();
            }
            Self::Postgres(database) => {
                database.sql(&statement.replace(" x'", r" '\x").replace("char(", "chr("));
                std::thread::sleep(self.lag());
            }
        }
    }

    /// How a statement names a row by the digits of its id.
    pub fn id(&self, digits: &str) -> String {
        match self {
            Self::File(_) => format!("x'{digits}'"),
            Self::Postgres(_) => format!("'{digits}'"),
        }
    }

    /// Everything it holds, with the names of its files or tables. Bytes in rows are written as hexadecimal digits.
    pub fn at_rest(&self) -> Vec<(String, Vec<u8>)> {
        match self {
            Self::File(path) => {
                let files =
                    std::fs::read_dir(path.parent().unwrap()).unwrap().map(|entry| entry.unwrap().path());
                files.map(|path| (path.display().to_string(), std::fs::read(&path).unwrap())).collect()
            }
            Self::Postgres(_) => {
                self.rows().into_iter().map(|(table, rows)| (table, rows.into_bytes())).collect()
            }
        }
    }

    /// All rows of all tables, however they lie on disk.
    pub fn rows(&self) -> Vec<(String, String)> {
        match self {
            Self::File(path) => {
                let connection = rusqlite::Connection::open(path).unwrap();
                let read = |sql: &str| {
                    let mut statement = connection.prepare(sql).unwrap();
                    let columns = statement.column_count();
                    let row = |row: &rusqlite::Row<'_>| {
                        (0..columns).map(|column| row.get::<_, rusqlite::types::Value>(column)).collect()
                    };
                    let rows = statement.query_map((), row).unwrap();
                    rows.map(|row: rusqlite::Result<Vec<_>>| row.unwrap()).collect::<Vec<_>>()
                };
                let tables = read("SELECT name FROM sqlite_schema WHERE type = 'table'");
                let name = |row: Vec<rusqlite::types::Value>| match &row[0] {
                    rusqlite::types::Value::Text(name) => name.clone(),
                    other => panic!("{other:?}"),
                };
                let rows = |table: &String| format!("{:?}", read(&format!(r#"SELECT * FROM "{table}""#)));
                tables.into_iter().map(name).map(|table| (table.clone(), rows(&table))).collect()
            }
            Self::Postgres(database) => {
                let tables = database.sql("SELECT tablename FROM pg_tables WHERE schemaname = 'public'");
                let tables = tables.into_iter().filter_map(|mut row| row.remove(0));
                let rows = |table: &String| database.sql(&format!(r#"SELECT t::text FROM "{table}" t"#));
                let text = |table: &String| rows(table).into_iter().flatten().flatten().collect::<String>();
                tables.map(|table| (table.clone(), text(&table))).collect()
            }
        }
    }
}
