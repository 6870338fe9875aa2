//! A browser profile: a jar with its recent past, tabs with their timers, a clock of its own, and habits.

use tenure_domain::rotation::Generation;

use super::rng::Rng;
use super::{DAY, HOUR, MINUTE, Owner, SECOND};

/// One refresh request, as the browser remembers it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Attempt {
    pub browser: usize,
    pub tab: usize,
    turn: u32,
    pub generation: Generation,
    /// In true time; the client's timeout counts from here.
    pub sent_at: i64,
    /// `Tenure-Sent-At`: server time as far as the client knows it.
    pub claimed_sent_at: Option<i64>,
}

/// Whatever a tab does next outdates what it did before.
#[derive(Default)]
pub struct Tab {
    turn: u32,
}

pub struct Browser {
    index: usize,
    pub jar: Generation,
    /// Earlier contents of the jar, each with the time at which it was replaced.
    past: Vec<(Generation, i64)>,
    pub tabs: Vec<Tab>,
    pub tabs_talk: bool,
    clock_error_ms: i64,
    /// What the client adds to its clock to have server time; `None` while it does not know.
    offset_ms: Option<i64>,
    pub loss_one_in: u64,
    /// Spells without network or without power, in order.
    away: Vec<(i64, i64)>,
}

impl Tab {
    pub fn next_turn(&mut self) -> u32 {
        self.turn += 1;
        self.turn
    }

    pub fn is_at(&self, turn: u32) -> bool {
        self.turn == turn
    }
}

impl Browser {
    pub fn holding(jar: Generation, now: i64, owner: Owner, index: usize, rng: &mut Rng) -> Self {
        let (tabs, away) = match owner {
            Owner::Human => (rng.between(1, 6), absences(now, rng)),
            Owner::AlwaysOn => (1, Vec::new()),
        };
        Self {
            index,
            jar,
            past: Vec::new(),
            tabs: (0..tabs).map(|_| Tab::default()).collect(),
            tabs_talk: rng.one_in(2),
            clock_error_ms: rng.between(-5 * MINUTE, 5 * MINUTE),
            offset_ms: None,
            loss_one_in: [3, 20, 100, 1_000][rng.between(0, 4) as usize],
            away,
        }
    }

    pub fn away_until(&mut self, now: i64) -> Option<i64> {
        self.away.retain(|(_, until)| *until > now);
        self.away.iter().find(|(from, _)| *from <= now).map(|(_, until)| *until)
    }

    pub fn send(&mut self, tab: usize, header: bool, now: i64) -> Attempt {
        // A client that does not know says so with a time that nobody believes, and is told the right one.
        // A guess could make the server take this request for young when it turns up late.
        let server_time = self.offset_ms.map_or(0, |offset| now + self.clock_error_ms + offset);
        let claimed_sent_at = header.then_some(server_time);
        let turn = self.tabs[tab].next_turn();
        Attempt { browser: self.index, tab, turn, generation: self.jar, sent_at: now, claimed_sent_at }
    }

    pub fn is_waiting_for(&self, attempt: &Attempt) -> bool {
        self.tabs[attempt.tab].is_at(attempt.turn)
    }

    pub fn store(&mut self, generation: Generation, now: i64) {
        self.past.retain(|(_, replaced_at)| now - replaced_at <= MINUTE);
        self.past.push((self.jar, now));
        self.jar = generation;
    }

    pub fn learn_offset(&mut self, server_time: i64, now: i64) {
        self.offset_ms = Some(server_time - (now + self.clock_error_ms));
    }

    /// The wall clock is set. A client that also watches its monotonic clock notices, and forgets the offset.
    pub fn set_clock(&mut self, error_ms: i64, notices: bool) {
        self.clock_error_ms = error_ms;
        if notices {
            self.offset_ms = None;
        }
    }

    /// Comes back with the jar as it was at `back_to`; whatever was under way is forgotten.
    pub fn crash(&mut self, back_to: i64) {
        if let Some((then, _)) = self.past.iter().find(|(_, replaced_at)| *replaced_at > back_to) {
            self.jar = *then;
        }
        self.past.clear();
    }
}

/// Nights, idle days, and an hour in a tunnel now and then.
fn absences(start: i64, rng: &mut Rng) -> Vec<(i64, i64)> {
    let bedtime = rng.between(0, DAY);
    let mut away = Vec::new();
    for day in 0..21 {
        let night = start + day * DAY + bedtime + rng.between(0, HOUR);
        let length = if rng.one_in(6) { rng.between(DAY, 4 * DAY) } else { rng.between(6 * HOUR, 9 * HOUR) };
        away.push((night, night + length));
        for _ in 0..rng.between(0, 6) {
            let from = start + day * DAY + rng.between(0, DAY);
            away.push((from, from + rng.between(10 * SECOND, HOUR)));
        }
    }
    away
}
