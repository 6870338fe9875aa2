//! What Stripe tells: every outcome, on every backend, and that the newest counts however it arrives.

use std::sync::Arc;

use tenure_domain::account::{AccountStatus, Slug};
use tenure_domain::ends::Actor;
use tenure_domain::id::AccountId;
use tenure_domain::stripe::{Matter, Notice, StatusRules, Subscription, SubscriptionStatus};
use tenure_domain::time::Timestamp;
use tenure_store::{Account, AccountChange, AccountChanged, Applied, Decree, NewAccount, Plan, Subject};
use tokio::task::JoinSet;

use crate::accounts::plan;
use crate::races::pair;
use crate::world::{DAY, QUIET, SECOND, T0, World};

const NO_ACCOUNT: AccountId = AccountId::from_bytes([7; 16]);

fn decree(event: &str) -> Decree {
    Decree { actor: Actor::Admin("stripe".into()), reason: Some(event.into()) }
}

/// `cus` tells of `sub` at this second, at the price of the plan `pro`.
fn told(event: &str, seconds: u32, status: SubscriptionStatus) -> Notice {
    Notice {
        id: event.into(),
        kind: "customer.subscription.updated",
        created: T0 + SECOND * seconds,
        customer: "cus".into(),
        account: None,
        matter: subscription("sub", status, &["price_seat", "price_pro"]),
    }
}

fn subscription(id: &str, status: SubscriptionStatus, prices: &[&str]) -> Matter {
    let prices = prices.iter().map(|price| (*price).to_owned()).collect();
    Matter::Subscription(Subscription { id: id.into(), status, prices })
}

/// `cus` has bought something for this account.
fn checkout(event: &str, account: AccountId) -> Notice {
    let matter = Matter::Checkout { subscription: Some("sub".into()) };
    let kind = "checkout.session.completed";
    Notice { kind, account: Some(account), matter, ..told(event, 0, SubscriptionStatus::Active) }
}

fn linked_to(customer: Option<&str>) -> AccountChange {
    AccountChange { stripe_customer: Some(customer.map(Into::into)), ..AccountChange::default() }
}

/// What an account has of Stripe's.
fn standing(account: &Account) -> (AccountStatus, Option<&str>, Option<&str>) {
    let plan = account.plan.as_ref().map(|plan| plan.slug.as_str());
    (account.status, plan, account.stripe_customer.as_deref())
}

impl World {
    async fn apply(&self, notice: &Notice) -> Applied {
        let rules = Arc::new(StatusRules::default());
        let now = T0 + QUIET;
        self.store.billing_apply(notice.clone(), rules, decree(&notice.id), now).await.unwrap()
    }

    async fn new_account(&self, name: &str) -> AccountId {
        self.store.account_create(NewAccount::named(name), decree("x"), T0).await.unwrap().id
    }

    async fn link(&self, id: AccountId, customer: Option<&str>) -> AccountChanged {
        self.store.account_change(id, linked_to(customer), decree("x"), T0).await.unwrap()
    }

    /// An account whose customer is known, and a plan that is for sale.
    async fn payer(&self) -> AccountId {
        self.store.plan_save(plan("pro"), decree("x"), T0).await.unwrap();
        let id = self.new_account("a").await;
        self.link(id, Some("cus")).await;
        id
    }

    async fn found(&self, id: AccountId) -> Account {
        self.store.account_find(id).await.unwrap().unwrap()
    }

    /// The acts of these events, by what they changed.
    async fn acts_of(&self, id: AccountId, event: &str) -> Vec<(String, Option<String>, Option<String>)> {
        let acts = self.store.act_list(Some(Subject::Account(id)), 100).await.unwrap();
        let mut acts: Vec<_> = acts.into_iter().filter(|act| act.decree == decree(event)).collect();
        acts.sort_by(|one, other| one.what.cmp(&other.what));
        acts.into_iter().map(|act| (act.what, act.was, act.became)).collect()
    }
}

/// An account with a subscription, as something to be kept.
pub async fn put_a_subscription(world: &World, id: AccountId) {
    world.link(id, Some("cus")).await;
    let applied = world.apply(&told("evt", 1, SubscriptionStatus::Active)).await;
    assert!(matches!(applied, Applied::Changed { .. }));
}

