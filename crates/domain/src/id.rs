//! Typed ids: a user id cannot be passed where a session id belongs.
//!
//! Each is a UUIDv7 (RFC 9562 section 5.7) made from the caller's time and entropy. Its text form carries the
//! noun, as in `ses_0199c0a41c3b7d0ea1f0b2c3d4e5f607`, so that an id in a log line explains itself.

use std::fmt;
use std::str::FromStr;

use uuid::Uuid;

use crate::time::Timestamp;

/// Text that is no id of the expected kind.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not {noun} id (expected {prefix}_ and 32 hexadecimal digits)")]
pub struct IdError {
    /// With its article.
    noun: &'static str,
    prefix: &'static str,
}

/// Three letters of the noun, an underscore, 32 digits.
const TEXT_LENGTH: usize = 36;

/// The one macro of this crate: the same newtype for each noun.
macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $noun:literal, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Uuid);

        impl $name {
            /// A new id; ids made later sort later. `entropy` must be fresh for each.
            pub fn generate(now: Timestamp, entropy: [u8; 10]) -> Self {
                let ms = u64::try_from(now.as_ms()).unwrap_or(0);
                Self(uuid::Builder::from_unix_timestamp_millis(ms, &entropy).into_uuid())
            }

            pub const fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(Uuid::from_bytes(bytes))
            }

            pub const fn as_bytes(&self) -> &[u8; 16] {
                self.0.as_bytes()
            }

            /// The text form, by hand: ids are in every answer and every log line.
            fn text(&self) -> [u8; TEXT_LENGTH] {
                let mut text = *concat!($prefix, "_00000000000000000000000000000000").as_bytes()
                    .first_chunk().unwrap_or(&[b'0'; TEXT_LENGTH]);
                self.0.simple().encode_lower(&mut text[TEXT_LENGTH - 32..]);
                text
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(str::from_utf8(&self.text()).unwrap_or_default())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                let error = IdError { noun: $noun, prefix: $prefix };
                let digits = text.strip_prefix(concat!($prefix, "_")).ok_or(error.clone())?;
                // Only the form we print ourselves: two spellings of one id would be two cache keys.
                if digits.len() != 32 || !digits.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
                    return Err(error);
                }
                Uuid::try_parse(digits).map(Self).map_err(|_| error)
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(str::from_utf8(&self.text()).unwrap_or_default())
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

id!(
    /// One sign-in of one user on one browser profile or device.
    SessionId, "a session", "ses"
);
id!(
    /// A person who can sign in.
    UserId, "a user", "usr"
);
id!(
    /// The tenant a user belongs to.
    AccountId, "an account", "acc"
);
id!(
    /// One thing that somebody with rights has changed.
    ActId, "an act", "act"
);
id!(
    /// A credential that programs of an account show.
    ApiKeyId, "an API key", "key"
);
id!(
    /// Something that happened and was written down.
    EventId, "an event", "evt"
);
id!(
    /// A browser profile that is observed while an application keeps its sign-ins elsewhere. Drawn by the browser.
    ProfileId, "an observed browser", "obs"
);
id!(
    /// Something that was observed there and was written down.
    ObservationId, "an observation", "osn"
);

impl SessionId {
    /// When it was made, by the clock of whoever made it (RFC 9562 section 5.7).
    pub fn made_at(&self) -> Timestamp {
        let ms = self.as_bytes().iter().take(6).fold(0, |ms, byte| (ms << 8) | i64::from(*byte));
        Timestamp::from_ms(ms)
    }

    /// The first eight hexadecimal digits of the id's random part: what the session's cookie is named by
    /// (protocol.md section 7).
    pub fn cookie_suffix(&self) -> String {
        // Bytes 0-5 are the time, 6-8 hold the version, the variant and 18 random bits; 8 full random
        // bytes less the variant bits follow. Nine to twelve are purely random.
        let bytes = self.as_bytes();
        format!("{:02x}{:02x}{:02x}{:02x}", bytes[9], bytes[10], bytes[11], bytes[12])
    }
}

/// The short reference that a person can read to support: one per end of a session.
///
/// Crockford's base 32 without vowels that spell, in two groups, as in `R-7K3M-Q9TD`: 40 bits, unique enough
/// together with the time it was made at, and easy to say on the telephone.
#[derive(Clone, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct ReceiptId(String);

