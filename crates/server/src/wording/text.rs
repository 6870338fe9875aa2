//! Texts of others on one line, and spans of time.

use std::time::Duration;

/// What somebody else wrote, for a terminal: it stays on its line, moves no cursor and turns no text around.
pub fn shown(text: &str) -> String {
    let plain = |c: char| match c {
        '"' | '\'' => c.to_string(),
        c => c.escape_debug().to_string(),
    };
    text.chars().map(plain).collect()
}

/// To the second, as in `19d 23h 5m`: days are what people count sessions by. In a sentence see
/// [`tenure_domain::measure::span`].
pub fn span_text(span: Duration) -> String {
    let mut rest = span.as_secs();
    let units = [(86_400, "d"), (3_600, "h"), (60, "m"), (1, "s")].map(|(length, unit)| {
        let count = rest / length;
        rest %= length;
        (count, unit)
    });
    let said = units.iter().filter(|(count, _)| *count > 0).map(|(count, unit)| format!("{count}{unit}"));
    let said: Vec<_> = said.collect();
    if said.is_empty() { "0s".into() } else { said.join(" ") }
}

/// How long something lives, in words, as in `20 days 30 min`: to the minute, since seconds went by while it was looked at.
pub fn spoken(life: Duration) -> String {
    let minutes = life.as_secs().saturating_add(30) / 60;
    let life = if minutes > 2 { Duration::from_secs(minutes * 60) } else { life };
    let part = |part: &str| {
        let (number, unit) = part.split_at(part.find(char::is_alphabetic).unwrap_or(part.len()));
        format!("{number} {}", if unit == "m" { "min" } else { unit })
    };
    let parts: Vec<_> = humantime::format_duration(life).to_string().split(' ').map(part).collect();
    parts.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lifetimes_are_told_in_words() {
        assert_eq!(spoken(Duration::from_secs(20 * 86_400 + 1_810)), "20 days 30 min");
        assert_eq!(spoken(Duration::from_secs(75)), "1 min 15 s");
        assert_eq!(spoken(Duration::ZERO), "0 s");
    }
}
