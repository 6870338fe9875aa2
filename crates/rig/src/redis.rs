//! Redis: the real server, which keeps nothing on disk.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;
use std::path::PathBuf;
use std::sync::Mutex;
use std::time::Duration;

use rustix::process::Signal;
use tempfile::TempDir;

use crate::program::{Account, Program, find, free_port, wait_until};

const PACKAGE: &str = "redis-server";

/// A server. It ends with the value or with this process.
pub struct Redis {
    binary: PathBuf,
    account: Account,
    folder: TempDir,
    port: u16,
    running: Mutex<Option<Program>>,
}

impl Redis {
    /// An empty server on 127.0.0.1.
    pub fn start() -> Self {
        let binary = find("redis-server", PACKAGE);
        let account = Account::unprivileged("redis", PACKAGE);
        let folder = account.folder();
        let mut server = Self { binary, account, folder, port: 0, running: Mutex::default() };
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
        format!("redis://127.0.0.1:{}/", self.port)
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
    /// (`+OK`, `:1`, `-ERR ...`); none if there is no answer within five seconds.
    pub fn ask(&self, command: &str) -> Option<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).ok()?;
        stream.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
        writeln!(stream, "{command}\r").ok()?;
        let mut line = String::new();
        BufReader::new(stream).read_line(&mut line).ok()?;
        Some(line.trim_end().to_owned()).filter(|line| !line.is_empty())
    }

    fn try_to_start(&self) -> bool {
        let folder = self.folder.path().to_string_lossy().into_owned();
        let port = self.port.to_string();
        let args =
            ["--bind", "127.0.0.1", "--port", &port, "--save", "", "--appendonly", "no", "--dir", &folder];
        let command = self.account.command(&self.binary, args.map(str::to_owned));
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
