//! Who is suspected of a sign-out that the front end made by itself: what the browser knew in that moment, and which
//! mistake it is the mark of. Two mistakes may report the same type; what came just before tells them apart.
//!
//! It is a browser's word, and a hint for whoever searches. Nothing is decided by it.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::client_report::ReportKind;
use crate::measure::{AT_ONCE, AWAY, CLOCK, JUST, STARTUP, answered, millis, span};

/// What a browser knew in the moment of a sign-out. Times are milliseconds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// The last request that failed.
    pub answer: Option<Answer>,
    /// The last error that no script had caught.
    pub error: Option<ScriptError>,
    /// How long the access token in hand had to live, by the server's clock; negative if it had expired.
    pub access_left_ms: Option<i64>,
    /// The device's clock less the server's.
    pub clock_ahead_ms: Option<i64>,
    /// How long the page had been there.
    pub page_age_ms: Option<u64>,
    /// Tokens that other tabs of the browser had given to this one.
    pub tokens_from_tabs: Option<u64>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// 0: none came.
    pub status: u16,
    pub code: Option<String>,
    pub path: Option<String>,
    /// Whether it was a problem of this server's kind; none if that could not be seen.
    pub is_ours: Option<bool>,
    pub ago_ms: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScriptError {
    pub message: String,
    pub ago_ms: u64,
}

/// A report, as far as it matters here.
#[derive(Clone, Copy, Debug)]
pub struct Traces<'a> {
    pub kind: ReportKind,
    pub idle: Option<Duration>,
    /// Whether a present SDK wrote it.
    pub is_of_sdk: bool,
    pub evidence: Option<&'a Evidence>,
}

/// The mistake that a sign-out bears the marks of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Suspect<'a> {
    /// The report was written by something else than the SDK: an old library, perhaps in an old tab.
    OtherLibrary,
    /// The device's clock is wrong by so much.
    DeviceClock(i64),
    /// The access token was over; the session was not.
    AccessExpired,
    /// 401, 402, 403 and other answers about one request.
    Refusal(&'a Answer),
    /// A 401 or 403 of something that is not the server.
    ForeignAnswer(&'a Answer),
    /// The server, or the way to it, was in trouble.
    Outage(&'a Answer),
    ScriptError(&'a ScriptError),
    /// The page had only just been loaded.
    Startup(u64),
    /// Nobody had touched anything for so long, and all was well.
    IdleTimer(Duration),
    /// All was well, and other tabs were at work.
    Tabs(u64),
}

/// Whom a sign-out from a session that lived is suspected on.
pub fn suspect<'a>(traces: &Traces<'a>) -> Option<Suspect<'a>> {
    if !traces.is_of_sdk {
        return Some(Suspect::OtherLibrary);
    }
    let known = traces.evidence?;
    let of_time = (traces.kind == ReportKind::TokenExpired).then(|| of_time(known)).flatten();
    let others = known.tokens_from_tabs.filter(|count| *count > 0).map(Suspect::Tabs);
    let of_tabs = others.filter(|_| traces.kind == ReportKind::RefreshFailed);
    let startup = known.page_age_ms.filter(|age| *age < millis(STARTUP)).map(Suspect::Startup);
    let idle = traces.idle.filter(|idle| *idle >= AWAY).map(Suspect::IdleTimer);
    of_time.or(just_before(known, JUST)).or(startup).or(of_tabs).or(idle).or(others)
}

/// The same of a sign-out that the server was asked for. Most are a person's own, and then nobody is suspected.
pub fn suspect_of_wish<'a>(traces: &Traces<'a>) -> Option<Suspect<'a>> {
    let is_away = traces.idle.is_some_and(|idle| idle >= AWAY);
    match traces.kind {
        // Only heard of: it was done in another tab or on another device.
        ReportKind::RefreshFailed => None,
        ReportKind::UserAction | ReportKind::Unknown if !is_away => just_before(traces.evidence?, AT_ONCE),
        _ => suspect(traces),
    }
}

fn of_time(known: &Evidence) -> Option<Suspect<'_>> {
    let wrong = known.clock_ahead_ms.filter(|ahead| ahead.unsigned_abs() >= millis(CLOCK));
    let is_over = known.access_left_ms.is_some_and(|left| left <= 0);
    wrong.map(Suspect::DeviceClock).or(is_over.then_some(Suspect::AccessExpired))
}

/// The later of the last failed request and the last error.
fn just_before(known: &Evidence, within: Duration) -> Option<Suspect<'_>> {
    let within_ms = millis(within);
    let answer = known.answer.as_ref().filter(|answer| answer.ago_ms < within_ms);
    let error = known.error.as_ref().filter(|error| error.ago_ms < within_ms);
    match (answer, error) {
        (Some(answer), Some(error)) if error.ago_ms < answer.ago_ms => Some(Suspect::ScriptError(error)),
        (Some(answer), _) => Some(of_answer(answer)),
        (None, error) => error.map(Suspect::ScriptError),
    }
}

