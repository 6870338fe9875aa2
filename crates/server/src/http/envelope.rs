//! The outermost layer: every request gets an arrival, every answer its headers, every error its body, and
//! the log one canonical line.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use http::{HeaderName, HeaderValue, Method, StatusCode, header};
use serde::Serialize;
use tenure_domain::problem::Code;

use crate::App;
use crate::http::arrival::{Arrival, Peer};
use crate::http::problem::{ForPeople, Problem};
use crate::http::rate_limit;
use crate::log::{Style, legacy};
use crate::metrics::Route;
use crate::telemetry::trace::{Attributes, Trace, Value};

#[allow(clippy::disallowed_methods)] // Measures how long the answer took; nothing is decided by it.
pub async fn envelope(
    app: &App,
    mut request: Request,
    answer: impl AsyncFnOnce(Request) -> Result<Response, Infallible>,
) -> Response {
    let started = Instant::now();
    let peer = request.extensions().get::<Peer>().copied();
    let arrival = Arc::new(Arrival::new(app, request.headers(), peer));
    let method = request.method().clone();
    let path = request.uri().path().to_owned();
    request.extensions_mut().insert(Arc::clone(&arrival));

    let mut response = if app.draining.load(Ordering::Relaxed) {
        Problem::new(Code::Maintenance, "This server is going down; try again in a moment.").into_response()
    } else {
        match answer(request).await {
            Ok(response) => response,
        }
    };
    finish(&mut response, &arrival, &method, app.settled.public_url.https);
    record(app, &arrival, &method, &path, &response, started.elapsed());
    response
}

