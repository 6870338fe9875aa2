//! The server under test.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;
use tenure::app::Parts;
use tenure::clock::{Clock, SystemClock};
use tenure::config::{Config, Sources};
use tenure::log::{LogSink, Style};
use tenure::pages::{DevUser, Find};
use tenure::{App, serve};
use tenure_domain::email::Email;
use tenure_domain::id::UserId;
use tenure_domain::password::Password;
use tenure_domain::secret::{MasterSecret, SecretText};
use tenure_domain::time::Timestamp;

use tenure_store::ephemeral::Redis;
use tenure_store::{Entropy, NewUser, Store, UserCreated};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::sync::watch;

use super::database::Database;
use super::faults::{Faults, FaultyStore};
use super::{Browser, Cli, Client, PASSWORD, Raw, pages};

/// A clock that stands still until it is told to go on.
#[derive(Clone)]
pub struct ManualClock {
    ms: Arc<AtomicI64>,
    of_this_machine: Arc<AtomicBool>,
    has_leapt: Arc<AtomicBool>,
}

impl ManualClock {
    fn starting(at: Timestamp) -> Self {
        Self {
            ms: Arc::new(AtomicI64::new(at.as_ms())),
            of_this_machine: Arc::default(),
            has_leapt: Arc::default(),
        }
    }

    pub fn get(&self) -> Timestamp {
        Timestamp::from_ms(self.ms.load(Ordering::SeqCst))
    }

    pub fn advance(&self, span: Duration) {
        self.ms.fetch_add(i64::try_from(span.as_millis()).unwrap(), Ordering::SeqCst);
    }

    pub fn set(&self, to: Timestamp) {
        self.ms.store(to.as_ms(), Ordering::SeqCst);
    }

    /// From now on it is known to have leapt, or to be trusted again.
    pub fn set_leapt(&self, has_leapt: bool) {
        self.has_leapt.store(has_leapt, Ordering::SeqCst);
    }

    /// From now on it is held against the database's.
    pub fn pass_for_this_machines(&self) {
        self.of_this_machine.store(true, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        self.get()
    }

    fn leap(&self) -> Option<f64> {
        self.has_leapt.load(Ordering::SeqCst).then_some(3600.0)
    }

    fn is_of_this_machine(&self) -> bool {
        self.of_this_machine.load(Ordering::SeqCst)
    }
}

/// Randomness from a seed (SplitMix64): the same each run, as far as threads allow.
struct SeededEntropy(AtomicU64);

impl Entropy for SeededEntropy {
    fn fill(&self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            let mut z = self.0.fetch_add(0x9E37_79B9_7F4A_7C15, Ordering::Relaxed);
            z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            chunk.copy_from_slice(&(z ^ (z >> 31)).to_le_bytes()[..chunk.len()]);
        }
    }
}

/// When the virtual clock starts, unless a test says otherwise.
const START: Timestamp = Timestamp::from_ms(1_795_000_000_000);

/// How a server is to be.
pub struct Setup {
    environment: Vec<(String, String)>,
    development: bool,
    secret: u8,
    previous_secret: Option<u8>,
    start: Timestamp,
    log: Style,
    pages: Find,
    dev_user: Option<DevUser>,
    redis_timeout: Duration,
}

impl Default for Setup {
    fn default() -> Self {
        let setup = Self {
            environment: vec![],
            development: true,
            secret: 1,
            previous_secret: None,
            start: START,
            log: Style::Json,
            pages: pages::find,
            dev_user: None,
            // A loaded machine is no failure of Redis.
            redis_timeout: Duration::from_secs(20),
        };
        setup
            .set("SERVER__LISTEN", "127.0.0.1:0")
            .set("PASSWORD__MEMORY_KIB", "8")
            .set("PASSWORD__PASSES", "1")
            .set("PASSWORD__WORKERS", "2")
            .set("PASSWORD__QUEUE", "1000")
            .set("LIMITS__SIGN_IN_PER_ACCOUNT_PER_MINUTE", "1000000")
            .set("LIMITS__SIGN_IN_PER_ADDRESS_PER_MINUTE", "1000000")
            .set("LIMITS__REFRESH_PER_SESSION_PER_MINUTE", "1000000")
            // Reports are dropped where they would take a quarter of it; the client waits for 60 s.
            .set("SERVER__REQUEST_TIMEOUT", "40s")
    }
}

impl Setup {
    /// A setting, as the environment would have it: `SESSION__REUSE`.
    pub fn set(mut self, name: &str, value: &str) -> Self {
        let name = format!("TENURE_{name}");
        self.environment.retain(|(known, _)| *known != name);
        self.environment.push((name, value.into()));
        self
    }

    /// As in production: https, `__Secure-` cookies, absence is no end.
    pub fn production(self) -> Self {
        Self { development: false, ..self }
            .set("SERVER__PUBLIC_URL", "https://id.example.com")
            .set("PASSWORD__MEMORY_KIB", "15000")
    }

