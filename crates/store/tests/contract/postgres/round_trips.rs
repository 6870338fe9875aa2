//! How often a refresh goes to the database, and that going less often answers the same.

use std::sync::Arc;

use tenure_domain::ends::EndReason;
use tenure_domain::session::Session;
use tenure_domain::time::Timestamp;
use tenure_store::{Expected, Refreshed, Scope};

use crate::backend::Postgres;
use crate::world::{Jar, QUIET, SECOND, T0, World, hash, name_of, order};

/// How often a refresh that must be served went to the database, and its session then.
async fn cost(world: &World, jar: &Jar, now: Timestamp) -> (u64, Session) {
    let before = world.store.vitals().round_trips;
    let refreshed = world.refresh(jar, now).await;
    let taken = world.store.vitals().round_trips - before;
    let Refreshed::Served { session, .. } = refreshed else { panic!("{}", name_of(&refreshed)) };
    (taken, session)
}

#[tokio::test]
async fn a_refresh_takes_two_round_trips_and_one_where_the_row_is_known() {
    let world = World::of(Arc::new(Postgres::fresh()));
    let ada = world.user("ada").await;
    let node = world.second_handle();
    // Statements are prepared once per connection, and this store uses one at a time.
    let mut jar = world.jar(&world.sign_in(&ada).await);
    for step in 1..4 {
        node.served(&mut jar, T0 + step * QUIET).await;
    }
    let mut least = [u64::MAX; 3];
    for _ in 0..10 {
        let session = world.sign_in(&ada).await;
        let (unknown, session) = cost(&node, &world.jar(&session), T0 + QUIET).await;
        let (known, session) = cost(&node, &world.jar(&session), T0 + 3 * QUIET).await;
        // This one records that the generation has come back; the next finds nothing to write.
        let (_, session) = cost(&node, &world.jar(&session), T0 + 3 * QUIET + SECOND).await;
        let (unmoved, _) = cost(&node, &world.jar(&session), T0 + 3 * QUIET + SECOND).await;
        // Reads of the feed count too and are now and then in between, so the least is what a refresh takes.
        for (least, taken) in least.iter_mut().zip([unknown, known, unmoved]) {
            *least = taken.min(*least);
        }
    }
    assert_eq!(least, [2, 1, 1]);
}

/// What somebody else did since a node kept the row, and what its next refresh must come to.
#[tokio::test]
async fn a_row_that_is_kept_and_old_leads_to_the_right_answer() {
    for (what, expected) in [
        ("nothing", "served"),
        ("rotated", "served"),
        ("rotated twice", "superseded"),
        ("ended", "ended before"),
        ("all ended", "ended before"),
        ("disabled", "ended before"),
        ("deleted", "ended before"),
        ("reset", "ended before"),
        ("renamed", "served"),
        ("disabled by hand", "ended now"),
        ("shortened by hand", "ended now"),
        ("gone by hand", "missing"),
        ("user gone by hand", "missing"),
        ("salted by hand", "not authentic"),
    ] {
        let world = World::of(Arc::new(Postgres::fresh()));
        let other = world.second_handle();
        let ada = world.user("ada").await;
        let session = world.sign_in(&ada).await;
        let mut jar = world.jar(&session);
        let kept = world.served(&mut jar, T0 + QUIET).await;
        let mut theirs = jar.clone();
        let by_admin = || order(EndReason::AdminRevoked);
        match what {
            "rotated" => drop(other.served(&mut theirs, T0 + 2 * QUIET).await),
            "rotated twice" => {
                other.served(&mut theirs, T0 + 2 * QUIET).await;
                other.served(&mut theirs, T0 + 3 * QUIET).await;
            }
            "ended" => {
                let one = Scope::One(session.id);
                other.store.session_end(ada.id, one, false, by_admin(), T0).await.unwrap();
            }
            "all ended" => {
                other.store.session_end(ada.id, Scope::All, true, by_admin(), T0).await.unwrap();
            }
            "disabled" => drop(other.store.user_disable(ada.id, by_admin(), T0).await.unwrap()),
            "deleted" => drop(other.store.user_delete(ada.id, by_admin(), T0).await.unwrap()),
            "reset" => {
                other
                    .store
                    .user_set_password(ada.id, Expected::Anyhow, hash("x"), None, by_admin(), T0)
                    .await
                    .unwrap();
            }
            "renamed" => drop(other.store.user_rename(ada.id, "Renamed".into(), T0).await.unwrap()),
            "disabled by hand" => world.backend.sql("UPDATE \"user\" SET disabled_at = 1"),
            "shortened by hand" => world.backend.sql("UPDATE session SET expires_at = 7"),
            "gone by hand" => world.backend.sql("DELETE FROM session"),
            "user gone by hand" => world.backend.sql("DELETE FROM \"user\""),
            "salted by hand" => {
                world.backend.sql("UPDATE session SET salt = decode(repeat('00', 16), 'hex')")
            }
            _ => {}
        }
        // At once, without having heard of it.
        let outcome = world.refresh(&jar, T0 + 4 * QUIET).await;
        assert_eq!(name_of(&outcome), expected, "{what}");
        if let Refreshed::Served { session, person, .. } = outcome {
            assert!(session.rotation.head > kept.rotation.head, "{what}");
            assert_eq!(person.name == "Renamed", what == "renamed");
        }
    }
}

/// A user whose row cannot be read has nobody to hand a token to, whether or not the session's row is kept.
#[tokio::test]
async fn a_damaged_user_is_unreadable_where_the_sessions_row_is_kept() {
    let world = World::of(Arc::new(Postgres::fresh()));
    let ada = world.user("ada").await;
    let mut jar = world.jar(&world.sign_in(&ada).await);
    world.served(&mut jar, T0 + QUIET).await;
    world.backend.sql("UPDATE \"user\" SET role = 'root'");
    for step in 2..4 {
        assert_eq!(name_of(&world.refresh(&jar, T0 + step * QUIET).await), "unreadable");
    }
    world.backend.sql("UPDATE \"user\" SET role = 'user'");
    world.served(&mut jar, T0 + 4 * QUIET).await;
}
