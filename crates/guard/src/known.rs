//! What the issuer has told of sessions and users, for as long as it may concern a token.

use std::collections::HashMap;
use std::time::Duration;

use tenure_domain::access_token::AccessClaims;
use tenure_domain::id::{SessionId, UserId};
use tenure_domain::revocation::{self, Begin, Facts, SessionState, UserState, Verdict};
use tenure_domain::time::Timestamp;
use tokio::time::Instant;

/// Most facts kept, of some hundred bytes each: more than the issuer itself keeps at any time.
const FACTS_MAX: usize = 50_000;

/// The longest that anything is kept, whatever the issuer says: a day.
const KEEP_MAX: Duration = Duration::from_secs(86_400);

/// More was told than is kept.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("more has ended lately than is kept here")]
pub struct TooMuch;

pub struct Known {
    since: Timestamp,
    keep: Duration,
    sessions: HashMap<SessionId, (Instant, SessionState)>,
    users: HashMap<UserId, (Instant, UserState)>,
}

impl Known {
    /// `lag` is the most by which the time that tokens are judged by may be behind the issuer's.
    pub fn new(begin: Begin, lag: Duration) -> Self {
        let keep = Duration::from_secs(begin.keep).saturating_add(lag).min(KEEP_MAX);
        Self { since: begin.since, keep, sessions: HashMap::new(), users: HashMap::new() }
    }

    pub fn note(&mut self, facts: Facts, at: Instant) -> Result<(), TooMuch> {
        let ended = facts.ended.into_iter().map(|id| (id, SessionState::Ended));
        let changed = facts.changed.into_iter().map(|id| (id, SessionState::Unclear));
        self.sessions.extend(ended.chain(changed).map(|(id, state)| (id, (at, state))));
        self.users.extend(facts.users.into_iter().map(|user| (user.id, (at, user.state))));
        if self.sessions.len() + self.users.len() > FACTS_MAX { Err(TooMuch) } else { Ok(()) }
    }

    /// Forgets what concerns expired tokens alone.
    pub fn forget_old(&mut self, now: Instant) {
        let keep = self.keep;
        self.sessions.retain(|_, (at, _)| now - *at < keep);
        self.users.retain(|_, (at, _)| now - *at < keep);
    }

    /// `now` is by the issuer's clock.
    pub fn judge(&self, claims: &AccessClaims, now: Timestamp) -> Verdict {
        let session = self.sessions.get(&claims.sid).map(|(_, state)| *state);
        let user = self.users.get(&claims.sub).map(|(_, state)| *state);
        revocation::judge(claims, (self.since, now), session, user)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tenure_domain::revocation::UserFact;
    use tenure_domain::user::Role;

    const LAG: Duration = Duration::from_secs(20);

    fn begin() -> Begin {
        Begin { since: Timestamp::from_ms(0), keep: 1020 }
    }

    fn claims(number: u8) -> AccessClaims {
        AccessClaims {
            iss: String::new(),
            aud: String::new(),
            sub: UserId::from_bytes([number; 16]),
            sid: SessionId::from_bytes([number; 16]),
            ver: 1,
            role: Role::User,
            iat: 1,
            exp: 901,
            jti: String::new(),
        }
    }

    #[tokio::test]
    async fn facts_are_kept_until_no_token_is_left_that_they_concern() {
        let (mut known, then) = (Known::new(begin(), LAG), Instant::now());
        let (one, two) = (claims(1), claims(2));
        let facts = Facts { ended: vec![one.sid], ..Facts::default() };
        known.note(facts, then).unwrap();
        let user = UserFact { id: two.sub, state: UserState::Gone };
        known.note(Facts { users: vec![user], ..Facts::default() }, then + Duration::from_secs(10)).unwrap();
        for (seconds, first, second) in [
            (1039, Verdict::Ended, Verdict::Ended),
            (1040, Verdict::Stands(Role::User), Verdict::Ended),
            (1050, Verdict::Stands(Role::User), Verdict::Stands(Role::User)),
        ] {
            known.forget_old(then + Duration::from_secs(seconds));
            let judge = |claims| known.judge(claims, Timestamp::from_ms(1_000));
            assert_eq!((judge(&one), judge(&two)), (first, second), "{seconds}");
        }
        assert!(known.sessions.is_empty() && known.users.is_empty());
    }

    #[tokio::test]
    async fn memory_is_bounded() {
        let (mut known, now) = (Known::new(begin(), LAG), Instant::now());
        let many = |from: usize| {
            let ids = (from..from + 10_000).map(|n| SessionId::from_bytes((n as u128).to_be_bytes()));
            Facts { ended: ids.collect(), ..Facts::default() }
        };
        for from in (0..FACTS_MAX).step_by(10_000) {
            known.note(many(from), now).unwrap();
        }
        // Told twice is kept once.
        known.note(many(0), now).unwrap();
        assert_eq!(known.note(many(FACTS_MAX), now), Err(TooMuch));
    }
}
