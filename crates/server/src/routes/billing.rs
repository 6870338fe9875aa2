//! `/api/v1/billing/stripe/webhook`: what Stripe tells of payments.
//!
//! Stripe repeats what is not answered with 200, for days, and gives an endpoint up that refuses too much. So whatever
//! was understood is answered with 200, even where nothing comes of it; what cannot be trusted or read is 400, and a
//! store that does not answer is 503, so that it is told again. No session is touched by any of it.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode};
use tenure_domain::ends::Actor;
use tenure_domain::limit::STRIPE_EVENT_BYTES_MAX;
use tenure_domain::problem::Code;
use tenure_domain::stripe::signature::SignatureError;
use tenure_domain::stripe::{Event, Notice};
use tenure_domain::time::Timestamp;
use tenure_store::{Applied, Decree};

use crate::App;
use crate::http::actor::Anyone;
use crate::http::arrival::At;
use crate::http::body;
use crate::http::problem::Problem;
use crate::metrics::StripeEvent;

/// Who signs the acts.
const ACTOR: &str = "stripe";

/// Take an event of Stripe's.
///
/// For Stripe alone, which signs the body (`Stripe-Signature`). 200 without a body for what was understood, whether or
/// not it changes anything; 404 where no `stripe.webhook_secret` is configured.
#[utoipa::path(post, path = "/api/v1/billing/stripe/webhook", tag = "billing",
    request_body(content_type = "application/json", content = Object, description = "An event as Stripe signs it"),
    responses((status = 200, description = "Understood")))]
pub async fn stripe(
    State(app): State<Arc<App>>,
    _: Anyone,
    At(arrival): At,
    request: Request,
) -> Result<Response, Problem> {
    if app.stripe_secrets.is_empty() {
        return Err(Problem::not_found());
    }
    let headers = request.headers().clone();
    let body = body::raw(request, &app, STRIPE_EVENT_BYTES_MAX).await?;
    let count = |kind, outcome| {
        arrival.note_outcome(outcome);
        app.metrics.stripe_events.get_or_create(&StripeEvent { r#type: kind, outcome }).inc();
    };
    let event = match read(&app, &headers, &body, arrival.now) {
        Ok(event) => event,
        Err((outcome, problem)) => {
            count("", outcome);
            return Err(problem);
        }
    };
    let notice = match event {
        Event::Known(notice) => notice,
        Event::Unknown { kind } => {
            tracing::debug!(kind, "an event of Stripe's means nothing here");
            count("other", "unknown");
            return Ok(StatusCode::OK.into_response());
        }
    };
    let kind = notice.kind;
    let outcome = apply(&app, notice, arrival.now).await.inspect_err(|_| count(kind, "failed"))?;
    count(kind, outcome);
    Ok(StatusCode::OK.into_response())
}

/// Believes what a secret of ours has signed, and reads it.
fn read(
    app: &App,
    headers: &HeaderMap,
    body: &[u8],
    now: Timestamp,
) -> Result<Event, (&'static str, Problem)> {
    let refused = |detail, cause: String| Problem::new(Code::MalformedRequest, detail).with_cause(cause);
    let mut signatures = headers.get_all("stripe-signature").iter();
    let signature = match (signatures.next(), signatures.next()) {
        (Some(one), None) => one.as_bytes(),
        _ => b"",
    };
    let tolerance = app.settled.config.stripe.tolerance.0;
    let checked = app.stripe_secrets.check(signature, body, tolerance, now);
    checked.map_err(|error: SignatureError| {
        let detail = "The call does not carry a signature of Stripe's that is valid now.";
        ("bad_signature", refused(detail, error.to_string()))
    })?;
    Event::read(body).map_err(|error| ("unreadable", refused("The event cannot be read.", error.to_string())))
}

/// Takes an event into account; gives what is counted.
async fn apply(app: &App, notice: Notice, now: Timestamp) -> Result<&'static str, Problem> {
    let Notice { id, kind, customer, .. } = notice.clone();
    let decree = Decree { actor: Actor::Admin(ACTOR.into()), reason: Some(id.clone()) };
    let applied = app.store.billing_apply(notice, Arc::clone(&app.stripe_rules), decree, now).await?;
    Ok(match applied {
        Applied::Changed { account, unknown_price: None } => {
            tracing::info!(event = id, kind, account = %account.id, status = %account.status, "Stripe has told of an account");
            "applied"
        }
        Applied::Linked { account, unknown_price: None } => {
            tracing::info!(event = id, account = %account.id, customer, "an account has its customer");
            "linked"
        }
        Applied::Changed { account, unknown_price: Some(price) }
        | Applied::Linked { account, unknown_price: Some(price) } => {
            tracing::warn!(event = id, kind, account = %account.id, price, "no plan has this price; the account keeps the plan it had");
            "unknown_price"
        }
        Applied::Repeated => "repeated",
        Applied::Older => "older",
        Applied::Outlived => "outlived",
        Applied::NoSuchAccount => {
            tracing::warn!(event = id, kind, customer, "no account is known for this customer of Stripe's");
            "no_account"
        }
        Applied::Contested => {
            tracing::warn!(
                event = id,
                kind,
                customer,
                "the account has another customer, or the customer another account"
            );
            "contested"
        }
    })
}
