//! Migrations of SQLite: on a fresh database, again, at the same time, and on one from the future.

use std::sync::Arc;

use tenure_store::StoreError;
use tenure_store::sqlite::{SqliteStore, migrate};

use crate::backend::{Backend as _, Sqlite};
use crate::world::{MINUTE, T0, World, name_of};

#[test]
fn a_fresh_database_gets_everything_and_remembers_when() {
    let sqlite = Sqlite::fresh(true);
    let path = sqlite.path();
    let planned = migrate::plan(&path).unwrap();
    assert!(!planned.is_empty() && planned.iter().all(|step| step.applied_at.is_none()));
    assert!(!path.exists(), "asking must not create anything");
    let ran = migrate::up(&path, T0).unwrap();
    assert_eq!(ran, planned);
    let status = migrate::status(&path).unwrap();
    assert_eq!(status.len(), ran.len());
    assert!(status.iter().all(|step| step.applied_at == Some(T0)));
    let numbers: Vec<_> = status.iter().map(|step| step.number).collect();
    assert!(numbers[0] == 1 && numbers.is_sorted_by(|one, next| one < next), "{numbers:?}");
    assert!(migrate::plan(&path).unwrap().is_empty());
}

#[test]
fn running_them_again_changes_nothing() {
    let sqlite = Sqlite::fresh(true);
    migrate::up(&sqlite.path(), T0).unwrap();
    assert!(migrate::up(&sqlite.path(), T0 + MINUTE).unwrap().is_empty());
    drop(SqliteStore::open(sqlite.options()).unwrap());
    assert!(migrate::status(&sqlite.path()).unwrap().iter().all(|step| step.applied_at == Some(T0)));
}

/// The version before may still serve, and has never heard of what the new steps add.
#[tokio::test]
async fn a_database_of_the_version_before_is_brought_up_under_its_feet_and_keeps_what_it_holds() {
    let sqlite = Arc::new(Sqlite::fresh(true));
    let before = World::of(sqlite.clone());
    let session = before.sign_in(&before.user("ada").await).await;
    sqlite.sql("DROP TABLE client_report; DELETE FROM migration WHERE number = 2");
    let ran = migrate::up(&sqlite.path(), T0 + MINUTE).unwrap();
    assert_eq!(ran.iter().map(|step| step.number).collect::<Vec<_>>(), [2]);
    assert_eq!(sqlite.number("SELECT count(*) FROM client_report"), 0);
    let jar = before.jar(&session);
    for world in [&before, &World::of(sqlite)] {
        assert_eq!(name_of(&world.refresh(&jar, T0 + MINUTE).await), "served");
    }
}

#[test]
fn of_many_that_start_at_once_one_migrates_and_all_open() {
    for _ in 0..5 {
        let sqlite = Arc::new(Sqlite::fresh(true));
        let start = Arc::new(std::sync::Barrier::new(8));
        let threads: Vec<_> = (0..8)
            .map(|_| {
                let (sqlite, start) = (Arc::clone(&sqlite), Arc::clone(&start));
                std::thread::spawn(move || {
                    start.wait();
                    SqliteStore::open(sqlite.options()).map(drop)
                })
            })
            .collect();
        for thread in threads {
            thread.join().unwrap().unwrap();
        }
        let applied = sqlite.number("SELECT count(*) FROM migration");
        assert_eq!(applied as usize, migrate::status(&sqlite.path()).unwrap().len());
    }
}

#[test]
fn a_database_newer_than_the_program_is_refused_and_left_alone() {
    let sqlite = Sqlite::fresh(true);
    migrate::up(&sqlite.path(), T0).unwrap();
    sqlite.sql("INSERT INTO migration (number, name, applied_at) VALUES (9999, 'tomorrow', 1)");
    let before = sqlite.number("SELECT count(*) FROM sqlite_schema");
    let refusals = [
        SqliteStore::open(sqlite.options()).map(drop),
        migrate::up(&sqlite.path(), T0).map(drop),
        migrate::status(&sqlite.path()).map(drop),
    ];
    for refusal in refusals {
        let error = refusal.unwrap_err();
        assert!(matches!(error, StoreError::Corrupt { .. }));
        assert!(error.to_string().contains("9999"), "{error}");
    }
    assert_eq!(sqlite.number("SELECT count(*) FROM sqlite_schema"), before);
}
