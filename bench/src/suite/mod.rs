//! The whole measurement: product and limits in turn, on the same cores, in the same run.
//!
//! On a small machine that others use too, absolute numbers drift by tens of per cent within minutes. Their
//! ratios drift less, if both sides were measured right after each other; so everything here is measured in
//! rounds, a ratio is taken inside its round, and the median of the rounds is judged.

mod flood;
mod judge;
mod ready;
mod scale;
mod table;
mod throughput;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use clap::{Args, ValueEnum};
use serde_json::{Map, Value, json};

use crate::failure::{Context as _, Failure, Result};
use crate::jar::JarPool;
use crate::limit;
use crate::proc;
use crate::server::Tenure;

pub use judge::Goal;

/// The password of all seeded users.
pub const PASSWORD: &str = "bench rather long password 7";
/// A session rotates again when its last hand-out is older than the settle time of 90 s.
pub const REST_SECONDS: u64 = 95;

#[derive(Args)]
pub struct SuiteArgs {
    /// The `tenure` binary, built for release.
    #[arg(long)]
    server: PathBuf,
    /// The `seed` example of tenure-store.
    #[arg(long)]
    seed: PathBuf,
    /// Fewer and shorter rounds, and a hundred thousand sessions instead of a million.
    #[arg(long)]
    quick: bool,
    /// Where the report goes besides standard output.
    #[arg(long)]
    out: Option<PathBuf>,
    /// Where data folders are made; their disk is part of what is measured.
    #[arg(long)]
    dir: Option<PathBuf>,
    /// Only these parts.
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<Part>,
    /// Rounds of throughput and limits.
    #[arg(long)]
    rounds: Option<usize>,
    /// Closed-loop connections.
    #[arg(long, default_value_t = 64)]
    connections: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Part {
    Throughput,
    Flood,
    Scale,
    Ready,
}

/// What every part needs to know.
struct Suite<'a> {
    args: &'a SuiteArgs,
    folder: PathBuf,
    password_hash: String,
}

/// What a part found out.
struct Findings {
    name: &'static str,
    data: Value,
    goals: Vec<Goal>,
}

pub fn run(args: &SuiteArgs) -> Result<()> {
    let folder = scratch(args.dir.as_deref())?;
    let suite =
        Suite { args, folder: folder.path().to_owned(), password_hash: limit::hash_for_seed(PASSWORD)? };
    let machine = proc::machine();
    let mut findings = Vec::new();
    if suite.wants(Part::Ready) {
        findings.push(ready::measure(&suite)?);
    }
    if suite.wants(Part::Throughput) || suite.wants(Part::Flood) {
        let (tenure, pool) = suite.seeded("busy", suite.busy_sessions())?;
        if suite.wants(Part::Throughput) {
            findings.push(throughput::measure(&suite, &tenure, &pool)?);
        }
        if suite.wants(Part::Flood) {
            findings.push(flood::measure(&suite, &tenure, &pool)?);
        }
    }
    if suite.wants(Part::Scale) {
        findings.push(scale::measure(&suite)?);
    }
    suite.report(&machine, &findings)
}

/// A scratch folder that is removed at the end.
pub fn scratch(dir: Option<&Path>) -> Result<tempfile::TempDir> {
    let builder = || tempfile::Builder::new().prefix("tenure-bench-").rand_bytes(8).to_owned();
    match dir {
        Some(dir) => builder().tempdir_in(dir).context(dir.display()),
        None => builder().tempdir().context("a scratch folder"),
    }
}

// === impl Suite ===

impl Suite<'_> {
    fn wants(&self, part: Part) -> bool {
        self.args.only.is_empty() || self.args.only.contains(&part)
    }

    fn busy_sessions(&self) -> usize {
        if self.args.quick { 150_000 } else { 400_000 }
    }

    /// `full` rounds, or `quick` ones.
    fn rounds(&self, full: usize, quick: usize) -> usize {
        self.args.rounds.unwrap_or(if self.args.quick { quick } else { full })
    }

    fn time(&self, full: f64, quick: f64) -> Duration {
        Duration::from_secs_f64(if self.args.quick { quick } else { full })
    }

    /// A data folder with `sessions` sessions whose jars have all rested.
    fn seeded(&self, name: &str, sessions: usize) -> Result<(Seeded, JarPool)> {
        self.seeded_with_jars(name, sessions, sessions)
    }

    fn seeded_with_jars(&self, name: &str, sessions: usize, jars: usize) -> Result<(Seeded, JarPool)> {
        let data = self.folder.join(name);
        std::fs::create_dir_all(&data).context(data.display())?;
        let seeded = Seeded { binary: self.args.server.clone(), data };
        let file = seeded.data.join("jars");
        let tenure = seeded.tenure();
        // The first start makes the secret that the seeded tokens are signed under.
        tenure.start()?.stop()?;
        note(&format!("seeding {sessions} sessions"));
        let status = Command::new(&self.args.seed)
            .arg("--db")
            .arg(tenure.database())
            .arg("--secret-file")
            .arg(tenure.secret())
            .args(["--sessions", &sessions.to_string()])
            .arg("--jars")
            .arg(&file)
            .args(["--jar-count", &jars.to_string(), "--handed-ago-s", "3600"])
            .args(["--password-hash", &self.password_hash])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .status()
            .context(self.args.seed.display())?;
        if !status.success() {
            return Err(Failure(format!("seeding failed ({status})")));
        }
        let pool = JarPool::read(&file, Duration::from_secs(REST_SECONDS))?;
        if pool.len() < jars {
            return Err(Failure(format!("the seed tool wrote {} jars instead of {jars}", pool.len())));
        }
        Ok((seeded, pool))
    }

    fn report(&self, machine: &Value, findings: &[Findings]) -> Result<()> {
        let goals: Vec<&Goal> = findings.iter().flat_map(|part| &part.goals).collect();
        let mut report = Map::new();
        report.insert("machine".into(), machine.clone());
        report.insert("quick".into(), json!(self.args.quick));
        report.insert("connections".into(), json!(self.args.connections));
        report.insert("goals".into(), json!(goals));
        for part in findings {
            report.insert(part.name.into(), part.data.clone());
        }
        let text = serde_json::to_string_pretty(&report).context("print")?;
        if let Some(out) = &self.args.out {
            std::fs::write(out, &text).context(out.display())?;
        }
        // The table goes to standard error, so that standard output is JSON and nothing else.
        eprintln!("{}", table::of_goals(&goals));
        println!("{text}");
        Ok(())
    }
}

/// A data folder and the binary that serves it.
struct Seeded {
    binary: PathBuf,
    data: PathBuf,
}

// === impl Seeded ===

impl Seeded {
    fn tenure(&self) -> Tenure<'_> {
        Tenure { binary: &self.binary, data: &self.data }
    }
}

/// Waits until there are rested jars for a closed loop of `time`, should the machine be as fast as that.
fn rest(pool: &JarPool, time: Duration) {
    const REFRESHES_PER_SECOND: f64 = 25_000.0;
    pool.wait_for_rested((REFRESHES_PER_SECOND * time.as_secs_f64()) as usize);
}

/// Says what is going on, for whoever waits.
fn note(text: &str) {
    eprintln!("… {text}");
}
