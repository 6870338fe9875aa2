//! Accounts and plans: whom a person belongs to, and what that account has been given.
//!
//! Nothing here says whether somebody is signed in. A suspended account, a missing plan or a reached limit blocks
//! a request and leaves the session alone ([`crate::entitlement`]).

use std::borrow::Borrow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// How an account stands with whoever runs the product.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AccountStatus {
    Trial,
    Active,
    /// A payment is due or has failed; the account is still served.
    PendingPayment,
    Suspended,
    Cancelled,
}

impl AccountStatus {
    pub const ALL: [AccountStatus; 5] = [
        AccountStatus::Trial,
        AccountStatus::Active,
        AccountStatus::PendingPayment,
        AccountStatus::Suspended,
        AccountStatus::Cancelled,
    ];

    pub const fn as_str(self) -> &'static str {
        match self {
            AccountStatus::Trial => "trial",
            AccountStatus::Active => "active",
            AccountStatus::PendingPayment => "pending_payment",
            AccountStatus::Suspended => "suspended",
            AccountStatus::Cancelled => "cancelled",
        }
    }
}

impl fmt::Display for AccountStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Text that is no account status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an account status: expected trial, active, pending_payment, suspended or cancelled")]
pub struct AccountStatusError;

impl FromStr for AccountStatus {
    type Err = AccountStatusError;

    fn from_str(text: &str) -> Result<Self, AccountStatusError> {
        AccountStatus::ALL.into_iter().find(|status| status.as_str() == text).ok_or(AccountStatusError)
    }
}

/// What plans, features, limits, permissions and scopes are called by programs: 1 to 64 of `a-z 0-9 . _ -`,
/// beginning and ending with a letter or digit.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct Slug(String);

/// Text that is no slug.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a name for programs has 1 to 64 of a-z 0-9 . _ - and begins and ends with a letter or digit")]
pub struct SlugError;

impl Slug {
    pub fn parse(text: &str) -> Result<Self, SlugError> {
        let is_word = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
        let bytes = text.as_bytes();
        let ends_well =
            bytes.first().copied().is_some_and(is_word) && bytes.last().copied().is_some_and(is_word);
        let is_plain = bytes.iter().all(|b| is_word(*b) || matches!(b, b'.' | b'_' | b'-'));
        if ends_well && is_plain && bytes.len() <= 64 { Ok(Self(text.to_owned())) } else { Err(SlugError) }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// So that a set of names can be asked for one that is written in the code.
impl Borrow<str> for Slug {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Slug {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Slug {
    type Err = SlugError;

    fn from_str(text: &str) -> Result<Self, SlugError> {
        Self::parse(text)
    }
}

impl<'de> Deserialize<'de> for Slug {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

/// Most limits, and most features, of one plan.
pub const PLAN_TERMS_MAX: usize = 100;

/// How much of each thing a plan allows; `None` means as much as anybody likes. What is not named is not limited
/// by the plan. As JSON: `{"seats": 5, "projects": null}`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct PlanLimits(BTreeMap<Slug, Option<u64>>);

/// What a plan includes beside its limits. As JSON: `["export", "sso"]`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct PlanFeatures(BTreeSet<Slug>);

/// Text that is neither limits nor features of a plan.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlanTermsError {
    #[error("{0}")]
    Unreadable(String),
    #[error("a plan names at most {PLAN_TERMS_MAX}")]
    TooMany,
}

impl PlanLimits {
    /// Reads a JSON object of whole numbers and nulls.
    pub fn parse(json: &str) -> Result<Self, PlanTermsError> {
        terms(json, BTreeMap::len).map(Self)
    }

    pub fn to_json(&self) -> String {
        serde_json::to_string(&self.0).unwrap_or_else(|_| "{}".into())
    }

    /// The most there may be. None: the plan does not limit it.
    pub fn of(&self, name: &Slug) -> Option<u64> {
        self.0.get(name).copied().flatten()
    }
}

impl PlanFeatures {
    /// Reads a JSON array of names.
    pub fn parse(json: &str) -> Result<Self, PlanTermsError> {
        terms(json, BTreeSet::len).map(Self)
    }

    pub fn to_json(&self) -> String {
        serde_json::to_string(&self.0).unwrap_or_else(|_| "[]".into())
    }

    pub fn includes(&self, name: &Slug) -> bool {
        self.0.contains(name)
    }
}

fn terms<T: serde::de::DeserializeOwned>(json: &str, count: fn(&T) -> usize) -> Result<T, PlanTermsError> {
    let terms: T =
        serde_json::from_str(json).map_err(|error| PlanTermsError::Unreadable(error.to_string()))?;
    if count(&terms) > PLAN_TERMS_MAX { Err(PlanTermsError::TooMany) } else { Ok(terms) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn statuses_survive_their_text_form() {
        for status in AccountStatus::ALL {
            assert_eq!(status.to_string().parse(), Ok(status));
            assert_eq!(serde_json::to_value(status).unwrap(), status.as_str());
        }
        assert_eq!("Active".parse::<AccountStatus>(), Err(AccountStatusError));
    }

    #[test]
    fn a_slug_is_plain_and_bounded() {
        let longest = "x".repeat(64);
        for good in ["pro", "a", "7", "reports.read", "two_words", "two-words", longest.as_str()] {
            assert_eq!(Slug::parse(good).unwrap().as_str(), good);
        }
        let too_long = "x".repeat(65);
        for bad in ["", "Pro", "-pro", "pro.", "a b", "a:b", "a,b", "é", "a\n", too_long.as_str()] {
            assert_eq!(Slug::parse(bad), Err(SlugError), "{bad:?}");
        }
    }

    #[test]
    fn a_plan_limits_what_it_names_and_nothing_else() {
        let limits = PlanLimits::parse(r#"{"seats": 5, "projects": null}"#).unwrap();
        let of = |name: &str| limits.of(&Slug::parse(name).unwrap());
        assert_eq!((of("seats"), of("projects"), of("exports")), (Some(5), None, None));
        assert_eq!(PlanLimits::parse(&limits.to_json()), Ok(limits));
        let features = PlanFeatures::parse(r#"["sso", "export"]"#).unwrap();
        assert!(features.includes(&Slug::parse("sso").unwrap()));
        assert!(!features.includes(&Slug::parse("seats").unwrap()));
        assert_eq!(features.to_json(), r#"["export","sso"]"#);
    }

    #[test]
    fn terms_that_mean_nothing_are_refused() {
        for bad in
            ["", "[]", "7", r#"{"seats": -1}"#, r#"{"seats": 1.5}"#, r#"{"seats": "5"}"#, r#"{"Seats": 5}"#]
        {
            assert!(matches!(PlanLimits::parse(bad), Err(PlanTermsError::Unreadable(_))), "{bad}");
        }
        for bad in ["", "{}", r#"[1]"#, r#"["no blanks please"]"#] {
            assert!(matches!(PlanFeatures::parse(bad), Err(PlanTermsError::Unreadable(_))), "{bad}");
        }
        let many: BTreeMap<String, u64> =
            (0..=PLAN_TERMS_MAX as u64).map(|n| (format!("limit{n}"), n)).collect();
        assert_eq!(PlanLimits::parse(&serde_json::to_string(&many).unwrap()), Err(PlanTermsError::TooMany));
    }

    proptest! {
        #[test]
        fn no_text_makes_the_readers_panic(text in ".{0,80}") {
            let _ = (Slug::parse(&text), PlanLimits::parse(&text), PlanFeatures::parse(&text));
        }
    }
}
