//! PostgreSQL: the real server, on files of its own.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

use rustix::process::Signal;
use tempfile::TempDir;

use crate::certificates::Certificates;
use crate::program::{Account, Program, find, free_port, kept_folder, run, wait_until};
use crate::{Database, Row, Server};

const PACKAGE: &str = "postgresql";

/// For tests that end or break the server in no way that concerns its disk.
const FAST: [&str; 3] = ["fsync=off", "full_page_writes=off", "autovacuum=off"];

const COMMON: [&str; 8] = [
    "listen_addresses=127.0.0.1",
    "max_connections=1000",
    "shared_buffers=64MB",
    "jit=off",
    "log_min_messages=warning",
    "log_checkpoints=off",
    "timezone=UTC",
    "wal_level=replica",
];

/// A server. It ends, and its files are gone, with the value or with this process.
pub struct Postgres {
    programs: Programs,
    folder: TempDir,
    port: u16,
    settings: Vec<&'static str>,
    running: Mutex<Option<Program>>,
}

/// A physical copy of a server's files, as [`Postgres::copy_data`] makes them. It is gone with its server.
pub struct DataCopy(PathBuf);

impl Postgres {
    /// A server that does not wait for its disk. It loses nothing when it is killed, as the system keeps what was
    /// written.
    pub fn start() -> Self {
        Self::with(&FAST)
    }

    /// A server as in production, which waits for its disk at every commit and cleans up after itself.
    pub fn start_durable() -> Self {
        Self::with(&[])
    }

    /// A server that waits for its disk and has further settings (`name=value`).
    pub fn with(settings: &[&'static str]) -> Self {
        let programs = Programs::find();
        let folder = programs.account.folder();
        programs.copy(&programs.template(), &folder.path().join("data"));
        let (settings, running) = (COMMON.iter().chain(settings).copied().collect(), Mutex::default());
        let mut server = Self { programs, folder, port: 0, settings, running };
        for _ in 0..5 {
            server.port = free_port();
            // Somebody else may have been quicker with the port.
            if server.try_to_start() {
                return server;
            }
        }
        panic!("PostgreSQL does not start: {}", server.log());
    }

    /// The URL of a database of this name; `postgres` is always there.
    pub fn url(&self, database: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{database}?sslmode=disable", self.port)
    }

    /// The port on 127.0.0.1, which stays the same when it is started again.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The folder with its socket.
    pub fn socket_folder(&self) -> &Path {
        self.folder.path()
    }

    /// What databases are created on.
    pub fn server(&self) -> Server {
        Server::at(self.url("postgres"))
    }

    /// See [`Server::create_database`].
    pub fn create_database(&self) -> Database {
        self.server().create_database()
    }

    /// See [`Server::sql`].
    pub fn sql(&self, statements: &str) -> Vec<Row> {
        self.server().sql(statements)
    }

    /// SIGKILL for all its processes, as when the machine runs out of memory or power; returns when they are gone.
    pub fn kill(&self) {
        self.take().kill();
    }

    /// Stops it in good order: clients are cut off, what was committed is written.
    pub fn stop(&self) {
        let program = self.take();
        program.signal(Signal::INT);
        program.wait();
    }

    /// Starts it on the same files and port after [`Postgres::kill`] or [`Postgres::stop`], and waits until it answers.
    pub fn start_again(&self) {
        assert!(self.try_to_start(), "PostgreSQL does not start again: {}", self.log());
    }

    /// Its processes stop where they are and keep their connections (SIGSTOP).
    pub fn pause(&self) {
        self.with_program(|program| program.signal_all(Signal::STOP));
    }

    /// They go on.
    pub fn resume(&self) {
        self.with_program(|program| program.signal_all(Signal::CONT));
    }

    /// A physical copy of all its files as of now, made while it runs.
    pub fn copy_data(&self) -> DataCopy {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let copy = self.folder.path().join(format!("copy-{}", NEXT.fetch_add(1, Ordering::Relaxed)));
        let port = self.port.to_string();
        let to = copy.to_string_lossy();
        let args = ["-h", "127.0.0.1", "-p", &port, "-U", "postgres", "-D", &to, "-c", "fast", "--no-sync"];
        self.programs.account.run(&self.programs.path("pg_basebackup"), &args);
        DataCopy(copy)
    }

    /// Kills it if it runs, puts the copy in the place of its files, and starts it again: what was committed since the
    /// copy was made is lost, as in a fail-over to a replica that had not received it.
    pub fn restore_from(&self, copy: &DataCopy) {
        let running = self.running.lock().ok().and_then(|mut running| running.take());
        if let Some(program) = running {
            program.kill();
        }
        let data = self.folder.path().join("data");
        fs::remove_dir_all(&data).unwrap_or_else(|error| panic!("the files cannot be removed: {error}"));
        self.programs.copy(&copy.0, &data);
        self.start_again();
    }

    /// Lets it speak TLS too, with a certificate for `127.0.0.1` alone. Returns the certificate of the authority
    /// that it is from, as a file.
    pub fn encrypt(&self) -> PathBuf {
        let certificates = Certificates::make(&self.programs.account, &self.folder.path().join("data"));
        self.sql("ALTER SYSTEM SET ssl = on");
        self.sql("SELECT pg_reload_conf()");
        wait_until("PostgreSQL to speak TLS", || self.sql("SHOW ssl") == [[Some("on".to_owned())]]);
        certificates.authority
    }

    /// What it has logged.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    fn try_to_start(&self) -> bool {
        let folder = self.folder.path();
        let mut args = vec!["-D".to_owned(), folder.join("data").to_string_lossy().into_owned()];
        args.extend(["-p".to_owned(), self.port.to_string()]);
        args.extend(["-k".to_owned(), folder.to_string_lossy().into_owned()]);
        args.extend(self.settings.iter().flat_map(|setting| ["-c".to_owned(), (*setting).to_owned()]));
        let command = self.programs.account.command(&self.programs.path("postgres"), args);
        // SIGQUIT: it ends its children and itself at once, even those that are stopped.
        let program = Program::start(folder, "QUIT", &command);
        wait_until("PostgreSQL to accept connections", || self.accepts(&program) || !program.is_alive());
        let started = program.is_alive();
        if started {
            self.put(program);
        } else {
            program.wait();
        }
        started
    }

