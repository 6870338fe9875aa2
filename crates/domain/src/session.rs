//! A session, and what a refresh or an API call makes of it: the order of the checks around the rotation rule.

use crate::access_token::AccessClaims;
use crate::ends::{Actor, End, EndReason};
use crate::id::{SessionId, UserId};
use crate::problem::Code;
use crate::refresh_token::{PresentedToken, RefreshKeyRing, Salt};
use crate::rotation::{self, Replay, Rotation, RotationRules, Verdict};
use crate::time::{EXPIRY_GRACE, Freshness, Timestamp};

/// One sign-in of one user on one browser profile or device: one row, the only authority.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    pub id: SessionId,
    pub user_id: UserId,
    pub salt: Salt,
    pub remembered: bool,
    pub created_at: Timestamp,
    /// Fixed at sign-in. Rotation neither extends nor shortens it.
    pub expires_at: Timestamp,
    pub rotation: Rotation,
    pub ended: Option<End>,
}

impl Session {
    /// Whether the promised time, and the grace minute after it, are over.
    pub fn is_expired(&self, now: Timestamp) -> bool {
        now >= self.expires_at + EXPIRY_GRACE
    }

    /// The reason for which the clock ends this session.
    pub fn expiry_reason(&self) -> EndReason {
        if self.remembered { EndReason::RememberedLifetime } else { EndReason::ShortLifetime }
    }
}

/// Why somebody whose credentials were good may have no new session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoSession {
    UserDisabled,
    /// The password changed, or everything was signed out, since the credentials were checked.
    UserChanged,
}

/// Whether somebody may begin a session now, whose token version was `checked` when their credentials were.
pub fn may_begin(is_disabled: bool, token_version: u32, checked: u32) -> Result<(), NoSession> {
    match (is_disabled, token_version == checked) {
        (true, _) => Err(NoSession::UserDisabled),
        (false, false) => Err(NoSession::UserChanged),
        (false, true) => Ok(()),
    }
}

/// What the second presentation of a dead token within the window does (protocol.md section 6).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ReusePolicy {
    /// End this session, and only this one (RFC 9700 section 4.14.2).
    #[default]
    Revoke,
    /// Refuse this presenter and leave the session alone.
    Observe,
}

/// Everything that refreshes are judged by; built once at start.
pub struct RefreshRules {
    pub keys: RefreshKeyRing,
    pub rotation: RotationRules,
    pub reuse: ReusePolicy,
}

/// What becomes of one presented token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RefreshDecision {
    /// Write `rotation` if it changed, then hand out a fresh string of its head.
    Serve { rotation: Rotation, replay: Option<Replay> },
    /// First strike: write `rotation` if it changed, then 409 `refresh_superseded`.
    Strike { rotation: Rotation },
    /// Reuse under policy `observe`: 401 `session_superseded`, nothing written.
    Refuse,
    /// End the session now, then answer as for an ended one.
    EndNow { reason: EndReason, actor: Actor },
    /// It has ended before.
    Ended(End),
    /// The tag does not fit the row: 401 `session_not_found`.
    NotAuthentic,
}

/// Judges a token presented for this session. `user_disabled` is a belt to the braces: disabling a user ends
/// the sessions itself, but a row edited by hand must not keep one alive.
pub fn refresh(
    session: &Session,
    user_disabled: bool,
    token: &PresentedToken,
    freshness: Freshness,
    now: Timestamp,
    rules: &RefreshRules,
) -> RefreshDecision {
    if !rules.keys.is_authentic(token, &session.salt) {
        return RefreshDecision::NotAuthentic;
    }
    if let Some(end) = &session.ended {
        return RefreshDecision::Ended(end.clone());
    }
    if session.is_expired(now) {
        return RefreshDecision::EndNow { reason: session.expiry_reason(), actor: Actor::Clock };
    }
    if user_disabled {
        return RefreshDecision::EndNow { reason: EndReason::UserDisabled, actor: Actor::Policy };
    }
    let presented = token.claims.generation;
    let (rotation, verdict) = rotation::present(session.rotation, presented, freshness, now, rules.rotation);
    match (verdict, rules.reuse) {
        (Verdict::Accepted { .. }, _) => {
            let replay = Replay::of(presented, &session.rotation, &rotation);
            RefreshDecision::Serve { rotation, replay }
        }
        (Verdict::Superseded, _) => RefreshDecision::Strike { rotation },
        (Verdict::Reused, ReusePolicy::Observe) => RefreshDecision::Refuse,
        (Verdict::Reused, ReusePolicy::Revoke) => {
            RefreshDecision::EndNow { reason: EndReason::TokenReuse, actor: Actor::Policy }
        }
    }
}

/// The state of a session and its user that decides whether an access token still lets its bearer in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    pub user_id: UserId,
    pub expires_at: Timestamp,
    pub ended: bool,
    pub token_version: u32,
    pub user_disabled: bool,
}

