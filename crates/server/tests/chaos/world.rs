//! One test's world: a data folder, a server, the network in front of it, and the clients behind that.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tempfile::TempDir;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::browser::Browser;
use crate::client::{Client, assert_refused};
use crate::ledger::{ADMIN_REVOKED, Ledger};
use crate::proxy::Proxy;
use crate::random::Random;
use crate::server::{Installation, Log, Server};

/// Whoever is in the middle of something when the trouble ends has this long to finish it.
const SETTLE_DOWN: Duration = Duration::from_secs(90);

/// The number under which the ledger keeps what the command line did.
pub const COMMAND_LINE: usize = 99;

pub struct World {
    pub seed: u64,
    pub server: Server,
    pub proxy: Proxy,
    pub ledger: Arc<Ledger>,
    pub clients: Vec<Arc<Client>>,
    living: JoinSet<()>,
    stop: Arc<AtomicBool>,
    _folder: TempDir,
}

impl World {
    /// The server is up, and the clients have not begun yet.
    pub async fn start(clients: usize) -> Self {
        let seed = seed();
        println!("CHAOS_SEED={seed}");
        let mut world = Self::prepare(clients, seed).await;
        world.server.start().await;
        world
    }

    /// The server has never run.
    pub async fn prepare(clients: usize, seed: u64) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (upstream, follow) = watch::channel(None);
        let proxy = Proxy::start(seed, follow).await;
        let log = Arc::new(Log::default());
        let data = folder.path().join("data");
        let installation = Installation { data, public_url: proxy.url(), log: Arc::clone(&log) };
        let ledger = Arc::new(Ledger::new(log));
        let stop = Arc::new(AtomicBool::new(false));
        let client =
            |number| Arc::new(Client::new(number, proxy.url(), Arc::clone(&ledger), seed, Arc::clone(&stop)));
        let clients = (0..clients).map(client).collect();
        let server = Server::new(installation, upstream);
        Self { seed, server, proxy, ledger, clients, living: JoinSet::new(), stop, _folder: folder }
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
        let (installation, ledger) = (self.server.installation.clone(), Arc::clone(&self.ledger));
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
                let ended = installation.cli(&["session", "end", id, "--reason", "chaos"]).await;
                if !ended.status.success() {
                    let why = String::from_utf8_lossy(&ended.stderr);
                    ledger.violation(id, &format!("the command line could not end it: {why}"));
                    continue;
                }
                ledger.ended(COMMAND_LINE, id);
                assert_refused(COMMAND_LINE, &browser, &ledger, id).await;
            }
        });
    }

    /// The trouble is over: the network is well, and every client finishes what it was doing.
    pub async fn settle_down(&mut self) {
        self.proxy.set_faulty(false);
        self.stop.store(true, Ordering::Relaxed);
        let finished = timeout(SETTLE_DOWN, async {
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

pub fn seed() -> u64 {
    #[allow(clippy::disallowed_methods)] // A new one for every run, and printed.
    let drawn = || std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_micros();
    number("CHAOS_SEED").unwrap_or_else(|| drawn() as u64 % 1_000_000)
}

/// A number from the environment.
pub fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name} is a number")))
}
