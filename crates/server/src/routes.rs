//! One file per resource; the folder path is the URL path.

pub mod auth;
pub mod docs;
pub mod ops;
pub mod system;
pub mod well_known;
