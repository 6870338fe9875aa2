//! `tenure import`: people move in with the passwords they have.

mod dump;
mod row;

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use clap::{Args, Subcommand};
use serde_json::{Value, json};
use tenure_domain::user::Role;
use tenure_store::postgres::PostgresOptions;
use tenure_store::{Decree, Foreign, ForeignRow, IMPORTED_AT_ONCE_MAX, Import, Imported, Store, StoreError};
use tokio::sync::mpsc;
use tokio::time::Instant;

use self::row::{Field, Mapping, Newcomer};
use super::place::now;
use super::ticker::Ticker;
use super::{Failure, Global, Outcome, print, shown};
use crate::clock::SystemEntropy;

/// What every table of Django's users has, whatever it is called (`AbstractBaseUser`).
const COLUMNS_OF_USERS: &[&str] = &["last_login", "password"];

/// Pages read ahead of those that are being written.
const PAGES_AHEAD: usize = 4;

/// Refusals that are printed, and those that `--json` gives.
const REFUSED_PRINTED_MAX: usize = 100;
const REFUSED_KEPT_MAX: usize = 10_000;

#[derive(Subcommand)]
pub enum ImportVerb {
    /// Take over the users of a Django project, with their passwords. Whoever came before is left alone.
    Django(DjangoArgs),
}

#[derive(Args)]
#[command(group(clap::ArgGroup::new("source").required(true)))]
pub struct DjangoArgs {
    /// Its database: `postgres://user@host/name` or `sqlite:FILE`. It is read and never written.
    #[arg(long, group = "source", value_name = "URL", env = "DJANGO_DATABASE_URL", hide_env_values = true)]
    database_url: Option<String>,
    /// What `manage.py dumpdata` wrote, as JSON or JSON lines.
    #[arg(long, group = "source", value_name = "FILE")]
    dump: Option<PathBuf>,
    /// The table of users, or in a dump their model, such as `accounts.user`; found by its columns if left out.
    #[arg(long, value_name = "NAME")]
    table: Option<String>,
    /// What a field is called there, where it is not what Django calls it: `name=nickname`. May be given again.
    ///
    /// Fields: id, email, username, name, first_name, last_name, password, is_active, is_staff, is_superuser, date_joined.
    #[arg(long = "column", value_name = "FIELD=COLUMN", value_parser = row::column)]
    columns: Vec<(Field, String)>,
    /// The role here of those who are staff there. Rights in Django's admin are none here unless you say so.
    #[arg(long, value_name = "ROLE", default_value = "user")]
    staff_role: Role,
    /// The role here of those who are superusers there.
    #[arg(long, value_name = "ROLE", default_value = "user")]
    superuser_role: Role,
    /// Why; it is kept with the act of each.
    #[arg(long, default_value = "imported from Django")]
    reason: String,
    /// Only say what would become of whom.
    #[arg(long)]
    dry_run: bool,
}

pub async fn run(global: &Global, verb: ImportVerb) -> Outcome {
    let ImportVerb::Django(args) = verb;
    let begun = Instant::now();
    // First, so that an order that cannot be carried out makes no database.
    let source = Source::of(&args).await?;
    let store = match args.dry_run {
        true => global.open_store().await?,
        false => global.open_or_make_store(&global.config()?).await?,
    };
    let mapping = Mapping {
        system: "django",
        columns: args.columns.into_iter().collect(),
        staff: args.staff_role,
        superuser: args.superuser_role,
        decree: Decree { actor: global.actor(), reason: Some(args.reason) },
    };
    let importer = Importer {
        store: &*store,
        mapping,
        dry_run: args.dry_run,
        report: Report::default(),
        waiting: Vec::new(),
        seen: HashSet::new(),
    };
    let (report, failure) = importer.run(global, source).await;
    say(global, &report, args.dry_run, begun.elapsed());
    match failure {
        Some(failure) => Err(failure),
        None if report.refused_count() > 0 => Err(Failure::Finding(format!(
            "{} of {} could not be taken over; mend them there and give the same order again",
            report.refused_count(),
            report.read
        ))),
        None => Ok(()),
    }
}

// === Where people come from ===

struct Source {
    place: Place,
    extent: Extent,
}

/// How much there is to read.
enum Extent {
    People(u64),
    Bytes { total: u64, read: Arc<AtomicU64> },
}

enum Place {
    Database { foreign: Foreign, table: String, order_by: String },
    Dump { path: PathBuf, model: Option<String>, read: Arc<AtomicU64> },
}

