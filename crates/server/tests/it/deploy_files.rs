//! The alert rules and the dashboard in `deploy`: every metric and label they name is exported, and every page they
//! point to is there.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::Value;
use tenure::metrics::Metrics;

/// Metrics of Prometheus itself and of the node exporter.
const NOT_OURS: [&str; 3] = ["up", "node_filesystem_avail_bytes", "node_filesystem_size_bytes"];

/// Labels that Prometheus or the node exporter adds, and those of a histogram.
const LABELS_NOT_OURS: [&str; 4] = ["job", "instance", "mountpoint", "le"];

fn read(path: &str) -> String {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path);
    fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

/// The names that Prometheus has from the reference of all metrics, and their labels.
fn exported(reference: &str) -> (BTreeSet<String>, BTreeSet<String>) {
    let (mut names, mut labels) = (BTreeSet::new(), BTreeSet::new());
    for line in reference.lines().filter(|line| line.starts_with("| `")) {
        let [name, kind, of, ..] = line.trim_matches(['|', ' ']).split(" | ").collect::<Vec<_>>()[..] else {
            panic!("{line}")
        };
        let ends: &[&str] = if kind == "histogram" { &["_bucket", "_sum", "_count"] } else { &[""] };
        names.extend(ends.iter().map(|end| format!("{}{end}", name.trim_matches('`'))));
        labels.extend(
            of.split(", ").filter(|label| !label.is_empty()).map(|label| label.trim_matches('`').to_owned()),
        );
    }
    (names, labels)
}

/// The metrics and the labels that an expression of PromQL names.
fn named(expression: &str) -> (BTreeSet<String>, BTreeSet<String>) {
    let (mut metrics, mut labels) = (BTreeSet::new(), BTreeSet::new());
    let is_word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | ':' | '$');
    let (mut rest, mut in_matcher, mut grouping) = (expression, false, false);
    while let Some(c) = rest.chars().next() {
        if c == '"' {
            let text = &rest[1..];
            rest = &text[text.find('"').unwrap() + 1..];
        } else if c == '[' {
            rest = &rest[rest.find(']').unwrap()..];
        } else if is_word(c) {
            let word = &rest[..rest.find(|c| !is_word(c)).unwrap_or(rest.len())];
            rest = &rest[word.len()..];
            if in_matcher || grouping {
                labels.insert(word.to_owned());
            } else if word == "by" {
                grouping = true;
            } else if !word.starts_with(|c: char| c.is_ascii_digit())
                && !rest.trim_start().starts_with('(')
                && !rest.starts_with(" by ")
                && word != "and"
            {
                metrics.insert(word.to_owned());
            }
        } else {
            in_matcher = (in_matcher || c == '{') && c != '}';
            grouping &= c != ')';
            rest = &rest[c.len_utf8()..];
        }
    }
    (metrics, labels)
}

/// Every expression of a dashboard, wherever it stands.
fn expressions(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            found.extend(fields.get("expr").map(|expression| expression.as_str().unwrap().to_owned()));
            fields.values().for_each(|value| expressions(value, found));
        }
        Value::Array(values) => values.iter().for_each(|value| expressions(value, found)),
        _ => {}
    }
}

/// What follows a key on its line, in the one form in which our rules are written.
fn values<'a>(yaml: &'a str, key: &str) -> Vec<&'a str> {
    yaml.lines()
        .filter_map(|line| line.trim_start().trim_start_matches("- ").strip_prefix(key))
        .map(str::trim)
        .collect()
}

/// A page's headings as links name them.
fn anchors(page: &str) -> BTreeSet<String> {
    let headings =
        page.lines().filter(|line| line.starts_with('#')).map(|line| line.trim_start_matches('#').trim());
    let kept = |c: &char| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_');
    headings
        .map(|heading| heading.to_lowercase().chars().filter(kept).collect::<String>().replace(' ', "-"))
        .collect()
}

#[test]
fn alerts_and_dashboard_name_what_is_exported() {
    let (mut names, mut labels) = exported(&Metrics::default().reference());
    assert!(names.len() > 30 && labels.len() > 5);
    names.extend(NOT_OURS.map(str::to_owned));
    labels.extend(LABELS_NOT_OURS.map(str::to_owned));

    let alerts = read("deploy/prometheus/alerts.yaml");
    let mut asked: Vec<String> = values(&alerts, "expr:").into_iter().map(str::to_owned).collect();
    assert_eq!(asked.len(), values(&alerts, "alert:").len());
    assert!(
        asked.len() > 10 && asked.iter().all(|expression| !expression.starts_with(['|', '>'])),
        "{asked:?}"
    );
    let dashboard = serde_json::from_str(&read("deploy/grafana/tenure.json")).unwrap();
    let before = asked.len();
    expressions(&dashboard, &mut asked);
    assert!(asked.len() > before + 20, "the dashboard's expressions are not found");

    let mut unknown = vec![];
    for expression in asked {
        let (metrics, used) = named(&expression);
        assert!(!metrics.is_empty(), "names no metric: {expression}");
        unknown.extend(metrics.difference(&names).map(|name| format!("{name} in {expression}")));
        unknown.extend(used.difference(&labels).map(|label| format!("label {label} in {expression}")));
    }
    assert_eq!(unknown, Vec::<String>::new());
}

#[test]
fn every_alert_leads_to_a_page() {
    let alerts = read("deploy/prometheus/alerts.yaml");
    let runbooks = values(&alerts, "runbook:");
    assert_eq!(runbooks.len(), values(&alerts, "alert:").len());
    for runbook in runbooks {
        let (page, anchor) = runbook.split_once('#').unwrap();
        assert!(anchors(&read(page)).contains(anchor), "{page} has no heading #{anchor}");
    }
}

#[test]
fn expressions_are_read_as_prometheus_does() {
    let check = |expression: &str, metrics: &[&str], labels: &[&str]| {
        let set = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        assert_eq!(named(expression), (set(metrics), set(labels)), "{expression}");
    };
    check("a_total > 4", &["a_total"], &[]);
    check("sum by (x, y) (rate(a{z=~\"5.. b\"}[5m])) / sum(b)", &["a", "b"], &["x", "y", "z"]);
    check("changes(up{job=\"$job\"}[15m]) > 0", &["up"], &["job"]);
}
