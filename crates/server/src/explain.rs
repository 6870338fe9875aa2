//! Why somebody was signed out: one session with everything that bears on it, in five sections and in the order of time.
//! The command line prints it, and `auth/sessions/{id}/timeline` answers with it.

pub mod case;
pub mod observed;
pub mod rhythm;
pub mod said;
pub mod sections;
pub mod timeline;
