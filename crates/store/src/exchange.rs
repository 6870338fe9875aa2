//! Sign-ins of another system that are traded for a session, each once.

use async_trait::async_trait;
use serde_json::json;
use tenure_domain::event::{EventKind, Occurrence};
use tenure_domain::exchange::{Attempt, ExchangeKey, Refusal, Since, Source, may_hand_out_again};
use tenure_domain::id::{ApiKeyId, SessionId, UserId};
use tenure_domain::session::Session;
use tenure_domain::time::Timestamp;

use crate::row::Columns;
use crate::{NewSession, Person, Result};

/// Most sign-ins that are closed in one step.
pub const CLOSED_AT_ONCE_MAX: usize = 1_000;

/// A sign-in to trade, which was found to stand.
pub struct Exchange {
    pub source: Source,
    pub key: ExchangeKey,
    pub attempt: Attempt,
    pub user_id: UserId,
    /// The API key that has vouched for them, where one has.
    pub vouched_by: Option<ApiKeyId>,
    /// When they signed in there, at the latest.
    pub authenticated_at: Timestamp,
    /// Until when it is remembered that it was traded: not before nobody can show it any more.
    pub expires_at: Timestamp,
    /// Replaces nothing, whatever it says: an exchange ends no session.
    pub new: NewSession,
}

pub enum Exchanged {
    Created {
        session: Session,
        person: Person,
    },
    /// The same attempt again, and nobody has used the session that it made: hand out its head once more.
    Again {
        session: Session,
        person: Person,
    },
    /// Another attempt has traded it, or it was closed.
    Used,
    /// Since they came here the password or the role was changed, or everything else was signed out: what they had
    /// elsewhere is over, too.
    Outdated,
    UserDisabled,
    UserGone,
}

/// What would become of a sign-in that is traded now, by an attempt that nobody has heard of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Prospect {
    Traded,
    Used,
    Outdated,
    UserDisabled,
    UserGone,
}

#[async_trait]
pub trait Exchanges: Send + Sync {
    /// Trades a sign-in for a session, durably and in one step. Of any that race for one key one makes a session, and no
    /// later one ever does.
    async fn session_exchange(&self, exchange: Exchange, now: Timestamp) -> Result<Exchanged>;

    /// What [`session_exchange`](Exchanges::session_exchange) would make of it. Changes nothing.
    async fn exchange_look(&self, key: ExchangeKey, user_id: UserId) -> Result<Prospect>;

    /// Keeps sign-ins from being traded, each until it could not be shown any more; how many of them were new. Those
    /// that have been traded stay as they are. At most [`CLOSED_AT_ONCE_MAX`].
    async fn exchange_close(&self, keys: Vec<(ExchangeKey, Timestamp)>, now: Timestamp) -> Result<u64>;

    /// Forgets those that nobody could show any more before `before`; how many, at most `limit`.
    async fn exchange_expire(&self, before: Timestamp, limit: usize) -> Result<u64>;
}

/// Rows if what somebody had elsewhere is worth nothing any more: they have signed out all else here, or have been given
/// another role, of which what they had there says nothing. The role that they came with was none before.
pub(crate) const OUTDATED: &str = "SELECT 1 FROM imported WHERE user_id = $1 AND closed_at IS NOT NULL \
     UNION ALL SELECT 1 FROM act WHERE subject = $2 AND what = 'role' AND was IS NOT NULL LIMIT 1";

/// What has become of somebody since they came. `is_outdated`: there are rows of [`OUTDATED`].
pub(crate) fn since(person: &Person, disabled_at: Option<Timestamp>, is_outdated: bool) -> Since {
    Since { is_disabled: disabled_at.is_some(), token_version: person.token_version, is_outdated }
}

impl From<Refusal> for Exchanged {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::UserDisabled => Exchanged::UserDisabled,
            Refusal::Outdated => Exchanged::Outdated,
        }
    }
}

impl From<Refusal> for Prospect {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::UserDisabled => Prospect::UserDisabled,
            Refusal::Outdated => Prospect::Outdated,
        }
    }
}

/// What is remembered of a sign-in that was traded or closed.
pub(crate) struct Traded {
    pub session_id: Option<SessionId>,
    attempt: Option<Attempt>,
    at: Timestamp,
}

/// The columns that [`Traded::read`] reads.
pub(crate) const TRADED: &str = "session_id, attempt, at";

impl Traded {
    pub fn read(columns: &mut impl Columns) -> Result<Self> {
        const WHAT: &str = "exchange";
        Ok(Self {
            session_id: columns.id_or_null(WHAT)?.map(SessionId::from_bytes),
            attempt: columns.bytes_or_null(WHAT)?.map(Attempt),
            at: columns.time(WHAT)?,
        })
    }

    /// What becomes of whoever shows it again, with the session that it has become if that is still there.
    pub fn again(
        &self,
        exchange: &Exchange,
        person: Person,
        session: Option<Session>,
        now: Timestamp,
    ) -> Exchanged {
        let is_same = self.attempt == Some(exchange.attempt);
        match session {
            Some(session)
                if is_same && session.user_id == person.id && may_hand_out_again(&session, self.at, now) =>
            {
                Exchanged::Again { session, person }
            }
            _ => Exchanged::Used,
        }
    }
}

pub(crate) fn exchanged(exchange: &Exchange, session: &Session) -> Occurrence {
    let mut detail = json!({ "authenticated_at": exchange.authenticated_at });
    if let Some(key) = exchange.vouched_by {
        detail["api_key"] = json!(key);
    }
    Occurrence {
        user: Some(session.user_id),
        session: Some(session.id),
        subject: Some(exchange.source.as_str().to_owned()),
        whence: (&exchange.new.device).into(),
        cause: Some("traded".to_owned()),
        ..Occurrence::new(EventKind::Exchanged, session.created_at)
    }
    .with_detail(&detail)
}
