//! Password hashing on threads of its own.
//!
//! An Argon2id hash takes tens of milliseconds of a core. It runs on a fixed set of threads with a bounded
//! queue and a low priority, so that a flood of sign-ins is shed with 503 and does not slow refreshes.

use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};

use tenure_domain::password::{Cost, HashError, Password, PasswordHash, Scratch};
use tenure_store::Entropy;
use tokio::sync::oneshot;

use crate::config::Settled;
use crate::metrics::PasswordMetrics;

type Job = Box<dyn FnOnce(&mut Scratch) + Send>;

/// More hashes are waiting than the queue takes, or the threads are gone: 503 `overloaded`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("password hashing is overloaded")]
pub struct Overloaded;

pub struct Hasher {
    queue: SyncSender<Job>,
    entropy: Arc<dyn Entropy>,
    pub cost: Cost,
    /// What unknown users' passwords are checked against, so that the answer takes as long.
    decoy: PasswordHash,
    metrics: PasswordMetrics,
}

/// How nice the hashing threads are (setpriority(2)): they yield to everything else on the machine.
const NICENESS: i32 = 10;

impl Hasher {
    pub fn start(settled: &Settled, entropy: Arc<dyn Entropy>, metrics: PasswordMetrics) -> Self {
        let section = &settled.config.password;
        let workers = match section.workers {
            0 => std::thread::available_parallelism().map_or(1, usize::from),
            workers => workers,
        };
        let (queue, jobs) = sync_channel(section.queue.max(1));
        let jobs = Arc::new(Mutex::new(jobs));
        for index in 0..workers {
            let jobs = Arc::clone(&jobs);
            let thread = std::thread::Builder::new().name(format!("hash-{index}")).spawn(move || work(&jobs));
            if let Err(error) = thread {
                tracing::error!(%error, "a hashing thread could not be started");
            }
        }
        // Its parameters must be those in force, its tag may be anything: no password has it.
        let cost = settled.cost;
        let mut salt = [0; 16];
        entropy.fill(&mut salt);
        let decoy = PasswordHash::from_stored(format!(
            "$argon2id$v=19$m={},t={},p={}${}${}",
            cost.memory_kib,
            cost.passes,
            cost.lanes,
            base64::Engine::encode(&base64::engine::general_purpose::STANDARD_NO_PAD, salt),
            base64::Engine::encode(&base64::engine::general_purpose::STANDARD_NO_PAD, [0; 32]),
        ));
        Self { queue, entropy, cost, decoy, metrics }
    }

    pub async fn hash(&self, password: Password) -> Result<Result<PasswordHash, HashError>, Overloaded> {
        let mut salt = [0; 16];
        self.entropy.fill(&mut salt);
        let cost = self.cost;
        self.run(move |scratch| PasswordHash::compute(&password, salt, cost, scratch)).await
    }

    /// Verifies, and if the stored cost is not the one in force also hashes anew. With no stored hash the
    /// work is done all the same and the answer is no.
    pub async fn verify(
        &self,
        password: Password,
        stored: Option<PasswordHash>,
    ) -> Result<Result<Verified, HashError>, Overloaded> {
        let mut salt = [0; 16];
        self.entropy.fill(&mut salt);
        let cost = self.cost;
        let (hash, known) = match stored {
            Some(hash) => (hash, true),
            None => (self.decoy.clone(), false),
        };
        self.run(move |scratch| {
            let matches = hash.verify(&password, scratch)? && known;
            let rehashed = if matches && hash.is_outdated(cost) {
                Some(PasswordHash::compute(&password, salt, cost, scratch)?)
            } else {
                None
            };
            Ok(Verified { matches, rehashed })
        })
        .await
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Scratch) -> T + Send + 'static,
    ) -> Result<T, Overloaded> {
        let (reply, answer) = oneshot::channel();
        let metrics = self.metrics.clone();
        metrics.queue_depth.inc();
        let job: Job = Box::new(move |scratch| {
            metrics.queue_depth.dec();
            // Whoever asked may have gone; then nobody needs the hash.
            if !reply.is_closed() {
                let timer = metrics.start();
                let result = work(scratch);
                timer.finish();
                let _ = reply.send(result);
            }
        });
        if let Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) = self.queue.try_send(job) {
            self.metrics.queue_depth.dec();
            return Err(Overloaded);
        }
        answer.await.map_err(|_| Overloaded)
    }
}

/// What verifying a password found.
pub struct Verified {
    pub matches: bool,
    /// The same password under the cost in force, where the stored hash had another.
    pub rehashed: Option<PasswordHash>,
}

fn work(jobs: &Mutex<Receiver<Job>>) {
    // On Linux this concerns the calling thread alone; where it is refused, hashing is merely less polite.
    let _ = rustix::process::setpriority_process(None, NICENESS);
    let mut scratch = Scratch::default();
    loop {
        let job = jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
        match job {
            Ok(job) => {
                // A panic in one hash must not take the thread; its asker sees the dropped channel.
                let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| job(&mut scratch)));
                if caught.is_err() {
                    tracing::error!("a password hash panicked");
                    scratch = Scratch::default();
                }
            }
            Err(_) => return,
        }
    }
}
