//! Whether a call is Stripe's: the `Stripe-Signature` header.
//!
//! `t=1492774577,v1=5257a8...,v1=...`: seconds, and HMAC-SHA-256 tags over `t.body`, one for each secret that the
//! endpoint has at the time. Tags of other schemes stand beside them and count for nothing.

use std::time::Duration;

use aws_lc_rs::{constant_time, hmac};

use crate::time::Timestamp;

/// Most tags of one header that are looked at.
pub const TAGS_MAX: usize = 16;

/// The secrets of an endpoint, any of which may have signed: the newest, and those that it replaces.
pub struct SigningSecrets(Vec<hmac::Key>);

/// Why a call is not believed to be Stripe's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    #[error("the Stripe-Signature header has no time and v1 tag that can be read")]
    Malformed,
    #[error("no secret of this endpoint has signed the call")]
    Wrong,
    #[error("the call was signed at another time than now, or a clock is wrong")]
    OutOfTime,
}

impl SigningSecrets {
    /// Secrets with white space between them, as Stripe writes them: `whsec_...`.
    pub fn parse(text: &str) -> Self {
        let key = |secret: &str| hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
        Self(text.split_whitespace().map(key).collect())
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether `header` shows that one of them signed `body`, no longer than `tolerance` from `now`.
    pub fn check(
        &self,
        header: &[u8],
        body: &[u8],
        tolerance: Duration,
        now: Timestamp,
    ) -> Result<(), SignatureError> {
        let Header { time, seconds, tags } = Header::read(header).ok_or(SignatureError::Malformed)?;
        let mut is_signed = false;
        for key in &self.0 {
            let mut context = hmac::Context::with_key(key);
            context.update(time.as_bytes());
            context.update(b".");
            context.update(body);
            let expected = context.sign();
            for tag in &tags {
                is_signed |= constant_time::verify_slices_are_equal(expected.as_ref(), tag).is_ok();
            }
        }
        if !is_signed {
            return Err(SignatureError::Wrong);
        }
        // Only now, because before it is known who wrote it a time says nothing.
        let signed_at = Timestamp::from_ms(seconds.saturating_mul(1000));
        let distance = now.since(signed_at).max(signed_at.since(now));
        if distance <= tolerance { Ok(()) } else { Err(SignatureError::OutOfTime) }
    }
}

struct Header<'h> {
    /// As it is written, because that is what was signed.
    time: &'h str,
    seconds: i64,
    tags: Vec<[u8; 32]>,
}

impl<'h> Header<'h> {
    fn read(header: &'h [u8]) -> Option<Self> {
        let header = std::str::from_utf8(header).ok()?;
        let mut time = None;
        let mut tags = Vec::new();
        for (name, value) in header.split(',').filter_map(|part| part.trim().split_once('=')) {
            match name {
                "t" if time.is_some() => return None,
                "t" => time = Some(value),
                "v1" if tags.len() < TAGS_MAX => tags.extend(tag(value)),
                _ => {}
            }
        }
        let time = time.filter(|time| time.bytes().all(|byte| byte.is_ascii_digit()))?;
        let seconds = time.parse().ok()?;
        (!tags.is_empty()).then_some(Self { time, seconds, tags })
    }
}

