//! One line on a terminal that says how far something is.

use std::io::{IsTerminal as _, Write as _};
use std::time::Duration;

use tokio::time::Instant;

use super::Global;

/// Between two lines of progress.
const EVERY: Duration = Duration::from_millis(200);

pub struct Ticker {
    is_shown: bool,
    last: Option<Instant>,
}

impl Ticker {
    pub fn new(global: &Global) -> Self {
        let is_shown = !global.json && std::io::stderr().is_terminal();
        Self { is_shown, last: None }
    }

    pub fn tell(&mut self, line: impl FnOnce() -> String) {
        if !self.is_shown || self.last.is_some_and(|last| last.elapsed() < EVERY) {
            return;
        }
        self.last = Some(Instant::now());
        // Of no account if it cannot be shown.
        let _ = write!(std::io::stderr(), "\r{:<60}", line());
    }

    pub fn clear(&self) {
        if self.is_shown && self.last.is_some() {
            let _ = write!(std::io::stderr(), "\r{:<60}\r", "");
        }
    }
}
