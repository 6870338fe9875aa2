//! One file per resource; the folder path is the URL path. Every outcome of every route.

mod admin;
mod assets;
pub mod auth;
mod billing;
mod common;
mod dev;
pub mod docs;
mod observations;
mod ops;
mod pages;
mod system;
mod well_known;
