//! Whether this machine's clock is believed where it decides what cannot be undone (docs/decisions/0024).
//!
//! A clock that leaps while the server runs is watched. One that is wrong from the start leaps nowhere; so it is held against what
//! time it was when the database was last used.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tenure_domain::time::Timestamp;
use tenure_store::{ClockMark, EventFilter, StoreError};

use crate::App;

/// By how much the time may have gone on, or back, since the database was last used.
const SPAN: Duration = Duration::from_secs(2 * 86_400);

/// How long a clock has to stand until it ends sessions, as long as one that leaps.
const BEFORE_ENDS: Duration = Duration::from_secs(3_600);

/// How long it has to stand until it deletes, which is in no hurry: somebody has looked at the alarm by then.
const BEFORE_DELETES: Duration = Duration::from_secs(86_400);

/// How long a claim is remembered of a server that did not run long enough to be believed.
const CLAIM_KEPT: Duration = Duration::from_secs(30 * 86_400);

/// How old what the database remembers of a believed clock becomes.
const REMEMBERED_EVERY: Duration = Duration::from_secs(3_600);

/// For what the clock is believed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Belief {
    /// Nobody has looked yet.
    #[default]
    Unknown,
    /// It says another time altogether.
    Doubted,
    /// It does so still, and has stood for long enough to end sessions.
    Ends,
    Believed,
}

/// What was made of the clock last.
#[derive(Default)]
pub struct ClockBelief {
    weighed: Mutex<Weighed>,
}

#[derive(Clone, Copy, Default)]
struct Weighed {
    belief: Belief,
    /// What it said then; nothing before.
    said: Option<Timestamp>,
}

impl Weighed {
    /// For what a clock is believed that says `now`: one that has gone to another time since was not weighed.
    fn belief_at(self, now: Timestamp) -> Belief {
        self.said.filter(|said| apart(*said, now) <= SPAN).map_or(Belief::Unknown, |_| self.belief)
    }
}

fn apart(one: Timestamp, other: Timestamp) -> Duration {
    one.since(other).max(other.since(one))
}

impl ClockBelief {
    fn get(&self) -> MutexGuard<'_, Weighed> {
        self.weighed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether it says another time altogether than the database remembers, and has not stood for a day.
    pub fn is_doubted(&self) -> bool {
        matches!(self.get().belief, Belief::Doubted | Belief::Ends)
    }

    fn note(&self, belief: Belief, mark: ClockMark, now: Timestamp) {
        let was = std::mem::replace(&mut *self.get(), Weighed { belief, said: Some(now) }).belief;
        let remembered = mark.at;
        match (was, belief) {
            (Belief::Unknown | Belief::Believed, Belief::Doubted | Belief::Ends) => tracing::error!(
                %now, %remembered,
                "the clock says another time altogether than when the database was last used: no session ends by it for an \
                 hour, and nothing is deleted by it for a day; then it is believed"
            ),
            (Belief::Doubted | Belief::Ends, Belief::Believed) => {
                tracing::warn!(%now, "the clock is believed again");
            }
            _ => {}
        }
    }
}

/// What to make of a clock that says `now`, and what to remember of it.
fn weigh(mark: ClockMark, now: Timestamp) -> (Belief, ClockMark) {
    let believed = ClockMark { at: now, claimed_at: None };
    let apart = apart(now, mark.at);
    if apart <= SPAN {
        let is_fresh = apart < REMEMBERED_EVERY && mark.claimed_at.is_none();
        return (Belief::Believed, if is_fresh { mark } else { believed });
    }
    // The first claim counts, also of a server that did not run for long after it.
    let is_of_this_clock = |at: &Timestamp| *at <= now && now.since(*at) <= CLAIM_KEPT;
    let claimed_at = mark.claimed_at.filter(is_of_this_clock).unwrap_or(now);
    let claimed = ClockMark { at: mark.at, claimed_at: Some(claimed_at) };
    match now.since(claimed_at) {
        stood if stood >= BEFORE_DELETES => (Belief::Believed, believed),
        stood if stood >= BEFORE_ENDS => (Belief::Ends, claimed),
        _ => (Belief::Doubted, claimed),
    }
}

impl App {
    /// Weighs the clock, which says `now`, against what the database remembers. Nothing is learned from one that has leapt, or
    /// that the database's own does not agree with.
    pub async fn weigh_clock(&self, now: Timestamp) -> Result<(), StoreError> {
        let is_silent = self.clock.leap().is_some() || !self.node_clock.agrees();
        if !self.clock.is_of_this_machine() || is_silent {
            return Ok(());
        }
        let remembered = self.store.clock_mark().await?;
        let known = match remembered {
            Some(mark) => mark,
            None => self.first_mark(now).await?,
        };
        let (belief, mark) = weigh(known, now);
        if remembered != Some(mark) {
            self.store.clock_mark_set(mark).await?;
        }
        self.clock_belief.note(belief, mark, now);
        self.metrics.clock_doubted.set(i64::from(self.clock_belief.is_doubted()));
        Ok(())
    }

