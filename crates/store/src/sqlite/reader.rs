//! The readers: a few read-only connections for lists and for what the view does not hold.

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::{Connection, OpenFlags};
use tokio::sync::Semaphore;

use super::stamp::Hold;
use super::writer::closed;
use crate::{Result, StoreError};

/// Connections, hence reads at a time. Reads are short and hardly ever wait for the disk.
const READERS_MAX: usize = 4;

/// Most reads waiting; one more is answered `Overloaded`.
const WAITING_MAX: usize = 4096;

/// Pages that one of them keeps in memory, as SQLite counts it: negative is KiB.
const CACHE_KIB: i32 = -1024;

pub(super) struct Readers {
    pool: Arc<Pool>,
    permits: Semaphore,
    waiting: AtomicUsize,
}

struct Pool {
    path: PathBuf,
    idle: Mutex<Vec<Connection>>,
    /// Dropped after the connections.
    _hold: Arc<Hold>,
}

impl Readers {
    pub fn new(path: PathBuf, hold: Arc<Hold>) -> Self {
        let pool = Pool { path, idle: Mutex::new(Vec::new()), _hold: hold };
        Self { pool: Arc::new(pool), permits: Semaphore::new(READERS_MAX), waiting: AtomicUsize::new(0) }
    }

    /// Runs a read on a thread where it may block. Several queries see one snapshot.
    pub async fn read<T, R>(&self, read: R) -> Result<T>
    where
        T: Send + 'static,
        R: FnOnce(&Connection) -> Result<T> + Send + 'static,
    {
        let waiting = Waiting::enter(&self.waiting)?;
        let permit = self.permits.acquire().await.map_err(|_| closed())?;
        drop(waiting);
        let pool = Arc::clone(&self.pool);
        let result = tokio::task::spawn_blocking(move || pool.read(read)).await;
        drop(permit);
        result.unwrap_or_else(|broken| Err(StoreError::Unavailable(broken.to_string())))
    }

    /// Waits for the reads under way and closes the connections. Later reads are refused.
    pub async fn close(&self) {
        let everybody = u32::try_from(READERS_MAX).unwrap_or(u32::MAX);
        drop(self.permits.acquire_many(everybody).await);
        self.permits.close();
        self.pool.idle().clear();
    }
}

impl Pool {
    fn read<T>(&self, read: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        let idle = self.idle().pop();
        let mut conn = idle.map_or_else(|| connect(&self.path), Ok)?;
        let snapshot = conn.transaction()?;
        let result = read(&snapshot);
        snapshot.finish()?;
        // A connection that failed is not put back: the next one may be luckier.
        if !matches!(result, Err(StoreError::Unavailable(_))) {
            self.idle().push(conn);
        }
        result
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Connection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A read-only connection.
pub(super) fn connect(path: &std::path::Path) -> Result<Connection> {
    let conn = Connection::open_with_flags(
        path,
        // Not SQLITE_OPEN_READ_ONLY: the last connection that closes must be able to tidy up the log.
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )?;
    super::prepare(&conn)?;
    conn.pragma_update(None, "cache_size", CACHE_KIB)?;
    conn.pragma_update(None, "query_only", true)?;
    Ok(conn)
}

/// One who waits for a connection, counted.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn enter(count: &'a AtomicUsize) -> Result<Self> {
        let waiting = Self(count);
        if count.fetch_add(1, Ordering::Relaxed) >= WAITING_MAX {
            return Err(StoreError::Overloaded);
        }
        Ok(waiting)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
