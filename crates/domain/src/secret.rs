//! Secrets, and the keys derived from the one secret an operator has to keep.
//!
//! Secret types have no `Debug`, no `Display`, no `Clone` and no serialisation: the leak does not compile.
//! They are wiped when dropped.

use aws_lc_rs::{aead, hkdf, hmac};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// A secret string: a password on its way to the hash, a connection string.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct SecretText(String);

impl SecretText {
    pub fn from_plain(plain: String) -> Self {
        Self(plain)
    }

    /// The one way out; grep for it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl<'de> serde::Deserialize<'de> for SecretText {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self)
    }
}

/// The master secret: 32 bytes from which every key of the server is derived.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct MasterSecret([u8; 32]);

/// A master secret that cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MasterSecretError {
    #[error("the master secret is not base64url (A-Z a-z 0-9 - _, no padding)")]
    NotBase64,
    #[error(
        "the master secret must be 32 bytes (43 characters of base64url); generate one with `tenure config secret`"
    )]
    WrongLength,
    #[error("the master secret repeats one byte; generate one with `tenure config secret`")]
    Trivial,
}

impl MasterSecret {
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Reads the form that [`MasterSecret::to_text`] writes.
    pub fn from_text(text: &str) -> Result<Self, MasterSecretError> {
        let mut bytes = URL_SAFE_NO_PAD
            .decode(text.trim().trim_end_matches('='))
            .map_err(|_| MasterSecretError::NotBase64)?;
        let fixed: Result<[u8; 32], _> = bytes.as_slice().try_into();
        bytes.zeroize();
        let fixed = fixed.map_err(|_| MasterSecretError::WrongLength)?;
        if fixed.iter().all(|byte| *byte == fixed[0]) {
            return Err(MasterSecretError::Trivial);
        }
        Ok(Self(fixed))
    }

    /// 43 characters of base64url, for the secret's own file and nowhere else.
    pub fn to_text(&self) -> SecretText {
        SecretText(URL_SAFE_NO_PAD.encode(self.0))
    }

    /// HKDF-SHA-256 (RFC 5869) with a label per purpose, so that no key serves two.
    fn derive<const N: usize>(&self, label: &str) -> [u8; N] {
        struct Length(usize);
        impl hkdf::KeyType for Length {
            fn len(&self) -> usize {
                self.0
            }
        }
        let mut out = [0; N];
        let labels = [label.as_bytes()];
        // Both fail only for an output of more than 255 hash lengths, which `N` never is.
        if let Ok(okm) =
            hkdf::Salt::new(hkdf::HKDF_SHA256, b"tenure").extract(&self.0).expand(&labels, Length(N))
        {
            let filled = okm.fill(&mut out);
            debug_assert!(filled.is_ok());
        }
        out
    }

    /// The key whose tags make refresh tokens ours, and its short public name.
    pub fn refresh_key(&self) -> RefreshKey {
        let mut key: [u8; 32] = self.derive("refresh token v1");
        let refresh_key = RefreshKey {
            id: self.derive("refresh token key id v1"),
            key: hmac::Key::new(hmac::HMAC_SHA256, &key),
        };
        key.zeroize();
        refresh_key
    }

    /// The key that seals signing keys in the store.
    pub fn sealing_key(&self) -> SealingKey {
        let mut key: [u8; 32] = self.derive("signing key seal v1");
        let sealing =
            SealingKey(aead::UnboundKey::new(&aead::AES_256_GCM, &key).ok().map(aead::LessSafeKey::new));
        key.zeroize();
        sealing
    }

    /// The key under which events are chained.
    pub fn audit_key(&self) -> AuditKey {
        let mut key: [u8; 32] = self.derive("event chain v1");
        let audit = AuditKey(hmac::Key::new(hmac::HMAC_SHA256, &key));
        key.zeroize();
        audit
    }

    /// The key whose tags make links to a new password ours.
    pub fn reset_key(&self) -> ResetKey {
        let mut key: [u8; 32] = self.derive("password reset v1");
        let reset_key = ResetKey(hmac::Key::new(hmac::HMAC_SHA256, &key));
        key.zeroize();
        reset_key
    }

    /// The key whose tags make tickets for an exchange ours.
    pub fn ticket_key(&self) -> TicketKey {
        let mut key: [u8; 32] = self.derive("exchange ticket v1");
        let ticket_key = TicketKey(hmac::Key::new(hmac::HMAC_SHA256, &key));
        key.zeroize();
        ticket_key
    }

