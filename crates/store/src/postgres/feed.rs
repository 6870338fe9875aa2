//! The view on PostgreSQL: follows the feed of changes, loads what is not kept, and answers `caller`.
//!
//! # How old an answer from memory may be
//!
//! A read of the feed that began at some moment has seen every change that was answered before it. So the view is
//! right about everything up to the beginning of the last complete read, and memory is used only while that is
//! younger than `staleness`. Reads are made every half of that, and at once when somebody is heard to have changed
//! something. Nothing rests on being told: a notification that is lost costs time, within the bound. When
//! reads stop (the database or the network is gone, this process was asleep), each call reads the feed
//! itself before it answers, and fails if it cannot. Calls that wait share one read.
//!
//! # Why no change is missed
//!
//! Transactions commit in another order than they number their rows. A read therefore remembers the oldest
//! transaction that was unfinished in its snapshot, and the next one begins there: whatever became visible since
//! belongs to a transaction that was unfinished then, or began later. Entries that come twice are applied once.
//!
//! # When the database was down
//!
//! `opening` names the time since it last came up from a crash or took over from another server. Finding another
//! epoch than the one we knew, we write ends again that it may have lost, forget what we knew, and only then
//! go by the new one. Refreshes and loads compare the epoch, so none is answered from a database that has come
//! back different before that was done.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, PoisonError, RwLock, Weak};
use std::time::Duration;

use tenure_domain::id::{AccountId, SessionId, UserId};
use tokio::sync::{Mutex, Notify};
use tokio_postgres::Row;
use tokio_postgres::types::Type;
use uuid::Uuid;

use super::connect::{Conn, Db, closed};
use super::heard::Heard;
use super::moment::Moment;
use super::row::{Fields, uuid};
use crate::row::{ACCOUNT, Columns as _, PERSON, PERSON_COLUMNS, membership, person};
use crate::trail::Since;
use crate::view::{Change, Changes, Holder, Loaded, Looked, Seat, View};
use crate::{Caller, Fanout, Result, StoreError};

/// Most entries applied one by one; a view further behind than that is better off empty.
const ENTRIES_MAX: usize = 5_000;

/// Entries are kept for ten minutes (see `sweep`), so one who has not read for this long starts over.
const SILENCE_MAX: Duration = Duration::from_secs(120);

/// Between two reads because of a wake-up call: many ends at once, or somebody who only calls, cost no more.
const READS_APART: Duration = Duration::from_millis(5);

/// Between two tries to reach a database that is gone: at first, and at most.
const RETRY_FIRST: Duration = Duration::from_millis(50);
const RETRY_LAST: Duration = Duration::from_secs(1);

/// One statement, hence one snapshot.
const READ: &str = "SELECT o.epoch, (extract(epoch FROM clock_timestamp() - o.at) * 1000)::bigint, \
     pg_snapshot_xmin(pg_current_snapshot())::text, c.seq, c.session_id, c.user_id, c.keys, c.account_id, c.plans \
     FROM (SELECT) one LEFT JOIN opening o ON true LEFT JOIN change c ON c.xid >= $1::text::xid8 \
     ORDER BY c.seq LIMIT 5001";

/// By whoever finds that the database has come up.
const OPEN: &str = "INSERT INTO opening DEFAULT VALUES ON CONFLICT DO NOTHING";

static CALLER: LazyLock<String> = LazyLock::new(|| {
    format!(
        "SELECT o.epoch, s.user_id, s.expires_at, s.ended_at IS NOT NULL, {PERSON}, {ACCOUNT} \
         FROM session s JOIN \"user\" u ON u.id = s.user_id LEFT JOIN account a ON a.id = u.account_id \
         LEFT JOIN plan p ON p.slug = a.plan LEFT JOIN opening o ON true WHERE s.id = $1"
    )
});

/// The columns of [`CALLER`] before the account's.
const ACCOUNT_PLACE: usize = 4 + PERSON_COLUMNS;

/// How often a load is repeated because the database came up anew meanwhile.
const ATTEMPTS_MAX: usize = 3;

