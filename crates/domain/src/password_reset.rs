//! The link with which somebody chooses a new password, given to them by an administrator who never learns it.
//!
//! Nothing is stored for it. Its tag covers what the user's row holds, and every new password, sign-out everywhere,
//! disabling, other role and other account moves that: so a link is good once, and for nothing after any of these.
//! Whoever made it was asked whether they may handle such a user, and for one who may do more they were not.

use std::time::Duration;

use aws_lc_rs::{digest, hmac};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::id::{AccountId, UserId};
use crate::password::PasswordHash;
use crate::secret::{ResetKey, SecretText};
use crate::time::Timestamp;
use crate::user::Role;

/// How long a link is good if nobody uses it.
pub const RESET_LIFETIME: Duration = Duration::from_secs(24 * 60 * 60);

const TAG: usize = 32;
const BYTES: usize = 16 + 8 + TAG;

/// What a link is bound to, as the user's row has it.
pub struct ResetFacts<'a> {
    pub user_id: UserId,
    pub token_version: u32,
    pub role: Role,
    pub account_id: Option<AccountId>,
    pub password_hash: Option<&'a PasswordHash>,
}

/// What somebody shows who follows a link.
pub struct PresentedReset {
    pub user_id: UserId,
    expires_at: Timestamp,
    tag: [u8; TAG],
}

/// Makes a link's token.
pub fn mint(key: &ResetKey, facts: &ResetFacts<'_>, expires_at: Timestamp) -> SecretText {
    let tag = hmac::sign(&key.0, &message(facts, expires_at));
    let expires_ms = expires_at.as_ms().to_be_bytes();
    let bytes = [facts.user_id.as_bytes().as_slice(), &expires_ms, tag.as_ref()].concat();
    SecretText::from_plain(URL_SAFE_NO_PAD.encode(bytes))
}

impl PresentedReset {
    /// None if it cannot be one of ours. Every token has one spelling.
    pub fn read(text: &SecretText) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(text.expose()).ok().filter(|bytes| bytes.len() == BYTES)?;
        let (user_id, rest) = bytes.split_first_chunk::<16>()?;
        let (expires_ms, tag) = rest.split_first_chunk::<8>()?;
        Some(Self {
            user_id: UserId::from_bytes(*user_id),
            expires_at: Timestamp::from_ms(i64::from_be_bytes(*expires_ms)),
            tag: tag.try_into().ok()?,
        })
    }

    /// Whether it is good at `now` for a user of whom these are the facts. The tag is compared in constant time.
    pub fn is_good(&self, keys: &[ResetKey], facts: &ResetFacts<'_>, now: Timestamp) -> bool {
        let message = message(facts, self.expires_at);
        let is_ours = |key: &ResetKey| hmac::verify(&key.0, &message, &self.tag).is_ok();
        // Every key is tried, so that nothing tells which one fits.
        let fits = keys.iter().map(is_ours).fold(false, |any, fits| any | fits);
        fits && self.user_id == facts.user_id && now < self.expires_at
    }
}

/// All parts but the last have a fixed length, so that no two sets of facts are the same message. What is not there is
/// zeros, which no digest is and no id.
fn message(facts: &ResetFacts<'_>, expires_at: Timestamp) -> Vec<u8> {
    let hash = facts.password_hash.map(|hash| digest::digest(&digest::SHA256, hash.as_str().as_bytes()));
    [
        facts.user_id.as_bytes().as_slice(),
        &facts.token_version.to_be_bytes(),
        &expires_at.as_ms().to_be_bytes(),
        facts.account_id.map_or([0; 16], |id| *id.as_bytes()).as_slice(),
        hash.as_ref().map_or(&[0; digest::SHA256_OUTPUT_LEN][..], AsRef::as_ref),
        facts.role.as_str().as_bytes(),
    ]
    .concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::MasterSecret;

    const NOW: Timestamp = Timestamp::from_ms(1_795_000_000_000);

    fn key(byte: u8) -> ResetKey {
        MasterSecret::from_bytes([byte; 32]).reset_key()
    }

    fn is_good(text: &str, keys: &[ResetKey], facts: &ResetFacts<'_>, now: Timestamp) -> bool {
        let text = SecretText::from_plain(text.to_owned());
        PresentedReset::read(&text).is_some_and(|presented| presented.is_good(keys, facts, now))
    }

    #[test]
    fn a_link_is_good_for_the_one_user_as_they_are_and_until_it_expires() {
        let (old, new) = (PasswordHash::from_stored("old".into()), PasswordHash::from_stored("new".into()));
        let user_id = UserId::from_bytes([7; 16]);
        let account_id = Some(AccountId::from_bytes([5; 16]));
        let facts = || ResetFacts {
            user_id,
            token_version: 3,
            role: Role::User,
            account_id,
            password_hash: Some(&old),
        };
        let expires_at = NOW + RESET_LIFETIME;
        let token = mint(&key(1), &facts(), expires_at);
        let token = token.expose();
        let keys = [key(1), key(2)];
        assert!(is_good(token, &keys, &facts(), NOW));
        assert!(is_good(token, &[key(2), key(1)], &facts(), expires_at - Duration::from_millis(1)));
        for (name, facts, keys, now) in [
            ("expired", facts(), &keys[..], expires_at),
            ("other keys", facts(), &keys[1..], NOW),
            ("no keys", facts(), &[], NOW),
            ("used", ResetFacts { password_hash: Some(&new), ..facts() }, &keys, NOW),
            ("no password", ResetFacts { password_hash: None, ..facts() }, &keys, NOW),
            ("signed out", ResetFacts { token_version: 4, ..facts() }, &keys, NOW),
            ("promoted", ResetFacts { role: Role::Superuser, ..facts() }, &keys, NOW),
            ("moved", ResetFacts { account_id: Some(AccountId::from_bytes([6; 16])), ..facts() }, &keys, NOW),
            ("taken out", ResetFacts { account_id: None, ..facts() }, &keys, NOW),
            ("somebody else", ResetFacts { user_id: UserId::from_bytes([8; 16]), ..facts() }, &keys, NOW),
        ] {
            assert!(!is_good(token, keys, &facts, now), "{name}");
        }
    }

    #[test]
    fn no_bit_of_a_link_can_be_changed_and_it_has_one_spelling() {
        let facts = ResetFacts {
            user_id: UserId::from_bytes([7; 16]),
            token_version: 0,
            role: Role::User,
            account_id: None,
            password_hash: None,
        };
        let token = mint(&key(1), &facts, NOW + RESET_LIFETIME);
        let bytes = URL_SAFE_NO_PAD.decode(token.expose()).unwrap();
        assert_eq!(bytes.len(), BYTES);
        for bit in 0..bytes.len() * 8 {
            let mut other = bytes.clone();
            other[bit / 8] ^= 1 << (bit % 8);
            assert!(!is_good(&URL_SAFE_NO_PAD.encode(other), &[key(1)], &facts, NOW), "bit {bit}");
        }
        let text = token.expose();
        for odd in ["", "x", &text[..text.len() - 1], &format!("{text}A"), &format!("{text}="), "é"] {
            assert!(!is_good(odd, &[key(1)], &facts, NOW), "{odd}");
        }
    }
}
