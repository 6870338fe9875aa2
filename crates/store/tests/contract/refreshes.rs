//! `session_refresh` and `session_end_presented`: every outcome.

use std::sync::Arc;

use tenure_domain::ends::{Actor, EndReason};
use tenure_domain::id::SessionId;
use tenure_domain::refresh_token::RefreshKeyRing;
use tenure_domain::rotation::{Generation, Replay, RotationRules};
use tenure_domain::secret::MasterSecret;
use tenure_domain::session::{RefreshRules, ReusePolicy, Session};
use tenure_domain::time::Freshness;
use tenure_store::{RefreshRequest, Refreshed, Scope};

use crate::world::{DAY, MINUTE, QUIET, SECOND, T0, World, name_of, names_of, new_session, order, rules};

#[tokio::test]
async fn a_refresh_after_a_quiet_time_rotates_and_the_row_keeps_it() {
    for world in World::each() {
        let ada = world.user("ada").await;
        let session = world.sign_in(&ada).await;
        let jar = world.jar(&session);
        let Refreshed::Served { session: after, person, replay, written } =
            world.refresh(&jar, T0 + QUIET).await
        else {
            panic!("not served");
        };
        assert!(written && replay.is_none());
        assert_eq!((after.rotation.base, after.rotation.head), (Generation(1), Generation(2)));
        assert_eq!(person.email, "ada@Example.com");
        let record = world.store.session_find(session.id).await.unwrap().unwrap();
        assert_eq!(record.session, after);
        assert_eq!((record.last_used_at, record.refresh_count), (T0 + QUIET, 1));
        assert_eq!(after.expires_at, session.expires_at);
    }
}

#[tokio::test]
async fn a_refresh_that_changes_nothing_writes_nothing() {
    for world in World::each() {
        let session = world.sign_in(&world.user("ada").await).await;
        let mut jar = world.jar(&session);
        // The first one records that the generation has come back.
        world.served(&mut jar, T0 + SECOND).await;
        let before = world.store.session_find(session.id).await.unwrap().unwrap();
        let outcome = world.refresh(&jar, T0 + 2 * SECOND).await;
        assert!(matches!(outcome, Refreshed::Served { written: false, replay: Some(Replay::Newest), .. }));
        assert_eq!(world.store.session_find(session.id).await.unwrap().unwrap(), before);
    }
}

#[tokio::test]
async fn the_last_twenty_refreshes_are_kept_with_the_row() {
    for world in World::each() {
        let session = world.sign_in(&world.user("ada").await).await;
        let kept = async || world.store.session_find(session.id).await.unwrap().unwrap().refreshes;
        assert_eq!(kept().await, []);
        let mut jar = world.jar(&session);
        let mut served = Vec::new();
        for number in 1..=23 {
            let at = T0 + number * 12 * MINUTE;
            world.served(&mut jar, at).await;
            // What writes nothing is of a tab beside it.
            world.served(&mut jar, at + SECOND).await;
            served.push(at);
            assert_eq!(kept().await, served[served.len().saturating_sub(20)..]);
        }
    }
}

#[tokio::test]
async fn a_lost_answer_is_repaired_a_second_an_hour_and_five_days_later() {
    for world in World::each() {
        let session = world.sign_in(&world.user("ada").await).await;
        let lost = world.jar(&session);
        let first = world.served(&mut lost.clone(), T0 + QUIET).await;
        for later in [QUIET + SECOND, QUIET + 60 * MINUTE, QUIET + 5 * DAY] {
            let again = world.served(&mut lost.clone(), T0 + later).await;
            assert!(again.rotation.head >= first.rotation.head);
            assert_eq!(again.rotation.base, first.rotation.base);
        }
    }
}

#[tokio::test]
async fn a_token_ahead_of_the_row_heals_it() {
    for world in World::each() {
        let session = world.sign_in(&world.user("ada").await).await;
        let ahead = world.jar_at(&session, Generation(7));
        let outcome = world.refresh(&ahead, T0 + SECOND).await;
        let Refreshed::Served { session: healed, replay: Some(Replay::Ahead), written: true, .. } = outcome
        else {
            panic!("{}", name_of(&outcome));
        };
        assert_eq!(healed.rotation.head, Generation(7));
    }
}

