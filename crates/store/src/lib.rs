//! Durable truth: the seam between Tenure and its database, and the only crate that knows SQL.
//!
//! A verb is a transition of the domain and atomic by itself; nobody finds first and saves later. What can be
//! expected comes back as a variant of the verb's outcome; an `Err` means that the machine failed, and never
//! that something "does not exist". Sign-ins, ends, password and key changes are durable before a verb
//! returns; a rotation may be relaxed (protocol.md section 4).
//!
//! Every promise written here is a test in `tests/contract`, which runs against every backend.

#![forbid(unsafe_code)]
// Outcomes are made once and moved once; a box would cost more than the bytes.
#![allow(clippy::large_enum_variant)]

mod account;
mod api_key;
pub mod authorities;
mod billing;
mod client_report;
mod console_session;
pub mod copy;
pub mod ephemeral;
mod event;
mod exchange;
mod foreign;
mod import;
mod key;
mod migration;
mod newcomer;
mod observation;
pub mod postgres;
mod recent;
mod row;
mod search;
pub mod sqlite;
mod tally;
mod trail;
mod view;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tenure_domain::ends::{Actor, End, EndReason};
use tenure_domain::event::Whence;
use tenure_domain::id::{AccountId, ReceiptId, SessionId, UserId};
use tenure_domain::password::PasswordHash;
use tenure_domain::refresh_token::PresentedToken;
use tenure_domain::rotation::Replay;
use tenure_domain::session::{NoSession, RefreshRules, Session, Standing};
use tenure_domain::time::{Freshness, Timestamp};
use tenure_domain::user::Role;

pub use account::{
    ACTS_LISTED_MAX, Account, AccountChange, AccountChanged, Accounts, Act, Decree, Membership, NewAccount,
    Plan, PlanSaved, Subject, SubjectError, UserChange, UserChanged,
};
pub use api_key::{ApiKey, ApiKeyCreated, ApiKeyRotated, ApiKeys, KEY_USE_NOTED_EVERY, KeyHolder, NewApiKey};
pub use billing::{Applied, Billing};
pub use client_report::{
    ClientReport, ClientReportStats, ClientReports, REPORT_GROUPS_MAX, ReportClaims, ReportNumber,
    ReportTally,
};
pub use console_session::{ConsoleKey, ConsolePayload, ConsoleSession, ConsoleSessions};
pub use event::{EVENTS_LISTED_MAX, EventFilter, Events};
pub use exchange::{CLOSED_AT_ONCE_MAX, Exchange, Exchanged, Exchanges, Prospect};
pub use foreign::{Foreign, ForeignRow};
pub use import::{Arrived, IMPORTED_AT_ONCE_MAX, Import, Imports};
pub use key::{KeyRetired, KeyState, Keys, StoredKey};
pub use migration::Migration;
pub use observation::{Observations, Observed, ObservedFilter};
pub use search::{ReportFilter, SessionFilter, SessionState, UserFilter};
pub use tally::{Counts, Tallies};
pub use tenure_domain::arrival::Imported;
pub use trail::{Changed, SessionNow, UserNow};

/// Where ids, salts and receipts get their randomness. Injected, so that tests are reproducible.
pub trait Entropy: Send + Sync {
    fn fill(&self, bytes: &mut [u8]);
}

/// The machine failed. None of these says anything about a session.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StoreError {
    /// The database did not answer, refused to write, or broke off: try again.
    #[error("the store cannot be reached: {0}")]
    Unavailable(String),
    /// More writes are waiting than the store takes on: try again a little later.
    #[error("too many writes are waiting")]
    Overloaded,
    /// A row that this version cannot read. It concerns that row alone.
    #[error("a stored {what} cannot be read: {cause}")]
    Corrupt { what: &'static str, cause: String },
}

pub type Result<T> = std::result::Result<T, StoreError>;

// === What is stored ===

