//! What one request leaves in a trace: its own span, and those of what it was worth measuring on the way.

use std::borrow::Cow;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Instant;

use tenure_domain::time::Timestamp;

pub type TraceId = [u8; 16];
pub type SpanId = [u8; 8];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpanKind {
    Server,
    Internal,
    Client,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    Text(Cow<'static, str>),
    Number(u64),
}

/// Never a credential, an address or a person: what identifies a request is its id, which the log has too.
pub type Attributes = Vec<(&'static str, Value)>;

pub struct Span {
    pub trace_id: TraceId,
    pub span_id: SpanId,
    pub parent: Option<SpanId>,
    pub name: Cow<'static, str>,
    pub kind: SpanKind,
    pub began_ns: u64,
    pub ended_ns: u64,
    pub attributes: Attributes,
    pub failed: bool,
}

/// Where a request comes from, by its `traceparent`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parent {
    pub trace_id: TraceId,
    pub span_id: SpanId,
    pub sampled: bool,
}

impl Parent {
    /// W3C Trace Context, section 3.2. What is written wrongly is not there.
    pub fn read(header: &str) -> Option<Self> {
        let mut parts = header.split('-');
        let version = hex::<1>(parts.next()?)?;
        let trace_id = hex(parts.next()?)?;
        let span_id = hex(parts.next()?)?;
        let [flags] = hex::<1>(parts.next()?)?;
        let is_known = match version {
            [0xff] => false,
            [0] => parts.next().is_none(),
            // A later version may add something behind.
            _ => true,
        };
        (is_known && trace_id != [0; 16] && span_id != [0; 8]).then_some(Self {
            trace_id,
            span_id,
            sampled: flags & 1 == 1,
        })
    }
}

fn hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let is_hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
    if text.len() != 2 * N || !text.bytes().all(is_hex) {
        return None;
    }
    let mut bytes = [0; N];
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[2 * at..2 * at + 2], 16).ok()?;
    }
    Some(bytes)
}

/// The trace of one request that was chosen to have one.
pub struct Trace {
    trace_id: TraceId,
    span_id: SpanId,
    parent: Option<SpanId>,
    at: Timestamp,
    begun: Instant,
    route: OnceLock<String>,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    /// Those that have begun, the innermost last.
    open: Vec<(SpanId, Instant)>,
    done: Vec<Span>,
    count: u64,
}

impl Trace {
    #[allow(clippy::disallowed_methods)] // Durations; nothing is decided by them.
    pub fn begin(trace_id: TraceId, span_id: SpanId, parent: Option<SpanId>, at: Timestamp) -> Self {
        let (route, inner) = (OnceLock::new(), Mutex::default());
        Self { trace_id, span_id, parent, at, begun: Instant::now(), route, inner }
    }

    /// For the log.
    pub fn id(&self) -> String {
        self.trace_id.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// The path's template, which names nobody.
    pub fn note_route(&self, route: &str) {
        self.route.get_or_init(|| route.to_owned());
    }

    /// Begins a span within the one that was begun last.
    #[allow(clippy::disallowed_methods)] // A duration.
    pub fn span_begin(&self) {
        let mut inner = self.inner();
        inner.count += 1;
        // The request's own id is random; what follows it is in nobody's way.
        let id = u64::from_be_bytes(self.span_id).wrapping_add(inner.count).to_be_bytes();
        inner.open.push((id, Instant::now()));
    }

    /// Ends the span that was begun last.
    pub fn span_end(&self, name: &'static str, kind: SpanKind, attributes: Attributes, failed: bool) {
        let mut inner = self.inner();
        let Some((span_id, begun)) = inner.open.pop() else { return };
        let parent = inner.open.last().map_or(self.span_id, |(outer, _)| *outer);
        let (began_ns, ended_ns) = (self.ns(begun), self.ns_now());
        inner.done.push(Span {
            trace_id: self.trace_id,
            span_id,
            parent: Some(parent),
            name: name.into(),
            kind,
            began_ns,
            ended_ns,
            attributes,
            failed,
        });
    }

    /// Ends the request's span, and gives all there are.
    pub fn end(&self, method: &'static str, mut attributes: Attributes, failed: bool) -> Vec<Span> {
        let route = self.route.get();
        attributes.push(("http.request.method", Value::Text(method.into())));
        attributes.extend(route.map(|route| ("http.route", Value::Text(route.clone().into()))));
        let name = route.map_or(method.into(), |route| format!("{method} {route}").into());
        let mut spans = std::mem::take(&mut self.inner().done);
        spans.push(Span {
            trace_id: self.trace_id,
            span_id: self.span_id,
            parent: self.parent,
            name,
            kind: SpanKind::Server,
            began_ns: self.ns(self.begun),
            ended_ns: self.ns_now(),
            attributes,
            failed,
        });
        spans
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[allow(clippy::disallowed_methods)] // A duration.
    fn ns_now(&self) -> u64 {
        self.ns(Instant::now())
    }

    fn ns(&self, instant: Instant) -> u64 {
        let since = instant.duration_since(self.begun).as_nanos();
        unix_ns(self.at).saturating_add(u64::try_from(since).unwrap_or(u64::MAX))
    }
}

pub fn unix_ns(at: Timestamp) -> u64 {
    u64::try_from(at.as_ms()).unwrap_or_default().saturating_mul(1_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    const IDS: &str = "0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331";

    #[test]
    fn a_parent_is_read_as_w3c_has_it() {
        let parent = Parent::read(&format!("00-{IDS}-01")).unwrap();
        assert_eq!((parent.trace_id[0], parent.span_id[7], parent.sampled), (0x0a, 0x31, true));
        assert!(!Parent::read(&format!("00-{IDS}-02")).unwrap().sampled);
        assert!(Parent::read(&format!("01-{IDS}-01-more")).unwrap().sampled);
        let zero = format!("00-{}-b7ad6b7169203331-01", "0".repeat(32));
        for odd in [
            String::new(),
            IDS.into(),
            format!("00-{IDS}"),
            format!("00-{IDS}-01-more"),
            format!("ff-{IDS}-01"),
            format!("00-{}-01", IDS.to_uppercase()),
            format!("00-{IDS}-1"),
            format!("00-{}é-01", &IDS[..IDS.len() - 2]),
            zero,
        ] {
            assert_eq!(Parent::read(&odd), None, "{odd}");
        }
    }

    #[test]
    fn spans_lie_within_each_other_as_they_were_begun() {
        let trace = Trace::begin([1; 16], [0xff; 8], Some([3; 8]), Timestamp::from_ms(5));
        trace.span_begin();
        trace.span_begin();
        trace.span_end("inner", SpanKind::Client, vec![], false);
        trace.span_end("outer", SpanKind::Internal, vec![], false);
        trace.span_end("nothing is open", SpanKind::Internal, vec![], false);
        // What was begun and never ended, since its request was given up, is not told.
        trace.span_begin();
        let spans = trace.end("GET", vec![], false);
        let [inner, outer, whole] = &spans[..] else { panic!("{}", spans.len()) };
        assert_eq!(
            (inner.parent, outer.parent, whole.parent),
            (Some(outer.span_id), Some([0xff; 8]), Some([3; 8]))
        );
        assert!(
            whole.began_ns == 5_000_000
                && whole.began_ns <= outer.began_ns
                && outer.began_ns <= inner.began_ns
        );
        assert!(inner.ended_ns <= outer.ended_ns && outer.ended_ns <= whole.ended_ns);
    }
}
