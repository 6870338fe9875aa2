//! Trading a sign-in of another system for a session: what makes it happen once (`docs/decisions/0020-the-exchange.md`).
//!
//! A sign-in there is known here by the hash of its name, which is its key in the table of those that were traded. Who
//! trades it draws a random word, the attempt, and says the same one again if the answer was lost.

use std::time::Duration;

use aws_lc_rs::{digest, hmac};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::id::{ApiKeyId, UserId};
use crate::rotation::Rotation;
use crate::secret::{SecretText, TicketKey};
use crate::session::Session;
use crate::time::Timestamp;
use crate::user::FIRST_TOKEN_VERSION;

/// The permission to vouch for people, which an API key has as a scope.
pub const PERMISSION: &str = "sessions.exchange";

/// What an imported user's key begins with.
const IMPORTED_AS: &str = "django";

/// The longest primary key of somebody's in the other system, in bytes.
pub const IMPORTED_ID_MAX: usize = 100;

/// What whoever has this primary key in the other system is called here. A UUID is written with hyphens, as the other
/// system's tokens write it, whatever its database has made of it.
pub fn imported_key(id: &str) -> String {
    let digits: Vec<char> = id.chars().filter(|c| *c != '-').map(|c| c.to_ascii_lowercase()).collect();
    let is_hyphened = id.split('-').map(str::len).eq([8, 4, 4, 4, 12]);
    let is_uuid = digits.len() == 32 && digits.iter().all(char::is_ascii_hexdigit);
    if !(is_uuid && (is_hyphened || id.len() == 32)) {
        return format!("{IMPORTED_AS}:{id}");
    }
    let mut groups = [0..8, 8..12, 12..16, 16..20, 20..32].into_iter().map(|group| &digits[group]);
    let mut key = format!("{IMPORTED_AS}:");
    key.extend(groups.next().unwrap_or_default());
    groups.for_each(|group| key.extend(std::iter::once(&'-').chain(group)));
    key
}

/// What [`imported_key`] has made of a primary key, or somebody who knows the key has written.
pub fn read_imported_key(text: &str) -> Result<String, String> {
    match text.strip_prefix(IMPORTED_AS).and_then(|rest| rest.strip_prefix(':')) {
        Some(id) if !id.is_empty() && id.len() <= IMPORTED_ID_MAX && !id.contains(char::is_control) => {
            Ok(imported_key(id))
        }
        _ => Err(format!("expected {IMPORTED_AS}: and a primary key of at most {IMPORTED_ID_MAX} bytes")),
    }
}

/// For how long the same attempt is given the same session again, while nobody has used it.
pub const HANDED_AGAIN_FOR: Duration = Duration::from_secs(24 * 60 * 60);

/// How long a ticket is good: from a back end to a page, and from there to here.
pub const TICKET_LIFETIME: Duration = Duration::from_secs(60);

/// For how long it is remembered that a sign-in was traded whose own end is not known. Sessions of Django's live for two
/// weeks unless somebody has said otherwise.
pub const REMEMBERED_FOR: Duration = Duration::from_secs(400 * 24 * 60 * 60);

/// The longest name of a sign-in in another system, in characters.
pub const NAME_MAX: usize = 255;

/// Where a sign-in comes from. One name in two systems is two sign-ins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// A refresh token of simplejwt, named by its `jti`.
    Simplejwt,
    /// What a back end vouches for, such as a session of Django's.
    Ticket,
}

impl Source {
    pub const fn as_str(self) -> &'static str {
        match self {
            Source::Simplejwt => "simplejwt",
            Source::Ticket => "ticket",
        }
    }
}

/// A sign-in of another system, by the hash of its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ExchangeKey(pub [u8; 32]);

impl ExchangeKey {
    pub fn of(source: Source, name: &str) -> Self {
        Self(hash(&["tenure exchange v1", source.as_str(), name]))
    }
}

/// The hash of the random word that somebody says who trades a sign-in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attempt(pub [u8; 32]);

impl Attempt {
    /// None of what is not 16 to 64 letters, digits, `-` and `_`.
    pub fn read(word: &SecretText) -> Option<Self> {
        let word = word.expose();
        let is_safe = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
        let fits = (16..=64).contains(&word.len()) && word.bytes().all(is_safe);
        fits.then(|| Self(hash(&["tenure exchange attempt v1", word])))
    }
}

/// What has become here of somebody since they came.
#[derive(Clone, Copy, Debug)]
pub struct Since {
    pub is_disabled: bool,
    pub token_version: u32,
    /// They have signed out all else here, or somebody has given them another role.
    pub is_outdated: bool,
}

/// Why somebody may not have a session for what they had elsewhere, as far as they themselves are the cause.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    UserDisabled,
    Outdated,
}

impl Since {
    pub fn refusal(self) -> Option<Refusal> {
        match self {
            _ if self.is_disabled => Some(Refusal::UserDisabled),
            _ if self.is_outdated || self.token_version != FIRST_TOKEN_VERSION => Some(Refusal::Outdated),
            _ => None,
        }
    }
}

