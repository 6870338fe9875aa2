//! `/assets/{file}` and the favicon: what the pages load.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{OriginalUri, Path, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderValue, StatusCode, header};

use crate::App;
use crate::http::actor::Anyone;
use crate::http::etag;
use crate::http::problem::Problem;
use crate::pages::{File, content_type};

/// Other content has another name.
const FOR_EVER: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");
/// A name that stays when the content changes.
const FOR_AN_HOUR: HeaderValue = HeaderValue::from_static("public, max-age=3600");

/// Encodings that files are kept in, the smallest first, with the end of the file's name.
const ENCODINGS: [(&str, &str); 2] = [("br", ".br"), ("gzip", ".gz")];

pub async fn asset(
    State(app): State<Arc<App>>,
    _: Anyone,
    headers: HeaderMap,
    Path(name): Path<String>,
) -> Result<Response, Problem> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    if name.starts_with('.') || !name.bytes().all(plain) {
        return Err(Problem::not_found());
    }
    answer(&app, &headers, &format!("assets/{name}"), FOR_EVER)
}

pub async fn favicon(
    State(app): State<Arc<App>>,
    _: Anyone,
    headers: HeaderMap,
    OriginalUri(uri): OriginalUri,
) -> Result<Response, Problem> {
    answer(&app, &headers, uri.path().trim_matches('/'), FOR_AN_HOUR)
}

fn answer(app: &App, headers: &HeaderMap, path: &str, cached: HeaderValue) -> Result<Response, Problem> {
    let kind = content_type(path).ok_or_else(Problem::not_found)?;
    let (encoding, file) = find(app, headers, path).ok_or_else(Problem::not_found)?;
    let tag = etag::of(&file.sha256);
    let mut response = match etag::is_known(headers, &tag) {
        true => StatusCode::NOT_MODIFIED.into_response(),
        false => ([(header::CONTENT_TYPE, kind)], Body::from(bytes(file))).into_response(),
    };
    let head = response.headers_mut();
    if let Some(encoding) = encoding.filter(|_| head.contains_key(header::CONTENT_TYPE)) {
        head.insert(header::CONTENT_ENCODING, HeaderValue::from_static(encoding));
    }
    head.insert(header::ETAG, tag);
    head.insert(header::CACHE_CONTROL, cached);
    head.insert(header::VARY, HeaderValue::from_static("Accept-Encoding"));
    Ok(response)
}

/// The file in the smallest form that the sender understands.
fn find(app: &App, headers: &HeaderMap, path: &str) -> Option<(Option<&'static str>, File)> {
    let encoded = ENCODINGS.into_iter().filter(|(encoding, _)| accepts(headers, encoding));
    let mut found = encoded
        .filter_map(|(encoding, end)| Some((Some(encoding), app.pages.find(&format!("{path}{end}"))?)));
    found.next().or_else(|| Some((None, app.pages.find(path)?)))
}

fn bytes(file: File) -> axum::body::Bytes {
    match file.bytes {
        std::borrow::Cow::Borrowed(bytes) => axum::body::Bytes::from_static(bytes),
        std::borrow::Cow::Owned(bytes) => bytes.into(),
    }
}

/// Whether an encoding is acceptable (RFC 9110 section 12.5.3): named, or covered by `*`, and not with weight
/// zero. Nothing said means none: a sender that says nothing rarely decodes anything.
fn accepts(headers: &HeaderMap, encoding: &str) -> bool {
    let lines = headers.get_all(header::ACCEPT_ENCODING).iter().filter_map(|line| line.to_str().ok());
    let mut any = false;
    for offer in lines.flat_map(|line| line.split(',')) {
        let mut parts = offer.split(';').map(str::trim);
        let name = parts.next().unwrap_or_default();
        let weight = parts.find_map(|part| part.strip_prefix("q=").or(part.strip_prefix("Q=")));
        let wanted = weight.is_none_or(|weight| weight.trim().parse().is_ok_and(|weight: f32| weight > 0.0));
        if name.eq_ignore_ascii_case(encoding) {
            return wanted;
        }
        any |= name == "*" && wanted;
    }
    any
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encodings_are_taken_as_offered() {
        let check = |line: &str, br: bool, gzip: bool| {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_str(line).unwrap());
            assert_eq!((accepts(&headers, "br"), accepts(&headers, "gzip")), (br, gzip), "{line}");
        };
        check("gzip, deflate, br, zstd", true, true);
        check("GZIP", false, true);
        check("br;q=0, gzip", false, true);
        check("gzip;q=0.5, br; q=0.000", false, true);
        check("*", true, true);
        check("*;q=0", false, false);
        check("br;q=0, *", false, true);
        check("identity", false, false);
        check("brotli, xgzip", false, false);
        check("br;q=nonsense", false, false);
        check("", false, false);
        assert!(!accepts(&HeaderMap::new(), "br"));
    }
}
