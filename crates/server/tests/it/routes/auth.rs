//! `/api/v1/auth`

mod api_keys;
mod check;
mod entitlements;
mod events;
pub mod exchange;
mod login;
mod logout;
mod logout_event;
mod password;
mod profile;
mod refresh;
mod register;
mod revocations;
mod sessions;
mod timeline;
