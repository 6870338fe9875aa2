//! What happened, as it is written down for whoever asks later: the closed set of kinds, and the chain that shows
//! whether somebody has edited the record since.
//!
//! Every event is sealed a moment after it was written: it gets the next number, and a tag over itself and the tag
//! before it, under a key that the database does not have. Whoever changes, deletes or moves a sealed row breaks the chain
//! from there on; whoever writes a row before it is sealed has it sealed like any other (`docs/decisions/0017-the-event-table.md`).

use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;

use aws_lc_rs::hmac;
use serde::{Deserialize, Serialize};

use crate::id::{EventId, SessionId, UserId};
use crate::secret::AuditKey;
use crate::time::Timestamp;

/// Everything that is written down. What succeeds all the time, a refresh above all, is counted instead.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EventKind {
    Registered,
    SignedIn,
    SignInFailed,
    SignInThrottled,
    /// Written in the transaction that ends the session; its detail is the receipt's.
    SessionEnded,
    /// A sign-in of another system became a session: beside `SignedIn`, and in its transaction. Its cause says how.
    Exchanged,
    /// One did not; the cause is what was wrong with it.
    ExchangeRefused,
    /// A refresh was not served; the cause is the code that it was answered with.
    RefreshRefused,
    /// A token of a dead generation was presented (protocol.md section 6).
    DeadToken,
    /// The browser's token was ahead of the store, which had lost a commit (section 4).
    Rewound,
    PasswordChanged,
    PasswordReset,
    SigningKeyAdded,
    SigningKeyRetired,
    /// Somebody with rights has changed something.
    Act,
    /// A request was answered 402 or 403 for want of an account, a plan, a role or a permission.
    EntitlementBlocked,
    /// A browser reported a sign-out that the server knows the cause of.
    ClientReport,
    /// A browser reported a sign-out from a session that the server says is alive: a front end did it by itself.
    UnexplainedEnd,
    ServerStarted,
    ServerStopped,
    /// The oldest events were deleted, as configured.
    EventsPruned,
    /// One of another version, which wrote it and knows what it means.
    Other,
}

impl EventKind {
    pub const ALL: [EventKind; 21] = [
        EventKind::Registered,
        EventKind::SignedIn,
        EventKind::SignInFailed,
        EventKind::SignInThrottled,
        EventKind::SessionEnded,
        EventKind::Exchanged,
        EventKind::ExchangeRefused,
        EventKind::RefreshRefused,
        EventKind::DeadToken,
        EventKind::Rewound,
        EventKind::PasswordChanged,
        EventKind::PasswordReset,
        EventKind::SigningKeyAdded,
        EventKind::SigningKeyRetired,
        EventKind::Act,
        EventKind::EntitlementBlocked,
        EventKind::ClientReport,
        EventKind::UnexplainedEnd,
        EventKind::ServerStarted,
        EventKind::ServerStopped,
        EventKind::EventsPruned,
    ];

    pub const fn as_str(self) -> &'static str {
        match self {
            EventKind::Registered => "registered",
            EventKind::SignedIn => "signed_in",
            EventKind::SignInFailed => "sign_in_failed",
            EventKind::SignInThrottled => "sign_in_throttled",
            EventKind::SessionEnded => "session_ended",
            EventKind::Exchanged => "exchanged",
            EventKind::ExchangeRefused => "exchange_refused",
            EventKind::RefreshRefused => "refresh_refused",
            EventKind::DeadToken => "dead_token",
            EventKind::Rewound => "rewound",
            EventKind::PasswordChanged => "password_changed",
            EventKind::PasswordReset => "password_reset",
            EventKind::SigningKeyAdded => "signing_key_added",
            EventKind::SigningKeyRetired => "signing_key_retired",
            EventKind::Act => "act",
            EventKind::EntitlementBlocked => "entitlement_blocked",
            EventKind::ClientReport => "client_report",
            EventKind::UnexplainedEnd => "unexplained_end",
            EventKind::ServerStarted => "server_started",
            EventKind::ServerStopped => "server_stopped",
            EventKind::EventsPruned => "events_pruned",
            EventKind::Other => "other",
        }
    }
}

