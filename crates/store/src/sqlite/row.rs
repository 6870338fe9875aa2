//! Rows into values. STRICT tables keep the types of columns, not the sense of what is in them: a row may
//! have been damaged or edited by hand, so everything is checked and nothing here can panic.

use std::time::Duration;

use rusqlite::types::ValueRef;
use rusqlite::{Connection, OptionalExtension as _, Params, Row};
use tenure_domain::ends::{Actor, End};
use tenure_domain::id::{AccountId, ReceiptId, SessionId, UserId};
use tenure_domain::password::PasswordHash;
use tenure_domain::rotation::{Generation, Rotation};
use tenure_domain::session::Session;
use tenure_domain::time::Timestamp;

use crate::{
    ClientReport, Device, Person, ReportClaims, ReportNumber, Result, SessionRecord, StoreError, StoredKey,
    User,
};

/// The columns that [`session`] reads, of a table called `s`.
pub(super) const SESSION: &str = "s.id, s.user_id, s.salt, s.remembered, s.created_at, s.expires_at, \
     s.base, s.head, s.handed_at, s.healed, s.contested_at, \
     s.ended_at, s.end_reason, s.end_actor, s.end_note, s.receipt";

/// The columns that [`session_record`] reads after those of the session, of `s` and its device `d`.
pub(super) const RECORD: &str = "s.last_used_at, s.refresh_count, d.device_id, d.user_agent, d.address";

/// The columns that [`person`] reads, of a table called `u`.
pub(super) const PERSON: &str =
    "u.id, u.account_id, u.email, u.name, u.role, u.token_version, u.created_at, u.disabled_at";

/// The columns that [`user`] reads.
pub(super) const USER: &str = "u.id, u.account_id, u.email, u.name, u.role, u.token_version, u.created_at, u.disabled_at, u.password_hash";

