//! Damaged rows: they concern themselves alone, end nothing, and break nothing.

use tenure_domain::ends::EndReason;
use tenure_store::{Refreshed, Scope, StoreError, UserFilter};

use crate::world::{QUIET, SECOND, T0, World, device, name_of, names_of, order};

/// What may have happened to a session's row, as assignments.
const SESSION_DAMAGE_IN_POSTGRES: &[&str] = &[
    "salt = '\\x00'",
    "salt = ''",
    "salt = decode(repeat('00', 4096), 'hex')",
    "created_at = -1",
    "expires_at = -1",
    "expires_at = -9223372036854775808",
    "base = -1",
    "head = -1",
    "head = 4294967296",
    "base = 9, head = 9",
    "base = 9, head = 3",
    "handed_at = -5",
    "contested_at = -5",
    "ended_at = 1",
    "ended_at = 1, end_reason = 'because', end_actor = 'user', receipt = 'R-0'",
    "ended_at = 1, end_reason = 'signed_out', receipt = 'R-0'",
    "ended_at = -1, end_reason = 'signed_out', end_actor = 'user', receipt = 'R-0'",
];

/// The same where a column takes values of any sense.
const SESSION_DAMAGE: &[&str] = &[
    "salt = x'00'",
    "salt = x''",
    "salt = zeroblob(4096)",
    "user_id = x'0102'",
    "remembered = 2",
    "remembered = -1",
    "created_at = -1",
    "expires_at = -1",
    "expires_at = -9223372036854775808",
    "base = -1",
    "head = -1",
    "head = 4294967296",
    "base = 9, head = 9",
    "base = 9, head = 3",
    "handed_at = -5",
    "healed = 7",
    "contested_at = -5",
    "ended_at = 1",
    "ended_at = 1, end_reason = 'because', end_actor = 'user', receipt = 'R-0'",
    "ended_at = 1, end_reason = 'signed_out', end_actor = CAST(x'ff' AS TEXT), receipt = 'R-0'",
    "ended_at = 1, end_reason = 'signed_out', end_actor = 'user', receipt = CAST(x'fe' AS TEXT)",
    "ended_at = 1, end_reason = 'signed_out', end_actor = 'user', receipt = 'R', end_note = CAST(x'c0' AS TEXT)",
    "ended_at = -1, end_reason = 'signed_out', end_actor = 'user', receipt = 'R-0'",
];

const USER_DAMAGE: &[&str] = &[
    "role = 'root'",
    "token_version = -1",
    "token_version = 4294967296",
    "account_id = NULL, created_at = -1",
    "disabled_at = -1",
    "email = CAST(x'ff' AS TEXT)",
    "name = CAST(x'ff' AS TEXT)",
];

/// How many of these PostgreSQL's types let through.
const USER_DAMAGE_IN_POSTGRES: usize = 5;

#[tokio::test]
async fn a_damaged_session_is_unreadable_and_the_others_of_the_jar_and_the_batch_are_served() {
    for world in World::each() {
        let ada = world.user("ada").await;
        let (damaged, sound) = (world.sign_in(&ada).await, world.sign_in(&ada).await);
        let jars = (world.jar(&damaged), world.jar(&sound));
        let id = world.id(&damaged);
        world.backend.sql("CREATE TABLE spare AS SELECT * FROM session");
        let postgres = world.backend.is_postgres();
        for damage in if postgres { SESSION_DAMAGE_IN_POSTGRES } else { SESSION_DAMAGE } {
            world.backend.sql(&format!("UPDATE session SET {damage} WHERE id = {id}"));
            // One that has not the sound row in mind.
            let world = world.second_handle();
            let before = world.backend.number("SELECT refresh_count FROM session ORDER BY id DESC LIMIT 1");
            let both = [&jars.0, &jars.1];
            let (alone, jar) =
                tokio::join!(world.refresh(&jars.0, T0 + QUIET), world.refresh_all(&both, T0 + QUIET));
            let Refreshed::Unreadable { session_id, cause } = &alone else {
                panic!("{damage}: {}", name_of(&alone));
            };
            assert!(*session_id == damaged.id && !cause.is_empty(), "{damage}");
            assert_eq!(names_of(&jar), ["unreadable", "served"], "{damage}");
            let listed = world.store.session_list(ada.id, true, 10, T0).await.unwrap();
            assert!(listed.iter().any(|record| record.session.id == sound.id), "{damage}");
            assert!(listed.iter().all(|record| record.session.id != damaged.id), "{damage}");
            assert!(matches!(world.store.session_find(damaged.id).await, Err(StoreError::Corrupt { .. })));
            let rules = std::sync::Arc::clone(&world.rules);
            let ended = world.store.session_end_presented(
                vec![world.read(&jars.0)],
                rules,
                order(EndReason::SignedOut),
                T0,
            );
            assert!(ended.await.unwrap().is_empty(), "{damage}");
            // The view may be told only what it needs, but never lets a damaged row count as whole.
            let _ = world.store.caller(damaged.id).await;
            assert!(world.stands(&sound, &ada).await, "{damage}");
            let now = world.backend.number("SELECT refresh_count FROM session ORDER BY id DESC LIMIT 1");
            assert!(now >= before, "{damage}");
            world.backend.sql(&format!(
                "DELETE FROM session WHERE id = {id}; INSERT INTO session SELECT * FROM spare WHERE id = {id}"
            ));
        }
        world.hear().await;
        assert_eq!(name_of(&world.refresh(&jars.0, T0 + QUIET).await), "served");
    }
}

