//! `/api/v1/admin/users`

use serde_json::{Value, json};
use tenure_domain::user::Role;

use super::{acts, call, get, refused, refuses, ruled, send, somebody};
use crate::world::{Answer, Browser, PASSWORD, SECOND, Setup, TestApp, User};

fn path(user: &User) -> String {
    format!("/users/{}", user.id)
}

/// Who did anything to a user in earnest, and why.
async fn acts_by(root: &Browser, user: &str) -> Vec<[String; 2]> {
    let acts = acts(root, user).await.into_iter().filter(|[by, ..]| by != "admin:root");
    acts.map(|[by, why, ..]| [by, why]).collect()
}

async fn why(browser: &mut Browser) -> Value {
    browser.refresh().await.expect(401).json()["reason"].clone()
}

#[tokio::test]
async fn whoever_is_created_can_sign_in_if_they_have_a_password_and_joins_the_account_that_is_named() {
    let (app, root_user, root) = ruled().await;
    app.clock.advance(SECOND);
    let ours = get(&root, &path(&root_user)).await["account_id"].clone();
    let wish = json!({ "email": "Ada@example.com", "name": "Ada", "password": PASSWORD, "account_id": ours,
                       "role": "admin", "reason": "hired" });
    let ada = send(&root, "POST", "/users", &wish).await.expect(201).json();
    assert_eq!(
        (&ada["role"], &ada["account_id"], &ada["has_password"]),
        (&json!("admin"), &ours, &json!(true))
    );
    app.client.login("ada@example.com", PASSWORD).await.expect(200);
    app.clock.advance(SECOND);
    let wish = json!({ "email": "bob@example.com", "name": "Bob", "reason": "invited" });
    let bob = send(&root, "POST", "/users", &wish).await.expect(201).json();
    assert_eq!((&bob["role"], &bob["has_password"]), (&json!("user"), &json!(false)));
    assert!(bob["account_id"].is_string() && bob["account_id"] != ours);
    app.client.login("bob@example.com", PASSWORD).await.expect(401).problem("invalid_credentials");
    let by = format!("admin:{}", root_user.id);
    let mut created = acts(&root, ada["id"].as_str().unwrap()).await;
    created.sort_by_key(|[_, _, what, _]| what.clone());
    let account = ours.as_str().unwrap();
    let expected = [("account", account), ("role", "admin"), ("state", "created")];
    assert_eq!(
        created,
        expected.map(|(what, became)| [by.as_str(), "hired", what, became].map(str::to_owned))
    );

    let found = get(&root, "/users?email=ADA@example.com").await;
    assert_eq!(found["users"], json!([ada]));
    assert_eq!(get(&root, "/users?email=nobody@example.com").await["users"], json!([]));
    let listed = get(&root, "/users?limit=2").await;
    let rest = get(&root, &format!("/users?after={}", listed["next"].as_str().unwrap())).await;
    assert_eq!((listed["users"].as_array().unwrap().len(), &rest["users"]), (2, &json!([bob])));
    assert!(!listed.to_string().contains("argon2"));
}

