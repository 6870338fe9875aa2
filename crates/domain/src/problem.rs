//! The closed set of codes that every error answer carries (protocol.md section 8).
//!
//! `api/errors.md`, the OpenAPI document and the SDK's types are generated from [`Code::ALL`]; a test walks it.

use std::fmt;

use serde::{Serialize, Serializer};

/// What kind of failure a code is, which is all that a generic client needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Class {
    /// The caller is not, or no longer, who they claimed to be.
    Authentication,
    /// They are, but may not do this.
    Authorization,
    /// The request itself is at fault.
    Request,
    /// Nothing is known; wait and try again.
    Transport,
}

impl Class {
    pub const fn as_str(self) -> &'static str {
        match self {
            Class::Authentication => "authentication",
            Class::Authorization => "authorization",
            Class::Request => "request",
            Class::Transport => "transport",
        }
    }
}

/// Everything fixed about a code.
struct Entry {
    name: &'static str,
    status: u16,
    class: Class,
    title: &'static str,
    client: &'static str,
}

const fn entry(
    name: &'static str,
    status: u16,
    class: Class,
    title: &'static str,
    client: &'static str,
) -> Entry {
    Entry { name, status, class, title, client }
}

/// A stable code. Programs switch on it; title and detail are for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Code {
    SessionExpired,
    SessionRevoked,
    SessionNotFound,
    NoSession,
    SessionSuperseded,
    RefreshSuperseded,
    RequestStale,
    AccessTokenMissing,
    AccessTokenExpired,
    AccessTokenInvalid,
    AccessTokenRevoked,
    WrongTokenType,
    PermissionDenied,
    FreshPasswordRequired,
    AccountMissing,
    AccountSuspended,
    AccountCancelled,
    PlanMissing,
    PlanInactive,
    LimitReached,
    OriginNotAllowed,
    CsrfFailed,
    MalformedRequest,
    ValidationFailed,
    InvalidCredentials,
    ResetLinkInvalid,
    EmailTaken,
    RegistrationClosed,
    ExchangeClosed,
    ExchangeInvalid,
    ExchangeExpired,
    ExchangeUsed,
    ExchangeUnknownUser,
    NotFound,
    MethodNotAllowed,
    PayloadTooLarge,
    UnsupportedMediaType,
    RequestTimeout,
    RateLimited,
    StorageUnavailable,
    SessionUnverifiable,
    Overloaded,
    SigningUnavailable,
    Maintenance,
    InternalError,
}

impl Code {
    pub const ALL: [Code; 45] = [
        Code::SessionExpired,
        Code::SessionRevoked,
        Code::SessionNotFound,
        Code::NoSession,
        Code::SessionSuperseded,
        Code::RefreshSuperseded,
        Code::RequestStale,
        Code::AccessTokenMissing,
        Code::AccessTokenExpired,
        Code::AccessTokenInvalid,
        Code::AccessTokenRevoked,
        Code::WrongTokenType,
        Code::PermissionDenied,
        Code::FreshPasswordRequired,
        Code::AccountMissing,
        Code::AccountSuspended,
        Code::AccountCancelled,
        Code::PlanMissing,
        Code::PlanInactive,
        Code::LimitReached,
        Code::OriginNotAllowed,
        Code::CsrfFailed,
        Code::MalformedRequest,
        Code::ValidationFailed,
        Code::InvalidCredentials,
        Code::ResetLinkInvalid,
        Code::EmailTaken,
        Code::RegistrationClosed,
        Code::ExchangeClosed,
        Code::ExchangeInvalid,
        Code::ExchangeExpired,
        Code::ExchangeUsed,
        Code::ExchangeUnknownUser,
        Code::NotFound,
        Code::MethodNotAllowed,
        Code::PayloadTooLarge,
        Code::UnsupportedMediaType,
        Code::RequestTimeout,
        Code::RateLimited,
        Code::StorageUnavailable,
        Code::SessionUnverifiable,
        Code::Overloaded,
        Code::SigningUnavailable,
        Code::Maintenance,
        Code::InternalError,
    ];

