//! What the server counted, over all its starts.

use std::collections::BTreeMap;

use serde::Serialize;

/// Numbers from the page of metrics, as `GET /stats` gives them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Stats {
    /// By outcome.
    pub refreshes: BTreeMap<String, u64>,
    /// By reason.
    pub ends: BTreeMap<String, u64>,
    /// By status.
    pub requests: BTreeMap<String, u64>,
    pub dead_tokens: u64,
    pub rewinds: u64,
    pub unverifiable: u64,
    pub panics: u64,
    /// Sign-outs that browsers report from sessions that live.
    pub unexplained: u64,
}

impl Stats {
    /// Adds what a page of metrics says.
    pub fn add(&mut self, page: &str) {
        for line in page.lines().filter(|line| !line.starts_with('#')) {
            let Some((sample, value)) = line.rsplit_once(' ') else { continue };
            let Ok(value) = value.parse::<u64>() else { continue };
            let (name, labels) = sample.split_once('{').unwrap_or((sample, ""));
            let by = |label: &str| {
                let (_, rest) = labels.split_once(&format!("{label}=\""))?;
                rest.split('"').next().map(str::to_owned)
            };
            let counted = match name {
                "session_refresh_total" => by("outcome").map(|one| self.refreshes.entry(one).or_default()),
                "session_ends_total" => by("reason").map(|one| self.ends.entry(one).or_default()),
                "http_requests_total" => by("status").map(|one| self.requests.entry(one).or_default()),
                "tenure_dead_token_total" => Some(&mut self.dead_tokens),
                "tenure_store_rewound_total" => Some(&mut self.rewinds),
                "tenure_session_unverifiable_total" => Some(&mut self.unverifiable),
                "tenure_unexplained_session_ends_total" => Some(&mut self.unexplained),
                "http_panics_total" => Some(&mut self.panics),
                _ => None,
            };
            if let Some(counted) = counted {
                *counted += value;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_of_several_starts_are_added() {
        let page = "# HELP session_refresh Refreshes.\n\
            session_refresh_total{outcome=\"served\"} 3\n\
            http_requests_total{method=\"GET\",status=\"200\"} 4\n\
            http_requests_total{method=\"POST\",status=\"200\"} 1\n\
            session_refresh_duration_seconds_sum 0.5\n\
            tenure_dead_token_total 1\n# EOF\n";
        let mut stats = Stats::default();
        stats.add(page);
        stats.add(page);
        assert_eq!((stats.refreshes["served"], stats.requests["200"], stats.dead_tokens), (6, 10, 2));
        assert_eq!((stats.ends.len(), stats.rewinds), (0, 0));
    }
}
