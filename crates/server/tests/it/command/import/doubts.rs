//! What an import leaves to be decided: people who are not here as they are there, and sources that may not be what was meant.

use super::*;
use crate::routes::auth::exchange;

#[tokio::test]
async fn who_is_deactivated_there_between_two_imports_is_let_in_by_nothing_they_had() {
    let app = exchange::open_now().await;
    let cli = app.cli();
    let folder = tempfile::tempdir().unwrap();
    let url = sqlite(folder.path());
    let order = ["import", "django", "--database-url", &url, "--json"];
    cli.run(&order).expect(1);
    let ada = exchange::trade(&app.browser(), &exchange::token(&app, "a", "1"), "an-attempt-of-ada-1");
    let mut browser = app.browser();
    browser.receive(&ada.send().await.expect(200));
    let django = rusqlite::Connection::open(folder.path().join("django.sqlite3")).unwrap();
    django.execute("UPDATE auth_user SET is_active = 0 WHERE id = 1", ()).unwrap();
    django.execute("DELETE FROM auth_user WHERE id = 2", ()).unwrap();
    django.execute("UPDATE auth_user SET email = '', is_active = 0 WHERE id = 3", ()).unwrap();
    let dry = report(&cli.run(&[&order[..], &["--dry-run"]].concat()).expect(1));
    browser.profile().await.expect(200);
    let again = report(&cli.run(&order).expect(1));
    for told in [&dry, &again] {
        assert_eq!((&told["known"], &told["deactivated"]), (&json!(5), &json!(1)), "{told}");
        let gone = told["gone"].as_array().unwrap();
        let keys: Vec<_> = gone.iter().map(|one| &one["key"]).collect();
        assert_eq!(keys, ["django:2", "django:3"], "{told}");
        assert!(gone[0]["cause"].as_str().unwrap().starts_with("bob@example.com is not there any more"));
        assert_eq!(told["findings"][0], "2 who came before are not there any more; it is for you to decide");
    }
    browser.profile().await.expect(401);
    app.client.login("ada@example.com", PASSWORD).await.expect(403);
    let other = exchange::trade(&app.browser(), &exchange::token(&app, "b", "1"), "an-attempt-of-ada-2");
    other.send().await.expect(403).without_cookies().problem("permission_denied");
    app.client.login("bob@example.com", PASSWORD).await.expect(200);
    // Somebody decides otherwise, and the same order does not decide against them.
    cli.run(&["user", "enable", "ada@example.com"]).expect(0);
    let told = report(&cli.run(&order).expect(1));
    assert_eq!(
        (&told["deactivated"], &told["doubtful"][0]["key"]),
        (&json!(0), &json!("django:1")),
        "{told}"
    );
    app.client.login("ada@example.com", PASSWORD).await.expect(200);
    // They have said so now that it was told.
    cli.run(&["user", "enable", "ada@example.com", "--reason", "stays"]).expect(0);
    let told = report(&cli.run(&order).expect(1));
    assert_eq!((&told["deactivated"], &told["doubtful"]), (&json!(0), &json!([])), "{told}");
}

#[tokio::test]
async fn who_is_active_there_again_signs_in_here_again_unless_somebody_here_disabled_them() {
    let (app, cli) = beside_a_server().await;
    let folder = tempfile::tempdir().unwrap();
    let import = |is_active: bool| {
        let people: Vec<Value> = serde_json::from_str(&std::fs::read_to_string(dump()).unwrap()).unwrap();
        let mut ada = people.into_iter().find(|one| one["model"] == "auth.user" && one["pk"] == 1).unwrap();
        ada["fields"]["is_active"] = json!(is_active);
        let path = written(folder.path(), &json!([ada]));
        cli.run(&["import", "django", "--dump", &path, "--json"])
    };
    for _ in 0..2 {
        import(true).expect(0);
        app.client.login("ada@example.com", PASSWORD).await.expect(200);
        assert_eq!(report(&import(false).expect(0))["deactivated"], 1);
        app.client.login("ada@example.com", PASSWORD).await.expect(403);
        assert_eq!(report(&import(true).expect(0))["reactivated"], 1);
        app.client.login("ada@example.com", PASSWORD).await.expect(200);
    }
    cli.run(&["user", "disable", "ada@example.com", "--reason", "abuse"]).expect(0);
    let told = report(&import(true).expect(1));
    assert!(told["doubtful"][0]["cause"].as_str().unwrap().contains("disabled here"), "{told}");
    app.client.login("ada@example.com", PASSWORD).await.expect(403);
}

