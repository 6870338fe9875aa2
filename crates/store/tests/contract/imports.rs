//! People who come from another system: once, whole, and with everything that goes with being created.

use tenure_domain::ends::EndReason;
use tenure_domain::event::EventKind;
use tenure_domain::time::Timestamp;
use tenure_domain::user::Role;
use tenure_store::{
    Device, EventFilter, Import, Imported, NewUser, Scope, Subject, User, UserChange, UserCreated,
};

use crate::world::{SECOND, T0, World, decree, join_all, new_user, order};

fn import(key: &str, name: &str) -> Import {
    let new = NewUser { decree: Some(decree()), ..new_user(name) };
    Import { key: format!("django:{key}"), new }
}

fn crowd(count: usize) -> Vec<Import> {
    (0..count).map(|number| import(&number.to_string(), &format!("u{number}"))).collect()
}

#[tokio::test]
async fn people_come_with_account_act_and_event_and_as_they_were() {
    for world in World::each() {
        let joined = Timestamp::from_ms(T0.as_ms() - 86_400_000);
        let mut gone = import("2", "bob");
        gone.new.is_disabled = true;
        let mut ada = import("1", "ada");
        ada.new.since = Some(joined);
        let outcomes = world.store.user_import(vec![ada, gone], false, T0).await.unwrap();
        assert_eq!(outcomes, [Imported::Created, Imported::Created]);
        let user = world.store.user_find_by_email("ada@example.com").await.unwrap().unwrap();
        assert!(user.account_id.is_some() && user.password_hash.is_some() && user.disabled_at.is_none());
        assert_eq!(user.created_at, joined);
        assert_eq!(world.store.import_find("django:1".into()).await.unwrap(), Some(user.id));
        assert_eq!(world.store.import_find("django:3".into()).await.unwrap(), None);
        let eve = world.user("eve").await;
        let keys = world.store.import_keys(vec![eve.id, user.id]).await.unwrap();
        assert_eq!(keys, [(user.id, "django:1".to_owned())]);
        let acts = world.store.act_list(Some(Subject::User(user.id)), 10).await.unwrap();
        assert!(acts.iter().any(|act| act.what == "state" && act.became.as_deref() == Some("created")));
        let registered =
            EventFilter { user: Some(user.id), kind: Some(EventKind::Registered), ..EventFilter::default() };
        let events = world.store.event_list(registered, 10).await.unwrap();
        assert_eq!(events.iter().map(|event| event.what.at).collect::<Vec<_>>(), [T0]);
        let bob = world.store.user_find_by_email("bob@example.com").await.unwrap().unwrap();
        assert_eq!((bob.disabled_at, bob.created_at), (Some(T0), T0));
        let acts = world.store.act_list(Some(Subject::User(bob.id)), 10).await.unwrap();
        assert!(acts.iter().any(|act| act.became.as_deref() == Some("disabled")));
    }
}

#[tokio::test]
async fn nobody_comes_twice_and_an_address_that_is_taken_is_told() {
    for world in World::each() {
        world.user("eve").await;
        let people = || {
            vec![
                import("1", "ada"),
                import("2", "eve"),
                import("3", "ada"),
                import("1", "other"),
                import("4", "bob"),
            ]
        };
        let expected = [
            Imported::Created,
            Imported::EmailTaken,
            Imported::EmailTaken,
            Imported::Known,
            Imported::Created,
        ];
        assert_eq!(world.store.user_import(people(), true, T0).await.unwrap(), expected);
        assert_eq!(world.backend.number("SELECT count(*) FROM imported"), 0);
        assert_eq!(world.store.user_import(people(), false, T0).await.unwrap(), expected);
        // What refused somebody left no account of theirs.
        assert_eq!(world.backend.number("SELECT count(*) FROM account"), 3);
        let again = world.store.user_import(people(), false, T0 + SECOND).await.unwrap();
        assert_eq!(again[0], Imported::Known);
        assert_eq!(again[4], Imported::Known);
        assert_eq!(world.backend.number("SELECT count(*) FROM imported"), 2);
    }
}

