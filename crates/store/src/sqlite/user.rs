//! Users, and the accounts they belong to.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use async_trait::async_trait;
use rusqlite::{Connection, named_params, params};
use tenure_domain::ends::Actor;
use tenure_domain::id::{AccountId, SessionId, UserId};
use tenure_domain::password::PasswordHash;
use tenure_domain::time::Timestamp;
use tenure_domain::user::Role;

use super::writer::Tx;
use super::{SqliteStore, account, end, event, import, row, session};
use crate::account::{Difference, password_set, state};
use crate::row::Columns as _;
use crate::{
    Decree, EndOrder, Ended, Expected, Home, NewSession, NewUser, PasswordChanged, Person, Result, Scope,
    Subject, User, UserCreated, UserFilter, Users,
};

const INSERT: &str = "INSERT INTO user (id, account_id, email, email_key, name, role, password_hash, \
     token_version, disabled_at, created_at) \
     VALUES (:id, :account_id, :email, :email_key, :name, :role, :password_hash, :token_version, :disabled_at, :created_at)";

const SET_PASSWORD: &str =
    "UPDATE user SET password_hash = ?2, token_version = token_version + 1 WHERE id = ?1";

const DISABLE: &str = "UPDATE user SET disabled_at = coalesce(disabled_at, ?2), \
     token_version = token_version + 1 WHERE id = ?1";

/// Where a session came from is the user's own data; that and why it ended is not.
const DELETE_DEVICES: &str = "DELETE FROM session_device \
     WHERE session_id IN (SELECT id FROM session WHERE user_id = ?1)";

/// An account goes with its last member.
const DELETE_ACCOUNT: &str = "DELETE FROM account \
     WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM user WHERE account_id = ?1)";

static PERSON: LazyLock<String> =
    LazyLock::new(|| format!("SELECT {} FROM user u WHERE u.id = ?1", row::PERSON));
static FIND: LazyLock<String> = LazyLock::new(|| format!("SELECT {} FROM user u WHERE u.id = ?1", row::USER));
static FIND_BY_EMAIL: LazyLock<String> =
    LazyLock::new(|| format!("SELECT {} FROM user u WHERE u.email_key = ?1", row::USER));
static LIST: LazyLock<String> = LazyLock::new(|| {
    format!("SELECT {} FROM user u WHERE u.id > ?1 AND {WANTED} ORDER BY u.id LIMIT ?2", row::USER)
});

/// As [`UserFilter`] has it.
const WANTED: &str = "(?3 IS NULL OR instr(u.email_key, ?3) > 0 OR instr(lower(u.name), ?4) > 0) \
     AND (?5 IS NULL OR u.role = ?5) AND (?6 IS NULL OR (u.disabled_at IS NOT NULL) = ?6) \
     AND (?7 IS NULL OR u.account_id = ?7)";

#[async_trait]
impl Users for SqliteStore {
    async fn user_create(
        &self,
        new: NewUser,
        session: Option<NewSession>,
        now: Timestamp,
    ) -> Result<UserCreated> {
        self.writer.write_composed(move |tx| create(tx, &new, session.as_ref(), now)).await
    }

    async fn user_find(&self, id: UserId) -> Result<Option<User>> {
        self.readers.read(move |conn| find(conn, id)).await
    }

    async fn user_find_by_email(&self, email_key: &str) -> Result<Option<User>> {
        let key = email_key.to_owned();
        self.readers
            .read(move |conn| row::one(conn, &FIND_BY_EMAIL, [key], |columns| row::user(columns)))
            .await
    }

    async fn user_emails(&self, ids: Vec<UserId>) -> Result<BTreeMap<UserId, String>> {
        let email = "SELECT email FROM user WHERE id = ?1";
        self.readers
            .read(move |conn| {
                let mut emails = BTreeMap::new();
                for id in ids {
                    let found = row::readable(conn, email, [id.as_bytes()], |columns| columns.text("user"))?;
                    emails.extend(found.into_iter().map(|email| (id, email)));
                }
                Ok(emails)
            })
            .await
    }

