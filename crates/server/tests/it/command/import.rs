//! `tenure import`, on what a real Django has written (`tests/foreign/people.py`).

mod doubts;

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use tenure_domain::exchange::{ExchangeKey, Source};

use super::beside_a_server;
use crate::world::{Cli, DAY, Printed, TestApp};

const PASSWORD: &str = "correct horse battery staple";

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/command/import").join(name)
}

fn dump() -> String {
    fixture("people.json").display().to_string()
}

/// Django's table in a file of its own.
fn sqlite(folder: &Path) -> String {
    let path = folder.join("django.sqlite3");
    let connection = rusqlite::Connection::open(&path).unwrap();
    connection.execute_batch(&std::fs::read_to_string(fixture("people.sql")).unwrap()).unwrap();
    format!("sqlite:{}", path.display())
}

/// Its table on PostgreSQL, with the types that Django gives it there.
fn postgres() -> tenure_rig::Database {
    let database = tenure_rig::postgres_for_tests().create_database();
    database.sql(
        "CREATE TABLE auth_user (id integer PRIMARY KEY, password varchar(128) NOT NULL, last_login timestamptz, \
         is_superuser boolean NOT NULL, username varchar(150) NOT NULL UNIQUE, first_name varchar(150) NOT NULL, \
         last_name varchar(150) NOT NULL, email varchar(254) NOT NULL, is_staff boolean NOT NULL, \
         is_active boolean NOT NULL, date_joined timestamptz NOT NULL)",
    );
    let entries: Vec<Value> = serde_json::from_str(&std::fs::read_to_string(dump()).unwrap()).unwrap();
    let people = entries.into_iter().filter(|entry| entry["model"] == "auth.user").map(|mut entry| {
        entry["fields"]["id"] = entry["pk"].take();
        entry["fields"].take()
    });
    let people = Value::from_iter(people).to_string();
    database.sql(&format!(
        "INSERT INTO auth_user SELECT * FROM json_populate_recordset(null::auth_user, $json${people}$json$)"
    ));
    database
}

#[track_caller]
fn report(printed: &Printed) -> Value {
    serde_json::from_str(&printed.out).unwrap_or_else(|error| panic!("{error}: {printed:?}"))
}

fn counts(report: &Value) -> Value {
    let of = |name: &str| report[name].clone();
    json!([of("read"), of("created"), of("known"), of("collisions"), of("bad")])
}

#[tokio::test]
async fn people_sign_in_with_the_passwords_they_had_and_are_hashed_anew() {
    let (app, cli) = beside_a_server().await;
    let printed = cli.run(&["import", "django", "--dump", &dump(), "--json"]).expect(1);
    let report = report(&printed);
    assert_eq!(counts(&report), json!([10, 7, 0, 1, 2]));
    let told = json!([report["disabled"], report["without_password"], report["renamed"]]);
    assert_eq!(told, json!([1, 1, 1]));
    assert_eq!((&report["staff"], &report["superusers"]), (&json!(2), &json!(1)));
    for (name, password) in
        [("ada", PASSWORD), ("bob", PASSWORD), ("cyd", PASSWORD), ("dan", "pässwörd"), ("joe", PASSWORD)]
    {
        let email = format!("{name}@example.com");
        app.client.login(&email, "another password").await.expect(401);
        let answer = app.client.login(&email, password).await.expect(200).json();
        // Rights there are none here.
        assert_eq!(answer["user"]["role"], "user");
        app.client.login(&email, password).await.expect(200);
    }
    app.client.login("eve@example.com", "another password").await.expect(401);
    app.client.login("eve@example.com", PASSWORD).await.expect(403);
    app.client.login("fay@example.com", "").await.expect(401);
    let (_, rows) = app.database().rows().into_iter().find(|(table, _)| table == "user").unwrap();
    assert!(!rows.contains("pbkdf2_sha256$") && !rows.contains("pbkdf2_sha1$"), "{rows}");
    assert!(!rows.contains("argon2$argon2id") && !rows.contains("crypt"), "{rows}");
    let ada = cli.json(&["user", "show", "ada@example.com"]);
    assert_eq!((&ada["name"], &ada["created_at"]), (&json!("Ada Lovelace"), &json!(1_551_675_967_891_i64)));
    let acts = cli.run(&["acts", ada["id"].as_str().unwrap()]).expect(0).out;
    assert!(acts.contains("state: created  by admin:grace (imported from Django)"), "{acts}");
}

