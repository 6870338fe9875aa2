//! The writer: one thread with its own connection that groups waiting writes into one commit.
//!
//! A commit costs a flush to disk however many rows it holds, so whatever is waiting shares one. A job is
//! answered after the commit that holds it, never before. If the commit fails, all jobs of its batch are
//! answered with that failure and the next batch starts afresh.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use super::stamp::WalIndex;
use crate::{Entropy, Result, StoreError};

/// Most writes waiting; one more is answered `Overloaded`.
const WAITING_MAX: usize = 4096;

/// Most writes in one commit. More would not save much and would keep the first one waiting.
const BATCH_MAX: usize = 256;

/// Batches between two looks at the feed of changes, which grows with every end.
const BATCHES_PER_PRUNING: u32 = 1024;

/// Entries of the feed that are kept. A view that falls further behind starts over.
const CHANGES_KEPT: i64 = 10_000;

/// Frames of the write-ahead log (64 MiB of it) after which the writer moves them into the database. Everybody
/// waits meanwhile, so it should be seldom; and the longer the log, the more of its frames are of one page.
const CHECKPOINT_FRAMES: u32 = 16_000;

/// What a job writes with: a connection inside a transaction, and randomness.
pub(super) struct Tx<'a> {
    pub conn: &'a Connection,
    pub entropy: &'a dyn Entropy,
}

/// Answers a job, given how the commit went.
type Deliver = Box<dyn FnOnce(Result<()>) + Send>;