/// Whether the session that a sign-in became at `traded_at` may be handed out again to the attempt that made it: nobody
/// has used it yet, so what they were handed was lost. All strings of a generation are equal before the rotation rule,
/// which therefore never takes one handed out here for an old copy.
pub fn may_hand_out_again(session: &Session, traded_at: Timestamp, now: Timestamp) -> bool {
    session.ended.is_none()
        && !session.is_expired(now)
        && session.rotation == Rotation::at_sign_in(session.created_at)
        && now.since(traded_at) <= HANDED_AGAIN_FOR
}

/// What a back end vouches for: `tnx1_` + base64url( key of the sign-in 32 | user 16 | API key 16 | when they signed in 8 |
/// when the ticket expires 8 | tag 32 ). Nothing is stored for it. Bits that no byte has are zero, so every ticket has
/// exactly one spelling. What makes it good once is the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticket {
    pub key: ExchangeKey,
    pub user_id: UserId,
    /// By which the back end has vouched.
    pub api_key: ApiKeyId,
    pub authenticated_at: Timestamp,
    pub expires_at: Timestamp,
}

/// What every ticket begins with.
pub const TICKET_PREFIX: &str = "tnx1_";

const TICKET_BODY: usize = 32 + 16 + 16 + 8 + 8;

impl Ticket {
    pub fn mint(&self, key: &TicketKey) -> SecretText {
        let body = [
            self.key.0.as_slice(),
            self.user_id.as_bytes(),
            self.api_key.as_bytes(),
            &self.authenticated_at.as_ms().to_be_bytes(),
            &self.expires_at.as_ms().to_be_bytes(),
        ]
        .concat();
        let tag = hmac::sign(&key.0, &body);
        let text = URL_SAFE_NO_PAD.encode([&body, tag.as_ref()].concat());
        SecretText::from_plain(format!("{TICKET_PREFIX}{text}"))
    }

    /// None of what no server with one of these keys has made. Whether it has expired is not asked here.
    pub fn read(text: &SecretText, keys: &[TicketKey]) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(text.expose().strip_prefix(TICKET_PREFIX)?).ok()?;
        let (body, tag) = bytes.split_first_chunk::<TICKET_BODY>()?;
        let is_ours = |key: &TicketKey| hmac::verify(&key.0, body, tag).is_ok();
        // Every key is tried, so that nothing tells which one fits.
        if !keys.iter().map(is_ours).fold(false, |any, fits| any | fits) {
            return None;
        }
        let (key, rest) = body.split_first_chunk::<32>()?;
        let (user_id, rest) = rest.split_first_chunk::<16>()?;
        let (api_key, rest) = rest.split_first_chunk::<16>()?;
        let (authenticated_at, rest) = rest.split_first_chunk::<8>()?;
        let time = |bytes: &[u8; 8]| Timestamp::from_ms(i64::from_be_bytes(*bytes));
        Some(Self {
            key: ExchangeKey(*key),
            user_id: UserId::from_bytes(*user_id),
            api_key: ApiKeyId::from_bytes(*api_key),
            authenticated_at: time(authenticated_at),
            expires_at: time(rest.first_chunk()?),
        })
    }
}

