//! What a cause is called in sentences, and what to do about it.

use super::{Culprit, Known, SHORT_MS};
use crate::measure::span;
use crate::observed::{Failure, Sort};

impl Culprit {
    /// What happened, as a sentence.
    pub fn words(&self) -> String {
        match self {
            Culprit::Person => "The person signed out.".into(),
            Culprit::Visited => {
                "The page went to where people sign in; the sign-in is still stored, and nothing had failed."
                    .into()
            }
            Culprit::RefreshExpired { lifetime_ms } => {
                let short = lifetime_ms.filter(|ms| *ms < SHORT_MS);
                let lived = lifetime_ms.map(|ms| format!(" of {}", span(ms))).unwrap_or_default();
                let note = if short.is_some() { ", which is less than a day" } else { "" };
                format!("The refresh token was over: its whole life{lived}{note} had passed.")
            }
            Culprit::AccountClosed(failure) => {
                format!("The back end refused the refresh because of the account: {}.", failure.told())
            }
            Culprit::RefreshRefused { failure, known } if is_empty(failure, *known) => {
                format!(
                    "The page asked for a refresh with no token that was seen, and was refused: {}.",
                    failure.told()
                )
            }
            Culprit::RefreshRefused { failure, known } => {
                let time = if known.had_time_left { " that had time left" } else { "" };
                let used =
                    if known.is_first_use { ", and no page of this browser had used it before" } else { "" };
                format!("The back end refused a refresh token{time}{used}: {}.", failure.told())
            }
            Culprit::TabRace { refused, before_ms } => format!(
                "Tabs raced: another tab had traded the same refresh token {} before, so this tab's was refused: {}.",
                span(*before_ms),
                refused.told()
            ),
            Culprit::ParallelRefresh { refused, before_ms } => format!(
                "The page refreshed twice with one token: the first was served, and the second, {} later, was refused: {}.",
                span(*before_ms),
                refused.told()
            ),
            Culprit::LostAnswer { refused, lost_status } => {
                let lost = match lost_status {
                    0 => "no answer came".to_owned(),
                    status => format!("the answer was a {status}"),
                };
                format!(
                    "The answer to a refresh was lost ({lost}), but the back end had replaced the token; the retry with it was refused: {}.",
                    refused.told()
                )
            }
            Culprit::Handler { failure, ago_ms, of_refresh } => {
                let what = if *of_refresh { "a refresh that failed" } else { "a request that failed" };
                let ago = span(*ago_ms);
                format!("The page signed the person out {ago} after {what}: {}.", failure.told())
            }
            Culprit::DeviceClock { ahead_ms } => format!(
                "The device's clock is {} {} the back end's, and the page took a valid access token for expired.",
                span(ahead_ms.unsigned_abs()),
                if *ahead_ms > 0 { "ahead of" } else { "behind" }
            ),
            Culprit::AccessExpired => {
                "The access token was over, and the page signed the person out without asking for another."
                    .into()
            }
            Culprit::Startup { page_age_ms } => {
                format!("Code that runs as the page starts did it, {} after the load.", span(*page_age_ms))
            }
            Culprit::IdleTimer { idle_ms } => {
                format!(
                    "A timer did it: nobody had touched the page for {}, and nothing had failed.",
                    span(*idle_ms)
                )
            }
            Culprit::StorageCleared => {
                "Code of the page cleared the whole storage, and with it the sign-in; nothing had failed."
                    .into()
            }
            Culprit::StorageVanished => {
                "The keys of the sign-in were gone when the page was loaded, and no page had removed them."
                    .into()
            }
            Culprit::Unknown => {
                "Code of the page signed the person out, and nothing that was seen tells why.".into()
            }
        }
    }

    /// What to do about it.
    pub const fn fix(&self) -> &'static str {
        match self {
            Culprit::Person => "nothing",
            Culprit::Visited => "nothing, unless the page went there by itself",
            Culprit::RefreshExpired { .. } => {
                "if that was sooner than promised, give refresh tokens a longer life (simplejwt: `REFRESH_TOKEN_LIFETIME`)"
            }
            Culprit::AccountClosed(_) => "nothing in the front end: the account was disabled or deleted",
            Culprit::RefreshRefused { failure, known } if is_empty(failure, *known) => {
                "look at what the page sends: a token that was read too early, or after it was removed, goes out as `null` or not at all; one in a cookie may not have come along"
            }
            Culprit::RefreshRefused { .. } => {
                "look in the back end: a sign-out elsewhere, a signing key that was changed (`SECRET_KEY`), a token table that was emptied"
            }
            Culprit::TabRace { .. } => {
                "let one tab refresh for all: take a Web Lock, read the stored token again inside it, and skip the refresh if another tab has done it; or a back end that takes a replaced token once more for a while, as Tenure does"
            }
            Culprit::ParallelRefresh { .. } => {
                "keep the promise of the running refresh and let every request wait for that one; read the token when the refresh starts, not when the request did"
            }
            Culprit::LostAnswer { .. } => {
                "the back end has to take a replaced token once more for a while, as Tenure does; with simplejwt turn off `BLACKLIST_AFTER_ROTATION`, or keep the person signed in and ask again later"
            }
            Culprit::Handler { failure, of_refresh: true, .. } if matches!(failure.status, 404 | 405) => {
                "an address that answers no refreshes, as while a back end is deployed, says nothing about the sign-in; keep the tokens and try again"
            }
            Culprit::Handler { failure, of_refresh, .. } => match failure.sort() {
                Sort::Unauthorized if !*of_refresh => {
                    "the handler of 401 has to refresh and try again before it signs anybody out"
                }
                Sort::Payment => {
                    "the handler of 402: a payment that is due ends no sign-in; show what is to be paid"
                }
                Sort::Forbidden => {
                    "the handler of 403: a missing right ends no sign-in; show that access is denied"
                }
                Sort::NoAnswer => {
                    "the handler of network errors: no answer says nothing about the sign-in; keep the tokens and try again"
                }
                Sort::Outage => {
                    "the handler of server errors: a back end in trouble says nothing about the sign-in; keep the tokens and try again"
                }
                Sort::Unauthorized | Sort::Other => {
                    "the handler or interceptor that sees this status and goes to the sign-in page"
                }
            },
            Culprit::DeviceClock { .. } => {
                "do not compare `exp` with `Date.now()`: let the back end's 401 decide, or count from the moment a token came"
            }
            Culprit::AccessExpired => {
                "refresh when an access token is over, and sign out only if that is refused"
            }
            Culprit::Startup { .. } => {
                "code that runs as the page starts: it clears or migrates stored state, or misses a value in it"
            }
            Culprit::IdleTimer { .. } => {
                "the timer that counts idle minutes (`setTimeout`, idle libraries, `visibilitychange`): remove it, or tell people of it"
            }
            Culprit::StorageCleared => {
                "the call of `clear()`: remove the keys that are meant by their names, and leave those of the sign-in"
            }
            Culprit::StorageVanished => {
                "cleared site data, private windows, Safari's limit of 7 days, extensions: keep the refresh token in an HttpOnly cookie"
            }
            Culprit::Unknown => "search the code for what removes these keys or goes to the sign-in page",
        }
    }
}

/// The back end calls the request itself wrong, and no token was seen in it.
const fn is_empty(failure: &Failure, known: Known) -> bool {
    failure.status == 400 && !known.is_marked
}
