//! What observed browsers report.

use std::sync::LazyLock;

use async_trait::async_trait;
use rusqlite::{OptionalExtension as _, named_params, params};
use tenure_domain::id::ObservationId;

use super::row::Fields;
use super::writer::Tx;
use super::{SqliteStore, row};
use crate::{Observations, Observed, ObservedFilter, Result};

const INSERT: &str = "INSERT INTO observation (id, received_at, profile, page, seq, at, ahead_ms, seen, app, browser, \
     release) VALUES (:id, :received_at, :profile, :page, :seq, :at, :ahead_ms, :seen, :app, :browser, :release) \
     ON CONFLICT (profile, page, seq) DO NOTHING";

const COLUMNS: &str = "id, received_at, profile, page, seq, at, ahead_ms, seen, app, browser, release";

/// In the order of ids, and so of arrival.
static LIST: LazyLock<String> = LazyLock::new(|| {
    format!("SELECT {COLUMNS} FROM observation WHERE id > ?1 AND id >= ?2 ORDER BY id LIMIT ?3")
});

/// By the index: one profile has few of them all.
static LIST_OF: LazyLock<String> = LazyLock::new(|| {
    format!(
        "SELECT {COLUMNS} FROM observation INDEXED BY observation_of_page WHERE profile = ?4 \
         AND id > ?1 AND id >= ?2 ORDER BY id LIMIT ?3"
    )
});

const OLDEST_OF: &str = "SELECT id FROM observation ORDER BY id DESC LIMIT 1 OFFSET ?1";

/// It finds its rows by the order of ids, so that nothing is searched when there is nothing to do.
const EXPIRE: &str = "DELETE FROM observation WHERE id IN \
     (SELECT id FROM observation WHERE id < ?1 ORDER BY id LIMIT ?2)";

#[async_trait]
impl Observations for SqliteStore {
    async fn observation_add(&self, observed: Vec<Observed>) -> Result<()> {
        let turn = self.observing.take().await?;
        self.writer
            .write_expendable(move |tx| {
                // Whoever asked may be gone before it is written.
                let _turn = turn;
                observed.iter().try_for_each(|one| insert(tx, one))
            })
            .await
    }

    async fn observation_list(
        &self,
        filter: ObservedFilter,
        after: Option<ObservationId>,
        limit: usize,
    ) -> Result<Vec<(ObservationId, Observed)>> {
        self.readers
            .read(move |conn| {
                let bytes = |id: Option<ObservationId>| id.map_or([0; 16], |id| *id.as_bytes());
                let (after, first) = (bytes(after), bytes(filter.first()));
                let limit = row::integer(limit);
                let columns = |columns: &mut Fields<'_>| row::observed(columns);
                match filter.profile {
                    None => row::readable(conn, &LIST, params![after, first, limit], columns),
                    Some(profile) => {
                        let params = params![after, first, limit, profile.as_bytes()];
                        row::readable(conn, &LIST_OF, params, columns)
                    }
                }
            })
            .await
    }

    async fn observation_oldest_of(&self, keep: u64) -> Result<Option<ObservationId>> {
        let beyond = row::integer(keep.saturating_sub(1));
        self.readers
            .read(move |conn| {
                let mut statement = conn.prepare_cached(OLDEST_OF)?;
                let id = statement.query_row([beyond], |row| row.get::<_, [u8; 16]>(0)).optional()?;
                Ok(id.map(ObservationId::from_bytes))
            })
            .await
    }

    async fn observation_expire(&self, first_kept: ObservationId, limit: usize) -> Result<u64> {
        self.writer
            .write(move |tx| {
                let params = params![first_kept.as_bytes(), row::integer(limit)];
                Ok(tx.conn.prepare_cached(EXPIRE)?.execute(params)? as u64)
            })
            .await
    }
}

fn insert(tx: &Tx<'_>, observed: &Observed) -> Result<()> {
    let Observed { received_at, app, browser, release, what } = observed;
    tx.conn.prepare_cached(INSERT)?.execute(named_params! {
        ":id": tx.entropy.observation(*received_at).as_bytes(),
        ":received_at": received_at.as_ms(),
        ":profile": what.profile.as_bytes(),
        ":page": what.page,
        ":seq": what.seq,
        ":at": what.at.as_ms(),
        ":ahead_ms": what.ahead_ms,
        ":seen": row::seen(&what.seen),
        ":app": app,
        ":browser": browser,
        ":release": release,
    })?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::future::Future;
    use std::pin::Pin;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::sync::mpsc;
    use std::task::{Context, Poll, Waker};

    use tenure_domain::id::ProfileId;
    use tenure_domain::observed::{Observation, Seen};
    use tenure_domain::time::Timestamp;

    use super::*;
    use crate::sqlite::SqliteOptions;
    use crate::{Entropy, StoreError};

    struct Numbers(AtomicU64);

    impl Entropy for Numbers {
        fn fill(&self, bytes: &mut [u8]) {
            let number = self.0.fetch_add(1, Ordering::Relaxed).to_le_bytes();
            bytes.iter_mut().rev().zip(number).for_each(|(byte, digit)| *byte = digit);
        }
    }

    type Added<'a> = Pin<Box<dyn Future<Output = Result<()>> + Send + 'a>>;

    fn poll(added: &mut Added<'_>) -> Poll<Result<()>> {
        added.as_mut().poll(&mut Context::from_waker(Waker::noop()))
    }

    fn report(n: u32) -> Vec<Observed> {
        let at = Timestamp::from_ms(1_795_000_000_000);
        let profile = ProfileId::from_bytes([7; 16]);
        let seen = Seen::SignIn;
        let what = Observation { profile, page: format!("p{n}"), seq: 1, at, ahead_ms: 0, seen };
        let (app, browser) = ("https://app.example".into(), "Firefox".into());
        vec![Observed { received_at: at, app, browser, release: None, what }]
    }

    #[tokio::test]
    async fn however_many_report_one_report_waits_where_others_write() {
        let folder = tempfile::tempdir().unwrap();
        let now = Timestamp::from_ms(1);
        let entropy = Arc::new(Numbers(AtomicU64::new(0)));
        let store = SqliteStore::open(SqliteOptions::new(folder.path().join("db"), entropy, now)).unwrap();
        let ((begun, is_begun), (release, released)) = (mpsc::channel(), mpsc::channel::<()>());
        let mut busy: Added<'_> = Box::pin(store.writer.write(move |_| {
            let _ = begun.send(());
            let _ = released.recv();
            Ok(())
        }));
        assert!(poll(&mut busy).is_pending());
        is_begun.recv().unwrap();

        let mut flood: Vec<Added<'_>> = (0..300).map(|n| store.observation_add(report(n))).collect();
        let polled: Vec<_> = flood.iter_mut().map(poll).collect();
        let pending = polled.iter().filter(|polled| polled.is_pending()).count();
        let refused = |polled: &Poll<_>| matches!(polled, Poll::Ready(Err(StoreError::Overloaded)));
        assert!(polled.iter().skip(pending).all(refused));
        assert_eq!((pending, store.writer.waiting()), (65, 1), "a few wait elsewhere");
        flood.truncate(pending);
        // Whoever gave up has left the report in the queue, and nobody follows it.
        drop(flood.remove(0));
        assert!(flood.iter_mut().all(|added| poll(added).is_pending()));
        assert_eq!(store.writer.waiting(), 1);

        drop(release);
        busy.await.unwrap();
        for added in flood {
            added.await.unwrap();
        }
        let kept = store.observation_list(ObservedFilter::default(), None, 1_000).await.unwrap();
        assert_eq!(kept.len(), pending);
    }
}
