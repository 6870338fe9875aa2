//! A person at PostgreSQL's own shell: one connection, and statements typed by hand.

use std::sync::Mutex;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

use tokio::runtime::Builder;
use tokio::task::JoinHandle;
use tokio_postgres::{NoTls, SimpleQueryMessage};

/// A row as text; nulls are none.
pub type Row = Vec<Option<String>>;

type Outcome = Result<Vec<Row>, String>;

/// Longer than anything takes that is not stuck.
const PATIENCE: Duration = Duration::from_secs(30);

/// A connection that blocks, on a thread of its own, so that it may be used from within a runtime too. It is closed
/// with the value, and what it had begun is rolled back.
pub struct Client {
    orders: Mutex<Sender<(String, Sender<Outcome>)>>,
}

impl Client {
    /// Connects to a database by its URL.
    ///
    /// # Errors
    /// In the words of the server or the network.
    pub fn connect(url: &str) -> Result<Self, String> {
        let (orders, received) = channel();
        let (tell, told) = channel();
        let url = url.to_owned();
        thread::spawn(move || serve(&url, &tell, &received));
        told.recv_timeout(PATIENCE).map_err(|_| "the server does not answer".to_owned())??;
        Ok(Self { orders: Mutex::new(orders) })
    }

    /// Runs statements, and gives the rows of all of them.
    ///
    /// # Errors
    /// In the words of the server, or because it is gone.
    pub fn run(&self, statements: &str) -> Outcome {
        self.begin(statements).wait()
    }

    /// Begins to run statements and does not wait: another may have to let go of something first.
    pub fn begin(&self, statements: &str) -> Pending {
        let (tell, told) = channel();
        if let Ok(orders) = self.orders.lock() {
            let _ = orders.send((statements.to_owned(), tell));
        }
        Pending(told)
    }
}

/// Statements that are under way.
pub struct Pending(Receiver<Outcome>);

impl Pending {
    /// What became of them, if it is known within this time.
    pub fn within(&self, time: Duration) -> Option<Result<Vec<Row>, String>> {
        self.0.recv_timeout(time).ok()
    }

    /// Waits for what becomes of them; see [`Client::run`].
    ///
    /// # Errors
    /// In the words of the server, or because it is gone.
    pub fn wait(self) -> Outcome {
        self.0.recv_timeout(PATIENCE).unwrap_or_else(|_| Err("the server does not answer".to_owned()))
    }
}

fn serve(url: &str, tell: &Sender<Result<(), String>>, orders: &Receiver<(String, Sender<Outcome>)>) {
    let runtime = match Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return drop(tell.send(Err(error.to_string()))),
    };
    let connected = runtime.block_on(async {
        let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
        let running: JoinHandle<()> = tokio::spawn(async move { drop(connection.await) });
        Ok((client, running))
    });
    let (client, _running) = match connected {
        Ok(connected) => connected,
        Err(error) => return drop(tell.send(Err(words(&error)))),
    };
    let _ = tell.send(Ok(()));
    for (statements, answer) in orders {
        let outcome = runtime.block_on(client.simple_query(&statements));
        let _ = answer.send(outcome.map(rows).map_err(|error| words(&error)));
    }
}

fn rows(messages: Vec<SimpleQueryMessage>) -> Vec<Row> {
    let rows = messages.into_iter().filter_map(|message| match message {
        SimpleQueryMessage::Row(row) => Some(row),
        _ => None,
    });
    rows.map(|row| (0..row.len()).map(|at| row.get(at).map(str::to_owned)).collect()).collect()
}

/// What the server said, if it did; else what happened to the connection.
fn words(error: &tokio_postgres::Error) -> String {
    match error.as_db_error() {
        Some(said) => format!("{}: {}", said.code().code(), said.message()),
        None => error.to_string(),
    }
}
