//! How long sign-ins to the administrators' console last.

use std::time::Duration;

use serde::Deserialize;
use tenure_domain::console::ConsoleRules;

use super::Span;

/// A minute is the least in which somebody can read a page.
const IDLE_MIN: Duration = Duration::from_secs(60);
/// Whoever may change everything signs in every day.
const LIFETIME_MAX: Duration = Duration::from_secs(24 * 60 * 60);

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConsoleSection {
    pub lifetime: Span,
    pub idle: Span,
}

impl ConsoleSection {
    pub fn rules(&self) -> ConsoleRules {
        ConsoleRules { lifetime: self.lifetime.0, idle: self.idle.0 }
    }

    /// What keeps it from being meant, a line for each thing to mend.
    pub fn faults(&self) -> Vec<String> {
        let (lifetime, idle) = (self.lifetime.0, self.idle.0);
        let mut faults = vec![];
        if idle < IDLE_MIN || idle > lifetime {
            faults.push(format!(
                "console.idle is {}, but must be at least 1m and at most console.lifetime; 30m is usual",
                humantime::format_duration(idle)
            ));
        }
        if lifetime > LIFETIME_MAX {
            faults.push(format!(
                "console.lifetime is {}, but must be at most 24h; 12h is usual",
                humantime::format_duration(lifetime)
            ));
        }
        faults
    }
}
