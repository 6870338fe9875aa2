//! What the clients know for certain: every sign-in that was answered, every end, and what could have caused
//! one. A violation of the promise is written down here, with its story.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use crate::browser::SignedIn;
use crate::log::Log;

pub const SIGNED_OUT: &str = "signed_out";
pub const ADMIN_REVOKED: &str = "admin_revoked";
pub const REPLACED: &str = "replaced_by_sign_in";

/// Stories told in full; after that they only count.
const STORIES_MAX: usize = 5;
const EVENTS_TOLD: usize = 20;

/// What is promised where the ledger is kept.
#[derive(Clone, Copy, Debug)]
pub struct Promise {
    /// Whatever a client wants, it gets within this time, however often it has to ask.
    pub progress: Duration,
    /// For how long after the answer to an end a node may still take its access tokens.
    pub staleness: Duration,
}

impl Promise {
    /// One server on one database of its own.
    pub const ONE_MACHINE: Self = Self { progress: Duration::from_secs(60), staleness: Duration::ZERO };
}

pub struct Ledger {
    pub promise: Promise,
    started: Instant,
    log: Arc<Log>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    sessions: BTreeMap<String, Fact>,
    events: Vec<Event>,
    violations: Vec<String>,
    counts: Counts,
    /// Who hears of every end that was answered.
    ends: Option<mpsc::UnboundedSender<String>>,
}

#[derive(Clone, Copy, Debug, Default)]
pub struct Counts {
    pub refreshes: u64,
    pub sign_ins: u64,
    pub ends: u64,
    pub profiles: u64,
    pub lost_answers: u64,
    pub stale: u64,
}

/// An acknowledged sign-in, and what became of it.
#[derive(Clone)]
pub struct Fact {
    pub client: usize,
    pub user: String,
    pub expires_at: i64,
    pub device: Option<String>,
    /// The last cookie that was applied to a jar, as `name=value`.
    pub cookie: String,
    pub access_token: String,
    /// The reasons for which it may have ended: somebody asked for that, acknowledged or not.
    pub causes: BTreeSet<&'static str>,
    /// When its end was first acknowledged to anybody.
    pub ended: Option<Instant>,
}

struct Event {
    at_ms: u128,
    client: usize,
    session: Option<String>,
    what: String,
}

impl Ledger {
    pub fn new(promise: Promise, log: Arc<Log>) -> Self {
        Self { promise, started: crate::now(), log, state: Mutex::default() }
    }

    /// Every end from now on, as soon as it has been answered.
    pub fn follow_ends(&self) -> mpsc::UnboundedReceiver<String> {
        let (tell, hear) = mpsc::unbounded_channel();
        self.state().ends = Some(tell);
        hear
    }

