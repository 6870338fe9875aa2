//! The server, and what stays when it is started again: its data, its address, the clock, the faults.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex as StdMutex, PoisonError};
use std::time::Duration;

use tempfile::TempDir;
use tenure::app::Parts;
use tenure::config::{Config, Settled, Sources};
use tenure::log::LogSink;
use tenure::pages::DevUser;
use tenure::{App, Clock as _, jobs};
use tenure_domain::email::Email;
use tenure_domain::id::UserId;
use tenure_domain::password::Password;
use tenure_domain::secret::{MasterSecret, SecretText};
use tenure_domain::user::Role;
use tenure_store::ephemeral::Redis;
use tenure_store::sqlite::{SqliteOptions, SqliteStore};
use tenure_store::{NewUser, UserCreated};
use tokio::net::TcpListener;
use tokio::sync::{Mutex, MutexGuard, oneshot};
use tokio::task::JoinHandle;

use crate::clock::WorldClock;
use crate::faults::Faults;
use crate::front::{self, Front};
use crate::panics::{Panicky, Panics};
use crate::stats::Stats;
use crate::{Args, Result, chance};

/// Passwords that cost nothing and limits that nobody meets; `--set` has the last word.
const SETTINGS: [(&str, &str); 8] = [
    ("password.memory_kib", "8"),
    ("password.passes", "1"),
    ("password.workers", "2"),
    ("password.queue", "1000"),
    ("limits.sign_in_per_account_per_minute", "1000000"),
    ("limits.sign_in_per_address_per_minute", "1000000"),
    ("limits.refresh_per_session_per_minute", "1000000"),
    ("server.ops_listen", ""),
];

/// Tries at getting our port back, and the pause between.
const BIND_TRIES: u32 = 50;
const BIND_PAUSE: Duration = Duration::from_millis(20);

pub struct World {
    plan: Plan,
    address: SocketAddr,
    pub clock: Arc<WorldClock>,
    pub faults: Arc<Faults>,
    pub panics: Arc<Panics>,
    running: Mutex<Running>,
    /// What servers counted that have stopped.
    past: StdMutex<Stats>,
    /// Removed when we end.
    _temporary: Option<TempDir>,
}

/// One start of the server.
struct Running {
    app: Arc<App>,
    log: Arc<StdMutex<Vec<u8>>>,
    starts: u64,
    stop: Option<oneshot::Sender<()>>,
    serving: JoinHandle<()>,
}

impl World {
    pub async fn start(args: Args, listener: TcpListener) -> Result<Self> {
        let address = listener.local_addr()?;
        let settled = settled(&args, address)?;
        let temporary = if args.data.is_none() { Some(tempfile::tempdir()?) } else { None };
        let folder = match (&args.data, &temporary) {
            (Some(folder), _) => folder.clone(),
            (None, Some(temporary)) => temporary.path().to_owned(),
            (None, None) => return Err("there is no folder for the data".into()),
        };
        std::fs::create_dir_all(&folder)?;
        // Where the command line of the product looks for it in development.
        std::fs::write(folder.join("secret"), secret().to_text().expose())?;
        let clock = Arc::new(match args.real_clock {
            true => WorldClock::Real,
            false => WorldClock::Virtual(AtomicI64::new(args.start)),
        });
        let faults = Arc::new(Faults::default());
        let dev_user = args.dev_user.as_deref().map(parse_dev_user).transpose()?;
        let front = Front { clock: Arc::clone(&clock), faults: Arc::clone(&faults) };
        let panics = Arc::new(Panics::default());
        let bugs = Arc::clone(&panics);
        let plan = Plan { settled, folder, seed: args.seed, dev_user, front, panics: bugs };
        let running = Mutex::new(plan.start(listener, 0).await?);
        let past = StdMutex::default();
        let world = Self { plan, address, clock, faults, panics, running, past, _temporary: temporary };
        if let Some(user) = &world.plan.dev_user {
            world.user_create(&user.email, &user.password, "Dev", Role::User).await?;
        }
        Ok(world)
    }

    /// The server as it runs now; waits while it is down.
    pub async fn app(&self) -> Arc<App> {
        Arc::clone(&self.running.lock().await.app)
    }

    /// Ends the server and every connection, waits, and starts it on the same data and port.
    pub async fn restart(&self, down: Duration) -> Result {
        let mut running = self.running.lock().await;
        self.end(&mut running).await;
        tokio::time::sleep(down).await;
        let listener = self.bind_again().await?;
        *running = self.plan.start(listener, running.starts + 1).await?;
        Ok(())
    }

    pub async fn stop(&self) {
        self.end(&mut self.running.lock().await).await;
    }

    async fn end(&self, running: &mut MutexGuard<'_, Running>) {
        if let Some(stop) = running.stop.take() {
            let _ = stop.send(());
            let _ = (&mut running.serving).await;
            // Ends the jobs.
            running.app.draining.store(true, Ordering::Relaxed);
            running.app.store.close().await;
            self.past.lock().unwrap_or_else(PoisonError::into_inner).add(&running.app.metrics.render());
        }
    }