#[tokio::test]
async fn who_was_deleted_here_does_not_come_back() {
    for world in World::each() {
        world.store.user_import(vec![import("1", "ada")], false, T0).await.unwrap();
        let ada = world.store.user_find_by_email("ada@example.com").await.unwrap().unwrap();
        let deletion = order(tenure_domain::ends::EndReason::UserDeleted);
        world.store.user_delete(ada.id, deletion, T0 + SECOND).await.unwrap();
        let again = world.store.user_import(vec![import("1", "ada")], false, T0 + SECOND).await.unwrap();
        assert_eq!(again, [Imported::Known]);
        assert!(world.store.user_find_by_email("ada@example.com").await.unwrap().is_none());
    }
}

#[tokio::test]
async fn of_imports_that_race_each_person_comes_by_one() {
    for world in World::each() {
        let racers = join_all((0..8).map(|_| {
            let store = world.store.clone();
            async move {
                tokio::spawn(async move { store.user_import(crowd(20), false, T0).await }).await.unwrap()
            }
        }))
        .await;
        let created =
            |outcomes: &Vec<Imported>| outcomes.iter().filter(|it| **it == Imported::Created).count();
        let outcomes: Vec<_> = racers.into_iter().map(|outcome| outcome.unwrap()).collect();
        assert_eq!(outcomes.iter().map(created).sum::<usize>(), 20);
        assert!(outcomes.iter().flatten().all(|it| *it != Imported::EmailTaken));
        assert_eq!(world.backend.number("SELECT count(*) FROM account"), 20);
    }
}

/// As they are there once they have been deactivated.
fn inactive(key: &str, name: &str) -> Import {
    let mut import = import(key, name);
    import.new.is_disabled = true;
    import
}

impl World {
    async fn arrival(&self, key: &str, name: &str) -> User {
        self.store.user_import(vec![import(key, name)], false, T0).await.unwrap();
        self.store.user_find_by_email(&format!("{name}@example.com")).await.unwrap().unwrap()
    }

    async fn import_one(&self, one: Import) -> Imported {
        self.store.user_import(vec![one], false, T0 + SECOND).await.unwrap()[0]
    }
}

#[tokio::test]
async fn who_is_not_active_there_any_more_is_disabled_here_unless_somebody_has_decided_about_them() {
    for world in World::each() {
        let (ada, bob, cyd) = (
            world.arrival("1", "ada").await,
            world.arrival("2", "bob").await,
            world.arrival("3", "cyd").await,
        );
        let session = world.sign_in_at(&ada, Device::default(), T0).await;
        let of_ada = || vec![inactive("1", "ada")];
        assert_eq!(world.store.user_import(of_ada(), true, T0).await.unwrap(), [Imported::Disabled]);
        assert!(world.stands(&session, &ada).await, "a dry run ends nothing");
        assert_eq!(world.store.user_import(of_ada(), false, T0).await.unwrap(), [Imported::Disabled]);
        assert!(!world.stands(&session, &ada).await);
        assert!(world.store.user_find(ada.id).await.unwrap().unwrap().disabled_at.is_some());
        let acts = world.store.act_list(Some(Subject::User(ada.id)), 10).await.unwrap();
        let act = acts.iter().find(|act| act.became.as_deref() == Some("disabled")).unwrap();
        assert_eq!((&act.decree.actor, &act.decree.reason), (&decree().actor, &decree().reason));
        assert_eq!(world.import_one(inactive("1", "ada")).await, Imported::Known);

        world.store.user_enable(bob.id, decree(), T0).await.unwrap();
        let everywhere = order(EndReason::SignedOutEverywhere);
        world.store.session_end(cyd.id, Scope::All, true, everywhere, T0).await.unwrap();
        for (key, name, user) in [("2", "bob", bob), ("3", "cyd", cyd)] {
            assert_eq!(world.import_one(inactive(key, name)).await, Imported::ActiveHere, "{name}");
            assert!(world.store.user_find(user.id).await.unwrap().unwrap().disabled_at.is_none());
        }
    }
}