    async fn user_list(&self, filter: UserFilter, after: Option<UserId>, limit: usize) -> Result<Vec<User>> {
        // Every id is greater than no bytes at all.
        let after = after.map(|id| id.as_bytes().to_vec()).unwrap_or_default();
        let limit = row::integer(limit);
        self.readers
            .read(move |conn| {
                let [key, name] = filter.texts().map_or([None, None], |texts| texts.map(Some));
                let account = filter.account.as_ref().map(AccountId::as_bytes);
                let role = filter.role.map(Role::as_str);
                let params = params![after, limit, key, name, role, filter.is_disabled, account];
                row::readable(conn, &LIST, params, |columns| row::user(columns))
            })
            .await
    }

    async fn user_rename(&self, id: UserId, name: String, _now: Timestamp) -> Result<Option<Person>> {
        self.writer
            .write_composed(move |tx| {
                let rename = "UPDATE user SET name = ?2 WHERE id = ?1";
                tx.conn.prepare_cached(rename)?.execute(params![id.as_bytes(), name])?;
                Ok(person(tx.conn, id)?.map(|(person, _)| person))
            })
            .await
    }

    async fn user_set_password(
        &self,
        id: UserId,
        expected: Expected,
        new: PasswordHash,
        keep: Option<SessionId>,
        order: EndOrder,
        now: Timestamp,
    ) -> Result<PasswordChanged> {
        self.writer
            .write_composed(move |tx| {
                let Some(user) = find(tx.conn, id)? else { return Ok(PasswordChanged::UserGone) };
                if !expected.fits(&user) {
                    return Ok(PasswordChanged::Conflict);
                }
                tx.conn.prepare_cached(SET_PASSWORD)?.execute(params![id.as_bytes(), new.as_str()])?;
                let scope = keep.map_or(Scope::All, Scope::AllBut);
                let ended = end::scope(tx, id, scope, &order, now)?;
                event::write(tx, crate::event::password_set(id, &order, now))?;
                if order.actor != Actor::User {
                    record(tx, id, &[password_set()], &order.decree(), now)?;
                }
                let changed = person(tx.conn, id)?;
                Ok(changed.map_or(PasswordChanged::UserGone, |(person, _)| PasswordChanged::Changed {
                    person,
                    ended,
                }))
            })
            .await
    }

    async fn user_rehash(&self, id: UserId, expected: PasswordHash, new: PasswordHash) -> Result<()> {
        self.writer
            .write(move |tx| {
                let rehash = "UPDATE user SET password_hash = ?3 WHERE id = ?1 AND password_hash = ?2";
                let params = params![id.as_bytes(), expected.as_str(), new.as_str()];
                tx.conn.prepare_cached(rehash)?.execute(params)?;
                Ok(())
            })
            .await
    }

    async fn user_disable(&self, id: UserId, order: EndOrder, now: Timestamp) -> Result<Option<Vec<Ended>>> {
        self.writer.write_composed(move |tx| disable(tx, id, &order, now)).await
    }

    async fn user_enable(&self, id: UserId, decree: Decree, now: Timestamp) -> Result<bool> {
        self.writer.write_composed(move |tx| enable(tx, id, &decree, now)).await
    }

    async fn user_delete(&self, id: UserId, order: EndOrder, now: Timestamp) -> Result<Option<Vec<Ended>>> {
        self.writer.write_composed(move |tx| delete(tx, id, &order, now)).await
    }
}

