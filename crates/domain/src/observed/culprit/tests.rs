use super::*;
use crate::id::ProfileId;
use crate::observed::sign_outs;

const T0: i64 = 1_795_000_000_000;

/// What one browser saw, each with the milliseconds before the sign-out and the page.
fn seen(before: &[(u64, &str, Seen)], out: SignOut) -> Vec<Observation> {
    let at = |ms_before: u64| Timestamp::from_ms(T0) - Duration::from_millis(ms_before);
    let observation = |(seq, (ago, page, seen)): (usize, &(u64, &str, Seen))| Observation {
        profile: ProfileId::from_bytes([7; 16]),
        page: (*page).to_owned(),
        seq: seq as u32,
        at: at(*ago),
        ahead_ms: 0,
        seen: seen.clone(),
    };
    let end = (0, "here", Seen::SignOut(out));
    before.iter().chain([&end]).enumerate().map(observation).collect()
}

fn named(before: &[(u64, &str, Seen)], out: SignOut) -> &'static str {
    let seen = seen(before, out);
    culprit(&seen, seen.len() - 1).as_str()
}

/// A back end that replaces tokens.
fn refresh(status: u16, token: &str) -> Seen {
    let next = (status == 200).then(|| format!("{token}+"));
    Seen::Refresh(Refresh { status, token: Some(token.into()), next, took_ms: 20, ..Refresh::default() })
}

/// One that lets them be.
fn kept(token: &str, next: Option<&str>) -> Seen {
    let (token, next) = (Some(token.into()), next.map(str::to_owned));
    Seen::Refresh(Refresh { status: 200, token, next, took_ms: 20, ..Refresh::default() })
}

fn refused(token: Option<&str>, status: u16, code: &str) -> Seen {
    let (token, code) = (token.map(str::to_owned), Some(code.to_owned()));
    Seen::Refresh(Refresh { status, token, code, took_ms: 20, ..Refresh::default() })
}

fn failure(status: u16) -> Seen {
    Seen::Failure(Failure { status, path: Some("/api/reports".into()), code: None })
}

/// A page that has been there for an hour, touched a while ago, with half an hour left on its access token.
fn quiet() -> SignOut {
    SignOut {
        idle_ms: Some(20_000),
        input_ago_ms: Some(20_000),
        page_age_ms: Some(3_600_000),
        access_left_ms: Some(1_800_000),
        refresh_left_ms: Some(600_000_000),
        refresh_lifetime_ms: Some(604_800_000),
        clock_ahead_ms: Some(40),
        ..SignOut::default()
    }
}

#[test]
fn a_refused_refresh_is_explained_by_who_used_the_token_before() {
    let refused = |before: &[(u64, &str, Seen)]| named(before, quiet());
    let late = (15, "here", refresh(401, "a"));
    for (before, expected) in [
        (vec![(900, "there", refresh(200, "a")), late.clone()], "tab_race"),
        // Long before: this tab held on to what it had read.
        (vec![(600_000, "there", refresh(200, "a")), late.clone()], "tab_race"),
        (vec![(900, "here", refresh(200, "a")), late.clone()], "parallel_refresh"),
        (vec![(900, "here", refresh(0, "a")), late.clone()], "lost_answer"),
        (vec![(900, "there", refresh(502, "a")), late.clone()], "lost_answer"),
        // Answered while this one was under way, and written down after it.
        (vec![late.clone(), (10, "there", refresh(200, "a"))], "tab_race"),
        (vec![(900, "there", refresh(200, "b")), late.clone()], "refresh_refused"),
        (vec![late.clone()], "refresh_refused"),
        // Too long ago to be the cause.
        (vec![(11_000, "here", refresh(401, "a"))], "unknown"),
        // Of two refusals the one of this page.
        (
            vec![
                (900, "there", refresh(200, "b")),
                (700, "here", refresh(401, "b")),
                (15, "there", refresh(401, "c")),
            ],
            "tab_race",
        ),
    ] {
        let mut before = before;
        before.sort_by_key(|(ago, ..)| std::cmp::Reverse(*ago));
        assert_eq!(refused(&before), expected, "{before:?}");
    }
    // That another tab was served is put down a little too late.
    let mut mixed = seen(&[late.clone(), (14, "there", refresh(200, "a"))], quiet());
    for (behind_ms, expected) in [(2_900, "tab_race"), (4_000, "refresh_refused")] {
        mixed[1].at = mixed[0].at + Duration::from_millis(behind_ms);
        assert_eq!(culprit(&mixed, 2).as_str(), expected);
    }
    let unmarked = |status| Seen::Refresh(Refresh { status, ..Refresh::default() });
    assert_eq!(refused(&[(900, "there", unmarked(200)), (15, "here", unmarked(401))]), "tab_race");
    assert_eq!(refused(&[(60_000, "there", unmarked(200)), (15, "here", unmarked(401))]), "refresh_refused");
    let over = (15, "here", super::tests::refused(None, 401, "token_expired"));
    assert_eq!(refused(&[(900, "there", unmarked(200)), over]), "refresh_expired");
}

