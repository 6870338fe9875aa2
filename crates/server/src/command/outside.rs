//! A system seen from outside, as browsers see it: what `tenure conformance` and `tenure doctor` look through.
//!
//! A [`profile::Profile`] says where one signs in, a [`browser::Visitor`] is one browser that has done so, and an
//! [`episode`] is what happens to it.

pub mod browser;
mod dates;
pub mod episode;
mod faults;
pub mod hook;
pub mod interrupts;
pub mod jar;
pub mod profile;
pub mod target;
mod template;
pub mod token;
pub mod verdict;
pub mod wire;
pub mod world;

pub use template::mentions;
