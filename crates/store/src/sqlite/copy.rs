//! A SQLite database that is being moved: read row by row while nobody else can write, and then put out of use.
//!
//! Out of use means that its tables bear other names. That stops every program that has it open, of whatever
//! version, from reading and writing alike: each of its statements fails, which clients are told as 503.

use std::collections::HashSet;
use std::path::Path;
use std::time::Duration;

use rusqlite::types::Value;
use rusqlite::{Connection, params, params_from_iter};
use tenure_domain::time::Timestamp;

use super::row::{self, Columns as _, Fields};
use super::stamp::Hold;
use super::{connect, migrate};
use crate::copy::table::{Cell, Cells, NUMBERED, TABLES, Table};
use crate::copy::{Damaged, Mark};
use crate::{Result, StoreError};

/// How long to wait for those who write: the server's writer lets go after every commit.
const PATIENCE: Duration = Duration::from_secs(30);

/// Before the name of a table that has moved.
const MOVED: &str = "moved_";

/// Besides the tables under other names: an entry that no version can read, for which every view forgets what it
/// holds.
const NOTICE: &str = "INSERT INTO change (keys) VALUES (2)";

/// A database with a transaction under way, which is undone when it is dropped.
pub(crate) struct Source {
    conn: Connection,
    /// Those of [`TABLES`] that it has.
    pub tables: Vec<&'static Table>,
    pub mark: Option<Mark>,
    /// Rows that were left out, by table and key: nothing that names them can be copied.
    left_out: HashSet<(&'static str, Vec<u8>)>,
    /// Dropped after the connection.
    _hold: std::sync::Arc<Hold>,
}

/// Some rows in the order of their keys.
pub(crate) struct Page {
    pub rows: Vec<Cells>,
    pub damaged: Vec<Damaged>,
    /// Where the next one begins; none after the last.
    pub next: Option<Value>,
}

impl Source {
    /// Opens a database that must be there, and up to date. With `exclusive` nobody else writes until the source
    /// is dropped or committed; otherwise it is a snapshot, and nobody notices.
    pub fn open(path: &Path, exclusive: bool) -> Result<Self> {
        if !path.is_file() {
            return Err(StoreError::Unavailable(format!("there is no database at {}", path.display())));
        }
        let hold = Hold::of(path);
        let conn = connect(path)?;
        conn.busy_timeout(PATIENCE)?;
        conn.execute_batch(if exclusive { "BEGIN IMMEDIATE" } else { "BEGIN" })?;
        let mark = mark(&conn)?;
        if mark.is_none() {
            migrate::must_be_current(&conn)?;
        }
        let mut source = Self { conn, tables: Vec::new(), mark, left_out: HashSet::new(), _hold: hold };
        for table in &TABLES {
            let named = "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?1";
            if row::one(&source.conn, named, [source.name(table)], |_| Ok(()))?.is_some() {
                source.tables.push(table);
            }
        }
        Ok(source)
    }

    fn name(&self, table: &Table) -> String {
        format!("{}{}", if self.mark.is_some() { MOVED } else { "" }, table.name)
    }

    pub fn count(&self, table: &Table) -> Result<u64> {
        let sql = format!("SELECT count(*) FROM \"{}\"", self.name(table));
        Ok(row::one(&self.conn, &sql, (), |columns| columns.number("count"))?.unwrap_or(0))
    }

    /// Whether any of its tables has a row.
    pub fn has_any(&self) -> Result<bool> {
        let counts: Result<Vec<_>> = self.tables.iter().map(|table| self.count(table)).collect();
        Ok(counts?.into_iter().any(|rows| rows > 0))
    }

    /// How large the database is, in bytes.
    pub fn size(&self) -> Result<u64> {
        let sql = "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()";
        Ok(row::one(&self.conn, sql, (), |columns| columns.number("size"))?.unwrap_or(0))
    }

    /// The greatest number that was ever given to a row of the table whose rows are numbered.
    pub fn last_number(&self) -> Result<i64> {
        let name = format!("{}{NUMBERED}", if self.mark.is_some() { MOVED } else { "" });
        let sql = "SELECT seq FROM sqlite_sequence WHERE name = ?1";
        Ok(row::one(&self.conn, sql, [name], |columns| columns.number("number"))?.unwrap_or(0))
    }

    /// The rows after `from`, at most `limit`. One that cannot be copied is told of and left out.
    pub fn page(&mut self, table: &'static Table, from: Option<Value>, limit: usize) -> Result<Page> {
        let key = table.key_column();
        let parent = table.parent.map_or("NULL, NULL".to_owned(), |(column, parent)| {
            let moved = if self.mark.is_some() { MOVED } else { "" };
            let key = table.parent_key();
            format!(
                "t.\"{column}\", EXISTS (SELECT 1 FROM \"{moved}{parent}\" p WHERE p.\"{key}\" = t.\"{column}\")"
            )
        });
        let after = if from.is_some() { format!("WHERE t.\"{key}\" > ?1") } else { String::new() };
        let sql = format!(
            "SELECT {}, {parent} FROM \"{}\" t {after} ORDER BY t.\"{key}\" LIMIT {limit}",
            table.names("t."),
            self.name(table)
        );
        let mut page = Page { rows: Vec::with_capacity(limit), damaged: Vec::new(), next: None };
        let mut statement = self.conn.prepare_cached(&sql)?;
        let mut rows = statement.query(params_from_iter(from))?;
        let mut seen = 0;
        while let Some(row) = rows.next()? {
            seen += 1;
            let key: Value = row.get(0)?;
            let named = key_bytes(&row.get(table.columns.len())?);
            let is_there: bool = row.get::<_, Option<bool>>(table.columns.len() + 1)?.unwrap_or(true);
            let orphan = table
                .parent
                .zip(named)
                .filter(|((_, parent), id)| !is_there || self.left_out.contains(&(*parent, id.clone())));
            let read = match orphan {
                Some(((column, parent), _)) => {
                    let cause = format!("{column} names no {parent} that can be copied");
                    Err(StoreError::Corrupt { what: table.name, cause })
                }
                None => table.read(&mut Fields::of(row)),
            };
            match read {
                Ok(cells) => page.rows.push(cells),
                Err(StoreError::Corrupt { cause, .. }) => {
                    self.left_out.extend(key_bytes(&key).map(|id| (table.name, id)));
                    page.damaged.push(Damaged { table: table.name, id: table.key_of(&cell(&key)), cause });
                }
                Err(error) => return Err(error),
            }
            page.next = Some(key);
        }
        if seen < limit {
            page.next = None;
        }
        Ok(page)
    }

