//! Which mistake, or whose wish, a sign-out of an observed application bears the marks of.

mod words;

use std::time::Duration;

use super::{Failure, How, Observation, Refresh, Seen, SignOut, Sort, Went};
use crate::measure::{AT_ONCE, AWAY, CLOCK, JUST, STARTUP, millis};
use crate::time::Timestamp;

/// Why somebody was signed out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Culprit {
    /// They wanted it.
    Person,
    /// The page went to where people sign in, the sign-in is still there, and nothing speaks for a mistake.
    Visited,
    /// The refresh token had lived for as long as it was made for.
    RefreshExpired {
        lifetime_ms: Option<u64>,
    },
    /// The back end says that the account is closed.
    AccountClosed(Failure),
    /// The refresh token was refused for a reason that only the back end knows.
    RefreshRefused {
        failure: Failure,
        known: Known,
    },
    /// Another tab had traded the same refresh token before.
    TabRace {
        refused: Failure,
        before_ms: u64,
    },
    /// The same tab had.
    ParallelRefresh {
        refused: Failure,
        before_ms: u64,
    },
    /// The token had been traded, and the answer was lost.
    LostAnswer {
        refused: Failure,
        lost_status: u16,
    },
    /// A failed request was taken for the end of the sign-in.
    Handler {
        failure: Failure,
        ago_ms: u64,
        of_refresh: bool,
    },
    /// The device's clock is wrong by so much, and the access token had time left.
    DeviceClock {
        ahead_ms: i64,
    },
    /// The access token was over, and nobody asked for another.
    AccessExpired,
    /// The page had only just been loaded.
    Startup {
        page_age_ms: u64,
    },
    /// Nobody had touched anything for so long.
    IdleTimer {
        idle_ms: u64,
    },
    /// The storage was emptied as a whole.
    StorageCleared,
    /// Keys were gone that no page had removed.
    StorageVanished,
    Unknown,
}

/// What is known of a refresh token that was refused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Known {
    /// It was seen when it was sent.
    pub is_marked: bool,
    /// No page of the browser had sent it before.
    pub is_first_use: bool,
    pub had_time_left: bool,
}

/// What sort of cause that is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Person,
    /// The back end ended it, and the page did as it should.
    BackEnd,
    /// A mistake that can be mended.
    Mistake,
    Unexplained,
}

impl Verdict {
    pub const fn as_str(self) -> &'static str {
        match self {
            Verdict::Person => "signed_out_by_the_person",
            Verdict::BackEnd => "ended_by_the_back_end",
            Verdict::Mistake => "mistake",
            Verdict::Unexplained => "unexplained",
        }
    }
}

/// Of what one browser reports, this many things before a sign-out and after it are looked at.
const NEAR_MAX: usize = 500;
/// Between a person's click and what it leads to.
const CLICK_MS: u64 = 1_500;
/// An application that asks its back end first may wait for the answer.
const ASKED_MS: u64 = 10_000;
/// How far back another use of a token is looked for where tokens have no marks.
const UNMARKED: Duration = Duration::from_secs(10);
/// What two tabs saw may have been put down in the wrong order by this much.
const SLACK: Duration = Duration::from_secs(3);
/// A timer that waits for an expiry fires no later after it.
const EXPIRY_MS: i64 = 90_000;
/// People who come back the next morning should not find a shorter life.
const SHORT_MS: u64 = 86_400_000;

