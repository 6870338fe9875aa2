//! The link with which somebody chooses a new password: `admin/users/{id}/password-reset` and `auth/password/reset`.

use serde_json::{Value, json};
use tenure_domain::ends::EndReason;
use tenure_domain::user::Role;
use tenure_store::{EndOrder, Scope, StoreError, UserChange};

use super::{acts, refuses, ruled, send, somebody};
use crate::world::{Answer, Browser, DAY, Fault, MINUTE, PASSWORD, SECOND, Setup, TestApp, User, decree};

const NEW: &str = "another long password";
const RESET: &str = "/api/v1/auth/password/reset";

async fn link(by: &Browser, user: &User) -> Value {
    let path = format!("/users/{}/password-reset", user.id);
    send(by, "POST", &path, &json!({ "reason": "forgot it" })).await.expect(200).json()
}

async fn token(by: &Browser, user: &User) -> String {
    let link = link(by, user).await["link"].as_str().unwrap().to_owned();
    link.split_once("#token=").unwrap().1.to_owned()
}

async fn reset(app: &TestApp, token: &str, password: &str) -> Answer {
    app.client.post(RESET, &json!({ "token": token, "new_password": password })).send().await
}

async fn refused(app: &TestApp, token: &str) {
    let answer = reset(app, token, "yet another password").await.expect(403).without_cookies();
    let problem = answer.problem("reset_link_invalid");
    assert_eq!(problem["class"], "request");
    assert_eq!(problem["detail"], "This link is not good, or not any more; ask for another one.");
}

#[tokio::test]
async fn whoever_has_the_link_chooses_a_password_once_and_every_session_ends_with_it() {
    let (app, root_user, root) = ruled().await;
    let (ada, mut first) = somebody(&app, "ada", Role::User).await;
    let mut second = app.signed_in(&ada).await;
    let mut bob = app.signed_in(&app.user("bob").await).await;
    let made = link(&root, &ada).await;
    let text = made["link"].as_str().unwrap();
    assert!(text.starts_with(&format!("{}/reset-password#token=", app.origin())), "{text}");
    assert_eq!(made["expires_at"], (app.clock.get() + DAY).as_ms());
    // Nothing has happened yet.
    first.refresh().await.expect(200);
    app.client.login(&ada.email, PASSWORD).await.expect(200);
    let token = text.split_once("#token=").unwrap().1;
    // A password that is not acceptable does not use it up.
    for (password, code) in
        [("short", "too_short"), ("password1", "too_common"), ("ada@example.com", "is_email")]
    {
        let problem = reset(&app, token, password).await.expect(422).problem("validation_failed");
        let error = &problem["errors"][0];
        assert_eq!((&error["field"], &error["code"]), (&json!("new_password"), &json!(code)));
    }
    app.clock.advance(SECOND);
    let done = reset(&app, token, NEW).await.expect(204).without_cookies();
    assert!(done.body.is_empty());
    for browser in [&mut first, &mut second] {
        app.client.profile(&browser.access).await.expect(401).problem("access_token_revoked");
        let problem = browser.refresh().await.expect(401).problem("session_revoked");
        assert_eq!(problem["reason"], "password_reset");
    }
    bob.refresh().await.expect(200);
    app.client.login(&ada.email, PASSWORD).await.expect(401).problem("invalid_credentials");
    app.client.login(&ada.email, NEW).await.expect(200);
    refused(&app, token).await;
    app.client.login(&ada.email, NEW).await.expect(200);
    assert_eq!(app.metric("session_ends_total{reason=\"password_reset\"}"), 3.0);
    let told = acts(&root, &ada.id.to_string()).await;
    let by = format!("admin:{}", root_user.id);
    assert_eq!(told[0], [by.as_str(), "forgot it", "password_reset_link", "-"].map(str::to_owned));
    assert!(!app.log().contains(token), "the link is in no log");
}

#[tokio::test]
async fn a_link_is_good_for_nothing_once_anything_else_has_happened() {
    let (app, _, root) = ruled().await;
    let order = |reason| EndOrder { reason, actor: decree().actor, note: None, whence: Default::default() };
    let store = app.store();
    let now = app.clock.get();
    for name in [
        "expired",
        "signed_out",
        "disabled",
        "enabled",
        "deleted",
        "changed",
        "promoted",
        "moved",
        "tampered",
        "other",
    ] {
        let user = app.user(name).await;
        let mut token = token(&root, &user).await;
        match name {
            "expired" => app.clock.advance(DAY),
            "signed_out" => {
                store
                    .session_end(user.id, Scope::All, true, order(EndReason::AdminRevoked), now)
                    .await
                    .map(drop)
                    .unwrap();
            }
            "disabled" | "enabled" => {
                store.user_disable(user.id, order(EndReason::UserDisabled), now).await.unwrap();
                if name == "enabled" {
                    store.user_enable(user.id, decree(), now).await.unwrap();
                }
            }
            "deleted" => drop(store.user_delete(user.id, order(EndReason::UserDeleted), now).await.unwrap()),
            "changed" => {
                let mut browser = app.signed_in(&user).await;
                browser.change_password(PASSWORD, "a third long password").await.expect(200);
            }
            "promoted" | "moved" => {
                let change = match name {
                    "promoted" => UserChange { role: Some(Role::Superuser), account: None },
                    _ => UserChange { role: None, account: Some(None) },
                };
                store.user_change(user.id, change, decree(), now).await.unwrap();
            }
            "tampered" => {
                let other = if token.ends_with('A') { 'B' } else { 'A' };
                token.replace_range(token.len() / 2..=token.len() / 2, &other.to_string());
            }
            _ => {
                token =
                    format!("{}{}", &token[..22], &self::token(&root, &app.user("victim").await).await[22..])
            }
        }
        refused(&app, &token).await;
        app.clock.set(now);
        app.client.login(&user.email, "yet another password").await.expect(401);
    }
    for odd in ["", "x", &"A".repeat(75), &"A".repeat(10_000), "é"] {
        refused(&app, odd).await;
    }
}