#[tokio::test]
async fn every_source_gives_the_same_people_and_the_same_order_again_nobody_new() {
    let folder = tempfile::tempdir().unwrap();
    let database = postgres();
    let jsonl = fixture("people.jsonl").display().to_string();
    let sources = [
        ["--database-url".to_owned(), sqlite(folder.path())],
        ["--database-url".into(), database.url().into()],
        ["--dump".into(), dump()],
        ["--dump".into(), jsonl],
    ];
    for (number, [option, place]) in sources.iter().enumerate() {
        let cli = Cli::on(&folder.path().join(number.to_string()));
        let order = ["import", "django", option, place, "--staff-role", "developer", "--json"];
        let newcomers = report(&cli.run(&[&order[..], &["--dry-run"]].concat()).expect(1));
        assert_eq!(counts(&newcomers), json!([10, 7, 0, 1, 2]), "{place}");
        assert!(newcomers["notes"][0].as_str().unwrap().contains("no database here yet"), "{place}");
        assert!(!folder.path().join(number.to_string()).exists(), "a dry run makes nothing");
        cli.run_with(&["user", "create", "eve@example.com", "--name", "E"], "a password from a pipe\n")
            .expect(0);
        let dry = report(&cli.run(&[&order[..], &["--dry-run"]].concat()).expect(1));
        assert_eq!(counts(&dry), json!([10, 6, 0, 2, 2]), "{place}");
        assert_eq!(cli.json(&["user", "list"]).as_array().unwrap().len(), 1);
        let first = report(&cli.run(&order).expect(1));
        assert_eq!(counts(&first), counts(&dry), "{place}");
        let refused: Vec<_> = first["refused"].as_array().unwrap().iter().map(|one| &one["key"]).collect();
        let mut refused: Vec<_> = refused.into_iter().map(|key| key.as_str().unwrap()).collect();
        refused.sort_unstable();
        assert_eq!(refused, ["django:5", "django:7", "django:8", "django:9"], "{place}");
        assert_eq!(counts(&report(&cli.run(&order).expect(1))), json!([10, 0, 6, 2, 2]), "{place}");
        let cyd = cli.json(&["user", "show", "cyd@example.com"]);
        assert_eq!((&cyd["role"], &cyd["created_at"]), (&json!("developer"), &json!(1_551_675_967_891_i64)));
        let joe = cli.json(&["user", "show", "joe@example.com"]);
        assert_eq!(joe["name"], "joe");
    }
}

#[test]
fn what_is_left_out_is_told_line_by_line() {
    let folder = tempfile::tempdir().unwrap();
    let printed = Cli::on(&folder.path().join("new")).run(&["import", "django", "--dump", &dump()]).expect(1);
    for said in [
        "7 taken over",
        "left out django:7: the password's algorithm `md5` is not one we verify",
        "left out django:8: `` is no e-mail address",
        "left out django:9: somebody else here has the address ADA@example.com",
    ] {
        assert!(printed.out.contains(said), "{said}: {printed:?}");
    }
    assert!(printed.err.contains("3 of 10 could not be taken over"), "{printed:?}");
}

#[test]
fn a_file_that_is_broken_off_or_something_else_costs_nothing_that_came_before() {
    let folder = tempfile::tempdir().unwrap();
    let whole = std::fs::read_to_string(dump()).unwrap();
    let deep = "[".repeat(100_000);
    let torn = &whole[..whole.find("\"eve\"").unwrap()];
    for (number, (text, created)) in [
        (torn, 4),
        (&deep, 0),
        ("", 0),
        ("[1, null, {\"fields\": 3}, {\"model\": \"auth.user\"}]", 0),
        ("<html>", 0),
        ("\u{feff}[]", 0),
    ]
    .into_iter()
    .enumerate()
    {
        let path = folder.path().join(format!("{number}.json"));
        std::fs::write(&path, text).unwrap();
        let cli = Cli::on(&folder.path().join(number.to_string()));
        let printed = cli.run(&["import", "django", "--dump", path.to_str().unwrap(), "--json"]);
        assert_eq!((printed.code, &report(&printed)["created"]), (1, &json!(created)), "{printed:?}");
    }
}

