//! Signing keys and their epoch.

use tenure_domain::time::Timestamp;
use tenure_store::{KeyRetired, KeyState, StoredKey, Subject};

use crate::world::{HOUR, MINUTE, SECOND, T0, World, decree};

fn key(kid: &str, created_at: Timestamp) -> StoredKey {
    let sealed_seed = vec![0, 255, 7];
    StoredKey { kid: kid.into(), sealed_seed, created_at, activates_at: created_at, retires_at: None }
}

#[tokio::test]
async fn the_first_key_is_added_once_however_many_nodes_start() {
    for world in World::each() {
        let other = world.second_handle();
        let (ours, theirs) = tokio::join!(
            world.store.key_add(key("a", T0), None, true, None),
            other.store.key_add(key("b", T0), None, true, None),
        );
        assert!(ours.unwrap() ^ theirs.unwrap());
        assert_eq!(world.store.key_list().await.unwrap().len(), 1);
    }
}

#[tokio::test]
async fn a_rotation_of_keys_retires_the_others_in_the_same_step() {
    for world in World::each() {
        world.store.key_add(key("a", T0), None, false, None).await.unwrap();
        world.store.key_add(key("b", T0 + MINUTE), Some(T0 + 2 * MINUTE), false, None).await.unwrap();
        world.store.key_add(key("c", T0 + 2 * MINUTE), Some(T0 + 3 * MINUTE), false, None).await.unwrap();
        let keys = world.store.key_list().await.unwrap();
        let told: Vec<_> = keys.iter().map(|key| (key.kid.as_str(), key.retires_at)).collect();
        assert_eq!(told, [("c", None), ("b", Some(T0 + 3 * MINUTE)), ("a", Some(T0 + 2 * MINUTE))]);
        assert_eq!(keys[0], key("c", T0 + 2 * MINUTE));
        let retire = async |kid, now| world.store.key_retire(kid, decree(), now).await.unwrap();
        assert_eq!(retire("a", T0 + 2 * MINUTE).await, KeyRetired::Before);
        assert_eq!(retire("b", T0 + 2 * MINUTE).await, KeyRetired::Retired);
        assert_eq!(retire("z", T0).await, KeyRetired::Gone);
        assert_eq!(world.store.key_list().await.unwrap()[1].retires_at, Some(T0 + 2 * MINUTE));
    }
}

/// A rotation has said when the keys before it retire: without the new one they sign today, and soon none does.
#[tokio::test]
async fn a_key_after_which_all_others_retire_stays_until_there_is_another() {
    for world in World::each() {
        let retire = async |kid, now| world.store.key_retire(kid, decree(), now).await.unwrap();
        let ahead = |kid, made: Timestamp| StoredKey { activates_at: made + 10 * MINUTE, ..key(kid, made) };
        world.store.key_add(key("old", T0), None, false, None).await.unwrap();
        world.store.key_add(ahead("leaked", T0), Some(T0 + HOUR), false, None).await.unwrap();
        for now in [T0, T0 + 20 * MINUTE] {
            assert_eq!(retire("leaked", now).await, KeyRetired::LastSigner);
        }
        let second = T0 + 20 * MINUTE;
        world.store.key_add(ahead("new", second), Some(second + HOUR), false, None).await.unwrap();
        // Until the new one signs the old one does, and it lasts that long.
        assert_eq!(retire("leaked", second).await, KeyRetired::Retired);
        assert_eq!(retire("new", second).await, KeyRetired::LastSigner);
        assert_eq!(retire("old", second).await, KeyRetired::LastSigner);
        let keys = world.store.key_list().await.unwrap();
        for after in 0..100 {
            assert!(StoredKey::signer(&keys, second + after * MINUTE).is_some(), "{after} minutes on");
        }
    }
}

