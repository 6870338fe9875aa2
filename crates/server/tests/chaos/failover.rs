//! A fail-over to a replica that had not received the last commits: what was answered stays answered.

use std::sync::Arc;
use std::time::Duration;

use tenure_rig::Postgres;
use tokio::time::sleep;

use crate::audit::patiently;
use crate::backends::{NODES, browser_of, environment, sign_in, sign_out, start_cluster, until_taken, with};
use crate::browser::{Answer, Ask, SignedIn};
use crate::calm::Calm;
use crate::everywhere::{Everywhere, Word};
use crate::ledger::ADMIN_REVOKED;
use crate::server::SETTLE;
use crate::world::{COMMAND_LINE, World};

const KEEPERS: usize = 6;
const ENDED: usize = 6;

/// What must stand in the log here: tokens ahead of the store, and sessions that it has lost.
const IN_ORDER: [&str; 3] = ["\"rewound\"", "session_unverifiable", "had lost an end"];

/// Who is signed in, and what the database is going to forget of that.
struct People {
    /// Refreshed after the copy was made: their jars are ahead of it.
    keepers: Vec<SignedIn>,
    /// Ended before the copy was made, so that nothing is lost of that.
    ended_early: SignedIn,
    /// Ended after it.
    ended: Vec<SignedIn>,
    /// Signed in after it.
    lost: SignedIn,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fail_over_that_loses_the_newest_commits_signs_nobody_out_and_revives_nobody() {
    let postgres = Arc::new(Postgres::start_durable());
    let nodes = (0..NODES).map(|_| environment(postgres.url("postgres"), None)).collect();
    let mut world = start_cluster(0, 1, &IN_ORDER, nodes).await;
    let everywhere = Everywhere::new(world.upstreams.clone(), Arc::clone(&world.ledger), Calm::new());

    let people = live_until_the_fail_over(&world, &everywhere, &postgres).await;
    for node in 0..NODES {
        let recovered = until_taken(&everywhere, node, &people.keepers[0].access_token).await;
        println!("node {node} took tokens again {recovered:.1?} after PostgreSQL was back");
    }
    check_all(&world, &everywhere, &people).await;
    let (rewound, restored) = (
        sum(&world, "tenure_store_rewound_total").await,
        sum(&world, "tenure_store_ends_restored_total").await,
    );
    // The ends that are written again are counted as rewound, too.
    let ahead = rewound - restored;
    println!("{ahead} tokens were ahead of the store, {restored} ends were written again");
    // Where an answer was lost on a busy machine one is not counted.
    assert!((1.0..=KEEPERS as f64).contains(&ahead) && (1.0..=ENDED as f64).contains(&restored));
    check_rows(&world, &people).await;

    // It has heard nothing of what happened, and finds it all in the database.
    world.nodes[0].kill();
    world.nodes[0].start_supervised().await;
    check_all(&world, &everywhere, &people).await;
    check_rows(&world, &people).await;
    world.ledger.assert_kept(world.seed);
}

async fn live_until_the_fail_over(
    world: &World,
    everywhere: &Everywhere,
    postgres: &Arc<Postgres>,
) -> People {
    let mut people = People {
        keepers: vec![],
        ended_early: sign_in(world, 0, "ended-early").await,
        ended: vec![],
        lost: sign_in(world, 0, "lost").await,
    };
    for number in 0..KEEPERS {
        people.keepers.push(sign_in(world, number % NODES, &format!("keeper-{number}")).await);
    }
    for number in 0..ENDED {
        people.ended.push(sign_in(world, number % NODES, &format!("ended-{number}")).await);
    }
    sign_out(world, 0, &people.ended_early).await;
    // From now on a refresh moves a generation.
    sleep(SETTLE + Duration::from_millis(500)).await;
    let copied = Arc::clone(postgres);
    let copy = tokio::task::spawn_blocking(move || copied.copy_data()).await.unwrap();

    for (number, keeper) in people.keepers.iter_mut().enumerate() {
        *keeper = refreshed(world, number % NODES, keeper).await;
    }
    people.lost = sign_in(world, 1, "lost").await;
    for (number, ends) in people.ended.iter().enumerate() {
        if number % 3 == 2 {
            end_by_command_line(world, ends).await;
        } else {
            sign_out(world, number % 3, ends).await;
        }
    }
    everywhere.check_all_refused().await;
    // Rotations are committed with the next write of the log; they are lost all the same.
    with(postgres, move |postgres| postgres.restore_from(&copy)).await;
    people
}

async fn end_by_command_line(world: &World, ends: &SignedIn) {
    world.ledger.may_end(COMMAND_LINE, &ends.session, ADMIN_REVOKED);
    world.nodes[0].installation.ask(&["session", "end", &ends.session, "--reason", "chaos"]).await;
    world.ledger.ended(COMMAND_LINE, &ends.session);
}

/// Everybody is what they were told, on every node.
async fn check_all(world: &World, everywhere: &Everywhere, people: &People) {
    everywhere.check_all_refused().await;
    for node in 0..NODES {
        let browser = browser_of(world, node);
        for keeper in &people.keepers {
            let kept = refreshed(world, node, keeper).await;
            until_taken(everywhere, node, &kept.access_token).await;
        }
        for ended in people.ended.iter().chain([&people.ended_early]) {
            let (_, answer) = patiently(&browser, || Ask::refresh_with(&ended.cookie)).await;
            let told = matches!(&answer, Answer::Refused(refusal)
                if refusal.code == "session_revoked" && refusal.session == ended.session);
            assert!(told, "an ended session's refresh was answered {answer:?}");
        }
        // Absence proves nothing: nobody is signed out for what the store has lost.
        let told = |answer: &Answer| matches!(answer, Answer::Refused(refusal) if refusal.code == "session_unverifiable");
        let mut answer = browser.answered(|| Ask::refresh_with(&people.lost.cookie)).await;
        for _ in 0..20 {
            if told(&answer) {
                break;
            }
            // On a busy machine the store may not be reached for a moment.
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            answer = browser.answered(|| Ask::refresh_with(&people.lost.cookie)).await;
        }
        assert!(told(&answer), "the refresh of a lost sign-in was answered {answer:?}");
        assert_ne!(everywhere.ask(node, &people.lost.access_token).await, Word::Taken);
    }
}

async fn refreshed(world: &World, node: usize, whose: &SignedIn) -> SignedIn {
    let (sent, answer) = patiently(&browser_of(world, node), || Ask::refresh_with(&whose.cookie)).await;
    match answer {
        Answer::Done(done) => {
            let answer = done.signed_in();
            assert_eq!(answer.session, whose.session);
            world.ledger.refreshed(0, sent, &answer);
            answer
        }
        other => panic!("an honest token was answered {other:?}"),
    }
}

async fn sum(world: &World, metric: &str) -> f64 {
    let mut sum = 0.0;
    for node in &world.nodes {
        sum += node.metric(metric).await;
    }
    sum
}

/// The server's own list agrees, and nothing else has ended.
async fn check_rows(world: &World, people: &People) {
    for keeper in &people.keepers {
        let row = world.nodes[0].installation.ask(&["session", "show", &keeper.session]).await;
        assert!(row["end"].is_null() && row["contested_at"].is_null(), "{row}");
    }
    for (number, ended) in people.ended.iter().enumerate() {
        let row = world.nodes[0].installation.ask(&["session", "show", &ended.session]).await;
        let reason = if number % 3 == 2 { ADMIN_REVOKED } else { "signed_out" };
        assert_eq!(row["end"]["reason"], reason, "{row}");
    }
}
