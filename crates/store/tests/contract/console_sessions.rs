//! Sign-ins to the console: the same promises in every database and in Redis.

use std::sync::Arc;
use std::time::Duration;

use tenure_domain::id::UserId;
use tenure_domain::time::Timestamp;
use tenure_store::ephemeral::Redis;
use tenure_store::{ConsoleKey, ConsolePayload, ConsoleSession, ConsoleSessions, StoreError};

use crate::redis::{found, until};
use crate::world::{MINUTE, SECOND, T0, World};

/// A place where they are kept, seen through two handles.
struct Place {
    name: &'static str,
    one: Arc<dyn ConsoleSessions>,
    other: Arc<dyn ConsoleSessions>,
    _alive: Box<dyn std::any::Any>,
}

/// Every place there is, empty.
async fn places() -> Vec<Place> {
    let mut places = vec![];
    for world in World::each() {
        let (one, other): (Arc<dyn ConsoleSessions>, Arc<dyn ConsoleSessions>) =
            (world.store.clone(), world.second_handle().store);
        places.push(Place { name: world.backend.name(), one, other, _alive: Box::new(world) });
    }
    let server = tenure_rig::Redis::start();
    let (one, other) = (found(&server.url()).await, found(&server.url()).await);
    places.push(Place {
        name: "redis",
        one: Arc::new(one),
        other: Arc::new(other),
        _alive: Box::new(server),
    });
    places
}

fn user(number: u8) -> UserId {
    UserId::from_bytes([number; 16])
}

/// One of user 1 that lasts an hour from T0.
fn session(key: u8) -> ConsoleSession {
    ConsoleSession {
        key: ConsoleKey([key; 32]),
        user_id: user(1),
        payload: ConsolePayload::new(vec![key, 0, 0xff, b'\'']).unwrap(),
        created_at: T0,
        expires_at: T0 + 60 * MINUTE,
    }
}

async fn is_there(sessions: &Arc<dyn ConsoleSessions>, key: u8, now: Timestamp) -> bool {
    sessions.console_session_find(ConsoleKey([key; 32]), now).await.unwrap().is_some()
}

#[tokio::test]
async fn what_was_put_is_found_by_every_handle_until_it_expires() {
    for Place { name, one, other, .. } in &places().await {
        let full = ConsolePayload::new(vec![0xa5; ConsolePayload::BYTES_MAX]).unwrap();
        for put in [
            session(1),
            ConsoleSession { payload: full, ..session(2) },
            ConsoleSession { payload: ConsolePayload::new(vec![]).unwrap(), ..session(3) },
        ] {
            one.console_session_put(put.clone()).await.unwrap();
            let last = T0 + 60 * MINUTE - Duration::from_millis(1);
            assert_eq!(other.console_session_find(put.key, last).await.unwrap(), Some(put.clone()), "{name}");
            let after = put.expires_at;
            assert_eq!(other.console_session_find(put.key, after).await.unwrap(), None, "{name}");
        }
        assert!(!is_there(one, 9, T0).await, "{name}");
    }
}

#[test]
fn a_payload_larger_than_it_may_be_cannot_be_put_and_none_is_printed() {
    assert_eq!(ConsolePayload::new(vec![0; ConsolePayload::BYTES_MAX + 1]), None);
    assert_eq!(format!("{:?}", session(1).payload), "ConsolePayload(4 bytes)");
}

#[tokio::test]
async fn the_same_key_put_again_is_replaced() {
    for Place { name, one, other, .. } in &places().await {
        one.console_session_put(session(1)).await.unwrap();
        let again = ConsoleSession { user_id: user(2), expires_at: T0 + 2 * MINUTE, ..session(1) };
        one.console_session_put(again.clone()).await.unwrap();
        assert_eq!(other.console_session_find(again.key, T0).await.unwrap(), Some(again), "{name}");
        // It is no longer the first user's.
        one.console_session_delete_of(user(1)).await.unwrap();
        assert!(is_there(other, 1, T0).await, "{name}");
        one.console_session_delete_of(user(2)).await.unwrap();
        assert!(!is_there(other, 1, T0).await, "{name}");
    }
}

#[tokio::test]
async fn renewing_moves_the_expiry_and_brings_nothing_back() {
    for Place { name, one, other, .. } in &places().await {
        let (first, later) = (ConsoleKey([1; 32]), T0 + 3 * 60 * MINUTE);
        assert!(!one.console_session_renew(first, later, None, T0).await.unwrap(), "{name}: never was");
        one.console_session_put(session(1)).await.unwrap();
        assert!(one.console_session_renew(first, later, None, T0 + MINUTE).await.unwrap(), "{name}");
        let found = other.console_session_find(first, later - SECOND).await.unwrap().unwrap();
        assert_eq!(found, ConsoleSession { expires_at: later, ..session(1) }, "{name}");
        // Earlier is a move too.
        assert!(one.console_session_renew(first, T0 + 5 * MINUTE, None, T0).await.unwrap(), "{name}");
        let payload = || ConsolePayload::new(b"another".to_vec());
        assert!(one.console_session_renew(first, T0 + 5 * MINUTE, payload(), T0).await.unwrap(), "{name}");
        let found = other.console_session_find(first, T0).await.unwrap().unwrap();
        assert_eq!((Some(found.payload), found.expires_at), (payload(), T0 + 5 * MINUTE), "{name}");
        assert!(!is_there(other, 1, T0 + 5 * MINUTE).await, "{name}");
        assert!(
            !one.console_session_renew(first, later, None, T0 + 5 * MINUTE).await.unwrap(),
            "{name}: expired"
        );
        one.console_session_delete(first).await.unwrap();
        assert!(!one.console_session_renew(first, later, None, T0).await.unwrap(), "{name}: deleted");
        assert!(!is_there(other, 1, T0).await, "{name}");
    }
}

