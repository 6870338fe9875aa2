//! One session lived through at real constants: a seeded, discrete-event simulation of servers, a store, a
//! network and browsers, calling the same rule and the same freshness check as the service.
//!
//! The exhaustive search is complete but knows only ticks; this knows milliseconds, skewed clocks, twenty
//! days and the habits of people. Every run is determined by its seed.

mod browser;
mod rng;
mod server;
mod weather;

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

use tenure_domain::time::{TimeRules, Timestamp};

use self::browser::{Attempt, Browser};
use self::rng::Rng;
use self::server::{Reply, Server};

pub(crate) const SECOND: i64 = 1_000;
pub(crate) const MINUTE: i64 = 60 * SECOND;
pub(crate) const HOUR: i64 = 60 * MINUTE;
pub(crate) const DAY: i64 = 24 * HOUR;

/// A browser that came by a copy of the jar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Thief {
    /// Uses the copy as any client would, with the header and at its own jittered cadence.
    Ordinary,
    /// The same without `Tenure-Sent-At`.
    HeaderLess,
}

/// Who the session belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    /// Sleeps, travels, idles for days, crashes.
    Human,
    /// A tab that is always open and online, so that what is measured is the rule and not the person.
    AlwaysOn,
}

#[derive(Clone, Copy, Debug)]
pub struct Run {
    pub seed: u64,
    pub owner: Owner,
    pub thief: Option<Thief>,
    /// `S`; the default constants unless a test wants to see the simulator find something.
    pub settle: Duration,
    /// The client goes on with the offset it learned before its clock was set, as no client should.
    pub trusts_its_clock: bool,
}

impl Run {
    /// An honest person at the default constants.
    pub fn honest(seed: u64) -> Self {
        let settle = TimeRules::default().settle;
        Self { seed, owner: Owner::Human, thief: None, settle, trusts_its_clock: false }
    }
}

/// What became of the session.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    pub presentations: u64,
    pub rotations: u64,
    pub jar_crashes: u64,
    pub store_crashes: u64,
    pub lost_commits: u64,
    pub stale: u64,
    /// An honest session that did not live to its last second, and how.
    pub sign_out: Option<String>,
    /// From the theft to the first dead token, and to the end for reuse.
    pub first_strike_after_ms: Option<i64>,
    pub ended_after_ms: Option<i64>,
    /// How often the owner presented a token between the theft and the first strike. An owner who never came
    /// back leaves nothing to detect.
    pub owner_presentations: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Due { browser: usize, tab: usize, turn: u32 },
    Arrive(Attempt),
    Answered(Attempt, Reply),
    GiveUp(Attempt),
    BrowserCrash,
    StoreCrash { reach_ms: i64 },
    Theft,
    ClockJump,
}

struct Simulation {
    run: Run,
    rng: Rng,
    rules: TimeRules,
    now: i64,
    agenda: BinaryHeap<Reverse<(i64, u64, Event)>>,
    events: u64,
    server: Server,
    browsers: Vec<Browser>,
    jar_crashed_at: i64,
    store_crashed_at: i64,
    stolen_at: Option<i64>,
    outcome: Outcome,
}

/// Lives one session from sign-in to its end.
pub fn simulate(run: Run) -> Outcome {
    let mut rng = Rng::seeded(run.seed);
    let rules = TimeRules { settle: run.settle, ..TimeRules::default() };
    let start = 1_795_000_000_000;
    let server = Server::at_sign_in(start, &rules, &mut rng);
    let owner = Browser::holding(server.row.head, start, run.owner, 0, &mut rng);
    let mut simulation = Simulation {
        run,
        rng,
        rules,
        now: start,
        agenda: BinaryHeap::new(),
        events: 0,
        server,
        browsers: vec![owner],
        jar_crashed_at: start - DAY,
        store_crashed_at: start - DAY,
        stolen_at: None,
        outcome: Outcome::default(),
    };
    simulation.live();
    simulation.outcome
}

// === impl Simulation ===

