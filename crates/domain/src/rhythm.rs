//! When a session was refreshed lately, kept in a few bytes beside its row, and what that tells of the browser. For those
//! who explain a session; nothing is decided by it.

use std::time::Duration;

use crate::rotation::Rotation;
use crate::session::Session;
use crate::time::Timestamp;

/// Refreshes of a session that are kept.
pub const REFRESHES_KEPT: usize = 20;

/// Of one: half minutes since the sign-in, big-endian. They reach 22 days; of what is later only that it was is kept.
const BYTES_OF_ONE: usize = size_of::<u16>();
const UNIT: Duration = Duration::from_secs(30);

/// What a row keeps: the newest first, so that the oldest falls off the end; zeros where there is none yet.
pub const BYTES_KEPT: usize = REFRESHES_KEPT * BYTES_OF_ONE;

/// Refreshes that follow each other faster are one that came again: a reload, or an answer that was lost.
const AGAIN: Duration = Duration::from_secs(90);

/// What is to be kept besides of a presentation that moved the row to `to`: nothing, if it was of a dead token.
pub fn note(session: &Session, to: &Rotation, now: Timestamp) -> Option<[u8; BYTES_OF_ONE]> {
    let is_served = Rotation { contested_at: session.rotation.contested_at, ..*to } != session.rotation;
    let units = (now.since(session.created_at).as_secs() / UNIT.as_secs()).max(1);
    is_served.then(|| u16::try_from(units).unwrap_or(u16::MAX).to_be_bytes())
}

/// What is kept after that.
pub fn noted(kept: [u8; BYTES_KEPT], note: Option<[u8; BYTES_OF_ONE]>) -> [u8; BYTES_KEPT] {
    let Some(note) = note else { return kept };
    let mut after = kept;
    after.copy_within(..BYTES_KEPT - BYTES_OF_ONE, BYTES_OF_ONE);
    after[..BYTES_OF_ONE].copy_from_slice(&note);
    after
}

/// The kept refreshes, oldest first, to half a minute.
pub fn read(kept: &[u8], created_at: Timestamp) -> Vec<Timestamp> {
    let (whole, _) = kept.as_chunks::<BYTES_OF_ONE>();
    let units = whole.iter().rev().map(|bytes| u16::from_be_bytes(*bytes));
    let known = units.filter(|units| !matches!(*units, 0 | u16::MAX));
    known.map(|units| created_at + UNIT * u32::from(units)).collect()
}

/// Refreshes without a gap between them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    pub first: Timestamp,
    pub last: Timestamp,
    pub count: usize,
    /// The shortest and the longest time from one to the next.
    pub every: Option<(Duration, Duration)>,
}

/// A time in which a page that is open, awake and online would have refreshed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    pub from: Timestamp,
    pub to: Timestamp,
}

impl Gap {
    pub fn length(&self) -> Duration {
        self.to.since(self.from)
    }
}

/// What a session's refreshes tell: runs, and the gaps between and after them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rhythm {
    pub runs: Vec<Run>,
    pub gaps: Vec<Gap>,
}

impl Rhythm {
    /// Of refreshes in the order of time, up to `until`, when it was asked or the session was over. `since` is the sign-in, if
    /// no earlier refresh has been forgotten.
    pub fn of(
        refreshes: &[Timestamp],
        since: Option<Timestamp>,
        until: Timestamp,
        access_lifetime: Duration,
    ) -> Self {
        let mut rhythm = Rhythm::default();
        let mut before = since;
        for &at in refreshes {
            if let Some(before) = before
                && rhythm.is_gap(before, at, access_lifetime)
            {
                rhythm.runs.push(Run { first: at, last: at, count: 1, every: None });
            } else {
                rhythm.go_on(before, at);
            }
            before = Some(at);
        }
        if let Some(last) = before {
            rhythm.is_gap(last, until, access_lifetime);
        }
        rhythm
    }

    /// Notes a gap, if it is one. A page refreshes before its access token expires, so a second lifetime is ample time for
    /// a network that was slow or a tab that was in the background.
    fn is_gap(&mut self, from: Timestamp, to: Timestamp, access_lifetime: Duration) -> bool {
        let is_gap = to.since(from) > access_lifetime * 2;
        self.gaps.extend(is_gap.then_some(Gap { from, to }));
        is_gap
    }

