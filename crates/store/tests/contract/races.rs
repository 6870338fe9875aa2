//! Races: within one process, and between two handles on one database.

use std::sync::Arc;

use tenure_domain::ends::EndReason;
use tenure_domain::rotation::Generation;
use tenure_domain::session::Session;
use tenure_domain::time::Timestamp;
use tenure_store::{Ended, Refreshed, Scope, SessionCreated};
use tokio::task::JoinSet;

use crate::world::{Jar, QUIET, SECOND, T0, World, name_of, new_session, order};

/// Presents one token many times at once, over both handles by turns.
pub async fn present_at_once(
    worlds: &[Arc<World>],
    jar: &Jar,
    times: usize,
    now: Timestamp,
) -> Vec<Refreshed> {
    let mut racers = JoinSet::new();
    for i in 0..times {
        let (world, jar) = (Arc::clone(&worlds[i % worlds.len()]), jar.clone());
        racers.spawn(async move { world.refresh(&jar, now).await });
    }
    racers.join_all().await
}

pub fn heads(outcomes: &[Refreshed]) -> Vec<Generation> {
    let head = |outcome: &Refreshed| match outcome {
        Refreshed::Served { session, .. } => session.rotation.head,
        other => panic!("not served but {}", name_of(other)),
    };
    outcomes.iter().map(head).collect()
}

/// Two handles on one database: two processes in all but name.
pub fn pair(world: World) -> [Arc<World>; 2] {
    let second = world.second_handle();
    [Arc::new(world), Arc::new(second)]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_64_presentations_of_one_token_at_once_all_are_served_one_and_the_same_successor() {
    for world in World::each() {
        let worlds = pair(world);
        let session = worlds[0].sign_in(&worlds[0].user("ada").await).await;
        let outcomes = present_at_once(&worlds, &worlds[0].jar(&session), 64, T0 + QUIET).await;
        assert_eq!(heads(&outcomes), [Generation(2); 64]);
        let steps = outcomes.iter().filter(|o| matches!(o, Refreshed::Served { written: true, .. })).count();
        let record = worlds[1].store.session_find(session.id).await.unwrap().unwrap();
        assert_eq!(record.session.rotation.head, Generation(2));
        assert_eq!(record.session.rotation.base, Generation(1));
        assert_eq!(record.refresh_count as usize, steps);
        assert_eq!(steps, 1);
    }
}

/// Field reports B02 and B05.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn after_100_pairs_of_parallel_refreshes_there_is_one_row_and_one_chain_of_generations() {
    for world in World::each() {
        let worlds = pair(world);
        let session = worlds[0].sign_in(&worlds[0].user("ada").await).await;
        let mut jar = worlds[0].jar(&session);
        for step in 1..=100 {
            let now = T0 + step * QUIET;
            let outcomes = present_at_once(&worlds, &jar, 2, now).await;
            assert_eq!(heads(&outcomes), [Generation(step + 1); 2]);
            let Refreshed::Served { session, .. } = &outcomes[step as usize % 2] else { unreachable!() };
            jar = worlds[0].jar(session);
        }
        assert_eq!(worlds[0].backend.number("SELECT count(*) FROM session"), 1);
        let row = worlds[0].store.session_find(session.id).await.unwrap().unwrap().session.rotation;
        assert_eq!((row.base, row.head), (Generation(100), Generation(101)));
    }
}

/// Field reports B01 and B03: whichever answer lands in the jar last, the jar goes on.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn whichever_of_two_answers_lands_last_the_next_cycles_are_served() {
    for world in World::each() {
        let worlds = pair(world);
        let ada = worlds[0].user("ada").await;
        for winner in 0..2 {
            let session = worlds[0].sign_in(&ada).await;
            let outcomes = present_at_once(&worlds, &worlds[0].jar(&session), 2, T0 + QUIET).await;
            let Refreshed::Served { session, .. } = &outcomes[winner] else { panic!("not served") };
            let mut jar = worlds[winner].jar(session);
            for cycle in 2..5 {
                worlds[cycle as usize % 2].served(&mut jar, T0 + cycle * QUIET).await;
            }
        }
    }
}

