//! What a browser makes of the session's cookies (RFC 6265bis sections 5.6 and 5.7), and what becomes of them.

use std::time::Duration;

use http::header;

use super::super::outside::jar::{Cookie, matches};
use super::super::outside::wire::Answer;
use super::finding::Judgement;
use super::site::is_public_suffix;
use crate::wording::text::spoken;

/// Name and value together; longer ones are dropped.
const BYTES_MAX: usize = 4096;

/// All cookies of one request. nginx reads headers into buffers of 8 KiB, others into less.
const HEADER_MAX: usize = 7_000;

/// Longer lives are cut to this.
const LIFE_MAX_SECS: i64 = 400 * 24 * 3600;

/// What `Max-Age` and `Expires` may differ by and still mean the same.
const SLACK_SECS: i64 = 120;

/// A cookie as an answer set it.
pub struct Set {
    pub cookie: Cookie,
    /// As in "the sign-in".
    pub by: &'static str,
    /// The path of the address that was answered, which is the cookie's own if it names none.
    pub from: String,
    /// Which answer, counted.
    pub nth: usize,
}

/// Where they come from and where they have to go.
pub struct Way<'a> {
    pub host: &'a str,
    pub is_encrypted: bool,
    /// On this machine, which browsers trust.
    pub is_here: bool,
    pub is_cross_site: bool,
    pub refresh_path: &'a str,
    /// Not what a script asks with, but what a page itself is asked for with.
    pub access_in_cookie: bool,
    pub remembers: bool,
}

/// The session's cookies in an answer: what is not deleted and has one of these names.
pub fn set_by(answer: &Answer, nth: usize, by: &'static str, from: &str, names: &[&str]) -> Vec<Set> {
    let lines = answer.headers.get_all(header::SET_COOKIE).iter().filter_map(|line| line.to_str().ok());
    let cookies = lines.filter_map(|line| Cookie::parse(line, answer.at));
    let is_ours = |cookie: &Cookie| {
        names.iter().any(|pattern| matches(pattern, &cookie.name))
            && cookie.lives_secs.is_none_or(|secs| secs > 0)
    };
    cookies.filter(is_ours).map(|cookie| Set { cookie, by, from: from.to_owned(), nth }).collect()
}

/// Each of the checks that a cookie can be held against, the explaining ones first. `of_refresh`: the name of the one that
/// refreshes, among others.
pub fn judge(sets: &[Set], way: &Way<'_>, of_refresh: &str) -> Vec<(&'static str, Judgement)> {
    let each = |look: fn(&Set, &Way<'_>) -> Judgement| {
        let looks = sets.iter().map(|set| look(set, way).by("cookie", set.cookie.name.clone()));
        Judgement::worst(looks).unwrap_or_else(|| Judgement::skipped("no cookie was set"))
    };
    let refresh = || sets.iter().filter(|set| matches(of_refresh, &set.cookie.name));
    let of_refresh = |look: fn(&Set, &Way<'_>) -> Judgement| {
        let looks = refresh().map(|set| look(set, way).by("cookie", set.cookie.name.clone()));
        Judgement::worst(looks).unwrap_or_else(|| Judgement::skipped("no cookie was set"))
    };
    vec![
        ("cookie-http-only", each(http_only)),
        ("cookie-same-site", each(same_site)),
        ("cookie-secure", each(secure)),
        ("cookie-prefix", each(prefix)),
        ("cookie-domain", each(domain)),
        ("cookie-path", of_refresh(path)),
        ("cookie-lifetime", of_refresh(lifetime)),
        ("cookie-duplicate", duplicate(sets)),
        ("cookie-size", size(sets)),
    ]
}

fn http_only(set: &Set, _: &Way<'_>) -> Judgement {
    match set.cookie.http_only {
        true => Judgement::ok("it is HttpOnly"),
        false => Judgement::fail(
            format!("{} sets {} without HttpOnly", set.by, set.cookie.name),
            "add HttpOnly (Django: SESSION_COOKIE_HTTPONLY = True; dj-rest-auth: JWT_AUTH_HTTPONLY; \
             nginx: no proxy_cookie_flags that takes it away)",
        ),
    }
}

/// None without Secure is told here, and not again where it is asked for Secure.
fn is_none_in_the_clear(cookie: &Cookie) -> bool {
    cookie.same_site.as_deref() == Some("none") && !cookie.secure
}

