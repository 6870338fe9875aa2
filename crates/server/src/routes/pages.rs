//! The pages, and their forms for browsers without scripts. What they are made of is in [`crate::pages`].

pub mod forms;

use std::sync::Arc;

use axum::extract::{Query, State};
use axum::response::{Html, IntoResponse, Redirect, Response};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri, header};
use serde::Deserialize;

use crate::App;
use crate::http::actor::Anyone;
use crate::http::etag;
use crate::pages::{Carried, File};
use crate::routes::docs;

/// What the address of a page may say.
#[derive(Default, Deserialize)]
struct Asked {
    #[serde(default)]
    return_to: String,
}

/// The playground in development; there is nothing to play with in production.
pub async fn root(State(app): State<Arc<App>>, _: Anyone, uri: Uri, headers: HeaderMap) -> Response {
    match app.settled.development {
        true => show(&app, "playground.html", &uri, &headers),
        false => see_other(&app, "/account"),
    }
}

pub async fn sign_in(State(app): State<Arc<App>>, _: Anyone, uri: Uri, headers: HeaderMap) -> Response {
    show(&app, "sign-in.html", &uri, &headers)
}

pub async fn sign_up(State(app): State<Arc<App>>, _: Anyone, uri: Uri, headers: HeaderMap) -> Response {
    show(&app, "sign-up.html", &uri, &headers)
}

pub async fn account(State(app): State<Arc<App>>, _: Anyone, uri: Uri, headers: HeaderMap) -> Response {
    show(&app, "account.html", &uri, &headers)
}

/// Where the link of a password reset leads. Its token is behind a `#`, which no browser sends.
pub async fn reset_password(
    State(app): State<Arc<App>>,
    _: Anyone,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    show(&app, "reset-password.html", &uri, &headers)
}

/// The administrators' console. The page is the same for everybody; what it shows, it asks the admin API for.
pub async fn console(State(app): State<Arc<App>>, _: Anyone, uri: Uri, headers: HeaderMap) -> Response {
    show(&app, "admin.html", &uri, &headers)
}

/// Where password managers look for the form that changes a password.
pub async fn change_password(State(app): State<Arc<App>>, _: Anyone) -> Response {
    see_other(&app, "/account#password")
}

/// A page as it is before anything was posted. It is asked for anew each time but kept by its tag: `no-store`
/// would keep the browser from bringing it back as it was (bfcache), and it holds nothing that is secret.
fn show(app: &App, page: &str, uri: &Uri, headers: &HeaderMap) -> Response {
    let asked = Query::<Asked>::try_from_uri(uri).map(|Query(asked)| asked).unwrap_or_default();
    let return_to = return_target(app, &asked.return_to);
    let Some(html) = app.pages.render(page, &Carried { return_to: &return_to, ..Carried::default() }) else {
        return docs::without_pages(app);
    };
    let tag = etag::of(&File::of(html.as_bytes().to_vec()).sha256);
    let mut response = match etag::is_known(headers, &tag) {
        true => StatusCode::NOT_MODIFIED.into_response(),
        false => Html(html).into_response(),
    };
    dress(app, &mut response);
    response.headers_mut().insert(header::ETAG, tag);
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}

/// The headers in which a page differs from every other answer. The referrer policy is not stricter because
/// without a referrer a browser sends `Origin: null` with a form, which nobody may.
fn dress(app: &App, response: &mut Response) {
    const OPENER: HeaderName = HeaderName::from_static("cross-origin-opener-policy");
    const PERMISSIONS: HeaderName = HeaderName::from_static("permissions-policy");
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, app.pages.policy());
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    headers.insert(OPENER, HeaderValue::from_static("same-origin"));
    let none = "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()";
    headers.insert(PERMISSIONS, HeaderValue::from_static(none));
}

/// Sends a browser to one of our pages.
fn see_other(app: &App, page: &str) -> Response {
    Redirect::to(&address(app, page)).into_response()
}

/// A page's address as browsers see it: the proxy in front may serve us below a path.
fn address(app: &App, page: &str) -> String {
    format!("{}{page}", app.settled.public_url.path)
}

/// Where to go after signing in: where somebody wanted to go if we know the place, else the account.
fn return_target(app: &App, wanted: &str) -> String {
    match app.origins.knows_target(wanted) {
        true => wanted.to_owned(),
        false => address(app, "/account"),
    }
}
