//! The one error type of the HTTP side: RFC 9457, with a stable code and a private cause.

use std::borrow::Cow;
use std::time::Duration;

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;
use tenure_domain::ends::{End, EndReason};
use tenure_domain::id::{ReceiptId, SessionId};
use tenure_domain::problem::{Class, Code};
use tenure_domain::time::Timestamp;
use tenure_store::StoreError;
use utoipa::openapi::Ref;

use crate::hashing::Overloaded;
use crate::keys::KeyError;
use crate::limits::Limited;

pub const CONTENT_TYPE: HeaderValue = HeaderValue::from_static("application/problem+json");

/// An error answer. The cause is for the log alone.
#[derive(Clone, Debug)]
pub struct Problem {
    pub code: Code,
    pub detail: Cow<'static, str>,
    pub retry_after: Option<Duration>,
    pub session: Option<SessionId>,
    pub end: Option<(EndReason, ReceiptId)>,
    pub fields: Vec<FieldError>,
    pub cause: Option<String>,
}

/// One thing that is wrong with one field of a request.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct FieldError {
    /// The field's name in the request.
    pub field: &'static str,
    /// A stable code, such as `too_short`.
    pub code: &'static str,
    /// What to do about it, for people.
    pub message: String,
}

/// Rides along with a problem whose answer has its body already: a page for people.
#[derive(Clone, Copy, Debug)]
pub struct ForPeople;

impl Problem {
    pub fn new(code: Code, detail: impl Into<Cow<'static, str>>) -> Self {
        Self {
            code,
            detail: detail.into(),
            retry_after: (code.status() == 503).then_some(Duration::from_secs(1)),
            session: None,
            end: None,
            fields: vec![],
            cause: None,
        }
    }

    pub fn with_cause(self, cause: impl ToString) -> Self {
        Self { cause: Some(cause.to_string()), ..self }
    }

    pub fn for_session(self, session: SessionId) -> Self {
        Self { session: Some(session), ..self }
    }

    /// The answer to whoever presents a session that has ended.
    pub fn ended(session: SessionId, end: &End) -> Self {
        Self {
            session: Some(session),
            end: Some((end.reason, end.receipt.clone())),
            ..Self::new(end.reason.code(), end.reason.sentence())
        }
    }

    pub fn invalid(fields: Vec<FieldError>) -> Self {
        Self { fields, ..Self::new(Code::ValidationFailed, "Some fields are not acceptable; see `errors`.") }
    }

    pub fn not_found() -> Self {
        Self::new(Code::NotFound, "There is nothing at this address.")
    }

    /// The body, for the request that is being answered.
    pub fn body(&self, request_id: &str, now: Timestamp) -> Vec<u8> {
        let (reason, receipt) = match &self.end {
            Some((reason, receipt)) => (Some(*reason), Some(receipt)),
            None => (None, None),
        };
        let body = Body {
            kind: format!("/api/docs/codes#{}", self.code),
            title: self.code.title(),
            status: self.code.status(),
            detail: &self.detail,
            code: self.code,
            class: self.code.class(),
            request_id,
            server_time: now,
            retry_after: self.retry_after.map(whole_seconds),
            session: self.session,
            reason,
            receipt,
            errors: &self.fields,
        };
        serde_json::to_vec(&body).unwrap_or_default()
    }

    /// RFC 6750 section 3: only an access token's failure is a challenge, never 402 or 403.
    fn challenge(&self) -> Option<&'static str> {
        match self.code {
            Code::AccessTokenMissing => Some("Bearer"),
            Code::AccessTokenExpired => {
                Some(r#"Bearer error="invalid_token", error_description="The access token has expired""#)
            }
            Code::AccessTokenInvalid | Code::AccessTokenRevoked | Code::WrongTokenType => {
                Some(r#"Bearer error="invalid_token""#)
            }
            _ => None,
        }
    }
}

/// `Retry-After` counts whole seconds, and rounding down would be too early.
pub fn whole_seconds(span: Duration) -> u64 {
    span.as_millis().div_ceil(1000).max(1) as u64
}

/// An error answer as it travels (RFC 9457 with Tenure's members; protocol section 8).
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = Problem)]
pub struct Body<'a> {
    /// Where this code is explained.
    #[serde(rename = "type")]
    kind: String,
    /// The code in words, the same each time.
    title: &'static str,
    status: u16,
    /// What happened this time, for people.
    detail: &'a str,
    /// What programs switch on.
    #[schema(schema_with = error_code)]
    code: Code,
    #[schema(schema_with = error_class)]
    class: Class,
    /// Quote this to support.
    request_id: &'a str,
    /// The server's clock, Unix milliseconds.
    #[schema(value_type = i64)]
    server_time: Timestamp,
    /// Seconds to wait before trying again.
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after: Option<u64>,
    /// The session that the answer is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    session: Option<SessionId>,
    /// Why the session ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = end_reason, required = false)]
    reason: Option<EndReason>,
    /// The end's receipt, to quote to support.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    receipt: Option<&'a ReceiptId>,
    /// The fields at fault.
    #[serde(skip_serializing_if = "<[FieldError]>::is_empty")]
    errors: &'a [FieldError],
}

/// References to the closed sets; the OpenAPI document writes their schemas from the sets themselves.
pub fn error_code() -> Ref {
    Ref::from_schema_name("ErrorCode")
}

pub fn error_class() -> Ref {
    Ref::from_schema_name("ErrorClass")
}

fn end_reason() -> Ref {
    Ref::from_schema_name("EndReason")
}

/// The body is written by the outermost layer, which knows the request's id; until then the problem rides
/// along as an extension.
impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = status.into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, CONTENT_TYPE);
        if let Some(challenge) = self.challenge() {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        }
        if let Some(span) = self.retry_after {
            headers.insert(header::RETRY_AFTER, whole_seconds(span).into());
        }
        response.extensions_mut().insert(self);
        response
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match &error {
            StoreError::Unavailable(_) => {
                Self::new(Code::StorageUnavailable, "The store cannot be reached just now.")
            }
            StoreError::Overloaded => Self::new(Code::Overloaded, "Too many writes are waiting."),
            StoreError::Corrupt { .. } => {
                Self::new(Code::StorageUnavailable, "A stored record cannot be read just now.")
            }
        }
        .with_cause(error)
    }
}

impl From<KeyError> for Problem {
    fn from(error: KeyError) -> Self {
        match error {
            KeyError::Store(error) => error.into(),
            other => {
                Self::new(Code::SigningUnavailable, "The signing keys cannot be read.").with_cause(other)
            }
        }
    }
}

impl From<Overloaded> for Problem {
    fn from(_: Overloaded) -> Self {
        Self::new(Code::Overloaded, "Too many people are signing in at this moment.")
    }
}

impl From<Limited> for Problem {
    fn from(limited: Limited) -> Self {
        Self {
            retry_after: Some(limited.retry_after),
            ..Self::new(Code::RateLimited, "Too many attempts; wait a moment and try again.")
        }
    }
}
