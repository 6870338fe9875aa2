//! Moving a live installation from SQLite to PostgreSQL: every row as it is, and nobody signed out.
//!
//! SQLite is held by its write lock from the first row to the last, so what is copied is one state; meanwhile its
//! server answers refreshes with 503 and clients wait. Everything goes into one transaction of PostgreSQL, and is
//! read again there and compared before it is committed.
//!
//! # Two commits
//!
//! They cannot be one, so what matters is what a crash leaves between them. SQLite is put out of use *first*, in
//! the transaction that held its lock; then PostgreSQL commits; then SQLite notes that the move is finished.
//!
//! - Before the first, nothing has happened: SQLite serves on, PostgreSQL is empty.
//! - Between the first two, nobody serves: clients wait, and nothing is lost. The same order again finds SQLite out
//!   of use for the sake of this very place, and copies again if PostgreSQL is empty.
//! - After the second, PostgreSQL has everything; the same order again finds its own sign there.
//!
//! The other way round a crash would leave two databases that both serve, and every refresh would make them more
//! different: an installation that stands still for a minute is the lesser evil.

mod back;
mod judge;
pub(crate) mod table;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use tenure_domain::time::Timestamp;

use crate::postgres::PostgresOptions;
use crate::postgres::copy::{Target, place};
use crate::sqlite::copy::{Page, Source};
use crate::{Result, StoreError};
pub use back::reopen;
use judge::Judge;
use table::{Cells, Table};

/// Rows that are read and written at once.
const PAGE: usize = 2_000;

/// What to move where.
pub struct Move {
    /// The SQLite file.
    pub from: PathBuf,
    /// The PostgreSQL database. Its `entropy` names the move, and its `now` is when it takes place.
    pub to: PostgresOptions,
    /// Leave rows out that cannot be read, instead of refusing.
    pub skip_damaged: bool,
}

/// A row that cannot be copied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damaged {
    pub table: &'static str,
    /// Its key, as commands print it.
    pub id: String,
    pub cause: String,
}

/// What became of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Copied {
    pub table: &'static str,
    /// Rows in SQLite.
    pub rows: u64,
    /// Rows that cannot be copied, and were not.
    pub damaged: u64,
    /// Rows that were read again from PostgreSQL and are equal, field by field.
    pub equal: u64,
}

/// What a move, or a look before one, has found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Where to, without a password.
    pub place: String,
    /// How large the SQLite database is, in bytes.
    pub size: u64,
    pub tables: Vec<Copied>,
    pub damaged: Vec<Damaged>,
    /// Sessions that the rule was asked about on both sides, with equal answers, and how many tokens were presented.
    pub judged: u64,
    pub presented: u64,
    /// Tables of PostgreSQL that already have rows, and how many; only a look goes on in spite of them.
    pub occupied: Vec<(&'static str, u64)>,
    /// Everything had been copied before; only the note of it was missing.
    pub was_complete: bool,
}

/// How far a move has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Rows of a table written, of how many.
    Copied(&'static str, u64, u64),
    /// Rows of a table read again, of how many.
    Compared(&'static str, u64, u64),
    /// Everything is in PostgreSQL's transaction; nothing is committed.
    Ready,
    /// SQLite is out of use, PostgreSQL not committed.
    ClosedDown,
    /// PostgreSQL has everything, durably.
    Committed,
}

/// Hears how far it is. It is called between two steps, and whatever it does delays the next.
pub type Listener<'a> = &'a mut (dyn FnMut(Progress) + Send);

#[derive(Debug, thiserror::Error)]
pub enum MoveError {
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Nothing was changed.
    #[error("{} row(s) cannot be read", .0.damaged.len())]
    Damaged(Report),
    /// Nothing was changed.
    #[error("the database at {} is not empty", .0.place)]
    NotEmpty(Report),
    /// The source is out of use for another move.
    #[error("{0}")]
    Moved(String),
    /// PostgreSQL did not take a row as it was. Nothing was changed.
    #[error("the copy differs from the original: {0}")]
    Differs(String),
    /// The way back is closed.
    #[error("{0}")]
    InUse(String),
}

/// What a SQLite database says that has moved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mark {
    pub id: [u8; 16],
    pub at: Timestamp,
    /// Where to, without a password.
    pub place: String,
    /// PostgreSQL is known to have everything.
    pub is_finished: bool,
}

