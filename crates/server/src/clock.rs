//! Where time and randomness come from: injected, so that tests have their own.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tenure_domain::time::Timestamp;
use tenure_store::Entropy;

/// Where the time comes from. The server reads it once per request.
pub trait Clock: Send + Sync {
    fn now(&self) -> Timestamp;

    /// By how many seconds the machine's clock was set ahead, not long ago, or back; none if it was not, or not by much. It is
    /// not gone by for now (docs/operations.md).
    fn leap(&self) -> Option<f64> {
        None
    }

    /// Whether it is this machine's, which should agree with those of others. A test's need not.
    fn is_of_this_machine(&self) -> bool {
        false
    }
}

/// The operating system's clock, as it is, for commands that run for a moment. It is no [`Clock`], so that no server can
/// go by it unwatched.
pub struct SystemClock;

impl SystemClock {
    #[allow(clippy::disallowed_methods)] // The one place that reads it.
    pub fn now(&self) -> Timestamp {
        let since_epoch =
            std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        Timestamp::from_ms(i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX))
    }
}

/// The operating system's clock, held against the time that passed since the machine was started, its sleep included:
/// nobody can set that one.
///
/// A clock that is set by days would end every session that is not as old as it says, and what has ended does not come back
/// with the clock. So a leap, ahead or back, is not gone along with until it has stood for a while: the time goes on from
/// where it was.
pub struct WatchedClock {
    watch: Mutex<Watch>,
}

/// By how much the clock is ahead of the time that passed, milliseconds.
struct Watch {
    /// When it was last trusted.
    trusted: i64,
    /// Where it has leapt to, and when, in time that passed. None while it is trusted.
    leapt: Option<(i64, i64)>,
}

/// What a clock may be set by at once, milliseconds. NTP corrects by less, unless it corrects what was wrong before.
const LEAP: i64 = 5 * 60 * 1000;

/// How long after its start a machine may have a clock that nobody has set yet, milliseconds.
const UNSET: i64 = 15 * 60 * 1000;

/// How long a clock has to stand where it leapt to until it is trusted again, milliseconds: whoever runs the machine has
/// been warned by then.
const PROBATION: i64 = 60 * 60 * 1000;

impl Watch {
    /// The time, from what the clock says and the time that passed since the machine was started.
    fn time(&mut self, wall: i64, passed: i64) -> i64 {
        self.note(wall - passed, passed);
        self.trusted + passed
    }

    fn note(&mut self, lead: i64, passed: i64) {
        let is_step = (lead - self.trusted).abs() <= LEAP;
        if is_step || passed <= UNSET {
            self.trusted = lead;
            if self.leapt.take().is_some() {
                tracing::warn!("the clock is back where it was before it leapt");
            }
            return;
        }
        match self.leapt {
            Some((to, since)) if (lead - to).abs() <= LEAP => {
                if passed - since >= PROBATION {
                    *self = Self { trusted: lead, leapt: None };
                    tracing::warn!("the clock has stood for an hour where it leapt to, and is trusted again");
                }
            }
            _ => {
                self.leapt = Some((lead, passed));
                let seconds = (lead - self.trusted) / 1000;
                tracing::error!(
                    seconds,
                    "the clock has leapt, and is not gone by until it has stood for an hour"
                );
            }
        }
    }
}

impl WatchedClock {
    /// Trusts the clock as it is now.
    pub fn starting_now() -> Self {
        let trusted = SystemClock.now().as_ms() - passed();
        Self { watch: Mutex::new(Watch { trusted, leapt: None }) }
    }

