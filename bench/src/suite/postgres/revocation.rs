//! How long after a node has answered that a session is ended the others still accept its access token.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::json;

use super::NODES;
use super::cluster::Cluster;
use crate::clock;
use crate::failure::{Context as _, Failure, Result};
use crate::jar::JarPool;
use crate::load::{Load, User, Verdict};
use crate::random::Random;
use crate::server::Server;
use crate::stats::{Stats, Summary};
use crate::suite::judge::{Goal, Rounds};
use crate::suite::{Findings, PASSWORD, Suite, note, rest};
use crate::token::json_string;
use crate::user::{CheckUser, LoginUser, Logins, People, RefreshUser, crowd};
use crate::wire::Connection;

/// What is asked of the nodes beside: refreshes, checks and sign-ins a second, all nodes together.
const REFRESHES: f64 = 150.0;
const CHECKS: f64 = 300.0;
const SIGN_INS: f64 = 3.0;
/// Between two questions whether a token is still accepted.
const PAUSE: Duration = Duration::from_millis(1);
/// A token that is accepted for longer than this after the end is a fault, not a delay.
const PATIENCE: Duration = Duration::from_secs(10);

pub fn measure(suite: &Suite<'_>, cluster: &Cluster<'_>) -> Result<Findings> {
    let nodes = (1..=NODES).map(|node| cluster.start(node)).collect::<Result<Vec<Server>>>()?;
    let targets: Vec<SocketAddr> = nodes.iter().map(|node| node.target).collect();
    rest(&cluster.pool, Duration::from_secs(1));
    let ends = if suite.args.quick { 300 } else { 500 };
    note(&format!("{ends} ends, and how long other nodes take to refuse the access token"));
    let time = suite.time(90.0, 60.0);
    let beside = beside(&targets, &cluster.pool, time)?;
    let (summary, failed) = std::thread::scope(|scope| {
        let running: Vec<_> =
            beside.into_iter().map(|(load, users)| scope.spawn(move || load.run(users))).collect();
        let summary = end_many(&targets, &cluster.pool, ends);
        let mut failed = 0;
        for load in running {
            let beside = load.join().map_err(|_| Failure("the load panicked".into()))??;
            failed += beside.error_count();
        }
        Ok::<_, Failure>((summary?, failed))
    })?;
    let latency = summary.latency.get("refused").context("no end was seen")?;
    let ms = |us: u64| [us as f64 / 1e3].into_iter().collect::<Rounds>();
    let heard = |name: &str| [summary.outcome(name) as f64].into_iter().collect::<Rounds>();
    let mut goals = vec![
        Goal::number("ends, each watched on the two other nodes", "", &[ends as f64].into_iter().collect()),
        Goal::number("access token refused after, p50", "ms", &ms(latency.p50_us)),
        Goal::at_most("access token refused after, p99", 250.0, "ms", &ms(latency.p99_us)),
        Goal::number("access token refused after, at most", "ms", &ms(latency.max_us)),
        Goal::number("refused by the first answer after the end", "", &heard("at_once")),
        Goal::at_most("accepted again after a refusal", 0.0, "", &heard("accepted_again")),
    ];
    let failed: Rounds = [failed as f64].into_iter().collect();
    goals.push(Goal::at_most("failed requests beside", 0.0, "", &failed));
    let data = json!({ "ends": ends, "nodes": NODES, "delays": summary });
    Ok(Findings { name: "revocation", data, goals })
}

/// Users, and how they load.
type Crowd = (Load, Vec<Box<dyn User>>);

/// Light work for all nodes, so that what they do for an end is not all they do.
fn beside(targets: &[SocketAddr], pool: &JarPool, time: Duration) -> Result<Vec<Crowd>> {
    const USERS: usize = 12;
    let at = |n: usize| targets[n % targets.len()];
    let people = People::meet(at(0), pool, 300)?;
    let logins = Logins::new(people.emails, PASSWORD);
    let load = |rate| Load::over(targets.to_vec(), time).at_rate(rate);
    Ok(vec![
        (load(REFRESHES), crowd(USERS, |n| RefreshUser::new(at(n), pool.clone()))),
        (load(CHECKS), crowd(USERS, |n| CheckUser::new(at(n), people.access_tokens.clone(), n, USERS))),
        (load(SIGN_INS), crowd(NODES, |n| LoginUser::new(at(n), logins.clone()))),
    ])
}

