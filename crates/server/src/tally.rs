//! What this node has counted, added to the counts of the hour once a minute, so that the console has something to
//! draw where nobody keeps the metrics. Ends are counted off the record instead: other processes end sessions, too.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tenure_domain::event::{Event, EventKind};
use tenure_domain::time::Timestamp;
use tenure_store::{Counts, StoreError};

use crate::App;

/// How long the counts of an hour are kept.
pub const KEPT: Duration = Duration::from_secs(32 * 86_400);

pub const HOUR: Duration = Duration::from_secs(3600);

/// The names under which sign-outs are counted that nothing in the store explains: those that came with an access
/// token, and those that anybody may have made up.
pub const UNEXPLAINED: &str = "unexplained";
pub const UNEXPLAINED_CLAIMED: &str = "unexplained_claimed";

#[derive(Default)]
pub struct Tally {
    /// What was counted up to the last time that it was written down.
    counted: Mutex<Counts>,
    /// Ends of sessions since then, by their hours.
    ends: Mutex<BTreeMap<Timestamp, Counts>>,
    /// What is being written down is written by nobody else: the last time may come while the minute's has not ended.
    writing: tokio::sync::Mutex<()>,
}

/// When the hour of a time began.
pub fn hour_of(now: Timestamp) -> Timestamp {
    let hour_ms = i64::try_from(HOUR.as_millis()).unwrap_or(i64::MAX);
    Timestamp::from_ms(now.as_ms() - now.as_ms().rem_euclid(hour_ms))
}

impl Tally {
    /// Counts the ends among events that this node has just sealed. Whichever process ended a session, the command line
    /// among them, exactly one node seals the event of it.
    pub fn count_ends(&self, sealed: &[Event]) {
        let mut ends = self.ends();
        for Event { what, .. } in sealed.iter().filter(|event| event.what.kind == EventKind::SessionEnded) {
            let name = format!("end.{}", what.cause.as_deref().unwrap_or("unknown"));
            *ends.entry(hour_of(what.at)).or_default().entry(name).or_default() += 1;
        }
    }

    /// Writes down what came since the last time. What cannot be written is written the next time.
    pub async fn feed(&self, app: &App, now: Timestamp) -> Result<(), StoreError> {
        let _alone = self.writing.lock().await;
        let counted = count(&app.metrics.render());
        let seen = self.counted.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let since = |(name, total): (&String, &u64)| {
            let new = total.saturating_sub(seen.get(name).copied().unwrap_or(0));
            (new > 0).then(|| (name.clone(), new))
        };
        let new: Counts = counted.iter().filter_map(since).collect();
        if !new.is_empty() {
            app.store.tally_add(hour_of(now), new).await?;
        }
        *self.counted.lock().unwrap_or_else(PoisonError::into_inner) = counted;
        self.feed_ends(app).await
    }

    async fn feed_ends(&self, app: &App) -> Result<(), StoreError> {
        let due: Vec<_> = self.ends().iter().map(|(hour, counts)| (*hour, counts.clone())).collect();
        for (hour, counts) in due {
            app.store.tally_add(hour, counts.clone()).await?;
            self.note_written(hour, &counts);
        }
        Ok(())
    }

    /// Others may have been counted meanwhile.
    fn note_written(&self, hour: Timestamp, counts: &Counts) {
        let mut ends = self.ends();
        let Some(left) = ends.get_mut(&hour) else { return };
        for (name, written) in counts {
            left.entry(name.clone()).and_modify(|count| *count -= written);
        }
        left.retain(|_, count| *count > 0);
        ends.retain(|_, left| !left.is_empty());
    }

    fn ends(&self) -> MutexGuard<'_, BTreeMap<Timestamp, Counts>> {
        self.ends.lock().unwrap_or_else(PoisonError::into_inner)
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
            // Whoever types their password again at the console has signed in before.
            "sign_in_attempts_total" if label("method") == Some("console_confirm") => None,
            "sign_in_attempts_total" => label("outcome").map(|outcome| match outcome {
                "ok" => "sign_in.ok".to_owned(),
                "rate_limited" => "sign_in.throttled".to_owned(),
                _ => "sign_in.failed".to_owned(),
            }),
            "tenure_unexplained_session_ends_total" => match label("verified") {
                Some("true") => Some(UNEXPLAINED.to_owned()),
                _ => Some(UNEXPLAINED_CLAIMED.to_owned()),
            },
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
    use crate::metrics::{Metrics, Outcome, Reason, SignIn, Verified};

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
        metrics.unexplained_session_ends.get_or_create(&Verified::of(true)).inc_by(2);
        metrics.unexplained_session_ends.get_or_create(&Verified::of(false)).inc_by(7);
        let expected = [
            ("refresh.rotated", 3),
            ("sign_in.failed", 6),
            ("sign_in.ok", 5),
            ("sign_in.throttled", 2),
            ("unexplained", 2),
            ("unexplained_claimed", 7),
        ];
        let mut counts = count(&metrics.render());
        counts.retain(|_, count| *count > 0);
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