impl Mark {
    pub fn refusal(&self) -> StoreError {
        StoreError::Unavailable(self.to_string())
    }

    fn number(&self) -> String {
        table::hex(&self.id)
    }
}

impl std::fmt::Display for Mark {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { at, place, .. } = self;
        if self.is_finished {
            write!(f, "this database has moved to {place} at {at}, and is out of use; ")?;
            write!(f, "serve from there (postgres.url)")
        } else {
            write!(f, "this database was being moved to {place} at {at}, which was interrupted; ")?;
            write!(f, "run the same `tenure migrate copy` again, or `tenure migrate reopen` to stay here")
        }
    }
}

/// Looks whether a move would succeed, and changes nothing.
pub async fn look(order: &Move, listener: Listener<'_>) -> std::result::Result<Report, MoveError> {
    let mut target = Target::look(&order.to).await?;
    let mut report =
        Report { place: place(&order.to)?, occupied: target.occupied().await?, ..Report::default() };
    let source = Held::open(order, false).await?;
    let mark = source.ask(|source| Ok(source.mark.clone())).await?;
    report.was_complete = is_complete(mark.as_ref(), &source, &mut target, &report.place).await?;
    survey(&source, &mut report, None, listener).await?;
    Ok(report)
}

/// Moves a database. On `Ok` PostgreSQL has every row, and SQLite is out of use. On an error of the store the same
/// order may be given again, whatever happened.
pub async fn run(order: &Move, listener: Listener<'_>) -> std::result::Result<Report, MoveError> {
    // PostgreSQL first: only when it is ready does anybody have to wait.
    let mut target = Target::open(&order.to).await?;
    let mut report = Report { place: place(&order.to)?, ..Report::default() };
    let source = Held::open(order, true).await?;
    let earlier = source.ask(|source| Ok(source.mark.clone())).await?;
    if is_complete(earlier.as_ref(), &source, &mut target, &report.place).await? {
        source.ask(Source::finish).await?;
        report.was_complete = true;
        return Ok(report);
    }
    report.occupied = target.occupied().await?;
    if !report.occupied.is_empty() {
        return Err(MoveError::NotEmpty(report));
    }
    survey(&source, &mut report, Some(&mut target), listener).await?;
    if !report.damaged.is_empty() && !order.skip_damaged {
        return Err(MoveError::Damaged(report));
    }
    target.settle(source.ask(|source| source.last_number()).await?).await?;
    compare(&source, &mut target, &mut report, listener).await?;
    let mark = earlier.unwrap_or_else(|| mark(order, &report.place));
    target.sign(&mark.number()).await?;
    listener(Progress::Ready);
    source.ask(move |source| source.close_down(&mark)).await?;
    listener(Progress::ClosedDown);
    target.commit().await?;
    listener(Progress::Committed);
    // Not worth an error: the same order given again would find out.
    let _ = source.ask(Source::finish).await;
    Ok(report)
}

fn mark(order: &Move, place: &str) -> Mark {
    let mut id = [0; 16];
    order.to.entropy.fill(&mut id);
    Mark { id, at: order.to.now, place: place.to_owned(), is_finished: false }
}

/// Whether this move has been made before. One that goes elsewhere, or went and was finished, is refused: what was
/// written there since would be lost.
async fn is_complete(
    mark: Option<&Mark>,
    source: &Held,
    target: &mut Target,
    place: &str,
) -> std::result::Result<bool, MoveError> {
    let Some(mark) = mark else { return Ok(false) };
    if target.is_filled_by(&mark.number()).await? {
        let had_any = source.ask(|source| source.has_any()).await?;
        return match had_any && target.occupied().await?.is_empty() {
            true => Err(MoveError::Moved(format!("{mark}; somebody has emptied it since"))),
            false => Ok(true),
        };
    }
    match !mark.is_finished && mark.place == place {
        true => Ok(false),
        false => Err(MoveError::Moved(mark.to_string())),
    }
}

