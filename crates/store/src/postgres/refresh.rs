//! Presented tokens: the refresh.
//!
//! Read, decide, write if nothing has changed since: two round trips, shared with whoever refreshes at the same
//! time. A node that served a session lately still has its row and begins with the decision: one round trip.
//! Whether that row was the newest does not matter, because the write names every fact that the decision was made
//! from; where one has changed it writes nothing and gives the row as it is now, and the decision is made again.

use std::sync::{Mutex, PoisonError};

use tenure_domain::id::SessionId;
use tenure_domain::refresh_token::PresentedToken;
use tenure_domain::rotation::Rotation;
use tenure_domain::session::{self, RefreshDecision, Session};
use tenure_domain::time::Timestamp;
use tokio_postgres::Row;
use uuid::Uuid;

use super::feed::Opening;
use super::moment::Moment;
use super::row::Fields;
use super::swap::{self, LEADING_COLUMNS, Swap};
use super::{PostgresStore, end};
use crate::row::{Columns as _, SESSION_COLUMNS, person};
use crate::view::Recent;
use crate::{EndOrder, Person, RefreshRequest, Refreshed, Result, StoreError};

/// How often a decision is made again because the row moved between reading and writing.
const ATTEMPTS_MAX: usize = 5;

/// Rows kept, some 200 bytes each.
const ROWS_KEPT_MAX: usize = 50_000;

/// A session's user and whether they are disabled; or, if there is no user to hand a token to, what to answer
/// instead of serving.
type Owner = std::result::Result<(Person, bool), Refreshed>;

/// A row as a statement found it.
struct Found {
    epoch: Option<Uuid>,
    session: Session,
    owner: Owner,
}

/// Where a presentation ended, or where it has to go on.
enum Step {
    Done(Refreshed),
    /// The row was not as expected; here is how it is.
    Again(Option<Row>),
}

/// Rows of sessions that this node has served lately.
pub(super) struct Rows(Mutex<Recent<SessionId, Session>>);

impl Rows {
    pub fn new() -> Self {
        Self(Mutex::new(Recent::with_capacity_max(ROWS_KEPT_MAX)))
    }

    fn find(&self, id: SessionId) -> Option<Session> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.get(&id).map(|(session, _)| session.clone())
    }

    fn keep(&self, session: &Session) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(session.id, session.clone());
    }
}

/// One presentation, with what does not change while it is judged.
struct Presentation<'a> {
    store: &'a PostgresStore,
    token: &'a PresentedToken,
    request: &'a RefreshRequest,
    opening: Opening,
    now: Timestamp,
    /// Whether somebody else was seen to hold or to have changed the row: then it is worth waiting for.
    is_contended: bool,
}

impl PostgresStore {
    pub(super) async fn refresh(&self, request: &RefreshRequest, now: Timestamp) -> Result<Vec<Refreshed>> {
        let mut outcomes = Vec::with_capacity(1);
        for token in &request.tokens {
            let opening = self.feed.opening().await?;
            let is_contended = false;
            let mut presentation = Presentation { store: self, token, request, opening, now, is_contended };
            let outcome = presentation.present().await?;
            let is_decisive = outcome.is_decisive();
            outcomes.push(outcome);
            if is_decisive {
                break;
            }
        }
        if outcomes.iter().any(|outcome| matches!(outcome, Refreshed::Ended { newly: true, .. })) {
            self.feed.tell().await;
        }
        Ok(outcomes)
    }
}

