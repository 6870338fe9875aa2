//! What this node has counted, added to the counts of the hour once a minute, so that the console has something to
//! draw where nobody keeps the metrics.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tenure_domain::time::Timestamp;
use tenure_store::{Counts, StoreError};

use crate::App;

/// How long the counts of an hour are kept.
pub const KEPT: Duration = Duration::from_secs(32 * 86_400);

pub const HOUR: Duration = Duration::from_secs(3600);

/// The name under which sign-outs are counted that nothing in the store explains.
pub const UNEXPLAINED: &str = "unexplained";

/// What was counted up to the last time that it was written down.
#[derive(Default)]
pub struct Tally(Mutex<Counts>);

/// When the hour of a time began.
pub fn hour_of(now: Timestamp) -> Timestamp {
    let hour_ms = i64::try_from(HOUR.as_millis()).unwrap_or(i64::MAX);
    Timestamp::from_ms(now.as_ms() - now.as_ms().rem_euclid(hour_ms))
}

impl Tally {
    /// Writes down what came since the last time. What cannot be written is written the next time.
    pub async fn feed(&self, app: &App, now: Timestamp) -> Result<(), StoreError> {
        let counted = count(&app.metrics.render());
        let seen = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let since = |(name, total): (&String, &u64)| {
            let new = total.saturating_sub(seen.get(name).copied().unwrap_or(0));
            (new > 0).then(|| (name.clone(), new))
        };
        let new: Counts = counted.iter().filter_map(since).collect();
        if !new.is_empty() {
            app.store.tally_add(hour_of(now), new).await?;
        }
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = counted;
        Ok(())
    }
}

/// Reads the counts off the page of metrics, which is what everybody else goes by, too.
fn count(page: &str) -> Counts {
    let mut counts = Counts::new();
    for line in page.lines().filter(|line| !line.starts_with('#')) {
        let Some((series, total)) = line.rsplit_once(' ') else { continue };
        let (metric, labels) = series.split_once('{').unwrap_or((series, ""));
        let label = |name: &str| {
            let (_, rest) = labels.split_once(&format!("{name}=\""))?;
            rest.split_once('"').map(|(value, _)| value)
        };
        let name = match metric {
            "session_refresh_total" => label("outcome").map(|outcome| format!("refresh.{outcome}")),
            "session_ends_total" => label("reason").map(|reason| format!("end.{reason}")),
            // Whoever types their password again at the console has signed in before.
            "sign_in_attempts_total" if label("method") == Some("console_confirm") => None,
            "sign_in_attempts_total" => label("outcome").map(|outcome| match outcome {
                "ok" => "sign_in.ok".to_owned(),
                "rate_limited" => "sign_in.throttled".to_owned(),
                _ => "sign_in.failed".to_owned(),
            }),
            "tenure_unexplained_session_ends_total" => Some(UNEXPLAINED.to_owned()),
            _ => None,
        };
        if let (Some(name), Ok(total)) = (name, total.parse::<u64>()) {
            *counts.entry(name).or_default() += total;
        }
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::{Metrics, Outcome, Reason, SignIn};

    #[test]
    fn what_is_counted_is_read_off_the_page_and_nothing_else() {
        let metrics = Metrics::default();
        metrics.refreshes.get_or_create(&Outcome { outcome: "rotated" }).inc_by(3);
        metrics.ends.get_or_create(&Reason { reason: "signed_out" }).inc();
        for (method, outcome, times) in [
            ("password", "ok", 4),
            ("console", "ok", 1),
            ("password", "rate_limited", 2),
            ("password", "invalid_credentials", 5),
            ("password", "permission_denied", 1),
            ("console_confirm", "ok", 9),
        ] {
            metrics.sign_ins.get_or_create(&SignIn { method, outcome }).inc_by(times);
        }
        metrics.panics.inc();
        let page = metrics.render() + "tenure_unexplained_session_ends_total{cause=\"a b\"} 2\n";
        let expected = [
            ("end.signed_out", 1),
            ("refresh.rotated", 3),
            ("sign_in.failed", 6),
            ("sign_in.ok", 5),
            ("sign_in.throttled", 2),
            ("unexplained", 2),
        ];
        let counts = count(&page);
        assert_eq!(counts, expected.map(|(name, count)| (name.to_owned(), count)).into());
    }

    #[test]
    fn an_hour_begins_where_the_clock_says_so_before_1970_too() {
        let hour = Timestamp::from_ms(1_795_000_000_000);
        assert_eq!(hour_of(hour).as_ms() % 3_600_000, 0);
        assert_eq!(hour_of(hour_of(hour)), hour_of(hour));
        assert_eq!(hour_of(Timestamp::from_ms(-1)), Timestamp::from_ms(-3_600_000));
    }
}