impl ReceiptId {
    pub fn generate(entropy: [u8; 5]) -> Self {
        const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
        let bits = entropy.iter().fold(0u64, |bits, byte| (bits << 8) | u64::from(*byte));
        let digit = |i: u32| char::from(ALPHABET[(bits >> (5 * (7 - i))) as usize & 31]);
        let mut text = String::from("R-");
        text.extend((0..4).map(digit));
        text.push('-');
        text.extend((4..8).map(digit));
        Self(text)
    }

    /// A receipt as somebody reads or types it: in small letters, with or without its dashes, and with the letters that
    /// Crockford's base 32 takes for digits. None for what cannot be one.
    pub fn parse(text: &str) -> Option<Self> {
        let plain: String =
            text.trim().chars().filter(|c| *c != '-').map(|c| c.to_ascii_uppercase()).collect();
        let digits = plain.strip_prefix('R').filter(|digits| digits.len() == 8)?;
        let digit = |c| match c {
            'O' => Some('0'),
            'I' | 'L' => Some('1'),
            '0'..='9' | 'A'..='Z' if c != 'U' => Some(c),
            _ => None,
        };
        let digits: String = digits.chars().map(digit).collect::<Option<_>>()?;
        let (first, second) = digits.split_at_checked(4)?;
        Some(Self(format!("R-{first}-{second}")))
    }

    /// A receipt id as a store kept it.
    pub fn from_stored(text: String) -> Self {
        Self(text)
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ReceiptId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_sort_by_time_and_survive_their_text_form() {
        let early = SessionId::generate(Timestamp::from_ms(1_000), [255; 10]);
        let late = SessionId::generate(Timestamp::from_ms(1_001), [0; 10]);
        assert!(early < late);
        assert_eq!(early.to_string().parse(), Ok(early));
        assert!(early.to_string().starts_with("ses_0000000003e8"));
        assert_eq!(early.made_at(), Timestamp::from_ms(1_000));
    }

    #[test]
    fn another_noun_another_case_or_another_length_is_refused() {
        let id = SessionId::generate(Timestamp::from_ms(1), [171; 10]).to_string();
        let error = |error: IdError| error.to_string();
        let expected = "not a user id (expected usr_ and 32 hexadecimal digits)";
        assert_eq!(id.parse::<UserId>().map_err(error), Err(expected.to_owned()));
        assert!(error(id.parse::<ProfileId>().unwrap_err()).starts_with("not an observed browser id"));
        assert!(id.to_uppercase().parse::<SessionId>().is_err());
        assert!(id[..35].parse::<SessionId>().is_err());
        assert!("ses_".parse::<SessionId>().is_err());
        assert!("ses_0199c0a4-1c3b-7d0e-a1f0-b2c3d4e5f607".parse::<SessionId>().is_err());
    }

    #[test]
    fn the_cookie_suffix_is_random_and_eight_digits() {
        let id = SessionId::generate(Timestamp::from_ms(5), [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
        assert_eq!(id.cookie_suffix(), "04050607");
    }

    #[test]
    fn receipts_are_short_and_sayable() {
        assert_eq!(ReceiptId::generate([0; 5]).as_str(), "R-0000-0000");
        assert_eq!(ReceiptId::generate([255; 5]).as_str(), "R-ZZZZ-ZZZZ");
    }

    #[test]
    fn a_receipt_is_read_however_it_was_said() {
        let said = |text| ReceiptId::parse(text).map(|receipt| receipt.to_string());
        for text in ["R-10AB-Z9TD", " r-10ab-z9td\n", "R10ABZ9TD", "r-ioab-z9td", "R-LOAB-Z9TD"] {
            assert_eq!(said(text).as_deref(), Some("R-10AB-Z9TD"), "{text}");
        }
        for text in [
            "",
            "R",
            "R-10AB-Z9T",
            "R-10AB-Z9TDX",
            "10AB-Z9TD",
            "R-10AB-Z9TU",
            "R-1\u{e4}AB-Z9T",
            "ada@example.com",
        ] {
            assert_eq!(said(text), None, "{text}");
        }
        for bytes in [[0; 5], [255; 5], [1, 2, 3, 4, 5]] {
            let receipt = ReceiptId::generate(bytes);
            assert_eq!(ReceiptId::parse(receipt.as_str()), Some(receipt));
        }
    }
}
