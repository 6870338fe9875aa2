//! What commands open: the data folder, the configuration, the master secret, the store.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tenure_domain::email::Email;
use tenure_domain::ends::Actor;
use tenure_domain::id::UserId;
use tenure_domain::secret::MasterSecret;
use tenure_domain::time::Timestamp;
use tenure_store::ephemeral::Redis;
use tenure_store::postgres::{self, PostgresOptions, PostgresStore};
use tenure_store::sqlite::{SqliteOptions, SqliteStore};
use tenure_store::{Decree, Entropy as _, Fanout, Store, StoreError};

use super::{Failure, Global};
use crate::clock::{SystemClock, SystemEntropy};
use crate::config::{Config, Settled, Sources};

/// Connections to PostgreSQL of a command that ends soon.
const CONNECTIONS_OF_A_COMMAND: usize = 2;

/// The master secret's file in the data folder, in development.
const SECRET_FILE: &str = "secret";

impl Global {
    pub fn sources(&self) -> Sources {
        Sources::from_process(self.config.clone(), self.dev)
    }

    pub fn settled(&self, sources: &Sources) -> Result<Settled, Failure> {
        Ok(Config::load(sources)?.settle(self.dev)?)
    }

    /// The configuration as far as it says where things are kept, so that commands work beside any server.
    pub fn config(&self) -> Result<Config, Failure> {
        let config = Config::load(&self.sources())?;
        match config.store_faults(self.dev) {
            faults if faults.is_empty() => Ok(config),
            faults => Err(Failure::Usage(faults.join("\n"))),
        }
    }

    /// The database's file, where the store is SQLite.
    pub fn file(&self, config: &Config) -> PathBuf {
        self.data.join(&config.store.sqlite)
    }

    /// Opens a database that must already be there: a mistyped folder is an error, not a fresh database. One on
    /// PostgreSQL must be up to date too: to look at sessions is no reason to change a schema that others use.
    pub async fn open_store(&self) -> Result<Arc<dyn Store>, Failure> {
        let config = self.config()?;
        if config.postgres.url.is_empty() {
            let path = self.file(&config);
            if !path.is_file() {
                let hint = "start `tenure serve` once, or name the folder with --data";
                return Err(Failure::Unreachable(format!("no database at {}; {hint}", path.display())));
            }
            return open_file(path);
        }
        if let Some(missing) = postgres::migrate::plan(&postgres_options(&config)).await?.first() {
            let (url, number) = (&config.postgres.url, missing.number);
            let hint = "start `tenure serve` once, or run `tenure migrate up`";
            return Err(Failure::Unreachable(format!("{url} lacks migration {number:04}; {hint}")));
        }
        let mut options = postgres_options(&config);
        options.connections = options.connections.min(CONNECTIONS_OF_A_COMMAND);
        Ok(Arc::new(PostgresStore::new(options)?))
    }

    /// Whether there is a database to open: a file, or tables of ours in PostgreSQL.
    pub async fn has_store(&self, config: &Config) -> Result<bool, Failure> {
        if config.postgres.url.is_empty() {
            return Ok(self.file(config).is_file());
        }
        let missing = postgres::migrate::plan(&postgres_options(config)).await?;
        Ok(missing.first().is_none_or(|first| first.number > 1))
    }

    /// Opens the database, and makes or migrates it as needed. On PostgreSQL nothing is kept on this machine.
    pub async fn open_or_make_store(&self, config: &Config) -> Result<Arc<dyn Store>, Failure> {
        if config.postgres.url.is_empty() {
            self.make_folder()?;
            return open_file(self.file(config));
        }
        Ok(open_postgres(config, None).await?)
    }

