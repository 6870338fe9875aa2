//! The OpenAPI document: the routes' own annotations, plus what every operation has in common.

use std::sync::LazyLock;

use serde_json::{Value, json};
use tenure_domain::account::AccountStatus;
use tenure_domain::client_report::ReportKind;
use tenure_domain::ends::EndReason;
use tenure_domain::event::EventKind;
use tenure_domain::problem::{Class, Code};
use tenure_domain::user::Role;
use utoipa::OpenApi;
use utoipa::openapi::Ref;

use crate::http::problem::{Body, FieldError};
use crate::routes::{admin, auth, billing, docs, observations, system, well_known};

#[derive(OpenApi)]
#[openapi(
    info(title = "Tenure", description = "Sign-in and sessions whose users are never logged out at random."),
    paths(
        auth::register::post,
        auth::login::post,
        auth::exchange::post,
        auth::exchange::tickets,
        auth::refresh::post,
        auth::refresh::delete,
        auth::logout::post,
        auth::logout_event::post,
        auth::profile::get,
        auth::profile::patch,
        auth::api_keys::list,
        auth::api_keys::create,
        auth::api_keys::rotate,
        auth::api_keys::revoke,
        auth::check::get,
        auth::entitlements::get,
        auth::plans::plans,
        auth::plans::industries,
        auth::password::change,
        auth::password::reset,
        auth::revocations::get,
        auth::events::get,
        auth::sessions::list,
        auth::sessions::end,
        auth::timeline::get,
        admin::session::post,
        admin::session::get,
        admin::session::delete,
        admin::session::confirm,
        admin::overview::get,
        admin::accounts::list,
        admin::accounts::create,
        admin::accounts::show,
        admin::accounts::change,
        admin::plans::list,
        admin::plans::save,
        admin::users::list,
        admin::users::create,
        admin::users::show,
        admin::users::change,
        admin::users::endings::delete,
        admin::users::endings::disable,
        admin::users::enable,
        admin::users::endings::sign_out,
        admin::users::endings::set_password,
        admin::users::reset::create,
        admin::sessions::list,
        admin::sessions::show,
        admin::sessions::end,
        admin::api_keys::list,
        admin::api_keys::revoke,
        admin::signing_keys::list,
        admin::signing_keys::rotate,
        admin::signing_keys::retire,
        admin::client_reports::list,
        admin::client_reports::stats,
        admin::settings::list,
        admin::timeline::get,
        admin::acts::list,
        admin::events::list,
        admin::events::export,
        billing::stripe,
        observations::post,
        system::ping,
        system::status,
        well_known::jwks,
        docs::openapi_json,
    ),
    components(schemas(Body, FieldError))
)]
struct Annotated;

/// The names of a closed set that the document has once, for the fields of answers that hold one.
pub fn account_status() -> Ref {
    Ref::from_schema_name("AccountStatus")
}

pub fn user_role() -> Ref {
    Ref::from_schema_name("UserRole")
}

pub fn end_reason() -> Ref {
    Ref::from_schema_name("EndReason")
}

pub fn event_kind() -> Ref {
    Ref::from_schema_name("EventKind")
}

pub fn report_kind() -> Ref {
    Ref::from_schema_name("ReportKind")
}

/// The document, as committed in `api/openapi.json`.
pub fn json() -> String {
    static TEXT: LazyLock<String> =
        LazyLock::new(|| serde_json::to_string_pretty(&document()).unwrap_or_default() + "\n");
    TEXT.clone()
}

