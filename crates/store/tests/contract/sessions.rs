//! Sign-ins, ends by order, lists, counting, sweeping.

use tenure_domain::ends::{Actor, EndReason};
use tenure_domain::id::{ReceiptId, SessionId, UserId};
use tenure_store::{Device, EndOrder, NewSession, Scope, SessionCreated};

use crate::world::{DAY, MINUTE, SECOND, T0, World, device, name_of, new_session, order};

#[tokio::test]
async fn a_sign_in_is_found_with_everything_that_was_said() {
    for world in World::each() {
        let ada = world.user("ada").await;
        let session = world.sign_in_at(&ada, device("laptop"), T0).await;
        let record = world.store.session_find(session.id).await.unwrap().unwrap();
        assert_eq!(record.session, session);
        assert_eq!(record.device, device("laptop"));
        assert_eq!((record.last_used_at, record.refresh_count), (T0, 0));
        assert!(world.store.session_find(SessionId::from_bytes([7; 16])).await.unwrap().is_none());
    }
}

#[tokio::test]
async fn a_sign_in_is_refused_for_a_user_who_is_gone_disabled_or_changed() {
    for world in World::each() {
        let ada = world.user("ada").await;
        let create = async |id, version| {
            let created = world.store.session_create(id, version, new_session(T0), T0).await.unwrap();
            match created {
                SessionCreated::Created { .. } => "created",
                SessionCreated::UserChanged => "changed",
                SessionCreated::UserDisabled => "disabled",
                SessionCreated::UserGone => "gone",
            }
        };
        assert_eq!(create(ada.id, ada.token_version).await, "created");
        assert_eq!(create(ada.id, ada.token_version + 1).await, "changed");
        assert_eq!(create(UserId::from_bytes([7; 16]), 1).await, "gone");
        world.store.user_disable(ada.id, order(EndReason::UserDisabled), T0).await.unwrap();
        assert_eq!(create(ada.id, ada.token_version + 1).await, "disabled");
        world.store.user_delete(ada.id, order(EndReason::UserDeleted), T0).await.unwrap();
        assert_eq!(create(ada.id, ada.token_version + 1).await, "gone");
        assert_eq!(world.store.session_count(T0).await.unwrap().total(), 0);
    }
}

#[tokio::test]
async fn a_sign_in_replaces_the_sessions_of_the_same_user_on_the_same_device() {
    for world in World::each() {
        let (ada, eve) = (world.user("ada").await, world.user("eve").await);
        let first = world.sign_in_at(&ada, device("laptop"), T0).await;
        let elsewhere = world.sign_in_at(&ada, device("phone"), T0).await;
        let nameless = world.sign_in_at(&ada, Device::default(), T0).await;
        let somebody = world.sign_in_at(&eve, device("laptop"), T0).await;
        let new = NewSession { device: device("laptop"), ..new_session(T0) };
        let created = world.store.session_create(ada.id, ada.token_version, new, T0 + SECOND).await.unwrap();
        let SessionCreated::Created { replaced, person, .. } = created else { panic!("not created") };
        assert_eq!(replaced, [first.id]);
        assert_eq!(person.id, ada.id);
        let end = world.store.session_find(first.id).await.unwrap().unwrap().session.ended.unwrap();
        assert_eq!((end.reason, end.at), (EndReason::ReplacedBySignIn, T0 + SECOND));
        for alive in [&elsewhere, &nameless, &somebody] {
            assert_eq!(name_of(&world.refresh(&world.jar(alive), T0 + SECOND).await), "served");
        }
    }
}

#[tokio::test]
async fn a_sign_in_replaces_no_session_that_is_younger_than_it_says() {
    for world in World::each() {
        let ada = world.user("ada").await;
        let sign_in = async |replaces_before, now| {
            let new = NewSession { device: device("laptop"), replaces_before, ..new_session(now) };
            match world.store.session_create(ada.id, ada.token_version, new, now).await.unwrap() {
                SessionCreated::Created { session, replaced, .. } => (session.id, replaced),
                _ => panic!("not created"),
            }
        };
        let (first, _) = sign_in(T0, T0).await;
        let (_, replaced) = sign_in(T0, T0 + 2 * SECOND).await;
        assert_eq!(replaced, [], "a copy of the sign-in that made the first");
        let (_, replaced) = sign_in(T0 + SECOND, T0 + 3 * SECOND).await;
        assert_eq!(replaced, [first]);
    }
}