#[tokio::test]
async fn a_key_that_is_only_published_takes_nobodys_place_who_leaves_before_it_signs() {
    for world in World::each() {
        world.store.key_add(key("brief", T0), Some(T0), false, None).await.unwrap();
        world.store.key_add(key("signs", T0), Some(T0 + MINUTE), false, None).await.unwrap();
        let later = StoredKey { activates_at: T0 + 10 * MINUTE, ..key("later", T0) };
        world.store.key_add(later, Some(T0 + HOUR), false, None).await.unwrap();
        let retired = world.store.key_retire("signs", decree(), T0).await.unwrap();
        assert_eq!(retired, KeyRetired::LastSigner, "the other that signs leaves in a minute");
    }
}

#[tokio::test]
async fn the_last_key_that_signs_is_never_retired_however_many_try_at_once() {
    for world in World::each() {
        let other = world.second_handle();
        for kid in ["a", "b", "later"] {
            let made = if kid == "later" { T0 + MINUTE } else { T0 };
            world.store.key_add(key(kid, made), None, false, None).await.unwrap();
        }
        let (a, b) = tokio::join!(
            world.store.key_retire("a", decree(), T0 + SECOND),
            other.store.key_retire("b", decree(), T0 + SECOND),
        );
        let mut retired = [a.unwrap(), b.unwrap()].map(|retired| format!("{retired:?}"));
        retired.sort();
        assert_eq!(retired, ["LastSigner", "Retired"]);
        let keys = world.store.key_list().await.unwrap();
        let signer = StoredKey::signer(&keys, T0 + SECOND);
        let states =
            |now| keys.iter().map(|key| key.state(StoredKey::signer(&keys, now), now)).collect::<Vec<_>>();
        assert!(signer.is_some_and(|kid| kid != "later"));
        let now = states(T0 + SECOND);
        assert_eq!(now[0], KeyState::Published);
        assert!(now[1..].contains(&KeyState::Signs) && now[1..].contains(&KeyState::Retired));
        assert!(states(T0 + MINUTE)[1..].contains(&KeyState::Verifies));
    }
}

#[tokio::test]
async fn what_is_done_to_a_key_by_decree_is_an_act_and_what_is_not_done_is_none() {
    for world in World::each() {
        world.store.key_add(key("a", T0), None, true, Some(decree())).await.unwrap();
        world.store.key_add(key("b", T0), None, true, Some(decree())).await.unwrap();
        world.store.key_retire("a", decree(), T0).await.unwrap();
        let acts = async |kid: &str| {
            let acts = world.store.act_list(Some(Subject::Key(kid.into())), 9).await.unwrap();
            acts.into_iter().map(|act| (act.decree, act.became.unwrap())).collect::<Vec<_>>()
        };
        assert_eq!(acts("a").await, [(decree(), "added".to_owned())]);
        assert!(acts("b").await.is_empty());
        world.store.key_add(key("b", T0), Some(T0 + MINUTE), false, Some(decree())).await.unwrap();
        world.store.key_retire("a", decree(), T0 + SECOND).await.unwrap();
        assert_eq!(acts("a").await.len(), 2);
        let again = world.store.key_retire("a", decree(), T0 + 2 * SECOND).await.unwrap();
        assert_eq!((again, acts("a").await.len()), (KeyRetired::Before, 2));
        assert_eq!("key:a".parse(), Ok(Subject::Key("a".into())));
    }
}

#[tokio::test]
async fn a_key_id_is_taken_once() {
    for world in World::each() {
        world.store.key_add(key("a", T0), None, false, None).await.unwrap();
        assert!(world.store.key_add(key("a", T0), Some(T0), false, None).await.is_err());
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
        world.store.key_add(key("a", T0), None, false, None).await.unwrap();
        assert!(moved().await);
        other.store.key_add(key("b", T0), Some(T0 + MINUTE), false, None).await.unwrap();
        assert!(moved().await);
        other.store.key_retire("a", decree(), T0).await.unwrap();
        assert!(moved().await);
        world.backend.sql("DELETE FROM signing_key WHERE kid = 'a'");
        assert!(moved().await);
        let ada = other.user("ada").await;
        other.sign_in(&ada).await;
        other.store.user_rename(ada.id, "x".into(), T0).await.unwrap();
        assert!(!moved().await);
    }
}
