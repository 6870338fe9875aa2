//! `tenure migrate copy` and `reopen`: the way of a live installation from SQLite to PostgreSQL, and back.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use serde_json::{Value, json};
use tenure_store::copy::{self, Move, MoveError, Progress, Report};
use tokio::time::Instant;

use crate::command::place::postgres_options;
use crate::command::ticker::Ticker;
use crate::command::{Failure, Global, Outcome, print};
use crate::config::{Config, SecretUrl};

/// Damaged rows that are printed; with --json all are.
const DAMAGED_PRINTED_MAX: usize = 100;

#[derive(Args)]
pub struct Places {
    /// The SQLite database, as `sqlite:PATH`; that of the data folder by default.
    #[arg(long, value_name = "sqlite:PATH")]
    from: Option<String>,
    /// The PostgreSQL database, as `postgres://user@host/tenure`; `postgres.url` by default, which keeps the password
    /// off the command line.
    #[arg(long, value_name = "postgres:URL")]
    to: Option<String>,
}

#[derive(Args)]
pub struct CopyArgs {
    #[command(flatten)]
    places: Places,
    /// Only look: rows, damage, sizes, and whether PostgreSQL can be reached and is empty.
    #[arg(long)]
    dry_run: bool,
    /// Leave out rows that cannot be read, and list them, instead of refusing.
    #[arg(long)]
    skip_damaged: bool,
}

#[derive(Args)]
pub struct ReopenArgs {
    #[command(flatten)]
    places: Places,
    /// Do not ask PostgreSQL: whatever was written there since is lost, signed-out sessions come back.
    #[arg(long)]
    abandon: bool,
}

pub async fn copy(global: &Global, args: CopyArgs) -> Outcome {
    let order = Move { skip_damaged: args.skip_damaged, ..args.places.order(global)? };
    let begun = Instant::now();
    let mut listener = Listener { ticker: Ticker::new(global), is_closed_down: false };
    let outcome = match args.dry_run {
        true => copy::look(&order, &mut |progress| listener.hear(progress)).await,
        false => copy::run(&order, &mut |progress| listener.hear(progress)).await,
    };
    listener.ticker.clear();
    match outcome {
        Ok(report) => {
            say(global, &report, args.dry_run, begun.elapsed());
            match finding(&report, args.dry_run && !args.skip_damaged) {
                Some(finding) => Err(Failure::Finding(finding)),
                None => Ok(()),
            }
        }
        Err(MoveError::Damaged(report)) => {
            say(global, &report, true, begun.elapsed());
            Err(Failure::Finding(finding(&report, true).unwrap_or_default()))
        }
        Err(MoveError::NotEmpty(report)) => Err(Failure::Usage(finding(&report, true).unwrap_or_default())),
        Err(MoveError::Store(error)) if listener.is_closed_down => Err(Failure::Unreachable(format!(
            "{error}\nSQLite is out of use, and whether PostgreSQL has everything is not known: give the same order \
             again, it finds out and finishes"
        ))),
        Err(error) => Err(failure(error)),
    }
}

pub async fn reopen(global: &Global, args: ReopenArgs) -> Outcome {
    let order = match args.abandon {
        true => args.places.order_to_anywhere(global)?,
        false => args.places.order(global)?,
    };
    copy::reopen(&order, args.abandon).await.map_err(failure)?;
    let path = order.from.display().to_string();
    print(global, &json!({ "reopened": path }), || println!("{path} is in use again"));
    Ok(())
}

impl Places {
    fn order(&self, global: &Global) -> Result<Move, Failure> {
        let config = self.config(global)?;
        if config.postgres.url.is_empty() {
            let hint = "name it with --to postgres://user@host/tenure, or set postgres.url";
            return Err(Failure::Usage(format!("which PostgreSQL database? {hint}")));
        }
        match config.postgres.faults(global.dev) {
            faults if faults.is_empty() => self.order_by(global, &config),
            faults => Err(Failure::Usage(faults.join("\n"))),
        }
    }

    /// For what does not ask PostgreSQL.
    fn order_to_anywhere(&self, global: &Global) -> Result<Move, Failure> {
        self.order_by(global, &self.config(global)?)
    }

    fn config(&self, global: &Global) -> Result<Config, Failure> {
        let mut config = Config::load(&global.sources())?;
        if let Some(to) = &self.to {
            // `postgres:postgres://...` is what some will write, and clear enough.
            let url = to.strip_prefix("postgres:").filter(|rest| rest.contains("://")).unwrap_or(to);
            config.postgres.url = SecretUrl::from(url);
        }
        Ok(config)
    }

