//! What a caller may do: one pure decision over who they are, their account, its plan, and what is required.
//!
//! It is kept apart from whether somebody is signed in. A refusal is 402 or 403, class `authorization`; no refusal
//! ends a session, asks for another token or touches a cookie, and there is nothing in here that could.
//!
//! What stands in the way is told in this order: the account (nothing else matters then), a permission (whoever may
//! not do a thing should not be asked to pay for it), the plan, its features, its limits.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use serde::Deserialize;

use crate::account::{AccountStatus, PlanFeatures, PlanLimits, Slug};
use crate::console::Right;
use crate::exchange;
use crate::problem::Code;
use crate::user::Role;

/// Most needs in one requirement.
pub const NEEDS_MAX: usize = 16;

/// What has to be so for a request to be let through.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Need {
    /// `active_account`: there is an account, and it is served.
    ActiveAccount,
    /// `plan`: that account has a plan that is active. `plan:pro|team`: one of these.
    Plan(BTreeSet<Slug>),
    /// `feature:export`: the plan includes it.
    Feature(Slug),
    /// `limit:seats=6`: so many are within what the plan allows. The caller counts; the plan only compares.
    Limit { name: Slug, wanted: u64 },
    /// `permission:reports.read`: the role, or the scopes of the API key, allow it.
    Permission(Slug),
}

/// Needs, all of which have to be met. Without any, everybody is let through who is somebody.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Requirement(Vec<Need>);

/// Text that is no requirement.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RequirementError {
    #[error(
        "`{0}` is none of active_account, plan, plan:NAME, feature:NAME, limit:NAME=NUMBER, permission:NAME"
    )]
    Unknown(String),
    #[error("at most {NEEDS_MAX} things can be required at once")]
    TooMany,
}

/// On whose authority a request comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Authority<'a> {
    Person(Role),
    /// An API key, which may do what its scopes say and nothing for its role: it has none.
    Key(&'a BTreeSet<Slug>),
}

/// An account as far as it decides anything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tenancy {
    pub status: AccountStatus,
    /// It belongs to whoever runs the product.
    pub is_system: bool,
    pub plan: Option<Terms>,
}

/// A plan as far as it decides anything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terms {
    pub slug: Slug,
    pub is_active: bool,
    pub limits: PlanLimits,
    pub features: PlanFeatures,
}

/// Whom account and plan do not hold up. Each can be switched off, and each use is told, so that it can be audited.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Bypass {
    Superuser,
    Developer,
    SystemUser,
    SystemAccount,
}

impl Bypass {
    pub const ALL: [Bypass; 4] =
        [Bypass::Superuser, Bypass::Developer, Bypass::SystemUser, Bypass::SystemAccount];

    pub const fn as_str(self) -> &'static str {
        match self {
            Bypass::Superuser => "superuser",
            Bypass::Developer => "developer",
            Bypass::SystemUser => "system_user",
            Bypass::SystemAccount => "system_account",
        }
    }

    /// The one that a role brings.
    const fn of(role: Role) -> Option<Bypass> {
        match role {
            Role::Superuser => Some(Bypass::Superuser),
            Role::Developer => Some(Bypass::Developer),
            Role::System => Some(Bypass::SystemUser),
            Role::User | Role::Admin => None,
        }
    }
}

/// What the operator has laid down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    pub bypasses: BTreeSet<Bypass>,
    /// Whether accounts are served while a payment is due.
    pub serves_pending_payment: bool,
    /// Which roles have which permission. Superusers have all of them; one that is not named here nobody else has.
    pub permissions: BTreeMap<Slug, BTreeSet<Role>>,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            bypasses: Bypass::ALL.into_iter().collect(),
            serves_pending_payment: true,
            permissions: BTreeMap::new(),
        }
    }
}

impl Policy {
    /// Whether somebody on this authority has a permission.
    pub fn permits(&self, authority: Authority<'_>, permission: &str) -> bool {
        match authority {
            Authority::Person(Role::Superuser) => true,
            Authority::Person(role) => {
                self.permissions.get(permission).is_some_and(|roles| roles.contains(&role))
            }
            Authority::Key(scopes) => scopes.contains(permission),
        }
    }

    /// Whether somebody on this authority may give a role, take it, or handle whoever has it: nobody makes another, or
    /// becomes through another, what may do more than they. Roles that bring a bypass are the superusers' affair.
    pub fn governs(&self, authority: Authority<'_>, role: Role) -> bool {
        if matches!(authority, Authority::Person(Role::Superuser)) {
            return true;
        }
        let of_role = self.permissions.iter().filter(|(_, roles)| roles.contains(&role));
        Bypass::of(role).is_none()
            && of_role.into_iter().all(|(name, _)| self.permits(authority, name.as_str()))
    }

