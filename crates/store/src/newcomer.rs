//! What new users, sessions and receipts are made of, the same for every database; ids, salts and receipts are
//! drawn here and nowhere else.

use tenure_domain::email::Email;
use tenure_domain::ends::{Actor, End, EndReason};
use tenure_domain::event::Whence;
use tenure_domain::id::{AccountId, ReceiptId, SessionId, UserId};
use tenure_domain::rotation::Rotation;
use tenure_domain::session::Session;
use tenure_domain::time::Timestamp;
use tenure_domain::user::{FIRST_TOKEN_VERSION, Role};

use crate::{EndOrder, Entropy, Home, NewAccount, NewSession, NewUser, User};

impl dyn Entropy + '_ {
    /// Fresh random bytes.
    pub(crate) fn draw<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        self.fill(&mut bytes);
        bytes
    }
}

impl NewUser {
    /// Somebody with an account of their own, of the same name, who cannot sign in yet.
    pub fn named(email: &Email, name: &str) -> Self {
        Self {
            email: email.as_str().to_owned(),
            email_key: email.key().to_owned(),
            name: name.to_owned(),
            role: Role::User,
            password_hash: None,
            home: Home::Own(NewAccount::named(name)),
            since: None,
            is_disabled: false,
            decree: None,
            imported_as: None,
        }
    }

    pub(crate) fn user(&self, entropy: &dyn Entropy, account_id: Option<AccountId>, now: Timestamp) -> User {
        // Users are listed by their ids, which is by age.
        let since = self.since.unwrap_or(now);
        User {
            id: UserId::generate(since, entropy.draw()),
            account_id,
            email: self.email.clone(),
            name: self.name.clone(),
            role: self.role,
            password_hash: self.password_hash.clone(),
            token_version: FIRST_TOKEN_VERSION,
            disabled_at: self.is_disabled.then_some(now),
            created_at: since,
        }
    }
}

impl NewSession {
    pub(crate) fn session(&self, entropy: &dyn Entropy, user_id: UserId, now: Timestamp) -> Session {
        Session {
            id: SessionId::generate(now, entropy.draw()),
            user_id,
            salt: entropy.draw(),
            remembered: self.remembered,
            created_at: now,
            expires_at: self.expires_at,
            rotation: Rotation::at_sign_in(now),
            ended: None,
        }
    }
}

impl EndOrder {
    /// Of what the same user still had on a device, by signing in there again (protocol.md section 6).
    pub(crate) fn replaced_by(new: &NewSession) -> Self {
        let whence = Whence::from(&new.device);
        Self { reason: EndReason::ReplacedBySignIn, actor: Actor::User, note: None, whence }
    }

    /// The end of one session, with a receipt of its own.
    pub(crate) fn end(&self, entropy: &dyn Entropy, now: Timestamp) -> End {
        End {
            receipt: ReceiptId::generate(entropy.draw()),
            reason: self.reason,
            actor: self.actor.clone(),
            at: now,
            note: self.note.clone(),
        }
    }

    /// The end that the clock brings.
    pub(crate) fn expiry(session: &Session) -> Self {
        let reason = session.expiry_reason();
        EndOrder { reason, actor: Actor::Clock, note: None, whence: Whence::default() }
    }
}
