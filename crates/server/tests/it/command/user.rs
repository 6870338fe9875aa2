//! `tenure user`

use serde_json::json;

use super::beside_a_server;
use crate::world::{Cli, PASSWORD};

#[tokio::test]
async fn a_user_created_beside_a_running_server_can_sign_in() {
    let (app, cli) = beside_a_server().await;
    let arguments = ["user", "create", "Grace@example.com", "--name", "Grace", "--role", "admin", "--json"];
    let printed = cli.run_with(&arguments, "a password from a pipe\n").expect(0);
    let row: serde_json::Value = serde_json::from_str(&printed.out).unwrap();
    assert_eq!(
        (&row["email"], &row["role"], &row["has_password"]),
        (&json!("Grace@example.com"), &json!("admin"), &json!(true))
    );
    let answer = app.client.login("grace@example.com", "a password from a pipe").await.expect(200);
    assert_eq!(answer.json()["user"]["role"], "admin");
    let taken = cli.run_with(&arguments, "another password here\n").expect(1);
    assert!(taken.err.contains("is taken"), "{taken:?}");
    // A second one in her account; and what was done to them is told, by whom and why.
    let second =
        ["user", "create", "b@example.com", "--name", "B", "--no-password", "--account", "grace@example.com"];
    let second = cli.json(&[&second[..], &["--reason", "hired", "--actor", "root"]].concat());
    assert_eq!(second["account_id"], row["account_id"]);
    cli.run(&["user", "enable", "b@example.com", "--reason", "back"]).expect(0);
    let told = cli.run(&["acts", second["id"].as_str().unwrap()]).expect(0).out;
    assert!(told.contains("state: created  by admin:root (hired)"), "{told}");
    assert!(told.contains("state: enabled") && told.contains("(back)"), "{told}");
}

#[test]
fn a_user_may_be_the_first_thing_in_a_new_folder() {
    let folder = tempfile::tempdir().unwrap();
    let cli = Cli::on(&folder.path().join("new"));
    let create =
        |email: &str| cli.run_with(&["user", "create", email, "--name", "A"], "a password from a pipe\n");
    create("a@example.com").expect(0);
    assert_eq!(cli.json(&["user", "list"]).as_array().unwrap().len(), 1);
    for (email, input, said) in [
        ("nobody", "a password from a pipe\n", "not an e-mail address"),
        ("b@example.com", "short\n", "at least 8"),
        ("b@example.com", "", "at least 8"),
        ("b@example.com", "password1\n", "commonly used"),
    ] {
        let printed = cli.run_with(&["user", "create", email, "--name", "A"], input).expect(2);
        assert!(printed.err.contains(said), "{printed:?}");
    }
    let mode = std::os::unix::fs::MetadataExt::mode(&std::fs::metadata(folder.path().join("new")).unwrap());
    assert_eq!(mode & 0o777, 0o700, "the folder is its owner's alone");
}

#[test]
fn everybody_is_listed_however_many_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let cli = Cli::on(&folder.path().join("new"));
    let dump = folder.path().join("people.json");
    let person = |n: u32| {
        let fields = json!({ "email": format!("p{n}@example.com"), "name": "P", "password": "!" });
        json!({ "model": "people", "pk": n, "fields": fields }).to_string()
    };
    std::fs::write(&dump, (0..201).map(person).collect::<Vec<_>>().join("\n")).unwrap();
    cli.run(&["import", "django", "--dump", dump.to_str().unwrap(), "--table", "people"]).expect(0);
    let listed = |more: &[&str]| {
        let rows = cli.json(&[&["user", "list"], more].concat());
        let ids = rows.as_array().unwrap().iter().map(|row| row["id"].as_str().unwrap().to_owned());
        ids.collect::<Vec<_>>()
    };
    let (page, all) = (listed(&[]), listed(&["--all"]));
    assert_eq!((page.len(), all.len()), (100, 201));
    assert_eq!(page, all[..100]);
    assert_eq!(listed(&["--all", "--after", &all[99]]), all[100..]);
    assert_eq!(all.iter().collect::<std::collections::BTreeSet<_>>().len(), 201);
}

#[test]
fn whoever_came_from_elsewhere_is_listed_with_what_they_are_called_there() {
    let folder = tempfile::tempdir().unwrap();
    let cli = Cli::on(&folder.path().join("new"));
    let dump = folder.path().join("people.json");
    let fields = json!({ "email": "ada@example.com", "name": "Ada", "password": "!", "last_login": null });
    let entry = json!([{ "model": "auth.user", "pk": 17, "fields": fields }]);
    std::fs::write(&dump, entry.to_string()).unwrap();
    cli.run(&["import", "django", "--dump", dump.to_str().unwrap()]).expect(0);
    cli.run(&["user", "create", "bob@example.com", "--name", "Bob", "--no-password"]).expect(0);
    let listed = cli.json(&["user", "list"]);
    let keys: Vec<_> = listed.as_array().unwrap().iter().map(|row| &row["imported_as"]).collect();
    assert_eq!(keys, [&json!("django:17"), &json!(null)]);
    assert_eq!(cli.json(&["user", "show", "ada@example.com"])["imported_as"], "django:17");
}

