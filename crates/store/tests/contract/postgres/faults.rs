//! The database refuses: the store says so, loses nothing, and recovers by itself.

use std::sync::Arc;

use tenure_domain::ends::EndReason;
use tenure_store::postgres::PostgresOptions;
use tenure_store::{Scope, Store as _};

use super::{is_unavailable, recovers, world_with};
use crate::backend::{Backend as _, Postgres, apart};
use crate::world::{QUIET, SECOND, T0, World, device, name_of, order};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_row_that_somebody_holds_is_unavailable_and_the_others_are_served() {
    let postgres = Arc::new(Postgres::fresh());
    let others = World::of(postgres.clone());
    let world = world_with(&postgres, |options| PostgresOptions { statement_timeout: SECOND / 4, ..options });
    let (ada, eve) = (others.user("ada").await, others.user("eve").await);
    let (held, free) = (others.sign_in(&ada).await, others.sign_in(&eve).await);
    let shell = postgres.shell();
    shell(&format!("BEGIN; UPDATE session SET refresh_count = 7 WHERE id = {}", world.id(&held)));
    let (held_jar, free_jar) = (world.jar(&held), world.jar(&free));
    const WAITING: &str = "SELECT count(*) FROM pg_stat_activity \
         WHERE datname = current_database() AND wait_event_type = 'Lock'";
    for _ in 0..2 * postgres.options().connections {
        // More often than there are connections: none is left waiting.
        let (refused, served) = tokio::join!(
            world.store.session_refresh(world.request(&[&held_jar]), T0 + QUIET),
            // A busy machine may hold a statement up for as long.
            recovers("the other", async || world
                .store
                .session_refresh(world.request(&[&free_jar]), T0 + QUIET)
                .await)
        );
        assert!(is_unavailable(refused) && name_of(&served[0]) == "served");
        if world.backend.number(WAITING) > 8 {
            panic!("statements go on waiting for a lock after their callers have stopped");
        }
    }
    let by_user = order(EndReason::SignedOut);
    let end = world.store.session_end(ada.id, Scope::All, false, by_user, T0);
    assert!(is_unavailable(end.await.map(drop)));
    // Whoever is signed in is let in meanwhile.
    let caller = recovers("the view", async || world.store.caller(held.id).await).await;
    assert!(!caller.unwrap().standing.ended);
    recovers("the store", async || world.store.check().await).await;
    shell("ROLLBACK");
    let refresh = async || world.store.session_refresh(world.request(&[&held_jar]), T0 + QUIET).await;
    assert_eq!(name_of(&recovers("the row", refresh).await[0]), "served");
}

#[tokio::test]
async fn a_database_that_can_only_be_read_is_told_and_recovers() {
    let postgres = Arc::new(Postgres::fresh());
    let world = World::of(postgres.clone());
    let ada = world.user("ada").await;
    let session = world.sign_in(&ada).await;
    let mut jar = world.jar(&session);
    // By now it is written down since when the database is up, which one that can only be read would refuse.
    assert!(world.stands(&session, &ada).await);
    let name = postgres.database.name();
    postgres.sql(&format!("ALTER DATABASE {name} SET default_transaction_read_only = on"));
    hang_up_on_everybody(&postgres);
    world.hear().await;
    recovers("reading", async || world.store.session_find(session.id).await).await;
    assert!(is_unavailable(world.store.session_refresh(world.request(&[&jar]), T0 + QUIET).await));
    assert!(is_unavailable(world.store.check().await));
    assert!(is_unavailable(world.store.user_rename(ada.id, "x".into(), T0).await));
    // The feed has a connection of its own, which was hung up on as well.
    recovers("checking", async || world.store.caller(session.id).await).await;
    assert!(world.stands(&session, &ada).await);
    // Nodes start on it, too.
    let options = postgres.options();
    assert!(apart(async move { tenure_store::postgres::migrate::up(&options).await }).unwrap().is_empty());
    // Without hanging up: a connection that was refused to write is not kept.
    let server = postgres.database.server();
    server.sql(&format!("ALTER DATABASE {name} SET default_transaction_read_only = off"));
    recovers("writing", async || world.store.session_refresh(world.request(&[&jar]), T0 + QUIET).await).await;
    world.served(&mut jar, T0 + 2 * QUIET).await;
    recovers("readiness", async || world.store.check().await).await;
}

/// Sign-ins and ends are durable whatever the role's or the database's default is. Where no setting can be made for a
/// connection, the store says that it is not fit to serve.
#[tokio::test]
async fn a_database_whose_commits_are_relaxed_relaxes_rotations_alone() {
    let postgres = Arc::new(Postgres::fresh());
    let name = postgres.database.name();
    for (default, is_fit_behind_a_pooler) in [("off", false), ("local", true), ("on", true)] {
        postgres.sql(&format!("ALTER DATABASE {name} SET synchronous_commit = {default}"));
        World::of(postgres.clone()).store.check().await.unwrap();
        let pooled = world_with(&postgres, |options| PostgresOptions { prepared: false, ..options });
        assert_eq!(is_unavailable(pooled.store.check().await), !is_fit_behind_a_pooler, "{default}");
    }
}

/// Ends every connection to the database but the one that asks for it.
fn hang_up_on_everybody(postgres: &Postgres) {
    postgres.sql(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
         WHERE datname = current_database() AND pid <> pg_backend_pid()",
    );
}

