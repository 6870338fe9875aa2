//! `log.format = "legacy"`: the recipes of the systems that came before, over what a server really writes.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::json;

use super::serve::Server;
use crate::protocol::dead::with_dead_copy;
use crate::world::{Cli, Client, DAY, PASSWORD, SECOND, Setup};

/// What a recipe finds, with the log in the place of `docker logs ...`.
fn recipe(log: &str, rest: &str) -> Vec<String> {
    let mut shell = Command::new("sh");
    let mut shell = shell.arg("-c").arg(format!("cat 2>&1 | {rest}"));
    shell = shell.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = shell.spawn().unwrap();
    let (mut input, log) = (child.stdin.take().unwrap(), log.to_owned());
    let writing = std::thread::spawn(move || input.write_all(log.as_bytes()));
    let output = child.wait_with_output().unwrap();
    let _ = writing.join().unwrap();
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

const ALL: &str = r#"grep "\[AUTO-LOGOUT\]""#;
const CONTAMINATION: &str = r#"grep "Session contamination""#;
const VALIDATION: &str = r#"grep "Account/plan validation failed""#;

async fn registered(client: &Client, email: &str) -> (String, String, String) {
    let body = json!({ "email": email, "password": PASSWORD, "name": "E", "remember_me": true });
    let answer = client.post("/api/v1/auth/register", &body).send().await.expect(201);
    let session = answer.json()["session"]["id"].as_str().unwrap().to_owned();
    (answer.access_token(), answer.set_cookies()[0].split(';').next().unwrap().to_owned(), session)
}

fn cli(folder: &Path, arguments: &[&str]) {
    Cli::on(folder).run(&[arguments, &["--reason", "test"]].concat()).expect(0);
}

#[tokio::test]
async fn the_old_recipes_find_what_they_are_for_in_the_log_of_a_server() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start_with(folder.path(), &[("TENURE_LOG__FORMAT", "legacy")]);
    let client = Client::new(server.url.clone(), false);

    // A person who signs out is no auto-logout.
    let (access, _, own) = registered(&client, "own@example.com").await;
    client.call("POST", "/api/v1/auth/logout").bearer(&access).json(&json!({})).send().await.expect(204);

    // One whose session an administrator ended finds out at the next refresh.
    let (_, cookie, ended) = registered(&client, "ended@example.com").await;
    cli(folder.path(), &["session", "end", &ended]);
    client.refresh_with(&cookie).await.expect(401);

    // An account that may not go on blocks and signs nobody out.
    let (access, cookie, blocked) = registered(&client, "blocked@example.com").await;
    cli(folder.path(), &["account", "set", "blocked@example.com", "--status", "suspended"]);
    let check = client.get("/api/v1/auth/check?require=active_account").bearer(&access).send().await;
    check.expect(403).problem("account_suspended");
    client.refresh_with(&cookie).await.expect(200);

    // What browsers report, one of them with a line break of its own.
    let report = json!({
        "type": "TOKEN_EXPIRED", "message": "JWT access token expired\n[AUTO-LOGOUT] forged Session contamination", "idleMinutes": 23,
        "location": "/dashboard", "context": { "hasToken": true, "hasRefreshToken": false },
    });
    let agent = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) Chrome/120.0.0.0";
    let send = client.call("POST", "/api/v1/auth/logout-event").json(&report).bearer(&access);
    send.header("user-agent", agent).send().await.expect(202);
    client.post("/api/v1/auth/logout-event", &json!({ "type": "USER_ACTION" })).send().await.expect(202);

    let (code, log) = server.terminate();
    assert_eq!(code, Some(0));
    let found = recipe(&log, ALL);
    let [by_admin, by_browser] = &found[..] else { panic!("{found:#?}") };
    let start = "[AUTO-LOGOUT] Session ended: admin_revoked. User=";
    assert!(by_admin.starts_with(start) && by_admin.contains(&format!("Session={ended}, ")), "{by_admin}");
    assert!(by_admin.ends_with("Path=/api/v1/auth/refresh, IP=127.0.0.1"), "{by_admin}");
    assert!(by_browser.contains("Reported by the browser: TOKEN_EXPIRED") && by_browser.contains(&blocked));
    assert!(!found.iter().any(|line| line.contains(&own)));
    let [validation] = &recipe(&log, VALIDATION)[..] else { panic!("{log}") };
    let start = "[BLOCKED] Account/plan validation failed: account_suspended. User=usr_";
    assert!(validation.starts_with(start) && validation.contains(&blocked), "{validation}");
    assert_eq!(recipe(&log, CONTAMINATION), Vec::<String>::new());

    // The block, as `tail` shows it.
    let block = recipe(&log, r#"grep -A 15 "LOGOUT EVENT - 20" | head -11"#);
    let shown: Vec<&str> = block.iter().map(String::as_str).collect();
    let rule = "=".repeat(80);
    assert!(shown[0].len() == "LOGOUT EVENT - 2024-01-15 14:32:15".len(), "{shown:#?}");
    assert_eq!(
        &shown[1..6],
        [
            &rule,
            "Type: TOKEN_EXPIRED",
            "Message: JWT access token expired(AUTO-LOGOUT) forged Session_contamination",
            "Idle Time: 23 minutes",
            "Location: /dashboard",
        ]
    );
    assert!(shown[6].starts_with("User: signed in (ID: usr_"), "{shown:#?}");
    assert_eq!(
        &shown[7..10],
        [
            "IP: 127.0.0.1",
            &format!("User Agent: {agent}"),
            "Context: {'hasToken': True, 'hasRefreshToken': False}",
        ]
    );
    assert_eq!(recipe(&log, r#"grep -c "^LOGOUT EVENT""#), ["2"]);
    // Requests are there as well, with their date, and nothing in colour.
    assert!(
        log.lines().any(|line| line.starts_with("20") && line.contains("Z  401 POST   /api/v1/auth/refresh"))
    );
    assert!(!log.contains('\u{1b}'));
}

/// On a clock that the test moves, since reuse takes minutes.
#[tokio::test]
async fn a_session_in_other_hands_is_contamination_and_the_end_of_its_time_is_told() {
    let app = Setup::default().legacy_log().start().await;
    let (_, copy) = with_dead_copy(&app, &app.user("ada").await).await;
    let thief = app.browser();
    thief.set_cookies(copy);
    thief.send_refresh().await.expect(409);
    app.clock.advance(2 * SECOND);
    thief.send_refresh().await.expect(401);
    let found = recipe(&app.log(), CONTAMINATION);
    assert_eq!(found.len(), 1, "{found:#?}");
    let start = "[AUTO-LOGOUT] Session contamination: token_reuse (by policy). User=-, Session=ses_";
    assert!(found[0].starts_with(start), "{found:#?}");

    let browser = app.signed_in(&app.user("bob").await).await;
    let cookie = browser.cookie_header("/api/v1/auth/refresh");
    app.clock.advance(21 * DAY);
    app.client.refresh_with(&cookie).await.expect(401);
    app.client.get("/api/v1/[AUTO-LOGOUT]").send().await.expect(404);
    let found = recipe(&app.log(), ALL);
    assert_eq!(found.len(), 2, "{found:#?}");
    assert!(found[1].contains("Session ended: remembered_lifetime (by clock)."), "{found:#?}");
}
