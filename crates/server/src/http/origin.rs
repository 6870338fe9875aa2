//! Which web pages may talk to us (protocol.md section 7). A refusal ends nothing and touches no cookie.

use http::{HeaderMap, HeaderValue, header};
use tenure_domain::problem::Code;
use tower_http::cors::{AllowOrigin, CorsLayer};

use crate::config::{PublicUrl, Settled, is_loopback_authority};
use crate::http::problem::Problem;
use crate::http::rate_limit;

/// The longest address that somebody is sent to.
const TARGET_BYTES_MAX: usize = 2048;

#[derive(Clone)]
pub struct Origins {
    allowed: Vec<String>,
    /// Of applications that are observed and may do nothing else.
    observed: Vec<String>,
    /// In development every page on this machine may call, whatever its port.
    any_loopback: bool,
}

impl Origins {
    pub fn new(settled: &Settled) -> Self {
        let extra = settled.config.origins.allowed.iter().filter_map(|text| PublicUrl::parse(text));
        let allowed =
            std::iter::once(settled.public_url.origin()).chain(extra.map(|url| url.origin())).collect();
        let observed = settled.config.observe.origins.clone();
        Self { allowed, observed, any_loopback: settled.development }
    }

    /// Compared whole and exactly: no suffixes, no patterns, never `null`.
    pub fn allows(&self, origin: &HeaderValue) -> bool {
        origin.to_str().is_ok_and(|origin| self.allows_text(origin))
    }

    fn allows_text(&self, origin: &str) -> bool {
        self.allowed.iter().any(|allowed| allowed == origin)
            || (self.any_loopback
                && PublicUrl::parse(origin)
                    .is_some_and(|url| is_loopback_authority(&url.authority) && url.origin() == origin))
    }

    /// Whether somebody may be sent there after signing in: a path of ours, or an address on an allowed origin.
    /// Browsers read more into an address than stands in it (a backslash is a slash, a tab is nothing), so
    /// only plain ASCII is looked at, and an origin is compared as it is written.
    pub fn knows_target(&self, target: &str) -> bool {
        let plain = |b: u8| b.is_ascii_graphic() && b != b'\\';
        if target.len() > TARGET_BYTES_MAX || !target.bytes().all(plain) {
            return false;
        }
        if target.starts_with('/') {
            return !target.starts_with("//");
        }
        let Some(authority) = target.find("://").map(|at| at + 3) else { return false };
        let end = target[authority..].find(['/', '?', '#']).map_or(target.len(), |at| authority + at);
        self.allows_text(&target[..end])
    }

    /// The allowed origins, as sources in a Content-Security-Policy. An IPv6 address cannot be one.
    pub fn sources(&self) -> impl Iterator<Item = &str> {
        let loopback = ["http://localhost:*", "http://*.localhost:*", "http://127.0.0.1:*"];
        let loopback = loopback.into_iter().filter(|_| self.any_loopback);
        self.allowed.iter().map(String::as_str).filter(|origin| !origin.contains('[')).chain(loopback)
    }

    /// Refuses a request that another site's page made the browser send. A browser always says where such a
    /// request comes from; whoever says nothing is no browser and has no ambient cookies to abuse.
    pub fn check(&self, headers: &HeaderMap) -> Result<(), Problem> {
        let refused = || {
            let detail = "The page that sent this request is not on an allowed origin.";
            Problem::new(Code::OriginNotAllowed, detail)
        };
        if headers.get_all(header::ORIGIN).iter().any(|origin| !self.allows(origin)) {
            return Err(refused());
        }
        match headers.get("sec-fetch-site").map(HeaderValue::as_bytes) {
            None | Some(b"same-origin" | b"same-site") => Ok(()),
            Some(_) => Err(refused()),
        }
    }

    /// The observed application whose page sent a request; none if no page of one did.
    pub fn observed(&self, headers: &HeaderMap) -> Option<&str> {
        let mut said = headers.get_all(header::ORIGIN).iter();
        match (said.next(), said.next()) {
            (Some(origin), None) => {
                self.observed.iter().map(String::as_str).find(|observed| origin == observed)
            }
            _ => None,
        }
    }

