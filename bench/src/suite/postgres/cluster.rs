//! Nodes on one database.

use std::path::PathBuf;
use std::process::Command;

use crate::clock;
use crate::database::{Database, Postgres};
use crate::failure::{Context as _, Result};
use crate::jar::JarPool;
use crate::server::{Server, Tenure};
use crate::suite::Suite;

/// A seeded database, and a folder for each node that may be started on it.
pub struct Cluster<'a> {
    binary: PathBuf,
    pub database: Database<'a>,
    folders: Vec<PathBuf>,
    pub pool: JarPool,
}

// === impl Cluster ===

impl<'a> Cluster<'a> {
    /// Makes and seeds a database. Its jars are rested once it has been open for as long.
    pub fn make(
        suite: &Suite<'_>,
        server: &'a Postgres,
        name: &str,
        sessions: usize,
        jars: usize,
        nodes: usize,
    ) -> Result<Self> {
        let database = server.create(name)?;
        let folders: Vec<PathBuf> =
            (0..nodes).map(|node| suite.folder.join(format!("{name}-{node}"))).collect();
        for folder in &folders {
            std::fs::create_dir_all(folder).context(folder.display())?;
        }
        let binary = suite.args.server.clone();
        let mut cluster = Self { binary, database, folders, pool: JarPool::empty() };
        // The first start makes the schema, and the secret that all of them sign under.
        cluster.start(0)?.stop()?;
        // From here on its database is open, and no session counts as quiet for the settle time.
        let opened_at = clock::now();
        let first = &cluster.folders[0];
        for other in &cluster.folders[1..] {
            std::fs::copy(first.join("secret"), other.join("secret")).context("the secret")?;
        }
        let mut seed = Command::new(&suite.args.seed);
        seed.args(["--postgres", &cluster.database.url]);
        cluster.pool = suite.seed(seed, first, sessions, jars)?;
        cluster.pool.count_as_used_at(opened_at);
        Ok(cluster)
    }

    pub fn start(&self, node: usize) -> Result<Server> {
        let postgres = Some(&*self.database.url);
        Tenure { binary: &self.binary, data: &self.folders[node], postgres }.start()
    }
}
