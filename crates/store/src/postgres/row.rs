//! PostgreSQL's rows, as the decoders of [`crate::row`] take them.

use tokio_postgres::Row;
use tokio_postgres::types::FromSql;
use uuid::Uuid;

use crate::row::{Columns, if_readable};
use crate::{Result, StoreError};

/// The form in which an id is kept.
pub(super) fn uuid(id: &[u8; 16]) -> Uuid {
    Uuid::from_bytes(*id)
}

/// Reads all rows that can be read.
pub(super) fn readable<T>(rows: &[Row], mut decode: impl FnMut(&mut Fields<'_>) -> Result<T>) -> Vec<T> {
    rows.iter().filter_map(|row| if_readable(decode(&mut Fields::of(row)))).collect()
}

/// A row's columns, taken from left to right.
pub(super) struct Fields<'r> {
    row: &'r Row,
    next: usize,
}

impl<'r> Fields<'r> {
    pub fn of(row: &'r Row) -> Self {
        Self { row, next: 0 }
    }

    fn value<T: FromSql<'r>>(&mut self, what: &'static str) -> Result<Option<T>> {
        let value = self.row.try_get(self.next);
        self.next += 1;
        value.map_err(|error| self.corrupt(what, &error.to_string()))
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
        let column = self.row.columns().get(self.next.saturating_sub(1));
        let column = column.map_or("?", tokio_postgres::Column::name);
        StoreError::Corrupt { what, cause: format!("{column} {wrong}") }
    }

    fn id_or_null(&mut self, what: &'static str) -> Result<Option<[u8; 16]>> {
        Ok(self.value::<Uuid>(what)?.map(Uuid::into_bytes))
    }

    fn bytes_or_null<const N: usize>(&mut self, what: &'static str) -> Result<Option<[u8; N]>> {
        let Some(bytes) = self.value::<&[u8]>(what)? else { return Ok(None) };
        match bytes.try_into() {
            Ok(bytes) => Ok(Some(bytes)),
            Err(_) => Err(self.corrupt(what, &format!("has {} bytes instead of {N}", bytes.len()))),
        }
    }

    fn blob_or_null(&mut self, what: &'static str) -> Result<Option<Vec<u8>>> {
        self.value(what)
    }

    fn text_or_null(&mut self, what: &'static str) -> Result<Option<String>> {
        self.value(what)
    }

    fn integer_or_null(&mut self, what: &'static str) -> Result<Option<i64>> {
        self.value(what)
    }

    fn flag_or_null(&mut self, what: &'static str) -> Result<Option<bool>> {
        self.value(what)
    }
}
