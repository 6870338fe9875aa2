//! Each planted fault is found by the scenario that is there for it, and none makes the measurement hang or break.

use std::sync::atomic::Ordering;
use std::time::Duration;

use super::back_end::{Fault, PROFILE, Running, planted, start};
use super::{Measurement, nothing_but, said};

impl Running {
    fn measured(&self) -> Measurement {
        Measurement::by_profile(&self.url, PROFILE)
    }

    /// Suspended as it says, and activated by a command.
    fn hooked(&self, suspend: &str, activate: &[&str]) -> Measurement {
        let others = PROFILE.split("suspend =").next().unwrap();
        let hooks = format!("suspend = {{ {suspend} }}\nactivate = {{ run = {activate:?} }}\n");
        Measurement::by_profile(&self.url, &format!("{others}{hooks}"))
    }
}

#[test]
fn of_a_back_end_without_a_fault_nothing_is_complained_about() {
    let verdicts = planted(Fault::None).measured().verdicts(0);
    nothing_but(&verdicts, &[]);
    let holds = verdicts.values().filter(|(verdict, _)| verdict == "holds").count();
    assert!(holds >= 40, "{holds}: {verdicts:#?}");
}

#[test]
fn whoever_was_signed_in_to_measure_is_signed_out_again() {
    let running = planted(Fault::None);
    running.measured().verdicts(0);
    let sessions = running.planted.sessions.lock().unwrap();
    assert!(sessions.living.is_empty(), "{:?}", sessions.living);
}

/// What is found of it, and nothing else is.
#[track_caller]
fn found(fault: Fault, signs_out: &[&str], wrong: &[&str]) {
    let verdicts = planted(fault).measured().verdicts(1);
    said(&verdicts, "signs_out", signs_out);
    said(&verdicts, "wrong", wrong);
    let mut all = [signs_out, wrong].concat();
    all.sort_unstable();
    nothing_but(&verdicts, &all);
}

#[test]
fn a_replaced_token_that_is_refused_at_once_is_found() {
    found(Fault::NoGrace, &["C20.1", "C20.2", "C20.3", "C20.4", "C20.5", "C20.6"], &[]);
}

#[test]
fn one_replay_that_ends_everything_is_found() {
    let verdicts = planted(Fault::ReuseEndsAll).measured().verdicts(1);
    said(&verdicts, "signs_out", &["C20.1", "C20.3", "C20.4", "C20.7", "C20.8", "C20.9", "C43.1"]);
    said(&verdicts, "holds", &["C20.11", "C29.1", "C36.1"]);
}

#[test]
fn a_fault_about_who_may_is_found() {
    found(Fault::EndsAt403, &["C21.1"], &[]);
    found(Fault::BoundToAgent, &["C01.1"], &[]);
    found(Fault::ForgeryEndsSession, &["C33.1"], &[]);
    found(Fault::OneSession, &["C36.1"], &[]);
    found(Fault::LimitIs401, &["C43.1"], &[]);
    found(Fault::FirstIsServedAsSecond, &[], &["C02.1"]);
    found(Fault::SecondIsServedAsFirst, &[], &["C02.1"]);
}

#[test]
fn two_people_cannot_be_told_apart_by_what_is_nobodys() {
    let running = planted(Fault::None);
    let profile = PROFILE.replace("\"/me\"", "\"/activate\"");
    let verdicts = Measurement::by_profile(&running.url, &profile).with(&["--only", "C02"]).verdicts(0);
    assert!(verdicts["C02.1"].1.contains("two people alike"), "{verdicts:#?}");
}

/// What a browser of nobody's has ended is not laid to the account of the scenarios that come next.
#[test]
fn a_browser_that_is_served_and_cannot_refresh_is_not_looked_through() {
    let only = ["--only", "C32.1", "--only", "C33.1", "--only", "C19.2"];
    let verdicts = planted(Fault::PreflightEndsSessions).measured().with(&only).verdicts(0);
    said(&verdicts, "holds", &["C32.1", "C33.1", "C19.2"]);
}

