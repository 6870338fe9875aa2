//! What may block a request: who passes by account and plan, which role has which permission, what new accounts get.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use tenure_domain::account::{AccountStatus, Slug};
use tenure_domain::entitlement::{Bypass, Policy};
use tenure_domain::user::Role;
use tenure_store::NewAccount;

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EntitlementSection {
    pub bypass: BTreeSet<Bypass>,
    pub serves_pending_payment: bool,
    pub permissions: BTreeMap<Slug, BTreeSet<Role>>,
}

impl EntitlementSection {
    pub fn policy(&self) -> Policy {
        Policy {
            bypasses: self.bypass.clone(),
            serves_pending_payment: self.serves_pending_payment,
            permissions: self.permissions.clone(),
        }
    }
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Registration {
    pub open: bool,
    pub auto_sign_in: bool,
    pub account_status: AccountStatus,
    /// Empty: none.
    pub account_plan: String,
    pub industries: Vec<String>,
}

impl Registration {
    /// The account of somebody who registers.
    pub fn account(&self, name: &str) -> NewAccount {
        NewAccount {
            name: name.to_owned(),
            status: self.account_status,
            plan: Slug::parse(&self.account_plan).ok(),
        }
    }

    /// What keeps it from being meant.
    pub fn fault(&self) -> Option<String> {
        (!self.account_plan.is_empty() && Slug::parse(&self.account_plan).is_err()).then(|| {
            format!("registration.account_plan: `{}` cannot be the name of a plan", self.account_plan)
        })
    }
}
