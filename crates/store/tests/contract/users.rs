//! Users: every verb, every refusal.

use tenure_domain::ends::{Actor, EndReason};
use tenure_domain::id::UserId;
use tenure_domain::time::Timestamp;
use tenure_store::{
    EndOrder, Expected, Home, NewUser, PasswordChanged, Refreshed, Scope, Subject, User, UserCreated,
    UserFilter,
};

use crate::world::{MINUTE, SECOND, T0, World, decree, device, hash, name_of, new_session, new_user, order};

const NOBODY: UserId = UserId::from_bytes([7; 16]);

#[tokio::test]
async fn a_user_is_created_with_account_and_session_in_one_step() {
    for world in World::each() {
        let created = world.store.user_create(new_user("ada"), Some(new_session(T0)), T0).await.unwrap();
        let UserCreated::Created { user, session: Some(session) } = created else { panic!("not created") };
        assert!(user.account_id.is_some() && session.user_id == user.id);
        assert!(world.store.user_find(user.id).await.unwrap() == Some(user.clone()));
        assert!(world.store.user_find_by_email("ada@example.com").await.unwrap() == Some(user.clone()));
        assert!(world.store.user_find_by_email("Ada@example.com").await.unwrap().is_none());
        assert!(world.store.user_find(NOBODY).await.unwrap().is_none());
        assert_eq!(name_of(&world.refresh(&world.jar(&session), T0).await), "served");
        let without = NewUser { home: Home::Nowhere, password_hash: None, ..new_user("eve") };
        let created = world.store.user_create(without, None, T0).await.unwrap();
        let UserCreated::Created { user, session: None } = created else { panic!("not created") };
        assert!(user.account_id.is_none() && user.password_hash.is_none());
    }
}

#[tokio::test]
async fn an_address_is_taken_once_and_the_refused_attempt_leaves_nothing_behind() {
    for world in World::each() {
        world.user("ada").await;
        let again = world.store.user_create(new_user("ada"), Some(new_session(T0)), T0).await.unwrap();
        assert!(matches!(again, UserCreated::EmailTaken));
        assert_eq!(world.backend.number("SELECT count(*) FROM account"), 1);
        assert_eq!(world.store.session_count(T0).await.unwrap().total(), 0);
    }
}

#[tokio::test]
async fn the_addresses_of_many_are_read_at_once_and_whoever_is_gone_is_left_out() {
    for world in World::each() {
        let (ada, bob) = (world.user("ada").await, world.user("bob").await);
        let emails = world.store.user_emails(vec![ada.id, NOBODY, bob.id, ada.id]).await.unwrap();
        let known = emails.iter().map(|(id, email)| (*id, email.as_str())).collect::<Vec<_>>();
        let mut expected = vec![(ada.id, ada.email.as_str()), (bob.id, bob.email.as_str())];
        expected.sort();
        assert_eq!(known, expected);
        assert!(world.store.user_emails(vec![]).await.unwrap().is_empty());
        world.store.user_delete(bob.id, order(EndReason::UserDeleted), T0).await.unwrap();
        assert!(!world.store.user_emails(vec![bob.id]).await.unwrap().contains_key(&bob.id));
    }
}

#[tokio::test]
async fn users_are_listed_oldest_first_page_by_page() {
    for world in World::each() {
        let mut ids = Vec::new();
        for (i, name) in ["ada", "bob", "cyd", "dan", "eve"].into_iter().enumerate() {
            let now = Timestamp::from_ms(T0.as_ms() + i as i64);
            let created = world.store.user_create(new_user(name), None, now).await.unwrap();
            let UserCreated::Created { user, .. } = created else { panic!("not created") };
            ids.push(user.id);
        }
        let page = async |after, limit| {
            let users: Vec<User> = world.store.user_list(UserFilter::default(), after, limit).await.unwrap();
            users.into_iter().map(|user| user.id).collect::<Vec<_>>()
        };
        assert_eq!(page(None, 2).await, ids[..2]);
        assert_eq!(page(Some(ids[1]), 2).await, ids[2..4]);
        assert_eq!(page(Some(ids[3]), 2).await, ids[4..]);
        assert_eq!(page(Some(ids[4]), 2).await, []);
    }
}

#[tokio::test]
async fn a_rename_shows_everywhere_and_nobody_cannot_be_renamed() {
    for world in World::each() {
        let ada = world.user("ada").await;
        let session = world.sign_in(&ada).await;
        world.caller(&session).await.unwrap();
        let person = world.store.user_rename(ada.id, "Countess".into(), T0).await.unwrap().unwrap();
        assert_eq!(person.name, "Countess");
        assert_eq!(person.token_version, ada.token_version);
        assert_eq!(world.caller(&session).await.unwrap().person.name, "Countess");
        assert!(world.store.user_rename(NOBODY, "x".into(), T0).await.unwrap().is_none());
    }
}

