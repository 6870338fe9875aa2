//! Migrations, as far as they are the same for every database: numbered steps, each in two versions of SQL.
//!
//! A step *expands* (adds what the version before does not look at) or *contracts* (takes away what no version
//! that may still run looks at), never both. So the version before keeps working during an upgrade, and after
//! the way back from one. What a database has become too new for, each step says itself and the database
//! remembers: `needs` is the newest step that a program must know to work on it from then on.

use tenure_domain::time::Timestamp;

use crate::{Result, StoreError};

/// A step of the schema, as embedded in this program.
pub(crate) struct Step {
    pub number: u32,
    pub name: &'static str,
    /// The newest step that a program must know to work on a database that has had this one.
    pub needs: u32,
    pub sql: &'static str,
}

/// A migration this program knows, and when the database got it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Migration {
    pub number: u32,
    pub name: String,
    /// The newest step that a program must know to work on the database after this one. Less than `number`:
    /// the version before goes on working.
    pub needs: u32,
    /// None: not yet.
    pub applied_at: Option<Timestamp>,
    /// What it does, or did.
    pub sql: &'static str,
}

/// What a database remembers of a step.
pub(crate) struct Applied {
    pub number: u32,
    /// None in databases of versions that did not write it down.
    pub needs: Option<u32>,
    pub at: Timestamp,
}

/// What this program knows, with what the database has had. Refuses a database that has become too new for
/// this program, which would not know what it is writing into.
pub(crate) fn judge(steps: &[Step], applied: &[Applied]) -> Result<Vec<Migration>> {
    let newest_known = steps.last().map_or(0, |step| step.number);
    let unknown = applied.iter().filter(|applied| applied.number > newest_known);
    let needed = unknown.map(|applied| (applied.needs.unwrap_or(applied.number), applied.number)).max();
    if let Some((needs, number)) = needed
        && needs > newest_known
    {
        return Err(StoreError::Corrupt {
            what: "schema",
            cause: format!(
                "the database is at migration {number}, which needs a program that knows migration {needs}, and \
                 this one knows only up to {newest_known}; start the version that made it, or a newer one"
            ),
        });
    }
    let of = |step: &Step| Migration {
        number: step.number,
        name: step.name.to_owned(),
        needs: step.needs,
        applied_at: applied.iter().find(|applied| applied.number == step.number).map(|applied| applied.at),
        sql: step.sql,
    };
    Ok(steps.iter().map(of).collect())
}

/// Those that the database has not had.
pub(crate) fn missing(all: Vec<Migration>) -> Vec<Migration> {
    all.into_iter().filter(|migration| migration.applied_at.is_none()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const STEPS: [Step; 2] = [
        Step { number: 1, name: "first", needs: 1, sql: "" },
        Step { number: 2, name: "second", needs: 1, sql: "" },
    ];

    fn applied(number: u32, needs: Option<u32>) -> Applied {
        Applied { number, needs, at: Timestamp::from_ms(7) }
    }

    #[test]
    fn a_database_ahead_is_refused_only_by_those_it_has_become_too_new_for() {
        let known = [applied(1, Some(1)), applied(2, Some(1))];
        let ahead = |needs| judge(&STEPS, &[applied(1, Some(1)), applied(2, Some(1)), applied(3, needs)]);
        assert_eq!(judge(&STEPS, &known).unwrap().len(), 2);
        assert_eq!(ahead(Some(1)).unwrap().len(), 2);
        assert_eq!(ahead(Some(2)).unwrap().len(), 2);
        assert!(ahead(Some(3)).is_err());
        assert!(ahead(None).is_err());
    }

    #[test]
    fn what_is_missing_is_what_has_no_time() {
        let all = judge(&STEPS, &[applied(1, None)]).unwrap();
        let numbers: Vec<_> = missing(all).iter().map(|migration| migration.number).collect();
        assert_eq!(numbers, [2]);
    }
}
