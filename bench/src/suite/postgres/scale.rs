//! A thousand sessions against a million and ten million, at rest.
//!
//! A session rotates once per settle time, so a thousand sessions give a thousand rotations and then are used up;
//! and no session rotates while its database has not been open for as long. The small side therefore has a
//! database for each round, all made beforehand. Sides take turns in many short rounds, each on a node started
//! anew and warmed up with the same number of refreshes.

use std::time::Duration;

use serde_json::json;

use super::cluster::Cluster;
use crate::database::{Database, Postgres};
use crate::failure::Result;
use crate::jar::{Jar, JarPool};
use crate::load::Load;
use crate::stats::Summary;
use crate::suite::judge::{Goal, Rounds};
use crate::suite::{Findings, REST_SECONDS, Suite, note, rest};
use crate::user::{RefreshUser, crowd};

const CONNECTIONS: usize = 8;
const SAMPLES: usize = 1_000;
const WARM_UP: usize = 300;
/// Refreshes after which a node's memory is looked at.
const BURST: usize = 60_000;
const MIB: f64 = 1024.0 * 1024.0;

/// What is counted per row, and the tables that it is kept in.
const SIZES: [(&str, &str); 6] = [
    ("session, table", "session"),
    ("session, by id", "session_pkey"),
    ("session, by user", "session_by_user"),
    ("session, live by expiry", "session_live"),
    ("device, table", "session_device"),
    ("device, by session", "session_device_pkey"),
];

/// What was measured on databases of one size.
struct Side {
    sessions: usize,
    p50_us: Vec<f64>,
    p99_us: Vec<f64>,
    rss_mib: Vec<f64>,
    rotated: u64,
    errors: u64,
}

pub fn measure(suite: &Suite<'_>, server: &Postgres) -> Result<Findings> {
    let sizes: &[usize] = if suite.args.quick { &[1_000_000] } else { &[1_000_000, 10_000_000] };
    let rounds = suite.rounds(15, 4);
    let jars = BURST + rounds * (SAMPLES + WARM_UP);
    let mut large = Vec::new();
    for sessions in sizes {
        large.push(Cluster::make(suite, server, &format!("sessions_{sessions}"), *sessions, jars, 1)?);
    }
    let few = (0..rounds)
        .map(|n| Cluster::make(suite, server, &format!("few_{n}"), SAMPLES + WARM_UP, SAMPLES + WARM_UP, 1))
        .collect::<Result<Vec<_>>>()?;
    few.iter().chain(&large).for_each(|cluster| rest(&cluster.pool, Duration::from_secs(60)));
    let mut sides: Vec<Side> = [SAMPLES].iter().chain(sizes).map(|sessions| Side::new(*sessions)).collect();
    for (round, few) in few.iter().enumerate() {
        note(&format!("a thousand sessions against {sizes:?}, round {} of {rounds}", round + 1));
        let clusters: Vec<&Cluster<'_>> = std::iter::once(few).chain(&large).collect();
        // Each begins as often as the others, in case the machine slows down or speeds up meanwhile.
        for turn in 0..clusters.len() {
            let at = (round + turn) % clusters.len();
            sides[at].measure(clusters[at])?;
        }
    }
    let mut goals = goals(&sides);
    let (mut per_row, mut bursts) = (serde_json::Map::new(), Vec::new());
    for (cluster, side) in large.iter().zip(&sides[1..]) {
        let (summary, rss) = burst(cluster)?;
        goals.push(Goal::number("memory of a node after 60 000 refreshes (RSS)", "MiB", &one(rss)));
        bursts.push(json!({ "sessions": side.sessions, "rss_mib": rss, "refreshes": summary }));
        let sizes = bytes_per_row(&cluster.database, side.sessions)?;
        per_row.insert(side.sessions.to_string(), json!(sizes));
        if side.sessions == sides[sides.len() - 1].sessions {
            goals.extend(sizes.iter().map(|(name, bytes)| Goal::number(name, "B/row", &one(*bytes))));
        }
    }
    let sides: Vec<_> = sides.iter().map(Side::json).collect();
    let data = json!({
        "samples_per_round": SAMPLES, "connections": CONNECTIONS, "sides": sides, "bursts": bursts,
        "bytes_per_row": per_row,
    });
    Ok(Findings { name: "scale_on_postgres", data, goals })
}

