//! How often a session was refreshed, and when it was not, in words.

use std::time::Duration;

use serde_json::{Value, json};
use tenure_domain::rhythm::{Gap, Rhythm, Run};
use tenure_domain::time::Timestamp;

/// What a gap may be. The server cannot tell one from another: in each of them it hears nothing.
const NOBODY_THERE: &str = "the machine slept or was offline, or no page was open";

/// The last run, and the longest time in which there was none. None: nothing is kept that tells of it.
pub fn words(rhythm: &Rhythm) -> Option<String> {
    let run = rhythm.runs.last().and_then(|run| run.every).map(|every| format!("every {}", range(every)));
    let gap = rhythm.gaps.iter().max_by_key(|gap| gap.length());
    let gap = gap.map(|gap| format!("nothing for {} from {}: {NOBODY_THERE}", about(gap.length()), gap.from));
    let said: Vec<_> = run.into_iter().chain(gap).collect();
    (!said.is_empty()).then(|| said.join("; "))
}

pub fn words_for_run(run: &Run) -> String {
    let every = run.every.map(|every| format!(" every {}", range(every))).unwrap_or_default();
    format!("the first of {}{every}, the last at {}", run.count, run.last)
}

pub fn words_for_gap(gap: &Gap) -> String {
    format!("no refresh for {}, until {}: {NOBODY_THERE}", about(gap.length()), gap.to)
}

/// Everything that is kept, for programs.
pub fn document(refreshes: &[Timestamp], rhythm: &Rhythm) -> Value {
    let gap = |gap: &Gap| json!({ "from": gap.from, "to": gap.to });
    json!({ "at": refreshes, "gaps": rhythm.gaps.iter().map(gap).collect::<Vec<_>>() })
}

/// As in `11 to 12 minutes`.
fn range((shortest, longest): (Duration, Duration)) -> String {
    match (about(shortest), about(longest)) {
        (one, other) if one == other => one,
        (one, other) => match (one.split_once(' '), other.split_once(' ')) {
            (Some((number, unit)), Some((_, unit_of_other))) if unit == unit_of_other => {
                format!("{number} to {other}")
            }
            _ => format!("{one} to {other}"),
        },
    }
}

/// In one unit, of which there are two or more: rounded, for refreshes are kept to half a minute.
fn about(span: Duration) -> String {
    const UNITS: [(u64, &str); 3] = [(86_400, "days"), (3_600, "hours"), (60, "minutes")];
    let rounded = |unit: u64| (span.as_secs() + unit / 2) / unit;
    let unit = UNITS.into_iter().find(|(unit, _)| rounded(*unit) >= 2);
    let (unit, name) = unit.unwrap_or((1, "s"));
    format!("{} {name}", rounded(unit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_told_as_people_tell_them() {
        let of = |secs| about(Duration::from_secs(secs));
        assert_eq!([of(0), of(89), of(90), of(690)], ["0 s", "89 s", "2 minutes", "12 minutes"]);
        assert_eq!([of(31 * 3600 + 1500), of(5399), of(5400)], ["31 hours", "90 minutes", "2 hours"]);
        assert_eq!(of(86_400 * 3 / 2), "2 days");
        let range = |from, to| range((Duration::from_secs(from), Duration::from_secs(to)));
        assert_eq!(range(660, 720), "11 to 12 minutes");
        assert_eq!(range(690, 720), "12 minutes");
        assert_eq!(range(60, 720), "60 s to 12 minutes");
    }
}
