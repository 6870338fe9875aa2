//! How long what was handed out lives, who can read it, and what Safari makes of that.

use std::time::Duration;

use super::super::outside::profile::{Place, Profile};
use super::super::outside::token;
use super::super::outside::wire::Answer;
use super::finding::Judgement;
use crate::wording::text::spoken;

/// What is taken for rounding and for the time that an answer was under way.
const SLACK: Duration = Duration::from_secs(60);

/// Where nobody has promised anything: longer than this is no access token, and shorter than that no "remember me".
const ACCESS_MAX: Duration = Duration::from_secs(3600);
const ACCESS_MIN: Duration = Duration::from_secs(60);
const REMEMBERED_MIN: Duration = Duration::from_secs(2 * 24 * 3600);

/// How long Safari keeps what scripts have written, if nobody comes by.
pub const SAFARI_MAX: Duration = Duration::from_secs(7 * 24 * 3600);

/// `in_body`: whether the answer with the cookie repeats its value.
pub fn token_readable(place: &Place, in_body: bool) -> Judgement {
    let fix = "hand it out in an HttpOnly cookie and leave it out of the body (dj-rest-auth: \
               JWT_AUTH_HTTPONLY and JWT_AUTH_REFRESH_COOKIE; simplejwt: a view of your own, or Tenure)";
    match place {
        Place::Cookie(_) if in_body => {
            Judgement::warn("the refresh token is in a cookie, and once more in the body", fix)
        }
        Place::Cookie(_) => Judgement::ok("the refresh token is in a cookie"),
        place => Judgement::warn(format!("the refresh token is handed to scripts, at {place}"), fix)
            .by("place", place.to_string()),
    }
}

/// Of an access token, by its claims or else by what came along with it.
pub fn access(profile: &Profile, access: &str, login: &Answer) -> Judgement {
    let told = ["/expires_in", "/data/expires_in"];
    let told = login.json().and_then(|json| told.iter().find_map(|at| json.pointer(at)?.as_u64()));
    let Some(life) = token::lifetime(access).or(told.map(Duration::from_secs)) else {
        return Judgement::skipped("access tokens do not say how long they live");
    };
    let fix = "set it to what was promised; 5 to 60 minutes are usual (simplejwt: ACCESS_TOKEN_LIFETIME; \
               Tenure: session.access_lifetime)";
    let is_so = spoken(life);
    match profile.promises.access_lifetime() {
        // Drawn somewhat shorter, so that tabs do not refresh in step.
        Some(promised) if life > promised || life < promised / 2 => Judgement::warn(
            format!("an access token lives {is_so}, and {} are promised", spoken(promised)),
            fix,
        ),
        None if life > ACCESS_MAX => Judgement::warn(
            format!("an access token lives {is_so}: so long it works after a sign-out, a block or a theft"),
            fix,
        ),
        None if life < ACCESS_MIN => {
            Judgement::warn(format!("an access token lives {is_so}: pages refresh all the time"), fix)
        }
        _ => Judgement::ok(format!("an access token lives {is_so}")),
    }
    .by("seconds", life.as_secs())
}

/// Of the shorter one of cookie and token, if either says.
pub fn remembered(profile: &Profile, life: Option<Duration>) -> Judgement {
    let Some(life) = life else {
        return Judgement::skipped("refresh tokens do not say how long they live");
    };
    let fix = "give the refresh token, its row and its cookie the lifetime that the form promises \
               (simplejwt: REFRESH_TOKEN_LIFETIME; Django: SESSION_COOKIE_AGE; Tenure: \
               session.remembered_lifetime)";
    let is_so = spoken(life);
    match profile.promises.remembered_lifetime() {
        Some(promised) if life.saturating_add(SLACK) < promised => Judgement::fail(
            format!("a remembered sign-in lives {is_so}, and {} are promised", spoken(promised)),
            fix,
        ),
        None if life < REMEMBERED_MIN => Judgement::warn(
            format!("a remembered sign-in lives {is_so}; nothing is promised, and people expect weeks"),
            fix,
        ),
        _ => Judgement::ok(format!("a remembered sign-in lives {is_so}")),
    }
    .by("seconds", life.as_secs())
}

