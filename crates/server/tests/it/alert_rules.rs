//! The alert rules in `deploy`, as Prometheus itself evaluates them: each fires when it should, and is quiet when it
//! should be.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

/// A series with its values, a minute each, in promtool's short form.
type Series = (&'static str, &'static str);

/// A rule, what makes it fire, what does not, and the labels that the alert then has besides its severity.
struct Case {
    alert: &'static str,
    fires: &'static [Series],
    is_quiet: &'static [Series],
    labels: &'static [(&'static str, &'static str)],
}

/// Something counted for the first time two minutes before the end.
const ONCE: &str = "0x117 1x5";
const NEVER: &str = "5x125";

const A: &[(&str, &str)] = &[("instance", "a")];

macro_rules! counted_once {
    ($alert:literal, $metric:literal) => {
        Case {
            alert: $alert,
            fires: &[(concat!($metric, "{instance=\"a\"}"), ONCE)],
            is_quiet: &[(concat!($metric, "{instance=\"a\"}"), NEVER)],
            labels: A,
        }
    };
}

macro_rules! gauge {
    ($alert:literal, $metric:literal, $fires:literal, $quiet:literal) => {
        Case {
            alert: $alert,
            fires: &[(concat!($metric, "{instance=\"a\"}"), concat!($fires, "x125"))],
            is_quiet: &[(concat!($metric, "{instance=\"a\"}"), concat!($quiet, "x125"))],
            labels: A,
        }
    };
}

