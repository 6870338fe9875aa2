//! An honest client: does what protocol.md sections 8 and 9 say, and holds the server to every answer.
//!
//! Its time runs as fast as the server's constants do: backoffs are a fifteenth of those in production, as F
//! is 1 s instead of 15 s.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use http::Method;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::browser::{Answer, Ask, Browser, Cookies, LOGIN, REFRESH, Refusal, SignedIn};
use crate::ledger::{Fact, Ledger, SIGNED_OUT};
use crate::random::Random;

pub const PASSWORD: &str = "correct horse battery staple";

/// Sign-ins of one user; the command line lists at most 200 sessions of one.
const SIGN_INS_PER_USER: u32 = 120;

/// How a client lives.
#[derive(Clone, Copy, Debug)]
pub struct Habits {
    /// Never signs out, and nobody may end its session: it must outlive everything.
    pub keeps: bool,
    /// Tabs that refresh at once, without a lock, with the same jar.
    pub tabs: usize,
    /// Names its browser profile when it signs in, which ends the profile's earlier session.
    pub names_device: bool,
    /// Between two actions, up to this long.
    pub rest_ms: u64,
    /// How far its clock is ahead of the truth.
    pub clock_wrong_by_ms: i64,
}

impl Habits {
    /// Of one of many: every habit occurs among the first few.
    pub fn of(number: usize, random: &mut Random) -> Self {
        let day = 86_400_000;
        Self {
            keeps: number.is_multiple_of(3),
            tabs: [1, 1, 2, 4][number / 3 % 4],
            names_device: number % 5 == 1,
            rest_ms: [150, 600, 2_000, 6_000][number % 4],
            clock_wrong_by_ms: if number % 2 == 1 { random.below(2 * day) as i64 - day as i64 } else { 0 },
        }
    }
}

pub struct Client {
    pub number: usize,
    pub habits: Habits,
    pub browser: Browser,
    pub ledger: Arc<Ledger>,
    state: Mutex<State>,
    stop: Arc<AtomicBool>,
}

struct State {
    random: Random,
    email: String,
    users: u32,
    sign_ins: u32,
    current: Option<SignedIn>,
}

