//! Three nodes on one PostgreSQL and one Redis, each of which is killed, held and started again at random.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use tenure_rig::{Postgres, Redis};
use tokio::time::sleep;

use crate::audit::{Sums, audit};
use crate::backends::{NODES, environment, start_cluster, with};
use crate::calm::{Calm, RECOVERY};
use crate::everywhere::Everywhere;
use crate::random::Random;
use crate::server::{SETTLE, Server};
use crate::world::{World, number};

const CLIENTS: usize = 64;

/// How long the trouble lasts if nobody asked for more: two settle times without a crash of the database, some
/// crashes, and another settle time, as nothing counts as quiet before one has passed since a crash.
const SHORT: Duration = Duration::from_secs(72);

/// Between two bursts of crashes of the database.
const QUIET: Duration = Duration::from_secs(SETTLE.as_secs() * 2 + 2);

/// A hold in a long run, now and then.
const LONG_HOLD: Duration = Duration::from_secs(30);

/// After the last trouble: how soon ends are refused by nodes that are well.
const MEASURING: Duration = Duration::from_secs(5);

/// Some commits of rotations are lost with the database, by design (protocol.md section 4).
const IN_ORDER: [&str; 1] = ["\"rewound\""];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_is_signed_out_whatever_happens_to_nodes_database_and_redis() {
    let minutes = number("CHAOS_MINUTES");
    let span = minutes.map_or(SHORT, |minutes| Duration::from_secs(minutes * 60));
    let haste = number("CHAOS_HASTE").unwrap_or(if minutes.is_some() { 12 } else { 1 });
    let clients = number("CHAOS_CLIENTS").map_or(CLIENTS, |clients| clients as usize);
    // It need not wait for its disk: what was written survives its being killed, and what was not, does not.
    let postgres = Arc::new(Postgres::with(&["fsync=off", "full_page_writes=off"]));
    let redis = Arc::new(Redis::start());
    let nodes = (0..NODES).map(|_| environment(postgres.url("postgres"), Some(&redis))).collect();
    let mut world = start_cluster(clients, haste, &IN_ORDER, nodes).await;

    let calm = Calm::new();
    let everywhere = Everywhere::new(world.upstreams.clone(), Arc::clone(&world.ledger), Arc::clone(&calm));
    let following = tokio::spawn(Arc::clone(&everywhere).follow(world.ledger.follow_ends()));
    world.let_clients_live();
    world.let_an_operator_end_sessions();
    let began = crate::now();
    let telling = tokio::spawn(tell(began, Arc::clone(&world.ledger), Arc::clone(&calm)));

    let storm = Storm { calm: Arc::clone(&calm), ends_at: began + span, is_long: minutes.is_some() };
    storm.rage(&mut world, &postgres, &redis).await;
    restart_one_after_the_other(&mut world, &calm).await;
    sleep(RECOVERY + MEASURING).await;
    world.settle_down().await;
    telling.abort();
    world.ledger.close_ends();
    following.await.unwrap();
    let sums = audit(&world).await;
    everywhere.check_all_refused().await;
    world.ledger.assert_kept(world.seed);

    summary(&world, &calm, &everywhere, &sums, began);
    assert_enough_happened(&world, &calm, &everywhere, &sums, span);
}

/// The trouble, and when it is to be over.
struct Storm {
    calm: Arc<Calm>,
    ends_at: Instant,
    is_long: bool,
}

impl Storm {
    /// Everything at once: each node, the database and Redis have a tormentor of their own.
    async fn rage(&self, world: &mut World, postgres: &Arc<Postgres>, redis: &Arc<Redis>) {
        let draws: Vec<_> = (0..NODES).map(|node| Random::of_one(world.seed, "node", node)).collect();
        let (database, cache) = (world.random("postgres"), world.random("redis"));
        let ledger = Arc::clone(&world.ledger);
        let nodes = world.nodes.iter_mut().zip(draws).zip([0, 50, 90]);
        let nodes = nodes.map(|((node, random), first)| self.torment_node(node, random, first));
        tokio::join!(
            join_all(nodes),
            self.torment_postgres(postgres, database),
            self.torment_redis(redis, cache)
        );
        ledger.assert_kept(world.seed);
    }

