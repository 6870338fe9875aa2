//! A small back end that does everything right, and the same with one fault planted.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::response::Response;
use futures_util::stream;
use http::{HeaderMap, Method, header};
use serde_json::json;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::time::Instant;

use super::PAGES;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    None,
    /// As a middleware does that signs out whoever may not do something.
    EndsAt403,
    GarbageIs500,
    NoGrace,
    /// One token presented twice ends every session of that person.
    ReuseEndsAll,
    HtmlErrors,
    TokensMayBeStored,
    RefreshWithoutToken,
    Hangs,
    RedirectsAway,
    HangsUp,
    Endless,
    AnyoneIsServed,
    ExpiredIs403,
    ShortCookie,
    SessionCookie,
    ReadableCookie,
    LogoutEndsAll,
    LogoutEndsNothing,
    OneSession,
    SignatureIsIgnored,
    NoCorsOnErrors,
    ReflectsOrigins,
    ForgeryEndsSession,
    BoundToAgent,
    LimitIs401,
    WrongClock,
    RefreshKillsAccess,
    SuspensionIs401,
    SuspensionEndsSession,
    OutageIs401,
    FirstIsServedAsSecond,
    SecondIsServedAsFirst,
    /// Nobody looks at the session where calls are answered, and whatever asks for leave ends all of them.
    PreflightEndsSessions,
    /// No fault: a refused call is handed the session's cookie under another value.
    CookieAnewAt401,
    CookieEmptiedAt401,
    SecureCookie,
    CallLimitIs403,
}

#[derive(Default)]
pub struct Sessions {
    next: u64,
    /// By number: who it is, the agent of its browser, and its generation.
    pub living: HashMap<u64, (String, String, u64)>,
    access: HashMap<String, (u64, Instant)>,
    /// How often each was refreshed.
    refreshes: HashMap<u64, u32>,
    pub is_suspended: bool,
    is_down: bool,
    /// Answers 429 to so many sign-ins more.
    pub busy: u32,
    /// Answers 429 to so many more who are not known.
    pub limited: u32,
    calls: HashMap<u64, u32>,
}

pub struct Planted {
    fault: Fault,
    access_life: Duration,
    elsewhere: SocketAddr,
    pub sessions: Mutex<Sessions>,
}

impl Sessions {
    fn unknown(&mut self) -> Answer {
        let is_limited = self.limited > 0;
        self.limited = self.limited.saturating_sub(1);
        refused(if is_limited { 429 } else { 401 })
    }
}

pub const PROFILE: &str = r#"
name = "planted"
origin = "http://pages.example"
signs_out = [401]
login = { url = "/login", json = { email = "{email}", password = "{password}", remember = "{remember}" }, access = "json:/access", refresh = "cookie:r" }
refresh = { url = "/refresh", access = "json:/access" }
api = { url = "/me", headers = { Authorization = "Bearer {access}" } }
logout = { url = "/logout" }
forbidden = { url = "/admin", headers = { Authorization = "Bearer {access}" } }
promises = { remembered_lifetime = "20d", short_lifetime = "24h" }
[hooks]
suspend = { call = { url = "/suspend" } }
activate = { call = { url = "/activate" } }
store_down = { call = { url = "/down" } }
store_up = { call = { url = "/up" } }
"#;

struct Answer(u16, serde_json::Value, Option<String>);