#[tokio::test]
async fn connections_that_are_cut_are_replaced_and_nobody_is_signed_out() {
    let postgres = Arc::new(Postgres::fresh());
    let world = World::of(postgres.clone());
    let ada = world.user("ada").await;
    let session = world.sign_in(&ada).await;
    let jar = world.jar(&session);
    for round in 1..=10 {
        let now = T0 + round * QUIET;
        world.sign_in_at(&ada, device(&round.to_string()), now).await;
        hang_up_on_everybody(&postgres);
        let refreshed =
            recovers("a refresh", async || world.store.session_refresh(world.request(&[&jar]), now).await);
        assert_eq!(name_of(&refreshed.await[0]), "served");
        let caller = recovers("the view", async || world.store.caller(session.id).await).await;
        assert!(!caller.unwrap().standing.ended);
    }
    assert_eq!(world.store.session_count(T0).await.unwrap().total(), 11);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deadlock_with_a_person_is_one_refusal_and_leaves_nothing_half_done() {
    let postgres = Arc::new(Postgres::fresh());
    let world = World::of(postgres.clone());
    let ada = world.user("ada").await;
    let session = world.sign_in(&ada).await;
    let person = postgres.database.connect();
    person
        .run(&format!("BEGIN; UPDATE session SET end_note = 'x' WHERE id = {}", world.id(&session)))
        .unwrap();
    let store = Arc::clone(&world.store);
    let end = tokio::spawn(async move {
        store.session_end(ada.id, Scope::All, true, order(EndReason::SignedOut), T0).await
    });
    // It holds the user, and waits for the session.
    recovers("waiting", async || {
        match world.backend.number("SELECT count(*) FROM pg_locks WHERE NOT granted") {
            0 => Err(tenure_store::StoreError::Unavailable("nobody waits".into())),
            _ => Ok(()),
        }
    })
    .await;
    let crossed = person.begin("UPDATE \"user\" SET name = 'x'; COMMIT");
    let ended = end.await.unwrap();
    drop(crossed.wait());
    let after = world.store.user_find(ada.id).await.unwrap().unwrap();
    let session = world.store.session_find(session.id).await.unwrap().unwrap().session;
    assert!(ended.is_ok() || is_unavailable(ended.as_ref().map_err(Clone::clone)));
    assert_eq!(session.ended.is_some(), ended.is_ok());
    assert_eq!(after.token_version, ada.token_version + u32::from(ended.is_ok()));
    let by_user = order(EndReason::SignedOut);
    world.store.session_end(ada.id, Scope::All, true, by_user, T0).await.unwrap();
}

#[tokio::test]
async fn a_failed_step_takes_back_its_whole_transaction_and_no_other() {
    let postgres = Arc::new(Postgres::fresh());
    let world = World::of(postgres.clone());
    let (ada, eve) = (world.user("ada").await, world.user("eve").await);
    let replaced = world.sign_in_at(&ada, device("laptop"), T0).await;
    let served = world.sign_in(&eve).await;
    // The last of several statements fails, for this one user.
    postgres.sql(&format!(
        "CREATE FUNCTION broken() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'broken'; END $$; \
         CREATE TRIGGER broken BEFORE INSERT ON session FOR EACH ROW \
         WHEN (NEW.user_id = {}) EXECUTE FUNCTION broken()",
        postgres.id(ada.id.as_bytes())
    ));
    let new = tenure_store::NewSession { device: device("laptop"), ..crate::world::new_session(T0) };
    let jar = world.jar(&served);
    let create = world.store.session_create(ada.id, ada.token_version, new, T0);
    let (create, refresh) = tokio::join!(create, world.refresh(&jar, T0 + QUIET));
    assert!(is_unavailable(create.map(drop)) && name_of(&refresh) == "served");
    // The session that the failed sign-in would have replaced lives.
    assert_eq!(name_of(&world.refresh(&world.jar(&replaced), T0 + QUIET).await), "served");
    postgres.sql("CREATE TRIGGER worse BEFORE INSERT ON \"user\" FOR EACH ROW EXECUTE FUNCTION broken()");
    let new = tenure_store::NewUser {
        home: tenure_store::Home::Own(tenure_store::NewAccount::named("acme")),
        ..crate::world::new_user("bob")
    };
    assert!(is_unavailable(world.store.user_create(new, None, T0).await.map(drop)));
    assert_eq!(postgres.number("SELECT count(*) FROM account WHERE name = 'acme'"), 0);
    postgres.sql("DROP TRIGGER worse ON \"user\"");
    world.user("bob").await;
}

#[tokio::test]
async fn an_address_that_cannot_be_used_is_told_without_its_password() {
    let postgres = Postgres::fresh();
    let with = |url: &str| PostgresOptions { url: url.into(), connect_timeout: SECOND, ..postgres.options() };
    for url in
        ["postgres://u:s3cret@127.0.0.1:1/x", "postgres://u:s3cret@", "s3cret", "postgres://u:s3cret@h:p/x"]
    {
        let opened = tenure_store::postgres::PostgresStore::open(with(url)).await;
        let told = opened.map(drop).unwrap_err().to_string();
        assert!(!told.contains("s3cret") && !told.is_empty(), "{told}");
    }
    let nobody = postgres.database.server().url("no_such_database");
    let store = tenure_store::postgres::PostgresStore::new(with(&nobody)).unwrap();
    let told = store.check().await.unwrap_err().to_string();
    assert!(told.contains("no_such_database"), "{told}");
}
