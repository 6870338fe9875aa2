//! What observed browsers report.

use std::time::Duration;

use tenure_domain::id::{ObservationId, ProfileId};
use tenure_domain::observed::{Failure, How, Observation, Refresh, Seen, SignOut};
use tenure_domain::time::Timestamp;
use tenure_store::{Observed, ObservedFilter};

use crate::world::{DAY, MINUTE, SECOND, T0, World, join_all};

const ADA: ProfileId = ProfileId::from_bytes([1; 16]);
const EVE: ProfileId = ProfileId::from_bytes([2; 16]);

fn observed(received_at: Timestamp, profile: ProfileId, seq: u32, seen: Seen) -> Observed {
    let what = Observation { profile, page: "p".into(), seq, at: received_at - SECOND, ahead_ms: -3, seen };
    let (app, browser) = ("https://app.example.com".into(), "Firefox on Linux".into());
    Observed { received_at, app, browser, release: None, what }
}

async fn list(world: &World, filter: ObservedFilter) -> Vec<Observed> {
    let listed = world.store.observation_list(filter, None, 1_000).await.unwrap();
    listed.into_iter().map(|(_, observed)| observed).collect()
}

fn of(profile: ProfileId) -> ObservedFilter {
    ObservedFilter { profile: Some(profile), ..ObservedFilter::default() }
}

#[tokio::test]
async fn what_was_observed_comes_back_as_it_was_given_and_once() {
    for world in World::each() {
        let text = || Some("Grüße '\"; DROP TABLE observation".to_owned());
        let sights = [
            Seen::Page { path: text(), tabs: Some(2) },
            Seen::SignIn,
            Seen::Refresh(Refresh {
                status: 401,
                code: text(),
                took_ms: u64::MAX,
                token: text(),
                ..Refresh::default()
            }),
            Seen::Failure(Failure { status: 0, code: None, path: text() }),
            Seen::SignOut(SignOut {
                how: How::Navigated,
                access_left_ms: Some(i64::MIN),
                ..SignOut::default()
            }),
        ];
        let all: Vec<_> = (0..).zip(sights).map(|(seq, seen)| observed(T0, ADA, seq, seen)).collect();
        for (received_at, observed) in (0..).map(|n| T0 + n * SECOND).zip(&all) {
            let observed = Observed { received_at, ..observed.clone() };
            world.store.observation_add(vec![observed]).await.unwrap();
        }
        // Sent again with a newer one, and by another profile under the same numbers.
        let again = Observed { received_at: T0 + MINUTE, release: text(), ..all[1].clone() };
        let newer = observed(T0 + MINUTE, ADA, 9, Seen::SignIn);
        world.store.observation_add(vec![again, newer.clone()]).await.unwrap();
        world.store.observation_add(vec![observed(T0 + MINUTE, EVE, 0, Seen::SignIn)]).await.unwrap();
        let listed = list(&world.second_handle(), of(ADA)).await;
        assert_eq!(
            listed.iter().map(|one| &one.what).collect::<Vec<_>>()[..5],
            all.iter().map(|one| &one.what).collect::<Vec<_>>()
        );
        assert_eq!((listed.len(), &listed[5]), (6, &newer));
        assert_eq!(listed[1].release, None, "what was there stays as it is");
        assert_eq!(list(&world, of(EVE)).await.len(), 1);
    }
}

#[tokio::test]
async fn observations_are_listed_from_where_and_when_one_asks() {
    for world in World::each() {
        for minute in 0..6 {
            world
                .store
                .observation_add(vec![observed(T0 + minute * MINUTE, ADA, minute, Seen::SignIn)])
                .await
                .unwrap();
        }
        let all = world.store.observation_list(ObservedFilter::default(), None, 100).await.unwrap();
        assert!(all.is_sorted_by(|(one, _), (next, _)| one < next));
        let after = |index: usize, limit| {
            world.store.observation_list(ObservedFilter::default(), Some(all[index].0), limit)
        };
        assert_eq!(after(1, 2).await.unwrap(), all[2..4]);
        assert_eq!(after(5, 2).await.unwrap(), []);
        let since = ObservedFilter { since: Some(T0 + 4 * MINUTE), ..ObservedFilter::default() };
        assert_eq!(list(&world, since).await.len(), 2, "since includes its moment");
    }
}

#[tokio::test]
async fn old_observations_and_those_beyond_the_bound_are_deleted_oldest_first() {
    for world in World::each() {
        for day in 0..10 {
            world
                .store
                .observation_add(vec![observed(T0 + day * DAY, ADA, day, Seen::SignIn)])
                .await
                .unwrap();
        }
        let before = |time| ObservationId::generate(time, [0; 10]);
        let expire =
            async |first_kept, limit| world.store.observation_expire(first_kept, limit).await.unwrap();
        let oldest_of = async |keep| world.store.observation_oldest_of(keep).await.unwrap();
        let days = async || list(&world, of(ADA)).await.iter().map(|one| one.what.seq).collect::<Vec<_>>();
        assert_eq!(expire(before(T0), 100).await, 0);
        assert_eq!(expire(before(T0 + 3 * DAY), 2).await, 2, "in steps");
        assert_eq!(expire(before(T0 + 3 * DAY), 2).await, 1);
        assert_eq!(oldest_of(8).await, None, "there are seven");
        assert_eq!(expire(oldest_of(7).await.unwrap(), 100).await, 0);
        assert_eq!(expire(oldest_of(5).await.unwrap(), 100).await, 2);
        assert_eq!(days().await, [5, 6, 7, 8, 9]);
        assert_eq!(expire(before(T0 + 100 * DAY), 100).await, 5);
        assert_eq!(oldest_of(1).await, None);
    }
}

/// The tabs of a browser tell at the same moment, and a flood is no reason to forget one of them.
#[tokio::test]
async fn reports_that_come_at_once_are_written_one_after_the_other() {
    for world in World::each() {
        let reports = (0..40).map(|n| {
            let profile = ProfileId::from_bytes([n; 16]);
            let report: Vec<_> = (0..50).map(|seq| observed(T0, profile, seq, Seen::SignIn)).collect();
            world.store.observation_add(report)
        });
        for added in join_all(reports).await {
            added.unwrap();
        }
        let all = world.store.observation_list(ObservedFilter::default(), None, 10_000).await.unwrap();
        assert_eq!(all.len(), 40 * 50);
        world.store.observation_add(vec![]).await.unwrap();
    }
}

#[tokio::test]
async fn a_damaged_observation_is_left_out_and_the_others_are_shown() {
    for world in World::each() {
        for seq in 0..2 {
            let received_at = T0 + seq * Duration::from_secs(1);
            world.store.observation_add(vec![observed(received_at, ADA, seq, Seen::SignIn)]).await.unwrap();
        }
        for damage in ["seen = '{\"magic\":1}'", "seq = -1", "received_at = -1"] {
            world
                .backend
                .sql(&format!("UPDATE observation SET {damage} WHERE at > {}", (T0 - SECOND).as_ms()));
            assert_eq!(list(&world, of(ADA)).await.len(), 1, "{damage}");
        }
    }
}
