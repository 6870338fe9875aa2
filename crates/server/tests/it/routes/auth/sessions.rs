//! `/api/v1/auth/sessions`

use serde_json::json;

use crate::world::{Browser, DAY, MINUTE, QUIET, TestApp};

const FIREFOX: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";

async fn end(browser: &Browser, id: &str) -> crate::world::Answer {
    browser.call("DELETE", &format!("/api/v1/auth/sessions/{id}")).bearer(&browser.access).send().await
}

#[tokio::test]
async fn the_list_shows_each_device_newest_first() {
    let app = TestApp::new().await;
    let user = app.user("ada").await;
    app.signed_in(&app.user("eve").await).await;
    let call = app.client.call("POST", "/api/v1/auth/login").header("user-agent", FIREFOX);
    let first = call.json(&json!({ "email": user.email, "password": crate::world::PASSWORD })).send().await;
    app.clock.advance(MINUTE);
    let mut browser = app.signed_in(&user).await;
    let signed_in_at = app.clock.get();
    app.clock.advance(QUIET);
    browser.refresh().await.expect(200);
    let list = browser.sessions().await;
    assert_eq!(list.len(), 2);
    let expected = json!({
        "id": browser.session, "label": "Unknown device", "created_at": signed_in_at,
        "last_used_at": signed_in_at + QUIET, "expires_at": signed_in_at + 20 * DAY,
        "remembered": true, "current": true, "address": "127.0.0.1",
    });
    assert_eq!(list[0], expected);
    assert_eq!((&list[1]["id"], &list[1]["label"]), (&json!(first.session_id()), &json!("Firefox on Linux")));
    assert_eq!((&list[1]["current"], &list[1]["remembered"]), (&json!(false), &json!(false)));
}

#[tokio::test]
async fn ended_and_expired_sessions_are_not_listed() {
    let app = TestApp::new().await;
    let user = app.user("ada").await;
    let mut short = app.browser();
    short.login(&user.email, crate::world::PASSWORD, false).await.expect(200);
    let mut gone = app.signed_in(&user).await;
    gone.sign_out().await.expect(204);
    app.clock.advance(2 * DAY);
    let browser = app.signed_in(&user).await;
    let list = browser.sessions().await;
    assert_eq!(list.len(), 1);
    assert_eq!(list[0]["id"], browser.session);
}

#[tokio::test]
async fn another_session_can_be_ended_and_is_refused_at_its_very_next_request() {
    let app = TestApp::new().await;
    let user = app.user("ada").await;
    let (here, mut there) = (app.signed_in(&user).await, app.signed_in(&user).await);
    there.profile().await.expect(200);
    end(&here, &there.session).await.expect(204).without_cookies();
    there.profile().await.expect(401).problem("access_token_revoked");
    let problem = there.refresh().await.expect(401).problem("session_revoked");
    assert_eq!((&problem["reason"], &problem["session"]), (&json!("signed_out"), &json!(there.session)));
    assert!(there.cookies().cookies().is_empty());
    end(&here, &there.session).await.expect(204);
    here.profile().await.expect(200);
}

#[tokio::test]
async fn ending_ones_own_session_deletes_its_cookie() {
    let app = TestApp::new().await;
    let mut browser = app.signed_in(&app.user("ada").await).await;
    let answer = end(&browser, &browser.session).await.expect(204);
    browser.receive(&answer);
    assert!(browser.cookies().cookies().is_empty());
    browser.profile().await.expect(401).problem("access_token_revoked");
}

#[tokio::test]
async fn what_is_not_a_session_of_ones_own_is_not_found() {
    let app = TestApp::new().await;
    let browser = app.signed_in(&app.user("ada").await).await;
    let mut stranger = app.signed_in(&app.user("eve").await).await;
    let unknown = format!("ses_{}", "0".repeat(32));
    let upper = stranger.session.to_uppercase();
    for id in
        [stranger.session.as_str(), &unknown, &upper, "x", "%00", "..%2f..%2fadmin", "1%20OR%201=1", "ses_"]
    {
        end(&browser, id).await.expect(404).without_cookies().problem("not_found");
    }
    stranger.refresh().await.expect(200);
    stranger.profile().await.expect(200);
}
