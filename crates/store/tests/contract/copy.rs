//! Moving from SQLite to PostgreSQL: everything as it was, SQLite out of use, and no crash that costs anything.

use std::io::BufReader;
use std::sync::Arc;

use tenure_domain::ends::EndReason;
use tenure_domain::session::Session;
use tenure_domain::time::Timestamp;
use tenure_rig::postgres_for_tests;
use tenure_store::copy::{self, Move, MoveError, Progress, Report};
use tenure_store::postgres::PostgresOptions;
use tenure_store::{
    ConsoleKey, ConsolePayload, ConsoleSession, Device, NewSession, ReportNumber, Scope, SessionCreated,
    StoreError, StoredKey, User,
};

use crate::backend::{Backend, Postgres, Sqlite};
use crate::process::{MARK, again, database, hear};
use crate::world::{Jar, QUIET, SECOND, Seeded, T0, World, device, name_of, new_session, order};

/// Names the other database to a process that moves and is killed, and when it stops to be.
const TO: &str = "TENURE_TEST_TO";
const STAGE: &str = "TENURE_TEST_STAGE";

/// Sessions besides those that are in the middle of something: more than two pages, or just a few.
const MANY: usize = 4_500;
const FEW: usize = 100;

/// An installation on SQLite, and what its people hold.
struct Installation {
    sqlite: Arc<Sqlite>,
    world: World,
    ada: User,
    /// Jars that must be served.
    honest: Vec<(Jar, Session)>,
    ended: (Jar, Session),
}

impl Installation {
    async fn with(crowd: usize) -> Self {
        let sqlite = Arc::new(Sqlite::fresh(true));
        let world = World::of(Arc::clone(&sqlite) as _);
        let ada = world.user("ada").await;
        let mut honest = Vec::new();
        let fresh = world.sign_in_at(&ada, device("a"), T0).await;
        honest.push((world.jar(&fresh), fresh));
        // The answer arrived.
        let refreshed = world.sign_in_at(&ada, device("b\u{e4}"), T0).await;
        let mut jar = world.jar(&refreshed);
        world.served(&mut jar, T0 + QUIET).await;
        honest.push((jar, refreshed));
        // The answer was lost.
        let lost = world.sign_in(&ada).await;
        let jar = world.jar(&lost);
        world.served(&mut jar.clone(), T0 + QUIET).await;
        honest.push((jar, lost));
        // The store is behind the jar, and then heals.
        for heals in [false, true] {
            let healed = world.sign_in(&ada).await;
            let mut jar = world.jar(&healed);
            world.served(&mut jar, T0 + QUIET).await;
            sqlite.sql(&format!("UPDATE session SET base = 0, head = 1 WHERE id = {}", world.id(&healed)));
            if heals {
                world.served(&mut jar, T0 + QUIET).await;
            }
            honest.push((jar, healed));
        }
        // Somebody presented an old token.
        let contested = world.sign_in(&ada).await;
        let old = world.jar(&contested);
        let mut jar = old.clone();
        world.served(&mut jar, T0 + QUIET).await;
        world.served(&mut jar, T0 + 2 * QUIET).await;
        assert_eq!(name_of(&world.refresh(&old, T0 + 2 * QUIET + SECOND).await), "superseded");
        honest.push((jar, contested));
        let new = NewSession { remembered: false, ..new_session(T0) };
        match world.store.session_create(ada.id, ada.token_version, new, T0).await.unwrap() {
            SessionCreated::Created { session, .. } => honest.push((world.jar(&session), session)),
            _ => panic!("not signed in"),
        }
        let ended = world.sign_in(&ada).await;
        let mut by_admin = order(EndReason::AdminRevoked);
        by_admin.note = Some("lost at an airport".into());
        world.store.session_end(ada.id, Scope::One(ended.id), false, by_admin, T0 + SECOND).await.unwrap();
        let ended = (world.jar(&ended), ended);
        let installation = Self { sqlite, world, ada, honest, ended };
        installation.fill(crowd).await;
        installation
    }

