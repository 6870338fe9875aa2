//! Where log lines go: one writer thread with a bounded queue. A full disk or a stuck pipe drops lines and
//! counts them; it never stops the service.

use std::io::{IsTerminal as _, Write};
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};

use prometheus_client::metrics::counter::Counter;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

use crate::config::{self, LogFormat};

/// Lines waiting to be written.
const QUEUE: usize = 8192;

/// Takes finished lines. Cheap to clone.
#[derive(Clone)]
pub struct LogSink {
    lines: Lines,
    /// Lines for people instead of JSON.
    pub human: bool,
}

#[derive(Clone)]
enum Lines {
    Queue(SyncSender<Vec<u8>>),
    Kept(Arc<Mutex<Vec<u8>>>),
}

impl LogSink {
    /// Standard output, JSON or human as configured.
    pub fn stdout(format: LogFormat) -> Self {
        let human = match format {
            LogFormat::Auto => std::io::stdout().is_terminal(),
            LogFormat::Json => false,
            LogFormat::Human => true,
        };
        let (sender, receiver) = sync_channel::<Vec<u8>>(QUEUE);
        let thread = std::thread::Builder::new().name("log".into()).spawn(move || {
            let mut out = std::io::stdout().lock();
            while let Ok(line) = receiver.recv() {
                // What cannot be written is lost; there is nowhere to say so.
                let _ = out.write_all(&line);
                for line in receiver.try_iter() {
                    let _ = out.write_all(&line);
                }
                let _ = out.flush();
            }
        });
        if let Err(error) = thread {
            eprintln!("no log thread: {error}");
        }
        Self { lines: Lines::Queue(sender), human }
    }

    /// Keeps every line in memory, for tests that look for what must not be there.
    pub fn kept() -> (Self, Arc<Mutex<Vec<u8>>>) {
        let kept = Arc::new(Mutex::new(vec![]));
        (Self { lines: Lines::Kept(Arc::clone(&kept)), human: false }, kept)
    }

    /// Takes one line, with its newline. `dropped` counts it if the queue is full.
    pub fn write(&self, line: Vec<u8>, dropped: &Counter) {
        if !self.offer(line) {
            dropped.inc();
        }
    }

    fn offer(&self, line: Vec<u8>) -> bool {
        match &self.lines {
            Lines::Queue(queue) => !matches!(queue.try_send(line), Err(TrySendError::Full(_))),
            Lines::Kept(kept) => {
                kept.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(&line);
                true
            }
        }
    }

    /// Sends what the program itself has to say (`tracing`) to the same place.
    pub fn install_tracing(&self, config: &config::Log) {
        let filter = EnvFilter::try_new(&config.level).unwrap_or_else(|_| EnvFilter::new("info"));
        let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(self.clone());
        // A second installation in one process (tests) is harmless and refused.
        let _ = if self.human {
            builder.compact().with_target(false).try_init()
        } else {
            builder.json().flatten_event(true).try_init()
        };
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
