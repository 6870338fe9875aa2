//! `tenure migrate copy`: a server's people move with it, while they use it, and none of them is signed out.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::{Value, json};

use super::serve::Server;
use crate::world::{Answer, Browser, Cli, Client, Setup, TestApp, User};

/// The codes of a 503 of the store.
const UNAVAILABLE: [&str; 3] = ["storage_unavailable", "session_unverifiable", "overloaded"];

/// Somebody whose session must go on, and in which state it is.
struct Honest {
    state: &'static str,
    browser: Browser,
    /// From before the move, and still good for a while.
    access: String,
}

/// A jar whose session has ended, and what its owner was told.
struct Ended {
    browser: Browser,
    told: Value,
}

/// A server on SQLite. None where all tests run on PostgreSQL: there is nothing to move from.
async fn installation() -> Option<TestApp> {
    let app = Setup::default().at_real_time().start().await;
    UNAVAILABLE.iter().for_each(|code| app.expect_failure(code));
    app.folder().join("tenure.db").is_file().then_some(app)
}

/// The clock is the real one, so time passes by making rows older.
fn age(app: &TestApp, session: &str) {
    app.sql(&format!("UPDATE session SET handed_at = handed_at - 600000 WHERE id = {}", app.row_of(session)));
}

async fn honest(app: &TestApp, user: &User) -> Vec<Honest> {
    let mut people = Vec::new();
    let mut add = |state, browser: Browser| {
        let access = browser.access.clone();
        people.push(Honest { state, browser, access });
    };
    add("just signed in", app.signed_in(user).await);

    let mut browser = app.signed_in(user).await;
    age(app, &browser.session);
    browser.refresh().await.expect(200);
    add("the answer arrived", browser);

    let browser = app.signed_in(user).await;
    age(app, &browser.session);
    browser.send_refresh().await.expect(200);
    add("the answer was lost", browser);

    let browser = app.signed_in(user).await;
    age(app, &browser.session);
    browser.send_refresh().await.expect(200);
    age(app, &browser.session);
    add("the answer was lost long ago", browser);

    for (state, heals) in [("the store is behind", false), ("healed", true)] {
        let mut browser = app.signed_in(user).await;
        age(app, &browser.session);
        browser.refresh().await.expect(200);
        app.sql(&format!(
            "UPDATE session SET base = 0, head = 1 WHERE id = {}",
            app.row_of(&browser.session)
        ));
        if heals {
            browser.refresh().await.expect(200);
        }
        add(state, browser);
    }

    let mut browser = app.signed_in(user).await;
    let old = browser.cookies();
    for _ in 0..2 {
        age(app, &browser.session);
        browser.refresh().await.expect(200);
    }
    let new = browser.cookies();
    browser.set_cookies(old);
    browser.send_refresh().await.expect(409);
    browser.set_cookies(new);
    add("contested", browser);

    let mut browser = app.browser();
    browser.login(&user.email, crate::world::PASSWORD, false).await.expect(200);
    add("not remembered", browser);
    people
}

async fn ended(app: &TestApp, user: &User) -> Vec<Ended> {
    let mut ended = Vec::new();
    for scope in ["signed out", "by an administrator"] {
        let mut browser = app.signed_in(user).await;
        let jar = browser.cookies();
        match scope {
            "signed out" => drop(browser.sign_out().await.expect(204)),
            _ => {
                let end = ["session", "end", &browser.session, "--reason", "lost"];
                app.cli().run(&end).expect(0);
            }
        }
        browser.set_cookies(jar);
        let told = receipt(browser.send_refresh().await.expect(401));
        ended.push(Ended { browser, told });
    }
    ended
}

/// What an answer says of an end, without what is different for each request.
fn receipt(answer: Answer) -> Value {
    let mut body = answer.json();
    if let Some(fields) = body.as_object_mut() {
        fields.retain(|name, _| !["request_id", "server_time"].contains(&name.as_str()));
    }
    body
}

