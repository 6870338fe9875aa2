//! What was found, for people, for programs and for a page.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use super::super::{Failure, Outcome};
use super::finding::{Finding, Judgement, Silence, Verdict};

pub struct Report<'a> {
    pub name: &'a str,
    pub app: String,
    pub api: String,
    pub requests: u32,
    /// What was asked for.
    pub findings: Vec<Finding>,
    /// What was looked at on the way to it.
    pub others: Vec<Finding>,
}

impl Report<'_> {
    pub fn json(&self) -> Value {
        let summary: Map<_, _> = Verdict::ALL
            .iter()
            .map(|verdict| (verdict.as_str().to_owned(), self.count(*verdict).into()))
            .collect();
        json!({
            "name": self.name, "target": self.app, "api": self.api, "requests": self.requests, "summary": summary,
            "checks": self.findings.iter().map(Finding::json).collect::<Vec<_>>(),
        })
    }

    pub fn text(&self) -> String {
        let mut text = format!("{} at {}", self.name, self.app);
        if self.api != self.app {
            let _ = write!(text, ", with its API at {}", self.api);
        }
        text.push_str("\n\n");
        for finding in self.by_weight() {
            let Judgement { verdict, found, .. } = &finding.judgement;
            // Writing to a string cannot fail.
            let _ = writeln!(
                text,
                "{:<7}  {:<22}  {}",
                verdict.as_str(),
                finding.check.id,
                super::super::shown(found)
            );
            if let Some(fix) = self.fix(finding) {
                let _ = writeln!(text, "{:33}Why it matters: {}.", "", finding.check.why);
                let _ = writeln!(text, "{:33}What to do: {fix}.", "");
                let _ = writeln!(text, "{:33}More: {}\n", "", finding.check.doc());
            }
        }
        let _ = writeln!(text, "\n{} with {} requests.", self.totals(), self.requests);
        text
    }

    /// A table of what was found, and one of what to do about it.
    pub fn markdown(&self) -> String {
        let mut text = String::from("| verdict | check | what was seen |\n|---|---|---|\n");
        let cell = |text: &str| super::super::shown(text).replace('|', "\\|");
        for finding in self.by_weight().filter(|finding| finding.judgement.verdict != Verdict::Skipped) {
            let Judgement { verdict, found, .. } = &finding.judgement;
            let _ = writeln!(text, "| {} | {} | {} |", verdict.as_str(), finding.check.id, cell(found));
        }
        text.push_str("\n| check | what to do |\n|---|---|\n");
        for finding in self.by_weight() {
            if let Some(fix) = self.fix(finding) {
                let _ = writeln!(text, "| {} | {} |", finding.check.id, cell(&fix));
            }
        }
        text
    }

    /// That something fails outweighs that something could not be seen, and that outweighs a warning.
    pub fn outcome(&self) -> Outcome {
        let (all, failures) = (self.findings.len(), self.count(Verdict::Fail));
        if failures > 0 {
            return Err(Failure::Broken(format!("{failures} of {all} checks fail")));
        }
        let unseen: Vec<_> =
            self.findings.iter().filter(|finding| finding.judgement.silence == Silence::Unseen).collect();
        if let Some(first) = unseen.first() {
            let Finding { check, judgement } = first;
            return Err(Failure::Unreachable(format!(
                "{} of {all} checks could not be looked at: {}, since {}",
                unseen.len(),
                check.id,
                super::super::shown(&judgement.found)
            )));
        }
        if self.count(Verdict::Skipped) == all {
            return Err(Failure::Unreachable(format!("nothing was looked at{}", self.causes())));
        }
        match self.count(Verdict::Warn) {
            0 => Ok(()),
            warnings => Err(Failure::Finding(format!("{warnings} of {all} checks warn"))),
        }
    }

    /// What fails although nobody asked for it, or else why the first check is skipped.
    fn causes(&self) -> String {
        let failed = self.others.iter().filter(|finding| finding.judgement.verdict == Verdict::Fail);
        let told = |finding: &Finding| {
            format!("; {}: {}", finding.check.id, super::super::shown(&finding.judgement.found))
        };
        let failed: String = failed.map(told).collect();
        match self.findings.first() {
            Some(first) if failed.is_empty() => told(first),
            _ => failed,
        }
    }

    fn count(&self, verdict: Verdict) -> usize {
        self.findings.iter().filter(|finding| finding.judgement.verdict == verdict).count()
    }

    fn totals(&self) -> String {
        let counts = Verdict::ALL.iter().filter(|verdict| self.count(**verdict) > 0);
        counts
            .map(|verdict| format!("{} {}", self.count(*verdict), verdict.as_str()))
            .collect::<Vec<_>>()
            .join(", ")
    }

    /// What to do about a finding. Several often have one cause, which is mended once.
    fn fix(&self, finding: &Finding) -> Option<String> {
        let fix = finding.judgement.fix.as_ref()?;
        let first = self.by_weight().find(|first| first.judgement.fix.as_ref() == Some(fix))?;
        Some(match first.check.id == finding.check.id {
            true => fix.clone(),
            false => format!("as at {}", first.check.id),
        })
    }

    fn by_weight(&self) -> impl Iterator<Item = &Finding> {
        let of = |verdict: Verdict| {
            self.findings.iter().filter(move |finding| finding.judgement.verdict == verdict)
        };
        Verdict::ALL.into_iter().flat_map(of)
    }
}

