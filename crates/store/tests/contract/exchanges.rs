//! Sign-ins of another system that are traded: once, in one step with the session, and in nobody's way.

use std::sync::Arc;

use tenure_domain::ends::EndReason;
use tenure_domain::event::EventKind;
use tenure_domain::exchange::{Attempt, ExchangeKey, HANDED_AGAIN_FOR, Source};
use tenure_domain::id::ApiKeyId;
use tenure_domain::session::Session;
use tenure_domain::time::Timestamp;
use tenure_domain::user::Role;
use tenure_store::{
    EventFilter, Exchange, Exchanged, Import, NewSession, NewUser, Prospect, Scope, StoreError, User,
    UserChange,
};
use tokio::task::JoinSet;

use crate::races::pair;
use crate::world::{DAY, QUIET, SECOND, T0, World, decree, device, new_session, new_user, order};

fn key(name: &str) -> ExchangeKey {
    ExchangeKey::of(Source::Simplejwt, name)
}

fn exchange(user: &User, name: &str, attempt: u8) -> Exchange {
    Exchange {
        source: Source::Simplejwt,
        key: key(name),
        attempt: Attempt([attempt; 32]),
        user_id: user.id,
        vouched_by: None,
        authenticated_at: T0 - DAY,
        expires_at: T0 + 14 * DAY,
        new: NewSession { device: device("laptop"), ..new_session(T0) },
    }
}

impl World {
    async fn trade(&self, user: &User, name: &str, attempt: u8, now: Timestamp) -> Exchanged {
        self.store.session_exchange(exchange(user, name, attempt), now).await.unwrap()
    }

    async fn traded(&self, user: &User, name: &str, attempt: u8, now: Timestamp) -> Session {
        match self.trade(user, name, attempt, now).await {
            Exchanged::Created { session, .. } => session,
            other => panic!("not created but {}", name_of(&other)),
        }
    }

    async fn is_refused(&self, user: &User, name: &str, attempt: u8, now: Timestamp, how: &str) {
        assert_eq!(name_of(&self.trade(user, name, attempt, now).await), how);
    }
}

const fn name_of(exchanged: &Exchanged) -> &'static str {
    match exchanged {
        Exchanged::Created { .. } => "created",
        Exchanged::Again { .. } => "again",
        Exchanged::Used => "used",
        Exchanged::Outdated => "outdated",
        Exchanged::UserDisabled => "disabled",
        Exchanged::UserGone => "gone",
    }
}

#[tokio::test]
async fn a_sign_in_becomes_a_session_of_its_own_with_both_events_and_ends_no_other() {
    for world in World::each() {
        let ada = world.user("ada").await;
        let earlier = world.sign_in_at(&ada, device("laptop"), T0).await;
        let now = T0 + DAY;
        let session = world.traded(&ada, "a", 1, now).await;
        assert!(session.remembered && session.created_at == now && session.user_id == ada.id);
        assert!(world.stands(&session, &ada).await && world.stands(&earlier, &ada).await);
        world.served(&mut world.jar(&session), now).await;
        let record = world.store.session_find(session.id).await.unwrap().unwrap();
        assert_eq!(record.device, device("laptop"));
        let of_session = EventFilter { session: Some(session.id), ..EventFilter::default() };
        let events = world.store.event_list(of_session, 10).await.unwrap();
        let kinds: Vec<_> = events.iter().map(|event| event.what.kind).collect();
        assert!(kinds.contains(&EventKind::SignedIn) && kinds.len() == 2, "{kinds:?}");
        let traded = events.iter().find(|event| event.what.kind == EventKind::Exchanged).unwrap();
        assert_eq!(
            (traded.what.subject.as_deref(), traded.what.cause.as_deref()),
            (Some("simplejwt"), Some("traded"))
        );
        let detail = format!("{{\"authenticated_at\":{}}}", (T0 - DAY).as_ms());
        assert_eq!(traded.what.detail.as_deref(), Some(detail.as_str()));
    }
}

#[tokio::test]
async fn the_attempt_that_made_it_is_given_it_again_until_it_has_been_used_and_no_other_ever() {
    for world in World::each() {
        let ada = world.user("ada").await;
        let session = world.traded(&ada, "a", 1, T0).await;
        for later in [SECOND, QUIET, HANDED_AGAIN_FOR] {
            let Exchanged::Again { session: again, person } = world.trade(&ada, "a", 1, T0 + later).await
            else {
                panic!("not again after {later:?}");
            };
            assert_eq!((again, person.id), (session.clone(), ada.id));
            world.is_refused(&ada, "a", 2, T0 + later, "used").await;
        }
        world.is_refused(&ada, "a", 1, T0 + HANDED_AGAIN_FOR + SECOND, "used").await;
        // What was handed out again is the first generation, and as good as the first copy of it.
        let mut jar = world.jar(&session);
        world.served(&mut jar, T0 + QUIET).await;
        world.is_refused(&ada, "a", 1, T0 + QUIET + SECOND, "used").await;
        world.served(&mut jar, T0 + 2 * QUIET).await;
        assert_eq!(world.backend.number("SELECT count(*) FROM session"), 1);
        // Another sign-in of the same person is another one.
        world.traded(&ada, "b", 1, T0).await;
    }
}

