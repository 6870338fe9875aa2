//! Planted secrets: after a run through everything, none of them is anywhere it should not be.

use serde_json::json;

use tenure_domain::user::Role;
use tenure_store::UserChange;

use crate::protocol::dead::with_dead_copy;
use crate::routes::auth::exchange;
use crate::world::collector::Collector;
use crate::world::{DAY, Fault, PASSWORD, QUIET, SECOND, Setup, TestApp, User, decree, eventually};

const REGISTERED: &str = "planted-registered-password";
const CHANGED: &str = "planted-changed-password";
const GUESSED: &str = "planted-guessed-password";
const PIPED: &str = "planted-piped-password";
const COLLECTORS: &str = "Bearer planted-secret-of-the-collector";

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
async fn no_secret_is_in_any_output_with_lines_for_machines() {
    nothing_is_seen(Setup::default()).await;
}

#[tokio::test]
async fn no_secret_is_in_any_output_with_lines_for_people() {
    nothing_is_seen(Setup::default().human_log()).await;
}

#[tokio::test]
async fn no_secret_is_in_any_output_with_the_lines_of_predecessors() {
    nothing_is_seen(Setup::default().legacy_log()).await;
}

async fn nothing_is_seen(setup: Setup) {
    let collector = Collector::start().await;
    let mut app = setup
        .at_real_time()
        .set("TELEMETRY__ENDPOINT", &collector.endpoint())
        .set("TELEMETRY__HEADERS", &format!("authorization={COLLECTORS}"))
        .set("TELEMETRY__INTERVAL", "1s")
        .set("SESSION__MISSING_SESSION", "unavailable")
        .set("LIMITS__SIGN_IN_PER_ACCOUNT_PER_MINUTE", "40")
        .set("MIGRATION__EXCHANGE_UNTIL", "2099-01-01T00:00:00Z")
        .set("MIGRATION__SIMPLEJWT_KEY", exchange::SECRET)
        .start()
        .await;
    let mut planted = Planted::default();
    for password in [REGISTERED, CHANGED, GUESSED, PIPED, COLLECTORS, exchange::SECRET] {
        planted.hide(password);
    }
    let secret = std::fs::read_to_string(app.folder().join("secret")).unwrap();
    planted.hide(&secret);
    administer(&app, &mut planted).await;
    report(&app, &mut planted).await;
    move_in(&app, &mut planted).await;
    go_through_everything(&app, &mut planted).await;
    planted.see("the metrics", app.app.metrics_page());
    eventually("metrics are sent", async || !collector.metrics().is_empty()).await;
    // What waits is sent at the end.
    app.shut_down().await;
    command_line(&app, &mut planted);
    planted.see("the log", app.log());
    assert!(collector.spans().len() > 50 && collector.bytes().len() > 10_000);
    planted.see("what OpenTelemetry is told", String::from_utf8_lossy(&collector.bytes()).into_owned());
    planted.check();
    assert!(app.log().lines().count() > 30);
}

/// The console and its cookie, keys of programs, and what administrators are shown.
async fn administer(app: &TestApp, planted: &mut Planted) {
    let root = app.user("root").await;
    let change = UserChange { role: Some(Role::Superuser), account: None };
    app.store().user_change(root.id, change, decree(), app.clock.get()).await.unwrap();
    let browser = app.signed_in(&root).await;
    planted.hide(&browser.token());
    planted.hide(&browser.access);
    let sign_in = json!({ "email": root.email, "password": PASSWORD });
    let console = app.client.post("/api/v1/admin/session", &sign_in).send().await.expect(200);
    let cookie = console.set_cookies()[0].split(';').next().unwrap().to_owned();
    planted.hide(cookie.split_once('=').unwrap().1);
    planted.see("the console's session", console.text());
    let wish = json!({ "name": "deploy", "scopes": ["revocations.read"] });
    let key = browser.call("POST", "/api/v1/auth/api-keys").bearer(&browser.access).json(&wish);
    let key = key.send().await.expect(201).json()["secret"].as_str().unwrap().to_owned();
    planted.hide(&key);
    let user = app.user("victim").await;
    let victim = app.signed_in(&user).await;
    planted.hide(&victim.token());
    let disable = format!("/api/v1/admin/users/{}/disable", user.id);
    let calls = [
        app.client.get("/api/v1/admin/acts").header("cookie", &cookie),
        app.client.get("/api/v1/admin/users").header("cookie", &cookie),
        app.client.get("/api/v1/auth/check?require=permission:revocations.read").header("x-api-key", &key),
        app.client.get("/api/v1/auth/check?require=permission:admin.read").bearer(&key),
        app.client.get("/api/v1/auth/profile").bearer(&key),
        app.client.get("/api/v1/system/status"),
        browser.call("GET", "/api/v1/auth/api-keys").bearer(&browser.access),
        browser.call("POST", &disable).bearer(&browser.access).json(&json!({ "reason": "test" })),
        app.client.get("/api/v1/admin/acts").header("cookie", format!("{cookie}x")),
    ];
    for answer in crate::world::at_once(calls).await {
        planted.see("what administrators are shown", format!("{:?} {}", answer.headers, answer.text()));
    }
    planted.see("who is told that it is over", victim.send_refresh().await.expect(401).text());
}

/// A browser that puts what it holds into its report.
async fn report(app: &TestApp, planted: &mut Planted) {
    let browser = app.signed_in(&app.user("carol").await).await;
    planted.hide(&browser.token());
    planted.hide(&browser.access);
    for secret in [browser.token(), browser.access.clone()] {
        let body = json!({
            "type": "AUTH_ERROR", "message": format!("failed with {secret}"), "reason": secret, "receipt": secret,
            "location": format!("https://app.example.com/page?token={secret}#{secret}"), "session": browser.session,
        });
        let call = app.client.post("/api/v1/auth/logout-event", &body).bearer(&browser.access);
        call.send().await.expect(202);
    }
}

