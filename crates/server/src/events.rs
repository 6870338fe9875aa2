//! The record of what happened, as far as this process keeps it: what is not part of a change waits here for a moment,
//! is written in batches, and gives way to everything else; and every event gets its seal.
//!
//! Strangers can make most of these happen as often as they like. So what is alike is one event with a count, and
//! beyond a measure they are counted and forgotten.

pub mod export;

use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tenure_domain::ends::EndReason;
use tenure_domain::event::{EventKind, Link, Occurrence, Whence};
use tenure_domain::id::{SessionId, UserId};
use tenure_domain::problem::Code;
use tenure_domain::secret::AuditKey;
use tenure_domain::time::Timestamp;
use tenure_store::StoreError;

use crate::App;
use crate::http::arrival::Arrival;
use crate::http::problem::Problem;

/// Between two writings.
pub const TURN: Duration = Duration::from_secs(1);

/// Different events of each sort that may wait at once.
const WAITING_MAX: usize = 1_000;

/// How many may be written at once, and how many a second in the long run: two million a month.
const BURST: f64 = 500.0;
const PER_SECOND: f64 = 0.8;

/// Events sealed in one step.
const SEALED_AT_ONCE: usize = 500;

/// What makes two occurrences alike.
#[derive(PartialEq, Eq, Hash)]
struct Alike {
    kind: EventKind,
    user: Option<UserId>,
    session: Option<SessionId>,
    subject: Option<String>,
    address: Option<String>,
    cause: Option<String>,
}

pub struct Events {
    key: AuditKey,
    waiting: Mutex<Waiting>,
}

#[derive(Default)]
struct Waiting {
    /// What strangers can make happen at will, and apart from it what they cannot.
    common: Sort,
    telling: Sort,
    since: Option<Timestamp>,
    /// Sessions of which an unexplained end was counted lately.
    unexplained: VecDeque<SessionId>,
    /// Where the chain ended when it was last told to the log.
    told: Option<Link>,
}

/// Events that share one allowance.
struct Sort {
    events: HashMap<Alike, Occurrence>,
    allowance: f64,
}

impl Default for Sort {
    fn default() -> Self {
        Self { events: HashMap::new(), allowance: BURST }
    }
}

impl Sort {
    /// What of it may be written now, and how many must be forgotten.
    fn take(&mut self, passed: Duration) -> (Vec<Occurrence>, usize) {
        self.allowance = (self.allowance + passed.as_secs_f64() * PER_SECOND).min(BURST);
        let mut events: Vec<_> = self.events.drain().map(|(_, what)| what).collect();
        events.sort_by_key(|what| what.at);
        // What the allowance does not cover is the newest of it: how something began tells most.
        let allowed = events.len().min(self.allowance as usize);
        let forgotten = events.len() - allowed;
        events.truncate(allowed);
        self.allowance -= allowed as f64;
        (events, forgotten)
    }
}

/// Whether anybody can make it happen as often as they like.
fn is_common(kind: EventKind) -> bool {
    matches!(
        kind,
        EventKind::SignInFailed
            | EventKind::SignInThrottled
            | EventKind::RefreshRefused
            | EventKind::EntitlementBlocked
            | EventKind::ClientReport
            | EventKind::UnexplainedEnd
    )
}

impl Events {
    pub fn new(key: AuditKey) -> Self {
        Self { key, waiting: Mutex::default() }
    }

    /// Whether an unexplained end of this session is news. Browsers say it again, from every tab.
    pub fn is_first_of(&self, session: SessionId) -> bool {
        let unexplained = &mut self.waiting().unexplained;
        if unexplained.contains(&session) {
            return false;
        }
        if unexplained.len() >= WAITING_MAX {
            unexplained.pop_front();
        }
        unexplained.push_back(session);
        true
    }

