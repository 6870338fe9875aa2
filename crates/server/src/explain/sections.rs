//! A case in five sections, WHAT, WHY, WHEN, WHERE and HOW, and in the order of time.

use std::time::Duration;

use tenure_domain::ends::End;
use tenure_domain::explain::{Cause, Scenario, Sighting, account_of};
use tenure_domain::measure::{answered, millis, span};
use tenure_domain::suspect::{Evidence, Suspect};

use super::case::{Case, Report};
use super::rhythm;
use super::said::{Explained, For, Said, Section};
use super::timeline::timeline;
use crate::wording::text::shown;
use crate::wording::{device, session};

/// All that is to be said of a case, as somebody may read it. The person whose session it is learns what and when, and not
/// who administers it.
pub fn explained(case: &Case, who: For) -> Explained {
    let sections = [
        ("what", what(case)),
        ("why", why(case)),
        ("when", when(case)),
        ("where", where_(case)),
        ("how", how(case)),
    ];
    let sections = sections.map(|(name, section)| (name, section.for_reader(who)));
    Explained { sections, moments: timeline(case, who) }
}

pub fn scenario(case: &Case) -> Option<Scenario> {
    match case.verdict.cause {
        Cause::Unexplained(scenario) => Some(scenario),
        _ => None,
    }
}

pub fn end(case: &Case) -> Option<&End> {
    case.record.session.ended.as_ref()
}

// === The sections ===

fn what(case: &Case) -> Section {
    let mut section = Section::default();
    let session = &case.record.session;
    section.say("verdict", Said::words(sentence(case, For::Support)));
    section.say("session", Said::words(session::line(&case.record, case.now)));
    section.say_to_all("user", Said::words(session.user_id.to_string()));
    match &case.user {
        Some(user) => {
            section.say_to_all("email", Said::Foreign(user.email.clone()));
            section.say_to_all("user_disabled", user.disabled_at.map(Said::At));
        }
        None => section.say_to_all("user_deleted", Said::Is(true)),
    }
    section
}

/// The verdict in plain words.
pub fn sentence(case: &Case, who: For) -> String {
    let account_of = |end: &End| match who {
        For::Support => account_of(end),
        For::Owner => end.reason.sentence().to_owned(),
    };
    let later = end(case).map(|end| format!(" Later: {}", shown(&account_of(end)))).unwrap_or_default();
    let is_alive = !case.record.session.is_expired(case.now) && end(case).is_none();
    // Whose session it is has no front end to mend.
    let suspect = case.suspect().filter(|_| who == For::Support);
    let stands = if is_alive { "the session is alive" } else { "the session was alive then" };
    match case.verdict.cause {
        Cause::Alive => "The session is alive, and no browser reported a sign-out from it.".into(),
        Cause::Ended | Cause::EndReported => {
            let account = end(case).map(&account_of).unwrap_or_default();
            let heard = match case.verdict.cause {
                Cause::EndReported => " The browser reported this very end.",
                _ => "",
            };
            let doubt = suspect.map(|suspect| {
                format!(" The person may not have asked for it: it came {}.", shown(&suspect.words()))
            });
            let doubt = doubt.unwrap_or_default();
            let claims = claims(case, who);
            format!("Ended for a cause that was written down. {}{heard}{doubt}{claims}", shown(&account))
        }
        Cause::TimeOver => {
            let what = match case.record.session.remembered {
                true => "a remembered sign-in had lasted to its last moment",
                false => "\"remember me\" had not been asked for",
            };
            format!("The promised time was over: {what}.{}", claims(case, who))
        }
        Cause::SignOutUndelivered => {
            format!(
                "The person signed out in the browser, and the server has not been told: {stands}.{later}"
            )
        }
        Cause::CookieLost => format!("The browser lost the session's cookie: {stands}.{later}"),
        Cause::OldCopy => {
            format!("This browser held an old copy of the session and was refused alone: {stands}.{later}")
        }
        Cause::Unexplained(_) => {
            let told = case.report().map(telling).unwrap_or_default();
            let suspect = suspect.map(|suspect| format!(" It came {}.", shown(&suspect.words())));
            let suspect = suspect.unwrap_or_default();
            let verdict = "unexplained: the front end signed the person out by itself";
            format!("{verdict}; {stands}. It reported {told}.{suspect}{later}")
        }
    }
}

