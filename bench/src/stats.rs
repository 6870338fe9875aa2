//! What a run counts: latencies by kind of request, outcomes, failures by code.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use serde::Serialize;

/// Longer than any answer may take (the client gives up before).
const LATENCY_US_MAX: u64 = 60_000_000;

/// One thread's counts; threads are merged when the run is over.
#[derive(Default)]
pub struct Stats {
    latencies: Vec<(&'static str, Histogram<u64>)>,
    outcomes: BTreeMap<&'static str, u64>,
    errors: BTreeMap<String, u64>,
    last: Option<Instant>,
    /// Whether a user had nothing left to send before the time was over.
    pub ran_dry: bool,
}

/// The counts of a whole run, as they are printed.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Summary {
    pub seconds: f64,
    pub operations: u64,
    pub per_second: f64,
    pub latency: BTreeMap<&'static str, Latency>,
    pub outcomes: BTreeMap<&'static str, u64>,
    pub errors: BTreeMap<String, u64>,
    pub ran_dry: bool,
}

#[derive(Clone, Debug, Default, Serialize)]
pub struct Latency {
    pub count: u64,
    pub mean_us: f64,
    pub p50_us: u64,
    pub p95_us: u64,
    pub p99_us: u64,
    pub max_us: u64,
}

// === impl Stats ===

impl Stats {
    /// Counts an answer that was as it should be.
    pub fn good(&mut self, kind: &'static str, outcome: &'static str, latency: Duration, at: Instant) {
        let us = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX);
        self.histogram(kind).saturating_record(us.max(1));
        *self.outcomes.entry(outcome).or_default() += 1;
        self.last = Some(at);
    }

    pub fn bad(&mut self, code: String) {
        *self.errors.entry(code).or_default() += 1;
    }

    fn histogram(&mut self, kind: &'static str) -> &mut Histogram<u64> {
        let at = self.latencies.iter().position(|(name, _)| *name == kind).unwrap_or_else(|| {
            self.latencies.push((kind, new_histogram()));
            self.latencies.len() - 1
        });
        &mut self.latencies[at].1
    }

    pub fn merge(&mut self, other: Self) {
        for (kind, histogram) in other.latencies {
            // Both have the same bounds, so that adding cannot fail.
            let _ = self.histogram(kind).add(&histogram);
        }
        for (outcome, count) in other.outcomes {
            *self.outcomes.entry(outcome).or_default() += count;
        }
        for (code, count) in other.errors {
            *self.errors.entry(code).or_default() += count;
        }
        self.last = self.last.max(other.last);
        self.ran_dry |= other.ran_dry;
    }

    /// Sums up what was counted between `from` and `until`; a run that ran dry ended at its last answer.
    pub fn summary(&self, from: Instant, until: Instant) -> Summary {
        let until = if self.ran_dry { self.last.unwrap_or(until).min(until) } else { until };
        let seconds = until.saturating_duration_since(from).as_secs_f64();
        let operations = self.latencies.iter().map(|(_, histogram)| histogram.len()).sum::<u64>();
        Summary {
            seconds,
            operations,
            per_second: if seconds > 0.0 { operations as f64 / seconds } else { 0.0 },
            latency: self.latencies.iter().map(|(kind, histogram)| (*kind, histogram.into())).collect(),
            outcomes: self.outcomes.clone(),
            errors: self.errors.clone(),
            ran_dry: self.ran_dry,
        }
    }
}

// `expect_used` cannot be avoided otherwise: the constructor checks constants.
#[allow(clippy::expect_used)]
fn new_histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, LATENCY_US_MAX, 3).expect("the bounds are constants and valid")
}

// === impl Summary ===

impl Summary {
    pub fn error_count(&self) -> u64 {
        self.errors.values().sum()
    }

    pub fn outcome(&self, name: &str) -> u64 {
        self.outcomes.get(name).copied().unwrap_or(0)
    }

    pub fn p99_us(&self, kind: &str) -> u64 {
        self.latency.get(kind).map_or(0, |latency| latency.p99_us)
    }
}

// === impl Latency ===

impl From<&Histogram<u64>> for Latency {
    fn from(histogram: &Histogram<u64>) -> Self {
        Self {
            count: histogram.len(),
            mean_us: histogram.mean(),
            p50_us: histogram.value_at_quantile(0.5),
            p95_us: histogram.value_at_quantile(0.95),
            p99_us: histogram.value_at_quantile(0.99),
            max_us: histogram.max(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;

    #[test]
    fn merged_threads_are_summed_up_as_one() {
        let from = clock::now();
        let mut both = Stats::default();
        for thread in 0..2u64 {
            let mut stats = Stats::default();
            for n in 1..=50 {
                let latency = Duration::from_micros(thread * 50 + n);
                stats.good("refresh", "rotated", latency, from + Duration::from_secs(1));
            }
            stats.bad("rate_limited".into());
            both.merge(stats);
        }
        let summary = both.summary(from, from + Duration::from_secs(2));
        assert_eq!((summary.operations, summary.per_second), (100, 50.0));
        assert_eq!(summary.outcome("rotated"), 100);
        assert_eq!(summary.errors["rate_limited"], 2);
        let latency = &summary.latency["refresh"];
        assert_eq!((latency.p50_us, latency.p99_us, latency.max_us), (50, 99, 100));
        both.ran_dry = true;
        assert_eq!(both.summary(from, from + Duration::from_secs(2)).per_second, 100.0);
    }
}
