//! A PostgreSQL server of the bench's own, which waits for its disk at every durable commit and ends with the bench.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use tokio::runtime::Runtime;
use tokio_postgres::{Client, NoTls, SimpleQueryMessage};

use crate::failure::{Context as _, Failure, Result};

/// What an operator would set on a machine that the database shares with nodes: a good part of its memory, and no
/// checkpoint every few seconds.
const SETTINGS: [&str; 2] = ["shared_buffers=1GB", "max_wal_size=8GB"];

/// A running server; it ends, and its files are gone, when dropped.
pub struct Postgres {
    rig: Child,
    url: String,
    runtime: Runtime,
}

/// A database on it.
pub struct Database<'a> {
    server: &'a Postgres,
    pub url: String,
}

// === impl Postgres ===

impl Postgres {
    /// Through `tenure-rig`, which knows where PostgreSQL is and as whom it may run.
    pub fn start(rig: &Path) -> Result<Self> {
        let mut child = Command::new(rig)
            .args(["postgres", "--durable"])
            .args(SETTINGS)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context(rig.display())?;
        let mut url = String::new();
        if let Some(stdout) = child.stdout.take() {
            BufReader::new(stdout).read_line(&mut url)?;
        }
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let server = Self { rig: child, url: url.trim().to_owned(), runtime };
        if server.url.is_empty() {
            return Err(Failure("PostgreSQL could not be started".into()));
        }
        Ok(server)
    }

    /// The process that all of the server's descend from.
    pub fn id(&self) -> u32 {
        self.rig.id()
    }

    /// Creates an empty database.
    pub fn create(&self, name: &str) -> Result<Database<'_>> {
        self.ask(&self.url, &format!("CREATE DATABASE {name}"))?;
        let url = self.url.replacen("/postgres?", &format!("/{name}?"), 1);
        Ok(Database { server: self, url })
    }

    /// Runs statements, one after the other, and gives the first column of all rows.
    fn ask(&self, url: &str, statements: &str) -> Result<Vec<String>> {
        self.runtime.block_on(async {
            let (client, _running) = connect(url).await?;
            let told = client.simple_query(statements).await.map_err(failed(statements))?;
            let first = |message| match message {
                SimpleQueryMessage::Row(row) => Some(row.get(0).unwrap_or_default().to_owned()),
                _ => None,
            };
            Ok(told.into_iter().filter_map(first).collect())
        })
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // Its standard input closes, which tells it to end.
        drop(self.rig.stdin.take());
        let _ = self.rig.wait();
    }
}

// === impl Database ===

impl Database<'_> {
    /// Runs statements, each in a transaction of its own.
    pub fn run(&self, statements: &[&str]) -> Result<()> {
        statements.iter().try_for_each(|one| self.server.ask(&self.url, one).map(drop))
    }

    /// The one number that a query gives.
    pub fn number(&self, query: &str) -> Result<f64> {
        let told = self.server.ask(&self.url, query)?;
        told.first().and_then(|text| text.parse().ok()).context(query)
    }
}

/// What the server said, if it did, of what was being done.
pub fn failed(doing: &str) -> impl FnOnce(tokio_postgres::Error) -> Failure {
    move |error| {
        let said = error.as_db_error().map(|said| said.message().to_owned());
        Failure(format!("{doing}: {}", said.unwrap_or_else(|| error.to_string())))
    }
}

/// A connection, and what keeps it going.
pub async fn connect(url: &str) -> Result<(Client, tokio::task::JoinHandle<()>)> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.map_err(failed("connect"))?;
    Ok((client, tokio::spawn(async move { drop(connection.await) })))
}