#[tokio::test]
async fn of_two_who_use_a_link_at_once_one_comes_second_and_a_lost_answer_has_set_the_password() {
    let (app, _, root) = ruled().await;
    let ada = app.user("ada").await;
    let token = token(&root, &ada).await;
    let call = |password: &str| app.client.post(RESET, &json!({ "token": token, "new_password": password }));
    let answers = crate::world::at_once([call("the first password"), call("the second password")]).await;
    let mut statuses: Vec<_> = answers.iter().map(|answer| answer.status).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [204, 403]);
    let winner = if answers[0].status == 204 { "the first password" } else { "the second password" };
    app.client.login(&ada.email, winner).await.expect(200);
    let token = self::token(&root, &ada).await;
    app.expect_failure("storage_unavailable");
    app.faults.set("user_set_password", Fault::FailsAfter(StoreError::Unavailable("planted".into())));
    reset(&app, &token, NEW).await.expect(503);
    app.faults.clear();
    app.client.login(&ada.email, NEW).await.expect(200);
    refused(&app, &token).await;
}

#[tokio::test]
async fn somebody_without_a_password_gets_one_and_an_earlier_master_secret_still_counts() {
    let app = Setup::default().secret(1).start().await;
    let (_, root) = somebody(&app, "root", Role::Superuser).await;
    let wish = json!({ "email": "new@example.com", "name": "New", "reason": "invited" });
    let made = send(&root, "POST", "/users", &wish).await.expect(201).json();
    let new = User { id: made["id"].as_str().unwrap().parse().unwrap(), email: "new@example.com".into() };
    let token = token(&root, &new).await;
    let app = app.restart(Setup::default().secret(2).previous_secret(1)).await;
    reset(&app, &token, NEW).await.expect(204);
    app.client.login("new@example.com", NEW).await.expect(200);
}

#[tokio::test]
async fn guesses_at_links_are_counted_by_address_and_keep_nobody_from_their_own() {
    let app = Setup::default()
        .set("SERVER__TRUSTED_PROXIES", "[\"127.0.0.1\"]")
        .set("LIMITS__SIGN_IN_PER_ADDRESS_PER_MINUTE", "30")
        .set("LIMITS__SIGN_IN_PER_ACCOUNT_PER_MINUTE", "3")
        .start()
        .await;
    let (_, root) = somebody(&app, "root", Role::Superuser).await;
    let hers = token(&root, &app.user("ada").await).await;
    let from = |address: &'static str, token: &str, password: &str| {
        let body = json!({ "token": token, "new_password": password });
        app.client.post(RESET, &body).header("x-forwarded-for", address)
    };
    let guess = format!("{}A", &hers[..hers.len() - 1]);
    for _ in 0..30 {
        from("203.0.113.1", &guess, NEW).send().await.expect(403).problem("reset_link_invalid");
    }
    from("203.0.113.1", &guess, NEW).send().await.expect(429).problem("rate_limited");
    // Whoever has the link itself is counted by whom it names, wherever they are.
    for address in ["203.0.113.2", "203.0.113.3"] {
        from(address, &hers, "short").send().await.expect(422);
    }
    from("203.0.113.4", &hers, NEW).send().await.expect(204);

    let hers = token(&root, &app.user("eve").await).await;
    for address in ["203.0.113.2", "203.0.113.3", "203.0.113.4"] {
        from(address, &hers, "short").send().await.expect(422);
    }
    from("203.0.113.5", &hers, NEW).send().await.expect(429).problem("rate_limited");
    app.clock.advance(MINUTE);
    from("203.0.113.5", &hers, NEW).send().await.expect(204);
}

#[tokio::test]
async fn nobody_makes_a_link_for_somebody_who_may_do_more_or_cannot_use_it() {
    let app =
        Setup::default().set("ENTITLEMENT__PERMISSIONS", r#"{"admin.users" = ["admin"]}"#).start().await;
    let (root_user, root) = somebody(&app, "root", Role::Superuser).await;
    let (_, eve) = somebody(&app, "eve", Role::Admin).await;
    let ada = app.user("ada").await;
    let path = |user: &User| format!("/users/{}/password-reset", user.id);
    let asked = json!({ "reason": "asked" });
    send(&eve, "POST", &path(&root_user), &asked).await.expect(403).problem("permission_denied");
    send(&eve, "POST", &path(&ada), &asked).await.expect(200);
    send(&root, "POST", &format!("/users/{}/disable", ada.id), &asked).await.expect(200);
    refuses(
        &root,
        "POST",
        &path(&ada),
        &[(asked.clone(), "id", "user_disabled"), (json!({ "reason": "" }), "reason", "not_a_reason")],
    )
    .await;
    send(&root, "POST", "/users/usr_00000000000000000000000000000007/password-reset", &asked)
        .await
        .expect(404);
}
