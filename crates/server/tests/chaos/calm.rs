//! Whether something is being broken just now: what is measured then says nothing of a cluster that is well.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// After trouble everybody connects again, and has much to catch up with.
pub const RECOVERY: Duration = Duration::from_secs(5);

/// How often each kind of trouble was made, and whether there is any.
pub struct Calm {
    state: Mutex<State>,
}

struct State {
    troubles: usize,
    /// When the last trouble ended, if there is none.
    since: Instant,
    tally: BTreeMap<&'static str, u64>,
}

/// Trouble as long as it is held.
pub struct Trouble(Arc<Calm>);

impl Calm {
    pub fn new() -> Arc<Self> {
        let state = State { troubles: 0, since: crate::now(), tally: BTreeMap::new() };
        Arc::new(Self { state: Mutex::new(state) })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn trouble(self: &Arc<Self>, what: &'static str) -> Trouble {
        let mut state = self.state();
        state.troubles += 1;
        *state.tally.entry(what).or_default() += 1;
        Trouble(Arc::clone(self))
    }

    /// Whether there has been no trouble from `then`, with everybody recovered, until now.
    pub fn was_since(&self, then: Instant) -> bool {
        let state = self.state();
        state.troubles == 0 && state.since + RECOVERY < then
    }

    pub fn count(&self, what: &str) -> u64 {
        self.state().tally.get(what).copied().unwrap_or_default()
    }

    pub fn tally(&self) -> BTreeMap<&'static str, u64> {
        self.state().tally.clone()
    }
}

impl Drop for Trouble {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.troubles -= 1;
        state.since = crate::now();
    }
}
