//! A small HTTP/1.1 client. The generator shares the cores with the server it measures, so every
//! microsecond it spends is taken from the result; a general client spends tens of them per request.

mod connection;
mod response;

pub use connection::Connection;
pub use response::{Layout, Response};
