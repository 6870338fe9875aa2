//! OTLP's messages (opentelemetry-proto 1.x), as far as we have something to say in them. The numbers are those of the
//! fields there; a test reads what is written here with the types that OpenTelemetry generates from its own files.

use super::page::{Family, Kind, Point};
use super::protobuf::Message;
use super::trace::{Span, SpanKind, Value};

/// Who sends, written once.
pub struct Resource(Vec<u8>);

impl Resource {
    pub fn new(service: &str, node: &str) -> Self {
        Self(Message::of(|resource| {
            for (name, value) in [
                ("service.name", service),
                ("service.version", env!("CARGO_PKG_VERSION")),
                ("service.instance.id", node),
            ] {
                resource.message(1, |pair| text_pair(pair, name, value));
            }
        }))
    }
}

fn text_pair(pair: &mut Message, name: &str, value: &str) {
    pair.text(1, name);
    pair.message(2, |any| any.one_of_text(1, value));
}

fn scope(scope: &mut Message) {
    scope.text(1, "tenure");
    scope.text(2, env!("CARGO_PKG_VERSION"));
}

/// An ExportTraceServiceRequest.
pub fn traces(resource: &Resource, spans: &[Span]) -> Vec<u8> {
    Message::of(|request| {
        request.message(1, |resource_spans| {
            resource_spans.written(1, &resource.0);
            resource_spans.message(2, |scope_spans| {
                scope_spans.message(1, scope);
                for span in spans {
                    scope_spans.message(2, |message| write_span(message, span));
                }
            });
        });
    })
}

fn write_span(message: &mut Message, span: &Span) {
    message.bytes(1, &span.trace_id);
    message.bytes(2, &span.span_id);
    if let Some(parent) = &span.parent {
        message.bytes(4, parent);
    }
    message.text(5, &span.name);
    message.number(
        6,
        match span.kind {
            SpanKind::Internal => 1,
            SpanKind::Server => 2,
            SpanKind::Client => 3,
        },
    );
    message.fixed(7, span.began_ns);
    message.fixed(8, span.ended_ns);
    for (name, value) in &span.attributes {
        message.message(9, |pair| match value {
            Value::Text(text) => text_pair(pair, name, text),
            Value::Number(number) => {
                pair.text(1, name);
                pair.message(2, |any| any.one_of_number(3, *number));
            }
        });
    }
    if span.failed {
        const ERROR: u64 = 2;
        message.message(15, |status| status.number(3, ERROR));
    }
}

/// An ExportMetricsServiceRequest. Everything is counted from the start of the process.
pub fn metrics(resource: &Resource, families: &[Family], began_ns: u64, now_ns: u64) -> Vec<u8> {
    Message::of(|request| {
        request.message(1, |resource_metrics| {
            resource_metrics.written(1, &resource.0);
            resource_metrics.message(2, |scope_metrics| {
                scope_metrics.message(1, scope);
                for family in families {
                    scope_metrics.message(2, |metric| write_metric(metric, family, began_ns, now_ns));
                }
            });
        });
    })
}

fn write_metric(metric: &mut Message, family: &Family, began_ns: u64, now_ns: u64) {
    const CUMULATIVE: u64 = 2;
    metric.text(1, &family.name);
    metric.text(2, &family.help);
    let (field, labels_field) = match family.kind {
        Kind::Gauge => (5, 7),
        Kind::Counter => (7, 7),
        Kind::Histogram => (9, 9),
    };
    metric.message(field, |data| {
        for point in &family.points {
            data.message(1, |message| {
                message.fixed(2, began_ns);
                message.fixed(3, now_ns);
                write_values(message, family.kind, point);
                for (name, value) in &point.labels {
                    message.message(labels_field, |pair| text_pair(pair, name, value));
                }
            });
        }
        if family.kind != Kind::Gauge {
            data.number(2, CUMULATIVE);
        }
        if family.kind == Kind::Counter {
            data.number(3, 1);
        }
    });
}

fn write_values(message: &mut Message, kind: Kind, point: &Point) {
    if kind != Kind::Histogram {
        message.double(4, point.value);
        return;
    }
    message.fixed(4, point.count);
    message.double(5, point.value);
    let mut below = 0;
    // Ours count what is at or below a bound; OTLP's, what lies between two.
    let between = point.buckets.iter().map(|(_, count)| {
        let only = count.saturating_sub(below);
        below = *count;
        only
    });
    message.packed(6, between.collect::<Vec<_>>());
    let bounds = point.buckets.iter().map(|(bound, _)| *bound).filter(|bound| bound.is_finite());
    message.packed(7, bounds.map(f64::to_bits));
}
