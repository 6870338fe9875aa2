//! Files and functions a head can hold. Every disaster of size began as one more case.

use super::{File, Finding, House, rust};

const FILE_LINES: usize = 600;
const FILE_LINES_WISHED: usize = 400;
const FUNCTION_LINES: usize = 120;

/// What may be larger, by name and by how many lines. A list may only get shorter and its numbers only smaller:
/// one that has grown is a finding, and so is one that has become smaller than its number says.
type Exceptions = &'static [(&'static str, usize)];

const FILE_EXCEPTIONS: Exceptions = &[];

const FUNCTION_EXCEPTIONS: Exceptions = &[];

struct Measure {
    name: String,
    place: String,
    lines: usize,
}

pub fn files(house: &House) -> Vec<Finding> {
    let measure =
        |file: &File| Measure { name: file.path.clone(), place: file.path.clone(), lines: lines(file) };
    judge(&house.sources().map(measure).collect::<Vec<_>>(), FILE_LINES, FILE_EXCEPTIONS)
}

pub fn functions(house: &House) -> Vec<Finding> {
    let mut measures = Vec::new();
    for file in house.sources().filter(|file| file.path.ends_with(".rs")) {
        for function in rust::functions(&rust::mask(&file.text).code) {
            measures.push(Measure {
                name: format!("{}::{}", file.path, function.name),
                place: format!("{}:{}", file.path, function.line),
                lines: function.lines,
            });
        }
    }
    judge(&measures, FUNCTION_LINES, FUNCTION_EXCEPTIONS)
}

/// Not an error yet; the right moment to think about where it will be split.
pub fn wishes(house: &House) -> Vec<Finding> {
    let long = |file: &&File| (FILE_LINES_WISHED + 1..=FILE_LINES).contains(&lines(file));
    let wish = |file: &File| {
        Finding::new(&file.path, format!("at most {FILE_LINES_WISHED} lines; it has {}", lines(file)))
    };
    house.sources().filter(long).map(wish).collect()
}

fn lines(file: &File) -> usize {
    file.text.lines().count()
}

fn judge(measures: &[Measure], limit: usize, exceptions: &[(&str, usize)]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for Measure { name, place, lines } in measures {
        let allowed = exceptions.iter().find(|(exception, _)| exception == name).map(|(_, allowed)| *allowed);
        match allowed {
            None if *lines > limit => findings.push(Finding::new(
                place,
                format!("{lines} lines, and {limit} are the limit: split it by what it does"),
            )),
            Some(allowed) if *lines > allowed => {
                findings.push(Finding::new(
                    place,
                    format!("{lines} lines: it outgrew its exception of {allowed}"),
                ));
            }
            _ => {}
        }
    }
    for (name, allowed) in exceptions {
        // Several functions of a file may share a name; the exception is the longest one's.
        let longest =
            measures.iter().filter(|measure| measure.name == *name).map(|measure| measure.lines).max();
        match longest.unwrap_or_default() {
            lines if lines <= limit => {
                findings.push(Finding::new(*name, "needs no exception any more; remove it"))
            }
            lines if lines < *allowed => {
                findings.push(Finding::new(*name, format!("lower its exception from {allowed} to {lines}")));
            }
            _ => {}
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::tests::{house, places};

    /// What an empty house would say about exceptions is not what these tests are about.
    fn measured(findings: &[Finding]) -> Vec<&str> {
        places(findings).into_iter().filter(|place| !place.contains("problem.rs")).collect()
    }

    #[test]
    fn files_are_measured_to_the_line() {
        let (limit, over) = ("x\n".repeat(600), "x\n".repeat(601));
        let house = house(&[("a.rs", &limit), ("b.rs", &over), ("c.gen.ts", &over), ("d.md", &over)]);
        assert_eq!(measured(&files(&house)), ["b.rs"]);
        assert_eq!(places(&wishes(&house)), ["a.rs"]);
    }

    #[test]
    fn functions_are_measured_to_the_line() {
        let function = |lines: usize| format!("\nfn f() {{{}}}\n", "\n".repeat(lines - 1));
        let house = house(&[("a.rs", &function(120)), ("b.rs", &function(121))]);
        assert_eq!(measured(&functions(&house)), ["b.rs:2"]);
    }

    #[test]
    fn exceptions_may_only_shrink() {
        let named = |name: &str, lines| Measure { name: name.to_owned(), place: name.to_owned(), lines };
        let speaks = |lines| !judge(&[named("a", lines), named("a", 3)], 600, &[("a", 700)]).is_empty();
        assert!(!speaks(700), "as large as allowed");
        assert!(speaks(701), "it has grown");
        assert!(speaks(699), "the number must follow");
        assert!(speaks(600), "the exception must go");
        assert!(!judge(&[], 600, &[("gone", 700)]).is_empty(), "and so must that of a place that is gone");
    }
}
