//! `/api/v1/auth/events`: what the tabs of a session are told at once.

use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use axum::body::Bytes;
use axum::extract::State;
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures_util::stream;
use serde::Serialize;
use tenure_domain::access_token::AccessClaims;
use tenure_domain::ends::End;
use tenure_domain::id::SessionId;
use tenure_domain::problem::Code;
use tenure_domain::revocation::event;
use tenure_domain::session;
use tenure_domain::time::Timestamp;
use tenure_store::{Caller, Membership, Person, StoreError};
use tokio::sync::mpsc;
use tokio::time::{Duration, Instant, sleep, timeout_at};

use super::as_it_comes;
use super::profile::ProfileAnswer;
use crate::App;
use crate::http::actor::SignedIn;
use crate::http::arrival::{Arrival, At};
use crate::http::problem::Problem;
use crate::metrics::Outcome;
use crate::tab_feed::{Interest, Place, Rung};

/// After a look that the store did not answer.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// Pieces that wait to be written.
const UNREAD_MAX: usize = 1;

/// A comment, which keeps proxies and listeners from taking the connection for dead.
const BEAT: Bytes = Bytes::from_static(b":\n\n");

#[derive(Serialize)]
struct Begin {
    server_time: Timestamp,
    /// Milliseconds between two signs of life.
    heartbeat: u64,
    /// Another one than a listener was told last says that something has changed meanwhile.
    state: Fingerprint,
}

#[derive(Serialize)]
struct Changed {
    server_time: Timestamp,
    session: SessionId,
    /// None where it is not for this listener to know any more.
    state: Option<Fingerprint>,
}

/// What the profile of the person says, in short, to compare.
type Fingerprint = String;

/// Tells a browser at once that its session has ended, or that something about the person has changed.
///
/// Server-sent events: `begin` once; `ended` with the problem that a refresh would be answered with, after which the
/// stream ends; `changed`, after which one asks. It is a hint: whoever hears of an end refreshes, and goes by that
/// answer. The stream ends with the access token, and when the server stops.
#[utoipa::path(get, path = "/api/v1/auth/events", tag = "auth", security(("access_token" = [])),
    responses((status = 200, description = "The stream", content_type = "text/event-stream", body = String)))]
pub async fn get(
    State(app): State<Arc<App>>,
    SignedIn { claims, person, .. }: SignedIn,
    At(arrival): At,
) -> Result<Response, Problem> {
    app.revocations.begin(&app);
    let interest = Interest { session: claims.sid, user: person.id, account: person.account_id };
    let full = || Problem::new(Code::Overloaded, "As many listen as may; you will find out without it.");
    let mut place = app.tab_feed.listen(interest).ok_or_else(full)?;
    // Looked up anew by the stream: something may have changed before there was a bell to ring.
    place.ring_in(Duration::ZERO);
    let (pieces, mut told) = mpsc::channel(UNREAD_MAX);
    let telling = Telling { app, arrival, claims, place, beat_at: Instant::now(), state: None };
    tokio::spawn(telling.run(pieces));
    Ok(as_it_comes(stream::poll_fn(move |context| told.poll_recv(context))))
}

struct Telling {
    app: Arc<App>,
    arrival: Arc<Arrival>,
    claims: Arc<AccessClaims>,
    place: Place,
    /// Whatever is told in between, a beat comes in time.
    beat_at: Instant,
    /// What was told last; none before the beginning.
    state: Option<Fingerprint>,
}

/// What a look has brought.
enum Seen {
    Nothing,
    /// Told, and the stream goes on.
    News(String),
    /// The last that this stream has to say.
    Last(String),
}

impl Telling {
    /// Apart from the body, which nobody asks for more once a listener has stopped reading: its place is free again when
    /// its token ends, whatever it does.
    async fn run(self, pieces: mpsc::Sender<Bytes>) {
        let is_over = over(Arc::clone(&self.app), self.claims.exp);
        tokio::select! {
            () = pieces.closed() => {}
            () = is_over => {}
            () = self.tell(&pieces) => {}
        }
    }

    async fn tell(mut self, pieces: &mpsc::Sender<Bytes>) {
        loop {
            let piece = match timeout_at(self.beat_at, self.place.rung()).await {
                Err(_) => {
                    self.beat_at = Instant::now() + self.app.settled.config.events.heartbeat.0;
                    BEAT
                }
                Ok(Rung::HangUp) => return,
                Ok(Rung::Look) => match self.look().await {
                    Ok(Seen::Nothing) => continue,
                    Ok(Seen::News(text)) => text.into(),
                    Ok(Seen::Last(text)) => return drop(pieces.send(text.into()).await),
                    // What is known of the store's trouble is said by whoever needs it; here nothing is lost.
                    Err(_) => {
                        self.place.ring_in(LOOK_AGAIN);
                        continue;
                    }
                },
            };
            if pieces.send(piece).await.is_err() {
                return;
            }
        }
    }

    /// What has become of the session, as the store says it.
    async fn look(&mut self) -> Result<Seen, StoreError> {
        let now = self.app.clock.now();
        let sid = self.claims.sid;
        let caller = self.app.store.caller(sid).await?;
        let stands = |caller: &Caller| session::admit(&self.claims, &caller.standing, now).is_ok();
        let Some(Caller { person, membership, .. }) = caller.filter(stands) else {
            // An end is told as it is written, and never made out of an absence.
            let record = self.app.store.session_find(sid).await?;
            return Ok(Seen::Last(match record.and_then(|record| record.session.ended) {
                Some(end) => self.ended(now, &end),
                None => self.changed(now, None),
            }));
        };
        // What cannot be read just now is no news.
        if membership == Membership::Unreadable && self.state.is_some() {
            return Ok(Seen::Nothing);
        }
        let state = fingerprint_of(&person, &membership);
        match self.state.replace(state.clone()) {
            None => {
                let heartbeat = self.app.settled.config.events.heartbeat.0.as_millis() as u64;
                Ok(Seen::News(event("begin", &Begin { server_time: now, heartbeat, state })))
            }
            Some(before) if before == state => Ok(Seen::Nothing),
            // Of another account than the one that it listens to.
            Some(_) if self.place.account() != person.account_id => {
                Ok(Seen::Last(self.changed(now, Some(state))))
            }
            Some(_) => Ok(Seen::News(self.changed(now, Some(state)))),
        }
    }

    fn ended(&self, now: Timestamp, end: &End) -> String {
        self.count("ended");
        let body = Problem::ended(self.claims.sid, end).body(&self.arrival.request_id, now);
        format!("event: ended\ndata: {}\n\n", String::from_utf8_lossy(&body))
    }

    fn changed(&self, server_time: Timestamp, state: Option<Fingerprint>) -> String {
        self.count("changed");
        event("changed", &Changed { server_time, session: self.claims.sid, state })
    }

    fn count(&self, outcome: &'static str) {
        self.app.metrics.tab_feed_told.get_or_create(&Outcome { outcome }).inc();
    }
}

/// Waits for the end of a token: whoever listens by one that is no more comes back with the next.
async fn over(app: Arc<App>, exp: i64) {
    while app.clock.now().as_ms() < exp.saturating_mul(1000) {
        sleep(app.settled.config.events.heartbeat.0).await;
    }
}

fn fingerprint_of(person: &Person, membership: &Membership) -> Fingerprint {
    let said = serde_json::to_vec(&ProfileAnswer::of(person, membership)).unwrap_or_default();
    URL_SAFE_NO_PAD.encode(&digest(&SHA256, &said).as_ref()[..9])
}