impl Planted {
    async fn answer(self: Arc<Self>, request: Request) -> Response {
        let (head, body) = request.into_parts();
        let body = axum::body::to_bytes(body, 1 << 20).await.unwrap_or_default();
        let is_refresh = head.uri.path() == "/refresh" && head.method == Method::POST;
        match self.fault {
            Fault::Hangs if is_refresh => std::future::pending().await,
            Fault::RedirectsAway if is_refresh => {
                let to = format!("http://{}/refresh", self.elsewhere);
                return Response::builder()
                    .status(307)
                    .header(header::LOCATION, to)
                    .body(Body::empty())
                    .unwrap();
            }
            Fault::HangsUp if is_refresh => {
                let torn = [Ok(Bytes::from("{")), Err(std::io::Error::other("torn"))];
                return Response::new(Body::from_stream(stream::iter(torn)));
            }
            Fault::Endless if is_refresh => {
                let endless =
                    stream::repeat_with(|| Ok::<_, std::io::Error>(Bytes::from_static(&[b'x'; 8192])));
                return Response::new(Body::from_stream(endless));
            }
            _ => {}
        }
        let (is_suspended, is_down) = {
            let sessions = self.sessions.lock().unwrap();
            (sessions.is_suspended, sessions.is_down)
        };
        let answer = match (&head.method, head.uri.path()) {
            (_, hook @ ("/suspend" | "/activate" | "/down" | "/up")) => self.hook(hook),
            _ if is_down => refused(if self.fault == Fault::OutageIs401 { 401 } else { 503 }),
            (_, "/me") if is_suspended && self.session_of(&head.headers).is_ok() => {
                refused(if self.fault == Fault::SuspensionIs401 { 401 } else { 403 })
            }
            (&Method::OPTIONS, _) if self.fault == Fault::PreflightEndsSessions => {
                self.sessions.lock().unwrap().living.clear();
                Answer(204, json!(null), None)
            }
            (&Method::OPTIONS, _) => Answer(204, json!(null), None),
            (_, "/login") => self.login(&head.headers, &body),
            (_, "/refresh") => self.refresh(&head.headers),
            (_, "/me" | "/me/ada%40example.com") => self.me(&head.headers),
            (_, "/admin") => self.admin(&head.headers),
            _ => self.logout(&head.headers),
        };
        self.dressed(answer, text(&head.headers, "origin"))
    }

    fn dressed(&self, Answer(status, body, cookie): Answer, origin: &str) -> Response {
        let mut response = Response::builder().status(status);
        let is_error = status >= 400;
        if status != 204 || !is_error {
            let is_html = is_error && self.fault == Fault::HtmlErrors;
            response =
                response.header("content-type", if is_html { "text/html" } else { "application/json" });
        }
        if self.fault != Fault::TokensMayBeStored {
            response = response.header("cache-control", "no-store");
        }
        if self.fault == Fault::WrongClock {
            response = response.header("date", "Sun, 06 Nov 1994 08:49:37 GMT");
        }
        if status == 429 {
            response = response.header("retry-after", "1");
        }
        let is_ours = origin == PAGES && !(is_error && self.fault == Fault::NoCorsOnErrors);
        if is_ours || self.fault == Fault::ReflectsOrigins {
            response = response.header("access-control-allow-origin", origin);
            response = response.header("access-control-allow-credentials", "true");
        }
        if let Some(cookie) = cookie {
            response = response.header("set-cookie", cookie);
        }
        response.body(Body::from(body.to_string())).unwrap()
    }

    fn login(&self, headers: &HeaderMap, body: &[u8]) -> Answer {
        let body: serde_json::Value = serde_json::from_slice(body).unwrap();
        let mut sessions = self.sessions.lock().unwrap();
        if sessions.busy > 0 {
            sessions.busy -= 1;
            return refused(429);
        }
        let who = body["email"].as_str().unwrap().to_owned();
        if body["password"] != "correct horse" {
            return refused(401);
        }
        if self.fault == Fault::OneSession {
            sessions.living.retain(|_, (other, ..)| *other != who);
        }
        sessions.next += 1;
        let session = sessions.next;
        sessions.living.insert(session, (who, text(headers, "user-agent").to_owned(), 0));
        self.handed(&mut sessions, session, body["remember"] == true)
    }

