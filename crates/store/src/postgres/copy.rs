//! A PostgreSQL database that another one is moved into: one transaction in which it is filled and read again.

use std::time::Duration;

use tokio_postgres::Config;
use tokio_postgres::config::Host;
use tokio_postgres::types::{ToSql, Type};

use super::connect::{Conn, Db};
use super::row::{Fields, uuid};
use super::{PostgresOptions, migrate};
use crate::copy::table::{Cell, Cells, Kind, NUMBERED, TABLES, Table};
use crate::row::Columns as _;
use crate::{Result, StoreError};

/// However long it takes: it is run by somebody who waits for it. Only those who hold a table are not waited for
/// that long, because then the database is not one that nobody uses.
const LIMITS: &str = "SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0; \
     SET LOCAL lock_timeout = '5s'; SET LOCAL synchronous_commit = on";

/// What a database says of itself once it has been filled, and once that was taken back, before the number of the
/// move. It is the comment on a table, because a comment is part of the transaction and needs no column.
const FILLED: &str = "moved here from SQLite: ";
const GIVEN_BACK: &str = "given back to SQLite: ";

const OTHERS: &str = "SELECT EXISTS (SELECT 1 FROM pg_stat_activity WHERE datname = current_database() \
     AND application_name = 'tenure' AND pid <> pg_backend_pid())";

/// How often to look for them before they count as there, and the pause between.
const LOOKS: u32 = 10;
const BETWEEN_LOOKS: Duration = Duration::from_millis(100);

pub(crate) struct Target {
    conn: Conn,
}

impl Target {
    /// Brings the database up to this program and begins the transaction, in which nobody else writes to a table.
    pub async fn open(options: &PostgresOptions) -> Result<Self> {
        migrate::up(options).await?;
        let mut target = Self::connect(options).await?;
        target.conn.begin().await?;
        target.conn.batch(LIMITS).await?;
        target.conn.batch(&format!("LOCK TABLE {} IN SHARE ROW EXCLUSIVE MODE", all())).await?;
        Ok(target)
    }

    /// Looks at the database and changes nothing. It may lack tables.
    pub async fn look(options: &PostgresOptions) -> Result<Self> {
        let mut target = Self::connect(options).await?;
        target.conn.begin().await?;
        target.conn.batch("SET TRANSACTION READ ONLY").await?;
        Ok(target)
    }

    async fn connect(options: &PostgresOptions) -> Result<Self> {
        let mut conn = Db::new(options)?.get().await?;
        conn.statement_timeout = Duration::MAX;
        Ok(Self { conn })
    }

    /// The tables that have rows, and how many.
    pub async fn occupied(&mut self) -> Result<Vec<(&'static str, u64)>> {
        let mut occupied = Vec::new();
        for table in &TABLES {
            let name = quoted(table);
            let is_there =
                self.conn.row("SELECT to_regclass($1) IS NOT NULL", &[(&name, Type::TEXT)]).await?;
            if !is_there.map_or(Ok(false), |row| Fields::of(&row).flag("table"))? {
                continue;
            }
            let rows = self.count(table).await?;
            if rows > 0 {
                occupied.push((table.name, rows));
            }
        }
        Ok(occupied)
    }

    pub async fn count(&mut self, table: &Table) -> Result<u64> {
        let row = self.conn.row(&format!("SELECT count(*) FROM {}", quoted(table)), &[]).await?;
        row.map_or(Ok(0), |row| Fields::of(&row).number("count"))
    }

    /// Whether it was filled by this move. The number is made of hexadecimal digits.
    pub async fn is_filled_by(&mut self, number: &str) -> Result<bool> {
        Ok(self.comment().await?.is_some_and(|said| said == format!("{FILLED}{number}")))
    }

    /// Whether this move was made and taken back.
    pub async fn has_given_back(&mut self, number: &str) -> Result<bool> {
        Ok(self.comment().await?.is_some_and(|said| said == format!("{GIVEN_BACK}{number}")))
    }

    async fn comment(&mut self) -> Result<Option<String>> {
        let sql = "SELECT obj_description(to_regclass('migration'), 'pg_class')";
        let Some(row) = self.conn.row(sql, &[]).await? else { return Ok(None) };
        Fields::of(&row).text_or_null("comment")
    }

    /// Has it say so, from the commit on.
    pub async fn sign(&mut self, number: &str) -> Result<()> {
        self.conn.batch(&format!("COMMENT ON TABLE migration IS '{FILLED}{number}'")).await
    }

    /// Adds rows, as they are.
    pub async fn write(&mut self, table: &Table, rows: &[Cells]) -> Result<()> {
        let arrays: Vec<_> =
            table.columns.iter().enumerate().map(|(at, (_, kind))| array(*kind, rows, at)).collect();
        let params: Vec<_> = arrays.iter().map(|(values, kind)| (&**values as _, kind.clone())).collect();
        let numbers: Vec<_> = (1..=params.len()).map(|number| format!("${number}")).collect();
        let sql = format!(
            "INSERT INTO {} ({}) OVERRIDING SYSTEM VALUE SELECT * FROM unnest({})",
            quoted(table),
            table.names(""),
            numbers.join(", ")
        );
        self.conn.execute(&sql, &params).await.map(drop)
    }

