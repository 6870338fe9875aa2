//! `/api/v1/billing/stripe/webhook`: what Stripe tells makes an account what it is, and signs nobody out.

use std::sync::Arc;

use aws_lc_rs::hmac;
use serde_json::{Value, json};
use tenure_domain::account::{AccountStatus, PlanFeatures, PlanLimits, Slug};
use tenure_domain::ends::Actor;
use tenure_domain::time::Timestamp;
use tenure_store::{Account, AccountChange, Decree, Plan, StoreError, Subject};

use crate::world::{Answer, Browser, Call, DAY, Fault, MINUTE, SECOND, Setup, TestApp, User};

const PATH: &str = "/api/v1/billing/stripe/webhook";
const SECRET: &str = "whsec_planted0123456789abcdef";
const OLD_SECRET: &str = "whsec_replaced123456789abcdef";
const PRICE: &str = "price_1PgPro00000000000000000";
const CUSTOMER: &str = "cus_QXg1vqcGmRb9Lw";

fn fixture(name: &str) -> Value {
    let text = match name {
        "created" => include_str!("billing/subscription_created.json"),
        "updated" => include_str!("billing/subscription_updated.json"),
        "deleted" => include_str!("billing/subscription_deleted.json"),
        "checkout" => include_str!("billing/checkout_session_completed.json"),
        "invoice" => include_str!("billing/invoice_payment_failed.json"),
        other => panic!("{other}"),
    };
    serde_json::from_str(text).unwrap()
}

/// An event of this name that happened at this second, of a subscription with this status.
fn updated(event: &str, seconds: i64, status: &str) -> Value {
    let mut told = fixture("updated");
    told["id"] = event.into();
    told["created"] = json!(1_795_000_000 + seconds);
    told["data"]["object"]["status"] = status.into();
    told
}

fn signature(secret: &str, body: &str, at: Timestamp) -> String {
    let time = at.as_secs();
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let tag = hmac::sign(&key, format!("{time}.{body}").as_bytes());
    let tag: String = tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("t={time},v1={tag}")
}

/// A server with a plan for sale, and somebody who is signed in.
struct Shop {
    app: TestApp,
    user: User,
    ada: Browser,
}

impl Shop {
    async fn open(setup: Setup) -> Self {
        let app = setup.set("STRIPE__WEBHOOK_SECRET", SECRET).start().await;
        let plan = Plan {
            slug: Slug::parse("pro").unwrap(),
            name: "Pro".into(),
            is_active: true,
            limits: PlanLimits::default(),
            features: PlanFeatures::default(),
            stripe_price: Some(PRICE.into()),
            created_at: app.clock.get(),
        };
        app.store().plan_save(plan, by_hand(), app.clock.get()).await.unwrap();
        let user = app.user("ada").await;
        let ada = app.signed_in(&user).await;
        Self { app, user, ada }
    }

    /// The same, with the customer known.
    async fn with_customer() -> Self {
        let shop = Self::open(Setup::default()).await;
        shop.link(CUSTOMER).await;
        shop
    }

    async fn link(&self, customer: &str) {
        let change =
            AccountChange { stripe_customer: Some(Some(customer.into())), ..AccountChange::default() };
        let id = self.account().await.id;
        self.app.store().account_change(id, change, by_hand(), self.app.clock.get()).await.unwrap();
    }

    async fn account(&self) -> Account {
        let user = self.app.store().user_find(self.user.id).await.unwrap().unwrap();
        self.app.store().account_find(user.account_id.unwrap()).await.unwrap().unwrap()
    }

    async fn standing(&self) -> (AccountStatus, Option<String>) {
        let account = self.account().await;
        (account.status, account.plan.map(|plan| plan.slug.to_string()))
    }

    fn signed(&self, secret: &str, body: &str, at: Timestamp) -> Call {
        let call = self.app.client.call("POST", PATH).header("stripe-signature", signature(secret, body, at));
        call.body("application/json; charset=utf-8", body.to_owned())
    }

    async fn tell(&self, event: &Value) -> Answer {
        self.signed(SECRET, &event.to_string(), self.app.clock.get()).send().await
    }

    /// Told and understood, with this counted of it.
    async fn told(&self, event: &Value, outcome: &str) {
        let kind = event["type"].as_str().unwrap();
        let kind = if kind.starts_with("invoice") { "other" } else { kind };
        let before = self.counted(outcome, kind);
        let answer = self.tell(event).await.expect(200).without_cookies();
        assert_eq!((answer.text().as_str(), self.counted(outcome, kind)), ("", before + 1.0), "{outcome}");
    }

