//! `/api/v1/admin/sessions`

use serde_json::json;
use tenure_domain::user::Role;
use tenure_store::AccountChange;

use super::{acts, call, get, refused, refuses, ruled, send, somebody};
use crate::world::{DAY, SECOND, Setup, decree};

#[tokio::test]
async fn anybodys_sessions_are_listed_newest_first_page_by_page() {
    let (app, _, root) = ruled().await;
    app.clock.advance(SECOND);
    let (ada_user, ada) = somebody(&app, "ada", Role::User).await;
    app.clock.advance(SECOND);
    let mut ended = app.signed_in(&ada_user).await;
    ended.sign_out().await.expect(204);
    let ids = |answer: &serde_json::Value| {
        let sessions = answer["sessions"].as_array().unwrap().clone();
        sessions.iter().map(|session| session["id"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let all = get(&root, "/sessions").await;
    assert_eq!(ids(&all), [&ended.session, &ada.session, &root.session].map(Clone::clone));
    assert_eq!(all["next"], root.session.as_str());
    let first = get(&root, "/sessions?limit=1").await;
    assert_eq!((ids(&first), &first["next"]), (vec![ended.session.clone()], &json!(ended.session)));
    let rest = get(&root, &format!("/sessions?after={}&limit=1", ended.session)).await;
    assert_eq!(ids(&rest), [ada.session.as_str()]);
    let of_ada = format!("/sessions?user={}", ada_user.id);
    assert_eq!(ids(&get(&root, &format!("{of_ada}&state=live")).await), [ada.session.as_str()]);
    assert_eq!(ids(&get(&root, &format!("{of_ada}&state=ended")).await), [ended.session.as_str()]);
    assert_eq!(ids(&get(&root, &format!("{of_ada}&state=all")).await).len(), 2);
    assert_eq!(
        get(&root, &format!("/sessions?after={}", root.session)).await,
        json!({ "sessions": [], "next": null })
    );
    for (query, field, code) in [
        ("user=ada", "user", "not_an_id"),
        ("state=dead", "state", "not_a_state"),
        ("after=7", "after", "not_an_id"),
    ] {
        assert_eq!(refused(&root, &format!("/sessions?{query}")).await, [field, code]);
    }
    call(&root, "GET", "/sessions?limit=many").send().await.expect(400).problem("malformed_request");
}

#[tokio::test]
async fn whose_a_session_is_can_be_asked_and_is_said_by_address_until_they_are_deleted() {
    let (app, _, root) = ruled().await;
    let (ada_user, ada) = somebody(&app, "ada", Role::User).await;
    let found = get(&root, "/sessions?user=Ada%40example.com").await;
    let [session] = &found["sessions"].as_array().unwrap()[..] else { panic!("{found}") };
    assert_eq!((&session["id"], &session["email"]), (&json!(ada.session), &json!("ada@example.com")));
    let nobody = refused(&root, "/sessions?user=eve%40example.com").await;
    assert_eq!(nobody, ["user", "not_a_user"]);
    assert_eq!(refused(&root, "/sessions?user=%40").await, ["user", "not_an_id"]);
    let reason = "?reason=asked+to+be+forgotten";
    call(&root, "DELETE", &format!("/users/{}{reason}", ada_user.id)).send().await.expect(200);
    let shown = get(&root, &format!("/sessions/{}", ada.session)).await;
    assert_eq!((&shown["user"], &shown["email"]), (&json!(ada_user.id), &json!(null)));
}

#[tokio::test]
async fn a_session_that_a_front_end_ended_by_itself_is_marked_and_claims_are_told_apart() {
    let (app, _, root) = ruled().await;
    let (ada_user, ada) = somebody(&app, "ada", Role::User).await;
    let other = app.signed_in(&ada_user).await;
    app.clock.advance(SECOND);
    let report = async |token: Option<&str>, session: &str| {
        let mut call = app
            .client
            .post("/api/v1/auth/logout-event", &json!({ "type": "TOKEN_EXPIRED", "session": session }));
        if let Some(token) = token {
            call = call.bearer(token);
        }
        call.send().await.expect(202);
        app.app.write_events().await.unwrap();
    };
    let marks = async || {
        let found = get(&root, &format!("/sessions?user={}", ada_user.id)).await;
        let sessions = found["sessions"].as_array().unwrap().clone();
        let mark = |id: &str| sessions.iter().find(|one| one["id"] == id).unwrap()["unexplained"].clone();
        [mark(&ada.session), mark(&other.session)]
    };
    assert_eq!(marks().await, [json!(null), json!(null)]);
    report(None, &ada.session).await;
    assert_eq!(marks().await, [json!("claimed"), json!(null)]);
    report(Some(&ada.access), &ada.session).await;
    report(None, &ada.session).await;
    assert_eq!(marks().await, [json!("verified"), json!(null)]);
    assert_eq!(get(&root, &format!("/sessions/{}", ada.session)).await["unexplained"], "verified");
}

#[tokio::test]
async fn a_session_is_shown_and_ended_with_who_and_why_and_keeps_its_first_end() {
    let (app, root_user, root) = ruled().await;
    let (ada_user, mut ada) = somebody(&app, "ada", Role::User).await;
    let mut other = app.signed_in(&ada_user).await;
    let path = format!("/sessions/{}", ada.session);
    let shown = get(&root, &path).await;
    let now = app.clock.get().as_ms();
    assert_eq!(
        shown,
        json!({
            "id": ada.session, "user": ada_user.id, "email": "ada@example.com", "unexplained": null, "remembered": true, "created_at": now,
            "expires_at": now + 20 * 86_400_000, "last_used_at": now, "refresh_count": 0, "address": "127.0.0.1",
            "browser": shown["browser"], "end": null,
        })
    );
    app.clock.advance(SECOND);
    let ended =
        send(&root, "POST", &format!("{path}/end"), &json!({ "reason": "stolen" })).await.expect(200).json();
    let end = &ended["end"];
    assert_eq!((&end["reason"], &end["note"]), (&json!("admin_revoked"), &json!("stolen")));
    assert_eq!(end["actor_email"], "root@example.com");
    assert_eq!((&end["actor"], &end["at"]), (&json!(format!("admin:{}", root_user.id)), &json!(now + 1000)));
    let problem = ada.refresh().await.expect(401).problem("session_revoked");
    assert_eq!((&problem["reason"], &problem["receipt"]), (&end["reason"], &end["receipt"]));
    app.client.profile(&ada.access).await.expect(401).problem("access_token_revoked");
    other.refresh().await.expect(200);
    other.profile().await.expect(200);
    let again = send(&root, "POST", &format!("{path}/end"), &json!({ "reason": "again" })).await.expect(200);
    assert_eq!(again.json(), ended);
    assert_eq!(app.metric("session_ends_total{reason=\"admin_revoked\"}"), 1.0);
    refuses(&root, "POST", &format!("{path}/end"), &[(json!({ "reason": " " }), "reason", "not_a_reason")])
        .await;
    for nothing in ["ses_00000000000000000000000000000007", "7", &ada_user.id.to_string()] {
        call(&root, "GET", &format!("/sessions/{nothing}")).send().await.expect(404);
        send(&root, "POST", &format!("/sessions/{nothing}/end"), &json!({ "reason": "x" })).await.expect(404);
    }
    assert!(acts(&root, &ada_user.id.to_string()).await.iter().all(|[by, ..]| by == "admin:root"));
    // Expired and not noticed by anybody: the clock was first.
    app.clock.advance(20 * DAY + DAY);
    let late = app.signed_in(&root_user).await;
    let path = format!("/sessions/{}/end", other.session);
    let expired = send(&late, "POST", &path, &json!({ "reason": "late" })).await.expect(200).json();
    assert_eq!(expired["end"]["reason"], "remembered_lifetime");
}

#[tokio::test]
async fn nobody_ends_a_session_of_somebody_who_may_do_more_or_is_of_the_operators_own() {
    let app = Setup::default()
        .set("ENTITLEMENT__PERMISSIONS", r#"{"admin.users" = ["admin"], "admin.read" = ["admin"]}"#)
        .start()
        .await;
    let (root_user, _root) = somebody(&app, "root", Role::Superuser).await;
    let (_, eve) = somebody(&app, "eve", Role::Admin).await;
    let (ada_user, ada) = somebody(&app, "ada", Role::User).await;
    let (ops_user, ops) = somebody(&app, "ops", Role::User).await;
    let account = app.store().user_find(ops_user.id).await.unwrap().unwrap().account_id.unwrap();
    let change = AccountChange { is_system: Some(true), ..AccountChange::default() };
    app.store().account_change(account, change, decree(), app.clock.get()).await.unwrap();
    let superusers = app.signed_in(&root_user).await;
    let end = async |session: &str| {
        send(&eve, "POST", &format!("/sessions/{session}/end"), &json!({ "reason": "x" })).await
    };
    for session in [&superusers.session, &ops.session] {
        end(session).await.expect(403).problem("permission_denied");
        let record = app.store().session_find(session.parse().unwrap()).await.unwrap().unwrap();
        assert!(record.session.ended.is_none());
    }
    end(&ada.session).await.expect(200);
    // A session of somebody who is gone has ended, and whoever asks is told how.
    let order = tenure_store::EndOrder {
        reason: tenure_domain::ends::EndReason::UserDeleted,
        actor: decree().actor,
        note: None,
        whence: Default::default(),
    };
    let again = app.signed_in(&ada_user).await;
    app.store().user_delete(ada_user.id, order, app.clock.get()).await.unwrap();
    assert_eq!(end(&again.session).await.expect(200).json()["end"]["reason"], "user_deleted");
}
