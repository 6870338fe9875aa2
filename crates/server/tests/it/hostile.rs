//! Input that nobody honest sends. It gets a 4xx with a stable code, and never a 500.

mod body;
mod cookie;
mod log;
mod text;
pub mod token;
mod wire;