/// SHA-256 over parts, each with its length before it, so that no two lists are hashed alike.
fn hash(parts: &[&str]) -> [u8; 32] {
    let mut context = digest::Context::new(&digest::SHA256);
    for part in parts {
        context.update(&(part.len() as u64).to_be_bytes());
        context.update(part.as_bytes());
    }
    context.finish().as_ref().first_chunk().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::SessionId;
    use crate::rotation::Generation;
    use crate::secret::MasterSecret;

    const NOW: Timestamp = Timestamp::from_ms(1_795_000_000_000);

    fn key(byte: u8) -> TicketKey {
        MasterSecret::from_bytes([byte; 32]).ticket_key()
    }

    fn read(text: &str, keys: &[TicketKey]) -> Option<Ticket> {
        Ticket::read(&SecretText::from_plain(text.to_owned()), keys)
    }

    fn ticket() -> Ticket {
        Ticket {
            key: ExchangeKey::of(Source::Ticket, "django session"),
            api_key: ApiKeyId::from_bytes([9; 16]),
            user_id: UserId::from_bytes([7; 16]),
            authenticated_at: NOW - Duration::from_secs(86_400),
            expires_at: NOW + TICKET_LIFETIME,
        }
    }

    #[test]
    fn a_ticket_is_read_as_it_was_written_under_any_of_the_servers_keys() {
        let text = ticket().mint(&key(1));
        assert_eq!(text.expose().len(), TICKET_PREFIX.len() + 150);
        assert_eq!(read(text.expose(), &[key(2), key(1)]), Some(ticket()));
        assert_eq!(read(text.expose(), &[key(2)]), None);
        assert_eq!(read(text.expose(), &[]), None);
    }

    #[test]
    fn no_bit_of_a_ticket_can_be_changed_and_it_has_one_spelling() {
        let text = ticket().mint(&key(1));
        let text = text.expose();
        let bytes = URL_SAFE_NO_PAD.decode(&text[TICKET_PREFIX.len()..]).unwrap();
        for bit in 0..bytes.len() * 8 {
            let mut other = bytes.clone();
            other[bit / 8] ^= 1 << (bit % 8);
            let other = format!("{TICKET_PREFIX}{}", URL_SAFE_NO_PAD.encode(other));
            assert_eq!(read(&other, &[key(1)]), None, "{bit}");
        }
        let last = text.chars().last().unwrap();
        for other in ('a'..='z').chain('A'..='Z').chain('0'..='9').filter(|other| *other != last) {
            assert_eq!(read(&format!("{}{other}", &text[..text.len() - 1]), &[key(1)]), None, "{other}");
        }
        for odd in
            ["", "tnx1_", &text[1..], &text[..text.len() - 1], &format!("{text}A"), &format!("{text}=")]
        {
            assert_eq!(read(odd, &[key(1)]), None, "{odd}");
        }
    }

    #[test]
    fn a_uuid_is_one_key_however_a_database_writes_it_and_nothing_else_is_taken_for_one() {
        let uuid = "django:0f8fad5b-d9cb-469f-a165-70867728950e";
        for spelling in [
            "0f8fad5bd9cb469fa16570867728950e",
            "0F8FAD5BD9CB469FA16570867728950E",
            "0f8fad5b-d9cb-469f-a165-70867728950e",
        ] {
            assert_eq!(imported_key(spelling), uuid);
            assert_eq!(read_imported_key(&format!("django:{spelling}")).as_deref(), Ok(uuid));
        }
        for other in
            ["17", "", "a-1", "0f8fad5bd9cb469fa16570867728950", "0f8fad5b-d9cb469f-a165-7086-7728950e", "é"]
        {
            assert_eq!(imported_key(other), format!("django:{other}"));
        }
        let long = format!("django:{}", "1".repeat(IMPORTED_ID_MAX + 1));
        for none in ["", "17", "django", "django:", "rails:17", "django17", "django:1\u{0}7", &long] {
            assert!(read_imported_key(none).is_err(), "{none}");
        }
    }

    #[test]
    fn a_sign_in_has_a_key_of_its_own_in_each_system_and_an_attempt_is_a_random_word() {
        assert_ne!(ExchangeKey::of(Source::Simplejwt, "a"), ExchangeKey::of(Source::Ticket, "a"));
        assert_ne!(ExchangeKey::of(Source::Simplejwt, "a"), ExchangeKey::of(Source::Simplejwt, "b"));
        let read = |word: &str| Attempt::read(&SecretText::from_plain(word.into()));
        assert!(read("0123456789abcDEF").is_some() && read(&"_-".repeat(32)).is_some());
        assert_ne!(read("0123456789abcdef"), read("0123456789abcdeg"));
        for odd in ["", "0123456789abcde", &"x".repeat(65), "0123456789abcde ", "0123456789abcd\u{e9}"] {
            assert!(read(odd).is_none(), "{odd}");
        }
    }

    #[test]
    fn what_they_had_elsewhere_is_worth_something_while_nothing_has_been_decided_about_them_here() {
        let untouched = Since { is_disabled: false, token_version: FIRST_TOKEN_VERSION, is_outdated: false };
        assert_eq!(untouched.refusal(), None);
        let outdated = Since { is_outdated: true, ..untouched };
        assert_eq!(outdated.refusal(), Some(Refusal::Outdated));
        let another = Since { token_version: FIRST_TOKEN_VERSION + 1, ..untouched };
        assert_eq!(another.refusal(), Some(Refusal::Outdated));
        assert_eq!(Since { is_disabled: true, ..outdated }.refusal(), Some(Refusal::UserDisabled));
    }

    #[test]
    fn a_session_is_handed_out_again_until_somebody_has_used_it() {
        let session = Session {
            id: SessionId::from_bytes([1; 16]),
            user_id: UserId::from_bytes([2; 16]),
            salt: [3; 16],
            remembered: true,
            created_at: NOW,
            expires_at: NOW + Duration::from_secs(20 * 86_400),
            rotation: Rotation::at_sign_in(NOW),
            ended: None,
        };
        assert!(may_hand_out_again(&session, NOW, NOW));
        assert!(may_hand_out_again(&session, NOW, NOW + HANDED_AGAIN_FOR));
        assert!(!may_hand_out_again(&session, NOW, NOW + HANDED_AGAIN_FOR + Duration::from_millis(1)));
        let moved = Rotation { base: Generation(1), head: Generation(2), ..session.rotation };
        assert!(!may_hand_out_again(&Session { rotation: moved, ..session.clone() }, NOW, NOW));
        assert!(!may_hand_out_again(&Session { expires_at: NOW - HANDED_AGAIN_FOR, ..session }, NOW, NOW));
    }
}
