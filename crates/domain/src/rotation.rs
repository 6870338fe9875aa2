//! The rotation rule: the heart of Tenure, one pure function (protocol.md sections 4 and 6).
//!
//! A session's refresh tokens are numbered by *generation*. The browser may hold `base` or `head`. Presenting
//! `head` after a quiet time makes it the new base and mints a successor; presenting `base` means that the
//! successor was lost, so it is handed out again (and the quiet time starts anew) or, after a quiet time,
//! replaced. A predecessor therefore dies only after its successor has come back from the browser and has
//! had time to reach its disk. It never dies by the passage of time alone.
//!
//! The model in `crates/model` runs this very function; docs/decisions/0001 tells what it found.

use std::time::Duration;

use crate::time::{Freshness, Timestamp};

/// The number of a refresh token within its session. It moves at most once per settle time: about 19 200
/// steps in 20 days.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Generation(pub u32);

impl Generation {
    fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

/// The part of a session's row that the rule reads and writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Rotation {
    /// The oldest generation that a quiet session still accepts.
    pub base: Generation,
    /// The newest generation handed out.
    pub head: Generation,
    /// When the rule last handed out something the browser may have yet to store.
    pub handed_at: Timestamp,
    /// Whether `head` was first seen in the browser's hands, because the store had lost the commit that
    /// minted it. The generations between are alive then: the browser may have been given any of them.
    pub healed: bool,
    /// When a dead generation was first presented, if one was.
    pub contested_at: Option<Timestamp>,
}

/// The times the rule is judged by. The model checks it with these scaled down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RotationRules {
    /// `S` of protocol.md section 2.
    pub settle: Duration,
    /// A second dead presentation counts from this long after the first ...
    pub second_strike_after: Duration,
    /// ... until this long after it; later it counts as a first again.
    pub second_strike_within: Duration,
}

impl RotationRules {
    pub const fn with_settle(settle: Duration) -> Self {
        Self {
            settle,
            second_strike_after: Duration::from_secs(1),
            second_strike_within: Duration::from_secs(600),
        }
    }
}

/// What the rule says of one presentation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// Hand out a fresh string of generation `head`.
    Accepted {
        /// The token was newer than the row: the store had lost a commit (protocol.md section 4).
        rewound: bool,
    },
    /// A dead token, for the first time: 409 `refresh_superseded`, nothing ends.
    Superseded,
    /// A dead token again within the window: the reuse policy decides.
    Reused,
}

/// What a presentation was that does not follow from an ordinary rotation: which of the generations came again. For
/// those who count and look for causes; nothing is decided by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Replay {
    /// The newest, before the quiet time was over: a second tab, a reload, an answer that was late.
    Newest,
    /// The one before it: its successor was handed out again.
    Predecessor,
    /// The one before it, after a quiet time: its successor was lost and has been replaced.
    SuccessorLost,
    /// One between the two, handed out a moment ago or healed.
    Between,
    /// One that the row did not know of: the store had lost a commit.
    Ahead,
    /// One that is long superseded.
    Dead,
}

impl Replay {
    pub const fn as_str(self) -> &'static str {
        match self {
            Replay::Newest => "newest",
            Replay::Predecessor => "predecessor",
            Replay::SuccessorLost => "successor_lost",
            Replay::Between => "between",
            Replay::Ahead => "ahead",
            Replay::Dead => "dead",
        }
    }

    /// What a presentation was that moved a row from one state to another. None: the newest one, in its time.
    pub fn of(presented: Generation, was: &Rotation, is: &Rotation) -> Option<Self> {
        let minted = is.head != was.head;
        match presented {
            presented if presented > was.head => Some(Replay::Ahead),
            presented if presented == was.head => (!minted).then_some(Replay::Newest),
            presented if presented == was.base && minted => Some(Replay::SuccessorLost),
            presented if presented == was.base => Some(Replay::Predecessor),
            presented if presented > was.base => Some(Replay::Between),
            _ => Some(Replay::Dead),
        }
    }
}

impl Rotation {
    /// The state right after sign-in: generation 1 is in the answer's cookie, not yet seen again.
    pub fn at_sign_in(now: Timestamp) -> Self {
        Self { base: Generation(0), head: Generation(1), handed_at: now, healed: false, contested_at: None }
    }

    /// The row as a store must read it that has been open since `opened_at`: nothing counts as quiet before
    /// S of it have passed. The crash that made it open again may have lost the very commit that restarted
    /// the quiet time, and a straggler from before it must not kill what that commit handed out.
    pub fn read_by_a_store_open_since(self, opened_at: Timestamp) -> Self {
        Self { handed_at: self.handed_at.max(opened_at), ..self }
    }
}

