//! `cargo xtask gen`: files that are generated and committed, so that a change of contract is seen in review.

mod typescript;

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use crate::repo::{Features, Repo};
use crate::{Result, process, usage};

const CONTRACT: &str = "api/openapi.json";

/// The contract once more, for programs in TypeScript.
const TYPES: &str = "web/client/src/api.gen.ts";

/// Each file with the command line of `tenure` that writes it to its standard output.
const FILES: [(&str, &[&str]); 4] = [
    (CONTRACT, &["openapi"]),
    ("api/errors.md", &["openapi", "--errors"]),
    ("docs/reference/configuration.md", &["config", "reference"]),
    ("docs/reference/metrics.md", &["config", "metrics"]),
];

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    Write,
    Check,
}

impl Mode {
    pub fn parse(args: &[String]) -> Result<Mode> {
        match args {
            [] => Ok(Mode::Write),
            [flag] if flag == "--check" => Ok(Mode::Check),
            _ => usage("gen takes `--check` or nothing"),
        }
    }
}

pub fn generate(repo: &Repo, mode: Mode) -> Result<ExitCode> {
    let tenure = repo.build("tenure", Features::AsShipped)?;
    generate_with(repo, mode, &tenure).map(|()| ExitCode::SUCCESS)
}

pub fn generate_with(repo: &Repo, mode: Mode, tenure: &Path) -> Result {
    let mut stale = Vec::new();
    for (file, fresh) in fresh_files(repo, tenure)? {
        let path = repo.path(file);
        let committed = fs::read(&path).unwrap_or_default();
        if let Some(difference) = difference(&committed, &fresh) {
            match mode {
                Mode::Write => {
                    if let Some(folder) = path.parent() {
                        fs::create_dir_all(folder)?;
                    }
                    fs::write(&path, &fresh)?;
                    println!("wrote {file}");
                }
                Mode::Check => stale.push(format!("{file}: {difference}")),
            }
        }
    }
    if stale.is_empty() {
        return Ok(());
    }
    Err(format!("generated files are stale; run `cargo xtask gen` and commit\n  {}", stale.join("\n  "))
        .into())
}

fn fresh_files(repo: &Repo, tenure: &Path) -> Result<Vec<(&'static str, Vec<u8>)>> {
    let mut files = Vec::new();
    for (file, args) in FILES {
        let fresh = process::capture(repo.command(tenure).args(args))?;
        if file == CONTRACT {
            files.push((TYPES, typescript::module(&serde_json::from_slice(&fresh)?)?.into_bytes()));
        }
        files.push((file, fresh));
    }
    Ok(files)
}

/// Where the two first part, in words; nothing if they are the same to the byte.
fn difference(committed: &[u8], fresh: &[u8]) -> Option<String> {
    if committed == fresh {
        return None;
    }
    if committed.is_empty() {
        return Some("it is not there".to_owned());
    }
    let (committed, fresh) = (String::from_utf8_lossy(committed), String::from_utf8_lossy(fresh));
    let same = committed.lines().zip(fresh.lines()).take_while(|(old, new)| old == new).count();
    let line =
        |text: &str| text.lines().nth(same).map_or("nothing".to_owned(), |line| format!("`{}`", line.trim()));
    Some(format!("line {} is {} and should be {}", same + 1, line(&committed), line(&fresh)))
}

#[cfg(test)]
mod tests {
    use super::difference;

    #[test]
    fn a_stale_file_is_told_by_its_first_other_line() {
        assert_eq!(difference(b"a\nb\n", b"a\nb\n"), None);
        assert_eq!(difference(b"a\nb\n", b"a\nc\n").unwrap(), "line 2 is `b` and should be `c`");
        assert_eq!(difference(b"a\n", b"a\nc\n").unwrap(), "line 2 is nothing and should be `c`");
        assert_eq!(difference(b"a", b"a\n").unwrap(), "line 2 is nothing and should be nothing");
        assert_eq!(difference(b"", b"a\n").unwrap(), "it is not there");
    }
}
