//! An application behind the proxy, which lets requests through only after it has asked Tenure about them.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Request, State};
use http::StatusCode;
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::browser::{Answer, Browser};
use crate::nodes::Nodes;
use crate::proxies::{self, Front};

pub const APP_SITE: &str = "app.example.com";

const PLAN: [&str; 6] = ["plan", "save", "pro", "--name", "Pro", "--reason=test"];

/// Says what it was asked, or fails as it is told to.
struct Application {
    address: SocketAddr,
    asked: Arc<AtomicUsize>,
}

impl Application {
    async fn start() -> Self {
        let asked = Arc::new(AtomicUsize::new(0));
        let router = Router::new().fallback(answer).with_state(Arc::clone(&asked));
        let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { address, asked }
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }
}

async fn answer(State(asked): State<Arc<AtomicUsize>>, request: Request) -> (StatusCode, String) {
    asked.fetch_add(1, Ordering::Relaxed);
    let (parts, body) = request.into_parts();
    let status = parts.uri.path().rsplit('/').next().and_then(|last| last.parse::<u16>().ok());
    let status = status.and_then(|code| StatusCode::from_u16(code).ok()).unwrap_or(StatusCode::OK);
    let body: Bytes = axum::body::to_bytes(body, 1 << 20).await.unwrap();
    let headers = parts.headers.iter().filter(|(name, _)| name.as_str().starts_with("tenure"));
    let headers: Value =
        headers.map(|(name, value)| (name.to_string(), json!(value.to_str().unwrap()))).collect();
    let said = json!({
        "method": parts.method.as_str(), "path": parts.uri.to_string(), "headers": headers,
        "body": String::from_utf8_lossy(&body),
    });
    (status, said.to_string())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn behind_nginx_an_application_is_asked_only_what_tenure_lets_through() {
    is_asked_only_what_tenure_lets_through(proxies::nginx_in_front_of).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn behind_caddy_an_application_is_asked_only_what_tenure_lets_through() {
    is_asked_only_what_tenure_lets_through(proxies::caddy_in_front_of).await;
}

async fn is_asked_only_what_tenure_lets_through(proxy: fn(&Nodes, Option<SocketAddr>) -> Front) {
    let mut nodes = Nodes::start();
    let application = Application::start().await;
    let front = proxy(&nodes, Some(application.address));
    let browser = Browser::of(&front);
    let signed_in = browser.register("ada@example.com").await.json();
    let bearer = format!("Bearer {}", signed_in["access_token"].as_str().unwrap());
    let app = browser.on(APP_SITE);
    let forged = [
        ("tenure-user", "usr_forged"),
        ("tenure_user", "usr_forged"),
        ("tenure-role", "superuser"),
        ("tenure-email", "root@example.com"),
        ("tenure-key", "key_forged"),
        ("tenure-scopes", "reports.write"),
        ("tenure-plan", "team"),
        ("tenure-session", "ses_forged"),
    ];
    let ask = async |method: &str, path: &str, body: &str| -> Answer {
        app.ask(method, path, &[&[("authorization", bearer.as_str())][..], &forged].concat(), body).await
    };

    // Nobody: Tenure's own words, whatever the method, and the application hears nothing of it.
    for (method, body) in [("GET", ""), ("POST", "what=ever"), ("DELETE", "")] {
        let refused = app.ask(method, "/api/orders", &forged, body).await;
        assert_eq!((refused.status, refused.code().as_str()), (401, "access_token_missing"), "{refused:?}");
        assert_eq!(refused.all("content-type"), ["application/problem+json"]);
        assert!(refused.all("location").is_empty() && refused.all("set-cookie").is_empty());
    }
    assert_eq!(application.asked(), 0);

    // Somebody: the request as it was sent, and who sent it, whatever they say of themselves.
    let served = ask("POST", "/api/orders?page=2", "{\"count\": 3}").await;
    assert_eq!(served.status, 200, "{served:?}");
    let heard = served.json();
    assert_eq!((&heard["method"], &heard["path"]), (&json!("POST"), &json!("/api/orders?page=2")));
    assert_eq!(heard["body"], "{\"count\": 3}");
    let user = &signed_in["user"];
    let expected =
        json!({ "tenure-user": user["id"], "tenure-account": user["account_id"], "tenure-role": "user" });
    assert_eq!(heard["headers"], expected);

    tells_of_a_key_alone(&nodes, &app, user, &forged).await;

    // A path that two could read differently is nobody's.
    let before = application.asked();
    for path in [
        "/api/reports;x/all",
        "/api/reports/all/../../orders",
        "/api/%2e%2e/orders",
        "/api//reports/",
        "/api/reports%2fall",
    ] {
        assert_eq!(ask("GET", path, "").await.status, 400, "{path}");
    }
    assert_eq!(application.asked(), before);
    assert_eq!(ask("GET", "/api/orders?next=/a;b/../c", "").await.status, 200);

    // What the application says is what it says.
    for status in [401, 402, 403, 404, 500, 503] {
        let answer = ask("GET", &format!("/api/{status}"), "").await;
        assert_eq!((answer.status, &answer.json()["method"]), (status, &json!("GET")), "{}", answer.text());
    }

    // Account and plan, each in Tenure's own words, and none of them ends anything.
    let before = application.asked();
    for path in
        ["/api/reports/all", "/api/reports", "/api/reports?page=2", "/api/Reports/all", "/api/REPORTS"]
    {
        let refused = ask("POST", path, "x").await;
        assert_eq!((refused.status, refused.code().as_str()), (402, "plan_missing"), "{path}: {refused:?}");
    }
    assert_eq!(ask("GET", "/api/reportsheet", "").await.status, 200);
    let before = before + 1;
    nodes.cli(&PLAN);
    nodes.cli(&["account", "set", "ada@example.com", "--plan", "pro", "--reason", "test"]);
    heard_everywhere().await;
    assert_eq!(ask("GET", "/api/reports/all", "").await.json()["headers"]["tenure-plan"], "pro");
    nodes.cli(&["account", "set", "ada@example.com", "--status", "suspended", "--reason", "test"]);
    heard_everywhere().await;
    let refused = ask("GET", "/api/orders", "").await;
    assert_eq!((refused.status, refused.code().as_str()), (403, "account_suspended"), "{refused:?}");
    assert_eq!(application.asked(), before + 1);
    nodes.cli(&["account", "set", "ada@example.com", "--status", "active", "--reason", "test"]);
    heard_everywhere().await;

    // With one node gone nobody notices; with both gone it is a fault of the way, and no refusal.
    nodes.end(0, Signal::KILL);
    for _ in 0..4 {
        assert_eq!(ask("GET", "/api/orders", "").await.status, 200);
    }
    nodes.end(1, Signal::KILL);
    let fault = ask("GET", "/api/orders", "").await;
    assert!(fault.status >= 500, "{fault:?}");
    nodes.start_again(0);
    let is_back = async { while ask("GET", "/api/orders", "").await.status != 200 {} };
    tokio::time::timeout(Duration::from_secs(60), is_back)
        .await
        .expect("the same access token is good again");
}

/// A program, by a key of the account; nor can a client have any of that taken away.
async fn tells_of_a_key_alone(nodes: &Nodes, app: &Browser, user: &Value, forged: &[(&str, &str)]) {
    let create =
        ["api-key", "create", "ada@example.com", "--name=x", "--scopes=a.read", "--reason=x", "--json"];
    let key: Value = serde_json::from_str(&nodes.cli(&create)).unwrap();
    let expected =
        json!({ "tenure-key": key["id"], "tenure-scopes": "a.read", "tenure-account": user["account_id"] });
    let stripping = [
        ("connection", "close, Tenure-Scopes"),
        ("connection", "tenure-key,tenure_scopes"),
        ("connection", "X-Api-Key"),
    ];
    let shown = [&[("x-api-key", key["secret"].as_str().unwrap())][..], forged].concat();
    for shown in [shown.clone(), [&shown[..], &stripping].concat()] {
        let heard = app.ask("GET", "/api/orders", &shown, "").await.json();
        assert_eq!(heard["headers"], expected);
    }
}

/// What the command line has changed is known to every node after this.
async fn heard_everywhere() {
    tokio::time::sleep(tenure_store::postgres::STALENESS * 2).await;
}