impl Source {
    async fn of(args: &DjangoArgs) -> Result<Self, Failure> {
        if let Some(path) = &args.dump {
            let length = std::fs::metadata(path).map(|found| found.len());
            let total = length.map_err(|error| unreadable(path, &error))?;
            let read = Arc::default();
            let place =
                Place::Dump { path: path.clone(), model: args.table.clone(), read: Arc::clone(&read) };
            return Ok(Self { place, extent: Extent::Bytes { total, read } });
        }
        let url = args.database_url.as_deref().unwrap_or_default();
        let foreign = foreign(url)?;
        let table = match &args.table {
            Some(table) => table.clone(),
            None => the_table(foreign.tables_with(COLUMNS_OF_USERS).await?)?,
        };
        let order_by = args.columns.iter().find(|(field, _)| *field == Field::Id);
        let order_by = order_by.map_or_else(|| "id".to_owned(), |(_, column)| column.clone());
        let extent = Extent::People(foreign.count(&table).await?);
        Ok(Self { place: Place::Database { foreign, table, order_by }, extent })
    }
}

impl Extent {
    /// How far one is who has read so many.
    fn progress(&self, people: u64) -> String {
        match self {
            Extent::People(total) => format!("{people} of {total} users"),
            Extent::Bytes { total, read } => {
                let percent = 100 * read.load(Ordering::Relaxed) / (*total).max(1);
                format!("{percent}% of the file, {people} users")
            }
        }
    }
}

fn foreign(url: &str) -> Result<Foreign, Failure> {
    if url.starts_with("postgres://") || url.starts_with("postgresql://") {
        let options = PostgresOptions::new(url.to_owned(), Arc::new(SystemEntropy), now());
        return Ok(Foreign::postgres(options));
    }
    // `sqlite:///path` is how Django's settings have it.
    let path = url.strip_prefix("sqlite://").or_else(|| url.strip_prefix("sqlite:")).unwrap_or_default();
    match PathBuf::from(path) {
        path if path.is_file() => Ok(Foreign::Sqlite(path)),
        path if path.as_os_str().is_empty() => {
            Err(Failure::Usage("--database-url: write it as postgres://user@host/name or sqlite:FILE".into()))
        }
        path => Err(Failure::Unreachable(format!("there is no file {}", path.display()))),
    }
}

fn the_table(found: Vec<String>) -> Result<String, Failure> {
    match &found[..] {
        [one] => Ok(one.clone()),
        [] => Err(Failure::Usage("no table there looks like Django's users; name it with --table".into())),
        several => {
            let names = shown(&several.join(", "));
            Err(Failure::Usage(format!(
                "several tables look like Django's users: {names}; name one with --table"
            )))
        }
    }
}

fn unreadable(path: &std::path::Path, error: &dyn std::fmt::Display) -> Failure {
    Failure::Unreachable(format!("{} cannot be read: {error}", path.display()))
}

// === What becomes of them ===

#[derive(Default)]
struct Report {
    read: u64,
    created: u64,
    known: u64,
    /// Of those created: who may not sign in, who has no password, and whose name is not what it was there.
    disabled: u64,
    without_password: u64,
    renamed: u64,
    /// Of all that could be read.
    staff: u64,
    superusers: u64,
    collisions: u64,
    bad: u64,
    refused: Vec<Refused>,
}

/// Somebody who was left out, and why.
struct Refused {
    key: String,
    cause: String,
}

impl Report {
    fn refused_count(&self) -> u64 {
        self.collisions + self.bad
    }

    fn refuse(&mut self, key: String, cause: String) {
        if self.refused.len() < REFUSED_KEPT_MAX {
            self.refused.push(Refused { key, cause });
        }
    }
}

struct Importer<'s> {
    store: &'s dyn Store,
    mapping: Mapping,
    dry_run: bool,
    report: Report,
    waiting: Vec<Newcomer>,
    /// Addresses of a dry run, which leaves nobody behind to collide with.
    seen: HashSet<String>,
}

