//! Being told what ends, and asking where that is not enough.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tenure::clock::Clock as _;
use tenure_domain::password::PasswordHash;
use tenure_domain::time::Timestamp;
use tenure_domain::user::Role;
use tenure_guard::{BuildError, Freshness, Guard};
use tenure_store::{Expected, Scope, UserChange};

use crate::world::{Ada, CHECK, FEED, Issuer, Trick, Way, ask, ask_with, decree, eventually, order};

/// More than the minute by which clocks may differ: of tokens that are signed then, the feed knows everything.
const LATER: Duration = Duration::from_secs(61);

/// An issuer with Ada, and the API key of a guard.
struct World {
    issuer: Issuer,
    ada: Ada,
    key: String,
}

impl World {
    async fn new() -> Self {
        let issuer = Issuer::start().await;
        let ada = issuer.ada().await;
        let key = issuer.api_key(&issuer.operator().await, "revocations.read").await;
        Self { issuer, ada, key }
    }

    /// A live guard whose machine's clock is off by so many minutes.
    async fn guard_off_by(&self, minutes: i64) -> Guard {
        let clock = Arc::clone(&self.issuer.clock);
        let off = Arc::new(move || Timestamp::from_ms(clock.now().as_ms() + minutes * 60_000));
        let guard = self.issuer.guard(Freshness::Push).clock(off).api_key(&self.key).build().unwrap();
        is_live(&guard).await;
        guard
    }

    fn guard(&self) -> Guard {
        self.guard_silent_for(Duration::from_secs(10))
    }

    /// With as much patience for answers as a busy machine needs.
    fn guard_silent_for(&self, silence_max: Duration) -> Guard {
        self.guard_of(silence_max, Duration::from_secs(15))
    }

    fn guard_of(&self, silence_max: Duration, timeout: Duration) -> Guard {
        let builder = self.issuer.guard(Freshness::Push).silence_max(silence_max);
        builder.timeout(timeout).api_key(&self.key).build().unwrap()
    }

    async fn live_guard(&self) -> Guard {
        let guard = self.guard();
        is_live(&guard).await;
        guard
    }

    /// A guard that is live, and a token of which it knows everything.
    async fn known(&self) -> (Guard, String) {
        let guard = self.live_guard().await;
        let token = self.later(&guard).await;
        (guard, token)
    }

    /// A token that was signed long after the feed began.
    async fn later(&self, guard: &Guard) -> String {
        self.issuer.clock.advance(LATER);
        let token = self.issuer.sign_in().await;
        // The guard's clock has leapt as well.
        is_live(guard).await;
        token
    }

    /// Whether the guard refuses this token by itself.
    async fn is_refused_unasked(&self, guard: &Guard, token: &str) -> bool {
        let asked = self.issuer.asked(CHECK);
        let answer = ask_with(guard, token).await;
        if answer.status == 200 {
            return false;
        }
        answer.refused(401, "access_token_revoked");
        self.issuer.asked(CHECK) == asked
    }

    async fn passes_unasked(&self, guard: &Guard, token: &str) -> bool {
        let asked = self.issuer.asked(CHECK);
        ask_with(guard, token).await.passed();
        self.issuer.asked(CHECK) == asked
    }
}

async fn is_live(guard: &Guard) {
    eventually("the feed is live", async || guard.feed_is_live()).await;
}

async fn is_not_live(guard: &Guard) {
    eventually("the feed is not live", async || !guard.feed_is_live()).await;
}

#[tokio::test]
async fn while_the_feed_is_live_nobody_is_asked_and_an_end_is_refused() {
    let world = World::new().await;
    let (guard, token) = world.known().await;
    for _ in 0..50 {
        let caller = ask_with(&guard, &token).await.passed();
        assert_eq!((caller.user, caller.role), (Some(world.ada.id), Some(Role::User)));
    }
    ask(&guard, &[]).await.refused(401, "access_token_missing");
    ask_with(&guard, "garbage").await.refused(401, "access_token_invalid");
    ask_with(&guard, "tnr1_AAAA").await.refused(401, "wrong_token_type");
    world.issuer.end_sessions(&world.ada).await;
    eventually("it is refused", async || world.is_refused_unasked(&guard, &token).await).await;
    assert_eq!(world.issuer.asked(CHECK), 0);
    world.issuer.clock.advance(Duration::from_secs(901));
    is_live(&guard).await;
    ask_with(&guard, &token).await.refused(401, "access_token_expired");
}

