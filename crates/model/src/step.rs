//! The transitions: everything that can happen next in a world.

use tenure_domain::ends::EndReason;
use tenure_domain::rotation::Generation;

use crate::mutant::Mutant;
use crate::server::{self, Answer, Fault, Request};
use crate::setting::{HeaderLess, Network, Setting, ticks};
use crate::world::{Content, Cookies, Effect, Message, Session, Violation, World};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    Tick,
    /// Only where requests are counted; in a crowd somebody always sends.
    Send {
        header: bool,
    },
    Arrive {
        message: Message,
        fault: Fault,
        stays: bool,
        answer: Answer,
    },
    ReachJar {
        effect: Effect,
        age: u8,
    },
    Lose(Message),
    BrowserCrash {
        back_to: Cookies,
    },
    StoreCrash {
        lost: bool,
    },
    Revoke {
        session: usize,
    },
    /// It sees the jar and ends every session in it.
    SignOut,
    SignIn {
        replaces: bool,
    },
}

/// Every event that is possible now, each with the world after it.
pub fn successors(world: &World, setting: &Setting) -> Vec<(Event, World)> {
    let mut next = Successors { world, setting, found: Vec::new() };
    next.tick();
    for (index, message) in world.air.iter().enumerate() {
        match message.content {
            Content::Request { cookies, header, awaited } => {
                next.arrivals(index, Request { cookies, header, awaited, age: message.age });
            }
            Content::Answer(effect) => next.reach_jar(index, effect, message.age),
        }
    }
    if let Network::Slots(slots) = setting.network {
        next.send_and_lose(usize::from(slots));
    }
    next.crashes();
    next.ends();
    next.sign_in();
    next.found
}

struct Successors<'a> {
    world: &'a World,
    setting: &'a Setting,
    found: Vec<(Event, World)>,
}

// === impl Successors ===