/// Reads every row, writes it where there is somewhere to, and takes down what cannot be read.
async fn survey(
    source: &Held,
    report: &mut Report,
    mut target: Option<&mut Target>,
    listener: Listener<'_>,
) -> std::result::Result<(), MoveError> {
    report.size = source.ask(|source| source.size()).await?;
    for table in source.tables().await? {
        let rows = source.ask(move |source| source.count(table)).await?;
        let mut copied = Copied { table: table.name, rows, damaged: 0, equal: 0 };
        let mut pages = Pages::of(source, table);
        let mut written = 0;
        while let Some(page) = pages.next().await? {
            if let Some(target) = &mut target
                && !page.rows.is_empty()
            {
                target.write(table, &page.rows).await?;
            }
            written += page.rows.len() as u64;
            copied.damaged += page.damaged.len() as u64;
            report.damaged.extend(page.damaged);
            listener(Progress::Copied(table.name, written, rows));
        }
        if written + copied.damaged != rows {
            let cause = format!("{rows} rows are counted and {} found", written + copied.damaged);
            return Err(StoreError::Corrupt { what: table.name, cause }.into());
        }
        report.tables.push(copied);
    }
    Ok(())
}

/// Reads every row on both sides and holds one to the other.
async fn compare(
    source: &Held,
    target: &mut Target,
    report: &mut Report,
    listener: Listener<'_>,
) -> std::result::Result<(), MoveError> {
    for table in source.tables().await? {
        let Some(at) = report.tables.iter().position(|copied| copied.table == table.name) else { continue };
        let rows = report.tables[at].rows - report.tables[at].damaged;
        let mut judge = (table.name == table::SESSION.name).then(|| Judge::of(rows));
        let mut pages = Pages::of(source, table);
        let (mut last, mut equal) = (None, 0);
        while let Some(page) = pages.next().await? {
            let there = target.page(table, last.as_ref(), page.rows.len()).await?;
            for (row, here) in page.rows.iter().enumerate() {
                held_to(table, here, there.get(row))?;
                if let (Some(judge), Some(there)) = (&mut judge, there.get(row))
                    && !judge.agrees(equal, here, there)?
                {
                    return Err(differs(table, here, "is judged otherwise"));
                }
                equal += 1;
            }
            last = page.rows.last().and_then(|row| row.first().cloned()).or(last);
            listener(Progress::Compared(table.name, equal, rows));
        }
        if target.count(table).await? != equal {
            return Err(MoveError::Differs(format!("{} has more rows in PostgreSQL", table.name)));
        }
        report.tables[at].equal = equal;
        if let Some(judge) = judge {
            (report.judged, report.presented) = (judge.judged, judge.presented);
        }
    }
    Ok(())
}

fn held_to(table: &Table, here: &Cells, there: Option<&Cells>) -> std::result::Result<(), MoveError> {
    match there.map(|there| table.difference(here, there)) {
        Some(None) => Ok(()),
        Some(Some(column)) => Err(differs(table, here, &format!("differs in {column}"))),
        None => Err(differs(table, here, "is missing")),
    }
}

fn differs(table: &Table, row: &Cells, how: &str) -> MoveError {
    let id = row.first().map_or_else(String::new, |key| table.key_of(key));
    MoveError::Differs(format!("{} {id} {how}", table.name))
}

/// The source, asked where it may block.
struct Held(Arc<Mutex<Source>>);

impl Held {
    async fn open(order: &Move, exclusive: bool) -> Result<Self> {
        let path = order.from.clone();
        let source = apart(move || Source::open(&path, exclusive)).await?;
        Ok(Self(Arc::new(Mutex::new(source))))
    }

    async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&mut Source) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let source = Arc::clone(&self.0);
        apart(move || question(&mut source.lock().unwrap_or_else(PoisonError::into_inner))).await
    }

    async fn tables(&self) -> Result<Vec<&'static Table>> {
        self.ask(|source| Ok(source.tables.clone())).await
    }
}

async fn apart<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|broken| Err(StoreError::Unavailable(broken.to_string())))
}

/// A table of the source, page by page.
struct Pages<'s> {
    source: &'s Held,
    table: &'static Table,
    from: Option<rusqlite::types::Value>,
    is_over: bool,
}

impl<'s> Pages<'s> {
    fn of(source: &'s Held, table: &'static Table) -> Self {
        Self { source, table, from: None, is_over: false }
    }

    async fn next(&mut self) -> Result<Option<Page>> {
        if self.is_over {
            return Ok(None);
        }
        let (table, from) = (self.table, self.from.take());
        let page = self.source.ask(move |source| source.page(table, from, PAGE)).await?;
        self.from = page.next.clone();
        self.is_over = self.from.is_none();
        Ok(Some(page))
    }
}
