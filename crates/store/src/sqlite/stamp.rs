//! The stamp: what tells the view that nobody has committed anything, for the price of one `pread`.
//!
//! In WAL mode every process keeps the header of the WAL index in shared memory, which on Unix is the file
//! `<database>-shm` (<https://sqlite.org/walformat.html>, section 2.1). A commit, whoever makes it, rewrites
//! the 48 bytes of that header: a change counter, the number of frames, their running checksum, and more. It
//! does so after the frames are durable and before COMMIT returns, so a commit that has been answered is in
//! the header. A read that tears gives a mixture that differs from the header before and after it, hence one
//! needless reading of the feed.
//!
//! The stamp is a short cut and nothing rests on it alone: where the file is missing or its layout is not the
//! one we know, there is no stamp and the feed is read every time.
//!
//! # Why files are shared within the process
//!
//! SQLite holds POSIX locks on this file, and closing *any* descriptor of a file drops all locks that the
//! process has on it. So ours is closed only after the last connection that this process has to the database:
//! every connection holds a [`Hold`], taken before it opens. Two stores on one file in one process (tests do
//! that) share the hold.

use std::collections::HashMap;
use std::fs::File;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use crate::view::Stamp;

/// `iVersion` of the only layout we know.
const LAYOUT: u32 = 3_007_000;

/// Which databases this process holds, by path, with the index files it has opened for them.
static HELD: LazyLock<Mutex<HashMap<PathBuf, Held>>> = LazyLock::new(Mutex::default);

#[derive(Default)]
struct Held {
    holds: usize,
    indexes: Vec<Arc<File>>,
}

/// Keeps the index files of a database from being closed.
pub(super) struct Hold {
    path: PathBuf,
}

/// The WAL index of a database, open for reading.
#[derive(Clone)]
pub(super) struct WalIndex {
    file: Arc<File>,
    /// Dropped after `file`, so that the last descriptor is closed by the hold.
    _hold: Arc<Hold>,
}

impl Hold {
    pub fn of(database: &Path) -> Arc<Self> {
        // One file must have one entry however its path is spelt. A file that is yet to be created has no
        // canonical path, but its folder does.
        let canonical = database.canonicalize().or_else(|_| {
            let folder = database.parent().filter(|folder| !folder.as_os_str().is_empty());
            let folder = folder.unwrap_or(Path::new(".")).canonicalize()?;
            Ok::<_, std::io::Error>(folder.join(database.file_name().unwrap_or_default()))
        });
        let path = canonical.unwrap_or_else(|_| database.to_owned());
        held().entry(path.clone()).or_default().holds += 1;
        Arc::new(Self { path })
    }

    /// The index file, if there is one that we understand. Ask after a connection has been opened.
    pub fn wal_index(self: &Arc<Self>) -> Option<WalIndex> {
        let mut name = self.path.clone().into_os_string();
        name.push("-shm");
        let mut held = held();
        let indexes = &mut held.get_mut(&self.path)?.indexes;
        // The file that lies there now: an earlier one of that name may have been deleted since.
        let present = std::fs::metadata(&name).ok()?;
        let is_present = |file: &Arc<File>| {
            file.metadata().is_ok_and(|of| of.ino() == present.ino() && of.dev() == present.dev())
        };
        let file = match indexes.iter().find(|file| is_present(file)) {
            Some(file) => Arc::clone(file),
            None => {
                let file = Arc::new(File::open(&name).ok()?);
                indexes.push(Arc::clone(&file));
                file
            }
        };
        let index = WalIndex { file, _hold: Arc::clone(self) };
        index.stamp().is_some().then_some(index)
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        // Under the lock, so that nobody opens a connection while the files are being closed.
        let mut held = held();
        if let Some(entry) = held.get_mut(&self.path) {
            entry.holds -= 1;
            if entry.holds == 0 {
                held.remove(&self.path);
            }
        }
    }
}

fn held() -> std::sync::MutexGuard<'static, HashMap<PathBuf, Held>> {
    HELD.lock().unwrap_or_else(PoisonError::into_inner)
}

impl WalIndex {
    /// The header as it is now; none if it is not what we know.
    pub fn stamp(&self) -> Option<Stamp> {
        let mut header: Stamp = [0; 48];
        let length = self.file.read_at(&mut header, 0).ok()?;
        let is_init = header[12] == 1;
        (length == header.len() && word(&header, 0) == LAYOUT && is_init).then_some(header)
    }

    /// How many frames the log holds.
    pub fn frames(&self) -> Option<u32> {
        self.stamp().map(|header| word(&header, 16))
    }
}

/// A number of the header: in the byte order of the machine, as the memory is never shared with another.
fn word(header: &Stamp, at: usize) -> u32 {
    u32::from_ne_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]])
}

#[cfg(test)]
mod tests {
    use super::*;
    use rusqlite::Connection;

    fn database() -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.db");
        (folder, path)
    }

    fn wal(path: &Path) -> Connection {
        let conn = Connection::open(path).unwrap();
        conn.execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF; CREATE TABLE IF NOT EXISTS t (x)",
        )
        .unwrap();
        conn
    }

    #[test]
    fn the_stamp_moves_with_every_commit_and_with_nothing_else() {
        let (_folder, path) = database();
        let hold = Hold::of(&path);
        let (ours, theirs) = (wal(&path), wal(&path));
        let index = hold.wal_index().unwrap();
        let mut last = index.stamp();
        for i in 0..2_000 {
            assert_eq!(index.stamp(), last);
            let conn = if i % 2 == 0 { &ours } else { &theirs };
            conn.execute("INSERT INTO t VALUES (?1)", [i]).unwrap();
            assert_ne!(index.stamp(), last, "commit {i}");
            last = index.stamp();
            conn.query_row("SELECT count(*) FROM t", (), |row| row.get::<_, i64>(0)).unwrap();
        }
        theirs.execute_batch("PRAGMA wal_checkpoint(TRUNCATE); INSERT INTO t VALUES (0)").unwrap();
        assert_ne!(index.stamp(), last);
    }

    #[test]
    fn a_file_that_is_no_wal_index_gives_no_stamp() {
        let (folder, path) = database();
        let hold = Hold::of(&path);
        assert!(hold.wal_index().is_none());
        std::fs::write(folder.path().join("a.db-shm"), [7; 4096]).unwrap();
        assert!(hold.wal_index().is_none());
        std::fs::write(folder.path().join("a.db-shm"), [7; 12]).unwrap();
        assert!(hold.wal_index().is_none());
    }

    #[test]
    fn holds_of_one_file_share_its_index_and_the_last_one_closes_it() {
        let (_folder, path) = database();
        let conn = wal(&path);
        let spelt_otherwise = path.parent().unwrap().join(".").join("a.db");
        let (one, two) = (Hold::of(&path), Hold::of(&spelt_otherwise));
        let (first, second) = (one.wal_index().unwrap(), two.wal_index().unwrap());
        assert!(Arc::ptr_eq(&first.file, &second.file));
        let key = one.path.clone();
        drop((first, one));
        assert_eq!(held().get(&key).unwrap().indexes.len(), 1);
        drop((second, two));
        drop(conn);
        assert!(held().get(&key).is_none());
    }
}
