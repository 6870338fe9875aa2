//! The proof of the service over real HTTP: a real App on a real store behind our own listener, with the
//! clock, the randomness and the log in the test's hands.
//!
//! `world` is what tests are made of; `routes` mirrors the paths of the API; `authz_table` fails for a route
//! without a row, and `authz_matrix` calls each as everybody; `field_reports` maps every report of the field to the test that shows it.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod alert_rules;
mod authz_matrix;
mod authz_table;
mod command;
mod deploy_files;
mod field_reports;
mod hostile;
mod protocol;
mod routes;
mod secrets;
mod shared_limits;
mod shutdown;
mod store_trouble;
mod telemetry;
mod throttle;
mod time;
mod world;
mod wrong_clock;
