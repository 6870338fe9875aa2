//! The one connection: made, watched, given up at the first sign of trouble, and made anew.
//!
//! There is a connection or there is none, and that is the circuit: calls without one are answered at once. A
//! connection on which anything went wrong is dropped with whatever waits on it, so nothing piles up before a
//! Redis that stalls, and one whose machine has vanished is not waited for.

use std::fmt::Display;
use std::hash::{BuildHasher as _, RandomState};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{
    AsyncConnectionConfig, Client, ConnectionAddr, ConnectionInfo, IntoConnectionInfo as _, ProtocolVersion,
    PushInfo, PushKind, RedisResult, TlsCertificates,
};
use tokio::sync::Notify;

use super::fanout;
use crate::authorities;

/// How long making a connection may take. Nobody waits for it.
const CONNECT: Duration = Duration::from_secs(1);

/// Longest pause before the next attempt at a connection; each is drawn from half of it to all of it, so that
/// nodes which lost Redis together do not come back together.
const PAUSE: Duration = Duration::from_secs(1);

/// Between two looks at a connection that nobody may be using.
const HEARTBEAT: Duration = Duration::from_secs(1);

/// Reads an address, and asks for the protocol in which wake-up calls come over the same connection.
pub(super) fn address(url: &str) -> Result<ConnectionInfo, String> {
    let info = url.into_connection_info().map_err(|error| {
        format!("is no address such as redis://:password@host:6379/0 or rediss://host ({})", error.category())
    })?;
    let settings = info.redis_settings().clone().set_protocol(ProtocolVersion::RESP3);
    Ok(info.set_redis_settings(settings))
}

pub(super) fn is_encrypted(address: &ConnectionInfo) -> bool {
    matches!(address.addr(), ConnectionAddr::TcpTls { .. })
}

/// What connects, by TLS if the address says so. Its cryptography is not chosen here: the crate takes the one that rustls
/// was compiled with, which is the one that PostgreSQL's connections have.
pub(super) fn client(url: &str, ca_file: Option<&Path>) -> Result<Client, String> {
    let address = address(url).map_err(|why| format!("the address of Redis {why}"))?;
    let failed = |error: &dyn Display| format!("TLS to Redis: {error}");
    let Some(path) = ca_file else { return Client::open(address).map_err(|error| failed(&error)) };
    let authorities = authorities::read(path).map_err(|error| failed(&error))?;
    // In place of the system's. An address that does not say `rediss` is an error here, and not a word in the clear.
    let trusted = TlsCertificates { client_tls: None, root_cert: Some(authorities.pem) };
    Client::build_with_tls(address, trusted).map_err(|error| failed(&error))
}

/// What calls and the keeper of the connection share.
pub(super) struct Link {
    timeout: Duration,
    live: Mutex<Option<Live>>,
    /// The connection was given up.
    lost: Notify,
    timeouts: AtomicU64,
    /// Somebody has told of a change, or may have.
    pub heard: Notify,
    /// There is a change to tell of.
    pub to_tell: Notify,
}

#[derive(Clone)]
struct Live {
    number: u64,
    connection: MultiplexedConnection,
    life: Arc<str>,
}

impl Link {
    pub fn new(timeout: Duration) -> Self {
        Self {
            timeout,
            live: Mutex::default(),
            lost: Notify::new(),
            timeouts: AtomicU64::new(0),
            heard: Notify::new(),
            to_tell: Notify::new(),
        }
    }

    pub fn is_up(&self) -> bool {
        self.live().is_some()
    }

    pub fn timeouts(&self) -> u64 {
        self.timeouts.load(Ordering::Relaxed)
    }

    /// One exchange with Redis. None: it is not there, did not answer in time, or answered with an error; then
    /// this connection serves nobody any more.
    pub async fn call<T, F>(&self, exchange: impl FnOnce(MultiplexedConnection) -> F) -> Option<T>
    where
        F: Future<Output = RedisResult<T>>,
    {
        self.call_in_life(|connection, _| exchange(connection)).await
    }

