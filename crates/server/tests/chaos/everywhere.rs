//! Every end, asked for on every node by itself: how soon it is refused there, and that it stays refused.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use http::StatusCode;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::browser::PROFILE;
use crate::calm::Calm;
use crate::ledger::Ledger;
use crate::proxy::Upstream;

/// A node that is held answers nobody.
const PATIENCE: Duration = Duration::from_secs(3);

pub struct Everywhere {
    nodes: Vec<Upstream>,
    http: reqwest::Client,
    ledger: Arc<Ledger>,
    calm: Arc<Calm>,
    delays: Mutex<Delays>,
}

/// What a node says of an access token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Word {
    Taken,
    /// 401.
    Refused,
    /// 503.
    Unavailable,
    /// It is gone, or says nothing in time.
    Silent,
}

/// From the answer to an end until a node refused, by the clock of whoever asked.
#[derive(Clone, Debug, Default)]
pub struct Delays {
    /// While all was well.
    pub calm: Vec<Duration>,
    pub in_trouble: Vec<Duration>,
}

impl Delays {
    /// Which time this many percent of the calm ones were within.
    pub fn percentile(&self, percent: usize) -> Duration {
        let mut sorted = self.calm.clone();
        sorted.sort();
        let at = (sorted.len() * percent).div_ceil(100).saturating_sub(1);
        sorted.get(at).copied().unwrap_or_default()
    }

    pub fn summary(&self) -> String {
        let (calm, trouble) = (self.calm.len(), self.in_trouble.len());
        let worst = self.calm.iter().max().copied().unwrap_or_default();
        let (p50, p99) = (self.percentile(50), self.percentile(99));
        format!("p50 {p50:.1?}, p99 {p99:.1?}, worst {worst:.1?} of {calm}; {trouble} more amid trouble")
    }
}

impl Everywhere {
    pub fn new(nodes: Vec<Upstream>, ledger: Arc<Ledger>, calm: Arc<Calm>) -> Arc<Self> {
        let http = reqwest::Client::builder().no_proxy().timeout(PATIENCE).build().unwrap();
        Arc::new(Self { nodes, http, ledger, calm, delays: Mutex::default() })
    }

    /// Asks one node.
    pub async fn ask(&self, node: usize, access_token: &str) -> Word {
        let address = *self.nodes[node].borrow();
        let Some(address) = address else { return Word::Silent };
        let request = self.http.get(format!("http://{address}{PROFILE}")).bearer_auth(access_token);
        match request.send().await.map(|response| response.status()) {
            Ok(StatusCode::OK) => Word::Taken,
            Ok(StatusCode::UNAUTHORIZED) => Word::Refused,
            Ok(StatusCode::SERVICE_UNAVAILABLE) => Word::Unavailable,
            Ok(other) => {
                self.ledger.violation("", &format!("node {node} answered a profile with {other}"));
                Word::Silent
            }
            Err(_) => Word::Silent,
        }
    }

    /// Sees every end through until the ledger tells no more of them.
    pub async fn follow(self: Arc<Self>, mut ends: UnboundedReceiver<String>) {
        let mut watched = JoinSet::new();
        while let Some(session) = ends.recv().await {
            let Some(fact) = self.ledger.fact(&session) else { continue };
            let Some(ended) = fact.ended else { continue };
            for node in 0..self.nodes.len() {
                let (all, session, token) = (Arc::clone(&self), session.clone(), fact.access_token.clone());
                watched.spawn(async move { all.measure_refusal(node, &session, &token, ended).await });
            }
            while watched.try_join_next().is_some() {}
        }
        watched.join_all().await;
    }

    /// Asks a node until it refuses, and notes how long that took.
    pub async fn measure_refusal(&self, node: usize, session: &str, access_token: &str, ended: Instant) {
        self.until_refused(node, session, access_token, ended).await;
        let mut delays = self.delays.lock().unwrap_or_else(PoisonError::into_inner);
        let kind = if self.calm.was_since(ended) { &mut delays.calm } else { &mut delays.in_trouble };
        kind.push(ended.elapsed());
    }

    /// Asks a node until it refuses. Whatever it answered that was asked later than the view may be behind, and
    /// took the token, is a session revived.
    pub async fn until_refused(&self, node: usize, session: &str, access_token: &str, ended: Instant) {
        let promise = self.ledger.promise;
        loop {
            let sent = crate::now();
            let word = self.ask(node, access_token).await;
            match word {
                Word::Refused => return,
                Word::Taken if sent > ended + promise.staleness => {
                    let late = sent - ended;
                    let what = format!("REVIVED: node {node} took its access token {late:?} after its end");
                    return self.ledger.violation(session, &what);
                }
                _ if ended.elapsed() > promise.progress => {
                    let what = format!("node {node} did not refuse its access token: {word:?}");
                    return self.ledger.violation(session, &what);
                }
                Word::Taken => sleep(Duration::from_millis(5)).await,
                Word::Unavailable | Word::Silent => sleep(Duration::from_millis(50)).await,
            }
        }
    }

    pub fn delays(&self) -> Delays {
        self.delays.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Every session of the ledger that has ended is refused on every node, which must all be up.
    pub async fn check_all_refused(&self) {
        let asked_from = crate::now();
        for (session, fact) in self.ledger.facts() {
            let Some(ended) = fact.ended else { continue };
            for node in 0..self.nodes.len() {
                // It has as long to answer as one that ended just now, and no longer to hear of it.
                let since = ended.max(asked_from - self.ledger.promise.staleness);
                self.until_refused(node, &session, &fact.access_token, since).await;
            }
        }
    }
}