impl Presentation<'_> {
    async fn present(&mut self) -> Result<Refreshed> {
        let session_id = self.token.claims.session_id;
        let mut row = match self.store.rows.find(session_id) {
            Some(kept) => match self.try_kept(kept).await? {
                Step::Done(outcome) => return Ok(outcome),
                Step::Again(row) => row,
            },
            None => None,
        };
        for _ in 0..ATTEMPTS_MAX {
            let found = match row.take() {
                Some(row) => Some(row),
                None => self.store.loads.ask(session_id).await?,
            };
            let Some(found) = found else { return Ok(self.missing()) };
            let found = match self.read(&found) {
                Err(StoreError::Corrupt { cause, .. }) => {
                    return Ok(Refreshed::Unreadable { session_id, cause });
                }
                found => found?,
            };
            if !self.store.feed.is_known(found.epoch) {
                // It has come up anew: first what it may have lost is written again.
                self.store.feed.catch_up(Moment::now()).await?;
            } else {
                match self.decide(found).await? {
                    Step::Done(outcome) => return Ok(outcome),
                    Step::Again(moved) => row = moved,
                }
            }
            self.opening = self.store.feed.opening().await?;
        }
        Err(end::moved())
    }

    /// Goes by a row that may be old, if that leads to a write, which would tell.
    async fn try_kept(&mut self, kept: Session) -> Result<Step> {
        match self.judge(&kept, false) {
            RefreshDecision::Serve { rotation, rewound } if rotation != self.as_read(kept.rotation) => {
                self.rotate(kept, rotation, rewound).await
            }
            _ => Ok(Step::Again(None)),
        }
    }

    async fn decide(&mut self, found: Found) -> Result<Step> {
        let Found { session, owner, .. } = found;
        let session_id = session.id;
        let user_disabled = matches!(owner, Ok((_, true)));
        let done = |outcome| Ok(Step::Done(outcome));
        match self.judge(&session, user_disabled) {
            RefreshDecision::NotAuthentic => done(Refreshed::NotAuthentic),
            RefreshDecision::Ended(end) => done(Refreshed::Ended { session_id, end, newly: false }),
            RefreshDecision::EndNow { reason, actor } => {
                let order = EndOrder { reason, actor, note: None };
                let entropy = &*self.store.entropy;
                let mut conn = self.store.db.get().await?;
                let ended = end::write(&mut conn, entropy, &[session_id], &order, self.now).await?;
                Ok(ended.into_iter().next().map_or(Step::Again(None), |ended| {
                    Step::Done(Refreshed::Ended { session_id, end: ended.end, newly: true })
                }))
            }
            RefreshDecision::Refuse => done(Refreshed::Refused { session_id }),
            RefreshDecision::Strike { rotation } => {
                if rotation == self.as_read(session.rotation) || owner.is_err() {
                    return done(Refreshed::Superseded { session_id });
                }
                Ok(match self.rotate(session, rotation, false).await? {
                    Step::Done(_) => Step::Done(Refreshed::Superseded { session_id }),
                    again => again,
                })
            }
            RefreshDecision::Serve { rotation, rewound } => match owner {
                Err(instead) => done(instead),
                Ok((person, _)) if rotation == self.as_read(session.rotation) => {
                    self.store.rows.keep(&session);
                    done(Refreshed::Served { session, person, rewound, written: false })
                }
                Ok(_) => self.rotate(session, rotation, rewound).await,
            },
        }
    }

    fn judge(&self, session: &Session, user_disabled: bool) -> RefreshDecision {
        let read = Session { rotation: self.as_read(session.rotation), ..session.clone() };
        let RefreshRequest { freshness, rules, .. } = self.request;
        session::refresh(&read, user_disabled, self.token, *freshness, self.now, rules)
    }

    /// Rotations are not durable, so a crash of the database may have taken back the newest.
    fn as_read(&self, rotation: Rotation) -> Rotation {
        let up_for = Moment::now().since(self.opening.at);
        let opened_at = self.store.opened_at.unwrap_or(self.now - up_for);
        rotation.read_by_a_store_open_since(opened_at)
    }

    async fn rotate(&mut self, was: Session, to: Rotation, rewound: bool) -> Result<Step> {
        let swap = Swap {
            id: was.id,
            from: was.rotation,
            to,
            expires_at: was.expires_at,
            salt: was.salt,
            epoch: self.opening.epoch,
            now: self.now,
        };
        let row = match self.is_contended {
            false => self.store.swaps.ask(swap).await?,
            true => swap::move_one(&mut self.store.db.get().await?, swap).await?,
        };
        self.is_contended = true;
        let Some(row) = row else { return Ok(Step::Again(None)) };
        let columns = &mut Fields::of(&row);
        columns.skip(1);
        if !columns.flag("session")? {
            return Ok(Step::Again(Some(row)));
        }
        let person = match person(columns.go_to(LEADING_COLUMNS + SESSION_COLUMNS)) {
            Ok((person, _)) => person,
            // What was written is as good as an answer that was lost.
            Err(StoreError::Corrupt { cause, .. }) => {
                return Ok(Step::Done(Refreshed::Unreadable { session_id: was.id, cause }));
            }
            Err(error) => return Err(error),
        };
        let session = Session { rotation: to, ..was };
        self.store.rows.keep(&session);
        Ok(Step::Done(Refreshed::Served { session, person, rewound, written: true }))
    }

    fn read(&self, row: &Row) -> Result<Found> {
        let session_id = self.token.claims.session_id;
        let columns = &mut Fields::of(row);
        columns.skip(2);
        let epoch = columns.id_or_null("session")?.map(Uuid::from_bytes);
        let session = crate::row::session(columns)?;
        let of_user = LEADING_COLUMNS + SESSION_COLUMNS;
        let owner = match columns.go_to(of_user).id_or_null("user")? {
            None => Err(self.missing()),
            Some(_) => match person(columns.go_to(of_user)) {
                Ok((person, disabled_at)) => Ok((person, disabled_at.is_some())),
                Err(StoreError::Corrupt { cause, .. }) => Err(Refreshed::Unreadable { session_id, cause }),
                Err(error) => return Err(error),
            },
        };
        Ok(Found { epoch, session, owner })
    }

    /// Proof of nothing (protocol.md section 3).
    fn missing(&self) -> Refreshed {
        Refreshed::Missing { expires_at: self.token.claims.expires_at }
    }
}