    /// Refuses what any page but our own made the browser send, reading as well as writing: for a cookie that opens
    /// more than an allowed application should be able to. In development our own pages may be on any port.
    pub fn check_own(&self, headers: &HeaderMap) -> Result<(), Problem> {
        let is_own = |origin: &HeaderValue| {
            self.allows(origin)
                && (self.any_loopback || self.allowed.first().is_some_and(|own| own == origin))
        };
        let site = headers.get("sec-fetch-site").map(HeaderValue::as_bytes);
        let comes_from_us = match site {
            None | Some(b"same-origin" | b"none") => true,
            Some(b"same-site") => self.any_loopback,
            Some(_) => false,
        };
        if comes_from_us && headers.get_all(header::ORIGIN).iter().all(is_own) {
            return Ok(());
        }
        Err(Problem::new(
            Code::OriginNotAllowed,
            "Only this server's own pages may use the console's cookie.",
        ))
    }

    /// CORS for the allowed origins, with credentials.
    pub fn cors(&self) -> CorsLayer {
        let origins = self.clone();
        CorsLayer::new()
            .allow_origin(AllowOrigin::predicate(move |origin, _| origins.allows(origin)))
            .allow_credentials(true)
            .allow_methods([http::Method::GET, http::Method::POST, http::Method::PATCH, http::Method::DELETE])
            .allow_headers([
                header::AUTHORIZATION,
                header::CONTENT_TYPE,
                http::HeaderName::from_static("tenure-sent-at"),
                http::HeaderName::from_static("x-request-id"),
                http::HeaderName::from_static("traceparent"),
            ])
            .expose_headers([
                header::RETRY_AFTER,
                header::DATE,
                header::WWW_AUTHENTICATE,
                rate_limit::POLICY,
                rate_limit::STANDING,
                http::HeaderName::from_static("x-request-id"),
            ])
            .max_age(std::time::Duration::from_secs(600))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origins(any_loopback: bool) -> Origins {
        Origins {
            allowed: vec!["https://example.com".into(), "https://app.example.com:8443".into()],
            observed: vec!["https://watched.example".into()],
            any_loopback,
        }
    }

    #[test]
    fn origins_are_compared_whole() {
        let allows = |text: &str| origins(false).allows(&HeaderValue::from_str(text).unwrap());
        assert!(allows("https://example.com") && allows("https://app.example.com:8443"));
        for other in [
            "null",
            "",
            "http://example.com",
            "https://evil-example.com",
            "https://example.com.evil.net",
            "https://example.com:444",
            "https://EXAMPLE.com",
            "https://example.com/",
            "https://a.example.com",
            "https://app.example.com",
            "https://example.com https://evil.net",
            "http://localhost:5173",
        ] {
            assert!(!allows(other), "{other}");
        }
    }

    #[test]
    fn an_observed_application_is_known_by_its_whole_origin_and_allowed_nothing() {
        let observed = |said: &[&str]| {
            let mut headers = HeaderMap::new();
            for origin in said {
                headers.append(header::ORIGIN, HeaderValue::from_str(origin).unwrap());
            }
            (origins(true).observed(&headers).is_some(), origins(true).check(&headers).is_ok())
        };
        assert_eq!(observed(&["https://watched.example"]), (true, false));
        for other in [
            &[][..],
            &["null"],
            &["http://watched.example"],
            &["https://watched.example:444"],
            &["https://a.watched.example"],
            &["https://watched.example", "https://watched.example"],
            &["https://example.com"],
        ] {
            assert!(!observed(other).0, "{other:?}");
        }
    }

    #[test]
    fn development_allows_loopback_pages_and_no_others() {
        let allows = |text: &str| origins(true).allows(&HeaderValue::from_str(text).unwrap());
        assert!(
            allows("http://localhost:5173") && allows("http://127.0.0.1:3000") && allows("http://[::1]:3000")
        );
        for other in
            ["http://localhost.evil.net", "http://127.0.0.1.evil.net", "http://localhost:1@evil.net", "null"]
        {
            assert!(!allows(other), "{other}");
        }
    }

    /// Addresses that a browser would take to a foreign place, each written so as to look like one of ours.
    #[test]
    fn nobody_is_sent_to_a_foreign_place_or_to_a_script() {
        for target in [
            "/",
            "/account",
            "/x?y=//z#/w",
            "/x%0d%0aSet-Cookie:a=b",
            "https://example.com",
            "https://example.com/x",
            "https://example.com?x",
            "https://app.example.com:8443/#x",
        ] {
            assert!(origins(false).knows_target(target), "{target}");
        }
        for target in [
            "",
            "x",
            "account",
            "//evil.net",
            "///evil.net",
            "/\\evil.net",
            "\\\\evil.net",
            "/x\\y",
            "/\t/evil.net",
            "\t//evil.net",
            " //evil.net",
            "/\n/evil.net",
            "/x\r\nSet-Cookie: a=b",
            "/\u{0}",
            "/x y",
            "/\u{e4}",
            "javascript:alert(1)",
            "JavaScript://example.com/%0aalert(1)",
            "data:text/html,x",
            "https:evil.net",
            "https:/evil.net",
            "https:example.com",
            "https://evil.net",
            "http://example.com/",
            "HTTPS://example.com/",
            "https://example.com@evil.net/",
            "https://example.com:x@evil.net/",
            "https://user@example.com/",
            "https://example.com.evil.net/",
            "https://evil-example.com/",
            "https://example.com\\@evil.net/",
            "https://example.com%2eevil.net/",
            "https://example.com:443/",
            "https://example\u{3002}com/",
            "https://example\u{ff0e}com/",
            "https://\u{ff45}xample.com/",
            "https:///example.com/",
            "https://",
            "://example.com",
            "blob:https://example.com/x",
            "null",
            "http://localhost:5173/",
        ] {
            assert!(!origins(false).knows_target(target), "{target:?}");
        }
        assert!(!origins(false).knows_target(&format!("/{}", "x".repeat(2048))));
        assert!(origins(true).knows_target("http://localhost:5173/x"));
        for target in ["http://localhost:1@evil.net/", "http://localhost.evil.net/", "http://127.0.0.1:x/"] {
            assert!(!origins(true).knows_target(target), "{target}");
        }
    }

    #[test]
    fn the_console_is_for_our_own_pages_alone() {
        let check = |any_loopback, lines: &[(&'static str, &str)]| {
            let mut headers = HeaderMap::new();
            for (name, value) in lines {
                headers.append(*name, HeaderValue::from_str(value).unwrap());
            }
            origins(any_loopback).check_own(&headers).is_ok()
        };
        let (ours, allowed) = (("origin", "https://example.com"), ("origin", "https://app.example.com:8443"));
        let site = |site| ("sec-fetch-site", site);
        for own in [&[][..], &[ours], &[ours, site("same-origin")], &[site("same-origin")], &[site("none")]] {
            assert!(check(false, own), "{own:?}");
        }
        for other in [
            &[allowed][..],
            &[ours, allowed],
            &[site("same-site")],
            &[site("cross-site")],
            &[ours, site("same-site")],
            &[("origin", "null")],
            &[("origin", "http://localhost:5173")],
        ] {
            assert!(!check(false, other), "{other:?}");
        }
        assert!(check(true, &[("origin", "http://localhost:5173"), site("same-site")]));
        assert!(!check(true, &[("origin", "http://localhost.evil.net"), site("same-site")]));
        assert!(!check(true, &[("origin", "http://localhost:5173"), site("cross-site")]));
    }

    #[test]
    fn a_cross_site_request_is_refused_and_no_browser_is_not() {
        let check = |pairs: &[(&'static str, &str)]| {
            let mut headers = HeaderMap::new();
            for (name, value) in pairs {
                headers.append(*name, HeaderValue::from_str(value).unwrap());
            }
            origins(false).check(&headers).is_ok()
        };
        assert!(check(&[]));
        assert!(check(&[("origin", "https://example.com"), ("sec-fetch-site", "same-origin")]));
        assert!(check(&[("sec-fetch-site", "same-site")]));
        assert!(!check(&[("sec-fetch-site", "cross-site")]));
        assert!(!check(&[("sec-fetch-site", "none")]));
        assert!(!check(&[("origin", "https://example.com"), ("sec-fetch-site", "cross-site")]));
        assert!(!check(&[("origin", "https://example.com"), ("origin", "https://evil.net")]));
    }
}
