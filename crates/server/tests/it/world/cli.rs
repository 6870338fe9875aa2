//! The command line as its own process, on the data folder of a server that runs.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use super::database::Database;

pub struct Cli {
    folder: std::path::PathBuf,
    environment: Vec<(String, String)>,
    /// A server that runs knows what a command did this long after it ended.
    lag: Duration,
}

/// What a command said.
#[derive(Debug)]
pub struct Printed {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Cli {
    pub fn on(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), environment: vec![], lag: Duration::ZERO }
    }

    pub fn beside(folder: &Path, database: &Database) -> Self {
        Self { folder: folder.to_owned(), environment: database.environment(), lag: database.lag() }
    }

    /// As one on a PostgreSQL that a loaded machine may hold up.
    pub fn patient(self) -> Self {
        self.env("TENURE_POSTGRES__STATEMENT_TIMEOUT", "20s").env("TENURE_POSTGRES__CONNECT_TIMEOUT", "20s")
    }

    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.into(), value.into()));
        self
    }

    pub fn run(&self, arguments: &[&str]) -> Printed {
        self.run_with(arguments, "")
    }

    /// With something on standard input.
    pub fn run_with(&self, arguments: &[&str], input: &str) -> Printed {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tenure"));
        command.env_clear().envs(self.environment.iter().cloned());
        command.args(arguments).arg("--data").arg(&self.folder);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        // A command that reads nothing may have gone before this arrives.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        let output = child.wait_with_output().unwrap();
        std::thread::sleep(self.lag);
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Printed { code: output.status.code().unwrap(), out: text(output.stdout), err: text(output.stderr) }
    }

    /// Runs with `--json`, demands success, and gives what was printed.
    #[track_caller]
    pub fn json(&self, arguments: &[&str]) -> Value {
        let printed = self.run(&[arguments, &["--json"]].concat()).expect(0);
        serde_json::from_str(&printed.out).unwrap_or_else(|error| panic!("{error}: {printed:?}"))
    }
}

impl Printed {
    #[track_caller]
    pub fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{self:?}");
        self
    }
}