    /// What is no session: keys, reports with a gap in their numbers, a sign-in to the console; and a crowd.
    async fn fill(&self, crowd: usize) {
        let key = StoredKey {
            kid: "k\u{2603}".into(),
            sealed_seed: vec![7; 60],
            created_at: T0,
            activates_at: T0,
            retires_at: Some(T0 + QUIET),
        };
        self.world.store.key_add(key, None, false, None).await.unwrap();
        crate::accounts::equip_account(&self.world, &self.ada).await;
        crate::billing::put_a_subscription(&self.world, self.ada.account_id.unwrap()).await;
        let report = "INSERT INTO client_report (received_at, address, browser, kind, message, has_token, evidence) \
             VALUES (5, '192.0.2.1', 'Firefox', 'REFRESH_FAILED', 'caf\u{e9}', 1, '{\"page_age_ms\":7}')";
        self.sqlite.sql(&format!("{report}; {report}; {report}; DELETE FROM client_report WHERE id <> 2"));
        let console = ConsoleSession {
            key: ConsoleKey([9; 32]),
            user_id: self.ada.id,
            payload: ConsolePayload::new(vec![1, 2, 3]).unwrap(),
            created_at: T0,
            expires_at: T0 + QUIET,
        };
        self.world.store.console_session_put(console).await.unwrap();
        self.sqlite
            .sql("INSERT INTO imported (key, user_id, at, closed_at, acts, told) VALUES ('django:caf\u{e9}', randomblob(16), 5, 6, 7, 2)");
        self.sqlite.sql(
            "INSERT INTO exchange (key, session_id, attempt, at, expires_at) \
             VALUES (randomblob(32), randomblob(16), randomblob(32), 5, 6), (randomblob(32), NULL, NULL, 5, 6)",
        );
        self.sqlite.sql(
            "INSERT INTO observation (id, received_at, profile, page, seq, at, ahead_ms, seen, app, browser) VALUES \
             (randomblob(16), 5, randomblob(16), 'caf\u{e9}', 1, 4, -7, '\"sign_in\"', 'https://app.example', 'Firefox')",
        );
        self.sqlite.sql(&format!(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {crowd}) \
             INSERT INTO session (id, user_id, salt, remembered, created_at, expires_at, base, head, handed_at, \
             healed, last_used_at, refresh_count) \
             SELECT randomblob(16), randomblob(16), randomblob(16), i % 2, 1000 + i, 2000000000000, i, i + 1, i, \
             i % 7 = 0, i, i FROM n"
        ));
    }

    fn order(&self, to: &Postgres) -> Move {
        Move { from: self.sqlite.path(), to: to.options(), skip_damaged: false }
    }

    async fn move_to(&self, to: &Postgres) -> Report {
        copy::run(&self.order(to), &mut |_| ()).await.unwrap()
    }

    /// Holds PostgreSQL to everything that SQLite's people hold.
    async fn hold(&self, postgres: Arc<Postgres>) {
        let moved = World::of(postgres);
        let now = T0 + 3 * QUIET;
        for (jar, session) in &self.honest {
            let outcome = moved.refresh(jar, now).await;
            assert_eq!(name_of(&outcome), "served", "{:?}", session.rotation);
            assert!(moved.stands(session, &self.ada).await);
        }
        let (jar, session) = &self.ended;
        assert_eq!(name_of(&moved.refresh(jar, now).await), "ended before");
        assert!(!moved.stands(session, &self.ada).await);
    }
}

