//! Users, and the accounts they belong to.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use async_trait::async_trait;
use tenure_domain::ends::Actor;
use tenure_domain::id::{AccountId, SessionId, UserId};
use tenure_domain::password::PasswordHash;
use tenure_domain::time::Timestamp;
use tenure_domain::user::Role;
use tokio_postgres::types::Type;

use super::connect::Conn;
use super::row::{self, Fields, uuid};
use super::{PostgresStore, account, end, event, import, session};
use crate::account::{Difference, password_set, state};
use crate::row::{Columns as _, PERSON as PERSON_COLUMNS, USER, integer};
use crate::{
    Decree, EndOrder, Ended, Expected, Home, NewSession, NewUser, PasswordChanged, Person, Result, Scope,
    Subject, User, UserCreated, UserFilter, Users,
};

/// Of registrations that race for an address, the second waits for the first and then inserts nothing.
const INSERT: &str = "INSERT INTO \"user\" (id, account_id, email, email_key, name, role, password_hash, \
     token_version, disabled_at, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) \
     ON CONFLICT (email_key) DO NOTHING";

const SET_PASSWORD: &str =
    "UPDATE \"user\" SET password_hash = $2, token_version = token_version + 1 WHERE id = $1";

const DISABLE: &str = "UPDATE \"user\" SET disabled_at = coalesce(disabled_at, $2), \
     token_version = token_version + 1 WHERE id = $1";

/// Where a session came from is the user's own data; that and why it ended is not.
const DELETE_DEVICES: &str = "DELETE FROM session_device \
     WHERE session_id IN (SELECT id FROM session WHERE user_id = $1)";

/// An account goes with its last member.
const DELETE_ACCOUNT: &str = "DELETE FROM account \
     WHERE id = $1 AND NOT EXISTS (SELECT 1 FROM \"user\" WHERE account_id = $1)";

static PERSON: LazyLock<String> =
    LazyLock::new(|| format!("SELECT {PERSON_COLUMNS} FROM \"user\" u WHERE u.id = $1"));
static LOCKED: LazyLock<String> = LazyLock::new(|| format!("{} FOR NO KEY UPDATE", *PERSON));
static FIND: LazyLock<String> = LazyLock::new(|| format!("SELECT {USER} FROM \"user\" u WHERE u.id = $1"));
static FIND_BY_EMAIL: LazyLock<String> =
    LazyLock::new(|| format!("SELECT {USER} FROM \"user\" u WHERE u.email_key = $1"));
static LIST: LazyLock<String> = LazyLock::new(|| {
    format!("SELECT {USER} FROM \"user\" u WHERE u.id > $1 AND {WANTED} ORDER BY u.id LIMIT $2")
});

const EMAILS: &str = "SELECT id, email FROM \"user\" WHERE id = ANY($1)";

/// As [`UserFilter`] has it. Which letters have small ones must not depend on the database's language.
const WANTED: &str = "($3 IS NULL OR strpos(u.email_key, $3) > 0 OR strpos(lower(u.name COLLATE \"C\"), $4) > 0) \
     AND ($5 IS NULL OR u.role = $5) AND ($6 IS NULL OR (u.disabled_at IS NOT NULL) = $6) \
     AND ($7 IS NULL OR u.account_id = $7)";

#[async_trait]
impl Users for PostgresStore {
    async fn user_create(
        &self,
        new: NewUser,
        session: Option<NewSession>,
        now: Timestamp,
    ) -> Result<UserCreated> {
        let mut conn = self.db.get().await?;
        conn.begin().await?;
        let created = self.create(&mut conn, &new, session.as_ref(), now).await?;
        match created {
            UserCreated::Created { .. } => conn.commit().await?,
            UserCreated::EmailTaken | UserCreated::AccountGone | UserCreated::KeyTaken => {
                conn.roll_back().await?;
            }
        }
        Ok(created)
    }

    async fn user_find(&self, id: UserId) -> Result<Option<User>> {
        find(&mut self.db.get().await?, id).await
    }

