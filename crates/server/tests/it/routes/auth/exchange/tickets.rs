//! `POST /api/v1/auth/exchange/tickets`: what a back end vouches for.

use super::*;

const TICKETS: &str = "/api/v1/auth/exchange/tickets";

/// A key with these scopes, made by a superuser; and the superuser.
async fn key(app: &TestApp, scope: &str) -> (String, Browser) {
    let root = app.user("root").await;
    let change = UserChange { role: Some(Role::Superuser), account: None };
    app.store().user_change(root.id, change, decree(), app.clock.get()).await.unwrap();
    let browser = app.signed_in(&root).await;
    let wish = json!({ "name": "django", "scopes": [scope] });
    let made = browser.call("POST", "/api/v1/auth/api-keys").bearer(&browser.access).json(&wish);
    let secret = made.send().await.expect(201).json()["secret"].as_str().unwrap().to_owned();
    (secret, browser)
}

fn ask(app: &TestApp, key: &str, wish: &Value) -> Call {
    app.client.post(TICKETS, wish).header("x-api-key", key)
}

fn wish(session: &str) -> Value {
    json!({ "user_id": "17", "legacy_session": session })
}

async fn ticket(app: &TestApp, key: &str, session: &str) -> String {
    let answer = ask(app, key, &wish(session)).send().await.expect(200).without_cookies();
    assert_eq!(answer.json()["expires_in"], 60);
    answer.json()["ticket"].as_str().unwrap().to_owned()
}

fn show(browser: &Browser, ticket: &str, attempt: &str) -> Call {
    browser.call("POST", PATH).json(&json!({ "kind": "ticket", "ticket": ticket, "attempt": attempt }))
}

#[tokio::test]
async fn a_session_of_django_becomes_one_of_ours_once_however_many_tickets_are_asked_for() {
    let app = setup().set("MIGRATION__SIMPLEJWT_KEY", "").start().await;
    let ada = imported(&app, "17").await;
    let (key, _) = key(&app, "sessions.exchange").await;
    let (first, second) =
        (ticket(&app, &key, "django session").await, ticket(&app, &key, "django session").await);
    assert!(first.starts_with("tnx1_") && first == second);
    app.clock.advance(SECOND);
    let third = ticket(&app, &key, "django session").await;
    assert_ne!(first, third);
    let mut browser = app.browser();
    let answer = show(&browser, &first, ATTEMPT).send().await.expect(200);
    assert_eq!(answer.json()["user"]["id"], ada.to_string());
    browser.receive(&answer);
    // A lost answer, and then with a ticket of its own, because the first one was only good for a minute.
    for ticket in [&first, &third] {
        assert_eq!(
            show(&browser, ticket, ATTEMPT).send().await.expect(200).session_id(),
            answer.session_id()
        );
        let thief = show(&app.browser(), ticket, "another-attempt-1").send().await;
        thief.expect(409).without_cookies().problem("exchange_used");
    }
    browser.refresh().await.expect(200);
    let other = ticket(&app, &key, "another django session").await;
    show(&app.browser(), &other, "another-attempt-1").send().await.expect(200);
    assert_eq!(app.store().session_count(app.clock.get()).await.unwrap().total(), 3);
    let told = app.cli().run(&["explain", &answer.session_id()]).out;
    assert!(told.contains("taken over from a sign-in elsewhere (ticket)"), "{told}");
}

#[tokio::test]
async fn a_ticket_is_good_for_a_minute_on_this_server_alone_and_outlives_a_change_of_the_master_secret() {
    let app = setup().start().await;
    imported(&app, "17").await;
    let (key, _) = key(&app, "sessions.exchange").await;
    let old = ticket(&app, &key, "a").await;
    let refused = async |app: &TestApp, ticket: &str, code: &str| {
        show(&app.browser(), ticket, ATTEMPT).send().await.expect(400).without_cookies().problem(code);
    };
    let mut forged = old.clone().into_bytes();
    forged[60] ^= 1;
    let legacy = token(&app, "a", "17");
    for odd in ["", "tnx1_", &legacy, &String::from_utf8(forged).unwrap(), &old[..old.len() - 1]] {
        refused(&app, odd, "exchange_invalid").await;
    }
    app.clock.advance(60 * SECOND);
    // The sign-in that it was made for may well stand: a browser asks for another one.
    let too_old = show(&app.browser(), &old, ATTEMPT).send().await.expect(422).without_cookies();
    assert_eq!(too_old.problem("validation_failed")["errors"][0]["code"], "too_old");
    assert_eq!(events(&app, EventKind::ExchangeRefused).await[0].1, "ticket_too_old");
    let fresh = ticket(&app, &key, "a").await;
    let elsewhere = setup().secret(2).start().await;
    refused(&elsewhere, &fresh, "exchange_invalid").await;
    let app = app.restart(setup().secret(3).previous_secret(1)).await;
    show(&app.browser(), &fresh, ATTEMPT).send().await.expect(200);
}

