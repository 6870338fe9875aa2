//! `POST /api/v1/auth/exchange` and its tickets. What is believed of a token is in the domain's own tests.

mod moving;
mod tickets;

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use tenure_domain::email::Email;
use tenure_domain::ends::EndReason;
use tenure_domain::event::EventKind;
use tenure_domain::id::UserId;
use tenure_domain::user::Role;
use tenure_store::{
    AccountChange, EndOrder, EventFilter, Import, Imported, NewUser, Scope, StoreError, UserChange,
};

use crate::world::{
    Answer, Browser, Call, DAY, Fault, HOUR, MINUTE, QUIET, SECOND, Setup, TestApp, at_once, decree,
};

const PATH: &str = "/api/v1/auth/exchange";
/// Of the old back end.
pub const SECRET: &str = "[a secret of the old back end, planted] = \"50\" chars #";
const ATTEMPT: &str = "an-attempt-of-ada-1";

pub fn setup() -> Setup {
    Setup::default()
        .set("MIGRATION__EXCHANGE_UNTIL", "2027-01-01T00:00:00Z")
        .set("MIGRATION__SIMPLEJWT_KEY", SECRET)
        .set("LIMITS__EXCHANGE_PER_ADDRESS_PER_MINUTE", "1000000")
}

/// Open, at the time that commands go by.
pub async fn open_now() -> TestApp {
    let open = setup().set("MIGRATION__EXCHANGE_UNTIL", "2099-01-01T00:00:00Z");
    open.begun(std::time::Duration::ZERO).start().await
}

/// Somebody of the old system, who has come.
pub async fn imported(app: &TestApp, id: &str) -> UserId {
    let email = Email::parse(&format!("user{id}@example.com")).unwrap();
    let new = NewUser::named(&email, &format!("User {id}"));
    let one = vec![Import { key: format!("django:{id}"), new }];
    assert_eq!(app.store().user_import(one, false, app.clock.get()).await.unwrap(), [Imported::Created]);
    app.store().import_find(format!("django:{id}")).await.unwrap().unwrap()
}

pub fn sign(secret: &str, payload: &Value) -> String {
    let encode = |text: &str| URL_SAFE_NO_PAD.encode(text);
    let message = format!("{}.{}", encode(r#"{"alg":"HS256","typ":"JWT"}"#), encode(&payload.to_string()));
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes()), message.as_bytes());
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(tag))
}

/// As simplejwt 5.5 writes a refresh token: handed out a day ago, for a fortnight.
fn claims(app: &TestApp, jti: &str, user: &str) -> Value {
    let handed_out = app.clock.get().as_secs() - 86_400;
    json!({
        "token_type": "refresh", "exp": handed_out + 14 * 86_400, "iat": handed_out, "jti": jti, "user_id": user,
    })
}

pub fn token(app: &TestApp, jti: &str, user: &str) -> String {
    sign(SECRET, &claims(app, jti, user))
}

fn body(token: &str, attempt: &str) -> Value {
    json!({ "kind": "simplejwt", "token": token, "attempt": attempt })
}

pub fn trade(browser: &Browser, token: &str, attempt: &str) -> Call {
    browser.call("POST", PATH).json(&body(token, attempt))
}

async fn events(app: &TestApp, kind: EventKind) -> Vec<(Option<UserId>, String)> {
    app.app.write_events().await.unwrap();
    let filter = EventFilter { kind: Some(kind), ..EventFilter::default() };
    let events = app.store().event_list(filter, 100).await.unwrap();
    let told = |event: tenure_domain::event::Event| (event.what.user, event.what.cause.unwrap_or_default());
    events.into_iter().map(told).collect()
}

fn by(reason: EndReason) -> EndOrder {
    EndOrder { reason, actor: tenure_domain::ends::Actor::User, note: None, whence: Default::default() }
}

