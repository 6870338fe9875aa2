use super::*;
use crate::secret::MasterSecret;

const AT: Timestamp = Timestamp::from_ms(1_795_000_000_000);

fn key() -> AuditKey {
    MasterSecret::from_bytes([5; 32]).audit_key()
}

/// A chain of events, of which each is different in every field.
fn chain(length: u8) -> Vec<Event> {
    let mut at = Link::default();
    let sealed = (1..=length).map(|number| {
        let mut what = Occurrence::new(EventKind::ALL[usize::from(number) % 18], AT);
        what.user = Some(UserId::from_bytes([number; 16]));
        what.session = Some(SessionId::from_bytes([number; 16]));
        what.subject = Some(format!("R-0000-000{number}"));
        what.actor = Some("user".into());
        what.whence =
            Whence { address: Some(format!("192.0.2.{number}")), user_agent: Some("Firefox".into()) };
        what.cause = Some("signed_out".into());
        what.detail = Some(format!("{{\"n\":{number}}}"));
        let mut event = Event::new(EventId::from_bytes([number; 16]), what);
        let seal = key().seal(&event, at);
        at = seal.link;
        event.seal = Some(seal);
        event
    });
    sealed.collect()
}

fn broken(events: &[Event]) -> Vec<Broken> {
    verified(events, None).broken
}

struct Verified {
    broken: Vec<Broken>,
    end: Option<Link>,
    erased: u64,
}

fn verified(events: &[Event], noted: Option<Link>) -> Verified {
    let keys = [key()];
    let mut verifier = Verifier::new(&keys, noted);
    events.iter().for_each(|event| verifier.look_at(event));
    let end = verifier.finish();
    Verified { broken: verifier.broken, end, erased: verifier.erased }
}

#[test]
fn kinds_survive_their_text_form() {
    for kind in EventKind::ALL {
        assert_eq!(kind.to_string().parse(), Ok(kind));
        assert_eq!(serde_json::to_string(&kind).unwrap(), format!("\"{kind}\""));
    }
}

#[test]
fn a_chain_that_nobody_touched_holds_and_has_an_end() {
    let events = chain(9);
    let Verified { broken, end, erased } = verified(&events, None);
    assert_eq!((broken, erased), (vec![], 0));
    assert_eq!(end, events[8].seal.map(|seal| seal.link));
    let text = end.unwrap().to_string();
    assert_eq!(text.parse(), Ok(end.unwrap()));
    assert!("9:00".parse::<Link>().is_err() && "x".parse::<Link>().is_err());
    assert_eq!(verified(&[], None).end, None);
}

#[test]
fn whatever_is_changed_in_a_row_breaks_the_chain_at_that_row() {
    let edits: [fn(&mut Event); 11] = [
        |event| event.id = EventId::from_bytes([77; 16]),
        |event| event.what.at = AT + std::time::Duration::from_millis(1),
        |event| event.what.kind = EventKind::EventsPruned,
        |event| event.what.user = None,
        |event| event.what.session = Some(SessionId::from_bytes([0; 16])),
        |event| event.what.subject = Some(String::new()),
        |event| event.what.actor = Some("admin:eve".into()),
        |event| event.what.cause = None,
        |event| event.what.count = 2,
        |event| event.what.detail = Some("{\"n\":77}".into()),
        |event| event.seal.as_mut().unwrap().whence[0] ^= 1,
    ];
    for edit in edits {
        let mut events = chain(5);
        edit(&mut events[2]);
        let found = broken(&events);
        let is_there = |broken: &Broken| {
            matches!(broken, Broken::Changed { number: 3, .. } | Broken::WhenceChanged { number: 3, .. })
        };
        assert!(!found.is_empty() && found.iter().all(is_there), "{found:?}");
    }
}

#[test]
fn a_text_that_moves_from_one_field_to_the_next_is_a_change() {
    let mut events = chain(3);
    let what = &mut events[1].what;
    (what.actor, what.cause) = (what.cause.take(), what.actor.take());
    assert_eq!(broken(&events).len(), 1);
    let mut events = chain(3);
    events[1].what.cause = None;
    events[1].what.actor = Some("usersigned_out".into());
    assert_eq!(broken(&events).len(), 1);
}

#[test]
fn a_row_that_was_taken_out_put_in_or_moved_is_noticed() {
    let mut events = chain(5);
    events.remove(2);
    assert_eq!(broken(&events), [Broken::Missing { from: 3, upto: 3 }]);
    let mut events = chain(5);
    let copy = events[2].clone();
    events.insert(3, copy);
    assert!(!broken(&events).is_empty());
    let mut events = chain(5);
    let (first, second) = (events[1].what.clone(), events[2].what.clone());
    (events[1].what, events[2].what) = (second, first);
    assert!(!broken(&events).is_empty());
}

