//! SplitMix64 (Steele, Lea, Flood 2014): small, seeded, the same on every machine.

pub struct Rng(u64);

impl Rng {
    pub fn seeded(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        bits ^ (bits >> 31)
    }

    /// Uniform in `low..high`.
    pub fn between(&mut self, low: i64, high: i64) -> i64 {
        low + (self.next() % high.abs_diff(low).max(1)) as i64
    }

    pub fn one_in(&mut self, odds: u64) -> bool {
        self.next().is_multiple_of(odds)
    }
}