#[tokio::test]
async fn a_straggler_of_unknown_age_never_replaces_a_lost_successor() {
    for world in World::each() {
        let session = world.sign_in(&world.user("ada").await).await;
        let first = world.jar(&session);
        world.served(&mut first.clone(), T0 + QUIET).await;
        let request = RefreshRequest { freshness: Freshness::Unknown, ..world.request(&[&first]) };
        let outcomes = world.store.session_refresh(request, T0 + 3 * QUIET).await.unwrap();
        let [Refreshed::Served { session, .. }] = &outcomes[..] else { panic!("{:?}", names_of(&outcomes)) };
        assert_eq!(session.rotation.head, Generation(2));
    }
}

/// A session whose first generation is dead, and the jar that still holds it.
async fn with_a_dead_token(world: &World) -> (Session, crate::world::Jar) {
    let session = world.sign_in(&world.user("ada").await).await;
    let dead = world.jar(&session);
    let mut jar = dead.clone();
    world.served(&mut jar, T0 + QUIET).await;
    world.served(&mut jar, T0 + 2 * QUIET).await;
    (session, dead)
}

#[tokio::test]
async fn a_dead_token_strikes_once_and_then_ends_its_session_and_no_other() {
    for world in World::each() {
        let (session, dead) = with_a_dead_token(&world).await;
        let other = world.store.user_find(session.user_id).await.unwrap().unwrap();
        let other = world.sign_in(&other).await;
        let now = T0 + 2 * QUIET;
        assert_eq!(name_of(&world.refresh(&dead, now).await), "superseded");
        assert_eq!(name_of(&world.refresh(&dead, now).await), "superseded");
        let record = world.store.session_find(session.id).await.unwrap().unwrap();
        assert_eq!(record.refreshes, [T0 + QUIET, now], "a strike is no refresh");
        let Refreshed::Ended { end, newly: true, .. } = world.refresh(&dead, now + 2 * SECOND).await else {
            panic!("not ended");
        };
        assert_eq!((end.reason, end.actor), (EndReason::TokenReuse, Actor::Policy));
        assert_eq!(name_of(&world.refresh(&world.jar(&other), now + 2 * SECOND).await), "served");
    }
}

/// The version before rotates without keeping when.
#[tokio::test]
async fn a_row_that_has_kept_no_refresh_is_like_any_other() {
    for world in World::each() {
        let (session, dead) = with_a_dead_token(&world).await;
        // Also one that a move has brought back from PostgreSQL, where nothing has no bytes.
        let nothing = if world.backend.is_postgres() { "''" } else { "x''" };
        world.backend.sql(&format!("UPDATE session SET refreshed = {nothing}"));
        assert_eq!(name_of(&world.refresh(&dead, T0 + 2 * QUIET).await), "superseded");
        let head = world.store.session_find(session.id).await.unwrap().unwrap();
        assert_eq!(head.refreshes, []);
        world.served(&mut world.jar(&head.session), T0 + 3 * QUIET).await;
        assert_eq!(world.store.session_find(session.id).await.unwrap().unwrap().refreshes, [T0 + 3 * QUIET]);
    }
}

#[tokio::test]
async fn a_reused_token_is_refused_under_policy_observe_and_the_session_lives_on() {
    for world in World::each() {
        let world = World { rules: rules(ReusePolicy::Observe), ..world };
        let (session, dead) = with_a_dead_token(&world).await;
        let now = T0 + 2 * QUIET;
        world.refresh(&dead, now).await;
        assert_eq!(name_of(&world.refresh(&dead, now + 2 * SECOND).await), "refused");
        let head = world.store.session_find(session.id).await.unwrap().unwrap().session;
        assert_eq!(name_of(&world.refresh(&world.jar(&head), now + 3 * SECOND).await), "served");
    }
}

