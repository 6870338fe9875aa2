//! JSON in, JSON out, and the forms of pages without scripts.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::rejection::FormRejection;
use axum::extract::{FromRequest, Request};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize};
use tenure_domain::limit::BODY_BYTES_MAX;
use tenure_domain::problem::Code;

use crate::App;
use crate::http::problem::Problem;

/// A request body of JSON, or an answer of it.
pub struct Json<T>(pub T);

/// A request body as a form without scripts sends it.
pub struct Form<T>(pub T);

/// A request body that may be left out.
pub struct OptionalJson<T>(pub T);

impl<T: DeserializeOwned> FromRequest<Arc<App>> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self, Problem> {
        require(request.headers(), &JSON)?;
        parse(&read(request, app).await?).map(Self)
    }
}

impl<T: DeserializeOwned + Default> FromRequest<Arc<App>> for OptionalJson<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self, Problem> {
        let typed = require(request.headers(), &JSON);
        let body = read(request, app).await?;
        if body.is_empty() {
            return Ok(Self(T::default()));
        }
        typed?;
        parse(&body).map(Self)
    }
}

impl<T: DeserializeOwned> FromRequest<Arc<App>> for Form<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self, Problem> {
        refuse_compressed(request.headers())?;
        let (parts, body) = request.into_parts();
        let body = read(Request::new(body), app).await?;
        let whole = Request::from_parts(parts, Body::from(body));
        match axum::Form::from_request(whole, app).await {
            Ok(axum::Form(form)) => Ok(Self(form)),
            Err(FormRejection::InvalidFormContentType(_)) => {
                let detail = "Send `Content-Type: application/x-www-form-urlencoded`.";
                Err(Problem::new(Code::UnsupportedMediaType, detail))
            }
            // Its words could repeat a value, and a value could be a password.
            Err(_) => Err(Problem::new(Code::ValidationFailed, "The form does not fit.")),
        }
    }
}

/// Reads JSON of at most `bytes_max` as `navigator.sendBeacon` sends it, which calls it plain text if the page
/// does not say otherwise. Only for what changes nothing for anybody.
pub async fn beacon<T: DeserializeOwned>(
    request: Request,
    app: &App,
    bytes_max: usize,
) -> Result<T, Problem> {
    require(request.headers(), &["application/json", "text/plain"])?;
    parse(&read_at_most(request, app, bytes_max).await?)
}

/// Reads a member of another type as one that is not there: the rest of a report is still worth having.
pub fn lenient<'de, D: Deserializer<'de>, T: DeserializeOwned>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    Ok(serde_json::from_value(serde_json::Value::deserialize(deserializer)?).ok())
}

/// Reads a body of at most `bytes_max` as it is, because somebody has signed it so.
pub async fn raw(request: Request, app: &App, bytes_max: usize) -> Result<Bytes, Problem> {
    refuse_compressed(request.headers())?;
    read_at_most(request, app, bytes_max).await
}

async fn read(request: Request, app: &App) -> Result<Bytes, Problem> {
    read_at_most(request, app, BODY_BYTES_MAX).await
}

/// A body gets half of the request's time, so that a sender who is slow is told apart from a store that is.
async fn read_at_most(request: Request, app: &App, bytes_max: usize) -> Result<Bytes, Problem> {
    let limited = Limited::new(request.into_body(), bytes_max);
    let limit = app.settled.config.server.request_timeout.0 / 2;
    let Ok(collected) = tokio::time::timeout(limit, limited.collect()).await else {
        return Err(Problem::new(Code::RequestTimeout, "The body did not arrive in time."));
    };
    match collected {
        Ok(body) => Ok(body.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => {
            let detail = format!("Bodies of more than {bytes_max} bytes are not taken.");
            Err(Problem::new(Code::PayloadTooLarge, detail))
        }
        Err(error) => Err(Problem::new(Code::MalformedRequest, "The body broke off.").with_cause(error)),
    }
}

/// Nothing else where it matters: a form or plain text is what a foreign page could send without asking first.
const JSON: [&str; 1] = ["application/json"];

/// One of `kinds`, in UTF-8 if a charset is named.
fn require(headers: &HeaderMap, kinds: &[&str]) -> Result<(), Problem> {
    let wrong = || Problem::new(Code::UnsupportedMediaType, "Send `Content-Type: application/json`.");
    refuse_compressed(headers)?;
    let value = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).ok_or_else(wrong)?;
    let mut parts = value.split(';').map(str::trim);
    let fits = parts.next().is_some_and(|said| kinds.iter().any(|kind| said.eq_ignore_ascii_case(kind)));
    let utf8 = parts.all(|parameter| {
        parameter.split_once('=').is_none_or(|(name, charset)| {
            !name.eq_ignore_ascii_case("charset") || charset.trim_matches('"').eq_ignore_ascii_case("utf-8")
        })
    });
    if fits && utf8 { Ok(()) } else { Err(wrong()) }
}

fn refuse_compressed(headers: &HeaderMap) -> Result<(), Problem> {
    match headers.contains_key(header::CONTENT_ENCODING) {
        true => Err(Problem::new(Code::UnsupportedMediaType, "Compressed bodies are not taken.")),
        false => Ok(()),
    }
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    // A struct may also be read from an array of its fields; nobody asks for that, so nobody gets it.
    if body.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'[') {
        return Err(Problem::new(Code::ValidationFailed, "The body is an array; send an object."));
    }
    serde_json::from_slice(body).map_err(|error| {
        // What is repeated back names fields of our own making, never a value: a password in the wrong place
        // must not come back in an answer or a log.
        let text = error.to_string();
        if text.starts_with("missing field") || text.starts_with("duplicate field") {
            Problem::new(Code::ValidationFailed, format!("The body does not fit: {text}."))
        } else if error.is_data() {
            let detail =
                format!("What stands at line {}, column {} does not fit.", error.line(), error.column());
            Problem::new(Code::ValidationFailed, detail)
        } else {
            let detail = format!("The body is not JSON (line {}, column {}).", error.line(), error.column());
            Problem::new(Code::MalformedRequest, detail)
        }
    })
}

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        match serde_json::to_vec(&self.0) {
            Ok(body) => {
                let json = HeaderValue::from_static("application/json");
                (StatusCode::OK, [(header::CONTENT_TYPE, json)], body).into_response()
            }
            Err(error) => Problem::new(Code::InternalError, "The answer could not be written.")
                .with_cause(error)
                .into_response(),
        }
    }
}
