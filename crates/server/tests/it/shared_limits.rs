//! Limits that nodes share through Redis, and what is left of them without it: nothing else ever changes.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::json;
use tenure_rig::{Network, Proxy, Redis};

use crate::world::{Answer, PASSWORD, SECOND, Setup, TestApp};

/// A server that shares what is at this address, and lets three guesses at an account through.
fn setup(redis: &str) -> Setup {
    Setup::default().set("LIMITS__SIGN_IN_PER_ACCOUNT_PER_MINUTE", "3").set("REDIS__URL", redis)
}

async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let wait = async {
        while !is_so().await {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), wait).await.unwrap_or_else(|_| panic!("never: {what}"));
}

/// One that has found Redis.
async fn sharing(redis: &str) -> TestApp {
    let app = setup(redis).start().await;
    until("Redis is found", async || ready(&app).await == "ready\n").await;
    app
}

/// What readiness says; it must never be that this server should not be sent requests.
async fn ready(app: &TestApp) -> String {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let answer = client.get(format!("http://{}/readyz", app.ops)).send().await.unwrap();
    assert_eq!(answer.status().as_u16(), 200);
    answer.text().await.unwrap()
}

const DEGRADED: &str = "ready (degraded: redis: it does not answer; each node counts its limits alone)\n";

async fn guess(app: &TestApp, name: &str) -> Answer {
    app.client.login(&format!("{name}@example.com"), "a wrong guess").await
}

/// How many of ten guesses are looked at; the others must be refused for their number.
async fn looked_at(app: &TestApp, name: &str) -> usize {
    let mut looked_at = 0;
    for _ in 0..10 {
        let answer = guess(app, name).await;
        if answer.status == 429 {
            let wait = answer.problem("rate_limited")["retry_after"].as_u64().unwrap();
            assert!((1..=60).contains(&wait), "{wait}");
        } else {
            answer.expect(401);
            looked_at += 1;
        }
    }
    looked_at
}

