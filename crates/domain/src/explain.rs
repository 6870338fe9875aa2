//! Why somebody was signed out: what the server wrote down, held against what browsers reported of it.
//!
//! A browser's report is proof of nothing, but a report of a sign-out from a session that lives is worth looking for:
//! then a front end has signed somebody out by itself. Which kind of mistake it is, the kind of the report tells.
//!
//! An end that the server knows of is another matter: only a report that came with an authentic token outweighs it, for
//! anybody may claim anything of a session whose name they know.
//!
//! The words of the family: a [`Cause`] is why somebody is signed out; a [`Sighting`] is what one report is about; a
//! [`Scenario`] is the kind of mistake that nothing but the report's own type tells. `Evidence` is what the browser knew in
//! that moment, `Traces` a report as far as it matters to [`crate::suspect`], and a `Suspect` the mistake that they are the
//! marks of. Of an observed application there is no session, and so no cause: its sign-outs have a `Culprit`
//! ([`crate::observed::culprit`]), judged from all that the browser told; `Known` is what it told of a refused token.

use crate::client_report::ReportKind;
use crate::ends::{Actor, End, EndReason};
use crate::session::Session;
use crate::time::{EXPIRY_GRACE, Timestamp};

/// A browser's report of a sign-out, as far as it says what it is about.
#[derive(Clone, Copy, Debug)]
pub struct Reported<'a> {
    pub kind: ReportKind,
    /// The reason of the end that the browser was told, or a word of the client's own.
    pub reason: Option<&'a str>,
    pub receipt: Option<&'a str>,
    /// When it was seen, by the browser's clock; never later than it was received.
    pub at: Timestamp,
    /// By ours.
    pub received_at: Timestamp,
    /// Whether an authentic access token of the session came with it.
    pub is_verified: bool,
}

/// What a report is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Sighting {
    /// The end that the server had written down.
    TheEnd,
    /// The person signed out while the server could not be told.
    SignOut,
    /// The browser has lost the session's cookie: cleared, evicted, or gone with a browser that was not to remember.
    CookieLost,
    /// This browser held an old copy of the session, and was refused alone (policy `observe`).
    OldCopy,
    /// Nothing had ended: the front end did it by itself.
    ByItself(Scenario),
}

/// How a front end that signs people out by itself goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scenario {
    /// `TOKEN_EXPIRED`
    WrongExpiry,
    /// `REFRESH_FAILED`
    RefreshMisread,
    /// `AUTH_ERROR`
    RefusalTakenForAnEnd,
    /// `UNKNOWN`
    SomethingElse,
}

impl Scenario {
    pub const ALL: [Scenario; 4] = [
        Scenario::WrongExpiry,
        Scenario::RefreshMisread,
        Scenario::RefusalTakenForAnEnd,
        Scenario::SomethingElse,
    ];

    pub const fn letter(self) -> &'static str {
        match self {
            Scenario::WrongExpiry => "A",
            Scenario::RefreshMisread => "B",
            Scenario::RefusalTakenForAnEnd => "C",
            Scenario::SomethingElse => "D",
        }
    }

    /// What must have gone wrong.
    pub const fn mistake(self) -> &'static str {
        match self {
            Scenario::WrongExpiry => {
                "something in the page judged an expiry wrongly: the session had time left"
            }
            Scenario::RefreshMisread => {
                "something took an answer to a refresh for the end of a session that was valid"
            }
            Scenario::RefusalTakenForAnEnd => {
                "something took a 401, 402 or 403 of an API for the end of the session"
            }
            Scenario::SomethingElse => {
                "a script error, an extension, or code that signs out without saying why"
            }
        }
    }

    /// Where to look.
    pub const fn search(self) -> &'static str {
        match self {
            Scenario::WrongExpiry => {
                "code that reads `exp` or counts idle minutes, and signs out when an access token expires instead of renewing it"
            }
            Scenario::RefreshMisread => {
                "interceptors around the refresh, proxies that answer 401 themselves, and a database that was replaced"
            }
            Scenario::RefusalTakenForAnEnd => "interceptors that go to the sign-in page on a status alone",
            Scenario::SomethingElse => {
                "the browser's console for errors; try without extensions; search the code for what signs out"
            }
        }
    }
}