/// Field report D11, and invariant I3.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_end_that_races_refreshes_is_never_undone() {
    const ROUNDS: u32 = 60;
    for world in World::each() {
        let worlds = pair(world);
        let ada = worlds[0].user("ada").await;
        for round in 0..ROUNDS {
            let session = worlds[0].sign_in(&ada).await;
            let jar = worlds[0].jar(&session);
            let ender = Arc::clone(&worlds[round as usize % 2]);
            let end = tokio::spawn(async move {
                let (one, by_user) = (Scope::One(session.id), order(EndReason::SignedOut));
                ender.store.session_end(ada.id, one, false, by_user, T0 + QUIET).await.unwrap()
            });
            let outcomes = present_at_once(&worlds, &jar, 8, T0 + QUIET).await;
            let ended: Vec<Ended> = end.await.unwrap();
            assert!(ended[0].newly);
            for outcome in outcomes {
                match outcome {
                    Refreshed::Served { .. } => {}
                    Refreshed::Ended { end, newly: false, .. } => assert_eq!(end, ended[0].end),
                    other => panic!("{}", name_of(&other)),
                }
            }
            // Whatever was handed out in the race is worth nothing now, the newest generation included.
            let stored = worlds[0].store.session_find(session.id).await.unwrap().unwrap().session;
            assert_eq!(stored.ended.as_ref(), Some(&ended[0].end));
            for generation in 0..4 {
                let jar = worlds[0].jar_at(&stored, Generation(generation));
                assert_eq!(name_of(&worlds[1].refresh(&jar, T0 + 2 * QUIET).await), "ended before");
            }
            worlds[1].hear().await;
            assert!(worlds[1].caller(&session).await.unwrap().standing.ended);
        }
    }
}

/// What became of sign-ins that raced something that must not let them slip through.
async fn sign_ins_racing<F>(worlds: &[Arc<World>; 2], mut against: F) -> Vec<Session>
where
    F: AsyncFnMut(Arc<World>),
{
    let ada = worlds[0].store.user_find_by_email("ada@example.com").await.unwrap().unwrap();
    let mut racers = JoinSet::new();
    for i in 0..8 {
        let world = Arc::clone(&worlds[i % 2]);
        let ada = ada.clone();
        racers.spawn(async move {
            let create = world.store.session_create(ada.id, ada.token_version, new_session(T0), T0);
            match create.await.unwrap() {
                SessionCreated::Created { session, .. } => Some(session),
                _ => None,
            }
        });
    }
    against(Arc::clone(&worlds[1])).await;
    racers.join_all().await.into_iter().flatten().collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_sign_in_that_races_a_password_change_is_refused_or_ended_by_it() {
    for world in World::each() {
        let worlds = pair(world);
        let ada = worlds[0].user("ada").await;
        for _ in 0..20 {
            let sessions = sign_ins_racing(&worlds, async |world| {
                let by_user = order(EndReason::PasswordReset);
                let new = crate::world::hash("new");
                world.store.user_set_password(ada.id, None, new, None, by_user, T0).await.unwrap();
            })
            .await;
            assert_eq!(worlds[0].store.session_count(T0).await.unwrap().total(), 0);
            for session in sessions {
                let outcome = worlds[0].refresh(&worlds[0].jar(&session), T0 + SECOND).await;
                assert_eq!(name_of(&outcome), "ended before");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_sign_in_that_races_a_disabling_is_refused_or_ended_by_it() {
    for world in World::each() {
        let worlds = pair(world);
        let ada = worlds[0].user("ada").await;
        for _ in 0..20 {
            sign_ins_racing(&worlds, async |world| {
                world.store.user_disable(ada.id, order(EndReason::UserDisabled), T0).await.unwrap();
            })
            .await;
            assert_eq!(worlds[1].store.session_count(T0).await.unwrap().total(), 0);
            worlds[0].store.user_enable(ada.id, crate::world::decree(), T0).await.unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_registrations_of_one_address_at_once_one_succeeds() {
    for world in World::each() {
        let worlds = pair(world);
        let mut racers = JoinSet::new();
        for i in 0..16 {
            let world = Arc::clone(&worlds[i % 2]);
            racers.spawn(async move {
                let created = world.store.user_create(crate::world::new_user("ada"), None, T0).await.unwrap();
                matches!(created, tenure_store::UserCreated::Created { .. })
            });
        }
        assert_eq!(racers.join_all().await.into_iter().filter(|created| *created).count(), 1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sign_ins_on_one_device_at_once_leave_one_session() {
    for world in World::each() {
        let worlds = pair(world);
        let ada = worlds[0].user("ada").await;
        let mut racers = JoinSet::new();
        for i in 0..16 {
            let (world, ada) = (Arc::clone(&worlds[i % 2]), ada.clone());
            racers.spawn(async move { world.sign_in_at(&ada, crate::world::device("laptop"), T0).await });
        }
        racers.join_all().await;
        assert_eq!(worlds[0].store.session_count(T0).await.unwrap().total(), 1);
    }
}
