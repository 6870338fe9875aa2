//! The machine fails: the store says so, loses nothing, and recovers by itself.

use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::sync::Arc;

use tenure_domain::ends::EndReason;
use tenure_store::sqlite::{SqliteOptions, SqliteStore};
use tenure_store::{Device, Scope, Store, StoreError, Users as _};
use tokio::task::JoinSet;

use crate::backend::{Backend as _, Sqlite};
use crate::process::{MARK, again, database, hear};
use crate::world::{QUIET, SECOND, Seeded, T0, World, device, name_of, new_session, new_user, order};

fn is_unavailable<T>(result: Result<T, StoreError>) -> bool {
    matches!(result, Err(StoreError::Unavailable(_)))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_held_by_another_process_is_unavailable_and_comes_back_by_itself() {
    let sqlite = Arc::new(Sqlite::fresh(true));
    let options = SqliteOptions { busy_timeout: SECOND / 20, ..sqlite.options() };
    let store: Arc<dyn Store> = Arc::new(SqliteStore::open(options).unwrap());
    let world = World { store, ..World::of(sqlite.clone()) };
    let ada = world.user("ada").await;
    let session = world.sign_in(&ada).await;
    let jar = world.jar(&session);
    let holder = sqlite.connection();
    holder.execute_batch("BEGIN IMMEDIATE").unwrap();
    let mut writes = JoinSet::new();
    for _ in 0..20 {
        let (store, request) = (Arc::clone(&world.store), world.request(&[&jar]));
        writes.spawn(async move { is_unavailable(store.session_refresh(request, T0 + QUIET).await) });
    }
    assert_eq!(writes.join_all().await, [true; 20]);
    assert!(is_unavailable(world.store.check().await));
    // Whoever is signed in is let in meanwhile.
    assert!(world.stands(&session, &ada).await);
    assert_eq!(world.store.session_list(ada.id, false, 9, T0).await.unwrap().len(), 1);
    holder.execute_batch("ROLLBACK").unwrap();
    assert_eq!(name_of(&world.refresh(&jar, T0 + QUIET).await), "served");
    world.store.check().await.unwrap();
}

#[tokio::test]
async fn a_full_disk_is_unavailable_loses_nothing_and_sweeping_makes_room() {
    let sqlite = Arc::new(Sqlite::fresh(true));
    let options = SqliteOptions { pages_max: Some(110), ..sqlite.options() };
    let store: Arc<dyn Store> = Arc::new(SqliteStore::open(options).unwrap());
    let world = World { store, ..World::of(sqlite) };
    let ada = world.user("ada").await;
    let mut sessions = Vec::new();
    let full = loop {
        let long = Device { user_agent: Some("x".repeat(250)), ..Device::default() };
        let new = tenure_store::NewSession { device: long, ..new_session(T0) };
        match world.store.session_create(ada.id, ada.token_version, new, T0).await {
            Ok(tenure_store::SessionCreated::Created { session, .. }) => sessions.push(session),
            Ok(_) => panic!("not created"),
            Err(error) => break error,
        }
    };
    assert!(is_unavailable::<()>(Err(full)));
    assert!(sessions.len() > 50);
    assert_eq!(world.store.session_count(T0).await.unwrap().total(), sessions.len() as u64);
    // What takes no room goes on: everybody who is signed in stays so, and can be ended.
    for session in &sessions[..10] {
        assert_eq!(name_of(&world.refresh(&world.jar(session), T0 + QUIET).await), "served");
        assert!(world.stands(session, &ada).await);
    }
    let sweepable = sessions[0].expires_at + QUIET;
    assert!(world.store.sweep(sweepable, 40).await.unwrap() > 0);
    world.sign_in_at(&ada, Device::default(), sweepable).await;
}

#[tokio::test]
async fn a_failed_step_of_one_write_takes_back_that_write_alone() {
    for use_stamp in [true, false] {
        let sqlite = Arc::new(Sqlite::fresh(use_stamp));
        let world = World::of(sqlite.clone());
        let (ada, eve) = (world.user("ada").await, world.user("eve").await);
        let ended = world.sign_in_at(&ada, device("laptop"), T0).await;
        let served = world.sign_in(&eve).await;
        // The last of several statements fails, for this one user.
        let hex: String = ada.id.as_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
        sqlite
            .connection()
            .execute_batch(&format!(
                "CREATE TRIGGER broken BEFORE INSERT ON session WHEN NEW.user_id = x'{hex}' \
                 BEGIN SELECT RAISE(FAIL, 'broken'); END"
            ))
            .unwrap();
        let new = tenure_store::NewSession { device: device("laptop"), ..new_session(T0) };
        let create = world.store.session_create(ada.id, ada.token_version, new, T0);
        let jar = world.jar(&served);
        let (create, refresh) = tokio::join!(create, world.refresh(&jar, T0 + QUIET));
        assert!(is_unavailable(create.map(drop)));
        assert_eq!(name_of(&refresh), "served");
        // The session that the failed sign-in would have replaced lives.
        assert_eq!(name_of(&world.refresh(&world.jar(&ended), T0 + QUIET).await), "served");
        let new = tenure_store::NewUser {
            home: tenure_store::Home::Own(tenure_store::NewAccount::named("acme")),
            ..new_user("bob")
        };
        world
            .backend
            .sql("CREATE TRIGGER worse BEFORE INSERT ON user BEGIN SELECT RAISE(ROLLBACK, 'worse'); END");
        assert!(is_unavailable(world.store.user_create(new, None, T0).await.map(drop)));
        assert_eq!(world.backend.number("SELECT count(*) FROM account WHERE name = 'acme'"), 0);
        world.backend.sql("DROP TRIGGER worse; DROP TRIGGER broken");
        world.user("bob").await;
    }
}

#[tokio::test]
async fn a_statement_that_undoes_the_whole_transaction_fails_its_batch_and_commits_none_of_it() {
    for use_stamp in [true, false] {
        let world = World::of(Arc::new(Sqlite::fresh(use_stamp)));
        let (ada, eve) = (world.user("ada").await, world.user("eve").await);
        let session = world.sign_in(&ada).await;
        world.backend.sql(
            "CREATE TRIGGER undo BEFORE UPDATE OF name ON user BEGIN SELECT RAISE(ROLLBACK, 'undone'); END",
        );
        for _ in 0..20 {
            // Which share a batch is chance; none may be answered one way and stored another.
            let by_user = order(EndReason::SignedOut);
            let end = world.store.session_end(ada.id, Scope::All, true, by_user, T0);
            let rename = world.store.user_rename(eve.id, "x".into(), T0);
            let create = world.store.user_create(new_user("new"), None, T0);
            let (end, rename, create) = tokio::join!(end, rename, create);
            assert!(is_unavailable(rename));
            let stored = world.store.session_find(session.id).await.unwrap().unwrap().session;
            assert_eq!(stored.ended.is_some(), end.is_ok());
            let is_there = world.store.user_find_by_email("new@example.com").await.unwrap().is_some();
            assert_eq!(is_there, create.is_ok());
            world.backend.sql("UPDATE session SET ended_at = NULL; DELETE FROM user WHERE name = 'new'");
        }
    }
}

#[tokio::test]
async fn a_closed_store_has_finished_its_writes_and_refuses_everything() {
    for world in World::each() {
        let ada = world.user("ada").await;
        let session = world.sign_in(&ada).await;
        let jar = world.jar(&session);
        world.caller(&session).await.unwrap();
        let mut writes = JoinSet::new();
        for seconds in 0..50 {
            let (store, id, version) = (Arc::clone(&world.store), ada.id, ada.token_version);
            let now = T0 + seconds * SECOND;
            writes
                .spawn(async move { store.session_create(id, version, new_session(now), now).await.is_ok() });
        }
        tokio::task::yield_now().await;
        world.store.close().await;
        let done = writes.join_all().await.into_iter().filter(|ok| *ok).count();
        world.store.close().await;
        assert!(is_unavailable(world.store.session_refresh(world.request(&[&jar]), T0).await.map(drop)));
        assert!(is_unavailable(world.store.caller(session.id).await));
        assert!(is_unavailable(world.store.key_epoch().await));
        assert!(is_unavailable(world.store.session_count(T0).await));
        assert!(is_unavailable(world.store.check().await));
        let world = World::of(world.backend);
        assert_eq!(world.store.session_count(T0).await.unwrap().total(), 1 + done as u64);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_writes_is_shed_and_what_was_taken_on_is_done() {
    let sqlite = Arc::new(Sqlite::fresh(true));
    let world = World::of(sqlite.clone());
    let ada = world.user("ada").await;
    let holder = sqlite.connection();
    holder.execute_batch("BEGIN IMMEDIATE").unwrap();
    let mut writes = JoinSet::new();
    for i in 0..6_000_u32 {
        let (store, id, version) = (Arc::clone(&world.store), ada.id, ada.token_version);
        let now = T0 + i * SECOND;
        writes.spawn(async move { store.session_create(id, version, new_session(now), now).await.map(drop) });
    }
    // Let go when the first has been shed.
    let mut outcomes = vec![writes.join_next().await.unwrap().unwrap()];
    assert!(matches!(outcomes[0], Err(StoreError::Overloaded)));
    holder.execute_batch("ROLLBACK").unwrap();
    outcomes.extend(writes.join_all().await);
    let (done, shed): (Vec<_>, Vec<_>) = outcomes.into_iter().partition(Result::is_ok);
    assert!(shed.iter().all(|outcome| matches!(outcome, Err(StoreError::Overloaded))));
    assert!(!done.is_empty() && !shed.is_empty());
    assert_eq!(world.store.session_count(T0).await.unwrap().total(), done.len() as u64);
}

#[tokio::test]
async fn the_files_are_for_their_owner_alone() {
    let sqlite = Sqlite::fresh(true);
    let store = SqliteStore::open(sqlite.options()).unwrap();
    store.user_create(new_user("ada"), None, T0).await.unwrap();
    let mut names = Vec::new();
    for entry in std::fs::read_dir(sqlite.folder.path()).unwrap() {
        let entry = entry.unwrap();
        assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{:?}", entry.path());
        names.push(entry.file_name().into_string().unwrap());
    }
    names.sort();
    assert_eq!(names, ["tenure.db", "tenure.db-shm", "tenure.db-wal"]);
    store.close().await;
    drop(store);
    assert!(!sqlite.folder.path().join("tenure.db-wal").exists());
}

#[tokio::test]
async fn what_cannot_be_opened_says_why() {
    let sqlite = Sqlite::fresh(true);
    let open = |path: &str| {
        let path = sqlite.folder.path().join(path);
        let result = SqliteStore::open(SqliteOptions { path, ..sqlite.options() });
        result.map(drop).unwrap_err().to_string()
    };
    assert!(open("no/such/folder.db").contains("No such file"));
    assert!(open(".").contains("unable to open"));
    std::fs::write(
        sqlite.folder.path().join("text"),
        "this is no database, however long it may be".repeat(99),
    )
    .unwrap();
    assert!(open("text").contains("not a database"));
}

/// A file that its process may only read: refused with a reason, and unharmed. Root may write anything, so
/// the process is another user's where the tests run as root.
#[tokio::test]
async fn a_database_that_may_only_be_read_is_refused_with_a_reason() {
    let sqlite = Arc::new(Sqlite::fresh(true));
    let world = World::of(sqlite.clone());
    let session = world.sign_in(&world.user("ada").await).await;
    world.store.close().await;
    let folder = sqlite.folder.path();
    // The test binary may lie where another user cannot reach it.
    let binary = folder.join("contract");
    std::fs::copy(std::env::current_exe().unwrap(), &binary).unwrap();
    let set_mode = |path: &std::path::Path, mode| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    set_mode(&sqlite.path(), 0o444);
    set_mode(folder, 0o555);
    let of_ours = again("faults::the_body_of_one_who_may_only_read", &sqlite.address());
    let mut command = std::process::Command::new(&binary);
    command.args(of_ours.get_args()).env(crate::process::DATABASE, sqlite.path());
    let is_root = std::fs::OpenOptions::new().append(true).open(sqlite.path()).is_ok();
    if is_root {
        command.uid(65_534).gid(65_534);
    }
    let mut child = command.stdout(std::process::Stdio::piped()).spawn().unwrap();
    let mut mouth = std::io::BufReader::new(child.stdout.take().unwrap());
    let said = hear(&mut mouth);
    while hear(&mut mouth).is_some() {}
    child.wait().unwrap();
    set_mode(folder, 0o700);
    set_mode(&sqlite.path(), 0o600);
    let said = said.unwrap();
    assert!(said.contains("readonly") || said.contains("unable to open"), "{said}");
    let world = World::of(sqlite);
    assert!(world.store.session_find(session.id).await.unwrap().is_some());
}

#[test]
fn the_body_of_one_who_may_only_read() {
    let Some(path) = database() else { return };
    let options = SqliteOptions::new(path.into(), Arc::new(Seeded::new(1)), T0);
    match SqliteStore::open(options) {
        Ok(_) => println!("{MARK}opened"),
        Err(error) => println!("{MARK}{error}"),
    }
}
