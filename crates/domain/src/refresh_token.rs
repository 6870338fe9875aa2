//! The refresh token's wire form and its two tags (protocol.md section 3).
//!
//! `tnr1_` + base64url( key id 4 | session id 16 | generation 4 | expiry 8 | nonce 12 | outer tag 32 | inner
//! tag 32 ). 108 bytes are a whole number of base64 groups, so every token has exactly one spelling.
//!
//! The outer tag is under the server key alone: it proves without the database that we issued the token. The
//! inner tag also covers the session's own salt, which lies only in its row: a leak of the key alone, or of
//! the database alone, mints nothing. Nothing secret is stored per token.

use aws_lc_rs::{constant_time, hmac};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::id::SessionId;
use crate::rotation::Generation;
use crate::secret::RefreshKey;
use crate::time::Timestamp;

const PREFIX: &str = "tnr1_";
const BODY: usize = 4 + 16 + 4 + 8 + 12;
const TAG: usize = 32;
const LENGTH: usize = BODY + 2 * TAG;

/// How long the text of a token is.
pub const TEXT_LENGTH: usize = PREFIX.len() + LENGTH / 3 * 4;

/// The random part of a session's row that its tokens' inner tags cover.
pub type Salt = [u8; 16];

/// What a token says. The nonce makes each hand-out a different string and is the token's name in logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RefreshClaims {
    pub session_id: SessionId,
    pub generation: Generation,
    pub expires_at: Timestamp,
    pub nonce: [u8; 12],
}

/// Writes a token for the cookie. The caller draws `claims.nonce` anew for each.
pub fn mint(key: &RefreshKey, claims: &RefreshClaims, salt: &Salt) -> String {
    let mut bytes = Vec::with_capacity(LENGTH);
    bytes.extend_from_slice(&key.id);
    bytes.extend_from_slice(claims.session_id.as_bytes());
    bytes.extend_from_slice(&claims.generation.0.to_be_bytes());
    bytes.extend_from_slice(&claims.expires_at.as_ms().to_be_bytes());
    bytes.extend_from_slice(&claims.nonce);
    let outer = hmac::sign(&key.key, &bytes);
    bytes.extend_from_slice(outer.as_ref());
    let inner = inner_tag(key, &bytes, salt);
    bytes.extend_from_slice(inner.as_ref());
    let mut text = String::with_capacity(TEXT_LENGTH);
    text.push_str(PREFIX);
    URL_SAFE_NO_PAD.encode_string(&bytes, &mut text);
    text
}

/// The inner tag covers the body, the outer tag and the salt; the differing length keeps it apart from an
/// outer message.
fn inner_tag(key: &RefreshKey, body_and_outer: &[u8], salt: &Salt) -> hmac::Tag {
    let mut context = hmac::Context::with_key(&key.key);
    context.update(body_and_outer);
    context.update(salt);
    context.sign()
}

/// A token whose outer tag is ours: we issued it, or somebody who stole the server key did. Only
/// [`PresentedToken::is_authentic`] settles that.
#[derive(Clone, Copy)]
pub struct PresentedToken {
    pub claims: RefreshClaims,
    key_index: usize,
    bytes: [u8; LENGTH],
}

/// A string that is no token of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RefreshTokenError {
    /// Wrong shape or wrong outer tag: 401 `session_not_found`.
    #[error("not a refresh token of this server")]
    NotOurs,
    /// The shape is right but no key of ours has this id. That a key is missing proves nothing about the
    /// session (protocol.md section 3): 503 `session_unverifiable`.
    #[error("signed under a key that this server does not have")]
    UnknownKey { expires_at: Timestamp },
}

/// The keys a server accepts; the first one signs.
pub struct RefreshKeyRing(Vec<RefreshKey>);

impl RefreshKeyRing {
    pub fn new(current: RefreshKey, previous: Vec<RefreshKey>) -> Self {
        let mut keys = vec![current];
        keys.extend(previous);
        Self(keys)
    }

    /// The key that new tokens are minted under.
    pub fn current(&self) -> &RefreshKey {
        &self.0[0]
    }

    /// Reads a token and checks its outer tag, without the database.
    pub fn read(&self, text: &str) -> Result<PresentedToken, RefreshTokenError> {
        let encoded = text.strip_prefix(PREFIX).ok_or(RefreshTokenError::NotOurs)?;
        let mut bytes = [0; LENGTH];
        if encoded.len() != LENGTH / 3 * 4 || URL_SAFE_NO_PAD.decode_slice(encoded, &mut bytes) != Ok(LENGTH)
        {
            return Err(RefreshTokenError::NotOurs);
        }
        let (key_id, claims) = read_body(&bytes);
        let Some(key_index) = self.0.iter().position(|key| key.id == key_id) else {
            return Err(RefreshTokenError::UnknownKey { expires_at: claims.expires_at });
        };
        let outer = &bytes[BODY..BODY + TAG];
        hmac::verify(&self.0[key_index].key, &bytes[..BODY], outer)
            .map_err(|_| RefreshTokenError::NotOurs)?;
        Ok(PresentedToken { claims, key_index, bytes })
    }

