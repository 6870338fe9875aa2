//! Accounts, plans and acts.
//!
//! Whoever takes several locks takes them in one order: first the user's row or Stripe's customer, then the account's.

use std::sync::LazyLock;

use async_trait::async_trait;
use tenure_domain::account::Slug;
use tenure_domain::event::Whence;
use tenure_domain::id::{AccountId, ActId, UserId};
use tenure_domain::time::Timestamp;
use tokio_postgres::types::Type;

use super::connect::Conn;
use super::row::{self, Fields, uuid};
use super::{PostgresStore, event, user};
use crate::account::Difference;
use crate::row::{ACCOUNT, ACT, PLAN as PLAN_COLUMNS, if_intact, integer, vanished};
use crate::{
    ACTS_LISTED_MAX, Account, AccountChange, AccountChanged, Accounts, Act, Decree, NewAccount, Plan,
    PlanSaved, Result, Subject, UserChange, UserChanged,
};

const INSERT: &str = "INSERT INTO account (id, name, created_at, status, plan) \
     VALUES ($1, $2, $3, $4, (SELECT slug FROM plan WHERE slug = $5))";

const UPDATE: &str = "UPDATE account SET name = $2, status = $3, is_system = $4, plan = $5, \
     stripe_customer = $6 WHERE id = $1";

const SAVE_PLAN: &str = "INSERT INTO plan (slug, name, is_active, limits, features, stripe_price, created_at) \
     VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (slug) DO UPDATE SET name = excluded.name, \
     is_active = excluded.is_active, limits = excluded.limits, features = excluded.features, \
     stripe_price = excluded.stripe_price";

const INSERT_ACT: &str = "INSERT INTO act (id, at, actor, reason, subject, what, was, became) \
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";

static SELECT: LazyLock<String> =
    LazyLock::new(|| format!("SELECT {ACCOUNT} FROM account a LEFT JOIN plan p ON p.slug = a.plan"));
pub(super) static FIND: LazyLock<String> = LazyLock::new(|| format!("{} WHERE a.id = $1", *SELECT));

const LOCK: &str = "SELECT 1 FROM account WHERE id = $1 FOR NO KEY UPDATE";
static LIST: LazyLock<String> =
    LazyLock::new(|| format!("{} WHERE a.id > $1 ORDER BY a.id LIMIT $2", *SELECT));
static PLAN: LazyLock<String> =
    LazyLock::new(|| format!("SELECT {PLAN_COLUMNS} FROM plan p WHERE p.slug = $1"));
static PLANS: LazyLock<String> =
    LazyLock::new(|| format!("SELECT {PLAN_COLUMNS} FROM plan p ORDER BY p.slug"));
static ACTS: LazyLock<String> = LazyLock::new(|| format!("SELECT {ACT} FROM act ORDER BY id DESC LIMIT $1"));
static ACTS_OF: LazyLock<String> =
    LazyLock::new(|| format!("SELECT {ACT} FROM act WHERE subject = $2 ORDER BY id DESC LIMIT $1"));

#[async_trait]
impl Accounts for PostgresStore {
    async fn account_create(&self, new: NewAccount, decree: Decree, now: Timestamp) -> Result<Account> {
        let id = AccountId::generate(now, self.entropy.draw());
        self.write(async |conn| {
            insert(conn, id, &new, now).await?;
            let created = [("created", None, Some(new.name.clone()))];
            self.record(conn, &Subject::Account(id), &created, &decree, now).await?;
            find(conn, &FIND, id).await?.ok_or_else(|| vanished("account"))
        })
        .await
    }

    async fn account_find(&self, id: AccountId) -> Result<Option<Account>> {
        find(&mut self.db.get().await?, &FIND, id).await
    }

    async fn account_list(&self, after: Option<AccountId>, limit: usize) -> Result<Vec<Account>> {
        let after = after.map_or([0; 16], |id| *id.as_bytes());
        let params = [(&uuid(&after) as _, Type::UUID), (&integer(limit) as _, Type::INT8)];
        let rows = self.db.get().await?.rows(&LIST, &params).await?;
        Ok(row::readable(&rows, |columns| crate::row::account(columns)))
    }

    async fn account_change(
        &self,
        id: AccountId,
        change: AccountChange,
        decree: Decree,
        now: Timestamp,
    ) -> Result<AccountChanged> {
        self.change(async |conn| self.change_account(conn, id, &change, &decree, now).await).await
    }

    async fn plan_save(&self, plan: Plan, decree: Decree, now: Timestamp) -> Result<PlanSaved> {
        self.change(async |conn| self.save(conn, &plan, &decree, now).await).await
    }

    async fn plan_list(&self) -> Result<Vec<Plan>> {
        let rows = self.db.get().await?.rows(&PLANS, &[]).await?;
        Ok(row::readable(&rows, |columns| crate::row::plan(columns)))
    }

