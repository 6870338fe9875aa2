//! Files and functions a head can hold. Every disaster of size began as one more case.

use super::{File, Finding, House, rust};

const FILE_LINES: usize = 600;
const FILE_LINES_WISHED: usize = 400;
const FUNCTION_LINES: usize = 120;

/// What may be larger, by place and by how much. This list may only get shorter and its numbers only smaller:
/// a place that has become smaller than its number says is a finding, and so is one that has grown.
const EXCEPTIONS: &[(&str, usize)] = &[];

pub fn files(house: &House) -> Vec<Finding> {
    house
        .sources()
        .filter_map(|file| judge(EXCEPTIONS, &file.path, &file.path, lines(file), FILE_LINES))
        .collect()
}

pub fn functions(house: &House) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in house.sources().filter(|file| file.path.ends_with(".rs")) {
        for function in rust::functions(&rust::mask(&file.text).code) {
            let name = format!("{}::{}", file.path, function.name);
            let place = format!("{}:{}", file.path, function.line);
            findings.extend(judge(EXCEPTIONS, &name, &place, function.lines, FUNCTION_LINES));
        }
    }
    findings
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

fn judge(
    exceptions: &[(&str, usize)],
    name: &str,
    place: &str,
    lines: usize,
    limit: usize,
) -> Option<Finding> {
    let allowed = exceptions.iter().find(|(exception, _)| *exception == name).map(|(_, allowed)| *allowed);
    let advice = match allowed {
        None if lines > limit => {
            format!("{lines} lines, and {limit} are the limit: split it by what it does")
        }
        Some(allowed) if lines > allowed => {
            format!("{lines} lines: it has grown beyond its exception of {allowed}")
        }
        Some(_) if lines <= limit => format!("{lines} lines: it needs no exception any more; remove it"),
        Some(allowed) if lines < allowed => format!("{lines} lines: lower its exception from {allowed}"),
        _ => return None,
    };
    Some(Finding::new(place, advice))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::tests::{house, places};

    #[test]
    fn files_are_measured_to_the_line() {
        let (limit, over) = ("x\n".repeat(600), "x\n".repeat(601));
        let house = house(&[("a.rs", &limit), ("b.rs", &over), ("c.gen.ts", &over), ("d.md", &over)]);
        assert_eq!(places(&files(&house)), ["b.rs"]);
        assert_eq!(places(&wishes(&house)), ["a.rs"]);
    }

    #[test]
    fn functions_are_measured_to_the_line() {
        let function = |lines: usize| format!("\nfn f() {{{}}}\n", "\n".repeat(lines - 1));
        let house = house(&[("a.rs", &function(120)), ("b.rs", &function(121))]);
        assert_eq!(places(&functions(&house)), ["b.rs:2"]);
    }

    #[test]
    fn exceptions_may_only_shrink() {
        let speaks = |lines| judge(&[("a.rs", 700)], "a.rs", "a.rs", lines, 600).is_some();
        assert!(!speaks(700), "as large as allowed");
        assert!(speaks(701), "it has grown");
        assert!(speaks(699), "the number must follow");
        assert!(speaks(600), "the exception must go");
    }
}
