//! Clients' reports of sign-outs.

use std::time::Duration;

use async_trait::async_trait;
use rusqlite::{Connection, named_params, params};
use tenure_domain::client_report::{IdleBucket, ReportKind};
use tenure_domain::id::{ReceiptId, SessionId};
use tenure_domain::time::Timestamp;

use super::{SqliteStore, row};
use crate::row::Columns as _;
use crate::{
    ClientReport, ClientReportStats, ClientReports, REPORT_GROUPS_MAX, ReportFilter, ReportNumber,
    ReportTally, Result,
};

const INSERT: &str = "INSERT INTO client_report (received_at, address, user_agent, browser, \
     verified_session, verified_user, kind, kind_said, claimed_at, claimed_session, reason, receipt, message, \
     location, idle_ms, has_token, has_refresh_token, is_authenticated, release, client, evidence) \
     VALUES (:received_at, :address, :user_agent, :browser, \
     :verified_session, :verified_user, :kind, :kind_said, :claimed_at, :claimed_session, :reason, :receipt, \
     :message, :location, :idle_ms, :has_token, :has_refresh_token, :is_authenticated, :release, :client, \
     :evidence)";

const LIST: &str = "SELECT id, received_at, address, user_agent, browser, \
     verified_session, verified_user, kind, kind_said, claimed_at, claimed_session, reason, receipt, message, \
     location, idle_ms, has_token, has_refresh_token, is_authenticated, release, client, evidence \
     FROM client_report WHERE received_at >= ?1 AND id > ?2 AND (?4 IS NULL OR kind = ?4) \
     AND (?5 IS NULL OR verified_session = ?5 OR claimed_session = ?5) ORDER BY id LIMIT ?3";

const LIST_OF: &str = "SELECT id, received_at, address, user_agent, browser, \
     verified_session, verified_user, kind, kind_said, claimed_at, claimed_session, reason, receipt, message, \
     location, idle_ms, has_token, has_refresh_token, is_authenticated, release, client, evidence \
     FROM client_report WHERE verified_session = ?1 \
     OR (claimed_session = ?1 AND verified_session IS NULL) \
     OR (receipt = ?2 AND (?1 IS NULL OR (claimed_session IS NULL AND verified_session IS NULL))) \
     ORDER BY verified_session IS NULL, id DESC LIMIT ?3";

/// The minutes of idle time, of which those in the last bucket are all alike.
const IDLE: &str = "SELECT min(idle_ms / 60000, ?2), count(*) FROM client_report \
     WHERE received_at >= ?1 GROUP BY 1";

/// Each finds its rows by an index of its own, so that nothing is searched when there is nothing to do.
const EXPIRE_BY_TIME: &str = "DELETE FROM client_report WHERE id IN \
     (SELECT id FROM client_report WHERE received_at < ?1 ORDER BY received_at LIMIT ?2)";
const EXPIRE_BY_NUMBER: &str = "DELETE FROM client_report WHERE id IN \
     (SELECT id FROM client_report WHERE id <= (SELECT max(id) FROM client_report) - ?1 ORDER BY id LIMIT ?2)";

#[async_trait]
impl ClientReports for SqliteStore {
    async fn client_report_add(&self, report: ClientReport) -> Result<()> {
        self.writer.write_expendable(move |tx| insert(tx.conn, &report)).await
    }

    async fn client_report_list(
        &self,
        filter: ReportFilter,
        after: ReportNumber,
        limit: usize,
    ) -> Result<Vec<(ReportNumber, ClientReport)>> {
        self.readers
            .read(move |conn| {
                let ReportFilter { since, kind, session } = filter;
                let (after, limit) = (row::integer(after.0), row::integer(limit));
                let (kind, session) =
                    (kind.map(ReportKind::as_str), session.as_ref().map(|id| id.as_bytes()));
                let params = params![since.as_ms(), after, limit, kind, session];
                row::readable(conn, LIST, params, |columns| row::client_report(columns))
            })
            .await
    }

