//! The contract of the store: every promise in its documentation, for every backend.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod accounts;
mod api_keys;
mod backend;
mod billing;
mod changed;
mod client_reports;
mod clock_marks;
mod coherence;
mod console_sessions;
mod copy;
mod damage;
mod events;
mod exchanges;
mod faults;
mod imports;
mod keys;
mod kills;
mod migrations;
mod observations;
mod postgres;
mod process;
mod races;
mod redis;
mod redis_tls;
mod refreshes;
mod searches;
mod sessions;
mod tallies;
mod users;
mod world;