impl fmt::Display for EventKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Text that is no kind of event.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a kind of event of this version: {0}")]
pub struct EventKindError(String);

impl FromStr for EventKind {
    type Err = EventKindError;

    fn from_str(text: &str) -> Result<Self, EventKindError> {
        let found = EventKind::ALL.into_iter().find(|kind| kind.as_str() == text);
        found.ok_or_else(|| EventKindError(text.to_owned()))
    }
}

/// Where somebody was who did something, as far as the request said. It is their own data, and is erased with them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Whence {
    pub address: Option<String>,
    pub user_agent: Option<String>,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Occurrence {
    pub at: Timestamp,
    pub kind: EventKind,
    pub user: Option<UserId>,
    pub session: Option<SessionId>,
    /// What else it concerns: a receipt of an end, a key's id, an account, or what an act is about.
    pub subject: Option<String>,
    /// Who did it, as [`crate::ends::Actor`] writes it.
    pub actor: Option<String>,
    pub whence: Whence,
    /// Why, in a word: the reason of an end, a problem's code, the kind of a report.
    pub cause: Option<String>,
    /// How often it happened within the minute that it stands for.
    pub count: u32,
    /// Whatever else is worth knowing: a small JSON object.
    pub detail: Option<String>,
}

impl Occurrence {
    /// One that nothing more is known of.
    pub fn new(kind: EventKind, at: Timestamp) -> Self {
        Self {
            at,
            kind,
            user: None,
            session: None,
            subject: None,
            actor: None,
            whence: Whence::default(),
            cause: None,
            count: 1,
            detail: None,
        }
    }

    /// With a small object for its detail.
    pub fn with_detail(mut self, detail: &impl Serialize) -> Self {
        self.detail = serde_json::to_string(detail).ok();
        self
    }
}

/// An occurrence as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    pub id: EventId,
    /// What another version calls it, if its kind is [`EventKind::Other`].
    pub other_kind: Option<String>,
    pub what: Occurrence,
    /// None in the moment before it is sealed.
    pub seal: Option<Seal>,
}

/// A tag of the chain.
pub type Tag = [u8; 32];

/// A place in the chain: how many events are sealed up to it, and the last one's tag.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Link {
    pub number: u64,
    pub tag: Tag,
}

/// An event's place in the chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seal {
    pub link: Link,
    /// The tag of where it came from, which may be erased without breaking the chain.
    pub whence: Tag,
}

impl Event {
    /// One that has just happened.
    pub fn new(id: EventId, what: Occurrence) -> Self {
        Self { id, other_kind: None, what, seal: None }
    }

    /// As it is written.
    pub fn kind(&self) -> &str {
        self.other_kind.as_deref().unwrap_or(self.what.kind.as_str())
    }
}

impl AuditKey {
    /// What a pruning up to a place writes down.
    pub fn pruning(&self, upto: Link) -> Pruned {
        Pruned { upto: upto.number, tag: tag_hex(&upto.tag), proof: tag_hex(&self.proof(upto)) }
    }

    fn proof(&self, upto: Link) -> Tag {
        let mut text = Writing::default();
        text.bytes(b"pruned");
        text.bytes(&upto.number.to_be_bytes());
        text.bytes(&upto.tag);
        self.sign(&text.0)
    }

    /// The seal that an event gets as the next one after a place in the chain.
    pub fn seal(&self, event: &Event, after: Link) -> Seal {
        let whence = self.whence_tag(event);
        let number = after.number.saturating_add(1);
        Seal { link: Link { number, tag: self.tag(event, after.tag, number, &whence) }, whence }
    }

    fn tag(&self, event: &Event, before: Tag, number: u64, whence: &Tag) -> Tag {
        let what = &event.what;
        let mut text = Writing::default();
        text.bytes(&before);
        text.bytes(&number.to_be_bytes());
        text.bytes(event.id.as_bytes());
        text.bytes(&what.at.as_ms().to_be_bytes());
        text.bytes(event.kind().as_bytes());
        text.maybe(what.user.as_ref().map(|id| id.as_bytes().as_slice()));
        text.maybe(what.session.as_ref().map(|id| id.as_bytes().as_slice()));
        text.maybe(what.subject.as_deref().map(str::as_bytes));
        text.maybe(what.actor.as_deref().map(str::as_bytes));
        text.maybe(what.cause.as_deref().map(str::as_bytes));
        text.bytes(&what.count.to_be_bytes());
        text.maybe(what.detail.as_deref().map(str::as_bytes));
        text.bytes(whence);
        self.sign(&text.0)
    }

