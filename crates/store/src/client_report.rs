//! Clients' reports of sign-outs: the part of the store that may lose something.

use std::time::Duration;

use async_trait::async_trait;
use tenure_domain::client_report::{IdleBucket, ReportKind};
use tenure_domain::id::{ReceiptId, SessionId, UserId};
use tenure_domain::suspect::Evidence;
use tenure_domain::time::Timestamp;

use crate::{ReportFilter, Result};

/// Groups that [`ClientReports::client_report_stats`] tells apart, by what clients may choose freely.
pub const REPORT_GROUPS_MAX: usize = 20;

/// The number of a report, in the order in which they were stored; none is given twice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct ReportNumber(pub u64);

/// A report as it is stored: what we know, and apart from it what the client claims. Texts are already cut
/// to size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientReport {
    pub received_at: Timestamp,
    pub address: String,
    pub user_agent: Option<String>,
    /// The User-Agent in words.
    pub browser: String,
    /// Whose access token came with the report, if an authentic one did.
    pub verified: Option<(SessionId, UserId)>,
    pub claims: ReportClaims,
}

/// What the client says. None of it is proof of anything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReportClaims {
    pub kind: ReportKind,
    /// What it said instead of a kind that we know.
    pub kind_said: Option<String>,
    /// By the client's clock, never after `received_at`.
    pub at: Option<Timestamp>,
    pub session: Option<SessionId>,
    pub reason: Option<String>,
    pub receipt: Option<String>,
    pub message: Option<String>,
    /// The path of the page.
    pub location: Option<String>,
    pub idle: Option<Duration>,
    pub has_token: Option<bool>,
    pub has_refresh_token: Option<bool>,
    pub is_authenticated: Option<bool>,
    /// The application's version.
    pub release: Option<String>,
    /// The SDK's version.
    pub client: Option<String>,
    pub evidence: Option<Evidence>,
}

/// How many reports there are of each group, the largest group first; none is what was not said. Groups
/// beyond [`REPORT_GROUPS_MAX`] are left out.
pub type ReportTally = Vec<(Option<String>, u64)>;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClientReportStats {
    pub total: u64,
    pub by_kind: ReportTally,
    pub by_reason: ReportTally,
    /// By `IdleBucket`, shortest first.
    pub by_idle: ReportTally,
    pub by_browser: ReportTally,
    pub by_release: ReportTally,
}

/// Clients' reports of sign-outs.
#[async_trait]
pub trait ClientReports: Send + Sync {
    /// Stores a report. It gives way to every other write: with half of the room for waiting writes taken it
    /// is refused (`Overloaded`), and whoever gets an error forgets the report.
    async fn client_report_add(&self, report: ClientReport) -> Result<()>;

    /// Reports with a number beyond `after`, in the order of their numbers, at most `limit`.
    async fn client_report_list(
        &self,
        filter: ReportFilter,
        after: ReportNumber,
        limit: usize,
    ) -> Result<Vec<(ReportNumber, ClientReport)>>;

    /// The reports of one session, at most `limit`: first those that came with a token of it, then those without any
    /// that name it, or no session but its receipt; the newest first. Without a session, all that name the receipt.
    async fn client_report_list_of(
        &self,
        session: Option<SessionId>,
        receipt: Option<ReceiptId>,
        limit: usize,
    ) -> Result<Vec<(ReportNumber, ClientReport)>>;

    /// Counts the reports received at `since` or later.
    async fn client_report_stats(&self, since: Timestamp) -> Result<ClientReportStats>;

    /// Deletes reports received before `before` and those that are not among the newest `keep`, oldest first
    /// and at most `limit`; returns how many.
    async fn client_report_expire(&self, before: Timestamp, keep: u64, limit: usize) -> Result<u64>;
}

/// Sums counts by bucket, shortest first, those that did not say last; empty ones are left out.
pub(crate) fn tally_idle(counts: &[(Option<IdleBucket>, u64)]) -> ReportTally {
    let buckets = IdleBucket::ALL.into_iter().map(Some).chain([None]);
    let count = |bucket| counts.iter().filter(|(of, _)| *of == bucket).map(|(_, count)| count).sum();
    let tally = buckets.map(|bucket| (bucket.map(|bucket| bucket.as_str().to_owned()), count(bucket)));
    tally.filter(|(_, count)| *count > 0).collect()
}
