//! What a report says of the moment of a sign-out, cut to size.

use serde::Deserialize;
use tenure_domain::client_report;
use tenure_domain::limit::{REPORT_ERROR_CHARS_MAX, REPORT_LOCATION_CHARS_MAX, REPORT_WORD_CHARS_MAX};
use tenure_domain::suspect::{Answer, Evidence, ScriptError};
use utoipa::ToSchema;

use crate::http::body::lenient;

/// What the SDK knew in that moment. It tells mistakes of a front end apart that report the same type.
#[derive(Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct LogoutEvidence {
    #[serde(default, deserialize_with = "lenient")]
    answer: Option<LogoutAnswer>,
    #[serde(default, deserialize_with = "lenient")]
    error: Option<LogoutError>,
    /// How long the access token in hand had to live, milliseconds by the server's clock; negative if it had expired.
    #[serde(default, deserialize_with = "lenient")]
    access_left_ms: Option<f64>,
    /// The device's clock less the server's, milliseconds.
    #[serde(default, deserialize_with = "lenient")]
    clock_ahead_ms: Option<f64>,
    /// How long the page had been there, milliseconds.
    #[serde(default, deserialize_with = "lenient")]
    page_age_ms: Option<f64>,
    /// Tokens that other tabs of the browser had given to this one.
    #[serde(default, deserialize_with = "lenient")]
    tokens_from_tabs: Option<f64>,
}

/// The last request of the page that failed.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct LogoutAnswer {
    /// 0: no answer came.
    status: u16,
    /// The problem's code, if it was one.
    #[serde(default, deserialize_with = "lenient")]
    code: Option<String>,
    /// What was asked for; only its path is kept.
    #[serde(default, deserialize_with = "lenient")]
    path: Option<String>,
    /// Whether it was a problem of this server's kind.
    #[serde(default, deserialize_with = "lenient")]
    is_ours: Option<bool>,
    /// How long before, milliseconds.
    ago_ms: f64,
}

/// The last error that no script had caught.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct LogoutError {
    message: String,
    /// How long before, milliseconds.
    ago_ms: f64,
}

impl LogoutEvidence {
    /// None if it says nothing.
    pub fn read(self) -> Option<Evidence> {
        let answer = self.answer.and_then(|answer| {
            Some(Answer {
                status: Some(answer.status).filter(|status| matches!(status, 0 | 100..=599))?,
                code: answer.code.and_then(|code| client_report::word(&code, REPORT_WORD_CHARS_MAX)),
                path: answer.path.and_then(|path| client_report::page_path(&path, REPORT_LOCATION_CHARS_MAX)),
                is_ours: answer.is_ours,
                ago_ms: count(answer.ago_ms)?,
            })
        });
        let error = self.error.and_then(|error| {
            let message = client_report::text(&error.message, REPORT_ERROR_CHARS_MAX)?;
            Some(ScriptError { message, ago_ms: count(error.ago_ms)? })
        });
        let evidence = Evidence {
            answer,
            error,
            // Conversions saturate.
            access_left_ms: self.access_left_ms.map(|ms| ms as i64),
            clock_ahead_ms: self.clock_ahead_ms.map(|ms| ms as i64),
            page_age_ms: self.page_age_ms.and_then(count),
            tokens_from_tabs: self.tokens_from_tabs.and_then(count),
        };
        (evidence != Evidence::default()).then_some(evidence)
    }
}

/// None of what cannot be one.
fn count(number: f64) -> Option<u64> {
    (number >= 0.0).then_some(number as u64)
}
