//! The table of checks: what each looks at, what has to be so, and what people see where it is not.

pub struct Check {
    /// Stable, for programs.
    pub id: &'static str,
    /// What has to be so.
    pub title: &'static str,
    /// What people see where it is not.
    pub why: &'static str,
    /// Whether it takes `--browser`.
    pub in_browser: bool,
}

const fn check(id: &'static str, title: &'static str, why: &'static str) -> Check {
    Check { id, title, why, in_browser: false }
}

const fn in_browser(id: &'static str, title: &'static str, why: &'static str) -> Check {
    Check { id, title, why, in_browser: true }
}

impl Check {
    /// Where it is explained.
    pub fn doc(&self) -> String {
        format!("docs/guide/doctor.md#{}", self.id)
    }
}

pub fn named(id: &str) -> Option<&'static Check> {
    ALL.iter().find(|check| check.id == id)
}

/// The table of the guide.
pub fn table() -> String {
    let mut text =
        String::from("| check | what has to be so | what people see where it is not |\n|---|---|---|\n");
    for Check { id, title, why, in_browser } in ALL {
        let browser = if *in_browser { " (`--browser`)" } else { "" };
        text.push_str(&format!("| <a id=\"{id}\"></a>`{id}`{browser} | {title} | {why} |\n"));
    }
    text
}

