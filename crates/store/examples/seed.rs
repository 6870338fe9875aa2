//! Fills a database with users and live, remembered sessions, and writes refresh tokens for a load generator.
//!
//! Written straight into the tables, in large transactions: a million sign-ins through the store would each be
//! durable by itself. The rotation state is that of a jar whose next refresh rotates.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods)]

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rusqlite::{Connection, Transaction, params};
use tenure_domain::id::{SessionId, UserId};
use tenure_domain::refresh_token::{RefreshClaims, mint};
use tenure_domain::rotation::Generation;
use tenure_domain::secret::{MasterSecret, RefreshKey};
use tenure_domain::time::{TimeRules, Timestamp};
use tenure_store::sqlite::migrate;

const USAGE: &str = "seed --db PATH --secret-file PATH --sessions N [--users M] [--jars FILE] [--jar-count K] \
     [--handed-ago-s 3600] [--password-hash PHC] [--cookie-prefix TEXT] [--seed N]";

/// Rows per transaction.
const ROWS_PER_COMMIT: u64 = 200_000;

/// What every session's generations are: signed in, refreshed once, and its head has come back.
const BASE: Generation = Generation(1);
const HEAD: Generation = Generation(2);

struct Arguments {
    db: PathBuf,
    secret_file: PathBuf,
    sessions: u64,
    users: u64,
    jars: Option<PathBuf>,
    jar_count: u64,
    handed_ago: Duration,
    password_hash: Option<String>,
    cookie_prefix: String,
    seed: u64,
}

fn main() {
    let arguments = match parse(std::env::args().skip(1)) {
        Ok(arguments) => arguments,
        Err(problem) => {
            eprintln!("{problem}\nusage: {USAGE}");
            std::process::exit(2);
        }
    };
    let started = Instant::now();
    let secret = std::fs::read_to_string(&arguments.secret_file).expect("the secret file can be read");
    let key = MasterSecret::from_text(&secret).expect("the secret file holds a master secret").refresh_key();
    let now_ms = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis();
    let now = Timestamp::from_ms(i64::try_from(now_ms).unwrap());
    migrate::up(&arguments.db, now).expect("the database can be made");
    let jars = seed(&arguments, &key, now);
    println!(
        "{} users, {} sessions, {jars} jars in {:.1} s",
        arguments.users,
        arguments.sessions,
        started.elapsed().as_secs_f64()
    );
}

fn parse(mut words: impl Iterator<Item = String>) -> Result<Arguments, String> {
    let mut arguments = Arguments {
        db: PathBuf::new(),
        secret_file: PathBuf::new(),
        sessions: 0,
        users: 0,
        jars: None,
        jar_count: 1_000,
        handed_ago: Duration::from_secs(3_600),
        password_hash: None,
        cookie_prefix: String::new(),
        seed: 1,
    };
    while let Some(word) = words.next() {
        let value = words.next().ok_or_else(|| format!("{word} needs a value"))?;
        let number = || value.parse::<u64>().map_err(|_| format!("{word} {value}: not a number"));
        match word.as_str() {
            "--db" => arguments.db = value.into(),
            "--secret-file" => arguments.secret_file = value.into(),
            "--sessions" => arguments.sessions = number()?,
            "--users" => arguments.users = number()?,
            "--jars" => arguments.jars = Some(value.into()),
            "--jar-count" => arguments.jar_count = number()?,
            "--handed-ago-s" => arguments.handed_ago = Duration::from_secs(number()?),
            "--password-hash" => arguments.password_hash = Some(value),
            "--cookie-prefix" => arguments.cookie_prefix = value,
            "--seed" => arguments.seed = number()?,
            other => return Err(format!("what is {other}?")),
        }
    }
    if arguments.db.as_os_str().is_empty() || arguments.secret_file.as_os_str().is_empty() {
        return Err("--db and --secret-file are needed".into());
    }
    if arguments.users == 0 {
        arguments.users = (arguments.sessions / 2).max(1);
    }
    arguments.jar_count = arguments.jar_count.min(arguments.sessions);
    Ok(arguments)
}

