//! The clock of the server under test.

use std::sync::atomic::{AtomicI64, Ordering};

use tenure::clock::{Clock, SystemClock};
use tenure_domain::time::Timestamp;

/// The real time, or one that stands still until it is moved.
pub enum WorldClock {
    Real,
    Virtual(AtomicI64),
}

impl WorldClock {
    /// Moves a virtual clock, forward or back. False on the real one.
    pub fn set(&self, ms: i64) -> bool {
        self.moved(|clock| clock.store(ms, Ordering::SeqCst))
    }

    /// Moves a virtual clock on; back, if negative. False on the real one.
    pub fn advance(&self, ms: i64) -> bool {
        self.moved(|clock| {
            clock.fetch_add(ms, Ordering::SeqCst);
        })
    }

    fn moved(&self, moving: impl FnOnce(&AtomicI64)) -> bool {
        match self {
            WorldClock::Real => false,
            WorldClock::Virtual(clock) => {
                moving(clock);
                true
            }
        }
    }
}

impl Clock for WorldClock {
    fn now(&self) -> Timestamp {
        match self {
            WorldClock::Real => SystemClock.now(),
            WorldClock::Virtual(clock) => Timestamp::from_ms(clock.load(Ordering::SeqCst)),
        }
    }
}
