//! `/api/v1/admin`: what administrators do. Each route says in its first parameter who may come here
//! ([`Admin`](crate::http::actor::Admin)), and demands the permission that it needs.

pub mod session;
