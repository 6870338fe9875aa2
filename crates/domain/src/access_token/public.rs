//! The public half of a key set, for services that accept our tokens and sign none.

use std::collections::HashMap;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;

use super::{AccessClaims, AccessTokenError, TEXT_LENGTH_MAX, check, header_of};
use crate::time::Timestamp;

/// The keys that a server has published: which of them are retired is the server's to leave out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PublicKeySet {
    by_header: HashMap<String, [u8; 32]>,
}

/// Text that is no key set with a key of ours in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a JWK set with an Ed25519 key for signatures")]
pub struct JwksError;

impl PublicKeySet {
    /// Reads a JWK set (RFC 7517 section 5). Keys of other kinds are passed over; there has to be one of ours.
    pub fn from_jwks(text: &[u8]) -> Result<Self, JwksError> {
        #[derive(Deserialize)]
        struct Jwks {
            keys: Vec<serde_json::Value>,
        }
        let jwks: Jwks = serde_json::from_slice(text).map_err(|_| JwksError)?;
        let by_header: HashMap<_, _> = jwks.keys.iter().filter_map(public_key).collect();
        if by_header.is_empty() { Err(JwksError) } else { Ok(Self { by_header }) }
    }

    /// Checks signature, type, issuer, audience and expiry, as [`super::KeySet::verify`] does.
    pub fn verify(
        &self,
        token: &str,
        issuer: &str,
        audience: &str,
        now: Timestamp,
    ) -> Result<AccessClaims, AccessTokenError> {
        check(token, issuer, audience, now, |header| self.by_header.get(header).map(<[u8; 32]>::as_slice))
    }

    /// Whether a token could be one of ours under a key that is not in here, so that it is worth asking for the keys.
    pub fn misses_key_of(&self, token: &str) -> bool {
        #[derive(Deserialize)]
        struct Header {
            kid: String,
        }
        let Some((header, _)) = token.split_once('.') else { return false };
        if token.len() > TEXT_LENGTH_MAX || self.by_header.contains_key(header) {
            return false;
        }
        let bytes = URL_SAFE_NO_PAD.decode(header).unwrap_or_default();
        serde_json::from_slice::<Header>(&bytes).is_ok_and(|read| header_of(&read.kid) == header)
    }
}

/// The header that a key's tokens have, and the key (RFC 8037 section 2).
fn public_key(jwk: &serde_json::Value) -> Option<(String, [u8; 32])> {
    let text = |name: &str| jwk.get(name).and_then(serde_json::Value::as_str);
    let of_ours = text("kty") == Some("OKP") && text("crv") == Some("Ed25519");
    let for_signatures = text("use").is_none_or(|what| what == "sig");
    let mut key = [0; 32];
    let read = URL_SAFE_NO_PAD.decode_slice(text("x")?, &mut key);
    (of_ours && for_signatures && read == Ok(32)).then_some((header_of(text("kid")?), key))
}

#[cfg(test)]
mod tests {
    use super::super::tests::claims;
    use super::super::{KeySet, SigningKey};
    use super::*;

    const NOW: Timestamp = Timestamp::from_ms(1_795_000_000_000);

    fn keys(kid: &str, seed: u8) -> KeySet {
        KeySet::new(vec![SigningKey::from_seed(kid.into(), &[seed; 32], NOW, None).unwrap()])
    }

    fn public(keys: &KeySet) -> PublicKeySet {
        PublicKeySet::from_jwks(keys.jwks(NOW).to_string().as_bytes()).unwrap()
    }

    fn token(keys: &KeySet) -> String {
        keys.sign(&claims(), NOW).unwrap()
    }

    #[test]
    fn what_was_published_verifies_what_was_signed_and_nothing_else() {
        let (ours, other) = (keys("k1", 1), keys("k1", 2));
        let verify = |text: &str| public(&ours).verify(text, "https://id.example", "api", NOW);
        assert!(verify(&token(&ours)).is_ok());
        assert_eq!(verify(&token(&other)), Err(AccessTokenError::Invalid));
        assert_eq!(
            public(&ours).verify(&token(&ours), "https://id.example", "b", NOW),
            Err(AccessTokenError::Invalid)
        );
    }

    #[test]
    fn only_a_header_that_we_could_have_written_is_worth_a_question() {
        let public = public(&keys("k1", 1));
        assert!(public.misses_key_of(&token(&keys("k2", 1))));
        assert!(!public.misses_key_of(&token(&keys("k1", 2))));
        for odd in [r#"{"alg":"none","kid":"k2","typ":"at+jwt"}"#, r#"{"kid":"k2"}"#, "", "{"] {
            assert!(!public.misses_key_of(&format!("{}.e30.AA", URL_SAFE_NO_PAD.encode(odd))), "{odd}");
        }
        assert!(!public.misses_key_of("garbage"));
    }

    #[test]
    fn what_holds_no_key_of_ours_is_no_key_set() {
        let one = |jwk: &str| PublicKeySet::from_jwks(format!(r#"{{"keys":[{jwk}]}}"#).as_bytes());
        let x = URL_SAFE_NO_PAD.encode([1; 32]);
        assert!(one(&format!(r#"{{"kty":"OKP","crv":"Ed25519","kid":"k","x":"{x}"}}"#)).is_ok());
        for odd in [
            String::new(),
            r#"{"kty":"RSA","kid":"k"}"#.into(),
            format!(r#"{{"kty":"OKP","crv":"Ed25519","use":"enc","kid":"k","x":"{x}"}}"#),
            format!(r#"{{"kty":"OKP","crv":"Ed25519","x":"{x}"}}"#),
            r#"{"kty":"OKP","crv":"Ed25519","kid":"k","x":"AA"}"#.into(),
        ] {
            assert_eq!(one(&odd), Err(JwksError), "{odd}");
        }
        assert_eq!(PublicKeySet::from_jwks(b"<html>"), Err(JwksError));
    }
}
