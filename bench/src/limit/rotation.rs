use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, params};

use crate::clock;
use crate::failure::{Context as _, Failure, Result};
use crate::random::Random;

/// Rotations in one commit.
const BATCH: usize = 64;

/// As wide as Tenure's session table and without its indexes, which a rotation does not touch.
const SCHEMA: &str = "
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = FULL;
    PRAGMA wal_autocheckpoint = 4000;
    PRAGMA cache_size = -8192;
    CREATE TABLE session (
        id BLOB NOT NULL PRIMARY KEY, user_id BLOB NOT NULL, salt BLOB NOT NULL,
        remembered INTEGER NOT NULL, created_at INTEGER NOT NULL, expires_at INTEGER NOT NULL,
        base INTEGER NOT NULL, head INTEGER NOT NULL, handed_at INTEGER NOT NULL,
        healed INTEGER NOT NULL, contested_at INTEGER,
        last_used_at INTEGER NOT NULL, refresh_count INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;";

const INSERT: &str = "INSERT INTO session VALUES (?1, ?1, ?1, 1, ?2, ?3, 0, 1, ?2, 0, NULL, ?2, 0)";

/// The compare-and-swap of protocol.md section 4.
const ROTATE: &str = "
    UPDATE session SET base = ?2, head = ?3, handed_at = ?4, healed = 0, contested_at = NULL,
        last_used_at = ?4, refresh_count = refresh_count + 1
    WHERE id = ?1 AND base = ?5 AND head = ?6 AND handed_at = ?7 AND healed = 0
        AND contested_at IS NULL";

const CREATED_AT: i64 = 1_700_000_000_000;

/// A table of sessions that is rotated as fast as one writer can, in grouped and durable commits.
pub struct Rotations {
    connection: Connection,
    random: Random,
    /// Each session's `head`; `base` and `handed_at` follow from it.
    heads: Vec<u32>,
}

// === impl Rotations ===

impl Rotations {
    pub fn prepare(file: &Path, sessions: usize) -> Result<Self> {
        let mut connection = Connection::open(file).context(file.display())?;
        connection.execute_batch(SCHEMA).context("schema")?;
        let filling = connection.transaction().context("fill")?;
        {
            let mut insert = filling.prepare(INSERT).context("fill")?;
            for n in 0..sessions {
                insert.execute(params![id(n), CREATED_AT, CREATED_AT + 1_728_000_000]).context("fill")?;
            }
        }
        filling.commit().context("fill")?;
        connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").context("checkpoint")?;
        Ok(Self { connection, random: Random::new(7), heads: vec![1; sessions] })
    }

    /// Rotations per second over `time`.
    pub fn per_second(&mut self, time: Duration) -> Result<f64> {
        let began = clock::now();
        let mut count = 0u32;
        loop {
            self.commit_batch().context("rotate")?;
            count += u32::try_from(BATCH).unwrap_or(0);
            let elapsed = clock::now() - began;
            if elapsed >= time {
                return Ok(f64::from(count) / elapsed.as_secs_f64());
            }
        }
    }

    fn commit_batch(&mut self) -> Result<()> {
        let connection = &self.connection;
        let run = |sql: &str| connection.prepare_cached(sql).and_then(|mut statement| statement.execute(()));
        run("BEGIN IMMEDIATE").context("begin")?;
        let mut rotate = connection.prepare_cached(ROTATE).context("prepare")?;
        for _ in 0..BATCH {
            let n = self.random.below(self.heads.len());
            let head = self.heads[n];
            let changed = rotate
                .execute(params![id(n), head, head + 1, handed_at(head + 1), head - 1, head, handed_at(head)])
                .context("update")?;
            if changed != 1 {
                return Err(Failure(format!("the swap changed {changed} rows")));
            }
            self.heads[n] = head + 1;
        }
        run("COMMIT").context("commit")?;
        Ok(())
    }
}

fn handed_at(head: u32) -> i64 {
    CREATED_AT + i64::from(head - 1) * 90_000
}

/// Like a UUIDv7: grows with time at the front, random behind.
fn id(n: usize) -> [u8; 16] {
    let mut bytes = [0; 16];
    let n = n as u64;
    bytes[..8].copy_from_slice(&n.to_be_bytes());
    bytes[8..].copy_from_slice(&Random::new(n).draw().to_be_bytes());
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_swap_finds_its_row_as_it_left_it() {
        let folder = tempfile::tempdir().unwrap();
        let mut rotations = Rotations::prepare(&folder.path().join("limit.db"), 100).unwrap();
        assert!(rotations.per_second(Duration::from_millis(50)).unwrap() > 0.0);
        let sum: i64 = rotations
            .connection
            .query_row("SELECT sum(head - 1) FROM session WHERE base = head - 1", (), |row| row.get(0))
            .unwrap();
        let counted: u32 = rotations.heads.iter().map(|head| head - 1).sum();
        assert_eq!(sum, i64::from(counted));
    }
}
