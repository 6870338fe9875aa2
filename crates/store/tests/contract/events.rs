//! The record of what happened: written with what it tells of, sealed once, and deleted from its oldest end.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use tenure_domain::ends::{Actor, EndReason};
use tenure_domain::event::{Event, EventKind, Link, Occurrence, Verifier, Whence};
use tenure_domain::id::{ReceiptId, SessionId};
use tenure_domain::secret::{AuditKey, MasterSecret};
use tenure_domain::time::Timestamp;
use tenure_store::{EndOrder, EventFilter, Expected, PasswordChanged, Scope, StoredKey, Subject};

use crate::world::{DAY, HOUR, MINUTE, SECOND, T0, World, decree, device, hash, join_all, order};

fn key() -> AuditKey {
    MasterSecret::from_bytes([9; 32]).audit_key()
}

fn whence(address: &str) -> Whence {
    Whence { address: Some(address.into()), user_agent: Some("Browser/2".into()) }
}

async fn list(world: &World, filter: EventFilter) -> Vec<Occurrence> {
    let listed = world.store.event_list(filter, 1_000).await.unwrap();
    listed.into_iter().map(|event| event.what).collect()
}

/// The events of one kind, newest first.
async fn of_kind(world: &World, kind: EventKind) -> Vec<Occurrence> {
    list(world, EventFilter { kind: Some(kind), ..EventFilter::default() }).await
}

fn detail(what: &Occurrence) -> Value {
    serde_json::from_str(what.detail.as_deref().unwrap()).unwrap()
}

/// Seals all that waits, a few at a time; false if somebody else was first.
async fn seal_some(world: &World, limit: usize) -> Option<bool> {
    let after = world.store.event_end().await.unwrap();
    let waiting = world.store.event_unsealed(limit).await.unwrap();
    if waiting.is_empty() {
        return None;
    }
    let mut at = after;
    let seals = waiting.iter().map(|event| {
        let seal = key().seal(event, at);
        at = seal.link;
        (event.id, seal)
    });
    Some(world.store.event_seal(after, seals.collect()).await.unwrap())
}

async fn seal(world: &World) {
    while let Some(is_sealed) = seal_some(world, 3).await {
        assert!(is_sealed);
    }
}

async fn chain(world: &World) -> Vec<Event> {
    world.store.event_chain(0, 10_000).await.unwrap()
}

async fn broken(world: &World) -> usize {
    let keys = [key()];
    let mut verifier = Verifier::new(&keys, None);
    chain(world).await.iter().for_each(|event| verifier.look_at(event));
    verifier.finish();
    verifier.broken.len()
}

#[tokio::test]
async fn a_sign_in_is_on_record_with_where_it_came_from() {
    for world in World::each() {
        let ada = world.user("ada").await;
        let session = world.sign_in_at(&ada, device("laptop"), T0).await;
        let [event] = &of_kind(&world, EventKind::SignedIn).await[..] else { panic!("one sign-in") };
        assert_eq!((event.user, event.session, event.at), (Some(ada.id), Some(session.id), T0));
        assert_eq!(
            event.whence,
            Whence { address: Some("192.0.2.1".into()), user_agent: Some("Browser/1".into()) }
        );
        let expected =
            json!({ "remembered": true, "expires_at": session.expires_at.as_ms(), "device_id": "laptop" });
        assert_eq!(detail(event), expected);
        assert_eq!(of_kind(&world, EventKind::Registered).await.len(), 1);
    }
}

