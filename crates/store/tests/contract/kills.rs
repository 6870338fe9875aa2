//! Durability: a process that dies at any moment takes nothing back that it has answered.
//!
//! A child signs in, refreshes and ends on a database, and says what it was answered, after it was answered.
//! The parent lets it say a random number of things, kills it (SIGKILL), opens the same database, and holds
//! it to everything the child has said. Then the next child goes on with the same sessions.

use std::collections::HashMap;
use std::io::{BufReader, Write as _};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tenure_domain::ends::EndReason;
use tenure_domain::id::SessionId;
use tenure_domain::rotation::Generation;
use tenure_domain::session::{ReusePolicy, Session};
use tenure_domain::time::{Freshness, Timestamp};
use tenure_store::{RefreshRequest, Refreshed, Result, Scope, SessionCreated, Store, StoreError, User};
use tokio::task::JoinSet;

use crate::backend::{Backend, Postgres, Sqlite, at};
use crate::process::{MARK, again, database, hear};
use crate::world::{QUIET, SECOND, Seeded, T0, World, jar_of, join_all, name_of, new_session, order, rules};

/// Sessions that a child is given to go on with.
const CARRIED_MAX: usize = 24;

/// Tasks of a child that work at the same time.
const HANDS: usize = 8;

/// What the parent knows of a session.
#[derive(Clone, Debug)]
struct Known {
    /// The generation in the jar: the newest whose hand-out was answered.
    jar: Generation,
    end: EndKnown,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum EndKnown {
    No,
    /// The end was ordered; whether it was written, the child did not live to tell.
    Ordered,
    Yes,
}

#[derive(Default, Debug)]
struct Tally {
    signed_in: usize,
    served: usize,
    ended: usize,
    ordered_only: usize,
}

/// When a round takes place: far enough after the one before that a refresh rotates.
fn time_of(round: u32) -> Timestamp {
    T0 + 2 * round * QUIET
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_200_kills_no_sign_in_and_no_end_is_lost_nothing_is_revived_and_honest_tokens_are_served() {
    after_kills_of_the_process(Arc::new(Sqlite::fresh(true)), 220).await;
}

/// Fewer, because here the database is not in the process that dies.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_kills_of_a_process_on_postgres_its_answers_stand() {
    after_kills_of_the_process(Arc::new(Postgres::fresh()), 40).await;
}

/// The database itself is killed under load, and everybody finds back by themselves.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_kills_of_postgres_under_load_its_answers_stand_and_rotations_that_it_lost_are_healed() {
    // What it has written, the system keeps; what it has not, is lost with it.
    let server = tenure_rig::Postgres::start();
    let backend: Arc<dyn Backend> = Arc::new(Postgres::on(&server.server()));
    let mut ledger = Ledger::new(backend).await;
    let world = Arc::new(World::of(Arc::clone(&ledger.backend)));
    for round in 1..=6 {
        let carried = carry(&ledger.known, &ledger.random);
        let facts: Arc<Mutex<Vec<Fact>>> = Arc::default();
        let mut hands = JoinSet::new();
        for hand in 0..HANDS {
            let facts = Arc::clone(&facts);
            let say = move |line: String| facts.lock().unwrap().push(read_fact(&line));
            let mine = carried.iter().copied().skip(hand).step_by(HANDS).collect();
            let work = Work::new(&world.store, &ledger.ada, round, hand, say);
            hands.spawn(work.go_on(mine));
        }
        let enough = 20 + ledger.random.below(40);
        while facts.lock().unwrap().len() < enough {
            tokio::time::sleep(SECOND / 200).await;
        }
        tokio::time::sleep(Duration::from_micros(ledger.random.next() % 20_000)).await;
        server.kill();
        for broken in hands.join_all().await {
            assert!(matches!(broken, Err(StoreError::Unavailable(_))), "{broken:?}");
        }
        server.start_again();
        let back = async {
            while world.store.check().await.is_err() || world.store.key_epoch().await.is_err() {
                tokio::time::sleep(SECOND / 100).await;
            }
        };
        tokio::time::timeout(30 * SECOND, back).await.expect("it does not find back");
        let facts = std::mem::take(&mut *facts.lock().unwrap());
        ledger.note(&facts);
        let touched = carried.into_iter().chain(facts.iter().map(|fact| fact.id)).collect();
        hold(&world, &ledger.ada, &mut ledger.known, touched, time_of(round) + QUIET).await;
    }
    ledger.hold_everything(&world, time_of(7)).await;
    assert!(ledger.tally.served > 20 && ledger.tally.ended > 10, "{:?}", ledger.tally);
}

