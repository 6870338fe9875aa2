//! `/api/v1/auth`

mod login;
mod logout;
mod password;
mod profile;
mod refresh;
mod register;
mod sessions;
