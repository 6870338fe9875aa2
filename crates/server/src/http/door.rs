//! The layers around the routes, as one service.
//!
//! A router boxes and clones everything below each layer, for every layer and request; for layers as thin as
//! these that costs more than they do. So they are plain calls, in this order from the outside in:
//!
//! 1. trailing slashes are optional;
//! 2. the envelope: arrival, headers, error bodies, the canonical log line;
//! 3. where a page of some origin asks, CORS for the allowed ones, so that they can read even an error;
//! 4. the origin check, before any body is read;
//! 5. the guards: a panic becomes 500 and a slow answer 503, for that request only.
//!
//! Bodies are limited where they are read (`body`), rates where the key is known (sign-in, refresh).

use std::convert::Infallible;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::Router;
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt as _;
use http::{Method, Uri, header};
use tenure_domain::problem::Code;
use tower::{Layer as _, Service};
use tower_http::cors::Cors;

use crate::App;
use crate::http::envelope::envelope;
use crate::http::problem::Problem;
use crate::routes::observations;

/// Answers the requests of the API listener. Cheap to clone.
#[derive(Clone)]
pub struct Door {
    app: Arc<App>,
    guarded: Guarded,
    cors: Cors<Guarded>,
}

impl Door {
    pub fn new(app: Arc<App>, routes: Router<Arc<App>>) -> Self {
        let guarded = Guarded { app: Arc::clone(&app), routes: routes.with_state(Arc::clone(&app)) };
        Self { cors: app.origins.cors().layer(guarded.clone()), guarded, app }
    }

    pub async fn answer(mut self, mut request: Request) -> Response {
        trim_trailing_slash(&mut request);
        let crosses_origins = request.headers().contains_key(header::ORIGIN);
        envelope(&self.app, request, async |request| match crosses_origins {
            true => self.cors.call(request).await,
            false => self.guarded.call(request).await,
        })
        .await
    }
}

/// `/x/` is `/x`.
fn trim_trailing_slash(request: &mut Request) {
    let path = request.uri().path();
    let trimmed = path.trim_end_matches('/');
    if trimmed.len() == path.len() || trimmed.is_empty() {
        return;
    }
    let target = match request.uri().query() {
        Some(query) => format!("{trimmed}?{query}"),
        None => trimmed.to_owned(),
    };
    if let Ok(uri) = target.parse::<Uri>() {
        *request.uri_mut() = uri;
    }
}

/// The routes behind the origin check and the guards. A service of its own because CORS wraps one.
#[derive(Clone)]
struct Guarded {
    app: Arc<App>,
    routes: Router,
}

impl Service<Request> for Guarded {
    type Response = Response;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request) -> Self::Future {
        if let Err(problem) = check_origin(&self.app, &request) {
            return Box::pin(std::future::ready(Ok(problem.into_response())));
        }
        let app = Arc::clone(&self.app);
        let answer = self.routes.call(request);
        Box::pin(async move {
            let limit = app.settled.config.server.request_timeout.0;
            let caught = AssertUnwindSafe(answer).catch_unwind();
            Ok(match tokio::time::timeout(limit, caught).await {
                Ok(Ok(Ok(response))) => response,
                Ok(Err(_panic)) => panicked(&app).into_response(),
                Err(_elapsed) => too_slow().into_response(),
            })
        })
    }
}

/// Everything that changes something has to come from an allowed page, or from no page at all. Pages of observed
/// applications may tell what they see, and do nothing else.
fn check_origin(app: &App, request: &Request) -> Result<(), Problem> {
    match *request.method() {
        Method::GET | Method::HEAD | Method::OPTIONS => Ok(()),
        _ if request.uri().path() == observations::PATH
            && app.origins.observed(request.headers()).is_some() =>
        {
            Ok(())
        }
        _ => app.origins.check(request.headers()),
    }
}

fn panicked(app: &App) -> Problem {
    app.metrics.panics.inc();
    Problem::new(Code::InternalError, "Something went wrong here; quote the request id.")
        .with_cause("a handler panicked")
}

/// What it began in the store may still be finished there; the protocol tolerates an answer that was lost.
fn too_slow() -> Problem {
    Problem::new(Code::StorageUnavailable, "The answer took too long; try again.")
        .with_cause("request timeout")
}
