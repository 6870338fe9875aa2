//! Server processes: started on a free loopback port, waited for, ended by their own handle.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::clock;
use crate::failure::{Context as _, Failure, Result};
use crate::proc::{Memory, memory};

const READY_TIMEOUT: Duration = Duration::from_secs(60);
const STOP_TIMEOUT: Duration = Duration::from_secs(20);

/// A running server; ended when dropped.
pub struct Server {
    child: Child,
    pub target: SocketAddr,
    /// From the start of the process until it answered that it is ready.
    pub ready_after: Duration,
}

/// How Tenure is started.
pub struct Tenure<'a> {
    pub binary: &'a Path,
    pub data: &'a Path,
    /// The URL of its database; none: SQLite in its folder.
    pub postgres: Option<&'a str>,
}

// === impl Tenure ===

impl Tenure<'_> {
    pub fn database(&self) -> PathBuf {
        self.data.join("tenure.db")
    }

    /// Starts it as an operator would, with its log on disk (that is part of its cost), and with limits that
    /// let one address be thousands of people.
    pub fn start(&self) -> Result<Server> {
        let (target, ops) = (free_address()?, free_address()?);
        let mut command = Command::new(self.binary);
        command.args(["serve", "--dev", "--data"]).arg(self.data);
        command.args(["--listen", &target.to_string(), "--ops-listen", &ops.to_string()]);
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("TENURE_") {
                command.env_remove(name);
            }
        }
        if let Some(url) = self.postgres {
            command.env("TENURE_POSTGRES__URL", url);
            // Nodes are known by one address, which their tokens name.
            command.env("TENURE_SERVER__PUBLIC_URL", "http://127.0.0.1:7700");
        }
        for limit in ["SIGN_IN_PER_ACCOUNT", "SIGN_IN_PER_ADDRESS", "REFRESH_PER_SESSION", "API_PER_CALLER"] {
            command.env(format!("TENURE_LIMITS__{limit}_PER_MINUTE"), "1000000");
        }
        Server::start(command, target, ops, &self.data.join("server.log"))
    }
}

// === impl Server ===

impl Server {
    /// Starts bare axum out of this same program.
    pub fn bare(workers: usize, log: &Path) -> Result<Self> {
        let target = free_address()?;
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["bare", "--listen", &target.to_string(), "--workers", &workers.to_string()]);
        Self::start(command, target, target, log)
    }

    fn start(mut command: Command, target: SocketAddr, ready: SocketAddr, log: &Path) -> Result<Self> {
        let output = File::options().create(true).append(true).open(log).context(log.display())?;
        command.stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output);
        let began = clock::now();
        let mut child = command.spawn().context(command.get_program().display())?;
        while !is_ready(ready) {
            if let Some(status) = child.try_wait()? {
                return Err(Failure(format!("the server ended at its start ({status}): {}", tail(log))));
            }
            if clock::now() - began > READY_TIMEOUT {
                child.kill()?;
                child.wait()?;
                return Err(Failure(format!("the server did not become ready: {}", tail(log))));
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        Ok(Self { child, target, ready_after: clock::now() - began })
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    pub fn memory(&self) -> Result<Memory> {
        memory(self.id())
    }

    /// Asks the server to finish and waits until it has, so that its database is closed in good order.
    pub fn stop(mut self) -> Result<()> {
        self.ask_to_end();
        let began = clock::now();
        while self.child.try_wait()?.is_none() {
            if clock::now() - began > STOP_TIMEOUT {
                return Err(Failure("the server did not stop when asked to".into()));
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        Ok(())
    }

    fn ask_to_end(&self) {
        if let Ok(id) = i32::try_from(self.child.id())
            && let Some(process) = rustix::process::Pid::from_raw(id)
        {
            let _ = rustix::process::kill_process(process, rustix::process::Signal::TERM);
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Both fail only if the process has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A port that was free a moment ago. Someone else may take it before the server does; then the server says
/// so and the run stops.
fn free_address() -> Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("a free port")?;
    listener.local_addr().context("a free port")
}

fn is_ready(ops: SocketAddr) -> bool {
    let ask = || -> std::io::Result<bool> {
        let mut stream = TcpStream::connect_timeout(&ops, Duration::from_secs(1))?;
        stream.set_read_timeout(Some(Duration::from_secs(1)))?;
        write!(stream, "GET /readyz HTTP/1.1\r\nHost: {ops}\r\nConnection: close\r\n\r\n")?;
        let mut status = [0; 12];
        stream.read_exact(&mut status)?;
        Ok(status == *b"HTTP/1.1 200")
    };
    ask().unwrap_or(false)
}

/// The last words of a log.
fn tail(log: &Path) -> String {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let mut lines: Vec<&str> = text.lines().rev().take(5).collect();
    lines.reverse();
    lines.join(" | ")
}
