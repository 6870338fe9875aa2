//! Connections to PostgreSQL, and what is said on them: every statement has a time-out, and a connection that
//! somebody left in the middle of something is closed instead of given to the next one.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use deadpool_postgres::{
    Hook, HookError, Manager, ManagerConfig, Object, Pool, PoolError, RecyclingMethod, Runtime, TimeoutType,
};
use rustls::{ClientConfig, RootCertStore};
use tokio::sync::Notify;
use tokio::time::timeout;
use tokio_postgres::config::SslMode;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{AsyncMessage, Client, Config, NoTls, Row};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::PostgresOptions;
use crate::{Result, StoreError, authorities};

/// Most calls that wait for a connection; one more is answered `Overloaded`.
const WAITING_MAX: usize = 4096;

/// A peer that has vanished without a word is noticed after this long at the latest.
const PEER_SILENCE_MAX: Duration = Duration::from_secs(10);

/// A statement's parameters, with their types: then it can be sent whole, without asking for them first.
pub(super) type Params<'a> = &'a [(&'a (dyn ToSql + Sync), Type)];

/// The way to the database.
pub(super) struct Db {
    pool: Pool,
    config: Config,
    tls: Option<MakeRustlsConnect>,
    prepared: bool,
    pub statement_timeout: Duration,
    pub connect_timeout: Duration,
    round_trips: Arc<AtomicU64>,
}

impl Db {
    /// Checks the address and connects to nothing yet.
    pub fn new(options: &PostgresOptions) -> Result<Self> {
        let (config, tls) = address(options)?;
        let recycling = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        let manager = match &tls {
            Some(tls) => Manager::from_config(config.clone(), tls.clone(), recycling),
            None => Manager::from_config(config.clone(), NoTls, recycling),
        };
        let mut builder = Pool::builder(manager)
            .max_size(options.connections.max(1))
            .runtime(Runtime::Tokio1)
            .wait_timeout(Some(options.connect_timeout / 2))
            .create_timeout(Some(options.connect_timeout));
        if options.prepared {
            let settings = session_settings(options.statement_timeout);
            builder = builder.post_create(Hook::async_fn(move |client, _| {
                let settings = settings.clone();
                Box::pin(async move { client.batch_execute(&settings).await.map_err(HookError::Backend) })
            }));
        }
        let pool = builder.build().map_err(|error| StoreError::Unavailable(error.to_string()))?;
        Ok(Self {
            pool,
            config,
            tls,
            prepared: options.prepared,
            statement_timeout: options.statement_timeout,
            connect_timeout: options.connect_timeout,
            round_trips: Arc::default(),
        })
    }

    /// A connection of the pool.
    pub async fn get(&self) -> Result<Conn> {
        if self.pool.status().waiting >= WAITING_MAX {
            return Err(StoreError::Overloaded);
        }
        let object = self.pool.get().await.map_err(|error| match error {
            PoolError::Timeout(TimeoutType::Wait) => StoreError::Overloaded,
            PoolError::Backend(error) => error.into(),
            other => StoreError::Unavailable(other.to_string()),
        })?;
        Ok(self.conn(Line::Pooled(object)))
    }

    /// A connection of the pool for what can be done without: not while others wait for one.
    pub async fn get_expendable(&self) -> Result<Conn> {
        let status = self.pool.status();
        if status.waiting > status.max_size / 2 {
            return Err(StoreError::Overloaded);
        }
        self.get().await
    }

    /// A connection of its own, besides the pool's, that wakes somebody whenever the database says that
    /// something has changed, and when it breaks.
    pub async fn get_listening(&self, wake: Arc<Notify>) -> Result<Conn> {
        let connecting = async {
            let client = match &self.tls {
                Some(tls) => {
                    let (client, connection) = self.config.connect(tls.clone()).await?;
                    tokio::spawn(follow(connection, wake));
                    client
                }
                None => {
                    let (client, connection) = self.config.connect(NoTls).await?;
                    tokio::spawn(follow(connection, wake));
                    client
                }
            };
            Ok::<_, StoreError>(client)
        };
        let client =
            timeout(self.connect_timeout, connecting).await.map_err(|_| no_answer("connecting"))??;
        let mut conn = self.conn(Line::Own(client));
        if self.prepared {
            // Behind a pooler it would be some other connection that listens.
            let settings = session_settings(self.statement_timeout);
            conn.batch(&format!("{settings}; LISTEN tenure_change")).await?;
        }
        Ok(conn)
    }

    fn conn(&self, line: Line) -> Conn {
        Conn {
            line: Some(line),
            tls: self.tls.clone(),
            prepared: self.prepared,
            statement_timeout: self.statement_timeout,
            round_trips: Arc::clone(&self.round_trips),
            is_in_doubt: false,
            is_in_transaction: false,
        }
    }

    pub fn round_trips(&self) -> u64 {
        self.round_trips.load(Ordering::Relaxed)
    }

    /// How many connections are at work, and the most there may be.
    pub fn in_use(&self) -> (usize, usize) {
        let status = self.pool.status();
        (status.size.saturating_sub(status.available), status.max_size)
    }

    pub fn close(&self) {
        self.pool.close();
    }
}

/// Reads what a connection has to say until it ends.
async fn follow<S, T>(mut connection: tokio_postgres::Connection<S, T>, wake: Arc<Notify>)
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
    T: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    while let Some(Ok(message)) = std::future::poll_fn(|context| connection.poll_message(context)).await {
        if matches!(message, AsyncMessage::Notification(_)) {
            wake.notify_one();
        }
    }
    wake.notify_one();
}

/// One connection, for one call at a time.
pub(super) struct Conn {
    line: Option<Line>,
    tls: Option<MakeRustlsConnect>,
    prepared: bool,
    pub statement_timeout: Duration,
    round_trips: Arc<AtomicU64>,
    /// Something was said and its answer was not, or not well, received.
    is_in_doubt: bool,
    is_in_transaction: bool,
}

enum Line {
    Pooled(Object),
    Own(Client),
}

impl Line {
    fn client(&self) -> &Client {
        match self {
            Line::Pooled(object) => object,
            Line::Own(client) => client,
        }
    }
}

impl Conn {
    /// Runs a statement and gives its rows.
    pub async fn rows(&mut self, sql: &str, params: Params<'_>) -> Result<Vec<Row>> {
        let prepared = self.prepared;
        self.talk(async |line: &Line| match line {
            Line::Pooled(client) if prepared => {
                let statement = prepare(client, sql, params).await?;
                let values: Vec<_> = params.iter().map(|(value, _)| *value).collect();
                client.query(&statement, &values).await
            }
            line => line.client().query_typed(sql, params).await,
        })
        .await
    }

    /// Runs a statement of at most one row.
    pub async fn row(&mut self, sql: &str, params: Params<'_>) -> Result<Option<Row>> {
        Ok(self.rows(sql, params).await?.into_iter().next())
    }

    /// Runs a statement and gives the number of rows it touched.
    pub async fn execute(&mut self, sql: &str, params: Params<'_>) -> Result<u64> {
        let prepared = self.prepared;
        self.talk(async |line: &Line| match line {
            Line::Pooled(client) if prepared => {
                let statement = prepare(client, sql, params).await?;
                let values: Vec<_> = params.iter().map(|(value, _)| *value).collect();
                client.execute(&statement, &values).await
            }
            line => line.client().execute_typed(sql, params).await,
        })
        .await
    }

    /// Runs statements without parameters.
    pub async fn batch(&mut self, sql: &str) -> Result<()> {
        self.talk(async |line: &Line| line.client().batch_execute(sql).await).await
    }

    /// Until [`Conn::commit`], all or nothing. Dropped before, it is undone with its connection.
    pub async fn begin(&mut self) -> Result<()> {
        self.is_in_transaction = true;
        self.batch("BEGIN").await
    }

    pub async fn commit(&mut self) -> Result<()> {
        self.batch("COMMIT").await?;
        self.is_in_transaction = false;
        Ok(())
    }

    pub async fn roll_back(&mut self) -> Result<()> {
        self.batch("ROLLBACK").await?;
        self.is_in_transaction = false;
        Ok(())
    }

    async fn talk<T>(
        &mut self,
        say: impl AsyncFnOnce(&Line) -> std::result::Result<T, tokio_postgres::Error>,
    ) -> Result<T> {
        // Stays so if this call fails, runs out of time, or is dropped while it waits.
        self.is_in_doubt = true;
        self.round_trips.fetch_add(1, Ordering::Relaxed);
        let line = self.line.as_ref().ok_or_else(closed)?;
        match timeout(self.statement_timeout, say(line)).await {
            Ok(Ok(answer)) => {
                self.is_in_doubt = false;
                Ok(answer)
            }
            Ok(Err(error)) => Err(error.into()),
            Err(_) => Err(no_answer("a statement")),
        }
    }
}

impl Drop for Conn {
    fn drop(&mut self) {
        if !self.is_in_doubt && !self.is_in_transaction {
            // Back to the pool.
            return;
        }
        let Some(line) = self.line.take() else { return };
        if self.is_in_doubt && !line.client().is_closed() {
            cancel(line.client(), self.tls.clone());
        }
        if let Line::Pooled(object) = line {
            drop(Object::take(object));
        }
    }
}

/// Asks the server to stop what it is doing for a client that has stopped waiting: otherwise it would go on
/// waiting for a lock, and holding its own.
fn cancel(client: &Client, tls: Option<MakeRustlsConnect>) {
    let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
    let token = client.cancel_token();
    runtime.spawn(async move {
        let asking = async {
            match tls {
                Some(tls) => token.cancel_query(tls).await,
                None => token.cancel_query(NoTls).await,
            }
        };
        // Best effort: without it the server's own time-outs end the statement.
        drop(timeout(PEER_SILENCE_MAX, asking).await);
    });
}

async fn prepare(
    client: &Object,
    sql: &str,
    params: Params<'_>,
) -> std::result::Result<tokio_postgres::Statement, tokio_postgres::Error> {
    let types: Vec<_> = params.iter().map(|(_, kind)| kind.clone()).collect();
    client.prepare_typed_cached(sql, &types).await
}

/// The server ends by itself what we would not wait for, should our word for it not arrive. And a role or a database
/// whose commits are relaxed does not relax sign-ins and ends; any stricter setting stays.
fn session_settings(statement_timeout: Duration) -> String {
    let ms = statement_timeout.as_millis().max(1);
    format!(
        "SET statement_timeout = {ms}; SET lock_timeout = {}; SET idle_in_transaction_session_timeout = {}; \
         SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'",
        (ms / 2).max(1),
        ms * 5
    )
}

/// What is wrong with an address, without quoting it, since it may hold a password.
pub(super) fn read_address(url: &str) -> std::result::Result<Config, &'static str> {
    let config: Config = url.parse().map_err(|_| {
        "cannot be read: a parameter is not known here or has a value that it cannot have; known are sslmode, \
         target_session_attrs, load_balance_hosts, application_name, options, connect_timeout, keepalives and channel_binding"
    })?;
    if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
        return Err("names no host");
    }
    Ok(config)
}