struct Job {
    /// Whether it writes more than once, and so needs a savepoint to fail alone.
    is_composed: bool,
    run: Box<dyn FnOnce(&Tx<'_>) -> Ran + Send>,
}

/// A job that has run, and is to be answered after the commit.
struct Ran {
    is_ok: bool,
    deliver: Deliver,
}

enum Message {
    Write(Job),
    Close,
}

/// The way to the writer's thread.
pub(super) struct Writer {
    queue: mpsc::Sender<Message>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Writer {
    pub fn start(
        conn: Connection,
        reconnect: impl Fn() -> Result<Connection> + Send + 'static,
        wal_index: Option<WalIndex>,
        entropy: Arc<dyn Entropy>,
    ) -> Result<Self> {
        let (queue, waiting) = mpsc::channel(WAITING_MAX);
        let desk = Desk { conn, reconnect: Box::new(reconnect), wal_index, entropy, batches: 0 };
        let thread = std::thread::Builder::new()
            .name("tenure-writer".into())
            .spawn(move || desk.work(waiting))
            .map_err(|error| StoreError::Unavailable(error.to_string()))?;
        Ok(Self { queue, thread: Mutex::new(Some(thread)) })
    }

    /// Runs a job of a single statement, which is atomic by itself.
    pub async fn write<T, W>(&self, work: W) -> Result<T>
    where
        T: Send + 'static,
        W: FnOnce(&Tx<'_>) -> Result<T> + Send + 'static,
    {
        self.submit(false, work).await
    }

    /// Runs a job of several statements: all of them, or none.
    pub async fn write_composed<T, W>(&self, work: W) -> Result<T>
    where
        T: Send + 'static,
        W: FnOnce(&Tx<'_>) -> Result<T> + Send + 'static,
    {
        self.submit(true, work).await
    }

    /// Runs a job that can be done without: it is refused while half of the room is taken by those that wait. All of
    /// its statements, or none.
    pub async fn write_expendable<T, W>(&self, work: W) -> Result<T>
    where
        T: Send + 'static,
        W: FnOnce(&Tx<'_>) -> Result<T> + Send + 'static,
    {
        if self.queue.capacity() < WAITING_MAX / 2 {
            return Err(StoreError::Overloaded);
        }
        self.submit(true, work).await
    }

    /// Writes that nobody has begun with.
    #[cfg(test)]
    pub fn waiting(&self) -> usize {
        WAITING_MAX - self.queue.capacity()
    }

    async fn submit<T, W>(&self, is_composed: bool, work: W) -> Result<T>
    where
        T: Send + 'static,
        W: FnOnce(&Tx<'_>) -> Result<T> + Send + 'static,
    {
        let (answer, answered) = oneshot::channel();
        let run = Box::new(move |tx: &Tx<'_>| {
            let outcome = work(tx);
            let is_ok = outcome.is_ok();
            // Whoever asked may have gone away meanwhile; the write stands all the same.
            let deliver: Deliver = Box::new(move |commit: Result<()>| {
                drop(answer.send(commit.and(outcome)));
            });
            Ran { is_ok, deliver }
        });
        self.queue.try_send(Message::Write(Job { is_composed, run })).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => StoreError::Overloaded,
            mpsc::error::TrySendError::Closed(_) => closed(),
        })?;
        answered.await.unwrap_or_else(|_| Err(StoreError::Unavailable("the write broke off".into())))
    }

    /// Finishes what is waiting, then closes the connection. Later writes are refused.
    pub async fn close(&self) {
        // Refused if it is closed already, and then there is only the thread to wait for.
        drop(self.queue.send(Message::Close).await);
        if let Some(thread) = self.take_thread() {
            drop(tokio::task::spawn_blocking(move || thread.join()).await);
        }
    }

    fn take_thread(&self) -> Option<JoinHandle<()>> {
        self.thread.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        // Without its sender the thread finishes what is waiting and ends. Waited for, so that the database
        // is closed when the store is gone.
        let (unconnected, _) = mpsc::channel(1);
        self.queue = unconnected;
        if let Some(thread) = self.take_thread() {
            drop(thread.join());
        }
    }
}

pub(super) fn closed() -> StoreError {
    StoreError::Unavailable("the store is closed".into())
}

// === The thread ===

struct Desk {
    conn: Connection,
    reconnect: Box<dyn Fn() -> Result<Connection> + Send>,
    wal_index: Option<WalIndex>,
    entropy: Arc<dyn Entropy>,
    batches: u32,
}

impl Desk {
    fn work(mut self, mut waiting: mpsc::Receiver<Message>) {
        let mut messages = Vec::with_capacity(BATCH_MAX);
        while waiting.blocking_recv_many(&mut messages, BATCH_MAX) > 0 {
            let mut jobs = Vec::with_capacity(messages.len());
            for message in messages.drain(..) {
                match message {
                    Message::Write(job) => jobs.push(job),
                    // What was sent before it is still received; nothing more gets in.
                    Message::Close => waiting.close(),
                }
            }
            if !jobs.is_empty() {
                self.commit(jobs);
                self.tidy();
            }
        }
        let _ = self.conn.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)");
    }

    /// Runs a batch and answers it.
    fn commit(&mut self, jobs: Vec<Job>) {
        let mut delivers = Vec::with_capacity(jobs.len());
        let committed = self.try_commit(jobs, &mut delivers);
        if committed.is_err() {
            self.roll_back();
        }
        for deliver in delivers {
            deliver(committed.clone());
        }
    }

    fn try_commit(&self, jobs: Vec<Job>, delivers: &mut Vec<Deliver>) -> Result<()> {
        let begun = self.run_statement("BEGIN IMMEDIATE");
        for job in jobs {
            // A full disk or an I/O error may have undone the whole transaction: a statement after it would
            // commit by itself, and those before it are gone. The jobs are dropped, which answers them.
            if begun.is_err() || self.conn.is_autocommit() {
                continue;
            }
            if let Some(deliver) = self.run_job(job) {
                delivers.push(deliver);
            }
        }
        begun?;
        if self.conn.is_autocommit() {
            return Err(StoreError::Unavailable("the database undid the transaction".into()));
        }
        self.run_statement("COMMIT")
    }

    /// None if the job has failed in a way that answers it at once: it panicked.
    fn run_job(&self, job: Job) -> Option<Deliver> {
        let tx = Tx { conn: &self.conn, entropy: self.entropy.as_ref() };
        if job.is_composed {
            self.run_statement("SAVEPOINT job").ok()?;
        }
        // A job that panics is a bug in that job. It gets no answer but the broken channel, and must not take
        // everybody's writer with it.
        let ran = catch_unwind(AssertUnwindSafe(|| (job.run)(&tx))).ok();
        if job.is_composed && !self.conn.is_autocommit() {
            if !ran.as_ref().is_some_and(|ran| ran.is_ok) {
                self.run_statement("ROLLBACK TO job").ok()?;
            }
            self.run_statement("RELEASE job").ok()?;
        }
        ran.map(|ran| ran.deliver)
    }

    fn run_statement(&self, sql: &str) -> Result<()> {
        self.conn.prepare_cached(sql)?.execute(())?;
        Ok(())
    }

    /// Leaves the failed transaction; a connection that cannot even do that is replaced.
    fn roll_back(&mut self) {
        if !self.conn.is_autocommit() && self.run_statement("ROLLBACK").is_err() {
            match (self.reconnect)() {
                Ok(conn) => self.conn = conn,
                Err(error) => tracing::error!(%error, "the writer cannot connect to the database again"),
            }
        }
    }

    /// Housekeeping between batches, when nobody holds the database. What fails is tried again next time.
    fn tidy(&mut self) {
        self.batches = self.batches.wrapping_add(1);
        if self.batches.is_multiple_of(BATCHES_PER_PRUNING) {
            let upto = "DELETE FROM change WHERE seq <= (SELECT max(seq) FROM change) - ?1";
            let _ = self.conn.execute(upto, [CHANGES_KEPT]);
        }
        if self.wal_index.as_ref().and_then(WalIndex::frames).is_some_and(|n| n >= CHECKPOINT_FRAMES) {
            let _ = self.conn.execute_batch("PRAGMA wal_checkpoint(PASSIVE)");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Zeros;

    impl Entropy for Zeros {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(0);
        }
    }

    fn connection() -> Connection {
        let conn = Connection::open_in_memory().unwrap();
        conn.execute_batch("CREATE TABLE t (x INTEGER NOT NULL UNIQUE)").unwrap();
        conn
    }

    fn writer() -> Writer {
        Writer::start(connection(), || Ok(connection()), None, Arc::new(Zeros)).unwrap()
    }

    fn insert(tx: &Tx<'_>, x: i64) -> Result<()> {
        tx.conn.execute("INSERT INTO t VALUES (?1)", [x])?;
        Ok(())
    }

    async fn stored(writer: &Writer) -> Vec<i64> {
        let all = |tx: &Tx<'_>| {
            let mut statement = tx.conn.prepare("SELECT x FROM t ORDER BY x")?;
            let rows = statement.query_map((), |row| row.get(0))?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        };
        writer.write(all).await.unwrap()
    }

    #[tokio::test]
    async fn a_job_that_panics_or_fails_takes_back_its_own_writes_and_nobody_elses() {
        let writer = writer();
        let (before, panicked, failed, after) = tokio::join!(
            writer.write(|tx| insert(tx, 1)),
            writer.write_composed(|tx| {
                insert(tx, 2)?;
                panic!("a bug in one job");
                #[allow(unreachable_code)]
                Ok(())
            }),
            writer.write_composed(|tx| {
                insert(tx, 3)?;
                insert(tx, 1)
            }),
            writer.write_composed(|tx| insert(tx, 4)),
        );
        assert!(before.is_ok() && after.is_ok());
        let is_unavailable = |result: Result<()>| matches!(result, Err(StoreError::Unavailable(_)));
        assert!(is_unavailable(panicked) && is_unavailable(failed));
        assert_eq!(stored(&writer).await, [1, 4]);
    }

    #[tokio::test]
    async fn a_write_whose_caller_has_gone_stands() {
        let writer = writer();
        let (started, start) = std::sync::mpsc::channel::<()>();
        let mut abandoned = Box::pin(writer.write(move |tx| {
            let _ = start.recv();
            insert(tx, 1)
        }));
        let waker = std::task::Waker::noop();
        assert!(abandoned.as_mut().poll(&mut std::task::Context::from_waker(waker)).is_pending());
        drop(abandoned);
        drop(started);
        assert_eq!(stored(&writer).await, [1]);
    }

    #[tokio::test]
    async fn a_transaction_left_open_by_a_job_does_not_outlive_its_batch() {
        let writer = writer();
        let ended_early = writer.write(|tx| {
            insert(tx, 1)?;
            tx.conn.execute_batch("ROLLBACK")?;
            Ok(())
        });
        assert!(matches!(ended_early.await, Err(StoreError::Unavailable(_))));
        writer.write(|tx| insert(tx, 2)).await.unwrap();
        assert_eq!(stored(&writer).await, [2]);
    }
}
