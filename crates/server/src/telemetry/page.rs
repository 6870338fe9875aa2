//! The page of metrics, read again: what OpenTelemetry is told is what Prometheus is, and nothing is counted twice.

use std::collections::HashMap;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Counter,
    Gauge,
    Histogram,
}

/// One metric with all its labels' values. Its name is without `_total`.
#[derive(Debug, PartialEq)]
pub struct Family {
    pub name: String,
    pub help: String,
    pub kind: Kind,
    pub points: Vec<Point>,
}

#[derive(Debug, Default, PartialEq)]
pub struct Point {
    pub labels: Vec<(String, String)>,
    /// Of a histogram, the sum.
    pub value: f64,
    pub count: u64,
    /// Bounds, the last one infinite, each with how many are not above it.
    pub buckets: Vec<(f64, u64)>,
}

/// Reads what `Metrics::render` wrote. A line that is none of ours is left out.
pub fn read(page: &str) -> Vec<Family> {
    let mut families: Vec<Family> = vec![];
    let mut helps = HashMap::new();
    for line in page.lines() {
        if let Some((name, help)) = line.strip_prefix("# HELP ").and_then(|rest| rest.split_once(' ')) {
            helps.insert(name, help);
        } else if let Some((name, kind)) = line.strip_prefix("# TYPE ").and_then(|rest| rest.split_once(' '))
        {
            let kind = match kind {
                "counter" => Kind::Counter,
                "gauge" => Kind::Gauge,
                "histogram" => Kind::Histogram,
                _ => continue,
            };
            let help = helps.get(name).copied().unwrap_or_default().to_owned();
            families.push(Family { name: name.to_owned(), help, kind, points: vec![] });
        } else if let (Some(family), Some(sample)) = (families.last_mut(), Sample::read(line)) {
            family.note(sample);
        }
    }
    families.retain(|family| !family.points.is_empty());
    families
}

struct Sample<'a> {
    name: &'a str,
    labels: Vec<(String, String)>,
    value: f64,
}

impl<'a> Sample<'a> {
    fn read(line: &'a str) -> Option<Self> {
        let end = line.find(['{', ' '])?;
        let (name, mut rest) = line.split_at(end);
        let mut labels = vec![];
        while let Some(label) = rest.strip_prefix(['{', ',']) {
            let (label, value) = label.split_once("=\"")?;
            let (value, after) = unquoted(value)?;
            labels.push((label.to_owned(), value));
            rest = after.strip_prefix('}').unwrap_or(after);
        }
        Some(Self { name, labels, value: rest.trim().parse().ok()? })
    }
}

/// A label's value up to its quotation mark, and what follows.
fn unquoted(text: &str) -> Option<(String, &str)> {
    let (mut value, mut chars) = (String::new(), text.chars());
    loop {
        match chars.next()? {
            '"' => return Some((value, chars.as_str())),
            '\\' => match chars.next()? {
                'n' => value.push('\n'),
                other => value.push(other),
            },
            other => value.push(other),
        }
    }
}

impl Family {
    fn note(&mut self, mut sample: Sample<'_>) {
        let Some(end) = sample.name.strip_prefix(self.name.as_str()) else { return };
        let bound = sample.labels.iter().position(|(name, _)| self.kind == Kind::Histogram && name == "le");
        let bound = bound.and_then(|at| sample.labels.remove(at).1.parse::<f64>().ok());
        let known = self.points.iter_mut().position(|point| point.labels == sample.labels);
        let point = match known {
            Some(at) => &mut self.points[at],
            None => {
                self.points.push(Point { labels: sample.labels, ..Point::default() });
                let last = self.points.len() - 1;
                &mut self.points[last]
            }
        };
        match (self.kind, end, bound) {
            (Kind::Counter, "_total", _) | (Kind::Gauge, "", _) | (Kind::Histogram, "_sum", _) => {
                point.value = sample.value;
            }
            (Kind::Histogram, "_count", _) => point.count = sample.value as u64,
            (Kind::Histogram, "_bucket", Some(bound)) => point.buckets.push((bound, sample.value as u64)),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::{Metrics, Outcome, Route};

    #[test]
    fn what_was_written_is_read_again() {
        let metrics = Metrics::default();
        metrics.refreshes.get_or_create(&Outcome { outcome: "rotated" }).inc_by(7);
        metrics.requests.get_or_create(&Route { method: "GET", status: 200 }).inc();
        metrics.refresh_duration.observe(0.003);
        metrics.refresh_duration.observe(9.0);
        metrics.clock_offset.set(-0.25);
        let families = read(&metrics.render());
        let find = |name: &str| families.iter().find(|family| family.name == name).unwrap();
        let refreshes = find("session_refresh");
        assert_eq!((refreshes.kind, refreshes.help.as_str()), (Kind::Counter, "Refreshes by outcome."));
        let labels = vec![("outcome".to_owned(), "rotated".to_owned())];
        assert_eq!(refreshes.points, [Point { labels, value: 7.0, ..Point::default() }]);
        let labels: Vec<_> = find("http_requests").points[0].labels.iter().map(|(_, v)| v.as_str()).collect();
        assert_eq!(labels, ["GET", "200"]);
        assert_eq!(find("tenure_clock_offset_seconds").points[0].value, -0.25);
        let [duration] = &find("session_refresh_duration_seconds").points[..] else { panic!("one") };
        assert_eq!((duration.count, duration.value, duration.buckets.len()), (2, 9.003, 13));
        assert_eq!(duration.buckets.last(), Some(&(f64::INFINITY, 2)));
        // Every metric that has a value is there.
        let with_value = |name: &&str| metrics.render().lines().any(|line| line.starts_with(*name));
        assert!(families.len() > 20 && families.iter().all(|family| with_value(&family.name.as_str())));
    }

    #[test]
    fn quotation_marks_and_odd_lines_do_no_harm() {
        let page =
            "# HELP a b.\n# TYPE a gauge\na{x=\"1\\\"2\\\\\\n\",y=\",}\"} 3\nnonsense\na{x=\"\n# EOF\n";
        let [family] = &read(page)[..] else { panic!("one") };
        let labels: Vec<_> = family.points[0].labels.iter().map(|(_, value)| value.as_str()).collect();
        assert_eq!((labels, family.points.len()), (vec!["1\"2\\\n", ",}"], 1));
    }
}
