//! A thousand browsers that listen, and how long after an end they are told.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use super::judge::{Goal, Rounds};
use super::{Findings, Suite, note};
use crate::clock;
use crate::failure::{Context as _, Failure, Result};
use crate::random::Random;
use crate::server::Server;
use crate::stats::{Stats, Summary};
use crate::user::People;
use crate::wire::Connection;

/// Browsers that listen while single sessions end, and then all hear of their own end at once.
const PROFILES: usize = 1_000;
/// Ends one after the other, at no fixed distance.
const SINGLE: usize = 200;
/// Connections over which the thousand sessions are ended as fast as it goes.
const HANDS: usize = 16;
/// Who has heard nothing by then is not told.
const PATIENCE: Duration = Duration::from_secs(30);

/// Told of an end, or that nothing came.
type Told = tokio::task::JoinHandle<Result<Instant>>;

pub fn measure(suite: &Suite<'_>) -> Result<Findings> {
    let (mut alone, mut together, mut all, mut kib) = (vec![], vec![], vec![], vec![]);
    let mut summaries = vec![];
    for round in 0..suite.rounds(3, 1) {
        note(&format!("{PROFILES} browsers listen, and are told of ends, round {}", round + 1));
        let (seeded, pool) = suite.seeded(&format!("feed-{round}"), PROFILES + SINGLE)?;
        let server = seeded.tenure().start()?;
        let people = People::meet(server.target, &pool, PROFILES + SINGLE)?;
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().context("runtime")?;
        let Round { single, burst, all_told, bytes_each } =
            runtime.block_on(round_of(&server, &people.access_tokens))?;
        server.stop()?;
        let ms = |us: u64| us as f64 / 1e3;
        let (one, many) =
            (single.latency.get("told").context("single")?, burst.latency.get("told").context("burst")?);
        alone.push((ms(one.p50_us), ms(one.p99_us)));
        together.push((ms(many.p50_us), ms(many.p99_us)));
        all.push(all_told.as_secs_f64() * 1e3);
        kib.push(bytes_each / 1024.0);
        summaries.push(json!({ "single": single, "burst": burst }));
    }
    let of =
        |numbers: &[(f64, f64)], pick: fn(&(f64, f64)) -> f64| numbers.iter().map(pick).collect::<Rounds>();
    let goals = vec![
        Goal::number("feed: one end told after, p50", "ms", &of(&alone, |n| n.0)),
        Goal::at_most("feed: one end told after, p99", 1000.0, "ms", &of(&alone, |n| n.1)),
        Goal::number("feed: 1 000 ends at once told after, p50", "ms", &of(&together, |n| n.0)),
        Goal::at_most("feed: 1 000 ends at once told after, p99", 1000.0, "ms", &of(&together, |n| n.1)),
        Goal::number("feed: 1 000 ends at once, the last told after", "ms", &all.into_iter().collect()),
        Goal::number("feed: memory for each browser that listens", "KiB", &kib.into_iter().collect()),
    ];
    Ok(Findings { name: "feed", data: json!({ "profiles": PROFILES, "rounds": summaries }), goals })
}

struct Round {
    single: Summary,
    burst: Summary,
    all_told: Duration,
    bytes_each: f64,
}

async fn round_of(server: &Server, tokens: &[String]) -> Result<Round> {
    let target = server.target;
    // What the server keeps of sessions in use is there before anybody listens.
    let mut line = Connection::new(target);
    for token in tokens {
        ask(&mut line, target, "GET /api/v1/auth/profile", token, 200).await?;
    }
    let before = server.memory()?.anonymous_bytes;
    let mut told = Vec::with_capacity(tokens.len());
    for token in tokens {
        told.push(listen(target, token).await?);
    }
    let bytes_each = server.memory()?.anonymous_bytes.saturating_sub(before) as f64 / tokens.len() as f64;
    let (of_single, of_burst) = tokens.split_at(SINGLE);
    let rest = told.split_off(SINGLE);
    let single = one_by_one(&mut line, target, of_single, told).await?;
    let (burst, all_told) = at_once(target, of_burst, rest).await?;
    Ok(Round { single, burst, all_told, bytes_each })
}

async fn one_by_one(
    line: &mut Connection,
    target: SocketAddr,
    tokens: &[String],
    told: Vec<Told>,
) -> Result<Summary> {
    let (began, mut stats, mut random) = (clock::now(), Stats::default(), Random::new(7));
    for (token, told) in tokens.iter().zip(told) {
        tokio::time::sleep(Duration::from_millis(random.below(60) as u64)).await;
        let asked = clock::now();
        ask(line, target, "POST /api/v1/auth/logout", token, 204).await?;
        let at = joined(told).await?;
        stats.good("told", "told", at.saturating_duration_since(asked), at);
    }
    Ok(stats.summary(began, clock::now()))
}

/// All latencies count from the first order: whoever ends a thousand sessions waits for the last.
async fn at_once(target: SocketAddr, tokens: &[String], told: Vec<Told>) -> Result<(Summary, Duration)> {
    let (began, mut stats) = (clock::now(), Stats::default());
    let mut hands = JoinSet::new();
    for part in tokens.chunks(tokens.len().div_ceil(HANDS).max(1)) {
        let part = part.to_vec();
        hands.spawn(async move {
            let mut line = Connection::new(target);
            for token in &part {
                ask(&mut line, target, "POST /api/v1/auth/logout", token, 204).await?;
            }
            Ok::<_, Failure>(())
        });
    }
    while let Some(hand) = hands.join_next().await {
        hand.map_err(|_| Failure("a hand panicked".into()))??;
    }
    let mut last = Duration::ZERO;
    for told in told {
        let at = joined(told).await?;
        last = last.max(at.saturating_duration_since(began));
        stats.good("told", "told", at.saturating_duration_since(began), at);
    }
    Ok((stats.summary(began, clock::now()), last))
}

async fn joined(told: Told) -> Result<Instant> {
    told.await.map_err(|_| Failure("a listener panicked".into()))?
}

/// Listens as a browser does; returns when the stream has begun, and gives what ends when the end is told.
async fn listen(target: SocketAddr, token: &str) -> Result<Told> {
    let mut stream = TcpStream::connect(target).await.context("connect")?;
    let request = format!(
        "GET /api/v1/auth/events HTTP/1.1\r\nHost: {target}\r\nAuthorization: Bearer {token}\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await?;
    let mut heard = Vec::with_capacity(1024);
    until(&mut stream, &mut heard, "event: begin").await?;
    Ok(tokio::spawn(async move {
        let ended = until(&mut stream, &mut heard, "event: ended");
        tokio::time::timeout(PATIENCE, ended).await.map_err(|_| Failure("an end was not told".into()))??;
        Ok(clock::now())
    }))
}

async fn until(stream: &mut TcpStream, heard: &mut Vec<u8>, what: &str) -> Result<()> {
    while !String::from_utf8_lossy(heard).contains(what) {
        if stream.read_buf(heard).await? == 0 {
            return Err(Failure(format!("a stream ended before {what}")));
        }
    }
    Ok(())
}

async fn ask(line: &mut Connection, target: SocketAddr, what: &str, token: &str, status: u16) -> Result<()> {
    let request = format!(
        "{what} HTTP/1.1\r\nHost: {target}\r\nAuthorization: Bearer {token}\r\nContent-Length: 0\r\n\r\n"
    );
    match line.send(request.as_bytes()).await?.status() {
        answered if answered == status => Ok(()),
        other => Err(Failure(format!("{what} was answered {other}"))),
    }
}
