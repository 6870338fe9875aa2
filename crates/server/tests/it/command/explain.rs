//! `tenure explain`

use serde_json::{Value, json};
use tenure_domain::ends::EndReason;

use super::{beside_a_server, beside_a_server_begun};
use crate::world::{Browser, Cli, DAY, HOUR, MINUTE, PASSWORD, QUIET, SECOND, TestApp, User};

const SECTIONS: [&str; 5] = ["WHAT", "WHY", "WHEN", "WHERE", "HOW"];

/// A report as a browser sends it that still has its access token.
async fn report(app: &TestApp, browser: &Browser, body: Value) {
    app.client.post("/api/v1/auth/logout-event", &body).bearer(&browser.access).send().await.expect(202);
}

/// The one explanation of what was asked for.
#[track_caller]
fn explained(cli: &Cli, asked: &str) -> Value {
    let document = cli.json(&["explain", asked]);
    let explained = document["explained"].as_array().unwrap();
    assert_eq!(explained.len(), 1, "{document}");
    explained[0].clone()
}

/// A session of a new user, and how it came to its end in earnest.
async fn ended(app: &TestApp, cli: &Cli, reason: EndReason) -> (User, Browser) {
    let user = app.user(reason.as_str()).await;
    let mut browser = app.browser();
    browser.device_id = Some("laptop".into());
    browser.login(&user.email, PASSWORD, reason != EndReason::ShortLifetime).await.expect(200);
    app.clock.advance(5 * MINUTE);
    let by_command = |arguments: &[&str]| {
        cli.run_with(&[arguments, &["--reason", "asked"]].concat(), "quite another password\n").expect(0);
    };
    let session = browser.session.clone();
    match reason {
        EndReason::SignedOut => drop(browser.sign_out().await.expect(204)),
        EndReason::SignedOutEverywhere => {
            drop(app.signed_in(&user).await.logout("everywhere").await.expect(204))
        }
        EndReason::PasswordChanged => {
            let mut other = app.signed_in(&user).await;
            other.change_password(PASSWORD, "quite another password").await.expect(200);
        }
        EndReason::PasswordReset => by_command(&["user", "set-password", &user.email]),
        EndReason::AdminRevoked => by_command(&["session", "end", &session]),
        EndReason::UserDisabled => by_command(&["user", "disable", &user.email]),
        EndReason::UserDeleted => by_command(&["user", "delete", &user.email]),
        EndReason::TokenReuse => {
            let copy = browser.cookies();
            for _ in 0..2 {
                app.clock.advance(QUIET);
                browser.refresh().await.expect(200);
            }
            browser.set_cookies(copy);
            browser.send_refresh().await.expect(409);
            app.clock.advance(2 * SECOND);
            browser.send_refresh().await.expect(401);
        }
        EndReason::ReplacedBySignIn => {
            drop(browser.tab().login(&user.email, PASSWORD, true).await.expect(200))
        }
        EndReason::RememberedLifetime | EndReason::ShortLifetime => {
            let lifetime = if reason == EndReason::ShortLifetime { DAY } else { 20 * DAY };
            app.clock.advance(lifetime + HOUR);
            browser.send_refresh().await.expect(401);
        }
        // Nothing limits the number of sessions yet.
        EndReason::SessionLimit => {
            let (at, row) = (app.clock.get().as_ms(), app.row_of(&session));
            let end = "end_reason = 'session_limit', end_actor = 'policy', receipt = 'R-0000-0001'";
            app.sql(&format!("UPDATE session SET ended_at = {at}, {end} WHERE id = {row}"));
        }
    }
    (user, browser)
}

