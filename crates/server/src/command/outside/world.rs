//! What all visitors share: the system, the profile of it, the accounts, and what is known of its clock.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use super::browser::State;
use super::profile::Profile;
use super::target::Target;
use super::wire::{Answer, Wire};
use crate::clock::SystemClock;

/// A clock that is off by less is taken to be right: a date of HTTP has whole seconds, and was under way.
const SKEW_MIN_MS: i64 = 2_500;

/// No Debug: it holds a password.
pub struct Credentials {
    pub email: String,
    pub password: String,
}

pub struct World {
    pub profile: Profile,
    pub target: Target,
    pub wire: Wire,
    pub who: Credentials,
    /// A second account.
    pub other: Option<Credentials>,
    /// How long may be waited for a token to expire.
    pub wait: Duration,
    /// How often a sign-in that is limited is tried again.
    pub patience: u32,
    pub opened: RefCell<Vec<Rc<RefCell<State>>>>,
    pub onlooker: RefCell<Option<Rc<RefCell<State>>>>,
    pub skew_ms: Cell<Option<i64>>,
    /// The hook that takes back what another one has done just now.
    pub owed: Cell<Option<&'static str>>,
}

impl World {
    /// Nobody has signed in yet, and nothing is waited for.
    pub fn new(profile: Profile, target: Target, wire: Wire, who: Credentials) -> Self {
        Self {
            profile,
            target,
            wire,
            who,
            other: None,
            wait: Duration::ZERO,
            patience: 0,
            opened: Default::default(),
            onlooker: Default::default(),
            skew_ms: Default::default(),
            owed: Default::default(),
        }
    }

    /// What the system's clock shows.
    pub fn now_ms(&self) -> i64 {
        let skew = self.skew_ms.get().filter(|skew| skew.abs() > SKEW_MIN_MS).unwrap_or_default();
        SystemClock.now().as_ms() + skew
    }

    pub fn learn(&self, answer: &Answer) {
        if let Some(skew) = answer.skew_ms() {
            self.skew_ms.set(Some(skew));
        }
    }

    /// Where the pages are from which requests come.
    pub fn page_origin(&self) -> String {
        self.profile.origin.clone().unwrap_or_else(|| self.target.origin())
    }
}
