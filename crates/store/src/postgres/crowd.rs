//! Statements that many calls share. What a statement costs PostgreSQL is mostly for the statement, not for the row:
//! four and a half times as many rotations fit into a second when those that wait go together
//! (docs/decisions/0013). Whoever comes alone goes at once, alone.

use std::pin::Pin;
use std::sync::Arc;

use tokio::sync::{Mutex, mpsc, oneshot};
use tokio_postgres::Row;

use super::connect::{Conn, Db};
use crate::{Result, StoreError};

/// Most calls in one statement. More would not save much and would keep the first one waiting.
const CROWD_MAX: usize = 64;

/// Statements of one kind at a time. A third one would only find fewer to take along.
const WORKERS: usize = 2;

/// Most calls waiting; one more is answered `Overloaded`.
const WAITING_MAX: usize = 4096;

/// Asks all of the questions in one statement. A row's first column is the number of its question, from one.
pub(super) type Ask<Q> =
    for<'a> fn(&'a mut Conn, &'a [Q]) -> Pin<Box<dyn Future<Output = Result<Vec<Row>>> + Send + 'a>>;

type Answer = oneshot::Sender<Result<Option<Row>>>;

/// The way to one kind of statement.
pub(super) struct Crowd<Q>(mpsc::Sender<(Q, Answer)>);

impl<Q: Send + Sync + 'static> Crowd<Q> {
    /// Works until it is dropped. To be called inside a runtime.
    pub fn new(db: &Arc<Db>, ask: Ask<Q>) -> Self {
        let (sender, receiver) = mpsc::channel(WAITING_MAX);
        let receiver = Arc::new(Mutex::new(receiver));
        for _ in 0..WORKERS {
            tokio::spawn(work(Arc::clone(db), Arc::clone(&receiver), ask));
        }
        Self(sender)
    }

    /// The row that answers a question, if one does. A statement that fails fails for all who share it.
    pub async fn ask(&self, question: Q) -> Result<Option<Row>> {
        let (answer, answered) = oneshot::channel();
        self.0.try_send((question, answer)).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => StoreError::Overloaded,
            mpsc::error::TrySendError::Closed(_) => super::connect::closed(),
        })?;
        answered.await.unwrap_or_else(|_| Err(StoreError::Unavailable("the statement broke off".into())))
    }
}

/// Takes whoever waits, asks for all of them, and comes back. While one worker is away, others gather.
async fn work<Q: Send + Sync + 'static>(
    db: Arc<Db>,
    waiting: Arc<Mutex<mpsc::Receiver<(Q, Answer)>>>,
    ask: Ask<Q>,
) {
    loop {
        let mut asked = Vec::with_capacity(CROWD_MAX);
        if waiting.lock().await.recv_many(&mut asked, CROWD_MAX).await == 0 {
            return;
        }
        let (questions, answers): (Vec<_>, Vec<_>) = asked.into_iter().unzip();
        let rows = async { ask(&mut db.get().await?, &questions).await }.await;
        // Whoever asked may have gone away meanwhile; what was written stands all the same.
        match rows {
            Ok(rows) => {
                let mut by_question: Vec<Option<Row>> = answers.iter().map(|_| None).collect();
                for row in rows {
                    let number =
                        row.try_get::<_, i64>(0).ok().and_then(|number| usize::try_from(number).ok());
                    if let Some(place) = number.and_then(|number| by_question.get_mut(number.wrapping_sub(1)))
                    {
                        *place = Some(row);
                    }
                }
                for (answer, row) in answers.into_iter().zip(by_question) {
                    drop(answer.send(Ok(row)));
                }
            }
            Err(error) => answers.into_iter().for_each(|answer| drop(answer.send(Err(error.clone())))),
        }
    }
}
