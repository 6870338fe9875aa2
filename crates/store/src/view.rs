//! The view: who a caller is, from memory, and never older than the last answered write.
//!
//! Every protected request asks whether its session and its user still stand, and a query for each would cost
//! more than the request. The view keeps what it has read and learns what to forget from the *feed* of
//! changes: a table with a number per entry, written in the same transaction as the change itself (by
//! triggers), hence by every process on the database, and by statements typed by hand.
//!
//! Two numbers place the view in time. `seq` is the last entry of the feed it has applied. `stamp` is a cheap
//! fingerprint of the database that moves with every commit of anybody: as long as it stands where it stood
//! *before* the feed was last read, nothing was committed since, and what is kept is current. A backend
//! without such a fingerprint gives none, and the feed is read on every call: slower, not less right.
//!
//! # Why an answer is never older than the call
//!
//! Let a write be answered before a call begins. Its feed entry `w` was committed with it.
//!
//! - *The stamp has moved*, since the commit came before the call. Either the view has already read the feed
//!   under a stamp taken after that commit, and so has applied `w`; or the stamps differ and the call reads
//!   the feed itself before it looks anything up, and applies `w`.
//! - *A commit between taking the stamp and reading the feed* is applied although the stamp does not tell of
//!   it. The next call finds the stamps different and reads the feed once for nothing. The other order would
//!   remember a stamp for entries that were never read, which is why it is not the order.
//! - *A load racing an invalidation*: a row is read, then changed and its entry applied by another call, then
//!   the old row arrives to be kept. A load therefore carries the feed's number at its own snapshot, and is
//!   kept only if the view has not gone past it ([`View::keep`]). One that is newer than the view may be kept:
//!   the entries still to come only make the view forget it once more than needed. Not kept or not, the
//!   loaded row itself serves this call, because its snapshot began after the call did.
//! - *Our own writer, between its commit and its answer*: not answered yet, so either state is right. It takes
//!   no short cut into the view: our writes reach it through the feed, like everybody's.
//! - *Stamp, number and entries change together* under one lock, so a reader that sees a stamp sees its view.
//! - *Pruned entries*: numbers are contiguous, so a missing one shows, and the view forgets everything.

use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use tenure_domain::id::{AccountId, SessionId, UserId};
use tenure_domain::session::Standing;
use tenure_domain::time::Timestamp;

use crate::recent::Recent;
use crate::trail::{Since, Trail};
use crate::{Account, Caller, Membership, Person, Result};

/// Most sessions and users kept. An entry of either is a few hundred bytes at most.
const SESSIONS_KEPT_MAX: usize = 50_000;
const USERS_KEPT_MAX: usize = 50_000;
const ACCOUNTS_KEPT_MAX: usize = 50_000;

/// A fingerprint of the whole database that differs after every commit.
pub(crate) type Stamp = [u8; 48];

/// What the view keeps of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Seat {
    pub user_id: UserId,
    pub expires_at: Timestamp,
    pub ended: bool,
}

/// What the view keeps of a user.
#[derive(Clone, Debug)]
pub(crate) struct Holder {
    pub person: Arc<Person>,
    pub disabled: bool,
}

/// All that is loaded at once for a caller.
#[derive(Clone, Debug)]
pub(crate) struct Loaded {
    pub seat: Seat,
    pub holder: Holder,
    pub membership: Membership,
}

/// What the feed says since a number.
pub(crate) enum Changes {
    Listed {
        upto: u64,
        entries: Vec<Change>,
    },
    /// Entries are missing: what changed cannot be told.
    Lost {
        upto: u64,
    },
}

/// One entry of the feed.
pub(crate) enum Change {
    Session(SessionId),
    User(UserId),
    Account(AccountId),
    /// Any plan, and so every account that has one.
    Plans,
    Keys,
    /// An entry this version cannot read: forget everything.
    Unknown,
}

impl Change {
    /// The session it names, if it names one.
    pub fn session(&self) -> Option<SessionId> {
        match self {
            Change::Session(id) => Some(*id),
            _ => None,
        }
    }
}

/// The answer to a look-up.
pub(crate) enum Looked {
    Found(Caller),
    /// Not kept: load it.
    Absent,
    /// Something was committed since the feed was read: read it first.
    Behind,
}

pub(crate) struct View {
    kept: RwLock<Kept>,
}

struct Kept {
    stamp: Option<Stamp>,
    seq: u64,
    /// Moves whenever signing keys may have changed.
    key_epoch: u64,
    trail: Trail,
    sessions: Recent<SessionId, Seat>,
    users: Recent<UserId, Holder>,
    accounts: Recent<AccountId, Arc<Account>>,
}