#[tokio::test]
async fn a_session_lives_to_the_end_of_its_grace_and_is_then_ended_by_the_clock() {
    for world in World::each() {
        let ada = world.user("ada").await;
        let session = world.sign_in(&ada).await;
        let jar = world.jar(&session);
        assert_eq!(name_of(&world.refresh(&jar, session.expires_at - SECOND).await), "served");
        assert_eq!(name_of(&world.refresh(&jar, session.expires_at + 59 * SECOND).await), "served");
        let Refreshed::Ended { end, newly: true, .. } =
            world.refresh(&jar, session.expires_at + 60 * SECOND).await
        else {
            panic!("not ended");
        };
        assert_eq!((end.reason, &end.actor), (EndReason::RememberedLifetime, &Actor::Clock));
        // The receipt is the same however often one asks, and a clock set back revives nothing.
        let Refreshed::Ended { end: again, newly: false, .. } = world.refresh(&jar, T0).await else {
            panic!("revived");
        };
        assert_eq!(again, end);
    }
}

#[tokio::test]
async fn a_jar_of_many_tokens_is_tried_newest_first_until_one_is_alive() {
    for world in World::each() {
        let ada = world.user("ada").await;
        let (oldest, older, newest) =
            (world.sign_in(&ada).await, world.sign_in(&ada).await, world.sign_in(&ada).await);
        let by_user = order(EndReason::SignedOut);
        world.store.session_end(ada.id, Scope::One(newest.id), false, by_user, T0).await.unwrap();
        let (oldest, older, newest) = (world.jar(&oldest), world.jar(&older), world.jar(&newest));
        let outcomes = world.refresh_all(&[&newest, &older, &oldest], T0 + SECOND).await;
        assert_eq!(names_of(&outcomes), ["ended before", "served"]);
        let missing = world.jar(&Session { id: SessionId::from_bytes([9; 16]), ..world.sign_in(&ada).await });
        let salted = world.jar(&Session { salt: [9; 16], ..world.sign_in(&ada).await });
        let outcomes = world.refresh_all(&[&missing, &salted, &newest], T0 + SECOND).await;
        assert_eq!(names_of(&outcomes), ["missing", "not authentic", "ended before"]);
        assert!(world.refresh_all(&[], T0).await.is_empty());
    }
}

#[tokio::test]
async fn a_token_of_the_right_key_for_another_salt_is_not_authentic_and_changes_nothing() {
    for world in World::each() {
        let session = world.sign_in(&world.user("ada").await).await;
        let forged = world.jar(&Session { salt: [9; 16], ..session.clone() });
        assert_eq!(name_of(&world.refresh(&forged, T0 + QUIET).await), "not authentic");
        let by_user = order(EndReason::SignedOut);
        let rules = Arc::clone(&world.rules);
        let tokens = vec![world.read(&forged)];
        let ended = world.store.session_end_presented(tokens, rules, by_user, T0).await.unwrap();
        assert!(ended.is_empty());
        assert_eq!(world.store.session_find(session.id).await.unwrap().unwrap().session, session);
    }
}

#[tokio::test]
async fn absence_is_no_end() {
    for world in World::each() {
        let ada = world.user("ada").await;
        let session = world.sign_in(&ada).await;
        let jar = world.jar(&session);
        // A user deleted by hand leaves a session with nobody to hand a token to.
        world.backend.sql("DELETE FROM \"user\"");
        world.hear().await;
        let outcome = world.refresh(&jar, T0 + QUIET).await;
        assert!(matches!(outcome, Refreshed::Missing { expires_at } if expires_at == session.expires_at));
        assert!(world.caller(&session).await.is_none());
        // Its end by the clock needs no user.
        let expired = session.expires_at + 60 * SECOND;
        assert_eq!(name_of(&world.refresh(&jar, expired).await), "ended now");
        world.backend.sql(&format!("DELETE FROM session WHERE id = {}", world.id(&session)));
        world.hear().await;
        assert_eq!(name_of(&world.refresh(&jar, T0).await), "missing");
        assert!(world.caller(&session).await.is_none());
    }
}

