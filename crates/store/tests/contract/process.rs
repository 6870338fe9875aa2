//! Real other processes: this very test binary, run again as one of them.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use tenure_domain::ends::EndReason;
use tenure_store::{Scope, StoredKey};

use crate::backend;
use crate::world::{Seeded, T0, order};

/// Names the database to a process that is run again; its absence makes the body of a child a no-op.
pub const DATABASE: &str = "TENURE_TEST_DATABASE";

/// What a child says begins with this, as the test harness writes to the same stream.
pub const MARK: &str = "tenure> ";

/// This binary again, to run only the named test, which is the child's body.
pub fn again(body: &str, database: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", body, "--nocapture", "--test-threads=1"]);
    command.env(DATABASE, database).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit());
    command
}

/// Where the database of a process is that is a child.
pub fn database() -> Option<String> {
    std::env::var(DATABASE).ok()
}

/// The next thing a child says; none when it is gone. A line cut off by its death says nothing.
pub fn hear(from: &mut BufReader<ChildStdout>) -> Option<String> {
    loop {
        let mut line = String::new();
        from.read_line(&mut line).unwrap();
        let complete = line.strip_suffix('\n')?;
        if let Some(at) = complete.find(MARK) {
            return Some(complete[at + MARK.len()..].to_owned());
        }
    }
}

/// Another process that does what it is told, like the CLI beside a running server.
pub struct Puppet {
    child: Child,
    ears: ChildStdin,
    mouth: BufReader<ChildStdout>,
}

impl Puppet {
    pub fn start(database: &str) -> Self {
        let mut child = again("process::the_body_of_a_puppet", database).spawn().unwrap();
        let ears = child.stdin.take().unwrap();
        let mouth = BufReader::new(child.stdout.take().unwrap());
        Self { child, ears, mouth }
    }

    /// Returns when it is done.
    pub fn tell(&mut self, order: &str) {
        writeln!(self.ears, "{order}").unwrap();
        assert_eq!(hear(&mut self.mouth).as_deref(), Some("done"));
    }
}

impl Drop for Puppet {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test]
async fn the_body_of_a_puppet() {
    let Some(address) = database() else { return };
    let store = backend::at(&address, Seeded::new(1)).unwrap();
    for line in std::io::stdin().lines() {
        let line = line.unwrap();
        let words: Vec<_> = line.split(' ').collect();
        let by_admin = order(EndReason::AdminRevoked);
        match words[..] {
            ["end", user, session] => {
                let (user, one) = (user.parse().unwrap(), Scope::One(session.parse().unwrap()));
                store.session_end(user, one, false, by_admin, T0).await.unwrap();
            }
            ["bump", user] => {
                let user = user.parse().unwrap();
                let none = Scope::One(tenure_domain::id::SessionId::from_bytes([0; 16]));
                store.session_end(user, none, true, by_admin, T0).await.unwrap();
            }
            ["disable", user] => {
                store.user_disable(user.parse().unwrap(), by_admin, T0).await.unwrap();
            }
            ["delete", user] => {
                store.user_delete(user.parse().unwrap(), by_admin, T0).await.unwrap();
            }
            ["key", kid] => {
                let key = StoredKey {
                    kid: kid.into(),
                    sealed_seed: vec![1],
                    created_at: T0,
                    activates_at: T0,
                    retires_at: None,
                };
                store.key_add(key, None, false, None).await.unwrap();
            }
            _ => panic!("what is {line}?"),
        }
        println!("{MARK}done");
    }
}