#[tokio::test]
async fn a_session_that_has_ended_is_not_handed_out_again_and_its_sign_in_makes_no_other() {
    for world in World::each() {
        let ada = world.user("ada").await;
        let session = world.traded(&ada, "a", 1, T0).await;
        let sign_out = order(EndReason::SignedOut);
        world.store.session_end(ada.id, Scope::One(session.id), false, sign_out, T0 + SECOND).await.unwrap();
        world.is_refused(&ada, "a", 1, T0 + SECOND, "used").await;
        // Nor when its row is long gone.
        assert_eq!(world.store.sweep(T0 + DAY, 10).await.unwrap(), 1);
        world.is_refused(&ada, "a", 1, T0 + DAY, "used").await;
    }
}

#[tokio::test]
async fn whoever_is_disabled_or_gone_or_has_begun_anew_has_no_session_for_what_they_had() {
    for world in World::each() {
        let (ada, bob, cyd) = (world.user("ada").await, world.user("bob").await, world.user("cyd").await);
        world.store.user_disable(ada.id, order(EndReason::UserDisabled), T0).await.unwrap();
        world.is_refused(&ada, "a", 1, T0, "disabled").await;
        world.store.user_delete(bob.id, order(EndReason::UserDeleted), T0).await.unwrap();
        world.is_refused(&bob, "b", 1, T0, "gone").await;
        let everywhere = order(EndReason::SignedOutEverywhere);
        world.store.session_end(cyd.id, Scope::All, true, everywhere, T0).await.unwrap();
        world.is_refused(&cyd, "c", 1, T0, "outdated").await;
        assert_eq!(world.backend.number("SELECT count(*) FROM session"), 0);
        assert_eq!(world.backend.number("SELECT count(*) FROM exchange"), 0);
    }
}

#[tokio::test]
async fn who_has_signed_out_all_else_here_has_no_session_for_what_they_had_and_keeps_this_one() {
    for world in World::each() {
        let new = NewUser { is_disabled: false, ..new_user("ada") };
        world.store.user_import(vec![Import { key: "django:1".into(), new }], false, T0).await.unwrap();
        let ada = world.store.user_find_by_email("ada@example.com").await.unwrap().unwrap();
        let session = world.traded(&ada, "a", 1, T0).await;
        let sign_out = async |scope| {
            let order = order(EndReason::SignedOut);
            world.store.session_end(ada.id, scope, false, order, T0 + SECOND).await.unwrap();
        };
        let other = world.traded(&ada, "b", 1, T0).await;
        sign_out(Scope::One(other.id)).await;
        world.traded(&ada, "c", 1, T0).await;
        sign_out(Scope::AllBut(session.id)).await;
        world.is_refused(&ada, "d", 1, T0 + SECOND, "outdated").await;
        assert!(world.stands(&session, &ada).await);
        assert_eq!(world.store.user_find(ada.id).await.unwrap().unwrap().token_version, ada.token_version);
    }
}

#[tokio::test]
async fn who_was_given_another_role_here_has_no_session_for_what_they_had_and_who_came_with_it_has() {
    for world in World::each() {
        let come = async |n: u32, role| {
            let new = NewUser { role, decree: Some(decree()), ..new_user(&format!("u{n}")) };
            world
                .store
                .user_import(vec![Import { key: format!("django:{n}"), new }], false, T0)
                .await
                .unwrap();
            let address = format!("u{n}@example.com");
            world.store.user_find_by_email(&address).await.unwrap().unwrap()
        };
        let (ada, bob) = (come(1, Role::User).await, come(2, Role::Admin).await);
        let give = async |user: &User, change| {
            world.store.user_change(user.id, change, decree(), T0).await.unwrap();
        };
        let role = |role| UserChange { role: Some(role), account: None };
        let session = world.traded(&ada, "a", 1, T0).await;
        world.traded(&bob, "b", 1, T0).await;
        // Into the account of their company, which is part of the move; and what changes nothing.
        give(&ada, UserChange { role: None, account: Some(bob.account_id) }).await;
        give(&ada, role(Role::User)).await;
        world.traded(&ada, "c", 1, T0).await;
        give(&ada, role(Role::Admin)).await;
        for (name, attempt) in [("a", 1), ("d", 1)] {
            world.is_refused(&ada, name, attempt, T0, "outdated").await;
        }
        assert_eq!(world.store.exchange_look(key("d"), ada.id).await.unwrap(), Prospect::Outdated);
        assert!(world.stands(&session, &ada).await, "nobody is signed out by it");
        give(&bob, role(Role::User)).await;
        world.is_refused(&bob, "e", 1, T0, "outdated").await;
    }
}

