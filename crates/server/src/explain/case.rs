//! One session with everything that bears on it, and the verdict.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::time::Duration;

use tenure_domain::ends::EndReason;
use tenure_domain::event::{Event, EventKind, Occurrence};
use tenure_domain::explain::{Cause, Reported, Sighting, Verdict, sighting, verdict};
use tenure_domain::id::UserId;
use tenure_domain::session::Session;
use tenure_domain::suspect::{Suspect, Traces, suspect, suspect_of_wish};
use tenure_domain::time::Timestamp;
use tenure_store::{
    ACTS_LISTED_MAX, Act, ClientReport, EventFilter, ReportNumber, SessionRecord, Store, StoreError,
    StoredKey, Subject, User,
};

/// Reports of one session that are looked at.
const REPORTS_READ_MAX: usize = 500;

/// Events of each sort that are looked at, and how long after the session's end: what a browser that was told does next.
const EVENTS_READ_MAX: usize = 200;
const EVENTS_AFTER: Duration = Duration::from_secs(60);

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
    /// What else is on record of the session, its user and the servers while it lasted, oldest first.
    pub events: Vec<Event>,
    pub verdict: Verdict,
    /// When it was asked.
    pub now: Timestamp,
}

pub struct Report {
    pub number: ReportNumber,
    pub report: ClientReport,
    /// By the browser's clock, where that can be.
    pub seen_at: Timestamp,
    pub sighting: Sighting,
}

/// A user, if they are there yet, and what was done to them and their account, oldest first.
type Person = (Option<User>, Vec<Act>);

impl Case {
    /// One of each session.
    pub async fn gather(
        store: &dyn Store,
        records: Vec<SessionRecord>,
        now: Timestamp,
    ) -> Result<Vec<Case>, StoreError> {
        let keys = store.key_list().await?;
        let mut people = BTreeMap::new();
        for id in records.iter().map(|record| record.session.user_id) {
            if let Entry::Vacant(place) = people.entry(id) {
                place.insert(person(store, id).await?);
            }
        }
        let mut cases = Vec::with_capacity(records.len());
        for record in records {
            let receipt = record.session.ended.as_ref().map(|end| end.receipt.clone());
            let reports =
                store.client_report_list_of(Some(record.session.id), receipt, REPORTS_READ_MAX).await?;
            let person = people.get(&record.session.user_id).cloned().unwrap_or_default();
            let events = events_of(store, &record, now).await?;
            let mut case = Case::of(record, reports, person, keys.clone(), now);
            case.events = events;
            cases.push(case);
        }
        Ok(cases)
    }

    fn of(
        record: SessionRecord,
        mut reports: Vec<(ReportNumber, ClientReport)>,
        (user, acts): Person,
        keys: Vec<StoredKey>,
        now: Timestamp,
    ) -> Case {
        let session = &record.session;
        reports.sort_by_key(|(number, report)| (is_verified(report), seen_at(report, session), *number));
        let reports_untold = reports.len().saturating_sub(REPORTS_TOLD_MAX);
        reports.drain(..reports_untold);
        reports.sort_by_key(|(number, report)| (seen_at(report, session), *number));
        let reported: Vec<_> = reports.iter().map(|(_, report)| reported(report, session)).collect();
        let verdict = verdict(session, record.last_used_at, &reported, now);
        let sightings: Vec<_> = reported.iter().map(|report| sighting(session, report)).collect();
        let told = reports.into_iter().zip(sightings);
        let told = told.map(|((number, report), sighting)| {
            let seen_at = seen_at(&report, session);
            Report { number, report, seen_at, sighting }
        });
        let reports = told.collect();
        let mut case =
            Case { user, reports, reports_untold, acts: vec![], keys, events: vec![], verdict, now, record };
        case.acts = acts.into_iter().filter(|act| case.lasted_at(act.at)).collect();
        case
    }

    /// Whether the session had begun and was not over.
    pub fn lasted_at(&self, at: Timestamp) -> bool {
        (self.record.session.created_at..=until(&self.record, self.now)).contains(&at)
    }

    /// Whether it ended, or a browser said so.
    pub fn is_worth_telling(&self) -> bool {
        self.verdict.cause != Cause::Alive
    }