pub fn document() -> Value {
    let mut document = serde_json::to_value(Annotated::openapi()).unwrap_or_default();
    if let Some(info) = document["info"].as_object_mut() {
        // The licence of the code says nothing about the API; the version is the binary's.
        info.remove("license");
        info.remove("contact");
    }
    let schemas = &mut document["components"]["schemas"];
    let class_of = Code::ALL.into_iter().map(|code| (code.as_str().to_owned(), code.class().as_str().into()));
    schemas["ErrorCode"] = json!({
        "type": "string", "description": "The closed set of error codes.",
        "enum": Code::ALL.iter().map(|code| code.as_str()).collect::<Vec<_>>(),
        "x-signs-out": Code::ALL.into_iter().filter(|code| code.ends_session()).map(Code::as_str).collect::<Vec<_>>(),
        "x-class": class_of.collect::<serde_json::Map<_, _>>(),
    });
    let classes = [Class::Authentication, Class::Authorization, Class::Request, Class::Transport];
    schemas["ErrorClass"] = json!({ "type": "string", "enum": classes.map(Class::as_str) });
    schemas["EndReason"] = json!({
        "type": "string", "description": "The closed set of reasons for which a session ends.",
        "enum": EndReason::ALL.map(EndReason::as_str),
    });
    schemas["EventKind"] = json!({
        "type": "string", "description": "The kinds of events that this version writes down.",
        "enum": EventKind::ALL.map(EventKind::as_str),
    });
    schemas["ReportKind"] = json!({
        "type": "string", "description": "What browsers report a sign-out as.",
        "enum": ReportKind::ALL.map(ReportKind::as_str),
    });
    schemas["AccountStatus"] =
        json!({ "type": "string", "enum": AccountStatus::ALL.map(AccountStatus::as_str) });
    schemas["UserRole"] = json!({ "type": "string", "enum": Role::ALL.map(Role::as_str) });
    document["components"]["securitySchemes"] = json!({
        "access_token": { "type": "http", "scheme": "bearer", "bearerFormat": "JWT" },
        "api_key": {
            "type": "apiKey", "in": "header", "name": "X-API-Key",
            "description": "A key of an account; `Authorization: Bearer` takes it, too.",
        },
        "session_cookie": {
            "type": "apiKey", "in": "cookie", "name": "__Secure-tenure_<session>",
            "description": "HttpOnly, one per session, set by sign-in and refresh.",
        },
        "console_cookie": {
            "type": "apiKey", "in": "cookie", "name": "__Secure-tenure-console",
            "description": "HttpOnly, for `/api/v1/admin` alone, set by signing in to the console.",
        },
    });
    document["components"]["responses"]["Problem"] = json!({
        "description": "An error; programs switch on `code`.",
        "content": { "application/problem+json": { "schema": { "$ref": "#/components/schemas/Problem" } } },
    });
    for (path, item) in document["paths"].as_object_mut().into_iter().flatten() {
        for (method, operation) in item.as_object_mut().into_iter().flatten() {
            add_errors(operation, method, path);
        }
    }
    document
}

/// The statuses that every operation of its kind can be refused with.
fn add_errors(operation: &mut Value, method: &str, path: &str) {
    let secured = operation["security"].to_string();
    let mut statuses = vec!["500", "503"];
    if method != "get" {
        statuses.push("403");
    }
    // Takes whatever comes and answers 202, with or without a token.
    let refuses = !path.ends_with("/logout-event");
    if refuses && !operation["requestBody"].is_null() {
        statuses.extend(["400", "413", "415", "422"]);
    }
    if refuses && secured.contains("access_token") {
        statuses.extend(["401", "429"]);
    }
    if path.ends_with("/login") {
        statuses.push("401");
    }
    if path.contains("/admin/") {
        statuses.extend(["401", "403", "429"]);
    }
    if path.ends_with("/auth/refresh") && method == "post" {
        statuses.extend(["400", "401", "409", "429"]);
    }
    if ["/login", "/register", "/password/change", "/password/reset"].iter().any(|end| path.ends_with(end)) {
        statuses.push("429");
    }
    if path.contains("/auth/exchange") {
        statuses.extend(["400", "403", "404", "429"]);
    }
    if path.ends_with("/auth/exchange") {
        statuses.push("409");
    }
    if path.ends_with("/auth/exchange/tickets") {
        statuses.push("401");
    }
    if path.ends_with("/auth/api-keys") {
        statuses.extend(["402", "403"]);
    }
    if path.ends_with("/auth/revocations") {
        statuses.push("403");
    }
    if path.ends_with("/auth/check") {
        statuses.extend(["400", "402", "403", "422"]);
    }
    if path.contains("/admin/") {
        statuses.extend(["400", "403", "422"]);
    }
    if path.ends_with("/admin/users") && method == "post" {
        statuses.push("409");
    }
    if path.ends_with("/auth/entitlements") {
        statuses.extend(["400", "422"]);
    }
    if path.ends_with("/stripe/webhook") {
        statuses.push("404");
    }
    if path.ends_with("/register") {
        statuses.push("409");
    }
    for status in statuses.into_iter().chain(["404"].into_iter().filter(|_| path.contains('{'))) {
        operation["responses"][status] = json!({ "$ref": "#/components/responses/Problem" });
    }
}

/// The table of codes, as committed in `api/errors.md`.
pub fn errors_md() -> String {
    let mut page = String::from(
        "# Error codes\n\nGenerated by `tenure openapi --errors`; do not edit. The list is closed: whatever a client does not recognise is transport.\n\n| code | status | class | signs out | meaning | what a client does |\n|---|---|---|---|---|---|\n",
    );
    for code in Code::ALL {
        let signs_out = if code.ends_session() { "**yes**" } else { "no" };
        page.push_str(&format!(
            "| `{code}` | {} | {} | {signs_out} | {} | {} |\n",
            code.status(),
            code.class().as_str(),
            code.title(),
            code.client_action()
        ));
    }
    page.push_str("\n# End reasons\n\nWhy a session ended: in the `reason` of `session_expired` and `session_revoked`.\n\n| reason | code | what the person is told |\n|---|---|---|\n");
    for reason in EndReason::ALL {
        page.push_str(&format!("| `{reason}` | `{}` | {} |\n", reason.code(), reason.sentence()));
    }
    page
}
