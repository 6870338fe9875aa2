//! Rows of somebody else's database on PostgreSQL.

use serde_json::Value;
use tokio::sync::mpsc;
use tokio_postgres::types::Type;

use super::PostgresOptions;
use super::connect::{Conn, Db};
use super::row::Fields;
use crate::foreign::PAGE;
use crate::row::Columns as _;
use crate::{ForeignRow, Result, StoreError};

/// Those on the search path by their own names, others with their schema.
const TABLES: &str = "SELECT CASE WHEN pg_table_is_visible(c.oid) THEN c.relname ELSE n.nspname || '.' || c.relname END \
     FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
     WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND n.nspname NOT IN ('pg_catalog', 'information_schema') \
     AND (SELECT count(*) FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped \
     AND a.attname = ANY($1)) = cardinality($1) ORDER BY 1";

pub(crate) async fn tables_with(options: &PostgresOptions, columns: &[&str]) -> Result<Vec<String>> {
    let mut conn = connect(options).await?;
    let columns = columns.to_vec();
    let rows = conn.rows(TABLES, &[(&columns, Type::TEXT_ARRAY)]).await?;
    rows.iter().map(|row| Fields::of(row).text("table")).collect()
}

pub(crate) async fn count(options: &PostgresOptions, sql: &str) -> Result<u64> {
    let row = connect(options).await?.row(sql, &[]).await?;
    row.map_or(Ok(0), |row| Fields::of(&row).number("count"))
}

/// Through a cursor, so that neither side holds more than a page.
pub(crate) async fn send(
    options: &PostgresOptions,
    sql: &str,
    to: &mpsc::Sender<Vec<ForeignRow>>,
) -> Result<()> {
    let mut conn = connect(options).await?;
    conn.begin().await?;
    conn.batch(&format!(
        "SET TRANSACTION READ ONLY; SET LOCAL TIME ZONE 'UTC'; DECLARE people NO SCROLL CURSOR FOR {sql}"
    ))
    .await?;
    loop {
        let rows = conn.rows(&format!("FETCH {PAGE} FROM people"), &[]).await?;
        let page = rows.iter().map(|row| parse(&Fields::of(row).text("row")?)).collect::<Result<Vec<_>>>()?;
        if page.is_empty() || to.send(page).await.is_err() {
            return conn.roll_back().await;
        }
    }
}

async fn connect(options: &PostgresOptions) -> Result<Conn> {
    Db::new(options)?.get().await
}

fn parse(text: &str) -> Result<ForeignRow> {
    match serde_json::from_str(text) {
        Ok(Value::Object(row)) => Ok(row),
        _ => Err(StoreError::Corrupt { what: "row", cause: "the database gave no JSON object".into() }),
    }
}