    async fn user_find_by_email(&self, email_key: &str) -> Result<Option<User>> {
        let row = self.db.get().await?.row(&FIND_BY_EMAIL, &[(&email_key, Type::TEXT)]).await?;
        row.map(|row| crate::row::user(&mut Fields::of(&row))).transpose()
    }

    async fn user_emails(&self, ids: Vec<UserId>) -> Result<BTreeMap<UserId, String>> {
        let ids: Vec<_> = ids.iter().map(|id| uuid(id.as_bytes())).collect();
        let rows = self.db.get().await?.rows(EMAILS, &[(&ids, Type::UUID_ARRAY)]).await?;
        let email =
            |columns: &mut Fields<'_>| Ok((UserId::from_bytes(columns.id("user")?), columns.text("user")?));
        Ok(row::readable(&rows, email).into_iter().collect())
    }

    async fn user_list(&self, filter: UserFilter, after: Option<UserId>, limit: usize) -> Result<Vec<User>> {
        let after = after.map_or([0; 16], |id| *id.as_bytes());
        let [key, name] = filter.texts().map_or([None, None], |texts| texts.map(Some));
        let params: super::connect::Params<'_> = &[
            (&uuid(&after), Type::UUID),
            (&integer(limit), Type::INT8),
            (&key, Type::TEXT),
            (&name, Type::TEXT),
            (&filter.role.map(Role::as_str), Type::TEXT),
            (&filter.is_disabled, Type::BOOL),
            (&filter.account.map(|id| uuid(id.as_bytes())), Type::UUID),
        ];
        let rows = self.db.get().await?.rows(&LIST, params).await?;
        Ok(row::readable(&rows, |columns| crate::row::user(columns)))
    }

    async fn user_rename(&self, id: UserId, name: String, _now: Timestamp) -> Result<Option<Person>> {
        static RENAME: LazyLock<String> = LazyLock::new(|| {
            format!("UPDATE \"user\" u SET name = $2 WHERE u.id = $1 RETURNING {PERSON_COLUMNS}")
        });
        let params = [(&uuid(id.as_bytes()) as _, Type::UUID), (&name as _, Type::TEXT)];
        let row = self.db.get().await?.row(&RENAME, &params).await?;
        self.feed.tell().await;
        row.map(|row| crate::row::person(&mut Fields::of(&row)).map(|(person, _)| person)).transpose()
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
        let mut conn = self.db.get().await?;
        conn.begin().await?;
        end::lock_user(&mut conn, id).await?;
        let stored = find(&mut conn, id).await?;
        let conflict = match &stored {
            None => Some(PasswordChanged::UserGone),
            Some(user) => (!expected.fits(user)).then_some(PasswordChanged::Conflict),
        };
        if let Some(conflict) = conflict {
            conn.roll_back().await?;
            return Ok(conflict);
        }
        let key = uuid(id.as_bytes());
        conn.execute(SET_PASSWORD, &[(&key, Type::UUID), (&new.as_str(), Type::TEXT)]).await?;
        let scope = keep.map_or(Scope::All, Scope::AllBut);
        let ended = end::scope(&mut conn, &*self.entropy, id, scope, &order, now).await?;
        event::write(&mut conn, &*self.entropy, crate::event::password_set(id, &order, now)).await?;
        if order.actor != Actor::User {
            self.record_user(&mut conn, id, &[password_set()], &order.decree(), now).await?;
        }
        let changed = person(&mut conn, &PERSON, id).await?;
        conn.commit().await?;
        self.feed.tell().await;
        Ok(changed
            .map_or(PasswordChanged::UserGone, |(person, _)| PasswordChanged::Changed { person, ended }))
    }

    async fn user_rehash(&self, id: UserId, expected: PasswordHash, new: PasswordHash) -> Result<()> {
        let rehash = "UPDATE \"user\" SET password_hash = $3 WHERE id = $1 AND password_hash = $2";
        let (expected, new) = (expected.as_str(), new.as_str());
        let params: super::connect::Params<'_> =
            &[(&uuid(id.as_bytes()), Type::UUID), (&expected, Type::TEXT), (&new, Type::TEXT)];
        self.db.get().await?.execute(rehash, params).await?;
        Ok(())
    }

    async fn user_disable(&self, id: UserId, order: EndOrder, now: Timestamp) -> Result<Option<Vec<Ended>>> {
        let mut conn = self.db.get().await?;
        conn.begin().await?;
        let Some(ended) = self.disable(&mut conn, id, &order, now).await? else {
            conn.roll_back().await?;
            return Ok(None);
        };
        conn.commit().await?;
        self.feed.tell().await;
        Ok(Some(ended))
    }

    async fn user_enable(&self, id: UserId, decree: Decree, now: Timestamp) -> Result<bool> {
        self.change(async |conn| self.enable(conn, id, &decree, now).await).await
    }

    async fn user_delete(&self, id: UserId, order: EndOrder, now: Timestamp) -> Result<Option<Vec<Ended>>> {
        let deleted = self.write(async |conn| self.delete(conn, id, &order, now).await).await?;
        if deleted.is_some() {
            self.feed.tell().await;
        }
        Ok(deleted)
    }
}

