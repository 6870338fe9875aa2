//! Where log lines go: one writer thread with a bounded queue. A full disk or a stuck pipe drops lines and
//! counts them; it never stops the service.

pub mod legacy;

use std::io::{IsTerminal as _, Write};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};

use prometheus_client::metrics::counter::Counter;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

use crate::config::{self, LogFormat};

/// Lines waiting to be written.
const QUEUE: usize = 8192;

/// How long the first line of a batch waits for others.
const GATHER: std::time::Duration = std::time::Duration::from_millis(2);

/// Takes finished lines. Cheap to clone.
#[derive(Clone)]
pub struct LogSink {
    lines: Lines,
    pub style: Style,
}

/// For whom lines are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    Json,
    Human,
    /// For people too, with dates and without colours, and with lines of sign-outs as predecessors wrote them ([`legacy`]).
    Legacy,
}

#[derive(Clone)]
enum Lines {
    Queue(SyncSender<Item>),
    Kept(Arc<Mutex<Vec<u8>>>),
}

/// What the writer's thread is sent.
enum Item {
    Line(Vec<u8>),
    /// Answered when everything before it has been written.
    Flush(SyncSender<()>),
}

impl LogSink {
    /// Standard output, in the style that is configured.
    pub fn stdout(format: LogFormat) -> Self {
        let style = match format {
            LogFormat::Auto if std::io::stdout().is_terminal() => Style::Human,
            LogFormat::Auto | LogFormat::Json => Style::Json,
            LogFormat::Human => Style::Human,
            LogFormat::Legacy => Style::Legacy,
        };
        let (sender, receiver) = sync_channel(QUEUE);
        let thread = std::thread::Builder::new().name("log".into()).spawn(move || write_lines(&receiver));
        if let Err(error) = thread {
            eprintln!("no log thread: {error}");
        }
        Self { lines: Lines::Queue(sender), style }
    }

    /// Keeps every line in memory, for tests that look for what must not be there.
    pub fn kept() -> (Self, Arc<Mutex<Vec<u8>>>) {
        let kept = Arc::new(Mutex::new(vec![]));
        (Self { lines: Lines::Kept(Arc::clone(&kept)), style: Style::Json }, kept)
    }

    /// Takes one line, with its newline. `dropped` counts it if the queue is full.
    pub fn write(&self, line: Vec<u8>, dropped: &Counter) {
        if !self.offer(line) {
            dropped.inc();
        }
    }

    fn offer(&self, line: Vec<u8>) -> bool {
        match &self.lines {
            Lines::Queue(queue) => !matches!(queue.try_send(Item::Line(line)), Err(TrySendError::Full(_))),
            Lines::Kept(kept) => {
                kept.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(&line);
                true
            }
        }
    }

    /// Waits a moment until what was written so far is out: the last thing a process does. A stuck pipe does
    /// not keep it from ending.
    pub fn flush(&self) {
        if let Lines::Queue(queue) = &self.lines {
            let (done, written) = sync_channel(1);
            if queue.try_send(Item::Flush(done)).is_ok() {
                let _ = written.recv_timeout(std::time::Duration::from_secs(1));
            }
        }
    }

    /// Sends what the program itself has to say (`tracing`) to the same place.
    pub fn install_tracing(&self, config: &config::Log) {
        let filter = EnvFilter::try_new(&config.level).unwrap_or_else(|_| EnvFilter::new("info"));
        let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(self.clone());
        // A second installation in one process (tests) is harmless and refused.
        let _ = match self.style {
            Style::Human => builder.compact().with_target(false).try_init(),
            Style::Legacy => builder.compact().with_target(false).with_ansi(false).try_init(),
            Style::Json => builder.json().flatten_event(true).try_init(),
        };
    }
}

/// The writer's thread, until every sink is gone.
fn write_lines(items: &Receiver<Item>) {
    let mut out = std::io::stdout().lock();
    let mut batch = Vec::new();
    while let Ok(first) = items.recv() {
        if matches!(first, Item::Line(_)) {
            // A busy server has more lines by then, and they share one wake-up and one write.
            std::thread::sleep(GATHER);
        }
        let mut flushes = vec![];
        for item in std::iter::once(first).chain(items.try_iter()) {
            match item {
                Item::Line(line) => batch.extend_from_slice(&line),
                Item::Flush(done) => flushes.push(done),
            }
        }
        // What cannot be written is lost; there is nowhere to say so.
        let _ = out.write_all(&batch).and_then(|()| out.flush());
        batch.clear();
        for done in flushes {
            let _ = done.try_send(());
        }
    }
}

/// One event's line on its way to the sink.
pub struct EventLine {
    sink: LogSink,
    line: Vec<u8>,
}

impl Write for EventLine {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.line.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Drop for EventLine {
    fn drop(&mut self) {
        self.sink.offer(std::mem::take(&mut self.line));
    }
}

impl<'a> MakeWriter<'a> for LogSink {
    type Writer = EventLine;

    fn make_writer(&'a self) -> EventLine {
        EventLine { sink: self.clone(), line: Vec::with_capacity(256) }
    }
}
