//! Documents that drift: every path of this repository that a page names in backticks must exist.

use std::collections::BTreeSet;

use super::{Finding, House};

/// A word with one of these ends is the name of a file even without a folder before it.
const ENDS: [&str; 12] =
    [".rs", ".toml", ".md", ".json", ".ts", ".tsx", ".py", ".sql", ".lock", ".yml", ".css", ".sh"];

pub fn paths(house: &House) -> Vec<Finding> {
    let known = Known::new(house);
    let mut findings = Vec::new();
    for page in house.files.iter().filter(|file| is_page(&file.path)) {
        let mut fenced = false;
        for (number, line) in page.text.lines().enumerate() {
            if line.trim_start().starts_with("```") {
                fenced = !fenced;
                continue;
            }
            if fenced {
                continue;
            }
            let folder = page.path.rsplit_once('/').map_or("", |(folder, _)| folder);
            let named = in_backticks(line).filter(|word| !known.accepts(word));
            let linked = in_links(line).filter(|link| !known.has_linked(folder, link));
            for missing in named.chain(linked) {
                let place = format!("{}:{}", page.path, number + 1);
                findings.push(Finding::new(place, format!("names `{missing}`, which does not exist")));
            }
        }
    }
    findings
}

fn is_page(path: &str) -> bool {
    let at_root = matches!(path, "README.md" | "ARCHITECTURE.md" | "CONTRIBUTING.md" | "SECURITY.md");
    at_root || (path.starts_with("docs/") && path.ends_with(".md"))
}

fn in_backticks(line: &str) -> impl Iterator<Item = &str> {
    line.split('`').skip(1).step_by(2)
}

/// Targets of `[text](target)` inside this repository, without the part after `#`.
fn in_links(line: &str) -> impl Iterator<Item = &str> {
    line.split("](").skip(1).filter_map(|rest| {
        let target = rest.split(')').next()?.split('#').next()?;
        (!target.is_empty() && !target.contains(':')).then_some(target)
    })
}

struct Known<'a> {
    /// Every file and every folder, without a slash at the end.
    paths: BTreeSet<&'a str>,
    roots: BTreeSet<&'a str>,
}

impl<'a> Known<'a> {
    fn new(house: &'a House) -> Known<'a> {
        let mut paths = BTreeSet::new();
        for file in &house.files {
            paths.insert(file.path.as_str());
            paths.extend(file.path.match_indices('/').map(|(at, _)| &file.path[..at]));
        }
        let roots = paths.iter().filter(|path| !path.contains('/')).copied().collect();
        Known { paths, roots }
    }

    /// True for an existing path, and for every word that is no path of this repository at all.
    fn accepts(&self, word: &str) -> bool {
        let word = word.strip_prefix("./").unwrap_or(word);
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '.' | '_' | '-');
        if word.is_empty() || word.starts_with('/') || !word.chars().all(plain) {
            return true;
        }
        let path = word.trim_end_matches('/');
        let below_a_root = path.split_once('/').is_some_and(|(root, _)| self.roots.contains(root));
        let file_name = ENDS.iter().any(|end| path.len() > end.len() && path.ends_with(end));
        if !below_a_root && !file_name {
            return true;
        }
        self.paths.contains(path)
            || (!below_a_root && self.paths.iter().any(|known| ends_with_path(known, path)))
    }

    fn has_linked(&self, folder: &str, link: &str) -> bool {
        let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
        for part in link.trim_end_matches('/').split('/') {
            match part {
                "." => {}
                ".." => drop(parts.pop()),
                part => parts.push(part),
            }
        }
        self.paths.contains(parts.join("/").as_str())
    }
}

fn ends_with_path(path: &str, end: &str) -> bool {
    path.strip_suffix(end).is_some_and(|rest| rest.is_empty() || rest.ends_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::tests::{house, places};

    fn check(line: &str, expected: usize) {
        let files = [
            ("Cargo.toml", ""),
            ("crates/server/src/routes/refresh.rs", ""),
            ("docs/decisions/one.md", ""),
            ("docs/page.md", line),
        ];
        assert_eq!(paths(&house(&files)).len(), expected, "{line}");
    }

    #[test]
    fn a_path_that_is_named_exists() {
        check("`Cargo.toml` `crates/server` `crates/server/src/` `refresh.rs` `routes/refresh.rs`", 0);
        check("`crates/server/src/gone.rs`", 1);
        check("`gone.rs` and `routes/gone.rs` and `efresh.rs`", 3);
        check("[here](decisions/one.md#why), [there](../Cargo.toml), [gone](decisions/two.md)", 1);
    }

    #[test]
    fn other_words_in_backticks_are_left_alone() {
        check(
            "`/api/v1/auth/refresh` `auth/login` `application/json` `cargo xtask run` `a::b` `.rs` `crates/*`",
            0,
        );
        check("[elsewhere](https://example.org/x.md) [below](#part)", 0);
        check("```\n`gone.rs`\n```", 0);
    }

    #[test]
    fn only_pages_are_read() {
        assert_eq!(paths(&house(&[("api/errors.md", "`gone.rs`"), ("docs/a.txt", "`gone.rs`")])), []);
        assert_eq!(places(&paths(&house(&[("README.md", "\n`gone.rs`")]))), ["README.md:2"]);
    }
}