#[test]
fn a_refresh_token_that_is_over_is_no_mistake() {
    let late = [(15, "here", refresh(401, "a"))];
    let over = SignOut { refresh_left_ms: Some(-100), ..quiet() };
    assert_eq!(named(&late, over.clone()), "refresh_expired");
    // By the back end's clock it had time left.
    assert_eq!(named(&late, SignOut { clock_ahead_ms: Some(110), ..over.clone() }), "refresh_refused");
    let coded = |code: &str| named(&[(15, "here", refused(None, 401, code))], quiet());
    assert_eq!(coded("token_expired"), "refresh_expired");
    for code in ["user_inactive", "user_not_found", "no_active_account"] {
        assert_eq!(coded(code), "account_closed");
    }
    let short = Culprit::RefreshExpired { lifetime_ms: Some(3_600_000) };
    assert_eq!(short.verdict(), Verdict::BackEnd);
    assert!(short.words().contains("60 minutes, which is less than a day"), "{}", short.words());
    // The page reads it from the token and asks nobody.
    let unasked = SignOut {
        page_age_ms: Some(300),
        access_left_ms: Some(-604_800_000),
        refresh_left_ms: Some(-3_600_000),
        ..quiet()
    };
    assert_eq!(named(&[], unasked.clone()), "refresh_expired");
    assert_eq!(named(&[(20, "here", failure(401))], unasked.clone()), "refresh_expired");
    let behind = SignOut { clock_ahead_ms: Some(-7_200_000), refresh_left_ms: Some(3_600_000), ..quiet() };
    assert_eq!(named(&[], behind.clone()), "refresh_expired");
    assert_ne!(named(&[], SignOut { clock_ahead_ms: Some(0), ..behind }), "refresh_expired");
    // And whoever asked to be signed out is believed.
    let asked = SignOut { asked_ago_ms: Some(100), input_ago_ms: Some(150), ..unasked };
    assert_eq!(named(&[], asked), "person");
}

#[test]
fn a_token_that_is_not_replaced_is_raced_for_by_nobody() {
    let end = |token, code: &str| (15, "here", refused(Some(token), 401, code));
    for (before, expected) in [
        // Served every few minutes, by one tab and another, until its time is over.
        (vec![(300_000, "here", kept("a", None)), end("a", "token_expired")], "refresh_expired"),
        (vec![(300_000, "there", kept("a", None)), end("a", "token_expired")], "refresh_expired"),
        (vec![(300_000, "here", kept("a", Some("a"))), end("a", "token_not_valid")], "refresh_refused"),
        (vec![(300_000, "there", kept("a", None)), end("a", "user_inactive")], "account_closed"),
        (vec![(900, "here", refresh(200, "a")), end("a", "no_active_account")], "account_closed"),
        // A laptop wakes after a week: no network yet, and then the refusal.
        (vec![(20_000, "here", refresh(0, "a")), end("a", "token_expired")], "refresh_expired"),
        // No answer came once, and nothing was lost with it.
        (
            vec![
                (400_000, "here", refresh(0, "a")),
                (300_000, "here", kept("a", None)),
                end("a", "token_not_valid"),
            ],
            "refresh_refused",
        ),
        // An address that is not there, or a limit, replaces no token.
        (vec![(20_000, "here", refresh(404, "a")), end("a", "token_not_valid")], "refresh_refused"),
        (vec![(20_000, "here", refresh(429, "a")), end("a", "token_not_valid")], "refresh_refused"),
        // Traded a week ago by another tab, and this one holds on to it until it is over.
        (vec![(604_800_000, "there", refresh(200, "a")), end("a", "token_expired")], "tab_race"),
    ] {
        assert_eq!(named(&before, quiet()), expected, "{before:?}");
    }
}

