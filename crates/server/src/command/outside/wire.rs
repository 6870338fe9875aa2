//! Requests and whole answers: counted, limited in time and size, with no redirect followed.

use std::cell::Cell;
use std::time::Duration;

use http::{HeaderMap, HeaderName, Method, Request, Uri};
use http_body_util::{BodyExt as _, Full};
use serde_json::Value;
use tenure_domain::time::Timestamp;

use super::dates;
use crate::clock::SystemClock;
use crate::http::client::{Client, Names, causes, client_with};

/// What is read of a body. The rest is not waited for.
const BODY_MAX: usize = 256 * 1024;

/// By which caches say that an answer is theirs.
const CACHE_HEADERS: [&str; 5] =
    ["x-cache", "x-cache-status", "x-proxy-cache", "cf-cache-status", "x-varnish-cache"];

pub struct Wire {
    client: Client,
    timeout: Duration,
    left: Cell<u32>,
    sent: Cell<u32>,
}

pub struct Asked {
    pub method: Method,
    pub uri: Uri,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

#[derive(Clone)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
    /// When it was here.
    pub at: Timestamp,
}

/// Nothing that could be called an answer has come, which says nothing about what a system does.
pub enum NoAnswer {
    Failed(String),
    /// As many requests were sent as were allowed.
    Spent,
}

impl Wire {
    /// `requests_max` for all requests together.
    pub fn new(timeout: Duration, requests_max: u32, is_encrypted: bool) -> Result<Self, String> {
        Self::to(Names::default(), timeout, requests_max, is_encrypted)
    }

    /// To where names are said to lead.
    pub fn to(
        names: Names,
        timeout: Duration,
        requests_max: u32,
        is_encrypted: bool,
    ) -> Result<Self, String> {
        let client = client_with(is_encrypted, names)?;
        Ok(Self { client, timeout, left: Cell::new(requests_max), sent: Cell::new(0) })
    }

    pub fn sent(&self) -> u32 {
        self.sent.get()
    }

    /// One more, however many were sent: what was broken for a measurement is mended.
    pub fn allow_one(&self) {
        self.left.set(self.left.get().max(1));
    }

    pub async fn ask(&self, asked: Asked) -> Result<Answer, NoAnswer> {
        let left = self.left.get().checked_sub(1).ok_or(NoAnswer::Spent)?;
        self.left.set(left);
        self.sent.set(self.sent.get() + 1);
        let asking = tokio::time::timeout(self.timeout, self.whole(asked));
        asking.await.unwrap_or_else(|_| {
            Err(NoAnswer::Failed(format!("no answer within {}", humantime::format_duration(self.timeout))))
        })
    }

    async fn whole(&self, asked: Asked) -> Result<Answer, NoAnswer> {
        let mut request = Request::new(Full::from(asked.body));
        (*request.method_mut(), *request.uri_mut()) = (asked.method, asked.uri);
        *request.headers_mut() = asked.headers;
        let failed = |error: &dyn std::error::Error| NoAnswer::Failed(causes(error));
        let answer = self.client.request(request).await.map_err(|error| failed(&error))?;
        let (parts, mut rest) = answer.into_parts();
        let mut body = vec![];
        while let Some(frame) = rest.frame().await {
            let data = frame.map_err(|error| failed(&error))?.into_data().unwrap_or_default();
            body.extend_from_slice(&data[..data.len().min(BODY_MAX - body.len())]);
            if body.len() == BODY_MAX {
                break;
            }
        }
        Ok(Answer { status: parts.status.as_u16(), headers: parts.headers, body, at: SystemClock.now() })
    }
}

impl NoAnswer {
    pub fn why(&self) -> String {
        match self {
            NoAnswer::Failed(why) => why.clone(),
            NoAnswer::Spent => "as many requests were sent as --requests-max allows".into(),
        }
    }
}

impl Answer {
    pub fn is_fine(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// Worth another try: the system did not say no.
    pub fn is_passing(&self) -> bool {
        matches!(self.status, 408 | 409 | 425 | 429 | 500..)
    }

    /// A limit, or what is in front of the system: whatever was asked has not been answered.
    pub fn is_beside_the_point(&self) -> bool {
        matches!(self.status, 408 | 425 | 429 | 502..=504)
    }

    pub fn header(&self, name: impl TryInto<HeaderName>) -> Option<&str> {
        self.headers.get(name.try_into().ok()?)?.to_str().ok()
    }

    pub fn json(&self) -> Option<Value> {
        serde_json::from_slice(&self.body).ok()
    }

    pub fn is_html(&self) -> bool {
        self.header("content-type").is_some_and(|kind| kind.to_ascii_lowercase().contains("html"))
    }

    /// How many seconds it asks to wait.
    pub fn retry_after(&self) -> Option<Duration> {
        Some(Duration::from_secs(self.header("retry-after")?.trim().parse().ok()?))
    }

    /// The header by which a cache says that this answer is its own.
    pub fn cached_by(&self) -> Option<&'static str> {
        let is_hit = |value: &str| value.to_ascii_lowercase().contains("hit");
        let by_name = CACHE_HEADERS.iter().find(|name| self.header(**name).is_some_and(is_hit));
        let age = self.header("age").and_then(|age| age.trim().parse::<u64>().ok());
        by_name.copied().or(age.is_some_and(|age| age > 0).then_some("age"))
    }

    /// How far its clock is ahead of ours, as far as a header of whole seconds can say. What a cache has kept has the date
    /// of when that was.
    pub fn skew_ms(&self) -> Option<i64> {
        if self.cached_by().is_some() {
            return None;
        }
        Some(dates::parse(self.header("date")?)? - self.at.as_ms())
    }

    /// Its status and its code, if it has one. Never its text, in which a token may be repeated.
    pub fn told(&self) -> String {
        let json = self.json().unwrap_or_default();
        let code = ["/code", "/error/code", "/error", "/detail/code"]
            .iter()
            .find_map(|at| json.pointer(at)?.as_str());
        let is_code = |code: &&str| {
            code.len() <= 40
                && code.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.'))
        };
        match code.filter(is_code) {
            Some(code) => format!("{} {code}", self.status),
            None if self.is_html() => format!("{} with a page of HTML", self.status),
            None if (300..400).contains(&self.status) => {
                format!("{}, a redirect, which is not followed", self.status)
            }
            None => self.status.to_string(),
        }
    }
}
