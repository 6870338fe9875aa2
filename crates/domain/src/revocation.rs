//! The revocation feed: what a server tells other services of, so that they refuse an access token at once which
//! does not stand any more, and what a listener makes of it. A stream of events (WHATWG HTML, 9.2):
//!
//! - `begin`, once, with [`Begin`];
//! - `facts`, with [`Facts`], as many as there are: at first what is still of interest, and then whatever happens;
//! - `beat`, with [`Beat`], every few seconds. By then everything was told that had happened a moment before. The
//!   first one ends what is told at first. Where there is none, nobody knows, and a listener asks for each token.
//!
//! A server may close the stream at any time, and a listener then begins anew: positions are not remembered.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::access_token::AccessClaims;
use crate::id::{SessionId, UserId};
use crate::time::Timestamp;
use crate::user::Role;

/// What a listener has to be allowed.
pub const PERMISSION: &str = "revocations.read";

/// Most sessions, and most users, in one event: its text stays well below 64 KiB.
pub const NAMED_MAX: usize = 200;

/// The most by which the clocks of issuing nodes may differ for `since` to say what is known, which is later by as much.
pub const CLOCKS_DIFFER_MAX: Duration = Duration::from_secs(60);

/// The longest line of the stream.
pub const LINE_MAX: usize = 64 * 1024;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Begin {
    /// Of tokens that were signed before, something may have happened that is not told.
    pub since: Timestamp,
    /// Seconds after which a fact is of no interest any more: every token it concerns has expired.
    pub keep: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Beat {
    pub server_time: Timestamp,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Facts {
    /// Sessions that have ended.
    pub ended: Vec<SessionId>,
    /// Sessions that somebody has changed by hand: ask.
    pub changed: Vec<SessionId>,
    pub users: Vec<UserFact>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserFact {
    pub id: UserId,
    #[serde(flatten)]
    pub state: UserState,
}

/// What has become of a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum UserState {
    /// Tokens of an earlier version do not stand.
    Stands { token_version: u32, role: Role },
    /// Tokens of an earlier version do not stand. One of this version may be from after they were enabled again: ask.
    Disabled { token_version: u32 },
    /// Deleted: no token of theirs stands.
    Gone,
    /// It cannot be told: ask.
    #[serde(other)]
    Unclear,
}

/// What has become of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionState {
    Ended,
    /// Ask.
    Unclear,
}

/// What a listener knows of an authentic access token that has not expired.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// With the role that its bearer has now.
    Stands(Role),
    Ended,
    /// Ask.
    Unclear,
}

/// As [`crate::session::admit`] would say it, as far as one can tell from what was told of its session and user since
/// a time. `now` is by the issuer's clock.
pub fn judge(
    claims: &AccessClaims,
    (since, now): (Timestamp, Timestamp),
    session: Option<SessionState>,
    user: Option<UserState>,
) -> Verdict {
    let is_gone = match user {
        Some(UserState::Stands { token_version, .. } | UserState::Disabled { token_version }) => {
            claims.ver < token_version
        }
        Some(UserState::Gone) => true,
        Some(UserState::Unclear) | None => false,
    };
    // What has ended has, whatever else is not known.
    if is_gone || session == Some(SessionState::Ended) {
        return Verdict::Ended;
    }
    let signed_at = Timestamp::from_ms(claims.iat.saturating_mul(1000));
    // A node whose clock is far ahead says "later than since" of tokens from before it.
    let is_whole = signed_at >= since && signed_at <= now + CLOCKS_DIFFER_MAX;
    match (session, user) {
        (None, None) if is_whole => Verdict::Stands(claims.role),
        (None, Some(UserState::Stands { token_version, role }))
            if is_whole && claims.ver == token_version =>
        {
            Verdict::Stands(role)
        }
        // Also of a version that nobody has told of yet: its word is on its way.
        _ => Verdict::Unclear,
    }
}

