//! Traces and metrics for OpenTelemetry (docs/decisions/0019-telemetry-without-an-sdk.md).
//!
//! A request that has ended puts its spans where one thread takes them from, several times a second, and is done: it waits
//! for nobody, and wakes nobody. What does not fit is dropped and counted, and so is what the collector does not take.

mod otlp;
mod page;
mod protobuf;
pub mod trace;

use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use http::{HeaderMap, HeaderValue, Method, Request, Uri, header};
use http_body_util::{BodyExt as _, Full, Limited};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use tenure_domain::time::Timestamp;
use tokio::sync::{oneshot, watch};
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};

use crate::App;
use crate::config::TelemetrySection;
use crate::http::client::{Client, causes, client};
use crate::metrics::Delivery;
use otlp::Resource;
use trace::{Parent, Span, Trace, TraceId, unix_ns};

/// Between two looks at what waits.
const TICK: Duration = Duration::from_millis(200);

/// Spans that wait to be sent; three of a refresh.
const WAITING_MAX: usize = 32 * 1024;

/// Spans in one delivery.
const BATCH: usize = 2048;

/// How long a collector may take for one delivery.
const SEND_MAX: Duration = Duration::from_secs(5);

/// How long it is left alone after one that failed, and how long at most after many.
const PAUSE: Duration = Duration::from_secs(1);
const PAUSE_MAX: Duration = Duration::from_secs(30);

/// How long the end of the process waits for the last delivery.
const FINISH_MAX: Duration = Duration::from_secs(2);

/// What is read of a collector's answer.
const ANSWER_MAX: usize = 64 * 1024;

pub struct Telemetry {
    traces: Uri,
    metrics: Uri,
    headers: HeaderMap,
    interval: Duration,
    /// Of all traces that begin here, those whose number is below it are told.
    sampled_below: u128,
    resource: Resource,
    began: Timestamp,
    waiting: Mutex<Vec<Span>>,
    deliveries: Family<Delivery, Counter>,
    thread: Mutex<Option<Running>>,
}

struct Running {
    stop: watch::Sender<bool>,
    done: oneshot::Receiver<()>,
}

impl Telemetry {
    /// None if nothing is to be sent. `node` tells this process from others.
    pub fn new(
        section: &TelemetrySection,
        node: &str,
        now: Timestamp,
        deliveries: Family<Delivery, Counter>,
    ) -> Option<Arc<Self>> {
        Some(Arc::new(Self {
            traces: section.uri("traces")?,
            metrics: section.uri("metrics")?,
            headers: section.headers()?,
            interval: section.interval.0,
            sampled_below: (section.sample_ratio * 2f64.powi(64)) as u128,
            resource: Resource::new(&section.service_name, node),
            began: now,
            waiting: Mutex::default(),
            deliveries,
            thread: Mutex::default(),
        }))
    }

    /// The trace of a request, if it is to have one. A parent decides for its children, as everywhere: a trace with holes
    /// is worth little, and what anybody can make us send is bounded anyway.
    pub fn trace(&self, headers: &HeaderMap, now: Timestamp, drawn: [u8; 24]) -> Option<Trace> {
        let fresh: TraceId = std::array::from_fn(|at| drawn[at]);
        let span_id = std::array::from_fn(|at| drawn[16 + at]);
        let parent = headers.get("traceparent").and_then(|value| Parent::read(value.to_str().ok()?));
        let (trace_id, sampled) = match parent {
            Some(parent) => (parent.trace_id, parent.sampled),
            None => (fresh, u128::from_be_bytes(fresh) & u128::from(u64::MAX) < self.sampled_below),
        };
        sampled.then(|| Trace::begin(trace_id, span_id, parent.map(|parent| parent.span_id), now))
    }

    /// Takes what a request leaves. It never waits for more than another request that does the same.
    pub fn take(&self, spans: Vec<Span>) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let room = WAITING_MAX.saturating_sub(waiting.len());
        if spans.len() <= room {
            waiting.extend(spans);
        } else {
            drop(waiting);
            self.count("traces", "queue_full", spans.len());
        }
    }

    fn count(&self, signal: &'static str, outcome: &'static str, number: usize) {
        self.deliveries.get_or_create(&Delivery { signal, outcome }).inc_by(number as u64);
    }

    // === The thread that sends ===

    /// Begins to send, on a thread of its own: what is written and encrypted there is in no request's way.
    pub fn begin(self: &Arc<Self>, app: &Arc<App>) {
        let mut running = self.thread.lock().unwrap_or_else(PoisonError::into_inner);
        if running.is_some() {
            return;
        }
        let (stop, stopped) = watch::channel(false);
        let (finished, done) = oneshot::channel();
        let (telemetry, app) = (Arc::clone(self), Arc::downgrade(app));
        let run = move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            match (runtime, client(telemetry.traces.scheme_str() == Some("https"))) {
                (Ok(runtime), Ok(client)) => {
                    let sender = Sender { telemetry, client, failures: 0, silent_until: Instant::now() };
                    runtime.block_on(sender.run(app, stopped));
                }
                (Err(error), _) => tracing::error!(%error, "no telemetry is sent"),
                (_, Err(error)) => tracing::error!(error, "no telemetry is sent"),
            }
            let _ = finished.send(());
        };
        match std::thread::Builder::new().name("telemetry".into()).spawn(run) {
            Ok(_) => *running = Some(Running { stop, done }),
            Err(error) => tracing::error!(%error, "no telemetry is sent"),
        }
    }

    /// Has what waits sent, and returns when it is or when it has taken long enough.
    pub async fn finish(&self) {
        let running = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(Running { stop, done }) = running {
            let _ = stop.send(true);
            if timeout(FINISH_MAX, done).await.is_err() {
                tracing::warn!("the collector did not take the last telemetry in time");
            }
        }
    }
}