const CASES: [Case; 26] = [
    Case {
        alert: "TenureDown",
        fires: &[("up{job=\"tenure\",instance=\"a\"}", "0x125")],
        is_quiet: &[
            ("up{job=\"tenure\",instance=\"a\"}", "1x125"),
            ("up{job=\"other\",instance=\"b\"}", "0x125"),
        ],
        labels: &[("instance", "a"), ("job", "tenure")],
    },
    gauge!("TenureDatabaseDown", "storage_up", 0, 1),
    Case {
        alert: "TenureReadinessFlapping",
        fires: &[("storage_up{instance=\"a\"}", "1x110 0 1 0 1 0 1 1 1 1 1 1")],
        is_quiet: &[("storage_up{instance=\"a\"}", "1x110 0 1 1 1 1 1 1 1 1 1 1")],
        labels: A,
    },
    gauge!("TenureFeedNotLive", "tenure_store_feed_live", 0, 1),
    Case {
        alert: "TenureRevocationsLate",
        fires: &[
            ("revocation_push_lag_seconds{instance=\"a\"}", "6x125"),
            ("tenure_revocation_listeners{instance=\"a\"}", "1x125"),
        ],
        // Nobody listens, so nobody is told too late.
        is_quiet: &[
            ("revocation_push_lag_seconds{instance=\"a\"}", "6x125"),
            ("tenure_revocation_listeners{instance=\"a\"}", "0x125"),
        ],
        labels: A,
    },
    Case {
        alert: "TenurePoolFull",
        fires: &[
            ("tenure_store_connections_in_use{instance=\"a\"}", "16x125"),
            ("tenure_store_connections_max{instance=\"a\"}", "16x125"),
        ],
        is_quiet: &[
            ("tenure_store_connections_in_use{instance=\"a\"}", "15x125"),
            ("tenure_store_connections_max{instance=\"a\"}", "16x125"),
        ],
        labels: A,
    },
    gauge!("TenureRedisDown", "tenure_redis_up", 0, 1),
    gauge!("TenureEventsUnsealed", "tenure_events_unsealed", 3, 0),
    // Anybody may claim one, so a claim wakes nobody.
    Case {
        alert: "TenureUnexplainedSignOut",
        fires: &[("tenure_unexplained_session_ends_total{instance=\"a\",verified=\"true\"}", ONCE)],
        is_quiet: &[
            ("tenure_unexplained_session_ends_total{instance=\"a\",verified=\"true\"}", NEVER),
            ("tenure_unexplained_session_ends_total{instance=\"a\",verified=\"false\"}", ONCE),
        ],
        labels: &[("instance", "a"), ("verified", "true")],
    },
    Case {
        alert: "TenureUnexplainedSignOutsClaimed",
        fires: &[("tenure_unexplained_session_ends_total{instance=\"a\",verified=\"false\"}", "0+1x125")],
        is_quiet: &[
            ("tenure_unexplained_session_ends_total{instance=\"a\",verified=\"false\"}", ONCE),
            ("tenure_unexplained_session_ends_total{instance=\"a\",verified=\"true\"}", "0+1x125"),
        ],
        labels: &[("instance", "a"), ("verified", "false")],
    },
    Case {
        alert: "TenureRefreshesFail",
        fires: &[
            ("session_refresh_total{instance=\"a\",outcome=\"rotated\"}", "0+90x125"),
            ("session_refresh_total{instance=\"a\",outcome=\"storage_unavailable\"}", "0+10x125"),
        ],
        // Sessions that have ended, or never were, are no failure of ours.
        is_quiet: &[
            ("session_refresh_total{instance=\"a\",outcome=\"rotated\"}", "0+90x125"),
            ("session_refresh_total{instance=\"a\",outcome=\"session_expired\"}", "0+90x125"),
            ("session_refresh_total{instance=\"a\",outcome=\"no_session\"}", "0+90x125"),
        ],
        labels: A,
    },
    counted_once!("TenureStoreRewound", "tenure_store_rewound_total"),
    counted_once!("TenureDeadTokens", "tenure_dead_token_total"),
    counted_once!("TenureSessionsUnverifiable", "tenure_session_unverifiable_total"),
    gauge!("TenureClockOffset", "tenure_clock_offset_seconds", "-3", "1"),
    gauge!("TenureClockLeapt", "tenure_clock_leapt", 1, 0),
    gauge!("TenureClockDoubted", "tenure_clock_doubted", 1, 0),
    Case {
        alert: "TenureDiskFilling",
        fires: &[
            ("node_filesystem_avail_bytes{instance=\"a\",mountpoint=\"/var/lib/tenure\"}", "5x125"),
            ("node_filesystem_size_bytes{instance=\"a\",mountpoint=\"/var/lib/tenure\"}", "100x125"),
        ],
        is_quiet: &[
            ("node_filesystem_avail_bytes{instance=\"a\",mountpoint=\"/var/lib/tenure\"}", "50x125"),
            ("node_filesystem_size_bytes{instance=\"a\",mountpoint=\"/var/lib/tenure\"}", "100x125"),
        ],
        labels: &[("instance", "a"), ("mountpoint", "/var/lib/tenure")],
    },
    gauge!("TenureSignInFlood", "password_hash_queue_depth", 33, 32),
    Case {
        alert: "TenureRefreshSlow",
        fires: &[
            ("session_refresh_duration_seconds_bucket{instance=\"a\",le=\"0.5\"}", "0+90x125"),
            ("session_refresh_duration_seconds_bucket{instance=\"a\",le=\"1.0\"}", "0+100x125"),
            ("session_refresh_duration_seconds_bucket{instance=\"a\",le=\"+Inf\"}", "0+100x125"),
        ],
        is_quiet: &[
            ("session_refresh_duration_seconds_bucket{instance=\"a\",le=\"0.5\"}", "0+100x125"),
            ("session_refresh_duration_seconds_bucket{instance=\"a\",le=\"1.0\"}", "0+100x125"),
            ("session_refresh_duration_seconds_bucket{instance=\"a\",le=\"+Inf\"}", "0+100x125"),
        ],
        labels: &[],
    },
    Case {
        alert: "TenureServerErrors",
        fires: &[
            ("http_requests_total{instance=\"a\",status=\"200\"}", "0+90x125"),
            ("http_requests_total{instance=\"a\",status=\"503\"}", "0+10x125"),
        ],
        is_quiet: &[
            ("http_requests_total{instance=\"a\",status=\"200\"}", "0+90x125"),
            ("http_requests_total{instance=\"a\",status=\"401\"}", "0+90x125"),
            ("http_requests_total{instance=\"a\",status=\"503\"}", "0+1x125"),
        ],
        labels: A,
    },
    Case {
        alert: "TenureStripeNotUnderstood",
        fires: &[("tenure_stripe_events_total{instance=\"a\",outcome=\"contested\"}", ONCE)],
        is_quiet: &[("tenure_stripe_events_total{instance=\"a\",outcome=\"applied\"}", ONCE)],
        labels: &[("outcome", "contested")],
    },
    counted_once!("TenurePanic", "http_panics_total"),
    counted_once!("TenureLogLinesDropped", "log_lines_dropped_total"),
    Case {
        alert: "TenureTelemetryLost",
        fires: &[(
            "tenure_telemetry_total{instance=\"a\",signal=\"traces\",outcome=\"queue_full\"}",
            "0+1x125",
        )],
        is_quiet: &[(
            "tenure_telemetry_total{instance=\"a\",signal=\"traces\",outcome=\"delivered\"}",
            "0+1x125",
        )],
        labels: &[("instance", "a"), ("signal", "traces")],
    },
    gauge!("TenureSigningKeyOld", "signing_key_age_seconds", 31536001, 31535999),
];

