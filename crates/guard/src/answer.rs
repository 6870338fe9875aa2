//! What is answered instead of letting a request through: RFC 9457, with one of Tenure's codes.

use http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use serde_json::json;
use tenure_domain::problem::{Class, Code};
use tenure_domain::time::Timestamp;

const PROBLEM: &str = "application/problem+json";

/// Seconds after which to try again what could not be told.
const TRY_AGAIN_SECS: u16 = 1;

pub enum Refusal {
    /// In the guard's words.
    Own { code: Code, detail: &'static str },
    /// In the issuer's, with those of its headers that are handed on.
    Issuers { status: StatusCode, headers: HeaderMap, body: Vec<u8> },
}

impl Refusal {
    /// Nobody knows just now: never 401, whatever it was that failed. The cause is for the log alone.
    pub fn unknown(cause: impl std::fmt::Display) -> Self {
        tracing::warn!(%cause, "the issuer could not be asked, so a request is answered 503");
        Self::not_known()
    }

    /// The same where nothing has failed, and anybody could fill the log with it.
    pub fn not_known() -> Self {
        Self::Own {
            code: Code::StorageUnavailable,
            detail: "Who you are cannot be verified just now; try again in a moment.",
        }
    }

    /// The issuer's own refusal, if this is one: its content type, and a code that has this status.
    pub fn of_issuer(answer: Response<Vec<u8>>) -> Option<Self> {
        let status = answer.status();
        let problem = is_problem(answer.headers()).then_some(answer.body())?;
        let problem: serde_json::Value = serde_json::from_slice(problem).ok()?;
        let code = Code::ALL.into_iter().find(|code| problem["code"] == code.as_str())?;
        let is_said_here = matches!(status.as_u16(), 401..=403 | 429) && !code.ends_session();
        let handed_on = [WWW_AUTHENTICATE, RETRY_AFTER].into_iter();
        let headers =
            handed_on.filter_map(|name| Some((name.clone(), answer.headers().get(name)?.clone()))).collect();
        (is_said_here && code.status() == status.as_u16()).then(|| Self::Issuers {
            status,
            headers,
            body: answer.into_body(),
        })
    }

    pub fn into_response(self, issuer: &str, now: Timestamp) -> Response<Vec<u8>> {
        let (status, mut headers, body) = match self {
            Refusal::Issuers { status, headers, body } => (status, headers, body),
            Refusal::Own { code, detail } => {
                let status = StatusCode::from_u16(code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
                (status, headers(code), body(code, detail, issuer, now))
            }
        };
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(PROBLEM));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        let mut response = Response::new(body);
        (*response.status_mut(), *response.headers_mut()) = (status, headers);
        response
    }
}

/// Beside those that every refusal has.
fn headers(code: Code) -> HeaderMap {
    let again = (code.status() == 503).then(|| (RETRY_AFTER, TRY_AGAIN_SECS.into()));
    let challenge = challenge(code).map(|challenge| (WWW_AUTHENTICATE, challenge));
    again.into_iter().chain(challenge).collect()
}

fn body(code: Code, detail: &str, issuer: &str, now: Timestamp) -> Vec<u8> {
    let mut body = json!({
        "type": format!("{issuer}/api/docs/codes#{code}"),
        "title": code.title(),
        "status": code.status(),
        "detail": detail,
        "code": code,
        "class": code.class(),
        "server_time": now,
    });
    if code.status() == 503 {
        body["retry_after"] = TRY_AGAIN_SECS.into();
    }
    body.to_string().into_bytes()
}

/// RFC 6750 section 3.
fn challenge(code: Code) -> Option<HeaderValue> {
    let text = match (code.class(), code) {
        (Class::Authentication, Code::AccessTokenMissing) => "Bearer",
        (Class::Authentication, _) => r#"Bearer error="invalid_token""#,
        _ => return None,
    };
    Some(HeaderValue::from_static(text))
}

fn is_problem(headers: &HeaderMap) -> bool {
    let text = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    text.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case(PROBLEM))
}
