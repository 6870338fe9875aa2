//! What Stripe tells of payments, and what it means for an account.
//!
//! Whether a call is Stripe's is in [`signature`], what an event changes in [`verdict`]. Here events are read and
//! judged: which of two is the newer one, and what a subscription's state makes of the account that pays for it.
//! None of it says whether anybody is signed in.

pub mod signature;
pub mod verdict;

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::account::AccountStatus;
use crate::id::AccountId;
use crate::time::Timestamp;

/// Longest id or name of Stripe's that is taken.
pub const WORD_BYTES_MAX: usize = 255;

/// Most prices of one subscription, as Stripe has it.
pub const PRICES_MAX: usize = 20;

/// How a subscription stands with Stripe.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SubscriptionStatus {
    Incomplete,
    IncompleteExpired,
    Trialing,
    Active,
    PastDue,
    Canceled,
    Unpaid,
    Paused,
}

/// What a subscription does to its account's plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlanEffect {
    /// The account gets the plan of its price.
    Gives,
    /// Nothing has been paid yet: whatever plan there is stays.
    Leaves,
    /// It is over, and so is the plan.
    Takes,
}

impl SubscriptionStatus {
    pub const ALL: [SubscriptionStatus; 8] = [
        SubscriptionStatus::Incomplete,
        SubscriptionStatus::IncompleteExpired,
        SubscriptionStatus::Trialing,
        SubscriptionStatus::Active,
        SubscriptionStatus::PastDue,
        SubscriptionStatus::Canceled,
        SubscriptionStatus::Unpaid,
        SubscriptionStatus::Paused,
    ];

    pub const fn as_str(self) -> &'static str {
        match self {
            SubscriptionStatus::Incomplete => "incomplete",
            SubscriptionStatus::IncompleteExpired => "incomplete_expired",
            SubscriptionStatus::Trialing => "trialing",
            SubscriptionStatus::Active => "active",
            SubscriptionStatus::PastDue => "past_due",
            SubscriptionStatus::Canceled => "canceled",
            SubscriptionStatus::Unpaid => "unpaid",
            SubscriptionStatus::Paused => "paused",
        }
    }

    /// What an account becomes where the operator says nothing else.
    pub const fn usual(self) -> AccountStatus {
        match self {
            SubscriptionStatus::Trialing => AccountStatus::Trial,
            SubscriptionStatus::Active => AccountStatus::Active,
            SubscriptionStatus::Incomplete | SubscriptionStatus::PastDue => AccountStatus::PendingPayment,
            SubscriptionStatus::Unpaid | SubscriptionStatus::Paused => AccountStatus::Suspended,
            SubscriptionStatus::Canceled | SubscriptionStatus::IncompleteExpired => AccountStatus::Cancelled,
        }
    }

    /// No setting changes this.
    pub const fn plan(self) -> PlanEffect {
        match self {
            SubscriptionStatus::Incomplete => PlanEffect::Leaves,
            SubscriptionStatus::Canceled | SubscriptionStatus::IncompleteExpired => PlanEffect::Takes,
            SubscriptionStatus::Trialing
            | SubscriptionStatus::Active
            | SubscriptionStatus::PastDue
            | SubscriptionStatus::Unpaid
            | SubscriptionStatus::Paused => PlanEffect::Gives,
        }
    }
}

impl fmt::Display for SubscriptionStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Text that is no status of a subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a status of Stripe's subscriptions that this version knows")]
pub struct SubscriptionStatusError;

impl FromStr for SubscriptionStatus {
    type Err = SubscriptionStatusError;

    fn from_str(text: &str) -> Result<Self, SubscriptionStatusError> {
        SubscriptionStatus::ALL
            .into_iter()
            .find(|status| status.as_str() == text)
            .ok_or(SubscriptionStatusError)
    }
}

/// What accounts become, as the operator has laid down: the usual, but for these.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct StatusRules(BTreeMap<SubscriptionStatus, AccountStatus>);

impl StatusRules {
    pub fn of(&self, status: SubscriptionStatus) -> AccountStatus {
        self.0.get(&status).copied().unwrap_or_else(|| status.usual())
    }
}

/// An event of Stripe's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    Known(Notice),
    /// One that means nothing here.
    Unknown {
        kind: String,
    },
}

/// An event that is understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// Of the event: the same each time it is delivered.
    pub id: String,
    pub kind: &'static str,
    /// When it happened, to the second, by Stripe's clock.
    pub created: Timestamp,
    pub customer: String,
    /// Whom it is about, as whoever began the purchase said.
    pub account: Option<AccountId>,
    pub matter: Matter,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Matter {
    Subscription(Subscription),
    /// Somebody has bought something, and is a customer from now on.
    Checkout {
        subscription: Option<String>,
    },
}

/// A subscription as an event tells of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscription {
    pub id: String,
    pub status: SubscriptionStatus,
    pub prices: Vec<String>,
}

/// The newest that has been told of a subscription.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastTold {
    pub created: Timestamp,
    pub subscription: Subscription,
    /// Whether an account was found for it then.
    pub is_applied: bool,
}

