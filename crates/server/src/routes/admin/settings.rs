//! `/api/v1/admin/settings`: what is in force on the node that answers, and where it comes from.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use super::{Administrator, right};
use crate::App;
use crate::config::Setting;
use crate::http::body::Json;

#[derive(Serialize, ToSchema)]
pub struct SettingRecords {
    /// By their keys.
    settings: Vec<SettingRecord>,
}

#[derive(Serialize, ToSchema)]
pub struct SettingRecord {
    /// Section and name, as in `session.settle`.
    key: String,
    /// Text as it is, everything else as JSON has it. Of a secret only whether it is `set` or `not set`.
    value: String,
    /// default, file, environment or flag.
    origin: &'static str,
    secret: bool,
}

/// Every setting in force, without secrets.
#[utoipa::path(get, path = "/api/v1/admin/settings", tag = "admin",
    security(("access_token" = []), ("api_key" = [])),
    responses((status = 200, description = "By their keys", body = SettingRecords)))]
pub async fn list(State(app): State<Arc<App>>, _: Administrator<right::Read>) -> Response {
    let settings = app.settled.config.settings.iter().map(SettingRecord::from).collect();
    Json(SettingRecords { settings }).into_response()
}

impl From<&Setting> for SettingRecord {
    fn from(setting: &Setting) -> Self {
        let value = match setting.value.as_str() {
            _ if setting.is_secret => if setting.is_set { "set" } else { "not set" }.to_owned(),
            Some(text) => text.to_owned(),
            None => setting.value.to_string(),
        };
        let Setting { key, origin, is_secret, .. } = setting;
        Self { key: key.clone(), value, origin: origin.as_str(), secret: *is_secret }
    }
}
