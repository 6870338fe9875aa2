//! The guard before a service, and the real server behind it.
