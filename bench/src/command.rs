//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::failure::{Context as _, Failure, Result};
use crate::jar::JarPool;
use crate::limit;
use crate::load::{Load, User};
use crate::proc::{self, Meter};
use crate::suite::{self, SuiteArgs};
use crate::user::{CheckUser, ConstantUser, LoginUser, Logins, MixedUser, People, RefreshUser, crowd};

/// Measures Tenure beside the limits of the machine it runs on. Loopback only.
#[derive(Parser)]
#[command(name = "tenure-bench", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Everything: seeds, starts servers, measures product and limits in turn, judges the goals.
    Suite(SuiteArgs),
    /// One scenario against a server that is already running.
    Load(LoadArgs),
    /// The limits alone: bare axum, signatures, rotations, password hashes.
    Limits(LimitsArgs),
    /// Serves bare axum (used by the others as a process of its own).
    Bare {
        #[arg(long)]
        listen: SocketAddr,
        #[arg(long, default_value_t = proc::cores())]
        workers: usize,
    },
    /// Prints the Argon2id hash, at Tenure's default cost, that seeded users may share.
    Hash {
        #[arg(long, default_value = suite::PASSWORD)]
        password: String,
    },
}

#[derive(Clone, Copy, ValueEnum)]
enum Scenario {
    /// GET of one public path.
    Constant,
    /// POST /api/v1/auth/refresh, each jar once per settle time.
    Refresh,
    /// GET /api/v1/auth/profile with a bearer token.
    Check,
    /// POST /api/v1/auth/login over many users.
    Login,
    /// Refresh at rest, then the same while users sign in.
    RefreshDuringLoginFlood,
    /// 900 checks, 99 refreshes, 1 sign-in.
    Mixed,
}

#[derive(Args)]
struct LoadArgs {
    scenario: Scenario,
    #[arg(long)]
    target: SocketAddr,
    /// The server's process, for its memory and processor time.
    #[arg(long)]
    pid: Option<u32>,
    /// Lines of `cookie_name=token`, one per session.
    #[arg(long)]
    jars: Option<PathBuf>,
    #[arg(long, default_value_t = 64)]
    connections: usize,
    #[arg(long, default_value_t = 1)]
    threads: usize,
    #[arg(long, default_value_t = 5.0)]
    seconds: f64,
    /// Requests per second of all connections together; without it, as fast as answers come.
    #[arg(long)]
    rate: Option<f64>,
    /// How long a jar rests after it was used; the settle time and a little more.
    #[arg(long, default_value_t = suite::REST_SECONDS)]
    rest_seconds: u64,
    /// Sessions whose access tokens are presented, and whose owners sign in, in turn.
    #[arg(long, default_value_t = 1000)]
    people: usize,
    #[arg(long, default_value = suite::PASSWORD)]
    password: String,
    /// Connections that sign in during the flood.
    #[arg(long, default_value_t = 8)]
    flood_connections: usize,
    #[arg(long, default_value = "/api/v1/system/ping")]
    path: String,
}

#[derive(Args)]
struct LimitsArgs {
    /// Where the rotation database lies; its disk is part of the limit.
    #[arg(long)]
    dir: Option<PathBuf>,
    #[arg(long, default_value_t = 3.0)]
    seconds: f64,
    #[arg(long, default_value_t = 64)]
    connections: usize,
    #[arg(long, default_value_t = 400_000)]
    sessions: usize,
}

pub fn main() -> ExitCode {
    match Cli::parse().command.run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("tenure-bench: {failure}");
            ExitCode::FAILURE
        }
    }
}

// === impl Command ===

impl Command {
    fn run(self) -> Result<()> {
        match self {
            Self::Suite(args) => suite::run(&args),
            Self::Load(args) => args.run(),
            Self::Limits(args) => args.run(),
            Self::Bare { listen, workers } => {
                only_loopback(listen)?;
                crate::bare::serve(listen, workers)
            }
            Self::Hash { password } => {
                println!("{}", limit::hash_for_seed(&password)?);
                Ok(())
            }
        }
    }
}

/// A load generator that can be pointed at other people's machines is a weapon.
fn only_loopback(address: SocketAddr) -> Result<()> {
    if address.ip().is_loopback() {
        return Ok(());
    }
    Err(Failure(format!("{address} is not a loopback address")))
}

fn seconds(number: f64) -> Result<Duration> {
    Duration::try_from_secs_f64(number).context("--seconds")
}

