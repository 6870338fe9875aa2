//! `/api/v1/auth/events`: what the tabs of a session are told, and that it is never more than the store says.

use serde_json::{Value, json};
use tenure_domain::account::AccountStatus;
use tenure_domain::ends::{Actor, EndReason};
use tenure_domain::id::SessionId;
use tenure_domain::user::Role;
use tenure_store::{AccountChange, EndOrder, Scope, StoreError, UserChange};

use crate::world::feed::{EVENTS, Listener, in_time};
use crate::world::{
    Browser, Fault, HOUR, MINUTE, PASSWORD, SECOND, Setup, TestApp, User, decree, eventually,
};

async fn app() -> TestApp {
    setup().start().await
}

fn setup() -> Setup {
    Setup::default().set("EVENTS__HEARTBEAT", "50ms")
}

fn order() -> EndOrder {
    let note = Some("she asked at the desk".to_owned());
    EndOrder {
        reason: EndReason::AdminRevoked,
        actor: Actor::Admin("root".into()),
        note,
        whence: Default::default(),
    }
}

async fn end(app: &TestApp, user: &User, session: &str) {
    let scope = Scope::One(session.parse::<SessionId>().unwrap());
    app.store().session_end(user.id, scope, false, order(), app.clock.get()).await.unwrap();
}

/// A tab that listens, past its beginning.
async fn listening(app: &TestApp, browser: &Browser) -> Listener {
    let mut tab = Listener::with_token(&format!("http://{}", app.address), &browser.access).await;
    tab.until("begin").await;
    tab
}

/// Whether nothing but signs of life comes for a while.
async fn hears_nothing(tab: &mut Listener) -> bool {
    let listened = async {
        for _ in 0..10 {
            if tab.next().await.is_none_or(|(name, _)| !name.is_empty()) {
                return false;
            }
        }
        true
    };
    in_time(listened).await
}

#[tokio::test]
async fn it_begins_with_what_a_listener_has_to_know_and_what_proxies_have_to() {
    let app = app().await;
    let ada = app.signed_in(&app.user("ada").await).await;
    let base = format!("http://{}", app.address);
    let mut tab = Listener::with_token(&base, &ada.access).await;
    assert_eq!(tab.header("content-type"), "text/event-stream");
    assert_eq!(tab.header("cache-control"), "no-store");
    assert_eq!(tab.header("x-accel-buffering"), "no");
    let begin = tab.until("begin").await;
    assert_eq!(begin["server_time"], json!(app.clock.get()));
    assert_eq!(begin["heartbeat"], 50);
    assert!(hears_nothing(&mut tab).await);
    // Whoever comes back is told by the same state that nothing was missed.
    let again = Listener::with_token(&base, &ada.access).await.until("begin").await;
    assert_eq!(again["state"], begin["state"]);
}

#[tokio::test]
async fn an_end_is_told_with_its_reason_and_receipt_as_a_refresh_tells_it_and_ends_the_stream() {
    let app = app().await;
    let user = app.user("ada").await;
    let (mut ada, other) = (app.signed_in(&user).await, app.signed_in(&user).await);
    let (mut tab, mut bystander) = (listening(&app, &ada).await, listening(&app, &other).await);
    end(&app, &user, &ada.session).await;
    let told = tab.until("ended").await;
    assert_eq!(tab.next().await, None, "it was the last");
    let refused = ada.refresh().await.expect(401).problem("session_revoked");
    for member in ["code", "class", "status", "title", "detail", "session", "reason", "receipt"] {
        assert_eq!(told[member], refused[member], "{member}");
    }
    assert_eq!(told["reason"], "admin_revoked");
    // What the administrator noted is not for her, nor who it was.
    let text = told.to_string();
    assert!(!text.contains("desk") && !text.contains("root"), "{text}");
    assert!(hears_nothing(&mut bystander).await, "the other session stands");
}

#[tokio::test]
async fn whatever_ends_a_session_is_told_and_every_stream_of_it_hears() {
    let app = app().await;
    for reason in ["signed_out", "user_disabled", "user_deleted", "password_changed"] {
        let user = app.user(reason).await;
        let mut browser = app.signed_in(&user).await;
        let mut tabs = [listening(&app, &browser).await, listening(&app, &browser).await];
        let by = |reason| EndOrder { reason, ..order() };
        let (store, now) = (app.store(), app.clock.get());
        match reason {
            "user_disabled" => {
                drop(store.user_disable(user.id, by(EndReason::UserDisabled), now).await.unwrap())
            }
            "user_deleted" => {
                drop(store.user_delete(user.id, by(EndReason::UserDeleted), now).await.unwrap())
            }
            "password_changed" => {
                let mut elsewhere = app.signed_in(&user).await;
                elsewhere.change_password(PASSWORD, "another horse entirely").await.expect(200);
            }
            _ => drop(browser.sign_out().await.expect(204)),
        }
        for tab in &mut tabs {
            let told = tab.until("ended").await;
            assert_eq!((&told["reason"], &told["session"]), (&json!(reason), &json!(browser.session)));
        }
    }
}

