//! A collector of OpenTelemetry's: it takes OTLP over HTTP, and reads it with the types that OpenTelemetry generates.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU16, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::routing::post;
use http::{HeaderMap, StatusCode};
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{KeyValue, any_value::Value};
use opentelemetry_proto::tonic::metrics::v1::{Metric, metric, number_data_point};
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message as _;
use tokio::net::TcpListener;

/// What a collector answers that never does.
pub const HANGS: u16 = 0;

#[derive(Default)]
struct Taken {
    /// What every request is answered.
    status: AtomicU16,
    asked: AtomicUsize,
    traces: Mutex<Vec<ExportTraceServiceRequest>>,
    metrics: Mutex<Vec<ExportMetricsServiceRequest>>,
    headers: Mutex<HeaderMap>,
    bytes: Mutex<Vec<u8>>,
}

pub struct Collector {
    pub address: SocketAddr,
    taken: Arc<Taken>,
}

impl Collector {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, taken) = (listener.local_addr().unwrap(), Arc::new(Taken::default()));
        taken.status.store(200, Ordering::SeqCst);
        let router = Router::new()
            .route("/v1/traces", post(traces))
            .route("/v1/metrics", post(metrics))
            .with_state(Arc::clone(&taken));
        tokio::spawn(async move { axum_serve(listener, router).await });
        Self { address, taken }
    }

    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// From now on every request is answered so, or not at all.
    pub fn answer(&self, status: u16) {
        self.taken.status.store(status, Ordering::SeqCst);
    }

    pub fn asked(&self) -> usize {
        self.taken.asked.load(Ordering::SeqCst)
    }

    pub fn headers(&self) -> HeaderMap {
        self.taken.headers.lock().unwrap().clone()
    }

    /// All that has come, as it came.
    pub fn bytes(&self) -> Vec<u8> {
        self.taken.bytes.lock().unwrap().clone()
    }

    pub fn spans(&self) -> Vec<Span> {
        let taken = self.taken.traces.lock().unwrap();
        let scopes = taken.iter().flat_map(|request| &request.resource_spans).flat_map(|r| &r.scope_spans);
        scopes.flat_map(|scope| scope.spans.clone()).collect()
    }

    /// What the senders say of themselves.
    pub fn resource(&self) -> Vec<(String, String)> {
        let taken = self.taken.traces.lock().unwrap();
        words(&taken[0].resource_spans[0].resource.as_ref().unwrap().attributes)
    }

    /// The metrics that came last.
    pub fn metrics(&self) -> Vec<Metric> {
        let taken = self.taken.metrics.lock().unwrap();
        let Some(last) = taken.last() else { return vec![] };
        last.resource_metrics[0].scope_metrics[0].metrics.clone()
    }
}

/// Attributes as text.
pub fn words(attributes: &[KeyValue]) -> Vec<(String, String)> {
    let word = |value: &Value| match value {
        Value::StringValue(text) => text.clone(),
        Value::IntValue(number) => number.to_string(),
        other => panic!("{other:?}"),
    };
    let pair =
        |pair: &KeyValue| (pair.key.clone(), word(pair.value.as_ref().unwrap().value.as_ref().unwrap()));
    attributes.iter().map(pair).collect()
}

/// A number of a sum or gauge with these labels.
pub fn number(metric: &Metric, labels: &[(&str, &str)]) -> Option<f64> {
    let points = match metric.data.as_ref().unwrap() {
        metric::Data::Sum(sum) => {
            assert!(sum.is_monotonic && sum.aggregation_temporality == 2, "{metric:?}");
            &sum.data_points
        }
        metric::Data::Gauge(gauge) => &gauge.data_points,
        other => panic!("{other:?}"),
    };
    let is_meant = |attributes: &[KeyValue]| {
        words(attributes).iter().map(|(a, b)| (a.as_str(), b.as_str())).eq(labels.iter().copied())
    };
    let point = points.iter().find(|point| is_meant(&point.attributes))?;
    match point.value.unwrap() {
        number_data_point::Value::AsDouble(number) => Some(number),
        number_data_point::Value::AsInt(number) => Some(number as f64),
    }
}

async fn axum_serve(listener: TcpListener, router: Router) {
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let router = router.clone();
        tokio::spawn(async move {
            let service = hyper_util::service::TowerToHyperService::new(router);
            let io = hyper_util::rt::TokioIo::new(stream);
            let _ = hyper::server::conn::http1::Builder::new().serve_connection(io, service).await;
        });
    }
}

async fn traces(State(taken): State<Arc<Taken>>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let status = take(&taken, headers, &body).await;
    if status.is_success() {
        taken.traces.lock().unwrap().push(ExportTraceServiceRequest::decode(body).unwrap());
    }
    status
}

async fn metrics(State(taken): State<Arc<Taken>>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let status = take(&taken, headers, &body).await;
    if status.is_success() {
        taken.metrics.lock().unwrap().push(ExportMetricsServiceRequest::decode(body).unwrap());
    }
    status
}

async fn take(taken: &Taken, headers: HeaderMap, body: &[u8]) -> StatusCode {
    assert_eq!(headers["content-type"], "application/x-protobuf");
    taken.asked.fetch_add(1, Ordering::SeqCst);
    taken.bytes.lock().unwrap().extend_from_slice(body);
    *taken.headers.lock().unwrap() = headers;
    match taken.status.load(Ordering::SeqCst) {
        HANGS => std::future::pending().await,
        status => StatusCode::from_u16(status).unwrap(),
    }
}