/// In the order of a report.
pub const ALL: &[Check] = &[
    check("reachable", "Pages and API answer", "nobody gets anywhere"),
    check("sign-in", "The test account can sign in", "nobody gets in"),
    check(
        "cookie-set",
        "The sign-in sets the cookie that refreshes need",
        "the first reload shows the sign-in form",
    ),
    check(
        "cookie-http-only",
        "Scripts cannot read the cookie",
        "any script on the page can carry the session away, and clear it",
    ),
    check(
        "cookie-secure",
        "The cookie is Secure where the site is, and only there",
        "browsers drop the one and send the other in the clear",
    ),
    check(
        "cookie-same-site",
        "The cookie comes along when people return from elsewhere, and from nowhere else",
        "people come back from a payment page or a mail and are strangers",
    ),
    check(
        "cookie-path",
        "The cookie is sent to the address that refreshes",
        "the browser has the cookie and does not send it: every reload signs out",
    ),
    check(
        "cookie-domain",
        "The cookie is this host's alone",
        "another application under the same domain overwrites or deletes it",
    ),
    check(
        "cookie-lifetime",
        "The cookie outlives the browser's window",
        "closing the browser signs out, whatever was ticked",
    ),
    check(
        "cookie-prefix",
        "The name's promise (__Host-, __Secure-) is kept",
        "browsers refuse the cookie without a word",
    ),
    check(
        "cookie-duplicate",
        "There is one cookie of that name",
        "the browser sends both, and which one counts is luck",
    ),
    check(
        "cookie-size",
        "The cookie fits",
        "browsers drop it, or a proxy answers 400 to everything until cookies are cleared",
    ),
    check(
        "same-site",
        "Pages and API are one site to a browser",
        "Safari and Firefox keep no cookies of another site, and Chrome may not",
    ),
    check(
        "cors-origin",
        "The pages' origin may read the API's answers, and no other origin may",
        "a page takes an answer that it may not read for a broken network, or for a sign-out",
    ),
    check(
        "cors-credentials",
        "Cookies may come along to the API",
        "the browser leaves the cookie at home, or hides the answer",
    ),
    check(
        "cors-preflight",
        "Preflights are answered 2xx, without a sign-in and without a redirect",
        "the browser never sends the real request",
    ),
    check(
        "cors-headers",
        "The headers and methods that the pages use are allowed",
        "the browser never sends the real request",
    ),
    check(
        "cors-vary",
        "Answers that depend on the Origin say so",
        "a cache hands one page the answer for another one, which may not read it",
    ),
    check(
        "cache-control",
        "Answers with tokens may not be stored",
        "a cache hands out yesterday's token, or somebody else's",
    ),
    check(
        "proxy-cache",
        "Nothing in front of the API answers in its place",
        "people are served somebody else's answer, or a token that has long been replaced",
    ),
    check("proxy-set-cookie", "Set-Cookie arrives", "the session begins and is never kept"),
    check(
        "proxy-authorization",
        "The access token arrives where it is looked at",
        "every call is refused right after the sign-in",
    ),
    check(
        "redirect",
        "Calls of the API are answered, and not redirected",
        "a POST becomes a GET, its body is lost, and a sign-in page is parsed as JSON",
    ),
    check(
        "clock-offset",
        "The clocks agree",
        "tokens are refused before their time, or refreshed all the time",
    ),
    check("refresh", "A plain refresh is served", "the session ends with the first access token"),
    check(
        "refresh-limit",
        "Normal use is not limited",
        "a page with eight calls, or an office behind one address, is signed out",
    ),
    check(
        "refresh-concurrent",
        "Eight refreshes at the same moment are all served",
        "tabs wake up together, and all but one are signed out",
    ),
    check(
        "refresh-lost-answer",
        "A refresh whose answer is lost can be repeated",
        "the network goes while the answer is under way, and the next page is the sign-in form",
    ),
    check(
        "refresh-late-duplicate",
        "A late copy of a refresh does no harm",
        "proxies and browsers send a request again when a connection breaks, and the session ends",
    ),
    check(
        "refresh-reload-burst",
        "A burst of reloads ends signed in",
        "reloading is what people do when something hangs, and it signs them out",
    ),
    check(
        "refresh-refused-status",
        "A refresh that is refused is answered 401, for programs",
        "pages cannot tell the end of a session from a fault, and guess",
    ),
    check(
        "api-refused-status",
        "A call without a token is answered 401",
        "pages refresh at 401; at anything else the call is lost, or they sign out",
    ),
    check(
        "outage-status",
        "While something is down nobody is told 401",
        "a minute of trouble signs out whoever was there",
    ),
    check(
        "token-readable",
        "Refresh tokens are out of the reach of scripts",
        "what scripts hold is kept in storage, which browsers, people and other scripts clear and copy",
    ),
    check(
        "access-lifetime",
        "Access tokens live for minutes",
        "a long one keeps alive what was ended; a very short one makes pages refresh all the time",
    ),
    check(
        "remember-lifetime",
        "A remembered sign-in lives as long as was promised",
        "people who ticked \"remember me\" are signed out before their time",
    ),
    check("keys-persist", "Tokens outlive a restart of the API", "each deployment signs everybody out"),
    check(
        "redis-independent",
        "While Redis is down nobody is signed out",
        "a cache that is emptied is everybody's sign-out",
    ),
    check(
        "tls",
        "Pages and API are encrypted, with a certificate that browsers trust",
        "browsers drop Secure cookies, and anybody on the way reads the others",
    ),
    check(
        "hsts",
        "Browsers are told to come encrypted only",
        "a first visit in the clear can be read and redirected",
    ),
    check(
        "safari-seven-days",
        "Safari keeps the session for longer than seven days",
        "people with an iPhone are signed out once a week",
    ),
    in_browser(
        "browser-cookies",
        "A real browser keeps the cookie, and sends it to the refresh",
        "whatever the headers say, the browser decides",
    ),
    in_browser(
        "browser-tabs",
        "Two tabs that are loaded at once stay signed in",
        "a browser that restores its tabs signs out all of them",
    ),
    in_browser(
        "storage-tokens",
        "No token is in the storage of the page",
        "what scripts hold is kept in storage, which browsers, people and other scripts clear and copy",
    ),
    in_browser(
        "front-end-402",
        "The pages stay signed in at a 402",
        "an unpaid bill shows the sign-in form, and signing in does not help",
    ),
    in_browser(
        "front-end-403",
        "The pages stay signed in at a 403",
        "a missing permission shows the sign-in form",
    ),
    in_browser(
        "front-end-5xx",
        "The pages stay signed in at a 500",
        "a minute of trouble signs out whoever was there",
    ),
    in_browser(
        "front-end-network",
        "The pages stay signed in without a network",
        "each tunnel and each lift signs out",
    ),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_check_has_a_name_of_its_own_and_says_why() {
        assert_eq!(ALL.iter().map(|check| check.id).collect::<BTreeSet<_>>().len(), ALL.len());
        for check in ALL {
            assert!(check.id.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-'));
            for text in [check.title, check.why] {
                assert!(text.len() > 10 && !text.contains('|') && !text.ends_with('.'), "{}", check.id);
            }
        }
    }
}
