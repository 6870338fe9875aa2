//! Bugs by order: the next handlers that ask for randomness panic, after what they did in the store is done.

use std::panic::resume_unwind;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tenure_store::Entropy;

/// How many more of them there will be.
#[derive(Default)]
pub struct Panics(AtomicU64);

impl Panics {
    pub fn order(&self, count: u64) {
        self.0.store(count, Ordering::SeqCst);
    }

    fn is_due(&self) -> bool {
        self.0.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok()
    }
}

/// The randomness of the handlers. That of the store is left alone: its promises are tested where it is.
pub struct Panicky {
    pub inner: Arc<dyn Entropy>,
    pub panics: Arc<Panics>,
}

impl Entropy for Panicky {
    fn fill(&self, bytes: &mut [u8]) {
        if self.panics.is_due() {
            // Without the hook, which would print where we already know that it was.
            resume_unwind(Box::new("a panic as ordered"));
        }
        self.inner.fill(bytes);
    }
}
