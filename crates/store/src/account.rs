//! Accounts, plans, and who changed what: what blocks requests and never a session.

use std::sync::Arc;

use async_trait::async_trait;
use tenure_domain::account::{AccountStatus, PlanFeatures, PlanLimits, Slug};
use tenure_domain::ends::Actor;
use tenure_domain::entitlement::{Tenancy, Terms};
use tenure_domain::event::Whence;
use tenure_domain::id::{AccountId, ActId, UserId};
use tenure_domain::time::Timestamp;
use tenure_domain::user::Role;

use crate::{Person, Result, User};

/// Most acts that are listed at once.
pub const ACTS_LISTED_MAX: usize = 200;

/// What whoever runs the product sells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Its name for programs, which never changes.
    pub slug: Slug,
    pub name: String,
    /// An account whose plan is not active is refused what needs one.
    pub is_active: bool,
    pub limits: PlanLimits,
    pub features: PlanFeatures,
    /// The price of Stripe's that stands for it; of one plan at most.
    pub stripe_price: Option<String>,
    pub created_at: Timestamp,
}

/// A tenant: those who belong together and pay together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    pub id: AccountId,
    pub name: String,
    pub status: AccountStatus,
    /// It belongs to whoever runs the product.
    pub is_system: bool,
    pub created_at: Timestamp,
    /// The customer of Stripe's who pays for it; of one account at most.
    pub stripe_customer: Option<String>,
    pub plan: Option<Plan>,
}

impl Account {
    /// As far as it decides anything.
    pub fn tenancy(&self) -> Tenancy {
        let plan = self.plan.as_ref().map(|plan| Terms {
            slug: plan.slug.clone(),
            is_active: plan.is_active,
            limits: plan.limits.clone(),
            features: plan.features.clone(),
        });
        Tenancy { status: self.status, is_system: self.is_system, plan }
    }
}

/// The account that a caller acts in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Membership {
    /// There is none, or it is gone.
    None,
    Member(Arc<Account>),
    /// Its row, or its plan's, cannot be read. That says nothing of who the caller is.
    Unreadable,
}

/// An account to create. A plan that does not exist is left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewAccount {
    pub name: String,
    pub status: AccountStatus,
    pub plan: Option<Slug>,
}

impl NewAccount {
    /// Active, without a plan.
    pub fn named(name: impl Into<String>) -> Self {
        Self { name: name.into(), status: AccountStatus::Active, plan: None }
    }
}

/// By whose decision something changes, and why: what an act is signed with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decree {
    pub actor: Actor,
    pub reason: Option<String>,
}

/// What is to be different about an account. `None` leaves a thing as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccountChange {
    pub name: Option<String>,
    pub status: Option<AccountStatus>,
    pub is_system: Option<bool>,
    /// `Some(None)` takes the plan away.
    pub plan: Option<Option<Slug>>,
    /// `Some(None)`: whoever pays for it, it is no customer of Stripe's.
    pub stripe_customer: Option<Option<String>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AccountChanged {
    /// As it is now. What was so before is no act.
    Changed(Account),
    AccountGone,
    PlanGone,
    /// Another account has that customer.
    CustomerTaken,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PlanSaved {
    Saved,
    /// Another plan has that price.
    PriceTaken,
}

/// What is to be different about a user's rights. `None` leaves a thing as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UserChange {
    pub role: Option<Role>,
    /// `Some(None)` takes the user out of their account.
    pub account: Option<Option<AccountId>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UserChanged {
    Changed(Person),
    UserGone,
    AccountGone,
}

/// Whom or what an act concerns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    Account(AccountId),
    User(UserId),
    Plan(Slug),
    /// A signing key, by its id.
    Key(String),
}

impl std::fmt::Display for Subject {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Subject::Account(id) => id.fmt(f),
            Subject::User(id) => id.fmt(f),
            Subject::Plan(slug) => write!(f, "plan:{slug}"),
            Subject::Key(kid) => write!(f, "key:{kid}"),
        }
    }
}

/// Text that names nothing an act could concern.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected acc_..., usr_..., plan:NAME or key:ID")]
pub struct SubjectError;

/// As its `Display` writes it.
impl std::str::FromStr for Subject {
    type Err = SubjectError;

    fn from_str(text: &str) -> std::result::Result<Self, SubjectError> {
        let account = text.parse().map(Subject::Account).ok();
        let user = || text.parse().map(Subject::User).ok();
        let plan = || text.strip_prefix("plan:").and_then(|slug| slug.parse().ok()).map(Subject::Plan);
        let is_id = |kid: &&str| (1..=100).contains(&kid.len());
        let key = || text.strip_prefix("key:").filter(is_id).map(|kid| Subject::Key(kid.to_owned()));
        account.or_else(user).or_else(plan).or_else(key).ok_or(SubjectError)
    }
}

/// One thing that somebody with rights has changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Act {
    pub id: ActId,
    pub at: Timestamp,
    pub decree: Decree,
    /// As [`Subject`] writes it.
    pub subject: String,
    /// The name of what changed, such as `status`, or of what was done; `created` of an account, `state` of a user.
    pub what: String,
    pub was: Option<String>,
    pub became: Option<String>,
}

