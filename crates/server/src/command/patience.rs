//! Waiting at start for a database that does not answer yet, as it is when a whole site is started at once.

use std::sync::Arc;
use std::time::Duration;

use tenure_store::ephemeral::Redis;
use tenure_store::{Entropy as _, Store, StoreError};
use tokio::time::Instant;

use super::place::open_postgres;
use super::{Failure, Global};
use crate::clock::SystemEntropy;
use crate::config::Config;

/// The first pause between two tries, and the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Opens the store, and makes or migrates it as needed. PostgreSQL is tried for `postgres.start_timeout`; a file
/// that cannot be opened now will not be by waiting.
///
/// `redis` is not waited for.
pub async fn open(
    global: &Global,
    config: &Config,
    redis: Option<&Redis>,
) -> Result<Arc<dyn Store>, Failure> {
    if config.postgres.url.is_empty() {
        return global.open_or_make_store(config).await;
    }
    let patience = config.postgres.start_timeout.0;
    let begun = Instant::now();
    let mut attempt = 0;
    loop {
        let error = match open_postgres(config, redis).await {
            Ok(store) => return Ok(store),
            // A schema that this version cannot work on does not change by waiting.
            Err(error @ StoreError::Corrupt { .. }) => return Err(error.into()),
            Err(error) => error,
        };
        let pause = pause(attempt, draw());
        if begun.elapsed() + pause >= patience {
            return Err(gave_up(config, &error));
        }
        tracing::warn!(%error, pause_ms = pause.as_millis() as u64, "PostgreSQL does not answer yet; trying again");
        tokio::time::sleep(pause).await;
        attempt += 1;
    }
}

fn gave_up(config: &Config, error: &StoreError) -> Failure {
    Failure::Unreachable(format!(
        "{error}\n{} was tried for {}; is it running, may this machine reach it, and are user, password and \
         database right? how long to wait is postgres.start_timeout",
        config.postgres.url,
        humantime::format_duration(config.postgres.start_timeout.0),
    ))
}

/// Doubling up to the longest, and drawn from the upper half, so that nodes started together do not come
/// together. `draw` is from 0 to 1.
fn pause(attempt: u32, draw: f64) -> Duration {
    let full = FIRST_PAUSE.saturating_mul(1 << attempt.min(10)).min(LONGEST_PAUSE);
    full.mul_f64(0.5 + draw / 2.0)
}

fn draw() -> f64 {
    let mut bytes = [0; 4];
    SystemEntropy.fill(&mut bytes);
    f64::from(u32::from_be_bytes(bytes)) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_longest_and_are_drawn_from_the_upper_half() {
        let range = |attempt| (pause(attempt, 0.0).as_millis(), pause(attempt, 1.0).as_millis());
        assert_eq!([range(0), range(1), range(2)], [(125, 250), (250, 500), (500, 1_000)]);
        assert_eq!([range(5), range(40)], [(2_500, 5_000); 2]);
    }
}
