//! `tenure import`: people move in with the passwords they have.

mod blacklist;
mod dump;
mod importer;
mod report;
mod row;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use clap::{Args, Subcommand};
use tenure_domain::user::Role;
use tenure_store::postgres::PostgresOptions;
use tenure_store::{Decree, Foreign, ForeignRow, StoreError};
use tokio::sync::mpsc;
use tokio::time::Instant;

use self::importer::Importer;
use self::report::Report;
use self::row::{Field, Mapping};
use super::place::now;
use super::{Failure, Global, Outcome, shown};
use crate::clock::SystemEntropy;

/// What every table of Django's users has, whatever it is called (`AbstractBaseUser`).
const COLUMNS_OF_USERS: &[&str] = &["last_login", "password"];

/// Pages read ahead of those that are being written.
const PAGES_AHEAD: usize = 4;

#[derive(Subcommand)]
pub enum ImportVerb {
    /// Take over the users of a Django project, with their passwords. Whoever came before is left alone, but for those who
    /// are not active there any more, or are again.
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
    let config = global.config()?;
    let store = match args.dry_run {
        // A newcomer's first command, when there is nothing here yet.
        true if !global.has_store(&config).await? => None,
        true => Some(global.open_store().await?),
        false => Some(global.open_or_make_store(&config).await?),
    };
    let mapping = Mapping {
        columns: args.columns.iter().cloned().collect(),
        staff: args.staff_role,
        superuser: args.superuser_role,
        decree: Decree { actor: global.actor(), reason: Some(args.reason.clone()) },
    };
    let (described, has_blacklist) = (source.described(), source.has_blacklist());
    let importer = Importer::new(store.as_deref(), mapping, args.dry_run);
    let (mut report, mut failure) = importer.run(global, source).await;
    if failure.is_none() && has_blacklist {
        match blacklist::close(&args, store.as_deref()).await {
            Ok(found) => {
                report.blacklisted = found.as_ref().map(|found| found.closed);
                report.unreadable_tokens = found.map_or(0, |found| found.unreadable);
            }
            Err(error) => failure = Some(error),
        }
    }
    if store.is_none() {
        report.notes.push("there is no database here yet, so nobody could have come before".into());
    }
    if failure.is_none() {
        conclude(&mut report, args.dump.is_some(), &described);
    }
    report.say(global, args.dry_run, begun.elapsed());
    failure.map_or_else(|| report.outcome(), Err)
}

/// What there is to say once all has been read.
fn conclude(report: &mut Report, is_dump: bool, described: &str) {
    if report.read == 0 {
        report.findings.push(format!("nobody was read from {described}; name the users with --table"));
    }
    // A file may be some of the people, and a table is all of them.
    let gone = report.gone.count;
    if gone > 0 && !is_dump {
        let finding = format!("{gone} who came before are not there any more; it is for you to decide");
        report.findings.push(finding);
    }
    if report.unreadable_tokens > 0 {
        report.findings.push(format!(
            "{} rows of simplejwt's blacklist cannot be read, and the tokens in them can be traded here",
            report.unreadable_tokens
        ));
    }
    if report.blacklisted.is_none() {
        report.notes.push(of_no_blacklist(is_dump).into());
    }
}

/// Where the app was not found, it may not be installed there, or have nothing in it; or it has not been written into the
/// file, which nobody can tell from it.
fn of_no_blacklist(is_dump: bool) -> &'static str {
    match is_dump {
        true => {
            "nothing of simplejwt's blacklist is in the file: if the app `token_blacklist` is installed there, dump it as \
             well, or tokens that a sign-out has ended there can be traded here"
        }
        false => "there is no table of simplejwt's blacklist, so a sign-out there ends no token",
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
    Database {
        foreign: Foreign,
        table: String,
        order_by: String,
    },
    /// Without a model of users: none of what is in it.
    Dump {
        path: PathBuf,
        content: dump::Content,
        model: Option<String>,
        read: Arc<AtomicU64>,
    },
}

impl Source {
    async fn of(args: &DjangoArgs) -> Result<Self, Failure> {
        if let Some(path) = &args.dump {
            return Self::of_dump(path, args.table.as_deref());
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

    fn of_dump(path: &Path, wanted: Option<&str>) -> Result<Self, Failure> {
        let found = std::fs::metadata(path).map_err(|error| unreadable(path, &error))?;
        if !found.is_file() {
            let hint = "it is read several times, so it has to be a file";
            return Err(Failure::Usage(format!("--dump: {} is none; {hint}", path.display())));
        }
        let content = dump::Content::of(path)?;
        let (model, read) = (content.users(wanted)?, Arc::default());
        let extent = Extent::Bytes { total: found.len(), read: Arc::clone(&read) };
        Ok(Self { place: Place::Dump { path: path.to_owned(), content, model, read }, extent })
    }

    /// What somebody has named who finds nobody in it.
    fn described(&self) -> String {
        match &self.place {
            Place::Database { table, .. } => format!("the table {}", shown(table)),
            Place::Dump { content, .. } => format!("the file, which has {}", content.described()),
        }
    }

    /// Whether there is a blacklist to be looked for.
    fn has_blacklist(&self) -> bool {
        match &self.place {
            Place::Database { .. } => true,
            Place::Dump { content, .. } => content.has(blacklist::APP),
        }
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

fn unreadable(path: &Path, error: &dyn std::fmt::Display) -> Failure {
    Failure::Unreachable(format!("{} cannot be read: {error}", path.display()))
}

impl Place {
    async fn read(self, to: mpsc::Sender<Vec<ForeignRow>>) -> Result<(), Failure> {
        match self {
            Place::Database { foreign, table, order_by } => Ok(foreign.read(table, order_by, to).await?),
            Place::Dump { path, model, read, .. } => {
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