/// Names the cause of the sign-out at `index` among what its browser profile has seen, which is in the order of time.
pub fn culprit(seen: &[Observation], index: usize) -> Culprit {
    let Some((end, Seen::SignOut(out))) = seen.get(index).map(|end| (end, &end.seen)) else {
        return Culprit::Unknown;
    };
    let near = index.saturating_sub(NEAR_MAX)..index.saturating_add(NEAR_MAX).min(seen.len());
    let seen = seen.get(near).unwrap_or(seen);
    let trouble = last_trouble(seen, end);
    // A click came after what had failed, or nothing had failed since the click.
    let input_at = out.input_ago_ms.map(|ago| end.at - Duration::from_millis(ago));
    let since_input = trouble.filter(|trouble| input_at.is_none_or(|input| trouble.at >= input));
    if is_asked_for(out, end, since_input) {
        return Culprit::Person;
    }
    if let Some((at, refused)) = last_refused(seen, end) {
        return of_refusal(seen, at, refused, refresh_left_ms(out, end), out.refresh_lifetime_ms);
    }
    // The page may read it from the token and ask nobody.
    if refresh_left_ms(out, end).is_some_and(|left| left <= 0) {
        return Culprit::RefreshExpired { lifetime_ms: out.refresh_lifetime_ms };
    }
    let handled = |within: Duration| {
        let near = trouble.filter(|trouble| end.at.since(trouble.at) < within);
        near.map(|trouble| of_trouble(trouble, end.at))
    };
    let is_by_hand = out.input_ago_ms.is_some_and(|ago| ago <= CLICK_MS) && since_input.is_none();
    let idle_ms = out.idle_ms.filter(|idle| *idle >= millis(AWAY));
    // By the back end's clock.
    let access_left_ms = out.access_left_ms.map(|left| left.saturating_add(ahead_ms(out, end)));
    let has_just_expired = access_left_ms.is_some_and(|left| (-EXPIRY_MS..=0).contains(&left));
    let startup = out.page_age_ms.filter(|age| *age < millis(STARTUP));
    let or_else = || match out.how {
        How::Vanished => Culprit::StorageVanished,
        _ if is_by_hand && idle_ms.is_none() => Culprit::Person,
        _ if has_just_expired => Culprit::AccessExpired,
        _ => match (startup, idle_ms) {
            (Some(page_age_ms), _) => Culprit::Startup { page_age_ms },
            (None, Some(idle_ms)) => Culprit::IdleTimer { idle_ms },
            (None, None) if access_left_ms.is_some_and(|left| left <= 0) => Culprit::AccessExpired,
            (None, None) if out.how == How::Cleared => Culprit::StorageCleared,
            (None, None) if out.how == How::Navigated => Culprit::Visited,
            (None, None) => Culprit::Unknown,
        },
    };
    let at_once = handled(AT_ONCE).filter(|_| since_input.is_some());
    let by_clock = || wrong_clock(out, end).map(|ahead_ms| Culprit::DeviceClock { ahead_ms });
    let later = || handled(JUST).filter(|culprit| !is_by_hand && culprit.may_come_later());
    at_once.or_else(by_clock).or_else(later).unwrap_or_else(or_else)
}

/// The device's clock less the back end's, as the page measured it or as we did.
fn ahead_ms(out: &SignOut, end: &Observation) -> i64 {
    out.clock_ahead_ms.unwrap_or(end.ahead_ms)
}

/// What was left of the refresh token by the back end's clock.
fn refresh_left_ms(out: &SignOut, end: &Observation) -> Option<i64> {
    out.refresh_left_ms.map(|left| left.saturating_add(ahead_ms(out, end)))
}

/// A clock that is ahead makes a token look expired that is not.
fn wrong_clock(out: &SignOut, end: &Observation) -> Option<i64> {
    let (left, ahead) = (out.access_left_ms?, ahead_ms(out, end));
    (ahead.unsigned_abs() >= millis(CLOCK) && left <= 0 && left.saturating_add(ahead) > 0).then_some(ahead)
}

/// The application told its back end that somebody signs out, and nothing but a hand had made it do so.
fn is_asked_for(out: &SignOut, end: &Observation, since_input: Option<&Observation>) -> bool {
    let Some(asked_ms) = out.asked_ago_ms.filter(|ago| *ago <= ASKED_MS) else { return false };
    let asked_at = end.at - Duration::from_millis(asked_ms);
    let is_by_hand = out.input_ago_ms.is_some_and(|input| input <= asked_ms + CLICK_MS);
    // What failed afterwards, such as that very request, is no cause of it.
    is_by_hand && since_input.is_none_or(|trouble| trouble.at > asked_at)
}