#[tokio::test]
async fn an_account_becomes_what_its_subscription_says_with_acts_and_nobody_is_signed_out() {
    use {AccountStatus as A, SubscriptionStatus as S};
    for world in World::each() {
        world.store.plan_save(plan("pro"), decree("x"), T0).await.unwrap();
        let ada = world.user("ada").await;
        let id = ada.account_id.unwrap();
        let session = world.sign_in(&ada).await;
        let mut jar = world.jar(&session);
        world.link(id, Some("cus")).await;
        let before = world.store.session_find(session.id).await.unwrap().unwrap();
        for (seconds, (status, expected, plan)) in [
            (S::Trialing, A::Trial, Some("pro")),
            (S::Active, A::Active, Some("pro")),
            (S::PastDue, A::PendingPayment, Some("pro")),
            (S::Unpaid, A::Suspended, Some("pro")),
            (S::Paused, A::Suspended, Some("pro")),
            (S::Active, A::Active, Some("pro")),
            (S::Canceled, A::Cancelled, None),
        ]
        .into_iter()
        .enumerate()
        {
            let event = format!("evt_{seconds}");
            let applied = world.apply(&told(&event, seconds as u32, status)).await;
            let Applied::Changed { account, unknown_price: None } = applied else { panic!("{applied:?}") };
            assert_eq!(standing(&account), (expected, plan, Some("cus")));
            assert_eq!(world.found(id).await, account);
            world.hear().await;
            let caller = world.caller(&session).await.unwrap();
            assert_eq!(caller.membership, tenure_store::Membership::Member(Arc::new(account)));
            assert!(world.stands(&session, &ada).await);
        }
        assert_eq!(world.store.session_find(session.id).await.unwrap().unwrap(), before);
        world.served(&mut jar, T0 + QUIET).await;
        let text = |text: &str| Some(text.to_owned());
        let expected =
            [("plan".to_owned(), None, text("pro")), ("status".to_owned(), text("active"), text("trial"))];
        assert_eq!(world.acts_of(id, "evt_0").await, expected);
        let expected =
            [("plan".to_owned(), text("pro"), None), ("status".into(), text("active"), text("cancelled"))];
        assert_eq!(world.acts_of(id, "evt_6").await, expected);
        // What was so before is no act.
        assert_eq!(world.acts_of(id, "evt_4").await, []);
    }
}

#[tokio::test]
async fn what_is_told_again_or_late_changes_nothing() {
    use SubscriptionStatus as S;
    for world in World::each() {
        let id = world.payer().await;
        let first = told("evt_1", 5, S::Active);
        assert!(matches!(world.apply(&first).await, Applied::Changed { .. }));
        let suspended = AccountChange { status: Some(AccountStatus::Suspended), ..AccountChange::default() };
        world.store.account_change(id, suspended, decree("by hand"), T0).await.unwrap();
        // Whatever has happened since.
        assert_eq!(world.apply(&first).await, Applied::Repeated);
        assert_eq!(world.apply(&told("evt_2", 4, S::Canceled)).await, Applied::Older);
        assert_eq!(world.apply(&told("evt_2", 4, S::Canceled)).await, Applied::Repeated);
        assert_eq!(world.apply(&told("evt_3", 5, S::Active)).await, Applied::Older);
        assert_eq!(world.found(id).await.status, AccountStatus::Suspended);
        // Within the same second the later to arrive counts, if it says something else.
        assert!(matches!(world.apply(&told("evt_4", 5, S::PastDue)).await, Applied::Changed { .. }));
        assert_eq!(world.found(id).await.status, AccountStatus::PendingPayment);
        assert_eq!(world.acts_of(id, "evt_2").await, []);
    }
}

#[tokio::test]
async fn the_order_is_that_of_each_subscription() {
    use SubscriptionStatus as S;
    for world in World::each() {
        let id = world.payer().await;
        world.apply(&told("evt_1", 9, S::Active)).await;
        let matter = subscription("other", S::Trialing, &["price_pro"]);
        let other = Notice { matter, ..told("evt_2", 1, S::Trialing) };
        assert!(matches!(world.apply(&other).await, Applied::Changed { .. }));
        // One is over; the other gives what it gave.
        assert_eq!(world.apply(&told("evt_3", 10, S::Canceled)).await, Applied::Outlived);
        assert_eq!(standing(&world.found(id).await), (AccountStatus::Trial, Some("pro"), Some("cus")));
        let matter = subscription("other", S::Canceled, &["price_pro"]);
        let over = Notice { matter, ..told("evt_4", 11, S::Canceled) };
        assert!(matches!(world.apply(&over).await, Applied::Changed { .. }));
        assert_eq!(standing(&world.found(id).await), (AccountStatus::Cancelled, None, Some("cus")));
    }
}