    fn order_by(&self, global: &Global, config: &Config) -> Result<Move, Failure> {
        let from = match &self.from {
            None => global.file(config),
            Some(text) => match text.strip_prefix("sqlite:") {
                Some(path) if !path.is_empty() => PathBuf::from(path),
                _ => return Err(Failure::Usage("--from: write it as sqlite:PATH".into())),
            },
        };
        Ok(Move { from, to: postgres_options(config), skip_damaged: false })
    }
}

fn failure(error: MoveError) -> Failure {
    match error {
        MoveError::Store(error) => error.into(),
        MoveError::Moved(_) => Failure::Usage(error.to_string()),
        MoveError::Damaged(_) | MoveError::NotEmpty(_) | MoveError::Differs(_) | MoveError::InUse(_) => {
            Failure::Finding(error.to_string())
        }
    }
}

/// What stands in the way.
fn finding(report: &Report, damage_counts: bool) -> Option<String> {
    if report.was_complete {
        return None;
    }
    let mut findings = Vec::new();
    if damage_counts && !report.damaged.is_empty() {
        findings.push(format!(
            "{} row(s) cannot be read, and nothing was copied; mend them, or leave them out with --skip-damaged",
            report.damaged.len()
        ));
    }
    if !report.occupied.is_empty() {
        let tables: Vec<_> = report.occupied.iter().map(|(table, rows)| format!("{table} {rows}")).collect();
        findings.push(format!(
            "{} is not empty ({} row(s)): a move goes into a database that nobody has used yet, and a server that was \
             started on it has made itself a signing key there; make a fresh one",
            report.place,
            tables.join(", ")
        ));
    }
    (!findings.is_empty()).then(|| findings.join("\n"))
}

fn say(global: &Global, report: &Report, is_dry: bool, took: Duration) {
    print(global, &as_json(report, is_dry, took), || {
        if report.was_complete {
            println!("{} has everything already; SQLite is out of use", report.place);
            return;
        }
        println!("{:<16} {:>12} {:>12} {:>12}", "table", "rows", "cannot read", "equal there");
        for table in &report.tables {
            let equal = if is_dry { "-".to_owned() } else { table.equal.to_string() };
            println!("{:<16} {:>12} {:>12} {equal:>12}", table.table, table.rows, table.damaged);
        }
        for row in report.damaged.iter().take(DAMAGED_PRINTED_MAX) {
            println!("cannot read {} {}: {}", row.table, row.id, row.cause.escape_debug());
        }
        if report.damaged.len() > DAMAGED_PRINTED_MAX {
            println!("and {} more; --json lists all", report.damaged.len() - DAMAGED_PRINTED_MAX);
        }
        if is_dry {
            println!("{:.1} MB in SQLite; nothing was changed", report.size as f64 / 1e6);
            return;
        }
        println!(
            "{} session(s) were asked for on both sides with {} tokens: the same answers",
            report.judged, report.presented
        );
        println!("moved to {} in {:.1} s; SQLite is out of use", report.place, took.as_secs_f64());
        println!("next: set postgres.url for the servers and start them again, with the same master secret");
    });
}

fn as_json(report: &Report, is_dry: bool, took: Duration) -> Value {
    let tables = report.tables.iter().map(|table| {
        json!({
            "table": table.table, "rows": table.rows, "damaged": table.damaged,
            "equal": (!is_dry).then_some(table.equal),
        })
    });
    let damaged =
        report.damaged.iter().map(|row| json!({ "table": row.table, "id": row.id, "cause": row.cause }));
    let occupied = report.occupied.iter().map(|(table, rows)| json!({ "table": table, "rows": rows }));
    json!({
        "place": report.place, "moved": !is_dry, "was_complete": report.was_complete, "bytes": report.size,
        "tables": tables.collect::<Vec<_>>(), "damaged": damaged.collect::<Vec<_>>(),
        "occupied": occupied.collect::<Vec<_>>(), "sessions_judged": report.judged,
        "tokens_presented": report.presented, "seconds": took.as_secs_f64(),
    })
}

/// Says how far a move is, and remembers what it may not forget.
struct Listener {
    ticker: Ticker,
    is_closed_down: bool,
}

impl Listener {
    fn hear(&mut self, progress: Progress) {
        self.is_closed_down |= progress == Progress::ClosedDown;
        self.ticker.tell(|| match progress {
            Progress::Copied(table, done, all) => format!("{table}: {done} of {all} copied"),
            Progress::Compared(table, done, all) => format!("{table}: {done} of {all} compared"),
            Progress::Ready | Progress::ClosedDown | Progress::Committed => "committing".to_owned(),
        });
    }
}
