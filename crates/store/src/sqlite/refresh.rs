//! Presented tokens: the refresh, and the sign-out by jar.

use std::sync::{Arc, LazyLock};

use rusqlite::{Connection, named_params};
use tenure_domain::refresh_token::PresentedToken;
use tenure_domain::rhythm::{self, BYTES_KEPT};
use tenure_domain::rotation::Rotation;
use tenure_domain::session::{self, RefreshDecision, RefreshRules, Session};
use tenure_domain::time::Timestamp;

use super::writer::Tx;
use super::{end, row};
use crate::row::Columns as _;
use crate::{EndOrder, Ended, Person, RefreshRequest, Refreshed, Result, StoreError};

/// How often a row is read again because it moved between reading and writing. Our transaction excludes other
/// writers, so once would do.
const ATTEMPTS_MAX: usize = 3;

static LOAD: LazyLock<String> = LazyLock::new(|| {
    let (session, person) = (row::SESSION, row::PERSON);
    format!(
        "SELECT {session}, {person}, s.refreshed FROM session s LEFT JOIN user u ON u.id = s.user_id WHERE s.id = ?1"
    )
});

/// The compare-and-swap of protocol.md section 4: it names every field that the decision was made from.
const ROTATE: &str = "UPDATE session SET base = :base, head = :head, handed_at = :handed_at, \
     healed = :healed, contested_at = :contested_at, \
     last_used_at = :now, refresh_count = refresh_count + 1, refreshed = :refreshed \
     WHERE id = :id AND base = :was_base AND head = :was_head AND handed_at = :was_handed_at \
     AND healed = :was_healed AND contested_at IS :was_contested_at AND ended_at IS NULL";

/// A session's user and whether they are disabled; or, if there is no user to hand a token to, what to answer
/// instead of serving.
type Owner = std::result::Result<(Person, bool), Refreshed>;

/// A row, and its refreshes as they are kept.
struct Loaded {
    session: Session,
    owner: Owner,
    kept: [u8; BYTES_KEPT],
}

pub(super) fn refresh(tx: &Tx<'_>, request: &RefreshRequest, now: Timestamp) -> Result<Vec<Refreshed>> {
    let mut outcomes = Vec::with_capacity(1);
    for token in &request.tokens {
        let outcome = present(tx, token, request, now)?;
        let is_decisive = outcome.is_decisive();
        outcomes.push(outcome);
        if is_decisive {
            break;
        }
    }
    Ok(outcomes)
}

fn present(
    tx: &Tx<'_>,
    token: &PresentedToken,
    request: &RefreshRequest,
    now: Timestamp,
) -> Result<Refreshed> {
    let session_id = token.claims.session_id;
    for _ in 0..ATTEMPTS_MAX {
        let loaded = match load(tx.conn, token) {
            Ok(Some(loaded)) => loaded,
            Ok(None) => return Ok(missing(token)),
            Err(StoreError::Corrupt { cause, .. }) => return Ok(Refreshed::Unreadable { session_id, cause }),
            Err(error) => return Err(error),
        };
        if let Some(outcome) = decide(tx, loaded, token, request, now)? {
            return Ok(outcome);
        }
    }
    Err(end::moved())
}

/// Proof of nothing (protocol.md section 3).
fn missing(token: &PresentedToken) -> Refreshed {
    Refreshed::Missing { expires_at: token.claims.expires_at }
}

fn load(conn: &Connection, token: &PresentedToken) -> Result<Option<Loaded>> {
    let session_id = token.claims.session_id;
    row::one(conn, &LOAD, [session_id.as_bytes()], |columns| {
        let session = row::session(columns)?;
        columns.go_to(row::SESSION_COLUMNS);
        let owner = match columns.is_null()? {
            true => Err(missing(token)),
            false => match row::person(columns.go_to(row::SESSION_COLUMNS)) {
                Ok((person, disabled_at)) => Ok((person, disabled_at.is_some())),
                Err(StoreError::Corrupt { cause, .. }) => Err(Refreshed::Unreadable { session_id, cause }),
                Err(error) => return Err(error),
            },
        };
        // What is kept for explanations alone keeps nobody from being served.
        let columns = columns.go_to(row::SESSION_COLUMNS + row::PERSON_COLUMNS);
        let kept = columns.bytes_or_null("session").ok().flatten().unwrap_or([0; BYTES_KEPT]);
        Ok(Loaded { session, owner, kept })
    })
}