    fn handed(&self, sessions: &mut Sessions, session: u64, remembered: bool) -> Answer {
        let generation = sessions.living[&session].2;
        if self.fault == Fault::RefreshKillsAccess {
            sessions.access.retain(|_, (of, _)| *of != session);
        }
        sessions.next += 1;
        let access = format!("token-a-{session}-{}-signed---", sessions.next);
        sessions.access.insert(access.clone(), (session, Instant::now()));
        let age = match self.fault {
            Fault::ShortCookie => "; Max-Age=86400",
            Fault::SessionCookie => "",
            _ if remembered => "; Max-Age=1728000",
            _ => "",
        };
        let http_only = if self.fault == Fault::ReadableCookie { "" } else { "; HttpOnly" };
        let secure = if self.fault == Fault::SecureCookie { "; Secure" } else { "" };
        let cookie = format!(
            "r=token-r-{session}-{generation}-signed---; Path=/; SameSite=Lax{http_only}{age}{secure}"
        );
        let body = match self.fault {
            Fault::RefreshWithoutToken if sessions.refreshes.contains_key(&session) => json!({}),
            _ => json!({ "access": access }),
        };
        Answer(200, body, Some(cookie))
    }

    fn refresh(&self, headers: &HeaderMap) -> Answer {
        let mut sessions = self.sessions.lock().unwrap();
        let deletion = || Some("r=; Path=/; Max-Age=0".to_owned());
        if !matches!(text(headers, "origin"), "" | PAGES) {
            let ends = self.fault == Fault::ForgeryEndsSession;
            return Answer(403, json!({ "code": "foreign_origin" }), ends.then(deletion).flatten());
        }
        let cookie = text(headers, "cookie").split("; ").find_map(|pair| pair.strip_prefix("r="));
        let Some(token) = cookie else { return sessions.unknown() };
        let mut parts = token.strip_prefix("token-r-").unwrap_or_default().split('-');
        let numbers =
            (parts.next().and_then(|n| n.parse().ok()), parts.next().and_then(|n| n.parse::<u64>().ok()));
        let ((Some(session), Some(generation)), true) = (numbers, token.ends_with("-signed---")) else {
            return refused(if self.fault == Fault::GarbageIs500 { 500 } else { 401 });
        };
        let Some((who, agent, current)) = sessions.living.get(&session).cloned() else {
            return sessions.unknown();
        };
        if self.fault == Fault::BoundToAgent && agent != text(headers, "user-agent") {
            sessions.living.remove(&session);
            return refused(401);
        }
        let refreshes = sessions.refreshes.entry(session).or_default();
        *refreshes += 1;
        if self.fault == Fault::LimitIs401 && *refreshes > 49 {
            return refused(401);
        }
        match current - generation {
            0 => sessions.living.get_mut(&session).unwrap().2 += 1,
            _ if self.fault == Fault::NoGrace => return refused(401),
            _ if self.fault == Fault::ReuseEndsAll => {
                sessions.living.retain(|_, (other, ..)| *other != who);
                return refused(401);
            }
            1 => {}
            _ => return refused(409),
        }
        self.handed(&mut sessions, session, true)
    }

    fn session_of(&self, headers: &HeaderMap) -> Result<u64, Answer> {
        let mut sessions = self.sessions.lock().unwrap();
        let token = text(headers, "authorization").strip_prefix("Bearer ").unwrap_or_default();
        if self.fault == Fault::AnyoneIsServed {
            return Ok(0);
        }
        // Anything in place of the signature will do.
        let by_claims = || {
            sessions
                .access
                .keys()
                .find(|known| known[..known.len() - 10] == token[..token.len().saturating_sub(10)])
        };
        let known = match self.fault {
            Fault::SignatureIsIgnored => by_claims().and_then(|known| sessions.access.get(known)),
            _ => sessions.access.get(token),
        };
        let Some((session, at)) = known.copied() else { return Err(sessions.unknown()) };
        if at.elapsed() > self.access_life {
            return Err(refused(if self.fault == Fault::ExpiredIs403 { 403 } else { 401 }));
        }
        let is_looked_up = self.fault != Fault::PreflightEndsSessions;
        if !is_looked_up || sessions.living.contains_key(&session) { Ok(session) } else { Err(refused(401)) }
    }