#[tokio::test]
async fn every_reason_is_explained_as_it_was_written_down_and_whose_act_it_was() {
    let (app, cli) = beside_a_server_begun(30 * DAY).await;
    for reason in EndReason::ALL.into_iter().rev() {
        let (user, browser) = ended(&app, &cli, reason).await;
        let found = explained(&cli, &browser.session);
        let is_time = matches!(reason, EndReason::RememberedLifetime | EndReason::ShortLifetime);
        assert_eq!(found["verdict"], if is_time { "time_over" } else { "ended" }, "{found}");
        assert_eq!(found["why"]["reason"], reason.as_str());
        let (actor, words) = match reason {
            EndReason::PasswordReset
            | EndReason::AdminRevoked
            | EndReason::UserDisabled
            | EndReason::UserDeleted => ("admin:grace", "an act of grace"),
            EndReason::TokenReuse | EndReason::SessionLimit => ("policy", "by a policy"),
            EndReason::RememberedLifetime => ("clock", "to its last moment"),
            EndReason::ShortLifetime => ("clock", "had not been asked for"),
            _ => ("user", "the person's own act"),
        };
        assert_eq!(found["why"]["actor"], actor);
        assert!(found["what"]["verdict"].as_str().unwrap().contains(words), "{found}");
        let note = if actor == "admin:grace" { json!("asked") } else { Value::Null };
        assert_eq!(found["why"]["note"], note);
        assert_eq!(found["what"]["user"], user.id.to_string());
        assert_eq!(found["what"]["user_deleted"] == true, reason == EndReason::UserDeleted);
        assert_eq!(found["what"]["user_disabled"].is_number(), reason == EndReason::UserDisabled);
        let last = found["timeline"].as_array().unwrap().last().unwrap().clone();
        assert_eq!(last["what"], "end");
        assert!(last["words"].as_str().unwrap().starts_with(reason.as_str()), "{last}");
        // The receipt leads to the same, however it is written, and so does the user.
        let receipt = found["why"]["receipt"].as_str().unwrap();
        assert_eq!(explained(&cli, &receipt.to_lowercase().replace('-', "")), found);
        assert_eq!(explained(&cli, receipt)["session"]["id"], browser.session);
    }
}

/// Work, a night and a day asleep, and work again.
#[tokio::test]
async fn how_often_a_session_was_refreshed_and_when_it_was_not_is_told() {
    let (app, cli) = beside_a_server_begun(32 * HOUR).await;
    let mut browser = app.signed_in(&app.user("ada").await).await;
    let mut served = Vec::new();
    for minutes in [12, 11, 12, 31 * 60, 11] {
        app.clock.advance(minutes * MINUTE);
        browser.refresh().await.expect(200);
        served.push(app.clock.get());
    }
    let found = explained(&cli, &browser.session);
    let (slept, woke) = (served[2].as_ms() / 1000, served[3].as_ms() / 1000);
    let at = found["refreshes"]["at"].as_array().unwrap();
    assert_eq!(at.len(), 5);
    let gaps = found["refreshes"]["gaps"].as_array().unwrap();
    let seconds = |value: &Value| value.as_i64().unwrap() / 1000;
    // To half a minute, counted from the sign-in.
    assert_eq!(gaps.len(), 1, "{gaps:?}");
    assert!((slept - seconds(&gaps[0]["from"])) <= 30 && (woke - seconds(&gaps[0]["to"])) <= 30, "{gaps:?}");
    let refreshed = found["when"]["refreshed"].as_str().unwrap();
    assert!(refreshed.starts_with("every 11 minutes; nothing for 31 hours from "), "{refreshed}");
    let timeline = found["timeline"].as_array().unwrap();
    let told = |what: &str| {
        let of_kind = timeline.iter().filter(|moment| moment["what"] == what);
        of_kind.map(|moment| moment["words"].as_str().unwrap()).collect::<Vec<_>>()
    };
    let [gap] = told("gap")[..] else { panic!("{timeline:?}") };
    assert!(gap.starts_with("no refresh for 31 hours, until "), "{gap}");
    let [first, second, last] = told("refresh")[..] else { panic!("{timeline:?}") };
    assert!(first.starts_with("the first of 3 every 11 to 12 minutes, the last at "), "{first}");
    assert!(second.starts_with("the first of 2 every 11 minutes, "), "{second}");
    assert_eq!(last, "the last that was written down, of 5");
}

#[tokio::test]
async fn time_that_is_over_is_told_although_nobody_came_to_notice() {
    let (app, cli) = beside_a_server_begun(3 * DAY).await;
    let user = app.user("ada").await;
    let mut browser = app.browser();
    browser.login(&user.email, PASSWORD, false).await.expect(200);
    let found = explained(&cli, &browser.session);
    assert_eq!((&found["verdict"], &found["why"]["reason"]), (&json!("time_over"), &json!("short_lifetime")));
    assert_eq!(found["when"]["after_sign_in"], DAY.as_millis() as u64);
}

