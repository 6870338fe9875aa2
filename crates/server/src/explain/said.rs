//! What a section says: a value that people and programs read in different forms.

use std::time::Duration;

use serde_json::{Value, json};
use tenure_domain::time::Timestamp;

use crate::command::shown;

pub enum Said {
    /// Our own words, and what was cleaned already.
    Words(String),
    /// Whatever somebody else wrote.
    Foreign(String),
    At(Timestamp),
    Span(Duration),
    Number(u64),
    Is(bool),
}

/// One of the sections: names and what is said under them, without what is not known.
#[derive(Default)]
pub struct Section(Vec<(&'static str, Said)>);

impl Section {
    pub fn say(&mut self, name: &'static str, said: impl Into<Option<Said>>) {
        self.0.extend(said.into().map(|said| (name, said)));
    }

    /// Without what is nobody's business but the administrators'.
    pub fn without(mut self, names: &[&str]) -> Self {
        self.0.retain(|(name, _)| !names.contains(name));
        self
    }

    pub fn document(&self) -> Value {
        self.0.iter().map(|(name, said)| ((*name).to_owned(), said.document())).collect()
    }

    pub fn print(&self) {
        for (name, said) in &self.0 {
            println!("  {:<18} {}", name.replace('_', " "), said.text());
        }
    }
}

impl Said {
    pub fn words(text: impl Into<String>) -> Self {
        Said::Words(text.into())
    }

    pub fn foreign(text: &Option<String>) -> Option<Self> {
        text.clone().map(Said::Foreign)
    }

    fn text(&self) -> String {
        match self {
            Said::Words(text) => text.clone(),
            Said::Foreign(text) => shown(text),
            Said::At(at) => at.to_string(),
            Said::Span(span) => span_text(*span),
            Said::Number(number) => number.to_string(),
            Said::Is(true) => "yes".into(),
            Said::Is(false) => "no".into(),
        }
    }

    fn document(&self) -> Value {
        match self {
            Said::Words(text) | Said::Foreign(text) => json!(text),
            Said::At(at) => json!(at),
            Said::Span(span) => json!(u64::try_from(span.as_millis()).unwrap_or(u64::MAX)),
            Said::Number(number) => json!(number),
            Said::Is(is) => json!(is),
        }
    }
}

/// To the second, as in `19d 23h 5m`: days are what people count sessions by.
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
