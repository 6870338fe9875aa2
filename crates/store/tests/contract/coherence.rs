//! The view: the very next `caller` after an answered write tells of it, if this handle wrote; if another did, or a
//! person, so does every `caller` after the backend's staleness.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use tenure_domain::ends::EndReason;
use tenure_domain::id::SessionId;
use tenure_domain::time::Timestamp;
use tenure_store::{Caller, Expected, Scope, User};

use crate::backend::{Backend, Sqlite, backends};
use crate::process::Puppet;
use crate::world::{MINUTE, QUIET, SECOND, Seeded, T0, World, device, hash, order};

/// Who tells the view something: itself, another handle, or a person at the database's own shell.
#[tokio::test]
async fn after_every_kind_of_write_by_either_handle_the_next_caller_is_right() {
    for world in World::each() {
        let other = world.second_handle();
        for writer in [&world, &other] {
            let name = format!("ada{}", std::ptr::eq(writer, &world));
            check_every_write(&world, writer, &name).await;
        }
    }
}

pub async fn check_every_write(reader: &World, writer: &World, name: &str) {
    let by_user = || order(EndReason::SignedOut);
    let heard = || reader.hear_of(writer);
    let ada = writer.user(name).await;
    let one = writer.sign_in(&ada).await;
    let two = writer.sign_in_at(&ada, device("laptop"), T0).await;
    heard().await;
    assert!(reader.stands(&one, &ada).await && reader.stands(&two, &ada).await);
    // A rotation changes nothing that the view keeps.
    let mut jar = writer.jar(&one);
    writer.served(&mut jar, T0 + QUIET).await;
    heard().await;
    assert!(reader.stands(&one, &ada).await);
    // Replacement on the same device.
    let three = writer.sign_in_at(&ada, device("laptop"), T0).await;
    heard().await;
    assert!(!reader.stands(&two, &ada).await && reader.stands(&three, &ada).await);
    // A sign-out by jar, by order, by reuse, by the clock.
    let rules = Arc::clone(&writer.rules);
    let tokens = vec![writer.read(&jar)];
    writer.store.session_end_presented(tokens, rules, by_user(), T0).await.unwrap();
    heard().await;
    assert!(!reader.stands(&one, &ada).await && reader.stands(&three, &ada).await);
    writer.store.session_end(ada.id, Scope::One(three.id), false, by_user(), T0).await.unwrap();
    heard().await;
    assert!(!reader.stands(&three, &ada).await);
    let four = writer.sign_in(&ada).await;
    heard().await;
    assert!(reader.stands(&four, &ada).await);
    writer.refresh(&writer.jar(&four), four.expires_at + MINUTE).await;
    heard().await;
    assert!(!reader.stands(&four, &ada).await);
    // The user's own state.
    let five = writer.sign_in(&ada).await;
    heard().await;
    assert!(reader.stands(&five, &ada).await);
    writer.store.session_end(ada.id, Scope::AllBut(five.id), true, by_user(), T0).await.unwrap();
    heard().await;
    assert!(!reader.stands(&five, &ada).await);
    let ada = writer.store.user_find(ada.id).await.unwrap().unwrap();
    heard().await;
    assert!(reader.stands(&five, &ada).await);
    writer
        .store
        .user_set_password(ada.id, Expected::Anyhow, hash("x"), Some(five.id), by_user(), T0)
        .await
        .unwrap();
    heard().await;
    assert!(!reader.stands(&five, &ada).await);
    writer.store.user_rename(ada.id, "Renamed".into(), T0).await.unwrap();
    heard().await;
    assert_eq!(reader.caller(&five).await.unwrap().person.name, "Renamed");
    writer.store.user_disable(ada.id, by_user(), T0).await.unwrap();
    heard().await;
    assert!(reader.caller(&five).await.unwrap().standing.user_disabled);
    writer.store.user_enable(ada.id, crate::world::decree(), T0).await.unwrap();
    heard().await;
    assert!(!reader.caller(&five).await.unwrap().standing.user_disabled);
    // Rows that go.
    writer.store.sweep(T0 + MINUTE, 100).await.unwrap();
    heard().await;
    assert!(reader.caller(&five).await.is_none());
    let ada = writer.store.user_find(ada.id).await.unwrap().unwrap();
    let six = writer.sign_in(&ada).await;
    heard().await;
    assert!(reader.stands(&six, &ada).await);
    writer.store.user_delete(ada.id, by_user(), T0).await.unwrap();
    heard().await;
    assert!(reader.caller(&six).await.is_none());
}

