//! Redis, which may be lost: what nodes share through a real one, and that nothing waits for it or fails with it.

use std::sync::Arc;
use std::time::Duration;

use tenure_rig::{Network, Proxy};
use tenure_store::Fanout as _;
use tenure_store::ephemeral::{Counted, Redis, Tally, check_url};

use crate::world::{MINUTE, SECOND};

/// Long enough for a machine with too much to do.
pub const PATIENT: Duration = Duration::from_secs(10);

/// How long is waited for what is bound to come.
const PATIENCE: Duration = Duration::from_secs(30);

pub fn handle(url: &str, timeout: Duration) -> Redis {
    Redis::new(url, None, timeout).unwrap()
}

pub async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let wait = async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, wait).await.unwrap_or_else(|_| panic!("never: {what}"));
}

/// A handle that has found its Redis.
pub async fn found(url: &str) -> Redis {
    let redis = handle(url, PATIENT);
    until("Redis is found", || redis.is_up()).await;
    redis
}

pub fn account(subject: u64) -> Tally {
    Tally { kind: "account", subject, most: 3 }
}

pub async fn count(redis: &Redis, tally: Tally) -> Option<Counted> {
    redis.count(&[tally], MINUTE).await
}

pub fn is_beyond(counted: Option<Counted>) -> bool {
    matches!(counted, Some(Counted::Beyond { resets_in, .. }) if !resets_in.is_zero() && resets_in <= MINUTE)
}

pub const WITHIN: Option<Counted> = Some(Counted::Within);

#[tokio::test]
async fn two_handles_count_together_and_every_subject_by_itself() {
    let server = tenure_rig::Redis::start();
    let (one, other) = (found(&server.url()).await, found(&server.url()).await);
    for redis in [&one, &other, &one] {
        assert_eq!(count(redis, account(7)).await, WITHIN);
    }
    assert!(is_beyond(count(&other, account(7)).await));
    assert!(is_beyond(count(&one, account(7)).await));
    assert_eq!(count(&other, account(8)).await, WITHIN);
    assert_eq!(count(&other, Tally { kind: "address", ..account(7) }).await, WITHIN);
}

#[tokio::test]
async fn many_at_the_same_time_are_counted_exactly() {
    let server = tenure_rig::Redis::start();
    let handles = [found(&server.url()).await, found(&server.url()).await];
    let mut under_way = tokio::task::JoinSet::new();
    for index in 0..200 {
        let redis = handles[index % 2].clone();
        under_way.spawn(async move { count(&redis, Tally { most: 50, ..account(1) }).await.unwrap() });
    }
    let counted = under_way.join_all().await;
    assert_eq!(counted.iter().filter(|counted| **counted == Counted::Within).count(), 50);
}

#[tokio::test]
async fn whoever_is_refused_for_one_thing_does_not_use_up_another() {
    let server = tenure_rig::Redis::start();
    let redis = found(&server.url()).await;
    let address = Tally { kind: "address", subject: 1, most: 1 };
    assert_eq!(redis.count(&[address, account(7)], MINUTE).await, WITHIN);
    for _ in 0..5 {
        let counted = redis.count(&[address, account(7)], MINUTE).await;
        assert!(is_beyond(counted) && matches!(counted, Some(Counted::Beyond { at: 0, .. })));
    }
    assert_eq!(count(&redis, account(7)).await, WITHIN);
    assert_eq!(count(&redis, account(7)).await, WITHIN);
    assert!(is_beyond(count(&redis, account(7)).await));
    // And it is told for which.
    let elsewhere = Tally { subject: 2, ..address };
    let counted = redis.count(&[elsewhere, account(7)], MINUTE).await;
    assert!(matches!(counted, Some(Counted::Beyond { at: 1, .. })));
}