#[test]
fn a_limit_is_waited_for_and_is_no_refusal() {
    let running = planted(Fault::None);
    let limited = |times: u32, ids: &[&str]| {
        running.planted.sessions.lock().unwrap().limited = times;
        let only: Vec<_> = ids.iter().flat_map(|id| ["--only", id]).collect();
        running.measured().with(&only).verdicts(0)
    };
    said(&limited(2, &["C19.1"]), "holds", &["C19.1"]);
    said(&limited(1, &["C18.1"]), "holds", &["C18.1"]);
    let verdicts = limited(u32::MAX, &["C08.1", "C19.1", "C18.1"]);
    assert!(
        verdicts.values().all(|(verdict, why)| verdict == "not_tested" && why.contains("429")),
        "{verdicts:#?}"
    );
}

#[test]
fn whether_a_403_signs_out_is_what_the_profile_says() {
    let signs_out = |statuses: &str| {
        let profile = PROFILE.replace("signs_out = [401]", &format!("signs_out = [{statuses}]"));
        let running = planted(Fault::CallLimitIs403);
        let measurement = Measurement::by_profile(&running.url, &profile).with(&["--only", "C43.2"]);
        measurement.verdicts(1).remove("C43.2").unwrap().0
    };
    assert_eq!((signs_out("401").as_str(), signs_out("401, 403").as_str()), ("wrong", "signs_out"));
}

#[test]
fn an_address_can_say_who_it_is_about() {
    let profile = PROFILE.replace("\"/me\"", "\"/me/{email}\"");
    let running = planted(Fault::None);
    let verdicts = Measurement::by_profile(&running.url, &profile).with(&["--only", "C29.1"]).verdicts(0);
    said(&verdicts, "holds", &["C29.1"]);
}

#[test]
fn a_fault_of_what_is_blocked_or_broken_is_found() {
    found(Fault::SuspensionIs401, &["C04.1"], &[]);
    found(Fault::SuspensionEndsSession, &["C04.1"], &[]);
    found(Fault::OutageIs401, &["C38.1"], &[]);
}