    fn hook(&self, name: &str) -> Answer {
        let mut sessions = self.sessions.lock().unwrap();
        match name {
            "/suspend" if self.fault == Fault::SuspensionEndsSession => sessions.living.clear(),
            "/suspend" | "/activate" => sessions.is_suspended = name == "/suspend",
            _ => sessions.is_down = name == "/down",
        }
        Answer(200, json!({}), None)
    }

    fn me(&self, headers: &HeaderMap) -> Answer {
        match self.session_of(headers) {
            Ok(session) => self.served(session),
            Err(Answer(status, body, _)) => Answer(status, body, self.at_401(headers)),
        }
    }

    fn served(&self, session: u64) -> Answer {
        let mut sessions = self.sessions.lock().unwrap();
        let calls = sessions.calls.entry(session).or_default();
        *calls += 1;
        if self.fault == Fault::CallLimitIs403 && *calls > 40 {
            return refused(403);
        }
        let who = sessions.living.get(&session).map(|(who, ..)| who.as_str());
        let both = sessions.living.values().any(|(who, ..)| who.starts_with("bob"));
        let told = match (self.fault, who) {
            (Fault::FirstIsServedAsSecond, Some(_)) if both => Some("bob@example.com"),
            (Fault::SecondIsServedAsFirst, Some(_)) => Some("ada@example.com"),
            _ => who,
        };
        Answer(200, json!({ "who": told }), None)
    }

    fn at_401(&self, headers: &HeaderMap) -> Option<String> {
        let cookie = text(headers, "cookie").split("; ").find(|pair| pair.starts_with("r="))?;
        match self.fault {
            Fault::CookieAnewAt401 => Some(format!("{cookie}-anew; Path=/")),
            Fault::CookieEmptiedAt401 => Some("r=; Path=/".into()),
            _ => None,
        }
    }

    fn admin(&self, headers: &HeaderMap) -> Answer {
        match self.session_of(headers) {
            Ok(session) if self.fault == Fault::EndsAt403 => {
                self.sessions.lock().unwrap().living.remove(&session);
                refused(403)
            }
            Ok(_) => refused(403),
            Err(answer) => answer,
        }
    }

    fn logout(&self, headers: &HeaderMap) -> Answer {
        let cookie = text(headers, "cookie").split("; ").find_map(|pair| pair.strip_prefix("r=token-r-"));
        let session = cookie.and_then(|rest| rest.split('-').next()?.parse::<u64>().ok());
        let mut sessions = self.sessions.lock().unwrap();
        match self.fault {
            Fault::LogoutEndsNothing => {}
            Fault::LogoutEndsAll => sessions.living.clear(),
            _ => drop(session.and_then(|session| sessions.living.remove(&session))),
        }
        Answer(200, json!({}), Some("r=; Path=/; Max-Age=0".into()))
    }
}

fn refused(status: u16) -> Answer {
    Answer(status, json!({ "code": "refused" }), None)
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

/// A server with a runtime of its own, so that the test may wait for a process.
pub struct Running {
    pub planted: Arc<Planted>,
    pub url: String,
    /// Requests that came to the other host.
    pub strays: Arc<AtomicU32>,
    _runtime: Runtime,
}

pub fn start(fault: Fault, access_life: Duration) -> Running {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let bind = || runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
    let (listener, other) = (bind(), bind());
    let url = format!("http://{}", listener.local_addr().unwrap());
    let elsewhere = other.local_addr().unwrap();
    let planted = Arc::new(Planted { fault, access_life, elsewhere, sessions: Mutex::default() });
    let answer = |State(planted): State<Arc<Planted>>, request: Request| planted.answer(request);
    let router = axum::Router::new().fallback(answer).with_state(Arc::clone(&planted));
    runtime.spawn(async { axum::serve(listener, router).await });
    let strays = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&strays);
    runtime.spawn(async move {
        while other.accept().await.is_ok() {
            counted.fetch_add(1, Ordering::SeqCst);
        }
    });
    Running { planted, url, strays, _runtime: runtime }
}

pub fn planted(fault: Fault) -> Running {
    start(fault, Duration::from_secs(3600))
}
