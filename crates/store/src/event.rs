//! The record of what happened. What is part of a change is written in the change's own transaction; the rest comes
//! in batches and may be lost.

use std::collections::BTreeMap;

use async_trait::async_trait;
use serde_json::json;
use tenure_domain::ends::{Actor, End, EndReason};
use tenure_domain::event::{Event, EventKind, Link, Occurrence, Seal, Whence};
use tenure_domain::id::{EventId, SessionId, UserId};
use tenure_domain::session::Session;
use tenure_domain::time::Timestamp;

use crate::account::Difference;
use crate::{Decree, Device, EndOrder, Entropy, Result, Subject, User};

/// Most events that are listed at once.
pub const EVENTS_LISTED_MAX: usize = 1_000;

/// Which events are asked for. What is not said does not matter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EventFilter {
    pub kind: Option<EventKind>,
    /// One of these kinds; none are named, any.
    pub among: &'static [EventKind],
    pub user: Option<UserId>,
    pub session: Option<SessionId>,
    pub subject: Option<String>,
    /// By one of these; none are named, by anybody.
    pub actors: Vec<String>,
    pub cause: Option<String>,
    /// From this time on, and before that one.
    pub since: Option<Timestamp>,
    pub until: Option<Timestamp>,
    /// Older ones than this.
    pub before: Option<EventId>,
}

impl EventFilter {
    /// The condition that a kind is among those that are named, in the words of both databases. Kinds are words of ours.
    pub(crate) fn among(&self) -> Option<String> {
        let names: Vec<_> = self.among.iter().map(|kind| format!("'{kind}'")).collect();
        (!names.is_empty()).then(|| format!("kind IN ({})", names.join(", ")))
    }

    /// The ids between which those of the asked time are: from one on, and before another. An event's id is made of its
    /// time, so that time needs no index of its own.
    pub(crate) fn span(&self) -> (Option<EventId>, Option<EventId>) {
        let first_of = |time: Timestamp| EventId::generate(time, [0; 10]);
        let before = [self.until.map(first_of), self.before].into_iter().flatten().min();
        (self.since.map(first_of), before)
    }
}

/// The record of what happened: added, sealed once, and deleted from its oldest end.
#[async_trait]
pub trait Events: Send + Sync {
    /// Adds events, all or none of them. They give way to every other write (`Overloaded`), and whoever gets an error
    /// forgets them.
    async fn event_add(&self, events: Vec<Occurrence>) -> Result<()>;

    /// Newest first, at most `limit` and [`EVENTS_LISTED_MAX`].
    async fn event_list(&self, filter: EventFilter, limit: usize) -> Result<Vec<Event>>;

    /// Those of these sessions of which a sign-out is on record that nothing explains, and whether one that was verified is.
    async fn event_unexplained(&self, sessions: Vec<SessionId>) -> Result<BTreeMap<SessionId, bool>>;

    /// Where the chain ends.
    async fn event_end(&self) -> Result<Link>;

    /// Events that wait for their seal, at most `limit`, without those that cannot be read.
    async fn event_unsealed(&self, limit: usize) -> Result<Vec<Event>>;

    /// Seals events, in the order given. False, and nothing is written, if the chain no longer ends at `after` or one of
    /// them is sealed already. `after` is to be read before the events are.
    async fn event_seal(&self, after: Link, seals: Vec<(EventId, Seal)>) -> Result<bool>;

    /// Sealed events from a number on, in the order of the chain, without those that cannot be read.
    async fn event_chain(&self, from: u64, limit: usize) -> Result<Vec<Event>>;

    /// How many wait for their seal that were written before a time.
    async fn event_count_unsealed(&self, before: Timestamp) -> Result<u64>;

    /// Up to where a chain is of before a time, of its oldest `limit` events. Events of after `now`, which a clock wrote that
    /// was wrong, count as what comes after them. The last of a chain never is of before.
    async fn event_prunable(&self, before: Timestamp, now: Timestamp, limit: usize) -> Result<Option<Link>>;

