//! Presented tokens: the refresh.
//!
//! Read, decide, write if nothing has changed since: two round trips. A node that served a session lately still
//! has its row and begins with the decision: one round trip. Whether that row was the newest does not matter,
//! because the write names every fact that the decision was made from; where one has changed it writes nothing
//! and gives the row as it is now, and the decision is made again.

use std::sync::{LazyLock, Mutex, PoisonError};

use tenure_domain::id::SessionId;
use tenure_domain::refresh_token::PresentedToken;
use tenure_domain::rhythm::{self, BYTES_KEPT};
use tenure_domain::rotation::{Replay, Rotation};
use tenure_domain::session::{self, RefreshDecision, Session};
use tenure_domain::time::Timestamp;
use tokio_postgres::Row;
use tokio_postgres::types::Type;
use uuid::Uuid;

use super::connect::Conn;
use super::feed::Opening;
use super::moment::Moment;
use super::row::{Fields, uuid};
use super::{PostgresStore, end};
use crate::recent::Recent;
use crate::row::{Columns as _, PERSON, SESSION, SESSION_COLUMNS, person};
use crate::{EndOrder, Person, RefreshRequest, Refreshed, Result, StoreError};

/// How often a decision is made again because the row moved between reading and writing.
const ATTEMPTS_MAX: usize = 5;

/// Rows kept, some 200 bytes each.
const ROWS_KEPT_MAX: usize = 50_000;

/// The columns of [`LOAD`] and [`ROTATE`] before the session's.
const LEADING_COLUMNS: usize = 2;

static LOAD: LazyLock<String> = LazyLock::new(|| {
    format!(
        "SELECT false, o.epoch, {SESSION}, {PERSON} FROM session s LEFT JOIN \"user\" u ON u.id = s.user_id \
         LEFT JOIN opening o ON true WHERE s.id = $1"
    )
});

/// The compare-and-swap of protocol.md section 4: it names every fact that the decision was made from, the state
/// of the user and the epoch of the database among them. Gives whether it wrote, and the row as it was.
///
/// What is kept of the refreshes is of none of those facts: it is added to where it is, since a row that this node has kept
/// may be old.
///
/// The commit need not be on disk when it is answered (section 4 heals one that is lost); the setting ends with
/// this statement's own transaction.
static ROTATE: LazyLock<String> = LazyLock::new(|| {
    format!(
        "WITH moved AS ( \
           UPDATE session s SET base = $2, head = $3, handed_at = $4, healed = $5, contested_at = $6, \
             last_used_at = $7, refresh_count = s.refresh_count + 1, \
             refreshed = substr($16 || s.refreshed, 1, {BYTES_KEPT}) \
           FROM \"user\" u, opening o, set_config('synchronous_commit', 'off', true) relaxed \
           WHERE s.id = $1 AND s.base = $8 AND s.head = $9 AND s.handed_at = $10 AND s.healed = $11 \
             AND s.contested_at IS NOT DISTINCT FROM $12 AND s.expires_at = $13 AND s.salt = $14 \
             AND s.ended_at IS NULL AND u.id = s.user_id AND u.disabled_at IS NULL AND o.epoch = $15 \
           RETURNING s.id) \
         SELECT EXISTS (SELECT FROM moved), o.epoch, {SESSION}, {PERSON} \
         FROM session s LEFT JOIN \"user\" u ON u.id = s.user_id LEFT JOIN opening o ON true WHERE s.id = $1"
    )
});

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
}

impl PostgresStore {
    pub(super) async fn refresh(&self, request: &RefreshRequest, now: Timestamp) -> Result<Vec<Refreshed>> {
        let mut conn = self.db.get().await?;
        let mut outcomes = Vec::with_capacity(1);
        for token in &request.tokens {
            let opening = self.feed.opening().await?;
            let mut presentation = Presentation { store: self, token, request, opening, now };
            let outcome = presentation.present(&mut conn).await?;
            let is_decisive = outcome.is_decisive();
            outcomes.push(outcome);
            if is_decisive {
                break;
            }
        }
        drop(conn);
        if outcomes.iter().any(|outcome| matches!(outcome, Refreshed::Ended { newly: true, .. })) {
            self.feed.tell().await;
        }
        Ok(outcomes)
    }
}

