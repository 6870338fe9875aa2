//! The revocation feed of this node: one task reads what has changed and tells it to every service that listens.
//!
//! The task owns all there is, so nothing can happen between what a listener is told at first and what it is told then:
//! both come from the same reading (docs/decisions/0015-the-revocation-feed.md).
//!
//! A beat says that the store was read a moment ago. While it cannot be, there is none, and listeners go by nothing that
//! they were told.
//!
//! The same reading rings for the tabs that listen (`tab_feed`).

mod book;

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use axum::body::Bytes;
use tenure_domain::revocation::{self, Beat, CLOCKS_DIFFER_MAX};
use tenure_domain::time::{EXPIRY_GRACE, Timestamp};
use tenure_store::{Changed, SessionNow};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};

use crate::App;
use book::Book;

/// Between two looks at what has changed; from memory, unless something has.
const TICK: Duration = Duration::from_millis(50);

/// A reading that took longer is too old for a beat.
const READ_MAX: Duration = Duration::from_secs(1);

/// What a listener may leave unread before it is hung up on. It comes back, and is told everything anew.
const UNREAD_MAX: usize = 64;

/// Listeners that wait for their beginning.
const JOINING_MAX: usize = 16;

/// A piece of the stream.
#[derive(Clone)]
pub enum Piece {
    Facts(Bytes),
    /// Before it is handed on, the listener has to be looked at again.
    Beat(Bytes),
}

/// What one listener is told; ends when it is to begin anew.
pub type Pieces = mpsc::Receiver<Piece>;

struct Listener {
    pieces: mpsc::Sender<Piece>,
    _slot: OwnedSemaphorePermit,
}

pub struct Revocations {
    slots: Arc<Semaphore>,
    told: Mutex<Option<Instant>>,
    joining: Mutex<Option<mpsc::Sender<Listener>>>,
}

impl Revocations {
    pub fn new(listeners_max: usize) -> Self {
        Self {
            slots: Arc::new(Semaphore::new(listeners_max)),
            told: Mutex::default(),
            joining: Mutex::default(),
        }
    }

    /// The stream of a new listener; none if there are too many.
    pub async fn listen(&self, app: &Arc<App>) -> Option<Pieces> {
        let slot = Arc::clone(&self.slots).try_acquire_owned().ok()?;
        let (pieces, told) = mpsc::channel(UNREAD_MAX);
        self.teller(app).send(Listener { pieces, _slot: slot }).await.ok()?;
        Some(told)
    }

    /// Has the task write down what happens from now on, lest the first listener know nothing of older tokens.
    pub fn begin(&self, app: &Arc<App>) {
        drop(self.teller(app));
    }

    /// How long ago listeners were told all there was to tell.
    pub fn lag(&self) -> Option<Duration> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner).map(|told| told.elapsed())
    }

    /// Where the task takes its listeners from. It is begun if it has not been, or is no more.
    fn teller(&self, app: &Arc<App>) -> mpsc::Sender<Listener> {
        let mut joining = self.joining.lock().unwrap_or_else(PoisonError::into_inner);
        match &*joining {
            Some(teller) if !teller.is_closed() => teller.clone(),
            _ => {
                let (teller, listeners) = mpsc::channel(JOINING_MAX);
                tokio::spawn(tell(Arc::downgrade(app), listeners));
                joining.insert(teller).clone()
            }
        }
    }
}

/// Until the server drains: then every stream ends at once, and the connections with them.
async fn tell(app: Weak<App>, mut joining: mpsc::Receiver<Listener>) {
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut teller = Teller::default();
    loop {
        ticks.tick().await;
        let Some(app) = app.upgrade() else { return };
        tokio::select! {
            // To the end: whoever gives up a reading in the middle costs the store a connection.
            () = teller.turn(&app, &mut joining) => {}
            () = drains(&app) => return app.tab_feed.close(),
        }
        let count = |listeners| i64::try_from(listeners).unwrap_or(i64::MAX);
        app.metrics.revocation_listeners.set(count(teller.listeners.len()));
        app.metrics.tab_feed_listeners.set(count(app.tab_feed.listeners()));
    }
}

