//! PgBouncer: a pooler that gives each transaction whichever connection is free.

use std::fs;
use std::net::TcpStream;

use tempfile::TempDir;

use crate::program::{Account, Program, find, free_port, wait_until};
use crate::{Postgres, Server};

const PACKAGE: &str = "pgbouncer";

/// PgBouncer in front of a server, with its defaults and transaction pooling. It ends with the value or with this
/// process.
pub struct PgBouncer {
    program: Option<Program>,
    port: u16,
    _folder: TempDir,
}

impl PgBouncer {
    /// One with few connections of its own to the server, so that clients really share them.
    pub fn start(server: &Postgres) -> Self {
        // Debian runs it as the user of PostgreSQL.
        let (binary, account) = (find("pgbouncer", PACKAGE), Account::unprivileged("postgres", "postgresql"));
        let (folder, port) = (account.folder(), free_port());
        let (settings, users) = (folder.path().join("pgbouncer.ini"), folder.path().join("users"));
        let text = format!(
            "[databases]\n* = host=127.0.0.1 port={}\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\n\
             unix_socket_dir =\nauth_type = trust\nauth_file = {}\npool_mode = transaction\ndefault_pool_size = 4\n\
             max_client_conn = 500\n",
            server.port(),
            users.display(),
        );
        for (path, text) in [(&settings, text.as_str()), (&users, "\"postgres\" \"\"\n")] {
            fs::write(path, text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            account.give(path);
        }
        let command = account.command(&binary, [settings.to_string_lossy().into_owned()]);
        let program = Program::start(folder.path(), "KILL", &command);
        let bouncer = Self { program: Some(program), port, _folder: folder };
        wait_until("PgBouncer to listen", || {
            let program = bouncer.program.as_ref();
            assert!(
                program.is_some_and(Program::is_alive),
                "PgBouncer does not start: {}",
                program.map(Program::log).unwrap_or_default()
            );
            TcpStream::connect(("127.0.0.1", port)).is_ok()
        });
        bouncer
    }

    /// The URL of a database of the server behind it.
    pub fn url(&self, database: &str) -> String {
        let base = format!("postgres://postgres@127.0.0.1:{}/?sslmode=disable", self.port);
        Server::at(base).url(database)
    }
}

impl Drop for PgBouncer {
    fn drop(&mut self) {
        if let Some(program) = self.program.take() {
            program.end();
        }
    }
}
