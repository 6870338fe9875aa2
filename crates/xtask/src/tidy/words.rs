//! Words that may not stand in a committed file: promises without an address, and the machine of whoever wrote them.

use super::{File, Finding, House, rust};

/// A `TODO` names its category and its issue, as in `TODO-security #12`, or it is not merged.
pub fn unfinished(house: &House) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in house.sources() {
        let comments =
            if file.path.ends_with(".rs") { rust::mask(&file.text).comments } else { file.text.clone() };
        for (number, line) in comments.lines().enumerate() {
            let bare = bare_todo(line).then_some("TODO without a category and an issue (TODO-security #12)");
            let other = ["FIXME", "XXX"].iter().any(|word| has_word(line, word));
            if let Some(what) = bare.or(other.then_some("write it as TODO with a category and an issue")) {
                findings.push(at(file, number, what));
            }
        }
    }
    findings
}

fn bare_todo(line: &str) -> bool {
    line.match_indices("TODO").any(|(start, _)| {
        let rest = &line[start + "TODO".len()..];
        // In backticks it is the word that is talked about, as in this file.
        let starts_word = !line[..start].ends_with(|c: char| c.is_alphanumeric() || matches!(c, '_' | '`'));
        let ends_word = !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_');
        starts_word && ends_word && !has_address(rest)
    })
}

/// `-category #number`, directly after the word.
fn has_address(rest: &str) -> bool {
    let Some((category, issue)) = rest.strip_prefix('-').and_then(|rest| rest.split_once(" #")) else {
        return false;
    };
    let is_category = !category.is_empty() && category.chars().all(|c| c.is_ascii_lowercase());
    is_category && issue.starts_with(|c: char| c.is_ascii_digit())
}

fn has_word(line: &str, word: &str) -> bool {
    line.split(|c: char| !c.is_alphanumeric() && c != '_').any(|found| found == word)
}

/// Written in two parts, so that this file may stand in the repository it guards.
const MACHINE_PATHS: [&str; 5] = [
    concat!("/wo", "rk/"),
    concat!("/ro", "ot/"),
    concat!("/ho", "me/"),
    concat!("/Us", "ers/"),
    concat!("/tmp/ta", "rget"),
];

/// Where packages come from is the business of the machine, not of the repository.
const REGISTRY_SETTINGS: [&str; 5] =
    ["[source.", "replace-with", "index-url", "find-links", concat!("registry ", "=")];

const PUBLIC_CRATES: &str = "source = \"registry+https://github.com/rust-lang/crates.io-index\"";

pub fn machine(house: &House) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in &house.files {
        let lock = file.path.rsplit('/').next() == Some("Cargo.lock");
        let npm_lock = file.path.rsplit('/').next() == Some("package-lock.json");
        let settings = is_settings(&file.path);
        for (number, line) in file.text.lines().enumerate() {
            if let Some(path) = MACHINE_PATHS.iter().find(|path| stands_alone(line, path)) {
                findings.push(at(file, number, format!("names a path of one machine ({path})")));
            }
            if lock && line.starts_with("source = ") && !line.starts_with(PUBLIC_CRATES) {
                findings.push(at(file, number, "locked to a host that is not the public registry"));
            }
            if npm_lock && line.contains("\"resolved\": \"") && line.contains("://") {
                findings.push(at(file, number, "locked to a host; the settings in .npmrc leave hosts out"));
            }
            let line = line.trim_start().replace("registry=", "registry =");
            if settings && REGISTRY_SETTINGS.iter().any(|setting| line.starts_with(setting)) {
                findings.push(at(file, number, "names a registry of one machine"));
            }
        }
    }
    findings
}

/// True where the path begins, rather than being a part of a longer one or of an address.
fn stands_alone(line: &str, path: &str) -> bool {
    let part = |c: char| c.is_alphanumeric() || matches!(c, '.' | '_' | '-' | '}' | '~');
    line.match_indices(path).any(|(start, _)| !line[..start].ends_with(part))
}

fn is_settings(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    path.ends_with(".cargo/config.toml")
        || matches!(name, "Cargo.toml" | ".npmrc" | "pip.conf" | "pyproject.toml")
        || name.starts_with("requirements")
}

fn at(file: &File, number: usize, what: impl Into<String>) -> Finding {
    Finding::new(format!("{}:{}", file.path, number + 1), what)
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use crate::tidy::tests::{house, places};

    pub const MACHINE_PATH: &str = concat!("/wo", "rk/here");

    #[test]
    fn a_todo_has_an_address() {
        let check = |comment: &str| unfinished(&house(&[("a.rs", &format!("// {comment}\n"))])).len();
        for bare in [
            "TODO",
            "TODO: later",
            "TODO(me)",
            "TODO-security",
            "TODO-security 12",
            "TODO-Security #12",
            "a FIXME",
            "XXX",
        ] {
            assert_eq!(check(bare), 1, "{bare}");
        }
        for fine in ["TODO-security #12: rotate", "the word `TODO`", "a TODOLIST", "XXXL", "nothing"] {
            assert_eq!(check(fine), 0, "{fine}");
        }
        assert_eq!(unfinished(&house(&[("a.rs", "let text = \"TODO\";\n"), ("b.md", "TODO\n")])), []);
        assert_eq!(places(&unfinished(&house(&[("a.sql", "select 1;\n-- TODO\n")]))), ["a.sql:2"]);
    }

    #[test]
    fn paths_of_one_machine_are_found_wherever_they_begin() {
        let check = |line: &str| machine(&house(&[("a.md", line)])).len();
        for path in MACHINE_PATHS {
            assert_eq!(check(&format!("see {path}x")), 1, "{path}");
            assert_eq!(check(&format!("dir=\"{path}x\"")), 1, "{path}");
            assert_eq!(check(&format!("https://example.org{path}x")), 0, "{path}");
            assert_eq!(check(&format!("crates{path}x")), 0, "{path}");
        }
    }

    #[test]
    fn lock_files_name_the_public_registry_or_none() {
        let public = "source = \"registry+https://github.com/rust-lang/crates.io-index\"\n";
        let mirror = "source = \"registry+https://mirror.example/index\"\n";
        assert_eq!(machine(&house(&[("Cargo.lock", public)])), []);
        assert_eq!(places(&machine(&house(&[("Cargo.lock", mirror)]))), ["Cargo.lock:1"]);
        let npm = "  \"resolved\": \"web/client\",\n  \"resolved\": \"https://mirror.example/a.tgz\",\n";
        assert_eq!(places(&machine(&house(&[("package-lock.json", npm)]))), ["package-lock.json:2"]);
        let settings = "[source.crates-io]\nreplace-with = \"mirror\"\n";
        assert_eq!(machine(&house(&[(".cargo/config.toml", settings), ("a.md", settings)])).len(), 2);
        assert_eq!(machine(&house(&[(".npmrc", "registry=http://mirror.example\n")])).len(), 1);
    }
}