/// The strict check of an authentic, unexpired access token against the store's present state. A code it
/// answers with never ends a session: the client refreshes once, and the refresh tells.
pub fn admit(claims: &AccessClaims, standing: &Standing, now: Timestamp) -> Result<(), Code> {
    let stands = standing.user_id == claims.sub
        && !standing.ended
        && !standing.user_disabled
        && standing.token_version == claims.ver
        && now < standing.expires_at + EXPIRY_GRACE;
    if stands { Ok(()) } else { Err(Code::AccessTokenRevoked) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::ReceiptId;
    use crate::refresh_token::{self, RefreshClaims};
    use crate::rotation::Generation;
    use crate::secret::MasterSecret;
    use crate::time::TimeRules;
    use std::time::Duration;

    #[test]
    fn a_session_begins_for_whoever_is_not_disabled_and_as_their_credentials_were_checked() {
        assert_eq!(may_begin(false, 3, 3), Ok(()));
        assert_eq!(may_begin(false, 4, 3), Err(NoSession::UserChanged));
        assert_eq!(may_begin(true, 3, 3), Err(NoSession::UserDisabled));
        assert_eq!(may_begin(true, 4, 3), Err(NoSession::UserDisabled));
    }

    const SIGN_IN: Timestamp = Timestamp::from_ms(1_795_000_000_000);

    fn rules(reuse: ReusePolicy) -> RefreshRules {
        let key = MasterSecret::from_bytes([5; 32]).refresh_key();
        RefreshRules {
            keys: RefreshKeyRing::new(key, vec![]),
            rotation: RotationRules::with_settle(TimeRules::default().settle),
            reuse,
        }
    }

    fn session(remembered: bool) -> Session {
        Session {
            id: SessionId::from_bytes([1; 16]),
            user_id: UserId::from_bytes([2; 16]),
            salt: [3; 16],
            remembered,
            created_at: SIGN_IN,
            expires_at: SIGN_IN + TimeRules::default().session_lifetime(remembered),
            rotation: Rotation::at_sign_in(SIGN_IN),
            ended: None,
        }
    }

    fn present(
        session: &Session,
        generation: u32,
        salt: Salt,
        now: Timestamp,
        rules: &RefreshRules,
    ) -> RefreshDecision {
        let claims = RefreshClaims {
            session_id: session.id,
            generation: Generation(generation),
            expires_at: session.expires_at,
            nonce: [0; 12],
        };
        let text = refresh_token::mint(rules.keys.current(), &claims, &salt);
        let token = rules.keys.read(&text).ok().unwrap();
        refresh(session, false, &token, Freshness::Fresh, now, rules)
    }

    #[test]
    fn a_remembered_session_lives_to_the_last_of_its_twenty_days_and_ends_for_its_own_reason() {
        let rules = rules(ReusePolicy::Revoke);
        for (remembered, reason) in [(true, EndReason::RememberedLifetime), (false, EndReason::ShortLifetime)]
        {
            let session = session(remembered);
            let at = |now| present(&session, 1, [3; 16], now, &rules);
            assert!(matches!(at(session.expires_at - Duration::from_secs(1)), RefreshDecision::Serve { .. }));
            assert!(matches!(
                at(session.expires_at + Duration::from_secs(59)),
                RefreshDecision::Serve { .. }
            ));
            let over = at(session.expires_at + Duration::from_secs(60));
            assert_eq!(over, RefreshDecision::EndNow { reason, actor: Actor::Clock });
        }
    }

    #[test]
    fn an_ended_session_stays_ended_even_for_a_token_ahead_of_the_store() {
        let end = End {
            receipt: ReceiptId::generate([1; 5]),
            reason: EndReason::SignedOut,
            actor: Actor::User,
            at: SIGN_IN,
            note: None,
        };
        let ended = Session { ended: Some(end.clone()), ..session(true) };
        for generation in [0, 1, 2, u32::MAX] {
            let decision = present(&ended, generation, [3; 16], SIGN_IN, &rules(ReusePolicy::Revoke));
            assert_eq!(decision, RefreshDecision::Ended(end.clone()));
        }
    }

    #[test]
    fn a_tag_for_another_salt_says_nothing_about_the_session() {
        let decision = present(&session(true), 1, [4; 16], SIGN_IN, &rules(ReusePolicy::Revoke));
        assert_eq!(decision, RefreshDecision::NotAuthentic);
    }

    #[test]
    fn reuse_ends_the_session_or_refuses_the_presenter_by_policy() {
        let old = Rotation { base: Generation(4), head: Generation(5), ..Rotation::at_sign_in(SIGN_IN) };
        let contested =
            Session { rotation: Rotation { contested_at: Some(SIGN_IN), ..old }, ..session(true) };
        let later = SIGN_IN + Duration::from_secs(2);
        let by = |reuse| present(&contested, 2, [3; 16], later, &rules(reuse));
        assert_eq!(by(ReusePolicy::Observe), RefreshDecision::Refuse);
        let ended = RefreshDecision::EndNow { reason: EndReason::TokenReuse, actor: Actor::Policy };
        assert_eq!(by(ReusePolicy::Revoke), ended);
        let first = Session { rotation: old, ..session(true) };
        assert!(matches!(
            present(&first, 2, [3; 16], later, &rules(ReusePolicy::Revoke)),
            RefreshDecision::Strike { .. }
        ));
    }
}
