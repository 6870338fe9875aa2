//! Load generator, limits of the machine and the measured goals of Tenure. Talks to Tenure over HTTP only, and to
//! loopback only.
#![forbid(unsafe_code)]

pub mod bare;
pub mod clock;
pub mod command;
pub mod database;
pub mod failure;
pub mod jar;
pub mod limit;
pub mod load;
pub mod proc;
pub mod random;
pub mod server;
pub mod stats;
pub mod suite;
pub mod token;
pub mod user;
pub mod wire;
