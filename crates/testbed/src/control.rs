//! Orders, as JSON over HTTP:
//!
//! | order | what it does |
//! |---|---|
//! | `GET /clock`, `POST /clock {"set": ms}` or `{"advance": ms}` | tells and moves the clock: `{"now": ms}` |
//! | `POST /users {"email", "password", "name"}`, with `"role"` if it is not `user` | creates a user: `{"id"}`, or 409 if the address is taken |
//! | `POST /sessions/end {"session"}` or `{"user"}`, with `"reason"` if it is not `admin_revoked` | ends one session, or all of a user (id or e-mail) and their access tokens: `{"ended": n}` |
//! | `POST /restart {"down_ms"}` | drops every connection, closes the store, and serves again on the same data and port |
//! | `POST /keys/rotate` | adds a signing key, as `tenure keys rotate` does: `{"kid"}` |
//! | `POST /faults`, `POST /faults/clear` | orders a [`Fault`]; takes all of them back |
//! | `GET /faults` | `{"standing": n}`, how many orders still wait for somebody to befall |
//! | `POST /panics {"count"}`, with `"after"` | so many of the next handlers panic, where [`crate::panics`] says |
//! | `GET /stats` | what was counted since the beginning: [`crate::stats::Stats`] |
//! | `GET /log` | the log since the last start, as text |
//!
//! What is not understood is 4xx, what fails is 500, each with the reason as text.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use tenure::Clock as _;
use tenure::metrics::Reason;
use tenure_domain::email::Email;
use tenure_domain::ends::{Actor, EndReason};
use tenure_domain::id::{SessionId, UserId};
use tenure_domain::user::Role;
use tenure_store::{Decree, EndOrder, Scope};
use tokio::net::TcpListener;

use crate::faults::Fault;
use crate::panics;
use crate::stats::Stats;
use crate::world::World;

pub async fn serve(listener: TcpListener, world: Arc<World>) {
    let orders = Router::new()
        .route("/clock", get(clock).post(move_clock))
        .route("/users", post(create_user))
        .route("/sessions/end", post(end_sessions))
        .route("/restart", post(restart))
        .route("/keys/rotate", post(rotate_keys))
        .route("/faults", get(standing_faults).post(order_fault))
        .route("/faults/clear", post(clear_faults))
        .route("/panics", post(order_panics))
        .route("/stats", get(stats))
        .route("/log", get(log))
        .with_state(world);
    if let Err(error) = axum::serve(listener, orders).await {
        eprintln!("testbed: orders are not taken any more: {error}");
    }
}

type TheWorld = State<Arc<World>>;
type Answer = Result<Json<Value>, Refusal>;

/// Why an order was not carried out.
struct Refusal(StatusCode, String);

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        (self.0, self.1).into_response()
    }
}

/// Everything that carries its own explanation is a failure of ours, unless it is told otherwise.
impl<E: Into<Box<dyn std::error::Error + Send + Sync>>> From<E> for Refusal {
    fn from(error: E) -> Self {
        Refusal(StatusCode::INTERNAL_SERVER_ERROR, error.into().to_string())
    }
}

fn refuse<T>(status: StatusCode, why: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal(status, why.into()))
}

