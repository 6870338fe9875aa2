//! What answers say of themselves: their status, whether they may be stored, what time it is, how to come back.

use http::header::{CACHE_CONTROL, STRICT_TRANSPORT_SECURITY};

use super::super::outside::jar::Cookie;
use super::super::outside::token;
use super::super::outside::wire::Answer;
use super::finding::Judgement;

/// A clock that is further off than this makes tokens of minutes fail.
const OFFSET_MAX_MS: i64 = 30_000;

/// Half a year, below which browsers' lists do not take a site.
const HSTS_MIN_SECS: u64 = 180 * 24 * 3600;

type Told<'a> = (&'static str, &'a Answer);

pub fn redirect(answers: &[Told<'_>]) -> Judgement {
    let redirected = answers.iter().find(|(_, answer)| (300..400).contains(&answer.status));
    let Some((what, answer)) = redirected else {
        return Judgement::ok("no call is redirected");
    };
    // Without its query, in which there may be a token.
    let to = answer.header("location").unwrap_or("nowhere").split(['?', '#']).next().unwrap_or_default();
    Judgement::fail(
        format!("{what} is answered {}, to {to}", answer.status),
        "call the address that it leads to: with https, with its host's real name, with or without the \
         slash at its end (Django: APPEND_SLASH), and answer programs 401 instead of leading them to a \
         sign-in page (nginx: no return 301 for the API's location)",
    )
    .by("status", answer.status)
}

pub fn cache_control(answers: &[Told<'_>]) -> Judgement {
    let looks = answers.iter().map(|(what, answer)| {
        let lines = answer.headers.get_all(CACHE_CONTROL).iter().filter_map(|line| line.to_str().ok());
        let told = lines.collect::<Vec<_>>().join(", ").to_ascii_lowercase();
        let has = |name: &str| told.split(',').any(|part| part.trim().split('=').next() == Some(name));
        let fix = "Cache-Control: no-store on every answer with a token (RFC 6749 section 5.1; Django: \
                   @never_cache; nginx: no expires and no add_header Cache-Control for the API)";
        let says = if told.is_empty() { "nothing".to_owned() } else { told.clone() };
        if has("no-store") {
            Judgement::ok("answers with tokens may not be stored")
        } else if has("public") || has("s-maxage") {
            Judgement::fail(format!("{what} is answered with a token, and Cache-Control says {says}"), fix)
        } else {
            Judgement::warn(format!("{what} is answered with a token, and Cache-Control says {says}"), fix)
        }
    });
    Judgement::worst(looks).unwrap_or_else(|| Judgement::skipped("no token was handed out"))
}

/// Whether a cache says that it has answered.
pub fn is_from_a_cache(answers: &[Told<'_>]) -> Option<Judgement> {
    let (what, header) =
        answers.iter().find_map(|(what, answer)| answer.cached_by().map(|header| (what, header)))?;
    Some(cached(format!("{what} is answered by a cache, says its header {header}")).by("header", header))
}

pub fn cached(found: String) -> Judgement {
    let fix = "cache nothing below the API's path (nginx: proxy_cache off, and no proxy_ignore_headers of \
               Cache-Control, Set-Cookie or Vary; a CDN: a rule that passes it by), and answer with \
               Cache-Control: no-store";
    Judgement::fail(found, fix)
}

/// The furthest of what an answer says of the time: `Date`, the `iat` of a token it hands out, and what a cookie's two ends
/// say together.
pub fn clock(answers: &[Told<'_>], access: Option<(&str, i64)>) -> Judgement {
    let mut said: Vec<(&str, i64)> = vec![];
    for (_, answer) in answers {
        said.extend(answer.skew_ms().map(|skew| ("its Date", skew)));
        let lines = answer.headers.get_all("set-cookie").iter().filter_map(|line| line.to_str().ok());
        for cookie in lines.filter_map(|line| Cookie::parse(line, answer.at)) {
            if let (Some(age @ 1..), Some(until)) = (cookie.max_age_secs, cookie.expires_ms) {
                said.push(("Expires less Max-Age of its cookie", until - age * 1000 - answer.at.as_ms()));
            }
        }
    }
    if let Some((token, at)) = access
        && let Some(issued) = token::issued_at(token)
    {
        said.push(("the iat of its token", issued.saturating_mul(1000) - at));
    }
    let Some((by, off)) = said.iter().max_by_key(|(_, off)| off.abs()).copied() else {
        return Judgement::skipped("nothing it answers says what time it is");
    };
    if off.abs() <= OFFSET_MAX_MS {
        return Judgement::ok("its clock is this machine's, to some seconds");
    }
    let seconds = off / 1000;
    let (far, way) = (seconds.unsigned_abs(), if seconds > 0 { "ahead of" } else { "behind" });
    Judgement::fail(
        format!("by {by}, its clock is {far} s {way} this machine's"),
        "run NTP on both (timedatectl set-ntp true; chronyc tracking says by how much it is off), and let \
         pages judge by the Date header and not by their own clock",
    )
    .by("offset_seconds", seconds)
}

/// A call without a token, before anybody had signed in.
pub fn api_refused(stranger: &Answer) -> Judgement {
    let fix = "answer 401 with WWW-Authenticate (DRF: a JWT class first in \
               DEFAULT_AUTHENTICATION_CLASSES, since SessionAuthentication in its place answers 403; \
               nginx: no error_page that replaces it)";
    match stranger.status {
        401 => Judgement::ok("a call without a token is answered 401"),
        300..=399 => Judgement::skipped("it is redirected; see redirect"),
        200..300 => Judgement::fail(
            format!("a call without a token is answered {}", stranger.told()),
            "serve it to whoever is signed in alone, and let refusals be what they are (nginx: no \
             error_page 401 =200); if it is for everybody, name another address as api.url",
        ),
        _ => Judgement::fail(format!("a call without a token is answered {}", stranger.told()), fix),
    }
    .by("status", stranger.status)
}

/// A refresh with a token that nobody has handed out.
pub fn refresh_refused(refused: &Answer) -> Judgement {
    let fix = "answer 401 with a stable code as JSON, and let 403, 400 and 5xx be what they are (Django: \
               catch TokenError where tokens are refreshed; nginx: no error_page or proxy_intercept_errors \
               for the API)";
    let found = |what: &str| format!("a made-up refresh token is answered {}{what}", refused.told());
    match refused.status {
        429 | 503 => Judgement::skipped(found(", which is no word about the token")),
        401 if refused.is_html() => Judgement::fail(found(""), fix),
        401 => Judgement::ok(found("")),
        // What OAuth says of a token that is no good (RFC 6749 section 5.2).
        400 if refused.json().is_some_and(|json| json["error"] == "invalid_grant") => {
            Judgement::ok(found(", as OAuth has it"))
        }
        _ => Judgement::fail(found(" instead of 401"), fix),
    }
    .by("status", refused.status)
}

/// An answer with the host that has given it: a browser believes what any answer of a host, or of one above it, has said.
pub fn hsts(answers: &[(&'static str, &str, &Answer)]) -> Judgement {
    let fix = "Strict-Transport-Security: max-age=31536000 (nginx: add_header … always, also in each \
               location that has an add_header of its own; Django: SECURE_HSTS_SECONDS)";
    let looks = answers.iter().map(|(what, host, _)| {
        let said = answers.iter().filter_map(|(_, of, answer)| {
            let (age, covers_below) = hsts_of(answer)?;
            let is_below = host.strip_suffix(of).is_some_and(|below| below.ends_with('.'));
            (host == of || (covers_below && is_below)).then_some(age)
        });
        match said.max() {
            None => Judgement::warn(format!("{what} does not say Strict-Transport-Security"), fix),
            Some(age @ HSTS_MIN_SECS..) => Judgement::ok("they are told to").by("max_age_seconds", age),
            Some(age) => Judgement::warn(format!("{what} says it for {} days only", age / 86_400), fix)
                .by("max_age_seconds", age),
        }
    });
    Judgement::worst(looks).unwrap_or_else(|| Judgement::skipped("nothing is encrypted"))
}

/// For how many seconds, and whether for what is below it too.
fn hsts_of(answer: &Answer) -> Option<(u64, bool)> {
    let told = answer.header(STRICT_TRANSPORT_SECURITY)?.to_ascii_lowercase();
    let mut parts = told.split(';').map(str::trim);
    let age = parts.clone().find_map(|part| part.strip_prefix("max-age=")?.trim_matches('"').parse().ok());
    Some((age.unwrap_or_default(), parts.any(|part| part == "includesubdomains")))
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;
    use tenure_domain::time::Timestamp;

    use super::super::finding::Verdict;
    use super::*;

    fn answer(status: u16, lines: &[(&'static str, &str)]) -> Answer {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, value.parse().unwrap());
        }
        Answer { status, headers, body: b"{}".to_vec(), at: Timestamp::from_ms(1_000_000_000) }
    }

    #[test]
    fn what_hands_out_tokens_may_not_be_stored() {
        let said = |told: &str| cache_control(&[("it", &answer(200, &[("cache-control", told)]))]).verdict;
        assert_eq!(
            (said("private, no-store"), said("private"), said("public, max-age=60")),
            (Verdict::Ok, Verdict::Warn, Verdict::Fail)
        );
        let hit = |name: &'static str, value: &str| {
            is_from_a_cache(&[("it", &answer(200, &[(name, value)]))]).is_some()
        };
        assert!(hit("x-cache", "Hit from cloudfront") && hit("age", "7"));
        assert!(!hit("x-cache", "Miss") && !hit("age", "0") && !hit("age", "x"));
    }

    #[test]
    fn a_clock_is_read_off_whatever_says_the_time() {
        let said = |name: &'static str, value: &str| clock(&[("it", &answer(200, &[(name, value)]))], None);
        assert_eq!(said("date", "Mon, 12 Jan 1970 13:46:50 GMT").verdict, Verdict::Ok);
        let late = said("date", "Mon, 12 Jan 1970 13:36:40 GMT");
        assert!(late.verdict == Verdict::Fail && late.found.contains("600 s behind"), "{}", late.found);
        let cookie = said("set-cookie", "a=1; Max-Age=60; Expires=Mon, 12 Jan 1970 13:57:40 GMT");
        assert!(cookie.found.contains("600 s ahead"), "{}", cookie.found);
        assert_eq!(said("x", "y").verdict, Verdict::Skipped);
        let old = [("date", "Mon, 12 Jan 1970 13:36:40 GMT"), ("age", "600")];
        assert_eq!(clock(&[("it", &answer(200, &old))], None).verdict, Verdict::Skipped, "from a cache");
    }

    #[test]
    fn a_refusal_is_401_and_nothing_else() {
        assert_eq!(api_refused(&answer(401, &[])).verdict, Verdict::Ok);
        assert_eq!(refresh_refused(&answer(401, &[])).verdict, Verdict::Ok);
        assert_eq!(refresh_refused(&answer(429, &[])).verdict, Verdict::Skipped);
        let oauth = |code: &str| {
            let body = format!("{{\"error\":\"{code}\"}}").into_bytes();
            refresh_refused(&Answer { body, ..answer(400, &[]) }).verdict
        };
        assert_eq!((oauth("invalid_grant"), oauth("invalid_request")), (Verdict::Ok, Verdict::Fail));
        for status in [200, 400, 403, 500] {
            assert_eq!(api_refused(&answer(status, &[])).verdict, Verdict::Fail);
            assert_eq!(refresh_refused(&answer(status, &[])).verdict, Verdict::Fail);
        }
        assert_eq!(refresh_refused(&answer(401, &[("content-type", "text/html")])).verdict, Verdict::Fail);
        let to = redirect(&[("it", &answer(302, &[("location", "https://a/login?token=secret")]))]);
        assert!(to.verdict == Verdict::Fail && !to.found.contains("secret"));
    }

    #[test]
    fn half_a_year_is_long_enough() {
        let with = |value: &str| answer(200, &[("strict-transport-security", value)]);
        let said = |value: &str| hsts(&[("it", "a.example.com", &with(value))]).verdict;
        assert_eq!(
            (said("max-age=31536000; includeSubDomains"), said("max-age=300")),
            (Verdict::Ok, Verdict::Warn)
        );
        let two = |host: &str, value: &str| {
            hsts(&[("the page", "example.com", &with(value)), ("a call", host, &answer(200, &[]))]).verdict
        };
        let year = "max-age=31536000";
        assert_eq!((two("example.com", year), two("api.example.com", year)), (Verdict::Ok, Verdict::Warn));
        let below = "max-age=31536000; includeSubDomains";
        assert_eq!(
            (two("api.example.com", below), two("anexample.com", below)),
            (Verdict::Ok, Verdict::Warn)
        );
    }
}
