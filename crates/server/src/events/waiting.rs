//! What waits to be written down. Strangers can make most of these events happen as often as they like, so what is
//! alike is one event with a count, once a minute; and if there is more than may be written, it is shared out evenly:
//! first among the kinds, then among those who make it happen.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::IpAddr;
use std::time::Duration;

use tenure_domain::event::{EventKind, Occurrence};
use tenure_domain::id::{SessionId, UserId};
use tenure_domain::time::Timestamp;

use crate::http::arrival::network_of;

/// Different events of each kind that may wait at once.
pub const ROOM: usize = 500;

/// How many may be written at once, and how many a second in the long run: four million a month.
pub const BURST: f64 = 1_000.0;
pub const PER_SECOND: f64 = 1.6;

/// How long what is like a written event is only counted.
pub const ALIKE: Duration = Duration::from_secs(60);

/// After this long, what still has not had its turn is forgotten.
const PATIENCE: Duration = Duration::from_secs(120);

pub struct Waiting {
    queues: HashMap<EventKind, Queue>,
    allowance: f64,
    since: Option<Timestamp>,
}

/// Events of one kind.
#[derive(Default)]
struct Queue {
    waiting: HashMap<Alike, Item>,
    /// What was written in the last minute. The allowance bounds it.
    written: HashMap<Alike, Written>,
}

/// What makes two occurrences of a kind alike.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Alike {
    user: Option<UserId>,
    session: Option<SessionId>,
    subject: Option<String>,
    address: Option<String>,
    cause: Option<String>,
}

/// Among whom what may be written is shared out.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Sharer {
    User(UserId),
    Network(IpAddr),
    Unknown,
}

struct Item {
    sharer: Sharer,
    what: Occurrence,
}

struct Written {
    sharer: Sharer,
    at: Timestamp,
    /// What happened of the like since.
    more: Option<Occurrence>,
}

impl Default for Waiting {
    fn default() -> Self {
        Self { queues: HashMap::new(), allowance: BURST, since: None }
    }
}

impl Waiting {
    /// Notes what happened. False if something must be forgotten for it, or it itself.
    pub fn note(&mut self, what: Occurrence) -> bool {
        self.queues.entry(what.kind).or_default().note(what)
    }

    /// What may be written now, oldest first, and how many must be forgotten. The last time, nothing is kept back to be
    /// counted on or for its turn.
    pub fn take(&mut self, now: Timestamp, is_last: bool) -> (Vec<Occurrence>, usize) {
        let passed = self.since.map_or(Duration::ZERO, |since| now.since(since));
        self.since = Some(now);
        self.allowance = match is_last {
            true => BURST,
            false => (self.allowance + passed.as_secs_f64() * PER_SECOND).min(BURST),
        };
        for queue in self.queues.values_mut() {
            queue.count_anew(now, is_last);
        }
        let turns = self.turns();
        self.allowance -= turns.len() as f64;
        let taken = |(kind, alike)| self.queues.get_mut(&kind)?.take(alike, now);
        let mut events: Vec<_> = turns.into_iter().filter_map(taken).collect();
        events.sort_by_key(|what| what.at);
        let left = |queue: &mut Queue| match is_last {
            true => queue.waiting.drain().count(),
            false => queue.forget(now),
        };
        let forgotten = self.queues.values_mut().map(left).sum();
        (events, forgotten)
    }

    /// Whose turn it is, as far as the allowance goes.
    fn turns(&self) -> Vec<(EventKind, Alike)> {
        let mut turns: Vec<_> = self
            .queues
            .iter()
            .flat_map(|(kind, queue)| queue.turns().map(|(turn, at, alike)| (turn, at, *kind, alike)))
            .collect();
        turns.sort_by_key(|(turn, at, ..)| (*turn, *at));
        turns.truncate(self.allowance as usize);
        turns.into_iter().map(|(_, _, kind, alike)| (kind, alike.clone())).collect()
    }
}

impl Queue {
    fn note(&mut self, what: Occurrence) -> bool {
        let alike = Alike::of(&what);
        if let Some(written) = self.written.get_mut(&alike) {
            match &mut written.more {
                Some(more) => more.count = more.count.saturating_add(what.count),
                none => *none = Some(what),
            }
            return true;
        }
        let item = Item { sharer: Sharer::of(&what), what };
        let is_full = self.waiting.len() >= ROOM;
        match self.waiting.entry(alike) {
            Entry::Occupied(mut same) => {
                let count = &mut same.get_mut().what.count;
                *count = count.saturating_add(item.what.count);
                return true;
            }
            Entry::Vacant(place) if !is_full => drop(place.insert(item)),
            Entry::Vacant(place) => {
                let alike = place.into_key();
                if self.make_room(item.sharer) {
                    self.waiting.insert(alike, item);
                }
            }
        }
        !is_full
    }