#[tokio::test]
async fn tokens_expire_by_the_issuers_clock_whatever_the_guards_says() {
    let world = World::new().await;
    for minutes in [-60, 15] {
        let guard = world.guard_off_by(minutes).await;
        let token = world.later(&guard).await;
        assert!(world.passes_unasked(&guard, &token).await, "{minutes}");
        world.issuer.clock.advance(Duration::from_secs(800));
        is_live(&guard).await;
        assert!(world.passes_unasked(&guard, &token).await, "{minutes}");
        world.issuer.clock.advance(Duration::from_secs(101));
        is_live(&guard).await;
        ask_with(&guard, &token).await.refused(401, "access_token_expired");
        assert_eq!(world.issuer.asked(CHECK), 0, "{minutes}");
    }
}

#[tokio::test]
async fn what_concerns_all_of_a_user_is_refused_and_what_they_sign_in_to_afterwards_is_not() {
    let world = World::new().await;
    let (guard, mut token) = world.known().await;
    let store = &world.issuer.app.store;
    let id = world.ada.id;
    for what in ["signed out everywhere", "another password", "disabled"] {
        assert!(world.passes_unasked(&guard, &token).await, "{what}");
        let now = world.issuer.clock.now();
        match what {
            "signed out everywhere" => world.issuer.end_sessions(&world.ada).await,
            // The session goes on, and its access token does not.
            "another password" => {
                let hash = store.user_find(id).await.unwrap().unwrap().password_hash.unwrap();
                let kept = PasswordHash::from_stored(hash.as_str().to_owned());
                let session = ask_with(&guard, &token).await.passed().session;
                store.user_set_password(id, Expected::Anyhow, kept, session, order(), now).await.unwrap();
            }
            _ => {
                store.user_disable(id, order(), now).await.unwrap();
                let refused = async || world.is_refused_unasked(&guard, &token).await;
                eventually("nobody is let in who is disabled", refused).await;
                store.user_enable(id, crate::world::decree(), now).await.unwrap();
            }
        }
        eventually(what, async || world.is_refused_unasked(&guard, &token).await).await;
        token = world.issuer.sign_in().await;
        eventually("a new one passes", async || world.passes_unasked(&guard, &token).await).await;
    }
    store.user_delete(id, order(), world.issuer.clock.now()).await.unwrap();
    eventually("deleted", async || world.is_refused_unasked(&guard, &token).await).await;
}

#[tokio::test]
async fn a_role_is_the_one_that_somebody_has_now() {
    let world = World::new().await;
    let (guard, token) = world.known().await;
    for role in [Role::Admin, Role::User] {
        let change = UserChange { role: Some(role), ..UserChange::default() };
        let store = &world.issuer.app.store;
        store.user_change(world.ada.id, change, decree(), world.issuer.clock.now()).await.unwrap();
        let is_told = async || ask_with(&guard, &token).await.passed().role == Some(role);
        eventually("the role is told", is_told).await;
    }
    assert_eq!(world.issuer.asked(CHECK), 0);
}

#[tokio::test]
async fn of_what_the_feed_cannot_know_the_issuer_is_asked() {
    let world = World::new().await;
    let guard = world.live_guard().await;
    // Signed before the feed began, and what has ended since it is told of nevertheless.
    assert!(!world.passes_unasked(&guard, &world.ada.token).await);
    let key = world.issuer.api_key(&world.ada, "orders.read").await;
    assert!(ask(&guard, &[("x-api-key", &key)]).await.passed().key.is_some());
    assert!(ask_with(&guard, &key).await.passed().key.is_some());
    assert_eq!(world.issuer.asked(CHECK), 3);
    world.issuer.end_sessions(&world.ada).await;
    ask_with(&guard, &world.ada.token).await.refused(401, "access_token_revoked");
    let refused = async || world.is_refused_unasked(&guard, &world.ada.token).await;
    eventually("it is told", refused).await;
}

