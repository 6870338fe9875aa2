//! The proof of the protocol: its state machine over the rule the server runs, searched exhaustively, and its
//! life at real constants, simulated.
//!
//! Both call [`tenure_domain::rotation::present`] and [`tenure_domain::time::TimeRules::freshness_of`]; no
//! line of the rule is repeated here.
//!
//! ```text
//! cargo test -p tenure-model -- --nocapture     every search and simulation, with its numbers
//! cargo run --profile ci -p tenure-model        the same as a report
//! ```
//!
//! # What is searched
//!
//! [`world`] is the state, [`step`] what can happen next, [`server`] the checks around the rule and the
//! invariants, [`explore`] the search. The assumptions of protocol.md section 5 appear like this:
//!
//! | assumption | in the model |
//! |---|---|
//! | H1 an answer is applied within F of its request | an answer carries its request's age and leaves the air at F |
//! | H2 a request reaches the rule within F, or is refused | `freshness_of` judges its age; without the header it leaves the air at F, because the server cannot judge it |
//! | H3 a crash rolls the jar back by up to C, once per 2S | any content replaced less than C ago; answers under way are lost, requests are not |
//! | H4 clocks agree within 10 s | one clock here; the simulator skews three |
//! | H5 the last second of commits may be lost, a minute away from a crash | the commits of the current tick, 2F + C away from a crash; the store then reads rows with `read_by_a_store_open_since` |
//!
//! The search has no horizon and no budget of faults: losses, duplicates, delays and reorderings are
//! unlimited, crashes and lost commits recur as often as H3 and H5 allow, because canonical worlds
//! ([`world::World::canonical`]) are finitely many.
//!
//! Time is counted in ticks, and the events of one tick are tried in every order. Several scales are searched
//! because no single grid is the whole line. At the bound two strict inequalities ("before the successor was
//! minted", "less than C ago") cost one tick each, which `tests/exhaustive.rs` shows; the tolerances in
//! `TimeRules::settle_bound` are far larger than a tick.
//!
//! # What it found
//!
//! docs/decisions/0001-what-the-model-found.md. [`mutant`] keeps the faults, as first written and as seeded,
//! that it must find again.
//!
//! # What is simulated
//!
//! [`simulate`] lives twenty days at the default constants, with skewed clocks, habits, storms and thieves;
//! [`tally`] sums up thousands of lives. A failing seed repeats exactly.

#![forbid(unsafe_code)]

pub mod explore;
pub mod mutant;
mod narrate;
pub mod server;
pub mod setting;
pub mod simulate;
pub mod step;
pub mod tally;
pub mod world;