    /// Forgets the newest event of whoever has the most waiting, if that is more than the asker would have.
    fn make_room(&mut self, asker: Sharer) -> bool {
        let own = self.waiting.values().filter(|item| item.sharer == asker).count();
        // Nobody has more, and whoever makes the noise is told so at little cost.
        if 2 * own >= self.waiting.len() {
            return false;
        }
        let mut waiting: HashMap<Sharer, usize> = HashMap::new();
        for item in self.waiting.values() {
            *waiting.entry(item.sharer).or_default() += 1;
        }
        let Some((loudest, most)) = waiting.into_iter().max_by_key(|(_, count)| *count) else { return false };
        let theirs = self.waiting.iter().filter(|(_, item)| item.sharer == loudest);
        match theirs.max_by_key(|(_, item)| item.what.at).map(|(alike, _)| alike.clone()) {
            // How something began tells most.
            Some(newest) if most > own + 1 => self.waiting.remove(&newest).is_some(),
            _ => false,
        }
    }

    /// What was counted on for a minute waits to be written.
    fn count_anew(&mut self, now: Timestamp, is_last: bool) {
        let Self { waiting, written } = self;
        written.retain(|alike, event| {
            // A clock that was set back makes nothing wait for longer.
            if !is_last && event.at <= now && now.since(event.at) < ALIKE {
                return true;
            }
            if let Some(what) = event.more.take() {
                waiting.insert(alike.clone(), Item { sharer: event.sharer, what });
            }
            false
        });
    }

    fn forget(&mut self, now: Timestamp) -> usize {
        let before = self.waiting.len();
        self.waiting.retain(|_, item| now.since(item.what.at) <= PATIENCE);
        before - self.waiting.len()
    }

    /// What waits, each with its turn: whoever had least written in the last minute comes first, and kinds of which
    /// least was written do.
    fn turns(&self) -> impl Iterator<Item = (usize, Timestamp, &Alike)> {
        let mut had: HashMap<Sharer, usize> = HashMap::new();
        for event in self.written.values() {
            *had.entry(event.sharer).or_default() += 1;
        }
        let mut waiting: Vec<_> = self.waiting.iter().collect();
        waiting.sort_by_key(|(_, item)| item.what.at);
        let mut turns: Vec<_> = waiting
            .into_iter()
            .map(|(alike, item)| {
                let turn = had.entry(item.sharer).or_default();
                *turn += 1;
                (*turn, item.what.at, alike)
            })
            .collect();
        turns.sort_by_key(|(turn, at, _)| (*turn, *at));
        let first = self.written.len();
        turns.into_iter().enumerate().map(move |(place, (_, at, alike))| (first + place, at, alike))
    }

    fn take(&mut self, alike: Alike, now: Timestamp) -> Option<Occurrence> {
        let Item { sharer, what } = self.waiting.remove(&alike)?;
        self.written.insert(alike, Written { sharer, at: now, more: None });
        Some(what)
    }
}

impl Alike {
    fn of(what: &Occurrence) -> Self {
        Self {
            user: what.user,
            session: what.session,
            subject: what.subject.clone(),
            address: what.whence.address.clone(),
            cause: what.cause.clone(),
        }
    }
}

impl Sharer {
    fn of(what: &Occurrence) -> Self {
        let network = || {
            let address = what.whence.address.as_deref()?.parse().ok()?;
            Some(Sharer::Network(network_of(address)))
        };
        what.user.map(Sharer::User).or_else(network).unwrap_or(Sharer::Unknown)
    }
}

#[cfg(test)]
mod tests {
    use tenure_domain::event::Whence;

    use super::*;

    const AT: Timestamp = Timestamp::from_ms(1_795_000_000_000);
    const SECOND: Duration = Duration::from_secs(1);

    fn user(n: u32) -> UserId {
        UserId::from_bytes(u128::from(n).to_be_bytes())
    }

    fn session(n: u32) -> SessionId {
        SessionId::from_bytes(u128::from(n).to_be_bytes())
    }

    fn from(address: u32, at: Timestamp) -> Occurrence {
        let address = std::net::Ipv4Addr::from(address).to_string();
        let whence = Whence { address: Some(address), user_agent: None };
        Occurrence { whence, ..Occurrence::new(EventKind::SignInFailed, at) }
    }

    fn blocked(who: u32, of: u32, at: Timestamp) -> Occurrence {
        let (user, session) = (Some(user(who)), Some(session(of)));
        Occurrence { user, session, ..Occurrence::new(EventKind::EntitlementBlocked, at) }
    }

