//! An answer, checked for what every answer must have before a test sees it.

use http::HeaderMap;
use serde_json::Value;
use tenure_domain::problem::Code;

#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

impl Answer {
    /// What holds for every answer of the API listener, whoever asked for what.
    pub fn check_envelope(&self, path: &str, https: bool) {
        let at = |what: &str| format!("{what} of {path}: {self:?}");
        for (name, value) in [("x-content-type-options", "nosniff"), ("x-frame-options", "DENY")] {
            assert_eq!(self.header(name), value, "{}", at(name));
        }
        let page = self.is_page();
        let referrer = if page { "same-origin" } else { "no-referrer" };
        assert_eq!(self.header("referrer-policy"), referrer, "{}", at("referrer policy"));
        let resource = self.header("cross-origin-resource-policy");
        // What pages of observed applications are told may come from another site, and is empty.
        let is_empty = path.starts_with("/api/v1/observations") && self.body.is_empty();
        let is_fit = resource == "same-site" || (is_empty && resource == "cross-origin");
        assert!(is_fit, "{}", at("resource policy"));
        let policy = self.header("content-security-policy");
        assert!(policy.starts_with("default-src 'none'; ") && !policy.contains("unsafe"), "{}", at("policy"));
        assert!(!self.header("x-request-id").is_empty(), "{}", at("request id"));
        assert_eq!(self.headers.contains_key("strict-transport-security"), https, "{}", at("HSTS"));
        let cached = match path.split('?').next().unwrap().trim_end_matches('/') {
            "/.well-known/jwks.json" if self.status == 200 => "public, max-age=300",
            asset if asset.starts_with("/assets/") && self.status < 400 => {
                "public, max-age=31536000, immutable"
            }
            "/favicon.svg" if self.status < 400 => "public, max-age=3600",
            _ if page && self.status < 400 => "no-cache",
            _ => "no-store",
        };
        assert_eq!(self.header("cache-control"), cached, "{}", at("cache"));
        for line in self.set_cookies() {
            let secure = line.contains("; Secure");
            assert_eq!(secure, https, "{}", at("Secure"));
            assert_eq!(line.starts_with("__Secure-tenure"), https, "{}", at("prefix"));
            let (path, same_site) = match line.split('=').next() {
                Some("tenure-console" | "__Secure-tenure-console") => ("/api/v1/admin", "Strict"),
                _ => ("/api/v1/auth/refresh", "Lax"),
            };
            assert!(line.contains("; HttpOnly"), "{line}");
            assert!(line.contains(&format!("; SameSite={same_site}")), "{line}");
            assert!(line.contains(&format!("; Path={path};")), "{line}");
            for absent in ["Domain", "Partitioned", "Expires"] {
                assert!(!line.contains(absent), "{line}");
            }
        }
        self.check_limits();
        if self.status >= 400 && !page {
            self.check_problem();
        }
    }

    /// Whether a page with scripts answered, which has headers of its own.
    pub fn is_page(&self) -> bool {
        self.headers.contains_key("cross-origin-opener-policy")
    }

    /// Every error is problem+json with a code of the closed list, at that code's status and class.
    fn check_problem(&self) {
        assert_eq!(self.header("content-type"), "application/problem+json", "{self:?}");
        if self.body.is_empty() {
            return; // The answer to HEAD.
        }
        let body = self.json();
        let code = Code::ALL.into_iter().find(|code| body["code"] == code.as_str());
        let code = code.unwrap_or_else(|| panic!("a code of the list: {body}"));
        assert_eq!(u64::from(code.status()), body["status"].as_u64().unwrap(), "{body}");
        assert_eq!(code.status(), self.status, "{body}");
        assert_eq!(body["class"], code.class().as_str());
        assert_eq!(body["title"], code.title());
        assert_eq!(body["type"], format!("/api/docs/codes#{code}"));
        assert_eq!(body["request_id"], self.header("x-request-id"));
        assert!(body["server_time"].is_i64() && body["detail"].is_string(), "{body}");
        let retry_after = body.get("retry_after").map(ToString::to_string);
        assert_eq!(retry_after.as_deref(), self.headers.get("retry-after").map(|v| v.to_str().unwrap()));
        if matches!(self.status, 429 | 503) {
            assert!(retry_after.is_some(), "says when to try again: {body}");
        }
    }

    /// What is told of limits fits together: an item of each field for each, at most once, and no more than there is.
    fn check_limits(&self) {
        let items = |name| {
            let text = self.header(name).to_owned();
            let item = |item: &str| {
                let mut parts = item.split(';').map(str::to_owned);
                let name = parts.next().unwrap();
                let numbers = parts.map(|part| part.split_once('=').unwrap().1.parse::<u64>().unwrap());
                (name, numbers.collect::<Vec<_>>())
            };
            text.split(", ").filter(|item| !item.is_empty()).map(item).collect::<Vec<_>>()
        };
        let (policies, standings) = (items("ratelimit-policy"), items("ratelimit"));
        let names: std::collections::BTreeSet<_> = policies.iter().map(|(name, _)| name).collect();
        assert_eq!(names.len(), policies.len(), "{self:?}");
        assert_eq!(policies.len(), standings.len(), "{self:?}");
        for ((limit, quota), (name, standing)) in policies.iter().zip(&standings) {
            assert_eq!(limit, name);
            assert!(quota[1] == 60 && standing[0] < quota[0] && standing[1] <= 60, "{self:?}");
        }
        if self.status == 429 {
            let waits: Vec<_> =
                standings.iter().filter(|(_, now)| now[0] == 0).map(|(_, now)| now[1].to_string()).collect();
            assert!(waits.iter().any(|wait| wait == self.header("retry-after")), "{self:?}");
        }
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub fn set_cookies(&self) -> Vec<&str> {
        self.headers.get_all("set-cookie").iter().map(|value| value.to_str().unwrap()).collect()
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    pub fn code(&self) -> String {
        self.json()["code"].as_str().unwrap_or_default().to_owned()
    }

    /// Demands a status, and gives the answer back.
    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.text());
        self
    }

    /// Demands an error with this code, and gives its body.
    #[track_caller]
    pub fn problem(&self, code: &str) -> Value {
        assert!(self.status >= 400, "expected {code}, got {}: {}", self.status, self.text());
        let body = self.json();
        assert_eq!(body["code"], code, "{body}");
        body
    }

    /// Demands that no cookie is touched.
    #[track_caller]
    pub fn without_cookies(self) -> Self {
        assert_eq!(self.set_cookies(), Vec::<&str>::new(), "{}", self.text());
        self
    }

    pub fn access_token(&self) -> String {
        self.json()["access_token"].as_str().unwrap_or_else(|| panic!("{self:?}")).to_owned()
    }

    pub fn session_id(&self) -> String {
        self.json()["session"]["id"].as_str().unwrap_or_else(|| panic!("{self:?}")).to_owned()
    }
}