    /// The rows after a key, at most `limit`, in the order in which SQLite has them.
    pub async fn page(&mut self, table: &Table, after: Option<&Cell>, limit: usize) -> Result<Vec<Cells>> {
        let by_bytes = table.columns.first().is_some_and(|(_, kind)| *kind == Kind::Text);
        let key = format!("\"{}\"{}", table.key_column(), if by_bytes { " COLLATE \"C\"" } else { "" });
        let after = after.map(single);
        let where_after = if after.is_some() { format!("WHERE {key} > $1") } else { String::new() };
        let (columns, name) = (table.names(""), quoted(table));
        let sql = format!("SELECT {columns} FROM {name} {where_after} ORDER BY {key} LIMIT {limit}");
        let params: Vec<_> = after.iter().map(|(value, kind)| (&**value as _, kind.clone())).collect();
        let rows = self.conn.rows(&sql, &params).await?;
        rows.iter().map(|row| table.read(&mut Fields::of(row))).collect()
    }

    /// Goes on numbering after this number, and lets the planner know what has been added.
    pub async fn settle(&mut self, last: i64) -> Result<()> {
        let sql = "SELECT setval(pg_get_serial_sequence($1, 'id'), $2)";
        if last > 0 {
            self.conn.row(sql, &[(&NUMBERED, Type::TEXT), (&last, Type::INT8)]).await?;
        }
        self.conn.batch(&format!("ANALYZE {}", all())).await
    }

    /// Whether another program of ours is connected to the database, as far as this user may see. One that has
    /// just gone is given a second to be seen to have.
    pub async fn is_in_use(&mut self) -> Result<bool> {
        for _ in 0..LOOKS {
            // A transaction sees this list as it was when it first looked.
            self.conn.batch("SELECT pg_stat_clear_snapshot()").await?;
            let row = self.conn.row(OTHERS, &[]).await?;
            if !row.map_or(Ok(false), |row| Fields::of(&row).flag("connections"))? {
                return Ok(false);
            }
            tokio::time::sleep(BETWEEN_LOOKS).await;
        }
        Ok(true)
    }

    /// Takes everything out again.
    pub async fn give_back(&mut self, number: &str) -> Result<()> {
        self.conn.batch(&format!("TRUNCATE {} RESTART IDENTITY", all())).await?;
        self.conn.batch(&format!("COMMENT ON TABLE migration IS '{GIVEN_BACK}{number}'")).await
    }

    /// Durable when it returns. If it fails, it may have happened or not.
    pub async fn commit(mut self) -> Result<()> {
        self.conn.commit().await
    }
}

/// Where a database is, in words that hold no password.
pub(crate) fn place(options: &PostgresOptions) -> Result<String> {
    let unusable = |_| StoreError::Unavailable("the address of PostgreSQL cannot be read".into());
    let config: Config = options.url.parse().map_err(unusable)?;
    let ports = config.get_ports();
    let hosts = config.get_hosts().iter().enumerate().map(|(at, host)| {
        let port = ports.get(at).or(ports.first()).copied().unwrap_or(5432);
        match host {
            Host::Tcp(name) if name.contains(':') => format!("[{name}]:{port}"),
            Host::Tcp(name) => format!("{name}:{port}"),
            #[cfg(unix)]
            Host::Unix(path) => format!("{}:{port}", path.display()),
        }
    });
    let hosts: Vec<_> = hosts.collect();
    let database = config.get_dbname().or(config.get_user()).unwrap_or_default();
    Ok(format!("postgres://{}/{database}", hosts.join(",")))
}

/// All tables, as a statement lists them.
fn all() -> String {
    TABLES.iter().map(quoted).collect::<Vec<_>>().join(", ")
}

fn quoted(table: &Table) -> String {
    format!("\"{}\"", table.name)
}

type Value = (Box<dyn ToSql + Sync + Send>, Type);

/// One value as a parameter.
fn single(cell: &Cell) -> Value {
    match cell {
        Cell::Null => (Box::new(None::<String>), Type::TEXT),
        Cell::Id(id) => (Box::new(uuid(id)), Type::UUID),
        Cell::Number(number) => (Box::new(*number), Type::INT8),
        Cell::Flag(flag) => (Box::new(*flag), Type::BOOL),
        Cell::Text(text) => (Box::new(text.clone()), Type::TEXT),
        Cell::Bytes(bytes) => (Box::new(bytes.clone()), Type::BYTEA),
    }
}

/// A column of many rows as a parameter.
fn array(kind: Kind, rows: &[Cells], at: usize) -> Value {
    macro_rules! array {
        ($pattern:pat => $value:expr, $type:ident) => {{
            let values: Vec<_> = rows
                .iter()
                .map(|row| match row.get(at) {
                    Some($pattern) => Some($value),
                    _ => None,
                })
                .collect();
            (Box::new(values), Type::$type)
        }};
    }
    match kind {
        Kind::Id => array!(Cell::Id(id) => uuid(id), UUID_ARRAY),
        Kind::Number => array!(Cell::Number(number) => *number, INT8_ARRAY),
        Kind::Flag => array!(Cell::Flag(flag) => *flag, BOOL_ARRAY),
        Kind::Text => array!(Cell::Text(text) => text.clone(), TEXT_ARRAY),
        Kind::Bytes => array!(Cell::Bytes(bytes) => bytes.clone(), BYTEA_ARRAY),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tenure_domain::time::Timestamp;

    use super::*;

    struct Zeros;

    impl crate::Entropy for Zeros {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(0);
        }
    }

    #[test]
    fn a_place_is_told_without_user_and_password() {
        let of = |url: &str| {
            place(&PostgresOptions::new(url.into(), Arc::new(Zeros), Timestamp::from_ms(0))).unwrap()
        };
        assert_eq!(of("postgres://u:hunter2@db/tenure?sslmode=disable"), "postgres://db:5432/tenure");
        assert_eq!(of("postgres://u:hunter2@a:1,b:2/x"), "postgres://a:1,b:2/x");
        assert_eq!(of("postgres:///x?host=/run/p&user=u&password=hunter2"), "postgres:///run/p:5432/x");
    }
}
