//! Sessions judged on both sides by the rule itself: the same tokens, at the same times, must get the same answers.

use std::time::Duration;

use tenure_domain::refresh_token::{RefreshClaims, RefreshKeyRing, mint};
use tenure_domain::rotation::{Generation, RotationRules};
use tenure_domain::secret::MasterSecret;
use tenure_domain::session::{self, RefreshDecision, RefreshRules, ReusePolicy, Session};
use tenure_domain::time::{Freshness, TimeRules, Timestamp};

use super::table::{Cells, Reader, SESSION};
use crate::{Result, row};

/// Sessions that are judged, evenly spread, besides every one that is in the middle of something.
pub(super) const SAMPLE: u64 = 1_000;

/// Most of those in the middle of something.
const UNUSUAL_MAX: u64 = 1_000;

/// Judges sessions as a server would. Its key is its own: the salts decide whether a token is authentic for a row,
/// and they are what has been copied.
pub(super) struct Judge {
    rules: RefreshRules,
    every: u64,
    unusual: u64,
    /// How many sessions it has judged.
    pub judged: u64,
    /// How many tokens it has presented to each side.
    pub presented: u64,
}

impl Judge {
    /// One that picks from so many sessions.
    pub fn of(sessions: u64) -> Self {
        let key = MasterSecret::from_bytes([0; 32]).refresh_key();
        let rotation = RotationRules::with_settle(TimeRules::default().settle);
        let rules =
            RefreshRules { keys: RefreshKeyRing::new(key, Vec::new()), rotation, reuse: ReusePolicy::Revoke };
        Self { rules, every: sessions.div_ceil(SAMPLE).max(1), unusual: 0, judged: 0, presented: 0 }
    }

    /// Judges a session if it is of the sample; false if the two sides disagree.
    pub fn agrees(&mut self, index: u64, here: &Cells, there: &Cells) -> Result<bool> {
        let here = row::session(&mut Reader::of(&SESSION, here))?;
        let rotation = here.rotation;
        let in_the_middle = rotation.healed || rotation.contested_at.is_some();
        let is_unusual = in_the_middle && self.unusual < UNUSUAL_MAX;
        if !is_unusual && !index.is_multiple_of(self.every) {
            return Ok(true);
        }
        let there = row::session(&mut Reader::of(&SESSION, there))?;
        self.unusual += u64::from(is_unusual);
        self.judged += 1;
        for presentation in presentations(&here, self.rules.rotation.settle) {
            self.presented += 1;
            let (one, other) =
                (self.decide(&here, &here, presentation), self.decide(&here, &there, presentation));
            if one != other || one.is_none_or(|decision| decision == RefreshDecision::NotAuthentic) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// What becomes of a token that was issued for one row and is presented to the other.
    fn decide(
        &self,
        issuer: &Session,
        row: &Session,
        (generation, now): Presentation,
    ) -> Option<RefreshDecision> {
        let claims = RefreshClaims {
            session_id: issuer.id,
            generation,
            expires_at: issuer.expires_at,
            nonce: [0; 12],
        };
        let token = self.rules.keys.read(&mint(self.rules.keys.current(), &claims, &issuer.salt)).ok()?;
        Some(session::refresh(row, false, &token, Freshness::Fresh, now, &self.rules))
    }
}

type Presentation = (Generation, Timestamp);

/// Every generation that means something to the row, at once, when it has settled, and when it has expired.
fn presentations(session: &Session, settle: Duration) -> Vec<Presentation> {
    let rotation = session.rotation;
    let mut generations = vec![
        rotation.base.0.saturating_sub(1),
        rotation.base.0,
        rotation.base.0.saturating_add(1),
        rotation.head.0,
        rotation.head.0.saturating_add(1),
    ];
    generations.sort_unstable();
    generations.dedup();
    let handed_at = rotation.handed_at;
    let times = [handed_at, handed_at + settle, session.expires_at + settle];
    let at = |generation: u32| times.map(|time| (Generation(generation), time));
    generations.into_iter().flat_map(at).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::copy::table::Cell;

    fn session(head: i64, salt: u8) -> Cells {
        let mut cells =
            vec![Cell::Id([1; 16]), Cell::Id([2; 16]), Cell::Bytes(vec![salt; 16]), Cell::Flag(true)];
        cells.extend([1_000, 2_000_000_000, 3, head, 5_000].map(Cell::Number));
        cells.extend([Cell::Flag(false), Cell::Null]);
        cells.extend([Cell::Null, Cell::Null, Cell::Null, Cell::Null, Cell::Null]);
        cells.extend([6_000, 7].map(Cell::Number));
        cells
    }

    #[test]
    fn sides_that_would_answer_differently_are_found_out() {
        let mut judge = Judge::of(10);
        assert!(judge.agrees(0, &session(4, 9), &session(4, 9)).unwrap());
        assert_eq!((judge.judged, judge.presented), (1, 12));
        assert!(!judge.agrees(0, &session(4, 9), &session(5, 9)).unwrap());
        assert!(!judge.agrees(0, &session(4, 9), &session(4, 8)).unwrap());
    }

    #[test]
    fn of_many_sessions_some_are_judged() {
        let mut judge = Judge::of(10 * SAMPLE);
        for index in 0..100 {
            assert!(judge.agrees(index, &session(4, 9), &session(4, 9)).unwrap());
        }
        assert_eq!(judge.judged, 10);
    }
}
