//! Bugs by order: handlers panic where they ask for randomness.
//!
//! A refresh asks after its commit. A sign-in asks once before it checks the password, and again when its session is
//! made; a change of the password asks twice before it is made, and again after it.

use std::panic::resume_unwind;
use std::sync::{Arc, Mutex, PoisonError};

use serde::Deserialize;
use tenure_store::Entropy;

/// What `POST /panics` takes.
#[derive(Clone, Copy, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Order {
    /// How often.
    count: u64,
    /// How many draws go well before.
    #[serde(default)]
    after: u64,
}

#[derive(Default)]
pub struct Panics(Mutex<Order>);

impl Panics {
    pub fn order(&self, order: Order) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = order;
    }

    fn is_due(&self) -> bool {
        let mut left = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let waits = left.after > 0;
        let which = if waits { &mut left.after } else { &mut left.count };
        let was = *which;
        *which = was.saturating_sub(1);
        !waits && was > 0
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
