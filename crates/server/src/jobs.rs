//! What runs beside the requests. Nothing here ever ends a session.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tenure_domain::id::ObservationId;
use tenure_domain::time::Timestamp;
use tenure_store::StoreError;
use tokio::time::MissedTickBehavior;

use crate::{App, events, node_clock, tally};

/// Between two looks at the rate-limit buckets. A bucket is full again, and worth nothing, seconds after its
/// last use; kept for a minute they would be most of this process's memory.
const TIDY: Duration = Duration::from_secs(5);

/// Between two rounds of chores.
const CHORES: Duration = Duration::from_secs(60);

/// Rows deleted in one step of the sweep, so that it never holds up the writer.
const SWEEP_STEP: usize = 500;

/// Most reports of sign-outs that are kept, however young: anybody can send some, from many addresses.
const CLIENT_REPORTS_KEPT: u64 = 100_000;

/// Most things that observed applications reported that are kept.
const OBSERVATIONS_KEPT: u64 = 200_000;

/// How much older than they may become events are when they are deleted.
const EVENTS_PRUNED_EVERY: Duration = Duration::from_secs(86_400);

/// After this long without its seal an event is an alarm: somebody might be keeping it from us. Longer than one may wait
/// to be counted on and for its turn.
pub const UNSEALED_MAX: Duration = Duration::from_secs(300);

/// How long events of Stripe's are remembered, which can be sent again for thirty days.
const STRIPE_EVENTS_KEPT: Duration = Duration::from_secs(60 * 86_400);

/// Forgets idle rate-limit buckets, brings gauges up to date, writes down what was counted, holds this machine's clock against the database's,
/// and sweeps a few long-ended rows, until the server drains.
pub async fn run(app: Arc<App>) {
    let mut tidy = tokio::time::interval(TIDY);
    let mut clock = tokio::time::interval(node_clock::EVERY);
    // Asking again at once after a database that hung would tell nothing new.
    clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut events = tokio::time::interval(events::TURN);
    events.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut due = tokio::time::interval(CHORES);
    while !app.draining.load(Ordering::Relaxed) {
        tokio::select! {
            // The clock before what goes by it.
            biased;
            _ = tidy.tick() => app.limits.tidy(),
            _ = clock.tick() => measure_clock(&app).await,
            _ = events.tick() => write_events(&app).await,
            _ = due.tick() => match chores(&app).await {
                Ok(()) => drop(app.metrics.storage_up.set(1)),
                Err(error) => {
                    app.metrics.storage_up.set(0);
                    tracing::warn!(%error, "the minute's chores were not finished");
                }
            },
        }
    }
}

/// Holds this machine's clock against the database's. One that does not answer is others' to report, every minute
/// and at every request.
pub async fn measure_clock(app: &App) {
    if let Err(error) = app.node_clock.measure(&*app.clock, &*app.store).await {
        tracing::debug!(%error, "the database's clock could not be read");
    }
}

/// They are worth having and not worth an alarm: a store that fails is others' to report.
pub async fn write_events(app: &App) {
    if let Err(error) = app.write_events().await {
        tracing::debug!(%error, "events could not be written");
    }
}

/// Holds the clock against all that it can be held against, before anybody is judged by it.
pub async fn look_at_clock(app: &App) {
    measure_clock(app).await;
    if let Err(error) = app.weigh_clock(app.clock.now()).await {
        tracing::warn!(%error, "the clock could not be held against what the database remembers");
    }
}

/// One round of chores.
pub async fn chores(app: &App) -> Result<(), StoreError> {
    let now = app.clock.now();
    app.weigh_clock(now).await?;
    app.metrics.note_sessions(app.store.session_count(now).await?);
    app.metrics.note_clock(app.clock.leap());
    let signer = app.store.key_list().await?.into_iter().find(|key| key.activates_at <= now);
    if let Some(key) = signer {
        app.metrics.signing_key_age.set(now.since(key.activates_at).as_secs_f64());
    }
    let unsealed = app.store.event_count_unsealed(now - UNSEALED_MAX).await?;
    app.metrics.events_unsealed.set(i64::try_from(unsealed).unwrap_or(i64::MAX));
    // What is too many goes whatever the time is.
    let may_delete = app.may_delete_by_clock(now);
    let reports_before = now - app.settled.config.store.client_report_retention.0;
    expire_client_reports(app, if may_delete { reports_before } else { Timestamp::from_ms(0) }).await?;
    if may_delete {
        delete_old(app, now).await?;
    }
    // It gives way to everything else, and is caught up on the next time.
    if let Err(error) = app.tally.feed(app, now).await {
        tracing::debug!(%error, "what was counted is written later");
    }
    app.tell_chain().await
}

/// Deletes for good what is old by the clock. Whoever calls it has seen to it that the clock is believed.
async fn delete_old(app: &App, now: Timestamp) -> Result<(), StoreError> {
    let before = now - app.settled.config.store.retention.0;
    let swept = app.store.sweep(before, SWEEP_STEP).await?;
    if swept > 0 {
        tracing::info!(swept, "rows of long-ended sessions deleted");
    }
    while app.store.billing_expire(now - STRIPE_EVENTS_KEPT, SWEEP_STEP).await? == SWEEP_STEP as u64 {}
    while app.store.console_session_expire(now, SWEEP_STEP).await? == SWEEP_STEP as u64 {}
    while app.store.exchange_expire(now, SWEEP_STEP).await? == SWEEP_STEP as u64 {}
    app.store.tally_expire(now - tally::KEPT).await?;
    expire_events(app, now).await
}

/// Deletes old events, a day's worth or more at once: each pruning is an event itself.
async fn expire_events(app: &App, now: Timestamp) -> Result<(), StoreError> {
    let before = now - app.settled.config.store.event_retention.0;
    let is_due = app.store.event_prunable(before - EVENTS_PRUNED_EVERY, now, SWEEP_STEP).await?.is_some();
    if is_due { app.prune_events(before, SWEEP_STEP).await } else { Ok(()) }
}

/// Deletes old reports and observations and those beyond the bound, all of them, in steps that let others write in between.
async fn expire_client_reports(app: &App, before: Timestamp) -> Result<(), StoreError> {
    while app.store.client_report_expire(before, CLIENT_REPORTS_KEPT, SWEEP_STEP).await? == SWEEP_STEP as u64
    {
    }
    // Those beyond the bound are searched for once, and not by whoever writes.
    let beyond = app.store.observation_oldest_of(OBSERVATIONS_KEPT).await?;
    let young = ObservationId::generate(before, [0; 10]);
    let first_kept = beyond.map_or(young, |oldest| oldest.max(young));
    while app.store.observation_expire(first_kept, SWEEP_STEP).await? == SWEEP_STEP as u64 {}
    Ok(())
}
