//! `POST /api/v1/auth/logout`

use serde_json::json;

use crate::world::{HOUR, QUIET, TestApp};

const PATH: &str = "/api/v1/auth/logout";

#[tokio::test]
async fn this_ends_this_session_and_no_other() {
    let app = TestApp::new().await;
    let user = app.user("ada").await;
    let (mut here, mut there) = (app.signed_in(&user).await, app.signed_in(&user).await);
    let answer = here.logout("this").await.expect(204);
    assert!(answer.set_cookies()[0].contains("Max-Age=0"));
    here.profile().await.expect(401).problem("access_token_revoked");
    there.profile().await.expect(200);
    there.refresh().await.expect(200);
    here.logout("this").await.expect(204);
}

#[tokio::test]
async fn no_body_means_this() {
    let app = TestApp::new().await;
    let browser = app.signed_in(&app.user("ada").await).await;
    app.client.call("POST", PATH).bearer(&browser.access).send().await.expect(204);
    browser.send_refresh().await.expect(401).problem("session_revoked");
}

#[tokio::test]
async fn others_ends_the_others_and_keeps_this() {
    let app = TestApp::new().await;
    let user = app.user("ada").await;
    let (mut here, mut there) = (app.signed_in(&user).await, app.signed_in(&user).await);
    let mut stranger = app.signed_in(&app.user("eve").await).await;
    here.logout("others").await.expect(204).without_cookies();
    here.profile().await.expect(200);
    here.refresh().await.expect(200);
    let problem = there.refresh().await.expect(401).problem("session_revoked");
    assert_eq!(problem["reason"], "signed_out");
    stranger.refresh().await.expect(200);
}

#[tokio::test]
async fn everywhere_kills_every_session_and_every_access_token_at_the_very_next_request() {
    let app = TestApp::new().await;
    let user = app.user("ada").await;
    let (mut here, mut there) = (app.signed_in(&user).await, app.signed_in(&user).await);
    there.profile().await.expect(200);
    let version = app.store().user_find(user.id).await.unwrap().unwrap().token_version;
    let answer = here.logout("everywhere").await.expect(204);
    assert_eq!(answer.set_cookies().len(), 1, "its own cookie, not those of other browsers");
    for browser in [&mut here, &mut there] {
        browser.profile().await.expect(401).problem("access_token_revoked");
    }
    let problem = there.refresh().await.expect(401).problem("session_revoked");
    assert_eq!(problem["reason"], "signed_out_everywhere");
    assert_eq!(app.store().user_find(user.id).await.unwrap().unwrap().token_version, version + 1);
    app.signed_in(&user).await.profile().await.expect(200);
}

#[tokio::test]
async fn an_expired_token_is_good_enough_for_this_and_for_nothing_more() {
    let app = TestApp::new().await;
    let user = app.user("ada").await;
    let (mut here, mut there) = (app.signed_in(&user).await, app.signed_in(&user).await);
    app.clock.advance(HOUR);
    for scope in ["others", "everywhere"] {
        let answer = here.logout(scope).await.expect(401).without_cookies();
        answer.problem("access_token_expired");
    }
    there.refresh().await.expect(200);
    here.logout("this").await.expect(204);
    here.refresh().await.expect(401).problem("no_session");
    there.refresh().await.expect(200);
}

#[tokio::test]
async fn a_revoked_token_ends_its_own_session_only() {
    let app = TestApp::new().await;
    let user = app.user("ada").await;
    let mut here = app.signed_in(&user).await;
    let old = here.access.clone();
    here.change_password(crate::world::PASSWORD, "another long password").await.expect(200);
    for scope in ["others", "everywhere"] {
        let call = app.client.post(PATH, &json!({ "scope": scope })).bearer(&old);
        call.send().await.expect(401).problem("access_token_revoked");
    }
    app.client.post(PATH, &json!({ "scope": "this" })).bearer(&old).send().await.expect(204);
    here.refresh().await.expect(401).problem("session_revoked");
}

#[tokio::test]
async fn a_sign_out_that_raced_a_refresh_wins() {
    let app = TestApp::new().await;
    let mut browser = app.signed_in(&app.user("ada").await).await;
    app.clock.advance(QUIET);
    let late = browser.send_refresh().await.expect(200);
    browser.logout("this").await.expect(204);
    browser.receive(&late);
    browser.profile().await.expect(401).problem("access_token_revoked");
    browser.refresh().await.expect(401).problem("session_revoked");
    assert!(browser.cookies().cookies().is_empty());
}

#[tokio::test]
async fn an_unknown_scope_is_refused_and_not_repeated_back() {
    let app = TestApp::new().await;
    let browser = app.signed_in(&app.user("ada").await).await;
    for scope in [json!("planet-secret"), json!(7), json!(null), json!(["this"])] {
        let call = app.client.post(PATH, &json!({ "scope": scope })).bearer(&browser.access);
        let problem = call.send().await;
        assert!(matches!(problem.status, 400 | 422), "{}", problem.text());
        assert!(!problem.text().contains("planet-secret"), "{}", problem.text());
    }
    browser.profile().await.expect(200);
}
