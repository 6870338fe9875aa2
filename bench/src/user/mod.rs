//! The virtual users, one file per kind.

mod check;
mod constant;
mod login;
mod mixed;
mod refresh;

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;

pub use check::CheckUser;
pub use constant::ConstantUser;
pub use login::{LoginUser, Logins};
pub use mixed::MixedUser;
pub use refresh::RefreshUser;

use crate::failure::{Context as _, Failure, Result};
use crate::jar::JarPool;
use crate::load::{User, Verdict};
use crate::token::json_string;
use crate::wire::{Connection, Response};

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

/// What a refresh tells about the people whose sessions were seeded.
pub struct People {
    pub access_tokens: AccessTokens,
    /// Each person's once, though they may have several sessions.
    pub emails: Vec<String>,
}

// === impl People ===

impl People {
    /// Meets the people of `count` sessions of the pool (fewer if it has fewer) by refreshing each once.
    pub fn meet(target: SocketAddr, pool: &JarPool, count: usize) -> Result<Self> {
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().context("runtime")?;
        runtime.block_on(async {
            let mut connection = Connection::new(target);
            let mut user = RefreshUser::new(target, pool.clone());
            let (mut tokens, mut emails) = (Vec::with_capacity(count), BTreeSet::new());
            let mut request = Vec::new();
            while tokens.len() < count && user.request(&mut request) {
                let response = connection.send(&request).await?;
                let member = |name| json_string(response.body(), name).map(str::to_owned);
                let (token, email) = (member("access_token"), member("email"));
                if let Verdict::Bad(code) = user.answer(&response) {
                    return Err(Failure(format!("a session could not be refreshed: {code}")));
                }
                tokens.extend(token);
                emails.extend(email);
                request.clear();
            }
            if tokens.is_empty() {
                return Err(Failure("no jar is left to get an access token with".into()));
            }
            Ok(Self { access_tokens: tokens.into(), emails: emails.into_iter().collect() })
        })
    }
}
