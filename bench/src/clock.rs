//! The one place that reads clocks: measuring time is this program's whole purpose, so it may.
#![allow(clippy::disallowed_methods)]

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// The monotonic clock that durations are measured with.
pub fn now() -> Instant {
    Instant::now()
}

/// Unix milliseconds, as a client writes them into `Tenure-Sent-At`.
pub fn unix_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