    async fn client_report_list_of(
        &self,
        session: Option<SessionId>,
        receipt: Option<ReceiptId>,
        limit: usize,
    ) -> Result<Vec<(ReportNumber, ClientReport)>> {
        self.readers
            .read(move |conn| {
                let receipt = receipt.as_ref().map(ReceiptId::as_str);
                let session = session.as_ref().map(SessionId::as_bytes);
                let params = params![session, receipt, row::integer(limit)];
                row::readable(conn, LIST_OF, params, |columns| row::client_report(columns))
            })
            .await
    }

    async fn client_report_stats(&self, since: Timestamp) -> Result<ClientReportStats> {
        self.readers.read(move |conn| stats(conn, since)).await
    }

    async fn client_report_expire(&self, before: Timestamp, keep: u64, limit: usize) -> Result<u64> {
        self.writer
            .write_composed(move |tx| {
                let delete = |sql: &str, bound: i64, limit: usize| -> Result<usize> {
                    Ok(tx.conn.prepare_cached(sql)?.execute(params![bound, row::integer(limit)])?)
                };
                let old = delete(EXPIRE_BY_TIME, before.as_ms(), limit)?;
                let many = delete(EXPIRE_BY_NUMBER, row::integer(keep), limit.saturating_sub(old))?;
                Ok((old + many) as u64)
            })
            .await
    }
}

fn insert(conn: &Connection, report: &ClientReport) -> Result<()> {
    let ClientReport { verified, claims, .. } = report;
    let idle_ms = claims.idle.as_ref().map(Duration::as_millis).map(row::integer);
    conn.prepare_cached(INSERT)?.execute(named_params! {
        ":received_at": report.received_at.as_ms(),
        ":address": report.address,
        ":user_agent": report.user_agent,
        ":browser": report.browser,
        ":verified_session": verified.as_ref().map(|(session, _)| session.as_bytes()),
        ":verified_user": verified.as_ref().map(|(_, user)| user.as_bytes()),
        ":kind": claims.kind.as_str(),
        ":kind_said": claims.kind_said,
        ":claimed_at": claims.at.map(Timestamp::as_ms),
        ":claimed_session": claims.session.as_ref().map(|session| session.as_bytes()),
        ":reason": claims.reason,
        ":receipt": claims.receipt,
        ":message": claims.message,
        ":location": claims.location,
        ":idle_ms": idle_ms,
        ":has_token": claims.has_token,
        ":has_refresh_token": claims.has_refresh_token,
        ":is_authenticated": claims.is_authenticated,
        ":release": claims.release,
        ":client": claims.client,
        ":evidence": row::evidence(&claims.evidence),
    })?;
    Ok(())
}

fn stats(conn: &Connection, since: Timestamp) -> Result<ClientReportStats> {
    let total = "SELECT count(*) FROM client_report WHERE received_at >= ?1";
    let total = row::one(conn, total, [since.as_ms()], |columns| columns.number("count"))?;
    let by = |column| tally(conn, column, since);
    Ok(ClientReportStats {
        total: total.unwrap_or(0),
        by_kind: by("kind")?,
        by_reason: by("reason")?,
        by_idle: tally_idle(conn, since)?,
        by_browser: by("browser")?,
        by_release: by("release")?,
    })
}

fn tally(conn: &Connection, column: &'static str, since: Timestamp) -> Result<ReportTally> {
    let sql = format!(
        "SELECT {column}, count(*) FROM client_report WHERE received_at >= ?1 \
         GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT {REPORT_GROUPS_MAX}"
    );
    row::all(conn, &sql, [since.as_ms()], |columns| {
        Ok((columns.text_or_null("client report")?, columns.number("count")?))
    })
}

fn tally_idle(conn: &Connection, since: Timestamp) -> Result<ReportTally> {
    let params = [since.as_ms(), row::integer(IdleBucket::LONG_MINUTES)];
    let minutes = row::all(conn, IDLE, params, |columns| {
        let minutes: Option<u64> = columns.number_or_null("client report")?;
        Ok((minutes.map(IdleBucket::of), columns.number::<u64>("count")?))
    })?;
    Ok(crate::client_report::tally_idle(&minutes))
}