/// The last request before it that failed, a refresh or another.
fn last_trouble<'a>(seen: &'a [Observation], end: &Observation) -> Option<&'a Observation> {
    let failed = |observation: &&Observation| match &observation.seen {
        Seen::Failure(_) => true,
        Seen::Refresh(refresh) => refresh.went() != Went::Served,
        _ => false,
    };
    just_before(seen, end).filter(failed).max_by_key(|observation| observation.at)
}

/// The refusal of a refresh that it followed, and where that is.
fn last_refused<'a>(seen: &'a [Observation], end: &Observation) -> Option<(&'a Observation, &'a Refresh)> {
    let refused = just_before(seen, end).filter_map(|observation| match &observation.seen {
        Seen::Refresh(refresh) if refresh.went() == Went::Refused => Some((observation, refresh)),
        _ => None,
    });
    // Of the page that it happened in rather than of another.
    refused.max_by_key(|(observation, _)| (observation.page == end.page, observation.at))
}

fn just_before<'a>(
    seen: &'a [Observation],
    end: &Observation,
) -> impl Iterator<Item = &'a Observation> + use<'a> {
    let (from, until) = (end.at - JUST, end.at);
    seen.iter().filter(move |observation| (from..=until).contains(&observation.at))
}

fn of_refusal(
    seen: &[Observation],
    at: &Observation,
    refused: &Refresh,
    left_ms: Option<i64>,
    lifetime_ms: Option<u64>,
) -> Culprit {
    let failure = refused.failure();
    // What the back end says of itself, and times, need no witness.
    if refused.is_account_closed() {
        return Culprit::AccountClosed(failure);
    }
    if left_ms.is_some_and(|left| left <= 0) {
        return Culprit::RefreshExpired { lifetime_ms };
    }
    let earlier = earlier_uses(seen, at, refused);
    let traded = earlier.iter().rfind(|(_, refresh)| has_traded(refresh));
    // Whoever holds on to a token that another replaced long ago is told this of it, too.
    let is_witnessed = traded.is_some_and(|(_, refresh)| refresh.is_trade());
    if refused.code.as_deref() == Some("token_expired") && !is_witnessed {
        return Culprit::RefreshExpired { lifetime_ms };
    }
    if let Some((other, _)) = traded {
        let before_ms = millis(at.at.since(other.at));
        return match other.page == at.page {
            true => Culprit::ParallelRefresh { refused: failure, before_ms },
            false => Culprit::TabRace { refused: failure, before_ms },
        };
    }
    // Served and not replaced: this back end replaces none.
    let is_kept = earlier.iter().any(|(_, refresh)| refresh.went() == Went::Served);
    let lost = earlier.iter().rfind(|(_, refresh)| may_have_traded(refresh)).filter(|_| !is_kept);
    if let Some((_, lost)) = lost {
        return Culprit::LostAnswer { refused: failure, lost_status: lost.status };
    }
    let is_marked = refused.token.is_some();
    let is_first_use = is_marked && earlier.is_empty();
    let had_time_left = left_ms.is_some_and(|left| left > 0);
    Culprit::RefreshRefused { failure, known: Known { is_marked, is_first_use, had_time_left } }
}

