//! `POST` and `DELETE /api/v1/auth/refresh`: the endpoint that the session cookies are sent to, and no other.

use std::sync::Arc;

use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use http::HeaderMap;
use serde::Deserialize;
use tenure_domain::ends::{Actor, EndReason};
use tenure_domain::event::EventKind;
use tenure_domain::id::SessionId;
use tenure_domain::limit::SESSION_COOKIES_MAX;
use tenure_domain::problem::Code;
use tenure_domain::rotation::Replay;
use tenure_domain::time::{EXPIRY_GRACE, Freshness, Timestamp};
use tenure_store::{EndOrder, Ended, RefreshRequest, Refreshed, StoreError};

use super::{SignedInAnswer, count_ends, delete_cookies, hand_out, no_content, sent_at};
use crate::App;
use crate::http::actor::Anyone;
use crate::http::arrival::{Arrival, At};
use crate::http::cookie::Jar;
use crate::http::problem::Problem;
use crate::keys::KeyError;
use crate::metrics::Outcome;
use crate::telemetry::trace::{SpanKind, Value};

/// Refresh: a new access token, and the next string for the cookie.
///
/// Safe to repeat, from any number of tabs. Only the five codes of class `authentication` say that the
/// session is over; whatever else happens, the session stands and every cookie stays as it is.
#[utoipa::path(post, path = "/api/v1/auth/refresh", tag = "auth",
    params(("Tenure-Sent-At" = Option<i64>, Header,
        description = "When the request was sent, Unix milliseconds in server time; older than 15 s is refused")),
    security(("session_cookie" = [])),
    responses((status = 200, description = "Refreshed; the session's cookie is set anew", body = SignedInAnswer)))]
pub async fn post(State(app): State<Arc<App>>, _: Anyone, At(arrival): At, headers: HeaderMap) -> Response {
    let timer = app.metrics.time_refresh();
    arrival.span_begin();
    let response = refresh(&app, &arrival, &headers).await.unwrap_or_else(|refused| {
        arrival.note_outcome(refused.problem.code.as_str());
        app.note_refusal(&arrival, &refused.problem);
        let mut response = refused.problem.into_response();
        delete_cookies(&app, &mut response, refused.ended);
        response
    });
    timer.finish();
    let outcome = arrival.outcome().unwrap_or("unknown");
    app.metrics.refreshes.get_or_create(&Outcome { outcome }).inc();
    arrival.span_end("session.refresh", SpanKind::Internal, response.status().is_server_error(), || {
        let mut attributes = vec![("session.outcome", Value::Text(outcome.into()))];
        if let Some((generation, replay)) = arrival.rotation() {
            attributes.push(("session.generation", Value::Number(generation.0.into())));
            let replay = replay.map_or("none", Replay::as_str);
            attributes.push(("session.replay", Value::Text(replay.into())));
        }
        attributes
    });
    response
}

/// A refresh that was not served, and the sessions found to have ended, whose cookies go.
struct Refused {
    problem: Problem,
    ended: Vec<SessionId>,
}

impl<T: Into<Problem>> From<T> for Refused {
    fn from(problem: T) -> Self {
        Self { problem: problem.into(), ended: vec![] }
    }
}

async fn refresh(app: &App, arrival: &Arrival, headers: &HeaderMap) -> Result<Response, Refused> {
    // A clock that is days ahead would find every session's time to be over, and end it.
    if let Some(offset) = app.node_clock.misjudges() {
        let detail = "This server's clock is wrong, so it judges no session by it; try again.";
        return Err(Problem::new(Code::SessionUnverifiable, detail).with_cause(offset).into());
    }
    let freshness = app.settled.times.freshness_of(sent_at(headers)?, arrival.now);
    if freshness == Freshness::Stale {
        return Err(Problem::new(Code::RequestStale, "Sent too long ago, by the server's clock.").into());
    }
    let mut jar = app.cookies.read(headers, &app.refresh_rules.keys);
    // What a doubted clock calls over may not be. Whatever it does not call over is served.
    let is_unsure = !app.may_end_by_clock(arrival.now) && set_aside(&mut jar, arrival.now);
    let answer = refresh_jar(app, arrival, freshness, &jar).await;
    answer.map_err(|refused| match is_unsure {
        true => Refused { problem: more_telling(Some(refused.problem), unsure()), ..refused },
        false => refused,
    })
}