#[tokio::test]
async fn without_a_password_nobody_signs_in_until_one_is_set() {
    let (app, cli) = beside_a_server().await;
    cli.run(&["user", "create", "a@example.com", "--name", "A", "--no-password"]).expect(0);
    app.client.login("a@example.com", "").await.expect(401);
    cli.run_with(&["user", "set-password", "a@example.com", "--reason", "asked"], "a password from a pipe\n")
        .expect(0);
    app.client.login("a@example.com", "a password from a pipe").await.expect(200);
}

#[tokio::test]
async fn disabling_ends_all_at_the_next_request_and_enabling_brings_nothing_back() {
    let (app, cli) = beside_a_server().await;
    let user = app.user("ada").await;
    let mut browser = app.signed_in(&user).await;
    browser.profile().await.expect(200);
    let would = cli.json(&["user", "disable", &user.email, "--reason", "left", "--dry-run"]);
    assert_eq!(would, json!({ "would": "disabled", "user": user.id, "reason": "user_disabled" }));
    browser.profile().await.expect(200);
    let key = ["api-key", "create", &user.email, "--name", "x", "--reason", "x"];
    cli.run(&key).expect(0);
    let disabled = cli.run(&["user", "disable", &user.email, "--reason", "left", "--json"]).expect(0);
    assert!(disabled.err.contains("1 API key(s) of the account still stand"), "{disabled:?}");
    let ended: serde_json::Value = serde_json::from_str(&disabled.out).unwrap();
    assert_eq!(
        (&ended[0]["session"], &ended[0]["reason"], &ended[0]["actor"]),
        (&json!(browser.session), &json!("user_disabled"), &json!("admin:grace"))
    );
    browser.profile().await.expect(401).problem("access_token_revoked");
    app.client.login(&user.email, PASSWORD).await.expect(403).problem("permission_denied");
    assert_eq!(cli.json(&["user", "enable", &user.email])["enabled"], json!(user.id));
    app.client.login(&user.email, PASSWORD).await.expect(200);
    assert_eq!(browser.refresh().await.expect(401).json()["reason"], "user_disabled");
}

#[tokio::test]
async fn setting_a_password_ends_all_sessions_with_password_reset() {
    let (app, cli) = beside_a_server().await;
    let user = app.user("ada").await;
    let mut browser = app.signed_in(&user).await;
    let arguments = ["user", "set-password", &user.id.to_string(), "--reason", "forgotten", "--json"];
    let printed = cli.run_with(&arguments, "a password from a pipe\n").expect(0);
    assert!(
        !printed.out.contains("a password from a pipe") && !printed.err.contains("a password from a pipe")
    );
    assert_eq!(browser.refresh().await.expect(401).json()["reason"], "password_reset");
    let told = cli.run(&["acts", &user.id.to_string()]).expect(0).out;
    assert!(told.contains("password: set  by admin:grace (forgotten)"), "{told}");
    app.client.login(&user.email, PASSWORD).await.expect(401);
    app.client.login(&user.email, "a password from a pipe").await.expect(200);
}

#[tokio::test]
async fn deleting_leaves_the_explanation_of_the_end_only() {
    let (app, cli) = beside_a_server().await;
    let user = app.user("ada").await;
    let mut browser = app.signed_in(&user).await;
    cli.run(&["user", "delete", &user.email, "--reason", "asked", "--dry-run"]).expect(0);
    browser.profile().await.expect(200);
    cli.run(&["user", "delete", &user.email, "--reason", "asked"]).expect(0);
    browser.profile().await.expect(401).problem("access_token_revoked");
    assert_eq!(browser.refresh().await.expect(401).json()["reason"], "user_deleted");
    for verb in
        [vec!["show", &user.email], vec!["enable", &user.email], vec!["delete", &user.email, "--reason", "x"]]
    {
        let printed = cli.run(&[vec!["user"], verb].concat()).expect(1);
        assert!(printed.err.contains("there is no user"), "{printed:?}");
    }
}

#[tokio::test]
async fn users_are_listed_by_age_a_page_at_a_time() {
    let (app, cli) = beside_a_server().await;
    let (ada, bob) = (app.user("ada").await, app.user("bob").await);
    let emails = |list: serde_json::Value| {
        list.as_array()
            .unwrap()
            .iter()
            .map(|row| row["email"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    let mut all = emails(cli.json(&["user", "list"]));
    all.sort_unstable();
    assert_eq!(all, [ada.email.clone(), bob.email.clone()]);
    let first = emails(cli.json(&["user", "list"]))[0].clone();
    let id = if first == ada.email { ada.id } else { bob.id };
    assert_eq!(cli.json(&["user", "list", "--after", &id.to_string()]).as_array().unwrap().len(), 1);
    let row = cli.json(&["user", "show", &ada.email]);
    assert!(row.get("password_hash").is_none() && !row.to_string().contains("argon2"), "{row}");
    assert_eq!(cli.run(&["user", "list"]).expect(0).out.lines().count(), 2);
}
