//! Other programs, started so that none of them outlives the test, whichever way the test ends.

use std::collections::hash_map::RandomState;
use std::fmt::Display;
use std::fs::{self, File};
use std::hash::{BuildHasher as _, Hasher as _};
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, geteuid, kill_process};
use tempfile::TempDir;

/// Stands between us and a server. The kernel closes its standard input when we end, in whichever way, and it then
/// ends the server and removes its folder. A line before that means that the folder is still needed. (The kernel's
/// own signal for a parent's death is tied to the thread that started the child, and threads come and go.)
const SUPERVISOR: &str = r#"
trap '' HUP INT TERM
folder=$1 signal=$2
shift 2
"$@" </dev/null >>"$folder/log" 2>&1 &
server=$!
echo "$server"
if read -r _; then keep=1; else keep=; fi
kill -CONT "$server" 2>/dev/null
kill -"$signal" "$server" 2>/dev/null
wait "$server"
[ -n "$keep" ] || rm -rf "$folder"
"#;

/// How long a server may take to come up or to go down before it is called broken.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// A running server.
pub struct Program {
    supervisor: Child,
    pid: Pid,
    folder: PathBuf,
}

impl Program {
    /// Starts a command whose files are all in `folder`, where its output is kept in `log`. When we end, it gets
    /// `signal`, by which it must end at once and with all its children.
    pub fn start(folder: &Path, signal: &str, command: &[String]) -> Self {
        let mut supervisor = Command::new("sh")
            .args(["-c", SUPERVISOR, "supervisor"])
            .arg(folder)
            .arg(signal)
            .args(command)
            .current_dir(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            // A group of its own: Ctrl-C and a test runner's time-out are for the tests, and reach us first.
            .process_group(0)
            .spawn()
            .unwrap_or_else(|error| panic!("`sh` could not be started: {error}"));
        let mut said = String::new();
        if let Some(stdout) = supervisor.stdout.take() {
            let _ = BufReader::new(stdout).read_line(&mut said);
        }
        let pid = said.trim().parse().ok().and_then(Pid::from_raw);
        let Some(pid) = pid else { panic!("{} was not started", command.join(" ")) };
        Self { supervisor, pid, folder: folder.to_owned() }
    }

    /// Whether it still runs.
    pub fn is_alive(&self) -> bool {
        is_alive(self.pid)
    }

    /// Its number, as text.
    pub fn pid(&self) -> String {
        self.pid.as_raw_nonzero().to_string()
    }

    /// Sends a signal to it alone.
    pub fn signal(&self, signal: Signal) {
        send(self.pid, signal);
    }

    /// Sends a signal to it and to its children.
    pub fn signal_all(&self, signal: Signal) {
        // The parent first, so that it starts no others meanwhile.
        send(self.pid, signal);
        children(self.pid).into_iter().for_each(|child| send(child, signal));
    }

    /// SIGKILL for it and its children, and waits until all are gone. The folder stays.
    pub fn kill(self) {
        send(self.pid, Signal::STOP);
        let children = children(self.pid);
        send(self.pid, Signal::KILL);
        children.iter().for_each(|child| send(*child, Signal::KILL));
        wait_until("killed processes to be gone", || !children.iter().any(|child| is_alive(*child)));
        self.collect(true);
    }

    /// Waits until it has ended by itself. The folder stays.
    pub fn wait(self) {
        wait_until("a server to stop", || !self.is_alive());
        self.collect(true);
    }

    /// Ends it at once and removes its folder.
    pub fn end(self) {
        self.collect(false);
    }

    /// The last lines that it wrote.
    pub fn log(&self) -> String {
        let log = fs::read_to_string(self.folder.join("log")).unwrap_or_default();
        let lines: Vec<_> = log.lines().collect();
        lines[lines.len().saturating_sub(20)..].join("\n")
    }

    fn collect(mut self, keep: bool) {
        if let Some(mut stdin) = self.supervisor.stdin.take()
            && keep
        {
            let _ = writeln!(stdin, "keep");
        }
        let _ = self.supervisor.wait();
    }
}

fn send(pid: Pid, signal: Signal) {
    // One that is gone has had its signal.
    let _ = kill_process(pid, signal);
}

/// The state and the parent of a process, from /proc; none if there is no such process.
fn state_and_parent(pid: &str) -> Option<(char, i32)> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name before this stands in brackets and may hold anything.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    Some((fields.next()?.chars().next()?, fields.next()?.parse().ok()?))
}

/// One that is dead and only waits to be collected does not count.
fn is_alive(pid: Pid) -> bool {
    state_and_parent(&pid.as_raw_nonzero().to_string()).is_some_and(|(state, _)| !matches!(state, 'Z' | 'X'))
}

fn children(of: Pid) -> Vec<Pid> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    let ours = names
        .filter(|pid| state_and_parent(pid).is_some_and(|(_, parent)| parent == of.as_raw_nonzero().get()));
    ours.filter_map(|pid| Pid::from_raw(pid.parse().ok()?)).collect()
}