    /// What a database remembers that has remembered nothing yet: its last event, or nothing else than `now`.
    async fn first_mark(&self, now: Timestamp) -> Result<ClockMark, StoreError> {
        let last = self.store.event_list(EventFilter::default(), 1).await?;
        Ok(ClockMark { at: last.first().map_or(now, |event| event.what.at), claimed_at: None })
    }

    /// Whether what is old by the clock may be deleted for good. A test's clock may do everything.
    pub fn may_delete_by_clock(&self, now: Timestamp) -> bool {
        !self.clock.is_of_this_machine()
            || (self.clock_belief.get().belief_at(now) == Belief::Believed
                && self.clock.leap().is_none()
                && self.node_clock.agrees())
    }

    /// Whether a session whose time is over by the clock has ended. Always in development, where a server rests for weeks
    /// between two mornings.
    pub fn may_end_by_clock(&self, now: Timestamp) -> bool {
        !self.clock.is_of_this_machine()
            || self.settled.development
            || self.clock_belief.get().belief_at(now) >= Belief::Ends
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: Timestamp = Timestamp::from_ms(1_795_000_000_000);
    const MINUTE: Duration = Duration::from_secs(60);
    const HOUR: Duration = Duration::from_secs(3_600);
    const DAY: Duration = Duration::from_secs(86_400);

    /// A database that was last used at noon, and what it remembers.
    struct Database(ClockMark);

    impl Database {
        fn new() -> Self {
            Self(ClockMark { at: NOON, claimed_at: None })
        }

        /// What is made of a clock that says this.
        fn says(&mut self, now: Timestamp) -> Belief {
            let (belief, mark) = weigh(self.0, now);
            self.0 = mark;
            belief
        }
    }

    #[test]
    fn a_clock_that_has_gone_elsewhere_since_it_was_weighed_is_believed_for_nothing() {
        let weighed = Weighed { belief: Belief::Believed, said: Some(NOON) };
        assert_eq!(weighed.belief_at(NOON + MINUTE), Belief::Believed);
        for now in [NOON + 3 * DAY, NOON - 3 * DAY] {
            assert_eq!(weighed.belief_at(now), Belief::Unknown);
        }
        assert_eq!(Weighed::default().belief_at(NOON), Belief::Unknown);
    }

    #[test]
    fn nights_and_weekends_are_no_doubt_and_the_time_that_is_remembered_goes_on() {
        let mut database = Database::new();
        for now in [NOON, NOON + MINUTE, NOON - MINUTE] {
            assert_eq!(database.says(now), Belief::Believed);
            assert_eq!(database.0.at, NOON, "not each minute");
        }
        for now in [NOON + HOUR, NOON + 2 * DAY, NOON + 4 * DAY, NOON + 3 * DAY] {
            assert_eq!(database.says(now), Belief::Believed);
            assert_eq!(database.0, ClockMark { at: now, claimed_at: None });
        }
    }

    #[test]
    fn a_clock_that_is_wrong_by_anything_ends_nothing_for_an_hour_and_deletes_nothing_for_a_day() {
        let ahead = [3 * DAY, 120 * DAY, 30_000 * DAY].map(|span| NOON + span);
        let behind = [3 * DAY, 120 * DAY, 20_000 * DAY].map(|span| NOON - span);
        for wrong in ahead.into_iter().chain(behind) {
            let mut database = Database::new();
            assert_eq!(database.says(wrong), Belief::Doubted);
            assert_eq!(database.says(wrong + HOUR - MINUTE), Belief::Doubted);
            assert_eq!(database.says(wrong + HOUR), Belief::Ends);
            assert_eq!(database.says(wrong + DAY - MINUTE), Belief::Ends);
            // It is mended, and nothing is left of it.
            assert_eq!(database.says(NOON + DAY), Belief::Believed);
            assert_eq!(database.says(wrong + DAY), Belief::Doubted, "the claim begins anew");
        }
    }

    #[test]
    fn who_was_off_for_long_is_believed_after_a_day_however_often_it_starts() {
        let mut database = Database::new();
        let back = NOON + 30 * DAY;
        for hour in 0..24 {
            assert_ne!(database.says(back + HOUR * hour), Belief::Believed);
        }
        assert_eq!(database.says(back + DAY), Belief::Believed);
        assert_eq!(database.says(back + DAY + MINUTE), Belief::Believed);

        // Half an hour a week, each on a machine that has just been started.
        let mut database = Database::new();
        let weeks = [Belief::Doubted, Belief::Believed, Belief::Doubted, Belief::Believed];
        for (week, belief) in (1..).zip(weeks) {
            assert_eq!(database.says(NOON + 7 * DAY * week), belief, "{week}");
        }
    }

    #[test]
    fn a_claim_of_a_clock_that_says_yet_another_time_is_none() {
        let mut database = Database::new();
        assert_eq!(database.says(NOON - 20_000 * DAY), Belief::Doubted);
        assert_eq!(database.says(NOON + 120 * DAY), Belief::Doubted);
        assert_eq!(database.says(NOON + 100 * DAY), Belief::Doubted);
        assert_eq!(database.says(NOON + 100 * DAY + HOUR), Belief::Ends);
    }
}