#[test]
fn a_failed_request_just_before_is_suspected_and_nothing_older() {
    for (status, expected) in [
        (0, "network_handler"),
        (401, "unauthorized_handler"),
        (402, "payment_handler"),
        (403, "forbidden_handler"),
        (429, "outage_handler"),
        (503, "outage_handler"),
    ] {
        assert_eq!(named(&[(12, "here", failure(status))], quiet()), expected);
        assert_eq!(named(&[(9_000, "here", failure(status))], quiet()), expected);
        assert_eq!(named(&[(10_001, "here", failure(status))], quiet()), "unknown");
        // A click on "Reports" leads to the answer, and that to the sign-out.
        let clicked = SignOut { input_ago_ms: Some(400), idle_ms: Some(0), ..quiet() };
        assert_eq!(named(&[(12, "here", failure(status))], clicked.clone()), expected);
        // Whoever reads "access denied" and then signs out wants to.
        assert_eq!(named(&[(900, "here", failure(status))], clicked), "person");
    }
    assert_eq!(named(&[(12, "here", failure(404))], quiet()), "refusal_handler");
    assert_eq!(named(&[(5_000, "here", failure(404))], quiet()), "unknown");
    for (status, expected) in [
        (0, "network_handler"),
        (503, "outage_handler"),
        // While a back end is deployed its address is not there.
        (404, "refusal_handler"),
        (405, "refusal_handler"),
    ] {
        assert_eq!(named(&[(12, "here", refresh(status, "a"))], quiet()), expected);
    }
}

#[test]
fn a_person_who_signs_out_is_believed_whatever_else_fails() {
    let clicked = SignOut { input_ago_ms: Some(200), idle_ms: Some(0), ..quiet() };
    assert_eq!(named(&[], clicked.clone()), "person");
    assert_eq!(named(&[], SignOut { access_left_ms: Some(-20_000), ..clicked.clone() }), "person");
    assert_eq!(named(&[], SignOut { page_age_ms: Some(900), ..clicked.clone() }), "person");
    // The request for it was refused, and so was a refresh for it.
    let asked = SignOut { asked_ago_ms: Some(150), ..clicked.clone() };
    let after = [(100, "here", failure(401)), (50, "here", refresh(401, "a"))];
    assert_eq!(named(&after, asked.clone()), "person");
    // An application may ask its back end after it has made up its mind.
    assert_eq!(named(&[(180, "here", failure(403))], asked.clone()), "forbidden_handler");
    // The tap that wakes a phone is the one that signs out.
    let woken = SignOut { idle_ms: Some(1_500_000), ..asked.clone() };
    assert_eq!(named(&[], woken), "person");
    // Nobody was there.
    let away = SignOut { idle_ms: Some(1_500_000), input_ago_ms: Some(1_500_000), ..asked };
    assert_eq!(named(&[], away), "idle_timer");
    // The first movement after a long time wakes a timer.
    assert_eq!(named(&[], SignOut { idle_ms: Some(1_500_000), ..clicked }), "idle_timer");
}

#[test]
fn without_any_failure_times_tell() {
    let hours = 2 * 3_600_000;
    let ahead = SignOut { access_left_ms: Some(300_000 - hours), clock_ahead_ms: Some(hours), ..quiet() };
    for (out, expected) in [
        (ahead.clone(), "device_clock"),
        (SignOut { input_ago_ms: Some(100), ..ahead.clone() }, "device_clock"),
        // The clock is wrong, and that has nothing to do with it.
        (SignOut { access_left_ms: Some(1_000), ..ahead.clone() }, "unknown"),
        (SignOut { access_left_ms: Some(-100), ..quiet() }, "access_expired"),
        (SignOut { access_left_ms: Some(-100), idle_ms: Some(1_500_000), ..quiet() }, "access_expired"),
        (SignOut { access_left_ms: Some(-1_200_000), idle_ms: Some(1_500_000), ..quiet() }, "idle_timer"),
        (SignOut { idle_ms: Some(1_500_000), ..quiet() }, "idle_timer"),
        (SignOut { page_age_ms: Some(300), ..quiet() }, "startup"),
        (SignOut { page_age_ms: Some(300), how: How::Cleared, ..quiet() }, "startup"),
        (SignOut { how: How::Cleared, ..quiet() }, "storage_cleared"),
        (SignOut { how: How::Vanished, page_age_ms: Some(3), ..quiet() }, "storage_vanished"),
        (SignOut { how: How::Navigated, ..quiet() }, "visited"),
        (SignOut { how: How::Navigated, idle_ms: Some(1_500_000), ..quiet() }, "idle_timer"),
        (SignOut::default(), "unknown"),
    ] {
        assert_eq!(named(&[], out.clone()), expected, "{out:?}");
    }
    // A page that could not measure its clock: what we saw of it counts.
    let mut seen = seen(&[], SignOut { clock_ahead_ms: None, ..ahead });
    seen[0].ahead_ms = hours;
    assert_eq!(culprit(&seen, 0).as_str(), "device_clock");
}

