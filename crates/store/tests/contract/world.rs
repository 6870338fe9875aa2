//! The world of a test: a handle on a database of some kind, and people with cookie jars.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tenure_domain::ends::{Actor, EndReason};
use tenure_domain::password::PasswordHash;
use tenure_domain::refresh_token::{PresentedToken, RefreshClaims, RefreshKeyRing, mint};
use tenure_domain::rotation::{Generation, RotationRules};
use tenure_domain::secret::MasterSecret;
use tenure_domain::session::{RefreshRules, ReusePolicy, Session};
use tenure_domain::time::{Freshness, TimeRules, Timestamp};
use tenure_domain::user::Role;
use tenure_store::{
    Caller, Decree, Device, EndOrder, Entropy, Home, NewAccount, NewSession, NewUser, RefreshRequest,
    Refreshed, SessionCreated, Store, User, UserCreated,
};

use crate::backend::{Backend, backends};

/// When every test begins.
pub const T0: Timestamp = Timestamp::from_ms(1_795_000_000_000);

pub const SECOND: Duration = Duration::from_secs(1);
pub const HOUR: Duration = Duration::from_secs(3_600);
pub const MINUTE: Duration = Duration::from_secs(60);
pub const DAY: Duration = Duration::from_secs(86_400);

/// Twice the settle time: long enough for a generation to have settled.
pub const QUIET: Duration = Duration::from_secs(180);

// === Randomness ===

/// Reproducible randomness (splitmix64), which may be shared.
pub struct Seeded(AtomicU64);

impl Seeded {
    pub fn new(seed: u64) -> Self {
        Self(AtomicU64::new(seed))
    }

    /// Another seed for every handle, lest two of them draw the same ids.
    pub fn distinct() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Self::new(NEXT.fetch_add(1, Ordering::Relaxed) << 40)
    }

    pub fn next(&self) -> u64 {
        let mut z = self.0.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }
}

impl Entropy for Seeded {
    fn fill(&self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            chunk.copy_from_slice(&self.next().to_le_bytes()[..chunk.len()]);
        }
    }
}

// === The world ===

pub struct World {
    pub backend: Arc<dyn Backend>,
    pub store: Arc<dyn Store>,
    pub rules: Arc<RefreshRules>,
}

impl World {
    /// One on a fresh database of every kind.
    pub fn each() -> Vec<Self> {
        backends().into_iter().map(Self::of).collect()
    }

    pub fn of(backend: Arc<dyn Backend>) -> Self {
        let store = backend.open().unwrap();
        Self { backend, store, rules: rules(ReusePolicy::Revoke) }
    }

    /// The same database through another handle.
    pub fn second_handle(&self) -> Self {
        let store = self.backend.open().unwrap();
        Self { backend: Arc::clone(&self.backend), store, rules: Arc::clone(&self.rules) }
    }

    /// Waits until this handle must know what other handles, or a person, have written.
    pub async fn hear(&self) {
        tokio::time::sleep(self.backend.staleness()).await;
    }

    /// The same, unless it was this handle that wrote.
    pub async fn hear_of(&self, writer: &World) {
        if !Arc::ptr_eq(&self.store, &writer.store) {
            self.hear().await;
        }
    }

    /// A session's id as SQL has it.
    pub fn id(&self, session: &Session) -> String {
        self.backend.id(session.id.as_bytes())
    }

    /// A user called by this name, `<name>@example.com`.
    pub async fn user(&self, name: &str) -> User {
        match self.store.user_create(new_user(name), None, T0).await.unwrap() {
            UserCreated::Created { user, .. } => user,
            _ => panic!("{name} is taken"),
        }
    }

    /// A remembered sign-in at `now`.
    pub async fn sign_in_at(&self, user: &User, device: Device, now: Timestamp) -> Session {
        let new = NewSession { device, ..new_session(now) };
        match self.store.session_create(user.id, user.token_version, new, now).await.unwrap() {
            SessionCreated::Created { session, .. } => session,
            _ => panic!("not signed in"),
        }
    }

    pub async fn sign_in(&self, user: &User) -> Session {
        self.sign_in_at(user, Device::default(), T0).await
    }

    /// A jar holding the token of a session's newest generation.
    pub fn jar(&self, session: &Session) -> Jar {
        self.jar_at(session, session.rotation.head)
    }

    pub fn jar_at(&self, session: &Session, generation: Generation) -> Jar {
        jar_of(&self.rules, session, generation)
    }

    pub fn read(&self, jar: &Jar) -> PresentedToken {
        self.rules.keys.read(&jar.0).unwrap()
    }

    pub fn request(&self, jars: &[&Jar]) -> RefreshRequest {
        let tokens = jars.iter().map(|jar| self.read(jar)).collect();
        RefreshRequest {
            tokens,
            freshness: Freshness::Fresh,
            rules: Arc::clone(&self.rules),
            whence: Default::default(),
        }
    }