#[tokio::test]
async fn statements_typed_by_hand_are_noticed() {
    for world in World::each() {
        let ada = world.user("ada").await;
        let mut later = T0;
        let mut fresh = async || {
            later = later + SECOND;
            let session = world.sign_in_at(&ada, device(&later.to_string()), later).await;
            assert!(world.stands(&session, &ada).await);
            session
        };
        let type_in = async |statements: &str| {
            world.backend.sql(statements);
            world.hear().await;
        };
        let session = fresh().await;
        type_in(&format!("UPDATE session SET ended_at = 1 WHERE id = {}", world.id(&session))).await;
        assert!(!world.stands(&session, &ada).await);
        let session = fresh().await;
        type_in(&format!("DELETE FROM session WHERE id = {}", world.id(&session))).await;
        assert!(world.caller(&session).await.is_none());
        let session = fresh().await;
        type_in(&format!("UPDATE session SET expires_at = 7 WHERE id = {}", world.id(&session))).await;
        assert_eq!(world.caller(&session).await.unwrap().standing.expires_at, Timestamp::from_ms(7));
        let session = fresh().await;
        type_in(&replacing(&*world.backend, &world.id(&session))).await;
        assert!(!world.stands(&session, &ada).await);
        let session = fresh().await;
        type_in("UPDATE \"user\" SET token_version = token_version + 1").await;
        assert!(!world.stands(&session, &ada).await);
        type_in("UPDATE \"user\" SET token_version = token_version - 1").await;
        assert!(world.stands(&session, &ada).await);
        // Within a transaction of many statements, of which the last concerns us.
        type_in(&format!(
            "BEGIN; UPDATE \"user\" SET name = 'x'; UPDATE \"user\" SET name = 'ada'; \
             UPDATE session SET ended_at = 1 WHERE id = {}; COMMIT",
            world.id(&session)
        ))
        .await;
        assert!(!world.stands(&session, &ada).await);
    }
}

/// Statements that put an ended copy in the place of a session.
fn replacing(backend: &dyn Backend, id: &str) -> String {
    let copy = format!(
        "CREATE TEMP TABLE copy AS SELECT * FROM session WHERE id = {id}; UPDATE copy SET ended_at = 1"
    );
    match backend.is_postgres() {
        true => format!(
            "{copy}; INSERT INTO session SELECT * FROM copy ON CONFLICT (id) DO UPDATE SET ended_at = excluded.ended_at"
        ),
        // It deletes without firing a delete trigger.
        false => format!("{copy}; REPLACE INTO session SELECT * FROM copy"),
    }
}

#[tokio::test]
async fn what_is_rolled_back_by_others_is_never_seen() {
    for world in World::each() {
        let ada = world.user("ada").await;
        let session = world.sign_in(&ada).await;
        let shell = world.backend.shell();
        shell("BEGIN; UPDATE session SET ended_at = 1");
        world.hear().await;
        assert!(world.stands(&session, &ada).await);
        shell("ROLLBACK");
        world.hear().await;
        assert!(world.stands(&session, &ada).await);
        shell("BEGIN; UPDATE session SET ended_at = 1; COMMIT");
        world.hear().await;
        assert!(!world.stands(&session, &ada).await);
    }
}

