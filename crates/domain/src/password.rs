//! Passwords: what is accepted, and Argon2id (RFC 9106).

mod django;

use std::collections::HashSet;
use std::sync::LazyLock;

use argon2::{Algorithm, Argon2, Block, Params, Version};
use aws_lc_rs::constant_time;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use unicode_normalization::UnicodeNormalization as _;
use zeroize::Zeroizing;

use crate::secret::SecretText;

pub use django::DjangoHashError;

/// Fewest and most characters of a new password (protocol: no composition rules).
pub const LENGTH_MIN: usize = 8;
pub const LENGTH_MAX: usize = 256;

/// Bytes of any password that reaches the hash; 256 characters of four bytes, and no more.
const BYTES_MAX: usize = 4 * LENGTH_MAX;

/// Why a new password is refused. The name is the `code` of the field error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PasswordError {
    #[error("use at least {LENGTH_MIN} characters")]
    TooShort,
    #[error("use at most {LENGTH_MAX} characters")]
    TooLong,
    #[error("this password is on lists of commonly used ones; choose another")]
    TooCommon,
    #[error("the password must not be the e-mail address")]
    IsEmail,
}

impl PasswordError {
    pub const fn as_str(self) -> &'static str {
        match self {
            PasswordError::TooShort => "too_short",
            PasswordError::TooLong => "too_long",
            PasswordError::TooCommon => "too_common",
            PasswordError::IsEmail => "is_email",
        }
    }
}

/// A password as it is hashed: NFKC, so that the same keys on two keyboards are one password (NIST SP
/// 800-63B section 5.1.1.2). Not trimmed, not cut.
pub struct Password {
    normal: SecretText,
    /// As it was typed, where that is something else.
    typed: Option<SecretText>,
}

impl Password {
    /// Takes a password that somebody claims to be theirs. None if it is longer than any that we accept.
    pub fn claimed(text: &SecretText) -> Option<Self> {
        if text.expose().len() > BYTES_MAX {
            return None;
        }
        let normal: String = text.expose().nfkc().collect();
        let typed = (normal != text.expose()).then(|| SecretText::from_plain(text.expose().to_owned()));
        (normal.len() <= 4 * BYTES_MAX).then(|| Self { normal: SecretText::from_plain(normal), typed })
    }

    /// Takes a new password, which must be long enough, not too common, and not the address itself.
    pub fn chosen(text: &SecretText, email_key: &str) -> Result<Self, PasswordError> {
        let password = Self::claimed(text).ok_or(PasswordError::TooLong)?;
        let plain = password.normal.expose();
        match plain.chars().count() {
            length if length < LENGTH_MIN => return Err(PasswordError::TooShort),
            length if length > LENGTH_MAX => return Err(PasswordError::TooLong),
            _ => {}
        }
        let lower = Zeroizing::new(plain.to_lowercase());
        if COMMON.contains(lower.as_str()) || is_one_character_repeated(plain) {
            return Err(PasswordError::TooCommon);
        }
        if lower.as_str() == email_key {
            return Err(PasswordError::IsEmail);
        }
        Ok(password)
    }

    fn bytes(&self) -> &[u8] {
        self.normal.expose().as_bytes()
    }

    fn typed(&self) -> &str {
        self.typed.as_ref().unwrap_or(&self.normal).expose()
    }
}

fn is_one_character_repeated(text: &str) -> bool {
    let mut chars = text.chars();
    chars.next().is_some_and(|first| chars.all(|c| c == first))
}

/// Commonly used passwords of eight characters and more, lower-cased, one a line.
static COMMON: LazyLock<HashSet<&'static str>> = LazyLock::new(|| {
    include_str!("password/common.txt").lines().filter(|line| !line.starts_with("#!")).collect()
});

/// The cost of a hash (RFC 9106 section 3.1). The default is OWASP's first choice for one lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cost {
    pub memory_kib: u32,
    pub passes: u32,
    pub lanes: u32,
}

impl Default for Cost {
    fn default() -> Self {
        Self { memory_kib: 19 * 1024, passes: 2, lanes: 1 }
    }
}

