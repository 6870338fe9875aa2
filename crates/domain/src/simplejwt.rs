//! Refresh tokens of djangorestframework-simplejwt, for people who move from there: read once, and traded for a session.
//!
//! How a token is signed is what the configuration says and never what the token says: its header is only asked whether
//! it agrees. So a token without a signature, or one that was signed with a public key as if that were a shared secret,
//! has nothing to be believed by (RFC 8725 section 3.1). The payload is read after the signature has been checked. Why
//! there is no library in between: `docs/decisions/0020-the-exchange.md`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use aws_lc_rs::{hmac, signature};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde::{Deserialize, de};
use serde_json::Value;

use crate::exchange::NAME_MAX;
use crate::time::Timestamp;

/// The longest token that is looked at, in bytes. Those of simplejwt have about 250, and 650 with RSA.
pub const TEXT_LENGTH_MAX: usize = 4096;

/// How far the other system's clock may be from ours.
pub const LEEWAY: Duration = Duration::from_secs(30);

/// A token that is to live longer than this was not meant.
pub const LIFETIME_MAX: Duration = Duration::from_secs(10 * 366 * 86_400);

/// Fewer bytes of a shared secret than this can be guessed (RFC 7518 section 3.2).
const SECRET_MIN: usize = 32;

/// What a secret begins with that Django wrote into a new project, for everybody who has its source.
const PLACEHOLDER: &str = "django-insecure-";

/// The longest name of a user in the other system.
const USER_MAX: usize = 100;

/// How the other system signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    Hs256,
    Hs384,
    Hs512,
    Rs256,
    Rs384,
    Rs512,
}

impl Algorithm {
    const ALL: [Algorithm; 6] = [
        Algorithm::Hs256,
        Algorithm::Hs384,
        Algorithm::Hs512,
        Algorithm::Rs256,
        Algorithm::Rs384,
        Algorithm::Rs512,
    ];

    pub const fn as_str(self) -> &'static str {
        match self {
            Algorithm::Hs256 => "HS256",
            Algorithm::Hs384 => "HS384",
            Algorithm::Hs512 => "HS512",
            Algorithm::Rs256 => "RS256",
            Algorithm::Rs384 => "RS384",
            Algorithm::Rs512 => "RS512",
        }
    }
}

/// Text that is no algorithm of these.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it is none of HS256, HS384, HS512, RS256, RS384 and RS512")]
pub struct AlgorithmError;

impl FromStr for Algorithm {
    type Err = AlgorithmError;

    fn from_str(text: &str) -> Result<Self, AlgorithmError> {
        Self::ALL.into_iter().find(|algorithm| algorithm.as_str() == text).ok_or(AlgorithmError)
    }
}

impl<'de> Deserialize<'de> for Algorithm {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

/// A key that tokens cannot be checked with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    #[error("it is empty")]
    Empty,
    #[error("it is a key in PEM, but HS256 and its like take the secret itself; for a key pair say RS256")]
    PemForHmac,
    #[error(
        "RS256 and its like take the public key as PEM, which begins with -----BEGIN PUBLIC KEY----- and has 2048 to 8192 bits"
    )]
    NoPublicKey,
    #[error("it is the private key, which stays where tokens are signed; give the public one")]
    PrivateKey,
}

/// What tokens are checked with.
pub struct Key {
    algorithm: Algorithm,
    material: Material,
}

enum Material {
    Secret(Box<hmac::Key>),
    Public(signature::ParsedPublicKey),
}

impl Key {
    /// A shared secret as it is, or a public key as PEM: whichever the algorithm takes.
    pub fn new(algorithm: Algorithm, text: &str) -> Result<Self, KeyError> {
        let material = match algorithm {
            Algorithm::Hs256 => Material::Secret(secret(hmac::HMAC_SHA256, text)?),
            Algorithm::Hs384 => Material::Secret(secret(hmac::HMAC_SHA384, text)?),
            Algorithm::Hs512 => Material::Secret(secret(hmac::HMAC_SHA512, text)?),
            Algorithm::Rs256 => Material::Public(public(&signature::RSA_PKCS1_2048_8192_SHA256, text)?),
            Algorithm::Rs384 => Material::Public(public(&signature::RSA_PKCS1_2048_8192_SHA384, text)?),
            Algorithm::Rs512 => Material::Public(public(&signature::RSA_PKCS1_2048_8192_SHA512, text)?),
        };
        Ok(Self { algorithm, material })
    }