    fn is_over(&self) -> bool {
        crate::now() >= self.ends_at
    }

    /// Mostly short, and in a long run now and then for half a minute.
    fn hold(&self, random: &mut Random) -> Duration {
        if self.is_long && random.chance(8) { LONG_HOLD } else { random.ms(200, 3_500) }
    }

    /// In a long run longer: holds of half a minute, one upon the other, would leave hardly anything but trouble.
    async fn rest(&self, random: &mut Random, from: u64, to: u64) {
        let times = if self.is_long { 3 } else { 1 };
        let rest = random.ms(from, to) * times;
        sleep(rest.min(self.ends_at.saturating_duration_since(crate::now()))).await;
    }

    /// The first trouble is given, so that there is each kind of them however long the others take.
    async fn torment_node(&self, node: &mut Server, mut random: Random, first: u64) {
        let mut kinds = std::iter::once(first);
        loop {
            self.rest(&mut random, 1_500, 9_000).await;
            if self.is_over() {
                return;
            }
            match kinds.next().unwrap_or_else(|| random.below(100)) {
                0..45 => {
                    let _trouble = self.calm.trouble("node: kill -9");
                    node.kill();
                    sleep(random.ms(0, 1_500)).await;
                    node.start_supervised().await;
                }
                45..70 => {
                    let _trouble = self.calm.trouble("node: SIGTERM");
                    let status = node.terminate().await;
                    assert!(status.success(), "after SIGTERM a node exited with {status}");
                    node.start_supervised().await;
                }
                _ => {
                    let _trouble = self.calm.trouble("node: held");
                    let hold = self.hold(&mut random);
                    node.pause(hold).await;
                }
            }
        }
    }

    /// Held now and then, and killed in bursts, so that there are times between in which generations move.
    async fn torment_postgres(&self, postgres: &Arc<Postgres>, mut random: Random) {
        loop {
            let quiet_until = crate::now() + QUIET;
            while crate::now() < quiet_until {
                self.rest(&mut random, 3_000, 8_000).await;
                if self.is_over() {
                    return;
                }
                let _trouble = self.calm.trouble("postgres: held");
                with(postgres, Postgres::pause).await;
                let hold = self.hold(&mut random);
                sleep(hold).await;
                with(postgres, Postgres::resume).await;
            }
            // Not so late that nothing could become quiet after it.
            if crate::now() + SETTLE > self.ends_at {
                continue;
            }
            for _ in 0..2 + random.below(2) {
                let _trouble = self.calm.trouble("postgres: kill -9");
                with(postgres, Postgres::kill).await;
                sleep(random.ms(0, 2_500)).await;
                with(postgres, Postgres::start_again).await;
                sleep(random.ms(0, 1_500)).await;
            }
        }
    }

    async fn torment_redis(&self, redis: &Arc<Redis>, mut random: Random) {
        loop {
            self.rest(&mut random, 1_500, 7_000).await;
            if self.is_over() {
                return;
            }
            match random.below(100) {
                0..40 => {
                    let _trouble = self.calm.trouble("redis: kill -9");
                    with(redis, Redis::kill).await;
                    sleep(random.ms(0, 3_000)).await;
                    with(redis, Redis::start_again).await;
                }
                40..80 => {
                    let _trouble = self.calm.trouble("redis: held");
                    with(redis, Redis::pause).await;
                    let hold = self.hold(&mut random);
                    sleep(hold).await;
                    with(redis, Redis::resume).await;
                }
                _ => {
                    let _trouble = self.calm.trouble("redis: flushed");
                    with(redis, Redis::flush).await;
                }
            }
        }
    }
}

