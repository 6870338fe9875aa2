//! One run of one scenario, with what it cost in processor time.

use serde::Serialize;

use crate::failure::Result;
use crate::load::{Load, User};
use crate::proc::{Cost, Meter};
use crate::server::Server;
use crate::stats::Summary;

#[derive(Serialize)]
pub struct Run {
    #[serde(flatten)]
    pub summary: Summary,
    #[serde(flatten)]
    pub cost: Cost,
    pub server_us_per_operation: f64,
    pub generator_us_per_operation: f64,
    pub database_us_per_operation: f64,
}

/// Against one server that has its database inside.
pub fn run(server: &Server, load: Load, users: Vec<Box<dyn User>>) -> Result<Run> {
    run_over(&[server], None, load, users)
}

/// Against several servers, on a database whose processes descend from one.
pub fn run_over(
    servers: &[&Server],
    database: Option<u32>,
    load: Load,
    users: Vec<Box<dyn User>>,
) -> Result<Run> {
    let warm_up = load.warm_up.as_secs_f64();
    let meter = Meter::of(servers.iter().map(|server| server.id()).collect(), database);
    let summary = load.run(users)?;
    Ok(Run::new(summary, meter.stop(), warm_up))
}

// === impl Run ===

impl Run {
    /// The processor time includes the seconds of warm-up, the operations do not.
    pub fn new(summary: Summary, cost: Cost, warm_up: f64) -> Self {
        let operations = summary.per_second * (summary.seconds + warm_up);
        let per_operation = |seconds: f64| seconds * 1e6 / operations.max(1.0);
        Self {
            server_us_per_operation: per_operation(cost.server_cpu_seconds),
            generator_us_per_operation: per_operation(cost.generator_cpu_seconds),
            database_us_per_operation: per_operation(cost.database_cpu_seconds),
            summary,
            cost,
        }
    }

    /// Processor time of all sides, which share the cores.
    pub fn us_per_operation(&self) -> f64 {
        self.server_us_per_operation + self.generator_us_per_operation + self.database_us_per_operation
    }
}