    /// Whether somebody of this role may sign in to the console: there is something in it that they may do.
    pub fn opens_console(&self, role: Role) -> bool {
        Right::ALL.iter().any(|right| self.permits(Authority::Person(role), right.as_str()))
    }

    /// Whether somebody may do what is not theirs alone: open the console, pass by account and plan, or vouch for others.
    /// Such a person is believed for a password and for what they were given here, never for another system's word.
    pub fn is_elevated(&self, role: Role, is_of_system_account: bool) -> bool {
        is_of_system_account
            || Bypass::of(role).is_some()
            || self.opens_console(role)
            || self.permits(Authority::Person(role), exchange::PERMISSION)
    }

    /// The way past account and plan that a caller has, if any. An API key has its account's alone.
    pub fn bypass(&self, authority: Authority<'_>, is_of_system_account: bool) -> Option<Bypass> {
        let by_role = match authority {
            Authority::Person(role) => Bypass::of(role),
            Authority::Key(_) => None,
        };
        let by_account = is_of_system_account.then_some(Bypass::SystemAccount);
        [by_role, by_account].into_iter().flatten().find(|bypass| self.bypasses.contains(bypass))
    }
}

/// Why a request is not let through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    AccountMissing,
    AccountSuspended,
    AccountCancelled,
    PermissionDenied(Slug),
    /// A payment is due, and the policy does not wait for it.
    PaymentDue,
    PlanMissing,
    /// It has a plan, which is none of these.
    OtherPlan(BTreeSet<Slug>),
    PlanInactive,
    FeatureMissing(Slug),
    LimitReached {
        name: Slug,
        allowed: u64,
    },
}

/// Whether a request is let through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    Allowed,
    /// Something stood in the way, and the policy lets this caller pass it.
    Bypassed(Bypass, Refusal),
    Refused(Refusal),
}

/// The decision.
pub fn decide(
    policy: &Policy,
    authority: Authority<'_>,
    account: Option<&Tenancy>,
    requirement: &Requirement,
) -> Decision {
    let bypass = policy.bypass(authority, account.is_some_and(|account| account.is_system));
    let of_account = account_refusal(account, requirement);
    if let (Some(refusal), None) = (&of_account, bypass) {
        return Decision::Refused(refusal.clone());
    }
    if let Some(denied) = permission_refusal(policy, authority, requirement) {
        return Decision::Refused(denied);
    }
    let of_plan = || account.and_then(|account| plan_refusal(policy, account, requirement));
    match (of_account.or_else(of_plan), bypass) {
        (None, _) => Decision::Allowed,
        (Some(refusal), Some(bypass)) => Decision::Bypassed(bypass, refusal),
        (Some(refusal), None) => Decision::Refused(refusal),
    }
}

fn account_refusal(account: Option<&Tenancy>, requirement: &Requirement) -> Option<Refusal> {
    if !requirement.concerns_account() {
        return None;
    }
    match account.map(|account| account.status) {
        None => Some(Refusal::AccountMissing),
        Some(AccountStatus::Suspended) => Some(Refusal::AccountSuspended),
        Some(AccountStatus::Cancelled) => Some(Refusal::AccountCancelled),
        Some(AccountStatus::Trial | AccountStatus::Active | AccountStatus::PendingPayment) => None,
    }
}

fn permission_refusal(
    policy: &Policy,
    authority: Authority<'_>,
    requirement: &Requirement,
) -> Option<Refusal> {
    requirement.0.iter().find_map(|need| match need {
        Need::Permission(permission) if !policy.permits(authority, permission.as_str()) => {
            Some(Refusal::PermissionDenied(permission.clone()))
        }
        _ => None,
    })
}

fn plan_refusal(policy: &Policy, account: &Tenancy, requirement: &Requirement) -> Option<Refusal> {
    let is_due = account.status == AccountStatus::PendingPayment && !policy.serves_pending_payment;
    if is_due && requirement.concerns_account() {
        return Some(Refusal::PaymentDue);
    }
    if !requirement.concerns_plan() {
        return None;
    }
    let Some(plan) = &account.plan else { return Some(Refusal::PlanMissing) };
    if !plan.is_active {
        return Some(Refusal::PlanInactive);
    }
    requirement.0.iter().find_map(|need| match need {
        Need::Plan(any) if !any.is_empty() && !any.contains(&plan.slug) => {
            Some(Refusal::OtherPlan(any.clone()))
        }
        Need::Feature(name) if !plan.features.includes(name) => Some(Refusal::FeatureMissing(name.clone())),
        Need::Limit { name, wanted } => match plan.limits.of(name) {
            Some(allowed) if *wanted > allowed => Some(Refusal::LimitReached { name: name.clone(), allowed }),
            _ => None,
        },
        _ => None,
    })
}