#[derive(Clone, PartialEq, Eq)]
pub struct User {
    pub id: UserId,
    pub account_id: Option<AccountId>,
    /// As written; unique by its key (`Email::key`).
    pub email: String,
    pub name: String,
    pub role: Role,
    /// None: cannot sign in with a password.
    pub password_hash: Option<PasswordHash>,
    pub token_version: u32,
    pub disabled_at: Option<Timestamp>,
    pub created_at: Timestamp,
}

/// The part of a user that answers carry and that access tokens are made from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    pub id: UserId,
    pub account_id: Option<AccountId>,
    pub email: String,
    pub name: String,
    pub role: Role,
    pub token_version: u32,
    pub created_at: Timestamp,
}

impl From<&User> for Person {
    fn from(user: &User) -> Self {
        Self {
            id: user.id,
            account_id: user.account_id,
            email: user.email.clone(),
            name: user.name.clone(),
            role: user.role,
            token_version: user.token_version,
            created_at: user.created_at,
        }
    }
}

/// Where a sign-in came from, as far as the client said: for the device list and receipts, never a credential.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Device {
    pub id: Option<String>,
    pub user_agent: Option<String>,
    pub address: Option<String>,
}

/// A session with what its owner sees of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionRecord {
    pub session: Session,
    pub device: Device,
    /// When a refresh last wrote to the row; accurate to the settle time.
    pub last_used_at: Timestamp,
    /// How many refreshes wrote to the row.
    pub refresh_count: u64,
    /// The last of them that were served, to half a minute, oldest first.
    pub refreshes: Vec<Timestamp>,
}

// === What verbs take and give ===

/// A person to create. `email_key` decides uniqueness.
pub struct NewUser {
    pub email: String,
    pub email_key: String,
    pub name: String,
    pub role: Role,
    pub password_hash: Option<PasswordHash>,
    pub home: Home,
    /// Since when they are known, if they come from elsewhere; none is now.
    pub since: Option<Timestamp>,
    /// May not sign in.
    pub is_disabled: bool,
    /// On whose decree, if they are created by somebody with rights; then it is an act.
    pub decree: Option<Decree>,
    /// What another system calls them, if an import is to know them by it; as [`Import::key`].
    pub imported_as: Option<String>,
}

/// Where a person who is created belongs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Home {
    /// In an account that is created for them.
    Own(NewAccount),
    /// In one that exists.
    In(AccountId),
    Nowhere,
}

/// A sign-in to record.
pub struct NewSession {
    pub remembered: bool,
    pub expires_at: Timestamp,
    pub device: Device,
    /// Sessions of the same device that are not older than this are not replaced: the sign-in may be a late
    /// copy of the one that made them.
    pub replaces_before: Timestamp,
}

pub enum UserCreated {
    /// With the session, if one was asked for.
    Created {
        user: User,
        session: Option<Session>,
    },
    EmailTaken,
    /// The account they were to belong to is not there.
    AccountGone,
    /// Somebody came from the other system as what they were to be imported as.
    KeyTaken,
}

pub enum SessionCreated {
    /// `replaced` are the earlier sessions of the same user on the same device id, which this ended.
    Created {
        session: Session,
        person: Person,
        replaced: Vec<SessionId>,
    },
    /// The password changed, or everything was signed out, since the credentials were checked: check again.
    UserChanged,
    UserDisabled,
    UserGone,
}

impl From<NoSession> for SessionCreated {
    fn from(refusal: NoSession) -> Self {
        match refusal {
            NoSession::UserDisabled => SessionCreated::UserDisabled,
            NoSession::UserChanged => SessionCreated::UserChanged,
        }
    }
}

/// A refresh: the session tokens that a jar held, newest session first, outer tags already checked.
pub struct RefreshRequest {
    pub tokens: Vec<PresentedToken>,
    pub freshness: Freshness,
    pub rules: Arc<RefreshRules>,
    /// Who presents them, for the receipt if it comes to an end.
    pub whence: Whence,
}

