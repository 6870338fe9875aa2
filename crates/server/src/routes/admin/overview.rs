//! `/api/v1/admin/overview`: how it goes, hour by hour.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use tenure_domain::time::Timestamp;
use tenure_store::Counts;
use utoipa::{IntoParams, ToSchema};

use super::{Administrator, right};
use crate::App;
use crate::http::arrival::At;
use crate::http::body::Json;
use crate::http::problem::Problem;
use crate::tally::{HOUR, KEPT, UNEXPLAINED, UNEXPLAINED_CLAIMED, hour_of};

/// Hours that are told of if nothing else is asked for.
const HOURS: u32 = 24;

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Asked {
    /// How many hours, the present one among them; at most 768. 24 if left out.
    hours: Option<u32>,
}

#[derive(Serialize, ToSchema)]
pub struct Overview {
    /// The server's clock, Unix milliseconds.
    #[schema(value_type = i64)]
    now: Timestamp,
    /// Sessions neither ended nor expired; estimated where there are more than a hundred thousand.
    sessions_active: u64,
    /// How many of them are remembered ones.
    sessions_remembered: u64,
    /// Sign-outs of these hours that nothing explains, reported with an access token of the session. There should be none.
    unexplained_ends: u64,
    /// Such sign-outs that were reported without one: anybody can make them up who knows the session's id.
    unexplained_claimed: u64,
    /// Oldest first, those in which nothing happened among them. What happened in the last minute may not be in them.
    hours: Vec<OverviewHour>,
}

#[derive(Serialize, ToSchema)]
pub struct OverviewHour {
    /// When it began.
    #[schema(value_type = i64)]
    at: Timestamp,
    /// Refreshes by their outcome.
    refresh: BTreeMap<String, u64>,
    sign_ins: OverviewSignIns,
    /// Ends of sessions by their reason.
    ends: BTreeMap<String, u64>,
    /// Sign-outs that nothing explains, reported with an access token of the session.
    unexplained: u64,
    /// Those that were reported without one.
    unexplained_claimed: u64,
}

#[derive(Serialize, ToSchema)]
pub struct OverviewSignIns {
    ok: u64,
    failed: u64,
    throttled: u64,
}

/// How many sessions there are, and what each hour was like.
#[utoipa::path(get, path = "/api/v1/admin/overview", tag = "admin", params(Asked),
    security(("access_token" = []), ("api_key" = [])),
    responses((status = 200, description = "How it goes", body = Overview)))]
pub async fn get(
    State(app): State<Arc<App>>,
    _: Administrator<right::Read>,
    At(arrival): At,
    Query(asked): Query<Asked>,
) -> Result<Response, Problem> {
    let most = u32::try_from(KEPT.as_secs() / HOUR.as_secs()).unwrap_or(u32::MAX);
    let wanted = asked.hours.unwrap_or(HOURS).clamp(1, most);
    let latest = hour_of(arrival.now);
    let mut counted = app.store.tally_list(latest - HOUR * (wanted - 1)).await?;
    let begins = (0..wanted).rev().map(|ago| latest - HOUR * ago);
    let hours: Vec<_> =
        begins.map(|at| OverviewHour::of(at, counted.remove(&at).unwrap_or_default())).collect();
    let active = app.store.session_count(arrival.now).await?;
    Ok(Json(Overview {
        now: arrival.now,
        sessions_active: active.total(),
        sessions_remembered: active.remembered,
        unexplained_ends: hours.iter().map(|hour| hour.unexplained).sum(),
        unexplained_claimed: hours.iter().map(|hour| hour.unexplained_claimed).sum(),
        hours,
    })
    .into_response())
}

impl OverviewHour {
    fn of(at: Timestamp, counts: Counts) -> Self {
        let one = |name: &str| counts.get(name).copied().unwrap_or(0);
        let group = |prefix: &str| {
            let named =
                |(name, count): (&String, &u64)| Some((name.strip_prefix(prefix)?.to_owned(), *count));
            counts.iter().filter_map(named).collect()
        };
        Self {
            at,
            refresh: group("refresh."),
            sign_ins: OverviewSignIns {
                ok: one("sign_in.ok"),
                failed: one("sign_in.failed"),
                throttled: one("sign_in.throttled"),
            },
            ends: group("end."),
            unexplained: one(UNEXPLAINED),
            unexplained_claimed: one(UNEXPLAINED_CLAIMED),
        }
    }
}
