//! What this machine can do at best: each part of a request's work alone, on the same cores.

mod password;
mod rotation;
mod signature;
mod updates;

pub use password::{hash_for_seed, hashes_per_second};
pub use rotation::Rotations;
pub use signature::signatures_per_second;
pub use updates::{Batches, Updates};

use std::time::Duration;

use crate::clock;
use crate::failure::{Failure, Result};
use crate::proc::cores;

/// Repeats `work` on every core for `time` and sums up how often per second it was done.
fn on_all_cores<W: FnMut()>(time: Duration, make: impl Fn() -> Result<W> + Sync) -> Result<f64> {
    std::thread::scope(|scope| {
        let running: Vec<_> = (0..cores())
            .map(|_| {
                scope.spawn(|| {
                    let mut work = make()?;
                    work();
                    let began = clock::now();
                    let mut count = 0u32;
                    loop {
                        work();
                        count += 1;
                        let elapsed = clock::now() - began;
                        if elapsed >= time {
                            return Ok(f64::from(count) / elapsed.as_secs_f64());
                        }
                    }
                })
            })
            .collect();
        let mut sum = 0.0;
        for thread in running {
            let rate: Result<f64> = thread.join().map_err(|_| Failure("a thread panicked".into()))?;
            sum += rate?;
        }
        Ok(sum)
    })
}
