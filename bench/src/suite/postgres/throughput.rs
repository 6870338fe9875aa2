//! Refreshes and checks per second on PostgreSQL, beside the guarded UPDATE that a refresh consists of.

use std::time::Duration;

use serde::Serialize;
use serde_json::json;

use super::batches::{CONNECTIONS, metered};
use super::cluster::Cluster;
use super::{NODES, cluster};
use crate::database::Postgres;
use crate::failure::Result;
use crate::jar::JarPool;
use crate::limit::{self, Updates};
use crate::load::Load;
use crate::proc::cores;
use crate::server::Server;
use crate::suite::judge::{Goal, Rounds};
use crate::suite::run::{Run, run, run_over};
use crate::suite::{Findings, Suite, note, rest};
use crate::user::{AccessTokens, CheckUser, ConstantUser, People, RefreshUser, crowd};

/// Sessions whose access tokens are presented in turn.
const PEOPLE: usize = 1_000;
/// Fewer than a node keeps rows of, so that it still has the row of each when its jar has rested.
const KEPT: usize = 40_000;

#[derive(Serialize)]
struct Round {
    bare: Run,
    signatures_per_second: f64,
    limit: Run,
    kept: Run,
    not_kept: Run,
    limit_of_three: Run,
    three: Run,
    check_on_sqlite: Run,
    check: Run,
}

/// Everything that runs meanwhile.
struct Bench<'a> {
    server: &'a Postgres,
    updates: Updates,
    bare: Server,
    /// A node that refreshes the same few sessions again and again.
    one: Server,
    kept: JarPool,
    /// Nodes that share many sessions, so that none has the row at hand.
    three: Vec<Server>,
    pool: JarPool,
    tokens: AccessTokens,
    sqlite: Server,
    sqlite_tokens: AccessTokens,
    connections: usize,
    time: Duration,
}

pub fn measure(suite: &Suite<'_>, server: &Postgres, cluster: &Cluster<'_>) -> Result<Findings> {
    let mut bench = Bench::prepare(suite, server, cluster)?;
    let mut rounds = Vec::new();
    let count = suite.rounds(5, 3);
    for n in 1..=count {
        note(&format!("refreshes and checks on PostgreSQL, round {n} of {count}"));
        rounds.push(bench.round()?);
    }
    let memory = bench.one.memory()?;
    let goals = goals(&rounds);
    let data = json!({
        "sessions": suite.busy_sessions(), "kept": bench.kept.len(), "nodes": NODES,
        "connections_per_node": CONNECTIONS, "memory_after": memory, "rounds": rounds,
    });
    Ok(Findings { name: "throughput_on_postgres", data, goals })
}

// === impl Bench ===

impl<'a> Bench<'a> {
    fn prepare(suite: &Suite<'_>, server: &'a Postgres, cluster: &cluster::Cluster<'_>) -> Result<Self> {
        let limit = server.create("bare")?;
        let updates = Updates::prepare(&limit, suite.busy_sessions())?;
        let bare = Server::bare(cores(), &suite.folder.join("bare.log"))?;
        let (small, small_pool) = suite.seeded("sqlite", 2 * PEOPLE)?;
        let sqlite = small.tenure().start()?;
        let sqlite_tokens = People::meet(sqlite.target, &small_pool, PEOPLE)?.access_tokens;
        let pool = cluster.pool.clone();
        rest(&pool, Duration::from_secs(1));
        let one = cluster.start(0)?;
        let three = (1..=NODES).map(|node| cluster.start(node)).collect::<Result<Vec<_>>>()?;
        let kept = pool.split_off(KEPT.min(pool.len() / 3));
        let tokens = People::meet(one.target, &pool, PEOPLE)?.access_tokens;
        note("a first refresh of the sessions whose rows a node is to keep");
        let all = Load::new(one.target, Duration::from_secs(60)).without_warm_up();
        all.run(crowd(64, |_| RefreshUser::new(one.target, kept.clone())))?;
        let (connections, time) = (suite.args.connections, suite.time(3.0, 1.5));
        Ok(Self {
            server,
            updates,
            bare,
            one,
            kept,
            three,
            pool,
            tokens,
            sqlite,
            sqlite_tokens,
            connections,
            time,
        })
    }

    fn round(&mut self) -> Result<Round> {
        let (server, connections, time) = (self.server, self.connections, self.time);
        rest(&self.kept, time * 10);
        let bare = run(
            &self.bare,
            Load::new(self.bare.target, time),
            crowd(connections, |_| ConstantUser::new(self.bare.target, "/")),
        )?;
        let limit = metered(server, || self.updates.singly(time, connections, CONNECTIONS))?;
        let kept = self.refresh(&[&self.one], &self.kept)?;
        let signatures_per_second = limit::signatures_per_second(time / 2)?;
        let not_kept = self.refresh(&[&self.three[0]], &self.pool)?;
        let limit_of_three = metered(server, || self.updates.singly(time, connections, CONNECTIONS * NODES))?;
        let three = self.refresh(&self.three.iter().collect::<Vec<_>>(), &self.pool)?;
        let check_on_sqlite = self.check(&self.sqlite, &self.sqlite_tokens)?;
        let check = self.check(&self.one, &self.tokens)?;
        Ok(Round {
            bare,
            signatures_per_second,
            limit,
            kept,
            not_kept,
            limit_of_three,
            three,
            check_on_sqlite,
            check,
        })
    }

