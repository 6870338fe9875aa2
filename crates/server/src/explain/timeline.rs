//! Everything that bears on a session, in the order of time.

use serde_json::Value;
use tenure_domain::event::{EventKind, Occurrence};
use tenure_domain::time::Timestamp;

use super::case::Case;
use super::rhythm::{words_for_gap, words_for_run};
use super::said::{For, Moment};
use super::sections::{end, telling, words_for};
use crate::wording::text::shown;
use crate::wording::{act, device};

pub fn timeline(case: &Case, who: For) -> Vec<Moment> {
    let mut moments = of_session(case);
    moments.extend(of_acts(case, who));
    moments.extend(of_keys(case));
    moments.extend(of_untold(case));
    moments.extend(of_events(case));
    moments.extend(case.reports.iter().map(|report| {
        let words = format!("{}: {}", telling(report), words_for(report.sighting));
        Moment { at: report.seen_at, what: "report", words }
    }));
    moments.extend(of_end(case, who));
    // What happened first, where two things happened at once, was added first.
    moments.sort_by_key(|moment| moment.at);
    moments
}

fn of_session(case: &Case) -> Vec<Moment> {
    let session = &case.record.session;
    let kind = if session.remembered { "remembered" } else { "not remembered" };
    let label = device::label(case.record.device.user_agent.as_deref());
    let words = format!("on {}, {kind}", shown(&label));
    let mut moments = vec![Moment { at: session.created_at, what: "sign-in", words }];
    moments.extend(of_refreshes(case));
    if let Some(at) = session.rotation.contested_at {
        let words = "an old copy of the session's cookie was presented".into();
        moments.push(Moment { at, what: "contest", words });
    }
    moments
}

/// The runs that are kept and the gaps between them, and the last refresh.
fn of_refreshes(case: &Case) -> Vec<Moment> {
    let Case { record, rhythm, .. } = case;
    let runs = rhythm.runs.iter().filter(|run| run.count > 1);
    let runs = runs.map(|run| Moment { at: run.first, what: "refresh", words: words_for_run(run) });
    let gaps = rhythm.gaps.iter();
    let gaps = gaps.map(|gap| Moment { at: gap.from, what: "gap", words: words_for_gap(gap) });
    let mut moments: Vec<_> = runs.collect();
    if record.refresh_count > 0 {
        let words = format!("the last that was written down, of {}", record.refresh_count);
        moments.push(Moment { at: record.last_used_at, what: "refresh", words });
    }
    moments.extend(gaps);
    moments
}

fn of_acts(case: &Case, who: For) -> impl Iterator<Item = Moment> {
    case.acts.iter().map(move |act| {
        let words = match who {
            For::Support => act::text(act),
            For::Owner => format!("an administrator changed: {}", shown(&act.what)),
        };
        Moment { at: act.at, what: "act", words }
    })
}

fn of_keys(case: &Case) -> Vec<Moment> {
    let mut moments = vec![];
    for key in &case.keys {
        let mut add = |at, did| {
            let words = format!("signing key {} {did}; no session is touched by that", shown(&key.kid));
            moments.push(Moment { at, what: "key", words });
        };
        if case.lasted_at(key.activates_at) {
            add(key.activates_at, "took over");
        }
        if let Some(at) = key.retires_at.filter(|at| case.lasted_at(*at)) {
            add(at, "was retired");
        }
    }
    moments
}

/// What is on record and not told by the session's own row, the acts, the keys or the reports.
fn of_events(case: &Case) -> impl Iterator<Item = Moment> {
    case.events.iter().filter_map(|event| {
        let (what, words) = told(&event.what)?;
        let often =
            if event.what.count > 1 { format!(", {} times", event.what.count) } else { String::new() };
        Some(Moment { at: event.what.at, what, words: words + &often })
    })
}

/// Where a sort of events was too much to be told whole.
fn of_untold(case: &Case) -> impl Iterator<Item = Moment> {
    case.events_untold.iter().map(|untold| {
        let sort: Vec<_> = untold.sort.iter().map(|kind| kind.as_str()).collect();
        let more = if untold.is_least { " or more" } else { "" };
        let words = format!("{}{more} before this are left out ({})", untold.count, sort.join(", "));
        Moment { at: untold.before, what: "left-out", words }
    })
}