// === impl LoadArgs ===

impl LoadArgs {
    fn run(self) -> Result<()> {
        only_loopback(self.target)?;
        let mut load = Load::new(self.target, seconds(self.seconds)?);
        load.threads = self.threads;
        load.rate = self.rate;
        let users = self.users()?;
        let mut result = serde_json::Map::new();
        if matches!(self.scenario, Scenario::RefreshDuringLoginFlood) {
            result.insert("at_rest".into(), measure(&load, users, self.pid)?);
            let flood = Load::new(self.target, seconds(self.seconds)?);
            let logins = self.logins(self.people()?);
            let crowd = crowd(self.flood_connections, |_| LoginUser::new(self.target, logins.clone()));
            let flooded = std::thread::scope(|scope| {
                let flood = scope.spawn(|| flood.run(crowd));
                let during = measure(&load, self.users()?, self.pid)?;
                let flood = flood.join().map_err(|_| Failure("the flood panicked".into()))??;
                Ok::<_, Failure>((during, flood))
            })?;
            result.insert("during_flood".into(), flooded.0);
            result.insert("flood".into(), serde_json::json!(flooded.1));
        } else {
            result.insert("load".into(), measure(&load, users, self.pid)?);
        }
        println!("{}", serde_json::to_string_pretty(&result).context("print")?);
        Ok(())
    }

    fn logins(&self, people: People) -> Logins {
        Logins::new(people.emails, &self.password)
    }

    fn people(&self) -> Result<People> {
        People::meet(self.target, &self.pool()?, self.people)
    }

    fn pool(&self) -> Result<JarPool> {
        let file = self.jars.as_ref().context("this scenario needs --jars")?;
        JarPool::read(file, Duration::from_secs(self.rest_seconds))
    }

    fn users(&self) -> Result<Vec<Box<dyn User>>> {
        let (target, count) = (self.target, self.connections);
        Ok(match self.scenario {
            Scenario::Constant => crowd(count, |_| ConstantUser::new(target, &self.path)),
            Scenario::Refresh | Scenario::RefreshDuringLoginFlood => {
                let pool = self.pool()?;
                crowd(count, |_| RefreshUser::new(target, pool.clone()))
            }
            Scenario::Check => {
                let tokens = self.people()?.access_tokens;
                crowd(count, |n| CheckUser::new(target, tokens.clone(), n, count))
            }
            Scenario::Login => {
                let logins = self.logins(self.people()?);
                crowd(count, |_| LoginUser::new(target, logins.clone()))
            }
            Scenario::Mixed => {
                let pool = self.pool()?;
                let people = People::meet(target, &pool, self.people)?;
                let tokens = people.access_tokens.clone();
                let logins = self.logins(people);
                crowd(count, |n| {
                    MixedUser::new(
                        CheckUser::new(target, tokens.clone(), n, count),
                        RefreshUser::new(target, pool.clone()),
                        LoginUser::new(target, logins.clone()),
                        n,
                    )
                })
            }
        })
    }
}

fn measure(load: &Load, users: Vec<Box<dyn User>>, server: Option<u32>) -> Result<serde_json::Value> {
    let meter = Meter::start(server);
    let summary = load.run(users)?;
    let cost = meter.stop();
    let memory = server.map(proc::memory).transpose()?;
    Ok(serde_json::json!({ "summary": summary, "cost": cost, "memory": memory }))
}

// === impl LimitsArgs ===

impl LimitsArgs {
    fn run(self) -> Result<()> {
        let folder = suite::scratch(self.dir.as_deref())?;
        let time = seconds(self.seconds)?;
        let bare = crate::server::Server::bare(proc::cores(), &folder.path().join("bare.log"))?;
        let users = crowd(self.connections, |_| ConstantUser::new(bare.target, "/"));
        let summary = Load::new(bare.target, time).run(users)?;
        drop(bare);
        let mut rotations = limit::Rotations::prepare(&folder.path().join("limit.db"), self.sessions)?;
        let limits = serde_json::json!({
            "machine": proc::machine(),
            "bare_axum": summary,
            "signatures_per_second": limit::signatures_per_second(time)?,
            "rotations_per_second": rotations.per_second(time)?,
            "hashes_per_second": limit::hashes_per_second(time)?,
        });
        println!("{}", serde_json::to_string_pretty(&limits).context("print")?);
        Ok(())
    }
}
