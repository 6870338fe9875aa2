//! Seeded faults. A checker that does not find the sign-out behind each of them is broken.
//!
//! Each replaces one decision around the real rule; none of them copies it.

use tenure_domain::rotation::{self, Generation, Rotation, RotationRules, Verdict};
use tenure_domain::time::{Freshness, Timestamp};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mutant {
    /// The server serves a request however old it is.
    NoFreshnessCheck,
    /// Head becomes base whenever it is presented, without a quiet time.
    BaseDiesWithHeadPresented,
    /// A quiet time of 2S kills base although nobody presented head.
    BaseDiesByTimeAlone,
    /// Presenting base mints a successor each time, quiet or not.
    BaseAlwaysMints,
    /// Presenting base restarts the quiet time only until head has been seen.
    SeenHeadKeepsItsClock,
    /// A lost commit is healed without remembering that the generations between may be in use.
    HealedCommitForgetsBetween,
    /// All sessions share one cookie.
    OneCookieName,
    /// A failure (503) clears the cookie.
    FailureClearsCookies,
    /// A rotation starts the lifetime anew.
    RotationExtendsExpiry,
    /// A token ahead of the row is believed even if the row has ended.
    AheadRevivesEnded,
    /// A row that is not there is answered as an ended one.
    AbsenceIsAnEnd,
    /// The store comes back from a crash and judges quiet as if it had been up all along.
    StoreForgetsItCrashed,
}

impl Mutant {
    /// The rule as this mutant has it.
    pub fn present(
        self,
        row: Rotation,
        presented: Generation,
        freshness: Freshness,
        now: Timestamp,
        rules: RotationRules,
    ) -> (Rotation, Verdict) {
        let rested = now.since(row.handed_at);
        let accepted = Verdict::Accepted { rewound: false };
        let mint =
            |base| Rotation { base, head: Generation(row.head.0 + 1), handed_at: now, healed: false, ..row };
        match self {
            Mutant::BaseDiesWithHeadPresented if presented == row.head => (mint(presented), accepted),
            Mutant::BaseDiesByTimeAlone if presented == row.base && rested >= 2 * rules.settle => {
                (row, Verdict::Superseded)
            }
            Mutant::BaseAlwaysMints if presented == row.base => (mint(row.base), accepted),
            Mutant::SeenHeadKeepsItsClock if presented == row.base && rested < rules.settle => {
                (row, accepted)
            }
            Mutant::HealedCommitForgetsBetween => {
                let (after, verdict) = rotation::present(row, presented, freshness, now, rules);
                (Rotation { healed: false, ..after }, verdict)
            }
            _ => rotation::present(row, presented, freshness, now, rules),
        }
    }
}