#[test]
fn of_several_blacklists_that_beside_the_users_is_read_or_all_of_them_and_no_row_is_lost_in_silence() {
    let folder = tempfile::tempdir().unwrap();
    let database = postgres();
    database.sql("CREATE TABLE public.people AS SELECT * FROM auth_user");
    for schema in ["aside", "shop"] {
        database.sql(&format!("CREATE SCHEMA {schema}; SET search_path TO {schema}; {BLACKLIST}"));
    }
    database.sql("CREATE TABLE shop.people AS SELECT * FROM auth_user");
    let more = "INSERT INTO shop.token_blacklist_outstandingtoken (id, token, expires_at, jti) VALUES \
                (9, 'x', 'infinity', 'endless'), (10, 'x', '2099-01-01', 'other'); \
                INSERT INTO shop.token_blacklist_blacklistedtoken VALUES (9, now(), 9), (10, now(), 10)";
    database.sql(more);
    for (table, closed) in [("shop.people", 2), ("people", 3), ("auth_user", 3)] {
        let cli = Cli::on(&folder.path().join(table));
        let order = ["import", "django", "--database-url", database.url(), "--table", table, "--json"];
        let told = report(&cli.run(&order).expect(1));
        let found = (&told["blacklisted"], &told["unreadable_tokens"]);
        assert_eq!(found, (&json!(closed), &json!(1)), "{table}: {told}");
        assert!(told["findings"][0].as_str().unwrap().starts_with("1 rows of simplejwt's"), "{told}");
    }
}

#[test]
fn of_two_models_that_could_be_the_users_one_is_to_be_named_however_it_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let cli = Cli::on(&folder.path().join("new"));
    let path = written(
        folder.path(),
        &json!([
            person("auth.user", json!(17), "ada", json!({})),
            person("shop.customer", json!(17), "bob", json!({})),
            { "model": "shop.order", "pk": 1, "fields": {} },
        ]),
    );
    let order =
        |table: &'static [&str]| [&["import", "django", "--json", "--dump", &path][..], table].concat();
    let printed = cli.run(&order(&[])).expect(2);
    assert!(printed.err.contains("auth.user, shop.customer"), "{printed:?}");
    assert!(!folder.path().join("new").exists(), "nobody has come");
    for none in ["auth.member", "user", "shop_user"] {
        let order = [&order(&[])[..], &["--table", none]].concat();
        let printed = cli.run(&order).expect(1);
        assert!(printed.err.contains("has auth.user, shop.customer, shop.order"), "{printed:?}");
    }
    assert_eq!(report(&cli.run(&order(&["--table", "auth_user"])).expect(0))["created"], 1);
    assert_eq!(report(&cli.run(&order(&["--table", "auth.User"])).expect(0))["known"], 1);
    // Customer 17 is not user 17.
    let told = report(&cli.run(&order(&["--table", "Shop.Customer"])).expect(1));
    assert_eq!((&told["created"], &told["doubtful"][0]["key"]), (&json!(0), &json!("django:17")), "{told}");
    assert_eq!(cli.json(&["user", "list"]).as_array().unwrap().len(), 1);
}

#[test]
fn who_is_not_in_a_file_is_listed_and_may_well_be_in_another() {
    let folder = tempfile::tempdir().unwrap();
    let cli = Cli::on(&folder.path().join("new"));
    for (key, name) in [(1, "ada"), (2, "bob")] {
        let path = written(folder.path(), &json!([person("auth.user", json!(key), name, json!({}))]));
        let told = report(&cli.run(&["import", "django", "--dump", &path, "--json"]).expect(0));
        assert_eq!(told["gone"].as_array().unwrap().len(), key - 1, "{told}");
    }
}

#[test]
fn a_dry_run_needs_no_tables_in_postgres_and_makes_none() {
    let folder = tempfile::tempdir().unwrap();
    let database = tenure_rig::postgres_for_tests().create_database();
    let cli = Cli::on(&folder.path().join("new")).patient().env("TENURE_POSTGRES__URL", database.url());
    let dry = ["import", "django", "--dump", &dump(), "--json", "--dry-run"];
    for _ in 0..2 {
        assert_eq!(counts(&report(&cli.run(&dry).expect(1))), json!([10, 7, 0, 1, 2]));
    }
    assert_eq!(counts(&report(&cli.run(&dry[..5]).expect(1))), json!([10, 7, 0, 1, 2]));
    assert_eq!(counts(&report(&cli.run(&dry).expect(1))), json!([10, 0, 7, 1, 2]));
}

