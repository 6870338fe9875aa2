//! Tenure itself, in production mode: one node on SQLite, or two on PostgreSQL with a Redis.

use std::io::Write as _;
use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::sync::Mutex;

use rustix::process::Signal;
use tempfile::TempDir;
use tenure_rig::{Database, Program, Redis, postgres_for_tests, wait_until};

use crate::address;
use crate::case::{BINARY, EMAIL, PASSWORD, Running};
use crate::front::APP;

const PORT: u16 = 7700;

pub struct Tenure {
    addresses: Vec<SocketAddr>,
    environment: Vec<String>,
    shared: Option<(Database, Redis)>,
    running: Mutex<Vec<Program>>,
    folder: TempDir,
}

impl Tenure {
    /// `settings` as the environment has them, besides what a node needs.
    pub fn start(api: &str, nodes: usize, settings: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let shared = (nodes > 1).then(|| (postgres_for_tests().create_database(), Redis::start()));
        let secret = Command::new(BINARY).args(["config", "secret"]).env_clear().output().unwrap();
        let mut environment = vec![
            format!("TENURE_SECRET={}", String::from_utf8(secret.stdout).unwrap().trim()),
            format!("TENURE_DATA={}", folder.path().join("data").display()),
            format!("TENURE_SERVER__PUBLIC_URL={api}"),
            format!("TENURE_ORIGINS__ALLOWED=[{APP:?}]"),
            "TENURE_SERVER__TRUSTED_PROXIES=[\"127.0.0.1\"]".into(),
        ];
        if let Some((database, redis)) = &shared {
            environment.push(format!("TENURE_POSTGRES__URL={}", database.url()));
            environment.push("TENURE_POSTGRES__CONNECTIONS=4".into());
            environment.push("TENURE_POSTGRES__STATEMENT_TIMEOUT=8s".into());
            environment.push("TENURE_POSTGRES__CONNECT_TIMEOUT=8s".into());
            environment.push(format!("TENURE_REDIS__URL={}", redis.url()));
        }
        environment.extend(settings.iter().map(|(name, value)| format!("TENURE_{name}={value}")));
        let addresses = (0..nodes).map(|_| (address::unused(), PORT).into()).collect();
        let tenure = Self { addresses, environment, shared, running: Mutex::default(), folder };
        tenure.begin();
        tenure.create_user();
        tenure
    }

    fn begin(&self) {
        let mut running = self.running.lock().unwrap();
        for address in &self.addresses {
            let folder = self.folder.path().join(address.ip().to_string());
            std::fs::create_dir_all(&folder).unwrap();
            // What it said when it ran before is not what it says now.
            let _ = std::fs::remove_file(folder.join("log"));
            let command = ["env", "-i"].into_iter().chain(self.environment.iter().map(String::as_str));
            let listen = address.to_string();
            let serve = [BINARY, "serve", "--listen", &listen, "--ops-listen", ""];
            let command: Vec<_> = command.chain(serve).map(str::to_owned).collect();
            let node = Program::start(&folder, "KILL", &command);
            wait_until("a node to serve", || {
                assert!(node.is_alive(), "it ended:\n{}", node.log());
                node.log().contains("serving")
            });
            running.push(node);
        }
    }

    fn create_user(&self) {
        let environment = self.environment.iter().map(|line| line.split_once('=').unwrap());
        let mut command = Command::new(BINARY);
        command.env_clear().envs(environment).args(["user", "create", EMAIL, "--name", "Ada"]);
        let mut child =
            command.stdin(Stdio::piped()).stderr(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(PASSWORD.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

impl Running for Tenure {
    fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    fn hook(&self, name: &str) {
        match (name, &self.shared) {
            ("stop", _) => {
                for node in self.running.lock().unwrap().drain(..) {
                    node.signal(Signal::TERM);
                    node.wait();
                }
            }
            ("start", _) => self.begin(),
            ("cache_down", Some((_, redis))) => redis.kill(),
            ("cache_up", Some((_, redis))) => redis.start_again(),
            other => panic!("there is no hook {}", other.0),
        }
    }
}
