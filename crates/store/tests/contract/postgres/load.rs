//! Too much at once: it is shed, it does not lock up, and what matters goes first.

use std::sync::Arc;
use std::time::Duration;

use tenure_domain::client_report::ReportKind;
use tenure_domain::ends::EndReason;
use tenure_store::postgres::PostgresOptions;
use tenure_store::{ClientReport, Expected, ReportClaims, Scope, Store, StoreError};
use tokio::task::JoinSet;

use super::world_with;
use crate::backend::{Backend as _, Postgres};
use crate::world::{MINUTE, QUIET, SECOND, Seeded, T0, World, device, hash, name_of, new_session, order};

/// Every verb that writes, over two handles, about the same two users: they wait for each other, never in a circle.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn verbs_that_meet_at_the_same_rows_never_lock_each_other_out() {
    let one = Arc::new(World::of(Arc::new(Postgres::fresh())));
    let two = Arc::new(one.second_handle());
    let users = [one.user("ada").await, one.user("eve").await];
    let mut tasks = JoinSet::new();
    for task in 0..8_u64 {
        let (worlds, users) = ([Arc::clone(&one), Arc::clone(&two)], users.clone());
        tasks.spawn(async move {
            let random = Seeded::new(task << 32);
            for step in 0..25 {
                let (world, user) = (&worlds[random.below(2)], &users[random.below(2)]);
                meddle(world, user, &random, step).await.unwrap();
            }
        });
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
    let deadlocks = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()";
    assert_eq!(one.backend.number(deadlocks), 0);
}

/// Somebody is deleted while another one is created in the same account, with the same address: neither waits for what the
/// other waits for.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deletion_and_a_creation_in_one_account_do_not_lock_each_other_out() {
    let postgres = Arc::new(Postgres::fresh());
    let world = World::of(postgres.clone());
    let (ada, eve) = (world.user("ada").await, world.user("eve").await);
    postgres
        .sql("UPDATE \"user\" SET account_id = (SELECT account_id FROM \"user\" WHERE email LIKE 'ada@%')");
    let creation = postgres.database.connect();
    creation.run("BEGIN; SELECT 1 FROM account FOR KEY SHARE").unwrap();
    let store = Arc::clone(&world.store);
    let deleting =
        tokio::spawn(async move { store.user_delete(ada.id, order(EndReason::UserDeleted), T0).await });
    let waits = "SELECT count(*) FROM pg_stat_activity \
         WHERE datname = current_database() AND wait_event_type = 'Lock'";
    super::recovers("a deletion that waits", async || match postgres.number(waits) {
        0 => Err(StoreError::Unavailable("it does not".into())),
        _ => Ok(()),
    })
    .await;
    let created = creation.run(
        "INSERT INTO \"user\" SELECT (jsonb_populate_record(u, jsonb_build_object('id', gen_random_uuid()))).* \
         FROM \"user\" u WHERE email LIKE 'ada@%'",
    );
    assert!(created.unwrap_err().contains("duplicate key"));
    creation.run("ROLLBACK").unwrap();
    assert!(deleting.await.unwrap().unwrap().is_some());
    assert!(world.store.user_find(eve.id).await.unwrap().is_some());
}

