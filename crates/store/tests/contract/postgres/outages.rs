//! The database is gone for a while, in every way it can go, and comes back.

use std::sync::Arc;

use tenure_domain::ends::EndReason;
use tenure_domain::rotation::{Generation, Replay};
use tenure_store::{Refreshed, Scope, SessionCreated};

use super::{is_live, is_unavailable, recovers, world_with};
use crate::backend::Postgres;
use crate::world::{QUIET, SECOND, T0, World, device, name_of, new_session, order};

/// What it is called, how the server goes, and how it comes back.
type Outage<'a> = (&'static str, &'a dyn Fn(), &'a dyn Fn());

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn however_the_server_goes_everything_is_unavailable_and_everything_comes_back() {
    let server = tenure_rig::Postgres::start();
    let postgres = Arc::new(Postgres::on(&server.server()));
    let world = world_with(&postgres, |options| tenure_store::postgres::PostgresOptions {
        statement_timeout: SECOND / 2,
        connect_timeout: SECOND / 2,
        ..options
    });
    // With as much patience as a busy machine needs.
    let before = World::of(postgres.clone());
    let ada = before.user("ada").await;
    let session = before.sign_in(&ada).await;
    let jar = world.jar(&session);
    let outages: [Outage; 3] = [
        ("stopped", &|| server.stop(), &|| server.start_again()),
        ("killed", &|| server.kill(), &|| server.start_again()),
        ("paused", &|| server.pause(), &|| server.resume()),
    ];
    for (round, (how, goes, comes)) in (1..).zip(outages) {
        let now = T0 + round * QUIET;
        let caller = recovers(how, async || world.store.caller(session.id).await).await;
        assert!(!caller.unwrap().standing.ended, "{how}");
        goes();
        world.hear().await;
        assert!(is_unavailable(world.store.session_refresh(world.request(&[&jar]), now).await), "{how}");
        assert!(is_unavailable(world.store.caller(session.id).await), "{how}");
        let create = world.store.session_create(ada.id, ada.token_version, new_session(now), now);
        assert!(is_unavailable(create.await.map(drop)), "{how}");
        assert!(is_unavailable(world.store.key_epoch().await), "{how}");
        assert!(is_unavailable(world.store.check().await), "{how}");
        assert!(!world.store.vitals().feed_live, "{how}");
        comes();
        recovers(how, async || world.store.check().await).await;
        let refreshed =
            recovers(how, async || world.store.session_refresh(world.request(&[&jar]), now).await);
        assert_eq!(name_of(&refreshed.await[0]), "served", "{how}");
        let caller = recovers(how, async || world.store.caller(session.id).await).await;
        assert!(!caller.unwrap().standing.ended, "{how}");
        let created = recovers(how, async || {
            let new = new_session(now);
            world.store.session_create(ada.id, ada.token_version, new, now).await
        });
        assert!(matches!(created.await, SessionCreated::Created { .. }), "{how}");
        recovers(how, async || is_live(&world)).await;
    }
    assert_eq!(world.store.vitals().ends_restored, 0, "nothing was lost");
}

/// A fail-over to a server that had not received the last second.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ends_that_the_database_lost_stay_ended_and_tokens_ahead_of_it_are_served() {
    let server = tenure_rig::Postgres::start();
    let postgres = Arc::new(Postgres::on(&server.server()));
    let world = World::of(postgres.clone());
    let other = world.second_handle();
    let ada = world.user("ada").await;
    let mut sessions = Vec::new();
    for name in ["lives", "ended by us", "ended by the other"] {
        sessions.push(world.sign_in_at(&ada, device(name), T0).await);
    }
    let copy = server.copy_data();
    // The second that is lost.
    let mut jar = world.jar(&sessions[0]);
    for step in 1..=3 {
        world.served(&mut jar, T0 + step * QUIET).await;
    }
    for (ender, session) in [(&world, &sessions[1]), (&other, &sessions[2])] {
        let by_user = order(EndReason::SignedOut);
        let ended = ender.store.session_end(ada.id, Scope::One(session.id), false, by_user, T0).await;
        assert!(ended.unwrap()[0].newly);
    }
    world.hear().await;
    assert!(!world.stands(&sessions[1], &ada).await && !world.stands(&sessions[2], &ada).await);
    server.restore_from(&copy);
    let now = T0 + 4 * QUIET;
    let refreshed =
        recovers("a refresh", async || world.store.session_refresh(world.request(&[&jar]), now).await);
    let refreshed = refreshed.await.remove(0);
    let Refreshed::Served { session, replay: Some(Replay::Ahead), .. } = refreshed else {
        panic!("{}", name_of(&refreshed))
    };
    assert!(session.rotation.head >= Generation(4));
    for session in &sessions[1..] {
        let jar = world.jar(session);
        let refused =
            recovers("a refresh", async || world.store.session_refresh(world.request(&[&jar]), now).await);
        assert_eq!(name_of(&refused.await[0]), "ended before");
        let caller = recovers("the view", async || world.store.caller(session.id).await).await;
        assert!(caller.unwrap().standing.ended);
        let record = world.store.session_find(session.id).await.unwrap().unwrap();
        assert_eq!(record.session.ended.unwrap().reason, EndReason::SignedOut);
    }
    recovers("the other", async || other.store.caller(sessions[1].id).await).await;
    assert!(!other.stands(&sessions[1], &ada).await && !other.stands(&sessions[2], &ada).await);
    let restored = world.store.vitals().ends_restored + other.store.vitals().ends_restored;
    assert_eq!(restored, 2);
}

/// A crash may have lost the very rotation that restarted the quiet time (protocol.md section 4).
#[tokio::test]
async fn to_a_database_that_has_just_come_up_nothing_is_quiet() {
    let server = tenure_rig::Postgres::start();
    let postgres = Arc::new(Postgres::on(&server.server()));
    let node = || {
        world_with(&postgres, |options| tenure_store::postgres::PostgresOptions {
            opened_at: None,
            ..options
        })
    };
    let an_hour_passes = || {
        postgres.database.sql("UPDATE opening SET at = at - interval '1 hour'");
        node()
    };
    let world = node();
    let session = world.sign_in(&world.user("ada").await).await;
    let mut jar = world.jar(&session);
    let head = |session: tenure_domain::session::Session| session.rotation.head;
    assert_eq!(head(world.served(&mut jar, T0 + QUIET).await), Generation(1));
    let world = an_hour_passes();
    assert_eq!(head(world.served(&mut jar, T0 + 2 * QUIET).await), Generation(2));
    server.kill();
    server.start_again();
    recovers("a refresh", async || world.store.session_refresh(world.request(&[&jar]), T0 + 4 * QUIET).await)
        .await;
    assert_eq!(head(world.served(&mut jar, T0 + 5 * QUIET).await), Generation(2));
    let world = an_hour_passes();
    assert_eq!(head(world.served(&mut jar, T0 + 6 * QUIET).await), Generation(3));
}

#[tokio::test]
async fn the_databases_clock_is_told() {
    let world = World::of(Arc::new(Postgres::fresh()));
    let told = world.store.clock().await.unwrap().unwrap();
    let seconds = world.backend.number("SELECT extract(epoch FROM now())::bigint");
    assert!((told.as_ms() / 1000 - seconds).abs() <= 60);
}
