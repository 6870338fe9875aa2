//! Clients' reports of sign-outs.

use std::time::Duration;

use async_trait::async_trait;
use tenure_domain::client_report::{IdleBucket, ReportKind};
use tenure_domain::id::{ReceiptId, SessionId, UserId};
use tenure_domain::time::Timestamp;
use tokio_postgres::types::Type;

use super::connect::Conn;
use super::row::{self, Fields, uuid};
use super::{PostgresStore, alone};
use crate::row::{Columns as _, evidence, integer};
use crate::{
    ClientReport, ClientReportStats, ClientReports, REPORT_GROUPS_MAX, ReportFilter, ReportNumber,
    ReportTally, Result,
};

/// Not worth waiting for the disk.
const INSERT: &str = "INSERT INTO client_report (received_at, address, user_agent, browser, \
     verified_session, verified_user, kind, kind_said, claimed_at, claimed_session, reason, receipt, message, \
     location, idle_ms, has_token, has_refresh_token, is_authenticated, release, client, evidence) \
     SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21 \
     FROM set_config('synchronous_commit', 'off', true)";

const LIST: &str = "SELECT id, received_at, address, user_agent, browser, \
     verified_session, verified_user, kind, kind_said, claimed_at, claimed_session, reason, receipt, message, \
     location, idle_ms, has_token, has_refresh_token, is_authenticated, release, client, evidence \
     FROM client_report WHERE received_at >= $1 AND id > $2 AND ($4 IS NULL OR kind = $4) \
     AND ($5 IS NULL OR verified_session = $5 OR claimed_session = $5) ORDER BY id LIMIT $3";

const LIST_OF: &str = "SELECT id, received_at, address, user_agent, browser, \
     verified_session, verified_user, kind, kind_said, claimed_at, claimed_session, reason, receipt, message, \
     location, idle_ms, has_token, has_refresh_token, is_authenticated, release, client, evidence \
     FROM client_report WHERE verified_session = $1 \
     OR (claimed_session = $1 AND verified_session IS NULL) \
     OR (receipt = $2 AND ($1::uuid IS NULL OR (claimed_session IS NULL AND verified_session IS NULL))) \
     ORDER BY verified_session IS NULL, id DESC LIMIT $3";

/// The minutes of idle time, of which those in the last bucket are all alike.
const IDLE: &str = "SELECT least(idle_ms / 60000, $2), count(*) FROM client_report \
     WHERE received_at >= $1 AND idle_ms IS NOT NULL GROUP BY 1 \
     UNION ALL SELECT NULL, count(*) FROM client_report WHERE received_at >= $1 AND idle_ms IS NULL";

/// Each finds its rows by an index of its own, so that nothing is searched when there is nothing to do.
const EXPIRE_BY_TIME: &str = "DELETE FROM client_report WHERE id IN \
     (SELECT id FROM client_report WHERE received_at < $1 ORDER BY received_at LIMIT $2)";
const EXPIRE_BY_NUMBER: &str = "DELETE FROM client_report WHERE id IN \
     (SELECT id FROM client_report WHERE id <= (SELECT max(id) FROM client_report) - $1 ORDER BY id LIMIT $2)";

#[async_trait]
impl ClientReports for PostgresStore {
    async fn client_report_add(&self, report: ClientReport) -> Result<()> {
        insert(&mut self.db.get_expendable().await?, &report).await
    }

    async fn client_report_list(
        &self,
        filter: ReportFilter,
        after: ReportNumber,
        limit: usize,
    ) -> Result<Vec<(ReportNumber, ClientReport)>> {
        let ReportFilter { since, kind, session } = filter;
        let params: super::connect::Params<'_> = &[
            (&since.as_ms(), Type::INT8),
            (&integer(after.0), Type::INT8),
            (&integer(limit), Type::INT8),
            (&kind.map(ReportKind::as_str), Type::TEXT),
            (&session.map(|id| uuid(id.as_bytes())), Type::UUID),
        ];
        let rows = self.db.get().await?.rows(LIST, params).await?;
        Ok(row::readable(&rows, |columns| crate::row::client_report(columns)))
    }

    async fn client_report_list_of(
        &self,
        session: Option<SessionId>,
        receipt: Option<ReceiptId>,
        limit: usize,
    ) -> Result<Vec<(ReportNumber, ClientReport)>> {
        let session = session.as_ref().map(|id| uuid(id.as_bytes()));
        let receipt = receipt.as_ref().map(ReceiptId::as_str);
        let params: super::connect::Params<'_> =
            &[(&session, Type::UUID), (&receipt, Type::TEXT), (&integer(limit), Type::INT8)];
        let rows = self.db.get().await?.rows(LIST_OF, params).await?;
        Ok(row::readable(&rows, |columns| crate::row::client_report(columns)))
    }

    async fn client_report_stats(&self, since: Timestamp) -> Result<ClientReportStats> {
        stats(&mut self.db.get().await?, since).await
    }

    async fn client_report_expire(&self, before: Timestamp, keep: u64, limit: usize) -> Result<u64> {
        self.write(async |conn| {
            let mut expired = 0;
            if alone(conn, "reports").await? {
                for (sql, bound) in [(EXPIRE_BY_TIME, before.as_ms()), (EXPIRE_BY_NUMBER, integer(keep))] {
                    let room = integer(limit).saturating_sub(integer(expired));
                    expired += conn.execute(sql, &[(&bound, Type::INT8), (&room, Type::INT8)]).await?;
                }
            }
            Ok(expired)
        })
        .await
    }
}

