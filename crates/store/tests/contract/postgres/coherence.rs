//! The feed: nothing that others commit is missed, in whichever order, and nothing is answered from a view that is
//! older than it may be.

use std::sync::Arc;

use tenure_domain::ends::EndReason;
use tenure_domain::session::Session;
use tenure_rig::{Network, Proxy};
use tenure_store::Scope;

use super::{is_live, recovers, world_with};
use crate::backend::Postgres;
use crate::world::{SECOND, T0, World, device, order};

#[tokio::test]
async fn a_truncated_table_is_noticed() {
    let world = World::of(Arc::new(Postgres::fresh()));
    for table in ["session", "\"user\""] {
        let ada = world.user(&format!("ada{}", table.len())).await;
        let session = world.sign_in(&ada).await;
        assert!(world.stands(&session, &ada).await);
        world.backend.sql(&format!("TRUNCATE {table} CASCADE"));
        world.hear().await;
        assert!(world.caller(&session).await.is_none(), "{table}");
    }
    let epoch = world.store.key_epoch().await.unwrap();
    world.backend.sql("TRUNCATE signing_key");
    world.hear().await;
    assert_ne!(world.store.key_epoch().await.unwrap(), epoch);
}

/// Transactions commit in another order than they began, and than their entries are numbered.
#[tokio::test]
async fn a_transaction_that_commits_long_after_younger_ones_is_heard() {
    let world = World::of(Arc::new(Postgres::fresh()));
    let ada = world.user("ada").await;
    let mut sessions = Vec::new();
    for name in ["old", "middle", "young"] {
        sessions.push(world.sign_in_at(&ada, device(name), T0).await);
    }
    let end = |at: usize| format!("UPDATE session SET ended_at = 1 WHERE id = {}", world.id(&sessions[at]));
    let (old, middle) = (world.backend.shell(), world.backend.shell());
    old(&format!("BEGIN; {}", end(0)));
    middle(&format!("BEGIN; {}", end(1)));
    for _ in 0..3 {
        for session in &sessions {
            assert!(world.stands(session, &ada).await);
        }
        // Meanwhile there is much to hear, which moves readers on.
        world.backend.sql("UPDATE \"user\" SET name = name");
        world.hear().await;
    }
    world.backend.sql(&end(2));
    world.hear().await;
    assert!(!world.stands(&sessions[2], &ada).await);
    middle("COMMIT");
    world.hear().await;
    assert!(!world.stands(&sessions[1], &ada).await && world.stands(&sessions[0], &ada).await);
    old("COMMIT");
    world.hear().await;
    assert!(!world.stands(&sessions[0], &ada).await);
}

/// An entry that nobody was notified of: the loss of a notification costs time, within the bound.
#[tokio::test]
async fn nothing_rests_on_notifications() {
    let world = World::of(Arc::new(Postgres::fresh()));
    let ada = world.user("ada").await;
    for _ in 0..5 {
        let session = world.sign_in(&ada).await;
        assert!(world.stands(&session, &ada).await);
        let id = world.id(&session);
        world.backend.sql(&format!(
            "BEGIN; ALTER TABLE session DISABLE TRIGGER session_changed; \
             UPDATE session SET ended_at = 1 WHERE id = {id}; INSERT INTO change (session_id) VALUES ({id}); \
             ALTER TABLE session ENABLE TRIGGER session_changed; COMMIT"
        ));
        world.hear().await;
        assert!(!world.stands(&session, &ada).await);
    }
}

/// A node that is cut off from the database knows that it does not know.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn behind_a_network_that_stalls_or_cuts_nobody_is_let_in_who_was_ended_elsewhere() {
    let postgres = Arc::new(Postgres::fresh());
    let home = World::of(postgres.clone());
    let (url, proxy) = behind_a_proxy(&postgres);
    let away = world_with(&postgres, |options| tenure_store::postgres::PostgresOptions {
        url,
        statement_timeout: SECOND / 4,
        connect_timeout: SECOND / 4,
        ..options
    });
    let ada = home.user("ada").await;
    for (round, network) in [Network::Stall, Network::Cut, Network::Stall].into_iter().enumerate() {
        let (one, other) =
            (home.sign_in_at(&ada, device(&round.to_string()), T0).await, home.sign_in(&ada).await);
        assert!(!ended(&away, &one).await && !ended(&away, &other).await);
        recovers("the feed", async || is_live(&away)).await;
        proxy.set(network);
        let by_user = order(EndReason::SignedOut);
        home.store.session_end(ada.id, Scope::One(one.id), false, by_user, T0).await.unwrap();
        home.hear().await;
        for session in [&one, &other] {
            let answer = away.store.caller(session.id).await;
            assert!(super::is_unavailable(answer), "{network:?}");
        }
        let vitals = away.store.vitals();
        assert!(!vitals.feed_live && vitals.feed_age > Some(home.backend.staleness()));
        proxy.set(Network::Pass);
        assert!(ended(&away, &one).await && !ended(&away, &other).await);
    }
}

/// As soon as this node knows: a busy machine may hold its questions up for longer than it waits.
async fn ended(world: &World, session: &Session) -> bool {
    let caller = recovers("the view", async || world.store.caller(session.id).await).await;
    caller.unwrap().standing.ended
}

/// The address of a database by way of a network that may fail.
pub fn behind_a_proxy(postgres: &Postgres) -> (String, Proxy) {
    let url = postgres.database.url();
    let authority = url.split('@').nth(1).and_then(|rest| rest.split('/').next()).unwrap();
    let address: std::net::SocketAddr = authority.replace("localhost", "127.0.0.1").parse().unwrap();
    let proxy = Proxy::start(address);
    (url.replace(authority, &proxy.address().to_string()), proxy)
}

#[tokio::test]
async fn a_node_that_opens_beside_others_agrees_with_them_at_once() {
    let world = World::of(Arc::new(Postgres::fresh()));
    let ada = world.user("ada").await;
    for _ in 0..5 {
        let session = world.sign_in(&ada).await;
        world.store.session_end(ada.id, Scope::All, false, order(EndReason::SignedOut), T0).await.unwrap();
        let other = world.second_handle();
        assert!(!other.stands(&session, &ada).await);
        assert!(other.store.key_list().await.unwrap().is_empty());
    }
}