/// What differs between two states of the same thing: a name, what it was, what it became.
pub(crate) type Difference = (&'static str, Option<String>, Option<String>);

impl User {
    /// What is told of one who was made by decree.
    pub(crate) fn created(&self) -> Vec<Difference> {
        let account = self.account_id.map(|id| id.to_string());
        let made =
            [state("created"), ("role", None, Some(self.role.to_string())), ("account", None, account)];
        made.into_iter().chain(self.disabled_at.map(|_| state("disabled"))).collect()
    }
}

/// What became of a user as a whole: `created`, `disabled`, `enabled`, `signed_out`, `deleted`.
pub(crate) fn state(became: &str) -> Difference {
    ("state", None, Some(became.to_owned()))
}

/// Somebody else gave a user a password.
pub(crate) fn password_set() -> Difference {
    ("password", None, Some("set".to_owned()))
}

/// The states side by side, without what is the same.
pub(crate) fn differences<const N: usize>(
    pairs: [(&'static str, Option<String>, Option<String>); N],
) -> Vec<Difference> {
    pairs.into_iter().filter(|(_, was, became)| was != became).collect()
}

impl AccountChange {
    /// The account with this change made to it. The plan is looked up by whoever calls.
    pub(crate) fn made_to(&self, account: &Account, plan: Option<Plan>) -> Account {
        Account {
            name: self.name.clone().unwrap_or_else(|| account.name.clone()),
            status: self.status.unwrap_or(account.status),
            is_system: self.is_system.unwrap_or(account.is_system),
            stripe_customer: self.stripe_customer.clone().unwrap_or_else(|| account.stripe_customer.clone()),
            plan: if self.plan.is_some() { plan } else { account.plan.clone() },
            ..account.clone()
        }
    }
}

impl UserChange {
    /// The person with this change made to them.
    pub(crate) fn made_to(&self, person: &Person) -> Person {
        Person {
            role: self.role.unwrap_or(person.role),
            account_id: self.account.unwrap_or(person.account_id),
            ..person.clone()
        }
    }
}

impl Account {
    pub(crate) fn differences(&self, from: &Account) -> Vec<Difference> {
        let plan = |account: &Account| account.plan.as_ref().map(|plan| plan.slug.to_string());
        differences([
            ("name", Some(from.name.clone()), Some(self.name.clone())),
            ("status", Some(from.status.to_string()), Some(self.status.to_string())),
            ("is_system", Some(from.is_system.to_string()), Some(self.is_system.to_string())),
            ("plan", plan(from), plan(self)),
            ("stripe_customer", from.stripe_customer.clone(), self.stripe_customer.clone()),
        ])
    }
}

impl Plan {
    /// From none, everything is new; when it was made is no difference.
    pub(crate) fn differences(&self, from: Option<&Plan>) -> Vec<Difference> {
        let of = |read: fn(&Plan) -> Option<String>| (from.and_then(read), read(self));
        let pair = |what, (was, became)| (what, was, became);
        differences([
            pair("name", of(|plan| Some(plan.name.clone()))),
            pair("is_active", of(|plan| Some(plan.is_active.to_string()))),
            pair("limits", of(|plan| Some(plan.limits.to_json()))),
            pair("features", of(|plan| Some(plan.features.to_json()))),
            pair("stripe_price", of(|plan| plan.stripe_price.clone())),
        ])
    }
}

impl Person {
    pub(crate) fn differences(&self, from: &Person) -> Vec<Difference> {
        let account = |person: &Person| person.account_id.map(|id| id.to_string());
        differences([
            ("role", Some(from.role.to_string()), Some(self.role.to_string())),
            ("account", account(from), account(self)),
        ])
    }
}

/// Accounts and plans. Every change is written with its acts in one durable step, and is seen by
/// [`Sessions::caller`](crate::Sessions::caller) as soon as an end would be. None of these touches a session.
#[async_trait]
pub trait Accounts: Send + Sync {
    async fn account_create(&self, new: NewAccount, decree: Decree, now: Timestamp) -> Result<Account>;

    async fn account_find(&self, id: AccountId) -> Result<Option<Account>>;

    /// Accounts by age, oldest first, after `after`, at most `limit`.
    async fn account_list(&self, after: Option<AccountId>, limit: usize) -> Result<Vec<Account>>;

    async fn account_change(
        &self,
        id: AccountId,
        change: AccountChange,
        decree: Decree,
        now: Timestamp,
    ) -> Result<AccountChanged>;

    /// Creates a plan, or makes the one of that slug like this; `created_at` of one that exists stays.
    async fn plan_save(&self, plan: Plan, decree: Decree, now: Timestamp) -> Result<PlanSaved>;

    /// All plans, by their slugs.
    async fn plan_list(&self) -> Result<Vec<Plan>>;

    /// Gives a user another role, or moves them to another account.
    async fn user_change(
        &self,
        id: UserId,
        change: UserChange,
        decree: Decree,
        now: Timestamp,
    ) -> Result<UserChanged>;

    /// Writes down that something was done that changes nothing: a subject and the name of it. It is not asked whether
    /// there is such a subject. `whence` is on record until the subject is deleted, whose it must be therefore.
    async fn act_record(
        &self,
        subject: Subject,
        what: &'static str,
        decree: Decree,
        whence: Whence,
        now: Timestamp,
    ) -> Result<()>;

    /// What was changed, newest first, at most `limit` ([`ACTS_LISTED_MAX`]); of one subject or of all.
    async fn act_list(&self, subject: Option<Subject>, limit: usize) -> Result<Vec<Act>>;
}