    fn note_all(waiting: &mut Waiting, events: impl Iterator<Item = Occurrence>) {
        for what in events {
            waiting.note(what);
        }
    }

    fn total(events: &[Occurrence]) -> u32 {
        events.iter().map(|what| what.count).sum()
    }

    #[test]
    fn what_is_alike_is_one_event_with_a_count() {
        let mut waiting = Waiting::default();
        for _ in 0..3 {
            assert!(waiting.note(from(1, AT)) && waiting.note(from(2, AT)));
        }
        let (written, forgotten) = waiting.take(AT, false);
        assert_eq!((written.len(), forgotten), (2, 0));
        assert!(written.iter().all(|what| what.count == 3));
        assert_eq!(waiting.take(AT, false), (vec![], 0));
    }

    #[test]
    fn what_happens_all_the_time_is_one_event_a_minute_and_counted_in_full() {
        let mut waiting = Waiting::default();
        let mut written = vec![];
        for second in 0..600 {
            let now = AT + SECOND * second;
            waiting.note(from(1, now));
            waiting.note(from(1, now));
            written.extend(waiting.take(now, false).0);
        }
        assert_eq!(written.len(), 10);
        assert_eq!(written[0].count, 2, "the first one is written at once");
        written.extend(waiting.take(AT + SECOND * 600, true).0);
        assert_eq!(total(&written), 1_200);
    }

    #[test]
    fn a_clock_that_was_set_back_holds_nothing_up() {
        let mut waiting = Waiting::default();
        waiting.note(from(1, AT));
        waiting.take(AT, false);
        let before = AT - Duration::from_secs(86_400);
        waiting.note(from(1, before));
        assert_eq!(waiting.take(before, false).0.len(), 1);
    }

    /// One account with as many sessions as it likes leaves everybody else's failed sign-ins on the record, and
    /// the refusals of other people as well.
    #[test]
    fn whoever_makes_the_most_noise_pushes_nobody_else_off_the_record() {
        let mut waiting = Waiting::default();
        let mut written = vec![];
        let mut failures = 0;
        for second in 0..600 {
            let now = AT + SECOND * second;
            note_all(&mut waiting, (0..550).map(|of| blocked(1, of, now)));
            if second >= 300 {
                failures += 1;
                waiting.note(Occurrence { user: Some(user(2)), ..from(7, now) });
                waiting.note(blocked(3, 9_999, now));
            }
            written.extend(waiting.take(now, false).0);
        }
        assert!(written.len() as f64 <= BURST + 600.0 * PER_SECOND, "{}", written.len());
        written.extend(waiting.take(AT + SECOND * 600, true).0);
        let of = |kind, who| {
            let theirs = written.iter().filter(|what| what.kind == kind && what.user == Some(user(who)));
            theirs.map(|what| what.count).sum::<u32>()
        };
        assert_eq!(of(EventKind::SignInFailed, 2), failures);
        assert_eq!(of(EventKind::EntitlementBlocked, 3), failures);
    }

    #[test]
    fn a_network_of_many_addresses_has_one_share() {
        let mut waiting = Waiting::default();
        let at = |n: u32| {
            let whence = Whence { address: Some(format!("2001:db8::{n:x}")), user_agent: None };
            Occurrence { whence, ..Occurrence::new(EventKind::SignInFailed, AT) }
        };
        note_all(&mut waiting, (0..5_000).map(at));
        assert!(!waiting.note(from(1, AT)), "something gave way");
        let (written, _) = waiting.take(AT, false);
        assert!(written.iter().any(|what| what.whence == from(1, AT).whence));
    }

    #[test]
    fn strangers_fill_neither_the_memory_nor_the_database() {
        let mut waiting = Waiting::default();
        let noted = (0..5_000).filter(|address| waiting.note(from(*address, AT))).count();
        assert_eq!(noted, ROOM);
        assert_eq!(waiting.take(AT, false).0.len(), ROOM);
        note_all(&mut waiting, (10_000..20_000).map(|address| from(address, AT)));
        assert_eq!(waiting.take(AT, false).0.len(), BURST as usize - ROOM);
        note_all(&mut waiting, (20_000..30_000).map(|address| from(address, AT)));
        assert_eq!(waiting.take(AT, false), (vec![], 0));
        // What has not had its turn waits for it, but not for ever.
        let later = AT + Duration::from_secs(100);
        assert_eq!(waiting.take(later, false).0.len(), 160);
        let (written, forgotten) = waiting.take(later + Duration::from_secs(100), false);
        assert_eq!((written.len(), forgotten), (160, ROOM - 320));
    }
}
