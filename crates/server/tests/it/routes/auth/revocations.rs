//! `/api/v1/auth/revocations`: what other services are told of ends, and when they are told nothing.

use serde_json::{Value, json};
use tenure_domain::account::Slug;
use tenure_domain::api_key::ApiKeySecret;
use tenure_domain::ends::{Actor, EndReason};
use tenure_domain::id::ApiKeyId;
use tenure_domain::user::Role;
use tenure_store::{ApiKeyCreated, EndOrder, NewApiKey, StoreError, UserChange};

use crate::world::feed::{Listener, PATH};
use crate::world::{DAY, Fault, MINUTE, SECOND, Setup, TestApp, User, decree, eventually};

const VERB: &str = "changed_since";

async fn app() -> TestApp {
    setup().start().await
}

fn setup() -> Setup {
    Setup::default().set("REVOCATIONS__HEARTBEAT", "50ms")
}

fn order() -> EndOrder {
    EndOrder {
        reason: EndReason::AdminRevoked,
        actor: Actor::Admin("root".into()),
        note: None,
        whence: Default::default(),
    }
}

/// A key of somebody's account with one scope, as `(id, secret)`.
async fn key(app: &TestApp, scope: &str) -> (ApiKeyId, String) {
    let owner = app.user(&format!("owner-{scope}")).await;
    let account = app.store().user_find(owner.id).await.unwrap().unwrap().account_id.unwrap();
    let secret = ApiKeySecret::from_entropy(std::array::from_fn(|i| i as u8));
    let scopes = [Slug::parse(scope).unwrap()].into();
    let new = NewApiKey { name: "guard".into(), scopes, expires_at: None, hash: secret.hash() };
    match app.store().api_key_create(account, new, decree(), app.clock.get()).await.unwrap() {
        ApiKeyCreated::Created(key) => (key.id, secret.to_text(key.id).expose().to_owned()),
        _ => panic!("no key was made"),
    }
}

async fn listener(app: &TestApp) -> Listener {
    let (_, key) = key(app, "revocations.read").await;
    Listener::on(&format!("http://{}", app.address), &key).await
}

fn user_fact(user: &User, token_version: u32, role: &str) -> Value {
    json!([{ "id": user.id, "state": "stands", "token_version": token_version, "role": role }])
}

#[tokio::test]
async fn only_whoever_has_the_permission_is_told() {
    let app = app().await;
    let user = app.user("ada").await;
    let ada = app.signed_in(&user).await;
    app.client.get(PATH).send().await.expect(401).problem("access_token_missing");
    app.client.get(PATH).bearer(&ada.access).send().await.expect(403).problem("permission_denied");
    let (_, other) = key(&app, "reports.read").await;
    app.client.get(PATH).header("x-api-key", &other).send().await.expect(403).problem("permission_denied");
    let role = Some(Role::Admin);
    let change = UserChange { role, ..UserChange::default() };
    app.store().user_change(user.id, change, decree(), app.clock.get()).await.unwrap();
    app.client.get(PATH).bearer(&ada.access).send().await.expect(403).problem("permission_denied");
}

#[tokio::test]
async fn it_begins_with_since_when_it_knows_and_says_what_proxies_have_to_know() {
    let app = app().await;
    let mut listener = listener(&app).await;
    assert_eq!(listener.header("content-type"), "text/event-stream");
    assert_eq!(listener.header("cache-control"), "no-store");
    assert_eq!(listener.header("x-accel-buffering"), "no");
    let (name, begin) = listener.next().await.unwrap();
    // A minute for clocks that differ; a lifetime of access tokens and a minute for both of them.
    let since = (app.clock.get() + MINUTE).as_ms();
    assert_eq!((name.as_str(), &begin), ("begin", &json!({ "since": since, "keep": 15 * 60 + 120 })));
    let (name, beat) = listener.next().await.unwrap();
    assert_eq!((name.as_str(), &beat), ("beat", &json!({ "server_time": app.clock.get() })));
}

#[tokio::test]
async fn it_tells_what_makes_an_access_token_fall() {
    let app = app().await;
    let user = app.user("ada").await;
    let mut listener = listener(&app).await;
    listener.until("beat").await;
    let (mut one, two) = (app.signed_in(&user).await, app.signed_in(&user).await);
    one.sign_out().await.expect(204);
    assert_eq!(listener.news().await, json!({ "ended": [one.session], "changed": [], "users": [] }));
    // A sign-in, a refresh and a look at the profile are no news; what follows is the next there is.
    let mut three = app.signed_in(&user).await;
    three.refresh().await.expect(200);
    three.profile().await.expect(200);
    let change = UserChange { role: Some(Role::Developer), ..UserChange::default() };
    app.store().user_change(user.id, change, decree(), app.clock.get()).await.unwrap();
    let news = listener.news().await;
    assert_eq!(news["users"], user_fact(&user, 1, "developer"));
    assert_eq!(news["ended"], json!([]));
    app.store().user_disable(user.id, order(), app.clock.get()).await.unwrap();
    let news = listener.news().await;
    assert_eq!(news["users"], json!([{ "id": user.id, "state": "disabled", "token_version": 2 }]));
    let mut ended = [two.session, three.session];
    ended.sort();
    assert_eq!(news["ended"], json!(ended));
    app.store().user_enable(user.id, decree(), app.clock.get()).await.unwrap();
    assert_eq!(listener.news().await["users"], user_fact(&user, 2, "developer"));
    app.store().user_delete(user.id, order(), app.clock.get()).await.unwrap();
    assert_eq!(listener.news().await["users"], json!([{ "id": user.id, "state": "gone" }]));
    let user = app.user("eve").await;
    let four = app.signed_in(&user).await;
    app.sql(&format!("UPDATE session SET expires_at = 7 WHERE id = {}", app.row_of(&four.session)));
    assert_eq!(listener.news().await["changed"], json!([four.session]));
}

