use std::hint::black_box;
use std::time::Duration;

use aws_lc_rs::signature::Ed25519KeyPair;

use super::on_all_cores;
use crate::failure::{Context as _, Result};

/// The part of an access token that is signed: header, dot and payload.
const SIGNED_BYTES: usize = 300;

/// Ed25519 signatures of access tokens per second, all cores together.
pub fn signatures_per_second(time: Duration) -> Result<f64> {
    on_all_cores(time, || {
        let key = Ed25519KeyPair::generate().context("a signing key")?;
        let token = vec![b'a'; SIGNED_BYTES];
        Ok(move || {
            black_box(key.sign(black_box(&token)));
        })
    })
}