impl Successors<'_> {
    fn add(&mut self, event: Event, change: impl FnOnce(&mut World)) {
        let mut world = self.world.clone();
        change(&mut world);
        world.settle_air(self.setting);
        self.found.push((event, world));
    }

    fn tick(&mut self) {
        let Setting { scale, .. } = *self.setting;
        self.add(Event::Tick, |world| {
            world.now = world.now + ticks(1);
            for message in &mut world.air {
                message.age = message.age.saturating_add(1);
            }
            for (_, age) in &mut world.jar.past {
                *age += 1;
            }
            world.jar.past.retain(|(_, age)| *age < scale.flush_lag);
            for session in world.sessions.iter_mut().flatten() {
                session.durable = session.row;
            }
            world.crashed_ago = (world.crashed_ago + 1).min(2 * scale.settle);
            world.commits_lost_ago = (world.commits_lost_ago + 1).min(scale.apart());
        });
    }

    /// A request reaches a server that works, or one that cannot tell.
    fn arrivals(&mut self, index: usize, request: Request) {
        let setting = self.setting;
        let message = self.world.air[index];
        let may_stay = match setting.network {
            Network::Crowd => &[true][..],
            Network::Slots(_) if self.a_copy_is_under_way() => &[false],
            Network::Slots(_) => &[false, true],
        };
        for fault in [Fault::None, Fault::Unavailable, Fault::RowAbsent] {
            for &stays in may_stay {
                let mut after = self.world.clone();
                let answer = server::serve(&mut after, request, fault, setting);
                let effect = answer.effect(setting);
                if fault != Fault::None && effect.is_none() {
                    // Nothing was read, written or said that matters: as if the request had been lost.
                    continue;
                }
                if let Network::Slots(_) = setting.network {
                    after.air.remove(index);
                    if stays {
                        let content = message.content.unawaited();
                        after.air.push(Message { content, ..message });
                    }
                }
                if let (true, Some(effect)) = (request.awaited, effect) {
                    after.air.push(Message { content: Content::Answer(effect), age: request.age });
                }
                after.settle_air(setting);
                self.found.push((Event::Arrive { message, fault, stays, answer }, after));
            }
        }
    }

    /// One duplicate under way at a time, and none beside what a crashed browser left behind.
    fn a_copy_is_under_way(&self) -> bool {
        self.world
            .air
            .iter()
            .any(|message| matches!(message.content, Content::Request { awaited: false, .. }))
    }

    fn reach_jar(&mut self, index: usize, effect: Effect, age: u8) {
        let setting = self.setting;
        self.add(Event::ReachJar { effect, age }, |world| {
            if let Network::Slots(_) = setting.network {
                world.air.remove(index);
            }
            let mut cookies = world.jar.cookies;
            let shared = setting.has(Mutant::OneCookieName);
            match effect {
                Effect::Set { .. } | Effect::Delete { .. } if shared => cookies = [None; 2],
                Effect::Delete { session } => cookies[session] = None,
                Effect::DeleteAll => cookies = [None; 2],
                Effect::Set { .. } => {}
            }
            if let Effect::Set { session, generation } = effect {
                cookies[session] = Some(generation);
            }
            // A newer sign-in may take the place of an older one: the person is signed in.
            let lives = |at: usize| world.sessions[at].is_some_and(|session| session.lives(world.now));
            let lost = (0..cookies.len()).find(|&at| {
                let taken_over =
                    (at + 1..cookies.len()).any(|newer| cookies[newer].is_some() && lives(newer));
                lives(at) && world.jar.cookies[at].is_some() && cookies[at].is_none() && !taken_over
            });
            if let Some(session) = lost {
                world.broken = Some(Violation::CookieLost { session });
            }
            world.jar.replace(cookies);
        });
    }

    fn send_and_lose(&mut self, slots: usize) {
        for index in 0..self.world.air.len() {
            self.add(Event::Lose(self.world.air[index]), |world| {
                world.air.remove(index);
            });
        }
        let awaited =
            |message: &&Message| !matches!(message.content, Content::Request { awaited: false, .. });
        if self.world.air.iter().filter(awaited).count() == slots {
            return;
        }
        let kinds = if self.setting.header_less == HeaderLess::Never { &[true][..] } else { &[true, false] };
        for &header in kinds {
            self.add(Event::Send { header }, |world| world.send(header));
        }
    }

    fn crashes(&mut self) {
        let Setting { scale, jar_crashes, commit_losses, .. } = *self.setting;
        let minute_since_loss = self.world.commits_lost_ago >= scale.apart();
        if jar_crashes && minute_since_loss && self.world.crashed_ago >= 2 * scale.settle {
            for &(back_to, _) in &self.world.jar.past {
                self.add(Event::BrowserCrash { back_to }, |world| {
                    world.jar.cookies = back_to;
                    world.jar.past.clear();
                    world.crashed_ago = 0;
                    world.air.retain(|message| matches!(message.content, Content::Request { .. }));
                    for message in &mut world.air {
                        if let Content::Request { awaited, .. } = &mut message.content {
                            *awaited = false;
                        }
                    }
                });
            }
        }
        if !commit_losses {
            return;
        }
        // A store that restarts without a loss is harmless, but it also forgets what was quiet.
        let minute_since_crash = self.world.crashed_ago >= scale.apart().min(2 * scale.settle);
        let losses = if minute_since_crash { &[false, true][..] } else { &[false] };
        for &lost in losses {
            let forgets = self.setting.has(Mutant::StoreForgetsItCrashed);
            self.add(Event::StoreCrash { lost }, |world| {
                for session in world.sessions.iter_mut().flatten() {
                    let row = if lost { session.durable } else { session.row };
                    session.row = if forgets { row } else { row.read_by_a_store_open_since(world.now) };
                }
                if lost {
                    world.commits_lost_ago = 0;
                }
            });
        }
    }

    fn ends(&mut self) {
        if !self.setting.ends {
            return;
        }
        for session in 0..self.world.sessions.len() {
            if self.world.sessions[session].is_some() {
                self.add(Event::Revoke { session }, |world| {
                    if let Some(session) = &mut world.sessions[session] {
                        session.end(EndReason::AdminRevoked, "admin");
                    }
                });
            }
        }
        self.add(Event::SignOut, |world| {
            for session in 0..world.sessions.len() {
                if let (Some(_), Some(state)) = (world.jar.cookies[session], &mut world.sessions[session]) {
                    state.end(EndReason::SignedOut, "user");
                }
            }
        });
    }

    /// The person signs in again in the same jar, on the same device id (which ends the earlier session) or
    /// on one that was forgotten (which does not).
    fn sign_in(&mut self) {
        if !self.setting.second_sign_in || self.world.sessions[1].is_some() {
            return;
        }
        let setting = self.setting;
        for replaces in [true, false] {
            self.add(Event::SignIn { replaces }, |world| {
                if let (true, Some(earlier)) = (replaces, &mut world.sessions[0]) {
                    earlier.end(EndReason::ReplacedBySignIn, "policy");
                }
                let session = Session::at_sign_in(world.now, setting);
                world.sessions[1] = Some(session);
                let effect = Effect::Set { session: 1, generation: session.row.head };
                world.air.push(Message { content: Content::Answer(effect), age: 0 });
            });
        }
    }
}

