//! A database in trouble: nodes say that they cannot tell, keep every session, and recover by themselves.

use std::sync::Arc;
use std::time::Duration;

use http::Method;
use serde_json::json;
use tenure_rig::{Client as Connection, Network, Postgres, Proxy};
use tokio::task::spawn_blocking;
use tokio::time::sleep;

use crate::audit::audit;
use crate::backends::{
    NODES, browser_of, environment, sign_in, sign_out, start_cluster, until_taken, url_through, with,
};
use crate::browser::{Answer, Ask, LOGIN, REFRESH, SignedIn};
use crate::calm::Calm;
use crate::client::PASSWORD;
use crate::everywhere::{Everywhere, Word};
use crate::server::SETTLE;
use crate::world::World;

const CLIENTS: usize = 16;

/// How long the database is away.
const ABSENCE: Duration = Duration::from_secs(3);

/// Connections that the database allows where they are used up: the nodes' pools, and a few for ourselves.
const FEW_CONNECTIONS: &str = "max_connections=40";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_is_killed_under_load_is_503_and_a_moment_later_forgotten() {
    let postgres = Arc::new(Postgres::start());
    let nodes = (0..NODES).map(|_| environment(postgres.url("postgres"), None)).collect();
    let mut world = start_cluster(CLIENTS, 2, &["\"rewound\""], nodes).await;
    world.proxy.set_faulty(false);
    let everywhere = everywhere(&world);
    let keeper = &world.clients[0];
    assert!(keeper.habits.keeps);
    keeper.sign_in().await;
    let witness = keeper.current().unwrap();
    world.let_clients_live();
    for _ in 0..3 {
        sleep(Duration::from_secs(2)).await;
        with(&postgres, Postgres::kill).await;
        sleep(ABSENCE).await;
        for node in 0..NODES {
            assert_says_503(&world, node, &witness).await;
        }
        with(&postgres, Postgres::start_again).await;
        for node in 0..NODES {
            let recovered = until_taken(&everywhere, node, &witness.access_token).await;
            println!("node {node} had recovered {recovered:.1?} after PostgreSQL was back");
        }
    }
    sleep(Duration::from_secs(2)).await;
    world.settle_down().await;
    let sums = audit(&world).await;
    println!("{:?}; {sums:?}", world.ledger.counts());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_only_reads_answers_what_needs_no_write() {
    let postgres = Arc::new(Postgres::start());
    let nodes = (0..NODES).map(|_| environment(postgres.url("postgres"), None)).collect();
    let world = start_cluster(0, 1, &[], nodes).await;
    let everywhere = everywhere(&world);
    let old = sign_in(&world, 0, "old").await;
    // From now on a refresh moves a generation.
    sleep(SETTLE + Duration::from_millis(500)).await;
    let young = sign_in(&world, 1, "young").await;

    set_read_only(&postgres, "on").await;
    // Longer than anything that was read before may be believed.
    sleep(Duration::from_secs(1)).await;
    for node in 0..NODES {
        for signed_in in [&old, &young] {
            until_taken(&everywhere, node, &signed_in.access_token).await;
        }
        assert_says_503(&world, node, &old).await;
        let browser = browser_of(&world, node);
        let body = json!({ "email": "old@tenure.example", "password": PASSWORD, "remember_me": true });
        let signing_in = || Ask { body: Some(body.clone()), ..Ask::new(Method::POST, LOGIN) };
        expect_503(browser.answered(signing_in).await, "a sign-in");
        // Nothing moves, so nothing need be written.
        match browser.answered(|| Ask::refresh_with(&young.cookie)).await {
            Answer::Done(done) => assert_eq!(done.signed_in().session, young.session),
            other => panic!("a refresh that moves nothing was answered {other:?}"),
        }
    }
    set_read_only(&postgres, "off").await;
    let began = crate::now();
    let browser = browser_of(&world, 0);
    while !matches!(browser.answered(|| Ask::refresh_with(&old.cookie)).await, Answer::Done(_)) {
        assert!(began.elapsed() < Duration::from_secs(20), "it writes again, and nobody has noticed");
        sleep(Duration::from_millis(50)).await;
    }
    println!("a refresh was written again {:.1?} after the database allowed it", began.elapsed());
    world.ledger.assert_kept(world.seed);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_without_a_connection_to_spare_ends_nothing() {
    let postgres = Arc::new(Postgres::with(&["fsync=off", FEW_CONNECTIONS]));
    let nodes = (0..NODES).map(|_| environment(postgres.url("postgres"), None)).collect();
    let world = start_cluster(0, 1, &[], nodes).await;
    let everywhere = everywhere(&world);
    let lives = sign_in(&world, 0, "lives").await;

    let taken = Arc::clone(&postgres);
    let hoard = spawn_blocking(move || take_every_connection(&taken)).await.unwrap();
    println!("{} of 40 connections are ours", hoard.len());
    let mut unavailable = 0;
    let browsers: Vec<_> = (0..NODES).map(|node| browser_of(&world, node)).collect();
    for _ in 0..5 {
        for (node, browser) in browsers.iter().enumerate() {
            let word = everywhere.ask(node, &lives.access_token).await;
            assert!(word != Word::Refused, "a living session was refused for want of a connection");
            unavailable += usize::from(word == Word::Unavailable);
            match browser.answered(|| Ask::refresh_with(&lives.cookie)).await {
                Answer::Refused(refusal) => assert_eq!(refusal.status, 503, "{refusal:?}"),
                Answer::Done(_) | Answer::Lost => {}
            }
        }
        sleep(Duration::from_millis(50)).await;
    }
    assert!(unavailable > 0, "every node had a connection");
    spawn_blocking(move || drop(hoard)).await.unwrap();
    for node in 0..NODES {
        let recovered = until_taken(&everywhere, node, &lives.access_token).await;
        println!("node {node} had recovered {recovered:.1?} after there were connections again");
    }
    world.ledger.assert_kept(world.seed);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_way_to_the_database_makes_answers_slow_and_no_less_right() {
    let postgres = Postgres::start();
    let network = Proxy::in_front_of(postgres.port());
    let slow = url_through(&postgres, network.port());
    let nodes = [postgres.url("postgres"), slow].map(|url| environment(url, None));
    let world = start_cluster(0, 1, &[], nodes.to_vec()).await;
    let everywhere = everywhere(&world);
    network.set(Network::Delay(Duration::from_millis(50)));
    for round in 0..12 {
        let signed_in = sign_in(&world, round % 2, "slow").await;
        for node in 0..2 {
            until_taken(&everywhere, node, &signed_in.access_token).await;
        }
        let ended = sign_out(&world, (round + 1) % 2, &signed_in).await;
        for node in [1, 0] {
            everywhere.measure_refusal(node, &signed_in.session, &signed_in.access_token, ended).await;
        }
    }
    println!("with 100 ms more to the database and back: {}", everywhere.delays().summary());
    world.ledger.assert_kept(world.seed);
}

fn everywhere(world: &World) -> Arc<Everywhere> {
    Everywhere::new(world.upstreams.clone(), Arc::clone(&world.ledger), Calm::new())
}

/// A refresh that cannot be decided says so, with the time after which to ask again, and touches no cookie.
async fn assert_says_503(world: &World, node: usize, whose: &SignedIn) {
    let address = *world.upstreams[node].borrow();
    let request = reqwest::Client::builder().no_proxy().build().unwrap();
    let request = request.post(format!("http://{}{REFRESH}", address.unwrap()));
    let response = request.header("cookie", &whose.cookie).send().await.unwrap();
    assert_eq!(response.status(), 503, "node {node}");
    assert!(response.headers().contains_key("retry-after"), "{:?}", response.headers());
    assert!(!response.headers().contains_key("set-cookie"), "{:?}", response.headers());
}

fn expect_503(answer: Answer, what: &str) {
    match answer {
        Answer::Refused(refusal) if refusal.status == 503 && refusal.code == "storage_unavailable" => {}
        other => panic!("{what} was answered {other:?}"),
    }
}

async fn set_read_only(postgres: &Arc<Postgres>, state: &'static str) {
    with(postgres, move |postgres| {
        postgres.sql(&format!("ALTER SYSTEM SET default_transaction_read_only = {state}"));
        postgres.sql("SELECT pg_reload_conf()");
    })
    .await;
}

/// Cuts everybody else off and takes what is free, until nothing is.
fn take_every_connection(postgres: &Postgres) -> Vec<Connection> {
    let url = postgres.url("postgres");
    let mut hoard: Vec<Connection> = vec![];
    for _ in 0..10 {
        while let Ok(connection) = Connection::connect(&url) {
            connection.run("SET application_name = 'hoard'").unwrap();
            hoard.push(connection);
        }
        let cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
             WHERE backend_type = 'client backend' AND application_name <> 'hoard'";
        hoard[0].run(cut).unwrap();
    }
    hoard
}
