//! Signing keys change under load, and nobody notices (M01, M03).

use std::time::Duration;

use serde_json::Value;
use tokio::time::sleep;

use crate::audit::audit;
use crate::world::World;

const CLIENTS: usize = 12;
const ROUNDS: usize = 6;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rotating_and_retiring_signing_keys_under_load_and_across_restarts_signs_nobody_out() {
    let mut world = World::start(CLIENTS).await;
    let secret_before = secret(&world);
    world.let_clients_live();
    let mut random = world.random("keys");
    let mut retired = 0;
    for round in 0..ROUNDS {
        sleep(random.ms(300, 1_500)).await;
        let installation = &world.nodes[0].installation;
        let added = installation.ask(&["keys", "rotate", "--now"]).await;
        assert_eq!(added["state"], "signs", "{added}");
        sleep(random.ms(0, 600)).await;
        // Every other round the old keys go at once: their tokens die, and refreshes replace them.
        if round % 2 == 1 {
            for key in in_state(&installation.ask(&["keys", "list"]).await, "verifies") {
                installation.ask(&["keys", "retire", &key]).await;
                retired += 1;
            }
        }
        sleep(random.ms(0, 600)).await;
        if random.chance(50) {
            world.nodes[0].kill();
        } else {
            let status = world.nodes[0].terminate().await;
            assert!(status.success(), "after SIGTERM the server exited with {status}");
        }
        world.nodes[0].start().await;
        world.ledger.assert_kept(world.seed);
    }
    sleep(Duration::from_secs(1)).await;
    world.settle_down().await;
    let sums = audit(&world).await;
    println!("{retired} keys retired; {:?}; {sums:?}", world.ledger.counts());
    let keys = world.nodes[0].installation.ask(&["keys", "list"]).await;
    assert_eq!(in_state(&keys, "signs").len(), 1, "{keys}");
    assert_eq!(in_state(&keys, "retired").len(), retired, "{keys}");
    assert!(retired >= ROUNDS - 1, "every other round retires what the rounds before it added");
    assert_eq!(secret_before, secret(&world), "restarts keep the master secret");
}

fn in_state(keys: &Value, state: &str) -> Vec<String> {
    let keys = keys.as_array().unwrap().iter().filter(|key| key["state"] == state);
    keys.map(|key| key["kid"].as_str().unwrap().to_owned()).collect()
}

fn secret(world: &World) -> Vec<u8> {
    std::fs::read(world.nodes[0].installation.data.join("secret")).unwrap()
}