/// Why somebody is, or seems, signed out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Cause {
    /// Nothing ended, and nobody said so.
    Alive,
    /// It ended for a cause that the server wrote down.
    Ended,
    /// That, and the browser reported that very end.
    EndReported,
    /// The promised time was over.
    TimeOver,
    /// See [`Sighting`].
    SignOutUndelivered,
    CookieLost,
    OldCopy,
    Unexplained(Scenario),
}

impl Sighting {
    pub const fn as_str(self) -> &'static str {
        match self {
            Sighting::TheEnd => "the_end",
            Sighting::SignOut => "sign_out",
            Sighting::CookieLost => "cookie_lost",
            Sighting::OldCopy => "old_copy",
            Sighting::ByItself(Scenario::WrongExpiry) => "wrong_expiry",
            Sighting::ByItself(Scenario::RefreshMisread) => "refresh_misread",
            Sighting::ByItself(Scenario::RefusalTakenForAnEnd) => "refusal_taken_for_an_end",
            Sighting::ByItself(Scenario::SomethingElse) => "something_else",
        }
    }
}

impl Cause {
    pub const fn as_str(self) -> &'static str {
        match self {
            Cause::Alive => "alive",
            Cause::Ended => "ended",
            Cause::EndReported => "end_reported",
            Cause::TimeOver => "time_over",
            Cause::SignOutUndelivered => "sign_out_undelivered",
            Cause::CookieLost => "cookie_lost",
            Cause::OldCopy => "old_copy",
            Cause::Unexplained(_) => "unexplained",
        }
    }
}

/// The cause, and which of the reports it was found by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict {
    pub cause: Cause,
    pub report: Option<usize>,
}

/// What the report of a sign-out from this session is about.
pub fn sighting(session: &Session, report: &Reported<'_>) -> Sighting {
    use ReportKind::{AuthError, RefreshFailed, TokenExpired, Unknown, UserAction};
    if is_of_the_end(session, report) {
        return Sighting::TheEnd;
    }
    match (report.kind, report.reason) {
        (UserAction, _) => Sighting::SignOut,
        (_, Some("cookie_missing")) => Sighting::CookieLost,
        // That is what clients call it when the browser was closed.
        (_, Some("short_lifetime")) if !session.remembered => Sighting::CookieLost,
        (_, Some("session_superseded")) => Sighting::OldCopy,
        (TokenExpired, _) => Sighting::ByItself(Scenario::WrongExpiry),
        (RefreshFailed, _) => Sighting::ByItself(Scenario::RefreshMisread),
        (AuthError, _) => Sighting::ByItself(Scenario::RefusalTakenForAnEnd),
        (Unknown, _) => Sighting::ByItself(Scenario::SomethingElse),
    }
}

fn is_of_the_end(session: &Session, report: &Reported<'_>) -> bool {
    // Clocks of browsers may be a little behind.
    let is_seen_by = |at: Timestamp| report.at + EXPIRY_GRACE >= at;
    if is_seen_by(session.expires_at) {
        return true;
    }
    let Some(end) = &session.ended else { return false };
    if report.receipt == Some(end.receipt.as_str()) || report.reason == Some(end.reason.as_str()) {
        return true;
    }
    match end.reason {
        // Told to the server later, if the network was away.
        EndReason::SignedOut | EndReason::SignedOutEverywhere if report.kind == ReportKind::UserAction => {
            true
        }
        // Whom a front end has signed out signs in again at once: of what came before, this is the consequence.
        EndReason::ReplacedBySignIn => report.at >= end.at,
        _ => report.received_at >= end.at && is_seen_by(end.at),
    }
}

/// Whether a report of this session says more of why somebody is signed out than what the server knows by itself.
///
/// While the session lives, each does that is not of its end. Once it is over, only one that is verified, and after which
/// no refresh came: where one did, the browser had come back by itself.
pub fn outweighs(session: &Session, last_used_at: Timestamp, report: &Reported<'_>, now: Timestamp) -> bool {
    let is_over = session.ended.is_some() || session.is_expired(now);
    let counts = !is_over || (report.is_verified && report.at >= last_used_at);
    counts && sighting(session, report) != Sighting::TheEnd
}