// === impl World ===

impl World {
    fn send(&mut self, header: bool) {
        let content = Content::Request { cookies: self.jar.cookies, header, awaited: true };
        self.air.push(Message { content, age: 0 });
    }

    /// Drops what can no longer have an effect, and keeps the air in its normal form.
    pub(crate) fn settle_air(&mut self, setting: &Setting) {
        let freshness = setting.scale.freshness;
        let any_age = |header: bool| {
            if header {
                setting.has(Mutant::NoFreshnessCheck)
            } else {
                setting.header_less == HeaderLess::AnyAge
            }
        };
        for message in &mut self.air {
            if let Content::Request { header, ref mut awaited, .. } = message.content
                && any_age(header)
                && message.age > freshness
            {
                // Its sender has given it up; it is late, and how late makes no difference.
                message.age = freshness + 1;
                *awaited = false;
            }
        }
        self.air.retain(|message| match message.content {
            Content::Request { header, .. } => message.age <= freshness || any_age(header),
            Content::Answer(_) => message.age <= freshness,
        });
        if setting.network == Network::Crowd {
            if self.jar.cookies != [None; 2] {
                self.send(true);
                if setting.header_less != HeaderLess::Never {
                    self.send(false);
                }
            }
            self.keep_the_youngest();
        }
        self.air.sort();
    }

    /// Of equal messages, and of a request nobody awaits and an equal one that is awaited, the younger does
    /// all that the older can.
    fn keep_the_youngest(&mut self) {
        let covers = |by: &Message, message: &Message| {
            let does_it = by.content == message.content || by.content.unawaited() == message.content;
            does_it && by.age <= message.age
        };
        self.air.sort_by_key(|message| (message.age, !is_awaited(message)));
        let mut kept: Vec<Message> = Vec::with_capacity(self.air.len());
        for message in self.air.drain(..) {
            if !kept.iter().any(|by| covers(by, &message)) {
                kept.push(message);
            }
        }
        self.air = kept;
    }

    /// The generation of `session` that the jar holds, if the session goes on.
    pub(crate) fn held(&self, session: usize) -> Option<(Session, Generation)> {
        let state = self.sessions[session]?;
        state.lives(self.now).then_some(())?;
        Some((state, self.jar.cookies[session]?))
    }
}

fn is_awaited(message: &Message) -> bool {
    matches!(message.content, Content::Request { awaited: true, .. } | Content::Answer(_))
}
