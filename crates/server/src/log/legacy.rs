//! The lines that Tenure's predecessors wrote of sign-outs, for whoever has recipes and habits for them. What stands for
//! what is told in docs/guide/logs.md.
//!
//! Whatever a browser said stands in them escaped, without square brackets and with `_` between the words of a phrase that
//! is looked for, so that nobody can write a line of their own into the log, or one that a recipe finds.

use std::fmt::{Display, Write as _};

use tenure_domain::ends::EndReason;
use tenure_domain::problem::Code;
use tenure_store::{ClientReport, Ended};

use crate::http::arrival::Arrival;
use crate::http::problem::Problem;

/// Lines about a request that was answered; none about most.
pub fn of_request(arrival: &Arrival, path: &str, problem: Option<&Problem>) -> String {
    let mut lines = String::new();
    let ended = arrival.ended();
    for Ended { session_id, end, .. } in ended.iter().filter(|ended| is_automatic(ended.end.reason)) {
        let what = format!("{} (by {})", what(end.reason), harmless(&end.actor.to_string()));
        let of = Of { session: Some(session_id), receipt: Some(&end.receipt), ..Of::request(arrival, path) };
        auto_logout(&mut lines, &what, &of);
    }
    let Some(problem) = problem else { return lines };
    let session = problem.session.or(arrival.session());
    let session = session.as_ref().map(|session| session as &dyn Display);
    let of = Of { session, ..Of::request(arrival, path) };
    match (&problem.end, problem.code) {
        // It has just been told, with more words.
        (Some(_), _) if !ended.is_empty() => {}
        (Some((reason, receipt)), _) if is_automatic(*reason) => {
            auto_logout(&mut lines, &what(*reason), &Of { receipt: Some(receipt), ..of });
        }
        (None, Code::SessionSuperseded) => {
            auto_logout(&mut lines, &format!("{CONTAMINATION}: session_superseded"), &of);
        }
        (None, code @ (Code::SessionExpired | Code::SessionNotFound)) => {
            auto_logout(&mut lines, &format!("Session ended: {code}"), &of);
        }
        (None, code) if is_account_or_plan(code) => {
            let _ = writeln!(lines, "[BLOCKED] Account/plan validation failed: {code}. {of}");
        }
        _ => {}
    }
    lines
}

const CONTAMINATION: &str = "Session contamination";

/// Whether somebody else than the person ended it.
fn is_automatic(reason: EndReason) -> bool {
    match reason {
        EndReason::SignedOut
        | EndReason::SignedOutEverywhere
        | EndReason::PasswordChanged
        | EndReason::ReplacedBySignIn => false,
        EndReason::PasswordReset
        | EndReason::AdminRevoked
        | EndReason::UserDisabled
        | EndReason::UserDeleted
        | EndReason::TokenReuse
        | EndReason::SessionLimit
        | EndReason::RememberedLifetime
        | EndReason::ShortLifetime => true,
    }
}

/// One browser's session in another's hands was contamination then, and is reuse now.
fn what(reason: EndReason) -> String {
    let what = if reason == EndReason::TokenReuse { CONTAMINATION } else { "Session ended" };
    format!("{what}: {reason}")
}

/// What signed people out then, and only blocks their requests now.
fn is_account_or_plan(code: Code) -> bool {
    matches!(
        code,
        Code::AccountMissing
            | Code::AccountSuspended
            | Code::AccountCancelled
            | Code::PlanMissing
            | Code::PlanInactive
    )
}

fn auto_logout(lines: &mut String, what: &str, of: &Of<'_>) {
    let _ = writeln!(lines, "[AUTO-LOGOUT] {what}. {of}");
}

/// Whom and what a line is about.
struct Of<'a> {
    arrival: &'a Arrival,
    path: &'a str,
    session: Option<&'a dyn Display>,
    receipt: Option<&'a dyn Display>,
}

impl<'a> Of<'a> {
    fn request(arrival: &'a Arrival, path: &'a str) -> Self {
        Self { arrival, path, session: None, receipt: None }
    }
}

