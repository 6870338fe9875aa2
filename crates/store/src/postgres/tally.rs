//! The counts of hours.

use std::collections::BTreeMap;

use async_trait::async_trait;
use tenure_domain::time::Timestamp;
use tokio_postgres::types::Type;

use super::{PostgresStore, row};
use crate::row::integer;
use crate::{Counts, Result, Tallies};

/// In the order of the names, so that nodes that add at once wait for each other and never in a circle.
const ADD: &str = "INSERT INTO tally (hour, name, count) \
     SELECT $1, one.name, one.count FROM unnest($2::text[], $3::bigint[]) AS one (name, count) \
     ORDER BY one.name ON CONFLICT (hour, name) DO UPDATE SET count = tally.count + excluded.count";

const LIST: &str = "SELECT hour, name, count FROM tally WHERE hour >= $1";

#[async_trait]
impl Tallies for PostgresStore {
    async fn tally_add(&self, hour: Timestamp, counts: Counts) -> Result<()> {
        let (names, counts): (Vec<_>, Vec<_>) =
            counts.into_iter().map(|(name, count)| (name, integer(count))).unzip();
        let params: super::connect::Params<'_> =
            &[(&hour.as_ms(), Type::INT8), (&names, Type::TEXT_ARRAY), (&counts, Type::INT8_ARRAY)];
        self.db.get_expendable().await?.execute(ADD, params).await.map(drop)
    }

    async fn tally_list(&self, since: Timestamp) -> Result<BTreeMap<Timestamp, Counts>> {
        let rows = self.db.get().await?.rows(LIST, &[(&since.as_ms(), Type::INT8)]).await?;
        Ok(crate::row::by_hour(row::readable(&rows, |columns| crate::row::tally(columns))))
    }

    async fn tally_expire(&self, before: Timestamp) -> Result<u64> {
        let expire = "DELETE FROM tally WHERE hour < $1";
        self.db.get().await?.execute(expire, &[(&before.as_ms(), Type::INT8)]).await
    }
}
