//! What observed browsers report.

use async_trait::async_trait;
use tenure_domain::id::ObservationId;
use tokio_postgres::types::Type;

use super::row::{self, Fields, uuid};
use super::{PostgresStore, alone};
use crate::row::{Columns as _, integer, seen};
use crate::{Observations, Observed, ObservedFilter, Result};

/// All of a report in one exchange.
const INSERT: &str = "INSERT INTO observation (id, received_at, profile, page, seq, at, ahead_ms, seen, app, browser, \
     release) SELECT * FROM unnest($1::uuid[], $2::int8[], $3::uuid[], $4::text[], $5::int8[], $6::int8[], $7::int8[], \
     $8::text[], $9::text[], $10::text[], $11::text[]) ON CONFLICT (profile, page, seq) DO NOTHING";

const LIST: &str = "SELECT id, received_at, profile, page, seq, at, ahead_ms, seen, app, browser, release \
     FROM observation WHERE ($1::uuid IS NULL OR id > $1) AND ($2::uuid IS NULL OR id >= $2) \
     AND ($3::uuid IS NULL OR profile = $3) ORDER BY id LIMIT $4";

const OLDEST_OF: &str = "SELECT id FROM observation ORDER BY id DESC LIMIT 1 OFFSET $1";

/// It finds its rows by the order of ids, so that nothing is searched when there is nothing to do.
const EXPIRE: &str = "DELETE FROM observation WHERE id IN \
     (SELECT id FROM observation WHERE id < $1 ORDER BY id LIMIT $2)";

#[async_trait]
impl Observations for PostgresStore {
    async fn observation_add(&self, mut observed: Vec<Observed>) -> Result<()> {
        // Two nodes that take the same report at once wait for each other, and never in a circle.
        observed
            .sort_by(|one, other| (&one.what.page, one.what.seq).cmp(&(&other.what.page, other.what.seq)));
        let _turn = self.observing.take().await?;
        let ids: Vec<_> =
            observed.iter().map(|one| uuid(self.entropy.observation(one.received_at).as_bytes())).collect();
        let mut conn = self.db.get_expendable().await?;
        conn.begin().await?;
        // Not worth waiting for the disk.
        conn.batch("SET LOCAL synchronous_commit = off").await?;
        conn.execute(
            INSERT,
            &[
                (&ids, Type::UUID_ARRAY),
                (&each(&observed, |one| one.received_at.as_ms()), Type::INT8_ARRAY),
                (&each(&observed, |one| uuid(one.what.profile.as_bytes())), Type::UUID_ARRAY),
                (&each(&observed, |one| one.what.page.as_str()), Type::TEXT_ARRAY),
                (&each(&observed, |one| i64::from(one.what.seq)), Type::INT8_ARRAY),
                (&each(&observed, |one| one.what.at.as_ms()), Type::INT8_ARRAY),
                (&each(&observed, |one| one.what.ahead_ms), Type::INT8_ARRAY),
                (&each(&observed, |one| seen(&one.what.seen)), Type::TEXT_ARRAY),
                (&each(&observed, |one| one.app.as_str()), Type::TEXT_ARRAY),
                (&each(&observed, |one| one.browser.as_str()), Type::TEXT_ARRAY),
                (&each(&observed, |one| one.release.as_deref()), Type::TEXT_ARRAY),
            ],
        )
        .await?;
        conn.commit().await
    }

    async fn observation_list(
        &self,
        filter: ObservedFilter,
        after: Option<ObservationId>,
        limit: usize,
    ) -> Result<Vec<(ObservationId, Observed)>> {
        let params: super::connect::Params<'_> = &[
            (&after.map(|id| uuid(id.as_bytes())), Type::UUID),
            (&filter.first().map(|id| uuid(id.as_bytes())), Type::UUID),
            (&filter.profile.map(|id| uuid(id.as_bytes())), Type::UUID),
            (&integer(limit), Type::INT8),
        ];
        let rows = self.db.get().await?.rows(LIST, params).await?;
        Ok(row::readable(&rows, |columns| crate::row::observed(columns)))
    }

    async fn observation_oldest_of(&self, keep: u64) -> Result<Option<ObservationId>> {
        let beyond = integer(keep.saturating_sub(1));
        let row = self.db.get().await?.row(OLDEST_OF, &[(&beyond, Type::INT8)]).await?;
        row.map(|row| Fields::of(&row).id("id").map(ObservationId::from_bytes)).transpose()
    }

    async fn observation_expire(&self, first_kept: ObservationId, limit: usize) -> Result<u64> {
        self.write(async |conn| {
            if !alone(conn, "observations").await? {
                return Ok(0);
            }
            let params: super::connect::Params<'_> =
                &[(&uuid(first_kept.as_bytes()), Type::UUID), (&integer(limit), Type::INT8)];
            conn.execute(EXPIRE, params).await
        })
        .await
    }
}

/// A column of a report.
fn each<'a, T>(observed: &'a [Observed], of: impl Fn(&'a Observed) -> T) -> Vec<T> {
    observed.iter().map(of).collect()
}