/// What is known of a database that is killed at.
struct Ledger {
    backend: Arc<dyn Backend>,
    ada: User,
    random: Seeded,
    known: HashMap<SessionId, Known>,
    tally: Tally,
}

async fn after_kills_of_the_process(backend: Arc<dyn Backend>, kills: u32) {
    let mut ledger = Ledger::new(backend).await;
    for round in 1..=kills {
        let carried = carry(&ledger.known, &ledger.random);
        let facts = let_live_and_kill(&ledger.backend.address(), round, &carried, &ledger.random);
        ledger.note(&facts);
        let world = World::of(Arc::clone(&ledger.backend));
        // Those this child could have touched; the others are all looked at in the end.
        let touched = carried.into_iter().chain(facts.iter().map(|fact| fact.id)).collect();
        hold(&world, &ledger.ada, &mut ledger.known, touched, time_of(round) + QUIET).await;
        world.store.close().await;
    }
    let world = World::of(Arc::clone(&ledger.backend));
    ledger.hold_everything(&world, time_of(kills + 1)).await;
    let (tally, kills) = (&ledger.tally, kills as usize);
    assert!(
        tally.signed_in > kills && tally.served > kills && tally.ended > kills / 4,
        "too little happened: {tally:?}"
    );
}

impl Ledger {
    async fn new(backend: Arc<dyn Backend>) -> Self {
        let seed = std::env::var("TENURE_TEST_SEED").ok().and_then(|seed| seed.parse().ok());
        let seed = seed.unwrap_or(20_261_120);
        println!("seed {seed} (TENURE_TEST_SEED)");
        let ada = World::of(Arc::clone(&backend)).user("ada").await;
        Self { backend, ada, random: Seeded::new(seed), known: HashMap::new(), tally: Tally::default() }
    }

    fn note(&mut self, facts: &[Fact]) {
        note(&mut self.known, &mut self.tally, facts);
    }

    async fn hold_everything(&mut self, world: &World, now: Timestamp) {
        let everything = self.known.keys().copied().collect();
        hold(world, &self.ada, &mut self.known, everything, now).await;
        println!("{} sessions: {:?}", self.known.len(), self.tally);
    }
}

/// Live sessions for a child to go on with, and one that has ended, to tempt it.
fn carry(known: &HashMap<SessionId, Known>, random: &Seeded) -> Vec<SessionId> {
    let mut sorted: Vec<_> = known.iter().collect();
    sorted.sort_by_key(|(id, _)| **id);
    let (mut live, ended): (Vec<_>, Vec<_>) = sorted.iter().partition(|(_, known)| known.end == EndKnown::No);
    while live.len() >= CARRIED_MAX {
        live.swap_remove(random.below(live.len()));
    }
    live.extend(ended.get(random.below(ended.len().max(1))));
    live.into_iter().map(|(id, _)| *id).collect()
}

/// Something that a child has said.
struct Fact {
    id: SessionId,
    what: What,
}

enum What {
    SignedIn,
    Served(Generation),
    OrderedEnd,
    Ended,
}

fn read_fact(line: &str) -> Fact {
    let words: Vec<_> = line.split(' ').collect();
    let id = words[1].parse().unwrap();
    let what = match words[0] {
        "signed-in" => What::SignedIn,
        "served" => What::Served(Generation(words[2].parse().unwrap())),
        "ending" => What::OrderedEnd,
        "ended" => What::Ended,
        other => panic!("what is {other}?"),
    };
    Fact { id, what }
}