#[tokio::test]
async fn a_user_disabled_by_hand_keeps_no_session_alive() {
    for world in World::each() {
        let session = world.sign_in(&world.user("ada").await).await;
        world.backend.sql("UPDATE \"user\" SET disabled_at = 1");
        let Refreshed::Ended { end, newly: true, .. } = world.refresh(&world.jar(&session), T0).await else {
            panic!("not ended");
        };
        assert_eq!((end.reason, end.actor), (EndReason::UserDisabled, Actor::Policy));
    }
}

#[tokio::test]
async fn a_sign_out_by_jar_ends_every_session_in_it_whatever_its_generation() {
    for world in World::each() {
        let ada = world.user("ada").await;
        let (one, two, gone) =
            (world.sign_in(&ada).await, world.sign_in(&ada).await, world.sign_in(&ada).await);
        let by_user = order(EndReason::SignedOut);
        world.store.session_end(ada.id, Scope::One(gone.id), false, by_user.clone(), T0).await.unwrap();
        let unknown = Session { id: SessionId::from_bytes([9; 16]), ..one.clone() };
        let jars = [
            world.jar_at(&one, Generation(0)),
            world.jar(&one),
            world.jar_at(&two, Generation(9)),
            world.jar(&gone),
            world.jar(&unknown),
        ];
        let tokens: Vec<_> = jars.iter().map(|jar| world.read(jar)).collect();
        let rules = Arc::clone(&world.rules);
        let ended = world.store.session_end_presented(tokens, rules, by_user, T0 + SECOND).await.unwrap();
        let told: Vec<_> = ended.iter().map(|ended| (ended.session_id, ended.newly)).collect();
        assert_eq!(told, [(one.id, true), (two.id, true), (gone.id, false)]);
        for session in [&one, &two, &gone] {
            assert_eq!(name_of(&world.refresh(&world.jar(session), T0 + SECOND).await), "ended before");
        }
    }
}

#[tokio::test]
async fn a_sign_out_of_an_expired_session_records_that_the_clock_had_ended_it() {
    for world in World::each() {
        let session = world.sign_in(&world.user("ada").await).await;
        let now = session.expires_at + MINUTE;
        let tokens = vec![world.read(&world.jar(&session))];
        let rules = Arc::clone(&world.rules);
        let by_user = order(EndReason::SignedOut);
        let ended = world.store.session_end_presented(tokens, rules, by_user, now).await.unwrap();
        assert_eq!((ended[0].end.reason, ended[0].newly), (EndReason::RememberedLifetime, true));
    }
}

#[tokio::test]
async fn a_token_under_a_previous_key_is_still_served() {
    for world in World::each() {
        let ada = world.user("ada").await;
        let session = world.sign_in(&ada).await;
        let jar = world.jar(&session);
        let previous = MasterSecret::from_bytes([42; 32]).refresh_key();
        let current = MasterSecret::from_bytes([43; 32]).refresh_key();
        let rotated = RefreshRules {
            keys: RefreshKeyRing::new(current, vec![previous]),
            rotation: RotationRules::with_settle(QUIET / 2),
            reuse: ReusePolicy::Revoke,
        };
        let world = World { rules: Arc::new(rotated), ..world };
        assert_eq!(name_of(&world.refresh(&jar, T0 + QUIET).await), "served");
    }
}

#[tokio::test]
async fn a_session_that_is_not_remembered_ends_for_its_own_reason() {
    for world in World::each() {
        let ada = world.user("ada").await;
        let new = tenure_store::NewSession { remembered: false, expires_at: T0 + DAY, ..new_session(T0) };
        let created = world.store.session_create(ada.id, ada.token_version, new, T0).await.unwrap();
        let tenure_store::SessionCreated::Created { session, .. } = created else { panic!("not created") };
        let Refreshed::Ended { end, .. } = world.refresh(&world.jar(&session), T0 + DAY + MINUTE).await
        else {
            panic!("not ended");
        };
        assert_eq!(end.reason, EndReason::ShortLifetime);
    }
}
