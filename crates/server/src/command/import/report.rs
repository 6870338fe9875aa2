//! What is said of an import.

use std::time::Duration;

use serde_json::{Value, json};

use crate::command::{Failure, Global, Outcome, print, shown};

/// Lines that are printed of each kind, and those that `--json` gives.
const PRINTED_MAX: usize = 100;
const KEPT_MAX: usize = 10_000;

#[derive(Default)]
pub struct Report {
    pub read: u64,
    pub created: u64,
    pub known: u64,
    /// Of those who came before: who is not active there any more, and has been disabled here.
    pub deactivated: u64,
    /// Of those who came before: whom an import had disabled, and has enabled because they are active there again.
    pub reactivated: u64,
    /// Of those created: who may not sign in, who has no password, whose name is not what it was there, and since when
    /// they are here because nobody can read since when they were there.
    pub disabled: u64,
    pub without_password: u64,
    pub renamed: u64,
    pub undated: u64,
    /// Of all that could be read.
    pub staff: u64,
    pub superusers: u64,
    /// Who is active because nothing there says whether they are.
    pub unflagged: u64,
    pub collisions: u64,
    pub bad: u64,
    /// Refresh tokens that were ended there and have not expired; none if nobody can tell.
    pub blacklisted: Option<u64>,
    /// Rows of the blacklist that do not say what they are of.
    pub unreadable_tokens: u64,
    /// Who was left out.
    pub refused: Lines,
    /// Who came before, and is not here as they are there.
    pub doubtful: Lines,
    /// Who came before, may sign in here, and is not there any more, or in a row that cannot be used.
    pub gone: Lines,
    /// What else there is to know, of which nothing has to come.
    pub notes: Vec<String>,
    /// What else is to be looked at.
    pub findings: Vec<String>,
}

/// People, and what is to be said of each.
#[derive(Default)]
pub struct Lines {
    pub count: u64,
    kept: Vec<(String, String)>,
}

impl Lines {
    pub fn add(&mut self, key: String, cause: String) {
        self.count += 1;
        if self.kept.len() < KEPT_MAX {
            self.kept.push((key, cause));
        }
    }

    fn print(&self, what: &str) {
        for (key, cause) in self.kept.iter().take(PRINTED_MAX) {
            println!("{what} {}: {}", shown(key), shown(cause));
        }
        if self.kept.len() > PRINTED_MAX {
            println!("and {} more; --json lists {KEPT_MAX}", self.count - PRINTED_MAX as u64);
        }
    }

    fn as_json(&self) -> Value {
        self.kept.iter().map(|(key, cause)| json!({ "key": key, "cause": cause })).collect()
    }
}

impl Report {
    pub fn say(&self, global: &Global, is_dry: bool, took: Duration) {
        print(global, &self.as_json(is_dry, took), || {
            println!("{:>9} users read", self.read);
            let lines = [
                (self.created, if is_dry { "would be taken over" } else { "taken over" }),
                (self.disabled, "  of them not active, and disabled here"),
                (self.without_password, "  of them without a password to sign in with"),
                (self.renamed, "  of them with a name that is not taken here, and called by their address"),
                (self.undated, "  of them with a date that cannot be read, and here since today"),
                (self.known, "had come before"),
                (self.deactivated, "  of them not active there any more, and disabled here now"),
                (self.reactivated, "  of them active there again, and enabled here now"),
                (self.doubtful.count, "  of them not here as they are there; see below"),
                (self.gone.count, "came before and are not there any more; see below"),
                (self.collisions, "left out: the address is somebody else's"),
                (self.bad, "left out: the row cannot be used"),
                (self.unflagged, "count as active: there is no column `is_active` (see --column)"),
                (self.staff, "are staff there (see --staff-role)"),
                (self.superusers, "are superusers there (see --superuser-role)"),
                (
                    self.blacklisted.unwrap_or(0),
                    "refresh tokens that are blacklisted there, and traded for nothing here",
                ),
            ];
            lines
                .iter()
                .filter(|(count, _)| *count > 0)
                .for_each(|(count, what)| println!("{count:>9} {what}"));
            self.refused.print("left out");
            self.doubtful.print("to look at");
            self.gone.print("gone");
            self.notes.iter().for_each(|note| println!("note: {note}"));
            println!("{:.1} s{}", took.as_secs_f64(), if is_dry { "; nothing was changed" } else { "" });
        });
    }

    /// What somebody has to know who hears of nothing else.
    pub fn outcome(&self) -> Outcome {
        let mut findings = self.findings.clone();
        if self.refused.count > 0 {
            findings.push(format!(
                "{} of {} could not be taken over; mend them there and give the same order again",
                self.refused.count, self.read
            ));
        }
        if self.doubtful.count > 0 {
            findings.push(format!(
                "{} who came before are not here as they are there; it is for you to decide",
                self.doubtful.count
            ));
        }
        if findings.is_empty() { Ok(()) } else { Err(Failure::Finding(findings.join("\n"))) }
    }

    fn as_json(&self, is_dry: bool, took: Duration) -> Value {
        json!({
            "dry_run": is_dry, "read": self.read, "created": self.created, "known": self.known,
            "deactivated": self.deactivated, "reactivated": self.reactivated, "disabled": self.disabled, "without_password": self.without_password,
            "renamed": self.renamed, "undated": self.undated, "unflagged": self.unflagged,
            "collisions": self.collisions, "bad": self.bad, "staff": self.staff, "superusers": self.superusers,
            "blacklisted": self.blacklisted, "unreadable_tokens": self.unreadable_tokens, "refused": self.refused.as_json(), "doubtful": self.doubtful.as_json(),
            "gone": self.gone.as_json(), "notes": self.notes, "findings": self.findings, "seconds": took.as_secs_f64(),
        })
    }
}
