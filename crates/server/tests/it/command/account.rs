//! `tenure account`, `tenure plan`, `tenure acts` and `tenure user set`

use serde_json::{Value, json};

use super::beside_a_server;

const REASON: [&str; 2] = ["--reason", "asked by sales"];

#[tokio::test]
async fn a_plan_is_sold_and_an_account_suspended_beside_a_running_server_and_nobody_is_signed_out() {
    let (app, cli) = beside_a_server().await;
    let mut ada = app.signed_in(&app.user("ada").await).await;
    let terms = ["--limits", r#"{"seats": 5}"#, "--features", r#"["sso"]"#, "--stripe-price", "price_1"];
    let saved = cli.json(&[&["plan", "save", "pro", "--name", "Pro"], &terms[..], &REASON].concat());
    assert_eq!((&saved["limits"], &saved["stripe_price"]), (&json!({ "seats": 5 }), &json!("price_1")));
    let set = cli.json(&[&["account", "set", "ada@example.com", "--plan", "pro"][..], &REASON].concat());
    let account = set["id"].as_str().unwrap().to_owned();
    let profile = ada.profile().await.expect(200).json();
    assert_eq!(profile["account"]["plan"], json!({ "slug": "pro", "name": "Pro", "is_active": true }));
    // What is not named of a plan stays.
    let saved = cli.json(&[&["plan", "save", "pro", "--active", "false"][..], &REASON].concat());
    assert_eq!((&saved["is_active"], &saved["limits"]), (&json!(false), &json!({ "seats": 5 })));
    assert_eq!(ada.profile().await.json()["account"]["plan"]["is_active"], false);
    cli.run(&[&["account", "set", &account, "--status", "suspended"][..], &REASON].concat()).expect(0);
    let check = ada.call("GET", "/api/v1/auth/check?require=active_account").bearer(&ada.access);
    check.send().await.expect(403).problem("account_suspended");
    ada.refresh().await.expect(200);
    assert_eq!(ada.sessions().await.len(), 1);
    // Who did it, and why.
    let shown = cli.json(&["account", "show", "ada@example.com"]);
    let acts: Vec<_> = shown["acts"].as_array().unwrap().iter().map(|act| &act["what"]).collect();
    assert_eq!(acts, ["status", "plan"]);
    assert_eq!(shown["acts"][0]["actor"], "admin:grace");
    assert_eq!(shown["acts"][0]["reason"], REASON[1]);
    let of_plan = cli.json(&["acts", "plan:pro"]);
    assert_eq!((&of_plan[0]["was"], &of_plan[0]["became"]), (&json!("true"), &json!("false")));
    let lines = cli.run(&["acts"]).expect(0).out;
    assert!(lines.contains("status: active -> suspended  by admin:grace (asked by sales)"), "{lines}");
    assert_eq!(cli.json(&["account", "list"]).as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_user_is_given_a_role_and_another_account_and_stays_signed_in() {
    let (app, cli) = beside_a_server().await;
    let mut ada = app.signed_in(&app.user("ada").await).await;
    let account = cli.json(&[&["account", "create", "Acme", "--status", "trial"][..], &REASON].concat());
    let id = account["id"].as_str().unwrap();
    let moved =
        [&["user", "set", "ada@example.com", "--role", "admin", "--account", id][..], &REASON].concat();
    let user = cli.json(&moved);
    assert_eq!((&user["role"], &user["account_id"]), (&json!("admin"), &json!(id)));
    let profile = ada.profile().await.expect(200).json();
    assert_eq!((&profile["role"], &profile["account"]["name"]), (&json!("admin"), &json!("Acme")));
    cli.run(&[&["user", "set", "ada@example.com", "--no-account"][..], &REASON].concat()).expect(0);
    assert_eq!(ada.profile().await.expect(200).json()["account"], Value::Null);
    ada.refresh().await.expect(200);
    let lines = cli.run(&["acts", user["id"].as_str().unwrap()]).expect(0).out;
    assert_eq!(lines.lines().count(), 3, "{lines}");
}

#[tokio::test]
async fn what_is_asked_for_wrongly_changes_nothing_and_says_what_to_do() {
    let (app, cli) = beside_a_server().await;
    app.user("ada").await;
    let set = ["account", "set", "ada@example.com"];
    let save = ["plan", "save", "pro", "--name", "Pro"];
    for (arguments, code, said) in [
        ([&set[..], &REASON].concat(), 2, "--status"),
        ([&set[..], &["--status", "suspended"]].concat(), 2, "--reason"),
        ([&set[..], &["--status", "golden"], &REASON].concat(), 2, "not an account status"),
        ([&set[..], &["--plan", "nosuch"], &REASON].concat(), 1, "there is no plan nosuch"),
        ([&set[..], &["--plan", "pro", "--no-plan"], &REASON].concat(), 2, "cannot be used with"),
        ([&["account", "show", "nobody@example.com"][..]].concat(), 1, "nobody@example.com"),
        ([&save[..], &["--limits", "{\"seats\": -1}"], &REASON].concat(), 2, "--limits: "),
        ([&save[..], &["--features", "{}"], &REASON].concat(), 2, "--features: "),
        ([&["plan", "save", "Pro", "--name", "Pro"][..], &REASON].concat(), 2, "a name for programs"),
        ([&["plan", "save", "pro"][..], &REASON].concat(), 2, "so it needs one"),
        (vec!["acts", "nonsense"], 2, "`nonsense` is no subject: expected acc_"),
        ([&["user", "set", "ada@example.com", "--role", "root"][..], &REASON].concat(), 2, "not a role"),
        (
            [&["account", "create", "A", "--plan", "nosuch"][..], &REASON].concat(),
            1,
            "there is no plan nosuch",
        ),
    ] {
        let printed = cli.run(&arguments).expect(code);
        assert!(printed.err.contains(said), "{arguments:?}: {printed:?}");
    }
    assert_eq!(cli.json(&["acts"]), json!([]));
    cli.run(&[&save[..], &["--stripe-price", "price_1"], &REASON].concat()).expect(0);
    let theft = ["plan", "save", "team", "--name", "Team", "--stripe-price", "price_1"];
    assert!(cli.run(&[&theft[..], &REASON].concat()).expect(1).err.contains("another plan has that"));
}

#[tokio::test]
async fn a_key_is_made_rotated_and_revoked_beside_a_running_server() {
    let (app, cli) = beside_a_server().await;
    app.user("ada").await;
    let create = ["api-key", "create", "ada@example.com", "--name", "deploy", "--scopes", "b.write a.read"];
    let made = cli.json(&[&create[..], &["--expires-in", "90d"], &REASON].concat());
    let (id, secret) = (made["id"].as_str().unwrap(), made["secret"].as_str().unwrap());
    assert_eq!(made["scopes"], json!(["a.read", "b.write"]));
    let check = async |secret: &str| {
        app.client.get("/api/v1/auth/check?require=permission:a.read").bearer(secret).send().await
    };
    check(secret).await.expect(200);
    let rotated = cli.json(&[&["api-key", "rotate", id, "--grace", "0s"][..], &REASON].concat());
    app.clock.advance(std::time::Duration::from_secs(60));
    check(secret).await.expect(401).problem("access_token_expired");
    let next = rotated["secret"].as_str().unwrap();
    check(next).await.expect(200);
    cli.run(&[&["api-key", "revoke", rotated["id"].as_str().unwrap()][..], &REASON].concat()).expect(0);
    check(next).await.expect(401).problem("access_token_revoked");
    let listed = cli.json(&["api-key", "list", "ada@example.com"]);
    assert_eq!(listed.as_array().unwrap().len(), 2);
    assert!(!listed.to_string().contains("secret"));
    let gone = cli.run(&[&["api-key", "rotate", id][..], &REASON].concat()).expect(1);
    assert!(gone.err.contains("there is no API key"), "{gone:?}");
    let odd = cli.run(&[&create[..5], &["--scopes", "*"], &REASON].concat()).expect(2);
    assert!(odd.err.contains("--scopes: `*` is no scope"), "{odd:?}");
}

#[tokio::test]
async fn an_account_gets_its_customer_of_stripes_and_no_other_account_does() {
    let (app, cli) = beside_a_server().await;
    app.user("ada").await;
    app.user("bob").await;
    let set = |of, customer| [&["account", "set", of, "--stripe-customer", customer][..], &REASON].concat();
    let account = cli.json(&set("ada@example.com", "cus_1"));
    assert_eq!(account["stripe_customer"], "cus_1");
    let shown = cli.run(&["account", "show", "ada@example.com"]).expect(0).out;
    assert!(shown.contains("  cus_1") && shown.contains("stripe_customer: "), "{shown}");
    let refused = cli.run(&set("bob@example.com", "cus_1")).expect(1);
    assert!(refused.err.contains("another account has that customer of Stripe's"), "{}", refused.err);
    assert_eq!(cli.json(&set("ada@example.com", ""))["stripe_customer"], Value::Null);
    cli.run(&set("bob@example.com", "cus_1")).expect(0);
}
