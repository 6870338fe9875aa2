//! SQLite's rows, as the decoders of [`crate::row`] take them, and the queries that give them. STRICT tables
//! keep the types of columns; ids and salts are blobs of their length.

use rusqlite::types::ValueRef;
use rusqlite::{Connection, OptionalExtension as _, Params, Row};

pub(super) use crate::row::*;
use crate::{Result, StoreError};

/// Runs a query of at most one row.
pub(super) fn one<T>(
    conn: &Connection,
    sql: &str,
    params: impl Params,
    decode: impl FnOnce(&mut Fields<'_>) -> Result<T>,
) -> Result<Option<T>> {
    let mut statement = conn.prepare_cached(sql)?;
    let row = statement.query_row(params, |row| Ok(decode(&mut Fields::of(row)))).optional()?;
    row.transpose()
}

/// Runs a query of many rows.
pub(super) fn all<T>(
    conn: &Connection,
    sql: &str,
    params: impl Params,
    mut decode: impl FnMut(&mut Fields<'_>) -> Result<T>,
) -> Result<Vec<T>> {
    let mut statement = conn.prepare_cached(sql)?;
    let mut rows = statement.query(params)?;
    let mut values = Vec::new();
    while let Some(row) = rows.next()? {
        values.push(decode(&mut Fields::of(row))?);
    }
    Ok(values)
}

/// Runs a query of many rows, and gives those that can be read.
pub(super) fn readable<T>(
    conn: &Connection,
    sql: &str,
    params: impl Params,
    mut decode: impl FnMut(&mut Fields<'_>) -> Result<T>,
) -> Result<Vec<T>> {
    let values = all(conn, sql, params, |columns| Ok(if_readable(decode(columns))))?;
    Ok(values.into_iter().flatten().collect())
}

/// Runs a query of many rows, and gives the first `limit` of those that can be read, however many before them cannot.
pub(super) fn first_readable<T>(
    conn: &Connection,
    sql: &str,
    params: impl Params,
    limit: usize,
    mut decode: impl FnMut(&mut Fields<'_>) -> Result<T>,
) -> Result<Vec<T>> {
    let mut statement = conn.prepare_cached(sql)?;
    let mut rows = statement.query(params)?;
    let mut values = Vec::new();
    while values.len() < limit
        && let Some(row) = rows.next()?
    {
        values.extend(if_readable(decode(&mut Fields::of(row))));
    }
    Ok(values)
}

/// A row's columns, taken from left to right.
pub(super) struct Fields<'r> {
    row: &'r Row<'r>,
    next: usize,
}

impl<'r> Fields<'r> {
    pub fn of(row: &'r Row) -> Self {
        Self { row, next: 0 }
    }

    fn value(&mut self) -> Result<ValueRef<'r>> {
        let value = self.row.get_ref(self.next)?;
        self.next += 1;
        Ok(value)
    }

    pub fn is_null(&mut self) -> Result<bool> {
        Ok(self.value()? == ValueRef::Null)
    }
}

impl Columns for Fields<'_> {
    fn go_to(&mut self, place: usize) -> &mut Self {
        self.next = place;
        self
    }

    fn skip(&mut self, columns: usize) {
        self.next += columns;
    }

    fn corrupt(&self, what: &'static str, wrong: &str) -> StoreError {
        let column = self.row.as_ref().column_name(self.next.saturating_sub(1)).unwrap_or("?");
        StoreError::Corrupt { what, cause: format!("{column} {wrong}") }
    }

    fn id_or_null(&mut self, what: &'static str) -> Result<Option<[u8; 16]>> {
        self.bytes_or_null(what)
    }

    fn bytes_or_null<const N: usize>(&mut self, what: &'static str) -> Result<Option<[u8; N]>> {
        match self.value()? {
            ValueRef::Null => Ok(None),
            ValueRef::Blob(blob) => match blob.try_into() {
                Ok(bytes) => Ok(Some(bytes)),
                Err(_) => Err(self.corrupt(what, &format!("has {} bytes instead of {N}", blob.len()))),
            },
            _ => Err(self.corrupt(what, "is not a blob")),
        }
    }

    fn blob_or_null(&mut self, what: &'static str) -> Result<Option<Vec<u8>>> {
        match self.value()? {
            ValueRef::Null => Ok(None),
            ValueRef::Blob(blob) => Ok(Some(blob.to_vec())),
            _ => Err(self.corrupt(what, "is not a blob")),
        }
    }

    fn text_or_null(&mut self, what: &'static str) -> Result<Option<String>> {
        match self.value()? {
            ValueRef::Null => Ok(None),
            ValueRef::Text(bytes) => match std::str::from_utf8(bytes) {
                Ok(text) => Ok(Some(text.to_owned())),
                Err(_) => Err(self.corrupt(what, "is not UTF-8")),
            },
            _ => Err(self.corrupt(what, "is not text")),
        }
    }

    fn integer_or_null(&mut self, what: &'static str) -> Result<Option<i64>> {
        match self.value()? {
            ValueRef::Null => Ok(None),
            ValueRef::Integer(number) => Ok(Some(number)),
            _ => Err(self.corrupt(what, "is not a number")),
        }
    }

    fn flag_or_null(&mut self, what: &'static str) -> Result<Option<bool>> {
        match self.number_or_null::<u8>(what)? {
            None => Ok(None),
            Some(0) => Ok(Some(false)),
            Some(1) => Ok(Some(true)),
            Some(other) => Err(self.corrupt(what, &format!("is {other} instead of 0 or 1"))),
        }
    }
}