#[tokio::test]
async fn a_price_that_is_no_plans_leaves_the_plan_and_is_told() {
    use SubscriptionStatus as S;
    for world in World::each() {
        let id = world.payer().await;
        world.apply(&told("evt_1", 1, S::Trialing)).await;
        let matter = subscription("sub", S::Active, &["price_a", "price_b"]);
        let applied = world.apply(&Notice { matter, ..told("evt_2", 2, S::Active) }).await;
        let Applied::Changed { account, unknown_price } = applied else { panic!("{applied:?}") };
        assert_eq!(unknown_price.as_deref(), Some("price_a price_b"));
        assert_eq!(standing(&account), (AccountStatus::Active, Some("pro"), Some("cus")));
        // Where no plan is given, no price has to be one's.
        let matter = subscription("sub", S::Canceled, &["price_a"]);
        let applied = world.apply(&Notice { matter, ..told("evt_3", 3, S::Canceled) }).await;
        assert!(matches!(applied, Applied::Changed { unknown_price: None, .. }));
        assert_eq!(world.found(id).await.plan, None);
        // The first price that is one's.
        let team = Plan { slug: Slug::parse("team").unwrap(), ..plan("team") };
        world.store.plan_save(team, decree("x"), T0).await.unwrap();
        let matter = subscription("sub", S::Active, &["price_a", "price_team", "price_pro"]);
        world.apply(&Notice { matter, ..told("evt_4", 4, S::Active) }).await;
        assert_eq!(world.found(id).await.plan.unwrap().slug.as_str(), "team");
    }
}

#[tokio::test]
async fn what_is_told_of_strangers_waits_until_it_is_known_whose_they_are() {
    use SubscriptionStatus as S;
    for world in World::each() {
        world.store.plan_save(plan("pro"), decree("x"), T0).await.unwrap();
        let [by_checkout, by_hand, by_name] =
            [world.new_account("a").await, world.new_account("b").await, world.new_account("c").await];
        // It is told of the subscription before it is told of the purchase, as happens.
        let first = told("evt_1", 1, S::Trialing);
        assert_eq!(world.apply(&first).await, Applied::NoSuchAccount);
        assert_eq!(world.apply(&checkout("evt_2", NO_ACCOUNT)).await, Applied::NoSuchAccount);
        let applied = world.apply(&checkout("evt_2", by_checkout)).await;
        let Applied::Linked { account, unknown_price: None } = applied else { panic!("{applied:?}") };
        assert_eq!(standing(&account), (AccountStatus::Trial, Some("pro"), Some("cus")));
        assert_eq!(world.acts_of(by_checkout, "evt_2").await.len(), 3);
        assert_eq!(world.apply(&checkout("evt_2", by_checkout)).await, Applied::Repeated);
        assert_eq!(world.apply(&first).await, Applied::Older, "what has waited has been applied");

        // Linked by somebody meanwhile: told again, it counts.
        let matter = subscription("sub_2", S::Active, &["price_pro"]);
        let second = Notice { customer: "cus_2".into(), matter, ..told("evt_3", 1, S::Active) };
        assert_eq!(world.apply(&second).await, Applied::NoSuchAccount);
        world.link(by_hand, Some("cus_2")).await;
        assert!(matches!(world.apply(&second).await, Applied::Changed { .. }));
        assert_eq!(world.apply(&second).await, Applied::Repeated);

        // Named by the subscription itself.
        let matter = subscription("sub_3", S::Active, &["price_pro"]);
        let third = Notice {
            customer: "cus_3".into(),
            account: Some(by_name),
            matter,
            ..told("evt_4", 1, S::Active)
        };
        let applied = world.apply(&third).await;
        let Applied::Changed { account, .. } = applied else { panic!("{applied:?}") };
        assert_eq!(standing(&account), (AccountStatus::Active, Some("pro"), Some("cus_3")));
    }
}

