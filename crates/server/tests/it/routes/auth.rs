//! `/api/v1/auth`

mod check;
mod login;
mod logout;
mod logout_event;
mod password;
mod profile;
mod refresh;
mod register;
mod sessions;
