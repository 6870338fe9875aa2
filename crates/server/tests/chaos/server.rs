//! The server as a process: started, killed, paused, asked by its own command line.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::Arc;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tokio::sync::{oneshot, watch};
use tokio::time::{sleep, timeout};

use crate::log::{Log, Serving};

const BINARY: &str = env!("CARGO_BIN_EXE_tenure");

/// A start on a machine that has much else to do.
const START_TIMEOUT: Duration = Duration::from_secs(60);

/// With a database that is held for half a minute, and killed after that.
const SUPERVISED_START_TIMEOUT: Duration = Duration::from_secs(150);

/// The server's own grace for running requests is 10 s.
const STOP_TIMEOUT: Duration = Duration::from_secs(30);

/// The smallest constants that the server accepts, so that generations move in seconds: F = 1 s, C = 0, hence
/// S = 3 (F + 5 s) + C = 18 s instead of 90 s. Clients abort their refreshes at the same F. Sign-ins cost next
/// to nothing, and limits are out of the way. A missing row alarms, as in production.
pub const SETTLE: Duration = Duration::from_secs(18);
pub const FRESHNESS: Duration = Duration::from_secs(1);
const ENVIRONMENT: [(&str, &str); 10] = [
    ("TENURE_SESSION__FRESHNESS", "1s"),
    ("TENURE_SESSION__JAR_FLUSH_LAG", "0s"),
    ("TENURE_SESSION__SETTLE", "18s"),
    ("TENURE_SESSION__MISSING_SESSION", "unavailable"),
    ("TENURE_PASSWORD__MEMORY_KIB", "8"),
    ("TENURE_PASSWORD__PASSES", "1"),
    ("TENURE_LIMITS__SIGN_IN_PER_ACCOUNT_PER_MINUTE", "100000"),
    ("TENURE_LIMITS__SIGN_IN_PER_ADDRESS_PER_MINUTE", "100000"),
    ("TENURE_LIMITS__REFRESH_PER_SESSION_PER_MINUTE", "100000"),
    ("TENURE_LOG__FORMAT", "json"),
];

/// How to run the server and its command line: one machine of one, or one of several.
#[derive(Clone)]
pub struct Installation {
    /// As lines of its log are labelled.
    pub name: String,
    pub data: PathBuf,
    /// What browsers see: the proxy.
    pub public_url: String,
    /// Settings of its own, as in `TENURE_POSTGRES__URL`.
    pub environment: Vec<(&'static str, String)>,
    pub log: Arc<Log>,
}

impl Installation {
    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.env_clear().envs(ENVIRONMENT).env("TENURE_SERVER__PUBLIC_URL", &self.public_url);
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command.env("TENURE_DATA", &self.data).stdin(Stdio::null());
        command
    }

    /// Runs a command of the command line to its end, in a process of its own.
    pub async fn cli(&self, args: &[&str]) -> Output {
        let mut command = self.command(BINARY);
        // What is asked here has to be answered, however busy the machine is.
        for limit in ["STATEMENT_TIMEOUT", "CONNECT_TIMEOUT"] {
            command.env(format!("TENURE_POSTGRES__{limit}"), "20s");
        }
        command.args(args).args(["--dev", "--actor", "chaos"]);
        let ran = tokio::task::spawn_blocking(move || command.output()).await.unwrap();
        ran.unwrap()
    }

