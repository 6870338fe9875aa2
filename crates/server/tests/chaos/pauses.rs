//! A server that is held for longer than anybody waits (F33).

use std::time::Duration;

use tokio::time::sleep;

use crate::audit::audit;
use crate::world::World;

const CLIENTS: usize = 12;

/// Twelve times what a client waits for a refresh.
const PAUSE: Duration = Duration::from_secs(12);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_held_for_twelve_seconds_amid_refreshes_signs_nobody_out() {
    let mut world = World::start(CLIENTS).await;
    // The network is well: everything that piles up during the pause arrives at its end.
    world.proxy.set_faulty(false);
    world.let_clients_live();
    sleep(Duration::from_secs(4)).await;
    world.nodes[0].pause(PAUSE).await;
    sleep(Duration::from_secs(3)).await;
    world.settle_down().await;
    let sums = audit(&world).await;
    println!("{:?}; {sums:?}", world.ledger.counts());
    let stragglers = world.nodes[0].installation.log.about("request_stale", 1_000).lines().count();
    assert!(
        stragglers >= 12,
        "only {stragglers} refreshes that had waited out the pause were refused as stale"
    );
}