    /// Notes what happened. False if there is no more room, and it is forgotten.
    fn note(&self, what: Occurrence) -> bool {
        let alike = Alike {
            kind: what.kind,
            user: what.user,
            session: what.session,
            subject: what.subject.clone(),
            address: what.whence.address.clone(),
            cause: what.cause.clone(),
        };
        let mut waiting = self.waiting();
        let sort = if is_common(what.kind) { &mut waiting.common } else { &mut waiting.telling };
        let is_full = sort.events.len() >= WAITING_MAX;
        match sort.events.entry(alike) {
            Entry::Occupied(mut same) => {
                let same = same.get_mut();
                same.count = same.count.saturating_add(what.count);
            }
            Entry::Vacant(_) if is_full => return false,
            Entry::Vacant(place) => drop(place.insert(what)),
        }
        true
    }

    /// What may be written now, and how many must be forgotten.
    fn take(&self, now: Timestamp) -> (Vec<Occurrence>, usize) {
        let mut waiting = self.waiting();
        let passed = waiting.since.map_or(Duration::ZERO, |since| now.since(since));
        waiting.since = Some(now);
        let (mut events, forgotten) = waiting.telling.take(passed);
        let (common, more_forgotten) = waiting.common.take(passed);
        events.extend(common);
        (events, forgotten + more_forgotten)
    }

