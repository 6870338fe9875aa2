//! What failed, told once more at the end: whoever sees only the last page of a long log still learns the names.

/// As many lines of each kind are repeated. A suite that is broken as a whole needs no more to be seen as such.
const LINES: usize = 60;

/// So many lines from a panic on are its message: the place is on its own line, and the values that differ follow.
const MESSAGE: usize = 5;

/// What a suite printed that names a failure, and what it printed that says why; the latter can be noise of a test
/// that passed, so it never takes the place of a name.
#[derive(Debug, Default)]
pub struct Recap {
    names: Vec<String>,
    reasons: Vec<String>,
    /// How many of the next lines belong to a message that has begun.
    open: usize,
}

impl Recap {
    pub fn hear(&mut self, line: &str) {
        if says_why(line) {
            self.open = MESSAGE;
        }
        if names_a_failure(line) {
            keep(&mut self.names, line);
        } else if self.open > 0 {
            keep(&mut self.reasons, line);
        }
        self.open = self.open.saturating_sub(1);
    }

    /// The reasons first: the last page of a log ends with its last lines.
    pub fn lines(&self) -> impl Iterator<Item = &str> {
        self.reasons.iter().chain(&self.names).map(String::as_str)
    }
}

/// Runners tell a failure when it happens and again at their end; once is enough here.
fn keep(lines: &mut Vec<String>, line: &str) {
    if !line.is_empty() && lines.len() < LINES && !lines.iter().any(|had| had == line) {
        lines.push(line.to_owned());
    }
}

/// One form for each runner: nextest, libtest, Vitest, pytest, Playwright, conformance.
fn names_a_failure(line: &str) -> bool {
    let line = line.trim_start();
    let numbered = line.split_once(") ").is_some_and(|(number, rest)| {
        number.bytes().all(|byte| byte.is_ascii_digit()) && rest.starts_with('[') && rest.contains('›')
    });
    let starts =
        ["FAIL ", "FAILED ", "TIMEOUT ", "ERROR ", "SIGABRT ", "SIGKILL ", "SIGSEGV ", "SIGTERM ", "WRONG "];
    let libtest = line.starts_with("test ") && line.ends_with("... FAILED");
    numbered || libtest || starts.iter().any(|start| line.starts_with(start))
}

fn says_why(line: &str) -> bool {
    let line = line.trim_start();
    line.contains("' panicked at ")
        || line.contains(") panicked at ")
        || line.starts_with("AssertionError:")
        || line.starts_with("Error: ")
        || line.starts_with("E   ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recap(output: &str) -> Vec<String> {
        let mut recap = Recap::default();
        output.lines().for_each(|line| recap.hear(line));
        recap.lines().map(str::to_owned).collect()
    }

    #[test]
    fn a_failure_is_named_whatever_the_runner() {
        for line in [
            "        FAIL [   0.008s] (3/9) tenure-server::it routes::refresh::ten_tabs",
            "     SIGTERM [ 41.304s] (3/9) tenure-store::contract refresh::ten_tabs",
            "     TIMEOUT [ 60.008s] (3/9) tenure-server::it routes::refresh::ten_tabs",
            "test refresh::ten_tabs ... FAILED",
            " FAIL  |@tenure/client| src/engine.test.ts > engine > refreshes once",
            "FAILED tests/test_views.py::test_me - assert 401 == 200",
            "ERROR tests/test_views.py::test_me",
            "  1) [chromium] › specs/console.spec.ts:12:1 › the console",
            "WRONG C19-1: the API says 401 (0.2 s)",
        ] {
            assert_eq!(recap(line), [line], "{line}");
        }
        let others = "ok    C19-1: fine\n        PASS [   0.1s] (1/9) a b\n  ✓  1 [chromium] › a.spec.ts › x";
        assert!(recap(others).is_empty());
    }

    #[test]
    fn the_message_of_a_panic_comes_along_and_nothing_is_told_twice() {
        let heard = recap(
            "noise\n    thread 'a::b' (7) panicked at src/a.rs:3:5:\n    left is not right\n      left: 1\n     \
             right: 2\n    note: run\n    more\nnoise\n        FAIL [ 1s] a b\n        FAIL [ 1s] a b",
        );
        let first = "    thread 'a::b' (7) panicked at src/a.rs:3:5:";
        assert_eq!((heard.len(), heard[0].as_str(), heard[5].as_str()), (6, first, "        FAIL [ 1s] a b"));
    }

    #[test]
    fn a_suite_that_is_broken_as_a_whole_is_not_told_line_by_line() {
        let flood: String = (0..200).map(|n| format!("FAILED tests/test_{n}.py\n")).collect();
        assert_eq!(recap(&flood).len(), LINES);
    }
}