fn of_answer(answer: &Answer) -> Suspect<'_> {
    // Elsewhere an application's own API answers as it likes.
    let is_at_ours = answer.path.as_ref().is_none_or(|path| path.starts_with("/api/v1/"));
    match answer.status {
        401 | 403 if is_at_ours && answer.is_ours == Some(false) => Suspect::ForeignAnswer(answer),
        0 | 408 | 429 | 500.. => Suspect::Outage(answer),
        _ => Suspect::Refusal(answer),
    }
}

impl Suspect<'_> {
    /// For programs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Suspect::OtherLibrary => "other_library",
            Suspect::DeviceClock(_) => "device_clock",
            Suspect::AccessExpired => "access_expired",
            Suspect::Refusal(_) => "api_refusal",
            Suspect::ForeignAnswer(_) => "foreign_answer",
            Suspect::Outage(_) => "outage",
            Suspect::ScriptError(_) => "script_error",
            Suspect::Startup(_) => "startup",
            Suspect::IdleTimer(_) => "idle_timer",
            Suspect::Tabs(_) => "tabs",
        }
    }

    /// What speaks for it, to be read after "it came".
    pub fn words(self) -> String {
        match self {
            Suspect::OtherLibrary => "from code that is not the present SDK".into(),
            Suspect::DeviceClock(ahead) => {
                let side = if ahead > 0 { "ahead of" } else { "behind" };
                format!("on a device whose clock is {} {side} the server's", span(ahead.unsigned_abs()))
            }
            Suspect::AccessExpired => "when the access token was over and the session was not".into(),
            Suspect::Refusal(answer) | Suspect::Outage(answer) => after(answer),
            Suspect::ForeignAnswer(answer) => {
                format!("{}, which was not this server's answer", after(answer))
            }
            Suspect::ScriptError(error) => {
                format!("{} after the script error \"{}\"", span(error.ago_ms), error.message)
            }
            Suspect::Startup(age) => format!("{} after the page was loaded", span(age)),
            Suspect::IdleTimer(idle) => {
                format!("while nobody touched the page for {}, with nothing amiss", span(millis(idle)))
            }
            Suspect::Tabs(_) => {
                "while other tabs of the browser renewed the token, with nothing amiss".into()
            }
        }
    }

    /// Where to look.
    pub const fn search(self) -> &'static str {
        match self {
            Suspect::OtherLibrary => {
                "an old library in the bundle, or in a tab or service worker that an old release has left open"
            }
            Suspect::DeviceClock(_) => {
                "code that compares `exp` with `Date.now()`; `client.serverNow()` is right on every device"
            }
            Suspect::AccessExpired => {
                "code that signs out when an access token expires instead of asking the client for another"
            }
            Suspect::Refusal(_) => {
                "the handler or interceptor that sees this status and goes to the sign-in page"
            }
            Suspect::ForeignAnswer(_) => {
                "the proxy or gateway that answers by itself, and the interceptor that believes it"
            }
            Suspect::Outage(_) => "error handlers that sign out when a request fails, and what failed then",
            Suspect::ScriptError(_) => {
                "this error in the console, and the handler that resets the application on errors"
            }
            Suspect::Startup(_) => {
                "code that runs as the page starts: it clears or migrates stored state, or misses a value in it"
            }
            Suspect::IdleTimer(_) => {
                "timers that count idle minutes: `setTimeout`, idle libraries, `visibilitychange`"
            }
            Suspect::Tabs(_) => "own refresh loops, and messages between tabs that are taken for an end",
        }
    }
}

