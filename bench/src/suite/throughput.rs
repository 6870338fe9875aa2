//! Refreshes, checks and sign-ins per second, each beside the limits it is made of.

use std::time::Duration;

use serde::Serialize;
use serde_json::json;

use super::judge::{Goal, Rounds};
use super::run::{Run, run};
use super::{Findings, PASSWORD, Seeded, Suite, note, rest};
use crate::clock;
use crate::failure::Result;
use crate::jar::JarPool;
use crate::limit::{self, Rotations};
use crate::load::Load;
use crate::proc::{Meter, cores};
use crate::server::Server;
use crate::user::{CheckUser, ConstantUser, LoginUser, Logins, MixedUser, People, RefreshUser, crowd};

/// Enough to keep every hashing thread busy, and below the queue at which sign-ins are shed.
const LOGIN_CONNECTIONS: usize = 8;
/// Sessions whose access tokens are presented, and whose owners sign in, in turn.
const PEOPLE: usize = 1_000;
/// Bare axum's rate from which the absolute refresh goal is judged (issue 2, section 5).
const BARE_FOR_ABSOLUTE: f64 = 90_000.0;

#[derive(Serialize)]
struct Round {
    bare: Run,
    check: Run,
    forward_auth: Run,
    rotations: Alone,
    refresh: Run,
    signatures: Alone,
    hashes: Alone,
    login: Run,
}

/// A limit that needs no server.
#[derive(Serialize)]
struct Alone {
    per_second: f64,
    us_per_operation: f64,
}

pub fn measure(suite: &Suite<'_>, seeded: &Seeded, pool: &JarPool) -> Result<Findings> {
    let mut rotations = Rotations::prepare(&suite.folder.join("limit.db"), suite.busy_sessions())?;
    let bare = Server::bare(cores(), &suite.folder.join("bare.log"))?;
    let server = seeded.tenure().start()?;
    let people = People::meet(server.target, pool, PEOPLE)?;
    let (tokens, logins) = (people.access_tokens, Logins::new(people.emails, PASSWORD));
    let connections = suite.args.connections;
    let time = suite.time(3.0, 1.5);
    let refreshers = || crowd(connections, |_| RefreshUser::new(server.target, pool.clone()));
    let check = |n| CheckUser::new(server.target, tokens.clone(), n, connections);
    let login = || LoginUser::new(server.target, logins.clone());

    let mut rounds = Vec::new();
    let count = suite.rounds(5, 3);
    for n in 1..=count {
        note(&format!("throughput beside the limits, round {n} of {count}"));
        rest(pool, time);
        rounds.push(Round {
            bare: run(
                &bare,
                Load::new(bare.target, time),
                crowd(connections, |_| ConstantUser::new(bare.target, "/")),
            )?,
            check: run(&server, Load::new(server.target, time), crowd(connections, check))?,
            forward_auth: run(
                &server,
                Load::new(server.target, time),
                crowd(connections, |n| check(n).as_a_proxy()),
            )?,
            rotations: alone(time, |time| rotations.per_second(time))?,
            refresh: run(&server, Load::new(server.target, time), refreshers())?,
            signatures: alone(time / 2, limit::signatures_per_second)?,
            hashes: alone(time, limit::hashes_per_second)?,
            login: run(&server, Load::new(server.target, time), crowd(LOGIN_CONNECTIONS, |_| login()))?,
        });
    }
    note("a mixture");
    let mixture = crowd(connections, |n| {
        MixedUser::new(check(n), RefreshUser::new(server.target, pool.clone()), login(), n)
    });
    let mixed = run(&server, Load::new(server.target, time), mixture)?;
    let memory = server.memory()?;
    server.stop()?;

    let goals = goals(&rounds);
    let data = json!({
        "sessions": suite.busy_sessions(), "jars": pool.len(), "workers": cores(),
        "combined_limit_per_second": combined_limit(&rounds),
        "rounds": rounds, "mixed": mixed, "memory_after": memory,
    });
    Ok(Findings { name: "throughput", data, goals })
}