fn same_site(set: &Set, way: &Way<'_>) -> Judgement {
    let Cookie { name, path, same_site, .. } = &set.cookie;
    if is_none_in_the_clear(&set.cookie) {
        return Judgement::fail(
            format!("{name} is SameSite=None without Secure, and browsers drop it"),
            "SameSite=Lax where pages and API are one site; otherwise add Secure (Django: \
             SESSION_COOKIE_SAMESITE = \"Lax\", SESSION_COOKIE_SECURE = True; dj-rest-auth, in REST_AUTH: \
             JWT_AUTH_SAMESITE = \"Lax\", JWT_AUTH_SECURE = True)",
        );
    }
    if way.is_cross_site {
        return Judgement::skipped("pages and API are two sites; see same-site");
    }
    let lax = "SameSite=Lax (Django: SESSION_COOKIE_SAMESITE = \"Lax\"; dj-rest-auth: REST_AUTH's \
               JWT_AUTH_SAMESITE; \
               nginx: no proxy_cookie_flags that changes it)";
    match same_site.as_deref() {
        Some("lax") => Judgement::ok("it is SameSite=Lax"),
        Some("strict") if path == "/" && way.access_in_cookie => Judgement::fail(
            format!(
                "{name} is SameSite=Strict for all paths: who follows a link from a mail or a payment \
                 page comes without it"
            ),
            lax,
        ),
        // A script of a page asks as that page, whatever has led to it.
        Some("strict") => Judgement::ok("it is SameSite=Strict, and scripts ask with it"),
        Some("none") => Judgement::warn(
            format!(
                "{name} is SameSite=None, although pages and API are one site: it comes along with \
                 requests of any page"
            ),
            lax,
        ),
        Some(odd) => Judgement::warn(format!("{name} says SameSite={odd}, which no browser knows"), lax),
        None => Judgement::warn(
            format!(
                "{name} says nothing of SameSite: Chrome takes it for Lax, except for its first two \
                 minutes, and Safari for None"
            ),
            lax,
        ),
    }
}

fn secure(set: &Set, way: &Way<'_>) -> Judgement {
    let Cookie { name, secure, .. } = &set.cookie;
    let by_proxy = "say it by the public address and not by how the proxy reaches the server (nginx: \
                    proxy_set_header X-Forwarded-Proto $scheme; Django: SECURE_PROXY_SSL_HEADER and \
                    SESSION_COOKIE_SECURE = True; dj-rest-auth: REST_AUTH's JWT_AUTH_SECURE = True; \
                    Tenure: server.public_url)";
    match (way.is_encrypted, *secure) {
        _ if is_none_in_the_clear(&set.cookie) => {
            Judgement::skipped("it is SameSite=None without Secure; see cookie-same-site")
        }
        (true, true) => Judgement::ok("it is Secure"),
        (true, false) if name.starts_with("__") => Judgement::fail(
            format!("{name} is not Secure, which its name promises: browsers drop it"),
            by_proxy,
        ),
        (true, false) => Judgement::fail(
            format!("the site is encrypted, and {} sets {name} without Secure", set.by),
            by_proxy,
        ),
        (false, false) => Judgement::ok("the site is not encrypted, and neither says the cookie so"),
        (false, true) if way.is_here => {
            Judgement::ok("it is Secure, and browsers trust this machine without encryption")
        }
        (false, true) => Judgement::fail(
            format!("the site is not encrypted, and browsers drop {name}, which is Secure"),
            "serve the site over https",
        ),
    }
}

fn prefix(set: &Set, _: &Way<'_>) -> Judgement {
    let Cookie { name, path, domain, has_path, secure, .. } = &set.cookie;
    let lower = name.to_ascii_lowercase();
    if !lower.starts_with("__host-") && !lower.starts_with("__secure-") {
        return Judgement::ok("its name promises nothing");
    }
    let fix = "set it with Secure, with Path=/ and without Domain, or call it __Secure-…";
    if !secure {
        return Judgement::skipped("it is not Secure; see cookie-secure");
    }
    if lower.starts_with("__host-") && (domain.is_some() || !has_path || path != "/") {
        let found = format!("{name} has a Domain, or a Path other than /: browsers drop it for its name");
        return Judgement::fail(found, fix);
    }
    Judgement::ok("it is as its name promises")
}

fn domain(set: &Set, way: &Way<'_>) -> Judgement {
    let Cookie { name, domain, .. } = &set.cookie;
    let fix = "leave Domain out (Django: SESSION_COOKIE_DOMAIN = None; dj-rest-auth: REST_AUTH's \
               JWT_AUTH_COOKIE_DOMAIN = None; nginx: no proxy_cookie_domain that widens it)";
    let Some(domain) = domain else { return Judgement::ok("it has no Domain") };
    if name.to_ascii_lowercase().starts_with("__host-") {
        return Judgement::skipped("it may have no Domain for its name; see cookie-prefix");
    }
    let covers = way.host == domain || way.host.ends_with(&format!(".{domain}"));
    if !covers || (is_public_suffix(domain) && way.host != domain) {
        return Judgement::fail(
            format!("{name} is set for {domain}, which {} may not do: browsers drop it", way.host),
            format!("{fix}; behind a proxy, proxy_cookie_domain {domain} {}", way.host),
        );
    }
    Judgement::warn(
        format!(
            "{name} is set for all of {domain}: every application below it can overwrite it, and is sent it"
        ),
        fix,
    )
    .by("domain", domain.clone())
}

