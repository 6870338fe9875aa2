//! Who has changed since a position: nobody is left out, whoever wrote, and what cannot be told is said to be lost.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tenure_domain::account::{AccountStatus, PlanFeatures, PlanLimits, Slug};
use tenure_domain::ends::EndReason;
use tenure_domain::id::{AccountId, SessionId, UserId};
use tenure_domain::user::Role;
use tenure_store::{AccountChange, Changed, Plan, Scope, SessionNow, UserNow};

use crate::world::{MINUTE, QUIET, T0, World, decree, hash, order};

/// Somebody who keeps a position and collects what they are told.
struct Listener<'a> {
    world: &'a World,
    position: u64,
    sessions: BTreeMap<SessionId, SessionNow>,
    users: BTreeMap<UserId, UserNow>,
    accounts: BTreeSet<AccountId>,
    plans: bool,
}

impl<'a> Listener<'a> {
    async fn on(world: &'a World) -> Self {
        let begun = world.store.changed_since(None).await.unwrap();
        let Changed::Named { upto, sessions, users, accounts, plans } = begun else {
            panic!("nothing can be lost to whoever begins");
        };
        assert!(sessions.is_empty() && users.is_empty() && accounts.is_empty() && !plans);
        Self {
            world,
            position: upto,
            sessions: BTreeMap::new(),
            users: BTreeMap::new(),
            accounts: BTreeSet::new(),
            plans: false,
        }
    }

    /// False if it is lost.
    async fn listen(&mut self) -> bool {
        match self.world.store.changed_since(Some(self.position)).await.unwrap() {
            Changed::Named { upto, sessions, users, accounts, plans } => {
                self.position = upto;
                self.sessions.extend(sessions);
                self.users.extend(users);
                self.accounts.extend(accounts);
                self.plans |= plans;
                true
            }
            Changed::Lost { upto } => {
                self.position = upto;
                false
            }
        }
    }
}

#[tokio::test]
async fn every_end_and_every_change_of_a_user_is_told_whoever_wrote_it() {
    for world in World::each() {
        let other = world.second_handle();
        for writer in [&world, &other] {
            let ada = writer.user(&format!("ada{}", std::ptr::eq(writer, &world))).await;
            let (one, two) = (writer.sign_in(&ada).await, writer.sign_in(&ada).await);
            world.hear_of(writer).await;
            let mut listener = Listener::on(&world).await;
            let store = &writer.store;
            // Neither a rotation nor a sign-in is a change.
            let mut jar = writer.jar(&two);
            writer.served(&mut jar, T0 + QUIET).await;
            writer.sign_in(&ada).await;
            world.hear_of(writer).await;
            assert!(listener.listen().await);
            assert!(listener.sessions.is_empty() && listener.users.is_empty());

            let by_user = || order(EndReason::SignedOut);
            store.session_end(ada.id, Scope::One(one.id), false, by_user(), T0).await.unwrap();
            world.hear_of(writer).await;
            assert!(listener.listen().await);
            assert_eq!(listener.sessions, BTreeMap::from([(one.id, SessionNow::Ended)]));
            store.user_set_password(ada.id, None, hash("x"), Some(two.id), by_user(), T0).await.unwrap();
            world.hear_of(writer).await;
            assert!(listener.listen().await);
            let stands = |token_version| UserNow::Stands { token_version, role: Role::User };
            assert_eq!(listener.users, BTreeMap::from([(ada.id, stands(2))]));
            assert!(!listener.sessions.contains_key(&two.id));
            store.user_disable(ada.id, by_user(), T0).await.unwrap();
            world.hear_of(writer).await;
            assert!(listener.listen().await);
            assert_eq!(listener.users[&ada.id], UserNow::Disabled { token_version: 3 });
            assert_eq!(listener.sessions[&two.id], SessionNow::Ended);
            store.user_enable(ada.id, decree(), T0).await.unwrap();
            world.hear_of(writer).await;
            assert!(listener.listen().await);
            assert_eq!(listener.users[&ada.id], stands(3));
            store.user_delete(ada.id, by_user(), T0).await.unwrap();
            world.hear_of(writer).await;
            assert!(listener.listen().await);
            assert_eq!(listener.users[&ada.id], UserNow::Gone);
        }
    }
}

