//! The feed for tabs: whoever is signed in is told at once that their session has ended, or that something about them
//! has changed (docs/decisions/0018-the-feed-for-tabs.md).
//!
//! The task that reads what has changed (`revocations`) rings bells here and does nothing else, so that the end of ten
//! thousand sessions holds nobody up. Each stream then looks for itself what the store says of its session. A bell that
//! is rung twice has been rung: what a listener leaves unread takes no room.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tenure_domain::id::{AccountId, SessionId, UserId};
use tenure_store::Changed;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};

/// Streams of one session: a browser profile has one, and one more while a tab takes over from another.
const PER_SESSION_MAX: usize = 4;

/// Streams of one user, who may be signed in with many devices.
const PER_USER_MAX: usize = 64;

/// Over this time streams look that are all rung at once, lest they keep the store from everybody else.
const SPREAD: Duration = Duration::from_secs(5);

const LOOK: u8 = 1;
const LOOK_IN_TURN: u8 = 2;
const HANG_UP: u8 = 4;

/// Why a bell was rung.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rung {
    /// Something has changed that may concern this listener.
    Look,
    /// The server stops.
    HangUp,
}

/// Whom a listener wants to hear of.
#[derive(Clone, Copy)]
pub struct Interest {
    pub session: SessionId,
    pub user: UserId,
    pub account: Option<AccountId>,
}

/// An id, of whatever kind: no two are alike.
type Key = [u8; 16];

impl Interest {
    fn keys(&self) -> impl Iterator<Item = Key> {
        let account = self.account.map(|id| *id.as_bytes());
        [*self.session.as_bytes(), *self.user.as_bytes()].into_iter().chain(account)
    }
}

struct Bell {
    rung: AtomicU8,
    heard: Notify,
    /// Its part of the spread.
    turn: Duration,
}

impl Bell {
    fn ring(&self, why: u8) {
        self.rung.fetch_or(why, Ordering::AcqRel);
        self.heard.notify_one();
    }
}

pub struct TabFeed {
    listeners_max: usize,
    slots: Arc<Semaphore>,
    hall: Arc<Mutex<Hall>>,
}

#[derive(Default)]
struct Hall {
    bells: HashMap<Key, Vec<Arc<Bell>>>,
    /// How many have come so far.
    come: u32,
    closed: bool,
}

/// One listener's place, which is free again when this is dropped.
pub struct Place {
    hall: Arc<Mutex<Hall>>,
    interest: Interest,
    bell: Arc<Bell>,
    /// When its turn comes, if it waits for one.
    due: Option<Instant>,
    _slot: OwnedSemaphorePermit,
}

// === impl TabFeed ===

impl TabFeed {
    pub fn new(listeners_max: usize) -> Self {
        Self { listeners_max, slots: Arc::new(Semaphore::new(listeners_max)), hall: Arc::default() }
    }

    /// A place for a new listener; none if there are too many, here or of theirs. What changes from now on rings.
    pub fn listen(&self, interest: Interest) -> Option<Place> {
        let slot = Arc::clone(&self.slots).try_acquire_owned().ok()?;
        let mut hall = lock(&self.hall);
        let has_room = |key: &Key, max| hall.bells.get(key).is_none_or(|bells| bells.len() < max);
        let is_welcome = has_room(interest.session.as_bytes(), PER_SESSION_MAX)
            && has_room(interest.user.as_bytes(), PER_USER_MAX);
        if hall.closed || !is_welcome {
            return None;
        }
        hall.come = hall.come.wrapping_add(1);
        let turn = SPREAD * (hall.come % 256) / 256;
        let bell = Arc::new(Bell { rung: AtomicU8::new(0), heard: Notify::new(), turn });
        for key in interest.keys() {
            hall.bells.entry(key).or_default().push(Arc::clone(&bell));
        }
        drop(hall);
        Some(Place { hall: Arc::clone(&self.hall), interest, bell, due: None, _slot: slot })
    }

    /// Rings for whomever it may concern.
    pub fn ring(&self, changed: &Changed) {
        let hall = lock(&self.hall);
        let (sessions, users, accounts) = match changed {
            Changed::Named { plans: false, sessions, users, accounts, .. } => (sessions, users, accounts),
            Changed::Named { sessions, .. } => {
                hall.ring_all(LOOK_IN_TURN);
                (sessions, &vec![], &vec![])
            }
            Changed::Lost { .. } => return hall.ring_all(LOOK_IN_TURN),
        };
        sessions.iter().for_each(|(id, _)| hall.ring(id.as_bytes()));
        users.iter().for_each(|(id, _)| hall.ring(id.as_bytes()));
        accounts.iter().for_each(|id| hall.ring(id.as_bytes()));
    }

    /// Ends every stream, and lets nobody in any more.
    pub fn close(&self) {
        let mut hall = lock(&self.hall);
        hall.closed = true;
        hall.ring_all(HANG_UP);
    }

    pub fn listeners(&self) -> usize {
        self.listeners_max.saturating_sub(self.slots.available_permits())
    }
}

// === impl Hall ===

