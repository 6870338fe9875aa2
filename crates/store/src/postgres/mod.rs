//! The store on PostgreSQL: for several nodes, which are equal and hold nothing.
//!
//! Sign-ins, ends and changes of users are transactions that are durable when they are answered; a rotation is
//! one guarded statement whose commit is relaxed (`refresh`). What callers are judged by is in memory and follows
//! the database (`feed`). Statements are sent with the types of their parameters, so that they need no
//! preparation where a pooler stands in between.

pub mod migrate;

mod account;
mod api_key;
mod billing;
mod changed;
mod client_report;
mod connect;
mod console_session;
pub(crate) mod copy;
mod end;
mod event;
mod exchange;
mod feed;
pub(crate) mod foreign;
mod heard;
mod import;
mod key;
mod moment;
mod observation;
mod refresh;
mod row;
mod session;
mod tally;
mod user;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tenure_domain::time::Timestamp;
use tokio_postgres::types::Type;

use crate::observation::Turns;
use crate::row::Columns as _;
use crate::{ClockMark, Entropy, Fanout, Result, Store, Vitals};
use connect::{Conn, Db};
use feed::Feed;
use refresh::Rows;
use row::Fields;

/// How far a node's view may be behind the ends that other nodes have answered.
pub const STALENESS: Duration = Duration::from_millis(200);

/// Whether an address can be used at all, without connecting to it. The error says what is wrong and does not quote it.
pub fn check_url(url: &str) -> std::result::Result<(), &'static str> {
    connect::read_address(url).map(drop)
}

/// How to open a store.
pub struct PostgresOptions {
    /// `postgres://user:password@host:5432/database`, several hosts separated by commas, and the parameters that
    /// libpq knows and tokio-postgres takes (`sslmode`, `target_session_attrs`, `application_name`).
    pub url: String,
    /// Where ids, salts and receipts come from.
    pub entropy: Arc<dyn Entropy>,
    /// Recorded with the migrations that opening runs.
    pub now: Timestamp,
    /// Most connections at once, besides the one that the feed is read on.
    pub connections: usize,
    /// How long a statement may take.
    pub statement_timeout: Duration,
    /// How long making a connection may take, and how long a call waits for one that is free.
    pub connect_timeout: Duration,
    /// Authorities that the server's certificate may come from, as PEM; none means those of the system.
    pub ca_file: Option<PathBuf>,
    /// False sends every statement whole, for a pooler that gives each transaction another connection.
    pub prepared: bool,
    /// Wakes other nodes, besides NOTIFY.
    pub fanout: Option<Arc<dyn Fanout>>,
    /// How far the view may be behind other nodes.
    pub staleness: Duration,
    /// When the database is taken to have opened, for tests whose time is not the machine's. None: it is asked.
    pub opened_at: Option<Timestamp>,
}

impl PostgresOptions {
    pub fn new(url: String, entropy: Arc<dyn Entropy>, now: Timestamp) -> Self {
        Self {
            url,
            entropy,
            now,
            connections: 16,
            statement_timeout: Duration::from_secs(2),
            connect_timeout: Duration::from_secs(2),
            ca_file: None,
            prepared: true,
            fanout: None,
            staleness: STALENESS,
            opened_at: None,
        }
    }
}

/// The durable truth in a PostgreSQL database.
pub struct PostgresStore {
    db: Arc<Db>,
    feed: Arc<Feed>,
    rows: Rows,
    observing: Turns,
    entropy: Arc<dyn Entropy>,
    opened_at: Option<Timestamp>,
}

impl PostgresStore {
    /// Brings the database up to this program and opens a store on it.
    pub async fn open(options: PostgresOptions) -> Result<Self> {
        migrate::up(&options).await?;
        Self::new(options)
    }

    /// A store on a database that is up to date. Connects to nothing yet; must be called on a tokio runtime,
    /// where it follows the database until it is dropped.
    pub fn new(options: PostgresOptions) -> Result<Self> {
        let db = Arc::new(Db::new(&options)?);
        let PostgresOptions { entropy, fanout, staleness, opened_at, .. } = options;
        let feed = Arc::new(Feed::new(Arc::clone(&db), fanout, staleness));
        tokio::spawn(Feed::follow(Arc::downgrade(&feed)));
        Ok(Self { db, feed, rows: Rows::new(), observing: Turns::new(), entropy, opened_at })
    }
}

