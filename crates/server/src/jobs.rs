//! What runs beside the requests. Nothing here ever ends a session.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tenure_store::StoreError;

use crate::App;

const TICK: Duration = Duration::from_secs(60);

/// Rows deleted in one step of the sweep, so that it never holds up the writer.
const SWEEP_STEP: usize = 500;

/// Every minute: forget idle rate-limit buckets, bring gauges up to date, sweep a few long-ended rows.
pub async fn run(app: Arc<App>) {
    let mut ticks = tokio::time::interval(TICK);
    while !app.draining.load(Ordering::Relaxed) {
        ticks.tick().await;
        app.limits.tidy();
        match tick(&app).await {
            Ok(()) => drop(app.metrics.storage_up.set(1)),
            Err(error) => {
                app.metrics.storage_up.set(0);
                tracing::warn!(%error, "the minute's chores were not finished");
            }
        };
    }
}

async fn tick(app: &App) -> Result<(), StoreError> {
    let now = app.clock.now();
    let active = app.store.session_count(now).await?;
    app.metrics.sessions_active.set(i64::try_from(active).unwrap_or(i64::MAX));
    let signer = app.store.key_list().await?.into_iter().find(|key| key.activates_at <= now);
    if let Some(key) = signer {
        app.metrics.signing_key_age.set(now.since(key.activates_at).as_secs_f64());
    }
    let before = now - app.settled.config.store.retention.0;
    let swept = app.store.sweep(before, SWEEP_STEP).await?;
    if swept > 0 {
        tracing::info!(swept, "rows of long-ended sessions deleted");
    }
    Ok(())
}
