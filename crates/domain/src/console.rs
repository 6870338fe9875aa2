//! Sign-ins to the administrators' console: what its cookie holds, how long one lasts, and whom it is for.
//!
//! They are apart from the sessions of users, which none of this can end or keep alive.

use std::time::Duration;

use aws_lc_rs::digest;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use zeroize::Zeroizing;

use crate::secret::SecretText;
use crate::time::Timestamp;

/// What a route of the administration needs, as a permission. Superusers have all of them; the configuration may grant
/// them to other roles, and a key may have them as scopes. Whoever has one of them may sign in to the console.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Right {
    Read,
    Accounts,
    Plans,
    Users,
    /// Signing keys, with which every access token stands or falls.
    Keys,
}

impl Right {
    pub const ALL: [Right; 5] = [Right::Read, Right::Accounts, Right::Plans, Right::Users, Right::Keys];

    pub const fn as_str(self) -> &'static str {
        match self {
            Right::Read => "admin.read",
            Right::Accounts => "admin.accounts",
            Right::Plans => "admin.plans",
            Right::Users => "admin.users",
            Right::Keys => "admin.keys",
        }
    }
}

/// How long a password that was typed is fresh: what cannot be undone wants one that is.
const FRESH: Duration = Duration::from_secs(10 * 60);

/// Of a console that was used, the expiry is written anew once it would move by this part of the idle time.
const RENEWED_BY: u32 = 30;

const SECRET: usize = 32;

/// What the console's cookie holds: 256 random bits, of which only a hash is stored.
pub struct ConsoleToken(Zeroizing<[u8; SECRET]>);

impl ConsoleToken {
    pub fn from_entropy(bytes: [u8; SECRET]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// None if it cannot be one of ours. Every token has one spelling.
    pub fn read(text: &str) -> Option<Self> {
        let bytes = Zeroizing::new(URL_SAFE_NO_PAD.decode(text).ok()?);
        Some(Self(Zeroizing::new(bytes.as_slice().try_into().ok()?)))
    }

    pub fn to_text(&self) -> SecretText {
        SecretText::from_plain(URL_SAFE_NO_PAD.encode(*self.0))
    }

    /// Plain SHA-256: no dictionary holds 256 random bits.
    pub fn hash(&self) -> [u8; 32] {
        let digest = digest::digest(&digest::SHA256, &*self.0);
        digest.as_ref().first_chunk().copied().unwrap_or_default()
    }
}

/// How long a sign-in to the console lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConsoleRules {
    /// From the sign-in on, however busy.
    pub lifetime: Duration,
    /// Since it was last used.
    pub idle: Duration,
}

impl ConsoleRules {
    /// When its time is over whatever is done with it.
    pub fn ends_at(&self, created_at: Timestamp) -> Timestamp {
        created_at + self.lifetime
    }

    /// When it is over if nobody uses it after `now`.
    pub fn expires_at(&self, created_at: Timestamp, now: Timestamp) -> Timestamp {
        self.ends_at(created_at).min(now + self.idle)
    }

    /// Until when whoever typed their password then may do what wants a fresh one.
    pub fn fresh_until(&self, confirmed_at: Timestamp) -> Timestamp {
        confirmed_at + FRESH
    }

    /// The expiry to write, if using it now moves the one that is written far enough to be worth it.
    pub fn renewed(&self, created_at: Timestamp, written: Timestamp, now: Timestamp) -> Option<Timestamp> {
        let expires_at = self.expires_at(created_at, now);
        (expires_at.since(written) >= self.idle / RENEWED_BY).then_some(expires_at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::Slug;

    const RULES: ConsoleRules =
        ConsoleRules { lifetime: Duration::from_secs(12 * 3600), idle: Duration::from_secs(30 * 60) };
    const SIGN_IN: Timestamp = Timestamp::from_ms(1_795_000_000_000);

    fn minutes(number: u64) -> Duration {
        Duration::from_secs(60 * number)
    }

    #[test]
    fn a_token_survives_its_text_and_has_one_spelling() {
        let token = ConsoleToken::from_entropy([7; 32]);
        let text = token.to_text();
        assert_eq!(text.expose().len(), 43);
        assert_eq!(ConsoleToken::read(text.expose()).unwrap().hash(), token.hash());
        assert_ne!(token.hash(), [7; 32]);
        // The last character has two bits to spare, which have to be zero.
        assert!(text.expose().ends_with('c'));
        let last = text.expose().len() - 1;
        let other = ["d", "e", "f"].map(|letter| format!("{}{letter}", &text.expose()[..last]));
        assert_eq!(other.iter().filter(|text| ConsoleToken::read(text).is_some()).count(), 0);
        for odd in ["", "x", &text.expose()[..last], &format!("{}A", text.expose()), "=", &"é".repeat(43)] {
            assert!(ConsoleToken::read(odd).is_none(), "{odd}");
        }
    }

    #[test]
    fn use_moves_the_expiry_and_never_beyond_the_lifetime() {
        let written = RULES.expires_at(SIGN_IN, SIGN_IN);
        assert_eq!(written, SIGN_IN + minutes(30));
        assert_eq!(RULES.renewed(SIGN_IN, written, SIGN_IN), None);
        assert_eq!(RULES.renewed(SIGN_IN, written, SIGN_IN + Duration::from_secs(59)), None);
        assert_eq!(RULES.renewed(SIGN_IN, written, SIGN_IN + minutes(1)), Some(SIGN_IN + minutes(31)));
        let late = SIGN_IN + minutes(12 * 60 - 1);
        assert_eq!(RULES.expires_at(SIGN_IN, late), RULES.ends_at(SIGN_IN));
        assert_eq!(RULES.renewed(SIGN_IN, RULES.ends_at(SIGN_IN), late), None);
        // A clock that was set back takes nothing away.
        assert_eq!(RULES.renewed(SIGN_IN, written, SIGN_IN - minutes(20)), None);
    }

    #[test]
    fn rights_are_names_of_permissions() {
        assert!(Right::ALL.iter().all(|right| Slug::parse(right.as_str()).is_ok()));
    }
}