// The lock is never held across anything that panics; if it were, the map would still be whole.
fn lock(hall: &Mutex<Hall>) -> MutexGuard<'_, Hall> {
    hall.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Hall {
    fn ring(&self, key: &Key) {
        self.bells.get(key).into_iter().flatten().for_each(|bell| bell.ring(LOOK));
    }

    fn ring_all(&self, why: u8) {
        self.bells.values().flatten().for_each(|bell| bell.ring(why));
    }
}

// === impl Place ===

impl Place {
    /// Waits for the bell. Nothing is lost if the waiting is given up.
    pub async fn rung(&mut self) -> Rung {
        loop {
            let rung = self.bell.rung.fetch_and(HANG_UP, Ordering::AcqRel);
            if rung & HANG_UP != 0 {
                return Rung::HangUp;
            }
            if rung & LOOK_IN_TURN != 0 {
                self.due.get_or_insert_with(|| Instant::now() + self.bell.turn);
            }
            if rung & LOOK != 0 || self.due.is_some_and(|due| due <= Instant::now()) {
                self.due = None;
                return Rung::Look;
            }
            let heard = self.bell.heard.notified();
            match self.due {
                None => heard.await,
                Some(due) => drop(timeout_at(due, heard).await),
            }
        }
    }

    /// The account whose changes are heard.
    pub fn account(&self) -> Option<AccountId> {
        self.interest.account
    }

    /// Has the bell ring again after a while.
    pub fn ring_in(&mut self, after: Duration) {
        self.due = Some(Instant::now() + after);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut hall = lock(&self.hall);
        for key in self.interest.keys() {
            if let Some(bells) = hall.bells.get_mut(&key) {
                bells.retain(|bell| !Arc::ptr_eq(bell, &self.bell));
                if bells.is_empty() {
                    hall.bells.remove(&key);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tenure_store::SessionNow;

    /// No id of one kind is one of another.
    fn user_id(user: u8) -> UserId {
        UserId::from_bytes(std::array::from_fn(|i| if i == 0 { 255 } else { user }))
    }

    fn interest(session: u8, user: u8) -> Interest {
        let (session, user) = (SessionId::from_bytes([session; 16]), user_id(user));
        Interest { session, user, account: Some(AccountId::from_bytes([200; 16])) }
    }

    fn named(session: u8) -> Changed {
        let sessions = vec![(SessionId::from_bytes([session; 16]), SessionNow::Ended)];
        Changed::Named { upto: 1, sessions, users: vec![], accounts: vec![], plans: false }
    }

    async fn is_quiet(place: &mut Place) -> bool {
        timeout_at(Instant::now() + Duration::from_millis(20), place.rung()).await.is_err()
    }

    #[tokio::test]
    async fn it_rings_for_whom_it_concerns_and_once_for_what_came_together() {
        let feed = TabFeed::new(10);
        let (mut one, mut two) = (feed.listen(interest(1, 9)).unwrap(), feed.listen(interest(2, 9)).unwrap());
        feed.ring(&named(1));
        feed.ring(&named(1));
        assert_eq!(one.rung().await, Rung::Look);
        assert!(is_quiet(&mut one).await && is_quiet(&mut two).await);
        let accounts = vec![AccountId::from_bytes([200; 16])];
        let (sessions, users) = (vec![], vec![(user_id(9), tenure_store::UserNow::Gone)]);
        feed.ring(&Changed::Named { upto: 2, sessions, users, accounts, plans: false });
        assert_eq!((one.rung().await, two.rung().await), (Rung::Look, Rung::Look));
        assert!(is_quiet(&mut one).await && is_quiet(&mut two).await);
    }

    #[tokio::test]
    async fn what_concerns_everybody_is_looked_at_in_turn_and_a_ring_of_ones_own_comes_first() {
        let feed = TabFeed::new(300);
        let mut places: Vec<_> = (0..200).map(|n| feed.listen(interest(n, n / 4)).unwrap()).collect();
        feed.ring(&Changed::Lost { upto: 1 });
        assert_eq!(places[0].rung().await, Rung::Look);
        let last = places.last_mut().unwrap();
        assert!(is_quiet(last).await, "its turn comes in seconds");
        feed.ring(&named(199));
        assert_eq!(last.rung().await, Rung::Look);
        assert!(is_quiet(last).await, "it has looked");
    }

    #[tokio::test]
    async fn listeners_are_bounded_and_leave_nothing_behind() {
        let feed = TabFeed::new(100);
        let of_one: Vec<_> = (0..PER_SESSION_MAX).map(|_| feed.listen(interest(1, 1)).unwrap()).collect();
        assert!(feed.listen(interest(1, 1)).is_none());
        let rest = PER_USER_MAX - PER_SESSION_MAX;
        let of_user: Vec<_> = (0..rest).map(|n| feed.listen(interest(10 + n as u8, 1)).unwrap()).collect();
        assert!(feed.listen(interest(99, 1)).is_none());
        assert!(feed.listen(interest(99, 2)).is_some());
        drop((of_one, of_user));
        assert_eq!(feed.listeners(), 0);
        assert!(lock(&feed.hall).bells.is_empty());
        let mut place = feed.listen(interest(1, 1)).unwrap();
        feed.close();
        assert_eq!(place.rung().await, Rung::HangUp);
        assert!(feed.listen(interest(2, 2)).is_none());
    }
}