/// The bug of the field reports: a page that signs people out after 25 idle minutes, with everything in order.
#[tokio::test]
async fn a_front_end_that_signs_people_out_by_itself_is_found_out() {
    let (app, cli) = beside_a_server_begun(DAY).await;
    for (kind, scenario, mistake) in [
        ("TOKEN_EXPIRED", "A", "judged an expiry wrongly"),
        ("REFRESH_FAILED", "B", "answer to a refresh"),
        ("AUTH_ERROR", "C", "401, 402 or 403"),
        ("UNKNOWN", "D", "script error"),
    ] {
        let user = app.user(kind).await;
        let mut browser = app.browser();
        browser.device_id = Some("laptop".into());
        browser.sign_in(&user).await;
        app.clock.advance(25 * MINUTE);
        let body =
            json!({ "type": kind, "idleMinutes": 23, "location": "/dashboard?x=1", "release": "2026.11.1" });
        report(&app, &browser, body).await;
        let check = |found: &Value, stands: &str| {
            assert_eq!(found["verdict"], "unexplained", "{found}");
            assert_eq!(found["scenario"], scenario);
            let verdict = found["what"]["verdict"].as_str().unwrap();
            let words = "unexplained: the front end signed the person out by itself";
            for part in [words, stands, kind, "/dashboard", "2026.11.1", "23 minutes"] {
                assert!(verdict.contains(part), "{part}: {verdict}");
            }
            assert!(!verdict.contains("not verified"));
            assert!(found["why"]["scenario"].as_str().unwrap().contains(mistake));
            assert!(found["why"]["look_for"].is_string());
            assert_eq!(found["when"]["idle"], 23 * 60_000);
            assert_eq!(found["when"]["after_sign_in"], 25 * 60_000);
            assert_eq!(
                (&found["where"]["page"], &found["how"]["report_verified"]),
                (&json!("/dashboard"), &json!(true))
            );
        };
        check(&explained(&cli, &browser.session), "the session is alive.");
        // Whoever was thrown out signs in again at once, which ends the session in order.
        let first = browser.session.clone();
        app.clock.advance(20 * SECOND);
        browser.sign_in(&user).await;
        let found = explained(&cli, &first);
        check(&found, "the session was alive then.");
        assert_eq!(found["why"]["reason"], "replaced_by_sign_in");
        assert_eq!(explained(&cli, &user.email), found);
    }
}

#[tokio::test]
async fn a_browser_that_reports_our_own_end_is_believed_and_one_that_was_faster_is_not() {
    let (app, cli) = beside_a_server_begun(HOUR).await;
    let user = app.user("ada").await;
    let end = |browser: &Browser| cli.json(&["session", "end", &browser.session, "--reason", "lost laptop"]);
    let told = app.signed_in(&user).await;
    let receipt = end(&told)[0]["receipt"].clone();
    // Without a token, and without the session's name: the receipt is known to nobody else.
    let body = json!({ "type": "REFRESH_FAILED", "reason": "x", "receipt": receipt, "timestamp": 1 });
    app.client.post("/api/v1/auth/logout-event", &body).send().await.expect(202);
    let found = explained(&cli, receipt.as_str().unwrap());
    assert_eq!(found["verdict"], "end_reported", "{found}");
    assert!(found["what"]["verdict"].as_str().unwrap().contains("reported this very end"));
    assert_eq!((&found["scenario"], &found["how"]["report_verified"]), (&Value::Null, &json!(false)));
    // Just before an end is not of it.
    let faster = app.signed_in(&user).await;
    report(&app, &faster, json!({ "type": "AUTH_ERROR" })).await;
    end(&faster);
    let found = explained(&cli, &faster.session);
    assert_eq!((&found["verdict"], &found["scenario"]), (&json!("unexplained"), &json!("C")), "{found}");
    assert!(found["what"]["verdict"].as_str().unwrap().contains("Later: The session was revoked"), "{found}");
}

