//! Stopping: what is under way finishes, newcomers are told to come again, and nobody is signed out by it.

use std::sync::Arc;

use tokio::sync::Semaphore;

use crate::world::{Fault, Raw, SECOND, Setup, TestApp, eventually};

/// A server with one refresh under way that waits at the store, and the gate that lets it go on.
async fn with_one_under_way(app: &TestApp) -> (tokio::task::JoinHandle<Result<u16, ()>>, Arc<Semaphore>) {
    let browser = app.signed_in(&app.user("ada").await).await;
    let gate = Arc::new(Semaphore::new(0));
    app.faults.set("session_refresh", Fault::Waits(Arc::clone(&gate)));
    let call = browser.refresh_call();
    let under_way = tokio::spawn(async { call.try_send().await.map(|answer| answer.status).map_err(drop) });
    eventually("the refresh waits at the store", async || app.faults.waiting() == 1).await;
    (under_way, gate)
}

const PING: &str = "GET /api/v1/system/ping HTTP/1.1\r\nhost: x\r\n\r\n";

#[tokio::test]
async fn what_is_under_way_finishes_and_newcomers_get_503_maintenance() {
    let mut app = TestApp::new().await;
    let (under_way, gate) = with_one_under_way(&app).await;
    app.expect_failure("maintenance");
    let serving = app.begin_shut_down();
    // From when the stop has been noticed; until then it serves.
    let told = async || {
        let mut raw = app.raw().await;
        raw.write(PING).await;
        raw.answer().await.is_some_and(|answer| answer.status == 503)
    };
    eventually("newcomers are told", told).await;
    for _ in 0..20 {
        let mut raw = app.raw().await;
        raw.write(PING).await;
        let answer = raw.answer().await.expect("an answer, not a closed door");
        assert_eq!((answer.status, answer.code().as_str()), (503, "maintenance"));
        assert!(answer.head.to_lowercase().contains("retry-after: "), "{}", answer.head);
        assert!(raw.is_closed().await);
    }
    let ready = reqwest::Client::builder().no_proxy().build().unwrap();
    let ready = ready.get(format!("http://{}/readyz", app.ops)).send().await.unwrap();
    assert_eq!(ready.status().as_u16(), 503, "the balancer is told as well");
    assert!(!serving.is_finished());
    gate.add_permits(1);
    assert_eq!(under_way.await.unwrap(), Ok(200));
    serving.await.unwrap();
    assert!(tokio::net::TcpStream::connect(app.address).await.is_err(), "and the door is closed");
}

#[tokio::test]
async fn an_idle_connection_is_closed_and_holds_up_nothing() {
    let mut app = TestApp::new().await;
    let mut fresh = app.raw().await;
    let mut used = app.raw().await;
    used.write(PING).await;
    assert_eq!(used.answer().await.unwrap().status, 200);
    app.shut_down().await;
    assert!(used.is_closed().await);
    assert!(fresh.is_closed().await);
}

#[tokio::test]
async fn the_grace_is_bounded() {
    let mut app = Setup::default().set("SERVER__SHUTDOWN_GRACE", "300ms").start().await;
    let (under_way, _gate) = with_one_under_way(&app).await;
    let stopped = tokio::time::timeout(20 * SECOND, app.begin_shut_down()).await;
    stopped.expect("stops though one request never ends").unwrap();
    under_way.abort();
}

#[tokio::test]
async fn a_pipelined_or_half_sent_request_does_not_keep_the_server_from_stopping() {
    let mut app = TestApp::new().await;
    let mut half: Raw = app.raw().await;
    half.write("GET /api/v1/system/ping HTTP/1.1\r\nhos").await;
    tokio::time::timeout(20 * SECOND, app.begin_shut_down()).await.expect("stops").unwrap();
}

#[tokio::test]
async fn after_a_restart_the_refresh_that_was_turned_away_is_served() {
    let app = TestApp::new().await;
    let browser = app.signed_in(&app.user("ada").await).await;
    let cookie = browser.cookie_header("/api/v1/auth/refresh");
    let app = app.restart(Setup::default()).await;
    app.client.refresh_with(&cookie).await.expect(200);
}
