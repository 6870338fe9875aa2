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