#[tokio::test]
async fn the_sweep_of_long_ended_rows_is_no_news() {
    let app = app().await;
    let user = app.user("ada").await;
    let mut listener = listener(&app).await;
    listener.until("beat").await;
    let mut old = app.signed_in(&user).await;
    old.sign_out().await.expect(204);
    assert_eq!(listener.news().await["ended"], json!([old.session]));
    app.clock.advance(91 * DAY);
    let before = app.clock.get() - 90 * DAY;
    assert_eq!(app.store().sweep(before, 100).await.unwrap(), 1);
    let mut new = app.signed_in(&user).await;
    new.sign_out().await.expect(204);
    assert_eq!(listener.news().await, json!({ "ended": [new.session], "changed": [], "users": [] }));
}

#[tokio::test]
async fn whoever_comes_later_is_told_what_still_matters() {
    let app = app().await;
    let (_, key) = key(&app, "revocations.read").await;
    let base = format!("http://{}", app.address);
    let mut first = Listener::on(&base, &key).await;
    let begin = first.until("begin").await;
    first.until("beat").await;
    app.clock.advance(DAY);
    let mut ada = app.signed_in(&app.user("ada").await).await;
    ada.sign_out().await.expect(204);
    first.news().await;
    let mut second = Listener::on(&base, &key).await;
    // It has been listening all the time, and knows what has happened since.
    assert_eq!(second.until("begin").await, begin);
    assert_eq!(second.facts().await["ended"], json!([ada.session]));
}

#[tokio::test]
async fn there_is_no_beat_while_the_store_cannot_be_read() {
    let app = app().await;
    let user = app.user("ada").await;
    let mut ada = app.signed_in(&user).await;
    let mut listener = listener(&app).await;
    listener.until("beat").await;
    app.faults.set(VERB, Fault::Fails(StoreError::Unavailable("a test".into())));
    // Whatever was under way is heard, and then nothing.
    let silent = async { while tokio::time::timeout(SECOND, listener.next()).await.is_ok() {} };
    tokio::time::timeout(20 * SECOND, silent).await.expect("silent");
    ada.sign_out().await.expect(204);
    app.faults.clear();
    let (name, facts) = listener.next().await.unwrap();
    assert_eq!((name.as_str(), &facts["ended"]), ("facts", &json!([ada.session])), "before any beat");
    listener.until("beat").await;
}

#[tokio::test]
async fn what_cannot_be_told_ends_the_stream_and_the_next_knows_nothing_of_before() {
    let app = app().await;
    let (_, key) = key(&app, "revocations.read").await;
    let base = format!("http://{}", app.address);
    let mut listener = Listener::on(&base, &key).await;
    listener.until("beat").await;
    app.clock.advance(DAY);
    // More than anybody reads one by one.
    app.sql(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5002) \
         INSERT INTO change (session_id) SELECT NULL FROM n",
    );
    listener.until_ended().await;
    let since = (app.clock.get() + MINUTE).as_ms();
    let mut listener = Listener::on(&base, &key).await;
    assert_eq!(listener.until("begin").await["since"], since);
}

#[tokio::test]
async fn a_key_that_is_revoked_is_told_nothing_more() {
    let app = app().await;
    let (id, secret) = key(&app, "revocations.read").await;
    let mut listener = Listener::on(&format!("http://{}", app.address), &secret).await;
    listener.until("beat").await;
    app.store().api_key_revoke(id, decree(), app.clock.get()).await.unwrap();
    listener.until_ended().await;
    app.client
        .get(PATH)
        .header("x-api-key", &secret)
        .send()
        .await
        .expect(401)
        .problem("access_token_revoked");
}

#[tokio::test]
async fn listeners_are_bounded_and_whoever_goes_makes_room() {
    let app = setup().set("REVOCATIONS__LISTENERS_MAX", "2").start().await;
    let (_, key) = key(&app, "revocations.read").await;
    let base = format!("http://{}", app.address);
    let (mut one, _two) = (Listener::on(&base, &key).await, Listener::on(&base, &key).await);
    one.until("beat").await;
    app.expect_failure("overloaded");
    app.client.get(PATH).header("x-api-key", &key).send().await.expect(503).problem("overloaded");
    drop(one);
    let has_room = async || {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        client.get(format!("{base}{PATH}")).header("x-api-key", &key).send().await.unwrap().status() == 200
    };
    eventually("there is room again", has_room).await;
}

#[tokio::test]
async fn whoever_does_not_read_is_hung_up_on() {
    let app = app().await;
    let told = app.app.revocations.listen(&app.app).await.unwrap();
    eventually("it is hung up on", async || told.is_closed()).await;
    assert!(told.len() <= 64);
    eventually("and makes room", async || app.metric("tenure_revocation_listeners") == 0.0).await;
}

#[tokio::test]
async fn a_server_that_stops_ends_the_stream_and_does_not_wait_for_it() {
    let mut app = setup().set("SERVER__SHUTDOWN_GRACE", "1h").start().await;
    let mut listener = listener(&app).await;
    listener.until("beat").await;
    let stopped = app.begin_shut_down();
    listener.until_ended().await;
    tokio::time::timeout(20 * SECOND, stopped).await.expect("stops").unwrap();
}

#[tokio::test]
async fn a_stream_outlives_the_time_that_a_request_may_take() {
    let app = setup().set("SERVER__REQUEST_TIMEOUT", "2s").start().await;
    let mut listener = listener(&app).await;
    // Three seconds of beats, at least.
    for _ in 0..60 {
        listener.until("beat").await;
    }
}