#[tokio::test]
async fn an_end_keeps_its_reason_actor_time_note_and_receipt_and_happens_once() {
    for world in World::each() {
        let ada = world.user("ada").await;
        let session = world.sign_in(&ada).await;
        let by_admin = EndOrder {
            reason: EndReason::AdminRevoked,
            actor: Actor::Admin("grace".into()),
            note: Some("lost laptop".into()),
            whence: Default::default(),
        };
        let end = async |order, now| {
            world.store.session_end(ada.id, Scope::One(session.id), false, order, now).await.unwrap()
        };
        let first = end(by_admin.clone(), T0 + SECOND).await;
        let [ended] = &first[..] else { panic!("{first:?}") };
        assert!(ended.newly);
        assert_eq!(ended.end.reason, by_admin.reason);
        assert_eq!(ended.end.actor, by_admin.actor);
        assert_eq!(ended.end.note, by_admin.note);
        assert_eq!(ended.end.at, T0 + SECOND);
        assert!(ended.end.receipt.as_str().starts_with("R-"));
        let stored = world.store.session_find(session.id).await.unwrap().unwrap().session.ended;
        assert_eq!(stored.as_ref(), Some(&ended.end));
        let second = end(order(EndReason::SignedOut), T0 + MINUTE).await;
        assert_eq!((second[0].newly, &second[0].end), (false, &ended.end));
    }
}

#[tokio::test]
async fn a_receipt_finds_every_session_that_ended_with_it_newest_first() {
    for world in World::each() {
        let ada = world.user("ada").await;
        let sessions =
            [world.sign_in(&ada).await, world.sign_in_at(&ada, device("laptop"), T0 + SECOND).await];
        let mut receipts = Vec::new();
        for session in &sessions {
            let by_user = order(EndReason::SignedOut);
            let ended = world.store.session_end(ada.id, Scope::One(session.id), false, by_user, T0 + MINUTE);
            receipts.push(ended.await.unwrap().remove(0).end.receipt);
        }
        let alive = world.sign_in(&ada).await;
        let found = async |receipt: &ReceiptId| world.store.session_find_by_receipt(receipt).await.unwrap();
        for (session, receipt) in sessions.iter().zip(&receipts) {
            let record = world.store.session_find(session.id).await.unwrap().unwrap();
            assert_eq!(found(receipt).await, [record]);
        }
        assert_eq!(found(&ReceiptId::from_stored("R-NOBODY".into())).await, []);
        assert_eq!(found(&ReceiptId::from_stored(String::new())).await, []);
        // Drawn twice, as happens among ten million.
        let id = world.id(&sessions[1]);
        world.backend.sql(&format!("UPDATE session SET receipt = '{}' WHERE id = {id}", receipts[0]));
        let ids: Vec<_> = found(&receipts[0]).await.into_iter().map(|record| record.session.id).collect();
        assert_eq!(ids, [sessions[1].id, sessions[0].id]);
        assert_eq!(name_of(&world.refresh(&world.jar(&alive), T0 + MINUTE).await), "served");
    }
}

#[tokio::test]
async fn a_scope_ends_what_it_names_and_reports_only_that() {
    for world in World::each() {
        let (ada, eve) = (world.user("ada").await, world.user("eve").await);
        let mut sessions = Vec::new();
        for seconds in 0..4 {
            sessions.push(world.sign_in_at(&ada, Device::default(), T0 + seconds * SECOND).await.id);
        }
        let others = world.sign_in(&eve).await;
        let end = async |scope, now| {
            let by_user = order(EndReason::SignedOut);
            let ended = world.store.session_end(ada.id, scope, false, by_user, now).await.unwrap();
            ended.into_iter().map(|ended| ended.session_id).collect::<Vec<_>>()
        };
        let now = T0 + MINUTE;
        assert_eq!(end(Scope::One(others.id), now).await, []);
        assert_eq!(end(Scope::One(SessionId::from_bytes([7; 16])), now).await, []);
        assert_eq!(end(Scope::One(sessions[0]), now).await, [sessions[0]]);
        // Newest first, and not what had ended before.
        assert_eq!(end(Scope::AllBut(sessions[2]), now).await, [sessions[3], sessions[1]]);
        assert_eq!(end(Scope::All, now).await, [sessions[2]]);
        assert_eq!(end(Scope::All, now).await, []);
        assert_eq!(name_of(&world.refresh(&world.jar(&others), now).await), "served");
    }
}

#[tokio::test]
async fn an_order_finds_no_session_that_the_clock_has_ended() {
    for world in World::each() {
        let ada = world.user("ada").await;
        let session = world.sign_in(&ada).await;
        let now = session.expires_at + MINUTE;
        let by_user = order(EndReason::SignedOut);
        let all = world.store.session_end(ada.id, Scope::All, false, by_user.clone(), now).await.unwrap();
        assert!(all.is_empty());
        let one = Scope::One(session.id);
        let ended = world.store.session_end(ada.id, one, false, by_user, now).await.unwrap();
        assert_eq!((ended[0].newly, ended[0].end.reason), (true, EndReason::RememberedLifetime));
    }
}

