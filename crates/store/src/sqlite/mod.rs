//! The store on SQLite: one file, one writer that groups commits, a few readers, and the view.
//!
//! WAL mode lets readers and the writer work side by side; `synchronous = FULL` makes every commit durable,
//! rotations included, which grouping makes cheap. Other processes may use the file at the same time.

pub mod migrate;

mod account;
mod api_key;
mod billing;
mod client_report;
mod console_session;
pub(crate) mod copy;
mod end;
mod event;
mod exchange;
mod feed;
mod import;
mod key;
mod observation;
mod reader;
mod refresh;
mod row;
mod session;
mod stamp;
mod tally;
mod user;
mod writer;

use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};
use tenure_domain::time::Timestamp;

use crate::observation::Turns;
use crate::{ClockMark, Entropy, Result, Store, StoreError, Vitals};
use feed::Feed;
use reader::Readers;
use stamp::Hold;
use writer::Writer;

/// How long a statement waits for a lock that another process holds.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Tries at switching a new file to WAL mode, which SQLite does not wait for a lock with, and the pause between.
const WAL_TRIES: u32 = 100;
const WAL_PAUSE: Duration = Duration::from_millis(20);

/// Prepared statements that a connection keeps; there are fewer in all.
const STATEMENTS_KEPT: usize = 64;

/// Pages that the writer keeps in memory, in KiB: the upper part of the session tree at ten million rows.
const WRITER_CACHE_KIB: i32 = 8 * 1024;

/// How to open a store.
pub struct SqliteOptions {
    /// Created, with mode 0600, if it is not there.
    pub path: PathBuf,
    /// Where ids, salts and receipts come from.
    pub entropy: Arc<dyn Entropy>,
    /// Recorded with the migrations that opening runs.
    pub now: Timestamp,
    /// How long a write waits for another process that holds the database.
    pub busy_timeout: Duration,
    /// Pages the database may grow to, for tests of a full disk.
    pub pages_max: Option<u32>,
    /// False makes the view read the feed of changes on every call, for tests of its coherence.
    pub use_stamp: bool,
}

impl SqliteOptions {
    pub fn new(path: PathBuf, entropy: Arc<dyn Entropy>, now: Timestamp) -> Self {
        Self { path, entropy, now, busy_timeout: BUSY_TIMEOUT, pages_max: None, use_stamp: true }
    }
}

/// The durable truth in a SQLite file.
pub struct SqliteStore {
    writer: Writer,
    observing: Turns,
    readers: Readers,
    feed: Feed,
    /// Dropped after every connection.
    _hold: Arc<Hold>,
}

impl SqliteStore {
    /// Opens a store, creating and migrating the database as needed. Blocks for the disk.
    pub fn open(options: SqliteOptions) -> Result<Self> {
        let SqliteOptions { path, entropy, now, busy_timeout, pages_max, use_stamp } = options;
        let hold = Hold::of(&path);
        let mut conn = connect(&path)?;
        migrate::run(&mut conn, now)?;
        let wal_index = hold.wal_index();
        // The writer sees to the log itself as long as it can tell its length.
        let checkpoints_itself = wal_index.is_some();
        let configure = move |conn: Connection| {
            conn.busy_timeout(busy_timeout)?;
            conn.pragma_update(None, "cache_size", -WRITER_CACHE_KIB)?;
            if checkpoints_itself {
                conn.pragma_update(None, "wal_autocheckpoint", 0)?;
            }
            if let Some(pages) = pages_max {
                conn.pragma_update(None, "max_page_count", pages)?;
            }
            Ok(conn)
        };
        let conn = configure(conn)?;
        let reconnect_path = path.clone();
        let reconnect = move || configure(connect(&reconnect_path)?);
        let feed = Feed::new(reader::connect(&path)?, wal_index.clone().filter(|_| use_stamp))?;
        let readers = Readers::new(path, Arc::clone(&hold));
        let writer = Writer::start(conn, reconnect, wal_index, entropy)?;
        Ok(Self { writer, observing: Turns::new(), readers, feed, _hold: hold })
    }
}

