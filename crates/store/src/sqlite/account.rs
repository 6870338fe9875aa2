//! Accounts, plans and acts.

use std::sync::LazyLock;

use async_trait::async_trait;
use rusqlite::{Connection, named_params, params};
use tenure_domain::account::Slug;
use tenure_domain::event::Whence;
use tenure_domain::id::{AccountId, ActId, UserId};
use tenure_domain::time::Timestamp;

use super::writer::Tx;
use super::{SqliteStore, event, row, user};
use crate::account::Difference;
use crate::{
    ACTS_LISTED_MAX, Account, AccountChange, AccountChanged, Accounts, Act, Decree, NewAccount, Plan,
    PlanSaved, Result, Subject, UserChange, UserChanged,
};

const INSERT: &str = "INSERT INTO account (id, name, created_at, status, is_system, plan) \
     VALUES (:id, :name, :now, :status, 0, (SELECT slug FROM plan WHERE slug = :plan))";

const UPDATE: &str = "UPDATE account SET name = ?2, status = ?3, is_system = ?4, plan = ?5, \
     stripe_customer = ?6 WHERE id = ?1";

const SAVE_PLAN: &str = "INSERT INTO plan (slug, name, is_active, limits, features, stripe_price, created_at) \
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (slug) DO UPDATE SET name = excluded.name, \
     is_active = excluded.is_active, limits = excluded.limits, features = excluded.features, \
     stripe_price = excluded.stripe_price";

const INSERT_ACT: &str = "INSERT INTO act (id, at, actor, reason, subject, what, was, became) \
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";

static FIND: LazyLock<String> = LazyLock::new(|| format!("{} WHERE a.id = ?1", *SELECT));
static LIST: LazyLock<String> =
    LazyLock::new(|| format!("{} WHERE a.id > ?1 ORDER BY a.id LIMIT ?2", *SELECT));
static SELECT: LazyLock<String> =
    LazyLock::new(|| format!("SELECT {} FROM account a LEFT JOIN plan p ON p.slug = a.plan", row::ACCOUNT));
static PLAN: LazyLock<String> =
    LazyLock::new(|| format!("SELECT {} FROM plan p WHERE p.slug = ?1", row::PLAN));
static PLANS: LazyLock<String> =
    LazyLock::new(|| format!("SELECT {} FROM plan p ORDER BY p.slug", row::PLAN));
static ACTS: LazyLock<String> =
    LazyLock::new(|| format!("SELECT {} FROM act ORDER BY id DESC LIMIT ?1", row::ACT));
static ACTS_OF: LazyLock<String> =
    LazyLock::new(|| format!("SELECT {} FROM act WHERE subject = ?2 ORDER BY id DESC LIMIT ?1", row::ACT));

#[async_trait]
impl Accounts for SqliteStore {
    async fn account_create(&self, new: NewAccount, decree: Decree, now: Timestamp) -> Result<Account> {
        self.writer
            .write_composed(move |tx| {
                let id = AccountId::generate(now, tx.entropy.draw());
                insert(tx, id, &new, now)?;
                let created = [("created", None, Some(new.name.clone()))];
                record(tx, &Subject::Account(id), &created, &decree, now)?;
                find(tx.conn, id)?.ok_or_else(|| row::vanished("account"))
            })
            .await
    }

    async fn account_find(&self, id: AccountId) -> Result<Option<Account>> {
        self.readers.read(move |conn| find(conn, id)).await
    }

    async fn account_list(&self, after: Option<AccountId>, limit: usize) -> Result<Vec<Account>> {
        // Every id is greater than no bytes at all.
        let after = after.map(|id| id.as_bytes().to_vec()).unwrap_or_default();
        let limit = row::integer(limit);
        self.readers
            .read(move |conn| {
                row::readable(conn, &LIST, params![after, limit], |columns| row::account(columns))
            })
            .await
    }

    async fn account_change(
        &self,
        id: AccountId,
        change: AccountChange,
        decree: Decree,
        now: Timestamp,
    ) -> Result<AccountChanged> {
        self.writer.write_composed(move |tx| self::change(tx, id, &change, &decree, now)).await
    }

    async fn plan_save(&self, plan: Plan, decree: Decree, now: Timestamp) -> Result<PlanSaved> {
        self.writer.write_composed(move |tx| save(tx, &plan, &decree, now)).await
    }

    async fn plan_list(&self) -> Result<Vec<Plan>> {
        self.readers.read(|conn| row::readable(conn, &PLANS, (), |columns| row::plan(columns))).await
    }

    async fn user_change(
        &self,
        id: UserId,
        change: UserChange,
        decree: Decree,
        now: Timestamp,
    ) -> Result<UserChanged> {
        self.writer.write_composed(move |tx| change_user(tx, id, &change, &decree, now)).await
    }

    async fn act_record(
        &self,
        subject: Subject,
        what: &'static str,
        decree: Decree,
        whence: Whence,
        now: Timestamp,
    ) -> Result<()> {
        self.writer
            .write_composed(move |tx| record_at(tx, &subject, &[(what, None, None)], &decree, &whence, now))
            .await
    }

    async fn act_list(&self, subject: Option<Subject>, limit: usize) -> Result<Vec<Act>> {
        let subject = subject.map(|subject| subject.to_string());
        let limit = row::integer(limit.min(ACTS_LISTED_MAX));
        self.readers
            .read(move |conn| match subject {
                None => row::readable(conn, &ACTS, [limit], |columns| row::act(columns)),
                Some(subject) => {
                    row::readable(conn, &ACTS_OF, params![limit, subject], |columns| row::act(columns))
                }
            })
            .await
    }
}