impl View {
    /// An empty view at this number of the feed.
    pub fn at(seq: u64) -> Self {
        Self {
            kept: RwLock::new(Kept {
                stamp: None,
                seq,
                key_epoch: 1,
                trail: Trail::default(),
                sessions: Recent::with_capacity_max(SESSIONS_KEPT_MAX),
                users: Recent::with_capacity_max(USERS_KEPT_MAX),
                accounts: Recent::with_capacity_max(ACCOUNTS_KEPT_MAX),
            }),
        }
    }

    pub fn seq(&self) -> u64 {
        self.read().seq
    }

    pub fn key_epoch(&self) -> u64 {
        self.read().key_epoch
    }

    /// What has changed since a position of the trail.
    pub fn changed_since(&self, position: Option<u64>) -> Since {
        self.read().trail.since(position)
    }

    /// Whether nothing was committed since the feed was last read, going by a stamp taken just now.
    pub fn is_current(&self, stamp: Option<Stamp>) -> bool {
        stamp.is_some() && self.read().stamp == stamp
    }

    /// Looks a caller up if the view is current by this stamp.
    pub fn find_if_current(&self, stamp: Option<Stamp>, id: SessionId) -> Looked {
        let kept = self.read();
        if stamp.is_none() || kept.stamp != stamp {
            return Looked::Behind;
        }
        self.find_in(kept, id)
    }

    /// Looks a caller up, by somebody who has just applied the feed.
    pub fn find(&self, id: SessionId) -> Looked {
        self.find_in(self.read(), id)
    }

    fn find_in(&self, kept: RwLockReadGuard<'_, Kept>, id: SessionId) -> Looked {
        let Some((seat, seat_aged)) = kept.sessions.get(&id) else { return Looked::Absent };
        let user_id = seat.user_id;
        let Some((holder, holder_aged)) = kept.users.get(&user_id) else { return Looked::Absent };
        let account_id = holder.person.account_id;
        let (membership, account_aged) = match account_id {
            None => (Membership::None, false),
            Some(id) => match kept.accounts.get(&id) {
                Some((account, aged)) => (Membership::Member(Arc::clone(account)), aged),
                None => return Looked::Absent,
            },
        };
        let caller = caller(seat, holder, membership);
        if seat_aged || holder_aged || account_aged {
            drop(kept);
            let mut kept = self.write();
            kept.sessions.renew(&id);
            kept.users.renew(&user_id);
            account_id.inspect(|id| kept.accounts.renew(id));
        }
        Looked::Found(caller)
    }

    /// Reads the feed to its end, unless nothing was committed since. One caller at a time.
    pub fn catch_up(
        &self,
        stamp: impl Fn() -> Option<Stamp>,
        read_after: impl FnOnce(u64) -> Result<Changes>,
    ) -> Result<()> {
        // Before the feed is read, never after: see above. And anew in this call, as another one may have
        // caught up meanwhile.
        let stamp = stamp();
        if !self.is_current(stamp) {
            self.apply(read_after(self.seq())?, stamp);
        }
        Ok(())
    }

    /// Forgets what has changed. One caller at a time.
    pub fn apply(&self, changes: Changes, stamp: Option<Stamp>) {
        let mut kept = self.write();
        match changes {
            Changes::Listed { upto, entries } => {
                entries.into_iter().for_each(|change| kept.forget(change));
                kept.seq = upto;
            }
            Changes::Lost { upto } => {
                kept.forget(Change::Unknown);
                kept.seq = upto;
            }
        }
        kept.stamp = stamp;
    }

    /// Keeps a row loaded from a snapshot at which the feed had reached `seq`, unless the view has gone past
    /// it: then it may be a row that was just forgotten.
    ///
    /// An account that is gone or cannot be read is not kept, so it is looked for again by each call.
    pub fn keep(&self, seq: u64, id: SessionId, loaded: Loaded) -> Caller {
        let Loaded { seat, holder, membership } = loaded;
        let caller = caller(&seat, &holder, membership.clone());
        let mut kept = self.write();
        if seq >= kept.seq {
            if let Membership::Member(account) = membership {
                kept.accounts.insert(account.id, account);
            }
            kept.users.insert(seat.user_id, holder);
            kept.sessions.insert(id, seat);
        }
        caller
    }

    // The lock is never held across anything that panics; if it were, the view would still be whole.
    fn read(&self) -> RwLockReadGuard<'_, Kept> {
        self.kept.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Kept> {
        self.kept.write().unwrap_or_else(PoisonError::into_inner)
    }
}

fn caller(seat: &Seat, holder: &Holder, membership: Membership) -> Caller {
    let standing = Standing {
        user_id: seat.user_id,
        expires_at: seat.expires_at,
        ended: seat.ended,
        token_version: holder.person.token_version,
        user_disabled: holder.disabled,
    };
    Caller { standing, person: Arc::clone(&holder.person), membership }
}