/// The rule. Takes the row's state, the generation of an authentic token and the time; returns the row's new
/// state and the verdict. An ended or expired session, and a stale request, are refused before any of this.
///
/// An accepted presentation that leaves the state as it was need not be written.
pub fn present(
    row: Rotation,
    presented: Generation,
    freshness: Freshness,
    now: Timestamp,
    rules: RotationRules,
) -> (Rotation, Verdict) {
    let quiet = now.since(row.handed_at) >= rules.settle;
    let accepted = Verdict::Accepted { rewound: false };

    if presented > row.head {
        // The store lost the commit that minted this generation; its MAC proves that we did issue it.
        let healed = Rotation { head: presented, handed_at: now, healed: true, ..row };
        return (healed, Verdict::Accepted { rewound: true });
    }
    if presented == row.head {
        if quiet {
            return (mint_successor(Rotation { base: presented, ..row }, now), accepted);
        }
        return (row, accepted);
    }
    if presented == row.base {
        if quiet && freshness == Freshness::Fresh {
            // The successor never arrived, or a crash rolled it back. Only a request known to be young may
            // say so: a straggler from before the successor would kill a token the browser does hold.
            return (mint_successor(row, now), accepted);
        }
        // The quiet time starts anew even if head was presented before: a late answer or a crash may have
        // taken it from the jar again, and only now does the browser receive it for good.
        return (Rotation { handed_at: now, ..row }, accepted);
    }
    if row.base < presented && row.healed {
        return (Rotation { handed_at: now, ..row }, accepted);
    }
    if row.base < presented && !quiet {
        // Handed out moments ago and replaced since; its holder may still be storing the successor.
        return (row, accepted);
    }
    strike(row, now, rules)
}

fn mint_successor(row: Rotation, now: Timestamp) -> Rotation {
    Rotation { head: row.head.next(), healed: false, handed_at: now, ..row }
}

