//! Reads what tokens say without being able to judge them: the bench has no key. The generation inside a
//! refresh token proves whether an answer rotated the session or only handed the same generation out again.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

const PREFIX: &str = "tnr1_";
/// Key id 4, session id 16, generation 4, expiry 8, nonce 12, two tags of 32 bytes.
const TEXT_LENGTH: usize = PREFIX.len() + (4 + 16 + 4 + 8 + 12 + 64) / 3 * 4;

/// The readable part of a refresh token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RefreshClaims {
    pub session: [u8; 16],
    pub generation: u32,
}

/// Reads a refresh token's session and generation; none if it has not the shape of one.
pub fn read_refresh(text: &str) -> Option<RefreshClaims> {
    if text.len() != TEXT_LENGTH {
        return None;
    }
    // 32 characters are 24 bytes: key id, session id and generation, all that is looked at.
    let mut bytes = [0; 24];
    let head = text.strip_prefix(PREFIX)?.get(..32)?;
    URL_SAFE_NO_PAD.decode_slice(head, &mut bytes).ok()?;
    Some(RefreshClaims {
        session: std::array::from_fn(|i| bytes[4 + i]),
        generation: u32::from_be_bytes(std::array::from_fn(|i| bytes[20 + i])),
    })
}

/// The session (`sid`) that an access token belongs to.
pub fn read_access_session(jwt: &str) -> Option<[u8; 16]> {
    let payload = jwt.split('.').nth(1)?;
    let mut bytes = [0; 1024];
    let length = URL_SAFE_NO_PAD.decode_slice(payload, &mut bytes).ok()?;
    session_id(json_string(&bytes[..length], "sid")?)
}

/// A session id in any of its spellings: a noun in front (`ses_`) and hyphens do not matter.
pub fn session_id(text: &str) -> Option<[u8; 16]> {
    let digits = text.rsplit('_').next()?;
    let mut nibbles = digits.bytes().filter(|byte| *byte != b'-');
    let mut id = [0; 16];
    for byte in &mut id {
        let high = char::from(nibbles.next()?).to_digit(16)?;
        let low = char::from(nibbles.next()?).to_digit(16)?;
        *byte = u8::try_from(high << 4 | low).ok()?;
    }
    nibbles.next().is_none().then_some(id)
}

/// The value of the first member called `name` whose value is a plain string without escapes.
///
/// A full JSON parser would cost the generator more than the server spends on some requests, and the two
/// share the cores. Every string read this way (tokens, ids, codes) is plain ASCII.
pub fn json_string<'a>(json: &'a [u8], name: &str) -> Option<&'a str> {
    let json = std::str::from_utf8(json).ok()?;
    let mut rest = json;
    loop {
        let at = rest.find(name)?;
        let before = &rest[..at];
        rest = &rest[at + name.len()..];
        let Some(after) = rest.strip_prefix('"').filter(|_| before.ends_with('"')) else { continue };
        let Some(value) = after.trim_start().strip_prefix(':') else { continue };
        let text = value.trim_start().strip_prefix('"')?;
        let end = text.find('"')?;
        return (!text[..end].contains('\\')).then_some(&text[..end]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(session: [u8; 16], generation: u32) -> String {
        let mut bytes = vec![1, 2, 3, 4];
        bytes.extend(session);
        bytes.extend(generation.to_be_bytes());
        bytes.extend([7; 8 + 12 + 64]);
        format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes))
    }

    #[test]
    fn session_and_generation_are_read_from_a_refresh_token() {
        let text = token(*b"0123456789abcdef", 0x0102_0304);
        let expected = RefreshClaims { session: *b"0123456789abcdef", generation: 0x0102_0304 };
        assert_eq!(read_refresh(&text), Some(expected));
    }

    #[test]
    fn what_is_no_refresh_token_is_not_read() {
        let text = token([0; 16], 1);
        for length in 0..text.len() {
            assert_eq!(read_refresh(&text[..length]), None);
        }
        assert_eq!(read_refresh(&format!("{text}A")), None);
        assert_eq!(read_refresh(&text.replace("tnr1_", "tnr2_")), None);
        assert_eq!(read_refresh(&format!("tnr1_{}", "ä".repeat(72))), None);
        assert_eq!(read_refresh(&format!("tnr1_{}", "*".repeat(144))), None);
    }

    #[test]
    fn the_session_is_read_from_an_access_token_in_every_spelling() {
        let expected = Some(std::array::from_fn(|i| u8::try_from(i).unwrap()));
        for sid in [
            "ses_000102030405060708090a0b0c0d0e0f",
            "00010203-0405-0607-0809-0a0b0c0d0e0f",
            "000102030405060708090A0B0C0D0E0F",
        ] {
            let payload = URL_SAFE_NO_PAD.encode(format!(r#"{{"sub":"usr_1","sid" : "{sid}","ver":1}}"#));
            assert_eq!(read_access_session(&format!("e30.{payload}.c2ln")), expected, "{sid}");
        }
        for bad in ["", ".", "e30.e30.x", "a.!!.b"] {
            assert_eq!(read_access_session(bad), None);
        }
        assert_eq!(session_id("ses_0001"), None);
        assert_eq!(session_id("ses_000102030405060708090a0b0c0d0e0f00"), None);
    }

    #[test]
    fn a_member_is_found_by_its_own_name_only() {
        let json = br#"{"xcode":"a","code_x":"b","about":"code","code" : "rate_limited"}"#;
        assert_eq!(json_string(json, "code"), Some("rate_limited"));
        assert_eq!(json_string(br#"{"code":12}"#, "code"), None);
        assert_eq!(json_string(br#"{"code":"a\"b"}"#, "code"), None);
        assert_eq!(json_string(br#"{"code":"a"#, "code"), None);
        assert_eq!(json_string(b"\xff\xfe", "code"), None);
    }
}
