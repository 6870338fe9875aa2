//! What is copied: every table that holds anything durable, column by column, in values that both databases have.

use tenure_domain::id::{AccountId, ActId, ApiKeyId, EventId, ObservationId, SessionId, UserId};

use crate::row::{self, Columns};
use crate::{Result, StoreError};

/// What a column holds, whatever each database calls its type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Id,
    Number,
    Flag,
    Text,
    Bytes,
}

/// One value of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Cell {
    Null,
    Id([u8; 16]),
    Number(i64),
    Flag(bool),
    Text(String),
    Bytes(Vec<u8>),
}

/// The values of a row, in the order of its table's columns.
pub(crate) type Cells = Vec<Cell>;

pub(crate) struct Table {
    pub name: &'static str,
    /// The first is the primary key.
    pub columns: &'static [(&'static str, Kind)],
    /// A column that names a row of another table, which must be copied before.
    pub parent: Option<(&'static str, &'static str)>,
    /// Whether the row makes sense, as far as the program would notice when it reads it.
    check: fn(&mut Reader<'_>) -> Result<()>,
    /// How people read its key.
    key: fn([u8; 16]) -> String,
}

/// In an order in which each row finds those that it names. Left out are `change`, which only those who run now
/// have read, `tally`, whose counts begin anew, and what a database says of itself.
pub(crate) static TABLES: [Table; 16] = [
    PLAN,
    ACCOUNT,
    USER,
    IMPORTED,
    SESSION,
    SESSION_DEVICE,
    SIGNING_KEY,
    CLIENT_REPORT,
    CONSOLE_SESSION,
    EXCHANGE,
    ACT,
    API_KEY,
    STRIPE_EVENT,
    STRIPE_SUBSCRIPTION,
    EVENT,
    OBSERVATION,
];

/// As [`row::PLAN`].
const PLAN: Table = Table {
    name: "plan",
    columns: &[
        ("slug", Kind::Text),
        ("name", Kind::Text),
        ("is_active", Kind::Flag),
        ("limits", Kind::Text),
        ("features", Kind::Text),
        ("stripe_price", Kind::Text),
        ("created_at", Kind::Number),
    ],
    parent: None,
    check: |columns| row::plan(columns).map(drop),
    key: hex_id,
};

const ACCOUNT: Table = Table {
    name: "account",
    columns: &[
        ("id", Kind::Id),
        ("name", Kind::Text),
        ("status", Kind::Text),
        ("is_system", Kind::Flag),
        ("created_at", Kind::Number),
        ("stripe_customer", Kind::Text),
        ("plan", Kind::Text),
    ],
    parent: Some(("plan", "plan")),
    // Its plan's columns, which would follow here, have been looked at with the plan.
    check: |columns| row::account_alone(columns).map(drop),
    key: |id| AccountId::from_bytes(id).to_string(),
};

/// As [`row::USER`], and what makes it unique.
const USER: Table = Table {
    name: "user",
    columns: &[
        ("id", Kind::Id),
        ("account_id", Kind::Id),
        ("email", Kind::Text),
        ("name", Kind::Text),
        ("role", Kind::Text),
        ("token_version", Kind::Number),
        ("created_at", Kind::Number),
        ("disabled_at", Kind::Number),
        ("password_hash", Kind::Text),
        ("email_key", Kind::Text),
    ],
    parent: Some(("account_id", "account")),
    check: |columns| row::user(columns).map(drop),
    key: |id| UserId::from_bytes(id).to_string(),
};

/// As `row::imported` reads it.
const IMPORTED: Table = Table {
    name: "imported",
    columns: &[
        ("key", Kind::Text),
        ("user_id", Kind::Id),
        ("at", Kind::Number),
        ("closed_at", Kind::Number),
        ("acts", Kind::Number),
        ("version", Kind::Number),
        ("told", Kind::Number),
    ],
    parent: None,
    check: |columns| row::imported(columns),
    key: hex_id,
};

/// As [`row::SESSION`], and when and how often it was used.
pub(crate) const SESSION: Table = Table {
    name: "session",
    columns: &[
        ("id", Kind::Id),
        ("user_id", Kind::Id),
        ("salt", Kind::Bytes),
        ("remembered", Kind::Flag),
        ("created_at", Kind::Number),
        ("expires_at", Kind::Number),
        ("base", Kind::Number),
        ("head", Kind::Number),
        ("handed_at", Kind::Number),
        ("healed", Kind::Flag),
        ("contested_at", Kind::Number),
        ("ended_at", Kind::Number),
        ("end_reason", Kind::Text),
        ("end_actor", Kind::Text),
        ("end_note", Kind::Text),
        ("receipt", Kind::Text),
        ("last_used_at", Kind::Number),
        ("refresh_count", Kind::Number),
        ("refreshed", Kind::Bytes),
    ],
    parent: None,
    check: |columns| {
        row::session(columns)?;
        columns.go_to(row::SESSION_COLUMNS).time("session")?;
        columns.number::<u64>("session").map(drop)
    },
    key: session_id,
};

