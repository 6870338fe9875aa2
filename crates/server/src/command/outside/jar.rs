//! The cookies of one browser, as far as one origin sees them.

use http::{HeaderMap, header};
use tenure_domain::time::Timestamp;

use super::dates;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cookie {
    pub name: String,
    pub value: String,
    pub path: String,
    /// Whether it was set with one.
    pub has_path: bool,
    pub domain: Option<String>,
    pub http_only: bool,
    pub secure: bool,
    /// As it was written.
    pub same_site: Option<String>,
    pub max_age_secs: Option<i64>,
    /// The date of `Expires`, in Unix milliseconds.
    pub expires_ms: Option<i64>,
    /// Seconds from when it was set: what `Max-Age` says, else `Expires`. None: gone with the browser.
    pub lives_secs: Option<i64>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Jar(Vec<Cookie>);

impl Jar {
    /// Takes what an answer sets, and lets go of what it deletes. `at`: when it was here, by this machine's clock.
    pub fn apply(&mut self, headers: &HeaderMap, at: Timestamp) {
        for line in headers.get_all(header::SET_COOKIE) {
            let Some(cookie) = line.to_str().ok().and_then(|line| Cookie::parse(line, at)) else { continue };
            self.0.retain(|kept| (&kept.name, &kept.path) != (&cookie.name, &cookie.path));
            if cookie.lives_secs.is_none_or(|secs| secs > 0) {
                self.0.push(cookie);
            }
        }
    }

    /// What is sent to a path. None: nothing.
    pub fn header(&self, path: &str) -> Option<String> {
        let sent: Vec<_> = self.0.iter().filter(|cookie| cookie.is_for(path)).collect();
        let pairs = sent.iter().map(|cookie| format!("{}={}", cookie.name, cookie.value));
        (!sent.is_empty()).then(|| pairs.collect::<Vec<_>>().join("; "))
    }

    /// The newest cookie of that name, in which `*` stands for anything.
    pub fn cookie(&self, pattern: &str) -> Option<&Cookie> {
        self.0.iter().rev().find(|cookie| matches(pattern, &cookie.name))
    }

    pub fn value(&self, pattern: &str) -> Option<&str> {
        self.cookie(pattern).map(|cookie| cookie.value.as_str())
    }

    /// Writes another value into the cookie that is there.
    pub fn overwrite(&mut self, pattern: &str, value: &str) {
        if let Some(cookie) = self.0.iter_mut().rev().find(|cookie| matches(pattern, &cookie.name)) {
            value.clone_into(&mut cookie.value);
        }
    }

    pub fn retain(&mut self, keep: impl Fn(&Cookie) -> bool) {
        self.0.retain(keep);
    }

    /// A cookie as a browser tells of it.
    pub fn put(&mut self, name: &str, value: &str, path: &str) {
        self.0.push(Cookie { name: name.into(), value: value.into(), path: path.into(), ..Cookie::plain() });
    }

    /// A cookie that some other application has left.
    pub fn plant(&mut self, name: &str, value: &str) {
        self.0.retain(|cookie| cookie.name != name);
        self.put(name, value, "/");
    }
}

impl Cookie {
    fn plain() -> Self {
        let (name, value, path) = Default::default();
        Self {
            name,
            value,
            path,
            has_path: false,
            domain: None,
            http_only: false,
            secure: false,
            same_site: None,
            max_age_secs: None,
            expires_ms: None,
            lives_secs: None,
        }
    }

    /// RFC 6265 section 5.2, without a default path: a cookie without one is taken to be for the whole origin.
    pub fn parse(line: &str, at: Timestamp) -> Option<Self> {
        let mut parts = line.split(';');
        let (name, value) = parts.next()?.split_once('=')?;
        let (name, value) = (name.trim().to_owned(), value.trim().to_owned());
        let mut cookie = Self { name, value, path: "/".into(), ..Self::plain() };
        for part in parts {
            let (key, value) = part.split_once('=').unwrap_or((part, ""));
            match (key.trim().to_ascii_lowercase().as_str(), value.trim()) {
                ("path", path) if path.starts_with('/') => {
                    (cookie.path, cookie.has_path) = (path.to_owned(), true);
                }
                ("domain", domain) => {
                    let domain = domain.trim_start_matches('.').to_ascii_lowercase();
                    cookie.domain = (!domain.is_empty()).then_some(domain);
                }
                ("httponly", _) => cookie.http_only = true,
                ("secure", _) => cookie.secure = true,
                ("samesite", value) => cookie.same_site = Some(value.to_ascii_lowercase()),
                ("max-age", age) => cookie.max_age_secs = age.parse().ok(),
                ("expires", date) => cookie.expires_ms = dates::parse(date),
                _ => {}
            }
        }
        // Max-Age wins over Expires, whichever comes first.
        let until = cookie.expires_ms.map(|until| (until - at.as_ms()).div_euclid(1000));
        cookie.lives_secs = cookie.max_age_secs.or(until);
        Some(cookie)
    }

    pub fn is_for(&self, path: &str) -> bool {
        path.strip_prefix(self.path.as_str())
            .is_some_and(|rest| self.path.ends_with('/') || rest.is_empty() || rest.starts_with('/'))
    }
}

/// `*` stands for anything, as in `*tenure_*`.
pub fn matches(pattern: &str, name: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == name,
        Some((head, rest)) => name.strip_prefix(head).is_some_and(|tail| {
            (0..=tail.len()).any(|at| tail.get(at..).is_some_and(|tail| matches(rest, tail)))
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn jar(lines: &[&str]) -> Jar {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(header::SET_COOKIE, line.parse().unwrap());
        }
        let mut jar = Jar::default();
        jar.apply(&headers, Timestamp::from_ms(1_000_000));
        jar
    }

    #[test]
    fn a_jar_does_what_a_browser_does() {
        let kept = jar(&[
            "a=1; Path=/x; HttpOnly; SAMESITE=Lax",
            "b=2; Secure; Max-Age=60; Expires=Thu, 01 Jan 1970 00:00:00 GMT",
        ]);
        assert_eq!(kept.header("/x/y").unwrap(), "a=1; b=2");
        assert_eq!((kept.header("/xy").unwrap(), jar(&[]).header("/")), ("b=2".into(), None));
        let (a, b) = (kept.cookie("a").unwrap(), kept.cookie("b").unwrap());
        assert!(a.http_only && !a.secure && b.secure && a.same_site.as_deref() == Some("lax"));
        assert_eq!((a.lives_secs, b.lives_secs), (None, Some(60)));
        assert_eq!(jar(&["a=1", "a=2"]).header("/").unwrap(), "a=2");
        for deletion in ["a=; Max-Age=0", "a=; expires=Thu, 01 Jan 1970 00:00:00 GMT", "a=\"\"; Max-Age=-1"] {
            assert_eq!(jar(&["a=1", deletion]), Jar::default(), "{deletion}");
        }
        assert_eq!(
            jar(&["nonsense", "a=1; Path=/x", "a=; Max-Age=0"]).header("/x").unwrap(),
            "a=1",
            "of another path"
        );
    }

    #[test]
    fn a_star_stands_for_anything() {
        assert!(matches("*tenure_*", "__Secure-tenure_01ab") && matches("*", "") && matches("a", "a"));
        assert!(
            !matches("tenure_*", "__Secure-tenure_01ab")
                && !matches("a*b", "acd")
                && !matches("é*", "\u{e9}x".trim_start_matches('é'))
        );
    }
}