#[tokio::test]
async fn whoever_changed_the_password_stays_and_listens_on_with_the_new_token() {
    let app = app().await;
    let user = app.user("ada").await;
    let mut ada = app.signed_in(&user).await;
    let mut tab = listening(&app, &ada).await;
    ada.change_password(PASSWORD, "another horse entirely").await.expect(200);
    // The token by which it listened does not stand any more; the session does.
    assert_eq!(tab.until("changed").await["state"], Value::Null);
    assert_eq!(tab.next().await, None);
    ada.refresh().await.expect(200);
    assert!(hears_nothing(&mut listening(&app, &ada).await).await);
}

#[tokio::test]
async fn what_a_person_may_see_of_themselves_is_told_as_a_change_and_nothing_else_is() {
    let app = app().await;
    let user = app.user("ada").await;
    let (mut ada, eve) = (app.signed_in(&user).await, app.signed_in(&app.user("eve").await).await);
    let (mut tab, mut other) = (listening(&app, &ada).await, listening(&app, &eve).await);
    // Neither a refresh nor a look at the profile.
    ada.refresh().await.expect(200);
    ada.profile().await.expect(200);
    let now = app.clock.get();
    app.store().user_rename(user.id, "Ada L.".into(), now).await.unwrap();
    let renamed = tab.until("changed").await;
    assert_eq!(renamed["session"], json!(ada.session));
    let account = app.store().user_find(user.id).await.unwrap().unwrap().account_id.unwrap();
    let suspended = AccountChange { status: Some(AccountStatus::Suspended), ..AccountChange::default() };
    app.store().account_change(account, suspended, decree(), now).await.unwrap();
    assert_ne!(tab.until("changed").await["state"], renamed["state"]);
    let developer = UserChange { role: Some(Role::Developer), ..UserChange::default() };
    app.store().user_change(user.id, developer, decree(), now).await.unwrap();
    let last = tab.until("changed").await;
    assert!(hears_nothing(&mut tab).await);
    assert!(hears_nothing(&mut other).await, "it is none of hers");
    // Whoever was away when it happened finds another state than they knew.
    let base = format!("http://{}", app.address);
    let begin = Listener::with_token(&base, &ada.access).await.until("begin").await;
    assert_eq!(begin["state"], last["state"]);
    assert_ne!(begin["state"], renamed["state"]);
}

#[tokio::test]
async fn it_needs_an_access_token_that_stands_and_ends_with_it() {
    let app = app().await;
    let user = app.user("ada").await;
    let mut ada = app.signed_in(&user).await;
    app.client.get(EVENTS).send().await.expect(401).problem("access_token_missing");
    let mut tab = listening(&app, &ada).await;
    app.clock.advance(15 * MINUTE + SECOND);
    tab.until_ended().await;
    app.client.get(EVENTS).bearer(&ada.access).send().await.expect(401).problem("access_token_expired");
    // The end of a stream is no end of a session.
    ada.refresh().await.expect(200);
    end(&app, &user, &ada.session).await;
    app.client.get(EVENTS).bearer(&ada.access).send().await.expect(401).problem("access_token_revoked");
}

#[tokio::test]
async fn a_page_of_an_allowed_origin_may_listen_and_another_may_not_read_it() {
    let app = app().await;
    let ada = app.signed_in(&app.user("ada").await).await;
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let from = async |origin: &str| {
        let call = client.get(format!("http://{}{EVENTS}", app.address)).bearer_auth(&ada.access);
        call.header("origin", origin).send().await.unwrap()
    };
    let allowed = from(app.origin()).await;
    assert_eq!(allowed.headers()["access-control-allow-origin"], app.origin());
    let other = from("https://evil.example").await;
    assert!(other.headers().get("access-control-allow-origin").is_none());
}

#[tokio::test]
async fn an_end_waits_for_the_store_and_absence_is_not_told_as_one() {
    let app = app().await;
    let user = app.user("ada").await;
    let (ada, gone) = (app.signed_in(&user).await, app.signed_in(&user).await);
    let (mut tab, mut other) = (listening(&app, &ada).await, listening(&app, &gone).await);
    app.faults.set("session_find", Fault::Fails(StoreError::Unavailable("a test".into())));
    end(&app, &user, &ada.session).await;
    assert!(hears_nothing(&mut tab).await);
    app.faults.clear();
    assert_eq!(tab.until("ended").await["reason"], "admin_revoked");
    app.sql(&format!("DELETE FROM session WHERE id = {}", app.row_of(&gone.session)));
    assert_eq!(other.until("changed").await["state"], Value::Null, "not that it has ended: nobody knows");
    assert_eq!(other.next().await, None);
}