const SESSION_DEVICE: Table = Table {
    name: "session_device",
    columns: &[
        ("session_id", Kind::Id),
        ("device_id", Kind::Text),
        ("user_agent", Kind::Text),
        ("address", Kind::Text),
    ],
    parent: Some(("session_id", "session")),
    check: |_| Ok(()),
    key: session_id,
};

const SIGNING_KEY: Table = Table {
    name: "signing_key",
    columns: &[
        ("kid", Kind::Text),
        ("sealed_seed", Kind::Bytes),
        ("created_at", Kind::Number),
        ("activates_at", Kind::Number),
        ("retires_at", Kind::Number),
    ],
    parent: None,
    check: |columns| row::signing_key(columns).map(drop),
    key: hex_id,
};

const CLIENT_REPORT: Table = Table {
    name: NUMBERED,
    columns: &[
        ("id", Kind::Number),
        ("received_at", Kind::Number),
        ("address", Kind::Text),
        ("user_agent", Kind::Text),
        ("browser", Kind::Text),
        ("verified_session", Kind::Id),
        ("verified_user", Kind::Id),
        ("kind", Kind::Text),
        ("kind_said", Kind::Text),
        ("claimed_at", Kind::Number),
        ("claimed_session", Kind::Id),
        ("reason", Kind::Text),
        ("receipt", Kind::Text),
        ("message", Kind::Text),
        ("location", Kind::Text),
        ("idle_ms", Kind::Number),
        ("has_token", Kind::Flag),
        ("has_refresh_token", Kind::Flag),
        ("is_authenticated", Kind::Flag),
        ("release", Kind::Text),
        ("client", Kind::Text),
        ("evidence", Kind::Text),
    ],
    parent: None,
    check: |columns| row::client_report(columns).map(drop),
    key: hex_id,
};

const CONSOLE_SESSION: Table = Table {
    name: "console_session",
    columns: &[
        ("key", Kind::Bytes),
        ("user_id", Kind::Id),
        ("payload", Kind::Bytes),
        ("created_at", Kind::Number),
        ("expires_at", Kind::Number),
    ],
    parent: None,
    check: |columns| {
        const WHAT: &str = "console session";
        columns.bytes::<32>(WHAT)?;
        columns.id(WHAT)?;
        columns.blob(WHAT)?;
        columns.time(WHAT)?;
        columns.time(WHAT).map(drop)
    },
    key: hex_id,
};

/// As [`row::ACT`].
const ACT: Table = Table {
    name: "act",
    columns: &[
        ("id", Kind::Id),
        ("at", Kind::Number),
        ("actor", Kind::Text),
        ("reason", Kind::Text),
        ("subject", Kind::Text),
        ("what", Kind::Text),
        ("was", Kind::Text),
        ("became", Kind::Text),
    ],
    parent: None,
    check: |columns| row::act(columns).map(drop),
    key: |id| ActId::from_bytes(id).to_string(),
};

/// As [`row::API_KEY`].
const API_KEY: Table = Table {
    name: "api_key",
    columns: &[
        ("id", Kind::Id),
        ("account_id", Kind::Id),
        ("name", Kind::Text),
        ("hash", Kind::Bytes),
        ("scopes", Kind::Text),
        ("created_at", Kind::Number),
        ("expires_at", Kind::Number),
        ("retires_at", Kind::Number),
        ("revoked_at", Kind::Number),
        ("last_used_at", Kind::Number),
    ],
    parent: Some(("account_id", "account")),
    check: |columns| row::api_key(columns).map(drop),
    key: |id| ApiKeyId::from_bytes(id).to_string(),
};

/// As `row::stripe_event` reads it.
/// As `row::exchange` reads it.
const EXCHANGE: Table = Table {
    name: "exchange",
    columns: &[
        ("key", Kind::Bytes),
        ("session_id", Kind::Id),
        ("attempt", Kind::Bytes),
        ("at", Kind::Number),
        ("expires_at", Kind::Number),
    ],
    parent: None,
    check: |columns| row::exchange(columns),
    key: hex_id,
};

