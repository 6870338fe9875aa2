//! What is asked for of lists that somebody looks through.

use tenure_domain::client_report::ReportKind;
use tenure_domain::id::{AccountId, SessionId, UserId};
use tenure_domain::time::Timestamp;
use tenure_domain::user::Role;

/// Whether sessions are alive: neither ended nor expired.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SessionState {
    #[default]
    All,
    Live,
    /// Or expired, whether or not anybody has noticed.
    Ended,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SessionFilter {
    pub user: Option<UserId>,
    pub state: SessionState,
}

/// Which users are meant; what is left out restricts nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UserFilter {
    /// A part of their address or name. Letters beyond a to z have to be as they are in a name.
    pub text: Option<String>,
    pub role: Option<Role>,
    pub is_disabled: Option<bool>,
    pub account: Option<AccountId>,
}

impl UserFilter {
    /// The text as addresses' keys and names in small letters hold it.
    pub(crate) fn texts(&self) -> Option<[String; 2]> {
        self.text.as_ref().map(|text| [text.to_lowercase(), text.to_ascii_lowercase()])
    }
}

/// Which reports are meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReportFilter {
    /// Received then or later.
    pub since: Timestamp,
    pub kind: Option<ReportKind>,
    /// The session that they are about, as we know or as the client claims.
    pub session: Option<SessionId>,
}

/// All of them since a time.
impl From<Timestamp> for ReportFilter {
    fn from(since: Timestamp) -> Self {
        Self { since, kind: None, session: None }
    }
}