#[tokio::test]
async fn a_log_truncated_by_another_connection_hides_nothing() {
    for use_stamp in [true, false] {
        let sqlite = Arc::new(Sqlite::fresh(use_stamp));
        let world = World::of(sqlite.clone());
        let ada = world.user("ada").await;
        let conn = sqlite.connection();
        for i in 0..50 {
            let session = world.sign_in_at(&ada, device(&i.to_string()), T0).await;
            assert!(world.stands(&session, &ada).await);
            conn.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
            assert!(world.stands(&session, &ada).await);
            conn.execute("UPDATE session SET ended_at = 1 WHERE id = ?1", [session.id.as_bytes()]).unwrap();
            assert!(!world.stands(&session, &ada).await);
            // The first commit into a log that was emptied looks most like the one before.
            if i % 2 == 0 {
                conn.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
            }
            conn.execute("UPDATE session SET ended_at = NULL WHERE id = ?1", [session.id.as_bytes()])
                .unwrap();
            assert!(world.stands(&session, &ada).await);
        }
    }
}

#[tokio::test]
async fn a_view_whose_entries_were_pruned_starts_over() {
    for use_stamp in [true, false] {
        let world = World::of(Arc::new(Sqlite::fresh(use_stamp)));
        let other = world.second_handle();
        let ada = world.user("ada").await;
        let session = world.sign_in(&ada).await;
        for forget in ["DELETE FROM change", "DELETE FROM change WHERE seq < (SELECT max(seq) FROM change)"] {
            assert!(world.stands(&session, &ada).await);
            let ended =
                "UPDATE session SET ended_at = 1; UPDATE user SET name = 'x'; UPDATE user SET name = 'y';";
            world.backend.sql(&format!("BEGIN; {ended} {forget}; COMMIT"));
            assert!(!world.stands(&session, &ada).await && !other.stands(&session, &ada).await);
            world.backend.sql("UPDATE session SET ended_at = NULL");
        }
    }
}

#[tokio::test]
async fn more_entries_than_are_read_one_by_one_and_entries_without_sense_hide_nothing() {
    for world in World::each() {
        let ada = world.user("ada").await;
        let session = world.sign_in(&ada).await;
        assert!(world.stands(&session, &ada).await);
        world.backend.sql(
            "BEGIN; UPDATE session SET ended_at = 1; \
             WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000) \
             INSERT INTO change (keys) SELECT false FROM n; COMMIT",
        );
        world.hear().await;
        assert!(!world.stands(&session, &ada).await);
        world.backend.sql("UPDATE session SET ended_at = NULL");
        world.hear().await;
        assert!(world.stands(&session, &ada).await);
        let nonsense = match world.backend.is_postgres() {
            true => "INSERT INTO change (session_id, user_id, keys) SELECT id, user_id, true FROM session",
            false => "INSERT INTO change (session_id, keys) VALUES (x'00', 9)",
        };
        world.backend.sql(nonsense);
        world.hear().await;
        assert!(world.stands(&session, &ada).await);
    }
}

/// The promise of the CLI: the very next request after a revoke by another process is refused.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_revoke_by_a_real_other_process_is_seen_by_the_very_next_caller() {
    for world in World::each() {
        let ada = world.user("ada").await;
        let mut puppet = Puppet::start(&world.backend.address());
        let mut tell = async |order: String| {
            puppet.tell(&order);
            world.hear().await;
        };
        for _ in 0..30 {
            let session = world.sign_in(&ada).await;
            assert!(world.stands(&session, &ada).await);
            tell(format!("end {} {}", ada.id, session.id)).await;
            assert!(!world.stands(&session, &ada).await);
        }
        let session = world.sign_in(&ada).await;
        let epoch = world.store.key_epoch().await.unwrap();
        assert!(world.stands(&session, &ada).await);
        tell("key a".to_owned()).await;
        assert_ne!(world.store.key_epoch().await.unwrap(), epoch);
        tell(format!("bump {}", ada.id)).await;
        assert!(!world.stands(&session, &ada).await);
        tell(format!("disable {}", ada.id)).await;
        assert!(world.caller(&session).await.unwrap().standing.user_disabled);
        tell(format!("delete {}", ada.id)).await;
        assert!(world.caller(&session).await.is_none());
    }
}