#[tokio::test]
async fn a_password_change_ends_the_other_sessions_and_kills_every_access_token() {
    for world in World::each() {
        let ada = world.user("ada").await;
        let (this, other) = (world.sign_in(&ada).await, world.sign_in(&ada).await);
        let changed = world
            .store
            .user_set_password(
                ada.id,
                Expected::Hash(hash("ada")),
                hash("new"),
                Some(this.id),
                order(EndReason::PasswordChanged),
                T0,
            )
            .await
            .unwrap();
        let PasswordChanged::Changed { person, ended } = changed else { panic!("not changed") };
        assert_eq!(person.token_version, ada.token_version + 1);
        assert_eq!(ended.iter().map(|ended| ended.session_id).collect::<Vec<_>>(), [other.id]);
        let after = world.store.user_find(ada.id).await.unwrap().unwrap();
        assert!(after.password_hash == Some(hash("new")));
        // The current session keeps its row as it was, and so its token.
        assert_eq!(world.store.session_find(this.id).await.unwrap().unwrap().session, this);
        assert!(!world.stands(&this, &ada).await && world.stands(&this, &after).await);
        assert_eq!(name_of(&world.refresh(&world.jar(&this), T0 + SECOND).await), "served");
    }
}

#[tokio::test]
async fn a_password_is_set_only_over_the_hash_that_was_checked_unless_it_is_a_reset() {
    for world in World::each() {
        let ada = world.user("ada").await;
        let session = world.sign_in(&ada).await;
        let set = async |id, expected| {
            let by_user = order(EndReason::PasswordReset);
            let set = world.store.user_set_password(id, expected, hash("new"), None, by_user, T0);
            set.await.unwrap()
        };
        assert!(matches!(set(ada.id, Expected::Hash(hash("stale"))).await, PasswordChanged::Conflict));
        let stale = Expected::Version(ada.token_version + 1);
        assert!(matches!(set(ada.id, stale).await, PasswordChanged::Conflict));
        assert!(matches!(set(NOBODY, Expected::Anyhow).await, PasswordChanged::UserGone));
        assert!(world.store.user_find(ada.id).await.unwrap() == Some(ada.clone()));
        assert!(world.stands(&session, &ada).await);
        let PasswordChanged::Changed { ended, .. } = set(ada.id, Expected::Anyhow).await else {
            panic!("not changed")
        };
        assert_eq!(ended.len(), 1);
        assert_eq!(name_of(&world.refresh(&world.jar(&session), T0).await), "ended before");
    }
}

#[tokio::test]
async fn a_rehash_replaces_the_hash_it_expects_and_ends_nothing() {
    for world in World::each() {
        let ada = world.user("ada").await;
        let session = world.sign_in(&ada).await;
        world.store.user_rehash(ada.id, hash("stale"), hash("wrong")).await.unwrap();
        assert!(world.store.user_find(ada.id).await.unwrap() == Some(ada.clone()));
        world.store.user_rehash(ada.id, hash("ada"), hash("costlier")).await.unwrap();
        let after = world.store.user_find(ada.id).await.unwrap().unwrap();
        assert!(after.password_hash == Some(hash("costlier")));
        assert_eq!(after.token_version, ada.token_version);
        assert!(world.stands(&session, &after).await);
    }
}

#[tokio::test]
async fn disabling_ends_everything_and_enabling_revives_nothing() {
    for world in World::each() {
        let ada = world.user("ada").await;
        let session = world.sign_in(&ada).await;
        let disable =
            async |id, now| world.store.user_disable(id, order(EndReason::UserDisabled), now).await.unwrap();
        assert_eq!(disable(ada.id, T0 + SECOND).await.unwrap().len(), 1);
        assert_eq!(disable(ada.id, T0 + MINUTE).await.unwrap().len(), 0);
        assert!(disable(NOBODY, T0).await.is_none());
        let disabled = world.store.user_find(ada.id).await.unwrap().unwrap();
        assert_eq!(disabled.disabled_at, Some(T0 + SECOND));
        assert!(disabled.token_version > ada.token_version);
        assert!(world.caller(&session).await.unwrap().standing.user_disabled);
        assert!(world.store.user_enable(ada.id, decree(), T0 + 2 * MINUTE).await.unwrap());
        assert!(!world.store.user_enable(NOBODY, decree(), T0).await.unwrap());
        let enabled = world.store.user_find(ada.id).await.unwrap().unwrap();
        assert_eq!(enabled.disabled_at, None);
        assert!(!world.stands(&session, &enabled).await);
        assert_eq!(name_of(&world.refresh(&world.jar(&session), T0 + MINUTE).await), "ended before");
        world.sign_in(&enabled).await;
        // What was done to her, by whom and why, newest first; nothing of nobody.
        let acts = world.store.act_list(Some(Subject::User(ada.id)), 9).await.unwrap();
        let states: Vec<_> = acts.iter().map(|act| act.became.as_deref().unwrap()).collect();
        assert_eq!(states, ["enabled", "disabled", "disabled"]);
        assert_eq!(acts[0].decree, decree());
        assert!(world.store.act_list(Some(Subject::User(NOBODY)), 9).await.unwrap().is_empty());
    }
}