#[tokio::test]
async fn whom_an_import_disabled_it_enables_when_they_are_active_there_again() {
    for world in World::each() {
        world.store.user_import(vec![inactive("1", "ada")], false, T0).await.unwrap();
        let ada = world.store.user_find_by_email("ada@example.com").await.unwrap().unwrap();
        let bob = world.arrival("2", "bob").await;
        assert_eq!(world.import_one(inactive("2", "bob")).await, Imported::Disabled);
        // As often as they are switched there: when they pay late, and then do.
        for (key, name, user) in [("1", "ada", ada), ("2", "bob", bob)] {
            for _ in 0..2 {
                let dry = world.store.user_import(vec![import(key, name)], true, T0).await.unwrap();
                assert_eq!(dry, [Imported::Enabled]);
                assert_eq!(world.import_one(import(key, name)).await, Imported::Enabled, "{name}");
                assert!(world.store.user_find(user.id).await.unwrap().unwrap().disabled_at.is_none());
                let acts = world.store.act_list(Some(Subject::User(user.id)), 20).await.unwrap();
                let act = acts.iter().find(|act| act.became.as_deref() == Some("enabled")).unwrap();
                assert_eq!((&act.decree.actor, &act.decree.reason), (&decree().actor, &decree().reason));
                assert_eq!(world.import_one(inactive(key, name)).await, Imported::Disabled, "{name}");
                assert!(world.store.user_find(user.id).await.unwrap().unwrap().disabled_at.is_some());
            }
        }
    }
}

#[tokio::test]
async fn whom_somebody_has_decided_about_no_import_enables_or_disables() {
    for world in World::each() {
        let (ada, bob) = (world.arrival("1", "ada").await, world.arrival("2", "bob").await);
        let developer = UserChange { role: Some(Role::Developer), account: None };
        world.store.user_change(ada.id, developer, decree(), T0).await.unwrap();
        let elsewhere = world.user("eve").await.account_id;
        let moved = UserChange { role: None, account: Some(elsewhere) };
        world.store.user_change(bob.id, moved, decree(), T0).await.unwrap();
        let cyd = world.arrival("3", "cyd").await;
        world.store.user_disable(cyd.id, order(EndReason::UserDisabled), T0).await.unwrap();
        let dan = world.arrival("4", "dan").await;
        assert_eq!(world.import_one(inactive("4", "dan")).await, Imported::Disabled);
        world.store.user_disable(dan.id, order(EndReason::UserDisabled), T0).await.unwrap();
        let differing = || {
            [
                (inactive("1", "ada"), Imported::ActiveHere),
                (inactive("2", "bob"), Imported::ActiveHere),
                (import("3", "cyd"), Imported::DisabledHere),
                (import("4", "dan"), Imported::DisabledHere),
            ]
        };
        for dry_run in [true, false, false] {
            let (people, expected): (Vec<_>, Vec<_>) = differing().into_iter().unzip();
            assert_eq!(world.store.user_import(people, dry_run, T0).await.unwrap(), expected);
        }
        for (user, is_disabled) in [(&ada, false), (&bob, false), (&cyd, true), (&dan, true)] {
            let now = world.store.user_find(user.id).await.unwrap().unwrap();
            assert_eq!(now.disabled_at.is_some(), is_disabled, "{}", user.email);
        }
    }
}