fn goals(sides: &[Side]) -> Vec<Goal> {
    let Some((few, large)) = sides.split_first() else { return Vec::new() };
    let p99 = |side: &Side| side.p99_us.iter().copied().collect::<Rounds>();
    let p50 = |side: &Side| side.p50_us.iter().copied().collect::<Rounds>();
    let rss = |side: &Side| side.rss_mib.iter().copied().collect::<Rounds>();
    let mut goals = vec![
        Goal::number("refresh p50, a thousand sessions", "us", &p50(few)),
        Goal::number("refresh p99, a thousand sessions", "us", &p99(few)),
        Goal::number("memory of a node with them (RSS)", "MiB", &rss(few)),
    ];
    for side in large {
        let (p50_name, p99_name, ratio, memory) = match side.sessions {
            10_000_000 => (
                "refresh p50, ten million",
                "refresh p99, ten million",
                "refresh p99, ten million / a thousand",
                "memory of a node with ten million (RSS)",
            ),
            _ => (
                "refresh p50, a million",
                "refresh p99, a million",
                "refresh p99, a million / a thousand",
                "memory of a node with a million (RSS)",
            ),
        };
        goals.extend([
            Goal::number(p50_name, "us", &p50(side)),
            Goal::number(p99_name, "us", &p99(side)),
            Goal::at_most(ratio, 1.5, "x", &p99(side).over(&p99(few))),
            Goal::number(memory, "MiB", &rss(side)),
        ]);
    }
    goals
}

/// What a node holds after it has met many sessions.
fn burst(cluster: &Cluster<'_>) -> Result<(Summary, f64)> {
    let node = cluster.start(0)?;
    let load = Load::new(node.target, Duration::from_secs(60)).without_warm_up();
    let summary = load.run(crowd(64, |_| RefreshUser::new(node.target, cluster.pool.clone())))?;
    let rss = node.memory()?.rss_bytes as f64 / MIB;
    node.stop()?;
    Ok((summary, rss))
}

fn bytes_per_row(database: &Database<'_>, sessions: usize) -> Result<Vec<(&'static str, f64)>> {
    SIZES
        .iter()
        .map(|(name, table)| {
            let bytes = database.number(&format!("SELECT pg_relation_size('{table}')"))?;
            Ok((*name, bytes / sessions as f64))
        })
        .collect()
}

fn one(number: f64) -> Rounds {
    [number].into_iter().collect()
}

// === impl Side ===

impl Side {
    fn new(sessions: usize) -> Self {
        Self { sessions, p50_us: vec![], p99_us: vec![], rss_mib: vec![], rotated: 0, errors: 0 }
    }

    fn measure(&mut self, cluster: &Cluster<'_>) -> Result<()> {
        let node = cluster.start(0)?;
        std::thread::sleep(Duration::from_millis(300));
        let load = Load::new(node.target, Duration::from_secs(30)).without_warm_up();
        let refresh = |count: usize| {
            let jars: Vec<Jar> = std::iter::from_fn(|| cluster.pool.take()).take(count).collect();
            let jars = JarPool::new(jars, Duration::from_secs(REST_SECONDS));
            load.run(crowd(CONNECTIONS, |_| RefreshUser::new(node.target, jars.clone())))
        };
        refresh(WARM_UP)?;
        let summary = refresh(SAMPLES)?;
        self.rss_mib.push(node.memory()?.rss_bytes as f64 / MIB);
        node.stop()?;
        self.p50_us.push(summary.latency.get("refresh").map_or(0.0, |latency| latency.p50_us as f64));
        self.p99_us.push(summary.p99_us("refresh") as f64);
        self.rotated += summary.outcome("rotated");
        self.errors += summary.error_count();
        Ok(())
    }

    fn json(&self) -> serde_json::Value {
        let rounds = |numbers: &[f64]| numbers.iter().copied().collect::<Rounds>();
        json!({
            "sessions": self.sessions, "rotated": self.rotated, "errors": self.errors,
            "p50_us": rounds(&self.p50_us), "p99_us": rounds(&self.p99_us), "rss_mib": rounds(&self.rss_mib),
        })
    }
}
