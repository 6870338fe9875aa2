//! The server around the rule, and what its answers do to a browser (protocol.md sections 4, 7 and 8).

use tenure_domain::ends::EndReason;
use tenure_domain::rotation::{self, Generation, Verdict};
use tenure_domain::time::Freshness;

use crate::mutant::Mutant;
use crate::setting::{Setting, ticks};
use crate::world::{Content, Cookies, Effect, Session, Violation, World};

#[derive(Clone, Copy, Debug)]
pub struct Request {
    pub cookies: Cookies,
    pub header: bool,
    pub awaited: bool,
    pub age: u8,
}

/// What may go wrong where the server looks for the row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    None,
    /// The store does not answer.
    Unavailable,
    /// The store answers, without the row.
    RowAbsent,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// 200 with a fresh token of this generation.
    Refreshed { session: usize, generation: Generation },
    /// 401 `session_revoked` or `session_expired`.
    Ended { session: usize },
    /// 409 `refresh_superseded`.
    Dead { session: usize },
    /// 409 `request_stale`.
    Stale,
    /// 503.
    Failed,
    /// 401 `no_session`.
    NoCookie,
}

// === impl Content ===

impl Content {
    /// The same request, whose sender has gone.
    pub(crate) fn unawaited(self) -> Content {
        match self {
            Content::Request { cookies, header, .. } => Content::Request { cookies, header, awaited: false },
            answer @ Content::Answer(_) => answer,
        }
    }
}

// === impl Answer ===

impl Answer {
    /// What it does to the jar. An answer without effect need not travel.
    pub(crate) fn effect(self, setting: &Setting) -> Option<Effect> {
        match self {
            Answer::Refreshed { session, generation } => Some(Effect::Set { session, generation }),
            Answer::Ended { session } => Some(Effect::Delete { session }),
            Answer::Failed if setting.has(Mutant::FailureClearsCookies) => Some(Effect::DeleteAll),
            Answer::Dead { .. } | Answer::Stale | Answer::Failed | Answer::NoCookie => None,
        }
    }
}

/// The newest session in the request that is alive is served; an ended one is answered only if all are.
pub(crate) fn serve(world: &mut World, request: Request, fault: Fault, setting: &Setting) -> Answer {
    let now = world.now;
    let sent_at = request.header.then(|| now - ticks(request.age));
    let freshness = match setting.scale.time_rules().freshness_of(sent_at, now) {
        Freshness::Stale if setting.has(Mutant::NoFreshnessCheck) => Freshness::Fresh,
        Freshness::Stale => return Answer::Stale,
        known => known,
    };
    let carried =
        |world: &World, session: usize| Some((session, world.sessions[session]?, request.cookies[session]?));
    let mut candidates = (0..request.cookies.len()).rev().filter_map(|session| carried(world, session));
    let Some(newest) = candidates.next() else { return Answer::NoCookie };
    let alive = |(_, state, _): &(usize, Session, Generation)| state.lives(now);
    let (session, state, presented) =
        if alive(&newest) { newest } else { candidates.find(alive).unwrap_or(newest) };
    match fault {
        Fault::None => {}
        Fault::RowAbsent if setting.has(Mutant::AbsenceIsAnEnd) => return Answer::Ended { session },
        Fault::RowAbsent | Fault::Unavailable => return Answer::Failed,
    }
    let revives = setting.has(Mutant::AheadRevivesEnded) && presented > state.row.head;
    let mut state = state;
    if revives {
        state.end = None;
    }
    if !state.lives(now) {
        // The clock's end is written when it is first noticed.
        state.end(EndReason::RememberedLifetime, "clock");
        world.sessions[session] = Some(state);
        return Answer::Ended { session };
    }
    let rules = setting.scale.rotation_rules();
    let (row, verdict) = match setting.mutant {
        Some(mutant) => mutant.present(state.row, presented, freshness, now, rules),
        None => rotation::present(state.row, presented, freshness, now, rules),
    };
    let Verdict::Accepted { .. } = verdict else {
        if setting.strikes_count {
            world.broken = Some(Violation::HonestCalledDead { session, generation: presented });
        }
        return Answer::Dead { session };
    };
    if setting.has(Mutant::RotationExtendsExpiry) && row.head != state.row.head {
        state.expires_at = setting.lifetime.map(|lifetime| now + ticks(lifetime));
    }
    state.row = row;
    world.sessions[session] = Some(state);
    Answer::Refreshed { session, generation: row.head }
}

/// The first invariant of protocol.md section 5 that does not hold here.
pub(crate) fn violation(world: &World, setting: &Setting) -> Option<Violation> {
    let rules = setting.scale.rotation_rules();
    let judge = |row, generation, now| {
        let verdict = match setting.mutant {
            Some(mutant) => mutant.present(row, generation, Freshness::Fresh, now, rules).1,
            None => rotation::present(row, generation, Freshness::Fresh, now, rules).1,
        };
        matches!(verdict, Verdict::Accepted { .. })
    };
    for (session, state) in world.sessions.iter().enumerate() {
        let Some(state) = state else { continue };
        if state.expires_at != state.promised_expiry {
            return Some(Violation::ExpiryMoved { session });
        }
        if state.ends_written > 0 && state.end.is_none() {
            return Some(Violation::Revived { session });
        }
        if state.ends_written > 1 {
            return Some(Violation::EndedTwice { session });
        }
        let quiet_at = state.row.handed_at + rules.settle;
        // Among the generations the row knows of. A lost commit leaves one more with the browser; it becomes
        // head when it is presented, and one more than usual is acceptable from then to the next rotation.
        let allowed = if state.row.healed { 3 } else { 2 };
        let acceptable = |generation: &u32| judge(state.row, Generation(*generation), quiet_at);
        let count = (0..=state.row.head.0).filter(acceptable).count();
        if count > allowed {
            return Some(Violation::TooManyAcceptable { session, count });
        }
        if let Some((state, generation)) = world.held(session)
            && !judge(state.row, generation, world.now)
        {
            return Some(Violation::JarRefused { session, generation });
        }
    }
    world.broken
}
