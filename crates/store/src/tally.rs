//! What each hour was like: counts that nodes add to. They decide nothing, and losing some loses a bar of a chart.

use std::collections::BTreeMap;

use async_trait::async_trait;
use tenure_domain::time::Timestamp;

use crate::Result;

/// How much was counted under each name.
pub type Counts = BTreeMap<String, u64>;

/// The counts of hours.
#[async_trait]
pub trait Tallies: Send + Sync {
    /// Adds to the counts of the hour that begins at `hour`.
    async fn tally_add(&self, hour: Timestamp, counts: Counts) -> Result<()>;

    /// The counts of the hours that begin at `since` or later. Of an hour in which nothing was counted there are none.
    async fn tally_list(&self, since: Timestamp) -> Result<BTreeMap<Timestamp, Counts>>;

    /// Deletes the counts of hours that begin before `before`; returns how many.
    async fn tally_expire(&self, before: Timestamp) -> Result<u64>;
}