pub(super) fn create(
    tx: &Tx<'_>,
    new: &NewUser,
    session: Option<&NewSession>,
    now: Timestamp,
) -> Result<UserCreated> {
    let taken = "SELECT 1 FROM user WHERE email_key = ?1";
    if row::one(tx.conn, taken, [&new.email_key], |_| Ok(()))?.is_some() {
        return Ok(UserCreated::EmailTaken);
    }
    if let Some(key) = &new.imported_as
        && import::is_taken(tx.conn, key)?
    {
        return Ok(UserCreated::KeyTaken);
    }
    let account_id = match &new.home {
        Home::In(id) if !account::exists(tx.conn, *id)? => return Ok(UserCreated::AccountGone),
        Home::In(id) => Some(*id),
        Home::Own(own) => {
            let id = AccountId::generate(now, tx.entropy.draw());
            account::insert(tx, id, own, now)?;
            Some(id)
        }
        Home::Nowhere => None,
    };
    let user = new.user(tx.entropy, account_id, now);
    tx.conn.prepare_cached(INSERT)?.execute(named_params! {
        ":id": user.id.as_bytes(),
        ":account_id": user.account_id.as_ref().map(AccountId::as_bytes),
        ":email": user.email,
        ":email_key": new.email_key,
        ":name": user.name,
        ":role": user.role.as_str(),
        ":password_hash": user.password_hash.as_ref().map(PasswordHash::as_str),
        ":token_version": user.token_version,
        ":disabled_at": user.disabled_at.map(Timestamp::as_ms),
        ":created_at": user.created_at.as_ms(),
    })?;
    if let Some(decree) = &new.decree {
        record(tx, user.id, &user.created(), decree, now)?;
    }
    if let Some(key) = &new.imported_as {
        import::insert(tx, key, new, &user, now)?;
    }
    event::write(tx, crate::event::registered(&user, now))?;
    let session = session.map(|session| session::insert(tx, user.id, session, now)).transpose()?;
    Ok(UserCreated::Created { user, session })
}

pub(super) fn disable(
    tx: &Tx<'_>,
    id: UserId,
    order: &EndOrder,
    now: Timestamp,
) -> Result<Option<Vec<Ended>>> {
    if tx.conn.prepare_cached(DISABLE)?.execute(params![id.as_bytes(), now.as_ms()])? == 0 {
        return Ok(None);
    }
    record(tx, id, &[state("disabled")], &order.decree(), now)?;
    end::scope(tx, id, Scope::All, order, now).map(Some)
}

/// False if there is nobody of that id.
pub(super) fn enable(tx: &Tx<'_>, id: UserId, decree: &Decree, now: Timestamp) -> Result<bool> {
    let enable = "UPDATE user SET disabled_at = NULL WHERE id = ?1";
    if tx.conn.prepare_cached(enable)?.execute([id.as_bytes()])? == 0 {
        return Ok(false);
    }
    record(tx, id, &[state("enabled")], decree, now)?;
    Ok(true)
}

fn record(tx: &Tx<'_>, id: UserId, what: &[Difference], decree: &Decree, now: Timestamp) -> Result<()> {
    account::record(tx, &Subject::User(id), what, decree, now)
}

fn find(conn: &Connection, id: UserId) -> Result<Option<User>> {
    row::one(conn, &FIND, [id.as_bytes()], |columns| row::user(columns))
}

/// A person, and since when they are disabled.
pub(super) fn person(conn: &Connection, id: UserId) -> Result<Option<(Person, Option<Timestamp>)>> {
    row::one(conn, &PERSON, [id.as_bytes()], |columns| row::person(columns))
}

/// Kills a user's access tokens.
pub(super) fn bump_version(tx: &Tx<'_>, id: UserId, order: &EndOrder, now: Timestamp) -> Result<()> {
    let bump = "UPDATE user SET token_version = token_version + 1 WHERE id = ?1";
    let found = tx.conn.prepare_cached(bump)?.execute([id.as_bytes()])? == 1;
    match found && order.actor != Actor::User {
        true => record(tx, id, &[state("signed_out")], &order.decree(), now),
        false => Ok(()),
    }
}

fn delete(tx: &Tx<'_>, id: UserId, order: &EndOrder, now: Timestamp) -> Result<Option<Vec<Ended>>> {
    let account_of = "SELECT account_id FROM user WHERE id = ?1";
    let Some(account) = row::one(tx.conn, account_of, [id.as_bytes()], |c| c.blob_or_null("user"))? else {
        return Ok(None);
    };
    record(tx, id, &[state("deleted")], &order.decree(), now)?;
    let ended = end::scope(tx, id, Scope::All, order, now)?;
    event::erase(tx, id)?;
    tx.conn.prepare_cached(DELETE_DEVICES)?.execute([id.as_bytes()])?;
    tx.conn.prepare_cached("DELETE FROM user WHERE id = ?1")?.execute([id.as_bytes()])?;
    if let Some(account) = account {
        tx.conn.prepare_cached(DELETE_ACCOUNT)?.execute([account])?;
    }
    Ok(Some(ended))
}