#[tokio::test]
async fn a_counter_begins_anew_after_its_window_however_often_it_refused() {
    let server = tenure_rig::Redis::start();
    let redis = found(&server.url()).await;
    let window = Duration::from_millis(400);
    let mut refused = 0;
    for _ in 0..3 {
        redis.count(&[account(1)], window).await.unwrap();
    }
    let again = async {
        while redis.count(&[account(1)], window).await != WITHIN {
            refused += 1;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, again).await.unwrap();
    // Everything in Redis goes by itself.
    until("the counter is gone", || server.ask("DBSIZE").as_deref() <= Some(":1")).await;
}

#[tokio::test]
async fn a_counter_without_an_end_or_with_one_far_off_refuses_for_no_longer_than_a_window() {
    let server = tenure_rig::Redis::start();
    let redis = found(&server.url()).await;
    let key = "tenure:limit:account:0000000000000007";
    for set in [format!("SET {key} 1000"), format!("SET {key} 1000 EX 86400")] {
        assert_eq!(server.ask(&set).as_deref(), Some("+OK"));
        assert_eq!(count(&redis, account(7)).await, WITHIN);
        let left = server.ask(&format!("TTL {key}")).unwrap();
        let left: u64 = left.strip_prefix(':').unwrap().parse().unwrap();
        assert!((1..=60).contains(&left), "{left}");
    }
}

#[tokio::test]
async fn without_redis_nobody_knows_and_nobody_waits() {
    let server = tenure_rig::Redis::start();
    let redis = found(&server.url()).await;
    assert_eq!(count(&redis, account(7)).await, WITHIN);
    server.kill();
    until("the loss is noticed", || !redis.is_up()).await;
    for _ in 0..1_000 {
        assert_eq!(count(&redis, account(7)).await, None);
    }
    assert_eq!(redis.timeouts(), 0, "a call waited for what was known not to be there");
    server.start_again();
    until("Redis is back", || redis.is_up()).await;
    assert_eq!(count(&redis, account(7)).await, WITHIN);
}

#[tokio::test]
async fn a_handle_can_be_had_before_redis_and_outlives_it() {
    let server = tenure_rig::Redis::start();
    server.kill();
    let redis = handle(&server.url(), PATIENT);
    assert!(!redis.is_up());
    assert_eq!(count(&redis, account(7)).await, None);
    redis.announce();
    server.start_again();
    until("Redis is found", || redis.is_up()).await;
    assert_eq!(count(&redis, account(7)).await, WITHIN);
}

#[tokio::test]
async fn of_those_who_ask_a_redis_that_stalls_the_first_waits_and_no_others() {
    let server = tenure_rig::Redis::start();
    let proxy = Proxy::in_front_of(server.port());
    let redis = handle(&format!("redis://{}/", proxy.address()), Duration::from_millis(200));
    until("Redis is found", || redis.is_up()).await;
    for stall in 1..=2 {
        proxy.set(Network::Stall);
        let before = redis.timeouts();
        for _ in 0..1_000 {
            assert_eq!(count(&redis, account(7)).await, None);
        }
        // The look of the heartbeat may have waited beside the first.
        assert!((1..=2).contains(&(redis.timeouts() - before)), "{}", redis.timeouts());
        assert!(!redis.is_up());
        proxy.set(Network::Pass);
        until("Redis answers again", || redis.is_up()).await;
        // What was asked in vain may be counted when it arrives, and no more of it than was asked.
        let other = account(100 + stall);
        assert_eq!(count(&redis, other).await, WITHIN);
    }
}

#[tokio::test]
async fn a_stall_of_redis_itself_and_a_cut_network_are_noticed_without_anybody_asking() {
    let server = tenure_rig::Redis::start();
    let proxy = Proxy::in_front_of(server.port());
    let redis = handle(&format!("redis://{}/", proxy.address()), Duration::from_millis(500));
    until("Redis is found", || redis.is_up()).await;
    server.pause();
    until("the stall is noticed", || !redis.is_up()).await;
    server.resume();
    until("Redis answers again", || redis.is_up()).await;
    proxy.set(Network::Cut);
    until("the cut is noticed", || !redis.is_up()).await;
    proxy.set(Network::Pass);
    until("Redis answers again", || redis.is_up()).await;
}

#[tokio::test]
async fn a_redis_that_is_slower_than_the_timeout_is_not_used() {
    let server = tenure_rig::Redis::start();
    let proxy = Proxy::in_front_of(server.port());
    proxy.set(Network::Delay(Duration::from_millis(150)));
    let redis = handle(&format!("redis://{}/", proxy.address()), Duration::from_millis(100));
    // Long enough for an attempt or two.
    tokio::time::sleep(2 * SECOND).await;
    assert!(!redis.is_up());
    proxy.set(Network::Pass);
    until("Redis is found", || redis.is_up()).await;
}

#[tokio::test]
async fn a_redis_that_takes_no_writes_is_not_used() {
    let server = tenure_rig::Redis::start();
    let redis = found(&server.url()).await;
    assert_eq!(server.ask("CONFIG SET min-replicas-to-write 1").as_deref(), Some("+OK"));
    assert_eq!(count(&redis, account(7)).await, None);
    until("it is noticed", || !redis.is_up()).await;
    assert_eq!(server.ask("CONFIG SET min-replicas-to-write 0").as_deref(), Some("+OK"));
    until("it is used again", || redis.is_up()).await;
    assert_eq!(count(&redis, account(7)).await, WITHIN);
}

#[tokio::test]
async fn flushed_or_robbed_of_its_scripts_it_goes_on_and_counts_anew() {
    let server = tenure_rig::Redis::start();
    let redis = found(&server.url()).await;
    for _ in 0..4 {
        count(&redis, account(7)).await.unwrap();
    }
    server.flush();
    assert_eq!(server.ask("SCRIPT FLUSH").as_deref(), Some("+OK"));
    for _ in 0..3 {
        assert_eq!(count(&redis, account(7)).await, WITHIN);
    }
    assert!(is_beyond(count(&redis, account(7)).await));
    assert!(redis.is_up());
}

#[tokio::test]
async fn restored_from_an_old_snapshot_it_counts_on_from_there() {
    let server = tenure_rig::Redis::start();
    let redis = found(&server.url()).await;
    assert_eq!(count(&redis, account(7)).await, WITHIN);
    assert_eq!(server.ask("SAVE").as_deref(), Some("+OK"));
    for _ in 0..3 {
        count(&redis, account(7)).await.unwrap();
    }
    server.kill();
    until("the loss is noticed", || !redis.is_up()).await;
    server.start_again();
    until("Redis is back", || redis.is_up()).await;
    let mut within = 0;
    while count(&redis, account(7)).await == WITHIN {
        within += 1;
    }
    // Two, or three if the minute went by meanwhile.
    assert!((2..=3).contains(&within), "{within}");
}

#[tokio::test]
async fn a_key_that_is_not_a_counter_costs_the_count_and_nothing_else() {
    let server = tenure_rig::Redis::start();
    let redis = found(&server.url()).await;
    assert_eq!(server.ask("LPUSH tenure:limit:account:0000000000000007 x").as_deref(), Some(":1"));
    assert_eq!(count(&redis, account(7)).await, None);
    until("Redis is used again", || redis.is_up()).await;
    assert_eq!(count(&redis, account(8)).await, WITHIN);
}

// === Telling other nodes ===

pub async fn is_told(redis: &Redis) {
    tokio::time::timeout(PATIENCE, redis.announced()).await.expect("never told");
}

/// Hears out what was told before.
pub async fn quiet(redis: &Redis) {
    while tokio::time::timeout(Duration::from_millis(300), redis.announced()).await.is_ok() {}
}

#[tokio::test]
async fn what_one_handle_announces_every_other_hears() {
    let server = tenure_rig::Redis::start();
    let handles = [found(&server.url()).await, found(&server.url()).await, found(&server.url()).await];
    for redis in &handles {
        is_told(redis).await;
        quiet(redis).await;
    }
    for teller in 0..3 {
        handles[teller].announce();
        for redis in &handles {
            is_told(redis).await;
        }
    }
}

#[tokio::test]
async fn a_lost_connection_counts_as_told_and_telling_works_afterwards() {
    let server = tenure_rig::Redis::start();
    let (one, other) = (found(&server.url()).await, found(&server.url()).await);
    quiet(&one).await;
    quiet(&other).await;
    server.kill();
    until("the loss is noticed", || !one.is_up() && !other.is_up()).await;
    server.start_again();
    is_told(&other).await;
    until("Redis is back", || one.is_up() && other.is_up()).await;
    quiet(&one).await;
    quiet(&other).await;
    one.announce();
    is_told(&other).await;
}

#[tokio::test]
async fn announcements_to_a_redis_that_stalls_return_at_once_and_are_one() {
    let server = tenure_rig::Redis::start();
    let proxy = Proxy::in_front_of(server.port());
    let redis = handle(&format!("redis://{}/", proxy.address()), Duration::from_millis(200));
    until("Redis is found", || redis.is_up()).await;
    proxy.set(Network::Stall);
    for _ in 0..100_000 {
        redis.announce();
    }
    until("the stall is noticed", || !redis.is_up()).await;
    for _ in 0..100_000 {
        redis.announce();
    }
    proxy.set(Network::Pass);
    until("Redis answers again", || redis.is_up()).await;
    quiet(&redis).await;
    let published = command_count(&server, "publish");
    assert!((1..=4).contains(&published), "{published}");
}

#[tokio::test]
async fn a_hostile_message_makes_a_node_look_and_nothing_else() {
    let server = tenure_rig::Redis::start();
    let redis = found(&server.url()).await;
    quiet(&redis).await;
    for payload in ["0", "session:ended", "\u{ff}", &"x".repeat(1 << 15)] {
        assert_eq!(server.ask(&format!("PUBLISH tenure:change {payload}")).as_deref(), Some(":1"));
        is_told(&redis).await;
    }
    assert_eq!(server.ask("PUBLISH tenure:other x").as_deref(), Some(":0"));
    assert!(redis.is_up());
    assert_eq!(count(&redis, account(7)).await, WITHIN);
}

#[tokio::test]
async fn a_dropped_handle_leaves_no_connection() {
    let server = tenure_rig::Redis::start();
    let redis = found(&server.url()).await;
    let shared: Arc<dyn tenure_store::Fanout> = Arc::new(redis.clone());
    drop(redis);
    assert!(server.ask("PUBLISH tenure:change x").as_deref() == Some(":1"), "a clone keeps it");
    drop(shared);
    until("nobody listens", || server.ask("PUBLISH tenure:change x").as_deref() == Some(":0")).await;
}

#[tokio::test]
async fn an_encrypted_connection_is_tried_again_and_again() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let redis = handle(&format!("rediss://{}/", listener.local_addr().unwrap()), PATIENT);
    for _ in 0..2 {
        let (stream, _) = tokio::time::timeout(PATIENCE, listener.accept()).await.unwrap().unwrap();
        // A handshake of TLS, and no word in the clear.
        let mut first = [0];
        until("something is said", || stream.try_read(&mut first).is_ok()).await;
        assert_eq!(first, [0x16]);
    }
    assert!(!redis.is_up());
}

#[test]
fn an_address_that_cannot_be_read_is_refused_without_repeating_it() {
    for wrong in
        ["", "redis", "http://:hunter2@example.com", "redis://:hunter2@", "redis://:hunter2@host:port/x"]
    {
        let refused = check_url(wrong).unwrap_err();
        assert!(!refused.contains("hunter2"), "{refused}");
    }
    for right in
        ["redis://127.0.0.1", "rediss://:secret@cache.example.com:6380/3", "redis+unix:///run/redis.sock"]
    {
        assert_eq!(check_url(right), Ok(()));
    }
}

/// How often Redis has run a command.
fn command_count(server: &tenure_rig::Redis, command: &str) -> u64 {
    use std::io::{Read as _, Write as _};
    let mut stream = std::net::TcpStream::connect(("127.0.0.1", server.port())).unwrap();
    stream.write_all(b"INFO commandstats\r\nQUIT\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let of =
        |line: &str| line.strip_prefix(&format!("cmdstat_{command}:calls="))?.split(',').next()?.parse().ok();
    answer.lines().find_map(of).unwrap_or(0)
}