    fn refresh(&self, nodes: &[&Server], pool: &JarPool) -> Result<Run> {
        let targets: Vec<_> = nodes.iter().map(|node| node.target).collect();
        let users = crowd(self.connections, |n| RefreshUser::new(targets[n % targets.len()], pool.clone()));
        run_over(nodes, Some(self.server.id()), Load::over(targets, self.time), users)
    }

    fn check(&self, server: &Server, tokens: &AccessTokens) -> Result<Run> {
        let count = self.connections;
        let users = crowd(count, |n| CheckUser::new(server.target, tokens.clone(), n, count));
        run_over(&[server], Some(self.server.id()), Load::new(server.target, self.time), users)
    }
}

/// What is left if a refresh is nothing but HTTP, a signature and the write: 1 / (1/a + 1/s + 1/u).
fn combined(round: &Round) -> f64 {
    let parts = [round.bare.summary.per_second, round.signatures_per_second, round.limit.summary.per_second];
    1.0 / parts.iter().map(|rate| 1.0 / rate).sum::<f64>()
}

fn goals(rounds: &[Round]) -> Vec<Goal> {
    let each = |number: fn(&Round) -> f64| rounds.iter().map(number).collect::<Rounds>();
    let rate = |run: fn(&Round) -> &Run| {
        rounds.iter().map(|round| run(round).summary.per_second).collect::<Rounds>()
    };
    let cost = |run: fn(&Round) -> &Run| {
        rounds.iter().map(|round| run(round).us_per_operation()).collect::<Rounds>()
    };
    let (limit, kept) = (rate(|round| &round.limit), rate(|round| &round.kept));
    let (limit_of_three, three) = (rate(|round| &round.limit_of_three), rate(|round| &round.three));
    let not_kept = rate(|round| &round.not_kept);
    let combined = each(combined);
    let (check, check_on_sqlite) = (rate(|round| &round.check), rate(|round| &round.check_on_sqlite));
    let rotated = each(|round| {
        let runs = [&round.kept.summary, &round.not_kept.summary, &round.three.summary];
        let rotated = runs.iter().map(|run| run.outcome("rotated")).sum::<u64>() as f64;
        rotated / runs.iter().map(|run| run.operations).sum::<u64>().max(1) as f64
    });
    let errors = each(|round| {
        let runs = [&round.kept, &round.not_kept, &round.three, &round.check_on_sqlite, &round.check];
        runs.iter().map(|run| run.summary.error_count()).sum::<u64>() as f64
    });
    vec![
        Goal::number("limit u: guarded UPDATEs, 16 connections", "/s", &limit),
        Goal::number("refresh, row kept on the node", "/s", &kept),
        Goal::at_least("refresh, row kept / limit", 0.60, "", &kept.over(&limit)),
        Goal::number("refresh, row not kept", "/s", &not_kept),
        Goal::number("refresh, row not kept / limit", "", &not_kept.over(&limit)),
        Goal::number("limit, 48 connections", "/s", &limit_of_three),
        Goal::number("refresh over three nodes, row not kept", "/s", &three),
        Goal::at_least("refresh over three nodes / limit", 0.60, "", &three.over(&limit_of_three)),
        Goal::number("limit a: bare axum", "/s", &rate(|round| &round.bare)),
        Goal::number("limit s: Ed25519 signatures", "/s", &each(|round| round.signatures_per_second)),
        Goal::number("combined limit 1/(1/a+1/s+1/u)", "/s", &combined),
        Goal::number("refresh, row kept / combined limit", "", &kept.over(&combined)),
        Goal::number("processor time of the limit", "us", &cost(|round| &round.limit)),
        Goal::number("processor time of a refresh, row kept", "us", &cost(|round| &round.kept)),
        Goal::number("of which PostgreSQL", "us", &each(|round| round.kept.database_us_per_operation)),
        Goal::number("of which the node", "us", &each(|round| round.kept.server_us_per_operation)),
        Goal::number("refresh p99, row kept, closed loop", "ms", &each(|round| p99_ms(&round.kept))),
        Goal::number("check on SQLite", "/s", &check_on_sqlite),
        Goal::number("check on PostgreSQL", "/s", &check),
        Goal::at_least("check, PostgreSQL / SQLite", 0.90, "", &check.over(&check_on_sqlite)),
        Goal::at_least("refreshes that rotated", 0.999, "", &rotated),
        Goal::at_most("failed requests", 0.0, "", &errors),
        Goal::number(
            "share of the cores that went elsewhere",
            "",
            &each(|round| round.kept.cost.foreign_share),
        ),
    ]
}

fn p99_ms(run: &Run) -> f64 {
    run.summary.p99_us("refresh") as f64 / 1e3
}
