//! Who a row of Django's table of users is, here.

use std::collections::HashMap;

use serde_json::Value;
use tenure_domain::email::Email;
use tenure_domain::exchange::{IMPORTED_ID_MAX, imported_key};
use tenure_domain::password::PasswordHash;
use tenure_domain::time::Timestamp;
use tenure_domain::user::{DisplayName, Role};
use tenure_store::{Decree, ForeignRow, Import, NewUser};

/// What is looked for in a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Field {
    Id,
    Email,
    Username,
    Name,
    FirstName,
    LastName,
    Password,
    IsActive,
    IsStaff,
    IsSuperuser,
    DateJoined,
}

/// Each with what it is called in its option, and the columns that it is usually found in.
const FIELDS: [(Field, &str, &[&str]); 11] = [
    (Field::Id, "id", &["id", "uuid"]),
    (Field::Email, "email", &["email", "email_address"]),
    (Field::Username, "username", &["username", "login"]),
    (Field::Name, "name", &["name", "full_name", "display_name"]),
    (Field::FirstName, "first_name", &["first_name"]),
    (Field::LastName, "last_name", &["last_name"]),
    (Field::Password, "password", &["password"]),
    (Field::IsActive, "is_active", &["is_active"]),
    (Field::IsStaff, "is_staff", &["is_staff"]),
    (Field::IsSuperuser, "is_superuser", &["is_superuser"]),
    (Field::DateJoined, "date_joined", &["date_joined", "created_at", "created"]),
];

/// Reads `FIELD=COLUMN`.
pub fn column(text: &str) -> Result<(Field, String), String> {
    let (name, column) = text.split_once('=').ok_or("expected FIELD=COLUMN")?;
    let found = FIELDS.iter().find(|(_, field, _)| *field == name);
    let known: Vec<_> = FIELDS.iter().map(|(_, field, _)| *field).collect();
    let (field, ..) = found.ok_or_else(|| format!("`{name}` is none of {}", known.join(", ")))?;
    (!column.is_empty()).then(|| (*field, column.to_owned())).ok_or_else(|| "which column?".into())
}

/// How people there become people here.
pub struct Mapping {
    /// Where they are not the usual ones.
    pub columns: HashMap<Field, String>,
    pub staff: Role,
    pub superuser: Role,
    pub decree: Decree,
}

/// Somebody who can come, and what is told of them.
pub struct Newcomer {
    import: Import,
    pub is_staff: bool,
    pub is_superuser: bool,
    /// Nothing there says whether they are active.
    pub is_unflagged: bool,
    is_renamed: bool,
    is_undated: bool,
}

/// What is kept of somebody who is on the way into the store.
pub struct Kept {
    pub key: String,
    pub email: String,
    pub email_key: String,
    pub is_disabled: bool,
    pub has_password: bool,
    pub is_renamed: bool,
    pub is_undated: bool,
}

/// A row that is nobody.
#[derive(Debug, PartialEq, Eq)]
pub struct Bad {
    pub key: String,
    pub cause: String,
}

impl Newcomer {
    pub fn key(&self) -> &str {
        &self.import.key
    }

    pub fn split(self) -> (Import, Kept) {
        let new = &self.import.new;
        let kept = Kept {
            key: self.import.key.clone(),
            email: new.email.clone(),
            email_key: new.email_key.clone(),
            is_disabled: new.is_disabled,
            has_password: new.password_hash.is_some(),
            is_renamed: self.is_renamed,
            is_undated: self.is_undated,
        };
        (self.import, kept)
    }
}

