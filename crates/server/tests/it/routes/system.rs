//! `/api/v1/system`

use serde_json::json;
use tenure_store::StoreError;

use crate::world::{Fault, Setup, TestApp};

#[tokio::test]
async fn ping_tells_the_servers_time() {
    let app = TestApp::new().await;
    let answer = app.client.get("/api/v1/system/ping").send().await.expect(200);
    assert_eq!(answer.json(), json!({ "pong": true, "server_time": app.clock.get() }));
    assert_eq!(answer.header("content-type"), "application/json");
}

#[tokio::test]
async fn status_tells_a_sign_in_page_what_it_needs() {
    let app = Setup::default().set("REGISTRATION__OPEN", "false").start().await;
    let answer = app.client.get("/api/v1/system/status").send().await.expect(200);
    let expected = json!({
        "status": "ok", "version": env!("CARGO_PKG_VERSION"), "server_time": app.clock.get(),
        "remembered_lifetime": 1_728_000, "short_lifetime": 86_400, "registration_open": false,
    });
    assert_eq!(answer.json(), expected);
}

#[tokio::test]
async fn status_is_503_while_the_store_does_not_answer_and_ping_goes_on() {
    let app = TestApp::new().await;
    app.faults.set("check", Fault::Fails(StoreError::Unavailable("gone".into())));
    app.expect_failure("storage_unavailable");
    app.client.get("/api/v1/system/status").send().await.expect(503).problem("storage_unavailable");
    app.client.get("/api/v1/system/ping").send().await.expect(200);
}