    /// The table. Only the first five end a session on the client.
    #[rustfmt::skip]
    const fn entry(self) -> Entry {
        use Class::{Authentication, Authorization, Request, Transport};
        use Code::*;
        const SIGNED_OUT: &str = "Signed out, once asked again and told the same.";
        const NONE_SENT: &str = "Signed out, if it believed it was signed in: the browser's data was cleared.";
        const SIGNED_OUT_HERE: &str = "Signed out in this browser (reuse policy `observe`).";
        const ASK_AGAIN: &str = "Wait 1 to 2 s and refresh again with what the jar holds by then.";
        const SET_CLOCK: &str = "Correct the clock offset by `server_time` and send again.";
        const REFRESH_ONCE: &str = "Refresh once, repeat the call once, then hand the answer on. Never sign out.";
        const CONFIRM: &str = "Ask for the password, confirm it, and send again. Never sign out.";
        const HAND_ON: &str = "Hand to the caller. Never sign out.";
        const WAIT: &str = "Wait (`Retry-After` where given), try again. Never sign out.";
        match self {
            SessionExpired => entry("session_expired", 401, Authentication, "The session's time is over", SIGNED_OUT),
            SessionRevoked => entry("session_revoked", 401, Authentication, "The session was ended", SIGNED_OUT),
            SessionNotFound => entry("session_not_found", 401, Authentication, "No such session", SIGNED_OUT),
            NoSession => entry("no_session", 401, Authentication, "The browser sent no session", NONE_SENT),
            SessionSuperseded => entry("session_superseded", 401, Authentication, "This browser holds an old copy of the session", SIGNED_OUT_HERE),
            RefreshSuperseded => entry("refresh_superseded", 409, Transport, "The refresh token has been superseded", ASK_AGAIN),
            RequestStale => entry("request_stale", 409, Transport, "The refresh was too long under way", SET_CLOCK),
            AccessTokenMissing => entry("access_token_missing", 401, Authentication, "An access token is required", REFRESH_ONCE),
            AccessTokenExpired => entry("access_token_expired", 401, Authentication, "The access token has expired", REFRESH_ONCE),
            AccessTokenInvalid => entry("access_token_invalid", 401, Authentication, "The access token is not valid", REFRESH_ONCE),
            AccessTokenRevoked => entry("access_token_revoked", 401, Authentication, "The access token was revoked", REFRESH_ONCE),
            WrongTokenType => entry("wrong_token_type", 401, Authentication, "That is not an access token", REFRESH_ONCE),
            PermissionDenied => entry("permission_denied", 403, Authorization, "You may not do this", HAND_ON),
            FreshPasswordRequired => entry("fresh_password_required", 403, Authorization, "Type your password again", CONFIRM),
            AccountMissing => entry("account_missing", 403, Authorization, "You belong to no account", HAND_ON),
            AccountSuspended => entry("account_suspended", 403, Authorization, "The account is suspended", HAND_ON),
            AccountCancelled => entry("account_cancelled", 403, Authorization, "The account is cancelled", HAND_ON),
            PlanMissing => entry("plan_missing", 402, Authorization, "The account has no plan", HAND_ON),
            PlanInactive => entry("plan_inactive", 402, Authorization, "The account's plan is not active", HAND_ON),
            LimitReached => entry("limit_reached", 402, Authorization, "A limit of the plan is reached", HAND_ON),
            OriginNotAllowed => entry("origin_not_allowed", 403, Request, "Requests from that origin are not allowed", HAND_ON),
            CsrfFailed => entry("csrf_failed", 403, Request, "The request could have been forged", HAND_ON),
            MalformedRequest => entry("malformed_request", 400, Request, "The request could not be read", HAND_ON),
            ValidationFailed => entry("validation_failed", 422, Request, "Something in the request is not acceptable", HAND_ON),
            InvalidCredentials => entry("invalid_credentials", 401, Request, "E-mail or password is wrong", HAND_ON),
            ResetLinkInvalid => entry("reset_link_invalid", 403, Request, "The link is not good, or not any more", HAND_ON),
            EmailTaken => entry("email_taken", 409, Request, "That e-mail address is already registered", HAND_ON),
            RegistrationClosed => entry("registration_closed", 403, Request, "Registration is not open here", HAND_ON),
            ExchangeClosed => entry("exchange_closed", 403, Request, "Sign-ins of the other system are not taken over here now", HAND_ON),
            ExchangeInvalid => entry("exchange_invalid", 400, Request, "That is no sign-in of the other system", HAND_ON),
            ExchangeExpired => entry("exchange_expired", 400, Request, "The other system's sign-in has expired", HAND_ON),
            ExchangeUsed => entry("exchange_used", 409, Request, "The other system's sign-in has been taken over before, or ended", HAND_ON),
            ExchangeUnknownUser => entry("exchange_unknown_user", 404, Request, "Whoever it is has not come here yet", HAND_ON),
            NotFound => entry("not_found", 404, Request, "There is nothing here", HAND_ON),
            MethodNotAllowed => entry("method_not_allowed", 405, Request, "That method is not served here", HAND_ON),
            PayloadTooLarge => entry("payload_too_large", 413, Request, "The request is too large", HAND_ON),
            UnsupportedMediaType => entry("unsupported_media_type", 415, Request, "Send application/json", HAND_ON),
            RequestTimeout => entry("request_timeout", 408, Transport, "The request did not arrive in time", WAIT),
            RateLimited => entry("rate_limited", 429, Transport, "Too many requests", WAIT),
            StorageUnavailable => entry("storage_unavailable", 503, Transport, "The store cannot be reached", WAIT),
            SessionUnverifiable => entry("session_unverifiable", 503, Transport, "The session cannot be verified now", WAIT),
            Overloaded => entry("overloaded", 503, Transport, "Too busy, try again", WAIT),
            SigningUnavailable => entry("signing_unavailable", 503, Transport, "No access token can be signed now", WAIT),
            Maintenance => entry("maintenance", 503, Transport, "The server is going down or coming up", WAIT),
            InternalError => entry("internal_error", 500, Transport, "Something went wrong here", WAIT),
        }
    }

