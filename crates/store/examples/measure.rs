//! Measures the store alone: rotations a second with many presenters, and what `caller` costs, with the stamp
//! and without. Prints one line of JSON.
//!
//! `cargo run --release -p tenure-store --example measure -- [--db PATH] [--sessions N] [--presenters N] [--seconds N]`
//! measures in a fresh database, or adds to the one at PATH.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods)]

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tenure_domain::ends::{Actor, EndReason};
use tenure_domain::refresh_token::{RefreshClaims, RefreshKeyRing, mint};
use tenure_domain::rotation::RotationRules;
use tenure_domain::secret::MasterSecret;
use tenure_domain::session::{RefreshRules, ReusePolicy, Session};
use tenure_domain::time::{Freshness, TimeRules, Timestamp};
use tenure_domain::user::Role;
use tenure_store::sqlite::{SqliteOptions, SqliteStore};
use tenure_store::{
    Device, EndOrder, Entropy, NewSession, NewUser, RefreshRequest, Refreshed, Scope, SessionCreated, Store,
    User, UserCreated,
};

/// Longer than the settle time: every presentation rotates.
const QUIET: Duration = Duration::from_secs(100);

struct Counter(AtomicU64);

impl Entropy for Counter {
    fn fill(&self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            let mut z = self.0.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed);
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            chunk.copy_from_slice(&(z ^ (z >> 31)).to_le_bytes()[..chunk.len()]);
        }
    }
}

fn option(name: &str) -> Option<String> {
    let mut words = std::env::args();
    words.find(|word| word == name)?;
    words.next()
}

fn number(name: &str, default: usize) -> usize {
    option(name).map_or(default, |text| text.parse().expect("a number"))
}

fn now() -> Timestamp {
    let ms = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis();
    Timestamp::from_ms(i64::try_from(ms).unwrap())
}

fn rules() -> Arc<RefreshRules> {
    Arc::new(RefreshRules {
        keys: RefreshKeyRing::new(MasterSecret::from_bytes([42; 32]).refresh_key(), vec![]),
        rotation: RotationRules::with_settle(TimeRules::default().settle),
        reuse: ReusePolicy::Revoke,
    })
}

#[tokio::main]
async fn main() {
    let folder = tempfile::tempdir().unwrap();
    let path = option("--db").map_or_else(|| folder.path().join("measure.db"), PathBuf::from);
    let seconds = Duration::from_secs(number("--seconds", 3) as u64);
    let (count, presenters) = (number("--sessions", 1_000), number("--presenters", 256));
    let entropy = Arc::new(Counter(AtomicU64::new(now().as_ms().unsigned_abs())));
    let open = |use_stamp| -> Arc<dyn Store> {
        let options = SqliteOptions::new(path.clone(), entropy.clone(), now());
        Arc::new(SqliteStore::open(SqliteOptions { use_stamp, ..options }).unwrap())
    };
    let store = open(true);
    let (user, sessions) = sign_in(&store, count).await;
    let cpu_before = cpu_ms();
    let rotated = rotate(&store, sessions.clone(), presenters, seconds).await;
    let cpu_us = (cpu_ms() - cpu_before) * 1e3 / (rotated.per_second * rotated.seconds);
    let warm = time_callers(&store, &sessions).await;
    let unstamped = time_callers(&open(false), &sessions).await;
    let beside = callers_beside_rotations(&store, &sessions, seconds).await;
    let by_user =
        EndOrder { reason: EndReason::SignedOut, actor: Actor::User, note: None, whence: Default::default() };
    let sign_out = time_sign_outs(&store, &user, &sessions, &by_user).await;
    store.session_end(user.id, Scope::All, true, by_user, now()).await.unwrap();
    println!(
        "{{\"sessions\":{count},\"presenters\":{presenters},\"rotations_per_s\":{:.0},\"cpu_us_per_rotation\":{cpu_us:.1},\"p50_ms\":{:.2},\
         \"p99_ms\":{:.2},\"max_ms\":{:.1},\"caller_ns\":{warm:.0},\"caller_without_stamp_ns\":{unstamped:.0},\
         \"callers_per_s_beside_rotations\":{beside:.0},\"sign_out_p50_ms\":{sign_out:.3}}}",
        rotated.per_second, rotated.p50_ms, rotated.p99_ms, rotated.max_ms
    );
    store.close().await;
}

