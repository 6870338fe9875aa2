use std::path::Path;

use rusqlite::{Connection, Transaction, params};
use tenure_domain::time::Timestamp;
use tenure_store::sqlite::migrate;

use super::{ADDRESS, BASE, HEAD, Population, USER_AGENT};

/// Rows per transaction.
const ROWS_PER_COMMIT: u64 = 200_000;

/// Everybody has an account of their own, which is called like them.
const INSERT_ACCOUNT: &str = "INSERT INTO account (id, name, created_at) VALUES (?1, ?2, ?3)";

const INSERT_USER: &str = "INSERT INTO user (id, account_id, email, email_key, name, role, password_hash, token_version, \
     created_at) VALUES (?1, ?1, ?2, ?2, ?3, 'user', ?4, 1, ?5)";

const INSERT_SESSION: &str = "INSERT INTO session (id, user_id, salt, remembered, created_at, expires_at, base, head, \
     handed_at, healed, last_used_at, refresh_count) VALUES (?1, ?2, ?3, 1, ?4, ?5, ?6, ?7, ?8, 1, ?8, 1)";

const INSERT_DEVICE: &str =
    "INSERT INTO session_device (session_id, device_id, user_agent, address) VALUES (?1, NULL, ?2, ?3)";

pub fn seed(db: &Path, population: &mut Population<'_>, now: Timestamp) {
    migrate::up(db, now).expect("the database can be made");
    let mut conn = Connection::open(db).unwrap();
    // What is seeded can be seeded again, so it need not be flushed on the way.
    conn.execute_batch("PRAGMA synchronous = OFF; PRAGMA cache_size = -200000; PRAGMA temp_store = MEMORY")
        .unwrap();
    in_commits(&mut conn, population.arguments.users, |transaction, from, upto| {
        let mut insert_account = transaction.prepare(INSERT_ACCOUNT).unwrap();
        let mut insert = transaction.prepare(INSERT_USER).unwrap();
        for user in (from..upto).map(|i| population.user(i)) {
            let hash = &population.arguments.password_hash;
            let at = user.created_at.as_ms();
            insert_account.execute(params![user.id.as_bytes(), user.name, at]).unwrap();
            insert.execute(params![user.id.as_bytes(), user.email, user.name, hash, at]).unwrap();
        }
    });
    let indexes = drop_indexes(&conn, "session");
    in_commits(&mut conn, population.arguments.sessions, |transaction, from, upto| {
        let mut insert = transaction.prepare(INSERT_SESSION).unwrap();
        let mut insert_device = transaction.prepare(INSERT_DEVICE).unwrap();
        for session in (from..upto).map(|i| population.session(i)) {
            insert
                .execute(params![
                    session.id.as_bytes(),
                    session.user_id.as_bytes(),
                    session.salt,
                    session.created_at.as_ms(),
                    session.expires_at.as_ms(),
                    BASE.0,
                    HEAD.0,
                    session.handed_at.as_ms()
                ])
                .unwrap();
            insert_device.execute(params![session.id.as_bytes(), USER_AGENT, ADDRESS]).unwrap();
        }
    });
    for index in indexes {
        conn.execute_batch(&index).unwrap();
    }
    conn.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
}

/// Drops a table's indexes and gives the statements that make them again: sorted once, they are made in a
/// fraction of the time that a million insertions in random places take.
fn drop_indexes(conn: &Connection, table: &str) -> Vec<String> {
    let mut select = conn
        .prepare(
            "SELECT name, sql FROM sqlite_schema WHERE type = 'index' AND sql NOT NULL AND tbl_name = ?1",
        )
        .unwrap();
    let indexes: Vec<(String, String)> = select
        .query_map([table], |row| Ok((row.get(0)?, row.get(1)?)))
        .unwrap()
        .collect::<rusqlite::Result<_>>()
        .unwrap();
    drop(select);
    for (name, _) in &indexes {
        conn.execute_batch(&format!("DROP INDEX {name}")).unwrap();
    }
    indexes.into_iter().map(|(_, sql)| sql).collect()
}

fn in_commits(conn: &mut Connection, rows: u64, mut insert: impl FnMut(&Transaction<'_>, u64, u64)) {
    let mut from = 0;
    while from < rows {
        let upto = rows.min(from + ROWS_PER_COMMIT);
        let transaction = conn.transaction().unwrap();
        insert(&transaction, from, upto);
        transaction.commit().unwrap();
        from = upto;
    }
}
