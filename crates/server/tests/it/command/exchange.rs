//! `tenure exchange check`, which says what the route would say and changes nothing.

use serde_json::{Value, json};
use tenure_domain::user::Role;
use tenure_store::UserChange;

use crate::routes::auth::exchange::{SECRET, imported, open_now, sign};
use crate::world::{Cli, TestApp, decree};

/// A command looks at the machine's clock.
fn now() -> i64 {
    std::time::UNIX_EPOCH.elapsed().unwrap().as_secs() as i64
}

fn claims(jti: &str, user: &str) -> Value {
    json!({ "token_type": "refresh", "exp": now() + 86_400, "iat": now() - 60, "jti": jti, "user_id": user })
}

fn configured(app: &TestApp) -> Cli {
    let open = app.cli().env("TENURE_MIGRATION__EXCHANGE_UNTIL", "2099-01-01T00:00:00Z");
    open.env("TENURE_MIGRATION__SIMPLEJWT_KEY", SECRET)
}

fn check(cli: &Cli, token: &str, code: i32) -> Value {
    let printed = cli.run_with(&["exchange", "check", "--token-file", "-", "--json"], token).expect(code);
    assert!(!printed.out.contains(token) && !printed.err.contains(token), "{printed:?}");
    serde_json::from_str(&printed.out).unwrap_or_else(|_| panic!("{printed:?}"))
}

#[tokio::test]
async fn what_would_be_traded_is_said_and_for_whom_and_it_is_as_good_afterwards() {
    let app = open_now().await;
    let ada = imported(&app, "17").await;
    let cli = configured(&app);
    let token = sign(SECRET, &claims("a", "17"));
    for _ in 0..2 {
        let verdict = check(&cli, &format!("{token}\n"), 0);
        assert_eq!((&verdict["traded"], &verdict["imported_as"]), (&json!(true), &json!("django:17")));
        assert_eq!(verdict["user"], json!({ "id": ada, "email": "user17@example.com" }));
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("token");
    std::fs::write(&path, &token).unwrap();
    let printed = cli.run(&["exchange", "check", "--token-file", path.to_str().unwrap()]).expect(0);
    assert!(printed.out.contains("would be traded") && printed.out.contains("user17@example.com"));
    let closed = app.cli().env("TENURE_MIGRATION__SIMPLEJWT_KEY", SECRET);
    let verdict = check(&closed, &token, 1);
    assert_eq!((&verdict["code"], &verdict["traded"]), (&json!("exchange_closed"), &json!(false)));
    assert!(
        verdict["why"].as_str().unwrap().starts_with("it is good, but migration.exchange_until is not set")
    );
}

#[tokio::test]
async fn of_whoever_may_do_more_than_others_it_is_said_that_they_sign_in_by_password() {
    let app = open_now().await;
    let (ada, bob) = (imported(&app, "17").await, imported(&app, "18").await);
    let cli = configured(&app);
    for (user, role) in [(ada, Role::Superuser), (bob, Role::Admin)] {
        let change = UserChange { role: Some(role), account: None };
        app.store().user_change(user, change, decree(), app.clock.get()).await.unwrap();
    }
    for (id, said) in [("17", "sign in with their password"), ("18", "password or role was changed")] {
        let verdict = check(&cli, &sign(SECRET, &claims(id, id)), 1);
        assert_eq!(verdict["code"], "exchange_used");
        assert!(verdict["why"].as_str().unwrap().contains(said), "{verdict}");
    }
}

#[tokio::test]
async fn what_would_not_is_said_with_the_setting_to_look_at() {
    let app = open_now().await;
    imported(&app, "17").await;
    let cli = configured(&app);
    let changed = |name: &str, value: Value| {
        let mut changed = claims("x", "17");
        changed[name] = value;
        sign(SECRET, &changed)
    };
    let good = sign(SECRET, &claims("a", "17"));
    for (token, cause, said) in [
        ("\"quoted\"".to_owned(), "malformed", "without quotes"),
        (
            sign("another key", &claims("a", "17")),
            "not_authentic",
            "migration.simplejwt_key is not what it was",
        ),
        (changed("token_type", json!("access")), "not_a_refresh_token", "TOKEN_TYPE_CLAIM"),
        (changed("jti", json!(null)), "without_jti", "JTI_CLAIM"),
        (changed("iat", json!(null)), "odd_times", "`iat` or `exp` is missing"),
        (changed("user_id", json!(null)), "without_user", "migration.simplejwt_user_id_claim"),
        (changed("exp", json!(now() - 50)), "expired", "it has expired"),
    ] {
        let verdict = check(&cli, &token, 1);
        assert_eq!(verdict["cause"], cause, "{verdict}");
        assert!(verdict["why"].as_str().unwrap().contains(said), "{verdict}");
    }
    let setting =
        |name: &str, value: &str| configured(&app).env(&format!("TENURE_MIGRATION__SIMPLEJWT_{name}"), value);
    for (name, value, cause, said) in [
        (
            "ALGORITHM",
            "HS512",
            "wrong_algorithm",
            "signed with `HS256`, and migration.simplejwt_algorithm is HS512",
        ),
        ("ISSUER", "shop", "wrong_issuer", "migration.simplejwt_issuer"),
        ("AUDIENCE", "shop", "wrong_audience", "migration.simplejwt_audience"),
    ] {
        let verdict = check(&setting(name, value), &good, 1);
        assert_eq!(verdict["cause"], cause, "{verdict}");
        assert!(verdict["why"].as_str().unwrap().contains(said), "{verdict}");
    }
    assert_eq!(check(&setting("KEY", ""), &good, 1)["code"], "exchange_closed");
    assert_eq!(check(&cli, &changed("user_id", json!("18")), 1)["code"], "exchange_unknown_user");
    cli.run(&["user", "disable", "user17@example.com", "--reason", "asked"]).expect(0);
    assert_eq!(check(&cli, &good, 1)["code"], "permission_denied");
    cli.run(&["user", "enable", "user17@example.com"]).expect(0);
    assert_eq!(check(&cli, &good, 1)["code"], "exchange_used");
    for (input, arguments) in
        [("", vec!["--token-file", "-"]), ("", vec!["--token-file", "/nowhere"]), (&good, vec![&good])]
    {
        cli.run_with(&[&["exchange", "check"][..], &arguments].concat(), input).expect(2);
    }
}