    fn whence_tag(&self, event: &Event) -> Tag {
        let Whence { address, user_agent } = &event.what.whence;
        let mut text = Writing::default();
        text.bytes(event.id.as_bytes());
        text.maybe(address.as_deref().map(str::as_bytes));
        text.maybe(user_agent.as_deref().map(str::as_bytes));
        self.sign(&text.0)
    }

    fn sign(&self, text: &[u8]) -> Tag {
        hmac::sign(&self.0, text).as_ref().first_chunk().copied().unwrap_or_default()
    }
}

/// Fields one after another, each with its length before it, so that no two rows are written alike.
#[derive(Default)]
struct Writing(Vec<u8>);

impl Writing {
    fn bytes(&mut self, bytes: &[u8]) {
        self.0.extend((bytes.len() as u64).to_be_bytes());
        self.0.extend(bytes);
    }

    fn maybe(&mut self, bytes: Option<&[u8]>) {
        self.0.push(u8::from(bytes.is_some()));
        self.bytes(bytes.unwrap_or_default());
    }
}

// === Looking whether anybody has edited it ===

/// What is wrong with the chain, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    #[error("events {from} to {upto} are missing or cannot be read")]
    Missing { from: u64, upto: u64 },
    #[error("event {number} ({id}) has been changed, or what came before it has")]
    Changed { number: u64, id: EventId },
    #[error("where event {number} ({id}) came from has been changed")]
    WhenceChanged { number: u64, id: EventId },
    #[error("where event {number} ({id}) came from has been erased, and nobody was deleted whose it is")]
    Erased { number: u64, id: EventId },
    #[error("the events before {first} are missing, and no pruning accounts for it")]
    BeginningMissing { first: u64 },
    #[error("event {number} is not as it was noted elsewhere")]
    NotAsNoted { number: u64 },
}

/// What a pruning writes down, so that the chain can be followed from there.
#[derive(Serialize, Deserialize)]
pub struct Pruned {
    /// The last event that was deleted.
    pub upto: u64,
    /// Its tag, in hexadecimal digits.
    pub tag: String,
    /// That a server wrote this, and not somebody who can only write to the database.
    pub proof: String,
}

/// Follows the chain from the oldest event to the newest.
pub struct Verifier<'k> {
    /// One of them made each seal: the master secret may have been changed meanwhile.
    keys: &'k [AuditKey],
    /// Where the chain is, and whether it is known to be right up to there.
    at: Option<Link>,
    /// The number before the first event and the tag that it should have had, if that is to be learnt of a pruning.
    beginning: Option<(u64, Event)>,
    prunings: Vec<Link>,
    noted: Option<Link>,
    pub broken: Vec<Broken>,
    pub looked_at: u64,
    /// Events whose origin was erased, with the person or by hand.
    pub erased: u64,
    /// Whose they are, as far as they say, each with the first of them: only of people who were deleted anything is
    /// erased, and whether they were, the chain does not know.
    pub erased_of: HashMap<(Option<UserId>, Option<SessionId>), (u64, EventId)>,
    /// The place that was noted elsewhere has been pruned since: nothing can be held against it.
    pub noted_is_pruned: bool,
}

impl<'k> Verifier<'k> {
    /// `noted`: a place of the chain as it was written down elsewhere, where whoever can write to the database could
    /// not reach it.
    pub fn new(keys: &'k [AuditKey], noted: Option<Link>) -> Self {
        let (prunings, broken) = (vec![], vec![]);
        Self {
            keys,
            at: None,
            beginning: None,
            prunings,
            noted,
            broken,
            looked_at: 0,
            erased: 0,
            erased_of: HashMap::new(),
            noted_is_pruned: false,
        }
    }