/// The receipt in the session's row and the record of it say the same, down to how the session stood.
#[tokio::test]
async fn an_end_is_on_record_with_its_receipt_and_how_the_session_stood() {
    for world in World::each() {
        let ada = world.user("ada").await;
        let session = world.sign_in(&ada).await;
        let mut jar = world.jar(&session);
        let at = T0 + 2 * HOUR;
        let served = world.served(&mut jar, at).await;
        let order = EndOrder {
            reason: EndReason::AdminRevoked,
            actor: Actor::Admin("grace".into()),
            note: Some("lost \"laptop\"".into()),
            whence: whence("198.51.100.7"),
        };
        let ended = world.store.session_end(ada.id, Scope::All, false, order, at + HOUR).await.unwrap();
        let [event] = &of_kind(&world, EventKind::SessionEnded).await[..] else { panic!("one end") };
        assert_eq!(event.subject.as_deref(), Some(ended[0].end.receipt.as_str()));
        assert_eq!((event.user, event.session, event.at), (Some(ada.id), Some(session.id), at + HOUR));
        assert_eq!(
            (event.cause.as_deref(), event.actor.as_deref()),
            (Some("admin_revoked"), Some("admin:grace"))
        );
        assert_eq!(event.whence, whence("198.51.100.7"));
        let rotation = served.rotation;
        let expected = json!({
            "remembered": true, "created_at": T0.as_ms(), "expires_at": session.expires_at.as_ms(),
            "last_used_at": at.as_ms(), "refresh_count": 1, "base": rotation.base.0, "head": rotation.head.0,
            "handed_at": at.as_ms(), "healed": rotation.healed, "contested_at": null, "note": "lost \"laptop\"",
        });
        assert_eq!(detail(event), expected);
    }
}

#[tokio::test]
async fn whatever_ends_a_session_leaves_exactly_one_record_of_it() {
    for world in World::each() {
        let ada = world.user("ada").await;
        let expiring = world.sign_in(&ada).await;
        let jar = world.jar(&expiring);
        let late = expiring.expires_at + 2 * MINUTE;
        world.refresh(&jar, late).await;
        world.refresh(&jar, late + SECOND).await;
        let first = world.sign_in_at(&ada, device("phone"), late).await;
        world.sign_in_at(&ada, device("phone"), late + HOUR).await;
        let jar = world.sign_in_at(&ada, device("desk"), late + HOUR).await;
        let tokens = vec![world.read(&world.jar(&jar))];
        let sign_out = order(EndReason::SignedOut);
        for _ in 0..2 {
            let ended = world
                .store
                .session_end_presented(tokens.clone(), world.rules.clone(), sign_out.clone(), late + 2 * HOUR)
                .await;
            assert_eq!(ended.unwrap().len(), 1);
        }
        world.store.user_disable(ada.id, order(EndReason::UserDisabled), late + 3 * HOUR).await.unwrap();
        let ends = of_kind(&world, EventKind::SessionEnded).await;
        let mut causes: Vec<_> = ends.iter().map(|event| event.cause.clone().unwrap()).collect();
        causes.sort();
        assert_eq!(causes, ["remembered_lifetime", "replaced_by_sign_in", "signed_out", "user_disabled"]);
        let replaced = ends.iter().find(|event| event.session == Some(first.id)).unwrap();
        assert_eq!(replaced.whence.address.as_deref(), Some("192.0.2.1"), "of the sign-in that replaced it");
    }
}

#[tokio::test]
async fn passwords_keys_and_acts_are_on_record() {
    for world in World::each() {
        let ada = world.user("ada").await;
        let own = order(EndReason::PasswordChanged);
        let changed = world
            .store
            .user_set_password(ada.id, Expected::Anyhow, hash("new"), None, own, T0)
            .await
            .unwrap();
        assert!(matches!(changed, PasswordChanged::Changed { .. }));
        let admin = EndOrder { actor: decree().actor, ..order(EndReason::PasswordReset) };
        world
            .store
            .user_set_password(ada.id, Expected::Anyhow, hash("newer"), None, admin, T0)
            .await
            .unwrap();
        let by = |event: &Occurrence| (event.user, event.actor.clone());
        let changed = of_kind(&world, EventKind::PasswordChanged).await;
        assert_eq!(changed.iter().map(by).collect::<Vec<_>>(), [(Some(ada.id), Some("user".into()))]);
        let reset = of_kind(&world, EventKind::PasswordReset).await;
        assert_eq!(reset.iter().map(by).collect::<Vec<_>>(), [(Some(ada.id), Some("admin:root".into()))]);

        let stored = StoredKey {
            kid: "kid-1".into(),
            sealed_seed: vec![1],
            created_at: T0,
            activates_at: T0,
            retires_at: None,
        };
        let other = StoredKey { kid: "kid-2".into(), ..stored.clone() };
        assert!(world.store.key_add(stored, None, false, None).await.unwrap());
        assert!(world.store.key_add(other, None, false, Some(decree())).await.unwrap());
        for kid in ["kid-1", "kid-1", "no such key", "kid-2"] {
            world.store.key_retire(kid, decree(), T0 + DAY).await.unwrap();
        }
        let subjects = async |kind| {
            let found = of_kind(&world, kind).await;
            found.into_iter().filter_map(|event| event.subject).collect::<BTreeSet<_>>()
        };
        let both = BTreeSet::from(["kid-1".to_owned(), "kid-2".to_owned()]);
        assert_eq!(subjects(EventKind::SigningKeyAdded).await, both);
        let retired = of_kind(&world, EventKind::SigningKeyRetired).await;
        assert_eq!(retired.len(), 1, "once, and never the last that signs");
        assert_eq!(retired[0].subject.as_deref(), Some("kid-1"));

        world.store.user_enable(ada.id, decree(), T0).await.unwrap();
        world
            .store
            .act_record(Subject::User(ada.id), "looked", decree(), whence("192.0.2.7"), T0)
            .await
            .unwrap();
        let acts =
            list(&world, EventFilter { subject: Some(ada.id.to_string()), ..EventFilter::default() }).await;
        let listed = world.store.act_list(Some(Subject::User(ada.id)), 100).await.unwrap();
        assert_eq!(acts.len(), listed.len());
        let looked = acts.iter().find(|act| act.cause.as_deref() == Some("looked")).unwrap();
        assert_eq!(looked.whence, whence("192.0.2.7"));
        let enabled = acts.iter().find(|act| act.cause.as_deref() == Some("state")).unwrap();
        assert_eq!(detail(enabled), json!({ "was": null, "became": "enabled", "reason": "asked" }));
        assert_eq!((enabled.user, enabled.actor.as_deref()), (Some(ada.id), Some("admin:root")));
    }
}

