//! API keys: every verb, every refusal, and what is written down of it.

use tenure_domain::api_key::{ApiKeyHash, ApiKeySecret, KEYS_PER_ACCOUNT_MAX, scopes};
use tenure_domain::ends::EndReason;
use tenure_domain::id::{AccountId, ApiKeyId};
use tenure_domain::time::Timestamp;
use tenure_store::{
    ApiKey, ApiKeyCreated, ApiKeyRotated, KEY_USE_NOTED_EVERY, Membership, NewAccount, NewApiKey, Subject,
};

use crate::world::{DAY, SECOND, T0, World, decree, join_all, order};

const NOBODY: ApiKeyId = ApiKeyId::from_bytes([7; 16]);

fn hash(byte: u8) -> ApiKeyHash {
    ApiKeySecret::from_entropy([byte; 32]).hash()
}

fn new(name: &str) -> NewApiKey {
    NewApiKey {
        name: name.into(),
        scopes: scopes("b.write a.read").unwrap(),
        expires_at: None,
        hash: hash(1),
    }
}

impl World {
    async fn account_named(&self, name: &str) -> AccountId {
        self.store.account_create(NewAccount::named(name), decree(), T0).await.unwrap().id
    }

    async fn key(&self, account: AccountId, new: NewApiKey, now: Timestamp) -> ApiKey {
        match self.store.api_key_create(account, new, decree(), now).await.unwrap() {
            ApiKeyCreated::Created(key) => key,
            other => panic!("{other:?}"),
        }
    }

    async fn found_key(&self, id: ApiKeyId) -> ApiKey {
        self.store.api_key_find(id).await.unwrap().unwrap().key
    }
}

pub async fn make_one(world: &World, account: AccountId) {
    world.key(account, new("deploy"), T0).await;
}

#[tokio::test]
async fn a_key_is_made_found_with_its_account_listed_and_revoked_and_each_is_an_act() {
    for world in World::each() {
        let (ours, theirs) = (world.account_named("ours").await, world.account_named("theirs").await);
        let key = world.key(ours, new("deploy"), T0).await;
        assert_eq!((key.account_id, key.created_at, key.last_used_at), (ours, T0, None));
        let holder = world.store.api_key_find(key.id).await.unwrap().unwrap();
        assert_eq!(holder.key, key);
        assert!(matches!(&holder.membership, Membership::Member(account) if account.id == ours));
        let second = world.key(ours, new("report"), T0 + SECOND).await;
        assert_eq!(world.store.api_key_list(ours, 9, T0).await.unwrap(), [second.clone(), key.clone()]);
        assert_eq!(world.store.api_key_list(ours, 1, T0).await.unwrap(), [second]);
        assert_eq!(world.store.api_key_list(theirs, 9, T0).await.unwrap(), []);
        let revoke = async |now| world.store.api_key_revoke(key.id, decree(), now).await.unwrap().unwrap();
        let revoked = revoke(T0 + DAY).await;
        assert_eq!(revoked.state.revoked_at, Some(T0 + DAY));
        assert_eq!((revoke(T0 + 2 * DAY).await, world.found_key(key.id).await), (revoked.clone(), revoked));
        assert!(world.store.api_key_find(NOBODY).await.unwrap().is_none());
        assert!(world.store.api_key_revoke(NOBODY, decree(), T0).await.unwrap().is_none());
        let acts = world.store.act_list(Some(Subject::Account(ours)), 9).await.unwrap();
        let said = format!("{} deploy [a.read b.write]", key.id);
        assert_eq!((acts.len(), &acts[0].was, &acts[0].became), (4, &Some(said.clone()), &None));
        assert!(acts.iter().any(|act| act.what == "api_key" && act.became.as_ref() == Some(&said)));
    }
}