#[tokio::test]
async fn one_is_deleted_and_all_of_a_user_are_and_nobody_elses() {
    for Place { name, one, other, .. } in &places().await {
        for key in 1..=4 {
            one.console_session_put(session(key)).await.unwrap();
        }
        one.console_session_put(ConsoleSession { user_id: user(2), ..session(5) }).await.unwrap();
        one.console_session_delete(ConsoleKey([1; 32])).await.unwrap();
        one.console_session_delete(ConsoleKey([1; 32])).await.unwrap();
        assert!(!is_there(other, 1, T0).await, "{name}");
        assert!(is_there(other, 2, T0).await, "{name}");
        // One that was renewed lasts longer than those it was put with, and is deleted like them.
        assert!(other.console_session_renew(ConsoleKey([3; 32]), T0 + 99 * MINUTE, None, T0).await.unwrap());
        other.console_session_delete_of(user(1)).await.unwrap();
        other.console_session_delete_of(user(3)).await.unwrap();
        for key in 2..=4 {
            assert!(!is_there(one, key, T0).await, "{name}");
        }
        assert!(is_there(one, 5, T0).await, "{name}");
    }
}

#[tokio::test]
async fn only_the_expired_are_swept_and_no_more_than_asked() {
    for Place { name, one, other, .. } in &places().await {
        for key in 1..=5 {
            let expires_at = T0 + u32::from(key) * MINUTE;
            one.console_session_put(ConsoleSession { expires_at, ..session(key) }).await.unwrap();
        }
        let now = T0 + 3 * MINUTE;
        let mut steps = vec![];
        for _ in 0..3 {
            steps.push(other.console_session_expire(now, 2).await.unwrap());
        }
        // Redis sweeps by itself, by its own clock.
        let expected = if *name == "redis" { [0, 0, 0] } else { [2, 1, 0] };
        assert_eq!(steps, expected, "{name}");
        for key in 1..=5 {
            assert_eq!(is_there(one, key, now).await, key > 3, "{name}");
        }
    }
}

#[tokio::test]
async fn redis_forgets_them_by_itself() {
    let server = tenure_rig::Redis::start();
    let redis = found(&server.url()).await;
    let brief = ConsoleSession { expires_at: T0 + Duration::from_millis(200), ..session(1) };
    redis.console_session_put(brief).await.unwrap();
    // What is left is at most the mark of the heartbeat.
    until("it is forgotten", || server.ask("DBSIZE").as_deref() <= Some(":1")).await;
}

#[tokio::test]
async fn a_snapshot_of_redis_brings_nobody_back() {
    let server = tenure_rig::Redis::start();
    let redis = found(&server.url()).await;
    redis.console_session_put(session(1)).await.unwrap();
    redis.console_session_put(session(2)).await.unwrap();
    assert_eq!(server.ask("SAVE").as_deref(), Some("+OK"));
    redis.console_session_delete(ConsoleKey([1; 32])).await.unwrap();
    server.kill();
    until("the loss is noticed", || !redis.is_up()).await;
    let away = redis.console_session_find(ConsoleKey([2; 32]), T0).await;
    assert!(matches!(away, Err(StoreError::Unavailable(_))), "nobody can tell");
    server.start_again();
    until("Redis is back", || redis.is_up()).await;
    assert_ne!(server.ask("DBSIZE").as_deref(), Some(":0"), "the snapshot was restored");
    for key in 1..=2 {
        assert_eq!(redis.console_session_find(ConsoleKey([key; 32]), T0).await.unwrap(), None);
    }
    redis.console_session_put(session(1)).await.unwrap();
    assert!(redis.console_session_find(ConsoleKey([1; 32]), T0).await.unwrap().is_some());
}

#[tokio::test]
async fn what_lies_in_redis_and_cannot_be_read_fails_for_itself_alone() {
    let server = tenure_rig::Redis::start();
    let redis: Redis = found(&server.url()).await;
    redis.console_session_put(session(1)).await.unwrap();
    redis.console_session_put(session(2)).await.unwrap();
    let damage = "EVAL \"for_i,k_in_ipairs(redis.call('KEYS','*:session:0101*'))_do_redis.call('HSET',k,'user','x')end\" 0";
    // Lua takes any white space, the line of a command only the quoted kind.
    assert_eq!(server.ask(&damage.replace('_', " ")).as_deref(), Some("$-1"));
    let damaged = redis.console_session_find(ConsoleKey([1; 32]), T0).await;
    assert!(matches!(damaged, Err(StoreError::Corrupt { what: "console session", .. })));
    assert!(redis.console_session_find(ConsoleKey([2; 32]), T0).await.unwrap().is_some());
    assert!(redis.is_up());
}