    /// Puts the database out of use, durably, and lets go of it.
    pub fn close_down(&mut self, mark: &Mark) -> Result<()> {
        if self.mark.is_none() {
            for table in &self.tables {
                let rename = format!("ALTER TABLE \"{0}\" RENAME TO \"{MOVED}{0}\"", table.name);
                self.conn.execute_batch(&rename)?;
            }
            self.conn.execute_batch(NOTICE)?;
            self.conn.execute_batch(
                "CREATE TABLE moved (
                     id          BLOB    NOT NULL PRIMARY KEY,
                     at          INTEGER NOT NULL,
                     place       TEXT    NOT NULL,
                     is_finished INTEGER NOT NULL
                 ) STRICT",
            )?;
            let row = params![mark.id, mark.at.as_ms(), mark.place, mark.is_finished];
            self.conn.execute("INSERT INTO moved VALUES (?1, ?2, ?3, ?4)", row)?;
        }
        self.commit()
    }

    /// Notes that the new database has everything. May be repeated.
    pub fn finish(&mut self) -> Result<()> {
        self.conn.execute("UPDATE moved SET is_finished = 1 WHERE is_finished = 0", ())?;
        if !self.conn.is_autocommit() {
            self.commit()?;
        }
        Ok(())
    }

    /// Takes it into use again, as it was.
    pub fn reopen(&mut self) -> Result<()> {
        for table in &self.tables {
            let rename = format!("ALTER TABLE \"{MOVED}{0}\" RENAME TO \"{0}\"", table.name);
            self.conn.execute_batch(&rename)?;
        }
        self.conn.execute_batch("DROP TABLE moved")?;
        self.conn.execute_batch(NOTICE)?;
        self.commit()
    }

    fn commit(&mut self) -> Result<()> {
        Ok(self.conn.execute_batch("COMMIT")?)
    }
}

/// A key that may be anything, as people read it.
fn cell(key: &Value) -> Cell {
    match key {
        Value::Blob(bytes) => Cell::Bytes(bytes.clone()),
        Value::Text(text) => Cell::Text(text.clone()),
        Value::Integer(number) => Cell::Number(*number),
        Value::Real(_) | Value::Null => Cell::Null,
    }
}

/// Whether a database has moved, and where to.
pub(super) fn mark(conn: &Connection) -> Result<Option<Mark>> {
    const WHAT: &str = "move";
    let table = "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'moved'";
    if row::one(conn, table, (), |_| Ok(()))?.is_none() {
        return Ok(None);
    }
    row::one(conn, "SELECT id, at, place, is_finished FROM moved", (), |columns| {
        let (id, at): (_, Timestamp) = (columns.id(WHAT)?, columns.time(WHAT)?);
        Ok(Mark { id, at, place: columns.text(WHAT)?, is_finished: columns.flag(WHAT)? })
    })
}

/// What other rows name a row by.
fn key_bytes(key: &Value) -> Option<Vec<u8>> {
    match key {
        Value::Blob(bytes) => Some(bytes.clone()),
        Value::Text(text) => Some(text.clone().into_bytes()),
        Value::Null | Value::Integer(_) | Value::Real(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Tables that a move leaves behind on purpose.
    const LEFT_BEHIND: [&str; 5] = ["change", "clock_mark", "migration", "sqlite_sequence", "tally"];

    #[test]
    fn every_table_and_column_there_is_moves() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.db");
        migrate::up(&path, Timestamp::from_ms(0)).unwrap();
        let conn = Connection::open(&path).unwrap();
        let text = |columns: &mut Fields<'_>| columns.text("name");
        let tables =
            row::all(&conn, "SELECT name FROM sqlite_schema WHERE type = 'table'", (), text).unwrap();
        for name in tables.iter().filter(|name| !LEFT_BEHIND.contains(&name.as_str())) {
            let Some(table) = TABLES.iter().find(|table| table.name == name) else {
                panic!("{name} is not moved: add it to copy/table.rs");
            };
            let mut columns =
                row::all(&conn, "SELECT name FROM pragma_table_info(?1)", [name], text).unwrap();
            let mut moved: Vec<_> = table.columns.iter().map(|(column, _)| (*column).to_owned()).collect();
            columns.sort_unstable();
            moved.sort_unstable();
            assert_eq!(columns, moved, "{name}");
        }
    }
}