fn let_live_and_kill(database: &str, round: u32, carried: &[SessionId], random: &Seeded) -> Vec<Fact> {
    let mut command = again("kills::the_body_of_one_who_is_killed", database);
    let mut child = command.env("TENURE_TEST_ROUND", round.to_string()).spawn().unwrap();
    let mut ears = child.stdin.take().unwrap();
    let mut mouth = BufReader::new(child.stdout.take().unwrap());
    let carried: Vec<_> = carried.iter().map(SessionId::to_string).collect();
    writeln!(ears, "{}", carried.join(" ")).unwrap();
    drop(ears);
    let mut facts = Vec::new();
    for _ in 0..random.below(60) {
        facts.extend(hear(&mut mouth).map(|line| read_fact(&line)));
    }
    // Somewhere within a commit or between two: not waited for, only varied.
    std::thread::sleep(Duration::from_micros(random.next() % 6_000));
    child.kill().unwrap();
    // What it said before it died still counts.
    while let Some(line) = hear(&mut mouth) {
        facts.push(read_fact(&line));
    }
    child.wait().unwrap();
    facts
}

fn note(known: &mut HashMap<SessionId, Known>, tally: &mut Tally, facts: &[Fact]) {
    for fact in facts {
        let fresh = Known { jar: Generation(1), end: EndKnown::No };
        let session = known.entry(fact.id).or_insert(fresh);
        match fact.what {
            What::SignedIn => tally.signed_in += 1,
            What::Served(head) => {
                tally.served += 1;
                assert_ne!(session.end, EndKnown::Yes, "{} was served after its end", fact.id);
                session.jar = session.jar.max(head);
            }
            What::OrderedEnd => {
                tally.ordered_only += 1;
                session.end = session.end.max_known(EndKnown::Ordered);
            }
            What::Ended => {
                tally.ended += 1;
                tally.ordered_only -= 1;
                session.end = EndKnown::Yes;
            }
        }
    }
}

impl EndKnown {
    fn max_known(self, other: EndKnown) -> EndKnown {
        if self == EndKnown::Yes { self } else { other }
    }
}

/// Holds the database to what is known of these sessions, as honest browsers that present their jars.
async fn hold(
    world: &World,
    ada: &User,
    known: &mut HashMap<SessionId, Known>,
    ids: Vec<SessionId>,
    now: Timestamp,
) {
    if !world.backend.is_postgres() {
        let wrong = "SELECT count(*) FROM pragma_integrity_check() WHERE integrity_check <> 'ok'";
        assert_eq!(world.backend.number(wrong), 0);
    }
    let ids: std::collections::BTreeSet<_> = ids.into_iter().collect();
    let look = async |id: SessionId, known: Known| {
        let Some(record) = world.store.session_find(id).await.unwrap() else {
            panic!("the sign-in {id} is lost");
        };
        let jar = world.jar_at(&record.session, known.jar);
        let outcome = world.refresh(&jar, now).await;
        let stands = world.stands(&record.session, ada).await;
        let now_known = match (outcome, known.end) {
            (Refreshed::Served { session, .. }, EndKnown::No | EndKnown::Ordered) => {
                assert!(session.rotation.head >= known.jar, "{id} went back");
                assert!(stands);
                Known { jar: session.rotation.head, end: EndKnown::No }
            }
            (Refreshed::Ended { newly: false, .. }, EndKnown::Ordered | EndKnown::Yes) => {
                assert!(!stands);
                Known { end: EndKnown::Yes, ..known }
            }
            (outcome, _) => panic!("{id}: {} although {known:?}", name_of(&outcome)),
        };
        (id, now_known)
    };
    // All at once, so that they share commits.
    let looks = ids.into_iter().map(|id| look(id, known[&id].clone()));
    for (id, now_known) in join_all(looks).await {
        known.insert(id, now_known);
    }
}