async fn find(conn: &mut Conn, id: UserId) -> Result<Option<User>> {
    let row = conn.row(&FIND, &[(&uuid(id.as_bytes()), Type::UUID)]).await?;
    row.map(|row| crate::row::user(&mut Fields::of(&row))).transpose()
}

/// A person and since when they are disabled, kept from changing until the transaction is over.
pub(super) async fn locked(conn: &mut Conn, id: UserId) -> Result<Option<(Person, Option<Timestamp>)>> {
    person(conn, &LOCKED, id).await
}

/// A person, and since when they are disabled.
pub(super) async fn find_person(conn: &mut Conn, id: UserId) -> Result<Option<(Person, Option<Timestamp>)>> {
    person(conn, &PERSON, id).await
}

async fn person(conn: &mut Conn, sql: &str, id: UserId) -> Result<Option<(Person, Option<Timestamp>)>> {
    let row = conn.row(sql, &[(&uuid(id.as_bytes()), Type::UUID)]).await?;
    row.map(|row| crate::row::person(&mut Fields::of(&row))).transpose()
}

impl PostgresStore {
    pub(super) async fn create(
        &self,
        conn: &mut Conn,
        new: &NewUser,
        session: Option<&NewSession>,
        now: Timestamp,
    ) -> Result<UserCreated> {
        if let Some(key) = &new.imported_as
            && import::is_taken(conn, key).await?
        {
            return Ok(UserCreated::KeyTaken);
        }
        let account_id = match &new.home {
            Home::In(id) if !account::keep(conn, *id).await? => return Ok(UserCreated::AccountGone),
            Home::In(id) => Some(*id),
            Home::Own(own) => {
                let id = AccountId::generate(now, self.entropy.draw());
                account::insert(conn, id, own, now).await?;
                Some(id)
            }
            Home::Nowhere => None,
        };
        let user = new.user(&*self.entropy, account_id, now);
        let inserted = conn
            .execute(
                INSERT,
                &[
                    (&uuid(user.id.as_bytes()), Type::UUID),
                    (&user.account_id.as_ref().map(|id| uuid(id.as_bytes())), Type::UUID),
                    (&user.email, Type::TEXT),
                    (&new.email_key, Type::TEXT),
                    (&user.name, Type::TEXT),
                    (&user.role.as_str(), Type::TEXT),
                    (&user.password_hash.as_ref().map(PasswordHash::as_str), Type::TEXT),
                    (&i64::from(user.token_version), Type::INT8),
                    (&user.disabled_at.map(Timestamp::as_ms), Type::INT8),
                    (&user.created_at.as_ms(), Type::INT8),
                ],
            )
            .await?;
        if inserted == 0 {
            return Ok(UserCreated::EmailTaken);
        }
        if let Some(decree) = &new.decree {
            self.record_user(conn, user.id, &user.created(), decree, now).await?;
        }
        if let Some(key) = &new.imported_as {
            import::insert(conn, key, new, &user, now).await?;
        }
        event::write(conn, &*self.entropy, crate::event::registered(&user, now)).await?;
        let session = match session {
            Some(session) => Some(session::insert(conn, &*self.entropy, user.id, session, now).await?),
            None => None,
        };
        Ok(UserCreated::Created { user, session })
    }

