//! `tenure logouts`: what browsers reported of sign-outs.

use std::io::Write as _;
use std::time::Duration;

use clap::Subcommand;
use serde_json::{Value, json};
use tenure_domain::time::Timestamp;
use tenure_store::{ClientReport, ClientReportStats, REPORT_GROUPS_MAX, ReportNumber, ReportTally};

use super::place::now;
use super::{Global, Outcome, print};
use crate::routes::admin::client_reports::ReportRecord;

/// Reports read at once.
const PAGE: usize = 500;

/// Between two looks for new reports.
const POLL: Duration = Duration::from_secs(1);

#[derive(Subcommand)]
pub enum LogoutsVerb {
    /// The reports in the order of their arrival; with --json, one object a line.
    Tail {
        /// How far back to begin.
        #[arg(long, default_value = "1h", value_name = "SPAN", value_parser = humantime::parse_duration)]
        since: Duration,
        /// Go on printing what arrives, until interrupted.
        #[arg(long)]
        follow: bool,
    },
    /// How many there were, by type, reason, idle time, browser and release.
    Stats {
        /// How far back to count.
        #[arg(long, default_value = "7d", value_name = "SPAN", value_parser = humantime::parse_duration)]
        since: Duration,
    },
}

pub async fn run(global: &Global, verb: LogoutsVerb) -> Outcome {
    match verb {
        LogoutsVerb::Tail { since, follow } => tail(global, since, follow).await,
        LogoutsVerb::Stats { since } => stats(global, since).await,
    }
}

async fn tail(global: &Global, span: Duration, follow: bool) -> Outcome {
    let store = global.open_store().await?;
    let since = now() - span;
    let mut seen = ReportNumber::default();
    loop {
        let page = store.client_report_list(since.into(), seen, PAGE).await?;
        for (number, report) in &page {
            let text = if global.json { row(*number, report).to_string() } else { line(report) };
            if !say(&text) {
                return Ok(());
            }
            seen = *number;
        }
        // Not by its length: a report that cannot be read is left out of its page.
        if !page.is_empty() {
            continue;
        }
        if !follow {
            if seen == ReportNumber::default() && !global.json {
                say(&nothing(span));
            }
            return Ok(());
        }
        tokio::time::sleep(POLL).await;
    }
}

/// Prints a line. False once nobody reads any more, as after `| head`.
fn say(text: &str) -> bool {
    writeln!(std::io::stdout().lock(), "{text}").is_ok()
}

fn nothing(span: Duration) -> String {
    format!("No browser reported a sign-out in the last {}.", humantime::format_duration(span))
}

async fn stats(global: &Global, span: Duration) -> Outcome {
    let store = global.open_store().await?;
    let since = now() - span;
    let stats = store.client_report_stats(since).await?;
    print(global, &stats_row(&stats, since), || {
        if stats.total == 0 {
            println!("{}", nothing(span));
            return;
        }
        println!("{} reported sign-outs since {since}", stats.total);
        for (name, tally) in sections(&stats) {
            println!("\nby {name}");
            for (group, count) in lines(tally, stats.total) {
                println!("{count:>9}  {}", group.escape_debug());
            }
        }
    });
    Ok(())
}

fn sections(stats: &ClientReportStats) -> [(&'static str, &ReportTally); 5] {
    [
        ("type", &stats.by_kind),
        ("reason", &stats.by_reason),
        ("idle", &stats.by_idle),
        ("browser", &stats.by_browser),
        ("release", &stats.by_release),
    ]
}

/// A tally for people, with what it left out in one more line.
fn lines(tally: &ReportTally, total: u64) -> Vec<(String, u64)> {
    let name = |group: &Option<String>| group.clone().unwrap_or_else(|| "(not said)".into());
    let mut lines: Vec<_> = tally.iter().map(|(group, count)| (name(group), *count)).collect();
    let shown: u64 = tally.iter().map(|(_, count)| count).sum();
    if shown < total {
        lines.push((format!("(beyond the {REPORT_GROUPS_MAX} largest)"), total - shown));
    }
    lines
}

fn stats_row(stats: &ClientReportStats, since: Timestamp) -> Value {
    let mut row = json!({ "since": since, "total": stats.total });
    for (name, tally) in sections(stats) {
        let groups = tally.iter().map(|(group, count)| json!({ name: group, "count": count }));
        row[format!("by_{name}")] = groups.collect();
    }
    row
}

pub fn row(number: ReportNumber, report: &ClientReport) -> Value {
    json!(ReportRecord::of(number, report))
}

/// One line, whatever a stranger has put into it.
fn line(report: &ClientReport) -> String {
    let ClientReport { verified, claims, .. } = report;
    let mut line = format!("{}  {}", report.received_at, claims.kind);
    let mut add = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            line.push_str(&format!("  {name}={}", value.escape_debug()));
        }
    };
    add("said", claims.kind_said.clone());
    add("reason", claims.reason.clone());
    add("idle", claims.idle.map(|idle| format!("{}m", idle.as_secs() / 60)));
    add("page", claims.location.clone());
    match verified {
        Some((session, user)) => {
            add("session", Some(session.to_string()));
            add("user", Some(user.to_string()));
        }
        None => add("claimed-session", claims.session.map(|session| session.to_string())),
    }
    add("receipt", claims.receipt.clone());
    add("browser", Some(report.browser.clone()));
    add("address", Some(report.address.clone()));
    add("release", claims.release.clone());
    add("client", claims.client.clone());
    add("message", claims.message.clone());
    line
}