    fn make_folder(&self) -> Result<(), Failure> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.data).map_err(|error| {
            Failure::Unreachable(format!("the data folder {} cannot be made: {error}", self.data.display()))
        })
    }

    /// The master secret: from the environment, or in development from the data folder, where it is made on
    /// first use.
    pub fn master_secret(&self, sources: &Sources) -> Result<MasterSecret, Failure> {
        if let Some(secret) = self.secret_at_hand(sources)? {
            return Ok(secret);
        }
        self.make_folder()?;
        make_secret(&self.data.join(SECRET_FILE))
    }

    /// The master secret for a command that only reads, which makes none.
    pub fn master_secret_to_read(&self, sources: &Sources) -> Result<MasterSecret, Failure> {
        let missing = || format!("there is no master secret at {}", self.data.join(SECRET_FILE).display());
        self.secret_at_hand(sources)?.ok_or_else(|| Failure::Unreachable(missing()))
    }

    /// The master secret, unless in development there is none yet. Whoever can write to the folder can put one
    /// there, so that it counts only where somebody says that it is one for development.
    fn secret_at_hand(&self, sources: &Sources) -> Result<Option<MasterSecret>, Failure> {
        if let Some(text) = sources.reserved("SECRET")? {
            return parse_secret("TENURE_SECRET", &text).map(Some);
        }
        let path = self.data.join(SECRET_FILE);
        if !self.dev {
            let hint = match path.is_file() {
                true => format!("add --dev to take the one for development at {}", path.display()),
                false => "make one with `tenure config secret`".to_owned(),
            };
            return Err(Failure::Usage(format!("TENURE_SECRET (or TENURE_SECRET_FILE) is not set; {hint}")));
        }
        match fs::read_to_string(&path) {
            Ok(text) => parse_secret(&path.display().to_string(), &text).map(Some),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Failure::Unreachable(format!("{} cannot be read: {error}", path.display()))),
        }
    }

    /// Earlier master secrets, newest first, separated by commas.
    pub fn previous_secrets(sources: &Sources) -> Result<Vec<MasterSecret>, Failure> {
        let text = sources.reserved("SECRET_PREVIOUS")?.unwrap_or_default();
        let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
        parts.map(|part| parse_secret("TENURE_SECRET_PREVIOUS", part)).collect()
    }

    /// Who ends things from this command line.
    /// By whose decision this command changes something, and why.
    pub fn decree(&self, reason: String) -> Decree {
        Decree { actor: self.actor(), reason: Some(reason) }
    }

    pub fn actor(&self) -> Actor {
        let login = || std::env::var("USER").or_else(|_| std::env::var("LOGNAME")).ok();
        Actor::Admin(self.actor.clone().or_else(login).unwrap_or_else(|| "command-line".into()))
    }
}

pub fn now() -> Timestamp {
    SystemClock.now()
}

/// A user's id, by itself (they may be deleted, and their sessions still explain themselves) or by e-mail.
pub async fn user_id(store: &dyn Store, text: &str) -> Result<UserId, Failure> {
    if text.starts_with("usr_") {
        return text.parse().map_err(|error| Failure::Usage(format!("{text}: {error}")));
    }
    let email = Email::parse(text).map_err(|error| Failure::Usage(format!("{text}: {error}")))?;
    let user = store.user_find_by_email(email.key()).await?;
    user.map(|user| user.id).ok_or_else(|| Failure::Finding(format!("there is no user {text}")))
}

/// A fresh master secret.
pub fn draw_secret() -> MasterSecret {
    let mut bytes = [0; 32];
    SystemEntropy.fill(&mut bytes);
    MasterSecret::from_bytes(bytes)
}

fn open_file(path: PathBuf) -> Result<Arc<dyn Store>, Failure> {
    let options = SqliteOptions::new(path, Arc::new(SystemEntropy), now());
    Ok(Arc::new(SqliteStore::open(options)?))
}

/// Opens the database on PostgreSQL, and migrates it as needed.
///
/// `redis` wakes the other nodes, besides the database's own way.
pub async fn open_postgres(config: &Config, redis: Option<&Redis>) -> Result<Arc<dyn Store>, StoreError> {
    let mut options = postgres_options(config);
    options.fanout = redis.map(|redis| Arc::new(redis.clone()) as Arc<dyn Fanout>);
    Ok(Arc::new(PostgresStore::open(options).await?))
}

/// What nodes share and may lose, if the configuration says where it is. Connects to nothing yet.
pub fn redis(config: &Config) -> Result<Option<Redis>, Failure> {
    let section = &config.redis;
    if section.url.is_empty() {
        return Ok(None);
    }
    let redis = Redis::new(section.url.expose(), section.authorities(), section.timeout.0);
    redis.map(Some).map_err(Failure::Usage)
}

/// How to reach PostgreSQL, from a configuration that says where it is.
pub fn postgres_options(config: &Config) -> PostgresOptions {
    let section = &config.postgres;
    let mut options = PostgresOptions::new(section.url.expose().to_owned(), Arc::new(SystemEntropy), now());
    options.connections = section.connections;
    // Nobody waits longer for an answer than a request may take.
    options.statement_timeout = section.statement_timeout.0.min(config.server.request_timeout.0);
    options.connect_timeout = section.connect_timeout.0.min(config.server.request_timeout.0);
    options.ca_file = section.authorities().map(Path::to_owned);
    options.prepared = section.prepared;
    options
}

fn parse_secret(name: &str, text: &str) -> Result<MasterSecret, Failure> {
    MasterSecret::from_text(text).map_err(|error| Failure::Usage(format!("{name}: {error}")))
}

/// Writes the secret whole or not at all, readable by its owner alone.
fn make_secret(path: &Path) -> Result<MasterSecret, Failure> {
    let failed = |error: std::io::Error| {
        Failure::Unreachable(format!("the master secret cannot be written to {}: {error}", path.display()))
    };
    let secret = draw_secret();
    let partial = path.with_extension("partial");
    let _ = fs::remove_file(&partial);
    let mut file =
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(&partial).map_err(failed)?;
    file.write_all(secret.to_text().expose().as_bytes()).and_then(|()| file.sync_all()).map_err(failed)?;
    fs::rename(&partial, path).map_err(failed)?;
    Ok(secret)
}