async fn meddle(
    world: &World,
    user: &tenure_store::User,
    random: &Seeded,
    step: u32,
) -> tenure_store::Result<()> {
    let (store, now) = (&world.store, T0 + step * QUIET);
    let by_user = order(EndReason::SignedOut);
    let version = store.user_find(user.id).await?.map_or(0, |user| user.token_version);
    let sessions = store.session_list(user.id, false, 9, now).await?;
    match random.below(8) {
        0..=2 => {
            let new = tenure_store::NewSession { device: device("laptop"), ..new_session(now) };
            store.session_create(user.id, version, new, now).await.map(drop)
        }
        3 if !sessions.is_empty() => {
            let jars: Vec<_> = sessions.iter().rev().map(|record| world.jar(&record.session)).collect();
            let tokens = jars.iter().map(|jar| world.read(jar)).collect();
            store.session_end_presented(tokens, Arc::clone(&world.rules), by_user, now).await.map(drop)
        }
        4 => store.session_end(user.id, Scope::All, true, by_user, now).await.map(drop),
        5 => {
            store.user_set_password(user.id, Expected::Anyhow, hash("x"), None, by_user, now).await.map(drop)
        }
        6 => {
            store.user_disable(user.id, by_user, now).await?;
            store.user_enable(user.id, crate::world::decree(), now).await.map(drop)
        }
        _ => {
            for record in sessions {
                let jar = world.jar(&record.session);
                store.session_refresh(world.request(&[&jar]), now).await?;
            }
            Ok(())
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_is_shed_and_what_was_taken_on_is_done() {
    let postgres = Arc::new(Postgres::fresh());
    let world = world_with(&postgres, |options| PostgresOptions {
        connections: 2,
        statement_timeout: MINUTE,
        connect_timeout: MINUTE,
        ..options
    });
    let ada = world.user("ada").await;
    let session = world.sign_in(&ada).await;
    let jar = world.jar(&session);
    let shell = postgres.shell();
    shell("BEGIN; UPDATE session SET refresh_count = 7");
    let mut calls = JoinSet::new();
    for _ in 0..4_200 {
        let (store, request): (Arc<dyn Store>, _) = (Arc::clone(&world.store), world.request(&[&jar]));
        calls.spawn(async move { store.session_refresh(request, T0 + QUIET).await });
    }
    // Let go when the first has been shed.
    let first = calls.join_next().await.unwrap().unwrap();
    assert!(matches!(first, Err(StoreError::Overloaded)));
    // The second connection may yet be on its way.
    while world.store.vitals().connections_in_use < 2 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(world.store.vitals().connections_max, 2);
    shell("ROLLBACK");
    let (done, shed): (Vec<_>, Vec<_>) = calls.join_all().await.into_iter().partition(Result::is_ok);
    assert!(!done.is_empty() && !shed.is_empty());
    assert!(done.into_iter().flatten().all(|outcomes| name_of(&outcomes[0]) == "served"));
    assert!(shed.iter().all(|outcome| matches!(outcome, Err(StoreError::Overloaded))));
}

/// A client's report is refused while calls wait for connections; refreshes are not.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_report_gives_way_to_refreshes_that_wait() {
    let postgres = Arc::new(Postgres::fresh());
    let world = world_with(&postgres, |options| PostgresOptions {
        connections: 2,
        statement_timeout: MINUTE,
        connect_timeout: MINUTE,
        ..options
    });
    let jar = world.jar(&world.sign_in(&world.user("ada").await).await);
    let shell = postgres.shell();
    shell("BEGIN; UPDATE session SET refresh_count = 7");
    let mut refreshes = JoinSet::new();
    for _ in 0..8 {
        let (store, request) = (Arc::clone(&world.store), world.request(&[&jar]));
        refreshes.spawn(async move {
            store.session_refresh(request, T0 + QUIET).await.map(|all| name_of(&all[0]))
        });
    }
    let waiting = "SELECT count(*) FROM pg_stat_activity \
         WHERE datname = current_database() AND wait_event_type = 'Lock'";
    super::recovers("waiting", async || match world.backend.number(waiting) {
        0 => Err(StoreError::Unavailable("nobody waits".into())),
        _ => Ok(()),
    })
    .await;
    // At once: it does not wait behind them either.
    let refused = tokio::time::timeout(10 * SECOND, world.store.client_report_add(bare_report())).await;
    assert!(matches!(refused, Ok(Err(StoreError::Overloaded))), "{refused:?}");
    shell("ROLLBACK");
    assert!(refreshes.join_all().await.into_iter().all(|served| matches!(served, Ok("served"))));
    world.store.client_report_add(bare_report()).await.unwrap();
}

fn bare_report() -> ClientReport {
    let claims = ReportClaims {
        kind: ReportKind::Unknown,
        kind_said: None,
        at: None,
        session: None,
        reason: None,
        receipt: None,
        message: None,
        location: None,
        idle: None,
        has_token: None,
        has_refresh_token: None,
        is_authenticated: None,
        release: None,
        client: None,
        evidence: None,
    };
    let (address, browser) = ("192.0.2.1".into(), "Unknown device".into());
    ClientReport { received_at: T0, address, user_agent: None, browser, verified: None, claims }
}

/// Of nodes that want to do the same chore one does it, and the others go on with their day.
#[tokio::test]
async fn a_chore_that_another_node_is_at_is_left_to_it() {
    let postgres = Arc::new(Postgres::fresh());
    let world = World::of(postgres.clone());
    let ada = world.user("ada").await;
    world.sign_in(&ada).await;
    world.store.session_end(ada.id, Scope::All, false, order(EndReason::SignedOut), T0).await.unwrap();
    world.store.client_report_add(bare_report()).await.unwrap();
    let late = T0 + 10 * QUIET;
    let shell = postgres.shell();
    shell("BEGIN");
    for chore in ["sweep", "reports"] {
        shell(&format!("SELECT pg_advisory_xact_lock(hashtext('tenure'), hashtext('{chore}'))"));
    }
    assert_eq!(world.store.sweep(late, 10).await.unwrap(), 0);
    assert_eq!(world.store.client_report_expire(late, 0, 10).await.unwrap(), 0);
    shell("ROLLBACK");
    postgres.sql("UPDATE change SET at = at - interval '1 hour'");
    assert_eq!(world.store.sweep(late, 10).await.unwrap(), 1);
    let old = "SELECT count(*) FROM change WHERE at < clock_timestamp() - interval '30 minutes'";
    assert_eq!(postgres.number(old), 0, "the feed is kept short");
    assert_eq!(world.store.client_report_expire(late, 0, 10).await.unwrap(), 1);
}