#[tokio::test]
async fn sessions_that_nothing_explains_are_told_whoever_else_is_on_record() {
    for world in World::each() {
        let [left, claimed, other] = [1, 2, 3].map(|n| SessionId::from_bytes([n; 16]));
        let told = |session, user| Occurrence {
            session: Some(session),
            user,
            ..Occurrence::new(EventKind::UnexplainedEnd, T0)
        };
        let ada = Some(world.user("ada").await.id);
        let seen = Occurrence { session: Some(other), ..Occurrence::new(EventKind::ClientReport, T0) };
        let events = vec![told(left, ada), told(left, None), told(claimed, None), seen];
        world.store.event_add(events).await.unwrap();
        let asked = vec![left, claimed, other, left];
        let found = world.store.event_unexplained(asked).await.unwrap();
        assert_eq!(found, [(left, true), (claimed, false)].into());
        assert!(world.store.event_unexplained(vec![]).await.unwrap().is_empty());
    }
}

#[tokio::test]
async fn events_are_found_by_whatever_is_known_of_them() {
    for world in World::each() {
        let session = SessionId::from_bytes([1; 16]);
        let full = Occurrence {
            session: Some(session),
            subject: Some("R-1234-5678".into()),
            actor: Some("user".into()),
            whence: whence("192.0.2.9"),
            cause: Some("session_revoked".into()),
            count: 3,
            detail: Some("{\"a\":\"Gr\u{fc}\u{df}e '\\\"\"}".into()),
            ..Occurrence::new(EventKind::RefreshRefused, T0 + MINUTE)
        };
        let bare = Occurrence::new(EventKind::ServerStarted, T0);
        world.store.event_add(vec![bare.clone(), full.clone()]).await.unwrap();
        let all = EventFilter::default();
        assert_eq!(list(&world, all.clone()).await, [full.clone(), bare.clone()], "newest first");
        for filter in [
            EventFilter { kind: Some(EventKind::RefreshRefused), ..all.clone() },
            EventFilter { among: &[EventKind::SignedIn, EventKind::RefreshRefused], ..all.clone() },
            EventFilter { session: Some(session), ..all.clone() },
            EventFilter { subject: full.subject.clone(), ..all.clone() },
            EventFilter { actors: vec!["clock".into(), "user".into()], ..all.clone() },
            EventFilter { cause: full.cause.clone(), since: Some(T0), ..all.clone() },
            EventFilter { since: Some(T0 + MINUTE), ..all.clone() },
        ] {
            assert_eq!(list(&world, filter).await, std::slice::from_ref(&full));
        }
        for filter in [
            EventFilter { until: Some(T0 + MINUTE), ..all.clone() },
            EventFilter { kind: Some(EventKind::ServerStarted), session: None, ..all.clone() },
        ] {
            assert_eq!(list(&world, filter).await, std::slice::from_ref(&bare));
        }
        let both = &[EventKind::RefreshRefused, EventKind::ServerStarted];
        assert_eq!(list(&world, EventFilter { among: both, ..all.clone() }).await.len(), 2);
        let neither = EventFilter { among: both, kind: Some(EventKind::SignedIn), ..all.clone() };
        assert_eq!(list(&world, neither).await, []);
        let newest = world.store.event_list(all.clone(), 1).await.unwrap().remove(0);
        let older = EventFilter { before: Some(newest.id), ..all.clone() };
        assert_eq!(list(&world, older).await, std::slice::from_ref(&bare));
        assert_eq!(list(&world, EventFilter { session: Some(session), until: Some(T0), ..all }).await, []);
    }
}

