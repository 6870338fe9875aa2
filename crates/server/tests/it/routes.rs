//! One file per resource; the folder path is the URL path. Every outcome of every route.

mod auth;
mod common;
pub mod docs;
mod ops;
mod system;
mod well_known;