#[tokio::test]
async fn what_is_required_is_asked_and_what_has_ended_is_not() {
    let world = World::new().await;
    let requiring = |what: &str| {
        let builder = world.issuer.guard(Freshness::Push).api_key(&world.key);
        builder.require(what.parse().unwrap()).build().unwrap()
    };
    let (active, paid) = (requiring("active_account"), requiring("plan:pro"));
    is_live(&paid).await;
    is_live(&active).await;
    let token = world.later(&active).await;
    let caller = ask_with(&active, &token).await.passed();
    assert_eq!(caller.account, Some(world.ada.account));
    ask_with(&paid, &token).await.refused(402, "plan_missing");
    world.issuer.suspend(&world.ada).await;
    ask_with(&active, &token).await.refused(403, "account_suspended");
    assert_eq!(world.issuer.asked(CHECK), 3);
    world.issuer.end_sessions(&world.ada).await;
    eventually("told", async || {
        let asked = world.issuer.asked(CHECK);
        ask_with(&active, &token).await.status == 401 && world.issuer.asked(CHECK) == asked
    })
    .await;
}

#[tokio::test]
async fn a_feed_that_is_cut_or_hangs_is_a_reason_to_ask_and_no_end_is_missed() {
    for way in [Way::Cut, Way::Hangs] {
        let world = World::new().await;
        // The first listener has the issuer begin to write down what happens, and stays.
        let (_first, _) = world.known().await;
        let guard = world.guard_silent_for(Duration::from_secs(5));
        is_live(&guard).await;
        let token = world.later(&guard).await;
        assert!(world.passes_unasked(&guard, &token).await, "{way:?}");
        world.issuer.way(way);
        is_not_live(&guard).await;
        assert!(!world.passes_unasked(&guard, &token).await, "{way:?}");
        world.issuer.end_sessions(&world.ada).await;
        let asked = world.issuer.asked(CHECK);
        ask_with(&guard, &token).await.refused(401, "access_token_revoked");
        assert_eq!(world.issuer.asked(CHECK), asked + 1, "{way:?}");
        world.issuer.way(Way::Open);
        is_live(&guard).await;
        assert!(world.is_refused_unasked(&guard, &token).await, "{way:?}");
        let fresh = world.issuer.sign_in().await;
        eventually("a new one passes", async || world.passes_unasked(&guard, &fresh).await).await;
    }
}

#[tokio::test]
async fn an_issuer_that_is_gone_is_503_and_one_that_comes_back_is_heard_again() {
    let mut world = World::new().await;
    let (guard, token) = world.known().await;
    world.issuer.end_sessions(&world.ada).await;
    let other = world.issuer.sign_in().await;
    eventually("it is refused", async || world.is_refused_unasked(&guard, &token).await).await;
    world.issuer.stop().await;
    is_not_live(&guard).await;
    for token in [&token, &other] {
        ask_with(&guard, token).await.refused(503, "storage_unavailable");
    }
    world.issuer.start_again().await;
    is_live(&guard).await;
    // It knows nothing of what was before it was started.
    let asked = world.issuer.asked(CHECK);
    ask_with(&guard, &token).await.refused(401, "access_token_revoked");
    ask_with(&guard, &other).await.passed();
    assert_eq!(world.issuer.asked(CHECK), asked + 2);
    let fresh = world.later(&guard).await;
    assert!(world.passes_unasked(&guard, &fresh).await);
}

#[tokio::test]
async fn an_end_while_a_guard_begins_to_listen_is_not_lost() {
    let world = World::new().await;
    let (_first, _) = world.known().await;
    for _ in 0..40 {
        let token = world.issuer.sign_in().await;
        let (app, id, now) = (Arc::clone(&world.issuer.app), world.ada.id, world.issuer.clock.now());
        let ending = tokio::spawn(async move {
            app.store.session_end(id, Scope::All, false, order(), now).await.unwrap();
        });
        let guard = world.guard();
        is_live(&guard).await;
        ending.await.unwrap();
        // It is told at first or afterwards. Had it been told to nobody, it would pass on and on.
        eventually("it is told", async || world.is_refused_unasked(&guard, &token).await).await;
    }
    assert_eq!(world.issuer.asked(CHECK), 0);
}

