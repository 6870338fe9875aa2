//! The examples in `deploy` for whoever puts a proxy in front of Tenure: the very files, with only addresses, ports and
//! certificates changed, in front of two real nodes on one PostgreSQL.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod application;
mod browser;
mod nodes;
mod proxies;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use rustix::process::Signal;
use tokio::time::Instant;

use browser::{Browser, OUTSIDE};
use nodes::Nodes;
use proxies::Front;

const REFRESH: &str = "/api/v1/auth/refresh";
const FORGED: &str = "203.0.113.7";

#[tokio::test]
async fn nginx_passes_on_what_tenure_says() {
    let nodes = Nodes::start();
    passes_on_what_tenure_says(&nodes, &proxies::nginx(&nodes)).await;
}

#[tokio::test]
async fn caddy_passes_on_what_tenure_says() {
    let nodes = Nodes::start();
    passes_on_what_tenure_says(&nodes, &proxies::caddy(&nodes)).await;
}

async fn passes_on_what_tenure_says(nodes: &Nodes, front: &Front) {
    let browser = Browser::of(front);
    // Signs in, and the cookie is as the node wrote it: every attribute, in order.
    let answer = browser.register("ada@example.com").await;
    let [cookie] = &answer.all("set-cookie")[..] else { panic!("one cookie: {:?}", answer.headers) };
    let (pair, attributes) = cookie.split_once("; ").unwrap();
    assert!(pair.starts_with("__Secure-tenure_"), "{cookie}");
    assert_eq!(attributes, "Path=/api/v1/auth/refresh; HttpOnly; Secure; SameSite=Lax; Max-Age=1814400");
    // What the node says to browsers and caches arrives, once.
    for (name, value) in [
        ("cache-control", "no-store"),
        ("strict-transport-security", "max-age=63072000"),
        ("x-content-type-options", "nosniff"),
        ("vary", "Origin, Authorization, Cookie"),
    ] {
        assert_eq!(answer.all(name), [value], "{name}");
    }
    // Every node refreshes, and what the client itself forwards does not count.
    for _ in 0..4 {
        let refreshed =
            browser.ask("POST", REFRESH, &[("cookie", pair), ("x-forwarded-for", FORGED)], "").await;
        assert_eq!(refreshed.status, 200, "{refreshed:?}");
        assert_eq!(refreshed.all("set-cookie").len(), 1);
        let line = nodes.line_of(&refreshed.all("x-request-id")[0]);
        assert_eq!(line["address"], OUTSIDE, "{line}");
    }
    assert!(nodes.served().into_iter().all(|count| count > 0), "both nodes serve: {:?}", nodes.served());
    // Whoever goes past the proxy is no trusted proxy.
    let direct = browser.past_the_proxy(nodes.api(0), &[("x-forwarded-for", FORGED)]).await;
    let line = nodes.line_of(&direct.all("x-request-id")[0]);
    assert_eq!(line["address"], OUTSIDE, "{line}");
    // Refusals are Tenure's own words.
    let refused = browser.ask("POST", REFRESH, &[], "").await;
    assert_eq!((refused.status, refused.code().as_str()), (401, "no_session"));
    let missing = browser.ask("GET", "/api/v1/nothing", &[], "").await;
    assert_eq!((missing.status, missing.code().as_str()), (404, "not_found"));
    // An operator's page is not to be had from outside.
    assert_eq!(browser.ask("GET", "/metrics", &[], "").await.status, 404);
    // A service that is told what ends hears it as it happens, and neither buffer nor time-out is in the way.
    let make = ["api-key", "create", "ada@example.com", "--name=guard", "--scopes=revocations.read"];
    let key = nodes.cli(&[&make[..], &["--reason=test", "--json"]].concat());
    let key: serde_json::Value = serde_json::from_str(&key).unwrap();
    let shown = [("x-api-key", key["secret"].as_str().unwrap())];
    browser.hears("/api/v1/auth/revocations", &shown, "event: beat").await;
    // A browser with very many sessions.
    let many = format!("{pair}; {}", format!("filler={}; ", "x".repeat(200)).repeat(100));
    assert_eq!(browser.ask("POST", REFRESH, &[("cookie", &many)], "").await.status, 200);
}

#[tokio::test]
async fn behind_nginx_nodes_stop_die_and_hang_without_a_failed_refresh() {
    let mut nodes = Nodes::start();
    let front = proxies::nginx(&nodes);
    let load = Load::on(&front, 3).await;
    for signal in [Signal::TERM, Signal::KILL] {
        for number in 0..2 {
            nodes.end(number, signal);
            load.passes(10).await;
            nodes.start_again(number);
            load.passes(6).await;
        }
    }
    nodes.signal(0, Signal::STOP);
    load.passes(6).await;
    nodes.signal(0, Signal::CONT);
    load.ends_without_a_failure().await;
}

/// One request at a time: of those that come while a node finishes its last ones, Caddy passes on the 503.
#[tokio::test]
async fn behind_caddy_nodes_stop_die_and_hang_without_a_failed_refresh() {
    let mut nodes = Nodes::start();
    let front = proxies::caddy(&nodes);
    let load = Load::on(&front, 1).await;
    for signal in [Signal::TERM, Signal::KILL] {
        for number in 0..2 {
            nodes.end(number, signal);
            load.passes(10).await;
            nodes.start_again(number);
            // Caddy notices within a second that it is back.
            let begun = Instant::now();
            while begun.elapsed() < Duration::from_secs(3) {
                load.passes(2).await;
            }
        }
    }
    nodes.signal(0, Signal::STOP);
    load.passes(6).await;
    nodes.signal(0, Signal::CONT);
    load.ends_without_a_failure().await;
}

/// Browsers that refresh one after the other until told to stop.
struct Load {
    served: Arc<AtomicUsize>,
    stop: Arc<AtomicBool>,
    browsers: Vec<tokio::task::JoinHandle<Vec<String>>>,
}

impl Load {
    async fn on(front: &Front, browsers: usize) -> Self {
        let mut load = Self { served: Arc::default(), stop: Arc::default(), browsers: vec![] };
        for number in 0..browsers {
            let browser = Browser::of(front);
            let answer = browser.register(&format!("user-{number}@example.com")).await;
            let mut cookie = answer.cookie();
            let (served, stop) = (Arc::clone(&load.served), Arc::clone(&load.stop));
            load.browsers.push(tokio::spawn(async move {
                let mut failures = vec![];
                while !stop.load(Ordering::Relaxed) {
                    let begun = Instant::now();
                    let answer = browser.ask("POST", REFRESH, &[("cookie", &cookie)], "").await;
                    match answer.status {
                        200 => cookie = answer.cookie(),
                        _ => failures.push(format!("after {:?}: {answer:?}", begun.elapsed())),
                    }
                    served.fetch_add(1, Ordering::Relaxed);
                }
                failures
            }));
        }
        load
    }

    /// Waits until so many more were answered.
    async fn passes(&self, more: usize) {
        let goal = self.served.load(Ordering::Relaxed) + more;
        let all = async {
            while self.served.load(Ordering::Relaxed) < goal {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), all).await.expect("answers keep coming");
    }

    async fn ends_without_a_failure(self) {
        self.stop.store(true, Ordering::Relaxed);
        for browser in self.browsers {
            assert_eq!(browser.await.unwrap(), Vec::<String>::new());
        }
    }
}