/// What became of one presented token.
pub enum Refreshed {
    /// Alive and accepted: hand out generation `session.rotation.head`. `written` if the row moved.
    Served { session: Session, person: Person, replay: Option<Replay>, written: bool },
    /// First strike (409 `refresh_superseded`).
    Superseded { session_id: SessionId },
    /// Reuse under policy `observe` (401 `session_superseded`).
    Refused { session_id: SessionId },
    /// It has ended, now (`newly`) or before.
    Ended { session_id: SessionId, end: End, newly: bool },
    /// The tag does not fit the row.
    NotAuthentic,
    /// There is no such row, or its user is gone without a trace: proof of nothing (protocol.md section 3).
    Missing { expires_at: Timestamp },
    /// The row cannot be read; it concerns this session alone.
    Unreadable { session_id: SessionId, cause: String },
}

/// Live sessions, by what was promised to them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SessionCount {
    pub remembered: u64,
    pub short: u64,
}

impl SessionCount {
    pub fn total(self) -> u64 {
        self.remembered + self.short
    }
}

/// An order to end sessions: who, why, and in whose words.
#[derive(Clone)]
pub struct EndOrder {
    pub reason: EndReason,
    pub actor: Actor,
    pub note: Option<String>,
    /// Where it was given.
    pub whence: Whence,
}

impl EndOrder {
    /// The same as what an act is signed with.
    pub(crate) fn decree(&self) -> Decree {
        Decree { actor: self.actor.clone(), reason: self.note.clone() }
    }
}

/// Which sessions of a user an order concerns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    One(SessionId),
    AllBut(SessionId),
    All,
}

/// A session that an order ended, or had ended before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    pub session_id: SessionId,
    pub end: End,
    pub newly: bool,
}

/// How a user has to be still for a new password to be set.
pub enum Expected {
    /// However they are.
    Anyhow,
    /// With the hash that the current password was checked against.
    Hash(PasswordHash),
    /// With this `token_version`: whatever changes a password or keeps somebody out has moved it.
    Version(u32),
}

impl Expected {
    pub(crate) fn fits(&self, user: &User) -> bool {
        match self {
            Expected::Anyhow => true,
            Expected::Hash(hash) => user.password_hash.as_ref() == Some(hash),
            Expected::Version(version) => user.token_version == *version,
        }
    }
}

pub enum PasswordChanged {
    /// With the user's new `token_version` inside, and the sessions that ended.
    Changed {
        person: Person,
        ended: Vec<Ended>,
    },
    /// The user is no longer as was expected.
    Conflict,
    UserGone,
}

/// A user, one of their sessions and their account as they stand now, for the strict check and the profile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    pub standing: Standing,
    pub person: Arc<Person>,
    pub membership: Membership,
}

/// How a store is.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Vitals {
    /// How long ago the last complete read of the feed of changes began; none before the first, and where
    /// there is nothing to hear because the database tells at once (SQLite).
    pub feed_age: Option<Duration>,
    /// Whether callers are answered from memory. When not, each asks the database: slower, not less right.
    pub feed_live: bool,
    /// Ends that the database had lost, in a fail-over, and that were written again.
    pub ends_restored: u64,
    /// Round trips to the database so far; zero where it is in this process.
    pub round_trips: u64,
    /// Connections at work, and the most there may be; zero where none are counted.
    pub connections_in_use: usize,
    pub connections_max: usize,
}

/// What a database remembers of the clocks of those who use it, so that one that is wrong when a server starts is noticed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClockMark {
    /// What time it was, by a clock that was believed.
    pub at: Timestamp,
    /// Since when, by its own account, a clock has said another time altogether.
    pub claimed_at: Option<Timestamp>,
}

/// A way for nodes to tell each other that something has changed, besides the database's own. What is heard
/// makes a node look at the database and is believed for nothing else, so losing or forging it does no harm.
#[async_trait]
pub trait Fanout: Send + Sync {
    /// Tells the other nodes. Returns at once.
    fn announce(&self);

    /// Waits until another node has told.
    async fn announced(&self);
}

// === The verbs ===