/// Writers flip sessions and users over two handles; each knows what it was answered last, and asks both views
/// at once. Meanwhile readers keep the views busy loading and forgetting.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn under_concurrent_writers_no_view_is_ever_behind_an_answer() {
    const WRITERS: usize = 6;
    const STEPS: usize = 120;
    for backend in backends() {
        let seed = 0x7e4e_u64;
        println!("seed {seed} on {}", backend.name());
        let world = Arc::new(World::of(backend));
        let other = Arc::new(world.second_handle());
        let running = Arc::new(AtomicU32::new(WRITERS as u32));
        let mut tasks = tokio::task::JoinSet::new();
        let all: Arc<std::sync::Mutex<Vec<SessionId>>> = Arc::default();
        for writer in 0..WRITERS {
            let worlds = [Arc::clone(&world), Arc::clone(&other)];
            let (running, all) = (Arc::clone(&running), Arc::clone(&all));
            tasks.spawn(async move {
                let user = worlds[0].user(&format!("u{writer}")).await;
                flip(&worlds, user, &all, Seeded::new(seed + writer as u64), STEPS).await;
                running.fetch_sub(1, Ordering::SeqCst);
            });
        }
        for reader in 0..2 {
            let worlds = [Arc::clone(&world), Arc::clone(&other)];
            let (running, all) = (Arc::clone(&running), Arc::clone(&all));
            tasks.spawn(async move {
                let random = Seeded::new(seed ^ reader);
                while running.load(Ordering::SeqCst) > 0 {
                    let id = {
                        let all = all.lock().unwrap();
                        all.get(random.below(all.len().max(1))).copied()
                    };
                    if let Some(id) = id {
                        worlds[random.below(2)].store.caller(id).await.unwrap();
                    }
                    tokio::task::yield_now().await;
                }
            });
        }
        while let Some(done) = tasks.join_next().await {
            done.unwrap();
        }
    }
}

/// One writer's random walk over a user of its own, whose truth it therefore knows.
async fn flip(
    worlds: &[Arc<World>; 2],
    mut user: User,
    all: &std::sync::Mutex<Vec<SessionId>>,
    random: Seeded,
    steps: usize,
) {
    let mut sessions: Vec<(SessionId, bool)> = Vec::new();
    let mut disabled = false;
    // Which handles need not know yet what the other has written.
    let mut is_behind = [false; 2];
    for step in 0..steps {
        let writer = random.below(2);
        let store = &worlds[writer].store;
        is_behind[1 - writer] = true;
        let by_user = order(EndReason::SignedOut);
        match random.below(8) {
            0..=2 if !disabled => {
                let now = T0 + step as u32 * SECOND;
                let session = worlds[writer].sign_in_at(&user, device(&step.to_string()), now).await;
                sessions.push((session.id, false));
                all.lock().unwrap().push(session.id);
            }
            3 | 4 if !sessions.is_empty() => {
                let chosen = random.below(sessions.len());
                let one = Scope::One(sessions[chosen].0);
                store.session_end(user.id, one, false, by_user, T0).await.unwrap();
                sessions[chosen].1 = true;
            }
            5 => {
                store
                    .session_end(user.id, Scope::One(SessionId::from_bytes([0; 16])), true, by_user, T0)
                    .await
                    .unwrap();
                user.token_version += 1;
            }
            6 if random.below(4) == 0 => {
                store.user_disable(user.id, by_user, T0).await.unwrap();
                user.token_version += 1;
                disabled = true;
                sessions.iter_mut().for_each(|session| session.1 = true);
            }
            7 => {
                store.user_enable(user.id, crate::world::decree(), T0).await.unwrap();
                disabled = false;
            }
            _ => {}
        }
        for _ in 0..3 {
            let Some((id, ended)) = sessions.get(random.below(sessions.len().max(1))) else { break };
            let asked = random.below(2);
            if is_behind[asked] {
                worlds[asked].hear().await;
                is_behind = [false; 2];
            }
            let caller: Caller = worlds[asked].store.caller(*id).await.unwrap().unwrap();
            let seen = (caller.standing.ended, caller.standing.token_version, caller.standing.user_disabled);
            assert_eq!(seen, (*ended, user.token_version, disabled), "step {step}");
        }
    }
}
