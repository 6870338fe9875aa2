#![forbid(unsafe_code)]

pub mod explore;
pub mod mutant;
mod narrate;
pub mod server;
pub mod setting;
pub mod step;
pub mod world;