    fn waiting(&self) -> std::sync::MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl App {
    /// Notes what happened, to be written down in a moment.
    pub fn note(&self, what: Occurrence) {
        if !self.events.note(what) {
            self.metrics.events_dropped.inc();
        }
    }

    /// Notes what happened to whoever sent a request, as far as it is known who that is.
    pub fn note_of(&self, arrival: &Arrival, kind: EventKind, cause: &'static str) {
        self.note(Occurrence {
            user: arrival.user(),
            session: arrival.session(),
            whence: arrival.whence(),
            cause: Some(cause.to_owned()),
            ..Occurrence::new(kind, arrival.now)
        });
    }

    /// Notes a refresh that was not served. That nobody was signed in is no event.
    pub fn note_refusal(&self, arrival: &Arrival, problem: &Problem) {
        let kind = match problem.code {
            Code::NoSession => return,
            Code::RefreshSuperseded | Code::SessionSuperseded => EventKind::DeadToken,
            _ => EventKind::RefreshRefused,
        };
        // Whoever is deleted is not to leave anything more of where they are.
        let is_deleted = matches!(problem.end, Some((EndReason::UserDeleted, _)));
        self.note(Occurrence {
            session: problem.session,
            subject: problem.end.as_ref().map(|(_, receipt)| receipt.to_string()),
            whence: if is_deleted { Whence::default() } else { arrival.whence() },
            cause: Some(problem.code.as_str().to_owned()),
            ..Occurrence::new(kind, arrival.now)
        });
    }

    /// Notes that this server has begun or ended: a deployment, or a crash where only the beginnings are.
    pub fn note_server(&self, kind: EventKind) {
        let version = env!("CARGO_PKG_VERSION");
        let what =
            Occurrence { subject: Some(version.to_owned()), ..Occurrence::new(kind, self.clock.now()) };
        self.note(what);
    }

    /// Writes down what waits, and seals what is written. What cannot be written is forgotten.
    pub async fn write_events(&self) -> Result<(), StoreError> {
        let (events, forgotten) = self.events.take(self.clock.now());
        self.metrics.events_dropped.inc_by(forgotten as u64);
        let count = events.len();
        let added = if count > 0 { self.store.event_add(events).await } else { Ok(()) };
        if added.is_err() {
            self.metrics.events_dropped.inc_by(count as u64);
        }
        // What others have written is sealed whatever became of ours.
        self.seal_events().await.and(added)
    }

    async fn seal_events(&self) -> Result<(), StoreError> {
        loop {
            // First where the chain ends: what another node seals meanwhile makes our seals void.
            let after = self.store.event_end().await?;
            let waiting = self.store.event_unsealed(SEALED_AT_ONCE).await?;
            if waiting.is_empty() {
                return Ok(());
            }
            let mut at = after;
            let seals: Vec<_> = waiting
                .iter()
                .map(|event| {
                    let seal = self.events.key.seal(event, at);
                    at = seal.link;
                    (event.id, seal)
                })
                .collect();
            let is_last = waiting.len() < SEALED_AT_ONCE;
            // False: another node is at it.
            if !self.store.event_seal(after, seals).await? || is_last {
                return Ok(());
            }
        }
    }

    /// Deletes the oldest events, and seals what it writes down of that, so that the chain is never without its beginning.
    pub async fn prune_events(&self, before: Timestamp, step: usize) -> Result<(), StoreError> {
        let now = self.clock.now();
        while let Some(upto) = self.store.event_prunable(before, now, step).await? {
            let pruning = Occurrence::new(EventKind::EventsPruned, now);
            let pruning = pruning.with_detail(&self.events.key.pruning(upto));
            if self.store.event_prune(upto.number, pruning).await? == 0 {
                return Ok(());
            }
            self.seal_events().await?;
        }
        Ok(())
    }

    /// Tells the log where the chain of events ends, if it has grown: a place that whoever writes to the database
    /// alone does not reach, for `tenure audit verify --noted`.
    pub async fn tell_chain(&self) -> Result<(), StoreError> {
        let link = self.store.event_end().await?;
        if link != Link::default() && self.events.waiting().told.replace(link) != Some(link) {
            tracing::info!(noted = %link, "where the chain of events ends");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use tenure_domain::event::Whence;
    use tenure_domain::secret::MasterSecret;

    use super::*;

    const AT: Timestamp = Timestamp::from_ms(1_795_000_000_000);

    fn events() -> Events {
        Events::new(MasterSecret::from_bytes([5; 32]).audit_key())
    }

    fn from(address: u32, at: Timestamp) -> Occurrence {
        let whence = Whence { address: Some(address.to_string()), user_agent: None };
        Occurrence { whence, ..Occurrence::new(EventKind::SignInFailed, at) }
    }

    #[test]
    fn what_is_alike_is_one_event_with_a_count() {
        let events = events();
        for _ in 0..3 {
            assert!(events.note(from(1, AT)) && events.note(from(2, AT)));
        }
        let (written, forgotten) = events.take(AT);
        assert_eq!((written.len(), forgotten), (2, 0));
        assert!(written.iter().all(|what| what.count == 3));
        assert_eq!(events.take(AT), (vec![], 0));
    }

    #[test]
    fn what_strangers_do_pushes_nothing_off_the_record_that_they_cannot() {
        let events = events();
        let noted = (0..5_000).filter(|address| events.note(from(*address, AT))).count();
        assert!(noted < 5_000);
        assert!(events.note(Occurrence::new(EventKind::DeadToken, AT)));
        let (written, _) = events.take(AT);
        assert_eq!(written[0].kind, EventKind::DeadToken);
    }

    #[test]
    fn a_session_is_unexplained_once() {
        let events = events();
        let session = |n: u32| SessionId::from_bytes(u128::from(n).to_be_bytes());
        assert!(events.is_first_of(session(1)) && !events.is_first_of(session(1)));
        assert!((2..3_000).all(|n| events.is_first_of(session(n))));
    }

    #[test]
    fn strangers_fill_neither_the_memory_nor_the_database() {
        let events = events();
        let noted = (0..5_000).filter(|address| events.note(from(*address, AT))).count();
        assert_eq!(noted, WAITING_MAX);
        let (written, forgotten) = events.take(AT);
        assert_eq!((written.len(), forgotten), (BURST as usize, WAITING_MAX - BURST as usize));
        let later = AT + Duration::from_secs(100);
        (0..1_000).for_each(|address| assert!(events.note(from(address, later))));
        assert_eq!(events.take(later).0.len(), 80);
    }
}