/// An event as it is sent.
pub fn event(name: &str, data: &impl Serialize) -> String {
    // What is sent are numbers and words, which always have a text.
    let data = serde_json::to_string(data).unwrap_or_default();
    format!("event: {name}\ndata: {data}\n\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::{Standing, admit};

    const USER: UserId = UserId::from_bytes([2; 16]);
    const SESSION: SessionId = SessionId::from_bytes([1; 16]);
    const NOW: Timestamp = Timestamp::from_ms(1_795_000_000_000);

    fn claims(ver: u32) -> AccessClaims {
        let iat = NOW.as_ms() / 1000;
        AccessClaims {
            iss: String::new(),
            aud: String::new(),
            sub: USER,
            sid: SESSION,
            ver,
            role: Role::User,
            iat,
            exp: iat + 900,
            jti: String::new(),
        }
    }

    #[test]
    fn it_lets_in_nobody_whom_the_strict_check_refuses_and_refuses_nobody_whom_it_lets_in() {
        for (ver, token_version) in [(1, 1), (1, 2), (2, 1)] {
            for (ended, user_disabled) in [(false, false), (true, false), (false, true), (true, true)] {
                let expires_at = NOW + std::time::Duration::from_secs(3600);
                let standing = Standing { user_id: USER, expires_at, ended, token_version, user_disabled };
                let admitted = admit(&claims(ver), &standing, NOW).is_ok();
                let user = match user_disabled {
                    true => UserState::Disabled { token_version },
                    false => UserState::Stands { token_version, role: Role::Admin },
                };
                let session = ended.then_some(SessionState::Ended);
                match judge(&claims(ver), (NOW, NOW), session, Some(user)) {
                    Verdict::Stands(role) => assert!(admitted && role == Role::Admin),
                    Verdict::Ended => assert!(!admitted),
                    // A version that nobody has told of yet, or somebody who may have been enabled again.
                    Verdict::Unclear => assert!(ver > token_version || user_disabled),
                }
            }
        }
    }

    #[test]
    fn what_is_not_known_is_asked_and_what_is_known_is_not() {
        let judge = |since, session, user| judge(&claims(1), (since, NOW), session, user);
        let later = Timestamp::from_ms(NOW.as_ms() + 1);
        assert_eq!(judge(NOW, None, None), Verdict::Stands(Role::User));
        assert_eq!(judge(later, None, None), Verdict::Unclear);
        assert_eq!(judge(later, Some(SessionState::Ended), None), Verdict::Ended);
        assert_eq!(judge(later, None, Some(UserState::Gone)), Verdict::Ended);
        assert_eq!(judge(NOW, Some(SessionState::Unclear), None), Verdict::Unclear);
        assert_eq!(judge(NOW, None, Some(UserState::Unclear)), Verdict::Unclear);
        let disabled = UserState::Disabled { token_version: 1 };
        assert_eq!(judge(NOW, None, Some(disabled)), Verdict::Unclear);
        let bumped = UserState::Stands { token_version: 2, role: Role::User };
        assert_eq!(judge(NOW, Some(SessionState::Unclear), Some(bumped)), Verdict::Ended);
    }

    /// Never refused for it: whose clock is wrong cannot be told from here.
    #[test]
    fn a_token_that_was_signed_in_the_future_is_asked_for() {
        let of = |now, session| judge(&claims(1), (NOW - Duration::from_secs(900), now), session, None);
        let behind = NOW - CLOCKS_DIFFER_MAX;
        assert_eq!(of(behind, None), Verdict::Stands(Role::User));
        assert_eq!(of(behind - Duration::from_secs(1), None), Verdict::Unclear);
        assert_eq!(of(behind - Duration::from_secs(1), Some(SessionState::Ended)), Verdict::Ended);
    }

    #[test]
    fn an_event_is_two_lines_and_an_empty_one_and_what_later_versions_say_is_unclear() {
        let state = UserState::Stands { token_version: 3, role: Role::User };
        let facts =
            Facts { ended: vec![SESSION], users: vec![UserFact { id: USER, state }], ..Facts::default() };
        let text = event("facts", &facts);
        let data =
            text.strip_prefix("event: facts\ndata: ").and_then(|rest| rest.strip_suffix("\n\n")).unwrap();
        assert!(!data.contains('\n'));
        assert_eq!(serde_json::from_str::<Facts>(data).unwrap(), facts);
        let later = format!(r#"{{"users":[{{"id":"{USER}","state":"asleep","dreams":1}}]}}"#);
        let read: Facts = serde_json::from_str(&later).unwrap();
        assert_eq!(read.users, [UserFact { id: USER, state: UserState::Unclear }]);
        let most = Facts {
            ended: vec![SESSION; NAMED_MAX],
            changed: vec![SESSION; NAMED_MAX],
            users: vec![UserFact { id: USER, state }; NAMED_MAX],
        };
        assert!(event("facts", &most).len() < LINE_MAX);
    }
}