impl Presentation<'_> {
    async fn present(&mut self, conn: &mut Conn) -> Result<Refreshed> {
        let session_id = self.token.claims.session_id;
        // A token that is ahead of the row that is kept was handed out elsewhere since: that row is old.
        let is_of_this = |kept: &Session| self.token.claims.generation <= kept.rotation.head;
        let mut row = match self.store.rows.find(session_id).filter(is_of_this) {
            Some(kept) => match self.try_kept(conn, kept).await? {
                Step::Done(outcome) => return Ok(outcome),
                Step::Again(row) => row,
            },
            None => None,
        };
        for _ in 0..ATTEMPTS_MAX {
            let found = match row.take() {
                Some(row) => Some(row),
                None => conn.row(&LOAD, &[(&uuid(session_id.as_bytes()), Type::UUID)]).await?,
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
                match self.decide(conn, found).await? {
                    Step::Done(outcome) => return Ok(outcome),
                    Step::Again(moved) => row = moved,
                }
            }
            self.opening = self.store.feed.opening().await?;
        }
        Err(end::moved())
    }

    /// Goes by a row that may be old, if that leads to a write, which would tell.
    async fn try_kept(&self, conn: &mut Conn, kept: Session) -> Result<Step> {
        match self.judge(&kept, false) {
            RefreshDecision::Serve { rotation, replay } if rotation != self.as_read(kept.rotation) => {
                self.rotate(conn, kept, rotation, replay).await
            }
            _ => Ok(Step::Again(None)),
        }
    }

    async fn decide(&self, conn: &mut Conn, found: Found) -> Result<Step> {
        let Found { session, owner, .. } = found;
        let session_id = session.id;
        let user_disabled = matches!(owner, Ok((_, true)));
        let done = |outcome| Ok(Step::Done(outcome));
        match self.judge(&session, user_disabled) {
            RefreshDecision::NotAuthentic => done(Refreshed::NotAuthentic),
            RefreshDecision::Ended(end) => done(Refreshed::Ended { session_id, end, newly: false }),
            RefreshDecision::EndNow { reason, actor } => {
                let order = EndOrder { reason, actor, note: None, whence: self.request.whence.clone() };
                let entropy = &*self.store.entropy;
                let ended = end::write(conn, entropy, &[session_id], &order, self.now).await?;
                Ok(ended.into_iter().next().map_or(Step::Again(None), |ended| {
                    Step::Done(Refreshed::Ended { session_id, end: ended.end, newly: true })
                }))
            }
            RefreshDecision::Refuse => done(Refreshed::Refused { session_id }),
            RefreshDecision::Strike { rotation } => {
                if rotation == self.as_read(session.rotation) || owner.is_err() {
                    return done(Refreshed::Superseded { session_id });
                }
                Ok(match self.rotate(conn, session, rotation, None).await? {
                    Step::Done(_) => Step::Done(Refreshed::Superseded { session_id }),
                    again => again,
                })
            }
            RefreshDecision::Serve { rotation, replay } => match owner {
                Err(instead) => done(instead),
                Ok((person, _)) if rotation == self.as_read(session.rotation) => {
                    self.store.rows.keep(&session);
                    done(Refreshed::Served { session, person, replay, written: false })
                }
                Ok(_) => self.rotate(conn, session, rotation, replay).await,
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

    async fn rotate(
        &self,
        conn: &mut Conn,
        was: Session,
        to: Rotation,
        replay: Option<Replay>,
    ) -> Result<Step> {
        let number = |generation: tenure_domain::rotation::Generation| i64::from(generation.0);
        let from = was.rotation;
        let note = rhythm::note(&was, &to, self.now);
        let row = conn
            .row(
                &ROTATE,
                &[
                    (&uuid(was.id.as_bytes()), Type::UUID),
                    (&number(to.base), Type::INT8),
                    (&number(to.head), Type::INT8),
                    (&to.handed_at.as_ms(), Type::INT8),
                    (&to.healed, Type::BOOL),
                    (&to.contested_at.map(Timestamp::as_ms), Type::INT8),
                    (&self.now.as_ms(), Type::INT8),
                    (&number(from.base), Type::INT8),
                    (&number(from.head), Type::INT8),
                    (&from.handed_at.as_ms(), Type::INT8),
                    (&from.healed, Type::BOOL),
                    (&from.contested_at.map(Timestamp::as_ms), Type::INT8),
                    (&was.expires_at.as_ms(), Type::INT8),
                    (&was.salt.as_slice(), Type::BYTEA),
                    (&self.opening.epoch, Type::UUID),
                    (&note.as_ref().map_or(&[][..], <[u8; _]>::as_slice), Type::BYTEA),
                ],
            )
            .await?;
        let Some(row) = row else { return Ok(Step::Again(None)) };
        if !Fields::of(&row).flag("session")? {
            return Ok(Step::Again(Some(row)));
        }
        let columns = &mut Fields::of(&row);
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
        Ok(Step::Done(Refreshed::Served { session, person, replay, written: true }))
    }

    fn read(&self, row: &Row) -> Result<Found> {
        let session_id = self.token.claims.session_id;
        let columns = &mut Fields::of(row);
        columns.skip(1);
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