const STRIPE_EVENT: Table = Table {
    name: "stripe_event",
    columns: &[("id", Kind::Text), ("at", Kind::Number), ("kind", Kind::Text), ("subscription", Kind::Text)],
    parent: None,
    check: |columns| row::stripe_event(columns),
    key: hex_id,
};

/// As [`row::STRIPE_SUBSCRIPTION`].
const STRIPE_SUBSCRIPTION: Table = Table {
    name: "stripe_subscription",
    columns: &[
        ("id", Kind::Text),
        ("customer", Kind::Text),
        ("last_created", Kind::Number),
        ("status", Kind::Text),
        ("prices", Kind::Text),
        ("is_applied", Kind::Flag),
    ],
    parent: None,
    check: |columns| row::last_told(columns).map(drop),
    key: hex_id,
};

/// As [`row::EVENT`]. Seals and all: the chain goes on in the copy.
const EVENT: Table = Table {
    name: "event",
    columns: &[
        ("id", Kind::Id),
        ("at", Kind::Number),
        ("kind", Kind::Text),
        ("user_id", Kind::Id),
        ("session_id", Kind::Id),
        ("subject", Kind::Text),
        ("actor", Kind::Text),
        ("address", Kind::Text),
        ("user_agent", Kind::Text),
        ("cause", Kind::Text),
        ("count", Kind::Number),
        ("detail", Kind::Text),
        ("seq", Kind::Number),
        ("tag", Kind::Bytes),
        ("whence_tag", Kind::Bytes),
    ],
    parent: None,
    check: |columns| row::event(columns).map(drop),
    key: |id| EventId::from_bytes(id).to_string(),
};

/// As `row::observed` reads it.
const OBSERVATION: Table = Table {
    name: "observation",
    columns: &[
        ("id", Kind::Id),
        ("received_at", Kind::Number),
        ("profile", Kind::Id),
        ("page", Kind::Text),
        ("seq", Kind::Number),
        ("at", Kind::Number),
        ("ahead_ms", Kind::Number),
        ("seen", Kind::Text),
        ("app", Kind::Text),
        ("browser", Kind::Text),
        ("release", Kind::Text),
    ],
    parent: None,
    check: |columns| row::observed(columns).map(drop),
    key: |id| ObservationId::from_bytes(id).to_string(),
};

/// The table whose rows the database numbers.
pub(crate) const NUMBERED: &str = "client_report";

fn session_id(id: [u8; 16]) -> String {
    SessionId::from_bytes(id).to_string()
}

fn hex_id(id: [u8; 16]) -> String {
    hex(&id)
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

impl Table {
    /// The names of the columns, quoted, each after `of`.
    pub fn names(&self, of: &str) -> String {
        let names: Vec<_> = self.columns.iter().map(|(name, _)| format!("{of}\"{name}\"")).collect();
        names.join(", ")
    }

    pub fn key_column(&self) -> &'static str {
        self.columns.first().map_or("", |(name, _)| name)
    }

    /// What a row of the parent is named by.
    pub fn parent_key(&self) -> &'static str {
        let parent = self.parent.and_then(|(_, name)| TABLES.iter().find(|table| table.name == name));
        parent.map_or("", Table::key_column)
    }

    /// Reads a row and sees whether it makes sense.
    pub fn read(&self, columns: &mut impl Columns) -> Result<Cells> {
        let cells = self.columns.iter().map(|(_, kind)| self.cell(*kind, columns)).collect::<Result<_>>()?;
        (self.check)(&mut Reader::of(self, &cells))?;
        Ok(cells)
    }

    fn cell(&self, kind: Kind, columns: &mut impl Columns) -> Result<Cell> {
        let cell = match kind {
            Kind::Id => columns.id_or_null(self.name)?.map(Cell::Id),
            Kind::Number => columns.integer_or_null(self.name)?.map(Cell::Number),
            Kind::Flag => columns.flag_or_null(self.name)?.map(Cell::Flag),
            Kind::Bytes => columns.blob_or_null(self.name)?.map(Cell::Bytes),
            Kind::Text => columns.text_or_null(self.name)?.map(Cell::Text),
        };
        match cell {
            Some(Cell::Text(text)) if text.contains('\0') => {
                Err(columns.corrupt(self.name, "holds a NUL, which PostgreSQL does not take"))
            }
            cell => Ok(cell.unwrap_or(Cell::Null)),
        }
    }

    /// A key as people know it.
    pub fn key_of(&self, key: &Cell) -> String {
        match key {
            Cell::Id(id) => (self.key)(*id),
            Cell::Text(text) => text.escape_debug().to_string(),
            Cell::Number(number) => number.to_string(),
            Cell::Bytes(bytes) => bytes.as_slice().try_into().map_or_else(|_| hex(bytes), self.key),
            Cell::Flag(_) | Cell::Null => "?".to_owned(),
        }
    }

    /// The first column in which two rows differ.
    pub fn difference(&self, one: &Cells, other: &Cells) -> Option<&'static str> {
        let mut pairs = self.columns.iter().zip(one.iter().zip(other));
        pairs.find(|(_, (one, other))| one != other).map(|((name, _), _)| *name)
    }
}