    /// Looks at the next event that has a seal, in the order of their numbers.
    pub fn look_at(&mut self, event: &Event) {
        let Some(seal) = event.seal else { return };
        let number = seal.link.number;
        self.looked_at += 1;
        self.look_at_whence(event, &seal);
        match self.at {
            None if number > 1 => self.beginning = Some((number - 1, event.clone())),
            None => self.compare(event, &seal, Link::default()),
            Some(before) if before.number + 1 != number => {
                self.broken.push(Broken::Missing { from: before.number + 1, upto: number.saturating_sub(1) });
            }
            Some(before) => self.compare(event, &seal, before),
        }
        if self.noted.is_some_and(|noted| noted.number == number && noted.tag != seal.link.tag) {
            self.broken.push(Broken::NotAsNoted { number });
        }
        self.hear_of_pruning(event);
        self.at = Some(seal.link);
    }

    /// Learns from a pruning, sealed or not, where the chain begins. One without a server's proof says nothing.
    pub fn hear_of_pruning(&mut self, event: &Event) {
        if event.what.kind != EventKind::EventsPruned {
            return;
        }
        let detail = event.what.detail.as_deref().unwrap_or_default();
        let Ok(pruned) = serde_json::from_str::<Pruned>(detail) else { return };
        let Some(tag) = tag_from_hex(&pruned.tag) else { return };
        let upto = Link { number: pruned.upto, tag };
        let proof = tag_from_hex(&pruned.proof);
        if self.keys.iter().any(|key| Some(key.proof(upto)) == proof) {
            self.prunings.push(upto);
        }
    }

    fn compare(&mut self, event: &Event, seal: &Seal, before: Link) {
        let number = seal.link.number;
        let makes = |key: &AuditKey| key.tag(event, before.tag, number, &seal.whence) == seal.link.tag;
        if !self.keys.iter().any(makes) {
            self.broken.push(Broken::Changed { number, id: event.id });
        }
    }

    fn look_at_whence(&mut self, event: &Event, seal: &Seal) {
        if self.keys.iter().any(|key| key.whence_tag(event) == seal.whence) {
            return;
        }
        let (number, id) = (seal.link.number, event.id);
        if event.what.whence != Whence::default() {
            return self.broken.push(Broken::WhenceChanged { number, id });
        }
        self.erased += 1;
        self.erased_of.entry((event.what.user, event.what.session)).or_insert((number, id));
    }

    /// Nothing comes after: the place where the chain ends, if there is any.
    pub fn finish(&mut self) -> Option<Link> {
        if let Some((before, first)) = self.beginning.take() {
            self.noted_is_pruned = self.noted.is_some_and(|noted| noted.number <= before);
            let pruning = self.prunings.iter().find(|upto| upto.number == before).copied();
            match (pruning, first.seal) {
                (Some(upto), Some(seal)) => self.compare(&first, &seal, upto),
                _ => self.broken.push(Broken::BeginningMissing { first: before + 1 }),
            }
        }
        let end = self.at.unwrap_or_default();
        if let Some(noted) = self.noted.filter(|noted| noted.number > end.number) {
            self.broken.push(Broken::Missing { from: end.number + 1, upto: noted.number });
        }
        self.at
    }
}

impl fmt::Display for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.number, tag_hex(&self.tag))
    }
}

/// Text that is no place in a chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a number, a colon and 64 hexadecimal digits, as `tenure audit verify` prints them")]
pub struct LinkError;

impl FromStr for Link {
    type Err = LinkError;

    fn from_str(text: &str) -> Result<Self, LinkError> {
        let (number, tag) = text.split_once(':').ok_or(LinkError)?;
        let number = number.parse().map_err(|_| LinkError)?;
        Ok(Self { number, tag: tag_from_hex(tag).ok_or(LinkError)? })
    }
}

pub fn tag_hex(tag: &Tag) -> String {
    tag.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn tag_from_hex(text: &str) -> Option<Tag> {
    let mut tag = Tag::default();
    if text.len() != 2 * tag.len() || !text.is_ascii() {
        return None;
    }
    for (index, byte) in tag.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(2 * index..2 * index + 2)?, 16).ok()?;
    }
    Some(tag)
}

#[cfg(test)]
mod tests;