    async fn user_change(
        &self,
        id: UserId,
        change: UserChange,
        decree: Decree,
        now: Timestamp,
    ) -> Result<UserChanged> {
        self.change(async |conn| self.change_user(conn, id, &change, &decree, now).await).await
    }

    async fn act_record(
        &self,
        subject: Subject,
        what: &'static str,
        decree: Decree,
        whence: Whence,
        now: Timestamp,
    ) -> Result<()> {
        self.write(async |conn| {
            self.record_at(conn, &subject, &[(what, None, None)], &decree, &whence, now).await
        })
        .await
    }

    async fn act_list(&self, subject: Option<Subject>, limit: usize) -> Result<Vec<Act>> {
        let limit = integer(limit.min(ACTS_LISTED_MAX));
        let subject = subject.map(|subject| subject.to_string());
        let mut conn = self.db.get().await?;
        let rows = match &subject {
            None => conn.rows(&ACTS, &[(&limit, Type::INT8)]).await?,
            Some(subject) => conn.rows(&ACTS_OF, &[(&limit, Type::INT8), (subject, Type::TEXT)]).await?,
        };
        Ok(row::readable(&rows, |columns| crate::row::act(columns)))
    }
}

pub(super) async fn insert(conn: &mut Conn, id: AccountId, new: &NewAccount, now: Timestamp) -> Result<()> {
    conn.execute(
        INSERT,
        &[
            (&uuid(id.as_bytes()), Type::UUID),
            (&new.name, Type::TEXT),
            (&now.as_ms(), Type::INT8),
            (&new.status.as_str(), Type::TEXT),
            (&new.plan.as_ref().map(Slug::as_str), Type::TEXT),
        ],
    )
    .await
    .map(drop)
}

pub(super) async fn find(conn: &mut Conn, sql: &str, id: AccountId) -> Result<Option<Account>> {
    let row = conn.row(sql, &[(&uuid(id.as_bytes()), Type::UUID)]).await?;
    row.map(|row| crate::row::account(&mut Fields::of(&row))).transpose()
}

/// Keeps others from changing an account, or giving it a key, until the transaction is over. False if there is none.
pub(super) async fn lock(conn: &mut Conn, id: AccountId) -> Result<bool> {
    Ok(conn.row(LOCK, &[(&uuid(id.as_bytes()), Type::UUID)]).await?.is_some())
}

/// Keeps others from deleting an account until the transaction is over. False if there is none.
pub(super) async fn keep(conn: &mut Conn, id: AccountId) -> Result<bool> {
    let lock = "SELECT 1 FROM account WHERE id = $1 FOR KEY SHARE";
    Ok(conn.row(lock, &[(&uuid(id.as_bytes()), Type::UUID)]).await?.is_some())
}

/// Finds an account and keeps others from changing it until the transaction is over.
pub(super) async fn find_locked(conn: &mut Conn, id: AccountId) -> Result<Option<Account>> {
    // Locked by a statement of its own: one that waited for somebody's change gives that row anew, but joined to the plan
    // it had before, which would look like none.
    match lock(conn, id).await? {
        true => find(conn, &FIND, id).await,
        false => Ok(None),
    }
}

/// Keeps others from giving the customer to an account, and from telling of them, until the transaction is over.
pub(super) async fn lock_customer(conn: &mut Conn, customer: &str) -> Result<()> {
    let lock = "SELECT pg_advisory_xact_lock(hashtext('tenure stripe'), hashtext($1))";
    conn.execute(lock, &[(&customer, Type::TEXT)]).await.map(drop)
}

async fn find_plan(conn: &mut Conn, slug: &Slug) -> Result<Option<Plan>> {
    let row = conn.row(&PLAN, &[(&slug.as_str(), Type::TEXT)]).await?;
    row.map(|row| crate::row::plan(&mut Fields::of(&row))).transpose()
}

impl PostgresStore {
    pub(super) async fn change_account(
        &self,
        conn: &mut Conn,
        id: AccountId,
        change: &AccountChange,
        decree: &Decree,
        now: Timestamp,
    ) -> Result<AccountChanged> {
        if let Some(Some(customer)) = &change.stripe_customer {
            lock_customer(conn, customer).await?;
        }
        let Some(was) = find_locked(conn, id).await? else { return Ok(AccountChanged::AccountGone) };
        let plan = match change.plan.iter().flatten().next() {
            None => None,
            Some(slug) => match find_plan(conn, slug).await? {
                None => return Ok(AccountChanged::PlanGone),
                plan => plan,
            },
        };
        let becomes = change.made_to(&was, plan);
        let taken = "SELECT 1 FROM account WHERE stripe_customer = $1 AND id <> $2";
        let params = [(&becomes.stripe_customer as _, Type::TEXT), (&uuid(id.as_bytes()) as _, Type::UUID)];
        if change.stripe_customer.is_some() && conn.row(taken, &params).await?.is_some() {
            return Ok(AccountChanged::CustomerTaken);
        }
        let differences = becomes.differences(&was);
        if !differences.is_empty() {
            conn.execute(
                UPDATE,
                &[
                    (&uuid(id.as_bytes()), Type::UUID),
                    (&becomes.name, Type::TEXT),
                    (&becomes.status.as_str(), Type::TEXT),
                    (&becomes.is_system, Type::BOOL),
                    (&becomes.plan.as_ref().map(|plan| plan.slug.as_str()), Type::TEXT),
                    (&becomes.stripe_customer, Type::TEXT),
                ],
            )
            .await?;
        }
        self.record(conn, &Subject::Account(id), &differences, decree, now).await?;
        Ok(AccountChanged::Changed(becomes))
    }

