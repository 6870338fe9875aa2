//! The counts of hours.

use std::time::Duration;

use tenure_store::Counts;

use crate::world::{DAY, T0, World, join_all};

const HOUR: Duration = Duration::from_secs(3600);

fn counts<const N: usize>(counts: [(&str, u64); N]) -> Counts {
    counts.map(|(name, count)| (name.to_owned(), count)).into()
}

#[tokio::test]
async fn what_nodes_count_at_once_is_added_hour_by_hour_and_nothing_is_lost() {
    for world in World::each() {
        let other = world.second_handle();
        let add = |round: usize| {
            let store = if round.is_multiple_of(2) { &world.store } else { &other.store };
            store.tally_add(T0, counts([("a", 1), ("b", 2), ("c", 3)]))
        };
        for added in join_all((0..10).map(add)).await {
            added.unwrap();
        }
        world.store.tally_add(T0 + HOUR, counts([("b", 7)])).await.unwrap();
        world.store.tally_add(T0 + 2 * HOUR, Counts::new()).await.unwrap();
        let told = other.store.tally_list(T0).await.unwrap();
        let expected = [(T0, counts([("a", 10), ("b", 20), ("c", 30)])), (T0 + HOUR, counts([("b", 7)]))];
        assert_eq!(told, expected.into());
        assert_eq!(world.store.tally_list(T0 + HOUR).await.unwrap().len(), 1);
        assert!(world.store.tally_list(T0 + DAY).await.unwrap().is_empty());
    }
}

#[tokio::test]
async fn old_hours_are_deleted_and_their_end_is_told() {
    for world in World::each() {
        world.store.tally_add(T0, counts([("a", 1), ("b", 1)])).await.unwrap();
        world.store.tally_add(T0 + HOUR, counts([("a", 1)])).await.unwrap();
        assert_eq!(world.store.tally_expire(T0 + HOUR).await.unwrap(), 2);
        assert_eq!(world.store.tally_expire(T0 + HOUR).await.unwrap(), 0);
        assert_eq!(world.store.tally_list(T0).await.unwrap(), [(T0 + HOUR, counts([("a", 1)]))].into());
    }
}