#[tokio::test]
async fn a_batch_is_added_as_a_whole_and_in_no_transaction_of_others() {
    for world in World::each() {
        let many = (0..300).map(|n| Occurrence {
            cause: Some(n.to_string()),
            ..Occurrence::new(EventKind::SignInFailed, T0)
        });
        world.store.event_add(many.collect()).await.unwrap();
        assert_eq!(of_kind(&world, EventKind::SignInFailed).await.len(), 300);
        world.store.event_add(vec![]).await.unwrap();
    }
}

/// Puts in sealed or unsealed rows of which nothing can be read, before every other event and after the oldest.
fn plant_unreadable(world: &World, ids: std::ops::Range<u128>, number: impl Fn(u128) -> Option<u128>) {
    for n in ids {
        let id = world.backend.id(&n.to_be_bytes());
        let seq = number(n).map_or("NULL".to_owned(), |number| number.to_string());
        let values = format!("{id}, 0, 'signed_in', -1, {seq}");
        world.backend.sql(&format!("INSERT INTO event (id, at, kind, count, seq) VALUES ({values})"));
    }
}

/// Whoever writes to the database keeps no event from its seal by putting rows before it that nobody can read, and
/// hides none behind them.
#[tokio::test]
async fn rows_that_cannot_be_read_hide_none_of_those_after_them() {
    for world in World::each() {
        let ada = world.user("ada").await;
        plant_unreadable(&world, 0..7, |_| None);
        seal(&world).await;
        assert_eq!(chain(&world).await.len(), 1);
        assert_eq!(world.store.event_count_unsealed(T0 + SECOND).await.unwrap(), 7);
        plant_unreadable(&world, 10..17, |n| Some(n - 8));
        let after = world.store.event_chain(2, 3).await.unwrap();
        assert!(after.is_empty());
        world.sign_in(&ada).await;
        let end = Link { number: 8, tag: [7; 32] };
        let waiting = world.store.event_unsealed(3).await.unwrap();
        let tag = "00".repeat(32);
        let (set, id) = match world.backend.is_postgres() {
            true => (
                format!("tag = '\\x{tag}', whence_tag = '\\x{tag}'"),
                world.backend.id(waiting[0].id.as_bytes()),
            ),
            false => {
                (format!("tag = x'{tag}', whence_tag = x'{tag}'"), world.backend.id(waiting[0].id.as_bytes()))
            }
        };
        world.backend.sql(&format!("UPDATE event SET seq = {}, {set} WHERE id = {id}", end.number + 1));
        let after = world.store.event_chain(2, 3).await.unwrap();
        assert_eq!(after.iter().map(|event| event.seal.unwrap().link.number).collect::<Vec<_>>(), [9]);
        assert!(broken(&world).await > 0);
        let oldest = EventFilter { until: Some(T0 + DAY), ..EventFilter::default() };
        assert_eq!(world.store.event_list(oldest, 3).await.unwrap().len(), 2);
    }
}

