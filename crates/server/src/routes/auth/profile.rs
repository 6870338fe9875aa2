//! `/api/v1/auth/profile`

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use tenure_domain::problem::Code;
use tenure_domain::user::DisplayName;
use utoipa::ToSchema;

use super::UserAnswer;
use crate::App;
use crate::http::actor::SignedIn;
use crate::http::arrival::At;
use crate::http::body::Json;
use crate::http::problem::{FieldError, Problem};

/// The signed-in user.
#[utoipa::path(get, path = "/api/v1/auth/profile", tag = "auth", security(("access_token" = [])),
    responses((status = 200, description = "The user whose access token it is", body = UserAnswer)))]
pub async fn get(SignedIn { person, .. }: SignedIn) -> Response {
    Json(UserAnswer::from(&*person)).into_response()
}

#[derive(Deserialize, ToSchema)]
pub struct ProfileChange {
    /// 1 to 200 characters.
    name: Option<String>,
}

/// Change the signed-in user's name.
#[utoipa::path(patch, path = "/api/v1/auth/profile", tag = "auth", request_body = ProfileChange,
    security(("access_token" = [])),
    responses((status = 200, description = "The user as changed", body = UserAnswer)))]
pub async fn patch(
    State(app): State<Arc<App>>,
    SignedIn { person, .. }: SignedIn,
    At(arrival): At,
    Json(change): Json<ProfileChange>,
) -> Result<Response, Problem> {
    let Some(name) = change.name else { return Ok(Json(UserAnswer::from(&*person)).into_response()) };
    let name = DisplayName::parse(&name).map_err(|error| {
        Problem::invalid(vec![FieldError { field: "name", code: "not_a_name", message: error.to_string() }])
    })?;
    let renamed = app.store.user_rename(person.id, name.as_str().to_owned(), arrival.now).await?;
    let gone = || Problem::new(Code::AccessTokenRevoked, "This user has just been deleted.");
    Ok(Json(UserAnswer::from(&renamed.ok_or_else(gone)?)).into_response())
}
