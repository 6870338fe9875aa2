//! Cookies that are good, and each of their faults.

use tenure_domain::time::Timestamp;

use super::super::finding::Verdict;
use super::*;

const WAY: Way<'_> = Way {
    host: "api.example.com",
    is_encrypted: true,
    is_here: false,
    is_cross_site: false,
    refresh_path: "/auth/refresh",
    access_in_cookie: true,
    remembers: true,
};

fn sets(lines: &[&str]) -> Vec<Set> {
    let set = |(nth, line): (usize, &&str)| {
        let cookie = Cookie::parse(line, Timestamp::from_ms(1_000_000)).unwrap();
        Set { cookie, by: "the sign-in", from: "/auth/login".into(), nth: nth / 2 }
    };
    lines.iter().enumerate().map(set).collect()
}

/// What is found of these, two to an answer, as `check verdict`.
fn found(lines: &[&str], way: &Way<'_>) -> Vec<String> {
    let judged = judge(&sets(lines), way, "s*");
    let found = judged.iter().filter(|(_, judgement)| judgement.is_finding());
    found.map(|(id, judgement)| format!("{id} {}", judgement.verdict.as_str())).collect()
}

const GOOD: &str = "sid=1; Path=/auth; HttpOnly; Secure; SameSite=Lax; Max-Age=1728000";

#[test]
fn a_good_cookie_is_not_complained_about() {
    assert_eq!(found(&[GOOD], &WAY), [""; 0]);
    let later = "sid=2; Path=/auth; HttpOnly; Secure; SameSite=Lax; Max-Age=1727000";
    assert_eq!(found(&[GOOD, "other=1", later], &Way { remembers: false, ..WAY })[..0], [""; 0]);
    let strict = GOOD.replace("Lax", "Strict");
    assert_eq!(found(&[&strict], &WAY), [""; 0], "scripts alone are sent below that path");
    let of_scripts = Way { access_in_cookie: false, ..WAY };
    assert_eq!(found(&[&strict.replace("Path=/auth", "Path=/")], &of_scripts), [""; 0]);
    let here = Way { is_encrypted: false, is_here: true, ..WAY };
    assert_eq!(found(&[GOOD], &here), [""; 0]);
}

#[test]
fn each_fault_is_told_once() {
    let with = |from: &str, to: &str| GOOD.replace(from, to);
    for (line, expected) in [
        (with("; HttpOnly", ""), "cookie-http-only fail"),
        (with("; Secure", ""), "cookie-secure fail"),
        (
            with("Path=/auth; HttpOnly; Secure; SameSite=Lax", "Path=/; HttpOnly; Secure; SameSite=Strict"),
            "cookie-same-site fail",
        ),
        (with("Secure; SameSite=Lax", "SameSite=None"), "cookie-same-site fail"),
        (with("Lax", "None"), "cookie-same-site warn"),
        (with("; SameSite=Lax", ""), "cookie-same-site warn"),
        (with("Path=/auth;", "Path=/api;"), "cookie-path fail"),
        (with("Path=/auth;", "Path=/auth/refres;"), "cookie-path fail"),
        (with("Path=/auth;", "Domain=.example.com; Path=/auth;"), "cookie-domain warn"),
        (with("Path=/auth;", "Domain=example.org; Path=/auth;"), "cookie-domain fail"),
        (with("Path=/auth;", "Domain=com; Path=/auth;"), "cookie-domain fail"),
        (with("; Max-Age=1728000", ""), "cookie-lifetime fail"),
        (with("1728000", "99999999"), "cookie-lifetime warn"),
        (with("sid=1", &format!("sid={}", "a".repeat(4_096))), "cookie-size fail"),
    ] {
        assert_eq!(found(&[&line], &WAY), [expected], "{line}");
    }
    assert_eq!(found(&[&with("Path=/auth; ", "")], &WAY), [""; 0], "the folder of the sign-in");
    assert_eq!(found(&[GOOD, &with("Path=/auth", "Path=/")], &WAY), ["cookie-duplicate fail"]);
    assert_eq!(found(&[GOOD, GOOD], &WAY), ["cookie-duplicate warn"]);
    assert_eq!(
        found(&[GOOD, "s2=1; Path=/; HttpOnly; Secure; SameSite=Lax; Max-Age=9", GOOD], &WAY),
        [""; 0]
    );
}

#[test]
fn a_name_can_promise_something() {
    let judged = |line: &str| {
        let judged = judge(&sets(&[line]), &WAY, "__*");
        let found = judged.into_iter().filter(|(_, judgement)| judgement.verdict > Verdict::Ok);
        found.map(|(id, _)| id).collect::<Vec<_>>()
    };
    let rest = "HttpOnly; SameSite=Lax; Max-Age=1728000";
    assert_eq!(judged(&format!("__Host-s=1; Path=/; Secure; {rest}")), [""; 0]);
    assert_eq!(judged(&format!("__Host-s=1; Path=/auth; Secure; {rest}")), ["cookie-prefix"]);
    assert_eq!(judged(&format!("__Host-s=1; Path=/; Domain=example.com; Secure; {rest}")), ["cookie-prefix"]);
    assert_eq!(judged(&format!("__Secure-s=1; Path=/auth; Secure; {rest}")), [""; 0]);
    assert_eq!(judged(&format!("__Secure-s=1; Path=/auth; {rest}")), ["cookie-secure"]);
}