/// Takes out of a jar what is over by the clock; whether that was anything.
fn set_aside(jar: &mut Jar, now: Timestamp) -> bool {
    let all = jar.tokens.len();
    jar.tokens.retain(|token| !is_over(token.claims.expires_at, now));
    jar.tokens.len() < all || jar.unknown_key_until.is_some_and(|until| is_over(until, now))
}

fn unsure() -> Problem {
    let detail = "This server's clock is in doubt, so it ends no session by it; try again.";
    Problem::new(Code::SessionUnverifiable, detail)
}

async fn refresh_jar(
    app: &App,
    arrival: &Arrival,
    freshness: Freshness,
    jar: &Jar,
) -> Result<Response, Refused> {
    let Some(newest) = jar.tokens.first() else {
        return Err(nothing_readable(app, jar, arrival.now).into());
    };
    app.limits.refresh(newest.claims.session_id, &arrival.standings)?;
    // Without a key no access token could be handed out: better not to begin.
    app.keys.current().await.map_err(|error| match error {
        KeyError::Store(error) => without_store(jar, arrival.now, error),
        other => other.into(),
    })?;
    let tokens = jar.tokens.iter().take(SESSION_COOKIES_MAX).copied().collect();
    let request =
        RefreshRequest { tokens, freshness, rules: Arc::clone(&app.refresh_rules), whence: arrival.whence() };
    arrival.span_begin();
    let outcomes = app.store.session_refresh(request, arrival.now).await;
    arrival.span_end("store.session_refresh", SpanKind::Client, outcomes.is_err(), Vec::new);
    match outcomes {
        Ok(outcomes) => reply(app, arrival, outcomes).await,
        Err(error) => Err(without_store(jar, arrival.now, error).into()),
    }
}

/// Answers by the decisive outcome: the one that is alive, or of those that are not, the newest.
async fn reply(app: &App, arrival: &Arrival, outcomes: Vec<Refreshed>) -> Result<Response, Refused> {
    let mut ended = vec![];
    let mut refusal = None;
    for outcome in outcomes {
        let problem = match outcome {
            Refreshed::Served { session, person, replay, written } => {
                app.metrics.note_replay(replay);
                arrival.note_rotation(session.rotation.head, replay);
                if replay == Some(Replay::Ahead) {
                    app.metrics.rewound.inc();
                }
                arrival.note_outcome(match (replay, written) {
                    (Some(Replay::Ahead), _) => "rewound",
                    (_, true) => "rotated",
                    (_, false) => "repeated",
                });
                let served = hand_out(app, arrival, &session, &person).await;
                let mut response = served.map_err(|problem| Refused { problem, ended: ended.clone() })?;
                if replay == Some(Replay::Ahead) {
                    app.note_of(arrival, EventKind::Rewound, "store_was_behind");
                }
                delete_cookies(app, &mut response, ended);
                return Ok(response);
            }
            Refreshed::Superseded { session_id } => {
                note_dead(app);
                let detail = "This refresh token has been superseded; refresh again in a moment.";
                let problem = Problem::new(Code::RefreshSuperseded, detail).for_session(session_id);
                return Err(Refused { problem, ended });
            }
            Refreshed::Refused { session_id } => {
                note_dead(app);
                let detail = "This browser holds an old copy of the session; sign in again here.";
                let problem = Problem::new(Code::SessionSuperseded, detail).for_session(session_id);
                return Err(Refused { problem, ended });
            }
            Refreshed::Ended { session_id, end, newly } => {
                if end.reason == EndReason::TokenReuse && newly {
                    note_dead(app);
                }
                count_ends(app, arrival, &[Ended { session_id, end: end.clone(), newly }]);
                ended.push(session_id);
                Problem::ended(session_id, &end)
            }
            Refreshed::NotAuthentic => not_found(),
            Refreshed::Missing { expires_at } => missing(app, expires_at, arrival.now),
            Refreshed::Unreadable { session_id, cause } => {
                let detail = "The session's record cannot be read just now.";
                Problem::new(Code::StorageUnavailable, detail).for_session(session_id).with_cause(cause)
            }
        };
        refusal = Some(more_telling(refusal, problem));
    }
    Err(Refused { problem: refusal.unwrap_or_else(not_found), ended })
}

/// Counts an old copy of a token.
fn note_dead(app: &App) {
    app.metrics.dead_tokens.inc();
    app.metrics.note_replay(Some(Replay::Dead));
}

/// Of two refusals the one that leaves the session standing wins: nobody is signed out while one of their
/// sessions may yet be alive. Otherwise the earlier one, of the newer session, does.
fn more_telling(earlier: Option<Problem>, later: Problem) -> Problem {
    match earlier {
        Some(earlier) if earlier.code.ends_session() && !later.code.ends_session() => later,
        Some(earlier) => earlier,
        None => later,
    }
}

