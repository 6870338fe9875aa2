//! Randomness that can be had again.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tenure::clock::SystemEntropy;
use tenure_store::Entropy;

/// The operating system's randomness, or what follows from a seed. Every start of the server continues elsewhere in
/// it, so that no id is drawn twice.
pub fn entropy(seed: Option<u64>, starts: u64) -> Arc<dyn Entropy> {
    match seed {
        None => Arc::new(SystemEntropy),
        Some(seed) => Arc::new(Seeded(AtomicU64::new(mixed(seed).wrapping_add(starts << 40)))),
    }
}

/// SplitMix64: the same each run, as far as the order of requests is.
struct Seeded(AtomicU64);

const STEP: u64 = 0x9E37_79B9_7F4A_7C15;

impl Entropy for Seeded {
    fn fill(&self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            let word = mixed(self.0.fetch_add(STEP, Ordering::Relaxed));
            chunk.copy_from_slice(&word.to_le_bytes()[..chunk.len()]);
        }
    }
}

fn mixed(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}
