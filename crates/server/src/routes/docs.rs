//! Pages that explain the API: the OpenAPI document, and the same for people.

use std::fmt::Write as _;

use axum::response::{Html, IntoResponse, Response};
use http::{HeaderValue, header};
use tenure_domain::problem::Code;

use crate::App;
use crate::http::actor::Anyone;
use crate::http::openapi;
use crate::pages::escape;

/// The OpenAPI 3.1 document of this API.
#[utoipa::path(get, path = "/api/openapi.json", tag = "system",
    responses((status = 200, description = "This document", body = serde_json::Value)))]
pub async fn openapi_json(_: Anyone) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], openapi::json()).into_response()
}

pub async fn style(_: Anyone) -> Response {
    ([(header::CONTENT_TYPE, "text/css; charset=utf-8")], include_str!("docs/style.css")).into_response()
}

/// Every operation, from the document itself.
pub async fn page(_: Anyone) -> Response {
    let document = openapi::document();
    let mut main = String::from(
        "<h1>The API</h1><p>Errors are <a href=\"/api/docs/codes\">one closed list of codes</a>; the whole contract is <a href=\"/api/openapi.json\">openapi.json</a>.</p>",
    );
    for (path, item) in document["paths"].as_object().into_iter().flatten() {
        for (method, operation) in item.as_object().into_iter().flatten() {
            let text = |value: &serde_json::Value| escape(value.as_str().unwrap_or_default());
            let id = format!("{method}-{}", path.trim_matches('/').replace(['/', '{', '}'], "-"));
            let _ = write!(
                main,
                "<section id=\"{id}\"><h2><code><b>{}</b> {}</code></h2><p>{}</p><p class=\"more\">{}</p>",
                method.to_uppercase(),
                escape(path),
                text(&operation["summary"]),
                text(&operation["description"]),
            );
            let body = &operation["requestBody"]["content"]["application/json"]["schema"];
            if !body.is_null() {
                let _ =
                    write!(main, "<details><summary>Request</summary>{}</details>", fields(&document, body));
            }
            for (status, answer) in operation["responses"].as_object().into_iter().flatten() {
                if status.starts_with('2') {
                    let schema = &answer["content"]["application/json"]["schema"];
                    let _ = write!(
                        main,
                        "<details><summary>{status}: {}</summary>{}</details>",
                        text(&answer["description"]),
                        fields(&document, schema)
                    );
                }
            }
            main.push_str("</section>");
        }
    }
    html("Tenure API", &main)
}

/// Every code, with an anchor: what the `type` of a problem points to.
pub async fn codes(_: Anyone) -> Response {
    let mut main = String::from(
        "<h1>Error codes</h1><p>The list is closed. Only the codes marked <b>signs out</b> can end a session on the client.</p><table><thead><tr><th>code</th><th>status</th><th>class</th><th>what a client does</th></tr></thead><tbody>",
    );
    for code in Code::ALL {
        let mark = if code.ends_session() { " <b>signs out</b>" } else { "" };
        let _ = write!(
            main,
            "<tr id=\"{code}\"><td><code>{code}</code>{mark}<br>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>",
            escape(code.title()),
            code.status(),
            code.class().as_str(),
            escape(code.client_action()),
        );
    }
    main.push_str("</tbody></table>");
    html("Tenure error codes", &main)
}

/// What stands where the pages would, in a build without them.
pub fn without_pages(app: &App) -> Response {
    let mut main = String::from(
        "<h1>Tenure</h1><p>Sign-in and sessions whose users are never logged out at random. This server is running, but its pages are not in this build: <code>cargo xtask run</code> builds them.</p>\
         <p><a href=\"/api/docs\">The API</a> · <a href=\"/api/docs/codes\">Error codes</a> · <a href=\"/api/openapi.json\">openapi.json</a></p>",
    );
    if app.settled.development {
        let url = app.settled.public_url.to_string();
        let lines = try_it(&url, "you@example.com", "a password of yours");
        let _ = write!(main, "<h2>Sign in, refresh, sign out</h2><pre>{}</pre>", escape(&lines));
    }
    html("Tenure", &main)
}

/// Three lines that walk through a session with a cookie jar.
pub fn try_it(url: &str, email: &str, password: &str) -> String {
    format!(
        "curl -c jar -H 'Content-Type: application/json' -d '{{\"email\":\"{email}\",\"password\":\"{password}\",\"remember_me\":true}}' {url}/api/v1/auth/login\n\
         curl -c jar -b jar -X POST {url}/api/v1/auth/refresh\n\
         curl -c jar -b jar -X DELETE -i {url}/api/v1/auth/refresh\n"
    )
}

/// The fields of an object schema, references followed one level.
fn fields(document: &serde_json::Value, schema: &serde_json::Value) -> String {
    let schema = resolve(document, schema);
    let mut rows = String::from("<table><tbody>");
    let parts = schema["allOf"].as_array().cloned().unwrap_or_else(|| vec![schema.clone()]);
    for part in &parts {
        let part = resolve(document, part);
        for (name, property) in part["properties"].as_object().into_iter().flatten() {
            let kind = resolve(document, property)["type"]
                .to_string()
                .replace(['"', '[', ']'], "")
                .replace(',', " or ");
            let _ = write!(
                rows,
                "<tr><td><code>{}</code></td><td>{}</td><td>{}</td></tr>",
                escape(name),
                escape(&kind),
                escape(property["description"].as_str().unwrap_or_default())
            );
        }
    }
    rows.push_str("</tbody></table>");
    rows
}

fn resolve<'a>(document: &'a serde_json::Value, schema: &'a serde_json::Value) -> &'a serde_json::Value {
    match schema["$ref"].as_str().and_then(|reference| reference.strip_prefix('#')) {
        Some(pointer) => document.pointer(pointer).unwrap_or(schema),
        None => schema,
    }
}

fn html(title: &str, main: &str) -> Response {
    let page = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\"><title>{title}</title><link rel=\"stylesheet\" href=\"/api/docs/style.css\"><main>{main}</main></html>"
    );
    let policy = HeaderValue::from_static(
        "default-src 'none'; style-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    );
    ([(header::CONTENT_SECURITY_POLICY, policy)], Html(page)).into_response()
}
