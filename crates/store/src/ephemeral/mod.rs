//! What nodes share and may lose: Redis, if there is one, and the only place that knows it.
//!
//! Nothing here is a truth about a session. With Redis gone, slow, flushed or restored from an old snapshot,
//! limits are counted by each node alone, changes are heard from the database's feed, and administrators sign in
//! to their console again. So no call fails and none waits for long: it is answered within the time-out or it is
//! answered `None`, and after the first that was not answered nobody else asks until Redis has been seen to
//! answer again, in the background.
//!
//! It takes Redis 6 or later (RESP3), or what speaks like it. An installation has a database of its own there
//! (`redis://host:6379/3`), so that no other's keys are like its own.

mod console_session;
mod fanout;
mod limit;
mod link;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::AbortHandle;

pub use limit::{Counted, Tally};
use link::Link;

/// Before every key and channel of ours.
const PREFIX: &str = "tenure";

/// A Redis that may be there. Cloned handles are one connection, which ends with the last of them.
#[derive(Clone)]
pub struct Redis(Arc<Kept>);

struct Kept {
    link: Arc<Link>,
    keeper: AbortHandle,
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.keeper.abort();
    }
}

/// Whether an address of Redis can be read. The error says what is wrong, without the address.
pub fn check_url(url: &str) -> Result<(), String> {
    link::address(url).map(drop)
}

/// Whether an address of Redis says that what goes there is encrypted.
pub fn is_encrypted(url: &str) -> bool {
    link::address(url).is_ok_and(|address| link::is_encrypted(&address))
}

impl Redis {
    /// A handle that connects to nothing yet: that happens in the background, again and again for as long as it
    /// takes. Calls wait `timeout` at most. `ca_file` holds authorities that its certificate may come from, as PEM;
    /// none means those of the system. Fails only for an address or a file that cannot be read, or if there is a file
    /// and the address asks for no encryption, and must be called inside a runtime.
    pub fn new(url: &str, ca_file: Option<&Path>, timeout: Duration) -> Result<Self, String> {
        let client = link::client(url, ca_file)?;
        let link = Arc::new(Link::new(timeout));
        let keeper = tokio::spawn(link::keep(Arc::clone(&link), client)).abort_handle();
        Ok(Self(Arc::new(Kept { link, keeper })))
    }

    /// Whether it answered when it was last asked, which is at most about a second ago.
    pub fn is_up(&self) -> bool {
        self.0.link.is_up()
    }

    /// Calls that were given up because the time-out had passed, so far.
    pub fn timeouts(&self) -> u64 {
        self.0.link.timeouts()
    }

    fn link(&self) -> &Link {
        &self.0.link
    }
}