impl PostgresStore {
    /// Does all of something or nothing, durably, and lets every view, here and elsewhere, know of it.
    async fn change<T>(&self, work: impl AsyncFnOnce(&mut Conn) -> Result<T>) -> Result<T> {
        let done = self.write(work).await?;
        self.feed.tell().await;
        Ok(done)
    }

    /// Does all of something or nothing, durably. For what changes no view, or only sometimes: then the caller tells.
    async fn write<T>(&self, work: impl AsyncFnOnce(&mut Conn) -> Result<T>) -> Result<T> {
        let mut conn = self.db.get().await?;
        conn.begin().await?;
        let done = work(&mut conn).await?;
        conn.commit().await?;
        Ok(done)
    }
}

/// Whether this process may do a chore now. One that may keeps the others from it until its transaction is over,
/// however that ends.
async fn alone(conn: &mut Conn, chore: &str) -> Result<bool> {
    let lock = "SELECT pg_try_advisory_xact_lock(hashtext('tenure'), hashtext($1))";
    let row = conn.row(lock, &[(&chore, Type::TEXT)]).await?;
    row.map_or(Ok(false), |row| Fields::of(&row).flag("lock"))
}

#[async_trait]
impl Store for PostgresStore {
    async fn check(&self) -> Result<()> {
        // A database that can only be read serves nobody for long. Commits are relaxed by default only where a
        // pooler keeps us from setting that right for a connection.
        let sql = "SELECT current_setting('transaction_read_only') = 'on', \
             current_setting('synchronous_commit') = 'off'";
        let Some(row) = self.db.get().await?.row(sql, &[]).await? else { return Ok(()) };
        let settings = &mut Fields::of(&row);
        let unfit = |why: &str| Err(crate::StoreError::Unavailable(why.into()));
        if settings.flag("transaction_read_only")? {
            return unfit("the database can only be read");
        }
        if settings.flag("synchronous_commit")? {
            return unfit(
                "synchronous_commit is off for this role or database: sign-ins and ends could be lost",
            );
        }
        Ok(())
    }

    async fn clock(&self) -> Result<Option<Timestamp>> {
        let sql = "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint";
        let row = self.db.get().await?.row(sql, &[]).await?;
        row.map(|row| Fields::of(&row).time("clock")).transpose()
    }

    async fn clock_mark(&self) -> Result<Option<ClockMark>> {
        let row = self.db.get().await?.row(crate::row::CLOCK_MARK, &[]).await?;
        row.map(|row| crate::row::clock_mark(&mut Fields::of(&row))).transpose()
    }

    async fn clock_mark_set(&self, mark: ClockMark) -> Result<()> {
        let set = "INSERT INTO clock_mark (one, at, claimed_at) VALUES (1, $1, $2) \
             ON CONFLICT (one) DO UPDATE SET at = excluded.at, claimed_at = excluded.claimed_at";
        let claimed_at = mark.claimed_at.map(Timestamp::as_ms);
        let params: connect::Params<'_> = &[(&mark.at.as_ms(), Type::INT8), (&claimed_at, Type::INT8)];
        self.db.get().await?.execute(set, params).await.map(drop)
    }

    fn vitals(&self) -> Vitals {
        let (connections_in_use, connections_max) = self.db.in_use();
        let age = self.feed.age();
        Vitals {
            feed_age: age.map(|(age, _)| age),
            feed_live: age.is_some_and(|(_, is_live)| is_live),
            ends_restored: self.feed.ends_restored(),
            round_trips: self.db.round_trips(),
            connections_in_use,
            connections_max,
        }
    }

    async fn sweep(&self, before: Timestamp, limit: usize) -> Result<u64> {
        // Nodes read the feed several times a second; what is older than this nobody needs.
        let prune = "DELETE FROM change WHERE at < clock_timestamp() - interval '10 minutes'";
        let swept = self
            .write(async |conn| {
                if !alone(conn, "sweep").await? {
                    return Ok(0);
                }
                let swept = session::sweep(conn, before, limit).await?;
                conn.execute(prune, &[]).await?;
                Ok(swept)
            })
            .await?;
        if swept > 0 {
            self.feed.tell().await;
        }
        Ok(swept)
    }

    async fn close(&self) {
        self.feed.close().await;
        self.db.close();
    }
}