#[tokio::test]
async fn what_was_typed_by_hand_is_told_and_what_nobody_can_tell_is_lost() {
    for world in World::each() {
        let ada = world.user("ada").await;
        let (one, two) = (world.sign_in(&ada).await, world.sign_in(&ada).await);
        let mut listener = Listener::on(&world).await;
        world.backend.sql(&format!("UPDATE session SET expires_at = 7 WHERE id = {}", world.id(&one)));
        world.backend.sql(&format!("DELETE FROM session WHERE id = {}", world.id(&two)));
        world.hear().await;
        assert!(listener.listen().await);
        let expected = [(one.id, SessionNow::Other), (two.id, SessionNow::Ended)];
        assert_eq!(listener.sessions, BTreeMap::from(expected));
        world.backend.sql("INSERT INTO change (keys) VALUES (false)");
        world.hear().await;
        let knows = listener.listen().await;
        // SQLite makes no such entry: nothing in it changes a table without naming rows.
        assert_eq!(knows, !world.backend.is_postgres());
        assert!(listener.listen().await, "and one goes on from there");
    }
}

#[tokio::test]
async fn a_change_of_an_account_and_of_a_plan_is_told_whoever_wrote_it() {
    for world in World::each() {
        let other = world.second_handle();
        let ada = world.user("ada").await;
        let account = world.store.user_find(ada.id).await.unwrap().unwrap().account_id.unwrap();
        let mut listener = Listener::on(&world).await;
        let suspended = AccountChange { status: Some(AccountStatus::Suspended), ..AccountChange::default() };
        other.store.account_change(account, suspended, decree(), T0).await.unwrap();
        world.hear_of(&other).await;
        assert!(listener.listen().await);
        assert_eq!(listener.accounts, BTreeSet::from([account]));
        assert!(listener.sessions.is_empty() && !listener.plans);
        let plan = Plan {
            slug: Slug::parse("pro").unwrap(),
            name: "Pro".into(),
            is_active: true,
            limits: PlanLimits::default(),
            features: PlanFeatures::default(),
            stripe_price: None,
            created_at: T0,
        };
        other.store.plan_save(plan, decree(), T0).await.unwrap();
        world.hear_of(&other).await;
        assert!(listener.listen().await);
        assert!(listener.plans);
    }
}

#[tokio::test]
async fn nobody_is_left_out_while_many_write_and_one_listens() {
    for world in World::each() {
        let other = Arc::new(world.second_handle());
        let mut people = vec![];
        for number in 0..8 {
            people.push(world.user(&format!("user{number}")).await);
        }
        let mut listener = Listener::on(&world).await;
        let done = Arc::new(AtomicBool::new(false));
        let writing = people.into_iter().map(|user| {
            let other = Arc::clone(&other);
            tokio::spawn(async move {
                let mut ended = BTreeSet::new();
                for _ in 0..12 {
                    let session = other.sign_in(&user).await;
                    let end = order(EndReason::SignedOut);
                    let scope = Scope::One(session.id);
                    other.store.session_end(user.id, scope, false, end, T0 + MINUTE).await.unwrap();
                    ended.insert(session.id);
                }
                ended
            })
        });
        let writing: Vec<_> = writing.collect();
        let (until, mut ended) = (Arc::clone(&done), BTreeSet::new());
        let ending = tokio::spawn(async move {
            for one in writing {
                ended.extend(one.await.unwrap());
            }
            until.store(true, Ordering::SeqCst);
            ended
        });
        while !done.load(Ordering::SeqCst) {
            assert!(listener.listen().await);
            tokio::task::yield_now().await;
        }
        let ended = ending.await.unwrap();
        world.hear().await;
        assert!(listener.listen().await);
        let told: BTreeSet<_> = listener.sessions.keys().copied().collect();
        assert_eq!(told, ended);
        assert!(listener.sessions.values().all(|now| *now == SessionNow::Ended));
    }
}