    /// The moment that the verdict is about.
    pub fn moment(&self) -> Timestamp {
        match self.verdict.cause {
            Cause::Alive => self.now,
            Cause::Ended | Cause::EndReported | Cause::TimeOver => until(&self.record, self.now),
            _ => self.report().map_or(self.now, |report| report.seen_at),
        }
    }

    /// How the end was put on record, with where it came from and how the session stood.
    pub fn end_event(&self) -> Option<&Occurrence> {
        let ends = self.events.iter().map(|event| &event.what);
        ends.rev().find(|what| what.kind == EventKind::SessionEnded)
    }

    /// The mistake of the front end that the report bears the marks of: where nothing had ended, and where the server was
    /// told that the person signed out, for which nobody need have been there.
    pub fn suspect(&self) -> Option<Suspect<'_>> {
        let Report { report, .. } = self.report()?;
        let claims = &report.claims;
        let traces = Traces {
            kind: claims.kind,
            idle: claims.idle,
            is_of_sdk: claims.client.is_some(),
            evidence: claims.evidence.as_ref(),
        };
        let ended = self.record.session.ended.as_ref().map(|end| end.reason);
        match self.verdict.cause {
            Cause::Unexplained(_) => suspect(&traces),
            Cause::EndReported if ended == Some(EndReason::SignedOut) => suspect_of_wish(&traces),
            Cause::SignOutUndelivered => suspect_of_wish(&traces),
            _ => None,
        }
    }

    /// The report that the verdict rests on.
    pub fn report(&self) -> Option<&Report> {
        self.verdict.report.and_then(|index| self.reports.get(index))
    }
}

/// What is on record of a session, of its user, and of the servers while it lasted; oldest first, each once.
async fn events_of(
    store: &dyn Store,
    record: &SessionRecord,
    now: Timestamp,
) -> Result<Vec<Event>, StoreError> {
    let session = &record.session;
    let lasted = EventFilter {
        since: Some(session.created_at),
        until: Some(until(record, now) + EVENTS_AFTER),
        ..EventFilter::default()
    };
    let of_kind = |kind| EventFilter { kind: Some(kind), ..lasted.clone() };
    let asked = [
        EventFilter { session: Some(session.id), ..EventFilter::default() },
        EventFilter { user: Some(session.user_id), ..lasted.clone() },
        of_kind(EventKind::ServerStarted),
        of_kind(EventKind::ServerStopped),
    ];
    let mut events = BTreeMap::new();
    for filter in asked {
        let found = store.event_list(filter, EVENTS_READ_MAX).await?;
        // What the user did in other sessions is of those.
        let found = found.into_iter().filter(|event| event.what.session.is_none_or(|id| id == session.id));
        events.extend(found.map(|event| ((event.what.at, event.id), event)));
    }
    Ok(events.into_values().collect())
}

impl Report {
    /// Whether an authentic access token of the session came with it.
    pub fn is_verified(&self) -> bool {
        is_verified(&self.report)
    }
}

async fn person(store: &dyn Store, id: UserId) -> Result<Person, StoreError> {
    let user = store.user_find(id).await?;
    let mut acts = store.act_list(Some(Subject::User(id)), ACTS_LISTED_MAX).await?;
    if let Some(account) = user.as_ref().and_then(|user| user.account_id) {
        acts.extend(store.act_list(Some(Subject::Account(account)), ACTS_LISTED_MAX).await?);
    }
    acts.sort_by_key(|act| (act.at, act.id));
    Ok((user, acts))
}

fn is_verified(report: &ClientReport) -> bool {
    report.verified.is_some()
}

/// When it was seen, as far as the browser says so. One that says "before the sign-in" has a wrong clock.
fn seen_at(report: &ClientReport, session: &Session) -> Timestamp {
    report.claims.at.filter(|at| *at >= session.created_at).unwrap_or(report.received_at)
}

pub fn reported<'a>(report: &'a ClientReport, session: &Session) -> Reported<'a> {
    Reported {
        kind: report.claims.kind,
        reason: report.claims.reason.as_deref(),
        receipt: report.claims.receipt.as_deref(),
        at: seen_at(report, session),
        received_at: report.received_at,
        is_verified: is_verified(report),
    }
}

/// When a session was over; now, if it is not.
pub fn until(record: &SessionRecord, now: Timestamp) -> Timestamp {
    record.session.ended.as_ref().map_or(now, |end| end.at).min(record.session.expires_at).min(now)
}