    fn signed(&self, message: &[u8], tag: &[u8]) -> bool {
        match &self.material {
            Material::Secret(key) => hmac::verify(key, message, tag).is_ok(),
            Material::Public(key) => key.verify_sig(message, tag).is_ok(),
        }
    }
}

/// Whether somebody could guess a shared secret, or has read it in a repository.
pub fn is_weak(algorithm: Algorithm, text: &str) -> bool {
    let is_shared = matches!(algorithm, Algorithm::Hs256 | Algorithm::Hs384 | Algorithm::Hs512);
    is_shared && (text.len() < SECRET_MIN || text.starts_with(PLACEHOLDER))
}

fn secret(algorithm: hmac::Algorithm, text: &str) -> Result<Box<hmac::Key>, KeyError> {
    match text {
        "" => Err(KeyError::Empty),
        pem if pem.contains("-----BEGIN ") => Err(KeyError::PemForHmac),
        secret => Ok(Box::new(hmac::Key::new(algorithm, secret.as_bytes()))),
    }
}

/// Both forms that RSA's public keys come in: `PUBLIC KEY` and `RSA PUBLIC KEY`.
fn public(
    parameters: &'static dyn signature::VerificationAlgorithm,
    text: &str,
) -> Result<signature::ParsedPublicKey, KeyError> {
    if text.contains("PRIVATE KEY-----") {
        return Err(KeyError::PrivateKey);
    }
    let lines = text.lines().map(str::trim).skip_while(|line| !line.starts_with("-----BEGIN ")).skip(1);
    let body: String = lines.take_while(|line| !line.starts_with("-----END ")).collect();
    let der = STANDARD.decode(body).map_err(|_| KeyError::NoPublicKey)?;
    signature::ParsedPublicKey::new(parameters, der).map_err(|_| KeyError::NoPublicKey)
}

/// What is demanded of a token besides its signature, as the other system is configured.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Expectations {
    /// The claim that names the user.
    pub user_id_claim: String,
    pub issuer: Option<String>,
    pub audience: Option<String>,
}

/// A refresh token that stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claims {
    /// What it is called.
    pub jti: String,
    /// The user's primary key there, as text.
    pub user: String,
    /// When it was handed out: they signed in no later.
    pub issued_at: Timestamp,
    pub expires_at: Timestamp,
}

/// Why a token is not traded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenError {
    /// No JWT, or one whose parts cannot be read.
    Malformed,
    /// It says that it is signed in another way than the other system signs.
    WrongAlgorithm,
    /// The other system did not sign it.
    NotAuthentic,
    /// An access token, or none of simplejwt's.
    NotForRefresh,
    /// It has no name, so nobody can tell whether it has been used.
    WithoutName,
    /// Its times are missing, not yet, or nothing that anybody would have meant.
    OddTimes,
    WrongIssuer,
    WrongAudience,
    WithoutUser,
    Expired,
}

impl TokenError {
    pub const fn as_str(self) -> &'static str {
        match self {
            TokenError::Malformed => "malformed",
            TokenError::WrongAlgorithm => "wrong_algorithm",
            TokenError::NotAuthentic => "not_authentic",
            TokenError::NotForRefresh => "not_a_refresh_token",
            TokenError::WithoutName => "without_jti",
            TokenError::OddTimes => "odd_times",
            TokenError::WrongIssuer => "wrong_issuer",
            TokenError::WrongAudience => "wrong_audience",
            TokenError::WithoutUser => "without_user",
            TokenError::Expired => "expired",
        }
    }
}

impl fmt::Display for TokenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Only whether it agrees. Extensions that must be understood are not (RFC 7515 section 4.1.11).
#[derive(Deserialize)]
struct Header {
    alg: String,
    crit: Option<Value>,
}

/// A claim of another type than it has counts as missing.
#[derive(Deserialize)]
struct Payload {
    token_type: Option<Value>,
    jti: Option<Value>,
    iat: Option<Value>,
    exp: Option<Value>,
    iss: Option<Value>,
    aud: Option<Value>,
    #[serde(flatten)]
    others: serde_json::Map<String, Value>,
}

