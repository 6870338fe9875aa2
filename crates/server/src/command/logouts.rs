//! `tenure logouts`: what browsers reported of sign-outs, and those of applications that are observed, apart from ours.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::time::Duration;

use clap::Subcommand;
use serde_json::{Value, json};
use tenure_domain::event::EventKind;
use tenure_domain::id::SessionId;
use tenure_domain::time::Timestamp;
use tenure_store::{
    ClientReport, ClientReportStats, EVENTS_LISTED_MAX, EventFilter, REPORT_GROUPS_MAX, ReportNumber,
    ReportTally, Store,
};

use super::place::now;
use super::{Failure, Global, Outcome, print};
use crate::explain::observed::{Arrivals, Refreshes, SignedOut, Watched};
use crate::routes::admin::client_reports::ReportRecord;

/// Reports read at once.
const PAGE: usize = 500;

/// What other tabs of an observed browser saw arrives no later than this after a sign-out, and bears on its cause.
const SETTLE: Duration = Duration::from_secs(5);

/// Between two looks for new reports.
const POLL: Duration = Duration::from_secs(1);

#[derive(Subcommand)]
pub enum LogoutsVerb {
    /// The reports in the order of their arrival, and after them what was observed; with --json, one object a line.
    Tail {
        /// How far back to begin.
        #[arg(long, default_value = "1h", value_name = "SPAN", value_parser = humantime::parse_duration)]
        since: Duration,
        /// Go on printing what arrives, until interrupted.
        #[arg(long)]
        follow: bool,
    },
    /// How many there were and of how many sessions unexplained, by type, reason, idle time, browser and release; and of
    /// observed applications by cause.
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
    let mut observed = ObservedTail { since, has_said: false };
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
        let now = now();
        let settled = if follow { now - SETTLE } else { now };
        if !observed.say(global, &*store, settled).await? {
            return Ok(());
        }
        if !follow {
            if seen == ReportNumber::default() && !observed.has_said && !global.json {
                say(&nothing(span));
            }
            return Ok(());
        }
        tokio::time::sleep(POLL).await;
    }
}

/// How far the sign-outs of observed applications have been told.
struct ObservedTail {
    /// What was received earlier has been.
    since: Timestamp,
    has_said: bool,
}

impl ObservedTail {
    /// Prints what was received until then. False once nobody reads any more.
    async fn say(&mut self, global: &Global, store: &dyn Store, until: Timestamp) -> Result<bool, Failure> {
        let due = self.since..=until;
        let mut fresh = vec![];
        let arrivals = Arrivals::within(store, self.since, until).await?;
        let told = |watched: &Watched| {
            let outs = watched.sign_outs().into_iter();
            let outs = outs.filter(|out| due.contains(&out.report.received_at));
            let text = |out: &SignedOut<'_>| if global.json { out.row().to_string() } else { out.line() };
            fresh.extend(outs.map(|out| (out.report.received_at, text(&out))));
        };
        arrivals.each_watched(store, told).await?;
        fresh.sort();
        self.has_said |= !fresh.is_empty();
        self.since = self.since.max(until + Duration::from_millis(1));
        Ok(fresh.iter().all(|(_, text)| say(text)))
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
    let observed = ObservedStats::count(&*store, since).await?;
    let unexplained = Unexplained::count(&*store, since).await?;
    let mut row = stats_row(&stats, since);
    row["unexplained"] = unexplained.row();
    row["observed"] = observed.row();
    print(global, &row, || {
        observed.print();
        if stats.total == 0 {
            println!("{}", nothing(span));
            return;
        }
        println!("{} reported sign-outs since {since}", stats.total);
        println!("{}", unexplained.line());
        for (name, tally) in sections(&stats) {
            println!("\nby {name}");
            for (group, count) in lines(tally, stats.total) {
                println!("{count:>9}  {}", group.escape_debug());
            }
        }
    });
    Ok(())
}

/// The sessions that a front end left by itself, as it was put on record when the reports came.
struct Unexplained {
    /// By whether one of its reports was verified.
    sessions: BTreeMap<SessionId, bool>,
}

impl Unexplained {
    async fn count(store: &dyn Store, since: Timestamp) -> Result<Self, Failure> {
        let kind = Some(EventKind::UnexplainedEnd);
        let mut filter = EventFilter { kind, since: Some(since), ..EventFilter::default() };
        let mut sessions = BTreeMap::new();
        loop {
            let page = store.event_list(filter.clone(), EVENTS_LISTED_MAX).await?;
            // Not by its length: an event that cannot be read is left out of its page.
            let Some(last) = page.last() else { return Ok(Self { sessions }) };
            filter.before = Some(last.id);
            for what in page.iter().map(|event| &event.what) {
                // Of a claim nobody knows whose it is.
                let is_verified = what.user.is_some();
                if let Some(session) = what.session {
                    *sessions.entry(session).or_default() |= is_verified;
                }
            }
        }
    }

    fn verified(&self) -> usize {
        self.sessions.values().filter(|is_verified| **is_verified).count()
    }

    fn row(&self) -> Value {
        json!({ "sessions": self.sessions.len(), "verified": self.verified() })
    }

    fn line(&self) -> String {
        let (all, verified) = (self.sessions.len(), self.verified());
        format!("unexplained: {all} sessions, {verified} of them verified")
    }
}

/// The sign-outs of observed applications, which have nothing to do with ours.
struct ObservedStats {
    total: u64,
    by_cause: BTreeMap<&'static str, u64>,
    by_app: BTreeMap<String, u64>,
    refreshes: Refreshes,
}

impl ObservedStats {
    async fn count(store: &dyn Store, since: Timestamp) -> Result<Self, Failure> {
        let arrivals = Arrivals::within(store, since, Timestamp::from_ms(i64::MAX)).await?;
        let refreshes = arrivals.refreshes;
        let mut stats = Self { total: 0, by_cause: BTreeMap::new(), by_app: BTreeMap::new(), refreshes };
        let count = |watched: &Watched| {
            for out in watched.sign_outs().iter().filter(|out| out.report.received_at >= since) {
                stats.total += 1;
                *stats.by_cause.entry(out.culprit.as_str()).or_default() += 1;
                *stats.by_app.entry(out.report.app.clone()).or_default() += 1;
            }
        };
        arrivals.each_watched(store, count).await?;
        Ok(stats)
    }

    fn row(&self) -> Value {
        json!({
            "total": self.total,
            "by_cause": self.by_cause.iter().map(|(cause, count)| json!({ "cause": cause, "count": count }))
                .collect::<Vec<_>>(),
            "by_app": self.by_app.iter().map(|(app, count)| json!({ "app": app, "count": count }))
                .collect::<Vec<_>>(),
            "refreshes": self.refreshes.document(),
        })
    }

    fn print(&self) {
        let Refreshes { served, refused, unanswered } = self.refreshes;
        if self.total + served + refused + unanswered == 0 {
            return;
        }
        println!("{} observed sign-outs of applications that keep their own sign-ins", self.total);
        println!("{served} refreshes served, {refused} refused, {unanswered} without an answer");
        println!("\nby cause");
        self.by_cause.iter().for_each(|(cause, count)| println!("{count:>9}  {cause}"));
        println!("\nby application");
        self.by_app.iter().for_each(|(app, count)| println!("{count:>9}  {}", app.escape_debug()));
        println!();
    }
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

pub(super) fn row(number: ReportNumber, report: &ClientReport) -> Value {
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