/// Why the person of this session is, or seems, signed out. Reports are those of this session, in any order.
pub fn verdict(
    session: &Session,
    last_used_at: Timestamp,
    reports: &[Reported<'_>],
    now: Timestamp,
) -> Verdict {
    let seen: Vec<_> = reports.iter().map(|report| sighting(session, report)).collect();
    // Of several the one that has most to it, and of those the last.
    let last = |is_meant: &dyn Fn(usize) -> bool| {
        let meant = (0..reports.len()).filter(|index| is_meant(*index));
        meant.max_by_key(|index| (reports[*index].is_verified, reports[*index].at, *index))
    };
    if let Some(index) = last(&|index| outweighs(session, last_used_at, &reports[index], now)) {
        let cause = match seen[index] {
            Sighting::TheEnd | Sighting::SignOut => Cause::SignOutUndelivered,
            Sighting::CookieLost => Cause::CookieLost,
            Sighting::OldCopy => Cause::OldCopy,
            Sighting::ByItself(scenario) => Cause::Unexplained(scenario),
        };
        return Verdict { cause, report: Some(index) };
    }
    let report = last(&|index| seen[index] == Sighting::TheEnd);
    let cause = match &session.ended {
        Some(end) if end.actor == Actor::Clock => Cause::TimeOver,
        Some(_) if report.is_some() => Cause::EndReported,
        Some(_) => Cause::Ended,
        None if session.is_expired(now) || report.is_some() => Cause::TimeOver,
        None => Cause::Alive,
    };
    Verdict { cause, report }
}

/// What ended it, and whose act that was, for those who are asked for the reason.
pub fn account_of(end: &End) -> String {
    let deed = match end.reason {
        EndReason::SignedOut => "This session was signed out",
        EndReason::SignedOutEverywhere => "All sessions of this person were signed out",
        EndReason::PasswordChanged => {
            "The password was changed in another session, which ends all the others"
        }
        EndReason::PasswordReset => "The password was reset, which ends all sessions",
        EndReason::AdminRevoked => "The session was revoked",
        EndReason::UserDisabled => "The user was disabled, which ends all sessions",
        EndReason::UserDeleted => "The user was deleted, which ends all sessions",
        EndReason::TokenReuse => "An old copy of the session's cookie was presented twice",
        EndReason::ReplacedBySignIn => "The same person signed in again on the same device",
        EndReason::SessionLimit => "More sessions were begun than are allowed",
        EndReason::RememberedLifetime => "The time of a remembered sign-in was over",
        EndReason::ShortLifetime => "The time of a sign-in without \"remember me\" was over",
    };
    let whose = match &end.actor {
        Actor::User => "the person's own act".into(),
        Actor::Admin(name) => format!("an act of {name}"),
        Actor::Policy => "by a policy of this installation".into(),
        Actor::Clock => "by the clock, as promised at the sign-in".into(),
    };
    format!("{deed}: {whose}.")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::id::{ReceiptId, SessionId, UserId};
    use crate::rotation::Rotation;

    const SIGN_IN: Timestamp = Timestamp::from_ms(1_795_000_000_000);
    const MINUTE: Duration = Duration::from_secs(60);
    const DAY: Duration = Duration::from_secs(86_400);

    fn at(minutes: u32) -> Timestamp {
        SIGN_IN + MINUTE * minutes
    }

    fn session(remembered: bool) -> Session {
        Session {
            id: SessionId::from_bytes([1; 16]),
            user_id: UserId::from_bytes([2; 16]),
            salt: [3; 16],
            remembered,
            created_at: SIGN_IN,
            expires_at: SIGN_IN + if remembered { 20 * DAY } else { DAY },
            rotation: Rotation::at_sign_in(SIGN_IN),
            ended: None,
        }
    }

    /// Ended an hour after the sign-in.
    fn ended(reason: EndReason) -> Session {
        let actor = match reason {
            EndReason::RememberedLifetime | EndReason::ShortLifetime => Actor::Clock,
            EndReason::TokenReuse | EndReason::SessionLimit => Actor::Policy,
            EndReason::AdminRevoked => Actor::Admin("grace".into()),
            _ => Actor::User,
        };
        let end = End { receipt: ReceiptId::generate([1; 5]), reason, actor, at: at(60), note: None };
        Session { ended: Some(end), ..session(true) }
    }

    fn report(kind: ReportKind, at: Timestamp) -> Reported<'static> {
        Reported { kind, reason: None, receipt: None, at, received_at: at, is_verified: true }
    }

    /// Asked two hours after the sign-in.
    #[track_caller]
    fn check(session: &Session, reports: &[Reported<'_>], cause: Cause, index: Option<usize>) {
        assert_eq!(verdict(session, SIGN_IN, reports, at(120)), Verdict { cause, report: index });
    }

    #[test]
    fn what_was_written_down_is_the_cause_whatever_its_reason() {
        for reason in EndReason::ALL {
            let session = ended(reason);
            let is_time = matches!(reason, EndReason::RememberedLifetime | EndReason::ShortLifetime);
            let (alone, heard) =
                if is_time { (Cause::TimeOver, Cause::TimeOver) } else { (Cause::Ended, Cause::EndReported) };
            check(&session, &[], alone, None);
            check(&session, &[report(ReportKind::RefreshFailed, at(61))], heard, Some(0));
            assert!(account_of(session.ended.as_ref().unwrap()).ends_with('.'));
        }
        assert!(
            account_of(ended(EndReason::AdminRevoked).ended.as_ref().unwrap()).contains("an act of grace")
        );
    }

    #[test]
    fn time_that_is_over_needs_no_row_to_say_so() {
        let short = session(false);
        let later = SIGN_IN + DAY + MINUTE;
        let judged = |reports: &[Reported<'_>], now| verdict(&short, SIGN_IN, reports, now).cause;
        assert_eq!(judged(&[], later - MINUTE), Cause::Alive, "the grace minute");
        assert_eq!(judged(&[], later), Cause::TimeOver);
        // A browser's clock may be a little ahead.
        let early = report(ReportKind::TokenExpired, short.expires_at - MINUTE);
        assert_eq!(judged(&[early], later - MINUTE), Cause::TimeOver);
        let too_early = Reported { at: early.at - Duration::from_millis(1), ..early };
        assert_eq!(judged(&[too_early], later - MINUTE), Cause::Unexplained(Scenario::WrongExpiry));
    }

    #[test]
    fn a_session_that_lives_was_left_for_one_of_these_causes() {
        use ReportKind::{AuthError, RefreshFailed, TokenExpired, Unknown, UserAction};
        for (remembered, kind, reason, cause) in [
            (true, TokenExpired, None, Cause::Unexplained(Scenario::WrongExpiry)),
            (true, TokenExpired, Some("remembered_lifetime"), Cause::Unexplained(Scenario::WrongExpiry)),
            (true, TokenExpired, Some("short_lifetime"), Cause::Unexplained(Scenario::WrongExpiry)),
            (true, RefreshFailed, None, Cause::Unexplained(Scenario::RefreshMisread)),
            (true, RefreshFailed, Some("session_unknown"), Cause::Unexplained(Scenario::RefreshMisread)),
            (true, RefreshFailed, Some("admin_revoked"), Cause::Unexplained(Scenario::RefreshMisread)),
            (true, AuthError, None, Cause::Unexplained(Scenario::RefusalTakenForAnEnd)),
            (true, Unknown, None, Cause::Unexplained(Scenario::SomethingElse)),
            (true, UserAction, Some("signed_out"), Cause::SignOutUndelivered),
            (true, RefreshFailed, Some("cookie_missing"), Cause::CookieLost),
            (false, TokenExpired, Some("short_lifetime"), Cause::CookieLost),
            (true, RefreshFailed, Some("session_superseded"), Cause::OldCopy),
        ] {
            let report = Reported { reason, ..report(kind, at(25)) };
            check(&session(remembered), &[report], cause, Some(0));
        }
        check(&session(true), &[], Cause::Alive, None);
    }

    #[test]
    fn a_report_from_before_an_end_is_not_of_it_unless_it_names_it() {
        let kind = ReportKind::RefreshFailed;
        let revoked = ended(EndReason::AdminRevoked);
        let early = report(kind, at(25));
        let by_itself = Cause::Unexplained(Scenario::RefreshMisread);
        check(&revoked, &[early], by_itself, Some(0));
        let receipt = revoked.ended.as_ref().unwrap().receipt.clone();
        for named in [
            Reported { receipt: Some(receipt.as_str()), ..early },
            Reported { reason: Some("admin_revoked"), ..early },
        ] {
            check(&revoked, &[named], Cause::EndReported, Some(0));
        }
        check(&revoked, &[Reported { receipt: Some("R-0000-0000"), ..early }], by_itself, Some(0));
        // By a clock that is a minute behind, and before it.
        let behind = Reported { received_at: at(60), ..report(kind, at(59)) };
        check(&revoked, &[behind], Cause::EndReported, Some(0));
        check(&revoked, &[report(kind, at(59))], by_itself, Some(0));
        // A sign-out that was made without a network.
        let wish = report(ReportKind::UserAction, at(25));
        check(&ended(EndReason::SignedOut), &[wish], Cause::EndReported, Some(0));
        check(&revoked, &[wish], Cause::SignOutUndelivered, Some(0));
    }

    #[test]
    fn signing_in_again_at_once_hides_no_bug() {
        let replaced = ended(EndReason::ReplacedBySignIn);
        let moment = Duration::from_millis(1);
        let before = report(ReportKind::Unknown, at(60) - moment);
        check(&replaced, &[before], Cause::Unexplained(Scenario::SomethingElse), Some(0));
        check(&replaced, &[Reported { at: at(60), ..before }], Cause::EndReported, Some(0));
    }

    #[test]
    fn whoever_came_back_by_themselves_was_not_signed_out_then() {
        let report = [report(ReportKind::Unknown, at(25))];
        let judged = |session: &Session, last_used| verdict(session, at(last_used), &report, at(120)).cause;
        let by_itself = Cause::Unexplained(Scenario::SomethingElse);
        let revoked = ended(EndReason::AdminRevoked);
        assert_eq!(judged(&revoked, 25), by_itself);
        assert_eq!(judged(&revoked, 26), Cause::Ended);
        // While it lives, it is what there is to explain.
        assert_eq!(judged(&session(true), 26), by_itself);
    }

    #[test]
    fn a_claim_outweighs_no_end_that_the_server_knows_of() {
        let kinds = [ReportKind::TokenExpired, ReportKind::RefreshFailed, ReportKind::UserAction];
        for report in kinds.map(|kind| report(kind, at(25))) {
            let claim = Reported { is_verified: false, ..report };
            for reason in EndReason::ALL {
                let session = ended(reason);
                let cause = verdict(&session, SIGN_IN, &[claim], at(120)).cause;
                let known = [Cause::Ended, Cause::TimeOver, Cause::EndReported];
                assert!(known.contains(&cause), "{reason}: {cause:?}");
                assert!(!outweighs(&session, SIGN_IN, &claim, at(120)));
            }
            let later = SIGN_IN + DAY + MINUTE;
            assert_eq!(verdict(&session(false), SIGN_IN, &[claim], later).cause, Cause::TimeOver);
            // Beside one that is verified it changes nothing, and of a session that lives it is all there is.
            let revoked = ended(EndReason::AdminRevoked);
            let both = verdict(&revoked, SIGN_IN, &[report, claim], at(120));
            assert_eq!((both.report, outweighs(&revoked, SIGN_IN, &report, at(120))), (Some(0), true));
            assert!(outweighs(&session(true), SIGN_IN, &claim, at(120)));
        }
    }

    #[test]
    fn of_several_reports_a_verified_one_counts_and_then_the_last() {
        let claimed = Reported { is_verified: false, ..report(ReportKind::AuthError, at(40)) };
        let (first, last) = (report(ReportKind::Unknown, at(20)), report(ReportKind::TokenExpired, at(30)));
        let session = session(true);
        check(&session, &[last, claimed, first], Cause::Unexplained(Scenario::WrongExpiry), Some(0));
        check(&session, &[claimed], Cause::Unexplained(Scenario::RefusalTakenForAnEnd), Some(0));
    }

    #[test]
    fn scenarios_have_their_letters() {
        let letters: String = Scenario::ALL.iter().map(|scenario| scenario.letter()).collect();
        assert_eq!(letters, "ABCD");
    }
}
