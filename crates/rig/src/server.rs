//! Databases on a server of PostgreSQL, whoever started it.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::{Client, Postgres, Row};

/// Names a server whose databases tests may create and drop, as a URL. `cargo xtask test` starts one for the whole
/// run; without it each process of tests starts its own.
pub const POSTGRES_VARIABLE: &str = "TENURE_TEST_POSTGRES";

/// A server that databases may be created on.
#[derive(Clone, Debug)]
pub struct Server {
    url: String,
}

/// The server that tests share. They get databases of their own on it, and must not harm it: who wants to kill or stop
/// one starts it, with [`Postgres::start`].
pub fn postgres_for_tests() -> Server {
    static OWN: OnceLock<Postgres> = OnceLock::new();
    match std::env::var(POSTGRES_VARIABLE) {
        Ok(url) => Server::at(url),
        // Statics are not dropped; the server notices that we are gone.
        Err(_) => OWN.get_or_init(Postgres::start).server(),
    }
}

impl Server {
    /// By the URL of any of its databases.
    pub fn at(url: String) -> Self {
        Self { url }
    }

    /// The URL of a database of this name.
    pub fn url(&self, database: &str) -> String {
        let authority = self.url.find("://").map_or(0, |at| at + 3);
        let path = self.url[authority..].find(['/', '?']).map_or(self.url.len(), |at| authority + at);
        let query = self.url[path..].find('?').map_or("", |at| &self.url[path + at..]);
        format!("{}/{database}{query}", &self.url[..path])
    }

    /// An empty database with a name that no other has; it is dropped with the value.
    pub fn create_database(&self) -> Database {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("test_{}_{number}", std::process::id());
        self.sql(&format!("CREATE DATABASE {name}"));
        Database { url: self.url(&name), name, server: self.clone() }
    }

    /// Runs statements on the server's own database and gives their rows; panics with the server's words.
    pub fn sql(&self, statements: &str) -> Vec<Row> {
        run(&self.url, statements)
    }
}

/// A database of a test's own.
pub struct Database {
    server: Server,
    name: String,
    url: String,
}

impl Database {
    /// Where it is, as its owner.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Its name on its server.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The server that it is on.
    pub fn server(&self) -> &Server {
        &self.server
    }

    /// A connection that stays.
    pub fn connect(&self) -> Client {
        Client::connect(&self.url).unwrap_or_else(|error| panic!("{}: {error}", self.name))
    }

    /// Runs statements on a connection of their own and gives their rows; panics with the server's words.
    pub fn sql(&self, statements: &str) -> Vec<Row> {
        run(&self.url, statements)
    }

    /// The one number that a query gives.
    pub fn number(&self, query: &str) -> i64 {
        let rows = self.sql(query);
        let number = rows.first().and_then(|row| row.first()?.as_ref()?.parse().ok());
        number.unwrap_or_else(|| panic!("{query} gave no number but {rows:?}"))
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        // A server that is gone took it along.
        if let Ok(client) = Client::connect(&self.server.url) {
            let _ = client.run(&format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name));
        }
    }
}

fn run(url: &str, statements: &str) -> Vec<Row> {
    let outcome = Client::connect(url).and_then(|client| client.run(statements));
    outcome.unwrap_or_else(|error| panic!("{statements}: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_is_named_in_the_path_of_its_servers_url() {
        let check = |url: &str, expected: &str| assert_eq!(Server::at(url.into()).url("x"), expected);
        check("postgres://u:p@h:1/postgres?sslmode=disable", "postgres://u:p@h:1/x?sslmode=disable");
        check("postgres://u@h/postgres", "postgres://u@h/x");
        check("postgres://h", "postgres://h/x");
        check("postgres://h?a=/b", "postgres://h/x?a=/b");
    }
}
