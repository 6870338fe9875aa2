//! Signing keys and their epoch.

use tenure_domain::time::Timestamp;
use tenure_store::StoredKey;

use crate::world::{MINUTE, T0, World};

fn key(kid: &str, created_at: Timestamp) -> StoredKey {
    let sealed_seed = vec![0, 255, 7];
    StoredKey { kid: kid.into(), sealed_seed, created_at, activates_at: created_at, retires_at: None }
}

#[tokio::test]
async fn the_first_key_is_added_once_however_many_nodes_start() {
    for world in World::each() {
        let other = world.second_handle();
        let (ours, theirs) = tokio::join!(
            world.store.key_add(key("a", T0), None, true),
            other.store.key_add(key("b", T0), None, true),
        );
        assert!(ours.unwrap() ^ theirs.unwrap());
        assert_eq!(world.store.key_list().await.unwrap().len(), 1);
    }
}

#[tokio::test]
async fn a_rotation_of_keys_retires_the_others_in_the_same_step() {
    for world in World::each() {
        world.store.key_add(key("a", T0), None, false).await.unwrap();
        world.store.key_add(key("b", T0 + MINUTE), Some(T0 + 2 * MINUTE), false).await.unwrap();
        world.store.key_add(key("c", T0 + 2 * MINUTE), Some(T0 + 3 * MINUTE), false).await.unwrap();
        let keys = world.store.key_list().await.unwrap();
        let told: Vec<_> = keys.iter().map(|key| (key.kid.as_str(), key.retires_at)).collect();
        assert_eq!(told, [("c", None), ("b", Some(T0 + 3 * MINUTE)), ("a", Some(T0 + 2 * MINUTE))]);
        assert_eq!(keys[0], key("c", T0 + 2 * MINUTE));
        assert!(world.store.key_retire("c", T0).await.unwrap());
        assert!(!world.store.key_retire("z", T0).await.unwrap());
        assert_eq!(world.store.key_list().await.unwrap()[0].retires_at, Some(T0));
    }
}

#[tokio::test]
async fn a_key_id_is_taken_once() {
    for world in World::each() {
        world.store.key_add(key("a", T0), None, false).await.unwrap();
        assert!(world.store.key_add(key("a", T0), Some(T0), false).await.is_err());
        assert_eq!(world.store.key_list().await.unwrap(), [key("a", T0)]);
    }
}

#[tokio::test]
async fn the_epoch_moves_with_every_change_of_keys_by_anybody_and_with_nothing_else() {
    for world in World::each() {
        let other = world.second_handle();
        let mut last = world.store.key_epoch().await.unwrap();
        let mut moved = async || {
            world.hear().await;
            let now = world.store.key_epoch().await.unwrap();
            std::mem::replace(&mut last, now) != now
        };
        assert!(!moved().await);
        world.store.key_add(key("a", T0), None, false).await.unwrap();
        assert!(moved().await);
        other.store.key_add(key("b", T0), Some(T0), false).await.unwrap();
        assert!(moved().await);
        other.store.key_retire("b", T0).await.unwrap();
        assert!(moved().await);
        world.backend.sql("DELETE FROM signing_key WHERE kid = 'a'");
        assert!(moved().await);
        let ada = other.user("ada").await;
        other.sign_in(&ada).await;
        other.store.user_rename(ada.id, "x".into(), T0).await.unwrap();
        assert!(!moved().await);
    }
}