fn end_many(targets: &[SocketAddr], pool: &JarPool, ends: usize) -> Result<Summary> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("runtime")?;
    let began = clock::now();
    let mut stats = Stats::default();
    let mut random = Random::new(5);
    runtime.block_on(async {
        let mut lines: Vec<Line> = targets.iter().map(|target| Line::new(*target)).collect();
        for n in 0..ends {
            // At no fixed distance, so that it meets every phase of what nodes do at intervals.
            tokio::time::sleep(Duration::from_millis(random.below(150) as u64)).await;
            lines.rotate_left(n % 2 + 1);
            end_one(&mut lines, pool, &mut stats).await?;
        }
        Ok::<_, Failure>(())
    })?;
    Ok(stats.summary(began, clock::now()))
}

/// Ends a session on the first node and watches the others.
async fn end_one(lines: &mut [Line], pool: &JarPool, stats: &mut Stats) -> Result<()> {
    let (first, others) = lines.split_first_mut().context("a node")?;
    let token = first.refresh(pool).await?;
    for line in others.iter_mut() {
        // Now it has the session in memory, as a node that the session is used on has.
        if !line.accepts(&token).await? {
            return Err(Failure("an access token was refused before its session was ended".into()));
        }
    }
    first.end(&token).await?;
    let answered = clock::now();
    let [second, third] = others else { return Err(Failure("three nodes are needed".into())) };
    let (second, third) = tokio::join!(second.watch(&token), third.watch(&token));
    for (refused_at, outcome) in [second?, third?] {
        stats.good("refused", outcome, refused_at.saturating_duration_since(answered), refused_at);
    }
    for line in lines {
        if line.accepts(&token).await? {
            stats.good("again", "accepted_again", Duration::ZERO, clock::now());
        }
    }
    Ok(())
}

/// A connection to one node.
struct Line {
    target: SocketAddr,
    connection: Connection,
}

// === impl Line ===

impl Line {
    fn new(target: SocketAddr) -> Self {
        Self { target, connection: Connection::new(target) }
    }

    /// A fresh access token of the next session.
    async fn refresh(&mut self, pool: &JarPool) -> Result<String> {
        let (mut user, mut request) = (RefreshUser::new(self.target, pool.clone()), Vec::new());
        if !user.request(&mut request) {
            return Err(Failure("no jar has rested enough".into()));
        }
        let response = self.connection.send(&request).await?;
        let token = json_string(response.body(), "access_token").map(str::to_owned);
        match (user.answer(&response), token) {
            (Verdict::Good(_), Some(token)) => Ok(token),
            (verdict, _) => Err(Failure(format!("a session could not be refreshed: {verdict:?}"))),
        }
    }

    async fn end(&mut self, token: &str) -> Result<()> {
        match self.ask("POST /api/v1/auth/logout", token).await? {
            204 => Ok(()),
            status => Err(Failure(format!("signing out was answered {status}"))),
        }
    }

    async fn accepts(&mut self, token: &str) -> Result<bool> {
        match self.ask("GET /api/v1/auth/profile", token).await? {
            200 => Ok(true),
            401 => Ok(false),
            status => Err(Failure(format!("a check was answered {status}"))),
        }
    }

    async fn ask(&mut self, what: &str, token: &str) -> Result<u16> {
        let request = format!(
            "{what} HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {token}\r\nContent-Length: 0\r\n\r\n",
            self.target
        );
        Ok(self.connection.send(request.as_bytes()).await?.status())
    }

    /// Asks until the token is refused. Gives when that was answered, which is later than when it came to be.
    async fn watch(&mut self, token: &str) -> Result<(std::time::Instant, &'static str)> {
        let began = clock::now();
        let mut outcome = "at_once";
        while self.accepts(token).await? {
            outcome = "after_a_while";
            if clock::now() - began > PATIENCE {
                return Err(Failure("an ended session's access token stays accepted".into()));
            }
            tokio::time::sleep(PAUSE).await;
        }
        Ok((clock::now(), outcome))
    }
}
