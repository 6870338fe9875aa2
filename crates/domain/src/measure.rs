//! By which measures a sign-out is held against what came before it, of our own sessions ([`crate::suspect`]) and of those
//! that are observed ([`crate::observed`]), and how spans and answers are called in sentences.

use std::time::Duration;

/// What came longer before a sign-out has nothing to do with it.
pub const JUST: Duration = Duration::from_secs(10);
/// What a person does not manage to do by themselves after something has failed, and a handler does.
pub const AT_ONCE: Duration = Duration::from_secs(1);
/// So young is a page that had only just been loaded.
pub const STARTUP: Duration = Duration::from_secs(5);
/// From here on nobody was there.
pub const AWAY: Duration = Duration::from_secs(120);
/// Clocks of devices may be wrong by this much without anybody noticing.
pub const CLOCK: Duration = Duration::from_secs(120);

/// The milliseconds of a span.
pub fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

/// Milliseconds as people say them, in one unit and rounded down.
pub fn span(ms: u64) -> String {
    match ms {
        0..1_000 => format!("{ms} ms"),
        1_000..120_000 => format!("{} s", ms / 1_000),
        120_000..7_200_000 => format!("{} minutes", ms / 60_000),
        7_200_000..172_800_000 => format!("{} hours", ms / 3_600_000),
        _ => format!("{} days", ms / 86_400_000),
    }
}

/// An answer in a few words, as in `403 (plan_required) of /api/x`. Status 0: none came.
pub fn answered(status: u16, code: Option<&str>, path: Option<&str>) -> String {
    let status = match status {
        0 => "no answer".to_owned(),
        status => status.to_string(),
    };
    let code = code.map(|code| format!(" ({code})")).unwrap_or_default();
    let path = path.map(|path| format!(" of {path}")).unwrap_or_default();
    format!("{status}{code}{path}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_is_told_in_the_unit_of_which_there_are_two() {
        let told =
            [0, 999, 1_000, 119_999, 120_000, 7_199_999, 7_200_000, 172_799_999, 172_800_000].map(span);
        let expected =
            ["0 ms", "999 ms", "1 s", "119 s", "2 minutes", "119 minutes", "2 hours", "47 hours", "2 days"];
        assert_eq!(told, expected);
    }

    #[test]
    fn an_answer_is_told_as_far_as_it_is_known() {
        assert_eq!(answered(403, Some("plan_required"), Some("/api/x")), "403 (plan_required) of /api/x");
        assert_eq!(answered(0, None, None), "no answer");
    }
}
