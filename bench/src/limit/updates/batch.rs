//! Rotations that wait at the same time, written by one statement.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{Notify, oneshot};
use tokio::task::JoinSet;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Statement};
use uuid::Uuid;

use super::{Order, handed_at};
use crate::database::{self, failed};
use crate::failure::{Failure, Result};

/// Rotations in one statement at most.
const LENGTH_MAX: usize = 64;

/// The same guarded write for a list of rows, in the order of their ids.
const ROTATE_ALL: &str = "
    UPDATE session s SET base = w.head, head = w.head + 1, handed_at = w.next_at, healed = false,
        contested_at = NULL, last_used_at = w.next_at, refresh_count = s.refresh_count + 1
    FROM unnest($1::uuid[], $2::int8[], $3::int8[], $4::int8[]) AS w (id, head, handed_at, next_at),
        set_config('synchronous_commit', 'off', true) relaxed
    WHERE s.id = w.id AND s.base = w.head - 1 AND s.head = w.head AND s.handed_at = w.handed_at AND NOT s.healed
        AND s.contested_at IS NULL
    RETURNING s.id";

/// The same, and a row that somebody else holds is left out instead of waited for.
const ROTATE_ALL_BUT_HELD: &str = "
    WITH free AS MATERIALIZED (
        SELECT id FROM session WHERE id = ANY($1) ORDER BY id FOR NO KEY UPDATE SKIP LOCKED)
    UPDATE session s SET base = w.head, head = w.head + 1, handed_at = w.next_at, healed = false,
        contested_at = NULL, last_used_at = w.next_at, refresh_count = s.refresh_count + 1
    FROM unnest($1::uuid[], $2::int8[], $3::int8[], $4::int8[]) AS w (id, head, handed_at, next_at),
        free, set_config('synchronous_commit', 'off', true) relaxed
    WHERE free.id = w.id AND s.id = w.id AND s.base = w.head - 1 AND s.head = w.head
        AND s.handed_at = w.handed_at AND NOT s.healed AND s.contested_at IS NULL
    RETURNING s.id";

/// How batches are made.
#[derive(Clone, Copy, Debug)]
pub struct Batches {
    /// Connections that take what waits, each when it is free.
    pub connections: usize,
    /// Leaves rows out that somebody else holds.
    pub skip_locked: bool,
}

/// Rotations that wait for a connection.
pub struct Queue {
    waiting: Mutex<VecDeque<(Order, oneshot::Sender<bool>)>>,
    wake: Notify,
}

// === impl Queue ===

impl Queue {
    /// The queue, and those who empty it.
    pub async fn open(url: &str, batches: Batches) -> Result<(Arc<Self>, JoinSet<()>)> {
        let queue = Arc::new(Self { waiting: Mutex::default(), wake: Notify::new() });
        let mut workers = JoinSet::new();
        for _ in 0..batches.connections {
            let (client, _running) = database::connect(url).await?;
            let sql = if batches.skip_locked { ROTATE_ALL_BUT_HELD } else { ROTATE_ALL };
            let statement = client.prepare(sql).await.map_err(failed("prepare"))?;
            let queue = Arc::clone(&queue);
            workers.spawn(async move {
                if let Err(failure) = queue.empty(&client, &statement).await {
                    eprintln!("tenure-bench: a batch failed: {failure}");
                }
            });
        }
        Ok((queue, workers))
    }

    /// Whether the row was as it was said to be.
    pub async fn rotate(&self, order: Order) -> Result<bool> {
        let (tell, told) = oneshot::channel();
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).push_back((order, tell));
        self.wake.notify_one();
        told.await.map_err(|_| Failure("a batch failed".into()))
    }

    async fn empty(&self, client: &Client, statement: &Statement) -> Result<()> {
        loop {
            let some = self.take();
            if some.is_empty() {
                self.wake.notified().await;
                continue;
            }
            let orders: Vec<Order> = some.iter().map(|(order, _)| *order).collect();
            let written = rotate_all(client, statement, &orders).await.map_err(failed("update"))?;
            for (order, tell) in some {
                // Whoever asked may be gone.
                let _ = tell.send(written.binary_search(&order.id).is_ok());
            }
        }
    }

    /// What waits, each session once, in the order of ids: two batches then never wait for each other's rows.
    fn take(&self) -> Vec<(Order, oneshot::Sender<bool>)> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let count = waiting.len().min(LENGTH_MAX);
        let mut some: Vec<_> = waiting.drain(..count).collect();
        if !waiting.is_empty() {
            self.wake.notify_one();
        }
        drop(waiting);
        some.sort_by_key(|(order, _)| order.id);
        some
    }
}

/// The sessions that were written, in order.
async fn rotate_all(
    client: &Client,
    statement: &Statement,
    orders: &[Order],
) -> Result<Vec<Uuid>, tokio_postgres::Error> {
    let ids: Vec<Uuid> = orders.iter().map(|order| order.id).collect();
    let column = |value: fn(i64) -> i64| orders.iter().map(|order| value(order.head)).collect::<Vec<i64>>();
    let (heads, handed, next) = (column(|head| head), column(handed_at), column(|head| handed_at(head + 1)));
    let params: [&(dyn ToSql + Sync); 4] = [&ids, &heads, &handed, &next];
    let rows = client.query(statement, &params).await?;
    let mut written: Vec<Uuid> = rows.iter().map(|row| row.get(0)).collect();
    written.sort_unstable();
    Ok(written)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_batch_takes_what_waits_up_to_its_length_in_the_order_of_ids() {
        let queue = Queue { waiting: Mutex::default(), wake: Notify::new() };
        for n in (0..100).rev() {
            let order = Order { id: Uuid::from_u64_pair(n, 0), head: 1 };
            queue.waiting.lock().unwrap().push_back((order, oneshot::channel().0));
        }
        let ids = || queue.take().into_iter().map(|(order, _)| order.id.as_u64_pair().0).collect::<Vec<_>>();
        assert_eq!(ids(), (36..100).collect::<Vec<_>>());
        assert_eq!(ids(), (0..36).collect::<Vec<_>>());
        assert!(ids().is_empty());
    }
}
