//! The rules of Tenure.
//!
//! Everything here is a pure function of its arguments: no I/O, no clock, no randomness, no `async`. Time is
//! a [`time::Timestamp`] the caller read once, entropy is an array the caller drew. That is what lets the
//! server, the model checker, the property tests and the simulator run the very same code.
//!
//! Read in this order: [`time`] and [`rotation`] (the heart), [`session`] (the heart in its body),
//! [`refresh_token`] and [`access_token`] (what travels), [`ends`] and [`problem`] (the two closed sets).

#![forbid(unsafe_code)]

pub mod access_token;
pub mod account;
pub mod api_key;
pub mod arrival;
pub mod client_report;
pub mod console;
pub mod email;
pub mod ends;
pub mod entitlement;
pub mod event;
pub mod exchange;
pub mod explain;
pub mod id;
pub mod limit;
pub mod measure;
pub mod observed;
pub mod password;
pub mod password_reset;
pub mod problem;
pub mod refresh_token;
pub mod revocation;
pub mod rhythm;
pub mod rotation;
pub mod secret;
pub mod session;
pub mod simplejwt;
pub mod stripe;
pub mod suspect;
pub mod time;
pub mod user;