#[tokio::test]
async fn a_key_that_does_not_stand_is_said_and_everybody_is_asked_for() {
    let lines = Lines::default();
    let writer = lines.clone();
    let log = tracing_subscriber::fmt().with_writer(move || writer.clone()).finish();
    let _logging = tracing::subscriber::set_default(log);
    // Where there is one subscriber, what another test's thread asks first is asked of that thread for good.
    let _second = tracing::Dispatch::new(tracing_subscriber::registry());
    let mut world = World::new().await;
    let (id, good) = world.issuer.api_key_with_id(&world.ada, "revocations.read").await;
    let bad = world.issuer.api_key(&world.ada, "reports.read").await;
    for (key, said) in [("tnk1_no", "does not stand"), (bad.as_str(), "has no scope `revocations.read`")] {
        world.key = key.to_owned();
        let guard = world.guard();
        eventually("it is said", async || lines.text().contains(said)).await;
        assert!(!guard.feed_is_live());
        ask_with(&guard, &world.ada.token).await.passed();
        world.issuer.clock.advance(Duration::from_secs(1));
    }
    world.key = good;
    let guard = world.live_guard().await;
    let token = world.later(&guard).await;
    world.issuer.app.store.api_key_revoke(id, decree(), world.issuer.clock.now()).await.unwrap();
    is_not_live(&guard).await;
    assert!(!world.passes_unasked(&guard, &token).await);
    assert!(!lines.text().contains(&world.key), "keys are not for the log");
}

#[tokio::test]
async fn whoever_answers_in_the_feeds_place_is_not_believed() {
    let world = World::new().await;
    let (guard, token) = world.known().await;
    let answers = |kind: &str, body: &str| {
        Trick::Answers(200, vec![("content-type", kind.to_owned())], body.to_owned())
    };
    for trick in [
        answers("text/html", "<h1>Welcome</h1>"),
        answers("text/event-stream", "event: beat\ndata: {}\n\n"),
        answers(
            "text/event-stream",
            "event: begin\ndata: {\"since\":\"always\"}\n\nevent: beat\ndata: {}\n\n",
        ),
        answers("text/event-stream", &"x".repeat(1 << 20)),
        Trick::Hangs,
    ] {
        let newcomer = world.guard_of(Duration::from_millis(200), Duration::from_secs(1));
        world.issuer.trick(trick);
        let tried = world.issuer.asked(FEED);
        eventually("it has tried", async || world.issuer.asked(FEED) > tried).await;
        ask_with(&newcomer, &token).await.refused(503, "storage_unavailable");
        assert!(!newcomer.feed_is_live());
        world.issuer.trick(None);
    }
    assert!(world.passes_unasked(&guard, &token).await, "who is told goes on");
}

#[tokio::test]
async fn a_guard_that_is_gone_listens_no_more() {
    let world = World::new().await;
    let guard = world.live_guard().await;
    let listeners = async || world.issuer.app.metrics.revocation_listeners.get();
    let clone = guard.clone();
    drop(guard);
    assert!(clone.feed_is_live());
    assert_eq!(listeners().await, 1);
    drop(clone);
    eventually("nobody listens", async || listeners().await == 0).await;
}

#[test]
fn what_a_guard_cannot_listen_without_is_said_when_it_is_built() {
    let builder = || Guard::builder("http://127.0.0.1:1").mode(Freshness::Push);
    assert!(matches!(builder().build(), Err(BuildError::NeedsApiKey)));
    assert!(matches!(builder().api_key("with\nnewline").build(), Err(BuildError::NeedsApiKey)));
    assert!(matches!(builder().api_key("tnk1_x").build(), Err(BuildError::NeedsRuntime)));
}

/// What was logged.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Lines {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap()).into_owned()
    }
}

impl std::io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
