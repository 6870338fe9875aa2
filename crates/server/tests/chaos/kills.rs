//! Killed two hundred times under load.

use std::time::Duration;

use tokio::time::sleep;

use crate::audit::audit;
use crate::random::Random;
use crate::server::SETTLE;
use crate::world::{World, number, seed};

const CLIENTS: usize = 32;

const FIRST_STARTS: usize = 15;

/// About what a start costs on a busy machine.
const START_MS: u64 = 120;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_is_signed_out_however_often_the_server_is_killed_and_the_network_fails() {
    let kills = number("CHAOS_KILLS").unwrap_or(200);
    let span = Duration::from_secs(number("CHAOS_SECONDS").unwrap_or(80));
    let mut world = World::start(CLIENTS).await;
    world.let_clients_live();
    world.let_an_operator_end_sessions();

    let began = crate::now();
    let troubles = trouble(&mut world, kills, span).await;
    world.settle_down().await;
    let sums = audit(&world).await;

    let counts = world.ledger.counts();
    let faults = world.proxy.state.faults.load(std::sync::atomic::Ordering::Relaxed);
    println!("{troubles:?}; {faults} network faults; {counts:?}; {sums:?}; {:?}", began.elapsed());
    assert!(counts.sign_ins > 32 && counts.ends > 10 && counts.refreshes > 500, "too little happened");
    // Every session that was there from the start has rotated about once per settle time, give or take what
    // lost answers and slow clients cost.
    let expected = (span.as_secs() / SETTLE.as_secs() / 2) as i64;
    assert!(sums.fewest_generations >= expected, "only {} rotations", sums.fewest_generations);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_first_start_that_is_killed_at_any_moment_does_not_hinder_the_next() {
    let seed = seed();
    println!("CHAOS_SEED={seed}");
    let mut random = Random::of_one(seed, "first start", 0);
    for _ in 0..FIRST_STARTS {
        // Migrations, the master secret and the first signing key are made here, or half made.
        let mut world = World::prepare(1, seed).await;
        world.proxy.set_faulty(false);
        world.nodes[0].start_unawaited();
        sleep(random.ms(0, 150)).await;
        world.nodes[0].kill();
        world.nodes[0].start().await;
        world.clients[0].sign_in().await;
        world.nodes[0].kill();
        world.nodes[0].start().await;
        let sums = audit(&world).await;
        assert_eq!((sums.alive, sums.ended), (1, 0), "seed {seed}");
    }
}

#[derive(Debug, Default)]
struct Troubles {
    kills: u64,
    kills_at_start: u64,
    terminations: u64,
    pauses: u64,
}

/// Kills the server at random moments, spread over the span, with other mishaps in between.
async fn trouble(world: &mut World, kills: u64, span: Duration) -> Troubles {
    let mut random = world.random("trouble");
    let mut troubles = Troubles::default();
    let ends_at = crate::now() + span;
    while troubles.kills < kills {
        sleep(next_moment(&mut random, ends_at, kills - troubles.kills)).await;
        match random.below(100) {
            0..5 => {
                troubles.terminations += 1;
                let status = world.nodes[0].terminate().await;
                assert!(status.success(), "after SIGTERM the server exited with {status}");
                world.nodes[0].start().await;
                continue;
            }
            5..10 => {
                // And then killed where it woke up, or while it was still held.
                troubles.pauses += 1;
                let pause = random.ms(50, 1_500);
                world.nodes[0].pause(pause).await;
            }
            10..20 => {
                world.nodes[0].kill();
                world.nodes[0].start_unawaited();
                sleep(random.ms(0, 120)).await;
                troubles.kills += 1;
                troubles.kills_at_start += 1;
            }
            _ => {}
        }
        world.nodes[0].kill();
        troubles.kills += 1;
        world.nodes[0].start().await;
        world.ledger.assert_kept(world.seed);
    }
    troubles
}

/// So that the kills that are left fill the time that is left. Most follow at once, as in a crash loop; the
/// others leave the server long enough to answer everybody.
fn next_moment(random: &mut Random, ends_at: std::time::Instant, left: u64) -> Duration {
    let time = ends_at.saturating_duration_since(crate::now());
    let mean = (time / u32::try_from(left).unwrap_or(u32::MAX)).as_millis() as u64;
    // The start of the next server takes its part of the time.
    let mean = mean.saturating_sub(START_MS).max(40);
    if random.chance(70) { random.ms(0, mean / 2) } else { random.ms(0, mean * 11 / 2) }
}