/// Looks again and again; panics after [`PATIENCE`].
pub fn wait_until(what: impl Display, mut is_so: impl FnMut() -> bool) {
    const STEP: Duration = Duration::from_millis(5);
    let mut left = PATIENCE;
    while !is_so() {
        left = left.checked_sub(STEP).unwrap_or_else(|| panic!("waited {PATIENCE:?} for {what}"));
        thread::sleep(STEP);
    }
}

/// A port that nothing listens on, whatever the address. It lies below those that the system hands out by itself, and
/// is this process's as long as it runs: nobody gets it by chance while its server is down.
pub fn free_port() -> u16 {
    static HELD: Mutex<Vec<File>> = Mutex::new(Vec::new());
    let locks = kept_folder().join("ports");
    fs::create_dir_all(&locks).unwrap_or_else(|error| panic!("{} cannot be made: {error}", locks.display()));
    let seed = RandomState::new().build_hasher().finish();
    let mut candidates =
        (0..1000).map(|step| 15_000 + ((seed >> 16).wrapping_add(step * 7919) % 16_000) as u16);
    let take = |port: u16| {
        let lock = File::create(locks.join(port.to_string())).ok()?;
        lock.try_lock().ok()?;
        TcpListener::bind(("0.0.0.0", port)).ok()?;
        HELD.lock().unwrap_or_else(PoisonError::into_inner).push(lock);
        Some(port)
    };
    candidates.find_map(take).unwrap_or_else(|| panic!("no port is free"))
}

/// A folder beside what cargo builds: it is there for the next run, and `cargo clean` removes it.
pub fn kept_folder() -> PathBuf {
    let built = std::env::current_exe().ok();
    let marked = built.iter().flat_map(|exe| exe.ancestors()).find(|at| at.join("CACHEDIR.TAG").exists());
    marked.map_or_else(std::env::temp_dir, Path::to_owned).join("rig")
}

/// Whom a server runs as.
pub struct Account {
    /// Stands before a command and makes it theirs.
    prefix: Vec<String>,
    owner: Option<(u32, u32)>,
}

impl Account {
    /// Ourselves; where we are root, this user of the system instead.
    pub fn unprivileged(user: &str, package: &str) -> Self {
        if !geteuid().is_root() {
            return Self { prefix: Vec::new(), owner: None };
        }
        find("setpriv", "util-linux");
        let ids = |line: &str| {
            let fields: Vec<_> = line.split(':').collect();
            (fields[0] == user).then(|| Some((fields.get(2)?.parse().ok()?, fields.get(3)?.parse().ok()?)))?
        };
        let passwd = fs::read_to_string("/etc/passwd").unwrap_or_default();
        let Some((uid, gid)) = passwd.lines().find_map(ids) else {
            panic!(
                "there is no user `{user}`; it comes with the package {package}: apt-get install {package}"
            );
        };
        let ids = [format!("--reuid={uid}"), format!("--regid={gid}")];
        let prefix = ["setpriv".to_owned()].into_iter().chain(ids).chain(["--clear-groups".to_owned()]);
        Self { prefix: prefix.collect(), owner: Some((uid, gid)) }
    }

    /// The command as this user runs it.
    pub fn command(&self, program: &Path, args: impl IntoIterator<Item = String>) -> Vec<String> {
        let program = program.to_string_lossy().into_owned();
        self.prefix.iter().cloned().chain([program]).chain(args).collect()
    }

    /// A new folder of the user's own, which is gone with the value.
    pub fn folder(&self) -> TempDir {
        let folder = tempfile::Builder::new().prefix("rig-").tempdir();
        let folder = folder.unwrap_or_else(|error| panic!("there is no folder to be had: {error}"));
        self.give(folder.path());
        folder
    }

    /// Makes a file or folder theirs.
    pub fn give(&self, path: &Path) {
        if let Some((uid, gid)) = self.owner
            && let Err(error) = chown(path, Some(uid), Some(gid))
        {
            panic!("{} cannot be given away: {error}", path.display());
        }
    }

    /// Runs a command that ends by itself, and panics with its complaints if it fails.
    pub fn run(&self, program: &Path, args: &[&str]) {
        let command = self.command(program, args.iter().map(|arg| (*arg).to_owned()));
        run(Command::new(&command[0]).args(&command[1..]).current_dir("/"));
    }

    /// Tells users apart in names.
    pub fn uid(&self) -> u32 {
        self.owner.map_or(geteuid().as_raw(), |(uid, _)| uid)
    }
}

/// Runs a command, and panics with its complaints if it fails.
pub fn run(command: &mut Command) -> Vec<u8> {
    let output = command.stdin(Stdio::null()).output();
    let output = output.unwrap_or_else(|error| panic!("{command:?} could not be started: {error}"));
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?} failed: {told}");
    output.stdout
}

/// Where a program is, on the search path or where Debian keeps those of an administrator.
pub fn find(program: &str, package: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(["/usr/sbin".into(), "/sbin".into()]);
    let found = folders.map(|folder| folder.join(program)).find(|path| path.is_file());
    found.unwrap_or_else(|| panic!("`{program}` is missing; on Debian or Ubuntu: apt-get install {package}"))
}