    /// What the server writes of itself into its files; on a port that it could not have another may answer.
    fn accepts(&self, program: &Program) -> bool {
        let told = fs::read_to_string(self.folder.path().join("data/postmaster.pid")).unwrap_or_default();
        let lines: Vec<_> = told.lines().map(str::trim).collect();
        lines.first() == Some(&program.pid().as_str()) && lines.get(7) == Some(&"ready")
    }

    fn put(&self, program: Program) {
        if let Ok(mut running) = self.running.lock() {
            *running = Some(program);
        }
    }

    fn take(&self) -> Program {
        let running = self.running.lock().ok().and_then(|mut running| running.take());
        running.unwrap_or_else(|| panic!("PostgreSQL is not running"))
    }

    fn with_program(&self, act: impl FnOnce(&Program)) {
        let program = self.take();
        act(&program);
        self.put(program);
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        if let Some(program) = self.running.get_mut().ok().and_then(Option::take) {
            program.end();
        }
    }
}

/// What is installed of it.
struct Programs {
    folder: PathBuf,
    account: Account,
}

impl Programs {
    fn find() -> Self {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let mut folders: Vec<_> = std::env::split_paths(&path).collect();
        // Debian keeps one folder per version, and only what clients need on the search path.
        let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
        let version = |folder: &PathBuf| folder.file_name()?.to_str()?.parse::<u32>().ok();
        let mut versions: Vec<_> = versions.map(|entry| entry.path()).collect();
        versions.sort_by_key(version);
        folders.extend(versions.into_iter().rev().map(|folder| folder.join("bin")));
        let is_whole = |folder: &PathBuf| {
            ["initdb", "postgres", "pg_basebackup"].iter().all(|program| folder.join(program).is_file())
        };
        let Some(folder) = folders.into_iter().find(is_whole) else {
            panic!("PostgreSQL's server is missing; on Debian or Ubuntu: apt-get install {PACKAGE}");
        };
        Self { folder, account: Account::unprivileged("postgres", PACKAGE) }
    }

    fn path(&self, program: &str) -> PathBuf {
        self.folder.join(program)
    }

    /// Files as initdb makes them, which takes it seconds: it is done once per version and kept beside what cargo
    /// builds.
    fn template(&self) -> PathBuf {
        let version = run(Command::new(self.path("postgres")).arg("--version"));
        let version = String::from_utf8_lossy(&version);
        let version: String = version.chars().filter(|c| c.is_ascii_digit() || *c == '.').collect();
        let kept = kept_folder();
        let must = |done: std::io::Result<()>| {
            done.unwrap_or_else(|error| panic!("{} cannot be used: {error}", kept.display()));
        };
        must(fs::create_dir_all(&kept));
        let template = kept.join(format!("postgres-{version}-{}", self.account.uid()));
        must(File::create(kept.join("lock")).and_then(|lock| {
            lock.lock()?;
            if !template.exists() {
                let folder = self.account.folder();
                let made = folder.path().join("data");
                let to = made.to_string_lossy();
                let args =
                    ["-D", &to, "-A", "trust", "-U", "postgres", "-E", "UTF8", "--locale=C", "--no-sync"];
                self.account.run(&self.path("initdb"), &args);
                let copy = template.with_extension("part");
                let _ = fs::remove_dir_all(&copy);
                self.copy(&made, &copy);
                fs::rename(copy, &template)?;
            }
            lock.unlock()
        }));
        template
    }

    /// Copies a folder with its owners and modes.
    fn copy(&self, from: &Path, to: &Path) {
        run(Command::new(find("cp", "coreutils")).args(["-a", "--reflink=auto"]).arg(from).arg(to));
    }
}