    /// The JSON that a command prints; it must succeed.
    pub async fn ask(&self, args: &[&str]) -> Value {
        let output = self.cli(&[args, &["--json"]].concat()).await;
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{args:?}: {text}{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{args:?} printed {text:?}: {error}"))
    }
}

pub struct Server {
    pub installation: Installation,
    upstream: watch::Sender<Option<SocketAddr>>,
    process: Option<Process>,
    runs: usize,
}

/// Ended with its handle, whatever becomes of the test.
struct Process {
    child: Child,
    ops: Option<SocketAddr>,
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Server {
    /// Not running yet.
    pub fn new(installation: Installation, upstream: watch::Sender<Option<SocketAddr>>) -> Self {
        Self { installation, upstream, process: None, runs: 0 }
    }

    /// Starts it and waits until it serves.
    pub async fn start(&mut self) {
        let serving = self.spawn(None);
        self.wait_until_serving(serving).await;
    }

    /// Starts it again and again, as a supervisor does, until it serves: what it needs may not be there yet.
    pub async fn start_supervised(&mut self) {
        let give_up_at = crate::now() + SUPERVISED_START_TIMEOUT;
        loop {
            let serving = self.spawn(None);
            if let Ok(Ok(at)) = timeout(START_TIMEOUT, serving).await {
                return self.serves(at);
            }
            drop(self.process.take());
            assert!(
                crate::now() < give_up_at,
                "the server did not start:\n{}",
                self.installation.log.about("", 30)
            );
            sleep(Duration::from_millis(200)).await;
        }
    }

    /// Starts it with files limited to this many blocks of 512 bytes: what goes beyond fails like a full disk.
    pub async fn start_with_files_limited_to(&mut self, blocks: u32) {
        let serving = self.spawn(Some(blocks));
        self.wait_until_serving(serving).await;
    }

    /// Starts it for whoever kills it before it serves anybody.
    pub fn start_unawaited(&mut self) {
        drop(self.spawn(None));
    }

    fn spawn(&mut self, file_blocks: Option<u32>) -> oneshot::Receiver<Serving> {
        assert!(self.process.is_none(), "a server is running already");
        self.runs += 1;
        let mut command = match file_blocks {
            None => self.installation.command(BINARY),
            Some(blocks) => {
                // Without the trap the signal that comes with the limit would kill the process.
                let script = format!("trap '' XFSZ && ulimit -f {blocks} && exec \"$0\" \"$@\"");
                let mut shell = self.installation.command("/bin/sh");
                shell.args(["-c", &script, BINARY]);
                shell
            }
        };
        command.args(["serve", "--dev", "--listen", "127.0.0.1:0", "--ops-listen", "127.0.0.1:0"]);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (say, serving) = oneshot::channel();
        let (log, label) = (&self.installation.log, format!("{} run {}", self.installation.name, self.runs));
        log.follow(label.clone(), child.stdout.take().unwrap(), Some(say));
        log.follow(label, child.stderr.take().unwrap(), None);
        self.process = Some(Process { child, ops: None });
        serving
    }

    async fn wait_until_serving(&mut self, serving: oneshot::Receiver<Serving>) {
        let Ok(Ok(at)) = timeout(START_TIMEOUT, serving).await else {
            panic!("the server did not start:\n{}", self.installation.log.about("", 30));
        };
        self.serves(at);
    }

    fn serves(&mut self, at: Serving) {
        if let Some(process) = &mut self.process {
            process.ops = at.ops;
        }
        self.upstream.send_replace(Some(at.listen));
    }

    /// SIGKILL, now.
    pub fn kill(&mut self) {
        drop(self.process.take());
        self.upstream.send_replace(None);
    }

    /// SIGTERM, and the exit that follows.
    pub async fn terminate(&mut self) -> ExitStatus {
        self.signal(Signal::TERM);
        let mut process = self.process.take().unwrap();
        let exited = timeout(STOP_TIMEOUT, async {
            loop {
                if let Some(status) = process.child.try_wait().unwrap() {
                    return status;
                }
                sleep(Duration::from_millis(5)).await;
            }
        });
        let exited = exited.await;
        self.upstream.send_replace(None);
        exited.unwrap_or_else(|_| {
            panic!("SIGTERM did not end the server:\n{}", self.installation.log.about("", 30))
        })
    }

    /// SIGSTOP, and after this long SIGCONT.
    pub async fn pause(&self, span: Duration) {
        self.signal(Signal::STOP);
        sleep(span).await;
        self.signal(Signal::CONT);
    }

    fn signal(&self, signal: Signal) {
        let child = &self.process.as_ref().unwrap().child;
        kill_process(Pid::from_child(child), signal).unwrap();
    }

    /// One number of this run's metrics.
    pub async fn metric(&self, name: &str) -> f64 {
        let ops = self.process.as_ref().and_then(|process| process.ops).unwrap();
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let page = http.get(format!("http://{ops}/metrics")).send().await.unwrap().text().await.unwrap();
        let value = page.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok());
        value.unwrap_or_else(|| panic!("no {name} in\n{page}"))
    }
}