/// A row's values as the decoders of [`crate::row`] take them.
pub(crate) struct Reader<'r> {
    columns: &'static [(&'static str, Kind)],
    cells: &'r Cells,
    next: usize,
}

impl<'r> Reader<'r> {
    pub fn of(table: &Table, cells: &'r Cells) -> Self {
        Self { columns: table.columns, cells, next: 0 }
    }

    fn take(&mut self) -> &'r Cell {
        let cell = self.cells.get(self.next).unwrap_or(&Cell::Null);
        self.next += 1;
        cell
    }
}

impl Columns for Reader<'_> {
    fn go_to(&mut self, place: usize) -> &mut Self {
        self.next = place;
        self
    }

    fn skip(&mut self, columns: usize) {
        self.next += columns;
    }

    fn corrupt(&self, what: &'static str, wrong: &str) -> StoreError {
        let column = self.columns.get(self.next.saturating_sub(1)).map_or("?", |(name, _)| name);
        StoreError::Corrupt { what, cause: format!("{column} {wrong}") }
    }

    fn id_or_null(&mut self, what: &'static str) -> Result<Option<[u8; 16]>> {
        match self.take() {
            Cell::Null => Ok(None),
            Cell::Id(id) => Ok(Some(*id)),
            _ => Err(self.corrupt(what, "is no id")),
        }
    }

    fn bytes_or_null<const N: usize>(&mut self, what: &'static str) -> Result<Option<[u8; N]>> {
        let Some(bytes) = self.blob_or_null(what)? else { return Ok(None) };
        match bytes.as_slice().try_into() {
            Ok(bytes) => Ok(Some(bytes)),
            Err(_) => Err(self.corrupt(what, &format!("has {} bytes instead of {N}", bytes.len()))),
        }
    }

    fn blob_or_null(&mut self, what: &'static str) -> Result<Option<Vec<u8>>> {
        match self.take() {
            Cell::Null => Ok(None),
            Cell::Bytes(bytes) => Ok(Some(bytes.clone())),
            _ => Err(self.corrupt(what, "is no blob")),
        }
    }

    fn text_or_null(&mut self, what: &'static str) -> Result<Option<String>> {
        match self.take() {
            Cell::Null => Ok(None),
            Cell::Text(text) => Ok(Some(text.clone())),
            _ => Err(self.corrupt(what, "is not text")),
        }
    }

    fn integer_or_null(&mut self, what: &'static str) -> Result<Option<i64>> {
        match self.take() {
            Cell::Null => Ok(None),
            Cell::Number(number) => Ok(Some(*number)),
            _ => Err(self.corrupt(what, "is not a number")),
        }
    }

    fn flag_or_null(&mut self, what: &'static str) -> Result<Option<bool>> {
        match self.take() {
            Cell::Null => Ok(None),
            Cell::Flag(flag) => Ok(Some(*flag)),
            _ => Err(self.corrupt(what, "is no flag")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sessions_and_users_have_the_columns_that_their_decoders_read_in_the_same_order() {
        let plain = |columns: &str, of: &str| columns.replace(of, "");
        assert!(SESSION.names("").replace('"', "").starts_with(&plain(row::SESSION, "s.")));
        assert!(USER.names("").replace('"', "").starts_with(&plain(row::USER, "u.")));
        assert_eq!(PLAN.names("").replace('"', ""), plain(row::PLAN, "p."));
        assert_eq!(API_KEY.names("").replace('"', ""), plain(row::API_KEY, "k."));
        assert_eq!(EVENT.names("").replace('"', ""), row::EVENT);
        assert_eq!(ACT.names("").replace('"', ""), row::ACT);
        assert_eq!(STRIPE_SUBSCRIPTION.names("").replace('"', ""), row::STRIPE_SUBSCRIPTION);
        let account = ACCOUNT.names("").replace('"', "");
        assert!(plain(row::ACCOUNT, "a.").starts_with(account.trim_end_matches(", plan")));
    }
}
