//! Rotations on PostgreSQL with nothing around them: the guarded write of a row that is known already, through the
//! product's own driver and kind of pool, with commits as relaxed as the product's.

mod batch;

use std::sync::Arc;
use std::time::{Duration, Instant};

use deadpool_postgres::{Manager, ManagerConfig, Object, Pool, RecyclingMethod};
use tokio::runtime::Runtime;
use tokio::task::JoinSet;
use tokio_postgres::NoTls;
use uuid::Uuid;

pub use batch::Batches;

use crate::clock;
use crate::database::{self, Database, failed};
use crate::failure::{Context as _, Failure, Result};
use crate::proc::cores;
use crate::random::Random;
use crate::stats::{Stats, Summary};
use batch::Queue;

/// As wide as Tenure's session table, with the same room for new versions, and without its indexes, which a rotation
/// does not touch.
const SCHEMA: &str = "
    CREATE TABLE session (
        id uuid NOT NULL PRIMARY KEY, user_id uuid NOT NULL, salt bytea NOT NULL, remembered boolean NOT NULL,
        created_at bigint NOT NULL, expires_at bigint NOT NULL,
        base bigint NOT NULL, head bigint NOT NULL, handed_at bigint NOT NULL, healed boolean NOT NULL,
        contested_at bigint, last_used_at bigint NOT NULL, refresh_count bigint NOT NULL,
        ended_at bigint, end_reason text, end_actor text, end_note text, receipt text
    ) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.05)";

const INSERT: &str = "
    INSERT INTO session (id, user_id, salt, remembered, created_at, expires_at, base, head, handed_at, healed,
        last_used_at, refresh_count)
    SELECT id, id, uuid_send(id), true, at, at + 1728000000, 0, 1, at, false, at, 0
    FROM unnest($1::uuid[]) AS id, (SELECT $2::bigint AS at) AS now";

/// The compare-and-swap of protocol.md section 4.
const ROTATE: &str = "
    UPDATE session s SET base = $2, head = $3, handed_at = $4, healed = false, contested_at = NULL,
        last_used_at = $4, refresh_count = s.refresh_count + 1
    FROM set_config('synchronous_commit', 'off', true) relaxed
    WHERE s.id = $1 AND s.base = $5 AND s.head = $6 AND s.handed_at = $7 AND NOT s.healed
        AND s.contested_at IS NULL";

const CREATED_AT: i64 = 1_700_000_000_000;

/// Answers that come sooner after the start are not counted: connections are being made.
const WARM_UP: Duration = Duration::from_millis(300);

/// A table of sessions that many presenters rotate at once, each its own.
pub struct Updates {
    runtime: Runtime,
    url: String,
    /// Each session's head; `base` and `handed_at` follow from it. Presenters take them along and bring them back.
    heads: Vec<u32>,
}

/// One rotation: a session and the head it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Order {
    id: Uuid,
    head: i64,
}

/// How a rotation reaches the database.
#[derive(Clone)]
enum Way {
    /// By a statement of its own, on any connection of a pool.
    Singly(Pool),
    /// Together with those that wait beside it.
    Together(Arc<Queue>),
}

// === impl Updates ===

impl Updates {
    /// Fills a database that is empty.
    pub fn prepare(database: &Database<'_>, sessions: usize) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(cores())
            .enable_all()
            .build()
            .context("runtime")?;
        database.run(&[SCHEMA])?;
        runtime.block_on(async {
            let (client, _running) = database::connect(&database.url).await?;
            let all: Vec<Uuid> = (0..sessions).map(id).collect();
            for some in all.chunks(20_000) {
                client.execute(INSERT, &[&some, &CREATED_AT]).await.map_err(failed("fill"))?;
            }
            Ok::<_, Failure>(())
        })?;
        database.run(&["VACUUM (ANALYZE) session", "CHECKPOINT"])?;
        Ok(Self { runtime, url: database.url.clone(), heads: vec![1; sessions] })
    }

