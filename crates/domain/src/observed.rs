//! What is observed of an application that keeps its sign-ins elsewhere: no session of ours is behind it, and nothing is
//! decided by it. Browsers say when something happened, and of tokens no more than times and marks.
//!
//! [`culprit`] names the cause of a sign-out from what came before it.

pub mod culprit;
mod order;
mod path;

use std::time::Duration;

use serde::{Deserialize, Serialize};

use self::culprit::{Culprit, culprit};
use crate::id::ProfileId;
use crate::measure::answered;
use crate::time::Timestamp;

pub use order::line_up;
pub use path::outline;

/// One thing that was seen in a page of an observed browser.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observation {
    pub profile: ProfileId,
    /// One load of a page; drawn anew with each.
    pub page: String,
    /// Counts what a page has seen.
    pub seq: u32,
    /// By our clock, as far as the browser told how long ago it was; later by the time that the report was under way.
    pub at: Timestamp,
    /// The device's clock less ours when the report arrived, milliseconds.
    pub ahead_ms: i64,
    pub seen: Seen,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Seen {
    /// A page was loaded.
    Page {
        path: Option<String>,
        tabs: Option<u64>,
    },
    /// The keys of a sign-in were written where there were none.
    SignIn,
    Refresh(Refresh),
    /// A request of the application that failed not long before a sign-out.
    Failure(Failure),
    SignOut(SignOut),
}

impl Seen {
    pub const KINDS: [&'static str; 5] = ["page", "sign_in", "refresh", "failure", "sign_out"];

    pub const fn kind(&self) -> &'static str {
        match self {
            Seen::Page { .. } => "page",
            Seen::SignIn => "sign_in",
            Seen::Refresh(_) => "refresh",
            Seen::Failure(_) => "failure",
            Seen::SignOut(_) => "sign_out",
        }
    }
}

/// A token was asked for with another. Seen when the answer came, or when it was clear that none would.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refresh {
    /// 0: no answer came.
    pub status: u16,
    pub code: Option<String>,
    pub path: Option<String>,
    pub took_ms: u64,
    /// A mark of the token that was presented: the same token has the same mark in all tabs of a browser.
    pub token: Option<String>,
    /// A mark of the refresh token that came back, if one did; it may be the same one.
    pub next: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// 0: no answer came.
    pub status: u16,
    pub code: Option<String>,
    pub path: Option<String>,
}

/// What kind of answer a status is to whoever handles failed requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sort {
    NoAnswer,
    Unauthorized,
    Payment,
    Forbidden,
    Outage,
    Other,
}

impl Failure {
    pub(crate) const fn sort(&self) -> Sort {
        match self.status {
            0 => Sort::NoAnswer,
            401 => Sort::Unauthorized,
            402 => Sort::Payment,
            403 => Sort::Forbidden,
            408 | 429 | 500.. => Sort::Outage,
            _ => Sort::Other,
        }
    }

    /// In a few words.
    pub fn told(&self) -> String {
        answered(self.status, self.code.as_deref(), self.path.as_deref())
    }
}

/// The keys of a sign-in are gone, or the page went to where people sign in. Spans are milliseconds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignOut {
    pub how: How,
    /// The page that it happened on.
    pub path: Option<String>,
    /// How long nobody had touched the browser before what happened just then.
    pub idle_ms: Option<u64>,
    /// Since the last click or key.
    pub input_ago_ms: Option<u64>,
    /// Since the application asked its back end to sign the person out.
    pub asked_ago_ms: Option<u64>,
    pub page_age_ms: Option<u64>,
    /// What was left of the access token by this device's clock; negative if it had expired.
    pub access_left_ms: Option<i64>,
    /// The same of the refresh token, and how long it was made for.
    pub refresh_left_ms: Option<i64>,
    pub refresh_lifetime_ms: Option<u64>,
    /// The device's clock less that of the application's back end, if the page could tell.
    pub clock_ahead_ms: Option<i64>,
    pub tabs: Option<u64>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum How {
    /// The keys were removed one by one.
    #[default]
    Removed,
    /// All of the storage was cleared at once.
    Cleared,
    /// They were gone when a page was loaded, and no page had removed them.
    Vanished,
    /// The page went to the sign-in page.
    Navigated,
}

