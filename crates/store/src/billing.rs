//! What Stripe tells of payments: whose customer somebody is, and what their subscription makes of the account.

use std::sync::Arc;

use async_trait::async_trait;
use tenure_domain::account::Slug;
use tenure_domain::stripe::verdict::{Consequence, Finding, Standing};
use tenure_domain::stripe::{Matter, Notice, PlanEffect, StatusRules};
use tenure_domain::time::Timestamp;

use crate::{Account, AccountChange, Decree, Result};

/// What became of an event of Stripe's. Of those that are not settled it may be told again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Applied {
    /// The account as it is now. No plan has the price that is named: the account keeps the one it had.
    Changed { account: Account, unknown_price: Option<String> },
    /// The account has its customer, and is what was told of their subscriptions before.
    Linked { account: Account, unknown_price: Option<String> },
    /// It was told before, and settled.
    Repeated,
    /// Something newer is known of its subscription.
    Older,
    /// Not settled: nobody's account is known for it.
    NoSuchAccount,
    /// Not settled: the account is paid for by somebody else, or the customer pays for another account.
    Contested,
    /// A subscription is over, and the account lives on by another.
    Outlived,
}

impl Applied {
    pub(crate) fn of(finding: Finding, account: Option<Account>, unknown_price: Option<String>) -> Self {
        match (finding, account) {
            (Finding::Applied, Some(account)) => Applied::Changed { account, unknown_price },
            (Finding::Linked, Some(account)) => Applied::Linked { account, unknown_price },
            (Finding::Repeated, _) => Applied::Repeated,
            (Finding::Older, _) => Applied::Older,
            (Finding::Contested, _) => Applied::Contested,
            (Finding::Outlived, _) => Applied::Outlived,
            (Finding::NoSuchAccount | Finding::Applied | Finding::Linked, _) => Applied::NoSuchAccount,
        }
    }
}

/// What is to be different about the account. `plan` is that of the price, if there is one.
pub(crate) fn change(consequence: &Consequence, notice: &Notice, plan: Option<Slug>) -> AccountChange {
    let standing = consequence.standing.as_ref();
    let plan = match standing.map(|standing| standing.plan) {
        Some(PlanEffect::Gives) => plan.map(Some),
        Some(PlanEffect::Takes) => Some(None),
        Some(PlanEffect::Leaves) | None => None,
    };
    AccountChange {
        status: standing.map(|standing| standing.status),
        plan,
        stripe_customer: consequence.links.then(|| Some(notice.customer.clone())),
        ..AccountChange::default()
    }
}

/// The prices to look for a plan of.
pub(crate) fn prices(consequence: &Consequence) -> &[String] {
    match &consequence.standing {
        Some(Standing { plan: PlanEffect::Gives, prices, .. }) => prices,
        _ => &[],
    }
}

/// The prices, where there are some and no plan has any of them.
pub(crate) fn unknown_price(consequence: &Consequence, plan: Option<&Slug>) -> Option<String> {
    let prices = prices(consequence);
    (plan.is_none() && !prices.is_empty()).then(|| prices.join(" "))
}

/// The subscription that an event is about.
pub(crate) fn subscription(notice: &Notice) -> Option<&str> {
    match &notice.matter {
        Matter::Subscription(subscription) => Some(&subscription.id),
        Matter::Checkout { subscription } => subscription.as_deref(),
    }
}

/// Payments. None of these touches a session.
#[async_trait]
pub trait Billing: Send + Sync {
    /// Takes an event into account, with its acts, in one durable step: what it means is
    /// [`Books::judge`](tenure_domain::stripe::verdict::Books::judge)'s to say. However often and in whatever order
    /// events are told, the newest of each subscription counts, and counts once.
    async fn billing_apply(
        &self,
        notice: Notice,
        rules: Arc<StatusRules>,
        decree: Decree,
        now: Timestamp,
    ) -> Result<Applied>;

    /// Forgets at most `limit` events that were settled before `before`; returns how many. Told once more, such a one
    /// would still be older than what is known of its subscription.
    async fn billing_expire(&self, before: Timestamp, limit: usize) -> Result<u64>;
}