/// Everything that Redis answers to a command.
fn ask(redis: &Redis, command: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", redis.port())).unwrap();
    write!(stream, "{command}\r\nQUIT\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// How many commands Redis has been sent, but for the mark of the heartbeat and what tests ask.
fn commands(redis: &Redis) -> u64 {
    let stats = ask(redis, "INFO commandstats");
    let calls = stats.lines().filter_map(|line| {
        let (name, rest) = line.strip_prefix("cmdstat_")?.split_once(":calls=")?;
        (!["set", "info", "quit", "ping"].contains(&name)).then(|| rest.split(',').next())?
    });
    calls.map(|calls| calls.parse::<u64>().unwrap()).sum()
}

#[tokio::test]
async fn two_servers_with_one_redis_share_the_limit_on_an_account() {
    let redis = Redis::start();
    let (one, other) = (sharing(&redis.url()).await, sharing(&redis.url()).await);
    guess(&one, "ada").await.expect(401);
    guess(&other, "ada").await.expect(401);
    assert_eq!(looked_at(&one, "ada").await, 1);
    assert_eq!(looked_at(&other, "ada").await, 0);
    assert_eq!(looked_at(&other, "bob").await, 3);
    assert_eq!(looked_at(&one, "bob").await, 0);
}

#[tokio::test]
async fn without_redis_each_server_has_a_limit_of_its_own() {
    let (one, other) = (setup("").start().await, setup("").start().await);
    assert_eq!(looked_at(&one, "ada").await, 3);
    assert_eq!(looked_at(&other, "ada").await, 3);
    until("what is not used is not missing", async || ready(&one).await == "ready\n").await;
}

#[tokio::test]
async fn servers_share_the_limit_on_an_address_and_on_reports_from_one() {
    let redis = Redis::start();
    let setup = || {
        setup(&redis.url())
            .set("LIMITS__SIGN_IN_PER_ADDRESS_PER_MINUTE", "4")
            .set("LIMITS__CLIENT_REPORT_PER_ADDRESS_PER_MINUTE", "4")
    };
    let (one, other) = (setup().start().await, setup().start().await);
    until("Redis is found", async || ready(&one).await == "ready\n" && ready(&other).await == "ready\n")
        .await;
    for name in ["a", "b", "c", "d"] {
        guess(&one, name).await.expect(401);
    }
    guess(&other, "e").await.expect(429);
    for app in [&one, &one, &one, &other, &other] {
        let report = app.client.post("/api/v1/auth/logout-event", &json!({ "type": "manual" }));
        report.send().await.expect(202);
    }
    let dropped = "tenure_client_logout_events_dropped_total{reason=\"rate_limited\"}";
    assert_eq!((one.metric(dropped), other.metric(dropped)), (0.0, 1.0));
}

#[tokio::test]
async fn with_redis_killed_limits_are_this_servers_and_nothing_else_changes() {
    let redis = Redis::start();
    let (one, other) = (sharing(&redis.url()).await, sharing(&redis.url()).await);
    let user = one.user("grace").await;
    let mut browser = one.signed_in(&user).await;
    redis.kill();
    until("the loss is told", async || ready(&one).await == DEGRADED && ready(&other).await == DEGRADED)
        .await;
    assert_eq!(one.metric("tenure_redis_up{}"), 0.0);
    assert_eq!(looked_at(&one, "ada").await, 3);
    assert_eq!(looked_at(&other, "ada").await, 3);
    browser.refresh().await.expect(200);
    browser.profile().await.expect(200);
    one.client.login(&user.email, PASSWORD).await.expect(200);
    assert_eq!(one.metric("tenure_redis_timeouts_total"), 0.0);
    redis.start_again();
    until("Redis is back", async || ready(&one).await == "ready\n" && ready(&other).await == "ready\n").await;
    assert_eq!(one.metric("tenure_redis_up{}"), 1.0);
    assert_eq!(looked_at(&one, "bob").await, 3);
    assert_eq!(looked_at(&other, "bob").await, 0);
}

#[tokio::test]
async fn flushed_it_forgets_what_was_counted_and_each_server_does_not() {
    let redis = Redis::start();
    let (one, other) = (sharing(&redis.url()).await, sharing(&redis.url()).await);
    assert_eq!(looked_at(&one, "ada").await, 3);
    redis.flush();
    assert_eq!(looked_at(&one, "ada").await, 0);
    assert_eq!(looked_at(&other, "ada").await, 3);
}

#[tokio::test]
async fn of_many_sign_ins_beside_a_redis_that_stalls_one_waits_and_no_refresh_does() {
    let redis = Redis::start();
    let proxy = Proxy::in_front_of(redis.port());
    let app = setup(&format!("redis://{}/", proxy.address())).redis_timeout(SECOND).start().await;
    until("Redis is found", async || ready(&app).await == "ready\n").await;
    let user = app.user("grace").await;
    let mut browser = app.signed_in(&user).await;
    proxy.set(Network::Stall);
    for _ in 0..5 {
        browser.refresh().await.expect(200);
    }
    for number in 0..20 {
        let user = app.user(&format!("user{number}")).await;
        app.client.login(&user.email, PASSWORD).await.expect(200);
    }
    // One sign-in, and the heartbeat beside it.
    let timeouts = app.metric("tenure_redis_timeouts_total");
    assert!((1.0..=2.0).contains(&timeouts), "{timeouts}");
    until("the loss is told", async || ready(&app).await == DEGRADED).await;
    browser.refresh().await.expect(200);
    proxy.set(Network::Pass);
    until("Redis is back", async || ready(&app).await == "ready\n").await;
}

#[tokio::test]
async fn a_refresh_and_a_call_ask_redis_nothing() {
    let redis = Redis::start();
    let app = sharing(&redis.url()).await;
    let user = app.user("grace").await;
    let before = commands(&redis);
    let mut browser = app.signed_in(&user).await;
    let after = commands(&redis);
    assert!(after > before, "a sign-in is counted");
    for _ in 0..20 {
        browser.refresh().await.expect(200);
        browser.profile().await.expect(200);
    }
    browser.sign_out().await.expect(204);
    assert_eq!(commands(&redis), after);
}

#[tokio::test]
async fn redis_is_told_nothing_about_anybody() {
    let redis = Redis::start();
    let app = sharing(&redis.url()).await;
    guess(&app, "ada").await.expect(401);
    let keys = ask(&redis, "KEYS *");
    assert!(
        keys.contains("tenure:limit:sign_in_account:") && keys.contains("tenure:limit:sign_in_address:"),
        "{keys}"
    );
    assert!(!keys.contains("ada") && !keys.contains("example") && !keys.contains("127.0.0"), "{keys}");
}
