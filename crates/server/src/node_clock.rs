//! This machine's clock against the database's. Nodes share sessions, and so their times have to agree: a node
//! that is far ahead would call sessions expired that are not.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tenure_domain::time::{EXPIRY_GRACE, Timestamp};
use tenure_store::{Store, StoreError};
use tokio::time::Instant;

use crate::clock::Clock;

/// Between two measurements.
pub const EVERY: Duration = Duration::from_secs(10);

/// An answer that took longer says too little about the moment at which the other clock was read.
const ROUND_TRIP_MAX: Duration = Duration::from_secs(1);

/// Beyond this somebody should look at it. The protocol's own times tolerate it.
const WARN_MS: u64 = 2_000;

/// Beyond this the node is not ready for new traffic.
const UNFIT_MS: u64 = 10_000;

/// Between two warnings of the same.
const QUIET: Duration = Duration::from_secs(600);

/// How far this machine's clock is ahead of the database's; negative when it is behind. Milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offset(i64);

/// What an offset means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Fine,
    Warn,
    Unfit,
}

impl Offset {
    /// From one question to the database: when it was sent by this machine's clock, how long the answer took,
    /// and what it said. The other clock is taken to have been read in the middle. None if it took too long.
    fn measured(sent: Timestamp, round_trip: Duration, theirs: Timestamp) -> Option<Self> {
        (round_trip <= ROUND_TRIP_MAX)
            .then(|| Self((sent + round_trip / 2).as_ms().saturating_sub(theirs.as_ms())))
    }

    pub fn verdict(self) -> Verdict {
        match self.0.unsigned_abs() {
            ms if ms <= WARN_MS => Verdict::Fine,
            ms if ms <= UNFIT_MS => Verdict::Warn,
            _ => Verdict::Unfit,
        }
    }

    pub fn as_seconds(self) -> f64 {
        self.0 as f64 / 1_000.0
    }
}

impl std::fmt::Display for Offset {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let side = if self.0 < 0 { "behind" } else { "ahead of" };
        write!(f, "this machine's clock is {:.1} s {side} the database's", self.as_seconds().abs())
    }
}

/// What was measured last. A measurement that fails changes nothing.
#[derive(Default)]
pub struct NodeClock {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    offset: Option<Offset>,
    /// The database has none of its own.
    is_alone: bool,
    warned: Option<(Verdict, Instant)>,
}

impl NodeClock {
    /// Asks the database for its time, and logs a warning if the two differ by much. Does nothing where there
    /// is no other clock, and where this one is a test's.
    pub async fn measure(&self, clock: &dyn Clock, store: &dyn Store) -> Result<(), StoreError> {
        if !clock.is_of_this_machine() {
            return Ok(());
        }
        let (sent, begun) = (clock.now(), Instant::now());
        let Some(theirs) = store.clock().await? else {
            self.state.lock().unwrap_or_else(PoisonError::into_inner).is_alone = true;
            return Ok(());
        };
        if let Some(offset) = Offset::measured(sent, begun.elapsed(), theirs) {
            self.note(offset);
        }
        Ok(())
    }

    /// None before the first measurement.
    pub fn offset(&self) -> Option<Offset> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).offset
    }

    /// The last offset, if it is more than the grace minute makes up for: such a clock would end sessions before
    /// their time, or serve them after it.
    pub fn misjudges(&self) -> Option<Offset> {
        let grace = u64::try_from(EXPIRY_GRACE.as_millis()).unwrap_or(0);
        self.offset().filter(|offset| offset.0.unsigned_abs() > grace)
    }

    /// Whether no other clock says that this one misjudges. Not before the other was asked, where there is one.
    pub fn agrees(&self) -> bool {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let (offset, is_alone) = (state.offset, state.is_alone);
        drop(state);
        (offset.is_some() || is_alone) && self.misjudges().is_none()
    }

    fn note(&self, offset: Offset) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.offset = Some(offset);
        let verdict = offset.verdict();
        let said = state.warned.is_some_and(|(of, at)| of == verdict && at.elapsed() < QUIET);
        match verdict {
            Verdict::Fine => {
                if state.warned.take().is_some() {
                    tracing::info!(
                        offset_seconds = offset.as_seconds(),
                        "this machine's clock is right again"
                    );
                }
            }
            Verdict::Warn | Verdict::Unfit if said => {}
            Verdict::Warn | Verdict::Unfit => {
                state.warned = Some((verdict, Instant::now()));
                tracing::warn!(offset_seconds = offset.as_seconds(), "{offset}; is its time kept by NTP?");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: Timestamp = Timestamp::from_ms(1_795_000_000_000);

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn the_other_clock_is_read_in_the_middle_of_the_round_trip() {
        // Sent at noon, back 400 ms later: it was read at noon + 200 ms by a clock that is right.
        assert_eq!(Offset::measured(NOON, ms(400), NOON + ms(200)), Some(Offset(0)));
        assert_eq!(Offset::measured(NOON, ms(0), NOON - ms(3_000)), Some(Offset(3_000)));
        assert_eq!(Offset::measured(NOON, ms(1_000), NOON + ms(5_500)), Some(Offset(-5_000)));
        assert_eq!(Offset::measured(NOON, ms(1_001), NOON), None, "too slow to say anything");
    }

    #[test]
    fn two_seconds_are_tolerated_and_ten_are_too_many_either_way() {
        for sign in [1, -1] {
            let verdict = |ms: i64| Offset(sign * ms).verdict();
            assert_eq!([verdict(0), verdict(2_000)], [Verdict::Fine; 2]);
            assert_eq!([verdict(2_001), verdict(10_000)], [Verdict::Warn; 2]);
            assert_eq!([verdict(10_001), Offset(i64::MIN).verdict()], [Verdict::Unfit; 2]);
        }
    }

    #[test]
    fn it_is_said_which_clock_is_ahead() {
        assert_eq!(Offset(12_340).to_string(), "this machine's clock is 12.3 s ahead of the database's");
        assert_eq!(Offset(-2_600).to_string(), "this machine's clock is 2.6 s behind the database's");
    }
}
