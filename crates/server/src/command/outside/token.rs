//! What can be seen of a token without its key: most are JSON Web Tokens, and may be something else.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

/// How long it lives by its own claims, from when it was issued.
pub fn lifetime(token: &str) -> Option<Duration> {
    let claims = claims(token)?;
    let seconds = claims["exp"].as_i64()?.checked_sub(claims["iat"].as_i64()?)?;
    u64::try_from(seconds).ok().map(Duration::from_secs)
}

/// When it ends, in Unix seconds.
pub fn expires_at(token: &str) -> Option<i64> {
    claims(token)?["exp"].as_i64()
}

/// When it was handed out, in Unix seconds.
pub fn issued_at(token: &str) -> Option<i64> {
    claims(token)?["iat"].as_i64()
}

/// With one letter of it changed, near its end: in the signature, but not in its last letter, whose low bits
/// mean nothing.
pub fn damaged(token: &str) -> String {
    let mut letters: Vec<char> = token.chars().collect();
    let at = letters.len().saturating_sub(8);
    if let Some(letter) = letters.get_mut(at) {
        *letter = if *letter == 'A' { 'B' } else { 'A' };
    }
    letters.into_iter().collect()
}

/// The same claims, under a header that says that nothing is signed.
pub fn unsigned(token: &str) -> Option<String> {
    claims(token)?;
    let body = token.split('.').nth(1)?;
    Some(format!("{}.{body}.", URL_SAFE_NO_PAD.encode(r#"{"alg":"none","typ":"JWT"}"#)))
}

fn claims(token: &str) -> Option<Value> {
    let mut parts = token.split('.');
    let (_, body, _, None) = (parts.next()?, parts.next()?, parts.next()?, parts.next()) else { return None };
    let bytes = URL_SAFE_NO_PAD.decode(body.trim_end_matches('=')).ok()?;
    serde_json::from_slice(&bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_says_how_long_it_lives() {
        let token = format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(r#"{"iat":100,"exp":400}"#));
        assert_eq!((lifetime(&token), expires_at(&token)), (Some(Duration::from_secs(300)), Some(400)));
        assert_eq!(issued_at(&token), Some(100));
        assert!(unsigned(&token).unwrap().ends_with('.'));
        for odd in ["", "opaque", "a.b.c", "a.b", "é.é.é", "e30.e30.x"] {
            assert_eq!((lifetime(odd), expires_at(odd)), (None, None), "{odd}");
        }
        let damaged = damaged(&token);
        assert_eq!(damaged.chars().zip(token.chars()).filter(|(a, b)| a != b).count(), 1);
        assert_eq!((super::damaged("é").len(), super::damaged("")), (1, String::new()));
    }
}