#[tokio::test]
async fn what_the_browser_alone_can_know_is_told_apart() {
    let (app, cli) = beside_a_server().await;
    let user = app.user("ada").await;
    for (kind, reason, verdict, words) in [
        ("USER_ACTION", "signed_out", "sign_out_undelivered", "the server has not been told"),
        ("REFRESH_FAILED", "cookie_missing", "cookie_lost", "lost the session's cookie"),
        ("REFRESH_FAILED", "session_superseded", "old_copy", "an old copy of the session"),
    ] {
        let browser = app.signed_in(&user).await;
        report(&app, &browser, json!({ "type": kind, "reason": reason })).await;
        let found = explained(&cli, &browser.session);
        assert_eq!(found["verdict"], verdict, "{found}");
        let sentence = found["what"]["verdict"].as_str().unwrap();
        assert!(sentence.contains(words) && sentence.contains("the session is alive"), "{sentence}");
        assert!(found["why"]["look_for"].is_string());
    }
    // A stranger's word for it is marked as such.
    let browser = app.signed_in(&user).await;
    let body = json!({ "type": "AUTH_ERROR", "session": browser.session });
    app.client.post("/api/v1/auth/logout-event", &body).send().await.expect(202);
    let found = explained(&cli, &browser.session);
    assert!(found["what"]["verdict"].as_str().unwrap().contains("(claimed, not verified)"), "{found}");
}

#[tokio::test]
async fn a_users_sessions_are_listed_and_the_newest_with_something_to_it_is_told() {
    let (app, cli) = beside_a_server_begun(30 * DAY).await;
    let user = app.user("ada").await;
    let mut long_ago = app.signed_in(&user).await;
    long_ago.sign_out().await.expect(204);
    app.clock.advance(29 * DAY);
    let calm = app.signed_in(&user).await;
    let printed = cli.run(&["explain", &user.email]).expect(0).out;
    assert!(printed.contains("None of these ended"), "{printed}");
    assert!(printed.starts_with(&calm.session) && !printed.contains(&long_ago.session), "{printed}");
    let mut gone = Vec::new();
    for _ in 0..2 {
        app.clock.advance(MINUTE);
        gone.push(app.signed_in(&user).await);
    }
    for browser in &mut gone {
        app.clock.advance(MINUTE);
        browser.sign_out().await.expect(204);
    }
    let document = cli.json(&["explain", &user.id.to_string()]);
    let ids = |rows: &Value, path: &str| {
        rows.as_array().unwrap().iter().map(|row| row.pointer(path).unwrap().clone()).collect::<Vec<_>>()
    };
    assert_eq!(ids(&document["sessions"], "/id"), [&gone[1], &gone[0], &calm].map(|one| json!(one.session)));
    assert_eq!(
        ids(&document["sessions"], "/verdict"),
        ["ended", "ended", "alive"].map(|verdict| json!(verdict))
    );
    assert_eq!(ids(&document["explained"], "/session/id"), [json!(gone[1].session)]);
    let all = cli.json(&["explain", &user.email, "--all"]);
    assert_eq!(ids(&all["explained"], "/session/id"), ids(&document["sessions"], "/id"));
    let printed = cli.run(&["explain", &user.email]).expect(0).out;
    let lines: Vec<_> = printed.lines().collect();
    assert!(lines[0].starts_with(&gone[1].session) && lines[0].ends_with("  ended"), "{printed}");
    for section in SECTIONS {
        assert_eq!(lines.iter().filter(|line| **line == section).count(), 1, "{section}: {printed}");
    }
}

#[tokio::test]
async fn what_was_done_meanwhile_stands_in_the_order_of_time() {
    let (app, cli) = beside_a_server_begun(HOUR).await;
    let user = app.user("ada").await;
    let mut browser = app.signed_in(&user).await;
    app.clock.advance(QUIET);
    browser.refresh().await.expect(200);
    report(&app, &browser, json!({ "type": "AUTH_ERROR" })).await;
    cli.run(&["user", "set", &user.email, "--role", "developer", "--reason", "hired"]).expect(0);
    let account = cli.json(&["user", "show", &user.email])["account_id"].as_str().unwrap().to_owned();
    cli.run(&["account", "set", &account, "--status", "suspended", "--reason", "unpaid"]).expect(0);
    let found = explained(&cli, &browser.session);
    let timeline = found["timeline"].as_array().unwrap();
    let of = |what: &str| timeline.iter().filter(|moment| moment["what"] == what).collect::<Vec<_>>();
    assert!(timeline.is_sorted_by_key(|moment| moment["at"].as_i64()), "{found}");
    assert_eq!((of("sign-in").len(), of("refresh").len(), of("report").len()), (1, 1, 1));
    let acts: String = of("act").iter().map(|moment| moment["words"].as_str().unwrap()).collect();
    for part in
        ["role: user -> developer", "(hired)", "status: active -> suspended", "(unpaid)", "admin:grace"]
    {
        assert!(acts.contains(part), "{part}: {acts}");
    }
    assert_eq!((&found["how"]["refreshes"], &found["how"]["remembered"]), (&json!(1), &json!(true)));
}

