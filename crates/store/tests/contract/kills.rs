//! Durability: a process that dies at any moment takes nothing back that it has answered.
//!
//! A child signs in, refreshes and ends on a database, and says what it was answered, after it was answered.
//! The parent lets it say a random number of things, kills it (SIGKILL), opens the same database, and holds
//! it to everything the child has said. Then the next child goes on with the same sessions.

use std::collections::HashMap;
use std::io::{BufReader, Write as _};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tenure_domain::ends::EndReason;
use tenure_domain::id::SessionId;
use tenure_domain::rotation::Generation;
use tenure_domain::session::Session;
use tenure_domain::time::Timestamp;
use tenure_store::{Device, Refreshed, Scope, User};

use crate::process::{MARK, again, database, hear};
use crate::world::{QUIET, Seeded, Sqlite, T0, World, name_of, order};

const KILLS: u32 = 220;

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
    let seed =
        std::env::var("TENURE_TEST_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(20_261_120);
    println!("seed {seed} (TENURE_TEST_SEED)");
    let random = Seeded::new(seed);
    let sqlite = Arc::new(Sqlite::fresh(true));
    let ada = World::of(sqlite.clone()).user("ada").await;
    let mut known: HashMap<SessionId, Known> = HashMap::new();
    let mut tally = Tally::default();
    for round in 1..=KILLS {
        let carried = carry(&known, &random);
        let facts = let_live_and_kill(&sqlite.path(), round, &carried, &random);
        note(&mut known, &mut tally, &facts);
        let world = World::of(sqlite.clone());
        // Those this child could have touched; the others are all looked at in the end.
        let touched: Vec<SessionId> = carried.into_iter().chain(facts.iter().map(|fact| fact.id)).collect();
        hold(&world, &ada, &mut known, touched, time_of(round) + QUIET).await;
        world.store.close().await;
    }
    let world = World::of(sqlite);
    let everything = known.keys().copied().collect();
    hold(&world, &ada, &mut known, everything, time_of(KILLS + 1)).await;
    println!("{KILLS} kills, {} sessions: {tally:?}", known.len());
    assert!(
        tally.signed_in > 200 && tally.served > 200 && tally.ended > 50,
        "too little happened: {tally:?}"
    );
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

fn let_live_and_kill(database: &Path, round: u32, carried: &[SessionId], random: &Seeded) -> Vec<Fact> {
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
    assert_eq!(
        world.backend.number("SELECT count(*) FROM pragma_integrity_check() WHERE integrity_check <> 'ok'"),
        0
    );
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

/// Runs futures side by side on this task.
async fn join_all<F: Future>(futures: impl Iterator<Item = F>) -> Vec<F::Output> {
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

// === The child ===

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_body_of_one_who_is_killed() {
    let Some(path) = database() else { return };
    let round: u32 = std::env::var("TENURE_TEST_ROUND").unwrap().parse().unwrap();
    let world = Arc::new(World::of(Arc::new(Existing(path, u64::from(round)))));
    let ada = world.store.user_find_by_email("ada@example.com").await.unwrap().unwrap();
    let mut carried = String::new();
    std::io::stdin().read_line(&mut carried).unwrap();
    let carried: Vec<SessionId> = carried.split_whitespace().map(|id| id.parse().unwrap()).collect();
    let mut hands = tokio::task::JoinSet::new();
    for hand in 0..HANDS {
        // Each session is in one hand, so that what is said of it is in order.
        let mine: Vec<_> = carried.iter().copied().skip(hand).step_by(HANDS).collect();
        let random = Seeded::new(u64::from(round) << 32 | hand as u64);
        hands.spawn(work(Arc::clone(&world), ada.clone(), mine, random, time_of(round)));
    }
    hands.join_all().await;
}

async fn work(world: Arc<World>, ada: User, mine: Vec<SessionId>, random: Seeded, now: Timestamp) {
    let mut sessions: Vec<Session> = Vec::new();
    for id in mine {
        sessions.extend(world.store.session_find(id).await.unwrap().map(|record| record.session));
    }
    loop {
        let choice = random.below(10);
        if sessions.len() < 3 || choice < 2 {
            let session = world.sign_in_at(&ada, Device::default(), now - QUIET).await;
            println!("{MARK}signed-in {}", session.id);
            sessions.push(session);
            continue;
        }
        let chosen = random.below(sessions.len());
        let session = &mut sessions[chosen];
        if choice < 8 {
            if let Refreshed::Served { session: after, .. } = world.refresh(&world.jar(session), now).await {
                println!("{MARK}served {} {}", after.id, after.rotation.head.0);
                *session = after;
            }
        } else {
            println!("{MARK}ending {}", session.id);
            let (one, by_user) = (Scope::One(session.id), order(EndReason::SignedOut));
            let ended = world.store.session_end(ada.id, one, false, by_user, now).await.unwrap();
            assert_eq!(ended.len(), 1);
            println!("{MARK}ended {}", session.id);
            // Now and then it goes on presenting what has ended, as a stale tab would.
            if choice == 9 {
                sessions.swap_remove(chosen);
            }
        }
    }
}

/// The database that the parent has made.
struct Existing(std::path::PathBuf, u64);

impl crate::world::Backend for Existing {
    fn name(&self) -> &'static str {
        "sqlite"
    }

    fn open(&self) -> tenure_store::Result<Arc<dyn tenure_store::Store>> {
        let entropy = Arc::new(Seeded::new(u64::MAX / 2 + (self.1 << 20)));
        let options = tenure_store::sqlite::SqliteOptions::new(self.0.clone(), entropy, T0);
        Ok(Arc::new(tenure_store::sqlite::SqliteStore::open(options)?))
    }

    fn sql(&self, _statement: &str) {
        unreachable!()
    }

    fn number(&self, _query: &str) -> i64 {
        unreachable!()
    }
}
