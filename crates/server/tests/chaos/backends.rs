//! What the nodes of a cluster share, PostgreSQL and Redis, and the cluster that is made of them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use http::Method;
use serde_json::{Value, json};
use tenure_rig::{Postgres, Redis};
use tokio::task::spawn_blocking;
use tokio::time::sleep;

use crate::audit::patiently;
use crate::browser::{Answer, Ask, Browser, LOGIN, SignedIn};
use crate::client::PASSWORD;
use crate::everywhere::{Everywhere, Word};
use crate::ledger::{Promise, SIGNED_OUT};
use crate::log::Log;
use crate::world::{Plan, World, seed};

pub const NODES: usize = 3;

/// How far behind the store lets a node's view be (`tenure_store::postgres::STALENESS`), and a little for this
/// machine's own clock and scheduler.
pub const STALENESS: Duration = Duration::from_millis(200);
const MARGIN: Duration = Duration::from_millis(20);

/// Of a cluster whose database may be held for half a minute and killed after that.
pub const PROMISE: Promise =
    Promise { progress: Duration::from_secs(180), staleness: STALENESS.saturating_add(MARGIN) };

/// The goal is 5 s; a busy machine may take longer to notice.
const RECOVERY_MAX: Duration = Duration::from_secs(20);

/// The nodes share the master secret by being told it.
const SECRET: &str = "b25lIHNlY3JldCBmb3IgYWxsIG5vZGVzLCBhIHRlc3Q";

pub type Environment = Vec<(&'static str, String)>;

/// The settings of a node on this database and this Redis.
pub fn environment(postgres_url: String, redis: Option<&Redis>) -> Environment {
    let mut environment = vec![
        ("TENURE_SECRET", SECRET.to_owned()),
        ("TENURE_POSTGRES__URL", postgres_url),
        ("TENURE_POSTGRES__CONNECTIONS", "8".to_owned()),
    ];
    environment.extend(redis.map(|redis| ("TENURE_REDIS__URL", redis.url())));
    environment
}

/// The URL of the server's own database, by way of another port.
pub fn url_through(postgres: &Postgres, port: u16) -> String {
    postgres.url("postgres").replace(&format!(":{}/", postgres.port()), &format!(":{port}/"))
}

/// Nodes that all start at once on a new database.
pub async fn start_cluster(
    clients: usize,
    haste: u64,
    in_order: &[&'static str],
    nodes: Vec<Environment>,
) -> World {
    let seed = seed();
    println!("CHAOS_SEED={seed}");
    let log = Log::with_in_order(in_order);
    let plan = Plan { clients, haste, promise: PROMISE, environments: nodes, log };
    let mut world = World::build(plan, seed).await;
    join_all(world.nodes.iter_mut().map(|node| node.start_supervised())).await;
    world
}

/// Does what blocks elsewhere.
pub async fn with<T: Send + Sync + 'static>(what: &Arc<T>, act: impl FnOnce(&T) + Send + 'static) {
    let what = Arc::clone(what);
    spawn_blocking(move || act(&what)).await.unwrap();
}

/// A browser that talks to one node and no other, for as long as that is not started again.
pub fn browser_of(world: &World, node: usize) -> Browser {
    let address = *world.upstreams[node].borrow();
    Browser::new(format!("http://{}", address.unwrap()), 0)
}

/// Signs one user in on one node; the name is used for nothing else.
pub async fn sign_in(world: &World, node: usize, name: &str) -> SignedIn {
    let browser = browser_of(world, node);
    let credentials =
        json!({ "email": format!("{name}@tenure.example"), "password": PASSWORD, "remember_me": true });
    let mut new = credentials.clone();
    new["name"] = "Cluster".into();
    let ask = |path, body: &Value| Ask { body: Some(body.clone()), ..Ask::new(Method::POST, path) };
    for _ in 0..20 {
        match browser.send(ask(LOGIN, &credentials)).await.1 {
            Answer::Done(done) => {
                let signed_in = done.signed_in();
                world.ledger.signed_in(0, None, &signed_in);
                return signed_in;
            }
            Answer::Refused(refusal) if refusal.code == "invalid_credentials" => {
                let _ = browser.send(ask("/api/v1/auth/register", &new)).await;
            }
            _ => sleep(Duration::from_millis(50)).await,
        }
    }
    panic!("{name} cannot sign in");
}

/// Ends a session on one node by its access token. Returns when the node answered.
pub async fn sign_out(world: &World, node: usize, signed_in: &SignedIn) -> Instant {
    world.ledger.may_end(0, &signed_in.session, SIGNED_OUT);
    let bearer = Some(signed_in.access_token.clone());
    let tries = AtomicU32::new(0);
    let ask = || {
        tries.fetch_add(1, Ordering::Relaxed);
        Ask { bearer: bearer.clone(), ..Ask::new(Method::POST, "/api/v1/auth/logout") }
    };
    match patiently(&browser_of(world, node), ask).await.1 {
        // Done before, though the answer was lost or said that it did not know.
        Answer::Refused(refusal) if tries.load(Ordering::Relaxed) > 1 && refusal.refuses_access_token() => {
            world.ledger.ended(0, &signed_in.session);
        }
        Answer::Done(_) => world.ledger.ended(0, &signed_in.session),
        other => panic!("a sign-out was answered {other:?}"),
    }
    world.ledger.fact(&signed_in.session).and_then(|fact| fact.ended).unwrap()
}

/// How long it takes from now until a node takes this access token, which is in order.
pub async fn until_taken(everywhere: &Everywhere, node: usize, access_token: &str) -> Duration {
    let began = crate::now();
    loop {
        match everywhere.ask(node, access_token).await {
            Word::Taken => return began.elapsed(),
            Word::Refused => panic!("node {node} refused the access token of a living session"),
            _ if began.elapsed() > RECOVERY_MAX => {
                panic!("node {node} has not recovered in {RECOVERY_MAX:?}")
            }
            _ => sleep(Duration::from_millis(20)).await,
        }
    }
}