    /// The stable name: what travels, what programs compare.
    pub const fn as_str(self) -> &'static str {
        self.entry().name
    }

    pub const fn status(self) -> u16 {
        self.entry().status
    }

    pub const fn class(self) -> Class {
        self.entry().class
    }

    pub const fn title(self) -> &'static str {
        self.entry().title
    }

    /// What a client does with it.
    pub const fn client_action(self) -> &'static str {
        self.entry().client
    }

    /// The closed list of protocol.md section 8: only these may sign a client out.
    pub const fn ends_session(self) -> bool {
        matches!(
            self,
            Code::SessionExpired
                | Code::SessionRevoked
                | Code::SessionNotFound
                | Code::NoSession
                | Code::SessionSuperseded
        )
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for Code {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn names_are_unique_and_exactly_five_codes_sign_out() {
        let names: HashSet<_> = Code::ALL.iter().map(|code| code.as_str()).collect();
        assert_eq!(names.len(), Code::ALL.len());
        let enders: Vec<_> =
            Code::ALL.iter().filter(|code| code.ends_session()).map(|c| c.as_str()).collect();
        let closed =
            ["session_expired", "session_revoked", "session_not_found", "no_session", "session_superseded"];
        assert_eq!(enders, closed);
    }

    #[test]
    fn class_and_status_agree() {
        for code in Code::ALL {
            let status = code.status();
            match code.class() {
                Class::Authentication => assert_eq!(status, 401, "{code}"),
                Class::Authorization => assert!(matches!(status, 402 | 403), "{code}"),
                Class::Request => assert!((400..500).contains(&status), "{code}"),
                Class::Transport => assert!(matches!(status, 408 | 409 | 429 | 500 | 503), "{code}"),
            }
            assert!(!code.ends_session() || code.class() == Class::Authentication);
        }
    }
}
