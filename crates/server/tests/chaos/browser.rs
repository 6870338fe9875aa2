//! A browser as far as sessions go: cookies by name, a clock that may be wrong, requests that are given up.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use http::{HeaderMap, Method, header};
use serde_json::Value;
use tokio::time::timeout_at;

use crate::server::FRESHNESS;

pub const REFRESH: &str = "/api/v1/auth/refresh";
pub const LOGIN: &str = "/api/v1/auth/login";
pub const PROFILE: &str = "/api/v1/auth/profile";

/// How long anything but a refresh is waited for.
const PATIENCE: Duration = Duration::from_secs(5);

pub struct Browser {
    http: reqwest::Client,
    server: String,
    jar: Mutex<BTreeMap<String, String>>,
    clock: Mutex<Clock>,
}

/// The device's clock, and how far it is off the server's as far as the browser could learn.
struct Clock {
    wrong_by_ms: i64,
    /// None before the first answer.
    offset_ms: Option<i64>,
    /// The round trip of the answer that the offset was learned from: the shortest tells best.
    learned_in: Duration,
}

/// Which cookies go with a request. Only the refresh endpoint ever sees one.
pub enum Cookies {
    None,
    Jar,
    /// This one alone, from outside any jar; the answer's cookies are told and not kept.
    Only(String),
}

pub struct Ask {
    pub method: Method,
    pub path: &'static str,
    pub cookies: Cookies,
    pub bearer: Option<String>,
    pub body: Option<Value>,
}

impl Ask {
    pub fn new(method: Method, path: &'static str) -> Self {
        Self { method, path, cookies: Cookies::None, bearer: None, body: None }
    }

    pub fn refresh() -> Self {
        Self { cookies: Cookies::Jar, ..Self::new(Method::POST, REFRESH) }
    }

    pub fn refresh_with(cookie: &str) -> Self {
        Self { cookies: Cookies::Only(cookie.to_owned()), ..Self::new(Method::POST, REFRESH) }
    }

    pub fn profile(access_token: &str) -> Self {
        Self { bearer: Some(access_token.to_owned()), ..Self::new(Method::GET, PROFILE) }
    }
}

/// What came back. Whatever is not recognised is transport (protocol.md section 8).
#[derive(Debug)]
pub enum Answer {
    /// 200 or 204.
    Done(Done),
    /// One of our problems.
    Refused(Refusal),
    /// Reset, timed out, cut off, or not ours: nothing is known.
    Lost,
}

#[derive(Debug)]
pub struct Done {
    pub body: Value,
    /// The cookie that was set, as `name=value`.
    pub cookie: String,
}

#[derive(Debug)]
pub struct Refusal {
    pub status: u16,
    pub code: String,
    pub reason: String,
    pub session: String,
}

impl Refusal {
    /// The closed list of protocol.md section 8: nothing else ever signs a browser out.
    pub fn ends_session(&self) -> bool {
        let codes =
            ["session_expired", "session_revoked", "session_not_found", "no_session", "session_superseded"];
        self.status == 401 && codes.contains(&self.code.as_str())
    }

    pub fn refuses_access_token(&self) -> bool {
        self.status == 401 && self.code.starts_with("access_token_")
    }
}

/// What a sign-in and a refresh answer.
#[derive(Clone, Debug)]
pub struct SignedIn {
    pub session: String,
    pub expires_at: i64,
    pub user: String,
    pub access_token: String,
    pub cookie: String,
}

impl Done {
    pub fn signed_in(self) -> SignedIn {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        SignedIn {
            session: text(&self.body["session"]["id"]),
            expires_at: self.body["session"]["expires_at"].as_i64().unwrap_or_default(),
            user: text(&self.body["user"]["id"]),
            access_token: text(&self.body["access_token"]),
            cookie: self.cookie,
        }
    }
}

impl Browser {
    /// With a clock that is this much ahead of the truth.
    pub fn new(server: String, wrong_by_ms: i64) -> Self {
        let clock = Clock { wrong_by_ms, offset_ms: None, learned_in: Duration::MAX };
        Self {
            http: reqwest::Client::builder().no_proxy().build().unwrap(),
            server,
            jar: Mutex::default(),
            clock: Mutex::new(clock),
        }
    }

    fn jar(&self) -> MutexGuard<'_, BTreeMap<String, String>> {
        self.jar.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn clock(&self) -> MutexGuard<'_, Clock> {
        self.clock.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Every cookie, as `name=value`.
    pub fn cookies(&self) -> Vec<String> {
        self.jar().iter().map(|(name, value)| format!("{name}={value}")).collect()
    }