#[tokio::test]
async fn a_refresh_token_of_simplejwt_becomes_a_remembered_session_with_the_answer_of_a_sign_in() {
    let app = setup().start().await;
    let ada = imported(&app, "17").await;
    let mut browser = app.browser();
    let answer = trade(&browser, &token(&app, "a", "17"), ATTEMPT).send().await.expect(200);
    let members: Vec<_> = answer.json().as_object().unwrap().keys().cloned().collect();
    assert_eq!(members, ["access_token", "expires_in", "server_time", "session", "token_type", "user"]);
    let now = app.clock.get();
    let session = &answer.json()["session"];
    assert_eq!((&session["remembered"], &session["created_at"]), (&json!(true), &json!(now)));
    assert_eq!(session["expires_at"], json!(now + 20 * DAY));
    assert_eq!(answer.json()["user"]["id"], ada.to_string());
    assert!(
        answer.set_cookies()[0]
            .ends_with("; Path=/api/v1/auth/refresh; HttpOnly; SameSite=Lax; Max-Age=1814400")
    );
    browser.receive(&answer);
    browser.profile().await.expect(200);
    app.clock.advance(19 * DAY);
    browser.refresh().await.expect(200);
    assert_eq!(events(&app, EventKind::Exchanged).await, [(Some(ada), "traded".into())]);
    assert_eq!(app.metric(r#"tenure_exchanges_total{outcome="ok"}"#), 1.0);
    // The other system wrote numbers as numbers, once.
    let payload = {
        let mut payload = claims(&app, "b", "");
        payload["user_id"] = json!(17);
        payload
    };
    trade(&browser, &sign(SECRET, &payload), ATTEMPT).send().await.expect(200);
}

#[tokio::test]
async fn support_reads_where_a_session_comes_from() {
    let app = setup().start().await;
    imported(&app, "17").await;
    let answer = trade(&app.browser(), &token(&app, "a", "17"), ATTEMPT).send().await.expect(200);
    let told = app.cli().run(&["explain", &answer.session_id()]).out;
    assert!(told.contains("taken over from a sign-in elsewhere (simplejwt), without a password"), "{told}");
    assert!(told.contains("they had signed in there by 2026-11-"), "{told}");
}

#[tokio::test]
async fn a_lost_answer_costs_nothing_and_what_is_handed_out_again_is_no_reuse() {
    let app = setup().start().await;
    imported(&app, "17").await;
    let (mut browser, legacy) = (app.browser(), token(&app, "a", "17"));
    let lost = trade(&browser, &legacy, ATTEMPT).send().await.expect(200);
    app.clock.advance(3 * HOUR);
    let again = trade(&browser, &legacy, ATTEMPT).send().await.expect(200);
    assert_eq!(again.session_id(), lost.session_id());
    // It arrives after all, and the browser holds what it says.
    browser.receive(&again);
    browser.receive(&lost);
    for _ in 0..5 {
        browser.refresh().await.expect(200);
        app.clock.advance(QUIET);
    }
    assert_eq!(app.metric("tenure_dead_token_total"), 0.0);
    assert_eq!(app.metric(r#"tenure_exchanges_total{outcome="again"}"#), 1.0);
    let causes: Vec<_> =
        events(&app, EventKind::Exchanged).await.into_iter().map(|(_, cause)| cause).collect();
    assert_eq!(causes, ["handed_out_again", "traded"]);
    // Whoever has stolen both, the token and the attempt, is too late.
    let thief = app.browser();
    trade(&thief, &legacy, ATTEMPT).send().await.expect(409).without_cookies().problem("exchange_used");
    browser.refresh().await.expect(200);
    assert_eq!(browser.sessions().await.len(), 1);
}

#[tokio::test]
async fn of_twenty_tabs_with_one_attempt_all_are_given_one_session_and_other_attempts_none() {
    let app = setup().start().await;
    imported(&app, "17").await;
    let (browser, legacy) = (app.browser(), token(&app, "a", "17"));
    let tabs = at_once((0..20).map(|_| trade(&browser, &legacy, ATTEMPT))).await;
    let first = tabs[0].session_id();
    assert!(tabs.iter().all(|tab| tab.status == 200 && tab.session_id() == first));
    let others = at_once((0..20).map(|n| trade(&browser, &legacy, &format!("another-attempt-{n:02}")))).await;
    assert!(others.iter().all(|other| other.code() == "exchange_used"));
    assert_eq!(app.store().session_count(app.clock.get()).await.unwrap().total(), 1);
}

#[tokio::test]
async fn what_is_refused_is_no_401_touches_no_cookie_and_is_on_record_with_its_cause() {
    let app = setup().start().await;
    let ada = imported(&app, "17").await;
    let good = token(&app, "a", "17");
    let changed = |name: &str, value: Value| {
        let mut changed = claims(&app, "x", "17");
        changed[name] = value;
        sign(SECRET, &changed)
    };
    let now = app.clock.get().as_secs();
    let unsigned = format!("eyJhbGciOiJub25lIn0.{}.", good.split('.').nth(1).unwrap());
    let used = token(&app, "used", "17");
    let browser = app.signed_in(&app.user("bob").await).await;
    trade(&browser, &used, ATTEMPT).send().await.expect(200);
    let before = browser.cookies();
    for (name, token, status, code, cause) in [
        ("garbage", "a.b.c".to_owned(), 400, "exchange_invalid", "malformed"),
        ("nothing", String::new(), 400, "exchange_invalid", "malformed"),
        ("huge", "x".repeat(10_000), 400, "exchange_invalid", "malformed"),
        ("unsigned", unsigned, 400, "exchange_invalid", "wrong_algorithm"),
        (
            "another key",
            sign("another secret", &claims(&app, "x", "17")),
            400,
            "exchange_invalid",
            "not_authentic",
        ),
        ("access", changed("token_type", json!("access")), 400, "exchange_invalid", "not_a_refresh_token"),
        ("no name", changed("jti", json!(null)), 400, "exchange_invalid", "without_jti"),
        ("of tomorrow", changed("iat", json!(now + 60)), 400, "exchange_invalid", "odd_times"),
        ("without an end", changed("exp", json!(null)), 400, "exchange_invalid", "odd_times"),
        ("for ever", changed("exp", json!(now + 4_000_000_000_i64)), 400, "exchange_invalid", "odd_times"),
        ("nobody's", changed("user_id", json!(null)), 400, "exchange_invalid", "without_user"),
        ("over", changed("exp", json!(now - 31)), 400, "exchange_expired", "exchange_expired"),
        (
            "a stranger's",
            changed("user_id", json!("18")),
            404,
            "exchange_unknown_user",
            "exchange_unknown_user",
        ),
        ("used", used, 409, "exchange_used", "exchange_used"),
    ] {
        let answer =
            trade(&browser, &token, "another-attempt-1").send().await.expect(status).without_cookies();
        answer.problem(code);
        let counted = app.metric(&format!("tenure_exchanges_total{{outcome=\"{code}\"}}"));
        assert!(counted >= 1.0, "{name}");
        let (user, told) = &events(&app, EventKind::ExchangeRefused).await[0];
        assert_eq!((told.as_str(), *user), (cause, (cause == "exchange_used").then_some(ada)), "{name}");
        // Each at a time of its own, so that the newest event is the last one.
        app.clock.advance(SECOND);
    }
    assert_eq!(browser.cookies(), before);
    // An access token of ours is none of theirs.
    trade(&browser, &browser.access, ATTEMPT).send().await.expect(400).problem("exchange_invalid");
    trade(&browser, &good, ATTEMPT).send().await.expect(200);
    assert_eq!(app.metric(r#"tenure_exchanges_total{outcome="ok"}"#), 2.0);
}

#[tokio::test]
async fn a_body_that_does_not_fit_is_told_what_does() {
    let app = setup().start().await;
    imported(&app, "17").await;
    let good = token(&app, "a", "17");
    for attempt in ["", "short", "0123456789abcde!", &"x".repeat(65)] {
        let answer = trade(&app.browser(), &good, attempt).send().await.expect(422).without_cookies();
        assert_eq!(answer.problem("validation_failed")["errors"][0]["field"], "attempt");
    }
    for (field, odd) in [
        ("token", json!({ "kind": "simplejwt", "attempt": ATTEMPT })),
        ("token", json!({ "kind": "simplejwt", "ticket": good, "attempt": ATTEMPT })),
        ("ticket", json!({ "kind": "ticket", "token": good, "ticket": good, "attempt": ATTEMPT })),
    ] {
        let answer = app.client.post(PATH, &odd).send().await.expect(422);
        assert_eq!(answer.problem("validation_failed")["errors"][0]["field"], field);
    }
    for odd in [json!({}), json!({ "kind": "session", "token": good, "attempt": ATTEMPT })] {
        app.client.post(PATH, &odd).send().await.expect(422).without_cookies();
    }
    let as_text = app.client.call("POST", PATH).body("text/plain", body(&good, ATTEMPT).to_string());
    as_text.send().await.expect(415);
    let foreign = app.client.post(PATH, &body(&good, ATTEMPT)).header("origin", "https://evil.example");
    foreign.send().await.expect(403).without_cookies().problem("origin_not_allowed");
    trade(&app.browser(), &good, ATTEMPT).send().await.expect(200);
}

#[tokio::test]
async fn it_is_open_for_as_long_as_it_says_and_closing_it_ends_nothing() {
    for closed in [
        Setup::default(),
        setup().set("MIGRATION__EXCHANGE_UNTIL", ""),
        setup().set("MIGRATION__SIMPLEJWT_KEY", ""),
    ] {
        let app = closed.start().await;
        imported(&app, "17").await;
        let answer = trade(&app.browser(), &token(&app, "a", "17"), ATTEMPT).send().await;
        answer.expect(403).without_cookies().problem("exchange_closed");
        assert_eq!(events(&app, EventKind::ExchangeRefused).await, []);
    }
    let app = setup().set("MIGRATION__EXCHANGE_UNTIL", "2026-11-20T00:00:00Z").start().await;
    imported(&app, "17").await;
    let mut browser = app.browser();
    let answer = trade(&browser, &token(&app, "a", "17"), ATTEMPT).send().await.expect(200);
    browser.receive(&answer);
    let later = token(&app, "b", "17");
    app.clock.advance(3 * DAY);
    trade(&browser, &later, ATTEMPT).send().await.expect(403).problem("exchange_closed");
    browser.refresh().await.expect(200);
}

#[tokio::test]
async fn whoever_may_not_sign_in_any_more_or_has_begun_anew_here_is_not_let_in_by_what_they_had() {
    let app = setup().start().await;
    let (ada, bob, cyd) = (imported(&app, "1").await, imported(&app, "2").await, imported(&app, "3").await);
    let now = app.clock.get();
    app.store().user_disable(ada, by(EndReason::UserDisabled), now).await.unwrap();
    app.store().user_delete(bob, by(EndReason::UserDeleted), now).await.unwrap();
    app.store().session_end(cyd, Scope::All, true, by(EndReason::SignedOutEverywhere), now).await.unwrap();
    for (id, status, code) in
        [("1", 403, "permission_denied"), ("2", 404, "exchange_unknown_user"), ("3", 409, "exchange_used")]
    {
        let answer = trade(&app.browser(), &token(&app, id, id), ATTEMPT).send().await;
        answer.expect(status).without_cookies().problem(code);
    }
    assert_eq!(app.store().session_count(now).await.unwrap().total(), 0);
}

#[tokio::test]
async fn who_was_promoted_here_or_may_do_more_than_others_is_let_in_by_a_password_alone() {
    let grants = r#"{ "admin.users" = ["admin"] }"#;
    let app = setup().set("ENTITLEMENT__PERMISSIONS", grants).start().await;
    let now = app.clock.get();
    let come = async |id: &str, role| {
        let email = Email::parse(&format!("user{id}@example.com")).unwrap();
        let new = NewUser { role, decree: Some(decree()), ..NewUser::named(&email, id) };
        let one = vec![Import { key: format!("django:{id}"), new }];
        app.store().user_import(one, false, now).await.unwrap();
        app.store().import_find(format!("django:{id}")).await.unwrap().unwrap()
    };
    let promoted = imported(&app, "1").await;
    let before = trade(&app.browser(), &token(&app, "before", "1"), ATTEMPT).send().await.expect(200);
    let superuser = UserChange { role: Some(Role::Superuser), account: None };
    app.store().user_change(promoted, superuser, decree(), now).await.unwrap();
    come("2", Role::Superuser).await;
    come("3", Role::Admin).await;
    let operator = come("4", Role::User).await;
    let account = app.store().user_find(operator).await.unwrap().unwrap().account_id.unwrap();
    let system = AccountChange { is_system: Some(true), ..AccountChange::default() };
    app.store().account_change(account, system, decree(), now).await.unwrap();
    for id in ["1", "2", "3", "4"] {
        let answer = trade(&app.browser(), &token(&app, id, id), ATTEMPT).send().await;
        answer.expect(409).without_cookies().problem("exchange_used");
    }
    // Nor is an answer that was lost given again; and nobody is signed out by any of it.
    let again = trade(&app.browser(), &token(&app, "before", "1"), ATTEMPT).send().await;
    again.expect(409).without_cookies().problem("exchange_used");
    let mut browser = app.browser();
    browser.receive(&before);
    browser.refresh().await.expect(200);
    imported(&app, "5").await;
    trade(&app.browser(), &token(&app, "5", "5"), ATTEMPT).send().await.expect(200);
}

#[tokio::test]
async fn who_signs_out_all_else_keeps_this_session_and_what_a_lost_laptop_has_is_worth_nothing() {
    let app = setup().start().await;
    imported(&app, "17").await;
    imported(&app, "18").await;
    let mut here = app.browser();
    here.receive(&trade(&here, &token(&app, "a", "17"), ATTEMPT).send().await.expect(200));
    here.logout("others").await.expect(204);
    let lost = trade(&app.browser(), &token(&app, "b", "17"), "another-attempt-1").send().await;
    lost.expect(409).without_cookies().problem("exchange_used");
    here.profile().await.expect(200);
    here.refresh().await.expect(200);
    trade(&app.browser(), &token(&app, "c", "18"), ATTEMPT).send().await.expect(200);
}

#[tokio::test]
async fn a_device_id_is_a_label_that_ends_nothing_here_and_what_it_labels_at_the_next_sign_in() {
    let app = setup().start().await;
    imported(&app, "17").await;
    let mut first = app.browser();
    let labelled = |jti: &str| {
        let mut body = body(&token(&app, jti, "17"), ATTEMPT);
        body["device_id"] = json!("laptop");
        body
    };
    let answer = first.call("POST", PATH).json(&labelled("a")).send().await.expect(200);
    first.receive(&answer);
    app.clock.advance(HOUR);
    app.client.post(PATH, &labelled("b")).send().await.expect(200);
    first.refresh().await.expect(200);
    assert_eq!(first.sessions().await.len(), 2);
}

#[tokio::test]
async fn a_flood_is_limited_and_an_office_is_let_through_when_it_has_waited() {
    let app = setup().set("LIMITS__EXCHANGE_PER_ADDRESS_PER_MINUTE", "5").start().await;
    let user = app.user("ada").await;
    imported(&app, "17").await;
    for n in 0..5 {
        trade(&app.browser(), &token(&app, &n.to_string(), "18"), ATTEMPT).send().await.expect(404);
    }
    let limited = trade(&app.browser(), &token(&app, "a", "17"), ATTEMPT).send().await.expect(429);
    limited.without_cookies().problem("rate_limited");
    // It has nothing to do with sign-ins.
    app.signed_in(&user).await;
    app.clock.advance(MINUTE);
    trade(&app.browser(), &token(&app, "a", "17"), ATTEMPT).send().await.expect(200);
}

#[tokio::test]
async fn a_store_that_fails_is_503_whatever_it_did_and_the_same_attempt_is_served_afterwards() {
    let app = setup().start().await;
    imported(&app, "17").await;
    let (mut browser, legacy) = (app.browser(), token(&app, "a", "17"));
    app.expect_failure("storage_unavailable");
    let down = || StoreError::Unavailable("planted".into());
    for (verb, fault) in [
        ("import_find", Fault::Fails(down())),
        ("session_exchange", Fault::Fails(down())),
        // It is written, and nobody hears of it.
        ("session_exchange", Fault::FailsAfter(down())),
    ] {
        app.faults.set(verb, fault);
        let answer: Answer = trade(&browser, &legacy, ATTEMPT).send().await.expect(503).without_cookies();
        answer.problem("storage_unavailable");
        app.faults.clear();
    }
    assert_eq!(events(&app, EventKind::ExchangeRefused).await, []);
    let answer = trade(&browser, &legacy, ATTEMPT).send().await.expect(200);
    browser.receive(&answer);
    browser.refresh().await.expect(200);
    assert_eq!(app.store().session_count(app.clock.get()).await.unwrap().total(), 1);
}

#[tokio::test]
async fn used_tokens_are_forgotten_once_nobody_can_show_them_and_not_before() {
    let app = setup().start().await;
    imported(&app, "17").await;
    let legacy = token(&app, "a", "17");
    trade(&app.browser(), &legacy, ATTEMPT).send().await.expect(200);
    let again = async || trade(&app.browser(), &legacy, "another-attempt-1").send().await.code();
    app.clock.advance(13 * DAY + 29 * SECOND);
    assert_eq!(app.store().exchange_expire(app.clock.get(), 10).await.unwrap(), 0);
    assert_eq!(again().await, "exchange_used");
    app.clock.advance(MINUTE);
    assert_eq!(again().await, "exchange_expired");
    assert_eq!(app.store().exchange_expire(app.clock.get(), 10).await.unwrap(), 1);
    assert_eq!(again().await, "exchange_expired");
}
