//! The guard before a service of its own, and the real server for an issuer.

#![allow(clippy::unwrap_used)]

mod push;
mod service;
mod stateless;
mod strict;
mod world;