#[tokio::test]
async fn signing_out_everywhere_kills_the_access_tokens_too() {
    for world in World::each() {
        let ada = world.user("ada").await;
        let session = world.sign_in(&ada).await;
        assert!(world.stands(&session, &ada).await);
        let everywhere = order(EndReason::SignedOutEverywhere);
        world.store.session_end(ada.id, Scope::All, true, everywhere, T0).await.unwrap();
        let after = world.store.user_find(ada.id).await.unwrap().unwrap();
        assert_eq!(after.token_version, ada.token_version + 1);
        assert!(!world.stands(&session, &after).await);
    }
}

#[tokio::test]
async fn a_list_is_newest_first_bounded_and_shows_the_ended_only_if_asked() {
    for world in World::each() {
        let ada = world.user("ada").await;
        let mut ids = Vec::new();
        for seconds in 0..5 {
            ids.push(world.sign_in_at(&ada, device(&seconds.to_string()), T0 + seconds * SECOND).await.id);
        }
        ids.reverse();
        let one = Scope::One(ids[1]);
        world.store.session_end(ada.id, one, false, order(EndReason::SignedOut), T0).await.unwrap();
        let list = async |with_ended, limit, now| {
            let records = world.store.session_list(ada.id, with_ended, limit, now).await.unwrap();
            records.into_iter().map(|record| record.session.id).collect::<Vec<_>>()
        };
        assert_eq!(list(true, 10, T0).await, ids);
        assert_eq!(list(false, 10, T0).await, [ids[0], ids[2], ids[3], ids[4]]);
        assert_eq!(list(false, 2, T0).await, [ids[0], ids[2]]);
        // The oldest two expire, a second after each other.
        assert_eq!(list(false, 10, T0 + 20 * DAY + 61 * SECOND).await, [ids[0], ids[2]]);
        let nobody = UserId::from_bytes([7; 16]);
        assert!(world.store.session_list(nobody, true, 10, T0).await.unwrap().is_empty());
    }
}

#[tokio::test]
async fn counting_leaves_out_what_has_ended_or_expired() {
    for world in World::each() {
        let ada = world.user("ada").await;
        let first = world.sign_in(&ada).await;
        world.sign_in_at(&ada, Device::default(), T0 + DAY).await;
        assert_eq!(world.store.session_count(T0).await.unwrap().total(), 2);
        assert_eq!(world.store.session_count(first.expires_at + 59 * SECOND).await.unwrap().total(), 2);
        assert_eq!(world.store.session_count(first.expires_at + MINUTE).await.unwrap().total(), 1);
        world.store.session_end(ada.id, Scope::All, false, order(EndReason::SignedOut), T0).await.unwrap();
        assert_eq!(world.store.session_count(T0).await.unwrap().total(), 0);
    }
}

#[tokio::test]
async fn sweeping_deletes_what_is_long_over_and_never_what_is_alive() {
    for world in World::each() {
        let ada = world.user("ada").await;
        let expiring = world.sign_in_at(&ada, device("a"), T0).await;
        let mut ended = Vec::new();
        for hour in 1..=3 {
            let session = world.sign_in_at(&ada, device("b"), T0 + hour * 60 * MINUTE).await;
            let one = Scope::One(session.id);
            let now = T0 + hour * 60 * MINUTE;
            world.store.session_end(ada.id, one, false, order(EndReason::SignedOut), now).await.unwrap();
            ended.push(session);
        }
        assert_eq!(world.store.sweep(T0, 100).await.unwrap(), 0);
        assert_eq!(world.store.sweep(T0 + 150 * MINUTE, 1).await.unwrap(), 1);
        assert_eq!(world.store.sweep(T0 + 150 * MINUTE, 100).await.unwrap(), 1);
        assert!(world.store.session_find(ended[1].id).await.unwrap().is_none());
        assert!(world.store.session_find(ended[2].id).await.unwrap().is_some());
        // In its minute of grace a session is still served, so it is no sweepings.
        assert_eq!(world.store.sweep(expiring.expires_at + MINUTE - SECOND, 100).await.unwrap(), 1);
        let last_moment = expiring.expires_at + MINUTE - SECOND;
        assert_eq!(name_of(&world.refresh(&world.jar(&expiring), last_moment).await), "served");
        assert_eq!(world.store.sweep(expiring.expires_at + 61 * SECOND, 100).await.unwrap(), 1);
        assert_eq!(name_of(&world.refresh(&world.jar(&expiring), T0).await), "missing");
        assert_eq!(world.backend.number("SELECT count(*) FROM session_device"), 0);
    }
}