/// The median time of a sign-out, one after the other, in milliseconds.
async fn time_sign_outs(store: &Arc<dyn Store>, user: &User, sessions: &[Session], order: &EndOrder) -> f64 {
    let mut times = Vec::new();
    for session in sessions.iter().take(2_000) {
        let begun = Instant::now();
        store.session_end(user.id, Scope::One(session.id), false, order.clone(), now()).await.unwrap();
        times.push(begun.elapsed().as_secs_f64() * 1e3);
    }
    times.sort_by(f64::total_cmp);
    times.get(times.len() / 2).copied().unwrap_or_default()
}

async fn sign_in(store: &Arc<dyn Store>, count: usize) -> (User, Vec<Session>) {
    let name = format!("measure{}", now().as_ms());
    let new = NewUser {
        email: format!("{name}@example.com"),
        email_key: format!("{name}@example.com"),
        name,
        role: Role::User,
        password_hash: None,
        home: tenure_store::Home::Nowhere,
        since: None,
        is_disabled: false,
        decree: None,
        imported_as: None,
    };
    let UserCreated::Created { user, .. } = store.user_create(new, None, now()).await.unwrap() else {
        panic!("the address is taken");
    };
    let mut sessions = Vec::with_capacity(count);
    while sessions.len() < count {
        let mut some = tokio::task::JoinSet::new();
        for _ in 0..(count - sessions.len()).min(1_000) {
            let (store, id, version, now) = (Arc::clone(store), user.id, user.token_version, now());
            let expires_at = now + TimeRules::default().remembered_lifetime;
            let new =
                NewSession { remembered: true, expires_at, device: Device::default(), replaces_before: now };
            some.spawn(async move {
                match store.session_create(id, version, new, now).await.unwrap() {
                    SessionCreated::Created { session, .. } => session,
                    _ => panic!("not created"),
                }
            });
        }
        sessions.extend(some.join_all().await);
    }
    (user, sessions)
}

/// Processor time of this process, which a busy machine does not stretch like the clock; in steps of 10 ms.
fn cpu_ms() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after_name = stat.rsplit(')').next().unwrap_or_default();
    let ticks = after_name.split_whitespace().skip(11).take(2).filter_map(|field| field.parse::<f64>().ok());
    ticks.sum::<f64>() * 10.0
}

struct Rotated {
    seconds: f64,
    per_second: f64,
    p50_ms: f64,
    p99_ms: f64,
    max_ms: f64,
}

/// Each presenter goes round its own share of the sessions, and every presentation rotates.
async fn rotate(
    store: &Arc<dyn Store>,
    sessions: Vec<Session>,
    presenters: usize,
    span: Duration,
) -> Rotated {
    let rules = rules();
    let stop = Arc::new(AtomicBool::new(false));
    let mut tasks = tokio::task::JoinSet::new();
    let started = Instant::now();
    for presenter in 0..presenters {
        let mut mine: Vec<_> = sessions.iter().skip(presenter).step_by(presenters).cloned().collect();
        let (store, rules, stop) = (Arc::clone(store), Arc::clone(&rules), Arc::clone(&stop));
        tasks.spawn(async move {
            let mut times = Vec::new();
            let mut at = now();
            while !mine.is_empty() && !stop.load(Ordering::Relaxed) {
                at = at + QUIET;
                for session in &mut mine {
                    let begun = Instant::now();
                    *session = present(&store, &rules, session, at).await;
                    times.push(begun.elapsed());
                    if stop.load(Ordering::Relaxed) {
                        break;
                    }
                }
            }
            times
        });
    }
    tokio::time::sleep(span).await;
    stop.store(true, Ordering::Relaxed);
    let mut times: Vec<Duration> = tasks.join_all().await.into_iter().flatten().collect();
    let elapsed = started.elapsed();
    times.sort();
    let at = |share: f64| times[(times.len() as f64 * share) as usize].as_secs_f64() * 1e3;
    Rotated {
        seconds: elapsed.as_secs_f64(),
        per_second: times.len() as f64 / elapsed.as_secs_f64(),
        p50_ms: at(0.5),
        p99_ms: at(0.99),
        max_ms: times[times.len() - 1].as_secs_f64() * 1e3,
    }
}