/// The other refreshes with the same token that were sent before this one was answered.
fn earlier_uses<'a>(
    seen: &'a [Observation],
    at: &Observation,
    refused: &Refresh,
) -> Vec<(&'a Observation, &'a Refresh)> {
    let others = seen.iter().filter_map(|other| match &other.seen {
        Seen::Refresh(refresh) if other.seq != at.seq || other.page != at.page => Some((other, refresh)),
        _ => None,
    });
    let is_before = |other: &Observation, refresh: &Refresh| match other.page == at.page {
        true => other.sent_at() <= at.at,
        // That another tab had the token replaced says enough.
        false => other.sent_at() <= at.at + if refresh.is_trade() { SLACK } else { Duration::ZERO },
    };
    others
        .filter(|(other, refresh)| is_before(other, refresh) && is_same(other, refresh, at, refused))
        .collect()
}

/// Whether the token is good no longer since then, as far as can be told.
fn has_traded(refresh: &Refresh) -> bool {
    match refresh.token {
        Some(_) => refresh.is_trade(),
        // In a cookie no replacement is seen either.
        None => refresh.went() == Went::Served,
    }
}

/// Whether the back end may have replaced the token all the same.
fn may_have_traded(refresh: &Refresh) -> bool {
    matches!(refresh.status, 0 | 408 | 500..)
}

/// Whether two refreshes presented the same token, as far as can be told.
fn is_same(other: &Observation, refresh: &Refresh, at: &Observation, refused: &Refresh) -> bool {
    match (&refresh.token, &refused.token) {
        (Some(one), Some(other)) => one == other,
        _ => other.at + UNMARKED >= at.sent_at(),
    }
}

fn of_trouble(trouble: &Observation, end: Timestamp) -> Culprit {
    let ago_ms = millis(end.since(trouble.at));
    match &trouble.seen {
        Seen::Refresh(refresh) => Culprit::Handler { failure: refresh.failure(), ago_ms, of_refresh: true },
        Seen::Failure(failure) => Culprit::Handler { failure: failure.clone(), ago_ms, of_refresh: false },
        _ => Culprit::Unknown,
    }
}

impl Culprit {
    pub const fn verdict(&self) -> Verdict {
        match self {
            Culprit::Person | Culprit::Visited => Verdict::Person,
            Culprit::RefreshExpired { .. } | Culprit::AccountClosed(_) | Culprit::RefreshRefused { .. } => {
                Verdict::BackEnd
            }
            Culprit::Unknown => Verdict::Unexplained,
            _ => Verdict::Mistake,
        }
    }

    /// It tells more than that somebody is at the sign-in page.
    pub const fn explains(&self) -> bool {
        !matches!(self, Culprit::Unknown | Culprit::Visited)
    }

    /// A status that says nothing about a sign-in is taken for its end at once or not at all.
    const fn may_come_later(&self) -> bool {
        !matches!(self, Culprit::Handler { failure, .. } if matches!(failure.sort(), Sort::Other))
    }

    /// For programs.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Culprit::Person => "person",
            Culprit::Visited => "visited",
            Culprit::RefreshExpired { .. } => "refresh_expired",
            Culprit::AccountClosed(_) => "account_closed",
            Culprit::RefreshRefused { .. } => "refresh_refused",
            Culprit::TabRace { .. } => "tab_race",
            Culprit::ParallelRefresh { .. } => "parallel_refresh",
            Culprit::LostAnswer { .. } => "lost_answer",
            Culprit::Handler { failure, .. } => match failure.sort() {
                Sort::NoAnswer => "network_handler",
                Sort::Unauthorized => "unauthorized_handler",
                Sort::Payment => "payment_handler",
                Sort::Forbidden => "forbidden_handler",
                Sort::Outage => "outage_handler",
                Sort::Other => "refusal_handler",
            },
            Culprit::DeviceClock { .. } => "device_clock",
            Culprit::AccessExpired => "access_expired",
            Culprit::Startup { .. } => "startup",
            Culprit::IdleTimer { .. } => "idle_timer",
            Culprit::StorageCleared => "storage_cleared",
            Culprit::StorageVanished => "storage_vanished",
            Culprit::Unknown => "unknown",
        }
    }
}

#[cfg(test)]
mod tests;
