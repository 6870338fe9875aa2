//! Whoever changes their mind: Ctrl-C, a supervisor that ends the process, a terminal that is closed.

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::super::Failure;

/// Listened for from before the first hook to after the last one, so that none is missed in between.
pub struct Interrupts([Signal; 3]);

impl Interrupts {
    pub fn listen() -> Result<Self, Failure> {
        let listen = |kind| {
            signal(kind).map_err(|error| Failure::Unreachable(format!("signals cannot be received: {error}")))
        };
        let [interrupt, terminate, hangup] =
            [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()].map(listen);
        Ok(Self([interrupt?, terminate?, hangup?]))
    }

    pub async fn next(&mut self) {
        let Self([interrupt, terminate, hangup]) = self;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        }
    }
}
