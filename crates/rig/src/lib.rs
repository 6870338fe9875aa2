//! Real servers for tests: PostgreSQL, Redis and PgBouncer in folders of their own, and a TCP proxy in front of them.
//!
//! A test starts one, breaks it (kills, pauses, cuts, restores an old copy) and starts it again. Everything listens on
//! 127.0.0.1 only, runs as an unprivileged user even where the tests are root, and ends with the process that started
//! it, even if that is killed with SIGKILL. All calls block, for milliseconds up to seconds, and may be made from
//! synchronous and asynchronous tests alike. What cannot be done panics and says what is missing: a test that needs a
//! backend fails without it, and is never skipped.

#![forbid(unsafe_code)]

mod certificates;
mod client;
mod pgbouncer;
mod postgres;
mod program;
mod proxy;
mod redis;
mod server;

pub use client::{Client, Pending, Row};
pub use pgbouncer::PgBouncer;
pub use postgres::{DataCopy, Postgres};
pub use program::{Account, Program, find, free_port, wait_until};
pub use proxy::{Network, Proxy};
pub use redis::Redis;
pub use server::{Database, POSTGRES_VARIABLE, Server, postgres_for_tests};
