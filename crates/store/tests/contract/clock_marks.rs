//! What is remembered of clocks.

use tenure_store::ClockMark;

use crate::world::{DAY, T0, World};

#[tokio::test]
async fn the_last_that_was_remembered_of_clocks_is_read_by_everybody() {
    for world in World::each() {
        let other = world.second_handle();
        assert_eq!(other.store.clock_mark().await.unwrap(), None);
        let claimed = ClockMark { at: T0, claimed_at: Some(T0 + 120 * DAY) };
        let behind = ClockMark { at: T0 - DAY, claimed_at: None };
        for mark in [claimed, behind] {
            world.store.clock_mark_set(mark).await.unwrap();
            assert_eq!(other.store.clock_mark().await.unwrap(), Some(mark));
        }
    }
}
