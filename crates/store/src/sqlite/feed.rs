//! The view on SQLite: reads the feed of changes, loads what is not kept, and answers `caller`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use rusqlite::{Connection, named_params};
use tenure_domain::id::{AccountId, SessionId, UserId};

use super::reader::Readers;
use super::row::{self, Columns as _, Fields};
use super::stamp::WalIndex;
use super::writer::closed;
use crate::trail::{Names, Since};
use crate::view::{Change, Changes, Holder, Loaded, Looked, Seat, Stamp, View};
use crate::{Caller, Changed, Result};

/// Most entries read at once; a view further behind than that is better off empty.
const ENTRIES_MAX: u64 = 5_000;

/// The number of the newest entry ever made, pruned or not.
const SEQ: &str = "SELECT seq FROM sqlite_sequence WHERE name = 'change'";

const ENTRIES: &str =
    "SELECT session_id, user_id, keys, account_id, plans FROM change WHERE seq > ?1 ORDER BY seq";

static CALLER: LazyLock<String> = LazyLock::new(|| {
    format!(
        "SELECT s.user_id, s.expires_at, s.ended_at, {}, {} FROM session s JOIN user u ON u.id = s.user_id \
         LEFT JOIN account a ON a.id = u.account_id LEFT JOIN plan p ON p.slug = a.plan WHERE s.id = :id",
        row::PERSON,
        row::ACCOUNT
    )
});

const ALIVE: &str = "SELECT 1 FROM session WHERE id = ?1 AND ended_at IS NULL";

static USER_NOW: LazyLock<String> =
    LazyLock::new(|| format!("SELECT {} FROM user u WHERE u.id = ?1", row::USER_NOW));

/// The columns of [`CALLER`] before the account's.
const ACCOUNT_PLACE: usize = 3 + row::PERSON_COLUMNS;

pub(super) struct Feed {
    view: View,
    /// The one connection that the feed is read with; none once closed. Its lock also keeps two calls from
    /// reading the same entries.
    conn: Mutex<Option<Connection>>,
    wal_index: Option<WalIndex>,
}

impl Feed {
    /// Starts at the present end of the feed.
    pub fn new(conn: Connection, wal_index: Option<WalIndex>) -> Result<Self> {
        let view = View::at(seq(&conn)?);
        Ok(Self { view, conn: Mutex::new(Some(conn)), wal_index })
    }

    pub async fn caller(&self, id: SessionId, readers: &Readers) -> Result<Option<Caller>> {
        let looked = match self.view.find_if_current(self.stamp(), id) {
            Looked::Behind => {
                self.catch_up()?;
                self.view.find(id)
            }
            looked => looked,
        };
        if let Looked::Found(caller) = looked {
            return Ok(Some(caller));
        }
        let loaded = readers.read(move |conn| load(conn, id)).await?;
        Ok(loaded.map(|(seq, loaded)| self.view.keep(seq, id, loaded)))
    }

    pub async fn changed_since(&self, position: Option<u64>, readers: &Readers) -> Result<Changed> {
        if !self.view.is_current(self.stamp()) {
            self.catch_up()?;
        }
        match self.view.changed_since(position) {
            Since::Lost { upto } => Ok(Changed::Lost { upto }),
            Since::Named { upto, names } if names.sessions.is_empty() && names.users.is_empty() => {
                Ok(Changed::found(upto, names, &BTreeSet::new(), &BTreeMap::new()))
            }
            // Read after the feed, and so at least as new as what it has named.
            Since::Named { upto, names } => readers.read(move |conn| now(conn, upto, names)).await,
        }
    }

    pub fn key_epoch(&self) -> Result<u64> {
        if !self.view.is_current(self.stamp()) {
            self.catch_up()?;
        }
        Ok(self.view.key_epoch())
    }

    fn stamp(&self) -> Option<Stamp> {
        self.wal_index.as_ref().and_then(WalIndex::stamp)
    }

    /// Reads the feed to its end. Blocks for some ten microseconds, once per commit of anybody.
    fn catch_up(&self) -> Result<()> {
        let mut conn = self.conn.lock().unwrap_or_else(PoisonError::into_inner);
        let conn = conn.as_mut().ok_or_else(closed)?;
        let read_after = |after| {
            let upto = seq(conn)?;
            if upto == after {
                return Ok(Changes::Listed { upto, entries: Vec::new() });
            }
            let snapshot = conn.transaction()?;
            changes_after(&snapshot, after)
        };
        self.view.catch_up(|| self.stamp(), read_after)
    }

    pub fn close(&self) {
        self.conn.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}

fn seq(conn: &Connection) -> Result<u64> {
    // There is no row before the first entry.
    Ok(row::one(conn, SEQ, (), |columns| columns.number("change"))?.unwrap_or(0))
}

/// The entries after a number, read in one snapshot.
fn changes_after(snapshot: &Connection, after: u64) -> Result<Changes> {
    let upto = seq(snapshot)?;
    if upto < after || upto - after > ENTRIES_MAX {
        return Ok(Changes::Lost { upto });
    }
    let entries = row::all(snapshot, ENTRIES, [row::integer(after)], |columns| Ok(entry(columns)))?;
    // Numbers have no holes, so as many entries as numbers is all of them.
    if entries.len() as u64 != upto - after {
        return Ok(Changes::Lost { upto });
    }
    Ok(Changes::Listed { upto, entries: entries.into_iter().flatten().collect() })
}

/// What an entry says. One that cannot be read may concern anything.
fn entry(columns: &mut Fields<'_>) -> Vec<Change> {
    let mut read = || {
        let session = columns.bytes_or_null("change")?.map(SessionId::from_bytes).map(Change::Session);
        let user = columns.bytes_or_null("change")?.map(UserId::from_bytes).map(Change::User);
        let keys = columns.flag("change")?.then_some(Change::Keys);
        let account = columns.bytes_or_null("change")?.map(AccountId::from_bytes).map(Change::Account);
        let plans = columns.flag("change")?.then_some(Change::Plans);
        Result::Ok(session.into_iter().chain(user).chain(keys).chain(account).chain(plans).collect())
    };
    read().unwrap_or_else(|_| vec![Change::Unknown])
}

/// How those stand who have changed.
fn now(conn: &Connection, upto: u64, names: Names) -> Result<Changed> {
    let (mut alive, mut found) = (BTreeSet::new(), BTreeMap::new());
    for id in &names.sessions {
        if row::one(conn, ALIVE, [id.as_bytes()], |_| Ok(()))?.is_some() {
            alive.insert(*id);
        }
    }
    for id in &names.users {
        found.extend(row::one(conn, &USER_NOW, [id.as_bytes()], |columns| row::user_now(columns))?);
    }
    Ok(Changed::found(upto, names, &alive, &found))
}

/// A caller's rows, with the number that the feed had reached when they were read.
fn load(conn: &Connection, id: SessionId) -> Result<Option<(u64, Loaded)>> {
    let rows = row::one(conn, &CALLER, named_params! {":id": id.as_bytes()}, |columns| {
        let user_id = UserId::from_bytes(columns.bytes("session")?);
        let expires_at = columns.time("session")?;
        let ended = !columns.is_null()?;
        let (person, disabled_at) = row::person(columns)?;
        let holder = Holder { person: Arc::new(person), disabled: disabled_at.is_some() };
        let membership = row::membership(columns, ACCOUNT_PLACE)?;
        Ok(Loaded { seat: Seat { user_id, expires_at, ended }, holder, membership })
    })?;
    let Some(loaded) = rows else { return Ok(None) };
    Ok(Some((seq(conn)?, loaded)))
}