async fn present(
    store: &Arc<dyn Store>,
    rules: &Arc<RefreshRules>,
    session: &Session,
    at: Timestamp,
) -> Session {
    let claims = RefreshClaims {
        session_id: session.id,
        generation: session.rotation.head,
        expires_at: session.expires_at,
        nonce: [0; 12],
    };
    let text = mint(rules.keys.current(), &claims, &session.salt);
    let tokens = vec![rules.keys.read(&text).unwrap()];
    let request = RefreshRequest {
        tokens,
        freshness: Freshness::Fresh,
        rules: Arc::clone(rules),
        whence: Default::default(),
    };
    match store.session_refresh(request, at).await.unwrap().pop() {
        Some(Refreshed::Served { session, written: true, .. }) => session,
        _ => panic!("not rotated"),
    }
}

/// Nanoseconds of a call for a session that is kept.
async fn time_callers(store: &Arc<dyn Store>, sessions: &[Session]) -> f64 {
    const CALLS: usize = 200_000;
    let some = &sessions[..sessions.len().min(1_000)];
    for session in some {
        store.caller(session.id).await.unwrap();
    }
    let started = Instant::now();
    for i in 0..CALLS {
        let caller = store.caller(some[i % some.len()].id).await.unwrap();
        std::hint::black_box(caller);
    }
    started.elapsed().as_secs_f64() * 1e9 / CALLS as f64
}

/// Calls a second by one caller while others rotate, so that the stamp keeps moving.
async fn callers_beside_rotations(store: &Arc<dyn Store>, sessions: &[Session], span: Duration) -> f64 {
    let (callee, rotating) = sessions.split_at(sessions.len() / 2);
    let mut fresh = Vec::new();
    // Fewer than the writer takes on at once.
    for session in rotating.iter().take(500) {
        fresh.push(store.session_find(session.id).await.unwrap().unwrap().session);
    }
    let rotation = tokio::spawn({
        let store = Arc::clone(store);
        async move { rotate_later(&store, fresh, span).await }
    });
    let (started, mut calls) = (Instant::now(), 0_usize);
    while started.elapsed() < span {
        for _ in 0..100 {
            std::hint::black_box(store.caller(callee[calls % callee.len()].id).await.unwrap());
            calls += 1;
        }
    }
    let per_second = calls as f64 / started.elapsed().as_secs_f64();
    rotation.await.unwrap();
    per_second
}

async fn rotate_later(store: &Arc<dyn Store>, sessions: Vec<Session>, span: Duration) {
    // Their rotations were dated ahead; these go on from there.
    let ahead = sessions.iter().map(|session| session.rotation.handed_at).max().unwrap_or(now());
    let rules = rules();
    let started = Instant::now();
    let mut sessions = sessions;
    let mut at = ahead;
    while started.elapsed() < span {
        at = at + QUIET;
        let mut some = tokio::task::JoinSet::new();
        for session in sessions.drain(..) {
            let (store, rules) = (Arc::clone(store), Arc::clone(&rules));
            some.spawn(async move { present(&store, &rules, &session, at).await });
        }
        sessions = some.join_all().await;
    }
}