    pub async fn refresh_all(&self, jars: &[&Jar], now: Timestamp) -> Vec<Refreshed> {
        self.store.session_refresh(self.request(jars), now).await.unwrap()
    }

    /// Presents one token and gives its one outcome.
    pub async fn refresh(&self, jar: &Jar, now: Timestamp) -> Refreshed {
        let mut outcomes = self.refresh_all(&[jar], now).await;
        assert_eq!(outcomes.len(), 1);
        outcomes.remove(0)
    }

    /// Presents one token that must be served; gives the session as it now is and puts its token into the jar.
    pub async fn served(&self, jar: &mut Jar, now: Timestamp) -> Session {
        match self.refresh(jar, now).await {
            Refreshed::Served { session, .. } => {
                *jar = self.jar(&session);
                session
            }
            other => panic!("{}: not served but {}", self.backend.name(), name_of(&other)),
        }
    }

    pub async fn caller(&self, session: &Session) -> Option<Caller> {
        self.store.caller(session.id).await.unwrap()
    }

    /// Whether the view lets the session's access tokens in.
    pub async fn stands(&self, session: &Session, user: &User) -> bool {
        self.caller(session).await.is_some_and(|caller| {
            let standing = caller.standing;
            !standing.ended && !standing.user_disabled && standing.token_version == user.token_version
        })
    }
}

/// A cookie jar's one token.
#[derive(Clone, PartialEq, Eq)]
pub struct Jar(pub String);

pub fn jar_of(rules: &RefreshRules, session: &Session, generation: Generation) -> Jar {
    static NONCE: AtomicU64 = AtomicU64::new(1);
    let mut nonce = [0; 12];
    nonce[..8].copy_from_slice(&NONCE.fetch_add(1, Ordering::Relaxed).to_le_bytes());
    let expires_at = session.expires_at;
    let claims = RefreshClaims { session_id: session.id, generation, expires_at, nonce };
    Jar(mint(rules.keys.current(), &claims, &session.salt))
}

pub fn rules(reuse: ReusePolicy) -> Arc<RefreshRules> {
    let key = MasterSecret::from_bytes([42; 32]).refresh_key();
    Arc::new(RefreshRules {
        keys: RefreshKeyRing::new(key, vec![]),
        rotation: RotationRules::with_settle(TimeRules::default().settle),
        reuse,
    })
}

pub fn new_user(name: &str) -> NewUser {
    NewUser {
        email: format!("{name}@Example.com"),
        email_key: format!("{name}@example.com"),
        name: name.to_owned(),
        role: Role::User,
        password_hash: Some(hash(name)),
        home: Home::Own(NewAccount::named(format!("{name}'s"))),
        since: None,
        is_disabled: false,
        decree: None,
        imported_as: None,
    }
}

/// Something to stand for a hash; the store does not look into it.
pub fn hash(text: &str) -> PasswordHash {
    PasswordHash::from_stored(format!("$hash${text}"))
}

pub fn new_session(now: Timestamp) -> NewSession {
    let expires_at = now + 20 * DAY;
    NewSession {
        remembered: true,
        expires_at,
        device: Device::default(),
        replaces_before: Timestamp::from_ms(i64::MAX),
    }
}

pub fn device(id: &str) -> Device {
    Device { id: Some(id.into()), user_agent: Some("Browser/1".into()), address: Some("192.0.2.1".into()) }
}

pub fn decree() -> Decree {
    Decree { actor: Actor::Admin("root".into()), reason: Some("asked".into()) }
}

pub fn order(reason: EndReason) -> EndOrder {
    EndOrder { reason, actor: Actor::User, note: None, whence: Default::default() }
}

pub fn name_of(refreshed: &Refreshed) -> &'static str {
    match refreshed {
        Refreshed::Served { .. } => "served",
        Refreshed::Superseded { .. } => "superseded",
        Refreshed::Refused { .. } => "refused",
        Refreshed::Ended { newly: true, .. } => "ended now",
        Refreshed::Ended { newly: false, .. } => "ended before",
        Refreshed::NotAuthentic => "not authentic",
        Refreshed::Missing { .. } => "missing",
        Refreshed::Unreadable { .. } => "unreadable",
    }
}

pub fn names_of(refreshed: &[Refreshed]) -> Vec<&'static str> {
    refreshed.iter().map(name_of).collect()
}

/// Runs futures side by side on this task.
pub async fn join_all<F: Future>(futures: impl Iterator<Item = F>) -> Vec<F::Output> {
    let mut waiting: Vec<_> = futures.map(|future| (Some(Box::pin(future)), None)).collect();
    std::future::poll_fn(|context| {
        let mut all_done = true;
        for (future, output) in &mut waiting {
            if let Some(running) = future {
                match running.as_mut().poll(context) {
                    std::task::Poll::Ready(value) => (*future, *output) = (None, Some(value)),
                    std::task::Poll::Pending => all_done = false,
                }
            }
        }
        if all_done { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
    waiting.into_iter().filter_map(|(_, output)| output).collect()
}