// === impl Requirement ===

impl Requirement {
    pub fn new(needs: Vec<Need>) -> Self {
        Self(needs)
    }

    pub fn needs(&self) -> &[Need] {
        &self.0
    }

    /// Whether anything but a permission is needed.
    fn concerns_account(&self) -> bool {
        self.0.iter().any(|need| !matches!(need, Need::Permission(_)))
    }

    fn concerns_plan(&self) -> bool {
        self.0.iter().any(|need| matches!(need, Need::Plan(_) | Need::Feature(_) | Need::Limit { .. }))
    }
}

/// As it is written in the query of a forward-auth request: needs with commas between them.
impl FromStr for Requirement {
    type Err = RequirementError;

    fn from_str(text: &str) -> Result<Self, RequirementError> {
        let words = text.split(',').map(str::trim).filter(|word| !word.is_empty());
        let needs = words.map(need).collect::<Result<Vec<_>, _>>()?;
        if needs.len() > NEEDS_MAX { Err(RequirementError::TooMany) } else { Ok(Self(needs)) }
    }
}

fn need(word: &str) -> Result<Need, RequirementError> {
    let unknown = || RequirementError::Unknown(crate::limit::clip(word, 80));
    let slug = |text: &str| Slug::parse(text).map_err(|_| unknown());
    match word.split_once(':') {
        None if word == "active_account" => Ok(Need::ActiveAccount),
        None if word == "plan" => Ok(Need::Plan(BTreeSet::new())),
        Some(("plan", any)) => any.split('|').map(slug).collect::<Result<_, _>>().map(Need::Plan),
        Some(("feature", name)) => slug(name).map(Need::Feature),
        Some(("permission", name)) => slug(name).map(Need::Permission),
        Some(("limit", text)) => {
            let (name, wanted) = text.split_once('=').ok_or_else(unknown)?;
            Ok(Need::Limit { name: slug(name)?, wanted: wanted.parse().map_err(|_| unknown())? })
        }
        _ => Err(unknown()),
    }
}

impl fmt::Display for Requirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, need) in self.0.iter().enumerate() {
            let comma = if at == 0 { "" } else { "," };
            write!(f, "{comma}{need}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Need {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Need::ActiveAccount => f.write_str("active_account"),
            Need::Plan(any) if any.is_empty() => f.write_str("plan"),
            Need::Plan(any) => write!(f, "plan:{}", joined(any, "|")),
            Need::Feature(name) => write!(f, "feature:{name}"),
            Need::Limit { name, wanted } => write!(f, "limit:{name}={wanted}"),
            Need::Permission(name) => write!(f, "permission:{name}"),
        }
    }
}

fn joined(slugs: &BTreeSet<Slug>, between: &str) -> String {
    slugs.iter().map(Slug::as_str).collect::<Vec<_>>().join(between)
}

// === impl Refusal ===

impl Refusal {
    /// The code it is answered with; all of them are 402 or 403, class `authorization`.
    pub const fn code(&self) -> Code {
        match self {
            Refusal::AccountMissing => Code::AccountMissing,
            Refusal::AccountSuspended => Code::AccountSuspended,
            Refusal::AccountCancelled => Code::AccountCancelled,
            Refusal::PermissionDenied(_) => Code::PermissionDenied,
            Refusal::PlanMissing | Refusal::OtherPlan(_) | Refusal::FeatureMissing(_) => Code::PlanMissing,
            Refusal::PaymentDue | Refusal::PlanInactive => Code::PlanInactive,
            Refusal::LimitReached { .. } => Code::LimitReached,
        }
    }
}

/// One honest sentence for the person.
impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::AccountMissing => f.write_str("You belong to no account."),
            Refusal::AccountSuspended => f.write_str("Your account is suspended."),
            Refusal::AccountCancelled => f.write_str("Your account is cancelled."),
            Refusal::PermissionDenied(name) => write!(f, "This needs the permission `{name}`."),
            Refusal::PaymentDue => f.write_str("A payment for your account is due."),
            Refusal::PlanMissing => f.write_str("Your account has no plan."),
            Refusal::OtherPlan(any) => write!(f, "This needs the plan {}.", joined(any, " or ")),
            Refusal::PlanInactive => f.write_str("Your account's plan is not active."),
            Refusal::FeatureMissing(name) => write!(f, "Your account's plan does not include `{name}`."),
            Refusal::LimitReached { name, allowed } => {
                write!(f, "Your account's plan allows {allowed} of `{name}`.")
            }
        }
    }
}

#[cfg(test)]
mod tests;
