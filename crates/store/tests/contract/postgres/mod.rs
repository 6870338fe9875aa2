//! What concerns PostgreSQL alone: machines that fail one by one, nodes that come and go, and what lies between them.

mod coherence;
mod faults;
mod load;
mod migrations;
mod outages;
mod pooler;
mod round_trips;
mod tls;

use std::sync::Arc;

use tenure_store::StoreError;
use tenure_store::postgres::PostgresOptions;

use crate::backend::Postgres;
use crate::world::{SECOND, World};

/// A world on a fresh database, with a store that is opened like this.
fn world_with(postgres: &Arc<Postgres>, options: impl FnOnce(PostgresOptions) -> PostgresOptions) -> World {
    let store = postgres.store(options(postgres.options()));
    World { store, ..World::of(Arc::clone(postgres) as _) }
}

fn is_unavailable<T>(result: Result<T, StoreError>) -> bool {
    matches!(result, Err(StoreError::Unavailable(_)))
}

/// Whether this node hears of changes. It is no longer sure of it as soon as a busy machine has held it up.
fn is_live(world: &World) -> Result<(), StoreError> {
    let why = || StoreError::Unavailable("the feed is not live".into());
    world.store.vitals().feed_live.then_some(()).ok_or_else(why)
}

/// Tries again until it succeeds, and panics when that takes half a minute: a busy machine may take long to notice.
async fn recovers<T>(what: &str, mut attempt: impl AsyncFnMut() -> Result<T, StoreError>) -> T {
    let mut last = None;
    let trying = async {
        loop {
            match attempt().await {
                Ok(done) => break done,
                Err(StoreError::Unavailable(why)) => last = Some(why),
                Err(other) => panic!("{what}: {other}"),
            }
            tokio::time::sleep(SECOND / 50).await;
        }
    };
    let recovered = tokio::time::timeout(30 * SECOND, trying).await;
    recovered.unwrap_or_else(|_| panic!("{what} does not recover: {last:?}"))
}
