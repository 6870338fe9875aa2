//! Real processes, real HTTP, real SIGKILL: nobody is signed out but for cause.
//!
//! Honest clients refresh, sign in and sign out through a network that drops, delays and repeats, while the
//! server is killed, stopped, paused and short of disk. Each client remembers what it was told for certain;
//! the server is held to that during the run and after it.
//!
//! Every run prints its seed. To run one by hand, longer or again:
//!
//! ```text
//! CHAOS_SEED=42 CHAOS_KILLS=2000 CHAOS_SECONDS=900 cargo test -p tenure --test chaos -- --nocapture nobody
//! ```
//!
//! `CHAOS_KILLS` (200) is how often the server is killed with SIGKILL, `CHAOS_SECONDS` (80) over how long.
//! Nextest ends a test after ten minutes; `cargo test` does not. `cargo xtask chaos` runs the test of several nodes
//! for as long as it is told to (`CHAOS_MINUTES`, `CHAOS_CLIENTS`, `CHAOS_HASTE`).
//!
//! The clock is real, so the run uses the smallest time constants that the server accepts: see `server.rs`.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod audit;
mod backends;
mod browser;
mod calm;
mod client;
mod cluster;
mod database;
mod disk;
mod everywhere;
mod failover;
mod feed;
mod keys;
mod kills;
mod ledger;
mod log;
mod pauses;
mod proxy;
mod random;
mod server;
mod world;

/// The tests measure real time; nothing in here decides by it what a server would.
#[allow(clippy::disallowed_methods)]
fn now() -> std::time::Instant {
    std::time::Instant::now()
}
