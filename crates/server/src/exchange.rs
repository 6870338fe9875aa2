//! Taking over sign-ins of another system: whether it is open now, and what is believed.

use tenure_domain::entitlement::Policy;
use tenure_domain::exchange::{REMEMBERED_FOR, Ticket, imported_key};
use tenure_domain::id::UserId;
use tenure_domain::problem::Code;
use tenure_domain::secret::{MasterSecret, SecretText, TicketKey};
use tenure_domain::simplejwt::{self, Claims, Expectations, TokenError};
use tenure_domain::time::Timestamp;
use tenure_store::{Store, StoreError, User};

use crate::App;
use crate::config::MigrationSection;
use crate::http::problem::{FieldError, Problem};

pub struct Exchange {
    until: Option<Timestamp>,
    /// None: no tokens of simplejwt are taken.
    simplejwt: Option<Simplejwt>,
    /// The first one makes tickets; those after it, of earlier master secrets, only check.
    ticket_keys: Vec<TicketKey>,
}

/// What is believed of simplejwt's tokens.
pub struct Simplejwt {
    key: simplejwt::Key,
    expected: Expectations,
}

impl Simplejwt {
    /// None if the configuration says no key, or none that can be used.
    pub fn new(section: &MigrationSection) -> Option<Self> {
        let key = section.key()?.ok()?;
        Some(Self { key, expected: section.expectations() })
    }

    pub fn read(&self, text: &SecretText, now: Timestamp) -> Result<Claims, TokenError> {
        simplejwt::read(text.expose(), &self.key, &self.expected, now)
    }
}

impl Exchange {
    pub fn new(section: &MigrationSection, secret: &MasterSecret, previous: &[MasterSecret]) -> Self {
        Self {
            until: section.exchange_until,
            simplejwt: Simplejwt::new(section),
            ticket_keys: std::iter::once(secret).chain(previous).map(MasterSecret::ticket_key).collect(),
        }
    }

    pub fn demand_open(&self, now: Timestamp) -> Result<(), Problem> {
        match self.until {
            Some(until) if now < until => Ok(()),
            _ => Err(closed()),
        }
    }

    /// Until when it is remembered that a sign-in was traded whose own end is not known: while it could still be shown.
    pub fn remembered_until(&self, now: Timestamp) -> Timestamp {
        self.until.unwrap_or(now).max(now + REMEMBERED_FOR)
    }

    pub fn read_token(&self, text: &SecretText, now: Timestamp) -> Result<Claims, Problem> {
        let simplejwt = self.simplejwt.as_ref().ok_or_else(closed)?;
        simplejwt.read(text, now).map_err(|error| match error {
            TokenError::Expired => expired(),
            error => Problem::new(Code::ExchangeInvalid, "That is no refresh token of the other system.")
                .with_cause(error),
        })
    }

    /// None if no key makes tickets, which there always is.
    pub fn mint(&self, ticket: &Ticket) -> Option<SecretText> {
        self.ticket_keys.first().map(|key| ticket.mint(key))
    }

    pub fn read_ticket(&self, text: &SecretText, now: Timestamp) -> Result<Ticket, Problem> {
        let unreadable =
            || Problem::new(Code::ExchangeInvalid, "That is no ticket of ours.").with_cause("no_ticket");
        let ticket = Ticket::read(text, &self.ticket_keys).ok_or_else(unreadable)?;
        // The sign-in that it was made for may stand: only this ticket is too old, and another is asked for.
        if now < ticket.expires_at { Ok(ticket) } else { Err(too_old()) }
    }
}

impl App {
    /// Whom somebody of the other system has become here.
    pub async fn find_imported(&self, id: &str) -> Result<UserId, Problem> {
        let found = self.store.import_find(imported_key(id)).await?;
        found.ok_or_else(unknown_user)
    }
}

/// Whether nobody else's word is enough for a session of this user's: they may do more than concerns them alone.
pub async fn is_elevated(store: &dyn Store, policy: &Policy, user: &User) -> Result<bool, StoreError> {
    let account = match user.account_id {
        Some(id) => store.account_find(id).await?,
        None => None,
    };
    Ok(policy.is_elevated(user.role, account.is_some_and(|account| account.is_system)))
}

pub fn closed() -> Problem {
    Problem::new(Code::ExchangeClosed, "Sign-ins of the other system are not taken over here now.")
}

pub fn expired() -> Problem {
    Problem::new(Code::ExchangeExpired, "The other system's sign-in has expired; sign in here.")
}

fn too_old() -> Problem {
    let message = "it is older than its minute; ask for another".into();
    let fault = FieldError { field: "ticket", code: "too_old", message };
    Problem::invalid(vec![fault]).with_cause("ticket_too_old")
}

pub fn unknown_user() -> Problem {
    Problem::new(Code::ExchangeUnknownUser, "Whoever this is has not been taken over from the other system.")
}

/// What each kind of refusal is called on record.
pub fn cause(problem: &Problem) -> &str {
    let is_told = matches!(problem.code, Code::ExchangeInvalid | Code::ValidationFailed);
    let told = problem.cause.as_deref().filter(|_| is_told);
    told.unwrap_or(problem.code.as_str())
}