    pub fn secret(self, secret: u8) -> Self {
        Self { secret, ..self }
    }

    pub fn previous_secret(self, previous: u8) -> Self {
        Self { previous_secret: Some(previous), ..self }
    }

    /// Log lines for people, as on a terminal.
    pub fn human_log(self) -> Self {
        Self { log: Style::Human, ..self }
    }

    /// Log lines as predecessors wrote them.
    pub fn legacy_log(self) -> Self {
        Self { log: Style::Legacy, ..self }
    }

    /// After which Redis counts as lost; longer than the configuration allows, unless a test has it hang.
    pub fn redis_timeout(self, redis_timeout: Duration) -> Self {
        Self { redis_timeout, ..self }
    }

    /// A build without pages.
    pub fn without_pages(self) -> Self {
        Self { pages: |_| None, ..self }
    }

    /// As `--dev-user` does for the pages; nobody is created.
    pub fn dev_user(self, email: &str, password: &str) -> Self {
        Self { dev_user: Some(DevUser { email: email.into(), password: password.into() }), ..self }
    }

    /// The virtual clock starts at the real time, where other processes look at the same rows.
    pub fn at_real_time(self) -> Self {
        self.begun(Duration::ZERO)
    }

    /// The virtual clock starts that long before the real time.
    pub fn begun(self, ago: Duration) -> Self {
        Self { start: SystemClock.now() - ago, ..self }
    }

    pub async fn start(self) -> TestApp {
        let clock = ManualClock::starting(self.start);
        let folder = Arc::new(tempfile::tempdir().unwrap());
        let database = Arc::new(Database::new(folder.path()));
        TestApp::start(self, Place { folder, database }, clock, 1).await
    }
}

/// A person who can sign in with [`PASSWORD`].
#[derive(Clone, Debug)]
pub struct User {
    pub id: UserId,
    pub email: String,
}

/// What stays when the server is started again.
#[derive(Clone)]
struct Place {
    folder: Arc<tempfile::TempDir>,
    database: Arc<Database>,
}

pub struct TestApp {
    pub app: Arc<App>,
    pub clock: ManualClock,
    pub faults: Arc<Faults>,
    pub address: SocketAddr,
    /// The operators' listener.
    pub ops: SocketAddr,
    pub client: Client,
    place: Place,
    origin: String,
    log: Arc<Mutex<Vec<u8>>>,
    expected: Mutex<Vec<String>>,
    stop: watch::Sender<bool>,
    /// The operators' listener is the last to go.
    _close: watch::Sender<bool>,
    serving: Option<tokio::task::JoinHandle<()>>,
    /// The server's own threads, as in production; the test's thread only asks.
    runtime: Option<Runtime>,
    generation: u64,
}

fn secret(byte: u8) -> MasterSecret {
    MasterSecret::from_bytes(std::array::from_fn(|i| byte.wrapping_mul(31).wrapping_add(i as u8)))
}

impl TestApp {
    pub async fn new() -> Self {
        Setup::default().start().await
    }

    async fn start(setup: Setup, place: Place, clock: ManualClock, generation: u64) -> Self {
        let sources = Sources { environment: setup.environment, ..Sources::default() };
        let mut settled = Config::load(&sources).unwrap().settle(setup.development).unwrap();
        // The master secret of development, where the command line finds it.
        std::fs::write(place.folder.path().join("secret"), secret(setup.secret).to_text().expose()).unwrap();
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let bind = async || TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (listener, ops) = runtime.spawn(async move { (bind().await, bind().await) }).await.unwrap();
        let address = listener.local_addr().unwrap();
        let ops_address = ops.local_addr().unwrap();
        if settled.development {
            settled.public_url.authority = address.to_string();
        }
        let (https, origin) = (settled.public_url.https, settled.public_url.origin());
        let entropy: Arc<dyn Entropy> = Arc::new(SeededEntropy(AtomicU64::new(generation << 32)));
        let (database, drawn, now) = (Arc::clone(&place.database), Arc::clone(&entropy), clock.get());
        let opened = runtime.spawn(async move { database.open(drawn, now).await }).await.unwrap();
        let faults = Arc::new(Faults::default());
        let (mut sink, log) = LogSink::kept();
        sink.style = setup.log;
        let redis = {
            let _runtime = runtime.enter();
            let section = &settled.config.redis;
            let url = section.url.expose();
            let open = || Redis::new(url, section.authorities(), setup.redis_timeout).unwrap();
            (!url.is_empty()).then(open)
        };
        let app = App::new(Parts {
            settled,
            store: Arc::new(FaultyStore { inner: opened, faults: Arc::clone(&faults) }),
            redis,
            clock: Arc::new(clock.clone()),
            entropy,
            log: sink,
            secret: secret(setup.secret),
            previous_secrets: setup.previous_secret.map(secret).into_iter().collect(),
            pages: setup.pages,
            dev_user: setup.dev_user,
        });
        let (stop, stopped) = watch::channel(false);
        let (close, closed) = watch::channel(false);
        let (prepared, ready) = (Arc::clone(&app), clock.get());
        runtime.spawn(async move { prepared.keys.prepare(ready).await.unwrap() }).await.unwrap();
        let serving = runtime.spawn(serve::api(Arc::clone(&app), listener, stopped));
        runtime.spawn(serve::ops(Arc::clone(&app), ops, closed));
        Self {
            app,
            clock,
            faults,
            address,
            ops: ops_address,
            client: Client::new(format!("http://{address}"), https),
            place,
            origin,
            log,
            expected: Mutex::default(),
            stop,
            _close: close,
            serving: Some(serving),
            runtime: Some(runtime),
            generation,
        }
    }