    /// The time from the sign-in to the first refresh is like any other.
    fn go_on(&mut self, before: Option<Timestamp>, at: Timestamp) {
        let Some(run) = self.runs.last_mut() else {
            let every = before.map(|before| at.since(before)).map(|span| (span, span));
            self.runs.push(Run { first: at, last: at, count: 1, every });
            return;
        };
        let span = at.since(run.last);
        run.last = at.max(run.last);
        if span < AGAIN {
            return;
        }
        run.count += 1;
        let (shortest, longest) = run.every.unwrap_or((span, span));
        run.every = Some((shortest.min(span), longest.max(span)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::{SessionId, UserId};
    use crate::rotation::Generation;

    const SIGN_IN: Timestamp = Timestamp::from_ms(1_795_000_000_000);
    const MINUTE: Duration = Duration::from_secs(60);
    const LIFETIME: Duration = Duration::from_secs(900);

    fn at(minutes: u32) -> Timestamp {
        SIGN_IN + MINUTE * minutes
    }

    fn session() -> Session {
        Session {
            id: SessionId::from_bytes([1; 16]),
            user_id: UserId::from_bytes([2; 16]),
            salt: [3; 16],
            remembered: true,
            created_at: SIGN_IN,
            expires_at: SIGN_IN + Duration::from_secs(20 * 86_400),
            rotation: Rotation::at_sign_in(SIGN_IN),
            ended: None,
        }
    }

    fn rhythm(minutes: &[u32], since: Option<u32>, until: u32) -> Rhythm {
        let refreshes: Vec<_> = minutes.iter().map(|minutes| at(*minutes)).collect();
        Rhythm::of(&refreshes, since.map(at), at(until), LIFETIME)
    }

    fn run(first: u32, last: u32, count: usize, every: Option<(u32, u32)>) -> Run {
        let every = every.map(|(shortest, longest)| (MINUTE * shortest, MINUTE * longest));
        Run { first: at(first), last: at(last), count, every }
    }

    #[test]
    fn what_is_kept_is_read_to_half_a_minute_and_in_the_order_of_time() {
        let session = session();
        let note = |now| {
            let to =
                Rotation { base: Generation(1), head: Generation(2), handed_at: now, ..session.rotation };
            note(&session, &to, now)
        };
        let times = [at(12), at(24), at(20 * 24 * 60)];
        let kept = times
            .into_iter()
            .fold([0; BYTES_KEPT], |kept, at| noted(kept, note(at + Duration::from_millis(29_999))));
        assert_eq!(read(&kept, SIGN_IN), times);
        // A server whose clock is behind, and a session that lasts for a year.
        assert_eq!(note(SIGN_IN - MINUTE), Some([0, 1]));
        assert_eq!(note(at(365 * 24 * 60)), Some([0xff; 2]));
        assert_eq!(read(&noted(kept, Some([0xff; 2])), SIGN_IN), times);
        // Of damaged bytes what is whole.
        assert_eq!(read(&kept[..3], SIGN_IN), times[2..]);
        assert_eq!(read(&[], SIGN_IN), []);
    }

    #[test]
    fn the_oldest_makes_room_for_the_newest() {
        let kept = (1..=25u8).fold([0; BYTES_KEPT], |kept, number| noted(kept, Some([0, number])));
        let half_minutes = |units: u32| SIGN_IN + UNIT * units;
        assert_eq!(read(&kept, SIGN_IN), (6..=25).map(half_minutes).collect::<Vec<_>>());
        assert_eq!(noted(kept, None), kept);
    }

    #[test]
    fn a_dead_token_that_leaves_its_mark_is_no_refresh() {
        let session = session();
        let marked = Rotation { contested_at: Some(at(12)), ..session.rotation };
        assert_eq!(note(&session, &marked, at(12)), None);
        let again = Rotation { handed_at: at(12), ..session.rotation };
        assert_eq!(note(&session, &again, at(12)), Some([0, 24]));
    }

    #[test]
    fn a_page_that_stays_open_refreshes_in_one_run() {
        let steady = rhythm(&[11, 23, 34, 46], Some(0), 50);
        assert_eq!(steady, Rhythm { runs: vec![run(11, 46, 4, Some((11, 12)))], gaps: vec![] });
        // What was before the first that is kept is not known.
        assert_eq!(rhythm(&[11, 23], None, 30).runs, [run(11, 23, 2, Some((12, 12)))]);
        assert_eq!(rhythm(&[11], None, 30).runs, [run(11, 11, 1, None)]);
    }

    #[test]
    fn a_machine_that_slept_leaves_a_gap_between_two_runs() {
        let slept = rhythm(&[12, 24, 1884, 1896], Some(0), 1900);
        let runs = vec![run(12, 24, 2, Some((12, 12))), run(1884, 1896, 2, Some((12, 12)))];
        assert_eq!(slept, Rhythm { runs, gaps: vec![Gap { from: at(24), to: at(1884) }] });
        assert_eq!(slept.gaps[0].length(), MINUTE * 1860);
    }

    #[test]
    fn the_time_since_the_last_refresh_and_before_the_first_may_be_gaps_as_well() {
        let (before, after) = (Gap { from: at(0), to: at(60) }, Gap { from: at(60), to: at(200) });
        let once = Rhythm { runs: vec![run(60, 60, 1, None)], gaps: vec![before, after] };
        assert_eq!(rhythm(&[60], Some(0), 200), once);
        assert_eq!(
            rhythm(&[], Some(0), 31),
            Rhythm { runs: vec![], gaps: vec![Gap { from: at(0), to: at(31) }] }
        );
        assert_eq!(rhythm(&[], Some(0), 30), Rhythm::default());
        assert_eq!(rhythm(&[], None, 9_999), Rhythm::default());
    }

    #[test]
    fn a_refresh_that_came_again_is_no_rhythm_and_time_that_runs_back_is_none_either() {
        assert_eq!(rhythm(&[12, 13, 24], Some(0), 30).runs, [run(12, 24, 2, Some((11, 12)))]);
        assert_eq!(rhythm(&[12, 11, 24], Some(0), 30).runs, [run(12, 24, 2, Some((12, 12)))]);
    }
}