#[tokio::test]
async fn a_move_keeps_every_row_as_it_is_and_puts_sqlite_out_of_use() {
    let from = Installation::with(MANY).await;
    let (store, to) = (&from.world.store, Arc::new(Postgres::empty(&postgres_for_tests())));
    let records = async |world: &World| {
        let mut records = Vec::new();
        for (_, session) in from.honest.iter().chain([&from.ended]) {
            records.push(world.store.session_find(session.id).await.unwrap().unwrap());
        }
        records
    };
    let before = (
        records(&from.world).await,
        store
            .user_find(from.ada.id)
            .await
            .unwrap()
            .map(|user| (user.email, user.password_hash, user.account_id)),
        store.key_list().await.unwrap(),
        store.client_report_list(Timestamp::from_ms(0).into(), ReportNumber(0), 9).await.unwrap(),
        store.console_session_find(ConsoleKey([9; 32]), T0).await.unwrap(),
    );
    let mut heard = Vec::new();
    let report = copy::run(&from.order(&to), &mut |progress| heard.push(progress)).await.unwrap();
    let sessions = (MANY + from.honest.len() + 1) as u64;
    for table in &report.tables {
        assert_eq!((table.rows, table.damaged), (table.equal, 0), "{}", table.table);
        assert!(table.rows > 0, "{} was not tried", table.table);
    }
    assert!(report.tables.iter().any(|table| table.table == "session" && table.rows == sessions));
    assert!(report.judged > 1_000 && report.presented > 10 * report.judged, "{report:?}");
    assert_eq!(heard[heard.len() - 3..], [Progress::Ready, Progress::ClosedDown, Progress::Committed]);
    assert!(heard.contains(&Progress::Compared("session", sessions, sessions)));

    let moved = World::of(Arc::clone(&to) as _);
    let new = &moved.store;
    let after = (
        records(&moved).await,
        new.user_find(from.ada.id)
            .await
            .unwrap()
            .map(|user| (user.email, user.password_hash, user.account_id)),
        new.key_list().await.unwrap(),
        new.client_report_list(Timestamp::from_ms(0).into(), ReportNumber(0), 9).await.unwrap(),
        new.console_session_find(ConsoleKey([9; 32]), T0).await.unwrap(),
    );
    assert!(before == after);
    // Numbers that were given on SQLite, deleted rows included, are not given again.
    to.sql("INSERT INTO client_report (received_at, address, browser, kind) VALUES (6, '', '', 'REFRESH_FAILED')");
    assert_eq!(to.number("SELECT max(id) FROM client_report"), 4);

    // A server that still runs on SQLite refuses everything, and says that the machine failed.
    let is_unavailable = |error: &StoreError| matches!(error, StoreError::Unavailable(_));
    for (jar, session) in from.honest.iter().chain([&from.ended]) {
        let refreshed = store.session_refresh(from.world.request(&[jar]), T0 + 2 * QUIET).await;
        assert!(refreshed.is_err_and(|error| is_unavailable(&error)));
        assert!(store.caller(session.id).await.is_err_and(|error| is_unavailable(&error)));
    }
    let again = store.session_create(from.ada.id, from.ada.token_version, new_session(T0), T0).await;
    assert!(again.is_err_and(|error| is_unavailable(&error)));
    let ended = store.session_end(from.ada.id, Scope::All, true, order(EndReason::SignedOut), T0).await;
    assert!(ended.is_err_and(|error| is_unavailable(&error)));
    assert!(store.check().await.is_err_and(|error| is_unavailable(&error)));
    let Err(refused) = from.sqlite.open() else { panic!("a moved database was opened") };
    let said = refused.to_string();
    assert!(said.contains("moved to postgres://127.0.0.1:") && said.contains(to.database.name()), "{said}");
    assert!(said.contains(&T0.to_string()) && !said.contains("sslmode"), "{said}");
    from.hold(to).await;
}

#[tokio::test]
async fn what_a_move_would_do_is_told_without_doing_it() {
    let from = Installation::with(FEW).await;
    let to = Arc::new(Postgres::empty(&postgres_for_tests()));
    let report = copy::look(&from.order(&to), &mut |_| ()).await.unwrap();
    assert!(report.size > 100_000 && report.damaged.is_empty() && report.occupied.is_empty());
    assert!(report.tables.iter().all(|table| table.rows > 0));
    assert_eq!(to.number("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"), 0);
    assert!(from.world.stands(&from.honest[0].1, &from.ada).await);
    from.sqlite.open().unwrap();
}

