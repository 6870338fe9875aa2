//! What was found, as each check says it.

use serde_json::{Map, Value, json};

use super::check::{self, Check};

/// From the best to the worst.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    Skipped,
    Ok,
    Warn,
    Fail,
}

/// Why nothing is said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Silence {
    /// Something else is in the way, or was not given.
    #[default]
    Elsewhere,
    /// There is no such thing here that could be wrong.
    NotApplicable,
    /// It was asked for, and could not be looked at.
    Unseen,
}

/// What one look says: a sentence, what to do, and what it was seen by. No secret is in it.
#[derive(Clone, Debug, PartialEq)]
pub struct Judgement {
    pub verdict: Verdict,
    pub found: String,
    pub fix: Option<String>,
    pub evidence: Map<String, Value>,
    /// Of what is skipped.
    pub silence: Silence,
}

pub struct Finding {
    pub check: &'static Check,
    pub judgement: Judgement,
}

/// What is known of a patient so far.
#[derive(Default)]
pub struct Chart {
    findings: Vec<Finding>,
}

// === impl Verdict ===

impl Verdict {
    /// From what matters most, as a report lists them.
    pub const ALL: [Verdict; 4] = [Verdict::Fail, Verdict::Warn, Verdict::Ok, Verdict::Skipped];

    pub fn as_str(self) -> &'static str {
        match self {
            Verdict::Skipped => "skipped",
            Verdict::Ok => "ok",
            Verdict::Warn => "warn",
            Verdict::Fail => "fail",
        }
    }
}

// === impl Judgement ===

impl Judgement {
    fn new(verdict: Verdict, found: impl Into<String>, fix: Option<String>) -> Self {
        Self { verdict, found: found.into(), fix, evidence: Map::new(), silence: Silence::default() }
    }

    pub fn ok(found: impl Into<String>) -> Self {
        Self::new(Verdict::Ok, found, None)
    }

    pub fn warn(found: impl Into<String>, fix: impl Into<String>) -> Self {
        Self::new(Verdict::Warn, found, Some(fix.into()))
    }

    pub fn fail(found: impl Into<String>, fix: impl Into<String>) -> Self {
        Self::new(Verdict::Fail, found, Some(fix.into()))
    }

    pub fn skipped(why: impl Into<String>) -> Self {
        Self::new(Verdict::Skipped, why, None)
    }

    pub fn not_applicable(why: impl Into<String>) -> Self {
        Self { silence: Silence::NotApplicable, ..Self::skipped(why) }
    }

    pub fn unseen(why: impl Into<String>) -> Self {
        Self { silence: Silence::Unseen, ..Self::skipped(why) }
    }

    /// What it was seen by.
    pub fn by(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.evidence.insert(name.to_owned(), value.into());
        self
    }

    /// The worst one, and of several such the first.
    pub fn worst(all: impl IntoIterator<Item = Judgement>) -> Option<Judgement> {
        all.into_iter().reduce(|worst, one| if one.verdict > worst.verdict { one } else { worst })
    }

    pub fn is_finding(&self) -> bool {
        self.verdict >= Verdict::Warn
    }
}

// === impl Chart ===

impl Chart {
    /// The first word about a check stands: what explains others is told before them.
    pub fn tell(&mut self, id: &str, judgement: Judgement) {
        match check::named(id) {
            Some(check) if self.of(id).is_none() => self.findings.push(Finding { check, judgement }),
            known => debug_assert!(known.is_some(), "{id} is no check"),
        }
    }

    /// What is known better now.
    pub fn replace(&mut self, id: &str, judgement: Judgement) {
        self.findings.retain(|finding| finding.check.id != id);
        self.tell(id, judgement);
    }

    pub fn of(&self, id: &str) -> Option<&Judgement> {
        self.findings.iter().find(|finding| finding.check.id == id).map(|finding| &finding.judgement)
    }

    pub fn fails(&self, id: &str) -> bool {
        self.of(id).is_some_and(|judgement| judgement.verdict == Verdict::Fail)
    }

    /// The first of these that fails.
    pub fn cause(&self, ids: &[&'static str]) -> Option<&'static str> {
        ids.iter().copied().find(|id| self.fails(id))
    }

    /// Whatever has not been told is skipped for this reason.
    pub fn skip(&mut self, ids: &[&str], why: &str) {
        self.tell_all(ids, &Judgement::skipped(why));
    }

    /// The same of each.
    pub fn tell_all(&mut self, ids: &[&str], judgement: &Judgement) {
        for id in ids {
            self.tell(id, judgement.clone());
        }
    }

    /// In the order of the table: the wanted ones, and the others. A check that nobody spoke of is skipped.
    pub fn into_findings(mut self, is_wanted: impl Fn(&Check) -> bool) -> (Vec<Finding>, Vec<Finding>) {
        for check in check::ALL {
            let why = match check.in_browser {
                true => "--browser looks at it",
                false => "nothing was seen that it could be judged by",
            };
            self.tell(check.id, Judgement::skipped(why));
        }
        self.findings.sort_by_key(|finding| check::ALL.iter().position(|check| check.id == finding.check.id));
        self.findings.into_iter().partition(|finding| is_wanted(finding.check))
    }
}

// === impl Finding ===

impl Finding {
    pub fn json(&self) -> Value {
        let Judgement { verdict, found, fix, evidence, .. } = &self.judgement;
        json!({
            "check": self.check.id, "verdict": verdict.as_str(), "found": found, "fix": fix,
            "evidence": evidence, "doc": self.check.doc(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_word_stands_and_the_worst_look_counts() {
        let mut chart = Chart::default();
        chart.tell("tls", Judgement::fail("a", "b"));
        chart.tell("tls", Judgement::ok("c"));
        chart.skip(&["tls", "hsts"], "d");
        assert!(chart.fails("tls") && !chart.fails("hsts"));
        assert_eq!(chart.cause(&["hsts", "tls"]), Some("tls"));
        let (findings, others) = chart.into_findings(|check| check.id != "reachable");
        assert_eq!((findings.len(), others.len()), (check::ALL.len() - 1, 1));
        assert_eq!(findings.iter().filter(|finding| finding.judgement.is_finding()).count(), 1);
        let all = [Judgement::ok("x"), Judgement::warn("y", "f"), Judgement::warn("z", "f")];
        assert_eq!(Judgement::worst(all).unwrap().found, "y");
    }
}
