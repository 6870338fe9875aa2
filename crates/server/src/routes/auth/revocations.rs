//! `/api/v1/auth/revocations`: the feed by which other services hear of ends.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{FromRequestParts as _, State};
use axum::response::Response;
use futures_util::stream;
use http::{HeaderMap, HeaderName, header};
use tenure_domain::problem::{Class, Code};
use tenure_domain::revocation::PERMISSION;

use super::as_it_comes;
use crate::App;
use crate::http::actor::Caller;
use crate::http::admission::demand_permission;
use crate::http::arrival::{Arrival, At};
use crate::http::problem::Problem;
use crate::revocations::{Piece, Pieces};

/// What a credential is shown in.
const SHOWN_IN: [HeaderName; 2] = [header::AUTHORIZATION, HeaderName::from_static("x-api-key")];

/// Tells of sessions that end and of users whose access tokens stop standing, for as long as somebody listens.
///
/// Server-sent events: `begin` with `since` and `keep`; `facts` with `ended`, `changed` and `users`; `beat` with
/// `server_time`, every few seconds. Needs the permission `revocations.read`, which an API key has as a scope. There is
/// nothing to resume: whoever comes back is told everything that is still of interest.
#[utoipa::path(get, path = "/api/v1/auth/revocations", tag = "auth", security(("access_token" = []), ("api_key" = [])),
    responses((status = 200, description = "The stream", content_type = "text/event-stream", body = String)))]
pub async fn get(
    State(app): State<Arc<App>>,
    caller: Caller,
    At(arrival): At,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    demand_permission(&app, &arrival, &caller, PERMISSION)?;
    let full = || Problem::new(Code::Overloaded, "As many services listen as may; try again in a moment.");
    let pieces = app.revocations.listen(&app).await.ok_or_else(full)?;
    let shown = headers.into_iter().filter_map(|(name, value)| Some((name?, value)));
    let shown = shown.filter(|(name, _)| SHOWN_IN.contains(name)).collect();
    Ok(as_it_comes(stream::unfold(Telling { app, shown, pieces }, Telling::next)))
}

struct Telling {
    app: Arc<App>,
    shown: HeaderMap,
    pieces: Pieces,
}

impl Telling {
    async fn next(mut self) -> Option<(Bytes, Self)> {
        loop {
            let bytes = match self.pieces.recv().await? {
                Piece::Facts(bytes) => bytes,
                Piece::Beat(bytes) => match self.look_again().await {
                    Ok(()) => bytes,
                    Err(problem) if problem.code.class() == Class::Transport => continue,
                    Err(problem) => {
                        tracing::info!(code = %problem.code, "a listener of the revocation feed may listen no more");
                        return None;
                    }
                },
            };
            return Some((bytes, self));
        }
    }

    /// Whether who listens may still do so: keys are revoked, tokens expire, roles change.
    async fn look_again(&self) -> Result<(), Problem> {
        let arrival = Arc::new(Arrival::new(&self.app, &self.shown, None));
        let (mut parts, ()) = http::Request::new(()).into_parts();
        parts.headers = self.shown.clone();
        parts.extensions.insert(Arc::clone(&arrival));
        let caller = Caller::from_request_parts(&mut parts, &self.app).await?;
        demand_permission(&self.app, &arrival, &caller, PERMISSION)
    }
}
