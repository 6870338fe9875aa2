//! How many tests passed and failed, read from what each test runner prints at its end.

use std::fmt;
use std::ops::AddAssign;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    pub passed: u64,
    pub failed: u64,
    /// Shown, never hidden: a test that did not run proves nothing.
    pub skipped: u64,
}

impl Tally {
    pub const FAILURE: Tally = Tally { passed: 0, failed: 1, skipped: 0 };
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Tally) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }
}

/// The last line of every full run; other programs read it, so its form is a promise.
impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed", self.passed, self.failed)
    }
}

/// The totals in a line of output, if it is one that holds totals.
pub type Reader = fn(&str) -> Option<Tally>;

/// The Rust tests: nextest's summary, or libtest's where nextest could not be had.
pub fn rust_tests(line: &str) -> Option<Tally> {
    nextest(line).or_else(|| libtest(line))
}

/// `     Summary [   0.008s] 3/9 tests run: 2 passed (1 slow), 1 timed out, 6 skipped`
fn nextest(line: &str) -> Option<Tally> {
    // The exact indentation, because a failing test's own output is shown with another one.
    let (_, totals) = line.strip_prefix("     Summary [")?.split_once("run:")?;
    Some(sum(&without_parentheses(totals), ','))
}

/// `test result: ok. 5 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.01s`
pub fn libtest(line: &str) -> Option<Tally> {
    let (_, totals) = line.strip_prefix("test result: ")?.split_once(". ")?;
    Some(sum(totals, ';'))
}

/// `      Tests  1 failed | 12 passed | 2 skipped (15)`
pub fn vitest(line: &str) -> Option<Tally> {
    let totals = line.strip_prefix("      Tests  ")?;
    Some(sum(&without_parentheses(totals), '|'))
}

/// One line for each outcome, as in `  12 passed (3.4s)`. A test that was flaky has failed once too often.
pub fn playwright(line: &str) -> Option<Tally> {
    let total = without_parentheses(line.strip_prefix("  ")?);
    let (count, what) = total.split_once(' ')?;
    let count = count.parse::<u64>().ok()?;
    let none = Tally::default();
    match what.trim() {
        "passed" => Some(Tally { passed: count, ..none }),
        "failed" | "flaky" | "interrupted" => Some(Tally { failed: count, ..none }),
        "skipped" | "did not run" => Some(Tally { skipped: count, ..none }),
        _ => None,
    }
}

/// `==== 1 failed, 33 passed, 2 skipped in 17.94s ====`
pub fn pytest(line: &str) -> Option<Tally> {
    let (totals, time) = line.strip_prefix("==")?.trim_matches('=').trim().rsplit_once(" in ")?;
    time.starts_with(|c: char| c.is_ascii_digit()).then(|| sum(totals, ','))
}

/// `conformance: 169 passed, 0 failed`
pub fn conformance(line: &str) -> Option<Tally> {
    Some(sum(line.strip_prefix("conformance: ")?, ','))
}

fn sum(totals: &str, separator: char) -> Tally {
    let mut tally = Tally::default();
    for part in totals.split(separator) {
        let Some((count, what)) = part.trim().split_once(' ') else { continue };
        let Ok(count) = count.parse::<u64>() else { continue };
        match what.trim() {
            "passed" => tally.passed += count,
            "failed" | "timed out" | "exec failed" | "error" | "errors" => tally.failed += count,
            "skipped" | "ignored" | "todo" => tally.skipped += count,
            _ => {}
        }
    }
    tally
}