/// None if the row moved under the decision.
fn decide(
    tx: &Tx<'_>,
    Loaded { session, owner, kept }: Loaded,
    token: &PresentedToken,
    request: &RefreshRequest,
    now: Timestamp,
) -> Result<Option<Refreshed>> {
    let session_id = session.id;
    let user_disabled = matches!(owner, Ok((_, true)));
    match session::refresh(&session, user_disabled, token, request.freshness, now, &request.rules) {
        RefreshDecision::NotAuthentic => Ok(Some(Refreshed::NotAuthentic)),
        RefreshDecision::Ended(end) => Ok(Some(Refreshed::Ended { session_id, end, newly: false })),
        RefreshDecision::EndNow { reason, actor } => {
            let end = end::write(
                tx,
                session_id,
                &EndOrder { reason, actor, note: None, whence: request.whence.clone() },
                now,
            )?;
            Ok(end.map(|end| Refreshed::Ended { session_id, end, newly: true }))
        }
        RefreshDecision::Refuse => Ok(Some(Refreshed::Refused { session_id })),
        RefreshDecision::Strike { rotation } => {
            let written = rotate(tx.conn, (&session, kept), rotation, now)?;
            Ok(written.map(|_| Refreshed::Superseded { session_id }))
        }
        RefreshDecision::Serve { rotation, replay } => {
            let person = match owner {
                Ok((person, _)) => person,
                Err(instead) => return Ok(Some(instead)),
            };
            let written = rotate(tx.conn, (&session, kept), rotation, now)?;
            let session = Session { rotation, ..session };
            Ok(written.map(|written| Refreshed::Served { session, person, replay, written }))
        }
    }
}

/// Whether the row was written: what does not move is not. None if it is no longer as it was read.
fn rotate(
    conn: &Connection,
    (session, kept): (&Session, [u8; BYTES_KEPT]),
    to: Rotation,
    now: Timestamp,
) -> Result<Option<bool>> {
    let was = session.rotation;
    if to == was {
        return Ok(Some(false));
    }
    let changed = conn.prepare_cached(ROTATE)?.execute(named_params! {
        ":base": to.base.0,
        ":head": to.head.0,
        ":handed_at": to.handed_at.as_ms(),
        ":healed": to.healed,
        ":contested_at": to.contested_at.map(Timestamp::as_ms),
        ":now": now.as_ms(),
        ":refreshed": rhythm::noted(kept, rhythm::note(session, &to, now)),
        ":id": session.id.as_bytes(),
        ":was_base": was.base.0,
        ":was_head": was.head.0,
        ":was_handed_at": was.handed_at.as_ms(),
        ":was_healed": was.healed,
        ":was_contested_at": was.contested_at.map(Timestamp::as_ms),
    })?;
    Ok((changed == 1).then_some(true))
}

/// Ends what a jar held. A row that cannot be read is left out like one that is not there: whether the token
/// is authentic for it cannot be told.
pub(super) fn end_presented(
    tx: &Tx<'_>,
    tokens: &[PresentedToken],
    rules: &Arc<RefreshRules>,
    order: &EndOrder,
    now: Timestamp,
) -> Result<Vec<Ended>> {
    let mut ended: Vec<Ended> = Vec::new();
    for token in tokens {
        let id = token.claims.session_id;
        let session = match end::find(tx.conn, id) {
            Ok(found) => found,
            Err(StoreError::Corrupt { .. }) => None,
            Err(error) => return Err(error),
        };
        let is_new = ended.iter().all(|ended| ended.session_id != id);
        if let Some(session) = session
            && is_new
            && rules.keys.is_authentic(token, &session.salt)
        {
            ended.push(end::settle(tx, session, order, now)?);
        }
    }
    Ok(ended)
}
