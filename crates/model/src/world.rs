//! The state: sessions in the store, cookies in the jar, messages in the air; and its canonical form.
//!
//! A world knows the absolute time and true generation numbers, so that a trace can be read. Its canonical
//! form forgets both: times become ages, ages stop at the point where the rule cannot tell them apart, and
//! generations are renumbered. That makes the set of canonical states finite without any horizon, and the
//! search covers sessions of any length.

use tenure_domain::ends::EndReason;
use tenure_domain::rotation::{Generation, Rotation};
use tenure_domain::time::Timestamp;

use crate::mutant::Mutant;
use crate::setting::{Setting, ticks};

/// One refresh token per session, as the jar holds them and a request carries them. Sessions are numbered in
/// the order of their sign-ins.
pub type Cookies = [Option<Generation>; 2];

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct World {
    pub now: Timestamp,
    pub sessions: [Option<Session>; 2],
    pub jar: Jar,
    /// In order; see [`crate::setting::Network`] for what stays here how long.
    pub air: Vec<Message>,
    /// Since the browser last crashed, and since the store last lost commits; both stop where H3 and H5 do.
    pub crashed_ago: u8,
    pub commits_lost_ago: u8,
    /// Something happened that no honest world allows.
    pub broken: Option<Violation>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Session {
    pub row: Rotation,
    /// What the row was when this tick began: what a loss of commits goes back to.
    pub durable: Rotation,
    pub end: Option<End>,
    pub expires_at: Option<Timestamp>,
    /// Kept only to judge by: the expiry of the sign-in, and how often an end was written.
    pub promised_expiry: Option<Timestamp>,
    pub ends_written: u8,
}

/// Why and by whom. Both are always there, or there is no end (I4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct End {
    pub reason: EndReason,
    pub actor: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Jar {
    pub cookies: Cookies,
    /// What it held before, and how long ago that was replaced: what a crash can bring back.
    pub past: Vec<(Cookies, u8)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Message {
    pub content: Content,
    /// Since the request was sent; an answer has the age of its request, because the client counts from there.
    pub age: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Content {
    Request {
        cookies: Cookies,
        /// It carries `Tenure-Sent-At`.
        header: bool,
        /// The browser that sent it still listens for the answer.
        awaited: bool,
    },
    Answer(Effect),
}

/// What an answer does to the jar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Effect {
    Set { session: usize, generation: Generation },
    Delete { session: usize },
    DeleteAll,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Violation {
    /// I1: the jar's own token would be refused although its session goes on.
    JarRefused { session: usize, generation: Generation },
    /// I1: the browser presented a token it held moments ago, and the rule called it dead.
    HonestCalledDead { session: usize, generation: Generation },
    /// I1: an answer took the cookie of a session that goes on.
    CookieLost { session: usize },
    /// I1: rotation moved the end of the remembered lifetime.
    ExpiryMoved { session: usize },
    /// I2.
    TooManyAcceptable { session: usize, count: usize },
    /// I3.
    Revived { session: usize },
    /// I4.
    EndedTwice { session: usize },
}

/// Where every canonical world's clock stands: late enough that no age reaches below zero.
const CANONICAL_NOW: Timestamp = Timestamp::from_ms(1_000);

// === impl Session ===

impl Session {
    pub fn at_sign_in(now: Timestamp, setting: &Setting) -> Self {
        let row = Rotation::at_sign_in(now);
        let expires_at = setting.lifetime.map(|lifetime| now + ticks(lifetime));
        Self { row, durable: row, end: None, expires_at, promised_expiry: expires_at, ends_written: 0 }
    }

    pub fn lives(&self, now: Timestamp) -> bool {
        self.end.is_none() && self.expires_at.is_none_or(|at| now < at)
    }

    /// An end is written once; whoever comes second finds it written.
    pub fn end(&mut self, reason: EndReason, actor: &'static str) {
        if self.end.is_none() {
            self.end = Some(End { reason, actor });
            self.ends_written += 1;
        }
    }
}

// === impl Jar ===

impl Jar {
    /// The last of equal contents is the one a crash can bring back for longest.
    pub fn replace(&mut self, cookies: Cookies) {
        if cookies != self.cookies {
            self.past.retain(|(past, _)| *past != self.cookies);
            self.past.push((self.cookies, 0));
            self.past.sort();
            self.cookies = cookies;
        }
    }
}

// === impl World ===

impl World {
    /// Right after the sign-in's answer was stored.
    pub fn at_sign_in(setting: &Setting) -> Self {
        let now = Timestamp::from_ms(0);
        let session = Session::at_sign_in(now, setting);
        let mut world = Self {
            now,
            sessions: [Some(session), None],
            jar: Jar { cookies: [Some(session.row.head), None], past: Vec::new() },
            air: Vec::new(),
            crashed_ago: 2 * setting.scale.settle,
            commits_lost_ago: setting.scale.apart(),
            broken: None,
        };
        world.settle_air(setting);
        world
    }

    /// The same world without what no later event can depend on.
    pub fn canonical(self, setting: &Setting) -> Self {
        let now = self.now;
        let mut world = self;
        world.now = CANONICAL_NOW;
        // The rule asks of `handed_at` only whether S has passed; one mutant asks whether 2S has.
        let factor = if setting.has(Mutant::BaseDiesByTimeAlone) { 2 } else { 1 };
        let longest = ticks(factor * setting.scale.settle);
        let rebase = |at: Timestamp, longest| CANONICAL_NOW - now.since(at).min(longest);
        // Of a time that lies ahead the distance is kept, of one that has passed only that it has.
        let rebase_expiry =
            |at: Timestamp| if at > now { CANONICAL_NOW + at.since(now) } else { CANONICAL_NOW };
        for session in world.sessions.iter_mut().flatten() {
            session.row.handed_at = rebase(session.row.handed_at, longest);
            session.durable.handed_at = rebase(session.durable.handed_at, longest);
            session.expires_at = session.expires_at.map(rebase_expiry);
            session.promised_expiry = session.promised_expiry.map(rebase_expiry);
        }
        for session in 0..world.sessions.len() {
            world.forget_what_ended(session, setting);
            world.renumber_generations(session);
        }
        world.jar.past.sort();
        if let Some(Violation::HonestCalledDead { generation, .. }) = &mut world.broken {
            *generation = Generation(0);
        }
        world.settle_air(setting);
        world
    }

    /// Of an ended session the server looks at nothing but the end, and of that only that it is there.
    fn forget_what_ended(&mut self, session: usize, setting: &Setting) {
        let Some(state) = &mut self.sessions[session] else { return };
        let Some(end) = &mut state.end else { return };
        *end = End { reason: EndReason::SignedOut, actor: "anybody" };
        if setting.has(Mutant::AheadRevivesEnded) {
            return;
        }
        self.each_generation(session, |generation| *generation = Generation(1));
        if let Some(state) = &mut self.sessions[session] {
            state.row = Rotation::at_sign_in(self.now);
            state.durable = state.row;
        }
    }

    /// Renumbers one session's generations so that the numbers stay small.
    ///
    /// The rule compares generations, and counts on from the head. So below both heads (the row's and the one
    /// a loss of commits goes back to) only the order matters, and below both bases not even that: those are
    /// dead. From the lower head upwards distances matter, because a successor minted again meets its twin.
    fn renumber_generations(&mut self, session: usize) {
        let Some(Session { row, durable, .. }) = self.sessions[session] else { return };
        let lowest_base = row.base.min(durable.base);
        let lowest_head = row.head.min(durable.head);
        let mut ordered = vec![lowest_base];
        self.each_generation(session, |generation| {
            if *generation > lowest_base && *generation < lowest_head {
                ordered.push(*generation);
            }
        });
        ordered.sort();
        ordered.dedup();
        let first_exact = ordered.len() as u32 + 1;
        self.each_generation(session, |generation| {
            *generation = Generation(match ordered.binary_search(generation) {
                Ok(rank) => rank as u32 + 1,
                Err(_) if *generation >= lowest_head => first_exact + (generation.0 - lowest_head.0),
                Err(_) => 0,
            });
        });
    }

    fn each_generation(&mut self, session: usize, mut visit: impl FnMut(&mut Generation)) {
        if let Some(Session { row, durable, .. }) = &mut self.sessions[session] {
            [&mut row.base, &mut row.head, &mut durable.base, &mut durable.head]
                .into_iter()
                .for_each(&mut visit);
        }
        let past = self.jar.past.iter_mut().map(|(cookies, _)| cookies);
        for cookies in past.chain([&mut self.jar.cookies]) {
            cookies[session].as_mut().map(&mut visit);
        }
        for message in &mut self.air {
            match &mut message.content {
                Content::Request { cookies, .. } => {
                    cookies[session].as_mut().map(&mut visit);
                }
                Content::Answer(Effect::Set { session: of, generation }) if *of == session => {
                    visit(generation)
                }
                Content::Answer(_) => {}
            }
        }
    }
}