impl Client {
    pub fn new(number: usize, server: String, ledger: Arc<Ledger>, seed: u64, stop: Arc<AtomicBool>) -> Self {
        let mut random = Random::of_one(seed, "client", number);
        let habits = Habits::of(number, &mut random);
        let browser = Browser::new(server, habits.clock_wrong_by_ms);
        let state = State { random, email: String::new(), users: 0, sign_ins: 0, current: None };
        Self { number, habits, browser, ledger, state: Mutex::new(state), stop }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn current(&self) -> Option<SignedIn> {
        self.state().current.clone()
    }

    /// Lives until told to stop, and finishes what it was doing.
    pub async fn live(self: Arc<Self>) {
        while !self.stop.load(Ordering::Relaxed) {
            if self.current().is_none() {
                self.sign_in().await;
            }
            let roll = self.state().random.below(100);
            match roll {
                0..60 => self.refresh_in_all_tabs().await,
                60..84 => self.look_at_profile().await,
                84..88 => self.abandon_a_refresh(),
                _ if self.habits.keeps => {}
                88..94 => self.sign_out_by_jar().await,
                94..97 => self.sign_out_by_token().await,
                _ if self.browser.cookies().len() > 5 => {} // The server looks at eight.
                _ => {
                    // Signs in again over a session that it has, while that one is being refreshed.
                    self.abandon_a_refresh();
                    self.sign_in().await;
                }
            }
            let rest = self.state().random.ms(0, self.habits.rest_ms);
            sleep(rest).await;
        }
    }

    pub async fn sign_in(&self) {
        let device = self.habits.names_device.then(|| format!("device-{}", self.number));
        let (email, remember_me) = self.credentials();
        let mut body = json!({ "email": email, "password": PASSWORD, "remember_me": remember_me });
        body["device_id"] = device.clone().map_or(Value::Null, Value::String);
        let mut retry = Retry::new(self, "sign-in");
        loop {
            if let Some(device) = &device {
                self.ledger.may_replace_on(self.number, device);
            }
            let ask = Ask { body: Some(body.clone()), ..Ask::new(Method::POST, LOGIN) };
            match self.browser.send(ask).await.1 {
                Answer::Done(done) => {
                    let answer = done.signed_in();
                    self.ledger.signed_in(self.number, device.as_deref(), &answer);
                    self.state().current = Some(answer);
                    return;
                }
                // Registered under way, or not at all: the answer may have been lost.
                Answer::Refused(refusal) if refusal.code == "invalid_credentials" => {
                    self.register(&email).await;
                }
                Answer::Refused(refusal) => self.expect_transport(&refusal, "a sign-in"),
                Answer::Lost => {}
            }
            retry.wait().await;
        }
    }

    /// Creates the user. If it also signs in, nobody takes the cookie: like every sign-in whose answer is
    /// lost, that session stays behind.
    async fn register(&self, email: &str) {
        let body = json!({ "email": email, "password": PASSWORD, "name": "Chaos" });
        let ask = Ask {
            cookies: Cookies::Only(String::new()),
            body: Some(body),
            ..Ask::new(Method::POST, "/api/v1/auth/register")
        };
        match self.browser.send(ask).await.1 {
            Answer::Refused(refusal) if refusal.code != "email_taken" => {
                self.expect_transport(&refusal, "a registration");
            }
            _ => {}
        }
    }

    fn credentials(&self) -> (String, bool) {
        let mut state = self.state();
        if state.sign_ins.is_multiple_of(SIGN_INS_PER_USER) {
            state.users += 1;
            state.email = format!("client-{}-{}@tenure.example", self.number, state.users);
        }
        state.sign_ins += 1;
        let remember_me = self.habits.keeps || state.random.chance(70);
        (state.email.clone(), remember_me)
    }

    async fn refresh_in_all_tabs(self: &Arc<Self>) {
        let mut tabs = JoinSet::new();
        for _ in 0..self.habits.tabs {
            tabs.spawn(Arc::clone(self).refresh());
        }
        tabs.join_all().await;
    }

    /// Refreshes until the server has said something of the session.
    pub async fn refresh(self: Arc<Self>) {
        let mut retry = Retry::new(&self, "refresh");
        while !self.browser.cookies().is_empty() {
            let (sent, answer) = self.browser.send(Ask::refresh()).await;
            match answer {
                Answer::Done(done) => {
                    let answer = done.signed_in();
                    self.ledger.refreshed(self.number, sent, &answer);
                    self.state().current = Some(answer);
                    return;
                }
                Answer::Refused(refusal) if refusal.ends_session() => {
                    self.ledger.told_of_end(self.number, &refusal.session, self.reason(&refusal));
                    break;
                }
                Answer::Refused(refusal) if refusal.code == "request_stale" => {
                    self.ledger.count(|counts| counts.stale += 1);
                }
                Answer::Refused(refusal) => self.expect_transport(&refusal, "a refresh"),
                Answer::Lost => self.ledger.count(|counts| counts.lost_answers += 1),
            }
            retry.wait().await;
        }
        self.state().current = None;
    }

    fn reason<'a>(&self, refusal: &'a Refusal) -> &'a str {
        if refusal.code == "session_revoked" { &refusal.reason } else { &refusal.code }
    }

    /// Sends a refresh and goes away: it reaches the server whenever it does, and its answer nobody.
    fn abandon_a_refresh(self: &Arc<Self>) {
        let patience = self.state().random.ms(1, 40);
        let client = Arc::clone(self);
        tokio::spawn(async move {
            let asking = client.browser.send(Ask::refresh());
            let _ = tokio::time::timeout(patience, asking).await;
        });
    }

    async fn look_at_profile(self: &Arc<Self>) {
        let Some(current) = self.current() else { return };
        let mut retry = Retry::new(self, "profile");
        loop {
            let (sent, answer) = self.browser.send(Ask::profile(&current.access_token)).await;
            match answer {
                Answer::Done(done) => {
                    self.ledger.count(|counts| counts.profiles += 1);
                    self.assert_not_ended_before(sent, &current);
                    if done.body["id"] != current.user.as_str() {
                        self.ledger.violation(&current.session, "the profile of another user");
                    }
                    return;
                }
                // Never a sign-out: the refresh will tell.
                Answer::Refused(refusal) if refusal.refuses_access_token() => {
                    return Arc::clone(self).refresh().await;
                }
                Answer::Refused(refusal) => self.expect_transport(&refusal, "a profile"),
                Answer::Lost => {}
            }
            retry.wait().await;
        }
    }

    fn assert_not_ended_before(&self, sent: Instant, current: &SignedIn) {
        let ended = self.ledger.fact(&current.session).and_then(|fact| fact.ended);
        if ended.is_some_and(|ended| ended + self.ledger.promise.staleness < sent) {
            self.ledger
                .violation(&current.session, "REVIVED: an access token worked after its session's end");
        }
    }

    /// Ends every session in the jar.
    async fn sign_out_by_jar(self: &Arc<Self>) {
        // Refreshes under way are outdated by a sign-out, and may reach the server at any time.
        self.abandon_a_refresh();
        let in_jar = self.sessions_in_jar();
        for session in &in_jar {
            self.ledger.may_end(self.number, session, SIGNED_OUT);
        }
        let ask = || Ask { cookies: Cookies::Jar, ..Ask::new(Method::DELETE, REFRESH) };
        self.until_done("sign-out by jar", ask).await;
        self.assert_signed_out(&in_jar).await;
    }

    /// Ends the session of the access token.
    async fn sign_out_by_token(self: &Arc<Self>) {
        while let Some(SignedIn { session, access_token, .. }) = self.current() {
            self.ledger.may_end(self.number, &session, SIGNED_OUT);
            let ask = || Ask {
                bearer: Some(access_token.clone()),
                ..Ask::new(Method::POST, "/api/v1/auth/logout")
            };
            if self.until_done("sign-out by token", ask).await {
                return self.assert_signed_out(&[session]).await;
            }
            // Its key has been retired: a refresh replaces the token.
            Arc::clone(self).refresh().await;
        }
    }

    /// False if an access token was refused.
    async fn until_done(&self, what: &'static str, ask: impl Fn() -> Ask) -> bool {
        let mut retry = Retry::new(self, what);
        loop {
            match self.browser.send(ask()).await.1 {
                Answer::Done(_) => return true,
                Answer::Refused(refusal) if refusal.refuses_access_token() => return false,
                Answer::Refused(refusal) => self.expect_transport(&refusal, what),
                Answer::Lost => {}
            }
            retry.wait().await;
        }
    }

    /// Right after the 204, and for ever after.
    async fn assert_signed_out(&self, sessions: &[String]) {
        self.state().current = None;
        for session in sessions {
            self.ledger.ended(self.number, session);
        }
        for session in sessions {
            assert_refused(self.number, &self.browser, &self.ledger, session).await;
        }
    }

    /// The sessions that the jar's cookies name, as far as they were ever answered to this client.
    fn sessions_in_jar(&self) -> Vec<String> {
        let names: Vec<_> = self.browser.cookies().iter().map(|cookie| name_of(cookie).to_owned()).collect();
        let mine = self.ledger.facts_of(self.number).into_iter();
        let in_jar = mine.filter(|(_, fact)| names.iter().any(|name| name == name_of(&fact.cookie)));
        in_jar.map(|(session, _)| session).collect()
    }

    /// Anything that is neither an answer nor transport is a defect of the server or of this client.
    fn expect_transport(&self, refusal: &Refusal, what: &str) {
        let known =
            ["rate_limited", "storage_unavailable", "overloaded", "signing_unavailable", "maintenance"];
        if !known.contains(&refusal.code.as_str()) {
            let session = self.current().map(|current| current.session).unwrap_or_default();
            self.ledger.violation(&session, &format!("{what} was answered {refusal:?}"));
        }
        self.ledger.note(self.number, None, format!("{what}: {}", refusal.code));
    }
}