#[cfg(test)]
mod tests {
    use super::super::check::Check;
    use super::super::finding::Chart;
    use super::*;

    fn report(told: &[(&str, Judgement)]) -> Report<'static> {
        let mut chart = Chart::default();
        for (id, judgement) in told {
            chart.tell(id, judgement.clone());
        }
        of(chart, |_| true)
    }

    fn of(chart: Chart, is_wanted: impl Fn(&Check) -> bool) -> Report<'static> {
        let (findings, others) = chart.into_findings(is_wanted);
        let at = "https://app.example.com";
        Report { name: "small", app: at.into(), api: at.into(), requests: 7, findings, others }
    }

    #[test]
    fn nothing_seen_is_no_good_end() {
        let said = |report: Report<'_>| match report.outcome() {
            Err(Failure::Unreachable(why)) => why,
            other => panic!("{other:?}"),
        };
        let unseen = || Judgement::unseen("the browser has ended");
        let why = said(report(&[("tls", Judgement::ok("fine")), ("browser-tabs", unseen())]));
        assert!(why.contains("1 of ") && why.contains("browser-tabs, since the browser has ended"), "{why}");
        let failed = report(&[("tls", Judgement::fail("x", "y")), ("browser-tabs", unseen())]);
        assert!(matches!(failed.outcome(), Err(Failure::Broken(_))));
        let mut chart = Chart::default();
        chart.tell("tls", Judgement::fail("nobody trusts it", "y"));
        chart.skip(&["hsts"], "see tls");
        assert!(said(of(chart, |check| check.id == "hsts")).contains("tls: nobody trusts it"));
        let mut chart = Chart::default();
        chart.skip(&["keys-persist"], "there are no hooks");
        assert!(said(of(chart, |check| check.id == "keys-persist")).contains("there are no hooks"));
    }

    #[test]
    fn what_matters_comes_first_and_the_outcome_says_how_bad_it_is() {
        let good = report(&[("tls", Judgement::ok("fine"))]);
        assert!(good.outcome().is_ok() && good.text().contains("1 ok, "));
        let warned = [("tls", Judgement::ok("fine")), ("hsts", Judgement::warn("a | b\u{1b}", "do it"))];
        let report_of_both = report(&warned);
        assert!(matches!(report_of_both.outcome(), Err(Failure::Finding(_))));
        let text = report_of_both.text();
        assert!(
            text.find("hsts").unwrap() < text.find("tls").unwrap() && text.contains("What to do: do it.")
        );
        assert!(!text.contains('\u{1b}') && report_of_both.markdown().contains("a \\| b"));
        let json = report_of_both.json();
        assert_eq!((&json["summary"]["warn"], &json["summary"]["fail"]), (&json!(1), &json!(0)));
        let broken = report(&[("tls", Judgement::fail("x", "y")), ("hsts", Judgement::warn("x", "y"))]);
        assert!(matches!(broken.outcome(), Err(Failure::Broken(_))));
    }
}