#[tokio::test]
async fn a_rotated_key_has_a_successor_and_a_last_day() {
    for world in World::each() {
        let account = world.account_named("ours").await;
        let expires_at = Some(T0 + 30 * DAY);
        let key = world.key(account, NewApiKey { expires_at, ..new("deploy") }, T0).await;
        let rotate = async |id, until, now| {
            world.store.api_key_rotate(id, hash(2), until, decree(), now).await.unwrap()
        };
        let ApiKeyRotated::Rotated(next) = rotate(key.id, T0 + DAY, T0).await else { panic!() };
        assert_eq!((&next.name, &next.scopes, next.state.expires_at), (&key.name, &key.scopes, expires_at));
        assert!(next.id != key.id && next.state.hash == hash(2));
        assert_eq!(world.found_key(key.id).await.state.ends_at(), Some(T0 + DAY));
        // Asked for again, because the answer was lost: as good a successor, and no longer a time for the old one.
        let ApiKeyRotated::Rotated(again) = rotate(key.id, T0 + 60 * DAY, T0).await else { panic!() };
        assert_eq!(again.state.expires_at, expires_at);
        assert_eq!(world.found_key(key.id).await.state.ends_at(), Some(T0 + DAY));
        let acts = world.store.act_list(Some(Subject::Account(account)), 9).await.unwrap();
        let both = |act: &tenure_store::Act| act.was.is_some() && act.became.is_some();
        assert_eq!(acts.iter().filter(|act| act.what == "api_key" && both(act)).count(), 2);
        assert_eq!(rotate(key.id, T0 + 2 * DAY, T0 + DAY).await, ApiKeyRotated::Gone, "it has expired");
        world.store.api_key_revoke(next.id, decree(), T0).await.unwrap();
        assert_eq!(rotate(next.id, T0 + DAY, T0).await, ApiKeyRotated::Gone);
        assert_eq!(rotate(NOBODY, T0 + DAY, T0).await, ApiKeyRotated::Gone);
    }
}

#[tokio::test]
async fn an_account_has_so_many_live_keys_and_no_more_also_at_once() {
    for world in World::each() {
        let account = world.account_named("ours").await;
        let gone = AccountId::from_bytes([9; 16]);
        let create =
            async |account| world.store.api_key_create(account, new("x"), decree(), T0).await.unwrap();
        assert_eq!(create(gone).await, ApiKeyCreated::AccountGone);
        let first = world.key(account, new("first"), T0).await;
        for _ in 0..KEYS_PER_ACCOUNT_MAX - 3 {
            world.key(account, new("x"), T0).await;
        }
        let outcomes = join_all((0..8).map(|_| create(account))).await;
        let created = outcomes.iter().filter(|one| matches!(one, ApiKeyCreated::Created(_))).count();
        assert_eq!((created, outcomes.len()), (2, 8));
        assert_eq!(create(account).await, ApiKeyCreated::TooMany);
        let rotate = world.store.api_key_rotate(first.id, hash(2), T0 + DAY, decree(), T0);
        assert_eq!(rotate.await.unwrap(), ApiKeyRotated::TooMany);
        world.store.api_key_revoke(first.id, decree(), T0).await.unwrap();
        assert!(matches!(create(account).await, ApiKeyCreated::Created(_)));
        // However many there were, those that open something are never out of sight.
        let listed = world.store.api_key_list(account, KEYS_PER_ACCOUNT_MAX, T0).await.unwrap();
        assert!(listed.iter().all(|key| key.state.is_live(T0)) && listed.len() == KEYS_PER_ACCOUNT_MAX);
    }
}

#[tokio::test]
async fn use_is_noted_now_and_then() {
    for world in World::each() {
        let account = world.account_named("ours").await;
        let key = world.key(account, new("deploy"), T0).await;
        for (now, noted) in [
            (T0, T0),
            (T0 + SECOND, T0),
            (T0 + KEY_USE_NOTED_EVERY, T0),
            (T0 + KEY_USE_NOTED_EVERY + SECOND, T0 + KEY_USE_NOTED_EVERY + SECOND),
        ] {
            world.store.api_key_used(key.id, now).await.unwrap();
            assert_eq!(world.found_key(key.id).await.last_used_at, Some(noted));
        }
        world.store.api_key_used(NOBODY, T0).await.unwrap();
    }
}

#[tokio::test]
async fn keys_go_with_their_account_and_damage_concerns_one_alone() {
    for world in World::each() {
        let ada = world.user("ada").await;
        let account = ada.account_id.unwrap();
        let (key, other) =
            (world.key(account, new("a"), T0).await, world.key(account, new("b"), T0 + SECOND).await);
        let of_other = format!("WHERE id = {}", world.backend.id(other.id.as_bytes()));
        world.backend.sql(&format!("UPDATE api_key SET scopes = 'NOT A SCOPE' {of_other}"));
        assert_eq!(world.store.api_key_list(account, 9, T0).await.unwrap(), std::slice::from_ref(&key));
        assert!(world.store.api_key_find(other.id).await.is_err());
        let by_admin = order(EndReason::UserDeleted);
        world.store.user_delete(ada.id, by_admin, T0).await.unwrap();
        assert!(world.store.api_key_find(key.id).await.unwrap().is_none());
    }
}
