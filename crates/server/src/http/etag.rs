//! Entity tags: a browser that has the bytes already is told so instead of being sent them (RFC 9110
//! section 13.1.2).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{HeaderMap, HeaderValue, header};

/// The strong tag of the bytes with this SHA-256.
pub fn of(sha256: &[u8; 32]) -> HeaderValue {
    let tag = format!("\"{}\"", URL_SAFE_NO_PAD.encode(&sha256[..16]));
    HeaderValue::try_from(tag).unwrap_or(HeaderValue::from_static("\"\""))
}

/// Whether the sender has what the tag names.
pub fn is_known(headers: &HeaderMap, tag: &HeaderValue) -> bool {
    let lines = headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|line| line.to_str().ok());
    let mut known = lines.flat_map(|line| line.split(',')).map(str::trim);
    // A proxy that changed the encoding marks a tag as weak; for this comparison it is the same.
    known.any(|known| known == "*" || known.strip_prefix("W/").unwrap_or(known).as_bytes() == tag.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_compared_whole_and_weakly() {
        let check = |line: &str, known: bool| {
            let mut headers = HeaderMap::new();
            headers.insert(header::IF_NONE_MATCH, HeaderValue::from_str(line).unwrap());
            assert_eq!(is_known(&headers, &HeaderValue::from_static("\"abc\"")), known, "{line}");
        };
        for line in ["\"abc\"", "W/\"abc\"", "\"x\", \"abc\"", "\"x\",W/\"abc\" ", "*"] {
            check(line, true);
        }
        for line in ["", "abc", "\"ab\"", "\"abcd\"", "\"ABC\"", "w/\"abc\""] {
            check(line, false);
        }
        assert!(!is_known(&HeaderMap::new(), &HeaderValue::from_static("\"abc\"")));
    }
}
