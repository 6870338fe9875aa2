//! `/api/v1/admin/events`: what happened is on record, and nothing secret of it.

use std::sync::Arc;

use axum::body::Body;
use futures_util::StreamExt as _;
use serde_json::{Value, json};
use tenure_domain::ends::{Actor, EndReason};
use tenure_domain::event::{EventKind, Occurrence, Whence};
use tenure_domain::user::Role;
use tenure_store::{Decree, EndOrder, Scope, Subject, UserChange};

use super::{get, refused, ruled, send, somebody};
use crate::world::{Browser, Fault, HOUR, MINUTE, PASSWORD, SECOND, Setup, TestApp, decree};

/// The events that a filter finds, once those that wait are written.
async fn events(app: &TestApp, root: &Browser, filter: &str) -> Vec<Value> {
    app.app.write_events().await.unwrap();
    get(root, &format!("/events?{filter}")).await["events"].as_array().unwrap().clone()
}

fn kinds(events: &[Value]) -> Vec<&str> {
    events.iter().map(|event| event["kind"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn signing_in_and_out_and_failing_to_is_on_record_with_where_it_was() {
    let (app, _, root) = ruled().await;
    let ada = app.user("ada").await;
    let agent = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";
    for (email, password) in [(&ada.email, "wrong password"), (&"nobody@example.com".to_owned(), PASSWORD)] {
        let body = json!({ "email": email, "password": password });
        app.client.post("/api/v1/auth/login", &body).header("user-agent", agent).send().await.expect(401);
    }
    let failed = events(&app, &root, "kind=sign_in_failed").await;
    assert_eq!(failed.len(), 2);
    let known = failed.iter().find(|event| event["user"] == json!(ada.id)).unwrap();
    assert_eq!(
        (&known["cause"], &known["subject"], &known["browser"], &known["address"]),
        (&json!("invalid_credentials"), &json!("password"), &json!("Firefox on Linux"), &json!("127.0.0.1"))
    );
    assert!(!format!("{failed:?}").contains("nobody") && !format!("{failed:?}").contains("wrong password"));

    let mut browser = app.signed_in(&ada).await;
    app.clock.advance(5 * MINUTE);
    browser.sign_out().await.expect(204);
    let of_session = events(&app, &root, &format!("session={}", browser.session)).await;
    assert_eq!(kinds(&of_session), ["session_ended", "signed_in"]);
    assert_eq!(of_session[0]["cause"], "signed_out");
    assert!(of_session[0]["subject"].as_str().unwrap().starts_with("R-"));
    assert_eq!(of_session[0]["detail"]["remembered"], true);
    let by_receipt = format!("subject={}", of_session[0]["subject"].as_str().unwrap());
    assert_eq!(events(&app, &root, &by_receipt).await.len(), 1);
}

#[tokio::test]
async fn a_refused_refresh_is_on_record_with_its_code_and_a_served_one_is_not() {
    let (app, _, root) = ruled().await;
    let mut browser = app.signed_in(&app.user("ada").await).await;
    browser.refresh().await.expect(200);
    app.browser().send_refresh().await.expect(401).problem("no_session");
    let copy = browser.cookies();
    for _ in 0..2 {
        app.clock.advance(2 * MINUTE);
        browser.refresh().await.expect(200);
    }
    browser.set_cookies(copy);
    browser.send_refresh().await.expect(409);
    app.clock.advance(2 * SECOND);
    browser.send_refresh().await.expect(401);
    browser.send_refresh().await.expect(401);
    let of_session = events(&app, &root, &format!("session={}", browser.session)).await;
    let told: Vec<_> =
        of_session.iter().map(|event| (&event["kind"], &event["cause"], &event["count"])).collect();
    let has = |kind: &str, cause: &str, count: u64| {
        assert!(told.contains(&(&json!(kind), &json!(cause), &json!(count))), "{kind} {cause}: {told:?}");
    };
    has("dead_token", "refresh_superseded", 1);
    has("session_ended", "token_reuse", 1);
    has("refresh_refused", "session_revoked", 2);
    assert_eq!(of_session.len(), 4, "with the sign-in: {told:?}");
}

/// What happens again within a minute is counted on, and written with where it was only if the person is there still.
#[tokio::test]
async fn of_whoever_is_deleted_meanwhile_no_address_is_written() {
    let (app, _, root) = ruled().await;
    let users = [app.user("ada").await, app.user("bob").await];
    let fail = async || {
        for user in &users {
            let body = json!({ "email": user.email, "password": "wrong password" });
            app.client.post("/api/v1/auth/login", &body).send().await.expect(401);
        }
    };
    fail().await;
    assert_eq!(events(&app, &root, "kind=sign_in_failed").await.len(), 2);
    app.clock.advance(10 * SECOND);
    fail().await;
    assert_eq!(events(&app, &root, "kind=sign_in_failed").await.len(), 2, "the like is counted on");
    let order = EndOrder {
        reason: EndReason::UserDeleted,
        actor: Actor::Admin("grace".into()),
        note: None,
        whence: Whence::default(),
    };
    app.store().user_delete(users[0].id, order, app.clock.get()).await.unwrap();
    app.clock.advance(MINUTE);
    let told = events(&app, &root, "kind=sign_in_failed").await;
    let of = |who: usize| {
        let theirs = told.iter().filter(|event| event["user"] == json!(users[who].id));
        theirs.map(|event| event["address"].clone()).collect::<Vec<_>>()
    };
    assert_eq!((of(0), of(1)), (vec![Value::Null; 2], vec![json!("127.0.0.1"); 2]));
}

#[tokio::test]
async fn what_blocks_a_request_is_on_record_and_ends_nothing() {
    let (app, _, root) = ruled().await;
    let mut ada = app.signed_in(&app.user("ada").await).await;
    for _ in 0..3 {
        super::check(&app, &ada, "plan:pro").await.expect(402);
    }
    let blocked = events(&app, &root, "kind=entitlement_blocked").await;
    assert_eq!(blocked.len(), 1);
    assert_eq!((&blocked[0]["cause"], &blocked[0]["count"]), (&json!("plan_missing"), &json!(3)));
    assert_eq!(blocked[0]["session"], json!(ada.session));
    ada.refresh().await.expect(200);
}

const VERIFIED: &str = "tenure_unexplained_session_ends_total{verified=\"true\"}";
const CLAIMED: &str = "tenure_unexplained_session_ends_total{verified=\"false\"}";

/// An application that idles people out asks for it as they would.
#[tokio::test]
async fn a_sign_out_that_the_person_may_not_have_asked_for_is_counted_by_what_it_bears_the_marks_of() {
    let app = TestApp::new().await;
    let report = async |browser: &Browser, kind: &str, idle: u32| {
        let body = json!({ "type": kind, "idleMinutes": idle, "client": "sdk", "evidence": { "pageAgeMs": 900_000 } });
        app.client.post("/api/v1/auth/logout-event", &body).bearer(&browser.access).send().await.expect(202);
    };
    let unasked = |app: &TestApp| {
        app.metric("tenure_unasked_sign_outs_total{suspect=\"idle_timer\",verified=\"true\"}")
    };
    let ada = app.user("ada").await;
    for (idle, expected) in [(0, 0.0), (25, 1.0), (25, 2.0)] {
        let mut browser = app.signed_in(&ada).await;
        browser.sign_out().await.expect(204);
        for _ in 0..2 {
            report(&browser, "USER_ACTION", idle).await;
        }
        assert_eq!(unasked(&app), expected, "once of each session");
    }
    // What an administrator has ended is nobody's mistake, however long nobody was there.
    let browser = app.signed_in(&ada).await;
    let id = browser.session.parse().unwrap();
    let order = EndOrder {
        reason: EndReason::AdminRevoked,
        actor: Actor::Admin("grace".into()),
        note: None,
        whence: Whence::default(),
    };
    app.store().session_end(ada.id, Scope::One(id), false, order, app.clock.get()).await.unwrap();
    report(&browser, "REFRESH_FAILED", 25).await;
    assert_eq!((unasked(&app), app.metric(VERIFIED)), (2.0, 0.0));
}

#[tokio::test]
async fn a_sign_out_that_the_server_knows_nothing_of_is_counted_and_on_record() {
    let (app, _, root) = ruled().await;
    let mut browser = app.signed_in(&app.user("ada").await).await;
    let report = async |body: Value| {
        let path = "/api/v1/auth/logout-event";
        app.client.post(path, &body).bearer(&browser.access).send().await.expect(202);
        app.metric(VERIFIED)
    };
    let claim = json!({ "type": "AUTH_ERROR", "session": browser.session });
    app.client.post("/api/v1/auth/logout-event", &claim).send().await.expect(202);
    assert_eq!((app.metric(CLAIMED), app.metric(VERIFIED)), (1.0, 0.0), "anybody may claim it");
    // The person's own wish, and a lost cookie, are no mistakes of the front end.
    assert_eq!(report(json!({ "type": "USER_ACTION" })).await, 0.0);
    assert_eq!(report(json!({ "type": "REFRESH_FAILED", "reason": "cookie_missing" })).await, 0.0);
    assert_eq!(
        report(json!({ "type": "AUTH_ERROR", "location": "/dashboard", "release": "7.1" })).await,
        1.0
    );
    assert_eq!(
        report(json!({ "type": "TOKEN_EXPIRED", "idleMinutes": 25 })).await,
        1.0,
        "a session counts once"
    );
    let found = events(&app, &root, "kind=unexplained_end").await;
    assert_eq!(found.len(), 3);
    let is_bug = |event: &&Value| event["cause"] == "AUTH_ERROR" && event["detail"]["verified"] == true;
    let bug = found.iter().find(is_bug).unwrap();
    assert_eq!(bug["detail"]["sighting"], "refusal_taken_for_an_end");
    assert_eq!(
        (&bug["detail"]["location"], &bug["detail"]["release"]),
        (&json!("/dashboard"), &json!("7.1"))
    );
    browser.sign_out().await.expect(204);
    let after = json!({ "type": "REFRESH_FAILED", "session": browser.session });
    app.client.post("/api/v1/auth/logout-event", &after).send().await.expect(202);
    assert_eq!((app.metric(CLAIMED), app.metric(VERIFIED)), (1.0, 1.0), "that one has ended");
    let told = events(&app, &root, &format!("session={}&kind=client_report", browser.session)).await;
    assert_eq!(told.len(), 3);
}

#[tokio::test]
async fn the_record_is_paged_filtered_and_exported_whole() {
    let (app, _, root) = ruled().await;
    let ada = app.user("ada").await;
    for _ in 0..5 {
        app.clock.advance(MINUTE);
        app.signed_in(&ada).await;
    }
    let filter = format!("kind=signed_in&user={}", ada.id);
    let whole = events(&app, &root, &filter).await;
    assert_eq!(whole.len(), 5);
    let mut paged = vec![];
    let mut before = String::new();
    loop {
        let page = get(&root, &format!("/events?{filter}&limit=2{before}")).await;
        paged.extend(page["events"].as_array().unwrap().clone());
        let Some(next) = page["before"].as_str() else { break };
        before = format!("&before={next}");
    }
    assert_eq!(paged, whole);
    let since = whole[1]["at"].as_i64().unwrap();
    assert_eq!(events(&app, &root, &format!("{filter}&since={since}")).await.len(), 2);
    assert_eq!(events(&app, &root, &format!("{filter}&until={since}")).await.len(), 3);

    let file = super::call(&root, "GET", &format!("/events/export?{filter}")).send().await.expect(200);
    assert_eq!(file.header("content-type"), "application/x-ndjson");
    let lines: Vec<Value> = file.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines, whole);
    let file =
        super::call(&root, "GET", &format!("/events/export?{filter}&format=csv")).send().await.expect(200);
    assert_eq!(file.header("content-disposition"), "attachment; filename=\"events.csv\"");
    assert_eq!(file.text().lines().count(), 6);
    for (wrong, field) in
        [("kind=nonsense", "kind"), ("user=1", "user"), ("session=x", "session"), ("before=evt_1", "before")]
    {
        for path in ["/events", "/events/export"] {
            let answer = super::call(&root, "GET", &format!("{path}?{wrong}")).send().await;
            assert_eq!(answer.expect(422).problem("validation_failed")["errors"][0]["field"], field);
        }
    }
}

#[tokio::test]
async fn nothing_waits_for_the_record_and_a_store_that_fails_loses_only_it() {
    let app = Setup::default().start().await;
    let ada = app.user("ada").await;
    app.faults.set("event_add", Fault::Fails(tenure_store::StoreError::Overloaded));
    let body = json!({ "email": ada.email, "password": "wrong password" });
    app.client.post("/api/v1/auth/login", &body).send().await.expect(401).problem("invalid_credentials");
    assert!(app.app.write_events().await.is_err());
    assert_eq!(app.metric("tenure_events_dropped_total"), 1.0);
    app.signed_in(&ada).await;
    app.faults.clear();
    app.app.write_events().await.unwrap();
    assert_eq!(app.app.store.event_count_unsealed(app.clock.get() + HOUR).await.unwrap(), 0);
}

#[tokio::test]
async fn what_administrators_do_is_on_record_beside_the_acts() {
    let (app, root_user, root) = ruled().await;
    let (eve, _) = somebody(&app, "eve", Role::User).await;
    let path = format!("/users/{}/disable", eve.id);
    send(&root, "POST", &path, &json!({ "reason": "left" })).await.expect(200);
    let acts = events(&app, &root, &format!("kind=act&user={}&actor=admin:{}", eve.id, root_user.id)).await;
    assert_eq!((&acts[0]["cause"], &acts[0]["detail"]["became"]), (&json!("state"), &json!("disabled")));
    assert_eq!(acts[0]["detail"]["reason"], "left");
}

#[tokio::test]
async fn an_export_is_an_act_and_gets_no_further_page_once_its_reader_may_no_more() {
    let (app, root_user, root) = ruled().await;
    let (eve_user, eve) = somebody(&app, "eve", Role::Superuser).await;
    let page = tenure_store::EVENTS_LISTED_MAX;
    let many = (0..2 * page + 1).map(|_| Occurrence::new(EventKind::ServerStarted, app.clock.get()));
    app.store().event_add(many.collect()).await.unwrap();
    let path = "/api/v1/admin/events/export?kind=server_started";
    let door = tenure::http::door(Arc::clone(&app.app));
    let body = async |by: &Browser| {
        let call = http::Request::get(path).header("authorization", format!("Bearer {}", by.access));
        let answer = door.clone().answer(call.body(Body::empty()).unwrap()).await;
        assert_eq!(answer.status().as_u16(), 200);
        answer.into_body().into_data_stream()
    };
    let lines = |piece: &[u8]| piece.iter().filter(|byte| **byte == b'\n').count();

    let mut hers = body(&eve).await;
    assert_eq!(lines(&hers.next().await.unwrap().unwrap()), page);
    let demoted = UserChange { role: Some(Role::User), account: None };
    app.store().user_change(eve_user.id, demoted, decree(), app.clock.get()).await.unwrap();
    assert!(hers.next().await.unwrap().is_err(), "broken off, not ended");
    assert!(hers.next().await.is_none());

    let whole: Vec<_> = body(&root).await.map(|piece| lines(&piece.unwrap())).collect().await;
    assert_eq!(whole[..2], [page, page]);
    for user in [&eve_user, &root_user] {
        let told = super::acts(&root, &user.id.to_string()).await;
        assert!(told.iter().any(|[by, _, what, _]| {
            (by.as_str(), what.as_str()) == (&format!("admin:{}", user.id), "events_exported")
        }));
    }
}

#[tokio::test]
async fn people_are_asked_for_by_address_and_by_the_names_that_are_shown_and_answers_name_their_addresses() {
    let (app, root_user, root) = ruled().await;
    let (ada_user, _ada) = somebody(&app, "ada", Role::User).await;
    let reason = json!({ "reason": "left" });
    send(&root, "POST", &format!("/users/{}/disable", ada_user.id), &reason).await.expect(200);
    let (joe, change) = (Decree { actor: Actor::Admin("joe".into()), reason: None }, Role::Developer);
    let change = UserChange { role: Some(change), account: None };
    app.store().user_change(ada_user.id, change, joe, app.clock.get()).await.unwrap();

    let of_ada = events(&app, &root, "kind=act&user=ada%40example.com").await;
    assert!(!of_ada.is_empty() && of_ada.iter().all(|event| event["user"] == json!(ada_user.id)));
    let by_root = events(&app, &root, &format!("kind=act&actor={}", root_user.id)).await;
    assert!(by_root.iter().any(|event| event["detail"]["became"] == "disabled"), "{by_root:?}");
    for written in ["root%40example.com", "admin:root%40example.com", &format!("admin:{}", root_user.id)] {
        assert_eq!(events(&app, &root, &format!("kind=act&actor={written}")).await, by_root, "{written}");
    }
    for written in ["joe", "admin:joe"] {
        assert_eq!(events(&app, &root, &format!("actor={written}")).await.len(), 1, "{written}");
    }
    assert!(!events(&app, &root, "actor=user").await.is_empty());
    let listed = get(&root, "/events?kind=act&actor=root%40example.com").await;
    let people =
        json!({ ada_user.id.to_string(): "ada@example.com", root_user.id.to_string(): "root@example.com" });
    assert_eq!(listed["people"], people);
    let acts = get(&root, &format!("/acts?subject={}", ada_user.id)).await;
    assert_eq!(acts["people"], people);
    for field in ["user", "actor"] {
        let asked = format!("/events?{field}=eve%40example.com");
        assert_eq!(refused(&root, &asked).await, [field, "not_a_user"]);
    }

    // Names of the command line's may look like addresses: of somebody who is here, and of nobody.
    for name in ["ada@example.com", "gone@example.com"] {
        let decree = Decree { actor: Actor::Admin(name.into()), reason: None };
        let (subject, now) = (Subject::User(ada_user.id), app.clock.get());
        app.store().act_record(subject, "looked", decree, Whence::default(), now).await.unwrap();
        assert_eq!(
            events(&app, &root, &format!("actor={}", name.replace('@', "%40"))).await.len(),
            1,
            "{name}"
        );
    }
}