    /// The same for what must not outlive the process of Redis, whose name in this life it is given.
    pub async fn call_in_life<T, F>(
        &self,
        exchange: impl FnOnce(MultiplexedConnection, Arc<str>) -> F,
    ) -> Option<T>
    where
        F: Future<Output = RedisResult<T>>,
    {
        let Live { number, connection, life } = self.live().clone()?;
        let trouble = match tokio::time::timeout(self.timeout, exchange(connection, life)).await {
            Ok(Ok(answer)) => return Some(answer),
            Ok(Err(error)) => error.to_string(),
            Err(_elapsed) => {
                self.timeouts.fetch_add(1, Ordering::Relaxed);
                format!("no answer within {} ms", self.timeout.as_millis())
            }
        };
        self.give_up(number, &trouble);
        None
    }

    /// Takes a connection out of use, the first time that somebody says so.
    fn give_up(&self, number: u64, trouble: &str) {
        if self.live().take_if(|live| live.number == number).is_some() {
            tracing::warn!(trouble, "Redis is not used until it answers again; limits are this node's alone");
            self.lost.notify_one();
        }
    }

    fn live(&self) -> MutexGuard<'_, Option<Live>> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Keeps a connection for as long as the handle lives. Never returns.
pub(super) async fn keep(link: Arc<Link>, client: Client) {
    let mut has_complained = false;
    for number in 1.. {
        match connect(&link, &client, number).await {
            Ok(live) => {
                *link.live() = Some(live);
                tracing::info!("Redis answers");
                has_complained = false;
                // Nobody knows what was told while there was no connection.
                link.heard.notify_one();
                watch(&link).await;
            }
            Err(trouble) if !has_complained => {
                tracing::warn!(trouble, "Redis does not answer; it is tried again until it does");
                has_complained = true;
            }
            Err(_) => {}
        }
        tokio::time::sleep(pause()).await;
    }
}

/// A connection that has shown that it can be used.
async fn connect(link: &Arc<Link>, client: &Client, number: u64) -> Result<Live, String> {
    let pushed = {
        let link = Arc::downgrade(link);
        move |push: PushInfo| {
            let Some(link) = link.upgrade() else { return Err(()) };
            match push.kind {
                PushKind::Message => link.heard.notify_one(),
                PushKind::Disconnection => link.give_up(number, "the connection was closed"),
                _ => {}
            }
            Ok(())
        }
    };
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(CONNECT))
        .set_response_timeout(None)
        .set_push_sender(pushed);
    let make = async {
        let mut connection = client.get_multiplexed_async_connection_with_config(&config).await?;
        connection.subscribe(fanout::channel()).await?;
        let life = life(&mut connection).await;
        Ok::<_, redis::RedisError>((connection, life))
    };
    let made = tokio::time::timeout(CONNECT, make).await;
    let (connection, life) = made.map_err(|_elapsed| "no answer".to_owned())?.map_err(|e| e.to_string())?;
    let tried = tokio::time::timeout(link.timeout, try_out(connection.clone())).await;
    tried.map_err(|_elapsed| "it is too slow".to_owned())?.map_err(|e| e.to_string())?;
    Ok(Live { number, connection, life })
}

/// What Redis calls this run of its process. A snapshot can only be restored by starting another.
async fn life(connection: &mut MultiplexedConnection) -> Arc<str> {
    let info: RedisResult<String> = redis::cmd("INFO").arg("server").query_async(connection).await;
    let named = |info: &str| info.lines().find_map(|line| line.strip_prefix("run_id:").map(Arc::from));
    // A service that does not tell is taken to live for ever.
    info.ok().as_deref().and_then(named).unwrap_or_else(|| Arc::from("unknown"))
}

/// A write, because one that only reads (a replica, a full disk) is of no use.
async fn try_out(mut connection: MultiplexedConnection) -> RedisResult<()> {
    let key = format!("{}:alive", super::PREFIX);
    redis::cmd("SET").arg(key).arg("").arg("PX").arg(1_000).query_async(&mut connection).await
}

/// Looks after a connection until it is given up.
async fn watch(link: &Link) {
    let mut due = tokio::time::interval(HEARTBEAT);
    loop {
        tokio::select! {
            () = link.lost.notified() => return,
            () = link.to_tell.notified() => drop(link.call(fanout::tell).await),
            _ = due.tick() => drop(link.call(try_out).await),
        }
    }
}

fn pause() -> Duration {
    // Keys drawn by the standard library: unpredictable enough to part two nodes.
    let drawn = RandomState::new().hash_one(()) % 1_000;
    PAUSE / 2 + PAUSE.mul_f64(drawn as f64 / 2_000.0)
}
