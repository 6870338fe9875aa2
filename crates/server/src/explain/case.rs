//! One session with everything that bears on it, and the verdict.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::time::Duration;

use tenure_domain::ends::EndReason;
use tenure_domain::event::{Event, EventKind, Occurrence};
use tenure_domain::explain::{Cause, Reported, Sighting, Verdict, sighting, verdict};
use tenure_domain::id::UserId;
use tenure_domain::rhythm::Rhythm;
use tenure_domain::session::Session;
use tenure_domain::suspect::{Suspect, Traces, suspect, suspect_of_wish};
use tenure_domain::time::Timestamp;
use tenure_store::{
    ACTS_LISTED_MAX, Act, ClientReport, EventFilter, ReportNumber, SessionRecord, Store, StoreError,
    StoredKey, Subject, User,
};

/// Reports of one session that are looked at.
const REPORTS_READ_MAX: usize = 500;

/// Events are looked at for so long after the session's end: what a browser that was told does next.
const EVENTS_AFTER: Duration = Duration::from_secs(60);

/// Events of one sort that are looked at, and of those that are told, the newest.
const EVENTS_READ_MAX: usize = 500;
const EVENTS_TOLD_MAX: usize = 100;

/// What is not done in vain: it needs a password, a session or an administrator.
const DEEDS: &[EventKind] = &[EventKind::Exchanged, EventKind::Rewound, EventKind::SessionEnded];
const PASSWORDS: &[EventKind] = &[EventKind::PasswordChanged, EventKind::PasswordReset];

/// The sorts of events that tell something of a session, of its user and of the servers. Each is asked for by itself:
/// anybody may try to sign in as somebody as often as they like, and is to push nothing else out of sight.
const OF_SESSION: [&[EventKind]; 3] =
    [DEEDS, &[EventKind::RefreshRefused, EventKind::DeadToken], &[EventKind::EntitlementBlocked]];
/// Of other sessions of theirs nothing is told, so that deeds, which are of one each, are not asked for.
const OF_USER: [&[EventKind]; 3] =
    [PASSWORDS, &[EventKind::ExchangeRefused], &[EventKind::SignInFailed, EventKind::SignInThrottled]];
const OF_SERVERS: &[EventKind] = &[EventKind::ServerStarted, EventKind::ServerStopped];

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
    pub events_untold: Vec<Untold>,
    pub verdict: Verdict,
    /// When it was refreshed lately, and when it was not.
    pub rhythm: Rhythm,
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

/// Events of a sort that were too many.
pub struct Untold {
    /// The oldest that is told.
    pub before: Timestamp,
    pub count: usize,
    /// There may be more.
    pub is_least: bool,
    pub sort: &'static [EventKind],
}

/// A user, if they are there yet, and what was done to them and their account, oldest first.
type Person = (Option<User>, Vec<Act>);

impl Case {
    /// One of each session. `access_lifetime` is how long access tokens last, and so how often a page refreshes.
    pub async fn gather(
        store: &dyn Store,
        records: Vec<SessionRecord>,
        access_lifetime: Duration,
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
            (case.events, case.events_untold) = events;
            case.rhythm = rhythm(&case.record, access_lifetime, now);
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
        let (acts_told, events, rhythm) = (vec![], vec![], Rhythm::default());
        let mut case = Case {
            user,
            reports,
            reports_untold,
            acts: acts_told,
            keys,
            events,
            events_untold: vec![],
            verdict,
            rhythm,
            now,
            record,
        };
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
        let traces = traces(&self.report()?.report);
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

fn rhythm(record: &SessionRecord, access_lifetime: Duration, now: Timestamp) -> Rhythm {
    // Until one is forgotten, or was made by a version that kept none, the first comes after the sign-in.
    let are_all = record.refreshes.len() as u64 >= record.refresh_count;
    let since = are_all.then_some(record.session.created_at);
    Rhythm::of(&record.refreshes, since, until(record, now), access_lifetime)
}

/// Every kind of event that is looked at.
#[cfg(test)]
pub fn asked_for() -> impl Iterator<Item = EventKind> {
    OF_SESSION.into_iter().chain(OF_USER).chain([OF_SERVERS]).flatten().copied()
}

/// What is on record of a session, of its user, and of the servers while it lasted; oldest first, each once, and beside it
/// what was too much.
async fn events_of(
    store: &dyn Store,
    record: &SessionRecord,
    now: Timestamp,
) -> Result<(Vec<Event>, Vec<Untold>), StoreError> {
    let session = &record.session;
    let of_session = EventFilter { session: Some(session.id), ..EventFilter::default() };
    let lasted = EventFilter {
        since: Some(session.created_at),
        until: Some(until(record, now) + EVENTS_AFTER),
        ..EventFilter::default()
    };
    let of_user = EventFilter { user: Some(session.user_id), ..lasted.clone() };
    let asked = OF_SESSION.map(|among| EventFilter { among, ..of_session.clone() }).into_iter();
    let asked = asked.chain(OF_USER.map(|among| EventFilter { among, ..of_user.clone() }));
    let asked = asked.chain([EventFilter { among: OF_SERVERS, ..lasted }]);
    let (mut events, mut untold) = (BTreeMap::new(), vec![]);
    for filter in asked {
        let sort = filter.among;
        let mut found = store.event_list(filter, EVENTS_READ_MAX).await?;
        let is_least = found.len() == EVENTS_READ_MAX;
        // What the user did in other sessions is of those.
        found.retain(|event| event.what.session.is_none_or(|id| id == session.id));
        let count = found.len().saturating_sub(EVENTS_TOLD_MAX);
        found.truncate(EVENTS_TOLD_MAX);
        if let Some(oldest) = found.last().filter(|_| count > 0) {
            untold.push(Untold { before: oldest.what.at, count, is_least, sort });
        }
        events.extend(found.into_iter().map(|event| ((event.what.at, event.id), event)));
    }
    Ok((events.into_values().collect(), untold))
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

pub fn traces(report: &ClientReport) -> Traces<'_> {
    let claims = &report.claims;
    Traces {
        kind: claims.kind,
        idle: claims.idle,
        is_of_sdk: claims.client.is_some(),
        evidence: claims.evidence.as_ref(),
    }
}

/// When a session was over; now, if it is not.
pub fn until(record: &SessionRecord, now: Timestamp) -> Timestamp {
    record.session.ended.as_ref().map_or(now, |end| end.at).min(record.session.expires_at).min(now)
}
