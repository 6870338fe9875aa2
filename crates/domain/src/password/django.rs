//! Hashes that Django wrote. They are verified once, at the first sign-in, and then replaced by one of ours.
//!
//! `django.contrib.auth.hashers` writes `ALGORITHM$...` with no dollar before it, which is how they are told from ours.
//! What a hash may cost is bounded: whoever wrote it decides how long a hashing thread is busy with it.

use std::num::NonZeroU32;

use argon2::{Algorithm, Argon2, Params, Version};
use aws_lc_rs::{constant_time, digest, pbkdf2};
use base64::Engine as _;
use base64::alphabet::BCRYPT;
use base64::engine::general_purpose::{GeneralPurpose, NO_PAD, STANDARD, STANDARD_NO_PAD};
use zeroize::Zeroizing;

use super::{HashError, Password, PasswordHash};

/// Time that verifying a hash may take on one core, as [`Hash::nanoseconds`] reckons it.
const NANOSECONDS_MAX: u64 = 2_000_000_000;

/// Memory that verifying a hash may take.
const MEMORY_KIB_MAX: u64 = 256 * 1024;

/// Bytes of a salt. Django's have 22, or what somebody has chosen.
const SALT_MAX: usize = 256;

/// What bcrypt reads of a password, with the nul after it.
const BCRYPT_BYTES: usize = 72;

/// Bytes of a tag of bcrypt's.
const BCRYPT_TAG: usize = 23;

/// The last character of a salt or a tag carries bits that mean nothing, and not every writer leaves them zero.
const BCRYPT_BASE64: GeneralPurpose =
    GeneralPurpose::new(&BCRYPT, NO_PAD.with_decode_allow_trailing_bits(true));

/// Why a hash is not taken over.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DjangoHashError {
    #[error("the password's algorithm `{0}` is not one we verify")]
    Unknown(String),
    #[error("the password's hash is damaged")]
    Malformed,
    #[error("the password's hash costs more to verify than we allow")]
    TooCostly,
}

impl PasswordHash {
    /// Takes over what Django's `password` column holds. None if it lets nobody in: `!...`, or nothing.
    pub fn from_django(text: &str) -> Result<Option<Self>, DjangoHashError> {
        if text.is_empty() || text.starts_with('!') {
            return Ok(None);
        }
        Hash::parse(text).map(|_| Some(Self(text.to_owned())))
    }
}

/// Whether the password is the one that was hashed. Django hashes what was typed, in whatever form of Unicode.
pub(super) fn verify(text: &str, password: &Password) -> Result<bool, HashError> {
    Hash::parse(text).map_err(|_| HashError)?.verify(password.typed())
}

/// What stands in a stored hash, and costs no more than is allowed.
struct Hash<'h> {
    how: How<'h>,
    tag: Vec<u8>,
}

enum How<'h> {
    Pbkdf2 { algorithm: pbkdf2::Algorithm, iterations: NonZeroU32, salt: &'h str },
    Argon2 { algorithm: Algorithm, version: Version, params: Params, salt: Vec<u8> },
    Bcrypt { is_of_sha256: bool, cost: u32, salt: [u8; 16] },
    Scrypt { params: scrypt::Params, salt: &'h str },
}

impl<'h> Hash<'h> {
    fn parse(text: &'h str) -> Result<Self, DjangoHashError> {
        let (name, rest) = text.split_once('$').unwrap_or((text, ""));
        let hash = match name {
            "pbkdf2_sha256" => pbkdf2(pbkdf2::PBKDF2_HMAC_SHA256, digest::SHA256_OUTPUT_LEN, rest),
            "pbkdf2_sha1" => pbkdf2(pbkdf2::PBKDF2_HMAC_SHA1, digest::SHA1_OUTPUT_LEN, rest),
            "argon2" => argon2(rest),
            "bcrypt_sha256" => bcrypt(true, rest),
            "bcrypt" => bcrypt(false, rest),
            "scrypt" => scrypt(rest),
            _ => return Err(DjangoHashError::Unknown(name.chars().take(40).collect())),
        };
        let hash = hash.ok_or(DjangoHashError::Malformed)?;
        match hash.nanoseconds() <= NANOSECONDS_MAX && hash.memory_kib() <= MEMORY_KIB_MAX {
            true => Ok(hash),
            false => Err(DjangoHashError::TooCostly),
        }
    }

    /// What it takes to verify, on a core of a few years ago: measured and rounded up. Django's own costs of today come
    /// to a fifth to a half of what is allowed.
    fn nanoseconds(&self) -> u64 {
        match &self.how {
            How::Pbkdf2 { iterations, .. } => 600 * u64::from(iterations.get()),
            How::Argon2 { params, .. } => 1_500 * u64::from(params.m_cost()) * u64::from(params.t_cost()),
            How::Bcrypt { cost, .. } => 100_000 << cost,
            How::Scrypt { params, .. } => {
                (params.n().saturating_mul(params.r().into()).saturating_mul(params.p().into()))
                    .saturating_mul(800)
            }
        }
    }

    fn memory_kib(&self) -> u64 {
        match &self.how {
            How::Pbkdf2 { .. } | How::Bcrypt { .. } => 4,
            How::Argon2 { params, .. } => params.m_cost().into(),
            How::Scrypt { params, .. } => params.n().saturating_mul(params.r().into()) / 8,
        }
    }

    fn verify(&self, typed: &str) -> Result<bool, HashError> {
        let password = typed.as_bytes();
        let mut tag = vec![0; self.tag.len()];
        match &self.how {
            How::Pbkdf2 { algorithm, iterations, salt } => {
                pbkdf2::derive(*algorithm, *iterations, salt.as_bytes(), password, &mut tag);
            }
            How::Argon2 { algorithm, version, params, salt } => {
                // With memory of its own, which it gives back: ours are a fifth of Django's, and lent for good.
                Argon2::new(*algorithm, *version, params.clone())
                    .hash_password_into(password, salt, &mut tag)
                    .map_err(|_| HashError)?;
            }
            How::Bcrypt { is_of_sha256, cost, salt } => {
                let key = bcrypt_key(password, *is_of_sha256);
                let whole = bcrypt::bcrypt(*cost, *salt, &key);
                // The last of its bytes is not written down.
                tag.copy_from_slice(&whole[..BCRYPT_TAG]);
            }
            How::Scrypt { params, salt } => {
                scrypt::scrypt(password, salt.as_bytes(), params, &mut tag).map_err(|_| HashError)?;
            }
        }
        Ok(constant_time::verify_slices_are_equal(&tag, &self.tag).is_ok())
    }
}

/// `ITERATIONS$SALT$TAG`
fn pbkdf2(algorithm: pbkdf2::Algorithm, length: usize, rest: &str) -> Option<Hash<'_>> {
    let [iterations, salt, tag] = fields(rest)?;
    let iterations = number::<NonZeroU32>(iterations)?;
    Some(Hash {
        how: How::Pbkdf2 { algorithm, iterations, salt: whole(salt)? },
        tag: decoded(tag, length..=length)?,
    })
}

