//! `tenure admin`

use serde_json::json;

use super::beside_a_server;
use crate::world::Cli;

#[tokio::test]
async fn the_first_superuser_is_made_beside_a_running_server_and_opens_the_console() {
    let (app, cli) = beside_a_server().await;
    let create = ["admin", "create", "--email", "root@example.com", "--reason", "set up", "--actor", "ops"];
    let printed = cli.run_with(&create, "a password from a pipe\n").expect(0);
    assert!(printed.out.contains("root@example.com") && printed.out.contains("superuser"), "{printed:?}");
    let typed = json!({ "email": "root@example.com", "password": "a password from a pipe" });
    let signed_in = app.client.post("/api/v1/admin/session", &typed).send().await.expect(200).json();
    assert_eq!(signed_in["permissions"].as_array().unwrap().len(), 5);
    let told = cli.run(&["acts", signed_in["user"]["id"].as_str().unwrap()]).expect(0).out;
    assert!(told.contains("role: nothing -> superuser  by admin:ops (set up)"), "{told}");

    let another = ["admin", "create", "--email", "second@example.com"];
    let refused = cli.run_with(&another, "a password from a pipe\n").expect(1);
    assert!(refused.err.contains("root@example.com") && refused.err.contains("--another"), "{refused:?}");
    assert_eq!(cli.json(&["user", "list"]).as_array().unwrap().len(), 1);
    cli.run_with(&[&another[..], &["--another"]].concat(), "a password from a pipe\n").expect(0);
    assert_eq!(cli.json(&["user", "list"]).as_array().unwrap().len(), 2);
}

#[test]
fn address_and_password_are_asked_for_and_may_be_the_first_things_in_a_new_folder() {
    let folder = tempfile::tempdir().unwrap();
    let cli = Cli::on(&folder.path().join("new"));
    for (input, said) in
        [("nobody\n", "not an e-mail address"), ("a@example.com\nshort\n", "at least 8"), ("", "")]
    {
        let printed = cli.run_with(&["admin", "create"], input).expect(2);
        assert!(printed.err.contains(said), "{printed:?}");
    }
    let typed = "a@example.com\na password from a pipe\n";
    let printed = cli.run_with(&["admin", "create", "--json"], typed).expect(0);
    let row: serde_json::Value = serde_json::from_str(&printed.out).unwrap();
    assert_eq!(
        [&row["email"], &row["role"], &row["has_password"]],
        [&json!("a@example.com"), &json!("superuser"), &json!(true)]
    );
}