#[tokio::test]
async fn a_key_that_took_over_meanwhile_is_told_and_blamed_for_nothing() {
    let (app, cli) = beside_a_server_begun(HOUR).await;
    let browser = app.signed_in(&app.user("ada").await).await;
    app.sql("UPDATE signing_key SET activates_at = activates_at + 60000, retires_at = activates_at + 120000");
    let found = explained(&cli, &browser.session);
    let keys = found["timeline"].as_array().unwrap().iter().filter(|moment| moment["what"] == "key");
    let words: Vec<_> = keys.map(|moment| moment["words"].as_str().unwrap()).collect();
    assert_eq!(words.len(), 2, "{found}");
    assert!(words[0].contains("took over") && words[1].contains("retired"), "{words:?}");
    assert_eq!(found["verdict"], "alive");
}

#[tokio::test]
async fn what_is_not_known_is_1_and_says_where_to_look() {
    let (app, cli) = beside_a_server().await;
    let session = format!("ses_{}", "0".repeat(32));
    let body = json!({ "session": session, "receipt": "R-0000-0000" });
    app.client.post("/api/v1/auth/logout-event", &body).send().await.expect(202);
    let lonely = app.user("lonely").await;
    for (asked, parts) in [
        ("R-0000-0000", vec!["no session ended with the receipt", "1 report(s)", "`store.retention`"]),
        ("R-0000-0001", vec!["No browser's report names it either", "--data"]),
        (&session, vec!["there is no session", "1970-01-01", "1 report(s)", "90d"]),
        ("nobody@example.com", vec!["there is no user nobody@example.com", "usr_..."]),
        (&lonely.email, vec!["no session in the last 20 days"]),
        (&format!("usr_{}", "0".repeat(32)), vec!["no session in the last 20 days"]),
    ] {
        let printed = cli.run(&["explain", asked]).expect(1);
        for part in parts {
            assert!(printed.err.contains(part), "{part}: {printed:?}");
        }
        assert!(printed.out.is_empty());
    }
    for wrong in ["", "x", "ses_1", "usr_1", "acc_1", "R-0", "a@b@c", "\u{1b}[31m"] {
        let printed = cli.run(&["explain", wrong]).expect(2);
        assert!(!printed.err.contains('\u{1b}'), "{printed:?}");
    }
    let help = cli.run(&["explain", "--help"]).expect(0).out;
    for part in ["WHAT", "R-7K3M-Q9TD", "--all", "Exit code 1"] {
        assert!(help.contains(part), "{part}: {help}");
    }
}

#[tokio::test]
async fn hostile_texts_stay_on_their_lines() {
    let (app, cli) = beside_a_server().await;
    let user = app.user("ada").await;
    let browser = app.signed_in(&user).await;
    let hostile = "x\u{202e}y\u{2028}z\u{feff}";
    let body =
        json!({ "type": hostile, "message": hostile, "location": format!("/{hostile}"), "release": hostile });
    report(&app, &browser, body).await;
    let note = "first\nVERDICT  alive\u{1b}[31m";
    cli.run(&["user", "set", &user.email, "--role", "developer", "--reason", note]).expect(0);
    cli.run(&["session", "end", &browser.session, "--reason", note, "--actor", note]).expect(0);
    app.sql("UPDATE client_report SET client = 'a' || char(10) || char(27) || '[31mb', browser = char(155) || '2J'");
    app.sql(
        "UPDATE session_device SET device_id = 'a' || char(10) || 'VERDICT', address = char(27) || '[2J'",
    );
    let printed = cli.run(&["explain", &browser.session]).expect(0).out;
    assert!(printed.chars().all(|c| c == '\n' || !c.is_control()), "{printed:?}");
    assert!(!printed.contains(['\u{202e}', '\u{2028}', '\u{feff}']), "{printed:?}");
    assert!(!printed.lines().any(|line| line.trim_start().starts_with("VERDICT")), "{printed}");
    assert!(printed.contains(r"first\nVERDICT"), "{printed}");
}

