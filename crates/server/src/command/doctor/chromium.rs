//! A real Chromium, told what to do by the DevTools protocol over two pipes: no port is opened, and no library needed.
//!
//! Commands and events are JSON, each ended by a zero byte, on the browser's descriptors 3 and 4
//! (docs/decisions/0022-what-the-doctor-looks-through.md).

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};

use super::super::outside::hook::PASSWORDS;

/// What a browser is called, by the distributions.
const NAMES: [&str; 5] = ["chromium", "chromium-browser", "google-chrome-stable", "google-chrome", "chrome"];

/// How long a command may take; the first one waits for the browser to start.
const TIMEOUT: Duration = Duration::from_secs(20);

pub struct Chromium {
    child: Child,
    input: ChildStdin,
    heard: mpsc::UnboundedReceiver<Value>,
    last_id: u64,
    /// Gone with the browser: its profile holds the session of the test account.
    _profile: tempfile::TempDir,
}

/// What a browser says of itself.
pub struct Event {
    pub session: String,
    pub method: String,
    pub params: Value,
}

/// A sentence that says why the browser could not be used.
pub type Browsed<T> = Result<T, String>;

/// The one that is named, or the first one on the path.
pub fn found(named: Option<&Path>) -> Option<PathBuf> {
    if let Some(named) = named {
        return named.is_file().then(|| named.to_owned());
    }
    let path = std::env::var_os("PATH")?;
    let folders: Vec<_> = std::env::split_paths(&path).collect();
    NAMES
        .iter()
        .flat_map(|name| folders.iter().map(move |folder| folder.join(name)))
        .find(|path| path.is_file())
}

impl Chromium {
    pub fn start(program: &Path, more: &[String]) -> Browsed<Self> {
        let profile = tempfile::tempdir().map_err(|error| format!("no folder for the browser: {error}"))?;
        let mut command = Command::new("/bin/sh");
        // The shell gives it the two pipes as 3 and 4, and becomes it.
        command.args(["-c", "exec \"$@\" 3<&0 4>&1 </dev/null >/dev/null 2>&1", "sh"]).arg(program);
        command.args([
            "--headless=new",
            "--remote-debugging-pipe",
            "--no-first-run",
            "--disable-dev-shm-usage",
        ]);
        command.args(["--disable-background-networking", "--disable-component-update", "--disable-sync"]);
        command.arg(format!("--user-data-dir={}", profile.path().display()));
        if rustix::process::geteuid().is_root() {
            // Chromium refuses to sandbox for root, which is who runs a container.
            command.arg("--no-sandbox");
        }
        command.args(more).arg("about:blank");
        for name in PASSWORDS {
            command.env_remove(name);
        }
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| format!("{}: {error}", program.display()))?;
        let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            return Err("the browser has no pipes".into());
        };
        let (say, heard) = mpsc::unbounded_channel();
        std::thread::spawn(move || {
            let mut lines = BufReader::new(output).split(0);
            while let Some(Ok(line)) = lines.next() {
                let Ok(value) = serde_json::from_slice(&line) else { continue };
                if say.send(value).is_err() {
                    break;
                }
            }
        });
        Ok(Self { child, input, heard, last_id: 0, _profile: profile })
    }

    /// Says what to do and waits for no answer.
    pub fn send(&mut self, session: &str, method: &str, params: Value) -> Browsed<u64> {
        self.last_id += 1;
        let mut command = json!({ "id": self.last_id, "method": method, "params": params });
        if !session.is_empty() {
            command["sessionId"] = session.into();
        }
        let mut line = command.to_string().into_bytes();
        line.push(0);
        self.input.write_all(&line).map_err(|_| "the browser has ended".to_owned())?;
        Ok(self.last_id)
    }

    /// Does something, and hands on what happens meanwhile.
    pub async fn call(
        &mut self,
        session: &str,
        method: &str,
        params: Value,
        mut on: impl FnMut(&mut Self, Event) -> Browsed<()>,
    ) -> Browsed<Value> {
        let id = self.send(session, method, params)?;
        let until = Instant::now() + TIMEOUT;
        loop {
            let Some(mut value) = self.next(until).await? else {
                return Err(format!("the browser did not do {method} in time"));
            };
            if value["id"] == id {
                return match value.get("error") {
                    Some(error) => {
                        Err(format!("{method}: {}", error["message"].as_str().unwrap_or("failed")))
                    }
                    None => Ok(value["result"].take()),
                };
            }
            if let Some(event) = Event::of(value) {
                on(self, event)?;
            }
        }
    }

    /// What happens until then, if anything does.
    pub async fn event(&mut self, until: Instant) -> Browsed<Option<Event>> {
        while let Some(value) = self.next(until).await? {
            if let Some(event) = Event::of(value) {
                return Ok(Some(event));
            }
        }
        Ok(None)
    }

    async fn next(&mut self, until: Instant) -> Browsed<Option<Value>> {
        match timeout_at(until, self.heard.recv()).await {
            Ok(Some(value)) => Ok(Some(value)),
            Ok(None) => Err("the browser has ended".into()),
            Err(_) => Ok(None),
        }
    }
}

impl Drop for Chromium {
    fn drop(&mut self) {
        // It may have ended by itself; nobody is told.
        let _ = self.send("", "Browser.close", json!({}));
        for _ in 0..50 {
            if matches!(self.child.try_wait(), Ok(Some(_))) {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Event {
    fn of(mut value: Value) -> Option<Self> {
        let method = value["method"].as_str()?.to_owned();
        let session = value["sessionId"].as_str().unwrap_or_default().to_owned();
        Some(Self { session, method, params: value["params"].take() })
    }
}