#[tokio::test]
async fn an_account_that_is_paid_for_is_given_to_no_other_customer() {
    use SubscriptionStatus as S;
    for world in World::each() {
        let id = world.payer().await;
        world.apply(&told("evt_1", 1, S::Active)).await;
        let stranger = Notice { customer: "eve".into(), ..checkout("evt_2", id) };
        assert_eq!(world.apply(&stranger).await, Applied::Contested);
        assert_eq!(world.found(id).await.stripe_customer.as_deref(), Some("cus"));
        // Nor is a customer given to two accounts.
        let other = world.new_account("b").await;
        assert_eq!(world.apply(&checkout("evt_3", other)).await, Applied::Contested);
        assert_eq!(world.link(other, Some("cus")).await, AccountChanged::CustomerTaken);
        assert_eq!(world.found(other).await.stripe_customer, None);
        // Once nobody pays any more, whoever does next is the customer.
        world.apply(&told("evt_4", 2, S::Canceled)).await;
        assert!(matches!(world.apply(&stranger).await, Applied::Linked { .. }));
        assert_eq!(world.found(id).await.stripe_customer.as_deref(), Some("eve"));
        assert!(matches!(world.link(other, Some("cus")).await, AccountChanged::Changed(_)));
        assert!(matches!(world.link(other, None).await, AccountChanged::Changed(_)));
        assert_eq!(world.found(other).await.stripe_customer, None);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_one_event_told_8_times_at_once_one_is_applied() {
    use SubscriptionStatus as S;
    for world in World::each() {
        let worlds = pair(world);
        let id = worlds[0].payer().await;
        for round in 1..=10 {
            let event = format!("evt_{round}");
            let status = if round % 2 == 0 { S::PastDue } else { S::Active };
            let mut racers = JoinSet::new();
            for i in 0..8 {
                let (world, notice) = (Arc::clone(&worlds[i % 2]), told(&event, round, status));
                racers.spawn(async move { world.apply(&notice).await });
            }
            let outcomes = racers.join_all().await;
            let applied =
                outcomes.iter().filter(|applied| matches!(applied, Applied::Changed { .. })).count();
            let repeated = outcomes.iter().filter(|applied| **applied == Applied::Repeated).count();
            assert_eq!((applied, repeated), (1, 7), "{outcomes:?}");
            assert_eq!(worlds[1].acts_of(id, &event).await.len(), 1);
        }
    }
}

/// Whichever is heard first, the newest is what remains; and of two customers one gets the account.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn events_that_race_leave_the_newest_and_an_account_has_one_customer() {
    use SubscriptionStatus as S;
    for world in World::each() {
        let worlds = pair(world);
        let id = worlds[0].payer().await;
        for round in 0..10 {
            let mut racers = JoinSet::new();
            for i in 0..8 {
                let status = if i == 7 { S::Unpaid } else { S::Active };
                let notice = told(&format!("evt_{round}_{i}"), round * 8 + i, status);
                let world = Arc::clone(&worlds[i as usize % 2]);
                racers.spawn(async move { world.apply(&notice).await });
            }
            racers.join_all().await;
            assert_eq!(worlds[0].found(id).await.status, AccountStatus::Suspended);
        }
        let wanted = worlds[0].new_account("b").await;
        let mut racers = JoinSet::new();
        for i in 0..8 {
            let world = Arc::clone(&worlds[i % 2]);
            let matter = subscription(&format!("sub_of_{i}"), S::Active, &["price_pro"]);
            let notice = Notice {
                customer: format!("cus_{i}"),
                account: Some(wanted),
                matter,
                ..told(&format!("evt_of_{i}"), 1, S::Active)
            };
            racers.spawn(async move { world.apply(&notice).await });
        }
        let outcomes = racers.join_all().await;
        let won = outcomes.iter().filter(|applied| matches!(applied, Applied::Changed { .. })).count();
        assert_eq!(won, 1, "{outcomes:?}");
        assert_eq!(outcomes.iter().filter(|applied| **applied == Applied::Contested).count(), 7);
    }
}

#[tokio::test]
async fn settled_events_are_forgotten_by_age_and_would_still_be_older() {
    use SubscriptionStatus as S;
    for world in World::each() {
        let id = world.payer().await;
        let apply_at = async |event: &str, seconds: u32, now: Timestamp| {
            let notice = told(event, seconds, S::Active);
            let rules = Arc::new(StatusRules::default());
            world.store.billing_apply(notice, rules, decree(event), now).await.unwrap()
        };
        for day in 0..3 {
            apply_at(&format!("evt_{day}"), day, T0 + DAY * day).await;
        }
        let expire = async |before, limit| world.store.billing_expire(before, limit).await.unwrap();
        assert_eq!(expire(T0, 9).await, 0);
        assert_eq!(expire(T0 + DAY * 2, 1).await, 1);
        assert_eq!(expire(T0 + DAY * 2, 9).await, 1);
        assert_eq!(world.backend.number("SELECT count(*) FROM stripe_event"), 1);
        assert_eq!(apply_at("evt_0", 0, T0 + DAY * 3).await, Applied::Older);
        assert_eq!(apply_at("evt_2", 2, T0 + DAY * 3).await, Applied::Repeated);
        assert_eq!(world.found(id).await.status, AccountStatus::Active);
    }
}