    /// Stops this server and starts another on the same data.
    pub async fn restart(mut self, setup: Setup) -> Self {
        self.shut_down().await;
        self.app.store.close().await;
        Self::start(setup, self.place.clone(), self.clock.clone(), self.generation + 1).await
    }

    /// Tells the server to stop; gives what ends when it has.
    pub fn begin_shut_down(&mut self) -> tokio::task::JoinHandle<()> {
        self.stop.send(true).unwrap();
        self.serving.take().unwrap()
    }

    pub async fn shut_down(&mut self) {
        self.begin_shut_down().await.unwrap();
    }

    // === People ===

    /// A user who is there already, with [`PASSWORD`].
    pub async fn user(&self, name: &str) -> User {
        self.user_with(name, PASSWORD).await
    }

    pub async fn user_with(&self, name: &str, password: &str) -> User {
        let email = Email::parse(&format!("{name}@example.com")).unwrap();
        let plain = SecretText::from_plain(password.into());
        let chosen = Password::chosen(&plain, email.key()).unwrap();
        let hash = self.app.hasher.hash(chosen).await.unwrap().unwrap();
        let new = NewUser { password_hash: Some(hash), ..NewUser::named(&email, name) };
        match self.app.store.user_create(new, None, self.clock.get()).await.unwrap() {
            UserCreated::Created { user, .. } => User { id: user.id, email: user.email },
            _ => panic!("{name} is there already"),
        }
    }

    pub fn browser(&self) -> Browser {
        Browser::new(self.client.clone(), self.clock.clone(), self.origin.clone())
    }

    /// A user's browser, signed in and remembered.
    pub async fn signed_in(&self, user: &User) -> Browser {
        let mut browser = self.browser();
        browser.sign_in(user).await;
        browser
    }

    pub async fn raw(&self) -> Raw {
        Raw::connect(self.address).await
    }

    pub fn origin(&self) -> &str {
        &self.origin
    }

    // === Beside the server ===

    pub fn folder(&self) -> &Path {
        self.place.folder.path()
    }

    pub fn database(&self) -> &Database {
        &self.place.database
    }

    pub fn cli(&self) -> Cli {
        Cli::beside(self.folder(), self.database())
    }

    /// Types a statement by hand into the database.
    pub fn sql(&self, statement: &str) {
        self.database().sql(statement);
    }

    /// A session as a statement names it.
    pub fn row_of(&self, session: &str) -> String {
        self.database().id(session.strip_prefix("ses_").unwrap())
    }

    pub fn store(&self) -> &Arc<dyn Store> {
        &self.app.store
    }

    /// One sample of the metrics page, by its full name with labels.
    pub fn metric(&self, name: &str) -> f64 {
        let page = self.app.metrics_page();
        let line = page.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.map_or(0.0, |value| value.parse().unwrap())
    }

    pub fn log(&self) -> String {
        String::from_utf8(self.log.lock().unwrap().clone()).unwrap()
    }

    /// The log's lines, each of which must be JSON.
    pub fn log_lines(&self) -> Vec<Value> {
        let parse = |line: &str| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"));
        self.log().lines().map(parse).collect()
    }

    /// An answer of 5xx with this code is part of the test.
    pub fn expect_failure(&self, code: &str) {
        self.expected.lock().unwrap().push(code.into());
    }
}

/// Failures that nobody asked for do not stay unnoticed.
impl Drop for TestApp {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
        if std::thread::panicking() || self.app.log.style != Style::Json {
            return;
        }
        let expected = self.expected.lock().unwrap();
        for line in self.log_lines() {
            let code = line["code"].as_str().unwrap_or_default();
            let failed = line["status"].as_u64().is_some_and(|status| status >= 500);
            assert!(!failed || expected.iter().any(|known| known == code), "an unexpected failure: {line}");
        }
    }
}
