//! Traces in words a reader can follow without the code.

use tenure_domain::rotation::Generation;

use crate::server::{self, Answer, Fault};
use crate::setting::Setting;
use crate::step::Event;
use crate::world::{Content, Cookies, Effect, Violation, World};

pub(crate) fn beginning(world: &World, setting: &Setting) -> String {
    let scale = setting.scale;
    format!(
        "F = {}, C = {}, S = {}; the person has signed in: {}, {}",
        scale.freshness,
        scale.flush_lag,
        scale.settle,
        jar(world.jar.cookies),
        row(world, 0)
    )
}

pub(crate) fn event(event: &Event, before: &World, after: &World) -> String {
    let told = match event {
        Event::Tick => "time passes".to_owned(),
        Event::Send { header } => {
            format!("a tab sends what {}{}", jar(before.jar.cookies), headed(*header))
        }
        Event::Arrive { message, fault, stays: _, answer } => {
            let Content::Request { cookies, header, awaited } = message.content else {
                return "an answer arrives at the server".to_owned();
            };
            format!(
                "a request {}{}{} arrives with {}{}: {}",
                ago(message.age),
                headed(header),
                if awaited { "" } else { ", which nobody awaits any more," },
                carried(cookies),
                troubled(*fault),
                answered(*answer, after)
            )
        }
        Event::ReachJar { effect, age } => {
            let after = jar(after.jar.cookies);
            match effect {
                Effect::Set { generation, .. } => {
                    format!(
                        "the answer with {} to a request {} reaches the jar: {after}",
                        number(*generation),
                        ago(*age)
                    )
                }
                Effect::Delete { .. } => format!("the answer that the session has ended arrives: {after}"),
                Effect::DeleteAll => format!("the answer that clears the cookies arrives: {after}"),
            }
        }
        Event::Lose(_) => "the network loses a message".to_owned(),
        Event::BrowserCrash { .. } => {
            format!("the browser crashes and comes back with an earlier jar: {}", jar(after.jar.cookies))
        }
        Event::StoreCrash { lost } => {
            let what =
                if *lost { "the store crashes and loses its last commits" } else { "the store restarts" };
            format!("{what}: {}", row(after, 0))
        }
        Event::Revoke { session } => format!("an administrator ends session {}", session + 1),
        Event::SignOut => "the person signs out".to_owned(),
        Event::SignIn { replaces } => {
            let earlier = if *replaces { ", which ends the earlier session" } else { "" };
            format!("the person signs in again as session 2{earlier}")
        }
    };
    format!("t = {}  {told}", after.now.as_ms())
}

pub(crate) fn ending(violation: &Violation, world: &World, setting: &Setting) -> String {
    // The search names generations as its canonical worlds do; the retold world knows their true numbers.
    let violation = server::violation(world, setting).unwrap_or(*violation);
    let told = match violation {
        Violation::JarRefused { session, generation } => format!(
            "SIGNED OUT (I1): the jar holds {}, which is dead: {}",
            number(generation),
            row(world, session)
        ),
        Violation::HonestCalledDead { session, generation } => format!(
            "SIGNED OUT (I1): the browser's own {} was called dead: {}",
            number(generation),
            row(world, session)
        ),
        Violation::CookieLost { session } => {
            format!("SIGNED OUT (I1): the cookie of session {} is gone, and nobody ended it", session + 1)
        }
        Violation::ExpiryMoved { session } => {
            let moved = |at: Option<tenure_domain::time::Timestamp>| at.map_or(0, |at| at.as_ms());
            let state = world.sessions[session];
            format!(
                "EXPIRY MOVED (I1): session {} was promised to end at {} and now ends at {}",
                session + 1,
                moved(state.and_then(|state| state.promised_expiry)),
                moved(state.and_then(|state| state.expires_at))
            )
        }
        Violation::TooManyAcceptable { session, count } => {
            format!("TOO MANY (I2): once quiet, {count} generations are acceptable: {}", row(world, session))
        }
        Violation::Revived { session } => format!("REVIVED (I3): session {} had ended", session + 1),
        Violation::EndedTwice { session } => format!("TWO ENDS (I4) were written to session {}", session + 1),
    };
    format!("t = {}  {told}", world.now.as_ms())
}

fn number(generation: Generation) -> String {
    format!("generation {}", generation.0)
}

fn jar(cookies: Cookies) -> String {
    format!("the jar holds {}", carried(cookies))
}

fn carried(cookies: Cookies) -> String {
    match cookies {
        [None, None] => "nothing".to_owned(),
        [Some(only), None] => number(only),
        [None, Some(only)] => format!("{} of session 2", number(only)),
        [Some(first), Some(second)] => {
            format!("{} of session 1 and {} of session 2", number(first), number(second))
        }
    }
}

fn row(world: &World, session: usize) -> String {
    match world.sessions[session] {
        Some(state) => format!("the row has base {}, head {}", state.row.base.0, state.row.head.0),
        None => "there is no row".to_owned(),
    }
}

fn ago(age: u8) -> String {
    if age == 0 { "just sent".to_owned() } else { format!("sent {age} ago") }
}

fn headed(header: bool) -> &'static str {
    if header { "" } else { " without Tenure-Sent-At" }
}

fn troubled(fault: Fault) -> &'static str {
    match fault {
        Fault::None => "",
        Fault::Unavailable => " while the store is down",
        Fault::RowAbsent => " and the store has no such row",
    }
}

fn answered(answer: Answer, after: &World) -> String {
    match answer {
        Answer::Refreshed { session, generation } => {
            format!("accepted, {} is handed out; {}", number(generation), row(after, session))
        }
        Answer::Ended { session } => format!("session {} has ended", session + 1),
        Answer::Dead { .. } => "refused as dead".to_owned(),
        Answer::Stale => "refused as stale".to_owned(),
        Answer::Failed => "try again later".to_owned(),
        Answer::NoCookie => "no session".to_owned(),
    }
}