/// Reads a token as simplejwt would at `now`, and somewhat more strictly.
pub fn read(text: &str, key: &Key, expected: &Expectations, now: Timestamp) -> Result<Claims, TokenError> {
    let payload = authentic(text, key)?;
    let payload: Payload = serde_json::from_slice(&payload).map_err(|_| TokenError::Malformed)?;
    if payload.token_type != Some("refresh".into()) {
        return Err(TokenError::NotForRefresh);
    }
    let of_text = |value: &Option<Value>| value.as_ref().and_then(Value::as_str).map(str::to_owned);
    let jti = of_text(&payload.jti).filter(|jti| (1..=NAME_MAX).contains(&jti.len()));
    let jti = jti.ok_or(TokenError::WithoutName)?;
    if expected.issuer.is_some() && of_text(&payload.iss) != expected.issuer {
        return Err(TokenError::WrongIssuer);
    }
    if !expected.audience.as_ref().is_none_or(|audience| names(payload.aud.as_ref(), audience)) {
        return Err(TokenError::WrongAudience);
    }
    let (issued_at, expires_at) = times(&payload, now)?;
    let user = payload.others.get(&expected.user_id_claim).and_then(user).ok_or(TokenError::WithoutUser)?;
    Ok(Claims { jti, user, issued_at, expires_at })
}

/// The payload of a token that the other system has signed.
fn authentic(text: &str, key: &Key) -> Result<Vec<u8>, TokenError> {
    if text.len() > TEXT_LENGTH_MAX {
        return Err(TokenError::Malformed);
    }
    let (message, tag) = text.rsplit_once('.').ok_or(TokenError::Malformed)?;
    let (header, payload) = message.split_once('.').ok_or(TokenError::Malformed)?;
    let decode = |part: &str| URL_SAFE_NO_PAD.decode(part).map_err(|_| TokenError::Malformed);
    let header: Header = serde_json::from_slice(&decode(header)?).map_err(|_| TokenError::Malformed)?;
    if header.alg != key.algorithm.as_str() || header.crit.is_some() {
        return Err(TokenError::WrongAlgorithm);
    }
    if !key.signed(message.as_bytes(), &decode(tag)?) {
        return Err(TokenError::NotAuthentic);
    }
    decode(payload)
}

/// How a token says that it is signed, for whoever is to be told why it is not believed. It decides nothing.
pub fn algorithm_said(text: &str) -> Option<String> {
    let (header, _) = text.split_once('.')?;
    let header = URL_SAFE_NO_PAD.decode(header).ok()?;
    serde_json::from_slice(&header).ok().map(|Header { alg, .. }| alg)
}

fn times(payload: &Payload, now: Timestamp) -> Result<(Timestamp, Timestamp), TokenError> {
    // Later than any year that a calendar knows: nobody's token, and too much for a sum.
    const LATEST_SECS: i64 = 253_402_300_799;
    let time = |value: &Option<Value>| {
        let seconds = value.as_ref()?.as_i64().filter(|seconds| (0..=LATEST_SECS).contains(seconds))?;
        Some(Timestamp::from_ms(seconds * 1000))
    };
    let (Some(issued_at), Some(expires_at)) = (time(&payload.iat), time(&payload.exp)) else {
        return Err(TokenError::OddTimes);
    };
    if now + LEEWAY < issued_at || expires_at <= issued_at || expires_at.since(issued_at) > LIFETIME_MAX {
        return Err(TokenError::OddTimes);
    }
    if now >= expires_at + LEEWAY {
        return Err(TokenError::Expired);
    }
    Ok((issued_at, expires_at))
}

/// Whether `aud` is this, or a list with it (RFC 7519 section 4.1.3).
fn names(aud: Option<&Value>, audience: &str) -> bool {
    match aud {
        Some(Value::String(one)) => one == audience,
        Some(Value::Array(several)) => several.iter().any(|one| one == audience),
        _ => false,
    }
}

/// A primary key: versions of simplejwt write numbers as they are or as text.
fn user(claim: &Value) -> Option<String> {
    let text = match claim {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.as_i64()?.to_string(),
        _ => return None,
    };
    (1..=USER_MAX).contains(&text.len()).then_some(text)
}

#[cfg(test)]
mod tests;
