//! A browser's cookie jar, on virtual time: one cookie per name and path, gone when its Max-Age is over.

use std::time::Duration;

use tenure_domain::time::Timestamp;

use super::Answer;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cookie {
    pub name: String,
    pub value: String,
    pub path: String,
    /// None: goes with the browser.
    pub expires_at: Option<Timestamp>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Jar(Vec<Cookie>);

impl Jar {
    /// Applies every Set-Cookie of an answer, as a browser does at the moment it receives it.
    pub fn apply(&mut self, answer: &Answer, now: Timestamp) {
        for line in answer.set_cookies() {
            let cookie = parse(line, now);
            self.0.retain(|kept| (&kept.name, &kept.path) != (&cookie.name, &cookie.path));
            if cookie.expires_at.is_none_or(|at| now < at) {
                self.0.push(cookie);
            }
        }
    }

    /// What a browser sends along to `path`.
    pub fn header(&self, path: &str, now: Timestamp) -> String {
        let sent = self.0.iter().filter(|cookie| {
            let path = path.split('?').next().unwrap_or_default().trim_end_matches('/');
            cookie.expires_at.is_none_or(|at| now < at)
                && (path == cookie.path || path.starts_with(&format!("{}/", cookie.path)))
        });
        sent.map(|cookie| format!("{}={}", cookie.name, cookie.value)).collect::<Vec<_>>().join("; ")
    }

    pub fn cookies(&self) -> &[Cookie] {
        &self.0
    }

    /// The one cookie of a jar of one.
    #[track_caller]
    pub fn only(&self) -> &Cookie {
        assert_eq!(self.0.len(), 1, "{self:?}");
        &self.0[0]
    }

    /// The browser is closed: what had no Max-Age is gone.
    pub fn close_browser(&mut self) {
        self.0.retain(|cookie| cookie.expires_at.is_some());
    }

    /// Puts in what somebody planted, or what a crash brought back.
    pub fn plant(&mut self, cookie: Cookie) {
        self.0.retain(|kept| (&kept.name, &kept.path) != (&cookie.name, &cookie.path));
        self.0.push(cookie);
    }
}

fn parse(line: &str, now: Timestamp) -> Cookie {
    let mut parts = line.split("; ");
    let (name, value) = parts.next().unwrap().split_once('=').unwrap();
    let mut cookie = Cookie { name: name.into(), value: value.into(), path: "/".into(), expires_at: None };
    for part in parts {
        match part.split_once('=') {
            Some(("Path", path)) => cookie.path = path.into(),
            Some(("Max-Age", age)) => {
                cookie.expires_at = Some(now + Duration::from_secs(age.parse().unwrap()));
            }
            _ => {}
        }
    }
    cookie
}
