//! One thing that a page has seen, cut to size.

use serde::Deserialize;
use tenure_domain::client_report;
use tenure_domain::limit::{REPORT_LOCATION_CHARS_MAX, REPORT_WORD_CHARS_MAX};
use tenure_domain::observed::{Failure, How, Refresh, Seen, SignOut, outline};
use utoipa::ToSchema;

use crate::http::body::lenient;

/// Letters and digits of a token's mark; more could be a token.
const MARK_CHARS: usize = 8;

/// Which members it has depends on its kind. One of the wrong type counts as left out. Spans are milliseconds.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Sight {
    /// Counts what this page has seen.
    seq: u32,
    /// Unix milliseconds by the device's clock.
    at: f64,
    /// `page`, `sign_in`, `refresh`, `failure` or `sign_out`.
    kind: String,
    /// Of an answer; 0: none came.
    #[serde(default, deserialize_with = "lenient")]
    status: Option<u16>,
    /// The problem's code.
    #[serde(default, deserialize_with = "lenient")]
    code: Option<String>,
    /// Of the request, or of the page. Of a path the words are kept, and what else is between its slashes becomes `*`.
    #[serde(default, deserialize_with = "lenient")]
    path: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    took_ms: Option<f64>,
    /// A mark of the token that was presented: eight hexadecimal digits.
    #[serde(default, deserialize_with = "lenient")]
    token: Option<String>,
    /// The same of the refresh token that came back, whenever one did, also if it is the same.
    #[serde(default, deserialize_with = "lenient")]
    next: Option<String>,
    /// `removed`, `cleared`, `vanished` or `navigated`.
    #[serde(default, deserialize_with = "lenient")]
    how: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    idle_ms: Option<f64>,
    #[serde(default, deserialize_with = "lenient")]
    input_ago_ms: Option<f64>,
    #[serde(default, deserialize_with = "lenient")]
    asked_ago_ms: Option<f64>,
    #[serde(default, deserialize_with = "lenient")]
    page_age_ms: Option<f64>,
    #[serde(default, deserialize_with = "lenient")]
    access_left_ms: Option<f64>,
    #[serde(default, deserialize_with = "lenient")]
    refresh_left_ms: Option<f64>,
    #[serde(default, deserialize_with = "lenient")]
    refresh_lifetime_ms: Option<f64>,
    #[serde(default, deserialize_with = "lenient")]
    clock_ahead_ms: Option<f64>,
    #[serde(default, deserialize_with = "lenient")]
    tabs: Option<f64>,
}

impl Sight {
    /// Its number, its time by the device's clock, and what it is; none if that is of no known kind.
    pub fn read(self) -> Option<(u32, i64, Seen)> {
        let (seq, at) = (self.seq, self.at as i64);
        let seen = match self.kind.as_str() {
            "page" => Seen::Page { path: path(self.path), tabs: count(self.tabs) },
            "sign_in" => Seen::SignIn,
            "refresh" => Seen::Refresh(Refresh {
                status: status(self.status)?,
                code: code(self.code),
                path: path(self.path),
                took_ms: count(self.took_ms).unwrap_or(0),
                token: mark(self.token),
                next: mark(self.next),
            }),
            "failure" => Seen::Failure(Failure {
                status: status(self.status)?,
                code: code(self.code),
                path: path(self.path),
            }),
            "sign_out" => Seen::SignOut(self.sign_out()),
            _ => return None,
        };
        Some((seq, at, seen))
    }

    fn sign_out(self) -> SignOut {
        let how = How::ALL.into_iter().find(|how| self.how.as_deref() == Some(how.as_str()));
        SignOut {
            how: how.unwrap_or_default(),
            path: path(self.path),
            idle_ms: count(self.idle_ms),
            input_ago_ms: count(self.input_ago_ms),
            asked_ago_ms: count(self.asked_ago_ms),
            page_age_ms: count(self.page_age_ms),
            // Conversions saturate.
            access_left_ms: self.access_left_ms.map(|ms| ms as i64),
            refresh_left_ms: self.refresh_left_ms.map(|ms| ms as i64),
            refresh_lifetime_ms: count(self.refresh_lifetime_ms),
            clock_ahead_ms: self.clock_ahead_ms.map(|ms| ms as i64),
            tabs: count(self.tabs),
        }
    }
}

fn status(status: Option<u16>) -> Option<u16> {
    status.filter(|status| matches!(status, 0 | 100..=599))
}

fn code(code: Option<String>) -> Option<String> {
    code.and_then(|code| client_report::word(&code, REPORT_WORD_CHARS_MAX))
}

fn path(path: Option<String>) -> Option<String> {
    path.and_then(|path| outline(&path, REPORT_LOCATION_CHARS_MAX))
}

fn mark(mark: Option<String>) -> Option<String> {
    let is_mark =
        |mark: &String| mark.len() == MARK_CHARS && mark.bytes().all(|byte| byte.is_ascii_hexdigit());
    mark.filter(is_mark)
}

/// None of what cannot be one.
fn count(number: Option<f64>) -> Option<u64> {
    number.filter(|number| *number >= 0.0).map(|number| number as u64)
}