struct Sender {
    telemetry: Arc<Telemetry>,
    client: Client,
    /// In a row.
    failures: u32,
    silent_until: Instant,
}

impl Sender {
    /// Until the end, or until there is nobody to tell of any more.
    async fn run(mut self, app: Weak<App>, mut stop: watch::Receiver<bool>) {
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut due = Instant::now() + self.telemetry.interval;
        loop {
            tokio::select! {
                _ = ticks.tick() => {}
                _ = stop.wait_for(|stop| *stop) => {}
            }
            let is_last = *stop.borrow();
            // The last is worth a try, whatever came before.
            if is_last || self.silent_until <= Instant::now() {
                self.send_traces().await;
            }
            if is_last || due <= Instant::now() {
                due = Instant::now() + self.telemetry.interval;
                let Some(page) = app.upgrade().map(|app| (app.metrics_page(), app.clock.now())) else {
                    return;
                };
                self.send_metrics(&page.0, page.1).await;
            }
            if is_last || app.strong_count() == 0 {
                return;
            }
        }
    }

    async fn send_traces(&mut self) {
        let spans =
            std::mem::take(&mut *self.telemetry.waiting.lock().unwrap_or_else(PoisonError::into_inner));
        let mut batches = spans.chunks(BATCH);
        for batch in batches.by_ref() {
            let message = otlp::traces(&self.telemetry.resource, batch);
            if !self.deliver("traces", batch.len(), message).await {
                break;
            }
        }
        let left: usize = batches.map(<[Span]>::len).sum();
        if left > 0 {
            self.telemetry.count("traces", "not_delivered", left);
        }
    }

    async fn send_metrics(&mut self, page: &str, now: Timestamp) {
        let families = page::read(page);
        let telemetry = &self.telemetry;
        let message = otlp::metrics(&telemetry.resource, &families, unix_ns(telemetry.began), unix_ns(now));
        self.deliver("metrics", 1, message).await;
    }

    /// Whether it was taken. What was not is not kept: the next metrics say it all, and traces are samples.
    async fn deliver(&mut self, signal: &'static str, number: usize, message: Vec<u8>) -> bool {
        let sent = timeout(SEND_MAX, self.send(signal, message)).await;
        let failure = match sent {
            Ok(Ok(())) => None,
            Ok(Err(why)) => Some(why),
            Err(_) => Some(format!("no answer within {} s", SEND_MAX.as_secs())),
        };
        let outcome = if failure.is_none() { "delivered" } else { "not_delivered" };
        self.telemetry.count(signal, outcome, number);
        match failure {
            None if self.failures > 0 => {
                tracing::info!(failures = self.failures, "the collector takes telemetry again");
                self.failures = 0;
            }
            None => {}
            Some(why) => {
                // Once, until it has changed: the counter tells how often.
                if self.failures == 0 {
                    tracing::warn!(
                        signal,
                        why,
                        "telemetry is not taken and is dropped; nothing else depends on it"
                    );
                }
                let pause = (PAUSE * 2u32.saturating_pow(self.failures)).min(PAUSE_MAX);
                self.failures = self.failures.saturating_add(1);
                self.silent_until = Instant::now() + pause;
                return false;
            }
        }
        true
    }

    async fn send(&self, signal: &str, message: Vec<u8>) -> Result<(), String> {
        let telemetry = &self.telemetry;
        let mut request = Request::new(Full::from(message));
        *request.method_mut() = Method::POST;
        *request.uri_mut() =
            if signal == "traces" { telemetry.traces.clone() } else { telemetry.metrics.clone() };
        *request.headers_mut() = telemetry.headers.clone();
        let headers = request.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/x-protobuf"));
        headers.insert(
            header::USER_AGENT,
            HeaderValue::from_static(concat!("tenure/", env!("CARGO_PKG_VERSION"))),
        );
        let answer = self.client.request(request).await.map_err(|error| causes(&error))?;
        let status = answer.status();
        // Read to its end, so that the connection can be used again.
        let _ = Limited::new(answer.into_body(), ANSWER_MAX).collect().await;
        if status.is_success() { Ok(()) } else { Err(format!("it answered {}", status.as_u16())) }
    }
}
