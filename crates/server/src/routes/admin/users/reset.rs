//! A link with which somebody chooses a new password, so that no administrator ever knows it.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use tenure_domain::event::Whence;
use tenure_domain::password_reset::{RESET_LIFETIME, mint};
use tenure_domain::problem::Code;
use tenure_domain::time::Timestamp;
use tenure_store::Subject;
use utoipa::ToSchema;

use super::{Reason, Target, read_reason};
use crate::App;
use crate::http::arrival::At;
use crate::http::body::Json;
use crate::http::problem::Problem;
use crate::routes::admin::fault;
use crate::routes::auth::password::facts;

#[derive(Serialize, ToSchema)]
pub struct ResetLink {
    /// Shown this once: whoever has it can choose the user's password. It is good once.
    link: String,
    /// Until when it is good, Unix milliseconds.
    #[schema(value_type = i64)]
    expires_at: Timestamp,
}

/// Make a link for a user to choose a new password with. Their sessions end when it is used, not before.
#[utoipa::path(post, path = "/api/v1/admin/users/{id}/password-reset", tag = "admin", request_body = Reason,
    params(("id" = String, Path, description = "The user, as in `usr_...`")),
    security(("access_token" = []), ("api_key" = [])),
    responses((status = 200, description = "To be handed to the user, and to nobody else", body = ResetLink)))]
pub async fn create(
    State(app): State<Arc<App>>,
    target: Target,
    At(arrival): At,
    Json(wish): Json<Reason>,
) -> Result<Response, Problem> {
    let decree = target.administrator.decree(read_reason(&wish.reason)?);
    let user = &target.user;
    if user.disabled_at.is_some() {
        return Err(fault("id", "user_disabled", "nobody who is disabled can use a link; enable them first"));
    }
    let Some(key) = app.reset_keys.first() else {
        return Err(Problem::new(Code::InternalError, "There is no key to make a link with."));
    };
    // Before it is made: rather an act too many than a link that nobody knows of.
    // Where the administrator is would be erased with somebody else.
    let whence = Whence::default();
    app.store.act_record(Subject::User(user.id), "password_reset_link", decree, whence, arrival.now).await?;
    let expires_at = arrival.now + RESET_LIFETIME;
    let token = mint(key, &facts(user), expires_at);
    // After the `#`, so that it is in no server's log and no Referer.
    let link = format!("{}/reset-password#token={}", app.settled.public_url, token.expose());
    Ok(Json(ResetLink { link, expires_at }).into_response())
}
