//! Where OpenTelemetry is told of traces and metrics.

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, Uri};
use serde::Deserialize;

use super::{SecretWords, Span, is_loopback_authority};

/// Metrics that come more often tell nothing more, and those that come more rarely tell it too late.
const INTERVAL: std::ops::RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(3600);

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TelemetrySection {
    /// Empty: nothing is sent.
    pub endpoint: String,
    pub headers: SecretWords,
    pub sample_ratio: f64,
    pub interval: Span,
    pub service_name: String,
}

impl TelemetrySection {
    /// Where a signal goes; None if nothing is sent, or the endpoint is none.
    pub fn uri(&self, signal: &str) -> Option<Uri> {
        let is_http = |uri: &Uri| matches!(uri.scheme_str(), Some("http" | "https")) && uri.query().is_none();
        // What stands before an `@` would be a password, which belongs into the headers.
        let is_plain = |uri: &Uri| uri.authority().is_some_and(|authority| !authority.as_str().contains('@'));
        let base = self.endpoint.trim_end_matches('/');
        let uri = format!("{base}/v1/{signal}").parse::<Uri>().ok()?;
        Some(uri).filter(|uri| is_http(uri) && is_plain(uri))
    }

    /// The headers, as `OTEL_EXPORTER_OTLP_HEADERS` has them: `name=value`, with commas between. None if they are not so.
    pub fn headers(&self) -> Option<HeaderMap> {
        let pairs = self.headers.expose().split(',').map(str::trim).filter(|pair| !pair.is_empty());
        pairs
            .map(|pair| {
                let (name, value) = pair.split_once('=')?;
                let mut value = HeaderValue::from_str(value.trim()).ok()?;
                value.set_sensitive(true);
                Some((name.trim().parse::<HeaderName>().ok()?, value))
            })
            .collect()
    }

    /// What keeps it from being used, a line for each thing to mend.
    pub fn faults(&self, development: bool) -> Vec<String> {
        if self.endpoint.is_empty() {
            return vec![];
        }
        let mut faults = vec![];
        match self.uri("traces") {
            // It may hold what should not be shown.
            None => faults.push(
                "telemetry.endpoint is no address such as http://127.0.0.1:4318; a password goes into telemetry.headers"
                    .into(),
            ),
            Some(uri) => {
                let authority = uri.authority().map_or("", |authority| authority.as_str());
                let is_open = uri.scheme_str() == Some("http") && !is_loopback_authority(authority);
                if is_open && !self.headers.expose().is_empty() && !development {
                    faults.push(
                        "telemetry.headers would go to another machine in the clear; write telemetry.endpoint with https"
                            .into(),
                    );
                }
            }
        }
        if self.headers().is_none() {
            faults.push("telemetry.headers is not written as name=value,name=value".into());
        }
        if !(0.0..=1.0).contains(&self.sample_ratio) {
            faults.push(format!(
                "telemetry.sample_ratio is {}, but it is a part of all requests: 0 to 1",
                self.sample_ratio
            ));
        }
        if !INTERVAL.contains(&self.interval.0) {
            faults.push(format!(
                "telemetry.interval is {}: at least 1s and at most 1h; 30s is usual",
                humantime::format_duration(self.interval.0)
            ));
        }
        faults
    }
}
