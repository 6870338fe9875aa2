//! A thousand sessions against a million.
//!
//! A session rotates once per settle time, so a thousand sessions give a thousand rotations and then are used
//! up. Both sides are therefore measured in many short rounds: a server started anew, warmed up with the same
//! number of refreshes, then the same number of rotations at the same concurrency. The small side has a
//! freshly seeded folder in each round, the large side takes other jars of the same million.

use std::time::Duration;

use serde_json::json;

use super::judge::{Goal, Rounds};
use super::{Findings, REST_SECONDS, Seeded, Suite, note};
use crate::failure::Result;
use crate::jar::{Jar, JarPool};
use crate::load::Load;
use crate::proc::Memory;
use crate::stats::Summary;
use crate::user::{RefreshUser, crowd};

const CONNECTIONS: usize = 8;
const SAMPLES: usize = 1_000;
const WARM_UP: usize = 300;
const MIB: f64 = 1024.0 * 1024.0;

/// One short round on one side.
struct Slice {
    ready_ms: f64,
    idle: Memory,
    summary: Summary,
}

#[derive(Default)]
struct Side {
    ready_ms: Vec<f64>,
    p50_us: Vec<f64>,
    p99_us: Vec<f64>,
    rotated: u64,
    errors: u64,
}

pub fn measure(suite: &Suite<'_>) -> Result<Findings> {
    let sessions = if suite.args.quick { 100_000 } else { 1_000_000 };
    let rounds = suite.rounds(15, 4);
    let burst = if suite.args.quick { 50_000 } else { 200_000 };
    let jars = burst + rounds * (SAMPLES + WARM_UP);
    let (large, pool) = suite.seeded_with_jars("large", sessions, jars)?;
    let (mut few, mut many) = (Side::default(), Side::default());
    let mut idle = Vec::new();
    for round in 0..rounds {
        note(&format!("a thousand sessions against {sessions}, round {} of {rounds}", round + 1));
        let (small, small_pool) = suite.seeded(&format!("small-{round}"), SAMPLES + WARM_UP)?;
        // Taking turns at who goes first, in case the machine slows down or speeds up meanwhile.
        for turn in 0..2 {
            if (round + turn) % 2 == 0 {
                few.add(slice(&small, &small_pool)?);
            } else {
                let slice = slice(&large, &pool)?;
                idle.push(slice.idle.rss_bytes as f64 / MIB);
                many.add(slice);
            }
        }
    }

    // What the server holds after it has met a good part of the million.
    let server = large.tenure().start()?;
    let load = Load::new(server.target, Duration::from_secs(60)).without_warm_up();
    let busy = load.run(crowd(64, |_| RefreshUser::new(server.target, pool.clone())))?;
    let memory = server.memory()?;
    server.stop()?;

    let idle: Rounds = idle.into_iter().collect();
    let after: Rounds = [memory.rss_bytes as f64 / MIB].into_iter().collect();
    let (small_p99, large_p99) = (few.rounds(&few.p99_us), many.rounds(&many.p99_us));
    let goals = vec![
        Goal::at_most("ready with the large number of sessions", 300.0, "ms", &many.rounds(&many.ready_ms)),
        Goal::at_most("memory with them, idle (RSS)", 80.0, "MiB", &idle),
        Goal::at_most("memory with them, after refreshing (RSS)", 80.0, "MiB", &after),
        Goal::number("refresh p99, a thousand sessions", "us", &small_p99),
        Goal::number("refresh p99, the large number", "us", &large_p99),
        Goal::at_most("refresh p99, large number / a thousand", 1.2, "x", &large_p99.over(&small_p99)),
    ];
    let data = json!({
        "sessions": sessions, "samples_per_round": SAMPLES, "connections": CONNECTIONS,
        "few": few.json(), "many": many.json(), "idle_rss_mib": idle,
        "after_refreshing": { "refreshes": busy, "memory": memory },
    });
    Ok(Findings { name: "scale", data, goals })
}

fn slice(seeded: &Seeded, pool: &JarPool) -> Result<Slice> {
    let server = seeded.tenure().start()?;
    std::thread::sleep(Duration::from_millis(300));
    let idle = server.memory()?;
    let load = Load::new(server.target, Duration::from_secs(30)).without_warm_up();
    let refresh = |count: usize| {
        let jars: Vec<Jar> = std::iter::from_fn(|| pool.take()).take(count).collect();
        let jars = JarPool::new(jars, Duration::from_secs(REST_SECONDS));
        load.run(crowd(CONNECTIONS, |_| RefreshUser::new(server.target, jars.clone())))
    };
    refresh(WARM_UP)?;
    let summary = refresh(SAMPLES)?;
    let ready_ms = server.ready_after.as_secs_f64() * 1e3;
    server.stop()?;
    Ok(Slice { ready_ms, idle, summary })
}

// === impl Side ===

impl Side {
    fn add(&mut self, slice: Slice) {
        self.ready_ms.push(slice.ready_ms);
        self.p50_us.push(slice.summary.latency.get("refresh").map_or(0.0, |latency| latency.p50_us as f64));
        self.p99_us.push(slice.summary.p99_us("refresh") as f64);
        self.rotated += slice.summary.outcome("rotated");
        self.errors += slice.summary.error_count();
    }

    fn rounds(&self, numbers: &[f64]) -> Rounds {
        numbers.iter().copied().collect()
    }

    fn json(&self) -> serde_json::Value {
        json!({
            "rotated": self.rotated, "errors": self.errors, "ready_ms": self.rounds(&self.ready_ms),
            "p50_us": self.rounds(&self.p50_us), "p99_us": self.rounds(&self.p99_us),
        })
    }
}