    /// A key for making pseudonyms of addresses and e-mails in rate-limit buckets and logs.
    pub fn pseudonym_key(&self) -> PseudonymKey {
        let mut key: [u8; 32] = self.derive("pseudonym v1");
        let pseudonym = PseudonymKey(hmac::Key::new(hmac::HMAC_SHA256, &key));
        key.zeroize();
        pseudonym
    }
}

/// The server key of refresh tokens (protocol.md section 3).
pub struct RefreshKey {
    pub(crate) id: [u8; 4],
    pub(crate) key: hmac::Key,
}

/// Chains events, so that edits show (see [`crate::event`]).
pub struct AuditKey(pub(crate) hmac::Key);

/// The server key of links to a new password.
pub struct ResetKey(pub(crate) hmac::Key);

/// The server key of tickets for an exchange.
pub struct TicketKey(pub(crate) hmac::Key);

/// Seals signing keys at rest with AES-256-GCM.
pub struct SealingKey(Option<aead::LessSafeKey>);

/// A sealed value that this master secret does not open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the value cannot be opened: it was sealed under another master secret, or damaged")]
pub struct UnsealError;

impl SealingKey {
    /// Seals `plain` to `context` (say, a key id): nonce, ciphertext, tag. `nonce` must never repeat.
    pub fn seal(&self, plain: &[u8], context: &str, nonce: [u8; 12]) -> Result<Vec<u8>, UnsealError> {
        let key = self.0.as_ref().ok_or(UnsealError)?;
        let mut sealed = plain.to_vec();
        key.seal_in_place_append_tag(
            aead::Nonce::assume_unique_for_key(nonce),
            aead::Aad::from(context.as_bytes()),
            &mut sealed,
        )
        .map_err(|_| UnsealError)?;
        Ok([nonce.as_slice(), &sealed].concat())
    }

    pub fn open(&self, sealed: &[u8], context: &str) -> Result<zeroize::Zeroizing<Vec<u8>>, UnsealError> {
        let key = self.0.as_ref().ok_or(UnsealError)?;
        let (nonce, body) = sealed.split_first_chunk::<12>().ok_or(UnsealError)?;
        let mut body = zeroize::Zeroizing::new(body.to_vec());
        let length = key
            .open_in_place(
                aead::Nonce::assume_unique_for_key(*nonce),
                aead::Aad::from(context.as_bytes()),
                &mut body,
            )
            .map_err(|_| UnsealError)?
            .len();
        body.truncate(length);
        Ok(body)
    }
}

/// Makes short pseudonyms that only this server can recompute.
pub struct PseudonymKey(hmac::Key);

impl PseudonymKey {
    pub fn of(&self, text: &str) -> u64 {
        let tag = hmac::sign(&self.0, text.as_bytes());
        tag.as_ref().first_chunk::<8>().map_or(0, |bytes| u64::from_be_bytes(*bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sealed_value_opens_only_under_its_own_secret_and_context() {
        let ours = MasterSecret::from_bytes([7; 32]).sealing_key();
        let sealed = ours.seal(b"seed", "kid-1", [1; 12]).unwrap();
        assert_eq!(ours.open(&sealed, "kid-1").unwrap().as_slice(), b"seed");
        assert!(ours.open(&sealed, "kid-2").is_err());
        assert!(MasterSecret::from_bytes([8; 32]).sealing_key().open(&sealed, "kid-1").is_err());
        assert!(ours.open(&sealed[..11], "kid-1").is_err());
    }

    #[test]
    fn a_master_secret_survives_its_text_form_and_weak_ones_are_refused() {
        let bytes: [u8; 32] = std::array::from_fn(|i| i as u8);
        let text = MasterSecret::from_bytes(bytes).to_text();
        let again = MasterSecret::from_text(text.expose()).ok().unwrap();
        assert_eq!(again.refresh_key().id, MasterSecret::from_bytes(bytes).refresh_key().id);
        assert_eq!(MasterSecret::from_text("c2hvcnQ").err(), Some(MasterSecretError::WrongLength));
        assert_eq!(MasterSecret::from_text("!").err(), Some(MasterSecretError::NotBase64));
        let trivial = MasterSecret::from_bytes([0; 32]).to_text();
        assert_eq!(MasterSecret::from_text(trivial.expose()).err(), Some(MasterSecretError::Trivial));
    }
}