    fn counted(&self, outcome: &str, kind: &str) -> f64 {
        self.app.metric(&format!(r#"tenure_stripe_events_total{{outcome="{outcome}",type="{kind}"}}"#))
    }

    async fn check(&self, require: &str) -> Answer {
        let path = format!("/api/v1/auth/check?require={require}");
        self.ada.call("GET", &path).bearer(&self.ada.access).send().await
    }

    /// Nobody was signed out, whatever else happened.
    async fn stays(&mut self) {
        self.ada.refresh().await.expect(200);
        assert_eq!(self.ada.sessions().await.len(), 1);
    }
}

fn by_hand() -> Decree {
    Decree { actor: Actor::Admin("root".into()), reason: None }
}

#[tokio::test]
async fn an_account_lives_through_trial_payment_arrears_and_end_while_its_user_stays_signed_in() {
    let mut shop = Shop::open(Setup::default()).await;
    shop.check("plan").await.expect(402).problem("plan_missing");
    let mut created = fixture("created");
    created["data"]["object"]["metadata"]["tenure_account"] = shop.account().await.id.to_string().into();
    shop.told(&created, "applied").await;
    assert_eq!(shop.standing().await, (AccountStatus::Trial, Some("pro".into())));
    assert_eq!(shop.account().await.stripe_customer.as_deref(), Some(CUSTOMER));
    assert_eq!(shop.check("plan,active_account").await.expect(200).header("tenure-plan"), "pro");
    shop.stays().await;
    shop.told(&fixture("updated"), "applied").await;
    assert_eq!(shop.standing().await.0, AccountStatus::Active);
    shop.check("plan,active_account").await.expect(200);
    shop.stays().await;
    shop.told(&fixture("invoice"), "unknown").await;
    shop.told(&updated("evt_past_due", 100, "past_due"), "applied").await;
    assert_eq!(shop.standing().await, (AccountStatus::PendingPayment, Some("pro".into())));
    shop.check("plan,active_account").await.expect(200);
    shop.stays().await;
    shop.told(&updated("evt_unpaid", 110, "unpaid"), "applied").await;
    shop.check("active_account").await.expect(403).problem("account_suspended");
    shop.stays().await;
    shop.app.clock.advance(SECOND);
    shop.told(&fixture("deleted"), "applied").await;
    assert_eq!(shop.standing().await, (AccountStatus::Cancelled, None));
    shop.check("plan").await.expect(403).problem("account_cancelled");
    shop.check("").await.expect(200);
    shop.stays().await;
    let acts = shop.app.store().act_list(Some(Subject::Account(shop.account().await.id)), 1).await.unwrap();
    let decree = Decree {
        actor: Actor::Admin("stripe".into()),
        reason: fixture("deleted")["id"].as_str().map(Into::into),
    };
    assert_eq!(acts[0].decree, decree);
}

#[tokio::test]
async fn a_checkout_says_whose_customer_it_is_even_after_the_subscription_was_told_of() {
    let mut shop = Shop::open(Setup::default()).await;
    let mut checkout = fixture("checkout");
    shop.told(&fixture("updated"), "no_account").await;
    shop.told(&checkout, "no_account").await;
    assert_eq!(shop.standing().await, (AccountStatus::Active, None));
    checkout["data"]["object"]["client_reference_id"] = shop.account().await.id.to_string().into();
    shop.told(&checkout, "linked").await;
    assert_eq!(shop.standing().await, (AccountStatus::Active, Some("pro".into())));
    assert_eq!(shop.account().await.stripe_customer.as_deref(), Some(CUSTOMER));
    // Nobody takes an account away from who pays for it by naming it.
    checkout["id"] = "evt_of_eve".into();
    checkout["data"]["object"]["customer"] = "cus_eve".into();
    shop.told(&checkout, "contested").await;
    assert_eq!(shop.account().await.stripe_customer.as_deref(), Some(CUSTOMER));
    shop.stays().await;
}

#[tokio::test]
async fn what_stripe_has_not_signed_now_changes_nothing() {
    let shop = Shop::with_customer().await;
    // Counted from nothing, so that the first is an increase to an alarm.
    let begun = r#"tenure_stripe_events_total{outcome="bad_signature",type=""} 0"#;
    assert!(shop.app.app.metrics_page().contains(begun));
    let now = shop.app.clock.get();
    let event = updated("evt_1", 1, "unpaid");
    let body = event.to_string();
    let other = updated("evt_1", 1, "active").to_string();
    let headers = [
        signature("whsec_anotherendpoint0123456789", &body, now),
        signature(SECRET, &other, now),
        signature(SECRET, &body, now - MINUTE * 5 - SECOND),
        signature(SECRET, &body, now + MINUTE * 5 + SECOND),
        signature(SECRET, &body, now).replace("v1", "v0"),
        format!("t={}", now.as_secs()),
        String::new(),
        "nonsense".into(),
    ];
    for header in &headers {
        let call = shop.app.client.call("POST", PATH).header("stripe-signature", header);
        let problem = call.body("application/json", body.clone()).send().await.expect(400);
        let problem = problem.without_cookies().problem("malformed_request");
        assert_eq!(problem["detail"], "The call does not carry a signature of Stripe's that is valid now.");
    }
    shop.app.client.post(PATH, &event).send().await.expect(400).problem("malformed_request");
    let twice = shop.signed(SECRET, &body, now).header("stripe-signature", signature(SECRET, &body, now));
    twice.send().await.expect(400).problem("malformed_request");
    assert_eq!(shop.standing().await.0, AccountStatus::Active);
    assert_eq!(shop.counted("bad_signature", ""), headers.len() as f64 + 2.0);
    let log = shop.app.log();
    assert!(log.contains("no secret of this endpoint has signed the call"), "{log}");
    assert!(log.contains("another time than now") && !log.contains("planted"), "{log}");
    // And within the tolerance it is believed.
    for (n, at) in [now - MINUTE * 5, now + MINUTE * 5].into_iter().enumerate() {
        let body = updated(&format!("evt_late_{n}"), n as i64, "unpaid").to_string();
        shop.signed(SECRET, &body, at).send().await.expect(200);
    }
    assert_eq!(shop.standing().await.0, AccountStatus::Suspended);
}

#[tokio::test]
async fn any_secret_of_several_may_have_signed_and_each_alone_can_be_taken_away() {
    for (secrets, old, new) in [
        (format!("{SECRET} {OLD_SECRET}"), 200, 200),
        (format!("{OLD_SECRET}\n{SECRET}"), 200, 200),
        (OLD_SECRET.to_owned(), 200, 400),
    ] {
        let app = Setup::default().set("STRIPE__WEBHOOK_SECRET", &secrets).start().await;
        for (secret, status) in [(OLD_SECRET, old), (SECRET, new)] {
            let body = fixture("invoice").to_string();
            let header = signature(secret, &body, app.clock.get());
            let call = app.client.call("POST", PATH).header("stripe-signature", header);
            call.body("application/json", body).send().await.expect(status);
        }
    }
}

#[tokio::test]
async fn what_is_told_again_or_too_late_changes_nothing() {
    let mut shop = Shop::with_customer().await;
    let past_due = updated("evt_5", 5, "past_due");
    shop.told(&past_due, "applied").await;
    shop.told(&past_due, "repeated").await;
    shop.told(&updated("evt_4", 4, "active"), "older").await;
    assert_eq!(shop.standing().await.0, AccountStatus::PendingPayment);
    shop.told(&updated("evt_6", 6, "active"), "applied").await;
    shop.told(&past_due, "repeated").await;
    shop.told(&updated("evt_5b", 5, "unpaid"), "older").await;
    assert_eq!(shop.standing().await.0, AccountStatus::Active);
    shop.stays().await;
}

#[tokio::test]
async fn an_unknown_price_leaves_the_plan_and_an_unknown_customer_everything() {
    let shop = Shop::with_customer().await;
    shop.told(&updated("evt_1", 1, "trialing"), "applied").await;
    let mut other = updated("evt_2", 2, "active");
    other["data"]["object"]["items"]["data"][0]["price"]["id"] = "price_of_somebody".into();
    shop.told(&other, "unknown_price").await;
    assert_eq!(shop.standing().await, (AccountStatus::Active, Some("pro".into())));
    let mut stranger = updated("evt_3", 3, "unpaid");
    stranger["data"]["object"]["customer"] = "cus_stranger".into();
    stranger["data"]["object"]["id"] = "sub_stranger".into();
    shop.told(&stranger, "no_account").await;
    assert_eq!(shop.standing().await, (AccountStatus::Active, Some("pro".into())));
    // Once it is known whose it is, Stripe can be made to tell it again.
    shop.link("cus_stranger").await;
    shop.told(&stranger, "applied").await;
    assert_eq!(shop.standing().await.0, AccountStatus::Suspended);
}

#[tokio::test]
async fn what_an_account_becomes_is_configured() {
    let statuses = r#"{past_due = "suspended"}"#;
    let shop = Shop::open(Setup::default().set("STRIPE__STATUSES", statuses)).await;
    shop.link(CUSTOMER).await;
    shop.told(&updated("evt_1", 1, "past_due"), "applied").await;
    assert_eq!(shop.standing().await.0, AccountStatus::Suspended);
    shop.told(&updated("evt_2", 2, "incomplete"), "applied").await;
    assert_eq!(shop.standing().await.0, AccountStatus::PendingPayment);
}

#[tokio::test]
async fn a_body_that_cannot_be_read_is_refused_and_a_large_one_not_taken() {
    let shop = Shop::with_customer().await;
    let now = shop.app.clock.get();
    let mut lacking = updated("evt_1", 1, "active");
    lacking["data"]["object"].as_object_mut().unwrap().remove("customer");
    for body in ["", "nonsense", "[]", "{}", &lacking.to_string()] {
        let problem = shop.signed(SECRET, body, now).send().await.expect(400).problem("malformed_request");
        assert_eq!(problem["detail"], "The event cannot be read.");
    }
    assert_eq!(shop.counted("unreadable", ""), 5.0);
    assert!(shop.app.log().contains("the event has no `data.object.customer`"));
    let padded = |bytes: usize| {
        let body = fixture("invoice").to_string();
        format!("{body}{}", " ".repeat(bytes - body.len()))
    };
    shop.signed(SECRET, &padded(256 * 1024), now).send().await.expect(200);
    let large = shop.signed(SECRET, &padded(256 * 1024 + 1), now).send().await;
    large.expect(413).problem("payload_too_large");
}

#[tokio::test]
async fn a_store_that_is_away_makes_stripe_tell_it_again_and_then_it_counts_once() {
    let mut shop = Shop::with_customer().await;
    shop.app.expect_failure("storage_unavailable");
    let kind = "customer.subscription.updated";
    let gone = || StoreError::Unavailable("gone".into());
    let event = updated("evt_1", 1, "past_due");
    for (n, (fault, status)) in [
        (Fault::Fails(gone()), AccountStatus::Active),
        (Fault::FailsAfter(gone()), AccountStatus::PendingPayment),
    ]
    .into_iter()
    .enumerate()
    {
        shop.app.faults.set("billing_apply", fault);
        shop.tell(&event).await.expect(503).problem("storage_unavailable");
        shop.app.faults.clear();
        assert_eq!(shop.standing().await.0, status);
        assert_eq!(shop.counted("failed", kind), n as f64 + 1.0);
    }
    shop.told(&event, "repeated").await;
    assert_eq!(shop.standing().await.0, AccountStatus::PendingPayment);
    shop.stays().await;
}

#[tokio::test]
async fn without_a_secret_there_is_nothing_there() {
    let app = TestApp::new().await;
    let body = fixture("invoice").to_string();
    for secret in ["", SECRET] {
        let header = signature(secret, &body, app.clock.get());
        let call = app.client.call("POST", PATH).header("stripe-signature", header);
        call.body("application/json", body.clone()).send().await.expect(404).problem("not_found");
    }
}

#[tokio::test]
async fn old_events_are_forgotten_by_the_chores() {
    let shop = Shop::with_customer().await;
    shop.told(&updated("evt_1", 1, "trialing"), "applied").await;
    let now = shop.app.clock.get();
    let store = shop.app.store();
    assert_eq!(store.billing_expire(now, 9).await.unwrap(), 0);
    shop.app.clock.advance(DAY * 61);
    let chores = tokio::spawn(tenure::jobs::run(Arc::clone(&shop.app.app)));
    // What it told of is still known, and newer.
    crate::world::eventually("the event is forgotten", async || {
        shop.tell(&updated("evt_1", 1, "trialing")).await.expect(200);
        shop.counted("older", "customer.subscription.updated") > 0.0
    })
    .await;
    chores.abort();
}
