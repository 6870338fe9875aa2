//! Whether rotations that come at the same time should be written together: single statements through a pool,
//! against batches over few connections, at the same durability and with as many presenters.

use std::time::Duration;

use serde_json::json;

use crate::database::Postgres;
use crate::failure::Result;
use crate::limit::{Batches, Updates};
use crate::proc::Meter;
use crate::stats::Summary;
use crate::suite::judge::{Goal, Rounds};
use crate::suite::run::Run;
use crate::suite::{Findings, Suite, note};

/// As many as a node has when nothing is configured.
pub const CONNECTIONS: usize = 16;

/// What is compared: single statements first, then batches over so many connections.
const WAYS: [(&str, Option<Batches>); 5] = [
    ("singly", None),
    ("batches, 1 connection", Some(Batches { connections: 1, skip_locked: false })),
    ("batches, 2 connections", Some(Batches { connections: 2, skip_locked: false })),
    ("batches, 4 connections", Some(Batches { connections: 4, skip_locked: false })),
    ("batches, 2 connections, held rows left out", Some(Batches { connections: 2, skip_locked: true })),
];

pub fn measure(suite: &Suite<'_>, server: &Postgres) -> Result<Findings> {
    let database = server.create("batches")?;
    let mut updates = Updates::prepare(&database, suite.busy_sessions())?;
    let presenters = suite.args.connections;
    let time = suite.time(4.0, 2.0);
    let rounds = suite.rounds(5, 3);
    let mut ways: Vec<Vec<Run>> = WAYS.iter().map(|_| Vec::new()).collect();
    for round in 1..=rounds {
        note(&format!("rotations one by one and in batches, round {round} of {rounds}"));
        for (runs, (_, way)) in ways.iter_mut().zip(WAYS) {
            runs.push(metered(server, || match way {
                None => updates.singly(time, presenters, CONNECTIONS),
                Some(batches) => updates.together(time, presenters, batches),
            })?);
        }
    }
    let each = |runs: &[Run], number: fn(&Run) -> f64| runs.iter().map(number).collect::<Rounds>();
    let p99_ms = |run: &Run| run.summary.p99_us("rotation") as f64 / 1e3;
    let rate = |runs: &[Run]| each(runs, |run| run.summary.per_second);
    let singly = rate(&ways[0]);
    let best =
        ways[1..].iter().map(|runs| rate(runs).over(&singly)).max_by(|a, b| a.median.total_cmp(&b.median));
    let goals = vec![
        Goal::number("single guarded UPDATEs", "/s", &singly),
        Goal::number("single guarded UPDATEs, p99", "ms", &each(&ways[0], p99_ms)),
        Goal::number("batches of <= 64, 1 connection", "/s", &rate(&ways[1])),
        Goal::number("batches of <= 64, 2 connections", "/s", &rate(&ways[2])),
        Goal::number("batches of <= 64, 2 connections, p99", "ms", &each(&ways[2], p99_ms)),
        Goal::number("batches of <= 64, 4 connections", "/s", &rate(&ways[3])),
        Goal::number("batches, 2 connections, SKIP LOCKED", "/s", &rate(&ways[4])),
        Goal::number("best batches / single", "x", &best.unwrap_or_default()),
        Goal::number("processor time, single", "us", &each(&ways[0], Run::us_per_operation)),
        Goal::number("processor time, batches over 2", "us", &each(&ways[2], Run::us_per_operation)),
    ];
    let data: serde_json::Map<_, _> =
        WAYS.iter().zip(&ways).map(|((name, _), runs)| ((*name).to_owned(), json!(runs))).collect();
    Ok(Findings { name: "batches", data: data.into(), goals })
}

/// With what it costs the database, and the driver in this process.
pub fn metered(server: &Postgres, run: impl FnOnce() -> Result<Summary>) -> Result<Run> {
    /// What is measured besides the time that is counted.
    const WARM_UP: Duration = Duration::from_millis(300);
    let meter = Meter::of(vec![], Some(server.id()));
    let summary = run()?;
    Ok(Run::new(summary, meter.stop(), WARM_UP.as_secs_f64()))
}