    /// Deletes the chain up to a number, and writes down that it did; how many events that were.
    async fn event_prune(&self, upto: u64, pruning: Occurrence) -> Result<u64>;
}

impl dyn Entropy + '_ {
    pub(crate) fn event(&self, what: Occurrence) -> Event {
        Event::new(EventId::generate(what.at, self.draw()), what)
    }
}

// === What the changes of this store write down ===

impl From<&Device> for Whence {
    fn from(device: &Device) -> Self {
        Self { address: device.address.clone(), user_agent: device.user_agent.clone() }
    }
}

pub(crate) fn signed_in(session: &Session, device: &Device) -> Occurrence {
    let detail = json!({
        "remembered": session.remembered,
        "expires_at": session.expires_at.as_ms(),
        "device_id": device.id,
    });
    Occurrence {
        user: Some(session.user_id),
        session: Some(session.id),
        actor: Some(Actor::User.to_string()),
        whence: device.into(),
        ..Occurrence::new(EventKind::SignedIn, session.created_at)
    }
    .with_detail(&detail)
}

impl EndOrder {
    /// That a session has ended, apart from whose it was and how it stood.
    pub(crate) fn ended(&self, session: SessionId, end: &End) -> Occurrence {
        Occurrence {
            session: Some(session),
            subject: Some(end.receipt.as_str().to_owned()),
            actor: Some(end.actor.to_string()),
            whence: self.whence.clone(),
            cause: Some(end.reason.as_str().to_owned()),
            ..Occurrence::new(EventKind::SessionEnded, end.at)
        }
    }
}

pub(crate) fn registered(user: &User, now: Timestamp) -> Occurrence {
    Occurrence { user: Some(user.id), ..Occurrence::new(EventKind::Registered, now) }
}

/// That a password is another one now, by the person's own hand or by somebody else's.
pub(crate) fn password_set(user: UserId, order: &EndOrder, now: Timestamp) -> Occurrence {
    let kind = match order.reason {
        EndReason::PasswordChanged => EventKind::PasswordChanged,
        _ => EventKind::PasswordReset,
    };
    Occurrence {
        user: Some(user),
        actor: Some(order.actor.to_string()),
        whence: order.whence.clone(),
        ..Occurrence::new(kind, now)
    }
}

pub(crate) fn act(
    subject: &Subject,
    difference: &Difference,
    decree: &Decree,
    whence: &Whence,
    now: Timestamp,
) -> Occurrence {
    let (what, was, became) = difference;
    let user = match subject {
        Subject::User(id) => Some(*id),
        _ => None,
    };
    Occurrence {
        user,
        subject: Some(subject.to_string()),
        actor: Some(decree.actor.to_string()),
        whence: whence.clone(),
        cause: Some((*what).to_owned()),
        ..Occurrence::new(EventKind::Act, now)
    }
    .with_detail(&json!({ "was": was, "became": became, "reason": decree.reason }))
}

pub(crate) fn key(kind: EventKind, kid: &str, now: Timestamp) -> Occurrence {
    Occurrence { subject: Some(kid.to_owned()), ..Occurrence::new(kind, now) }
}

/// Up to where a chain goes, of whose oldest end this is more than `limit`.
pub(crate) fn prunable(
    oldest: &[(Link, Timestamp)],
    before: Timestamp,
    now: Timestamp,
    limit: usize,
) -> Option<Link> {
    let all_but_the_last = oldest.split_last().map_or(oldest, |(_, others)| others);
    let page = all_but_the_last.get(..limit).unwrap_or(all_but_the_last);
    let young = page.iter().position(|(_, at)| (before..=now).contains(at)).unwrap_or(page.len());
    // By a clock that is behind everything is of after now: only what comes before something old is old as well.
    page.get(..young)?.iter().rfind(|(_, at)| *at < before).map(|(link, _)| *link)
}
