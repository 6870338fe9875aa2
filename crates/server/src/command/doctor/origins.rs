//! What browsers are told about pages of other origins (the Fetch Standard's CORS protocol).

use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, HeaderName, VARY,
};

use super::super::outside::profile::{Call, Place, Profile};
use super::super::outside::wire::Answer;
use super::finding::Judgement;

/// Nobody's origin, to see whether any is let in.
pub const FOREIGN: &str = "https://foreign.example";

/// A request that a browser asks about first, and how that was answered.
pub struct Preflight {
    pub what: &'static str,
    /// As in "the preflight of a call".
    pub name: String,
    pub asks: Asks,
    pub answer: Answer,
}

/// What a browser asks about.
pub struct Asks {
    pub method: String,
    /// In lower case, sorted.
    pub headers: Vec<String>,
}

/// What a call is asked about, if it is.
pub fn asks(profile: &Profile, call: &Call) -> Option<Asks> {
    let method = call.method.clone().unwrap_or_else(|| "POST".into());
    let mut headers: Vec<String> =
        profile.headers.keys().chain(call.headers.keys()).map(|name| name.to_ascii_lowercase()).collect();
    if call.json.is_some() {
        headers.push("content-type".into());
    }
    let is_simple =
        |name: &String| matches!(name.as_str(), "accept" | "accept-language" | "content-language");
    headers.retain(|name| !is_simple(name));
    headers.sort();
    headers.dedup();
    let is_plain = matches!(method.as_str(), "GET" | "HEAD" | "POST") && headers.is_empty();
    (!is_plain).then_some(Asks { method, headers })
}

fn values(answer: &Answer, name: HeaderName) -> Vec<String> {
    let lines = answer.headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    lines.flat_map(|line| line.split(',')).map(|part| part.trim().to_ascii_lowercase()).collect()
}

/// What an answer allows: each value of Allow-Origin as it came.
fn allowed(answer: &Answer) -> Vec<&str> {
    let lines = answer.headers.get_all(ACCESS_CONTROL_ALLOW_ORIGIN).iter();
    lines.filter_map(|value| value.to_str().ok()).collect()
}

fn allows_credentials(answer: &Answer) -> bool {
    answer.header(ACCESS_CONTROL_ALLOW_CREDENTIALS) == Some("true")
}

/// Whether an origin that nobody listed may act as whoever looks at its pages.
pub fn lets_foreign_in(foreign: &Answer) -> Option<Judgement> {
    let is_let_in = allowed(foreign) == [FOREIGN] && allows_credentials(foreign);
    is_let_in.then(|| {
        Judgement::fail(
            "any origin is told that it may read answers with credentials: the Origin that was sent is \
             repeated",
            "compare it with a list (django-cors-headers: CORS_ALLOWED_ORIGINS and not \
             CORS_ALLOW_ALL_ORIGINS; nginx: a map of origins and not $http_origin; Tenure: \
             origins.allowed)",
        )
        .by("origin", FOREIGN)
    })
}

