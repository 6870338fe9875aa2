//! What tests are made of: the server under test, and the people and programs that use it.

mod answer;
mod app;
mod browser;
mod cli;
mod client;
pub mod collector;
mod database;
mod faults;
pub mod feed;
mod jar;
pub mod pages;
mod raw;

pub use answer::Answer;
pub use app::{ManualClock, Setup, TestApp, User};
pub use browser::Browser;
pub use cli::{Cli, Printed};
pub use client::{Call, Client, at_once};
pub use faults::Fault;
pub use jar::{Cookie, Jar};
pub use raw::Raw;

use std::time::Duration;

use tenure_domain::ends::Actor;
use tenure_store::Decree;

/// The password of every user that does not care.
pub const PASSWORD: &str = "correct horse battery";

pub const SECOND: Duration = Duration::from_secs(1);
pub const MINUTE: Duration = Duration::from_secs(60);
pub const HOUR: Duration = Duration::from_secs(3600);
pub const DAY: Duration = Duration::from_secs(86_400);

/// By which tests change what only an administrator may.
pub fn decree() -> Decree {
    Decree { actor: Actor::Admin("root".into()), reason: None }
}

/// Longer than the settle time: after it a presentation moves the generations.
pub const QUIET: Duration = Duration::from_secs(91);

/// Asks until the answer is yes, for at most ten seconds: for what another thread or process does in its
/// own time. Nothing is ever decided by how long it took.
pub async fn eventually(what: &str, mut yes: impl AsyncFnMut() -> bool) {
    for _ in 0..1_000 {
        if yes().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("did not happen in time: {what}");
}
