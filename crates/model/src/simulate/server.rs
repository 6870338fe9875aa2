//! Three nodes whose clocks disagree, over one store that may lose its last second of commits.

use tenure_domain::rotation::{self, Generation, Rotation, RotationRules, Verdict};
use tenure_domain::time::{EXPIRY_GRACE, Freshness, TimeRules, Timestamp};

use super::browser::Attempt;
use super::rng::Rng;
use super::{SECOND, timestamp};

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reply {
    Refreshed { generation: Generation, server_time: i64 },
    Stale { server_time: i64 },
    Superseded,
    Reused,
}

pub struct Server {
    pub row: Rotation,
    pub signed_in_at: i64,
    pub expires_at: i64,
    /// Of each node, against true time; they agree within 10 s (H4).
    skews_ms: [i64; 3],
    /// Rows as they were before each recent commit.
    undo: Vec<(i64, Rotation)>,
    opened_at: Timestamp,
}

impl Server {
    pub fn at_sign_in(now: i64, rules: &TimeRules, rng: &mut Rng) -> Self {
        let skews_ms = [0; 3].map(|_: i64| rng.between(-5 * SECOND, 5 * SECOND + 1));
        let expires_at = now + rules.session_lifetime(true).as_millis() as i64;
        Self {
            row: Rotation::at_sign_in(timestamp(now + skews_ms[0])),
            signed_in_at: now,
            expires_at,
            skews_ms,
            undo: Vec::new(),
            opened_at: timestamp(0),
        }
    }

    pub fn serve(&mut self, attempt: &Attempt, now: i64, rules: &TimeRules, rng: &mut Rng) -> Reply {
        let server_time = now + self.skews_ms[rng.between(0, 3) as usize];
        let clock = timestamp(server_time);
        let freshness = rules.freshness_of(attempt.claimed_sent_at.map(timestamp), clock);
        if freshness == Freshness::Stale {
            return Reply::Stale { server_time };
        }
        let seen = self.row.read_by_a_store_open_since(self.opened_at);
        let settle = RotationRules::with_settle(rules.settle);
        let (row, verdict) = rotation::present(seen, attempt.generation, freshness, clock, settle);
        if row != seen {
            self.undo.retain(|(at, _)| now - at <= SECOND);
            self.undo.push((now, self.row));
            self.row = row;
        }
        match verdict {
            Verdict::Accepted { .. } => Reply::Refreshed { generation: row.head, server_time },
            Verdict::Superseded => Reply::Superseded,
            Verdict::Reused => Reply::Reused,
        }
    }

    pub fn has_committed_at(&self, now: i64) -> bool {
        self.undo.last().is_some_and(|(at, _)| *at == now)
    }

    /// Whether there was anything to lose.
    pub fn lose_commits_since(&mut self, since: i64, now: i64) -> bool {
        let first_lost = self.undo.iter().find(|(at, _)| *at >= since && now - at <= SECOND).copied();
        self.undo.clear();
        self.opened_at = timestamp(now + self.skews_ms[0]);
        if let Some((_, before)) = first_lost {
            self.row = before;
        }
        first_lost.is_some()
    }

    /// By the fastest clock, to which most is quiet, and before the grace after the expiry is over.
    pub fn would_accept(&self, generation: Generation, now: i64, rules: &TimeRules) -> bool {
        let clock = timestamp(now + self.skews_ms.iter().max().copied().unwrap_or(0));
        let settle = RotationRules::with_settle(rules.settle);
        let seen = self.row.read_by_a_store_open_since(self.opened_at);
        let (_, verdict) = rotation::present(seen, generation, Freshness::Fresh, clock, settle);
        matches!(verdict, Verdict::Accepted { .. }) && clock < timestamp(self.expires_at) + EXPIRY_GRACE
    }
}