#[test]
fn nobody_read_is_said_and_is_no_success() {
    let folder = tempfile::tempdir().unwrap();
    let cli = Cli::on(&folder.path().join("new"));
    let path = written(folder.path(), &json!([]));
    let printed = cli.run(&["import", "django", "--dump", &path]).expect(1);
    assert!(printed.out.contains("0 users read") && printed.err.contains("nobody was read"), "{printed:?}");
    let fifo = cli.run(&["import", "django", "--dump", "/dev/null"]).expect(2);
    assert!(fifo.err.contains("it has to be a file"), "{fifo:?}");
}

#[test]
fn what_a_row_does_not_say_is_told_and_never_in_their_favour() {
    let folder = tempfile::tempdir().unwrap();
    let cli = Cli::on(&folder.path().join("new"));
    let path = written(
        folder.path(),
        &json!([
            person("a.user", json!(1), "null", json!({ "is_active": null, "created": "2024-01-01" })),
            person("a.user", json!(2), "none", json!({ "created": 1_700_000_000 })),
            person("a.user", json!(3), "yes", json!({ "is_active": true, "created": null })),
        ]),
    );
    // Numbers that JSON does not have, in a model that is nobody's business.
    let odd =
        "{\"model\": \"shop.price\", \"pk\": 1, \"fields\": {\"a\": NaN, \"b\": [-Infinity, Infinity]}}";
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replacen('[', &format!("[{odd},"), 1)).unwrap();
    let told = report(&cli.run(&["import", "django", "--dump", &path, "--json"]).expect(0));
    let of = ["created", "disabled", "unflagged", "undated"].map(|name| &told[name]);
    assert_eq!(of, [&json!(3), &json!(1), &json!(1), &json!(1)]);
    let null = cli.json(&["user", "show", "null@example.com"]);
    assert!(!null["disabled_at"].is_null());
    assert_eq!(null["created_at"], json!(1_704_067_200_000_i64));
}

#[tokio::test]
async fn a_uuid_is_the_same_person_in_a_database_and_in_a_token() {
    let app = exchange::open_now().await;
    let folder = tempfile::tempdir().unwrap();
    let connection = rusqlite::Connection::open(folder.path().join("django.sqlite3")).unwrap();
    connection
        .execute_batch(
            "CREATE TABLE a_user (id char(32) PRIMARY KEY, password TEXT, last_login TEXT, email TEXT);
             INSERT INTO a_user VALUES ('0f8fad5bd9cb469fa16570867728950e', '!', NULL, 'ada@example.com');",
        )
        .unwrap();
    let url = format!("sqlite:{}", folder.path().join("django.sqlite3").display());
    app.cli().run(&["import", "django", "--database-url", &url]).expect(0);
    let legacy = exchange::token(&app, "a", "0f8fad5b-d9cb-469f-a165-70867728950e");
    exchange::trade(&app.browser(), &legacy, "an-attempt-of-ada-1").send().await.expect(200);
}

#[test]
fn a_source_without_the_blacklist_is_told_of() {
    let folder = tempfile::tempdir().unwrap();
    let cli = Cli::on(&folder.path().join("new"));
    let person = person("auth.user", json!(1), "ada", json!({}));
    let path = written(folder.path(), &json!([person]));
    let order = ["import", "django", "--dump", &path, "--json"];
    let told = report(&cli.run(&order).expect(0));
    assert!(told["blacklisted"].is_null());
    assert!(told["notes"][0].as_str().unwrap().contains("nothing of simplejwt's blacklist"), "{told}");
    let printed = cli.run(&order[..4]).expect(0);
    assert!(printed.out.contains("note: nothing of simplejwt's blacklist"), "{printed:?}");
    let token = json!({ "model": "token_blacklist.outstandingtoken", "pk": 1, "fields": {} });
    written(folder.path(), &json!([person, token]));
    let told = report(&cli.run(&order).expect(0));
    assert_eq!((&told["blacklisted"], &told["notes"]), (&json!(0), &json!([])));
    let of_database = ["import", "django", "--database-url", &sqlite(folder.path()), "--json"];
    let told = report(&cli.run(&of_database).expect(1));
    assert!(told["notes"][0].as_str().unwrap().contains("no table of simplejwt's blacklist"), "{told}");
}