/// Under load and over a network that is well, as in every upgrade.
async fn restart_one_after_the_other(world: &mut World, calm: &Arc<Calm>) {
    world.proxy.set_faulty(false);
    for node in &mut world.nodes {
        let _trouble = calm.trouble("node: restarted in turn");
        let status = node.terminate().await;
        assert!(status.success(), "after SIGTERM a node exited with {status}");
        node.start().await;
    }
}

/// A line every ten seconds, for whoever watches.
async fn tell(began: Instant, ledger: Arc<crate::ledger::Ledger>, calm: Arc<Calm>) {
    loop {
        sleep(Duration::from_secs(10)).await;
        let counts = ledger.counts();
        println!(
            "{:>5} s  {} refreshes, {} sign-ins, {} ends, {} lost answers; {:?}",
            began.elapsed().as_secs(),
            counts.refreshes,
            counts.sign_ins,
            counts.ends,
            counts.lost_answers,
            calm.tally()
        );
    }
}

fn summary(world: &World, calm: &Calm, everywhere: &Everywhere, sums: &Sums, began: Instant) {
    let counts = world.ledger.counts();
    let mut rows: Vec<(&str, String)> = vec![
        ("seconds", began.elapsed().as_secs().to_string()),
        ("clients", world.clients.len().to_string()),
        ("refreshes", counts.refreshes.to_string()),
        ("rotations", sums.generations.to_string()),
        ("rotations of the laziest keeper", sums.fewest_generations.to_string()),
        ("sign-ins", counts.sign_ins.to_string()),
        ("ends answered", counts.ends.to_string()),
        ("sessions alive, ended, nobody's", format!("{}, {}, {}", sums.alive, sums.ended, sums.orphans)),
        ("lost answers", counts.lost_answers.to_string()),
        ("network faults", world.proxy.state.faults.load(Ordering::Relaxed).to_string()),
        ("refused everywhere after", everywhere.delays().summary()),
    ];
    let tally = calm.tally();
    rows.extend(tally.iter().map(|(what, count)| (*what, count.to_string())));
    rows.push(("sign-outs without a cause", "0".to_owned()));
    rows.push(("revived sessions", "0".to_owned()));
    println!("\nseed {}", world.seed);
    for (what, number) in rows {
        println!("  {what:<34} {number}");
    }
}

/// A run in which little happens proves little.
fn assert_enough_happened(world: &World, calm: &Calm, everywhere: &Everywhere, sums: &Sums, span: Duration) {
    let counts = world.ledger.counts();
    let clients = world.clients.len() as u64;
    let seconds = span.as_secs();
    let faults = world.proxy.state.faults.load(Ordering::Relaxed) as u64;
    let delays = everywhere.delays();
    let at_least = |what: &str, got: u64, least: u64| {
        assert!(got >= least, "too little happened: {what} {got}, at least {least} expected");
    };
    at_least("refreshes", counts.refreshes, seconds * clients / 10);
    at_least("sign-ins", counts.sign_ins, clients);
    at_least("ends", counts.ends, seconds / 2);
    at_least("rotations", sums.generations as u64, clients);
    at_least("rotations of each that lived throughout", sums.fewest_generations as u64, 1);
    at_least("network faults", faults, seconds * 5);
    at_least("kills of nodes", calm.count("node: kill -9"), seconds / 20);
    at_least("stops of nodes", calm.count("node: SIGTERM"), seconds / 40);
    at_least("holds of nodes", calm.count("node: held"), seconds / 40);
    at_least("kills of PostgreSQL", calm.count("postgres: kill -9"), seconds / 60);
    at_least("holds of PostgreSQL", calm.count("postgres: held"), seconds / 40);
    at_least("troubles of Redis", calm.count("redis: kill -9") + calm.count("redis: held"), seconds / 30);
    at_least("ends measured on nodes", (delays.calm.len() + delays.in_trouble.len()) as u64, counts.ends);
    at_least("ends measured on nodes that are well", delays.calm.len() as u64, 1);
}
