//! What a browser says of a sign-out that it saw: evidence for whoever looks for the cause, proof of nothing.
//! Anybody may send one, so every text is cut to size and stripped of what could be a secret here, before it
//! is kept anywhere.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use crate::limit::clip;
use crate::time::Timestamp;

/// How the browser classes a sign-out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ReportKind {
    UserAction,
    TokenExpired,
    RefreshFailed,
    AuthError,
    /// It did not know, or said something that is none of these.
    Unknown,
}

impl ReportKind {
    pub const ALL: [ReportKind; 5] = [
        ReportKind::UserAction,
        ReportKind::TokenExpired,
        ReportKind::RefreshFailed,
        ReportKind::AuthError,
        ReportKind::Unknown,
    ];

    pub const fn as_str(self) -> &'static str {
        match self {
            ReportKind::UserAction => "USER_ACTION",
            ReportKind::TokenExpired => "TOKEN_EXPIRED",
            ReportKind::RefreshFailed => "REFRESH_FAILED",
            ReportKind::AuthError => "AUTH_ERROR",
            ReportKind::Unknown => "UNKNOWN",
        }
    }
}

impl fmt::Display for ReportKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for ReportKind {
    type Err = NotAKind;

    fn from_str(text: &str) -> Result<Self, NotAKind> {
        ReportKind::ALL.into_iter().find(|kind| kind.as_str() == text).ok_or(NotAKind)
    }
}

/// Text that is none of the kinds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a kind of sign-out report")]
pub struct NotAKind;

/// How long somebody had been idle, in the classes that the question "is it an idle timeout?" needs. Each
/// begins where the one before it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdleBucket {
    /// Less than two minutes: they were there.
    Active,
    /// Less than ten.
    Short,
    /// Less than twenty.
    Medium,
    Long,
}

impl IdleBucket {
    pub const ALL: [IdleBucket; 4] =
        [IdleBucket::Active, IdleBucket::Short, IdleBucket::Medium, IdleBucket::Long];

    /// Whole minutes from which on everything is in the last bucket.
    pub const LONG_MINUTES: u64 = 20;

    pub const fn of(minutes: u64) -> Self {
        match minutes {
            0..2 => IdleBucket::Active,
            2..10 => IdleBucket::Short,
            10..Self::LONG_MINUTES => IdleBucket::Medium,
            _ => IdleBucket::Long,
        }
    }

    pub const fn as_str(self) -> &'static str {
        match self {
            IdleBucket::Active => "0-2 minutes",
            IdleBucket::Short => "2-10 minutes",
            IdleBucket::Medium => "10-20 minutes",
            IdleBucket::Long => "20+ minutes",
        }
    }
}

/// Longer than anybody keeps a page open. What is beyond it is a broken clock.
const IDLE_MAX: Duration = Duration::from_secs(366 * 86_400);

/// The idle time that a browser counted; none if the number cannot be one.
pub fn idle_time(minutes: f64) -> Option<Duration> {
    let seconds = minutes * 60.0;
    (seconds >= 0.0).then(|| Duration::from_secs_f64(seconds.min(IDLE_MAX.as_secs_f64())))
}

/// The time a browser gives (Unix milliseconds), which is never later than now, whatever its clock says; none
/// if it lies before 1970 or is no number.
pub fn claimed_time(ms: f64, now: Timestamp) -> Option<Timestamp> {
    // The conversion saturates, and what is too large is in the future anyway.
    (ms >= 0.0).then(|| Timestamp::from_ms(ms as i64).min(now))
}

/// A word of a program, such as an end reason: small letters, digits and underscores. What is anything else
/// is not kept, because words are counted and shown as they are.
pub fn word(text: &str, max: usize) -> Option<String> {
    let is_word = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
    (!text.is_empty() && text.len() <= max && text.bytes().all(is_word)).then(|| text.to_owned())
}

/// Free text, cut to `max` characters and without anything that looks like a token; none if nothing is left.
pub fn text(text: &str, max: usize) -> Option<String> {
    let kept = clip(&redact(text), max);
    (!kept.trim().is_empty()).then_some(kept)
}

/// The path of a page's address, cut to `max` characters. Scheme and host say nothing new; user names,
/// queries and fragments may hold secrets. None for what is no path, such as `javascript:...`.
pub fn page_path(location: &str, max: usize) -> Option<String> {
    let clean = clip(location, usize::MAX);
    let bare = clean.trim().split(['?', '#']).next().unwrap_or_default();
    let path = match bare.split_once("//") {
        Some((scheme, rest)) if scheme.is_empty() || is_scheme(scheme) => {
            rest.find('/').map_or("/", |at| &rest[at..])
        }
        _ => bare,
    };
    path.starts_with('/').then(|| text(path, max)).flatten()
}

fn is_scheme(text: &str) -> bool {
    text.strip_suffix(':')
        .is_some_and(|name| !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric()))
}

