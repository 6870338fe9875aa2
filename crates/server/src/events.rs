//! The record of what happened, as far as this process keeps it: what is not part of a change waits here for a moment,
//! is written in batches, and gives way to everything else; and every event gets its seal.
//!
//! Strangers can make most of these happen as often as they like: see [`waiting`].

pub mod export;
pub mod waiting;

use std::collections::VecDeque;
use std::sync::atomic::Ordering;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tenure_domain::ends::EndReason;
use tenure_domain::event::{EventKind, Link, Occurrence, Whence};
use tenure_domain::id::SessionId;
use tenure_domain::problem::Code;
use tenure_domain::secret::AuditKey;
use tenure_domain::time::Timestamp;
use tenure_store::StoreError;

use crate::App;
use crate::http::arrival::Arrival;
use crate::http::problem::Problem;
use waiting::Waiting;

/// Between two writings.
pub const TURN: Duration = Duration::from_secs(1);

/// Sessions that are remembered for a mistake of their front end.
const MISTAKEN_MAX: usize = 1_000;

/// Events sealed in one step.
const SEALED_AT_ONCE: usize = 500;

pub struct Events {
    key: AuditKey,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    waiting: Waiting,
    /// Sessions of which a sign-out was counted lately that is a mistake of the front end, and whether that was verified.
    mistaken: VecDeque<(SessionId, Mistake, bool)>,
    /// Where the chain ended when it was last told to the log.
    told: Option<Link>,
}

/// What a front end does by itself that signs people out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mistake {
    /// Nothing had ended.
    Unexplained,
    /// It asked for the sign-out, and nobody had asked it to.
    Unasked,
}

impl Events {
    pub fn new(key: AuditKey) -> Self {
        Self { key, state: Mutex::default() }
    }

    /// Whether a mistaken sign-out from this session is news. Browsers say it again, from every tab. What is verified is
    /// news even after a claim, which anybody may have made.
    pub fn is_first_of(&self, session: SessionId, mistake: Mistake, is_verified: bool) -> bool {
        let mistaken = &mut self.state().mistaken;
        if [true, is_verified].iter().any(|is_verified| mistaken.contains(&(session, mistake, *is_verified)))
        {
            return false;
        }
        if mistaken.len() >= MISTAKEN_MAX {
            mistaken.pop_front();
        }
        mistaken.push_back((session, mistake, is_verified));
        true
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl App {
    /// Notes what happened, to be written down in a moment.
    pub fn note(&self, what: Occurrence) {
        if !self.events.state().waiting.note(what) {
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
        let now = self.clock.now();
        let is_last = self.draining.load(Ordering::Relaxed);
        let (mut events, forgotten) = self.events.state().waiting.take(now, is_last);
        self.metrics.events_dropped.inc_by(forgotten as u64);
        for what in &mut events {
            self.forget_whence_of_the_deleted(what, now).await;
        }
        let count = events.len();
        let added = if count > 0 { self.store.event_add(events).await } else { Ok(()) };
        if added.is_err() {
            self.metrics.events_dropped.inc_by(count as u64);
        }
        // What others have written is sealed whatever became of ours.
        self.seal_events().await.and(added)
    }

    /// Who was deleted while an event of theirs was counted on is not to leave anything of where they were.
    async fn forget_whence_of_the_deleted(&self, what: &mut Occurrence, now: Timestamp) {
        if now.since(what.at) > 2 * TURN && !self.is_theirs_to_keep(what).await.unwrap_or(false) {
            what.whence = Whence::default();
        }
    }

    async fn is_theirs_to_keep(&self, what: &Occurrence) -> Result<bool, StoreError> {
        let user = match (what.user, what.session) {
            (None, Some(session)) => {
                self.store.session_find(session).await?.map(|record| record.session.user_id)
            }
            (user, _) => user,
        };
        match user {
            Some(user) => Ok(self.store.user_find(user).await?.is_some()),
            None => Ok(true),
        }
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
            if !self.store.event_seal(after, seals).await? {
                // Another node is at it.
                return Ok(());
            }
            self.tally.count_ends(&waiting);
            if is_last {
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
        if link != Link::default() && self.events.state().told.replace(link) != Some(link) {
            tracing::info!(noted = %link, "where the chain of events ends");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use tenure_domain::secret::MasterSecret;

    use super::*;

    #[test]
    fn a_session_counts_once_and_once_more_when_a_claim_is_verified() {
        let events = Events::new(MasterSecret::from_bytes([5; 32]).audit_key());
        let session = |n: u32| SessionId::from_bytes(u128::from(n).to_be_bytes());
        for (is_verified, is_news) in
            [(false, true), (false, false), (true, true), (true, false), (false, false)]
        {
            assert_eq!(events.is_first_of(session(1), Mistake::Unexplained, is_verified), is_news);
        }
        assert!(events.is_first_of(session(1), Mistake::Unasked, false));
        assert!((2..3_000).all(|n| events.is_first_of(session(n), Mistake::Unexplained, true)));
    }
}
