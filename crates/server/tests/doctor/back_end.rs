//! A back end that is not ours: JSON Web Tokens as Django's simplejwt makes them, in cookies or in bodies. It does
//! everything right, and each way to do it wrong is a switch.

use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, UNIX_EPOCH};

use aws_lc_rs::hmac;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{HeaderMap, Method};
use serde_json::{Value, json};
use tenure::clock::SystemClock;
use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use crate::address;
use crate::case::{EMAIL, PASSWORD, Running};
use crate::front::APP;

/// How it behaves; by default as it should.
#[derive(Clone)]
pub struct Ways {
    /// The refresh token is in a cookie with these attributes, or, if there are none, in the body.
    pub cookie: Option<&'static str>,
    pub cookie_name: &'static str,
    /// Of the cookie of somebody who wants to be remembered; of nobody else.
    pub max_age_s: Option<i64>,
    /// More cookies that each refresh and sign-in sets, in which the refresh token may be.
    pub more_cookies: Vec<String>,
    /// Claims that nobody needs, in bytes.
    pub padding: usize,
    /// `Secure` is set only if the proxy says that the request came encrypted.
    pub secure_by_scheme: bool,
    pub rotation: Rotation,
    pub access_s: i64,
    pub refresh_s: i64,
    /// What a refresh is answered whose token is not good.
    pub refused: u16,
    /// And that answer deletes the cookie.
    pub refusal_deletes: bool,
    /// What everything is answered while its database is away.
    pub outage: u16,
    /// How far its clock is ahead.
    pub clock_s: i64,
    pub cache_control: &'static str,
    pub cors: Cors,
    /// Tokens are signed with a key that is made at the start.
    pub key_is_new: bool,
    /// Its cache is asked whether a session is alive, and what is not in it is none.
    pub sessions_in_cache: bool,
    /// An access token is handed out again as long as it is fresh.
    pub reuses_access: bool,
    /// The body of a sign-in repeats what is in the cookie.
    pub repeats_refresh: bool,
    /// Each refresh of so many comes to nothing, and is answered 504.
    pub one_lost_of: Option<usize>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Rotation {
    /// One refresh token for the whole session.
    None,
    /// The one before is served like the newest.
    Grace,
    /// The one before is refused at once: `BLACKLIST_AFTER_ROTATION`.
    Blacklist,
    /// Whoever presents the one before ends the session.
    Family,
}

/// What it lets pages of other origins do.
#[derive(Clone, Copy)]
pub struct Cors {
    pub origin: Allowed,
    pub credentials: bool,
    /// Also in what is answered to who asks for leave.
    pub credentials_beforehand: bool,
    pub headers: &'static str,
    pub vary: bool,
    pub on_errors: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Allowed {
    One(&'static str),
    Everybody,
    Star,
}

impl Default for Ways {
    fn default() -> Self {
        Self {
            cookie: Some("Path=/api/auth; HttpOnly; SameSite=Lax; Secure"),
            cookie_name: "refresh",
            max_age_s: Some(20 * DAY_S),
            more_cookies: vec![],
            padding: 0,
            secure_by_scheme: false,
            rotation: Rotation::Grace,
            access_s: 15 * 60,
            refresh_s: 20 * DAY_S,
            refused: 401,
            refusal_deletes: false,
            outage: 503,
            clock_s: 0,
            cache_control: "no-store",
            cors: Cors::default(),
            key_is_new: false,
            sessions_in_cache: false,
            reuses_access: false,
            repeats_refresh: false,
            one_lost_of: None,
        }
    }
}

impl Default for Cors {
    fn default() -> Self {
        let headers = "authorization, content-type";
        let origin = Allowed::One(APP);
        Self { origin, credentials: true, credentials_beforehand: true, headers, vary: true, on_errors: true }
    }
}

const DAY_S: i64 = 86_400;
const PORT: u16 = 8000;

pub struct BackEnd {
    address: SocketAddr,
    site: Arc<Site>,
    runtime: Handle,
    serving: Mutex<Option<JoinHandle<()>>>,
}

struct Site {
    ways: Ways,
    state: Mutex<Sessions>,
}

struct Sessions {
    key: hmac::Key,
    /// The generation of each that is alive.
    living: HashMap<u64, u64>,
    cached: HashSet<u64>,
    next: u64,
    store_is_down: bool,
    cache_is_down: bool,
    refreshes: usize,
    /// The access token of each, for who hands one out again.
    access: HashMap<u64, String>,
}

struct Answer {
    status: u16,
    body: Value,
    cookies: Vec<String>,
}

// === impl BackEnd ===

impl BackEnd {
    pub fn start(ways: Ways, runtime: &Handle) -> Self {
        let state = Sessions {
            key: key(0),
            living: HashMap::new(),
            cached: HashSet::new(),
            next: 1,
            store_is_down: false,
            cache_is_down: false,
            refreshes: 0,
            access: HashMap::new(),
        };
        let site = Arc::new(Site { ways, state: Mutex::new(state) });
        let address = (address::unused(), PORT).into();
        let back_end = Self { address, site, runtime: runtime.clone(), serving: Mutex::default() };
        back_end.serve();
        back_end
    }

    fn serve(&self) {
        let listener = self.runtime.block_on(TcpListener::bind(self.address)).unwrap();
        let answer =
            |State(site): State<Arc<Site>>, request: Request| async move { site.answer(request).await };
        let router = axum::Router::new().fallback(answer).with_state(Arc::clone(&self.site));
        let serving = self.runtime.spawn(async { axum::serve(listener, router).await.unwrap() });
        *self.serving.lock().unwrap() = Some(serving);
    }
}

impl Running for BackEnd {
    fn addresses(&self) -> &[SocketAddr] {
        std::slice::from_ref(&self.address)
    }

    fn open_sessions(&self) -> usize {
        self.site.state.lock().unwrap().living.len()
    }

    fn hook(&self, name: &str) {
        let mut state = self.site.state.lock().unwrap();
        match name {
            // Connections that are there end with their one answer.
            "store_down" | "store_up" => state.store_is_down = name == "store_down",
            "cache_down" => (state.cache_is_down, state.cached) = (true, HashSet::new()),
            "cache_up" => state.cache_is_down = false,
            "stop" => {
                let serving = self.serving.lock().unwrap().take().unwrap();
                serving.abort();
                // Until then it listens.
                assert!(self.runtime.block_on(serving).unwrap_err().is_cancelled());
            }
            "start" => {
                if self.site.ways.key_is_new {
                    state.key = key(state.next);
                }
                drop(state);
                self.serve();
            }
            other => panic!("there is no hook {other}"),
        }
    }
}

fn key(number: u64) -> hmac::Key {
    hmac::Key::new(
        hmac::HMAC_SHA256,
        format!("only for a test on the loopback interface {number}").as_bytes(),
    )
}

// === impl Site ===

impl Site {
    async fn answer(&self, request: Request) -> Response {
        let (head, body) = request.into_parts();
        let body = axum::body::to_bytes(body, 1 << 20).await.unwrap_or_default();
        let body = serde_json::from_slice(&body).unwrap_or_default();
        let is_preflight =
            head.method == Method::OPTIONS && head.headers.contains_key("access-control-request-method");
        let store_is_down = self.state.lock().unwrap().store_is_down;
        let answer = match (head.method.as_str(), head.uri.path()) {
            _ if is_preflight => Answer::of(204, Value::Null),
            _ if store_is_down => Answer::of(self.ways.outage, json!({ "code": "unavailable" })),
            ("POST", "/api/auth/login") => self.login(&head.headers, &body),
            ("POST", "/api/auth/refresh") => self.refresh(&head.headers, &body),
            ("POST", "/api/auth/logout") => self.logout(&head.headers, &body),
            ("GET", "/api/me") => self.me(&head.headers),
            ("GET", "/api/admin") => match self.me(&head.headers) {
                Answer { status: 200, .. } => Answer::of(403, json!({ "code": "permission_missing" })),
                refused => refused,
            },
            _ => Answer::of(404, json!({ "code": "not_found" })),
        };
        self.dressed(answer, &head.headers, is_preflight)
    }

    fn dressed(&self, answer: Answer, headers: &HeaderMap, is_preflight: bool) -> Response {
        let cors = self.ways.cors;
        let mut response = Response::builder().status(answer.status);
        response = response.header("content-type", "application/json");
        if !self.ways.cache_control.is_empty() {
            response = response.header("cache-control", self.ways.cache_control);
        }
        if self.ways.clock_s != 0 {
            let date = UNIX_EPOCH + Duration::from_secs(self.now_s().unsigned_abs());
            response = response.header("date", httpdate::fmt_http_date(date));
        }
        for cookie in &answer.cookies {
            response = response.header("set-cookie", cookie);
        }
        if cors.vary {
            response = response.header("vary", "Origin");
        }
        let origin = text(headers, "origin");
        let allowed = match cors.origin {
            Allowed::One(one) => Some(one).filter(|one| *one == origin),
            Allowed::Everybody => Some(origin).filter(|origin| !origin.is_empty()),
            Allowed::Star => Some("*"),
        };
        if let Some(allowed) = allowed.filter(|_| cors.on_errors || answer.status < 400) {
            response = response.header("access-control-allow-origin", allowed);
            if cors.credentials && (cors.credentials_beforehand || !is_preflight) {
                response = response.header("access-control-allow-credentials", "true");
            }
            if is_preflight {
                response = response.header("access-control-allow-methods", "GET, POST, DELETE");
                response = response.header("access-control-allow-headers", cors.headers);
                response = response.header("access-control-max-age", "600");
            }
        }
        let body = if answer.body.is_null() { String::new() } else { answer.body.to_string() };
        response.body(Body::from(body)).unwrap()
    }

    fn login(&self, headers: &HeaderMap, body: &Value) -> Answer {
        if (&body["email"], &body["password"]) != (&json!(EMAIL), &json!(PASSWORD)) {
            return Answer::of(401, json!({ "code": "credentials_wrong" }));
        }
        let mut state = self.state.lock().unwrap();
        let session = state.next;
        state.next += 1;
        state.living.insert(session, 0);
        state.cached.insert(session);
        let mut answer = self.handed(&mut state, session, body["remember"] == true, headers);
        if self.ways.repeats_refresh {
            let (_, cookie) = answer.cookies[0].split_once('=').unwrap();
            answer.body["refresh"] = cookie.split(';').next().into();
        }
        answer
    }

    fn refresh(&self, headers: &HeaderMap, body: &Value) -> Answer {
        let mut state = self.state.lock().unwrap();
        state.refreshes += 1;
        if self.ways.one_lost_of.is_some_and(|of| state.refreshes.is_multiple_of(of)) {
            return Answer::of(504, Value::Null);
        }
        let cookies = if self.ways.refusal_deletes { self.deletion() } else { vec![] };
        let refused =
            Answer { status: self.ways.refused, body: json!({ "code": "token_not_valid" }), cookies };
        let presented = self.presented(&state, headers, body);
        let Some((session, generation, is_remembered)) = presented else { return refused };
        if self.ways.sessions_in_cache && (state.cache_is_down || !state.cached.contains(&session)) {
            return refused;
        }
        let Some(current) = state.living.get_mut(&session) else { return refused };
        match (self.ways.rotation, *current - generation) {
            (Rotation::None, _) | (Rotation::Grace, 1) => {}
            (_, 0) => *current += 1,
            // The session goes on with the newest token, and this one is too old to be answered with that.
            (Rotation::Grace, _) => return Answer::of(409, json!({ "code": "token_superseded" })),
            (Rotation::Blacklist, _) => return refused,
            (Rotation::Family, _) => {
                state.living.remove(&session);
                return refused;
            }
        }
        self.handed(&mut state, session, is_remembered, headers)
    }

    fn me(&self, headers: &HeaderMap) -> Answer {
        let state = self.state.lock().unwrap();
        let bearer = text(headers, "authorization").strip_prefix("Bearer ").unwrap_or_default();
        let claims = state.claims(bearer).filter(|claims| claims["token_type"] == "access");
        match claims.filter(|claims| claims["exp"].as_i64() > Some(self.now_s())) {
            Some(_) => Answer::of(200, json!({ "email": EMAIL })),
            None => Answer::of(401, json!({ "code": "token_not_valid" })),
        }
    }

    fn logout(&self, headers: &HeaderMap, body: &Value) -> Answer {
        let mut state = self.state.lock().unwrap();
        if let Some((session, ..)) = self.presented(&state, headers, body) {
            state.living.remove(&session);
        }
        Answer { status: 200, body: json!({}), cookies: self.deletion() }
    }

    fn deletion(&self) -> Vec<String> {
        let named = |attributes| format!("{}=; {attributes}; Max-Age=0", self.ways.cookie_name);
        self.ways.cookie.map(named).into_iter().collect()
    }

    /// Session, generation, and whether its owner is to be remembered.
    fn presented(&self, state: &Sessions, headers: &HeaderMap, body: &Value) -> Option<(u64, u64, bool)> {
        let name = format!("{}=", self.ways.cookie_name);
        let token = match self.ways.cookie {
            Some(_) => text(headers, "cookie").split("; ").find_map(|pair| pair.strip_prefix(&name))?,
            None => body["refresh"].as_str()?,
        };
        let claims = state.claims(token).filter(|claims| claims["token_type"] == "refresh")?;
        let is_remembered = claims["remembered"] == true;
        Some((claims["sid"].as_u64()?, claims["generation"].as_u64()?, is_remembered))
    }

    fn handed(&self, state: &mut Sessions, session: u64, is_remembered: bool, headers: &HeaderMap) -> Answer {
        let ways = &self.ways;
        let generation = state.living[&session];
        let now_s = self.now_s();
        let refresh = state.token(&json!({
            "token_type": "refresh", "iat": now_s, "exp": now_s + ways.refresh_s, "sid": session,
            "generation": generation, "remembered": is_remembered, "padding": "x".repeat(ways.padding),
        }));
        let access = state.token(&json!({
            "token_type": "access", "iat": now_s, "exp": now_s + ways.access_s, "sid": session, "user": EMAIL,
        }));
        let access = match ways.reuses_access {
            true => state.access.entry(session).or_insert(access).clone(),
            false => access,
        };
        let Some(attributes) = ways.cookie else {
            return Answer::of(200, json!({ "access": access, "refresh": refresh }));
        };
        let mut cookie = format!("{}={refresh}; {attributes}", ways.cookie_name);
        if ways.secure_by_scheme && text(headers, "x-forwarded-proto") == "https" {
            cookie += "; Secure";
        }
        if let Some(age_s) = ways.max_age_s.filter(|_| is_remembered) {
            cookie += &format!("; Max-Age={age_s}");
        }
        let more = ways.more_cookies.iter().map(|more| more.replace("{token}", &refresh));
        let cookies = more.chain([cookie]).collect();
        Answer { status: 200, body: json!({ "access": access }), cookies }
    }

    fn now_s(&self) -> i64 {
        SystemClock.now().as_ms() / 1000 + self.ways.clock_s
    }
}

// === impl Sessions ===

impl Sessions {
    fn token(&self, claims: &Value) -> String {
        let [header, claims] = [json!({ "alg": "HS256", "typ": "JWT" }).to_string(), claims.to_string()]
            .map(|part| URL_SAFE_NO_PAD.encode(part));
        let signed = format!("{header}.{claims}");
        let signature = hmac::sign(&self.key, signed.as_bytes());
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    /// What a token says, if we have signed it.
    fn claims(&self, token: &str) -> Option<Value> {
        let (signed, signature) = token.rsplit_once('.')?;
        hmac::verify(&self.key, signed.as_bytes(), &URL_SAFE_NO_PAD.decode(signature).ok()?).ok()?;
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(signed.split_once('.')?.1).ok()?).ok()
    }
}

impl Answer {
    fn of(status: u16, body: Value) -> Self {
        Self { status, body, cookies: vec![] }
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}