    /// No more ends are told.
    pub fn close_ends(&self) {
        self.state().ends = None;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn note(&self, client: usize, session: Option<&str>, what: impl Into<String>) {
        self.state().note(self.started, client, session, what.into());
    }

    pub fn count(&self, count: impl FnOnce(&mut Counts)) {
        count(&mut self.state().counts);
    }

    pub fn counts(&self) -> Counts {
        self.state().counts
    }

    /// A sign-in was answered 200.
    pub fn signed_in(&self, client: usize, device: Option<&str>, answer: &SignedIn) {
        let mut state = self.state();
        state.counts.sign_ins += 1;
        state.note(self.started, client, Some(&answer.session), "signed in".into());
        let fact = Fact {
            client,
            user: answer.user.clone(),
            expires_at: answer.expires_at,
            device: device.map(str::to_owned),
            cookie: answer.cookie.clone(),
            access_token: answer.access_token.clone(),
            causes: BTreeSet::new(),
            ended: None,
        };
        if state.sessions.insert(answer.session.clone(), fact).is_some() {
            drop(state);
            self.violation(&answer.session, "two sign-ins were given the same session id");
        }
    }

    /// A refresh that was sent at `sent` was answered 200. Whatever is wrong with that is a violation.
    pub fn refreshed(&self, client: usize, sent: Instant, answer: &SignedIn) {
        let mut state = self.state();
        state.counts.refreshes += 1;
        state.note(self.started, client, Some(&answer.session), "refreshed".into());
        let Some(fact) = state.sessions.get_mut(&answer.session) else {
            drop(state);
            return self.violation(&answer.session, "a refresh was answered for a session nobody has");
        };
        fact.cookie.clone_from(&answer.cookie);
        fact.access_token.clone_from(&answer.access_token);
        let wrong = if fact.ended.is_some_and(|ended| ended < sent) {
            Some("REVIVED: refreshed after its end had been acknowledged")
        } else if fact.expires_at != answer.expires_at {
            Some("a refresh moved expires_at")
        } else if fact.user != answer.user {
            Some("a refresh was answered for another user")
        } else {
            None
        };
        drop(state);
        if let Some(wrong) = wrong {
            self.violation(&answer.session, wrong);
        }
    }

    /// Somebody asks for an end: from now on the session may be ended for this reason.
    pub fn may_end(&self, client: usize, session: &str, reason: &'static str) {
        let mut state = self.state();
        state.note(self.started, client, Some(session), format!("may end: {reason}"));
        if let Some(fact) = state.sessions.get_mut(session) {
            fact.causes.insert(reason);
        }
    }

    /// A sign-in is about to be sent that, if it arrives, ends the device's earlier sessions.
    pub fn may_replace_on(&self, client: usize, device: &str) {
        let mut state = self.state();
        state.note(self.started, client, None, format!("signs in on {device}"));
        for fact in state.sessions.values_mut().filter(|fact| fact.device.as_deref() == Some(device)) {
            fact.causes.insert(REPLACED);
        }
    }

    /// An end was answered 204, or by the command line's success.
    pub fn ended(&self, client: usize, session: &str) {
        let mut state = self.state();
        state.note(self.started, client, Some(session), "end acknowledged".into());
        state.counts.ends += 1;
        if let Some(fact) = state.sessions.get_mut(session) {
            fact.ended.get_or_insert(crate::now());
        }
        if let Some(ends) = &state.ends {
            let _ = ends.send(session.to_owned());
        }
    }

    /// A client was told that its session has ended. Without a cause that is the thing that must never happen.
    pub fn told_of_end(&self, client: usize, session: &str, reason: &str) {
        let mut state = self.state();
        state.note(self.started, client, Some(session), format!("told of its end: {reason}"));
        let caused = state.sessions.get_mut(session).is_some_and(|fact| {
            fact.ended.get_or_insert(crate::now());
            fact.causes.contains(reason)
        });
        drop(state);
        if !caused {
            self.violation(session, &format!("SIGNED OUT without a cause: {reason}"));
        }
    }

    pub fn fact(&self, session: &str) -> Option<Fact> {
        self.state().sessions.get(session).cloned()
    }

    /// The sign-ins that this client was answered.
    pub fn facts_of(&self, client: usize) -> Vec<(String, Fact)> {
        let state = self.state();
        let mine = state.sessions.iter().filter(|(_, fact)| fact.client == client);
        mine.map(|(id, fact)| (id.clone(), fact.clone())).collect()
    }

    /// Every sign-in that was ever answered.
    pub fn facts(&self) -> Vec<(String, Fact)> {
        self.state().sessions.iter().map(|(id, fact)| (id.clone(), fact.clone())).collect()
    }

    pub fn violation(&self, session: &str, what: &str) {
        let log = self.log.about(session, EVENTS_TOLD);
        let mut state = self.state();
        if state.violations.len() >= STORIES_MAX {
            return;
        }
        let client = state.sessions.get(session).map(|fact| fact.client);
        let mut story = format!("{session}: {what}\n  the ledger (ms since the start):\n");
        let told = state.events.iter().filter(|event| {
            event.session.as_deref() == Some(session)
                || (event.session.is_none() && Some(event.client) == client)
        });
        let told: Vec<_> = told.collect();
        for event in &told[told.len().saturating_sub(EVENTS_TOLD)..] {
            let _ = writeln!(story, "    {:>7} client {:>2}: {}", event.at_ms, event.client, event.what);
        }
        let _ = write!(story, "  the server's log:\n{log}");
        state.violations.push(story);
    }

    /// Fails the test if the promise was broken.
    pub fn assert_kept(&self, seed: u64) {
        let violations = self.state().violations.clone();
        assert!(violations.is_empty(), "seed {seed}\n\n{}", violations.join("\n"));
        let alarms = self.log.alarms();
        assert!(alarms.is_empty(), "seed {seed}: the log says\n{}", alarms.join("\n"));
    }
}

impl State {
    fn note(&mut self, started: Instant, client: usize, session: Option<&str>, what: String) {
        let at_ms = crate::now().duration_since(started).as_millis();
        self.events.push(Event { at_ms, client, session: session.map(str::to_owned), what });
    }
}