/// `is_one_server`: none if that cannot be said.
pub fn safari(place: &Place, life: Option<Duration>, is_one_server: Option<bool>) -> Judgement {
    if !matches!(place, Place::Cookie(_)) && life.is_none_or(|life| life > SAFARI_MAX) {
        return Judgement::warn(
            "the refresh token is kept by scripts, and Safari deletes what scripts have stored after \
             seven days without a visit",
            "keep it in an HttpOnly cookie that the API sets",
        );
    }
    match is_one_server {
        Some(false) => Judgement::warn(
            "pages and API are at addresses whose first halves differ: Safari keeps the API's cookies for \
             seven days",
            "serve both from one network, or pass the API on from the pages' own server (nginx: location \
             /api/)",
        ),
        Some(true) => Judgement::ok("the API's cookies are those of the pages' own server"),
        None => Judgement::ok("scripts keep nothing that lives longer"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::outside::target::Target;
    use super::super::finding::Verdict;
    use super::*;

    fn profile(promises: &str) -> Profile {
        let text = format!(
            "name = 'x'\nlogin = {{ url = '/in', access = 'json:/a', refresh = 'cookie:r' }}\nrefresh = \
             {{ url = '/re', access = 'json:/a' }}\napi = {{ url = '/me' }}\npromises = {{ {promises} }}"
        );
        let target = Target::parse("http://localhost", false).unwrap();
        Profile::parse(&text, &target).map_err(|error| error.to_string()).unwrap()
    }

    #[test]
    fn a_promise_is_kept_to_the_minute() {
        let days = |days: u64| Duration::from_secs(days * 86_400);
        let promised = profile("remembered_lifetime = '20d'");
        assert_eq!(remembered(&promised, Some(days(20) - Duration::from_secs(30))).verdict, Verdict::Ok);
        let short = remembered(&promised, Some(days(1)));
        assert!(
            short.verdict == Verdict::Fail && short.found.contains("1 day, and 20 days are promised"),
            "{}",
            short.found
        );
        assert_eq!(remembered(&profile(""), Some(days(1))).verdict, Verdict::Warn);
        assert_eq!(remembered(&profile(""), Some(days(7))).verdict, Verdict::Ok);
    }

    #[test]
    fn an_access_token_lives_for_minutes() {
        let login = |seconds: u64| Answer {
            status: 200,
            headers: Default::default(),
            body: format!("{{\"expires_in\":{seconds}}}").into_bytes(),
            at: tenure_domain::time::Timestamp::from_ms(0),
        };
        let said = |promises: &str, seconds| access(&profile(promises), "opaque", &login(seconds)).verdict;
        assert_eq!(
            (said("", 300), said("", 86_400), said("", 10)),
            (Verdict::Ok, Verdict::Warn, Verdict::Warn)
        );
        let promise = "access_lifetime = '15m'";
        assert_eq!(
            (said(promise, 840), said(promise, 901), said(promise, 300)),
            (Verdict::Ok, Verdict::Warn, Verdict::Warn)
        );
    }

    #[test]
    fn safari_deletes_what_scripts_keep() {
        let (cookie, body) = (Place::Cookie("r".into()), Place::Json("/r".into()));
        let week = Some(SAFARI_MAX);
        assert_eq!(safari(&cookie, None, Some(true)).verdict, Verdict::Ok);
        assert_eq!(safari(&cookie, None, Some(false)).verdict, Verdict::Warn);
        assert_eq!(
            (safari(&body, week, None).verdict, safari(&body, None, None).verdict),
            (Verdict::Ok, Verdict::Warn)
        );
    }
}
