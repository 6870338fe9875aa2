//! The testbed as its callers see it: a process, two addresses, and orders.

#![allow(clippy::unwrap_used)]

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use reqwest::header::{COOKIE, SET_COOKIE};
use reqwest::{Client, Response};
use serde_json::{Value, json};

const DAY: i64 = 24 * 60 * 60 * 1000;
const START: i64 = 1_795_000_000_000;

struct Testbed {
    process: Child,
    api: String,
    control: String,
    client: Client,
}

impl Testbed {
    fn start(args: &[&str]) -> Self {
        let mut process = Command::new(env!("CARGO_BIN_EXE_tenure-testbed"))
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let told: Value = serde_json::from_str(&line).unwrap();
        let url = |name: &str| told[name].as_str().unwrap().to_owned();
        Self { api: url("api"), control: url("control"), process, client: Client::new() }
    }

    async fn order(&self, path: &str, order: Value) -> Value {
        let answer = self.client.post(format!("{}{path}", self.control)).json(&order).send().await.unwrap();
        let status = answer.status();
        let text = answer.text().await.unwrap();
        assert!(status.is_success(), "{path}: {status} {text}");
        serde_json::from_str(&text).unwrap()
    }

    async fn get(&self, path: &str) -> Value {
        self.client.get(format!("{}{path}", self.control)).send().await.unwrap().json().await.unwrap()
    }

    /// A user who is there, signed in: the cookie.
    async fn signed_in(&self) -> String {
        let user = json!({ "email": "a@example.com", "password": "correct horse battery", "name": "A" });
        self.order("/users", user.clone()).await;
        let login = self.client.post(format!("{}/api/v1/auth/login", self.api));
        let body = json!({ "email": user["email"], "password": user["password"], "remember_me": true });
        let answer = login.json(&body).send().await.unwrap();
        assert_eq!(answer.status(), 200);
        cookie(&answer)
    }

    async fn refresh(&self, cookie: &str) -> reqwest::Result<Response> {
        self.client.post(format!("{}/api/v1/auth/refresh", self.api)).header(COOKIE, cookie).send().await
    }

    async fn refresh_code(&self, cookie: &str) -> (u16, String) {
        let answer = self.refresh(cookie).await.unwrap();
        let status = answer.status().as_u16();
        let body: Value = answer.json().await.unwrap();
        (status, body["code"].as_str().unwrap_or_default().to_owned())
    }
}