#[test]
fn numbers_that_cannot_be_are_borne() {
    for ms in [i64::MIN, -1, i64::MAX] {
        let out = SignOut {
            access_left_ms: Some(ms),
            refresh_left_ms: Some(ms),
            clock_ahead_ms: Some(ms),
            idle_ms: Some(ms.unsigned_abs()),
            asked_ago_ms: Some(ms.unsigned_abs()),
            input_ago_ms: Some(ms.unsigned_abs()),
            ..SignOut::default()
        };
        for before in [vec![], vec![(15, "here", refresh(401, "a"))]] {
            let seen = seen(&before, out.clone());
            assert!(!culprit(&seen, seen.len() - 1).words().is_empty());
        }
    }
}

#[test]
fn tabs_that_follow_each_other_out_are_one_sign_out() {
    let out = |ago, page| (ago, page, Seen::SignOut(quiet()));
    let places = |seen: &[Observation]| -> Vec<_> {
        sign_outs(seen).into_iter().map(|(index, culprit)| (index, culprit.as_str())).collect()
    };
    let both = seen(&[out(600_000, "here"), out(2_000, "there"), out(1_000, "elsewhere")], quiet());
    assert_eq!(places(&both), [(0, "unknown"), (1, "unknown")]);
    assert_eq!(culprit(&both, 9), Culprit::Unknown);
    // A tab that tidies up after another is put down first.
    let clicked = SignOut { input_ago_ms: Some(200), idle_ms: Some(0), ..quiet() };
    assert_eq!(places(&seen(&[out(300, "there")], clicked.clone())), [(1, "person")]);
    let startup = SignOut { page_age_ms: Some(300), ..quiet() };
    assert_eq!(places(&seen(&[(300, "there", Seen::SignOut(clicked))], startup)), [(0, "person")]);
}

#[test]
fn a_refusal_is_told_with_what_is_known_of_the_token_and_nothing_else() {
    let words = |before: &[(u64, &str, Seen)], out: SignOut| {
        let seen = seen(before, out);
        let culprit = culprit(&seen, seen.len() - 1);
        assert_eq!(culprit.as_str(), "refresh_refused");
        (culprit.words(), culprit.fix())
    };
    let end = |token, status, code| (15, "here", refused(token, status, code));
    let opaque = || SignOut { refresh_left_ms: None, refresh_lifetime_ms: None, ..quiet() };
    for (before, out, expected) in [
        (
            vec![end(Some("a"), 401, "token_not_valid")],
            quiet(),
            "The back end refused a refresh token that had time left, and no page of this browser had used it \
             before: 401 (token_not_valid).",
        ),
        (
            vec![(300_000, "here", kept("a", None)), end(Some("a"), 401, "token_not_valid")],
            quiet(),
            "The back end refused a refresh token that had time left: 401 (token_not_valid).",
        ),
        (
            vec![end(None, 401, "token_not_valid")],
            opaque(),
            "The back end refused a refresh token: 401 (token_not_valid).",
        ),
        (
            vec![end(Some("a"), 400, "invalid")],
            opaque(),
            "The back end refused a refresh token, and no page of this browser had used it before: 400 (invalid).",
        ),
        (
            vec![end(None, 400, "null")],
            quiet(),
            "The page asked for a refresh with no token that was seen, and was refused: 400 (null).",
        ),
    ] {
        let (words, fix) = words(&before, out);
        assert_eq!(words, expected);
        assert_eq!(fix.contains("`null`"), words.contains("no token"));
    }
}

#[test]
fn words_name_cause_and_numbers_and_every_cause_has_a_fix() {
    let refused = || Failure {
        status: 401,
        code: Some("token_blacklisted".into()),
        path: Some("/api/token/refresh/".into()),
    };
    let race = Culprit::TabRace { refused: refused(), before_ms: 812 };
    assert_eq!(
        race.words(),
        "Tabs raced: another tab had traded the same refresh token 812 ms before, so this tab's was refused: \
         401 (token_blacklisted) of /api/token/refresh/."
    );
    assert!(race.fix().contains("Web Lock"));
    let lost = Culprit::LostAnswer { refused: refused(), lost_status: 0 };
    assert!(lost.words().contains("(no answer came)") && lost.fix().contains("BLACKLIST_AFTER_ROTATION"));
    assert!(Culprit::IdleTimer { idle_ms: 1_500_000 }.words().contains("25 minutes"));
    assert!(Culprit::DeviceClock { ahead_ms: -5_400_000 }.words().contains("90 minutes behind"));
}
