//! The server as a process: started, killed, paused, asked by its own command line; and what it had to say.

use std::collections::VecDeque;
use std::io::{BufRead as _, BufReader, Read};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tokio::sync::{oneshot, watch};
use tokio::time::{sleep, timeout};

const BINARY: &str = env!("CARGO_BIN_EXE_tenure");

/// A start on a machine that has much else to do.
const START_TIMEOUT: Duration = Duration::from_secs(60);

/// The server's own grace for running requests is 10 s.
const STOP_TIMEOUT: Duration = Duration::from_secs(20);

/// Log lines kept for failure messages.
const LINES_KEPT: usize = 200_000;

/// Must not stand in the log while every client is honest: each says that the rule, the store or the server
/// failed somebody.
const ALARMING: [&str; 8] = [
    "token_reuse",
    "refresh_superseded",
    "session_superseded",
    "session_not_found",
    "session_unverifiable",
    "internal_error",
    "\"rewound\"",
    "panicked",
];

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

/// How to run the server and its command line on one data folder.
#[derive(Clone)]
pub struct Installation {
    pub data: PathBuf,
    /// What browsers see: the proxy.
    pub public_url: String,
    pub log: Arc<Log>,
}

impl Installation {
    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.env_clear().envs(ENVIRONMENT).env("TENURE_SERVER__PUBLIC_URL", &self.public_url);
        command.env("TENURE_DATA", &self.data).stdin(Stdio::null());
        command
    }

    /// Runs a command of the command line to its end, in a process of its own.
    pub async fn cli(&self, args: &[&str]) -> Output {
        let mut command = self.command(BINARY);
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
        self.installation.log.follow(self.runs, child.stdout.take().unwrap(), Some(say));
        self.installation.log.follow(self.runs, child.stderr.take().unwrap(), None);
        self.process = Some(Process { child, ops: None });
        serving
    }

    async fn wait_until_serving(&mut self, serving: oneshot::Receiver<Serving>) {
        let Ok(Ok(at)) = timeout(START_TIMEOUT, serving).await else {
            panic!("the server did not start:\n{}", self.installation.log.about("", 30));
        };
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

/// Where a run listens, from its first line.
struct Serving {
    listen: SocketAddr,
    ops: Option<SocketAddr>,
}

impl Serving {
    fn read(line: &str) -> Option<Self> {
        let line: Value = serde_json::from_str(line).ok()?;
        let address = |name: &str| line[name].as_str()?.parse().ok();
        (line["message"] == "serving").then_some(())?;
        Some(Self { listen: address("listen")?, ops: address("ops") })
    }
}

/// What all runs of a server wrote.
#[derive(Default)]
pub struct Log {
    lines: Mutex<VecDeque<(usize, String)>>,
    alarms: Mutex<Vec<String>>,
}

impl Log {
    fn follow(
        self: &Arc<Self>,
        run: usize,
        from: impl Read + Send + 'static,
        mut say: Option<oneshot::Sender<Serving>>,
    ) {
        let log = Arc::clone(self);
        std::thread::spawn(move || {
            for line in BufReader::new(from).lines().map_while(Result::ok) {
                if let Some(serving) = say.as_ref().and_then(|_| Serving::read(&line)) {
                    let _ = say.take().map(|say| say.send(serving));
                }
                log.keep(run, line);
            }
        });
    }

    fn keep(&self, run: usize, line: String) {
        if ALARMING.iter().any(|word| line.contains(word)) {
            let mut alarms = self.alarms.lock().unwrap_or_else(PoisonError::into_inner);
            if alarms.len() < 20 {
                alarms.push(format!("run {run}: {line}"));
            }
        }
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.len() >= LINES_KEPT {
            lines.pop_front();
        }
        lines.push_back((run, line));
    }

    pub fn alarms(&self) -> Vec<String> {
        self.alarms.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The last lines that contain this.
    pub fn about(&self, what: &str, most: usize) -> String {
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let found = lines.iter().rev().filter(|(_, line)| line.contains(what)).take(most);
        let mut found: Vec<_> = found.map(|(run, line)| format!("    run {run}: {line}\n")).collect();
        found.reverse();
        found.concat()
    }
}
