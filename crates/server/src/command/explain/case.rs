//! One session with everything that bears on it, and the verdict.

use tenure_domain::explain::{Reported, Sighting, Verdict, sighting, verdict};
use tenure_domain::id::SessionId;
use tenure_domain::time::Timestamp;
use tenure_store::{
    ACTS_LISTED_MAX, Act, ClientReport, ReportNumber, SessionRecord, Store, StoreError, StoredKey, Subject,
    User,
};

use super::until;

/// Reports read at once.
const PAGE: usize = 500;

/// Reports of one session that are told: anybody may claim any number of them.
const REPORTS_TOLD_MAX: usize = 50;

pub struct Case {
    pub record: SessionRecord,
    /// None: they were deleted.
    pub user: Option<User>,
    /// In the order in which they were seen, with what each is about.
    pub reports: Vec<Report>,
    /// Those that are left out.
    pub reports_untold: usize,
    /// On the user and their account while the session lasted, oldest first.
    pub acts: Vec<Act>,
    pub keys: Vec<StoredKey>,
    pub verdict: Verdict,
    /// When it was asked.
    pub now: Timestamp,
}

pub struct Report {
    pub number: ReportNumber,
    pub report: ClientReport,
    pub sighting: Sighting,
}

impl Case {
    /// One of each session; all are of one user, or ended with one receipt.
    pub async fn gather(
        store: &dyn Store,
        records: Vec<SessionRecord>,
        now: Timestamp,
    ) -> Result<Vec<Case>, StoreError> {
        let begun = records.iter().map(|record| record.session.created_at).min().unwrap_or(now);
        let ids: Vec<_> = records.iter().map(|record| record.session.id).collect();
        let names_one = move |report: &ClientReport| ids.iter().any(|id| names(report, *id));
        let reports = reports_since(store, begun, names_one).await?;
        let mut cases = Vec::with_capacity(records.len());
        for record in records {
            let id = record.session.id;
            let of_it = reports.iter().filter(|(_, report)| names(report, id)).cloned().collect();
            cases.push(Case::of(store, record, of_it, now).await?);
        }
        Ok(cases)
    }

    async fn of(
        store: &dyn Store,
        record: SessionRecord,
        mut reports: Vec<(ReportNumber, ClientReport)>,
        now: Timestamp,
    ) -> Result<Case, StoreError> {
        let session = &record.session;
        reports.sort_by_key(|(number, report)| (is_verified(report, session.id), seen_at(report), *number));
        let reports_untold = reports.len().saturating_sub(REPORTS_TOLD_MAX);
        reports.drain(..reports_untold);
        reports.sort_by_key(|(number, report)| (seen_at(report), *number));
        let reported: Vec<_> = reports.iter().map(|(_, report)| reported(report, session.id)).collect();
        let verdict = verdict(session, record.last_used_at, &reported, now);
        let sightings: Vec<_> = reported.iter().map(|report| sighting(session, report)).collect();
        let reports = reports.into_iter().zip(sightings);
        let reports =
            reports.map(|((number, report), sighting)| Report { number, report, sighting }).collect();
        let user = store.user_find(session.user_id).await?;
        let mut acts = store.act_list(Some(Subject::User(session.user_id)), ACTS_LISTED_MAX).await?;
        if let Some(account) = user.as_ref().and_then(|user| user.account_id) {
            acts.extend(store.act_list(Some(Subject::Account(account)), ACTS_LISTED_MAX).await?);
        }
        acts.sort_by_key(|act| (act.at, act.id));
        let mut case = Case {
            user,
            reports,
            reports_untold,
            acts: Vec::new(),
            keys: store.key_list().await?,
            verdict,
            now,
            record,
        };
        acts.retain(|act| case.lasted_at(act.at));
        case.acts = acts;
        Ok(case)
    }

    /// Whether the session had begun and was not over.
    pub fn lasted_at(&self, at: Timestamp) -> bool {
        (self.record.session.created_at..=until(&self.record, self.now)).contains(&at)
    }

    /// Whether it ended, or a browser said so.
    pub fn is_worth_telling(&self) -> bool {
        self.verdict.cause != tenure_domain::explain::Cause::Alive
    }

    /// The report that the verdict rests on.
    pub fn report(&self) -> Option<&Report> {
        self.verdict.report.and_then(|index| self.reports.get(index))
    }

    pub fn is_verified(&self, report: &ClientReport) -> bool {
        is_verified(report, self.record.session.id)
    }
}

/// Whether a report is of this session: the token that came with it says so, or without one the client does.
pub fn names(report: &ClientReport, id: SessionId) -> bool {
    match report.verified {
        Some((session, _)) => session == id,
        None => report.claims.session == Some(id),
    }
}

fn is_verified(report: &ClientReport, id: SessionId) -> bool {
    report.verified.is_some_and(|(session, _)| session == id)
}

/// When it was seen, as far as the browser says so.
pub fn seen_at(report: &ClientReport) -> Timestamp {
    report.claims.at.unwrap_or(report.received_at)
}

fn reported(report: &ClientReport, id: SessionId) -> Reported<'_> {
    Reported {
        kind: report.claims.kind,
        reason: report.claims.reason.as_deref(),
        receipt: report.claims.receipt.as_deref(),
        at: seen_at(report),
        is_verified: is_verified(report, id),
    }
}

/// The reports that were received at `since` or later and are `wanted`, in the order of their arrival.
pub async fn reports_since(
    store: &dyn Store,
    since: Timestamp,
    wanted: impl Fn(&ClientReport) -> bool,
) -> Result<Vec<(ReportNumber, ClientReport)>, StoreError> {
    let (mut found, mut seen) = (Vec::new(), ReportNumber::default());
    loop {
        let page = store.client_report_list(since, seen, PAGE).await?;
        // Not by its length: a report that cannot be read is left out of its page.
        let Some((last, _)) = page.last() else { return Ok(found) };
        seen = *last;
        found.extend(page.into_iter().filter(|(_, report)| wanted(report)));
    }
}
