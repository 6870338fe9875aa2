//! Tenure: sign-in and sessions for single-page apps whose users are never logged out at random.
//!
//! The shape: [`http`] is the page of routes with the ordered layers above them; each file in [`routes`] is
//! one resource and does four things in order (extract, call one verb of the store, match its outcome,
//! reply); [`App`] is everything they share. Rules live in `tenure-domain`, SQL in `tenure-store`.

#![forbid(unsafe_code)]

pub mod app;
pub mod clock;
pub mod clock_belief;
pub mod command;
pub mod config;
pub mod credentials;
pub mod events;
pub mod exchange;
pub mod explain;
pub mod hashing;
pub mod http;
pub mod jobs;
pub mod keys;
pub mod limits;
pub mod log;
pub mod metrics;
pub mod node_clock;
pub mod pages;
pub mod readiness;
pub mod revocations;
pub mod routes;
pub mod serve;
pub mod tab_feed;
pub mod tally;
pub mod telemetry;
pub mod wording;

pub use app::App;
pub use clock::Clock;