// === The one who works until it is over ===

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_body_of_one_who_is_killed() {
    let Some(address) = database() else { return };
    let round: u32 = std::env::var("TENURE_TEST_ROUND").unwrap().parse().unwrap();
    let store = at(&address, Seeded::new(u64::MAX / 2 + (u64::from(round) << 20))).unwrap();
    let ada = store.user_find_by_email("ada@example.com").await.unwrap().unwrap();
    let mut carried = String::new();
    std::io::stdin().read_line(&mut carried).unwrap();
    let carried: Vec<SessionId> = carried.split_whitespace().map(|id| id.parse().unwrap()).collect();
    let mut hands = JoinSet::new();
    for hand in 0..HANDS {
        // Each session is in one hand, so that what is said of it is in order.
        let mine = carried.iter().copied().skip(hand).step_by(HANDS).collect();
        let say = |line| println!("{MARK}{line}");
        hands.spawn(Work::new(&store, &ada, round, hand, say).go_on(mine));
    }
    for broken in hands.join_all().await {
        broken.unwrap();
    }
}

/// A hand that signs in, refreshes and ends until the store breaks, and says what it was answered.
struct Work<S> {
    store: Arc<dyn Store>,
    ada: User,
    random: Seeded,
    now: Timestamp,
    say: S,
}

impl<S: Fn(String)> Work<S> {
    fn new(store: &Arc<dyn Store>, ada: &User, round: u32, hand: usize, say: S) -> Self {
        let random = Seeded::new(u64::from(round) << 32 | hand as u64);
        Self { store: Arc::clone(store), ada: ada.clone(), random, now: time_of(round), say }
    }

    async fn go_on(self, mine: Vec<SessionId>) -> Result<()> {
        let mut sessions: Vec<Session> = Vec::new();
        for id in mine {
            sessions.extend(self.store.session_find(id).await?.map(|record| record.session));
        }
        loop {
            let choice = self.random.below(10);
            if sessions.len() < 3 || choice < 2 {
                sessions.extend(self.sign_in().await?);
                continue;
            }
            let chosen = self.random.below(sessions.len());
            if choice < 8 {
                self.refresh(&mut sessions[chosen]).await?;
                continue;
            }
            self.end(sessions[chosen].id).await?;
            // Now and then it goes on presenting what has ended, as a stale tab would.
            if choice == 9 {
                sessions.swap_remove(chosen);
            }
        }
    }

    async fn sign_in(&self) -> Result<Option<Session>> {
        let (ada, at) = (&self.ada, self.now - QUIET);
        match self.store.session_create(ada.id, ada.token_version, new_session(at), at).await? {
            SessionCreated::Created { session, .. } => {
                (self.say)(format!("signed-in {}", session.id));
                Ok(Some(session))
            }
            _ => panic!("not signed in"),
        }
    }

    async fn refresh(&self, session: &mut Session) -> Result<()> {
        let rules = rules(ReusePolicy::Revoke);
        let tokens = vec![rules.keys.read(&jar_of(&rules, session, session.rotation.head).0).unwrap()];
        let request =
            RefreshRequest { tokens, freshness: Freshness::Fresh, rules, whence: Default::default() };
        if let [Refreshed::Served { session: after, .. }] =
            &self.store.session_refresh(request, self.now).await?[..]
        {
            (self.say)(format!("served {} {}", after.id, after.rotation.head.0));
            *session = after.clone();
        }
        Ok(())
    }

    async fn end(&self, id: SessionId) -> Result<()> {
        (self.say)(format!("ending {id}"));
        let by_user = order(EndReason::SignedOut);
        let ended = self.store.session_end(self.ada.id, Scope::One(id), false, by_user, self.now).await?;
        assert_eq!(ended.len(), 1);
        (self.say)(format!("ended {id}"));
        Ok(())
    }
}