/// Protocol.md section 6: a dead generation was presented.
fn strike(row: Rotation, now: Timestamp, rules: RotationRules) -> (Rotation, Verdict) {
    match row.contested_at.map(|first| now.since(first)) {
        Some(age) if age < rules.second_strike_after => (row, Verdict::Superseded),
        Some(age) if age <= rules.second_strike_within => (row, Verdict::Reused),
        _ => (Rotation { contested_at: Some(now), ..row }, Verdict::Superseded),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const RULES: RotationRules = RotationRules::with_settle(Duration::from_secs(90));
    const S: i64 = 90_000;

    fn row(base: u32, head: u32, handed_at: i64) -> Rotation {
        Rotation {
            base: Generation(base),
            head: Generation(head),
            handed_at: Timestamp::from_ms(handed_at),
            healed: false,
            contested_at: None,
        }
    }

    /// One line of the rule: state, presented generation, freshness, time -> state.
    fn check(before: Rotation, n: u32, freshness: Freshness, now: i64, after: Rotation, rewound: bool) {
        let got = present(before, Generation(n), freshness, Timestamp::from_ms(now), RULES);
        assert_eq!(got, (after, Verdict::Accepted { rewound }));
    }

    #[test]
    fn every_line_of_the_rule() {
        use Freshness::{Fresh, Unknown};
        // head, soon: nothing to write. head, after a quiet time: becomes base, a successor is minted.
        check(row(0, 1, 0), 1, Fresh, S - 1, row(0, 1, 0), false);
        check(row(0, 1, 0), 1, Fresh, S, row(1, 2, S), false);
        check(row(0, 1, 0), 1, Unknown, S, row(1, 2, S), false);
        // base, soon: the same successor again, and a new quiet time. base, after a quiet time: replaced, but
        // only if fresh.
        check(row(1, 2, 0), 1, Fresh, S - 1, row(1, 2, S - 1), false);
        check(row(1, 2, 0), 1, Fresh, S, row(1, 3, S), false);
        check(row(1, 2, 0), 1, Unknown, S, row(1, 2, S), false);
        // between: accepted while not quiet, and the row is left alone.
        check(row(1, 3, 0), 2, Fresh, S - 1, row(1, 3, 0), false);
        // ahead of the store: healed. What lies between is alive until the next rotation.
        let healed = |handed_at| Rotation { healed: true, ..row(1, 5, handed_at) };
        check(row(1, 2, 0), 5, Fresh, 7, healed(7), true);
        check(healed(7), 2, Fresh, 7 + 9 * S, healed(7 + 9 * S), false);
        check(healed(7), 5, Fresh, 7 + S, row(5, 6, 7 + S), false);
        check(healed(7), 1, Fresh, 7 + S, row(1, 6, 7 + S), false);
    }

    #[test]
    fn a_presentation_that_comes_again_has_a_kind_and_an_ordinary_one_has_none() {
        let kind = |was: Rotation, n, now| {
            let (is, _) = present(was, Generation(n), Freshness::Fresh, Timestamp::from_ms(now), RULES);
            Replay::of(Generation(n), &was, &is)
        };
        assert_eq!(kind(row(1, 2, 0), 2, S), None);
        assert_eq!(kind(row(1, 2, 0), 2, S - 1), Some(Replay::Newest));
        assert_eq!(kind(row(1, 2, 0), 1, S - 1), Some(Replay::Predecessor));
        assert_eq!(kind(row(1, 2, 0), 1, S), Some(Replay::SuccessorLost));
        assert_eq!(kind(row(1, 3, 0), 2, S - 1), Some(Replay::Between));
        assert_eq!(kind(row(1, 2, 0), 5, S), Some(Replay::Ahead));
        assert_eq!(kind(row(3, 4, 0), 2, S), Some(Replay::Dead));
    }

    /// Found by the model: an answer that arrived late put base back into the jar after head had been there.
    #[test]
    fn presenting_base_starts_the_quiet_time_anew_even_after_head_was_presented() {
        let mut session = row(1, 2, 0);
        let mut at = |n, now| {
            let (after, verdict) =
                present(session, Generation(n), Freshness::Fresh, Timestamp::from_ms(now), RULES);
            session = after;
            (after.base.0, after.head.0, verdict)
        };
        let accepted = Verdict::Accepted { rewound: false };
        assert_eq!(at(2, 1_000), (1, 2, accepted));
        assert_eq!(at(1, S - 1), (1, 2, accepted));
        // Head has been with the browser for a moment only: a crash may bring base back, so base must live.
        assert_eq!(at(2, S), (1, 2, accepted));
        assert_eq!(at(1, S + 1), (1, 2, accepted));
    }

    #[test]
    fn nothing_is_quiet_to_a_store_that_has_just_opened() {
        let opened_at = Timestamp::from_ms(10 * S);
        let read = row(1, 2, 0).read_by_a_store_open_since(opened_at);
        check(read, 2, Freshness::Fresh, 11 * S - 1, row(1, 2, 10 * S), false);
        check(read, 2, Freshness::Fresh, 11 * S, row(2, 3, 11 * S), false);
        let younger = row(1, 2, 10 * S + 1);
        assert_eq!(younger.read_by_a_store_open_since(opened_at), younger);
    }

    #[test]
    fn a_dead_token_strikes_once_then_counts_as_reuse_between_one_second_and_ten_minutes() {
        let strike =
            |row, n, now| present(row, Generation(n), Freshness::Fresh, Timestamp::from_ms(now), RULES);
        let (contested, verdict) = strike(row(3, 4, 0), 2, 1_000);
        assert_eq!(verdict, Verdict::Superseded);
        assert_eq!(contested.contested_at, Some(Timestamp::from_ms(1_000)));
        assert_eq!(strike(contested, 2, 1_999), (contested, Verdict::Superseded));
        assert_eq!(strike(contested, 2, 2_000).1, Verdict::Reused);
        assert_eq!(strike(contested, 2, 601_000).1, Verdict::Reused);
        let (again, verdict) = strike(contested, 2, 601_001);
        assert_eq!(verdict, Verdict::Superseded);
        assert_eq!(again.contested_at, Some(Timestamp::from_ms(601_001)));
        // A generation between base and head dies with the quiet time.
        assert_eq!(strike(row(1, 3, 0), 2, S).1, Verdict::Superseded);
    }

    fn any_row() -> impl Strategy<Value = Rotation> {
        (0..50u32, 1..5u32, 0..1_000_000i64, any::<bool>(), proptest::option::of(0..1_000_000i64)).prop_map(
            |(base, ahead, handed_at, healed, contested)| Rotation {
                healed,
                contested_at: contested.map(Timestamp::from_ms),
                ..row(base, base + ahead, handed_at)
            },
        )
    }

    proptest! {
        #[test]
        fn base_and_head_are_always_accepted_and_nothing_ever_moves_back(
            before in any_row(), n in 0..60u32, now in 0..2_000_000i64, fresh in any::<bool>(),
        ) {
            let freshness = if fresh { Freshness::Fresh } else { Freshness::Unknown };
            let (after, verdict) = present(before, Generation(n), freshness, Timestamp::from_ms(now), RULES);
            let accepted = matches!(verdict, Verdict::Accepted { .. });
            if n == before.base.0 || n >= before.head.0 {
                prop_assert!(accepted);
            }
            if n < before.base.0 {
                prop_assert!(!accepted);
            }
            prop_assert!(after.base >= before.base && after.head >= before.head);
            prop_assert!(after.base < after.head);
            // What is handed out is accepted right away, whatever it was.
            if accepted {
                let (_, again) = present(after, after.head, Freshness::Unknown, Timestamp::from_ms(now), RULES);
                prop_assert_eq!(again, Verdict::Accepted { rewound: false });
            }
        }
    }
}