#[tokio::test]
async fn damage_is_listed_and_refused_unless_it_may_be_left_out() {
    let from = Installation::with(FEW).await;
    let to = Arc::new(Postgres::empty(&postgres_for_tests()));
    let damaged = from.world.sign_in_at(&from.ada, device("c"), T0).await;
    from.sqlite.sql(&format!("UPDATE session SET salt = x'00' WHERE id = {}", from.world.id(&damaged)));
    from.sqlite.sql(
        "PRAGMA foreign_keys = OFF; UPDATE session SET head = base WHERE head = 77;
         UPDATE signing_key SET sealed_seed = x'01' WHERE kid = 'none'",
    );
    from.sqlite.sql("INSERT INTO client_report (received_at, address, browser, kind) VALUES (6, '', char(0), 'REFRESH_FAILED')");
    let Err(MoveError::Damaged(report)) = copy::run(&from.order(&to), &mut |_| ()).await else {
        panic!("damage was not refused");
    };
    let mut listed: Vec<_> = report.damaged.iter().map(|row| (row.table, row.id.as_str())).collect();
    listed.sort_unstable();
    assert_eq!(listed.len(), 4, "{:?}", report.damaged);
    let id = damaged.id.to_string();
    assert!(listed.contains(&("session", &id)) && listed.contains(&("session_device", &id)), "{listed:?}");
    assert_eq!(listed[0], ("client_report", "4"));
    // Nothing has happened.
    assert_eq!(to.number("SELECT count(*) FROM session"), 0);
    assert_eq!(name_of(&from.world.refresh(&from.honest[0].0, T0 + SECOND).await), "served");
    let order = Move { skip_damaged: true, ..from.order(&to) };
    let report = copy::run(&order, &mut |_| ()).await.unwrap();
    assert_eq!(report.damaged.len(), 4);
    for table in &report.tables {
        assert_eq!(table.rows, table.equal + table.damaged, "{}", table.table);
    }
    assert_eq!(to.number("SELECT count(*) FROM session") as usize, FEW + from.honest.len() + 2 - 2);
    from.hold(to).await;
}

#[tokio::test]
async fn a_database_that_holds_something_is_refused() {
    let from = Installation::with(FEW).await;
    let to = Arc::new(Postgres::fresh());
    to.sql("INSERT INTO account VALUES (gen_random_uuid(), 'a', 1), (gen_random_uuid(), 'b', 1)");
    let Err(MoveError::NotEmpty(report)) = copy::run(&from.order(&to), &mut |_| ()).await else {
        panic!("moved into a database that was not empty");
    };
    assert_eq!(report.occupied, [("account", 2)]);
    assert_eq!(copy::look(&from.order(&to), &mut |_| ()).await.unwrap().occupied, [("account", 2)]);
    from.sqlite.open().unwrap();
}

#[tokio::test]
async fn a_move_that_is_killed_at_any_point_is_made_by_the_same_order_given_again() {
    for (stage, sqlite_serves, is_complete) in [
        ("copied", true, false),
        ("ready", true, false),
        ("closed", false, false),
        ("committed", false, true),
    ] {
        let from = Installation::with(FEW).await;
        let to = Arc::new(Postgres::empty(&postgres_for_tests()));
        let mut command = again("copy::the_body_of_a_move_that_is_killed", &from.sqlite.address());
        let mut child = command.env(TO, to.database.url()).env(STAGE, stage).spawn().unwrap();
        let mut mouth = BufReader::new(child.stdout.take().unwrap());
        assert_eq!(hear(&mut mouth).as_deref(), Some(stage));
        child.kill().unwrap();
        child.wait().unwrap();

        let served = from.world.store.session_refresh(from.world.request(&[&from.honest[0].0]), T0 + SECOND);
        assert_eq!(
            (served.await.is_ok(), from.sqlite.open().is_ok()),
            (sqlite_serves, sqlite_serves),
            "{stage}"
        );
        let sessions = to.number("SELECT count(*) FROM session");
        assert_eq!(sessions > 0, is_complete, "{stage}");
        if !sqlite_serves {
            // To go elsewhere instead could leave two databases that both have something new.
            let elsewhere = Postgres::empty(&postgres_for_tests());
            let outcome = copy::run(&from.order(&elsewhere), &mut |_| ()).await;
            assert!(matches!(outcome, Err(MoveError::Moved(_))), "{stage}");
        }
        let report = from.move_to(&to).await;
        assert_eq!(report.was_complete, is_complete, "{stage}");
        let Err(refused) = from.sqlite.open() else { panic!("{stage}: a moved database was opened") };
        assert!(refused.to_string().contains("out of use"), "{stage}: {refused}");
        assert!(from.move_to(&to).await.was_complete, "{stage}");
        from.hold(to).await;
    }
}

