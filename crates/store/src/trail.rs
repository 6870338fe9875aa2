//! The trail: which sessions, users and accounts have changed lately, in the order in which the view heard of it.
//!
//! Whoever tells others of it keeps a position and asks what came after. It is bounded, and who asks too late, or
//! from before something that could not be told apart, is told that it is lost and begins anew.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use tenure_domain::id::{AccountId, SessionId, UserId};
use tenure_domain::user::Role;

use crate::view::Change;

/// Most changes kept, of some twenty bytes each; one read of the feed brings at most half of them.
const KEPT_MAX: usize = 10_000;

/// What has become of a session that changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionNow {
    /// It has ended, or its row is gone.
    Ended,
    /// Something of it was changed by hand: whether a token of it stands, `caller` tells.
    Other,
}

/// What has become of a user who changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UserNow {
    /// Of their access tokens those of this version stand, unless their session has ended.
    Stands { token_version: u32, role: Role },
    /// No token of theirs stands until they are enabled, and then none of an earlier version.
    Disabled { token_version: u32 },
    /// They are deleted, and no token of theirs stands.
    Gone,
    /// The row cannot be read: whether a token of theirs stands, `caller` tells.
    Unreadable,
}

/// Who has changed since a position, as they are now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Changed {
    /// All of them, each once. The position to ask from next is `upto`.
    Named {
        upto: u64,
        sessions: Vec<(SessionId, SessionNow)>,
        users: Vec<(UserId, UserNow)>,
        /// Says nothing about whether a token stands, but of what its bearer may do.
        accounts: Vec<AccountId>,
        /// Some plan has changed, and with it any account that has one.
        plans: bool,
    },
    /// It cannot be told: too many, or too long ago, or nobody knows what it was. Anything may have changed.
    Lost { upto: u64 },
}

enum Named {
    Session(SessionId),
    User(UserId),
    Account(AccountId),
    Plans,
}

/// What has changed since a position.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Since {
    Named { upto: u64, names: Names },
    Lost { upto: u64 },
}

#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Names {
    pub sessions: BTreeSet<SessionId>,
    pub users: BTreeSet<UserId>,
    pub accounts: BTreeSet<AccountId>,
    pub plans: bool,
}

#[derive(Default)]
pub(crate) struct Trail {
    /// The position before the oldest change that is kept.
    start: u64,
    named: VecDeque<Named>,
}

impl Trail {
    pub fn note(&mut self, change: &Change) {
        match change {
            Change::Session(id) => self.named.push_back(Named::Session(*id)),
            Change::User(id) => self.named.push_back(Named::User(*id)),
            Change::Account(id) => self.named.push_back(Named::Account(*id)),
            Change::Plans => self.named.push_back(Named::Plans),
            // They are nobody's.
            Change::Keys => return,
            Change::Unknown => return self.break_off(),
        }
        if self.named.len() > KEPT_MAX {
            self.named.pop_front();
            self.start += 1;
        }
    }

    /// Something has changed of which nobody knows what it was.
    pub fn break_off(&mut self) {
        self.start = self.upto() + 1;
        self.named.clear();
    }

    /// What came after a position; without one, nothing but where to go on from.
    pub fn since(&self, position: Option<u64>) -> Since {
        let upto = self.upto();
        let position = position.unwrap_or(upto);
        if !(self.start..=upto).contains(&position) {
            return Since::Lost { upto };
        }
        let mut names = Names::default();
        let known = usize::try_from(position - self.start).unwrap_or(usize::MAX);
        for named in self.named.iter().skip(known) {
            match named {
                Named::Session(id) => drop(names.sessions.insert(*id)),
                Named::User(id) => drop(names.users.insert(*id)),
                Named::Account(id) => drop(names.accounts.insert(*id)),
                Named::Plans => names.plans = true,
            }
        }
        Since::Named { upto, names }
    }

    fn upto(&self) -> u64 {
        self.start + self.named.len() as u64
    }
}

impl Changed {
    /// Of those who changed, given what is found of them now: who is not found is gone.
    pub(crate) fn found(
        upto: u64,
        names: Names,
        alive: &BTreeSet<SessionId>,
        found: &BTreeMap<UserId, UserNow>,
    ) -> Self {
        let session = |id| (id, if alive.contains(&id) { SessionNow::Other } else { SessionNow::Ended });
        let user = |id| (id, found.get(&id).copied().unwrap_or(UserNow::Gone));
        Self::Named {
            upto,
            sessions: names.sessions.into_iter().map(session).collect(),
            users: names.users.into_iter().map(user).collect(),
            accounts: names.accounts.into_iter().collect(),
            plans: names.plans,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(number: u64) -> SessionId {
        SessionId::from_bytes(u128::from(number).to_be_bytes())
    }

    #[test]
    fn every_change_is_told_once_to_whoever_asks_in_time() {
        let mut trail = Trail::default();
        let Since::Named { upto: mut position, .. } = trail.since(None) else { panic!("lost at once") };
        for number in 0..3 * KEPT_MAX as u64 {
            trail.note(&Change::Session(session(number)));
            trail.note(&Change::Keys);
            if number % 777 == 0 {
                let Since::Named { upto, names } = trail.since(Some(position)) else { panic!("lost") };
                assert!(names.users.is_empty() && names.sessions.contains(&session(number)));
                assert_eq!(names.sessions.len() as u64, upto - position);
                position = upto;
            }
        }
        assert_eq!(trail.named.len(), KEPT_MAX);
    }

    #[test]
    fn whoever_asks_too_late_is_lost_and_so_is_everybody_after_an_unknown_change() {
        let mut trail = Trail::default();
        let many = KEPT_MAX as u64 + 1;
        (0..many).for_each(|number| trail.note(&Change::Session(session(number))));
        assert_eq!(trail.since(Some(0)), Since::Lost { upto: many });
        assert!(matches!(trail.since(Some(1)), Since::Named { .. }));
        assert!(matches!(trail.since(Some(many)), Since::Named { .. }));
        trail.note(&Change::Unknown);
        let Since::Lost { upto } = trail.since(Some(many)) else { panic!("passed over in silence") };
        assert_eq!(trail.since(Some(upto)), Since::Named { upto, names: Names::default() });
        // A position of another process, that lies ahead of ours.
        assert!(matches!(trail.since(Some(upto + 1)), Since::Lost { .. }));
    }

    #[test]
    fn accounts_and_plans_are_told_as_well_and_once() {
        let mut trail = Trail::default();
        let account = AccountId::from_bytes([3; 16]);
        for change in [Change::Account(account), Change::Plans, Change::Account(account), Change::Plans] {
            trail.note(&change);
        }
        let names = Names { accounts: [account].into(), plans: true, ..Names::default() };
        assert_eq!(trail.since(Some(0)), Since::Named { upto: 4, names });
    }
}