#[tokio::test]
async fn every_event_is_sealed_once_and_edits_show() {
    for world in World::each() {
        let ada = world.user("ada").await;
        for _ in 0..4 {
            world.sign_in(&ada).await;
        }
        assert_eq!(world.store.event_count_unsealed(T0).await.unwrap(), 0, "none of before");
        assert_eq!(world.store.event_count_unsealed(T0 + SECOND).await.unwrap(), 5);
        seal(&world).await;
        assert_eq!(world.store.event_count_unsealed(T0 + DAY).await.unwrap(), 0);
        assert_eq!((chain(&world).await.len(), broken(&world).await), (5, 0));
        world.sign_in(&ada).await;
        seal(&world).await;
        let numbers: Vec<_> =
            chain(&world).await.iter().map(|event| event.seal.unwrap().link.number).collect();
        assert_eq!(numbers, [1, 2, 3, 4, 5, 6]);

        for (edit, is_refused) in [
            ("UPDATE event SET cause = 'edited' WHERE seq = 3", true),
            ("UPDATE event SET seq = 9 WHERE seq = 3", true),
            ("UPDATE event SET address = '203.0.113.1' WHERE seq = 3", false),
        ] {
            let edited = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| world.backend.sql(edit)));
            assert_eq!(edited.is_err(), is_refused, "{edit}");
        }
        assert_eq!(broken(&world).await, 1, "an address that was put in");
        world.backend.sql("UPDATE event SET address = NULL, user_agent = NULL WHERE seq = 3");
        assert_eq!(broken(&world).await, 0, "an address that was taken out");
        world.backend.sql("DELETE FROM event WHERE seq = 4");
        assert_eq!(broken(&world).await, 1);
    }
}

#[tokio::test]
async fn of_those_who_seal_at_once_one_does() {
    for world in World::each() {
        let ada = world.user("ada").await;
        for _ in 0..20 {
            world.sign_in(&ada).await;
        }
        let other = world.second_handle();
        join_all((0..8).map(async |n| {
            let world = if n % 2 == 0 { &world } else { &other };
            while seal_some(world, 4).await.is_some() {}
        }))
        .await;
        assert_eq!((chain(&world).await.len(), broken(&world).await), (21, 0));
        assert!(!world.store.event_seal(Link::default(), vec![]).await.unwrap(), "a chain that has moved on");
    }
}

#[tokio::test]
async fn the_oldest_are_deleted_and_the_chain_says_so() {
    for world in World::each() {
        let expire = async |before: Timestamp, limit| {
            let now = T0 + 20 * DAY;
            let Some(upto) = world.store.event_prunable(before, now, limit).await.unwrap() else { return 0 };
            let pruning = Occurrence::new(EventKind::EventsPruned, T0 + 10 * DAY);
            let pruning = pruning.with_detail(&key().pruning(upto));
            world.store.event_prune(upto.number, pruning).await.unwrap()
        };
        for day in 0..10 {
            let what = Occurrence::new(EventKind::ServerStarted, T0 + DAY * day);
            world.store.event_add(vec![what]).await.unwrap();
        }
        assert_eq!(expire(T0 + 5 * DAY, 100).await, 0, "none without a seal");
        seal(&world).await;
        assert_eq!(expire(T0, 100).await, 0);
        assert_eq!(expire(T0 + 5 * DAY, 3).await, 3);
        assert_eq!(expire(T0 + 5 * DAY, 100).await, 2);
        seal(&world).await;
        assert_eq!((chain(&world).await.len(), broken(&world).await), (7, 0));
        // All but the last, without which nobody could go on.
        assert_eq!(expire(T0 + 20 * DAY, 100).await, 6);
        seal(&world).await;
        let left = chain(&world).await;
        assert!(left.iter().all(|event| event.what.kind == EventKind::EventsPruned));
        assert_eq!((left.len(), broken(&world).await), (2, 0));
    }
}

#[tokio::test]
async fn where_somebody_was_is_forgotten_with_them_and_what_happened_is_not() {
    for world in World::each() {
        let (ada, eve) = (world.user("ada").await, world.user("eve").await);
        for user in [&ada, &eve] {
            world.sign_in_at(user, device("laptop"), T0).await;
        }
        seal(&world).await;
        let order = EndOrder { whence: whence("192.0.2.77"), ..order(EndReason::UserDeleted) };
        world.store.user_delete(ada.id, order, T0 + DAY).await.unwrap().unwrap();
        let of_ada = list(&world, EventFilter { user: Some(ada.id), ..EventFilter::default() }).await;
        assert!(of_ada.len() >= 4 && of_ada.iter().all(|event| event.whence == Whence::default()));
        let of_eve = list(&world, EventFilter { user: Some(eve.id), ..EventFilter::default() }).await;
        assert!(of_eve.iter().any(|event| event.whence.address.is_some()));
        seal(&world).await;
        assert_eq!(broken(&world).await, 0);
    }
}

