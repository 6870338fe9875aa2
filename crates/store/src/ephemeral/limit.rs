//! Counts that nodes share: so many within a minute, from the first on.
//!
//! It is the counter with an expiry that Redis documents for limiting rates, `INCR` and `PEXPIRE`, in a script so
//! that nothing comes between the two, and on the clock of Redis, so that the nodes' clocks do not matter
//! (docs/decisions/0012-limits-that-nodes-share.md).

use std::sync::LazyLock;
use std::time::Duration;

use redis::Script;

use super::{PREFIX, Redis};

/// Counts one after the other and stops at the first that is full, so that whoever is refused for one thing does
/// not use up another. A counter without an end, or with one further off than a whole window (after Redis' clock
/// was set back), begins anew: no counter refuses for longer than that.
static COUNT: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"
        local window = tonumber(ARGV[1])
        for i, key in ipairs(KEYS) do
            local count = redis.call('INCR', key)
            local left = redis.call('PTTL', key)
            if left < 0 or left > window then
                redis.call('SET', key, 1, 'PX', window)
                count, left = 1, window
            end
            if count > tonumber(ARGV[i + 1]) then
                return {i - 1, math.max(left, 1)}
            end
        end
        return {0, 0}",
    )
});

/// Something that happens once more, and how often it may.
#[derive(Clone, Copy, Debug)]
pub struct Tally {
    /// What is counted, such as `account`.
    pub kind: &'static str,
    /// Of whom: a pseudonym, the same on every node and of no meaning elsewhere.
    pub subject: u64,
    /// How often within a window.
    pub most: u32,
}

/// What counting came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counted {
    Within,
    /// More often than it may: in which tally, by its place, and for how long that will be so.
    Beyond {
        at: usize,
        resets_in: Duration,
    },
}

impl Redis {
    /// Counts once more in every tally, up to the first that is beyond what may be. None: nobody knows, because
    /// Redis does not answer.
    pub async fn count(&self, tallies: &[Tally], window: Duration) -> Option<Counted> {
        let mut invocation = COUNT.prepare_invoke();
        invocation.arg(u64::try_from(window.as_millis()).unwrap_or(u64::MAX));
        for Tally { kind, subject, most } in tallies {
            invocation.key(format!("{PREFIX}:limit:{kind}:{subject:016x}")).arg(most);
        }
        let (at, left): (usize, u64) =
            self.link().call(async |mut connection| invocation.invoke_async(&mut connection).await).await?;
        Some(match left {
            0 => Counted::Within,
            ms => Counted::Beyond { at, resets_in: Duration::from_millis(ms) },
        })
    }
}
