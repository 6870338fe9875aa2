//! What has happened lately and may still concern an access token.

use std::collections::HashMap;
use std::time::Duration;

use tenure_domain::id::{SessionId, UserId};
use tenure_domain::revocation::{self, Begin, Facts, NAMED_MAX, UserFact, UserState};
use tenure_domain::time::Timestamp;
use tenure_store::{SessionNow, UserNow};
use tokio::time::Instant;

/// Most facts kept, which is two megabytes of text. With more of them within one access lifetime the book begins anew.
const FACTS_MAX: usize = 20_000;

pub struct Book {
    begin: Begin,
    sessions: HashMap<SessionId, (Instant, SessionNow)>,
    users: HashMap<UserId, (Instant, UserNow)>,
}

impl Book {
    pub fn new(since: Timestamp, keep: Duration) -> Self {
        let begin = Begin { since, keep: keep.as_secs() };
        Self { begin, sessions: HashMap::new(), users: HashMap::new() }
    }

    pub fn has_room_for(&self, more: usize) -> bool {
        self.sessions.len() + self.users.len() + more <= FACTS_MAX
    }

    /// Writes down what has changed, and gives the events that tell of it, if anything has.
    pub fn note(
        &mut self,
        sessions: &[(SessionId, SessionNow)],
        users: &[(UserId, UserNow)],
    ) -> Option<String> {
        let at = Instant::now();
        self.sessions.extend(sessions.iter().map(|(id, now)| (*id, (at, *now))));
        self.users.extend(users.iter().map(|(id, now)| (*id, (at, *now))));
        (!sessions.is_empty() || !users.is_empty()).then(|| events(sessions, users))
    }

    /// Forgets what concerns expired tokens alone.
    pub fn forget_old(&mut self) {
        let keep = Duration::from_secs(self.begin.keep);
        self.sessions.retain(|_, (at, _)| at.elapsed() < keep);
        self.users.retain(|_, (at, _)| at.elapsed() < keep);
    }

    /// What a new listener is told at first.
    pub fn whole(&self) -> String {
        let sessions: Vec<_> = self.sessions.iter().map(|(id, (_, now))| (*id, *now)).collect();
        let users: Vec<_> = self.users.iter().map(|(id, (_, now))| (*id, *now)).collect();
        revocation::event("begin", &self.begin) + &events(&sessions, &users)
    }
}

fn events(sessions: &[(SessionId, SessionNow)], users: &[(UserId, UserNow)]) -> String {
    let of_sessions = sessions.chunks(NAMED_MAX).map(|sessions| {
        let are = |now| sessions.iter().filter(move |(_, is)| *is == now).map(|(id, _)| *id).collect();
        Facts { ended: are(SessionNow::Ended), changed: are(SessionNow::Other), users: vec![] }
    });
    let of_users = users.chunks(NAMED_MAX).map(|users| {
        let fact = |(id, now): &(UserId, UserNow)| UserFact { id: *id, state: state(*now) };
        Facts { users: users.iter().map(fact).collect(), ..Facts::default() }
    });
    of_sessions.chain(of_users).map(|facts| revocation::event("facts", &facts)).collect()
}

fn state(now: UserNow) -> UserState {
    match now {
        UserNow::Stands { token_version, role } => UserState::Stands { token_version, role },
        UserNow::Disabled { token_version } => UserState::Disabled { token_version },
        UserNow::Gone => UserState::Gone,
        UserNow::Unreadable => UserState::Unclear,
    }
}