#[tokio::test]
async fn a_receipt_is_found_by_its_words_alone() {
    for world in World::each() {
        let ada = world.user("ada").await;
        world.sign_in(&ada).await;
        let ended =
            world.store.session_end(ada.id, Scope::All, false, order(EndReason::SignedOut), T0 + HOUR).await;
        let receipt: ReceiptId = ended.unwrap().remove(0).end.receipt;
        let filter = EventFilter { subject: Some(receipt.to_string()), ..EventFilter::default() };
        assert_eq!(list(&world, filter).await.len(), 1);
    }
}

#[tokio::test]
async fn seals_that_another_has_put_on_meanwhile_are_void() {
    for world in World::each() {
        let ada = world.user("ada").await;
        let after = world.store.event_end().await.unwrap();
        let first = world.store.event_unsealed(10).await.unwrap();
        world.sign_in(&ada).await;
        let both = world.store.event_unsealed(10).await.unwrap();
        assert_eq!((first.len(), both.len()), (1, 2));
        let one = key().seal(&first[0], after);
        assert!(world.store.event_seal(after, vec![(first[0].id, one)]).await.unwrap());
        // By somebody who read the waiting ones before, and the end after.
        let mut at = one.link;
        let mut seals = vec![];
        for event in &both {
            let seal = key().seal(event, at);
            at = seal.link;
            seals.push((event.id, seal));
        }
        assert!(!matches!(world.store.event_seal(one.link, seals).await, Ok(true)));
        seal(&world).await;
        assert_eq!((chain(&world).await.len(), broken(&world).await), (2, 0));
    }
}

#[tokio::test]
async fn a_row_that_cannot_be_read_or_that_a_later_version_wrote_holds_up_nothing() {
    for world in World::each() {
        let ada = world.user("ada").await;
        world.sign_in(&ada).await;
        let (one, two) = ([0x01; 16], [0x02; 16]);
        let insert = |id: &[u8; 16], kind: &str, count: i64| {
            let id = world.backend.id(id);
            world.backend.sql(&format!(
                "INSERT INTO event (id, at, kind, count) VALUES ({id}, {}, '{kind}', {count})",
                T0.as_ms()
            ));
        };
        insert(&one, "of_a_later_version", 1);
        insert(&two, "server_started", -1);
        seal(&world).await;
        let sealed = chain(&world).await;
        assert_eq!((sealed.len(), broken(&world).await), (3, 0));
        assert!(sealed.iter().any(|event| event.kind() == "of_a_later_version"));
        assert_eq!(world.store.event_count_unsealed(T0 + DAY).await.unwrap(), 1, "the one that is damaged");
        let number = sealed[1].seal.unwrap().link.number;
        assert_eq!(number, 2);
        world.sign_in(&ada).await;
        seal(&world).await;
        assert_eq!(broken(&world).await, 0);
    }
}

#[tokio::test]
async fn a_clock_that_was_ahead_once_keeps_nothing_from_being_deleted() {
    for world in World::each() {
        for at in [T0, T0 + 365 * DAY, T0 + DAY, T0 + 2 * DAY] {
            world.store.event_add(vec![Occurrence::new(EventKind::ServerStarted, at)]).await.unwrap();
            seal(&world).await;
        }
        let upto = world.store.event_prunable(T0 + 2 * DAY, T0 + 9 * DAY, 100).await.unwrap();
        assert_eq!(upto.map(|link| link.number), Some(3));
    }
}

#[tokio::test]
async fn by_a_clock_that_is_behind_nothing_is_old() {
    for world in World::each() {
        for hour in 0..5 {
            let what = Occurrence::new(EventKind::ServerStarted, T0 + HOUR * hour);
            world.store.event_add(vec![what]).await.unwrap();
        }
        seal(&world).await;
        for behind in [HOUR, DAY, 1_000 * DAY] {
            let now = T0 + 2 * HOUR - behind;
            assert_eq!(world.store.event_prunable(now - DAY, now, 100).await.unwrap(), None);
        }
    }
}