#[tokio::test]
async fn what_nobody_can_name_has_everybody_look() {
    let app = app().await;
    let user = app.user("ada").await;
    let ada = app.signed_in(&user).await;
    let mut tab = listening(&app, &ada).await;
    // More than anybody reads one by one, and an end among it.
    app.sql(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5002) \
         INSERT INTO change (session_id) SELECT NULL FROM n",
    );
    end(&app, &user, &ada.session).await;
    assert_eq!(tab.until("ended").await["session"], json!(ada.session));
}

#[tokio::test]
async fn listeners_are_bounded_in_all_and_for_each_session_and_whoever_goes_makes_room() {
    let app = setup().set("EVENTS__CONNECTIONS_MAX", "6").start().await;
    let user = app.user("ada").await;
    let (ada, second) = (app.signed_in(&user).await, app.signed_in(&user).await);
    let mut tabs = vec![];
    for _ in 0..4 {
        tabs.push(listening(&app, &ada).await);
    }
    app.expect_failure("overloaded");
    app.client.get(EVENTS).bearer(&ada.access).send().await.expect(503).problem("overloaded");
    let more = [listening(&app, &second).await, listening(&app, &second).await];
    let refused = app.client.get(EVENTS).bearer(&second.access).send().await.expect(503);
    refused.problem("overloaded");
    assert_eq!(refused.header("retry-after"), "1");
    drop((tabs, more));
    let has_room = async || {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let call = client.get(format!("http://{}{EVENTS}", app.address)).bearer_auth(&ada.access);
        call.send().await.unwrap().status() == 200
    };
    eventually("there is room again", has_room).await;
}

#[tokio::test]
async fn whoever_does_not_read_takes_no_room_for_what_they_miss_and_goes_with_their_token() {
    let app = app().await;
    let user = app.user("ada").await;
    let ada = app.signed_in(&user).await;
    let mut raw = app.raw().await;
    raw.write(format!("GET {EVENTS} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\n\r\n", ada.access))
        .await;
    eventually("it listens", async || app.metric("tenure_tab_feed_listeners") == 1.0).await;
    for turn in 0..200 {
        app.store().user_rename(user.id, format!("Ada {turn}"), app.clock.get()).await.unwrap();
    }
    app.clock.advance(HOUR);
    eventually("it is hung up on", async || app.metric("tenure_tab_feed_listeners") == 0.0).await;
}

/// As a connection has it whose other end has stopped reading: nobody asks for more.
#[tokio::test]
async fn what_is_not_asked_for_any_more_keeps_no_place_beyond_its_token() {
    let app = app().await;
    let ada = app.signed_in(&app.user("ada").await).await;
    let listeners = async |expected| {
        let count = async || app.metric("tenure_tab_feed_listeners") == expected;
        eventually(&format!("{expected} listen"), count).await;
    };
    let request = http::Request::get(EVENTS).header("authorization", format!("Bearer {}", ada.access));
    let door = tenure::http::door(std::sync::Arc::clone(&app.app));
    let answer = door.answer(request.body(Default::default()).unwrap()).await;
    assert_eq!(answer.status(), 200);
    listeners(1.0).await;
    app.clock.advance(HOUR);
    listeners(0.0).await;
    drop(answer);
}

#[tokio::test]
async fn a_server_that_stops_ends_the_streams_and_does_not_wait_for_them() {
    let mut app = setup().set("SERVER__SHUTDOWN_GRACE", "1h").start().await;
    let ada = app.signed_in(&app.user("ada").await).await;
    let mut tab = listening(&app, &ada).await;
    let stopped = app.begin_shut_down();
    tab.until_ended().await;
    tokio::time::timeout(20 * SECOND, stopped).await.expect("stops").unwrap();
}

#[tokio::test]
async fn a_stream_outlives_the_time_that_a_request_may_take_and_writes_nothing() {
    let app = setup().set("SERVER__REQUEST_TIMEOUT", "5s").start().await;
    let ada = app.signed_in(&app.user("ada").await).await;
    let before = app.database().rows();
    let mut tab = listening(&app, &ada).await;
    // Half a second each, at least.
    for _ in 0..12 {
        assert!(hears_nothing(&mut tab).await);
    }
    assert_eq!(app.database().rows(), before);
}
