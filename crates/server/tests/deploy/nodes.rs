//! Two nodes on one PostgreSQL, in production mode, each on an address of its own.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;

use rustix::process::Signal;
use serde_json::Value;
use tempfile::TempDir;
use tenure_rig::{Database, Program, free_port, postgres_for_tests, wait_until};

const BINARY: &str = env!("CARGO_BIN_EXE_tenure");

pub const SITE: &str = "id.example.com";

/// All of 127/8 is this machine's on Linux, so both nodes can have the same ports, as nodes do.
const ADDRESSES: [&str; 2] = ["127.0.0.2", "127.0.0.3"];

pub struct Nodes {
    running: [Option<Program>; 2],
    secret: String,
    pub port: u16,
    pub ops_port: u16,
    /// Where the runs of nodes kept their logs, by node.
    logs: [Vec<PathBuf>; 2],
    folder: TempDir,
    database: Database,
}

impl Nodes {
    pub fn start() -> Self {
        let secret = Command::new(BINARY).args(["config", "secret"]).env_clear().output().unwrap();
        let mut nodes = Self {
            running: [None, None],
            secret: String::from_utf8(secret.stdout).unwrap().trim().to_owned(),
            port: free_port(),
            ops_port: free_port(),
            logs: [vec![], vec![]],
            folder: tempfile::tempdir().unwrap(),
            database: postgres_for_tests().create_database(),
        };
        (0..2).for_each(|number| nodes.start_again(number));
        nodes
    }

    /// Starts one that is not running, and waits until it serves.
    pub fn start_again(&mut self, number: usize) {
        let folder = self.folder.path().join(format!("{number}-{}", self.logs[number].len()));
        fs::create_dir(&folder).unwrap();
        self.logs[number].push(folder.join("log"));
        let (listen, ops) = (self.api(number), SocketAddr::new(self.api(number).ip(), self.ops_port));
        let settings = [
            ("SECRET", self.secret.as_str()),
            ("DATA", "data"),
            ("POSTGRES__URL", self.database.url()),
            ("POSTGRES__CONNECTIONS", "4"),
            // No statement fails here because the machine is busy; a proxy tries the other node before.
            ("POSTGRES__STATEMENT_TIMEOUT", "8s"),
            ("POSTGRES__CONNECT_TIMEOUT", "8s"),
            ("SERVER__PUBLIC_URL", &format!("https://{SITE}")),
            // Where the proxy is: what goes to another address of this machine comes from this one.
            ("SERVER__TRUSTED_PROXIES", r#"["127.0.0.1"]"#),
            ("LIMITS__REFRESH_PER_SESSION_PER_MINUTE", "1000000"),
            ("LOG__FORMAT", "json"),
        ];
        let settings = settings.map(|(name, value)| format!("TENURE_{name}={value}"));
        let command = ["env".to_owned(), "-i".to_owned()].into_iter().chain(settings);
        let arguments = [BINARY, "serve", "--listen", &listen.to_string(), "--ops-listen", &ops.to_string()];
        let command: Vec<_> = command.chain(arguments.map(str::to_owned)).collect();
        let node = Program::start(&folder, "KILL", &command);
        wait_until(format!("node {number} to serve; it says:\n{}", node.log()), || {
            assert!(node.is_alive(), "node {number} ended:\n{}", node.log());
            node.log().contains("\"serving\"")
        });
        self.running[number] = Some(node);
    }

    /// The command line on their database.
    pub fn cli(&self, arguments: &[&str]) -> String {
        let mut command = Command::new(BINARY);
        let settings =
            [("URL", self.database.url()), ("STATEMENT_TIMEOUT", "20s"), ("CONNECT_TIMEOUT", "20s")];
        command.env_clear().args(arguments);
        command.envs(settings.map(|(name, value)| (format!("TENURE_POSTGRES__{name}"), value)));
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Ends one by a signal, and waits until it is gone.
    pub fn end(&mut self, number: usize, signal: Signal) {
        let node = self.running[number].take().unwrap();
        node.signal(signal);
        node.wait();
    }

    pub fn signal(&self, number: usize, signal: Signal) {
        self.running[number].as_ref().unwrap().signal(signal);
    }

    pub fn api(&self, number: usize) -> SocketAddr {
        SocketAddr::new(ADDRESSES[number].parse().unwrap(), self.port)
    }

    /// How many requests each has answered.
    pub fn served(&self) -> [usize; 2] {
        [0, 1].map(|number| self.lines(number).iter().filter(|line| line["message"] == "request").count())
    }

    /// What a node logged of a request. Logs are written a moment after the answer.
    pub fn line_of(&self, request_id: &str) -> Value {
        let find = || {
            let lines = (0..2).flat_map(|number| self.lines(number));
            lines.into_iter().find(|line| line["request_id"] == request_id)
        };
        wait_until(format!("a line with {request_id}"), || find().is_some());
        find().unwrap()
    }

    fn lines(&self, number: usize) -> Vec<Value> {
        let texts = self.logs[number].iter().map(|log| fs::read_to_string(log).unwrap_or_default());
        let lines = texts.flat_map(|text| text.lines().map(serde_json::from_str).collect::<Vec<_>>());
        lines.flatten().collect()
    }
}