pub(super) struct Feed {
    db: Arc<Db>,
    view: View,
    /// One reader at a time, so that calls share a read instead of repeating it.
    reader: Mutex<Reader>,
    /// When the last complete read began ([`Moment::as_nanos`]); zero if none counts.
    proven: AtomicU64,
    opening: RwLock<Option<Opening>>,
    wake: Arc<Notify>,
    fanout: Option<Arc<dyn Fanout>>,
    staleness: Duration,
    ends_restored: AtomicU64,
    is_closed: AtomicBool,
}

/// The time since the database last came up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Opening {
    pub epoch: Uuid,
    pub at: Moment,
}

#[derive(Default)]
struct Reader {
    conn: Option<Conn>,
    /// The oldest transaction that was unfinished at the last read; none before the first.
    position: Option<String>,
    /// The entries of that read, which may come again.
    seen: HashSet<i64>,
    heard: Heard,
    failures: u32,
    retry_at: Option<Moment>,
}

/// What one read gave.
struct Page {
    opening: Option<Opening>,
    position: String,
    entries: Vec<(i64, Change)>,
}

impl Feed {
    pub fn new(db: Arc<Db>, fanout: Option<Arc<dyn Fanout>>, staleness: Duration) -> Self {
        Self {
            db,
            view: View::at(0),
            reader: Mutex::default(),
            proven: AtomicU64::new(0),
            opening: RwLock::default(),
            wake: Arc::default(),
            fanout,
            staleness,
            ends_restored: AtomicU64::new(0),
            is_closed: AtomicBool::new(false),
        }
    }