fn told(event: &Occurrence) -> Option<(&'static str, String)> {
    let cause = shown(event.cause.as_deref().unwrap_or("no cause said"));
    let subject = shown(event.subject.as_deref().unwrap_or_default());
    let from = event.whence.user_agent.as_deref().map(|agent| device::label(Some(agent)));
    let from = from.map(|label| format!(", on {}", shown(&label))).unwrap_or_default();
    let since = signed_in_elsewhere(event).map(|at| format!("; they had signed in there by {at}"));
    let since = since.unwrap_or_default();
    Some(match event.kind {
        EventKind::RefreshRefused => ("refused", format!("a refresh was answered {cause}{from}")),
        EventKind::DeadToken => ("contest", format!("an old copy of the cookie was answered {cause}{from}")),
        EventKind::Rewound => ("rewound", "the browser was ahead of the store, and was served".into()),
        EventKind::Exchanged if cause == "traded" => (
            "exchange",
            format!("taken over from a sign-in elsewhere ({subject}), without a password{since}"),
        ),
        EventKind::Exchanged => {
            ("exchange", format!("handed out again to whoever took it over, who had not used it yet{from}"))
        }
        EventKind::ExchangeRefused => {
            ("attempt", format!("a sign-in elsewhere ({subject}) was not taken over: {cause}{from}"))
        }
        EventKind::PasswordChanged => ("password", format!("the person changed the password{from}")),
        EventKind::PasswordReset if event.actor.as_deref() == Some("user") => {
            ("password", format!("a password was chosen with a reset link{from}"))
        }
        EventKind::PasswordReset => ("password", "somebody else gave the person a password".into()),
        EventKind::EntitlementBlocked => {
            ("blocked", format!("a request was refused: {cause}; no session is touched by that"))
        }
        EventKind::SignInFailed | EventKind::SignInThrottled => {
            ("attempt", format!("a sign-in as this person failed: {cause}{from}"))
        }
        EventKind::ServerStarted => ("server", format!("a server of version {subject} began")),
        EventKind::ServerStopped => ("server", format!("a server of version {subject} ended")),
        EventKind::Registered
        | EventKind::SignedIn
        | EventKind::SessionEnded
        | EventKind::Act
        | EventKind::SigningKeyAdded
        | EventKind::SigningKeyRetired
        | EventKind::ClientReport
        | EventKind::UnexplainedEnd
        | EventKind::EventsPruned
        | EventKind::Other => return None,
    })
}

/// When somebody had signed in elsewhere whose sign-in was taken over.
fn signed_in_elsewhere(event: &Occurrence) -> Option<Timestamp> {
    let detail: Value = serde_json::from_str(event.detail.as_deref()?).ok()?;
    detail["authenticated_at"].as_i64().map(Timestamp::from_ms)
}

fn of_end(case: &Case, who: For) -> Option<Moment> {
    let session = &case.record.session;
    match end(case) {
        Some(end) => {
            let note = end.note.as_deref().map(|note| format!(" ({note})")).unwrap_or_default();
            let words = match who {
                For::Support => format!("{} by {}{note}, receipt {}", end.reason, end.actor, end.receipt),
                For::Owner => format!("{}: {} Receipt {}.", end.reason, end.reason.sentence(), end.receipt),
            };
            Some(Moment { at: end.at, what: "end", words: shown(&words) })
        }
        None if session.is_expired(case.now) => {
            let words = format!("{} by clock", session.expiry_reason());
            Some(Moment { at: session.expires_at, what: "end", words })
        }
        None => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::explain::case::asked_for;

    #[test]
    fn every_event_that_has_words_is_asked_for() {
        const AT: Timestamp = Timestamp::from_ms(1_795_000_000_000);
        for kind in EventKind::ALL {
            let is_told = told(&Occurrence::new(kind, AT)).is_some();
            // How the end was put on record is said among the facts.
            let is_needed = is_told || kind == EventKind::SessionEnded;
            assert_eq!(asked_for().any(|asked| asked == kind), is_needed, "{kind}");
        }
    }
}
