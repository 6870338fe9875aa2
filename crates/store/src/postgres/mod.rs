//! The store on PostgreSQL: for several nodes, which are equal and hold nothing.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tenure_domain::time::Timestamp;

use crate::{Entropy, Fanout};

/// How far a node's view may be behind the ends that other nodes have answered.
pub const STALENESS: Duration = Duration::from_millis(200);

/// How to open a store.
pub struct PostgresOptions {
    /// `postgres://user:password@host:5432/database`, several hosts separated by commas, and the parameters that
    /// libpq knows and tokio-postgres takes (`sslmode`, `target_session_attrs`, `application_name`).
    pub url: String,
    /// Where ids, salts and receipts come from.
    pub entropy: Arc<dyn Entropy>,
    /// Recorded with the migrations that opening runs.
    pub now: Timestamp,
    /// Most connections at once, besides the one that the feed is read on.
    pub connections: usize,
    /// How long a statement may take.
    pub statement_timeout: Duration,
    /// How long making a connection may take, and how long a call waits for one that is free.
    pub connect_timeout: Duration,
    /// Authorities that the server's certificate may come from, as PEM; none means those of the system.
    pub ca_file: Option<PathBuf>,
    /// False sends every statement whole, for a pooler that gives each transaction another connection.
    pub prepared: bool,
    /// Wakes other nodes, besides NOTIFY.
    pub fanout: Option<Arc<dyn Fanout>>,
    /// How far the view may be behind other nodes.
    pub staleness: Duration,
    /// When the database is taken to have opened, for tests whose time is not the machine's. None: it is asked.
    pub opened_at: Option<Timestamp>,
}

impl PostgresOptions {
    pub fn new(url: String, entropy: Arc<dyn Entropy>, now: Timestamp) -> Self {
        Self {
            url,
            entropy,
            now,
            connections: 16,
            statement_timeout: Duration::from_secs(2),
            connect_timeout: Duration::from_secs(2),
            ca_file: None,
            prepared: true,
            fanout: None,
            staleness: STALENESS,
            opened_at: None,
        }
    }
}