#[test]
fn a_table_of_ones_own_is_found_by_its_columns_and_read_by_those_that_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("own.sqlite3");
    let connection = rusqlite::Connection::open(&path).unwrap();
    connection
        .execute_batch(
            "CREATE TABLE accounts_person (uuid TEXT PRIMARY KEY, password TEXT, last_login TEXT, username TEXT, \
             nickname TEXT, is_active INTEGER, joined TEXT);
             INSERT INTO accounts_person VALUES ('a-1', '!', NULL, 'ada@example.com', 'Countess', 1, '2019-03-04 05:06:07');
             INSERT INTO accounts_person VALUES ('a-2', '!', NULL, 'bob@example.com', NULL, 7, '2019-03-04 05:06:07');
             INSERT INTO accounts_person VALUES ('a-3', '!', NULL, 'cyd@example.com', NULL, 1, 'yesterday');",
        )
        .unwrap();
    let url = format!("sqlite:{}", path.display());
    let cli = Cli::on(&folder.path().join("new"));
    let columns = ["--column", "id=uuid", "--column", "name=nickname", "--column", "date_joined=joined"];
    let order = [&["import", "django", "--database-url", &url, "--json"], &columns[..]].concat();
    let first = report(&cli.run(&order).expect(1));
    assert_eq!((counts(&first), &first["undated"]), (json!([3, 2, 0, 0, 1]), &json!(1)));
    let ada = cli.json(&["user", "show", "ada@example.com"]);
    assert_eq!((&ada["name"], &ada["created_at"]), (&json!("Countess"), &json!(1_551_675_967_000_i64)));
    // A column that is not there is no person without it.
    let wrong = [&order[..], &["--column", "email=mail"]].concat();
    let wrong = report(&cli.run(&wrong).expect(1));
    assert_eq!(wrong["refused"][0]["cause"], "it has no column `mail`");
    connection.execute_batch("CREATE TABLE other (id INTEGER, password TEXT, last_login TEXT)").unwrap();
    let printed = cli.run(&order).expect(2);
    assert!(printed.err.contains("accounts_person, other"), "{printed:?}");
}

#[test]
fn a_source_that_is_none_is_said_to_be() {
    let folder = tempfile::tempdir().unwrap();
    let cli = Cli::on(&folder.path().join("new"));
    for (order, code, said) in [
        (vec![], 2, "--database-url"),
        (vec!["--dump", "/nowhere/people.json"], 3, "cannot be read"),
        (vec!["--database-url", "mysql://x"], 2, "postgres://user@host/name or sqlite:FILE"),
        (vec!["--database-url", "sqlite:/nowhere/db"], 3, "there is no file"),
        (vec!["--database-url", "postgres://nobody@127.0.0.1:1/none"], 3, "cannot be reached"),
        (vec!["--dump", "x", "--column", "shoe=size"], 2, "is none of id, email"),
        (vec!["--dump", "x", "--staff-role", "root"], 2, "not a role"),
    ] {
        let printed = cli.run(&[&["import", "django"], &order[..]].concat()).expect(code);
        assert!(printed.err.contains(said), "{said}: {printed:?}");
    }
    assert!(!folder.path().join("new").exists(), "what cannot be carried out makes no database");
}

/// A file of dumpdata's, with these entries in it.
fn written(folder: &Path, entries: &Value) -> String {
    let path = folder.join("written.json");
    std::fs::write(&path, entries.to_string()).unwrap();
    path.display().to_string()
}

fn person(model: &str, pk: Value, name: &str, more: Value) -> Value {
    let mut fields = json!({ "email": format!("{name}@example.com"), "password": "!", "last_login": null });
    fields.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    json!({ "model": model, "pk": pk, "fields": fields })
}