fn name_of(cookie: &str) -> &str {
    cookie.split('=').next().unwrap_or_default()
}

/// Presents the session's last cookie and access token until both have been refused for its end.
pub async fn assert_refused(client: usize, browser: &Browser, ledger: &Ledger, session: &str) {
    let Some(fact) = ledger.fact(session) else { return };
    let give_up_at = crate::now() + ledger.promise.progress;
    // A refresh is refused at once wherever it arrives; an access token as soon as the node has heard.
    type Make = fn(&Fact) -> Ask;
    let asks: [(Make, Duration); 2] = [
        (|fact| Ask::refresh_with(&fact.cookie), Duration::ZERO),
        (|fact| Ask::profile(&fact.access_token), ledger.promise.staleness),
    ];
    for (ask, staleness) in asks {
        loop {
            let (sent, answer) = browser.send(ask(&fact)).await;
            match answer {
                Answer::Done(_) if fact.ended.is_some_and(|ended| sent <= ended + staleness) => {
                    sleep(Duration::from_millis(20)).await;
                    continue;
                }
                Answer::Done(_) => ledger.violation(session, "REVIVED: served after its acknowledged end"),
                Answer::Refused(refusal) if refusal.refuses_access_token() => {}
                Answer::Refused(refusal) if refusal.ends_session() => {
                    if refusal.code != "session_revoked" || refusal.session != session {
                        ledger.violation(session, &format!("refused for the wrong thing: {refusal:?}"));
                    }
                    ledger.told_of_end(client, session, &refusal.reason);
                }
                _ if crate::now() < give_up_at => {
                    sleep(Duration::from_millis(20)).await;
                    continue;
                }
                other => ledger.violation(session, &format!("no answer for very long, then {other:?}")),
            }
            break;
        }
    }
}

/// Waits between attempts, and complains when there are too many.
struct Retry<'a> {
    client: &'a Client,
    what: &'static str,
    began: Instant,
    attempts: u32,
}

impl<'a> Retry<'a> {
    fn new(client: &'a Client, what: &'static str) -> Self {
        Self { client, what, began: crate::now(), attempts: 0 }
    }

    /// Capped exponential backoff with full jitter: 33 ms to 2 s, a fifteenth of protocol.md section 9.
    async fn wait(&mut self) {
        let cap = (33_u64 << self.attempts.min(6)).min(2_000);
        self.attempts += 1;
        let progress = self.client.ledger.promise.progress;
        if self.began.elapsed() > progress {
            let session = self.client.current().map(|current| current.session).unwrap_or_default();
            let what = format!("no {} within {progress:?} and {} attempts", self.what, self.attempts);
            self.client.ledger.violation(&session, &what);
            self.began = crate::now();
        }
        let wait = self.client.state().random.ms(0, cap);
        sleep(wait).await;
    }
}