#[test]
fn whoever_knows_no_key_cannot_make_a_chain_of_their_own() {
    let other = MasterSecret::from_bytes([6; 32]).audit_key();
    let mut events = chain(3);
    let after = events[1].seal.unwrap().link;
    events[2].what.cause = Some("forged".into());
    events[2].seal = Some(other.seal(&events[2], after));
    assert!(broken(&events).contains(&Broken::Changed { number: 3, id: events[2].id }));
}

#[test]
fn the_end_that_was_cut_off_is_missed_by_whoever_noted_it_down() {
    let events = chain(5);
    let noted = events[4].seal.map(|seal| seal.link);
    assert_eq!(broken(&events[..4]), [], "the chain alone cannot tell");
    assert_eq!(verified(&events[..4], noted).broken, [Broken::Missing { from: 5, upto: 5 }]);
    assert_eq!(verified(&events, noted).broken, []);
    let other = Link { number: 5, tag: [9; 32] };
    assert_eq!(verified(&events, Some(other)).broken, [Broken::NotAsNoted { number: 5 }]);
}

#[test]
fn a_person_can_be_forgotten_without_breaking_the_chain() {
    let mut events = chain(4);
    events[1].what.whence = Whence::default();
    let Verified { broken, erased, .. } = verified(&events, None);
    assert_eq!((broken, erased), (vec![], 1));
    events[1].what.whence.address = Some("198.51.100.1".into());
    let forged = verified(&events, None).broken;
    assert_eq!(forged, [Broken::WhenceChanged { number: 2, id: events[1].id }]);
}

#[test]
fn a_beginning_that_is_gone_is_accounted_for_by_a_pruning_and_by_nothing_else() {
    let mut events = chain(4);
    let deleted = events[1].seal.unwrap().link;
    let mut pruning = Occurrence::new(EventKind::EventsPruned, AT);
    pruning = pruning.with_detail(&key().pruning(deleted));
    let mut pruning = Event::new(EventId::from_bytes([50; 16]), pruning);
    pruning.seal = Some(key().seal(&pruning, events[3].seal.unwrap().link));
    events.push(pruning.clone());
    assert_eq!(broken(&events[2..]), []);
    assert_eq!(broken(&events[1..]), [Broken::BeginningMissing { first: 2 }]);
    assert_eq!(broken(&events[3..]), [Broken::BeginningMissing { first: 4 }]);
    // Before it is sealed it is as good; without a server's proof it is nothing, sealed or not.
    let keys = [key()];
    let mut verifier = Verifier::new(&keys, Some(Link { number: 2, tag: [9; 32] }));
    verifier.hear_of_pruning(&pruning);
    events[2..4].iter().for_each(|event| verifier.look_at(event));
    verifier.finish();
    assert!(verifier.broken.is_empty() && verifier.noted_is_pruned);
    let mut forged = pruning.clone();
    let deleted = Pruned { proof: tag_hex(&[9; 32]), ..key().pruning(events[2].seal.unwrap().link) };
    forged.what = Occurrence::new(EventKind::EventsPruned, AT).with_detail(&deleted);
    forged.seal = Some(key().seal(&forged, events[3].seal.unwrap().link));
    assert_eq!(broken(&[events[3].clone(), forged]), [Broken::BeginningMissing { first: 4 }]);
    let mut edited = events[2..].to_vec();
    edited[0].what.cause = None;
    assert_eq!(broken(&edited), [Broken::Changed { number: 3, id: edited[0].id }]);
}

#[test]
fn a_chain_goes_on_under_another_master_secret_for_whoever_has_both() {
    let mut events = chain(3);
    let other = MasterSecret::from_bytes([6; 32]).audit_key();
    let mut next = Event { id: EventId::from_bytes([50; 16]), seal: None, ..events[0].clone() };
    next.seal = Some(other.seal(&next, events[2].seal.unwrap().link));
    events.push(next);
    let keys = [other, key()];
    let mut verifier = Verifier::new(&keys, None);
    events.iter().for_each(|event| verifier.look_at(event));
    verifier.finish();
    assert_eq!(verifier.broken, []);
    assert!(!broken(&events).is_empty());
}

#[test]
fn a_kind_of_another_version_is_sealed_by_its_own_name() {
    let mut events = chain(2);
    let mut later = Event::new(EventId::from_bytes([50; 16]), Occurrence::new(EventKind::Other, AT));
    later.other_kind = Some("shaken_hands".into());
    later.seal = Some(key().seal(&later, events[1].seal.unwrap().link));
    events.push(later);
    assert_eq!(broken(&events), []);
    events[2].other_kind = Some("shot".into());
    assert_eq!(broken(&events).len(), 1);
}
