//! Load generator, limits of the machine and the measured goals of Tenure. Talks HTTP only, to loopback only.
#![forbid(unsafe_code)]

pub mod clock;
pub mod failure;
pub mod jar;
pub mod load;
pub mod stats;
pub mod token;
pub mod user;
pub mod wire;