async fn drains(app: &App) {
    while !app.draining.load(Ordering::Relaxed) {
        sleep(TICK).await;
    }
}

#[derive(Default)]
struct Teller {
    position: Option<u64>,
    book: Option<Book>,
    listeners: Vec<Listener>,
    beaten: Option<Instant>,
}

/// How long a fact concerns tokens that have not expired.
fn keep(app: &App) -> Duration {
    app.settled.times.access_lifetime + EXPIRY_GRACE * 2
}

/// The age of sessions of which none has a token left. That their rows are swept is no news, of which there is much.
fn oldest_of_interest(app: &App) -> Duration {
    app.settled.config.store.retention.0.max(app.settled.times.session_lifetime(true)) + keep(app)
}

impl Teller {
    async fn turn(&mut self, app: &App, joining: &mut mpsc::Receiver<Listener>) {
        self.listeners.retain(|listener| !listener.pieces.is_closed());
        let (began, now) = (Instant::now(), app.clock.now());
        let Ok(changed) = app.store.changed_since(self.position).await else { return };
        app.tab_feed.ring(&changed);
        self.hear(app, changed, now);
        *app.revocations.told.lock().unwrap_or_else(PoisonError::into_inner) = Some(began);
        if began.elapsed() >= READ_MAX {
            return;
        }
        let beat = Piece::Beat(revocation::event("beat", &Beat { server_time: now }).into());
        if self.beaten.is_none_or(|at| at.elapsed() >= app.settled.config.revocations.heartbeat.0) {
            self.beaten = Some(Instant::now());
            self.book.iter_mut().for_each(Book::forget_old);
            self.say(&beat);
        }
        let mut whole = None;
        while let (Some(book), Ok(listener)) = (&self.book, joining.try_recv()) {
            let whole: &Bytes = whole.get_or_insert_with(|| book.whole().into());
            let first = [Piece::Facts(whole.clone()), beat.clone()];
            if first.into_iter().all(|piece| listener.pieces.try_send(piece).is_ok()) {
                self.listeners.push(listener);
            }
        }
    }

    /// Writes down what has changed and tells it, or begins anew where that cannot be told.
    fn hear(&mut self, app: &App, changed: Changed, now: Timestamp) {
        let upto = match changed {
            Changed::Lost { upto } => {
                self.begin(app, now);
                upto
            }
            Changed::Named { upto, mut sessions, users, .. } => {
                let oldest = now - oldest_of_interest(app);
                sessions.retain(|(id, is)| *is != SessionNow::Ended || id.made_at() >= oldest);
                match &mut self.book {
                    Some(book) if book.has_room_for(sessions.len() + users.len()) => {
                        if let Some(news) = book.note(&sessions, &users) {
                            self.say(&Piece::Facts(news.into()));
                        }
                    }
                    _ => self.begin(app, now),
                }
                upto
            }
        };
        self.position = Some(upto);
    }

    /// Of tokens from before now nothing is known, by any clock that nodes may have.
    fn begin(&mut self, app: &App, now: Timestamp) {
        if !self.listeners.is_empty() {
            tracing::warn!("the revocation feed begins anew: more has changed than can be told");
        }
        self.listeners.clear();
        self.book = Some(Book::new(now + CLOCKS_DIFFER_MAX, keep(app)));
    }

    fn say(&mut self, piece: &Piece) {
        self.listeners.retain(|listener| match listener.pieces.try_send(piece.clone()) {
            Ok(()) => true,
            Err(mpsc::error::TrySendError::Closed(_)) => false,
            Err(mpsc::error::TrySendError::Full(_)) => {
                tracing::warn!("a listener of the revocation feed does not read, and is hung up on");
                false
            }
        });
    }
}
