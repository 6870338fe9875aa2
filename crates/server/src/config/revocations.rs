//! The revocation feed.

use std::time::Duration;

use serde::Deserialize;

use super::Span;

/// Listeners take a feed for dead after ten seconds without a beat, unless they are told otherwise.
const HEARTBEATS: std::ops::RangeInclusive<Duration> = Duration::from_millis(50)..=Duration::from_secs(5);

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RevocationsSection {
    pub listeners_max: usize,
    pub heartbeat: Span,
}

impl RevocationsSection {
    pub(super) fn fault(&self) -> Option<String> {
        (!HEARTBEATS.contains(&self.heartbeat.0))
            .then(|| "revocations.heartbeat has to be between 50ms and 5s".to_owned())
    }
}