impl Cost {
    /// Costs that a stored hash or a configuration may ask for: above, a hash is a denial of service.
    pub fn is_sane(self) -> bool {
        (8 * self.lanes.max(1)..=1024 * 1024).contains(&self.memory_kib)
            && (1..=64).contains(&self.passes)
            && (1..=16).contains(&self.lanes)
    }
}

/// Buffers that hashing needs, reused from one hash to the next by the thread that owns them.
#[derive(Default)]
pub struct Scratch(Vec<Block>);

impl Scratch {
    fn of(&mut self, cost: Cost) -> &mut [Block] {
        let blocks = Params::new(cost.memory_kib, cost.passes, cost.lanes, None)
            .map_or(cost.memory_kib as usize, |params| params.block_count());
        if self.0.len() < blocks {
            self.0.resize(blocks, Block::default());
        }
        &mut self.0[..blocks]
    }
}

/// A hash in the PHC string format, as the store keeps it, or one that Django wrote and nobody has signed in by yet. Not
/// secret like a password, but not for logs.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash(String);

/// Something about the hash or its cost that Argon2 cannot work with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the stored password hash or its cost is not one we can work with")]
pub struct HashError;

impl PasswordHash {
    /// Hashes a password under `cost` with a fresh random `salt`. Takes tens of milliseconds on purpose.
    pub fn compute(
        password: &Password,
        salt: [u8; 16],
        cost: Cost,
        scratch: &mut Scratch,
    ) -> Result<Self, HashError> {
        let mut tag = [0; 32];
        derive(password, &salt, cost, &mut tag, scratch)?;
        Ok(Self(format!(
            "$argon2id$v=19$m={},t={},p={}${}${}",
            cost.memory_kib,
            cost.passes,
            cost.lanes,
            STANDARD_NO_PAD.encode(salt),
            STANDARD_NO_PAD.encode(tag),
        )))
    }

