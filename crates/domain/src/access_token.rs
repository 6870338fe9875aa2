//! Access tokens: short JWTs in the profile of RFC 9068, signed with Ed25519 (RFC 8037), in memory only.
//!
//! We verify only tokens that we signed ourselves, so the header is not parsed at all: it must be, byte for
//! byte, the header of one of our keys. `alg` tricks, `kid` injection, `jku`, `crit` and duplicate members
//! (RFC 8725 section 3) have nothing left to act on. The payload is read after the signature has been checked.

mod public;

use std::collections::HashMap;

pub use public::{JwksError, PublicKeySet};

use aws_lc_rs::signature::{self, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use crate::id::{SessionId, UserId};
use crate::time::{EXPIRY_GRACE, Timestamp};
use crate::user::Role;

/// What an access token says. Times are seconds (RFC 7519 section 2).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessClaims {
    pub iss: String,
    pub aud: String,
    pub sub: UserId,
    pub sid: SessionId,
    /// The user's `token_version` when the token was signed; a bump kills the token.
    pub ver: u32,
    pub role: Role,
    pub iat: i64,
    pub exp: i64,
    pub jti: String,
}

/// The longest token we look at. Ours are about 500 characters.
pub const TEXT_LENGTH_MAX: usize = 2048;

/// When an access token signed at `now` expires: after `lifetime`, drawn down by up to a tenth by `jitter`
/// (any byte), but never after the session. In the grace minute after `expires_at` the session itself lives
/// only to the end of that minute, and so do its tokens.
pub fn expiry(
    now: Timestamp,
    lifetime: std::time::Duration,
    jitter: u16,
    session_expires_at: Timestamp,
) -> Timestamp {
    let drawn = lifetime - lifetime / 10 * u32::from(jitter) / u32::from(u16::MAX);
    let session_end =
        if now < session_expires_at { session_expires_at } else { session_expires_at + EXPIRY_GRACE };
    (now + drawn).min(session_end)
}

/// A token that does not let its bearer in, and what is still known of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AccessTokenError {
    /// No token of ours, or damaged.
    Invalid,
    /// A refresh token, or another kind of token, in an access token's place.
    WrongType,
    /// Authentic but past its time: still good enough to sign out with (protocol.md section 7).
    Expired(AccessClaims),
}

/// One signing key of the server.
pub struct SigningKey {
    kid: String,
    pair: Ed25519KeyPair,
    /// When it starts to sign. Before, it is only published, so that other services have fetched it in time.
    pub activates_at: Timestamp,
    /// When tokens under it stop being accepted; none while it is the current one.
    pub retires_at: Option<Timestamp>,
    header: String,
}

/// Bytes that are no Ed25519 seed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an Ed25519 seed of 32 bytes")]
pub struct SeedError;

impl SigningKey {
    pub fn from_seed(
        kid: String,
        seed: &[u8],
        activates_at: Timestamp,
        retires_at: Option<Timestamp>,
    ) -> Result<Self, SeedError> {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed).map_err(|_| SeedError)?;
        let header = header_of(&kid);
        Ok(Self { kid, pair, activates_at, retires_at, header })
    }

    pub fn kid(&self) -> &str {
        &self.kid
    }

    fn accepts_at(&self, now: Timestamp) -> bool {
        self.retires_at.is_none_or(|at| now < at)
    }

    /// The key as a JSON Web Key (RFC 8037 section 2).
    pub fn jwk(&self) -> serde_json::Value {
        serde_json::json!({
            "kty": "OKP", "crv": "Ed25519", "use": "sig", "alg": "EdDSA", "kid": self.kid,
            "x": URL_SAFE_NO_PAD.encode(self.pair.public_key()),
        })
    }
}

/// The signing keys that a server knows: the newest active one signs, all that are not retired verify.
#[derive(Default)]
pub struct KeySet {
    keys: Vec<SigningKey>,
    by_header: HashMap<String, usize>,
}

impl KeySet {
    pub fn new(mut keys: Vec<SigningKey>) -> Self {
        keys.sort_by(|a, b| (b.activates_at, &b.kid).cmp(&(a.activates_at, &a.kid)));
        let by_header = keys.iter().enumerate().map(|(i, key)| (key.header.clone(), i)).collect();
        Self { keys, by_header }
    }

    /// The key that signs at `now`; none is 503 `signing_unavailable`.
    pub fn signer(&self, now: Timestamp) -> Option<&SigningKey> {
        self.keys.iter().find(|key| key.activates_at <= now && key.accepts_at(now))
    }

    /// The JWS compact form (RFC 7515 section 7.1) of `claims`.
    pub fn sign(&self, claims: &AccessClaims, now: Timestamp) -> Option<String> {
        let key = self.signer(now)?;
        let payload = serde_json::to_vec(claims).ok()?;
        let mut token = String::with_capacity(key.header.len() + payload.len() * 4 / 3 + 96);
        token.push_str(&key.header);
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(&payload, &mut token);
        let signature = key.pair.try_sign(token.as_bytes()).ok()?;
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(signature.as_ref(), &mut token);
        Some(token)
    }