#[tokio::test]
async fn whoever_was_told_of_and_then_decided_about_is_told_of_no_more_until_it_is_otherwise_again() {
    for world in World::each() {
        let ada = world.arrival("1", "ada").await;
        // Decided before anything was told, so nobody knew.
        world.store.user_enable(ada.id, decree(), T0).await.unwrap();
        let developer = UserChange { role: Some(Role::Developer), account: None };
        for _ in 0..2 {
            assert_eq!(world.import_one(inactive("1", "ada")).await, Imported::ActiveHere);
            world.store.user_change(ada.id, developer.clone(), decree(), T0).await.unwrap();
            assert_eq!(world.import_one(inactive("1", "ada")).await, Imported::ActiveHere);
            world.store.user_enable(ada.id, decree(), T0).await.unwrap();
            assert_eq!(world.import_one(inactive("1", "ada")).await, Imported::Known);
            assert_eq!(world.import_one(import("1", "ada")).await, Imported::Known);
        }
        world.store.user_disable(ada.id, order(EndReason::UserDisabled), T0).await.unwrap();
        assert_eq!(world.import_one(import("1", "ada")).await, Imported::DisabledHere);
        world.store.user_disable(ada.id, order(EndReason::UserDisabled), T0).await.unwrap();
        assert_eq!(world.import_one(import("1", "ada")).await, Imported::Known);
    }
}

#[tokio::test]
async fn who_is_created_here_as_somebody_there_is_known_to_an_import() {
    for world in World::each() {
        let as_somebody = |name: &str, key: &str| NewUser {
            decree: Some(decree()),
            imported_as: Some(key.to_owned()),
            ..new_user(name)
        };
        let created = world.store.user_create(as_somebody("ada", "django:1"), None, T0).await.unwrap();
        assert!(matches!(created, UserCreated::Created { .. }));
        let taken = world.store.user_create(as_somebody("bob", "django:1"), None, T0).await.unwrap();
        assert!(matches!(taken, UserCreated::KeyTaken));
        assert!(world.store.user_find_by_email("bob@example.com").await.unwrap().is_none());
        assert_eq!(world.backend.number("SELECT count(*) FROM account"), 1);
        assert_eq!(world.import_one(import("1", "ada")).await, Imported::Known);
        assert_eq!(world.import_one(inactive("1", "ada")).await, Imported::Disabled);
        // A key there may be given again that was never anybody's for good.
        let UserCreated::Created { user: ada, .. } = created else { continue };
        world.store.user_delete(ada.id, order(EndReason::UserDeleted), T0).await.unwrap();
        let again = world.store.user_create(as_somebody("bob", "django:1"), None, T0).await.unwrap();
        let UserCreated::Created { user: bob, .. } = again else { panic!("the key is free") };
        assert_eq!(world.store.import_find("django:1".into()).await.unwrap(), Some(bob.id));
        assert_eq!(world.import_one(import("1", "bob")).await, Imported::Known);
        assert_eq!(world.import_one(inactive("1", "bob")).await, Imported::Disabled);
    }
}

#[tokio::test]
async fn who_came_under_another_address_is_told_and_left_alone() {
    for world in World::each() {
        let ada = world.arrival("1", "ada").await;
        for one in [import("1", "customer"), inactive("1", "customer")] {
            assert_eq!(world.import_one(one).await, Imported::OtherAddress);
        }
        assert_eq!(world.store.user_find(ada.id).await.unwrap().unwrap().disabled_at, None);
        assert!(world.store.user_find_by_email("customer@example.com").await.unwrap().is_none());
    }
}

#[tokio::test]
async fn those_who_came_and_may_sign_in_are_listed_a_page_at_a_time() {
    for world in World::each() {
        world.store.user_import(crowd(5), false, T0).await.unwrap();
        world.import_one(inactive("1", "u1")).await;
        let u2 = world.store.user_find_by_email("u2@example.com").await.unwrap().unwrap();
        world.store.user_delete(u2.id, order(EndReason::UserDeleted), T0).await.unwrap();
        world.user("eve").await;
        let (mut listed, mut after) = (vec![], None);
        loop {
            let page = world.store.import_list(after.take(), 2).await.unwrap();
            after = page.last().map(|one| one.key.clone());
            listed.extend(page.iter().map(|one| (one.key.clone(), one.email.clone())));
            if page.len() < 2 {
                break;
            }
        }
        let expected = [0, 3, 4].map(|n| (format!("django:{n}"), format!("u{n}@Example.com")));
        assert_eq!(listed, expected);
    }
}