#[tokio::test]
async fn users_are_found_by_a_part_of_what_they_are_called_and_by_what_they_are() {
    let (app, _, root) = ruled().await;
    app.clock.advance(SECOND);
    let (ada, _) = somebody(&app, "ada", Role::Admin).await;
    app.clock.advance(SECOND);
    let (adam, _) = somebody(&app, "adam", Role::User).await;
    let asked = json!({ "reason": "asked" });
    send(&root, "POST", &format!("{}/disable", path(&adam)), &asked).await.expect(200);
    let account = get(&root, &path(&ada)).await["account_id"].as_str().unwrap().to_owned();
    let find = async |query: &str| {
        let found = get(&root, &format!("/users?{query}")).await;
        let users = found["users"].as_array().unwrap().clone();
        users.iter().map(|user| user["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    for (query, expected) in [
        ("q=ADA", &["ada", "adam"][..]),
        ("q=ada%40", &["ada"]),
        ("q=", &["root", "ada", "adam"]),
        ("q=ada&limit=1", &["ada"]),
        ("q=nobody", &[]),
        ("role=superuser", &["root"]),
        ("state=disabled", &["adam"]),
        ("state=active&q=ada", &["ada"]),
        (&format!("account={account}"), &["ada"]),
        (&format!("q=ada&after={}", ada.id), &["adam"]),
    ] {
        assert_eq!(find(query).await, expected, "{query}");
    }
    for (query, field, code) in [
        ("role=king", "role", "not_a_role"),
        ("state=gone", "state", "not_a_state"),
        ("account=7", "account", "not_an_id"),
        (&format!("q={}", "x".repeat(201)), "q", "too_long"),
    ] {
        assert_eq!(refused(&root, &format!("/users?{query}")).await, [field, code]);
    }
}

#[tokio::test]
async fn a_role_and_an_account_are_changed_without_signing_anybody_out() {
    let (app, _, root) = ruled().await;
    let (ada_user, mut ada) = somebody(&app, "ada", Role::User).await;
    let (eve_user, _) = somebody(&app, "eve", Role::User).await;
    let hers = get(&root, &path(&eve_user)).await["account_id"].clone();
    let change = json!({ "role": "admin", "account_id": hers, "reason": "moved" });
    let changed = send(&root, "PATCH", &path(&ada_user), &change).await.expect(200).json();
    assert_eq!((&changed["role"], &changed["account_id"]), (&json!("admin"), &hers));
    assert_eq!(ada.profile().await.expect(200).json()["role"], "admin");
    let out = json!({ "account_id": null, "reason": "left" });
    let changed = send(&root, "PATCH", &path(&ada_user), &out).await.expect(200).json();
    assert_eq!((&changed["role"], &changed["account_id"]), (&json!("admin"), &json!(null)));
    ada.refresh().await.expect(200);
    refuses(
        &root,
        "PATCH",
        &path(&ada_user),
        &[
            (json!({ "role": "king", "reason": "x" }), "role", "not_a_role"),
            (json!({ "account_id": "7", "reason": "x" }), "account_id", "not_an_id"),
            (
                json!({ "account_id": "acc_00000000000000000000000000000007", "reason": "x" }),
                "account_id",
                "no_such_account",
            ),
            (json!({ "role": "user", "reason": "" }), "reason", "not_a_reason"),
        ],
    )
    .await;
    refuses(&root, "POST", "/users", &[
        (json!({ "email": "no", "name": "N", "reason": "x" }), "email", "not_an_address"),
        (json!({ "email": "n@example.com", "name": "N", "password": "short", "reason": "x" }), "password", "too_short"),
        (json!({ "email": "n@example.com", "name": "N", "role": "", "reason": "x" }), "role", "not_a_role"),
        (json!({ "email": "n@example.com", "name": "N", "account_id": "acc_00000000000000000000000000000007", "reason": "x" }),
         "account_id", "no_such_account"),
        (json!({ "email": "n@example.com", "name": "N", "imported_as": "17", "reason": "x" }), "imported_as", "not_a_key"),
    ])
    .await;
    let taken = json!({ "email": "ADA@example.com", "name": "N", "reason": "x" });
    send(&root, "POST", "/users", &taken).await.expect(409).problem("email_taken");
}

#[tokio::test]
async fn whoever_is_created_as_somebody_elsewhere_is_that_person_and_nobody_else_is() {
    let (app, _, root) = ruled().await;
    let wish = |name: &str, key: &str| json!({ "email": format!("{name}@example.com"), "name": name, "imported_as": key, "reason": "signed up" });
    let uuid = "0f8fad5b-d9cb-469f-a165-70867728950e";
    let bare = format!("django:{}", uuid.replace('-', "").to_uppercase());
    for (name, given, known) in
        [("ada", "django:17".to_owned(), "django:17".to_owned()), ("bob", bare, format!("django:{uuid}"))]
    {
        let made = send(&root, "POST", "/users", &wish(name, &given)).await.expect(201).json();
        let found = app.store().import_find(known.clone()).await.unwrap();
        assert_eq!(json!(found), made["id"], "{given}");
        refuses(&root, "POST", "/users", &[(wish("cyd", &known), "imported_as", "taken")]).await;
    }
    assert_eq!(get(&root, "/users?email=cyd@example.com").await["users"], json!([]));
}

#[tokio::test]
async fn every_end_by_an_administrator_says_whose_it_was_and_why() {
    let (app, root_user, root) = ruled().await;
    let by = format!("admin:{}", root_user.id);
    let asked = json!({ "reason": "asked for it" });
    let with_password = json!({ "reason": "asked for it", "password": "another long password" });
    for (name, method, verb, body, reason) in [
        ("ada", "POST", "/disable", Some(&asked), "user_disabled"),
        ("bob", "POST", "/sign-out", Some(&asked), "admin_revoked"),
        ("cyd", "POST", "/password", Some(&with_password), "password_reset"),
        ("dan", "DELETE", "?reason=asked+for+it", None, "user_deleted"),
    ] {
        let (user, mut first) = somebody(&app, name, Role::User).await;
        let mut second = app.signed_in(&user).await;
        let call = call(&root, method, &format!("{}{verb}", path(&user)));
        let call = match body {
            Some(body) => call.json(body),
            None => call,
        };
        assert_eq!(call.send().await.expect(200).json(), json!({ "ended_sessions": 2 }), "{name}");
        app.client.profile(&first.access).await.expect(401).problem("access_token_revoked");
        for browser in [&mut first, &mut second] {
            assert_eq!(why(browser).await, reason);
        }
        let (whose, told) = (user.id.to_string(), acts_by(&root, &user.id.to_string()).await);
        assert_eq!(told, vec![[by.clone(), "asked for it".to_owned()]], "{whose}");
        let record = app.store().session_find(first.session.parse().unwrap()).await.unwrap().unwrap();
        let end = record.session.ended.unwrap();
        assert_eq!((end.actor.to_string(), end.note.as_deref()), (by.clone(), Some("asked for it")));
    }
    assert_eq!(app.metric("session_ends_total{reason=\"user_disabled\"}"), 2.0);
    app.client.login("cyd@example.com", "another long password").await.expect(200);
    app.client.login("bob@example.com", PASSWORD).await.expect(200);
    app.client.login("ada@example.com", PASSWORD).await.expect(403);
    let ada = get(&root, "/users?email=ada@example.com").await["users"][0].clone();
    assert_eq!(ada["disabled_at"], json!(app.clock.get()));
    let ada = format!("/users/{}", ada["id"].as_str().unwrap());
    assert_eq!(
        send(&root, "POST", &format!("{ada}/enable"), &asked).await.expect(200).json()["disabled_at"],
        json!(null)
    );
    app.client.login("ada@example.com", PASSWORD).await.expect(200);
    for (verb, body) in
        [("disable", json!({ "reason": "" })), ("sign-out", json!({})), ("password", asked.clone())]
    {
        send(&root, "POST", &format!("{ada}/{verb}"), &body).await.expect(422).problem("validation_failed");
    }
    call(&root, "DELETE", &ada).send().await.expect(400).problem("malformed_request");
    app.client.login("ada@example.com", PASSWORD).await.expect(200);
}

#[tokio::test]
async fn nobody_makes_or_handles_a_user_who_may_do_more_than_they() {
    let permissions =
        r#"{"admin.users" = ["admin"], "admin.read" = ["admin"], "api_keys.manage" = ["admin"]}"#;
    let app = Setup::default().set("ENTITLEMENT__PERMISSIONS", permissions).start().await;
    let (_, admin) = somebody(&app, "admin", Role::Admin).await;
    let wish = json!({ "name": "key", "scopes": ["admin.users", "admin.read"] });
    let made = app.client.call("POST", "/api/v1/auth/api-keys").bearer(&admin.access).json(&wish);
    let key = made.send().await.expect(201).json()["secret"].as_str().unwrap().to_owned();
    let with_key = async |method: &str, path: &str, body: &Value| -> Answer {
        let call = app.client.call(method, &format!("/api/v1/admin{path}"));
        call.header("x-api-key", &key).json(body).send().await
    };
    for (role, by_admin, by_key) in [
        (Role::User, true, true),
        // The key has no `api_keys.manage`, which every admin has.
        (Role::Admin, true, false),
        (Role::Developer, false, false),
        (Role::System, false, false),
        (Role::Superuser, false, false),
    ] {
        let (user, mut browser) = somebody(&app, &format!("a{role}"), role).await;
        let (doomed, _) = somebody(&app, &format!("d{role}"), role).await;
        let (plain, _) = somebody(&app, &format!("b{role}"), Role::User).await;
        let reason = json!({ "reason": "x" });
        let handle = [
            (
                "POST",
                format!("{}/password", path(&user)),
                json!({ "password": "another long password", "reason": "x" }),
            ),
            ("POST", format!("{}/disable", path(&user)), reason.clone()),
            ("POST", format!("{}/enable", path(&user)), reason.clone()),
            ("POST", format!("{}/sign-out", path(&user)), reason.clone()),
            ("DELETE", format!("{}?reason=x", path(&doomed)), json!({})),
            ("PATCH", path(&user), json!({ "role": "user", "reason": "x" })),
            ("PATCH", path(&plain), json!({ "role": role, "reason": "x" })),
            (
                "POST",
                "/users".to_owned(),
                json!({ "email": format!("new{role}@example.com"), "name": "N", "role": role, "reason": "x" }),
            ),
        ];
        // The refused first, so that they are refused for what the user is.
        if !by_admin || !by_key {
            for (method, path, body) in &handle {
                if !by_admin {
                    send(&admin, method, path, body).await.expect(403).problem("permission_denied");
                }
                with_key(method, path, body).await.expect(403).problem("permission_denied");
            }
            browser.refresh().await.expect(200);
            assert_eq!(browser.profile().await.expect(200).json()["role"], json!(role));
            assert!(
                app.store().user_find_by_email(&format!("new{role}@example.com")).await.unwrap().is_none()
            );
        }
        if by_admin {
            for (method, path, body) in &handle {
                let answer = send(&admin, method, path, body).await;
                assert!((200..300).contains(&answer.status), "{method} {path}: {}", answer.text());
            }
        }
    }
}

#[tokio::test]
async fn the_operators_own_accounts_and_their_members_are_the_superusers_affair() {
    let permissions = r#"{"admin.users" = ["admin"], "admin.accounts" = ["admin"]}"#;
    let app = Setup::default().set("ENTITLEMENT__PERMISSIONS", permissions).start().await;
    let (_, root) = somebody(&app, "root", Role::Superuser).await;
    let (admin_user, admin) = somebody(&app, "admin", Role::Admin).await;
    let (ours, _) = somebody(&app, "ours", Role::User).await;
    let account = app.store().user_find(ours.id).await.unwrap().unwrap().account_id.unwrap();
    let account_path = format!("/accounts/{account}");
    let make_system = json!({ "is_system": true, "reason": "ours" });
    send(&admin, "PATCH", &account_path, &make_system).await.expect(403).problem("permission_denied");
    send(&root, "PATCH", &account_path, &make_system).await.expect(200);
    let reason = json!({ "reason": "x" });
    let password = json!({ "password": "another long password", "reason": "x" });
    let new = json!({ "email": "n@example.com", "name": "N", "account_id": account, "reason": "x" });
    for (method, path, body) in [
        ("POST", "/users".to_owned(), &new),
        ("PATCH", path(&admin_user), &json!({ "account_id": account, "reason": "x" })),
        ("PATCH", path(&ours), &json!({ "account_id": null, "reason": "x" })),
        ("POST", format!("{}/password", path(&ours)), &password),
        ("POST", format!("{}/sign-out", path(&ours)), &reason),
        ("PATCH", account_path.clone(), &json!({ "is_system": false, "reason": "x" })),
        ("PATCH", account_path.clone(), &json!({ "status": "suspended", "reason": "x" })),
        ("PATCH", account_path.clone(), &json!({ "plan": null, "reason": "x" })),
        ("PATCH", account_path.clone(), &json!({ "stripe_customer": "cus_1", "reason": "x" })),
        ("PATCH", account_path.clone(), &json!({ "name": "Operations", "reason": "x" })),
    ] {
        send(&admin, method, &path, body).await.expect(403).problem("permission_denied");
    }
    // Of an account of anybody else's it is theirs.
    let own = app.store().user_find(admin_user.id).await.unwrap().unwrap().account_id.unwrap();
    let suspend = json!({ "status": "suspended", "reason": "x" });
    send(&admin, "PATCH", &format!("/accounts/{own}"), &suspend).await.expect(200);
    send(&root, "PATCH", &account_path, &suspend).await.expect(200);
    send(&root, "POST", "/users", &new).await.expect(201);
}

#[tokio::test]
async fn a_user_who_is_not_there_is_404_and_a_store_that_is_not_there_503() {
    let (app, _, root) = ruled().await;
    for id in ["usr_00000000000000000000000000000007", "7", "acc_00000000000000000000000000000007"] {
        call(&root, "GET", &format!("/users/{id}")).send().await.expect(404).problem("not_found");
        send(&root, "PATCH", &format!("/users/{id}"), &json!({ "reason": "x" })).await.expect(404);
        send(&root, "POST", &format!("/users/{id}/disable"), &json!({ "reason": "x" })).await.expect(404);
        call(&root, "DELETE", &format!("/users/{id}?reason=x")).send().await.expect(404);
    }
    call(&root, "GET", "/acts?subject=7").send().await.expect(422).problem("validation_failed");
    check_unavailable(&app, &root).await;
}

async fn check_unavailable(app: &TestApp, root: &Browser) {
    let (user, mut browser) = somebody(app, "ada", Role::User).await;
    for verb in ["user_find", "user_disable"] {
        let fault = crate::world::Fault::Fails(tenure_store::StoreError::Unavailable("gone".into()));
        app.faults.set(verb, fault);
        app.expect_failure("storage_unavailable");
        let answer = send(root, "POST", &format!("{}/disable", path(&user)), &json!({ "reason": "x" })).await;
        answer.expect(503).problem("storage_unavailable");
        app.faults.clear();
    }
    browser.refresh().await.expect(200);
}