fn after(answer: &Answer) -> String {
    let article = if answer.status == 0 { "" } else { "a " };
    let what = answered(answer.status, answer.code.as_deref(), answer.path.as_deref());
    format!("{} after {article}{what}", span(answer.ago_ms))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn answer(status: u16, ago_ms: u64) -> Option<Answer> {
        Some(Answer { status, code: None, path: Some("/api/x".into()), is_ours: None, ago_ms })
    }

    fn error(ago_ms: u64) -> Option<ScriptError> {
        Some(ScriptError { message: "x is undefined".into(), ago_ms })
    }

    fn quiet() -> Evidence {
        Evidence { page_age_ms: Some(3_600_000), clock_ahead_ms: Some(50), ..Evidence::default() }
    }

    fn named(kind: ReportKind, idle_minutes: u32, evidence: &Evidence) -> Option<&'static str> {
        let idle = Some(MINUTE * idle_minutes);
        let traces = Traces { kind, idle, is_of_sdk: true, evidence: Some(evidence) };
        suspect(&traces).map(Suspect::as_str)
    }

    #[test]
    fn what_came_just_before_is_suspected_and_nothing_older() {
        use ReportKind::{AuthError, RefreshFailed, TokenExpired, Unknown};
        let foreign = |path: &str| {
            answer(401, 3).map(|answer| Answer { is_ours: Some(false), path: Some(path.into()), ..answer })
        };
        for (kind, idle, evidence, expected) in [
            (AuthError, 0, Evidence { answer: answer(403, 12), ..quiet() }, Some("api_refusal")),
            (AuthError, 0, Evidence { answer: answer(402, 12), ..quiet() }, Some("api_refusal")),
            (
                RefreshFailed,
                0,
                Evidence { answer: foreign("/api/v1/auth/refresh"), ..quiet() },
                Some("foreign_answer"),
            ),
            (AuthError, 0, Evidence { answer: foreign("/api/x"), ..quiet() }, Some("api_refusal")),
            (AuthError, 0, Evidence { answer: answer(503, 12), ..quiet() }, Some("outage")),
            (Unknown, 0, Evidence { answer: answer(0, 12), ..quiet() }, Some("outage")),
            (AuthError, 0, Evidence { answer: answer(403, 10_000), ..quiet() }, None),
            (Unknown, 0, Evidence { error: error(4), ..quiet() }, Some("script_error")),
            (
                Unknown,
                0,
                Evidence { error: error(4), answer: answer(403, 9), ..quiet() },
                Some("script_error"),
            ),
            (
                Unknown,
                0,
                Evidence { error: error(9), answer: answer(403, 4), ..quiet() },
                Some("api_refusal"),
            ),
            (TokenExpired, 25, quiet(), Some("idle_timer")),
            (TokenExpired, 1, quiet(), None),
            (
                TokenExpired,
                25,
                Evidence { clock_ahead_ms: Some(-3_600_000), ..quiet() },
                Some("device_clock"),
            ),
            (TokenExpired, 25, Evidence { access_left_ms: Some(-1), ..quiet() }, Some("access_expired")),
            (AuthError, 25, Evidence { clock_ahead_ms: Some(3_600_000), ..quiet() }, Some("idle_timer")),
            (Unknown, 25, Evidence { page_age_ms: Some(200), ..quiet() }, Some("startup")),
            (RefreshFailed, 25, Evidence { tokens_from_tabs: Some(2), ..quiet() }, Some("tabs")),
            (TokenExpired, 25, Evidence { tokens_from_tabs: Some(2), ..quiet() }, Some("idle_timer")),
            (Unknown, 0, Evidence { tokens_from_tabs: Some(0), ..quiet() }, None),
        ] {
            assert_eq!(named(kind, idle, &evidence), expected, "{kind} {idle} {evidence:?}");
        }
        let traces = Traces { kind: Unknown, idle: None, is_of_sdk: false, evidence: None };
        assert_eq!(suspect(&traces), Some(Suspect::OtherLibrary));
        assert_eq!(suspect(&Traces { is_of_sdk: true, ..traces }), None);
    }

    #[test]
    fn a_person_who_signs_out_is_not_suspected_unless_nobody_was_there() {
        let judged = |kind, minutes: u32, evidence: &Evidence| {
            let idle = Some(MINUTE * minutes);
            let traces = Traces { kind, idle, is_of_sdk: true, evidence: Some(evidence) };
            suspect_of_wish(&traces).map(Suspect::as_str)
        };
        use ReportKind::{AuthError, RefreshFailed, UserAction};
        assert_eq!(judged(UserAction, 0, &quiet()), None);
        assert_eq!(judged(UserAction, 0, &Evidence { answer: answer(402, 5_000), ..quiet() }), None);
        assert_eq!(judged(UserAction, 0, &Evidence { page_age_ms: Some(2_000), ..quiet() }), None);
        let refused = Evidence { answer: answer(403, 40), ..quiet() };
        assert_eq!(judged(UserAction, 0, &refused), Some("api_refusal"));
        assert_eq!(judged(UserAction, 25, &quiet()), Some("idle_timer"));
        assert_eq!(judged(AuthError, 0, &refused), Some("api_refusal"));
        assert_eq!(judged(RefreshFailed, 25, &refused), None, "the act of another tab or device");
    }

    #[test]
    fn the_words_say_how_long_before_and_what() {
        let answer = Answer { code: Some("plan_required".into()), ..answer(402, 12).unwrap() };
        assert_eq!(Suspect::Refusal(&answer).words(), "12 ms after a 402 (plan_required) of /api/x");
        let gone = Answer { status: 0, code: None, ago_ms: 2_500, ..answer };
        assert_eq!(Suspect::Outage(&gone).words(), "2 s after no answer of /api/x");
        assert!(Suspect::DeviceClock(-5_400_000).words().contains("90 minutes behind"));
        assert!(Suspect::DeviceClock(86_400_000).words().contains("24 hours ahead of"));
        assert!(Suspect::IdleTimer(25 * MINUTE).words().contains("25 minutes"));
    }
}