impl Display for Of<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "User={}, ", or_dash(self.arrival.user()))?;
        write!(f, "Session={}, Receipt={}, ", or_dash(self.session), or_dash(self.receipt))?;
        write!(f, "Path={}, IP={}", harmless(self.path), self.arrival.address)
    }
}

/// What recipes look for besides words in brackets, in small letters.
const LOOKED_FOR: [&str; 3] = ["session contamination", "account/plan validation failed", "logout event"];

/// What somebody else wrote: on one line, and without anything that is looked for.
pub fn harmless(text: &str) -> String {
    let mut text = text.escape_debug().to_string().replace('[', "(").replace(']', ")");
    for phrase in LOOKED_FOR {
        // Small letters of ASCII are as long as large ones, so a place in one is a place in the other.
        while let Some(at) = text.to_ascii_lowercase().find(phrase) {
            let blanks = text[at..at + phrase.len()].replace(' ', "_");
            text.replace_range(at..at + phrase.len(), &blanks);
        }
    }
    text
}

fn or_dash(value: Option<impl Display>) -> String {
    value.map_or("-".to_owned(), |value| value.to_string())
}

/// The block about a sign-out that a browser reported, and a line besides if the person did not ask for it.
pub fn of_report(report: &ClientReport, arrival: &Arrival, path: &str) -> String {
    const RULE: &str = "================================================================================";
    let claims = &report.claims;
    let said = |text: &Option<String>| text.as_deref().map_or("not said".to_owned(), harmless);
    let at = claims.at.unwrap_or(report.received_at).to_string().replace('T', " ");
    let idle = claims.idle.map_or("not said".to_owned(), |idle| format!("{} minutes", idle.as_secs() / 60));
    let user = report.verified.map_or("unknown".to_owned(), |(_, user)| format!("signed in (ID: {user})"));
    let session = report.verified.map(|(session, _)| session).or(claims.session);
    let context: Vec<String> = [
        ("hasToken", claims.has_token),
        ("hasRefreshToken", claims.has_refresh_token),
        ("isAuthenticated", claims.is_authenticated),
    ]
    .into_iter()
    .filter_map(|(name, value)| Some(format!("'{name}': {}", if value? { "True" } else { "False" })))
    .collect();
    let mut block = format!("{RULE}\nLOGOUT EVENT - {}\n{RULE}\n", at.get(..19).unwrap_or(&at));
    for (name, value) in [
        ("Type", claims.kind.to_string()),
        ("Message", said(&claims.message)),
        ("Idle Time", idle),
        ("Location", said(&claims.location)),
        ("User", user),
        ("IP", report.address.clone()),
        ("User Agent", said(&report.user_agent)),
        ("Context", format!("{{{}}}", context.join(", "))),
        ("Session", or_dash(session)),
        ("Reason", said(&claims.reason)),
        ("Receipt", said(&claims.receipt)),
    ] {
        let _ = writeln!(block, "{name}: {value}");
    }
    let _ = writeln!(block, "{RULE}");
    if claims.kind != tenure_domain::client_report::ReportKind::UserAction {
        let session = session.as_ref().map(|session| session as &dyn Display);
        let of = Of { session, ..Of::request(arrival, path) };
        auto_logout(&mut block, &format!("Reported by the browser: {}", claims.kind), &of);
    }
    block
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_can_write_what_recipes_look_for() {
        for (text, shown) in [
            ("[AUTO-LOGOUT] x", "(AUTO-LOGOUT) x"),
            ("a\nSession contamination: b", "a\\nSession_contamination: b"),
            ("Account/plan validation failed", "Account/plan_validation_failed"),
            ("LOGOUT EVENT - Logout Event", "LOGOUT_EVENT - Logout_Event"),
            ("a session \u{e9} of a logout, an event", "a session \u{e9} of a logout, an event"),
        ] {
            assert_eq!(harmless(text), shown);
        }
    }
}
