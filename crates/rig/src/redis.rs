//! Redis: the real server, which keeps nothing on disk.

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;

use rustix::process::Signal;
use tempfile::TempDir;

use crate::certificates::Certificates;
use crate::program::{Account, Program, find, free_port, wait_until};

const PACKAGE: &str = "redis-server";

/// In the server's folder.
const SOCKET: &str = "socket";

/// A server. It ends with the value or with this process.
pub struct Redis {
    binary: PathBuf,
    account: Account,
    folder: TempDir,
    port: u16,
    certificates: Option<Certificates>,
    running: Mutex<Option<Program>>,
}

impl Redis {
    /// An empty server on 127.0.0.1.
    pub fn start() -> Self {
        Self::with(|_, _| None)
    }

    /// One that speaks TLS and nothing else, with a certificate for `127.0.0.1` alone.
    pub fn start_encrypted() -> Self {
        Self::with(|account, folder| Some(Certificates::make(account, folder)))
    }

    fn with(certify: impl FnOnce(&Account, &Path) -> Option<Certificates>) -> Self {
        let binary = find("redis-server", PACKAGE);
        let account = Account::unprivileged("redis", PACKAGE);
        let folder = account.folder();
        let certificates = certify(&account, folder.path());
        let mut server = Self { binary, account, folder, port: 0, certificates, running: Mutex::default() };
        for _ in 0..5 {
            server.port = free_port();
            if server.try_to_start() {
                return server;
            }
        }
        panic!("Redis does not start");
    }

    /// Where it is.
    pub fn url(&self) -> String {
        let scheme = if self.certificates.is_some() { "rediss" } else { "redis" };
        format!("{scheme}://127.0.0.1:{}/", self.port)
    }

    /// The certificate of the authority that its own is from, as a file; none if it speaks in the clear.
    pub fn authority(&self) -> Option<&Path> {
        self.certificates.as_ref().map(|certificates| certificates.authority.as_path())
    }

    /// The port on 127.0.0.1, which stays the same when it is started again.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// SIGKILL: everything it held is gone.
    pub fn kill(&self) {
        self.take().kill();
    }

    /// Starts it, empty, on the same port.
    pub fn start_again(&self) {
        assert!(self.try_to_start(), "Redis does not start again");
    }

    /// It stops where it is and keeps its connections (SIGSTOP).
    pub fn pause(&self) {
        self.with_program(|program| program.signal_all(Signal::STOP));
    }

    /// It goes on.
    pub fn resume(&self) {
        self.with_program(|program| program.signal_all(Signal::CONT));
    }

    /// Forgets everything.
    pub fn flush(&self) {
        assert_eq!(self.ask("FLUSHALL").as_deref(), Some("+OK"));
    }

    /// Runs one command without blanks in its arguments, and gives the first line of the answer as it is on the wire
    /// (`+OK`, `:1`, `-ERR ...`); none if there is no answer within five seconds. It goes by a socket in the server's
    /// folder, which is in the clear however others reach it.
    pub fn ask(&self, command: &str) -> Option<String> {
        let mut stream = UnixStream::connect(self.folder.path().join(SOCKET)).ok()?;
        stream.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
        writeln!(stream, "{command}\r").ok()?;
        let mut line = String::new();
        BufReader::new(stream).read_line(&mut line).ok()?;
        Some(line.trim_end().to_owned()).filter(|line| !line.is_empty())
    }

    fn try_to_start(&self) -> bool {
        let args = ["--bind", "127.0.0.1", "--unixsocket", SOCKET, "--save", "", "--appendonly", "no"];
        let mut args: Vec<_> = args.map(str::to_owned).into();
        args.extend(["--dir".to_owned(), self.folder.path().to_string_lossy().into_owned()]);
        args.extend(self.ports());
        let command = self.account.command(&self.binary, args);
        let program = Program::start(self.folder.path(), "KILL", &command);
        let mut answers = false;
        wait_until("Redis to answer", || {
            answers = self.ask("PING").as_deref() == Some("+PONG");
            answers || !program.is_alive()
        });
        let started = answers && program.is_alive();
        if started {
            self.put(program);
        } else {
            program.wait();
        }
        started
    }

    /// In the clear or by TLS, and never both.
    fn ports(&self) -> Vec<String> {
        let port = self.port.to_string();
        let Some(certificates) = &self.certificates else { return vec!["--port".into(), port] };
        let file = |path: &Path| path.to_string_lossy().into_owned();
        let (certificate, key) = (file(&certificates.certificate), file(&certificates.key));
        let args = ["--port", "0", "--tls-port", &port, "--tls-auth-clients", "no"];
        let files = ["--tls-cert-file", &certificate, "--tls-key-file", &key];
        args.iter().chain(&files).map(|arg| (*arg).to_owned()).collect()
    }

    fn put(&self, program: Program) {
        if let Ok(mut running) = self.running.lock() {
            *running = Some(program);
        }
    }

    fn take(&self) -> Program {
        let running = self.running.lock().ok().and_then(|mut running| running.take());
        running.unwrap_or_else(|| panic!("Redis is not running"))
    }

    fn with_program(&self, act: impl FnOnce(&Program)) {
        let program = self.take();
        act(&program);
        self.put(program);
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        if let Some(program) = self.running.get_mut().ok().and_then(Option::take) {
            program.end();
        }
    }
}
