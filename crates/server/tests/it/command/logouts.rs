//! `tenure logouts`

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::beside_a_server;
use crate::world::{HOUR, SECOND, TestApp, eventually};

async fn report(app: &TestApp, body: Value) {
    app.client.post("/api/v1/auth/logout-event", &body).send().await.expect(202);
}

fn objects(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[tokio::test]
async fn where_nothing_was_reported_it_says_so() {
    let (_app, cli) = beside_a_server().await;
    for (arguments, span) in
        [(["logouts", "tail", "--since", "2h"], "2h"), (["logouts", "stats", "--since", "3days"], "3days")]
    {
        let printed = cli.run(&arguments).expect(0);
        assert_eq!(printed.out, format!("No browser reported a sign-out in the last {span}.\n"));
    }
    assert_eq!(cli.run(&["logouts", "tail", "--json"]).expect(0).out, "");
    assert_eq!(cli.json(&["logouts", "stats"])["total"], 0);
    cli.run(&["logouts", "tail", "--since", "yesterday"]).expect(2);
}

#[tokio::test]
async fn tail_prints_the_reports_of_the_time_asked_for_in_their_order() {
    let (app, cli) = beside_a_server().await;
    let now = app.clock.get();
    app.clock.set(now - 2 * HOUR);
    report(&app, json!({ "message": "long ago" })).await;
    app.clock.set(now);
    let browser = app.signed_in(&app.user("ada").await).await;
    let first = json!({ "type": "TOKEN_EXPIRED", "idleMinutes": 23, "location": "/dashboard", "reason": "cookie_missing" });
    app.client.post("/api/v1/auth/logout-event", &first).bearer(&browser.access).send().await.expect(202);
    report(&app, json!({ "type": "USER_ACTION", "session": browser.session })).await;
    let human = cli.run(&["logouts", "tail"]).expect(0).out;
    let lines: Vec<_> = human.lines().collect();
    assert_eq!(lines.len(), 2, "{human}");
    for part in ["TOKEN_EXPIRED", "reason=cookie_missing", "idle=23m", "page=/dashboard", "address=127.0.0.1"]
    {
        assert!(lines[0].contains(part), "{part}: {human}");
    }
    assert!(lines[0].contains(&format!("  session={}", browser.session)), "{human}");
    assert!(lines[1].contains(&format!("  claimed-session={}", browser.session)), "{human}");
    let rows = objects(&cli.run(&["logouts", "tail", "--json"]).expect(0).out);
    assert_eq!(rows.len(), 2);
    assert_eq!(
        (&rows[0]["verified_session"], &rows[0]["claimed_session"]),
        (&json!(browser.session), &Value::Null)
    );
    assert_eq!(
        (&rows[1]["verified_session"], &rows[1]["claimed_session"]),
        (&Value::Null, &json!(browser.session))
    );
    assert_eq!((&rows[0]["type"], &rows[0]["idle_ms"]), (&json!("TOKEN_EXPIRED"), &json!(23 * 60_000)));
    let all = objects(&cli.run(&["logouts", "tail", "--json", "--since", "3h"]).expect(0).out);
    assert_eq!((all.len(), &all[0]["message"]), (3, &json!("long ago")));
}

/// More reports than are read at once, one of which cannot be read.
#[tokio::test]
async fn tail_reads_on_until_there_is_no_more() {
    let (app, cli) = beside_a_server().await;
    report(&app, json!({ "type": "USER_ACTION" })).await;
    app.sql(
        "INSERT INTO client_report (received_at, address, browser, kind) \
         WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1200) \
         SELECT r.received_at, r.address, r.browser, CASE i WHEN 7 THEN 'DAMAGED' ELSE r.kind END FROM n, client_report r",
    );
    assert_eq!(objects(&cli.run(&["logouts", "tail", "--json"]).expect(0).out).len(), 1_200);
}

/// A command that goes on until it is told to stop, or nobody reads what it says.
struct Following {
    child: Child,
    lines: Option<UnboundedReceiver<String>>,
}

impl Following {
    fn start(app: &TestApp) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tenure"));
        command.env_clear().args(["logouts", "tail", "--follow", "--json", "--data"]).arg(app.folder());
        command.envs(app.database().environment());
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        let (heard, lines) = unbounded_channel();
        std::thread::spawn(move || out.lines().map_while(Result::ok).try_for_each(|line| heard.send(line)));
        Self { child, lines: Some(lines) }
    }

    async fn next(&mut self) -> Value {
        serde_json::from_str(&self.lines.as_mut().unwrap().recv().await.unwrap()).unwrap()
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test]
async fn follow_prints_what_arrives_and_ends_when_nobody_reads_any_more() {
    let (app, _) = beside_a_server().await;
    report(&app, json!({ "message": "before" })).await;
    let mut following = Following::start(&app);
    assert_eq!(following.next().await["message"], "before");
    for message in ["after", "later"] {
        report(&app, json!({ "message": message })).await;
        assert_eq!(following.next().await["message"], message);
    }
    following.lines = None;
    eventually("it ends", async || {
        report(&app, json!({ "message": "unread" })).await;
        app.clock.advance(SECOND);
        following.child.try_wait().unwrap().is_some_and(|status| status.success())
    })
    .await;
}

#[tokio::test]
async fn a_report_cannot_forge_lines_on_the_terminal() {
    let (app, cli) = beside_a_server().await;
    let hostile = "x\u{202e}y\u{2028}z  session=ses_fake\u{feff}";
    report(
        &app,
        json!({ "type": hostile, "message": hostile, "location": format!("/{hostile}"), "release": hostile }),
    )
    .await;
    // By hand, past everything that cleans what comes in.
    app.sql("UPDATE client_report SET client = 'a' || char(10) || char(27) || '[31mb', browser = char(155) || '2J'");
    for verb in ["tail", "stats"] {
        let printed = cli.run(&["logouts", verb]).expect(0).out;
        assert!(printed.chars().all(|c| c == '\n' || !c.is_control()), "{printed:?}");
        assert!(!printed.contains(['\u{202e}', '\u{2028}', '\u{feff}']), "{printed:?}");
        assert!(verb == "stats" || printed.lines().count() == 1, "{printed:?}");
    }
}

/// Most reports are of ends that were written down, and of what browsers alone can know.
#[tokio::test]
async fn stats_tells_what_is_unexplained_apart() {
    let (app, cli) = beside_a_server().await;
    let ada = app.user("ada").await;
    let (one, other) = (app.signed_in(&ada).await, app.signed_in(&ada).await);
    for (browser, kind) in [(&one, "TOKEN_EXPIRED"), (&one, "AUTH_ERROR"), (&other, "USER_ACTION")] {
        let body = json!({ "type": kind });
        app.client.post("/api/v1/auth/logout-event", &body).bearer(&browser.access).send().await.expect(202);
    }
    report(&app, json!({ "type": "TOKEN_EXPIRED", "session": one.session })).await;
    report(&app, json!({ "type": "TOKEN_EXPIRED", "session": other.session })).await;
    app.app.write_events().await.unwrap();
    let stats = cli.json(&["logouts", "stats"]);
    assert_eq!(
        (&stats["total"], &stats["unexplained"]),
        (&json!(5), &json!({ "sessions": 2, "verified": 1 }))
    );
    let human = cli.run(&["logouts", "stats"]).expect(0).out;
    assert!(human.contains("unexplained: 2 sessions, 1 of them verified"), "{human}");
}

#[tokio::test]
async fn stats_counts_by_type_reason_idle_time_browser_and_release() {
    let (app, cli) = beside_a_server().await;
    let now = app.clock.get();
    app.clock.set(now - 8 * 24 * HOUR);
    report(&app, json!({ "type": "AUTH_ERROR" })).await;
    app.clock.set(now);
    for (kind, idle) in
        [("TOKEN_EXPIRED", 1), ("TOKEN_EXPIRED", 5), ("TOKEN_EXPIRED", 25), ("USER_ACTION", 25)]
    {
        let body =
            json!({ "type": kind, "idleMinutes": idle, "reason": "session_unknown", "release": "1.2" });
        report(&app, body).await;
    }
    report(&app, json!({})).await;
    let stats = cli.json(&["logouts", "stats"]);
    assert_eq!(stats["total"], 5);
    assert_eq!(
        stats["by_type"],
        json!([
            { "type": "TOKEN_EXPIRED", "count": 3 }, { "type": "UNKNOWN", "count": 1 }, { "type": "USER_ACTION", "count": 1 }
        ])
    );
    assert_eq!(
        stats["by_idle"],
        json!([
            { "idle": "0-2 minutes", "count": 1 }, { "idle": "2-10 minutes", "count": 1 },
            { "idle": "20+ minutes", "count": 2 }, { "idle": null, "count": 1 }
        ])
    );
    assert_eq!(
        stats["by_reason"],
        json!([{ "reason": "session_unknown", "count": 4 }, { "reason": null, "count": 1 }])
    );
    assert_eq!(
        stats["by_release"],
        json!([{ "release": "1.2", "count": 4 }, { "release": null, "count": 1 }])
    );
    assert_eq!(stats["by_browser"], json!([{ "browser": "Unknown device", "count": 5 }]));
    let human = cli.run(&["logouts", "stats"]).expect(0).out;
    for part in ["5 reported sign-outs since", "by idle", "        2  20+ minutes", "(not said)"] {
        assert!(human.contains(part), "{part}: {human}");
    }
    assert_eq!(cli.json(&["logouts", "stats", "--since", "30days"])["total"], 6);
}