pub(super) fn insert(tx: &Tx<'_>, id: AccountId, new: &NewAccount, now: Timestamp) -> Result<()> {
    tx.conn.prepare_cached(INSERT)?.execute(named_params! {
        ":id": id.as_bytes(),
        ":name": new.name,
        ":now": now.as_ms(),
        ":status": new.status.as_str(),
        ":plan": new.plan.as_ref().map(Slug::as_str),
    })?;
    Ok(())
}

pub(super) fn find(conn: &Connection, id: AccountId) -> Result<Option<Account>> {
    row::one(conn, &FIND, [id.as_bytes()], |columns| row::account(columns))
}

pub(super) fn exists(conn: &Connection, id: AccountId) -> Result<bool> {
    Ok(row::one(conn, "SELECT 1 FROM account WHERE id = ?1", [id.as_bytes()], |_| Ok(()))?.is_some())
}

fn find_plan(conn: &Connection, slug: &Slug) -> Result<Option<Plan>> {
    row::one(conn, &PLAN, [slug.as_str()], |columns| row::plan(columns))
}

pub(super) fn change(
    tx: &Tx<'_>,
    id: AccountId,
    change: &AccountChange,
    decree: &Decree,
    now: Timestamp,
) -> Result<AccountChanged> {
    let Some(was) = find(tx.conn, id)? else { return Ok(AccountChanged::AccountGone) };
    let plan = match change.plan.iter().flatten().next() {
        None => None,
        Some(slug) => match find_plan(tx.conn, slug)? {
            None => return Ok(AccountChanged::PlanGone),
            plan => plan,
        },
    };
    let becomes = change.made_to(&was, plan);
    let taken = "SELECT 1 FROM account WHERE stripe_customer = ?1 AND id <> ?2";
    let params = params![becomes.stripe_customer, id.as_bytes()];
    if change.stripe_customer.is_some() && row::one(tx.conn, taken, params, |_| Ok(()))?.is_some() {
        return Ok(AccountChanged::CustomerTaken);
    }
    let differences = becomes.differences(&was);
    if !differences.is_empty() {
        tx.conn.prepare_cached(UPDATE)?.execute(params![
            id.as_bytes(),
            becomes.name,
            becomes.status.as_str(),
            becomes.is_system,
            becomes.plan.as_ref().map(|plan| plan.slug.as_str()),
            becomes.stripe_customer,
        ])?;
    }
    record(tx, &Subject::Account(id), &differences, decree, now)?;
    Ok(AccountChanged::Changed(becomes))
}

fn save(tx: &Tx<'_>, plan: &Plan, decree: &Decree, now: Timestamp) -> Result<PlanSaved> {
    let taken = "SELECT 1 FROM plan WHERE stripe_price = ?1 AND slug <> ?2";
    let params = params![plan.stripe_price, plan.slug.as_str()];
    if row::one(tx.conn, taken, params, |_| Ok(()))?.is_some() {
        return Ok(PlanSaved::PriceTaken);
    }
    // One that cannot be read is mended by being saved.
    let known = row::if_intact(find_plan(tx.conn, &plan.slug))?;
    let differences = plan.differences(known.as_ref());
    if !differences.is_empty() {
        tx.conn.prepare_cached(SAVE_PLAN)?.execute(params![
            plan.slug.as_str(),
            plan.name,
            plan.is_active,
            plan.limits.to_json(),
            plan.features.to_json(),
            plan.stripe_price,
            plan.created_at.as_ms(),
        ])?;
    }
    record(tx, &Subject::Plan(plan.slug.clone()), &differences, decree, now)?;
    Ok(PlanSaved::Saved)
}

fn change_user(
    tx: &Tx<'_>,
    id: UserId,
    change: &UserChange,
    decree: &Decree,
    now: Timestamp,
) -> Result<UserChanged> {
    let Some((was, _)) = user::person(tx.conn, id)? else { return Ok(UserChanged::UserGone) };
    if let Some(Some(account)) = change.account
        && !exists(tx.conn, account)?
    {
        return Ok(UserChanged::AccountGone);
    }
    let becomes = change.made_to(&was);
    let differences = becomes.differences(&was);
    if !differences.is_empty() {
        let update = "UPDATE user SET role = ?2, account_id = ?3 WHERE id = ?1";
        let account = becomes.account_id.as_ref().map(AccountId::as_bytes);
        tx.conn.prepare_cached(update)?.execute(params![id.as_bytes(), becomes.role.as_str(), account])?;
    }
    record(tx, &Subject::User(id), &differences, decree, now)?;
    Ok(UserChanged::Changed(becomes))
}

/// Writes an act for each difference.
pub(super) fn record(
    tx: &Tx<'_>,
    subject: &Subject,
    differences: &[Difference],
    decree: &Decree,
    now: Timestamp,
) -> Result<()> {
    record_at(tx, subject, differences, decree, &Whence::default(), now)
}

fn record_at(
    tx: &Tx<'_>,
    subject: &Subject,
    differences: &[Difference],
    decree: &Decree,
    whence: &Whence,
    now: Timestamp,
) -> Result<()> {
    for difference in differences {
        let (what, was, became) = difference;
        event::write(tx, crate::event::act(subject, difference, decree, whence, now))?;
        let id = ActId::generate(now, tx.entropy.draw());
        let (actor, subject) = (decree.actor.to_string(), subject.to_string());
        tx.conn.prepare_cached(INSERT_ACT)?.execute(params![
            id.as_bytes(),
            now.as_ms(),
            actor,
            decree.reason,
            subject,
            what,
            was,
            became
        ])?;
    }
    Ok(())
}