impl Subscription {
    /// Whether this, told at `created`, changes what was known. Events overtake each other, and Stripe tells the
    /// time to the second: of two within one the later to arrive counts, if it says something else.
    pub fn is_news(&self, created: Timestamp, last: Option<&LastTold>) -> bool {
        last.is_none_or(|last| {
            created > last.created
                || (created == last.created && (*self != last.subscription || !last.is_applied))
        })
    }
}

/// Why an event cannot be read. Fields are named as Stripe's documentation writes them.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EventError {
    #[error("the event is no JSON: {0}")]
    Unreadable(String),
    #[error("the event has no `{0}`")]
    Missing(&'static str),
    #[error("the event's `{0}` is not what it should be")]
    Odd(&'static str),
}

const CHECKOUT_KIND: &str = "checkout.session.completed";

/// The events that are understood.
pub const KINDS: [&str; 4] = [
    "customer.subscription.created",
    "customer.subscription.updated",
    "customer.subscription.deleted",
    CHECKOUT_KIND,
];

impl Event {
    /// Reads the body of a call. What is not asked for may be there or not.
    pub fn read(json: &[u8]) -> Result<Self, EventError> {
        let event: Value =
            serde_json::from_slice(json).map_err(|error| EventError::Unreadable(error.to_string()))?;
        let kind = word(&event, "/type", "type")?;
        match KINDS.into_iter().find(|known| *known == kind) {
            Some(CHECKOUT_KIND) => checkout(&event),
            Some(kind) => subscription(&event, kind),
            None => Ok(Event::Unknown { kind }),
        }
    }
}

fn subscription(event: &Value, kind: &'static str) -> Result<Event, EventError> {
    let status = word(event, "/data/object/status", "data.object.status")?;
    let matter = Matter::Subscription(Subscription {
        id: word(event, "/data/object/id", "data.object.id")?,
        status: status.parse().map_err(|_| EventError::Odd("data.object.status"))?,
        prices: prices(event)?,
    });
    const ACCOUNT: &str = "data.object.metadata.tenure_account";
    let account = match event.pointer("/data/object/metadata/tenure_account") {
        None | Some(Value::Null) => None,
        Some(said) if said == "" => None,
        // Our own code writes this, and a slip in it should not pass for a subscription of nobody's.
        Some(said) => Some(account(said).ok_or(EventError::Odd(ACCOUNT))?),
    };
    let customer = word(event, "/data/object/customer", "data.object.customer")?;
    notice(event, kind, customer, account, matter)
}

fn prices(event: &Value) -> Result<Vec<String>, EventError> {
    const ITEMS: &str = "data.object.items.data";
    let items = event.pointer("/data/object/items/data").ok_or(EventError::Missing(ITEMS))?;
    let items = items.as_array().filter(|items| items.len() <= PRICES_MAX).ok_or(EventError::Odd(ITEMS))?;
    if items.is_empty() {
        return Err(EventError::Missing("data.object.items.data[].price.id"));
    }
    items.iter().map(|item| word(item, "/price/id", "data.object.items.data[].price.id")).collect()
}

fn checkout(event: &Value) -> Result<Event, EventError> {
    let object = |pointer, name| event.pointer(pointer).ok_or(EventError::Missing(name));
    let reference = object("/data/object/client_reference_id", "data.object.client_reference_id")?;
    let subscription = match object("/data/object/subscription", "data.object.subscription")? {
        Value::Null => None,
        _ => Some(word(event, "/data/object/subscription", "data.object.subscription")?),
    };
    if object("/data/object/customer", "data.object.customer")?.is_null() {
        // A guest has paid once, and nothing will follow from it.
        return Ok(Event::Unknown { kind: CHECKOUT_KIND.to_owned() });
    }
    let customer = word(event, "/data/object/customer", "data.object.customer")?;
    // It may be anything: customers can write it into the address of a payment link.
    notice(event, CHECKOUT_KIND, customer, account(reference), Matter::Checkout { subscription })
}

fn notice(
    event: &Value,
    kind: &'static str,
    customer: String,
    account: Option<AccountId>,
    matter: Matter,
) -> Result<Event, EventError> {
    let created = event.get("created").ok_or(EventError::Missing("created"))?;
    let created = created.as_u64().and_then(|seconds| i64::try_from(seconds).ok()?.checked_mul(1000));
    Ok(Event::Known(Notice {
        id: word(event, "/id", "id")?,
        kind,
        created: created.map(Timestamp::from_ms).ok_or(EventError::Odd("created"))?,
        customer,
        account,
        matter,
    }))
}

fn account(said: &Value) -> Option<AccountId> {
    said.as_str()?.parse().ok()
}

/// An id or a name, in plain letters and not too long to be kept.
fn word(value: &Value, pointer: &str, name: &'static str) -> Result<String, EventError> {
    let text = value.pointer(pointer).ok_or(EventError::Missing(name))?;
    let is_word = |text: &&str| {
        (1..=WORD_BYTES_MAX).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
    };
    text.as_str().filter(is_word).map(str::to_owned).ok_or(EventError::Odd(name))
}

#[cfg(test)]
mod tests;