#[tokio::test]
async fn what_would_become_of_a_sign_in_is_told_without_doing_it() -> Result<(), StoreError> {
    for world in World::each() {
        let (ada, bob, cyd) = (world.user("ada").await, world.user("bob").await, world.user("cyd").await);
        let look = async |name: &str, user: &User| world.store.exchange_look(key(name), user.id).await;
        for _ in 0..2 {
            assert_eq!(look("a", &ada).await?, Prospect::Traded);
        }
        world.traded(&ada, "a", 1, T0).await;
        assert_eq!(look("a", &ada).await?, Prospect::Used);
        world.store.session_end(ada.id, Scope::All, true, order(EndReason::SignedOutEverywhere), T0).await?;
        assert_eq!(look("b", &ada).await?, Prospect::Outdated);
        world.store.user_disable(bob.id, order(EndReason::UserDisabled), T0).await?;
        assert_eq!(look("c", &bob).await?, Prospect::UserDisabled);
        world.store.user_delete(cyd.id, order(EndReason::UserDeleted), T0).await?;
        assert_eq!(look("d", &cyd).await?, Prospect::UserGone);
    }
    Ok(())
}

#[tokio::test]
async fn who_has_vouched_is_on_record() {
    for world in World::each() {
        let ada = world.user("ada").await;
        let key = ApiKeyId::from_bytes([7; 16]);
        let exchange = Exchange { vouched_by: Some(key), source: Source::Ticket, ..exchange(&ada, "a", 1) };
        world.store.session_exchange(exchange, T0).await.unwrap();
        let traded = EventFilter { kind: Some(EventKind::Exchanged), ..EventFilter::default() };
        let events = world.store.event_list(traded, 10).await.unwrap();
        let detail = events[0].what.detail.clone().unwrap_or_default();
        assert!(detail.contains(&key.to_string()), "{detail}");
    }
}

#[tokio::test]
async fn what_was_ended_there_is_closed_here_and_what_was_traded_stays_as_it_is() {
    for world in World::each() {
        let ada = world.user("ada").await;
        let session = world.traded(&ada, "a", 1, T0).await;
        let ended = || vec![(key("a"), T0 + DAY), (key("b"), T0 + DAY), (key("b"), T0 + DAY), (key("c"), T0)];
        assert_eq!(world.store.exchange_close(ended(), T0).await.unwrap(), 2);
        assert_eq!(world.store.exchange_close(ended(), T0).await.unwrap(), 0);
        assert_eq!(world.store.exchange_close(vec![], T0).await.unwrap(), 0);
        world.is_refused(&ada, "b", 1, T0, "used").await;
        world.is_refused(&ada, "a", 1, T0, "again").await;
        assert!(world.stands(&session, &ada).await);
    }
}

#[tokio::test]
async fn what_nobody_can_show_any_more_is_forgotten_a_page_at_a_time() {
    for world in World::each() {
        let ada = world.user("ada").await;
        let session = world.traded(&ada, "a", 1, T0).await;
        let ended: Vec<_> = (0..5).map(|n| (key(&n.to_string()), T0 + n * SECOND)).collect();
        assert_eq!(world.store.exchange_close(ended, T0).await.unwrap(), 5);
        assert_eq!(world.store.exchange_expire(T0 + 4 * SECOND, 3).await.unwrap(), 3);
        assert_eq!(world.store.exchange_expire(T0 + 4 * SECOND, 3).await.unwrap(), 1);
        assert_eq!(world.store.exchange_expire(T0 + 4 * SECOND, 3).await.unwrap(), 0);
        assert_eq!(world.backend.number("SELECT count(*) FROM exchange"), 2);
        assert_eq!(world.store.exchange_expire(T0 + 15 * DAY, 3).await.unwrap(), 2);
        assert!(world.stands(&session, &ada).await);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_16_that_race_for_one_sign_in_from_two_processes_one_makes_a_session() {
    for world in World::each() {
        let ada = world.user("ada").await;
        let worlds = pair(world);
        for (round, attempts) in [(0, 16), (1, 1), (2, 4)] {
            let mut racers = JoinSet::new();
            for racer in 0..16_u8 {
                let world = Arc::clone(&worlds[usize::from(racer) % 2]);
                let asked = exchange(&ada, &format!("round {round}"), racer % attempts);
                racers.spawn(async move {
                    (racer % attempts, world.store.session_exchange(asked, T0).await.unwrap())
                });
            }
            let outcomes = racers.join_all().await;
            let won: Vec<_> = outcomes
                .iter()
                .filter_map(|(attempt, outcome)| match outcome {
                    Exchanged::Created { session, .. } => Some((*attempt, session.id)),
                    _ => None,
                })
                .collect();
            let [(winner, session)] = won[..] else { panic!("{} have won", won.len()) };
            for (attempt, outcome) in outcomes {
                match outcome {
                    Exchanged::Created { .. } => {}
                    Exchanged::Again { session: again, .. } => {
                        assert_eq!((attempt, again.id), (winner, session));
                    }
                    Exchanged::Used => assert_ne!(attempt, winner),
                    other => panic!("{}", name_of(&other)),
                }
            }
            assert_eq!(worlds[0].backend.number("SELECT count(*) FROM session"), round + 1);
        }
    }
}