fn nothing_readable(app: &App, jar: &Jar, now: Timestamp) -> Problem {
    match jar.unknown_key_until {
        Some(expires_at) => missing(app, expires_at, now),
        None if jar.any => not_found(),
        None => Problem::new(Code::NoSession, "The browser sent no session cookie."),
    }
}

fn not_found() -> Problem {
    Problem::new(Code::SessionNotFound, "There is no such session.")
}

fn is_over(expires_at: Timestamp, now: Timestamp) -> bool {
    now >= expires_at + EXPIRY_GRACE
}

/// Absence is never proof of an end (protocol.md section 3).
fn missing(app: &App, expires_at: Timestamp, now: Timestamp) -> Problem {
    if is_over(expires_at, now) {
        return Problem::new(Code::SessionExpired, "The session's time is over.");
    }
    app.metrics.unverifiable.inc();
    if app.settled.missing_is_ended {
        return not_found();
    }
    let detail = "The session's record is missing, which says nothing about the session; try again.";
    Problem::new(Code::SessionUnverifiable, detail)
}

/// With the store down nothing is known, except that a token past its own expiry is past it.
fn without_store(jar: &Jar, now: Timestamp, error: StoreError) -> Problem {
    match jar.tokens.first() {
        Some(newest) if jar.tokens.iter().all(|token| is_over(token.claims.expires_at, now)) => {
            let problem = Problem::new(Code::SessionExpired, "The session's time is over.");
            problem.for_session(newest.claims.session_id).with_cause(error)
        }
        _ => error.into(),
    }
}

#[derive(Deserialize)]
pub struct Asked {
    up_to: Option<String>,
}

/// Sign out in this browser: ends every session in its jar.
///
/// `up_to` spares sign-ins that came after that session: for a sign-out that could not be delivered at once.
#[utoipa::path(delete, path = "/api/v1/auth/refresh", tag = "auth", security(("session_cookie" = [])),
    params(("up_to" = Option<String>, Query, description = "End this session and earlier ones only, as in `ses_...`")),
    responses((status = 204, description = "Signed out, or nobody was signed in; the cookies are deleted")))]
pub async fn delete(
    State(app): State<Arc<App>>,
    _: Anyone,
    At(arrival): At,
    Query(asked): Query<Asked>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let unreadable = |_| Problem::new(Code::MalformedRequest, "`up_to` is a session's id, as in `ses_...`.");
    let up_to: Option<SessionId> = asked.up_to.map(|id| id.parse().map_err(unreadable)).transpose()?;
    let jar = app.cookies.read(&headers, &app.refresh_rules.keys);
    // Ids of sessions sort by the time of their sign-in.
    let is_meant = |id| up_to.is_none_or(|last| id <= last);
    let meant = jar.tokens.iter().filter(|token| is_meant(token.claims.session_id)).copied();
    let meant: Vec<_> = meant.collect();
    let mut left_out = vec![];
    let mut response = no_content();
    if jar.tokens.is_empty() {
        // Nobody vouches for a token under an unknown key, so it counts only if there is no other.
        left_out.extend(jar.unknown_key_until);
    } else {
        let order = EndOrder {
            reason: EndReason::SignedOut,
            actor: Actor::User,
            note: None,
            whence: arrival.whence(),
        };
        let rules = Arc::clone(&app.refresh_rules);
        let ended = app.store.session_end_presented(meant.clone(), rules, order, arrival.now).await?;
        if let Some(first) = ended.first() {
            arrival.note_session(first.session_id);
        }
        count_ends(&app, &arrival, &ended);
        let is_ended = |id| ended.iter().any(|ended| ended.session_id == id);
        let rest = meant.iter().filter(|token| !is_ended(token.claims.session_id));
        left_out.extend(rest.map(|token| token.claims.expires_at));
        delete_cookies(&app, &mut response, ended.iter().map(|ended| ended.session_id));
    }
    // What we issued but cannot find now may be found again later, and would then be signed in: not done.
    let standing = left_out.into_iter().find(|expires_at| !is_over(*expires_at, arrival.now));
    match standing {
        Some(expires_at) if !app.settled.missing_is_ended => {
            let mut refusal = missing(&app, expires_at, arrival.now).into_response();
            refusal.headers_mut().extend(std::mem::take(response.headers_mut()));
            Ok(refusal)
        }
        _ => Ok(response),
    }
}