    async fn bind_again(&self) -> io::Result<TcpListener> {
        for _ in 1..BIND_TRIES {
            if let Ok(listener) = TcpListener::bind(self.address).await {
                return Ok(listener);
            }
            tokio::time::sleep(BIND_PAUSE).await;
        }
        TcpListener::bind(self.address).await
    }

    /// A person who can sign in. None if the address is taken.
    pub async fn user_create(
        &self,
        email: &str,
        password: &str,
        name: &str,
        role: Role,
    ) -> Result<Option<UserId>> {
        let app = self.app().await;
        let email = Email::parse(email)?;
        let password = Password::chosen(&SecretText::from_plain(password.to_owned()), email.key())?;
        let hash = app.hasher.hash(password).await.map_err(|error| error.to_string())?;
        let hash = hash.map_err(|error| error.to_string())?;
        let new = NewUser { password_hash: Some(hash), role, ..NewUser::named(&email, name) };
        Ok(match app.store.user_create(new, None, self.clock.now()).await? {
            UserCreated::Created { user, .. } => Some(user.id),
            UserCreated::EmailTaken | UserCreated::AccountGone | UserCreated::KeyTaken => None,
        })
    }

    pub async fn stats(&self) -> Stats {
        let running = self.running.lock().await;
        let mut stats = self.past.lock().unwrap_or_else(PoisonError::into_inner).clone();
        stats.add(&running.app.metrics.render());
        stats
    }

    /// The log of the server as it runs now, one JSON object a line.
    pub async fn log(&self) -> String {
        let running = self.running.lock().await;
        let log = running.log.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&log).into_owned()
    }
}

/// What every start of the server is made from.
struct Plan {
    settled: Settled,
    folder: PathBuf,
    seed: Option<u64>,
    dev_user: Option<DevUser>,
    front: Front,
    panics: Arc<Panics>,
}

impl Plan {
    async fn start(&self, listener: TcpListener, starts: u64) -> Result<Running> {
        let now = self.front.clock.now();
        let entropy = chance::entropy(self.seed, starts);
        // What is written beside the requests, by real time, draws from elsewhere: so that a seed replays.
        let ids = chance::entropy(self.seed.map(|seed| !seed), starts);
        let options = SqliteOptions::new(self.folder.join("tenure.db"), ids, now);
        let store = tokio::task::spawn_blocking(move || SqliteStore::open(options)).await??;
        let entropy = Arc::new(Panicky { inner: entropy, panics: Arc::clone(&self.panics) });
        let (log, kept) = LogSink::kept();
        let app = App::new(Parts {
            settled: self.settled.clone(),
            store: Arc::new(store),
            redis: redis(&self.settled.config)?,
            clock: Arc::clone(&self.front.clock) as Arc<dyn tenure::Clock>,
            entropy,
            log,
            secret: secret(),
            previous_secrets: vec![],
            pages: tenure::pages::built,
            dev_user: self.dev_user.clone(),
        });
        app.keys.prepare(now).await?;
        tokio::spawn(jobs::run(Arc::clone(&app)));
        let (stop, stopped) = oneshot::channel();
        let door = tenure::http::door(Arc::clone(&app));
        let serving = tokio::spawn(front::serve(listener, door, self.front.clone(), stopped));
        Ok(Running { app, log: kept, starts, stop: Some(stop), serving })
    }
}

fn settled(args: &Args, address: SocketAddr) -> Result<Settled> {
    let given = args.settings.iter().map(|setting| {
        setting.split_once('=').ok_or_else(|| format!("--set {setting}: write it as section.name=value"))
    });
    let given = given.collect::<std::result::Result<Vec<_>, _>>()?;
    let spans = [("session.access_lifetime", &args.access_lifetime), ("session.settle", &args.settle)];
    let spans = spans.iter().filter_map(|(key, value)| Some((*key, value.as_deref()?)));
    let listen = address.to_string();
    let all = SETTINGS.into_iter().chain([("server.listen", listen.as_str())]).chain(spans).chain(given);
    // As the environment would have them, so that a value is read as it is there.
    let variable = |key: &str| format!("TENURE_{}", key.to_ascii_uppercase().replace('.', "__"));
    let environment = all.map(|(key, value)| (variable(key), value.to_owned())).collect();
    let file = args.config.clone();
    let sources = Sources { file, environment, development: true, ..Sources::default() };
    Ok(Config::load(&sources)?.settle(true)?)
}

/// What nodes share, if the settings say where it is. Whether it answers is seen later, as in the product.
fn redis(config: &Config) -> Result<Option<Redis>> {
    let section = &config.redis;
    if section.url.is_empty() {
        return Ok(None);
    }
    Ok(Some(Redis::new(section.url.expose(), section.authorities(), section.timeout.0)?))
}

/// No secret, because nothing here is worth keeping.
fn secret() -> MasterSecret {
    MasterSecret::from_bytes(*b"a testbed's secret is everyone's")
}

fn parse_dev_user(text: &str) -> Result<DevUser> {
    let (email, password) = text.split_once(':').ok_or("--dev-user: write it as email:password")?;
    Ok(DevUser { email: email.to_owned(), password: password.to_owned() })
}