#[tokio::test]
async fn only_a_key_with_the_scope_vouches_and_only_for_whoever_has_come_and_may_sign_in() {
    let app = setup().start().await;
    let ada = imported(&app, "17").await;
    let (key, root) = key(&app, "sessions.exchange").await;
    // A superuser may do it all, but pass for somebody else.
    let by_person = app.client.post(TICKETS, &wish("a")).bearer(&root.access);
    by_person.send().await.expect(403).problem("permission_denied");
    let other = json!({ "name": "other", "scopes": ["revocations.read"] });
    let other = root.call("POST", "/api/v1/auth/api-keys").bearer(&root.access).json(&other).send().await;
    let other = other.json()["secret"].as_str().unwrap().to_owned();
    ask(&app, &other, &wish("a")).send().await.expect(403).problem("permission_denied");
    ask(&app, "tnk1_garbage", &wish("a")).send().await.expect(401);
    let now = app.clock.get().as_secs();
    for (field, odd) in [
        ("user_id", json!({ "user_id": "", "legacy_session": "a" })),
        ("user_id", json!({ "user_id": "x".repeat(101), "legacy_session": "a" })),
        ("legacy_session", json!({ "user_id": "17", "legacy_session": "" })),
        ("legacy_session", json!({ "user_id": "17", "legacy_session": "x".repeat(256) })),
    ] {
        let answer = ask(&app, &key, &odd).send().await.expect(422);
        assert_eq!(answer.problem("validation_failed")["errors"][0]["field"], field, "{odd}");
    }
    for (session, said, signed_in_at) in
        [("b", now + 60, now), ("c", now * 1000, now), ("d", -1, 0), ("e", now - 7, now - 7)]
    {
        let mut wish = wish(session);
        wish["authenticated_at"] = json!(said);
        let ticket = ask(&app, &key, &wish).send().await.expect(200).json()["ticket"].take();
        let answer = show(&app.browser(), ticket.as_str().unwrap(), ATTEMPT).send().await.expect(200);
        app.app.write_events().await.unwrap();
        let of_session = EventFilter { kind: Some(EventKind::Exchanged), ..EventFilter::default() };
        let traded = app.store().event_list(of_session, 100).await.unwrap().into_iter().find(|event| {
            event.what.session.is_some_and(|session| session.to_string() == answer.session_id())
        });
        let detail = traded.unwrap().what.detail.unwrap();
        assert!(
            detail.contains(&format!("\"authenticated_at\":{}", signed_in_at * 1000)),
            "{said}: {detail}"
        );
        assert!(detail.contains(&format!("\"api_key\":\"{}", "key_")), "{detail}");
    }
    let mut ending = wish("a");
    ending["expires_at"] = json!(now);
    ask(&app, &key, &ending).send().await.expect(400).problem("exchange_expired");
    ending["expires_at"] = json!(now + 7);
    assert_eq!(ask(&app, &key, &ending).send().await.expect(200).json()["expires_in"], 7);
    let stranger = json!({ "user_id": "18", "legacy_session": "a" });
    ask(&app, &key, &stranger).send().await.expect(404).problem("exchange_unknown_user");
    app.store().user_disable(ada, by(EndReason::UserDisabled), app.clock.get()).await.unwrap();
    ask(&app, &key, &wish("a")).send().await.expect(403).problem("permission_denied");
    let app = app.restart(Setup::default()).await;
    // Also once the key has been revoked, as it should be then.
    for key in [&key, "tnk1_garbage"] {
        ask(&app, key, &wish("a")).send().await.expect(403).problem("exchange_closed");
    }
    app.client.post(TICKETS, &wish("a")).send().await.expect(403).problem("exchange_closed");
}

#[tokio::test]
async fn what_was_traded_is_remembered_for_as_long_as_the_window_is_open_however_long_that_is() {
    for (until, forgotten) in [("2029-01-01T00:00:00Z", 0), ("2027-01-01T00:00:00Z", 1)] {
        let app = setup().set("MIGRATION__EXCHANGE_UNTIL", until).start().await;
        imported(&app, "17").await;
        let (key, _) = key(&app, "sessions.exchange").await;
        let ticket = ticket(&app, &key, "a").await;
        show(&app.browser(), &ticket, ATTEMPT).send().await.expect(200);
        app.clock.advance(401 * DAY);
        assert_eq!(app.store().exchange_expire(app.clock.get(), 10).await.unwrap(), forgotten, "{until}");
    }
}