    pub(super) async fn disable(
        &self,
        conn: &mut Conn,
        id: UserId,
        order: &EndOrder,
        now: Timestamp,
    ) -> Result<Option<Vec<Ended>>> {
        let params = [(&uuid(id.as_bytes()) as _, Type::UUID), (&now.as_ms() as _, Type::INT8)];
        if conn.execute(DISABLE, &params).await? == 0 {
            return Ok(None);
        }
        self.record_user(conn, id, &[state("disabled")], &order.decree(), now).await?;
        end::scope(conn, &*self.entropy, id, Scope::All, order, now).await.map(Some)
    }

    /// False if there is nobody of that id.
    pub(super) async fn enable(
        &self,
        conn: &mut Conn,
        id: UserId,
        decree: &Decree,
        now: Timestamp,
    ) -> Result<bool> {
        let enable = "UPDATE \"user\" SET disabled_at = NULL WHERE id = $1";
        let found = conn.execute(enable, &[(&uuid(id.as_bytes()), Type::UUID)]).await? == 1;
        if found {
            self.record_user(conn, id, &[state("enabled")], decree, now).await?;
        }
        Ok(found)
    }

    async fn delete(
        &self,
        conn: &mut Conn,
        id: UserId,
        order: &EndOrder,
        now: Timestamp,
    ) -> Result<Option<Vec<Ended>>> {
        let key = uuid(id.as_bytes());
        let of_user: super::connect::Params<'_> = &[(&key, Type::UUID)];
        let account = "SELECT account_id FROM \"user\" WHERE id = $1 FOR UPDATE";
        let Some(account) = conn.row(account, of_user).await? else { return Ok(None) };
        let account = Fields::of(&account).id_or_null("user")?;
        if let Some(account) = account {
            // Whoever has just been moved into it is seen after this. Before the user goes: whoever creates another one in it,
            // with their address, would wait for that.
            let lock = "SELECT 1 FROM account WHERE id = $1 FOR UPDATE";
            conn.row(lock, &[(&uuid(&account), Type::UUID)]).await?;
        }
        self.record_user(conn, id, &[state("deleted")], &order.decree(), now).await?;
        let ended = end::scope(conn, &*self.entropy, id, Scope::All, order, now).await?;
        event::erase(conn, id).await?;
        conn.execute(DELETE_DEVICES, of_user).await?;
        conn.execute("DELETE FROM \"user\" WHERE id = $1", of_user).await?;
        if let Some(account) = account {
            conn.execute(DELETE_ACCOUNT, &[(&uuid(&account), Type::UUID)]).await?;
        }
        Ok(Some(ended))
    }

    async fn record_user(
        &self,
        conn: &mut Conn,
        id: UserId,
        what: &[Difference],
        decree: &Decree,
        now: Timestamp,
    ) -> Result<()> {
        self.record(conn, &Subject::User(id), what, decree, now).await
    }

    /// Kills a user's access tokens.
    pub(super) async fn bump_version(
        &self,
        conn: &mut Conn,
        id: UserId,
        order: &EndOrder,
        now: Timestamp,
    ) -> Result<()> {
        let bump = "UPDATE \"user\" SET token_version = token_version + 1 WHERE id = $1";
        let found = conn.execute(bump, &[(&uuid(id.as_bytes()), Type::UUID)]).await? == 1;
        match found && order.actor != Actor::User {
            true => self.record_user(conn, id, &[state("signed_out")], &order.decree(), now).await,
            false => Ok(()),
        }
    }
}