async fn insert(conn: &mut Conn, report: &ClientReport) -> Result<()> {
    let ClientReport { verified, claims, .. } = report;
    let session = |id: &SessionId| uuid(id.as_bytes());
    let user = |id: &UserId| uuid(id.as_bytes());
    conn.execute(
        INSERT,
        &[
            (&report.received_at.as_ms(), Type::INT8),
            (&report.address, Type::TEXT),
            (&report.user_agent, Type::TEXT),
            (&report.browser, Type::TEXT),
            (&verified.as_ref().map(|(id, _)| session(id)), Type::UUID),
            (&verified.as_ref().map(|(_, id)| user(id)), Type::UUID),
            (&claims.kind.as_str(), Type::TEXT),
            (&claims.kind_said, Type::TEXT),
            (&claims.at.map(Timestamp::as_ms), Type::INT8),
            (&claims.session.as_ref().map(session), Type::UUID),
            (&claims.reason, Type::TEXT),
            (&claims.receipt, Type::TEXT),
            (&claims.message, Type::TEXT),
            (&claims.location, Type::TEXT),
            (&claims.idle.as_ref().map(Duration::as_millis).map(integer), Type::INT8),
            (&claims.has_token, Type::BOOL),
            (&claims.has_refresh_token, Type::BOOL),
            (&claims.is_authenticated, Type::BOOL),
            (&claims.release, Type::TEXT),
            (&claims.client, Type::TEXT),
            (&evidence(&claims.evidence), Type::TEXT),
        ],
    )
    .await?;
    Ok(())
}

async fn stats(conn: &mut Conn, since: Timestamp) -> Result<ClientReportStats> {
    let total = "SELECT count(*) FROM client_report WHERE received_at >= $1";
    let total = conn.row(total, &[(&since.as_ms(), Type::INT8)]).await?;
    Ok(ClientReportStats {
        total: total.map_or(Ok(0), |row| Fields::of(&row).number("count"))?,
        by_kind: tally(conn, "kind", since).await?,
        by_reason: tally(conn, "reason", since).await?,
        by_idle: tally_idle(conn, since).await?,
        by_browser: tally(conn, "browser", since).await?,
        by_release: tally(conn, "release", since).await?,
    })
}

async fn tally(conn: &mut Conn, column: &'static str, since: Timestamp) -> Result<ReportTally> {
    // By bytes, whatever the database's language: the same order everywhere.
    let sql = format!(
        "SELECT {column}, count(*) FROM client_report WHERE received_at >= $1 \
         GROUP BY 1 ORDER BY 2 DESC, {column} COLLATE \"C\" NULLS FIRST LIMIT {REPORT_GROUPS_MAX}"
    );
    let rows = conn.rows(&sql, &[(&since.as_ms(), Type::INT8)]).await?;
    let group = |row| {
        let columns = &mut Fields::of(row);
        Ok((columns.text_or_null("client report")?, columns.number("count")?))
    };
    rows.iter().map(group).collect()
}

async fn tally_idle(conn: &mut Conn, since: Timestamp) -> Result<ReportTally> {
    let longest = integer(IdleBucket::LONG_MINUTES);
    let rows = conn.rows(IDLE, &[(&since.as_ms(), Type::INT8), (&longest, Type::INT8)]).await?;
    let minutes = rows.iter().map(|row| {
        let columns = &mut Fields::of(row);
        let minutes: Option<u64> = columns.number_or_null("client report")?;
        Ok((minutes.map(IdleBucket::of), columns.number::<u64>("count")?))
    });
    Ok(crate::client_report::tally_idle(&minutes.collect::<Result<Vec<_>>>()?))
}