fn tag(hex: &str) -> Option<[u8; 32]> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let (pairs, rest) = hex.as_bytes().as_chunks::<2>();
    if pairs.len() != 32 || !rest.is_empty() {
        return None;
    }
    let mut tag = [0; 32];
    for (byte, [high, low]) in tag.iter_mut().zip(pairs) {
        *byte = digit(*high)? << 4 | digit(*low)?;
    }
    Some(tag)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const BODY: &[u8] = br#"{"id": "evt_1"}"#;
    const NOW: Timestamp = Timestamp::from_ms(1_492_774_577_000);
    const TOLERANCE: Duration = Duration::from_secs(300);

    fn hex(secret: &str, time: &str, body: &[u8]) -> String {
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
        let tag = hmac::sign(&key, &[time.as_bytes(), b".", body].concat());
        tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    fn check(secrets: &str, header: &str, now: Timestamp) -> Result<(), SignatureError> {
        SigningSecrets::parse(secrets).check(header.as_bytes(), BODY, TOLERANCE, now)
    }

    fn header(secret: &str, time: &str) -> String {
        format!("t={time},v1={}", hex(secret, time, BODY))
    }

    /// Made with `openssl dgst -sha256 -hmac whsec_test`, so that not only our own reading of it is tried.
    #[test]
    fn a_signature_that_others_have_made_is_accepted() {
        let tag = "952cd89626c79cd65f12880afd38333422a10b88ff71136627ceb92ccdb0132c";
        assert_eq!(check("whsec_test", &format!("t=1492774577,v1={tag}"), NOW), Ok(()));
    }

    #[test]
    fn any_of_several_secrets_and_tags_will_do() {
        let [old, new] = ["whsec_old", "whsec_new"];
        let both = format!("{},v1={},v0={}", header(old, "1492774577"), hex(new, "1492774577", BODY), "6f");
        for secrets in [old, new, "whsec_old whsec_new", " whsec_new\n whsec_old\n"] {
            assert_eq!(check(secrets, &both, NOW), Ok(()), "{secrets:?}");
        }
        assert_eq!(check("whsec_old whsec_new", &header(new, "1492774577"), NOW), Ok(()));
        for secrets in ["whsec_other", ""] {
            assert_eq!(check(secrets, &both, NOW), Err(SignatureError::Wrong), "{secrets:?}");
        }
    }

    #[test]
    fn a_tag_is_of_one_time_one_body_and_one_scheme() {
        let (good, tag) = (header("s", "1492774577"), hex("s", "1492774577", BODY));
        assert_eq!(check("s", &good, NOW), Ok(()));
        assert_eq!(check("s", &format!("t=1492774578,v1={tag}"), NOW), Err(SignatureError::Wrong));
        assert_eq!(check("s", &format!("t=1492774577,v0={tag}"), NOW), Err(SignatureError::Malformed));
        let secrets = SigningSecrets::parse("s");
        let other = secrets.check(good.as_bytes(), b"{}", TOLERANCE, NOW);
        assert_eq!(other, Err(SignatureError::Wrong));
    }

    #[test]
    fn the_time_may_be_off_by_the_tolerance_either_way_and_no_more() {
        let ms = |offset: i64| Timestamp::from_ms(NOW.as_ms() + offset);
        let header = header("s", "1492774577");
        for offset in [-300_000, -1, 0, 1, 300_000] {
            assert_eq!(check("s", &header, ms(offset)), Ok(()), "{offset}");
        }
        for offset in [-300_001, 300_001, i64::MAX - NOW.as_ms()] {
            assert_eq!(check("s", &header, ms(offset)), Err(SignatureError::OutOfTime), "{offset}");
        }
    }

    #[test]
    fn a_header_that_is_none_is_refused() {
        let tag = "6f".repeat(32);
        for odd in [
            String::new(),
            "t=1".into(),
            format!("v1={tag}"),
            format!("t=,v1={tag}"),
            format!("t=-1,v1={tag}"),
            format!("t=+1,v1={tag}"),
            format!("t=99999999999999999999,v1={tag}"),
            format!("t=1,t=1,v1={tag}"),
            "t=1,v1=6f".into(),
            format!("t=1,v1={tag}6"),
            format!("t=1,v1={}", "zz".repeat(32)),
            format!("t=1;v1={tag}"),
        ] {
            assert_eq!(check("s", &odd, NOW), Err(SignatureError::Malformed), "{odd}");
        }
    }

    proptest! {
        #[test]
        fn no_header_makes_the_reader_panic(
            header in proptest::collection::vec(any::<u8>(), 0..200),
            now in any::<i64>(),
        ) {
            let now = Timestamp::from_ms(now);
            let _ = SigningSecrets::parse("s").check(&header, BODY, TOLERANCE, now);
        }

        #[test]
        fn no_header_of_its_words_makes_the_reader_panic_or_passes(
            header in "((t|v1|v0)=[0-9a-f]{0,66},?){0,20}", now in any::<i64>(),
        ) {
            let checked = check("s", &header, Timestamp::from_ms(now));
            prop_assert!(checked.is_err());
        }
    }
}
