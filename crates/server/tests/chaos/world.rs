//! One test's world: a server or several, the network in front of them, and the clients behind that.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tempfile::TempDir;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::browser::Browser;
use crate::client::{Client, assert_refused};
use crate::ledger::{ADMIN_REVOKED, Ledger, Promise};
use crate::log::Log;
use crate::proxy::{Proxy, Upstream};
use crate::random::Random;
use crate::server::{Installation, Server};

/// Whoever is in the middle of something when the trouble ends has this long to finish it.
const SETTLE_DOWN: Duration = Duration::from_secs(90);

/// The number under which the ledger keeps what the command line did.
pub const COMMAND_LINE: usize = 9_999;

pub struct World {
    pub seed: u64,
    /// One with a database of its own, or several that share one.
    pub nodes: Vec<Server>,
    /// Where each of them listens.
    pub upstreams: Vec<Upstream>,
    pub proxy: Proxy,
    pub ledger: Arc<Ledger>,
    pub clients: Vec<Arc<Client>>,
    living: JoinSet<()>,
    stop: Arc<AtomicBool>,
    _folder: TempDir,
}

/// What a world consists of.
pub struct Plan {
    pub clients: usize,
    /// How many times faster than usual the clients live.
    pub haste: u64,
    pub promise: Promise,
    /// The settings of each server.
    pub environments: Vec<Vec<(&'static str, String)>>,
    pub log: Log,
}

impl World {
    /// The server is up, and the clients have not begun yet.
    pub async fn start(clients: usize) -> Self {
        let seed = seed();
        println!("CHAOS_SEED={seed}");
        let mut world = Self::prepare(clients, seed).await;
        world.nodes[0].start().await;
        world
    }

    /// The server has never run.
    pub async fn prepare(clients: usize, seed: u64) -> Self {
        let plan = Plan {
            clients,
            haste: 1,
            promise: Promise::ONE_MACHINE,
            environments: vec![vec![]],
            log: Log::default(),
        };
        Self::build(plan, seed).await
    }

    /// No server has ever run.
    pub async fn build(plan: Plan, seed: u64) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (says, upstreams): (Vec<_>, Vec<Upstream>) =
            plan.environments.iter().map(|_| watch::channel(None)).unzip();
        let proxy = Proxy::start(seed, upstreams.clone()).await;
        let log = Arc::new(plan.log);
        let mut nodes = vec![];
        for (number, (environment, upstream)) in plan.environments.into_iter().zip(says).enumerate() {
            let name = format!("node {number}");
            let data = folder.path().join(&name);
            let (public_url, log) = (proxy.url(), Arc::clone(&log));
            nodes.push(Server::new(Installation { name, data, public_url, environment, log }, upstream));
        }
        let ledger = Arc::new(Ledger::new(plan.promise, log));
        let stop = Arc::new(AtomicBool::new(false));
        let client = |number| {
            let mut client = Client::new(number, proxy.url(), Arc::clone(&ledger), seed, Arc::clone(&stop));
            client.habits.rest_ms /= plan.haste;
            Arc::new(client)
        };
        let clients = (0..plan.clients).map(client).collect();
        Self { seed, nodes, upstreams, proxy, ledger, clients, living: JoinSet::new(), stop, _folder: folder }
    }

    pub fn random(&self, purpose: &str) -> Random {
        Random::of_one(self.seed, purpose, 0)
    }

    pub fn let_clients_live(&mut self) {
        for client in &self.clients {
            self.living.spawn(Arc::clone(client).live());
        }
    }

    /// Ends sessions by the command line, one after the other, until the clients are told to stop.
    pub fn let_an_operator_end_sessions(&mut self) {
        let mut random = self.random("operator");
        let (installation, ledger) = (self.nodes[0].installation.clone(), Arc::clone(&self.ledger));
        let (stop, clients) = (Arc::clone(&self.stop), self.clients.clone());
        let browser = Browser::new(self.proxy.url(), 0);
        self.living.spawn(async move {
            while !stop.load(Ordering::Relaxed) {
                tokio::time::sleep(random.ms(300, 1_800)).await;
                let victims = clients.iter().filter(|client| !client.habits.keeps);
                let sessions: Vec<_> = victims.filter_map(|client| client.current()).collect();
                let Some(victim) = random.pick(&sessions) else { continue };
                let id = victim.session.as_str();
                ledger.may_end(COMMAND_LINE, id, ADMIN_REVOKED);
                match end_by_command_line(&installation, &ledger, id).await {
                    Ok(()) => {
                        ledger.ended(COMMAND_LINE, id);
                        assert_refused(COMMAND_LINE, &browser, &ledger, id).await;
                    }
                    Err(why) => {
                        ledger.violation(id, &format!("the command line could not end it: {why}"));
                    }
                }
            }
        });
    }

    /// The trouble is over: the network is well, and every client finishes what it was doing.
    pub async fn settle_down(&mut self) {
        self.proxy.set_faulty(false);
        self.stop.store(true, Ordering::Relaxed);
        let finished = timeout(SETTLE_DOWN.max(self.ledger.promise.progress), async {
            while let Some(lived) = self.living.join_next().await {
                lived.unwrap();
            }
        });
        if finished.await.is_err() {
            self.ledger.violation("", "clients did not finish although the trouble was over");
        }
        self.ledger.assert_kept(self.seed);
    }
}

/// A database of its own always takes an end; one that may be away takes it when it is back.
async fn end_by_command_line(installation: &Installation, ledger: &Ledger, id: &str) -> Result<(), String> {
    let give_up_at = crate::now() + ledger.promise.progress;
    loop {
        let ended = installation.cli(&["session", "end", id, "--reason", "chaos"]).await;
        if ended.status.success() {
            return Ok(());
        }
        if ledger.promise.staleness.is_zero() || crate::now() > give_up_at {
            return Err(String::from_utf8_lossy(&ended.stderr).into_owned());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

pub fn seed() -> u64 {
    #[allow(clippy::disallowed_methods)] // A new one for every run, and printed.
    let drawn = || std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_micros();
    number("CHAOS_SEED").unwrap_or_else(|| drawn() as u64 % 1_000_000)
}

/// A number from the environment.
pub fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name} is a number")))
}
