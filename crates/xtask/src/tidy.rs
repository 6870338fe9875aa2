//! `cargo xtask tidy`: the rules of this house that no compiler checks.
//!
//! A guard is a pure function from the [`House`] to its findings, so each one is tested on a small house that
//! breaks its rule, and `every_guard_stands` fails when a guard is taken off the list below.

mod crates;
mod dependencies;
mod docs;
mod licence;
mod npm;
mod rust;
mod size;
mod words;

use std::fmt;
use std::fs;
use std::process::ExitCode;

use serde_json::Value;

use crate::Result;
use crate::repo::Repo;

const GUARDS: [Guard; 12] = [
    size::files,
    size::functions,
    crates::arrows,
    crates::roots,
    crates::rooms,
    words::unfinished,
    words::machine,
    docs::paths,
    dependencies::licences,
    dependencies::reasons,
    npm::reasons,
    npm::pins,
];

type Guard = fn(&House) -> Vec<Finding>;

/// Everything a guard may look at: the text of the files, and what cargo knows about the crates.
pub struct House {
    pub files: Vec<File>,
    /// `cargo metadata`, as it is.
    pub cargo: Value,
}

pub struct File {
    /// From the root, with forward slashes.
    pub path: String,
    pub text: String,
}

#[derive(Debug, PartialEq, Eq)]
pub struct Finding {
    pub place: String,
    pub what: String,
}

impl Finding {
    pub fn new(place: impl Into<String>, what: impl Into<String>) -> Finding {
        Finding { place: place.into(), what: what.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.what)
    }
}

impl House {
    fn read(repo: &Repo) -> Result<House> {
        let mut files = Vec::new();
        for path in repo.files()? {
            // Pictures have no lines, and a file that was just removed has none either.
            if let Ok(text) = fs::read_to_string(repo.path(&path)) {
                files.push(File { path, text });
            }
        }
        Ok(House { files, cargo: repo.metadata(&[])? })
    }

    pub fn text(&self, path: &str) -> Option<&str> {
        self.files.iter().find(|file| file.path == path).map(|file| file.text.as_str())
    }

    /// Source that people write. What a program writes is checked by `cargo xtask gen --check`.
    pub fn sources(&self) -> impl Iterator<Item = &File> {
        const WRITTEN: [&str; 10] =
            [".rs", ".ts", ".tsx", ".js", ".html", ".py", ".sql", ".css", ".sh", ".ci/run"];
        self.files
            .iter()
            .filter(|file| WRITTEN.iter().any(|end| file.path.ends_with(end)) && !file.path.contains(".gen."))
    }
}

pub fn tidy(repo: &Repo) -> Result<ExitCode> {
    check(repo)?;
    println!("tidy");
    Ok(ExitCode::SUCCESS)
}

pub fn check(repo: &Repo) -> Result {
    let house = House::read(repo)?;
    for wish in size::wishes(&house).into_iter().chain(dependencies::duplicates(&house)) {
        println!("wished for: {wish}");
    }
    let findings = findings(&house);
    if findings.is_empty() {
        return Ok(());
    }
    for finding in &findings {
        eprintln!("{finding}");
    }
    Err(format!("{} findings; CONTRIBUTING.md says what each rule is for", findings.len()).into())
}

fn findings(house: &House) -> Vec<Finding> {
    GUARDS.iter().flat_map(|guard| guard(house)).collect()
}

#[cfg(test)]
pub mod tests {
    use serde_json::json;

    use super::*;

    pub fn house(files: &[(&str, &str)]) -> House {
        house_of(files, json!({ "packages": [], "workspace_members": [], "workspace_root": "/r" }))
    }

    pub fn house_of(files: &[(&str, &str)], cargo: Value) -> House {
        let file = |(path, text): &(&str, &str)| File { path: (*path).to_owned(), text: (*text).to_owned() };
        House { files: files.iter().map(file).collect(), cargo }
    }

    /// The places of the findings: enough to tell which rule spoke about what.
    pub fn places(findings: &[Finding]) -> Vec<&str> {
        findings.iter().map(|finding| finding.place.as_str()).collect()
    }

    /// One house that breaks every rule once. A guard that is removed is missed here.
    #[test]
    fn every_guard_stands() {
        let long_file = "\n".repeat(601);
        let long_function = format!("fn long() {{{}}}\n", "\n".repeat(121));
        let machine = format!("see {}", words::tests::MACHINE_PATH);
        let files = [
            ("Cargo.toml", "[workspace.dependencies]\n"),
            ("deny.toml", "allow = [\"MIT\"]\n"),
            ("long/file.rs", long_file.as_str()),
            ("long/function.rs", long_function.as_str()),
            ("crates/domain/src/lib.rs", "// TODO some day\n"),
            ("crates/server/src/explain.rs", "use crate::command::shown;\n"),
            ("docs/machine.md", machine.as_str()),
            ("docs/path.md", "see `crates/nowhere.rs`"),
            ("package.json", r#"{ "devDependencies": { "left-pad": "^1.0.0" } }"#),
        ];
        let cargo = json!({
            "workspace_root": "/r",
            "workspace_members": ["domain"],
            "packages": [
                {
                    "id": "domain", "name": "tenure-domain", "source": null, "license": "MIT",
                    "manifest_path": "/r/crates/domain/Cargo.toml",
                    "dependencies": [{ "name": "tokio", "source": "registry", "kind": null }],
                    "targets": [{ "kind": ["lib"], "src_path": "/r/crates/domain/src/lib.rs" }],
                },
                { "id": "tokio", "name": "tokio", "version": "1.0.0", "source": "registry", "license": "GPL-3.0" },
            ],
            "resolve": { "nodes": [] },
        });
        let findings = findings(&house_of(&files, cargo));
        let expected = [
            ("long/file.rs", "lines"),
            ("long/function.rs:1", "lines"),
            ("tenure-domain", "tokio"),
            ("crates/domain/src/lib.rs", "forbid(unsafe_code)"),
            ("crates/server/src/explain.rs:1", "command line"),
            ("crates/domain/src/lib.rs:1", "TODO"),
            ("docs/machine.md:1", "machine"),
            ("docs/path.md:1", "crates/nowhere.rs"),
            ("tokio 1.0.0", "licence"),
            ("deny.toml", "tokio"),
            ("web/dependencies.md", "left-pad"),
            ("package.json", "^1.0.0"),
        ];
        assert_eq!(expected.len(), GUARDS.len());
        for (place, word) in expected {
            let found = findings.iter().any(|finding| finding.place == place && finding.what.contains(word));
            assert!(found, "nobody said `{word}` about {place}: {findings:#?}");
        }
    }
}