fn path(set: &Set, way: &Way<'_>) -> Judgement {
    let cookie = Cookie { path: own_path(set), ..set.cookie.clone() };
    match cookie.is_for(way.refresh_path) {
        true => Judgement::ok(format!("it is for {}, and sent to {}", cookie.path, way.refresh_path)),
        false => Judgement::fail(
            format!("{} is for {} and not sent to {}", cookie.name, cookie.path, way.refresh_path),
            format!(
                "set Path to {} or to what is above it (nginx: proxy_cookie_path where a path is passed \
                 on under another name; Django: SESSION_COOKIE_PATH; dj-rest-auth: REST_AUTH's \
                 JWT_AUTH_REFRESH_COOKIE_PATH)",
                way.refresh_path
            ),
        ),
    }
    .by("path", cookie.path.clone())
}

/// RFC 6265 section 5.1.4: a cookie without a path is for the folder of what has set it.
fn own_path(set: &Set) -> String {
    if set.cookie.has_path {
        return set.cookie.path.clone();
    }
    match set.from.rfind('/') {
        Some(at) if at > 0 => set.from[..at].to_owned(),
        _ => "/".to_owned(),
    }
}

fn lifetime(set: &Set, way: &Way<'_>) -> Judgement {
    let Cookie { name, max_age_secs, expires_ms, lives_secs, .. } = &set.cookie;
    let fix = "set Max-Age to what is left of the session, at sign-in and at each refresh (Django: \
               SESSION_EXPIRE_AT_BROWSER_CLOSE = False and SESSION_COOKIE_AGE)";
    let Some(lives) = lives_secs else {
        return match way.remembers {
            true => Judgement::fail(
                format!(
                    "{} sets {name} without Max-Age although it is to be remembered: it goes with the browser",
                    set.by
                ),
                fix,
            ),
            false => Judgement::ok("it goes with the browser, and nobody has promised more"),
        };
    };
    let told = |secs: i64| spoken(Duration::from_secs(secs.unsigned_abs()));
    if *lives > LIFE_MAX_SECS + SLACK_SECS {
        return Judgement::warn(
            format!("{name} is set for {}, and browsers cut that to 400 days", told(*lives)),
            "promise no more than 400 days",
        );
    }
    match (max_age_secs, expires_ms) {
        (None, Some(_)) => Judgement::ok(format!("it lives {}, by Expires alone", told(*lives))),
        _ => Judgement::ok(format!("it lives {}", told(*lives))),
    }
    .by("lives_seconds", *lives)
}

fn duplicate(sets: &[Set]) -> Judgement {
    let fix = "set it in one place, with one Path and one Domain, and delete the other one by setting it \
               with Max-Age=0 (nginx: no add_header Set-Cookie beside the back end's)";
    let twin = sets.iter().enumerate().find_map(|(at, one)| {
        let same = |other: &&Set| other.cookie.name == one.cookie.name;
        let places = |set: &Set| (own_path(set), set.cookie.domain.clone());
        let is_twin = |other: &&Set| other.nth == one.nth || places(other) != places(one);
        sets[at + 1..].iter().filter(same).find(is_twin).map(|other| (one, other))
    });
    let Some((one, other)) = twin else { return Judgement::ok("there is one of each name") };
    let name = &one.cookie.name;
    let (first, second) = (own_path(one), own_path(other));
    if one.nth == other.nth && first == second && one.cookie.domain == other.cookie.domain {
        return Judgement::warn(format!("{} sets {name} twice", one.by), fix);
    }
    Judgement::fail(
        format!(
            "{name} is set for {first} by {} and for {second} by {}: the browser keeps both",
            one.by, other.by
        ),
        fix,
    )
}

fn size(sets: &[Set]) -> Judgement {
    let bytes = |set: &Set| set.cookie.name.len() + set.cookie.value.len();
    let Some(largest) = sets.iter().max_by_key(|set| bytes(set)) else {
        return Judgement::skipped("no cookie was set");
    };
    let first = sets.iter().filter(|set| set.nth == largest.nth).map(|set| bytes(set) + 3).sum::<usize>();
    let fix = "keep a random name of the session in the cookie, and what belongs to it in a store";
    match bytes(largest) {
        large if large > BYTES_MAX => Judgement::fail(
            format!(
                "{} has {large} bytes, and browsers drop what is longer than {BYTES_MAX}",
                largest.cookie.name
            ),
            fix,
        ),
        _ if first > HEADER_MAX => Judgement::warn(
            format!(
                "the session's cookies have {first} bytes, and proxies refuse a request with 8 KiB of headers"
            ),
            format!("{fix} (nginx: large_client_header_buffers, until then)"),
        ),
        large => Judgement::ok(format!("the largest has {large} bytes")),
    }
}

#[cfg(test)]
mod tests;
