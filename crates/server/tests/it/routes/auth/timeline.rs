//! `GET /api/v1/auth/sessions/{id}/timeline`

use serde_json::{Value, json};
use tenure_domain::event::EventKind;
use tenure_domain::user::Role;
use tenure_store::{EventFilter, UserChange};

use crate::world::{Browser, MINUTE, Setup, TestApp, User, decree};

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
