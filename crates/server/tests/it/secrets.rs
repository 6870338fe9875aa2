//! Planted secrets: after a run through everything, none of them is anywhere it should not be.

use serde_json::json;

use crate::protocol::dead::with_dead_copy;
use crate::world::{DAY, Fault, QUIET, SECOND, Setup, TestApp, User};

const REGISTERED: &str = "planted-registered-password";
const CHANGED: &str = "planted-changed-password";
const GUESSED: &str = "planted-guessed-password";
const PIPED: &str = "planted-piped-password";

/// What must not be seen, and where it was looked for.
#[derive(Default)]
struct Planted {
    secrets: Vec<String>,
    seen: Vec<(&'static str, String)>,
}

impl Planted {
    fn hide(&mut self, secret: &str) {
        if !secret.is_empty() {
            self.secrets.push(secret.to_owned());
        }
    }

    fn see(&mut self, place: &'static str, text: String) {
        self.seen.push((place, text));
    }

    /// Whole, and by a part long enough to be no accident.
    fn check(&self) {
        assert!(self.secrets.len() >= 10 && self.seen.len() >= 10);
        for secret in &self.secrets {
            let middle = secret.len() / 2;
            let part = &secret[middle.saturating_sub(12)..(middle + 12).min(secret.len())];
            for (place, text) in &self.seen {
                assert!(
                    !text.contains(part),
                    "in {place}: {}",
                    text.lines().find(|l| l.contains(part)).unwrap_or(text)
                );
            }
        }
    }
}

#[tokio::test]
async fn no_password_token_or_master_secret_is_in_any_output() {
    let app = Setup::default()
        .at_real_time()
        .set("SESSION__MISSING_SESSION", "unavailable")
        .set("LIMITS__SIGN_IN_PER_ACCOUNT_PER_MINUTE", "40")
        .start()
        .await;
    let mut planted = Planted::default();
    for password in [REGISTERED, CHANGED, GUESSED, PIPED] {
        planted.hide(password);
    }
    let secret = std::fs::read_to_string(app.folder().join("secret")).unwrap();
    planted.hide(&secret);
    go_through_everything(&app, &mut planted).await;
    command_line(&app, &mut planted);
    planted.see("the log", app.log());
    planted.see("the metrics", app.app.metrics.render());
    planted.check();
    assert!(app.log().lines().count() > 30);
}

async fn go_through_everything(app: &TestApp, planted: &mut Planted) {
    for code in ["storage_unavailable", "internal_error", "session_unverifiable"] {
        app.expect_failure(code);
    }
    let body =
        json!({ "email": "ada@example.com", "password": REGISTERED, "name": "Ada", "remember_me": true });
    let answer = app.client.post("/api/v1/auth/register", &body).send().await.expect(201);
    planted.hide(&answer.access_token());
    let user = User {
        id: answer.json()["user"]["id"].as_str().unwrap().parse().unwrap(),
        email: "ada@example.com".into(),
    };
    let mut browser = app.browser();
    browser.login(&user.email, REGISTERED, true).await.expect(200);
    planted.hide(&browser.token());
    planted.hide(&browser.access);

    // Errors of every kind, with secrets in the right and in the wrong places.
    let weak = json!({ "email": "eve@example.com", "password": GUESSED, "name": "" });
    let wrong_type = json!({ "email": "eve@example.com", "password": [GUESSED], "remember_me": GUESSED });
    let access = browser.access.clone();
    let calls = [
        app.client.post("/api/v1/auth/login", &json!({ "email": user.email, "password": GUESSED })),
        app.client.post("/api/v1/auth/login", &json!({ "email": GUESSED, "password": GUESSED })),
        app.client.post("/api/v1/auth/register", &weak),
        app.client.post("/api/v1/auth/register", &body),
        app.client.post("/api/v1/auth/login", &wrong_type),
        app.client
            .call("POST", "/api/v1/auth/login")
            .body("application/json", format!("{{\"password\":\"{GUESSED}\"")),
        app.client.call("POST", "/api/v1/auth/login").body("text/plain", GUESSED),
        app.client.get("/api/v1/auth/profile").bearer(&format!("{access}x")),
        app.client.get("/api/v1/auth/profile").bearer(&browser.token()),
        app.client.post("/api/v1/auth/logout", &json!({ "scope": GUESSED })).bearer(&access),
        app.client.get("/api/v1/auth/profile?access_token=planted-guessed-password"),
        browser.call("POST", "/api/v1/auth/refresh").header("tenure-sent-at", "1"),
        app.client
            .call("POST", "/api/v1/auth/refresh")
            .header("cookie", format!("tenure_00000000={}", browser.token())),
    ];
    for answer in crate::world::at_once(calls).await {
        assert!(answer.status >= 400, "{answer:?}");
        planted.see("an error", format!("{:?} {}", answer.headers, answer.text()));
    }
    browser.change_password(GUESSED, CHANGED).await.expect(401);
    browser.change_password(REGISTERED, CHANGED).await.expect(200);
    planted.hide(&browser.access);
    for _ in 0..3 {
        app.clock.advance(QUIET);
        browser.refresh().await.expect(200);
        planted.hide(&browser.token());
        planted.hide(&browser.access);
    }
    for fault in [Fault::Panic, Fault::Fails(tenure_store::StoreError::Unavailable("gone".into()))] {
        app.faults.set("session_refresh", fault);
        planted.see("a failure", browser.send_refresh().await.text());
        app.faults.clear();
    }
    let other = app.user("bob").await;
    let (_, copy) = with_dead_copy(app, &other).await;
    let thief = app.browser();
    planted.hide(&copy.only().value);
    thief.set_cookies(copy);
    planted.see("a first strike", thief.send_refresh().await.expect(409).text());
    app.clock.advance(2 * SECOND);
    planted.see("a second strike", thief.send_refresh().await.expect(401).text());
    planted.see("the device list", json!(browser.sessions().await).to_string());
    planted.see("the profile", browser.profile().await.text());
    browser.sign_out().await.expect(204);
    app.clock.advance(21 * DAY);
    thief.send_refresh().await.expect(401);
}

fn command_line(app: &TestApp, planted: &mut Planted) {
    let cli = app.cli();
    let (ada, bob) = ("ada@example.com", "bob@example.com");
    let create = ["user", "create", "piped@example.com", "--name", "P", "--json"];
    let reset = ["user", "set-password", bob, "--reason", "x"];
    let weak = ["user", "set-password", bob, "--reason", "x", "--json"];
    for (arguments, input) in [(create.as_slice(), PIPED), (&reset, PIPED), (&weak, bob)] {
        let printed = cli.run_with(arguments, &format!("{input}\n"));
        planted.see("a command with a password", format!("{printed:?}"));
    }
    let id = cli.json(&["user", "show", ada])["id"].as_str().unwrap().to_owned();
    for arguments in [
        vec!["user", "list", "--json"],
        vec!["user", "show", ada],
        vec!["session", "list", &id, "--all", "--json"],
        vec!["session", "list", &id, "--all"],
        vec!["keys", "list", "--json"],
        vec!["config", "print", "--dev"],
        vec!["config", "check", "--dev", "--json"],
    ] {
        planted.see("a command", format!("{:?}", cli.run(&arguments).expect(0)));
    }
}

/// The stored forms: neither tokens nor passwords lie in the database.
#[tokio::test]
async fn the_database_holds_neither_passwords_nor_tokens() {
    let app = TestApp::new().await;
    let user = app.user_with("ada", REGISTERED).await;
    let mut browser = app.browser();
    browser.login(&user.email, REGISTERED, true).await.expect(200);
    app.clock.advance(QUIET);
    let mut secrets = vec![REGISTERED.to_owned(), browser.token(), browser.access.clone()];
    browser.refresh().await.expect(200);
    secrets.extend([browser.token(), browser.access.clone()]);
    app.store().close().await;
    for (place, bytes) in app.database().at_rest() {
        for secret in &secrets {
            let part = &secret.as_bytes()[secret.len() / 2 - 8..secret.len() / 2 + 8];
            let digits: String = part.iter().map(|byte| format!("{byte:02x}")).collect();
            for part in [part, digits.as_bytes()] {
                assert!(!bytes.windows(part.len()).any(|window| window == part), "{place}");
            }
        }
    }
}
