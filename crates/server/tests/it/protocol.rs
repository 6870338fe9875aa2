//! The session protocol over HTTP: freshness, lost answers, races, reuse, jars, ends.

pub mod dead;
mod ends;
mod fresh;
mod jars;
mod lost;
mod parallel;
