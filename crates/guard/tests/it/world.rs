//! What tests are made of: the real server, somebody in front of it who can answer in its place, and a guarded service.

mod way;

pub use way::Way;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Router, serve};
use http::{Request, StatusCode};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use tempfile::TempDir;
use tenure::app::Parts;
use tenure::clock::{Clock, SystemEntropy};
use tenure::config::{Config, Sources};
use tenure::http::arrival::Peer;
use tenure::http::door::Door;
use tenure::log::LogSink;
use tenure::{App, pages};
use tenure_domain::account::{AccountStatus, Slug};
use tenure_domain::api_key::ApiKeySecret;
use tenure_domain::email::Email;
use tenure_domain::ends::{Actor, EndReason};
use tenure_domain::id::{AccountId, ApiKeyId, UserId};
use tenure_domain::password::Password;
use tenure_domain::secret::{MasterSecret, SecretText};
use tenure_domain::time::Timestamp;

use tenure_guard::{Builder, Freshness, Guard, Identity};
use tenure_store::sqlite::{SqliteOptions, SqliteStore};
use tenure_store::{AccountChange, ApiKeyCreated, Decree, EndOrder, NewApiKey, NewUser, Scope, UserCreated};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::sync::watch;
use tower::ServiceExt as _;

pub const CHECK: &str = "/api/v1/auth/check";
pub const JWKS: &str = "/.well-known/jwks.json";
pub const FEED: &str = "/api/v1/auth/revocations";

const PASSWORD: &str = "correct horse battery";
type Settings = &'static [(&'static str, &'static str)];