/// That reports say otherwise which prove nothing. Whose session it is finds them in the timeline.
fn claims(case: &Case, who: For) -> &'static str {
    let is_claim = |report: &Report| !report.is_verified() && report.sighting != Sighting::TheEnd;
    match who == For::Support && case.reports.iter().any(is_claim) {
        true => " Reports without proof say otherwise: see the timeline.",
        false => "",
    }
}

/// A report in a few words: type, page, release and idle time.
pub fn telling(report: &Report) -> String {
    let claims = &report.report.claims;
    let mut told = claims.kind.to_string();
    let mut add = |before: &str, text: Option<String>| {
        if let Some(text) = text {
            told.push_str(&format!("{before}{}", shown(&text)));
        }
    };
    add(", reason ", claims.reason.clone());
    add(" on page ", claims.location.clone());
    add(" of release ", claims.release.clone());
    let idle = claims.idle.filter(|idle| !idle.is_zero());
    add(" after idling for ", idle.map(|idle| span(millis(idle))));
    add(" ", (!report.is_verified()).then(|| "(claimed, not verified)".into()));
    told
}

fn why(case: &Case) -> Section {
    let mut section = Section::default();
    if let Some(end) = end(case) {
        section.say_to_all("reason", Said::words(end.reason.as_str()));
        section.say("actor", Said::Foreign(end.actor.to_string()));
        section.say("note", Said::foreign(&end.note));
        section.say_to_all("receipt", Said::Foreign(end.receipt.to_string()));
    } else if case.verdict.cause == Cause::TimeOver {
        section.say_to_all("reason", Said::words(case.record.session.expiry_reason().as_str()));
        section.say("actor", Said::words("clock"));
    }
    if let Some(Report { report, sighting, .. }) = case.report() {
        section.say_to_all("reported_as", Said::words(report.claims.kind.as_str()));
        section.say_to_all("reported_reason", Said::foreign(&report.claims.reason));
        section.say_to_all("reported_receipt", Said::foreign(&report.claims.receipt));
        section.say_to_all("which_is", Said::words(words_for(*sighting)));
    }
    if let Some(scenario) = scenario(case) {
        section.say_to_all("scenario", Said::words(format!("{}: {}", scenario.letter(), scenario.mistake())));
    }
    let suspect = case.suspect();
    section.say("suspect", suspect.map(|suspect| Said::words(suspect.as_str())));
    section.say("it_came", suspect.map(|suspect| Said::Foreign(suspect.words())));
    let search = suspect.map(Suspect::search).or(look_for(case.verdict.cause));
    section.say("look_for", search.map(Said::words));
    section
}

fn look_for(cause: Cause) -> Option<&'static str> {
    match cause {
        Cause::Unexplained(scenario) => Some(scenario.search()),
        Cause::CookieLost => Some(
            "a closed browser after a sign-in without \"remember me\", cleared browser data, `Clear-Site-Data` headers",
        ),
        Cause::OldCopy => {
            Some("a copied browser profile, a restored backup, a program that replays requests")
        }
        Cause::SignOutUndelivered => Some(
            "a browser that is offline and will deliver it; otherwise `tenure session end`, for the person wants it over",
        ),
        Cause::Alive | Cause::Ended | Cause::EndReported | Cause::TimeOver => None,
    }
}

pub fn words_for(sighting: Sighting) -> &'static str {
    match sighting {
        Sighting::TheEnd => "the end that the server had written down",
        Sighting::SignOut => "the person's own wish, which the server had not been told",
        Sighting::CookieLost => "a lost cookie; the session lived",
        Sighting::OldCopy => "an old copy that was refused; the session lived",
        Sighting::ByItself(_) => "nothing that the server knows of; the session lived",
    }
}

fn when(case: &Case) -> Section {
    let mut section = Section::default();
    let session = &case.record.session;
    section.say_to_all("signed_in", Said::At(session.created_at));
    section.say_to_all("last_refresh", Said::At(case.record.last_used_at));
    section.say_to_all("refreshed", rhythm::words(&case.rhythm).map(Said::words));
    section.say_to_all("promised_until", Said::At(session.expires_at));
    section.say_to_all("ended", end(case).map(|end| Said::At(end.at)));
    if let Some(Report { report, seen_at, .. }) = case.report() {
        section.say_to_all("seen_by_browser", Said::At(*seen_at));
        section.say_to_all("report_received", Said::At(report.received_at));
        section.say_to_all("idle", report.claims.idle.map(Said::Span));
    }
    let moment = case.moment();
    section.say_to_all("after_sign_in", Said::Span(moment.since(session.created_at)));
    section.say_to_all("time_left_then", Said::Span(session.expires_at.since(moment)));
    section
}

