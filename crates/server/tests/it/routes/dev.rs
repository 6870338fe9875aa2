//! `/api/v1/dev`: the playground's switches, which production does not have.

use serde_json::{Value, json};
use tenure_store::{Decree, Plan, Subject};

use crate::world::{Answer, Browser, Setup, TestApp};

const PATH: &str = "/api/v1/dev/account";

async fn switch(browser: &Browser, wish: &Value) -> Answer {
    browser.call("POST", PATH).bearer(&browser.access).json(wish).send().await.without_cookies()
}

async fn account(browser: &Browser) -> Value {
    browser.profile().await.expect(200).json()["account"].clone()
}

#[tokio::test]
async fn ones_own_account_becomes_what_it_should_be_shown_as_and_the_acts_tell() {
    let app = TestApp::new().await;
    let user = app.user("ada").await;
    let (mut ada, bob) = (app.signed_in(&user).await, app.signed_in(&app.user("bob").await).await);
    for status in ["suspended", "cancelled", "pending_payment", "trial", "active"] {
        switch(&ada, &json!({ "status": status })).await.expect(204);
        assert_eq!(account(&ada).await["status"], status);
    }
    for (plan, slug, is_active) in [("inactive", "playground-inactive", false), ("pro", "pro", true)] {
        // The second time the plan is there already.
        for _ in 0..2 {
            switch(&ada, &json!({ "plan": plan })).await.expect(204);
        }
        let shown = &account(&ada).await["plan"];
        assert_eq!((&shown["slug"], &shown["is_active"]), (&json!(slug), &json!(is_active)));
    }
    switch(&ada, &json!({ "plan": "none" })).await.expect(204);
    assert_eq!(account(&ada).await["plan"], Value::Null);
    for odd in [json!({ "status": "golden" }), json!({ "plan": "team" }), json!([])] {
        switch(&ada, &odd).await.expect(422).problem("validation_failed");
    }
    assert_eq!(account(&bob).await["status"], "active");
    ada.refresh().await.expect(200);
    let id = app.app.store.user_find(user.id).await.unwrap().unwrap().account_id.unwrap();
    let acts = app.app.store.act_list(Some(Subject::Account(id)), 50).await.unwrap();
    let by = |act: &tenure_store::Act| act.decree.actor.to_string() == "admin:playground";
    assert!(acts.iter().filter(|act| by(act)).count() >= 8, "{acts:?}");
}

#[tokio::test]
async fn a_plan_of_that_name_stays_as_its_owner_saved_it() {
    let app = TestApp::new().await;
    let ada = app.signed_in(&app.user("ada").await).await;
    switch(&ada, &json!({ "plan": "pro" })).await.expect(204);
    let pro = app.app.store.plan_list().await.unwrap().remove(0);
    let own = Plan { name: "Ours".into(), ..pro };
    let by_hand = Decree { actor: tenure_domain::ends::Actor::User, reason: None };
    app.app.store.plan_save(own, by_hand, app.clock.get()).await.unwrap();
    switch(&ada, &json!({ "plan": "pro" })).await.expect(204);
    assert_eq!(account(&ada).await["plan"]["name"], "Ours");
}

#[tokio::test]
async fn whoever_has_no_account_is_told_so() {
    let app = TestApp::new().await;
    let ada = app.signed_in(&app.user("ada").await).await;
    app.sql("UPDATE \"user\" SET account_id = NULL");
    switch(&ada, &json!({ "status": "active" })).await.expect(403).problem("account_missing");
}

#[tokio::test]
async fn production_has_nothing_at_that_address() {
    let app = Setup::default().production().start().await;
    let ada = app.signed_in(&app.user("ada").await).await;
    let before = account(&ada).await;
    switch(&ada, &json!({ "status": "suspended", "plan": "pro" })).await.expect(404).problem("not_found");
    assert_eq!(account(&ada).await, before);
    assert!(app.app.store.plan_list().await.unwrap().is_empty());
}