fn without_parentheses(text: &str) -> String {
    let mut depth = 0_u32;
    let mut kept = String::new();
    for c in text.chars() {
        match c {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            c if depth == 0 => kept.push(c),
            _ => {}
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &str, passed: u64, failed: u64, skipped: u64) {
        assert_eq!(rust_tests(line), Some(Tally { passed, failed, skipped }), "{line}");
    }

    #[test]
    fn every_form_of_a_nextest_summary_is_counted() {
        check("     Summary [   0.008s] 1 test run: 1 passed, 0 skipped", 1, 0, 0);
        check("     Summary [  12.345s] 240 tests run: 238 passed (3 slow, 1 leaky), 2 skipped", 238, 0, 2);
        check(
            "     Summary [   0.1s] 3/9 tests run: 1 passed, 1 failed (1 due to leak), 1 timed out",
            1,
            2,
            0,
        );
        check("     Summary [   0.1s] 2 tests run: 0 passed, 2 exec failed, 7 skipped", 0, 2, 7);
    }

    #[test]
    fn every_form_of_a_libtest_summary_is_counted() {
        check(
            "test result: ok. 5 passed; 0 failed; 1 ignored; 0 measured; 2 filtered out; finished in 0.01s",
            5,
            0,
            1,
        );
        check("test result: FAILED. 3 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out", 3, 2, 0);
    }

    #[test]
    fn every_form_of_a_vitest_summary_is_counted() {
        let check = |line, passed, failed, skipped| {
            assert_eq!(vitest(line), Some(Tally { passed, failed, skipped }), "{line}");
        };
        check("      Tests  12 passed (12)", 12, 0, 0);
        check("      Tests  1 failed | 9 passed | 2 skipped | 1 todo (13)", 9, 1, 3);
        check("      Tests  no tests", 0, 0, 0);
        assert_eq!(vitest(" Test Files  1 failed | 2 passed (3)"), None);
        assert_eq!(vitest("Tests  12 passed"), None);
    }

    #[test]
    fn every_form_of_a_pytest_summary_is_counted() {
        let check = |line, passed, failed, skipped| {
            assert_eq!(pytest(line), Some(Tally { passed, failed, skipped }), "{line}");
        };
        check("======== 233 passed in 75.97s (0:01:15) ========", 233, 0, 0);
        check("=== 1 failed, 9 passed, 2 skipped, 3 deselected, 1 warning, 2 errors in 1.20s ===", 9, 3, 2);
        check("============ 233 deselected in 0.84s ============", 0, 0, 0);
        check("=============== 1 error in 0.30s ================", 0, 1, 0);
        for line in
            ["=== short test summary info ===", "== python: found in 3", "3 passed in 1s", "== a in b =="]
        {
            assert_eq!(
                pytest(line).map(|tally| tally.passed + tally.failed).unwrap_or_default(),
                0,
                "{line}"
            );
        }
    }

    #[test]
    fn every_line_of_a_playwright_summary_is_counted() {
        let check = |line, passed, failed, skipped| {
            assert_eq!(playwright(line), Some(Tally { passed, failed, skipped }), "{line}");
        };
        check("  80 passed (2.1m)", 80, 0, 0);
        check("  2 failed", 0, 2, 0);
        check("  1 flaky", 0, 1, 0);
        check("  1 interrupted", 0, 1, 0);
        check("  3 skipped", 0, 0, 3);
        check("  4 did not run", 0, 0, 4);
        for line in
            ["  1) a.spec.ts:2:44 › f", "    a.spec.ts:2", "80 passed", "  ✓  1 a.spec.ts › x (5ms)", "  80"]
        {
            assert_eq!(playwright(line), None, "{line}");
        }
    }

    #[test]
    fn other_lines_are_not_counted() {
        for line in [
            "",
            "Summary",
            "    Summary [ 1s] 9 tests run: 9 passed",
            "9 passed, 0 failed",
            "    test result: ok. 5 passed",
        ] {
            assert_eq!(rust_tests(line), None, "{line}");
        }
    }

    #[test]
    fn the_last_line_of_conformance_is_counted() {
        let counted = conformance("conformance: 194 passed, 2 failed");
        assert_eq!(counted, Some(Tally { passed: 194, failed: 2, skipped: 0 }));
        assert_eq!(conformance("report: conformance: 1 passed"), None);
    }

    #[test]
    fn the_last_line_has_the_promised_form() {
        assert_eq!(Tally { passed: 12, failed: 0, skipped: 3 }.to_string(), "12 passed, 0 failed");
    }
}
