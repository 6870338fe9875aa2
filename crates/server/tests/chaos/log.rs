//! What the servers had to say, and which words of that must not occur.

use std::collections::VecDeque;
use std::io::{BufRead as _, BufReader, Read};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;
use tokio::sync::oneshot;

/// Log lines kept for failure messages.
const LINES_KEPT: usize = 200_000;

/// Must not stand in the log while every client is honest: each says that the rule, the store or the server
/// failed somebody.
const ALARMING: [&str; 9] = [
    "token_reuse",
    "refresh_superseded",
    "session_superseded",
    "session_not_found",
    "session_unverifiable",
    "internal_error",
    "\"rewound\"",
    "panicked",
    "had lost an end",
];

/// Where a run listens, from its first line.
pub struct Serving {
    pub listen: SocketAddr,
    pub ops: Option<SocketAddr>,
}

impl Serving {
    fn read(line: &str) -> Option<Self> {
        let line: Value = serde_json::from_str(line).ok()?;
        let address = |name: &str| line[name].as_str()?.parse().ok();
        (line["message"] == "serving").then_some(())?;
        Some(Self { listen: address("listen")?, ops: address("ops") })
    }
}

/// What all runs of all servers wrote.
#[derive(Default)]
pub struct Log {
    /// Words of [`ALARMING`] that are in order here.
    in_order: Vec<&'static str>,
    lines: Mutex<VecDeque<(String, String)>>,
    alarms: Mutex<Vec<String>>,
}

impl Log {
    /// These alarming words are in order.
    pub fn with_in_order(words: &[&'static str]) -> Self {
        Self { in_order: words.to_vec(), ..Self::default() }
    }

    /// Keeps every line, and says where the server serves when it says so.
    pub fn follow(
        self: &Arc<Self>,
        run: String,
        from: impl Read + Send + 'static,
        mut say: Option<oneshot::Sender<Serving>>,
    ) {
        let log = Arc::clone(self);
        std::thread::spawn(move || {
            for line in BufReader::new(from).lines().map_while(Result::ok) {
                if let Some(serving) = say.as_ref().and_then(|_| Serving::read(&line)) {
                    let _ = say.take().map(|say| say.send(serving));
                }
                log.keep(run.clone(), line);
            }
        });
    }

    fn keep(&self, run: String, line: String) {
        if ALARMING.iter().any(|word| line.contains(word) && !self.in_order.contains(word)) {
            let mut alarms = self.alarms.lock().unwrap_or_else(PoisonError::into_inner);
            if alarms.len() < 20 {
                alarms.push(format!("{run}: {line}"));
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
        let mut found: Vec<_> = found.map(|(run, line)| format!("    {run}: {line}\n")).collect();
        found.reverse();
        found.concat()
    }
}