/// The same browser, and another server behind the same address.
fn at(browser: &Browser, app: &TestApp, server: &Server) -> Browser {
    // The server goes by the real time, and takes no request that was sent long ago.
    app.clock.set(tenure::clock::SystemClock.now());
    let client = Client::new(server.url.clone(), false);
    let mut moved = Browser::new(client, app.clock.clone(), app.origin().to_owned());
    moved.jar = Arc::clone(&browser.jar);
    moved.session.clone_from(&browser.session);
    moved
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_live_server_moves_and_nobody_is_signed_out() {
    let Some(app) = installation().await else { return };
    let ada = app.user("ada").await;
    let (mut people, over) = (honest(&app, &ada).await, ended(&app, &ada).await);
    let keys = app.client.get("/.well-known/jwks.json").send().await.expect(200).json();
    let database = tenure_rig::postgres_for_tests().create_database();
    let cli = Cli::on(app.folder()).patient();
    let to = ["--dev", "--to", database.url()];

    let dry = cli.json(&[&["migrate", "copy", "--dry-run"], &to[..]].concat());
    assert_eq!((&dry["moved"], &dry["damaged"], &dry["occupied"]), (&json!(false), &json!([]), &json!([])));

    // Somebody refreshes all the time, and is served or told to wait.
    let (mut busy, over_now) = (app.signed_in(&ada).await, Arc::new(AtomicBool::new(false)));
    let stop = Arc::clone(&over_now);
    let refreshing = tokio::spawn(async move {
        let mut waited = 0;
        while !stop.load(Ordering::SeqCst) {
            let answer = busy.refresh().await;
            match answer.status {
                200 => {}
                503 => waited += 1,
                other => panic!("{other} during the move: {}", answer.text()),
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        (busy, waited)
    });
    // On a thread of the test's own, while the others go on.
    let report = tokio::task::block_in_place(|| cli.json(&[&["migrate", "copy"], &to[..]].concat()));
    for table in report["tables"].as_array().unwrap() {
        assert_eq!(table["rows"], table["equal"], "{table}");
    }
    assert!(report["sessions_judged"].as_u64().unwrap() > 8, "{report}");

    // The server that still runs on SQLite tells everybody to wait, and nobody that they are signed out.
    for person in &people {
        for answer in [person.browser.send_refresh().await, person.browser.profile().await] {
            assert!(UNAVAILABLE.contains(&answer.expect(503).code().as_str()), "{}", person.state);
        }
    }
    for gone in &over {
        assert_eq!(gone.browser.send_refresh().await.status, 503);
    }
    assert_eq!(app.browser().login(&ada.email, crate::world::PASSWORD, true).await.status, 503);
    tokio::time::sleep(Duration::from_millis(50)).await;
    over_now.store(true, Ordering::SeqCst);
    let (busy, waited) = refreshing.await.unwrap();
    assert!(waited > 0, "nobody tried while it moved");
    people.push(Honest { state: "busy", access: busy.access.clone(), browser: busy });

    // What is left of it says so, and not the password of where it went.
    let said = cli.run(&["user", "list"]).expect(3).err;
    assert!(said.contains("moved to postgres://") && said.contains(database.name()), "{said}");
    let again = cli.json(&[&["migrate", "copy"], &to[..]].concat());
    assert_eq!(again["was_complete"], json!(true));

    let server = Server::start_with(
        app.folder(),
        &[
            ("TENURE_POSTGRES__URL", database.url()),
            // A loaded machine is no failure of the database.
            ("TENURE_POSTGRES__STATEMENT_TIMEOUT", "20s"),
            ("TENURE_POSTGRES__CONNECT_TIMEOUT", "20s"),
            ("TENURE_SERVER__PUBLIC_URL", &format!("http://{}", app.address)),
        ],
    );
    let client = Client::new(server.url.clone(), false);
    assert_eq!(client.get("/.well-known/jwks.json").send().await.expect(200).json(), keys);
    for person in &people {
        let mut browser = at(&person.browser, &app, &server);
        let profile = browser.call("GET", "/api/v1/auth/profile").bearer(&person.access).send().await;
        assert_eq!(profile.status, 200, "{}: {}", person.state, profile.text());
        for _ in 0..2 {
            let answer = browser.refresh().await;
            assert_eq!(answer.status, 200, "{}: {}", person.state, answer.text());
        }
    }
    for gone in &over {
        let answer = at(&gone.browser, &app, &server).send_refresh().await.expect(401);
        assert_eq!(receipt(answer), gone.told);
    }
    at(&people[0].browser, &app, &server).login(&ada.email, crate::world::PASSWORD, true).await.expect(200);
    server.terminate();

    let back = cli.run(&["migrate", "reopen", "--dev", "--to", database.url()]).expect(1);
    assert!(back.err.contains("has been used"), "{back:?}");
}

#[tokio::test]
async fn a_move_that_cannot_be_made_says_why_and_shows_no_password() {
    let Some(app) = installation().await else { return };
    app.user("ada").await;
    let cli = Cli::on(app.folder()).patient();
    let wrong = |arguments: &[&str], code: i32, why: &str| {
        let printed = cli.run(&[&["migrate", "copy", "--dev"], arguments].concat()).expect(code);
        let said = format!("{}{}", printed.out, printed.err);
        assert!(said.contains(why) && !said.contains("hunter2"), "{said}");
    };
    wrong(&[], 2, "which PostgreSQL database?");
    wrong(&["--to", "mysql://u:hunter2@db/x"], 2, "postgres://");
    wrong(&["--from", "tenure.db", "--to", "postgres://u:hunter2@127.0.0.1:1/x"], 2, "sqlite:PATH");
    wrong(&["--to", "postgres://u:hunter2@127.0.0.1:1/x?sslmode=disable"], 3, "");
    let nowhere = app.folder().join("nowhere.db").display().to_string();
    let database = tenure_rig::postgres_for_tests().create_database();
    wrong(&["--from", &format!("sqlite:{nowhere}"), "--to", database.url()], 3, "there is no database at");
    assert!(!std::path::Path::new(&nowhere).exists());
    database.sql("INSERT INTO account VALUES (gen_random_uuid(), 'a', 1)");
    wrong(&["--to", database.url()], 2, "is not empty (account 1 row(s))");
    wrong(&["--dry-run", "--to", database.url()], 1, "is not empty (account 1 row(s))");

    let fresh = tenure_rig::postgres_for_tests().create_database();
    app.sql("UPDATE user SET role = 'king'");
    let printed = cli.run(&["migrate", "copy", "--dev", "--to", fresh.url()]).expect(1);
    assert!(
        printed.out.contains("cannot read user usr_") && printed.err.contains("--skip-damaged"),
        "{printed:?}"
    );
    cli.run(&["migrate", "copy", "--dry-run", "--dev", "--to", fresh.url()]).expect(1);
    let report = cli.json(&["migrate", "copy", "--dev", "--skip-damaged", "--to", fresh.url()]);
    assert_eq!(report["damaged"].as_array().unwrap().len(), 1);
    let back = cli.json(&["migrate", "reopen", "--dev", "--to", fresh.url()]);
    assert!(back["reopened"].as_str().unwrap().ends_with("tenure.db"));
    cli.run(&["user", "list"]).expect(0);
}