fn where_(case: &Case) -> Section {
    let mut section = Section::default();
    let at_sign_in = &case.record.device;
    section.say_to_all("device", Said::Foreign(device::label(at_sign_in.user_agent.as_deref())));
    section.say_to_all("device_id", Said::foreign(&at_sign_in.id));
    section.say_to_all("address", Said::foreign(&at_sign_in.address));
    if let Some(ended) = case.end_event() {
        let label = ended.whence.user_agent.as_deref().map(|agent| device::label(Some(agent)));
        section.say("ended_on", label.map(Said::Foreign));
        section.say("ended_from", Said::foreign(&ended.whence.address));
    }
    if let Some(Report { report, .. }) = case.report() {
        section.say_to_all("page", Said::foreign(&report.claims.location));
        section.say_to_all("browser", Said::Foreign(report.browser.clone()));
        section.say_to_all("reported_from", Said::Foreign(report.address.clone()));
        section.say_to_all("release", Said::foreign(&report.claims.release));
        section.say_to_all("client", Said::foreign(&report.claims.client));
    }
    section
}

/// What the browser knew, each fact as it is.
fn say_evidence(section: &mut Section, evidence: &Evidence) {
    let exactly = |ms: u64| Said::Span(Duration::from_millis(ms));
    if let Some(answer) = &evidence.answer {
        let failure = answered(answer.status, answer.code.as_deref(), answer.path.as_deref());
        section.say_to_all("last_failure", Said::Foreign(failure));
        section.say_to_all("failed_before", Said::words(format!("{} ms", answer.ago_ms)));
        section.say_to_all("was_this_server", answer.is_ours.map(Said::Is));
    }
    if let Some(error) = &evidence.error {
        section.say_to_all("last_error", Said::Foreign(error.message.clone()));
        section.say_to_all("error_before", Said::words(format!("{} ms", error.ago_ms)));
    }
    let left = evidence.access_left_ms;
    section.say_to_all("access_left", left.and_then(|ms| ms.try_into().ok()).map(exactly));
    section.say_to_all("access_over_for", left.filter(|ms| *ms < 0).map(|ms| exactly(ms.unsigned_abs())));
    let ahead = evidence.clock_ahead_ms.filter(|ms| ms.unsigned_abs() >= 1_000);
    let side = if ahead > Some(0) { "clock_ahead" } else { "clock_behind" };
    section.say_to_all(side, ahead.map(|ms| exactly(ms.unsigned_abs())));
    section.say_to_all("page_loaded", evidence.page_age_ms.map(|ms| Said::words(format!("{ms} ms before"))));
    section.say_to_all("tokens_of_tabs", evidence.tokens_from_tabs.map(Said::Number));
}

fn how(case: &Case) -> Section {
    let mut section = Section::default();
    let rotation = &case.record.session.rotation;
    section.say_to_all("remembered", Said::Is(case.record.session.remembered));
    section.say_to_all("refreshes", Said::Number(case.record.refresh_count));
    let (base, head) = (rotation.base.0, rotation.head.0);
    section.say_to_all("generations", Said::words(format!("{base} to {head} are accepted")));
    section.say_to_all("old_copy_seen", rotation.contested_at.map(Said::At));
    if let Some(report) = case.report() {
        let claims = &report.report.claims;
        section.say_to_all("report_verified", Said::Is(report.is_verified()));
        section.say_to_all("had_access_token", claims.has_token.map(Said::Is));
        section.say_to_all("had_session", claims.has_refresh_token.map(Said::Is));
        section.say_to_all("was_signed_in", claims.is_authenticated.map(Said::Is));
        claims.evidence.iter().for_each(|evidence| say_evidence(&mut section, evidence));
        section.say("type_said", Said::foreign(&claims.kind_said));
        section.say_to_all("message", Said::foreign(&claims.message));
    }
    section.say_to_all("reports", Said::Number((case.reports.len() + case.reports_untold) as u64));
    section.say_to_all(
        "reports_untold",
        (case.reports_untold > 0).then_some(Said::Number(case.reports_untold as u64)),
    );
    section
}
