//! The virtual users, one file per kind.

mod check;
mod constant;
mod login;
mod mixed;
mod refresh;

use std::sync::Arc;

pub use check::CheckUser;
pub use constant::ConstantUser;
pub use login::{LoginUser, Logins};
pub use mixed::MixedUser;
pub use refresh::RefreshUser;

use crate::load::{User, Verdict};
use crate::token::json_string;
use crate::wire::Response;

/// Boxes `count` users, made from their number.
pub fn crowd<U: User + 'static>(count: usize, make: impl Fn(usize) -> U) -> Vec<Box<dyn User>> {
    (0..count).map(|n| Box::new(make(n)) as Box<dyn User>).collect()
}

/// The server's own code of a refusal, or its bare status.
fn refusal(response: &Response<'_>) -> Verdict {
    let code = json_string(response.body(), "code");
    Verdict::Bad(code.map_or_else(|| format!("http_{}", response.status()), str::to_owned))
}

fn wrong(what: &str) -> Verdict {
    Verdict::Bad(what.to_owned())
}

/// Access tokens that several users present in turn.
pub type AccessTokens = Arc<Vec<String>>;