    /// A hash as the store kept it. Whether it can be worked with shows when it is verified.
    pub fn from_stored(text: String) -> Self {
        Self(text)
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the password is the one that was hashed, compared in constant time.
    pub fn verify(&self, password: &Password, scratch: &mut Scratch) -> Result<bool, HashError> {
        if !self.0.starts_with('$') {
            return django::verify(&self.0, password);
        }
        let parts = self.parts().ok_or(HashError)?;
        let mut tag = vec![0; parts.tag.len()];
        derive(password, &parts.salt, parts.cost, &mut tag, scratch)?;
        Ok(constant_time::verify_slices_are_equal(&tag, &parts.tag).is_ok())
    }

    /// Whether the next successful sign-in should hash the password anew.
    pub fn is_outdated(&self, cost: Cost) -> bool {
        self.parts().is_none_or(|parts| parts.cost != cost || parts.tag.len() != 32)
    }

    fn parts(&self) -> Option<Parts> {
        let mut fields = self.0.strip_prefix("$argon2id$v=19$")?.split('$');
        let mut costs = fields.next()?.split(',');
        let mut number = |name: &str| costs.next()?.strip_prefix(name)?.parse::<u32>().ok();
        let cost = Cost { memory_kib: number("m=")?, passes: number("t=")?, lanes: number("p=")? };
        let salt = STANDARD_NO_PAD.decode(fields.next()?).ok()?;
        let tag = STANDARD_NO_PAD.decode(fields.next()?).ok()?;
        let sound = cost.is_sane()
            && (8..=64).contains(&salt.len())
            && (16..=64).contains(&tag.len())
            && fields.next().is_none();
        sound.then_some(Parts { cost, salt, tag })
    }
}

struct Parts {
    cost: Cost,
    salt: Vec<u8>,
    tag: Vec<u8>,
}

fn derive(
    password: &Password,
    salt: &[u8],
    cost: Cost,
    tag: &mut [u8],
    scratch: &mut Scratch,
) -> Result<(), HashError> {
    if !cost.is_sane() {
        return Err(HashError);
    }
    let params =
        Params::new(cost.memory_kib, cost.passes, cost.lanes, Some(tag.len())).map_err(|_| HashError)?;
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into_with_memory(password.bytes(), salt, tag, scratch.of(cost))
        .map_err(|_| HashError)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const CHEAP: Cost = Cost { memory_kib: 64, passes: 1, lanes: 1 };

    fn secret(text: &str) -> SecretText {
        SecretText::from_plain(text.to_owned())
    }

    fn claimed(text: &str) -> Password {
        Password::claimed(&secret(text)).unwrap()
    }

    #[test]
    fn a_hash_verifies_its_password_and_no_other() {
        let mut scratch = Scratch::default();
        let hash = PasswordHash::compute(&claimed("correct horse"), [3; 16], CHEAP, &mut scratch).unwrap();
        assert_eq!(hash.verify(&claimed("correct horse"), &mut scratch), Ok(true));
        assert_eq!(hash.verify(&claimed("correct horse "), &mut scratch), Ok(false));
        assert!(!hash.is_outdated(CHEAP));
        assert!(hash.is_outdated(Cost { passes: 2, ..CHEAP }));
    }

    #[test]
    fn the_reference_implementation_agrees() {
        // Computed with the argon2 command: echo -n password | argon2 somesalt -id -t 2 -m 16 -p 1 -l 32
        let hash = PasswordHash::from_stored(
            "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc".into(),
        );
        assert_eq!(hash.verify(&claimed("password"), &mut Scratch::default()), Ok(true));
    }

    #[test]
    fn one_password_typed_on_two_keyboards_is_one_password() {
        let mut scratch = Scratch::default();
        let hash = PasswordHash::compute(&claimed("Pässword"), [3; 16], CHEAP, &mut scratch).unwrap();
        assert_eq!(hash.verify(&claimed("Pa\u{308}ssword"), &mut scratch), Ok(true));
    }

    #[test]
    fn new_passwords_are_judged_by_length_and_commonness_only() {
        let chosen = |text: &str| Password::chosen(&secret(text), "ada@example.com").err();
        assert_eq!(chosen("seven 7"), Some(PasswordError::TooShort));
        assert_eq!(chosen("ünïcödé!"), None);
        assert_eq!(chosen("correct horse battery staple"), None);
        assert_eq!(chosen(&"ab".repeat(128)), None);
        assert_eq!(chosen(&"ab".repeat(129)), Some(PasswordError::TooLong));
        assert_eq!(chosen(&"x".repeat(1 << 20)), Some(PasswordError::TooLong));
        assert_eq!(chosen("        "), Some(PasswordError::TooCommon));
        for common in ["password1", "PASSWORD1", "12345678", "iloveyou1", "qwertyuiop"] {
            assert_eq!(chosen(common), Some(PasswordError::TooCommon), "{common}");
        }
        assert_eq!(chosen("Ada@example.com"), Some(PasswordError::IsEmail));
        assert_eq!(chosen("nul\0inside it"), None);
    }

    #[test]
    fn a_damaged_or_ruinous_hash_is_an_error_not_a_panic_or_a_long_wait() {
        let mut scratch = Scratch::default();
        for stored in [
            "",
            "$argon2id$",
            "$argon2id$v=19$m=64,t=1,p=1$c29tZXNhbHQ",
            "$argon2id$v=19$m=4294967295,t=1,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
            "$argon2id$v=19$m=64,t=4294967295,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
            "$argon2id$v=19$t=1,m=64,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
            "$argon2i$v=19$m=64,t=1,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
        ] {
            let hash = PasswordHash::from_stored(stored.into());
            assert_eq!(hash.verify(&claimed("password"), &mut scratch), Err(HashError), "{stored}");
            assert!(hash.is_outdated(CHEAP));
        }
    }

    proptest! {
        #[test]
        fn no_stored_string_panics(text in "\\$argon2id\\$v=19\\$.{0,80}") {
            let _ = PasswordHash::from_stored(text).verify(&claimed("x"), &mut Scratch::default());
        }
    }
}