    /// Whether the token's inner tag is good for a session with this salt: only then was it handed out for
    /// that very row. Checked in constant time.
    pub fn is_authentic(&self, token: &PresentedToken, salt: &Salt) -> bool {
        let (covered, inner) = token.bytes.split_at(BODY + TAG);
        let expected = inner_tag(&self.0[token.key_index], covered, salt);
        constant_time::verify_slices_are_equal(expected.as_ref(), inner).is_ok()
    }
}

fn read_body(bytes: &[u8; LENGTH]) -> ([u8; 4], RefreshClaims) {
    fn take<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
        std::array::from_fn(|i| bytes[at + i])
    }
    let claims = RefreshClaims {
        session_id: SessionId::from_bytes(take(bytes, 4)),
        generation: Generation(u32::from_be_bytes(take(bytes, 20))),
        expires_at: Timestamp::from_ms(i64::from_be_bytes(take(bytes, 24))),
        nonce: take(bytes, 32),
    };
    (take(bytes, 0), claims)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::MasterSecret;
    use proptest::prelude::*;

    fn ring(seed: u8) -> RefreshKeyRing {
        RefreshKeyRing::new(MasterSecret::from_bytes([seed; 32]).refresh_key(), vec![])
    }

    fn claims() -> RefreshClaims {
        RefreshClaims {
            session_id: SessionId::from_bytes(*b"0123456789abcdef"),
            generation: Generation(7),
            expires_at: Timestamp::from_ms(1_728_000_000),
            nonce: *b"twelve bytes",
        }
    }

    #[test]
    fn a_minted_token_is_read_back_and_is_authentic_for_its_own_salt_only() {
        let ring = ring(1);
        let text = mint(ring.current(), &claims(), &[9; 16]);
        assert_eq!(text.len(), TEXT_LENGTH);
        let token = ring.read(&text).ok().unwrap();
        assert_eq!(token.claims, claims());
        assert!(ring.is_authentic(&token, &[9; 16]));
        assert!(!ring.is_authentic(&token, &[8; 16]));
    }

    #[test]
    fn a_bit_flipped_at_any_position_is_refused() {
        let ring = ring(1);
        let text = mint(ring.current(), &claims(), &[9; 16]);
        for position in 0..text.len() {
            for bit in 0..8 {
                let mut bytes = text.clone().into_bytes();
                bytes[position] ^= 1 << bit;
                let Ok(flipped) = String::from_utf8(bytes) else { continue };
                let accepted = ring.read(&flipped).is_ok_and(|token| ring.is_authentic(&token, &[9; 16]));
                assert!(!accepted, "bit {bit} of character {position}");
            }
        }
    }

    #[test]
    fn a_token_cut_short_or_made_longer_is_refused() {
        let ring = ring(1);
        let text = mint(ring.current(), &claims(), &[9; 16]);
        for length in 0..text.len() {
            assert_eq!(ring.read(&text[..length]).err(), Some(RefreshTokenError::NotOurs));
        }
        for extra in ["A", "=", "AAAA", "\n", " "] {
            assert_eq!(ring.read(&format!("{text}{extra}")).err(), Some(RefreshTokenError::NotOurs));
        }
    }

    #[test]
    fn a_key_we_do_not_have_is_told_apart_from_garbage_and_a_previous_key_still_reads() {
        let text = mint(ring(1).current(), &claims(), &[9; 16]);
        let stranger = ring(2);
        assert!(matches!(stranger.read(&text), Err(RefreshTokenError::UnknownKey { .. })));
        let rotated = RefreshKeyRing::new(
            MasterSecret::from_bytes([2; 32]).refresh_key(),
            vec![MasterSecret::from_bytes([1; 32]).refresh_key()],
        );
        let token = rotated.read(&text).ok().unwrap();
        assert!(rotated.is_authentic(&token, &[9; 16]));
    }

    proptest! {
        #[test]
        fn no_string_makes_the_reader_panic_or_is_accepted(text in ".{0,200}") {
            prop_assert!(ring(1).read(&text).is_err());
        }

        #[test]
        fn no_bytes_of_the_right_shape_are_accepted(bytes in proptest::collection::vec(any::<u8>(), LENGTH)) {
            let text = format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes));
            prop_assert!(ring(1).read(&text).is_err());
        }
    }
}