impl Kept {
    fn forget(&mut self, change: Change) {
        self.trail.note(&change);
        match change {
            Change::Session(id) => self.sessions.remove(&id),
            Change::User(id) => self.users.remove(&id),
            Change::Account(id) => self.accounts.remove(&id),
            Change::Plans => self.accounts.clear(),
            Change::Keys => self.key_epoch += 1,
            Change::Unknown => {
                self.sessions.clear();
                self.users.clear();
                self.accounts.clear();
                self.key_epoch += 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tenure_domain::user::Role;

    const ID: SessionId = SessionId::from_bytes([1; 16]);
    const USER: UserId = UserId::from_bytes([2; 16]);

    fn seat(ended: bool) -> Seat {
        Seat { user_id: USER, expires_at: Timestamp::from_ms(9), ended }
    }

    fn holder() -> Holder {
        let person = Person {
            id: USER,
            account_id: None,
            email: "ada@example.com".into(),
            name: "Ada".into(),
            role: Role::User,
            token_version: 1,
            created_at: Timestamp::from_ms(1),
        };
        Holder { person: Arc::new(person), disabled: false }
    }

    fn loaded(ended: bool) -> Loaded {
        Loaded { seat: seat(ended), holder: holder(), membership: Membership::None }
    }

    fn found(looked: Looked) -> Option<Caller> {
        match looked {
            Looked::Found(caller) => Some(caller),
            Looked::Absent | Looked::Behind => None,
        }
    }

    #[test]
    fn a_load_that_the_feed_has_overtaken_serves_its_call_but_is_not_kept() {
        let view = View::at(7);
        // The row was read at 7; before it arrives, entry 8 ends the session and is applied.
        view.apply(Changes::Listed { upto: 8, entries: vec![Change::Session(ID)] }, None);
        assert!(!view.keep(7, ID, loaded(false)).standing.ended);
        assert!(found(view.find(ID)).is_none());
        view.keep(8, ID, loaded(true));
        assert!(found(view.find(ID)).unwrap().standing.ended);
    }

    #[test]
    fn a_load_ahead_of_the_view_may_be_kept() {
        let view = View::at(7);
        view.keep(9, ID, loaded(true));
        assert!(found(view.find(ID)).unwrap().standing.ended);
        view.apply(Changes::Listed { upto: 9, entries: vec![Change::Session(ID)] }, None);
        assert!(found(view.find(ID)).is_none());
    }

    #[test]
    fn nothing_is_found_by_a_stamp_other_than_the_one_the_feed_was_read_under() {
        let view = View::at(0);
        let (then, now) = (Some([1; 48]), Some([2; 48]));
        view.keep(0, ID, loaded(false));
        assert!(matches!(view.find_if_current(then, ID), Looked::Behind));
        view.apply(Changes::Listed { upto: 0, entries: vec![] }, then);
        assert!(matches!(view.find_if_current(then, ID), Looked::Found(_)));
        assert!(matches!(view.find_if_current(now, ID), Looked::Behind));
        // No stamp at all never counts as unchanged.
        view.apply(Changes::Listed { upto: 0, entries: vec![] }, None);
        assert!(matches!(view.find_if_current(None, ID), Looked::Behind));
        assert!(!view.is_current(None));
    }

    #[test]
    fn a_commit_while_the_feed_is_being_read_is_not_taken_for_read() {
        let view = View::at(0);
        view.keep(0, ID, loaded(false));
        let stamp = std::cell::Cell::new(Some([1; 48]));
        // The feed is read to its end, and then somebody ends the session.
        let read = |_| {
            stamp.set(Some([2; 48]));
            Ok(Changes::Listed { upto: 0, entries: vec![] })
        };
        view.catch_up(|| stamp.get(), read).unwrap();
        assert!(matches!(view.find_if_current(stamp.get(), ID), Looked::Behind));
        let read = |after| Ok(Changes::Listed { upto: after + 1, entries: vec![Change::Session(ID)] });
        view.catch_up(|| stamp.get(), read).unwrap();
        assert!(matches!(view.find_if_current(stamp.get(), ID), Looked::Absent));
        view.catch_up(|| stamp.get(), |_| panic!("nothing was committed")).unwrap();
    }

    #[test]
    fn a_lost_feed_forgets_everything_and_moves_the_key_epoch() {
        let view = View::at(0);
        view.keep(0, ID, loaded(false));
        let epoch = view.key_epoch();
        view.apply(Changes::Lost { upto: 50_000 }, None);
        assert!(found(view.find(ID)).is_none());
        assert_ne!(view.key_epoch(), epoch);
        assert_eq!(view.seq(), 50_000);
    }
}
