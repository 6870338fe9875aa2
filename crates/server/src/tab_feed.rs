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