fn address(options: &PostgresOptions) -> Result<(Config, Option<MakeRustlsConnect>)> {
    let mut config = read_address(&options.url)
        .map_err(|why| StoreError::Unavailable(format!("the address of PostgreSQL {why}")))?;
    config.connect_timeout(options.connect_timeout);
    config.tcp_user_timeout(PEER_SILENCE_MAX);
    config.keepalives_idle(PEER_SILENCE_MAX / 2);
    config.keepalives_interval(PEER_SILENCE_MAX / 4);
    config.keepalives_retries(2);
    if config.get_application_name().is_none() {
        config.application_name("tenure");
    }
    let tls = match config.get_ssl_mode() {
        SslMode::Disable => None,
        // Where encryption is only preferred, a server without a certificate we trust would fail instead of
        // going on in the clear: nobody who means `prefer` means that.
        SslMode::Prefer if options.ca_file.is_none() => {
            config.ssl_mode(SslMode::Disable);
            None
        }
        _ => {
            config.ssl_mode(SslMode::Require);
            Some(tls(options)?)
        }
    };
    Ok((config, tls))
}

/// TLS as it is meant: the certificate is checked, and is for this host.
fn tls(options: &PostgresOptions) -> Result<MakeRustlsConnect> {
    let failed =
        |error: &dyn std::fmt::Display| StoreError::Unavailable(format!("TLS to PostgreSQL: {error}"));
    let roots = match &options.ca_file {
        Some(path) => authorities::read(path).map_err(|error| failed(&error))?.roots,
        None => {
            let mut roots = RootCertStore::empty();
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            roots
        }
    };
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| failed(&error))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(MakeRustlsConnect::new(config))
}

pub(super) fn closed() -> StoreError {
    StoreError::Unavailable("the store is closed".into())
}

fn no_answer(what: &str) -> StoreError {
    StoreError::Unavailable(format!("no answer from PostgreSQL: {what} took too long"))
}

/// Whether somebody else's lock was in the way for too long (`lock_not_available`), or would have been for ever
/// (`deadlock_detected`).
pub(super) fn is_of_locks(error: &StoreError) -> bool {
    let codes = [SqlState::T_R_DEADLOCK_DETECTED, SqlState::LOCK_NOT_AVAILABLE];
    matches!(error, StoreError::Unavailable(why) if codes.iter().any(|code| why.starts_with(code.code())))
}

impl From<tokio_postgres::Error> for StoreError {
    fn from(error: tokio_postgres::Error) -> Self {
        let why = match (error.as_db_error(), std::error::Error::source(&error)) {
            (Some(told), _) => format!("{}: {}", told.code().code(), told.message()),
            (None, Some(source)) => format!("{error}: {source}"),
            (None, None) => error.to_string(),
        };
        StoreError::Unavailable(why)
    }
}