#[tokio::test]
async fn the_body_of_a_move_that_is_killed() {
    let (Some(from), Ok(to), Ok(stage)) = (database(), std::env::var(TO), std::env::var(STAGE)) else {
        return;
    };
    let to = PostgresOptions::new(to, Arc::new(Seeded::new(3)), T0);
    let order = Move { from: from.into(), to, skip_damaged: false };
    let mut stop = |progress: Progress| {
        let reached = match progress {
            Progress::Copied("session", ..) => "copied",
            Progress::Ready => "ready",
            Progress::ClosedDown => "closed",
            Progress::Committed => "committed",
            _ => return,
        };
        if reached == stage {
            println!("{MARK}{reached}");
            std::thread::sleep(120 * SECOND);
        }
    };
    copy::run(&order, &mut stop).await.unwrap();
}

#[tokio::test]
async fn the_way_back_is_open_until_postgres_has_been_used() {
    let from = Installation::with(FEW).await;
    let to = Arc::new(Postgres::empty(&postgres_for_tests()));
    let schema = "SELECT group_concat(type || name || replace(sql, '\"', ''), '; ' ORDER BY type, name) \
         FROM sqlite_schema WHERE sql IS NOT NULL";
    let schema = || -> String { from.sqlite.connection().query_row(schema, (), |row| row.get(0)).unwrap() };
    let before = schema();
    assert!(matches!(copy::reopen(&from.order(&to), false).await, Err(MoveError::InUse(_))));
    from.move_to(&to).await;
    copy::reopen(&from.order(&to), false).await.unwrap();
    assert_eq!(before, schema());
    assert_eq!(to.number("SELECT count(*) FROM session"), 0);
    let (jar, session) = &from.honest[0];
    assert_eq!(name_of(&from.world.refresh(jar, T0 + SECOND).await), "served");
    assert!(from.world.stands(session, &from.ada).await, "a server that ran all the time serves again");

    assert!(!from.move_to(&to).await.was_complete);
    let moved = World::of(Arc::clone(&to) as _);
    assert_eq!(name_of(&moved.refresh(&from.honest[1].0, T0 + 3 * QUIET).await), "served");
    moved.store.close().await;
    let Err(MoveError::InUse(said)) = copy::reopen(&from.order(&to), false).await else {
        panic!("what was written to PostgreSQL would have been lost");
    };
    assert!(said.contains("postgres://127.0.0.1:"), "{said}");
    from.hold(Arc::clone(&to)).await;
    // Nor is a database that somebody has emptied since one that was never used.
    to.sql(
        "TRUNCATE plan, account, \"user\", imported, session, session_device, signing_key, client_report, console_session, exchange, act, api_key, \
         stripe_event, stripe_subscription, event, observation",
    );
    assert!(matches!(copy::reopen(&from.order(&to), false).await, Err(MoveError::InUse(_))));
    assert!(matches!(copy::run(&from.order(&to), &mut |_| ()).await, Err(MoveError::Moved(_))));
    copy::reopen(&from.order(&to), true).await.unwrap();
    assert!(from.world.stands(session, &from.ada).await);
    from.world.sign_in_at(&from.ada, Device::default(), T0).await;
}
