//! How sessions end: the closed set of reasons, who did it, and the receipt (protocol.md section 10).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::id::ReceiptId;
use crate::problem::Code;
use crate::time::Timestamp;

/// Every reason for which a session may end. There are no others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndReason {
    SignedOut,
    SignedOutEverywhere,
    PasswordChanged,
    PasswordReset,
    AdminRevoked,
    UserDisabled,
    UserDeleted,
    TokenReuse,
    ReplacedBySignIn,
    SessionLimit,
    RememberedLifetime,
    ShortLifetime,
}

impl EndReason {
    pub const ALL: [EndReason; 12] = [
        EndReason::SignedOut,
        EndReason::SignedOutEverywhere,
        EndReason::PasswordChanged,
        EndReason::PasswordReset,
        EndReason::AdminRevoked,
        EndReason::UserDisabled,
        EndReason::UserDeleted,
        EndReason::TokenReuse,
        EndReason::ReplacedBySignIn,
        EndReason::SessionLimit,
        EndReason::RememberedLifetime,
        EndReason::ShortLifetime,
    ];

    pub const fn as_str(self) -> &'static str {
        match self {
            EndReason::SignedOut => "signed_out",
            EndReason::SignedOutEverywhere => "signed_out_everywhere",
            EndReason::PasswordChanged => "password_changed",
            EndReason::PasswordReset => "password_reset",
            EndReason::AdminRevoked => "admin_revoked",
            EndReason::UserDisabled => "user_disabled",
            EndReason::UserDeleted => "user_deleted",
            EndReason::TokenReuse => "token_reuse",
            EndReason::ReplacedBySignIn => "replaced_by_sign_in",
            EndReason::SessionLimit => "session_limit",
            EndReason::RememberedLifetime => "remembered_lifetime",
            EndReason::ShortLifetime => "short_lifetime",
        }
    }

    /// The code that a refresh of such a session is answered with.
    pub const fn code(self) -> Code {
        match self {
            EndReason::RememberedLifetime | EndReason::ShortLifetime => Code::SessionExpired,
            _ => Code::SessionRevoked,
        }
    }

    /// One honest sentence for the person.
    pub const fn sentence(self) -> &'static str {
        match self {
            EndReason::SignedOut => "You signed out.",
            EndReason::SignedOutEverywhere => "You signed out on all your devices.",
            EndReason::PasswordChanged => "Your password was changed on another device.",
            EndReason::PasswordReset => "Your password was reset.",
            EndReason::AdminRevoked => "An administrator ended this session.",
            EndReason::UserDisabled => "An administrator disabled this account.",
            EndReason::UserDeleted => "This account was deleted.",
            EndReason::TokenReuse => {
                "An old copy of this session was used somewhere, so it was ended for your safety."
            }
            EndReason::ReplacedBySignIn => "You signed in again on this device.",
            EndReason::SessionLimit => "You signed in on more devices than your account allows.",
            EndReason::RememberedLifetime => "The time you asked to stay signed in is over.",
            EndReason::ShortLifetime => {
                "You did not ask to be remembered, so this sign-in ended with the browser, or after its day was over."
            }
        }
    }
}

impl fmt::Display for EndReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Text that is no end reason.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an end reason of this version: {0}")]
pub struct EndReasonError(String);

impl FromStr for EndReason {
    type Err = EndReasonError;

    fn from_str(text: &str) -> Result<Self, EndReasonError> {
        EndReason::ALL
            .into_iter()
            .find(|reason| reason.as_str() == text)
            .ok_or_else(|| EndReasonError(text.to_owned()))
    }
}

/// Who ended a session. Every end has exactly one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Actor {
    /// The person whose session it was.
    User,
    /// Somebody with administrative rights, by name.
    Admin(String),
    /// A policy of the operator: reuse detection, a session limit.
    Policy,
    /// The promised time was over.
    Clock,
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Actor::User => f.write_str("user"),
            Actor::Admin(name) => write!(f, "admin:{name}"),
            Actor::Policy => f.write_str("policy"),
            Actor::Clock => f.write_str("clock"),
        }
    }
}

/// Reads what [`Actor`]'s `Display` wrote. Anything else is somebody's own entry and is shown as an
/// administrator of that name, never lost.
impl From<&str> for Actor {
    fn from(text: &str) -> Self {
        match text {
            "user" => Actor::User,
            "policy" => Actor::Policy,
            "clock" => Actor::Clock,
            other => Actor::Admin(other.strip_prefix("admin:").unwrap_or(other).to_owned()),
        }
    }
}

/// The end of a session: its receipt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct End {
    pub receipt: ReceiptId,
    pub reason: EndReason,
    pub actor: Actor,
    pub at: Timestamp,
    /// Why, in the words of the administrator who did it.
    pub note: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_survives_its_text_form_and_has_a_code_that_signs_out() {
        for reason in EndReason::ALL {
            assert_eq!(reason.to_string().parse(), Ok(reason));
            assert!(reason.code().ends_session());
            assert!(reason.sentence().ends_with('.'));
        }
    }

    #[test]
    fn every_actor_survives_its_text_form() {
        for actor in [Actor::User, Actor::Policy, Actor::Clock, Actor::Admin("ops:eve".into())] {
            assert_eq!(Actor::from(actor.to_string().as_str()), actor);
        }
    }
}