    /// Reads the feed until the store is dropped or closed.
    pub async fn follow(feed: Weak<Self>) {
        while let Some(this) = feed.upgrade().filter(|feed| !feed.is_closed.load(Ordering::Relaxed)) {
            // A failure shows where it matters: nothing is answered from memory.
            drop(this.catch_up(Moment::now()).await);
            let (wake, fanout, pause) = (Arc::clone(&this.wake), this.fanout.clone(), this.staleness / 2);
            drop(this);
            let told = async {
                match &fanout {
                    Some(fanout) => fanout.announced().await,
                    None => std::future::pending().await,
                }
            };
            tokio::time::sleep(READS_APART).await;
            tokio::select! {
                () = wake.notified() => {}
                () = told => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    pub async fn caller(&self, id: SessionId) -> Result<Option<Caller>> {
        self.hear().await?;
        for _ in 0..ATTEMPTS_MAX {
            if let Looked::Found(caller) = self.view.find(id) {
                return Ok(Some(caller));
            }
            // Before the row is read: what the view has applied by now, the row will have.
            let seq = self.view.seq();
            let row = self.db.get().await?.row(&CALLER, &[(&uuid(id.as_bytes()), Type::UUID)]).await?;
            let Some(row) = row else { return Ok(None) };
            let (epoch, loaded) = load(&row)?;
            if self.is_known(epoch) {
                return Ok(Some(self.view.keep(seq, id, loaded)));
            }
            self.catch_up(Moment::now()).await?;
        }
        Err(StoreError::Unavailable("the database keeps coming up anew".into()))
    }

    pub async fn changed_since(&self, position: Option<u64>) -> Result<Since> {
        self.hear().await?;
        Ok(self.view.changed_since(position))
    }

    pub async fn key_epoch(&self) -> Result<u64> {
        self.hear().await?;
        Ok(self.view.key_epoch())
    }

    /// Since when the database is up.
    pub async fn opening(&self) -> Result<Opening> {
        if let Some(opening) = self.known() {
            return Ok(opening);
        }
        self.catch_up(Moment::now()).await?;
        self.known()
            .ok_or_else(|| StoreError::Unavailable("since when the database is up is not known".into()))
    }

    fn known(&self) -> Option<Opening> {
        *self.opening.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a row was read from the database that we know. One without an epoch has just come up.
    pub fn is_known(&self, epoch: Option<Uuid>) -> bool {
        epoch.is_some() && epoch == self.known().map(|opening| opening.epoch)
    }

    /// Lets the view have what this process has just written, and wakes the other nodes. If it cannot be read
    /// back, memory is not used until it can.
    pub async fn tell(&self) {
        if let Some(fanout) = &self.fanout {
            fanout.announce();
        }
        if self.catch_up(Moment::now()).await.is_err() {
            self.proven.store(0, Ordering::Release);
        }
    }

    /// How long ago the last complete read began, and whether memory is used.
    pub fn age(&self) -> Option<(Duration, bool)> {
        let age = Moment::now().since(self.proven()?);
        Some((age, age < self.staleness))
    }

    pub fn ends_restored(&self) -> u64 {
        self.ends_restored.load(Ordering::Relaxed)
    }

    pub async fn close(&self) {
        self.is_closed.store(true, Ordering::Relaxed);
        self.wake.notify_one();
        self.reader.lock().await.conn.take();
    }

    fn proven(&self) -> Option<Moment> {
        match self.proven.load(Ordering::Acquire) {
            0 => None,
            nanos => Some(Moment::from_nanos(nanos)),
        }
    }

    /// Makes sure that the view is no older than it may be.
    async fn hear(&self) -> Result<()> {
        if self.is_closed.load(Ordering::Relaxed) {
            return Err(closed());
        }
        let now = Moment::now();
        match self.proven() {
            Some(proven) if now.since(proven) < self.staleness => Ok(()),
            _ => self.catch_up(now).await,
        }
    }

    /// Reads the feed to its end, unless somebody has begun to since `arrived`, and finished.
    pub async fn catch_up(&self, arrived: Moment) -> Result<()> {
        let mut reader = self.reader.lock().await;
        if self.proven().is_some_and(|proven| proven >= arrived) {
            return Ok(());
        }
        if self.is_closed.load(Ordering::Relaxed) {
            return Err(closed());
        }
        let began = Moment::now();
        if reader.retry_at.is_some_and(|at| began < at) {
            return Err(StoreError::Unavailable("PostgreSQL was not there a moment ago".into()));
        }
        match self.read(&mut reader, began).await {
            Ok(()) => {
                reader.failures = 0;
                reader.retry_at = None;
                self.proven.store(began.as_nanos(), Ordering::Release);
                Ok(())
            }
            Err(error) => {
                reader.conn = None;
                let pause = RETRY_FIRST.saturating_mul(1 << reader.failures.min(8)).min(RETRY_LAST);
                // Nodes that lost it together do not all come back at once.
                let pause = pause.mul_f64(0.5 + (began.as_nanos() % 512) as f64 / 1024.0);
                reader.failures += 1;
                reader.retry_at = Some(Moment::from_nanos(
                    Moment::now().as_nanos() + u64::try_from(pause.as_nanos()).unwrap_or(0),
                ));
                Err(error)
            }
        }
    }

    async fn read(&self, reader: &mut Reader, began: Moment) -> Result<()> {
        let mut conn = match reader.conn.take() {
            Some(conn) => conn,
            None => self.db.get_listening(Arc::clone(&self.wake)).await?,
        };
        let mut page = Page::read(&mut conn, reader.position.as_deref()).await?;
        if page.opening.is_none() {
            conn.execute(OPEN, &[]).await?;
            page = Page::read(&mut conn, reader.position.as_deref()).await?;
        }
        let opening =
            page.opening.ok_or_else(|| StoreError::Unavailable("the database is just coming up".into()))?;
        let known = self.known();
        let is_new = known.is_none_or(|known| known.epoch != opening.epoch);
        if is_new && known.is_some() {
            tracing::warn!("the database came up anew; its newest commits may be lost");
            reader.heard.restore(&mut conn, &self.ends_restored).await?;
        }
        let was_silent = self.proven().is_none_or(|proven| began.since(proven) > SILENCE_MAX);
        let is_lost = is_new || was_silent || page.entries.len() > ENTRIES_MAX;
        let seen: HashSet<_> = page.entries.iter().map(|(seq, _)| *seq).collect();
        let fresh: Vec<_> = page.entries.into_iter().filter(|(seq, _)| !reader.seen.contains(seq)).collect();
        let ended: Vec<_> = fresh.iter().filter_map(|(_, change)| change.session()).collect();
        self.apply(is_lost, fresh);
        if is_new {
            // After the view has forgotten what it knew of the database before.
            *self.opening.write().unwrap_or_else(PoisonError::into_inner) = Some(opening);
        }
        reader.heard.listen(&mut conn, &ended, began).await?;
        reader.heard.tidy(began);
        (reader.position, reader.seen, reader.conn) = (Some(page.position), seen, Some(conn));
        Ok(())
    }

    fn apply(&self, is_lost: bool, fresh: Vec<(i64, Change)>) {
        let upto = self.view.seq() + 1;
        let changes = match (is_lost, fresh.is_empty()) {
            (true, _) => Changes::Lost { upto },
            (false, true) => return,
            (false, false) => {
                Changes::Listed { upto, entries: fresh.into_iter().map(|(_, change)| change).collect() }
            }
        };
        self.view.apply(changes, None);
    }
}

impl Page {
    async fn read(conn: &mut Conn, position: Option<&str>) -> Result<Self> {
        let asked = Moment::now();
        let rows = conn.rows(READ, &[(&position, Type::TEXT)]).await?;
        let first = rows.first().ok_or_else(|| StoreError::Unavailable("the feed gave nothing".into()))?;
        let columns = &mut Fields::of(first);
        let epoch = columns.id_or_null("opening")?.map(Uuid::from_bytes);
        let age: Option<u64> = columns.number_or_null("opening")?;
        // Counted from before it was asked, which makes it younger rather than older than it is.
        let at = asked.before(Duration::from_millis(age.unwrap_or(0)));
        let opening = epoch.map(|epoch| Opening { epoch, at });
        let position = columns.text("change")?;
        let entries = rows.iter().filter_map(|row| entry(row).transpose()).collect::<Result<_>>()?;
        Ok(Self { opening, position, entries })
    }
}

/// What an entry says; none where there is no entry. One that names nothing may concern anything.
fn entry(row: &Row) -> Result<Option<(i64, Change)>> {
    const WHAT: &str = "change";
    let columns = &mut Fields::of(row);
    let Some(seq) = columns.go_to(3).integer_or_null(WHAT)? else { return Ok(None) };
    let session = columns.id_or_null(WHAT)?.map(SessionId::from_bytes).map(Change::Session);
    let user = columns.id_or_null(WHAT)?.map(UserId::from_bytes).map(Change::User);
    let keys = columns.flag(WHAT)?.then_some(Change::Keys);
    let account = columns.id_or_null(WHAT)?.map(AccountId::from_bytes).map(Change::Account);
    let plans = columns.flag(WHAT)?.then_some(Change::Plans);
    let mut named = session.into_iter().chain(user).chain(keys).chain(account).chain(plans);
    let change = match (named.next(), named.next()) {
        (Some(change), None) => change,
        _ => Change::Unknown,
    };
    Ok(Some((seq, change)))
}

/// A caller's rows, and the epoch they were read in.
fn load(row: &Row) -> Result<(Option<Uuid>, Loaded)> {
    const WHAT: &str = "session";
    let columns = &mut Fields::of(row);
    let epoch = columns.id_or_null(WHAT)?.map(Uuid::from_bytes);
    let user_id = UserId::from_bytes(columns.id(WHAT)?);
    let expires_at = columns.time(WHAT)?;
    let ended = columns.flag(WHAT)?;
    let (person, disabled_at) = person(columns)?;
    let holder = Holder { person: Arc::new(person), disabled: disabled_at.is_some() };
    let membership = membership(columns, ACCOUNT_PLACE)?;
    Ok((epoch, Loaded { seat: Seat { user_id, expires_at, ended }, holder, membership }))
}
