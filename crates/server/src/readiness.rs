//! Whether this node should be sent requests. Being slower or less protected than usual is no reason not to be.

use std::sync::atomic::Ordering;

use crate::App;
use crate::node_clock::Verdict;

/// What readiness is made of: reasons, each a phrase for an operator.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Readiness {
    /// Any of these, and requests should go elsewhere.
    pub not_ready: Vec<String>,
    /// What is missing while everything is answered as it should be.
    pub degraded: Vec<String>,
}

impl Readiness {
    /// Looks at everything. Never waits longer than a request may take.
    pub async fn of(app: &App) -> Self {
        let mut readiness = Self::default();
        if app.draining.load(Ordering::Relaxed) {
            readiness.not_ready.push("draining".into());
            return readiness;
        }
        let limit = app.settled.config.server.request_timeout.0;
        let checked = tokio::time::timeout(limit, app.store.check()).await;
        match checked {
            Ok(Ok(())) => {}
            Ok(Err(error)) => readiness.not_ready.push(error.to_string()),
            Err(_elapsed) => readiness.not_ready.push("the store did not answer in time".into()),
        }
        app.metrics.storage_up.set(i64::from(readiness.not_ready.is_empty()));
        if let Some(offset) = app.node_clock.offset().filter(|offset| offset.verdict() == Verdict::Unfit) {
            readiness.not_ready.push(offset.to_string());
        }
        if app.clock.leap().is_some() {
            readiness
                .degraded
                .push("clock: it has leapt, and is not gone by until it has stood for an hour".into());
        }
        if app.clock_belief.is_doubted() {
            readiness.degraded.push(
                "clock: it says another time than the database remembers; nothing is deleted until it has stood for a day"
                    .into(),
            );
        }
        if !app.store.vitals().feed_live {
            readiness
                .degraded
                .push("feed: the changes of other nodes are not heard; every check asks the database".into());
        }
        if app.redis.as_ref().is_some_and(|redis| !redis.is_up()) {
            readiness.degraded.push("redis: it does not answer; each node counts its limits alone".into());
        }
        readiness
    }

    pub fn is_ready(&self) -> bool {
        self.not_ready.is_empty()
    }

    /// One word for programs.
    pub fn state(&self) -> &'static str {
        match (self.is_ready(), self.degraded.is_empty()) {
            (false, _) => "not_ready",
            (true, false) => "degraded",
            (true, true) => "ready",
        }
    }

    /// The reasons that go with the state.
    pub fn reasons(&self) -> &[String] {
        if self.is_ready() { &self.degraded } else { &self.not_ready }
    }
}

/// One line for people, as `/readyz` answers it.
impl std::fmt::Display for Readiness {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.state() {
            "not_ready" => write!(f, "not ready: {}", self.reasons().join("; ")),
            "degraded" => write!(f, "ready (degraded: {})", self.reasons().join("; ")),
            _ => f.write_str("ready"),
        }
    }
}
