//! What is said of a case: facts that people and programs read in different forms, and who may read each.

use std::time::Duration;

use serde::{Serialize, Serializer};
use serde_json::{Value, json};
use tenure_domain::measure::millis;
use tenure_domain::time::Timestamp;

use crate::wording::text::{shown, span_text};

/// Who is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum For {
    /// Whoever runs the product: all of it.
    Support,
    /// The person whose session it is: nothing of who administers it, and why in their words.
    Owner,
}

/// Sections of facts, and everything in the order of time.
pub struct Explained {
    pub sections: [(&'static str, Section); 5],
    pub moments: Vec<Moment>,
}

pub struct Moment {
    pub at: Timestamp,
    pub what: &'static str,
    /// On one line, whoever wrote them.
    pub words: String,
}

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
pub struct Section(Vec<Fact>);

struct Fact {
    name: &'static str,
    said: Said,
    /// Also for the person whose session it is.
    is_for_all: bool,
}

impl Explained {
    /// For programs: the sections by their names, and `timeline`.
    pub fn document(&self) -> Value {
        let mut document =
            json!({ "timeline": self.moments.iter().map(Moment::document).collect::<Vec<_>>() });
        for (name, section) in &self.sections {
            document[*name] = section.document();
        }
        document
    }
}

impl Moment {
    fn document(&self) -> Value {
        json!({ "at": self.at, "what": self.what, "words": self.words })
    }

    /// Who says so: a browser, or the server itself.
    pub fn by(&self) -> &'static str {
        if self.what == "report" { "client" } else { "server" }
    }
}

impl Section {
    /// Says it to those who run the product, and to nobody else.
    pub fn say(&mut self, name: &'static str, said: impl Into<Option<Said>>) {
        self.add(name, said.into(), false);
    }

    /// Says it to the person whose session it is as well.
    pub fn say_to_all(&mut self, name: &'static str, said: impl Into<Option<Said>>) {
        self.add(name, said.into(), true);
    }

    fn add(&mut self, name: &'static str, said: Option<Said>, is_for_all: bool) {
        self.0.extend(said.map(|said| Fact { name, said, is_for_all }));
    }

    /// What of it somebody may read.
    pub fn for_reader(mut self, who: For) -> Self {
        self.0.retain(|fact| fact.is_for_all || who == For::Support);
        self
    }

    pub fn document(&self) -> Value {
        self.0.iter().map(|fact| (fact.name.to_owned(), fact.said.document())).collect()
    }

    /// Names and texts, as people read them.
    pub fn texts(&self) -> impl Iterator<Item = (String, String)> {
        self.0.iter().map(|fact| (fact.name.replace('_', " "), fact.said.text()))
    }

    /// The names of what is a span: in milliseconds, where programs read it.
    pub fn spans(&self) -> impl Iterator<Item = &'static str> + '_ {
        self.0.iter().filter(|fact| matches!(fact.said, Said::Span(_))).map(|fact| fact.name)
    }
}

/// In the order in which it is said, which is the order of what matters.
impl Serialize for Section {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|fact| (fact.name, fact.said.document())))
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
            Said::Span(span) => json!(millis(*span)),
            Said::Number(number) => json!(number),
            Said::Is(is) => json!(is),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_has_opened_is_read_by_those_who_run_the_product_alone() {
        let read_by = |who| {
            let mut section = Section::default();
            section.say("note", Said::words("a word to colleagues"));
            section.say_to_all("receipt", Said::words("R-7K3M-Q9TD"));
            section.say_to_all("page", None);
            section.for_reader(who).document()
        };
        assert_eq!(read_by(For::Owner), json!({ "receipt": "R-7K3M-Q9TD" }));
        assert_eq!(
            read_by(For::Support),
            json!({ "note": "a word to colleagues", "receipt": "R-7K3M-Q9TD" })
        );
    }
}
