//! `/api/v1/admin/overview`

use std::sync::Arc;

use serde_json::{Value, json};
use tenure_domain::ends::{Actor, EndReason};
use tenure_domain::event::Whence;
use tenure_domain::user::Role;
use tenure_store::{Counts, EndOrder, Scope, StoreError};

use super::{call, get, ruled, somebody};
use crate::world::{Browser, DAY, Fault, HOUR, MINUTE, TestApp, eventually};

/// What a node does once a minute.
async fn feed(app: &TestApp) -> Result<(), StoreError> {
    app.app.write_events().await?;
    app.app.tally.feed(&app.app, app.clock.get()).await
}

fn last(overview: &Value) -> &Value {
    overview["hours"].as_array().unwrap().last().unwrap()
}

#[tokio::test]
async fn each_hour_has_what_was_counted_in_it_once() {
    let (app, _, mut root) = ruled().await;
    let (ada_user, mut ada) = somebody(&app, "ada", Role::User).await;
    app.client.login(&ada_user.email, "a wrong guess").await.expect(401);
    feed(&app).await.unwrap();
    let overview = get(&root, "/overview").await;
    assert_eq!((&overview["sessions_active"], &overview["sessions_remembered"]), (&json!(2), &json!(2)));
    assert_eq!(
        (&overview["now"], &overview["unexplained_ends"]),
        (&json!(app.clock.get().as_ms()), &json!(0))
    );
    assert_eq!(overview["hours"].as_array().unwrap().len(), 24);
    assert_eq!(last(&overview)["sign_ins"], json!({ "ok": 2, "failed": 1, "throttled": 0 }));
    assert_eq!((&last(&overview)["refresh"], &last(&overview)["ends"]), (&json!({}), &json!({})));

    app.clock.advance(HOUR);
    ada.refresh().await.expect(200);
    root.refresh().await.expect(200);
    ada.sign_out().await.expect(204);
    feed(&app).await.unwrap();
    feed(&app).await.unwrap();
    let later = app.signed_in(&app.user("cyd").await).await;
    app.client.login("nobody@example.com", "a wrong guess").await.expect(401);
    feed(&app).await.unwrap();
    let next = get(&root, "/overview?hours=2").await;
    let hours = next["hours"].as_array().unwrap();
    assert_eq!((hours.len(), &hours[0]), (2, last(&overview)));
    assert_eq!(hours[1]["at"].as_i64().unwrap() - hours[0]["at"].as_i64().unwrap(), 3_600_000);
    assert_eq!(hours[1]["ends"], json!({ "signed_out": 1 }));
    let refreshes: u64 = hours[1]["refresh"].as_object().unwrap().values().map(|n| n.as_u64().unwrap()).sum();
    assert_eq!(refreshes, 2);
    assert_eq!(hours[1]["sign_ins"], json!({ "ok": 1, "failed": 1, "throttled": 0 }));
    assert_eq!(next["sessions_active"], 2);
    drop(later);
}

/// The command line, say.
#[tokio::test]
async fn ends_by_other_processes_are_counted_as_well_and_once() {
    let (app, _, root) = ruled().await;
    let ada = app.user("ada").await;
    for _ in 0..3 {
        app.signed_in(&ada).await;
    }
    let order = EndOrder {
        reason: EndReason::AdminRevoked,
        actor: Actor::Admin("grace".into()),
        note: None,
        whence: Whence::default(),
    };
    app.store().session_end(ada.id, Scope::All, false, order, app.clock.get()).await.unwrap();
    app.faults.set("tally_add", Fault::Fails(StoreError::Unavailable("planted".into())));
    assert!(feed(&app).await.is_err());
    app.faults.clear();
    feed(&app).await.unwrap();
    feed(&app).await.unwrap();
    assert_eq!(last(&get(&root, "/overview").await)["ends"], json!({ "admin_revoked": 3 }));
}

#[tokio::test]
async fn what_anybody_may_have_made_up_is_told_apart() {
    let (app, _, root) = ruled().await;
    let ada = app.user("ada").await;
    let report = async |browser: &Browser, is_verified: bool| {
        let body = json!({ "type": "TOKEN_EXPIRED", "session": browser.session, "client": "sdk" });
        let request = app.client.post("/api/v1/auth/logout-event", &body);
        let request = if is_verified { request.bearer(&browser.access) } else { request };
        request.send().await.expect(202);
    };
    report(&app.signed_in(&ada).await, true).await;
    for _ in 0..2 {
        report(&app.signed_in(&ada).await, false).await;
    }
    feed(&app).await.unwrap();
    let overview = get(&root, "/overview").await;
    assert_eq!((&overview["unexplained_ends"], &overview["unexplained_claimed"]), (&json!(1), &json!(2)));
    let hour = last(&overview);
    assert_eq!((&hour["unexplained"], &hour["unexplained_claimed"]), (&json!(1), &json!(2)));
}

#[tokio::test]
async fn counts_of_other_nodes_are_added_and_ends_that_nothing_explains_are_summed_up() {
    let (app, _, root) = ruled().await;
    let hour = tenure::tally::hour_of(app.clock.get());
    let unexplained = |count| Counts::from([(tenure::tally::UNEXPLAINED.to_owned(), count)]);
    for at in [hour, hour, hour - HOUR, hour - 2 * HOUR] {
        app.store().tally_add(at, unexplained(2)).await.unwrap();
    }
    let two = get(&root, "/overview?hours=2").await;
    let by_hour: Vec<_> = two["hours"].as_array().unwrap().iter().map(|hour| &hour["unexplained"]).collect();
    assert_eq!((by_hour, &two["unexplained_ends"]), (vec![&json!(2), &json!(4)], &json!(6)));
    // Bounded, and never nothing.
    for (asked, told) in [("0", 1), ("768", 768), ("4000000000", 768)] {
        let hours = get(&root, &format!("/overview?hours={asked}")).await["hours"].as_array().unwrap().len();
        assert_eq!(hours, told, "{asked}");
    }
    call(&root, "GET", "/overview?hours=-1").send().await.expect(400).problem("malformed_request");
}

#[tokio::test]
async fn what_could_not_be_written_is_written_the_next_time() {
    let (app, _, root) = ruled().await;
    app.faults.set("tally_add", Fault::Fails(StoreError::Unavailable("planted".into())));
    assert!(feed(&app).await.is_err());
    app.faults.clear();
    app.clock.advance(MINUTE);
    feed(&app).await.unwrap();
    assert_eq!(last(&get(&root, "/overview").await)["sign_ins"]["ok"], 1);
}

#[tokio::test]
async fn the_chores_write_down_what_was_counted_and_forget_what_is_old() {
    let (app, _, root) = ruled().await;
    let old = tenure::tally::hour_of(app.clock.get()) - 33 * DAY;
    app.store().tally_add(old, Counts::from([("end.signed_out".to_owned(), 1)])).await.unwrap();
    let chores = tokio::spawn(tenure::jobs::run(Arc::clone(&app.app)));
    eventually("it is written down", async || last(&get(&root, "/overview").await)["sign_ins"]["ok"] == 1)
        .await;
    eventually("the old hour is gone", async || {
        !app.store().tally_list(old).await.unwrap().contains_key(&old)
    })
    .await;
    chores.abort();
}
