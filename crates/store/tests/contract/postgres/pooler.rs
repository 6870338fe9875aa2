//! Through a pooler that gives every transaction whichever connection is free: nothing may rest on a connection.

use std::sync::Arc;
use std::time::Duration;

use tenure_rig::PgBouncer;
use tenure_store::postgres::PostgresOptions;
use tenure_store::{Result, Store};

use crate::backend::{Backend, Postgres, Shell};
use crate::coherence::check_every_write;
use crate::races::{heads, pair, present_at_once};
use crate::world::{QUIET, T0, World};

/// A database whose handles come by way of the pooler.
struct Pooled {
    direct: Postgres,
    url: String,
}

impl Backend for Pooled {
    fn name(&self) -> &'static str {
        "postgres behind a pooler"
    }

    fn address(&self) -> String {
        self.url.clone()
    }

    fn open(&self) -> Result<Arc<dyn Store>> {
        let options = self.direct.options();
        Ok(self.direct.store(PostgresOptions { url: self.url.clone(), prepared: false, ..options }))
    }

    fn sql(&self, statements: &str) {
        self.direct.sql(statements);
    }

    fn number(&self, query: &str) -> i64 {
        self.direct.number(query)
    }

    fn shell(&self) -> Shell {
        self.direct.shell()
    }

    fn id(&self, id: &[u8; 16]) -> String {
        self.direct.id(id)
    }

    fn staleness(&self) -> Duration {
        self.direct.staleness()
    }

    fn is_postgres(&self) -> bool {
        true
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_store_without_prepared_statements_keeps_its_promises_behind_a_pooler() {
    let server = tenure_rig::Postgres::start();
    let bouncer = PgBouncer::start(&server);
    let direct = Postgres::on(&server.server());
    let url = bouncer.url(direct.database.name());
    let world = World::of(Arc::new(Pooled { direct, url }));
    let other = world.second_handle();
    check_every_write(&world, &world, "ada").await;
    check_every_write(&world, &other, "eve").await;
    world.store.check().await.unwrap();
    // More calls at once than the pooler has connections, over more handles.
    let worlds = pair(world);
    let user = worlds[0].user("bob").await;
    let session = worlds[0].sign_in(&user).await;
    let mut jar = worlds[0].jar(&session);
    for step in 1..=20 {
        let outcomes = present_at_once(&worlds, &jar, 16, T0 + step * QUIET).await;
        let successors = heads(&outcomes);
        assert!(successors.iter().all(|head| *head == successors[0]));
        let stored = worlds[1].store.session_find(session.id).await.unwrap().unwrap().session;
        jar = worlds[1].jar(&stored);
    }
    // What is relaxed for a rotation is not relaxed for whoever is given the connection next.
    let relaxed = "SELECT count(*) FROM pg_settings WHERE name = 'synchronous_commit' AND setting <> 'on'";
    assert_eq!(tenure_rig::Server::at(worlds[0].backend.address()).sql(relaxed), [[Some("0".to_owned())]]);
}
