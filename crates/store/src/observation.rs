//! What observed browsers report: the part of the store that may lose the most.

use std::sync::Arc;

use async_trait::async_trait;
use tenure_domain::id::{ObservationId, ProfileId};
use tenure_domain::observed::Observation;
use tenure_domain::time::Timestamp;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::{Entropy, Result, StoreError};

/// What was observed, with what we know of the report that it came in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observed {
    pub received_at: Timestamp,
    /// The origin of the application.
    pub app: String,
    /// The User-Agent in words.
    pub browser: String,
    /// The application's version.
    pub release: Option<String>,
    pub what: Observation,
}

/// Which observations are meant; what is left out restricts nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ObservedFilter {
    /// Received then or later.
    pub since: Option<Timestamp>,
    pub profile: Option<ProfileId>,
}

impl ObservedFilter {
    /// The first id of that time: an id is made of it, so that time needs no index of its own.
    pub(crate) fn first(&self) -> Option<ObservationId> {
        self.since.map(|since| ObservationId::generate(since, [0; 10]))
    }
}

/// Observations: added, listed, and deleted from their oldest end.
#[async_trait]
pub trait Observations: Send + Sync {
    /// Adds observations, all or none of them; one that is there already, by profile, page and number, stays as it is.
    /// They are written one report at a time, so that no other write ever waits for more than one, and give way
    /// (`Overloaded`). Whoever gets an error forgets them.
    async fn observation_add(&self, observed: Vec<Observed>) -> Result<()>;

    /// In the order of their arrival, from beyond `after`, at most `limit`.
    async fn observation_list(
        &self,
        filter: ObservedFilter,
        after: Option<ObservationId>,
        limit: usize,
    ) -> Result<Vec<(ObservationId, Observed)>>;

    /// The oldest among the newest `keep`, which are at least one; none if there are not as many. It walks through all of
    /// them, and holds up nobody's writes.
    async fn observation_oldest_of(&self, keep: u64) -> Result<Option<ObservationId>>;

    /// Deletes observations that came before that one, oldest first and at most `limit`; returns how many.
    async fn observation_expire(&self, first_kept: ObservationId, limit: usize) -> Result<u64>;
}

/// Most reports that wait for their turn: the tabs of a browser tell at the same moment, and each has half of the story.
const WAITING_MAX: usize = 64;

/// Whose report is written next. They wait here and not where other writes do.
pub(crate) struct Turns {
    room: Arc<Semaphore>,
    turn: Arc<Semaphore>,
}

/// Held until the write is done.
pub(crate) struct Turn {
    _room: OwnedSemaphorePermit,
    _turn: OwnedSemaphorePermit,
}

impl Turns {
    pub fn new() -> Self {
        Self { room: Arc::new(Semaphore::new(WAITING_MAX + 1)), turn: Arc::new(Semaphore::new(1)) }
    }

    /// Waits for it, unless too many do.
    pub async fn take(&self) -> Result<Turn> {
        let room = Arc::clone(&self.room).try_acquire_owned().map_err(|_| StoreError::Overloaded)?;
        let turn = Arc::clone(&self.turn).acquire_owned().await.map_err(|_| StoreError::Overloaded)?;
        Ok(Turn { _room: room, _turn: turn })
    }
}

impl dyn Entropy + '_ {
    pub(crate) fn observation(&self, received_at: Timestamp) -> ObservationId {
        ObservationId::generate(received_at, self.draw())
    }
}
