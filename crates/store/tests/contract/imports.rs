//! People who come from another system: once, whole, and with everything that goes with being created.

use tenure_domain::event::EventKind;
use tenure_domain::time::Timestamp;
use tenure_store::{EventFilter, Import, Imported, NewUser, Subject};

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
