//! What the kernel says of processes and of the whole machine.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

use serde::Serialize;

use crate::clock;
use crate::failure::{Context as _, Result};

/// Memory that a process holds.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Memory {
    pub rss_bytes: u64,
    /// Of it, what is not mapped from files: what the process would hold on any machine.
    pub anonymous_bytes: u64,
    pub peak_rss_bytes: u64,
}

/// Processor time spent while something was measured.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Cost {
    pub server_cpu_seconds: f64,
    pub generator_cpu_seconds: f64,
    /// Of the database server and all its processes, where there is one.
    pub database_cpu_seconds: f64,
    /// Part of all cores that went to none of them: other people's work, and work of the kernel
    /// that it charges to nobody. A large one says that the numbers beside it mean little.
    pub foreign_share: f64,
}

/// Reads the counters at the start; [`Meter::stop`] gives the difference.
pub struct Meter {
    servers: Vec<u32>,
    database: Option<u32>,
    began: Instant,
    server_seconds: f64,
    own_seconds: f64,
    database_seconds: f64,
    machine_seconds: f64,
}

pub fn memory(process: u32) -> Result<Memory> {
    let file = format!("/proc/{process}/status");
    let status = std::fs::read_to_string(&file).context(&file)?;
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        let kib = line.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok());
        kib.map_or(0, |kib| kib * 1024)
    };
    Ok(Memory {
        rss_bytes: field("VmRSS:"),
        anonymous_bytes: field("RssAnon:"),
        peak_rss_bytes: field("VmHWM:"),
    })
}

pub fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// The machine in one line: cores, processor, load.
pub fn machine() -> serde_json::Value {
    let read = |file: &str| std::fs::read_to_string(Path::new(file)).unwrap_or_default();
    let cpuinfo = read("/proc/cpuinfo");
    let model = cpuinfo.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    serde_json::json!({
        "cores": cores(),
        "processor": model.map_or("unknown", |(_, name)| name),
        "kernel": read("/proc/sys/kernel/osrelease").trim(),
        "load_average_at_start": read("/proc/loadavg").trim(),
    })
}

// === impl Meter ===

impl Meter {
    pub fn start(server: Option<u32>) -> Self {
        Self::of(server.into_iter().collect(), None)
    }

    /// Of several servers, and of a database by the process that all of its own descend from.
    pub fn of(servers: Vec<u32>, database: Option<u32>) -> Self {
        Self {
            began: clock::now(),
            server_seconds: servers.iter().copied().map(process_seconds).sum(),
            own_seconds: process_seconds(std::process::id()),
            database_seconds: database.map_or(0.0, family_seconds),
            machine_seconds: machine_seconds(),
            servers,
            database,
        }
    }

    pub fn stop(self) -> Cost {
        let server_cpu_seconds =
            self.servers.iter().copied().map(process_seconds).sum::<f64>() - self.server_seconds;
        let generator_cpu_seconds = process_seconds(std::process::id()) - self.own_seconds;
        let database_cpu_seconds = self.database.map_or(0.0, family_seconds) - self.database_seconds;
        let machine = machine_seconds() - self.machine_seconds;
        let available = clock::now().duration_since(self.began).as_secs_f64() * cores() as f64;
        let ours = server_cpu_seconds + generator_cpu_seconds + database_cpu_seconds;
        let foreign_share = (machine - ours).max(0.0) / available.max(0.001);
        Cost { server_cpu_seconds, generator_cpu_seconds, database_cpu_seconds, foreign_share }
    }
}

fn ticks_per_second() -> f64 {
    rustix::param::clock_ticks_per_second() as f64
}

/// User and system time of a process; 0 if it is gone.
fn process_seconds(process: u32) -> f64 {
    seconds_of(process, 2)
}

/// The fields of its `stat` from the 14th on: its own time as user and system, and that of its ended children.
fn seconds_of(process: u32, fields_from_14: usize) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    // The second field is the program's name in parentheses and may hold anything, blanks included.
    let fields = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let ticks: u64 =
        fields.split_whitespace().skip(11).take(fields_from_14).filter_map(|n| n.parse::<u64>().ok()).sum();
    ticks as f64 / ticks_per_second()
}

/// What a process and all that descend from it have used, those that have ended among them.
fn family_seconds(eldest: u32) -> f64 {
    let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let numbers = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let parents: BTreeMap<u32, u32> = numbers.filter_map(|id| Some((id, parent(id)?))).collect();
    let is_of_family = |id: u32| {
        let mut line = std::iter::successors(Some(id), |id| parents.get(id).copied().filter(|id| *id > 1));
        line.any(|ancestor| ancestor == eldest)
    };
    parents.keys().copied().filter(|id| is_of_family(*id)).map(|id| seconds_of(id, 4)).sum()
}

fn parent(process: u32) -> Option<u32> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
}

/// Time that all cores were busy, including time that the machine's host gave to others.
fn machine_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/stat").unwrap_or_default();
    let line = stat.lines().next().unwrap_or_default();
    let fields: Vec<u64> = line.split_whitespace().skip(1).filter_map(|n| n.parse().ok()).collect();
    // user nice system (idle iowait) irq softirq steal
    let busy: u64 = [0, 1, 2, 5, 6, 7].iter().filter_map(|at| fields.get(*at)).sum();
    busy as f64 / ticks_per_second()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_busy_process_is_seen_to_be_busy() {
        let own = std::process::id();
        let meter = Meter::of(vec![own], parent(own));
        let until = clock::now() + std::time::Duration::from_millis(200);
        while clock::now() < until {}
        let cost = meter.stop();
        // A shared machine may have given us little of those 200 ms, but not nothing.
        assert!(cost.server_cpu_seconds > 0.0 && cost.server_cpu_seconds < 10.0);
        assert!(cost.database_cpu_seconds > 0.0, "a child counts for its parent's family");
        let memory = memory(own).unwrap();
        assert!(memory.rss_bytes > 500_000 && memory.peak_rss_bytes >= memory.rss_bytes);
        assert!(memory.anonymous_bytes <= memory.rss_bytes);
    }
}
