//! The whole measurement: product and limits in turn, on the same cores, in the same run.
//!
//! On a small machine that others use too, absolute numbers drift by tens of per cent within minutes. Their
//! ratios drift less, if both sides were measured right after each other; so everything here is measured in
//! rounds, a ratio is taken inside its round, and the median of the rounds is judged.

mod feed;
mod flood;
mod judge;
mod postgres;
mod ready;
mod run;
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
    /// Where the product keeps its sessions.
    #[arg(long, value_enum, default_value_t = Store::Sqlite)]
    store: Store,
    /// The `tenure-rig` program, which starts PostgreSQL.
    #[arg(long)]
    rig: Option<PathBuf>,
    /// Fewer and shorter rounds, and a tenth of the sessions.
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
enum Store {
    Sqlite,
    Postgres,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Part {
    Throughput,
    Flood,
    Scale,
    Ready,
    Feed,
    Batches,
    Revocation,
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
    if let Some(part) = args.only.iter().find(|part| !part.stores().contains(&args.store)) {
        return Err(Failure(format!("{part:?} is not measured on {:?}", args.store)));
    }
    let findings = match args.store {
        Store::Sqlite => on_sqlite(&suite)?,
        Store::Postgres => postgres::measure(&suite)?,
    };
    suite.report(&machine, &findings)
}

fn on_sqlite(suite: &Suite<'_>) -> Result<Vec<Findings>> {
    let mut findings = Vec::new();
    if suite.wants(Part::Ready) {
        findings.push(ready::measure(suite)?);
    }
    if suite.wants(Part::Throughput) || suite.wants(Part::Flood) {
        let (tenure, pool) = suite.seeded("busy", suite.busy_sessions())?;
        if suite.wants(Part::Throughput) {
            findings.push(throughput::measure(suite, &tenure, &pool)?);
        }
        if suite.wants(Part::Flood) {
            findings.push(flood::measure(suite, &tenure, &pool)?);
        }
    }
    if suite.wants(Part::Scale) {
        findings.push(scale::measure(suite)?);
    }
    if suite.wants(Part::Feed) {
        findings.push(feed::measure(suite)?);
    }
    Ok(findings)
}

/// A scratch folder that is removed at the end.
pub fn scratch(dir: Option<&Path>) -> Result<tempfile::TempDir> {
    let builder = || tempfile::Builder::new().prefix("tenure-bench-").rand_bytes(8).to_owned();
    match dir {
        Some(dir) => builder().tempdir_in(dir).context(dir.display()),
        None => builder().tempdir().context("a scratch folder"),
    }
}

// === impl Findings ===

impl Findings {
    /// Says at once what a part of a long run found out.
    fn shown(self) -> Self {
        note(&table::of_goals(&self.goals.iter().collect::<Vec<_>>()));
        self
    }
}

// === impl Part ===

impl Part {
    fn stores(self) -> &'static [Store] {
        match self {
            Self::Flood | Self::Ready | Self::Feed => &[Store::Sqlite],
            Self::Batches | Self::Revocation => &[Store::Postgres],
            Self::Throughput | Self::Scale => &[Store::Sqlite, Store::Postgres],
        }
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
        let tenure = seeded.tenure();
        // The first start makes the secret that the seeded tokens are signed under.
        tenure.start()?.stop()?;
        let mut seed = Command::new(&self.args.seed);
        seed.arg("--db").arg(tenure.database());
        let pool = self.seed(seed, &seeded.data, sessions, jars)?;
        Ok((seeded, pool))
    }

    /// Lets the seed tool, which was told into which database, write sessions and so many jars of them. The secret
    /// is in `data`, and the jars' file comes there.
    fn seed(&self, mut seed: Command, data: &Path, sessions: usize, jars: usize) -> Result<JarPool> {
        note(&format!("seeding {sessions} sessions"));
        let file = data.join("jars");
        let status = seed
            .arg("--secret-file")
            .arg(data.join("secret"))
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
        Ok(pool)
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
        Tenure { binary: &self.binary, data: &self.data, postgres: None }
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