#[tokio::test]
async fn a_session_of_a_damaged_user_is_unreadable_until_it_is_mended() {
    for world in World::each() {
        let (ada, eve) = (world.user("ada").await, world.user("eve").await);
        let (damaged, sound) = (world.sign_in(&ada).await, world.sign_in(&eve).await);
        let jar = world.jar(&damaged);
        world.backend.sql("CREATE TABLE spare AS SELECT * FROM \"user\"");
        let damages = if world.backend.is_postgres() { USER_DAMAGE_IN_POSTGRES } else { USER_DAMAGE.len() };
        for damage in &USER_DAMAGE[..damages] {
            let ada_is = "WHERE email_key = 'ada@example.com'";
            world.backend.sql(&format!("UPDATE \"user\" SET {damage} {ada_is}"));
            world.hear().await;
            let outcome = world.refresh(&jar, T0 + QUIET).await;
            assert_eq!(name_of(&outcome), "unreadable", "{damage}");
            assert!(
                matches!(world.store.user_find(ada.id).await, Err(StoreError::Corrupt { .. })),
                "{damage}"
            );
            assert!(world.store.caller(damaged.id).await.is_err(), "{damage}");
            assert!(world.stands(&sound, &eve).await);
            let listed = world.store.user_list(UserFilter::default(), None, 10).await.unwrap();
            assert_eq!(listed.iter().map(|user| user.id).collect::<Vec<_>>(), [eve.id], "{damage}");
            world.backend.sql(
                "UPDATE \"user\" SET (role, token_version, email, name, account_id, created_at, disabled_at) = \
                 (SELECT role, token_version, email, name, account_id, created_at, disabled_at \
                  FROM spare WHERE spare.id = \"user\".id)",
            );
        }
        world.hear().await;
        assert_eq!(name_of(&world.refresh(&jar, T0 + QUIET).await), "served");
    }
}

#[tokio::test]
async fn everything_can_still_be_ended_beside_and_in_spite_of_damage() {
    for world in World::each() {
        let ada = world.user("ada").await;
        let first = world.sign_in_at(&ada, device("a"), T0).await;
        let second = world.sign_in_at(&ada, device("b"), T0 + SECOND).await;
        let salt = if world.backend.is_postgres() { "''" } else { "x'00'" };
        world.backend.sql(&format!("UPDATE session SET salt = {salt}, expires_at = -1, head = -1"));
        let by_user = order(EndReason::SignedOut);
        let ended = world.store.session_end(ada.id, Scope::All, true, by_user, T0 + SECOND).await.unwrap();
        assert_eq!(ended.iter().map(|ended| ended.session_id).collect::<Vec<_>>(), [second.id, first.id]);
        // Nor does damage keep the sweep from its work, or from leaving alone what it cannot judge.
        world.backend.sql("UPDATE session SET ended_at = NULL");
        assert_eq!(world.store.sweep(T0 + 1_000 * QUIET, 10).await.unwrap(), 0);
    }
}

#[tokio::test]
async fn a_damaged_key_is_left_out_and_the_others_sign_on() {
    for world in World::each() {
        for kid in ["a", "b"] {
            let key = tenure_store::StoredKey {
                kid: kid.into(),
                sealed_seed: vec![1],
                created_at: T0,
                activates_at: T0,
                retires_at: None,
            };
            world.store.key_add(key, None, false, None).await.unwrap();
        }
        world.backend.sql("UPDATE signing_key SET activates_at = -1 WHERE kid = 'a'");
        let keys = world.store.key_list().await.unwrap();
        assert_eq!(keys.iter().map(|key| key.kid.as_str()).collect::<Vec<_>>(), ["b"]);
    }
}
