//! Randomness that a printed seed brings back (SplitMix64). What it decides is the same in every run of a
//! seed; when it takes effect is up to the machine, so a seed narrows a failure down and does not replay it.

use std::time::Duration;

#[derive(Clone)]
pub struct Random(u64);

impl Random {
    /// A source of its own for one of many, so that nobody's draws depend on anybody else's timing.
    pub fn of_one(seed: u64, purpose: &str, number: usize) -> Self {
        let mut mixed = Self(seed ^ (number as u64).rotate_left(32));
        for byte in purpose.bytes() {
            mixed.0 ^= u64::from(byte);
            mixed.0 = mixed.draw();
        }
        mixed
    }

    pub fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `bound`, which must not be 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.draw() % bound
    }

    pub fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    /// From `from` to `to` milliseconds.
    pub fn ms(&mut self, from: u64, to: u64) -> Duration {
        Duration::from_millis(from + self.below(to - from + 1))
    }

    pub fn pick<'a, T>(&mut self, of: &'a [T]) -> Option<&'a T> {
        let at = self.below((of.len() as u64).max(1));
        of.get(at as usize)
    }
}
