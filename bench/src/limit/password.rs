use std::hint::black_box;
use std::time::Duration;

use argon2::{Algorithm, Argon2, Block, Params, Version};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;

use super::on_all_cores;
use crate::failure::{Context as _, Result};

/// Tenure's default cost.
const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;
const LANES: u32 = 1;

fn hasher() -> Result<Argon2<'static>> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, Some(32)).context("Argon2's parameters")?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

/// Argon2id hashes per second, all cores together, each with its own memory used again and again.
pub fn hashes_per_second(time: Duration) -> Result<f64> {
    on_all_cores(time, || {
        let hasher = hasher()?;
        let mut memory = vec![Block::default(); hasher.params().block_count()];
        let mut out = [0; 32];
        Ok(move || {
            let salt = black_box(b"sixteen bytes ok");
            // The arguments are constants of the right sizes.
            let _ = hasher.hash_password_into_with_memory(b"a password", salt, &mut out, &mut memory);
            black_box(&out);
        })
    })
}

/// The stored form (PHC string) of `password`, at Tenure's default cost.
pub fn hash_for_seed(password: &str) -> Result<String> {
    let salt = b"tenure-bench-slt";
    let mut out = [0; 32];
    hasher()?.hash_password_into(password.as_bytes(), salt, &mut out).context("Argon2")?;
    let (salt, hash) = (STANDARD_NO_PAD.encode(salt), STANDARD_NO_PAD.encode(out));
    Ok(format!("$argon2id$v=19$m={MEMORY_KIB},t={PASSES},p={LANES}${salt}${hash}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use argon2::PasswordVerifier as _;
    use argon2::password_hash::phc::PasswordHash;

    #[test]
    fn the_seeded_hash_is_one_that_others_verify() {
        let text = hash_for_seed("correct horse").unwrap();
        let hash = PasswordHash::new(&text).unwrap();
        assert!(Argon2::default().verify_password(b"correct horse", &hash).is_ok());
        assert!(Argon2::default().verify_password(b"wrong horse", &hash).is_err());
    }
}
