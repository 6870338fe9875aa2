//! One file per resource; the folder path is the URL path. Every outcome of every route.

mod admin;
mod assets;
mod auth;
mod billing;
mod common;
pub mod docs;
mod ops;
mod pages;
mod system;
mod well_known;