impl Importer<'_> {
    /// What was done, and why it broke off if it did: what was done stands, and the same order goes on from there.
    async fn run(mut self, global: &Global, source: Source) -> (Report, Option<Failure>) {
        let mut ticker = Ticker::new(global);
        let (to, mut pages) = mpsc::channel(PAGES_AHEAD);
        let reading = tokio::spawn(source.place.read(to));
        let mut failure = None;
        while let Some(page) = pages.recv().await {
            if let Err(error) = self.take(page).await {
                failure = Some(broken_off(&error));
                break;
            }
            ticker.tell(|| source.extent.progress(self.report.read));
        }
        drop(pages);
        if failure.is_none() {
            failure = self.flush().await.err().map(|error| broken_off(&error));
        }
        ticker.clear();
        let read = reading.await.unwrap_or_else(|broken| Err(Failure::Unreachable(broken.to_string())));
        (self.report, failure.or(read.err()))
    }

    async fn take(&mut self, page: Vec<ForeignRow>) -> Result<(), StoreError> {
        let now = now();
        for row in page {
            self.report.read += 1;
            match self.mapping.read(&row, now) {
                Ok(newcomer) => {
                    self.report.staff += u64::from(newcomer.is_staff);
                    self.report.superusers += u64::from(newcomer.is_superuser);
                    self.waiting.push(newcomer);
                }
                Err(bad) => {
                    self.report.bad += 1;
                    self.report.refuse(bad.key, bad.cause);
                }
            }
            if self.waiting.len() >= IMPORTED_AT_ONCE_MAX {
                self.flush().await?;
            }
        }
        Ok(())
    }

    async fn flush(&mut self) -> Result<(), StoreError> {
        let (people, kept): (Vec<Import>, Vec<_>) =
            std::mem::take(&mut self.waiting).into_iter().map(Newcomer::split).unzip();
        let outcomes = self.store.user_import(people, self.dry_run, now()).await?;
        for (outcome, who) in outcomes.into_iter().zip(kept) {
            let is_first = !self.dry_run || outcome != Imported::Created || self.seen.insert(who.email_key);
            match if is_first { outcome } else { Imported::EmailTaken } {
                Imported::Created => {
                    self.report.created += 1;
                    self.report.disabled += u64::from(who.is_disabled);
                    self.report.without_password += u64::from(!who.has_password);
                    self.report.renamed += u64::from(who.is_renamed);
                }
                Imported::Known => self.report.known += 1,
                Imported::EmailTaken => {
                    self.report.collisions += 1;
                    self.report.refuse(who.key, format!("somebody else here has the address {}", who.email));
                }
            }
        }
        Ok(())
    }
}

impl Place {
    async fn read(self, to: mpsc::Sender<Vec<ForeignRow>>) -> Result<(), Failure> {
        match self {
            Place::Database { foreign, table, order_by } => Ok(foreign.read(table, order_by, to).await?),
            Place::Dump { path, model, read } => {
                let reading =
                    tokio::task::spawn_blocking(move || dump::read(&path, model.as_deref(), &to, read));
                reading.await.unwrap_or_else(|broken| Err(Failure::Unreachable(broken.to_string())))
            }
        }
    }
}

fn broken_off(error: &StoreError) -> Failure {
    Failure::Unreachable(format!(
        "{error}\nwho is here stays; give the same order again, and the others follow"
    ))
}

// === What is said of it ===

fn say(global: &Global, report: &Report, is_dry: bool, took: Duration) {
    print(global, &as_json(report, is_dry, took), || {
        let lines = [
            (report.read, "users read"),
            (report.created, if is_dry { "would be taken over" } else { "taken over" }),
            (report.disabled, "  of them not active, and disabled here"),
            (report.without_password, "  of them without a password to sign in with"),
            (report.renamed, "  of them with a name that is not taken here, and called by their address"),
            (report.known, "had come before"),
            (report.collisions, "left out: the address is somebody else's"),
            (report.bad, "left out: the row cannot be used"),
            (report.staff, "are staff there (see --staff-role)"),
            (report.superusers, "are superusers there (see --superuser-role)"),
        ];
        lines.iter().filter(|(count, _)| *count > 0).for_each(|(count, what)| println!("{count:>9} {what}"));
        for Refused { key, cause } in report.refused.iter().take(REFUSED_PRINTED_MAX) {
            println!("left out {}: {}", shown(key), shown(cause));
        }
        if report.refused.len() > REFUSED_PRINTED_MAX {
            let more = report.refused_count() - REFUSED_PRINTED_MAX as u64;
            println!("and {more} more; --json lists {REFUSED_KEPT_MAX}");
        }
        println!("{:.1} s{}", took.as_secs_f64(), if is_dry { "; nothing was changed" } else { "" });
    });
}

fn as_json(report: &Report, is_dry: bool, took: Duration) -> Value {
    let refused = report.refused.iter().map(|one| json!({ "key": one.key, "cause": one.cause }));
    json!({
        "dry_run": is_dry, "read": report.read, "created": report.created, "known": report.known,
        "disabled": report.disabled, "without_password": report.without_password, "renamed": report.renamed,
        "collisions": report.collisions, "bad": report.bad, "staff": report.staff,
        "superusers": report.superusers, "refused": refused.collect::<Vec<_>>(), "seconds": took.as_secs_f64(),
    })
}