/// How refresh tokens and JWTs begin.
const TOKEN_PREFIXES: [&str; 2] = ["tnr1_", "eyJ"];

/// A shorter one is no token of anybody.
const TOKEN_BYTES_MIN: usize = 20;

/// Puts `[token]` where a token stands: an error message may quote the one it is about.
fn redact(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = TOKEN_PREFIXES.iter().filter_map(|prefix| rest.find(prefix)).min() {
        let (before, token) = rest.split_at(start);
        let is_inside = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
        let end = token.find(|c| !is_inside(c)).unwrap_or(token.len());
        let (token, after) = token.split_at(end);
        kept.push_str(before);
        kept.push_str(if token.len() < TOKEN_BYTES_MIN { token } else { "[token]" });
        rest = after;
    }
    kept + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_read_as_they_are_written_and_in_no_other_way() {
        for kind in ReportKind::ALL {
            assert_eq!(kind.as_str().parse(), Ok(kind));
        }
        for other in ["", "user_action", "USER_ACTION ", "TEST", "\u{ff35}SER_ACTION"] {
            assert_eq!(other.parse::<ReportKind>(), Err(NotAKind), "{other}");
        }
    }

    #[test]
    fn idle_buckets_meet_without_gap_or_overlap() {
        let of = |minutes| IdleBucket::of(minutes).as_str();
        for (minutes, label) in [
            (0, "0-2 minutes"),
            (1, "0-2 minutes"),
            (2, "2-10 minutes"),
            (9, "2-10 minutes"),
            (10, "10-20 minutes"),
            (19, "10-20 minutes"),
            (20, "20+ minutes"),
            (u64::MAX, "20+ minutes"),
        ] {
            assert_eq!(of(minutes), label, "{minutes}");
        }
    }

    #[test]
    fn numbers_that_cannot_be_are_none_and_large_ones_are_bounded() {
        for wrong in [-1.0, f64::NAN, f64::NEG_INFINITY] {
            assert_eq!(idle_time(wrong), None);
            assert_eq!(claimed_time(wrong, Timestamp::from_ms(5)), None);
        }
        assert_eq!(idle_time(1.5), Some(Duration::from_secs(90)));
        assert_eq!(idle_time(f64::INFINITY), Some(IDLE_MAX));
        let now = Timestamp::from_ms(1_795_000_000_000);
        for (ms, expected) in
            [(0.0, 0), (1_794e9, 1_794_000_000_000), (9e15, now.as_ms()), (1e300, now.as_ms())]
        {
            assert_eq!(claimed_time(ms, now), Some(Timestamp::from_ms(expected)), "{ms}");
        }
    }

    #[test]
    fn only_the_path_of_an_address_is_kept() {
        for (location, expected) in [
            ("/dashboard", Some("/dashboard")),
            ("/reset?code=secret", Some("/reset")),
            ("/a#access_token=secret", Some("/a")),
            ("https://ada:secret@app.example.com:8443/in/box?x#y", Some("/in/box")),
            ("https://app.example.com", Some("/")),
            ("//evil.example/x", Some("/x")),
            ("/a//b", Some("/a//b")),
            (" /a\n/b\u{9b}31m ", Some("/a/b31m")),
            ("/<script>alert(1)</script>", Some("/<script>alert(1)</script>")),
            ("javascript:alert(1)//", None),
            ("data:text/html,<b>", None),
            ("", None),
            ("?code=secret", None),
            ("dashboard", None),
        ] {
            assert_eq!(page_path(location, 200).as_deref(), expected, "{location}");
        }
        assert_eq!(page_path(&format!("/{}", "ä".repeat(500)), 200).unwrap().chars().count(), 200);
    }

    #[test]
    fn tokens_are_taken_out_of_what_is_kept() {
        let (refresh, access) =
            (format!("tnr1_{}", "a".repeat(160)), "eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiJ1c3IifQ.c2ln");
        let message = format!("refresh of {refresh} failed ({access}), see eyJ and tnr1_");
        let kept = text(&message, 500).unwrap();
        assert_eq!(kept, "refresh of [token] failed ([token]), see eyJ and tnr1_");
        assert_eq!(page_path(&format!("/reset/{access}/x"), 200).unwrap(), "/reset/[token]/x");
        // Cut only afterwards: the beginning of a token is no less of one.
        assert_eq!(text(&format!("a {refresh}"), 40).unwrap(), "a [token]");
        assert_eq!(text(" \n\u{7}", 9), None);
    }

    #[test]
    fn words_are_words() {
        assert_eq!(word("session_revoked", 40).as_deref(), Some("session_revoked"));
        for other in ["", "Session", "a b", "a-b", "<b>", "ä", &"a".repeat(41)] {
            assert_eq!(word(other, 40), None, "{other}");
        }
    }
}