/// Runs a query of at most one row.
pub(super) fn one<T>(
    conn: &Connection,
    sql: &str,
    params: impl Params,
    decode: impl FnOnce(&mut Columns<'_>) -> Result<T>,
) -> Result<Option<T>> {
    let mut statement = conn.prepare_cached(sql)?;
    let row = statement.query_row(params, |row| Ok(decode(&mut Columns::of(row)))).optional()?;
    row.transpose()
}

/// Runs a query of many rows.
pub(super) fn all<T>(
    conn: &Connection,
    sql: &str,
    params: impl Params,
    mut decode: impl FnMut(&mut Columns<'_>) -> Result<T>,
) -> Result<Vec<T>> {
    let mut statement = conn.prepare_cached(sql)?;
    let mut rows = statement.query(params)?;
    let mut values = Vec::new();
    while let Some(row) = rows.next()? {
        values.push(decode(&mut Columns::of(row))?);
    }
    Ok(values)
}

/// Runs a query of many rows. One that cannot be read is left out, so that it does not hide the others; it is
/// logged, because the caller is not told.
pub(super) fn readable<T>(
    conn: &Connection,
    sql: &str,
    params: impl Params,
    mut decode: impl FnMut(&mut Columns<'_>) -> Result<T>,
) -> Result<Vec<T>> {
    let report = |error: &StoreError| tracing::error!(%error, "a row is left out of a list");
    let values = all(conn, sql, params, |columns| Ok(decode(columns).inspect_err(report).ok()))?;
    Ok(values.into_iter().flatten().collect())
}

/// A number as SQLite takes it. Ours are counts and limits, for which too large is as good as the largest.
pub(super) fn integer(number: impl TryInto<i64>) -> i64 {
    number.try_into().unwrap_or(i64::MAX)
}

/// A row's columns, taken from left to right.
pub(super) struct Columns<'r> {
    row: &'r Row<'r>,
    next: usize,
}

impl<'r> Columns<'r> {
    fn of(row: &'r Row<'r>) -> Self {
        Self { row, next: 0 }
    }

    /// Goes to a column by its place.
    pub fn go_to(&mut self, place: usize) -> &mut Self {
        self.next = place;
        self
    }

    fn value(&mut self) -> Result<ValueRef<'r>> {
        let value = self.row.get_ref(self.next)?;
        self.next += 1;
        Ok(value)
    }

    /// The column that was taken last cannot be what it says.
    fn corrupt(&self, what: &'static str, wrong: &str) -> StoreError {
        let column = self.row.as_ref().column_name(self.next.saturating_sub(1)).unwrap_or("?");
        StoreError::Corrupt { what, cause: format!("{column} {wrong}") }
    }

    pub fn is_null(&mut self) -> Result<bool> {
        Ok(self.value()? == ValueRef::Null)
    }

    pub fn bytes_or_null<const N: usize>(&mut self, what: &'static str) -> Result<Option<[u8; N]>> {
        match self.value()? {
            ValueRef::Null => Ok(None),
            ValueRef::Blob(blob) => match blob.try_into() {
                Ok(bytes) => Ok(Some(bytes)),
                Err(_) => Err(self.corrupt(what, &format!("has {} bytes instead of {N}", blob.len()))),
            },
            _ => Err(self.corrupt(what, "is not a blob")),
        }
    }

    pub fn bytes<const N: usize>(&mut self, what: &'static str) -> Result<[u8; N]> {
        self.bytes_or_null(what)?.ok_or_else(|| self.corrupt(what, "is missing"))
    }

    pub fn blob_or_null(&mut self, what: &'static str) -> Result<Option<Vec<u8>>> {
        match self.value()? {
            ValueRef::Null => Ok(None),
            ValueRef::Blob(blob) => Ok(Some(blob.to_vec())),
            _ => Err(self.corrupt(what, "is not a blob")),
        }
    }

    pub fn blob(&mut self, what: &'static str) -> Result<Vec<u8>> {
        self.blob_or_null(what)?.ok_or_else(|| self.corrupt(what, "is missing"))
    }

    pub fn text_or_null(&mut self, what: &'static str) -> Result<Option<String>> {
        match self.value()? {
            ValueRef::Null => Ok(None),
            ValueRef::Text(bytes) => match std::str::from_utf8(bytes) {
                Ok(text) => Ok(Some(text.to_owned())),
                Err(_) => Err(self.corrupt(what, "is not UTF-8")),
            },
            _ => Err(self.corrupt(what, "is not text")),
        }
    }

    pub fn text(&mut self, what: &'static str) -> Result<String> {
        self.text_or_null(what)?.ok_or_else(|| self.corrupt(what, "is missing"))
    }

    pub fn number_or_null<T: TryFrom<i64>>(&mut self, what: &'static str) -> Result<Option<T>> {
        match self.value()? {
            ValueRef::Null => Ok(None),
            ValueRef::Integer(number) => match number.try_into() {
                Ok(number) => Ok(Some(number)),
                Err(_) => Err(self.corrupt(what, &format!("is {number}, which is out of range"))),
            },
            _ => Err(self.corrupt(what, "is not a number")),
        }
    }

    pub fn number<T: TryFrom<i64>>(&mut self, what: &'static str) -> Result<T> {
        self.number_or_null(what)?.ok_or_else(|| self.corrupt(what, "is missing"))
    }

    pub fn flag_or_null(&mut self, what: &'static str) -> Result<Option<bool>> {
        match self.number_or_null::<u8>(what)? {
            None => Ok(None),
            Some(0) => Ok(Some(false)),
            Some(1) => Ok(Some(true)),
            Some(other) => Err(self.corrupt(what, &format!("is {other} instead of 0 or 1"))),
        }
    }

    pub fn flag(&mut self, what: &'static str) -> Result<bool> {
        self.flag_or_null(what)?.ok_or_else(|| self.corrupt(what, "is missing"))
    }

    pub fn time_or_null(&mut self, what: &'static str) -> Result<Option<Timestamp>> {
        // No time before 1970 was ever written; read as one, it would make an expired session of a damaged one.
        let ms: Option<u64> = self.number_or_null(what)?;
        Ok(ms.and_then(|ms| i64::try_from(ms).ok()).map(Timestamp::from_ms))
    }

    pub fn time(&mut self, what: &'static str) -> Result<Timestamp> {
        self.time_or_null(what)?.ok_or_else(|| self.corrupt(what, "is missing"))
    }
}

pub(super) fn session(columns: &mut Columns<'_>) -> Result<Session> {
    const WHAT: &str = "session";
    Ok(Session {
        id: SessionId::from_bytes(columns.bytes(WHAT)?),
        user_id: UserId::from_bytes(columns.bytes(WHAT)?),
        salt: columns.bytes(WHAT)?,
        remembered: columns.flag(WHAT)?,
        created_at: columns.time(WHAT)?,
        expires_at: columns.time(WHAT)?,
        rotation: rotation(columns)?,
        ended: end(columns)?,
    })
}

fn rotation(columns: &mut Columns<'_>) -> Result<Rotation> {
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

fn end(columns: &mut Columns<'_>) -> Result<Option<End>> {
    const WHAT: &str = "session";
    let Some(at) = columns.time_or_null(WHAT)? else {
        columns.go_to(columns.next + 4);
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

pub(super) fn session_record(columns: &mut Columns<'_>) -> Result<SessionRecord> {
    const WHAT: &str = "session";
    Ok(SessionRecord {
        session: session(columns)?,
        last_used_at: columns.time(WHAT)?,
        refresh_count: columns.number(WHAT)?,
        device: Device {
            id: columns.text_or_null(WHAT)?,
            user_agent: columns.text_or_null(WHAT)?,
            address: columns.text_or_null(WHAT)?,
        },
    })
}

/// A person, and since when they are disabled.
pub(super) fn person(columns: &mut Columns<'_>) -> Result<(Person, Option<Timestamp>)> {
    const WHAT: &str = "user";
    let id = UserId::from_bytes(columns.bytes(WHAT)?);
    let account_id = columns.bytes_or_null(WHAT)?.map(AccountId::from_bytes);
    let email = columns.text(WHAT)?;
    let name = columns.text(WHAT)?;
    let role = columns.text(WHAT)?;
    let role = role.parse().map_err(|_| columns.corrupt(WHAT, "is not a role of this version"))?;
    let token_version = columns.number(WHAT)?;
    let created_at = columns.time(WHAT)?;
    let disabled_at = columns.time_or_null(WHAT)?;
    Ok((Person { id, account_id, email, name, role, token_version, created_at }, disabled_at))
}

pub(super) fn user(columns: &mut Columns<'_>) -> Result<User> {
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

pub(super) fn client_report(columns: &mut Columns<'_>) -> Result<(ReportNumber, ClientReport)> {
    const WHAT: &str = "client report";
    let number = ReportNumber(columns.number(WHAT)?);
    let received_at = columns.time(WHAT)?;
    let (address, user_agent) = (columns.text(WHAT)?, columns.text_or_null(WHAT)?);
    let browser = columns.text(WHAT)?;
    let session = columns.bytes_or_null(WHAT)?.map(SessionId::from_bytes);
    let user = columns.bytes_or_null(WHAT)?.map(UserId::from_bytes);
    let kind = columns.text(WHAT)?;
    let claims = ReportClaims {
        kind: kind.parse().map_err(|_| columns.corrupt(WHAT, "is not a kind of this version"))?,
        kind_said: columns.text_or_null(WHAT)?,
        at: columns.time_or_null(WHAT)?,
        session: columns.bytes_or_null(WHAT)?.map(SessionId::from_bytes),
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
    };
    let verified = session.zip(user);
    Ok((number, ClientReport { received_at, address, user_agent, browser, verified, claims }))
}

pub(super) fn signing_key(columns: &mut Columns<'_>) -> Result<StoredKey> {
    const WHAT: &str = "signing key";
    Ok(StoredKey {
        kid: columns.text(WHAT)?,
        sealed_seed: columns.blob(WHAT)?,
        created_at: columns.time(WHAT)?,
        activates_at: columns.time(WHAT)?,
        retires_at: columns.time_or_null(WHAT)?,
    })
}
