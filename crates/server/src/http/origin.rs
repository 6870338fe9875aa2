//! Which web pages may talk to us (protocol.md section 7). A refusal ends nothing and touches no cookie.

use http::{HeaderMap, HeaderValue, header};
use tenure_domain::problem::Code;
use tower_http::cors::{AllowOrigin, CorsLayer};

use crate::config::{PublicUrl, Settled, is_loopback_authority};
use crate::http::problem::Problem;

#[derive(Clone)]
pub struct Origins {
    allowed: Vec<String>,
    /// In development every page on this machine may call, whatever its port.
    any_loopback: bool,
}

impl Origins {
    pub fn new(settled: &Settled) -> Self {
        let extra = settled.config.origins.allowed.iter().filter_map(|text| PublicUrl::parse(text));
        let allowed =
            std::iter::once(settled.public_url.origin()).chain(extra.map(|url| url.origin())).collect();
        Self { allowed, any_loopback: settled.development }
    }

    /// Compared whole and exactly: no suffixes, no patterns, never `null`.
    pub fn allows(&self, origin: &HeaderValue) -> bool {
        let Ok(origin) = origin.to_str() else { return false };
        self.allowed.iter().any(|allowed| allowed == origin)
            || (self.any_loopback
                && PublicUrl::parse(origin)
                    .is_some_and(|url| is_loopback_authority(&url.authority) && url.origin() == origin))
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