impl Mapping {
    pub fn read(&self, row: &ForeignRow, now: Timestamp) -> Result<Newcomer, Bad> {
        let id = self.text(row, Field::Id).filter(|id| !id.is_empty() && id.len() <= IMPORTED_ID_MAX);
        let named = id.as_deref().unwrap_or("?").to_owned();
        let key = imported_key(&named);
        let bad = |cause: String| Bad { key: key.clone(), cause };
        if id.is_none() {
            let hint = "it has no primary key; dumpdata writes it without --natural-primary, else name it with --column id=";
            return Err(bad(hint.into()));
        }
        if let Some(column) = self.columns.values().find(|column| !row.contains_key(*column)) {
            return Err(bad(format!("it has no column `{column}`")));
        }
        let username = self.text(row, Field::Username);
        // Where there is a column for addresses, a name that looks like one may be somebody else's.
        let email = match self.column(row, Field::Email) {
            Some(_) => self.text(row, Field::Email),
            None => username.clone(),
        };
        let email = email.unwrap_or_default();
        let Ok(address) = Email::parse(&email) else {
            return Err(bad(format!(
                "`{}` is no e-mail address, and people sign in by one here",
                cut(&email)
            )));
        };
        let stored = self.text(row, Field::Password).unwrap_or_default();
        let password_hash = PasswordHash::from_django(&stored).map_err(|error| bad(error.to_string()))?;
        let flag = |field, without: bool| self.flag(row, field, without).map_err(&bad);
        // Unknown is not active there either.
        let is_unflagged = self.column(row, Field::IsActive).is_none();
        let is_active = flag(Field::IsActive, is_unflagged)?;
        let (is_staff, is_superuser) = (flag(Field::IsStaff, false)?, flag(Field::IsSuperuser, false)?);
        let since = self.text(row, Field::DateJoined).and_then(|text| moment(&text));
        let is_undated = since.is_none() && self.value(row, Field::DateJoined).is_some();
        let since = since.map(|time| time.clamp(Timestamp::from_ms(0), now));
        let wished = self.name(row, username);
        let name = wished.as_deref().and_then(|text| DisplayName::parse(text).ok());
        let is_renamed = wished.is_some() && name.is_none();
        let local = address.as_str().split('@').next().unwrap_or_default();
        let name = name.as_ref().map_or(local, DisplayName::as_str);
        let role = match (is_superuser, is_staff) {
            (true, _) => self.superuser,
            (false, true) => self.staff,
            (false, false) => Role::User,
        };
        let new = NewUser {
            role,
            password_hash,
            since,
            is_disabled: !is_active,
            decree: Some(self.decree.clone()),
            ..NewUser::named(&address, name)
        };
        Ok(Newcomer {
            import: Import { key, new },
            is_staff,
            is_superuser,
            is_unflagged,
            is_renamed,
            is_undated,
        })
    }

    /// As they are called there: in full, by two names, or by what they sign in with.
    fn name(&self, row: &ForeignRow, username: Option<String>) -> Option<String> {
        let parts =
            [Field::FirstName, Field::LastName].map(|field| self.text(row, field).unwrap_or_default());
        let both = parts.join(" ").trim().to_owned();
        let username = username.filter(|name| Email::parse(name).is_err());
        let names = [self.text(row, Field::Name), Some(both), username];
        names.into_iter().flatten().find(|name| !name.trim().is_empty())
    }

    /// The value of a field's column, if the row has one.
    fn column<'r>(&self, row: &'r ForeignRow, field: Field) -> Option<&'r Value> {
        if let Some(column) = self.columns.get(&field) {
            return row.get(column);
        }
        let usual = FIELDS.iter().find(|(known, ..)| *known == field).map(|(.., columns)| *columns);
        usual.into_iter().flatten().find_map(|column| row.get(*column))
    }

    fn value<'r>(&self, row: &'r ForeignRow, field: Field) -> Option<&'r Value> {
        self.column(row, field).filter(|value| !value.is_null())
    }

    fn text(&self, row: &ForeignRow, field: Field) -> Option<String> {
        match self.value(row, field)? {
            Value::String(text) => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        }
    }

    /// SQLite has numbers for it, and text is what others have made of it.
    fn flag(&self, row: &ForeignRow, field: Field, without: bool) -> Result<bool, String> {
        match self.value(row, field) {
            None => Ok(without),
            Some(Value::Bool(flag)) => Ok(*flag),
            Some(Value::Number(number)) if number.as_u64().is_some_and(|number| number <= 1) => {
                Ok(number.as_u64() == Some(1))
            }
            Some(other) => match other.as_str().map(str::to_ascii_lowercase).as_deref() {
                Some("true" | "t" | "1") => Ok(true),
                Some("false" | "f" | "0") => Ok(false),
                _ => Err(format!("{field:?} is neither true nor false")),
            },
        }
    }
}

/// A time, or a day from its beginning.
fn moment(text: &str) -> Option<Timestamp> {
    text.parse().or_else(|_| format!("{text}T00:00:00Z").parse()).ok()
}

/// As much as one line of a report has room for.
fn cut(text: &str) -> String {
    text.chars().take(80).collect()
}
