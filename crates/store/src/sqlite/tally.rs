//! The counts of hours.

use std::collections::BTreeMap;

use async_trait::async_trait;
use rusqlite::params;
use tenure_domain::time::Timestamp;

use super::{SqliteStore, row};
use crate::{Counts, Result, Tallies};

const ADD: &str = "INSERT INTO tally (hour, name, count) VALUES (?1, ?2, ?3) \
     ON CONFLICT (hour, name) DO UPDATE SET count = count + excluded.count";

const LIST: &str = "SELECT hour, name, count FROM tally WHERE hour >= ?1";

#[async_trait]
impl Tallies for SqliteStore {
    async fn tally_add(&self, hour: Timestamp, counts: Counts) -> Result<()> {
        self.writer
            .write_composed(move |tx| {
                for (name, count) in &counts {
                    let params = params![hour.as_ms(), name, row::integer(*count)];
                    tx.conn.prepare_cached(ADD)?.execute(params)?;
                }
                Ok(())
            })
            .await
    }

    async fn tally_list(&self, since: Timestamp) -> Result<BTreeMap<Timestamp, Counts>> {
        let rows = self.readers.read(move |conn| {
            row::readable(conn, LIST, [since.as_ms()], |columns| crate::row::tally(columns))
        });
        Ok(crate::row::by_hour(rows.await?))
    }

    async fn tally_expire(&self, before: Timestamp) -> Result<u64> {
        let expire = "DELETE FROM tally WHERE hour < ?1";
        self.writer
            .write(move |tx| Ok(tx.conn.prepare_cached(expire)?.execute([before.as_ms()])? as u64))
            .await
    }
}
