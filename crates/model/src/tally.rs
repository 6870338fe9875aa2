//! Many simulated sessions, on all cores, summed up.

use std::fmt;
use std::ops::Range;

use crate::simulate::{Outcome, Owner, Run, Thief, simulate};

/// What honest sessions came to.
#[derive(Clone, Debug, Default)]
pub struct Honest {
    pub sessions: u64,
    pub sum: Outcome,
    /// The seeds that were signed out, and how: `simulate` repeats each exactly.
    pub sign_outs: Vec<(u64, String)>,
}

/// How long a copied jar was good for.
#[derive(Clone, Debug, Default)]
pub struct Detection {
    pub runs: usize,
    /// The owner never came back, so there was only one holder.
    pub owners_gone: usize,
    /// Seeds in which nobody ever presented a dead token, or nothing followed from it.
    pub never_struck: Vec<u64>,
    pub never_ended: Vec<u64>,
    first_strikes_ms: Vec<i64>,
    ends_ms: Vec<i64>,
    owner_presentations: Vec<u64>,
}

/// One run for each seed, each as `run` makes it of its seed.
pub fn honest_sessions(seeds: Range<u64>, run: impl Fn(u64) -> Run + Sync) -> Honest {
    let mut total = Honest::default();
    for (seed, outcome) in on_all_cores(seeds, run) {
        total.sessions += 1;
        total.sum.presentations += outcome.presentations;
        total.sum.rotations += outcome.rotations;
        total.sum.jar_crashes += outcome.jar_crashes;
        total.sum.store_crashes += outcome.store_crashes;
        total.sum.lost_commits += outcome.lost_commits;
        total.sum.stale += outcome.stale;
        total.sign_outs.extend(outcome.sign_out.map(|how| (seed, how)));
    }
    total
}

pub fn thefts(seeds: Range<u64>, owner: Owner, thief: Thief) -> Detection {
    let mut total = Detection::default();
    let theft = |seed| Run { owner, thief: Some(thief), ..Run::honest(seed) };
    for (seed, outcome) in on_all_cores(seeds, theft) {
        total.runs += 1;
        if outcome.owner_presentations == 0 && outcome.first_strike_after_ms.is_none() {
            total.owners_gone += 1;
            continue;
        }
        total.owner_presentations.push(outcome.owner_presentations);
        match outcome.first_strike_after_ms {
            Some(after) => total.first_strikes_ms.push(after),
            None => total.never_struck.push(seed),
        }
        match outcome.ended_after_ms {
            Some(after) => total.ends_ms.push(after),
            None => total.never_ended.push(seed),
        }
    }
    total.first_strikes_ms.sort_unstable();
    total.ends_ms.sort_unstable();
    total.owner_presentations.sort_unstable();
    total
}

fn on_all_cores(seeds: Range<u64>, run: impl Fn(u64) -> Run + Sync) -> Vec<(u64, Outcome)> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let (run, seeds) = (&run, &seeds);
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..cores)
            .map(|core| {
                let mine = seeds.clone().skip(core).step_by(cores);
                scope.spawn(move || mine.map(|seed| (seed, simulate(run(seed)))).collect::<Vec<_>>())
            })
            .collect();
        // A worker that panicked leaves its sessions out, and the totals, which tests check, fall short.
        workers.into_iter().filter_map(|worker| worker.join().ok()).flatten().collect()
    })
}

// === impl Honest ===

impl fmt::Display for Honest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Outcome { presentations, rotations, jar_crashes, store_crashes, lost_commits, stale, .. } =
            self.sum;
        write!(
            f,
            "{} sessions of 20 days: {presentations} presentations, {rotations} rotations, {jar_crashes} browser \
             crashes, {store_crashes} store crashes with {lost_commits} commits lost, {stale} stale requests \
             refused; {} sign-outs",
            self.sessions,
            self.sign_outs.len()
        )
    }
}

// === impl Detection ===

impl fmt::Display for Detection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let minutes = |sorted: &[i64]| {
            let at = |index: usize| sorted.get(index).map_or(f64::NAN, |ms| *ms as f64 / 60_000.0);
            let (median, most) = (at(sorted.len() / 2), at(sorted.len().saturating_sub(1)));
            format!("median {median:.1} min, maximum {most:.1} min ({:.1} h)", most / 60.0)
        };
        let presentations = &self.owner_presentations;
        let count = |index: usize| presentations.get(index).copied().unwrap_or(0);
        write!(
            f,
            "{} thefts ({} with an owner who never came back); first dead token: {}; after presentations of the \
             owner: median {}, maximum {}; ended: {}; never struck {}, never ended {}",
            self.runs,
            self.owners_gone,
            minutes(&self.first_strikes_ms),
            count(presentations.len() / 2),
            count(presentations.len().saturating_sub(1)),
            minutes(&self.ends_ms),
            self.never_struck.len(),
            self.never_ended.len()
        )
    }
}
