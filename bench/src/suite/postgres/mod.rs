//! The same on PostgreSQL, with one node and with three.

mod batches;
mod cluster;
mod revocation;
mod scale;
mod throughput;

use super::{Findings, Part, Suite};
use crate::database::Postgres;
use crate::failure::{Context as _, Result};
use cluster::Cluster;

/// Nodes of a cluster, where there is more than one.
const NODES: usize = 3;

pub fn measure(suite: &Suite<'_>) -> Result<Vec<Findings>> {
    let rig =
        suite.args.rig.as_deref().context("PostgreSQL is started by --rig, the `tenure-rig` program")?;
    let server = Postgres::start(rig)?;
    let mut findings = Vec::new();
    // Made first: its jars rest while the batches are measured.
    let is_busy = suite.wants(Part::Throughput) || suite.wants(Part::Revocation);
    let busy = is_busy.then(|| {
        let sessions = suite.busy_sessions();
        Cluster::make(suite, &server, "busy", sessions, sessions, 1 + NODES)
    });
    let busy = busy.transpose()?;
    if suite.wants(Part::Batches) {
        findings.push(batches::measure(suite, &server)?.shown());
    }
    if let Some(busy) = &busy {
        if suite.wants(Part::Throughput) {
            findings.push(throughput::measure(suite, &server, busy)?.shown());
        }
        if suite.wants(Part::Revocation) {
            findings.push(revocation::measure(suite, busy)?.shown());
        }
    }
    if suite.wants(Part::Scale) {
        findings.push(scale::measure(suite, &server)?.shown());
    }
    Ok(findings)
}