fn alone(time: Duration, limit: impl FnOnce(Duration) -> Result<f64>) -> Result<Alone> {
    let meter = Meter::start(None);
    let began = clock::now();
    let per_second = limit(time)?;
    let elapsed = (clock::now() - began).as_secs_f64();
    let us_per_operation = meter.stop().generator_cpu_seconds * 1e6 / (per_second * elapsed).max(1.0);
    Ok(Alone { per_second, us_per_operation })
}

/// The combined limit, and the refresh rate, of a machine that nobody else uses, by processor time: rates
/// fall when others take the cores, the time a request costs hardly changes. Rotations have one writer, so
/// that more cores do not make them faster.
fn refresh_by_processor_time(round: &Round) -> f64 {
    let cores = cores() as f64;
    let limit = round.bare.us_per_operation() / cores
        + round.signatures.us_per_operation / cores
        + round.rotations.us_per_operation;
    limit / (round.refresh.us_per_operation() / cores)
}

/// 1 / (1/a + 1/s + 1/r): what is left if a request is nothing but HTTP, a signature and a rotation.
fn combined_limit(rounds: &[Round]) -> Rounds {
    let cost = |round: &Round| {
        1.0 / round.bare.summary.per_second
            + 1.0 / round.signatures.per_second
            + 1.0 / round.rotations.per_second
    };
    rounds.iter().map(|round| 1.0 / cost(round)).collect()
}

fn goals(rounds: &[Round]) -> Vec<Goal> {
    let each = |number: fn(&Round) -> f64| rounds.iter().map(number).collect::<Rounds>();
    let bare = each(|round| round.bare.summary.per_second);
    let refresh = each(|round| round.refresh.summary.per_second);
    let check = each(|round| round.check.summary.per_second);
    let forward_auth = each(|round| round.forward_auth.summary.per_second);
    let forward_auth_p99 = each(|round| round.forward_auth.summary.p99_us("check") as f64 / 1e3);
    let login = each(|round| round.login.summary.per_second);
    let combined = combined_limit(rounds);
    let hashes = each(|round| round.hashes.per_second);
    let rotated = each(|round| {
        round.refresh.summary.outcome("rotated") as f64 / round.refresh.summary.operations.max(1) as f64
    });
    let errors = each(|round| {
        let runs = [&round.bare, &round.check, &round.forward_auth, &round.refresh, &round.login];
        runs.iter().map(|run| run.summary.error_count()).sum::<u64>() as f64
    });
    let foreign = each(|round| round.refresh.cost.foreign_share);
    let by_processor = each(refresh_by_processor_time);
    let check_by_processor = each(|round| round.bare.us_per_operation() / round.check.us_per_operation());
    let login_by_processor = each(|round| round.hashes.us_per_operation / round.login.us_per_operation());
    vec![
        Goal::number("limit a: bare axum", "/s", &bare),
        Goal::number("limit s: Ed25519 signatures", "/s", &each(|round| round.signatures.per_second)),
        Goal::number("limit r: grouped SQLite rotations", "/s", &each(|round| round.rotations.per_second)),
        Goal::number("limit: Argon2id", "/s", &hashes),
        Goal::number("combined limit 1/(1/a+1/s+1/r)", "/s", &combined),
        Goal::at_least("refresh / combined limit", 0.70, "", &refresh.over(&combined)),
        Goal::number("refresh / combined limit, by processor time", "", &by_processor),
        Goal::at_least("refresh", 12_000.0, "/s", &refresh).only_if(bare.median >= BARE_FOR_ABSOLUTE),
        Goal::at_least("refreshes that rotated durably", 0.999, "", &rotated),
        Goal::number("check", "/s", &check),
        Goal::at_least("check / bare axum", 0.60, "", &check.over(&bare)),
        Goal::number("check / bare axum, by processor time", "", &check_by_processor),
        Goal::number("forward auth", "/s", &forward_auth),
        Goal::number("forward auth / check", "", &forward_auth.over(&check)),
        Goal::number("forward auth p99, closed loop", "ms", &forward_auth_p99),
        Goal::number("login", "/s", &login),
        Goal::at_least("login / raw Argon2id", 0.90, "", &login.over(&hashes)),
        Goal::number("login / raw Argon2id, by processor time", "", &login_by_processor),
        Goal::at_most("failed requests", 0.0, "", &errors),
        Goal::number("share of the cores that went elsewhere", "", &foreign),
    ]
}
