//! Payments by Stripe: who may tell of them, and what accounts become.

use std::fmt;
use std::time::Duration;

use serde::Deserialize;
use tenure_domain::stripe::StatusRules;

use super::Span;

/// What a secret of Stripe's begins with.
const PREFIX: &str = "whsec_";

/// A call that was overheard must not be worth anything for long.
const TOLERANCE_MAX: Duration = Duration::from_secs(3600);

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StripeSection {
    /// Empty: there is no webhook.
    pub webhook_secret: SecretWords,
    pub tolerance: Span,
    pub statuses: StatusRules,
}

/// Secrets with white space between them. `Debug` and `Display` only tell whether there are any.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct SecretWords(String);

impl SecretWords {
    /// For whoever checks a signature, and for nobody else.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl From<&str> for SecretWords {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl fmt::Debug for SecretWords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{self}\"")
    }
}

impl fmt::Display for SecretWords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_empty() { "" } else { "***" })
    }
}

impl StripeSection {
    /// What keeps it from being used, a line for each thing to mend.
    pub fn faults(&self) -> Vec<String> {
        let mut faults = vec![];
        let is_secret =
            |word: &str| word.strip_prefix(PREFIX).is_some_and(|rest| rest.len() >= 16 && word.is_ascii());
        if !self.webhook_secret.expose().split_whitespace().all(is_secret) {
            faults.push(
                "stripe.webhook_secret holds something that is no signing secret of an endpoint of Stripe's, which \
                 begins with whsec_; several have blanks between them"
                    .into(),
            );
        }
        if self.tolerance.0.is_zero() || self.tolerance.0 > TOLERANCE_MAX {
            faults.push(format!(
                "stripe.tolerance is {}, but a call takes some time and must not be worth anything for long: more \
                 than 0s and at most 1h; 5m is usual",
                humantime::format_duration(self.tolerance.0)
            ));
        }
        faults
    }
}