/// `cookies`: whether calls bring some along.
pub fn origin(origin: &str, cookies: bool, answers: &[(&'static str, &Answer)]) -> Judgement {
    let list = "list the pages' origin by its exact name (django-cors-headers: CORS_ALLOWED_ORIGINS; \
                Tenure: origins.allowed)";
    let looks = answers.iter().map(|(what, answer)| {
        let told = allowed(answer);
        let status = answer.status;
        match told.as_slice() {
            [one] if *one == origin => Judgement::ok(format!("{origin} may read the answers")),
            ["*"] if !cookies => Judgement::ok("every origin may read the answers, and no cookie is needed"),
            ["*"] => Judgement::fail(
                format!("{what} allows `*`, which browsers refuse where cookies come along"),
                list,
            ),
            [] if answer.is_fine() => {
                Judgement::fail(format!("{what} does not let {origin} read its answer"), list)
            }
            [] => Judgement::fail(
                format!(
                    "{what} is answered {status} without CORS headers: {origin} takes that for a broken \
                     network"
                ),
                format!(
                    "add them to refusals and faults too (nginx: add_header … always; Django: \
                     CorsMiddleware first); {list}"
                ),
            ),
            [_] => Judgement::fail(format!("{what} allows another origin than {origin}"), list)
                .by("allowed", told.join(", ")),
            _ => Judgement::fail(
                format!(
                    "{what} says Access-Control-Allow-Origin {} times, which browsers refuse",
                    told.len()
                ),
                "let one of proxy and back end say it (nginx: remove add_header \
                 Access-Control-Allow-Origin, or proxy_hide_header it first)",
            ),
        }
    });
    Judgement::worst(looks).unwrap_or_else(|| Judgement::skipped("nothing was answered"))
}

pub fn credentials<'a>(mut answers: impl Iterator<Item = (&'a str, &'a Answer)>) -> Judgement {
    match answers.find(|(_, answer)| !allows_credentials(answer)) {
        None => Judgement::ok("cookies may come along"),
        Some((what, _)) => Judgement::fail(
            format!(
                "{what} does not say Access-Control-Allow-Credentials: true, and the session is in a cookie"
            ),
            "say it (django-cors-headers: CORS_ALLOW_CREDENTIALS = True; nginx: add_header \
             Access-Control-Allow-Credentials true always)",
        ),
    }
}

pub fn preflight(preflights: &[Preflight]) -> Judgement {
    match preflights.iter().find(|one| !one.answer.is_fine()) {
        None if preflights.is_empty() => Judgement::ok("no call is asked about beforehand"),
        None => Judgement::ok("preflights are answered"),
        Some(Preflight { what, answer, .. }) => Judgement::fail(
            format!("the preflight of {what} is answered {}", answer.told()),
            "answer OPTIONS with 204 before anything asks who it is, and without a redirect (nginx: if \
             ($request_method = OPTIONS) { return 204; }; Django: CorsMiddleware before everything else; \
             the exact address, with its slash)",
        ),
    }
}

pub fn headers(preflights: &[Preflight], cookies: bool) -> Judgement {
    let missing = preflights.iter().filter(|one| one.answer.is_fine()).find_map(|one| {
        let (headers, methods) = (
            values(&one.answer, ACCESS_CONTROL_ALLOW_HEADERS),
            values(&one.answer, ACCESS_CONTROL_ALLOW_METHODS),
        );
        // The star is a name like others where credentials come along, and never stands for Authorization.
        let has = |list: &[String], name: &str| {
            list.iter().any(|one| one == name || (one == "*" && !cookies && name != "authorization"))
        };
        let header = one.asks.headers.iter().find(|name| !has(&headers, name));
        let is_method_free = matches!(one.asks.method.as_str(), "GET" | "HEAD" | "POST");
        let method = (!is_method_free && !has(&methods, &one.asks.method.to_ascii_lowercase()))
            .then_some(&one.asks.method);
        header.or(method).map(|name| (one.what, name))
    });
    match missing {
        None if preflights.is_empty() => Judgement::ok("no header is asked about beforehand"),
        None => Judgement::ok("what the pages send is allowed"),
        Some((what, name)) => Judgement::fail(
            format!("{what} is sent with {name}, which the preflight does not allow"),
            format!(
                "allow {name} (django-cors-headers: CORS_ALLOW_HEADERS, CORS_ALLOW_METHODS; nginx: \
                 add_header Access-Control-Allow-Headers)"
            ),
        ),
    }
}

/// A token in a header is of no use to a page that may not see it.
pub fn exposed(profile: &Profile, answers: &[(&'static str, &Answer)]) -> Option<Judgement> {
    let places = [&profile.login.access, &profile.login.refresh, &profile.refresh.access];
    let name = places.into_iter().find_map(|place| match place {
        Some(Place::Header(name)) => Some(name),
        _ => None,
    })?;
    let hidden = answers.iter().find(|(_, answer)| {
        let exposed = values(answer, ACCESS_CONTROL_EXPOSE_HEADERS);
        answer.headers.contains_key(name) && !exposed.iter().any(|one| one == name.as_str())
    });
    hidden.map(|(what, _)| {
        Judgement::fail(
            format!("{what} is answered with a token in {name}, which pages of another origin cannot read"),
            format!("say Access-Control-Expose-Headers: {name}"),
        )
    })
}

/// `ours` was asked by the pages' origin, and the others by none and by a foreign one.
pub fn vary(ours: &Answer, others: [&Answer; 2]) -> Judgement {
    let differs = others.iter().any(|other| allowed(other) != allowed(ours));
    let says = |answer: &Answer| values(answer, VARY).iter().any(|one| one == "origin" || one == "*");
    if !differs || [ours].into_iter().chain(others).all(says) {
        return Judgement::ok(if differs { "they say so" } else { "they are the same for every origin" });
    }
    let found = "answers differ by Origin, and do not say Vary: Origin";
    let fix = "add Vary: Origin to all of them, also to those without CORS headers (nginx: add_header \
               Vary Origin always)";
    Judgement::warn(found, fix)
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;
    use tenure_domain::time::Timestamp;

    use super::super::finding::Verdict;
    use super::*;

    const APP: &str = "https://app.example.com";

    fn answer(status: u16, lines: &[(&'static str, &str)]) -> Answer {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, value.parse().unwrap());
        }
        Answer { status, headers, body: vec![], at: Timestamp::from_ms(0) }
    }

    fn judged(status: u16, allow: &[&str], cookies: bool) -> Judgement {
        let lines: Vec<_> = allow.iter().map(|value| ("access-control-allow-origin", *value)).collect();
        origin(APP, cookies, &[("a call", &answer(status, &lines))])
    }

    #[test]
    fn an_origin_is_allowed_by_its_exact_name_and_once() {
        assert_eq!(judged(200, &[APP], true).verdict, Verdict::Ok);
        assert_eq!(judged(200, &["*"], false).verdict, Verdict::Ok);
        for (status, allow, said) in [
            (200, &["*"][..], "`*`"),
            (200, &[], "does not let"),
            (401, &[], "without CORS headers"),
            (200, &["https://other.example.com"], "another origin"),
            (200, &[APP, APP], "2 times"),
        ] {
            let judgement = judged(status, allow, true);
            assert!(judgement.verdict == Verdict::Fail && judgement.found.contains(said), "{judgement:?}");
        }
        let foreign =
            [("access-control-allow-origin", FOREIGN), ("access-control-allow-credentials", "true")];
        assert!(lets_foreign_in(&answer(200, &foreign)).is_some());
        assert!(lets_foreign_in(&answer(200, &foreign[..1])).is_none());
    }

    #[test]
    fn what_a_preflight_forgets_is_named() {
        let asked = |allowed: &str, cookies: bool| {
            let asks = Asks { method: "DELETE".into(), headers: vec!["authorization".into(), "x-a".into()] };
            let lines =
                [("access-control-allow-headers", allowed), ("access-control-allow-methods", "GET, DELETE")];
            let (name, answer) = ("the preflight of a call".into(), answer(204, &lines));
            headers(&[Preflight { what: "a call", name, asks, answer }], cookies)
        };
        assert_eq!(asked("X-A,Authorization", true).verdict, Verdict::Ok);
        assert!(asked("Authorization", true).found.contains("x-a"));
        assert!(asked("*", false).found.contains("authorization"), "the star never stands for it");
        assert_eq!(asked("*, Authorization", false).verdict, Verdict::Ok);
    }

    #[test]
    fn answers_that_differ_say_so() {
        let ours = |vary: &str| answer(200, &[("access-control-allow-origin", APP), ("vary", vary)]);
        let other = |vary: &str| answer(200, &[("vary", vary)]);
        let varies = "Accept, Origin";
        assert_eq!(vary(&ours(varies), [&other(varies), &other(varies)]).verdict, Verdict::Ok);
        assert_eq!(vary(&ours(varies), [&other("Accept"), &other(varies)]).verdict, Verdict::Warn);
        assert_eq!(vary(&ours("Accept"), [&ours("Accept"), &ours("Accept")]).verdict, Verdict::Ok);
    }
}