    /// Each by a statement of its own, over a pool of so many connections.
    pub fn singly(&mut self, time: Duration, presenters: usize, connections: usize) -> Result<Summary> {
        let config = self.url.parse().context(&self.url)?;
        let recycling = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        let manager = Manager::from_config(config, NoTls, recycling);
        let pool = Pool::builder(manager).max_size(connections).build().context("a pool")?;
        self.measure(time, presenters, Way::Singly(pool))
    }

    /// In batches of those that wait at the same time.
    pub fn together(&mut self, time: Duration, presenters: usize, batches: Batches) -> Result<Summary> {
        let (queue, workers) = self.runtime.block_on(Queue::open(&self.url, batches))?;
        let summary = self.measure(time, presenters, Way::Together(queue));
        drop(workers);
        summary
    }

    fn measure(&mut self, time: Duration, presenters: usize, way: Way) -> Result<Summary> {
        let from = clock::now() + WARM_UP;
        let until = from + time;
        // Dealt out, so that no two ever present the same session.
        let hands = (0..presenters).map(|n| self.heads.iter().copied().skip(n).step_by(presenters).collect());
        let hands: Vec<Vec<u32>> = hands.collect();
        let mut stats = Stats::default();
        let heads = &mut self.heads;
        self.runtime.block_on(async {
            let mut running = JoinSet::new();
            for (n, hand) in hands.into_iter().enumerate() {
                let presenter = Presenter { n, of: presenters, heads: hand, way: way.clone() };
                running.spawn(presenter.present(from, until));
            }
            while let Some(ended) = running.join_next().await {
                let (presenter, counted) = ended.context("a presenter")??;
                let places = (presenter.n..).step_by(presenters);
                places.zip(presenter.heads).for_each(|(at, head)| heads[at] = head);
                stats.merge(counted);
            }
            Ok::<_, Failure>(())
        })?;
        Ok(stats.summary(from, until))
    }
}

/// Number `n` of `of`, with the heads of the sessions that fell to it.
struct Presenter {
    n: usize,
    of: usize,
    heads: Vec<u32>,
    way: Way,
}

// === impl Presenter ===

impl Presenter {
    async fn present(mut self, from: Instant, until: Instant) -> Result<(Self, Stats)> {
        let mut random = Random::new(self.n as u64);
        let mut stats = Stats::default();
        loop {
            let began = clock::now();
            if began >= until {
                return Ok((self, stats));
            }
            let at = random.below(self.heads.len());
            let order = Order { id: id(self.n + at * self.of), head: i64::from(self.heads[at]) };
            if !self.way.rotate(order).await? {
                return Err(Failure("a swap did not find its row as it was left".into()));
            }
            self.heads[at] += 1;
            let ended = clock::now();
            if ended >= from && ended < until {
                stats.good("rotation", "rotated", ended - began, ended);
            }
        }
    }
}

// === impl Way ===

impl Way {
    async fn rotate(&self, order: Order) -> Result<bool> {
        match self {
            Self::Singly(pool) => {
                let client = pool.get().await.context("a connection")?;
                Ok(rotate(&client, order).await.map_err(failed("update"))? == 1)
            }
            Self::Together(queue) => queue.rotate(order).await,
        }
    }
}

async fn rotate(client: &Object, Order { id, head }: Order) -> Result<u64, tokio_postgres::Error> {
    let statement = client.prepare_cached(ROTATE).await?;
    let (next, before) = (head + 1, head - 1);
    client.execute(&statement, &[&id, &head, &next, &handed_at(next), &before, &head, &handed_at(head)]).await
}

fn handed_at(head: i64) -> i64 {
    CREATED_AT + (head - 1) * 90_000
}

/// Like a UUIDv7: grows with time at the front, random behind.
fn id(n: usize) -> Uuid {
    let n = n as u64;
    Uuid::from_u64_pair(n, Random::new(n).draw())
}