const SETTINGS: Settings = &[
    ("TENURE_SERVER__LISTEN", "127.0.0.1:0"),
    ("TENURE_PASSWORD__MEMORY_KIB", "8"),
    ("TENURE_PASSWORD__PASSES", "1"),
    ("TENURE_LIMITS__SIGN_IN_PER_ACCOUNT_PER_MINUTE", "1000000"),
    ("TENURE_REVOCATIONS__HEARTBEAT", "50ms"),
    ("TENURE_ENTITLEMENT__PERMISSIONS", r#"{"reports.read" = ["admin"]}"#),
];

/// Stands still until it is moved; the issuer and the service go by the same.
pub struct ManualClock(AtomicI64);

impl ManualClock {
    pub fn advance(&self, span: Duration) {
        self.0.fetch_add(span.as_millis() as i64, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_ms(self.0.load(Ordering::SeqCst))
    }
}

/// What comes instead of the server's answer.
#[derive(Clone)]
pub enum Trick {
    Answers(u16, Vec<(&'static str, String)>, String),
    Hangs,
}

#[derive(Default)]
pub struct Front {
    asked: Mutex<BTreeMap<String, u32>>,
    trick: Mutex<Option<Trick>>,
    way: watch::Sender<Way>,
}

/// Ada, who is signed in.
pub struct Ada {
    pub id: UserId,
    pub account: AccountId,
    pub token: String,
}

pub struct Issuer {
    pub app: Arc<App>,
    pub clock: Arc<ManualClock>,
    pub url: String,
    front: Arc<Front>,
    door: Door,
    runtime: Option<Runtime>,
    folder: Arc<TempDir>,
    settings: Settings,
}

/// What a guarded service has answered.
pub struct Answer {
    pub status: u16,
    pub headers: http::HeaderMap,
    pub body: Value,
    /// Who the service was told is calling; none if it was not reached.
    pub caller: Option<Identity>,
}

impl Issuer {
    pub async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// With these settings besides.
    pub async fn start_with(settings: Settings) -> Self {
        let clock = Arc::new(ManualClock(AtomicI64::new(1_795_000_000_000)));
        let folder = Arc::new(tempfile::tempdir().unwrap());
        Self::serve(folder, settings, clock, Arc::default(), "127.0.0.1:0".parse().unwrap()).await
    }

    /// The one that was stopped, at the same address and on the same data.
    pub async fn start_again(&mut self) {
        let address = self.url.strip_prefix("http://").unwrap().parse().unwrap();
        let (folder, clock, front) =
            (Arc::clone(&self.folder), Arc::clone(&self.clock), Arc::clone(&self.front));
        *self = Self::serve(folder, self.settings, clock, front, address).await;
    }

    async fn serve(
        folder: Arc<TempDir>,
        settings: Settings,
        clock: Arc<ManualClock>,
        front: Arc<Front>,
        address: SocketAddr,
    ) -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let (path, of_server) = (folder.path().join("tenure.db"), Arc::clone(&clock));
        let at_the_door = Arc::clone(&front);
        let started = runtime.spawn(async move {
            let listener = TcpListener::bind(address).await.unwrap();
            let app = app(path, settings, listener.local_addr().unwrap(), of_server).await;
            let door = tenure::http::door(Arc::clone(&app));
            let served = door.clone();
            let answer = move |request| Arc::clone(&at_the_door).answer(served.clone(), request);
            let (url, routes) = (app.settled.public_url.to_string(), Router::new().fallback(answer));
            tokio::spawn(async move { serve(listener, routes).await });
            (app, door, url)
        });
        let (app, door, url) = started.await.unwrap();
        Self { app, clock, url, front, door, runtime: Some(runtime), folder, settings }
    }

    /// Gone with every connection.
    pub async fn stop(&mut self) {
        let runtime = self.runtime.take().unwrap();
        tokio::task::spawn_blocking(|| runtime.shutdown_timeout(Duration::from_secs(9))).await.unwrap();
    }

    pub fn trick(&self, trick: impl Into<Option<Trick>>) {
        *self.front.trick.lock().unwrap() = trick.into();
    }

    pub fn way(&self, way: Way) {
        self.front.way.send_replace(way);
    }

    /// How often a path was asked for.
    pub fn asked(&self, path: &str) -> u32 {
        self.front.asked.lock().unwrap().get(path).copied().unwrap_or_default()
    }

    pub fn guard(&self, mode: Freshness) -> Builder {
        let clock = Arc::clone(&self.clock);
        Guard::builder(&self.url).mode(mode).clock(Arc::new(move || clock.now()))
    }

    pub async fn ada(&self) -> Ada {
        let (id, account) = self.somebody("ada@example.com").await;
        Ada { id, account, token: self.sign_in().await }
    }

    /// Whoever makes the keys of services, which stand as long as their account.
    pub async fn operator(&self) -> Ada {
        let (id, account) = self.somebody("ops@example.com").await;
        Ada { id, account, token: String::new() }
    }

    async fn somebody(&self, email: &str) -> (UserId, AccountId) {
        let email = Email::parse(email).unwrap();
        let chosen = Password::chosen(&SecretText::from_plain(PASSWORD.into()), email.key()).unwrap();
        let hash = self.app.hasher.hash(chosen).await.unwrap().unwrap();
        let new = NewUser { password_hash: Some(hash), ..NewUser::named(&email, "Ada") };
        let UserCreated::Created { user, .. } =
            self.app.store.user_create(new, None, self.clock.now()).await.unwrap()
        else {
            panic!("they are there already");
        };
        (user.id, user.account_id.unwrap())
    }

    /// Ada's access token.
    pub async fn sign_in(&self) -> String {
        let body = json!({ "email": "ada@example.com", "password": PASSWORD, "remember_me": true });
        let mut request = Request::post("/api/v1/auth/login")
            .header("content-type", "application/json")
            .body(Body::from(body.to_string()))
            .unwrap();
        request.extensions_mut().insert(Peer("127.0.0.1:9".parse().unwrap()));
        let answer = self.door.clone().answer(request).await;
        assert_eq!(answer.status(), 200);
        json_of(answer).await["access_token"].as_str().unwrap().to_owned()
    }

    pub async fn end_sessions(&self, ada: &Ada) {
        let ended = self.app.store.session_end(ada.id, Scope::All, true, order(), self.clock.now()).await;
        assert!(!ended.unwrap().is_empty());
    }

    pub async fn suspend(&self, ada: &Ada) {
        let change = AccountChange { status: Some(AccountStatus::Suspended), ..AccountChange::default() };
        self.app.store.account_change(ada.account, change, decree(), self.clock.now()).await.unwrap();
    }

    pub async fn api_key(&self, ada: &Ada, scope: &str) -> String {
        self.api_key_with_id(ada, scope).await.1
    }

    pub async fn api_key_with_id(&self, ada: &Ada, scope: &str) -> (ApiKeyId, String) {
        let secret = ApiKeySecret::from_entropy([7; 32]);
        let scopes = [Slug::parse(scope).unwrap()].into();
        let new = NewApiKey { name: "robot".into(), scopes, expires_at: None, hash: secret.hash() };
        let made = self.app.store.api_key_create(ada.account, new, decree(), self.clock.now()).await;
        let ApiKeyCreated::Created(key) = made.unwrap() else { panic!("no key was made") };
        (key.id, secret.to_text(key.id).expose().to_owned())
    }

    /// A new key that signs at once, a second after the one before.
    pub async fn rotate(&self) {
        self.clock.advance(Duration::from_secs(1));
        let lifetime = Duration::from_secs(900);
        self.app.keys.rotate(decree(), self.clock.now(), Duration::ZERO, lifetime).await.unwrap();
    }

    /// As when the key was stolen that has signed until now.
    pub async fn rotate_and_retire(&self) {
        let before = self.app.store.key_list().await.unwrap();
        self.rotate().await;
        for key in before {
            self.app.store.key_retire(&key.kid, decree(), self.clock.now()).await.unwrap();
        }
    }
}

impl Drop for Issuer {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Front {
    async fn answer(self: Arc<Self>, door: Door, mut request: Request<Body>) -> Response {
        *self.asked.lock().unwrap().entry(request.uri().path().to_owned()).or_default() += 1;
        let trick = self.trick.lock().unwrap().clone();
        let way = (request.uri().path() == FEED).then(|| self.way.subscribe());
        match trick {
            None => {
                request.extensions_mut().insert(Peer("127.0.0.1:9".parse().unwrap()));
                let answer = door.answer(request).await;
                match way {
                    Some(way) => answer.map(|body| way::along(way, body)),
                    None => answer,
                }
            }
            Some(Trick::Hangs) => std::future::pending().await,
            Some(Trick::Answers(status, headers, body)) => {
                let mut answer = (StatusCode::from_u16(status).unwrap(), body).into_response();
                for (name, value) in headers {
                    answer.headers_mut().insert(name, value.parse().unwrap());
                }
                answer
            }
        }
    }
}

async fn app(
    path: std::path::PathBuf,
    settings: Settings,
    address: SocketAddr,
    clock: Arc<ManualClock>,
) -> Arc<App> {
    let all = SETTINGS.iter().chain(settings);
    let environment = all.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let mut settled =
        Config::load(&Sources { environment, ..Sources::default() }).unwrap().settle(true).unwrap();
    settled.public_url.authority = address.to_string();
    let now = clock.now();
    let options = SqliteOptions::new(path, Arc::new(SystemEntropy), now);
    let store = tokio::task::spawn_blocking(|| SqliteStore::open(options)).await.unwrap().unwrap();
    let app = App::new(Parts {
        settled,
        store: Arc::new(store),
        redis: None,
        clock,
        entropy: Arc::new(SystemEntropy),
        log: LogSink::kept().0,
        secret: MasterSecret::from_bytes([9; 32]),
        previous_secrets: vec![],
        pages: pages::built,
        dev_user: None,
    });
    app.keys.prepare(now).await.unwrap();
    app
}

/// Asks until the answer is yes, for at most twenty seconds. Nothing is decided by how long it took.
pub async fn eventually(what: &str, mut yes: impl AsyncFnMut() -> bool) {
    for _ in 0..2_000 {
        if yes().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("did not happen in time: {what}");
}

pub fn order() -> EndOrder {
    EndOrder {
        reason: EndReason::AdminRevoked,
        actor: Actor::Admin("root".into()),
        note: None,
        whence: Default::default(),
    }
}

pub fn decree() -> Decree {
    Decree { actor: Actor::Admin("root".into()), reason: None }
}

async fn json_of(answer: Response) -> Value {
    let body = answer.into_body().collect().await.unwrap().to_bytes();
    serde_json::from_slice(&body).unwrap_or_default()
}

/// Asks a service behind this guard. Its body is what the client said in `tenure-user`, as far as the service sees it.
pub async fn ask(guard: &Guard, headers: &[(&str, &str)]) -> Answer {
    let handler = async |caller: Identity, headers: http::HeaderMap| {
        let told = headers.get("tenure-user").map(|value| value.to_str().unwrap().to_owned());
        let mut answer = axum::Json(json!({ "told": told })).into_response();
        answer.extensions_mut().insert(caller);
        answer
    };
    let service = Router::new().route("/", get(handler)).layer(guard.layer());
    let mut request = Request::get("/");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let answering = service.oneshot(request.body(Body::empty()).unwrap());
    // Nothing is decided by how long it takes, but an issuer that hangs may not hang its callers.
    let answer = tokio::time::timeout(Duration::from_secs(20), answering).await.unwrap().unwrap();
    let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
    let caller = answer.extensions().get::<Identity>().cloned();
    Answer { status, headers, caller, body: json_of(answer).await }
}

pub async fn ask_with(guard: &Guard, token: &str) -> Answer {
    ask(guard, &[("authorization", &format!("Bearer {token}"))]).await
}

impl Answer {
    /// Let through.
    #[track_caller]
    pub fn passed(self) -> Identity {
        assert_eq!(self.status, 200, "{}", self.body);
        self.caller.unwrap()
    }

    /// Refused with this code, and the service was not reached.
    #[track_caller]
    pub fn refused(self, status: u16, code: &str) -> Value {
        assert_eq!((self.status, self.body["code"].as_str()), (status, Some(code)), "{}", self.body);
        assert_eq!(self.caller, None);
        assert_eq!(self.headers["content-type"], "application/problem+json");
        assert_eq!(self.headers.contains_key("www-authenticate"), status == 401);
        assert_eq!(self.headers.contains_key("retry-after"), matches!(status, 429 | 503));
        self.body
    }
}