/// Sessions.
#[async_trait]
pub trait Sessions: Send + Sync {
    /// Records a sign-in, durably. It happens only if the user exists, is not disabled, and still has
    /// `token_version`, so that a sign-in racing a password change or a disabling cannot slip through.
    /// Earlier live sessions of the same user with the same `device.id` end with `replaced_by_sign_in`, as far
    /// as `replaces_before` lets them.
    async fn session_create(
        &self,
        user_id: UserId,
        token_version: u32,
        new: NewSession,
        now: Timestamp,
    ) -> Result<SessionCreated>;

    /// Presents tokens to the rotation rule, one transition for the whole jar. Tokens are tried in the order
    /// given until one's session is alive: served, superseded or refused; those before it that had ended are
    /// reported too, so the answer is one outcome per token looked at, the decisive one last. If none is
    /// alive, every token has its outcome. A session found expired is ended on the spot.
    async fn session_refresh(&self, request: RefreshRequest, now: Timestamp) -> Result<Vec<Refreshed>>;

    /// Ends every session whose token is authentic, whatever its generation: sign-out by jar (protocol.md
    /// section 7). Ended ones are reported as such; tokens that are not authentic or have no row are left out.
    async fn session_end_presented(
        &self,
        tokens: Vec<PresentedToken>,
        rules: Arc<RefreshRules>,
        order: EndOrder,
        now: Timestamp,
    ) -> Result<Vec<Ended>>;

    /// Ends sessions of a user, durably; with `bump_version` also kills all their access tokens, which is an act if
    /// somebody else does it. Sessions that
    /// had ended before keep their first end. Empty if nothing matched; `Scope::One` also reports an earlier
    /// end. A session of another user never matches.
    async fn session_end(
        &self,
        user_id: UserId,
        scope: Scope,
        bump_version: bool,
        order: EndOrder,
        now: Timestamp,
    ) -> Result<Vec<Ended>>;

    /// One session, ended or not.
    async fn session_find(&self, id: SessionId) -> Result<Option<SessionRecord>>;

    /// The sessions that ended with this receipt, newest first, at most
    /// [`SESSIONS_LISTED_MAX`](tenure_domain::limit::SESSIONS_LISTED_MAX). Nearly always one: of
    /// ten million receipts a few dozen are given twice.
    async fn session_find_by_receipt(&self, receipt: &ReceiptId) -> Result<Vec<SessionRecord>>;

    /// A user's sessions, newest first, at most `limit`; only live ones (neither ended nor expired at `now`)
    /// unless `with_ended`.
    async fn session_list(
        &self,
        user_id: UserId,
        with_ended: bool,
        limit: usize,
        now: Timestamp,
    ) -> Result<Vec<SessionRecord>> {
        let state = if with_ended { SessionState::All } else { SessionState::Live };
        self.session_search(SessionFilter { user: Some(user_id), state }, None, limit, now).await
    }

    /// The session's user and both their standings, coherent with every write that was answered before the
    /// call by this process, and with those of others: on SQLite all that were answered before the call, on
    /// PostgreSQL all that were answered [`postgres::STALENESS`] earlier. Does not query per call: see `view`.
    /// None if there is no such session or its user is gone.
    async fn caller(&self, session_id: SessionId) -> Result<Option<Caller>>;

    /// Who has changed since a position that this handle gave, or without one just where it is now. As current as
    /// `caller`: what was answered before the call (on PostgreSQL, [`postgres::STALENESS`] earlier) is in it.
    async fn changed_since(&self, position: Option<u64>) -> Result<Changed>;

    /// Sessions of anybody, newest first, after `after`, at most `limit`.
    async fn session_search(
        &self,
        filter: SessionFilter,
        after: Option<SessionId>,
        limit: usize,
        now: Timestamp,
    ) -> Result<Vec<SessionRecord>>;

    /// How many sessions are neither ended nor expired. On PostgreSQL an estimate where there are more than a
    /// hundred thousand.
    async fn session_count(&self, now: Timestamp) -> Result<SessionCount>;
}