/// Sign-ins of another system, traded, shown twice, forged and vouched for.
async fn move_in(app: &TestApp, planted: &mut Planted) {
    exchange::imported(app, "17").await;
    let root = app.user("mover").await;
    let change = UserChange { role: Some(Role::Superuser), account: None };
    app.store().user_change(root.id, change, decree(), app.clock.get()).await.unwrap();
    let root = app.signed_in(&root).await;
    let wish = json!({ "name": "django", "scopes": ["sessions.exchange"] });
    let key = root.call("POST", "/api/v1/auth/api-keys").bearer(&root.access).json(&wish);
    let key = key.send().await.expect(201).json()["secret"].as_str().unwrap().to_owned();
    let vouch = json!({ "user_id": "17", "legacy_session": "planted-session-of-the-other-system" });
    let ticket = app.client.post("/api/v1/auth/exchange/tickets", &vouch).header("x-api-key", &key);
    let ticket = ticket.send().await.expect(200).json()["ticket"].as_str().unwrap().to_owned();
    let (legacy, attempt) =
        (exchange::token(app, "planted-name-of-a-token", "17"), "planted-attempt-to-trade");
    let mut browser = app.browser();
    let answer = exchange::trade(&browser, &legacy, attempt).send().await.expect(200);
    browser.receive(&answer);
    for secret in [&key, &ticket, &legacy, &browser.token(), &browser.access] {
        planted.hide(secret);
    }
    planted.hide("planted-session-of-the-other-system");
    planted.hide(attempt);
    let thief = app.browser();
    let forged = format!("{legacy}x");
    let vouched = json!({ "kind": "ticket", "ticket": ticket, "attempt": attempt });
    let twisted = json!({ "kind": "ticket", "ticket": legacy, "attempt": legacy });
    for call in [
        exchange::trade(&thief, &legacy, "planted-attempt-of-a-thief"),
        exchange::trade(&thief, &forged, attempt),
        exchange::trade(&thief, &ticket, attempt),
        app.client.post("/api/v1/auth/exchange", &vouched),
        app.client.post("/api/v1/auth/exchange", &vouched),
        app.client.post("/api/v1/auth/exchange", &twisted),
        app.client.post("/api/v1/auth/exchange/tickets", &vouch).bearer(&legacy),
    ] {
        let answer = call.send().await;
        if answer.status >= 400 {
            planted.see("what whoever moves in is told", format!("{:?} {}", answer.headers, answer.text()));
        }
    }
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
    let cli = app.cli().env("TENURE_TELEMETRY__HEADERS", &format!("authorization={COLLECTORS}"));
    let (ada, bob) = ("ada@example.com", "bob@example.com");
    let create = ["user", "create", "piped@example.com", "--name", "P", "--json"];
    let reset = ["user", "set-password", bob, "--reason", "x"];
    let weak = ["user", "set-password", bob, "--reason", "x", "--json"];
    for (arguments, input) in [(create.as_slice(), PIPED), (&reset, PIPED), (&weak, bob)] {
        let printed = cli.run_with(arguments, &format!("{input}\n"));
        planted.see("a command with a password", format!("{printed:?}"));
    }
    let id = cli.json(&["user", "show", ada])["id"].as_str().unwrap().to_owned();
    let carol = cli.json(&["user", "show", "carol@example.com"])["id"].as_str().unwrap().to_owned();
    let session = cli.json(&["session", "list", &carol])[0]["id"].as_str().unwrap().to_owned();
    for arguments in [
        vec!["acts", &carol],
        vec!["user", "list", "--json"],
        vec!["user", "show", ada],
        vec!["session", "list", &id, "--all", "--json"],
        vec!["session", "list", &id, "--all"],
        vec!["keys", "list", "--json"],
        vec!["session", "show", &session],
        vec!["explain", "carol@example.com", "--all"],
        vec!["explain", "victim@example.com", "--json"],
        vec!["explain", bob],
        vec!["explain", "user17@example.com"],
        vec!["audit", "export", "--kind", "exchanged"],
        vec!["audit", "export", "--kind", "exchange_refused"],
        vec!["logouts", "tail", "--json"],
        vec!["logouts", "stats"],
        vec!["api-key", "list", "root@example.com", "--json"],
        vec!["config", "print", "--dev"],
        vec!["config", "check", "--dev", "--json"],
    ] {
        planted.see("a command", format!("{:?}", cli.run(&arguments).expect(0)));
    }
}

/// The stored forms: neither tokens nor passwords lie in the database.
#[tokio::test]
async fn the_database_holds_neither_passwords_nor_tokens() {
    let app = exchange::setup().start().await;
    let user = app.user_with("ada", REGISTERED).await;
    exchange::imported(&app, "17").await;
    let (legacy, attempt) =
        (exchange::token(&app, "planted-name-of-a-token", "17"), "planted-attempt-to-trade");
    exchange::trade(&app.browser(), &legacy, attempt).send().await.expect(200);
    let mut browser = app.browser();
    browser.login(&user.email, REGISTERED, true).await.expect(200);
    app.clock.advance(QUIET);
    let mut secrets = vec![
        REGISTERED.to_owned(),
        legacy,
        attempt.to_owned(),
        "planted-name-of-a-token".to_owned(),
        browser.token(),
        browser.access.clone(),
    ];
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
