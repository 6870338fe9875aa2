//! Where time and randomness come from: injected, so that tests have their own.

use tenure_domain::time::Timestamp;
use tenure_store::Entropy;

/// Where the time comes from. The server reads it once per request.
pub trait Clock: Send + Sync {
    fn now(&self) -> Timestamp;

    /// Whether it is this machine's, which should agree with those of others. A test's need not.
    fn is_of_this_machine(&self) -> bool {
        false
    }
}

/// The operating system's clock.
pub struct SystemClock;

impl Clock for SystemClock {
    #[allow(clippy::disallowed_methods)] // The one place that reads it.
    fn now(&self) -> Timestamp {
        let since_epoch =
            std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        Timestamp::from_ms(i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX))
    }

    fn is_of_this_machine(&self) -> bool {
        true
    }
}

/// The operating system's randomness.
pub struct SystemEntropy;

impl Entropy for SystemEntropy {
    fn fill(&self, bytes: &mut [u8]) {
        // It fails only where the kernel has no randomness at all, and then nothing may be handed out.
        if aws_lc_rs::rand::fill(bytes).is_err() {
            std::process::abort();
        }
    }
}