    async fn save(&self, conn: &mut Conn, plan: &Plan, decree: &Decree, now: Timestamp) -> Result<PlanSaved> {
        // Plans are changed by few and seldom: one at a time, so that prices are told apart before the index has to.
        conn.execute("LOCK TABLE plan IN SHARE ROW EXCLUSIVE MODE", &[]).await?;
        let slug = plan.slug.as_str();
        let taken = "SELECT 1 FROM plan WHERE stripe_price = $1 AND slug <> $2";
        let params = [(&plan.stripe_price as _, Type::TEXT), (&slug as _, Type::TEXT)];
        if conn.row(taken, &params).await?.is_some() {
            return Ok(PlanSaved::PriceTaken);
        }
        // One that cannot be read is mended by being saved.
        let known = if_intact(find_plan(conn, &plan.slug).await)?;
        let differences = plan.differences(known.as_ref());
        if !differences.is_empty() {
            conn.execute(
                SAVE_PLAN,
                &[
                    (&slug, Type::TEXT),
                    (&plan.name, Type::TEXT),
                    (&plan.is_active, Type::BOOL),
                    (&plan.limits.to_json(), Type::TEXT),
                    (&plan.features.to_json(), Type::TEXT),
                    (&plan.stripe_price, Type::TEXT),
                    (&plan.created_at.as_ms(), Type::INT8),
                ],
            )
            .await?;
        }
        self.record(conn, &Subject::Plan(plan.slug.clone()), &differences, decree, now).await?;
        Ok(PlanSaved::Saved)
    }

    async fn change_user(
        &self,
        conn: &mut Conn,
        id: UserId,
        change: &UserChange,
        decree: &Decree,
        now: Timestamp,
    ) -> Result<UserChanged> {
        let Some((was, _)) = user::locked(conn, id).await? else { return Ok(UserChanged::UserGone) };
        if let Some(Some(account)) = change.account
            && !keep(conn, account).await?
        {
            return Ok(UserChanged::AccountGone);
        }
        let becomes = change.made_to(&was);
        let differences = becomes.differences(&was);
        if !differences.is_empty() {
            let update = "UPDATE \"user\" SET role = $2, account_id = $3 WHERE id = $1";
            let account = becomes.account_id.map(|id| uuid(id.as_bytes()));
            let params = [
                (&uuid(id.as_bytes()) as _, Type::UUID),
                (&becomes.role.as_str() as _, Type::TEXT),
                (&account as _, Type::UUID),
            ];
            conn.execute(update, &params).await?;
        }
        self.record(conn, &Subject::User(id), &differences, decree, now).await?;
        Ok(UserChanged::Changed(becomes))
    }

    /// Writes an act for each difference.
    pub(super) async fn record(
        &self,
        conn: &mut Conn,
        subject: &Subject,
        differences: &[Difference],
        decree: &Decree,
        now: Timestamp,
    ) -> Result<()> {
        self.record_at(conn, subject, differences, decree, &Whence::default(), now).await
    }

    async fn record_at(
        &self,
        conn: &mut Conn,
        subject: &Subject,
        differences: &[Difference],
        decree: &Decree,
        whence: &Whence,
        now: Timestamp,
    ) -> Result<()> {
        for difference in differences {
            let (what, was, became) = difference;
            let occurrence = crate::event::act(subject, difference, decree, whence, now);
            event::write(conn, &*self.entropy, occurrence).await?;
            let id = ActId::generate(now, self.entropy.draw());
            conn.execute(
                INSERT_ACT,
                &[
                    (&uuid(id.as_bytes()), Type::UUID),
                    (&now.as_ms(), Type::INT8),
                    (&decree.actor.to_string(), Type::TEXT),
                    (&decree.reason, Type::TEXT),
                    (&subject.to_string(), Type::TEXT),
                    (what, Type::TEXT),
                    (was, Type::TEXT),
                    (became, Type::TEXT),
                ],
            )
            .await?;
        }
        Ok(())
    }
}
