//! The network's habits: mostly quick, sometimes slow, now and then so late that everybody has given up.

use super::rng::Rng;
use super::{MINUTE, SECOND};

/// How long a message takes in one direction; `None` if it is lost.
pub fn latency(rng: &mut Rng, loss_one_in: u64) -> Option<i64> {
    if rng.one_in(loss_one_in) {
        return None;
    }
    Some(match rng.between(0, 100) {
        0..90 => rng.between(5, 400),
        90..97 => rng.between(400, 5 * SECOND),
        97..99 => rng.between(5 * SECOND, 20 * SECOND),
        _ => rng.between(20 * SECOND, 2 * MINUTE),
    })
}
