//! Fills a database with users and live, remembered sessions, and writes refresh tokens for a load generator.
//!
//! Written straight into the tables, in large transactions: a million sign-ins through the store would each be
//! durable by itself. The rotation state is that of a jar whose next refresh rotates, on PostgreSQL once the
//! database has been open for longer than the settle time.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods)]

mod postgres;
mod sqlite;

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tenure_domain::id::{SessionId, UserId};
use tenure_domain::refresh_token::{RefreshClaims, mint};
use tenure_domain::rotation::Generation;
use tenure_domain::secret::{MasterSecret, RefreshKey};
use tenure_domain::time::{TimeRules, Timestamp};

const USAGE: &str = "seed --db PATH | --postgres URL --secret-file PATH --sessions N [--users M] [--jars FILE] \
     [--jar-count K] [--handed-ago-s 3600] [--password-hash PHC] [--cookie-prefix TEXT] [--seed N]";

/// What every session's generations are: signed in, refreshed once, and its head has come back.
const BASE: Generation = Generation(1);
const HEAD: Generation = Generation(2);

const USER_AGENT: &str = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) \
     Chrome/156.0.0.0 Safari/537.36";
const ADDRESS: &str = "192.0.2.1";

struct Arguments {
    db: PathBuf,
    postgres: Option<String>,
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
    let mut population = Population::new(&arguments, key, now);
    match &arguments.postgres {
        Some(url) => postgres::seed(url, &mut population, now),
        None => sqlite::seed(&arguments.db, &mut population, now),
    }
    let jars = population.finish();
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
        postgres: None,
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
            "--postgres" => arguments.postgres = Some(value),
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
    if arguments.db.as_os_str().is_empty() == arguments.postgres.is_none() {
        return Err("one of --db and --postgres is needed".into());
    }
    if arguments.secret_file.as_os_str().is_empty() {
        return Err("--secret-file is needed".into());
    }
    if arguments.users == 0 {
        arguments.users = (arguments.sessions / 2).max(1);
    }
    arguments.jar_count = arguments.jar_count.min(arguments.sessions);
    Ok(arguments)
}

/// Who is written into the database: users and their sessions, one after the other, and the tokens of some.
struct Population<'a> {
    arguments: &'a Arguments,
    key: RefreshKey,
    random: Random,
    now: Timestamp,
    users: Vec<UserId>,
    jars: Option<BufWriter<File>>,
    chosen: u64,
}

struct User {
    id: UserId,
    email: String,
    name: String,
    created_at: Timestamp,
}

struct Session {
    id: SessionId,
    user_id: UserId,
    salt: [u8; 16],
    created_at: Timestamp,
    expires_at: Timestamp,
    handed_at: Timestamp,
}

impl<'a> Population<'a> {
    fn new(arguments: &'a Arguments, key: RefreshKey, now: Timestamp) -> Self {
        let mut random = Random(arguments.seed ^ now.as_ms().unsigned_abs());
        let users = (0..arguments.users)
            // Spread over the day before, so that ids are as far apart as those of a living system.
            .map(|i| UserId::generate(spread(now, 2, i, arguments.users), random.bytes()))
            .collect();
        let jars = arguments.jars.as_deref().map(create);
        Self { arguments, key, random, now, users, jars, chosen: 0 }
    }

    fn user(&self, i: u64) -> User {
        let id = self.users[i as usize];
        // The id in the address, so that a database can be seeded twice.
        let email = format!("{}@seed.example", &id.to_string()[4..]);
        let created_at = spread(self.now, 2, i, self.arguments.users);
        User { id, email, name: format!("User {i}"), created_at }
    }

    /// Must be asked for in order, each one once.
    fn session(&mut self, i: u64) -> Session {
        let Arguments { sessions, handed_ago, jar_count, .. } = *self.arguments;
        // All sign-ins must be older than their last refresh.
        let handed_at = self.now - handed_ago;
        let created_at = spread(handed_at, 1, i, sessions);
        let session = Session {
            id: SessionId::generate(created_at, self.random.bytes()),
            user_id: self.users[(self.random.next() % self.users.len() as u64) as usize],
            salt: self.random.bytes(),
            created_at,
            expires_at: created_at + TimeRules::default().remembered_lifetime,
            handed_at,
        };
        // Each of the rest is chosen as likely as the others, and exactly so many in all.
        if self.jars.is_some() && self.random.next() % (sessions - i) < jar_count - self.chosen {
            self.write_jar(&session);
        }
        session
    }

    fn write_jar(&mut self, session: &Session) {
        let Some(jars) = &mut self.jars else { return };
        let (expires_at, nonce) = (session.expires_at, self.random.bytes());
        let claims = RefreshClaims { session_id: session.id, generation: HEAD, expires_at, nonce };
        let name = format!("{}tenure_{}", self.arguments.cookie_prefix, session.id.cookie_suffix());
        writeln!(jars, "{name}={}", mint(&self.key, &claims, &session.salt)).unwrap();
        self.chosen += 1;
    }

    /// How many jars were written.
    fn finish(mut self) -> u64 {
        if let Some(jars) = &mut self.jars {
            jars.flush().unwrap();
        }
        self.chosen
    }
}

/// A moment within the day that ended `days_ago - 1` days before `now`, later for a larger `i`.
fn spread(now: Timestamp, days_ago: u32, i: u64, of: u64) -> Timestamp {
    const DAY_MS: u64 = 86_400_000;
    now - days_ago * Duration::from_millis(DAY_MS) + Duration::from_millis(i * DAY_MS / of.max(1))
}

/// The tokens open sessions, so the file is its owner's alone.
fn create(path: &Path) -> BufWriter<File> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let mut options = std::fs::OpenOptions::new();
    let file = options.write(true).create(true).truncate(true).mode(0o600).open(path);
    BufWriter::new(file.expect("the file of jars can be made"))
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
