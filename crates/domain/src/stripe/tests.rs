use proptest::prelude::*;
use serde_json::json;

use super::*;

fn account_id() -> AccountId {
    AccountId::from_bytes([7; 16])
}

fn subscription_event() -> Value {
    json!({
        "id": "evt_1", "object": "event", "created": 1_700_000_000, "type": "customer.subscription.updated",
        "livemode": true, "api_version": "2024-06-20",
        "data": {
            "object": {
                "id": "sub_1", "object": "subscription", "status": "past_due", "customer": "cus_1",
                "metadata": { "tenure_account": account_id().to_string(), "other": "x" },
                "items": { "object": "list", "data": [
                    { "id": "si_1", "price": { "id": "price_pro", "object": "price" }, "quantity": 1 },
                    { "id": "si_2", "price": { "id": "price_seat", "object": "price" }, "quantity": 4 },
                ] },
            },
            "previous_attributes": { "status": "active" },
        },
    })
}

fn checkout_event() -> Value {
    json!({
        "id": "evt_2", "created": 1_700_000_000, "type": "checkout.session.completed",
        "data": { "object": {
            "id": "cs_1", "client_reference_id": account_id().to_string(), "customer": "cus_1",
            "subscription": "sub_1", "mode": "subscription",
        } },
    })
}

fn read(event: &Value) -> Result<Event, EventError> {
    Event::read(event.to_string().as_bytes())
}

/// The event with the field at `pointer` as it is there, or without it.
fn with(mut event: Value, pointer: &str, value: Option<Value>) -> Value {
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    let fields = event.pointer_mut(parent).unwrap().as_object_mut().unwrap();
    match value {
        Some(value) => fields.insert(name.into(), value),
        None => fields.remove(name),
    };
    event
}

#[test]
fn a_subscription_is_read_with_what_decides_something() {
    let expected = Notice {
        id: "evt_1".into(),
        kind: "customer.subscription.updated",
        created: Timestamp::from_ms(1_700_000_000_000),
        customer: "cus_1".into(),
        account: Some(account_id()),
        matter: Matter::Subscription(Subscription {
            id: "sub_1".into(),
            status: SubscriptionStatus::PastDue,
            prices: vec!["price_pro".into(), "price_seat".into()],
        }),
    };
    assert_eq!(read(&subscription_event()), Ok(Event::Known(expected.clone())));
    for nothing in [None, Some(Value::Null), Some(json!("")), Some(json!(" "))] {
        let event = with(subscription_event(), "/data/object/metadata/tenure_account", nothing.clone());
        match nothing.as_ref().and_then(Value::as_str) {
            Some(" ") => {
                assert_eq!(read(&event), Err(EventError::Odd("data.object.metadata.tenure_account")))
            }
            _ => assert_eq!(read(&event), Ok(Event::Known(Notice { account: None, ..expected.clone() }))),
        }
    }
}

#[test]
fn a_checkout_is_read_whoever_it_is_of() {
    let account = |event: &Value| match read(event) {
        Ok(Event::Known(notice)) => (notice.account, notice.matter),
        other => panic!("{other:?}"),
    };
    let matter = |subscription: Option<&str>| Matter::Checkout { subscription: subscription.map(Into::into) };
    assert_eq!(account(&checkout_event()), (Some(account_id()), matter(Some("sub_1"))));
    let once = with(checkout_event(), "/data/object/subscription", Some(Value::Null));
    assert_eq!(account(&once), (Some(account_id()), matter(None)));
    for foreign in [Value::Null, json!("order 7"), json!(7)] {
        let event = with(checkout_event(), "/data/object/client_reference_id", Some(foreign));
        assert_eq!(account(&event).0, None);
    }
    let guest = with(checkout_event(), "/data/object/customer", Some(Value::Null));
    assert_eq!(read(&guest), Ok(Event::Unknown { kind: CHECKOUT_KIND.into() }));
}

#[test]
fn other_events_mean_nothing_and_say_their_kind() {
    for kind in ["invoice.payment_failed", "customer.subscription.trial_will_end", "ping"] {
        let event = json!({ "id": "evt_3", "type": kind });
        assert_eq!(read(&event), Ok(Event::Unknown { kind: kind.into() }));
    }
}

#[test]
fn a_field_that_is_missing_is_named() {
    let of_both = ["id", "type", "created", "data.object.customer"];
    let of_subscriptions = ["data.object.id", "data.object.status", "data.object.items.data"];
    let of_checkouts = ["data.object.client_reference_id", "data.object.subscription"];
    for (event, names) in [(subscription_event(), &of_subscriptions[..]), (checkout_event(), &of_checkouts)] {
        for name in of_both.iter().chain(names) {
            let pointer = format!("/{}", name.replace('.', "/"));
            assert_eq!(read(&with(event.clone(), &pointer, None)), Err(EventError::Missing(name)));
            let odd = if *name == "created" { json!(-1) } else { json!({ "a": [] }) };
            let odd = read(&with(event.clone(), &pointer, Some(odd)));
            match *name {
                // What customers can write may be anything.
                "data.object.client_reference_id" => assert!(odd.is_ok()),
                _ => assert_eq!(odd, Err(EventError::Odd(name))),
            }
        }
    }
    const PRICE: &str = "data.object.items.data[].price.id";
    let items = |items| read(&with(subscription_event(), "/data/object/items/data", Some(items)));
    assert_eq!(items(json!([])), Err(EventError::Missing(PRICE)));
    assert_eq!(items(json!([{ "id": "si_1" }])), Err(EventError::Missing(PRICE)));
    let many: Vec<_> = (0..=PRICES_MAX).map(|_| json!({ "price": { "id": "price_1" } })).collect();
    assert_eq!(items(json!(many)), Err(EventError::Odd("data.object.items.data")));
}

