//! `GET /api/v1/auth/sessions/{id}/timeline`

use serde_json::{Value, json};
use tenure_domain::event::{EventKind, Occurrence};
use tenure_domain::id::SessionId;
use tenure_domain::user::Role;
use tenure_store::{EventFilter, UserChange};

use crate::world::{Browser, MINUTE, PASSWORD, Setup, TestApp, User, decree};

async fn signed_in(app: &TestApp, name: &str, role: Role) -> (User, Browser) {
    let user = app.user(name).await;
    let change = UserChange { role: Some(role), account: None };
    app.store().user_change(user.id, change, decree(), app.clock.get()).await.unwrap();
    let browser = app.signed_in(&user).await;
    (user, browser)
}

async fn timeline(by: &Browser, session: &str) -> Value {
    let path = format!("/api/v1/auth/sessions/{session}/timeline");
    by.call("GET", &path).bearer(&by.access).send().await.expect(200).json()
}

fn moments(timeline: &Value) -> Vec<&str> {
    timeline["timeline"].as_array().unwrap().iter().map(|moment| moment["what"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn support_reads_everything_and_the_person_what_is_theirs() {
    let app = Setup::default().start().await;
    let (root_user, root) = signed_in(&app, "root", Role::Superuser).await;
    let (ada_user, ada) = signed_in(&app, "ada", Role::User).await;
    let mut lost = app.signed_in(&ada_user).await;
    app.clock.advance(5 * MINUTE);
    lost.refresh().await.expect(200);
    super::super::admin::check(&app, &lost, "plan:pro").await.expect(402);
    app.clock.advance(MINUTE);
    let path = format!("/api/v1/admin/users/{}/sign-out", ada_user.id);
    let reason = json!({ "reason": "a word to colleagues" });
    root.call("POST", &path).bearer(&root.access).json(&reason).send().await.expect(200);
    lost.send_refresh().await.expect(401);
    let ada = {
        drop(ada);
        app.clock.advance(MINUTE);
        app.signed_in(&ada_user).await
    };
    app.app.write_events().await.unwrap();

    let all = timeline(&root, &lost.session).await;
    assert_eq!(all["session"], json!(lost.session));
    assert_eq!((&all["verdict"]["cause"], &all["verdict"]["scenario"]), (&json!("ended"), &json!(null)));
    for what in ["sign-in", "refresh", "blocked", "end", "refused"] {
        assert!(moments(&all).contains(&what), "{what}: {all}");
    }
    assert!(all["timeline"].as_array().unwrap().is_sorted_by_key(|moment| moment["at"].as_i64()));
    assert_eq!(all["receipt"]["why"]["actor"], format!("admin:{}", root_user.id));
    assert_eq!(all["receipt"]["why"]["note"], "a word to colleagues");
    assert_eq!(all["receipt"]["where"]["ended_from"], "127.0.0.1");

    // The console's cookie goes nowhere but to the admin API.
    let path = format!("/api/v1/admin/sessions/{}/timeline", lost.session);
    let ours = root.call("GET", &path).bearer(&root.access).send().await.expect(200).json();
    assert_eq!(ours["timeline"], all["timeline"]);
    ada.call("GET", &path).bearer(&ada.access).send().await.expect(403).problem("permission_denied");

    let own = timeline(&ada, &lost.session).await;
    assert_eq!(own["receipt"]["why"]["reason"], "admin_revoked");
    assert_eq!(own["verdict"]["cause"], "ended");
    let text = own.to_string();
    for private in ["a word to colleagues", &root_user.id.to_string(), "look_for", "ended_from"] {
        assert!(!text.contains(private), "{private}: {text}");
    }
    assert!(text.contains("An administrator ended this session."), "{text}");
    assert_eq!(moments(&own).len(), moments(&all).len(), "the same moments in other words");
}

#[tokio::test]
async fn to_strangers_no_session_is_there() {
    let app = Setup::default().start().await;
    let (_, ada) = signed_in(&app, "ada", Role::User).await;
    let (_, eve) = signed_in(&app, "eve", Role::User).await;
    for session in [&ada.session, &format!("ses_{}", "0".repeat(32)), &"nonsense".to_owned()] {
        let path = format!("/api/v1/auth/sessions/{session}/timeline");
        eve.call("GET", &path).bearer(&eve.access).send().await.expect(404).problem("not_found");
    }
    app.app.write_events().await.unwrap();
    let filter = EventFilter { kind: Some(EventKind::EntitlementBlocked), ..EventFilter::default() };
    let refusals = app.store().event_list(filter, 10).await.unwrap();
    assert_eq!(refusals, [], "asking for what is not there is no event");
}

#[tokio::test]
async fn a_report_from_a_session_that_lives_is_the_verdict_and_says_which_mistake_it_is() {
    let app = Setup::default().start().await;
    let (_, ada) = signed_in(&app, "ada", Role::User).await;
    assert_eq!(timeline(&ada, &ada.session).await["verdict"]["cause"], "alive");
    app.clock.advance(25 * MINUTE);
    let body = json!({ "type": "TOKEN_EXPIRED", "idleMinutes": 25, "location": "/dashboard" });
    app.client.post("/api/v1/auth/logout-event", &body).bearer(&ada.access).send().await.expect(202);
    let mut again = ada;
    again.refresh().await.expect(200);
    let told = timeline(&again, &again.session).await;
    assert_eq!(
        (&told["verdict"]["cause"], &told["verdict"]["scenario"]),
        (&json!("unexplained"), &json!("A"))
    );
    let report =
        told["timeline"].as_array().unwrap().iter().find(|moment| moment["what"] == "report").unwrap();
    assert_eq!(report["by"], "client");
    assert_eq!(told["receipt"]["where"]["page"], "/dashboard");
    assert_eq!(told["spans"], json!(["idle", "after_sign_in", "time_left_then"]));
}

#[tokio::test]
async fn facts_come_in_the_order_in_which_they_matter() {
    let app = Setup::default().start().await;
    let (_, mut ada) = signed_in(&app, "ada", Role::User).await;
    app.clock.advance(25 * MINUTE);
    let evidence = json!({ "accessLeftMs": 1_884_000, "clockAheadMs": -432_000 });
    let body = json!({ "type": "TOKEN_EXPIRED", "idleMinutes": 25, "evidence": evidence });
    app.client.post("/api/v1/auth/logout-event", &body).bearer(&ada.access).send().await.expect(202);
    ada.refresh().await.expect(200);
    let path = format!("/api/v1/auth/sessions/{}/timeline", ada.session);
    let answer = ada.call("GET", &path).bearer(&ada.access).send().await.expect(200);
    let text = answer.text();
    let place = |name: &str| text.find(&format!("\"{name}\":")).unwrap_or_else(|| panic!("{name}: {text}"));
    let told = ["what", "why", "reported_as", "when", "signed_in", "idle", "time_left_then", "where", "how"];
    assert!(told.map(place).is_sorted(), "{text}");
    let spans = answer.json()["spans"].clone();
    for span in ["access_left", "clock_behind"] {
        assert!(spans.as_array().unwrap().contains(&json!(span)), "{spans}");
    }
}

#[tokio::test]
async fn what_anybody_may_claim_is_told_as_a_claim_and_hides_no_end() {
    let app = Setup::default().start().await;
    let (_, root) = signed_in(&app, "root", Role::Superuser).await;
    let (ada_user, _) = signed_in(&app, "ada", Role::User).await;
    let revoked = app.signed_in(&ada_user).await;
    app.clock.advance(5 * MINUTE);
    let meant = app.clock.get();
    app.clock.advance(5 * MINUTE);
    let path = format!("/api/v1/admin/users/{}/sign-out", ada_user.id);
    root.call("POST", &path)
        .bearer(&root.access)
        .json(&json!({ "reason": "asked" }))
        .send()
        .await
        .expect(200);
    let ada = app.signed_in(&ada_user).await;
    let claim = json!({ "type": "TOKEN_EXPIRED", "session": revoked.session, "timestamp": meant.as_ms() });
    app.client.post("/api/v1/auth/logout-event", &claim).send().await.expect(202);
    for (reader, hint) in [(&root, true), (&ada, false)] {
        let told = timeline(reader, &revoked.session).await;
        assert_eq!(
            (&told["verdict"]["cause"], &told["verdict"]["scenario"]),
            (&json!("ended"), &Value::Null)
        );
        let report = told["timeline"].as_array().unwrap().iter().find(|moment| moment["what"] == "report");
        assert!(report.unwrap()["sentence"].as_str().unwrap().contains("(claimed, not verified)"), "{told}");
        let sentence = told["verdict"]["sentence"].as_str().unwrap();
        assert_eq!(sentence.contains("Reports without proof say otherwise"), hint, "{sentence}");
    }
    assert_eq!(app.metric("tenure_unexplained_session_ends_total{verified=\"false\"}"), 0.0);
    app.app.write_events().await.unwrap();
    let filter = EventFilter { kind: Some(EventKind::UnexplainedEnd), ..EventFilter::default() };
    assert_eq!(app.store().event_list(filter, 10).await.unwrap(), []);
}

/// The names of all facts, with their sections.
fn facts(timeline: &Value) -> Vec<String> {
    let sections = timeline["receipt"].as_object().unwrap().iter();
    let named = |(section, facts): (&String, &Value)| {
        facts.as_object().unwrap().keys().map(|name| format!("{section}.{name}")).collect::<Vec<_>>()
    };
    sections.flat_map(named).collect()
}

/// Whoever adds a fact says here who is to read it.
#[tokio::test]
async fn the_person_reads_these_facts_and_no_others() {
    let app = Setup::default().start().await;
    let (_, root) = signed_in(&app, "root", Role::Superuser).await;
    let (ada_user, _) = signed_in(&app, "ada", Role::User).await;
    let lost = app.signed_in(&ada_user).await;
    app.clock.advance(5 * MINUTE);
    let body = json!({
        "type": "ODD", "idleMinutes": 25, "location": "/dashboard", "reason": "x", "receipt": "y", "message": "z",
        "release": "7", "client": "sdk", "context": { "hasToken": true, "hasRefreshToken": true, "isAuthenticated": true },
        "evidence": { "answer": { "status": 403, "path": "/api/x", "isOurs": true, "agoMs": 3 }, "accessLeftMs": 5000,
            "error": { "message": "x is undefined", "agoMs": 9 }, "clockAheadMs": 5000, "pageAgeMs": 9, "tokensFromTabs": 1 },
    });
    app.client.post("/api/v1/auth/logout-event", &body).bearer(&lost.access).send().await.expect(202);
    app.clock.advance(5 * MINUTE);
    let path = format!("/api/v1/admin/users/{}/sign-out", ada_user.id);
    root.call("POST", &path)
        .bearer(&root.access)
        .json(&json!({ "reason": "asked" }))
        .send()
        .await
        .expect(200);
    let ada = app.signed_in(&ada_user).await;
    let own = [
        "how.access_left",
        "how.clock_ahead",
        "how.error_before",
        "how.failed_before",
        "how.generations",
        "how.had_access_token",
        "how.had_session",
        "how.last_error",
        "how.last_failure",
        "how.message",
        "how.page_loaded",
        "how.refreshes",
        "how.remembered",
        "how.report_verified",
        "how.reports",
        "how.tokens_of_tabs",
        "how.was_signed_in",
        "how.was_this_server",
        "what.email",
        "what.user",
        "when.after_sign_in",
        "when.ended",
        "when.idle",
        "when.last_refresh",
        "when.promised_until",
        "when.report_received",
        "when.seen_by_browser",
        "when.signed_in",
        "when.time_left_then",
        "where.address",
        "where.browser",
        "where.client",
        "where.device",
        "where.page",
        "where.release",
        "where.reported_from",
        "why.reason",
        "why.receipt",
        "why.reported_as",
        "why.reported_reason",
        "why.reported_receipt",
        "why.scenario",
        "why.which_is",
    ];
    let administrators = [
        "how.type_said",
        "what.session",
        "what.verdict",
        "where.ended_from",
        "why.actor",
        "why.it_came",
        "why.look_for",
        "why.note",
        "why.suspect",
    ];
    let sorted = |mut names: Vec<String>| {
        names.sort();
        names
    };
    let named = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    assert_eq!(sorted(facts(&timeline(&ada, &lost.session).await)), named(&own));
    let all = sorted([named(&own), named(&administrators)].concat());
    assert_eq!(sorted(facts(&timeline(&root, &lost.session).await)), all);
}

/// Anybody may try to sign in as somebody, as often as they like.
#[tokio::test]
async fn a_flood_of_attempts_pushes_nothing_off_the_timeline() {
    let app = Setup::default().start().await;
    let (ada_user, mut ada) = signed_in(&app, "ada", Role::User).await;
    app.clock.advance(MINUTE);
    ada.change_password(PASSWORD, "quite another password").await.expect(200);
    app.clock.advance(MINUTE);
    let attempt = Occurrence {
        user: Some(ada_user.id),
        cause: Some("credentials_wrong".into()),
        ..Occurrence::new(EventKind::SignInFailed, app.clock.get())
    };
    for (count, left_out) in
        [(100, None), (200, Some("200 before this")), (300, Some("400 or more before this"))]
    {
        app.store().event_add(vec![attempt.clone(); count]).await.unwrap();
        let told = timeline(&ada, &ada.session).await;
        let whats = moments(&told);
        assert_eq!(whats.iter().filter(|what| **what == "attempt").count(), 100);
        assert!(whats.contains(&"password"), "{whats:?}");
        let untold = told["timeline"].as_array().unwrap().iter().find(|moment| moment["what"] == "left-out");
        let words = untold.map(|moment| moment["sentence"].as_str().unwrap());
        assert_eq!(words.is_some(), left_out.is_some());
        assert!(left_out.is_none_or(|said| words.unwrap().starts_with(said)), "{words:?}");
    }
    // Nor does whoever knows the password, by signing in and out elsewhere.
    let elsewhere = Occurrence {
        user: Some(ada_user.id),
        session: Some(SessionId::from_bytes([9; 16])),
        ..Occurrence::new(EventKind::SessionEnded, app.clock.get())
    };
    app.store().event_add(vec![elsewhere; 600]).await.unwrap();
    assert!(moments(&timeline(&ada, &ada.session).await).contains(&"password"));
}

#[tokio::test]
async fn a_password_that_the_person_chose_with_a_link_is_not_said_to_be_somebody_elses() {
    let app = Setup::default().start().await;
    let (_, root) = signed_in(&app, "root", Role::Superuser).await;
    let (ada_user, ada) = signed_in(&app, "ada", Role::User).await;
    let ask = async |user: &User, end: &str, body: Value| {
        let path = format!("/api/v1/admin/users/{}/{end}", user.id);
        root.call("POST", &path).bearer(&root.access).json(&body).send().await.expect(200).json()
    };
    let told = async |session: &str| {
        app.app.write_events().await.unwrap();
        let all = timeline(&root, session).await;
        let moments = all["timeline"].as_array().unwrap().iter();
        let of_passwords = moments.filter(|moment| moment["what"] == "password");
        of_passwords.map(|moment| moment["sentence"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let made = ask(&ada_user, "password-reset", json!({ "reason": "forgot it" })).await;
    let token = made["link"].as_str().unwrap().split_once("#token=").unwrap().1;
    let chosen = json!({ "token": token, "new_password": "another long password" });
    app.client.post("/api/v1/auth/password/reset", &chosen).send().await.expect(204);
    let words = told(&ada.session).await;
    assert!(
        matches!(&words[..], [one] if one.starts_with("a password was chosen with a reset link")),
        "{words:?}"
    );

    let (bob_user, bob) = signed_in(&app, "bob", Role::User).await;
    ask(&bob_user, "password", json!({ "password": "a third long password", "reason": "asked" })).await;
    assert_eq!(told(&bob.session).await, ["somebody else gave the person a password"]);
}
