//! Events as files: one JSON object a line, or a table for spreadsheets.

use serde::Deserialize;

use crate::routes::admin::events::EventRecord;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, utoipa::ToSchema, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    #[default]
    Ndjson,
    Csv,
}

const COLUMNS: [&str; 12] = [
    "id", "at", "kind", "user", "session", "subject", "actor", "address", "browser", "cause", "count",
    "detail",
];

/// Events as a piece of a file; the first piece of a table has its heading.
pub fn text_of(events: &[EventRecord], format: Format, is_first: bool) -> String {
    let mut text = String::new();
    match format {
        Format::Ndjson => {
            for event in events {
                text += &serde_json::to_string(event).unwrap_or_default();
                text.push('\n');
            }
        }
        Format::Csv => {
            if is_first {
                line(&mut text, COLUMNS.map(str::to_owned));
            }
            events.iter().for_each(|event| line(&mut text, cells(event)));
        }
    }
    text
}

fn cells(event: &EventRecord) -> [String; 12] {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    [
        event.id.to_string(),
        event.at.to_string(),
        event.kind.clone(),
        event.user.map(|id| id.to_string()).unwrap_or_default(),
        event.session.map(|id| id.to_string()).unwrap_or_default(),
        text(&event.subject),
        text(&event.actor),
        text(&event.address),
        text(&event.browser),
        text(&event.cause),
        event.count.to_string(),
        event.detail.as_ref().map(serde_json::Value::to_string).unwrap_or_default(),
    ]
}

/// RFC 4180, with every cell in quotes. What a spreadsheet would take for a formula, it takes for text after an
/// apostrophe.
fn line(text: &mut String, cells: [String; 12]) {
    let quoted = cells.map(|cell| {
        let guard = if cell.starts_with(['=', '+', '-', '@', '\t', '\r']) { "'" } else { "" };
        format!("\"{guard}{}\"", cell.replace('"', "\"\""))
    });
    text.push_str(&quoted.join(","));
    text.push_str("\r\n");
}

#[cfg(test)]
mod tests {
    use tenure_domain::event::{Event, EventKind, Occurrence};
    use tenure_domain::id::EventId;
    use tenure_domain::time::Timestamp;

    use super::*;

    fn event() -> EventRecord {
        let mut what = Occurrence::new(EventKind::SignedIn, Timestamp::from_ms(1_795_000_000_000));
        what.subject = Some("=HYPERLINK(\"http://x\")".into());
        what.detail = Some("{\"a\":\"b,c\\n\"}".into());
        Event::new(EventId::from_bytes([1; 16]), what).into()
    }

    #[test]
    fn a_table_has_one_heading_and_no_formulas() {
        let text = text_of(&[event()], Format::Csv, true) + &text_of(&[event()], Format::Csv, false);
        let lines: Vec<_> = text.split_terminator("\r\n").collect();
        assert_eq!(lines.len(), 3);
        assert!(lines[0].starts_with("\"id\",\"at\",\"kind\""));
        assert!(lines[1].contains(r#""'=HYPERLINK(""http://x"")""#), "{}", lines[1]);
        assert!(lines[2].ends_with(r#""1","{""a"":""b,c\n""}""#), "{}", lines[2]);
    }

    #[test]
    fn an_object_a_line() {
        let text = text_of(&[event(), event()], Format::Ndjson, true);
        let lines: Vec<serde_json::Value> =
            text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!((lines.len(), &lines[0]["kind"]), (2, &"signed_in".into()));
        assert_eq!(lines[1]["detail"]["a"], "b,c\n");
    }
}