fn folder() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/prometheus")
}

/// One rule's severity and annotations, from the one form in which ours are written.
fn written(rules: &str, alert: &str) -> (String, String, String) {
    let rule = rules.split("- alert: ").find(|rule| rule.lines().next() == Some(alert));
    let rule = rule.unwrap_or_else(|| panic!("there is no rule {alert}"));
    let value = |key: &str| {
        let line = rule.lines().find_map(|line| line.trim().strip_prefix(key));
        line.unwrap_or_else(|| panic!("{alert} has no {key}")).trim().trim_matches('"').to_owned()
    };
    (value("severity:"), value("summary:"), value("runbook:"))
}

#[test]
fn each_rule_fires_when_it_should_and_is_quiet_when_it_should_be() {
    let rules = std::fs::read_to_string(folder().join("alerts.yaml")).unwrap();
    let known: BTreeSet<&str> = rules.lines().filter_map(|l| l.trim().strip_prefix("- alert: ")).collect();
    assert_eq!(known, CASES.iter().map(|case| case.alert).collect(), "each rule has its case");
    let mut tests = format!(
        "rule_files: [{}]\nevaluation_interval: 1m\ntests:\n",
        folder().join("alerts.yaml").display()
    );
    for Case { alert, fires, is_quiet, labels } in &CASES {
        let (severity, mut summary, runbook) = written(&rules, alert);
        for (name, value) in *labels {
            summary = summary.replace(&format!("{{{{ $labels.{name} }}}}"), value);
        }
        let mut expected = format!("severity: {severity}");
        labels.iter().for_each(|(name, value)| write!(expected, ", {name}: {value}").unwrap());
        let expected = format!(
            "[{{ exp_labels: {{ {expected} }}, exp_annotations: {{ summary: \"{summary}\", runbook: {runbook:?} }} }}]"
        );
        for (series, alerts) in [(fires, expected.as_str()), (is_quiet, "[]")] {
            tests += "  - interval: 1m\n    input_series:\n";
            for (series, values) in *series {
                writeln!(tests, "      - {{ series: '{series}', values: '{values}' }}").unwrap();
            }
            writeln!(tests, "    alert_rule_test:").unwrap();
            writeln!(tests, "      - {{ eval_time: 2h, alertname: {alert}, exp_alerts: {alerts} }}").unwrap();
        }
    }
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("alerts.test.yaml");
    std::fs::write(&file, &tests).unwrap();
    let tool = Command::new("promtool").args(["test", "rules"]).arg(&file).output();
    let output = tool.expect("promtool, of Debian's package prometheus; `cargo xtask test` installs it");
    let told = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap()).concat();
    assert!(output.status.success(), "{told}");
}