    fn watch(&self) -> MutexGuard<'_, Watch> {
        self.watch.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Clock for WatchedClock {
    fn now(&self) -> Timestamp {
        // Read under the lock, so that nobody notes an older time after a newer one.
        let mut watch = self.watch();
        Timestamp::from_ms(watch.time(SystemClock.now().as_ms(), passed()))
    }

    fn leap(&self) -> Option<f64> {
        let watch = self.watch();
        watch.leapt.map(|(to, _)| (to - watch.trusted) as f64 / 1000.0)
    }

    fn is_of_this_machine(&self) -> bool {
        true
    }
}

/// Since the machine was started, milliseconds.
fn passed() -> i64 {
    let passed = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    passed.tv_sec.saturating_mul(1000).saturating_add(passed.tv_nsec / 1_000_000)
}

/// The operating system's randomness.
pub struct SystemEntropy;

impl Entropy for SystemEntropy {
    fn fill(&self, bytes: &mut [u8]) {
        // It fails only where the kernel has no randomness at all, and then nothing may be handed out.
        if aws_lc_rs::rand::fill(bytes).is_err() {
            std::process::abort();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1000;
    const MINUTE: i64 = 60 * SECOND;
    const HOUR: i64 = 60 * MINUTE;
    const DAY: i64 = 24 * HOUR;

    /// A clock beside the time that passes, on a machine that was started a day ago.
    struct Machine {
        watch: Watch,
        passed: i64,
        ahead: i64,
    }

    impl Machine {
        fn started(passed: i64) -> Self {
            Self { watch: Watch { trusted: 0, leapt: None }, passed, ahead: 0 }
        }

        /// Lets time pass, sets the clock, and tells by how much the time is ahead of the one that passed, and whether the
        /// clock has leapt.
        fn after(&mut self, passed: i64, set_by: i64) -> (i64, bool) {
            self.passed += passed;
            self.ahead += set_by;
            let time = self.watch.time(self.passed + self.ahead, self.passed);
            (time - self.passed, self.watch.leapt.is_some())
        }
    }

    #[test]
    fn a_leap_is_not_gone_along_with_for_an_hour() {
        for leap in [LEAP + 1, HOUR, 30 * DAY, -HOUR, -30 * DAY] {
            let mut machine = Machine::started(DAY);
            assert_eq!(machine.after(DAY, 0), (0, false));
            assert_eq!(machine.after(0, leap), (0, true), "{leap}");
            assert_eq!(machine.after(HOUR - 1, 0), (0, true));
            assert_eq!(machine.after(1, 0), (leap, false), "what has stood for an hour is the time");
            assert_eq!(machine.after(20 * DAY, 0), (leap, false));
        }
    }

    #[test]
    fn sleep_slow_corrections_and_small_steps_are_no_leap() {
        let mut machine = Machine::started(DAY);
        assert_eq!(machine.after(9 * HOUR, 0), (0, false), "the time that passes includes sleep");
        for minute in 1..1000 {
            assert_eq!(machine.after(MINUTE, SECOND), (minute * SECOND, false));
        }
        let so_far = 999 * SECOND;
        assert_eq!(machine.after(MINUTE, LEAP), (so_far + LEAP, false));
        assert_eq!(machine.after(MINUTE, -LEAP), (so_far, false));
    }

    #[test]
    fn a_clock_that_comes_back_is_trusted_at_once_and_one_that_leaps_again_begins_its_hour_anew() {
        let mut machine = Machine::started(DAY);
        assert_eq!(machine.after(MINUTE, 30 * DAY), (0, true));
        assert_eq!(machine.after(MINUTE, -30 * DAY + SECOND), (SECOND, false));
        assert_eq!(machine.after(MINUTE, -30 * DAY), (SECOND, true));
        assert_eq!(machine.after(MINUTE, 30 * DAY), (SECOND, false));
        assert_eq!(machine.after(MINUTE, DAY), (SECOND, true));
        assert_eq!(machine.after(59 * MINUTE, DAY), (SECOND, true));
        assert_eq!(machine.after(MINUTE, 0), (SECOND, true), "it leapt again a minute ago");
        assert_eq!(machine.after(59 * MINUTE, 0), (2 * DAY + SECOND, false));
    }

    #[test]
    fn a_machine_that_has_just_started_may_still_have_to_set_its_clock() {
        let mut machine = Machine::started(0);
        assert_eq!(machine.after(MINUTE, 20_000 * DAY), (20_000 * DAY, false));
        assert_eq!(machine.after(UNSET, DAY), (20_000 * DAY, true));
    }

    #[test]
    fn the_machines_own_clock_stands() {
        let clock = WatchedClock::starting_now();
        clock.now();
        assert_eq!(clock.leap(), None);
    }
}