fn seed(arguments: &Arguments, key: &RefreshKey, now: Timestamp) -> u64 {
    let mut conn = Connection::open(&arguments.db).unwrap();
    // What is seeded can be seeded again, so it need not be flushed on the way.
    conn.execute_batch("PRAGMA synchronous = OFF; PRAGMA cache_size = -200000; PRAGMA temp_store = MEMORY")
        .unwrap();
    let mut random = Random(arguments.seed ^ now.as_ms().unsigned_abs());
    let users: Vec<UserId> = (0..arguments.users)
        // Spread over the day before, so that ids are as far apart as those of a living system.
        .map(|i| UserId::generate(spread(now, 2, i, arguments.users), random.bytes()))
        .collect();
    in_commits(&mut conn, arguments.users, |transaction, from, upto| {
        insert_users(transaction, arguments, &users, now, from..upto);
    });
    let mut jars = arguments.jars.as_deref().map(create);
    let mut chosen = 0;
    // All sign-ins must be older than their last refresh.
    let oldest = now - arguments.handed_ago;
    let indexes = drop_indexes(&conn, "session");
    in_commits(&mut conn, arguments.sessions, |transaction, from, upto| {
        let mut insert = transaction
            .prepare(
                "INSERT INTO session (id, user_id, salt, remembered, created_at, expires_at, base, head, \
                 handed_at, healed, last_used_at, refresh_count) \
                 VALUES (?1, ?2, ?3, 1, ?4, ?5, ?6, ?7, ?8, 1, ?8, 1)",
            )
            .unwrap();
        let mut insert_device = transaction
            .prepare(
                "INSERT INTO session_device (session_id, device_id, user_agent, address) \
                 VALUES (?1, NULL, ?2, '192.0.2.1')",
            )
            .unwrap();
        for i in from..upto {
            let created_at = spread(oldest, 1, i, arguments.sessions);
            let id = SessionId::generate(created_at, random.bytes());
            let user_id = users[(random.next() % users.len() as u64) as usize];
            let salt: [u8; 16] = random.bytes();
            let expires_at = created_at + TimeRules::default().remembered_lifetime;
            insert
                .execute(params![
                    id.as_bytes(),
                    user_id.as_bytes(),
                    salt,
                    created_at.as_ms(),
                    expires_at.as_ms(),
                    BASE.0,
                    HEAD.0,
                    oldest.as_ms()
                ])
                .unwrap();
            insert_device.execute(params![id.as_bytes(), USER_AGENT]).unwrap();
            // Each of the rest is chosen as likely as the others, and exactly so many in all.
            let is_chosen = random.next() % (arguments.sessions - i) < arguments.jar_count - chosen;
            if let Some(jars) = jars.as_mut().filter(|_| is_chosen) {
                let claims =
                    RefreshClaims { session_id: id, generation: HEAD, expires_at, nonce: random.bytes() };
                let name = format!("{}tenure_{}", arguments.cookie_prefix, id.cookie_suffix());
                writeln!(jars, "{name}={}", mint(key, &claims, &salt)).unwrap();
                chosen += 1;
            }
        }
    });
    if let Some(mut jars) = jars {
        jars.flush().unwrap();
    }
    for index in indexes {
        conn.execute_batch(&index).unwrap();
    }
    conn.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
    chosen
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

const USER_AGENT: &str = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) \
     Chrome/156.0.0.0 Safari/537.36";

fn insert_users(
    transaction: &Transaction<'_>,
    arguments: &Arguments,
    users: &[UserId],
    now: Timestamp,
    range: std::ops::Range<u64>,
) {
    let mut insert = transaction
        .prepare(
            "INSERT INTO user (id, email, email_key, name, role, password_hash, token_version, created_at) \
             VALUES (?1, ?2, ?2, ?3, 'user', ?4, 1, ?5)",
        )
        .unwrap();
    for i in range {
        // The id in the address, so that a database can be seeded twice.
        let id = users[i as usize];
        let email = format!("{}@seed.example", &id.to_string()[4..]);
        let created_at = spread(now, 2, i, arguments.users).as_ms();
        insert
            .execute(params![id.as_bytes(), email, format!("User {i}"), arguments.password_hash, created_at])
            .unwrap();
    }
}

/// A moment within the day that ended `days_ago - 1` days before `now`, later for a larger `i`.
fn spread(now: Timestamp, days_ago: u32, i: u64, of: u64) -> Timestamp {
    const DAY_MS: u64 = 86_400_000;
    now - days_ago * Duration::from_millis(DAY_MS) + Duration::from_millis(i * DAY_MS / of.max(1))
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

/// The tokens open sessions, so the file is its owner's alone.
fn create(path: &Path) -> std::io::BufWriter<std::fs::File> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let mut options = std::fs::OpenOptions::new();
    let file = options.write(true).create(true).truncate(true).mode(0o600).open(path);
    std::io::BufWriter::new(file.expect("the file of jars can be made"))
}

/// splitmix64: a seeded database needs no secrets, only variety.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn bytes<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        for chunk in bytes.chunks_mut(8) {
            chunk.copy_from_slice(&self.next().to_le_bytes()[..chunk.len()]);
        }
        bytes
    }
}
