//! What OpenTelemetry is told, and that nobody waits for it.

use tokio::time::Instant;

use opentelemetry_proto::tonic::metrics::v1::{Metric, metric};
use opentelemetry_proto::tonic::trace::v1::Span;

use crate::world::collector::{Collector, HANGS, number, words};
use crate::world::{Fault, QUIET, SECOND, Setup, TestApp, eventually};

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const PARENT: &str = "b7ad6b7169203331";

async fn told(collector: &Collector) -> TestApp {
    told_with(collector, Setup::default()).await
}

async fn told_with(collector: &Collector, setup: Setup) -> TestApp {
    setup
        .set("TELEMETRY__ENDPOINT", &collector.endpoint())
        .set("TELEMETRY__INTERVAL", "1s")
        .set("TELEMETRY__HEADERS", "authorization=Bearer collectors-secret, x-tenant=7")
        .start()
        .await
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

async fn spans_of(collector: &Collector, trace: &str, count: usize) -> Vec<Span> {
    let of = || collector.spans().into_iter().filter(|span| hex(&span.trace_id) == trace).collect::<Vec<_>>();
    eventually("the spans arrive", async || of().len() >= count).await;
    of()
}

#[tokio::test]
async fn a_refresh_leaves_three_spans_in_the_trace_of_whoever_called() {
    let collector = Collector::start().await;
    let app = told(&collector).await;
    let browser = app.signed_in(&app.user("ada").await).await;
    app.clock.advance(QUIET);
    let call = browser.refresh_call().header("traceparent", format!("00-{TRACE}-{PARENT}-01"));
    let answer = call.send().await.expect(200);
    let spans = spans_of(&collector, TRACE, 3).await;
    let [store, refresh, request] = &spans[..] else { panic!("{spans:?}") };
    let names = [&store.name, &refresh.name, &request.name];
    assert_eq!(names, ["store.session_refresh", "session.refresh", "POST /api/v1/auth/refresh"]);
    assert_eq!(hex(&request.parent_span_id), PARENT);
    assert_eq!((&refresh.parent_span_id, &store.parent_span_id), (&request.span_id, &refresh.span_id));
    assert_eq!((request.kind, refresh.kind, store.kind), (2, 1, 3));
    let expected = [("session.outcome", "rotated"), ("session.generation", "2"), ("session.replay", "none")];
    assert_eq!(words(&refresh.attributes), expected.map(|(a, b)| (a.to_owned(), b.to_owned())));
    let of_request = words(&request.attributes);
    for (name, value) in [
        ("http.request.method", "POST"),
        ("http.route", "/api/v1/auth/refresh"),
        ("http.response.status_code", "200"),
        ("tenure.request_id", answer.headers["x-request-id"].to_str().unwrap()),
    ] {
        assert!(of_request.contains(&(name.to_owned(), value.to_owned())), "{name}: {of_request:?}");
    }
    let at = u64::try_from(app.clock.get().as_ms()).unwrap() * 1_000_000;
    assert_eq!(request.start_time_unix_nano, at);
    assert!(store.start_time_unix_nano >= at && store.end_time_unix_nano <= request.end_time_unix_nano);
    let resource = collector.resource();
    assert!(resource.contains(&("service.name".to_owned(), "tenure".to_owned())), "{resource:?}");
    assert_eq!(collector.headers()["authorization"], "Bearer collectors-secret");
    assert_eq!(collector.headers()["x-tenant"], "7");
    // The log leads to the trace.
    assert!(app.log_lines().iter().any(|line| line["trace_id"] == TRACE && line["outcome"] == "rotated"));

    // A repeat has its kind.
    let call =
        browser.refresh_call().header("traceparent", format!("00-{}-{PARENT}-01", TRACE.replace('0', "1")));
    call.send().await.expect(200);
    let spans = spans_of(&collector, &TRACE.replace('0', "1"), 3).await;
    assert!(words(&spans[1].attributes).contains(&("session.replay".to_owned(), "predecessor".to_owned())));
}

#[tokio::test]
async fn who_samples_decides_and_a_failure_is_marked() {
    let collector = Collector::start().await;
    let app = told_with(&collector, Setup::default().set("TELEMETRY__SAMPLE_RATIO", "0")).await;
    let user = app.user("ada").await;
    let browser = app.signed_in(&user).await;
    browser.refresh_call().header("traceparent", format!("00-{TRACE}-{PARENT}-00")).send().await.expect(200);
    app.expect_failure("storage_unavailable");
    app.faults.set("session_refresh", Fault::Fails(tenure_store::StoreError::Unavailable("gone".into())));
    let call = browser.refresh_call().header("traceparent", format!("00-{TRACE}-{PARENT}-01"));
    call.send().await.expect(503);
    let spans = spans_of(&collector, TRACE, 3).await;
    assert_eq!(spans.len(), 3, "neither by chance nor against the caller's will");
    let failed = |span: &Span| span.status.as_ref().is_some_and(|status| status.code == 2);
    assert!(spans.iter().all(failed), "{spans:?}");
    assert!(
        words(&spans[2].attributes).contains(&("tenure.code".to_owned(), "storage_unavailable".to_owned()))
    );
    assert_eq!(collector.spans().len(), 3);
}

#[tokio::test]
async fn the_metrics_that_are_sent_are_those_of_the_page() {
    let collector = Collector::start().await;
    let app = told(&collector).await;
    let mut browser = app.signed_in(&app.user("ada").await).await;
    app.clock.advance(QUIET);
    browser.refresh().await.expect(200);
    browser.refresh().await.expect(200);
    let find = |name: &str| collector.metrics().into_iter().find(|metric| metric.name == name);
    let value =
        |name: &str, labels: &[(&str, &str)]| find(name).and_then(|metric: Metric| number(&metric, labels));
    eventually("the metrics arrive", async || {
        value("session_refresh", &[("outcome", "rotated")]) == Some(1.0)
            && value("session_refresh_replays", &[("kind", "newest")]) == Some(1.0)
    })
    .await;
    let page = app.app.metrics_page();
    for metric in collector.metrics() {
        assert!(page.contains(&format!("# HELP {} {}", metric.name, metric.description)), "{}", metric.name);
    }
    let names = |line: &&str| line.starts_with("# TYPE ");
    assert!(collector.metrics().len() * 2 > page.lines().filter(names).count());
    let duration = find("session_refresh_duration_seconds").unwrap();
    let Some(metric::Data::Histogram(histogram)) = &duration.data else { panic!("{duration:?}") };
    let point = &histogram.data_points[0];
    assert_eq!((histogram.aggregation_temporality, point.count), (2, 2));
    assert_eq!(point.bucket_counts.iter().sum::<u64>(), 2);
    assert_eq!(point.bucket_counts.len(), point.explicit_bounds.len() + 1);
    assert!(point.sum.unwrap() > 0.0 && point.time_unix_nano >= point.start_time_unix_nano);
}

/// Whatever the collector does, requests are as quick as without one, and what is lost is counted.
#[tokio::test]
async fn a_collector_that_is_down_hangs_or_fails_holds_up_nobody() {
    for trouble in [None, Some(HANGS), Some(500)] {
        let collector = Collector::start().await;
        let mut app = match trouble {
            Some(status) => {
                collector.answer(status);
                told(&collector).await
            }
            // Nobody listens there.
            None => Setup::default().set("TELEMETRY__ENDPOINT", "http://127.0.0.1:9").start().await,
        };
        let mut browser = app.signed_in(&app.user("ada").await).await;
        let begun = Instant::now();
        for _ in 0..50 {
            browser.refresh().await.expect(200);
        }
        assert!(begun.elapsed() < 20 * SECOND, "{trouble:?}: {:?}", begun.elapsed());
        let lost = "tenure_telemetry_total{signal=\"traces\",outcome=\"not_delivered\"}";
        if trouble == Some(HANGS) {
            eventually("it is asked", async || collector.asked() > 0).await;
        } else {
            eventually("what is lost is counted", async || app.metric(lost) >= 1.0).await;
        }
        let begun = Instant::now();
        app.shut_down().await;
        assert!(begun.elapsed() < 20 * SECOND, "{trouble:?} holds up the end: {:?}", begun.elapsed());
    }
}

#[tokio::test]
async fn what_does_not_fit_is_dropped_and_counted() {
    let collector = Collector::start().await;
    collector.answer(HANGS);
    let app = told(&collector).await;
    app.client.get("/api/v1/system/ping").send().await.expect(200);
    eventually("the collector is asked, and hangs", async || collector.asked() > 0).await;
    let telemetry = app.app.telemetry.clone().unwrap();
    let headers = http::HeaderMap::new();
    for number in 0..40_000_u64 {
        let drawn = std::array::from_fn(|at| number.to_be_bytes()[at % 8]);
        let trace = telemetry.trace(&headers, app.clock.get(), drawn).unwrap();
        telemetry.take(trace.end("GET", vec![], false));
    }
    let dropped = app.metric("tenure_telemetry_total{signal=\"traces\",outcome=\"queue_full\"}");
    assert!((40_000.0 - 32.0 * 1024.0..40_000.0).contains(&dropped), "{dropped}");
}

#[tokio::test]
async fn after_an_outage_it_is_told_again_and_what_waits_is_sent_at_the_end() {
    let collector = Collector::start().await;
    collector.answer(503);
    let mut app = told(&collector).await;
    app.client.get("/api/v1/system/ping").send().await.expect(200);
    eventually("it refuses", async || collector.asked() > 0).await;
    collector.answer(200);
    let get = app
        .client
        .call("GET", "/api/v1/system/ping")
        .header("traceparent", format!("00-{TRACE}-{PARENT}-01"));
    get.send().await.expect(200);
    // It is left alone for a while; the end does not wait for that.
    app.shut_down().await;
    assert_eq!(spans_of(&collector, TRACE, 1).await[0].name, "GET /api/v1/system/ping");
}

#[tokio::test]
async fn without_a_collector_nothing_is_kept() {
    let app = TestApp::new().await;
    let ping = app
        .client
        .call("GET", "/api/v1/system/ping")
        .header("traceparent", format!("00-{TRACE}-{PARENT}-01"));
    ping.send().await.expect(200);
    assert!(app.app.telemetry.is_none());
    assert!(!app.log().contains("trace_id") && !app.app.metrics_page().contains("tenure_telemetry_total"));
}
