//! `/api/v1/admin/sessions/{id}/timeline`: what `auth/sessions/{id}/timeline` tells administrators, where the console's
//! cookie is sent.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::Response;

use super::{Administrator, named, right};
use crate::App;
use crate::explain::said::For;
use crate::http::arrival::At;
use crate::http::problem::Problem;
use crate::routes::auth::timeline::{Timeline, told};

/// What happened to a session, in the order of time, and the verdict.
#[utoipa::path(get, path = "/api/v1/admin/sessions/{id}/timeline", tag = "admin",
    security(("access_token" = []), ("api_key" = [])),
    params(("id" = String, Path, description = "The session, as in `ses_...`")),
    responses((status = 200, description = "The timeline", body = Timeline)))]
pub async fn get(
    State(app): State<Arc<App>>,
    _: Administrator<right::Read>,
    At(arrival): At,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let record = app.store.session_find(named(&id)?).await?;
    told(&app, &arrival, record, For::Support).await
}