/// What was done by a hook is taken back by the other one, however a measurement ends.
#[test]
fn nobody_stays_suspended_because_a_measurement_was_interrupted() {
    let running = planted(Fault::None);
    let folder = tempfile::tempdir().unwrap();
    // As from the terminal, from a supervisor, and when the terminal is closed, while the account is suspended.
    for signal in ["INT", "TERM", "HUP"] {
        let mended = folder.path().join(signal);
        let suspend = format!(r#"run = ["sh", "-c", "kill -{signal} $PPID; sleep 60"]"#);
        let measurement = running.hooked(&suspend, &["touch", mended.to_str().unwrap()]);
        let printed = measurement.run(&["--only", "C04", "--only", "C17", "--only", "C36"]).expect(3);
        assert!(printed.out.contains("it was interrupted") && !printed.out.contains("C17.1"), "{printed:?}");
        assert!(mended.exists(), "{signal}");
    }
}

#[test]
fn what_cannot_be_taken_back_stops_the_measurement_and_is_said_above_all_else() {
    let running = planted(Fault::SuspensionIs401);
    let measurement = running.hooked(r#"call = { url = "/suspend" }"#, &["sh", "-c", "exit 7", "{email}"]);
    // Also above a report that cannot be written.
    let words = ["--only", "C04", "--only", "C43.2", "--markdown", "/no/such/folder/report.md"];
    let printed = measurement.run(&words).expect(3);
    let left = "put it right by hand with hooks.activate: `sh -c exit 7 {email}`";
    assert!(printed.err.contains("ada@example.com is left after hooks.suspend"), "{printed:?}");
    assert!(printed.err.contains(left) && printed.out.contains(left), "{printed:?}");
    assert!(!printed.out.contains("C43.2"), "{printed:?}");
}

#[test]
fn what_could_not_be_taken_back_is_tried_once_more() {
    let running = planted(Fault::None);
    let folder = tempfile::tempdir().unwrap();
    let once = format!("test -e {0} || ! touch {0}", folder.path().join("tried").display());
    let measurement = running.hooked(r#"run = ["true"]"#, &["sh", "-c", &once]);
    let printed = measurement.run(&["--only", "C04", "--only", "C43.2"]).expect(3);
    assert!(printed.out.contains("at the second try only") && !printed.out.contains("C43.2"), "{printed:?}");
    assert!(!printed.err.contains("by hand"), "{printed:?}");
}

/// However many requests were sent, the one that takes a hook back is sent as well.
#[test]
fn a_limit_of_requests_leaves_nobody_suspended() {
    let running = planted(Fault::None);
    let verdicts = running.measured().with(&["--only", "C04", "--requests-max", "6"]).verdicts(0);
    assert!(verdicts["C04.1"].1.contains("--requests-max"), "{verdicts:#?}");
    assert!(!running.planted.sessions.lock().unwrap().is_suspended);
}

#[test]
fn a_fault_of_what_is_answered_is_found() {
    found(Fault::GarbageIs500, &[], &["C11.2", "C19.2", "C23.1", "C23.2"]);
    found(Fault::HtmlErrors, &[], &["C37.1"]);
    found(Fault::TokensMayBeStored, &[], &["C23.3"]);
    found(Fault::NoCorsOnErrors, &[], &["C32.2"]);
    found(Fault::ReflectsOrigins, &[], &["C32.3"]);
    found(Fault::WrongClock, &[], &["C08.5"]);
}

#[test]
fn a_fault_of_access_tokens_is_found() {
    found(Fault::SignatureIsIgnored, &[], &["C10.1"]);
    found(Fault::RefreshKillsAccess, &[], &["C20.12"]);
    let verdicts =
        planted(Fault::AnyoneIsServed).measured().with(&["--only", "C08.1", "--only", "C10"]).verdicts(1);
    said(&verdicts, "wrong", &["C08.1", "C10.1", "C10.3"]);
}

#[test]
fn a_fault_of_cookies_is_found() {
    found(Fault::ShortCookie, &["C09.1"], &[]);
    found(Fault::SessionCookie, &["C09.1", "C15.1"], &[]);
    found(Fault::ReadableCookie, &[], &["C27.1"]);
    found(Fault::CookieEmptiedAt401, &["C08.4"], &[]);
}

#[test]
fn a_cookie_that_browsers_keep_is_not_complained_about() {
    let verdicts = planted(Fault::CookieAnewAt401).measured().with(&["--only", "C08.4"]).verdicts(0);
    said(&verdicts, "holds", &["C08.4"]);
    // Here it is kept; elsewhere it would be dropped.
    let verdicts = planted(Fault::SecureCookie).measured().with(&["--only", "C34.1"]).verdicts(0);
    assert!(verdicts["C34.1"].1.contains("of this machine"), "{verdicts:#?}");
    // Whom nobody promised to be remembered is not signed out with the window.
    let unpromised = PROFILE.replace("remembered_lifetime = \"20d\", ", "");
    let unpromised = unpromised.replace(", remember = \"{remember}\"", "");
    let running = planted(Fault::SessionCookie);
    let verdicts = Measurement::by_profile(&running.url, &unpromised).with(&["--only", "C15"]).verdicts(0);
    said(&verdicts, "not_tested", &["C15.1"]);
}

#[test]
fn a_fault_of_signing_out_is_found() {
    found(Fault::LogoutEndsAll, &["C18.3"], &[]);
    found(Fault::LogoutEndsNothing, &[], &["C18.1", "C18.2", "C18.5", "C18.6"]);
}

#[test]
fn an_expiry_is_waited_for_where_that_is_allowed() {
    let profile = PROFILE.replace("promises = {", "promises = { access_lifetime = \"4s\",");
    let expires = |fault, more: &[&str], code| {
        let running = start(fault, Duration::from_secs(4));
        let measurement =
            Measurement::by_profile(&running.url, &profile).with(&["--only", "C08.2"]).with(more);
        measurement.verdicts(code).remove("C08.2").unwrap()
    };
    let (verdict, why) = expires(Fault::None, &[], 0);
    assert!(verdict == "not_tested" && why.contains("--wait 6s"), "{why}");
    assert_eq!(expires(Fault::None, &["--wait", "6s"], 0).0, "holds");
    assert_eq!(expires(Fault::ExpiredIs403, &["--wait", "6s"], 1).0, "wrong");
}

#[test]
fn what_gives_no_answer_is_no_verdict_about_it() {
    for fault in [Fault::Hangs, Fault::HangsUp] {
        let only = ["--timeout", "2s", "--only", "C20.3", "--only", "C29.1"];
        let verdicts = planted(fault).measured().with(&only).verdicts(3);
        assert!(verdicts.values().all(|(verdict, _)| verdict == "unreachable"), "{fault:?}: {verdicts:#?}");
    }
}

#[test]
fn an_answer_without_end_or_without_a_token_is_wrong() {
    for fault in [Fault::Endless, Fault::RefreshWithoutToken] {
        let verdicts = planted(fault).measured().with(&["--only", "C29.1"]).verdicts(1);
        let (verdict, why) = &verdicts["C29.1"];
        assert!(verdict == "wrong" && why.contains("without a token"), "{fault:?}: {why}");
    }
}

#[test]
fn nobody_is_followed_to_another_host() {
    let running = planted(Fault::RedirectsAway);
    let verdicts = running.measured().with(&["--only", "C29.1"]).verdicts(1);
    assert!(verdicts["C29.1"].0 == "wrong" && verdicts["C29.1"].1.contains("307"), "{verdicts:#?}");
    assert_eq!(running.strays.load(Ordering::SeqCst), 0);
}

#[test]
fn a_profile_that_does_not_fit_is_2_and_says_where() {
    let running = planted(Fault::None);
    let refused = |profile: &str, expected: &str| {
        let printed = Measurement::by_profile(&running.url, profile).run(&[]).expect(2);
        assert!(printed.err.contains(expected), "{expected}: {printed:?}");
    };
    refused(
        &PROFILE.replace("json:/access", "json:/token"),
        "login.access: there is no token at json:/token",
    );
    refused(&PROFILE.replace("json:/access", "json:/token"), "its body has access");
    refused(&PROFILE.replace("cookie:r", "cookie:other"), "login.refresh: there is no token at cookie:other");
    refused(&PROFILE.replace("\"/me\"", "\"/admin\""), "api.url: /admin was answered 403 refused");
    let printed = running.measured().by("ada@example.com", "a wrong password").run(&[]).expect(2);
    assert!(printed.err.contains("signing in was answered 401 refused"), "{printed:?}");
}

#[test]
fn a_measurement_waits_where_it_is_asked_to_and_stops_where_it_was_told() {
    let running = planted(Fault::None);
    running.planted.sessions.lock().unwrap().busy = 2;
    nothing_but(&running.measured().with(&["--only", "C20.3"]).verdicts(0), &[]);
    running.planted.sessions.lock().unwrap().busy = u32::MAX;
    let printed = running.measured().with(&["--patience", "0"]).run(&[]).expect(2);
    assert!(printed.err.contains("signing in was answered 429"), "{printed:?}");
    running.planted.sessions.lock().unwrap().busy = 0;
    let verdicts = running.measured().with(&["--requests-max", "20"]).verdicts(0);
    assert!(verdicts["C43.1"].1.contains("--requests-max"), "{verdicts:#?}");
}

#[test]
fn people_read_what_was_found_and_what_to_do() {
    let running = planted(Fault::NoGrace);
    let printed = running.measured().with(&["--only", "C20.3", "--only", "C08.1"]).run(&[]).expect(1);
    for part in
        ["signs out    C20.3 ", "a refresh was answered 401 refused", "What to do: ", "holds        C08.1 "]
    {
        assert!(printed.out.contains(part), "{part}: {printed:?}");
    }
    assert!(printed.err.contains("1 of 2 scenarios do not hold"), "{printed:?}");
}