/// Anybody may claim any number of reports: they are counted, and those with a token come first.
#[tokio::test]
async fn a_flood_of_claims_hides_no_verified_report() {
    let (app, cli) = beside_a_server().await;
    let browser = app.signed_in(&app.user("ada").await).await;
    report(&app, &browser, json!({ "type": "TOKEN_EXPIRED" })).await;
    let body = json!({ "type": "AUTH_ERROR", "session": browser.session });
    app.client.post("/api/v1/auth/logout-event", &body).send().await.expect(202);
    app.sql(
        "INSERT INTO client_report (received_at, address, browser, kind, claimed_session) \
         WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1200) \
         SELECT r.received_at + 1, r.address, r.browser, r.kind, r.claimed_session FROM n, client_report r \
         WHERE r.claimed_session IS NOT NULL",
    );
    let found = explained(&cli, &browser.session);
    assert_eq!(
        (&found["scenario"], &found["how"]["report_verified"]),
        (&json!("A"), &json!(true)),
        "{found}"
    );
    assert_eq!((&found["how"]["reports"], &found["how"]["reports_untold"]), (&json!(500), &json!(450)));
}

#[tokio::test]
async fn explaining_writes_nothing() {
    let (app, cli) = beside_a_server().await;
    let user = app.user("ada").await;
    let mut browser = app.signed_in(&user).await;
    report(&app, &browser, json!({ "type": "AUTH_ERROR" })).await;
    browser.sign_out().await.expect(204);
    let before = app.database().rows();
    assert!(before.iter().any(|(table, rows)| table == "session" && rows.len() > 2));
    for asked in [&browser.session, &user.email, &user.id.to_string()] {
        cli.run(&["explain", asked, "--json"]).expect(0);
    }
    cli.run(&["explain", &user.email, "--all"]).expect(0);
    cli.run(&["explain", "R-0000-0000"]).expect(1);
    assert_eq!(app.database().rows(), before);
}

/// Two mistakes may report the same type. What the browser knew in that moment tells them apart.
#[tokio::test]
async fn what_came_just_before_names_the_mistake_and_where_to_look() {
    let (app, cli) = beside_a_server_begun(DAY).await;
    for (kind, evidence, suspect, words, search) in [
        (
            "AUTH_ERROR",
            json!({ "answer": { "status": 403, "path": "/api/reports?q=1", "code": "scope_missing", "agoMs": 12 } }),
            "api_refusal",
            "It came 12 ms after a 403 (scope_missing) of /api/reports.",
            "goes to the sign-in page",
        ),
        (
            "UNKNOWN",
            json!({ "error": { "message": "x is undefined", "agoMs": 3.7 } }),
            "script_error",
            "It came 3 ms after the script error \"x is undefined\".",
            "this error in the console",
        ),
        (
            "TOKEN_EXPIRED",
            json!({ "clockAheadMs": -7_200_000 }),
            "device_clock",
            "clock is 2 hours behind the server's.",
            "Date.now()",
        ),
        (
            "TOKEN_EXPIRED",
            json!({ "accessLeftMs": 2_100_000, "pageAgeMs": 1_500_000 }),
            "idle_timer",
            "while nobody touched the page for 25 minutes",
            "count idle minutes",
        ),
    ] {
        let browser = app.signed_in(&app.user(suspect).await).await;
        app.clock.advance(25 * MINUTE);
        let client = "@tenure/client 0.1.0";
        let body = json!({ "type": kind, "idleMinutes": 25, "client": client, "evidence": evidence });
        report(&app, &browser, body).await;
        let found = explained(&cli, &browser.session);
        let verdict = found["what"]["verdict"].as_str().unwrap();
        assert!(verdict.contains(words), "{verdict}");
        assert_eq!((&found["verdict"], &found["why"]["suspect"]), (&json!("unexplained"), &json!(suspect)));
        assert!(found["why"]["look_for"].as_str().unwrap().contains(search), "{found}");
    }
    // Nobody was there when "the person" signed out.
    let mut browser = app.signed_in(&app.user("kiosk").await).await;
    browser.sign_out().await.expect(204);
    let body = json!({ "type": "USER_ACTION", "reason": "signed_out", "idleMinutes": 25,
        "session": browser.session, "client": "@tenure/client 0.1.0", "evidence": { "pageAgeMs": 1_500_000 } });
    app.client.post("/api/v1/auth/logout-event", &body).send().await.expect(202);
    let found = explained(&cli, &browser.session);
    assert_eq!((&found["verdict"], &found["why"]["suspect"]), (&json!("end_reported"), &json!("idle_timer")));
    assert!(found["what"]["verdict"].as_str().unwrap().contains("may not have asked for it"), "{found}");
}
