//! The feed for tabs.

use std::time::Duration;

use serde::Deserialize;

use super::{Server, Span};

/// Proxies cut what says nothing for a minute, and some for half of one.
const HEARTBEATS: std::ops::RangeInclusive<Duration> = Duration::from_millis(50)..=Duration::from_secs(25);

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EventsSection {
    pub connections_max: usize,
    pub heartbeat: Span,
}

impl EventsSection {
    /// Half of all connections at most, so that whoever listens keeps nobody from refreshing.
    pub fn listeners_max(&self, server: &Server) -> usize {
        self.connections_max.min(server.connections_max / 2)
    }

    pub(super) fn fault(&self) -> Option<String> {
        (!HEARTBEATS.contains(&self.heartbeat.0))
            .then(|| "events.heartbeat has to be between 50ms and 25s".to_owned())
    }
}
