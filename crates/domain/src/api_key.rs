//! API keys: what programs of an account show instead of a person's access token.
//!
//! `tnk1_` + base64url( key id 16 | secret 32 | checksum 6 ). The prefix lets scanners of repositories find a key that
//! leaked, and the checksum lets them tell a real one from a string that only looks like it, without asking us. 54
//! bytes are a whole number of base64 groups, so every key has exactly one spelling.
//!
//! Only a hash of the secret is stored. It is plain SHA-256: the secret is 256 random bits, which no dictionary holds.

use std::collections::BTreeSet;

use aws_lc_rs::{constant_time, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use zeroize::Zeroizing;

use crate::account::Slug;
use crate::id::ApiKeyId;
use crate::secret::SecretText;
use crate::time::Timestamp;

/// What every key begins with.
pub const PREFIX: &str = "tnk1_";

/// Most scopes of one key.
pub const SCOPES_MAX: usize = 32;

/// Most keys of one account that are neither revoked nor expired.
pub const KEYS_PER_ACCOUNT_MAX: usize = 100;

const ID: usize = 16;
const SECRET: usize = 32;
const CHECKSUM: usize = 6;
const LENGTH: usize = ID + SECRET + CHECKSUM;

/// SHA-256 of a key's secret: what is stored, and good for nothing but comparing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ApiKeyHash(pub [u8; 32]);

/// A key as it was shown, if its checksum is right. Whether it is one of ours only its row can tell.
#[derive(Clone, Copy, Debug)]
pub struct PresentedKey {
    pub id: ApiKeyId,
    hash: ApiKeyHash,
}

/// A string that is no API key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an API key")]
pub struct ApiKeyError;

/// A key's row as far as it decides anything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiKeyState {
    pub hash: ApiKeyHash,
    pub expires_at: Option<Timestamp>,
    /// Until when it stands beside the successor that it was given.
    pub retires_at: Option<Timestamp>,
    pub revoked_at: Option<Timestamp>,
}

impl ApiKeyState {
    /// When it stops to open anything by itself.
    pub fn ends_at(&self) -> Option<Timestamp> {
        [self.expires_at, self.retires_at].into_iter().flatten().min()
    }

    pub fn is_live(&self, now: Timestamp) -> bool {
        self.revoked_at.is_none() && self.ends_at().is_none_or(|at| at > now)
    }
}

/// What a key that was shown is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyVerdict {
    Stands,
    /// The secret is another one.
    NotAuthentic,
    Revoked,
    Expired,
}

/// The secret of a new key, from fresh randomness. It is shown once and never stored.
pub struct ApiKeySecret(Zeroizing<[u8; SECRET]>);

impl ApiKeySecret {
    pub fn from_entropy(bytes: [u8; SECRET]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    pub fn hash(&self) -> ApiKeyHash {
        hash(&self.0)
    }

    /// The key as its owner keeps it.
    pub fn to_text(&self, id: ApiKeyId) -> SecretText {
        let mut bytes = Zeroizing::new([0; LENGTH]);
        bytes[..ID].copy_from_slice(id.as_bytes());
        bytes[ID..ID + SECRET].copy_from_slice(&*self.0);
        let checksum = checksum(&bytes[..ID + SECRET]);
        bytes[ID + SECRET..].copy_from_slice(&checksum);
        SecretText::from_plain(format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(*bytes)))
    }
}

/// Whether a string means to be an API key, and not some other credential.
pub fn looks_like(text: &str) -> bool {
    text.starts_with(PREFIX)
}

impl PresentedKey {
    pub fn read(text: &str) -> Result<Self, ApiKeyError> {
        let encoded = text.strip_prefix(PREFIX).ok_or(ApiKeyError)?;
        let bytes = Zeroizing::new(URL_SAFE_NO_PAD.decode(encoded).map_err(|_| ApiKeyError)?);
        let (id, rest) = bytes.split_first_chunk::<ID>().ok_or(ApiKeyError)?;
        let (secret, told) = rest.split_first_chunk::<SECRET>().ok_or(ApiKeyError)?;
        if checksum(&bytes[..ID + SECRET]) != *told {
            return Err(ApiKeyError);
        }
        Ok(Self { id: ApiKeyId::from_bytes(*id), hash: hash(secret) })
    }

    /// Holds it against its row. What a key was is told only to whoever has its secret.
    pub fn judge(&self, row: &ApiKeyState, now: Timestamp) -> KeyVerdict {
        let has_it = constant_time::verify_slices_are_equal(&self.hash.0, &row.hash.0).is_ok();
        match row {
            _ if !has_it => KeyVerdict::NotAuthentic,
            ApiKeyState { revoked_at: Some(_), .. } => KeyVerdict::Revoked,
            row if row.is_live(now) => KeyVerdict::Stands,
            _ => KeyVerdict::Expired,
        }
    }
}

