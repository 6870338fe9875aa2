//! Lists that somebody looks through: what they find, in which order, page by page.

use tenure_domain::api_key::{ApiKeySecret, scopes};
use tenure_domain::ends::EndReason;
use tenure_domain::id::{AccountId, SessionId, UserId};
use tenure_domain::user::Role;
use tenure_store::{
    ApiKeyCreated, Device, Home, NewAccount, NewApiKey, NewUser, Scope, SessionFilter, SessionState,
    UserCreated, UserFilter,
};

use crate::world::{DAY, MINUTE, SECOND, T0, World, decree, new_user, order};

#[tokio::test]
async fn sessions_of_one_or_of_all_are_found_newest_first_alive_or_ended() {
    for world in World::each() {
        let (ada, bob) = (world.user("ada").await, world.user("bob").await);
        let mut ids = Vec::new();
        for (second, user) in [(1, &ada), (2, &bob), (3, &ada), (4, &ada)] {
            ids.push(world.sign_in_at(user, Device::default(), T0 + second * SECOND).await.id);
        }
        let signed_out = order(EndReason::SignedOut);
        world.store.session_end(ada.id, Scope::One(ids[2]), false, signed_out, T0 + MINUTE).await.unwrap();
        let find = async |user, state, after, limit, now| {
            let filter = SessionFilter { user, state };
            let found = world.store.session_search(filter, after, limit, now).await.unwrap();
            found.into_iter().map(|record| record.session.id).collect::<Vec<SessionId>>()
        };
        use SessionState::{All, Ended, Live};
        let now = T0 + MINUTE;
        assert_eq!(find(None, All, None, 9, now).await, [ids[3], ids[2], ids[1], ids[0]]);
        assert_eq!(find(None, All, Some(ids[3]), 2, now).await, [ids[2], ids[1]]);
        assert_eq!(find(None, Live, None, 9, now).await, [ids[3], ids[1], ids[0]]);
        assert_eq!(find(None, Ended, None, 9, now).await, [ids[2]]);
        assert_eq!(find(Some(ada.id), All, Some(ids[3]), 9, now).await, [ids[2], ids[0]]);
        assert_eq!(find(Some(ada.id), Live, None, 1, now).await, [ids[3]]);
        assert_eq!(find(Some(bob.id), Ended, None, 9, now).await, []);
        assert_eq!(find(Some(UserId::from_bytes([7; 16])), All, None, 9, now).await, []);
        // Expired, whether or not anybody has noticed; the first one a second before the next.
        let later = T0 + 20 * DAY + 61 * SECOND;
        assert_eq!(find(None, Ended, None, 9, later).await, [ids[2], ids[0]]);
        assert_eq!(find(None, Live, None, 9, later).await, [ids[3], ids[1]]);
        let found = world.store.session_search(SessionFilter::default(), None, 1, now).await.unwrap();
        assert_eq!(found[0], world.store.session_find(ids[3]).await.unwrap().unwrap());
    }
}

#[tokio::test]
async fn users_are_found_by_any_part_of_address_or_name_and_by_what_they_are() {
    for world in World::each() {
        let make = async |name: &str, display: &str, role, home| {
            let new = NewUser { name: display.into(), role, home, ..new_user(name) };
            match world.store.user_create(new, None, T0).await.unwrap() {
                UserCreated::Created { user, .. } => user,
                _ => panic!("not created"),
            }
        };
        let own = |name: &str| Home::Own(NewAccount::named(name));
        let ada = make("ada", "Countess ÄDA 100%", Role::Admin, own("ada")).await;
        let bob = make("bob_", "Bob", Role::User, Home::In(ada.account_id.unwrap())).await;
        let cyd = make("cyd", "Cyd", Role::User, own("cyd")).await;
        world.store.user_disable(cyd.id, order(EndReason::UserDisabled), T0).await.unwrap();
        let find = async |filter: UserFilter| {
            let found = world.store.user_list(filter, None, 9).await.unwrap();
            let mut ids: Vec<UserId> = found.into_iter().map(|user| user.id).collect();
            ids.sort();
            ids
        };
        let mut all = vec![ada.id, bob.id, cyd.id];
        all.sort();
        for (text, expected) in [
            ("", &all[..]),
            ("EXAMPLE.com", &all),
            ("countess", &[ada.id]),
            ("Äda", &[ada.id]),
            ("ada@", &[ada.id]),
            ("B_@", &[bob.id]),
            ("0%", &[ada.id]),
            // Signs that mean something in patterns mean themselves.
            ("%", &[ada.id]),
            ("_", &[bob.id]),
            ("äda", &[]),
            ("nobody", &[]),
            ("' OR 1=1 --", &[]),
        ] {
            let filter = UserFilter { text: Some(text.into()), ..UserFilter::default() };
            assert_eq!(find(filter).await, expected, "{text}");
        }
        let all_of = UserFilter::default;
        assert_eq!(find(UserFilter { role: Some(Role::Admin), ..all_of() }).await, [ada.id]);
        assert_eq!(find(UserFilter { is_disabled: Some(true), ..all_of() }).await, [cyd.id]);
        assert_eq!(find(UserFilter { is_disabled: Some(false), ..all_of() }).await.len(), 2);
        let in_account = UserFilter { account: ada.account_id, ..all_of() };
        assert_eq!(find(in_account.clone()).await.len(), 2);
        let narrow = UserFilter { role: Some(Role::User), text: Some("example".into()), ..in_account };
        assert_eq!(find(narrow.clone()).await, [bob.id]);
        let after = world.store.user_list(narrow, Some(bob.id), 9).await.unwrap();
        assert!(after.is_empty());
    }
}

#[tokio::test]
async fn keys_of_one_account_or_of_all_are_found_newest_first() {
    for world in World::each() {
        let account = async |name: &str| {
            world.store.account_create(NewAccount::named(name), decree(), T0).await.unwrap().id
        };
        let (ours, theirs) = (account("ours").await, account("theirs").await);
        let mut ids = Vec::new();
        for (second, account_id) in [(1, ours), (2, theirs), (3, ours)] {
            let hash = ApiKeySecret::from_entropy([1; 32]).hash();
            let scopes = scopes("a.read").unwrap();
            let new = NewApiKey { name: "key".into(), scopes, expires_at: None, hash };
            let made = world.store.api_key_create(account_id, new, decree(), T0 + second * SECOND).await;
            let ApiKeyCreated::Created(key) = made.unwrap() else { panic!("not made") };
            ids.push(key.id);
        }
        world.store.api_key_revoke(ids[0], decree(), T0 + MINUTE).await.unwrap();
        let find = async |account: Option<AccountId>, after, limit| {
            let found = world.store.api_key_search(account, after, limit).await.unwrap();
            found.into_iter().map(|key| key.id).collect::<Vec<_>>()
        };
        assert_eq!(find(None, None, 9).await, [ids[2], ids[1], ids[0]]);
        assert_eq!(find(None, Some(ids[2]), 1).await, [ids[1]]);
        assert_eq!(find(Some(ours), None, 9).await, [ids[2], ids[0]]);
        assert_eq!(find(Some(ours), Some(ids[2]), 9).await, [ids[0]]);
        assert!(find(Some(AccountId::from_bytes([7; 16])), None, 9).await.is_empty());
    }
}