    /// Checks signature, type, issuer, audience and expiry. Whether the session still stands is another
    /// question, for the store.
    pub fn verify(
        &self,
        token: &str,
        issuer: &str,
        audience: &str,
        now: Timestamp,
    ) -> Result<AccessClaims, AccessTokenError> {
        let public_key = |header: &str| {
            let key = self.by_header.get(header).map(|i| &self.keys[*i]).filter(|key| key.accepts_at(now))?;
            Some(key.pair.public_key().as_ref())
        };
        check(token, issuer, audience, now, public_key)
    }

    /// The public keys as a JWK set (RFC 7517 section 5): also those that do not sign yet.
    pub fn jwks(&self, now: Timestamp) -> serde_json::Value {
        let keys: Vec<_> = self.keys.iter().filter(|key| key.accepts_at(now)).map(SigningKey::jwk).collect();
        serde_json::json!({ "keys": keys })
    }
}

/// The one header that our tokens under a key have.
fn header_of(kid: &str) -> String {
    let header = serde_json::json!({ "alg": "EdDSA", "kid": kid, "typ": "at+jwt" });
    URL_SAFE_NO_PAD.encode(header.to_string())
}

/// The check itself, with the public key that a header stands for.
fn check<'k>(
    token: &str,
    issuer: &str,
    audience: &str,
    now: Timestamp,
    public_key: impl FnOnce(&str) -> Option<&'k [u8]>,
) -> Result<AccessClaims, AccessTokenError> {
    if token.starts_with("tnr1_") {
        return Err(AccessTokenError::WrongType);
    }
    let invalid = || AccessTokenError::Invalid;
    if token.len() > TEXT_LENGTH_MAX {
        return Err(invalid());
    }
    let (signed, signature) = token.rsplit_once('.').ok_or_else(invalid)?;
    let (header, payload) = signed.split_once('.').ok_or_else(invalid)?;
    let key = public_key(header).ok_or_else(invalid)?;
    let mut signature_bytes = [0; 64];
    if URL_SAFE_NO_PAD.decode_slice(signature, &mut signature_bytes) != Ok(64) {
        return Err(invalid());
    }
    UnparsedPublicKey::new(&signature::ED25519, key)
        .verify(signed.as_bytes(), &signature_bytes)
        .map_err(|_| invalid())?;
    let payload = URL_SAFE_NO_PAD.decode(payload).map_err(|_| invalid())?;
    let claims: AccessClaims = serde_json::from_slice(&payload).map_err(|_| invalid())?;
    if claims.iss != issuer || claims.aud != audience {
        return Err(invalid());
    }
    if now.as_secs() >= claims.exp {
        return Err(AccessTokenError::Expired(claims));
    }
    Ok(claims)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::time::Duration;

    const NOW: Timestamp = Timestamp::from_ms(1_795_000_000_000);

    fn key(kid: &str, seed: u8, activates_ms: i64) -> SigningKey {
        SigningKey::from_seed(kid.into(), &[seed; 32], NOW + Duration::ZERO, None)
            .map(|key| SigningKey { activates_at: Timestamp::from_ms(activates_ms), ..key })
            .unwrap()
    }

    fn keys() -> KeySet {
        KeySet::new(vec![key("k1", 1, 0), key("k2", 2, 1_000)])
    }

    pub(super) fn claims() -> AccessClaims {
        AccessClaims {
            iss: "https://id.example".into(),
            aud: "api".into(),
            sub: UserId::from_bytes([1; 16]),
            sid: SessionId::from_bytes([2; 16]),
            ver: 3,
            role: Role::User,
            iat: NOW.as_secs(),
            exp: NOW.as_secs() + 900,
            jti: "j".into(),
        }
    }

    fn verify(keys: &KeySet, token: &str, now: Timestamp) -> Result<AccessClaims, AccessTokenError> {
        keys.verify(token, "https://id.example", "api", now)
    }

    #[test]
    fn a_token_is_good_until_its_expiry_and_then_authentic_but_expired() {
        let keys = keys();
        let token = keys.sign(&claims(), NOW).unwrap();
        assert_eq!(verify(&keys, &token, NOW), Ok(claims()));
        assert_eq!(verify(&keys, &token, NOW + Duration::from_millis(899_999)), Ok(claims()));
        let expired = verify(&keys, &token, NOW + Duration::from_secs(900));
        assert_eq!(expired, Err(AccessTokenError::Expired(claims())));
    }

    #[test]
    fn the_newest_active_key_signs_and_a_retired_one_is_refused() {
        let mut old = key("k1", 1, 0);
        let set = KeySet::new(vec![key("k1", 1, 0), key("future", 3, NOW.as_ms() + 1), key("k2", 2, 5)]);
        assert_eq!(set.signer(NOW).map(SigningKey::kid), Some("k2"));
        let token = KeySet::new(vec![key("k1", 1, 0)]).sign(&claims(), NOW).unwrap();
        assert!(verify(&set, &token, NOW).is_ok());
        old.retires_at = Some(NOW);
        assert_eq!(verify(&KeySet::new(vec![old]), &token, NOW), Err(AccessTokenError::Invalid));
        assert!(KeySet::default().sign(&claims(), NOW).is_none());
    }

    #[test]
    fn another_issuer_or_audience_is_refused() {
        let keys = keys();
        let token = keys.sign(&claims(), NOW).unwrap();
        assert_eq!(keys.verify(&token, "https://other", "api", NOW), Err(AccessTokenError::Invalid));
        assert_eq!(keys.verify(&token, "https://id.example", "b", NOW), Err(AccessTokenError::Invalid));
    }

    #[test]
    fn a_bit_flipped_or_a_cut_at_any_position_is_refused() {
        let keys = keys();
        let token = keys.sign(&claims(), NOW).unwrap();
        for position in 0..token.len() {
            assert!(verify(&keys, &token[..position], NOW).is_err());
            for bit in 0..7 {
                let mut bytes = token.clone().into_bytes();
                bytes[position] ^= 1 << bit;
                let flipped = String::from_utf8(bytes).unwrap();
                assert_eq!(verify(&keys, &flipped, NOW), Err(AccessTokenError::Invalid), "{position}.{bit}");
            }
        }
    }

    #[test]
    fn foreign_headers_are_refused_whatever_they_claim() {
        let keys = keys();
        let token = keys.sign(&claims(), NOW).unwrap();
        let rest = token.split_once('.').unwrap().1;
        for header in [
            r#"{"alg":"none","kid":"k2","typ":"at+jwt"}"#,
            r#"{"alg":"None","typ":"at+jwt"}"#,
            r#"{"alg":"HS256","kid":"k2","typ":"at+jwt"}"#,
            r#"{"alg":"ES256","kid":"k2","typ":"at+jwt"}"#,
            r#"{"alg":"EdDSA","kid":"../../etc/passwd","typ":"at+jwt"}"#,
            r#"{"alg":"EdDSA","kid":"k2' OR 1=1","typ":"at+jwt"}"#,
            r#"{"alg":"EdDSA","kid":"k2\u0000","typ":"at+jwt"}"#,
            r#"{"alg":"EdDSA","alg":"none","kid":"k2","typ":"at+jwt"}"#,
            r#"{"alg":"EdDSA","kid":"k2","typ":"at+jwt","jku":"https://evil"}"#,
            r#"{"alg":"EdDSA","kid":"k2","typ":"at+jwt","crit":["x"]}"#,
            r#"{"alg":"EdDSA","kid":"k2","typ":"JWT"}"#,
            "",
        ] {
            let forged = format!("{}.{rest}", URL_SAFE_NO_PAD.encode(header));
            assert_eq!(verify(&keys, &forged, NOW), Err(AccessTokenError::Invalid), "{header}");
        }
        assert_eq!(verify(&keys, "tnr1_AAAA", NOW), Err(AccessTokenError::WrongType));
        assert_eq!(verify(&keys, &"a.".repeat(1 << 20), NOW), Err(AccessTokenError::Invalid));
        assert_eq!(verify(&keys, "..", NOW), Err(AccessTokenError::Invalid));
    }

    #[test]
    fn payloads_of_the_wrong_shape_are_refused_even_when_signed() {
        let signer = key("k1", 1, 0);
        let good = serde_json::to_value(claims()).unwrap();
        let odd_values = [
            serde_json::json!(null),
            "1".into(),
            1.5.into(),
            (-1).into(),
            u64::MAX.into(),
            serde_json::json!([]),
        ];
        for odd in odd_values {
            let mut payload = good.clone();
            payload["exp"] = odd;
            let signed = format!("{}.{}", signer.header, URL_SAFE_NO_PAD.encode(payload.to_string()));
            let tag = URL_SAFE_NO_PAD.encode(signer.pair.sign(signed.as_bytes()));
            let result = verify(&keys(), &format!("{signed}.{tag}"), NOW);
            assert!(matches!(result, Err(AccessTokenError::Invalid | AccessTokenError::Expired(_))));
        }
    }

    #[test]
    fn an_access_token_never_outlives_its_session() {
        let lifetime = Duration::from_secs(900);
        let far = NOW + Duration::from_secs(1_000_000);
        assert_eq!(expiry(NOW, lifetime, 0, far), NOW + lifetime);
        assert_eq!(expiry(NOW, lifetime, u16::MAX, far), NOW + Duration::from_secs(810));
        let near = NOW + Duration::from_secs(5);
        assert_eq!(expiry(NOW, lifetime, 0, near), near);
        assert_eq!(expiry(near, lifetime, 0, near), near + EXPIRY_GRACE);
    }

    proptest! {
        #[test]
        fn no_string_makes_the_verifier_panic_or_is_accepted(text in "[A-Za-z0-9_.-]{0,300}") {
            prop_assert!(verify(&keys(), &text, NOW).is_err());
        }
    }
}