/// Scopes as they are stored and written: names with blanks between, in order.
pub fn scopes_to_text(scopes: &BTreeSet<Slug>) -> String {
    scopes.iter().map(Slug::as_str).collect::<Vec<_>>().join(" ")
}

/// Text that is no list of scopes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScopesError {
    #[error("`{0}` is no scope: {1}")]
    NoScope(String, crate::account::SlugError),
    #[error("a key has at most {SCOPES_MAX} scopes")]
    TooMany,
}

/// Reads names with blanks or commas between.
pub fn scopes(text: &str) -> Result<BTreeSet<Slug>, ScopesError> {
    let words = text.split([' ', ',']).filter(|word| !word.is_empty());
    let read = |word: &str| {
        Slug::parse(word).map_err(|error| ScopesError::NoScope(crate::limit::clip(word, 80), error))
    };
    let scopes = words.map(read).collect::<Result<BTreeSet<_>, _>>()?;
    if scopes.len() > SCOPES_MAX { Err(ScopesError::TooMany) } else { Ok(scopes) }
}

fn hash(secret: &[u8; SECRET]) -> ApiKeyHash {
    let digest = digest::digest(&digest::SHA256, secret);
    ApiKeyHash(digest.as_ref().first_chunk().copied().unwrap_or_default())
}

fn checksum(id_and_secret: &[u8]) -> [u8; CHECKSUM] {
    let mut context = digest::Context::new(&digest::SHA256);
    context.update(b"tenure api key checksum v1");
    context.update(id_and_secret);
    context.finish().as_ref().first_chunk().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ID: ApiKeyId = ApiKeyId::from_bytes([3; 16]);
    const NOW: Timestamp = Timestamp::from_ms(1_000);

    fn row(secret: &ApiKeySecret) -> ApiKeyState {
        ApiKeyState { hash: secret.hash(), expires_at: None, retires_at: None, revoked_at: None }
    }

    #[test]
    fn a_key_is_read_as_it_was_written_and_stands_until_it_is_revoked_or_expires() {
        let secret = ApiKeySecret::from_entropy([7; 32]);
        let text = secret.to_text(ID);
        assert!(looks_like(text.expose()) && text.expose().len() == PREFIX.len() + 72);
        let presented = PresentedKey::read(text.expose()).unwrap();
        assert_eq!(presented.id, ID);
        let row = row(&secret);
        assert_eq!(presented.judge(&row, NOW), KeyVerdict::Stands);
        let later = ApiKeyState { expires_at: Some(Timestamp::from_ms(1_001)), ..row.clone() };
        assert_eq!(presented.judge(&later, NOW), KeyVerdict::Stands);
        let expired = ApiKeyState { expires_at: Some(NOW), ..row.clone() };
        assert_eq!(presented.judge(&expired, NOW), KeyVerdict::Expired);
        let retired = ApiKeyState { retires_at: Some(NOW), ..later.clone() };
        assert_eq!((presented.judge(&retired, NOW), retired.ends_at()), (KeyVerdict::Expired, Some(NOW)));
        let revoked = ApiKeyState { revoked_at: Some(NOW), ..expired };
        assert_eq!(presented.judge(&revoked, NOW), KeyVerdict::Revoked);
        let other = ApiKeyState { hash: ApiKeySecret::from_entropy([8; 32]).hash(), ..revoked };
        assert_eq!(presented.judge(&other, NOW), KeyVerdict::NotAuthentic);
    }

    #[test]
    fn a_slip_of_the_pen_is_no_key() {
        let text = ApiKeySecret::from_entropy([7; 32]).to_text(ID);
        let text = text.expose();
        for at in PREFIX.len()..text.len() {
            let mut other = text.as_bytes().to_vec();
            other[at] = if other[at] == b'A' { b'B' } else { b'A' };
            assert!(PresentedKey::read(std::str::from_utf8(&other).unwrap()).is_err(), "{at}");
        }
        for odd in
            ["", "tnk1_", &text[1..], &text[..text.len() - 1], &format!("{text}A"), &format!("{text}=")]
        {
            assert!(PresentedKey::read(odd).is_err(), "{odd}");
        }
    }

    #[test]
    fn scopes_are_a_set_of_names() {
        assert_eq!(scopes_to_text(&scopes("b.write, a.read a.read").unwrap()), "a.read b.write");
        assert!(scopes("").unwrap().is_empty());
        assert!(matches!(scopes("*"), Err(ScopesError::NoScope(..))));
        let many: Vec<_> = (0..=SCOPES_MAX).map(|n| format!("s{n}")).collect();
        assert_eq!(scopes(&many.join(" ")), Err(ScopesError::TooMany));
    }

    proptest! {
        #[test]
        fn no_string_makes_the_readers_panic(text in "(tnk1_)?[A-Za-z0-9_-]{0,80}") {
            let _ = (PresentedKey::read(&text), scopes(&text));
        }
    }
}