impl Simulation {
    fn live(&mut self) {
        for tab in 0..self.browsers[0].tabs.len() {
            self.due_in(0, tab, 10 * MINUTE);
        }
        for _ in 0..40 {
            let at = self.rng.between(0, 20 * DAY);
            self.after(at, Event::ClockJump);
        }
        if self.run.thief.is_some() {
            let at = self.rng.between(HOUR, 12 * DAY);
            self.after(at, Event::Theft);
        }
        let end = self.server.expires_at;
        while let Some(Reverse((at, _, event))) = self.agenda.pop()
            && at < end
            && self.outcome.sign_out.is_none()
            && self.outcome.ended_after_ms.is_none()
        {
            self.now = at;
            self.handle(event);
        }
        if self.run.thief.is_none() && self.outcome.sign_out.is_none() {
            self.now = end - 1;
            self.check_jar("in the last millisecond of the promised time");
        }
    }

    fn after(&mut self, delay_ms: i64, event: Event) {
        self.events += 1;
        self.agenda.push(Reverse((self.now + delay_ms, self.events, event)));
    }

    fn handle(&mut self, event: Event) {
        match event {
            Event::Due { browser, tab, turn } => self.send(browser, tab, turn),
            Event::Arrive(attempt) => self.arrive(attempt),
            Event::Answered(attempt, reply) => self.answered(attempt, reply),
            Event::GiveUp(attempt) => {
                if self.browsers[attempt.browser].is_waiting_for(&attempt) {
                    let pause = self.rng.between(SECOND / 2, 30 * SECOND);
                    self.due_in(attempt.browser, attempt.tab, pause);
                }
            }
            Event::BrowserCrash => self.crash_browser(),
            Event::StoreCrash { reach_ms } => self.crash_store(reach_ms),
            Event::Theft => self.steal(),
            Event::ClockJump => {
                let error_ms = self.rng.between(-10 * MINUTE, 10 * MINUTE);
                self.browsers[0].set_clock(error_ms, !self.run.trusts_its_clock);
            }
        }
    }

    fn due_in(&mut self, browser: usize, tab: usize, delay_ms: i64) {
        let turn = self.browsers[browser].tabs[tab].next_turn();
        self.after(delay_ms, Event::Due { browser, tab, turn });
    }

    fn send(&mut self, browser: usize, tab: usize, turn: u32) {
        if !self.browsers[browser].tabs[tab].is_at(turn) {
            return;
        }
        if let Some(back) = self.browsers[browser].away_until(self.now) {
            // Lids open and timers fire together: all tabs are late by the same time.
            let stagger = self.rng.between(0, 300);
            self.due_in(browser, tab, back - self.now + stagger);
            return;
        }
        let header = match self.run.thief {
            Some(Thief::HeaderLess) if browser == 1 => false,
            _ => !self.rng.one_in(50),
        };
        let attempt = self.browsers[browser].send(tab, header, self.now);
        let patience = self.rules.freshness.as_millis() as i64;
        self.after(patience, Event::GiveUp(attempt.clone()));
        let copies = if self.rng.one_in(60) { 2 } else { 1 };
        for _ in 0..copies {
            if let Some(latency) = weather::latency(&mut self.rng, self.browsers[browser].loss_one_in)
                && (header || latency <= patience)
            {
                self.after(latency, Event::Arrive(attempt.clone()));
            }
        }
    }

    fn arrive(&mut self, attempt: Attempt) {
        self.outcome.presentations += 1;
        if attempt.browser == 0 && self.stolen_at.is_some() && self.outcome.first_strike_after_ms.is_none() {
            self.outcome.owner_presentations += 1;
        }
        let head_before = self.server.row.head;
        let reply = self.server.serve(&attempt, self.now, &self.rules, &mut self.rng);
        self.outcome.rotations += u64::from(self.server.row.head > head_before);
        match reply {
            Reply::Stale { .. } => self.outcome.stale += 1,
            Reply::Superseded | Reply::Reused => self.dead_token(&attempt, &reply),
            Reply::Refreshed { .. } => {}
        }
        // Power fails where it hurts: within a second of a commit.
        if self.server.has_committed_at(self.now) && self.rng.one_in(400) {
            let delay = self.rng.between(0, SECOND);
            self.after(delay, Event::StoreCrash { reach_ms: SECOND });
        }
        if let Some(latency) = weather::latency(&mut self.rng, self.browsers[attempt.browser].loss_one_in) {
            self.after(latency, Event::Answered(attempt, reply));
        }
    }

    fn dead_token(&mut self, attempt: &Attempt, reply: &Reply) {
        let Some(stolen_at) = self.stolen_at else {
            self.outcome.sign_out = Some(format!(
                "{} ms after sign-in the browser's {:?} was {reply:?}; the row is {:?}",
                self.now - self.server.signed_in_at,
                attempt.generation,
                self.server.row
            ));
            return;
        };
        let after = self.now - stolen_at;
        self.outcome.first_strike_after_ms.get_or_insert(after);
        if *reply == Reply::Reused {
            self.outcome.ended_after_ms = Some(after);
        }
    }