/// `argon2id$v=19$m=102400,t=2,p=8$SALT$TAG`, as argon2's own command writes it.
fn argon2(rest: &str) -> Option<Hash<'_>> {
    let [algorithm, version, costs, salt, tag] = fields(rest)?;
    let version: u32 = number(version.strip_prefix("v=")?)?;
    let [memory, passes, lanes] = split(costs, ',')?;
    let memory = number(memory.strip_prefix("m=")?)?;
    let passes = number(passes.strip_prefix("t=")?)?;
    let lanes = number(lanes.strip_prefix("p=")?)?;
    let tag = decoded(tag, 16..=64)?;
    let salt = decoded(salt, 8..=SALT_MAX)?;
    let params = Params::new(memory, passes, lanes, Some(tag.len())).ok()?;
    let algorithm = algorithm.parse().ok()?;
    let version = Version::try_from(version).ok()?;
    Some(Hash { how: How::Argon2 { algorithm, version, params, salt }, tag })
}

/// `$2b$12$` and 53 characters: of salt 22, of tag 31.
fn bcrypt(is_of_sha256: bool, rest: &str) -> Option<Hash<'_>> {
    let [nothing, kind, cost, data] = fields(rest)?;
    let is_known = nothing.is_empty() && matches!(kind, "2a" | "2b" | "2y") && cost.len() == 2;
    let cost = number(cost).filter(|cost| is_known && (4..=31).contains(cost))?;
    let (salt, tag) = data.split_at_checked(22)?;
    let salt = BCRYPT_BASE64.decode(salt).ok()?.try_into().ok()?;
    let tag = BCRYPT_BASE64.decode(tag).ok().filter(|tag| tag.len() == BCRYPT_TAG)?;
    Some(Hash { how: How::Bcrypt { is_of_sha256, cost, salt }, tag })
}

/// `N$SALT$R$P$TAG`
fn scrypt(rest: &str) -> Option<Hash<'_>> {
    let [n, salt, r, p, tag] = fields(rest)?;
    let n = number::<u64>(n).filter(|n| *n > 1 && n.is_power_of_two())?;
    let log_n = u8::try_from(n.ilog2()).ok()?;
    // Above, a product of them overflows.
    let small = |text| number::<u32>(text).filter(|number| *number <= 1 << 14);
    let params = scrypt::Params::new(log_n, small(r)?, small(p)?).ok()?;
    Some(Hash { how: How::Scrypt { params, salt: whole(salt)? }, tag: decoded(tag, 16..=64)? })
}

/// Bcrypt reads up to 72 bytes; so that it reads all of a password, Django gives it a digest in hexadecimal.
fn bcrypt_key(password: &[u8], is_of_sha256: bool) -> Zeroizing<Vec<u8>> {
    let mut key = match is_of_sha256 {
        false => password.to_vec(),
        true => {
            let digest = digest::digest(&digest::SHA256, password);
            digest.as_ref().iter().flat_map(|byte| format!("{byte:02x}").into_bytes()).collect()
        }
    };
    key.push(0);
    key.truncate(BCRYPT_BYTES);
    Zeroizing::new(key)
}

fn fields<const N: usize>(text: &str) -> Option<[&str; N]> {
    split(text, '$')
}

fn split<const N: usize>(text: &str, at: char) -> Option<[&str; N]> {
    // One more than wanted, so that too many are noticed and not all of a long text is kept.
    text.split(at).take(N + 1).collect::<Vec<_>>().try_into().ok()
}

/// Digits and nothing else.
fn number<T: std::str::FromStr>(text: &str) -> Option<T> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

fn whole(salt: &str) -> Option<&str> {
    (1..=SALT_MAX).contains(&salt.len()).then_some(salt)
}

/// With or without padding, as Django and argon2 have it.
fn decoded(text: &str, lengths: std::ops::RangeInclusive<usize>) -> Option<Vec<u8>> {
    let engine = if text.ends_with('=') { STANDARD } else { STANDARD_NO_PAD };
    let bytes = engine.decode((text.len() <= 2 * SALT_MAX).then_some(text)?).ok()?;
    lengths.contains(&bytes.len()).then_some(bytes)
}

#[cfg(test)]
mod tests;