#[test]
fn ids_are_plain_and_bounded_and_times_can_be_counted() {
    let long = "x".repeat(WORD_BYTES_MAX + 1);
    for odd in ["", "a b", "a\0", "\u{e9}", long.as_str()] {
        let event = with(subscription_event(), "/data/object/customer", Some(json!(odd)));
        assert_eq!(read(&event), Err(EventError::Odd("data.object.customer")), "{odd:?}");
    }
    for odd in [json!(u64::MAX), json!(i64::MAX), json!(1.5), json!("1700000000")] {
        assert_eq!(read(&with(subscription_event(), "/created", Some(odd))), Err(EventError::Odd("created")));
    }
    let event = with(subscription_event(), "/data/object/status", Some(json!("golden")));
    assert_eq!(read(&event), Err(EventError::Odd("data.object.status")));
    for no_json in [&b""[..], b"{", b"\xff", b"nonsense"] {
        assert!(matches!(Event::read(no_json), Err(EventError::Unreadable(_))));
    }
    assert_eq!(Event::read(b"[]"), Err(EventError::Missing("type")));
}

#[test]
fn each_status_means_what_the_table_of_the_manual_says() {
    use {AccountStatus as A, PlanEffect as P, SubscriptionStatus as S};
    let rules = StatusRules::default();
    let table = [
        (S::Incomplete, A::PendingPayment, P::Leaves),
        (S::IncompleteExpired, A::Cancelled, P::Takes),
        (S::Trialing, A::Trial, P::Gives),
        (S::Active, A::Active, P::Gives),
        (S::PastDue, A::PendingPayment, P::Gives),
        (S::Canceled, A::Cancelled, P::Takes),
        (S::Unpaid, A::Suspended, P::Gives),
        (S::Paused, A::Suspended, P::Gives),
    ];
    assert_eq!(table.map(|(status, ..)| status), S::ALL);
    for (status, account, plan) in table {
        assert_eq!((rules.of(status), status.plan()), (account, plan), "{status}");
        assert_eq!(status.to_string().parse(), Ok(status));
        assert_eq!(serde_json::to_value(status).unwrap(), status.as_str());
    }
    let strict: StatusRules = serde_json::from_value(json!({ "past_due": "suspended" })).unwrap();
    assert_eq!((strict.of(S::PastDue), strict.of(S::Active)), (A::Suspended, A::Active));
}

#[test]
fn the_newer_event_counts_and_of_two_within_a_second_the_later_that_says_something_else() {
    let at = Timestamp::from_ms;
    let of =
        |status, price: &str| Subscription { id: "sub_1".into(), status, prices: vec![price.to_owned()] };
    let active = of(SubscriptionStatus::Active, "price_pro");
    let last = LastTold { created: at(2_000), subscription: active.clone(), is_applied: true };
    assert!(active.is_news(at(1_000), None));
    for (created, same, other) in [(1_000, false, false), (2_000, false, true), (3_000, true, true)] {
        assert_eq!(active.is_news(at(created), Some(&last)), same, "{created}");
        for different in
            [of(SubscriptionStatus::PastDue, "price_pro"), of(SubscriptionStatus::Active, "price_team")]
        {
            assert_eq!(different.is_news(at(created), Some(&last)), other, "{created}");
        }
    }
    // Whose it is was not known then.
    let unapplied = LastTold { is_applied: false, ..last };
    assert!(active.is_news(at(2_000), Some(&unapplied)) && !active.is_news(at(1_000), Some(&unapplied)));
}

proptest! {
    #[test]
    fn no_body_makes_the_reader_panic(body in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = Event::read(&body);
    }

    #[test]
    fn no_event_with_a_strange_field_makes_the_reader_panic(
        which in 0_usize..8, text in ".{0,20}", number in any::<i64>(),
    ) {
        let pointer = ["/id", "/created", "/type", "/data", "/data/object", "/data/object/items",
            "/data/object/items/data", "/data/object/metadata"][which];
        for event in [subscription_event(), checkout_event()] {
            for value in [json!(text), json!(number), json!([number]), json!({ "id": text })] {
                if event.pointer(pointer).is_some() {
                    let _ = read(&with(event.clone(), pointer, Some(value)));
                }
            }
        }
    }
}
