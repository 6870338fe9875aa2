//! Rows into values, the same for every database. A column's type keeps its type, not the sense of what is in
//! it: a row may have been damaged or edited by hand, so everything is checked and nothing here can panic.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tenure_domain::account::{PlanFeatures, PlanLimits, Slug};
use tenure_domain::api_key::{self, ApiKeyHash, ApiKeyState};
use tenure_domain::ends::{Actor, End};
use tenure_domain::event::{Event, EventKind, Link, Occurrence, Seal, Whence};
use tenure_domain::id::{
    AccountId, ActId, ApiKeyId, EventId, ObservationId, ProfileId, ReceiptId, SessionId, UserId,
};
use tenure_domain::observed::{Observation, Seen};
use tenure_domain::password::PasswordHash;
use tenure_domain::rhythm;
use tenure_domain::rotation::{Generation, Rotation};
use tenure_domain::session::Session;
use tenure_domain::stripe::{LastTold, Subscription};
use tenure_domain::suspect::Evidence;
use tenure_domain::time::Timestamp;

use crate::{
    Account, Act, ApiKey, ClientReport, ClockMark, ConsoleKey, ConsolePayload, ConsoleSession, Counts,
    Decree, Device, KeyHolder, Membership, Observed, Person, Plan, ReportClaims, ReportNumber, Result,
    SessionRecord, StoreError, StoredKey, User, UserNow,
};

/// The columns that [`session`] reads, of a table called `s`.
pub(crate) const SESSION: &str = "s.id, s.user_id, s.salt, s.remembered, s.created_at, s.expires_at, \
     s.base, s.head, s.handed_at, s.healed, s.contested_at, \
     s.ended_at, s.end_reason, s.end_actor, s.end_note, s.receipt";

/// How many they are.
pub(crate) const SESSION_COLUMNS: usize = 16;

/// The columns that [`end`] reads, which are the last of those.
pub(crate) const END: &str = "s.ended_at, s.end_reason, s.end_actor, s.end_note, s.receipt";

/// The columns that [`session_record`] reads after those of the session, of `s` and its device `d`.
pub(crate) const RECORD: &str =
    "s.last_used_at, s.refresh_count, s.refreshed, d.device_id, d.user_agent, d.address";

/// The columns that [`person`] reads, of a table called `u`.
pub(crate) const PERSON: &str =
    "u.id, u.account_id, u.email, u.name, u.role, u.token_version, u.created_at, u.disabled_at";

/// How many they are.
pub(crate) const PERSON_COLUMNS: usize = 8;

/// The columns that [`user_now`] reads, of a table called `u`.
pub(crate) const USER_NOW: &str = "u.id, u.disabled_at IS NOT NULL, u.token_version, u.role";

/// The columns that [`user`] reads.
pub(crate) const USER: &str = "u.id, u.account_id, u.email, u.name, u.role, u.token_version, u.created_at, \
     u.disabled_at, u.password_hash";

/// The columns that [`plan`] reads, of a table called `p`.
pub(crate) const PLAN: &str =
    "p.slug, p.name, p.is_active, p.limits, p.features, p.stripe_price, p.created_at";

/// How many they are.
const PLAN_COLUMNS: usize = 7;

/// The columns that [`account`] reads, of `a` and its plan `p`.
pub(crate) const ACCOUNT: &str = "a.id, a.name, a.status, a.is_system, a.created_at, a.stripe_customer, \
     p.slug, p.name, p.is_active, p.limits, p.features, p.stripe_price, p.created_at";

/// The columns that [`api_key`] reads, of a table called `k`.
pub(crate) const API_KEY: &str = "k.id, k.account_id, k.name, k.hash, k.scopes, k.created_at, k.expires_at, k.retires_at, \
     k.revoked_at, k.last_used_at";

/// How many they are.
pub(crate) const API_KEY_COLUMNS: usize = 10;

/// The columns that [`act`] reads.
pub(crate) const ACT: &str = "id, at, actor, reason, subject, what, was, became";

/// The columns that [`event`] reads.
pub(crate) const EVENT: &str = "id, at, kind, user_id, session_id, subject, actor, address, user_agent, cause, count, \
     detail, seq, tag, whence_tag";

/// The columns that [`last_told`] reads, and between them whose it is.
pub(crate) const STRIPE_SUBSCRIPTION: &str = "id, customer, last_created, status, prices, is_applied";