/// Gives an answer what every answer has.
fn finish(response: &mut Response, arrival: &Arrival, method: &Method, https: bool) {
    let status = response.status();
    if response.extensions().get::<Problem>().is_none()
        && (status.is_client_error() || status.is_server_error())
        && let Some(problem) = problem_for(status)
    {
        // A layer or the router refused it in its own words. Only the words go: `Allow` and CORS stand.
        let mut said = std::mem::take(response.headers_mut());
        said.remove(header::CONTENT_LENGTH);
        *response = problem.into_response();
        said.extend(std::mem::take(response.headers_mut()));
        *response.headers_mut() = said;
    }
    if let Some(problem) = response.extensions().get::<Problem>()
        && response.extensions().get::<ForPeople>().is_none()
        && method != Method::HEAD
    {
        let body = problem.body(&arrival.request_id, arrival.now);
        response.headers_mut().insert(header::CONTENT_LENGTH, body.len().into());
        *response.body_mut() = Body::from(body);
    }
    let headers = response.headers_mut();
    headers.reserve(HEADERS_EXPECTED);
    if let Ok(id) = HeaderValue::from_str(&arrival.request_id) {
        headers.insert(HeaderName::from_static("x-request-id"), id);
    }
    arrival.standings.tell(|standings| rate_limit::tell(headers, standings));
    for (name, value) in ALWAYS {
        headers.entry(name).or_insert(value);
    }
    if https {
        headers.insert(header::STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=63072000"));
    }
    // Where CORS was asked it has said so for the origin; what is not public also varies by who asks.
    let public =
        headers.get(header::CACHE_CONTROL).is_some_and(|value| value.as_bytes().starts_with(b"public"));
    let varies = if public { "Origin" } else { "Origin, Authorization, Cookie" };
    headers.append(header::VARY, HeaderValue::from_static(varies));
}

/// Room for what is added here, made at once instead of by growing.
const HEADERS_EXPECTED: usize = 16;

/// Security headers of every answer. The API serves no page, so its policy allows nothing; the pages we do
/// serve set their own.
const ALWAYS: [(HeaderName, HeaderValue); 6] = [
    (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
    (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(
            "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
        ),
    ),
    (HeaderName::from_static("cross-origin-resource-policy"), HeaderValue::from_static("same-site")),
];

fn problem_for(status: StatusCode) -> Option<Problem> {
    let (code, detail) = match status {
        StatusCode::NOT_FOUND => return Some(Problem::not_found()),
        StatusCode::METHOD_NOT_ALLOWED => (Code::MethodNotAllowed, "See the `Allow` header."),
        StatusCode::PAYLOAD_TOO_LARGE => (Code::PayloadTooLarge, "The request is too large."),
        StatusCode::REQUEST_TIMEOUT => (Code::RequestTimeout, "The request did not arrive in time."),
        StatusCode::UNSUPPORTED_MEDIA_TYPE => {
            (Code::UnsupportedMediaType, "Send `Content-Type: application/json`.")
        }
        StatusCode::UNPROCESSABLE_ENTITY => (Code::ValidationFailed, "The request does not fit."),
        StatusCode::SERVICE_UNAVAILABLE => (Code::Overloaded, "Too busy just now."),
        status if status.is_client_error() => (Code::MalformedRequest, "The request could not be read."),
        _ => (Code::InternalError, "Something went wrong here; quote the request id."),
    };
    Some(Problem::new(code, detail))
}

/// Bytes of most lines.
const LINE_EXPECTED: usize = 512;

/// The canonical line of one request.
#[derive(Serialize)]
struct Line<'a> {
    timestamp: String,
    level: &'static str,
    message: &'static str,
    request_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    trace_id: Option<String>,
    method: &'a str,
    path: &'a str,
    status: u16,
    duration_us: u128,
    address: std::net::IpAddr,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<tenure_domain::id::UserId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    session: Option<tenure_domain::id::SessionId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    outcome: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<Code>,
    #[serde(skip_serializing_if = "Option::is_none")]
    receipt: Option<&'a tenure_domain::id::ReceiptId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cause: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_agent: Option<&'a str>,
}

fn record(app: &App, arrival: &Arrival, method: &Method, path: &str, response: &Response, took: Duration) {
    let problem = response.extensions().get::<Problem>();
    let status = response.status();
    let route = Route { method: method_name(method), status: status.as_u16() };
    app.metrics.requests.get_or_create(&route).inc();
    if let (Some(telemetry), Some(trace)) = (&app.telemetry, &arrival.trace) {
        telemetry.take(trace.end(
            route.method,
            attributes(arrival, status, problem),
            status.is_server_error(),
        ));
    }
    let line = Line {
        timestamp: arrival.now.to_string(),
        level: if status.is_server_error() { "ERROR" } else { "INFO" },
        message: "request",
        request_id: &arrival.request_id,
        trace_id: arrival.trace.as_ref().map(Trace::id),
        method: method.as_str(),
        path,
        status: status.as_u16(),
        duration_us: took.as_micros(),
        address: arrival.address,
        user: arrival.user(),
        session: arrival.session().or(problem.and_then(|problem| problem.session)),
        outcome: arrival.outcome(),
        code: problem.map(|problem| problem.code),
        receipt: problem.and_then(|problem| problem.end.as_ref()).map(|(_, receipt)| receipt),
        cause: problem.and_then(|problem| problem.cause.as_deref()),
        user_agent: arrival.user_agent.as_deref(),
    };
    let mut text = Vec::with_capacity(LINE_EXPECTED);
    let written = match app.log.style {
        Style::Json => serde_json::to_writer(&mut text, &line).is_ok(),
        style => line.write_human(&mut text, style),
    };
    if written {
        text.push(b'\n');
        if app.log.style == Style::Legacy {
            text.extend(legacy::of_request(arrival, path, problem).into_bytes());
        }
        app.log.write(text, &app.metrics.log_lines_dropped);
    }
}

/// What a span tells of its request: nothing that the log does not, and nobody.
fn attributes(arrival: &Arrival, status: StatusCode, problem: Option<&Problem>) -> Attributes {
    let mut attributes = vec![
        ("http.response.status_code", Value::Number(status.as_u16().into())),
        ("tenure.request_id", Value::Text(arrival.request_id.clone().into())),
    ];
    let outcome = arrival.outcome().map(|outcome| ("tenure.outcome", outcome));
    let code = problem.map(|problem| ("tenure.code", problem.code.as_str()));
    attributes.extend(outcome.into_iter().chain(code).map(|(name, word)| (name, Value::Text(word.into()))));
    attributes
}

impl Line<'_> {
    fn write_human(&self, out: &mut Vec<u8>, style: Style) -> bool {
        let (time, path) = match style {
            Style::Legacy => (0..24, legacy::harmless(self.path)),
            _ => (11..23, self.path.escape_debug().to_string()),
        };
        let mut text = format!(
            "{}  {} {:<6} {} {:.1}ms",
            self.timestamp.get(time).unwrap_or_default(),
            self.status,
            self.method,
            path,
            self.duration_us as f64 / 1000.0
        );
        let mut add = |name: &str, value: Option<String>| {
            if let Some(value) = value {
                text.push_str(&format!("  {name}={}", value.escape_debug()));
            }
        };
        add("code", self.code.map(|code| code.to_string()));
        add("outcome", self.outcome.map(str::to_owned));
        add("session", self.session.map(|id| id.to_string()));
        add("cause", self.cause.map(str::to_owned));
        out.extend_from_slice(text.as_bytes());
        true
    }
}

/// Methods as labels: a closed set, so that nobody can grow the metrics by inventing some.
fn method_name(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::HEAD => "HEAD",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}
