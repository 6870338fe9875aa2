//! What was found, for people, for programs, and for a page.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::super::{Failure, Outcome};
use super::scenario::Scenario;
use super::verdict::{Kind, Told};

pub struct Report<'a> {
    pub name: &'a str,
    pub target: String,
    pub requests: u32,
    pub rows: Vec<Row>,
}

pub struct Row {
    pub scenario: &'static Scenario,
    pub told: Told,
}

impl Row {
    fn kind(&self) -> Kind {
        Kind::of(&self.told)
    }

    fn detail(&self) -> Option<&str> {
        self.told.as_ref().err().map(|verdict| verdict.detail())
    }
}

impl Report<'_> {
    pub fn json(&self) -> Value {
        let totals: serde_json::Map<_, _> =
            Kind::ALL.iter().map(|kind| (kind.as_str().to_owned(), self.count(*kind).into())).collect();
        let rows = self.rows.iter().map(|row| {
            let Scenario { id, title, why, fix, .. } = row.scenario;
            let mut value = json!({
                "id": id, "cause": row.scenario.cause(), "title": title, "verdict": row.kind().as_str(),
                "detail": row.detail(),
            });
            if row.kind().is_finding() {
                (value["why"], value["fix"]) = (json!(why), json!(fix));
            }
            value
        });
        json!({
            "name": self.name, "target": self.target, "requests": self.requests, "totals": totals,
            "scenarios": rows.collect::<Vec<_>>(),
        })
    }

    pub fn text(&self) -> String {
        let mut text = format!("{} at {}\n\n", self.name, self.target);
        for row in self.by_weight() {
            let Scenario { id, title, why, .. } = row.scenario;
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{:<11}  {id:<6}  {title}", row.kind().name());
            if let Some(detail) = row.detail() {
                let _ = writeln!(text, "{:21}{detail}", "");
            }
            if row.kind().is_finding() {
                let _ = writeln!(text, "{:21}Why it matters: {why}.", "");
                let _ = writeln!(text, "{:21}What to do: {}.\n", "", self.fix(row));
            }
        }
        let _ = writeln!(text, "\n{} with {} requests.", self.totals(), self.requests);
        text
    }

    /// Two tables: what was seen, and what to do about it.
    pub fn markdown(&self) -> String {
        let mut text = format!("# {}\n\n{} with {} requests.\n\n", self.name, self.totals(), self.requests);
        text.push_str("| verdict | scenario | what has to be so | what was seen |\n|---|---|---|---|\n");
        for row in self.by_weight() {
            let (id, title) = (row.scenario.id, row.scenario.title);
            let seen = row.detail().unwrap_or_default().replace('|', "\\|");
            let _ = writeln!(text, "| {} | {id} | {title} | {seen} |", row.kind().name());
        }
        let mut findings = self.by_weight().filter(|row| row.kind().is_finding()).peekable();
        if findings.peek().is_some() {
            text.push_str("\n| scenario | why it matters | what to do |\n|---|---|---|\n");
        }
        for row in findings {
            let Scenario { id, why, .. } = row.scenario;
            let _ = writeln!(text, "| {id} | {why} | {} |", self.fix(row));
        }
        text
    }

    /// A finding is said, however much could not be reached besides.
    pub fn outcome(&self) -> Outcome {
        let findings = self.rows.iter().filter(|row| row.kind().is_finding()).count();
        match (findings, self.count(Kind::Unreachable)) {
            (0, 0) => Ok(()),
            (0, n) => Err(Failure::Unreachable(format!("{n} scenarios got no answer from {}", self.target))),
            (n, _) => Err(Failure::Finding(format!("{n} of {} scenarios do not hold", self.rows.len()))),
        }
    }

    fn count(&self, kind: Kind) -> usize {
        self.rows.iter().filter(|row| row.kind() == kind).count()
    }

    fn totals(&self) -> String {
        let counts = Kind::ALL.iter().filter(|kind| self.count(**kind) > 0);
        let counts = counts.map(|kind| format!("{} {}", self.count(*kind), kind.name()));
        counts.collect::<Vec<_>>().join(", ")
    }

    /// What to do about a finding. Several often have one cause, which is mended once.
    fn fix(&self, row: &Row) -> String {
        let Scenario { id, fix, .. } = row.scenario;
        let findings = || self.by_weight().filter(|row| row.kind().is_finding());
        match findings().find(|first| first.scenario.fix == *fix) {
            Some(first) if first.scenario.id != *id => format!("as at {}", first.scenario.id),
            _ => (*fix).to_owned(),
        }
    }

    fn by_weight(&self) -> impl Iterator<Item = &Row> {
        let of = |kind: Kind| self.rows.iter().filter(move |row| row.kind() == kind);
        Kind::ALL.into_iter().flat_map(of)
    }
}

#[cfg(test)]
mod tests {
    use super::super::scenario;
    use super::super::verdict::Verdict;
    use super::*;

    fn report(told: Vec<Told>) -> Report<'static> {
        let rows = scenario::all().zip(told).map(|(scenario, told)| Row { scenario, told }).collect();
        Report { name: "small", target: "http://127.0.0.1".into(), requests: 7, rows }
    }

    #[test]
    fn what_matters_comes_first_and_says_what_to_do() {
        let report = report(vec![
            Ok(()),
            Err(Verdict::Wrong("a | b".into())),
            Err(Verdict::SignsOut("401".into())),
            Err(Verdict::NotTested("no hook".into())),
        ]);
        let text = report.text();
        let at = |part: &str| text.find(part).unwrap_or_else(|| panic!("{part}: {text}"));
        assert!(at("signs out") < at("wrong") && at("wrong") < at("holds") && at("holds") < at("not tested"));
        assert_eq!(text.matches("What to do: ").count(), 2);
        assert!(text.ends_with("1 signs out, 1 wrong, 1 holds, 1 not tested with 7 requests.\n"), "{text}");
        let markdown = report.markdown();
        assert!(markdown.contains("a \\| b") && markdown.contains("| what to do |"));
        let json = report.json();
        assert_eq!(
            (&json["totals"]["signs_out"], &json["scenarios"][2]["verdict"]),
            (&json!(1), &json!("signs_out"))
        );
        assert!(json["scenarios"][0]["fix"].is_null() && json["scenarios"][1]["fix"].is_string());
    }

    #[test]
    fn a_finding_is_1_and_silence_is_3() {
        let silent = || Err(Verdict::Unreachable("no answer".into()));
        assert!(report(vec![Ok(()), Err(Verdict::NotTested("x".into()))]).outcome().is_ok());
        assert!(matches!(report(vec![Ok(()), silent()]).outcome(), Err(Failure::Unreachable(_))));
        let both = report(vec![silent(), Err(Verdict::Wrong("x".into()))]);
        assert!(matches!(both.outcome(), Err(Failure::Finding(_))));
        assert!(!report(vec![Ok(())]).markdown().contains("what to do"));
    }
}