    /// Sends one request and waits for its answer; a refresh for F, as protocol.md section 9 demands, counted
    /// from the moment that `Tenure-Sent-At` names. An answer that comes later is not applied: to the server
    /// that is one more lost answer.
    pub async fn send(&self, ask: Ask) -> (Instant, Answer) {
        let is_refresh = ask.path == REFRESH && ask.method == Method::POST;
        let sent = crate::now();
        let deadline = sent + if is_refresh { FRESHNESS } else { PATIENCE };
        let keeps_cookies = !matches!(ask.cookies, Cookies::Only(_));
        let request = self.request(ask, is_refresh);

        let Ok(Ok(response)) = timeout_at(deadline.into(), request.send()).await else {
            return (sent, Answer::Lost);
        };
        if crate::now() > deadline {
            return (sent, Answer::Lost);
        }
        let headers = response.headers().clone();
        let status = response.status().as_u16();
        // Cookies are kept as soon as the head is there, even if the body never comes. A sign-in is the
        // exception: what was not answered whole is not in anybody's ledger.
        let early = if is_refresh { self.apply(&headers, keeps_cookies) } else { String::new() };
        let body = match timeout_at(deadline.into(), response.bytes()).await {
            Ok(Ok(body)) => body,
            _ => return (sent, Answer::Lost),
        };
        let cookie = if is_refresh { early } else { self.apply(&headers, keeps_cookies) };
        let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
        if let Some(server_time) = body["server_time"].as_i64() {
            self.learn(server_time, sent, body["code"] == "request_stale");
        }
        (sent, read(status, body, cookie))
    }

    /// Sends a request again that was lost or, by a clock not yet learned, stale: the machine may be slow.
    pub async fn answered(&self, ask: impl Fn() -> Ask) -> Answer {
        for _ in 0..20 {
            match self.send(ask()).await.1 {
                Answer::Lost => {}
                Answer::Refused(refusal) if refusal.code == "request_stale" => {}
                answer => return answer,
            }
        }
        Answer::Lost
    }

    fn request(&self, ask: Ask, is_refresh: bool) -> reqwest::RequestBuilder {
        let mut request = self.http.request(ask.method, format!("{}{}", self.server, ask.path));
        let cookies = match ask.cookies {
            Cookies::None => String::new(),
            Cookies::Jar => self.cookies().join("; "),
            Cookies::Only(cookie) => cookie,
        };
        if !cookies.is_empty() {
            request = request.header(header::COOKIE, cookies);
        }
        if is_refresh {
            request = request.header("tenure-sent-at", self.server_time());
        }
        if let Some(token) = ask.bearer {
            request = request.bearer_auth(token);
        }
        match ask.body {
            Some(body) => request.json(&body),
            None => request,
        }
    }

    /// Sets and deletes by name, if the jar is to change. Returns the cookie that was set.
    fn apply(&self, headers: &HeaderMap, keeps: bool) -> String {
        let mut set = String::new();
        for line in headers.get_all(header::SET_COOKIE).iter().filter_map(|line| line.to_str().ok()) {
            let pair = line.split(';').next().unwrap_or_default();
            let Some((name, value)) = pair.split_once('=') else { continue };
            let deleted = line.contains("Max-Age=0");
            if !deleted {
                set = pair.to_owned();
            }
            match keeps {
                true if deleted => drop(self.jar().remove(name)),
                true => drop(self.jar().insert(name.to_owned(), value.to_owned())),
                false => {}
            }
        }
        set
    }

    /// The server's time as this browser best knows it, Unix milliseconds; never a guess. Whoever does not know
    /// says 0, and is told.
    fn server_time(&self) -> i64 {
        let clock = self.clock();
        clock.offset_ms.map_or(0, |offset| unix_ms() + clock.wrong_by_ms + offset)
    }

    fn learn(&self, server_time: i64, sent: Instant, corrects: bool) {
        let round_trip = crate::now() - sent;
        let mut clock = self.clock();
        if corrects || round_trip <= clock.learned_in {
            // Behind the truth by the way back of the answer, never ahead of it.
            clock.offset_ms = Some(server_time - (unix_ms() + clock.wrong_by_ms));
            clock.learned_in = round_trip;
        }
    }
}

fn read(status: u16, body: Value, cookie: String) -> Answer {
    let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
    match status {
        200 | 204 => Answer::Done(Done { body, cookie }),
        // Ours say their status and class in the body too.
        _ if body["status"] == status && body["class"].is_string() => Answer::Refused(Refusal {
            status,
            code: text("code"),
            reason: text("reason"),
            session: text("session"),
        }),
        _ => Answer::Lost,
    }
}

#[allow(clippy::disallowed_methods)] // A browser has a clock of its own.
fn unix_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis() as i64
}