    fn answered(&mut self, attempt: Attempt, reply: Reply) {
        let Attempt { browser, tab, .. } = attempt;
        let patience = self.rules.freshness.as_millis() as i64;
        let known = &mut self.browsers[browser];
        if !known.is_waiting_for(&attempt) || self.now - attempt.sent_at > patience {
            return;
        }
        match reply {
            Reply::Refreshed { generation, server_time } => {
                known.store(generation, self.now);
                known.learn_offset(server_time, self.now);
                self.refreshed(browser, tab);
            }
            Reply::Stale { server_time } => {
                known.learn_offset(server_time, self.now);
                self.due_in(browser, tab, 50);
            }
            Reply::Superseded | Reply::Reused => {
                let pause = self.rng.between(SECOND, 2 * SECOND);
                self.due_in(browser, tab, pause);
            }
        }
    }

    /// The next refresh is due a little before the access token's jittered end; where tabs tell each other,
    /// for all of them at once.
    fn refreshed(&mut self, browser: usize, tab: usize) {
        let lifetime = self.rules.access_lifetime.as_millis() as i64;
        let next = self.rng.between(lifetime * 9 / 10, lifetime + 1) - MINUTE / 2;
        if self.browsers[browser].tabs_talk {
            for tab in 0..self.browsers[browser].tabs.len() {
                let stagger = self.rng.between(0, 40);
                self.due_in(browser, tab, next + stagger);
            }
        } else {
            self.due_in(browser, tab, next);
        }
        // A person reloads, and browsers die, mostly while something is happening.
        if self.rng.one_in(20) {
            let soon = self.rng.between(0, 2 * MINUTE);
            self.due_in(browser, tab, soon);
        }
        if browser == 0 && self.run.owner == Owner::Human && self.rng.one_in(100) {
            let soon = self.rng.between(0, 40 * SECOND);
            self.after(soon, Event::BrowserCrash);
        }
    }

    fn crash_browser(&mut self) {
        let settle = self.rules.settle.as_millis() as i64;
        let allowed =
            self.now - self.jar_crashed_at >= 2 * settle && self.now - self.store_crashed_at >= MINUTE;
        if !allowed {
            return;
        }
        self.jar_crashed_at = self.now;
        self.outcome.jar_crashes += 1;
        let lag = self.rules.jar_flush_lag.as_millis() as i64;
        let back_to = self.now - self.rng.between(0, lag);
        let closed_for = if self.rng.one_in(3) { self.rng.between(MINUTE, 30 * HOUR) } else { 5 * SECOND };
        self.browsers[0].crash(back_to);
        for tab in 0..self.browsers[0].tabs.len() {
            let stagger = self.rng.between(0, SECOND);
            self.due_in(0, tab, closed_for + stagger);
        }
        self.check_jar("after a crash");
    }

    fn crash_store(&mut self, reach_ms: i64) {
        if self.now - self.jar_crashed_at < MINUTE || self.now - self.store_crashed_at < MINUTE {
            return;
        }
        self.store_crashed_at = self.now;
        self.outcome.store_crashes += 1;
        let reach = self.rng.between(0, reach_ms + 1);
        self.outcome.lost_commits += u64::from(self.server.lose_commits_since(self.now - reach, self.now));
        self.check_jar("after a loss of commits");
    }

    fn steal(&mut self) {
        self.stolen_at = Some(self.now);
        let copy = Browser::holding(self.browsers[0].jar, self.now, Owner::AlwaysOn, 1, &mut self.rng);
        self.browsers.push(copy);
        let first_use = self.rng.between(0, 10 * MINUTE);
        self.due_in(1, 0, first_use);
    }

    /// I1, asked of the real rule at a moment of our choice.
    fn check_jar(&mut self, moment: &str) {
        if self.run.thief.is_none() && !self.server.would_accept(self.browsers[0].jar, self.now, &self.rules)
        {
            self.outcome.sign_out = Some(format!(
                "{moment} the jar holds {:?} and the row is {:?}",
                self.browsers[0].jar, self.server.row
            ));
        }
    }
}

pub(crate) fn timestamp(ms: i64) -> Timestamp {
    Timestamp::from_ms(ms)
}
