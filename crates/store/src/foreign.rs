//! Rows of somebody else's database, which is read in one snapshot and never written.

use std::path::PathBuf;
use std::time::Duration;

use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags};
use serde_json::{Map, Value};
use tenure_domain::time::Timestamp;
use tokio::sync::mpsc;

use crate::postgres::PostgresOptions;
use crate::postgres::foreign as postgres;
use crate::{Result, StoreError};

/// Rows that are read at once.
pub(crate) const PAGE: usize = 500;

/// How long the other database may take over a page: it is somebody's in production, and in no hurry for us.
const STATEMENT_TIMEOUT: Duration = Duration::from_secs(60);

/// A row by the names of its columns. Bytes are written in hexadecimal.
pub type ForeignRow = Map<String, Value>;

/// Where the rows are.
pub enum Foreign {
    Sqlite(PathBuf),
    Postgres(Box<PostgresOptions>),
}

impl Foreign {
    pub fn postgres(options: PostgresOptions) -> Self {
        // There may be a pooler in front of it.
        let options = PostgresOptions {
            connections: 1,
            prepared: false,
            statement_timeout: STATEMENT_TIMEOUT,
            ..options
        };
        Self::Postgres(Box::new(options))
    }

    /// The tables that have all of these columns, by name.
    pub async fn tables_with(&self, columns: &'static [&'static str]) -> Result<Vec<String>> {
        match self {
            Self::Sqlite(path) => {
                let path = path.clone();
                blocking(move || tables_with(&open(&path)?, columns)).await
            }
            Self::Postgres(options) => postgres::tables_with(options, columns).await,
        }
    }

    pub async fn count(&self, table: &str) -> Result<u64> {
        let sql = format!("SELECT count(*) FROM {}", quoted(table));
        match self {
            Self::Sqlite(path) => {
                let path = path.clone();
                blocking(move || {
                    let count: i64 = open(&path)?.query_row(&sql, (), |row| row.get(0))?;
                    Ok(u64::try_from(count).unwrap_or(0))
                })
                .await
            }
            Self::Postgres(options) => postgres::count(options, &sql).await,
        }
    }

    /// Sends all rows of a table, a page at a time, in the order of a column. Ends early if nobody takes them.
    pub async fn read(
        self,
        table: String,
        order_by: String,
        to: mpsc::Sender<Vec<ForeignRow>>,
    ) -> Result<()> {
        let order = quoted(&order_by);
        match self {
            Self::Sqlite(path) => {
                let sql = format!("SELECT * FROM {} ORDER BY {order}", quoted(&table));
                blocking(move || send(&open(&path)?, &sql, &to)).await
            }
            Self::Postgres(options) => {
                let sql = format!("SELECT to_json(t)::text FROM {} t ORDER BY t.{order}", quoted(&table));
                postgres::send(&options, &sql, &to).await
            }
        }
    }

    /// Sends name and end of the refresh tokens that simplejwt has blacklisted, but for those that have long expired.
    pub async fn read_ended_tokens(
        self,
        prefix: String,
        by: Timestamp,
        to: mpsc::Sender<Vec<ForeignRow>>,
    ) -> Result<()> {
        let sql = ended_tokens(&prefix, by);
        match self {
            Self::Sqlite(path) => blocking(move || send(&open(&path)?, &sql, &to)).await,
            Self::Postgres(options) => {
                postgres::send(&options, &format!("SELECT to_json(t)::text FROM ({sql}) t"), &to).await
            }
        }
    }
}

/// Those that have not expired by then, of the tables with this before their names: `token_blacklist_`. A day earlier, so
/// that it is no matter how a database writes times; whoever reads them looks again.
fn ended_tokens(prefix: &str, by: Timestamp) -> String {
    let [outstanding, ended] =
        ["outstandingtoken", "blacklistedtoken"].map(|name| quoted(&format!("{prefix}{name}")));
    let by = by - Duration::from_secs(24 * 60 * 60);
    format!(
        "SELECT o.jti, o.expires_at FROM {outstanding} o JOIN {ended} e ON e.token_id = o.id WHERE o.expires_at > '{by}'"
    )
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|broken| Err(StoreError::Unavailable(broken.to_string())))
}

/// A name for SQL, with its schema before a dot or without.
fn quoted(name: &str) -> String {
    let parts: Vec<_> = name.split('.').map(|part| format!("\"{}\"", part.replace('"', "\"\""))).collect();
    parts.join(".")
}

// === SQLite ===

fn open(path: &std::path::Path) -> Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    Ok(Connection::open_with_flags(path, flags)?)
}

fn tables_with(conn: &Connection, columns: &[&str]) -> Result<Vec<String>> {
    let mut tables = conn.prepare("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")?;
    let names = tables.query_map((), |row| row.get::<_, String>(0))?.collect::<rusqlite::Result<Vec<_>>>()?;
    let mut found = Vec::new();
    for name in names {
        let mut statement = conn.prepare("SELECT name FROM pragma_table_info(?1)")?;
        let has =
            statement.query_map([&name], |row| row.get(0))?.collect::<rusqlite::Result<Vec<String>>>()?;
        if columns.iter().all(|column| has.iter().any(|name| name == column)) {
            found.push(name);
        }
    }
    Ok(found)
}

fn send(conn: &Connection, sql: &str, to: &mpsc::Sender<Vec<ForeignRow>>) -> Result<()> {
    let mut statement = conn.prepare(sql)?;
    let names: Vec<_> = statement.column_names().map(str::to_owned).collect();
    let mut rows = statement.query(())?;
    let mut page = Vec::with_capacity(PAGE);
    while let Some(row) = rows.next()? {
        let mut values = ForeignRow::new();
        for (place, name) in names.iter().enumerate() {
            values.insert(name.clone(), value(row.get_ref(place)?));
        }
        page.push(values);
        if page.len() == PAGE && to.blocking_send(std::mem::take(&mut page)).is_err() {
            return Ok(());
        }
    }
    let _ = to.blocking_send(page);
    Ok(())
}

fn value(value: ValueRef<'_>) -> Value {
    match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(number) => number.into(),
        ValueRef::Real(number) => number.into(),
        // What is no text is shown as such, and judged by whoever reads it.
        ValueRef::Text(text) => String::from_utf8_lossy(text).into(),
        ValueRef::Blob(bytes) => crate::copy::table::hex(bytes).into(),
    }
}
