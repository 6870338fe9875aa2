//! The order in which a device has seen things, whatever way its reports took.

use std::time::Duration;

use super::Observation;
use crate::time::Timestamp;

/// What arrived so many places before a report or after it tells how fast reports may be.
const NEAR: usize = 200;
/// Of it what arrived no farther away than this, so that a clock that runs a little wrong moves nothing.
const NEAR_SPAN: Duration = Duration::from_secs(600);
/// No report is under way for longer. A larger difference is a clock that was set.
const UNDER_WAY_MS: i64 = 30_000;

/// Takes out of the times what each report took on its way beyond what the fastest one near it took. All tabs have the clock
/// of their device, so that what one of them saw first comes first again. What is given is of one browser profile, in the
/// order of its arrival and with the time of that.
pub fn line_up(arrived: &mut [(Timestamp, &mut Observation)]) {
    let told: Vec<_> = arrived.iter().map(|(received_at, one)| (*received_at, one.ahead_ms)).collect();
    for (index, (received_at, observation)) in arrived.iter_mut().enumerate() {
        let near = index.saturating_sub(NEAR)..index.saturating_add(NEAR).min(told.len());
        let near = told.get(near).unwrap_or_default().iter();
        let near = near.filter(|(at, _)| at.since(*received_at).max(received_at.since(*at)) <= NEAR_SPAN);
        // The longer its way, the less a clock seems to be ahead.
        let fastest = near.map(|(_, ahead_ms)| *ahead_ms).max().unwrap_or(observation.ahead_ms);
        let late_ms = fastest.saturating_sub(observation.ahead_ms);
        if (0..=UNDER_WAY_MS).contains(&late_ms) {
            observation.at = observation.at - Duration::from_millis(late_ms.unsigned_abs());
            observation.ahead_ms = fastest;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::ProfileId;
    use crate::observed::Seen;

    const T0: i64 = 1_795_000_000_000;

    /// What a device saw `at` by its clock, which is `ahead_ms` ahead, and told at `sent` in a report that took `way_ms`.
    fn told(at: i64, sent: i64, way_ms: i64, ahead_ms: i64) -> (Timestamp, Observation) {
        let received_at = T0 + sent - ahead_ms + way_ms;
        let observation = Observation {
            profile: ProfileId::from_bytes([7; 16]),
            page: "p".into(),
            seq: 0,
            at: Timestamp::from_ms(received_at - (sent - at)),
            ahead_ms: ahead_ms - way_ms,
            seen: Seen::SignIn,
        };
        (Timestamp::from_ms(received_at), observation)
    }

    fn lined_up(mut told: Vec<(Timestamp, Observation)>) -> Vec<i64> {
        told.sort_by_key(|(received_at, _)| *received_at);
        let mut arrived: Vec<_> = told.iter_mut().map(|(at, one)| (*at, one)).collect();
        line_up(&mut arrived);
        told.iter().map(|(_, one)| one.at.as_ms() - T0).collect()
    }

    #[test]
    fn a_slow_report_does_not_make_what_it_tells_later() {
        // Seen first, told by the slower of two reports.
        assert_eq!(lined_up(vec![told(0, 100, 320, 0), told(40, 400, 20, 0)]), [20, 60]);
        // The same of a device whose clock is two hours ahead.
        let hours = 7_200_000;
        let ahead = vec![told(hours, hours + 100, 320, hours), told(hours + 40, hours + 400, 20, hours)];
        assert_eq!(lined_up(ahead), [20, 60]);
        // The slower one arrives last.
        assert_eq!(lined_up(vec![told(0, 100, 9_000, 0), told(40, 400, 20, 0)]), [60, 20]);
    }

    #[test]
    fn a_clock_that_was_set_and_a_report_of_another_hour_move_nothing() {
        assert_eq!(lined_up(vec![told(0, 0, 0, 0), told(60_000, 60_000, 0, 60_000)]), [0, 0]);
        assert_eq!(lined_up(vec![told(0, 0, 300, 0), told(601_000, 601_000, 0, 0)]), [300, 601_000]);
        let broken = |ahead_ms| {
            let (at, one) = told(0, 0, 0, 0);
            (at, Observation { ahead_ms, ..one })
        };
        assert_eq!(lined_up(vec![broken(i64::MIN), broken(i64::MAX), broken(0)]), [0, 0, 0]);
    }
}
