//! Migrations on PostgreSQL: on a fresh database, again, by many at once, and under the feet of those who serve.

use std::sync::Arc;

use tenure_rig::postgres_for_tests;
use tenure_store::StoreError;
use tenure_store::postgres::{PostgresOptions, PostgresStore, migrate};
use tokio::task::JoinSet;

use crate::backend::{Backend as _, Postgres};
use crate::world::{MINUTE, QUIET, SECOND, T0, World, name_of};

fn empty() -> Arc<Postgres> {
    Arc::new(Postgres::empty(&postgres_for_tests()))
}

#[tokio::test]
async fn a_fresh_database_gets_everything_and_remembers_when_and_what_it_needs() {
    let postgres = empty();
    let options = postgres.options();
    let planned = migrate::plan(&options).await.unwrap();
    assert!(!planned.is_empty() && planned.iter().all(|step| step.applied_at.is_none()));
    let tables = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'";
    assert_eq!(postgres.number(tables), 0, "asking must not create anything");
    assert_eq!(migrate::up(&options).await.unwrap(), planned);
    let status = migrate::status(&options).await.unwrap();
    assert!(status.iter().all(|step| step.applied_at == Some(T0)));
    let numbers: Vec<_> = status.iter().map(|step| step.number).collect();
    assert!(numbers[0] == 1 && numbers.is_sorted_by(|one, next| one < next), "{numbers:?}");
    assert_eq!(
        postgres.number("SELECT count(*) FROM migration WHERE needs BETWEEN 1 AND number"),
        numbers.len() as i64
    );
    assert!(migrate::plan(&options).await.unwrap().is_empty());
    let later = tenure_store::postgres::PostgresOptions { now: T0 + MINUTE, ..postgres.options() };
    assert!(migrate::up(&later).await.unwrap().is_empty());
    assert!(migrate::status(&options).await.unwrap().iter().all(|step| step.applied_at == Some(T0)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_eight_that_start_at_once_one_migrates_and_all_open() {
    for _ in 0..3 {
        let postgres = empty();
        let mut starts = JoinSet::new();
        for _ in 0..8 {
            let options = postgres.options();
            starts.spawn(async move { PostgresStore::open(options).await.map(drop) });
        }
        for started in starts.join_all().await {
            started.unwrap();
        }
        let known = migrate::status(&postgres.options()).await.unwrap().len();
        assert_eq!(postgres.number("SELECT count(*) FROM migration") as usize, known);
    }
}

#[tokio::test]
async fn a_step_that_fails_leaves_what_was_done_before_it_and_nothing_of_its_own() {
    let postgres = empty();
    // In the way of the fourth step, which has made a table by then.
    postgres.sql("CREATE TABLE act (n int)");
    assert!(migrate::up(&postgres.options()).await.is_err());
    let number_of = |step: &tenure_store::Migration| step.number;
    let status = migrate::status(&postgres.options()).await.unwrap();
    let done: Vec<_> = status.iter().filter(|step| step.applied_at.is_some()).map(number_of).collect();
    assert_eq!(done, [1, 2, 3]);
    assert_eq!(postgres.number("SELECT count(*) FROM pg_tables WHERE tablename = 'plan'"), 0);
    postgres.sql("DROP TABLE act");
    let run = migrate::up(&postgres.options()).await.unwrap();
    assert_eq!(run.iter().map(number_of).collect::<Vec<_>>(), (4..=status.len() as u32).collect::<Vec<_>>());
}

/// What a later version's steps would do: one that adds, and, when no old version runs any more, one that takes away.
const EXPAND: &str = "ALTER TABLE session ADD COLUMN place text NOT NULL DEFAULT 'nowhere'; \
     ALTER TABLE \"user\" ADD COLUMN nickname text; \
     CREATE TABLE passkey (id uuid PRIMARY KEY, user_id uuid NOT NULL REFERENCES \"user\" (id) ON DELETE CASCADE); \
     CREATE INDEX session_by_place ON session (place) WHERE place <> 'nowhere'; \
     INSERT INTO migration (number, name, applied_at, needs) VALUES (9001, 'expand', 1, 1)";
const CONTRACT: &str = "ALTER TABLE \"user\" DROP COLUMN name; \
     INSERT INTO migration (number, name, applied_at, needs) VALUES (9002, 'contract', 1, 9001)";

/// The way of an upgrade: this version serves all along the first step, and starts after it, as on the way back. After
/// the second, which needs what it does not know, it starts no more.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_version_before_serves_while_a_database_is_expanded_and_is_refused_when_it_is_contracted() {
    let postgres = Arc::new(Postgres::fresh());
    let before = Arc::new(World::of(postgres.clone()));
    let ada = before.user("ada").await;
    let mut jar = before.jar(&before.sign_in(&ada).await);
    before.served(&mut jar, T0 + QUIET).await;
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let serving = tokio::spawn(serve_until(Arc::clone(&before), ada.clone(), stopped));
    expand(&postgres).await;
    // A node of this version that starts now, as when an upgrade is taken back.
    let status = migrate::status(&postgres.options()).await.unwrap();
    assert!(status.iter().all(|step| step.number < 9001 && step.applied_at.is_some()));
    assert!(migrate::up(&postgres.options()).await.unwrap().is_empty());
    PostgresStore::open(postgres.options()).await.unwrap();
    let joined = before.second_handle();
    for step in 2..6 {
        let by = if step % 2 == 0 { &joined } else { &*before };
        by.served(&mut jar, T0 + step * QUIET).await;
    }
    let eve = joined.user("eve").await;
    let session = joined.sign_in(&eve).await;
    before.hear().await;
    assert!(before.stands(&session, &eve).await);
    let _ = stop.send(());
    assert!(serving.await.unwrap() > 3, "it served all along");
    postgres.sql(&format!("BEGIN; {CONTRACT}; COMMIT"));
    let refusals = [
        PostgresStore::open(postgres.options()).await.map(drop),
        migrate::up(&postgres.options()).await.map(drop),
        migrate::status(&postgres.options()).await.map(drop),
    ];
    for refusal in refusals {
        let error = refusal.unwrap_err();
        assert!(matches!(error, StoreError::Corrupt { .. }), "{error}");
        assert!(error.to_string().contains("9002") && error.to_string().contains("9001"), "{error}");
    }
}

/// As a later version does it: with less patience for locks than those have who serve.
async fn expand(postgres: &Postgres) {
    let step = format!("BEGIN; SET LOCAL lock_timeout = '200ms'; {EXPAND}; COMMIT");
    let attempt = async || postgres.database.connect().run(&step).map(drop).map_err(StoreError::Unavailable);
    super::recovers("expanding", attempt).await;
}

/// A step that needs a table waits for who is at it, and so does everybody behind the step: it lets them go first.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_a_step_cannot_have_its_table_everybody_is_served_and_then_it_is_run() {
    let postgres = Arc::new(Postgres::fresh());
    // Wide enough apart for a busy machine: a step waits 2 s for its table, a sign-in 4 s.
    let options = || PostgresOptions { statement_timeout: 8 * SECOND, ..postgres.options() };
    let world = super::world_with(&postgres, |_| options());
    let (ada, eve) = (world.user("ada").await, world.user("eve").await);
    world.sign_in(&ada).await;
    postgres.sql("DROP INDEX session_by_receipt; DELETE FROM migration WHERE number = 7");
    let shell = postgres.shell();
    shell("BEGIN; UPDATE session SET refresh_count = 7");
    let options = options();
    let step = tokio::spawn(async move { migrate::up(&options).await });
    let waits = "SELECT count(*) FROM pg_locks l JOIN pg_database d ON d.oid = l.database \
         WHERE d.datname = current_database() AND l.mode = 'ShareLock' AND NOT l.granted";
    for round in 0..2 {
        super::recovers("a step that waits", async || match postgres.number(waits) {
            0 => Err(StoreError::Unavailable("it does not".into())),
            _ => Ok(()),
        })
        .await;
        world.sign_in_at(&eve, crate::world::device("robot"), T0 + round * QUIET).await;
    }
    assert!(!step.is_finished());
    shell("COMMIT");
    let run: Vec<_> = step.await.unwrap().unwrap().iter().map(|step| step.number).collect();
    assert_eq!(run, [7]);
}

/// A step waits for less time than PostgreSQL needs to stop an autovacuum for it, and so has it stopped before.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_step_stops_what_vacuums_its_table() {
    // Its vacuums begin at once and take long.
    let server = tenure_rig::Postgres::with(&[
        "fsync=off",
        "autovacuum_naptime=1s",
        "autovacuum_vacuum_cost_delay=100ms",
        "autovacuum_vacuum_cost_limit=1",
    ]);
    let postgres = Arc::new(Postgres::on(&server.server()));
    let world = World::of(postgres.clone());
    world.sign_in(&world.user("ada").await).await;
    postgres.sql(
        "DROP INDEX session_by_receipt; DELETE FROM migration WHERE number = 7; \
         ALTER TABLE session SET (autovacuum_vacuum_threshold = 0, autovacuum_vacuum_scale_factor = 0); \
         INSERT INTO session SELECT (jsonb_populate_record(s, jsonb_build_object('id', gen_random_uuid()))).* \
           FROM session s, generate_series(1, 20000); \
         DELETE FROM session WHERE ctid > '(1,1)'",
    );
    let vacuums = "SELECT count(*) FROM pg_stat_progress_vacuum WHERE relid = 'session'::regclass";
    super::recovers("a vacuum", async || match postgres.number(vacuums) {
        0 => Err(StoreError::Unavailable("there is none".into())),
        _ => Ok(()),
    })
    .await;
    let options = PostgresOptions { statement_timeout: 2 * SECOND, ..postgres.options() };
    let run = migrate::up(&options).await.unwrap();
    assert_eq!(run.len(), 1);
}

/// Signs in, refreshes and signs out without a failure; gives how often.
async fn serve_until(
    world: Arc<World>,
    user: tenure_store::User,
    mut stopped: tokio::sync::oneshot::Receiver<()>,
) -> u32 {
    let (mut rounds, mut is_stopped) = (0, false);
    while !is_stopped || rounds < 5 {
        // Told once: whoever asks again hears that nobody is there to tell.
        is_stopped |= stopped.try_recv().is_ok();
        let session = world.sign_in_at(&user, crate::world::device("robot"), T0 + rounds * QUIET).await;
        let mut jar = world.jar(&session);
        world.served(&mut jar, T0 + (rounds + 1) * QUIET).await;
        assert!(world.stands(&session, &user).await);
        assert_eq!(name_of(&world.refresh(&jar, T0 + (rounds + 1) * QUIET).await), "served");
        rounds += 1;
    }
    rounds
}