async fn clock(State(world): TheWorld) -> Json<Value> {
    Json(json!({ "now": world.clock.now().as_ms() }))
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Move {
    Set(i64),
    Advance(i64),
}

async fn move_clock(State(world): TheWorld, Json(order): Json<Move>) -> Answer {
    let moved = match order {
        Move::Set(ms) => world.clock.set(ms),
        Move::Advance(ms) => world.clock.advance(ms),
    };
    match moved {
        true => Ok(clock(State(world)).await),
        false => refuse(StatusCode::CONFLICT, "the real time cannot be moved"),
    }
}

#[derive(Deserialize)]
struct NewPerson {
    email: String,
    password: String,
    name: String,
    #[serde(default)]
    role: Option<String>,
}

async fn create_user(State(world): TheWorld, Json(new): Json<NewPerson>) -> Answer {
    let Ok(role) = new.role.as_deref().unwrap_or("user").parse::<Role>() else {
        return refuse(StatusCode::UNPROCESSABLE_ENTITY, "that is no role");
    };
    match world.user_create(&new.email, &new.password, &new.name, role).await? {
        Some(id) => Ok(Json(json!({ "id": id }))),
        None => refuse(StatusCode::CONFLICT, format!("{} is taken", new.email)),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EndOf {
    session: Option<SessionId>,
    user: Option<String>,
    reason: Option<String>,
}

async fn end_sessions(State(world): TheWorld, Json(order): Json<EndOf>) -> Answer {
    let app = world.app().await;
    let reason = order.reason.as_deref().unwrap_or("admin_revoked");
    let Some(reason) = EndReason::ALL.into_iter().find(|known| known.as_str() == reason) else {
        return refuse(StatusCode::UNPROCESSABLE_ENTITY, format!("`{reason}` is no reason"));
    };
    let (user, scope) = match (order.session, order.user) {
        (Some(session), None) => match app.store.session_find(session).await? {
            Some(record) => (record.session.user_id, Scope::One(session)),
            None => return refuse(StatusCode::NOT_FOUND, format!("there is no session {session}")),
        },
        (None, Some(user)) => (find_user(&app, &user).await?, Scope::All),
        _ => return refuse(StatusCode::UNPROCESSABLE_ENTITY, "give either a session or a user"),
    };
    let order =
        EndOrder { reason, actor: Actor::Admin("testbed".into()), note: None, whence: Default::default() };
    let ended = app.store.session_end(user, scope, scope == Scope::All, order, world.clock.now()).await?;
    let newly = ended.iter().filter(|ended| ended.newly).count() as u64;
    app.metrics.ends.get_or_create(&Reason { reason: reason.as_str() }).inc_by(newly);
    Ok(Json(json!({ "ended": newly })))
}

async fn find_user(app: &tenure::App, named: &str) -> Result<UserId, Refusal> {
    if let Ok(id) = named.parse() {
        return Ok(id);
    }
    match app.store.user_find_by_email(Email::parse(named)?.key()).await? {
        Some(user) => Ok(user.id),
        None => refuse(StatusCode::NOT_FOUND, format!("there is no user {named}")),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Restart {
    /// Of real time.
    #[serde(default)]
    down_ms: u64,
}

async fn restart(State(world): TheWorld, Json(order): Json<Restart>) -> Answer {
    // In a task of its own: whoever orders it may hang up, and a server half started would help nobody.
    tokio::spawn(async move { world.restart(Duration::from_millis(order.down_ms)).await }).await??;
    Ok(Json(json!({})))
}

async fn rotate_keys(State(world): TheWorld) -> Answer {
    let app = world.app().await;
    let config = &app.settled.config;
    let decree = Decree { actor: Actor::Admin("testbed".into()), reason: None };
    let (ahead, lifetime) = (config.token.publish_ahead.0, config.session.access_lifetime.0);
    let key = app.keys.rotate(decree, world.clock.now(), ahead, lifetime).await?;
    Ok(Json(json!({ "kid": key.kid, "activates_at": key.activates_at.as_ms() })))
}

async fn standing_faults(State(world): TheWorld) -> Json<Value> {
    Json(json!({ "standing": world.faults.standing() }))
}

async fn order_fault(State(world): TheWorld, Json(fault): Json<Fault>) -> Json<Value> {
    world.faults.add(fault);
    Json(json!({}))
}

async fn clear_faults(State(world): TheWorld) -> Json<Value> {
    world.faults.clear();
    Json(json!({}))
}

async fn order_panics(State(world): TheWorld, Json(order): Json<panics::Order>) -> Json<Value> {
    world.panics.order(order);
    Json(json!({}))
}

async fn stats(State(world): TheWorld) -> Json<Stats> {
    Json(world.stats().await)
}

async fn log(State(world): TheWorld) -> String {
    world.log().await
}