/// As migrations of simplejwt's `token_blacklist` make them, with a token that was ended, one that has expired since and one
/// that stands.
const BLACKLIST: &str = "\
    CREATE TABLE token_blacklist_outstandingtoken (id bigint PRIMARY KEY, token text NOT NULL, created_at timestamp, \
      expires_at timestamp NOT NULL, user_id bigint, jti varchar(255) NOT NULL UNIQUE); \
    CREATE TABLE token_blacklist_blacklistedtoken (id bigint PRIMARY KEY, blacklisted_at timestamp NOT NULL, \
      token_id bigint NOT NULL UNIQUE); \
    INSERT INTO token_blacklist_outstandingtoken (id, token, expires_at, user_id, jti) VALUES \
      (1, 'x', '2099-01-01 00:00:00.123456', 1, 'ended'), (2, 'x', '2020-01-01 00:00:00', 1, 'expired'), \
      (3, 'x', '2099-01-01 00:00:00', NULL, 'stands'); \
    INSERT INTO token_blacklist_blacklistedtoken VALUES (7, '2026-11-01 00:00:00', 1), (8, '2026-11-01 00:00:00', 2)";

#[tokio::test]
async fn refresh_tokens_that_were_ended_there_are_closed_here_from_every_source() {
    let folder = tempfile::tempdir().unwrap();
    let of_sqlite = sqlite(folder.path());
    let connection = rusqlite::Connection::open(folder.path().join("django.sqlite3")).unwrap();
    connection.execute_batch(BLACKLIST).unwrap();
    let of_postgres = postgres();
    of_postgres.sql(BLACKLIST);
    let mut entries: Vec<Value> = serde_json::from_str(&std::fs::read_to_string(dump()).unwrap()).unwrap();
    let ended = |pk: u8, token: u8| {
        let fields = json!({ "token": token, "blacklisted_at": "2026-11-01T00:00:00Z" });
        json!({ "model": "token_blacklist.blacklistedtoken", "pk": pk, "fields": fields })
    };
    let outstanding = |pk: u8, jti: &str, expires_at: &str| {
        let fields =
            json!({ "user": 1, "jti": jti, "token": "x", "created_at": null, "expires_at": expires_at });
        json!({ "model": "token_blacklist.outstandingtoken", "pk": pk, "fields": fields })
    };
    entries.extend([
        ended(7, 1),
        outstanding(1, "ended", "2099-01-01T00:00:00.123Z"),
        outstanding(2, "expired", "2020-01-01T00:00:00Z"),
        outstanding(3, "stands", "2099-01-01T00:00:00Z"),
        ended(8, 2),
    ]);
    let of_dump = folder.path().join("dump.json");
    std::fs::write(&of_dump, Value::from_iter(entries).to_string()).unwrap();
    let of_dump = of_dump.display().to_string();
    for [option, place] in
        [["--database-url", &of_sqlite], ["--database-url", of_postgres.url()], ["--dump", &of_dump]]
    {
        let (app, cli) = beside_a_server().await;
        let order = ["import", "django", option, place, "--json"];
        let dry = report(&cli.run(&[&order[..], &["--dry-run"]].concat()).expect(1));
        assert_eq!((&dry["blacklisted"], is_anything_closed(&app)), (&json!(1), false), "{place}");
        for _ in 0..2 {
            let report = report(&cli.run(&order).expect(1));
            assert_eq!((&report["blacklisted"], is_anything_closed(&app)), (&json!(1), true), "{place}");
        }
        let key = |jti| ExchangeKey::of(Source::Simplejwt, jti);
        let far = app.clock.get() + DAY;
        let keys = ["ended", "expired", "stands"].map(|jti| vec![(key(jti), far)]);
        let mut are_new = vec![];
        for key in keys {
            are_new.push(app.store().exchange_close(key, app.clock.get()).await.unwrap());
        }
        assert_eq!(are_new, [0, 1, 1], "{place}");
    }
}

fn is_anything_closed(app: &TestApp) -> bool {
    let (_, rows) = app.database().rows().into_iter().find(|(table, _)| table == "exchange").unwrap();
    !matches!(rows.as_str(), "" | "[]")
}
