//! The operators' listener.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tenure_store::{StoreError, Vitals};
use tokio::sync::Semaphore;

use crate::world::{Fault, SECOND, Setup, TestApp, eventually};

/// It is not the API's listener, so its answers do not have the API's envelope.
async fn ask(app: &TestApp, path: &str) -> (u16, String) {
    ask_for(app, path, "*/*").await
}

async fn ask_for(app: &TestApp, path: &str, accept: &str) -> (u16, String) {
    let response = reqwest::Client::builder().no_proxy().build().unwrap();
    let response = response.get(format!("http://{}{path}", app.ops)).header("accept", accept);
    let response = response.send().await.unwrap();
    (response.status().as_u16(), response.text().await.unwrap())
}

/// Nothing is missing. The feed is live by a margin that a busy machine now and then misses.
async fn is_ready(app: &TestApp, path: &str) {
    eventually(path, async || ask(app, path).await == (200, "ready\n".into())).await;
}

/// `/readyz` as programs read it.
async fn readiness(app: &TestApp) -> (u16, Value) {
    let (status, body) = ask_for(app, "/readyz", "application/json").await;
    (status, serde_json::from_str(&body).unwrap())
}

#[tokio::test]
async fn health_and_metrics_answer_under_all_their_names() {
    let app = TestApp::new().await;
    for path in ["/livez", "/health/alive"] {
        assert_eq!(ask(&app, path).await, (200, "alive\n".into()), "{path}");
    }
    for path in ["/readyz", "/startupz", "/healthz", "/health/ready"] {
        is_ready(&app, path).await;
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
    let why = "not ready: the store cannot be reached: gone\n";
    assert_eq!(ask(&app, "/readyz").await, (503, why.into()));
    let why = json!({ "status": "not_ready", "reasons": ["the store cannot be reached: gone"] });
    assert_eq!(readiness(&app).await, (503, why));
    assert_eq!(ask(&app, "/livez").await.0, 200);
    assert_eq!(app.metric("storage_up"), 0.0);
    app.faults.clear();
    assert_eq!(ask(&app, "/readyz").await.0, 200);
    assert_eq!(app.metric("storage_up"), 1.0);
    is_ready(&app, "/readyz").await;
    let ready = (200, json!({ "status": "ready", "reasons": [] }));
    eventually("it is ready", async || readiness(&app).await == ready).await;
}

#[tokio::test]
async fn a_store_that_hangs_does_not_hang_readiness() {
    let app = Setup::default().set("SERVER__REQUEST_TIMEOUT", "200ms").start().await;
    app.faults.set("check", Fault::Waits(Arc::new(Semaphore::new(0))));
    assert_eq!(ask(&app, "/readyz").await, (503, "not ready: the store did not answer in time\n".into()));
}

/// Slower, but every answer is right: a balancer that took it out would make the others slower still.
#[tokio::test]
async fn a_node_that_does_not_hear_the_others_is_degraded_and_ready() {
    let app = TestApp::new().await;
    app.faults.set_vitals(Vitals::default());
    let (status, body) = ask(&app, "/readyz").await;
    assert_eq!(status, 200);
    assert!(body.starts_with("ready (degraded: feed: ") && body.ends_with(")\n"), "{body}");
    let (status, body) = readiness(&app).await;
    assert_eq!((status, &body["status"]), (200, &json!("degraded")));
    assert_eq!(app.metric("tenure_store_feed_live"), 0.0);
    app.faults.set_vitals(Vitals { feed_live: true, ..Vitals::default() });
    assert_eq!(ask(&app, "/readyz").await, (200, "ready\n".into()));
}

#[tokio::test]
async fn what_the_store_tells_of_itself_is_on_the_page_of_metrics() {
    let app = TestApp::new().await;
    let vitals = |ends_restored| Vitals {
        feed_age: Some(Duration::from_millis(250)),
        feed_live: true,
        ends_restored,
        connections_in_use: 3,
        connections_max: 16,
        ..Vitals::default()
    };
    for ends_restored in [2, 2, 5] {
        app.faults.set_vitals(vitals(ends_restored));
        let (_, page) = ask(&app, "/metrics").await;
        for line in [
            "tenure_store_feed_live 1".to_owned(),
            "tenure_store_feed_age_seconds 0.25".to_owned(),
            "tenure_store_connections_in_use 3".to_owned(),
            "tenure_store_connections_max 16".to_owned(),
            format!("tenure_store_ends_restored_total {ends_restored}"),
            format!("tenure_store_rewound_total {ends_restored}"),
        ] {
            assert!(page.lines().any(|known| known == line), "{line} in {page}");
        }
    }
}

#[tokio::test]
async fn a_node_whose_clock_is_wrong_is_not_ready_until_it_is_right_and_serves_meanwhile() {
    let app = TestApp::new().await;
    app.clock.pass_for_this_machines();
    let mut browser = app.signed_in(&app.user("ada").await).await;
    let measured = async |offset_ms: i64| {
        app.faults.set_clock(tenure_domain::time::Timestamp::from_ms(app.clock.get().as_ms() - offset_ms));
        tenure::jobs::measure_clock(&app.app).await;
        (ask(&app, "/readyz").await, app.metric("tenure_clock_offset_seconds"))
    };
    let near = |measured: f64, told: f64| (measured - told).abs() < 0.9;
    let ((status, body), offset) = measured(30_000).await;
    assert_eq!(status, 503);
    assert!(body.starts_with("not ready: this machine's clock is 30."), "{body}");
    assert!(body.ends_with(" s ahead of the database's\n") && near(offset, 30.0), "{body} {offset}");
    browser.profile().await.expect(200);
    browser.refresh().await.expect(200);
    app.expect_failure("session_unverifiable");
    // Beyond what the grace minute makes up for, it would end sessions by a wrong clock.
    for far in [70_000, -70_000, 30 * 86_400_000] {
        measured(far).await;
        browser.refresh().await.expect(503);
    }
    measured(30_000).await;
    browser.refresh().await.expect(200);
    // A measurement that fails says nothing new.
    app.faults.set("clock", Fault::Fails(StoreError::Unavailable("gone".into())));
    assert_eq!(measured(0).await.0.0, 503);
    app.faults.clear();
    let ((status, body), offset) = measured(-12_000).await;
    assert!(status == 503 && body.contains(" s behind the database's") && near(offset, -12.0), "{body}");
    // A few seconds are worth a warning and no more.
    let (_, offset) = measured(5_000).await;
    is_ready(&app, "/readyz").await;
    assert!(near(offset, 5.0));
    measured(0).await;
    is_ready(&app, "/readyz").await;
}

#[tokio::test]
async fn the_clock_is_held_against_the_databases_at_start() {
    let app = TestApp::new().await;
    app.clock.pass_for_this_machines();
    app.faults.set_clock(app.clock.get() + 60 * SECOND);
    let jobs = tokio::spawn(tenure::jobs::run(Arc::clone(&app.app)));
    crate::world::eventually("not ready", async || ask(&app, "/readyz").await.0 == 503).await;
    jobs.abort();
}

#[tokio::test]
async fn a_clock_that_has_leapt_is_told_and_keeps_no_traffic_away() {
    let app = TestApp::new().await;
    app.clock.set_leapt(true);
    let (status, told) = ask(&app, "/readyz").await;
    assert!(status == 200 && told.contains("degraded: clock: it has leapt"), "{told}");
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
    let chores = tokio::spawn(tenure::jobs::run(Arc::clone(&app.app)));
    crate::world::eventually("a tick", async || app.metric("sessions_active{remembered=\"true\"}") == 1.0)
        .await;
    assert_eq!(app.metric("sessions_active{remembered=\"false\"}"), 0.0);
    assert_eq!((app.metric("tenure_clock_leapt"), app.metric("clock_step_seconds")), (0.0, 0.0));
    chores.abort();
    browser.profile().await.expect(200);
    app.clock.set_leapt(true);
    let chores = tokio::spawn(tenure::jobs::run(Arc::clone(&app.app)));
    crate::world::eventually("it leapt", async || app.metric("clock_step_seconds") == 3600.0).await;
    assert_eq!(app.metric("tenure_clock_leapt"), 1.0);
    chores.abort();
}

#[tokio::test]
async fn how_late_revocations_are_told_grows_while_the_store_does_not_answer() {
    let app = TestApp::new().await;
    let lag = || app.metric("revocation_push_lag_seconds");
    crate::world::eventually("they are told", async || lag() > 0.0).await;
    app.faults.set("changed_since", Fault::Fails(StoreError::Unavailable("gone".into())));
    crate::world::eventually("it grows", async || lag() > 1.0).await;
    app.faults.clear();
    crate::world::eventually("they are told again", async || lag() < 1.0).await;
}