impl Drop for Testbed {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn cookie(answer: &Response) -> String {
    let set = answer.headers()[SET_COOKIE].to_str().unwrap();
    set.split(';').next().unwrap().to_owned()
}

#[tokio::test]
async fn twenty_days_pass_in_a_moment() {
    let testbed = Testbed::start(&["--seed", "7"]);
    let mut jar = testbed.signed_in().await;
    testbed.order("/clock", json!({ "advance": 19 * DAY })).await;
    let answer = testbed.refresh(&jar).await.unwrap();
    assert_eq!(answer.status(), 200);
    jar = cookie(&answer);
    assert_eq!(testbed.get("/clock").await, json!({ "now": START + 19 * DAY }));

    let late = (START + 20 * DAY + 120_000).to_string();
    let request = testbed.client.post(format!("{}/api/v1/auth/refresh", testbed.api)).header(COOKIE, &jar);
    let answer = request.header("x-virtual-now", late).send().await.unwrap();
    let problem: Value = answer.json().await.unwrap();
    assert_eq!(
        (&problem["code"], &problem["reason"]),
        (&json!("session_expired"), &json!("remembered_lifetime"))
    );
    let stats = testbed.get("/stats").await;
    assert_eq!(stats["ends"], json!({ "remembered_lifetime": 1 }));
    assert_eq!(stats["dead_tokens"], 0);
}

#[tokio::test]
async fn a_restart_keeps_data_port_and_counts() {
    let testbed = Testbed::start(&[]);
    let jar = testbed.signed_in().await;
    assert_eq!(testbed.refresh_code(&jar).await.0, 200);
    let before = testbed.get("/stats").await;
    testbed.order("/restart", json!({ "down_ms": 5 })).await;
    assert_eq!(testbed.refresh_code(&jar).await.0, 200);
    testbed.order("/keys/rotate", json!({})).await;
    let sum = |stats: &Value| -> u64 {
        stats["refreshes"].as_object().unwrap().values().map(|one| one.as_u64().unwrap()).sum()
    };
    assert_eq!((sum(&before), sum(&testbed.get("/stats").await)), (1, 2));

    assert_eq!(
        testbed.order("/sessions/end", json!({ "user": "a@example.com" })).await,
        json!({ "ended": 1 })
    );
    assert_eq!(testbed.refresh_code(&jar).await, (401, "session_revoked".to_owned()));
}

#[tokio::test]
async fn each_fault_is_what_it_says() {
    let testbed = Testbed::start(&[]);
    let jar = testbed.signed_in().await;
    let fault = |kind: &str| json!({ "kind": kind, "path_prefix": "/api/v1/auth/refresh" });

    testbed.order("/faults", json!({ "kind": "status", "status": 402, "body": "pay" })).await;
    let answer = testbed.refresh(&jar).await.unwrap();
    assert_eq!((answer.status().as_u16(), answer.text().await.unwrap().as_str()), (402, "pay"));
    testbed.order("/faults", fault("html")).await;
    let answer = testbed.refresh(&jar).await.unwrap();
    assert_eq!(answer.status(), 200);
    assert!(answer.text().await.unwrap().starts_with("<!doctype html>"));
    testbed.order("/faults", fault("reset")).await;
    assert!(testbed.refresh(&jar).await.is_err());
    // Nothing of this has reached the server; this does, and is not answered.
    assert_eq!(testbed.get("/stats").await["refreshes"], json!({}));
    testbed.order("/faults", fault("drop_answer")).await;
    assert!(testbed.refresh(&jar).await.is_err());
    assert_ne!(testbed.get("/stats").await["refreshes"], json!({}));

    testbed.order("/faults", fault("hang")).await;
    let (hung, ()) = tokio::join!(testbed.refresh(&jar), async {
        while testbed.get("/faults").await["standing"] != 0 {
            tokio::task::yield_now().await;
        }
        testbed.order("/faults/clear", json!({})).await;
    });
    assert!(hung.is_err());
    assert_eq!(testbed.refresh_code(&jar).await.0, 200);
}

#[tokio::test]
async fn panics_come_as_ordered() {
    let testbed = Testbed::start(&[]);
    let jar = testbed.signed_in().await;
    testbed.order("/panics", json!({ "count": 2 })).await;
    for _ in 0..2 {
        assert_eq!(testbed.refresh_code(&jar).await, (500, "internal_error".to_owned()));
    }
    assert_eq!(testbed.refresh_code(&jar).await.0, 200);
    testbed.order("/panics", json!({ "count": 1, "after": 1000 })).await;
    assert_eq!(testbed.refresh_code(&jar).await.0, 200);
    assert_eq!(testbed.get("/stats").await["panics"], 2);
}

#[tokio::test]
async fn it_can_be_killed_and_started_again_on_its_data() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().to_str().unwrap();
    let start = |at: &str| Testbed::start(&["--data", data, "--access-lifetime", "1m", "--start", at]);
    let first = start("1795000000000");
    let jar = first.signed_in().await;
    drop(first);
    let second = start("1795000600000");
    assert_eq!(second.refresh_code(&jar).await.0, 200);
    assert!(Path::new(data).join("tenure.db").exists());
}

#[test]
fn it_ends_when_its_input_does() {
    let mut testbed = Testbed::start(&["--real-clock"]);
    drop(testbed.process.stdin.take());
    assert!(testbed.process.wait().unwrap().success());
}

#[test]
fn it_listens_to_this_machine_only() {
    let refused = Command::new(env!("CARGO_BIN_EXE_tenure-testbed"))
        .args(["--control", "0.0.0.0:0"])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .status();
    assert!(!refused.unwrap().success());
}