/// A number as databases take it. Ours are counts and limits, for which too large is as good as the largest.
pub(crate) fn integer(number: impl TryInto<i64>) -> i64 {
    number.try_into().unwrap_or(i64::MAX)
}

/// What a browser knew, as it is stored.
pub(crate) fn evidence(evidence: &Option<Evidence>) -> Option<String> {
    evidence.as_ref().and_then(|evidence| serde_json::to_string(evidence).ok())
}

/// What was observed, as it is stored.
pub(crate) fn seen(seen: &Seen) -> String {
    serde_json::to_string(seen).unwrap_or_default()
}

/// Those of many rows that can be read. One that cannot is left out, so that it does not hide the others; it is
/// logged, because the caller is not told.
pub(crate) fn if_readable<T>(row: Result<T>) -> Option<T> {
    row.inspect_err(|error| tracing::error!(%error, "a row is left out of a list")).ok()
}

/// A row that cannot be read counts as none.
pub(crate) fn if_intact<T>(row: Result<Option<T>>) -> Result<Option<T>> {
    match row {
        Err(StoreError::Corrupt { .. }) => Ok(None),
        row => row,
    }
}

/// A row's columns, taken from left to right.
pub(crate) trait Columns {
    /// Goes to a column by its place.
    fn go_to(&mut self, place: usize) -> &mut Self;
    /// Leaves columns out.
    fn skip(&mut self, columns: usize);
    /// The column that was taken last cannot be what it says.
    fn corrupt(&self, what: &'static str, wrong: &str) -> StoreError;

    fn id_or_null(&mut self, what: &'static str) -> Result<Option<[u8; 16]>>;
    fn bytes_or_null<const N: usize>(&mut self, what: &'static str) -> Result<Option<[u8; N]>>;
    fn blob_or_null(&mut self, what: &'static str) -> Result<Option<Vec<u8>>>;
    fn text_or_null(&mut self, what: &'static str) -> Result<Option<String>>;
    fn integer_or_null(&mut self, what: &'static str) -> Result<Option<i64>>;
    fn flag_or_null(&mut self, what: &'static str) -> Result<Option<bool>>;

    fn required<T>(&self, what: &'static str, value: Option<T>) -> Result<T> {
        value.ok_or_else(|| self.corrupt(what, "is missing"))
    }

    fn id(&mut self, what: &'static str) -> Result<[u8; 16]> {
        let id = self.id_or_null(what)?;
        self.required(what, id)
    }

    fn bytes<const N: usize>(&mut self, what: &'static str) -> Result<[u8; N]> {
        let bytes = self.bytes_or_null(what)?;
        self.required(what, bytes)
    }

    fn blob(&mut self, what: &'static str) -> Result<Vec<u8>> {
        let blob = self.blob_or_null(what)?;
        self.required(what, blob)
    }

    fn text(&mut self, what: &'static str) -> Result<String> {
        let text = self.text_or_null(what)?;
        self.required(what, text)
    }

    fn number_or_null<T: TryFrom<i64>>(&mut self, what: &'static str) -> Result<Option<T>> {
        let Some(number) = self.integer_or_null(what)? else { return Ok(None) };
        match number.try_into() {
            Ok(number) => Ok(Some(number)),
            Err(_) => Err(self.corrupt(what, &format!("is {number}, which is out of range"))),
        }
    }

    fn number<T: TryFrom<i64>>(&mut self, what: &'static str) -> Result<T> {
        let number = self.number_or_null(what)?;
        self.required(what, number)
    }

    fn flag(&mut self, what: &'static str) -> Result<bool> {
        let flag = self.flag_or_null(what)?;
        self.required(what, flag)
    }

    fn time_or_null(&mut self, what: &'static str) -> Result<Option<Timestamp>> {
        // No time before 1970 was ever written; read as one, it would make an expired session of a damaged one.
        let ms: Option<u64> = self.number_or_null(what)?;
        Ok(ms.and_then(|ms| i64::try_from(ms).ok()).map(Timestamp::from_ms))
    }

    fn time(&mut self, what: &'static str) -> Result<Timestamp> {
        let time = self.time_or_null(what)?;
        self.required(what, time)
    }
}

pub(crate) fn session(columns: &mut impl Columns) -> Result<Session> {
    const WHAT: &str = "session";
    Ok(Session {
        id: SessionId::from_bytes(columns.id(WHAT)?),
        user_id: UserId::from_bytes(columns.id(WHAT)?),
        salt: columns.bytes(WHAT)?,
        remembered: columns.flag(WHAT)?,
        created_at: columns.time(WHAT)?,
        expires_at: columns.time(WHAT)?,
        rotation: rotation(columns)?,
        ended: end(columns)?,
    })
}

fn rotation(columns: &mut impl Columns) -> Result<Rotation> {
    const WHAT: &str = "session";
    let base = Generation(columns.number(WHAT)?);
    let head = Generation(columns.number(WHAT)?);
    if base >= head {
        return Err(columns.corrupt(WHAT, "is not beyond base"));
    }
    Ok(Rotation {
        base,
        head,
        handed_at: columns.time(WHAT)?,
        healed: columns.flag(WHAT)?,
        contested_at: columns.time_or_null(WHAT)?,
    })
}

pub(crate) fn end(columns: &mut impl Columns) -> Result<Option<End>> {
    const WHAT: &str = "session";
    let Some(at) = columns.time_or_null(WHAT)? else {
        columns.skip(4);
        return Ok(None);
    };
    let reason = columns.text(WHAT)?;
    let reason = reason.parse().map_err(|_| columns.corrupt(WHAT, "is not a reason of this version"))?;
    Ok(Some(End {
        at,
        reason,
        actor: Actor::from(columns.text(WHAT)?.as_str()),
        note: columns.text_or_null(WHAT)?,
        receipt: ReceiptId::from_stored(columns.text(WHAT)?),
    }))
}

pub(crate) fn session_record(columns: &mut impl Columns) -> Result<SessionRecord> {
    const WHAT: &str = "session";
    let session = session(columns)?;
    Ok(SessionRecord {
        last_used_at: columns.time(WHAT)?,
        refresh_count: columns.number(WHAT)?,
        refreshes: rhythm::read(&columns.blob(WHAT)?, session.created_at),
        session,
        device: Device {
            id: columns.text_or_null(WHAT)?,
            user_agent: columns.text_or_null(WHAT)?,
            address: columns.text_or_null(WHAT)?,
        },
    })
}

/// A person, and since when they are disabled.
pub(crate) fn person(columns: &mut impl Columns) -> Result<(Person, Option<Timestamp>)> {
    const WHAT: &str = "user";
    let id = UserId::from_bytes(columns.id(WHAT)?);
    let account_id = columns.id_or_null(WHAT)?.map(AccountId::from_bytes);
    let email = columns.text(WHAT)?;
    let name = columns.text(WHAT)?;
    let role = columns.text(WHAT)?;
    let role = role.parse().map_err(|_| columns.corrupt(WHAT, "is not a role of this version"))?;
    let token_version = columns.number(WHAT)?;
    let created_at = columns.time(WHAT)?;
    let disabled_at = columns.time_or_null(WHAT)?;
    Ok((Person { id, account_id, email, name, role, token_version, created_at }, disabled_at))
}

/// Of [`USER_NOW`], which begins with whose it is.
pub(crate) fn user_now(columns: &mut impl Columns) -> Result<(UserId, UserNow)> {
    const WHAT: &str = "user";
    let id = UserId::from_bytes(columns.id(WHAT)?);
    let mut read = || {
        let is_disabled = columns.flag(WHAT)?;
        let token_version = columns.number(WHAT)?;
        let role = columns.text(WHAT)?;
        let role = role.parse().map_err(|_| columns.corrupt(WHAT, "is not a role of this version"))?;
        Result::Ok(match is_disabled {
            true => UserNow::Disabled { token_version },
            false => UserNow::Stands { token_version, role },
        })
    };
    Ok((id, read().unwrap_or(UserNow::Unreadable)))
}

pub(crate) fn user(columns: &mut impl Columns) -> Result<User> {
    let (person, disabled_at) = person(columns)?;
    let password_hash = columns.text_or_null("user")?.map(PasswordHash::from_stored);
    Ok(User {
        id: person.id,
        account_id: person.account_id,
        email: person.email,
        name: person.name,
        role: person.role,
        password_hash,
        token_version: person.token_version,
        disabled_at,
        created_at: person.created_at,
    })
}

pub(crate) fn client_report(columns: &mut impl Columns) -> Result<(ReportNumber, ClientReport)> {
    const WHAT: &str = "client report";
    let number = ReportNumber(columns.number(WHAT)?);
    let received_at = columns.time(WHAT)?;
    let (address, user_agent) = (columns.text(WHAT)?, columns.text_or_null(WHAT)?);
    let browser = columns.text(WHAT)?;
    let session = columns.id_or_null(WHAT)?.map(SessionId::from_bytes);
    let user = columns.id_or_null(WHAT)?.map(UserId::from_bytes);
    let kind = columns.text(WHAT)?;
    let claims = ReportClaims {
        kind: kind.parse().map_err(|_| columns.corrupt(WHAT, "is not a kind of this version"))?,
        kind_said: columns.text_or_null(WHAT)?,
        at: columns.time_or_null(WHAT)?,
        session: columns.id_or_null(WHAT)?.map(SessionId::from_bytes),
        reason: columns.text_or_null(WHAT)?,
        receipt: columns.text_or_null(WHAT)?,
        message: columns.text_or_null(WHAT)?,
        location: columns.text_or_null(WHAT)?,
        idle: columns.number_or_null(WHAT)?.map(Duration::from_millis),
        has_token: columns.flag_or_null(WHAT)?,
        has_refresh_token: columns.flag_or_null(WHAT)?,
        is_authenticated: columns.flag_or_null(WHAT)?,
        release: columns.text_or_null(WHAT)?,
        client: columns.text_or_null(WHAT)?,
        evidence: match columns.text_or_null(WHAT)? {
            Some(text) => {
                Some(serde_json::from_str(&text).map_err(|_| columns.corrupt(WHAT, "holds no evidence"))?)
            }
            None => None,
        },
    };
    let verified = session.zip(user);
    Ok((number, ClientReport { received_at, address, user_agent, browser, verified, claims }))
}

pub(crate) fn observed(columns: &mut impl Columns) -> Result<(ObservationId, Observed)> {
    const WHAT: &str = "observation";
    let id = ObservationId::from_bytes(columns.id(WHAT)?);
    let received_at = columns.time(WHAT)?;
    let what = Observation {
        profile: ProfileId::from_bytes(columns.id(WHAT)?),
        page: columns.text(WHAT)?,
        seq: columns.number(WHAT)?,
        at: columns.time(WHAT)?,
        ahead_ms: columns.number(WHAT)?,
        seen: serde_json::from_str(&columns.text(WHAT)?)
            .map_err(|_| columns.corrupt(WHAT, "holds nothing that can be seen"))?,
    };
    let (app, browser) = (columns.text(WHAT)?, columns.text(WHAT)?);
    Ok((id, Observed { received_at, app, browser, release: columns.text_or_null(WHAT)?, what }))
}

pub(crate) fn signing_key(columns: &mut impl Columns) -> Result<StoredKey> {
    const WHAT: &str = "signing key";
    Ok(StoredKey {
        kid: columns.text(WHAT)?,
        sealed_seed: columns.blob(WHAT)?,
        created_at: columns.time(WHAT)?,
        activates_at: columns.time(WHAT)?,
        retires_at: columns.time_or_null(WHAT)?,
    })
}

pub(crate) fn plan(columns: &mut impl Columns) -> Result<Plan> {
    let plan = plan_or_null(columns)?;
    plan.ok_or_else(|| columns.corrupt("plan", "is missing"))
}

fn plan_or_null(columns: &mut impl Columns) -> Result<Option<Plan>> {
    const WHAT: &str = "plan";
    let Some(slug) = columns.text_or_null(WHAT)? else {
        columns.skip(PLAN_COLUMNS - 1);
        return Ok(None);
    };
    let slug = read_slug(columns, &slug)?;
    let name = columns.text(WHAT)?;
    let is_active = columns.flag(WHAT)?;
    let limits = columns.text(WHAT)?;
    let limits = PlanLimits::parse(&limits).map_err(|error| columns.corrupt(WHAT, &error.to_string()))?;
    let features = columns.text(WHAT)?;
    let features =
        PlanFeatures::parse(&features).map_err(|error| columns.corrupt(WHAT, &error.to_string()))?;
    let stripe_price = columns.text_or_null(WHAT)?;
    Ok(Some(Plan { slug, name, is_active, limits, features, stripe_price, created_at: columns.time(WHAT)? }))
}

/// The name of a plan alone.
pub(crate) fn slug(columns: &mut impl Columns) -> Result<Slug> {
    let slug = columns.text("plan")?;
    read_slug(columns, &slug)
}

fn read_slug(columns: &impl Columns, text: &str) -> Result<Slug> {
    Slug::parse(text).map_err(|error| columns.corrupt("plan", &error.to_string()))
}

pub(crate) fn account(columns: &mut impl Columns) -> Result<Account> {
    let account = account_alone(columns)?;
    Ok(Account { plan: plan_or_null(columns)?, ..account })
}

/// An account without its plan.
pub(crate) fn account_alone(columns: &mut impl Columns) -> Result<Account> {
    const WHAT: &str = "account";
    let id = AccountId::from_bytes(columns.id(WHAT)?);
    let name = columns.text(WHAT)?;
    let status = columns.text(WHAT)?;
    let status = status.parse().map_err(|_| columns.corrupt(WHAT, "is not a status of this version"))?;
    let (is_system, created_at) = (columns.flag(WHAT)?, columns.time(WHAT)?);
    let stripe_customer = columns.text_or_null(WHAT)?;
    Ok(Account { id, name, status, is_system, created_at, stripe_customer, plan: None })
}

/// The account that a caller acts in, where there may be none. One that cannot be read keeps nobody from being who
/// they are.
pub(crate) fn membership(columns: &mut impl Columns, place: usize) -> Result<Membership> {
    if columns.go_to(place).id_or_null("account")?.is_none() {
        return Ok(Membership::None);
    }
    match account(columns.go_to(place)) {
        Ok(account) => Ok(Membership::Member(Arc::new(account))),
        Err(error @ StoreError::Corrupt { .. }) => {
            tracing::error!(%error, "an account is not known; what needs one is answered 503");
            Ok(Membership::Unreadable)
        }
        Err(error) => Err(error),
    }
}

pub(crate) fn api_key(columns: &mut impl Columns) -> Result<ApiKey> {
    const WHAT: &str = "API key";
    let id = ApiKeyId::from_bytes(columns.id(WHAT)?);
    let account_id = AccountId::from_bytes(columns.id(WHAT)?);
    let name = columns.text(WHAT)?;
    let hash = ApiKeyHash(columns.bytes(WHAT)?);
    let scopes = columns.text(WHAT)?;
    let scopes = api_key::scopes(&scopes).map_err(|error| columns.corrupt(WHAT, &error.to_string()))?;
    let created_at = columns.time(WHAT)?;
    let (expires_at, retires_at) = (columns.time_or_null(WHAT)?, columns.time_or_null(WHAT)?);
    let revoked_at = columns.time_or_null(WHAT)?;
    let last_used_at = columns.time_or_null(WHAT)?;
    let state = ApiKeyState { hash, expires_at, retires_at, revoked_at };
    Ok(ApiKey { id, account_id, name, scopes, created_at, last_used_at, state })
}

pub(crate) fn key_holder(columns: &mut impl Columns) -> Result<KeyHolder> {
    let key = api_key(columns)?;
    Ok(KeyHolder { key, membership: membership(columns, API_KEY_COLUMNS)? })
}

pub(crate) fn act(columns: &mut impl Columns) -> Result<Act> {
    const WHAT: &str = "act";
    Ok(Act {
        id: ActId::from_bytes(columns.id(WHAT)?),
        at: columns.time(WHAT)?,
        decree: Decree {
            actor: Actor::from(columns.text(WHAT)?.as_str()),
            reason: columns.text_or_null(WHAT)?,
        },
        subject: columns.text(WHAT)?,
        what: columns.text(WHAT)?,
        was: columns.text_or_null(WHAT)?,
        became: columns.text_or_null(WHAT)?,
    })
}

pub(crate) fn event(columns: &mut impl Columns) -> Result<Event> {
    const WHAT: &str = "event";
    let id = EventId::from_bytes(columns.id(WHAT)?);
    let at = columns.time(WHAT)?;
    let written = columns.text(WHAT)?;
    let kind = written.parse().ok();
    let other_kind = if kind.is_none() { Some(written) } else { None };
    let kind = kind.unwrap_or(EventKind::Other);
    let what = Occurrence {
        at,
        kind,
        user: columns.id_or_null(WHAT)?.map(UserId::from_bytes),
        session: columns.id_or_null(WHAT)?.map(SessionId::from_bytes),
        subject: columns.text_or_null(WHAT)?,
        actor: columns.text_or_null(WHAT)?,
        whence: Whence { address: columns.text_or_null(WHAT)?, user_agent: columns.text_or_null(WHAT)? },
        cause: columns.text_or_null(WHAT)?,
        count: columns.number(WHAT)?,
        detail: columns.text_or_null(WHAT)?,
    };
    let number = columns.number_or_null(WHAT)?;
    let seal = match number {
        None => None,
        Some(number) => {
            Some(Seal { link: Link { number, tag: columns.bytes(WHAT)? }, whence: columns.bytes(WHAT)? })
        }
    };
    Ok(Event { id, other_kind, what, seal })
}

/// A place in the chain of events: its number and its tag.
pub(crate) fn link(columns: &mut impl Columns) -> Result<Link> {
    Ok(Link { number: columns.number("event")?, tag: columns.bytes("event")? })
}

pub(crate) fn imported(columns: &mut impl Columns) -> Result<()> {
    const WHAT: &str = "import";
    columns.text(WHAT)?;
    columns.id(WHAT)?;
    columns.time(WHAT)?;
    columns.time_or_null(WHAT)?;
    columns.number::<u32>(WHAT)?;
    columns.number::<u32>(WHAT)?;
    columns.number_or_null::<u32>(WHAT).map(drop)
}

pub(crate) fn exchange(columns: &mut impl Columns) -> Result<()> {
    const WHAT: &str = "exchange";
    columns.bytes::<32>(WHAT)?;
    crate::exchange::Traded::read(columns)?;
    columns.time(WHAT).map(drop)
}

pub(crate) fn stripe_event(columns: &mut impl Columns) -> Result<()> {
    const WHAT: &str = "event of Stripe's";
    columns.text(WHAT)?;
    columns.time(WHAT)?;
    columns.text(WHAT)?;
    columns.text_or_null(WHAT).map(drop)
}

pub(crate) fn last_told(columns: &mut impl Columns) -> Result<LastTold> {
    const WHAT: &str = "subscription";
    let id = columns.text(WHAT)?;
    columns.text(WHAT)?;
    let created = columns.time(WHAT)?;
    let status = columns.text(WHAT)?;
    let status = status.parse().map_err(|_| columns.corrupt(WHAT, "is not a status of this version"))?;
    let prices = columns.text(WHAT)?.split_whitespace().map(str::to_owned).collect();
    let is_applied = columns.flag(WHAT)?;
    Ok(LastTold { created, subscription: Subscription { id, status, prices }, is_applied })
}

/// A row that was written a moment ago and is not there.
pub(crate) fn vanished(what: &'static str) -> StoreError {
    StoreError::Corrupt { what, cause: "it was written and is not there".into() }
}

/// The columns that [`console_session`] reads.
pub(crate) const CONSOLE_SESSION: &str = "key, user_id, payload, created_at, expires_at";

pub(crate) fn console_session(columns: &mut impl Columns) -> Result<ConsoleSession> {
    const WHAT: &str = "console session";
    let key = ConsoleKey(columns.bytes(WHAT)?);
    let user_id = UserId::from_bytes(columns.id(WHAT)?);
    let payload = ConsolePayload::new(columns.blob(WHAT)?);
    Ok(ConsoleSession {
        key,
        user_id,
        payload: payload.ok_or_else(|| columns.corrupt(WHAT, "is too large"))?,
        created_at: columns.time(WHAT)?,
        expires_at: columns.time(WHAT)?,
    })
}

pub(crate) const CLOCK_MARK: &str = "SELECT at, claimed_at FROM clock_mark";

pub(crate) fn clock_mark(columns: &mut impl Columns) -> Result<ClockMark> {
    const WHAT: &str = "clock mark";
    Ok(ClockMark { at: columns.time(WHAT)?, claimed_at: columns.time_or_null(WHAT)? })
}

/// A count of an hour.
pub(crate) fn tally(columns: &mut impl Columns) -> Result<(Timestamp, String, u64)> {
    const WHAT: &str = "tally";
    Ok((columns.time(WHAT)?, columns.text(WHAT)?, columns.number(WHAT)?))
}

pub(crate) fn by_hour(rows: Vec<(Timestamp, String, u64)>) -> BTreeMap<Timestamp, Counts> {
    let mut hours: BTreeMap<Timestamp, Counts> = BTreeMap::new();
    for (hour, name, count) in rows {
        hours.entry(hour).or_default().insert(name, count);
    }
    hours
}
