//! What goes wrong between a browser and the server, as a proxy, a captive portal or a bad network would have it.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::Deserialize;
use tokio::sync::watch;

/// An order for something to go wrong, as `POST /faults` takes it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    pub kind: Kind,
    /// For `status` and `html`: 503 and 200 unless it is said.
    pub status: Option<u16>,
    /// For `status`: what the answer holds, plain text unless `content_type` says otherwise.
    #[serde(default)]
    pub body: String,
    pub content_type: Option<String>,
    /// For `delay`.
    #[serde(default)]
    pub ms: u64,
    /// Which requests it befalls: those whose path begins with this.
    #[serde(default)]
    pub path_prefix: String,
    /// How many of them.
    #[serde(default)]
    pub count: Count,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Answered by somebody else, without the server.
    Status,
    /// A page where an answer should be, as captive portals send it.
    Html,
    /// Never answered, and the connection stays open until the faults are cleared.
    Hang,
    /// The connection is reset, without the server.
    Reset,
    /// The server does what it was asked, and the connection ends without an answer.
    DropAnswer,
    /// The server does what it was asked, and the answer comes late.
    Delay,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(untagged)]
pub enum Count {
    Times(u64),
    Until(Until),
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Until {
    UntilCleared,
}

impl Default for Count {
    fn default() -> Self {
        Count::Times(1)
    }
}

impl Fault {
    pub fn delay(&self) -> Duration {
        Duration::from_millis(self.ms)
    }
}

/// The orders that stand, oldest first.
pub struct Faults {
    orders: Mutex<Vec<Fault>>,
    cleared: watch::Sender<()>,
}

impl Default for Faults {
    fn default() -> Self {
        Self { orders: Mutex::default(), cleared: watch::Sender::new(()) }
    }
}

impl Faults {
    pub fn add(&self, fault: Fault) {
        self.orders().push(fault);
    }

    /// Takes every order back and lets go of the requests that hang.
    pub fn clear(&self) {
        self.orders().clear();
        self.cleared.send_replace(());
    }

    /// What befalls a request, if anything does. It counts as done.
    pub fn befalling(&self, path: &str) -> Option<Fault> {
        let mut orders = self.orders();
        let at = orders.iter().position(|fault| path.starts_with(&fault.path_prefix))?;
        let fault = orders[at].clone();
        if let Count::Times(left) = &mut orders[at].count {
            *left = left.saturating_sub(1);
            if *left == 0 {
                orders.remove(at);
            }
        }
        Some(fault)
    }

    /// How many orders still wait for somebody to befall.
    pub fn standing(&self) -> usize {
        self.orders().len()
    }

    /// Changes when the faults are cleared.
    pub fn cleared(&self) -> watch::Receiver<()> {
        self.cleared.subscribe()
    }

    fn orders(&self) -> MutexGuard<'_, Vec<Fault>> {
        self.orders.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(json: &str) -> Fault {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn a_fault_befalls_as_many_requests_as_it_says_and_no_others() {
        let faults = Faults::default();
        faults.add(fault(r#"{ "kind": "reset", "path_prefix": "/api/v1/auth/refresh", "count": 2 }"#));
        let kind = |path: &str| faults.befalling(path).map(|fault| fault.kind);
        assert_eq!(kind("/api/v1/auth/login"), None);
        assert_eq!(kind("/api/v1/auth/refresh"), Some(Kind::Reset));
        assert_eq!(kind("/api/v1/auth/refresh"), Some(Kind::Reset));
        assert_eq!(kind("/api/v1/auth/refresh"), None);
    }

    #[test]
    fn until_cleared_is_for_ever_and_once_is_the_default() {
        let faults = Faults::default();
        faults.add(fault(r#"{ "kind": "drop_answer" }"#));
        faults.add(fault(r#"{ "kind": "html", "count": "until_cleared" }"#));
        let kinds: Vec<_> = (0..4).map(|_| faults.befalling("/").unwrap().kind).collect();
        assert_eq!(kinds, [Kind::DropAnswer, Kind::Html, Kind::Html, Kind::Html]);
        faults.clear();
        assert!(faults.befalling("/").is_none());
    }

    #[test]
    fn an_order_that_is_not_understood_is_refused() {
        for odd in [
            r#"{ "kind": "melt" }"#,
            r#"{ "kind": "reset", "count": "often" }"#,
            r#"{ "kind": "reset", "path": "/" }"#,
        ] {
            assert!(serde_json::from_str::<Fault>(odd).is_err(), "{odd}");
        }
    }
}
