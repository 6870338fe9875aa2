//! The operators' listener.

use tenure_store::StoreError;

use crate::world::{Fault, TestApp};

/// It is not the API's listener, so its answers do not have the API's envelope.
async fn ask(app: &TestApp, path: &str) -> (u16, String) {
    let response = reqwest::Client::builder().no_proxy().build().unwrap();
    let response = response.get(format!("http://{}{path}", app.ops)).send().await.unwrap();
    (response.status().as_u16(), response.text().await.unwrap())
}

#[tokio::test]
async fn health_and_metrics_answer_under_all_their_names() {
    let app = TestApp::new().await;
    for path in ["/livez", "/health/alive"] {
        assert_eq!(ask(&app, path).await, (200, "alive\n".into()), "{path}");
    }
    for path in ["/readyz", "/startupz", "/healthz", "/health/ready"] {
        assert_eq!(ask(&app, path).await, (200, "ready\n".into()), "{path}");
    }
    app.signed_in(&app.user("ada").await).await.send_refresh().await;
    let (status, page) = ask(&app, "/metrics").await;
    assert_eq!(status, 200);
    assert!(
        page.contains("session_refresh_total{outcome=\"repeated\"} 1") && page.ends_with("# EOF\n"),
        "{page}"
    );
    assert_eq!(ask(&app, "/version").await, (200, format!("{}\n", env!("CARGO_PKG_VERSION"))));
}

#[tokio::test]
async fn a_sick_store_is_not_ready_but_alive() {
    let app = TestApp::new().await;
    app.faults.set("check", Fault::Fails(StoreError::Unavailable("gone".into())));
    assert_eq!(ask(&app, "/readyz").await.0, 503);
    assert_eq!(ask(&app, "/livez").await.0, 200);
    assert_eq!(app.metric("storage_up"), 0.0);
    app.faults.clear();
    assert_eq!(ask(&app, "/readyz").await.0, 200);
    assert_eq!(app.metric("storage_up"), 1.0);
}

#[tokio::test]
async fn neither_listener_serves_the_others_routes() {
    let app = TestApp::new().await;
    for path in ["/livez", "/readyz", "/metrics"] {
        app.client.get(path).send().await.expect(404).problem("not_found");
    }
    assert_eq!(ask(&app, "/api/v1/system/ping").await.0, 404);
}

#[tokio::test]
async fn the_minutes_chores_bring_the_gauges_up_to_date() {
    let app = TestApp::new().await;
    let browser = app.signed_in(&app.user("ada").await).await;
    let chores = tokio::spawn(tenure::jobs::run(std::sync::Arc::clone(&app.app)));
    crate::world::eventually("a tick", async || app.metric("sessions_active") == 1.0).await;
    chores.abort();
    browser.profile().await.expect(200);
}