/// Users and the accounts they belong to.
#[async_trait]
pub trait Users: Send + Sync {
    /// Creates a user, and the account, session and act that go with them, in one durable step.
    async fn user_create(
        &self,
        new: NewUser,
        session: Option<NewSession>,
        now: Timestamp,
    ) -> Result<UserCreated>;

    async fn user_find(&self, id: UserId) -> Result<Option<User>>;

    async fn user_find_by_email(&self, email_key: &str) -> Result<Option<User>>;

    /// The addresses of these users; whoever is not there any more is left out.
    async fn user_emails(&self, ids: Vec<UserId>) -> Result<BTreeMap<UserId, String>>;

    /// Users by age, oldest first, after `after`, at most `limit`.
    async fn user_list(&self, filter: UserFilter, after: Option<UserId>, limit: usize) -> Result<Vec<User>>;

    /// Sets the display name. None if there is no such user.
    async fn user_rename(&self, id: UserId, name: String, now: Timestamp) -> Result<Option<Person>>;

    /// Sets a new password if the user is still as `expected`, bumps
    /// `token_version` and ends the user's sessions but `keep`, all in one durable step. An act, if somebody else does it.
    async fn user_set_password(
        &self,
        id: UserId,
        expected: Expected,
        new: PasswordHash,
        keep: Option<SessionId>,
        order: EndOrder,
        now: Timestamp,
    ) -> Result<PasswordChanged>;

    /// Replaces the hash of an unchanged password by one of another cost; nothing ends. A no-op if the stored
    /// hash is no longer `expected`.
    async fn user_rehash(&self, id: UserId, expected: PasswordHash, new: PasswordHash) -> Result<()>;

    /// Disables a user, ends all their sessions with the order's reason and bumps `token_version`. It is an act, and
    /// the order's note its reason. None if there is no such user.
    async fn user_disable(&self, id: UserId, order: EndOrder, now: Timestamp) -> Result<Option<Vec<Ended>>>;

    /// Lets a disabled user sign in again. Sessions that ended stay ended. False if there is no such user.
    async fn user_enable(&self, id: UserId, decree: Decree, now: Timestamp) -> Result<bool>;

    /// Deletes a user's data and ends all their sessions; the ended rows stay, so that the end is explained. It is an act.
    /// None if there is no such user.
    async fn user_delete(&self, id: UserId, order: EndOrder, now: Timestamp) -> Result<Option<Vec<Ended>>>;
}

/// The durable truth. Handlers hold an `Arc<dyn Store>`.
#[async_trait]
pub trait Store:
    Sessions
    + Users
    + Imports
    + Exchanges
    + Accounts
    + ApiKeys
    + Billing
    + Keys
    + ClientReports
    + ConsoleSessions
    + Events
    + Observations
    + Tallies
{
    /// One cheap read and the writer's sign of life: what readiness asks.
    async fn check(&self) -> Result<()>;

    /// The database's clock, to hold one's own against. None where both are the clock of one machine.
    async fn clock(&self) -> Result<Option<Timestamp>>;

    /// What is remembered of clocks; none before anything was.
    async fn clock_mark(&self) -> Result<Option<ClockMark>>;

    /// Remembers this of clocks instead. Losing it is safe.
    async fn clock_mark_set(&self, mark: ClockMark) -> Result<()>;

    /// How the store is, from memory: for metrics and readiness.
    fn vitals(&self) -> Vitals;

    /// Deletes session rows that ended or expired before `before`; returns how many. Never touches a live one.
    /// Of several processes on one database one sweeps, and the others find nothing to do.
    async fn sweep(&self, before: Timestamp, limit: usize) -> Result<u64>;

    /// Finishes waiting writes and closes. Later calls answer `Unavailable`.
    async fn close(&self);
}

impl Refreshed {
    /// Whether a jar's other tokens need not be looked at any more: this one's session is alive.
    fn is_decisive(&self) -> bool {
        matches!(self, Refreshed::Served { .. } | Refreshed::Superseded { .. } | Refreshed::Refused { .. })
    }
}