#[tokio::test]
async fn somebody_created_by_decree_is_an_act_and_may_join_an_account() {
    for world in World::each() {
        let ada = world.user("ada").await;
        let home = Home::In(ada.account_id.unwrap());
        let bob = NewUser { home, decree: Some(decree()), ..new_user("bob") };
        let UserCreated::Created { user: bob, .. } = world.store.user_create(bob, None, T0).await.unwrap()
        else {
            panic!("not created");
        };
        assert_eq!(bob.account_id, ada.account_id);
        let acts = async |user| world.store.act_list(Some(Subject::User(user)), 9).await.unwrap();
        let told = acts(bob.id).await;
        assert!(told.iter().all(|act| act.decree == decree()));
        let mut told: Vec<_> = told.into_iter().map(|act| (act.what, act.became.unwrap())).collect();
        told.sort();
        let account = ada.account_id.unwrap().to_string();
        let expected = [("account", account.as_str()), ("role", "user"), ("state", "created")];
        assert_eq!(told, expected.map(|(what, became)| (what.to_owned(), became.to_owned())));
        assert!(acts(ada.id).await.is_empty(), "who registers is nobody's act");
        // The account outlives its first member, and nobody joins one that is gone.
        world.store.user_delete(ada.id, order(EndReason::UserDeleted), T0).await.unwrap();
        world.store.user_delete(bob.id, order(EndReason::UserDeleted), T0).await.unwrap();
        let eve = NewUser { home: Home::In(ada.account_id.unwrap()), ..new_user("eve") };
        let created = world.store.user_create(eve, None, T0).await.unwrap();
        assert!(matches!(created, UserCreated::AccountGone));
        assert!(world.store.user_find_by_email("eve@example.com").await.unwrap().is_none());
    }
}

#[tokio::test]
async fn a_password_that_somebody_else_set_is_an_act_and_ones_own_is_none() {
    for world in World::each() {
        let ada = world.user("ada").await;
        let by_root = EndOrder {
            actor: decree().actor,
            note: decree().reason,
            reason: EndReason::PasswordReset,
            whence: Default::default(),
        };
        for order in [order(EndReason::PasswordChanged), by_root] {
            world
                .store
                .user_set_password(ada.id, Expected::Anyhow, hash("new"), None, order, T0)
                .await
                .unwrap();
        }
        let acts = world.store.act_list(Some(Subject::User(ada.id)), 9).await.unwrap();
        let [act] = &acts[..] else { panic!("not one act") };
        assert_eq!((act.what.as_str(), &act.decree), ("password", &decree()));
    }
}

#[tokio::test]
async fn deleting_a_user_leaves_the_explanation_and_nothing_personal() {
    for world in World::each() {
        let ada = world.user("ada").await;
        let session = world.sign_in_at(&ada, device("laptop"), T0).await;
        let delete =
            async |id| world.store.user_delete(id, order(EndReason::UserDeleted), T0 + SECOND).await.unwrap();
        assert_eq!(delete(ada.id).await.unwrap().len(), 1);
        assert!(delete(ada.id).await.is_none());
        assert!(world.store.user_find(ada.id).await.unwrap().is_none());
        assert!(world.caller(&session).await.is_none());
        let Refreshed::Ended { end, newly: false, .. } = world.refresh(&world.jar(&session), T0).await else {
            panic!("not ended");
        };
        assert_eq!((end.reason, end.actor), (EndReason::UserDeleted, Actor::User));
        let record = world.store.session_find(session.id).await.unwrap().unwrap();
        assert_eq!(record.device, tenure_store::Device::default());
        assert_eq!(world.backend.number("SELECT count(*) FROM account"), 0);
        // The address is free again.
        world.user("ada").await;
    }
}

#[tokio::test]
async fn signing_somebody_else_out_everywhere_is_an_act_even_if_nothing_was_alive() {
    for world in World::each() {
        let ada = world.user("ada").await;
        let by_root = EndOrder {
            actor: decree().actor,
            note: decree().reason,
            reason: EndReason::AdminRevoked,
            whence: Default::default(),
        };
        for (order, bump) in
            [(by_root.clone(), false), (order(EndReason::SignedOutEverywhere), true), (by_root, true)]
        {
            world.store.session_end(ada.id, Scope::All, bump, order, T0).await.unwrap();
        }
        let acts = world.store.act_list(Some(Subject::User(ada.id)), 9).await.unwrap();
        let [act] = &acts[..] else { panic!("not one act") };
        assert_eq!((act.became.as_deref(), &act.decree), (Some("signed_out"), &decree()));
    }
}
