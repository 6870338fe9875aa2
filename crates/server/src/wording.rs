//! How things are called wherever people read of them: in the API's answers, in what is explained and on the command line.
//! Nothing in here prints, and nothing knows who asks.

pub mod act;
pub mod device;
pub mod session;
pub mod text;
