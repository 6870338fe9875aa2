//! One file per resource; the folder path is the URL path.

pub mod admin;
pub mod assets;
pub mod auth;
pub mod billing;
pub mod dev;
pub mod docs;
pub mod observations;
pub mod ops;
pub mod pages;
pub mod system;
pub mod well_known;
