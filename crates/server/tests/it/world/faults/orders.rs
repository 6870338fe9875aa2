//! What a test orders of the store.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use tenure_domain::time::Timestamp;
use tenure_store::{Result, StoreError, Vitals};
use tokio::sync::Semaphore;

#[derive(Clone)]
pub enum Fault {
    Panic,
    Fails(StoreError),
    /// Waits at the verb until it is let through, once per permit.
    Waits(Arc<Semaphore>),
    /// Does what it was told, and then the word of it is lost.
    FailsAfter(StoreError),
}

#[derive(Default)]
pub struct Faults {
    orders: Mutex<HashMap<&'static str, Fault>>,
    waiting: AtomicUsize,
    /// What the database's clock says instead of the truth.
    pub(super) clock: Mutex<Option<Timestamp>>,
    /// How the store says it is instead of the truth.
    pub(super) vitals: Mutex<Option<Vitals>>,
}

impl Faults {
    pub fn set(&self, verb: &'static str, fault: Fault) {
        self.orders.lock().unwrap().insert(verb, fault);
    }

    pub fn clear(&self) {
        self.orders.lock().unwrap().clear();
    }

    pub fn set_clock(&self, at: Timestamp) {
        *self.clock.lock().unwrap() = Some(at);
    }

    pub fn set_vitals(&self, vitals: Vitals) {
        *self.vitals.lock().unwrap() = Some(vitals);
    }

    /// How many requests wait at a verb just now.
    pub fn waiting(&self) -> usize {
        self.waiting.load(Ordering::SeqCst)
    }

    pub(super) async fn before(&self, verb: &'static str) -> Result<()> {
        let fault = self.orders.lock().unwrap().get(verb).cloned();
        match fault {
            Some(Fault::Panic) => panic!("a fault ordered at {verb}"),
            Some(Fault::Fails(error)) => Err(error),
            Some(Fault::Waits(gate)) => {
                self.waiting.fetch_add(1, Ordering::SeqCst);
                gate.acquire().await.unwrap().forget();
                self.waiting.fetch_sub(1, Ordering::SeqCst);
                Ok(())
            }
            Some(Fault::FailsAfter(_)) | None => Ok(()),
        }
    }

    pub(super) fn after<T>(&self, verb: &'static str, result: Result<T>) -> Result<T> {
        match self.orders.lock().unwrap().get(verb) {
            Some(Fault::FailsAfter(error)) => Err(error.clone()),
            _ => result,
        }
    }
}