/// A connection that may write, to a database in WAL mode.
fn connect(path: &Path) -> Result<Connection> {
    create(path)?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = Connection::open_with_flags(path, flags)?;
    prepare(&conn)?;
    set_wal_mode(&conn)?;
    conn.pragma_update(None, "synchronous", "FULL")?;
    conn.pragma_update(None, "foreign_keys", true)?;
    Ok(conn)
}

/// What every connection of ours has.
fn prepare(conn: &Connection) -> Result<()> {
    conn.busy_timeout(BUSY_TIMEOUT)?;
    conn.set_prepared_statement_cache_capacity(STATEMENTS_KEPT);
    // Without the planner's stability guarantee SQLite compiles a statement anew whenever a parameter that its
    // plan may depend on is bound: every refresh would be parsed and planned, at several times its own cost.
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    Ok(())
}

/// Creates the file if it is not there, for its owner's eyes only; SQLite gives its other files the same mode.
fn create(path: &Path) -> Result<()> {
    let created = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    match created {
        Ok(_) => Ok(()),
        // Not opened: closing a file drops the locks that this process has on it.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(StoreError::Unavailable(format!("{}: {error}", path.display()))),
    }
}

fn set_wal_mode(conn: &Connection) -> Result<()> {
    let switch = || conn.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get::<_, String>(0));
    for _ in 1..WAL_TRIES {
        match switch() {
            Ok(mode) if mode == "wal" => return Ok(()),
            Ok(mode) => return Err(StoreError::Unavailable(format!("no WAL mode here, only {mode}"))),
            Err(error) if error.sqlite_error_code() == Some(rusqlite::ErrorCode::DatabaseBusy) => {
                std::thread::sleep(WAL_PAUSE);
            }
            Err(error) => return Err(error.into()),
        }
    }
    Err(StoreError::Unavailable("somebody holds the database".into()))
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        let told = error.to_string();
        match told.starts_with("no such table") {
            // The tables of a database that is in use do not vanish in any other way.
            true => StoreError::Unavailable(format!("{told}; has it moved? `tenure migrate status` tells")),
            false => StoreError::Unavailable(told),
        }
    }
}

#[async_trait]
impl Store for SqliteStore {
    async fn check(&self) -> Result<()> {
        // Of a table, because a database that has moved elsewhere has none.
        let any = "SELECT EXISTS (SELECT 1 FROM session)";
        self.readers.read(|conn| Ok(conn.query_row(any, (), |_| Ok(()))?)).await?;
        // Through the queue and an empty commit, which flushes nothing.
        self.writer.write(|_| Ok(())).await
    }

    async fn clock(&self) -> Result<Option<Timestamp>> {
        Ok(None)
    }

    async fn clock_mark(&self) -> Result<Option<ClockMark>> {
        self.readers
            .read(|conn| {
                row::one(conn, crate::row::CLOCK_MARK, (), |columns| crate::row::clock_mark(columns))
            })
            .await
    }

    async fn clock_mark_set(&self, mark: ClockMark) -> Result<()> {
        let set = "INSERT INTO clock_mark (one, at, claimed_at) VALUES (1, ?1, ?2) \
             ON CONFLICT (one) DO UPDATE SET at = excluded.at, claimed_at = excluded.claimed_at";
        let params = (mark.at.as_ms(), mark.claimed_at.map(Timestamp::as_ms));
        self.writer.write(move |tx| Ok(tx.conn.prepare_cached(set)?.execute(params).map(drop)?)).await
    }

    fn vitals(&self) -> Vitals {
        Vitals { feed_live: true, ..Vitals::default() }
    }

    async fn sweep(&self, before: Timestamp, limit: usize) -> Result<u64> {
        self.writer.write_composed(move |tx| session::sweep(tx, before, limit)).await
    }

    async fn close(&self) {
        self.feed.close();
        self.readers.close().await;
        self.writer.close().await;
    }
}
