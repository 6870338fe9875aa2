//! The databases that the contract is held against: a fresh one of every kind, handles on it, and a person at its shell.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;
use tenure_rig::{Database, Server, postgres_for_tests};
use tenure_store::postgres::{self, PostgresOptions, PostgresStore};
use tenure_store::sqlite::{SqliteOptions, SqliteStore};
use tenure_store::{Result, Store};

use crate::world::{DAY, SECOND, Seeded, T0};

/// A database of a kind that Tenure supports. A new kind is added to [`backends`] and passes or does not.
pub trait Backend: Send + Sync {
    fn name(&self) -> &'static str;
    /// Where it is, for [`at`] in another process.
    fn address(&self) -> String;
    /// A handle on the database, like a process has: a second one is another process in all but name.
    fn open(&self) -> Result<Arc<dyn Store>>;
    /// Runs statements behind everybody's back, like a person at the database's own shell.
    fn sql(&self, statements: &str);
    /// Reads one number the same way.
    fn number(&self, query: &str) -> i64;
    /// Such a person's shell that stays open, and with it what they began.
    fn shell(&self) -> Shell;
    /// An id as SQL has it.
    fn id(&self, id: &[u8; 16]) -> String;
    /// After how long a handle must know what others have written; what it has written itself, it knows at once.
    fn staleness(&self) -> Duration;
    fn is_postgres(&self) -> bool {
        false
    }
}

pub type Shell = Box<dyn Fn(&str) + Send>;

/// A fresh database of every kind there is.
pub fn backends() -> Vec<Arc<dyn Backend>> {
    vec![Arc::new(Sqlite::fresh(true)), Arc::new(Sqlite::fresh(false)), Arc::new(Postgres::fresh())]
}

/// One handle on a database that another process has made.
pub fn at(address: &str, entropy: Seeded) -> Result<Arc<dyn Store>> {
    let entropy = Arc::new(entropy);
    if address.starts_with("postgres:") {
        return Ok(Arc::new(PostgresStore::new(postgres_options(address, entropy))?));
    }
    Ok(Arc::new(SqliteStore::open(SqliteOptions::new(address.into(), entropy, T0))?))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

// === SQLite ===

pub struct Sqlite {
    pub folder: TempDir,
    pub use_stamp: bool,
}

impl Sqlite {
    pub fn fresh(use_stamp: bool) -> Self {
        Self { folder: tempfile::tempdir().unwrap(), use_stamp }
    }

    pub fn path(&self) -> PathBuf {
        self.folder.path().join("tenure.db")
    }

    pub fn options(&self) -> SqliteOptions {
        let options = SqliteOptions::new(self.path(), Arc::new(Seeded::distinct()), T0);
        SqliteOptions { use_stamp: self.use_stamp, ..options }
    }

    pub fn connection(&self) -> rusqlite::Connection {
        let conn = rusqlite::Connection::open(self.path()).unwrap();
        conn.busy_timeout(10 * SECOND).unwrap();
        conn
    }
}

impl Backend for Sqlite {
    fn name(&self) -> &'static str {
        if self.use_stamp { "sqlite" } else { "sqlite without stamps" }
    }

    fn address(&self) -> String {
        self.path().into_os_string().into_string().unwrap()
    }

    fn open(&self) -> Result<Arc<dyn Store>> {
        Ok(Arc::new(SqliteStore::open(self.options())?))
    }

    fn sql(&self, statements: &str) {
        self.connection().execute_batch(statements).unwrap();
    }

    fn number(&self, query: &str) -> i64 {
        self.connection().query_row(query, (), |row| row.get(0)).unwrap()
    }

    fn shell(&self) -> Shell {
        let conn = self.connection();
        Box::new(move |statements| conn.execute_batch(statements).unwrap())
    }

    fn id(&self, id: &[u8; 16]) -> String {
        format!("x'{}'", hex(id))
    }

    fn staleness(&self) -> Duration {
        Duration::ZERO
    }
}

// === PostgreSQL ===

pub struct Postgres {
    pub database: Database,
}

/// Shorter than in production, because tests wait for it.
const STALENESS: Duration = Duration::from_millis(40);

impl Postgres {
    /// On the server that tests share and do not harm.
    pub fn fresh() -> Self {
        Self::on(&postgres_for_tests())
    }

    /// On a server of the test's own.
    pub fn on(server: &Server) -> Self {
        let fresh = Self::empty(server);
        let options = fresh.options();
        apart(async move { postgres::migrate::up(&options).await.map(drop) }).unwrap();
        fresh
    }

    /// A database that has had no migration.
    pub fn empty(server: &Server) -> Self {
        Self { database: server.create_database() }
    }

    pub fn options(&self) -> PostgresOptions {
        postgres_options(self.database.url(), Arc::new(Seeded::distinct()))
    }

    pub fn store(&self, options: PostgresOptions) -> Arc<dyn Store> {
        Arc::new(PostgresStore::new(options).unwrap())
    }
}

fn postgres_options(url: &str, entropy: Arc<Seeded>) -> PostgresOptions {
    let options = PostgresOptions::new(url.into(), entropy, T0);
    PostgresOptions {
        connections: 8,
        staleness: STALENESS,
        // A busy machine holds things up for longer than production puts up with.
        statement_timeout: Duration::from_secs(20),
        connect_timeout: Duration::from_secs(20),
        // Long ago, in the time that tests live in.
        opened_at: Some(T0 - 30 * DAY),
        ..options
    }
}

/// Waits for something asynchronous where nothing may wait: on a thread and a runtime of its own.
pub fn apart<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> T {
    let thread = std::thread::spawn(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(work)
    });
    thread.join().unwrap()
}

impl Backend for Postgres {
    fn name(&self) -> &'static str {
        "postgres"
    }

    fn address(&self) -> String {
        self.database.url().to_owned()
    }

    fn open(&self) -> Result<Arc<dyn Store>> {
        Ok(Arc::new(PostgresStore::new(self.options())?))
    }

    fn sql(&self, statements: &str) {
        self.database.sql(statements);
    }

    fn number(&self, query: &str) -> i64 {
        self.database.number(query)
    }

    fn shell(&self) -> Shell {
        let client = self.database.connect();
        Box::new(move |statements| drop(client.run(statements).unwrap()))
    }

    fn id(&self, id: &[u8; 16]) -> String {
        format!("'{}'::uuid", hex(id))
    }

    fn staleness(&self) -> Duration {
        STALENESS
    }

    fn is_postgres(&self) -> bool {
        true
    }
}