impl How {
    pub const ALL: [How; 4] = [How::Removed, How::Cleared, How::Vanished, How::Navigated];

    pub const fn as_str(self) -> &'static str {
        match self {
            How::Removed => "removed",
            How::Cleared => "cleared",
            How::Vanished => "vanished",
            How::Navigated => "navigated",
        }
    }
}

/// How a refresh went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Went {
    Served,
    /// The back end knows the token and does not take it.
    Refused,
    /// No answer, or none that says anything about the token.
    Unanswered,
}

/// How back ends say that an account is closed.
const ACCOUNT_CODES: [&str; 3] = ["user_inactive", "user_not_found", "no_active_account"];

impl Refresh {
    pub fn went(&self) -> Went {
        match self.status {
            200..=299 => Went::Served,
            400 | 401 | 403 | 422 => Went::Refused,
            // Otherwise there is no such address just now, as while a back end is deployed.
            404 if self.is_account_closed() => Went::Refused,
            _ => Went::Unanswered,
        }
    }

    pub fn is_account_closed(&self) -> bool {
        self.code.as_deref().is_some_and(|code| ACCOUNT_CODES.contains(&code))
    }

    /// It was served, and the token that was presented is good no longer.
    pub fn is_trade(&self) -> bool {
        self.went() == Went::Served && self.next.is_some() && self.next != self.token
    }

    /// Its answer, as that of any request.
    pub fn failure(&self) -> Failure {
        Failure { status: self.status, code: self.code.clone(), path: self.path.clone() }
    }
}

impl Observation {
    /// When the request of a refresh was sent.
    fn sent_at(&self) -> Timestamp {
        match &self.seen {
            Seen::Refresh(refresh) => self.at - Duration::from_millis(refresh.took_ms),
            _ => self.at,
        }
    }

    /// Seen a little later by another page, it is the same sign-out.
    fn repeats(&self, earlier: &Observation) -> bool {
        let is_sign_out = |seen: &Seen| matches!(seen, Seen::SignOut(_));
        is_sign_out(&self.seen)
            && is_sign_out(&earlier.seen)
            && self.profile == earlier.profile
            && self.at.since(earlier.at) < SAME
    }
}

/// Tabs that follow each other out are no farther apart.
const SAME: Duration = Duration::from_secs(3);

/// Of tabs that follow each other out, so many are asked for a cause.
const ASKED_MAX: usize = 8;

/// The sign-outs among what one browser profile has seen, each once, by their places and with their causes; what is given is
/// in the order of time. Of tabs that follow each other out it is the first that can be explained.
pub fn sign_outs(seen: &[Observation]) -> Vec<(usize, Culprit)> {
    let groups = together(seen).into_iter();
    let explained = groups.filter_map(|group| {
        let mut judged = group.iter().take(ASKED_MAX).map(|index| (*index, culprit(seen, *index)));
        let first = judged.next()?;
        match first.1.explains() {
            true => Some(first),
            false => Some(judged.find(|(_, culprit)| culprit.explains()).unwrap_or(first)),
        }
    });
    explained.collect()
}

/// The places of sign-outs, with those that repeat another beside it.
fn together(seen: &[Observation]) -> Vec<Vec<usize>> {
    let mut groups: Vec<Vec<usize>> = vec![];
    for (index, observation) in seen.iter().enumerate() {
        if !matches!(observation.seen, Seen::SignOut(_)) {
            continue;
        }
        let first = |group: &Vec<usize>| seen.get(*group.first()?);
        match groups.last_mut().filter(|group| first(group).is_some_and(|one| observation.repeats(one))) {
            Some(group) => group.push(index),
            None => groups.push(vec![index]),
        }
    }
    groups
}
